"""Hours that were spent, as people write them; a wait, an outage or a delay is none, and what may be either is asked."""

from __future__ import annotations

import re

from wellserved.capture.figures import Rewrite, put_in_figures
from wellserved.capture.money import amount_spans
from wellserved.capture.question import CaptureQuestion

_DURATION = re.compile(
    r"(?<![\w.,/:€$£-])(?P<n>\d{1,3}(?:[.,]\d{1,2})?)(?P<gap> ?)(?P<unit>hours?|hrs?|stunden?|std\b\.?|h|minutes?|minuten?|mins?|(?-i:m))(?![\w/’'])",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?:\bin|\bwithin|\bby|\bfor the (?:next|last|past)|\bnext|\blast|\bpast|\bafter|\bevery|\beach|\bbefore|\buntil|\blate|\bearly"
    r"|\bnach|\bseit|\bsince|\balle|\binnerhalb von|\b(?:answer|reply|response|delivery|callback) took|\b(?:no|without) \w{1,20}(?: \w{1,20})? for"
    r"|\b(?:down|out|off|offline|stand|standen|stood|stand still|aus|lahm|on hold|queue|in line|stuck|idle|blocked|delayed|closed|unavailable|unreachable)(?: for| by| since)?"
    r"|\b(?:wait\w{0,4}|outage|downtime|delay|power cut|breakdown|blackout|standstill|warte\w{0,4}|ausfall|gewartet|verspätung|stillstand)"
    r"(?: of| was| is| for| von| war| seit)?(?: about| over| almost| nearly| fast| rund)?):?\s$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\s?(?:of )?(?:ago|late|later|earlier|early|before|after|delays?|delayed|waits?|waiting|outage|downtime|power cut|breakdown|standstill|down|offline"
    r"|sooner|faster|quicker|longer|früher|schneller|länger|until|till|tot|steht|stand|nicht|in the dark|on hold|in the queue|queue|sla|notice|response|hotline|overdue|silence|too late|per|each|every|to (?:answer|reply|respond|arrive|deliver|come|get back)"
    r"|zu spät|zu früh|später|spaeter|vorher|beforehand|zeitfenster|wartezeit|gewartet|ausfall|verspätung|verspätet|stillstand)(?!\w)",
    re.IGNORECASE,
)
_METRES = re.compile(r" (?:of|long|wide|high|deep|tall|away|cables?|hoses?|pipes?|ropes?|wires?)\b", re.IGNORECASE)
_WORK = re.compile(
    r"\b(?:effort|spent|spend|work|worked|working|rework|overtime|fixing|repairing|driving|arbeit|aufwand|gearbeitet|arbeitszeit)\b",
    re.IGNORECASE,
)
_OWN_WORK = r"(?:(?<!they )(?<!he )(?<!she )(?<!customer )(?<!who )\bspent|\btook me|\bcost me|\bi needed|\bhat mich|\bkostete mich)(?: about| over| nearly| another| good| fast| rund)?"
_OWN_WORK_BEFORE = re.compile(rf"{_OWN_WORK} $|\b(?:took me|cost me)\b[^,;.]{{0,30}}$", re.IGNORECASE)
_OWN_WORK_AFTER = re.compile(
    r" (?:of (?:my|work)|spent|on it|dran|daran|gesessen|gearbeitet|gekostet)\b", re.IGNORECASE
)
_ON_MATTER = re.compile(r" on (?!hold\b)", re.IGNORECASE)
_WAIT = re.compile(
    r"\b(?:wait(?:ed|ing|s)?|outages?|downtime|delay(?:ed|s)?|on hold|(?:is|was|were|are|been|went|goes) (?:down|offline|out)|down for|unreachable"
    r"|unavailable|standstill|warte(?:n|te|ten|zeit)|gewartet|ausfall|ausgefallen|stillstand|verspät(?:et|ung))\b",
    re.IGNORECASE,
)
_STAYED = re.compile(  # in the corridor for two hours, on his own for 20 minutes
    r"\b(?:sat|stood|lay|lag|saß|sass|saßen|standen|hing|hung|slid)\b(?! with| down)[^.;!?]{0,60}\bfor $"
    r"|\b(?:sat|stood|lay|lag|saß|sass|saßen|standen|hing|slid)\b(?! with| down| dran| am)[^,.;!?]{0,30}$",
    re.IGNORECASE,
)
_SAVED_TIME = re.compile(r"\bsav(?:e|es|ed|ing)\b", re.IGNORECASE)
_FILLER_WORDS = re.compile(r"\band\b|\bplus\b|\babout\b|\bca\.?|[@#+][\w.-]{1,80}", re.IGNORECASE)
_BREAK = re.compile(r"[,;.:!?()](?=\s|$)")
_REACH = 80  # letters on either side of a duration that say what it was


_NUMBERS = {
    word: number
    for number, words in {
        2: "two|zwei", 3: "three|drei", 4: "four|vier", 5: "five|fünf", 6: "six|sechs", 7: "seven|sieben", 8: "eight|acht", 9: "nine|neun",
        10: "ten|zehn", 15: "fifteen|fünfzehn", 20: "twenty|zwanzig", 25: "twenty-five", 30: "thirty|dreißig|dreissig", 40: "forty|vierzig",
        45: "forty-five", 50: "fifty|fünfzig", 60: "sixty|sechzig", 90: "ninety|neunzig",
    }.items()
    for word in words.split("|")
}  # fmt: skip
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBERS)})\b", re.IGNORECASE)
_REWRITES: tuple[Rewrite, ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), rewrite)
    for pattern, rewrite in (
        (r"(?<!half )\b(?:an |one )?hour and a half\b(?! hour)|\b(?:anderthalb|eineinhalb) stunden\b", lambda _match: "90 min"),
        (r"\b(?:an |one )?hour and a quarter\b", lambda _match: "75 min"),
        (r"\b(?:three quarters of an hour|(?:eine |'?ne )?dreiviertelstunde)\b", lambda _match: "45 min"),
        (r"\b(?:half an hour|a half hour|(?:eine |'?ne )?halbe stunde)\b", lambda _match: "30 min"),
        (r"\b(?:a quarter of an hour|(?:eine |'?ne )?viertelstunde)\b", lambda _match: "15 min"),
        (rf"(?<!ty )(?<!ty-)(?<!hundred )(?<!hundert )(?<!und )\b({'|'.join(sorted(_NUMBERS, key=len, reverse=True))})(?: solid| full| ganze| whole)? (hours|minutes|mins|stunden|minuten)\b",
         lambda match: f"{_NUMBERS[match[1].lower()]} {match[2]}"),
        (rf"(?P<work>{_OWN_WORK} )(?:an|one|eine|'?ne) (?:hour|stunde)\b", lambda match: f"{match['work']}60 min"),
        (r"\b(\d{1,2}) ?(?:h|hours?|hrs?|std\.?|stunden?) ([0-5]?\d)(?: ?(?:min\w{0,5}|m)(?!\w)|(?= ?(?:$|spent\b|[,;!?)]|\. |\.$)))", lambda match: f"{int(match[1]) * 60 + int(match[2])} min"),
    )
)  # fmt: skip


def read_effort(text: str, only_own: bool = False) -> tuple[float | None, tuple[CaptureQuestion, ...]]:
    """The hours spent on it, if any were named; and durations of which it is not clear whether they were.

    `only_own`: where the line says that they are one's own work alone, as in what a customer complains of.
    """
    figured_text = put_in_figures(text, _REWRITES)
    written_text, text = text, figured_text.text
    hours: list[float] = []
    questions: list[CaptureQuestion] = []
    money_spans, has_wait = amount_spans(text), _WAIT.search(text) is not None
    for match in _DURATION.finditer(text):
        while money_spans and money_spans[0][1] <= match.start():
            money_spans.pop(0)
        if money_spans and money_spans[0][0] < match.end():
            continue
        kind, duration_text = _duration_kind(text, match, has_wait), match[0]
        span = figured_text.written_span(*match.span())
        is_in_words = _NUMBER_WORD.search(written_text[span]) is not None  # two hours may be anybody's
        if (only_own or is_in_words) and not _is_own_work(text, match):
            continue
        if kind == "effort":
            hours.append(float(match["n"].replace(",", ".")) / (60 if match["unit"].lower().startswith("m") else 1))
        elif kind == "length":
            questions.append(
                CaptureQuestion(written_text[span], span.start, (f"{match['n']} min", f"{match['n']} metres"))
            )
        elif kind == "unclear":
            questions.append(
                CaptureQuestion(
                    written_text[span], span.start, (f"{duration_text} of work", f"{duration_text} of waiting")
                )
            )
    return (round(sum(hours), 4) if hours else None), tuple(questions)


def _is_own_work(text: str, match: re.Match[str]) -> bool:
    return bool(
        _OWN_WORK_BEFORE.search(text[max(0, match.start() - _REACH) : match.start()])
        or _OWN_WORK_AFTER.match(text, match.end())
    )


def _duration_kind(text: str, match: re.Match[str], has_wait: bool) -> str:
    """effort, unclear, length (minutes or metres), or nothing."""
    start, end = match.span()
    before, after = text[max(0, start - _REACH) : start], text[end : end + _REACH]
    before = before[max((boundary.end() for boundary in _BREAK.finditer(before)), default=0) :]
    after = after[: next((boundary.start() for boundary in _BREAK.finditer(after)), len(after))]
    if _BEFORE.search(before) or _AFTER.match(after) or _SAVED_TIME.search(before):
        return ""
    if match["unit"] == "m" and (match["gap"] or _METRES.match(after)):
        return "length" if match["gap"] and not _METRES.match(after) else ""
    if _WORK.search(before) or _WORK.search(after) or _ON_MATTER.match(after):
        return "effort"
    if _WAIT.search(before) or _STAYED.search(before):
        return ""
    is_bare = not re.search(r"\w", _DURATION.sub("", _FILLER_WORDS.sub("", before + after)))
    return "unclear" if _WAIT.search(after) or (is_bare and has_wait) else "effort"

"""Hours that were spent, as people write them; a wait, an outage or a delay is none, and what may be either is asked."""

from __future__ import annotations

import re

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
    r"|zu spät|zu früh|wartezeit|gewartet|ausfall|verspätung|verspätet|stillstand)(?!\w)",
    re.IGNORECASE,
)
_METRES = re.compile(r" (?:of|long|wide|high|deep|tall|away|cables?|hoses?|pipes?|ropes?|wires?)\b", re.IGNORECASE)
_WORK = re.compile(
    r"\b(?:effort|spent|spend|work|worked|working|rework|overtime|fixing|repairing|driving|arbeit|aufwand|gearbeitet|arbeitszeit)\b",
    re.IGNORECASE,
)
_ON_MATTER = re.compile(r" on (?!hold\b)", re.IGNORECASE)
_WAIT = re.compile(
    r"\b(?:wait(?:ed|ing|s)?|outages?|downtime|delay(?:ed|s)?|on hold|(?:is|was|were|are|been|went|goes) (?:down|offline|out)|down for|unreachable"
    r"|unavailable|standstill|warte(?:n|te|ten|zeit)|gewartet|ausfall|ausgefallen|stillstand|verspät(?:et|ung))\b",
    re.IGNORECASE,
)
_SAVED_TIME = re.compile(r"\bsav(?:e|es|ed|ing)\b", re.IGNORECASE)
_FILLER_WORDS = re.compile(r"\band\b|\bplus\b|\babout\b|\bca\.?|[@#+][\w.-]{1,80}", re.IGNORECASE)
_BREAK = re.compile(r"[,;.:!?()](?=\s|$)")
_REACH = 80  # letters on either side of a duration that say what it was


_HALF_HOUR = re.compile(r"\b(?:half an hour|a half hour|(?:eine )?halbe stunde)\b", re.IGNORECASE)
_QUARTER_HOUR = re.compile(r"\b(?:a quarter of an hour|(?:eine )?viertelstunde)\b", re.IGNORECASE)


def read_effort(text: str) -> tuple[float | None, tuple[CaptureQuestion, ...]]:
    """The hours spent on it, if any were named; and durations of which it is not clear whether they were."""
    text = _QUARTER_HOUR.sub("15 min", _HALF_HOUR.sub("30 min", text))
    hours: list[float] = []
    questions: list[CaptureQuestion] = []
    money_spans, has_wait = amount_spans(text), _WAIT.search(text) is not None
    for match in _DURATION.finditer(text):
        while money_spans and money_spans[0][1] <= match.start():
            money_spans.pop(0)
        if money_spans and money_spans[0][0] < match.end():
            continue
        kind, duration_text = _duration_kind(text, match, has_wait), match[0]
        if kind == "effort":
            hours.append(float(match["n"].replace(",", ".")) / (60 if match["unit"].lower().startswith("m") else 1))
        elif kind == "length":
            questions.append(
                CaptureQuestion(duration_text, match.start(), (f"{match['n']} min", f"{match['n']} metres"))
            )
        elif kind == "unclear":
            questions.append(
                CaptureQuestion(
                    duration_text, match.start(), (f"{duration_text} of work", f"{duration_text} of waiting")
                )
            )
    return (round(sum(hours), 4) if hours else None), tuple(questions)


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
    if _WAIT.search(before):
        return ""
    is_bare = not re.search(r"\w", _DURATION.sub("", _FILLER_WORDS.sub("", before + after)))
    return "unclear" if _WAIT.search(after) or (is_bare and has_wait) else "effort"

"""One line, as it is typed after a call, to what it says: a word, a promise's due time, costs, people, scores.

The line itself is kept to the letter; whatever is not understood stays text and is never an error. What was
understood is shown back before it is saved (`understood`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from wellserved.capture.when import DAY, SPAN, WHEN, read_span, read_when
from wellserved.moments import SCALES

WORDS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "missed": ("failed", "an expectation was missed", ("failed", "mistake", "screwed up", "screw-up")),
    "promise": ("promised", "something was promised", ("promised",)),
    "kept": ("resolved", "a promise was kept", ("done", "delivered")),
    "broken": ("abandoned", "a promise will not be kept", ()),
    "renegotiated": ("promised", "another due time was agreed", ("moved",)),
    "exceeded": ("resolved", "an expectation was exceeded", ()),
    "met": ("resolved", "an expectation was met", ()),
    "thanks": ("praised", "a customer gave thanks", ("thank you", "praise")),
    "complaint": ("complained", "a customer complained", ("complained",)),
    "idea": ("", "an idea, and whose it is", ()),
    "lesson": ("", "a lesson learnt", ("learned", "learnt")),
    "recovered": ("recovered", "a failure was made right", ("fixed", "made right")),
    "asked": ("asked", "a customer asked for something", ()),
    "gap": ("rated", "what was expected and what was got", ()),
    "self": ("self_rated", "one's own judgement of the service given", ("today",)),
    "note": ("", "anything else", ()),
}
"""The words a line may begin with -> (kind of moment when shared, empty: none; meaning; other spellings)."""

RATINGS: Final = ("exemplary", "good", "average", "underperforming", "poor")
SEVERITIES: Final = ("minor", "major", "critical")
_SPELT = {spelling: word for word, (_, _, others) in WORDS.items() for spelling in (word, *others)}
_LIKE = str.maketrans("ıİſK", "iIsK")  # letters that a comparison without case takes for others
_HEAD = re.compile(
    r"\s*(?:(?P<word>" + "|".join(sorted(map(re.escape, _SPELT), key=len, reverse=True)) + r")\s*(?::|$)"
    r"|idea\s+from\s+(?P<giver>[^:\n]{1,60}?)\s*:)\s*",
    re.IGNORECASE,
)
_OPENS = r"(?:^|(?<=[\s(,]))"
_PERSON = re.compile(_OPENS + r"@([\w.-]*\w)")
_TAG = re.compile(_OPENS + r"#([^\W\d_][\w-]*)")
_CASE = re.compile(_OPENS + r"#(\d+)\b(?![\w-])")
_EFFORT = re.compile(
    r"(?<![\w.,/:€$£-])(\d{1,3}(?:[.,]\d{1,2})?) ?(hours?|hrs?|h|minutes?|mins?|m)(?![\w/’'])", re.IGNORECASE
)
_NO_EFFORT = re.compile(r"(?:\bin|\bwithin|\bby|\bfor the next)\s+$", re.IGNORECASE)
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}
_CODES = "EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|JPY|CAD|AUD|NZD|INR|ZAR|BRL"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d{1,3}(?:\.\d{3})+(?:,\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?"
_MONEY = re.compile(
    rf"(?<![\w.,])(?:(?P<sign>[€$£]) ?(?P<a>{_NUMBER})|(?P<code>{_CODES}) (?P<b>{_NUMBER})"
    rf"|(?P<c>{_NUMBER}) ?(?P<after>[€$£]|(?:{_CODES})\b))(?![\d])",
    re.IGNORECASE,
)
_PLAIN_COST = re.compile(r"(?<![\w.,])(\d{1,9}(?:[.,]\d{1,2})?) cost\b", re.IGNORECASE)
_RETURNS = re.compile(r"(?P<saved>\bsaved )?(?<![\w.,])(?P<n>\d{1,4}) returns?\b", re.IGNORECASE)
_NAMED = re.compile(_OPENS + r'\+(?:"([^"]{1,80})"|([^\W\d_][\w.&’\'-]*))')
_CAPITALS = r"((?:[A-ZÀ-ÖØ-Þ][\w&.’'-]*)(?: [A-ZÀ-ÖØ-Þ][\w&.’'-]*){0,3})"
_GETS = re.compile(rf"{_CAPITALS} (?:gets|will get|receives|hears)\b")
_PROMISED = re.compile(rf"\b[Pp]romised {_CAPITALS}")
_DUE = re.compile(r"\b(?:by|until|till|due|before)\s+", re.IGNORECASE)
_WITHIN = re.compile(r"\b(?:in|within)\s+", re.IGNORECASE)
_ON = re.compile(r"\bon\s+", re.IGNORECASE)
_HAPPENED = re.compile(r"\b(?:sent|done|came|arrived|answered|delivered|called)\s+(?:on\s+)?", re.IGNORECASE)
_YESTERDAY = re.compile(r"(?<!by )(?<!until )\byesterday\b", re.IGNORECASE)
_SCORE = r"(\d{1,2}(?:\.\d)?)(?:/(5|7|10)\b)?"
_GAP = re.compile(rf"\bexpected {_SCORE}[, ;]*(?:but |and )?got {_SCORE}(?![\d/])", re.IGNORECASE)
_RATED = re.compile(r"\b(?:rated|got) (\d{1,2}(?:\.\d)?)/(5|7|10)\b", re.IGNORECASE)
_STARS = re.compile(r"(?<![\w.,/])(\d(?:\.\d)?) stars?\b", re.IGNORECASE)
_NAMED_SCORE = re.compile(r"\b(nps|csat|ces) (\d{1,2})\b(?![/.]\d)", re.IGNORECASE)
_OUT_OF = {"5": "csat5", "10": "nps10", "7": "ces7"}
_SCALED = {"nps": "nps10", "csat": "csat5", "ces": "ces7"}
_SEVERITY = re.compile(rf"\b({'|'.join(SEVERITIES)})\b", re.IGNORECASE)
_CAUSE = re.compile(r"\bcause:\s*([^,;.\n]{1,80})", re.IGNORECASE)
_FROM = re.compile(r"from ([^:,\n]{1,60}),")
_RATING = re.compile(rf"\b({'|'.join(RATINGS)})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Captured:
    """What one line says; absent is None or empty."""

    line: str  # as typed
    word: str = "note"
    text: str = ""  # the line after its word, whole
    customer: str | None = None
    due: datetime | None = None  # aware, in the workspace's zone
    at: date | None = None  # the day it happened, if another than today was said
    people: tuple[str, ...] = ()
    service: str | None = None
    tags: tuple[str, ...] = ()
    case: str | None = None
    hours: float | None = None
    amount: float | None = None
    currency: str | None = None
    returns: int | None = None
    returns_saved: int | None = None
    score: float | None = None
    scale: str | None = None
    expected: float | None = None
    severity: str | None = None
    cause: str | None = None
    giver: str | None = None
    rating: str | None = None

    @property
    def kind(self) -> str:
        """The kind of moment it is when shared; empty: it stays in the journal."""
        return WORDS[self.word][0]


def capture(line: str, now: datetime, customers: Iterable[str] = ()) -> Captured:
    """Read a line at aware `now`, whose zone is the one in which dates are meant; customers: names that are known."""
    word, whole, giver = _head(line)
    text = " ".join(whole.translate(_LIKE).split())
    local = now.replace(tzinfo=None)
    at, due = _happened(word, text, local), None
    if word in ("promise", "renegotiated", "missed"):
        due = _due(word, text, local, at)
    tags = tuple(dict.fromkeys(tag.lower() for tag in _TAG.findall(text)))
    amount, currency = _money(text)
    expected, score, scale = _scores(text)
    returns = next(iter(_RETURNS.finditer(text)), None)
    number = int(returns["n"]) if returns else None
    blamed = _CAUSE.search(text) if word in ("missed", "complaint", "recovered") else None
    return Captured(
        line,
        word,
        whole,
        customer=_customer(word, text, customers),
        due=aware(due, now.tzinfo) if due else None,
        at=at,
        people=tuple(dict.fromkeys(name.lower() for name in _PERSON.findall(text))),
        service=tags[0] if tags else None,
        tags=tags,
        case=_first(_CASE, text),
        hours=_hours(text),
        amount=amount,
        currency=currency,
        returns=None if returns is None or returns["saved"] else number,
        returns_saved=number if returns is not None and returns["saved"] else None,
        score=score,
        scale=scale,
        expected=expected,
        severity=_lower(_first(_SEVERITY, text)) if word in ("missed", "complaint") else None,
        cause=blamed[1].strip() or None if blamed else None,
        giver=giver,
        rating=_lower(_first(_RATING, text)) if word == "self" else None,
    )


SHOWN: Final = tuple(field.name for field in fields(Captured) if field.name not in ("line", "word", "text", "service"))
"""What of a line is shown beside its words, in this order."""


def facts_in(one: Captured) -> list[tuple[str, object]]:
    """What was read out of the line, as (what, value), to be shown before it is saved."""
    found: list[tuple[str, object]] = [("kind", WORDS[one.word][1])]
    return found + [(name, value) for name in SHOWN if (value := getattr(one, name)) not in (None, ())]


def understood(one: Captured) -> list[tuple[str, str]]:
    """The same in plain text."""
    return [(name.replace("_", " "), _plain(value)) for name, value in facts_in(one)]


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%a %d %b %Y, %H:%M}"
    if isinstance(value, date):
        return f"{value:%a %d %b %Y}"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def sentence(text: str) -> str:
    """The words for somebody else to read: without the marks that are meant for the product (+"Name", #tag, @name, cause:)."""
    plain = _NAMED.sub(lambda found: found[1] or found[2], text)
    plain = _CAUSE.sub(lambda found: f"({found[1].strip()})", _PERSON.sub(lambda found: found[1], plain))
    plain = re.sub(_OPENS + r"#[\w-]+", "", plain)
    return re.sub(r"\s+([,.;)])", r"\1", " ".join(plain.split())).replace(", (", " (").strip(" ,;")


def aware(local: datetime, zone: object) -> datetime:
    """A local time in its zone; one that the clocks skip is moved on by as much."""
    assert isinstance(zone, ZoneInfo)
    placed = local.replace(tzinfo=zone)
    gap = placed.astimezone(ZoneInfo("UTC")).astimezone(zone)
    return gap if gap.replace(tzinfo=None) != local else placed


def _head(line: str) -> tuple[str, str, str | None]:
    found = _HEAD.match(line.translate(_LIKE))
    if found and found["giver"] and len(found["giver"].split()) <= 3:
        return "idea", line[found.end() :], found["giver"].strip()
    if found and found["word"]:
        word, text = _SPELT[found["word"].lower()], line[found.end() :]
        given = _FROM.match(text) if word == "idea" else None
        return word, text, given[1].strip() if given and len(given[1].split()) <= 3 else None
    begins = _GAP.match(line.translate(_LIKE).strip()) is not None
    return ("gap" if begins else "note"), line, None


def _customer(word: str, text: str, customers: Iterable[str]) -> str | None:
    if named := _NAMED.search(text):
        return named[1] or named[2].rstrip(".")
    best: tuple[int, int, str] | None = None
    lower = text.casefold()
    for name in customers:
        if name.casefold() in lower and (
            found := re.search(rf"(?<![\w@#+]){re.escape(name)}(?!\w)", text, re.IGNORECASE)
        ):
            key = (found.start(), -len(name), name)
            best = min(best, key) if best else key
    if best:
        return best[2]
    guessed = (_GETS.match(text.strip()) if word == "promise" else None) or _PROMISED.search(text)
    return guessed[1].rstrip(".") if guessed else None


def _happened(word: str, text: str, now: datetime) -> date | None:
    if _YESTERDAY.search(text):
        return now.date() - timedelta(days=1)
    if word in ("promise", "renegotiated"):
        return None
    for opening in (*((_HAPPENED,) if word == "missed" else ()), _ON):
        for found in opening.finditer(text):
            day = re.compile(rf"(?:{DAY})(?![\w/’'])", re.IGNORECASE).match(text, found.end())
            full = WHEN.match(text, found.end()) if day else None
            read = read_when(full, now, back=True) if full else None
            if read and read.day <= now.date():
                return read.day
    return None


def _due(word: str, text: str, now: datetime, at: date | None) -> datetime | None:
    back = word == "missed"
    openings = [(found.start(), "when", found.end()) for found in _DUE.finditer(text)]
    if not back:
        openings += [(found.start(), "span", found.end()) for found in _WITHIN.finditer(text)]
    for _, sort, place in sorted(openings):
        if sort == "span" and (span := SPAN.match(text, place)):
            return read_span(span, now)
        if sort == "when" and (found := WHEN.match(text, place)) and (read := read_when(found, now, back, at)):
            return read.latest()
    if back:
        return None
    for place in (found.start() for found in re.finditer(r"(?<![\w.,/:€$£#@+-])\w", text)):
        if (found := WHEN.match(text, place)) and (read := read_when(found, now)):
            return read.latest()
    return None


def _hours(text: str) -> float | None:
    total, any_ = 0.0, False
    for found in _EFFORT.finditer(text):
        if _NO_EFFORT.search(text[: found.start()]):
            continue
        total += float(found[1].replace(",", ".")) / (60 if found[2].lower().startswith("m") else 1)
        any_ = True
    return round(total, 4) if any_ else None


def _money(text: str) -> tuple[float | None, str | None]:
    if found := _MONEY.search(text):
        unit = found["sign"] or found["code"] or found["after"]
        return number_of(found["a"] or found["b"] or found["c"]), _SIGNS.get(unit, unit.upper())
    plain = _PLAIN_COST.search(text)
    return (number_of(plain[1]), None) if plain else (None, None)


def number_of(written: str) -> float:
    """1,200.50 and 1.200,50 alike; a single separator before three digits parts thousands."""
    last = max(written.rfind(","), written.rfind("."))
    if last >= 0 and len(written) - last - 1 != 3:
        return float(f"{re.sub('[.,]', '', written[:last])}.{written[last + 1 :]}")
    return float(re.sub("[.,]", "", written))


def _scores(text: str) -> tuple[float | None, float | None, str | None]:
    """What was expected, what was given, and the scale, where it was named."""
    if found := _GAP.search(text):
        both = _OUT_OF.get(found[2] or found[4] or "")
        if (found[2] and found[4] and found[2] != found[4]) or not all(_fits(found[n], both) for n in (1, 3)):
            return None, None, None
        return float(found[1]), float(found[3]), both
    for score, scale in _named_scores(text):
        if _fits(score, scale):
            return None, float(score), scale
    return None, None, None


def _named_scores(text: str) -> Iterator[tuple[str, str]]:
    for found in _RATED.finditer(text):
        yield found[1], _OUT_OF[found[2]]
    for found in _STARS.finditer(text):
        yield found[1], "stars5"
    for found in _NAMED_SCORE.finditer(text):
        yield found[2], _SCALED[found[1].lower()]


def _fits(score: str, scale: str | None) -> bool:
    return scale is None or SCALES[scale][0] <= float(score) <= SCALES[scale][1]


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None

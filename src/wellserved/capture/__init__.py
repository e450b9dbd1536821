"""One line, as it is typed after a call, to what it says: a word, a promise's due time, costs, people, scores.

The line itself is kept to the letter; whatever is not understood stays text and is never an error, and what can be
understood in two ways is asked (`questions`). What was understood is shown back before it is saved (`understood`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from wellserved.capture.effort import read_effort
from wellserved.capture.money import read_money
from wellserved.capture.question import LIKE, Question
from wellserved.capture.scores import begins_gap, read_scores
from wellserved.capture.when import DAY, Standpoint, When, read_span, read_when, written_out
from wellserved.errors import RequestError
from wellserved.scales import BUILT_IN, Scales

LONGEST: Final = 4_000  # letters of a line, or of the words of an entry, wherever they come from

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
_HEAD = re.compile(
    r"(?:(?P<word>" + "|".join(sorted(map(re.escape, _SPELT), key=len, reverse=True)) + r")\s{0,9}(?::|$)"
    r"|idea\s{1,9}from\s{1,9}(?P<giver>[^\s:][^:\n]{0,59}?)\s{0,9}:)",
    re.IGNORECASE,
)
_OPENS = r"(?:^|(?<=[\s(,]))"
_PERSON = re.compile(_OPENS + r"@([\w.-]{0,149}\w)")
_TAG = re.compile(_OPENS + r"#([^\W\d_][\w-]{0,99})")
_CASE = re.compile(_OPENS + r"#(\d{1,40})\b(?![\w-])")
_RETURNS = re.compile(r"(?P<saved>\bsaved )?(?<![\w.,])(?P<n>\d{1,4}) returns?\b", re.IGNORECASE)
_NAMED = re.compile(_OPENS + r'\+(?:"([^"]{1,80})"|([^\W\d_][\w.&’\'-]{0,79}))')
_CAPITALS = r"([A-ZÀ-ÖØ-Þ][\w&.’'-]{0,39}(?: [A-ZÀ-ÖØ-Þ][\w&.’'-]{0,39}){0,3})"
_GETS = re.compile(rf"{_CAPITALS} (?:gets|will get|receives|hears)\b")
_PROMISED = re.compile(rf"\b[Pp]romised {_CAPITALS}")
_DUE = re.compile(r"\b(?:by|until|till|due|before|bis(?: zum)?|spätestens)\s", re.IGNORECASE)
_WITHIN = re.compile(r"\b(?:in|within|binnen|innerhalb von)\s", re.IGNORECASE)
_ON = re.compile(r"(?:\bon|(?<!\d )(?<!\d)\bam)\s", re.IGNORECASE)
_HAPPENED = re.compile(r"\b(?:sent|done|came|arrived|answered|delivered|called)\s(?:on\s)?", re.IGNORECASE)
_YESTERDAY = re.compile(r"(?<!by )(?<!until )\b(?:yesterday|gestern)\b", re.IGNORECASE)
_WORD = re.compile(r"(?<![\w.,/:€$£#@+-])\w")
_SLASHED = re.compile(
    r"\b(?:by|until|till|due|before|on|at|to|for|sent|done|came|arrived|answered|delivered|called|bis|am) "
    r"(\d{1,2})/(\d{1,2})(?:/\d{2,4})?(?![\d/])",
    re.IGNORECASE,
)
_SEVERITY = re.compile(rf"\b({'|'.join(SEVERITIES)})\b", re.IGNORECASE)
_CAUSE = re.compile(r"\bcause: ?([^,;.\n]{1,80})", re.IGNORECASE)
_MARK = re.compile(_OPENS + r"#[\w-]{1,100}")
_LOOSE = re.compile(r" ([,.;)])")
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
    questions: tuple[Question, ...] = ()  # what of it can be read in more than one way

    @property
    def kind(self) -> str:
        """The kind of moment it is when shared; empty: it stays in the journal."""
        return WORDS[self.word][0]


def check_length(text: str) -> None:
    """Raise where a line, or the words of an entry, are longer than is kept."""
    if len(text) > LONGEST:
        what = f"This has {len(text):,} letters; {LONGEST:,} are kept at most."
        raise RequestError(what, "Shorten it, or write it as several lines.")


def capture(
    line: str, now: datetime, customers: Iterable[str] = (), order: str = "", scales: Scales = BUILT_IN
) -> Captured:
    """Read a line at aware `now`, whose zone is the one in which dates are meant; customers: names that are known.

    order: whether 12/5 has the "day" or the "month" first; where it is not said, such a date is asked about.
    scales: those whose name a line can give beside a score or one of their words.
    """
    check_length(line)
    word, whole, giver = _head(line, scales)
    text = " ".join(whole.translate(LIKE).split())
    at, due, dates = _dates(word, text, now, order or _order_in(text))
    tags = tuple(dict.fromkeys(tag.lower() for tag in _TAG.findall(text)))
    amount, currency, unclear = read_money(text)
    hours, durations = read_effort(text)
    scores = read_scores(text, scales)
    returns = next(iter(_RETURNS.finditer(text)), None)
    number = int(returns["n"]) if returns else None
    blamed = _CAUSE.search(text) if word in ("missed", "complaint", "recovered") else None
    return Captured(
        line,
        word,
        whole,
        customer=_customer(word, text, customers),
        due=due,
        at=at,
        people=tuple(dict.fromkeys(name.lower() for name in _PERSON.findall(text))),
        service=tags[0] if tags else None,
        tags=tags,
        case=_first(_CASE, text),
        hours=hours,
        amount=amount,
        currency=currency,
        returns=None if returns is None or returns["saved"] else number,
        returns_saved=number if returns is not None and returns["saved"] else None,
        score=scores.score,
        scale=scores.scale,
        expected=scores.expected,
        severity=_lower(_first(_SEVERITY, text)) if word in ("missed", "complaint") else None,
        cause=blamed[1].strip() or None if blamed else None,
        giver=giver,
        rating=_lower(_first(_RATING, text)) if word == "self" else None,
        questions=tuple(sorted((*dates, *unclear, *durations, *scores.questions), key=lambda question: question.start)),
    )


SHOWN: Final = tuple(
    field.name for field in fields(Captured) if field.name not in ("line", "word", "text", "service", "questions")
)
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
    plain = _NAMED.sub(lambda found: found[1] or found[2], " ".join(text.split()))
    plain = _CAUSE.sub(lambda found: f"({found[1].strip()})", _PERSON.sub(lambda found: found[1], plain))
    plain = " ".join(_MARK.sub("", plain).split())
    return _LOOSE.sub(r"\1", plain).replace(", (", " (").strip(" ,;")


def aware(local: datetime, zone: object) -> datetime:
    """A local time in its zone; one that the clocks skip is moved on by as much."""
    assert isinstance(zone, ZoneInfo)
    placed = local.replace(tzinfo=zone)
    gap = placed.astimezone(ZoneInfo("UTC")).astimezone(zone)
    return gap if gap.replace(tzinfo=None) != local else placed


def _head(line: str, scales: Scales) -> tuple[str, str, str | None]:
    plain = line.translate(LIKE).rstrip()
    found = _HEAD.match(plain, len(plain) - len(plain.lstrip()))
    if found and found["giver"] and len(found["giver"].split()) <= 3:
        return "idea", line[found.end() :].lstrip(), found["giver"].strip()
    if found and found["word"]:
        word, text = _SPELT[found["word"].lower()], line[found.end() :].lstrip()
        given = _FROM.match(text) if word == "idea" else None
        return word, text, given[1].strip() if given and len(given[1].split()) <= 3 else None
    return ("gap" if begins_gap(plain.lstrip(), scales) else "note"), line, None


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


def _dates(
    word: str, text: str, now: datetime, order: str
) -> tuple[date | None, datetime | None, tuple[Question, ...]]:
    """The day it happened, the due time, and which of the two are not clear."""
    seen = Standpoint(now.replace(tzinfo=None), word == "missed", order=order)
    questions: list[Question] = []
    at = _happened(word, text, seen)
    if isinstance(at, Question):
        questions.append(at)
        at = None
    due = _due(text, replace(seen, before=at)) if word in ("promise", "renegotiated", "missed") else None
    if isinstance(due, Question):
        questions.append(due)
        due = None
    return at, aware(due, now.tzinfo) if due else None, tuple(questions)


def _order_in(text: str) -> str:
    """Whether dates such as 14/11 have the day or the month first, where one of the line can have but one order."""
    pairs = [(int(found[1]), int(found[2])) for found in _SLASHED.finditer(text)]
    day, month = any(a > 12 >= b for a, b in pairs), any(b > 12 >= a for a, b in pairs)
    return "" if day == month else "day" if day else "month"


def _happened(word: str, text: str, seen: Standpoint) -> date | Question | None:
    today = seen.now.date()
    if _YESTERDAY.search(text):
        return today - timedelta(days=1)
    if word in ("promise", "renegotiated"):
        return None
    for opening in (*((_HAPPENED,) if word == "missed" else ()), _ON):
        for found in opening.finditer(text):
            when = read_when(text, found.end(), replace(seen, back=True)) if DAY.match(text, found.end()) else None
            if when and when.day <= today:
                return _asked(text, when) or when.day
    return None


def _asked(text: str, when: When) -> Question | None:
    return Question(text[when.start : when.end], when.start, when.readings) if when.readings else None


def _due(text: str, seen: Standpoint) -> datetime | Question | None:
    openings = [(found.start(), False, found.end()) for found in _DUE.finditer(text)]
    if not seen.back:
        openings += [(found.start(), True, found.end()) for found in _WITHIN.finditer(text)]
    for _, counted, place in sorted(openings):
        if counted and (span := read_span(text, place, seen.now)):
            end, instants = span
            readings = tuple(f"{written_out(instant.date())} {instant:%H:%M}" for instant in instants)
            return instants[0] if len(instants) == 1 else Question(text[place:end], place, readings)
        if not counted and (when := read_when(text, place, seen, opened=True)):
            return _asked(text, when) or when.latest()
    if seen.back:
        return None
    for found in _WORD.finditer(text):
        if when := read_when(text, found.start(), seen):
            return _asked(text, when) or when.latest()
    return None


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None

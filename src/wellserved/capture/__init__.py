"""One line, as it is typed after a call, to what it says: a word, a promise's due time, costs, people, scores.

The line itself is kept to the letter; whatever is not understood stays text and is never an error, and what can be
understood in two ways is asked (`questions`). What was understood is shown back before it is saved (`describe_line`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from wellserved.capture.due import date_question, read_due
from wellserved.capture.effort import read_effort
from wellserved.capture.figures import FiguredText
from wellserved.capture.money import read_money
from wellserved.capture.question import LOOKALIKE_LETTERS, CaptureQuestion
from wellserved.capture.scores import begins_gap, read_scores
from wellserved.capture.spoken_time import with_figures
from wellserved.capture.when import DAY_PATTERN, Standpoint, read_when
from wellserved.errors import RequestError
from wellserved.scales import BUILT_IN, Scales

MAX_ENTRY_LETTERS: Final = 4_000  # letters of a line, or of the words of an entry, wherever they come from


@dataclass(frozen=True)
class EntryWord:
    """What a line that begins with this word says."""

    kind: str  # of the moment that it is when shared; empty: it stays in the journal
    meaning: str
    spellings: tuple[str, ...] = ()  # others of the word


ENTRY_WORDS: Final[dict[str, EntryWord]] = {
    "missed": EntryWord("failed", "an expectation was missed", ("failed", "mistake", "screwed up", "screw-up")),
    "promise": EntryWord("promised", "something was promised", ("promised",)),
    "kept": EntryWord("resolved", "a promise was kept", ("done", "delivered")),
    "broken": EntryWord("abandoned", "a promise will not be kept"),
    "renegotiated": EntryWord("promised", "another due time was agreed", ("moved",)),
    "exceeded": EntryWord("resolved", "an expectation was exceeded"),
    "met": EntryWord("resolved", "an expectation was met"),
    "thanks": EntryWord("praised", "a customer gave thanks", ("thank you", "praise")),
    "complaint": EntryWord("complained", "a customer complained", ("complained",)),
    "idea": EntryWord("", "an idea, and whose it is"),
    "lesson": EntryWord("", "a lesson learnt", ("learned", "learnt")),
    "recovered": EntryWord("recovered", "a failure was made right", ("fixed", "made right")),
    "asked": EntryWord("asked", "a customer asked for something"),
    "gap": EntryWord("rated", "what was expected and what was got"),
    "self": EntryWord("self_rated", "one's own judgement of the service given", ("today",)),
    "note": EntryWord("", "anything else"),
}
"""The words that a line may begin with."""

# words of a line whose lengths of time are seldom one's own work
_ABOUT_OTHERS = ("complaint", "gap", "asked", "idea")
RATINGS: Final = ("exemplary", "good", "average", "underperforming", "poor")
SEVERITIES: Final = ("minor", "major", "critical")
SHORT_WORDS: Final = frozenset((
    "IT", "US", "AS", "AM", "IN", "ON", "OR", "SO", "DO", "GO", "NO", "BE", "WE", "HE", "ME", "MY", "AN", "AT", "BY", "IF",
    "IS", "OF", "TO", "UP", "ALL", "AND", "ARE", "CAN", "HAS", "HER", "HIM", "HIS", "HOW", "ITS", "NOT", "NOW", "OFF", "OUT", "THE", "WAS",
    "WHO", "WHY", "AB", "DA", "DU", "ER", "ES", "OB", "UM", "ZU", "WO", "ALS", "DAS", "DEM", "DEN", "DER", "DES", "DIE", "EIN", "ICH",
    "IHR", "IST", "MAN", "MIT", "NUR", "SIE", "UND", "VON", "VOR", "WER", "WIE", "WIR", "ZUM", "ZUR",
))  # fmt: skip
"""What a customer may be called, in capitals alone: the IT department is not every "it"."""
_SPELLINGS = {phrase: word for word, entry in ENTRY_WORDS.items() for phrase in (word, *entry.spellings)}
_HEAD = re.compile(
    r"(?:(?P<word>" + "|".join(sorted(map(re.escape, _SPELLINGS), key=len, reverse=True)) + r")\s{0,9}(?::|$)"
    r"|idea\s{1,9}from\s{1,9}(?P<giver>[^\s:][^:\n]{0,59}?)\s{0,9}:)",
    re.IGNORECASE,
)
_WORD_START = r"(?:^|(?<=[\s(,]))"
_PERSON = re.compile(_WORD_START + r"@([\w.-]{0,149}\w)")
_TAG = re.compile(_WORD_START + r"#([^\W\d_][\w-]{0,99})")
_CASE = re.compile(_WORD_START + r"#(\d{1,40})\b(?![\w-])")
_RETURNS = re.compile(r"(?P<saved>\bsaved )?(?<![\w.,])(?P<n>\d{1,4}) returns?\b", re.IGNORECASE)
_CUSTOMER = re.compile(_WORD_START + r'\+(?:"([^"]{1,80})"|([^\W\d_][\w.&’\'-]{0,79}))')
_CAPITALS = r"([A-ZÀ-ÖØ-Þ][\w&.’'-]{0,39}(?: [A-ZÀ-ÖØ-Þ][\w&.’'-]{0,39}){0,3})"
_RECIPIENT = re.compile(rf"{_CAPITALS} (?:gets|will get|receives|hears)\b")
_PROMISED_TO = re.compile(rf"\b[Pp]romised {_CAPITALS}")
_ON_DAY = re.compile(r"(?:\bon|(?<!\d )(?<!\d)\bam)\s", re.IGNORECASE)
_EVENT_VERB = re.compile(r"\b(?:sent|done|came|arrived|answered|delivered|called)\s(?:on\s)?", re.IGNORECASE)
_YESTERDAY = re.compile(r"(?<!by )(?<!until )\b(?:yesterday|gestern)\b", re.IGNORECASE)
_SLASH_DATE = re.compile(
    r"\b(?:by|until|till|due|before|on|at|to|for|sent|done|came|arrived|answered|delivered|called|bis|am) "
    r"(\d{1,2})/(\d{1,2})(?:/\d{2,4})?(?![\d/])",
    re.IGNORECASE,
)
_SEVERITY = re.compile(rf"\b({'|'.join(SEVERITIES)})\b", re.IGNORECASE)
_CAUSE = re.compile(r"\bcause: ?([^,;.\n]{1,80})", re.IGNORECASE)
_MARK = re.compile(_WORD_START + r"#[\w-]{1,100}")
_BLANK_BEFORE_MARK = re.compile(r" ([,.;)])")
_IDEA_FROM = re.compile(r"from ([^:,\n]{1,60}),")
_RATING = re.compile(rf"\b({'|'.join(RATINGS)})\b", re.IGNORECASE)


@dataclass(frozen=True)
class CapturedLine:
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
    questions: tuple[CaptureQuestion, ...] = ()  # what of it can be read in more than one way

    @property
    def kind(self) -> str:
        """The kind of moment it is when shared; empty: it stays in the journal."""
        return ENTRY_WORDS[self.word].kind


def check_length(text: str) -> None:
    """Raise where a line, or the words of an entry, are longer than is kept."""
    if len(text) > MAX_ENTRY_LETTERS:
        error_text = f"This has {len(text):,} letters; {MAX_ENTRY_LETTERS:,} are kept at most."
        raise RequestError(error_text, "Shorten it, or write it as several lines.")


def capture(
    line: str, now: datetime, customers: Iterable[str] = (), order: str = "", scales: Scales = BUILT_IN
) -> CapturedLine:
    """Read a line at aware `now`, whose zone is the one in which dates are meant; customers: names that are known.

    order: whether 12/5 has the "day" or the "month" first; where it is not said, such a date is asked about.
    scales: those whose name a line can give beside a score or one of their words.
    """
    check_length(line)
    word, body, giver = _split_head(line, scales)
    text = " ".join(body.translate(LOOKALIKE_LETTERS).split())
    at, due, date_questions = _read_dates(word, text, now, order or _order_in(text))
    tags = tuple(dict.fromkeys(tag.lower() for tag in _TAG.findall(text)))
    amount, currency, amount_questions = read_money(text)
    hours, effort_questions = read_effort(text, word in _ABOUT_OTHERS)
    scores = read_scores(text, scales)
    returns_match = next(iter(_RETURNS.finditer(text)), None)
    returns_count = int(returns_match["n"]) if returns_match else None
    cause_match = _CAUSE.search(text) if word in ("missed", "complaint", "recovered") else None
    return CapturedLine(
        line,
        word,
        body,
        customer=_read_customer(word, text, " ".join(body.split()), customers),
        due=due,
        at=at,
        people=tuple(dict.fromkeys(name.lower() for name in _PERSON.findall(text))),
        service=tags[0] if tags else None,
        tags=tags,
        case=_first_match(_CASE, text),
        hours=hours,
        amount=amount,
        currency=currency,
        returns=None if returns_match is None or returns_match["saved"] else returns_count,
        returns_saved=returns_count if returns_match is not None and returns_match["saved"] else None,
        score=scores.score,
        scale=scores.scale,
        expected=scores.expected,
        severity=_lower(_first_match(_SEVERITY, text)) if word in ("missed", "complaint") else None,
        cause=cause_match[1].strip() or None if cause_match else None,
        giver=giver,
        rating=_lower(_first_match(_RATING, text)) if word == "self" else None,
        questions=tuple(
            sorted(
                (*date_questions, *amount_questions, *effort_questions, *scores.questions),
                key=lambda question: question.start,
            )
        ),
    )


SHOWN_FIELDS: Final = tuple(
    field.name for field in fields(CapturedLine) if field.name not in ("line", "word", "text", "service", "questions")
)
"""What of a line is shown beside its words, in this order."""


def captured_facts(captured_line: CapturedLine) -> list[tuple[str, object]]:
    """What was read out of the line, as (what, value), to be shown before it is saved."""
    facts: list[tuple[str, object]] = [("kind", ENTRY_WORDS[captured_line.word].meaning)]
    return facts + [(name, value) for name in SHOWN_FIELDS if (value := getattr(captured_line, name)) not in (None, ())]


def describe_line(captured_line: CapturedLine) -> list[tuple[str, str]]:
    """What was read out of the line, as (what, value) in plain text."""
    return [(name.replace("_", " "), _format_value(value)) for name, value in captured_facts(captured_line)]


def _format_value(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%a %d %b %Y, %H:%M}"
    if isinstance(value, date):
        return f"{value:%a %d %b %Y}"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def readable_text(text: str) -> str:
    """Words of a line for somebody else to read: without the marks that are meant for the product (+"Name", #tag, @name, cause:)."""
    readable = _CUSTOMER.sub(lambda match: match[1] or match[2], " ".join(text.split()))
    readable = _CAUSE.sub(lambda match: f"({match[1].strip()})", _PERSON.sub(lambda match: match[1], readable))
    readable = " ".join(_MARK.sub("", readable).split())
    return _BLANK_BEFORE_MARK.sub(r"\1", readable).replace(", (", " (").strip(" ,;")


def with_zone(local: datetime, zone: object) -> datetime:
    """A local time in its zone; one that the clocks skip is moved on by as much."""
    assert isinstance(zone, ZoneInfo)
    zoned_time = local.replace(tzinfo=zone)
    existing_time = zoned_time.astimezone(ZoneInfo("UTC")).astimezone(zone)
    return existing_time if existing_time.replace(tzinfo=None) != local else zoned_time


def _split_head(line: str, scales: Scales) -> tuple[str, str, str | None]:
    plain_line = line.translate(LOOKALIKE_LETTERS).rstrip()
    match = _HEAD.match(plain_line, len(plain_line) - len(plain_line.lstrip()))
    if match and match["giver"] and len(match["giver"].split()) <= 3:
        return "idea", line[match.end() :].lstrip(), match["giver"].strip()
    if match and match["word"]:
        word, text = _SPELLINGS[match["word"].lower()], line[match.end() :].lstrip()
        giver_match = _IDEA_FROM.match(text) if word == "idea" else None
        return word, text, giver_match[1].strip() if giver_match and len(giver_match[1].split()) <= 3 else None
    return ("gap" if begins_gap(plain_line.lstrip(), scales) else "note"), line, None


def _read_customer(word: str, text: str, typed: str, customers: Iterable[str]) -> str | None:
    """Whom a line is about; `typed`: the text with its own letters, as many of them, in which a marked name is kept."""
    if tag_match := _CUSTOMER.search(text):
        return typed[slice(*tag_match.span(1 if tag_match[1] else 2))].rstrip(".")
    best_key: tuple[int, int, str] | None = None
    folded_text = text.casefold()
    for name in customers:
        spelling = re.NOFLAG if name in SHORT_WORDS else re.IGNORECASE
        if name.casefold() in folded_text and (
            name_match := re.search(rf"(?<![\w@#+]){re.escape(name)}(?!\w)", text, spelling)
        ):
            sort_key = (name_match.start(), -len(name), name)
            best_key = min(best_key, sort_key) if best_key else sort_key
    if best_key:
        return best_key[2]
    phrase_match = (_RECIPIENT.match(text.strip()) if word == "promise" else None) or _PROMISED_TO.search(text)
    return phrase_match[1].rstrip(".") if phrase_match else None


def _read_dates(
    word: str, written_text: str, now: datetime, order: str
) -> tuple[date | None, datetime | None, tuple[CaptureQuestion, ...]]:
    """The day it happened, the due time, and which of the two are not clear."""
    standpoint = Standpoint(now.replace(tzinfo=None), word == "missed", order=order)
    figured_text = with_figures(written_text)
    text = figured_text.text
    questions: list[CaptureQuestion] = []
    at = _read_day(word, text, standpoint)
    if isinstance(at, CaptureQuestion):
        questions.append(at)
        at = None
    due = (
        read_due(text, replace(standpoint, before=at), word == "renegotiated")
        if word in ("promise", "renegotiated", "missed")
        else None
    )
    if isinstance(due, CaptureQuestion):
        questions.append(due)
        due = None
    return (
        at,
        with_zone(due, now.tzinfo) if due else None,
        tuple(_as_written(question, written_text, figured_text) for question in questions),
    )


def _as_written(question: CaptureQuestion, written_text: str, figured_text: FiguredText) -> CaptureQuestion:
    """A question about a text with its times in figures, in the words that were written."""
    span = figured_text.written_span(question.start, question.start + len(question.passage))
    return replace(question, passage=written_text[span], start=span.start)


def _order_in(text: str) -> str:
    """Whether dates such as 14/11 have the day or the month first, where one of the line can have but one order."""
    pairs = [(int(match[1]), int(match[2])) for match in _SLASH_DATE.finditer(text)]
    day, month = any(a > 12 >= b for a, b in pairs), any(b > 12 >= a for a, b in pairs)
    return "" if day == month else "day" if day else "month"


def _read_day(word: str, text: str, standpoint: Standpoint) -> date | CaptureQuestion | None:
    today = standpoint.now.date()
    if _YESTERDAY.search(text):
        return today - timedelta(days=1)
    if word in ("promise", "renegotiated"):
        return None
    for pattern in (*((_EVENT_VERB,) if word == "missed" else ()), _ON_DAY):
        for match in pattern.finditer(text):
            mention = (
                read_when(text, match.end(), replace(standpoint, is_past=True))
                if DAY_PATTERN.match(text, match.end())
                else None
            )
            if mention and mention.day <= today:
                return date_question(text, mention) or mention.day
    return None


def _first_match(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None

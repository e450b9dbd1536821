"""The nouns: kinds of moment, the columns of the log and of the cases, periods, and "not computable".

No behaviour beyond period arithmetic lives here, and nothing here imports another stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wellserved.errors import PeriodError, RequestError

Side = Literal["customer", "server"]
Granularity = Literal["day", "week", "month", "quarter", "year"]
DateRange = tuple[date | None, date | None]  # first day, and first day no longer included


IN_PAUSE, ON_HOLD, CLOSED = 1, 2, 3  # states of a case, beside 0, being worked on


@dataclass(frozen=True)
class MomentKind:
    """What a moment may be."""

    side: Side  # who acts
    meaning: str  # what happened


MOMENT_KINDS: Final[dict[str, MomentKind]] = {
    "asked": MomentKind("customer", "asked for something; opens a case"),
    "chased": MomentKind("customer", "asked again because nothing, or not enough, had happened"),
    "expected": MomentKind("customer", "said what they expect before they get it"),
    "rated": MomentKind("customer", "gave a score, on a named scale"),
    "complained": MomentKind("customer", "complained"),
    "praised": MomentKind("customer", "praised"),
    "accepted": MomentKind("customer", "accepted what was delivered"),
    "returned": MomentKind("customer", "rejected or disputed what was delivered"),
    "left": MomentKind("customer", "stopped being a customer"),
    "renewed": MomentKind("customer", "renewed a contract"),
    "bought": MomentKind("customer", "bought"),
    "acknowledged": MomentKind("server", "confirmed that the request has arrived"),
    "auto_replied": MomentKind("server", "a machine answered; never counts as a first reply"),
    "replied": MomentKind("server", "a person answered"),
    "explained": MomentKind("server", "a person explained what will happen, or why"),
    "promised": MomentKind("server", "said what would happen and by when (due)"),
    "thanked": MomentKind("server", "thanked"),
    "paused": MomentKind("server", "waits for the customer"),
    "held": MomentKind("server", "waits for a third party"),
    "resumed": MomentKind("server", "work goes on after a pause or a hold"),
    "assigned": MomentKind("server", "a person or team took the case on"),
    "handed_over": MomentKind("server", "passed from one team to another"),
    "resolved": MomentKind("server", "delivered; closes the case until it is reopened"),
    "reopened": MomentKind("server", "opened again after it was resolved"),
    "abandoned": MomentKind("server", "closed without being served"),
    "merged": MomentKind(
        "server", "found to be the same as another case, and goes on there; this one is no case of its own"
    ),
    "split": MomentKind("server", "a part of it goes on as a case of its own; this one goes on too"),
    "prioritised": MomentKind("server", "the urgency was changed"),
    "surveyed": MomentKind("server", "asked the customer for a rating"),
    "corrected": MomentKind(
        "server", "put right in the records: which field, by what kind of edit; never what stood there"
    ),
    "failed": MomentKind("server", "a screw-up, with its cause and severity"),
    "recovered": MomentKind("server", "made right after a failure"),
    "self_rated": MomentKind("server", "the server's own judgement of the service given"),
}
"""The closed vocabulary."""


@dataclass(frozen=True)
class Column:
    """One column of a stored table."""

    name: str
    type: str  # DuckDB type
    meaning: str  # with unit and what a missing value says


MOMENT_COLUMNS: Final[tuple[Column, ...]] = (
    Column("moment_id", "VARCHAR", "hash of source, source_ref, kind and at: the same fact has the same id"),
    Column("at", "TIMESTAMP WITH TIME ZONE", "when it happened; UTC, microseconds; never missing"),
    Column(
        "at_is",
        "VARCHAR",
        "how well that is known: time, day (no time of day), rounded (to the unit of a length of time), not_before (the earliest), "
        "last (of the last such moment; earlier ones may be unknown); withdrawn: it counts no more",
    ),
    Column("kind", "VARCHAR", "what happened: one of the kinds of moment"),
    Column("case_id", "VARCHAR", "the source's own number of the case"),
    Column("customer_id", "VARCHAR", "the customer, a person or a department; missing: not recorded"),
    Column("account_id", "VARCHAR", "who pays or is served as a whole; missing: not recorded"),
    Column("internal", "BOOLEAN", "the customer is inside the house; missing: not recorded"),
    Column("person_id", "VARCHAR", "the person who served; missing: not recorded"),
    Column("team", "VARCHAR", "the team that served; missing: not recorded"),
    Column(
        "from_team",
        "VARCHAR",
        "on a hand-over, the team that gave the case away; on a rating, the team inside the house that rates `team`",
    ),
    Column("channel", "VARCHAR", "how the customer came: phone, web, app ...; missing: not recorded"),
    Column("service", "VARCHAR", "the kind of thing asked for; missing: not recorded"),
    Column("category", "VARCHAR", "the wider group that the service belongs to; missing: not recorded"),
    Column("place", "VARCHAR", "where: district, site, state; missing: not recorded"),
    Column("priority", "VARCHAR", "the urgency that the source gave; missing: not recorded"),
    Column("score", "DOUBLE", "a rating as it was given, never rescaled"),
    Column(
        "scale",
        "VARCHAR",
        "the scale of the score: csat5, stars5, nps10, points10, ces7, ces5, good_bad, or one of the workspace's own",
    ),
    Column("due", "TIMESTAMP WITH TIME ZONE", "on a promise, by when; missing: the source names no time"),
    Column("source_kept", "BOOLEAN", "the source's own word on whether the promise was kept; missing: none"),
    Column("amount", "DOUBLE", "money, in the currency beside it"),
    Column("currency", "VARCHAR", "ISO 4217 code of the amount"),
    Column("text", "VARCHAR", "words, as they were written; data, never markup"),
    Column("cause", "VARCHAR", "on a failure, its cause"),
    Column("source", "VARCHAR", "the origin, by the name in its mapping"),
    Column("source_ref", "VARCHAR", "the source's own key of the record that this moment comes from"),
    Column("source_row", "BIGINT", "row in the imported file, header = 1"),
    Column("content", "BIGINT", "hash of the other facts: tells a correction from a repetition"),
    Column("correction", "BOOLEAN", "an earlier record of the same fact said otherwise; the later one counts"),
    Column("recorded_at", "TIMESTAMP WITH TIME ZONE", "when the log learnt it; UTC"),
    Column("import_id", "VARCHAR", "the import that brought it"),
    Column("month", "INTEGER", "yyyymm of at in UTC: the folder it is stored in"),
)

SEGMENTS: Final[tuple[str, ...]] = (
    "source",
    "team",
    "service",
    "category",
    "channel",
    "place",
    "priority",
    "account_id",
    "customer_id",
    "person_id",
    "cause",
)
"""The case columns by which a measure can be split and filtered."""

JOURNAL_SOURCE: Final = "journal"
"""The source of moments that people shared from their journals."""

PROBLEM: Final = "problem"
"""A segment that is no column of a case: the problem that its customers' words are mostly about."""

DATE_BASES: Final[dict[str, str]] = {
    "asked": "the day the customer first asked",
    "resolved": "the day the case was last resolved",
    "due": "the day the promise fell due",
    "stopped": "the day the clock stopped, by another house's rule",
}
"""The dates that can put a case into a period."""

CASE_COLUMNS: Final[tuple[Column, ...]] = (
    *(Column(name, "VARCHAR", "the last one known") for name in SEGMENTS),
    Column("case_id", "VARCHAR", "the source's own number of the case"),
    Column("moments", "BIGINT", "moments in the case"),
    Column("asked_s", "BIGINT", "first ask; epoch seconds UTC"),
    Column("asked_day", "INTEGER", "first ask; days since 1970-01-01 in the workspace's zone"),
    Column("asked_month", "INTEGER", "first ask; yyyymm in the workspace's zone; also the folder"),
    Column("asked_time", "INTEGER", "first ask; time of day in the workspace's zone, seconds from midnight"),
    Column("reply_secs", "BIGINT", "first ask to first reply by a person, seconds; missing: none recorded"),
    Column("reply_bus", "BIGINT", "the same in business seconds; missing: no opening hours either"),
    Column("replies", "BIGINT", "replies by a person"),
    Column("handover_secs", "BIGINT", "first ask to first hand-over, seconds; missing: none"),
    Column(
        "resolution_secs",
        "BIGINT",
        "first ask to first resolution, seconds; negative: impossible; missing: none, or at an unknown time",
    ),
    Column("resolution_bus", "BIGINT", "the same in business seconds; missing: no opening hours either"),
    Column(
        "resolved_s",
        "BIGINT",
        "last resolution of a case now closed; epoch seconds; missing: open, or unknown",
    ),
    Column("resolved_day", "INTEGER", "the same; days since 1970-01-01 in the workspace's zone"),
    Column("resolved_month", "INTEGER", "the same; yyyymm in the workspace's zone"),
    Column("full_secs", "BIGINT", "first ask to that last resolution, seconds; missing: open, or unknown"),
    Column("full_bus", "BIGINT", "the same in business seconds; missing: no opening hours either"),
    Column("closed", "INTEGER", "1: the last word was resolved or abandoned; 0: open"),
    Column("abandoned", "INTEGER", "1: closed without being served"),
    Column("merged", "INTEGER", "1: the same as another case, and closed for that"),
    Column("resolutions", "BIGINT", "times resolved"),
    Column("reopens", "BIGINT", "times reopened"),
    Column("chases", "BIGINT", "times the customer asked again"),
    Column("contacts", "BIGINT", "times the customer came: asked, chased, complained, returned"),
    Column("turns", "BIGINT", "times a person answered a further word of the customer after the first reply"),
    Column("next_reply_secs", "BIGINT", "the longest of these waits, seconds; missing: none has ended"),
    Column("next_reply_bus", "BIGINT", "the same in business seconds; missing: no opening hours either"),
    Column("turn_s", "BIGINT", "since when a further word waits for an answer; epoch seconds; missing: none does"),
    Column("turn_bus", "BIGINT", "first ask to turn_s in business seconds"),
    Column("handovers", "BIGINT", "times passed between teams"),
    Column("promises", "BIGINT", "promises made"),
    Column("renegotiated", "BIGINT", "times another due time was named before the one in force had passed"),
    Column("overrun", "BIGINT", "times another due time was named after the one in force had passed"),
    Column("first_due_s", "BIGINT", "due time of the first promise; epoch seconds; missing: no time named"),
    Column("due_s", "BIGINT", "due time of the last promise; epoch seconds; missing: no time named"),
    Column("due_day", "INTEGER", "the same; days since 1970-01-01 in the workspace's zone"),
    Column("due_month", "INTEGER", "the same; yyyymm in the workspace's zone"),
    Column(
        "promised",
        "VARCHAR",
        "first ask to due time in whole days, rounded up: 01 day to 30 days, 31 days or more; missing: no promise, or due before the ask",
    ),
    Column(
        "promise_fate",
        "INTEGER",
        "0 open, 1 resolved by the due time, 2 resolved after it, 3 abandoned; "
        "missing: no due time, or one before the first ask, or closed at an unknown time",
    ),
    Column(
        "late_secs",
        "BIGINT",
        "due time to last resolution, seconds; negative: before it was due; missing: open, or one is unknown",
    ),
    Column("source_kept", "INTEGER", "the source's own word on the promise: 1 kept, 0 not; missing: none"),
    Column("complaints", "BIGINT", "complaints"),
    Column("returns", "BIGINT", "times the customer rejected or disputed what was delivered"),
    Column("accepts", "BIGINT", "times the customer accepted what was delivered"),
    Column("surveys", "BIGINT", "times the customer was asked for a rating"),
    Column("ratings", "BIGINT", "ratings given; the last one counts, all are kept in the log"),
    Column("score", "DOUBLE", "last rating, as given"),
    Column("scale", "VARCHAR", "its scale"),
    Column("failures", "BIGINT", "failures recorded"),
    Column("recovered_s", "BIGINT", "last time it was made right; epoch seconds"),
    Column("paused_secs", "BIGINT", "sum of all ended waits for the customer, seconds"),
    Column("held_secs", "BIGINT", "sum of all ended waits for a third party, seconds"),
    Column("gap_secs", "BIGINT", "sum of all times between a resolution and a reopening, seconds"),
    Column("paused_bus", "BIGINT", "paused_secs in business seconds; missing: no opening hours"),
    Column("held_bus", "BIGINT", "held_secs in business seconds; missing: no opening hours"),
    Column("gap_bus", "BIGINT", "gap_secs in business seconds; missing: no opening hours"),
    Column("state", "INTEGER", "0 with the server, 1 waiting for the customer, 2 for a third party, 3 closed"),
    Column("state_s", "BIGINT", "since when it is paused, held or closed; epoch seconds; missing: never was"),
    Column("state_bus", "BIGINT", "first ask to state_s in business seconds"),
    Column("calendar", "VARCHAR", "the opening hours that count for it now; missing: none"),
    Column("clock_from", "BIGINT", "business seconds since 2000 in that calendar, less those since the first ask"),
    Column("stations", "BIGINT", "teams that had the case"),
    Column("persons", "BIGINT", "persons that had the case"),
    Column("resolved_unknown", "INTEGER", "1: resolved, but the source does not say when"),
    Column("closed_first", "INTEGER", "1: closed before it was opened, which cannot be"),
    Column("due_first", "INTEGER", "1: due before it was opened, which cannot be"),
    Column("first_s", "BIGINT", "earliest moment of the case; epoch seconds"),
    Column("last_s", "BIGINT", "latest moment of the case; epoch seconds"),
)


@dataclass(frozen=True)
class NotComputable:
    """A number that cannot be given, and why. It is never 0, 1, NaN or an empty list."""

    reason: str

    def __str__(self) -> str:
        return f"not computable: {self.reason}"


@dataclass(frozen=True)
class Period:
    """A half-open span of local days in the workspace's zone: first day in, end day out."""

    start: date
    end: date
    label: str

    @property
    def first_day(self) -> int:
        """Days since 1970-01-01."""
        return day_number(self.start)


EARLIEST_DATE, LATEST_DATE = date(1900, 1, 1), date(2200, 1, 1)  # a date beyond these is a slip, not a fact
_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """The date that many days after 1970-01-01."""
    return _EPOCH + timedelta(days=number)


def month_start(day: date, months_later: int = 0) -> date:
    """The first of the month of `day`, or of a month before (negative) or after it."""
    months = day.year * 12 + day.month - 1 + months_later
    return date(months // 12, months % 12 + 1, 1)


def period_of(day: date, granularity: Granularity) -> Period:
    """The day, ISO week (from Monday), month, quarter or year that holds a local day."""
    if granularity == "day":
        return Period(day, day + timedelta(days=1), day.isoformat())
    if granularity == "week":
        monday = day - timedelta(days=day.weekday())
        year, week, _ = monday.isocalendar()
        return Period(monday, monday + timedelta(days=7), f"{year}-W{week:02d}")
    if granularity == "month":
        first = month_start(day)
        return Period(first, month_start(first, 1), f"{first:%Y-%m}")
    if granularity == "year":
        return Period(date(day.year, 1, 1), date(day.year + 1, 1, 1), f"{day.year:04d}")
    first = month_start(day, -((day.month - 1) % 3))
    return Period(first, month_start(first, 3), f"{first.year}-Q{(first.month - 1) // 3 + 1}")


def periods_between(start: date, end: date, granularity: Granularity) -> list[Period]:
    """All periods that hold a day from `start` up to, not including, `end`."""
    if end <= start:
        raise PeriodError(f"The period ends ({end}) before it starts ({start}).", "Give --since before --until.")
    periods = [period_of(start, granularity)]
    while periods[-1].end < end:
        periods.append(period_of(periods[-1].end, granularity))
    return periods


def check_zone(zone: str) -> str:
    """The zone's name, if it is one."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RequestError(
            f"There is no time zone called {zone!r}.", "Give an IANA name such as Europe/Berlin or UTC."
        ) from error
    return zone

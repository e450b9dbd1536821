"""The measures, declared as data: to add one, add one declaration to MEASURES.

`population`, `event` and `value` are SQL over the columns of a case (see moments.CASE_COLUMNS), kept to
CASE, comparisons and integer arithmetic, so that the same text runs on any engine; {as_of} stands for
the epoch second up to which the case's source is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from wellserved.errors import UnknownNameError

Kind = Literal["count", "share", "mean", "wait", "stock", "stock_age"]
Better = Literal["higher", "lower", "neither"]
Anchor = Literal["asked", "resolved", "due"]


@dataclass(frozen=True)
class Measure:
    """One versioned definition. A changed number is a new version, announced in the changelog."""

    name: str
    version: int
    question: str
    kind: Kind
    unit: str  # cases, share, days, hours, points, or what is counted a case
    better: Better
    anchor: Anchor  # the date that puts a case into a period
    population: str  # SQL: the case counts
    counted: str  # the population in words
    formula: str  # in words
    event: str = ""  # SQL: share: the case is in the numerator; wait: the end has come
    value: str = ""  # SQL: mean: the number averaged; wait: seconds from start to end, where it has come
    waiting: str = ""  # SQL: wait: the end is still to come; the other cases are left out
    since: str = ""  # SQL: wait: epoch second from which a case waits
    quantile: float = 0.5  # wait and stock_age
    needs: str = ""  # SQL: a source in which no case has this cannot answer
    lacking: str = ""  # what such a source lacks, in words
    exclusions: str = "none"
    clock: str = "calendar"
    minimum_n: int = 10
    source: str = "own definition"

    @property
    def seconds(self) -> float:
        """Seconds in one unit of a duration."""
        return {"days": 86_400.0, "hours": 3_600.0}.get(self.unit, 1.0)


ALL = "1 = 1"  # every case has a first ask
_DUE = "promise_fate IS NOT NULL AND due_s <= {as_of}"
_SETTLED = "(closed = 0 OR resolved_unknown = 0)"
_ANSWERED = "accepts + returns > 0"
_WAIT_SOURCE = "Kaplan and Meier 1958; interval by Greenwood on log-log scale, or by order statistics where no open case intervenes"
_WILSON = "Wilson 1927 interval"


def _wait(
    name: str, question: str, end: str, quantile: float, unit: str, what: str, needs: str, lacking: str
) -> Measure:
    words = "half" if quantile == 0.5 else f"{quantile:.0%}"
    return Measure(
        name=name,
        version=1,
        question=question,
        kind="wait",
        unit=unit,
        better="lower",
        anchor="asked",
        population=f"{end} >= 0 OR ({end} IS NULL AND closed = 0)",
        event=f"{end} >= 0",
        value=end,
        waiting=f"{end} IS NULL AND closed = 0",
        since="asked_s",
        counted=f"cases {what} by now, and cases still open",
        formula=f"time within which {words} of them were {what}, from the first ask, open cases counted as still waiting",
        quantile=quantile,
        needs=needs,
        lacking=lacking,
        exclusions=f"cases {what} before they were opened; cases closed without being {what}, or at an unknown time",
        source=_WAIT_SOURCE,
    )


MEASURES: Final[tuple[Measure, ...]] = (
    Measure(
        name="asked",
        version=1,
        question="How much were we asked for?",
        kind="count",
        unit="cases",
        better="neither",
        anchor="asked",
        population=ALL,
        counted="all cases",
        formula="cases whose first ask falls in the period",
        minimum_n=0,
        source="count with Garwood 1936 interval",
    ),
    Measure(
        name="resolved",
        version=1,
        question="How much did we finish?",
        kind="count",
        unit="cases",
        better="neither",
        anchor="resolved",
        population="resolved_s IS NOT NULL AND abandoned = 0",
        counted="cases closed by now, abandoned ones left out",
        formula="cases whose last resolution falls in the period",
        needs="resolved_s IS NOT NULL",
        lacking="times of resolution",
        exclusions="cases closed at a time that the source does not give",
        minimum_n=0,
        source="count with Garwood 1936 interval",
    ),
    Measure(
        name="still_open",
        version=1,
        question="How much was waiting at the end of the period?",
        kind="stock",
        unit="cases",
        better="lower",
        anchor="asked",
        population=_SETTLED,
        counted="all cases",
        formula="cases asked for before the period's end and not finally resolved before it",
        exclusions="cases closed at a time that the source does not give",
        minimum_n=0,
        source="count with Garwood 1936 interval",
    ),
    Measure(
        name="open_age",
        version=1,
        question="How old was the typical waiting case at the end of the period?",
        kind="stock_age",
        unit="days",
        better="lower",
        anchor="asked",
        population=_SETTLED,
        counted="cases open at the period's end",
        formula="median time since the first ask",
        exclusions="cases closed at a time that the source does not give",
        source="order statistics; Hahn and Meeker 1991, section 5.2",
    ),
    _wait(
        "time_to_first_reply",
        "How long until a person answers?",
        "reply_secs",
        0.5,
        "hours",
        "answered",
        "reply_secs IS NOT NULL",
        "replies by a person",
    ),
    _wait(
        "time_to_first_reply_p90",
        "How long until a person answers nine in ten?",
        "reply_secs",
        0.9,
        "hours",
        "answered",
        "reply_secs IS NOT NULL",
        "replies by a person",
    ),
    _wait(
        "time_to_first_handover",
        "How long until the case reaches whoever must answer it?",
        "handover_secs",
        0.5,
        "days",
        "handed over",
        "handover_secs IS NOT NULL",
        "hand-overs",
    ),
    _wait(
        "time_to_resolution",
        "How long until a case is resolved?",
        "resolution_secs",
        0.5,
        "days",
        "resolved",
        "resolution_secs IS NOT NULL",
        "times of resolution",
    ),
    _wait(
        "time_to_resolution_p90",
        "How long until nine in ten are resolved?",
        "resolution_secs",
        0.9,
        "days",
        "resolved",
        "resolution_secs IS NOT NULL",
        "times of resolution",
    ),
    Measure(
        name="promise_kept",
        version=1,
        question="Of the promises that fell due, how many were kept?",
        kind="share",
        unit="share",
        better="higher",
        anchor="due",
        population=_DUE,
        counted="cases whose promise fell due, open ones too",
        formula="cases resolved for the last time by the due time / cases whose promise fell due",
        event="promise_fate = 1",
        needs="due_s IS NOT NULL",
        lacking="due times",
        exclusions="promises due before the case was opened; cases closed at a time that the source does not give",
        source=_WILSON,
    ),
    Measure(
        name="promise_late",
        version=1,
        question="Of the promises that fell due, how many were delivered late?",
        kind="share",
        unit="share",
        better="lower",
        anchor="due",
        population=_DUE,
        counted="cases whose promise fell due, open ones too",
        formula="cases resolved after the due time / cases whose promise fell due",
        event="promise_fate = 2",
        needs="due_s IS NOT NULL",
        lacking="due times",
        exclusions="promises due before the case was opened; cases closed at a time that the source does not give",
        source=_WILSON,
    ),
    Measure(
        name="promise_broken",
        version=1,
        question="Of the promises that fell due, how many are still not delivered?",
        kind="share",
        unit="share",
        better="lower",
        anchor="due",
        population=_DUE,
        counted="cases whose promise fell due, open ones too",
        formula="cases past due and still open, or abandoned / cases whose promise fell due",
        event="promise_fate = 0 OR promise_fate = 3",
        needs="due_s IS NOT NULL",
        lacking="due times",
        exclusions="promises due before the case was opened; cases closed at a time that the source does not give",
        source=_WILSON,
    ),
    Measure(
        name="promise_running",
        version=1,
        question="How many promises are still to fall due?",
        kind="count",
        unit="cases",
        better="neither",
        anchor="due",
        population="closed = 0 AND due_s IS NOT NULL AND due_s > {as_of}",
        counted="open cases with a promise",
        formula="open cases whose due time is still to come",
        minimum_n=0,
        needs="due_s IS NOT NULL",
        lacking="due times",
        source="count with Garwood 1936 interval",
    ),
    Measure(
        name="days_late",
        version=1,
        question="When a promise is missed, by how long?",
        kind="wait",
        unit="days",
        better="lower",
        anchor="due",
        population=f"{_DUE} AND (promise_fate = 0 OR promise_fate = 2)",
        counted="cases whose promise was missed, open ones too",
        formula="time after the due time within which half of them were resolved, open cases counted as still waiting",
        event="promise_fate = 2 AND due_s <= {as_of}",
        value="late_secs",
        waiting="promise_fate = 0 AND due_s <= {as_of}",
        since="due_s",
        needs="due_s IS NOT NULL",
        lacking="due times",
        exclusions="abandoned cases; cases closed at a time that the source does not give",
        source=_WAIT_SOURCE,
    ),
    Measure(
        name="closed_late",
        version=1,
        question="Of the closed cases with a target, how many were closed after it?",
        kind="share",
        unit="share",
        better="lower",
        anchor="due",
        population="late_secs IS NOT NULL",
        counted="closed cases with a due time; open ones are left out, as most helpdesks do",
        formula="closed after the due time / closed with a due time",
        event="late_secs > 0",
        needs="due_s IS NOT NULL",
        lacking="due times",
        exclusions="cases still open, however late: see promise_broken",
        source=_WILSON,
    ),
    Measure(
        name="promise_kept_by_source",
        version=1,
        question="How many promises were kept, by the source's own word?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="source_kept IS NOT NULL",
        counted="cases for which the source says whether the promise was kept; of an open case, its word so far",
        formula="cases that the source calls kept / cases about which it says anything",
        event="source_kept = 1",
        needs="source_kept IS NOT NULL",
        lacking="word of the source's own on promises",
        source=_WILSON,
    ),
    Measure(
        name="reopen_rate",
        version=1,
        question="How often does a resolved case come back?",
        kind="share",
        unit="share",
        better="lower",
        anchor="asked",
        population="resolutions > 0",
        counted="cases resolved at least once",
        formula="cases reopened at least once / cases resolved at least once",
        event="reopens > 0",
        needs="reopens > 0",
        lacking="reopenings",
        source=_WILSON,
    ),
    Measure(
        name="handovers",
        version=1,
        question="How often is a case passed on?",
        kind="mean",
        unit="hand-overs a case",
        better="lower",
        anchor="asked",
        population=ALL,
        counted="all cases",
        formula="mean hand-overs between teams a case",
        value="handovers",
        needs="handovers > 0",
        lacking="hand-overs",
        source="t interval of the mean",
    ),
    Measure(
        name="contacts",
        version=1,
        question="How often must a customer come for one case?",
        kind="mean",
        unit="contacts a case",
        better="lower",
        anchor="asked",
        population="contacts > 0",
        counted="cases with at least one contact by the customer",
        formula="mean of asked, chased, complained and returned moments a case",
        value="contacts",
        needs="chases > 0",
        lacking="repeated contacts",
        source="t interval of the mean",
    ),
    Measure(
        name="rating_good",
        version=1,
        question="What share of the ratings is good?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="score IS NOT NULL",
        counted="rated cases, last rating of each",
        formula="good ratings / ratings; good by the scale's own rule: csat5, stars5 4+; ces7 5+; nps10 9+; good_bad 1",
        event=(
            "CASE WHEN scale = 'csat5' OR scale = 'stars5' THEN score >= 4 WHEN scale = 'ces7' THEN score >= 5 "
            "WHEN scale = 'nps10' THEN score >= 9 ELSE score >= 1 END"
        ),
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="cases without a rating; several scales are never mixed",
        source=_WILSON,
    ),
    Measure(
        name="rating_mean",
        version=1,
        question="What is the mean rating?",
        kind="mean",
        unit="points",
        better="higher",
        anchor="asked",
        population="score IS NOT NULL",
        counted="rated cases, last rating of each",
        formula="mean of the scores as given",
        value="score",
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="cases without a rating; several scales are never mixed",
        source="t interval of the mean",
    ),
    Measure(
        name="complaint_rate",
        version=1,
        question="What share of cases brings a complaint?",
        kind="share",
        unit="share",
        better="lower",
        anchor="asked",
        population=ALL,
        counted="all cases",
        formula="cases with at least one complaint / cases",
        event="complaints > 0",
        needs="complaints > 0",
        lacking="complaints",
        source=_WILSON,
    ),
    Measure(
        name="return_rate",
        version=1,
        question="How often does the customer reject what was delivered?",
        kind="share",
        unit="share",
        better="lower",
        anchor="asked",
        population=_ANSWERED,
        counted="cases in which the customer accepted or rejected",
        formula="cases rejected or disputed / cases in which the customer accepted or rejected",
        event="returns > 0",
        needs=_ANSWERED,
        lacking="answer of the customer to what was delivered",
        source=_WILSON,
    ),
    Measure(
        name="first_contact_resolution",
        version=1,
        question="How many are settled at the first contact?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="resolutions > 0 AND contacts > 0",
        counted="cases resolved at least once",
        formula="resolved with one contact, never handed over, never reopened / resolved",
        event="contacts = 1 AND handovers = 0 AND reopens = 0",
        needs="handovers > 0 OR reopens > 0 OR chases > 0",
        lacking="sign of second contacts, such as hand-overs or reopenings",
        source=f"SQM's numerator and denominator; {_WILSON}",
    ),
)


def find_measure(name: str) -> Measure:
    """The measure of that name."""
    for measure in MEASURES:
        if measure.name == name:
            return measure
    raise UnknownNameError("measure", name, [measure.name for measure in MEASURES])

"""The measures, declared as data: to add one, add one declaration to MEASURES.

`population`, `event` and `value` are SQL over the columns of a case (see moments.CASE_COLUMNS), kept to
CASE, comparisons and integer arithmetic, so that the same text runs on any engine; {as_of} stands for
the epoch second up to which the case's source is known, {as_of_bus} for the same instant in the business
seconds of the case's calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from wellserved.errors import UnknownNameError

Kind = Literal["count", "share", "mean", "wait", "stock", "stock_age"]
Better = Literal["higher", "lower", "neither"]
Anchor = Literal["asked", "resolved", "due", "stopped"]


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
_REPLIES, _ENDS = "replies by a person", "times of resolution"
_SETTLED = "(closed = 0 OR resolved_unknown = 0)"
_ANSWERED = "accepts + returns > 0"
_WAIT_SOURCE = "Kaplan and Meier 1958; interval by Greenwood on log-log scale, or by order statistics where no open case intervenes"
_WILSON = "Wilson 1927 interval"


def _wait(
    name: str,
    question: str,
    which: str,
    what: str,
    lacking: str,
    quantile: float = 0.5,
    unit: str = "days",
    business: bool = False,
) -> Measure:
    """A wait from the first ask to the case's column `which`_secs, or `which`_bus on the business clock."""
    end = f"{which}_bus" if business else f"{which}_secs"
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
        waiting=f"{end} IS NULL AND closed = 0" + (" AND calendar IS NOT NULL" if business else ""),
        since="clock_from" if business else "asked_s",
        counted=f"cases {what} by now, and cases still open",
        formula=f"time within which {words} of them were {what}, from the first ask, open cases counted as still waiting",
        quantile=quantile,
        needs=f"{end} IS NOT NULL",
        lacking=f"{lacking}, or no opening hours (calendars.toml)" if business else lacking,
        exclusions=f"cases {what} before they were opened; cases closed without being {what}, or at an unknown time",
        clock="business" if business else "calendar",
        source=_WAIT_SOURCE,
    )


_FROZEN = {True: ("paused", "gap"), False: ("paused", "held", "gap")}  # what does not count, with holding or without


def _work(name: str, question: str, held_counts: bool, what: str, business: bool = False) -> Measure:
    """The time from first ask to last resolution, less what it stood still; an open case stands still or goes on."""
    unit, start = ("bus", "clock_from") if business else ("secs", "asked_s")
    less = " + ".join(f"{part}_{unit}" for part in _FROZEN[held_counts])
    as_of, state_since = ("{as_of_bus}", "clock_from + state_bus") if business else ("{as_of}", "state_s")
    still = "state = 1" if held_counts else "(state = 1 OR state = 2)"
    known = " AND calendar IS NOT NULL" if business else ""
    return Measure(
        name=name,
        version=1,
        question=question,
        kind="wait",
        unit="hours",
        better="lower",
        anchor="asked",
        population=f"(full_{unit} >= 0 AND abandoned = 0) OR (closed = 0{known})",
        event=f"full_{unit} >= 0 AND abandoned = 0",
        value=f"(full_{unit} - ({less}))",
        waiting=f"closed = 0{known}",
        since=f"({start} + {less} + CASE WHEN {still} THEN {as_of} - ({state_since}) ELSE 0 END)",
        counted="cases resolved for good by now, and cases still open",
        formula=f"median of {what}; open cases counted with what they have so far",
        needs="paused_secs + held_secs + gap_secs > 0" + (" AND calendar IS NOT NULL" if business else ""),
        lacking="pauses, holds or reopenings" + (", or no opening hours (calendars.toml)" if business else ""),
        exclusions="abandoned cases; cases resolved before they were opened, or at an unknown time",
        clock="business" if business else "calendar",
        source=_WAIT_SOURCE,
    )


_GOOD_WORDS = "good by the scale's own rule: csat5, stars5 4+; ces7 5+; nps10 9+; good_bad 1"
_GOOD = (
    "CASE WHEN scale = 'csat5' OR scale = 'stars5' THEN score >= 4 WHEN scale = 'ces7' THEN score >= 5 "
    "WHEN scale = 'nps10' THEN score >= 9 ELSE score >= 1 END"
)
_BAD = (
    "CASE WHEN scale = 'csat5' OR scale = 'stars5' THEN score <= 2 WHEN scale = 'ces7' THEN score <= 3 "
    "WHEN scale = 'nps10' THEN score <= 6 ELSE score <= 0 END"
)
_BOUNDS = f"worst-case bounds: Manski, American Economic Review 80 (1990) 319-323; {_WILSON}"


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
    _wait("time_to_first_reply", "How long until a person answers?", "reply", "answered", _REPLIES, unit="hours"),
    _wait(
        "time_to_first_reply_p90",
        "How long until a person answers nine in ten?",
        "reply",
        "answered",
        _REPLIES,
        0.9,
        "hours",
    ),
    _wait(
        "business_time_to_first_reply",
        "How many opening hours until a person answers?",
        "reply",
        "answered",
        _REPLIES,
        0.5,
        "hours",
        True,
    ),
    _wait(
        "time_to_first_handover",
        "How long until the case reaches whoever must answer it?",
        "handover",
        "handed over",
        "hand-overs",
    ),
    _wait("time_to_resolution", "How long until a case is resolved?", "resolution", "resolved", _ENDS),
    _wait("time_to_resolution_p90", "How long until nine in ten are resolved?", "resolution", "resolved", _ENDS, 0.9),
    _wait(
        "business_time_to_resolution",
        "How many opening hours until a case is resolved?",
        "resolution",
        "resolved",
        _ENDS,
        0.5,
        "hours",
        True,
    ),
    _wait("time_to_full_resolution", "How long until a case is resolved for good?", "full", "resolved for good", _ENDS),
    _work(
        "requester_wait",
        "How long does the customer wait for us?",
        True,
        "first ask to last resolution, less waits for the customer and times closed before a reopening",
    ),
    _work(
        "agent_work",
        "How long does a case lie with us?",
        False,
        "first ask to last resolution, less waits for the customer or a third party and times closed before a reopening",
    ),
    _work(
        "business_agent_work",
        "How many opening hours does a case lie with us?",
        False,
        "first ask to last resolution in opening hours, less waits for the customer or a third party and times closed before a reopening",
        True,
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
        name="promised_time",
        version=1,
        question="How long do we say that it will take?",
        kind="wait",
        unit="days",
        better="neither",
        anchor="asked",
        population="promise_fate IS NOT NULL",
        event="promise_fate IS NOT NULL",
        value="(due_s - asked_s)",
        waiting="1 = 0",
        since="asked_s",
        counted="cases with a promise",
        formula="median time from the first ask to the due time of the last promise",
        needs="promise_fate IS NOT NULL",
        lacking="due times",
        exclusions="promises due before the case was opened; cases closed at a time that the source does not give",
        source="order statistics; Hahn and Meeker 1991, section 5.2",
    ),
    Measure(
        name="promise_to_keep_90",
        version=1,
        question="How long should we promise, so that nine in ten are kept?",
        kind="wait",
        unit="days",
        better="neither",
        anchor="asked",
        population="promise_fate = 0 OR promise_fate = 1 OR promise_fate = 2",
        event="promise_fate = 1 OR promise_fate = 2",
        value="full_secs",
        waiting="promise_fate = 0",
        since="asked_s",
        counted="cases with a promise, open ones too",
        formula="time from the first ask within which 90% of them were resolved for good, open cases counted as still waiting",
        quantile=0.9,
        needs="promise_fate IS NOT NULL",
        lacking="due times",
        exclusions="abandoned cases; promises due before the case was opened; cases closed at a time that the source does not give",
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
        name="stations",
        version=1,
        question="How many teams does a case pass through?",
        kind="mean",
        unit="teams a case",
        better="lower",
        anchor="asked",
        population="stations > 0",
        counted="cases that a team had",
        formula="mean number of different teams that had the case",
        value="stations",
        needs="stations > 1",
        lacking="cases in more than one team",
        source="t interval of the mean",
    ),
    Measure(
        name="one_touch_rate",
        version=1,
        question="How many are settled with one reply?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="full_secs IS NOT NULL AND abandoned = 0 AND replies > 0",
        counted="closed cases with a reply by a person",
        formula="closed with exactly one reply by a person / closed with a reply by a person",
        event="replies = 1",
        needs="replies > 1",
        lacking="second replies",
        exclusions="cases closed without a reply by a person",
        source=_WILSON,
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
        formula=f"good ratings / ratings; {_GOOD_WORDS}",
        event=_GOOD,
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="cases without a rating; several scales are never mixed",
        source=_WILSON,
    ),
    Measure(
        name="rating_net",
        version=1,
        question="By how much do good ratings outweigh bad ones?",
        kind="mean",
        unit="points",
        better="higher",
        anchor="asked",
        population="score IS NOT NULL",
        counted="rated cases, last rating of each; those neither good nor bad too",
        formula="per cent good less per cent bad; on nps10 this is the net promoter score (9 and 10 less 0 to 6); bad: csat5, stars5 1 or 2; ces7 1 to 3; good_bad 0",
        value=f"CASE WHEN {_GOOD} THEN 100 WHEN {_BAD} THEN -100 ELSE 0 END",
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="cases without a rating; several scales are never mixed",
        source="Reichheld 2003 for nps10; t interval of the mean",
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
        name="response_rate",
        version=1,
        question="How many customers of resolved cases give a rating?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="resolutions > 0",
        counted="cases resolved at least once, whether or not they were asked for a rating",
        formula="rated cases / cases resolved at least once",
        event="score IS NOT NULL",
        needs="score IS NOT NULL",
        lacking="ratings",
        source=_WILSON,
    ),
    Measure(
        name="rating_good_least",
        version=1,
        question="What share would be good if everybody who gave no rating was unhappy?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="resolutions > 0",
        counted="cases resolved at least once, rated or not",
        formula="good ratings / cases resolved at least once: the least that the share of the satisfied can be",
        event=f"score IS NOT NULL AND ({_GOOD})",
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="none; several scales are never mixed",
        source=_BOUNDS,
    ),
    Measure(
        name="rating_good_most",
        version=1,
        question="What share would be good if everybody who gave no rating was happy?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="resolutions > 0",
        counted="cases resolved at least once, rated or not",
        formula="cases rated good or not rated / cases resolved at least once: the most that the share of the satisfied can be",
        event=f"score IS NULL OR ({_GOOD})",
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="none; several scales are never mixed",
        source=_BOUNDS,
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

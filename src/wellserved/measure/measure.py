"""What a measure is made of, and the two shapes of wait that many measures share.

`population`, `event` and `value` are SQL over the columns of a case (see moments.CASE_COLUMNS), kept to
CASE, comparisons and integer arithmetic, so that the same text runs on any engine; {as_of} stands for
the epoch second up to which the case's source is known, {as_of_bus} for the same instant in the business
seconds of the case's calendar; {surveyed} for the cases whose customers were asked for a rating; {good} and {bad}
for a rating that is so by the rule of its scale; {about} for a case about the problem in question, {told} for one that
could tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["count", "share", "mean", "wait", "stock", "stock_age"]
Better = Literal["higher", "lower", "neither"]
DateBasis = Literal["asked", "resolved", "due", "stopped"]


@dataclass(frozen=True)
class Measure:
    """One versioned definition. A changed number is a new version, announced in the changelog."""

    name: str
    version: int
    question: str
    kind: Kind
    unit: str  # cases, share, days, hours, points, or what is counted a case
    better: Better
    anchor: DateBasis  # the date that puts a case into a period
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
    relies_on: tuple[
        str, ...
    ] = ()  # kinds of moment, or moments.FIRST_RESOLVED: a source that cannot tell one cannot answer
    single_scale: bool = False  # ratings on several scales are refused
    exclusions: str = "none"
    clock: str = "calendar"
    minimum_n: int = 10
    follows: bool = False  # asks for next_asked_s too: the customer's next case for the same service
    least_days: int = 0  # days after its anchor before which a case cannot say anything
    history: tuple[str, ...] = ()  # what each later version changed
    source: str = "own definition"
    counts_a_kind: bool = False  # share: of one kind of work, so that its part of the work is the number itself
    is_count_mean: bool = False  # mean: of whole events a case, which vary as counts do; charted so
    reaches_ahead: bool = False  # cases may belong to periods that are still to come, as what falls due does
    today_only: bool = False  # speaks of today alone, so that nothing can be compared
    adds_up: bool = False  # wait: a sum of parts, of which an open case may have little so far
    reads_business_now: bool = False  # population or event rests on the business clock of today, untold at another age
    needs_bad: bool = False  # rests on what is bad on the scale, which an own scale need not say
    calendar_twin: Measure | None = None  # of a wait in business time: the one by the calendar
    noun: str = ""  # of a wait, share or mean: what a sentence calls it: promises kept in time
    serves: str = "for"  # the word between it and the service: time to first reply *to* quotes
    wait_family: str = (
        ""  # the wait that vendors' rules count differently, whatever the quantile and the measure's name
    )

    @property
    def phrase(self) -> str:
        """What a sentence calls its number: typical (median) time to first reply."""
        if self.kind in ("wait", "stock_age"):
            return (
                f"typical (median) {self.noun}"
                if self.quantile == 0.5
                else f"{self.noun} that {self.quantile:.0%} stay within"
            )
        return {"share": f"share of {self.noun}", "mean": f"average {self.noun}"}.get(self.kind, self.noun)

    @property
    def seconds(self) -> float:
        """Seconds in one unit of a duration."""
        return {"days": 86_400.0, "hours": 3_600.0}.get(self.unit, 1.0)


ALL_CASES = "1 = 1"  # every case has a first ask
CASES_OF_KNOWN_END = "merged = 0 AND (closed = 0 OR resolved_unknown = 0)"
WILSON_SOURCE = "Wilson 1927 interval"
WAIT_SOURCE = "Kaplan and Meier 1958; interval by Greenwood on log-log scale, or by order statistics where no open case intervenes"


MIDPOINT_HISTORY = (
    "2: of an even number of cases, the mean of the two in the middle; version 1 took the earlier of the two",
)

_REQUIRED_KINDS = {
    "reply": ("replied",),
    "handover": ("handed_over",),
    "resolution": ("first_resolved", "resolved"),
    "full": ("resolved",),
}  # what ends a wait: the moments that a source has to tell
_NOUNS = {
    "reply": "time to first reply",
    "handover": "time to first hand-over",
    "resolution": "time to resolution",
    "full": "time to final resolution",
}
_FAMILIES = {"reply": "time_to_first_reply", "resolution": "time_to_resolution", "full": "time_to_full_resolution"}


def time_until(
    name: str,
    question: str,
    span: str,
    outcome: str,
    gap: str,
    quantile: float = 0.5,
    unit: str = "days",
    business: bool = False,
) -> Measure:
    """A wait from the first ask to the case's column `span`_secs, or `span`_bus on the business clock."""
    end = f"{span}_bus" if business else f"{span}_secs"
    share_text = "half" if quantile == 0.5 else f"{quantile:.0%}"
    return Measure(
        name=name,
        version=2 if quantile == 0.5 else 1,
        history=MIDPOINT_HISTORY if quantile == 0.5 else (),
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
        counted=f"cases {outcome} by now, and cases still open",
        formula=f"time within which {share_text} of them were {outcome}, from the first ask, open cases counted as still waiting",
        quantile=quantile,
        needs=f"{end} IS NOT NULL",
        lacking=f"{gap}, or no opening hours (calendars.toml)" if business else gap,
        relies_on=_REQUIRED_KINDS[span],
        exclusions=f"cases {outcome} before they were opened; cases closed without being {outcome}, or at an unknown time",
        clock="business" if business else "calendar",
        source=WAIT_SOURCE,
        calendar_twin=time_until(name, question, span, outcome, gap, quantile, unit) if business else None,
        wait_family=("business_" if business else "") + _FAMILIES[span] if span in _FAMILIES else "",
        noun=("business " if business else "") + _NOUNS[span],
        serves="to" if span == "reply" else "for",
    )


# What does not count, with holding or without:
_EXCLUDED_SPANS = {True: ("paused", "gap"), False: ("paused", "held", "gap")}


def net_work_time(name: str, question: str, held_counts: bool, description: str, business: bool = False) -> Measure:
    """The time from first ask to last resolution, less what it stood still; an open case stands still or goes on."""
    unit, start = ("bus", "clock_from") if business else ("secs", "asked_s")
    deductions = " + ".join(f"{span}_{unit}" for span in _EXCLUDED_SPANS[held_counts])
    as_of, state_since = ("{as_of_bus}", "clock_from + state_bus") if business else ("{as_of}", "state_s")
    standstill = "state = 1" if held_counts else "(state = 1 OR state = 2)"
    calendar_condition = " AND calendar IS NOT NULL" if business else ""
    return Measure(
        name=name,
        version=2,
        history=MIDPOINT_HISTORY,
        question=question,
        kind="wait",
        unit="hours",
        better="lower",
        anchor="asked",
        population=f"(full_{unit} >= 0 AND abandoned = 0) OR (closed = 0{calendar_condition})",
        event=f"full_{unit} >= 0 AND abandoned = 0",
        value=f"(full_{unit} - ({deductions}))",
        waiting=f"closed = 0{calendar_condition}",
        since=f"({start} + {deductions} + CASE WHEN {standstill} THEN {as_of} - ({state_since}) ELSE 0 END)",
        counted="cases resolved for good by now, and cases still open",
        formula=f"median of {description}; open cases counted with what they have so far",
        needs="paused_secs + held_secs + gap_secs > 0" + (" AND calendar IS NOT NULL" if business else ""),
        relies_on=("resolved",),
        lacking="pauses, holds or reopenings" + (", or no opening hours (calendars.toml)" if business else ""),
        exclusions="abandoned cases; cases resolved before they were opened, or at an unknown time",
        clock="business" if business else "calendar",
        source=WAIT_SOURCE,
        adds_up=True,
        wait_family=name,
        noun=("business " if business else "")
        + ("time that customers wait for us" if held_counts else "time that cases lie with us"),
    )


def on_hold_time(name: str, question: str, span: str, state: int, better: Better, description: str) -> Measure:
    """The time that a case stood still for one reason, of cases that did."""
    now = f"CASE WHEN state = {state} THEN {{as_of}} - state_s ELSE 0 END"
    return Measure(
        name=name,
        version=2,
        history=MIDPOINT_HISTORY,
        question=question,
        kind="wait",
        unit="hours",
        better=better,
        anchor="asked",
        population=f"{span}_secs > 0 OR (closed = 0 AND state = {state})",
        event=f"closed = 1 AND {span}_secs > 0",
        value=f"{span}_secs",
        waiting=f"closed = 0 AND ({span}_secs > 0 OR state = {state})",
        since=f"({{as_of}} - {span}_secs - {now})",
        counted=f"cases with {description}",
        formula=f"median of the sum of a case's {description}; open cases counted with what they have so far",
        needs=f"{span}_secs > 0",
        lacking=description,
        relies_on=(span, "resolved"),
        exclusions="cases without any",
        source=WAIT_SOURCE,
        adds_up=True,
        noun=f"time in {description}",
    )


def next_reply_time(name: str, question: str, business: bool = False) -> Measure:
    """The longest wait for an answer to a further word of the customer, after the first reply."""
    longest, since = ("next_reply_bus", "clock_from + turn_bus") if business else ("next_reply_secs", "turn_s")
    now = "{as_of_bus}" if business else "{as_of}"
    open_turn = "closed = 0 AND turn_s IS NOT NULL" + (" AND calendar IS NOT NULL" if business else "")
    open_is_longest = f"{open_turn} AND ({longest} IS NULL OR {now} - ({since}) > {longest})"
    return Measure(
        name=name,
        version=2,
        history=MIDPOINT_HISTORY,
        question=question,
        kind="wait",
        unit="hours",
        better="lower",
        anchor="asked",
        population=f"{longest} IS NOT NULL OR ({open_turn})",
        event=f"{longest} IS NOT NULL AND NOT ({open_is_longest})",
        value=longest,
        waiting=open_is_longest,
        since=f"({since})",
        counted="cases in which the customer wrote again after the first reply",
        formula="median of a case's longest wait from such a word (the first since the last reply) to the next reply by a person; a word without an answer in an open case is still waiting",
        needs=f"{longest} IS NOT NULL",
        relies_on=("replied",),
        lacking="replies to further words of the customer"
        + (", or no opening hours (calendars.toml)" if business else ""),
        exclusions="words that no reply followed before the case was closed",
        clock="business" if business else "calendar",
        source=WAIT_SOURCE,
        adds_up=True,
        reads_business_now=business,
        noun=("business " if business else "") + "time to the next reply",
    )

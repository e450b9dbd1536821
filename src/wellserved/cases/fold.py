"""One row a case, from its moments alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellserved.calendar import SECONDS_PER_DAY, Calendars, wall_clock
from wellserved.cases.ordered import (
    END_KINDS,
    STATE_BY_KIND,
    STATE_OF_KIND,
    STATUS_KINDS,
    Bools,
    Columns,
    Ints,
    OrderedMoments,
    encode_dictionary,
    is_kind,
)
from wellserved.moments import CASE_COLUMNS, CLOSED, IN_PAUSE, MOMENT_COLUMNS, ON_HOLD, SEGMENTS

CASE_TYPES: Final = {column.name: column.type for column in CASE_COLUMNS}
TEXT_COLUMNS: Final = [
    column.name for column in CASE_COLUMNS if column.type == "VARCHAR" and column.name not in ("case_id", "customer_id")
]
"""Columns of few words, kept as dictionaries."""
FOLD_INPUT_COLUMNS: Final = tuple(
    column.name
    for column in MOMENT_COLUMNS
    if column.name
    not in ("moment_id", "source_ref", "text", "amount", "currency", "import_id", "month", "internal", "correction")
)
"""The columns of the log that the fold reads."""

_STATE_SUMS: Final = {
    "paused": IN_PAUSE,
    "held": ON_HOLD,
    "gap": CLOSED,
}  # sums of stretches -> the state they are spent in
_UNIT_SUFFIXES: Final = {"s": "secs", "b": "bus"}  # clock -> the ending of columns that hold a span on it
_REPLY_KINDS, _FOLLOW_UP_KINDS = ("replied", "explained"), ("chased", "complained", "returned")
_COUNTED_KINDS: Final = {
    "replies": _REPLY_KINDS, "resolutions": ("resolved",), "reopens": ("reopened",), "chases": ("chased",),
    "contacts": ("asked", *_FOLLOW_UP_KINDS), "handovers": ("handed_over",), "promises": ("promised",), "complaints": ("complained",),
    "returns": ("returned",), "accepts": ("accepted",), "failures": ("failed",), "surveys": ("surveyed",),
}  # fmt: skip
_CARRIED_FACTS = tuple(segment for segment in SEGMENTS if segment != "source")
_ARROW_TYPES: Final = {"BIGINT": pa.int64(), "INTEGER": pa.int32(), "DOUBLE": pa.float64()}
_PROMISE_LABELS: Final = ("01 day", *(f"{days:02d} days" for days in range(2, 31)), "31 days or more")

Clocks = Mapping[str, Ints | None]  # seconds of each moment, in order


def fold_cases(moment_table: pa.Table, zone: str, calendars: Calendars, mask: Bools | None = None) -> pa.Table:
    """The cases of these moments, one row each; all moments of a case have to be among them.

    `moment_table`: the FOLD_INPUT_COLUMNS of the moments that count; `mask`: the moments to fold, without it all.
    `zone`: the one that days and months are of. Texts come as dictionaries.
    """
    moments = OrderedMoments(moment_table, calendars, mask)
    months = _month_of_days(wall_clock(moments.seconds[moments.first_ask], zone) // SECONDS_PER_DAY)
    moments.reorder_cases(np.argsort(months, kind="stable"))  # as they are kept
    # Calendar time, and opening hours where there are any:
    clocks = {"s": moments.seconds, "b": moments.hours.b if moments.hours else None}
    times, facts, turns = _event_times(moments, clocks), _single_facts(moments), _reply_turns(moments, clocks)
    ending = _final_state(moments, times["last_end_s"])
    columns = times | facts | turns | ending | _state_times(moments, clocks) | _promise_changes(moments)
    columns |= _durations(times, facts, ending["resolved_s"])
    columns |= _business_times(moments, times, turns["turn_b"], ending["ended"])
    columns |= _promise_fate(times, facts["due_s"], ending)
    columns |= _calendar_days(
        {"asked": times["asked_s"], "resolved": ending["resolved_s"], "due": facts["due_s"]}, zone
    )
    return pa.table({name: _cast_column(columns[name], name) for name in CASE_TYPES})


def _cast_column(column: pa.Array, name: str) -> pa.Array:
    """A column as the table of cases has it."""
    if CASE_TYPES[name] != "VARCHAR":
        return column.cast(_ARROW_TYPES[CASE_TYPES[name]])
    return (
        encode_dictionary(column.cast(pa.string()) if pa.types.is_null(column.type) else column)
        if name in TEXT_COLUMNS
        else column
    )


def values_at(values: Ints | None, positions: Ints) -> pa.Array:
    """Numbers, in order, at a position of each case; no numbers are missing ones."""
    if values is None:
        return pa.nulls(len(positions), pa.int64())
    return pa.array(values[positions], mask=positions < 0)


def _event_times(moments: OrderedMoments, clocks: Clocks) -> Columns:
    """When what happened, on each clock; a clock only goes forward."""
    resolutions, ends = moments.positions_of("resolved"), moments.positions_of(*END_KINDS)
    positions = {
        "asked": moments.first_ask,
        "first_reply": moments.first(moments.positions_of(*_REPLY_KINDS)),
        "first_resolved": moments.first(resolutions[moments.is_time_known(resolutions)]),
        "last_end": moments.last(ends[moments.is_time_known(ends)]),
        "state": moments.last(moments.positions_of(*STATE_OF_KIND)),
    }
    return {
        f"{name}_{unit}": values_at(clock, position)
        for unit, clock in clocks.items()
        for name, position in positions.items()
    }


def _single_facts(moments: OrderedMoments) -> Columns:
    """Single facts: whose it is, how many of what, what was rated, what was promised, who had it."""
    rated, promised = moments.positions_of("rated"), moments.positions_of("promised")
    rated, promised = np.setdiff1d(rated, moments.team_ratings, assume_unique=True), moments.with_value("due", promised)
    return {
        "source": moments.values_at("source", moments.end),
        "case_id": moments.case_id,
        **{fact: moments.values_at(fact, moments.last_known(fact)) for fact in (*_CARRIED_FACTS, "source_kept")},
        **{name: moments.count(moments.positions_of(*kinds)) for name, kinds in _COUNTED_KINDS.items()},
        "moments": pa.array(moments.end - moments.start + 1),
        "ratings": moments.count(rated),
        "first_s": pa.array(moments.seconds[moments.start]),
        "first_handover_s": values_at(moments.seconds, moments.first(moments.positions_of("handed_over"))),
        "stations": moments.count_distinct("team"),
        "persons": moments.count_distinct("person_id"),
        "due_s": _seconds(moments.values_at("due", moments.last(promised))),
        "first_due_s": _seconds(moments.values_at("due", moments.first(promised))),
        "score": moments.values_at("score", moments.last(moments.with_value("score", rated))),
        "scale": moments.values_at("scale", moments.last(moments.with_value("scale", rated))),
        "recovered_s": values_at(moments.seconds, moments.last(moments.positions_of("recovered"))),
        "last_s": values_at(moments.seconds, moments.last_timely),
    }


def _seconds(stamps: pa.Array) -> pa.Array:
    """Whole seconds since 1970, rounded down."""
    microseconds = stamps.cast(pa.int64()).fill_null(0).to_numpy()
    return pa.array(microseconds // 1_000_000, mask=stamps.is_null().to_numpy(zero_copy_only=False))


def _state_times(moments: OrderedMoments, clocks: Clocks) -> Columns:
    """The time spent in each state between a case's first ask and its last word, on each clock."""
    positions, state = moments.state_changes
    case = moments.case[positions]
    last_word, start = moments.last(moments.positions_of(*STATUS_KINDS)), moments.first_ask
    inner_changes = np.flatnonzero(np.r_[case[1:] == case[:-1], np.zeros(min(len(case), 1), dtype=np.bool_)])
    inner_changes = inner_changes[positions[inner_changes] >= start[case[inner_changes]]]
    # The stretch from the first ask to the next change of state, in the state that was reached before it.
    next_change = np.searchsorted(positions, start, side="right")
    case_numbers = np.flatnonzero(next_change < len(positions))
    case_numbers = case_numbers[case[next_change[case_numbers]] == case_numbers]
    previous_change = next_change[case_numbers] - 1
    has_previous = (previous_change >= 0) & (case[previous_change] == case_numbers)
    # Where the first ask is itself a change of state, that change begins the stretch.
    is_new = ~(has_previous & (positions[previous_change] == start[case_numbers]))
    starts = np.r_[positions[inner_changes], start[case_numbers][is_new]]
    stops = np.r_[positions[inner_changes + 1], positions[next_change[case_numbers]][is_new]]
    span_state = np.r_[state[inner_changes], np.where(has_previous, state[previous_change], 0)[is_new]]
    span_case = moments.case[starts]
    span_state = np.where((span_state < CLOSED) | (starts < last_word[span_case]), span_state, -1)
    sums: Columns = {}
    for name, number in _STATE_SUMS.items():
        span_rows = np.flatnonzero(span_state == number)
        for unit, clock in clocks.items():
            if clock is None:
                sums[f"{name}_{_UNIT_SUFFIXES[unit]}"] = pa.nulls(moments.cases, pa.int64())
                continue
            total = np.bincount(
                span_case[span_rows],
                weights=clock[stops[span_rows]] - clock[starts[span_rows]],
                minlength=moments.cases,
            )
            sums[f"{name}_{_UNIT_SUFFIXES[unit]}"] = pa.array(total.astype(np.int64))
    return sums


def _reply_turns(moments: OrderedMoments, clocks: Clocks) -> Columns:
    """How long a further word of the customer waited for a person's answer once there had been a first one.

    A turn begins with the first word after a reply and ends with the next reply; words in between belong to it.
    What nobody had answered when the case was closed is no turn.
    """
    positions = moments.positions_of(*_FOLLOW_UP_KINDS, *_REPLY_KINDS, *END_KINDS)
    case, kind = moments.case[positions], moments.kind[positions]
    is_reply, is_end = is_kind(kind, _REPLY_KINDS), is_kind(kind, END_KINDS)
    begins = np.flatnonzero(np.r_[True, (case[1:] != case[:-1]) | (is_reply | is_end)[:-1]])[: len(case)]
    ends = np.r_[begins[1:], len(case)][: len(begins)] - 1
    first_reply = moments.first(moments.positions_of(*_REPLY_KINDS))[case[begins]]
    is_turn = (first_reply >= 0) & (first_reply < positions[begins]) & ~(is_reply | is_end)[begins] & ~is_end[ends]
    begins, ends = begins[is_turn], ends[is_turn]
    is_answered = is_reply[ends]
    owner, starts, stops = case[begins], positions[begins], positions[ends]
    open_turn = moments.last(starts[~is_answered])
    columns: Columns = {
        "turns": pa.array(np.bincount(owner[is_answered], minlength=moments.cases)),
        **{f"turn_{unit}": values_at(clock, open_turn) for unit, clock in clocks.items()},
    }
    for unit, clock in clocks.items():
        longest = np.full(moments.cases, -1, dtype=np.int64)
        if clock is not None:
            np.maximum.at(longest, owner[is_answered], clock[stops[is_answered]] - clock[starts[is_answered]])
        columns[f"next_reply_{_UNIT_SUFFIXES[unit]}"] = pa.array(longest, mask=longest < 0)
    return columns


def _promise_changes(moments: OrderedMoments) -> Columns:
    """How often another due time was named in time, and how often too late."""
    positions = moments.with_value("due", moments.positions_of("promised"))
    rows, case = moments.row[positions], moments.case[positions]
    due, microseconds = (
        moments.columns["due"].cast(pa.int64()).take(pa.array(rows)).to_numpy(),
        moments.microseconds[rows],
    )
    change_rows = np.flatnonzero((case[1:] == case[:-1]) & (due[1:] != due[:-1]))
    is_late = microseconds[1:][change_rows] > due[:-1][change_rows]
    return {
        name: pa.array(np.bincount(case[1:][change_rows][mask], minlength=moments.cases))
        for name, mask in (("renegotiated", ~is_late), ("overrun", is_late))
    }


def _final_state(moments: OrderedMoments, last_end: pa.Array) -> Columns:
    """Whether a case is closed, and how; `ended`: in its own right, at a time that is known."""
    state, end = (moments.last(moments.positions_of(*kinds)) for kinds in (STATE_OF_KIND, END_KINDS))
    last_kind = moments.last_status_kind
    closed, abandoned, merged = (
        is_kind(last_kind, END_KINDS),
        is_kind(last_kind, ["abandoned"]),
        is_kind(last_kind, ["merged"]),
    )
    is_ended = closed & ~merged & (end >= 0) & moments.is_time_known(end)
    state_after = np.where(state >= 0, STATE_BY_KIND[moments.kind[state]], 0)
    facts = {
        "closed": closed, "abandoned": abandoned, "merged": merged, "ended": is_ended,
        "resolved_unknown": closed & ~merged & ~is_ended, "state": np.where(closed, CLOSED, state_after),
    }  # fmt: skip
    resolved = pc.if_else(pa.array(is_ended), last_end, pa.scalar(None, pa.int64()))
    return {**{name: pa.array(column) for name, column in facts.items()}, "resolved_s": resolved}


def _durations(times: Columns, facts: Columns, resolved: pa.Array) -> Columns:
    """Times between two of a case's dates, in seconds."""
    asked = times["asked_s"]
    return {
        "reply_secs": pc.subtract(times["first_reply_s"], asked),
        "handover_secs": pc.subtract(facts["first_handover_s"], asked),
        "resolution_secs": pc.subtract(times["first_resolved_s"], asked),
        "full_secs": pc.subtract(resolved, asked),
        "late_secs": pc.subtract(resolved, facts["due_s"]),
        "state_s": pc.max_element_wise(times["state_s"], asked, skip_nulls=False),
        "closed_first": pc.less(times["first_resolved_s"], asked).fill_null(False),
        "due_first": pc.less(facts["due_s"], asked).fill_null(False),
    }


def _business_times(moments: OrderedMoments, times: Columns, open_turn: pa.Array, ended: pa.Array) -> Columns:
    """Waits and spans in business seconds, and what tells how they go on; without opening hours they are missing."""
    asked, null_column = times["asked_b"], pa.nulls(moments.cases, pa.int64())

    def business(event: str) -> pa.Array:  # what lies before the ask stays negative when closed
        is_early = pc.less(times[f"{event}_s"], times["asked_s"])
        calendar_time = pc.subtract(times[f"{event}_s"], times["asked_s"])
        return pc.if_else(is_early, calendar_time, pc.subtract(times[f"{event}_b"], asked))

    now = pa.array((moments.hours.f - moments.hours.b)[moments.end]) if moments.hours else null_column
    return {
        "reply_bus": business("first_reply"),
        "resolution_bus": business("first_resolved"),
        "full_bus": pc.if_else(ended, business("last_end"), null_column),
        "turn_bus": pc.subtract(open_turn, asked),
        "state_bus": pc.max_element_wise(pc.subtract(times["state_b"], asked), 0, skip_nulls=False),
        "clock_from": pc.add(now, asked),
        "calendar": moments.hours.calendar_names(moments.end)
        if moments.hours
        else pa.nulls(moments.cases, pa.string()),
    }


def _promise_fate(times: Columns, due: pa.Array, ending: Columns) -> Columns:
    """How long the last promise was for, and what became of it."""
    closed = ending["closed"]
    span = pc.subtract(due, times["asked_s"])
    has_due = pc.greater_equal(span, 0).fill_null(False)
    days = np.clip((span.fill_null(0).to_numpy() + SECONDS_PER_DAY - 1) // SECONDS_PER_DAY, 1, len(_PROMISE_LABELS)) - 1
    label_numbers = pa.array(days.astype(np.int32), mask=~has_due.to_numpy(zero_copy_only=False))
    closed_fate = pc.if_else(pc.less_equal(times["last_end_s"], due), 1, 2)
    fate = pc.if_else(closed, pc.if_else(ending["abandoned"], 3, closed_fate), 0)
    is_known = pc.and_(has_due, pc.or_(pc.invert(closed), ending["ended"]))
    return {
        "promised": pa.DictionaryArray.from_arrays(label_numbers, pa.array(_PROMISE_LABELS)),
        "promise_fate": pc.if_else(is_known, fate, pa.scalar(None, fate.type)),
    }


def _calendar_days(dates: Columns, zone: str) -> Columns:
    """The days and months of a case's dates, and the time of day of its first ask, by the zone's wall clock."""
    day_columns: Columns = {}
    for date_basis, seconds in dates.items():
        missing = seconds.is_null().to_numpy(zero_copy_only=False)
        wall_seconds = wall_clock(seconds.fill_null(0).to_numpy(), zone)
        day = wall_seconds // SECONDS_PER_DAY
        day_columns[f"{date_basis}_day"] = pa.array(day, mask=missing)
        day_columns[f"{date_basis}_month"] = pa.array(_month_of_days(day), mask=missing)
        if date_basis == "asked":
            day_columns["asked_time"] = pa.array(wall_seconds - day * SECONDS_PER_DAY)
    return day_columns


def _month_of_days(day: Ints) -> Ints:
    """The month, yyyymm, of days since 1970-01-01."""
    first, last = int(day.min(initial=0)), int(day.max(initial=0))
    if last - first > max(len(day), 1000):
        return _compute_months(day)
    return _compute_months(np.arange(first, last + 1))[day - first]  # a day's month is looked up, not worked out again


def _compute_months(day: Ints) -> Ints:
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)  # since 1970
    months: Ints = (1970 + month // 12) * 100 + month % 12 + 1
    return months

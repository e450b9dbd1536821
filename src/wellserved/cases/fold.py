"""One row a case, from its moments alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wellserved.calendar import DAY, Calendars, wall_clock
from wellserved.cases.ordered import ENDS, KIND, STATES, WORDS, Bools, Columns, Ints, Ordered, encoded
from wellserved.moments import CASE_COLUMNS, MOMENT_COLUMNS, SEGMENTS

TYPES: Final = {column.name: column.type for column in CASE_COLUMNS}
TEXTS: Final = [
    one.name for one in CASE_COLUMNS if one.type == "VARCHAR" and one.name not in ("case_id", "customer_id")
]
"""Columns of few words, kept as dictionaries."""
FOLDED_FROM: Final = tuple(
    column.name
    for column in MOMENT_COLUMNS
    if column.name
    not in ("moment_id", "source_ref", "text", "amount", "currency", "import_id", "month", "internal", "correction")
)
"""The columns of the log that the fold reads."""

_INTERVALS: Final = {"paused": 1, "held": 2, "gap": 3}  # sums of stretches -> the state they are spent in
_UNITS: Final = {"s": "secs", "b": "bus"}  # clock -> the ending of columns that hold a span on it
_REPLIES, _FURTHER = ("replied", "explained"), ("chased", "complained", "returned")
_COUNTS: Final = {
    "replies": _REPLIES, "resolutions": ("resolved",), "reopens": ("reopened",), "chases": ("chased",),
    "contacts": ("asked", *_FURTHER), "handovers": ("handed_over",), "promises": ("promised",), "complaints": ("complained",),
    "returns": ("returned",), "accepts": ("accepted",), "failures": ("failed",), "surveys": ("surveyed",),
}  # fmt: skip
_LEADS_TO = np.array([*(STATES.get(kind, 0) for kind in KIND), 0], dtype=np.int64)
_FACTS = tuple(segment for segment in SEGMENTS if segment != "source")
_ARROW: Final = {"BIGINT": pa.int64(), "INTEGER": pa.int32(), "DOUBLE": pa.float64()}
_PROMISED: Final = ("01 day", *(f"{days:02d} days" for days in range(2, 31)), "31 days or more")

Clocks = Mapping[str, Ints | None]  # seconds of each moment, in order


def fold(moments: pa.Table, zone: str, calendars: Calendars, only: Bools | None = None) -> pa.Table:
    """The cases of these moments, one row each; all moments of a case have to be among them.

    `moments`: FOLDED_FROM, of those that count; `only`: the moments to fold, without it all.
    `zone`: the one that days and months are of. Texts come as dictionaries.
    """
    m = Ordered(moments, calendars, only)
    m.rearrange(np.argsort(_month(wall_clock(m.s[m.asked], zone) // DAY), kind="stable"))  # as they are kept
    columns: Columns = {"source": m.taken("source", m.end), "case_id": m.case_id}
    columns |= {fact: m.taken(fact, m.last_known(fact)) for fact in (*_FACTS, "source_kept")}
    columns |= {name: m.count(m.some(*kinds)) for name, kinds in _COUNTS.items()}
    clocks = {"s": m.s, "b": m.clock.b if m.clock else None}  # calendar time, and opening hours where there are any
    columns |= _facts(m) | _clocks(m, clocks) | _stretches(m, clocks) | _turns(m, clocks) | _promises(m)
    columns |= _last_word(m, columns)
    columns |= _spans(columns) | _hours(m, columns) | _promise(columns)
    columns |= _days(columns, zone)
    return pa.table({name: _typed(columns[name], name) for name in TYPES})


def _typed(column: pa.Array, name: str) -> pa.Array:
    """A column as the table of cases has it."""
    if TYPES[name] != "VARCHAR":
        return column.cast(_ARROW[TYPES[name]])
    return encoded(column.cast(pa.string()) if pa.types.is_null(column.type) else column) if name in TEXTS else column


def at(values: Ints | None, places: Ints) -> pa.Array:
    """Numbers, in order, at a place of each case; no numbers are missing ones."""
    if values is None:
        return pa.nulls(len(places), pa.int64())
    return pa.array(values[places], mask=places < 0)


def _clocks(m: Ordered, clocks: Clocks) -> Columns:
    """When what happened, on each clock; a clock only goes forward."""
    resolved, ends = m.some("resolved"), m.some(*ENDS)
    places = {
        "asked": m.asked,
        "first_reply": m.first(m.some(*_REPLIES)),
        "first_resolved": m.first(resolved[m.sure(resolved)]),
        "last_end": m.last(ends[m.sure(ends)]),
        "state": m.last(m.some(*STATES)),
    }
    return {f"{name}_{unit}": at(clock, place) for unit, clock in clocks.items() for name, place in places.items()}


def _facts(m: Ordered) -> Columns:
    """Single facts: what was rated, what was promised, who had it."""
    rated, promised = m.some("rated"), m.some("promised")
    rated, promised = np.setdiff1d(rated, m.by_team, assume_unique=True), m.having("due", promised)
    return {
        "moments": pa.array(m.end - m.start + 1),
        "ratings": m.count(rated),
        "first_s": pa.array(m.s[m.start]),
        "first_handover_s": at(m.s, m.first(m.some("handed_over"))),
        "stations": m.different("team"),
        "persons": m.different("person_id"),
        "due_s": _seconds(m.taken("due", m.last(promised))),
        "first_due_s": _seconds(m.taken("due", m.first(promised))),
        "score": m.taken("score", m.last(m.having("score", rated))),
        "scale": m.taken("scale", m.last(m.having("scale", rated))),
        "recovered_s": at(m.s, m.last(m.some("recovered"))),
        "last_s": at(m.s, m.last_timely),
    }


def _seconds(stamps: pa.Array) -> pa.Array:
    """Whole seconds since 1970, rounded down."""
    us = stamps.cast(pa.int64()).fill_null(0).to_numpy()
    return pa.array(us // 1_000_000, mask=stamps.is_null().to_numpy(zero_copy_only=False))


def _stretches(m: Ordered, clocks: Clocks) -> Columns:
    """The time spent in each state between a case's first ask and its last word, on each clock."""
    places = m.some(*STATES)
    case, kind = m.case[places], m.kind[places]
    state = _state_after(case, kind)
    word, start = m.last(m.some(*WORDS)), m.asked
    here = np.flatnonzero(np.r_[case[1:] == case[:-1], np.zeros(min(len(case), 1), dtype=np.bool_)])
    here = here[places[here] >= start[case[here]]]
    # The stretch from the first ask to the next change of state, in the state that was reached before it.
    following = np.searchsorted(places, start, side="right")
    found = np.flatnonzero(following < len(places))
    found = found[case[following[found]] == found]
    before = following[found] - 1
    reached = (before >= 0) & (case[before] == found)
    fresh = ~(reached & (places[before] == start[found]))  # else the change itself begins the stretch
    froms = np.r_[places[here], start[found][fresh]]
    tos = np.r_[places[here + 1], places[following[found]][fresh]]
    spent = np.r_[state[here], np.where(reached, state[before], 0)[fresh]]
    owner = m.case[froms]
    spent = np.where((spent < 3) | (froms < word[owner]), spent, -1)
    sums: Columns = {}
    for name, number in _INTERVALS.items():
        of = np.flatnonzero(spent == number)
        for unit, clock in clocks.items():
            if clock is None:
                sums[f"{name}_{_UNITS[unit]}"] = pa.nulls(m.cases, pa.int64())
                continue
            total = np.bincount(owner[of], weights=clock[tos[of]] - clock[froms[of]], minlength=m.cases)
            sums[f"{name}_{_UNITS[unit]}"] = pa.array(total.astype(np.int64))
    return sums


def _state_after(case: Ints, kind: npt.NDArray[np.int8]) -> Ints:
    """The state of a case after each of its changes: an end lasts until it is reopened."""
    word = _are(kind, WORDS)
    last = np.maximum.accumulate(np.where(word, np.arange(len(kind)), -1))
    ended = (last >= 0) & (case[last] == case) & (_LEADS_TO[kind[last]] == 3)
    found: Ints = np.where(ended, 3, _LEADS_TO[kind])
    return found


def _are(kind: npt.NDArray[np.int8], kinds: Iterable[str]) -> Bools:
    """Whether each is one of these kinds; -1, no kind, is none."""
    found = np.zeros(len(KIND) + 2, dtype=np.bool_)
    found[[KIND[name] for name in kinds]] = True
    return found[kind]


def _turns(m: Ordered, clocks: Clocks) -> Columns:
    """How long a further word of the customer waited for a person's answer once there had been a first one.

    A turn begins with the first word after a reply and ends with the next reply; words in between belong to it.
    What nobody had answered when the case was closed is no turn.
    """
    places = m.some(*_FURTHER, *_REPLIES, *ENDS)
    case, kind = m.case[places], m.kind[places]
    reply, end = _are(kind, _REPLIES), _are(kind, ENDS)
    begins = np.flatnonzero(np.r_[True, (case[1:] != case[:-1]) | (reply | end)[:-1]])[: len(case)]
    ends = np.r_[begins[1:], len(case)][: len(begins)] - 1
    replied = m.first(m.some(*_REPLIES))[case[begins]]
    turn = (replied >= 0) & (replied < places[begins]) & ~(reply | end)[begins] & ~end[ends]
    begins, ends = begins[turn], ends[turn]
    done = reply[ends]
    owner, froms, tos = case[begins], places[begins], places[ends]
    waiting = m.last(froms[~done])
    columns: Columns = {
        "turns": pa.array(np.bincount(owner[done], minlength=m.cases)),
        **{f"turn_{unit}": at(clock, waiting) for unit, clock in clocks.items()},
    }
    for unit, clock in clocks.items():
        longest = np.full(m.cases, -1, dtype=np.int64)
        if clock is not None:
            np.maximum.at(longest, owner[done], clock[tos[done]] - clock[froms[done]])
        columns[f"next_reply_{_UNITS[unit]}"] = pa.array(longest, mask=longest < 0)
    return columns


def _promises(m: Ordered) -> Columns:
    """How often another due time was named in time, and how often too late."""
    places = m.having("due", m.some("promised"))
    rows, case = m.row[places], m.case[places]
    due, us = m.given["due"].cast(pa.int64()).take(pa.array(rows)).to_numpy(), m.us[rows]
    other = np.flatnonzero((case[1:] == case[:-1]) & (due[1:] != due[:-1]))
    late = us[1:][other] > due[:-1][other]
    return {
        name: pa.array(np.bincount(case[1:][other][which], minlength=m.cases))
        for name, which in (("renegotiated", ~late), ("overrun", late))
    }


def _last_word(m: Ordered, columns: Columns) -> Columns:
    """Whether a case is closed, and how; `ended`: in its own right, at a time that is known."""
    word, state, end = (m.last(m.some(*kinds)) for kinds in (WORDS, STATES, ENDS))
    said = np.where(word >= 0, m.kind[word], -1)
    closed, abandoned, merged = _are(said, ENDS), _are(said, ["abandoned"]), _are(said, ["merged"])
    ended = closed & ~merged & (end >= 0) & m.sure(end)
    led = np.where(state >= 0, _LEADS_TO[m.kind[state]], 0)
    found = {
        "closed": closed, "abandoned": abandoned, "merged": merged, "ended": ended,
        "resolved_unknown": closed & ~merged & ~ended, "state": np.where(closed, 3, led),
    }  # fmt: skip
    resolved = pc.if_else(pa.array(ended), columns["last_end_s"], pa.scalar(None, pa.int64()))
    return {**{name: pa.array(column) for name, column in found.items()}, "resolved_s": resolved}


def _spans(columns: Columns) -> Columns:
    """Times between two of a case's dates, in seconds."""
    asked, resolved = columns["asked_s"], columns["resolved_s"]
    return {
        "reply_secs": pc.subtract(columns["first_reply_s"], asked),
        "handover_secs": pc.subtract(columns["first_handover_s"], asked),
        "resolution_secs": pc.subtract(columns["first_resolved_s"], asked),
        "full_secs": pc.subtract(resolved, asked),
        "late_secs": pc.subtract(resolved, columns["due_s"]),
        "state_s": pc.max_element_wise(columns["state_s"], asked, skip_nulls=False),
        "closed_first": pc.less(columns["first_resolved_s"], asked).fill_null(False),
        "due_first": pc.less(columns["due_s"], asked).fill_null(False),
    }


def _hours(m: Ordered, columns: Columns) -> Columns:
    """The same in business seconds, and what tells how they go on; without opening hours they are missing."""
    asked, nothing = columns["asked_b"], pa.nulls(m.cases, pa.int64())

    def business(what: str) -> pa.Array:  # what lies before the ask stays negative when closed
        early = pc.less(columns[f"{what}_s"], columns["asked_s"])
        calendar_time = pc.subtract(columns[f"{what}_s"], columns["asked_s"])
        return pc.if_else(early, calendar_time, pc.subtract(columns[f"{what}_b"], asked))

    now = pa.array((m.clock.f - m.clock.b)[m.end]) if m.clock else nothing
    return {
        "reply_bus": business("first_reply"),
        "resolution_bus": business("first_resolved"),
        "full_bus": pc.if_else(columns["ended"], business("last_end"), nothing),
        "turn_bus": pc.subtract(columns["turn_b"], asked),
        "state_bus": pc.max_element_wise(pc.subtract(columns["state_b"], asked), 0, skip_nulls=False),
        "clock_from": pc.add(now, asked),
        "calendar": m.clock.named(m.end) if m.clock else pa.nulls(m.cases, pa.string()),
    }


def _promise(columns: Columns) -> Columns:
    """How long the last promise was for, and what became of it."""
    closed, due = columns["closed"], columns["due_s"]
    span = pc.subtract(due, columns["asked_s"])
    made = pc.greater_equal(span, 0).fill_null(False)
    days = np.clip((span.fill_null(0).to_numpy() + DAY - 1) // DAY, 1, len(_PROMISED)) - 1
    promised = pa.array(days.astype(np.int32), mask=~made.to_numpy(zero_copy_only=False))
    kept = pc.if_else(pc.less_equal(columns["last_end_s"], due), 1, 2)
    fate = pc.if_else(closed, pc.if_else(columns["abandoned"], 3, kept), 0)
    known = pc.and_(made, pc.or_(pc.invert(closed), columns["ended"]))
    return {
        "promised": pa.DictionaryArray.from_arrays(promised, pa.array(_PROMISED)),
        "promise_fate": pc.if_else(known, fate, pa.scalar(None, fate.type)),
    }


def _days(columns: Columns, zone: str) -> Columns:
    """The days and months of a case's dates, and the time of day of its first ask, by the zone's wall clock."""
    found: Columns = {}
    for anchor in ("asked", "resolved", "due"):
        seconds = columns[f"{anchor}_s"]
        missing = seconds.is_null().to_numpy(zero_copy_only=False)
        wall = wall_clock(seconds.fill_null(0).to_numpy(), zone)
        day = wall // DAY
        found[f"{anchor}_day"] = pa.array(day, mask=missing)
        found[f"{anchor}_month"] = pa.array(_month(day), mask=missing)
        if anchor == "asked":
            found["asked_time"] = pa.array(wall - day * DAY)
    return found


def _month(day: Ints) -> Ints:
    """The month, yyyymm, of days since 1970-01-01."""
    first, last = int(day.min(initial=0)), int(day.max(initial=0))
    if last - first > max(len(day), 1000):
        return _months(day)
    return _months(np.arange(first, last + 1))[day - first]  # a day's month is looked up, not worked out again


def _months(day: Ints) -> Ints:
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)  # since 1970
    found: Ints = (1970 + month // 12) * 100 + month % 12 + 1
    return found

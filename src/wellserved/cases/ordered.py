"""Moments of whole cases in their order, and what each case takes from them.

All that a case says is the first, the last or the number of some of its moments, or a sum over the stretches between
them. So moments are sorted once, by case and by their order within it, and each column is one pass over the few moments
that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wellserved.moments import KINDS, SEGMENTS

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Columns = dict[str, pa.Array]
Clocks = Mapping[str, Ints | None]  # seconds of each moment, in order

CUSTOMERS: Final = tuple(kind for kind, (side, _) in KINDS.items() if side == "customer")
ENDS: Final = ("resolved", "abandoned", "merged")
WORDS: Final = (*ENDS, "reopened")  # only these open and close a case: a pause after its end is no reopening
STATES: Final = {"reopened": 0, "resumed": 0, "paused": 1, "held": 2, **dict.fromkeys(ENDS, 3)}
"""Kind -> the state that it leads to."""
_LEADS: Final = {"reopened": 1, "resumed": 2, "paused": 3, "held": 3, **dict.fromkeys(ENDS, 4)}
RANKS: Final = {kind: _LEADS.get(kind, 0) * len(KINDS) + place for place, kind in enumerate(KINDS)}
"""Kind -> its order among moments of one instant and one row: what leads to what, and no two alike."""
TIES: Final = 1 << 32  # what of a moment's content decides between two that are alike in all this
INTERVALS: Final = {"paused": 1, "held": 2, "gap": 3}  # sums of stretches -> the state they are spent in
_UNITS: Final = {"s": "secs", "b": "bus"}  # clock -> the ending of columns that hold a span on it
_REPLIES, _FURTHER = ("replied", "explained"), ("chased", "complained", "returned")
_COUNTS: Final = {
    "replies": _REPLIES, "resolutions": ("resolved",), "reopens": ("reopened",), "chases": ("chased",),
    "contacts": ("asked", *_FURTHER), "handovers": ("handed_over",), "promises": ("promised",), "complaints": ("complained",),
    "returns": ("returned",), "accepts": ("accepted",), "failures": ("failed",), "surveys": ("surveyed",),
}  # fmt: skip
_KIND = {kind: place for place, kind in enumerate(KINDS)}
_OTHER = len(KINDS)  # a kind that this version does not know: it is a moment of its case, and nothing more
_LEADS_TO = np.array([*(STATES.get(kind, 0) for kind in KINDS), 0], dtype=np.int64)
_FACTS = tuple(segment for segment in SEGMENTS if segment != "source")


class Ordered:
    """The moments of whole cases, sorted; a place is where a moment stands, -1 that there is none.

    `given`: source, case_id, kind, at_is, us and s (microseconds and seconds since 1970), source_row, tie, timely (it
    happened before it was recorded), outside (no team's rating of another), due_us, score, scale, source_kept, the segments, and,
    with opening hours, b, f and calendar.
    """

    def __init__(self, given: pa.RecordBatchReader) -> None:
        self.given = _whole(given)
        kinds = _encoded(self.given["kind"])
        codes = np.array([_KIND.get(kind, _OTHER) for kind in kinds.dictionary.to_pylist()] or [0], dtype=np.int8)
        kind, case = codes[kinds.indices.to_numpy()], _case_numbers(self.given)
        ranks = np.array([*RANKS.values(), 0], dtype=np.int16)
        self.row = _sorted(case, self._ints("us"), (self._ints("source_row"), ranks[kind], self._ints("tie")))
        self.case, self.kind = case[self.row], kind[self.row]
        self.s = self._ints("s")[self.row]
        self._by_kind: Ints = np.argsort(self.kind, kind="stable")
        self._some: dict[tuple[str, ...], Ints] = {}  # several columns are about the same kinds
        self._borders = np.searchsorted(self.kind[self._by_kind], np.arange(len(KINDS) + 1))
        self.start: Ints = np.flatnonzero(np.r_[True, self.case[1:] != self.case[:-1]])[: len(self.case)]
        self.cases = len(self.start)
        self.end: Ints = np.r_[self.start[1:], len(self.case)][: self.cases] - 1

    def _ints(self, column: str) -> Ints:
        found: Ints = self.given[column].to_numpy()
        return found

    def column(self, name: str) -> Ints:
        """A column without gaps, in order."""
        return self._ints(name)[self.row]

    def has(self, name: str) -> Bools:
        """Where a column has a value, in order."""
        column = self.given[name]
        if not column.null_count:
            return np.ones(len(self.row), dtype=np.bool_)
        return self._truths(column.is_valid())

    def true(self, name: str) -> Bools:
        """Where a column is true, in order."""
        return self._truths(self.given[name])

    def _truths(self, column: pa.Array) -> Bools:
        found: Bools = column.fill_null(False).to_numpy(zero_copy_only=False)
        return found[self.row]

    @cached_property
    def sure(self) -> Bools:
        """Where the time is known, in order; not the earliest that it could be."""
        return self._truths(pc.not_equal(self.given["at_is"], "not_before"))

    @cached_property
    def asked(self) -> Ints:
        """The first ask of each case; without one, the customer's first word, or the first moment."""
        asked, customer = self.first(self.some("asked")), self.first(self.some(*CUSTOMERS))
        found: Ints = np.where(asked >= 0, asked, np.where(customer >= 0, customer, self.start))
        return found

    def some(self, *kinds: str) -> Ints:
        """The places of the moments of these kinds."""
        if kinds not in self._some:
            each = [self._by_kind[slice(*self._borders[_KIND[kind] : _KIND[kind] + 2])] for kind in kinds]
            self._some[kinds] = each[0] if len(each) == 1 else np.sort(np.concatenate(each))
        return self._some[kinds]

    def first(self, places: Ints) -> Ints:
        """The first of these places in each case."""
        return self.last(places[::-1])

    def last(self, places: Ints) -> Ints:
        """The last of these places in each case."""
        found = np.full(self.cases, -1, dtype=np.int64)
        found[self.case[places]] = places  # of several, the last one written stays
        return found

    def count(self, places: Ints) -> pa.Array:
        """How many of these places each case has."""
        return pa.array(np.bincount(self.case[places], minlength=self.cases))

    def taken(self, name: str, places: Ints) -> pa.Array:
        """What a column says at a place of each case."""
        column = self.given[name]
        if column.null_count == len(column):
            return pa.nulls(len(places), column.type)
        return column.take(pa.array(self.row[places], mask=places < 0))


def _whole(given: pa.RecordBatchReader) -> dict[str, pa.Array]:
    """The columns, each in one piece."""
    parts: dict[str, list[pa.Array]] = {
        name: [pa.array([], given.schema.field(name).type)] for name in given.schema.names
    }
    for batch in given:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            parts[name].append(column)
    return {name: pa.concat_arrays(parts.pop(name)) for name in given.schema.names}


def at(values: Ints | None, places: Ints) -> pa.Array:
    """Numbers, in order, at a place of each case; no numbers are missing ones."""
    if values is None:
        return pa.nulls(len(places), pa.int64())
    return pa.array(values[places], mask=places < 0)


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    """Texts as numbers; a missing one is a text like any other."""
    return pc.dictionary_encode(column, null_encoding="encode")


def _case_numbers(given: Mapping[str, pa.Array]) -> Ints:
    """The case of each row, from 0 on."""
    cases, sources = _encoded(given["case_id"]), _encoded(given["source"])
    number: Ints = cases.indices.to_numpy().astype(np.int64)
    if len(sources.dictionary) > 1:  # one number in two sources is two cases
        both = number * len(sources.dictionary) + sources.indices.to_numpy()
        number = np.unique(both, return_inverse=True)[1].astype(np.int64)
    return number


def _sorted(case: Ints, us: Ints, ties: tuple[npt.NDArray[np.integer[Any]], ...]) -> Ints:
    """The rows by case, instant, and what decides between those of one instant, the first before the others.

    Case and second fit into one integer, which sorts many times as fast as four columns; only rows that are alike in both
    are then sorted by all.
    """
    if not len(case):
        return np.zeros(0, dtype=np.int64)
    second = us // 1_000_000
    second -= second.min()
    bits = int(second.max()).bit_length()
    if bits + int(case.max()).bit_length() > 63:
        whole: Ints = np.lexsort((*ties[::-1], us, case))
        return whole
    key = (case << bits) | second
    order: Ints = np.argsort(key)
    key = key[order]
    same = key[1:] == key[:-1]
    alike = np.r_[False, same] | np.r_[same, False]
    few = order[alike]
    order[alike] = few[np.lexsort((*(tie[few] for tie in ties[::-1]), us[few], case[few]))]
    return order


def case_rows(m: Ordered, hours: bool) -> pa.Table:
    """One row a case: what its moments say; `hours`: there are opening hours."""
    columns: dict[str, Any] = {name: m.taken(name, m.end) for name in ("source", "case_id")}
    columns |= {fact: m.taken(fact, _last_known(m, fact)) for fact in (*_FACTS, "source_kept")}
    columns |= {name: m.count(m.some(*kinds)) for name, kinds in _COUNTS.items()}
    clocks = {"s": m.s, "b": m.column("b") if hours else None}  # calendar time, and opening hours where there are any
    columns |= _facts(m) | _clocks(m, clocks) | _stretches(m, clocks) | _turns(m, clocks) | _promises(m)
    nothing = pa.nulls(m.cases, pa.int64())
    columns["calendar"] = m.taken("calendar", m.end) if hours else pa.nulls(m.cases, pa.string())
    columns["clock_now"] = pa.array((m.column("f") - m.column("b"))[m.end]) if hours else nothing
    return pa.table(columns)


def _last_known(m: Ordered, fact: str) -> Ints:
    """Where each case last says something."""
    return m.last(np.flatnonzero(m.has(fact))) if m.given[fact].null_count else m.end


def _clocks(m: Ordered, clocks: Clocks) -> Columns:
    """When what happened, on each clock; a clock only goes forward."""
    resolved, ends = m.some("resolved"), m.some(*ENDS)
    places = {
        "asked": m.asked,
        "first_reply": m.first(m.some(*_REPLIES)),
        "first_resolved": m.first(resolved[m.sure[resolved]]),
        "last_end": m.last(ends[m.sure[ends]]),
        "state": m.last(m.some(*STATES)),
    }
    return {f"{name}_{unit}": at(clock, place) for unit, clock in clocks.items() for name, place in places.items()}


def _facts(m: Ordered) -> Columns:
    """Single facts: the last word, what was rated, what was promised."""
    word, state, ends = m.last(m.some(*WORDS)), m.last(m.some(*STATES)), m.last(m.some(*ENDS))
    rated, promised = m.some("rated"), m.some("promised")
    rated, promised = rated[m.true("outside")[rated]], promised[m.has("due_us")[promised]]
    first_due, due = m.taken("due_us", m.first(promised)), m.taken("due_us", m.last(promised))
    return {
        "moments": pa.array(m.end - m.start + 1),
        "ratings": m.count(rated),
        "first_s": pa.array(m.s[m.start]),
        "first_handover_s": at(m.s, m.first(m.some("handed_over"))),
        "last_word": m.taken("kind", word),
        "last_end_at_is": m.taken("at_is", ends),
        "state": at(_LEADS_TO[m.kind], state),
        "stations": _different(m, "team"),
        "persons": _different(m, "person_id"),
        "due_s": _seconds(due),
        "first_due_s": _seconds(first_due),
        "score": m.taken("score", m.last(rated[m.has("score")[rated]])),
        "scale": m.taken("scale", m.last(rated[m.has("scale")[rated]])),
        "recovered_s": at(m.s, m.last(m.some("recovered"))),
        "last_s": at(m.s, m.last(np.flatnonzero(m.true("timely")))),
    }  # fmt: skip


def _seconds(us: pa.Array) -> pa.Array:
    """Whole seconds, rounded down."""
    return pa.array(us.fill_null(0).to_numpy() // 1_000_000, mask=us.is_null().to_numpy(zero_copy_only=False))


def _different(m: Ordered, fact: str) -> pa.Array:
    """How many different values of a fact each case has."""
    words = _encoded(m.given[fact])
    known = np.flatnonzero(m.has(fact))
    keys = m.case[known] * len(words.dictionary) + words.indices.to_numpy()[m.row[known]]
    keys = np.sort(_changes(keys))  # most moments repeat the one before: few are left to be sorted
    return pa.array(np.bincount(_changes(keys) // max(len(words.dictionary), 1), minlength=m.cases))


def _changes(values: Ints) -> Ints:
    """Values that differ from the one before."""
    found: Ints = values[np.r_[True, values[1:] != values[:-1]][: len(values)]]
    return found


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
    for name, number in INTERVALS.items():
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
    word = np.isin(kind, [_KIND[name] for name in WORDS])
    last = np.maximum.accumulate(np.where(word, np.arange(len(kind)), -1))
    ended = (last >= 0) & (case[last] == case) & (_LEADS_TO[kind[last]] == 3)
    found: Ints = np.where(ended, 3, _LEADS_TO[kind])
    return found


def _turns(m: Ordered, clocks: Clocks) -> Columns:
    """How long a further word of the customer waited for a person's answer once there had been a first one.

    A turn begins with the first word after a reply and ends with the next reply; words in between belong to it.
    What nobody had answered when the case was closed is no turn.
    """
    places = m.some(*_FURTHER, *_REPLIES, *ENDS)
    case, kind = m.case[places], m.kind[places]
    reply, end = (np.isin(kind, [_KIND[name] for name in names]) for names in (_REPLIES, ENDS))
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
    places = m.some("promised")
    places = places[m.has("due_us")[places]]
    rows, case = m.row[places], m.case[places]
    due, us = m.given["due_us"].take(pa.array(rows)).to_numpy(), m.given["us"].take(pa.array(rows)).to_numpy()
    other = np.flatnonzero((case[1:] == case[:-1]) & (due[1:] != due[:-1]))
    late = us[1:][other] > due[:-1][other]
    return {
        name: pa.array(np.bincount(case[1:][other][which], minlength=m.cases))
        for name, which in (("renegotiated", ~late), ("overrun", late))
    }

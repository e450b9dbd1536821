"""Moments of whole cases in their order, and what each case takes from them.

All that a case says is the first, the last or the number of some of its moments, or a sum over the stretches between
them. So moments are sorted once, by case and by their order within it, and each column is one pass over the few moments
that it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wellserved.calendar import Calendars, Clock, span_of_days
from wellserved.moments import KINDS
from wellserved.months import piece

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Columns = dict[str, pa.Array]

CUSTOMERS: Final = tuple(kind for kind, (side, _) in KINDS.items() if side == "customer")
ENDS: Final = ("resolved", "abandoned", "merged")
WORDS: Final = (*ENDS, "reopened")  # only these open and close a case: a pause after its end is no reopening
STATES: Final = {"reopened": 0, "resumed": 0, "paused": 1, "held": 2, **dict.fromkeys(ENDS, 3)}
"""Kind -> the state that it leads to."""
_LEADS: Final = {"reopened": 1, "resumed": 2, "paused": 3, "held": 3, **dict.fromkeys(ENDS, 4)}
RANKS: Final = {kind: _LEADS.get(kind, 0) * len(KINDS) + place for place, kind in enumerate(KINDS)}
"""Kind -> its order among moments of one instant and one row: what leads to what, and no two alike."""
TIES: Final = 1 << 32  # what of a moment's content decides between two that are alike in all this
KIND: Final = {kind: place for place, kind in enumerate(KINDS)}
_OTHER = len(KINDS)  # a kind that this version does not know: it is a moment of its case, and nothing more


class Ordered:
    """The moments of whole cases, sorted; a place is where a moment stands, -1 that there is none.

    `given`: the columns of the log that the fold reads, texts as they are or as dictionaries; `only`: the rows to look at.
    """

    def __init__(self, given: pa.Table, calendars: Calendars, only: Bools | None = None) -> None:
        self.given = _pieces(given)
        rows = np.arange(given.num_rows) if only is None else np.flatnonzero(only)
        self.us = self._ints("at")
        case, self.case_id = _case_numbers(
            given["case_id"] if only is None else given["case_id"].filter(pa.array(only)), self._words("source")[rows]
        )
        order, self.case, self.s = _sorted(case, self.us[rows], lambda few: self._ties(rows[few]))
        self.row = rows[order]
        self.kind = self._kinds[self.row]
        self._by_kind: Ints = np.argsort(self.kind, kind="stable")
        self._borders = np.searchsorted(self.kind[self._by_kind], np.arange(len(KINDS) + 1))
        self._some: dict[tuple[str, ...], Ints] = {}  # several columns are about the same kinds
        self.start: Ints = np.flatnonzero(np.r_[True, self.case[1:] != self.case[:-1]])[: len(self.case)]
        self.cases = len(self.start)
        self.end: Ints = np.r_[self.start[1:], len(self.case)][: self.cases] - 1
        # A team's rating of another names the rated team, which need not have the case.
        self.by_team = self.having("from_team", self.some("rated"))
        if len(self.by_team):
            rating = np.zeros(given.num_rows, dtype=np.bool_)
            rating[self.row[self.by_team]] = True
            team = self.given["team"]
            self.given["team"] = pc.if_else(pa.array(rating), pa.scalar(None, team.type), team)
        self.clock = _Hours(self, calendars) if calendars.all else None

    def _ints(self, column: str) -> Ints:
        """All rows' numbers; a missing one is 0."""
        found: Ints = _whole(self.given[column].cast(pa.int64()), 0)
        return found

    @cached_property
    def _kinds(self) -> npt.NDArray[np.int8]:
        """All rows' kinds, by their numbers."""
        words = encoded(self.given["kind"])
        known = [KIND.get(kind, _OTHER) for kind in words.dictionary.to_pylist()]
        found: npt.NDArray[np.int8] = np.array([*known, _OTHER], dtype=np.int8)[codes(words)]
        return found

    def _ties(self, rows: Ints) -> tuple[npt.NDArray[np.integer[Any]], ...]:
        """What decides between moments of one instant, the first before the others."""
        ranks = np.array([*RANKS.values(), 0], dtype=np.int16)
        return self._ints("source_row")[rows], ranks[self._kinds[rows]], self._ints("content")[rows] & (TIES - 1)

    def has(self, name: str) -> Bools:
        """Where a column has a value, in order."""
        found: Bools = self.given[name].is_valid().to_numpy(zero_copy_only=False)[self.row]
        return found

    def having(self, name: str, places: Ints) -> Ints:
        """Those of the places where a column has a value."""
        column = self.given[name]
        if not column.null_count:
            return places
        found: Ints = places[column.is_valid().to_numpy(zero_copy_only=False)[self.row[places]]]
        return found

    def sure(self, places: Ints) -> Bools:
        """Whether the time is known at these places, not the earliest that it could be."""
        return ~_says(self.given["at_is"], "not_before", self.row[places])

    @property
    def last_timely(self) -> Ints:
        """The last moment of each case that happened before it was recorded."""
        recorded = self._ints("recorded_at")
        if not len(self.us) or self.us.max() <= recorded.min():
            return self.end
        return self.last(np.flatnonzero((self.us <= recorded)[self.row]))

    @cached_property
    def asked(self) -> Ints:
        """The first ask of each case; without one, the customer's first word, or the first moment."""
        asked, customer = self.first(self.some("asked")), self.first(self.some(*CUSTOMERS))
        found: Ints = np.where(asked >= 0, asked, np.where(customer >= 0, customer, self.start))
        return found

    def some(self, *kinds: str) -> Ints:
        """The places of the moments of these kinds."""
        if kinds not in self._some:
            each = [self._by_kind[slice(*self._borders[KIND[kind] : KIND[kind] + 2])] for kind in kinds]
            self._some[kinds] = each[0] if len(each) == 1 else np.sort(np.concatenate(each))
        return self._some[kinds]

    def rearrange(self, order: Ints) -> None:
        """Put the cases into another order; their moments stay where they are."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        self.case, self.start, self.end = place[self.case], self.start[order], self.end[order]
        self.case_id = self.case_id.take(pa.array(order))
        del self.asked

    def first(self, places: Ints) -> Ints:
        """The first of these places in each case."""
        return self.last(places[::-1])

    def last(self, places: Ints) -> Ints:
        """The last of these places in each case."""
        found = np.full(self.cases, -1, dtype=np.int64)
        found[self.case[places]] = places  # of several, the last one written stays
        return found

    def last_known(self, fact: str) -> Ints:
        """Where each case last says something."""
        missing = self.given[fact].null_count
        if missing in (0, len(self.given[fact])):
            return self.end
        return self.last(np.flatnonzero(self.has(fact)))

    def count(self, places: Ints) -> pa.Array:
        """How many of these places each case has."""
        return pa.array(np.bincount(self.case[places], minlength=self.cases))

    def taken(self, name: str, places: Ints) -> pa.Array:
        """What a column says at a place of each case."""
        column = self.given[name]
        if column.null_count == len(column):
            return pa.nulls(len(places), column.type)
        return column.take(pa.array(self.row[places], mask=places < 0))

    def different(self, fact: str) -> pa.Array:
        """How many different values of a fact each case has."""
        word, case = self._words(fact)[self.row], self.case
        if self.given[fact].null_count:
            known = np.flatnonzero(word >= 0)
            word, case = word[known], case[known]
        many = int(word.max(initial=0)) + 1
        keys = case * many + word
        keys = np.sort(_changes(keys))  # most moments repeat the one before: few are left to be sorted
        return pa.array(np.bincount(_changes(keys) // many, minlength=self.cases))

    def _words(self, fact: str) -> npt.NDArray[np.int32]:
        """All rows' texts as numbers; a missing one is -1."""
        return codes(encoded(self.given[fact]))


class _Hours:
    """The business seconds of each moment, in order.

    `f` counts in the calendar in force at the moment, from the start of 2000; `b` counts through the case's own
    calendars: a difference of two is the open time between them, whoever held the case.
    """

    def __init__(self, m: Ordered, calendars: Calendars) -> None:
        self.names = [one.name for one in calendars.all]
        ends = (int(m.s.min()), int(m.s.max())) if len(m.s) else (0, 0)
        clocks = {one.name: Clock(one, *span_of_days(*ends)) for one in calendars.all}
        self.calendar = np.zeros(len(m.s), dtype=np.int64)
        if calendars.only:
            self.calendar += self.names.index(calendars.only.name)
            self.b = self.f = clocks[calendars.only.name].at(m.s)
            return
        self._choose(m, calendars)
        following = m.s[np.minimum(np.arange(len(m.s)) + 1, len(m.s) - 1)]
        following[m.end] = m.s[m.end]
        self.f, pieces = np.zeros_like(m.s), np.zeros_like(m.s)
        for place, name in enumerate(self.names):
            here = np.flatnonzero(self.calendar == place)
            self.f[here] = clocks[name].at(m.s[here])
            pieces[here] = clocks[name].at(following[here]) - self.f[here]
        run = np.cumsum(pieces) - pieces
        self.b = run - run[m.start][m.case]

    def _choose(self, m: Ordered, calendars: Calendars) -> None:
        """The calendar of each moment, by the team and the service that were last named before it; the first use that fits."""
        last: dict[str, tuple[pa.DictionaryArray, Ints]] = {}
        for fact in ("team", "service"):
            words = encoded(m.given[fact])
            known = np.maximum.accumulate(np.where(m.has(fact), np.arange(len(m.row)), -1))
            last[fact] = words, np.where(known >= m.start[m.case], codes(words)[m.row[known]], -1)
        free = np.ones(len(m.row), dtype=np.bool_)
        for use in calendars.uses:
            fits = free.copy()
            for fact, names in (("team", use.teams), ("service", use.services)):
                words, now = last[fact]
                wanted = [place for place, word in enumerate(words.dictionary.to_pylist()) if word in names]
                fits &= np.isin(now, wanted) if names else True
            self.calendar[fits] = self.names.index(use.calendar)
            free &= ~fits

    def named(self, places: Ints) -> pa.Array:
        """The calendar at a place of each case."""
        return pa.DictionaryArray.from_arrays(pa.array(self.calendar[places].astype(np.int32)), pa.array(self.names))


def _pieces(given: pa.Table) -> Columns:
    """The columns, each in one piece, but for the cases' numbers."""
    found: Columns = {}
    for name in given.column_names:
        if name not in ("case_id", "box"):
            column = given[name]
            found[name] = piece(column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column)
    return found


def _whole(column: pa.Array, missing: int) -> npt.NDArray[Any]:
    """Numbers, and one for what is missing."""
    found: npt.NDArray[Any] = (column.fill_null(missing) if column.null_count else column).to_numpy()
    return found


def encoded(column: pa.Array) -> pa.DictionaryArray:
    """Texts as numbers."""
    return column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()


def codes(words: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    """The number of each text; a missing one is -1."""
    found: npt.NDArray[np.int32] = _whole(words.indices, -1)
    return found


def _says(column: pa.Array, word: str, rows: Ints) -> Bools:
    """Which of the rows have this word."""
    words = encoded(column)
    wanted = [place for place, one in enumerate(words.dictionary.to_pylist()) if one == word]
    number = codes(words)[rows]
    found: Bools = np.isin(number, wanted) if wanted else np.zeros(len(number), dtype=np.bool_)
    return found


def _case_numbers(case_id: pa.ChunkedArray, source: npt.NDArray[np.int32]) -> tuple[Ints, pa.Array]:
    """The case of each row, from 0 on, without gaps; and each case's number in its source."""
    words = piece(case_id.cast(pa.string()).dictionary_encode())
    number: Ints = codes(words).astype(np.int64)
    if not len(source) or source.min() == source.max():
        return number, words.dictionary
    many = int(source.max()) + 1  # one number in two sources is two cases
    both, number = np.unique(number * many + source, return_inverse=True)
    return number.astype(np.int64), words.dictionary.take(pa.array(both // many))


def _sorted(
    case: Ints, us: Ints, ties: Callable[[Ints], tuple[npt.NDArray[np.integer[Any]], ...]]
) -> tuple[Ints, Ints, Ints]:
    """The order by case, instant, and `ties` of some rows, with case and second in that order.

    Case and second fit into one integer, which sorts many times as fast as four columns; only rows that are alike in both
    are then sorted by all.
    """
    second = us // 1_000_000
    least = second.min(initial=0)
    bits = int(second.max(initial=0) - least).bit_length()
    if bits + int(case.max(initial=0)).bit_length() > 63:
        whole: Ints = np.lexsort((*ties(np.arange(len(case)))[::-1], us, case))
        return whole, case[whole], second[whole]
    key = (case << bits) | (second - least)
    order: Ints = np.argsort(key)
    key = key[order]
    same = key[1:] == key[:-1]
    alike = np.r_[False, same][: len(key)] | np.r_[same, False][: len(key)]
    few = order[alike]
    order[alike] = few[np.lexsort((*ties(few)[::-1], us[few], case[few]))]
    return order, key >> bits, (key & ((1 << bits) - 1)) + least


def _changes(values: Ints) -> Ints:
    """Values that differ from the one before."""
    found: Ints = values[np.r_[True, values[1:] != values[:-1]][: len(values)]]
    return found

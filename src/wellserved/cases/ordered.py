"""Moments of whole cases in their order, and what each case takes from them.

All that a case says is the first, the last or the number of some of its moments, or a sum over the stretches between
them. So moments are sorted once, by case and by their order within it, and each column is one pass over the few moments
that it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wellserved.calendar import Calendars, Clock, span_of_days
from wellserved.moments import CLOSED, IN_PAUSE, MOMENT_KINDS, ON_HOLD
from wellserved.storage.months import combine_chunks

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Columns = dict[str, pa.Array]

CUSTOMER_KINDS: Final = tuple(name for name, kind in MOMENT_KINDS.items() if kind.side == "customer")
END_KINDS: Final = ("resolved", "abandoned", "merged")
# only these open and close a case: a pause after its end is no reopening
STATUS_KINDS: Final = (
    *END_KINDS,
    "reopened",
)
STATE_OF_KIND: Final = {
    "reopened": 0,
    "resumed": 0,
    "paused": IN_PAUSE,
    "held": ON_HOLD,
    **dict.fromkeys(END_KINDS, CLOSED),
}
"""Kind -> the state that it leads to."""
_KIND_ORDER: Final = {"reopened": 1, "resumed": 2, "paused": 3, "held": 3, **dict.fromkeys(END_KINDS, 4)}
_RANK_OF_KIND: Final = {
    kind: _KIND_ORDER.get(kind, 0) * len(MOMENT_KINDS) + index for index, kind in enumerate(MOMENT_KINDS)
}
"""Kind -> its order among moments of one instant and one row: what leads to what, and no two alike."""
_TIE_COUNT: Final = 1 << 32  # what of a moment's content decides between two that are alike in all this
NUMBER_OF_KIND: Final = {kind: index for index, kind in enumerate(MOMENT_KINDS)}
# a kind that this version does not know: it is a moment of its case, and nothing more
_UNKNOWN_KIND = len(MOMENT_KINDS)
STATE_BY_KIND: Final[Ints] = np.array([*(STATE_OF_KIND.get(kind, 0) for kind in NUMBER_OF_KIND), 0], dtype=np.int64)
"""Number of a kind -> the state that it leads to; of others, and of no kind (-1), 0."""


class OrderedMoments:
    """The moments of whole cases, sorted; a position is where a moment stands, -1 that there is none.

    `moments`: the columns of the log that the fold reads, texts as they are or as dictionaries; `mask`: the rows to look at.
    """

    def __init__(self, moments: pa.Table, calendars: Calendars, mask: Bools | None = None) -> None:
        self.columns = _column_arrays(moments)
        rows = np.arange(moments.num_rows) if mask is None else np.flatnonzero(mask)
        self.microseconds = self._ints("at")
        case, self.case_id = _case_numbers(
            moments["case_id"] if mask is None else moments["case_id"].filter(pa.array(mask)),
            self._words("source")[rows],
        )
        order, self.case, self.seconds = _sort_moments(
            case, self.microseconds[rows], lambda tied_rows: self._ties(rows[tied_rows])
        )
        self.row = rows[order]
        self.kind = self._kinds[self.row]
        self._by_kind: Ints = np.argsort(self.kind, kind="stable")
        self._borders = np.searchsorted(self.kind[self._by_kind], np.arange(len(MOMENT_KINDS) + 1))
        self._positions_of_kinds: dict[tuple[str, ...], Ints] = {}  # several columns are about the same kinds
        self.start: Ints = np.flatnonzero(np.r_[True, self.case[1:] != self.case[:-1]])[: len(self.case)]
        self.cases = len(self.start)
        self.end: Ints = np.r_[self.start[1:], len(self.case)][: self.cases] - 1
        # A team's rating of another names the rated team, which need not have the case.
        self.team_ratings = self.with_value("from_team", self.positions_of("rated"))
        if len(self.team_ratings):
            rating = np.zeros(moments.num_rows, dtype=np.bool_)
            rating[self.row[self.team_ratings]] = True
            team = self.columns["team"]
            self.columns["team"] = pc.if_else(pa.array(rating), pa.scalar(None, team.type), team)
        self.hours = _Hours(self, calendars) if calendars.calendars else None

    def _ints(self, column: str) -> Ints:
        """All rows' numbers; a missing one is 0."""
        numbers: Ints = _filled_numbers(self.columns[column].cast(pa.int64()), 0)
        return numbers

    @cached_property
    def _kinds(self) -> npt.NDArray[np.int8]:
        """All rows' kinds, by their numbers."""
        words = encode_dictionary(self.columns["kind"])
        kind_numbers = [NUMBER_OF_KIND.get(kind, _UNKNOWN_KIND) for kind in words.dictionary.to_pylist()]
        kinds: npt.NDArray[np.int8] = np.array([*kind_numbers, _UNKNOWN_KIND], dtype=np.int8)[dictionary_codes(words)]
        return kinds

    def _ties(self, rows: Ints) -> tuple[npt.NDArray[np.integer[Any]], ...]:
        """What decides between moments of one instant, the first before the others."""
        ranks = np.array([*_RANK_OF_KIND.values(), 0], dtype=np.int16)
        return self._ints("source_row")[rows], ranks[self._kinds[rows]], self._ints("content")[rows] & (_TIE_COUNT - 1)

    def has_value(self, name: str) -> Bools:
        """Where a column has a value, in order."""
        is_valid: Bools = self.columns[name].is_valid().to_numpy(zero_copy_only=False)[self.row]
        return is_valid

    def with_value(self, name: str, positions: Ints) -> Ints:
        """Those of the positions where a column has a value."""
        column = self.columns[name]
        if not column.null_count:
            return positions
        valid_positions: Ints = positions[column.is_valid().to_numpy(zero_copy_only=False)[self.row[positions]]]
        return valid_positions

    def is_time_known(self, positions: Ints) -> Bools:
        """Whether the time is known at these positions, not the earliest that it could be."""
        return ~_has_word(self.columns["at_is"], "not_before", self.row[positions])

    @property
    def last_timely(self) -> Ints:
        """The last moment of each case that happened before it was recorded."""
        recorded_at = self._ints("recorded_at")
        if not len(self.microseconds) or self.microseconds.max() <= recorded_at.min():
            return self.end
        return self.last(np.flatnonzero((self.microseconds <= recorded_at)[self.row]))

    @cached_property
    def first_ask(self) -> Ints:
        """The first ask of each case; without one, the customer's first word, or the first moment."""
        first_requests, first_words = (
            self.first(self.positions_of("asked")),
            self.first(self.positions_of(*CUSTOMER_KINDS)),
        )
        first_asks: Ints = np.where(
            first_requests >= 0, first_requests, np.where(first_words >= 0, first_words, self.start)
        )
        return first_asks

    def positions_of(self, *kinds: str) -> Ints:
        """The positions of the moments of these kinds."""
        if kinds not in self._positions_of_kinds:
            positions = [
                self._by_kind[slice(*self._borders[NUMBER_OF_KIND[kind] : NUMBER_OF_KIND[kind] + 2])] for kind in kinds
            ]
            self._positions_of_kinds[kinds] = (
                positions[0] if len(positions) == 1 else np.sort(np.concatenate(positions))
            )
        return self._positions_of_kinds[kinds]

    @cached_property
    def state_changes(self) -> tuple[Ints, Ints]:
        """The positions at which a case's state may change, and the state from there on: an end lasts until it is reopened."""
        positions = self.positions_of(*STATE_OF_KIND)
        case, kind = self.case[positions], self.kind[positions]
        last = np.maximum.accumulate(np.where(is_kind(kind, STATUS_KINDS), np.arange(len(kind)), -1))
        is_ended = (last >= 0) & (case[last] == case) & (STATE_BY_KIND[kind[last]] == CLOSED)
        return positions, np.where(is_ended, CLOSED, STATE_BY_KIND[kind])

    @property
    def last_status_kind(self) -> npt.NDArray[np.int8]:
        """The kind that last closed or reopened each case; -1: none."""
        last = self.last(self.positions_of(*STATUS_KINDS))
        return np.where(last >= 0, self.kind[last], -1).astype(np.int8)

    def reorder_cases(self, order: Ints) -> None:
        """Put the cases into another order; their moments stay where they are."""
        new_position = np.empty_like(order)
        new_position[order] = np.arange(len(order))
        self.case, self.start, self.end = new_position[self.case], self.start[order], self.end[order]
        self.case_id = self.case_id.take(pa.array(order))
        del self.first_ask

    def first(self, positions: Ints) -> Ints:
        """The first of these positions in each case."""
        return self.last(positions[::-1])

    def last(self, positions: Ints) -> Ints:
        """The last of these positions in each case."""
        last_positions = np.full(self.cases, -1, dtype=np.int64)
        last_positions[self.case[positions]] = positions  # of several, the last one written stays
        return last_positions

    def last_known(self, fact: str) -> Ints:
        """Where each case last says something."""
        missing = self.columns[fact].null_count
        if missing in (0, len(self.columns[fact])):
            return self.end
        return self.last(np.flatnonzero(self.has_value(fact)))

    def count(self, positions: Ints) -> pa.Array:
        """How many of these positions each case has."""
        return pa.array(np.bincount(self.case[positions], minlength=self.cases))

    def values_at(self, name: str, positions: Ints) -> pa.Array:
        """What a column says at a position of each case."""
        column = self.columns[name]
        if column.null_count == len(column):
            return pa.nulls(len(positions), column.type)
        return column.take(pa.array(self.row[positions], mask=positions < 0))

    def count_distinct(self, fact: str) -> pa.Array:
        """How many different values of a fact each case has."""
        word, case = self._words(fact)[self.row], self.case
        if self.columns[fact].null_count:
            valid_rows = np.flatnonzero(word >= 0)
            word, case = word[valid_rows], case[valid_rows]
        word_count = int(word.max(initial=0)) + 1
        keys = case * word_count + word
        keys = np.sort(_changed_values(keys))  # most moments repeat the one before: few are left to be sorted
        return pa.array(np.bincount(_changed_values(keys) // word_count, minlength=self.cases))

    def _words(self, fact: str) -> npt.NDArray[np.int32]:
        """All rows' texts as numbers; a missing one is -1."""
        return dictionary_codes(encode_dictionary(self.columns[fact]))


class _Hours:
    """The business seconds of each moment, in order.

    `f` counts in the calendar in force at the moment, from the start of 2000; `b` counts through the case's own
    calendars: a difference of two is the open time between them, whoever held the case.
    """

    def __init__(self, moments: OrderedMoments, calendars: Calendars) -> None:
        self.names = [calendar.name for calendar in calendars.calendars]
        ends = (int(moments.seconds.min()), int(moments.seconds.max())) if len(moments.seconds) else (0, 0)
        self._clocks = [Clock(calendar, *span_of_days(*ends)) for calendar in calendars.calendars]
        self.calendar = np.zeros(len(moments.seconds), dtype=np.int64)
        self._single = self.names.index(calendars.single.name) if calendars.single else None
        if self._single is not None:
            self.calendar += self._single
            self.b = self.f = self.open_seconds_at(moments.seconds)
            return
        self._choose(moments, calendars)
        next_seconds = moments.seconds[np.minimum(np.arange(len(moments.seconds)) + 1, len(moments.seconds) - 1)]
        next_seconds[moments.end] = moments.seconds[moments.end]
        self.f = self.open_seconds_at(moments.seconds)
        span_seconds = self.open_seconds_at(next_seconds) - self.f
        running_total = np.cumsum(span_seconds) - span_seconds
        self.b = running_total - running_total[moments.start][moments.case]

    def open_seconds_at(self, seconds: Ints) -> Ints:
        """Open seconds from the start of 2000 to an instant for each moment, in the calendar in force at that moment."""
        if self._single is not None:
            return self._clocks[self._single].open_seconds_at(seconds)
        open_seconds = np.zeros_like(seconds)
        for number, clock in enumerate(self._clocks):
            indices = np.flatnonzero(self.calendar == number)
            open_seconds[indices] = clock.open_seconds_at(seconds[indices])
        return open_seconds

    def _choose(self, moments: OrderedMoments, calendars: Calendars) -> None:
        """The calendar of each moment, by the team and the service that were last named before it; the first use that fits."""
        last: dict[str, tuple[pa.DictionaryArray, Ints]] = {}
        for fact in ("team", "service"):
            words = encode_dictionary(moments.columns[fact])
            last_positions = np.maximum.accumulate(np.where(moments.has_value(fact), np.arange(len(moments.row)), -1))
            last[fact] = (
                words,
                np.where(
                    last_positions >= moments.start[moments.case],
                    dictionary_codes(words)[moments.row[last_positions]],
                    -1,
                ),
            )
        is_free = np.ones(len(moments.row), dtype=np.bool_)
        for assignment in calendars.uses:
            fits = is_free.copy()
            for fact, names in (("team", assignment.teams), ("service", assignment.services)):
                words, word_number = last[fact]
                word_numbers = [number for number, word in enumerate(words.dictionary.to_pylist()) if word in names]
                fits &= np.isin(word_number, word_numbers) if names else True
            self.calendar[fits] = self.names.index(assignment.calendar)
            is_free &= ~fits

    def calendar_names(self, positions: Ints) -> pa.Array:
        """The calendar at a position of each case."""
        return pa.DictionaryArray.from_arrays(pa.array(self.calendar[positions].astype(np.int32)), pa.array(self.names))


def is_kind(kind: npt.NDArray[np.int8], kinds: Iterable[str]) -> Bools:
    """Whether each is one of these kinds; -1, no kind, is none."""
    is_member = np.zeros(len(NUMBER_OF_KIND) + 2, dtype=np.bool_)
    is_member[[NUMBER_OF_KIND[name] for name in kinds]] = True
    return is_member[kind]


def _column_arrays(table: pa.Table) -> Columns:
    """The columns, each in one piece, but for the cases' numbers."""
    arrays: Columns = {}
    for name in table.column_names:
        if name not in ("case_id", "box"):
            column = table[name]
            arrays[name] = combine_chunks(
                column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column
            )
    return arrays


def _filled_numbers(column: pa.Array, fill_value: int) -> npt.NDArray[Any]:
    """Numbers, and one for what is missing."""
    numbers: npt.NDArray[Any] = (column.fill_null(fill_value) if column.null_count else column).to_numpy()
    return numbers


def encode_dictionary(column: pa.Array) -> pa.DictionaryArray:
    """Texts as numbers."""
    return column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()


def dictionary_codes(words: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    """The number of each text; a missing one is -1."""
    numbers: npt.NDArray[np.int32] = _filled_numbers(words.indices, -1)
    return numbers


def _has_word(column: pa.Array, word: str, rows: Ints) -> Bools:
    """Which of the rows have this word."""
    words = encode_dictionary(column)
    matching_numbers = [index for index, text in enumerate(words.dictionary.to_pylist()) if text == word]
    numbers = dictionary_codes(words)[rows]
    is_match: Bools = np.isin(numbers, matching_numbers) if matching_numbers else np.zeros(len(numbers), dtype=np.bool_)
    return is_match


def _case_numbers(case_id: pa.ChunkedArray, source: npt.NDArray[np.int32]) -> tuple[Ints, pa.Array]:
    """The case of each row, from 0 on, without gaps; and each case's number in its source."""
    words = combine_chunks(case_id.cast(pa.string()).dictionary_encode())
    numbers: Ints = dictionary_codes(words).astype(np.int64)
    if not len(source) or source.min() == source.max():
        return numbers, words.dictionary
    source_count = int(source.max()) + 1  # one number in two sources is two cases
    pairs, numbers = np.unique(numbers * source_count + source, return_inverse=True)
    return numbers.astype(np.int64), words.dictionary.take(pa.array(pairs // source_count))


def _sort_moments(
    case: Ints, microseconds: Ints, ties: Callable[[Ints], tuple[npt.NDArray[np.integer[Any]], ...]]
) -> tuple[Ints, Ints, Ints]:
    """The order by case, instant, and `ties` of some rows, with case and second in that order.

    Case and second fit into one integer, which sorts many times as fast as four columns; only rows that are alike in both
    are then sorted by all.
    """
    second = microseconds // 1_000_000
    first_second = second.min(initial=0)
    bits = int(second.max(initial=0) - first_second).bit_length()
    if bits + int(case.max(initial=0)).bit_length() > 63:
        full_order: Ints = np.lexsort((*ties(np.arange(len(case)))[::-1], microseconds, case))
        return full_order, case[full_order], second[full_order]
    key = (case << bits) | (second - first_second)
    order: Ints = np.argsort(key)
    key = key[order]
    is_same = key[1:] == key[:-1]
    is_tied = np.r_[False, is_same][: len(key)] | np.r_[is_same, False][: len(key)]
    tied_rows = order[is_tied]
    order[is_tied] = tied_rows[np.lexsort((*ties(tied_rows)[::-1], microseconds[tied_rows], case[tied_rows]))]
    return order, key >> bits, (key & ((1 << bits) - 1)) + first_second


def _changed_values(values: Ints) -> Ints:
    """Values that differ from the one before."""
    changes: Ints = values[np.r_[True, values[1:] != values[:-1]][: len(values)]]
    return changes

"""Waits by period and segment, each group sorted: one pass over the cases, whatever is asked of them.

A wait is coded as twice its seconds, and one more where it still goes on; so sorted, at one time the ends
come before the waits that go on. Rows are sorted in runs while the next are read: group and wait share one 64-bit
integer, so that one sort of integers orders a run. Cases come by month, so that most groups lie in one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wellserved.measure.interval import coded_quantile

Key = tuple[int, str | None]  # period key, segment
NEVER = 1 << 60  # epoch second of what has not come
RUN = 1 << 20  # rows sorted together
Waits = npt.NDArray[np.int64]


def sorted_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Key, Waits]]:
    """From batches of `period`, `segment` and `coded`: the coded waits of each group, sorted; NULL is no wait, or in no period."""
    segments: dict[str | None, int] = {}
    with ThreadPoolExecutor(1) as beside:  # one: segments are numbered in the order in which they come
        runs = beside.map(lambda some: _run(some, segments), _together(batches))
        pieces: dict[tuple[int, int], list[Waits]] = {}
        for group, waits in chain.from_iterable(runs):
            pieces.setdefault(group, []).append(waits)
    names = list(segments)
    for place, period in sorted(pieces):
        found = pieces.pop((place, period))
        if len(found) > 1:
            found = [np.concatenate(found)]
            found[0].sort()
        yield (period, names[place]), found[0]


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches by the run."""
    some: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        some.append(batch)
        rows += batch.num_rows
        if rows >= RUN:
            yield some
            some, rows = [], 0
    if some:
        yield some


class _Numbers(NamedTuple):
    """What is known of some rows: the number of the segment, the period and the wait."""

    place: Waits
    period: Waits
    wait: Waits


def _run(batches: Iterable[pa.RecordBatch], segments: dict[str | None, int]) -> Iterable[tuple[tuple[int, int], Waits]]:
    """The rows of these batches by the number of their segment and by period, the waits of each group sorted."""
    parts = [part for batch in batches if len((part := _numbers(batch, segments)).wait)]
    if not parts:
        return []
    (first, last), (least, most) = _range(part.period for part in parts), _range(part.wait for part in parts)
    many, bits = last - first + 1, (most - least).bit_length()
    if bits + (len(segments) * many).bit_length() > 63:
        return _sorted_apart(parts)
    keys = _packed(parts, first, many, least, bits)
    starts, numbers = _groups(keys, bits)
    keys &= (1 << bits) - 1
    keys += least
    return [
        ((number // many, number % many + first), keys[start:end])
        for number, (start, end) in zip(numbers, pairwise([*starts, len(keys)]), strict=True)
    ]


def _numbers(batch: pa.RecordBatch, segments: dict[str | None, int]) -> _Numbers:
    """The rows with a wait and a period."""
    if batch["coded"].null_count or batch["period"].null_count:
        batch = batch.filter(pc.and_(batch["coded"].is_valid(), batch["period"].is_valid()))
    period, wait = (batch[name].cast(pa.int64()).to_numpy() for name in ("period", "coded"))
    return _Numbers(_places(batch, segments), period, wait)


def _places(batch: pa.RecordBatch, segments: dict[str | None, int]) -> Waits:
    """The number of each row's segment; new segments are numbered as they come."""
    if batch["segment"].null_count == batch.num_rows:  # not split at all
        return np.full(batch.num_rows, segments.setdefault(None, len(segments)), dtype=np.int64)
    words = batch["segment"].dictionary_encode()
    names = [*words.dictionary.to_pylist(), None] if words.null_count else words.dictionary.to_pylist()
    numbers = np.array([segments.setdefault(name, len(segments)) for name in names], dtype=np.int64)
    place = words.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
    found: Waits = numbers[place]
    return found


def reduce_waits(quantiles: Sequence[float], batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """The quantiles of each group of coded waits, in seconds, with their 95% intervals; not reached: infinite.

    Takes the rows of one group or of many; gives period, segment, n, open (waits that go on) and for each
    quantile value_i, low_i, high_i.
    """
    rows: list[tuple[object, ...]] = []
    for (period, segment), waits in sorted_groups(batches):
        found = (bound for p in quantiles for bound in coded_quantile(waits, p))
        rows.append((period, segment, len(waits), int(np.count_nonzero(waits & 1)), *found))
    bounds = [(f"{what}_{place}", pa.float64()) for place in range(len(quantiles)) for what in ("value", "low", "high")]
    schema = pa.schema(
        [("period", pa.int64()), ("segment", pa.string()), ("n", pa.int64()), ("open", pa.int64()), *bounds]
    )
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def _range(columns: Iterable[Waits]) -> tuple[int, int]:
    """The least and the most of them all."""
    ends = [(int(column.min()), int(column.max())) for column in columns]
    return min(least for least, _ in ends), max(most for _, most in ends)


def _packed(parts: list[_Numbers], first: int, many: int, least: int, bits: int) -> Waits:
    """Group and wait of each row in one integer, sorted; the parts are used up."""
    both = np.empty(sum(len(part.wait) for part in parts), dtype=np.int64)
    end = len(both)
    while parts:
        part = parts.pop()
        key = both[end - len(part.wait) : end]
        end -= len(key)
        np.multiply(part.place, many, out=key)
        key += part.period
        key -= first
        key <<= bits
        key += part.wait
        key -= least
    both.sort()
    return both


def _groups(keys: Waits, bits: int) -> tuple[list[int], list[int]]:
    """Where each group starts, and its number."""
    starts, numbers, start = [], [], 0
    while start < len(keys):
        starts.append(start)
        numbers.append(int(keys[start]) >> bits)
        start = int(np.searchsorted(keys, ((numbers[-1] + 1) << bits) - 1, side="right"))
    return starts, numbers


def _sorted_apart(parts: list[_Numbers]) -> Iterable[tuple[tuple[int, int], Waits]]:
    """The same where both do not fit into 64 bits: very many segments over centuries."""
    place, period, waits = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((waits, period, place))
    place, period, waits = place[order], period[order], waits[order]
    new = (place[1:] != place[:-1]) | (period[1:] != period[:-1])
    starts = [0, *(np.flatnonzero(new) + 1).tolist()]
    return [
        ((int(place[start]), int(period[start])), waits[start:end]) for start, end in pairwise([*starts, len(waits)])
    ]

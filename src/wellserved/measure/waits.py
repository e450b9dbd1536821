"""Waits by period and segment, each group sorted: one pass over the cases, one sort, whatever is asked of them.

A wait is coded as twice its seconds, and one more where it still goes on; so sorted, at one time the ends
come before the waits that go on. Group and wait share one 64-bit integer, so that one sort of integers
orders ten million of them in a fifth of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wellserved.measure.interval import coded_quantile

Key = tuple[int, str | None]  # period key, segment
NEVER = 1 << 60  # epoch second of what has not come
Waits = npt.NDArray[np.int64]


def sorted_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Key, Waits]]:
    """From batches of `period`, `segment` and `coded`: the coded waits of each group, sorted; NULL is no wait, or in no period."""
    segments: dict[str | None, int] = {}
    groups: list[Waits] = []
    waits: list[Waits] = []
    for batch in batches:
        group, wait = _numbered(batch, segments), _numbers(batch["coded"])
        if batch["coded"].null_count or batch["period"].null_count:
            known = pc.and_(batch["coded"].is_valid(), batch["period"].is_valid()).to_numpy(zero_copy_only=False)
            group, wait = group[known], wait[known]
        groups.append(group)
        waits.append(wait)
    if not waits:
        return
    names = list(segments)
    for number, found in split_sorted(groups, waits):
        yield (number % _PERIODS - _EARLIEST, names[number // _PERIODS]), found


_PERIODS, _EARLIEST = 1 << 19, 1 << 18  # room for every day number and every yyyymm


def _numbered(batch: pa.RecordBatch, segments: dict[str | None, int]) -> Waits:
    """The group of each row as one integer."""
    found: Waits = _places(batch, segments) * _PERIODS + (_numbers(batch["period"]) + _EARLIEST)
    return found


def _numbers(column: pa.Array) -> Waits:
    """A missing one is 0."""
    found: Waits = column.cast(pa.int64()).fill_null(0).to_numpy()
    return found


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


def split_sorted(groups: list[Waits], waits: list[Waits]) -> Iterator[tuple[int, Waits]]:
    """Sort by group, then wait, and cut between the groups; the parts that come in are used up."""
    if not any(map(len, waits)):
        return
    (least, most), (least_group, most_group) = _range(waits), _range(groups)
    bits = (most - least).bit_length()
    if bits + (most_group - least_group).bit_length() > 63:
        yield from _split_apart(np.concatenate(groups), np.concatenate(waits))
        return
    for group, part in zip(groups, waits, strict=True):
        group -= least_group
        group <<= bits
        group |= part - least
    waits.clear()
    both = np.concatenate(groups)
    groups.clear()
    both.sort()
    start = 0
    while start < len(both):
        number = int(both[start]) >> bits
        end = int(np.searchsorted(both, ((number + 1) << bits) - 1, side="right"))
        yield number + least_group, (both[start:end] & ((1 << bits) - 1)) + least
        start = end


def _range(parts: Iterable[Waits]) -> tuple[int, int]:
    """The least and the most of them all."""
    some = [part for part in parts if len(part)]
    return min(int(part.min()) for part in some), max(int(part.max()) for part in some)


def _split_apart(groups: Waits, waits: Waits) -> Iterator[tuple[int, Waits]]:
    """The same where both do not fit into 64 bits: very many segments over centuries."""
    order = np.lexsort((waits, groups))
    groups, waits = groups[order], waits[order]
    edges = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(groups)]
    for start, end in pairwise(edges):
        yield int(groups[start]), waits[start:end]

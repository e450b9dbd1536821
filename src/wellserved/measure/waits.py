"""Waits by period and segment, each group sorted: one pass over the cases, one sort, whatever is asked of them.

A wait is coded as twice its seconds, and one more where it still goes on; so sorted, at one time the ends
come before the waits that go on. Group and wait share one 64-bit integer, so that one sort of integers
orders ten million of them in a fifth of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

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
    parts = [part for batch in batches if len((part := _numbers(batch, segments)).wait)]
    if not parts:
        return
    (first, last), (least, most) = _range(part.period for part in parts), _range(part.wait for part in parts)
    names, many, bits = list(segments), last - first + 1, (most - least).bit_length()
    packed = bits + (len(names) * many).bit_length() <= 63
    groups = (
        _cut(_packed(parts, first, many, least, bits), least, bits) if packed else _sorted_apart(parts, first, many)
    )
    for number, waits in groups:
        yield (number % many + first, names[number // many]), waits


class _Numbers(NamedTuple):
    """What is known of some rows: the number of the segment, the period and the wait."""

    place: Waits
    period: Waits
    wait: Waits


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


def _cut(both: Waits, least: int, bits: int) -> Iterator[tuple[int, Waits]]:
    """The waits of each group."""
    start = 0
    while start < len(both):
        number = int(both[start]) >> bits
        end = int(np.searchsorted(both, ((number + 1) << bits) - 1, side="right"))
        yield number, (both[start:end] & ((1 << bits) - 1)) + least
        start = end


def _sorted_apart(parts: list[_Numbers], first: int, many: int) -> Iterator[tuple[int, Waits]]:
    """The same where both do not fit into 64 bits: very many segments over centuries."""
    groups = np.concatenate([part.place * many + (part.period - first) for part in parts])
    waits = np.concatenate([part.wait for part in parts])
    order = np.lexsort((waits, groups))
    groups, waits = groups[order], waits[order]
    edges = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(groups)]
    for start, end in pairwise(edges):
        yield int(groups[start]), waits[start:end]

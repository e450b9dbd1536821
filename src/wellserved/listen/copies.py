"""Texts that are one text sent again: equal but for numbers, or nearly so. One of them stands for all.

Near copies: 5-word shingles by MinHash (Broder 1997), 128 hashes in bands of 4, then their Jaccard similarity itself.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wellserved.listen.clean import line_key

SHINGLE_WORDS = 5
HASHES = 128
BAND = 4
ALIKE = 0.85
MAX_BUCKET = 2_000  # texts of one band compared with its first
_PRIME = (1 << 31) - 1


def representatives(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """For every text the index of the first one that it is a copy of; its own where it is none."""
    first_of: dict[str, int] = {}
    place_of = np.arange(len(texts))
    for index, text in enumerate(texts):
        place_of[index] = first_of.setdefault(" ".join(line_key(text).split()), index)
    distinct = sorted(first_of.values())
    parent = dict(zip(distinct, distinct, strict=True))
    shingles = {index: _shingles(texts[index]) for index in distinct}
    for bucket in _buckets({index: words for index, words in shingles.items() if len(words) >= 3}):
        head = bucket[0]
        for other in bucket[1:MAX_BUCKET]:
            if parent[other] == other and parent[head] == head and _jaccard(shingles[head], shingles[other]) >= ALIKE:
                parent[other] = head
    return np.array([_root(parent, int(index)) for index in place_of], dtype=np.int64)


def _root(parent: dict[int, int], index: int) -> int:
    while parent[index] != index:
        index = parent[index]
    return index


def _shingles(text: str) -> frozenset[int]:
    words = line_key(text).split()
    return frozenset(
        zlib.crc32(" ".join(words[start : start + SHINGLE_WORDS]).encode())
        for start in range(len(words) - SHINGLE_WORDS + 1)
    )


def _jaccard(left: frozenset[int], right: frozenset[int]) -> float:
    return len(left & right) / max(len(left | right), 1)


def _buckets(shingles: dict[int, frozenset[int]]) -> list[list[int]]:
    """Texts that share a band of hashes, in their order."""
    random = np.random.default_rng(11)
    factors = random.integers(1, _PRIME, (HASHES, 1), dtype=np.int64)
    shifts = random.integers(0, _PRIME, (HASHES, 1), dtype=np.int64)
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, words in shingles.items():
        values = np.fromiter(words, dtype=np.int64) % _PRIME
        lowest = ((factors * values + shifts) % _PRIME).min(axis=1)
        for band in range(HASHES // BAND):
            buckets[band, lowest[band * BAND : (band + 1) * BAND].tobytes()].append(index)
    return [bucket for bucket in buckets.values() if len(bucket) > 1]

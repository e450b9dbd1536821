"""Texts that are one text sent again: equal but for numbers, or nearly so. One of them stands for all.

Near copies: 5-word shingles by MinHash (Broder 1997), 128 hashes in bands of 4, then their Jaccard similarity itself.
"""

from __future__ import annotations

import itertools
import zlib
from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wellserved.listen.clean import line_key

SHINGLE_WORDS = 5
HASHES = 128
BAND = 4
ALIKE = 0.85
FEWEST_SHINGLES = 3  # of a text that may be a near copy
MAX_BUCKET = 2_000  # texts of one band compared with its first
_PRIME = (1 << 31) - 1
_MIXER = np.int64(0x9E3779B97F4A7C1)


def representatives(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """For every text the index of the first one that it is a copy of; its own where it is none."""
    first_of: dict[str, int] = {}
    head_of = np.arange(len(texts))
    for index, text in enumerate(texts):
        head_of[index] = first_of.setdefault(" ".join(line_key(text).split()), index)
    shingles = Shingles(first_of)
    parent = {index: index for index in first_of.values()}
    for bucket in shingles.buckets():
        head = bucket[0]
        for other in bucket[1:MAX_BUCKET]:
            if parent[other] == other and parent[head] == head and shingles.similarity(head, other) >= ALIKE:
                parent[other] = head
    return np.array([_root(parent, int(index)) for index in head_of], dtype=np.int64)


def _root(parent: dict[int, int], index: int) -> int:
    while parent[index] != index:
        index = parent[index]
    return index


class Shingles:
    """Runs of five words of many texts, one after the other: a text's are those from its start to the next one's."""

    def __init__(self, index_by_text: Mapping[str, int]) -> None:
        values, starts, indices = array("Q"), [0], []
        for text, index in index_by_text.items():
            words = text.split(" ")
            text_shingles = {
                zlib.crc32(" ".join(words[start : start + SHINGLE_WORDS]).encode())
                for start in range(len(words) - SHINGLE_WORDS + 1)
            }
            if len(text_shingles) >= FEWEST_SHINGLES:
                values.extend(text_shingles)
                starts.append(len(values))
                indices.append(index)
        self._values = np.frombuffer(values, dtype=np.uint64).astype(np.int64) if values else np.zeros(0, np.int64)
        self._starts, self._indices = np.array(starts), np.array(indices, dtype=np.int64)
        self._position = {index: position for position, index in enumerate(indices)}

    def similarity(self, left: int, right: int) -> float:
        """Jaccard similarity of two texts."""
        first, second = (self._shingles_of(self._position[index]) for index in (left, right))
        return len(first & second) / max(len(first | second), 1)

    def _shingles_of(self, position: int) -> set[int]:
        return set(self._values[self._starts[position] : self._starts[position + 1]].tolist())

    def buckets(self) -> list[list[int]]:
        """Texts that share a band of hashes, in their order, by the first of them."""
        if not len(self._indices):
            return []
        random = np.random.default_rng(11)
        factors = random.integers(1, _PRIME, (HASHES, 1), dtype=np.int64)
        shifts = random.integers(0, _PRIME, (HASHES, 1), dtype=np.int64)
        numbered_buckets: list[tuple[int, int, list[int]]] = []
        for band in range(HASHES // BAND):
            rows = slice(band * BAND, (band + 1) * BAND)
            keys = self._keys(factors[rows], shifts[rows])
            order = np.argsort(keys, kind="stable")
            edges = np.flatnonzero(np.diff(keys[order], prepend=keys[order[:1]] - 1, append=keys[order[-1:]] + 1))
            numbered_buckets += [
                (int(self._indices[order[start]]), band, self._indices[order[start:end]].tolist())
                for start, end in itertools.pairwise(edges.tolist())
                if end - start > 1
            ]
        return [bucket for _first, _band, bucket in sorted(numbered_buckets)]

    def _keys(self, factors: npt.NDArray[np.int64], shifts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The lowest hashes of each text, as one number; two that fall together by chance are told apart by their similarity."""
        keys = np.zeros(len(self._indices), dtype=np.int64)
        residues = self._values % _PRIME
        for factor, shift in zip(factors, shifts, strict=True):
            keys = keys * _MIXER + np.minimum.reduceat((factor * residues + shift) % _PRIME, self._starts[:-1])
        return keys

"""Texts and their nearest ones as a graph, groups in it (Leiden), and the vote of the nearest.

Leiden: Traag, Waltman & van Eck 2019, doi:10.1038/s41598-019-41695-z, with modularity; deterministic for a seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import graspologic_native
import numpy as np
import numpy.typing as npt
from scipy import sparse

from wellserved.listen.vectors import Matrix, unit_rows

NEIGHBOURS = 15
VOTERS = 10
TURNOUT = 0.4  # of the weight of the nearest: how much of it must be in any group
ENOUGH = (
    0.4  # of the votes; more would leave out what later looks find, less would take in what is about something else
)
BLOCK = 512  # texts compared with all others at a time
STRIDES = 16
BELOW_ALL = -2.0  # below every cosine
RANDOMNESS = 0.001
NO_GROUP = -1

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Nearest:
    """The nearest texts of each text, nearest first: indices and cosines (texts, k)."""

    indices: npt.NDArray[np.int64]
    cosines: Matrix

    @property
    def voters(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The nearest ones that vote on each text, and the weight of each: the square of its cosine."""
        return self.indices[:, :VOTERS], np.maximum(self.cosines[:, :VOTERS], 0).astype(np.float64) ** 2


def nearest(queries: Matrix, texts: Matrix, count: int = NEIGHBOURS, same: bool = False) -> Nearest:
    """The nearest `texts` of every query, all of them compared; `same`: queries are the texts, and none is its own neighbour."""
    count = max(min(count, len(texts) - same), 0)
    indices = np.zeros((len(queries), count), dtype=np.int64)
    cosines = np.zeros((len(queries), count), dtype=np.float32)
    padded_texts = np.pad(texts, ((0, -len(texts) % STRIDES), (0, 0)))
    for start in range(0, len(queries) if count else 0, BLOCK):
        block = queries[start : start + BLOCK] @ padded_texts.T
        block[:, len(texts) :] = BELOW_ALL
        if same:
            block[np.arange(len(block)), np.arange(start, start + len(block))] = BELOW_ALL
        chosen = _candidates(block, count)
        values = np.take_along_axis(block, chosen, axis=1)
        order = np.lexsort((chosen, -values), axis=1)[:, :count]
        indices[start : start + BLOCK] = np.take_along_axis(chosen, order, axis=1)
        cosines[start : start + BLOCK] = np.take_along_axis(values, order, axis=1)
    return Nearest(indices, cosines)


def _candidates(block: Matrix, count: int) -> npt.NDArray[np.int64]:
    """Columns among which the `count` largest of every row are (rows, some): the largest lie in the strides with the largest
    maxima, and there are far fewer maxima to put in order."""
    width = block.shape[1] // STRIDES
    if width <= count:
        return np.broadcast_to(np.arange(block.shape[1]), block.shape)
    maxima = block.reshape(len(block), STRIDES, width).max(axis=1)
    best = np.argpartition(maxima, width - count, axis=1)[:, width - count :]
    columns = (best[:, None, :] + width * np.arange(STRIDES)[:, None]).reshape(len(block), -1)
    values = np.take_along_axis(block, columns, axis=1)
    largest = np.argpartition(values, values.shape[1] - count, axis=1)[:, -count:]
    return np.take_along_axis(columns, largest, axis=1)


def neighbour_graph(neighbours: Nearest) -> sparse.csr_matrix:
    """Each text tied to its nearest, by the fourth power of the cosine; the stronger of both directions (texts, texts)."""
    count, width = neighbours.indices.shape
    weights = np.maximum(neighbours.cosines, 0).astype(np.float64).ravel() ** 4
    rows = np.repeat(np.arange(count), width)
    ties = sparse.csr_matrix((weights, (rows, neighbours.indices.ravel())), shape=(count, count))
    return ties.maximum(ties.T)


def joined_graph(neighbours: Nearest, texts: Matrix, beside: Matrix) -> sparse.csr_matrix:
    """The graph of a view with its nearest, and half of what it becomes where a second view has a say."""
    both = unit_rows(np.hstack([texts, np.float32(0.4) * beside]))
    return neighbour_graph(neighbours) + 0.5 * neighbour_graph(nearest(both, both, same=True))


@dataclass(frozen=True)
class Ties:
    """A graph as groups are looked for in it: how many texts, and each tie once, with its weight."""

    count: int
    pairs: list[tuple[str, str, float]]


def ties_of(graph: sparse.csr_matrix) -> Ties:
    """The ties of a graph that weigh anything."""
    upper = sparse.triu(graph, 1).tocoo()
    kept = upper.data > 1e-6
    names = [map(str, ends[kept].tolist()) for ends in (upper.row, upper.col)]
    return Ties(graph.shape[0], list(zip(*names, upper.data[kept].tolist(), strict=True)))


def groups(ties: Ties, resolution: float, seed: int) -> Labels:
    """A group for every text, numbered from the largest; a text without a tie is by itself."""
    labels = np.full(ties.count, NO_GROUP, dtype=np.int64)
    if ties.pairs:
        _, group_by_name = graspologic_native.leiden(
            ties.pairs, resolution=resolution, randomness=RANDOMNESS, seed=seed
        )
        for name, group in group_by_name.items():
            labels[int(name)] = group
    alone = labels == NO_GROUP
    labels[alone] = labels.max(initial=0) + 1 + np.arange(alone.sum())
    return by_size(labels)


def by_size(labels: Labels) -> Labels:
    """Groups numbered from the largest; of equal ones, the one met first is first."""
    _, first, inverse, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    numbered: Labels = rank[inverse]
    return numbered


def vote(neighbours: Nearest, labels: Labels) -> tuple[Labels, Matrix]:
    """What each text is about by its ten nearest, each with the square of its cosine: the group, and its share of the vote.

    Only those that are in a group vote; they need TURNOUT of the whole weight, and the winner ENOUGH of theirs.
    """
    indices, weights = neighbours.voters
    if not indices.shape[1]:
        return np.full(len(indices), NO_GROUP, dtype=np.int64), np.zeros(len(indices), dtype=np.float32)
    voted = labels[indices]
    valid = np.where(voted != NO_GROUP, weights, 0)
    votes = np.zeros_like(weights)
    for column in range(voted.shape[1]):
        votes[:, column] = np.where(voted == voted[:, [column]], valid, 0).sum(axis=1)
    best, rows = votes.argmax(axis=1), np.arange(len(indices))
    turnout = valid.sum(axis=1)
    share = votes[rows, best] / np.maximum(turnout, 1e-9)
    is_clear = (share >= ENOUGH) & (turnout >= TURNOUT * np.maximum(weights.sum(axis=1), 1e-9))
    return np.where(is_clear, voted[rows, best], NO_GROUP), share.astype(np.float32)

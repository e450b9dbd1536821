"""Texts to problems: the recipe from beginning to end, deterministic for a seed.

    parts ─► copies ─► vectors ─► graph of nearest ─► groups (Leiden) at the grain where two looks agree
                                                          └─► what is no problem ─► the vote of the nearest, for all

What a text is about is always decided by the vote of its ten nearest other texts, also where it was there when the
problems were found: old and new texts are read by one rule. A later look keeps the problems that are known, reads all
texts by them, and looks for new ones in what is left over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from wellserved.listen.book import FEWEST_OF_A_PROBLEM
from wellserved.listen.copies import representatives
from wellserved.listen.grain import MINIMUM_AGREEMENT, Grain, choose_grain
from wellserved.listen.graph import (
    NO_GROUP,
    Labels,
    Nearest,
    by_size,
    groups,
    joined_graph,
    nearest,
    neighbour_graph,
    ties_of,
    vote,
)
from wellserved.listen.parts import has_a_say
from wellserved.listen.vectors import Matrix, Meaning, Vectoriser
from wellserved.moments import NotComputable
from wellserved.progress import ProgressCallback, no_progress

FEWEST_TEXTS = 200
MAX_FITTED = 50_000  # distinct texts that groups are looked for in; the others join by vote
MAX_VOTERS = 10_000  # texts that vote on those others
CHUNK = 50_000
RANDOM_GROUPS = 200
FIRST, LAST, WHOLE = 1, 2, 3  # of where a part stands in its text
COURTESY = 0.35  # of a group's parts that open, or close, their texts
FEWEST_TO_JUDGE = 20  # parts of longer texts
TIGHT = 0.57  # of what is near a problem's texts is about the problem, too
SETTLING_ROUNDS = 3  # of the vote, whose outcome votes again: what a later look would change anyway is settled at once


@dataclass(frozen=True)
class EarlierFit:
    """What an earlier look found: the grain, and each text's problem."""

    resolution: float
    numbers: Labels  # problem of each text, or NO_GROUP: none, or not read yet
    # came after problems were first looked for: what was left over then is no new problem
    is_new: npt.NDArray[np.bool_]
    next_number: int


@dataclass(frozen=True)
class Fit:
    """Which problem each text is about; texts are told apart by their index."""

    numbers: Labels  # of the problem; NO_GROUP: no common problem, or too short to tell
    shares: npt.NDArray[np.float32]  # of the vote
    parents: dict[int, int]  # problem -> the largest one of the wider group that it is a part of
    resolution: float
    grain: Grain | None  # how the resolution was chosen; None: it was kept
    is_usable: npt.NDArray[np.bool_]  # the text says enough
    distinct: int  # usable texts that differ
    fitted: npt.NDArray[np.int64]  # indices of the texts in which problems were looked for
    vectors: Matrix  # of these
    vectoriser: Vectoriser


def fit_problems(
    texts: Sequence[str],
    customers: Sequence[object],
    strata: Sequence[object],
    seed: int = 1,
    earlier: EarlierFit | None = None,
    edges: npt.NDArray[np.int64] | None = None,
    on_progress: ProgressCallback = no_progress,
    first_number: int = 1,
    meaning: Meaning | None = None,
) -> Fit | NotComputable:
    """The problems that texts have in common, or why none can be told.

    `edges`: where a part stands in a text of several: FIRST, LAST, 0 between, WHOLE where it is all of the text.
    `meaning`: what gives texts vectors by a model; None: their own words do. `customers`: who said each; `strata`: of which large numbers are drawn alike (month and channel).
    """
    readable = [vector_text(text) for text in texts]
    usable = np.array([has_a_say(text) for text in readable], dtype=bool)
    on_progress("Looking for copies", 0, 0)
    first = representatives(readable)
    distinct = np.flatnonzero(usable & (first == np.arange(len(texts))))
    if len(distinct) < FEWEST_TEXTS:
        return NotComputable(
            f"only {len(distinct):,} different texts of four words and more; at least {FEWEST_TEXTS} are needed"
        )
    fitted = _drawn(distinct, strata, seed)
    fitted_texts = [readable[index] for index in fitted]
    on_progress("Reading the words", 0, 0)
    vectoriser = Vectoriser(fitted_texts, seed, meaning)
    views = vectoriser.views(fitted_texts)
    grain = None
    if earlier is None:
        words, pieces = (neighbour_graph(nearest(view, view, same=True)) for view in (views.words, views.pieces))
        grain = choose_grain(words, pieces, seed, on_progress)
        if not grain.is_told_apart:
            return NotComputable(
                f"two looks at the words agree by {grain.agreement:.2f}, and {MINIMUM_AGREEMENT} are needed: "
                "these texts have no groups to speak of"
            )
    resolution = earlier.resolution if earlier else grain.resolution if grain else 1.0
    on_progress("Looking for problems", 0, 0)
    neighbours = nearest(views.whole, views.whole, same=True)
    graph = joined_graph(neighbours, views.whole, views.pieces)
    search = _Search(graph, neighbours, views.whole, [customers[index] for index in fitted], resolution, seed,
        np.full(len(fitted), WHOLE) if edges is None else edges[fitted],
    )  # fmt: skip
    numbers, shares = (
        search.anew(first_number)
        if earlier is None
        else search.onward(earlier.numbers[fitted], earlier.is_new[fitted], earlier.next_number)
    )
    all_numbers = np.full(len(texts), NO_GROUP, dtype=np.int64)
    all_shares = np.zeros(len(texts), dtype=np.float32)
    all_numbers[fitted], all_shares[fitted] = numbers, shares
    rest = np.setdiff1d(distinct, fitted)
    own_words = views.whole if meaning is None else views.pieces  # a model would take hours for as many as these may be
    for start in range(0, len(rest), CHUNK):
        on_progress("Reading the rest", start, len(rest))
        indices = rest[start : start + CHUNK]
        own = vectoriser.own_views([readable[index] for index in indices]).whole
        all_numbers[indices], all_shares[indices] = search.join(own, own_words, numbers)
    all_numbers, all_shares = all_numbers[first], all_shares[first]
    all_numbers[~usable] = NO_GROUP
    parents = _parents(numbers, groups(ties_of(graph), resolution / 2, seed))
    return Fit(
        all_numbers, all_shares, parents, resolution, grain, usable, len(distinct), fitted, views.whole, vectoriser
    )


@dataclass(frozen=True)
class _Search:
    """The texts in which problems are looked for."""

    graph: sparse.csr_matrix
    neighbours: Nearest
    vectors: Matrix
    customers: Sequence[object]
    resolution: float
    seed: int
    edges: npt.NDArray[np.int64]

    def anew(self, first_number: int) -> tuple[Labels, npt.NDArray[np.float32]]:
        """Problems where none are known, numbered on by size."""
        numbers = self._only_problems(groups(ties_of(self.graph), self.resolution, self.seed))
        for _ in range(SETTLING_ROUNDS):
            numbers, shares = vote(self.neighbours, numbers)
        numbers = self._without_courtesies(self._only_tight(self._only_problems(numbers)))
        numbers, shares = vote(self.neighbours, numbers)
        numbers = self._only_problems(numbers)
        return np.where(numbers == NO_GROUP, NO_GROUP, numbers + first_number), shares

    def onward(
        self, before: Labels, is_new: npt.NDArray[np.bool_], next_number: int
    ) -> tuple[Labels, npt.NDArray[np.float32]]:
        """Known problems, and new ones in what they leave over."""
        had = before != NO_GROUP
        labels = before
        for _ in range(SETTLING_ROUNDS):
            labels = np.where(had, before, vote(self.neighbours, labels)[0])
        rest = np.flatnonzero(vote(self.neighbours, labels)[0] == NO_GROUP)
        labels = labels.copy()
        labels[rest] = NO_GROUP
        part = self.graph[rest][:, rest]
        scale = part.sum() / max(self.graph.sum(), 1e-9)  # the same grain as in the whole graph
        fresh = np.full(len(labels), NO_GROUP, dtype=np.int64)
        fresh[rest] = groups(ties_of(part), self.resolution * scale, self.seed)
        fresh = self._without_courtesies(self._only_problems(fresh, is_new))
        labels = np.where(fresh == NO_GROUP, labels, fresh + next_number)
        return vote(self.neighbours, labels)

    def _only_tight(self, found: Labels) -> Labels:
        """Groups whose texts have most of their likes elsewhere are about nothing in particular."""
        voters, weights = self.neighbours.voters
        inside = np.where(found[voters] == found[:, None], weights, 0).sum(axis=1)
        share = inside / np.maximum(weights.sum(axis=1), 1e-9)
        labels = found.copy()
        for label in np.unique(found[found != NO_GROUP]):
            if share[found == label].mean() < TIGHT:
                labels[found == label] = NO_GROUP
        return labels

    def _without_courtesies(self, found: Labels) -> Labels:
        """What mostly opens letters, or closes them, is how people write, and not what about."""
        labels = found.copy()
        for edge in (FIRST, LAST):
            usual = (self.edges == edge).sum() / max((self.edges != WHOLE).sum(), 1)
            for label in np.unique(found[found != NO_GROUP]):
                own = self.edges[found == label]
                own = own[own != WHOLE]
                if len(own) >= FEWEST_TO_JUDGE and (own == edge).mean() >= max(COURTESY, 2 * usual):
                    labels[found == label] = NO_GROUP
        return labels

    def join(self, vectors: Matrix, voting_vectors: Matrix, numbers: Labels) -> tuple[Labels, npt.NDArray[np.float32]]:
        """Texts that no problem was looked for in, by their likes among those in which one was."""
        random = np.random.default_rng(self.seed)
        voters = np.sort(random.choice(len(voting_vectors), min(MAX_VOTERS, len(voting_vectors)), replace=False))
        return vote(nearest(vectors, voting_vectors[voters]), numbers[voters])

    def _only_problems(self, found: Labels, counted: npt.NDArray[np.bool_] | None = None) -> Labels:
        """Groups of too few customers, or no closer than texts drawn at random, are no problem.

        `counted`: the texts whose customers count; all where it is not said.
        """
        labels = found.copy()
        random = np.random.default_rng(self.seed)
        bounds: dict[int, float] = {}
        for label in np.unique(found[found != NO_GROUP]):
            members = np.flatnonzero(found == label)
            size = min(2 ** int(np.log2(len(members))), 4_096)
            if size not in bounds:
                drawn = (random.integers(0, len(self.vectors), size) for _ in range(RANDOM_GROUPS))
                closeness = [np.linalg.norm(self.vectors[indices].mean(axis=0)) for indices in drawn]
                bounds[size] = float(np.quantile(closeness, 0.95))
            speakers = members if counted is None else members[counted[members]]
            people = count_customers(self.customers[index] for index in speakers)
            if people < FEWEST_OF_A_PROBLEM or np.linalg.norm(self.vectors[members].mean(axis=0)) <= bounds[size]:
                labels[members] = NO_GROUP
        kept = labels != NO_GROUP
        labels[kept] = by_size(labels[kept])
        return labels


def count_customers(customers: Iterable[object]) -> int:
    """How many there are; those who are not known count one each."""
    names = list(customers)
    return len(set(names) - {None}) + sum(name is None for name in names)


def vector_text(text: str) -> str:
    """What vectors are made of: words that were taken out say nothing."""
    return re.sub(r"‹[\w ]+›", " ", text)


def _drawn(distinct: npt.NDArray[np.int64], strata: Sequence[object], seed: int) -> npt.NDArray[np.int64]:
    """All texts, or as many as are looked at, alike from every stratum."""
    if len(distinct) <= MAX_FITTED:
        return distinct
    random = np.random.default_rng(seed)
    names = np.array([str(strata[index]) for index in distinct])
    order = np.lexsort((random.random(len(distinct)), names))
    taken = order[np.linspace(0, len(order) - 1, MAX_FITTED).astype(np.int64)]
    drawn: npt.NDArray[np.int64] = np.sort(distinct[taken])
    return drawn


def _parents(numbers: Labels, wide: Labels) -> dict[int, int]:
    """Problem -> the largest one of those that share the wider group which most of its texts are in."""
    found, sizes = np.unique(numbers[numbers != NO_GROUP], return_counts=True)
    wider = {int(number): int(np.bincount(wide[numbers == number]).argmax()) for number in found}
    by_rank = sorted(wider, key=lambda number: (-int(sizes[np.searchsorted(found, number)]), number))
    heads: dict[int, int] = {}
    for number in by_rank:
        heads.setdefault(wider[number], number)
    return {number: heads[wider[number]] for number in sorted(wider)}

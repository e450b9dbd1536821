"""Texts to problems: the recipe from beginning to end, deterministic for a seed.

    parts ─► copies ─► vectors ─► graph of nearest ─► groups (Leiden) at the grain where two looks agree
                                                          └─► what is no problem ─► the vote of the nearest, for all

What a text belongs to is always decided by the vote of its ten nearest other texts, also where it was there when the
groups were found: so old and new texts are read by one rule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wellserved.listen.copies import representatives
from wellserved.listen.grain import Grain, choose_grain
from wellserved.listen.graph import NO_GROUP, Labels, by_size, groups, joined_graph, nearest, neighbour_graph, vote
from wellserved.listen.parts import has_a_say
from wellserved.listen.vectors import Matrix, Vectoriser, unit_rows
from wellserved.moments import NotComputable
from wellserved.progress import ProgressCallback, no_progress

FEWEST_TEXTS = 200
FEWEST_CUSTOMERS = 5
MAX_FITTED = 50_000  # distinct texts that groups are looked for in; the others join by vote
MAX_VOTERS = 10_000  # texts that vote on those others
CHUNK = 50_000
ENOUGH_OF_THE_VOTE = 0.5
RANDOM_GROUPS = 200


@dataclass(frozen=True)
class Fit:
    """Which problem each text is about; texts are told apart by their place."""

    labels: Labels  # a problem's number, from the largest; NO_GROUP: no common problem, or too short to tell
    shares: npt.NDArray[np.float32]  # of the vote
    parents: tuple[int, ...]  # problem -> the wider one that it is a part of
    grain: Grain
    distinct: int  # texts that differ
    fitted: npt.NDArray[np.int64]  # places of the texts in which groups were looked for
    vectors: Matrix  # of these
    vectoriser: Vectoriser


def find_problems(
    texts: Sequence[str],
    customers: Sequence[object],
    strata: Sequence[object],
    seed: int = 1,
    start: npt.NDArray[np.int64] | None = None,
    resolution: float | None = None,
    on_progress: ProgressCallback = no_progress,
) -> Fit | NotComputable:
    """The problems that texts have in common, or why none can be told.

    `customers`: who said each; `strata`: of which large numbers are drawn alike (month and channel); `start`: the
    problem's number that each text had before, or NO_GROUP; `resolution`: the grain of before, which is kept.
    """
    readable = [_readable(text) for text in texts]
    usable = np.array([has_a_say(text) for text in readable], dtype=bool)
    on_progress("Looking for copies", 0, 0)
    first = representatives(readable)
    distinct = np.flatnonzero(usable & (first == np.arange(len(texts))))
    if len(distinct) < FEWEST_TEXTS:
        return NotComputable(f"only {len(distinct):,} different texts of four words and more; at least {FEWEST_TEXTS} are needed")
    fitted = _drawn(distinct, strata, seed)
    fitted_texts = [readable[place] for place in fitted]
    on_progress("Reading the words", 0, 0)
    vectoriser = Vectoriser(fitted_texts, seed)
    views = vectoriser.views(fitted_texts)
    grain = choose_grain(neighbour_graph(views.words), neighbour_graph(views.pieces), seed, on_progress)
    if not grain.is_told_apart:
        return NotComputable(
            f"two looks at the words agree by {grain.agreement:.2f} only where .25 is needed: there are no groups to speak of"
        )
    chosen = resolution or grain.resolution
    graph = joined_graph(views.whole, views.pieces)
    before = None if start is None else _filled(start[fitted])
    found = groups(graph, chosen, seed, before)
    wide = groups(graph, chosen / 2, seed)
    labels = _only_problems(found, views.whole, [customers[place] for place in fitted], seed)
    own, own_shares = vote(nearest(views.whole, views.whole, same=True), labels)
    own[own_shares < ENOUGH_OF_THE_VOTE] = NO_GROUP
    own = by_size_kept(own)
    all_labels = np.full(len(texts), NO_GROUP, dtype=np.int64)
    all_shares = np.zeros(len(texts), dtype=np.float32)
    all_labels[fitted], all_shares[fitted] = own, own_shares
    rest = np.setdiff1d(distinct, fitted)
    if len(rest):
        _join(rest, readable, vectoriser, views.whole, own, seed, all_labels, all_shares, on_progress)
    all_labels, all_shares = all_labels[first], all_shares[first]
    all_labels[~usable] = NO_GROUP
    return Fit(all_labels, all_shares, _parents(own, wide), grain, len(distinct), fitted, views.whole, vectoriser)


def _readable(text: str) -> str:
    """What vectors are made of: words that were taken out say nothing."""
    return re.sub(r"‹[\w ]+›", " ", text)


def _drawn(distinct: npt.NDArray[np.int64], strata: Sequence[object], seed: int) -> npt.NDArray[np.int64]:
    """All texts, or as many as are looked at, alike from every stratum."""
    if len(distinct) <= MAX_FITTED:
        return distinct
    random = np.random.default_rng(seed)
    names = np.array([str(strata[place]) for place in distinct])
    order = np.lexsort((random.random(len(distinct)), names))
    taken = order[np.linspace(0, len(order) - 1, MAX_FITTED).astype(np.int64)]
    drawn: npt.NDArray[np.int64] = np.sort(distinct[taken])
    return drawn


def _filled(start: Labels) -> Labels:
    """Groups to set out from: a text that had none is by itself."""
    filled = start.copy()
    alone = filled == NO_GROUP
    filled[alone] = filled.max(initial=0) + 1 + np.arange(alone.sum())
    return filled


def by_size_kept(labels: Labels) -> Labels:
    """Problems numbered from the largest; what is none stays so."""
    kept = labels.copy()
    members = labels != NO_GROUP
    kept[members] = by_size(labels[members])
    return kept


def _only_problems(found: Labels, vectors: Matrix, customers: Sequence[object], seed: int) -> Labels:
    """Groups of too few customers, or no closer than texts drawn at random, are no problem."""
    labels = found.copy()
    random = np.random.default_rng(seed)
    bounds: dict[int, float] = {}
    for label in range(int(found.max(initial=-1)) + 1):
        members = np.flatnonzero(found == label)
        known = {customers[place] for place in members}
        people = len(known - {None}) + sum(customers[place] is None for place in members)
        size = min(2 ** int(np.log2(max(len(members), 1))), 4_096)
        if people >= FEWEST_CUSTOMERS and size not in bounds:
            drawn = (random.integers(0, len(vectors), size) for _ in range(RANDOM_GROUPS))
            bounds[size] = float(np.quantile([np.linalg.norm(vectors[places].mean(axis=0)) for places in drawn], 0.95))
        if people < FEWEST_CUSTOMERS or np.linalg.norm(vectors[members].mean(axis=0)) <= bounds[size]:
            labels[members] = NO_GROUP
    return by_size_kept(labels)


def _join(
    rest: npt.NDArray[np.int64],
    readable: Sequence[str],
    vectoriser: Vectoriser,
    vectors: Matrix,
    labels: Labels,
    seed: int,
    all_labels: Labels,
    all_shares: npt.NDArray[np.float32],
    on_progress: ProgressCallback,
) -> None:
    """Texts that no group was looked for in join by the vote of texts that were."""
    random = np.random.default_rng(seed)
    voters = np.sort(random.choice(len(vectors), min(MAX_VOTERS, len(vectors)), replace=False))
    for start in range(0, len(rest), CHUNK):
        on_progress("Reading the rest", start, len(rest))
        places = rest[start : start + CHUNK]
        own = vectoriser.views([readable[place] for place in places]).whole
        winners, shares = vote(nearest(own, vectors[voters]), labels[voters])
        winners[shares < ENOUGH_OF_THE_VOTE] = NO_GROUP
        all_labels[places], all_shares[places] = winners, shares


def _parents(labels: Labels, wide: Labels) -> tuple[int, ...]:
    """Problem -> the wider group that most of its texts are in, numbered by its largest problem."""
    wider = [int(np.bincount(wide[labels == label]).argmax()) for label in range(int(labels.max(initial=-1)) + 1)]
    return tuple(wider.index(group) for group in wider)


def middles(fit: Fit) -> Matrix:
    """The middle of every problem, of length 1 (problems, dimensions)."""
    own = fit.labels[fit.fitted]
    return unit_rows(
        np.array([fit.vectors[own == label].mean(axis=0) for label in range(len(fit.parents))], dtype=np.float32)
    )

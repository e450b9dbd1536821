"""Something new: many customers who say alike what was hardly said before.

Every day, the texts of the last week are set beside all earlier ones. Around each of them, at several radii, the customers
of the week are counted and those of before; how unlikely is so many, where a customer near by is as likely of this week as
any customer is? The least likely neighbourhood of the day is its score. How large scores become by chance is learnt from the
30 days before, of which those that raised an alarm are left out (Gumbel's law of largest values), and an alarm is what a quiet
house would see once in 200 days. A scan in the sense of Kulldorff (1997), in the space of words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import special

if TYPE_CHECKING:  # the library behind vectors takes seconds to load
    from wellserved.listen.vectors import Matrix

WINDOW_DAYS = 7
QUIET_DAYS = 30
DAYS_BETWEEN_FALSE_ALARMS = 200
ALARM_CUSTOMERS = 5
RADII = (0.999, 0.997, 0.99)  # quantiles of how alike two texts of the record are
MAX_HISTORY = 10_000
FEWEST_HISTORY = 200
_EULER = 0.5772156649


@dataclass(frozen=True)
class Neighbourhood:
    """The least likely neighbourhood of a day."""

    day: int
    score: float  # -log10 of how likely so many customers are
    limit: float  # what a quiet house exceeds once in 200 days; infinite where too little is known
    texts: tuple[int, ...]  # of its texts in the last week
    customers: int
    before: int  # customers who said alike before
    expected: float  # customers of the week, were the week like any other

    @property
    def is_alarm(self) -> bool:
        return self.score > self.limit and self.customers >= ALARM_CUSTOMERS


class NoveltyScan:
    """Looks at a record day by day. Texts are told apart by their index; days are whole numbers."""

    def __init__(
        self, vectors: Matrix, customers: Sequence[object], days: npt.NDArray[np.int64], seed: int = 1
    ) -> None:
        order = np.argsort(days, kind="stable")
        self._order, self._vectors, self._days = order, vectors[order], days[order]
        codes = np.unique(np.array([str(customer) for customer in customers]), return_inverse=True)[1]
        self._customers = codes[order]
        self._seed = seed
        random = np.random.default_rng(seed)
        pairs = random.integers(0, max(len(vectors), 1), (2, 200_000)) if len(vectors) else np.zeros((2, 0), dtype=int)
        alike = np.einsum("ij,ij->i", self._vectors[pairs[0]], self._vectors[pairs[1]])
        alike = alike[pairs[0] != pairs[1]]
        self._radii = [float(np.quantile(alike, radius)) for radius in RADII] if len(alike) else []

    def days(self, first: int, last: int) -> list[Neighbourhood]:
        """Every day from first to last, each with a limit learnt from the days before it."""
        seen = [self._least_likely(day) for day in range(first - QUIET_DAYS, last + 1)]
        quiet: list[float] = []
        result = []
        for index, neighbourhood in enumerate(seen):
            limit = _gumbel_limit(quiet[-QUIET_DAYS:])
            told = Neighbourhood(**{**neighbourhood.__dict__, "limit": limit})
            if index >= QUIET_DAYS:
                result.append(told)
            if not told.is_alarm and neighbourhood.texts:
                quiet.append(neighbourhood.score)
        return result

    def _least_likely(self, day: int) -> Neighbourhood:
        start, end = np.searchsorted(self._days, [day - WINDOW_DAYS + 1, day + 1])
        history = np.arange(start)
        week = np.arange(start, end)
        nothing = Neighbourhood(day, 0.0, float("inf"), (), 0, 0, 0.0)
        if len(history) < FEWEST_HISTORY or not len(week):
            return nothing
        share_drawn = 1.0
        if len(history) > MAX_HISTORY:
            share_drawn = MAX_HISTORY / len(history)
            history = np.sort(np.random.default_rng(self._seed).choice(history, MAX_HISTORY, replace=False))
        exposure = len(week) / (len(week) + start)  # of all customers who could be near
        inside = self._vectors[week] @ self._vectors[week].T
        before = self._vectors[week] @ self._vectors[history].T
        best = nothing
        for radius in self._radii:
            now = _distinct(inside >= radius, self._customers[week])
            past = _distinct(before >= radius, self._customers[history])
            near = np.round(now + past / share_drawn)
            # that so many or more of them are of this week (binomial tail)
            chance = special.betainc(np.maximum(now, 1), near - now + 1, exposure)
            scores = np.where(now >= 2, -np.log10(np.maximum(chance, 1e-300)), 0)
            centre = int(scores.argmax())
            if scores[centre] > best.score:
                members = week[inside[centre] >= radius]
                expected = float(past[centre] / share_drawn * exposure / max(1 - exposure, 1e-9))
                best = Neighbourhood(
                    day, float(scores[centre]), float("inf"), tuple(int(index) for index in self._order[members]),
                    int(now[centre]), round(float(past[centre] / share_drawn)), expected,
                )  # fmt: skip
        return best


def _distinct(near: npt.NDArray[np.bool_], customers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Customers near each text: one who says it ten times counts once."""
    order = np.argsort(customers, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(customers[order]) != 0]) if len(order) else np.zeros(0, dtype=int)
    if not len(starts):
        return np.zeros(len(near), dtype=np.int64)
    by_customer = np.maximum.reduceat(near[:, order].astype(np.int8), starts, axis=1)
    counts: npt.NDArray[np.int64] = by_customer.sum(axis=1, dtype=np.int64)
    return counts


def _gumbel_limit(scores: Sequence[float]) -> float:
    """The score that a quiet day exceeds once in so many days; infinite until enough days are known."""
    if len(scores) < QUIET_DAYS // 2:
        return float("inf")
    spread = max(float(np.std(scores, ddof=1)), 0.05) * math.sqrt(6) / math.pi
    middle = float(np.mean(scores)) - _EULER * spread
    return middle - spread * math.log(-math.log1p(-1 / DAYS_BETWEEN_FALSE_ALARMS))

"""Is my service the same every day? How much days differ beyond what ratings do by themselves.

Variance components of a one-way random layout: ratings within days, days about their mean (S. R. Searle, G. Casella,
C. E. McCulloch, Variance Components (1992), section 3.6; interval by F as in D. C. Montgomery, Design and Analysis of
Experiments, section 13.1). The mean of each service is taken off first, so that easy and hard matters are no unevenness.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from wellserved.moments import NotComputable
from wellserved.prove.engine.model import Floats

FEWEST_DAYS: Final = 20  # with two ratings or more
FEWEST_RATINGS: Final = 60
FEWEST_POOLED_PEOPLE: Final = 5  # for what a team sees
POOLED_WEIGHT: Final = 10.0  # days' worth of what others vary
_TAIL: Final = 0.025


@dataclass(frozen=True)
class VarianceComponents:
    """Spread between groups beyond chance, and within them; in points of the scale."""

    ratings: int
    groups: int
    mean: float
    between: float  # standard deviation between groups; 0 where chance alone would differ as much
    low: float  # 95%; from variances, so never below 0
    high: float
    within: float
    f_ratio: float
    p_value: float

    @property
    def differs(self) -> bool:
        """Groups differ more than ratings do by themselves."""
        return self.low > 0


def variance_components(groups: Sequence[Sequence[float]]) -> VarianceComponents | NotComputable:
    """Of ratings in groups (days, hours, weekdays); groups may differ in size."""
    arrays = [np.asarray(group, dtype=float) for group in groups if len(group)]
    k, n = len(arrays), sum(map(len, arrays))
    if k < 2 or n <= k:
        return NotComputable("it takes two groups, and two ratings in one of them")
    sizes = np.array([len(group) for group in arrays], dtype=float)
    means = np.array([group.mean() for group in arrays])
    mean = float(np.average(means, weights=sizes))
    within = float(sum(((group - group.mean()) ** 2).sum() for group in arrays)) / (n - k)
    between = float((sizes * (means - mean) ** 2).sum()) / (k - 1)
    if within <= 0:
        return NotComputable("all ratings within a group are alike, so that chance cannot be told")
    usual_size = (n - float((sizes**2).sum()) / n) / (k - 1)
    f_ratio = between / within

    def spread(f: float) -> float:
        return math.sqrt(max(f - 1, 0.0) * within / usual_size)

    low = f_ratio / float(special.fdtri(k - 1, n - k, 1 - _TAIL))
    high = f_ratio / float(special.fdtri(k - 1, n - k, _TAIL))
    return VarianceComponents(
        n, k, mean, spread(f_ratio), spread(low), spread(high), math.sqrt(within), f_ratio,
        float(special.fdtrc(k - 1, n - k, f_ratio)),
    )  # fmt: skip


def pooled_spread(spreads: Sequence[float]) -> float | NotComputable:
    """What a team sees: the spread between days of five people or more, together; nobody's own."""
    if len(spreads) < FEWEST_POOLED_PEOPLE:
        return NotComputable(f"{len(spreads)} people have enough ratings; it takes {FEWEST_POOLED_PEOPLE}")
    return math.sqrt(sum(spread**2 for spread in spreads) / len(spreads))


def spread_words(spread: float) -> str:
    """How far a team's days differ, in three words: a number would tell who left or came."""
    return "hardly" if spread < 0.25 else "somewhat" if spread < 0.5 else "much"


def shrunk_spread(own: VarianceComponents, pooled: float) -> float:
    """One's own spread, drawn to the house's the more, the fewer days it rests on; `pooled`: to a tenth, which tells of nobody."""
    days, usual = own.groups - 1, round(pooled, 1)
    return math.sqrt((POOLED_WEIGHT * usual**2 + days * own.between**2) / (POOLED_WEIGHT + days))


@dataclass(frozen=True)
class RatedMoment:
    """A rating, and when and of what it was."""

    day: int  # local days since 1970-01-01
    hour: int
    service: str
    score: float


@dataclass(frozen=True)
class Evenness:
    """How one's own service varies: from day to day, by hour, by weekday, with the number of cases a day."""

    days: VarianceComponents | NotComputable
    others: Mapping[str, VarianceComponents | NotComputable]
    daily: tuple[tuple[int, float, int], ...]  # day, mean, ratings; for a picture

    @property
    def words(self) -> str:
        """One sentence."""
        if isinstance(self.days, NotComputable):
            return f"Whether your days differ cannot be told: {self.days.reason}."
        if not self.days.differs:
            return "Your days differ no more than ratings do by themselves."
        return f"Your days differ by {self.days.between:.2f} points more than ratings do by themselves ({self.days.low:.2f} to {self.days.high:.2f})."


def evenness(ratings: Sequence[RatedMoment]) -> Evenness:
    """Of one person's ratings on one scale; at least 20 days with two, and 60 in all."""
    scores = _without_services(ratings)
    by_day: dict[int, list[float]] = {}
    for rating, score in zip(ratings, scores, strict=True):
        by_day.setdefault(rating.day, []).append(float(score))
    days_with_two = sum(len(group) > 1 for group in by_day.values())
    daily = tuple((day, float(np.mean(group)), len(group)) for day, group in sorted(by_day.items()))
    if days_with_two < FEWEST_DAYS or len(ratings) < FEWEST_RATINGS:
        reason = NotComputable(
            f"{len(ratings)} ratings, and {days_with_two} days with two or more; it takes {FEWEST_RATINGS} and {FEWEST_DAYS}"
        )
        return Evenness(reason, {}, daily)
    keys = {
        "hour of the day": [rating.hour for rating in ratings],
        "weekday": [(rating.day + 3) % 7 for rating in ratings],
        "ratings that day": [min(len(by_day[rating.day]), 6) for rating in ratings],
    }
    others = {name: _by(values, scores) for name, values in keys.items()}
    return Evenness(variance_components(list(by_day.values())), others, daily)


def _without_services(ratings: Sequence[RatedMoment]) -> Floats:
    """Scores with the difference of each service's mean from that of all taken off."""
    scores = np.array([rating.score for rating in ratings], dtype=float)
    names, index = np.unique([rating.service for rating in ratings], return_inverse=True)
    if len(names) < 2:
        return scores
    means = np.bincount(index, scores) / np.bincount(index)
    adjusted: Floats = scores - means[index] + scores.mean()
    return adjusted


def _by(values: Sequence[int], scores: Floats) -> VarianceComponents | NotComputable:
    groups: dict[int, list[float]] = {}
    for value, score in zip(values, scores, strict=True):
        groups.setdefault(value, []).append(float(score))
    return variance_components(list(groups.values()))

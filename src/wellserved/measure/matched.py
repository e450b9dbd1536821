"""Two groups beside each other, like with like: Mantel and Haenszel over strata.

A stratum is (n1, k1, n0, k0): cases and events of the one group, then of the other. Strata in which a group has no case
say nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from wellserved.measure.interval import Z

Stratum = tuple[float, float, float, float]


@dataclass(frozen=True)
class MatchedRatio:
    """How many times as often the one group has the event, like cases compared."""

    cases: int  # of the one group, in strata that can be compared
    events: int
    expected: float  # events, had they been as frequent as in the other group
    ratio: float
    low: float  # 95% interval
    high: float


@dataclass(frozen=True)
class MatchedDifference:
    """By how much more of the one group has the event, like cases compared, as a share of 0 to 1."""

    cases: int
    others: int
    strata: int
    difference: float
    low: float  # 95% interval
    high: float


def matched_ratio(strata: Iterable[Stratum]) -> MatchedRatio | None:
    """The risk ratio of Mantel and Haenszel; None: nothing to compare, or no event in one of the groups.

    Interval: Greenland and Robins, Biometrics 41 (1985) 55-68, equation 13.
    """
    own_events = other_events = spread = expected = 0.0
    cases = events = 0
    for n1, k1, n0, k0 in strata:
        if not n1 or not n0:
            continue
        total = n1 + n0
        own_events, other_events = own_events + k1 * n0 / total, other_events + k0 * n1 / total
        spread += (n1 * n0 * (k1 + k0) - k1 * k0 * total) / total**2
        expected += n1 * k0 / n0
        cases, events = cases + int(n1), events + int(k1)
    if not own_events or not other_events:
        return None
    ratio, half_width = own_events / other_events, Z * math.sqrt(spread / (own_events * other_events))
    return MatchedRatio(cases, events, expected, ratio, ratio * math.exp(-half_width), ratio * math.exp(half_width))


def matched_difference(strata: Iterable[Stratum]) -> MatchedDifference | None:
    """The risk difference of Mantel and Haenszel; None: nothing to compare.

    Variance: Greenland and Robins 1985, equation 6, which holds for few large strata; with a half added to each cell of
    the variance, so that a stratum without an event is not taken as certain.
    """
    weight = difference = spread = 0.0
    cases = others = count = 0
    for n1, k1, n0, k0 in strata:
        if not n1 or not n0:
            continue
        total = n1 + n0
        weight += n1 * n0 / total
        difference += (k1 * n0 - k0 * n1) / total
        p1, p0 = (k1 + 0.5) / (n1 + 1), (k0 + 0.5) / (n0 + 1)
        spread += (n1 * n0 / total) ** 2 * (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
        cases, others, count = cases + int(n1), others + int(n0), count + 1
    if not weight:
        return None
    value, half_width = difference / weight, Z * math.sqrt(spread) / weight
    return MatchedDifference(cases, others, count, value, value - half_width, value + half_width)

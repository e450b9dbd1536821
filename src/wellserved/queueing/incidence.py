"""Share served, left and still waiting by time waited, where leaving competes with being served."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wellserved.measure.interval import Z

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence at each time at which anybody was served or left; 95% intervals."""

    seconds: Ints
    served_share: Floats  # share served within so many seconds
    served_low: Floats
    served_high: Floats
    left_share: Floats
    left_low: Floats
    left_high: Floats

    def shares_at(self, second: float) -> tuple[float, float, float]:
        """Shares served, left and still waiting after so many seconds."""
        index = int(np.searchsorted(self.seconds, second, side="right")) - 1
        if index < 0:
            return 0.0, 0.0, 1.0
        served, left = float(self.served_share[index]), float(self.left_share[index])
        return served, left, max(1.0 - served - left, 0.0)


def incidence(waits: Ints, ends: Ints) -> Incidence:
    """The Aalen-Johansen estimate for two ends that compete.

    waits: seconds; ends: 0 still waiting, 1 served, 2 left. O. O. Aalen and S. Johansen, Scand. J. Statist. 5
    (1978) 141-150; variance: Marubini and Valsecchi, Analysing Survival Data (1995), section 10.2, with the
    interval on the log(-log) scale. Not for waits that began before they could be seen.
    """
    times, time_index = np.unique(waits, return_inverse=True)
    served_counts: Floats = np.bincount(time_index, ends == 1, len(times)).astype(float)
    left_counts: Floats = np.bincount(time_index, ends == 2, len(times)).astype(float)
    exit_counts = np.bincount(time_index, minlength=len(times))
    at_risk: Floats = (len(waits) - np.append(0, np.cumsum(exit_counts)[:-1])).astype(float)
    survival = np.cumprod(1 - (served_counts + left_counts) / at_risk)
    before = np.append(1.0, survival[:-1])
    keep = (served_counts + left_counts) > 0
    bounds = []
    for events in (served_counts, left_counts):
        share = np.cumsum(before * events / at_risk)
        bounds.append(
            (
                share[keep],
                *(bound[keep] for bound in _interval(share, events, served_counts + left_counts, at_risk, before)),
            )
        )
    return Incidence(times[keep], *bounds[0], *bounds[1])


def _interval(
    share: Floats, events: Floats, all_events: Floats, at_risk: Floats, before: Floats
) -> tuple[Floats, Floats]:
    """95% bounds of a cumulative incidence.

    var F(t) = sum (F(t)-F(i))^2 d/(n(n-d)) + sum S(i-)^2 e(n-e)/n^3 - 2 sum (F(t)-F(i)) S(i-) e/n^2,
    over times i <= t, e this end's events and d both ends'; expanded so that running sums give all t at once.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.where(at_risk > all_events, all_events / (at_risk * (at_risk - all_events)), 0.0)
    b, c = before**2 * events * (at_risk - events) / at_risk**3, before * events / at_risk**2
    sums = [np.cumsum(term) for term in (a, a * share, a * share**2, b, c, c * share)]
    variance = share**2 * sums[0] - 2 * share * sums[1] + sums[2] + sums[3] - 2 * (share * sums[4] - sums[5])
    is_interior = (share > 0) & (share < 1)
    interior_share = np.where(is_interior, share, 0.5)
    half_width = Z * np.sqrt(np.maximum(variance, 0)) / (interior_share * np.abs(np.log(interior_share)))
    with np.errstate(over="ignore"):  # an interval wider than any number: the bound is 0
        low, high = interior_share ** np.exp(half_width), interior_share ** np.exp(-half_width)
    return np.where(is_interior, low, np.where(share > 0, share, 0.0)), np.where(
        is_interior, high, np.where(share > 0, share, 0.0)
    )


def served_quantile(curve: Incidence, share: float) -> float:
    """Seconds within which the share was served; infinite where it never is, since too many leave."""
    positions = np.flatnonzero(curve.served_share >= share - 1e-12)
    return float(curve.seconds[positions[0]]) if len(positions) else math.inf

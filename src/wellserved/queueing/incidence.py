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
    served: Floats  # share served within so many seconds
    served_low: Floats
    served_high: Floats
    left: Floats
    left_low: Floats
    left_high: Floats

    def at(self, second: float) -> tuple[float, float, float]:
        """Shares served, left and still waiting after so many seconds."""
        place = int(np.searchsorted(self.seconds, second, side="right")) - 1
        if place < 0:
            return 0.0, 0.0, 1.0
        served, left = float(self.served[place]), float(self.left[place])
        return served, left, max(1.0 - served - left, 0.0)


def incidence(waits: Ints, ends: Ints) -> Incidence:
    """The Aalen-Johansen estimate for two ends that compete.

    waits: seconds; ends: 0 still waiting, 1 served, 2 left. O. O. Aalen and S. Johansen, Scand. J. Statist. 5
    (1978) 141-150; variance: Marubini and Valsecchi, Analysing Survival Data (1995), section 10.2, with the
    interval on the log(-log) scale. Not for waits that began before they could be seen.
    """
    times, place = np.unique(waits, return_inverse=True)
    served: Floats = np.bincount(place, ends == 1, len(times)).astype(float)
    left: Floats = np.bincount(place, ends == 2, len(times)).astype(float)
    gone = np.bincount(place, minlength=len(times))
    at_risk: Floats = (len(waits) - np.append(0, np.cumsum(gone)[:-1])).astype(float)
    surviving = np.cumprod(1 - (served + left) / at_risk)
    before = np.append(1.0, surviving[:-1])
    keep = (served + left) > 0
    bounds = []
    for events in (served, left):
        share = np.cumsum(before * events / at_risk)
        bounds.append(
            (share[keep], *(bound[keep] for bound in _interval(share, events, served + left, at_risk, before)))
        )
    return Incidence(times[keep], *bounds[0], *bounds[1])


def _interval(share: Floats, events: Floats, both: Floats, at_risk: Floats, before: Floats) -> tuple[Floats, Floats]:
    """95% bounds of a cumulative incidence.

    var F(t) = sum (F(t)-F(i))^2 d/(n(n-d)) + sum S(i-)^2 e(n-e)/n^3 - 2 sum (F(t)-F(i)) S(i-) e/n^2,
    over times i <= t, e this end's events and d both ends'; expanded so that running sums give all t at once.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.where(at_risk > both, both / (at_risk * (at_risk - both)), 0.0)
    b, c = before**2 * events * (at_risk - events) / at_risk**3, before * events / at_risk**2
    sums = [np.cumsum(part) for part in (a, a * share, a * share**2, b, c, c * share)]
    variance = share**2 * sums[0] - 2 * share * sums[1] + sums[2] + sums[3] - 2 * (share * sums[4] - sums[5])
    inside = (share > 0) & (share < 1)
    safe = np.where(inside, share, 0.5)
    half = Z * np.sqrt(np.maximum(variance, 0)) / (safe * np.abs(np.log(safe)))
    low, high = safe ** np.exp(half), safe ** np.exp(-half)
    return np.where(inside, low, np.where(share > 0, share, 0.0)), np.where(
        inside, high, np.where(share > 0, share, 0.0)
    )


def quantile(found: Incidence, share: float) -> float:
    """Seconds within which the share was served; infinite where it never is, since too many leave."""
    reached = np.flatnonzero(found.served >= share - 1e-12)
    return float(found.seconds[reached[0]]) if len(reached) else math.inf

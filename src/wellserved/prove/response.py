"""Measures that are not plain numbers, turned into a series with noise weights that the model takes as it is.

Counts and rates are linearised at their own fit (iteratively reweighted least squares), durations and quantiles are
taken on the logarithm, so that an effect is a ratio; s² stays free, so that more spread than chance is priced in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from wellserved.prove.model import Floats, Mask

Family = Literal["count", "rate", "mean", "duration", "money", "quantile", "plain"]
STEPS = 25  # of the reweighting, at most
FEW = 5  # events needed before or after


@dataclass(frozen=True)
class Observed:
    """A measure by period, for one series or S of them: arrays of (n,) or (S, n).

    count: `total` events over `size` of exposure. rate: `total` of `size`. mean, duration: sum of the values, or of
    their logarithms, over `size` records. money: `total` a period. quantile: `total` of `size` records within
    `level`. plain: `total` is the number itself.
    """

    family: Family
    total: Floats
    size: Floats  # 0: nothing was recorded in that period
    level: float = 1.0  # quantile: what the share `quantile` of the records before the change stays within
    density: float = 1.0  # quantile: density of their logarithms there
    quantile: float = 0.5

    @property
    def seen(self) -> Mask:
        """The periods that say something."""
        found: Mask = np.isfinite(self.total) & np.isfinite(self.size) & (self.size > 0)
        return found & (self.total > 0) if self.family == "money" else found

    @property
    def ratio(self) -> bool:
        """An effect on the working scale is the logarithm of a ratio."""
        return self.family in ("count", "rate", "duration", "money", "quantile")


@dataclass(frozen=True)
class Response:
    """The working series, the variance of its noise up to one factor, and where something was seen: (S, n)."""

    z: Floats
    noise: Floats
    seen: Mask


def respond(observed: Observed, columns: Floats) -> Response:
    """The working response; `columns` (n, K) are those of the fit in which the trend continues."""
    seen = np.atleast_2d(observed.seen)
    total = np.where(seen, np.atleast_2d(observed.total), 0.0)
    size = np.where(seen, np.atleast_2d(observed.size), 1.0)
    if observed.family == "count":
        z, noise = _counts(total, size, columns, seen)
    elif observed.family == "rate":
        z, noise = _rates(total, size, columns, seen)
    elif observed.family in ("mean", "duration"):
        z, noise = total / size, 1 / size
    elif observed.family == "quantile":
        z = np.log(observed.level) + (observed.quantile - total / size) / observed.density
        noise = 1 / size
    elif observed.family == "money":
        z, noise = np.log(np.where(seen, total, 1.0)), np.ones_like(total)
    else:
        z, noise = total, np.ones_like(total)
    return Response(np.where(seen, z, 0.0), np.where(seen, noise, 1.0), seen)


def difference(of: Response, controls: list[Response], before: int) -> Response:
    """The series less the mean of its controls, period by period: what moves all of them falls out.

    Each control is taken from its own mean before the change, so that one which is missing for a while, or begins
    late, makes no step of its own.
    """
    seen = np.stack([one.seen for one in controls])
    z = np.where(seen, np.stack([one.z for one in controls]), 0.0)
    early = seen & (np.arange(z.shape[2]) < before)
    z = np.where(
        seen, z - (z * early).sum(axis=2, keepdims=True) / np.maximum(early.sum(axis=2, keepdims=True), 1), 0.0
    )
    count = np.maximum(seen.sum(axis=0), 1)
    noise = np.where(seen, np.stack([one.noise for one in controls]), 0.0).sum(axis=0) / count**2
    both = of.seen & seen.any(axis=0)
    return Response(np.where(both, of.z - z.sum(axis=0) / count, 0.0), np.where(both, of.noise + noise, 1.0), both)


def _counts(y: Floats, exposure: Floats, columns: Floats, seen: Mask) -> tuple[Floats, Floats]:
    """Poisson with a log link: eta - log E + (y - mu)/mu, noise 1/mu."""

    def at(eta: Floats) -> tuple[Floats, Floats]:
        mu = np.exp(eta)
        return (y - mu) / mu, mu

    least = np.log(0.5 / np.where(seen, exposure, 0.0).sum(axis=1, keepdims=True))  # half an event in all
    return _reweighted(at, np.log(y + 0.5), np.log(exposure), (least, np.full_like(least, np.inf)), columns, seen)


def _rates(k: Floats, n: Floats, columns: Floats, seen: Mask) -> tuple[Floats, Floats]:
    """Binomial with a logit link: eta + (k/N - p)/(p(1 - p)), noise 1/(N·p(1 - p))."""

    def at(eta: Floats) -> tuple[Floats, Floats]:
        p = 1 / (1 + np.exp(-eta))
        spread = p * (1 - p)
        return (k / n - p) / spread, n * spread

    furthest = np.log(2 * np.where(seen, n, 0.0).sum(axis=1, keepdims=True) + 1)  # half an event in all
    start = np.log((k + 0.5) / (n - k + 0.5))
    return _reweighted(at, start, np.zeros_like(start), (-furthest, furthest), columns, seen)


def _reweighted(
    at: Callable[[Floats], tuple[Floats, Floats]],
    eta: Floats,
    offset: Floats,
    ends: tuple[Floats, Floats],
    columns: Floats,
    seen: Mask,
) -> tuple[Floats, Floats]:
    """Working response and noise where the fit of reweighted least squares comes to rest; `at` gives step and weight."""
    for _ in range(STEPS):
        step, weight = at(eta)
        fitted = np.clip(_weighted(columns, eta - offset + step, np.where(seen, weight, 0.0)), *ends) + offset
        done = np.abs(fitted - eta).max(initial=0.0, where=seen) < 1e-9
        eta = fitted
        if done:
            break
    step, weight = at(eta)
    return eta - offset + step, 1 / weight


def _weighted(columns: Floats, working: Floats, weight: Floats) -> Floats:
    """Fitted values of weighted least squares, series by series."""
    weight = weight / np.maximum(weight.max(axis=1, keepdims=True), 1e-300)
    scaled = columns.T[None] * weight[:, None, :]
    left = scaled @ columns
    left += np.eye(columns.shape[1]) * 1e-10 * np.trace(left, axis1=1, axis2=2)[:, None, None]
    right = scaled @ working[:, :, None]
    fitted: Floats = (columns @ np.linalg.solve(left, right))[:, :, 0]
    return fitted


def of_records(
    family: Family, period: npt.NDArray[np.int64], values: Floats, periods: int, before: int, quantile: float = 0.5
) -> Observed:
    """Records, each with its period (0 is the first) and value, as a measure by period.

    A quantile's level, and the density of the logarithms there, come from the records before the change.
    """
    size = _summed(period, np.ones(len(period)), periods)
    if family == "count":
        return Observed("count", size, np.ones(periods))
    if family == "quantile":
        early = np.log(values[period < before])
        level = float(np.quantile(early, quantile, method="inverted_cdf"))
        density = density_at(early, level, len(early))
        within = _summed(period, np.where(np.log(values) <= level, 1.0, 0.0), periods)
        return Observed("quantile", within, size, float(np.exp(level)), density, quantile)
    return Observed(family, _summed(period, np.log(values) if family == "duration" else values, periods), size)


def density_at(values: Floats, at: float, n: int) -> float:
    """Density of n values at a point, of which those not given lie far off.

    A Gaussian kernel, bandwidth 1.06·sd·n^(-1/5) (Silverman 1986, equation 3.28).
    """
    width = 1.06 * float(values.std(ddof=1)) * len(values) ** -0.2
    return float(np.exp(-(((values - at) / width) ** 2) / 2).sum() / (n * width * np.sqrt(2 * np.pi)))


def _summed(period: npt.NDArray[np.int64], values: Floats, periods: int) -> Floats:
    """Values summed by period."""
    return np.bincount(period, values, periods).astype(np.float64)

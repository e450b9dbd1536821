"""Measures that are not plain numbers, turned into a series with noise weights that the model takes as it is.

Counts and rates are linearised at their own fit (iteratively reweighted least squares), durations and quantiles are
taken on the logarithm, so that an effect is a ratio; s² stays free, so that more spread than chance is priced in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from wellserved.errors import RequestError
from wellserved.prove.model import Floats, Mask
from wellserved.prove.quantile import Levels, levels_of, of_pieces

Family = Literal["count", "rate", "mean", "duration", "money", "quantile", "plain"]
STEPS = 25  # of the reweighting, at most
FEW = 5  # events needed before or after


@dataclass(frozen=True)
class Observed:
    """A measure by period, for one series or S of them: arrays of (n,) or (S, n).

    count: `total` events over `size` of exposure. rate: `total` of `size`. mean, duration: sum of the values, or of
    their logarithms, over `size` records. money: `total` a period. quantile: `total` of `size` records within the
    period's level, whose logarithm is `near`. plain: `total` is the number itself.
    """

    family: Family
    total: Floats
    size: Floats  # 0: nothing was recorded in that period
    level: float = 1.0  # quantile: what the share `quantile` of all records before the change stays within
    density: Floats | float = 1.0  # quantile: of the logarithms at each period's level
    quantile: float = 0.5
    near: Floats | None = None  # quantile: logarithm of each period's level; None: `level` for all
    level_after: float | None = None  # quantile: what it is of all records after the change

    @property
    def seen(self) -> Mask:
        """The periods that say something."""
        found: Mask = np.isfinite(self.total) & np.isfinite(self.size) & (self.size > 0)
        return found & (self.total > 0) if self.family == "money" else found

    @property
    def ratio(self) -> bool:
        """An effect on the working scale is the logarithm of a ratio."""
        return self.family in ("count", "rate", "duration", "money", "quantile")

    def over(self, places: slice | npt.NDArray[np.int64]) -> Observed:
        """Some of the periods of one series, in any order; of a place of -1 nothing is known."""
        if not isinstance(places, slice) and not len(self.total):
            nothing = np.zeros(len(places))
            return replace(self, total=nothing, size=nothing, near=None, density=1.0)
        there = np.ones(1, bool) if isinstance(places, slice) else places >= 0
        total, size = (np.where(there, numbers[places], 0.0) for numbers in (self.total, self.size))
        near = None if self.near is None else self.near[places]
        density = self.density[places] if isinstance(self.density, np.ndarray) else self.density
        return replace(self, total=total, size=size, near=near, density=density)

    def logs(self) -> Floats:
        """quantile: its logarithm in each period, one step from the period's level."""
        near = np.log(self.level) if self.near is None else self.near
        size = np.where(self.size > 0, self.size, np.nan)
        logs: Floats = near + (self.quantile - self.total / size) / self.density
        return logs


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
        z, noise = np.atleast_2d(observed.logs()), 1 / (size * observed.density**2)
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
    family: Family, period: npt.NDArray[np.int64], values: Floats, periods: int, before: int, quantile: float = 0.5,
    whole: int = 1,
) -> Observed:  # fmt: skip
    """Records, each with its period (0 is the first) and value, as a measure by period.

    A quantile's levels come from neighbouring periods on the same side of the change; `whole`: of days with a
    pattern of the week, 7.
    """
    size = _summed(period, np.ones(len(period)), periods)
    if family == "count":
        return Observed("count", size, np.ones(periods))
    if family == "quantile":
        return _of_waits(period, values, periods, before, quantile, whole)
    return Observed(family, _summed(period, np.log(values) if family == "duration" else values, periods), size)


def _of_waits(
    period: npt.NDArray[np.int64], values: Floats, periods: int, before: int, quantile: float, whole: int
) -> Observed:
    """A quantile of records that have all ended."""
    order = np.argsort(period, kind="stable")
    pieces = np.split(values[order], np.searchsorted(period[order], np.arange(1, periods)))
    levels = levels_of(
        of_pieces([(piece, np.ones(len(piece), bool)) for piece in pieces]), periods, quantile, [before], whole
    )
    if levels.reason:
        raise RequestError(f"Nothing can be said of that quantile: {levels.reason}.", "Look at more records.")
    sides = [values[period < before], values[period >= before]]
    early, late = (float(np.quantile(side, quantile, method="inverted_cdf")) if len(side) else None for side in sides)
    return quantile_of(levels, quantile, early or 0.0, late)


def quantile_of(levels: Levels, quantile: float, level: float, after: float | None) -> Observed:
    """A quantile by period from its levels, and from what it is of all records on either side of the change."""
    return Observed("quantile", levels.within, levels.size, level, levels.density, quantile, levels.log, after)


def _summed(period: npt.NDArray[np.int64], values: Floats, periods: int) -> Floats:
    """Values summed by period."""
    return np.bincount(period, values, periods).astype(np.float64)

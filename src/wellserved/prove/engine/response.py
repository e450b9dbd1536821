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
from wellserved.prove.engine.model import Floats, Mask
from wellserved.prove.engine.quantile import PeriodLevels, censored_waits, levels_of

Family = Literal["count", "rate", "mean", "duration", "money", "quantile", "plain"]
MAX_REWEIGHTINGS = 25  # of the reweighting, at most
FEWEST_EVENTS = 5  # events needed before or after


@dataclass(frozen=True)
class ModelInput:
    """A measure by period, for one series or S of them: arrays of (n,) or (S, n).

    count: `total` events over `size` of exposure. rate: `total` of `size`. mean, duration: sum of the values, or of
    their logarithms, over `size` records. money: `total` a period. quantile: `total` of `size` records within the
    period's level, whose logarithm is `log_levels`. plain: `total` is the number itself.
    """

    family: Family
    total: Floats
    size: Floats  # 0: nothing was recorded in that period
    level_before: float = 1.0  # quantile: what the share `quantile` of all records before the change stays within
    density: Floats | float = 1.0  # quantile: of the logarithms at each period's level
    quantile: float = 0.5
    log_levels: Floats | None = None  # quantile: logarithm of each period's level; None: that of `level_before` for all
    level_after: float | None = None  # quantile: what it is of all records after the change

    @property
    def is_observed(self) -> Mask:
        """The periods that say something."""
        is_observed: Mask = np.isfinite(self.total) & np.isfinite(self.size) & (self.size > 0)
        return is_observed & (self.total > 0) if self.family == "money" else is_observed

    @property
    def is_ratio(self) -> bool:
        """An effect on the working scale is the logarithm of a ratio."""
        return self.family in ("count", "rate", "duration", "money", "quantile")

    def select_periods(self, indices: slice | npt.NDArray[np.int64]) -> ModelInput:
        """Some of the periods of one series, in any order; of an index of -1 nothing is known."""
        if not isinstance(indices, slice) and not len(self.total):
            zeros = np.zeros(len(indices))
            return replace(self, total=zeros, size=zeros, log_levels=None, density=1.0)
        is_known = np.ones(1, bool) if isinstance(indices, slice) else indices >= 0
        total, size = (np.where(is_known, values[indices], 0.0) for values in (self.total, self.size))
        log_levels = None if self.log_levels is None else self.log_levels[indices]
        density = self.density[indices] if isinstance(self.density, np.ndarray) else self.density
        return replace(self, total=total, size=size, log_levels=log_levels, density=density)

    def log_quantiles(self) -> Floats:
        """quantile: its logarithm in each period, one step from the period's level."""
        log_levels = np.log(self.level_before) if self.log_levels is None else self.log_levels
        size = np.where(self.size > 0, self.size, np.nan)
        log_quantiles: Floats = log_levels + (self.quantile - self.total / size) / self.density
        return log_quantiles


@dataclass(frozen=True)
class Response:
    """The working series, the variance of its noise up to one factor, and where something was seen: (S, n)."""

    z: Floats
    noise: Floats
    is_observed: Mask


def working_response(model_input: ModelInput, columns: Floats) -> Response:
    """The working response; `columns` (n, K) are those of the fit in which the trend continues."""
    is_observed = np.atleast_2d(model_input.is_observed)
    total = np.where(is_observed, np.atleast_2d(model_input.total), 0.0)
    size = np.where(is_observed, np.atleast_2d(model_input.size), 1.0)
    if model_input.family == "count":
        z, noise = _count_response(total, size, columns, is_observed)
    elif model_input.family == "rate":
        z, noise = _rate_response(total, size, columns, is_observed)
    elif model_input.family in ("mean", "duration"):
        z, noise = total / size, 1 / size
    elif model_input.family == "quantile":
        z, noise = np.atleast_2d(model_input.log_quantiles()), 1 / (size * model_input.density**2)
    elif model_input.family == "money":
        z, noise = np.log(np.where(is_observed, total, 1.0)), np.ones_like(total)
    else:
        z, noise = total, np.ones_like(total)
    return Response(np.where(is_observed, z, 0.0), np.where(is_observed, noise, 1.0), is_observed)


def difference_from_controls(response: Response, controls: list[Response], before: int) -> Response:
    """The series less the mean of its controls, period by period: what moves all of them falls out.

    Each control is taken from its own mean before the change, so that one which is missing for a while, or begins
    late, makes no step of its own.
    """
    is_observed = np.stack([control.is_observed for control in controls])
    z = np.where(is_observed, np.stack([control.z for control in controls]), 0.0)
    is_early = is_observed & (np.arange(z.shape[2]) < before)
    z = np.where(
        is_observed,
        z - (z * is_early).sum(axis=2, keepdims=True) / np.maximum(is_early.sum(axis=2, keepdims=True), 1),
        0.0,
    )
    count = np.maximum(is_observed.sum(axis=0), 1)
    noise = np.where(is_observed, np.stack([control.noise for control in controls]), 0.0).sum(axis=0) / count**2
    is_observed_on_both = response.is_observed & is_observed.any(axis=0)
    return Response(
        np.where(is_observed_on_both, response.z - z.sum(axis=0) / count, 0.0),
        np.where(is_observed_on_both, response.noise + noise, 1.0),
        is_observed_on_both,
    )


def _count_response(y: Floats, exposure: Floats, columns: Floats, is_observed: Mask) -> tuple[Floats, Floats]:
    """Poisson with a log link: eta - log E + (y - mu)/mu, noise 1/mu."""

    def step_and_weight(eta: Floats) -> tuple[Floats, Floats]:
        mu = np.exp(eta)
        return (y - mu) / mu, mu

    lowest = np.log(0.5 / np.where(is_observed, exposure, 0.0).sum(axis=1, keepdims=True))  # half an event in all
    return _reweight(
        step_and_weight, np.log(y + 0.5), np.log(exposure), (lowest, np.full_like(lowest, np.inf)), columns, is_observed
    )


def _rate_response(k: Floats, n: Floats, columns: Floats, is_observed: Mask) -> tuple[Floats, Floats]:
    """Binomial with a logit link: eta + (k/N - p)/(p(1 - p)), noise 1/(N·p(1 - p))."""

    def step_and_weight(eta: Floats) -> tuple[Floats, Floats]:
        p = 1 / (1 + np.exp(-eta))
        spread = p * (1 - p)
        return (k / n - p) / spread, n * spread

    furthest = np.log(2 * np.where(is_observed, n, 0.0).sum(axis=1, keepdims=True) + 1)  # half an event in all
    start = np.log((k + 0.5) / (n - k + 0.5))
    return _reweight(step_and_weight, start, np.zeros_like(start), (-furthest, furthest), columns, is_observed)


def _reweight(
    step_and_weight: Callable[[Floats], tuple[Floats, Floats]],
    eta: Floats,
    offset: Floats,
    bounds: tuple[Floats, Floats],
    columns: Floats,
    is_observed: Mask,
) -> tuple[Floats, Floats]:
    """Working response and noise where the fit of reweighted least squares comes to rest; step and weight are those at an eta."""
    for _ in range(MAX_REWEIGHTINGS):
        step, weight = step_and_weight(eta)
        next_eta = (
            np.clip(_fit_weighted(columns, eta - offset + step, np.where(is_observed, weight, 0.0)), *bounds) + offset
        )
        has_converged = np.abs(next_eta - eta).max(initial=0.0, where=is_observed) < 1e-9
        eta = next_eta
        if has_converged:
            break
    step, weight = step_and_weight(eta)
    return eta - offset + step, 1 / weight


def _fit_weighted(columns: Floats, response: Floats, weight: Floats) -> Floats:
    """Fitted values of weighted least squares, series by series."""
    weight = weight / np.maximum(weight.max(axis=1, keepdims=True), 1e-300)
    weighted_columns = columns.T[None] * weight[:, None, :]
    gram = weighted_columns @ columns
    gram += np.eye(columns.shape[1]) * 1e-10 * np.trace(gram, axis1=1, axis2=2)[:, None, None]
    moment = weighted_columns @ response[:, :, None]
    fitted_values: Floats = (columns @ np.linalg.solve(gram, moment))[:, :, 0]
    return fitted_values


def input_from_records(
    family: Family, period: npt.NDArray[np.int64], values: Floats, periods: int, before: int, quantile: float = 0.5,
    cycle_length: int = 1,
) -> ModelInput:  # fmt: skip
    """Records, each with its period (0 is the first) and value, as a measure by period.

    A quantile's levels come from neighbouring periods on the same side of the change; `cycle_length`: of days with a
    pattern of the week, 7.
    """
    size = _sum_by_period(period, np.ones(len(period)), periods)
    if family == "count":
        return ModelInput("count", size, np.ones(periods))
    if family == "quantile":
        return _input_from_waits(period, values, periods, before, quantile, cycle_length)
    return ModelInput(family, _sum_by_period(period, np.log(values) if family == "duration" else values, periods), size)


def _input_from_waits(
    period: npt.NDArray[np.int64], values: Floats, periods: int, before: int, quantile: float, cycle_length: int
) -> ModelInput:
    """A quantile of records that have all ended."""
    order = np.argsort(period, kind="stable")
    waits_by_period = np.split(values[order], np.searchsorted(period[order], np.arange(1, periods)))
    levels = levels_of(
        censored_waits([(waits, np.ones(len(waits), bool)) for waits in waits_by_period]),
        periods,
        quantile,
        [before],
        cycle_length,
    )
    if levels.reason:
        raise RequestError(f"Nothing can be said of that quantile: {levels.reason}.", "Look at more records.")
    sides = [values[period < before], values[period >= before]]
    level_before, level_after = (
        float(np.quantile(side, quantile, method="inverted_cdf")) if len(side) else None for side in sides
    )
    return quantile_input(levels, quantile, level_before or 0.0, level_after)


def quantile_input(levels: PeriodLevels, quantile: float, level: float, after: float | None) -> ModelInput:
    """A quantile by period from its levels, and from what it is of all records on either side of the change."""
    return ModelInput(
        "quantile", levels.cases_within, levels.size, level, levels.density, quantile, levels.log_level, after
    )


def _sum_by_period(period: npt.NDArray[np.int64], values: Floats, periods: int) -> Floats:
    """Values summed by period."""
    return np.bincount(period, values, periods).astype(np.float64)

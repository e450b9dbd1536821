"""How far a series stepped, under two counterfactuals: its trend goes on, or its trend stops.

Nobody knows which would have come; a step is claimed only where both say so, and the interval is the envelope of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wellserved.moments import Granularity
from wellserved.prove.engine.design import TRENDS, Design, Trend, season_columns, step_design
from wellserved.prove.engine.model import (
    CONFIDENCE_LEVEL,
    Floats,
    Hypothesis,
    Mask,
    Mixture,
    Posterior,
    contrast_variance,
    posterior,
    variance_within_window,
    whiten,
)
from wellserved.prove.engine.response import Response

Signs = npt.NDArray[np.int64]
OWN_NOISE_BATCH = 8  # series filtered at a time where each has noise weights of its own
SHARED_NOISE_BATCH = 256  # where they share them


@dataclass(frozen=True)
class TrendIntervals:
    """An effect's intervals under both trends, for S series."""

    intervals: dict[Trend, tuple[Floats, Floats]]
    is_noiseless: Mask

    @property
    def envelope(self) -> tuple[Floats, Floats]:
        """From the lower of the two lower ends to the upper of the upper ones."""
        goes_on, stops = (self.intervals[trend] for trend in TRENDS)
        return np.minimum(goes_on[0], stops[0]), np.maximum(goes_on[1], stops[1])

    @property
    def signs(self) -> dict[Trend, Signs]:
        """Per trend: 1 where its interval lies above zero, -1 below, 0 where it holds zero."""
        return {
            trend: np.where(self.is_noiseless, 0, np.where(low > 0, 1, np.where(high < 0, -1, 0)))
            for trend, (low, high) in self.intervals.items()
        }

    @property
    def claimed_signs(self) -> Signs:
        """1 or -1 where both intervals lie on that side of zero; else 0."""
        goes_on, stops = (self.signs[trend] for trend in TRENDS)
        return np.where(goes_on == stops, goes_on, 0)


@dataclass(frozen=True)
class Steps:
    """The fits of S series; mixtures are in the unit of the working response."""

    fits: dict[Trend, Posterior]
    contrasts: tuple[str, ...]
    sd: Floats  # S: residual standard deviation inside the window
    is_noiseless: Mask  # S: a series without noise, of which nothing can be said

    def effect(self, trend: Trend, contrast: str = "step 0") -> Mixture:
        """One contrast under one trend."""
        return self.fits[trend].effects[self.contrasts.index(contrast)]

    def trend_intervals(
        self, contrast: str = "step 0", level: float | dict[Trend, float] = CONFIDENCE_LEVEL
    ) -> TrendIntervals:
        """The interval under each trend, and what both say; at a level of 1 nothing is said at all."""
        intervals = {}
        for trend in TRENDS:
            trend_level = level[trend] if isinstance(level, dict) else level
            low, high = self.effect(trend, contrast).interval(min(trend_level, 1 - 1e-13))
            intervals[trend] = (low, high) if trend_level < 1 else (low - np.inf, high + np.inf)
        return TrendIntervals(intervals, self.is_noiseless)

    def belief(self, hypotheses: Mask, trend: Trend) -> float:
        """How likely the first series makes some of the hypotheses (H)."""
        by_hypothesis = self.fits[trend].weight[0].reshape(len(hypotheses), -1).sum(axis=1)
        return float(by_hypothesis[hypotheses].sum())

    def p_values(self, contrast: str = "step 0") -> Floats:
        """The larger of the two, or 1 where they point to different sides."""
        effects = [self.effect(trend, contrast) for trend in TRENDS]
        is_same_side = np.sign(effects[0].mean) == np.sign(effects[1].mean)
        p_value: Floats = np.where(is_same_side, np.maximum(effects[0].p_values(), effects[1].p_values()), 1.0)
        return p_value


@dataclass(frozen=True)
class FittedSteps:
    """The answer, and what it would be if the year had no season that was not seen twice."""

    steps: Steps
    without_season: Steps  # where no season was priced in


def fit_steps(response: Response, design: Design, extra: dict[str, Floats] | None = None) -> FittedSteps:
    """Fit all series of a response; `extra` contrasts weigh level and steps, the first columns of a design, or all."""
    width = design.columns.shape[1]
    contrasts = {f"step {number}": np.eye(width)[1 + number] for number in range(design.step_count)}
    contrasts |= {name: np.append(weights, np.zeros(width - len(weights))) for name, weights in (extra or {}).items()}
    z, centre, unit = _standardize(response)
    noise = _normalized_noise(response)
    is_noise_shared = bool((noise == noise[0]).all() and (response.is_observed == response.is_observed[0]).all())
    batch_size = SHARED_NOISE_BATCH if is_noise_shared else OWN_NOISE_BATCH
    hypothesis_masks = [np.ones(len(design.hypotheses), dtype=bool)]
    if design.has_season.any():
        hypothesis_masks.append(~design.has_season)
    batch_fits: dict[Trend, list[list[Posterior]]] = {trend: [[] for _ in hypothesis_masks] for trend in TRENDS}
    for start in range(0, len(z), batch_size):
        batch = slice(start, start + batch_size)
        rows = z[batch].T[None] if is_noise_shared else z[batch][:, :, None]
        noise_batch = slice(0, 1) if is_noise_shared else batch
        products = whiten(design.columns, rows, noise[noise_batch], response.is_observed[noise_batch]).products()
        for trend in TRENDS:
            fits = posterior(
                products,
                design.flat_columns[trend],
                list(contrasts.values()),
                design.window_variance,
                design.hypotheses,
                hypothesis_masks,
            )
            for earlier, fit in zip(batch_fits[trend], fits, strict=True):
                earlier.append(fit)
    all_steps = []
    for number in range(len(hypothesis_masks)):
        by_trend = {trend: _join_posteriors(batch_fits[trend][number], unit, centre) for trend in TRENDS}
        is_noiseless = by_trend["continues"].is_noiseless | by_trend["stops"].is_noiseless
        all_steps.append(Steps(by_trend, tuple(contrasts), by_trend["continues"].sd, is_noiseless))
    return FittedSteps(all_steps[0], all_steps[-1])


def foreseen_variance(
    response: Response, granularity: Granularity, before: int, periods_ahead: int, season_priced: bool
) -> dict[Trend, float] | None:
    """The variance of a steady step in a window of `periods_ahead`, foretold from the periods before the change alone.

    For the first series of a response: its nodes' weights and s² come from a fit of level, season and trend. None:
    the time before is too short, or too still, to foretell anything.
    """
    past = Response(response.z[:1, :before], response.noise[:1, :before], response.is_observed[:1, :before])
    z, _, unit = _standardize(past)
    is_observed = np.append(past.is_observed[0], np.ones(periods_ahead, bool))
    design = step_design(granularity, before + periods_ahead, [before], is_observed, season_priced)
    moving_columns = {0, *np.flatnonzero(np.ptp(design.columns[:before], axis=0) > 0).tolist()}
    if (
        past.is_observed.sum()
        <= len([column for column in design.flat_columns["continues"] if column in moving_columns])
        or not z.any()
    ):
        return None
    weights = _normalized_noise(past)
    # of the noise: as much information a period as before
    usual_noise = past.is_observed.sum() / (1 / weights[past.is_observed]).sum()
    noise = np.append(weights[0], np.full(periods_ahead, usual_noise))[None]
    series = np.append(z[0], np.zeros(periods_ahead))[None, :, None]
    whitened_rows = whiten(design.columns, series, noise, is_observed[None])
    products_before, planned_products = whitened_rows.products(before), whitened_rows.products()
    steady_hypotheses = [
        hypothesis for hypothesis, course in zip(design.hypotheses, design.course_names, strict=True) if not course
    ]
    earlier_hypotheses = [_restrict_hypothesis(hypothesis, moving_columns) for hypothesis in steady_hypotheses]
    variances = {}
    for trend in TRENDS:
        flat = design.flat_columns[trend]
        fit = posterior(
            products_before,
            [column for column in flat if column in moving_columns],
            [],
            design.window_variance,
            earlier_hypotheses,
        )[0]
        step_variance = contrast_variance(
            planned_products, flat, steady_hypotheses, design.window_variance, np.eye(design.columns.shape[1])[1]
        )[0]
        variances[trend] = float((fit.weight[0] * fit.s2[0] * step_variance).sum() * unit[0] ** 2)
    return variances


def _restrict_hypothesis(hypothesis: Hypothesis, columns: set[int]) -> Hypothesis:
    """A hypothesis about some of its columns."""
    pairs = [pair for pair in zip(hypothesis.columns, hypothesis.sd, strict=True) if pair[0] in columns]
    return Hypothesis(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs), hypothesis.log_mass)


def slope_interval(response: Response, granularity: Granularity) -> tuple[float, float] | None:
    """The 95% interval of a straight trend in the first series of a response, a whole window being 1; None: too short."""
    periods = response.z.shape[1]
    first_series = Response(response.z[:1], response.noise[:1], response.is_observed[:1])
    seasonal = season_columns(granularity, periods, periods, first_series.is_observed[0])
    columns = np.column_stack([np.ones(periods), seasonal, np.arange(periods) / periods])
    flat = [
        0,
        *(column for column in range(1, columns.shape[1]) if np.ptp(columns[first_series.is_observed[0], column]) > 0),
    ]
    if first_series.is_observed.sum() - len(flat) < 5:
        return None
    z, _, unit = _standardize(first_series)
    if not z.any():
        return 0.0, 0.0
    products = whiten(columns, z[:, :, None], _normalized_noise(first_series), first_series.is_observed).products()
    (fit,) = posterior(products, flat, [np.eye(columns.shape[1])[-1]], variance_within_window(periods))
    low, high = fit.effects[0].rescale(unit).interval()
    return float(low[0]), float(high[0])


def _normalized_noise(response: Response) -> Floats:
    """Noise weights with mean 1 over the periods seen."""
    mean = np.where(response.is_observed, response.noise, 0.0).sum(axis=1) / response.is_observed.sum(axis=1)
    noise: Floats = np.where(response.is_observed, response.noise / mean[:, None], 1.0)
    return noise


def _standardize(response: Response) -> tuple[Floats, Floats, Floats]:
    """The series with mean 0 and mean square 1 (0 where it is constant but for rounding), their centres and units."""
    count = response.is_observed.sum(axis=1)
    largest = np.abs(response.z).max(axis=1)
    largest = np.where(largest > 0, largest, 1.0)
    z = response.z / largest[:, None]
    centre = (z * response.is_observed).sum(axis=1) / count
    z = np.where(response.is_observed, z - centre[:, None], 0.0)
    unit = np.sqrt((z**2).sum(axis=1) / count)
    constant = unit < 1e-9
    unit = np.where(constant, 1.0, unit)
    return np.where(constant[:, None], 0.0, z) / unit[:, None], centre * largest, unit * largest


def _join_posteriors(fits: list[Posterior], unit: Floats, centre: Floats) -> Posterior:
    """All batches as one, back in the response's unit."""
    effects = tuple(
        _stack_mixtures([fit.effects[number] for fit in fits]).rescale(unit) for number in range(len(fits[0].effects))
    )
    coefficients = np.concatenate([fit.coefficients for fit in fits]) * unit[:, None]
    coefficients[:, 0] += centre
    sd = np.concatenate([fit.sd for fit in fits]) * unit
    s2 = np.concatenate([fit.s2 for fit in fits]) * unit[:, None] ** 2
    weight = np.concatenate([fit.weight for fit in fits])
    is_noiseless = np.concatenate([fit.is_noiseless for fit in fits])
    return Posterior(effects, coefficients, weight, s2, sd, is_noiseless)


def _stack_mixtures(mixtures: list[Mixture]) -> Mixture:
    """Mixtures of different numbers of nodes as one; what is missing weighs nothing."""
    node_count = max(mixture.weight.shape[1] for mixture in mixtures)

    def pad(values: Floats, fill: float) -> Floats:
        return np.pad(values, ((0, 0), (0, node_count - values.shape[1])), constant_values=fill)

    return Mixture(
        np.concatenate([pad(mixture.weight, 0.0) for mixture in mixtures]),
        np.concatenate([pad(mixture.centre, 0.0) for mixture in mixtures]),
        np.concatenate([pad(mixture.scale, 1.0) for mixture in mixtures]),
        np.concatenate([mixture.freedom for mixture in mixtures]),
    )

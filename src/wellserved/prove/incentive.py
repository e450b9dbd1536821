"""A reward that was paid for a while: what the measure did while it was paid, after, and whether it lasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from wellserved.errors import RequestError
from wellserved.measure.measure import Better
from wellserved.moments import Granularity
from wellserved.prove.engine.design import TRENDS, TWO_YEARS, Trend, step_design
from wellserved.prove.engine.response import ModelInput, working_response
from wellserved.prove.engine.step import Steps, fit_steps
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.request import ProofRequest
from wellserved.prove.verdict import FEWEST_DEGREES_OF_FREEDOM, Estimate, baseline_level, to_unit

LastingStatus = Literal["lasting", "fading", "backfiring", "no_effect_seen", "cannot_tell", "not_enough_data"]


@dataclass(frozen=True)
class Incentive:
    """Against the time before: while it was paid, after, and the difference of the two; in the measure's unit."""

    status: LastingStatus
    reason: str
    paid: Estimate | None
    after: Estimate | None
    difference: Estimate | None  # after less paid
    by_trend: dict[Trend, tuple[Estimate, ...]]  # paid, after, difference


def judge_incentive(
    model_input: ModelInput,
    before: int,
    paid_periods: int,
    granularity: Granularity,
    better: Better,
    controls: Sequence[ModelInput] = (),
) -> Incentive:
    """Did the reward work, and did its effect outlast it?

    model_input: one series; `before` periods before it was paid, then `paid_periods` while it was, the rest after.
    Three windows with a step and a slope of their own; envelopes of both trends. Lasting: better while paid and after,
    and not shown to have lost any; fading: better while paid, and shown to have lost some of it since; backfiring:
    worse after than before.
    """
    if better == "neither":
        raise RequestError("A verdict needs a direction.", "Say which way is better: higher or lower.")
    periods = len(model_input.total)
    if min(before, paid_periods, periods - before - paid_periods) < 2:
        return Incentive(
            "not_enough_data", "each of the three windows needs at least two periods", None, None, None, {}
        )
    has_data = model_input.is_observed
    if not all(
        has_data[window_slice].any()
        for window_slice in (slice(0, before), slice(before, before + paid_periods), slice(before + paid_periods, None))
    ):
        return Incentive("not_enough_data", "one of the three windows holds no cases", None, None, None, {})
    design = step_design(
        granularity,
        periods,
        [before, before + paid_periods],
        has_data,
        before < TWO_YEARS[granularity] and not controls,
    )
    if int(has_data.sum()) - design.width < FEWEST_DEGREES_OF_FREEDOM:
        return Incentive(
            "not_enough_data", f"only {int(has_data.sum())} {granularity}s say something", None, None, None, {}
        )
    fit = fit_steps(
        working_response(model_input, design.response_columns()), design, {"difference": np.array([0.0, -1.0, 1.0])}
    ).steps
    if fit.is_noiseless[0]:
        return Incentive(
            "not_enough_data", "the measure never varies, so that nothing can be said of chance", None, None, None, {}
        )
    contrasts = ("step 0", "step 1", "difference")
    envelopes = [_envelope_estimate(fit, name) for name in contrasts]
    level = baseline_level(model_input, before)
    paid_effect, after, difference = (to_unit(model_input, envelope, level) for envelope in envelopes)
    by_trend = {
        trend: tuple(to_unit(model_input, _trend_estimate(fit, name, trend), level) for name in contrasts)
        for trend in TRENDS
    }
    good_side = 1 if better == "higher" else -1
    return Incentive(_lasting_status(envelopes, good_side), "", paid_effect, after, difference, by_trend)


def _trend_estimate(fit: Steps, name: str, trend: Trend) -> Estimate:
    mixture = fit.effect(trend, name)
    low, high = mixture.interval()
    return Estimate(float(mixture.mean[0]), float(low[0]), float(high[0]))


def _envelope_estimate(fit: Steps, name: str) -> Estimate:
    low, high = fit.trend_intervals(name).envelope
    return Estimate(float(fit.effect("continues", name).mean[0]), float(low[0]), float(high[0]))


def _lasting_status(envelopes: list[Estimate], good_side: int) -> LastingStatus:
    paid_side, after_side, difference_side = (envelope.side * good_side for envelope in envelopes)
    if after_side < 0:
        return "backfiring"
    if paid_side > 0 and difference_side < 0:
        return "fading"
    if paid_side > 0 and after_side > 0:
        return "lasting"
    return "cannot_tell" if paid_side > 0 or after_side > 0 else "no_effect_seen"


def incentive_effect(
    request: ProofRequest, series: PeriodSeries, better: Better, controls: list[ModelInput]
) -> Incentive | None:
    """What an incentive did while it was paid, and after; at one look."""
    if request.paid_until is None:
        return None
    end_index = sum(period.start < request.paid_until for period in series.periods)
    straddles_end = np.array([period.start < request.paid_until < period.end for period in series.periods], dtype=bool)
    size = np.where(straddles_end, 0.0, series.model_input.size)
    return judge_incentive(
        replace(series.model_input, size=size),
        series.before,
        end_index - series.before,
        request.granularity,
        better,
        controls,
    )

"""How large must a change be to be seen? The chance of the whole procedure: verdict, checks and guardrails.

Noise is drawn from what the fit says of it (node, s²), as long, as gappy and as weighted as the record; the very fit
and the very checks judge every draw. A change of size d moves the step's ends by d and nothing else, so that each
draw has one size from which on it is claimed and no check takes it back, and one batch gives the chance at any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wellserved.measure.measure import Better
from wellserved.moments import Granularity
from wellserved.prove.checks import LEAST_SHARE_LEFT, PLACEBO_POSITIONS, CheckInput
from wellserved.prove.engine.design import TRENDS, TWO_YEARS, Design, step_design
from wellserved.prove.engine.model import AR_SHARE, CONFIDENCE_LEVEL, PHI, Floats
from wellserved.prove.engine.response import ModelInput, Response, working_response
from wellserved.prove.engine.step import Steps, fit_steps, slope_interval
from wellserved.prove.engine.stretch import SIGNIFICANT_SCORE, find_stretches
from wellserved.prove.guards import GuardrailResult
from wellserved.prove.verdict import (
    FEWEST_DEGREES_OF_FREEDOM,
    Estimate,
    Power,
    Verdict,
    assess_change,
    baseline_level,
    design_and_response,
    to_unit,
)

SEED, MAX_DRAWS = 17, 120
MAX_DRAWN_PERIODS = 30_000  # periods drawn in all, at most: long records get fewer draws
FEWEST_DRAWS = 60  # draws, at least
FEWEST_PERIODS_OF_SIDE = 3  # periods on either side of a made-up change
PARALLEL_PASS_CHANCE = 0.95  # the chance that what was declared to move alike is not found to do otherwise
TARGET_POWER = 0.8  # four times in five
HALF_WIDTH_ERRORS = 1.96  # half an interval, in standard errors


def with_power(verdict: Verdict, inputs: CheckInput, guardrail_results: Sequence[GuardrailResult]) -> Verdict:
    """The verdict with the smallest change that this procedure would have claimed four times in five."""
    if verdict.working is None:
        return verdict
    sizes = claimable_sizes_of_record(inputs)
    recorded_count = sum(result.safety != "not_recorded" for result in guardrail_results)
    pass_chance = chance_of_no_alarm(recorded_count, len(guardrail_results)) * (
        PARALLEL_PASS_CHANCE if inputs.parallel_trends else 1.0
    )
    smallest_in_unit = _size_in_unit(
        inputs.series.model_input,
        smallest_size(sizes, pass_chance),
        _direction(inputs.better),
        verdict.level_before or 0.0,
    )
    return replace(
        verdict,
        smallest=smallest_in_unit,
        power=Power(smallest_in_unit, float(np.isfinite(sizes).mean()) * pass_chance, len(sizes)),
    )


def claimable_sizes_of_record(inputs: CheckInput) -> Floats:
    """For every draw of the record's noise: the size, on the model's scale, from which on an improvement is claimed."""
    verdict, model_input, before, granularity = (
        inputs.verdict,
        inputs.series.model_input,
        inputs.series.before,
        inputs.granularity,
    )
    design, response = design_and_response(
        model_input, inputs.controls, before, granularity, verdict.season_priced, not inputs.parallel_trends
    )
    fit = fit_steps(response, design).steps.fits["continues"]
    draws = draw_noise(response, fit.weight[0], fit.s2[0], shrunken_drift(response, before, granularity))
    return claimable_sizes(draws, design, granularity, before, _direction(inputs.better), verdict.level)


def foresee_smallest_change(
    model_input: ModelInput,
    before: int,
    granularity: Granularity,
    periods_ahead: int,
    better: Better,
    guardrail_count: int,
) -> float | None:
    """The change, in the unit, that will be claimed four times in five after so many periods; None: none will.

    From the time before the change alone. `guardrail_count`: guardrails that are looked at.
    """
    is_observed, placebo_start = model_input.is_observed[:before], before * 3 // 4
    earlier = model_input.select_periods(slice(0, before))
    if assess_change(earlier, placebo_start, granularity, better).working is None:
        return None  # too short, too still, or beyond what can be computed with
    design = step_design(granularity, before, [placebo_start], is_observed, before < TWO_YEARS[granularity])
    past = working_response(earlier, design.response_columns())
    fit = fit_steps(past, design).steps.fits["continues"]
    usual_noise = is_observed.sum() / (1 / past.noise[0, is_observed]).sum()  # as much information a period as before
    noise, is_known = (
        np.append(row, np.full(periods_ahead, filler))
        for row, filler in ((past.noise[0], usual_noise), (is_observed, True))
    )
    planned_response = Response(np.zeros((1, before + periods_ahead)), noise[None], is_known[None])
    draws = draw_noise(planned_response, fit.weight[0], fit.s2[0], shrunken_drift(past, before, granularity))
    planned_design = step_design(
        granularity, before + periods_ahead, [before], is_known, before < TWO_YEARS[granularity]
    )
    size = smallest_size(
        claimable_sizes(draws, planned_design, granularity, before, _direction(better)),
        chance_of_no_alarm(guardrail_count, guardrail_count),
    )
    return _size_in_unit(model_input, size, _direction(better), baseline_level(model_input, before))


def _direction(better: Better) -> float:
    return 1.0 if better == "higher" else -1.0


def _size_in_unit(model_input: ModelInput, size: float | None, direction: float, level: float) -> float | None:
    if size is None:
        return None
    return abs(to_unit(model_input, Estimate(direction * size, direction * size, direction * size), level).value)


def chance_of_no_alarm(recorded_count: int, guardrail_count: int) -> float:
    """The chance that a change which harms nothing sets off no alarm: all share 5%, half of it on the harmful side."""
    return float((1 - 0.025 / guardrail_count) ** recorded_count) if guardrail_count else 1.0


def smallest_size(sizes: Floats, pass_chance: float = 1.0) -> float | None:
    """The size at which four in five are claimed, if so many of the others pass; None: no size will do."""
    if pass_chance <= TARGET_POWER or not len(sizes):
        return None
    size = float(np.quantile(sizes, TARGET_POWER / pass_chance, method="higher"))
    return size if np.isfinite(size) else None


def shrunken_drift(response: Response, before: int, granularity: Granularity) -> float:
    """How far the first series moves a period by itself, taken with as little trust as it deserves (James and Stein)."""
    past = Response(response.z[:1, :before], response.noise[:1, :before], response.is_observed[:1, :before])
    interval = slope_interval(past, granularity) if past.is_observed.any() else None
    if interval is None or interval[0] == interval[1]:
        return 0.0
    slope, error = sum(interval) / 2, (interval[1] - interval[0]) / (2 * HALF_WIDTH_ERRORS)
    return slope * max(0.0, 1 - (error / slope) ** 2) / before if slope else 0.0


def draw_noise(response: Response, weight: Floats, s2: Floats, trend: float) -> Response:
    """Series with the first one's gaps and weights: each of a node drawn by its weight, with that node's s²."""
    random, periods = np.random.default_rng(SEED), response.z.shape[1]
    count = int(np.clip(MAX_DRAWN_PERIODS // periods, FEWEST_DRAWS, MAX_DRAWS))
    node = random.choice(len(weight), count, p=weight / weight.sum())
    scale = np.sqrt(s2[node])
    phi, share = PHI[node % len(PHI)], AR_SHARE[node % len(PHI)]
    is_period_observed, noise = response.is_observed[0], response.noise[0]
    noise = np.where(is_period_observed, noise / noise[is_period_observed].mean(), 1.0)
    shocks = random.standard_normal((2, periods, count))
    level, rows = shocks[0, 0], np.empty((periods, count))
    for period in range(periods):
        level = level if not period else phi * level + np.sqrt(1 - phi**2) * shocks[0, period]
        rows[period] = np.sqrt(share) * level + np.sqrt((1 - share) * noise[period]) * shocks[1, period]
    z = scale[:, None] * rows.T + trend * np.arange(periods)
    is_observed = np.broadcast_to(is_period_observed, z.shape)
    return Response(np.where(is_observed, z, 0.0), np.broadcast_to(noise, z.shape), is_observed)


def claimable_sizes(
    draws: Response,
    design: Design,
    granularity: Granularity,
    before: int,
    direction: float,
    level: float = CONFIDENCE_LEVEL,
) -> Floats:
    """Per series, in which nothing was changed: the size from which on a change that way is claimed and not taken back."""
    steps = fit_steps(draws, design).steps
    intervals = steps.trend_intervals(level=min(level, 1 - 1e-12))
    point = direction * steps.effect("continues").mean
    trend_ends = [intervals.intervals[trend] for trend in TRENDS]
    size: Floats = np.max([-low if direction > 0 else high for low, high in trend_ends], axis=0)
    size = np.maximum(
        size, _claimable_after_stretch(draws, design, steps, before, granularity, direction, size + point) - point
    )
    size = np.maximum(size, _claimable_after_placebos(draws, granularity, before) - point)
    claimable_size: Floats = np.maximum(size, 0.0)
    return claimable_size


def _claimable_after_stretch(
    draws: Response,
    design: Design,
    steps: Steps,
    before: int,
    granularity: Granularity,
    direction: float,
    half_width: Floats,
) -> Floats:
    """The estimate from which on the bad stretch takes nothing back; `half_width`: from the estimate to its near end."""
    bad_stretches = find_stretches(draws, design, steps, before, granularity, np.full(len(half_width), direction))
    if bad_stretches is None:
        return np.full(len(half_width), -np.inf)
    length, shift = bad_stretches.most_suspect()
    score = bad_stretches.score[np.arange(len(half_width)), np.maximum(length - 1, 0)]
    error = shift / np.where(length > 0, score, 1.0)
    # with which what is left is still a claim
    claimable_rest = shift + np.sqrt(half_width**2 + (HALF_WIDTH_ERRORS * error) ** 2)
    size = np.where(
        score > SIGNIFICANT_SCORE, np.maximum(shift / LEAST_SHARE_LEFT, claimable_rest), shift / LEAST_SHARE_LEFT
    )
    return np.where(length > 0, size, -np.inf)


def _claimable_after_placebos(draws: Response, granularity: Granularity, before: int) -> Floats:
    """The estimate from which on no made-up change that is claimed is half as large."""
    size = np.full(len(draws.z), -np.inf)
    past = Response(draws.z[:, :before], draws.noise[:, :before], draws.is_observed[:, :before])
    for position in PLACEBO_POSITIONS:
        placebo_start = int(before * position)
        is_observed = past.is_observed[0]
        if is_observed[:placebo_start].sum() < FEWEST_PERIODS_OF_SIDE or not is_observed[placebo_start:].any():
            continue
        design = step_design(granularity, before, [placebo_start], is_observed, placebo_start < TWO_YEARS[granularity])
        if is_observed.sum() - design.width < FEWEST_DEGREES_OF_FREEDOM:
            continue
        steps = fit_steps(past, design).steps
        claims = steps.trend_intervals(level=1 - 0.05 / len(PLACEBO_POSITIONS)).claimed_signs != 0
        size = np.maximum(size, np.where(claims, np.abs(steps.effect("continues").mean) / LEAST_SHARE_LEFT, -np.inf))
    return size

"""How large must a change be to be seen? The chance of the whole procedure: verdict, checks and guardrails.

Noise is drawn from what the fit says of it (node, s²), as long, as gappy and as weighted as the record; the very fit
and the very checks judge every draw. A change of size d moves the step's ends by d and nothing else, so that each
draw has one size from which on it is claimed and no check takes it back, and one batch gives the chance at any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wellserved.measure.definition import Better
from wellserved.moments import Every
from wellserved.prove.checks import HALF, PLACEBOS, CheckInput
from wellserved.prove.design import TRENDS, TWO_YEARS, Design, step_design
from wellserved.prove.guards import Guarded
from wellserved.prove.model import LEVEL, PHI, SHARE, Floats
from wellserved.prove.response import Observed, Response, respond
from wellserved.prove.step import Steps, fit_steps, trend_of
from wellserved.prove.stretch import CHANCE, stretches
from wellserved.prove.verdict import LEAST_FREEDOM, Estimate, Power, Verdict, change, height, in_unit, posed

SEED, DRAWS = 17, 120
CELLS = 30_000  # periods drawn in all, at most: long records get fewer draws
FEWEST = 60  # draws, at least
FEWEST_SIDE = 3  # periods on either side of a made-up change
ALIKE = 0.95  # the chance that what was declared to move alike is not found to do otherwise
OFTEN = 0.8  # four times in five
REACH = 1.96  # half an interval, in standard errors


def with_power(verdict: Verdict, inputs: CheckInput, guardrail_results: Sequence[Guarded]) -> Verdict:
    """The verdict with the smallest change that this procedure would have claimed four times in five."""
    if verdict.working is None:
        return verdict
    sizes = sizes_of(inputs)
    recorded_count = sum(result.safety != "not_recorded" for result in guardrail_results)
    pass_chance = unharmed(recorded_count, len(guardrail_results)) * (ALIKE if inputs.parallel_trends else 1.0)
    smallest_in_unit = _size_in_unit(
        inputs.series.model_input, smallest(sizes, pass_chance), _direction(inputs.better), verdict.level_before or 0.0
    )
    return replace(
        verdict,
        smallest=smallest_in_unit,
        power=Power(smallest_in_unit, float(np.isfinite(sizes).mean()) * pass_chance, len(sizes)),
    )


def sizes_of(inputs: CheckInput) -> Floats:
    """For every draw of the record's noise: the size, on the model's scale, from which on an improvement is claimed."""
    verdict, model_input, before, granularity = (
        inputs.verdict,
        inputs.series.model_input,
        inputs.series.before,
        inputs.granularity,
    )
    design, response = posed(
        model_input, inputs.controls, before, granularity, verdict.season_priced, not inputs.parallel_trends
    )
    fit = fit_steps(response, design).steps.fits["continues"]
    draws = draw(response, fit.weight[0], fit.s2[0], drift(response, before, granularity))
    return needed(draws, design, granularity, before, _direction(inputs.better), verdict.level)


def foreseen(
    model_input: Observed, before: int, granularity: Every, periods_ahead: int, better: Better, guardrail_count: int
) -> float | None:
    """The change, in the unit, that will be claimed four times in five after so many periods; None: none will.

    From the time before the change alone. `guardrail_count`: guardrails that are looked at.
    """
    is_observed, placebo_start = model_input.is_observed[:before], before * 3 // 4
    earlier = model_input.select_periods(slice(0, before))
    if change(earlier, placebo_start, granularity, better).working is None:
        return None  # too short, too still, or beyond what can be computed with
    design = step_design(granularity, before, [placebo_start], is_observed, before < TWO_YEARS[granularity])
    past = respond(earlier, design.response_columns())
    fit = fit_steps(past, design).steps.fits["continues"]
    usual_noise = is_observed.sum() / (1 / past.noise[0, is_observed]).sum()  # as much information a period as before
    noise, is_known = (
        np.append(row, np.full(periods_ahead, filler))
        for row, filler in ((past.noise[0], usual_noise), (is_observed, True))
    )
    planned_response = Response(np.zeros((1, before + periods_ahead)), noise[None], is_known[None])
    draws = draw(planned_response, fit.weight[0], fit.s2[0], drift(past, before, granularity))
    planned_design = step_design(
        granularity, before + periods_ahead, [before], is_known, before < TWO_YEARS[granularity]
    )
    size = smallest(
        needed(draws, planned_design, granularity, before, _direction(better)),
        unharmed(guardrail_count, guardrail_count),
    )
    return _size_in_unit(model_input, size, _direction(better), height(model_input, before))


def _direction(better: Better) -> float:
    return 1.0 if better == "higher" else -1.0


def _size_in_unit(model_input: Observed, size: float | None, direction: float, level: float) -> float | None:
    if size is None:
        return None
    return abs(in_unit(model_input, Estimate(direction * size, direction * size, direction * size), level).value)


def unharmed(recorded_count: int, guardrail_count: int) -> float:
    """The chance that a change which harms nothing sets off no alarm: all share 5%, half of it on the harmful side."""
    return float((1 - 0.025 / guardrail_count) ** recorded_count) if guardrail_count else 1.0


def smallest(sizes: Floats, pass_chance: float = 1.0) -> float | None:
    """The size at which four in five are claimed, if so many of the others pass; None: no size will do."""
    if pass_chance <= OFTEN or not len(sizes):
        return None
    size = float(np.quantile(sizes, OFTEN / pass_chance, method="higher"))
    return size if np.isfinite(size) else None


def drift(response: Response, before: int, granularity: Every) -> float:
    """How far the first series moves a period by itself, taken with as little trust as it deserves (James and Stein)."""
    past = Response(response.z[:1, :before], response.noise[:1, :before], response.is_observed[:1, :before])
    interval = trend_of(past, granularity) if past.is_observed.any() else None
    if interval is None or interval[0] == interval[1]:
        return 0.0
    slope, error = sum(interval) / 2, (interval[1] - interval[0]) / (2 * REACH)
    return slope * max(0.0, 1 - (error / slope) ** 2) / before if slope else 0.0


def draw(response: Response, weight: Floats, s2: Floats, trend: float) -> Response:
    """Series with the first one's gaps and weights: each of a node drawn by its weight, with that node's s²."""
    random, periods = np.random.default_rng(SEED), response.z.shape[1]
    count = int(np.clip(CELLS // periods, FEWEST, DRAWS))
    node = random.choice(len(weight), count, p=weight / weight.sum())
    scale = np.sqrt(s2[node])
    phi, share = PHI[node % len(PHI)], SHARE[node % len(PHI)]
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


def needed(
    draws: Response, design: Design, granularity: Every, before: int, direction: float, level: float = LEVEL
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
    draws: Response, design: Design, steps: Steps, before: int, granularity: Every, direction: float, half_width: Floats
) -> Floats:
    """The estimate from which on the bad stretch takes nothing back; `half_width`: from the estimate to its near end."""
    bad_stretches = stretches(draws, design, steps, before, granularity, np.full(len(half_width), direction))
    if bad_stretches is None:
        return np.full(len(half_width), -np.inf)
    length, shift = bad_stretches.most_suspect()
    score = bad_stretches.score[np.arange(len(half_width)), np.maximum(length - 1, 0)]
    error = shift / np.where(length > 0, score, 1.0)
    claimable_rest = shift + np.sqrt(half_width**2 + (REACH * error) ** 2)  # with which what is left is still a claim
    size = np.where(score > CHANCE, np.maximum(shift / HALF, claimable_rest), shift / HALF)
    return np.where(length > 0, size, -np.inf)


def _claimable_after_placebos(draws: Response, granularity: Every, before: int) -> Floats:
    """The estimate from which on no made-up change that is claimed is half as large."""
    size = np.full(len(draws.z), -np.inf)
    past = Response(draws.z[:, :before], draws.noise[:, :before], draws.is_observed[:, :before])
    for position in PLACEBOS:
        placebo_start = int(before * position)
        is_observed = past.is_observed[0]
        if is_observed[:placebo_start].sum() < FEWEST_SIDE or not is_observed[placebo_start:].any():
            continue
        design = step_design(granularity, before, [placebo_start], is_observed, placebo_start < TWO_YEARS[granularity])
        if is_observed.sum() - design.width < LEAST_FREEDOM:
            continue
        steps = fit_steps(past, design).steps
        claims = steps.trend_intervals(level=1 - 0.05 / len(PLACEBOS)).claimed_signs != 0
        size = np.maximum(size, np.where(claims, np.abs(steps.effect("continues").mean) / HALF, -np.inf))
    return size

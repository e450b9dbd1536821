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


def with_power(verdict: Verdict, inputs: CheckInput, guarded: Sequence[Guarded]) -> Verdict:
    """The verdict with the smallest change that this procedure would have claimed four times in five."""
    if verdict.working is None:
        return verdict
    sizes = sizes_of(inputs)
    looked = sum(one.safety != "not_recorded" for one in guarded)
    passes = unharmed(looked, len(guarded)) * (ALIKE if inputs.parallel else 1.0)
    unit = _in_unit(inputs.seen.observed, smallest(sizes, passes), _way(inputs.better), verdict.level_before or 0.0)
    return replace(verdict, smallest=unit, power=Power(unit, float(np.isfinite(sizes).mean()) * passes, len(sizes)))


def sizes_of(inputs: CheckInput) -> Floats:
    """For every draw of the record's noise: the size, on the model's scale, from which on an improvement is claimed."""
    verdict, seen, before, every = inputs.verdict, inputs.seen.observed, inputs.seen.before, inputs.every
    design, response = posed(seen, inputs.controls, before, every, verdict.season_priced, not inputs.parallel)
    fit = fit_steps(response, design).steps.fits["continues"]
    draws = draw(response, fit.weight[0], fit.s2[0], drift(response, before, every))
    return needed(draws, design, every, before, _way(inputs.better), verdict.level)


def foreseen(observed: Observed, before: int, every: Every, ahead: int, better: Better, rails: int) -> float | None:
    """The change, in the unit, that will be claimed four times in five after so many periods; None: none will.

    From the time before the change alone. `rails`: guardrails that are looked at.
    """
    seen, at = observed.seen[:before], before * 3 // 4
    earlier = observed.over(slice(0, before))
    if change(earlier, at, every, better).working is None:  # too short, too still, or beyond what can be computed with
        return None
    design = step_design(every, before, [at], seen, before < TWO_YEARS[every])
    past = respond(earlier, design.of_response())
    fit = fit_steps(past, design).steps.fits["continues"]
    usual = seen.sum() / (1 / past.noise[0, seen]).sum()  # as much information a period as before
    noise, known = (np.append(row, np.full(ahead, more)) for row, more in ((past.noise[0], usual), (seen, True)))
    plan = Response(np.zeros((1, before + ahead)), noise[None], known[None])
    draws = draw(plan, fit.weight[0], fit.s2[0], drift(past, before, every))
    planned = step_design(every, before + ahead, [before], known, before < TWO_YEARS[every])
    size = smallest(needed(draws, planned, every, before, _way(better)), unharmed(rails, rails))
    return _in_unit(observed, size, _way(better), height(observed, before))


def _way(better: Better) -> float:
    return 1.0 if better == "higher" else -1.0


def _in_unit(observed: Observed, size: float | None, way: float, level: float) -> float | None:
    return None if size is None else abs(in_unit(observed, Estimate(way * size, way * size, way * size), level).value)


def unharmed(looked: int, together: int) -> float:
    """The chance that a change which harms nothing sets off no alarm: all share 5%, half of it on the harmful side."""
    return float((1 - 0.025 / together) ** looked) if together else 1.0


def smallest(sizes: Floats, passes: float = 1.0) -> float | None:
    """The size at which four in five are claimed, if so many of the others pass; None: no size will do."""
    if passes <= OFTEN or not len(sizes):
        return None
    found = float(np.quantile(sizes, OFTEN / passes, method="higher"))
    return found if np.isfinite(found) else None


def drift(response: Response, before: int, every: Every) -> float:
    """How far the first series moves a period by itself, taken with as little trust as it deserves (James and Stein)."""
    past = Response(response.z[:1, :before], response.noise[:1, :before], response.seen[:1, :before])
    ends = trend_of(past, every) if past.seen.any() else None
    if ends is None or ends[0] == ends[1]:
        return 0.0
    slope, error = sum(ends) / 2, (ends[1] - ends[0]) / (2 * REACH)
    return slope * max(0.0, 1 - (error / slope) ** 2) / before if slope else 0.0


def draw(response: Response, weight: Floats, s2: Floats, trend: float) -> Response:
    """Series with the first one's gaps and weights: each of a node drawn by its weight, with that node's s²."""
    random, periods = np.random.default_rng(SEED), response.z.shape[1]
    count = int(np.clip(CELLS // periods, FEWEST, DRAWS))
    node = random.choice(len(weight), count, p=weight / weight.sum())
    scale = np.sqrt(s2[node])
    phi, share = PHI[node % len(PHI)], SHARE[node % len(PHI)]
    seen, noise = response.seen[0], response.noise[0]
    noise = np.where(seen, noise / noise[seen].mean(), 1.0)
    shocks = random.standard_normal((2, periods, count))
    level, rows = shocks[0, 0], np.empty((periods, count))
    for period in range(periods):
        level = level if not period else phi * level + np.sqrt(1 - phi**2) * shocks[0, period]
        rows[period] = np.sqrt(share) * level + np.sqrt((1 - share) * noise[period]) * shocks[1, period]
    z = scale[:, None] * rows.T + trend * np.arange(periods)
    alike = np.broadcast_to(seen, z.shape)
    return Response(np.where(alike, z, 0.0), np.broadcast_to(noise, z.shape), alike)


def needed(draws: Response, design: Design, every: Every, before: int, way: float, level: float = LEVEL) -> Floats:
    """Per series, in which nothing was changed: the size from which on a change that way is claimed and not taken back."""
    steps = fit_steps(draws, design).steps
    judged = steps.judged(level=min(level, 1 - 1e-12))
    point = way * steps.effect("continues").point
    ends = [judged.ends[trend] for trend in TRENDS]
    size: Floats = np.max([-low if way > 0 else high for low, high in ends], axis=0)
    size = np.maximum(size, _after_stretch(draws, design, steps, before, every, way, size + point) - point)
    size = np.maximum(size, _after_placebos(draws, every, before) - point)
    found: Floats = np.maximum(size, 0.0)
    return found


def _after_stretch(
    draws: Response, design: Design, steps: Steps, before: int, every: Every, way: float, half: Floats
) -> Floats:
    """The estimate from which on the bad stretch takes nothing back; `half`: from the estimate to its near end."""
    found = stretches(draws, design, steps, before, every, np.full(len(half), way))
    if found is None:
        return np.full(len(half), -np.inf)
    length, shift = found.decisive()
    score = found.score[np.arange(len(half)), np.maximum(length - 1, 0)]
    error = shift / np.where(length > 0, score, 1.0)
    rest = shift + np.sqrt(half**2 + (REACH * error) ** 2)  # with which what is left is still a claim
    size = np.where(score > CHANCE, np.maximum(shift / HALF, rest), shift / HALF)
    return np.where(length > 0, size, -np.inf)


def _after_placebos(draws: Response, every: Every, before: int) -> Floats:
    """The estimate from which on no made-up change that is claimed is half as large."""
    size = np.full(len(draws.z), -np.inf)
    past = Response(draws.z[:, :before], draws.noise[:, :before], draws.seen[:, :before])
    for place in PLACEBOS:
        at = int(before * place)
        seen = past.seen[0]
        if seen[:at].sum() < FEWEST_SIDE or not seen[at:].any():
            continue
        design = step_design(every, before, [at], seen, at < TWO_YEARS[every])
        if seen.sum() - design.width < LEAST_FREEDOM:
            continue
        steps = fit_steps(past, design).steps
        claims = steps.judged(level=1 - 0.05 / len(PLACEBOS)).claims != 0
        size = np.maximum(size, np.where(claims, np.abs(steps.effect("continues").point) / HALF, -np.inf))
    return size

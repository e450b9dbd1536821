"""How likely is it that a measure got worse by more than it may? One-sided chances from the engine's own mixtures.

Nobody knows how the trend would have gone on, so that a chance is told under both ways of going on: whoever asks
whether harm is excluded takes the larger of the two, whoever asks whether harm is shown the smaller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from wellserved.moments import Granularity
from wellserved.prove.engine.design import TRENDS, TWO_YEARS, Design, step_design
from wellserved.prove.engine.model import Floats
from wellserved.prove.engine.response import ModelInput, working_response
from wellserved.prove.engine.step import Steps, fit_steps, foreseen_variance
from wellserved.prove.verdict import Estimate, to_unit

GRID_POINTS = 400  # points of a distribution by which two shares are compared
JEFFREYS_PRIOR = 0.5  # added to events and to other cases: Jeffreys' prior of a share
ONE_SIDED_ERRORS = 1.6448536269514722  # standard errors that leave 5% on one side


@dataclass(frozen=True)
class Harm:
    """What is known of how much worse a measure got, in its unit; positive is worse."""

    estimate: Estimate  # 95%
    steps: Steps | None = None  # the fit; None: two shares were compared as they are
    draws: tuple[float, ...] = ()  # in place of a fit: equally likely values

    def is_certain(self, level: float) -> bool:
        """Worse than before at all, at this level, however the trend would have gone on; `harmful` is up."""
        if self.steps is None:
            return bool(np.mean(np.array(self.draws) > 0) >= (1 + level) / 2)
        return bool(self.steps.trend_intervals(level=level).claimed_signs[0] == self._harmful_sign)

    higher_is_worse: bool = True  # more of the measure is worse

    @property
    def _harmful_sign(self) -> int:
        return 1 if self.higher_is_worse else -1

    def chances_beyond(self, threshold: float) -> tuple[float, float]:
        """The chances of a harm above a threshold on the fit's scale: under the trend that makes it least, and most."""
        if self.steps is None:
            chance = float(np.mean(np.array(self.draws) > threshold))
            return chance, chance
        # Harm is read from its own tail, where small chances keep their digits and an endless margin leaves none.
        to_benefit = np.array([-float(self._harmful_sign)])
        benefits = [self.steps.effect(trend).rescale(to_benefit) for trend in TRENDS]
        chances = [float(benefit.probability_below(np.array([-threshold]))[0]) for benefit in benefits]
        return min(chances), max(chances)


def fit_at_one_look(model_input: ModelInput, before: int, granularity: Granularity) -> Steps:
    """The step under both trends, as a verdict at one look fits it."""
    design = step_design(
        granularity, len(model_input.is_observed), [before], model_input.is_observed, before < TWO_YEARS[granularity]
    )
    return fit_steps(working_response(model_input, design.response_columns()), design).steps


def margin_on_scale(model_input: ModelInput, level: float, margin: float, higher_is_worse: bool) -> float:
    """A margin in the measure's unit as a distance on the fit's scale, to the harmful side; infinite: out of reach."""
    limit = level + margin if higher_is_worse else level - margin
    if model_input.family == "rate":
        if not 0 < limit < 1 or not 0 < level < 1:
            return math.inf
        return abs(float(special.logit(limit) - special.logit(level)))
    if model_input.is_ratio:
        return abs(math.log(limit / level)) if limit > 0 and level > 0 else math.inf
    return margin


def foreseen_margins(
    model_input: ModelInput,
    before: int,
    granularity: Granularity,
    level: float,
    periods_ahead: int,
    errors: float = ONE_SIDED_ERRORS,
) -> Estimate | None:
    """So many standard errors of a step in `periods_ahead` to come, in the unit; from the time before the change alone.

    With the usual number, an end is the smallest margin to that side that can be shown if nothing changes. None: too
    little history.
    """
    season_priced = before < TWO_YEARS[granularity]
    design = step_design(granularity, len(model_input.is_observed), [before], model_input.is_observed, season_priced)
    is_early = np.arange(len(model_input.is_observed)) < before
    past = replace(model_input, size=np.where(is_early, model_input.size, 0.0))
    if not past.is_observed.sum() > 5:
        return None
    variance = foreseen_variance(
        working_response(past, _columns_before(design, before)), granularity, before, periods_ahead, season_priced
    )
    if variance is None:
        return None
    half_width = errors * math.sqrt(max(variance.values()))
    return to_unit(model_input, Estimate(0.0, -half_width, half_width), level)


def _columns_before(design: Design, before: int) -> Floats:
    """The columns at which counts and rates are linearised, without those that move after the change alone."""
    columns = design.response_columns()
    return columns[:, columns[:before].any(axis=0)]


def compare_shares(model_input: ModelInput, before: int, higher_is_worse: bool) -> Harm | None:
    """Two shares compared as they are, where too few events came before the change for a fit; None: one side is empty.

    Beta distributions (Jeffreys' prior) of both, of fewer cases by as much as periods vary by more than chance.
    """
    sides = []
    for periods in (slice(0, before), slice(before, None)):
        is_observed = model_input.is_observed[periods]
        total, size = model_input.total[periods][is_observed], model_input.size[periods][is_observed]
        n, k = float(size.sum()), float(total.sum())
        if not n:
            return None
        overdispersion = _overdispersion(total, size)
        sides.append((k / overdispersion + JEFFREYS_PRIOR, (n - k) / overdispersion + JEFFREYS_PRIOR))
    points = (np.arange(GRID_POINTS) + 0.5) / GRID_POINTS
    early, late = (special.betaincinv(*side, points) for side in sides)
    draws = np.sort((late[:, None] - early[None, :]).ravel() * (1 if higher_is_worse else -1))
    low, middle, high = (float(value) for value in np.quantile(draws, [0.025, 0.5, 0.975]))
    return Harm(Estimate(middle, low, high), None, tuple(draws[:: GRID_POINTS // 4].tolist()), higher_is_worse)


def _overdispersion(total: np.ndarray, size: np.ndarray) -> float:
    """By how much more than chance a share varies from period to period: Pearson's statistic a degree of freedom, 1 at least."""
    share = total.sum() / size.sum()
    if not 0 < share < 1 or len(size) < 2:
        return 1.0
    return max(1.0, float(((total - share * size) ** 2 / (size * share * (1 - share))).sum()) / (len(size) - 1))

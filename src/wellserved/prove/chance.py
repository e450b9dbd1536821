"""How likely is it that a measure got worse by more than it may? One-sided chances from the engine's own mixtures.

Nobody knows how the trend would have gone on, so that a chance is told under both ways of going on: whoever asks
whether harm is excluded takes the larger of the two, whoever asks whether harm is shown the smaller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from wellserved.moments import Every
from wellserved.prove.design import TRENDS, TWO_YEARS, Design, step_design
from wellserved.prove.model import Floats
from wellserved.prove.response import Observed, respond
from wellserved.prove.step import Steps, fit_steps, foreseen_variance
from wellserved.prove.verdict import Estimate, in_unit

GRID = 400  # points of a distribution by which two shares are compared
JEFFREYS = 0.5  # added to events and to other cases: Jeffreys' prior of a share
SIDE = 1.6448536269514722  # standard errors that leave 5% on one side


@dataclass(frozen=True)
class Harm:
    """What is known of how much worse a measure got, in its unit; positive is worse."""

    estimate: Estimate  # 95%
    steps: Steps | None = None  # the fit; None: two shares were compared as they are
    draws: tuple[float, ...] = ()  # in place of a fit: equally likely values

    def sure(self, level: float) -> bool:
        """Worse than before at all, at this level, however the trend would have gone on; `harmful` is up."""
        if self.steps is None:
            return bool(np.mean(np.array(self.draws) > 0) >= (1 + level) / 2)
        return bool(self.steps.judged(level=level).claims[0] == self._up)

    up: bool = True  # more of the measure is worse

    @property
    def _up(self) -> int:
        return 1 if self.up else -1

    def beyond(self, threshold: float) -> tuple[float, float]:
        """The chances of a harm above a threshold on the fit's scale: under the trend that makes it least, and most."""
        if self.steps is None:
            chance = float(np.mean(np.array(self.draws) > threshold))
            return chance, chance
        chances = []
        for trend in TRENDS:
            below = float(self.steps.effect(trend).below(np.array([self._up * threshold]))[0])
            chances.append(1 - below if self.up else below)
        return min(chances), max(chances)


def fitted(observed: Observed, before: int, every: Every) -> Steps:
    """The step under both trends, as a verdict at one look fits it."""
    design = step_design(every, len(observed.seen), [before], observed.seen, before < TWO_YEARS[every])
    return fit_steps(respond(observed, design.of_response()), design).steps


def on_scale(observed: Observed, level: float, margin: float, up: bool) -> float:
    """A margin in the measure's unit as a distance on the fit's scale, to the harmful side; infinite: out of reach."""
    to = level + margin if up else level - margin
    if observed.family == "rate":
        if not 0 < to < 1 or not 0 < level < 1:
            return math.inf
        return abs(float(special.logit(to) - special.logit(level)))
    if observed.ratio:
        return abs(math.log(to / level)) if to > 0 and level > 0 else math.inf
    return margin


def reach(
    observed: Observed, before: int, every: Every, level: float, ahead: int, errors: float = SIDE
) -> Estimate | None:
    """So many standard errors of a step in `ahead` periods to come, in the unit; from the time before the change alone.

    With the usual number, an end is the smallest margin to that side that can be shown if nothing changes. None: too
    little history.
    """
    priced = before < TWO_YEARS[every]
    design = step_design(every, len(observed.seen), [before], observed.seen, priced)
    early = np.arange(len(observed.seen)) < before
    past = replace(observed, size=np.where(early, observed.size, 0.0))
    if not past.seen.sum() > 5:
        return None
    variance = foreseen_variance(respond(past, _still(design, before)), every, before, ahead, priced)
    if variance is None:
        return None
    half = errors * math.sqrt(max(variance.values()))
    return in_unit(observed, Estimate(0.0, -half, half), level)


def _still(design: Design, before: int) -> Floats:
    """The columns at which counts and rates are linearised, without those that move after the change alone."""
    columns = design.of_response()
    return columns[:, columns[:before].any(axis=0)]


def shares(observed: Observed, before: int, up: bool) -> Harm | None:
    """Two shares compared as they are, where too few events came before the change for a fit; None: one side is empty.

    Beta distributions (Jeffreys' prior) of both, of fewer cases by as much as periods vary by more than chance.
    """
    sides = []
    for part in (slice(0, before), slice(before, None)):
        seen = observed.seen[part]
        total, size = observed.total[part][seen], observed.size[part][seen]
        n, k = float(size.sum()), float(total.sum())
        if not n:
            return None
        less = _spread(total, size)
        sides.append((k / less + JEFFREYS, (n - k) / less + JEFFREYS))
    points = (np.arange(GRID) + 0.5) / GRID
    early, late = (special.betaincinv(*side, points) for side in sides)
    draws = np.sort((late[:, None] - early[None, :]).ravel() * (1 if up else -1))
    low, middle, high = (float(one) for one in np.quantile(draws, [0.025, 0.5, 0.975]))
    return Harm(Estimate(middle, low, high), None, tuple(draws[:: GRID // 4].tolist()), up)


def _spread(total: np.ndarray, size: np.ndarray) -> float:
    """By how much more than chance a share varies from period to period: Pearson's statistic a degree of freedom, 1 at least."""
    share = total.sum() / size.sum()
    if not 0 < share < 1 or len(size) < 2:
        return 1.0
    return max(1.0, float(((total - share * size) ** 2 / (size * share * (1 - share))).sum()) / (len(size) - 1))

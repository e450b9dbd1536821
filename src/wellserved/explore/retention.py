"""How long do customers under contract stay? The shifted beta-geometric model of renewals, with who came late and who is still there.

P. S. Fader and B. G. S. Hardie, Journal of Interactive Marketing 21 (2007) 76. Each customer leaves at each renewal with
a chance of their own, and the chances are spread as beta(a, b). Of those who come up for the t-th renewal a / (a + b + t - 1)
leave; so who came up and who left, by renewal, say all, and customers known only from a later renewal on count from there
(left truncation), those still there up to the last (right censoring).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from wellserved.errors import RequestError
from wellserved.explore.renewals import Decisions, decisions_of_cohort
from wellserved.prove.engine.model import Floats
from wellserved.wording import plural

FEWEST_CUSTOMERS, FEWEST_LEAVERS = 30, 10  # customers and leavers that carry an expectation
RENEWALS_AHEAD = 5  # renewals ahead that are summed up
_SPREAD = (-6.0, 14.0)  # of log(a + b): from customers who leave at once or never, to customers all alike
# 95% point of chi-squared, one degree, halved: how far the likelihood may fall
_MAX_LIKELIHOOD_FALL = 3.841458820694124 / 2
POOR_FIT = 0.01  # misfit below which the model is not to be relied on
_HALVINGS = 60  # halvings of an interval


@dataclass(frozen=True)
class Retention:
    """Customers differ in how likely they leave at each renewal: beta(a, b)."""

    a: float
    b: float

    def survival(self, renewals: int) -> Floats:
        """Share still there after 0, 1, ... renewals."""
        t = np.arange(1, renewals + 1)
        survival: Floats = np.concatenate([[1.0], np.cumprod((self.b + t - 1) / (self.a + self.b + t - 1))])
        return survival

    def renewal_chance(self, renewals: int) -> float:
        """Chance that somebody who has renewed so often renews once more."""
        return (self.b + renewals) / (self.a + self.b + renewals)

    def expected_next(self, renewals: int, horizon: int = RENEWALS_AHEAD) -> float:
        """How many of the next so many renewals somebody who has renewed so often is expected to make."""
        t = np.arange(renewals, renewals + horizon)
        return float(np.cumprod((self.b + t) / (self.a + self.b + t)).sum())

    def expected_remaining(self, renewals: int) -> float:
        """Renewals still to be expected of someone who has renewed so often; infinite where a is 1 or less."""
        return float((self.b + renewals) / (self.a - 1)) if self.a > 1 else float("inf")


@dataclass(frozen=True)
class RetentionFit(Retention):
    """The likeliest of them, and those that are likely enough: 95% by profile likelihood."""

    decisions: Decisions
    confidence_region: tuple[Retention, ...]  # where twice the log likelihood has fallen by 3.84

    def interval(self, quantity: Callable[[Retention], float]) -> tuple[float, float]:
        """The 95% interval of anything that follows from a and b: what it can be without too great a fall of the likelihood."""
        values = [quantity(model) for model in (self, *self.confidence_region)]
        return min(values), max(values)

    @property
    def fit_p_value(self) -> float | None:
        """The chance that renewals of such customers differ from the model as much as these: Pearson's chi-squared.

        Of the renewals at which five leavers and five who stay are expected; None: too few of these.
        """
        came_up = self.decisions.at_risk
        leave_chance = np.array([1 - self.renewal_chance(renewals) for renewals in range(len(came_up))])
        expected, expected_stayers = came_up * leave_chance, came_up * (1 - leave_chance)
        is_large = (expected >= 5) & (expected_stayers >= 5)
        degrees = int(is_large.sum()) - 2
        if degrees < 1:
            return None
        contributions = (self.decisions.leaver_counts - expected)[is_large] ** 2 / (expected * (1 - leave_chance))[
            is_large
        ]
        return float(special.chdtrc(degrees, contributions.sum()))

    @property
    def is_homogeneous(self) -> bool:
        """No difference between customers can be told: one chance of leaving fits all of them best."""
        return math.log(self.a + self.b) > _SPREAD[1] - 0.1


def fit_retention(decisions: Decisions) -> RetentionFit:
    """The likeliest a and b; at least two different renewals must have come up, and somebody must have left and stayed."""
    came_up, departures = decisions.at_risk, decisions.leaver_counts
    stayers = came_up - departures
    if (came_up > 0).sum() < 2 or not departures.sum() or not stayers.sum():
        raise RequestError(
            "These are no renewals to learn from.",
            "Two different renewals must have come up at least, and some must have left, and some stayed.",
        )
    spreads = np.linspace(*_SPREAD, 241)
    best = int(np.argmax(_profile(decisions, spreads)[1]))
    bounds = spreads[max(best - 1, 0)], spreads[min(best + 1, len(spreads) - 1)]
    minimum = optimize.minimize_scalar(
        lambda spread: -float(_profile(decisions, np.array([spread]))[1][0]),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-10},
    )
    spread = float(minimum.x)
    chance, height = (float(values[0]) for values in _profile(decisions, np.array([spread])))
    size = math.exp(spread)
    return RetentionFit(
        chance * size, (1 - chance) * size, decisions, tuple(_confidence_region(decisions, spread, height))
    )


def estimate_retention(decisions: Decisions | Floats, customers: int | None = None) -> RetentionFit:
    """How long customers stay, where enough of them are known; of one group's numbers at the start and after each renewal too."""
    if not isinstance(decisions, Decisions):
        customers = round(float(decisions[0])) if len(decisions) and np.isfinite(decisions[0]) else None
        decisions = decisions_of_cohort(decisions)
    leavers = decisions.leavers
    customer_count = customers if customers is not None else round(float(decisions.at_risk.max(initial=0)))
    if customer_count < FEWEST_CUSTOMERS or leavers < FEWEST_LEAVERS:
        raise RequestError(
            f"{plural(customer_count, 'customer')}, of whom {leavers} left, are too few to expect anything of others; it takes {FEWEST_CUSTOMERS}, and {FEWEST_LEAVERS} who left.",
            "Take more groups together (--cohort, --file), or wait.",
        )
    return fit_retention(decisions)


def _likelihood(decisions: Decisions, chance: Floats, spread: Floats) -> Floats:
    """Log likelihood where a / (a + b) is `chance` and log(a + b) is `spread`."""
    leave_chance = _leave_chance(decisions, chance, spread)
    departures, stayers = decisions.leaver_counts, decisions.at_risk - decisions.leaver_counts
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(departures > 0, departures * np.log(leave_chance), 0.0) + np.where(
            stayers > 0, stayers * np.log1p(-leave_chance), 0.0
        )
    log_likelihood: Floats = terms.sum(axis=-1)
    return log_likelihood


def _leave_chance(decisions: Decisions, chance: Floats, spread: Floats) -> Floats:
    """The chance of leaving at each renewal."""
    size = np.exp(spread)[..., None]
    leave_chance: Floats = chance[..., None] * size / (size + np.arange(len(decisions.leaver_counts)))
    return leave_chance


def _profile(decisions: Decisions, spread: Floats) -> tuple[Floats, Floats]:
    """The likeliest chance at each spread, and the log likelihood there: it is concave in the chance, so halving finds it."""
    low, high = np.zeros_like(spread), np.ones_like(spread)
    total, stayers = decisions.leaver_counts.sum(), decisions.at_risk - decisions.leaver_counts
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        leave_chance = _leave_chance(decisions, middle, spread)
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.where(stayers > 0, stayers * leave_chance / (1 - leave_chance), 0.0)
        is_rising = total > odds.sum(axis=-1)  # the slope, times the chance
        low, high = np.where(is_rising, middle, low), np.where(is_rising, high, middle)
    chance = (low + high) / 2
    return chance, _likelihood(decisions, chance, spread)


def _confidence_region(decisions: Decisions, spread: float, height: float) -> list[Retention]:
    """All around the likeliest, where the log likelihood has fallen by 1.92: spread by spread, below and above."""
    ends = [_last_likely_spread(decisions, spread, bound, height) for bound in _SPREAD]
    spreads = np.concatenate([np.linspace(ends[0], spread, 80), np.linspace(spread, ends[1], 80)[1:]])
    chance, _ = _profile(decisions, spreads)
    region = []
    for edge in (np.zeros_like(chance), np.ones_like(chance)):
        inner, outer = chance, edge
        for _ in range(_HALVINGS):
            middle = (inner + outer) / 2
            is_likely = _likelihood(decisions, middle, spreads) >= height - _MAX_LIKELIHOOD_FALL
            inner, outer = np.where(is_likely, middle, inner), np.where(is_likely, outer, middle)
        sizes = np.exp(spreads)
        region += [
            Retention(*pair) for pair in zip((inner * sizes).tolist(), ((1 - inner) * sizes).tolist(), strict=True)
        ]
    return region


def _last_likely_spread(decisions: Decisions, spread: float, furthest: float, height: float) -> float:
    """The last spread on the way to the furthest that is likely enough."""
    steps = np.linspace(spread, furthest, 200)
    is_likely = _profile(decisions, steps)[1] >= height - _MAX_LIKELIHOOD_FALL
    if is_likely.all():
        return furthest
    last = int(np.argmin(is_likely))
    inner, outer = float(steps[max(last - 1, 0)]), float(steps[last])
    for _ in range(30):
        middle = (inner + outer) / 2
        is_likely_enough = float(_profile(decisions, np.array([middle]))[1][0]) >= height - _MAX_LIKELIHOOD_FALL
        inner, outer = (middle, outer) if is_likely_enough else (inner, middle)
    return inner

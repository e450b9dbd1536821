"""Is a problem growing, and is this week out of the ordinary?

Counts a week vary more than by chance alone, so they are fitted as negative binomial (NB2: variance mu + alpha mu^2;
Hilbe, Negative Binomial Regression, 2011, chapter 8) with the cases that could tell as exposure and a line over time;
a season (one wave a year) from two years on. The interval of a trend speaks of the mean; the bound of an alarm of a
single week, and holds the uncertainty of both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from wellserved.moments import NotComputable

Floats = npt.NDArray[np.float64]
QUARTER = 13  # weeks
FEWEST_WEEKS = 12
FEWEST_COUNTED = 10
SEASON_WEEKS = 104
ALARM_TAIL = 0.005
WIDEST = math.log(100)  # a trend that may be a hundredfold says nothing
State = Literal["new", "rising", "steady", "falling", "resting"]


@dataclass(frozen=True)
class CountModel:
    """A negative binomial fit of weekly counts."""

    coefficients: Floats
    covariance: Floats
    alpha: float  # of NB2; 0: Poisson


@dataclass(frozen=True)
class QuarterlyTrend:
    """How the number of customers a week, for the same number of cases, changes in a quarter of a year."""

    ratio: float  # this week's mean beside that of 13 weeks before
    low: float  # 95% interval
    high: float
    weeks: int


def fit_counts(counts: Floats, design: Floats, exposure: Floats) -> CountModel:
    """Maximum likelihood of NB2 with log link; weeks without exposure say nothing."""
    kept = exposure > 0
    y, x, offset = counts[kept], design[kept], np.log(exposure[kept])

    def poisson_start() -> Floats:
        beta = np.zeros(x.shape[1])
        beta[0] = math.log((y.sum() + 0.5) / exposure[kept].sum())
        return beta

    def loss(parameters: Floats) -> tuple[float, Floats]:
        beta, alpha = parameters[:-1], math.exp(parameters[-1])
        mean = np.exp(np.clip(x @ beta + offset, -30, 30))
        size = 1 / alpha
        value = (
            special.gammaln(y + size) - special.gammaln(size) - special.gammaln(y + 1)
            + size * (np.log(size) - np.log(size + mean)) + y * (np.log(mean) - np.log(size + mean))
        )  # fmt: skip
        slope = x.T @ ((y - mean) / (1 + alpha * mean))
        by_size = (
            special.digamma(y + size)
            - special.digamma(size)
            + np.log(size)
            - np.log(size + mean)
            + 1
            - (y + size) / (size + mean)
        )
        return -float(value.sum()), -np.append(slope, float(by_size.sum()) * -size)

    best = optimize.minimize(
        loss, np.append(poisson_start(), math.log(0.1)), jac=True, method="L-BFGS-B",
        bounds=[(None, None)] * x.shape[1] + [(math.log(1e-6), math.log(10))],
    )  # fmt: skip
    beta, alpha = best.x[:-1], math.exp(best.x[-1])
    mean = np.exp(np.clip(x @ beta + offset, -30, 30))
    information = (x * (mean / (1 + alpha * mean))[:, None]).T @ x
    # few weeks make the maximum likelihood alpha too small: the Pearson statistic widens the interval where it says so
    freedom = max(len(y) - x.shape[1], 1)
    spread = max(float(((y - mean) ** 2 / (mean + alpha * mean**2)).sum()) / freedom, 1.0)
    return CountModel(beta, spread * np.linalg.pinv(information), alpha)


def weekly_design(weeks: int) -> Floats:
    """Level and line (0 at the last week, by quarters), and a yearly wave where two years are known."""
    week = np.arange(weeks) - (weeks - 1.0)
    columns = [np.ones(weeks), week / QUARTER]
    if weeks >= SEASON_WEEKS:
        columns += [np.sin(2 * np.pi * week / 52.18), np.cos(2 * np.pi * week / 52.18)]
    return np.column_stack(columns)


def trend(counts: Floats, exposure: Floats) -> QuarterlyTrend | NotComputable:
    """How the counts change, or why that cannot be told."""
    if len(counts) < FEWEST_WEEKS:
        return NotComputable(f"only {len(counts)} weeks are known; at least {FEWEST_WEEKS} are needed")
    if counts.sum() < FEWEST_COUNTED:
        return NotComputable(f"only {int(counts.sum())} customers; at least {FEWEST_COUNTED} are needed")
    model = fit_counts(counts, weekly_design(len(counts)), exposure)
    slope, error = float(model.coefficients[1]), math.sqrt(max(float(model.covariance[1, 1]), 0))
    factor = float(special.stdtrit(max(len(counts) - 2, 1), 0.975))
    if not factor * error + abs(slope) < WIDEST:
        return NotComputable("the weeks are too uneven to tell a trend")
    return QuarterlyTrend(
        math.exp(slope), math.exp(slope - factor * error), math.exp(slope + factor * error), len(counts)
    )


def chance_of_week(counts: Floats, exposure: Floats) -> float:
    """How likely the last week's count or a higher one is, by the weeks before it; 1 where too few are known."""
    before, before_exposure = counts[:-1], exposure[:-1]
    if len(before) < FEWEST_WEEKS or exposure[-1] <= 0 or before_exposure.sum() <= 0:
        return 1.0
    design = np.column_stack([np.ones(len(before))])  # a line would follow an outbreak that is under way
    model = fit_counts(before, design, before_exposure)
    mean = float(np.exp(model.coefficients[0])) * float(exposure[-1])
    variance_of_log = float(model.covariance[0, 0])
    alpha = max(model.alpha, 1e-6) + variance_of_log
    size = 1 / alpha
    if counts[-1] < 1:
        return 1.0
    return float(special.betainc(counts[-1], size, mean / (size + mean)))


def weekly_alarms(chances: Floats, tail: float = ALARM_TAIL, false_share: float = 0.1) -> npt.NDArray[np.bool_]:
    """Which of many problems are out of the ordinary this week: beyond the bound, and, of all of them, at most a tenth
    falsely (Benjamini and Hochberg, JRSS B 57 (1995) 289-300)."""
    order = np.argsort(chances, kind="stable")
    limits = false_share * np.arange(1, len(chances) + 1) / max(len(chances), 1)
    passing = np.flatnonzero(chances[order] <= limits)
    alarms = np.zeros(len(chances), dtype=bool)
    if len(passing):
        alarms[order[: passing[-1] + 1]] = True
    return alarms & (chances <= tail)


def state_of(counts: Floats, exposure: Floats, course: QuarterlyTrend | NotComputable) -> State:
    """New: all of it in the last four of twelve weeks or more; resting: none for eight, where three were to be expected."""
    if len(counts) >= FEWEST_WEEKS and counts[:-4].sum() == 0 < counts.sum():
        return "new"
    before = exposure[:-8].sum()
    if (
        len(counts) > 8
        and before > 0
        and counts[-8:].sum() == 0
        and counts[:-8].sum() / before * exposure[-8:].sum() >= 3
    ):
        return "resting"
    if isinstance(course, QuarterlyTrend) and course.low > 1:
        return "rising"
    return "falling" if isinstance(course, QuarterlyTrend) and course.high < 1 else "steady"

"""Customers without a contract: how often will they buy again, are they still there, and what do they spend a time?

P. S. Fader, B. G. S. Hardie, K. L. Lee, "Counting Your Customers" the Easy Way, Marketing Science 24 (2005) 275: BG/NBD.
Purchases come as a Poisson process of each customer's own rate, gamma(r, alpha); after each of them a customer stops for
good with a chance of their own, beta(a, b). Spend: P. S. Fader and B. G. S. Hardie, The Gamma-Gamma Model of Monetary
Value (2013). Times are in one unit throughout (weeks, say), counted from a customer's first purchase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize, special

from wellserved.errors import RequestError
from wellserved.measure.interval import Z
from wellserved.moments import NotComputable
from wellserved.prove.engine.model import Floats

FEWEST_BUYERS: Final = 500  # with 100 of them `a` ran from .11 to 480,000
PARAMETER_DRAWS: Final = 400
TAIL_FREEDOM = 8  # degrees of freedom of the tails
MAX_LOG_SPREAD: Final = 3.0  # standard error of a parameter's logarithm, beyond which the purchases do not tell it
MAX_WITHOUT_MEAN: Final = (
    0.01  # of the likely models of spend: those that have no mean, of which an interval would know nothing
)
MAX_CORRELATION: Final = 0.1  # of spend and number of purchases, beyond which the model of spend does not hold


@dataclass(frozen=True)
class Purchases:
    """By customer: repeat purchases, time of the last one, and how long they have been watched; from the first purchase on."""

    repeats: Floats
    last: Floats
    watched: Floats

    def __post_init__(self) -> None:
        is_wrong = (
            (self.repeats < 0)
            | (self.last < 0)
            | (self.last > self.watched)
            | ((self.repeats == 0) != (self.last == 0))
        )
        if is_wrong.any():
            raise RequestError(
                f"Customer {int(np.argmax(is_wrong)) + 1} bought last after the end, or again at no time.",
                "Correct the dates of the purchases.",
            )


@dataclass(frozen=True)
class RepeatModel:
    """How customers differ: rates gamma(r, alpha), chances of stopping beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float

    def _stop_weight(self, purchases: Purchases) -> Floats:
        """How much likelier it is that they stopped at the last purchase than that they go on."""
        x = purchases.repeats
        ratio = (self.alpha + purchases.watched) / (self.alpha + purchases.last)
        weight: Floats = np.where(x > 0, self.a / np.maximum(self.b + x - 1, 1e-12) * ratio ** (self.r + x), 0.0)
        return weight

    def alive(self, purchases: Purchases) -> Floats:
        """The chance that a customer still buys; of those who never bought again the model says 1."""
        chance: Floats = 1 / (1 + self._stop_weight(purchases))
        return chance

    def expected(self, purchases: Purchases, ahead: float) -> Floats:
        """How many purchases are to be expected of each in a time ahead (equation 10)."""
        x, a, b = purchases.repeats, self.a, self.b
        until = self.alpha + purchases.watched
        hypergeometric = special.hyp2f1(self.r + x, b + x, a + b + x - 1, ahead / (until + ahead))
        fall = 1 - (until / (until + ahead)) ** (self.r + x) * hypergeometric
        expected: Floats = (a + b + x - 1) / (a - 1) * fall * self.alive(purchases)
        return expected


@dataclass(frozen=True)
class RepeatFit(RepeatModel):
    """The likeliest of them, and those that are likely enough, drawn from the likelihood's curve."""

    log_likelihood: float
    draws: tuple[RepeatModel, ...]

    def interval(self, quantity: Callable[[RepeatModel], float]) -> tuple[float, float]:
        """The 95% interval of an expectation: of the model, not of what one customer will do."""
        values = np.array([quantity(model) for model in self.draws])
        low, high = np.quantile(values[np.isfinite(values)], [0.025, 0.975])
        return float(low), float(high)


def _log_likelihood(logs: Floats, purchases: Purchases, weights: Floats) -> float:
    r, alpha, a, b = np.exp(logs)
    x = purchases.repeats
    common = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha)
    goes_on = special.betaln(a, b + x) - special.betaln(a, b) - (r + x) * np.log(alpha + purchases.watched)
    with np.errstate(divide="ignore"):
        stopped = np.where(
            x > 0,
            special.betaln(a + 1, np.maximum(b + x - 1, 1e-12))
            - special.betaln(a, b)
            - (r + x) * np.log(alpha + purchases.last),
            -np.inf,
        )
    return float((weights * (common + np.logaddexp(goes_on, stopped))).sum())


def estimate_repeats(purchases: Purchases, seed: int = 1) -> RepeatFit:
    """The model of these customers; RequestError under FEWEST_BUYERS, or where they do not tell it."""
    if len(purchases.repeats) < FEWEST_BUYERS:
        raise RequestError(
            f"{len(purchases.repeats)} customers are too few to expect purchases of others; it takes {FEWEST_BUYERS}.",
            "Type in what you expect, or wait.",
        )
    rows, counts = np.unique(
        np.column_stack([purchases.repeats, purchases.last, purchases.watched]), axis=0, return_counts=True
    )
    distinct, weights = Purchases(rows[:, 0], rows[:, 1], rows[:, 2]), counts.astype(float)
    scale = float(np.average(distinct.watched, weights=weights)) or 1.0

    def loss(logs: Floats) -> float:
        return -_log_likelihood(logs, distinct, weights)

    start = np.log([0.5, scale / 5, 1.0, 2.0])
    rough = optimize.minimize(
        loss, start, method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-6, "fatol": 1e-8}
    )
    fit = optimize.minimize(loss, rough.x, method="BFGS", options={"gtol": 1e-5})
    logs = fit.x if fit.fun <= rough.fun else rough.x
    likely_logs = _likely_logs(loss, logs, seed)
    if likely_logs is None:
        raise RequestError(
            "These purchases do not tell how customers differ.", "Type in what you expect, or wait for more purchases."
        )
    draws = tuple(_model(draw) for draw in likely_logs)
    likeliest = _model(logs)
    return RepeatFit(likeliest.r, likeliest.alpha, likeliest.a, likeliest.b, -loss(logs), draws)


def _model(logs: Floats) -> RepeatModel:
    r, alpha, a, b = (float(value) for value in np.exp(logs))
    return RepeatModel(r, alpha, a, b)


def _likely_logs(loss: Callable[[Floats], float], logs: Floats, seed: int) -> Floats | None:
    """Parameters drawn about the likelihood's top, with Student's tails; None: it has no clear one.

    Where most customers never buy again the likelihood falls off more slowly than the normal distribution that touches it:
    with that one's tails, intervals held the truth in 91.5% of made houses (docs/accounts.md).
    """
    curvature = _curvature(loss, logs) if np.isfinite(logs).all() else np.full((1, 1), np.nan)
    if not np.isfinite(curvature).all():
        return None
    covariance = np.linalg.pinv(curvature)
    if (np.diag(covariance) > MAX_LOG_SPREAD**2).any() or (np.diag(covariance) <= 0).any():
        return None
    random = np.random.default_rng(seed)
    normal = random.multivariate_normal(np.zeros(len(logs)), covariance, PARAMETER_DRAWS, method="eigh")
    tails = np.sqrt(TAIL_FREEDOM / random.chisquare(TAIL_FREEDOM, PARAMETER_DRAWS))
    draws: Floats = logs + normal * tails[:, None]
    return draws


def _curvature(loss: Callable[[Floats], float], at: Floats, step: float = 1e-3) -> Floats:
    """Second differences of a function."""
    size = len(at)
    steps = np.eye(size) * step
    curvature = np.empty((size, size))
    for i in range(size):
        for j in range(i, size):
            corners = (
                loss(at + steps[i] + steps[j]) - loss(at + steps[i] - steps[j])
                - loss(at - steps[i] + steps[j]) + loss(at - steps[i] - steps[j])
            )  # fmt: skip
            curvature[i, j] = curvature[j, i] = corners / (4 * step * step)
    return curvature


@dataclass(frozen=True)
class SpendModel:
    """What a purchase is worth on average, by customer: gamma-gamma(p, q, v)."""

    p: float
    q: float
    v: float

    def expected(self, repeats: Floats, mean_spend: Floats) -> Floats:
        """A customer's own mean, drawn to that of all the more, the fewer purchases it rests on (equation 5)."""
        if self.q <= 1:  # so many spend so much that there is no mean
            return np.full_like(mean_spend, np.inf)
        of_all = self.p * self.v / (self.q - 1)
        own_weight = self.p * repeats / (self.p * repeats + self.q - 1)
        expected: Floats = (1 - own_weight) * of_all + own_weight * mean_spend
        return expected


@dataclass(frozen=True)
class SpendFit(SpendModel):
    """The likeliest of them, and those that are likely enough."""

    draws: tuple[SpendModel, ...]


def estimate_spend(repeats: Floats, mean_spend: Floats, seed: int = 2) -> SpendFit | NotComputable:
    """The model of spend, from customers with repeat purchases; not where those who buy often spend otherwise."""
    has_spend = (repeats > 0) & (mean_spend > 0)
    x, m = repeats[has_spend], mean_spend[has_spend]
    if len(x) < FEWEST_BUYERS // 2:
        return NotComputable(f"{len(x)} customers bought again; a model of spend takes {FEWEST_BUYERS // 2}")
    correlation = float(np.corrcoef(x, m)[0, 1]) if x.std() and m.std() else 0.0
    if abs(correlation) > MAX_CORRELATION and abs(np.arctanh(correlation)) > Z / np.sqrt(len(x) - 3):
        return NotComputable(
            f"who buys often spends {'more' if correlation > 0 else 'less'} a time (correlation {correlation:.2f}); the model holds where neither tells of the other"
        )

    def loss(logs: Floats) -> float:
        p, q, v = np.exp(logs)
        terms = (
            special.gammaln(p * x + q) - special.gammaln(p * x) - special.gammaln(q) + q * np.log(v)
            + (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(v + m * x)
        )  # fmt: skip
        return -float(terms.sum())

    start = np.log([2.0, 3.0, float(m.mean())])
    fit = optimize.minimize(loss, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-9})
    likely_logs = _likely_logs(loss, fit.x, seed)
    if likely_logs is None:
        return NotComputable("these amounts do not tell how customers differ in what they spend")
    if fit.x[1] <= 0 or (likely_logs[:, 1] <= 0).mean() > MAX_WITHOUT_MEAN:
        return NotComputable("customers differ so much in what they spend that no mean can be told")
    p, q, v = np.exp(fit.x).tolist()
    return SpendFit(p, q, v, tuple(SpendModel(*draw) for draw in np.exp(likely_logs).tolist()))

"""What drives dissatisfaction: shares of the explained variance, and odds of a worse rating.

A driver is what goes with bad ratings, not what makes them: only a change that was put to the test shows that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, special

from wellserved.errors import RequestError
from wellserved.prove.model import Floats

MOST = 12  # drivers up to which all orders are gone through; beyond, relative weights


def shares(correlation: Floats, with_target: Floats) -> Floats:
    """Each driver's share of R², averaged over all orders of putting them in (LMG); beyond twelve, relative weights.

    correlation: of the drivers; with_target: theirs with the target. R. H. Lindeman, P. F. Merenda and R. Z. Gold
    (1980), p. 119; U. Groemping, Journal of Statistical Software 17 (2006). Relative weights: J. W. Johnson,
    Multivariate Behavioral Research 35 (2000) 1.
    """
    size = len(with_target)
    if size > MOST:
        values, vectors = np.linalg.eigh(correlation)
        root = vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T
        beta = np.linalg.lstsq(root, with_target, rcond=None)[0]
        weights: Floats = root**2 @ beta**2
        return weights
    explained: dict[tuple[int, ...], float] = {(): 0.0}
    for count in range(1, size + 1):
        for group in combinations(range(size), count):
            at = np.array(group)
            part = with_target[at]
            explained[group] = float(part @ np.linalg.lstsq(correlation[np.ix_(at, at)], part, rcond=None)[0])
    found = np.zeros(size)
    for group, r2 in explained.items():
        weight = (
            factorial(len(group)) * factorial(size - len(group) - 1) / factorial(size) if len(group) < size else 0.0
        )
        for driver in set(range(size)) - set(group):
            found[driver] += weight * (explained[tuple(sorted((*group, driver)))] - r2)
    return found


@dataclass(frozen=True)
class Odds:
    """A proportional-odds fit: logit P(rating <= j) = cut_j - x·b."""

    coefficients: Floats
    errors: Floats  # standard errors
    cuts: Floats
    deviance: float

    def interval(self) -> tuple[Floats, Floats]:
        """95% (Wald)."""
        return self.coefficients - 1.959963984540054 * self.errors, self.coefficients + 1.959963984540054 * self.errors


def proportional_odds(rating: npt.NDArray[np.int64], drivers: Floats, weight: Floats | None = None) -> Odds:
    """How each driver moves the odds of a higher rating, whatever the threshold.

    rating: 0, 1, ... in order, all of them present; drivers: n by k. P. McCullagh, JRSS B 42 (1980) 109; the sign as
    in R's MASS::polr. Raises where the fit does not end (a driver that tells ratings apart without fail).
    """
    weight = np.ones(len(rating)) if weight is None else weight
    many = int(rating.max()) + 1
    tally = np.bincount(rating, weight, many)
    if many < 2 or (tally == 0).any():
        raise RequestError(
            "All ratings are alike, or one in between was never given.", "Take neighbouring ratings together."
        )
    cuts = special.logit(np.cumsum(tally)[:-1] / tally.sum())
    start = np.concatenate([[cuts[0]], np.log(np.maximum(np.diff(cuts), 1e-3)), np.zeros(drivers.shape[1])])

    def parts(theta: Floats) -> tuple[Floats, Floats, Floats]:
        edges = np.concatenate(
            [[-np.inf], theta[:1] + np.concatenate([[0.0], np.cumsum(np.exp(theta[1 : many - 1]))]), [np.inf]]
        )
        eta = drivers @ theta[many - 1 :]
        return edges, edges[rating + 1] - eta, edges[rating] - eta

    def loss(theta: Floats) -> tuple[float, Floats]:
        _, upper, lower = parts(theta)
        high, low = special.expit(upper), special.expit(lower)
        p = np.maximum(high - low, 1e-300)
        up, down = high * (1 - high) / p * weight, low * (1 - low) / p * weight
        by_edge = np.bincount(rating, up, many)[:-1] - np.bincount(rating, down, many)[1:]
        widths = np.exp(theta[1 : many - 1])
        slope = np.concatenate(
            [
                [by_edge.sum()],
                [by_edge[place:].sum() * widths[place - 1] for place in range(1, many - 1)],
                drivers.T @ (down - up),
            ]
        )
        return float(-(weight * np.log(p)).sum()), -slope

    found = optimize.minimize(
        loss, start, jac=True, method="BFGS", options={"gtol": 1e-7 * max(weight.sum(), 1), "maxiter": 500}
    )
    theta = found.x
    edges = parts(theta)[0]
    if np.abs(theta[many - 1 :]).max(initial=0) > 30:
        raise RequestError("One driver tells the ratings apart without fail.", "Leave it out.")
    information = _information(*parts(theta)[1:], rating, drivers, weight, many)
    errors = np.sqrt(np.diag(linalg.pinvh(information)))[many - 1 :]
    return Odds(theta[many - 1 :], errors, edges[1:-1], 2 * float(found.fun))


def _information(
    upper: Floats, lower: Floats, rating: npt.NDArray[np.int64], drivers: Floats, weight: Floats, many: int
) -> Floats:
    """Observed information in cuts and coefficients, by the exact second derivatives."""
    high, low = special.expit(upper), special.expit(lower)
    p = np.maximum(high - low, 1e-300)
    f_high, f_low = high * (1 - high), low * (1 - low)
    rows = np.zeros((len(rating), many - 1 + drivers.shape[1]))
    first, second = np.zeros_like(rows), np.zeros_like(rows)
    inside = rating < many - 1
    first[np.flatnonzero(inside), rating[inside]] = 1
    inner = rating > 0
    second[np.flatnonzero(inner), rating[inner] - 1] = 1
    first[:, many - 1 :], second[:, many - 1 :] = -drivers, -drivers
    gradient = (f_high[:, None] * first - f_low[:, None] * second) / p[:, None]
    bend_high, bend_low = f_high * (1 - 2 * high) / p * weight, f_low * (1 - 2 * low) / p * weight
    found: Floats = (
        (gradient * weight[:, None]).T @ gradient
        - (first * bend_high[:, None]).T @ first
        + (second * bend_low[:, None]).T @ second
    )
    return found

"""What drives dissatisfaction: shares of the explained variance, and odds of a worse rating.

A driver is what goes with bad ratings, not what makes them: only a change that was put to the test shows that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import linalg, optimize, special

from wellserved.engine.duckdb import quote_name
from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import CaseTable, filter_sql
from wellserved.measure.interval import Z
from wellserved.prove.engine.model import Floats
from wellserved.wording import plural

MAX_LMG_DRIVERS = 12  # drivers up to which all orders are gone through; beyond, relative weights
FEWEST_RATED_CASES = 10  # rated cases with it, and without
BOOTSTRAP_DRAWS = 400
DRIVERS: dict[str, tuple[str, str]] = {
    "late": ("promise not kept", "promise_fate IS NOT NULL AND promise_fate <> 1"),
    "slow": ("slower than most to be resolved", "full_secs > {slow}"),
    "slow_reply": ("slower than most to be answered", "reply_secs > {slow_reply}"),
    "reopened": ("came back after it was resolved", "reopens > 0"),
    "chased": ("customer had to ask again", "chases > 0"),
    "passed_on": ("passed between teams", "handovers > 0"),
    "returned": ("rejected what was delivered", "returns > 0"),
    "complained": ("complained", "complaints > 0"),
    "failed": ("a failure was recorded", "failures > 0"),
    "held": ("waited for a third party", "held_secs > 0"),
    "paused": ("waited for the customer", "paused_secs > 0"),
}
"""What may go with a bad rating: name -> words and SQL over a case."""


def variance_shares(correlation: Floats, with_target: Floats) -> Floats:
    """Each driver's share of R², averaged over all orders of putting them in (LMG); beyond twelve, relative weights.

    correlation: of the drivers; with_target: theirs with the target. R. H. Lindeman, P. F. Merenda and R. Z. Gold
    (1980), p. 119; U. Groemping, Journal of Statistical Software 17 (2006). Relative weights: J. W. Johnson,
    Multivariate Behavioral Research 35 (2000) 1.
    """
    size = len(with_target)
    if size > MAX_LMG_DRIVERS:
        values, vectors = np.linalg.eigh(correlation)
        root = vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T
        beta = np.linalg.lstsq(root, with_target, rcond=None)[0]
        weights: Floats = root**2 @ beta**2
        return weights
    r_squared: dict[tuple[int, ...], float] = {(): 0.0}
    for count in range(1, size + 1):
        for group in combinations(range(size), count):
            indices = np.array(group)
            group_target = with_target[indices]
            r_squared[group] = float(
                group_target @ np.linalg.lstsq(correlation[np.ix_(indices, indices)], group_target, rcond=None)[0]
            )
    driver_shares = np.zeros(size)
    for group, r2 in r_squared.items():
        weight = (
            factorial(len(group)) * factorial(size - len(group) - 1) / factorial(size) if len(group) < size else 0.0
        )
        for driver in set(range(size)) - set(group):
            driver_shares[driver] += weight * (r_squared[tuple(sorted((*group, driver)))] - r2)
    return driver_shares


@dataclass(frozen=True)
class ProportionalOddsFit:
    """A proportional-odds fit: logit P(rating <= j) = cut_j - x·b."""

    coefficients: Floats
    errors: Floats  # standard errors
    cuts: Floats
    deviance: float

    def interval(self) -> tuple[Floats, Floats]:
        """95% (Wald)."""
        return self.coefficients - Z * self.errors, self.coefficients + Z * self.errors


def proportional_odds(
    rating: npt.NDArray[np.int64], drivers: Floats, weight: Floats | None = None
) -> ProportionalOddsFit:
    """How each driver moves the odds of a higher rating, whatever the threshold.

    rating: 0, 1, ... in order, all of them present; drivers: n by k. P. McCullagh, JRSS B 42 (1980) 109; the sign as
    in R's MASS::polr. Raises where the fit does not end (a driver that tells ratings apart without fail).
    """
    weight = np.ones(len(rating)) if weight is None else weight
    level_count = int(rating.max()) + 1
    counts = np.bincount(rating, weight, level_count)
    if level_count < 2 or (counts == 0).any():
        raise RequestError(
            "All ratings are alike, or one in between was never given.", "Take neighbouring ratings together."
        )
    cuts = special.logit(np.cumsum(counts)[:-1] / counts.sum())
    start = np.concatenate([[cuts[0]], np.log(np.maximum(np.diff(cuts), 1e-3)), np.zeros(drivers.shape[1])])

    def linear_bounds(theta: Floats) -> tuple[Floats, Floats, Floats]:
        edges = np.concatenate(
            [[-np.inf], theta[:1] + np.concatenate([[0.0], np.cumsum(np.exp(theta[1 : level_count - 1]))]), [np.inf]]
        )
        eta = drivers @ theta[level_count - 1 :]
        return edges, edges[rating + 1] - eta, edges[rating] - eta

    def loss(theta: Floats) -> tuple[float, Floats]:
        _, upper, lower = linear_bounds(theta)
        high, low = special.expit(upper), special.expit(lower)
        p = np.maximum(high - low, 1e-300)
        upper_slope, lower_slope = high * (1 - high) / p * weight, low * (1 - low) / p * weight
        by_edge = np.bincount(rating, upper_slope, level_count)[:-1] - np.bincount(rating, lower_slope, level_count)[1:]
        widths = np.exp(theta[1 : level_count - 1])
        slope = np.concatenate(
            [
                [by_edge.sum()],
                [by_edge[index:].sum() * widths[index - 1] for index in range(1, level_count - 1)],
                drivers.T @ (lower_slope - upper_slope),
            ]
        )
        return float(-(weight * np.log(p)).sum()), -slope

    minimum = optimize.minimize(
        loss, start, jac=True, method="BFGS", options={"gtol": 1e-7 * max(weight.sum(), 1), "maxiter": 500}
    )
    theta = minimum.x
    edges = linear_bounds(theta)[0]
    if np.abs(theta[level_count - 1 :]).max(initial=0) > 30:
        raise RequestError("One driver tells the ratings apart without fail.", "Leave it out.")
    information = _information(*linear_bounds(theta)[1:], rating, drivers, weight, level_count)
    errors = np.sqrt(np.diag(linalg.pinvh(information)))[level_count - 1 :]
    return ProportionalOddsFit(theta[level_count - 1 :], errors, edges[1:-1], 2 * float(minimum.fun))


def _information(
    upper: Floats, lower: Floats, rating: npt.NDArray[np.int64], drivers: Floats, weight: Floats, level_count: int
) -> Floats:
    """Observed information in cuts and coefficients, by the exact second derivatives."""
    high, low = special.expit(upper), special.expit(lower)
    p = np.maximum(high - low, 1e-300)
    f_high, f_low = high * (1 - high), low * (1 - low)
    rows = np.zeros((len(rating), level_count - 1 + drivers.shape[1]))
    upper_design, lower_design = np.zeros_like(rows), np.zeros_like(rows)
    has_upper_cut = rating < level_count - 1
    upper_design[np.flatnonzero(has_upper_cut), rating[has_upper_cut]] = 1
    has_lower_cut = rating > 0
    lower_design[np.flatnonzero(has_lower_cut), rating[has_lower_cut] - 1] = 1
    upper_design[:, level_count - 1 :], lower_design[:, level_count - 1 :] = -drivers, -drivers
    gradient = (f_high[:, None] * upper_design - f_low[:, None] * lower_design) / p[:, None]
    upper_bend, lower_bend = f_high * (1 - 2 * high) / p * weight, f_low * (1 - 2 * low) / p * weight
    information: Floats = (
        (gradient * weight[:, None]).T @ gradient
        - (upper_design * upper_bend[:, None]).T @ upper_design
        + (lower_design * lower_bend[:, None]).T @ lower_design
    )
    return information


@dataclass(frozen=True)
class Driver:
    """One of them, beside the others."""

    name: str
    words: str
    cases: int  # rated cases that have it
    share: float  # of the variance of ratings, averaged over all orders
    low: float  # 95%, cases drawn anew
    high: float
    odds: float | None  # of a worse rating, the others held equal; None: the fit did not end
    odds_low: float | None
    odds_high: float | None


@dataclass(frozen=True)
class Drivers:
    """What goes with bad ratings on one scale."""

    scale: str
    cases: int
    r_squared: float  # R² of all of them
    drivers: tuple[Driver, ...]  # largest share first
    note: str = ""


def estimate_drivers(case_table: CaseTable, where: tuple[tuple[str, str], ...] = (), seed: int = 1) -> Drivers:
    """Which failures go with bad ratings: each one's share of the variance, and the odds of a worse rating."""
    condition, parameters = filter_sql(case_table, MeasureQuestion((), where=where))
    scales = query_rows(
        case_table,
        f"SELECT scale, count(*) AS n FROM {case_table.table} WHERE score IS NOT NULL AND {condition} GROUP BY 1 ORDER BY 2 DESC",
        parameters,
    )
    if not scales:
        raise RequestError("No case was rated.", "Import ratings, or choose others with --where.")
    scale = str(scales[0]["scale"])
    medians_sql = f"SELECT median(full_secs) AS slow, median(reply_secs) AS slow_reply FROM {case_table.table} WHERE score IS NOT NULL AND scale = $scale AND {condition}"
    limits = {
        key: int(value or 0)
        for key, value in query_rows(case_table, medians_sql, {**parameters, "scale": scale})[0].items()
    }
    flags = ", ".join(
        f"CAST(coalesce({sql.format(**limits)}, false) AS INTEGER) AS {quote_name(key)}"
        for key, (_, sql) in DRIVERS.items()
    )
    table = case_table.engine.query(
        f"SELECT score, {flags} FROM {case_table.table} WHERE score IS NOT NULL AND scale = $scale AND {condition}",
        {**parameters, "scale": scale},
    )
    note = (
        f"{plural(int(scales[1]['n']), 'case is', 'cases are')} rated on another scale ({scales[1]['scale']}) and left out"
        if len(scales) > 1
        else ""
    )
    return _drivers(table, scale, seed, note)


def query_rows(case_table: CaseTable, sql: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
    """An answer as records."""
    return list(case_table.engine.query(sql, parameters).to_pylist())


def _drivers(table: pa.Table, scale: str, seed: int, note: str) -> Drivers:
    score = table["score"].to_numpy().astype(float)
    badness = score if scale == "ces5" else -score
    columns = {key: table[key].to_numpy().astype(float) for key in DRIVERS}
    used_keys = [
        key for key, flags in columns.items() if FEWEST_RATED_CASES <= flags.sum() <= len(flags) - FEWEST_RATED_CASES
    ]
    if len(score) < 50 or not used_keys or np.ptp(badness) == 0:
        raise RequestError(
            f"{len(score)} rated cases say too little of what goes with bad ratings.",
            "It takes 50, with and without each failure.",
        )
    x = np.column_stack([columns[key] for key in used_keys])
    driver_shares = _lmg_shares(x, badness)
    rng = np.random.default_rng(seed)
    resampled_shares = np.array(
        [
            _lmg_shares(x[sample], badness[sample])
            for sample in (rng.integers(0, len(badness), len(badness)) for _ in range(BOOTSTRAP_DRAWS))
        ]
    )
    low, high = np.nanquantile(resampled_shares, (0.025, 0.975), axis=0)
    odds = _odds(badness, x)
    drivers = [
        Driver(
            key,
            DRIVERS[key][0],
            int(columns[key].sum()),
            float(driver_shares[index]),
            float(low[index]),
            float(high[index]),
            *(odds[index] if odds else (None, None, None)),
        )
        for index, key in enumerate(used_keys)
    ]
    return Drivers(
        scale, len(score), float(driver_shares.sum()), tuple(sorted(drivers, key=lambda driver: -driver.share)), note
    )


def _lmg_shares(x: Floats, target: Floats) -> Floats:
    """LMG shares; a driver that does not vary in this draw explains nothing."""
    varies = x.std(axis=0) > 0
    driver_shares = np.zeros(x.shape[1])
    if varies.any() and target.std() > 0:
        correlation = np.corrcoef(np.column_stack([x[:, varies], target]), rowvar=False)
        driver_shares[varies] = variance_shares(correlation[:-1, :-1], correlation[:-1, -1])
    return driver_shares


def _odds(badness: Floats, x: Floats) -> list[tuple[float, float, float]] | None:
    """Odds of a worse rating, with 95% intervals."""
    levels = np.unique(badness)
    try:
        fit = proportional_odds(np.searchsorted(levels, badness), x)
    except (RequestError, np.linalg.LinAlgError):
        return None
    low, high = fit.interval()
    return [
        (float(np.exp(b)), float(np.exp(a)), float(np.exp(c)))
        for b, a, c in zip(fit.coefficients, low, high, strict=True)
    ]

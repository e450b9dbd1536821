"""When did it shift? A date for a series in which nobody declared a change, or none.

Exploratory by nature: a date found in the data is never put to `assess_change` as if it had been declared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from wellserved.moments import Granularity
from wellserved.prove.engine.design import season_columns
from wellserved.prove.engine.model import AR_SHARE, LOG_PRIOR, PHI, Floats, posterior, whiten
from wellserved.prove.engine.response import working_response
from wellserved.prove.period_series import PeriodSeries

Ints = npt.NDArray[np.int64]
EXCLUDED_END_SHARE = 0.1  # of the points at each end are no candidates
SERIES_LENGTHS = (40, 60, 90, 120, 200, 400)
CRITICAL_VALUES = {
    0.0: (3.81, 3.40, 3.11, 3.15, 2.99, 3.07),
    0.2: (4.10, 3.55, 3.47, 3.23, 3.15, 3.15),
    0.4: (4.87, 3.72, 3.58, 3.43, 3.20, 3.20),
    0.55: (4.87, 4.44, 3.83, 3.77, 3.48, 3.20),
    0.7: (4.25, 4.72, 4.31, 3.99, 3.70, 3.38),
    0.8: (4.03, 4.15, 4.42, 4.30, 4.27, 3.82),
    0.88: (3.81, 3.72, 3.67, 3.86, 4.19, 4.04),
}
"""The largest |t| of 95% of series without a shift, by the f that fits best and the number of points: 6,000 series
each, f uniform on 0 to .95 (bench/calibration/shift_limits.py). Above .88 no answer is given."""
MAX_LIKELIHOOD_FALL = 1.92  # of the log likelihood: half the 95% point of chi-square with one degree of freedom


@dataclass(frozen=True)
class Shift:
    """Where a series shifted (index of the first point after it), with an interval; None: no shift is seen."""

    position: int | None
    first: int | None
    last: int | None
    size: float | None
    statistic: float
    limit: float | None
    phi: float
    reason: str = ""


def detect_shift(values: Floats) -> Shift:
    """The most likely date of a single shift, if one stands out from what the series does by itself.

    values: one a period, none missing. The noise is judged on what is left when the best step is taken out;
    then each candidate's step is fitted by generalised least squares at that noise, and the largest |t| is held
    against series without a shift.
    """
    y = np.asarray(values, dtype=float)
    n = len(y)
    if not SERIES_LENGTHS[0] <= n <= SERIES_LENGTHS[-1]:
        return _no_shift(f"it takes {SERIES_LENGTHS[0]} to {SERIES_LENGTHS[-1]} periods; there are {n}")
    if not np.ptp(y) > 1e-9 * np.abs(y).max():
        return _no_shift("the measure never varies")
    candidate = likeliest_shift(y)
    if candidate.phi not in CRITICAL_VALUES:
        return replace(
            candidate,
            position=None,
            first=None,
            last=None,
            size=None,
            reason="it wanders too much by itself to date a shift",
        )
    limit = float(np.interp(np.log(n), np.log(SERIES_LENGTHS), CRITICAL_VALUES[candidate.phi]))
    if candidate.statistic <= limit:
        return replace(candidate, position=None, first=None, last=None, size=None, limit=limit)
    return replace(candidate, limit=limit)


def _no_shift(reason: str) -> Shift:
    return Shift(None, None, None, None, 0.0, None, 0.0, reason)


def likeliest_shift(y: Floats) -> Shift:
    """The likeliest date and its statistic, before any limit."""
    n = len(y)
    unit = np.abs(y - y.mean()).max()
    y = (y - y.mean()) / unit
    candidates = np.arange(
        int(np.ceil(n * EXCLUDED_END_SHARE)), int(np.floor(n * (1 - EXCLUDED_END_SHARE))) + 1, dtype=np.int64
    )
    node = _likeliest_node(y - _best_step(y, candidates))
    t, sizes, fall = _statistics(y, candidates, node)
    best = int(np.argmax(np.abs(t)))
    plausible = candidates[fall <= MAX_LIKELIHOOD_FALL]
    return Shift(
        int(candidates[best]),
        int(plausible.min()),
        int(plausible.max()),
        float(sizes[best] * unit),
        float(abs(t[best])),
        None,
        float(PHI[node]),
    )


def _best_step(y: Floats, candidates: Ints) -> Floats:
    """The step that explains most, by ordinary least squares."""
    n, sums = len(y), np.concatenate([[0.0], np.cumsum(y)])
    score = np.abs(sums[candidates]) / np.sqrt(candidates * (n - candidates) / n)
    position = int(candidates[np.argmax(score)])
    step: Floats = np.where(np.arange(n) < position, y[:position].mean(), y[position:].mean())
    return step


def _likeliest_node(residuals: Floats) -> int:
    """The node of the grid that explains the remainder best; no prior."""
    n = len(residuals)
    z = (residuals / residuals.std())[None, :, None]
    products = whiten(np.ones((n, 1)), z, np.ones((1, n)), np.ones((1, n), dtype=bool)).products()
    (fit,) = posterior(products, [0], [], np.ones(len(PHI)))
    with np.errstate(divide="ignore"):
        return int(np.argmax(np.log(fit.weight[0]) - LOG_PRIOR))


def _statistics(y: Floats, candidates: Ints, node: int) -> tuple[Floats, Floats, Floats]:
    """Per candidate: t of the step, its size, and how far the log likelihood falls short of the best."""
    n = len(y)
    phi, share = PHI[node], AR_SHARE[node]
    lag = np.abs(np.arange(n)[:, None] - np.arange(n)[None, :])
    covariance = (share * phi**lag if phi else np.zeros((n, n))) + (1 - share) * np.eye(n)
    root = np.linalg.cholesky(covariance)
    steps = (np.arange(n)[:, None] >= candidates[None, :]).astype(float)
    white = np.linalg.solve(root, np.column_stack([np.ones(n), y, steps]))
    intercept, z, x = white[:, 0], white[:, 1], white[:, 2:]
    z = z - intercept * (intercept @ z) / (intercept @ intercept)
    x = x - intercept[:, None] * (intercept @ x)[None, :] / (intercept @ intercept)
    xx, xz = (x**2).sum(axis=0), x.T @ z
    sizes = xz / xx
    rss = z @ z - xz**2 / xx
    t = sizes / np.sqrt(rss / (n - 2) / xx)
    fall = n / 2 * np.log(rss / rss.min())
    return t, sizes, fall


def find_series_shift(series: PeriodSeries, granularity: Granularity) -> tuple[PeriodSeries, Shift]:
    """Date a shift of a measure by period: on the model's scale, season taken out; periods without cases are skipped."""
    columns = season_columns(granularity, len(series.periods), len(series.periods), series.model_input.is_observed)
    response = working_response(series.model_input, np.column_stack([np.ones(len(series.periods)), columns]))
    known_periods = np.flatnonzero(response.is_observed[0])
    z = response.z[0, known_periods]
    if columns.shape[1]:
        x = np.column_stack([np.ones(len(known_periods)), columns[known_periods]])
        z = z - columns[known_periods] @ np.linalg.lstsq(x, z, rcond=None)[0][1:]
    candidate = detect_shift(z)
    position, first, last = (
        int(known_periods[index]) if index is not None else None
        for index in (candidate.position, candidate.first, candidate.last)
    )
    return series, replace(candidate, position=position, first=first, last=last)

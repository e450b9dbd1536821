"""Looking again every week: how far an effect must lie from zero so that no number of looks makes a false claim.

A bound is told as the level of an interval: at this look, the interval at that level is the one to show, and a
claim is made where it excludes zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from wellserved.moments import Granularity

ALPHA = 0.05
TIGHTEST_RATIO = -2 * math.log(ALPHA) + math.log(-2 * math.log(ALPHA)) + 1  # 8.78: tightest near the look it is set to
PERIODS_IN_EIGHT_WEEKS: dict[Granularity, int] = {"day": 56, "week": 8, "month": 2, "quarter": 1, "year": 1}
SIMULATED_PATHS = 200_000


def interval_level(bound: float) -> float:
    """A bound in standard errors as the level of the interval that reaches so far."""
    return float(1 - 2 * special.ndtr(-bound))


def always_valid_bound(variance: float, foreseen: float) -> float:
    """The bound of the confidence sequence at a look whose step has this variance.

    A mixture over effects with precision v0 = V8/8.78, V8 the precision foreseen eight weeks after the change
    (Robbins 1970, Annals of Mathematical Statistics 41, 1397; as in proof.md, section 5). With it 3.587, 3.035
    and 3.115 at V8/8, V8 and 3.25·V8.
    """
    if not (variance > 0 and foreseen > 0 and math.isfinite(1 / variance) and math.isfinite(1 / foreseen)):
        return math.inf  # a series without noise to speak of: nothing is claimed
    precision, start = 1 / variance, 1 / foreseen / TIGHTEST_RATIO
    return math.sqrt((1 + start / precision) * math.log((precision + start) / (start * ALPHA**2)))


def planned_bounds(fractions: Sequence[float], seed: int = 1) -> list[float]:
    """O'Brien-Fleming bounds for looks at these fractions of the information at the end, which was fixed beforehand.

    Spends 2·(1 - Phi(1.96/sqrt(t))) of the error (Lan and DeMets 1983, Biometrika 70, 659); the bounds are found
    on simulated Brownian paths.
    """
    draw = np.random.default_rng(seed)
    path, is_undecided = np.zeros(SIMULATED_PATHS), np.ones(SIMULATED_PATHS, dtype=bool)
    spent_error, previous_fraction, bounds = 0.0, 0.0, []
    z = special.ndtri(1 - ALPHA / 2)
    for fraction in fractions:
        path += draw.standard_normal(SIMULATED_PATHS) * math.sqrt(max(fraction - previous_fraction, 0.0))
        previous_fraction = fraction
        allowed_error = 2 * special.ndtr(-z / math.sqrt(fraction)) if fraction > 0 else 0.0
        crossings = round((allowed_error - spent_error) * SIMULATED_PATHS)
        distances = np.sort(np.abs(path[is_undecided]))[::-1] / math.sqrt(fraction) if fraction > 0 else np.array([])
        bound = (
            float((distances[crossings - 1] + distances[crossings]) / 2) if 0 < crossings < len(distances) else math.inf
        )
        is_undecided &= np.abs(path) < bound * math.sqrt(fraction)
        spent_error = 1 - is_undecided.mean()
        bounds.append(bound)
    return bounds

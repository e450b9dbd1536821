"""Control limits, as in Montgomery, Introduction to Statistical Quality Control, and Laney 2002.

Every function takes the points of one phase and a mask of those that the limits are computed from, and
gives centre, lower and upper limit for every point. Points without a value are NaN and stay out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

D2 = 1.128  # mean range of two normal values in standard deviations; Montgomery, appendix VI
D4 = 3.267  # upper limit of a moving range of two, in mean ranges; the same
# the power that makes exponential times nearly normal; Nelson, J. Quality Technology 26 (1994) 239
NORMALISING_POWER = 1 / 3.6
EWMA_WEIGHT = 0.3  # of the newest point in a moving average; NIST/SEMATECH e-Handbook, 6.3.2.4


@dataclass(frozen=True)
class Limits:
    """Three lines, a value a point."""

    centre: Floats
    lower: Floats
    upper: Floats


def _lines(centre: float, half_width: Floats, floor: float = -np.inf, ceiling: float = np.inf) -> Limits:
    full = np.full(len(half_width), centre)
    return Limits(full, np.maximum(full - half_width, floor), np.minimum(full + half_width, ceiling))


def moving_ranges(values: Floats) -> Floats:
    """Absolute difference of each point to the one before; the first has none (NaN)."""
    return np.concatenate([[np.nan], np.abs(np.diff(values))]) if len(values) else values


def screen_ranges(ranges: Floats) -> Floats:
    """Moving ranges less those of D4 times their mean or more, once: a few jumps do not widen the limits of all points.

    The rule of NHSRplotthedots, which screens unless told otherwise. Ranges that are all 0 stay.
    """
    highest = D4 * float(np.mean(ranges))
    return ranges[ranges < highest] if highest > 0 else ranges


def xmr(values: Floats, base: Mask, screening: bool = False) -> Limits:
    """Individuals: mean +- 3 mean moving range / d2 (2.66 mean ranges), screened first or not. Montgomery, section 6.4."""
    base_values = values[base & np.isfinite(values)]
    ranges = np.abs(np.diff(base_values))
    sigma = float(np.mean(screen_ranges(ranges) if screening else ranges)) / D2
    return _lines(float(np.mean(base_values)), np.full(len(values), 3 * sigma))


def moving_range(values: Floats, base: Mask) -> Limits:
    """Moving ranges: 0 to D4 times their mean. Montgomery, section 6.4."""
    mean = float(np.mean(np.abs(np.diff(values[base & np.isfinite(values)]))))
    full = np.full(len(values), mean)
    return Limits(full, np.zeros(len(values)), D4 * full)


def p(count: Floats, size: Floats, base: Mask) -> Limits:
    """Shares: p +- 3 sqrt(p(1-p)/n), within 0 and 1. Montgomery, section 7.2."""
    share = float(count[base].sum() / size[base].sum())
    return _lines(share, 3 * _binomial(share, size), 0.0, 1.0)


def p_prime(count: Floats, size: Floats, base: Mask) -> Limits:
    """Shares whose true value varies between periods. Laney, Quality Engineering 14 (2002) 531-537."""
    share = float(count[base].sum() / size[base].sum())
    sigma = _binomial(share, size)
    return _lines(share, 3 * sigma * _between_ratio(count, size, share, sigma, base), 0.0, 1.0)


def u(count: Floats, size: Floats, base: Mask) -> Limits:
    """Events a unit: u +- 3 sqrt(u/n), floored at 0. Montgomery, section 7.3."""
    rate = float(count[base].sum() / size[base].sum())
    return _lines(rate, 3 * np.sqrt(rate / size), 0.0)


def u_prime(count: Floats, size: Floats, base: Mask) -> Limits:
    """Events a unit whose true rate varies between periods. Laney 2002."""
    rate = float(count[base].sum() / size[base].sum())
    sigma = np.sqrt(rate / size)
    return _lines(rate, 3 * sigma * _between_ratio(count, size, rate, sigma, base), 0.0)


def c(values: Floats, base: Mask) -> Limits:
    """Counts over equal spans: c +- 3 sqrt(c), floored at 0. Montgomery, section 7.3."""
    mean = float(np.mean(values[base & np.isfinite(values)]))
    return _lines(mean, np.full(len(values), 3 * np.sqrt(mean)), 0.0)


def t(values: Floats, base: Mask) -> Limits:
    """Times, skewed as exponential ones are: XmR on x^(1/3.6), drawn back in x. Montgomery, example 7.6."""
    transformed_limits = xmr(values**NORMALISING_POWER, base)
    lower = np.maximum(transformed_limits.lower, 0.0)
    return Limits(
        *(line ** (1 / NORMALISING_POWER) for line in (transformed_limits.centre, lower, transformed_limits.upper))
    )


def xbar(means: Floats, deviations: Floats, sizes: Floats, base: Mask) -> Limits:
    """Means of samples: grand mean +- 3 sigma / sqrt(n), sigma from within the samples. Montgomery, section 6.3."""
    grand = float(np.average(means[base], weights=sizes[base]))
    return _lines(grand, 3 * _within_sigma(deviations, sizes, base) / np.sqrt(sizes))


def s(deviations: Floats, sizes: Floats, base: Mask) -> Limits:
    """Standard deviations of samples: c4 sigma +- 3 sigma sqrt(1 - c4^2), floored at 0. Montgomery, section 6.3."""
    sigma, bias = _within_sigma(deviations, sizes, base), _c4(sizes)
    centre, half_width = sigma * bias, 3 * sigma * np.sqrt(1 - bias**2)
    return Limits(centre, np.maximum(centre - half_width, 0.0), centre + half_width)


def moving_average(values: Floats, start: float) -> Floats:
    """Exponentially weighted: each point is 0.3 of the newest value and 0.7 of the last point; gaps are skipped."""
    averages, last = np.full(len(values), np.nan), start
    for index in np.flatnonzero(np.isfinite(values)):
        averages[index] = last = EWMA_WEIGHT * values[index] + (1 - EWMA_WEIGHT) * last
    return averages


def ewma(size: int, target: float, sigma: float) -> Limits:
    """The moving average's: target +- 3 sigma sqrt(w / (2 - w)). NIST/SEMATECH e-Handbook, 6.3.2.4."""
    return _lines(target, np.full(size, 3 * sigma * np.sqrt(EWMA_WEIGHT / (2 - EWMA_WEIGHT))))


def _within_sigma(deviations: Floats, sizes: Floats, base: Mask) -> float:
    return float(np.mean(deviations[base] / _c4(sizes[base])))


def _c4(sizes: Floats) -> Floats:
    """What a sample's standard deviation is of the true one, on average. Montgomery, appendix VI."""
    logs = special.gammaln(sizes / 2) - special.gammaln((sizes - 1) / 2)
    return np.asarray(np.sqrt(2 / (sizes - 1)) * np.exp(logs))


def _binomial(share: float, size: Floats) -> Floats:
    return np.sqrt(share * (1 - share) / size)


def _between_ratio(count: Floats, size: Floats, rate: float, sigma: Floats, base: Mask) -> float:
    """Laney's sigma_z: how much more the points vary than chance alone, from moving ranges of z-scores."""
    if not np.all(sigma[base] > 0):
        return 1.0
    z = ((count / size - rate) / sigma)[base]
    return float(np.mean(np.abs(np.diff(z)))) / D2

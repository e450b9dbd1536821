"""Control limits, as in Montgomery, Introduction to Statistical Quality Control, and Laney 2002.

Every function takes the points of one phase and a mask of those that the limits are computed from, and
gives centre, lower and upper limit for every point. Points without a value are NaN and stay out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

D2 = 1.128  # mean range of two normal values in standard deviations; Montgomery, appendix VI
D4 = 3.267  # upper limit of a moving range of two, in mean ranges; the same


@dataclass(frozen=True)
class Limits:
    """Three lines, a value a point."""

    centre: Floats
    lower: Floats
    upper: Floats


def _lines(centre: float, half: Floats, floor: float = -np.inf, ceiling: float = np.inf) -> Limits:
    full = np.full(len(half), centre)
    return Limits(full, np.maximum(full - half, floor), np.minimum(full + half, ceiling))


def moving_ranges(values: Floats) -> Floats:
    """Absolute difference of each point to the one before; the first has none (NaN)."""
    return np.concatenate([[np.nan], np.abs(np.diff(values))]) if len(values) else values


def xmr(values: Floats, base: Mask) -> Limits:
    """Individuals: mean +- 3 mean moving range / d2 (2.66 mean ranges). Montgomery, section 6.4."""
    chosen = values[base & np.isfinite(values)]
    sigma = float(np.mean(np.abs(np.diff(chosen)))) / D2
    return _lines(float(np.mean(chosen)), np.full(len(values), 3 * sigma))


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
    return _lines(share, 3 * sigma * _between(count, size, share, sigma, base), 0.0, 1.0)


def u(count: Floats, size: Floats, base: Mask) -> Limits:
    """Events a unit: u +- 3 sqrt(u/n), floored at 0. Montgomery, section 7.3."""
    rate = float(count[base].sum() / size[base].sum())
    return _lines(rate, 3 * np.sqrt(rate / size), 0.0)


def u_prime(count: Floats, size: Floats, base: Mask) -> Limits:
    """Events a unit whose true rate varies between periods. Laney 2002."""
    rate = float(count[base].sum() / size[base].sum())
    sigma = np.sqrt(rate / size)
    return _lines(rate, 3 * sigma * _between(count, size, rate, sigma, base), 0.0)


def c(values: Floats, base: Mask) -> Limits:
    """Counts over equal spans: c +- 3 sqrt(c), floored at 0. Montgomery, section 7.3."""
    mean = float(np.mean(values[base & np.isfinite(values)]))
    return _lines(mean, np.full(len(values), 3 * np.sqrt(mean)), 0.0)


def _binomial(share: float, size: Floats) -> Floats:
    return np.sqrt(share * (1 - share) / size)


def _between(count: Floats, size: Floats, rate: float, sigma: Floats, base: Mask) -> float:
    """Laney's sigma_z: how much more the points vary than chance alone, from moving ranges of z-scores."""
    if not np.all(sigma[base] > 0):
        return 1.0
    z = ((count / size - rate) / sigma)[base]
    return float(np.mean(np.abs(np.diff(z)))) / D2

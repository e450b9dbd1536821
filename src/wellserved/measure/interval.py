"""95% intervals: Wilson for shares, Garwood for counts, t for means, order statistics for quantiles without open waits."""

from __future__ import annotations

import math

from scipy import special

Z = 1.959963984540054  # 97.5% point of the normal distribution
CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2


def wilson_interval(k: int, n: int, z: float = Z) -> tuple[float, float]:
    """Interval of a share k of n, n > 0.

    E. B. Wilson, JASA 22 (1927) 209-212; equation as in Newcombe, Statistics in Medicine 17 (1998) 857, method 3.
    """
    p, z_squared = k / n, z * z
    centre, half_width = (
        (p + z_squared / (2 * n)) / (1 + z_squared / n),
        z * math.sqrt(p * (1 - p) / n + z_squared / (4 * n * n)) / (1 + z_squared / n),
    )
    return (0.0 if k == 0 else centre - half_width, 1.0 if k == n else centre + half_width)


def garwood_interval(count: int) -> tuple[float, float]:
    """Exact interval of a Poisson mean from one count. F. Garwood, Biometrika 28 (1936) 437-442."""
    low = float(special.gammaincinv(count, _TAIL)) if count else 0.0
    return (low, float(special.gammaincinv(count + 1, 1 - _TAIL)))


def weighted_count_interval(total: float, squares: float, largest: float) -> tuple[float, float]:
    """Interval of what rare events come to that do not weigh the same: the total of what was counted, its sum of squares, the largest weight.

    Events are Poisson; of weight 1 each, this is Garwood's interval. M. P. Fay and E. J. Feuer, Statistics in Medicine 16
    (1997) 791-801.
    """
    low = squares / total * float(special.gammaincinv(total * total / squares, _TAIL)) if total and squares else 0.0
    above, spread = total + largest, squares + largest * largest
    return (low, spread / above * float(special.gammaincinv(above * above / spread, 1 - _TAIL)))


def mean_with_interval(n: int, total: float, squares: float) -> tuple[float, float, float]:
    """Mean and its t interval from n > 1 values, their sum and the sum of their squares."""
    mean = total / n
    spread = max(squares - n * mean * mean, 0.0) / (n - 1)
    half_width = float(special.stdtrit(n - 1, 1 - _TAIL)) * math.sqrt(spread / n)
    return (mean, mean - half_width, mean + half_width)


def binomial_quantile(q: float, n: int, p: float) -> int:
    """The least k with P(Binomial(n, p) <= k) >= q."""
    k = max(math.ceil(float(special.bdtrik(q, n, p)) - 1e-9), 0)
    while k > 0 and special.bdtr(k - 1, n, p) >= q:
        k -= 1
    while special.bdtr(k, n, p) < q:
        k += 1
    return k


def quantile_ranks(n: int, p: float) -> tuple[int, int, int]:
    """Ranks (from 1) of the p-quantile and its 95% interval among n sorted values; a rank of 0 or n + 1: no bound.

    The quantile is the smallest value that at least the share p of all reaches; of an even number, the median lies
    between that value and the next. Interval: Hahn and Meeker, Statistical Intervals (1991), section 5.2.
    """
    return (
        max(math.ceil(p * n - 1e-9), 1),
        binomial_quantile(_TAIL, n, p),
        binomial_quantile(1 - _TAIL, n, p) + 1,
    )

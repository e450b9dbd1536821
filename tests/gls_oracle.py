"""The engine's answer the slow way: dense covariance matrices, one series, one trend, textbook formulas, root finding."""

from __future__ import annotations

import math

import numpy as np
from scipy import linalg, optimize, stats

PHIS = [0, 0.2, 0.4, 0.55, 0.7, 0.8, 0.88, 0.94, 0.97, 0.985, 0.995, 0.999]
SHARES = [0.03, 0.1, 0.25, 0.5, 0.75, 0.92, 1]


def within(phi: float, share: float, n: int) -> float:
    """Variance inside a window of n points, by summing the correlation matrix."""
    total = sum(share * phi ** abs(i - j) if i != j else 1.0 for i in range(n) for j in range(n)) / n**2
    return max(1 - total, 1e-6)


def answer(z, weight, before, trend, seasonal, priced=None):  # type: ignore[no-untyped-def]
    """Point, 95% interval and p of the step. z holds NaN where nothing was seen; seasonal and priced are columns."""
    z, weight = np.asarray(z, float), np.asarray(weight, float)
    n = len(z)
    t = np.arange(n)
    after = n - before
    slope = np.where(t >= before, t - before - (after - 1) / 2, 0) / n
    line = (t - n / 2) / n if trend == "continues" else (np.minimum(t, before) - n / 2) / n
    columns = [np.ones(n), *seasonal, *(priced or []), line, *([slope] if after > 1 else []), (t >= before) * 1.0]
    x = np.column_stack(columns)
    seen = np.isfinite(z)
    w = weight / weight[seen].mean()
    y = z[seen] - z[seen].mean()
    parts = []
    mass = sum((1 - phi + 0.003) ** -0.5 for phi in PHIS)
    for phi in PHIS:
        for share in SHARES if phi else [0.0]:
            v = within(phi, share, n)
            covariance = share * phi ** abs(t[:, None] - t[None, :]) if phi else np.zeros((n, n))
            covariance = (covariance + np.diag((1 - share) * w + 1e-9))[np.ix_(seen, seen)]
            precision = np.zeros(len(columns))
            if after > 1:
                precision[-2] = (abs(slope).max() / 0.25) ** 2 / v
            for place in range(len(priced or [])):
                precision[1 + len(seasonal) + place] = 1 / (0.25 * v)
            inverse = linalg.inv(covariance)
            a = x[seen].T @ inverse @ x[seen] + np.diag(precision)
            beta = linalg.solve(a, x[seen].T @ inverse @ y)
            rest = y @ inverse @ y - beta @ a @ beta
            freedom = seen.sum() - len(columns)
            prior = (1 - phi + 0.003) ** -0.5 / mass / (len(SHARES) if phi else 1)
            log = (
                math.log(prior)
                - np.linalg.slogdet(covariance)[1] / 2
                - np.linalg.slogdet(a)[1] / 2
                - freedom / 2 * math.log(rest)
            )
            parts.append((log, beta[-1], math.sqrt(rest / freedom * linalg.inv(a)[-1, -1]), freedom))
    top = max(part[0] for part in parts)
    p = np.array([math.exp(part[0] - top) for part in parts])
    p /= p.sum()
    e, s, freedom = np.array([one[1] for one in parts]), np.array([one[2] for one in parts]), parts[0][3]

    def below(at: float) -> float:
        return float((p * stats.t.cdf((at - e) / s, freedom)).sum())

    reach = 50 * s.max()
    ends = [
        optimize.brentq(lambda at, q=q: below(at) - q, e.min() - reach, e.max() + reach, xtol=1e-12)
        for q in (0.025, 0.975)
    ]
    return float(p @ e), ends[0], ends[1], 2 * min(below(0), 1 - below(0))

"""The engine's answer the slow way: dense covariance matrices, one series, one trend, textbook formulas, root finding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import linalg, optimize, stats

PHIS = [0, 0.2, 0.4, 0.55, 0.7, 0.8, 0.88, 0.94, 0.97, 0.985, 0.995, 0.999]
SHARES = [0.03, 0.1, 0.25, 0.5, 0.75, 0.92, 1]
SHARES_OF_DRIFT = [0.05, 0.2, 0.5, 0.8, 0.92, 0.98, 1]
Block = tuple[list[np.ndarray], list[float], float]  # columns with a prior, their sds, and what is believed of them


def within(phi: float, share: float, n: int) -> float:
    """Variance inside a window of n points, by summing the correlation matrix."""
    total = sum(share * phi ** abs(i - j) if i != j else 1.0 for i in range(n) for j in range(n)) / n**2
    return max(1 - total, 1e-6)


def centred(inside: np.ndarray, before: int, seen: np.ndarray) -> np.ndarray:
    """A course over the window after the change: zero on average where something was seen, at most 1."""
    column = np.zeros(len(seen))
    column[before:] = inside - inside[seen[before:]].mean()
    return column / max(float(np.abs(column).max()), 1e-300)


def courses(n: int, before: int, seen: np.ndarray) -> list[Block]:
    """What the engine believes of an effect's course, written down once more."""
    u = np.arange(n - before) / (n - before - 1)
    even, levels, late = (centred(x, before, seen) for x in (u, 1 - np.exp(-5 * u), (u >= 0.5) * 1.0))
    waves = [centred(np.cos(np.pi * k * u), before, seen) for k in range(1, 9)]
    free = [even, levels, *waves]
    return [
        ([even], [0.25], 0.2),
        *(([shape], [3.0], 0.16) for shape in (even, levels, late)),
        *((free, [size / k for k in range(1, 11)], 0.16) for size in (6.0, 60.0)),
    ]


def answer(  # type: ignore[no-untyped-def]
    z, weight, before, trend, seasonal, wave=None, blocks: Sequence[Block] | None = None, as_first_worked=False
):
    """Point, 95% interval and p of the step. z holds NaN where nothing was seen; seasonal and wave are columns.

    `as_first_worked`: one grid for all, no caution for what drifts or lingers, penalised columns counted and their priors'
    determinant left out, as in the two answers that were worked elsewhere.
    """
    z, weight = np.asarray(z, float), np.asarray(weight, float)
    n, t, seen = len(z), np.arange(len(z)), np.isfinite(z)
    line = (t - n / 2) / n if trend == "continues" else (np.minimum(t, before) - n / 2) / n
    flat = [np.ones(n), *seasonal, line, (t >= before) * 1.0]
    blocks = courses(n, before, seen) if blocks is None else blocks
    if wave:
        with_wave = [([*c, *wave], [*sd, *[0.5] * len(wave)], m * 0.15) for c, sd, m in blocks]
        blocks = [*((c, sd, m * 0.85) for c, sd, m in blocks), *with_wave]
    w = weight / weight[seen].mean()
    y = z[seen] - z[seen].mean()
    power = 0.5 if as_first_worked else 0.25
    mass = sum((1 - phi + 0.003) ** -power for phi in PHIS)
    parts = []
    for phi in PHIS:
        shares = SHARES_OF_DRIFT if phi >= 0.985 and not as_first_worked else SHARES
        for share in shares if phi else [0.0]:
            v = within(phi, share, n)
            covariance = share * phi ** abs(t[:, None] - t[None, :]) if phi else np.zeros((n, n))
            covariance = (covariance + np.diag((1 - share) * w + 1e-9))[np.ix_(seen, seen)]
            inverse = linalg.inv(covariance)
            prior = (1 - phi + 0.003) ** -power / mass / (len(shares) if phi else 1)
            drifts = phi >= 0.97 and share * (1 - phi**2) >= 0.005 * (1 - share)
            lingers = 0.8 <= phi < 0.97 and share >= 0.5
            caution = 1.0 if as_first_worked else 1.5 if drifts else 1.1 if lingers else 1.0
            for extra, sds, belief in blocks:
                x = np.column_stack([*extra, *flat])
                precision = np.array([1 / (sd**2 * v) for sd in sds] + [0.0] * len(flat))
                a = x[seen].T @ inverse @ x[seen] + np.diag(precision)
                beta = linalg.solve(a, x[seen].T @ inverse @ y)
                rest = y @ inverse @ y - beta @ a @ beta
                freedom = seen.sum() - len(flat) - (len(extra) if as_first_worked else 0)
                log = math.log(prior * belief) - (np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(a)[1]) / 2
                log += 0 if as_first_worked else np.log(precision[: len(extra)]).sum() / 2
                log -= freedom / 2 * math.log(rest)
                scale = caution * math.sqrt(rest / freedom * linalg.inv(a)[-1, -1])
                parts.append((log, beta[-1], scale, freedom))
    return mixed(parts)


def mixed(parts: list[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    """A mixture of t distributions: mean, 2.5% and 97.5% points, and p of zero."""
    top = max(part[0] for part in parts)
    p = np.array([math.exp(part[0] - top) for part in parts])
    p /= p.sum()
    e, s, freedom = np.array([part[1] for part in parts]), np.array([part[2] for part in parts]), parts[0][3]

    def below(at: float) -> float:
        return float((p * stats.t.cdf((at - e) / s, freedom)).sum())

    reach = 50 * s.max()
    ends = [
        optimize.brentq(lambda at, q=q: below(at) - q, e.min() - reach, e.max() + reach, xtol=1e-12)
        for q in (0.025, 0.975)
    ]
    return float(p @ e), ends[0], ends[1], 2 * min(below(0), 1 - below(0))

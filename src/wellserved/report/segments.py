"""Which segments differ after allowing for chance (funnel), and which lie behind most misses (Pareto)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wellserved.chart.limits import Floats
from wellserved.measure import Series
from wellserved.measure.interval import wilson_interval
from wellserved.moments import NotComputable

LIMIT_SDS = 3.0902323061678132  # 99.8% limits: one false alarm among 500 segments that do not differ
NOT_RECORDED = "(not recorded)"  # a segment without a name
CURVE_POINTS = 60  # of each limit's curve
FEWEST_SEGMENTS = 3  # segments needed to compare


@dataclass(frozen=True)
class FunnelRow:
    """One segment against all."""

    segment: str
    n: int
    share: float
    low: float  # 95% interval
    high: float
    excess: float  # cases more (or fewer) than at the overall share
    beyond_chance: bool  # outside the 99.8% limits of chance
    stands_out: bool  # outside also when segments are allowed to differ as much as they do


@dataclass(frozen=True)
class LimitCurve:
    """99.8% limits by the number of cases."""

    log_sizes: tuple[float, ...]  # decimal logarithms of numbers of cases
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Funnel:
    """All segments of one column; limits as in Spiegelhalter, Statistics in Medicine 24 (2005) 1185-1202."""

    column: str
    overall: float
    spread: float  # tau: standard deviation between segments beyond chance
    rows: tuple[FunnelRow, ...]  # by size of the excess
    small: int  # segments left out for having too few cases
    limit_curves: tuple[LimitCurve, LimitCurve]  # of chance alone, and with the spread between segments


@dataclass(frozen=True)
class ParetoRow:
    """One segment's part of all misses."""

    segment: str
    count: int
    share: float
    low: float  # 95% interval
    high: float
    cumulative: float
    rate: float  # misses among the segment's own cases


@dataclass(frozen=True)
class Pareto:
    """Misses by segment, most first."""

    column: str
    total: int
    rows: tuple[ParetoRow, ...]


def funnel(series: Series, column: str) -> Funnel | NotComputable:
    """Compare the segments of a share over one whole period."""
    indices = [
        index
        for index, segment in enumerate(series.segments)
        if segment is not None and not isinstance(series.value[index], NotComputable)
    ]
    if len(indices) < FEWEST_SEGMENTS:
        return NotComputable(f"fewer than {FEWEST_SEGMENTS} segments with at least {series.measure.minimum_n} cases")
    n = np.array([series.n[index] for index in indices], dtype=float)
    k = np.array([series.count[index] or 0 for index in indices], dtype=float)
    overall = float(k.sum() / n.sum())
    if overall in (0.0, 1.0):
        return NotComputable("every case is alike")
    variance = overall * (1 - overall) / n
    spread = _between_segments(k / n, variance, overall)
    rows = []
    for position, index in enumerate(indices):
        share, chance = k[position] / n[position], variance[position]
        gap = abs(share - overall)
        low, high = wilson_interval(int(k[position]), int(n[position]))
        rows.append(
            FunnelRow(
                str(series.segments[index]),
                int(n[position]),
                float(share),
                low,
                high,
                float(k[position] - overall * n[position]),
                bool(gap > LIMIT_SDS * math.sqrt(chance)),
                bool(gap > LIMIT_SDS * math.sqrt(chance + spread**2)),
            )
        )
    rows.sort(key=lambda row: (-abs(row.excess), row.segment))
    small = len([segment for segment in series.segments if segment]) - len(indices)
    log_sizes = np.linspace(math.log10(n.min()), math.log10(n.max() * 1.1), CURVE_POINTS)
    curves = _limit_curve(overall, log_sizes, 0.0), _limit_curve(overall, log_sizes, spread)
    return Funnel(column, overall, spread, tuple(rows), small, curves)


def _limit_curve(overall: float, log_sizes: Floats, spread: float) -> LimitCurve:
    """The limits around the overall share, over the sizes that the segments have."""
    half = LIMIT_SDS * np.sqrt(overall * (1 - overall) / 10**log_sizes + spread**2)
    low, high = np.maximum(overall - half, 0.0), np.minimum(overall + half, 1.0)
    return LimitCurve(tuple(log_sizes.tolist()), tuple(low.tolist()), tuple(high.tolist()))


def _between_segments(shares: Floats, variance: Floats, overall: float) -> float:
    """tau by the method of moments (Spiegelhalter 2005, section A.3), from z-scores winsorised at 10%."""
    z = (shares - overall) / np.sqrt(variance)
    low, high = np.quantile(z, [0.1, 0.9])
    count = len(z)
    phi = float(np.mean(np.clip(z, low, high) ** 2))
    weights = 1 / variance
    excess = count * phi - (count - 1)
    return math.sqrt(max(excess / float(weights.sum() - (weights**2).sum() / weights.sum()), 0.0))


def pareto(series: Series, column: str, max_rows: int = 10) -> Pareto | NotComputable:
    """Of all misses (cases in the population but not in the numerator), how many lie in each segment."""
    higher_is_better = series.measure.better == "higher"
    misses: list[tuple[int, str, int]] = []
    for index, segment in enumerate(series.segments):
        n, k = series.n[index], series.count[index]
        if n and k is not None:
            misses.append((n - k if higher_is_better else k, segment or NOT_RECORDED, n))
    total = sum(count for count, _, _ in misses)
    if not total:
        return NotComputable("nothing was missed")
    misses.sort(key=lambda miss: (-miss[0], miss[1]))
    rows, cumulative_count = [], 0
    for count, segment, n in misses[:max_rows]:
        cumulative_count += count
        low, high = wilson_interval(count, total)
        rows.append(ParetoRow(segment, count, count / total, low, high, cumulative_count / total, count / n))
    return Pareto(column, total, tuple(rows))

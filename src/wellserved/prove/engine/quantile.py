"""A quantile period by period, each period linearised near its own level, whatever the size and course of an effect.

One level for all periods saturates: the share of cases within it cannot rise above 1. So each period has a level of
its own, the quantile of the cases of neighbouring periods, and the period's own quantile is one step away from it:
log m + (q - F(m)) / f, F(m) the share of its cases within m, f the density of the logarithms there (the influence
function of a quantile: Hampel et al., Robust Statistics, 1986, ch. 2). Its error is of second order in the distance.

Neighbours are never taken across a change, nor across a jump of the measure inside a side. They are as few as give
the quantile at all, a straight trend among them is taken out, and cases still open are carried as Kaplan and Meier
(JASA 53, 1958, 457) do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from wellserved.prove.engine.model import Floats, Mask

CASES_BEYOND_LEVEL = (
    3.0  # cases beyond the quantile, on its rarer side, that give a level: 6 for a median, 30 for a p90
)
FEWEST_BEYOND_QUANTILE = 4.0  # cases beyond the quantile that a whole side takes: with fewer nothing is said
JUMP_ERRORS = 5.0  # standard errors by which the logarithms of two stretches differ, so that no level is taken across
FEWEST_CASES_OF_STRETCH = 8  # cases in either stretch, at least
FEWEST_CASES_OF_DENSITY = 50  # cases that give a density of their own
LEAST_BANDWIDTH = 1e-6  # bandwidth where all cases are equal
MAX_DENSITY_RATIO = 30.0  # one side's density is at most so many times the other's
MAX_UNFIT_SHARE = 0.1  # of a side's cases, in stretches without a level: with more nothing is said
EPSILON = 1e-12
ROUNDING = 1e-9  # of logarithms
UNREACHED_REASON = "too few of these waits have ended by that age"
NO_TIME_REASON = "most of these waits take no time at all"

PeriodBounds = tuple[int, int]  # first period and the one after the last


@dataclass(frozen=True)
class CensoredWaits:
    """Waits with the period each belongs to, in order of period and length."""

    period: npt.NDArray[np.int64]
    log: Floats  # -inf: took no time; inf: has not ended, and nothing more is known
    has_ended: Mask  # else it is known to be longer
    weight: Floats

    def slice_of(self, bounds: PeriodBounds) -> slice:
        """The cases of some periods in a row."""
        first, end = np.searchsorted(self.period, bounds)
        return slice(int(first), int(end))

    def of_side(self, side: PeriodBounds) -> CensoredWaits:
        """The cases of some periods in a row, which are counted from 0."""
        selection = self.slice_of(side)
        return CensoredWaits(
            self.period[selection] - side[0], self.log[selection], self.has_ended[selection], self.weight[selection]
        )


@dataclass(frozen=True)
class PeriodLevels:
    """What a quantile's response is made of, by period: arrays of (n,)."""

    log_level: Floats  # the level at which the period is linearised
    cases_within: Floats  # cases within it, those exactly at it by half
    size: Floats
    density: Floats  # of the logarithms there; one for each side
    reason: str = ""  # why there are none
    side: int = 0  # the side of which that is said
    is_unreached: bool = False  # because too few of its waits have ended


def censored_waits(
    waits_by_period: Sequence[tuple[Floats, Mask]], weights: Sequence[Floats] | None = None
) -> CensoredWaits:
    """Cases from each period's waits, (length, ended); a length is 0 or more, or infinite."""
    period = np.repeat(np.arange(len(waits_by_period)), [len(length) for length, _ in waits_by_period])
    length = np.concatenate([length for length, _ in waits_by_period]) if waits_by_period else np.array([])
    has_ended = (
        np.concatenate([has_ended for _, has_ended in waits_by_period]) if waits_by_period else np.array([], bool)
    )
    weight = np.ones(len(length)) if weights is None else np.concatenate(list(weights))
    all_but_last, all_but_first = slice(0, -1), slice(1, None)
    is_ordered = (length[all_but_last] < length[all_but_first]) | (
        (length[all_but_last] == length[all_but_first]) & (has_ended[all_but_last] >= has_ended[all_but_first])
    )
    if not (is_ordered | (period[all_but_last] < period[all_but_first])).all():
        order = np.lexsort((~has_ended, length, period))
        period, length, has_ended, weight = period[order], length[order], has_ended[order], weight[order]
    with np.errstate(divide="ignore"):
        return CensoredWaits(period, np.log(length), has_ended, weight)


def levels_of(
    cases: CensoredWaits,
    periods: int,
    quantile: float,
    edges: Sequence[int],
    cycle_length: int = 1,
    recording_unit: float = 0.0,
) -> PeriodLevels:
    """The level, share and density of each period.

    edges: the first period of each side but the first. cycle_length: neighbours come in stretches of so many periods (7:
    whole weeks of days), or alone. recording_unit: the unit in which waits are recorded, on the scale of the waits.
    """
    size = np.bincount(cases.period, cases.weight, periods).astype(np.float64)
    log, cases_within = np.full(periods, np.nan), np.zeros(periods)
    side_bounds = list(pairwise([0, *edges, periods]))
    sides = {number: side for number, side in enumerate(side_bounds) if len(cases.log[cases.slice_of(side)])}
    for number, side in sides.items():
        if reason := _too_few_cases(cases, side, quantile):
            return PeriodLevels(log, size, size, size, reason, number)
        level, reason = _side_levels(cases, size, side, quantile, cycle_length)
        if reason:
            return PeriodLevels(log, size, size, size, reason, number, reason == UNREACHED_REASON)
        log[slice(*side)] = level
        cases_within[slice(*side)] = _cases_within(cases.of_side(side), level, len(level))
    density = np.ones(periods)
    for side, side_density in zip(
        sides.values(), _densities(cases, log, [*sides.values()], recording_unit), strict=True
    ):
        density[slice(*side)] = side_density
    return PeriodLevels(log, cases_within, size, density)


def _too_few_cases(cases: CensoredWaits, side: PeriodBounds, quantile: float) -> str:
    """Why a side's cases give no quantile."""
    n, fewest_cases = (
        len(cases.log[cases.slice_of(side)]),
        math.ceil(FEWEST_BEYOND_QUANTILE / min(quantile, 1 - quantile) - 1e-9),
    )
    return (
        f"only {n} cases can be looked at, too few for this measure; it takes {fewest_cases}"
        if n < fewest_cases
        else ""
    )


def _side_levels(
    cases: CensoredWaits, size: Floats, side: PeriodBounds, quantile: float, cycle_length: int
) -> tuple[Floats, str]:
    """The level of each period of a side; or why too much of it has none."""
    rarer_share = min(quantile, 1 - quantile)
    cuts = (
        _find_jumps(cases, side, max(FEWEST_CASES_OF_STRETCH, 2 / rarer_share), cycle_length)
        if (size[slice(*side)] < CASES_BEYOND_LEVEL / rarer_share).any()
        else []
    )
    stretches = list(pairwise([side[0], *cuts, side[1]]))
    windows = [
        window
        for stretch in stretches
        for window in _neighbour_windows(size, stretch, CASES_BEYOND_LEVEL / rarer_share, cycle_length)
    ]
    level, reason = _fill_levels(cases, _window_quantiles(cases, windows, quantile), side, stretches, quantile)
    return (level, reason) if reason else (_recentre(cases, size, side, windows, quantile, level), "")


def _fill_levels(
    cases: CensoredWaits, level: Floats, side: PeriodBounds, stretches: list[PeriodBounds], quantile: float
) -> tuple[Floats, str]:
    """Levels that are not reached, or no time at all, taken from their stretch, or else from the side.

    The reason why not, where too many of the cases lie in stretches without a level.
    """
    if np.isfinite(level).all():
        return level, ""
    filled_level, weight_by_reason = level.copy(), {UNREACHED_REASON: 0.0, NO_TIME_REASON: 0.0}
    side_quantile = _quantile_in(cases, side, quantile)
    for stretch in stretches:
        periods = slice(stretch[0] - side[0], stretch[1] - side[0])
        stretch_quantile = _quantile_in(cases, stretch, quantile)
        if not math.isfinite(stretch_quantile):
            weight_by_reason[UNREACHED_REASON if math.isnan(stretch_quantile) else NO_TIME_REASON] += cases.weight[
                cases.slice_of(stretch)
            ].sum()
        fallback_level = stretch_quantile if math.isfinite(stretch_quantile) else side_quantile
        filled_level[periods] = np.where(np.isfinite(level[periods]), level[periods], fallback_level)
    if not math.isfinite(side_quantile):
        return filled_level, UNREACHED_REASON if math.isnan(side_quantile) else NO_TIME_REASON
    reason = max(weight_by_reason, key=lambda reason: weight_by_reason[reason])
    return filled_level, reason if weight_by_reason[reason] > MAX_UNFIT_SHARE * cases.weight[
        cases.slice_of(side)
    ].sum() else ""


def _find_jumps(cases: CensoredWaits, side: PeriodBounds, fewest_cases: float, cycle_length: int) -> list[int]:
    """The periods at which the measure jumps, by halving where two stretches differ most, over and over."""
    side_cases, periods = cases.of_side(side), side[1] - side[0]
    finite = side_cases.log[np.isfinite(side_cases.log)]
    if len(finite) < 2:
        return []
    log = np.clip(side_cases.log, finite.min(), finite.max())
    log = log - log.mean()
    sums = [
        np.append(0.0, np.cumsum(np.bincount(side_cases.period, side_cases.weight * log**k, periods))) for k in range(3)
    ]
    cuts: list[int] = []
    stretches = [(0, side[1] - side[0])]
    while stretches:
        first, last = stretches.pop()
        if cut := _find_jump(sums, first, last, fewest_cases, cycle_length):
            cuts.append(cut + side[0])
            stretches += [(first, cut), (cut, last)]
    return sorted(cuts)


def _find_jump(sums: list[Floats], first: int, last: int, fewest_cases: float, cycle_length: int) -> int:
    """Where two stretches differ most, by Student's t of their logarithms; 0: nowhere enough."""
    cuts = np.arange(first + 1, last)
    if cycle_length > 1:
        cuts = cuts[(cuts - first) % cycle_length == 0]
    cuts = cuts[(sums[0][cuts] - sums[0][first] >= fewest_cases) & (sums[0][last] - sums[0][cuts] >= fewest_cases)]
    if not len(cuts):
        return 0
    (n, earlier_total, earlier_squares), (m, later_total, later_squares) = (
        [y[cuts] - y[first] for y in sums],
        [y[last] - y[cuts] for y in sums],
    )
    pooled_squares = earlier_squares - earlier_total**2 / n + later_squares - later_total**2 / m
    variance = np.maximum(pooled_squares, EPSILON) / np.maximum(n + m - 2, 1)
    t = np.abs(earlier_total / n - later_total / m) / np.sqrt(variance * (1 / n + 1 / m))
    return int(cuts[np.argmax(t)]) if t.max() >= JUMP_ERRORS else 0


def _neighbour_windows(
    size: Floats, stretch: PeriodBounds, fewest_cases: float, cycle_length: int
) -> list[PeriodBounds]:
    """For each period of a stretch the fewest neighbours, on both sides alike, that hold enough cases.

    At the ends of the stretch there are more of them on the other side.
    """
    first, last = stretch
    length = last - first
    cumulative_size = np.append(0.0, np.cumsum(size[first:last]))
    bounds, is_short = np.tile(np.array(stretch), (length, 1)), np.ones(length, bool)
    for width in [1, *range(cycle_length, length, cycle_length)] if cycle_length > 1 else range(1, length, 2):
        start = np.clip(np.arange(length) - (width - 1) // 2, 0, length - width)
        is_filled = is_short & (cumulative_size[start + width] - cumulative_size[start] >= fewest_cases)
        bounds[is_filled] = np.column_stack([start, start + width])[is_filled] + first
        is_short &= ~is_filled
        if not is_short.any():
            break
    return [(int(start), int(end)) for start, end in bounds]


def _window_quantiles(cases: CensoredWaits, windows: list[PeriodBounds], quantile: float) -> Floats:
    """The quantile of the logarithms in each window."""
    quantiles = {window: _quantile_in(cases, window, quantile) for window in set(windows)}
    return np.array([quantiles[window] for window in windows])


def _quantile_in(cases: CensoredWaits, bounds: PeriodBounds, quantile: float) -> float:
    """The quantile of the logarithms over some periods; NaN: not reached."""
    selection = cases.slice_of(bounds)
    log, has_ended, weight = cases.log[selection], cases.has_ended[selection], cases.weight[selection]
    if bounds[1] - bounds[0] > 1:  # within one period they are in order
        order = np.lexsort((~has_ended, log))
        log, has_ended, weight = log[order], has_ended[order], weight[order]
    return _first_below(*_survival(log, has_ended, weight), quantile)


def _survival(log: Floats, has_ended: Mask, weight: Floats) -> tuple[Floats, Floats]:
    """Kaplan and Meier's curve after each of some sorted waits."""
    at_risk = np.cumsum(weight[::-1])[::-1]
    factor = np.where(has_ended, np.maximum(1 - weight / np.maximum(at_risk, EPSILON), 0.0), 1.0)
    return log, np.cumprod(factor).astype(np.float64)


def _first_below(log: Floats, survival: Floats, quantile: float) -> float:
    """Where the curve first comes down to the rest that a quantile leaves; NaN: nowhere."""
    below = np.flatnonzero(survival <= 1 - quantile + 1e-9)
    return float(log[below[0]]) if len(below) and log[below[0]] < math.inf else math.nan


def _recentre(
    cases: CensoredWaits, size: Floats, side: PeriodBounds, windows: list[PeriodBounds], quantile: float, level: Floats
) -> Floats:
    """Levels once more, with the straight trend among neighbours taken out first.

    Where waits without any length, or open ones, leave no level that way, the first one stays.
    """
    if all(last - first < 3 for first, last in windows):
        return level
    side_cases, length = cases.of_side(side), side[1] - side[0]
    cases_within, density = (
        _cases_within(side_cases, level, length),
        _densities(side_cases, level, [(0, length)], 0.0)[0],
    )
    n = size[slice(*side)]
    z = np.where(n > 0, level + (quantile - cases_within / np.maximum(n, EPSILON)) / density, level)
    local_windows = [(first - side[0], last - side[0]) for first, last in windows]
    centre = np.array(
        [_straight_height(z, n, window, period, level[period]) for period, window in enumerate(local_windows)]
    )
    centred_cases = CensoredWaits(
        side_cases.period, side_cases.log - centre[side_cases.period], side_cases.has_ended, side_cases.weight
    )
    log = centre + _window_quantiles(centred_cases, local_windows, quantile)
    return np.where(np.isfinite(log), log, level)


def _straight_height(z: Floats, size: Floats, window: PeriodBounds, period: int, level: float) -> float:
    """The height at a period of a straight line through the response of its neighbours."""
    first, last = window
    weight = size[first:last]
    if last - first < 3 or not weight.sum():
        return level
    time = np.arange(first, last) - period
    middle, height = np.average(time, weights=weight), np.average(z[first:last], weights=weight)
    spread = (weight * (time - middle) ** 2).sum()
    if spread <= 0:
        return level
    slope = (weight * (time - middle) * (z[first:last] - height)).sum() / spread
    return float(height - slope * middle)


def _cases_within(cases: CensoredWaits, level: Floats, periods: int) -> Floats:
    """Cases within their period's level: those exactly at it by half, an open shorter one by what the others did.

    That part is (F(m) - F(c)) / (1 - F(c)), F of Kaplan and Meier over its side's cases relative to their levels, so
    that over all of them the sum is again Kaplan and Meier's (Efron 1967, the self-consistency of their curve).
    """
    distance = _level_distances(cases, level)
    share_within = np.where(distance < 0, 1.0, np.where(distance == 0, 0.5, 0.0)) * cases.has_ended
    is_open_below = ~cases.has_ended & (distance < 0)
    if is_open_below.any():
        share_within[is_open_below] = _chance_within(cases, distance, is_open_below)
    return np.bincount(cases.period, cases.weight * share_within, periods).astype(np.float64)


def _level_distances(cases: CensoredWaits, level: Floats) -> Floats:
    """How far each logarithm lies from its period's level; 0 but for rounding is 0."""
    distance: Floats = cases.log - level[cases.period]
    distance[np.abs(distance) < ROUNDING] = 0.0
    return distance


def _chance_within(cases: CensoredWaits, distance: Floats, is_open_below: Mask) -> Floats:
    """The chance that each open wait, shorter than its level so far, ends within it."""
    order = np.lexsort((~cases.has_ended, distance))
    times, curve = _survival(distance[order], cases.has_ended[order], cases.weight[order])
    curve = np.append(1.0, curve)
    so_far = curve[np.searchsorted(times, distance[is_open_below], side="right")]
    at_level = (curve[np.searchsorted(times, 0.0)] + curve[np.searchsorted(times, 0.0, side="right")]) / 2
    chance: Floats = np.clip(1 - at_level / np.maximum(so_far, EPSILON), 0.0, 1.0)
    return chance


def _densities(
    cases: CensoredWaits, level: Floats, sides: Sequence[PeriodBounds], recording_unit: float
) -> list[float]:
    """Per side the density of the logarithms at the levels; with too few cases that of all sides together."""
    shapes = [_density_sample(cases, level, side) for side in sides]
    densities = []
    for side, (distances, case_count, own_count) in zip(sides, shapes, strict=True):
        if len(distances) < FEWEST_CASES_OF_DENSITY and len(sides) > 1:
            distances = np.concatenate([shape[0] for shape in shapes])
            case_count, own_count = sum(shape[1] for shape in shapes), sum(shape[2] for shape in shapes)
        side_level = level[slice(*side)]
        median_level = math.exp(min(float(np.median(side_level[np.isfinite(side_level)])), 700.0))
        densities.append(
            density_at_zero(
                distances, case_count, own_count, math.log1p(recording_unit / median_level) if median_level > 0 else 0.0
            )
        )
    return [max(density, max(densities) / MAX_DENSITY_RATIO) for density in densities]


def _density_sample(cases: CensoredWaits, level: Floats, side: PeriodBounds) -> tuple[Floats, float, int]:
    """How far the logarithms of a side's ended waits lie from their levels, how many cases it has, and how many
    periods have a case exactly at their level, which it is made of."""
    side_cases = cases.of_side(side)
    distance = _level_distances(side_cases, level[slice(*side)])
    own_count = len(np.unique(side_cases.period[distance == 0]))
    return distance[side_cases.has_ended & np.isfinite(distance)], float(len(distance)), own_count


def density_at_zero(distances: Floats, n: float, own_count: int = 0, least_bandwidth: float = 0.0) -> float:
    """Density at 0 of n numbers, of which those that are left out lie far off, without those that stand at 0 by construction.

    A Gaussian kernel, bandwidth 1.06·A·n^(-1/5), A the smaller of the sd and the quartiles' distance / 1.349
    (Silverman 1986, equations 3.28 and 3.30).
    """
    spread = 0.0
    if len(distances) > 1:
        quartiles = np.quantile(distances, (0.25, 0.75))
        spread = float(distances.std(ddof=1))
        if quartiles[1] > quartiles[0]:
            spread = min(spread, float(quartiles[1] - quartiles[0]) / 1.349)
    bandwidth = max(1.06 * spread * max(len(distances), 1) ** -0.2, least_bandwidth, LEAST_BANDWIDTH)
    kernel = float(np.exp(-((distances / bandwidth) ** 2) / 2).sum())
    own_count = min(own_count, int(n) // 2)
    return float(max(kernel - own_count, 0.5) / (max(n - own_count, 1.0) * bandwidth * math.sqrt(2 * math.pi)))

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

from wellserved.prove.model import Floats, Mask

ENOUGH = 3.0  # cases beyond the quantile, on its rarer side, that give a level: 6 for a median, 30 for a p90
LEAST = 4.0  # the same of a whole side: with fewer nothing is said
JUMP = 5.0  # standard errors by which the logarithms of two stretches differ, so that no level is taken across
APART = 8  # cases in either stretch, at least
SHAPE = 50  # cases that give a density of their own
NARROWEST = 1e-6  # bandwidth where all cases are equal
STEEPEST = 30.0  # one side's density is at most so many times the other's
UNFIT = 0.1  # of a side's cases, in stretches without a level: with more nothing is said
EPSILON = 1e-12
ROUNDING = 1e-9  # of logarithms
UNREACHED = "too few of these waits have ended by that age"
NO_TIME = "most of these waits take no time at all"

Bounds = tuple[int, int]  # first period and the one after the last


@dataclass(frozen=True)
class Cases:
    """Waits with the period each belongs to, in order of period and length."""

    period: npt.NDArray[np.int64]
    log: Floats  # -inf: took no time; inf: has not ended, and nothing more is known
    ended: Mask  # else it is known to be longer
    weight: Floats

    def between(self, bounds: Bounds) -> slice:
        """The cases of some periods in a row."""
        first, last = np.searchsorted(self.period, bounds)
        return slice(int(first), int(last))


@dataclass(frozen=True)
class Levels:
    """What a quantile's response is made of, by period: arrays of (n,)."""

    log: Floats  # the level at which the period is linearised
    within: Floats  # cases within it, those exactly at it by half
    size: Floats
    density: Floats  # of the logarithms there; one for each side
    reason: str = ""  # why there are none
    side: int = 0  # the side of which that is said
    unreached: bool = False  # because too few of its waits have ended


def of_pieces(pieces: Sequence[tuple[Floats, Mask]], weights: Sequence[Floats] | None = None) -> Cases:
    """Cases from each period's waits, (length, ended); a length is 0 or more, or infinite."""
    period = np.repeat(np.arange(len(pieces)), [len(length) for length, _ in pieces])
    length = np.concatenate([length for length, _ in pieces]) if pieces else np.array([])
    ended = np.concatenate([ended for _, ended in pieces]) if pieces else np.array([], bool)
    weight = np.ones(len(length)) if weights is None else np.concatenate(list(weights))
    before, after = slice(0, -1), slice(1, None)
    later = (length[before] < length[after]) | ((length[before] == length[after]) & (ended[before] >= ended[after]))
    if not (later | (period[before] < period[after])).all():
        order = np.lexsort((~ended, length, period))
        period, length, ended, weight = period[order], length[order], ended[order], weight[order]
    with np.errstate(divide="ignore"):
        return Cases(period, np.log(length), ended, weight)


def levels_of(
    cases: Cases, periods: int, quantile: float, edges: Sequence[int], whole: int = 1, grain: float = 0.0
) -> Levels:
    """The level, share and density of each period.

    edges: the first period of each side but the first. whole: neighbours come in stretches of so many periods (7:
    whole weeks of days), or alone. grain: the unit in which waits are recorded, on the scale of the waits.
    """
    size = np.bincount(cases.period, cases.weight, periods).astype(np.float64)
    found = np.full(periods, np.nan)
    sides = list(pairwise([0, *edges, periods]))
    bounds = [one for one in sides if len(cases.log[cases.between(one)])]
    for side in bounds:
        place = sides.index(side)
        if reason := _too_few(cases, side, quantile):
            return Levels(found, size, size, size, reason, place)
        level, unfit = _side(cases, size, side, quantile, whole)
        if unfit:
            return Levels(found, size, size, size, unfit, place, unfit == UNREACHED)
        found[slice(*side)] = level
    within = _within(cases, found, periods)
    density = np.ones(periods)
    steep = _densities(cases, found, bounds, grain)
    for side, one in zip(bounds, steep, strict=True):
        density[slice(*side)] = one
    return Levels(found, within, size, density)


def _too_few(cases: Cases, side: Bounds, quantile: float) -> str:
    """Why a side's cases give no quantile."""
    here, rare = len(cases.log[cases.between(side)]), min(quantile, 1 - quantile)
    least = math.ceil(LEAST / rare - 1e-9)
    return f"only {here} cases can be looked at, too few for this measure; it takes {least}" if here < least else ""


def _side(cases: Cases, size: Floats, side: Bounds, quantile: float, whole: int) -> tuple[Floats, str]:
    """The level of each period of a side; or why too much of it has none."""
    rare = min(quantile, 1 - quantile)
    cuts = _jumps(cases, side, max(APART, 2 / rare), whole) if (size[slice(*side)] < ENOUGH / rare).any() else []
    stretches = list(pairwise([side[0], *cuts, side[1]]))
    windows = [window for one in stretches for window in _windows(size, one, ENOUGH / rare, whole)]
    level, unfit = _filled(cases, _of_windows(cases, windows, quantile), side, stretches, quantile)
    return (level, unfit) if unfit else (_recentred(cases, size, side, windows, quantile, level), "")


def _filled(cases: Cases, level: Floats, side: Bounds, stretches: list[Bounds], quantile: float) -> tuple[Floats, str]:
    """Levels that are not reached, or no time at all, taken from their stretch, or else from the side.

    The reason why not, where too many of the cases lie in stretches without a level.
    """
    if np.isfinite(level).all():
        return level, ""
    found = level.copy()
    lacking = {UNREACHED: 0.0, NO_TIME: 0.0}
    of_side = _quantile_in(cases, side, quantile)
    for one in stretches:
        part = slice(one[0] - side[0], one[1] - side[0])
        mine = _quantile_in(cases, one, quantile)
        if not math.isfinite(mine):
            lacking[UNREACHED if math.isnan(mine) else NO_TIME] += cases.weight[cases.between(one)].sum()
        found[part] = np.where(np.isfinite(level[part]), level[part], mine if math.isfinite(mine) else of_side)
    if not math.isfinite(of_side):
        return found, UNREACHED if math.isnan(of_side) else NO_TIME
    most = max(lacking, key=lambda reason: lacking[reason])
    return found, most if lacking[most] > UNFIT * cases.weight[cases.between(side)].sum() else ""


def _jumps(cases: Cases, side: Bounds, least: float, whole: int) -> list[int]:
    """The periods at which the measure jumps, by halving where two stretches differ most, over and over."""
    here = cases.between(side)
    finite = cases.log[here][np.isfinite(cases.log[here])]
    if len(finite) < 2:
        return []
    log = np.clip(cases.log[here], finite.min(), finite.max())
    log = log - log.mean()
    period, weight = cases.period[here] - side[0], cases.weight[here]
    sums = [
        np.append(0.0, np.cumsum(np.bincount(period, weight * log**power, side[1] - side[0]))) for power in range(3)
    ]
    found: list[int] = []
    open_ = [(0, side[1] - side[0])]
    while open_:
        first, last = open_.pop()
        if cut := _jump(sums, first, last, least, whole):
            found.append(cut + side[0])
            open_ += [(first, cut), (cut, last)]
    return sorted(found)


def _jump(sums: list[Floats], first: int, last: int, least: float, whole: int) -> int:
    """Where two stretches differ most, by Student's t of their logarithms; 0: nowhere enough."""
    inside = np.arange(first + 1, last)
    if whole > 1:
        inside = inside[(inside - first) % whole == 0]
    left, right = ([one[inside] - one[first] for one in sums], [one[last] - one[inside] for one in sums])
    fit = (left[0] >= least) & (right[0] >= least)
    if not fit.any():
        return 0
    left, right, inside = [one[fit] for one in left], [one[fit] for one in right], inside[fit]
    means = [one[1] / one[0] for one in (left, right)]
    rest = sum(one[2] - one[0] * mean**2 for one, mean in zip((left, right), means, strict=True))
    spread = np.maximum(rest, EPSILON) / (left[0] + right[0] - 2)
    t = np.abs(means[0] - means[1]) / np.sqrt(spread * (1 / left[0] + 1 / right[0]))
    place = int(np.argmax(t))
    return int(inside[place]) if t[place] >= JUMP else 0


def _windows(size: Floats, stretch: Bounds, enough: float, whole: int) -> list[Bounds]:
    """For each period of a stretch the fewest neighbours, on both sides alike, that hold enough cases.

    At the ends of the stretch there are more of them on the other side.
    """
    first, last = stretch
    length = last - first
    summed = np.append(0.0, np.cumsum(size[first:last]))
    widths = [1, *range(whole, length, whole)] if whole > 1 else [*range(1, length, 2)]
    bounds = np.tile(np.array(stretch), (length, 1))
    left = np.ones(length, bool)
    for width in widths:
        start = np.clip(np.arange(length) - (width - 1) // 2, 0, length - width)
        fit = left & (summed[start + width] - summed[start] >= enough)
        bounds[fit] = np.column_stack([start, start + width])[fit] + first
        left &= ~fit
        if not left.any():
            break
    return [(int(start), int(end)) for start, end in bounds]


def _of_windows(cases: Cases, windows: list[Bounds], quantile: float) -> Floats:
    """The quantile of the logarithms in each window."""
    known = {one: _quantile_in(cases, one, quantile) for one in set(windows)}
    return np.array([known[one] for one in windows])


def _quantile_in(cases: Cases, bounds: Bounds, quantile: float) -> float:
    """The quantile of the logarithms over some periods; NaN: not reached."""
    here = cases.between(bounds)
    log, ended, weight = cases.log[here], cases.ended[here], cases.weight[here]
    if bounds[1] - bounds[0] > 1:  # within one period they are in order
        order = np.lexsort((~ended, log))
        log, ended, weight = log[order], ended[order], weight[order]
    return _first_below(*_survival(log, ended, weight), quantile)


def _survival(log: Floats, ended: Mask, weight: Floats) -> tuple[Floats, Floats]:
    """Kaplan and Meier's curve after each of some sorted waits."""
    at_risk = np.cumsum(weight[::-1])[::-1]
    left = np.where(ended, np.maximum(1 - weight / np.maximum(at_risk, EPSILON), 0.0), 1.0)
    return log, np.cumprod(left).astype(np.float64)


def _first_below(log: Floats, surviving: Floats, quantile: float) -> float:
    below = np.flatnonzero(surviving <= 1 - quantile + 1e-9)
    return float(log[below[0]]) if len(below) and log[below[0]] < math.inf else math.nan


def _recentred(
    cases: Cases, size: Floats, side: Bounds, windows: list[Bounds], quantile: float, level: Floats
) -> Floats:
    """Levels once more, with the straight trend among neighbours taken out first.

    Where waits without any length, or open ones, leave no level that way, the first one stays.
    """
    if all(last - first < 3 for first, last in windows):
        return level
    here = cases.between(side)
    part = Cases(cases.period[here] - side[0], cases.log[here], cases.ended[here], cases.weight[here])
    length = side[1] - side[0]
    within = _within(part, level, length)
    steep = _densities(part, level, [(0, length)], 0.0)[0]
    mine = size[side[0] : side[1]]
    z = level + (quantile - within / np.maximum(mine, EPSILON)) / steep
    z = np.where(mine > 0, z, level)
    local = [(first - side[0], last - side[0]) for first, last in windows]
    centre = np.array([_straight(z, mine, one, at, level[at]) for at, one in enumerate(local)])
    level_free = Cases(part.period, part.log - centre[part.period], part.ended, part.weight)
    moved = centre + _of_windows(level_free, local, quantile)
    return np.where(np.isfinite(moved), moved, level)


def _straight(z: Floats, size: Floats, window: Bounds, at: int, level: float) -> float:
    """The height at a period of a straight line through the response of its neighbours."""
    first, last = window
    weight = size[first:last]
    if last - first < 3 or not weight.sum():
        return level
    away = np.arange(first, last) - at
    middle, height = np.average(away, weights=weight), np.average(z[first:last], weights=weight)
    spread = (weight * (away - middle) ** 2).sum()
    if spread <= 0:
        return level
    slope = (weight * (away - middle) * (z[first:last] - height)).sum() / spread
    return float(height - slope * middle)


def _within(cases: Cases, level: Floats, periods: int) -> Floats:
    """Cases within their period's level: those exactly at it by half, an open shorter one by what the others did.

    That part is (F(m) - F(c)) / (1 - F(c)), F of Kaplan and Meier over its side's cases relative to their levels, so
    that over all of them the sum is again Kaplan and Meier's (Efron 1967, the self-consistency of their curve).
    """
    away = _from(cases, level)
    part = np.where(away < 0, 1.0, np.where(away == 0, 0.5, 0.0)) * cases.ended
    shorter = ~cases.ended & (away < 0)
    if shorter.any():
        part[shorter] = _carried(cases, away, shorter)
    return np.bincount(cases.period, cases.weight * part, periods).astype(np.float64)


def _from(cases: Cases, level: Floats) -> Floats:
    """How far each logarithm lies from its period's level; 0 but for rounding is 0."""
    away = cases.log - level[cases.period]
    away[np.abs(away) < ROUNDING] = 0.0
    return away


def _carried(cases: Cases, away: Floats, shorter: Mask) -> Floats:
    """The chance that each open wait, shorter than its level so far, ends within it."""
    order = np.lexsort((~cases.ended, away))
    sorted_, surviving = _survival(away[order], cases.ended[order], cases.weight[order])
    curve = np.append(1.0, surviving)
    left = curve[np.searchsorted(sorted_, away[shorter], side="right")]
    at = (curve[np.searchsorted(sorted_, 0.0)] + curve[np.searchsorted(sorted_, 0.0, side="right")]) / 2
    found: Floats = np.clip(1 - at / np.maximum(left, EPSILON), 0.0, 1.0)
    return found


def _densities(cases: Cases, level: Floats, bounds: Sequence[Bounds], grain: float) -> list[float]:
    """Per side the density of the logarithms at the levels; with too few cases that of all sides together."""
    sides = [_away(cases, level, one) for one in bounds]
    found = []
    for (first, last), (away, n, own) in zip(bounds, sides, strict=True):
        if len(away) < SHAPE and len(sides) > 1:
            away = np.concatenate([one[0] for one in sides])
            n, own = sum(one[1] for one in sides), sum(one[2] for one in sides)
        at = math.exp(min(float(np.median(level[first:last][np.isfinite(level[first:last])])), 700.0))
        found.append(density_at(away, n, own, math.log1p(grain / at) if at > 0 else 0.0))
    return [max(one, max(found) / STEEPEST) for one in found]


def _away(cases: Cases, level: Floats, bounds: Bounds) -> tuple[Floats, float, int]:
    """How far the logarithms of a side's ended waits lie from their levels, how many cases it has, and how many
    periods have a case exactly at their level, which it is made of."""
    here = cases.between(bounds)
    away = _from(Cases(cases.period[here], cases.log[here], cases.ended[here], cases.weight[here]), level)
    own = len(np.unique(cases.period[here][away == 0]))
    return away[cases.ended[here] & np.isfinite(away)], float(len(away)), own


def density_at(away: Floats, n: float, own: int = 0, narrowest: float = 0.0) -> float:
    """Density at 0 of n numbers, of which those not given lie far off, without those that stand at 0 by construction.

    A Gaussian kernel, bandwidth 1.06·A·n^(-1/5), A the smaller of the sd and the quartiles' distance / 1.349
    (Silverman 1986, equations 3.28 and 3.30).
    """
    spread = 0.0
    if len(away) > 1:
        quartiles = np.quantile(away, (0.25, 0.75))
        spread = float(away.std(ddof=1))
        if quartiles[1] > quartiles[0]:
            spread = min(spread, float(quartiles[1] - quartiles[0]) / 1.349)
    width = max(1.06 * spread * max(len(away), 1) ** -0.2, narrowest, NARROWEST)
    summed = float(np.exp(-((away / width) ** 2) / 2).sum())
    own = min(own, int(n) // 2)
    return float(max(summed - own, 0.5) / (max(n - own, 1.0) * width * math.sqrt(2 * math.pi)))

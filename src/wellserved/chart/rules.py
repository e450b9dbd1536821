"""Rules that tell a signal from a wobble: one function a rule, one boolean a point, no judgement.

To add a rule, add one function (values, limits) -> mask and name it in a rule set.
Sources: Anhøj and Olesen, PLoS ONE 9 (2014) e113825; NHS England, Making Data Count, rules as in
NHSRplotthedots 0.2.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from wellserved.chart.limits import Floats, Limits, Mask
from wellserved.measure.interval import binomial_quantile

Rule = Callable[[Floats, Limits], Mask]
FEWEST_POINTS = 10  # useful points below which runs and crossings say nothing


@dataclass(frozen=True)
class Runs:
    """Anhøj's two statistics and their critical values."""

    longest: int
    longest_allowed: int
    crossings: int
    crossings_needed: int


def _sides(values: Floats, limits: Limits) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], Mask]:
    """Places of the useful points (off the centre line) and whether each is above it."""
    useful = np.flatnonzero(np.isfinite(values) & (values != limits.centre))
    return useful, values[useful] > limits.centre[useful]


def _run_starts(above: Mask) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.concatenate([[0], np.flatnonzero(np.diff(above)) + 1])


def runs(values: Floats, limits: Limits) -> Runs:
    """Longest run and crossings, with what chance allows: round(log2 n) + 3, and the 5% point of Binomial(n-1, 1/2)."""
    useful, above = _sides(values, limits)
    n = len(useful)
    if n < 2:
        return Runs(n, FEWEST_POINTS, 0, 0)
    starts = _run_starts(above)
    longest = int(np.diff(np.concatenate([starts, [n]])).max())
    return Runs(longest, round(math.log2(n)) + 3, len(starts) - 1, binomial_quantile(0.05, n - 1, 0.5))


def outside_limits(values: Floats, limits: Limits) -> Mask:
    """Beyond a control limit."""
    with np.errstate(invalid="ignore"):
        return np.asarray((values < limits.lower) | (values > limits.upper))


def long_run(values: Floats, limits: Limits) -> Mask:
    """Anhøj: in a run on one side of the centre that is longer than chance allows."""
    return _in_runs(values, limits, runs(values, limits).longest_allowed + 1, FEWEST_POINTS)


def few_crossings(values: Floats, limits: Limits) -> Mask:
    """Anhøj: the line crosses the centre less often than chance would; then every useful point is marked."""
    useful, _ = _sides(values, limits)
    statistics = runs(values, limits)
    mask = np.zeros(len(values), dtype=bool)
    mask[useful] = len(useful) >= FEWEST_POINTS and statistics.crossings < statistics.crossings_needed
    return mask


def seven_on_one_side(values: Floats, limits: Limits) -> Mask:
    """NHS: in a run of seven or more on one side of the centre."""
    return _in_runs(values, limits, 7, 7)


def seven_in_a_trend(values: Floats, limits: Limits) -> Mask:
    """NHS: among seven or more points in a row that all rise, or all fall."""
    mask = np.zeros(len(values), dtype=bool)
    positions = np.flatnonzero(np.isfinite(values))
    steps = np.sign(np.diff(values[positions]))
    for start in range(len(steps) - 5):
        window = steps[start : start + 6]
        if window[0] != 0 and np.all(window == window[0]):
            mask[positions[start : start + 7]] = True
    return mask


def two_of_three(values: Floats, limits: Limits) -> Mask:
    """NHS: two of three in a row between two thirds of the limit and the limit, all three on that side of the centre."""
    mask = np.zeros(len(values), dtype=bool)
    positions = np.flatnonzero(np.isfinite(values))
    for side, line in ((1, limits.upper), (-1, limits.lower)):
        far = limits.centre + 2 / 3 * (line - limits.centre)
        for window in (positions[start : start + 3] for start in range(len(positions) - 2)):
            distance = side * (values - limits.centre)
            near_limit = (distance > side * (far - limits.centre)) & (side * (values - line) <= 0)
            if np.all(distance[window] > 0) and near_limit[window].sum() >= 2:
                mask[window[near_limit[window]]] = True
    return mask


def _in_runs(values: Floats, limits: Limits, length: int, min_points: int) -> Mask:
    useful, above = _sides(values, limits)
    mask = np.zeros(len(values), dtype=bool)
    if len(useful) < min_points:
        return mask
    for run in np.split(useful, _run_starts(above)[1:]):
        if len(run) >= length:
            mask[run] = True
    return mask


RULES: Final[dict[str, tuple[Rule, str]]] = {
    "outside": (outside_limits, "beyond a control limit"),
    "long_run": (long_run, "a run on one side of the centre longer than chance allows"),
    "few_crossings": (few_crossings, "the centre line crossed less often than chance would"),
    "seven_on_one_side": (seven_on_one_side, "seven or more in a row on one side of the centre"),
    "seven_in_a_trend": (seven_in_a_trend, "seven or more in a row rising, or falling"),
    "two_of_three": (two_of_three, "two of three in a row near one limit"),
}
"""Every rule by name, with what it found in words."""

RULE_SETS: Final[dict[str, tuple[str, ...]]] = {
    "anhoej": ("outside", "long_run", "few_crossings"),
    "nhs": ("outside", "seven_on_one_side", "seven_in_a_trend", "two_of_three"),
}

"""The median and other quantiles of waits, open ones counted as still waiting: Kaplan-Meier, with Greenwood's interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from wellserved.measure.interval import Z, quantile_ranks

MEDIAN = 0.5
NOT_REACHED = 1 << 60  # epoch second, or packed duration, of what has not come
_ROUNDING = 1e-12  # what a product of many factors may be off
DurationArray = npt.NDArray[np.signedinteger[Any]]  # of 32 bits or of 64


def duration_quantile(
    waits: npt.NDArray[np.int64], is_ended: npt.NDArray[np.bool_], p: float
) -> tuple[float, float, float]:
    """The time within which the share p of all has ended, with its 95% interval; infinite where not reached.

    waits: seconds to the end, or to now where `is_ended` is false. Kaplan and Meier, JASA 53 (1958) 457-481.
    The median lies half-way between two ends where the curve is exactly a half from the one to the other, as R's
    survfit prints it: without open waits, the mean of the two in the middle of an even number.
    Where no wait still running is shorter than the upper bound, this is plain order statistics; else the
    interval inverts Greenwood's on the log(-log) scale (Kalbfleisch and Prentice 1980, section 1.3), as
    R's survfit(conf.type = "log-log") does; like there, a curve that ends at zero bounds nothing from above.
    """
    packed_durations = waits * 2 + ~is_ended
    packed_durations.sort()
    return packed_duration_quantile(packed_durations, p)


def packed_duration_quantile(packed_durations: DurationArray, p: float) -> tuple[float, float, float]:
    """As `duration_quantile`, from sorted durations packed in one array: twice the seconds, and one more where the wait goes on.

    So sorted, at one time the ends come before the waits that go on.
    """
    n = len(packed_durations)
    point, low, high = quantile_ranks(n, p)
    first_open = _first_open(packed_durations, high)
    if high <= first_open or first_open == n:
        bound = float(packed_durations[high - 1] >> 1) if high <= n else math.inf
        value = float(packed_durations[point - 1] >> 1)
        if p == MEDIAN and n % 2 == 0:
            value = _midpoint(value, float(packed_durations[point] >> 1))
        return (value, float(packed_durations[max(low, 1) - 1] >> 1), bound)
    # The curve is asked only about the ranks around p; open cases can but move its crossings onwards.
    margin = 6 * math.sqrt(n * p * (1 - p)) + 10
    start = _time_start(packed_durations, max(int(low - margin), 0))
    stop = n
    if n > 10 * margin:
        stop = _time_end(packed_durations, _position_of_end(packed_durations, math.ceil(high + margin)))
    estimate = _kaplan_meier(packed_durations, start, stop, p)
    is_early = start > 0 and estimate[1] <= packed_durations[start] >> 1
    is_cut_off = stop < n and not (math.isfinite(estimate[0]) and math.isfinite(estimate[2]))
    return _kaplan_meier(packed_durations, 0, n, p) if is_early or is_cut_off else estimate


def _first_open(packed_durations: DurationArray, high: int) -> int:
    """Position of the first wait that goes on; the length where all have ended. The first ranks are asked first."""
    n = len(packed_durations)
    for first, last in ((0, min(high, n)), (min(high, n), n)):
        offset = (packed_durations[first:last] & 1).argmax() if last > first else 0
        if last > first and packed_durations[first + offset] & 1:
            return first + int(offset)
    return n


def _position_of_end(packed_durations: DurationArray, ends: int) -> int:
    """The position of the wait with which so many have ended; the length where fewer have."""
    position = 0
    while position < len(packed_durations):
        chunk = packed_durations[position : position + max(ends, 65_536)]
        end_count = len(chunk) - int(np.count_nonzero(chunk & 1))
        if end_count >= ends:
            return position + int(np.searchsorted(np.cumsum(1 - (chunk & 1)), ends))
        ends, position = ends - end_count, position + len(chunk)
    return len(packed_durations)


def _time_start(packed_durations: DurationArray, position: int) -> int:
    """The position at which the time of this position begins."""
    return int(np.searchsorted(packed_durations, packed_durations[position] >> 1 << 1))


def _time_end(packed_durations: DurationArray, position: int) -> int:
    """The position at which the time of this position is over; the end stays the end."""
    return (
        int(np.searchsorted(packed_durations, packed_durations[position] | 1, side="right"))
        if position < len(packed_durations)
        else len(packed_durations)
    )


def _kaplan_meier(packed_durations: DurationArray, start: int, stop: int, p: float) -> tuple[float, float, float]:
    """From the part of the sorted waits that holds the answer.

    Of n waits that all end, (n - k) / n survive the first k, with Greenwood's sum 1 / (n - k) - 1 / n; where the one
    at position c goes on instead, its factor (n - c - 1) / (n - c) and its 1 / (n - c - 1) - 1 / (n - c) are left out.
    """
    n, section = len(packed_durations), packed_durations[start:stop]
    times = section >> 1
    last_positions = np.flatnonzero(np.append(times[1:] != times[:-1], True))  # last wait of each time
    ends_so_far = np.cumsum(1 - (section & 1))[last_positions]
    ends = np.diff(ends_so_far, prepend=0)
    at_risk = (n - start - np.append(0, last_positions[:-1] + 1)).astype(float)
    open_positions = np.flatnonzero(packed_durations[:start] & 1)  # positions of those before that go on
    open_at_risk = (n - open_positions).astype(float)  # at risk then, themselves counted
    start_survival = (n - start) / n * np.prod(open_at_risk / (open_at_risk - 1))
    start_greenwood = start / (n * (n - start)) - np.sum(1 / (open_at_risk * (open_at_risk - 1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = start_survival * np.cumprod(1 - ends / at_risk)
        greenwood = start_greenwood + np.cumsum(ends / (at_risk * (at_risk - ends)))
        has_end = ends > 0
        times, survival, greenwood = times[last_positions][has_end], survival[has_end], greenwood[has_end]
        exponent = np.exp(Z * np.sqrt(greenwood) / np.abs(np.log(survival)))
    return (
        _median(survival, times, stop < n) if p == MEDIAN else _first_below(survival, times, p),
        _first_below(np.where(survival > 0, survival**exponent, 0.0), times, p),
        _first_below(np.where(survival > 0, survival ** (1 / exponent), 1.0), times, p),  # at zero: no upper end
    )


def _median(curve: npt.NDArray[Any], times: npt.NDArray[np.int64], has_later_ends: bool) -> float:
    """The time of the first end that leaves less than half; from one that leaves exactly half, half-way to the next end.

    `has_later_ends`: there are later ends, which are not in this part of the curve. Where no end follows at all, the first time
    at which half is left is the last thing known.
    """
    low_indices = np.flatnonzero(curve <= 1 - MEDIAN + _ROUNDING)
    if not len(low_indices):
        return math.inf
    index = low_indices[0]
    if curve[index] < 1 - MEDIAN - _ROUNDING:
        return float(times[index])
    if index + 1 == len(times):
        return math.inf if has_later_ends else float(times[index])
    return _midpoint(float(times[index]), float(times[index + 1]))


def _midpoint(value: float, later: float) -> float:
    """Between two ends; where the later one never comes, the first is the last thing known."""
    return (value + later) / 2 if later < NOT_REACHED >> 1 else value


def _first_below(curve: npt.NDArray[Any], times: npt.NDArray[np.int64], p: float) -> float:
    low_indices = np.flatnonzero(curve <= 1 - p + _ROUNDING)
    return float(times[low_indices[0]]) if len(low_indices) else math.inf

"""From what to what, and within what time: the periods that a claim is about, chosen by rule so that nobody picks them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from wellserved.errors import ClaimRefusedError
from wellserved.moments import Granularity, month_start
from wellserved.wording import format_date, plural

LEAST_PERIODS: Final = 3  # on either side of the change
MONTHS_BEFORE: Final = 12
DAYS_PER_MONTH: Final = 30.4375
MAX_DISTANCE_GAIN: Final = 0.1  # how much wider rounding may make the distance of the two ranges
_DURATION_UNITS: Final = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0), ("seconds", 1.0))


@dataclass(frozen=True)
class ClaimPeriod:
    """A month or quarter of a measure."""

    start: date
    end: date  # first day after it
    n: int  # cases
    value: float | None  # seconds of a wait, else in the measure's unit; None: there is no number


@dataclass(frozen=True)
class DisplayUnit:
    """What values are said in: a value is `size` times as many of them."""

    name: str  # days, hours, minutes, seconds, %, or points
    size: float
    digits: int = 0  # after the point
    has_zero: bool = True  # nothing is nothing, so that there is a ratio

    def round(self, value: float) -> Decimal:
        """The value in this unit, rounded half away from zero."""
        step = Decimal(1).scaleb(-self.digits)
        return Decimal(repr(value / self.size)).quantize(step, ROUND_HALF_UP)


@dataclass(frozen=True)
class ClaimWindows:
    """What a measure was before a change, what it has become, and by when."""

    granularity: Granularity  # month or quarter
    before: tuple[ClaimPeriod, ...]
    after: tuple[ClaimPeriod, ...]
    unit: DisplayUnit
    months: int  # from the change to the end of the first period that was as it is now

    @property
    def periods(self) -> tuple[ClaimPeriod, ...]:
        """Both sides."""
        return *self.before, *self.after

    def ends(self, periods: Sequence[ClaimPeriod]) -> tuple[float, float]:
        """The smallest and the largest value of some of the periods."""
        values = [period.value for period in periods if period.value is not None]
        return min(values), max(values)

    @property
    def rounded_before(self) -> tuple[Decimal, Decimal]:
        """The range before, as it is said."""
        low, high = self.ends(self.before)
        return self.unit.round(low), self.unit.round(high)

    @property
    def rounded_after(self) -> tuple[Decimal, Decimal]:
        """The range after, as it is said."""
        low, high = self.ends(self.after)
        return self.unit.round(low), self.unit.round(high)

    @property
    def ratio(self) -> tuple[float, float] | None:
        """By how much it fell, or rose, as a part of what it was: at least, and at most; None: of nothing, or of less."""
        (low_before, high_before), (low_after, high_after) = self.ends(self.before), self.ends(self.after)
        if low_before <= 0 or low_after < 0:
            return None
        if high_after < low_before:
            return 1 - high_after / low_before, 1 - low_after / high_before
        return low_after / high_before - 1, high_after / low_before - 1


def choose_windows(
    months: Sequence[ClaimPeriod],
    quarters: Sequence[ClaimPeriod],
    change: date,
    last_mature_day: date,
    minimum_n: int,
    units: Sequence[DisplayUnit],
    lower_is_better: bool,
) -> ClaimWindows:
    """The windows of a claim; raises `ClaimRefusedError` with the reason where the record carries none.

    `months`, `quarters`: the measure by month and by quarter, in order. `last_mature_day`: the day before which a period
    has to end so that its cases have had the time to tell. `units`: from large to small; the first counts in which the
    smallest end is at least 1.

    Months where each has `minimum_n` cases, else quarters. Before: all whole ones of the twelve months before the
    change. After: the whole, mature ones that begin after it; they count from the first on from which all round into the
    range of the last three, so that a change that takes its time is told as it is now, with the time that it took.
    """
    reasons = []
    sides: tuple[tuple[Granularity, Sequence[ClaimPeriod]], ...] = (("month", months), ("quarter", quarters))
    for granularity, periods in sides:
        before, after = _sides(periods, change, last_mature_day)
        if reason := _reason_against(before, after, granularity, minimum_n):
            reasons.append(reason)
            continue
        windows = _windows(granularity, before, after, change, units)
        _check_distance(windows, lower_is_better)
        return windows
    raise ClaimRefusedError(f"Nothing can be claimed yet: {reasons[0]}.", "Look again when there is more to tell.")


def _sides(
    periods: Sequence[ClaimPeriod], change: date, last_mature_day: date
) -> tuple[list[ClaimPeriod], list[ClaimPeriod]]:
    """Whole periods before the change, within a year of it, and mature ones that begin after it."""
    first_day = month_start(change, -MONTHS_BEFORE)  # the change's own month is mixed: twelve whole ones before it
    before = [period for period in periods if first_day <= period.start and period.end <= change]
    after = [period for period in periods if change <= period.start and period.end <= last_mature_day]
    return before, after


def _reason_against(
    before: Sequence[ClaimPeriod], after: Sequence[ClaimPeriod], granularity: str, minimum_n: int
) -> str:
    """Why these periods carry no claim; empty: they do."""
    for periods, side in ((before, "before the change"), (after, "since the change")):
        if len(periods) < LEAST_PERIODS:
            return f"{plural(len(periods), f'whole {granularity}')} {side}; three are needed"
        fewest = min(periods, key=lambda period: period.n)
        if fewest.n < minimum_n:
            return f"{plural(fewest.n, 'case')} in the {granularity} from {format_date(fewest.start)}; {minimum_n} are needed"
        if any(period.value is None for period in periods):
            return f"a {granularity} {side} has no number yet"
    return ""


def _windows(
    granularity: Granularity,
    before: Sequence[ClaimPeriod],
    after: Sequence[ClaimPeriod],
    change: date,
    units: Sequence[DisplayUnit],
) -> ClaimWindows:
    newest = after[-LEAST_PERIODS:]
    smallest = min(abs(period.value or 0.0) for period in (*before, *newest))
    unit = next((unit for unit in units if smallest >= unit.size), units[-1])
    values = [unit.round(period.value or 0.0) for period in newest]
    first = len(after) - LEAST_PERIODS
    while first and min(values) <= unit.round(after[first - 1].value or 0.0) <= max(values):
        first -= 1
    months = math.ceil((after[first].end - change).days / DAYS_PER_MONTH)
    return ClaimWindows(granularity, tuple(before), tuple(after[first:]), unit, months)


def _check_distance(windows: ClaimWindows, lower_is_better: bool) -> None:
    """Raise where the ranges touch, lie the wrong way round, or seem further apart than they are."""
    (low_before, high_before), (low_after, high_after) = windows.ends(windows.before), windows.ends(windows.after)
    rounded_before, rounded_after = windows.rounded_before, windows.rounded_after
    if lower_is_better:
        distance, rounded_distance = low_before - high_after, rounded_before[0] - rounded_after[1]
    else:
        distance, rounded_distance = low_after - high_before, rounded_after[0] - rounded_before[1]
    advice = "The verdict still says what changed on average, with its interval."
    if rounded_distance <= 0 or distance <= 0:
        ranges = f"{range_words(rounded_before)} and {range_words(rounded_after)} {windows.unit.name}"
        raise ClaimRefusedError(f"The {windows.granularity}s before and after overlap: {ranges}.", advice)
    if float(rounded_distance) * windows.unit.size > (1 + MAX_DISTANCE_GAIN) * distance:
        raise ClaimRefusedError("Rounded, the change would seem larger than it is.", advice)


def range_words(ends: tuple[Decimal, Decimal]) -> str:
    """12-15; 3, where both ends are; -8 to -5."""
    if ends[0] == ends[1]:
        return f"{ends[0]:,}"
    return f"{ends[0]:,}{' to ' if ends[0] < 0 else '-'}{ends[1]:,}"


def duration_units(clock: str) -> tuple[DisplayUnit, ...]:
    """What waits are said in; values in seconds. Opening hours make no days: nobody knows how long one would be."""
    if clock == "business":
        return tuple(DisplayUnit(f"opening {name}", size) for name, size in _DURATION_UNITS[1:])
    return tuple(DisplayUnit(name, size) for name, size in _DURATION_UNITS)


PERCENT: Final = (DisplayUnit("%", 0.01),)
"""What shares are said in."""


def mean_units(name: str) -> tuple[DisplayUnit, ...]:
    """What means are said in: one digit after the point."""
    return (DisplayUnit(name, 1.0, digits=1, has_zero=name != "points"),)

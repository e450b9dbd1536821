"""Numbers, dates and verdicts as plain words: what a boss reads. Rounded here, in full digits everywhere else."""

from __future__ import annotations

from datetime import date

from wellserved.measure.definition import Measure
from wellserved.measure.series import Value
from wellserved.moments import Every, NotComputed, Period


def number(value: float) -> str:
    """1234567 as 1,234,567; 12.345 as 12.3."""
    if (float(value).is_integer() and abs(value) < 1e15) or abs(value) >= 1000:
        return f"{round(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def percent(value: float, digits: int = 1) -> str:
    """0.2418 as 24.2%."""
    return f"{value:.{digits}%}"


def amount(value: Value, measure: Measure) -> str:
    """A number in its measure's unit."""
    if isinstance(value, NotComputed):
        return str(value)
    if measure.unit == "share":
        return percent(value)
    return f"{number(value)} {measure.unit}"


def between(low: Value, high: Value, measure: Measure) -> str:
    """A 95% interval."""
    if isinstance(low, NotComputed):
        return ""
    if measure.unit == "share":
        start, end = percent(low), high if isinstance(high, NotComputed) else percent(high)
    else:
        start, end = number(low), high if isinstance(high, NotComputed) else number(high)
    return f"95% interval {start} and up" if isinstance(high, NotComputed) else f"95% interval {start} to {end}"


def day(value: date) -> str:
    """3 March 2015."""
    return f"{value.day} {value:%B %Y}"


def period_name(period: Period, every: Every) -> str:
    """December 2015; the week of 7 December 2015; 3 March 2015; the quarter from October 2015; 2015."""
    if every == "month":
        return f"{period.start:%B %Y}"
    if every == "week":
        return f"the week of {day(period.start)}"
    if every == "quarter":
        return f"the quarter from {period.start:%B %Y}"
    if every == "year":
        return period.label
    return day(period.start)


def plural(count: int, one: str, many: str | None = None) -> str:
    """3 cases, 1 case."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"

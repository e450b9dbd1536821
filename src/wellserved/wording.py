"""Numbers, dates and verdicts as plain words: what a boss reads. Rounded here, in full digits everywhere else."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from wellserved.moments import Granularity, NotComputable, Period


def format_number(value: float) -> str:
    """1234567 as 1,234,567; 12.345 as 12.3."""
    if (float(value).is_integer() and abs(value) < 1e15) or abs(value) >= 1000:
        return f"{round(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def format_percent(value: float, digits: int = 1) -> str:
    """0.2418 as 24.2%."""
    return f"{value:.{digits}%}"


def format_value(value: float | NotComputable, unit: str) -> str:
    """A number in its unit: a share, or a word such as "hours"."""
    if isinstance(value, NotComputable):
        return str(value)
    if unit == "share":
        return format_percent(value)
    return f"{format_number(value)} {unit}"


def format_interval(low: float | NotComputable, high: float | NotComputable, unit: str) -> str:
    """A 95% interval."""
    if isinstance(low, NotComputable):
        return ""
    if unit == "share":
        start, end = format_percent(low), high if isinstance(high, NotComputable) else format_percent(high)
    else:
        start, end = format_number(low), high if isinstance(high, NotComputable) else format_number(high)
    return f"95% interval {start} and up" if isinstance(high, NotComputable) else f"95% interval {start} to {end}"


def format_date(value: date) -> str:
    """3 March 2015."""
    return f"{value.day} {value:%B %Y}"


def period_name(period: Period, granularity: Granularity) -> str:
    """December 2015; the week of 7 December 2015; 3 March 2015; the quarter from October 2015; 2015."""
    if granularity == "month":
        return f"{period.start:%B %Y}"
    if granularity == "week":
        return f"the week of {format_date(period.start)}"
    if granularity == "quarter":
        return f"the quarter from {period.start:%B %Y}"
    if granularity == "year":
        return period.label
    return format_date(period.start)


_SINGULAR_FORMS: Final = (  # what an import says of many, said of one
    (r"^rows have", "row has"),
    (r"^(due time|date|stamp|moment|case number|case|further such date)s\b", r"\1"),
    (" stand for “no date” and were taken", " stands for “no date” and was taken"),
    (" stand for several", " stands for several"),
    (" name midnight and were read", " names midnight and was read"),
    (r" are written (?=.*, most are written)", " is written "),
    (" lie before every", " lies before every"),
    ("^date that contradict", "date that contradicts"),
    ("^(further such date.*) were taken", r"\1 was taken"),
    ("they stay closed", "it stays closed"),
)


def format_note(count: int, note: str) -> str:
    """A note of an import with its number: "3 rows have ...", "1 row has ..."."""
    if count == 1:
        for plural_pattern, singular in _SINGULAR_FORMS:
            note = re.sub(plural_pattern, singular, note)
    return f"{format_number(count)} {note}"


def plural(count: int, singular: str, plural_form: str | None = None) -> str:
    """3 cases, 1 case."""
    return f"{format_number(count)} {singular if count == 1 else plural_form or singular + 's'}"

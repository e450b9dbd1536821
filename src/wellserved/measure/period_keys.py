"""Periods as integers, as they come from SQL: a day number, or yyyymm."""

from __future__ import annotations

from datetime import date

from wellserved.moments import Granularity, Period, day_of, period_of


def period_key_sql(date_basis: str, granularity: Granularity | None) -> str:
    """SQL: the period that a case belongs to, in integers: a day number, or yyyymm."""
    if granularity is None:
        return "0"
    if granularity == "day":
        return f"{date_basis}_day"
    if granularity == "week":  # 1970-01-01 was a Thursday; 700003 keeps the remainder positive
        return f"{date_basis}_day - (({date_basis}_day + 700003) % 7)"
    if granularity == "month":
        return f"{date_basis}_month"
    if granularity == "year":  # by its January
        return f"{date_basis}_month - (({date_basis}_month % 100) - 1)"
    return f"{date_basis}_month - (({date_basis}_month % 100 - 1) % 3)"


def period_of_key(key: int, granularity: Granularity) -> Period:
    """The period that a key names."""
    if granularity in ("day", "week"):
        return period_of(day_of(key), granularity)
    return period_of(date(key // 100, key % 100, 1), granularity)


def period_start(key: int, granularity: Granularity) -> date:
    """The first day of the period that a key names."""
    return period_of_key(key, granularity).start


def key_of_period(period: Period | None, granularity: Granularity | None) -> int:
    """The key of a period; 0: all time is one."""
    if period is None or granularity is None:
        return 0
    if granularity in ("day", "week"):
        return period.first_day
    return period.start.year * 100 + period.start.month

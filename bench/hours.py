"""Other ways to count business seconds: office hours of Berlin with its public holidays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import business_duration
import businesstimedelta
import holidays
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytz

OFFICE = """
[[calendar]]
name = "office"
hours = { mon-fri = "09:00-17:00" }
holidays = ["DE-BE"]
"""
BERLIN = ZoneInfo("Europe/Berlin")
CLOSED = holidays.country_holidays("DE", subdiv="BE", years=range(2023, 2027))
Seconds = npt.NDArray[np.int64]
OPEN, CLOSE = 9 * 3600, 17 * 3600


def _local(seconds: Seconds) -> list[datetime]:
    return [datetime.fromtimestamp(int(second), BERLIN) for second in seconds]


def numpy_busday(starts: Seconds, ends: Seconds) -> npt.NDArray[Any]:
    """pandas for the zone, numpy's busday_count for the days, clipping for the rest: wall clock throughout."""
    days = np.array(sorted(CLOSED), dtype="datetime64[D]")

    def parts(seconds: Seconds) -> tuple[Any, Any]:
        wall = (
            pd.to_datetime(seconds, unit="s", utc=True)
            .tz_convert("Europe/Berlin")
            .tz_localize(None)
            .to_numpy()
            .astype("datetime64[s]")
        )
        day = wall.astype("datetime64[D]")
        return day, np.clip((wall - day).astype(np.int64), OPEN, CLOSE) - OPEN

    (first, came), (last, went) = parts(starts), parts(ends)
    whole = np.busday_count(first, last, holidays=days) * (CLOSE - OPEN)
    found: npt.NDArray[Any] = (
        whole + went * np.is_busday(last, holidays=days) - came * np.is_busday(first, holidays=days)
    )
    return found


def by_businesstimedelta(starts: Seconds, ends: Seconds) -> npt.NDArray[Any]:
    """businesstimedelta 1.0: a rule object and a holiday rule."""
    zone = pytz.timezone("Europe/Berlin")  # it knows no other kind
    work = businesstimedelta.WorkDayRule(start_time=time(9), end_time=time(17), working_days=[0, 1, 2, 3, 4], tz=zone)
    rules = businesstimedelta.Rules([work, businesstimedelta.HolidayRule(CLOSED, tz=zone)])
    found = []
    for start, end in zip(_local(starts), _local(ends), strict=True):
        gone = rules.difference(start, end)
        found.append(gone.hours * 3600 + gone.seconds)
    return np.array(found)


def by_business_duration(starts: Seconds, ends: Seconds) -> npt.NDArray[Any]:
    """business-duration 0.68: naive local stamps, one call a pair."""
    return np.array(
        [
            business_duration.businessDuration(
                start.replace(tzinfo=None), end.replace(tzinfo=None), time(9), time(17), holidaylist=CLOSED, unit="sec"
            )
            for start, end in zip(_local(starts), _local(ends), strict=True)
        ],
        dtype=float,
    )


def by_walking_days(starts: Seconds, ends: Seconds) -> npt.NDArray[Any]:
    """Plain Python, a day at a time."""
    found = []
    for start, end in zip(_local(starts), _local(ends), strict=True):
        total, day = 0.0, start.date()
        while day <= end.date():
            if day.weekday() < 5 and day not in CLOSED:
                opens, closes = (datetime.combine(day, time(hour), BERLIN).timestamp() for hour in (9, 17))
                total += max(min(closes, end.timestamp()) - max(opens, start.timestamp()), 0)
            day = date.fromordinal(day.toordinal() + 1)
        found.append(total)
    return np.array(found)


PEERS: Mapping[str, tuple[Callable[[Seconds, Seconds], npt.NDArray[Any]], int]] = {
    "pandas zone + numpy busday_count": (numpy_busday, 1_000_000),
    "plain Python, day by day": (by_walking_days, 5_000),
    "business-duration": (by_business_duration, 2_000),
    "businesstimedelta": (by_businesstimedelta, 500),
}

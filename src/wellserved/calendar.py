"""Opening hours: several spans a day, half days, holidays, daylight saving; exact to the second.

The rule is one sentence: the service is open at an instant if the wall clock of the calendar's zone shows,
at that instant, a time within the hours of that day. Where the clock jumps, the hours jump with it: an hour
that does not exist is not open, an hour that comes twice is open twice.

calendars.toml in the workspace:

[[calendar]]
name = "office"
zone = "Europe/Berlin"                 # without it: the workspace's
from = 2024-01-01                      # several blocks of one name, each valid from a day on; the first also before it
hours = { mon-fri = "09:00-12:30, 13:30-17:00", sat = "10:00-14:00" }
holidays = ["DE-BE"]                   # country, or country and subdivision, by their ISO codes: closed
days = { 2024-12-24 = "09:00-12:00", 2024-12-27 = "closed" }   # own days; they win over holidays

[[use]]                                # the first that fits counts; cases that none fits have the first calendar
calendar = "office"
team = ["Front desk"]                  # or service, or both
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from wellserved.errors import CalendarError, RequestError
from wellserved.moments import check_zone, day_number, day_of

SECONDS_PER_DAY = 86_400
ORIGIN = date(2000, 1, 1)
SecondsArray = npt.NDArray[np.int64]
Span = tuple[int, int]  # seconds of the local day, half-open
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?\s*[-–]\s*(\d{1,2}):(\d\d)(?::(\d\d))?")


@dataclass(frozen=True)
class Hours:
    """The hours of a calendar from a local day on."""

    since: date
    week: tuple[tuple[Span, ...], ...]  # Monday first
    closed: frozenset[date]  # holidays
    days: Mapping[date, tuple[Span, ...]]  # own days

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """The spans of one local day."""
        if day in self.days:
            return self.days[day]
        return () if day in self.closed else self.week[day.weekday()]


@dataclass(frozen=True)
class Calendar:
    """Opening hours under one name; each version counts until the next begins."""

    name: str
    zone: str
    versions: tuple[Hours, ...]

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """The spans of one local day."""
        index = bisect_right([hours.since for hours in self.versions], day) - 1
        return self.versions[max(index, 0)].spans_on(day)


@dataclass(frozen=True)
class Use:
    """Whose cases a calendar is for; an empty side fits all."""

    calendar: str
    teams: tuple[str, ...]
    services: tuple[str, ...]


@dataclass(frozen=True)
class Calendars:
    """All calendars of a workspace. Without any there is calendar time alone."""

    calendars: tuple[Calendar, ...] = ()
    uses: tuple[Use, ...] = ()
    fingerprint: str = ""

    def calendar_for(self, team: str | None, service: str | None) -> Calendar | None:
        """The calendar for a team and a service."""
        for assignment in self.uses:
            if (not assignment.teams or team in assignment.teams) and (
                not assignment.services or service in assignment.services
            ):
                return next(calendar for calendar in self.calendars if calendar.name == assignment.calendar)
        return self.calendars[0] if self.calendars else None

    @property
    def single(self) -> Calendar | None:
        """The calendar of all cases, where they share one."""
        names = (
            {self.calendars[0].name, *(assignment.calendar for assignment in self.uses)} if self.calendars else set()
        )
        return self.calendars[0] if len(names) == 1 else None


class Clock:
    """Business seconds of one calendar between two days, as a running sum by day.

    `at(t)` is the number of open seconds from the start of 2000 to an instant, negative before; the open
    time between two instants is the difference, so that it is exact, adds up and is never negative.
    """

    def __init__(self, calendar: Calendar, first: date, last: date) -> None:
        self.first, self.last = day_number(min(first, ORIGIN)) - 1, day_number(max(last, ORIGIN)) + 1
        self.starts, self.ends = _openings(calendar, self.first * SECONDS_PER_DAY, (self.last + 1) * SECONDS_PER_DAY)
        self.before, self.opens, self.closes = _by_day(self.starts, self.ends, self.first, self.last)
        origin = int(self.open_seconds_at(np.array([day_number(ORIGIN) * SECONDS_PER_DAY]))[0])
        self.before -= origin
        self._run = np.concatenate([[0], np.cumsum(self.ends - self.starts)]) - origin

    def open_seconds_at(self, seconds: SecondsArray) -> SecondsArray:
        """Open seconds from the first day to each instant (epoch seconds)."""
        day = seconds // SECONDS_PER_DAY
        day_index = day - self.first
        if len(day_index) and (day_index.min() < 0 or day_index.max() >= len(self.before)):
            raise RequestError(
                f"The opening hours were worked out from {day_of(self.first)} to {day_of(self.last)} only.",
                "Ask about dates within that.",
            )
        second_of_day = seconds - day * SECONDS_PER_DAY
        open_seconds = self.before[day_index]
        for opens, closes in zip(self.opens, self.closes, strict=True):
            open_seconds = open_seconds + np.maximum(np.minimum(second_of_day, closes[day_index]) - opens[day_index], 0)
        return open_seconds

    def instant_after(self, start: int, seconds: int) -> int:
        """The instant at which so many open seconds have passed since `start`: when something falls due."""
        target = int(self.open_seconds_at(np.array([start]))[0]) + seconds
        index = int(np.searchsorted(self._run, target, side="left")) - 1
        if seconds <= 0 or not 0 <= index < len(self.starts):
            return self._beyond_hours(start, seconds)
        return int(self.starts[index]) + target - int(self._run[index])

    def instant_before(self, end: int, seconds: int) -> int:
        """The latest instant from which so many open seconds pass until `end`."""
        target = int(self.open_seconds_at(np.array([end]))[0]) - seconds
        index = int(np.searchsorted(self._run, target, side="right")) - 1
        if seconds <= 0 or not 0 <= index < len(self.starts):
            return self._beyond_hours(end, seconds)
        return int(self.starts[index]) + target - int(self._run[index])

    def _beyond_hours(self, instant: int, seconds: int) -> int:
        if seconds == 0:
            return instant
        if seconds < 0:
            raise RequestError("A number of business seconds cannot be negative.", "Ask the other way round.")
        raise RequestError(
            f"There are not so many opening hours from {day_of(self.first)} to {day_of(self.last)}.",
            "Check the hours in calendars.toml.",
        )


def _offsets(zone: str, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Spans of epoch seconds in which the zone's offset from UTC stays the same, with that offset."""
    zone_info = ZoneInfo(zone)

    def offset(second: int) -> int:
        shift = datetime.fromtimestamp(second, UTC).astimezone(zone_info).utcoffset()
        return int(shift.total_seconds()) if shift is not None else 0

    start, current = first, offset(first)
    for step in range(first, last, SECONDS_PER_DAY // 2):
        end = min(step + SECONDS_PER_DAY // 2, last)
        later = offset(end)
        if later != current:
            low, high = step, end  # the change lies in (low, high]
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == current else (low, middle)
            yield start, high, current
            start, current = high, later
    yield start, last, current


def wall_clock(seconds: SecondsArray, zone: str) -> SecondsArray:
    """What the zone's wall clock shows at epoch seconds: seconds since its own 1970-01-01 00:00:00.

    A day's offset is looked up at both its ends, and its change sought only where they differ.
    """
    if zone == "UTC" or not len(seconds):
        return seconds
    day = seconds // SECONDS_PER_DAY
    first = int(day.min())
    present = np.zeros(int(day.max()) - first + 2, dtype=np.bool_)
    present[day - first] = True
    before = np.zeros(len(present), dtype=np.int64)
    after, change = before.copy(), before.copy()
    for index in np.flatnonzero(present).tolist():
        start = min(max((first + index) * SECONDS_PER_DAY, _EARLIEST), _LATEST)
        *earlier, (change[index], _, after[index]) = _offsets(zone, start, start + SECONDS_PER_DAY)
        before[index] = earlier[0][2] if earlier else after[index]
    day -= first
    wall_seconds: SecondsArray = seconds + np.where(seconds < change[day], before[day], after[day])
    return wall_seconds


# what a datetime can hold
_EARLIEST, _LATEST = (day_number(day) * SECONDS_PER_DAY for day in (date(1, 1, 3), date(9999, 12, 28)))


def _openings(calendar: Calendar, first: int, last: int) -> tuple[SecondsArray, SecondsArray]:
    """All spans of epoch seconds in which the calendar is open, in order."""
    starts: list[int] = []
    ends: list[int] = []
    for begin, end, offset in _offsets(calendar.zone, first, last):
        for day in range((begin + offset) // SECONDS_PER_DAY, (end - 1 + offset) // SECONDS_PER_DAY + 1):
            for opens, closes in calendar.spans_on(day_of(day)):
                start, stop = (
                    max(day * SECONDS_PER_DAY + opens - offset, begin),
                    min(day * SECONDS_PER_DAY + closes - offset, end),
                )
                if start < stop:
                    starts.append(start)
                    ends.append(stop)
    return np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)


def _by_day(
    starts: SecondsArray, ends: SecondsArray, first: int, last: int
) -> tuple[SecondsArray, list[SecondsArray], list[SecondsArray]]:
    """Per UTC day: the open seconds before it, and its spans as seconds of the day; days of few spans have empty ones."""
    spans: list[list[Span]] = [[] for _ in range(first, last + 1)]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        while start < end:
            day = start // SECONDS_PER_DAY
            stop = min(end, (day + 1) * SECONDS_PER_DAY)
            spans[day - first].append((start - day * SECONDS_PER_DAY, stop - day * SECONDS_PER_DAY))
            start = stop
    max_spans = max((len(day) for day in spans), default=0)
    table = np.zeros((len(spans), max(max_spans, 1), 2), dtype=np.int64)
    for index, day_spans in enumerate(spans):
        table[index, : len(day_spans)] = day_spans or np.empty((0, 2))
    open_a_day = (table[:, :, 1] - table[:, :, 0]).sum(axis=1)
    before = np.concatenate([[0], np.cumsum(open_a_day)[:-1]])
    return before, list(table[:, :, 0].T.copy()), list(table[:, :, 1].T.copy())


def load_calendars(path: Path, zone: str) -> Calendars:
    """Read calendars.toml; no file: no calendars."""
    if not path.exists():
        return Calendars()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CalendarError(f"{path} cannot be read: {error}.", "Write it again in UTF-8.") from error
    return parse_calendars(text, zone, path.name)


def parse_calendars(text: str, zone: str, origin: str = "calendars.toml") -> Calendars:
    """Read calendars; every mistake is named with what to write instead."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CalendarError(f"{origin} is not valid TOML: {error}.", "Mend that line and try again.") from error
    _refuse_unknown_keys(raw, {"calendar", "use"}, origin)
    versions: dict[str, list[tuple[str, Hours]]] = {}
    for block in raw.get("calendar", []):
        name, hours = _read_version(block, zone)
        versions.setdefault(name, []).append(hours)
    calendars = tuple(_join_versions(name, zoned_hours) for name, zoned_hours in versions.items())
    names = [calendar.name for calendar in calendars]
    uses = tuple(_read_use(block, names) for block in raw.get("use", []))
    digest = hashlib.sha256(f"{calendars!r}{uses!r}{version('holidays')}".encode()).hexdigest()[:16]
    return Calendars(calendars, uses, digest if calendars else "")


def _refuse_unknown_keys(block: Mapping[str, Any], keys: set[str], where: str) -> None:
    if unknown_keys := sorted(set(block) - keys):
        raise CalendarError(f"{where}: {unknown_keys[0]!r} is not known.", f"It can have: {', '.join(sorted(keys))}.")


def _read_version(block: Mapping[str, Any], zone: str) -> tuple[str, tuple[str, Hours]]:
    name = str(block.get("name", ""))
    where = f"calendar {name!r}"
    _refuse_unknown_keys(block, {"name", "zone", "from", "hours", "holidays", "days"}, where)
    if not name or not isinstance(block.get("hours"), dict):
        raise CalendarError(f"{where} needs a name and hours.", 'Write hours = { mon-fri = "09:00-17:00" }.')
    since = block.get("from", date.min)
    if not isinstance(since, date) or isinstance(since, datetime):
        raise CalendarError(f"{where}: from = {since!r} is no day.", "Write from = 2024-01-01, without quotes.")
    days = {_read_day(key, where): _read_spans(value, where) for key, value in dict(block.get("days", {})).items()}
    codes = block.get("holidays", [])
    closed_days = _holidays(tuple([codes] if isinstance(codes, str) else codes), where)
    return name, (
        check_zone(str(block.get("zone", zone))),
        Hours(since, _read_week(block["hours"], where), closed_days, days),
    )


def _join_versions(name: str, zoned_hours: Sequence[tuple[str, Hours]]) -> Calendar:
    zones = {zone for zone, _ in zoned_hours}
    versions = sorted((hours for _, hours in zoned_hours), key=lambda hours: hours.since)
    if len(zones) > 1:
        raise CalendarError(f"calendar {name!r} has several zones.", "Give a calendar of another zone another name.")
    if len({hours.since for hours in versions}) < len(versions):
        raise CalendarError(f"calendar {name!r} has two versions from one day.", "Give each its own `from`.")
    return Calendar(name, zones.pop(), tuple(versions))


def _read_use(block: Mapping[str, Any], names: Sequence[str]) -> Use:
    _refuse_unknown_keys(block, {"calendar", "team", "service"}, "[[use]]")
    name = str(block.get("calendar", ""))
    if name not in names:
        raise CalendarError(f"[[use]]: there is no calendar {name!r}.", f"There are: {', '.join(names) or 'none'}.")
    teams, services = (
        (value,) if isinstance(value, str) else tuple(map(str, value))
        for value in (block.get("team", ()), block.get("service", ()))
    )
    return Use(name, teams, services)


def _read_week(hours: Mapping[str, Any], where: str) -> tuple[tuple[Span, ...], ...]:
    week: list[tuple[Span, ...]] = [()] * 7
    for key, value in hours.items():
        day_names = [day_name.strip().lower()[:3] for day_name in str(key).split("-")]
        if not 1 <= len(day_names) <= 2 or any(end not in _DAYS for end in day_names):
            raise CalendarError(f"{where}: {key!r} is no weekday.", "Write mon, or mon-fri.")
        first, last = _DAYS.index(day_names[0]), _DAYS.index(day_names[-1])
        for step in range((last - first) % 7 + 1):
            week[(first + step) % 7] = _read_spans(value, where)
    return tuple(week)


def _read_spans(value: Any, where: str) -> tuple[Span, ...]:
    """ "09:00-12:30, 13:30-17:00" or "closed"."""
    words = str(value).strip()
    if words.lower() == "closed":
        return ()
    spans = []
    for span_text in words.split(","):
        match = _SPAN.fullmatch(span_text.strip())
        if not match:
            raise CalendarError(f"{where}: {span_text.strip()!r} is no span.", 'Write "09:00-17:00", or "closed".')
        hour, minute, second, *end = (int(group or 0) for group in match.groups())
        start, stop = hour * 3600 + minute * 60 + second, end[0] * 3600 + end[1] * 60 + end[2]
        if max(minute, second, end[1], end[2]) > 59 or not 0 <= start < stop <= SECONDS_PER_DAY:
            raise CalendarError(
                f"{where}: {span_text.strip()!r} does not lie within one day.",
                'Write a night as two spans: "22:00-24:00" on the one day, "00:00-06:00" on the next.',
            )
        spans.append((start, stop))
    spans.sort()
    if any(span[1] > next_span[0] for span, next_span in pairwise(spans)):
        raise CalendarError(f"{where}: the spans {words!r} overlap.", "Write each hour once.")
    return tuple(spans)


def _read_day(key: str, where: str) -> date:
    try:
        return date.fromisoformat(key)
    except ValueError as error:
        raise CalendarError(f"{where}: {key!r} is no day.", "Write it as 2024-12-24.") from error


HOLIDAY_YEARS = range(1990, 2051)


@lru_cache(maxsize=32)
def _holidays(codes: tuple[str, ...], where: str) -> frozenset[date]:
    """The public holidays of countries or their parts, 1990 to 2050."""
    import holidays  # half a second, for those alone whose calendars name some

    days: set[date] = set()
    for code in codes:
        country, _, subdivision = str(code).partition("-")
        try:
            days |= set(holidays.country_holidays(country, subdiv=subdivision or None, years=HOLIDAY_YEARS))
        except NotImplementedError as error:
            raise CalendarError(
                f"{where}: holidays of {code!r} are not known.",
                "Write ISO codes such as DE-BE or US-MA, or give the days yourself under days.",
            ) from error
    return frozenset(days)


def span_of_days(first: int, last: int) -> tuple[date, date]:
    """The days, with room for zones, from one epoch second to another."""
    return day_of(first // SECONDS_PER_DAY) - timedelta(days=2), day_of(last // SECONDS_PER_DAY) + timedelta(days=2)

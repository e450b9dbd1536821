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
import pyarrow as pa

from wellserved.errors import CalendarError, RequestError
from wellserved.moments import check_zone, day_number, day_of

DAY = 86_400
ORIGIN = date(2000, 1, 1)
Seconds = npt.NDArray[np.int64]
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

    def of(self, day: date) -> tuple[Span, ...]:
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

    def of(self, day: date) -> tuple[Span, ...]:
        """The spans of one local day."""
        place = bisect_right([one.since for one in self.versions], day) - 1
        return self.versions[max(place, 0)].of(day)


@dataclass(frozen=True)
class Use:
    """Whose cases a calendar is for; an empty side fits all."""

    calendar: str
    teams: tuple[str, ...]
    services: tuple[str, ...]


@dataclass(frozen=True)
class Calendars:
    """All calendars of a workspace. Without any there is calendar time alone."""

    all: tuple[Calendar, ...] = ()
    uses: tuple[Use, ...] = ()
    fingerprint: str = ""

    def of(self, team: str | None, service: str | None) -> Calendar | None:
        """The calendar for a team and a service."""
        for use in self.uses:
            if (not use.teams or team in use.teams) and (not use.services or service in use.services):
                return next(one for one in self.all if one.name == use.calendar)
        return self.all[0] if self.all else None

    @property
    def only(self) -> Calendar | None:
        """The calendar of all cases, where they share one."""
        names = {self.all[0].name, *(use.calendar for use in self.uses)} if self.all else set()
        return self.all[0] if len(names) == 1 else None


class Clock:
    """Business seconds of one calendar between two days, as a running sum by day.

    `at(t)` is the number of open seconds from the start of 2000 to an instant, negative before; the open
    time between two instants is the difference, so that it is exact, adds up and is never negative.
    """

    def __init__(self, calendar: Calendar, first: date, last: date) -> None:
        self.first, self.last = day_number(min(first, ORIGIN)) - 1, day_number(max(last, ORIGIN)) + 1
        self.starts, self.ends = _openings(calendar, self.first * DAY, (self.last + 1) * DAY)
        self.before, self.opens, self.closes = _by_day(self.starts, self.ends, self.first, self.last)
        origin = int(self.at(np.array([day_number(ORIGIN) * DAY]))[0])
        self.before -= origin
        self._run = np.concatenate([[0], np.cumsum(self.ends - self.starts)]) - origin

    def at(self, seconds: Seconds) -> Seconds:
        """Open seconds from the first day to each instant (epoch seconds)."""
        day = seconds // DAY
        place = day - self.first
        if len(place) and (place.min() < 0 or place.max() >= len(self.before)):
            raise RequestError(
                f"The opening hours were worked out from {day_of(self.first)} to {day_of(self.last)} only.",
                "Ask about dates within that.",
            )
        within = seconds - day * DAY
        found = self.before[place]
        for opens, closes in zip(self.opens, self.closes, strict=True):
            found = found + np.maximum(np.minimum(within, closes[place]) - opens[place], 0)
        return found

    def after(self, start: int, seconds: int) -> int:
        """The instant at which so many open seconds have passed since `start`: when something falls due."""
        wanted = int(self.at(np.array([start]))[0]) + seconds
        place = int(np.searchsorted(self._run, wanted, side="left")) - 1
        if seconds <= 0 or not 0 <= place < len(self.starts):
            return self._outside(start, seconds)
        return int(self.starts[place]) + wanted - int(self._run[place])

    def before_end(self, end: int, seconds: int) -> int:
        """The latest instant from which so many open seconds pass until `end`."""
        wanted = int(self.at(np.array([end]))[0]) - seconds
        place = int(np.searchsorted(self._run, wanted, side="right")) - 1
        if seconds <= 0 or not 0 <= place < len(self.starts):
            return self._outside(end, seconds)
        return int(self.starts[place]) + wanted - int(self._run[place])

    def _outside(self, instant: int, seconds: int) -> int:
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
    place = ZoneInfo(zone)

    def offset(second: int) -> int:
        shift = datetime.fromtimestamp(second, UTC).astimezone(place).utcoffset()
        return int(shift.total_seconds()) if shift is not None else 0

    start, now = first, offset(first)
    for step in range(first, last, DAY // 2):
        end = min(step + DAY // 2, last)
        later = offset(end)
        if later != now:
            low, high = step, end  # the change lies in (low, high]
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == now else (low, middle)
            yield start, high, now
            start, now = high, later
    yield start, last, now


def wall_clock(seconds: Seconds, zone: str) -> Seconds:
    """What the zone's wall clock shows at epoch seconds: seconds since its own 1970-01-01 00:00:00.

    A day's offset is looked up at both its ends, and its change sought only where they differ.
    """
    if zone == "UTC" or not len(seconds):
        return seconds
    day = seconds // DAY
    first = int(day.min())
    present = np.zeros(int(day.max()) - first + 2, dtype=np.bool_)
    present[day - first] = True
    before = np.zeros(len(present), dtype=np.int64)
    after, change = before.copy(), before.copy()
    for place in np.flatnonzero(present).tolist():
        start = min(max((first + place) * DAY, _EARLIEST), _LATEST)
        *earlier, (change[place], _, after[place]) = _offsets(zone, start, start + DAY)
        before[place] = earlier[0][2] if earlier else after[place]
    day -= first
    found: Seconds = seconds + np.where(seconds < change[day], before[day], after[day])
    return found


_EARLIEST, _LATEST = (day_number(day) * DAY for day in (date(1, 1, 3), date(9999, 12, 28)))  # what a datetime can hold


def _openings(calendar: Calendar, first: int, last: int) -> tuple[Seconds, Seconds]:
    """All spans of epoch seconds in which the calendar is open, in order."""
    starts: list[int] = []
    ends: list[int] = []
    for begin, end, offset in _offsets(calendar.zone, first, last):
        for day in range((begin + offset) // DAY, (end - 1 + offset) // DAY + 1):
            for opens, closes in calendar.of(day_of(day)):
                start, stop = max(day * DAY + opens - offset, begin), min(day * DAY + closes - offset, end)
                if start < stop:
                    starts.append(start)
                    ends.append(stop)
    return np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)


def _by_day(starts: Seconds, ends: Seconds, first: int, last: int) -> tuple[Seconds, list[Seconds], list[Seconds]]:
    """Per UTC day: the open seconds before it, and its spans as seconds of the day; days of few spans have empty ones."""
    spans: list[list[Span]] = [[] for _ in range(first, last + 1)]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        while start < end:
            day = start // DAY
            stop = min(end, (day + 1) * DAY)
            spans[day - first].append((start - day * DAY, stop - day * DAY))
            start = stop
    most = max((len(day) for day in spans), default=0)
    table = np.zeros((len(spans), max(most, 1), 2), dtype=np.int64)
    for place, day_spans in enumerate(spans):
        table[place, : len(day_spans)] = day_spans or np.empty((0, 2))
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
    _known(raw, {"calendar", "use"}, origin)
    versions: dict[str, list[tuple[str, Hours]]] = {}
    for block in raw.get("calendar", []):
        name, found = _version(block, zone)
        versions.setdefault(name, []).append(found)
    calendars = tuple(_calendar(name, found) for name, found in versions.items())
    names = [one.name for one in calendars]
    uses = tuple(_use(block, names) for block in raw.get("use", []))
    digest = hashlib.sha256(f"{calendars!r}{uses!r}{version('holidays')}".encode()).hexdigest()[:16]
    return Calendars(calendars, uses, digest if calendars else "")


def _known(block: Mapping[str, Any], keys: set[str], where: str) -> None:
    if odd := sorted(set(block) - keys):
        raise CalendarError(f"{where}: {odd[0]!r} is not known.", f"It can have: {', '.join(sorted(keys))}.")


def _version(block: Mapping[str, Any], zone: str) -> tuple[str, tuple[str, Hours]]:
    name = str(block.get("name", ""))
    where = f"calendar {name!r}"
    _known(block, {"name", "zone", "from", "hours", "holidays", "days"}, where)
    if not name or not isinstance(block.get("hours"), dict):
        raise CalendarError(f"{where} needs a name and hours.", 'Write hours = { mon-fri = "09:00-17:00" }.')
    since = block.get("from", date.min)
    if not isinstance(since, date) or isinstance(since, datetime):
        raise CalendarError(f"{where}: from = {since!r} is no day.", "Write from = 2024-01-01, without quotes.")
    days = {_day(key, where): _spans(value, where) for key, value in dict(block.get("days", {})).items()}
    named = block.get("holidays", [])
    closed = _holidays(tuple([named] if isinstance(named, str) else named), where)
    return name, (check_zone(str(block.get("zone", zone))), Hours(since, _week(block["hours"], where), closed, days))


def _calendar(name: str, found: Sequence[tuple[str, Hours]]) -> Calendar:
    zones = {zone for zone, _ in found}
    versions = sorted((hours for _, hours in found), key=lambda one: one.since)
    if len(zones) > 1:
        raise CalendarError(f"calendar {name!r} has several zones.", "Give a calendar of another zone another name.")
    if len({one.since for one in versions}) < len(versions):
        raise CalendarError(f"calendar {name!r} has two versions from one day.", "Give each its own `from`.")
    return Calendar(name, zones.pop(), tuple(versions))


def _use(block: Mapping[str, Any], names: Sequence[str]) -> Use:
    _known(block, {"calendar", "team", "service"}, "[[use]]")
    name = str(block.get("calendar", ""))
    if name not in names:
        raise CalendarError(f"[[use]]: there is no calendar {name!r}.", f"There are: {', '.join(names) or 'none'}.")
    teams, services = (
        (value,) if isinstance(value, str) else tuple(map(str, value))
        for value in (block.get("team", ()), block.get("service", ()))
    )
    return Use(name, teams, services)


def _week(hours: Mapping[str, Any], where: str) -> tuple[tuple[Span, ...], ...]:
    week: list[tuple[Span, ...]] = [()] * 7
    for key, value in hours.items():
        ends = [part.strip().lower()[:3] for part in str(key).split("-")]
        if not 1 <= len(ends) <= 2 or any(end not in _DAYS for end in ends):
            raise CalendarError(f"{where}: {key!r} is no weekday.", "Write mon, or mon-fri.")
        first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
        for step in range((last - first) % 7 + 1):
            week[(first + step) % 7] = _spans(value, where)
    return tuple(week)


def _spans(value: Any, where: str) -> tuple[Span, ...]:
    """ "09:00-12:30, 13:30-17:00" or "closed"."""
    words = str(value).strip()
    if words.lower() == "closed":
        return ()
    spans = []
    for part in words.split(","):
        found = _SPAN.fullmatch(part.strip())
        if not found:
            raise CalendarError(f"{where}: {part.strip()!r} is no span.", 'Write "09:00-17:00", or "closed".')
        hour, minute, second, *end = (int(group or 0) for group in found.groups())
        start, stop = hour * 3600 + minute * 60 + second, end[0] * 3600 + end[1] * 60 + end[2]
        if max(minute, second, end[1], end[2]) > 59 or not 0 <= start < stop <= DAY:
            raise CalendarError(
                f"{where}: {part.strip()!r} does not lie within one day.",
                'Write a night as two spans: "22:00-24:00" on the one day, "00:00-06:00" on the next.',
            )
        spans.append((start, stop))
    spans.sort()
    if any(one[1] > other[0] for one, other in pairwise(spans)):
        raise CalendarError(f"{where}: the spans {words!r} overlap.", "Write each hour once.")
    return tuple(spans)


def _day(key: str, where: str) -> date:
    try:
        return date.fromisoformat(key)
    except ValueError as error:
        raise CalendarError(f"{where}: {key!r} is no day.", "Write it as 2024-12-24.") from error


YEARS = range(1990, 2051)


@lru_cache(maxsize=32)
def _holidays(named: tuple[str, ...], where: str) -> frozenset[date]:
    """The public holidays of countries or their parts, 1990 to 2050."""
    import holidays  # half a second, for those alone whose calendars name some

    found: set[date] = set()
    for code in named:
        country, _, part = str(code).partition("-")
        try:
            found |= set(holidays.country_holidays(country, subdiv=part or None, years=YEARS))
        except NotImplementedError as error:
            raise CalendarError(
                f"{where}: holidays of {code!r} are not known.",
                "Write ISO codes such as DE-BE or US-MA, or give the days yourself under days.",
            ) from error
    return frozenset(found)


def hours_table(calendars: Calendars, first: int, last: int) -> pa.Table:
    """For SQL, from one epoch second to another: calendar, UTC day, open seconds before it, and its spans."""
    clocks = {one.name: Clock(one, *span_of_days(first, last)) for one in calendars.all}
    most = max(len(one.opens) for one in clocks.values())
    tables = []
    for name, made in clocks.items():
        days = np.arange(made.first, made.last + 1)
        columns = {"calendar": pa.array([name] * len(days)), "day": days, "before": made.before}
        none = np.zeros(len(days), dtype=np.int64)
        for place in range(most):
            columns[f"opens_{place}"] = made.opens[place] if place < len(made.opens) else none
            columns[f"closes_{place}"] = made.closes[place] if place < len(made.closes) else none
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def span_of_days(first: int, last: int) -> tuple[date, date]:
    """The days, with room for zones, from one epoch second to another."""
    return day_of(first // DAY) - timedelta(days=2), day_of(last // DAY) + timedelta(days=2)

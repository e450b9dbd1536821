"""Opening hours to the second: by words, and against an oracle that walks the clock."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.oracle import walk_the_clock
from wellserved.calendar import Calendar, Calendars, Clock, parse_calendars, wall_clock
from wellserved.errors import CalendarError, RequestError

OFFICE = """
[[calendar]]
name = "office"
zone = "Europe/Berlin"
hours = { mon-fri = "09:00-12:30, 13:30-17:00", sat = "10:00-14:00" }
holidays = ["DE-BE"]
days = { 2024-12-24 = "09:00-12:00", 2024-12-27 = "closed" }

[[calendar]]
name = "office"
zone = "Europe/Berlin"
from = 2025-03-01
hours = { mon-fri = "08:00-16:00" }

[[calendar]]
name = "night"
zone = "America/New_York"
hours = { mon-sun = "00:00-06:00, 22:00-24:00" }

[[calendar]]
name = "always"
zone = "UTC"
hours = { mon-sun = "00:00-24:00" }

[[calendar]]
name = "odd"
zone = "Australia/Lord_Howe"
hours = { mon-fri = "01:45:10-02:15:20, 08:00-08:00:01, 12:00-23:59:59", sun = "01:40-02:10" }

[[use]]
calendar = "night"
team = "Night desk"
[[use]]
calendar = "odd"
service = ["Islands"]
"""
CALENDARS = parse_calendars(OFFICE, "UTC")


def calendar_named(name: str) -> Calendar:
    return next(calendar for calendar in CALENDARS.calendars if calendar.name == name)


def open_seconds_between(name: str, start: str, end: str) -> int:
    """Open seconds between two stamps as the calendar's zone writes them, or with an offset of their own."""
    calendar = calendar_named(name)
    ends = [datetime.fromisoformat(stamp) for stamp in (start, end)]
    zoned_ends = [instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(calendar.zone)) for instant in ends]
    clock = Clock(calendar, date(1990, 1, 1), date(2027, 1, 1))
    open_seconds = clock.open_seconds_at(np.array([int(zoned_end.timestamp()) for zoned_end in zoned_ends]))
    return int(open_seconds[1] - open_seconds[0])


HOUR = 3600


@pytest.mark.parametrize(
    ("name", "start", "end", "seconds", "reason"),
    [
        ("office", "2024-11-04T09:00", "2024-11-04T17:00", 7 * HOUR, "a Monday has seven hours around the lunch hour"),
        ("office", "2024-11-04T12:30", "2024-11-04T13:30", 0, "lunch"),
        ("office", "2024-11-04T12:29:59", "2024-11-04T13:30:01", 2, "a second on either side of lunch"),
        ("office", "2024-11-08T16:59", "2024-11-11T09:01", 60 + 4 * HOUR + 60, "a weekend with its Saturday morning"),
        ("office", "2024-12-24T00:00", "2024-12-25T00:00", 3 * HOUR, "Christmas Eve is a half day of our own"),
        ("office", "2024-12-25T00:00", "2024-12-27T00:00", 0, "two public holidays"),
        ("office", "2024-12-27T00:00", "2024-12-28T00:00", 0, "a Friday closed by ourselves"),
        ("office", "2024-03-08T00:00", "2024-03-09T00:00", 0, "8 March is a holiday in Berlin"),
        ("office", "2024-02-29T00:00", "2024-03-01T00:00", 7 * HOUR, "the leap day, a Thursday"),
        ("office", "2025-02-28T16:00", "2025-03-03T09:00", 2 * HOUR, "the new hours count from 1 March: no Saturday"),
        ("office", "2025-12-25T00:00", "2025-12-26T00:00", 8 * HOUR, "the new version names no holidays"),
        ("night", "2024-03-10T00:00", "2024-03-10T06:00", 5 * HOUR, "spring: the hour from 2 to 3 does not exist"),
        ("night", "2024-11-03T00:00", "2024-11-03T06:00", 7 * HOUR, "autumn: the hour from 1 to 2 comes twice"),
        ("night", "2024-06-01T22:00", "2024-06-02T06:00", 8 * HOUR, "a night over midnight"),
        ("always", "2023-12-31T23:59:59", "2024-01-01T00:00:01", 2, "the year's end"),
        ("always", "2024-01-01T00:00", "2025-01-01T00:00", 366 * 24 * HOUR, "a leap year"),
        ("odd", "2024-10-07T08:00", "2024-10-07T08:01", 1, "one second a day"),
        ("odd", "2024-10-06T01:00", "2024-10-06T03:00", 20 * 60, "Lord Howe loses half an hour: 1:40 to 2:00"),
        ("odd", "2024-04-07T01:00", "2024-04-07T03:00", 50 * 60, "and gains it back: 1:40 to 2:00, 1:30 again to 2:10"),
    ],
)
def test_hours_are_those_of_the_words(name: str, start: str, end: str, seconds: int, reason: str) -> None:
    assert open_seconds_between(name, start, end) == seconds, reason


@pytest.mark.parametrize("name", ["office", "night", "always", "odd"])
def test_the_clock_agrees_with_an_oracle_that_walks_it(name: str) -> None:
    calendar, rng = calendar_named(name), random.Random(name)
    clock = Clock(calendar, date(2023, 12, 1), date(2026, 1, 31))
    first = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    changes = [int(datetime.fromisoformat(day + "T00:00+00:00").timestamp()) for day in DST_DAYS]
    for _ in range(150):
        start = rng.choice([first + rng.randrange(700 * 86_400), rng.choice(changes) + rng.randrange(-90_000, 180_000)])
        length = rng.choice([0, 1, rng.randrange(60), rng.randrange(7_200), rng.randrange(60 * 86_400)])
        open_seconds = clock.open_seconds_at(np.array([start, start + length]))
        assert int(open_seconds[1] - open_seconds[0]) == walk_the_clock(calendar, start, start + length), (
            start,
            length,
        )


DST_DAYS = [
    "2024-03-10",
    "2024-11-03",
    "2024-03-31",
    "2024-10-27",
    "2024-04-07",
    "2024-10-06",
    "2025-03-09",
    "2025-10-26",
]


@pytest.mark.parametrize("name", ["office", "night", "odd"])
def test_due_times_run_forwards_and_backwards(name: str) -> None:
    rng, clock = random.Random(name), Clock(calendar_named(name), date(2023, 12, 1), date(2026, 6, 1))
    first = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    for _ in range(300):
        start, seconds = (
            first + rng.randrange(600 * 86_400),
            rng.choice([1, 59, 8 * HOUR, rng.randrange(1, 200_000)]),
        )
        due = clock.instant_after(start, seconds)
        open_seconds = clock.open_seconds_at(np.array([start, due, due - 1]))
        assert open_seconds[1] - open_seconds[0] == seconds
        assert open_seconds[2] - open_seconds[0] == seconds - 1  # not a second earlier
        latest_start = clock.instant_before(due, seconds)
        backward_seconds = clock.open_seconds_at(np.array([latest_start, due, latest_start + 1]))
        assert backward_seconds[1] - backward_seconds[0] == seconds
        assert backward_seconds[1] - backward_seconds[2] == seconds - 1  # not a second later


def test_eight_business_hours_from_friday_afternoon_are_over_on_monday() -> None:
    clock = Clock(calendar_named("office"), date(2024, 1, 1), date(2025, 1, 1))
    friday = datetime(2024, 11, 8, 16, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    due = datetime.fromtimestamp(clock.instant_after(int(friday.timestamp()), 8 * HOUR), ZoneInfo("Europe/Berlin"))
    assert due == datetime(
        2024, 11, 11, 12, 0, tzinfo=ZoneInfo("Europe/Berlin")
    )  # 1 h Friday, 4 h Saturday, 3 h Monday
    assert clock.instant_after(int(friday.timestamp()), 0) == int(friday.timestamp())
    with pytest.raises(RequestError, match="not so many opening hours"):
        clock.instant_after(int(friday.timestamp()), 10**9)


def test_team_and_service_choose_the_calendar() -> None:
    assert [chosen_calendar.name if (chosen_calendar := CALENDARS.calendar_for(*pair)) else None for pair in (
        ("Night desk", "Islands"), ("Day desk", "Islands"), (None, None), ("Day desk", "Roads"))] == [
        "night", "odd", "office", "office"]  # fmt: skip
    assert Calendars().calendar_for("Night desk", None) is None


def test_periods_add_up_and_a_week_on_changes_nothing() -> None:
    clock = Clock(calendar_named("always"), date(2024, 1, 1), date(2025, 1, 1))
    office = Clock(calendar_named("office"), date(2024, 1, 1), date(2025, 1, 1))
    rng, first = random.Random(7), int(datetime(2024, 4, 15, tzinfo=UTC).timestamp())
    for _ in range(200):
        a, b, c = sorted(first + rng.randrange(10 * 86_400) for _ in range(3))
        for any_clock in (clock, office):
            open_seconds = any_clock.open_seconds_at(np.array([a, b, c]))
            assert (open_seconds[1] - open_seconds[0]) + (open_seconds[2] - open_seconds[1]) == open_seconds[
                2
            ] - open_seconds[0]
            assert open_seconds[0] <= open_seconds[1] <= open_seconds[2]
        week = 7 * 86_400
        week_seconds = office.open_seconds_at(
            np.array([a, b, a + week, b + week]) + 91 * 86_400
        )  # mid July: no holiday near
        assert week_seconds[1] - week_seconds[0] == week_seconds[3] - week_seconds[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[calendar]]\nname="a"\n', "needs a name and hours"),
        ('[[calendar]]\nname="a"\nhours={mon="9-17"}', "is no span"),
        ('[[calendar]]\nname="a"\nhours={mon="17:00-09:00"}', "within one day"),
        ('[[calendar]]\nname="a"\nhours={mon="09:00-12:00, 11:00-13:00"}', "overlap"),
        ('[[calendar]]\nname="a"\nhours={someday="09:00-12:00"}', "no weekday"),
        ('[[calendar]]\nname="a"\nhours={}\nholidays=["XX"]', "are not known"),
        ('[[calendar]]\nname="a"\nhours={}\nfrom="2024-01-01"', "is no day"),
        ('[[calendar]]\nname="a"\nhours={}\nfrom=2024-01-01T00:00:00', "is no day"),
        ('[[calendar]]\nname="a"\nhours={}\nzone="Mars/Base"', "no time zone"),
        ('[[calendar]]\nname="a"\nhours={}\n[[calendar]]\nname="a"\nhours={}', "two versions"),
        ('[[calendar]]\nname="a"\nhours={}\n[calendar.days]\nsoon="closed"', "is no day"),
        ('[[use]]\ncalendar="b"', "no calendar"),
        ("[[calendar", "not valid TOML"),
        ("calender = 1", "not known"),
    ],
)
def test_a_mistake_in_the_hours_is_named(text: str, message: str) -> None:
    with pytest.raises((CalendarError, RequestError), match=message) as error:
        parse_calendars(text, "UTC")
    assert error.value.remedy


def test_instants_outside_the_worked_out_days_are_refused() -> None:
    clock = Clock(calendar_named("office"), date(2024, 1, 1), date(2024, 2, 1))
    far = int((datetime(2024, 2, 1, tzinfo=UTC) + timedelta(days=40)).timestamp())
    with pytest.raises(RequestError, match="worked out from"):
        clock.open_seconds_at(np.array([far]))


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
)
def test_the_wall_clock_shows_what_the_zone_shows(zone: str) -> None:
    """Half an hour's change, a day left out (Apia, 30 December 2011), before 1970, and the second of a change itself."""
    rng = random.Random(zone)
    seconds = [rng.randrange(-2_000_000_000, 4_000_000_000) for _ in range(400)]
    seconds += [rng.randrange(1_325_000_000, 1_325_400_000) for _ in range(200)]
    for year in (2011, 2024):
        for hour in range(0, 366 * 24, 5):
            seconds += [int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) + hour * 3600 + rng.randrange(-1, 2)]
    wall_seconds = wall_clock(np.array(seconds), ZoneInfo(zone).key)
    for second, wall_second in zip(seconds, wall_seconds.tolist(), strict=True):
        wall = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
        assert wall_second == int(wall.timestamp()), second


def test_the_wall_clock_knows_what_no_date_can_hold() -> None:
    centuries = np.array([-(10**13), 0, 10**13])
    assert wall_clock(centuries, "Asia/Tokyo")[1:].tolist() == [9 * 3600, 10**13 + 9 * 3600]
    assert wall_clock(centuries[:0], "Asia/Tokyo").tolist() == []

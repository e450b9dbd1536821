"""Ways of writing a point in time: each read as it is meant, or refused with the reason."""

from __future__ import annotations

import gettext
import importlib.util
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from wellserved.errors import MappingError
from wellserved.mapping import DateOrder
from wellserved.record.dates import DateReading, decide_date_format

NINE = datetime(2026, 1, 9, 9, 0, tzinfo=UTC)


def read(values: Sequence[str], zone: str = "UTC", given: DateOrder | None = None) -> list[datetime | None]:
    return reading_of(values, zone, given)[1]


def reading_of(
    values: Sequence[str], zone: str = "UTC", given: DateOrder | None = None
) -> tuple[DateReading, list[datetime | None]]:
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute("CREATE TABLE cells (cell VARCHAR)")
        db.executemany("INSERT INTO cells VALUES (?)", [[value] for value in values])
        reading = decide_date_format(db, "cells", "cell", "cell IS NOT NULL", given)
        rows = db.sql(f"SELECT epoch_us({reading.sql(zone)}) FROM cells").fetchall()
    return reading, [None if us is None else datetime.fromtimestamp(us / 1_000_000, UTC) for (us,) in rows]


@pytest.mark.parametrize(
    "value",
    [
        "1767949200",
        "1767949200000",
        "1767949200.0",
        "20260109T090000Z",
        "20260109T0900Z",
        "20260109T100000+0100",
        "Fri Jan 09 2026 10:00:00 GMT+0100 (Central European Standard Time)",
        "Fri Jan 09 2026 10:00:00 GMT+0100 (Mitteleuropäische Normalzeit)",
        "Fri, 09 Jan 2026 09:00:00 GMT",
        "Fri Jan  9 09:00:00 2026",
        "Fri Jan 9 09:00:00 UTC 2026",
        "2026-01-09 04:00:00 EST",
        "2026-01-09 05:00:00 EDT",
        "2026-01-09 01:00:00 PST",
        "2026-01-09 10:00 CET",
        "1/9/2026, 9:00:00\u202fAM",
        "01/09/2026 09:00\u00a0AM",
        "09/Jan/26 9:00 AM",
    ],
)
def test_a_way_of_writing_is_read(value: str) -> None:
    assert read([value], given="month-first") == [NINE]


def test_ways_are_told_apart_over_the_column_and_winter_from_summer() -> None:
    values = ["2026-01-09 09:00 EST", "2026-07-09 09:00 EDT"]
    assert read(values) == [datetime(2026, 1, 9, 14, tzinfo=UTC), datetime(2026, 7, 9, 13, tzinfo=UTC)]


def test_seconds_with_a_fraction_keep_it_and_a_zero_is_no_other_way_of_writing() -> None:
    assert read(["1767949200.25", "0"]) == [NINE.replace(microsecond=250_000), datetime(1970, 1, 1, tzinfo=UTC)]


def test_a_year_of_two_digits_is_never_read_as_the_first_century() -> None:
    assert read(["2026-01-09", "2026-01-10", "13-01-26", "14-01-26"]) == [
        datetime(2026, 1, day, tzinfo=UTC) for day in (9, 10, 13, 14)
    ]


def test_years_of_two_digits_that_may_stand_first_are_asked_about() -> None:
    values = ["22-04-15", "22-04-16", "22-05-17"]
    with pytest.raises(MappingError, match="two digits, which may stand first or last") as asked:
        read(values)
    assert '"year-first"' in asked.value.remedy
    assert read(values, given="year-first")[0] == datetime(2022, 4, 15, tzinfo=UTC)
    assert read(values, given="day-first")[0] == datetime(2015, 4, 22, tzinfo=UTC)


def test_a_year_below_1000_is_read_only_where_four_digits_say_so() -> None:
    assert read(["2026-01-09", "0013-01-26", "13-1-2026"]) == [
        datetime(2026, 1, 9, tzinfo=UTC),
        datetime(13, 1, 26, tzinfo=UTC),
        datetime(2026, 1, 13, tzinfo=UTC),
    ]


def test_day_numbers_of_a_spreadsheet_are_read_where_the_mapping_says_so() -> None:
    values = ["46031.37500", "46031.3750000001", "46031"]
    assert read(values, given="excel-days") == [NINE, NINE, NINE.replace(hour=0)]
    assert read(values, "Europe/Berlin", "excel-days")[0] == NINE.replace(hour=8)
    reading, stamps = reading_of(values)
    assert stamps == [None, None, None]
    assert '[dates] "cell" = "excel-days"' in reading.reason()


def test_a_zone_that_has_several_meanings_is_named() -> None:
    reading, stamps = reading_of(["2026-01-09 09:00 IST", "2026-01-10 09:00 IST"])
    assert stamps == [None, None]
    assert "IST may stand for several time zones" in reading.reason()


@pytest.mark.parametrize("value", ["soon", "46031", "2026-01-09 09:00 +99:99", "99999999T999999Z", "Fri", "(x)", "GMT"])
def test_what_is_no_date_is_not_read(value: str) -> None:
    assert read([value]) == [None]


# Dates of other languages


LANGUAGES = ["de", "fr", "es", "pt", "it", "nl", "pl", "ru", "tr", "sv", "da", "cs"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_months_of_other_languages_are_read_whole_and_short(language: str) -> None:
    """The names are Django's: another list than ours."""
    folder = Path(str(importlib.util.find_spec("django").submodule_search_locations[0])) / "conf" / "locale"  # type: ignore[union-attr, index]
    words = gettext.translation("django", folder, [language])
    names = set()
    for number in range(1, 13):
        month = date(2026, number, 1).strftime("%B")
        spellings = {words.gettext(month), words.pgettext("alt. month", month)}
        if language != "cs":
            spellings.add(words.gettext(month[:3].casefold()))
        names |= {(number, spelling) for spelling in spellings}
    for number, name in sorted(names):
        if (language, name) in {("sv", "juni"), ("fr", "jui")}:
            continue
        short = {name.rstrip(".") + "."} if len(name) < 5 else set()
        for spelling in {name, name.casefold(), *short}:
            text = f"9. {spelling} 2026 14:05"
            assert read_by(text) == datetime(2026, number, 9, 14, 5), (text, name)


@pytest.mark.parametrize(
    "text",
    [
        "9 de enero de 2026 14:05",
        "9 janv. 2026 à 14:05",
        "vendredi 9 janvier 2026 14:05",
        "Fr., 9. Januar 2026 um 14:05 Uhr",
        "2026年1月9日 14:05",
        "2026年1月9日下午 2:05",
        "2026년 1월 9일 오후 2:05",
        "2026. 1. 9. 오후 2:05",
        "09/ene/2026 14:05",
        "9 gen 2026 14:05",
        "9 января 2026 г. 14:05",
        "January 9th, 2026 2:05 PM",
        "9 Jan 2026 2:05 p. m.",
        "9 janvier 2026 14h05",
    ],
)
def test_dates_as_people_elsewhere_write_them(text: str) -> None:
    assert read_by(text) == datetime(2026, 1, 9, 14, 5), text


def read_by(text: str) -> datetime | None:
    """One date, read as a column of it would be."""
    at = read([text], given="day-first")[0]
    return at and at.replace(tzinfo=None)


def test_where_listopad_is_october_it_is_refused_and_never_taken_for_november() -> None:
    croatian = ["9. listopada 2026", "9. rujna 2026", "10. kolovoza 2026"]
    assert read(croatian, given="day-first") == [None, None, None]
    assert read(["9. listopada 2026", "9. grudnia 2026"], given="day-first")[0] == datetime(2026, 11, 9, tzinfo=UTC)

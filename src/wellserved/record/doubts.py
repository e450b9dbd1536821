"""Facts that are kept and said: dates that stand for none, impossible orders, damaged numbers, clock changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import duckdb

from wellserved.engine.duckdb import name, text
from wellserved.mapping import Mapping
from wellserved.moments import EARLIEST, LATEST, day_number
from wellserved.record.checks import Sheet
from wellserved.record.dates import DateReading

_DAY = 86_400_000_000  # microseconds
_QUARTER = _DAY // 96
_POSSIBLE = f"BETWEEN TIMESTAMPTZ '{EARLIEST}' AND TIMESTAMPTZ '{LATEST}'"
_SHIFT = 14 * 3_600_000_000  # as far as a zone may lie from UTC
_OFTEN = 3  # times that a value before every opening must stand there to be asked about
_LISTED = 5  # values of one column that are named
_ERAS = (  # days that stand for "no date", those of one origin together
    (date(1, 1, 1),),
    (date(1753, 1, 1),),
    (date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1)),
    (date(1970, 1, 1),),
    (date(9999, 12, 31),),
)
_MODERN = (_DAY * day_number(date(1971, 1, 3)), _DAY * day_number(date(9999, 12, 29)))


def nones(
    db: duckdb.DuckDBPyConnection, readings: dict[str, DateReading], stamps: dict[str, str], zone: str
) -> dict[str, dict[str, int]]:
    """The well-known dates that stand for "no date" in each column, as they are written there, and how often.

    A column that holds other dates of those years too means them.
    """
    ends = ", ".join(f"epoch_us(min({stamp})), epoch_us(max({stamp}))" for stamp in stamps.values())
    found = db.sql(f"SELECT {ends} FROM typed").fetchall()[0] if stamps else ()
    odd = [
        column
        for place, column in enumerate(stamps)
        if found[2 * place] is not None and (found[2 * place] < _MODERN[0] or found[2 * place + 1] >= _MODERN[1])
    ]
    listed = {column: _nones_of(db, name(column), stamps[column], zone) for column in odd}
    return {column: values for column, values in listed.items() if values}


def _nones_of(db: duckdb.DuckDBPyConnection, cell: str, stamp: str, zone: str) -> dict[str, int]:
    instant = f"epoch_us({stamp})"
    values: dict[str, int] = {}
    for era in _ERAS:
        days = [_DAY * day_number(day) for day in era]
        near = " OR ".join(f"{instant} BETWEEN {day - _DAY} AND {day + 2 * _DAY}" for day in days)
        rows = db.sql(
            f"SELECT {cell}, {instant}, epoch_us(timezone('{zone}', {stamp})), count(*) FROM typed WHERE {near} "
            "GROUP BY ALL ORDER BY 4 DESC, 1 LIMIT 1000"
        ).fetchall()
        marks = [row for row in rows if _stands_for_none(days, era[-1].year, row[1], row[2])]
        year = f"{instant} BETWEEN {days[0] - 366 * _DAY} AND {days[-1] + 366 * _DAY}"
        (all_of_era,) = db.sql(f"SELECT count(*) FROM typed WHERE {year}").fetchall()[0]
        possible = 1800 < era[0].year < 2200  # else no record can mean it
        if possible and (all_of_era > sum(row[3] for row in marks) or len({row[1] for row in marks}) > len(days) + 1):
            continue
        values |= {row[0]: row[3] for row in marks}
    return values


def _stands_for_none(days: Iterable[int], year: int, instant: int, wall: int) -> bool:
    """One of the days' beginnings, in some zone; the last day of all may be named to its last second."""
    gaps = [at - day for day in days for at in (instant, wall)]
    return any(abs(gap) <= _SHIFT + _DAY * (year == 9999) and (gap % _QUARTER == 0 or year == 9999) for gap in gaps)


def none_notes(sheet: Sheet) -> dict[str, int]:
    """What was taken as missing, for the import to say."""
    notes: dict[str, int] = {}
    for column, values in sheet.nones.items():
        if column in sheet.required:
            continue  # refused, with that reason
        for value, count in list(values.items())[:_LISTED]:
            notes[f"dates {value} in {column!r} stand for “no date” and were taken as missing"] = count
        if more := sum(list(values.values())[_LISTED:]):
            notes[f"further such dates in {column!r} were taken as missing"] = more
    return notes


def zero_notes(db: duckdb.DuckDBPyConnection, mapping: Mapping) -> dict[str, int]:
    """Dates of zeros, which count as missing: how many, by column."""
    zeros = [mark for mark in mapping.missing if mark.startswith("0000-00-00")]
    columns = mapping.date_columns()
    if not zeros or not columns:
        return {}
    listed = ", ".join(map(text, zeros))
    counts = ", ".join(f"count(*) FILTER (trim({name(column)}) IN ({listed}))" for column in columns)
    found = dict(zip(columns, db.sql(f"SELECT {counts} FROM raw").fetchall()[0], strict=True))
    return {
        f"dates 0000-00-00 in {column!r} stand for “no date” and were taken as missing": found[column]
        for column in columns
    }


def mixed_notes(db: duckdb.DuckDBPyConnection, sheet: Sheet) -> dict[str, int]:
    """Columns that write their dates in several ways: how many are written otherwise than most."""
    notes: dict[str, int] = {}
    for column, reading in sheet.readings.items():
        ways = reading.ways()
        if len(ways) < 2:
            continue
        counts = db.sql(f"SELECT {', '.join(f'count(*) FILTER ({sql})' for _, sql in ways)} FROM sound").fetchall()[0]
        ordered = sorted(zip(counts, (pattern for pattern, _ in ways), strict=True), reverse=True)
        for count, pattern in ordered[1:]:
            if count:
                notes[f"dates in {column!r} are written {pattern}, most are written {ordered[0][1]}"] = count
    return notes


def order_notes(db: duckdb.DuckDBPyConnection, sheet: Sheet) -> dict[str, int]:
    """Dates that lie before their case's opening, which cannot be."""
    opening = next((rule.at for rule in sheet.mapping.moments if rule.kind == "asked"), None)
    others = [column for column in sheet.stamps if column != opening]
    if opening is None or not others:
        return {}
    opened = sheet.stamps[opening]
    early = {column: _before(sheet.stamps[column], opened, sheet.mapping.zone) for column in others}
    counts = ", ".join(f"count(*) FILTER ({early[column]})" for column in others)
    found = db.sql(f"SELECT {counts} FROM sound").fetchall()[0]
    notes: dict[str, int] = {}
    for column, count in zip(others, found, strict=True):
        if not count:
            continue
        stamp = sheet.stamps[column]
        value, often, outside = db.sql(
            f"SELECT {name(column)}, count(*), any_value({stamp}) < (SELECT min({opened}) FROM sound) "
            f"FROM sound WHERE {early[column]} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
        ).fetchall()[0]
        if often >= _OFTEN and outside:
            notes[
                f"dates {value} in {column!r} lie before every opening: "
                "if that stands for “no date”, add it to `missing` in the mapping"
            ] = often
            count -= often
        notes[f"rows have {column!r} before {opening!r}"] = count
    return notes


def _before(stamp: str, opened: str, zone: str) -> str:
    """SQL: a stamp lies before the opening; a day without a time does not lie before an hour of its own."""
    local, start = (f"timezone({text(zone)}, {one})" for one in (stamp, opened))
    same_day = f"(CAST({local} AS TIME) = TIME '00:00:00' AND CAST({local} AS DATE) = CAST({start} AS DATE))"
    return f"{stamp} < {opened} AND NOT {same_day} AND {stamp} {_POSSIBLE}"


def number_notes(db: duckdb.DuckDBPyConnection, sheet: Sheet, cases: int, rows: int) -> dict[str, int]:
    """Case numbers that a spreadsheet has shortened, and those that stand for several openings."""
    short = r"^\d([.,]\d+)?[eE]\+?\d+$"
    (shortened,) = db.sql(
        "SELECT count(*) FROM sound WHERE (contains(wellserved_case, 'E') OR contains(wellserved_case, 'e')) "
        f"AND regexp_matches(wellserved_case, '{short}')"
    ).fetchall()[0]
    said = f"rows have a number in {sheet.mapping.case!r} that a spreadsheet shortened (1.02E+11): its last digits are"
    notes = {f"{said} lost, and different cases fall into one. Export the numbers as text": shortened}
    rule = next((rule for rule in sheet.mapping.moments if rule.kind == "asked"), None)
    if rule is not None and rule.when.row is None and rule.when.column is None and rows > cases:
        opened = sheet.stamps[rule.at]
        several, openings = db.sql(
            "SELECT count(*), coalesce(sum(n), 0) FROM (SELECT count(DISTINCT opened) AS n FROM "
            f"(SELECT wellserved_case, {opened} AS opened FROM sound) GROUP BY wellserved_case HAVING min(opened) < max(opened))"
        ).fetchall()[0]
        notes[f"case numbers stand for several openings ({openings:,} in all)"] = several
    return notes


def clock_notes(db: duckdb.DuckDBPyConnection, sheet: Sheet) -> dict[str, int]:
    """Local times that the clock change skipped or repeated."""
    gap = twice = 0
    zone = f"'{sheet.mapping.zone}'"
    for column, reading in sheet.readings.items():
        local, stamp = reading.local_sql(), sheet.stamps[column]
        if local is None or reading.day_only:
            continue
        first, last = db.sql(
            f"SELECT epoch_us(min({stamp})), epoch_us(max({stamp})) FROM sound WHERE {stamp} {_POSSIBLE}"
        ).fetchall()[0]
        days = [] if first is None else _change_days(sheet.mapping.zone, first // 1_000_000, last // 1_000_000)
        if not days:
            continue
        near = f"CAST({stamp} AS DATE) IN ({', '.join(days)})"  # in UTC: a day on either side is listed
        one, two = db.sql(
            f"SELECT count(*) FILTER (timezone({zone}, u) <> l), "
            f"count(*) FILTER (timezone({zone}, u - INTERVAL 1 HOUR) = l OR timezone({zone}, u + INTERVAL 1 HOUR) = l) "
            f"FROM (SELECT {local} AS l, {stamp} AS u FROM sound WHERE {near})"
        ).fetchall()[0]
        gap, twice = gap + one, twice + two
    return {
        "stamps that the clock change skipped": gap,
        "stamps that the clock change repeated (read as standard time)": twice,
    }


def _change_days(zone: str, first: int, last: int) -> list[str]:
    """The days around each clock change of a zone between two instants (epoch seconds), as SQL literals."""
    place, day = ZoneInfo(zone), 86_400
    offsets = {at: datetime.fromtimestamp(at, place).utcoffset() for at in range(first - day, last + 2 * day, day)}
    changes = [at for at in offsets if at - day in offsets and offsets[at] != offsets[at - day]]
    around = {datetime.fromtimestamp(at + add * day, UTC).date() for at in changes for add in (-2, -1, 0, 1)}
    return [f"DATE '{one}'" for one in sorted(around)]

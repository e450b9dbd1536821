"""Facts that are kept and said: dates that stand for none, impossible orders, damaged numbers, clock changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import duckdb

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.mapping import Mapping
from wellserved.moments import EARLIEST_DATE, LATEST_DATE, day_number
from wellserved.record.checks import ReadingPlan
from wellserved.record.dates import DateReading, written_so
from wellserved.record.numbers import count_grouped

_DAY_MICROSECONDS = 86_400_000_000  # microseconds
_QUARTER_HOUR = _DAY_MICROSECONDS // 96
_IN_RANGE = f"BETWEEN TIMESTAMPTZ '{EARLIEST_DATE}' AND TIMESTAMPTZ '{LATEST_DATE}'"
_MAX_OFFSET = 14 * 3_600_000_000  # as far as a zone may lie from UTC
_FEWEST_REPEATS = 3  # times that a value before every opening must stand there to be asked about
_FIRST_LOOK = 5_000  # rows in which a time after 12:59 is looked for before all are
_FEWEST_TIMES = 10  # times of day from which it means something that none is later than 12:59
_MIN_EARLY_SHARE = 0.1  # of times between 1:00 and 6:59 above which they are no nights of a house that serves by day
_MAX_VALUES_LISTED = 5  # values of one column that are named
_SENTINEL_DAYS = (  # days that stand for "no date", those of one origin together
    (date(1, 1, 1),),
    (date(1753, 1, 1),),
    (date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1)),
    (date(1970, 1, 1),),
    *(
        (day,)
        for day in (date(2079, 6, 6), date(2099, 1, 1), date(2099, 12, 31), date(2199, 12, 31), date(2999, 12, 31))
    ),
    *((day,) for day in (date(3000, 1, 1), date(4712, 12, 31), date(9999, 12, 31))),
)
_MODERN_SPAN = (_DAY_MICROSECONDS * day_number(date(1971, 1, 3)), _DAY_MICROSECONDS * day_number(date(2079, 1, 1)))


def sentinel_dates(
    db: duckdb.DuckDBPyConnection, readings: dict[str, DateReading], stamps: dict[str, str], zone: str
) -> dict[str, dict[str, int]]:
    """The well-known dates that stand for "no date" in each column, as they are written there, and how often.

    A column that holds other dates of those years too means them.
    """
    extremes_sql = ", ".join(f"epoch_us(min({stamp})), epoch_us(max({stamp}))" for stamp in stamps.values())
    extremes = db.sql(f"SELECT {extremes_sql} FROM typed").fetchall()[0] if stamps else ()
    suspect_columns = [
        column
        for index, column in enumerate(stamps)
        if extremes[2 * index] is not None
        and (extremes[2 * index] < _MODERN_SPAN[0] or extremes[2 * index + 1] >= _MODERN_SPAN[1])
    ]
    sentinels = {column: _column_sentinels(db, quote_name(column), stamps[column], zone) for column in suspect_columns}
    return {column: values for column, values in sentinels.items() if values}


def _column_sentinels(db: duckdb.DuckDBPyConnection, cell: str, stamp: str, zone: str) -> dict[str, int]:
    instant = f"epoch_us({stamp})"
    values: dict[str, int] = {}
    for era in _SENTINEL_DAYS:
        days = [_DAY_MICROSECONDS * day_number(day) for day in era]
        near_era = " OR ".join(
            f"{instant} BETWEEN {day - _DAY_MICROSECONDS} AND {day + 2 * _DAY_MICROSECONDS}" for day in days
        )
        rows = db.sql(
            f"SELECT {cell}, {instant}, epoch_us(timezone('{zone}', {stamp})), count(*) FROM typed WHERE {near_era} "
            "GROUP BY ALL ORDER BY 4 DESC, 1 LIMIT 1000"
        ).fetchall()
        sentinel_rows = [row for row in rows if _is_sentinel(days, era[-1].year, row[1], row[2])]
        in_years = f"{instant} BETWEEN {days[0] - 366 * _DAY_MICROSECONDS} AND {days[-1] + 366 * _DAY_MICROSECONDS}"
        (era_count,) = db.sql(f"SELECT count(*) FROM typed WHERE {in_years}").fetchall()[0]
        is_plausible = 1800 < era[0].year < 2200  # else no record can mean it
        if is_plausible and (
            era_count > sum(row[3] for row in sentinel_rows) or len({row[1] for row in sentinel_rows}) > len(days) + 1
        ):
            continue
        values |= {row[0]: row[3] for row in sentinel_rows}
    return values


def _is_sentinel(days: Iterable[int], year: int, instant: int, wall_time: int) -> bool:
    """One of the days' beginnings, in some zone; the last day of all may be named to its last second."""
    gaps = [time_point - day for day in days for time_point in (instant, wall_time)]
    return any(
        abs(gap) <= _MAX_OFFSET + _DAY_MICROSECONDS * (year == 9999) and (gap % _QUARTER_HOUR == 0 or year == 9999)
        for gap in gaps
    )


def sentinel_notes(plan: ReadingPlan) -> dict[str, int]:
    """What was taken as missing, for the import to say."""
    notes: dict[str, int] = {}
    for column, values in plan.sentinels.items():
        if column in plan.required:
            continue  # refused, with that reason
        for value, count in list(values.items())[:_MAX_VALUES_LISTED]:
            notes[f"dates {value} in {column!r} stand for “no date” and were taken as missing"] = count
        if further_count := sum(list(values.values())[_MAX_VALUES_LISTED:]):
            notes[f"further such dates in {column!r} were taken as missing"] = further_count
    return notes


def zero_notes(db: duckdb.DuckDBPyConnection, mapping: Mapping) -> dict[str, int]:
    """Dates of zeros, which count as missing: how many, by column."""
    zeros = [mark for mark in mapping.missing if mark.startswith("0000-00-00")]
    columns = mapping.date_columns()
    if not zeros or not columns:
        return {}
    zero_list = ", ".join(map(quote_text, zeros))
    is_zero = "CASE WHEN contains({cell}, '0000-00-00') THEN trim({cell}) IN ({zeros}) END"  # few cells are trimmed
    counts_sql = ", ".join(
        f"count(*) FILTER ({is_zero.format(cell=quote_name(column), zeros=zero_list)})" for column in columns
    )
    zero_counts = dict(zip(columns, db.sql(f"SELECT {counts_sql} FROM raw").fetchall()[0], strict=True))
    return {
        f"dates 0000-00-00 in {column!r} stand for “no date” and were taken as missing": zero_counts[column]
        for column in columns
    }


def mixed_notes(db: duckdb.DuckDBPyConnection, plan: ReadingPlan) -> dict[str, int]:
    """Columns that write their dates in several ways: how many are written otherwise than most."""
    notes: dict[str, int] = {}
    for column, reading in plan.readings.items():
        styles = reading.styles()
        if len(styles) < 2:
            continue
        counts = db.sql(f"SELECT {', '.join(f'count(*) FILTER ({sql})' for _, sql in styles)} FROM sound").fetchall()[0]
        ranked_styles = sorted(zip(counts, (pattern for pattern, _ in styles), strict=True), reverse=True)
        for count, pattern in ranked_styles[1:]:
            if count:
                notes[
                    f"dates in {column!r} are written like {written_so(pattern)}, most are written like {written_so(ranked_styles[0][1])}"
                ] = count
    return notes


def group_notes(db: duckdb.DuckDBPyConnection, plan: ReadingPlan) -> dict[str, int]:
    """Numbers whose dots were read as standing between thousands."""
    return {
        f"numbers such as 1.435 in {column!r} were read with a dot between the thousands": count_grouped(
            db, "sound", column
        )
        for column in sorted(plan.commas)
    }


def order_notes(db: duckdb.DuckDBPyConnection, plan: ReadingPlan) -> dict[str, int]:
    """Dates that lie before their case's opening, which cannot be."""
    opening = next((rule.at for rule in plan.mapping.moments if rule.kind == "asked"), None)
    other_columns = [column for column in plan.stamps if column != opening]
    if opening is None or not other_columns:
        return {}
    opening_stamp = plan.stamps[opening]
    early_filters = {
        column: _before_sql(plan.stamps[column], opening_stamp, plan.mapping.zone) for column in other_columns
    }
    counts_sql = ", ".join(f"count(*) FILTER ({early_filters[column]})" for column in other_columns)
    early_counts = db.sql(f"SELECT {counts_sql} FROM sound").fetchall()[0]
    notes: dict[str, int] = {}
    for column, count in zip(other_columns, early_counts, strict=True):
        if not count:
            continue
        stamp = plan.stamps[column]
        value, repeats, is_before_all = db.sql(
            f"SELECT {quote_name(column)}, count(*), any_value({stamp}) < (SELECT min({opening_stamp}) FROM sound) "
            f"FROM sound WHERE {early_filters[column]} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
        ).fetchall()[0]
        if repeats >= _FEWEST_REPEATS and is_before_all:
            notes[
                f"dates {value} in {column!r} lie before every opening: "
                "if that stands for “no date”, add it to `missing` in the mapping"
            ] = repeats
            count -= repeats
        notes[f"rows have {column!r} before {opening!r}"] = count
    return notes


def _before_sql(stamp: str, opening_stamp: str, zone: str) -> str:
    """SQL: a stamp lies before the opening; a day without a time does not lie before an hour of its own."""
    local_stamp, local_opening = (f"timezone({quote_text(zone)}, {instant})" for instant in (stamp, opening_stamp))
    same_day = f"(CAST({local_stamp} AS TIME) = TIME '00:00:00' AND CAST({local_stamp} AS DATE) = CAST({local_opening} AS DATE))"
    return f"CASE WHEN {stamp} < {opening_stamp} THEN NOT {same_day} AND {stamp} {_IN_RANGE} ELSE false END"


def case_number_notes(db: duckdb.DuckDBPyConnection, plan: ReadingPlan, cases: int, rows: int) -> dict[str, int]:
    """Case numbers that a spreadsheet has shortened, and those that stand for several openings."""
    shortened_pattern = r"^\d([.,]\d+)?[eE]\+?\d+$"
    (shortened_count,) = db.sql(
        "SELECT count(*) FROM sound WHERE (contains(wellserved_case, 'E') OR contains(wellserved_case, 'e')) "
        f"AND regexp_matches(wellserved_case, '{shortened_pattern}')"
    ).fetchall()[0]
    sentence = (
        f"rows have a number in {plan.mapping.case!r} that a spreadsheet shortened (1.02E+11): its last digits are"
    )
    notes = {f"{sentence} lost, and different cases fall into one. Export the numbers as text": shortened_count}
    rule = next((rule for rule in plan.mapping.moments if rule.kind == "asked"), None)
    if rule is not None and rule.condition.row is None and rule.condition.column is None and rows > cases:
        opening_stamp = plan.stamps[rule.at]
        reused_numbers, openings = db.sql(
            "SELECT count(*), coalesce(sum(n), 0) FROM (SELECT count(DISTINCT opened) AS n FROM "
            f"(SELECT wellserved_case, {opening_stamp} AS opened FROM sound) GROUP BY wellserved_case HAVING min(opened) < max(opened))"
        ).fetchall()[0]
        notes[f"case numbers stand for several openings ({openings:,} in all)"] = reused_numbers
    return notes


def half_day_notes(db: duckdb.DuckDBPyConnection, plan: ReadingPlan) -> dict[str, int]:
    """Times that go from 1 to 12 o'clock alone, nights among them: afternoons may be written 1 to 6."""
    notes: dict[str, int] = {}
    for column, reading in plan.readings.items():
        local = reading.local_sql()
        if local is None or reading.is_day_only or any("%p" in form.pattern for form in reading.formats):
            continue
        for limit in (f"LIMIT {_FIRST_LOOK}", ""):  # most columns show a time after one o'clock at once
            first, last, early_count, count = db.sql(
                "SELECT min(h), max(h), count(*) FILTER (h BETWEEN 1 AND 6), count(*) "
                f"FROM (SELECT hour({local}) AS h FROM sound {limit}) WHERE h IS NOT NULL"
            ).fetchall()[0]
            is_half_day = count > 0 and 1 <= first <= last <= 12
            if not is_half_day:
                break
        if is_half_day and count >= _FEWEST_TIMES and early_count > _MIN_EARLY_SHARE * count:
            notes[
                f"times in {column!r} all lie between 1:00 and 12:59: if the export leaves out AM and PM, afternoons are read as "
                "nights; export them with 24 hours"
            ] = early_count
    return notes


def clock_notes(db: duckdb.DuckDBPyConnection, plan: ReadingPlan) -> dict[str, int]:
    """Local times that the clock change skipped or repeated."""
    skip_count = repeat_count = 0
    zone = f"'{plan.mapping.zone}'"
    for column, reading in plan.readings.items():
        local, stamp = reading.local_sql(), plan.stamps[column]
        if local is None or reading.is_day_only:
            continue
        first, last = db.sql(
            f"SELECT epoch_us(min({stamp})), epoch_us(max({stamp})) FROM sound WHERE {stamp} {_IN_RANGE}"
        ).fetchall()[0]
        days = [] if first is None else _clock_change_days(plan.mapping.zone, first // 1_000_000, last // 1_000_000)
        if not days:
            continue
        near_change = f"CAST({stamp} AS DATE) IN ({', '.join(days)})"  # in UTC: a day on either side is listed
        skips, repeats = db.sql(
            f"SELECT count(*) FILTER (timezone({zone}, u) <> l), "
            f"count(*) FILTER (timezone({zone}, u - INTERVAL 1 HOUR) = l OR timezone({zone}, u + INTERVAL 1 HOUR) = l) "
            f"FROM (SELECT {local} AS l, {stamp} AS u FROM sound WHERE {near_change})"
        ).fetchall()[0]
        skip_count, repeat_count = skip_count + skips, repeat_count + repeats
    return {
        "stamps that the clock change skipped": skip_count,
        "stamps that the clock change repeated (read as standard time)": repeat_count,
    }


def _clock_change_days(zone: str, first: int, last: int) -> list[str]:
    """The days around each clock change of a zone between two instants (epoch seconds), as SQL literals."""
    zone_info, day_length = ZoneInfo(zone), 86_400
    offsets = {
        instant: datetime.fromtimestamp(instant, zone_info).utcoffset()
        for instant in range(first - day_length, last + 2 * day_length, day_length)
    }
    changes = [
        instant
        for instant in offsets
        if instant - day_length in offsets and offsets[instant] != offsets[instant - day_length]
    ]
    nearby_days = {
        datetime.fromtimestamp(instant + shift * day_length, UTC).date()
        for instant in changes
        for shift in (-2, -1, 0, 1)
    }
    return [f"DATE '{change_day}'" for change_day in sorted(nearby_days)]

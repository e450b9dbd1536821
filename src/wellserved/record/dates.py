"""How a column writes its dates: decided over the whole column, refused where the column cannot decide."""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from wellserved.engine.duckdb import name, text
from wellserved.errors import MappingError
from wellserved.mapping import DateOrder

_STAMP = re.compile(
    r"(?P<day>(?P<a>\d{4}|\d{1,2}|[A-Za-z]{3,9})(?P<s1>[-/. ])(?P<b>\d{1,2}|[A-Za-z]{3,9})(?P<s2>[-/. ]|, )(?P<c>\d{4}|\d{1,2}))"
    r"(?:(?P<gap>T| {1,2}|, )(?P<h>\d{1,2}):\d{2}(?P<sec>:\d{2})?(?P<frac>[.,]\d{1,9})?(?P<pm> ?[AaPp][Mm])?"
    r"(?P<zone> ?(?:Z|UTC|GMT|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?))?)?"
)
_EPOCH = re.compile(r"1\d{9}(?:\d{3})?")
LOOKS = 4  # times to look for a way of writing that the sample did not show
CONFLICT = 0.02  # share of values that may contradict the order that the others show


@dataclass(frozen=True)
class DateFormat:
    """One way of writing a point in time."""

    order: DateOrder
    pattern: str  # strptime
    day: str  # its part without the time of day
    zone: str  # "local", "utc" or "offset"


@dataclass(frozen=True)
class DateReading:
    """How one column is read."""

    column: str
    formats: tuple[DateFormat, ...]
    contradicting: int  # values that make sense only in the other order of day and month; they are refused
    epoch: bool = False

    @property
    def day_only(self) -> bool:
        """No value carries a time of day."""
        return not self.epoch and all("%H" not in form.pattern and "%I" not in form.pattern for form in self.formats)

    def sql(self, zone: str) -> str:
        """The column as TIMESTAMP WITH TIME ZONE; missing where a value cannot be read."""
        raw = name(self.column)
        if self.epoch:
            number = f"try_cast({raw} AS BIGINT)"
            scaled = f"CASE WHEN {number} > 99999999999 THEN {number} * 1000 ELSE {number} * 1000000 END"
            return f"CASE WHEN {number} BETWEEN 0 AND 9999999999999 THEN make_timestamptz({scaled}) END"
        parts = []
        for where in ("local", "utc", "offset"):
            patterns = [text(form.pattern) for form in self.formats if form.zone == where]
            if not patterns:
                continue
            parsed = f"try_strptime({raw}, [{', '.join(patterns)}])"
            if any("%n" in pattern for pattern in patterns):  # nanoseconds are rounded to the log's microseconds
                parsed = f"CAST({parsed} AS {'TIMESTAMPTZ' if where == 'offset' else 'TIMESTAMP'})"
            if where == "offset":  # the parser takes +99:99 for an offset
                parsed = f"CASE WHEN regexp_matches({raw}, '[+-](0[0-9]|1[0-4]):?([0-5][0-9])?$') THEN {parsed} END"
            parts.append(
                parsed if where == "offset" else f"timezone({text(zone if where == 'local' else 'UTC')}, {parsed})"
            )
        return f"coalesce({', '.join(parts)})" if parts else "CAST(NULL AS TIMESTAMPTZ)"

    def local_sql(self) -> str | None:
        """The local stamps as written, without zone; None where the column names its zone."""
        patterns = [text(form.pattern) for form in self.formats if form.zone == "local"]
        parsed = f"try_strptime({name(self.column)}, [{', '.join(patterns)}])"
        return f"CAST({parsed} AS TIMESTAMP)" if patterns else None

    def in_words(self) -> str:
        """The way of writing, for a message."""
        if self.epoch:
            return "seconds or milliseconds since 1970"
        return " or ".join(sorted({form.pattern for form in self.formats})) or "no known way of writing dates"


def _month(word: str) -> str:
    return "%b" if len(word) == 3 else "%B"


def _clock(match: re.Match[str]) -> str:
    if not match["h"]:
        return ""
    seconds = ":%S" if match["sec"] else ""
    fraction = f"{match['frac'][0]}%f" if match["frac"] and len(match["frac"]) <= 7 else ""
    if match["frac"] and not fraction:
        fraction = f"{match['frac'][0]}%n"
    half = match["pm"].replace(match["pm"].strip(), "%p") if match["pm"] else ""
    return f"{match['gap']}{'%I' if half else '%H'}:%M{seconds}{fraction}{half}"


def formats_of(value: str) -> list[DateFormat]:
    """Every way in which one value could be read: two for 03/04/2015, one for 2015-04-03, none for a word."""
    match = _STAMP.fullmatch(value.strip())
    if match is None:
        return []
    a, b, c = match["a"], match["b"], match["c"]
    glue = (match["s1"], match["s2"])
    zone = (match["zone"] or "").strip()
    tail = _clock(match)
    where = "local" if not zone else "offset" if zone[0] in "+-" else "utc"
    if zone:
        tail += match["zone"].replace(zone, "%z" if where == "offset" else zone)
    year = "%Y" if len(c) == 4 else "%y"

    def form(order: DateOrder, one: str, two: str, three: str) -> DateFormat:
        day = f"{one}{glue[0]}{two}{glue[1]}{three}"
        return DateFormat(order, day + tail, day, where)

    if len(a) == 4 and a.isdigit():
        month = "%m" if b.isdigit() else _month(b)
        return [form("year-first", "%Y", month, "%d")] if len(c) <= 2 else []
    if not a.isdigit():
        return [form("month-first", _month(a), "%d", year)] if b.isdigit() else []
    if not b.isdigit():
        return [form("day-first", "%d", _month(b), year)]
    if " " in glue:
        return []
    return [form("month-first", "%m", "%d", year), form("day-first", "%d", "%m", year)]


def decide(
    db: duckdb.DuckDBPyConnection, table: str, column: str, present: str, given: DateOrder | None
) -> DateReading:
    """Read the whole column, held trimmed in `table`; `present` is SQL for "this cell has a value".

    Raises MappingError where every value makes sense both ways round, or the column contradicts itself.
    """
    raw = name(column)
    pool: set[DateFormat] = set()
    reading = DateReading(column, (), 0)
    for _ in range(LOOKS):
        unread = f"{present} AND {reading.sql('UTC')} IS NULL"
        values = _fetch(db, f"SELECT DISTINCT v FROM (SELECT {raw} AS v FROM {table} WHERE {unread} LIMIT 2000)")
        found = {form for value in values for form in formats_of(value)} - pool
        if not pool and values and all(_EPOCH.fullmatch(value) for value in values):
            return DateReading(column, (), 0, epoch=True)
        if not found:
            break
        pool |= found
        reading = _choose(db, table, column, pool, given)
    return reading


def _fetch(db: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return [str(row[0]) for row in db.sql(sql).fetchall()]


def _choose(
    db: duckdb.DuckDBPyConnection, table: str, column: str, pool: set[DateFormat], given: DateOrder | None
) -> DateReading:
    """Day first or month first, by the days that only one of them can read."""
    certain = {form for form in pool if form.order == "year-first" or "%b" in form.day.lower()}
    month, day = ({form for form in pool - certain if form.order == order} for order in ("month-first", "day-first"))
    if not (month or day):
        return _reading(column, certain, 0)
    if given:
        return _reading(column, certain | {form for form in pool if form.order == given}, 0)
    # The days alone are few, however many stamps there are: only they are tried both ways.
    days = f"SELECT split_part(split_part({name(column)}, ' ', 1), 'T', 1) AS d, count(*) AS n FROM {table} GROUP BY d"
    only_month, only_day, either = db.sql(
        f"SELECT coalesce(sum(n) FILTER (m AND NOT d), 0), coalesce(sum(n) FILTER (d AND NOT m), 0), "
        f"coalesce(sum(n) FILTER (m AND d), 0) "
        f"FROM (SELECT n, {_reads(month)} AS m, {_reads(day)} AS d FROM ({days}))"
    ).fetchall()[0]
    if not only_month and not only_day and either:
        raise MappingError(
            f"In column {column!r} every date makes sense day-first and month-first.",
            f'Say which it is in the mapping: [dates] "{column}" = "day-first" (or "month-first").',
        )
    less, more = sorted((int(only_month), int(only_day)))
    if less > CONFLICT * (less + more):
        raise MappingError(
            f"Column {column!r} mixes day-first ({only_day} dates) and month-first ({only_month} dates).",
            f'Split the file, or say which holds: [dates] "{column}" = "day-first"; the others are then refused.',
        )
    return _reading(column, certain | (month if only_month >= only_day else day), less)


def _reads(forms: set[DateFormat]) -> str:
    listed = ", ".join(sorted(text(form.day) for form in forms))
    return f"try_strptime(d, [{listed}]) IS NOT NULL" if listed else "false"


def _reading(column: str, forms: set[DateFormat], contradicting: int) -> DateReading:
    return DateReading(column, tuple(sorted(forms, key=lambda form: (form.zone, form.pattern))), contradicting)

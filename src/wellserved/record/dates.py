"""How a column writes its dates: decided over the whole column, refused where the column cannot decide."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from wellserved.engine.duckdb import name, text
from wellserved.errors import MappingError
from wellserved.mapping import DateOrder

_STAMP = re.compile(
    r"(?P<day>(?P<a>\d{4}|\d{1,2}|[A-Za-z]{3,9})(?P<s1>[-/. ])(?P<b>\d{1,2}|[A-Za-z]{3,9})(?P<s2>[-/. ]|, )(?P<c>\d{4}|\d{1,2}))"
    r"(?:(?P<gap>T| {1,2}|, )(?P<h>\d{1,2}):\d{2}(?P<sec>:\d{2})?(?P<frac>[.,]\d{1,9})?(?P<pm> ?[AaPp][Mm])?"
    r"(?P<zone> ?(?:Z|UTC|GMT|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?))?)?"
)
_EPOCH = re.compile(r"1\d{9}(?:\d{3}|\.\d+)?")
_ZERO = re.compile(r"0(?:\.0+)?")  # an unset date, where the others are seconds since 1970
_DAYS = re.compile(r"[2-7]\d{4}(?:\.\d+)?")  # 1954 to 2119 as a spreadsheet numbers days
_WORD_ZONE = re.compile(r"[0-9M] ?([A-Z]{2,5})")
LOOKS = 4  # times to look for a way of writing that the sample did not show
CONFLICT = 0.02  # share of values that may contradict the order that the others show

_ZONES = {  # hours from UTC, as RFC 2822 reads them; and what Central Europe writes
    **dict.fromkeys(("EST", "CDT"), "-0500"),
    **dict.fromkeys(("CST", "MDT"), "-0600"),
    **dict.fromkeys(("MST", "PDT"), "-0700"),
    "EDT": "-0400",
    "PST": "-0800",
    "CET": "+0100",
    "CEST": "+0200",
}
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
TIDY: tuple[tuple[str, str], ...] = (
    (r"[\s\x{a0}\x{2009}\x{202f}]+", " "),
    (r" \([^()]*\)$", ""),  # (Central European Standard Time)
    (r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? ", ""),
    (rf"^([A-Z][a-z]+ \d{{1,2}}) ({_CLOCK}(?: [A-Z]{{2,5}})?) (\d{{4}})$", r"\1 \3 \2"),  # Nov 28 21:58:08 2026
    (r" ?(?:GMT|UTC)([+-]\d)", r" \1"),
    *((rf" {zone}$", f" {offset}") for zone, offset in _ZONES.items()),
    (r"^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", r"\1-\2-\3T\4:\5:\6"),  # 20260109T090000Z
    (r"^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(Z|[+-]|$)", r"\1-\2-\3T\4:\5\6"),
)
"""What is written otherwise before a value is read: RE2 pattern and replacement, applied in this order."""
_TIDY = [(re.compile(re.sub(r"\\x\{(\w+)\}", lambda code: chr(int(code[1], 16)), odd)), plain) for odd, plain in TIDY]


@dataclass(frozen=True)
class DateFormat:
    """One way of writing a point in time."""

    order: DateOrder
    pattern: str  # strptime
    day: str  # its part without the time of day
    zone: str  # "local", "utc" or "offset"

    @property
    def timed(self) -> bool:
        """It carries a time of day."""
        return self.pattern != self.day


@dataclass(frozen=True)
class DateReading:
    """How one column is read."""

    column: str
    formats: tuple[DateFormat, ...]
    contradicting: int  # values that make sense only in the other order of day and month; they cannot be read
    epoch: bool = False  # seconds or milliseconds since 1970
    days: bool = False  # a spreadsheet's day numbers
    tidy: tuple[int, ...] = ()  # steps of TIDY that its values need
    hint: str = ""  # what its unreadable values look like
    order: DateOrder | None = None  # of day and month, where the column could be read either way round

    @property
    def day_only(self) -> bool:
        """No value carries a time of day."""
        return not self.epoch and not self.days and not any(form.timed for form in self.formats)

    @property
    def cell(self) -> str:
        """SQL: the column's text as its formats read it."""
        shown = name(self.column)
        for step in self.tidy:
            shown = f"regexp_replace({shown}, {text(TIDY[step][0])}, {text(TIDY[step][1])}, 'g')"
        return shown

    def sql(self, zone: str) -> str:
        """The column as TIMESTAMP WITH TIME ZONE; missing where a value cannot be read."""
        if self.epoch:
            number = f"try_cast({name(self.column)} AS DECIMAL(20, 6))"
            scaled = f"CAST({number} * CASE WHEN {number} > 99999999999 THEN 1000 ELSE 1000000 END AS BIGINT)"
            return f"CASE WHEN {number} BETWEEN 0 AND 9999999999999 THEN make_timestamptz({scaled}) END"
        if self.days:
            number = f"try_cast({name(self.column)} AS DOUBLE)"
            local = f"TIMESTAMP '1899-12-30' + to_seconds(round({number} * 86400))"
            return f"CASE WHEN {number} BETWEEN 0 AND 2958465 THEN timezone({text(zone)}, {local}) END"
        parts = []
        for where in ("local", "utc", "offset"):
            for year in ("%Y", "%y"):
                forms = [form for form in self.formats if form.zone == where and year in form.day]
                if forms:
                    parsed = self._parsed(forms)
                    at = "UTC" if where == "utc" else zone
                    parts.append(parsed if where == "offset" else f"timezone({text(at)}, {parsed})")
        return f"coalesce({', '.join(parts)})" if parts else "CAST(NULL AS TIMESTAMPTZ)"

    def _parsed(self, forms: list[DateFormat]) -> str:
        """SQL: the stamps that these formats read, all with a year of four digits or all of two."""
        parsed = f"try_strptime({self.cell}, [{', '.join(text(form.pattern) for form in forms)}])"
        offset = forms[0].zone == "offset"
        if any("%n" in form.pattern for form in forms):  # nanoseconds are rounded to the log's microseconds
            parsed = f"CAST({parsed} AS {'TIMESTAMPTZ' if offset else 'TIMESTAMP'})"
        if offset:  # the parser takes +99:99 for an offset
            parsed = f"CASE WHEN regexp_matches({self.cell}, '[+-](0[0-9]|1[0-4]):?([0-5][0-9])?$') THEN {parsed} END"
        if "%Y" in forms[0].day:  # the parser takes 13 for the year 13
            whole = f"regexp_matches({self.cell}, '(^|[^0-9])[0-9]{{4}}([^0-9]|$)')"
            parsed = f"CASE WHEN year({parsed}) >= 1000 OR {whole} THEN {parsed} END"
        return parsed

    def local_sql(self) -> str | None:
        """The local stamps as written, without zone; None where the column names its zone."""
        parts = []
        for year in ("%Y", "%y"):
            forms = [form for form in self.formats if form.zone == "local" and year in form.day]
            if forms:
                parts.append(f"CAST({self._parsed(forms)} AS TIMESTAMP)")
        return f"coalesce({', '.join(parts)})" if parts else None

    def ways(self) -> list[tuple[str, str]]:
        """The ways of writing that differ in more than detail, each as an example pattern and SQL for "written so"."""
        sorts: dict[tuple[str, str, bool], list[DateFormat]] = {}
        for form in self.formats:
            sorts.setdefault((form.day, "local" if form.zone == "local" else "zone", form.timed), []).append(form)
        return [(forms[0].pattern, f"{self._parsed(forms)} IS NOT NULL") for forms in sorts.values()]

    def in_words(self) -> str:
        """The way of writing, for a message."""
        if self.epoch:
            return "seconds or milliseconds since 1970"
        if self.days:
            return "a spreadsheet's day number"
        return " or ".join(sorted({form.pattern for form in self.formats})) or "no known way of writing dates"

    def reason(self) -> str:
        """Why a value is refused that this reading cannot read."""
        plain = (
            f"is not a date written as {self.in_words()}" if self.formats or self.epoch or self.days else "is no date"
        )
        return f"{plain}{self.hint}"


def _tidied(value: str) -> tuple[str, set[int]]:
    """The value as its formats read it, and the steps of TIDY that changed it."""
    steps = set()
    for place, (odd, plain) in enumerate(_TIDY):
        after = odd.sub(plain, value)
        if after != value:
            steps.add(place)
        value = after
    return value, steps


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
    match = _STAMP.fullmatch(_tidied(value.strip())[0])
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
    either = [form("month-first", "%m", "%d", year), form("day-first", "%d", "%m", year)]
    return either if len(c) == 4 or len(a) == 1 else [*either, form("year-first", "%y", "%m", "%d")]


def decide(
    db: duckdb.DuckDBPyConnection, table: str, column: str, present: str, given: DateOrder | None
) -> DateReading:
    """Read the whole column, held trimmed in `table`; `present` is SQL for "this cell has a value".

    Raises MappingError where every value makes sense both ways round, or the column contradicts itself.
    """
    if given == "excel-days":
        return DateReading(column, (), 0, days=True)
    pool: set[DateFormat] = set()
    steps: set[int] = set()
    reading = DateReading(column, (), 0)
    values: list[str] = []
    for _ in range(LOOKS):
        unread = f"{present} AND {reading.sql('UTC')} IS NULL"
        values = _fetch(
            db, f"SELECT DISTINCT v FROM (SELECT {name(column)} AS v FROM {table} WHERE {unread} LIMIT 2000)"
        )
        if not pool and _are_epochs(values):
            return DateReading(column, (), 0, epoch=True)
        readable = [(forms, _tidied(value.strip())[1]) for value in values if (forms := formats_of(value))]
        before = len(pool), len(steps)
        pool, steps = pool.union(*(forms for forms, _ in readable)), steps.union(*(needed for _, needed in readable))
        if before == (len(pool), len(steps)):
            break
        reading = _choose(db, table, replace(reading, tidy=tuple(sorted(steps))), pool, given)
    return replace(reading, hint=_hint(column, values))


def _are_epochs(values: Sequence[str]) -> bool:
    sure = [value for value in values if _EPOCH.fullmatch(value)]
    return bool(sure) and len(sure) + sum(_ZERO.fullmatch(value) is not None for value in values) == len(values)


def _hint(column: str, unread: Sequence[str]) -> str:
    """What values look like that no format reads."""
    if unread and all(_DAYS.fullmatch(value) for value in unread):
        return f'; if it is a spreadsheet\'s day number, say so in the mapping: [dates] "{column}" = "excel-days"'
    zones = {found[1] for value in unread if (found := _WORD_ZONE.search(value)) and value.endswith(found[1])}
    if zones := zones - {"AM", "PM"}:
        return f"; {' and '.join(sorted(zones)[:3])} may stand for several time zones: write an offset such as +05:30"
    return ""


def _fetch(db: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return [str(row[0]) for row in db.sql(sql).fetchall()]


def _choose(
    db: duckdb.DuckDBPyConnection, table: str, reading: DateReading, pool: set[DateFormat], given: DateOrder | None
) -> DateReading:
    """Day first or month first, by the days that only one of them can read."""
    certain = {form for form in pool if "%b" in form.day.lower() or (form.order == "year-first" and "%Y" in form.day)}
    month, day = ({form for form in pool - certain if form.order == order} for order in ("month-first", "day-first"))
    if not (month or day):
        return _reading(reading, certain, 0)
    if given:
        return _reading(reading, certain | {form for form in pool if form.order == given}, 0)
    # The days alone are few, however many stamps there are: only they are tried both ways.
    days = f"SELECT split_part(split_part({reading.cell}, ' ', 1), 'T', 1) AS d, count(*) AS n FROM {table} GROUP BY d"
    only_month, only_day, either = db.sql(
        f"SELECT coalesce(sum(n) FILTER (m AND NOT d), 0), coalesce(sum(n) FILTER (d AND NOT m), 0), "
        f"coalesce(sum(n) FILTER (m AND d), 0) "
        f"FROM (SELECT n, {_reads(month)} AS m, {_reads(day)} AS d FROM ({days}))"
    ).fetchall()[0]
    if not only_month and not only_day and either:
        raise MappingError(
            f"In column {reading.column!r} every date makes sense day-first and month-first.",
            f'Say which it is in the mapping: [dates] "{reading.column}" = "day-first" (or "month-first").',
        )
    less, more = sorted((int(only_month), int(only_day)))
    if less > CONFLICT * (less + more):
        raise MappingError(
            f"Column {reading.column!r} mixes day-first ({only_day} dates) and month-first ({only_month} dates).",
            f'Split the file, or say which holds: [dates] "{reading.column}" = "day-first"; the others are then not read.',
        )
    _no_year_first(db, days, reading.column, {form for form in pool - certain if form.order == "year-first"})
    order: DateOrder = "month-first" if only_month >= only_day else "day-first"
    return _reading(reading, certain | (month if order == "month-first" else day), less, order)


def _no_year_first(db: duckdb.DuckDBPyConnection, days: str, column: str, forms: set[DateFormat]) -> None:
    """Of 22-04-15 the first part is a year where it differs less than the last over the column."""
    if not forms:
        return
    first, last = db.sql(
        f"SELECT count(DISTINCT left(d, 2)), count(DISTINCT right(d, 2)) FROM ({days}) WHERE {_reads(forms)}"
    ).fetchall()[0]
    if first < last:
        raise MappingError(
            f"In column {column!r} the dates have years of two digits, which may stand first or last.",
            f'Say which it is in the mapping: [dates] "{column}" = "year-first" (or "day-first", "month-first").',
        )


def _reads(forms: set[DateFormat]) -> str:
    sides = [
        (f"[{', '.join(listed)}]", "regexp_matches(d, '[0-9]{4}')" if year == "%Y" else "true")
        for year in ("%Y", "%y")
        if (listed := sorted({text(form.day) for form in forms if year in form.day}))
    ]
    return " OR ".join(f"(try_strptime(d, {listed}) IS NOT NULL AND {sure})" for listed, sure in sides) or "false"


def _reading(
    reading: DateReading, forms: set[DateFormat], contradicting: int, order: DateOrder | None = None
) -> DateReading:
    listed = tuple(sorted(forms, key=lambda form: (form.zone, form.pattern)))
    return replace(reading, formats=listed, contradicting=contradicting, order=order)

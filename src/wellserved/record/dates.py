"""How a column writes its dates: decided over the whole column, refused where the column cannot decide."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import duckdb

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.errors import MappingError
from wellserved.mapping import DateOrder
from wellserved.record.month_names import CROATIAN_MONTHS, NOVEMBER_OR_OCTOBER, month_rules

_STAMP = re.compile(
    r"(?P<day>(?P<a>\d{4}|\d{1,2}|[A-Za-z]{3,9})(?P<s1>[-/. ])(?P<b>\d{1,2}|[A-Za-z]{3,9})(?P<s2>[-/. ]|, )(?P<c>\d{4}|\d{1,2}))"
    r"(?:(?P<gap>T| {1,2}|, )(?P<h>\d{1,2}):\d{2}(?P<sec>:\d{2})?(?P<frac>[.,]\d{1,9})?(?P<pm> ?[AaPp][Mm])?"
    r"(?P<zone> ?(?:Z|UTC|GMT|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?))?)?"
)
_EPOCH = re.compile(r"1\d{9}(?:\d{3}|\.\d+)?")
_ZERO_NUMBER = re.compile(r"0(?:\.0+)?")  # an unset date, where the others are seconds since 1970
_DAY_NUMBER = re.compile(r"[2-7]\d{4}(?:\.\d+)?")  # 1954 to 2119 as a spreadsheet numbers days
_ZONE_NAME = re.compile(r"[0-9M] ?([A-Z]{2,5})")
MAX_PASSES = 4  # times to look for a way of writing that the sample did not show
MAX_CONFLICT_SHARE = 0.02  # share of values that may contradict the order that the others show

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
MIDNIGHT = r"[ T]0?0:00(:00([.,]0+)?)?$"  # behind a day whose time of day is not told
_COMPACT_DAY = r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
NORMALISATION_RULES: tuple[tuple[str, str], ...] = (
    (r"[\s\x{a0}\x{2009}\x{202f}]+", " "),
    (r" \([^()]*\)$", ""),  # (Central European Standard Time)
    (r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? ", ""),
    (
        r"(?i)^(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|(?:mo|di|mi|do|fr|sa|so)[.,]|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo)[.,]* ",
        "",
    ),
    (
        r"(?i)^(?:po|út|st|čt|pá|so|ne|pon|wt|śr|czw|pt|sob|ndz|nd|man|mån|tir|tis|ons|tor|tors|fre|lør|lör|søn|sön|вт|ср|чт|пт|сб|вс|пн)[.,]* (\d)",
        r"\1",
    ),
    (r"(?i) (?:pazartesi|salı|çarşamba|perşembe|cumartesi|cuma|pazar)( |$)", r"\1"),  # 9 Mart 2026 Pazartesi 14:05
    (rf"^{_COMPACT_DAY}( \d{{1,2}}:.*)?$", r"\1-\2-\3\4"),  # 20260109, and with a time of day from another column
    (rf"^{_COMPACT_DAY}([01]\d|2[0-3])([0-5]\d)$", r"\1-\2-\3 \4:\5"),
    (rf"^{_COMPACT_DAY}([01]\d|2[0-3])([0-5]\d)([0-5]\d)$", r"\1-\2-\3 \4:\5:\6"),
    (r"(\d{4})[年년] ?(\d{1,2})[月월] ?(\d{1,2})[日일]", r"\1-\2-\3 "),
    (r"(\d{1,2}) ?[時时点시] ?(\d{2}) ?[分분]?", r"\1:\2"),
    (r"^(\d{4})\. (\d{1,2})\. (\d{1,2})\.", r"\1-\2-\3"),  # Korean: 2026. 1. 9.
    (r"(?:上午|오전) ?(\d{1,2}:\d{2}(?::\d{2})?)", r"\1 AM"),
    (r"(?:下午|오후) ?(\d{1,2}:\d{2}(?::\d{2})?)", r"\1 PM"),
    (r"(?i) de ", " "),  # 9 de enero de 2026
    (r"(?i)(\d) ?(?:er|st|nd|rd|th|º)( |,)", r"\1\2"),  # 1er, 2nd
    *month_rules(),
    (r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\.", r"\1"),
    (r"(?i)^(\d{1,2})\. ([a-z])", r"\1 \2"),  # 9. Jan 2026
    (r"(?i),? (?:um|à|at|alle|às|a las|o|kl\.?|в) (\d{1,2}(?:[:.]| ?h ?)\d{2})", r" \1"),
    (r"(?i) (?:uhr|г\.?|r\.)( |$)", r"\1"),
    (r" +$", ""),
    (r"  +", " "),
    (r"(?i) (\d{1,2}) ?h ?(\d{2})$", r" \1:\2"),  # 9h30
    (r"(?i)(\d) ?a\. ?m\.?$", r"\1 AM"),
    (r"(?i)(\d) ?p\. ?m\.?$", r"\1 PM"),
    (rf"^([A-Z][a-z]+ \d{{1,2}}) ({_CLOCK}(?: [A-Z]{{2,5}})?) (\d{{4}})$", r"\1 \3 \2"),  # Nov 28 21:58:08 2026
    (r" ?(?:GMT|UTC)([+-]\d)", r" \1"),
    *((rf" {zone}$", f" {offset}") for zone, offset in _ZONES.items()),
    (r"^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", r"\1-\2-\3T\4:\5:\6"),  # 20260109T090000Z
    (r"^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(Z|[+-]|$)", r"\1-\2-\3T\4:\5\6"),
)
"""What is written otherwise before a value is read: RE2 pattern and replacement, applied in this order."""
_NORMALISATION = [
    (re.compile(re.sub(r"\\x\{(\w+)\}", lambda code: chr(int(code[1], 16)), pattern)), replacement)
    for pattern, replacement in NORMALISATION_RULES
]


@dataclass(frozen=True)
class DateFormat:
    """One way of writing a point in time."""

    order: DateOrder
    pattern: str  # strptime
    day: str  # its part without the time of day
    zone: str  # "local", "utc" or "offset"

    @property
    def has_time(self) -> bool:
        """Whether it carries a time of day."""
        return self.pattern != self.day


@dataclass(frozen=True)
class DateReading:
    """How one column is read."""

    column: str
    formats: tuple[DateFormat, ...]
    contradictions: int  # values that make sense only in the other order of day and month; they cannot be read
    is_epoch: bool = False  # seconds or milliseconds since 1970
    is_day_numbers: bool = False  # a spreadsheet's day numbers
    normalisation_steps: tuple[int, ...] = ()  # steps of _NORMALISATION that its values need
    hint: str = ""  # what its unreadable values look like
    order: DateOrder | None = None  # of day and month, where the column could be read either way round

    @property
    def is_day_only(self) -> bool:
        """No value carries a time of day."""
        return not self.is_epoch and not self.is_day_numbers and not any(form.has_time for form in self.formats)

    @property
    def cell(self) -> str:
        """SQL: the column's text as its formats read it."""
        cell_sql = quote_name(self.column)
        for step in self.normalisation_steps:
            cell_sql = f"regexp_replace({cell_sql}, {quote_text(NORMALISATION_RULES[step][0])}, {quote_text(NORMALISATION_RULES[step][1])}, 'g')"
        return cell_sql

    def sql(self, zone: str) -> str:
        """The column as TIMESTAMP WITH TIME ZONE; missing where a value cannot be read."""
        if self.is_epoch:
            number_sql = f"try_cast({quote_name(self.column)} AS DECIMAL(20, 6))"
            microseconds = (
                f"CAST({number_sql} * CASE WHEN {number_sql} > 99999999999 THEN 1000 ELSE 1000000 END AS BIGINT)"
            )
            return f"CASE WHEN {number_sql} BETWEEN 0 AND 9999999999999 THEN make_timestamptz({microseconds}) END"
        if self.is_day_numbers:
            number_sql = f"try_cast({quote_name(self.column)} AS DOUBLE)"
            local_stamp = f"TIMESTAMP '1899-12-30' + to_seconds(round({number_sql} * 86400))"
            return f"CASE WHEN {number_sql} BETWEEN 0 AND 2958465 THEN timezone({quote_text(zone)}, {local_stamp}) END"
        stamps = []
        for zone_kind in ("local", "utc", "offset"):
            for year in ("%Y", "%y"):
                forms = [form for form in self.formats if form.zone == zone_kind and year in form.day]
                if forms:
                    stamp = self._stamp_sql(forms)
                    zone_name = "UTC" if zone_kind == "utc" else zone
                    stamps.append(stamp if zone_kind == "offset" else f"timezone({quote_text(zone_name)}, {stamp})")
        return f"coalesce({', '.join(stamps)})" if stamps else "CAST(NULL AS TIMESTAMPTZ)"

    def _stamp_sql(self, forms: list[DateFormat]) -> str:
        """SQL: the stamps that these formats read, all with a year of four digits or all of two."""
        stamp = f"try_strptime({self.cell}, [{', '.join(quote_text(form.pattern) for form in forms)}])"
        has_offset = forms[0].zone == "offset"
        if any("%n" in form.pattern for form in forms):  # nanoseconds are rounded to the log's microseconds
            stamp = f"CAST({stamp} AS {'TIMESTAMPTZ' if has_offset else 'TIMESTAMP'})"
        if has_offset:  # the parser takes +99:99 for an offset
            stamp = f"CASE WHEN regexp_matches({self.cell}, '[+-](0[0-9]|1[0-4]):?([0-5][0-9])?$') THEN {stamp} END"
        if "%Y" in forms[0].day:  # the parser takes 13 for the year 13
            has_long_year = f"regexp_matches({self.cell}, '(^|[^0-9])[0-9]{{4}}([^0-9]|$)')"
            stamp = f"CASE WHEN year({stamp}) >= 1000 OR {has_long_year} THEN {stamp} END"
        return stamp

    def local_sql(self) -> str | None:
        """The local stamps as written, without zone; None where the column names its zone."""
        stamps = []
        for year in ("%Y", "%y"):
            forms = [form for form in self.formats if form.zone == "local" and year in form.day]
            if forms:
                stamps.append(f"CAST({self._stamp_sql(forms)} AS TIMESTAMP)")
        return f"coalesce({', '.join(stamps)})" if stamps else None

    def styles(self) -> list[tuple[str, str]]:
        """The ways of writing that differ in more than detail, each as an example pattern and SQL for "written so"."""
        styles: dict[tuple[str, str, bool], list[DateFormat]] = {}
        for form in self.formats:
            styles.setdefault((form.day, "local" if form.zone == "local" else "zone", form.has_time), []).append(form)
        return [(forms[0].pattern, f"{self._stamp_sql(forms)} IS NOT NULL") for forms in styles.values()]

    def in_words(self) -> str:
        """The way of writing, for a message."""
        if self.is_epoch:
            return "seconds or milliseconds since 1970"
        if self.is_day_numbers:
            return "a spreadsheet's day number"
        return " or ".join(sorted({written_so(form.pattern) for form in self.formats})) or "no known way"

    def reason(self) -> str:
        """Why a value is refused that this reading cannot read."""
        description = (
            f"is not a date written like {self.in_words()}"
            if self.formats or self.is_epoch or self.is_day_numbers
            else "is no date"
        )
        return f"{description}{self.hint}"


def written_so(pattern: str) -> str:
    """31 January 2026, 14:05:09, as a pattern writes it: people read examples, not codes."""
    example = datetime(2026, 1, 31, 14, 5, 9, tzinfo=UTC).strftime(pattern.replace("%n", "%f000"))
    return example.replace("+0000", "+01:00")


def _normalise(value: str) -> tuple[str, set[int]]:
    """The value as its formats read it, and the steps of _NORMALISATION that changed it."""
    steps = set()
    for index, (pattern, replacement) in enumerate(_NORMALISATION):
        changed_value = pattern.sub(replacement, value)
        if changed_value != value:
            steps.add(index)
        value = changed_value
    return value, steps


def _month_pattern(word: str) -> str:
    return "%b" if len(word) == 3 else "%B"


def _clock_pattern(match: re.Match[str]) -> str:
    if not match["h"]:
        return ""
    seconds = ":%S" if match["sec"] else ""
    fraction = f"{match['frac'][0]}%f" if match["frac"] and len(match["frac"]) <= 7 else ""
    if match["frac"] and not fraction:
        fraction = f"{match['frac'][0]}%n"
    half_day = match["pm"].replace(match["pm"].strip(), "%p") if match["pm"] else ""
    return f"{match['gap']}{'%I' if half_day else '%H'}:%M{seconds}{fraction}{half_day}"


def formats_of(value: str) -> list[DateFormat]:
    """Every way in which one value could be read: two for 03/04/2015, one for 2015-04-03, none for a word."""
    match = _STAMP.fullmatch(_normalise(value.strip())[0])
    if match is None:
        return []
    a, b, c = match["a"], match["b"], match["c"]
    separators = (match["s1"], match["s2"])
    zone = (match["zone"] or "").strip()
    suffix = _clock_pattern(match)
    zone_kind = "local" if not zone else "offset" if zone[0] in "+-" else "utc"
    if zone:
        suffix += match["zone"].replace(zone, "%z" if zone_kind == "offset" else zone)
    year = "%Y" if len(c) == 4 else "%y"

    def form(order: DateOrder, first: str, second: str, third: str) -> DateFormat:
        day = f"{first}{separators[0]}{second}{separators[1]}{third}"
        return DateFormat(order, day + suffix, day, zone_kind)

    if len(a) == 4 and a.isdigit():
        month = "%m" if b.isdigit() else _month_pattern(b)
        return [form("year-first", "%Y", month, "%d")] if len(c) <= 2 else []
    if not a.isdigit():
        return [form("month-first", _month_pattern(a), "%d", year)] if b.isdigit() else []
    if not b.isdigit():
        return [form("day-first", "%d", _month_pattern(b), year)]
    if " " in separators:
        return []
    both_orders = [form("month-first", "%m", "%d", year), form("day-first", "%d", "%m", year)]
    return both_orders if len(c) == 4 or len(a) == 1 else [*both_orders, form("year-first", "%y", "%m", "%d")]


def decide_date_format(
    db: duckdb.DuckDBPyConnection, table: str, column: str, present: str, known_order: DateOrder | None
) -> DateReading:
    """Read the whole column, held trimmed in `table`; `present` is SQL for "this cell has a value".

    Raises MappingError where every value makes sense both ways round, or the column contradicts itself.
    """
    if known_order == "excel-days":
        return DateReading(column, (), 0, is_day_numbers=True)
    candidates: set[DateFormat] = set()
    steps: set[int] = set()
    reading = DateReading(column, (), 0)
    values: list[str] = []
    for _ in range(MAX_PASSES):
        unread_sql = f"{present} AND {reading.sql('UTC')} IS NULL"
        values = _fetch_texts(
            db, f"SELECT DISTINCT v FROM (SELECT {quote_name(column)} AS v FROM {table} WHERE {unread_sql} LIMIT 2000)"
        )
        if not candidates and _are_epochs(values):
            return DateReading(column, (), 0, is_epoch=True)
        readable = [(forms, _normalise(value.strip())[1]) for value in values if (forms := formats_of(value))]
        sizes_before = len(candidates), len(steps)
        candidates, steps = (
            candidates.union(*(forms for forms, _ in readable)),
            steps.union(*(value_steps for _, value_steps in readable)),
        )
        if sizes_before == (len(candidates), len(steps)):
            break
        reading = _choose_order(
            db, table, replace(reading, normalisation_steps=tuple(sorted(steps))), candidates, known_order
        )
    if any(re.search(CROATIAN_MONTHS, value) for value in values):
        reading = _without_months(reading)
    return replace(reading, hint=_unread_hint(column, values))


def _without_months(reading: DateReading) -> DateReading:
    """The reading without the names that mean another month in the column's language: such dates are refused, never a month off."""
    misleading = {step for step, (pattern, _) in enumerate(NORMALISATION_RULES) if NOVEMBER_OR_OCTOBER in pattern}
    steps = tuple(step for step in reading.normalisation_steps if step not in misleading)
    return replace(reading, normalisation_steps=steps)


def _are_epochs(values: Sequence[str]) -> bool:
    epochs = [value for value in values if _EPOCH.fullmatch(value)]
    return bool(epochs) and len(epochs) + sum(_ZERO_NUMBER.fullmatch(value) is not None for value in values) == len(
        values
    )


def _unread_hint(column: str, unread_values: Sequence[str]) -> str:
    """What values look like that no format reads."""
    if unread_values and all(_DAY_NUMBER.fullmatch(value) for value in unread_values):
        return f'; if it is a spreadsheet\'s day number, say so in the mapping: [dates] "{column}" = "excel-days"'
    zones = {match[1] for value in unread_values if (match := _ZONE_NAME.search(value)) and value.endswith(match[1])}
    if zones := zones - {"AM", "PM"}:
        return f"; {' and '.join(sorted(zones)[:3])} may stand for several time zones: write an offset such as +05:30"
    return ""


def _fetch_texts(db: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return [str(row[0]) for row in db.sql(sql).fetchall()]


def _choose_order(
    db: duckdb.DuckDBPyConnection,
    table: str,
    reading: DateReading,
    candidates: set[DateFormat],
    known_order: DateOrder | None,
) -> DateReading:
    """Day first or month first, by the days that only one of them can read."""
    unambiguous = {
        form for form in candidates if "%b" in form.day.lower() or (form.order == "year-first" and "%Y" in form.day)
    }
    month_first, day_first = (
        {form for form in candidates - unambiguous if form.order == order} for order in ("month-first", "day-first")
    )
    if not (month_first or day_first):
        return _with_formats(reading, unambiguous, 0)
    if known_order:
        return _with_formats(reading, unambiguous | {form for form in candidates if form.order == known_order}, 0)
    # The days alone are few, however many stamps there are: only they are tried both ways.
    days_sql = (
        f"SELECT split_part(split_part({reading.cell}, ' ', 1), 'T', 1) AS d, count(*) AS n FROM {table} GROUP BY d"
    )
    month_only, day_only, ambiguous = db.sql(
        f"SELECT coalesce(sum(n) FILTER (m AND NOT d), 0), coalesce(sum(n) FILTER (d AND NOT m), 0), "
        f"coalesce(sum(n) FILTER (m AND d), 0) "
        f"FROM (SELECT n, {_reads_sql(month_first)} AS m, {_reads_sql(day_first)} AS d FROM ({days_sql}))"
    ).fetchall()[0]
    if not month_only and not day_only and ambiguous:
        raise MappingError(
            f"In column {reading.column!r} every date makes sense day-first and month-first.",
            f'Say which it is in the mapping: [dates] "{reading.column}" = "day-first" (or "month-first").',
        )
    minority, majority = sorted((int(month_only), int(day_only)))
    if minority > MAX_CONFLICT_SHARE * (minority + majority):
        raise MappingError(
            f"Column {reading.column!r} mixes day-first ({day_only} dates) and month-first ({month_only} dates).",
            f'Split the file, or say which holds: [dates] "{reading.column}" = "day-first"; the others are then not read.',
        )
    _refuse_year_first(
        db, days_sql, reading.column, {form for form in candidates - unambiguous if form.order == "year-first"}
    )
    order: DateOrder = "month-first" if month_only >= day_only else "day-first"
    return _with_formats(reading, unambiguous | (month_first if order == "month-first" else day_first), minority, order)


def _refuse_year_first(db: duckdb.DuckDBPyConnection, days_sql: str, column: str, forms: set[DateFormat]) -> None:
    """Of 22-04-15 the first part is a year where it differs less than the last over the column."""
    if not forms:
        return
    first_values, last_values = db.sql(
        f"SELECT count(DISTINCT left(d, 2)), count(DISTINCT right(d, 2)) FROM ({days_sql}) WHERE {_reads_sql(forms)}"
    ).fetchall()[0]
    if first_values < last_values:
        raise MappingError(
            f"In column {column!r} the dates have years of two digits, which may stand first or last.",
            f'Say which it is in the mapping: [dates] "{column}" = "year-first" (or "day-first", "month-first").',
        )


def _reads_sql(forms: set[DateFormat]) -> str:
    terms = [
        (f"[{', '.join(patterns)}]", "regexp_matches(d, '[0-9]{4}')" if year == "%Y" else "true")
        for year in ("%Y", "%y")
        if (patterns := sorted({quote_text(form.day) for form in forms if year in form.day}))
    ]
    return (
        " OR ".join(
            f"(try_strptime(d, {patterns}) IS NOT NULL AND {year_condition})" for patterns, year_condition in terms
        )
        or "false"
    )


def _with_formats(
    reading: DateReading, forms: set[DateFormat], contradictions: int, order: DateOrder | None = None
) -> DateReading:
    ordered_formats = tuple(sorted(forms, key=lambda form: (form.zone, form.pattern)))
    return replace(reading, formats=ordered_formats, contradictions=contradictions, order=order)

"""Raw rows to moments and refusals: every row is loaded, or refused with its row, column, value and reason.

Works on the table `raw` (a row number and the file's columns as text) and leaves the table `batch` of
moments, ready for the log. Impossible facts (closed before opened) are kept and counted, never mended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb

from wellserved.engine.duckdb import name, text
from wellserved.errors import MappingError
from wellserved.mapping import FACTS, Mapping, MomentRule
from wellserved.moments import EARLIEST, LATEST, MOMENT_COLUMNS, SCALES
from wellserved.record.dates import DateReading, decide

OWN = "wellserved_"  # columns that wellserved adds to a file: numbers of rows, reasons of refusals
ROW = "wellserved_row_number"
_HASHED = [  # with the facts of the row
    "from_team",
    "score",
    "scale",
    "due",
    "source_kept",
    "amount",
    "currency",
    "text",
    "cause",
    "at_is",
]


@dataclass(frozen=True)
class Refusal:
    """A row that was not loaded, and why."""

    row: int  # header = 1
    column: str  # empty: the row as a whole
    value: str
    reason: str


@dataclass(frozen=True)
class Recorded:
    """What became of the rows in `raw`; the moments are in `batch`."""

    loaded: int
    refusals: tuple[Refusal, ...]
    moments: int
    unique: bool  # no two moments can have one identity
    notes: dict[str, int]
    missing: dict[str, int]
    as_of: datetime | None  # latest moment that is not after recorded_at


@dataclass(frozen=True)
class _Check:
    """A test that a row must pass; `bad` is SQL that is true where it does not."""

    column: str
    bad: str
    reason: str


def _present(column: str, mapping: Mapping, mended: bool, free: bool = False) -> str:
    """SQL: the cell, or NULL where it holds nothing or a mark for missing; `free`: words, blanks around them kept."""
    listed = ", ".join(text(mark) for mark in ("", *mapping.missing))
    cell = name(column)
    # Asking first is six times cheaper than trimming every cell.
    tidy = f"CASE WHEN starts_with({cell}, ' ') OR ends_with({cell}, ' ') THEN trim({cell}) ELSE {cell} END"
    kept = cell if free else tidy
    if mended:  # the refusals file guards spreadsheets against formulas with a leading '
        kept = f"regexp_replace({kept}, '^''(''*\\s*[=+@＝＋－＠\\t\\r\\n-])', '\\1')"
    return f"CASE WHEN {tidy} IN ({listed}) THEN NULL ELSE {kept} END"


def record(
    db: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    columns: Sequence[str],
    recorded_at: datetime,
    import_id: str,
) -> Recorded:
    """Read the rows in `raw` by the mapping.

    Raises MappingError where the mapping names a column that the file lacks, or a date column that
    cannot decide between day-first and month-first.
    """
    if absent := [column for column in mapping.needed() if column not in columns]:
        raise MappingError(
            f"The file has no column {absent[0]!r}, which mapping {mapping.name!r} names.",
            f"Its columns are: {', '.join(column[:40] for column in columns[:20])}{' ...' if len(columns) > 20 else ''}. Correct the mapping (`wellserved inspect FILE` writes one).",
        )
    _clean(db, mapping, any(column.startswith(OWN) for column in columns))
    readings = {
        column: decide(db, "cleaned", column, f"{name(column)} IS NOT NULL", mapping.dates.get(column))
        for column in mapping.date_columns()
    }
    checks = _checks(mapping, readings)
    _typed(db, mapping, readings, checks)
    db.execute("DROP TABLE cleaned")  # a large file's rows need not be held twice
    refusals = _refusals(db, checks)
    rules = " UNION ALL ".join(_moment(rule, mapping, readings) for rule in mapping.moments)
    db.execute(f"CREATE OR REPLACE TEMP TABLE batch AS {finished(rules, mapping.name, recorded_at, import_id)}")
    rows, cases = db.sql("SELECT count(*), count(DISTINCT wellserved_case) FROM good").fetchall()[0]
    kinds = [rule.kind for rule in mapping.moments]
    stamp = recorded_at.isoformat()
    (moments, future) = db.sql(
        f"SELECT count(*), count(*) FILTER (\"at\" > TIMESTAMPTZ '{stamp}') FROM batch"
    ).fetchall()[0]
    (last,) = db.sql(f'SELECT epoch_us(max("at")) FROM batch WHERE "at" <= TIMESTAMPTZ \'{stamp}\'').fetchall()[0]
    return Recorded(
        loaded=rows,
        refusals=refusals,
        moments=moments,
        unique=rows == cases and len(set(kinds)) == len(kinds),
        notes=_notes(db, mapping, readings, future),
        missing=_missing(db, mapping),
        as_of=datetime.fromtimestamp(last / 1_000_000, tz=recorded_at.tzinfo) if last is not None else None,
    )


def _clean(db: duckdb.DuckDBPyConnection, mapping: Mapping, mended: bool) -> None:
    """`cleaned`: the rows with marks for missing values taken out, and a case number for each."""
    free = {rule.text for rule in mapping.moments if rule.text}
    used = mapping.needed()
    listed = [f"{_present(column, mapping, mended, column in free)} AS {name(column)}" for column in used]
    case = _present(mapping.case, mapping, mended)
    if mapping.case_missing == "row":
        case = f"coalesce({case}, 'row-' || md5(COLUMNS_OF_ROW))"
        every = [row[0] for row in db.sql("DESCRIBE raw").fetchall() if not row[0].startswith(OWN)]
        case = case.replace(
            "COLUMNS_OF_ROW", " || chr(31) || ".join(f"coalesce({name(column)}, '')" for column in every)
        )
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE cleaned AS SELECT {', '.join([ROW, f'{case} AS wellserved_case', *listed])} FROM raw"
    )


def _checks(mapping: Mapping, readings: dict[str, DateReading]) -> list[_Check]:
    checks = [_Check(mapping.case, "wellserved_case IS NULL", "the case has no number")]
    required = {rule.at for rule in mapping.moments if rule.required}
    for place, (column, reading) in enumerate(readings.items()):
        given, read = f"{name(column)} IS NOT NULL", f"wellserved_stamp_{place}"
        checks.append(_Check(column, f"{given} AND {read} IS NULL", f"is not a date written as {reading.in_words()}"))
        outside = f"{read} NOT BETWEEN TIMESTAMPTZ '{EARLIEST}' AND TIMESTAMPTZ '{LATEST}'"
        checks.append(_Check(column, outside, f"is a date before {EARLIEST.year} or after {LATEST.year}"))
        if column in required:
            checks.append(_Check(column, f"{name(column)} IS NULL", "is missing, and no case can start without it"))
    for rule in mapping.moments:
        if rule.score and rule.scale:
            low, high, _, _ = SCALES[rule.scale]
            number = f"try_cast({name(rule.score)} AS DOUBLE)"
            bad = f"{name(rule.score)} IS NOT NULL AND ({number} IS NULL OR {number} NOT BETWEEN {low} AND {high})"
            checks.append(
                _Check(rule.score, bad, f"is no number from {low:g} to {high:g}, as the scale {rule.scale} asks")
            )
        if rule.amount:
            bad = f"{name(rule.amount)} IS NOT NULL AND try_cast({name(rule.amount)} AS DOUBLE) IS NULL"
            checks.append(_Check(rule.amount, bad, "is no number"))
    return checks


def _typed(
    db: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    readings: dict[str, DateReading],
    checks: Sequence[_Check],
) -> None:
    """`typed`: dates read, the first failed check numbered; `good`: the rows that passed, with their neighbours."""
    stamps = [
        f"{reading.sql(mapping.zone)} AS wellserved_stamp_{place}" for place, reading in enumerate(readings.values())
    ]
    facts = _hash([f"'{fact}=' || {name(mapping.columns[fact])}" for fact in FACTS if fact in mapping.columns])
    failed = " ".join(f"WHEN {check.bad} THEN {place}" for place, check in enumerate(checks))
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE typed AS SELECT *, CASE {failed} END AS wellserved_failed "
        f"FROM (SELECT *, {facts} AS wellserved_facts, {', '.join(stamps)} FROM cleaned)"
    )
    windows = []
    order = f"OVER (PARTITION BY wellserved_case ORDER BY {ROW})"
    watched = {
        rule.when.column
        for rule in mapping.moments
        if rule.when.test in ("enters", "leaves", "changes", "appears", "rises")
    }
    windows += [
        f"lag({name(column)}) {order} AS {name('wellserved_before ' + column)}"
        for column in sorted(filter(None, watched))
    ]
    if any(rule.when.row for rule in mapping.moments):
        windows.append(f"row_number() {order} = 1 AS wellserved_first")
        windows.append(f"lead({ROW}) {order} IS NULL AS wellserved_last")
    db.execute(
        f"CREATE OR REPLACE TEMP VIEW good AS SELECT {', '.join(['*', *windows])} FROM typed WHERE wellserved_failed IS NULL"
    )


def _refusals(db: duckdb.DuckDBPyConnection, checks: Sequence[_Check]) -> tuple[Refusal, ...]:
    values = " ".join(
        f"WHEN {place} THEN {'NULL' if place == 0 else name(check.column)}" for place, check in enumerate(checks)
    )
    found = db.sql(
        f"SELECT {ROW}, wellserved_failed, CASE wellserved_failed {values} END FROM typed WHERE wellserved_failed IS NOT NULL ORDER BY {ROW}"
    ).fetchall()
    return tuple(
        Refusal(row, checks[failed].column, value or "", checks[failed].reason) for row, failed, value in found
    )


def _condition(rule: MomentRule) -> str:
    """SQL: this row makes a moment of the rule."""
    when, terms = rule.when, []
    if when.row:
        terms.append(f"wellserved_{when.row}")
    if when.column:
        now, before = name(when.column), name("wellserved_before " + when.column)
        listed = ", ".join(map(text, when.values)) or "NULL"
        terms.append(
            {
                "is": f"{now} IN ({listed})",
                "is_not": f"{now} NOT IN ({listed})",
                "enters": f"{now} IN ({listed}) AND ({before} IS NULL OR {before} NOT IN ({listed}))",
                "leaves": f"{before} IN ({listed}) AND {now} NOT IN ({listed})",
                "changes": f"{before} <> {now}",
                "appears": f"{before} IS NULL AND {now} IS NOT NULL",
                "rises": f"try_cast({now} AS DOUBLE) > coalesce(try_cast({before} AS DOUBLE), 0)",
            }[when.test or "is"]
        )
    needed = [rule.due, rule.score] if rule.kind in ("promised", "rated") else []
    terms += [f"{name(column)} IS NOT NULL" for column in needed if column]
    return " AND ".join(terms) or "true"


def _moment(rule: MomentRule, mapping: Mapping, readings: dict[str, DateReading]) -> str:
    """SELECT of the moments that one rule makes, with every column of the log that comes from the row."""
    place = {column: f"wellserved_stamp_{index}" for index, column in enumerate(readings)}
    day = readings[rule.at].day_only
    given = {
        "at": place[rule.at],
        "at_is": text(rule.at_is if rule.at_is != "time" else "day" if day else "time"),
        "kind": text(rule.kind),
        "case_id": "wellserved_case",
        "due": _due(rule, place, readings, mapping),
        "text": name(rule.text) if rule.text else "",
        "score": f"CAST({name(rule.score)} AS DOUBLE)" if rule.score else "",
        "scale": text(rule.scale) if rule.scale else "",
        "amount": f"CAST({name(rule.amount)} AS DOUBLE)" if rule.amount else "",
        "currency": name(rule.currency) if rule.currency else "",
        "cause": name(rule.cause) if rule.cause else "",
        "from_team": name(rule.from_team)
        if rule.from_team
        else name("wellserved_before " + rule.when.column)
        if rule.when.test == "changes" and rule.when.column
        else "",
        "source_ref": f"wellserved_case || '#' || coalesce({name(rule.ref)}, '')" if rule.ref else "wellserved_case",
        "source_row": ROW,
    }
    if flag := rule.source_kept:
        yes, no = (", ".join(map(text, words)) for words in (flag.yes, flag.no))
        given["source_kept"] = (
            f"CASE WHEN {name(flag.column)} IN ({yes}) THEN true WHEN {name(flag.column)} IN ({no}) THEN false END"
        )
    for fact in FACTS:
        if fact in mapping.columns:
            cell = name(mapping.columns[fact])
            given[fact] = f"try_cast({cell} AS BOOLEAN)" if fact == "internal" else cell
    return f"SELECT {own_columns({**given, 'content': _content(given)})} FROM good WHERE {place[rule.at]} IS NOT NULL AND ({_condition(rule)})"


def _content(given: dict[str, str]) -> str:
    """SQL: a hash of the facts beside the identity; a fact without a value leaves no trace, so that a mapping may grow."""
    parts = ["CAST(wellserved_facts AS VARCHAR)"]
    for column in _HASHED:
        if cell := given.get(column):
            cell = f"epoch_us({cell})" if column == "due" else cell  # a stamp as text would cost more than the rest
            parts.append(f"'{column}=' || CAST({cell} AS VARCHAR)")
    return _hash(parts)


def _hash(parts: Sequence[str]) -> str:
    """SQL: 63 bits of the MD5 of texts, those that are NULL left out."""
    return f"CAST(md5_number(concat_ws(chr(31), {', '.join(parts) or text('')})) >> 65 AS BIGINT)"


def _due(rule: MomentRule, place: dict[str, str], readings: dict[str, DateReading], mapping: Mapping) -> str:
    """A promise for a day runs until that day's end, local time."""
    if not rule.due:
        return ""
    if not readings[rule.due].day_only:
        return place[rule.due]
    zone = text(mapping.zone)
    return f"timezone({zone}, timezone({zone}, {place[rule.due]}) + INTERVAL 1 DAY - INTERVAL 1 SECOND)"


_ADDED = {"moment_id", "correction", "recorded_at", "import_id", "month", "source"}


def own_columns(given: dict[str, str]) -> str:
    """SQL: the columns of the log that a moment brings itself, from what is given of them; `finished` adds the others."""
    own = {column.name: column.type for column in MOMENT_COLUMNS if column.name not in _ADDED}
    return ", ".join(f"CAST({given.get(column) or 'NULL'} AS {kind}) AS {name(column)}" for column, kind in own.items())


def finished(rules: str, source: str, recorded_at: datetime, import_id: str) -> str:
    """SQL: moments with identity, content, and when and by which import they were learnt."""
    identity = f'concat_ws(chr(31), {text(source)}, source_ref, kind, epoch_us("at"))'
    utc = 'make_timestamp(epoch_us("at"))'
    return (
        f"SELECT md5({identity}) AS moment_id, "
        f"{text(source)} AS source, TIMESTAMPTZ '{recorded_at.isoformat()}' AS recorded_at, "
        f"{text(import_id)} AS import_id, CAST(year({utc}) * 100 + month({utc}) AS INTEGER) AS month, * FROM ({rules})"
    )


def _notes(
    db: duckdb.DuckDBPyConnection, mapping: Mapping, readings: dict[str, DateReading], future: int
) -> dict[str, int]:
    """Doubtful facts that were kept: counted, so that they can be said."""
    notes = {"moments later than the import itself": future}
    gap = twice = 0
    zone = text(mapping.zone)
    for place, reading in enumerate(readings.values()):
        local = reading.local_sql()
        if local is None or reading.day_only:
            continue
        first, last = db.sql(
            f"SELECT epoch_us(min(wellserved_stamp_{place})), epoch_us(max(wellserved_stamp_{place})) FROM good"
        ).fetchall()[0]
        days = [] if first is None else _change_days(mapping.zone, first // 1_000_000, last // 1_000_000)
        if not days:
            continue
        near = (
            f"CAST(wellserved_stamp_{place} AS DATE) IN ({', '.join(days)})"  # in UTC: a day on either side is listed
        )
        one, two = db.sql(
            f"SELECT count(*) FILTER (timezone({zone}, u) <> l), "
            f"count(*) FILTER (timezone({zone}, u - INTERVAL 1 HOUR) = l OR timezone({zone}, u + INTERVAL 1 HOUR) = l) "
            f"FROM (SELECT {local} AS l, wellserved_stamp_{place} AS u FROM good WHERE {near})"
        ).fetchall()[0]
        gap, twice = gap + one, twice + two
    notes["stamps that the clock change skipped"] = gap
    notes["stamps that the clock change repeated (read as standard time)"] = twice
    notes["dates that contradict their column's order (refused)"] = sum(one.contradicting for one in readings.values())
    return {what: count for what, count in notes.items() if count}


def _change_days(zone: str, first: int, last: int) -> list[str]:
    """The days around each clock change of a zone between two instants (epoch seconds), as SQL literals."""
    place, day = ZoneInfo(zone), 86_400
    offsets = {at: datetime.fromtimestamp(at, place).utcoffset() for at in range(first - day, last + 2 * day, day)}
    changes = [at for at in offsets if at - day in offsets and offsets[at] != offsets[at - day]]
    around = {datetime.fromtimestamp(at + add * day, UTC).date() for at in changes for add in (-2, -1, 0, 1)}
    return [f"DATE '{one}'" for one in sorted(around)]


def _missing(db: duckdb.DuckDBPyConnection, mapping: Mapping) -> dict[str, int]:
    """Rows without a value, for each column used."""
    used = [column for column in mapping.needed() if column != mapping.case]
    counts = ", ".join(f"count(*) - count({name(column)})" for column in used)
    found = db.sql(f"SELECT {counts} FROM typed WHERE wellserved_failed IS NULL").fetchall()[0]
    return {column: count for column, count in zip(used, found, strict=True) if count}

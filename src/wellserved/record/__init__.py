"""Raw rows to moments and refusals: every row is loaded, or refused with its row, column, value and reason.

Works on the table `raw` (a row number and the file's columns as text) and leaves the table `batch` of
moments, ready for the log. What a loaded row says of one moment and cannot be read costs that moment alone.
Impossible facts (closed before opened) are kept and counted, never mended.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from wellserved.engine.duckdb import name, text
from wellserved.errors import MappingError
from wellserved.mapping import FACTS, DateOrder, DueIs, Mapping, MomentRule
from wellserved.moments import MOMENT_COLUMNS
from wellserved.record import doubts, numbers
from wellserved.record.checks import (
    OWN,
    ROW,
    Check,
    Refusal,
    Sheet,
    companions,
    condition,
    failing,
    lost_moments,
    passing,
    refused_rows,
)
from wellserved.record.dates import decide

__all__ = ["OWN", "ROW", "Recorded", "Refusal", "finished", "own_columns", "record"]

_HASHED = ("from_team", "score", "scale", "due", "source_kept", "amount", "currency", "text", "cause", "at_is")
"""What a moment's content is, with the facts of its row."""


@dataclass(frozen=True)
class Recorded:
    """What became of the rows in `raw`; the moments are in `batch`."""

    loaded: int
    refusals: tuple[Refusal, ...]  # rows
    losses: tuple[Refusal, ...]  # moments of loaded rows
    companions: tuple[Refusal, ...]  # sound rows that have to be read again with those two
    moments: int
    unique: bool  # no two moments can have one identity
    notes: dict[str, int]
    missing: dict[str, int]
    as_of: datetime | None  # latest moment that is not after recorded_at
    dates: dict[str, DateOrder]  # column -> day-first or month-first, where it could be read either way round
    dues: dict[str, DueIs]  # column -> what a due time at midnight means, where the column decided


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
    settled: Table[str, DueIs] | None = None,
) -> Recorded:
    """Read the rows in `raw` by the mapping.

    `settled`: what due times at midnight mean, by column, where earlier files of the source have decided it.
    Raises MappingError where the mapping names a column that the file lacks, or a date column that
    cannot decide between day-first and month-first.
    """
    if absent := [column for column in mapping.needed() if column not in columns]:
        raise MappingError(
            f"The file has no column {absent[0]!r}, which mapping {mapping.name!r} names.",
            f"Its columns are: {', '.join(column[:40] for column in columns[:20])}{' ...' if len(columns) > 20 else ''}. Correct the mapping (`wellserved inspect FILE` writes one).",
        )
    _clean(db, mapping, any(column.startswith(OWN) for column in columns))
    sheet = _typed(db, mapping)
    refusals = _sift(db, sheet)
    dues, due_notes = _dues(db, sheet, settled or {})
    losses: list[Refusal] = []
    selects = []
    for rule in mapping.moments:
        checks = failing(db, sheet.moment_checks(rule))
        losses += lost_moments(db, rule, checks)
        selects.append(_moment(rule, sheet, dues, checks))
    whole = finished(" UNION ALL ".join(selects), mapping.name, recorded_at, import_id)
    db.execute(f"CREATE OR REPLACE TEMP TABLE batch AS {whole}")
    rows, cases = db.sql("SELECT count(*), count(DISTINCT wellserved_case) FROM sound").fetchall()[0]
    kinds = [rule.kind for rule in mapping.moments]
    stamp = recorded_at.isoformat()
    moments, future, last = db.sql(
        f"SELECT count(*), count(*) FILTER (\"at\" > TIMESTAMPTZ '{stamp}'), "
        f'epoch_us(max("at") FILTER ("at" <= TIMESTAMPTZ \'{stamp}\')) FROM batch'
    ).fetchall()[0]
    notes = due_notes | {"moments later than the import itself": future} | _notes(db, sheet, cases, rows)
    return Recorded(
        loaded=rows,
        refusals=tuple(refusals),
        losses=tuple(losses),
        companions=tuple(companions(db, mapping, [*refusals, *losses])),
        moments=moments,
        unique=rows == cases and len(set(kinds)) == len(kinds),
        notes={what: count for what, count in notes.items() if count},
        missing=_missing(db, mapping),
        as_of=datetime.fromtimestamp(last / 1_000_000, tz=recorded_at.tzinfo) if last is not None else None,
        dates={column: reading.order for column, reading in sheet.readings.items() if reading.order},
        dues=dues,
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


def _typed(db: duckdb.DuckDBPyConnection, mapping: Mapping) -> Sheet:
    """`typed`: the rows of `cleaned` with their dates read, those that stand for none taken out."""
    readings = {
        column: decide(db, "cleaned", column, f"{name(column)} IS NOT NULL", mapping.dates.get(column))
        for column in mapping.date_columns()
    }
    stamps = {column: f"wellserved_stamp_{place}" for place, column in enumerate(readings)}
    amounts = {rule.amount for rule in mapping.moments if rule.amount}
    commas = frozenset(column for column in amounts if numbers.has_commas(db, "cleaned", column))
    facts = _hash([f"'{fact}=' || {name(mapping.columns[fact])}" for fact in FACTS if fact in mapping.columns])
    read = [f"{readings[column].sql(mapping.zone)} AS {stamp}" for column, stamp in stamps.items()]
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE typed AS SELECT *, {', '.join([f'{facts} AS wellserved_facts', *read])} FROM cleaned"
    )
    db.execute("DROP TABLE cleaned")  # a large file's rows need not be held twice
    sheet = Sheet(mapping, readings, stamps, doubts.nones(db, readings, stamps, mapping.zone), commas)
    if sheet.nones:
        empty = []
        for column, values in sheet.nones.items():
            listed = ", ".join(map(text, values))
            cells = [stamps[column]] if column in sheet.required else [stamps[column], name(column)]
            empty += [f"CASE WHEN {name(column)} IN ({listed}) THEN NULL ELSE {cell} END AS {cell}" for cell in cells]
        db.execute(f"CREATE OR REPLACE TEMP TABLE typed AS SELECT * REPLACE ({', '.join(empty)}) FROM typed")
    return sheet


def _sift(db: duckdb.DuckDBPyConnection, sheet: Sheet) -> list[Refusal]:
    """`sound`: the rows that are loaded; `good`: the same with their neighbours. Returns the others."""
    mapping = sheet.mapping
    checks = failing(db, sheet.row_checks())
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
    db.execute(f"CREATE OR REPLACE TEMP VIEW sound AS FROM typed WHERE {passing(checks)}")
    db.execute(f"CREATE OR REPLACE TEMP VIEW good AS SELECT {', '.join(['*', *windows])} FROM sound")
    return refused_rows(db, checks, mapping.case)


def _dues(
    db: duckdb.DuckDBPyConnection, sheet: Sheet, settled: Table[str, DueIs]
) -> tuple[dict[str, DueIs], dict[str, int]]:
    """What a due time at midnight means in each column that the mapping leaves open, and how that is said.

    A source that names midnights alone means days; one that ever named another time of day means instants.
    """
    dues: dict[str, DueIs] = {}
    notes: dict[str, int] = {}
    for column in dict.fromkeys(rule.due for rule in sheet.mapping.moments if rule.due and not rule.due_is):
        stamp = sheet.stamps[column]
        total, midnights = db.sql(
            f"SELECT count(*), count(*) FILTER (epoch_us({stamp}) % 900000000 = 0 AND {_at_midnight(stamp, sheet)}) "
            f"FROM sound WHERE {stamp} IS NOT NULL"
        ).fetchall()[0]
        if not total:
            continue
        days = total == midnights or sheet.readings[column].day_only
        dues[column] = settled.get(column) or ("end_of_day" if days else "instant")
        meant = "the end of that day" if dues[column] == "end_of_day" else "that very moment"
        notes[f"due times in {column!r} name midnight and were read as {meant} (`due_is` in the mapping decides)"] = (
            midnights
        )
    return dues, notes


def _at_midnight(stamp: str, sheet: Sheet) -> str:
    return f"CAST(timezone({text(sheet.mapping.zone)}, {stamp}) AS TIME) = TIME '00:00:00'"


def _moment(rule: MomentRule, sheet: Sheet, dues: dict[str, DueIs], checks: Sequence[Check]) -> str:
    """SELECT of the moments that one rule makes, with every column of the log that comes from the row."""
    mapping, at = sheet.mapping, sheet.stamps[rule.at]
    day = sheet.readings[rule.at].day_only
    given = {
        "at": at,
        "at_is": text(rule.at_is if rule.at_is != "time" else "day" if day else "time"),
        "kind": text(rule.kind),
        "case_id": "wellserved_case",
        "due": _due(rule, sheet, dues),
        "text": name(rule.text) if rule.text else "",
        "score": numbers.score(rule) if rule.score else "",
        "scale": text(rule.scale) if rule.scale else "",
        "amount": numbers.amount(rule.amount, rule.amount in sheet.commas) if rule.amount else "",
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
    wanted = f"{at} IS NOT NULL AND ({condition(rule)}) AND {passing(checks)}"
    return f"SELECT {own_columns({**given, 'content': _content(given)})} FROM good WHERE {wanted}"


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


def _due(rule: MomentRule, sheet: Sheet, dues: dict[str, DueIs]) -> str:
    """SQL: until when a promise runs: where its time at midnight means a day, until that day's last second, local time."""
    if not rule.due:
        return ""
    stamp, zone = sheet.stamps[rule.due], text(sheet.mapping.zone)
    if (rule.due_is or dues.get(rule.due)) != "end_of_day":
        return stamp
    end = f"timezone({zone}, timezone({zone}, {stamp}) + INTERVAL 1 DAY - INTERVAL 1 SECOND)"
    return (
        end
        if sheet.readings[rule.due].day_only
        else f"CASE WHEN {_at_midnight(stamp, sheet)} THEN {end} ELSE {stamp} END"
    )


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


def _notes(db: duckdb.DuckDBPyConnection, sheet: Sheet, cases: int, rows: int) -> dict[str, int]:
    """Doubtful facts that were kept: counted, so that they can be said."""
    contrary = sum(reading.contradicting for reading in sheet.readings.values())
    return {
        **doubts.none_notes(sheet),
        **doubts.zero_notes(db, sheet.mapping),
        **doubts.mixed_notes(db, sheet),
        **doubts.order_notes(db, sheet),
        **doubts.number_notes(db, sheet, cases, rows),
        **doubts.clock_notes(db, sheet),
        "dates that contradict their column's order (not read)": contrary,
    }


def _missing(db: duckdb.DuckDBPyConnection, mapping: Mapping) -> dict[str, int]:
    """Rows without a value, for each column used."""
    used = [column for column in mapping.needed() if column != mapping.case]
    counts = ", ".join(f"count(*) - count({name(column)})" for column in used)
    found = db.sql(f"SELECT {counts} FROM sound").fetchall()[0]
    return {column: count for column, count in zip(used, found, strict=True) if count}

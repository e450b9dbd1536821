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

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.errors import MappingError
from wellserved.mapping import FACTS, DateOrder, DueIs, Mapping, MomentRule
from wellserved.moments import MOMENT_COLUMNS
from wellserved.record import doubts, numbers
from wellserved.record.checks import (
    OWN_PREFIX,
    ROW_NUMBER,
    ReadingPlan,
    Refusal,
    RowCheck,
    companion_rows,
    condition_sql,
    failed_checks,
    lost_moments,
    passes_sql,
    refused_rows,
)
from wellserved.record.dates import MIDNIGHT, decide_date_format
from wellserved.record.edits import CHANGED, edit_class_sql

__all__ = ["OWN_PREFIX", "ROW_NUMBER", "RecordResult", "Refusal", "moment_columns_sql", "record_rows", "with_identity"]

_HASHED_COLUMNS = ("from_team", "score", "scale", "due", "source_kept", "amount", "currency", "text", "cause", "at_is")
"""What a moment's content is, with the facts of its row."""


@dataclass(frozen=True)
class RecordResult:
    """What became of the rows in `raw`; the moments are in `batch`."""

    rows_loaded: int
    refusals: tuple[Refusal, ...]  # rows
    losses: tuple[Refusal, ...]  # moments of loaded rows
    companions: tuple[Refusal, ...]  # sound rows that have to be read again with those two
    moment_count: int
    has_unique_ids: bool  # no two moments can have one identity
    notes: dict[str, int]
    missing: dict[str, int]
    as_of: datetime | None  # latest moment that is not after recorded_at
    dates: dict[str, DateOrder]  # column -> day-first or month-first, where it could be read either way round
    dues: dict[str, DueIs]  # column -> what a due time at midnight means, where the column decided


def _value_sql(column: str, mapping: Mapping, from_refusals_file: bool, is_prose: bool = False) -> str:
    """SQL: the cell, or NULL where it holds nothing or a mark for missing; `is_prose`: words, blanks around them kept."""
    missing_marks = ", ".join(quote_text(mark) for mark in ("", *mapping.missing))
    cell = quote_name(column)
    # Asking first is six times cheaper than trimming every cell.
    trimmed_cell = f"CASE WHEN starts_with({cell}, ' ') OR ends_with({cell}, ' ') THEN trim({cell}) ELSE {cell} END"
    value = cell if is_prose else trimmed_cell
    if from_refusals_file:  # the refusals file guards spreadsheets against formulas with a leading '
        value = f"regexp_replace({value}, '^''(''*\\s*[=+@＝＋－＠\\t\\r\\n-])', '\\1')"
    return f"CASE WHEN {trimmed_cell} IN ({missing_marks}) THEN NULL ELSE {value} END"


def _cell_sql(column: str, mapping: Mapping, from_refusals_file: bool, is_prose: bool) -> str:
    """SQL: the cell; a day together with its time of day, where that has a column of its own."""
    value = _value_sql(column, mapping, from_refusals_file, is_prose)
    if words := ", ".join(map(quote_text, mapping.no_date.get(column, ()))):
        value = f"CASE WHEN {value} IN ({words}) THEN NULL ELSE {value} END"
    if column not in mapping.clocks:
        return value
    clock = _clock_sql(_value_sql(mapping.clocks[column], mapping, from_refusals_file))
    day = f"regexp_replace({value}, {quote_text(MIDNIGHT)}, '')"
    return f"CASE WHEN {value} IS NOT NULL THEN concat_ws(' ', {day}, {clock}) END"


def _clock_sql(value: str) -> str:
    """SQL: a time of day as h:mm or hh:mm:ss, be it written 9.05, 9h05, 905 or 90500."""
    padded_value = f"CASE WHEN length({value}) % 2 = 1 THEN '0' ELSE '' END || {value}"
    compact = f"regexp_replace({padded_value}, '^(..)(..)(..)?$', '\\1:\\2:\\3')"
    clock = f"regexp_replace({value}, '^([0-9]{{1,2}})[.hH]([0-9]{{2}})', '\\1:\\2')"
    return f"CASE WHEN regexp_full_match({value}, '[0-9]{{3,6}}') THEN rtrim({compact}, ':') ELSE {clock} END"


def record_rows(
    db: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    columns: Sequence[str],
    recorded_at: datetime,
    import_id: str,
    known_dues: Table[str, DueIs] | None = None,
) -> RecordResult:
    """Read the rows in `raw` by the mapping.

    `known_dues`: what due times at midnight mean, by column, where earlier files of the source have decided it.
    Raises MappingError where the mapping names a column that the file lacks, or a date column that
    cannot decide between day-first and month-first.
    """
    if absent_columns := [column for column in mapping.used_columns() if column not in columns]:
        raise MappingError(
            f"The file has no column {absent_columns[0]!r}, which mapping {mapping.name!r} names.",
            f"Its columns are: {', '.join(column[:40] for column in columns[:20])}{' ...' if len(columns) > 20 else ''}. Correct the mapping (`wellserved inspect FILE` writes one).",
        )
    _clean(db, mapping, any(column.startswith(OWN_PREFIX) for column in columns))
    plan = _type_columns(db, mapping)
    refusals = _sift(db, plan)
    dues, due_notes = _decide_dues(db, plan, known_dues or {})
    losses: list[Refusal] = []
    selects = []
    for rule in mapping.moments:
        checks = failed_checks(db, plan.moment_checks(rule))
        losses += lost_moments(db, rule, checks)
        selects.append(_moment_select(rule, plan, dues, checks))
    moments_sql = with_identity(" UNION ALL ".join(selects), mapping.name, recorded_at, import_id)
    db.execute(f"CREATE OR REPLACE TEMP TABLE batch AS {moments_sql}")
    rows, cases = db.sql("SELECT count(*), count(DISTINCT wellserved_case) FROM sound").fetchall()[0]
    kinds = [rule.kind for rule in mapping.moments]
    recorded_text = recorded_at.isoformat()
    moment_count, future_count, last_instant = db.sql(
        f"SELECT count(*), count(*) FILTER (\"at\" > TIMESTAMPTZ '{recorded_text}'), "
        f'epoch_us(max("at") FILTER ("at" <= TIMESTAMPTZ \'{recorded_text}\')) FROM batch'
    ).fetchall()[0]
    notes = due_notes | {"moments later than the import itself": future_count} | _notes(db, plan, cases, rows)
    return RecordResult(
        rows_loaded=rows,
        refusals=tuple(refusals),
        losses=tuple(losses),
        companions=tuple(companion_rows(db, mapping, [*refusals, *losses])),
        moment_count=moment_count,
        has_unique_ids=rows == cases and len(set(kinds)) == len(kinds),
        notes={note: count for note, count in notes.items() if count},
        missing=_missing_counts(db, mapping),
        as_of=datetime.fromtimestamp(last_instant / 1_000_000, tz=recorded_at.tzinfo)
        if last_instant is not None
        else None,
        dates={column: reading.order for column, reading in plan.readings.items() if reading.order},
        dues=dues,
    )


def _clean(db: duckdb.DuckDBPyConnection, mapping: Mapping, from_refusals_file: bool) -> None:
    """`cleaned`: the rows with marks for missing values taken out, and a case number for each."""
    prose_columns = {rule.text for rule in mapping.moments if rule.text}
    used_columns = mapping.used_columns()
    cells = [
        f"{_cell_sql(column, mapping, from_refusals_file, column in prose_columns)} AS {quote_name(column)}"
        for column in used_columns
    ]
    case = _value_sql(mapping.case, mapping, from_refusals_file)
    if mapping.case_missing == "row":
        case = f"coalesce({case}, 'row-' || md5(COLUMNS_OF_ROW))"
        row_columns = [row[0] for row in db.sql("DESCRIBE raw").fetchall() if not row[0].startswith(OWN_PREFIX)]
        case = case.replace(
            "COLUMNS_OF_ROW", " || chr(31) || ".join(f"coalesce({quote_name(column)}, '')" for column in row_columns)
        )
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE cleaned AS SELECT {', '.join([ROW_NUMBER, f'{case} AS wellserved_case', *cells])} FROM raw"
    )


def _type_columns(db: duckdb.DuckDBPyConnection, mapping: Mapping) -> ReadingPlan:
    """`typed`: the rows of `cleaned` with their dates read, those that stand for none taken out."""
    readings = {
        column: decide_date_format(
            db, "cleaned", column, f"{quote_name(column)} IS NOT NULL", mapping.dates.get(column)
        )
        for column in mapping.date_columns()
    }
    stamps = {column: f"wellserved_stamp_{index}" for index, column in enumerate(readings)}
    amounts = {column for rule in mapping.moments for column in (rule.amount, rule.delay) if column}
    commas = frozenset(column for column in amounts if numbers.has_commas(db, "cleaned", column))
    facts = _hash_sql(
        [f"'{fact}=' || {quote_name(mapping.columns[fact])}" for fact in FACTS if fact in mapping.columns]
    )
    date_columns = [f"{readings[column].sql(mapping.zone)} AS {stamp}" for column, stamp in stamps.items()]
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE typed AS SELECT *, {', '.join([f'{facts} AS wellserved_facts', *date_columns])} FROM cleaned"
    )
    db.execute("DROP TABLE cleaned")  # a large file's rows need not be held twice
    plan = ReadingPlan(mapping, readings, stamps, doubts.sentinel_dates(db, readings, stamps, mapping.zone), commas)
    if plan.sentinels:
        replacements = []
        for column, values in plan.sentinels.items():
            sentinel_list = ", ".join(map(quote_text, values))
            cells = [stamps[column]] if column in plan.required else [stamps[column], quote_name(column)]
            replacements += [
                f"CASE WHEN {quote_name(column)} IN ({sentinel_list}) THEN NULL ELSE {cell} END AS {cell}"
                for cell in cells
            ]
        db.execute(f"CREATE OR REPLACE TEMP TABLE typed AS SELECT * REPLACE ({', '.join(replacements)}) FROM typed")
    return plan


def _sift(db: duckdb.DuckDBPyConnection, plan: ReadingPlan) -> list[Refusal]:
    """`sound`: the rows that are loaded; `good`: sound rows with their neighbours. Returns the refused ones."""
    mapping = plan.mapping
    checks = failed_checks(db, plan.row_checks())
    window_columns = []
    window = f"OVER (PARTITION BY wellserved_case ORDER BY {ROW_NUMBER}{' DESC' if mapping.newest_first else ''})"
    watched_columns = {
        rule.condition.column
        for rule in mapping.moments
        if rule.condition.test in ("enters", "leaves", "changes", "appears", "rises")
    }
    window_columns += [
        f"lag({quote_name(column)}) {window} AS {quote_name('wellserved_before ' + column)}"
        for column in sorted(filter(None, watched_columns))
    ]
    if any(rule.condition.row for rule in mapping.moments):
        window_columns.append(f"row_number() {window} = 1 AS wellserved_first")
        window_columns.append(f"lead({ROW_NUMBER}) {window} IS NULL AS wellserved_last")
    db.execute(f"CREATE OR REPLACE TEMP VIEW sound AS FROM typed WHERE {passes_sql(checks)}")
    db.execute(f"CREATE OR REPLACE TEMP VIEW good AS SELECT {', '.join(['*', *window_columns])} FROM sound")
    return refused_rows(db, checks, mapping.case)


def _decide_dues(
    db: duckdb.DuckDBPyConnection, plan: ReadingPlan, known_dues: Table[str, DueIs]
) -> tuple[dict[str, DueIs], dict[str, int]]:
    """What a due time at midnight means in each column that the mapping leaves open, and how that is said.

    A source that names midnights alone means days; one that ever named another time of day means instants.
    """
    dues: dict[str, DueIs] = {}
    notes: dict[str, int] = {}
    for column in dict.fromkeys(rule.due for rule in plan.mapping.moments if rule.due and not rule.due_is):
        stamp = plan.stamps[column]
        due_count, midnight_count = db.sql(
            f"SELECT count(*), count(*) FILTER (epoch_us({stamp}) % 900000000 = 0 AND {_at_midnight_sql(stamp, plan)}) "
            f"FROM sound WHERE {stamp} IS NOT NULL"
        ).fetchall()[0]
        if not due_count:
            continue
        are_days = due_count == midnight_count or plan.readings[column].is_day_only
        dues[column] = known_dues.get(column) or ("end_of_day" if are_days else "instant")
        meaning = "the end of that day" if dues[column] == "end_of_day" else "that very moment"
        notes[f"due times in {column!r} name midnight and were read as {meaning} (`due_is` in the mapping decides)"] = (
            midnight_count
        )
    return dues, notes


def _at_midnight_sql(stamp: str, plan: ReadingPlan) -> str:
    return f"CAST(timezone({quote_text(plan.mapping.zone)}, {stamp}) AS TIME) = TIME '00:00:00'"


def _moment_select(rule: MomentRule, plan: ReadingPlan, dues: dict[str, DueIs], checks: Sequence[RowCheck]) -> str:
    """SELECT of the moments that one rule makes, with every column of the log that comes from the row."""
    mapping, at = plan.mapping, _at_sql(rule, plan)
    cells = {
        "at": at,
        "at_is": quote_text(_exactness(rule, plan)),
        "kind": quote_text(rule.kind),
        "case_id": "wellserved_case",
        "due": _due_sql(rule, plan, dues),
        "text": quote_name(rule.text) if rule.text else "",
        "score": numbers.score_sql(rule) if rule.score else "",
        "scale": quote_text(rule.scale) if rule.scale else "",
        "amount": numbers.amount_sql(rule.amount, rule.amount in plan.commas) if rule.amount else "",
        "currency": quote_name(rule.currency) if rule.currency else "",
        "cause": _cause_sql(rule),
        "from_team": quote_name(rule.from_team)
        if rule.from_team
        else quote_name("wellserved_before " + rule.condition.column)
        if rule.condition.test == "changes" and rule.condition.column
        else "",
        "source_ref": f"wellserved_case || '#' || coalesce({quote_name(reference)}, '')"
        if (reference := rule.ref or rule.edited)
        else "wellserved_case",
        "source_row": ROW_NUMBER,
    }
    if kept_flag := rule.source_kept:
        yes_values, no_values = (", ".join(map(quote_text, words)) for words in (kept_flag.yes, kept_flag.no))
        cells["source_kept"] = (
            f"CASE WHEN {quote_name(kept_flag.column)} IN ({yes_values}) THEN true WHEN {quote_name(kept_flag.column)} IN ({no_values}) THEN false END"
        )
    for fact in FACTS:
        if fact in mapping.columns:
            cell = quote_name(mapping.columns[fact])
            cells[fact] = f"try_cast({cell} AS BOOLEAN)" if fact == "internal" else cell
    if rule.before and rule.after:  # news is no correction
        edit_class = edit_class_sql(quote_name(rule.before), quote_name(rule.after))
        condition = f"({condition_sql(rule)}) AND coalesce({edit_class}, '{CHANGED}') <> '{CHANGED}'"
    else:
        condition = condition_sql(rule)
    row_filter = f"{at} IS NOT NULL AND ({condition}) AND {passes_sql(checks)}"
    return f"SELECT {moment_columns_sql({**cells, 'content': _content_sql(cells)})} FROM good WHERE {row_filter}"


def _at_sql(rule: MomentRule, plan: ReadingPlan) -> str:
    """SQL: when it happened: the row's stamp, or a length of time after it."""
    if not rule.delay:
        return plan.stamps[rule.at]
    seconds = numbers.delay_sql(rule, rule.delay in plan.commas)
    return f"({plan.stamps[rule.at]} + to_microseconds(CAST(round({seconds} * 1000000) AS BIGINT)))"


def _exactness(rule: MomentRule, plan: ReadingPlan) -> str:
    """How well a rule's times are known."""
    if rule.at_is != "time":
        return rule.at_is
    if plan.readings[rule.at].is_day_only:
        return "day"
    return "rounded" if rule.delay_unit in ("minutes", "hours", "days", "words") else "time"


def _cause_sql(rule: MomentRule) -> str:
    """SQL: the cause of a failure; of a correction, the field and the kind of edit, never what stood there."""
    if rule.before and rule.after:
        field = f"coalesce({quote_name(rule.edited)} || ': ', '')" if rule.edited else "''"
        return f"{field} || {edit_class_sql(quote_name(rule.before), quote_name(rule.after))}"
    return quote_name(rule.cause) if rule.cause else ""


def _content_sql(cells: dict[str, str]) -> str:
    """SQL: a hash of the facts beside the identity; a fact without a value leaves no trace, so that a mapping may grow."""
    terms = ["CAST(wellserved_facts AS VARCHAR)"]
    for column in _HASHED_COLUMNS:
        if cell := cells.get(column):
            cell = f"epoch_us({cell})" if column == "due" else cell  # a stamp as text would cost more than the rest
            terms.append(f"'{column}=' || CAST({cell} AS VARCHAR)")
    return _hash_sql(terms)


def _hash_sql(terms: Sequence[str]) -> str:
    """SQL: 63 bits of the MD5 of texts, those that are NULL left out."""
    return f"CAST(md5_number(concat_ws(chr(31), {', '.join(terms) or quote_text('')})) >> 65 AS BIGINT)"


def _due_sql(rule: MomentRule, plan: ReadingPlan, dues: dict[str, DueIs]) -> str:
    """SQL: until when a promise runs: where its time at midnight means a day, until that day's last second, local time."""
    if not rule.due:
        return ""
    stamp, zone = plan.stamps[rule.due], quote_text(plan.mapping.zone)
    if (rule.due_is or dues.get(rule.due)) != "end_of_day":
        return stamp
    end_of_day = f"timezone({zone}, timezone({zone}, {stamp}) + INTERVAL 1 DAY - INTERVAL 1 SECOND)"
    return (
        end_of_day
        if plan.readings[rule.due].is_day_only
        else f"CASE WHEN {_at_midnight_sql(stamp, plan)} THEN {end_of_day} ELSE {stamp} END"
    )


_ADDED_COLUMNS = {"moment_id", "correction", "recorded_at", "import_id", "month", "source"}


def moment_columns_sql(cells: dict[str, str]) -> str:
    """SQL: the columns of the log that a moment brings itself, from what is given of them; `finished` adds the others."""
    types = {column.name: column.type for column in MOMENT_COLUMNS if column.name not in _ADDED_COLUMNS}
    return ", ".join(
        f"CAST({cells.get(column) or 'NULL'} AS {sql_type}) AS {quote_name(column)}"
        for column, sql_type in types.items()
    )


def with_identity(rules: str, source: str, recorded_at: datetime, import_id: str) -> str:
    """SQL: moments with identity, content, and when and by which import they were learnt."""
    identity = f'concat_ws(chr(31), {quote_text(source)}, source_ref, kind, epoch_us("at"))'
    utc = 'make_timestamp(epoch_us("at"))'
    return (
        f"SELECT md5({identity}) AS moment_id, "
        f"{quote_text(source)} AS source, TIMESTAMPTZ '{recorded_at.isoformat()}' AS recorded_at, "
        f"{quote_text(import_id)} AS import_id, CAST(year({utc}) * 100 + month({utc}) AS INTEGER) AS month, * FROM ({rules})"
    )


def _notes(db: duckdb.DuckDBPyConnection, plan: ReadingPlan, cases: int, rows: int) -> dict[str, int]:
    """Doubtful facts that were kept: counted, so that they can be said."""
    contradictions = sum(reading.contradictions for reading in plan.readings.values())
    return {
        **doubts.sentinel_notes(plan),
        **doubts.zero_notes(db, plan.mapping),
        **doubts.mixed_notes(db, plan),
        **doubts.group_notes(db, plan),
        **doubts.order_notes(db, plan),
        **doubts.case_number_notes(db, plan, cases, rows),
        **doubts.clock_notes(db, plan),
        **doubts.half_day_notes(db, plan),
        "dates that contradict their column's order (not read)": contradictions,
    }


def _missing_counts(db: duckdb.DuckDBPyConnection, mapping: Mapping) -> dict[str, int]:
    """Rows without a value, for each column used."""
    used_columns = [column for column in mapping.used_columns() if column != mapping.case]
    counts_sql = ", ".join(f"count(*) - count({quote_name(column)})" for column in used_columns)
    missing_counts = db.sql(f"SELECT {counts_sql} FROM sound").fetchall()[0]
    return {column: count for column, count in zip(used_columns, missing_counts, strict=True) if count}

"""What a claim rests on: a row a case, as the cases stood when it was signed, without a name or a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import duckdb

from wellserved.calendar import Calendars
from wellserved.cases import fold_into
from wellserved.cases.fold import FOLD_INPUT_COLUMNS
from wellserved.claim.canonical import decimal_text
from wellserved.claim.tree import EvidenceKeys, case_pseudonym, moments_digest
from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.errors import RequestError
from wellserved.measure.case_table import CaseTable, business_ends, fill_sql, make_case_table, with_next_ask
from wellserved.measure.coverage import restrict_measure
from wellserved.measure.measure import Measure
from wellserved.measure.period_keys import period_key_sql
from wellserved.measure.query import prepare_query
from wellserved.measure.series import MeasureQuestion

EvidenceRow = dict[str, object]
CLAIMED_KINDS = ("wait", "share", "mean")


def cases_as_of(
    db: duckdb.DuckDBPyConnection, case_table: CaseTable, moments: str, calendars: Calendars, as_of: Mapping[str, int]
) -> CaseTable:
    """The cases as they stood at `as_of` (source -> epoch second), by the records of today: what was corrected or came
    late is in them, what has happened since is not."""
    columns = ", ".join(map(quote_name, FOLD_INPUT_COLUMNS))
    condition = " OR ".join(
        f'(source = {quote_text(source)} AND epoch_us("at") < {(end + 1) * 1_000_000})'
        for source, end in sorted(as_of.items())
    )
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE moments_as_of AS SELECT moment_id, {columns} FROM {moments} WHERE {condition}"
    )
    db.execute("DROP TABLE IF EXISTS cases_as_of")
    fold_into(db, "cases_as_of", "moments_as_of", case_table.zone, calendars)
    cases = make_case_table(
        case_table.engine,
        "cases_as_of",
        case_table.zone,
        case_table.log_version,
        calendars=calendars,
        cannot=case_table.cannot,
        scales=case_table.scales,
    )
    return replace(cases, as_of=dict(as_of), hours=business_ends(calendars, as_of))


def collect_evidence(
    db: duckdb.DuckDBPyConnection, case_table: CaseTable, question: MeasureQuestion, keys: EvidenceKeys
) -> list[EvidenceRow]:
    """The rows behind a question about one measure, from tables made by `cases_as_of`.

    c: pseudonym of the case; p: its period; v: its value; open: 1 where it still goes on; m: digest of its moments.
    """
    (measure,) = question.measures
    if measure.kind not in CLAIMED_KINDS:
        raise RequestError(
            f"{measure.name} cannot be claimed: it is no wait, share or mean of cases.", "Choose another measure."
        )
    query = prepare_query(case_table, question)
    restricted = restrict_measure(case_table, measure, query.coverage)
    if restricted.follows:
        query = replace(query, case_table=with_next_ask(query.case_table))
    value, is_open, condition = _value_sql(restricted)
    db.execute(
        "CREATE OR REPLACE TEMP TABLE moment_digests AS SELECT source, case_id, "
        "sha256(string_agg(moment_id || ':' || content, ',' ORDER BY moment_id, content)) AS digest FROM moments_as_of GROUP BY ALL"
    )
    period = period_key_sql(restricted.anchor, question.granularity)
    sql = fill_sql(
        f"SELECT source, case_id, {period} AS period, {value} AS value, {is_open} AS is_open "
        f"{query.case_sql(restricted.anchor)} AND ({condition})",
        query.case_table,
    )
    table = query.case_table.engine.query(
        f"SELECT c.*, d.digest FROM ({sql}) c JOIN moment_digests d USING (source, case_id)", query.values
    )
    return [_row(row, keys) for row in table.to_pylist()]


def _value_sql(measure: Measure) -> tuple[str, str, str]:
    """SQL: a case's value, whether it still goes on, and whether it counts."""
    if measure.kind == "wait":
        now = "{as_of_bus}" if measure.clock == "business" else "{as_of}"
        value = f"CASE WHEN {measure.event} THEN {measure.value} ELSE greatest({now} - {measure.since}, 0) END"
        return value, f"CASE WHEN {measure.event} THEN 0 ELSE 1 END", f"({measure.event}) OR ({measure.waiting})"
    value = f"CASE WHEN {measure.event} THEN 1 ELSE 0 END" if measure.kind == "share" else measure.value
    return value, "0", measure.population


def _row(row: Mapping[str, Any], keys: EvidenceKeys) -> EvidenceRow:
    value = float(row["value"])
    return {
        "c": case_pseudonym(keys, row["source"], row["case_id"]),
        "m": moments_digest(keys, row["digest"]),
        "open": int(row["is_open"]),
        "p": int(row["period"]),
        "v": int(value) if value.is_integer() else decimal_text(value),
    }

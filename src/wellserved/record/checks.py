"""What a row, or one of its moments, must pass: refused rows and moments left out, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from wellserved.engine.duckdb import materialise, quote_name, quote_text
from wellserved.mapping import Mapping, MomentRule
from wellserved.moments import EARLIEST_DATE, LATEST_DATE
from wellserved.record.dates import DateReading
from wellserved.record.numbers import amount_sql, bad_score_sql, delay_sql

OWN_PREFIX = "wellserved_"  # columns that wellserved adds to a file: numbers of rows, reasons of refusals
ROW_NUMBER = "wellserved_row_number"


@dataclass(frozen=True)
class Refusal:
    """A row that was not loaded, or a moment of a loaded row that was left out, and why."""

    row: int  # header = 1
    column: str  # empty: the row as a whole
    value: str
    reason: str
    kind: str = ""  # of the moment that was left out; empty: the row was not loaded


@dataclass(frozen=True)
class RowCheck:
    """A test that a row, or a moment of it, must pass; `bad` is SQL that is true where it does not."""

    column: str
    bad: str
    reason: str


@dataclass(frozen=True)
class ReadingPlan:
    """How the columns of one file are read."""

    mapping: Mapping
    readings: dict[str, DateReading]
    stamps: dict[str, str]  # date column -> the column of `typed` that holds its instants
    sentinels: dict[str, dict[str, int]]  # date column -> the values that stand for no date, and how often
    commas: frozenset[str]  # amounts written 1.234,50

    @property
    def required(self) -> set[str]:
        """The date columns that no row may lack."""
        return {rule.at for rule in self.mapping.moments if rule.required}

    def date_checks(self, column: str) -> list[RowCheck]:
        """Whether a date that stands there can be read."""
        cell, stamp = quote_name(column), self.stamps[column]
        out_of_range = f"{stamp} NOT BETWEEN TIMESTAMPTZ '{EARLIEST_DATE}' AND TIMESTAMPTZ '{LATEST_DATE}'"
        return [
            RowCheck(column, f"{cell} IS NOT NULL AND {stamp} IS NULL", self.readings[column].reason()),
            RowCheck(column, out_of_range, f"is a date before {EARLIEST_DATE.year} or after {LATEST_DATE.year}"),
        ]

    def _other_checks(self, rule: MomentRule) -> list[RowCheck]:
        """Whether what a moment carries beside its own date can be read."""
        checks = self.date_checks(rule.due) if rule.due and rule.due not in self.required else []
        if rule.score and rule.scale:
            checks.append(RowCheck(rule.score, *bad_score_sql(rule)))
        if rule.amount:
            number_sql = amount_sql(rule.amount, rule.amount in self.commas)
            bad = f"{quote_name(rule.amount)} IS NOT NULL AND {number_sql} IS NULL"
            checks.append(RowCheck(rule.amount, bad, "is no number, or one whose comma could stand for thousands too"))
        if rule.delay:
            seconds = delay_sql(rule, rule.delay in self.commas)
            bad = f"{quote_name(rule.delay)} IS NOT NULL AND ({seconds} IS NULL OR {seconds} < 0)"
            unit = {"clock": "h:mm or h:mm:ss", "words": "words, such as 2 d 3 h 15 min"}.get(
                rule.delay_unit or "", rule.delay_unit
            )
            checks.append(RowCheck(rule.delay, bad, f"is no length of time in {unit}"))
        return checks

    def row_checks(self) -> list[RowCheck]:
        """What refuses a row: its case number, or a moment that it must have, cannot be read."""
        checks = [RowCheck(self.mapping.case, "wellserved_case IS NULL", "the case has no number")]
        for column in self.stamps:
            if column in self.required:
                if sentinel_list := ", ".join(map(quote_text, self.sentinels.get(column, ()))):
                    reason = "stands for “no date” in many systems, and no case can start without one"
                    checks.append(RowCheck(column, f"{quote_name(column)} IN ({sentinel_list})", reason))
                checks += self.date_checks(column)
                absence = "is missing, and no case can start without it"
                checks.append(RowCheck(column, f"{quote_name(column)} IS NULL", absence))
        for rule in self.mapping.moments:
            if rule.required:
                is_single_row = not rule.condition.row and rule.condition.test in (None, "is", "is_not")
                # what depends on other rows cannot be asked yet
                term_sql = condition_sql(rule) if is_single_row else "true"
                checks += [
                    RowCheck(check.column, f"({term_sql}) AND {check.bad}", check.reason)
                    for check in self._other_checks(rule)
                ]
        return checks

    def moment_checks(self, rule: MomentRule) -> list[RowCheck]:
        """What costs a row that is loaded this moment."""
        if rule.required:
            return []
        return [*(self.date_checks(rule.at) if rule.at not in self.required else []), *self._other_checks(rule)]


def condition_sql(rule: MomentRule) -> str:
    """SQL: this row makes a moment of the rule."""
    row_condition, terms = rule.condition, []
    if row_condition.row:
        terms.append(f"wellserved_{row_condition.row}")
    if row_condition.column:
        current, previous = quote_name(row_condition.column), quote_name("wellserved_before " + row_condition.column)
        value_list = ", ".join(map(quote_text, row_condition.values)) or "NULL"
        terms.append(
            {
                "is": f"{current} IN ({value_list})",
                "is_not": f"{current} NOT IN ({value_list})",
                "enters": f"{current} IN ({value_list}) AND ({previous} IS NULL OR {previous} NOT IN ({value_list}))",
                "leaves": f"{previous} IN ({value_list}) AND {current} NOT IN ({value_list})",
                "changes": f"{previous} <> {current}",
                "appears": f"{previous} IS NULL AND {current} IS NOT NULL",
                "rises": f"try_cast({current} AS DOUBLE) > coalesce(try_cast({previous} AS DOUBLE), 0)",
            }[row_condition.test or "is"]
        )
    if rule.second_condition and rule.second_condition.column:
        value_list = ", ".join(map(quote_text, rule.second_condition.values))
        negation = "NOT " if rule.second_condition.test == "is_not" else ""
        terms.append(f"{quote_name(rule.second_condition.column)} {negation}IN ({value_list})")
    required_columns = [rule.due, rule.score] if rule.kind in ("promised", "rated") else []
    required_columns.append(rule.delay)
    terms += [f"{quote_name(column)} IS NOT NULL" for column in required_columns if column]
    return " AND ".join(terms) or "true"


def failed_checks(db: duckdb.DuckDBPyConnection, checks: Sequence[RowCheck]) -> list[RowCheck]:
    """The checks that some row of `typed` fails: on a sound file none, and nothing more has to be asked."""
    unique_checks = list(dict.fromkeys(checks))
    counts_sql = ", ".join(f"count(*) FILTER ({check.bad})" for check in unique_checks)
    if not unique_checks:
        return []
    return [
        check
        for check, count in zip(unique_checks, db.sql(f"SELECT {counts_sql} FROM typed").fetchall()[0], strict=True)
        if count
    ]


def passes_sql(checks: Sequence[RowCheck]) -> str:
    """SQL: a row passes all of these."""
    return " AND ".join(f"({check.bad}) IS NOT TRUE" for check in checks) or "true"


def companion_rows(db: duckdb.DuckDBPyConnection, mapping: Mapping, refusals: Sequence[Refusal]) -> list[Refusal]:
    """The sound rows of the cases that have a row among these, where rows are read by what stands before and after.

    Mended alone, such a row would be the first of its case, and make moments that it does not make among the others.
    """
    is_row_by_row = all(
        not rule.condition.row and rule.condition.test in (None, "is", "is_not") for rule in mapping.moments
    )
    if is_row_by_row or not refusals:
        return []
    materialise(
        db, "faulty", pa.table({ROW_NUMBER: pa.array(sorted({refusal.row for refusal in refusals}), pa.int64())})
    )
    rows = db.sql(
        f"SELECT {ROW_NUMBER}, wellserved_case FROM sound SEMI JOIN (SELECT wellserved_case FROM typed SEMI JOIN faulty USING ({ROW_NUMBER})) "
        f"USING (wellserved_case) ANTI JOIN faulty USING ({ROW_NUMBER}) ORDER BY {ROW_NUMBER}"
    ).fetchall()
    reason = "is sound; it stands here because the rows of a case are read together"
    return [Refusal(row, mapping.case, case, reason) for row, case in rows]


def refused_rows(db: duckdb.DuckDBPyConnection, checks: Sequence[RowCheck], case: str) -> list[Refusal]:
    """The rows of `typed` that fail one of the checks, with the first that they fail."""
    return _find_refusals(
        db, "typed", "true", checks, lambda check: "NULL" if check.column == case else quote_name(check.column), ""
    )


def lost_moments(db: duckdb.DuckDBPyConnection, rule: MomentRule, checks: Sequence[RowCheck]) -> list[Refusal]:
    """The moments of one rule that the rows of `good` would make, were it not for a value that cannot be read."""
    row_filter = f"{quote_name(rule.at)} IS NOT NULL AND ({condition_sql(rule)})"
    return _find_refusals(db, "good", row_filter, checks, lambda check: quote_name(check.column), rule.kind)


def _find_refusals(
    db: duckdb.DuckDBPyConnection,
    table: str,
    row_filter: str,
    checks: Sequence[RowCheck],
    value_sql: Callable[[RowCheck], str],
    kind: str,
) -> list[Refusal]:
    if not checks:
        return []
    failure_sql = " ".join(f"WHEN {check.bad} THEN {index}" for index, check in enumerate(checks))
    values = " ".join(f"WHEN {index} THEN {value_sql(check)}" for index, check in enumerate(checks))
    rows = db.sql(
        f"SELECT {ROW_NUMBER}, failed, CASE failed {values} END FROM "
        f"(SELECT *, CASE {failure_sql} END AS failed FROM {table} WHERE {row_filter}) WHERE failed IS NOT NULL ORDER BY {ROW_NUMBER}"
    ).fetchall()
    return [Refusal(row, checks[index].column, value or "", checks[index].reason, kind) for row, index, value in rows]

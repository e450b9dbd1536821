"""What a row, or one of its moments, must pass: refused rows and moments left out, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from wellserved.engine.duckdb import keep, name, text
from wellserved.mapping import Mapping, MomentRule
from wellserved.moments import EARLIEST, LATEST
from wellserved.record.dates import DateReading
from wellserved.record.numbers import amount, bad_score

OWN = "wellserved_"  # columns that wellserved adds to a file: numbers of rows, reasons of refusals
ROW = "wellserved_row_number"


@dataclass(frozen=True)
class Refusal:
    """A row that was not loaded, or a moment of a loaded row that was left out, and why."""

    row: int  # header = 1
    column: str  # empty: the row as a whole
    value: str
    reason: str
    kind: str = ""  # of the moment that was left out; empty: the row was not loaded


@dataclass(frozen=True)
class Check:
    """A test that a row, or a moment of it, must pass; `bad` is SQL that is true where it does not."""

    column: str
    bad: str
    reason: str


@dataclass(frozen=True)
class Sheet:
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

    def date_checks(self, column: str) -> list[Check]:
        """Whether a date that stands there can be read."""
        cell, stamp = name(column), self.stamps[column]
        out_of_range = f"{stamp} NOT BETWEEN TIMESTAMPTZ '{EARLIEST}' AND TIMESTAMPTZ '{LATEST}'"
        return [
            Check(column, f"{cell} IS NOT NULL AND {stamp} IS NULL", self.readings[column].reason()),
            Check(column, out_of_range, f"is a date before {EARLIEST.year} or after {LATEST.year}"),
        ]

    def _other_checks(self, rule: MomentRule) -> list[Check]:
        """Whether what a moment carries beside its own date can be read."""
        checks = self.date_checks(rule.due) if rule.due and rule.due not in self.required else []
        if rule.score and rule.scale:
            checks.append(Check(rule.score, *bad_score(rule)))
        if rule.amount:
            number_sql = amount(rule.amount, rule.amount in self.commas)
            bad = f"{name(rule.amount)} IS NOT NULL AND {number_sql} IS NULL"
            checks.append(Check(rule.amount, bad, "is no number, or one whose comma could stand for thousands too"))
        return checks

    def row_checks(self) -> list[Check]:
        """What refuses a row: its case number, or a moment that it must have, cannot be read."""
        checks = [Check(self.mapping.case, "wellserved_case IS NULL", "the case has no number")]
        for column in self.stamps:
            if column in self.required:
                if sentinel_list := ", ".join(map(text, self.sentinels.get(column, ()))):
                    reason = "stands for “no date” in many systems, and no case can start without one"
                    checks.append(Check(column, f"{name(column)} IN ({sentinel_list})", reason))
                checks += self.date_checks(column)
                absence = "is missing, and no case can start without it"
                checks.append(Check(column, f"{name(column)} IS NULL", absence))
        for rule in self.mapping.moments:
            if rule.required:
                is_single_row = not rule.condition.row and rule.condition.test in (None, "is", "is_not")
                term_sql = (
                    condition(rule) if is_single_row else "true"
                )  # what depends on other rows cannot be asked yet
                checks += [
                    Check(check.column, f"({term_sql}) AND {check.bad}", check.reason)
                    for check in self._other_checks(rule)
                ]
        return checks

    def moment_checks(self, rule: MomentRule) -> list[Check]:
        """What costs a row that is loaded this moment."""
        if rule.required:
            return []
        return [*(self.date_checks(rule.at) if rule.at not in self.required else []), *self._other_checks(rule)]


def condition(rule: MomentRule) -> str:
    """SQL: this row makes a moment of the rule."""
    row_condition, terms = rule.condition, []
    if row_condition.row:
        terms.append(f"wellserved_{row_condition.row}")
    if row_condition.column:
        current, previous = name(row_condition.column), name("wellserved_before " + row_condition.column)
        value_list = ", ".join(map(text, row_condition.values)) or "NULL"
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
    required_columns = [rule.due, rule.score] if rule.kind in ("promised", "rated") else []
    terms += [f"{name(column)} IS NOT NULL" for column in required_columns if column]
    return " AND ".join(terms) or "true"


def failing(db: duckdb.DuckDBPyConnection, checks: Sequence[Check]) -> list[Check]:
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


def passing(checks: Sequence[Check]) -> str:
    """SQL: a row passes all of these."""
    return " AND ".join(f"({check.bad}) IS NOT TRUE" for check in checks) or "true"


def companions(db: duckdb.DuckDBPyConnection, mapping: Mapping, refusals: Sequence[Refusal]) -> list[Refusal]:
    """The sound rows of the cases that have a row among these, where rows are read by what stands before and after.

    Mended alone, such a row would be the first of its case, and make moments that it does not make among the others.
    """
    is_row_by_row = all(
        not rule.condition.row and rule.condition.test in (None, "is", "is_not") for rule in mapping.moments
    )
    if is_row_by_row or not refusals:
        return []
    keep(db, "faulty", pa.table({ROW: pa.array(sorted({refusal.row for refusal in refusals}), pa.int64())}))
    rows = db.sql(
        f"SELECT {ROW}, wellserved_case FROM sound SEMI JOIN (SELECT wellserved_case FROM typed SEMI JOIN faulty USING ({ROW})) "
        f"USING (wellserved_case) ANTI JOIN faulty USING ({ROW}) ORDER BY {ROW}"
    ).fetchall()
    reason = "is sound; it stands here because the rows of a case are read together"
    return [Refusal(row, mapping.case, case, reason) for row, case in rows]


def refused_rows(db: duckdb.DuckDBPyConnection, checks: Sequence[Check], case: str) -> list[Refusal]:
    """The rows of `typed` that fail one of the checks, with the first that they fail."""
    return _find_refusals(
        db, "typed", "true", checks, lambda check: "NULL" if check.column == case else name(check.column), ""
    )


def lost_moments(db: duckdb.DuckDBPyConnection, rule: MomentRule, checks: Sequence[Check]) -> list[Refusal]:
    """The moments of one rule that the rows of `good` would make, were it not for a value that cannot be read."""
    row_filter = f"{name(rule.at)} IS NOT NULL AND ({condition(rule)})"
    return _find_refusals(db, "good", row_filter, checks, lambda check: name(check.column), rule.kind)


def _find_refusals(
    db: duckdb.DuckDBPyConnection,
    table: str,
    row_filter: str,
    checks: Sequence[Check],
    value_sql: Callable[[Check], str],
    kind: str,
) -> list[Refusal]:
    if not checks:
        return []
    failure_sql = " ".join(f"WHEN {check.bad} THEN {index}" for index, check in enumerate(checks))
    values = " ".join(f"WHEN {index} THEN {value_sql(check)}" for index, check in enumerate(checks))
    rows = db.sql(
        f"SELECT {ROW}, failed, CASE failed {values} END FROM "
        f"(SELECT *, CASE {failure_sql} END AS failed FROM {table} WHERE {row_filter}) WHERE failed IS NOT NULL ORDER BY {ROW}"
    ).fetchall()
    return [Refusal(row, checks[index].column, value or "", checks[index].reason, kind) for row, index, value in rows]

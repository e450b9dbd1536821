"""A case moment by moment: what each definition counts, and why two of them differ.

One question to the log answers any definition: the intervals between a case's moments, each with the state
that the case is in, summed from the start to the stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from wellserved.calendar import Calendars
from wellserved.cases.intervals import moment_intervals
from wellserved.cases.ordered import STATUS_KINDS
from wellserved.cases.slices import slices_of_table
from wellserved.engine.duckdb import DuckDB, query, quote_text
from wellserved.errors import RequestError
from wellserved.measure.case_table import CaseTable, fill_sql
from wellserved.measure.coverage import missing_moment_reason
from wellserved.measure.vendor_rules import VendorRule

CASE = "PARTITION BY source, case_id"


@dataclass(frozen=True)
class MomentTable:
    """The log's moments as the cases were folded from them, ready to be asked."""

    db: duckdb.DuckDBPyConnection
    table: str
    case_table: CaseTable
    calendars: Calendars


def make_moment_table(case_table: CaseTable, table: str, calendars: Calendars) -> MomentTable:
    """The moments in `table`, those that count."""
    if not isinstance(case_table.engine, DuckDB):
        raise RequestError("The log of moments is asked by DuckDB alone.", "Unset WELLSERVED_ENGINE for this question.")
    return MomentTable(case_table.engine.db, table, case_table, calendars)


def materialise_intervals(moments: MomentTable, condition: str = "true") -> None:
    """Leave the moments of some whole cases, each with the interval that it begins, in the table `intervals`.

    A case's last interval goes on until now, its source's as-of.
    """
    next_s = fill_sql("coalesce(next_s, greatest({as_of}, s))", moments.case_table)
    next_b = fill_sql("coalesce(next_b, b + greatest({as_of_bus} - f, 0))", moments.case_table)
    select = f"SELECT * REPLACE ({next_s} AS next_s, {next_b} AS next_b) FROM interval_slice"
    asked_moments = f"(SELECT * FROM {moments.table} WHERE {condition})"
    for index, moment_slice in enumerate(slices_of_table(moments.db, asked_moments)):
        moments.db.register("interval_slice", moment_intervals(moment_slice, moments.calendars))
        target = "INSERT INTO intervals" if index else "CREATE OR REPLACE TEMP TABLE intervals AS"
        moments.db.execute(f"{target} {select}")
        moments.db.unregister("interval_slice")


def _stop_sql(rule: VendorRule) -> str:
    """SQL: the intervals with the case's stop by one definition."""
    kinds = ", ".join(map(quote_text, rule.stops))
    stop = f"kind IN ({kinds}) AND at_is <> 'not_before'"
    if rule.after_opening:
        stop += " AND s > start_s"
    if rule.occurrence == "first":
        stop_order = f"min(o) FILTER ({stop}) OVER ({CASE})"
    else:  # counts while the case stays closed
        last_word = f"max(o) FILTER (kind IN ({_STATUS_KINDS_SQL})) OVER ({CASE})"
        stop_order = f"CASE WHEN max(o) FILTER ({stop}) OVER ({CASE}) = {last_word} THEN {last_word} END"
    return f"SELECT *, {stop_order} AS stop_o FROM intervals"


_STATUS_KINDS_SQL = ", ".join(map(quote_text, STATUS_KINDS))


def _counts_sql(rule: VendorRule) -> str:
    """SQL: this interval counts."""
    halts = f"state NOT IN ({', '.join(map(str, rule.halt_states))})" if rule.halt_states else "true"
    return f"o >= start_o AND (stop_o IS NULL OR o < stop_o) AND {halts}"


def rule_values_sql(moments: MomentTable, rule: VendorRule) -> str:
    """SQL over `intervals`: source, case_id, ended (1, or 0: still waiting), secs and stop_s of every case that the definition counts."""
    unit = "s" if rule.hours == "calendar" else "b"
    per_case = f"""
        SELECT source, case_id, any_value(stop_o) AS stop_o, any_value(start_s) AS start_s, any_value(now_closed) AS now_closed,
               min(s) FILTER (o = stop_o) AS stop_s, min(f - start_f) FILTER (o = stop_o) AS stop_bus,
               coalesce(sum(next_{unit} - {unit}) FILTER ({_counts_sql(rule)}), 0) AS secs
        FROM ({_stop_sql(rule)}) GROUP BY source, case_id
    """
    has_hours = bool(moments.calendars.calendars)
    secs = "stop_bus" if rule.hours == "business of the stop" and has_hours else "secs"
    waits = "OR (stop_o IS NULL AND NOT now_closed)" if rule.counts_open else ""
    calendar_condition = "" if rule.hours == "calendar" or has_hours else "AND false"
    return f"""
        SELECT source, case_id, CASE WHEN stop_o IS NULL THEN 0 ELSE 1 END AS ended, CAST({secs} AS BIGINT) AS secs, stop_s
        FROM ({per_case}) WHERE ((stop_o IS NOT NULL AND stop_s >= start_s) {waits}) {calendar_condition}
    """


@dataclass(frozen=True)
class CaseExplanation:
    """A case's moments and, for every definition, what it makes of them."""

    case_id: str
    source: str
    rows: tuple[dict[str, Any], ...]  # at_s, kind, team, person_id, state, until_s, secs, bus
    sums: tuple[tuple[VendorRule, int | None, bool], ...]  # seconds (None: left out), the clock still runs
    interval_counts: tuple[tuple[bool, ...], ...]  # by definition, then row: the interval counts
    hours: bool  # there are opening hours
    gap_reasons: tuple[str, ...]  # by definition: what the source cannot tell of it; empty: nothing


def explain_rules(
    moments: MomentTable, rules: Sequence[VendorRule], case_id: str, source: str | None
) -> CaseExplanation:
    """Why a case's number is what it is, by each definition."""
    condition = f"case_id = {quote_text(case_id)}" + (f" AND source = {quote_text(source)}" if source else "")
    sources = query(moments.db, f"SELECT DISTINCT source FROM {moments.table} WHERE {condition}")["source"].to_pylist()
    if len(sources) != 1:
        problem = f"{len(sources)} sources have a case {case_id!r}." if sources else f"There is no case {case_id!r}."
        raise RequestError(
            problem, f"Name one with --source: {', '.join(sources)}." if sources else "Check its number in the source."
        )
    materialise_intervals(moments, condition)
    sums, marks, rows = [], [], []
    withheld = tuple(missing_moment_reason(moments.case_table, rule.relies_on, str(sources[0])) for rule in rules)
    for rule, reason in zip(rules, withheld, strict=True):
        value = [] if reason else query(moments.db, rule_values_sql(moments, rule)).to_pylist()
        sums.append((rule, int(value[0]["secs"]), value[0]["ended"] == 0) if value else (rule, None, False))
        interval_rows = query(
            moments.db,
            f"SELECT s, kind, team, person_id, state, next_s - s AS secs, next_b - b AS bus, at_is, {_counts_sql(rule)} AS counted "
            f"FROM ({_stop_sql(rule)}) ORDER BY o",
        ).to_pylist()
        marks.append(tuple(bool(row.pop("counted")) and bool(value) for row in interval_rows))
        rows = interval_rows
    return CaseExplanation(
        case_id, str(sources[0]), tuple(rows), tuple(sums), tuple(marks), bool(moments.calendars.calendars), withheld
    )


@dataclass(frozen=True)
class RuleDifference:
    """Cases in which two definitions differ for the same reasons."""

    reasons: tuple[str, ...]  # empty: they agree
    cases: int
    only_first: int  # cases that only the first counts
    only_second: int
    median_secs: float | None  # second less first, where both have ended
    examples: tuple[str, ...]


def _rule_steps(first: VendorRule, second: VendorRule) -> list[tuple[str, VendorRule]]:
    """From one definition to another, a property at a time."""
    current, steps = first, []
    for reason, fields in (
        ("another moment stops the clock", ("stops", "occurrence", "after_opening")),
        ("the clock stands still in pauses", ("halt_states",)),
        ("other hours", ("hours",)),
        ("cases not stopped yet", ("counts_open",)),
    ):
        next_rule = replace(current, **{name: getattr(second, name) for name in fields})
        if next_rule != current:
            steps.append((reason, next_rule))
            current = next_rule
    return steps


def rule_differences(
    moments: MomentTable, first: VendorRule, second: VendorRule, condition: str = "true"
) -> list[RuleDifference]:
    """All cases that either counts, in groups by why the two differ: every step from one rule to the other is taken alone."""
    materialise_intervals(moments, condition)
    steps = _rule_steps(first, second)
    names = ["v0", *(f"v{index + 1}" for index in range(len(steps)))]
    for name, rule in zip(names, [first, *(rule for _, rule in steps)], strict=True):
        moments.db.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {rule_values_sql(moments, rule)}")
    joins = " ".join(f"FULL JOIN {name} USING (source, case_id)" for name in names[1:])
    reason_columns = ", ".join(
        f"CASE WHEN {next_name}.secs IS DISTINCT FROM {current_name}.secs OR {next_name}.ended IS DISTINCT FROM {current_name}.ended "
        f"THEN {quote_text(reason)} ELSE '' END AS r{index}"
        for index, ((reason, _), current_name, next_name) in enumerate(zip(steps, names, names[1:], strict=False))
    )
    reasons = [f"r{index}" for index in range(len(steps))]
    # Steps may take back what an earlier one did: where the ends are equal, the case is no difference.
    last = names[-1]
    is_equal_sql = f"v0.secs IS NOT DISTINCT FROM {last}.secs AND v0.ended IS NOT DISTINCT FROM {last}.ended"
    rows = query(
        moments.db,
        f"SELECT {', '.join([*reasons, 'same'])}, count(*) AS n, count(*) FILTER (b IS NULL) AS only_first, "
        f"count(*) FILTER (a IS NULL) AS only_second, median(b - a) FILTER (both_ended) AS middle, "
        f"list(case_id ORDER BY abs(b - a) DESC NULLS LAST, case_id)[:3] AS examples FROM ("
        f"SELECT case_id, {reason_columns + ',' if reason_columns else ''} {is_equal_sql} AS same, v0.secs AS a, {last}.secs AS b, "
        f"coalesce(v0.ended = 1 AND {last}.ended = 1, false) AS both_ended FROM v0 {joins} "
        f"WHERE v0.secs IS NOT NULL OR {last}.secs IS NOT NULL) GROUP BY {', '.join([*reasons, 'same'])}",
    ).to_pylist()
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = () if row["same"] else tuple(row[name] for name in reasons if row[name])
        groups.setdefault(key, []).append(row)
    differences = [
        RuleDifference(
            key,
            sum(row["n"] for row in group),
            sum(row["only_first"] for row in group),
            sum(row["only_second"] for row in group),
            group[0]["middle"] if key else None,
            tuple(group[0]["examples"]) if key else (),
        )
        for key, group in groups.items()
    ]
    return sorted(differences, key=lambda difference: (bool(difference.reasons), -difference.cases))


def with_rule_columns(moments: MomentTable, rule: VendorRule, zone: str) -> CaseTable:
    """The cases with clock_ended, clock_secs and the day of the stop, by one definition: what `as_vendor_measure` asks.

    Reads `intervals`, of all cases.
    """
    stop_time = f"timezone({quote_text(zone)}, to_timestamp(stop_s))"
    moments.db.execute(
        f"CREATE OR REPLACE TEMP TABLE cases_by_clock AS SELECT c.*, v.ended AS clock_ended, v.secs AS clock_secs, "
        f"CAST(date_diff('day', DATE '1970-01-01', CAST({stop_time} AS DATE)) AS INTEGER) AS stopped_day, "
        f"CAST(year({stop_time}) * 100 + month({stop_time}) AS INTEGER) AS stopped_month "
        f"FROM {moments.case_table.table} c LEFT JOIN ({rule_values_sql(moments, rule)}) v USING (source, case_id)"
    )
    return replace(moments.case_table, table="cases_by_clock")

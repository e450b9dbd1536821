"""Counts, shares and means: what adds up over cases, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wellserved.measure.case_table import CaseTable, fill_sql
from wellserved.measure.interval import garwood_interval, mean_with_interval, wilson_interval
from wellserved.measure.measure import Measure
from wellserved.measure.query import MeasureColumn, Query


def rate_columns(query: Query, measures: Sequence[Measure]) -> dict[str, MeasureColumn]:
    """Counts, shares and means by one date in one pass."""
    date_basis = measures[0].anchor
    # Where all are about one population, the other cases need not be looked at.
    is_same_population = len({measure.population for measure in measures}) == 1
    population_filter = fill_sql(measures[0].population, query.case_table) if is_same_population else "1 = 1"
    sums = []
    for index, measure in enumerate(measures):
        condition = "1 = 1" if is_same_population else fill_sql(measure.population, query.case_table)
        sums += _sum_columns(measure, index, condition, query.case_table)
    table = query.columns(
        f"SELECT {query.group_sql(date_basis)}, {', '.join(sums)} {query.case_sql(date_basis)} "
        f"AND ({population_filter}) GROUP BY 1, 2"
    )
    return {measure.name: _rate_column(measure, index, table) for index, measure in enumerate(measures)}


def _rate_column(measure: Measure, index: int, table: Mapping[str, list[Any]]) -> MeasureColumn:
    """One measure's numbers with their intervals, from what was counted and summed up."""
    column = MeasureColumn()
    for row, key in enumerate(zip(table["period"], table["segment"], strict=True)):
        if key[0] is None:  # the case has not that date
            continue
        n = int(table[f"n{index}"][row])
        column.n[key] = n
        if measure.kind == "count":
            column.value[key] = (float(n), *garwood_interval(n))
        elif measure.kind == "share":
            k = column.count[key] = int(table[f"k{index}"][row])
            if n:
                column.value[key] = (k / n, *wilson_interval(k, n))
        elif n > 1:
            column.value[key] = mean_with_interval(n, float(table[f"k{index}"][row]), float(table[f"q{index}"][row]))
    return column


def _sum_columns(measure: Measure, index: int, condition: str, case_table: CaseTable) -> list[str]:
    """SQL: what one measure adds up; `condition` says which cases it is about."""
    sums = [f"{'COUNT(*)' if condition == '1 = 1' else f'COUNT(CASE WHEN {condition} THEN 1 END)'} AS n{index}"]
    if measure.kind == "share":
        sums.append(
            f"COUNT(CASE WHEN ({condition}) AND ({fill_sql(measure.event, case_table)}) THEN 1 END) AS k{index}"
        )
    if measure.kind == "mean":
        value = f"CAST({fill_sql(measure.value, case_table)} AS {case_table.engine.double})"
        sums.append(f"SUM(CASE WHEN {condition} THEN {value} ELSE 0 END) AS k{index}")
        sums.append(f"SUM(CASE WHEN {condition} THEN {value} * {value} ELSE 0 END) AS q{index}")
    return sums

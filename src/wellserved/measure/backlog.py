"""Cases open at each period's end: how many, and how old the typical one was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wellserved.measure.case_table import fill_sql, midnight
from wellserved.measure.durations import quantile_columns
from wellserved.measure.interval import garwood_interval
from wellserved.measure.measure import Measure
from wellserved.measure.period_keys import key_of_period, period_key_sql
from wellserved.measure.query import MeasureColumn, Query
from wellserved.measure.wait_quantile import NOT_REACHED
from wellserved.moments import Granularity, Period, day_number


def backlog_column(query: Query, measure: Measure, periods: Sequence[Period | None]) -> MeasureColumn:
    """How many cases were open at each period's end: all that had come less all that had gone.

    A source that is known up to an earlier instant only counts as it stood then.
    """
    until = f"{day_number(query.question.until)}" if query.question.until else None
    as_of = fill_sql("{as_of}", query.case_table)
    counts: dict[tuple[str, str | None], list[tuple[int, int]]] = {}  # source, segment -> (period, how many more)
    end_columns = {
        unit: f"GREATEST(asked_{unit}, resolved_{unit})" for unit in ("day", "month")
    }  # a case closed before it was opened was never open
    for sign, columns, condition in (
        (1, {"day": "asked_day", "month": "asked_month"}, f"asked_s <= {as_of}"),
        (-1, end_columns, f"closed = 1 AND asked_s <= {as_of} AND resolved_s <= {as_of}"),
    ):
        key = (
            period_key_sql("asked", query.question.granularity)
            .replace("asked_day", columns["day"])
            .replace("asked_month", columns["month"])
        )
        before = f"{columns['day']} < {until}" if until else "1 = 1"
        table = query.columns(
            f"SELECT source, {query.segment_sql} AS segment, {key} AS period, COUNT(*) AS n FROM {query.case_table.table} "
            f"WHERE ({measure.population}) AND {condition} AND {before} AND {query.where} GROUP BY 1, 2, 3"
        )
        for source, segment, period, n in zip(
            *(table[name] for name in ("source", "segment", "period", "n")), strict=True
        ):
            counts.setdefault((str(source), segment), []).append((int(period), sign * int(n)))
    return _running_totals(query.question.granularity, counts, periods)


def _running_totals(
    granularity: Granularity | None,
    counts: Mapping[tuple[str, str | None], list[tuple[int, int]]],
    periods: Sequence[Period | None],
) -> MeasureColumn:
    """Comings and goings summed up to each period's end, or to a source's last word where that is earlier."""
    column = MeasureColumn()
    for (_source, segment), changes in counts.items():
        changes.sort()
        index, total = 0, 0
        for period in periods:
            key = key_of_period(period, granularity)
            while index < len(changes) and changes[index][0] <= key:
                total += changes[index][1]
                index += 1
            column.n[key, segment] = column.n.get((key, segment), 0) + total
    for group, n in column.n.items():
        column.value[group] = (float(n), *garwood_interval(n))
    return column


def backlog_age_column(query: Query, measure: Measure, periods: Sequence[Period | None]) -> MeasureColumn:
    """How old the typical case open at each period's end was; the cases are fetched once."""
    ends = {
        key_of_period(period, query.question.granularity): midnight(
            period.end if period else query.question.until, query.case_table, query.latest
        )
        for period in periods
    }
    if not ends:
        return MeasureColumn()
    value_list = ", ".join(f"({key}, CAST({end} AS BIGINT))" for key, end in ends.items())
    # A source that is known up to an earlier second is taken as it stood then.
    as_of = fill_sql("{as_of}", query.case_table)
    sql = (
        f"SELECT period, segment, (LEAST(ends_s, known) - asked_s) * 2 AS coded FROM ("
        f"SELECT {query.segment_sql} AS segment, asked_s, {as_of} AS known, "
        f"CASE WHEN closed = 0 OR resolved_s > {as_of} THEN {NOT_REACHED} ELSE resolved_s END AS gone FROM {query.case_table.table} "
        f"WHERE ({measure.population}) AND asked_s <= {as_of} AND {query.where}) AS lying "
        f"JOIN (VALUES {value_list}) AS spans(period, ends_s) ON asked_s < ends_s AND gone >= ends_s"
    )
    column = quantile_columns(query, sql, [measure])[measure.name]
    column.open.clear()  # all of them are
    return column

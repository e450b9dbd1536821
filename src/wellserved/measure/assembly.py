"""Ask the cases: all measures and periods of a question at once, each number with n and interval, or the reason for none.

Shares, counts and means by one date come from one pass over the cases, and so do all quantiles of one wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wellserved.measure.backlog import backlog_age_column, backlog_column
from wellserved.measure.case_table import CaseTable, midnight, with_next_ask
from wellserved.measure.coverage import restrict_measure
from wellserved.measure.durations import duration_columns
from wellserved.measure.interval import garwood_interval
from wellserved.measure.measure import Measure
from wellserved.measure.period_keys import key_of_period, period_key_sql, period_of_key
from wellserved.measure.query import MeasureColumn, Query, prepare_query
from wellserved.measure.rates import rate_columns
from wellserved.measure.series import MeasureQuestion, Series, Value
from wellserved.moments import NotComputable, Period, period_of, periods_between
from wellserved.scales import SCALES_FILE
from wellserved.wording import plural


def answer_question(case_table: CaseTable, question: MeasureQuestion) -> dict[str, Series]:
    """Every measure of the question, by name. A source that cannot answer a measure is left out of it, and named."""
    query = prepare_query(case_table, question)
    measures = [restrict_measure(case_table, measure, query.coverage) for measure in question.measures]
    columns = _rate_columns(query, measures) | _duration_columns(query, measures)
    scales = _rated_scales(query)
    periods = _periods_shown(query, columns)
    for measure in measures:
        if measure.kind == "stock":
            columns[measure.name] = backlog_column(query, measure, periods)
        elif measure.kind == "stock_age":
            columns[measure.name] = backlog_age_column(query, measure, periods)
    return {
        measure.name: _series(query, measure, columns[measure.name], periods, scales if measure.single_scale else {})
        for measure in question.measures
    }


def _rate_columns(query: Query, measures: Sequence[Measure]) -> dict[str, MeasureColumn]:
    """Counts, shares and means: all that share a date in one pass over the cases."""
    columns: dict[str, MeasureColumn] = {}
    rates = [measure for measure in measures if measure.kind in ("count", "share", "mean")]
    for date_basis, follows in {(measure.anchor, measure.follows) for measure in rates}:
        group = [measure for measure in rates if (measure.anchor, measure.follows) == (date_basis, follows)]
        case_table = with_next_ask(query.case_table) if follows else query.case_table
        columns |= rate_columns(replace(query, case_table=case_table), group)
    return columns


def _duration_columns(query: Query, measures: Sequence[Measure]) -> dict[str, MeasureColumn]:
    """Quantiles: all of one wait in one pass over the cases."""
    columns: dict[str, MeasureColumn] = {}
    waits: dict[tuple[str, str, str], list[Measure]] = {}
    for measure in measures:
        if measure.kind == "wait":
            waits.setdefault((measure.anchor, measure.event, measure.waiting), []).append(measure)
    for group in waits.values():
        columns |= duration_columns(query, group)
    return columns


def _rated_scales(query: Query) -> dict[str | None, tuple[str, str]]:
    """The first and last name of the scales on which each segment was rated; asked for ratings alone."""
    if not any(measure.single_scale for measure in query.question.measures):
        return {}
    sql = (
        f"SELECT {query.segment_sql} AS segment, MIN(scale) AS first_scale, MAX(scale) AS last_scale "
        f"FROM {query.case_table.table} WHERE scale IS NOT NULL AND {query.where} GROUP BY 1"
    )
    table = query.columns(sql)
    return {
        segment: (first_scale, last_scale)
        for segment, first_scale, last_scale in zip(
            table["segment"], table["first_scale"], table["last_scale"], strict=True
        )
    }


def _periods_shown(query: Query, columns: Mapping[str, MeasureColumn]) -> list[Period | None]:
    """The periods from the first to the last that any measure speaks of, without holes."""
    question, granularity = query.question, query.question.granularity
    if granularity is None or query.unmatched_reason:
        return [None]
    keys = {key for column in columns.values() for key, _ in column.n}
    today = datetime.fromtimestamp(query.latest, UTC).astimezone(ZoneInfo(query.case_table.zone)).date()
    if any(measure.kind in ("stock", "stock_age") for measure in question.measures):
        earliest = query.columns(f"SELECT MIN({period_key_sql('asked', granularity)}) AS a {query.case_sql('asked')}")
        if earliest["a"][0] is not None:
            keys |= {earliest["a"][0], key_of_period(period_of(today, granularity), granularity)}
    if not keys:
        return []
    first, last = period_of_key(min(keys), granularity), period_of_key(max(keys), granularity)
    start, end = max(filter(None, (first.start, question.since))), last.end
    if question.until:
        end = min(end, question.until)
    if not any(measure.reaches_ahead for measure in question.measures):
        end = min(end, period_of(today, granularity).end)  # promises fall due years ahead, but have no fate yet
    end = max(end, start + timedelta(days=1))
    return list(periods_between(start, end, granularity))


def _series(
    query: Query,
    measure: Measure,
    column: MeasureColumn,
    periods: Sequence[Period | None],
    scales: Mapping[str | None, tuple[str, str]],
) -> Series:
    """Lay the numbers out over all periods and segments; what cannot be said is said to be so."""
    segment_names = {segment for _, segment in column.n}
    segment_names |= {
        segment for segment, sources in query.sources_by_segment.items() if query.coverage.reason(measure, sources)
    }
    segments = sorted(segment_names, key=lambda name: (name is None, name or ""))
    if not segments and (query.question.by is None or query.unmatched_reason):
        segments = [None]
    rows: dict[str, list[Any]] = {
        name: [] for name in ("periods", "segments", "is_over", "n", "count", "open", "value", "low", "high", "remark")
    }
    for segment in segments:
        known_until, able_sources = query.known_until(measure, segment), query.able_sources(measure, segment)
        gap_reason = query.coverage.reason(measure, query.sources(segment))
        reason = (
            query.unmatched_reason or gap_reason or _mixed_scales_reason(query.case_table, measure, scales.get(segment))
        )
        for period in periods:
            key = (key_of_period(period, query.question.granularity), segment)
            n = column.n.get(key, 0)
            outside_reason = _outside_record(query.case_table, measure, period, n, able_sources)
            value, low, high = _value_or_reason(measure, column.value.get(key), n, reason or outside_reason)
            is_over = period is None or midnight(period.end, query.case_table, known_until) <= known_until
            remark = "" if isinstance(value, NotComputable) else _remark(query, measure, period, segment, scales)
            cells = (
                period, segment, is_over, 0 if outside_reason else n, column.count.get(key), column.open.get(key), value, low, high, remark,
            )  # fmt: skip
            for name, cell in zip(rows, cells, strict=True):
                rows[name].append(cell)
    columns = {name: tuple(cells) for name, cells in rows.items()}
    return Series(measure, query.question, query.case_table.zone, query.latest, query.case_table.log_version, **columns)


def _mixed_scales_reason(case_table: CaseTable, measure: Measure, scales: tuple[str, str] | None) -> str:
    """Why ratings on mixed or undeclared scales (the first and last by name) give no number; empty: they do."""
    if scales is None:
        return ""
    if scales[0] != scales[1]:
        return "ratings on several scales are never mixed; choose one with --where scale=NAME"
    scale = case_table.scales.get(scales[0])
    if scale is None:
        return f"what is good on the scale {scales[0]!r} is declared nowhere; declare it in {SCALES_FILE}"
    if scale.bad_border is None and measure.needs_bad:
        return f"what is bad on the scale {scale.name!r} is not declared; add bad_to in {SCALES_FILE}"
    return ""


def _outside_record(
    case_table: CaseTable, measure: Measure, period: Period | None, n: int, sources: Sequence[str]
) -> str:
    """A period before the first word of all its sources, or after their last: nothing is known of it, so 0 would be wrong."""
    is_backlog = measure.kind in ("stock", "stock_age")
    if period is None or not sources or (n and not is_backlog):
        return ""
    begins, ends = (
        min(case_table.begins.get(source, 0) for source in sources),
        max(case_table.as_of[source] for source in sources),
    )
    if midnight(period.end, case_table, begins) <= begins:
        return f"the record begins on {_local_day(case_table, begins)}"
    if measure.anchor != "due" and midnight(period.start, case_table, ends) > ends:
        return f"known up to {_local_day(case_table, ends)}"
    return ""


def _local_day(case_table: CaseTable, second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(case_table.zone)).date()}"


def _remark(
    query: Query,
    measure: Measure,
    period: Period | None,
    segment: str | None,
    scales: Mapping[str | None, tuple[str, str]],
) -> str:
    """What to know of a number that several sources make up, or whose neighbours are on another scale."""
    remarks = [query.coverage.remark(measure, query.sources(segment))]
    if measure.kind in ("count", "stock", "stock_age") and measure.anchor != "due":
        known_until = query.known_until(measure, segment)
        end = min(
            midnight(period.end if period else query.question.until, query.case_table, known_until) - 1, known_until
        )
        early_sources = [
            source for source in query.able_sources(measure, segment) if query.case_table.as_of[source] < end
        ]
        word = "known up to" if measure.kind == "count" else "as of"
        remarks += [
            f"{source} {word} {_local_day(query.case_table, query.case_table.as_of[source])}"
            for source in early_sources
        ]
    if len(set(scales.values())) > 1 and segment in scales:
        remarks.append(f"scale {scales[segment][0]}")
    return "; ".join(filter(None, remarks))


def _value_or_reason(
    measure: Measure, estimate: tuple[Value, Value, Value] | None, n: int, gap_reason: str
) -> tuple[Value, Value, Value]:
    """The number with its interval, or why there is none."""
    if gap_reason:
        reason = NotComputable(gap_reason)
    elif n < measure.minimum_n or (estimate is None and measure.minimum_n):
        reason = NotComputable(
            f"only {plural(n, 'case')}; at least {measure.minimum_n} are needed" if n else "no cases"
        )
    else:
        return estimate or (0.0, *garwood_interval(0))
    return (reason, reason, reason)

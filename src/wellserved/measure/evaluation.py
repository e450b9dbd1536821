"""Ask the cases: all measures and periods of a question at once, each number with n and interval.

Shares, counts and means by one date come from one pass over the cases, and so do all quantiles of one
wait: they are estimated by Kaplan-Meier from the waits themselves, sorted, as waits.py brings them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from wellserved.measure.case_table import CaseTable, fill_sql, filter_sql, period_sql, sources_of, with_next_ask
from wellserved.measure.coverage import Coverage, coverage_of, restrict_measure, unmatched_reason
from wellserved.measure.definition import Measure
from wellserved.measure.interval import NOT_REACHED, garwood_interval, mean_with_interval, wilson_interval
from wellserved.measure.series import MeasureQuestion, Series, Value
from wellserved.measure.waits import GroupKey, reduce_waits
from wellserved.measure.words import plural
from wellserved.moments import Granularity, NotComputable, Period, day_number, day_of, period_of, periods_between
from wellserved.scales import SCALES_FILE


@dataclass
class _MeasureColumn:
    """One measure's numbers by period and segment, as they come from the engine."""

    n: dict[GroupKey, int] = field(default_factory=dict)
    count: dict[GroupKey, int] = field(default_factory=dict)
    open: dict[GroupKey, int] = field(default_factory=dict)
    value: dict[GroupKey, tuple[Value, Value, Value]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Context:
    """What is known before any number is asked for: the filters, and which source can say what until when."""

    where: str
    values: Mapping[str, object]
    coverage: Coverage
    by_segment: Mapping[str | None, tuple[str, ...]]  # segment -> the sources of its cases, where they may differ
    latest: int  # epoch second up to which any of them is known
    unmatched_reason: str  # why no case matches the filters; empty: some does

    def sources(self, segment: str | None) -> tuple[str, ...]:
        """The sources of a segment's cases."""
        return self.by_segment.get(segment, ()) if self.by_segment else self.coverage.sources

    def able_sources(self, measure: Measure, segment: str | None) -> list[str]:
        """Those of them that can answer a measure."""
        gaps = self.coverage.gaps.get(measure.name, {})
        return [source for source in self.sources(segment) if source not in gaps]

    def known_until(self, case_table: CaseTable, measure: Measure, segment: str | None) -> int:
        """Epoch second up to which any of these is known."""
        return max((case_table.as_of[source] for source in self.able_sources(measure, segment)), default=self.latest)


def _context(case_table: CaseTable, question: MeasureQuestion) -> _Context:
    where, values = filter_sql(case_table, question)
    sources = sources_of(case_table, where, values)
    by_segment: dict[str | None, tuple[str, ...]] = {}
    if len(sources) > 1 and question.by:
        sql = f"SELECT DISTINCT {question.by} AS segment, source FROM {case_table.table} WHERE {where}"
        for pair in sorted(case_table.engine.query(sql, values).to_pylist(), key=lambda pair: str(pair["source"])):
            by_segment[pair["segment"]] = (*by_segment.get(pair["segment"], ()), str(pair["source"]))
    return _Context(
        where,
        values,
        coverage_of(case_table, question.measures, sources),
        by_segment,
        max((case_table.as_of[source] for source in sources), default=max(case_table.as_of.values(), default=0)),
        unmatched_reason(case_table, question),
    )


def answer_question(case_table: CaseTable, question: MeasureQuestion) -> dict[str, Series]:
    """Every measure of the question, by name. A source that cannot answer a measure is left out of it, and named."""
    context = _context(case_table, question)
    where, values = context.where, context.values
    measures = [restrict_measure(case_table, measure, context.coverage) for measure in question.measures]
    columns: dict[str, _MeasureColumn] = {}
    simple = [measure for measure in measures if measure.kind in ("count", "share", "mean")]
    for date_basis, follows in {(measure.anchor, measure.follows) for measure in simple}:
        group = [measure for measure in simple if (measure.anchor, measure.follows) == (date_basis, follows)]
        columns |= _aggregate(with_next_ask(case_table) if follows else case_table, question, group, where, values)
    waits: dict[tuple[str, str, str], list[Measure]] = {}
    for measure in measures:
        if measure.kind == "wait":
            waits.setdefault((measure.anchor, measure.event, measure.waiting), []).append(measure)
    for wait in waits.values():
        columns |= _duration_columns(case_table, question, wait, where, values)
    scales = _rated_scales(case_table, question, where, values)
    periods = _periods_shown(case_table, question, columns, context)
    for measure in measures:
        if measure.kind in ("stock", "stock_age"):
            compute = _backlog if measure.kind == "stock" else _backlog_age
            columns[measure.name] = compute(case_table, question, measure, periods, context)
    return {
        measure.name: _series(
            case_table,
            question,
            measure,
            columns[measure.name],
            periods,
            context,
            scales if measure.single_scale else {},
        )
        for measure in question.measures
    }


def period_key_sql(date_basis: str, granularity: Granularity | None) -> str:
    """SQL: the period that a case belongs to, in integers: a day number, or yyyymm."""
    if granularity is None:
        return "0"
    if granularity == "day":
        return f"{date_basis}_day"
    if granularity == "week":  # 1970-01-01 was a Thursday; 700003 keeps the remainder positive
        return f"{date_basis}_day - (({date_basis}_day + 700003) % 7)"
    if granularity == "month":
        return f"{date_basis}_month"
    if granularity == "year":  # by its January
        return f"{date_basis}_month - (({date_basis}_month % 100) - 1)"
    return f"{date_basis}_month - (({date_basis}_month % 100 - 1) % 3)"


def _period(key: int, granularity: Granularity) -> Period:
    if granularity in ("day", "week"):
        return period_of(day_of(key), granularity)
    return period_of(date(key // 100, key % 100, 1), granularity)


def period_start(key: int, granularity: Granularity) -> date:
    """The first day of the period that a key names."""
    return _period(key, granularity).start


def _key_of(period: Period, granularity: Granularity) -> int:
    if granularity in ("day", "week"):
        return period.first_day
    return period.start.year * 100 + period.start.month


def _segment_sql(case_table: CaseTable, question: MeasureQuestion) -> str:
    return question.by if question.by else f"CAST(NULL AS {case_table.engine.string})"


def _aggregate(
    case_table: CaseTable,
    question: MeasureQuestion,
    measures: Sequence[Measure],
    where: str,
    values: Mapping[str, object],
) -> dict[str, _MeasureColumn]:
    """Counts, shares and means by one date in one pass."""
    date_basis = measures[0].anchor
    # Where all are about one population, the other cases need not be looked at.
    is_same_population = len({measure.population for measure in measures}) == 1
    population_filter = fill_sql(measures[0].population, case_table) if is_same_population else "1 = 1"
    sums = []
    for index, measure in enumerate(measures):
        condition = "1 = 1" if is_same_population else fill_sql(measure.population, case_table)
        sums += _sum_columns(measure, index, condition, case_table)
    sql = (
        f"SELECT {period_key_sql(date_basis, question.granularity)} AS period, {_segment_sql(case_table, question)} AS segment, {', '.join(sums)} "
        f"FROM {case_table.table} WHERE ({population_filter}) AND {where} "
        f"AND {period_sql(question, date_basis)} GROUP BY 1, 2"
    )
    table = case_table.engine.query(sql, values).to_pydict()
    columns = {}
    for index, measure in enumerate(measures):
        column = columns[measure.name] = _MeasureColumn()
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
                column.value[key] = mean_with_interval(
                    n, float(table[f"k{index}"][row]), float(table[f"q{index}"][row])
                )
    return columns


def _sum_columns(measure: Measure, index: int, condition: str, case_table: CaseTable) -> list[str]:
    """SQL: what one measure adds up; `counted` says which cases it is about."""
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


def _duration_columns(
    case_table: CaseTable,
    question: MeasureQuestion,
    measures: Sequence[Measure],
    where: str,
    values: Mapping[str, object],
) -> dict[str, _MeasureColumn]:
    """The quantiles of one wait in every group, open cases counted as still waiting, in one pass."""
    measure = measures[0]
    now = "{as_of_bus}" if measure.clock == "business" else "{as_of}"
    # One CASE over whole columns takes half the time of a WHERE with the same conditions.
    ended_case, waiting_case = (
        f"WHEN {measure.event} THEN {measure.value} * 2",
        f"WHEN {measure.waiting} THEN ({now} - {measure.since}) * 2 + 1",
    )
    sql = (
        f"SELECT {period_key_sql(measure.anchor, question.granularity)} AS period, {_segment_sql(case_table, question)} AS segment, "
        f"{fill_sql(f'CASE {ended_case} {waiting_case} END', case_table)} AS coded "
        f"FROM {case_table.table} WHERE {where} AND {period_sql(question, measure.anchor)}"
    )
    return _quantiles(case_table, sql, measures, values)


def _quantiles(
    case_table: CaseTable, sql: str, measures: Sequence[Measure], values: Mapping[str, object]
) -> dict[str, _MeasureColumn]:
    """Measures of one wait from the rows of `period`, `segment` and `coded` that some SQL gives, each group by itself."""
    columns = {measure.name: _MeasureColumn() for measure in measures}
    quantiles = tuple(measure.quantile for measure in measures)
    for row in case_table.engine.reduce_groups(sql, values, partial(reduce_waits, quantiles)).to_pylist():
        group, n, open_count = (row["period"], row["segment"]), row["n"], row["open"]
        for index, measure in enumerate(measures):
            column = columns[measure.name]
            column.n[group], column.open[group] = n, open_count
            estimate = (row[f"value_{index}"], row[f"low_{index}"], row[f"high_{index}"])
            column.value[group] = _bounds_in_units(measure, estimate, n, open_count)
    return columns


def _bounds_in_units(
    measure: Measure, estimate: tuple[float, float, float], n: int, open_count: int
) -> tuple[Value, Value, Value]:
    """Seconds to the measure's unit; what was not reached is said, not guessed."""
    bounds: list[Value] = [
        bound / measure.seconds if math.isfinite(bound) else NotComputable("not reached yet") for bound in estimate
    ]
    if isinstance(bounds[0], NotComputable):
        share = f"{open_count / n:.0%} are still open"
        bounds[0] = NotComputable(f"{measure.quantile:.0%} are not reached yet; {share}")
    return (bounds[0], bounds[1], bounds[2])


def _rated_scales(
    case_table: CaseTable, question: MeasureQuestion, where: str, values: Mapping[str, object]
) -> dict[str | None, tuple[str, str]]:
    """The first and last name of the scales on which each segment was rated; asked for ratings alone."""
    if not any(measure.single_scale for measure in question.measures):
        return {}
    sql = (
        f"SELECT {_segment_sql(case_table, question)} AS segment, MIN(scale) AS first_scale, MAX(scale) AS last_scale "
        f"FROM {case_table.table} WHERE scale IS NOT NULL AND {where} GROUP BY 1"
    )
    return {
        row["segment"]: (row["first_scale"], row["last_scale"])
        for row in case_table.engine.query(sql, values).to_pylist()
    }


def _periods_shown(
    case_table: CaseTable,
    question: MeasureQuestion,
    columns: Mapping[str, _MeasureColumn],
    context: _Context,
) -> list[Period | None]:
    """The periods from the first to the last that any measure speaks of, without holes."""
    granularity = question.granularity
    if granularity is None or context.unmatched_reason:
        return [None]
    where, values, latest = context.where, context.values, context.latest
    keys = {key for column in columns.values() for key, _ in column.n}
    today = datetime.fromtimestamp(latest, UTC).astimezone(ZoneInfo(case_table.zone)).date()
    if any(measure.kind in ("stock", "stock_age") for measure in question.measures):
        first_key = f"SELECT MIN({period_key_sql('asked', granularity)}) AS a FROM {case_table.table}"
        earliest = case_table.engine.query(
            f"{first_key} WHERE {where} AND {period_sql(question, 'asked')}", values
        ).to_pydict()
        if earliest["a"][0] is not None:
            keys |= {earliest["a"][0], _key_of(period_of(today, granularity), granularity)}
    if not keys:
        return []
    first, last = _period(min(keys), granularity), _period(max(keys), granularity)
    start, end = max(filter(None, (first.start, question.since))), last.end
    if question.until:
        end = min(end, question.until)
    if not any(measure.reaches_ahead for measure in question.measures):
        end = min(end, period_of(today, granularity).end)  # promises fall due years ahead, but have no fate yet
    end = max(end, start + timedelta(days=1))
    return list(periods_between(start, end, granularity))


def _midnight(day: date | None, case_table: CaseTable, latest: int) -> int:
    """First epoch second of a local day, or after as-of if that is earlier or there is no day."""
    if day is None:
        return latest + 1
    return min(int(datetime.combine(day, time(), ZoneInfo(case_table.zone)).timestamp()), latest + 1)


def _backlog(
    case_table: CaseTable,
    question: MeasureQuestion,
    measure: Measure,
    periods: Sequence[Period | None],
    context: _Context,
) -> _MeasureColumn:
    """How many cases were open at each period's end: all that had come less all that had gone.

    A source that is known up to an earlier instant only counts as it stood then.
    """
    until, as_of = f"{day_number(question.until)}" if question.until else None, fill_sql("{as_of}", case_table)
    counts: dict[tuple[str, str | None], list[tuple[int, int]]] = {}  # source, segment -> (period, how many more)
    end_columns = {
        unit: f"GREATEST(asked_{unit}, resolved_{unit})" for unit in ("day", "month")
    }  # a case closed before it was opened was never open
    for sign, columns, condition in (
        (1, {"day": "asked_day", "month": "asked_month"}, f"asked_s <= {as_of}"),
        (-1, end_columns, f"closed = 1 AND asked_s <= {as_of} AND resolved_s <= {as_of}"),
    ):
        key = (
            period_key_sql("asked", question.granularity)
            .replace("asked_day", columns["day"])
            .replace("asked_month", columns["month"])
        )
        before = f"{columns['day']} < {until}" if until else "1 = 1"
        table = case_table.engine.query(
            f"SELECT source, {_segment_sql(case_table, question)} AS segment, {key} AS period, COUNT(*) AS n FROM {case_table.table} "
            f"WHERE ({measure.population}) AND {condition} AND {before} AND {context.where} GROUP BY 1, 2, 3",
            context.values,
        ).to_pydict()
        for source, segment, period, n in zip(
            *(table[name] for name in ("source", "segment", "period", "n")), strict=True
        ):
            counts.setdefault((str(source), segment), []).append((int(period), sign * int(n)))
    return _running_totals(question, counts, periods)


def _running_totals(
    question: MeasureQuestion,
    counts: Mapping[tuple[str, str | None], list[tuple[int, int]]],
    periods: Sequence[Period | None],
) -> _MeasureColumn:
    """Comings and goings summed up to each period's end, or to a source's last word where that is earlier."""
    column = _MeasureColumn()
    for (_source, segment), changes in counts.items():
        changes.sort()
        index, total = 0, 0
        for period in periods:
            key = _key_of(period, question.granularity) if period and question.granularity else 0
            while index < len(changes) and changes[index][0] <= key:
                total += changes[index][1]
                index += 1
            column.n[key, segment] = column.n.get((key, segment), 0) + total
    for group, n in column.n.items():
        column.value[group] = (float(n), *garwood_interval(n))
    return column


def _backlog_age(
    case_table: CaseTable,
    question: MeasureQuestion,
    measure: Measure,
    periods: Sequence[Period | None],
    context: _Context,
) -> _MeasureColumn:
    """How old the typical case open at each period's end was; the cases are fetched once."""
    ends = {
        _key_of(period, question.granularity) if period and question.granularity else 0: _midnight(
            period.end if period else question.until, case_table, context.latest
        )
        for period in periods
    }
    if not ends:
        return _MeasureColumn()
    value_list = ", ".join(f"({key}, CAST({end} AS BIGINT))" for key, end in ends.items())
    # A source that is known up to an earlier second is taken as it stood then.
    as_of = fill_sql("{as_of}", case_table)
    sql = (
        f"SELECT period, segment, (LEAST(ends_s, known) - asked_s) * 2 AS coded FROM ("
        f"SELECT {_segment_sql(case_table, question)} AS segment, asked_s, {as_of} AS known, "
        f"CASE WHEN closed = 0 OR resolved_s > {as_of} THEN {NOT_REACHED} ELSE resolved_s END AS gone FROM {case_table.table} "
        f"WHERE ({measure.population}) AND asked_s <= {as_of} AND {context.where}) AS lying "
        f"JOIN (VALUES {value_list}) AS spans(period, ends_s) ON asked_s < ends_s AND gone >= ends_s"
    )
    column = _quantiles(case_table, sql, [measure], context.values)[measure.name]
    column.open.clear()  # all of them are
    return column


def _series(
    case_table: CaseTable,
    question: MeasureQuestion,
    measure: Measure,
    column: _MeasureColumn,
    periods: Sequence[Period | None],
    context: _Context,
    scales: Mapping[str | None, tuple[str, str]],
) -> Series:
    """Lay the numbers out over all periods and segments; what cannot be said is said to be so."""
    segment_names = {segment for _, segment in column.n}
    segment_names |= {
        segment for segment, sources in context.by_segment.items() if context.coverage.reason(measure, sources)
    }
    segments = sorted(segment_names, key=lambda name: (name is None, name or ""))
    if not segments and (question.by is None or context.unmatched_reason):
        segments = [None]
    rows: dict[str, list[Any]] = {
        name: [] for name in ("periods", "segments", "is_over", "n", "count", "open", "value", "low", "high", "remark")
    }
    for segment in segments:
        known_until = context.known_until(case_table, measure, segment)
        gap_reason = context.coverage.reason(measure, context.sources(segment))
        reason = context.unmatched_reason or gap_reason or _scale_problem(case_table, measure, scales.get(segment))
        for period in periods:
            key = (_key_of(period, question.granularity) if period and question.granularity else 0, segment)
            n = column.n.get(key, 0)
            outside_reason = _outside_record(case_table, measure, period, n, context.able_sources(measure, segment))
            value, low, high = _value_or_reason(measure, column.value.get(key), n, reason or outside_reason)
            is_over = period is None or _midnight(period.end, case_table, known_until) <= known_until
            remark = (
                ""
                if isinstance(value, NotComputable)
                else _remark(case_table, question, measure, period, segment, context, scales)
            )
            cells = (
                period, segment, is_over, 0 if outside_reason else n, column.count.get(key), column.open.get(key), value, low, high, remark,
            )  # fmt: skip
            for name, cell in zip(rows, cells, strict=True):
                rows[name].append(cell)
    columns = {name: tuple(cells) for name, cells in rows.items()}
    return Series(measure, question, case_table.zone, context.latest, case_table.log_version, **columns)


def _scale_problem(case_table: CaseTable, measure: Measure, scales: tuple[str, str] | None) -> str:
    """Why ratings on these scales (the first and last by name) give no number; empty: they do."""
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
    if _midnight(period.end, case_table, begins) <= begins:
        return f"the record begins on {_local_day(case_table, begins)}"
    if measure.anchor != "due" and _midnight(period.start, case_table, ends) > ends:
        return f"known up to {_local_day(case_table, ends)}"
    return ""


def _local_day(case_table: CaseTable, second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(case_table.zone)).date()}"


def _remark(
    case_table: CaseTable,
    question: MeasureQuestion,
    measure: Measure,
    period: Period | None,
    segment: str | None,
    context: _Context,
    scales: Mapping[str | None, tuple[str, str]],
) -> str:
    """What to know of a number that several sources make up, or whose neighbours are on another scale."""
    remarks = [context.coverage.remark(measure, context.sources(segment))]
    if measure.kind in ("count", "stock", "stock_age") and measure.anchor != "due":
        known_until = context.known_until(case_table, measure, segment)
        end = min(_midnight(period.end if period else question.until, case_table, known_until) - 1, known_until)
        early_sources = [source for source in context.able_sources(measure, segment) if case_table.as_of[source] < end]
        word = "known up to" if measure.kind == "count" else "as of"
        remarks += [f"{source} {word} {_local_day(case_table, case_table.as_of[source])}" for source in early_sources]
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

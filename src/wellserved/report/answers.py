"""All that a report rests on, asked before a word of it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from wellserved.chart import Chart, compute_chart
from wellserved.measure import MEASURES, Measure, MeasureQuestion, Series, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable
from wellserved.moments import Granularity, NotComputable, Period
from wellserved.report import segments as compare
from wellserved.report.segments import Funnel, Pareto

CHARTED_MEASURES: Final = (
    "promise_kept",
    "promise_kept_by_source",
    "time_to_resolution",
    "time_to_first_reply",
    "time_to_first_handover",
    "still_open",
    "open_age",
    "asked",
    "resolved",
    "reopen_rate",
    "handovers",
    "contacts",
    "rating_good",
    "complaint_rate",
    "return_rate",
    "first_contact_resolution",
)
FOCUS_MEASURES: Final = ("promise_kept", "promise_kept_by_source", "return_rate", "reopen_rate")
SPLIT_COLUMNS: Final = ("team", "category", "service", "channel", "priority", "place")
MAX_OLDEST_SHOWN = 10
FEWEST_MISSES = 30  # misses of the period from which it is asked by itself where they lie


@dataclass(frozen=True)
class OldestCases:
    """The cases that wait longest: with promises, those longest overdue."""

    are_overdue: bool
    rows: tuple[dict[str, Any], ...]  # case_id, service, team, asked (day), due (day or ""), days


@dataclass(frozen=True)
class ReportAnswers:
    """The answers that a report is written from."""

    zone: str
    source: str
    granularity: Granularity
    period: Period
    first: date
    as_of: datetime
    all_time: Mapping[str, Series]
    this_period: Mapping[str, Series]
    earlier: Mapping[str, Series]
    over_time: Mapping[str, Series]
    charts: Mapping[str, Chart]
    focus: Measure | None  # the share by which segments are compared: the first that this source can answer
    funnels: tuple[Funnel, ...]  # of the focus over the whole record, by column
    paretos: tuple[Pareto, ...]  # its misses over the whole record
    period_pareto: Pareto | None  # its misses in the period, where they are many
    promised_lengths: tuple[Series, Series] | None  # kept, and the time that would keep nine in ten, by length
    flag_counts: Mapping[str, int]  # cases whose own flag could be compared with their dates: all, same, blank
    oldest: OldestCases
    impossible: Mapping[str, int]  # cases closed first, due first, resolved at an unknown time


def is_computable(series: Series) -> bool:
    """Any number of the series is computable."""
    return any(not isinstance(value, NotComputable) for value in series.value)


def ask_all(
    case_table: CaseTable,
    source: str,
    granularity: Granularity,
    period: Period,
    recorded: tuple[date, datetime],
    charted: tuple[date, date],
    rule_set: str,
) -> ReportAnswers:
    """Everything that a report needs of one source, over `recorded` (first day, as of) and `charted` (first day, end)."""
    question = MeasureQuestion(MEASURES, where=(("source", source),))
    over_time = answer_question(
        case_table, replace(question, granularity=granularity, since=charted[0], until=charted[1])
    )
    all_time = answer_question(case_table, question)
    focus = next((find_measure(name) for name in FOCUS_MEASURES if is_computable(all_time[name])), None)
    splits = {column: _split(case_table, source, focus, column) for column in SPLIT_COLUMNS} if focus else {}
    paretos = _paretos(splits)
    return ReportAnswers(
        case_table.zone,
        source,
        granularity,
        period,
        *recorded,
        all_time=all_time,
        this_period=answer_question(case_table, replace(question, since=period.start, until=period.end)),
        earlier=answer_question(case_table, replace(question, until=period.start)),
        over_time=over_time,
        charts={
            name: compute_chart(over_time[name], rule_set=rule_set)
            for name in CHARTED_MEASURES
            if is_computable(over_time[name])
        },
        focus=focus,
        funnels=tuple(
            funnel
            for column, series in splits.items()
            if not isinstance(funnel := compare.funnel(series, column), NotComputable)
        ),
        paretos=paretos,
        period_pareto=_period_pareto(case_table, source, focus, paretos, period),
        promised_lengths=_promised_lengths(case_table, source, all_time),
        flag_counts=_flag_counts(case_table, source, all_time),
        oldest=_oldest_cases(case_table, source, is_computable(all_time["promise_kept"])),
        impossible=_impossible_counts(case_table, source),
    )


def _split(case_table: CaseTable, source: str, measure: Measure, column: str, period: Period | None = None) -> Series:
    """A measure by the values of a column, over the whole record or in a period."""
    since, until = (period.start, period.end) if period else (None, None)
    question = MeasureQuestion((measure,), by=column, where=(("source", source),), since=since, until=until)
    return answer_question(case_table, question)[measure.name]


def _paretos(splits: Mapping[str, Series]) -> tuple[Pareto, ...]:
    """Where the misses lie, by the columns that say what a case is about."""
    all_paretos = (compare.pareto(splits[column], column) for column in ("category", "service", "priority") if splits)
    return tuple(one for one in all_paretos if not isinstance(one, NotComputable) and len(one.rows) > 1)


def _period_pareto(
    case_table: CaseTable, source: str, focus: Measure | None, paretos: tuple[Pareto, ...], period: Period
) -> Pareto | None:
    """Where the misses of the period lie, by the finest column that tells; None: they are too few."""
    columns = [pareto.column for pareto in paretos if pareto.column != "priority"]
    if focus is None or not columns:
        return None
    pareto = compare.pareto(_split(case_table, source, focus, columns[-1], period), columns[-1])
    return None if isinstance(pareto, NotComputable) or pareto.total < FEWEST_MISSES else pareto


def _promised_lengths(
    case_table: CaseTable, source: str, all_time: Mapping[str, Series]
) -> tuple[Series, Series] | None:
    if not is_computable(all_time["promise_kept"]):
        return None
    kept, needed = (
        _split(case_table, source, find_measure(name), "promised") for name in ("promise_kept", "promise_to_keep_90")
    )
    return kept, needed


def _flag_counts(case_table: CaseTable, source: str, all_time: Mapping[str, Series]) -> dict[str, int]:
    """How often the source's own flag says what its dates say."""
    if not is_computable(all_time["closed_late"]):
        return {"n": 0, "same": 0, "blank": 0}
    condition = "late_secs IS NOT NULL AND source = $source"
    same_sql = "source_kept = CASE WHEN late_secs <= 0 THEN 1 ELSE 0 END"
    counts = case_table.engine.query(
        f"SELECT COUNT(*) AS n, SUM(CASE WHEN {same_sql} THEN 1 ELSE 0 END) AS same, "
        f"SUM(CASE WHEN source_kept IS NULL THEN 1 ELSE 0 END) AS blank FROM {case_table.table} WHERE {condition}",
        {"source": source},
    ).to_pydict()
    return {name: int(values[0] or 0) for name, values in counts.items()}


def _oldest_cases(case_table: CaseTable, source: str, has_promises: bool) -> OldestCases:
    """The oldest open promises; where no due time is known, the oldest open cases."""
    as_of, zone = case_table.as_of[source], ZoneInfo(case_table.zone)
    condition = f"due_s IS NOT NULL AND due_s <= {as_of} AND due_first = 0" if has_promises else "asked_s IS NOT NULL"
    order = "due_s" if has_promises else "asked_s"
    rows = case_table.engine.query(
        f"SELECT case_id, service, team, asked_s, due_s, {order} AS o FROM {case_table.table} "
        f"WHERE source = $source AND closed = 0 AND {condition} ORDER BY {order}, case_id LIMIT {MAX_OLDEST_SHOWN}",
        {"source": source},
    ).to_pylist()

    def day(second: int | None) -> str:
        return datetime.fromtimestamp(second, UTC).astimezone(zone).date().isoformat() if second else ""

    return OldestCases(
        has_promises,
        tuple(
            {
                "case_id": row["case_id"],
                "service": row["service"] or "",
                "team": row["team"] or "",
                "asked": day(row["asked_s"]),
                "due": day(row["due_s"]),
                "days": round((as_of - row["o"]) / 86_400, 1),
            }
            for row in rows
        ),
    )


def _impossible_counts(case_table: CaseTable, source: str) -> dict[str, int]:
    counts = case_table.engine.query(
        "SELECT SUM(closed_first) AS closed_first, SUM(due_first) AS due_first, "
        f"SUM(resolved_unknown) AS resolved_unknown FROM {case_table.table} WHERE source = $source",
        {"source": source},
    ).to_pydict()
    return {name: int(values[0] or 0) for name, values in counts.items()}

"""From cases to a measure by period, every case looked at at the same age.

Young cases look better than old ones: their ratings have not come, nobody has reopened them, the slow ones are still
open. A series over all cases as they stand would show a change where there is none. So each case is folded again from
the moments of its first days alone (its age), and a period counts once all its cases have reached that age. Open cases
are carried, not dropped: a wait from the first ask that has not ended by that age is known to be longer.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

from wellserved.calendar import SECONDS_PER_DAY
from wellserved.measure import Measure, MeasureQuestion
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable, fill_sql, filter_sql, period_sql, sources_of
from wellserved.measure.coverage import coverage_of, unmatched_reason
from wellserved.measure.wait_quantile import packed_duration_quantile
from wellserved.measure.waits import map_groups
from wellserved.moments import NotComputable
from wellserved.prove.engine.response import Family
from wellserved.prove.period_series import DAYS_PER_PERIOD, PeriodSeries, lay_out_periods, no_series
from wellserved.prove.wait_series import ENDED_WAITS_SHARE, wait_series
from wellserved.prove.window import AnalysisWindow, CaseFilter

LAST_WORD_SHARE = 0.9  # the age at which so many cases have had their last word is the age they are looked at
CLOCK_UNREADABLE = "the clock of this measure cannot be read at an age"
PROMISES_RENEWED = "promises were renewed after they had been missed, which moves old misses to later periods; prove first_promise_kept instead"


def observe_measure(
    window: AnalysisWindow,
    measure: Measure,
    where: CaseFilter,
    age_days: int | None = None,
    fewest_days: int = 0,
) -> PeriodSeries:
    """One measure of some of the cases, before and after the change.

    Shares, means and waits are taken at an age: the one given, or the one at which nine in ten cases of the time
    before the change had had their last word (a wait: at which it had nearly always ended), but at least so many days,
    and never more than half of the time since the change where that age is capped.
    """
    question = MeasureQuestion((measure,), None, window.granularity, window.since, window.until, where)
    condition, values = filter_sql(window.case_table, question)
    sources = sources_of(window.case_table, condition, values)
    coverage = coverage_of(window.case_table, (measure,), sources)
    if reason := coverage.reason(measure, sources) or unmatched_reason(window.case_table, question):
        return no_series(measure, reason, is_not_recorded=True)
    if gaps := coverage.gaps.get(measure.name):
        window.coverage_gaps |= {(source, measure.name): gap_reason for source, gap_reason in gaps.items()}
        able_sources = tuple(("source", source) for source in sources if source not in gaps)
        where = (*(pair for pair in where if pair[0] != "source"), *able_sources)
        question = replace(question, where=where)
    if measure.today_only:
        return no_series(measure, "it speaks of today alone")
    if measure.kind in ("count", "stock", "stock_age"):
        return _dated_series(window, measure, question)
    if measure.reads_business_now:
        return no_series(measure, CLOCK_UNREADABLE)
    if measure.anchor == "due" and _has_case(window.case_table, "overrun > 0", question):
        return no_series(measure, PROMISES_RENEWED)
    max_days = int((window.known_until(where).date() - window.change).days / 2)
    if window.capped_follow_up and max_days < 1:
        known_date = window.known_until(where).date()
        position_words = (
            "lies after the end of the record"
            if known_date < window.change
            else "was less than two days before its end"
        )
        return no_series(measure, f"the change {position_words}, {known_date.isoformat()}")
    days = max(
        age_days or max(_age_before_change(window, measure, question, max_days), fewest_days), measure.least_days
    )
    case_table = window.at_age(measure.anchor, days * SECONDS_PER_DAY)
    if measure.kind == "wait":
        series = wait_series(window, case_table, measure, question, days)
        if (
            series.is_unreached
            and not age_days
            and (longer_age := _age_after_change(window, measure, question, max_days)) > days
        ):
            return observe_measure(window, measure, where, None, longer_age)
        return series
    return _share_series(window, case_table, measure, question, days)


def _has_case(case_table: CaseTable, sql: str, question: MeasureQuestion) -> bool:
    """Whether any case of the question is so; the first one ends the search."""
    where, values = filter_sql(case_table, question)
    rows = case_table.engine.query(
        f"SELECT 1 FROM {case_table.table} WHERE ({fill_sql(sql, case_table)}) AND {where} LIMIT 1", values
    )
    return bool(rows.num_rows)


def _age_before_change(window: AnalysisWindow, measure: Measure, question: MeasureQuestion, max_days: int) -> int:
    """Days after its anchor at which a case is looked at, from the time before the change alone."""
    days = _last_word_age(window, measure, replace(question, until=window.change))
    return min(days, max_days) if window.capped_follow_up else days


def _age_after_change(window: AnalysisWindow, measure: Measure, question: MeasureQuestion, max_days: int) -> int:
    """Days after its anchor from the time after the change, where waits have grown beyond the age of the time before."""
    days = _last_word_age(window, measure, replace(question, since=window.change), max_days)
    return min(days, max_days) if window.capped_follow_up else days


def _last_word_age(window: AnalysisWindow, measure: Measure, past: MeasureQuestion, default_days: int = 30) -> int:
    """Days within which nearly all cases of a time had had their last word; where that is not known, so many."""
    case_table, basis_column = window.case_table, f"{measure.anchor}_s"
    where, values = filter_sql(case_table, past)
    twin = measure.calendar_twin or measure
    packed_sql = f"CASE WHEN closed = 1 THEN GREATEST(last_s - {basis_column}, 0) * 2 ELSE GREATEST({{as_of}} - {basis_column}, 0) * 2 + 1 END"
    share = ENDED_WAITS_SHARE if measure.adds_up and measure.kind == "wait" else LAST_WORD_SHARE
    if measure.kind == "wait" and not measure.adds_up:
        packed_sql = f"CASE WHEN {twin.event} THEN {twin.value} * 2 WHEN {twin.waiting} THEN ({{as_of}} - {twin.since}) * 2 + 1 END"
        share = (1 + twin.quantile) / 2
    sql = f"SELECT 0 AS period, CAST(NULL AS VARCHAR) AS segment, {fill_sql(packed_sql, case_table)} AS coded FROM {case_table.table} WHERE {where} AND {period_sql(past, measure.anchor)}"
    days = default_days
    for _, seconds in map_groups(
        case_table.engine.stream(sql, values), lambda waits: packed_duration_quantile(waits, share)[0]
    ):
        days = max(math.ceil(seconds / SECONDS_PER_DAY), 1) if math.isfinite(seconds) else default_days
    return days


def _dated_series(window: AnalysisWindow, measure: Measure, question: MeasureQuestion) -> PeriodSeries:
    """Counts of dated events and stocks at a period's end, which later moments do not change."""
    measure_series = answer_question(window.case_table, replace(question, measures=(replace(measure, minimum_n=0),)))[
        measure.name
    ]
    known_date = window.known_until(question.where).date()
    index_by_start = {
        period.start: index
        for index, period in enumerate(measure_series.periods)
        if period and measure_series.is_over[index]
    }

    def total_and_size(index: int) -> tuple[float, float]:
        period, value = measure_series.periods[index], measure_series.value[index]
        assert period is not None
        if measure.kind == "count":
            return float(measure_series.n[index]), (period.end - period.start).days / DAYS_PER_PERIOD[
                window.granularity
            ]
        return (math.nan, 0.0) if isinstance(value, NotComputable) else (float(value), 1.0)

    family: Family = "count" if measure.kind == "count" else "plain"
    return lay_out_periods(
        window,
        question,
        {start: total_and_size(index) for start, index in index_by_start.items()},
        known_date,
        None,
        family,
    )


def _share_series(
    window: AnalysisWindow,
    case_table: CaseTable,
    measure: Measure,
    question: MeasureQuestion,
    days: int,
    family: Family | None = None,
) -> PeriodSeries:
    """Shares and means of cases at their age."""
    at_age = replace(measure, minimum_n=2 if measure.kind == "mean" else 1, needs="")
    measure_series = answer_question(case_table, replace(question, measures=(at_age,)))[measure.name]
    totals_and_sizes: dict[date, tuple[float, float]] = {}
    reason = "no cases"
    for index, period in enumerate(measure_series.periods):
        value, n = measure_series.value[index], float(measure_series.n[index])
        if isinstance(value, NotComputable):
            reason = value.reason
        elif period is not None:
            totals_and_sizes[period.start] = (
                value * n if measure.kind == "mean" else float(measure_series.count[index] or 0),
                n,
            )
    if not totals_and_sizes:
        return no_series(measure, reason)
    mature_until = (window.known_until(question.where) - timedelta(days=days)).date()
    family = family or ("mean" if measure.kind == "mean" else "rate")
    return lay_out_periods(window, replace(question, measures=(measure,)), totals_and_sizes, mature_until, days, family)

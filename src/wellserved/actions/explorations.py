"""What may be asked without claiming an improvement: queues, hand-overs, shifts, drivers, gaps, judges."""

from __future__ import annotations

from datetime import date

from wellserved.actions.open_cases import check_filters, open_case_table, opening_hours
from wellserved.errors import RequestError
from wellserved.explore.agreement import Agreement, paired_ratings, rating_agreement
from wellserved.explore.drivers import Drivers, estimate_drivers
from wellserved.explore.gap import ExpectationGaps, expectation_gaps
from wellserved.explore.shift import Shift, find_series_shift
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.case_table import CaseTable, filter_sql
from wellserved.measure.coverage import unmatched_reason
from wellserved.measure.timeline import (
    make_moment_table,
)
from wellserved.moments import DateRange, Granularity, day_of
from wellserved.progress import ProgressCallback, no_progress
from wellserved.prove import AnalysisWindow, PeriodSeries, observe_measure
from wellserved.storage.workspace import Workspace


def find_shift(
    workspace: Workspace,
    measure_name: str,
    granularity: Granularity,
    where: tuple[tuple[str, str], ...],
    span: DateRange,
    on_progress: ProgressCallback = no_progress,
) -> tuple[PeriodSeries, Shift]:
    """When a measure shifted, if nobody declared a change; every case at the same age."""
    measure = find_measure(measure_name)
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        first, last = _recorded_days(case_table, where)
        middle = (span[0] or first) + ((span[1] or last) - (span[0] or first)) // 2
        on_progress("Looking for a shift", 0, 0)
        series = observe_measure(
            AnalysisWindow(
                case_table, "moments", opening_hours(workspace), middle, granularity, *span, case_filters=(where,)
            ),
            measure,
            where,
        )
    if series.reason:
        raise RequestError(
            f"{measure_name} has no series here: {series.reason}.", "Choose another measure, or other cases."
        )
    return find_series_shift(series, granularity)


def _recorded_days(case_table: CaseTable, where: tuple[tuple[str, str], ...]) -> tuple[date, date]:
    condition, parameters = filter_sql(case_table, MeasureQuestion((), where=where))
    days = case_table.engine.query(
        f"SELECT MIN(asked_day) AS first, MAX(asked_day) AS last FROM {case_table.table} WHERE {condition}", parameters
    )
    if days["first"][0].as_py() is None:
        raise RequestError(
            unmatched_reason(case_table, MeasureQuestion((), where=where)) or "There are no cases.", "Correct --where."
        )
    return day_of(int(days["first"][0].as_py())), day_of(int(days["last"][0].as_py()))


def find_drivers(
    workspace: Workspace, where: tuple[tuple[str, str], ...], on_progress: ProgressCallback = no_progress
) -> Drivers:
    """What goes with bad ratings."""
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        check_filters(case_table, MeasureQuestion((), where=where))
        on_progress("Weighing drivers", 0, 0)
        return estimate_drivers(case_table, where)


def find_gaps(
    workspace: Workspace, by: str, where: tuple[tuple[str, str], ...], on_progress: ProgressCallback = no_progress
) -> ExpectationGaps:
    """What customers expected beside what they got."""
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        check_filters(case_table, MeasureQuestion((), where=where))
        gaps = expectation_gaps(make_moment_table(case_table, "moments", opening_hours(workspace)), by, where)
    if not gaps.gaps:
        raise RequestError("No segment has ten cases with both.", "Choose a coarser column with --by.")
    return gaps


def compare_judges(workspace: Workspace, on_progress: ProgressCallback = no_progress) -> Agreement:
    """One's own ratings beside those of customers."""
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        return rating_agreement(
            *paired_ratings(make_moment_table(case_table, "moments", opening_hours(workspace))), case_table.scales
        )

"""Who to compare with: segments that did not change."""

from __future__ import annotations

from wellserved.engine.duckdb import quote_name
from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import filter_sql
from wellserved.moments import SEGMENTS
from wellserved.prove import checks
from wellserved.prove.engine.response import ModelInput
from wellserved.prove.observe import observe_measure
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.request import ProofRequest
from wellserved.prove.window import AnalysisWindow, CaseFilter

MIN_CONTROL_COVERAGE = 0.8  # of the periods before the change: a control that is known for less is refused
MAX_OTHER_SEGMENTS = 500  # values of a column that are still listed to stand for "all others"


def observe_controls(window: AnalysisWindow, request: ProofRequest, series: PeriodSeries) -> list[ModelInput]:
    """The measure in each segment that nothing was done to, over the periods of the series."""
    controls = []
    for column, value in request.control_segments:
        other_filters = tuple(pair for pair in request.where if pair[0] != column)
        control_series = observe_measure(window, request.measure, (*other_filters, (column, value)), series.age_days)
        if control_series.reason:
            raise RequestError(
                f"{column}={value} cannot be compared with: {control_series.reason}.", "Choose another --against."
            )
        controls.append(require_coverage(checks.align_series(control_series, series), series, f"{column}={value}"))
    return controls


def other_segments_filter(window: AnalysisWindow, where: CaseFilter) -> CaseFilter | None:
    """The filter that leaves the cases which differ in the first segment named; None: there are none to name."""
    segment_columns = [column for column, _ in where if column in SEGMENTS and column != "source"]
    if not segment_columns:
        return None
    column, other_filters = segment_columns[0], tuple(pair for pair in where if pair[0] != segment_columns[0])
    condition, parameters = filter_sql(window.case_table, MeasureQuestion((), where=other_filters))
    sql = f"SELECT DISTINCT {quote_name(column)} AS one FROM {window.case_table.table} WHERE {condition} AND {quote_name(column)} IS NOT NULL LIMIT {MAX_OTHER_SEGMENTS + 50}"
    own_values = {value for filter_column, value in where if filter_column == column}
    other_values = sorted(
        {str(value) for value in window.case_table.engine.query(sql, parameters)["one"].to_pylist()} - own_values
    )
    return (
        (*other_filters, *((column, value) for value in other_values))
        if 0 < len(other_values) <= MAX_OTHER_SEGMENTS
        else None
    )


def require_coverage(control: ModelInput, series: PeriodSeries, label: str) -> ModelInput:
    """A control that is known for most of the time before the change."""
    known_before = series.model_input.is_observed[: series.before]
    coverage = (control.is_observed[: series.before] & known_before).sum() / max(known_before.sum(), 1)
    if coverage < MIN_CONTROL_COVERAGE:
        raise RequestError(
            f"{label} cannot be compared with: it is known for {coverage:.0%} of the time before the change.",
            "Choose another --against, or start later with --since.",
        )
    return control

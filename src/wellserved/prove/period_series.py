"""A measure by period, as the engine takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from wellserved.measure import Measure, MeasureQuestion
from wellserved.measure.case_table import filter_sql
from wellserved.moments import Granularity, Period, periods_between
from wellserved.prove.engine.response import Family, ModelInput
from wellserved.prove.window import AnalysisWindow, CaseFilter

DAYS_PER_PERIOD: dict[Granularity, float] = {
    "day": 1.0,
    "week": 7.0,
    "month": 365.25 / 12,
    "quarter": 365.25 / 4,
    "year": 365.25,
}  # days in a period


@dataclass(frozen=True)
class PeriodSeries:
    """A measure by period, ready for a verdict."""

    measure: Measure
    model_input: ModelInput
    periods: tuple[Period, ...]
    before: int  # periods that begin before the change
    change_period: int | None  # the one that holds the change inside, and counts for neither side
    # each case as it stood so many days after its anchor; None: dated numbers, which no age changes
    age_days: int | None
    immature_periods: int  # periods after the change that are left out until their cases have reached that age
    reason: str = ""  # why there is no series at all
    is_not_recorded: bool = False  # because the record does not hold what it takes
    period_quantiles: tuple[
        float | None, ...
    ] = ()  # of a wait: its quantile in each period, in its unit; None: not reached by that age
    # the same over all periods before, and over all after
    side_quantiles: tuple[float | None, float | None] = (
        None,
        None,
    )
    is_unreached: bool = False  # of a wait: too few have ended by that age
    settling_periods: int = 0  # periods right after the change that are left out, as it was still coming in

    @property
    def excluded_periods(self) -> set[int]:
        """The periods that count for neither side: the one that holds the change, and those in which it was coming in."""
        change_period = set() if self.change_period is None else {self.change_period}
        return change_period | set(range(self.before, self.before + self.settling_periods))


def no_series(measure: Measure, reason: str, is_not_recorded: bool = False) -> PeriodSeries:
    """A measure that cannot be looked at, and why."""
    no_values = np.array([])
    return PeriodSeries(
        measure, ModelInput("plain", no_values, no_values), (), 0, None, None, 0, reason, is_not_recorded
    )


def lay_out_periods(
    window: AnalysisWindow,
    question: MeasureQuestion,
    totals_and_sizes: dict[date, tuple[float, float]],
    mature_until: date,
    days: int | None,
    family: Family,
) -> PeriodSeries:
    """Periods without holes from the first whole one to the last whose cases are mature."""
    (measure,), where = question.measures, question.where
    if not totals_and_sizes:
        return no_series(measure, "no cases")
    first = first_day(window, measure, where)
    # that nothing happened is a count
    last = max(max(totals_and_sizes) + timedelta(days=1), mature_until if family == "count" else date.min)
    spans = [
        period
        for period in periods_between(min(totals_and_sizes), last, window.granularity)
        if period.start >= first and (not window.until or period.end <= window.until)
    ]
    periods = [period for period in spans if period.end <= mature_until]
    immature_count = sum(period.end > max(mature_until, window.change) for period in spans) if days is not None else 0
    numbers = [
        totals_and_sizes.get(period.start, _empty_period(period, window.granularity, family)) for period in periods
    ]
    total, size = (np.array([pair[position] for pair in numbers]) for position in (0, 1))
    holds_change = np.array([period.start < window.change < period.end for period in periods], dtype=bool)
    size = np.where(holds_change, 0.0, size)
    before = sum(period.start < window.change for period in periods)
    change_period = int(np.argmax(holds_change)) if holds_change.any() else None
    settling_count = sum(period.start < window.settles for period in periods[before:]) if window.settles else 0
    size[before : before + settling_count] = 0.0
    return PeriodSeries(
        measure,
        ModelInput(family, total, size),
        tuple(periods),
        before,
        change_period,
        days,
        immature_count,
        settling_periods=settling_count,
    )


def _empty_period(period: Period, granularity: Granularity, family: Family) -> tuple[float, float]:
    """A period without a case: none happened, or nothing is known."""
    return (0.0, (period.end - period.start).days / DAYS_PER_PERIOD[granularity] if family == "count" else 0.0)


def first_day(window: AnalysisWindow, measure: Measure, where: CaseFilter) -> date:
    """The first local day of the record, but for the one case in two hundred that may lie far before all others."""
    source_filter = tuple((column, value) for column, value in where if column == "source")
    condition, values = filter_sql(window.case_table, MeasureQuestion((measure,), where=source_filter))
    sql = f"SELECT quantile_disc({measure.anchor}_day, 0.005) AS day FROM {window.case_table.table} WHERE {condition}"
    day = window.case_table.engine.query(sql, values)["day"][0].as_py()
    first = date(1970, 1, 1) + timedelta(days=int(day or 0))
    return max(first, window.since or first)

"""Waits by period: their quantiles, with cases still open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from wellserved.engine.duckdb import quote_name
from wellserved.measure import Measure, MeasureQuestion
from wellserved.measure.case_table import CaseTable, fill_sql, filter_sql, period_sql
from wellserved.measure.period_keys import period_key_sql, period_start
from wellserved.measure.wait_quantile import NOT_REACHED, packed_duration_quantile
from wellserved.measure.waits import map_groups
from wellserved.prove.engine.model import Floats
from wellserved.prove.engine.quantile import PeriodLevels, censored_waits, levels_of
from wellserved.prove.engine.response import quantile_input
from wellserved.prove.period_series import PeriodSeries, lay_out_periods, no_series
from wellserved.prove.window import AnalysisWindow
from wellserved.wording import format_number

ENDED_WAITS_SHARE = 0.98  # for waits that add up, of which an open case may have little so far
# of the cases, still open with less than the level: with more nothing is said
MAX_UNKNOWN_SHARE = 1 - ENDED_WAITS_SHARE
LATER_ADVICE = "look later, or give a longer --age"
DAYS_PER_WEEK = 7  # days: neighbours of a day are taken in whole weeks
# waits: twice the seconds, and one more while they go on; NOT_REACHED: nothing more is known
PackedDurations = npt.NDArray[np.int64]


def wait_series(
    window: AnalysisWindow, case_table: CaseTable, measure: Measure, question: MeasureQuestion, days: int
) -> PeriodSeries:
    """A wait's quantile by period, each linearised near its own level, and what it was over either side."""
    by_start = {start: waits for (start, _), waits in packed_waits(window, case_table, measure, question).items()}
    if not any(start < window.change for start in by_start):
        return no_series(
            measure, f"the record holds no {measure.lacking or 'such waits'} before the change at that age"
        )
    sizes = {start: (0.0, float(len(waits))) for start, waits in by_start.items()}
    mature_until = (window.known_until(question.where) - timedelta(days=days)).date()
    series = lay_out_periods(window, replace(question, measures=(measure,)), sizes, mature_until, days, "quantile")
    if not series.periods or not series.before:
        return series
    waits_by_period = [by_start.get(period.start, np.array([], np.int64)) for period in series.periods]
    counted_waits = [
        waits[:0] if index in series.excluded_periods else waits for index, waits in enumerate(waits_by_period)
    ]
    sides = [
        _overall_quantile(counted_waits[side], measure)
        for side in (slice(0, series.before), slice(series.before, None))
    ]
    levels = wait_levels(window, series, measure, counted_waits)
    if levels.reason:
        return replace(
            no_series(measure, _unfit_reason(levels, measure, days, sides[0])), is_unreached=levels.is_unreached
        )
    if measure.adds_up and (reason := _unknown_reason(counted_waits, measure, levels, series, days)):
        return no_series(measure, reason)
    model_input = quantile_input(levels, measure.quantile, sides[0] or 0.0, sides[1])
    period_quantiles = tuple(_overall_quantile([waits], measure) for waits in waits_by_period)
    return replace(
        series, model_input=model_input, period_quantiles=period_quantiles, side_quantiles=(sides[0], sides[1])
    )


def packed_waits(
    window: AnalysisWindow, case_table: CaseTable, measure: Measure, question: MeasureQuestion
) -> dict[tuple[date, str | None], PackedDurations]:
    """The waits of cases at their age by period and segment, each sorted: twice the seconds, one more while it goes on."""
    where, values = filter_sql(case_table, question)
    as_of = "{as_of_bus}" if measure.clock == "business" else "{as_of}"
    open_sql = f"GREATEST({as_of} - {measure.since}, 0) * 2 + 1" if measure.adds_up else f"{NOT_REACHED}"
    packed_sql = f"CASE WHEN {measure.event} THEN {measure.value} * 2 WHEN {measure.waiting} THEN {open_sql} END"
    segment = quote_name(question.by) if question.by else "CAST(NULL AS VARCHAR)"
    sql = (
        f"SELECT {period_key_sql(measure.anchor, window.granularity)} AS period, {segment} AS segment, {fill_sql(packed_sql, case_table)} AS coded "
        f"FROM {case_table.table} WHERE {where} AND {period_sql(question, measure.anchor)}"
    )
    groups = map_groups(case_table.engine.stream(sql, values), lambda codes: codes.astype(np.int64))
    return {(period_start(period, window.granularity), segment): codes for (period, segment), codes in groups}


def wait_levels(
    window: AnalysisWindow,
    series: PeriodSeries,
    measure: Measure,
    waits_by_period: Sequence[PackedDurations],
    weights: Sequence[Floats] | None = None,
) -> PeriodLevels:
    """The levels of a wait over the periods of a series, from the waits in each; weights: of each wait."""
    lengths = [np.where(waits >= NOT_REACHED, np.inf, (waits >> 1) / measure.seconds) for waits in waits_by_period]
    has_ended = [(waits & 1 == 0) & (waits < NOT_REACHED) for waits in waits_by_period]
    cases = censored_waits(list(zip(lengths, has_ended, strict=True)), weights)
    cycle_length, recording_unit = DAYS_PER_WEEK if window.granularity == "day" else 1, 1 / measure.seconds
    return levels_of(
        cases, len(waits_by_period), measure.quantile, _side_edges(window, series), cycle_length, recording_unit
    )


def _side_edges(window: AnalysisWindow, series: PeriodSeries) -> list[int]:
    """The first period of each side: the measure may jump there."""
    indices = {
        sum(period.start < day for period in series.periods)
        for day in (window.change, *window.other_change_days, window.settles)
        if day
    }
    return sorted(index for index in indices if 0 < index < len(series.periods))


def _overall_quantile(waits_by_period: Sequence[PackedDurations], measure: Measure) -> float | None:
    """What was measured over some periods: their quantile, in the unit; None: not reached by that age."""
    packed_durations = np.sort(np.concatenate([*waits_by_period, np.array([], np.int64)]))
    seconds = packed_duration_quantile(packed_durations, measure.quantile)[0] if len(packed_durations) else math.inf
    return seconds / measure.seconds if seconds < NOT_REACHED >> 1 else None


def _unfit_reason(levels: PeriodLevels, measure: Measure, days: int, level_before: float | None) -> str:
    """Why a wait has no quantile by period, in words; before: what it was before the change, in the unit."""
    side_words = "after the change" if levels.side else "before the change"
    if not levels.is_unreached:
        return f"{side_words}, {levels.reason}"
    before_words = (
        f", where {format_number(level_before)} {measure.unit} were enough before"
        if levels.side and level_before
        else ""
    )
    return f"{side_words}, {measure.quantile:.0%} are not reached within {days} days of the first ask{before_words}; {LATER_ADVICE}"


def _unknown_reason(
    waits_by_period: Sequence[PackedDurations], measure: Measure, levels: PeriodLevels, series: PeriodSeries, days: int
) -> str:
    """Whether an age does not tell of too many cases, on either side, which are open with less than the level so far."""
    seconds = np.exp(levels.log_level) * measure.seconds
    unknown_counts = np.array(
        [
            ((waits & 1 == 1) & (waits >> 1 <= level)).sum()
            for waits, level in zip(waits_by_period, seconds, strict=True)
        ]
    )
    counts = np.array([len(waits) for waits in waits_by_period])
    for side in (slice(0, series.before), slice(series.before, None)):
        n = max(int(counts[side].sum()), 1)
        unknown_share = float(unknown_counts[side].sum()) / n
        if unknown_share > MAX_UNKNOWN_SHARE + 2 * math.sqrt(
            MAX_UNKNOWN_SHARE * (1 - MAX_UNKNOWN_SHARE) / n
        ):  # beyond chance
            return f"{unknown_share:.0%} of the cases are still open {days} days after the first ask with less so far; {LATER_ADVICE}"
    return ""

"""From cases to a measure by period, every case looked at at the same age.

Young cases look better than old ones: their ratings have not come, nobody has reopened them, the slow ones are still
open. A series over all cases as they stand would show a change where there is none. So each case is folded again from
the moments of its first days alone (its age), and a period counts once all its cases have reached that age. Open cases
are carried, not dropped: a wait from the first ask that has not ended by that age is known to be longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from wellserved.calendar import SECONDS_PER_DAY, Calendars
from wellserved.cases import fold_into
from wellserved.cases.fold import FOLD_INPUT_COLUMNS
from wellserved.engine.duckdb import DuckDB, quote_name, quote_text
from wellserved.errors import PeriodError, RequestError
from wellserved.measure import Measure, MeasureQuestion
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable, fill_sql, filter_sql, period_sql, sources_of
from wellserved.measure.coverage import coverage_of, unmatched_reason
from wellserved.measure.period_keys import period_key_sql, period_start
from wellserved.measure.wait_quantile import NOT_REACHED, packed_duration_quantile
from wellserved.measure.waits import map_groups
from wellserved.measure.words import format_number
from wellserved.moments import Granularity, NotComputable, Period, periods_between
from wellserved.prove.model import Floats
from wellserved.prove.quantile import PeriodLevels, censored_waits, levels_of
from wellserved.prove.response import Family, ModelInput, quantile_input

CaseFilter = tuple[tuple[str, str], ...]
SINCE_VIEW = "cases_since"  # the cases without those of the sources that are left out
SMALL_SOURCE_SHARE = (
    0.05  # of all cases: a source with fewer that ends early does not cut the record of the others short
)
LAST_WORD_SHARE = 0.9  # the age at which so many cases have had their last word is the age they are looked at
ENDED_WAITS_SHARE = 0.98  # for waits that add up, of which an open case may have little so far
MAX_UNKNOWN_SHARE = (
    1 - ENDED_WAITS_SHARE
)  # of the cases, still open with less than the level: with more nothing is said
LATER_ADVICE = "look later, or give a longer --age"
DAYS_PER_WEEK = 7  # days: neighbours of a day are taken in whole weeks
PackedDurations = npt.NDArray[
    np.int64
]  # waits: twice the seconds, and one more while they go on; NOT_REACHED: nothing more is known
CLOCK_UNREADABLE = "the clock of this measure cannot be read at an age"
PROMISES_RENEWED = "promises were renewed after they had been missed, which moves old misses to later periods; prove first_promise_kept instead"
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
    age_days: (
        int | None
    )  # each case as it stood so many days after its anchor; None: dated numbers, which no age changes
    immature_periods: int  # periods after the change that are left out until their cases have reached that age
    reason: str = ""  # why there is no series at all
    is_not_recorded: bool = False  # because the record does not hold what it takes
    period_quantiles: tuple[
        float | None, ...
    ] = ()  # of a wait: its quantile in each period, in its unit; None: not reached by that age
    side_quantiles: tuple[float | None, float | None] = (
        None,
        None,
    )  # the same over all periods before, and over all after
    is_unreached: bool = False  # of a wait: too few have ended by that age
    settling_periods: int = 0  # periods right after the change that are left out, as it was still coming in

    @property
    def excluded_periods(self) -> set[int]:
        """The periods that count for neither side: the one that holds the change, and those in which it was coming in."""
        change_period = set() if self.change_period is None else {self.change_period}
        return change_period | set(range(self.before, self.before + self.settling_periods))


@dataclass
class AnalysisWindow:
    """Cases and the moments they come from, looked at before and after a change."""

    case_table: CaseTable
    moments_table: str  # table of the log
    calendars: Calendars
    change: date
    granularity: Granularity
    since: date | None = None
    until: date | None = None
    capped_follow_up: bool = (
        True  # an age is never more than half of the time since the change; else what is too young waits
    )
    case_tables_by_age: dict[tuple[str, int], CaseTable] = field(
        default_factory=dict
    )  # cases at their age, folded once
    excluded_sources: dict[str, date] = field(
        default_factory=dict
    )  # sources left out -> the day up to which each is known
    other_change_days: tuple[
        date, ...
    ] = ()  # other days on which something was changed, so that a level may jump there
    settles: date | None = None  # the first day on which the change had come in altogether; None: at once
    case_filters: tuple[CaseFilter, ...] = ((),)  # the filters of all sides that will be looked at
    coverage_gaps: dict[tuple[str, str], str] = field(
        default_factory=dict
    )  # source, measure -> why it was left out of that
    known_ends: dict[CaseFilter, int] = field(
        default_factory=dict
    )  # filters -> epoch second up to which their sources are known

    def __post_init__(self) -> None:
        if not isinstance(self.case_table.engine, DuckDB):
            raise RequestError("A change is proved on DuckDB alone.", "Unset WELLSERVED_ENGINE for this question.")
        if (self.since and self.change <= self.since) or (self.until and self.change >= self.until):
            raise PeriodError(
                f"The change, {self.change}, lies outside the window.", "Give --since before it and --until after it."
            )
        self.db = self.case_table.engine.db
        if len(self.case_table.as_of) > 1 and self.case_table.table != SINCE_VIEW:
            self._leave_out_ended()

    def _leave_out_ended(self) -> None:
        """Leave out the sources that can say nothing of the time since the change, or next to nothing and end early.

        Their cases would stand before the change alone, or cut every other record short.
        """
        zone = ZoneInfo(self.case_table.zone)
        known_days = {
            source: datetime.fromtimestamp(end, UTC).astimezone(zone).date()
            for source, end in self.case_table.as_of.items()
        }
        ended_sources: dict[str, date] = {}
        kept_sources: set[str] = set()
        for where in self.case_filters:
            cases = self._cases_by_source(where)
            last, few_cases = (
                max((known_days[source] for source in cases), default=date.min),
                SMALL_SOURCE_SHARE * sum(cases.values()),
            )
            early_sources = {
                s for s, n in cases.items() if known_days[s] <= self.change or (known_days[s] < last and n < few_cases)
            }
            early_sources = set() if len(early_sources) == len(cases) else early_sources
            ended_sources |= {source: known_days[source] for source in early_sources}
            kept_sources |= cases.keys() - early_sources
        self.excluded_sources = {source: day for source, day in ended_sources.items() if source not in kept_sources}
        if self.excluded_sources:
            excluded_list = ", ".join(map(quote_text, sorted(self.excluded_sources)))
            kept_sql = f"SELECT * FROM {self.case_table.table} WHERE source NOT IN ({excluded_list})"
            self.db.execute(f"CREATE OR REPLACE TEMP VIEW {SINCE_VIEW} AS {kept_sql}")
            known_ends = {
                source: end for source, end in self.case_table.as_of.items() if source not in self.excluded_sources
            }
            self.case_table = replace(self.case_table, table=SINCE_VIEW, as_of=known_ends)

    def _cases_by_source(self, where: CaseFilter) -> dict[str, int]:
        """Source -> its cases among those that a filter leaves."""
        condition, values = filter_sql(self.case_table, MeasureQuestion((), where=where))
        sql = f"SELECT source, COUNT(*) AS n FROM {self.case_table.table} WHERE {condition} GROUP BY source"
        return {str(row["source"]): int(row["n"]) for row in self.case_table.engine.query(sql, values).to_pylist()}

    def known_until(self, where: CaseFilter) -> datetime:
        """The instant up to which every source in the question is known, in the workspace's zone."""
        if where not in self.known_ends:
            condition, values = filter_sql(self.case_table, MeasureQuestion((), where=where))
            sources = sources_of(self.case_table, condition, values)
            self.known_ends[where] = min((self.case_table.as_of[source] for source in sources), default=0)
        return datetime.fromtimestamp(self.known_ends[where], UTC).astimezone(ZoneInfo(self.case_table.zone))

    def at_age(self, date_basis: str, seconds: int) -> CaseTable:
        """The cases as each stood so many seconds after its anchor."""
        if (date_basis, seconds) not in self.case_tables_by_age:
            table = f"young_{date_basis}_{seconds}"
            columns = ", ".join(f"m.{quote_name(column)}" for column in FOLD_INPUT_COLUMNS)
            self.db.execute(f"""
                CREATE TEMP TABLE {table}_moments AS SELECT {columns} FROM {self.moments_table} m
                JOIN (SELECT source, case_id, {date_basis}_s AS from_s FROM {self.case_table.table}) USING (source, case_id)
                WHERE epoch(m."at") <= from_s + {seconds}""")
            fold_into(self.db, table, f"{table}_moments", self.case_table.zone, self.calendars)
            self.db.execute(f"DROP TABLE {table}_moments")
            self.case_tables_by_age[date_basis, seconds] = replace(
                self.case_table, table=table, age=(date_basis, seconds)
            )
        return self.case_tables_by_age[date_basis, seconds]


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
        return _no_series(measure, reason, is_not_recorded=True)
    if gaps := coverage.gaps.get(measure.name):
        window.coverage_gaps |= {(source, measure.name): gap_reason for source, gap_reason in gaps.items()}
        able_sources = tuple(("source", source) for source in sources if source not in gaps)
        where = (*(pair for pair in where if pair[0] != "source"), *able_sources)
        question = replace(question, where=where)
    if measure.today_only:
        return _no_series(measure, "it speaks of today alone")
    if measure.kind in ("count", "stock", "stock_age"):
        return _dated_series(window, measure, question)
    if measure.reads_business_now:
        return _no_series(measure, CLOCK_UNREADABLE)
    if measure.anchor == "due" and _has_case(window.case_table, "overrun > 0", question):
        return _no_series(measure, PROMISES_RENEWED)
    max_days = int((window.known_until(where).date() - window.change).days / 2)
    if window.capped_follow_up and max_days < 1:
        known_date = window.known_until(where).date()
        position_words = (
            "lies after the end of the record"
            if known_date < window.change
            else "was less than two days before its end"
        )
        return _no_series(measure, f"the change {position_words}, {known_date.isoformat()}")
    days = max(
        age_days or max(_age_before_change(window, measure, question, max_days), fewest_days), measure.least_days
    )
    case_table = window.at_age(measure.anchor, days * SECONDS_PER_DAY)
    if measure.kind == "wait":
        series = _wait_series(window, case_table, measure, question, days)
        if (
            series.is_unreached
            and not age_days
            and (longer_age := _age_after_change(window, measure, question, max_days)) > days
        ):
            return observe_measure(window, measure, where, None, longer_age)
        return series
    return _share_series(window, case_table, measure, question, days)


def _no_series(measure: Measure, reason: str, is_not_recorded: bool = False) -> PeriodSeries:
    no_values = np.array([])
    return PeriodSeries(
        measure, ModelInput("plain", no_values, no_values), (), 0, None, None, 0, reason, is_not_recorded
    )


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
    return _lay_out_periods(
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
        return _no_series(measure, reason)
    mature_until = (window.known_until(question.where) - timedelta(days=days)).date()
    family = family or ("mean" if measure.kind == "mean" else "rate")
    return _lay_out_periods(
        window, replace(question, measures=(measure,)), totals_and_sizes, mature_until, days, family
    )


def _wait_series(
    window: AnalysisWindow, case_table: CaseTable, measure: Measure, question: MeasureQuestion, days: int
) -> PeriodSeries:
    """A wait's quantile by period, each linearised near its own level, and what it was over either side."""
    by_start = {start: waits for (start, _), waits in packed_waits(window, case_table, measure, question).items()}
    if not any(start < window.change for start in by_start):
        return _no_series(
            measure, f"the record holds no {measure.lacking or 'such waits'} before the change at that age"
        )
    sizes = {start: (0.0, float(len(waits))) for start, waits in by_start.items()}
    mature_until = (window.known_until(question.where) - timedelta(days=days)).date()
    series = _lay_out_periods(window, replace(question, measures=(measure,)), sizes, mature_until, days, "quantile")
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
            _no_series(measure, _unfit_reason(levels, measure, days, sides[0])), is_unreached=levels.is_unreached
        )
    if measure.adds_up and (reason := _unknown_reason(counted_waits, measure, levels, series, days)):
        return _no_series(measure, reason)
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


def _lay_out_periods(
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
        return _no_series(measure, "no cases")
    first = _first_day(window, measure, where)
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


def _first_day(window: AnalysisWindow, measure: Measure, where: CaseFilter) -> date:
    """The first local day of the record, but for the one case in two hundred that may lie far before all others."""
    source_filter = tuple((column, value) for column, value in where if column == "source")
    condition, values = filter_sql(window.case_table, MeasureQuestion((measure,), where=source_filter))
    sql = f"SELECT quantile_disc({measure.anchor}_day, 0.005) AS day FROM {window.case_table.table} WHERE {condition}"
    day = window.case_table.engine.query(sql, values)["day"][0].as_py()
    first = date(1970, 1, 1) + timedelta(days=int(day or 0))
    return max(first, window.since or first)

"""Did the recording change, or the work, in a way that no column says? Questions that a claim of being faster has to answer.

None of them shows harm, and none takes a claim back: a question that the record cannot answer is said first, and the
claim is the weaker one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import numpy as np
import pyarrow as pa
from scipy import stats

from wellserved.calendar import SECONDS_PER_DAY
from wellserved.measure import Measure, MeasureQuestion
from wellserved.measure.case_table import CaseTable, fill_sql, filter_sql, period_sql
from wellserved.measure.period_keys import period_key_sql, period_start
from wellserved.measure.wait_quantile import NOT_REACHED, DurationArray, packed_duration_quantile
from wellserved.measure.waits import map_groups
from wellserved.moments import day_number
from wellserved.prove import chance
from wellserved.prove.checks import CheckInput
from wellserved.prove.engine.model import Mask
from wellserved.prove.engine.response import ModelInput
from wellserved.prove.guards import QUESTION_RAISED_CHANCE, GuardrailResult, usual_margin
from wellserved.prove.verdict import CheckResult, Estimate, LookPlan, assess_change
from wellserved.prove.window import AnalysisWindow, CaseFilter

SHAPE_QUANTILES = (0.1, 0.5, 0.75, 0.9)
WEEK_GROUPS = 10  # into which the weeks of either side are dealt
FEWEST_CASES_COMPARED = 30  # cases in a group of which quantiles are compared
SHAPE_FALSE_ALARM_RATE = 0.02  # of a false alarm about the shape
SHAPE_CONTRASTS = {
    "the way from the middle to the slowest cases": (0, -1, 1),
    "the way from the fastest cases to the middle": (-1, 1, 0),
    "the lean to the slow side": (1, -2, 1),
}
"""What other work changes: weights of the logarithms of a low, the middle and a high quantile."""
AGE_FACTOR = 2.5  # times the age at which the measure itself is looked at
LEAST_SHAPE_SHIFT = 0.06  # of a logarithm: a ratio of quantiles that moved by less has not changed its shape
JUMP_RATIO = 0.5  # of the level before: a fall to less, from one period to the next, is a jump
PERIODS_NEAR_JUMP = 8, 3  # periods before and after by which a jump is told
WORK_KINDS = ("replied", "explained", "chased", "handed_over", "assigned", "paused", "held", "resumed", "promised")
FEWEST_IDENTICAL_REPLIES = 5  # cases answered in the same words, from which on words are called alike
FEWEST_REPLY_CHARACTERS = 20  # characters: shorter replies are alike by chance
LEAST_RISE = 0.03  # of a share: by how much what ought to stay rare has to rise at least
LEAST_TIMES_SHIFT = 0.02  # of a share: by how much the times of asking have to move at least


@dataclass(frozen=True)
class Inquiry:
    """What is asked about, and all that is known of it already."""

    window: AnalysisWindow
    check_input: CheckInput
    measure: Measure
    where: CaseFilter
    guardrail_results: tuple[GuardrailResult, ...]

    @property
    def age_days(self) -> int:
        """The age at which cases are looked at: well after the typical end, so that the slow ones have ended too."""
        return math.ceil(AGE_FACTOR * (self.check_input.series.age_days or 30))

    def case_table(self) -> CaseTable:
        """The cases at that age."""
        return self.window.at_age(self.measure.anchor, self.age_days * SECONDS_PER_DAY)

    @property
    def is_mature(self) -> Mask:
        """The periods that say something, and whose cases have reached that age."""
        last = (self.window.known_until(self.where) - timedelta(days=self.age_days)).date()
        is_old_enough = np.array([period.end <= last for period in self.check_input.series.periods], dtype=bool)
        is_mature: Mask = self.check_input.series.model_input.is_observed & is_old_enough
        return is_mature

    def cases(self) -> tuple[str, dict[str, object]]:
        """SQL: the cases in question, and its values."""
        question = MeasureQuestion(
            (self.measure,), None, self.window.granularity, self.window.since, self.window.until, self.where
        )
        condition, values = filter_sql(self.window.case_table, question)
        return f"{condition} AND {period_sql(question, self.measure.anchor)}", values


FEWEST_STEPS = 20  # of which the shortest of the quantiles takes at least so many, for proportions to be told


def recording_questions(inquiry: Inquiry) -> list[CheckResult]:
    """All that has to be asked of a faster wait; `passed` False: the record gives cause to ask."""
    if (
        inquiry.measure.kind != "wait"
        or inquiry.measure.anchor != "asked"
        or inquiry.check_input.series.age_days is None
    ):
        return [overnight_jump(inquiry)]
    answers = [shape_of_waits(inquiry), overnight_jump(inquiry), *times_of_asking(inquiry), before_the_ask(inquiry)]
    if "replied" in inquiry.measure.relies_on:
        answers.append(identical_replies(inquiry))
    else:
        answers.append(after_the_close(inquiry))
    return answers


def shape_of_waits(inquiry: Inquiry) -> CheckResult:
    """Work that got faster is the same work in less time; easier work in place of hard gives other proportions.

    Each side's weeks are dealt into ten groups, whose spread says how sure the difference of two ratios is (Welch).
    """
    name, sides = "shape of the waits", _group_quantiles(inquiry)
    if min(map(len, sides)) < WEEK_GROUPS // 2:
        return CheckResult(name, None, f"too few cases that are old enough on one side of the change ({FEWEST_CASES_COMPARED * WEEK_GROUPS} are needed): easier work in place of hard cannot be told")  # fmt: skip
    if (unit := _coarse_step(sides)) is not None:
        return CheckResult(
            name, True, f"waits are recorded in steps of {unit}, too coarse for proportions to tell of hidden work"
        )
    top = 3 if all(row[3] for side in sides for row in side) else 2
    logs = [np.log(np.array(side)[:, [0, 1, top]]) for side in sides]
    for words, weights in SHAPE_CONTRASTS.items():
        early, late = (side @ np.array(weights) for side in logs)
        log_shift = float(late.mean() - early.mean())
        if abs(log_shift) > LEAST_SHAPE_SHIFT and stats.ttest_ind(
            early, late, equal_var=False
        ).pvalue < SHAPE_FALSE_ALARM_RATE / len(SHAPE_CONTRASTS):
            return CheckResult(
                name, False, f"{words} is {_ratio_words(log_shift)} before, which no column explains: is it other work?"
            )
    return CheckResult(name, True, "fast and slow cases keep their proportions")


def _coarse_step(sides: tuple[list[list[float]], list[list[float]]]) -> str | None:
    """The step in which waits are recorded, where the faster of them take no more than a few of it; None: it is fine."""
    levels = np.array([level for side in sides for row in side for level in row[:3]])
    for words, seconds in (("days", SECONDS_PER_DAY), ("hours", 3_600), ("minutes", 60)):
        if not (levels % seconds).any():
            return words if levels.min() < FEWEST_STEPS * seconds else None
    return None


def _ratio_words(log_shift: float) -> str:
    """A change of a logarithm: 12% more than; 5 times what it was."""
    ratio = math.exp(log_shift)
    if ratio >= 3:
        return f"{ratio:.0f} times what it was"
    return f"{abs(ratio - 1):.0%} {'less' if log_shift < 0 else 'more'} than"


def _group_quantiles(inquiry: Inquiry) -> tuple[list[list[float]], list[list[float]]]:
    """Before and after the change: quantiles of the wait in each group of weeks, in seconds; 0: not reached."""
    case_table, (condition, values) = inquiry.case_table(), inquiry.cases()
    so_far_sql = f"({'{as_of_bus}' if inquiry.measure.clock == 'business' else '{as_of}'} - {inquiry.measure.since})"
    open_sql = f"GREATEST({so_far_sql}, 0) * 2 + 1" if inquiry.measure.adds_up else str(NOT_REACHED)
    packed_sql = f"CASE WHEN {inquiry.measure.event} THEN {inquiry.measure.value} * 2 WHEN {inquiry.measure.waiting} THEN {open_sql} END"
    day, periods = f"{inquiry.measure.anchor}_day", inquiry.check_input.series.periods
    mature_periods = np.flatnonzero(inquiry.is_mature)
    late = mature_periods[mature_periods >= inquiry.check_input.series.before]
    if not len(late):
        return [], []
    first, change_day = periods[0].first_day, periods[late[0]].first_day
    early_end = min(day_number(inquiry.window.change), change_day)
    last = day_number(periods[late[-1]].end)
    group = f"({day} + 700003) // 7 % {WEEK_GROUPS}"
    side = f"CASE WHEN {day} < {early_end} THEN 0 WHEN {day} >= {change_day} THEN {WEEK_GROUPS} END"
    sql = (
        f"SELECT {side} + {group} AS period, CAST(NULL AS VARCHAR) AS segment, {fill_sql(packed_sql, case_table)} AS coded "
        f"FROM {case_table.table} WHERE {condition} AND {day} >= {first} AND {day} < {last}"
    )
    rows = case_table.engine.reduce_groups(sql, values, partial(reduce_quantiles, SHAPE_QUANTILES)).to_pylist()
    sides: tuple[list[list[float]], list[list[float]]] = ([], [])
    for row in rows:
        levels = [row[f"q{index}"] or 0.0 for index in range(len(SHAPE_QUANTILES))]
        if row["n"] >= FEWEST_CASES_COMPARED and all(levels[:3]):
            sides[row["period"] >= WEEK_GROUPS].append(levels)
    return sides


def reduce_quantiles(quantiles: Sequence[float], batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Per group: cases, and quantiles in seconds; missing: not reached yet."""

    def levels(packed_durations: DurationArray) -> tuple[float | None, ...]:
        quantile_seconds = [packed_duration_quantile(packed_durations, quantile)[0] for quantile in quantiles]
        return (
            float(len(packed_durations)),
            *(float(seconds) if seconds < NOT_REACHED >> 1 else None for seconds in quantile_seconds),
        )

    rows = [(*key, *row) for key, row in map_groups(batches, levels)]
    kinds = [("period", pa.int64()), ("segment", pa.string()), ("n", pa.float64())]
    kinds += [(f"q{index}", pa.float64()) for index in range(len(quantiles))]
    columns = zip(*rows, strict=True) if rows else ([] for _ in kinds)
    return pa.table(
        [pa.array(column, kind) for column, (_, kind) in zip(columns, kinds, strict=True)], pa.schema(kinds)
    )


def overnight_jump(inquiry: Inquiry) -> CheckResult:
    """A fall by more than half from one period to the next while nothing else moves: was something else recorded?"""
    name, series = "a jump overnight", inquiry.check_input.series
    end_before = series.before - (series.change_period is not None)
    early, late = (
        _values_of_periods(inquiry, slice(max(end_before - PERIODS_NEAR_JUMP[0], 0), end_before)),
        _values_of_periods(
            inquiry,
            slice(
                series.before + series.settling_periods, series.before + series.settling_periods + PERIODS_NEAR_JUMP[1]
            ),
        ),
    )
    if not len(early) or not len(late):
        return CheckResult(name, None, "nothing is known of the time next to the change")
    before, after = float(np.median(early)), float(np.median(late))
    if inquiry.check_input.better == "higher" and inquiry.measure.unit == "share":
        before, after = 1 - before, 1 - after
    has_fallen = (
        after < JUMP_RATIO * before
        if inquiry.check_input.better == "lower" or inquiry.measure.unit == "share"
        else before < JUMP_RATIO * after
    )
    if not has_fallen:
        return CheckResult(name, True, "no fall by more than half from one period to the next")
    improved_names = [
        result.guardrail.name
        for result in inquiry.guardrail_results
        if result.harm is not None and result.harm.high < 0 and not _rests_on_times(inquiry, result)
    ]
    if improved_names:
        return CheckResult(
            name,
            True,
            f"more than half within one {inquiry.window.granularity}, and {improved_names[0]} got better too",
        )
    return CheckResult(name, False, f"more than half within one {inquiry.window.granularity}, and nothing else got better with it: did the recording change, or what is counted?")  # fmt: skip


def _values_of_periods(inquiry: Inquiry, periods: slice) -> np.ndarray:
    """The measure in some of the periods."""
    series = inquiry.check_input.series
    if series.period_quantiles:
        return np.array([value for value in series.period_quantiles[periods] if value is not None])
    is_observed = series.model_input.is_observed[periods]
    total, size = series.model_input.total[periods][is_observed], series.model_input.size[periods][is_observed]
    levels: np.ndarray = total if series.model_input.family in ("plain", "money") else total / size
    return levels


def _rests_on_times(inquiry: Inquiry, result: GuardrailResult) -> bool:
    """Whether a guardrail rests on the very times in question."""
    return result.guardrail.measure.kind == "wait" or bool(result.guardrail.question)


def times_of_asking(inquiry: Inquiry) -> Iterator[CheckResult]:
    """Customers do not change when they ask because they are served faster; a clock that starts later does."""
    name = "times of asking"
    outside_hours = "asked_time < 28800 OR asked_time >= 64800"
    events = {"on weekends": "(asked_day + 700003) % 7 >= 5", "before 8 and after 18 o'clock": outside_hours}
    for words, event in events.items():
        model_input = _share_by_period(inquiry, inquiry.window.case_table.table, event)
        share_shift = _share_shift(inquiry, model_input, 1 - 0.05 / len(events))
        if share_shift is None:
            yield CheckResult(name, None, "no case that is old enough tells of one side of the change")
            return
        if abs(share_shift) > LEAST_TIMES_SHIFT:
            direction_word = "more" if share_shift > 0 else "fewer"
            yield CheckResult(name, False, f"{abs(share_shift) * 100:.0f} points {direction_word} are asked for {words}: does the clock start when it did, and are all cases in the record?")  # fmt: skip
            return
    yield CheckResult(name, True, "cases are asked for at the same times of the day and week as before")


def _share_shift(inquiry: Inquiry, model_input: ModelInput, level: float) -> float | None:
    """By how much a share surely moved, 0: not surely; where a fit says nothing, both sides are compared as they are."""
    before = inquiry.check_input.series.before
    verdict = assess_change(model_input, before, inquiry.window.granularity, "lower", plan=LookPlan(level=level))
    if verdict.effect is not None:
        return verdict.effect.value if verdict.claims else 0.0
    comparison = chance.compare_shares(model_input, before, True)
    if comparison is None:
        return None
    return comparison.estimate.value if comparison.estimate.side else 0.0


def before_the_ask(inquiry: Inquiry) -> CheckResult:
    """Cases of which something is recorded before they were asked for: their clock starts too late."""
    model_input = _share_by_period(inquiry, inquiry.window.case_table.table, "first_s < asked_s")
    words = "of the cases hold moments from before they were asked for: does the clock start when it did?"
    return _check_rise(inquiry, model_input, "moments before the ask", words)


def after_the_close(inquiry: Inquiry) -> CheckResult:
    """Cases on which work went on after they were closed, without having been reopened."""
    case_table = inquiry.case_table()
    kinds = ", ".join(f"'{kind}'" for kind in WORK_KINDS)
    table = f"""(SELECT c.*, w.case_id IS NOT NULL AS worked FROM {case_table.table} c LEFT JOIN (
        SELECT DISTINCT m.source, m.case_id FROM {inquiry.window.moments_table} m JOIN {case_table.table} y USING (source, case_id)
        WHERE m.kind IN ({kinds}) AND epoch(m."at") > y.resolved_s AND epoch(m."at") <= y.asked_s + {inquiry.age_days * SECONDS_PER_DAY}
        ) w ON w.source = c.source AND w.case_id = c.case_id WHERE c.resolved_s IS NOT NULL) AS closed_cases"""
    words = "of the cases were worked on after they had been closed: were they closed when they were done?"
    return _check_rise(inquiry, _share_by_period(inquiry, table, "worked"), "work after the close", words)


def identical_replies(inquiry: Inquiry) -> CheckResult:
    """First replies in the very words of other cases' replies, but for numbers and the first line: machines answer so."""
    name, case_table = "replies alike", inquiry.case_table()
    words = r"""lower(regexp_replace(regexp_replace(m.text, '^[^\n]{0,60}\n+', ''), '[0-9]+', '#', 'g'))"""
    table = f"""(SELECT c.*, r.many >= {FEWEST_IDENTICAL_REPLIES} AS alike FROM {case_table.table} c JOIN (
        SELECT source, case_id, count(*) OVER (PARTITION BY words) AS many FROM (
            SELECT m.source, m.case_id, hash(arg_min({words}, m."at")) AS words, length(arg_min({words}, m."at")) AS long FROM {inquiry.window.moments_table} m
            WHERE m.kind IN ('replied', 'explained') AND m.text IS NOT NULL GROUP BY 1, 2)
        WHERE long >= {FEWEST_REPLY_CHARACTERS}) r USING (source, case_id)) AS answered"""
    model_input = _share_by_period(inquiry, table, "alike")
    before = inquiry.check_input.series.before
    if min(model_input.size[:before].sum(), model_input.size[before:].sum()) < FEWEST_CASES_COMPARED:
        return CheckResult(name, None, "the words of replies are not recorded: whether machines answer can be told by their speed alone")  # fmt: skip
    return _check_rise(
        inquiry, model_input, name, "of the first replies have the very words of others: do machines answer?"
    )


def _share_by_period(inquiry: Inquiry, table: str, event: str) -> ModelInput:
    """By period: the cases of a table for which something holds, of how many."""
    condition, values = inquiry.cases()
    sql = (
        f"SELECT {period_key_sql(inquiry.measure.anchor, inquiry.window.granularity)} AS period, COUNT(*) AS n, "
        f"COUNT(CASE WHEN {event} THEN 1 END) AS k FROM {table} WHERE {condition} GROUP BY 1"
    )
    rows = {period_start(row["period"], inquiry.window.granularity): row for row in inquiry.window.case_table.engine.query(sql, values).to_pylist()}  # fmt: skip
    counts = [rows.get(period.start) for period in inquiry.check_input.series.periods]
    total, size = (np.array([float(row[key]) if row else 0.0 for row in counts]) for key in ("k", "n"))
    return ModelInput("rate", total, np.where(inquiry.is_mature, size, 0.0))


def _check_rise(inquiry: Inquiry, model_input: ModelInput, name: str, words: str) -> CheckResult:
    """Whether a share that ought to stay low rose."""
    before = inquiry.check_input.series.before
    sizes = model_input.size[:before].sum(), model_input.size[before:].sum()
    if not min(sizes):
        return CheckResult(name, None, "no case that is old enough tells of one side of the change")
    shares = [float(model_input.total[side].sum() / size) for side, size in zip((slice(0, before), slice(before, None)), sizes, strict=True)]  # fmt: skip
    verdict = assess_change(model_input, before, inquiry.window.granularity, "lower")
    margin = max(usual_margin(shares[0], replace(inquiry.measure, unit="share")), LEAST_RISE)
    if verdict.effect is not None:
        threshold = chance.margin_on_scale(model_input, shares[0], margin, True)
        harm = chance.Harm(Estimate(0, 0, 0), chance.fit_at_one_look(model_input, before, inquiry.window.granularity))
    else:
        threshold, comparison = margin, chance.compare_shares(model_input, before, True)
        assert comparison is not None
        harm = comparison
    if shares[1] > shares[0] and harm.chances_beyond(threshold)[1] > QUESTION_RAISED_CHANCE:
        return CheckResult(name, False, f"{shares[1]:.0%} {words} Before, {shares[0]:.0%}.")
    return CheckResult(name, True, f"{shares[1]:.0%} after the change, {shares[0]:.0%} before")

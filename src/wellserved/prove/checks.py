"""What would have spoilt a verdict, looked at without being asked: a failed check takes the claim back and says why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from wellserved.measure import Measure
from wellserved.measure.measure import Better
from wellserved.moments import Granularity
from wellserved.prove.engine.design import step_design
from wellserved.prove.engine.model import CONFIDENCE_LEVEL, Mask
from wellserved.prove.engine.response import ModelInput, difference_from_controls, working_response
from wellserved.prove.engine.step import fit_steps, slope_interval
from wellserved.prove.engine.stretch import SIGNIFICANT_SCORE, find_stretches
from wellserved.prove.mix import mix_as_before
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.verdict import CheckResult, LookPlan, Verdict, assess_change, design_and_response, to_unit
from wellserved.prove.window import AnalysisWindow

PeriodIndices = npt.NDArray[np.int64]

PLACEBO_POSITIONS = (0.5, 0.75)  # places of the made-up changes, as parts of the time before the real one
MIX_COLUMNS = ("service", "category", "channel", "priority")
GAPS_NAME = "gaps in the record"
STRETCH_NAME = "bad stretch before"
LEAST_SHARE_LEFT = 0.5  # of the estimate: with less left, it hangs on what was left out
LEAST_MIX_SHIFT = 0.05  # of the work, at least: with less, a mix explains nothing
MAX_MISSING_SHARE = 0.2  # share of periods without a case, on either side
FEWEST_GAP_PERIODS = 3  # periods in a row without a case, next to the change
MAX_BLOCKS = 6  # comparable stretches that are left out in turn where the record has a hole, at most


@dataclass(frozen=True)
class CheckInput:
    """The verdict that is checked, and what it was made of."""

    series: PeriodSeries
    granularity: Granularity
    better: Better
    controls: tuple[ModelInput, ...]
    parallel_trends: bool  # declared: no trend of the difference
    verdict: Verdict

    def reassess(
        self, model_input: ModelInput, before: int, controls: Sequence[ModelInput] = (), level: float = CONFIDENCE_LEVEL,
        parallel: bool | None = None,
    ) -> Verdict:  # fmt: skip
        """Put the question to other numbers."""
        parallel = (self.parallel_trends if parallel is None else parallel) and bool(controls)
        return assess_change(
            model_input,
            before,
            self.granularity,
            self.better,
            controls=controls,
            parallel_trends=parallel,
            plan=LookPlan(level=level),
        )

    def reassess_without(self, is_excluded: Mask) -> Verdict:
        """Put the question without some of the periods."""
        size = np.where(is_excluded, 0.0, self.series.model_input.size)
        return self.reassess(replace(self.series.model_input, size=size), self.series.before, self.controls)

    def share_left(self, other_verdict: Verdict) -> float:
        """The part of the estimate, in the measure's unit, that another estimate is; below 0: the other way.

        NaN: one of the two could not be made.
        """
        if self.verdict.working is None or other_verdict.working is None:
            return math.nan
        level = self.verdict.level_before or 0.0
        own_value, other_value = (
            to_unit(self.series.model_input, estimate, level).value
            for estimate in (self.verdict.working, other_verdict.working)
        )
        return other_value / own_value if own_value else 1.0

    def is_spoilt_by(self, other_verdict: Verdict, is_surprising: bool) -> bool:
        """Whether less than half is left; or what was taken away is more than chance, and the rest is no claim."""
        return self.share_left(other_verdict) < LEAST_SHARE_LEFT or (
            is_surprising and not self.agrees_with(other_verdict)
        )

    def agrees_with(self, other_verdict: Verdict) -> bool:
        """Whether another verdict claims the same; where nothing was claimed, there is nothing to lose."""
        return not self.verdict.claims or other_verdict.status == self.verdict.status


def share_left_in_words(share: float) -> str:
    """How much of the estimate is left, in words."""
    if math.isnan(share):
        return "too little is left to tell"
    return f"{share:.0%} of it is left" if round(share, 2) > 0 else "nothing of it is left"


def placebo_in_time(inputs: CheckInput) -> CheckResult:
    """Changes that nobody made, before the real one: a measure that moves as much by itself shows there too."""
    name, before, looked_count, worst = "placebo in time", inputs.series.before, 0, (0.0, "")
    for position in PLACEBO_POSITIONS:
        periods_before, placebo_start = slice(0, before), int(before * position)
        controls = [control.select_periods(periods_before) for control in inputs.controls]
        placebo = inputs.reassess(
            inputs.series.model_input.select_periods(periods_before),
            placebo_start,
            controls,
            1 - 0.05 / len(PLACEBO_POSITIONS),
        )
        looked_count += placebo.effect is not None
        if placebo.claims:
            worst = max(worst, (abs(inputs.share_left(placebo)), inputs.series.periods[placebo_start].label))
    share, label = worst
    if not looked_count:
        return CheckResult(name, None, "there is too little history for made-up changes before the real one")
    if share >= LEAST_SHARE_LEFT:
        return CheckResult(name, False, f"at {label}, when nothing was changed, it moved by {share:.0%} of this too")
    if share:
        return CheckResult(
            name, True, f"at {label}, when nothing was changed, it moved by no more than {share:.0%} of this"
        )
    return CheckResult(name, True, f"no change is seen at {looked_count} earlier dates at which nothing was changed")


def bad_stretch(inputs: CheckInput) -> CheckResult:
    """Whether one acted after the worst weeks, which would have got better by themselves."""
    verdict, series = inputs.verdict, inputs.series
    if verdict.working is None:
        return CheckResult(STRETCH_NAME, None, "there is no estimate that could hang on it")
    season_priced = verdict.season_priced
    design, response = design_and_response(
        series.model_input,
        inputs.controls,
        series.before,
        inputs.granularity,
        season_priced,
        not inputs.parallel_trends,
    )
    side = np.array([1.0 if verdict.working.value > 0 else -1.0])
    periods_word = f"{inputs.granularity}s"
    bad_stretches = find_stretches(
        response, design, fit_steps(response, design).steps, series.before, inputs.granularity, side
    )
    if bad_stretches is None:
        return CheckResult(STRETCH_NAME, None, f"there is too little history to leave the last {periods_word} out")
    length = int(bad_stretches.most_suspect()[0][0])
    if not length:
        return CheckResult(
            STRETCH_NAME, True, f"it does not hang on a bad stretch of {periods_word} right before the change"
        )
    is_excluded = np.zeros(len(series.periods), dtype=bool)
    is_excluded[np.flatnonzero(response.is_observed[0, : series.before])[-length:]] = True
    verdict_without = inputs.reassess_without(is_excluded)
    worse, score = int(bad_stretches.worse_count[0, length - 1]), float(bad_stretches.score[0, length - 1])
    harm = "worse" if (side[0] > 0) == (inputs.better == "higher") else "better"
    words = f"without the {_stretch_words(length, worse, inputs.granularity, harm)}, {share_left_in_words(inputs.share_left(verdict_without))}"
    if verdict_without.working is None:
        return CheckResult(STRETCH_NAME, None, words)
    if inputs.is_spoilt_by(verdict_without, score > SIGNIFICANT_SCORE):
        return CheckResult(
            STRETCH_NAME,
            False,
            words if inputs.share_left(verdict_without) < LEAST_SHARE_LEFT else f"{words}, too little to tell",
        )
    return CheckResult(STRETCH_NAME, True, words)


def _stretch_words(length: int, worse: int, granularity: Granularity, harm: str) -> str:
    if length == 1:
        return f"{granularity} before the change, which was {harm} than usual"
    count = "all" if worse == length else str(worse)
    return f"{length} {granularity}s before the change, of which {count} were {harm} than usual"


def trend_before(inputs: CheckInput) -> CheckResult:
    """How the measure was moving already; where moving alike was declared, the difference must not have moved."""
    series = inputs.series
    design = step_design(
        inputs.granularity,
        series.before,
        [max(series.before // 2, 1)],
        series.model_input.is_observed[: series.before],
        False,
    )
    early_responses = [
        working_response(model_input.select_periods(slice(0, series.before)), design.response_columns())
        for model_input in (series.model_input, *inputs.controls)
    ]
    response = (
        difference_from_controls(early_responses[0], early_responses[1:], series.before)
        if inputs.controls
        else early_responses[0]
    )
    interval = slope_interval(response, inputs.granularity)
    if interval is None:
        return CheckResult("trend before", None, "there is too little history to tell a trend")
    low, high = interval
    if low <= 0 <= high:
        return CheckResult("trend before", True, "no trend is seen before the change")
    direction_word = "rising" if low > 0 else "falling"
    if inputs.parallel_trends:
        return _difference_trend(inputs, direction_word)
    return CheckResult(
        "trend before",
        True,
        f"it was {direction_word} before the change; the verdict holds whether that went on or stopped",
    )


def _difference_trend(inputs: CheckInput, direction_word: str) -> CheckResult:
    """The difference was moving already although both were to move alike: what is left where that is allowed for."""
    name = "trend before"
    words = f"the difference was {direction_word} before the change already, so that both did not move alike"
    verdict_with_trend = inputs.reassess(
        inputs.series.model_input, inputs.series.before, inputs.controls, parallel=False
    )
    if inputs.is_spoilt_by(verdict_with_trend, True):
        return CheckResult(name, False, words)
    return CheckResult(
        name, True, f"{words}; where that is allowed for, {share_left_in_words(inputs.share_left(verdict_with_trend))}"
    )


def record_gaps(inputs: CheckInput) -> CheckResult:
    """Whether the record has holes where they matter: where leaving as many other periods out moves the estimate."""
    before, is_counted = inputs.series.before, np.ones(len(inputs.series.periods), dtype=bool)
    if inputs.series.change_period is not None:
        is_counted[inputs.series.change_period] = False
    is_counted[before : before + inputs.series.settling_periods] = False
    is_late = np.arange(len(is_counted)) >= before
    sides = [np.flatnonzero(is_counted & side) for side in (~is_late, is_late)]
    holds_cases = [inputs.series.model_input.is_observed[side] for side in sides]
    missing_counts = [int((~side).sum()) for side in holds_cases]
    holes = [1 - float(side.mean()) if len(side) else 1.0 for side in holds_cases]
    for words, share, side, holds_case, count in zip(
        ("before", "after"), holes, sides, holds_cases, missing_counts, strict=True
    ):
        if share > MAX_MISSING_SHARE:
            hole = f"{share:.0%} of the {inputs.granularity}s {words} the change hold no case"
            return _check_hole(inputs, hole, side[holds_case], count)
    for side, holds_case, from_change in zip(sides, holds_cases, (holds_cases[0][::-1], holds_cases[1]), strict=True):
        run = int(np.argmax(from_change)) if from_change.any() else len(from_change)
        if run >= FEWEST_GAP_PERIODS:
            return _check_hole(
                inputs, f"the {run} {inputs.granularity}s next to the change hold no case", side[holds_case], run
            )
    if not max(holes):
        return CheckResult(GAPS_NAME, True, f"every {inputs.granularity} holds cases")
    return CheckResult(
        GAPS_NAME, True, f"at least {1 - max(holes):.0%} of the {inputs.granularity}s hold cases, on either side"
    )


def _check_hole(inputs: CheckInput, hole: str, known_periods: PeriodIndices, count: int) -> CheckResult:
    """What a hole of so many periods may have hidden: the estimate without as many of the known ones of that side."""
    if not inputs.verdict.claims or len(known_periods) < 2 * count:
        return CheckResult(GAPS_NAME, False, hole)
    shares = []
    for start in np.unique(np.linspace(0, len(known_periods) - count, MAX_BLOCKS).round().astype(int)):
        is_excluded = np.zeros(len(inputs.series.periods), dtype=bool)
        is_excluded[known_periods[start : start + count]] = True
        shares.append(inputs.share_left(inputs.reassess_without(is_excluded)))
    if any(map(math.isnan, shares)):
        return CheckResult(GAPS_NAME, False, hole)
    if min(shares) < LEAST_SHARE_LEFT:
        return CheckResult(
            GAPS_NAME, False, f"{hole}; with as many others left out, {share_left_in_words(min(shares))}"
        )
    return CheckResult(
        GAPS_NAME, True, f"{hole}; with as many others left out, at least {min(shares):.0%} of it is left"
    )


def another_change(inputs: CheckInput, change_date: date, other_changes: Sequence[tuple[str, date]]) -> CheckResult:
    """Whether something else was declared to have changed in the same time."""
    first, last = inputs.series.periods[0].start, inputs.series.periods[-1].end
    earliest = max(first, change_date - (last - change_date))
    nearby = [(title, day) for title, day in other_changes if earliest <= day < last]
    if nearby:
        title, day = nearby[0]
        return CheckResult(
            "another change nearby", False, f"“{title}” was begun on {day.isoformat()}; the two cannot be told apart"
        )
    return CheckResult("another change nearby", True, "no other change is declared for the same cases in that time")


def untouched_cases(inputs: CheckInput, other_series: PeriodSeries) -> CheckResult:
    """Whether the measure moved alike where nothing was changed: then the difference has to carry the claim."""
    name = "the others"
    if other_series.reason:
        return CheckResult(name, None, f"the measure says nothing of them: {other_series.reason}")
    other_verdict = inputs.reassess(other_series.model_input, other_series.before)
    if other_verdict.status != inputs.verdict.status or not other_verdict.claims:
        return CheckResult(name, True, "for all other cases of the record no such change is seen")
    verdict_against_others = inputs.reassess(
        inputs.series.model_input, inputs.series.before, [align_series(other_series, inputs.series)]
    )
    words = f"set against them, {share_left_in_words(inputs.share_left(verdict_against_others))}"
    if verdict_against_others.working is None:
        return CheckResult(name, None, f"the cases that were not to change moved the same way; {words}")
    if inputs.is_spoilt_by(verdict_against_others, True):
        much = "" if inputs.share_left(verdict_against_others) < LEAST_SHARE_LEFT else ", too little to tell"
        return CheckResult(name, False, f"the cases that were not to change moved the same way; {words}{much}")
    return CheckResult(name, True, f"the other cases changed too, but less; {words}")


def align_series(other_series: PeriodSeries, series: PeriodSeries) -> ModelInput:
    """Another series over the periods of this one; what it does not know is missing."""
    index_by_start = {period.start: index for index, period in enumerate(other_series.periods)}
    return other_series.model_input.select_periods(
        np.array([index_by_start.get(period.start, -1) for period in series.periods], np.int64)
    )


def check_mixes(
    window: AnalysisWindow, inputs: CheckInput, measure: Measure, where: tuple[tuple[str, str], ...]
) -> Iterator[CheckResult]:
    """Whether other work came in: the verdict again with each kind of work weighted as it was before."""
    if inputs.series.age_days is None or measure.kind not in ("share", "mean", "wait"):
        return
    filtered_columns = {column for column, _ in where}
    for column in MIX_COLUMNS:
        if column not in filtered_columns and (check := _check_mix(window, inputs, measure, where, column)):
            yield check


def _check_mix(
    window: AnalysisWindow, inputs: CheckInput, measure: Measure, where: tuple[tuple[str, str], ...], column: str
) -> CheckResult | None:
    name, mix = f"mix by {column}", mix_as_before(window, inputs.series, measure, where, column)
    if mix is None:
        return None
    if mix.model_input is None:
        return CheckResult(name, None, f"it cannot be told with the mix as it was before: {mix.reason}")
    verdict_as_before = inputs.reassess(mix.model_input, inputs.series.before, inputs.controls)
    return assess_mix(inputs, name, mix.model_input, verdict_as_before, mix.moved_share)


def assess_mix(
    inputs: CheckInput, name: str, as_before: ModelInput, verdict_as_before: Verdict, moved_share: float
) -> CheckResult:
    """The estimate with the mix as it was before beside the estimate as it is."""
    words = f"with the mix as it was before, {share_left_in_words(inputs.share_left(verdict_as_before))}"
    words = f"{moved_share:.0%} of the work came from elsewhere after the change; {words}"
    loses_half = inputs.share_left(verdict_as_before) < LEAST_SHARE_LEFT
    if moved_share < LEAST_MIX_SHIFT:
        return CheckResult(
            name, True, f"only {moved_share:.0%} of the work moved, too little to explain it" if loses_half else words
        )
    if verdict_as_before.working is None:
        return CheckResult(name, None, words)
    is_surprising = False
    if not loses_half and not inputs.agrees_with(verdict_as_before) and not inputs.controls:
        # did the mix itself move the measure?
        is_surprising = inputs.agrees_with(
            inputs.reassess(inputs.series.model_input, inputs.series.before, [as_before])
        )
    if inputs.is_spoilt_by(verdict_as_before, is_surprising):
        return CheckResult(name, False, words if loses_half else f"{words}, too little to tell")
    return CheckResult(name, True, words)

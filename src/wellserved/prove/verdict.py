"""One change, one verdict: what a measure did when something was changed, and how sure that is.

The engine decides with intervals alone; which way is better comes last, and words come after that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

from wellserved.errors import RequestError
from wellserved.measure.measure import Better
from wellserved.moments import Granularity
from wellserved.prove import sequence
from wellserved.prove.engine.design import TRENDS, TWO_YEARS, Design, Trend, step_design
from wellserved.prove.engine.model import CONFIDENCE_LEVEL, Floats, Mask
from wellserved.prove.engine.response import (
    FEWEST_EVENTS,
    ModelInput,
    Response,
    difference_from_controls,
    working_response,
)
from wellserved.prove.engine.step import FittedSteps, Steps, TrendIntervals, fit_steps, foreseen_variance

Status = Literal["improved", "worse", "no_change_seen", "depends_on_trend", "not_enough_data", "season_not_covered"]
STATUSES: tuple[Status, ...] = (
    "improved", "worse", "no_change_seen", "depends_on_trend", "not_enough_data", "season_not_covered",
)  # fmt: skip
LookMode = Literal["once", "always", "planned"]
FEWEST_DEGREES_OF_FREEDOM = 5  # periods more than columns; fewer were never measured
MAX_LOG_RATIO_WIDTH = 2 * math.log(4)  # a fourfold change either way is not excluded
MAX_WIDTH_SDS = 4.0  # residual standard deviations: a wider envelope says nothing
FEWEST_PERIODS_OF_THIRD = 2  # periods; with fewer nothing is said of an effect's course
LEAST_COURSE_BELIEF = 0.95  # of its having moved, before its course is told
TAIL_PROBABILITY = 0.025
SMALLEST_TOTAL, LARGEST_TOTAL = 1e-100, 1e100  # beyond, squares leave the range of numbers
POWER_ERRORS = 0.8416212335729143  # standard errors beyond an interval's end at which four in five changes are seen


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; an end may be infinite where the measure has none."""

    value: float
    low: float
    high: float

    def __neg__(self) -> Estimate:
        return Estimate(-self.value, -self.high, -self.low)

    @property
    def side(self) -> int:
        """1: all above zero; -1: all below; 0: zero is among it."""
        return 1 if self.low > 0 else -1 if self.high < 0 else 0


@dataclass(frozen=True)
class CheckResult:
    """Something that would have spoilt the verdict, and whether it does; `passed` None: it could not be looked at."""

    name: str
    passed: bool | None
    words: str


@dataclass(frozen=True)
class Power:
    """How large a change must be to be claimed four times in five, by verdict, checks and guardrails together."""

    smallest: float | None  # in the unit; None: no size would do
    most: float  # the chance that a change of any size is claimed at all
    draws: int  # series of the record's noise that were judged


@dataclass(frozen=True)
class ChartLines:
    """The picture's numbers: the measure by period, and what either trend would have brought without the change."""

    measured_values: tuple[float | None, ...]
    counterfactuals: dict[Trend, tuple[float, ...]]
    low: tuple[float, ...]  # the envelope around them, after the change
    high: tuple[float, ...]


@dataclass(frozen=True)
class Verdict:
    """What can be said of one change; numbers are in the measure's unit, shares as fractions."""

    status: Status
    reason: str  # why it is not more than that; empty where nothing stands against it
    better: Better
    every: Granularity
    before: int  # periods
    after: int
    n_before: float  # records, or events
    n_after: float
    level_before: float | None  # the measure before the change, all periods taken together
    level_after: float | None
    effect: Estimate | None  # in the unit: the trend-continues point with the envelope of both trends
    relative: Estimate | None  # the same as a part of level_before
    by_trend: dict[Trend, Estimate]  # in the unit
    working: Estimate | None  # on the model's scale: log ratio, log odds ratio, or the unit
    p: float | None
    smallest: float | None  # the change, in the unit, seen in four of five cases: by the verdict, or by all if `power`
    level: float  # of the intervals
    looks: LookMode
    season_priced: bool
    controls: int
    lines: ChartLines | None
    checks: tuple[CheckResult, ...] = ()
    plain: Status | None = None  # before the checks had their say
    course: tuple[Estimate, Estimate] | None = None  # in the unit, in the first and in the last third of the time since
    power: Power | None = None  # of the whole procedure

    @property
    def claims(self) -> bool:
        """A change is claimed."""
        return self.status in ("improved", "worse")

    @property
    def levels_agree(self) -> bool:
        """The levels of the two sides lie apart by a size within the effect's interval, so that no more need be said."""
        if self.effect is None or self.level_before is None or self.level_after is None:
            return True
        level_shift, slack = self.level_after - self.level_before, 1e-9 * abs(self.level_before)
        return self.effect.low - slack <= level_shift <= self.effect.high + slack


@dataclass(frozen=True)
class LookPlan:
    """How one looks: at one time, at any time, or at set times until an end."""

    looks: LookMode = "once"
    earlier_looks: tuple[int, ...] = ()  # planned: periods after the change at each earlier look
    last_look: int = 0  # planned: periods after the change at the last look of all
    level: float = CONFIDENCE_LEVEL  # once: of the interval


def assess_change(
    model_input: ModelInput,
    before: int,
    granularity: Granularity,
    better: Better = "lower",
    *,
    controls: Sequence[ModelInput] = (),
    parallel_trends: bool = False,
    plan: LookPlan | None = None,
    price_season: bool = True,
    worthwhile: float | None = None,
) -> Verdict:
    """Did the measure change when something was changed after `before` periods?

    model_input: one series by period; `granularity`: how long a period is. controls: this measure where nothing was
    changed; their mean is taken off, period by period. `parallel_trends`: it was declared beforehand that both move alike,
    so that no trend of their difference is allowed for. worthwhile: the smallest effect worth having, on the
    model's scale; a wider envelope than twice that is `not_enough_data`. price_season: a year that was not seen twice
    may have a season, and the interval allows for it.
    """
    if better == "neither":
        raise RequestError("A verdict needs a direction.", "Say which way is better: higher or lower.")
    head = _head(model_input, before, granularity, better, len(controls), plan or LookPlan())
    if refusal := _refusal(model_input, before, granularity):
        return replace(head, reason=refusal)
    season_priced = price_season and not controls and before < TWO_YEARS[granularity]
    design, response = design_and_response(
        model_input, controls, before, granularity, season_priced, not parallel_trends
    )
    if refusal := _too_few_periods(response, design, before, granularity):
        return replace(head, reason=refusal)
    fit = fit_steps(response, design, third_contrasts(design, response.is_observed[0], before))
    if fit.steps.is_noiseless[0]:
        return replace(
            head, reason="the measure never varies within either side, so that nothing can be said of chance"
        )
    levels = _interval_levels(fit.steps, response, granularity, before, season_priced, plan or LookPlan())
    head = replace(head, season_priced=season_priced, level=max(levels.values()))
    return _decide(head, model_input, fit, response, design, levels, worthwhile)


def third_contrasts(design: Design, is_observed: Mask, before: int) -> dict[str, Floats]:
    """Contrasts of all columns: the effect in the first and in the last third of the periods seen after the change."""
    is_effect_column, after = design.is_effect_column(before), np.flatnonzero(is_observed[before:]) + before
    third_size = len(after) // 3
    if third_size < FEWEST_PERIODS_OF_THIRD:
        return {}
    rows = {"first third": after[:third_size], "last third": after[-third_size:]}
    return {
        name: np.where(is_effect_column, design.columns[row_indices].mean(axis=0), 0.0)
        for name, row_indices in rows.items()
    }


def _head(
    model_input: ModelInput, before: int, granularity: Granularity, better: Better, controls: int, plan: LookPlan
) -> Verdict:
    """What is known before any fit."""
    after = model_input.total.shape[-1] - before
    counts = model_input.total if model_input.family == "count" else model_input.size
    counts = np.where(model_input.is_observed, counts, 0.0)
    side_levels = [pooled_value(model_input, side) for side in (slice(0, before), slice(before, None))]
    if model_input.log_levels is not None and side_levels[0] is not None:
        # of all cases together, as it is shown beside the effect
        side_levels = [model_input.level_before, model_input.level_after if side_levels[1] is not None else None]
    return Verdict(
        "not_enough_data", "", better, granularity, before, after, float(counts[:before].sum()), float(counts[before:].sum()),
        side_levels[0], side_levels[1], None, None, {}, None, None, None, CONFIDENCE_LEVEL, plan.looks, False, controls, None,
    )  # fmt: skip


def pooled_value(model_input: ModelInput, periods: slice) -> float | None:
    """The measure over several periods taken together."""
    is_observed = model_input.is_observed[periods]
    if not is_observed.any():
        return None
    total = float(model_input.total[periods][is_observed].sum())
    size = float(model_input.size[periods][is_observed].sum())
    if model_input.family == "duration":
        return math.exp(total / size)
    if model_input.family == "quantile":  # the mean of its logarithms by period
        logs, weights = model_input.log_quantiles()[periods][is_observed], model_input.size[periods][is_observed]
        return math.exp(min(float(np.average(logs, weights=weights)), 700.0))
    if model_input.family in ("plain", "money"):
        return total / int(is_observed.sum())
    return total / size


def baseline_level(model_input: ModelInput, before: int) -> float:
    """The level before the change at which effects are turned into the unit; 0: nothing is known of it."""
    return (
        model_input.level_before
        if model_input.family == "quantile"
        else pooled_value(model_input, slice(0, before)) or 0.0
    )


def _refusal(model_input: ModelInput, before: int, granularity: Granularity) -> str:
    """Why no fit is made; empty where one is."""
    is_observed = model_input.is_observed
    if before < 1 or not len(is_observed):
        return "nothing is known of the time before the change"
    if before >= len(is_observed):
        return "nothing is known yet of the time after the change"
    early_count, late_count = int(is_observed[:before].sum()), int(is_observed[before:].sum())
    if not late_count:
        return "nothing is known yet of the time after the change"
    largest = float(np.abs(model_input.total[is_observed]).max())
    if largest and not SMALLEST_TOTAL < largest < LARGEST_TOTAL:
        return f"numbers of the size of {largest:.0e} cannot be computed with; choose another unit"
    if early_count < 3:
        return f"only {early_count} {granularity}s before the change say something"
    if model_input.family in ("count", "rate"):
        is_before = is_observed & (np.arange(len(is_observed)) < before)
        event_count = float(model_input.total[is_before].sum())
        other_count = (
            float(model_input.size[is_before].sum()) - event_count if model_input.family == "rate" else math.inf
        )
        if min(event_count, other_count) < FEWEST_EVENTS:
            return f"only {min(event_count, other_count):g} {'events' if event_count < other_count else 'cases without the event'} before the change"
    return ""


def design_and_response(
    model_input: ModelInput,
    controls: Sequence[ModelInput],
    before: int,
    granularity: Granularity,
    season_priced: bool,
    trend: bool,
) -> tuple[Design, Response]:
    """The columns and the working series, less the mean of its controls."""
    is_observed = model_input.is_observed
    design = step_design(granularity, len(is_observed), [before], is_observed, season_priced)
    response = working_response(model_input, design.response_columns())
    if controls:
        response = difference_from_controls(
            response, [working_response(control, design.response_columns()) for control in controls], before
        )
        design = step_design(granularity, len(is_observed), [before], response.is_observed[0], season_priced, trend)
    return design, response


def _too_few_periods(response: Response, design: Design, before: int, granularity: Granularity) -> str:
    """Why the periods do not carry a fit; empty where they do."""
    early_count, late_count = int(response.is_observed[0, :before].sum()), int(response.is_observed[0, before:].sum())
    if early_count < 3 or not late_count:
        return f"only {early_count} {granularity}s before the change and {late_count} after it say something of both"
    missing_periods = FEWEST_DEGREES_OF_FREEDOM - (early_count + late_count - design.width)
    return (
        f"only {early_count + late_count} {granularity}s say something; {missing_periods} more are needed"
        if missing_periods > 0
        else ""
    )


def _interval_levels(
    steps: Steps, response: Response, granularity: Granularity, before: int, season_priced: bool, plan: LookPlan
) -> dict[Trend, float]:
    """The level of the interval to show at this look."""
    if plan.looks == "planned":
        return _planned_levels(response, granularity, before, season_priced, plan)
    if plan.looks == "once":
        return dict.fromkeys(TRENDS, plan.level)
    foreseen_variances = foreseen_variance(
        response, granularity, before, sequence.PERIODS_IN_EIGHT_WEEKS[granularity], season_priced
    )
    levels = {}
    for trend in TRENDS:
        low, high = steps.effect(trend).interval()
        variance = float((high - low)[0] / 3.92) ** 2
        levels[trend] = sequence.interval_level(
            sequence.always_valid_bound(variance, foreseen_variances[trend] if foreseen_variances else variance)
        )
    return levels


def _planned_levels(
    response: Response, granularity: Granularity, before: int, season_priced: bool, plan: LookPlan
) -> dict[Trend, float]:
    """Looks at set times: each is worth its part of the information that the last one will have."""
    now = response.z.shape[1] - before
    looks = sorted({*(look for look in plan.earlier_looks if 0 < look < now), now})
    end_variances = foreseen_variance(response, granularity, before, max(plan.last_look, now), season_priced)
    variances_at_looks = [foreseen_variance(response, granularity, before, look, season_priced) for look in looks]
    levels = {}
    for trend in TRENDS:
        fractions = np.maximum.accumulate(
            [
                min(end_variances[trend] / variances[trend], 1.0)
                if end_variances and variances
                else min(look / max(plan.last_look, now), 1.0)
                for look, variances in zip(looks, variances_at_looks, strict=True)
            ]
        )
        levels[trend] = sequence.interval_level(sequence.planned_bounds(fractions.tolist())[-1])
    return levels


def _decide(
    head: Verdict,
    model_input: ModelInput,
    fit: FittedSteps,
    response: Response,
    design: Design,
    levels: dict[Trend, float],
    worthwhile: float | None,
) -> Verdict:
    """Status and numbers from the intervals."""
    steps = fit.steps
    intervals = steps.trend_intervals(level=levels)
    intervals_without_season = (
        intervals if fit.without_season is steps else fit.without_season.trend_intervals(level=levels)
    )
    low, high = (float(bound[0]) for bound in intervals.envelope)
    working_estimate = Estimate(float(steps.effect("continues").mean[0]), low, high)
    level = head.level_before or 0.0
    working_estimate = _as_wide_as_known(model_input, head.before, working_estimate, level)
    by_trend = {
        trend: to_unit(
            model_input,
            Estimate(float(steps.effect(trend).mean[0]), float(interval[0][0]), float(interval[1][0])),
            level,
        )
        for trend, interval in intervals.intervals.items()
    }
    effect = to_unit(model_input, working_estimate, level)
    status, reason = _status(
        intervals,
        intervals_without_season,
        working_estimate,
        float(steps.sd[0]),
        head.better,
        worthwhile,
        model_input.is_ratio and model_input.family != "rate",
    )
    interval_errors = float(special.ndtri((1 + head.level) / 2))
    half_width = (
        (high - low)
        / 2
        * ((interval_errors + POWER_ERRORS) / interval_errors if math.isfinite(interval_errors) else 1.0)
    )
    visible = to_unit(model_input, Estimate(0.0, -half_width, half_width), level)
    smallest = abs(visible.low) if head.better == "lower" else visible.high
    lines = _chart_lines(model_input, response, steps, design, head.before, working_estimate, head.controls > 0)
    return replace(
        head, status=status, reason=reason, effect=effect, relative=_relative(effect, level), by_trend=by_trend,
        working=working_estimate, p=float(steps.p_values()[0]), smallest=smallest, lines=lines,
        course=_course_estimates(model_input, steps, design, level),
    )  # fmt: skip


def _as_wide_as_known(model_input: ModelInput, before: int, working_estimate: Estimate, level: float) -> Estimate:
    """Where nothing at all happened since the change, or to every case, a fit knows no spread: the exact 97.5% bound.

    Clopper and Pearson (Biometrika 26, 1934, 404) of a share; -log(.025) events for a count that was 0.
    """
    is_observed = model_input.is_observed[before:]
    event_count = float(model_input.total[before:][is_observed].sum())
    size = float(model_input.size[before:][is_observed].sum())
    if level <= 0 or size <= 0 or model_input.family not in ("rate", "count"):
        return working_estimate
    if model_input.family == "count":
        largest_log_ratio = math.log(-math.log(TAIL_PROBABILITY) / size / level)
        return (
            replace(working_estimate, high=max(working_estimate.high, largest_log_ratio))
            if not event_count
            else working_estimate
        )
    if level >= 1 or event_count not in (0.0, size):
        return working_estimate
    # the largest share of which none in `size` is seen
    bound = float(special.logit(-math.expm1(math.log(TAIL_PROBABILITY) / size)))
    base = float(special.logit(level))
    if event_count:
        return replace(working_estimate, low=min(working_estimate.low, -bound - base))
    return replace(working_estimate, high=max(working_estimate.high, bound - base))


def _course_estimates(
    model_input: ModelInput, steps: Steps, design: Design, level: float
) -> tuple[Estimate, Estimate] | None:
    """The effect early and late; None: it may well have been the same all the time."""
    is_moving = np.array([bool(course) for course in design.course_names])
    if (
        "last third" not in steps.contrasts
        or min(steps.belief(is_moving, trend) for trend in TRENDS) < LEAST_COURSE_BELIEF
    ):
        return None
    estimates = []
    for name in ("first third", "last third"):
        low, high = steps.trend_intervals(name).envelope
        point = float(steps.effect("continues", name).mean[0])
        estimates.append(to_unit(model_input, Estimate(point, float(low[0]), float(high[0])), level))
    return estimates[0], estimates[1]


def _status(
    intervals: TrendIntervals,
    intervals_without_season: TrendIntervals,
    working_estimate: Estimate,
    sd: float,
    better: Better,
    worthwhile: float | None,
    ratio: bool,
) -> tuple[Status, str]:
    claim = int(intervals.claimed_signs[0])
    if claim and not working_estimate.side:
        return "not_enough_data", "of so few cases since the change, all alike, another share would look the same too"
    if claim:
        return ("improved" if (claim > 0) == (better == "higher") else "worse"), ""
    if int(intervals_without_season.claimed_signs[0]):
        return "season_not_covered", "less than two years of history: the season of the year could have done this"
    if any(int(side[0]) for side in intervals.signs.values()):
        return "depends_on_trend", "it holds only if one assumes what the trend would have done"
    if ratio and working_estimate.high - working_estimate.low > MAX_LOG_RATIO_WIDTH:
        return "not_enough_data", "a fourfold change either way cannot be excluded"
    limit = 2 * worthwhile if worthwhile else MAX_WIDTH_SDS * sd
    if working_estimate.high - working_estimate.low > limit:
        limit_words = (
            "twice the smallest effect worth having" if worthwhile else "four times what single periods vary by"
        )
        return "not_enough_data", f"the interval is wider than {limit_words}"
    return "no_change_seen", ""


def to_unit(model_input: ModelInput, working_estimate: Estimate, level: float) -> Estimate:
    """An effect on the model's scale in the measure's unit, at the level before the change."""

    def convert(value: float) -> float:
        if not model_input.is_ratio:
            return value
        if model_input.family == "rate":
            if not math.isfinite(value):
                return (1 - level) if value > 0 else -level
            odds = level / (1 - level) * math.exp(min(value, 500.0))
            return odds / (1 + odds) - level
        return level * math.expm1(min(value, 500.0)) if value < math.inf else math.inf

    return Estimate(convert(working_estimate.value), convert(working_estimate.low), convert(working_estimate.high))


def _relative(effect_in_unit: Estimate, level: float) -> Estimate | None:
    return (
        Estimate(effect_in_unit.value / level, effect_in_unit.low / level, effect_in_unit.high / level)
        if level > 0
        else None
    )


def _chart_lines(
    model_input: ModelInput,
    response: Response,
    steps: Steps,
    design: Design,
    before: int,
    working_estimate: Estimate,
    has_controls: bool,
) -> ChartLines:
    """What either trend would have brought, back in the unit; slope change and step are left out of it.

    With controls, all of it is less what they did, at the height of the measure before the change.
    """
    is_effect_column = design.is_effect_column(before)
    base_lines = {
        trend: design.columns[:, ~is_effect_column] @ steps.fits[trend].coefficients[0, ~is_effect_column]
        for trend in TRENDS
    }
    back_transform = _back_transform(model_input)
    # where the measure came to lie; the envelope is about where it would have
    shifted_line = base_lines["continues"] + working_estimate.value
    after = np.arange(len(shifted_line)) >= before
    low = np.where(after, shifted_line - working_estimate.high, base_lines["continues"])
    high = np.where(after, shifted_line - working_estimate.low, base_lines["continues"])
    lift, points = 0.0, values_by_period(model_input)
    if has_controls:
        own_response, is_early = (
            working_response(model_input, design.response_columns()),
            response.is_observed[0] & ~after,
        )
        lift = float((own_response.z[0] - response.z[0])[is_early].mean())
        points = np.array(back_transform(response.z[0] + lift))
    measured_values = tuple(
        float(value) if is_observed else None
        for value, is_observed in zip(points, response.is_observed[0], strict=True)
    )
    return ChartLines(
        measured_values,
        {trend: back_transform(line + lift) for trend, line in base_lines.items()},
        back_transform(low + lift),
        back_transform(high + lift),
    )


def values_by_period(model_input: ModelInput) -> Floats:
    """The measure period by period, in its unit; nothing where nothing was seen."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(model_input.size > 0, model_input.total / model_input.size, np.nan)
    if model_input.family == "duration":
        return np.exp(ratio)
    if model_input.family == "quantile":
        return np.exp(np.minimum(model_input.log_quantiles(), 700.0))
    return model_input.total if model_input.family in ("plain", "money") else ratio


def _back_transform(model_input: ModelInput) -> Callable[[Floats], tuple[float, ...]]:
    """From the model's scale to the unit."""

    def convert(values: Floats) -> tuple[float, ...]:
        if model_input.family == "rate":
            return tuple(special.expit(values).tolist())
        return tuple(np.exp(np.clip(values, -700, 700)).tolist() if model_input.is_ratio else values.tolist())

    return convert

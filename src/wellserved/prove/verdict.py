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
from wellserved.measure.definition import Better
from wellserved.moments import Every
from wellserved.prove import sequence
from wellserved.prove.design import TRENDS, TWO_YEARS, Design, Trend, step_design
from wellserved.prove.model import LEVEL, Floats, Mask
from wellserved.prove.response import FEW, Observed, Response, difference, respond
from wellserved.prove.step import Fitted, Judged, Steps, fit_steps, foreseen_variance

Status = Literal["improved", "worse", "no_change_seen", "depends_on_trend", "not_enough_data", "season_not_covered"]
STATUSES: tuple[Status, ...] = (
    "improved", "worse", "no_change_seen", "depends_on_trend", "not_enough_data", "season_not_covered",
)  # fmt: skip
Looks = Literal["once", "always", "planned"]
LEAST_FREEDOM = 5  # periods more than columns; fewer were never measured
TOO_WIDE_RATIO = 2 * math.log(4)  # a fourfold change either way is not excluded
TOO_WIDE = 4.0  # residual standard deviations: a wider hull says nothing
LEAST_OF_A_THIRD = 2  # periods; with fewer nothing is said of an effect's course
COURSE_SURE = 0.95  # of its having moved, before its course is told
TAIL = 0.025
SMALLEST, LARGEST = 1e-100, 1e100  # beyond, squares leave the range of numbers
POWER = 0.8416212335729143  # standard errors beyond an interval's end at which four in five changes are seen


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
class Check:
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
class Lines:
    """The picture's numbers: the measure by period, and what either trend would have brought without the change."""

    measured: tuple[float | None, ...]
    without: dict[Trend, tuple[float, ...]]
    low: tuple[float, ...]  # the hull around them, after the change
    high: tuple[float, ...]


@dataclass(frozen=True)
class Verdict:
    """What can be said of one change; numbers are in the measure's unit, shares as fractions."""

    status: Status
    reason: str  # why it is not more than that; empty where nothing stands against it
    better: Better
    every: Every
    before: int  # periods
    after: int
    n_before: float  # records, or events
    n_after: float
    level_before: float | None  # the measure before the change, all periods taken together
    level_after: float | None
    effect: Estimate | None  # in the unit: the trend-continues point with the hull of both trends
    relative: Estimate | None  # the same as a part of level_before
    by_trend: dict[Trend, Estimate]  # in the unit
    working: Estimate | None  # on the model's scale: log ratio, log odds ratio, or the unit
    p: float | None
    smallest: float | None  # the change, in the unit, seen in four of five cases: by the verdict, or by all if `power`
    level: float  # of the intervals
    looks: Looks
    season_priced: bool
    controls: int
    lines: Lines | None
    checks: tuple[Check, ...] = ()
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
        moved, slack = self.level_after - self.level_before, 1e-9 * abs(self.level_before)
        return self.effect.low - slack <= moved <= self.effect.high + slack


@dataclass(frozen=True)
class Plan:
    """How one looks: at one time, at any time, or at set times until an end."""

    looks: Looks = "once"
    looked: tuple[int, ...] = ()  # planned: periods after the change at each earlier look
    end: int = 0  # planned: periods after the change at the last look of all
    level: float = LEVEL  # once: of the interval


def change(
    observed: Observed,
    before: int,
    every: Every,
    better: Better = "lower",
    *,
    controls: Sequence[Observed] = (),
    parallel: bool = False,
    plan: Plan | None = None,
    price_season: bool = True,
    worthwhile: float | None = None,
) -> Verdict:
    """Did the measure change when something was changed after `before` periods?

    observed: one series by period; `every`: how long a period is. controls: the same measure where nothing was
    changed; their mean is taken off, period by period. parallel: it was declared beforehand that both move alike,
    so that no trend of their difference is allowed for. worthwhile: the smallest effect worth having, on the
    model's scale; a wider hull than twice that is `not_enough_data`. price_season: a year that was not seen twice
    may have a season, and the interval allows for it.
    """
    if better == "neither":
        raise RequestError("A verdict needs a direction.", "Say which way is better: higher or lower.")
    head = _head(observed, before, every, better, len(controls), plan or Plan())
    if refusal := _refused(observed, before, every):
        return replace(head, reason=refusal)
    priced = price_season and not controls and before < TWO_YEARS[every]
    design, response = posed(observed, controls, before, every, priced, not parallel)
    if refusal := _too_few(response, design, before, every):
        return replace(head, reason=refusal)
    fitted = fit_steps(response, design, thirds(design, response.seen[0], before))
    if fitted.steps.flat[0]:
        return replace(
            head, reason="the measure never varies within either side, so that nothing can be said of chance"
        )
    levels = _levels(fitted.steps, response, every, before, priced, plan or Plan())
    head = replace(head, season_priced=priced, level=max(levels.values()))
    return _decided(head, observed, fitted, response, design, levels, worthwhile)


def thirds(design: Design, seen: Mask, before: int) -> dict[str, Floats]:
    """Contrasts of all columns: the effect in the first and in the last third of the periods seen after the change."""
    late, after = design.late(before), np.flatnonzero(seen[before:]) + before
    part = len(after) // 3
    if part < LEAST_OF_A_THIRD:
        return {}
    rows = {"first third": after[:part], "last third": after[-part:]}
    return {name: np.where(late, design.columns[places].mean(axis=0), 0.0) for name, places in rows.items()}


def _head(observed: Observed, before: int, every: Every, better: Better, controls: int, plan: Plan) -> Verdict:
    """What is known before any fit."""
    after = observed.total.shape[-1] - before
    counted = observed.total if observed.family == "count" else observed.size
    counted = np.where(observed.seen, counted, 0.0)
    ends = [pooled(observed, part) for part in (slice(0, before), slice(before, None))]
    if observed.near is not None and ends[0] is not None:  # of all cases together, as it is shown beside the effect
        ends = [observed.level, observed.level_after if ends[1] is not None else None]
    return Verdict(
        "not_enough_data", "", better, every, before, after, float(counted[:before].sum()), float(counted[before:].sum()),
        ends[0], ends[1], None, None, {}, None, None, None, LEVEL, plan.looks, False, controls, None,
    )  # fmt: skip


def pooled(observed: Observed, part: slice) -> float | None:
    """The measure over several periods taken together."""
    seen = observed.seen[part]
    if not seen.any():
        return None
    total, size = float(observed.total[part][seen].sum()), float(observed.size[part][seen].sum())
    if observed.family == "duration":
        return math.exp(total / size)
    if observed.family == "quantile":  # the mean of its logarithms by period
        return math.exp(min(float(np.average(observed.logs()[part][seen], weights=observed.size[part][seen])), 700.0))
    if observed.family in ("plain", "money"):
        return total / int(seen.sum())
    return total / size


def height(observed: Observed, before: int) -> float:
    """The level before the change at which effects are turned into the unit; 0: nothing is known of it."""
    return observed.level if observed.family == "quantile" else pooled(observed, slice(0, before)) or 0.0


def _refused(observed: Observed, before: int, every: Every) -> str:
    """Why no fit is made; empty where one is."""
    seen = observed.seen
    if before < 1 or not len(seen):
        return "nothing is known of the time before the change"
    if before >= len(seen):
        return "nothing is known yet of the time after the change"
    early, late = int(seen[:before].sum()), int(seen[before:].sum())
    if not late:
        return "nothing is known yet of the time after the change"
    largest = float(np.abs(observed.total[seen]).max())
    if largest and not SMALLEST < largest < LARGEST:
        return f"numbers of the size of {largest:.0e} cannot be computed with; choose another unit"
    if early < 3:
        return f"only {early} {every}s before the change say something"
    if observed.family in ("count", "rate"):
        before_it = seen & (np.arange(len(seen)) < before)
        happened = float(observed.total[before_it].sum())
        other = float(observed.size[before_it].sum()) - happened if observed.family == "rate" else math.inf
        if min(happened, other) < FEW:
            return f"only {min(happened, other):g} {'events' if happened < other else 'cases without the event'} before the change"
    return ""


def posed(
    observed: Observed,
    controls: Sequence[Observed],
    before: int,
    every: Every,
    priced: bool,
    trend: bool,
) -> tuple[Design, Response]:
    """The columns and the working series, less the mean of its controls."""
    seen = observed.seen
    design = step_design(every, len(seen), [before], seen, priced)
    response = respond(observed, design.of_response())
    if controls:
        response = difference(response, [respond(one, design.of_response()) for one in controls], before)
        design = step_design(every, len(seen), [before], response.seen[0], priced, trend)
    return design, response


def _too_few(response: Response, design: Design, before: int, every: Every) -> str:
    """Why the periods do not carry a fit; empty where they do."""
    early, late = int(response.seen[0, :before].sum()), int(response.seen[0, before:].sum())
    if early < 3 or not late:
        return f"only {early} {every}s before the change and {late} after it say something of both"
    lacking = LEAST_FREEDOM - (early + late - design.width)
    return f"only {early + late} {every}s say something; {lacking} more are needed" if lacking > 0 else ""


def _levels(
    steps: Steps, response: Response, every: Every, before: int, priced: bool, plan: Plan
) -> dict[Trend, float]:
    """The level of the interval to show at this look."""
    if plan.looks == "planned":
        return _planned(response, every, before, priced, plan)
    if plan.looks == "once":
        return dict.fromkeys(TRENDS, plan.level)
    foreseen = foreseen_variance(response, every, before, sequence.EIGHT_WEEKS[every], priced)
    found = {}
    for trend in TRENDS:
        low, high = steps.effect(trend).interval()
        variance = float((high - low)[0] / 3.92) ** 2
        found[trend] = sequence.level_of(sequence.always_valid(variance, foreseen[trend] if foreseen else variance))
    return found


def _planned(response: Response, every: Every, before: int, priced: bool, plan: Plan) -> dict[Trend, float]:
    """Looks at set times: each is worth its part of the information that the last one will have."""
    now = response.z.shape[1] - before
    at = sorted({*(one for one in plan.looked if 0 < one < now), now})
    end = foreseen_variance(response, every, before, max(plan.end, now), priced)
    each = [foreseen_variance(response, every, before, one, priced) for one in at]
    found = {}
    for trend in TRENDS:
        parts = np.maximum.accumulate(
            [
                min(end[trend] / one[trend], 1.0) if end and one else min(look / max(plan.end, now), 1.0)
                for look, one in zip(at, each, strict=True)
            ]
        )
        found[trend] = sequence.level_of(sequence.planned(parts.tolist())[-1])
    return found


def _decided(
    head: Verdict,
    observed: Observed,
    fitted: Fitted,
    response: Response,
    design: Design,
    levels: dict[Trend, float],
    worthwhile: float | None,
) -> Verdict:
    """Status and numbers from the intervals."""
    steps = fitted.steps
    judged = steps.judged(level=levels)
    bare = judged if fitted.bare is steps else fitted.bare.judged(level=levels)
    low, high = (float(end[0]) for end in judged.hull)
    working = Estimate(float(steps.effect("continues").point[0]), low, high)
    level = head.level_before or 0.0
    working = _as_wide_as_known(observed, head.before, working, level)
    by_trend = {
        trend: in_unit(
            observed, Estimate(float(steps.effect(trend).point[0]), float(ends[0][0]), float(ends[1][0])), level
        )
        for trend, ends in judged.ends.items()
    }
    effect = in_unit(observed, working, level)
    status, reason = _status(
        judged, bare, working, float(steps.sd[0]), head.better, worthwhile, observed.ratio and observed.family != "rate"
    )
    reach = float(special.ndtri((1 + head.level) / 2))
    half = (high - low) / 2 * ((reach + POWER) / reach if math.isfinite(reach) else 1.0)
    seen_at = in_unit(observed, Estimate(0.0, -half, half), level)
    smallest = abs(seen_at.low) if head.better == "lower" else seen_at.high
    lines = _lines(observed, response, steps, design, head.before, working, head.controls > 0)
    return replace(
        head, status=status, reason=reason, effect=effect, relative=_relative(effect, level), by_trend=by_trend,
        working=working, p=float(steps.p()[0]), smallest=smallest, lines=lines,
        course=_course(observed, steps, design, level),
    )  # fmt: skip


def _as_wide_as_known(observed: Observed, before: int, working: Estimate, level: float) -> Estimate:
    """Where nothing at all happened since the change, or to every case, a fit knows no spread: the exact 97.5% bound.

    Clopper and Pearson (Biometrika 26, 1934, 404) of a share; -log(.025) events for a count that was 0.
    """
    seen = observed.seen[before:]
    happened, size = float(observed.total[before:][seen].sum()), float(observed.size[before:][seen].sum())
    if level <= 0 or size <= 0 or observed.family not in ("rate", "count"):
        return working
    if observed.family == "count":
        most = math.log(-math.log(TAIL) / size / level)
        return replace(working, high=max(working.high, most)) if not happened else working
    if level >= 1 or happened not in (0.0, size):
        return working
    bound = float(
        special.logit(-math.expm1(math.log(TAIL) / size))
    )  # the largest share of which none in `size` is seen
    base = float(special.logit(level))
    if happened:
        return replace(working, low=min(working.low, -bound - base))
    return replace(working, high=max(working.high, bound - base))


def _course(observed: Observed, steps: Steps, design: Design, level: float) -> tuple[Estimate, Estimate] | None:
    """The effect early and late; None: it may well have been the same all the time."""
    moving = np.array([bool(course) for course in design.courses])
    if "last third" not in steps.contrasts or min(steps.belief(moving, trend) for trend in TRENDS) < COURSE_SURE:
        return None
    estimates = []
    for name in ("first third", "last third"):
        low, high = steps.judged(name).hull
        point = float(steps.effect("continues", name).point[0])
        estimates.append(in_unit(observed, Estimate(point, float(low[0]), float(high[0])), level))
    return estimates[0], estimates[1]


def _status(
    judged: Judged, bare: Judged, working: Estimate, sd: float, better: Better, worthwhile: float | None, ratio: bool
) -> tuple[Status, str]:
    claim = int(judged.claims[0])
    if claim and not working.side:
        return "not_enough_data", "of so few cases since the change, all alike, another share would look the same too"
    if claim:
        return ("improved" if (claim > 0) == (better == "higher") else "worse"), ""
    if int(bare.claims[0]):
        return "season_not_covered", "less than two years of history: the season of the year could have done this"
    if any(int(side[0]) for side in judged.sides.values()):
        return "depends_on_trend", "it holds only if one assumes what the trend would have done"
    if ratio and working.high - working.low > TOO_WIDE_RATIO:
        return "not_enough_data", "a fourfold change either way cannot be excluded"
    limit = 2 * worthwhile if worthwhile else TOO_WIDE * sd
    if working.high - working.low > limit:
        what = "twice the smallest effect worth having" if worthwhile else "four times what single periods vary by"
        return "not_enough_data", f"the interval is wider than {what}"
    return "no_change_seen", ""


def in_unit(observed: Observed, working: Estimate, level: float) -> Estimate:
    """An effect on the model's scale in the measure's unit, at the level before the change."""

    def turned(value: float) -> float:
        if not observed.ratio:
            return value
        if observed.family == "rate":
            if not math.isfinite(value):
                return (1 - level) if value > 0 else -level
            odds = level / (1 - level) * math.exp(min(value, 500.0))
            return odds / (1 + odds) - level
        return level * math.expm1(min(value, 500.0)) if value < math.inf else math.inf

    return Estimate(turned(working.value), turned(working.low), turned(working.high))


def _relative(effect: Estimate, level: float) -> Estimate | None:
    return Estimate(effect.value / level, effect.low / level, effect.high / level) if level > 0 else None


def _lines(
    observed: Observed, response: Response, steps: Steps, design: Design, before: int, working: Estimate, apart: bool
) -> Lines:
    """What either trend would have brought, back in the unit; slope change and step are left out of it.

    With controls, all of it is less what they did, at the height of the measure before the change.
    """
    late = design.late(before)
    base = {trend: design.columns[:, ~late] @ steps.fits[trend].coefficients[0, ~late] for trend in TRENDS}
    back = _back(observed)
    near = base["continues"] + working.value  # where the measure came to lie; the hull is about where it would have
    after = np.arange(len(near)) >= before
    low = np.where(after, near - working.high, base["continues"])
    high = np.where(after, near - working.low, base["continues"])
    lift, points = 0.0, by_period(observed)
    if apart:
        alone, early = respond(observed, design.of_response()), response.seen[0] & ~after
        lift = float((alone.z[0] - response.z[0])[early].mean())
        points = np.array(back(response.z[0] + lift))
    measured = tuple(float(value) if seen else None for value, seen in zip(points, response.seen[0], strict=True))
    return Lines(
        measured, {trend: back(line + lift) for trend, line in base.items()}, back(low + lift), back(high + lift)
    )


def by_period(observed: Observed) -> Floats:
    """The measure period by period, in its unit; nothing where nothing was seen."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(observed.size > 0, observed.total / observed.size, np.nan)
    if observed.family == "duration":
        return np.exp(ratio)
    if observed.family == "quantile":
        return np.exp(np.minimum(observed.logs(), 700.0))
    return observed.total if observed.family in ("plain", "money") else ratio


def _back(observed: Observed) -> Callable[[Floats], tuple[float, ...]]:
    """From the model's scale to the unit."""

    def turned(values: Floats) -> tuple[float, ...]:
        if observed.family == "rate":
            return tuple(special.expit(values).tolist())
        return tuple(np.exp(np.clip(values, -700, 700)).tolist() if observed.ratio else values.tolist())

    return turned

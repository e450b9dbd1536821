"""Before a change: what will be seen of it in a while, and which margins can be shown at all."""

from __future__ import annotations

from dataclasses import dataclass

from wellserved.measure import Measure
from wellserved.measure.interval import Z
from wellserved.prove.chance import reach
from wellserved.prove.guards import Guardrail, margin_of
from wellserved.prove.observe import Looking, Where, observe
from wellserved.prove.power import foreseen
from wellserved.prove.proof import Asked, rails
from wellserved.prove.sequence import EIGHT_WEEKS
from wellserved.prove.verdict import POWER, height

SEEN = Z + POWER  # standard errors at which a change is seen four times in five


@dataclass(frozen=True)
class Foresight:
    """One measure, eight weeks after a change; numbers in its unit."""

    measure: Measure
    label: str
    level: float | None  # now
    detectable_change: (
        float | None
    )  # the change that will be claimed four times in five, at one look, with checks and guardrails
    margin: float | None  # of a guardrail: the margin declared, or proposed
    provable_margin: float | None  # the smallest margin that can be shown if nothing gets worse
    age_days: int | None
    reason: str = ""


def foresee(window: Looking, request: Asked) -> list[Foresight]:
    """The measure itself first, then its guardrails: from the time before the change alone."""
    guardrails = rails(window, request)
    own_foresight = _foresee_measure(
        window, request, request.measure, request.where, request.measure.name, None, len(guardrails)
    )
    return [
        own_foresight,
        *(_foresee_measure(window, request, rail.measure, where, rail.name, rail, 0) for rail, where in guardrails),
    ]


def _foresee_measure(
    window: Looking,
    request: Asked,
    measure: Measure,
    where: Where,
    label: str,
    rail: Guardrail | None,
    guardrail_count: int,
) -> Foresight:
    """What will be seen of one measure; `guardrail_count`: of the measure itself, how many guardrails a claim has to pass."""
    series = observe(window, measure, where, None if rail else request.age_days, request.age_days or 0)
    declared_margin = rail.margin if rail else None
    if series.reason:
        return Foresight(measure, label, None, None, declared_margin, None, None, series.reason)
    before, granularity = series.before, request.granularity
    level = height(series.model_input, before)
    better = (rail.better if rail else request.better) or measure.better
    higher_is_better = better == "higher"
    detectable = reach(series.model_input, before, granularity, level, EIGHT_WEEKS[granularity], SEEN)
    if detectable is None:
        reason = "too little history, or it never varies"
        return Foresight(measure, label, None, None, declared_margin, None, series.age_days, reason)
    if rail is None:
        size = foreseen(series.model_input, before, granularity, EIGHT_WEEKS[granularity], better, guardrail_count)
        shortfall = "" if size is not None else "no change of whatever size will be claimed four times in five"
        return Foresight(measure, label, level, size, None, None, series.age_days, shortfall)
    size = detectable.high if higher_is_better else -detectable.low
    provable = reach(series.model_input, before, granularity, level, EIGHT_WEEKS[granularity])
    assert provable is not None
    margin = declared_margin if declared_margin is not None else margin_of(rail, series, granularity, level)
    return Foresight(
        measure, label, level, size, margin, -provable.low if higher_is_better else provable.high, series.age_days
    )

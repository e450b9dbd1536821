"""Before a change: what will be seen of it in a while, and which margins can be shown at all."""

from __future__ import annotations

from dataclasses import dataclass

from wellserved.measure import Measure
from wellserved.measure.interval import Z
from wellserved.prove.chance import foreseen_margins
from wellserved.prove.guards import Guardrail, default_margin
from wellserved.prove.observe import observe_measure
from wellserved.prove.power import foresee_smallest_change
from wellserved.prove.proof import list_guardrails
from wellserved.prove.request import ProofRequest
from wellserved.prove.sequence import PERIODS_IN_EIGHT_WEEKS
from wellserved.prove.verdict import POWER_ERRORS, baseline_level
from wellserved.prove.window import AnalysisWindow, CaseFilter

DETECTION_ERRORS = Z + POWER_ERRORS  # standard errors at which a change is seen four times in five


@dataclass(frozen=True)
class Foresight:
    """One measure, eight weeks after a change; numbers in its unit."""

    measure: Measure
    label: str
    level: float | None  # now
    # the change that will be claimed four times in five, at one look, with checks and guardrails
    detectable_change: float | None
    margin: float | None  # of a guardrail: the margin declared, or proposed
    provable_margin: float | None  # the smallest margin that can be shown if nothing gets worse
    age_days: int | None
    reason: str = ""


def foresee(window: AnalysisWindow, request: ProofRequest) -> list[Foresight]:
    """The measure itself first, then its guardrails: from the time before the change alone."""
    guardrails = list_guardrails(window, request)
    own_foresight = _foresee_measure(
        window, request, request.measure, request.where, request.measure.name, None, len(guardrails)
    )
    return [
        own_foresight,
        *(_foresee_measure(window, request, rail.measure, where, rail.name, rail, 0) for rail, where in guardrails),
    ]


def _foresee_measure(
    window: AnalysisWindow,
    request: ProofRequest,
    measure: Measure,
    where: CaseFilter,
    label: str,
    rail: Guardrail | None,
    guardrail_count: int,
) -> Foresight:
    """What will be seen of one measure; `guardrail_count`: of the measure itself, how many guardrails a claim has to pass."""
    series = observe_measure(window, measure, where, None if rail else request.age_days, request.age_days or 0)
    declared_margin = rail.margin if rail else None
    if series.reason:
        return Foresight(measure, label, None, None, declared_margin, None, None, series.reason)
    before, granularity = series.before, request.granularity
    level = baseline_level(series.model_input, before)
    better = (rail.better if rail else request.better) or measure.better
    higher_is_better = better == "higher"
    detectable = foreseen_margins(
        series.model_input, before, granularity, level, PERIODS_IN_EIGHT_WEEKS[granularity], DETECTION_ERRORS
    )
    if detectable is None:
        reason = "too little history, or it never varies"
        return Foresight(measure, label, None, None, declared_margin, None, series.age_days, reason)
    if rail is None:
        size = foresee_smallest_change(
            series.model_input, before, granularity, PERIODS_IN_EIGHT_WEEKS[granularity], better, guardrail_count
        )
        shortfall = "" if size is not None else "no change of whatever size will be claimed four times in five"
        return Foresight(measure, label, level, size, None, None, series.age_days, shortfall)
    size = detectable.high if higher_is_better else -detectable.low
    provable = foreseen_margins(series.model_input, before, granularity, level, PERIODS_IN_EIGHT_WEEKS[granularity])
    assert provable is not None
    margin = declared_margin if declared_margin is not None else default_margin(rail, series, granularity, level)
    return Foresight(
        measure, label, level, size, margin, -provable.low if higher_is_better else provable.high, series.age_days
    )

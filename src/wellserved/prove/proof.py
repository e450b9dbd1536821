"""A change put to the test: the verdict, what would have spoilt it, and what must not have got worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from wellserved.errors import RequestError
from wellserved.measure.measure import Better
from wellserved.progress import ProgressCallback, no_progress
from wellserved.prove import checks, recording
from wellserved.prove.controls import observe_controls, other_segments_filter
from wellserved.prove.guards import Guardrail, GuardrailResult, assess_guardrail, select_guardrails
from wellserved.prove.incentive import Incentive, incentive_effect
from wellserved.prove.observe import observe_measure
from wellserved.prove.period_series import DAYS_PER_PERIOD, PeriodSeries
from wellserved.prove.power import with_power
from wellserved.prove.request import ProofRequest
from wellserved.prove.verdict import CheckResult, Status, Verdict, assess_change
from wellserved.prove.window import AnalysisWindow, CaseFilter

Headline = Literal[Status, "improved_harm_not_excluded", "harm_shown"]
"""What is said first. improved: nothing that matters got worse, shown."""


@dataclass(frozen=True)
class Proof:
    """A verdict with all that it rests on."""

    request: ProofRequest
    series: PeriodSeries
    verdict: Verdict
    guardrail_results: tuple[GuardrailResult, ...]
    incentive: Incentive | None = None  # while it was paid, and after
    questions: tuple[CheckResult, ...] = ()  # what the recording has to answer; a failed one weakens an improvement

    @property
    def claims(self) -> bool:
        """Whether "improved" or "worse" may be said; the headline says how firmly."""
        return self.verdict.claims and not self.blocking_harm

    @property
    def headline(self) -> Headline:
        """The verdict, and of an improvement whether harm is excluded, not excluded, or shown."""
        if self.verdict.status != "improved":
            return self.verdict.status
        if self.blocking_harm:
            return "harm_shown"
        return "improved_harm_not_excluded" if self.doubts else "improved"

    @property
    def harms(self) -> tuple[GuardrailResult, ...]:
        """The guardrails that got worse by more than they may, surely enough; only an improvement can be blocked."""
        if self.verdict.status != "improved":
            return ()
        return tuple(result for result in self.guardrail_results if result.safety == "worse")

    @property
    def blocking_harm(self) -> str:
        """Why an improvement is not claimed although the measure moved; empty: no harm is shown."""
        return "; ".join(f"{result.guardrail.name} {result.words}" for result in self.harms)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is not excluded although it improved: questions first, then the likeliest harm, then what is not recorded."""
        if self.verdict.status != "improved":
            return ()
        doubts = [Doubt(check.name, check.words) for check in self.questions if check.passed is False]
        weak_results = sorted((result for result in self.guardrail_results if result.weakens), key=_doubt_rank)
        doubts += [
            Doubt(result.guardrail.name, result.words, result.safety == "not_recorded") for result in weak_results
        ]
        unread_checks = [check for check in (*self.verdict.checks, *self.questions) if check.passed is None]
        return (*doubts, *(Doubt(check.name, check.words, True) for check in unread_checks))


@dataclass(frozen=True)
class Doubt:
    """Something that is not excluded, and why."""

    name: str
    why: str
    unseen: bool = False  # because the record does not tell


def _doubt_rank(result: GuardrailResult) -> float:
    """Order of doubts: what raises a question, then by the chance of harm; what is not recorded comes last."""
    if result.safety == "not_recorded":
        return 1.0
    return -1.0 if result.chance is None else -result.chance - (1 if result.guardrail.question else 0)


def prove(window: AnalysisWindow, request: ProofRequest, on_progress: ProgressCallback = no_progress) -> Proof:
    """Did it work, by how much, how sure, and what got worse?"""
    better = request.better or request.measure.better
    if better == "neither":
        raise RequestError(
            f"{request.measure.name} is neither better high nor better low.", "Say which way is better: --better lower."
        )
    on_progress(f"Looking at {request.measure.name}", 0, 0)
    window.other_change_days = () if request.paid_until is None else (request.paid_until,)
    window.settles = request.settles
    series = observe_measure(window, request.measure, request.where, request.age_days)
    if not series.reason and series.immature_periods and series.before == len(series.periods):
        first_date = request.change_date + timedelta(
            days=math.ceil(DAYS_PER_PERIOD[request.granularity]) + (series.age_days or 0)
        )
        series = replace(
            series,
            reason=f"cases are looked at {series.age_days} days after their start, and none is old enough yet; look again from {first_date} on",
        )
    if series.reason:
        return Proof(request, series, _verdict_without_series(series, better, request), ())
    controls = observe_controls(window, request, series)
    verdict = assess_change(
        series.model_input, series.before, request.granularity, better, controls=controls, parallel_trends=request.parallel_trends, plan=request.plan,
        worthwhile=_effect_on_scale(series, request.worthwhile),
    )  # fmt: skip
    verdict = _as_measured(verdict, series, bool(controls))
    on_progress("Checking what would have spoilt it", 0, 0)
    check_input = checks.CheckInput(
        series, request.granularity, better, tuple(controls), request.parallel_trends, verdict
    )
    verdict = _apply_checks(verdict, _checks(window, request, check_input)) if verdict.effect is not None else verdict
    guardrail_results = _evaluate_guardrails(window, request, on_progress)
    verdict = with_power(verdict, check_input, guardrail_results)
    questions: list[CheckResult] = []
    if verdict.status == "improved":
        inquiry = recording.Inquiry(
            window, replace(check_input, verdict=verdict), request.measure, request.where, guardrail_results
        )
        questions = recording.recording_questions(inquiry)
    return Proof(
        request,
        series,
        verdict,
        guardrail_results,
        incentive_effect(request, series, better, controls),
        tuple(questions),
    )


def _as_measured(verdict: Verdict, series: PeriodSeries, has_controls: bool) -> Verdict:
    """A wait's own quantiles in place of what stands for them in the fit; less controls, only the latter exists."""
    if not series.period_quantiles:
        return verdict
    before, after = series.side_quantiles
    lines = verdict.lines and (
        verdict.lines if has_controls else replace(verdict.lines, measured_values=series.period_quantiles)
    )
    return replace(verdict, level_before=before, level_after=after, lines=lines)


def _verdict_without_series(series: PeriodSeries, better: Better, request: ProofRequest) -> Verdict:
    return Verdict(
        "not_enough_data", series.reason, better, request.granularity, 0, 0, 0.0, 0.0, None, None, None, None, {}, None, None,
        None, 0.95, request.plan.looks, False, 0, None,
    )  # fmt: skip


def _effect_on_scale(series: PeriodSeries, relative_effect: float | None) -> float | None:
    """A part of the level before, as a step on the model's scale; of a share, the smaller of up and down."""
    known_before = series.model_input.is_observed[: series.before]
    size = float(series.model_input.size[: series.before][known_before].sum())
    if relative_effect is None or not size:
        return None
    level = float(series.model_input.total[: series.before][known_before].sum()) / size
    if series.model_input.family == "rate":
        targets = [
            target for target in (level * (1 - relative_effect), level * (1 + relative_effect)) if 0 < target < 1
        ]
        return (
            min((abs(math.log(target / (1 - target) * (1 - level) / level)) for target in targets), default=None)
            if 0 < level < 1
            else None
        )
    return math.log1p(relative_effect) if series.model_input.is_ratio else relative_effect * abs(level)


def _checks(window: AnalysisWindow, request: ProofRequest, check_input: checks.CheckInput) -> list[CheckResult]:
    check_results = [
        checks.record_gaps(check_input),
        checks.trend_before(check_input),
        checks.placebo_in_time(check_input),
        checks.bad_stretch(check_input),
        checks.another_change(check_input, request.change_date, request.other_changes),
    ]
    others_filter = None if request.control_segments else other_segments_filter(window, request.where)
    if others_filter is not None:
        check_results.append(
            checks.untouched_cases(
                check_input, observe_measure(window, request.measure, others_filter, check_input.series.age_days)
            )
        )
    elif not request.control_segments:
        check_results.append(CheckResult("no others to compare with", None, NO_COMPARISON))
    check_results += checks.check_mixes(window, check_input, request.measure, request.where)
    return check_results


NO_COMPARISON = "no column names cases that were not to change: another change at the same time is not excluded"


def _apply_checks(verdict: Verdict, check_results: Sequence[CheckResult]) -> Verdict:
    """A claim that a check speaks against is taken back."""
    failed_checks = [check for check in check_results if check.passed is False]
    verdict = replace(verdict, checks=tuple(check_results), plain=verdict.status)
    if not failed_checks or not verdict.claims:
        return verdict
    status = "not_enough_data" if failed_checks[0].name == checks.GAPS_NAME else "depends_on_trend"
    return replace(verdict, status=status, reason=failed_checks[0].words)  # type: ignore[arg-type]


def list_guardrails(window: AnalysisWindow, request: ProofRequest) -> list[tuple[Guardrail, CaseFilter]]:
    """All guardrails of a question, and the cases in which each is looked at."""
    guardrails = [(guardrail, request.where) for guardrail in select_guardrails(request.measure, request.guardrails)]
    others_filter = other_segments_filter(window, request.where)
    if request.measure.kind == "wait" and others_filter is not None:  # work may have been pushed to them
        better = request.better or request.measure.better
        guardrails.append(
            (Guardrail(request.measure, None, better, f"{request.measure.name} of all others"), others_filter)
        )
    return guardrails


def _evaluate_guardrails(
    window: AnalysisWindow, request: ProofRequest, on_progress: ProgressCallback
) -> tuple[GuardrailResult, ...]:
    """Every guardrail, at the age of the question or its own, whichever is older."""
    guardrails = list_guardrails(window, request)
    results = []
    for index, (guardrail, where) in enumerate(guardrails):
        on_progress(f"Looking at {guardrail.label or guardrail.measure.name}", index, len(guardrails))
        series = observe_measure(window, guardrail.measure, where, None, request.age_days or 0)
        results.append(assess_guardrail(guardrail, series, request.granularity, len(guardrails), request.margins))
    return tuple(results)

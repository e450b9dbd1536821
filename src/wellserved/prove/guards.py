"""What must not get worse while something gets better, each with a margin; how likely harm beyond it is, and what that says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from wellserved.measure import MEASURES, Measure, find_measure
from wellserved.measure.measure import Better
from wellserved.moments import Granularity
from wellserved.prove import chance
from wellserved.prove.chance import Harm
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.sequence import PERIODS_IN_EIGHT_WEEKS
from wellserved.prove.verdict import Estimate, assess_change, values_by_period

Safety = Literal["worse", "not_worse", "cannot_tell", "not_recorded"]
# of a share: the margin where none was declared, at most and at least
MAX_SHARE_MARGIN, LEAST_SHARE_MARGIN = (
    0.05,
    0.01,
)
RELATIVE_MARGIN = 0.2  # of the level before, for all else
LEAST_MEAN_MARGIN = 0.1  # of a mean of things counted: a tenth of one a case
MAX_MARGIN_FACTOR = 1.5  # times the usual margin, at most, where eight weeks cannot show a smaller one
HARM_EXCLUDED_CHANCE = 0.05  # a chance of harm beyond the margin up to which it is called excluded
HARM_SHOWN_CHANCE = 0.8  # from which on, if it surely got worse at all, it is called shown
QUESTION_RAISED_CHANCE = 0.2  # from which on a measure that only raises a question raises it
SHARED_ALARM_RATE = 0.05  # of false alarms, among all guardrails


@dataclass(frozen=True)
class Guardrail:
    """A measure that must not get worse by more than the margin, in its unit; None: see `default_margin`."""

    measure: Measure
    margin: float | None = None
    better: Better | None = None  # where the measure itself has no better side
    label: str = ""  # where it is not looked at in the same cases
    question: str = ""  # worse is no harm by itself: it raises this question
    relative_margin: float = RELATIVE_MARGIN  # of the level before: the margin of what is no share

    @property
    def name(self) -> str:
        """What it goes by in a verdict."""
        return self.label or self.measure.name


HARM_MEASURES = (
    "reopen_rate", "contacts", "repeat_case_rate", "rating_good", "complaint_rate", "handovers", "abandoned_rate",
)  # fmt: skip
"""What is looked at besides, where somebody claims to be faster: worse is harm."""
QUESTION_MEASURES: tuple[tuple[str, Better, str, float], ...] = (
    ("asked", "higher", "fewer cases came: were customers turned away, or cases left out?", 0.1),
    ("rated_rate", "higher", "fewer cases are rated: is everybody asked?", RELATIVE_MARGIN),
    ("merged_rate", "lower", "more cases are merged into others: are they still served?", RELATIVE_MARGIN),
    ("paused_rate", "lower", "more cases wait for the customer: did customers agree?", RELATIVE_MARGIN),
)
"""What is looked at besides, and of which worse is no harm by itself, but raises a question: measure, its better side,
question, margin."""
REPLY_QUESTION_MEASURES: tuple[tuple[str, Better, str, float], ...] = (
    ("answered_within_a_minute", "lower", "more are answered within a minute: by machines?", RELATIVE_MARGIN),
)
"""What raises a question where somebody claims to reply faster: measure, its better side, question, margin."""


@dataclass(frozen=True)
class GuardrailResult:
    """What came of a guardrail."""

    guardrail: Guardrail
    safety: Safety
    margin: float | None  # in the unit
    harm: Estimate | None  # by how much it got worse, in the unit: 95% hull
    words: str
    age_days: int | None = None  # at which its cases are looked at
    chance: float | None = None  # of harm beyond the margin, under the trend that makes it larger

    @property
    def weakens(self) -> bool:
        """Whether harm is not excluded; a question that the record gives no cause to ask is none."""
        return self.safety == "cannot_tell" or (self.safety == "not_recorded" and not self.guardrail.question)


def select_guardrails(measure: Measure, declared_guardrails: tuple[Guardrail, ...]) -> tuple[Guardrail, ...]:
    """The declared guardrails, and those that go with any claim of being faster."""
    named_measures = {rail.measure.name for rail in declared_guardrails} | {measure.name}
    if measure.kind != "wait":
        return declared_guardrails
    known_names = {measure.name for measure in MEASURES}
    slowest = f"{measure.name}_p90"
    harms = [
        Guardrail(find_measure(name)) for name in (*HARM_MEASURES, slowest) if name in known_names - named_measures
    ]
    questions = [
        Guardrail(find_measure(name), None, better, "", words, relative_margin)
        for name, better, words, relative_margin in (
            *QUESTION_MEASURES,
            *(REPLY_QUESTION_MEASURES if "replied" in measure.relies_on else ()),
        )
        if name not in named_measures
    ]
    return (*declared_guardrails, *harms, *questions)


def assess_guardrail(
    guardrail: Guardrail,
    series: PeriodSeries,
    granularity: Granularity,
    guardrail_count: int,
    margins: Mapping[str, float] | None = None,
) -> GuardrailResult:
    """Worse, shown not to be worse by more than the margin, or neither; alarms share 5% among `guardrail_count` of them.

    `margins`: those that were declared for guardrails which nobody named, by name.
    """
    better = guardrail.better or guardrail.measure.better
    if series.is_not_recorded:
        return GuardrailResult(guardrail, "not_recorded", None, None, series.reason)
    if series.reason:
        return GuardrailResult(guardrail, "cannot_tell", guardrail.margin, None, series.reason)
    if is_constant(series):
        return GuardrailResult(
            guardrail, "not_worse", guardrail.margin, None, "is the same in every period", series.age_days, 0.0
        )
    harm, level, reason = estimate_harm(series, granularity, better)
    if harm is None or level is None:
        return GuardrailResult(guardrail, "cannot_tell", guardrail.margin, None, reason, series.age_days)
    declared_margin = guardrail.margin if guardrail.margin is not None else (margins or {}).get(guardrail.name)
    margin = declared_margin if declared_margin is not None else default_margin(guardrail, series, granularity, level)
    result = GuardrailResult(
        guardrail,
        "cannot_tell",
        margin,
        harm.estimate,
        "",
        series.age_days,
        _chances_beyond(harm, series, level, margin)[1],
    )
    if guardrail.question:
        is_raised = (result.chance or 0.0) > QUESTION_RAISED_CHANCE
        return replace(result, safety="cannot_tell" if is_raised else "not_worse", words=guardrail.question if is_raised else NO_CAUSE_WORDS)  # fmt: skip
    if _chances_beyond(harm, series, level, margin)[0] >= HARM_SHOWN_CHANCE and harm.is_certain(
        1 - SHARED_ALARM_RATE / guardrail_count
    ):
        return replace(result, safety="worse", words="got worse")
    widest = MAX_MARGIN_FACTOR * usual_margin(level, guardrail.measure, guardrail.relative_margin)
    if _chances_beyond(harm, series, level, min(margin, widest))[1] <= HARM_EXCLUDED_CHANCE:
        return replace(result, safety="not_worse", words=NOT_WORSE_WORDS)
    return replace(result, words=_undecided_words(result))


def _undecided_words(result: GuardrailResult) -> str:
    """Why harm is neither shown nor excluded."""
    if result.chance is not None and result.chance <= HARM_EXCLUDED_CHANCE:
        return (
            f"stays within the margin that was declared, which is more than {MAX_MARGIN_FACTOR:g} times the usual one"
        )
    if result.harm is not None and result.harm.low > 0:
        return "leans to worse, if not surely enough"
    return "may be worse by more than the margin"


def _chances_beyond(harm: Harm, series: PeriodSeries, level: float, margin: float) -> tuple[float, float]:
    """The chances of harm beyond a margin in the unit: under the trend that makes it least, and most."""
    return harm.chances_beyond(
        margin
        if harm.steps is None
        else chance.margin_on_scale(series.model_input, level, margin, harm.higher_is_worse)
    )


NOT_WORSE_WORDS = "is not worse by more than the margin"
NO_CAUSE_WORDS = "gives no cause to ask"


def estimate_harm(
    series: PeriodSeries, granularity: Granularity, better: Better
) -> tuple[Harm | None, float | None, str]:
    """How much worse it got, the level before, and why nothing can be told; of few events, by comparing the two shares."""
    higher_is_worse = better == "lower"
    verdict = assess_change(series.model_input, series.before, granularity, better)
    if verdict.effect is not None and verdict.level_before is not None:
        steps = chance.fit_at_one_look(series.model_input, series.before, granularity)
        return (
            Harm(verdict.effect if higher_is_worse else -verdict.effect, steps, (), higher_is_worse),
            verdict.level_before,
            "",
        )
    if series.model_input.family == "rate" and 0 < series.before < len(series.periods):
        harm = chance.compare_shares(series.model_input, series.before, higher_is_worse)
        return harm, verdict.level_before, verdict.reason
    return None, None, verdict.reason


def is_constant(series: PeriodSeries) -> bool:
    """The measure is one and the same number in every period, on both sides; of shares, as of few cases, it says little."""
    if series.model_input.family == "rate":
        return False
    is_observed = series.model_input.is_observed
    values = values_by_period(series.model_input)[is_observed]
    return bool(len(values)) and bool(is_observed[series.before :].any()) and float(np.ptp(values)) == 0.0


def default_margin(guardrail: Guardrail, series: PeriodSeries, granularity: Granularity, level: float) -> float:
    """The margin where nobody declared one: the usual, or as much more as eight weeks can show, up to half as much more.

    It is told by the time before the change alone, so that no result can move it.
    """
    usual = usual_margin(level, guardrail.measure, guardrail.relative_margin)
    visible_step = chance.foreseen_margins(
        series.model_input, series.before, granularity, level, PERIODS_IN_EIGHT_WEEKS[granularity]
    )
    if visible_step is None:
        return usual
    visible_margin = (
        visible_step.high if (guardrail.better or guardrail.measure.better) == "lower" else -visible_step.low
    )
    return min(max(usual, visible_margin), MAX_MARGIN_FACTOR * usual)


def usual_margin(level: float, measure: Measure, relative_margin: float = RELATIVE_MARGIN) -> float:
    """By how much a measure may get worse where nobody said; a rare share may at most double."""
    if measure.unit == "share":
        return min(MAX_SHARE_MARGIN, max(min(level, 1 - level), LEAST_SHARE_MARGIN))
    return max(relative_margin * abs(level), LEAST_MEAN_MARGIN if measure.kind == "mean" else 0.0)

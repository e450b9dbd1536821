"""A verdict in words: a sentence for a boss, a paragraph for a statistician, and what is assumed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wellserved.measure import Measure
from wellserved.prove.guards import GuardrailResult
from wellserved.prove.proof import Proof
from wellserved.prove.verdict import Estimate, Verdict
from wellserved.wording import format_date, format_number, format_percent, format_value, plural

ASSUMPTIONS = (
    "Without the change, the measure would have gone on along its trend or stopped where it was; a trend that was flattening by itself fools this.",
    "Nothing else changed at the same time for the same cases.",
    "What is recorded, and how, did not change with it.",
    "The noise is that of a first-order autoregression with independent noise on top, of whatever strength.",
)
MODEL_SCALES = {
    "count": "log rate",
    "rate": "log odds",
    "mean": "the unit itself",
    "plain": "the unit itself",
    "duration": "mean of logarithms",
    "money": "logarithm",
    "quantile": "logarithm of the quantile, by its influence function near each period's own level",
}
LOOK_PLANS = {
    "once": "one look",
    "always": "any number of looks (confidence sequence)",
    "planned": "looks at set times until a fixed end (O'Brien-Fleming)",
}

END_MARKS = {"?": "", ".": ""}  # endings of a sentence that need no full stop


def proof_label(proof: Proof) -> str:
    """The measure and the cases it is about."""
    filters = ", ".join(f"{column} {value}" for column, value in proof.request.where)
    name = proof.request.measure.name.replace("_", " ")
    return f"{name}{f' ({filters})' if filters else ''}"


def proof_title(proof: Proof) -> str:
    """What is asked; an exploration says that it is one."""
    question = f"did the {proof.request.measure.name.replace('_', ' ')} change?"
    return (
        f"{proof.request.improvement_name}: {question}"
        if proof.request.improvement_name
        else f"Exploration: {question}"
    )


def size_in_words(value: float, measure: Measure) -> str:
    """An effect without its sign, in the measure's unit."""
    if not math.isfinite(value):
        return "any amount"
    if measure.unit == "share":
        return f"{abs(value) * 100:.1f} points"
    return f"{format_number(abs(value))} {measure.unit}"


def direction(value: float) -> str:
    """More or less."""
    return "more" if value > 0 else "less"


def interval_in_words(effect: Estimate, measure: Measure) -> str:
    """An interval in words: 0.2 to 0.4 days less; from 0.2 days less to 0.1 days more."""
    if effect.low == effect.high:
        return f"{size_in_words(effect.low, measure)} {direction(effect.low)}"
    if effect.side:
        nearer, farther = sorted((effect.low, effect.high), key=abs)
        return f"{size_in_words(nearer, measure)} to {size_in_words(farther, measure)} {direction(farther)}"
    return f"from {size_in_words(effect.low, measure)} less to {size_in_words(effect.high, measure)} more"


def headline(proof: Proof) -> str:
    """The verdict as a sentence that a boss can read."""
    subject, verdict, change_day = proof_label(proof), proof.verdict, format_date(proof.request.change_date)
    if verdict.effect is None and verdict.before < 1 and proof.series.periods:
        return f"Cannot tell whether {subject} changed with {change_day}: {verdict.reason}; the record begins with {proof.series.periods[0].label}."
    if verdict.effect is None:
        return f"Cannot tell yet whether {subject} changed with {change_day}: {verdict.reason}."
    effect_text = _effect_words(proof)
    if proof.headline == "harm_shown":
        names = join_names([rail.guardrail.name for rail in proof.harms])
        return f"Harm shown in {names}: {subject} moved with {change_day}, {effect_text}; but no improvement may be claimed, as {proof.blocking_harm}."
    if proof.headline == "improved_harm_not_excluded":
        return f"{weakened_headline(proof)}. {subject} improved with {change_day}: {effect_text}."
    if verdict.claims:
        return (
            f"{subject} {'improved' if verdict.status == 'improved' else 'got worse'} with {change_day}: {effect_text}."
        )
    if verdict.status == "no_change_seen":
        return f"No change is seen in {subject} with {change_day}. What remains possible: {interval_in_words(verdict.effect, proof.request.measure)}."
    if verdict.plain in ("improved", "worse"):  # a check took the claim back
        return f"Cannot tell whether {subject} changed because of what was done on {change_day}: it moved, {effect_text}, but {verdict.reason}."
    if verdict.status == "depends_on_trend":
        return f"Cannot tell whether {subject} changed with {change_day}: {verdict.reason}."
    if verdict.status == "season_not_covered":
        return f"Cannot tell whether {subject} changed with {change_day}: {verdict.reason}. With two years of history, or cases to compare with, it could be told."
    return f"Cannot tell yet whether {subject} changed with {change_day}: {verdict.reason}."


def weakened_headline(proof: Proof) -> str:
    """Improved; harm not excluded in ...: the measures that may be worse, the questions that stay open, what is not recorded."""
    rail_names = {result.guardrail.name for result in proof.guardrail_results if not result.guardrail.question}
    open_names = [doubt.name for doubt in proof.doubts if not doubt.unseen]
    worse_names, question_names = (
        [name for name in open_names if name in rail_names],
        [name for name in open_names if name not in rail_names],
    )
    unrecorded_names = [doubt.name for doubt in proof.doubts if doubt.unseen]
    harm_text = f" in {join_names(worse_names)}" if worse_names else ""
    clauses = [f"Improved; harm not excluded{harm_text}"]
    if question_names:
        clauses.append(f"to be answered: {', '.join(question_names)}")
    if unrecorded_names:
        clauses.append(f"not told by the record: {', '.join(unrecorded_names)}")
    return "; ".join(clauses)


def join_names(names: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def chance_in_words(chance: float) -> str:
    """A chance in words: under 1 in 100; 23 in 100."""
    if chance < 0.005:
        return "under 1 in 100"
    return "over 99 in 100" if chance > 0.995 else f"{max(round(chance * 100), 1)} in 100"


def risk_in_words(rail: GuardrailResult) -> str:
    """How likely it is that a guardrail got worse by more than it may."""
    if rail.chance is None or rail.margin is None:
        return ""
    verb = "moved so" if rail.guardrail.question else "got worse"
    return f"chance that it {verb} by more than {size_in_words(rail.margin, rail.guardrail.measure)}: {chance_in_words(rail.chance)}"


def _effect_words(proof: Proof) -> str:
    verdict, measure = proof.verdict, proof.request.measure
    assert verdict.effect is not None
    effect = verdict.effect
    period_text = f"on average over the {plural(verdict.after - proof.series.settling_periods, verdict.every)} since"
    effect_text = f"{size_in_words(effect.value, measure)} {direction(effect.value)} {period_text} than it would have been without (95% interval {interval_in_words(effect, measure)})"
    if verdict.relative is None:
        return effect_text
    return (
        f"{effect_text}, that is {format_percent(abs(verdict.relative.value), 0)} {direction(verdict.relative.value)}"
    )


def course_in_words(verdict: Verdict, measure: Measure) -> str:
    """How an effect went on, where it surely did not stay the same."""
    assert verdict.course is not None
    first, last = verdict.course
    return (
        f"It did not stay the same: {interval_in_words(first, measure)} in the first third of that time, "
        f"{interval_in_words(last, measure)} in the last."
    )


UNDECIDED_STATUSES = ("no_change_seen", "depends_on_trend", "not_enough_data", "season_not_covered")


def what_would_tell_more(proof: Proof) -> str:
    """What it would take to tell more, where the noise hides what may have grown or where too little is known."""
    request, wishes = proof.request, []
    if not request.control_segments:
        wishes.append("cases in which nothing was changed to compare with (--against)")
    if request.settles is None:
        wishes.append(
            "the day from which on the change had come in altogether, if it came in little by little (--settles)"
        )
    wishes.append("a longer time after the change")
    return f"What would tell more: {'; '.join(wishes)}."


def remarks(proof: Proof) -> list[str]:
    """What else has to be said: levels, course, both trends, what could have been seen, age, what is not excluded."""
    return [*_of_the_effect(proof), *_of_the_record(proof), *_of_the_doubts(proof)]


def _of_the_effect(proof: Proof) -> list[str]:
    verdict, measure, sentences = proof.verdict, proof.request.measure, []
    if verdict.level_before is not None and verdict.level_after is not None:
        sentences.append(
            f"{format_value(verdict.level_before, measure.unit)} before, {format_value(verdict.level_after, measure.unit)} after."
        )
    if not verdict.levels_agree:
        sentences.append(_level_difference(verdict, measure))
    if verdict.course is not None:
        sentences.append(course_in_words(verdict, measure))
    if verdict.effect is not None and verdict.status in ("no_change_seen", "not_enough_data"):
        sentences.append(
            f"Best guess: {size_in_words(verdict.effect.value, measure)} {direction(verdict.effect.value)} than without the change."
        )
    if verdict.by_trend and not proof.request.parallel_trends:
        clauses = [
            f"had its trend {'gone on' if trend == 'continues' else 'stopped'}, {interval_in_words(estimate, measure)}"
            for trend, estimate in verdict.by_trend.items()
        ]
        sentences.append(f"Both ways of going on without the change: {'; '.join(clauses)}.")
    return sentences


def _of_the_record(proof: Proof) -> list[str]:
    verdict, measure, granularity, sentences = proof.verdict, proof.request.measure, proof.request.granularity, []
    if proof.series.settling_periods:
        sentences.append(
            f"The first {plural(proof.series.settling_periods, granularity)} since, while it was coming in, are left out."
        )
    if verdict.power is not None:
        sentences.append(detectable_change(verdict, measure))
    if verdict.effect is not None and verdict.plain in UNDECIDED_STATUSES:
        sentences.append(what_would_tell_more(proof))
    if proof.series.age_days is not None:
        sentences.append(
            f"Every case is taken as it stood {plural(proof.series.age_days, 'day')} after {DATE_BASIS_WORDS[measure.anchor]}, so that young cases do not look better than old ones."
        )
    if proof.series.immature_periods:
        sentences.append(
            f"{plural(proof.series.immature_periods, granularity)} after the change wait until their cases are that old."
        )
    return sentences


def _of_the_doubts(proof: Proof) -> list[str]:
    risks, sentences = {rail.guardrail.name: risk_in_words(rail) for rail in proof.guardrail_results}, []
    for doubt in proof.doubts:
        chance = risks.get(doubt.name)
        sentences.append(
            f"Not excluded, {doubt.name}: {doubt.why}{f' ({chance})' if chance else ''}{END_MARKS.get(doubt.why[-1:], '.')}"
        )
    if not proof.doubts and (
        missing := [result.guardrail.name for result in proof.guardrail_results if result.safety == "not_recorded"]
    ):
        sentences.append(f"Not recorded, and so not looked at: {', '.join(missing)}.")
    return sentences


def _level_difference(verdict: Verdict, measure: Measure) -> str:
    """Why the two levels differ otherwise than the effect."""
    assert verdict.level_before is not None
    assert verdict.level_after is not None
    level_change = verdict.level_after - verdict.level_before
    trend = next((check.words for check in verdict.checks if check.name == "trend before"), "")
    trend_reason = next(
        (
            f"the measure was {course_word} before the change already"
            for course_word in ("rising", "falling")
            if course_word in trend
        ),
        "",
    )
    change_text = f"{size_in_words(level_change, measure)} {direction(level_change)}" if level_change else "the same"
    if verdict.controls:
        return (
            f"The two levels lie apart otherwise than the effect ({change_text}): the effect is against what the cases to "
            "compare with did, whose own change is taken off."
        )
    return (
        f"The two levels lie apart otherwise than the effect ({change_text}): they take all cases of a side together, while "
        f"the effect is against where trend and season would have led{f'; {trend_reason}' if trend_reason else ''}."
    )


def detectable_change(verdict: Verdict, measure: Measure) -> str:
    """The change that this record, with every check and guardrail, would have shown; or that none would have been."""
    assert verdict.power is not None
    smallest, level = verdict.power.smallest, verdict.level_before or 0.0
    largest_usual = (1 - level if measure.unit == "share" else 2 * level) if verdict.better == "higher" else 0.9 * level
    if smallest is None or (level > 0 and smallest >= largest_usual):
        return "No change of a usual size would have been claimed four times in five: for that the record is too short, or moves too much by itself."
    return f"A change of {size_in_words(smallest, measure)} for the better would have been claimed four times in five, with all checks and guardrails."


DATE_BASIS_WORDS = {
    "asked": "the first ask",
    "due": "its due time",
    "resolved": "its resolution",
    "stopped": "its stop",
}


def _settling_words(proof: Proof) -> str:
    if not proof.series.settling_periods:
        return ""
    return f", {plural(proof.series.settling_periods, proof.request.granularity)} in between left out until it had settled on {proof.request.settles}"


def paragraph(proof: Proof) -> str:
    """What was done, for someone who would check it."""
    verdict, series = proof.verdict, proof.series
    if verdict.working is None:
        return f"No fit was made: {verdict.reason}."
    clauses = [
        f"{plural(verdict.before, verdict.every)} before and {plural(verdict.after - series.settling_periods, verdict.every)} after{_settling_words(proof)} (n = {format_number(verdict.n_before)} and {format_number(verdict.n_after)}).",
        f"Generalised least squares on the scale “{MODEL_SCALES[series.model_input.family]}”: level, season, trend, the step, and the course of the effect since, weighed over six forms (docs/methods/step.md);",
        "errors are an autoregression plus noise, its two parameters integrated out over a grid of 78 pairs by restricted likelihood.",
        f"Step {verdict.working.value:.4g}, hull of both trends {verdict.working.low:.4g} to {verdict.working.high:.4g} at level {verdict.level:.2%}, p = {verdict.p:.3g}; {LOOK_PLANS[verdict.looks]}.",
    ]
    if verdict.season_priced:
        clauses.append(
            "The season of the year was not seen twice; sine and cosine with a prior of half a residual sd are weighed by the record."
        )
    if verdict.controls:
        clauses.append(
            f"The mean of {plural(verdict.controls, 'control')} was taken off, period by period{', without a trend of the difference, as declared' if proof.request.parallel_trends else ''}."
        )
    return " ".join(clauses)

"""Shifts, adoption, drivers, gaps and agreement as tables and pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from wellserved.explore.agreement import Agreement
from wellserved.explore.drivers import Drivers
from wellserved.explore.gap import ExpectationGaps
from wellserved.explore.retention import POOR_FIT, RENEWALS_AHEAD, Retention, RetentionFit
from wellserved.explore.shift import Shift
from wellserved.moments import NotComputable
from wellserved.prove.adoption import AdoptionEffect
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.verdict import Estimate, pooled_value
from wellserved.prove.words import direction, interval_in_words, size_in_words
from wellserved.report import Table
from wellserved.wording import format_number, format_percent, format_value, plural

SHIFT_NOTE = (
    "A date found in the data is a place to look, and no proof: what happened there has to be known from elsewhere."
)


def shift_table(series: PeriodSeries, shift: Shift) -> Table:
    """When a measure shifted, or that no shift is seen."""
    if shift.position is None or shift.first is None or shift.last is None or shift.size is None:
        reason = (
            shift.reason
            or f"the largest step is {format_number(shift.statistic)} standard errors; what varies like this reaches {format_number(shift.limit or 0)} by itself"
        )
        return Table(f"No shift is seen in {series.measure.name}", ("why",), ((reason,),), SHIFT_NOTE)
    labels = [period.label for period in series.periods]
    side_values = [
        pooled_value(series.model_input, side) for side in (slice(0, shift.position), slice(shift.position, None))
    ]
    before, after = (
        format_value(side_value, series.measure.unit) if side_value is not None else "" for side_value in side_values
    )
    row = (
        labels[shift.position],
        labels[shift.first],
        labels[shift.last],
        before,
        after,
        round(shift.statistic, 2),
        shift.limit,
    )
    columns = ("from", "not before", "not after", "before", "after", "statistic", "limit")
    return Table(f"{series.measure.name} shifted", columns, (row,), SHIFT_NOTE)


def adoption_table(adoption: AdoptionEffect) -> Table:
    """What a change did where it was taken up."""
    measure = adoption.measure
    rows = tuple(
        (method, _effect(estimate, adoption), _span(estimate, adoption))
        for method, estimate in (
            ("adoption dates dealt anew", adoption.effect),
            ("leaving teams out", adoption.jackknife),
        )
    )
    note = (
        "Exploration: nobody declared this beforehand, and no guardrail was looked at. "
        f"{adoption.result.teams} teams, {adoption.result.never_adopted} of which never took it up, over {adoption.periods} periods; p = {adoption.result.p:.3g}. "
        "Team and period effects come from what was not changed; the effect is what was measured less what they give."
    )
    if adoption.age_days is not None:
        note += f" Every case is taken as it stood {adoption.age_days} days after its start."
    if adoption.left_out:
        note += f" Left out for too few cases: {', '.join(adoption.left_out[:8])}{' ...' if len(adoption.left_out) > 8 else ''}."
    change_sentence = (
        f"{measure.name} is {'higher' if adoption.effect.value > 0 else 'lower'} where the change was taken up"
    )
    title = (
        change_sentence if adoption.is_claimed else f"No change is seen in {measure.name} where the change was taken up"
    )
    return Table(f"Exploration: {title[0].lower()}{title[1:]}", ("interval by", "effect", "95% interval"), rows, note)


def _effect(estimate: Estimate, adoption: AdoptionEffect) -> str:
    if adoption.relative:
        return f"{abs(estimate.value):.1%} {direction(estimate.value)}"
    return f"{size_in_words(estimate.value, adoption.measure)} {direction(estimate.value)}"


def _span(estimate: Estimate, adoption: AdoptionEffect) -> str:
    if adoption.relative:
        return " to ".join(
            f"{end:+.1%}" if math.isfinite(end) else "any amount" for end in (estimate.low, estimate.high)
        )
    return interval_in_words(estimate, adoption.measure)


def driver_table(drivers: Drivers) -> Table:
    """What goes with bad ratings, most first."""
    rows = tuple(
        (
            driver.words, driver.cases, format_percent(driver.share), f"{format_percent(driver.low)} to {format_percent(driver.high)}",
            "" if driver.odds is None else format_number(driver.odds),
            "" if driver.odds_low is None or driver.odds_high is None else f"{format_number(driver.odds_low)} to {format_number(driver.odds_high)}",
        )
        for driver in drivers.drivers
    )  # fmt: skip
    note = (
        f"{plural(drivers.cases, 'case')} rated on {drivers.scale}; all of these together go with {format_percent(drivers.r_squared)} of how ratings differ. "
        "Share: LMG, over all orders. Odds: of a worse rating, the others held equal (proportional odds). What goes with bad "
        f"ratings need not make them: prove a change to know. {drivers.note}"
    ).strip()
    columns = ("what happened", "cases", "share", "95% interval", "odds of a worse rating", "95% interval of odds")
    return Table("What goes with bad ratings", columns, rows, note)


def gap_table(gaps: ExpectationGaps) -> Table:
    """Expected, got and the difference, by segment."""
    rows = tuple(
        (
            gap.segment, gap.cases, round(gap.expected, 2), round(gap.rating, 2), round(gap.gap, 2), f"{gap.low:+.2f} to {gap.high:+.2f}",
            format_percent(gap.met_share, 0), "" if gap.reliability is None else round(gap.reliability, 2), format_percent(gap.importance, 0),
        )
        for gap in gaps.gaps
    )  # fmt: skip
    note = (
        "Expected: said before delivery; got: rated after it, by the same customer. Reliability: how much of a segment's gap is not chance, "
        "beside how far the segments differ; importance: its part of all unmet expectations."
    )
    note += (
        f" {gaps.late_expectations} expectations said after delivery are left out." if gaps.late_expectations else ""
    )
    note += (
        f" {plural(gaps.small_segment_cases, 'case lies', 'cases lie')} in segments with too few to show."
        if gaps.small_segment_cases
        else ""
    )
    columns = (
        gaps.by,
        "cases",
        "expected",
        "got",
        "gap",
        "95% interval",
        "met or exceeded",
        "reliability",
        "importance",
    )
    return Table(f"Expectation and experience, on {gaps.scale}", columns, rows, note)


def agreement_table(agreement: Agreement) -> Table:
    """One's own ratings beside the customers'."""

    def coefficient_cell(value: float | NotComputable) -> object:
        return value.reason if isinstance(value, NotComputable) else round(value, 3)

    interval: object = (
        agreement.interval.reason
        if isinstance(agreement.interval, NotComputable)
        else f"{agreement.interval[0]:.2f} to {agreement.interval[1]:.2f}"
    )
    rows: Sequence[tuple[str, object]] = (
        ("cases judged by both", agreement.cases),
        ("same rating", format_percent(agreement.same_share)),
        ("own rating higher", format_percent(agreement.higher_share)),
        ("kappa, weighted by squares", coefficient_cell(agreement.kappa)),
        ("Krippendorff's alpha, ordinal", coefficient_cell(agreement.alpha)),
        ("95% interval of alpha", interval),
    )
    note = "1: full agreement; 0: what chance gives; below: less than that. The same rating alone says little where nearly all ratings are alike."
    return Table(f"Own ratings beside customers', on {agreement.scale}", ("what", "value"), tuple(rows), note)


def retention_table(fit: RetentionFit) -> Table:
    """What came up and was renewed, beside the fit, and the renewals still to be expected; 95% intervals in brackets."""
    decisions = fit.decisions
    longest = len(decisions.leaver_counts)
    rows = tuple(_renewal_row(fit, renewals) for renewals in range(longest + 3))
    if fit.is_homogeneous:
        fit_text = f"no difference between customers can be told: each leaves with a chance of {format_percent(1 - fit.renewal_chance(0))} at every renewal"
    else:
        fit_text = f"a = {fit.a:.3f}, b = {fit.b:.3f}: customers differ in how likely they leave at each renewal, and those who stay longest are the most loyal"
    note = f"Shifted beta-geometric, {fit_text}. Intervals by profile likelihood. Later than {plural(longest, 'renewal')} it is the model's word alone."
    first = int(np.argmax(decisions.at_risk > 0))
    if first:
        note += (
            f" Nobody was under observation before renewal {first + 1}: what is said of earlier ones is read backwards."
        )
    if fit.fit_p_value is not None and fit.fit_p_value < POOR_FIT:
        note += f" The model does not fit these customers (chi-squared, p = {fit.fit_p_value:.2g}): do not rely on it."
    columns = (
        "renewals made", "came up for the next", "renewed", "by the model", "still there", "still there, by the model",
        f"of the next {RENEWALS_AHEAD}", "still to come",
    )  # fmt: skip
    return Table("How long customers stay", columns, rows, note)


def _renewal_row(fit: RetentionFit, renewals: int) -> tuple[object, ...]:
    """What was seen and is expected of those who have renewed so often."""
    came_up_count, left_count = (
        float(counts[renewals]) if renewals < len(counts) else 0.0
        for counts in (fit.decisions.at_risk, fit.decisions.leaver_counts)
    )
    came_up_before = fit.decisions.at_risk[:renewals]
    is_known = renewals <= len(fit.decisions.leaver_counts) and bool((came_up_before > 0).all())
    with np.errstate(invalid="ignore", divide="ignore"):
        surviving_share = float(np.prod(1 - fit.decisions.leaver_counts[:renewals] / came_up_before))
    return (
        renewals,
        round(came_up_count),
        format_percent(1 - left_count / came_up_count) if came_up_count else "",
        _with_interval(fit, lambda retention: retention.renewal_chance(renewals), format_percent),
        format_percent(surviving_share) if is_known else "",
        _with_interval(fit, lambda retention: float(retention.survival(renewals)[-1]), format_percent)
        if renewals
        else format_percent(1),
        _with_interval(fit, lambda retention: retention.expected_next(renewals), format_number),
        _with_interval(fit, lambda retention: retention.expected_remaining(renewals), format_number),
    )


def _with_interval(fit: RetentionFit, statistic: Callable[[Retention], float], to_text: Callable[[float], str]) -> str:
    """A number with its 95% interval; what has no end is said so."""
    low, high = fit.interval(statistic)
    value = statistic(fit)
    if not math.isfinite(value):
        return "no end in sight"
    return f"{to_text(value)} ({to_text(low)} {f'to {to_text(high)}' if math.isfinite(high) else 'and up'})"

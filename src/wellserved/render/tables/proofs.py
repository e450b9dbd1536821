"""A verdict as words, tables and a picture that every format shows alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from wellserved.improvement import ImprovementRecord
from wellserved.prove.foresight import Foresight
from wellserved.prove.guards import GuardrailResult
from wellserved.prove.incentive import Incentive
from wellserved.prove.proof import Proof
from wellserved.prove.words import (
    ASSUMPTIONS,
    chance_in_words,
    direction,
    headline,
    interval_in_words,
    join_names,
    paragraph,
    proof_title,
    remarks,
    size_in_words,
    weakened_headline,
)
from wellserved.report import Table
from wellserved.wording import format_percent, format_value

CHECK_RESULTS = {True: "passed", False: "failed", None: "could not be looked at"}
QUESTION_RESULTS = {True: "no cause to ask", False: "has to be answered", None: "could not be looked at"}
SAFETY_WORDS = {
    "not_worse": "the same",
    "worse": "worse",
    "cannot_tell": "cannot tell",
    "not_recorded": "not recorded",
}


def proof_tables(proof: Proof, notes: tuple[str, ...]) -> list[Table]:
    """Verdict, guardrails, checks, and the numbers period by period."""
    sentences = [*notes, headline(proof), *remarks(proof)]
    status = status_words(proof)
    tables = [
        Table(f"{proof_title(proof)} Verdict: {status}", ("what can be said",), tuple((line,) for line in sentences)),
        *result_tables(proof),
    ]
    tables.append(
        Table(
            "For a statistician",
            ("how it was done",),
            ((paragraph(proof),), *((f"Assumed: {assumption}",) for assumption in ASSUMPTIONS)),
        )
    )
    if proof.verdict.lines:
        tables.append(numbers_table(proof))
    return tables


def status_words(proof: Proof) -> str:
    """The verdict's name as it is shown."""
    if proof.headline == "harm_shown":
        return f"harm shown in {join_names([rail.guardrail.name for rail in proof.harms])} (blocked)"
    if proof.headline == "improved_harm_not_excluded":
        claim = weakened_headline(proof)
        return claim[0].lower() + claim[1:]
    return proof.headline.replace("_", " ")


SHORT_STATUSES = {"improved_harm_not_excluded": "a weaker claim", "harm_shown": "no claim"}
"""What stands before a headline that says the rest itself."""


def result_tables(proof: Proof) -> list[Table]:
    """The reward, the guardrails and the checks."""
    tables = []
    if proof.incentive:
        tables.append(_incentive_table(proof, proof.incentive))
    if proof.guardrail_results:
        tables.append(_guardrail_table(proof.guardrail_results))
    if proof.verdict.checks:
        rows = tuple((check.name, CHECK_RESULTS[check.passed], check.words) for check in proof.verdict.checks)
        rows += tuple(
            (question.name, QUESTION_RESULTS[question.passed], question.words) for question in proof.questions
        )
        tables.append(Table("What would have spoilt it", ("looked at", "result", "what was found"), rows))
    return tables


def _incentive_table(proof: Proof, reward: Incentive) -> Table:
    measure = proof.request.measure
    pairs = (
        ("while it was paid", reward.paid),
        ("after", reward.after),
        ("after, less while it was paid", reward.difference),
    )
    rows = tuple(
        (
            words,
            f"{size_in_words(estimate.value, measure)} {direction(estimate.value)}",
            interval_in_words(estimate, measure),
        )
        for words, estimate in pairs
        if estimate is not None
    )
    note = "Against the time before it was paid. " + (
        f"No fit was made: {reward.reason}." if reward.reason else INCENTIVE_NOTES[reward.status]
    )
    return Table(f"The reward: {reward.status.replace('_', ' ')}", ("when", "changed by", "95%"), rows, note)


INCENTIVE_NOTES = {
    "lasting": "Better while it was paid and after, and not shown to have lost any of it.",
    "fading": "Better while it was paid; some of it is shown to be lost since.",
    "backfiring": "Worse after it was no longer paid than before it was.",
    "no_effect_seen": "Neither while it was paid nor after is a change seen.",
    "cannot_tell": "A change is seen in one of the two windows alone; whether it lasts cannot be told.",
    "not_enough_data": "",
}


def _guardrail_table(results: tuple[GuardrailResult, ...]) -> Table:
    rows = []
    for rail_result in results:
        measure = rail_result.guardrail.measure
        better = rail_result.guardrail.better or measure.better
        change_estimate = (
            None if rail_result.harm is None else rail_result.harm if better == "lower" else -rail_result.harm
        )
        margin_text = size_in_words(rail_result.margin, measure) if rail_result.margin is not None else ""
        result_text = (
            f"not worse by more than {margin_text}"
            if rail_result.safety == "not_worse" and rail_result.harm
            else SAFETY_WORDS[rail_result.safety]
        )
        if rail_result.guardrail.question and rail_result.safety != "not_recorded":
            result_text = QUESTION_RESULTS[not rail_result.weakens]
        change_text = interval_in_words(change_estimate, measure) if change_estimate else rail_result.words
        chance_text = chance_in_words(rail_result.chance) if rail_result.chance is not None else ""
        rows.append(
            (
                rail_result.guardrail.name,
                result_text,
                change_text,
                margin_text,
                chance_text,
                "" if rail_result.age_days is None else rail_result.age_days,
            )
        )
    return Table("What must not have got worse", GUARDRAIL_COLUMNS, tuple(rows), GUARDRAIL_NOTE)


GUARDRAIL_COLUMNS = ("measure", "result", "changed by (95%), or why not", "margin", "chance of worse than that", "cases at the age of (days)")  # fmt: skip
GUARDRAIL_NOTE = (
    "Harm is shown where a measure surely got worse (false alarms share 5% among all guardrails) and is likely to have done "
    "so by more than its margin (80%); it is excluded where the chance of that is 5% at most, under either trend. A margin "
    "nobody declared is five points of a share, or as much as it was if that is less, and a fifth of anything else (of the "
    "number of cases, a tenth); half as much more where eight weeks could not show less. What is not recorded is not excluded."
)


def numbers_table(proof: Proof) -> Table:
    """What the picture shows, period by period; an end that lies nowhere is left empty."""
    lines = proof.verdict.lines
    assert lines is not None
    columns = (
        proof.request.granularity,
        "measured",
        "had the trend gone on",
        "had it stopped",
        "from",
        "to",
        "asked as",
    )
    numbers = zip(
        lines.measured_values,
        lines.counterfactuals["continues"],
        lines.counterfactuals["stops"],
        lines.low,
        lines.high,
        strict=True,
    )
    rows = tuple(
        (
            period.label,
            *(value if value is None or math.isfinite(value) else None for value in row),
            proof.request.improvement_name or "exploration",
        )
        for period, row in zip(proof.series.periods, numbers, strict=True)
    )
    return Table(
        f"{proof.request.measure.name} by {proof.request.granularity}, in {proof.request.measure.unit}", columns, rows
    )


def proof_data(proof: Proof, notes: tuple[str, ...]) -> dict[str, Any]:
    """Everything, for programs; no infinity, no NaN."""
    verdict = proof.verdict
    numbers = numbers_table(proof) if verdict.lines else None
    return {
        "status": "blocked" if proof.blocking_harm else proof.headline,
        "headline": proof.headline,
        "verdict_in_words": status_words(proof),
        "asked_as": proof.request.improvement_name or "exploration",
        "notes": list(notes),
        "sentence": headline(proof),
        "more": remarks(proof),
        "paragraph": paragraph(proof),
        "assumed": list(ASSUMPTIONS),
        "measure": {
            "name": proof.request.measure.name,
            "version": proof.request.measure.version,
            "unit": proof.request.measure.unit,
        },
        "change": proof.request.change_date.isoformat(),
        "where": [list(pair) for pair in proof.request.where],
        "against": [list(pair) for pair in proof.request.control_segments],
        "blocked": proof.blocking_harm or None,
        "harm_shown": [rail.guardrail.name for rail in proof.harms],
        "not_excluded": [asdict(doubt) for doubt in proof.doubts],
        "age_days": proof.series.age_days,
        "unripe": proof.series.immature_periods,
        "settles": proof.request.settles.isoformat() if proof.request.settles else None,
        "settling": proof.series.settling_periods,
        "verdict": _finite_values(
            {key: value for key, value in asdict(verdict).items() if key not in ("lines", "checks")}
        ),
        "reward": _finite_values(asdict(proof.incentive)) if proof.incentive else None,
        "checks": [asdict(check) for check in verdict.checks],
        "questions": [asdict(question) for question in proof.questions],
        "guardrails": [_guardrail_data(rail_result) for rail_result in proof.guardrail_results],
        "periods": [dict(zip(numbers.columns, row, strict=True)) for row in numbers.rows] if numbers else [],
    }


def _guardrail_data(rail_result: GuardrailResult) -> dict[str, Any]:
    return {
        "measure": rail_result.guardrail.measure.name,
        "called": rail_result.guardrail.label or None,
        "result": rail_result.safety,
        "margin": rail_result.margin,
        "chance": rail_result.chance,
        "question": rail_result.guardrail.question or None,
        "harm": _finite_values(asdict(rail_result.harm)) if rail_result.harm else None,
        "why": rail_result.words,
    }


def _finite_values(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_values(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def improvement_table(records: Sequence[ImprovementRecord]) -> Table:
    """The declared improvements, and what the last look said of each."""
    columns = (
        "name",
        "what",
        "since",
        "measure",
        "for",
        "who",
        "whose idea",
        "helpers",
        "declared",
        "changed",
        "looks",
        "last said",
    )
    rows = tuple(
        (
            record.improvement.name, record.improvement.what, record.improvement.since, record.improvement.measure,
            ", ".join(f"{column}={value}" for column, value in record.improvement.where), record.improvement.who, record.improvement.idea_from,
            ", ".join(record.improvement.helpers), record.declared_at[:10], len(record.changes), len(record.looks),
            str(record.looks[-1].facts.get("status", "")).replace("_", " ") if record.looks else "",
        )
        for record in records
    )  # fmt: skip
    return Table("Improvements", columns, rows)


def foresight_table(foresights: Sequence[Foresight], expected: float | None) -> Table:
    """What eight weeks will show of a change, and which margins can be shown at all."""
    rows = []
    for foresight in foresights:
        level = format_value(foresight.level, foresight.measure.unit) if foresight.level is not None else ""
        cells = [
            size_in_words(value, foresight.measure) if value is not None else ""
            for value in (foresight.detectable_change, foresight.margin, foresight.provable_margin)
        ]
        rows.append((foresight.label, level, *cells, foresight.reason))
    first, note = (
        foresights[0],
        "Eight weeks after the change, at one look; looking every week needs about half as much again. ",
    )
    if (
        expected is not None
        and first.level
        and first.detectable_change is not None
        and first.detectable_change > expected * first.level
    ):
        note += (
            f"That is more than the {format_percent(expected, 0)} you hope for: it will take longer, or more cases. "
        )
    if any(
        foresight.margin is not None
        and foresight.provable_margin is not None
        and foresight.provable_margin > foresight.margin
        for foresight in foresights
    ):
        note += "Where a margin is smaller than what can be shown, harm will not be excluded so soon: wait longer, record more, or declare a wider one with --guardrail."
    columns = (
        "measure",
        "now",
        "a change that will be seen four times in five",
        "margin",
        "smallest margin that can be shown",
        "why not",
    )
    return Table("What will be seen", columns, tuple(rows), note.strip())

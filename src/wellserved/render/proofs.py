"""A verdict as words, tables and a picture that every format shows alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from wellserved.improvement import Record
from wellserved.measure.words import amount, percent
from wellserved.prove.design import TRENDS
from wellserved.prove.foresight import Foresight
from wellserved.prove.guards import Guarded
from wellserved.prove.incentive import Incentive
from wellserved.prove.proof import Proof
from wellserved.prove.words import (
    ASSUMED,
    headline,
    likely,
    listed,
    paragraph,
    size,
    span,
    standing,
    title,
    way,
    weakened,
)
from wellserved.render.html import page
from wellserved.render.pictures import Picture, both
from wellserved.render.svg import INK, LINE, MUTED, Frame, Scale, drawing, label, ticks
from wellserved.report import Table

PASSED = {True: "passed", False: "failed", None: "could not be looked at"}
ANSWERED = {True: "no cause to ask", False: "has to be answered", None: "could not be looked at"}
SAFE = {
    "not_worse": "the same",
    "worse": "worse",
    "cannot_tell": "cannot tell",
    "not_recorded": "not recorded",
}


def proof_tables(proof: Proof, notes: tuple[str, ...]) -> list[Table]:
    """Verdict, guardrails, checks, and the numbers period by period."""
    said = [*notes, headline(proof), *standing(proof)]
    status = status_words(proof)
    tables = [
        Table(f"{title(proof)} Verdict: {status}", ("what can be said",), tuple((line,) for line in said)),
        *found_tables(proof),
    ]
    tables.append(
        Table(
            "For a statistician",
            ("how it was done",),
            ((paragraph(proof),), *((f"Assumed: {one}",) for one in ASSUMED)),
        )
    )
    if proof.verdict.lines:
        tables.append(numbers_table(proof))
    return tables


def status_words(proof: Proof) -> str:
    """The verdict's name as it is shown."""
    if proof.headline == "harm_shown":
        return f"harm shown in {listed([rail.guardrail.name for rail in proof.harms])} (blocked)"
    if proof.headline == "improved_harm_not_excluded":
        told = weakened(proof)
        return told[0].lower() + told[1:]
    return proof.headline.replace("_", " ")


SHORT = {"improved_harm_not_excluded": "a weaker claim", "harm_shown": "no claim"}
"""What stands before a headline that says the rest itself."""


def found_tables(proof: Proof) -> list[Table]:
    """The reward, the guardrails and the checks."""
    tables = []
    if proof.reward:
        tables.append(_reward(proof, proof.reward))
    if proof.guarded:
        tables.append(_guardrails(proof.guarded))
    if proof.verdict.checks:
        rows = tuple((one.name, PASSED[one.passed], one.words) for one in proof.verdict.checks)
        rows += tuple((one.name, ANSWERED[one.passed], one.words) for one in proof.questions)
        tables.append(Table("What would have spoilt it", ("looked at", "result", "what was found"), rows))
    return tables


def _reward(proof: Proof, reward: Incentive) -> Table:
    measure = proof.asked.measure
    pairs = (
        ("while it was paid", reward.paid),
        ("after", reward.after),
        ("after, less while it was paid", reward.difference),
    )
    rows = tuple(
        (words, f"{size(one.value, measure)} {way(one.value)}", span(one, measure))
        for words, one in pairs
        if one is not None
    )
    note = "Against the time before it was paid. " + (
        f"No fit was made: {reward.reason}." if reward.reason else LASTS[reward.status]
    )
    return Table(f"The reward: {reward.status.replace('_', ' ')}", ("when", "changed by", "95%"), rows, note)


LASTS = {
    "lasting": "Better while it was paid and after, and not shown to have lost any of it.",
    "fading": "Better while it was paid; some of it is shown to be lost since.",
    "backfiring": "Worse after it was no longer paid than before it was.",
    "no_effect_seen": "Neither while it was paid nor after is a change seen.",
    "cannot_tell": "A change is seen in one of the two windows alone; whether it lasts cannot be told.",
    "not_enough_data": "",
}


def _guardrails(many: tuple[Guarded, ...]) -> Table:
    rows = []
    for one in many:
        measure = one.guardrail.measure
        better = one.guardrail.better or measure.better
        changed = None if one.harm is None else one.harm if better == "lower" else -one.harm
        margin = size(one.margin, measure) if one.margin is not None else ""
        result = f"not worse by more than {margin}" if one.safety == "not_worse" and one.harm else SAFE[one.safety]
        if one.guardrail.question and one.safety != "not_recorded":
            result = ANSWERED[not one.weakens]
        moved = span(changed, measure) if changed else one.words
        chance = likely(one.chance) if one.chance is not None else ""
        rows.append((one.guardrail.name, result, moved, margin, chance, "" if one.age_days is None else one.age_days))
    return Table("What must not have got worse", RAILS, tuple(rows), RAILS_NOTE)


RAILS = ("measure", "result", "changed by (95%), or why not", "margin", "chance of worse than that", "cases at the age of (days)")  # fmt: skip
RAILS_NOTE = (
    "Harm is shown where a measure surely got worse (false alarms share 5% among all guardrails) and is likely to have done "
    "so by more than its margin (80%); it is excluded where the chance of that is 5% at most, under either trend. A margin "
    "nobody declared is five points of a share, or as much as it was if that is less, and a fifth of anything else (of the "
    "number of cases, a tenth); half as much more where eight weeks could not show less. What is not recorded is not excluded."
)


def numbers_table(proof: Proof) -> Table:
    """What the picture shows, period by period; an end that lies nowhere is left empty."""
    lines = proof.verdict.lines
    assert lines is not None
    columns = (proof.asked.every, "measured", "had the trend gone on", "had it stopped", "from", "to", "asked as")
    numbers = zip(
        lines.measured, lines.without["continues"], lines.without["stops"], lines.low, lines.high, strict=True
    )
    rows = tuple(
        (
            period.label,
            *(value if value is None or math.isfinite(value) else None for value in row),
            proof.asked.called or "exploration",
        )
        for period, row in zip(proof.seen.periods, numbers, strict=True)
    )
    return Table(f"{proof.asked.measure.name} by {proof.asked.every}, in {proof.asked.measure.unit}", columns, rows)


def proof_data(proof: Proof, notes: tuple[str, ...]) -> dict[str, Any]:
    """Everything, for programs; no infinity, no NaN."""
    verdict = proof.verdict
    numbers = numbers_table(proof) if verdict.lines else None
    return {
        "status": "blocked" if proof.blocked else proof.headline,
        "headline": proof.headline,
        "verdict_in_words": status_words(proof),
        "asked_as": proof.asked.called or "exploration",
        "notes": list(notes),
        "sentence": headline(proof),
        "more": standing(proof),
        "paragraph": paragraph(proof),
        "assumed": list(ASSUMED),
        "measure": {
            "name": proof.asked.measure.name,
            "version": proof.asked.measure.version,
            "unit": proof.asked.measure.unit,
        },
        "change": proof.asked.on.isoformat(),
        "where": [list(pair) for pair in proof.asked.where],
        "against": [list(pair) for pair in proof.asked.against],
        "blocked": proof.blocked or None,
        "harm_shown": [rail.guardrail.name for rail in proof.harms],
        "not_excluded": [asdict(one) for one in proof.doubts],
        "age_days": proof.seen.age_days,
        "unripe": proof.seen.unripe,
        "settles": proof.asked.settles.isoformat() if proof.asked.settles else None,
        "settling": proof.seen.settling,
        "verdict": _plain({key: value for key, value in asdict(verdict).items() if key not in ("lines", "checks")}),
        "reward": _plain(asdict(proof.reward)) if proof.reward else None,
        "checks": [asdict(one) for one in verdict.checks],
        "questions": [asdict(one) for one in proof.questions],
        "guardrails": [_guarded(one) for one in proof.guarded],
        "periods": [dict(zip(numbers.columns, row, strict=True)) for row in numbers.rows] if numbers else [],
    }


def _guarded(one: Guarded) -> dict[str, Any]:
    return {
        "measure": one.guardrail.measure.name,
        "called": one.guardrail.called or None,
        "result": one.safety,
        "margin": one.margin,
        "chance": one.chance,
        "question": one.guardrail.question or None,
        "harm": _plain(asdict(one.harm)) if one.harm else None,
        "why": one.words,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def proof_picture(proof: Proof) -> Picture:
    """The measure, what either trend would have brought, and the day of the change."""
    return both(
        f"Measured (dots, {proof.asked.measure.unit}), and what was to be expected without the change",
        lambda frame: proof_svg(proof, frame),
    )


def proof_svg(proof: Proof, frame: Frame) -> str:
    """One drawing of it."""
    lines, unit = proof.verdict.lines, proof.asked.measure.unit
    assert lines is not None
    count, start = len(lines.measured), proof.verdict.before
    seen = [value for value in lines.measured if value is not None]
    bands = [*lines.low[start:], *lines.high[start:]]
    low, high = min([*seen, *bands]), max([*seen, *bands])
    reach = 3 * (max(seen) - min(seen)) or 1.0  # a very wide band does not squeeze the measure to a line
    low, high = max(low, min(seen) - reach), min(high, max(seen) + reach)
    room = (high - low) * 0.04  # a dot at the edge is a whole dot
    low, high = low - room, high + room
    low = max(low, 0.0) if min(seen) >= 0 else low
    y = Scale(low, high, frame.height - frame.bottom, frame.top)
    x = Scale(-0.5, count - 0.5, frame.left, frame.width - frame.right)
    body = _grid(proof, frame, x, y, unit)
    within = range(start, count)
    if within:
        top = [(x(at), y(min(lines.high[at], high))) for at in within]
        bottom = [(x(at), y(max(lines.low[at], low))) for at in reversed(within)]
        outline = "M" + "L".join(f"{a:g} {b:g}" for a, b in (*top, *bottom)) + "Z"
        body.append(f'<path class="band" d="{outline}" fill="{MUTED}" fill-opacity=".18"/>')
    for trend, dash in zip(TRENDS, ("", "5 4"), strict=True):
        path = "M" + "L".join(
            f"{x(at):g} {y(min(max(value, low), high)):g}" for at, value in enumerate(lines.without[trend])
        )
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        body.append(f'<path class="limit" d="{path}" fill="none" stroke="{MUTED}" stroke-width="1.4"{dashed}/>')
    radius = 2.6 if count > 60 else 3.4
    for at, measured in enumerate(lines.measured):
        if measured is not None:
            body.append(f'<circle class="point" cx="{x(at):g}" cy="{y(measured):g}" r="{radius}" fill="{LINE}"/>')
    edge = (x(start - 0.5), frame.top, frame.height - frame.bottom)
    body.append(
        f'<path class="interval" d="M{edge[0]:g} {edge[1]:g}V{edge[2]:g}" stroke="{INK}" stroke-dasharray="3 3"/>'
    )
    anchor, shift = ("end", -5) if frame.narrow or start > count * 0.6 else ("start", 5)
    body.append(label(edge[0] + shift, frame.top + 10, "change", anchor, "ink"))
    return drawing(frame, title(proof), headline(proof), body)


def _grid(proof: Proof, frame: Frame, x: Scale, y: Scale, unit: str) -> list[str]:
    body, right = [], frame.width - frame.right
    for mark in ticks(y.low, y.high, 3 if frame.narrow else 4):
        body.append(f'<path class="grid" d="M{frame.left} {y(mark):g}H{right}" stroke="#d9dee4"/>')
        body.append(label(frame.left - 6, y(mark) + 4, percent(mark, 0) if unit == "share" else f"{mark:,g}", "end"))
    every = max(1, math.ceil((72 if frame.narrow else 84) * len(proof.seen.periods) / (right - frame.left)))
    last = len(proof.seen.periods) - 1
    for at in range(last % every, last + 1, every):
        body.append(label(x(at), frame.height - 9, proof.seen.periods[at].label, "middle"))
    place = y((y.low + y.high) / 2)
    words = (
        ("trend", "goes on", "trend", "stops")
        if frame.narrow
        else ("— had the trend", "gone on", "- - had it", "stopped")
    )
    for line, text in enumerate(words):
        body.append(label(right + 6, place + 15 * line - 22, text))
    return body


def improvement_table(many: Sequence[Record]) -> Table:
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
            one.improvement.name, one.improvement.what, one.improvement.since, one.improvement.measure,
            ", ".join(f"{column}={value}" for column, value in one.improvement.where), one.improvement.who, one.improvement.idea_from,
            ", ".join(one.improvement.helpers), one.declared_at[:10], len(one.changes), len(one.looks),
            str(one.looks[-1].facts.get("status", "")).replace("_", " ") if one.looks else "",
        )
        for one in many
    )  # fmt: skip
    return Table("Improvements", columns, rows)


def proof_page(proof: Proof, notes: tuple[str, ...], layout: str = "base.html") -> str:
    """The verdict as a page: the sentence first, then the picture, what was looked at, and how it was done."""
    drawn = proof.verdict.lines is not None
    return page(
        "proof.html",
        title=title(proof),
        headline=headline(proof),
        status=SHORT.get(proof.headline, status_words(proof)).capitalize(),
        alarm=bool(proof.blocked) or proof.verdict.status == "worse",
        said=standing(proof),
        pictures=[proof_picture(proof)] if drawn else [],
        numbers=numbers_table(proof) if drawn else None,
        tables=found_tables(proof),
        paragraph=paragraph(proof),
        assumed=ASSUMED,
        notes=notes,
        layout=layout,
    )


def foresight_table(many: Sequence[Foresight], expected: float | None) -> Table:
    """What eight weeks will show of a change, and which margins can be shown at all."""
    rows = []
    for one in many:
        level = amount(one.level, one.measure) if one.level is not None else ""
        cells = [size(value, one.measure) if value is not None else "" for value in (one.seen, one.margin, one.shown)]
        rows.append((one.called, level, *cells, one.reason))
    first, note = (
        many[0],
        "Eight weeks after the change, at one look; looking every week needs about half as much again. ",
    )
    if expected is not None and first.level and first.seen is not None and first.seen > expected * first.level:
        note += f"That is more than the {percent(expected, 0)} you hope for: it will take longer, or more cases. "
    if any(one.margin is not None and one.shown is not None and one.shown > one.margin for one in many):
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

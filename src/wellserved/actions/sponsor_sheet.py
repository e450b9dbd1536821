"""A business case on one page of paper, for whoever is to sponsor it."""

from __future__ import annotations

from typing import Any, Final

from wellserved.actions.business_cases import INPUT_FIELDS
from wellserved.measure import find_measure
from wellserved.resume.paper import compile_pdf
from wellserved.store.plan_models import SavedCase

_LABELS: Final = {field.name: field.label for field in INPUT_FIELDS}
_TEMPLATE: Final = """
#let data = json(bytes(sys.inputs.data))
#set document(title: data.title, author: data.owner)
#set page(paper: "a4", margin: (x: 2cm, y: 1.6cm))
#set text(size: 9.5pt, lang: "en", fill: rgb("#17212b"))
#set par(leading: .55em)
#show heading.where(level: 1): set text(size: 17pt)
#show heading.where(level: 2): it => block(above: 1.1em, below: .5em, text(size: 11pt, it.body))
#let quiet(body) = text(fill: rgb("#56626f"), size: 8.5pt, body)
#heading(level: 1, data.title)
#quiet(data.owner)
#if data.words != "" { par(emph(data.words)) }
#heading(level: 2, "What it comes to")
#text(size: 15pt, weight: "bold", data.headline)
#for line in data.lines { par(line) }
#heading(level: 2, "Which input moves it most: measure this first")
#let widest = calc.max(..data.tornado.map(row => row.width), 0.000001)
#table(columns: (5.6cm, 1fr, 4.6cm), stroke: (x: none, y: .4pt + rgb("#dbe1e7")), align: (left, left, right),
  table.header([input], [how far it moves the case], [from, to]),
  ..data.tornado.map(row => (row.name, rect(width: 100% * row.width / widest, height: 7pt, stroke: none, fill: rgb("#1f5fa8")), row.ends)).flatten())
#heading(level: 2, "What it rests on")
#table(columns: (5.6cm, 4cm, 1fr), stroke: (x: none, y: .4pt + rgb("#dbe1e7")),
  table.header([input], [range], [from]), ..data.inputs.flatten())
#if data.asked != "" { heading(level: 2, "What is asked of you"); par(data.asked) }
#if data.wrong != "" { heading(level: 2, "What would show that we are wrong"); par(data.wrong) }
#quiet(data.note)
"""


def case_lines(row: SavedCase) -> list[str]:
    """What a case comes to, in sentences."""
    result, currency = row.result, row.currency
    lines = [
        f"Over {row.years:g} {'year' if row.years == 1 else 'years'}, eight times in ten between {result['low']:,.0f} and {result['high']:,.0f} {currency}.",
        f"The chance that it does not pay is {result['loss_chance']:.0%}.",
    ]
    if result["payback_months"] is not None:
        lines.append(f"What is paid once comes back within about {result['payback_months']:.0f} months.")
    else:
        lines.append(f"Payback: {result['payback_reason']}.")
    if alone := result.get("without_hours"):
        lines.append(
            f"Where the hours are not used: {alone[0]:,.0f} ({alone[1]:,.0f} to {alone[2]:,.0f}) {currency}, and it does not pay with a chance of {alone[3]:.0%}."
        )
    for words, median, low, high in result["parts"]:
        lines.append(f"Gained, {words}: {median:,.0f} ({low:,.0f} to {high:,.0f}) {currency}.")
    if row.measure:
        lines.append(f"It moves: {find_measure(row.measure).question}")
    if row.widened > 1:
        lines.append(f"Stated ranges were widened by {row.widened:.1f}, since earlier ones were too narrow.")
    if row.came is not None:
        lines.append(f"What came: {row.came:,.0f} {currency} ({row.came_from}, {row.came_on:%Y-%m-%d}).")
    return lines


def sponsor_pdf(row: SavedCase) -> bytes:
    """The sheet as PDF."""
    result = row.result
    data: dict[str, Any] = {
        "title": row.title, "owner": f"{row.owner.called}, {row.created:%Y-%m-%d}", "words": row.words, "asked": row.asked, "wrong": row.wrong_if,
        "headline": f"{result['median']:,.0f} {row.currency} in the middle of all outcomes", "lines": case_lines(row),
        "tornado": [
            {"name": _LABELS[name], "width": abs(high - low), "ends": f"{min(low, high):,.0f} to {max(low, high):,.0f}"}
            for name, low, high in result["tornado"] if low != high
        ],
        "inputs": [[_LABELS[name], input_range_words(facts), origin_words(facts)] for name, facts in row.inputs.items()],
        "note": "100,000 draws, seed 1. Stated ranges hold eight times in ten; measured ones are 95% intervals. Hours freed are money only if they are used.",
    }  # fmt: skip
    return compile_pdf(_TEMPLATE, data)


def input_range_words(facts: dict[str, Any]) -> str:
    """An input's range as it was typed."""
    low, high = float(facts["low"]), float(facts["high"])
    return f"{low:,.6g}" if low == high else f"{low:,.6g} to {high:,.6g}"


def origin_words(facts: dict[str, Any]) -> str:
    """Measured, or stated by whom and when."""
    return f"{'measured' if facts.get('measured') else 'stated'}: {facts.get('origin', '')}".rstrip(": ")

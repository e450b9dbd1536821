"""A claim on one page of paper: the sentence, its numbers as a picture and a table, what was held against it, and how to check it."""

from __future__ import annotations

from typing import Any, Final

from wellserved.claim.file import UNKNOWABLE, OpenedClaim
from wellserved.resume.paper import address_code, compile_pdf

_TEMPLATE: Final = """
#let data = json(bytes(sys.inputs.data))
#set document(title: data.sentence, author: data.author)
#set page(paper: "a4", margin: (x: 2cm, y: 1.8cm))
#set text(size: 10.5pt, lang: "en", fill: rgb("#17212b"))
#show heading.where(level: 1): set text(size: 17pt)
#show heading.where(level: 2): it => block(above: 1.3em, below: .6em, text(size: 11.5pt, it.body))
#let quiet(body) = text(fill: rgb("#56626f"), size: 9pt, body)
#pdf.attach(data.file, bytes(data.content), relationship: "supplement", mime-type: "application/json", description: data.sentence)
#heading(level: 1, data.sentence)
#for line in data.lines { par(line) }
#if data.rows.len() > 0 {
  heading(level: 2, "The numbers")
  let top = calc.max(..data.rows.map(row => row.value), 0.000001)
  pdf.artifact(block(height: 4.2cm, width: 100%, align(bottom, grid(
    columns: data.rows.map(_ => 1fr), align: center + bottom, column-gutter: 4pt,
    ..data.rows.map(row => rect(width: 100%, height: 4cm * row.value / top + .5pt, stroke: none, fill: if row.side == "before" { rgb("#9aa6b4") } else { rgb("#1f5fa8") }))))))
  table(columns: 4, align: (left, left, right, right), stroke: (x: none, y: .4pt + rgb("#cdd4de")),
    table.header([], [from], data.unit, [cases]),
    ..data.rows.map(row => (row.side, row.start, row.words, str(row.n))).flatten())
}
#heading(level: 2, "Check it")
#par(data.check)
#if data.code != "" { image(bytes(data.code), format: "svg", width: 2.6cm, alt: "QR code of " + data.address) ; par(link(data.address, data.address)) }
#heading(level: 2, "What it cannot prove")
#for limit in data.limits { list(limit) }
"""


def claim_page(claim: OpenedClaim, raw: bytes, address: str = "") -> bytes:
    """The page as PDF, with the claim file attached. `raw`: the claim file, which shows what the page shows;
    `address`: where the house shows it; empty: nowhere."""
    person = claim.shown.get("person")
    data = {
        "sentence": claim.sentence, "author": person["name"] if person else "wellserved", "file": f"claim-{claim.id}.json", "content": raw.decode(),
        "lines": list(_lines(claim)), "rows": period_rows(claim), "unit": str(claim.shown.get("windows", {}).get("unit", "")),
        "check": f"The claim file is attached to this document (number {claim.id}). The page check.html, got from the employer or from "
        f"the project wellserved, reads it out and says whether it is genuine. The words of the signing key: {claim.fingerprint}.",
        "address": address, "code": address_code(address) if address else "", "limits": list(UNKNOWABLE),
    }  # fmt: skip
    return compile_pdf(_TEMPLATE, data)


def _lines(claim: OpenedClaim) -> list[str]:
    """How the sentence came about."""
    predicate, shown = claim.predicate, claim.shown
    person = shown.get("person")
    grade = str(predicate["grade"])
    lines = [f"Claimed by {person['name']} ({person['role']})."] if person else []
    lines.append(
        f"{grade.capitalize()}: {predicate['grade_words']}. Records as of {predicate['as_of'][:10]}; signed {predicate['issued'][:10]}."
    )
    if count := shown.get("count"):
        lines.append(f"{count['done']:,} of {count['of']:,}.")
    if cases := shown.get("cases"):
        lines.append(f"{cases['before']:,} cases before, {cases['after']:,} since.")
    lines.append(f"Measure: {predicate['measure']['question']} {predicate['measure']['formula']}.")
    if grade == "proved":
        held = sum(rail["result"] == "not_worse" for rail in predicate["guardrails"])
        declared, tried = predicate["declared"], predicate["tried"]
        lines.append(
            f"The change was declared on {declared['at'][:10]} for {declared['since']}. {held} of {len(predicate['guardrails'])} guardrails "
            f"were shown to have held. Looked at {tried['looks']} times; changed {tried['changed']} times after it was declared; "
            f"{tried['others_of_that_day']} other measures were declared for that day."
        )
    return lines


def period_rows(claim: OpenedClaim) -> list[dict[str, Any]]:
    """The number of each period in the unit of the sentence; none where they are hidden."""
    windows = claim.shown.get("windows")
    if windows is None:
        return []
    size = float(windows["unit_size"])
    return [
        {"side": words, "start": period["start"], "value": float(period["value"]) / size, "words": f"{float(period['value']) / size:.2f}", "n": period["n"]}
        for side, words in (("before", "before"), ("after", "since"))
        for period in windows[side]
    ]  # fmt: skip

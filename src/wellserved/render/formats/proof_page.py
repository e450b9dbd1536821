"""The verdict as one page."""

from __future__ import annotations

from wellserved.prove.proof import Proof
from wellserved.prove.words import (
    ASSUMPTIONS,
    headline,
    paragraph,
    proof_title,
    remarks,
)
from wellserved.render.charts.proof import proof_picture
from wellserved.render.formats.html import render_page
from wellserved.render.tables.proofs import SHORT_STATUSES, numbers_table, result_tables, status_words


def proof_page(proof: Proof, notes: tuple[str, ...], layout: str = "base.html") -> str:
    """The verdict as a page: the sentence first, then the picture, what was looked at, and how it was done."""
    has_lines = proof.verdict.lines is not None
    return render_page(
        "proof.html",
        title=proof_title(proof),
        headline=headline(proof),
        status=SHORT_STATUSES.get(proof.headline, status_words(proof)).capitalize(),
        alarm=bool(proof.blocking_harm) or proof.verdict.status == "worse",
        said=remarks(proof),
        pictures=[proof_picture(proof)] if has_lines else [],
        numbers=numbers_table(proof) if has_lines else None,
        tables=result_tables(proof),
        paragraph=paragraph(proof),
        assumed=ASSUMPTIONS,
        notes=notes,
        layout=layout,
    )

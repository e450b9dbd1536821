"""One's résumé: kept in the private journal, its bullets beside one's claims, taken along in any form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from wellserved.actions.claims import opened
from wellserved.actions.house_rules import variants_allowed
from wellserved.capture import readable_text
from wellserved.journal.handle import Journal
from wellserved.resume.document import ResumeDocument, check_resume, entries_of
from wellserved.resume.layout import ResumeLayout, lay_out
from wellserved.resume.paper import resume_docx, resume_pdf
from wellserved.resume.sealing import HeldClaim, split_mark
from wellserved.resume.texts import resume_html, resume_json, resume_markdown
from wellserved.store.models import Claim, Person

RESUME_FORMATS: Final[dict[str, tuple[str, Callable[[ResumeLayout], bytes]]]] = {
    "pdf": ("application/pdf", resume_pdf),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", resume_docx),
    "html": ("text/html; charset=utf-8", resume_html),
    "md": ("text/markdown; charset=utf-8", resume_markdown),
    "json": ("application/json", resume_json),
}
"""Form -> its media type, and what writes it."""
SUGGESTED_WORDS: Final = ("exceeded", "thanks", "recovered", "idea", "lesson")
SUGGESTED_DAYS: Final = 366
MAX_BULLETS_SUGGESTED: Final = 20


@dataclass(frozen=True)
class BulletSuggestion:
    """A line that may become a bullet."""

    text: str  # with its mark, where it is a claim's
    origin: str  # a claim's grade, or the word of a journal entry


def journal_at_terminal(person: Person) -> Journal:
    """The journal of somebody at a terminal, who gives no password: it is open where nobody logs in."""
    return Journal(person.pk, settings.SECRET_KEY.encode())


def resume_layout(document: ResumeDocument, claims: Sequence[Claim], base_url: str = "") -> ResumeLayout:
    """A résumé as it is shown now. `claims`: one's own, compared with the records; `base_url`: where these pages are reached."""
    variants = variants_allowed()
    held_claims = {
        claim.id: HeldClaim(
            claim.file.encode(),
            _refusal(claim),
            f"{base_url}/c/{claim.address}" if claim.published in variants and base_url else "",
        )
        for claim in claims
    }
    return lay_out(document, held_claims, timezone.localdate().isoformat(), variants)


def _refusal(claim: Claim) -> str:
    """Why a claim seals nothing; empty: it does."""
    return "" if claim.state == "current" else f"{claim.state}: {claim.reason}"


def current_resume(journal: Journal, person: Person) -> ResumeDocument:
    """One's résumé; where there is none yet, one with the name alone."""
    return journal.resume() or {
        "basics": {"name": person.get_full_name() or person.username},
        "work": [{"position": ""}],
    }


def keep_resume(journal: Journal, document: ResumeDocument) -> None:
    """Keep a résumé, if it follows the format."""
    journal.keep_resume(check_resume(document))


def suggest_bullets(journal: Journal, claims: Sequence[Claim]) -> list[BulletSuggestion]:
    """What may become a bullet: one's current claims by grade and date, then what one wrote down, the newest first."""
    known_texts = {split_mark(text) for text in _bullet_texts(journal.resume() or {})}
    bound_claims = {claim_id for _text, claim_id in known_texts}
    variants = variants_allowed()
    suggestions = []
    for claim in claims if variants else ():
        if claim.state != "current" or claim.id in bound_claims:
            continue
        file = opened(claim)
        form = "full" if "full" in variants else "ratio"
        if sentence := file.shown.get(f"sentence_{form}"):
            suggestions.append(BulletSuggestion(f"{sentence} (checked: {claim.id})", file.predicate["grade"]))
    suggestions.sort(key=lambda suggestion: suggestion.origin != "proved")
    now = timezone.now()
    entries = [
        entry
        for word in SUGGESTED_WORDS
        for entry in journal.entries_between(now - timedelta(days=SUGGESTED_DAYS), now, word)
    ]
    entries.sort(key=lambda entry: entry.entry.at, reverse=True)
    texts = {text for text, _claim_id in known_texts}
    for entry in entries:
        text = readable_text(str(entry.facts.get("text") or entry.words))
        if text and text not in texts:
            suggestions.append(BulletSuggestion(text, entry.entry.word))
    return suggestions[:MAX_BULLETS_SUGGESTED]


def _bullet_texts(document: ResumeDocument) -> list[str]:
    return [str(text) for entry in entries_of(document, "work") for text in entry.get("highlights", ())]


def with_bullet(document: ResumeDocument, text: str) -> ResumeDocument:
    """The document with a line more under its first job; no text: as it is."""
    if not text:
        return document
    jobs: list[dict[str, Any]] = [dict(job) for job in document.get("work", ())] or [{}]
    jobs[0]["highlights"] = [*jobs[0].get("highlights", ()), text]
    return {**document, "work": jobs}

"""Whoever gave an idea, or helped with it, is told when it was proved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from wellserved.claim.sentence import ClaimRole
from wellserved.claim.verdict import CLAIMED_HEADLINES, role_of
from wellserved.improvement import Improvement, list_records
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Person

NEWS_DAYS: Final = 30


@dataclass(frozen=True)
class ProvedImprovement:
    """An improvement that was shown to work."""

    improvement: Improvement
    has_doubts: bool  # harm is not excluded altogether
    since: datetime  # first seen so


@dataclass(frozen=True)
class ProvedIdea(ProvedImprovement):
    """And what somebody was in it."""

    role: ClaimRole


def proved_improvements(workspace: Workspace) -> list[ProvedImprovement]:
    """Improvements whose latest look claims them; what a later look took back is not told."""
    proofs = []
    for record in list_records(workspace):
        status = str(record.looks[-1].facts.get("status", "")) if record.looks else ""
        if status in CLAIMED_HEADLINES:
            first = next(look for look in record.looks if look.facts.get("status") in CLAIMED_HEADLINES)
            proofs.append(ProvedImprovement(record.improvement, status != "improved", datetime.fromisoformat(first.at)))
    return proofs


def proved_ideas(workspace: Workspace, person: Person, start: datetime, end: datetime) -> list[ProvedIdea]:
    """What was first seen to be proved in a span, of the changes in which somebody had a part that is not its owner's."""
    news = []
    for proof in proved_improvements(workspace):
        role = role_of(proof.improvement, (person.username, person.served_as))
        if role in ("idea", "helper") and start <= proof.since < end:
            news.append(ProvedIdea(proof.improvement, proof.has_doubts, proof.since, role))
    return news


def latest_news(workspace: Workspace, person: Person, now: datetime) -> list[ProvedIdea]:
    """The news of the last thirty days."""
    return proved_ideas(workspace, person, now - timedelta(days=NEWS_DAYS), now + timedelta(days=1))

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
class ProvedIdea:
    """An improvement that was shown to work, and what somebody was in it."""

    improvement: Improvement
    role: ClaimRole
    has_doubts: bool  # harm is not excluded altogether
    since: datetime  # first seen so


def proved_ideas(workspace: Workspace, person: Person, start: datetime, end: datetime) -> list[ProvedIdea]:
    """What was first seen to be proved in a span, of the changes in which somebody had a part that is not its owner's; what a
    later look took back is not told."""
    news = []
    for record in list_records(workspace):
        role = role_of(record.improvement, (person.username, person.served_as))
        if role not in ("idea", "helper") or not record.looks:
            continue
        status = str(record.looks[-1].facts.get("status", ""))
        proved_looks = [look for look in record.looks if look.facts.get("status") in CLAIMED_HEADLINES]
        if status in CLAIMED_HEADLINES and start <= (since := datetime.fromisoformat(proved_looks[0].at)) < end:
            news.append(ProvedIdea(record.improvement, role, status != "improved", since))
    return news


def latest_news(workspace: Workspace, person: Person, now: datetime) -> list[ProvedIdea]:
    """The news of the last thirty days."""
    return proved_ideas(workspace, person, now - timedelta(days=NEWS_DAYS), now + timedelta(days=1))

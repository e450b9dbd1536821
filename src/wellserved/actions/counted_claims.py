"""From what a person shared to a count of it, and the same count made again later."""

from __future__ import annotations

import secrets
import uuid
from collections import defaultdict
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

from wellserved.capture.promise import PromiseMove, promise_state
from wellserved.claim.counted import (
    COUNTED_MEASURES,
    CountedDraft,
    CountedMeasure,
    CountedRecipe,
    Matter,
    counted_months,
    counted_rows,
    draft_counted,
    find_counted,
)
from wellserved.claim.evidence import EvidenceRow
from wellserved.claim.tree import evidence_keys
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Person, Shared


def offered_counts() -> list[CountedMeasure]:
    """What can be counted."""
    return list(COUNTED_MEASURES.values())


def draft_count(workspace: Workspace, person: Person, name: str) -> CountedDraft:
    """What may be said of the promises or failures that somebody shared; raises `ClaimRefusedError` where they are too few."""
    measure, secret = find_counted(name), secrets.token_bytes(32)
    now = timezone.now().replace(microsecond=0)  # as it is signed
    zone = ZoneInfo(workspace.zone)
    matters = shared_matters(person, name, now, zone)
    since, until = counted_months(matters, now.astimezone(zone).date())
    recipe = CountedRecipe(name, since, until, now.astimezone(zone).isoformat(timespec="seconds"))
    rows = counted_rows(matters, recipe, evidence_keys(secret))
    return draft_counted(measure, recipe, rows, secret, workspace.zone, log.latest_version(workspace))


def count_again(workspace: Workspace, person: Person, recipe: CountedRecipe, secret: bytes) -> tuple[EvidenceRow, ...]:
    """The rows of a count as they are now, of what had happened when it was signed."""
    matters = shared_matters(person, recipe.counted, datetime.fromisoformat(recipe.as_of), ZoneInfo(workspace.zone))
    return counted_rows(matters, recipe, evidence_keys(secret))


def shared_matters(person: Person, name: str, as_of: datetime, zone: ZoneInfo) -> list[Matter]:
    """The matters that somebody began, as they stood at an instant: promises by the month in which they fell due, failures by that in
    which they came up. What was withdrawn is none."""
    word = find_counted(name).word
    heads = Shared.objects.filter(begun_by=person, author=person, word=word, withdrawn=None, at__lte=as_of)
    rows_by_thread: dict[uuid.UUID, list[Shared]] = defaultdict(list)
    for row in Shared.objects.filter(thread__in=heads.values("thread"), withdrawn=None, at__lte=as_of).order_by(
        "at", "pk"
    ):
        rows_by_thread[row.thread].append(row)
    matters = (_matter(str(thread), rows, word, as_of, zone) for thread, rows in rows_by_thread.items())
    return [matter for matter in matters if matter is not None]


def _agreed_in_time(rows: list[Shared]) -> list[PromiseMove]:
    """The moves of a promise without those that put off what was overdue already: that one was not kept."""
    due, moves = next((row.due for row in rows if row.word == "promise"), None), []
    for row in rows:
        if row.word == "renegotiated":
            if due is not None and row.at > due:
                continue
            due = row.due or due
        moves.append((row.at, row.word, row.due))
    return moves


def _matter(thread: str, rows: list[Shared], word: str, as_of: datetime, zone: ZoneInfo) -> Matter | None:
    """A thread as a matter; None: a promise without a due time, or one that has not fallen due."""
    facts = tuple((row.word, row.at.isoformat(), row.due.isoformat() if row.due else "") for row in rows)
    if word == "promise":
        state = promise_state(_agreed_in_time(rows), as_of)
        if state.due is None or state.due > as_of:
            return None
        month = state.due.astimezone(zone).date().replace(day=1)
        return Matter(thread, month, state.fate == "kept", facts)
    month = min(row.at for row in rows if row.word == word).astimezone(zone).date().replace(day=1)
    return Matter(thread, month, any(row.word == "recovered" for row in rows), facts)

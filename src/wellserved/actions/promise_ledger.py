"""Promises that somebody has to keep, or wants to see kept: from the journal, and from what is shared."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from wellserved.actions import sharing
from wellserved.capture.promise import PromiseState
from wellserved.journal.handle import Journal
from wellserved.store.access import AccessScope


@dataclass(frozen=True)
class LedgerPromise:
    """A promise of the ledger, from the journal or shared."""

    id: uuid.UUID
    where: str
    text: str
    customer: str
    service: str
    author: str
    state: PromiseState
    mine: bool


def ledger(scope: AccessScope, journal: Journal, now: datetime, with_closed: bool = False) -> list[LedgerPromise]:
    """Promises, one's own and those shared with one, the most urgent first."""
    since = now - timedelta(days=90) if with_closed else None
    promises = []
    if journal.is_readable:
        for page, state in journal.promises(now, since):
            customer_and_service = str(page.facts.get("customer", "")), str(page.facts.get("service", ""))
            promises.append(
                LedgerPromise(
                    page.entry.id, "journal", str(page.facts.get("text", "")), *customer_and_service, "", state, True
                )
            )
    promises += shared_ledger(scope, now, since)
    far_future = datetime.max.replace(tzinfo=UTC)
    return sorted(promises, key=lambda promise: (promise.state.closed is not None, promise.state.due or far_future))


def shared_ledger(scope: AccessScope, now: datetime, since: datetime | None = None) -> list[LedgerPromise]:
    """Promises that are shared with somebody, their own among them; `since`: with those that were closed from then on."""
    return [
        LedgerPromise(
            row.id, "shared", row.text, scope.customer_of(row), row.service, row.author.called, state,
            row.author_id == scope.person.pk,
        )
        for row, state in sharing.visible_promises(scope, now, since)
    ]  # fmt: skip

"""Queries a page: few, and as many with forty entries as with four hundred."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.web.conftest import House, book
from tests.web.test_access import world
from tests.web.test_api import key, sent
from wellserved.actions import sharing
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Person

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
MOST = {
    "": 14, "journal/": 5, "journal/month": 5, "promises/": 10, "failures/": 9, "customers/": 8, "accounts/": 8, "measures/": 3, "reports/": 3, "data/": 3, "me/": 8,
    "entry": 6, "shared": 10, "customer": 10, "week": 16, "measure": 3, "cases": 8,
}  # fmt: skip


def asked(ask: Callable[[], object]) -> int:
    """Queries of a request, of both databases."""
    with (
        CaptureQueriesContext(connections["default"]) as store,
        CaptureQueriesContext(connections["journal"]) as journal,
    ):
        ask()
    return len(store) + len(journal)


def fill(staff: House, many: int) -> None:
    """More of everything."""
    now = timezone.now()
    for number in range(many):
        word = ("missed", "promise", "thanks", "kept")[number % 4]
        facts = {
            "word": word,
            "text": f"text {number}",
            "customer": f"Customer {number % 7}",
            "cause": "handover",
            "due": (now + timedelta(hours=number)).isoformat(),
        }
        book(staff.lead).write({**facts, "line": f"{word}: {number}"})
        sharing.share(staff.lead, facts, now - timedelta(minutes=number))


def test_queries_do_not_grow_with_what_is_shown(staff: House, as_: As, place: Workspace) -> None:
    known, client = world(staff, place), as_(staff.lead)
    entry = book(staff.lead).write({"word": "missed", "line": "missed: x"})
    known["entry"] = f"journal/{entry.id}/"
    seen: list[dict[str, int]] = []
    for many in (20, 200):
        fill(staff, many)
        counts = {}
        for name in MOST:
            path = f"/{known.get(name, name)}"
            assert client.get(path).status_code == 200, path  # answers of analyses are worked out once
            counts[name] = asked(lambda path=path: client.get(path))  # type: ignore[misc]
        seen.append(counts)
    assert seen[0] == seen[1]
    assert {name: count for name, count in seen[1].items() if count > MOST[name]} == {}


def test_queries_of_the_api(staff: House, place: Workspace) -> None:
    world(staff, place)
    client = key(staff.kim)
    client.get("/api/v1/measures/asked")
    assert asked(lambda: client.get("/api/v1/measures/asked")) <= 1
    assert asked(lambda: client.get("/api/v1/promises")) <= 4
    assert asked(lambda: sent(client, "moments", {"word": "asked", "customer": "Acme"})) <= 8
    assert asked(lambda: sent(client, "journal", {"line": "note: x"})) <= 12

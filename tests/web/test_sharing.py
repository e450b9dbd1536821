"""Shared moments enter the log and count; private ones are nowhere but with their owner."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.web.conftest import House, book
from tests.web.test_access import routes, world
from wellserved.actions import sharing
from wellserved.actions.questions import ask_measures
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.moments import JOURNAL_SOURCE, period_of
from wellserved.storage.workspace import Workspace, create_workspace
from wellserved.store.models import ApiKey, Person, Shared, token_digest

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def counted(place: Workspace, name: str) -> float:
    """A measure over the journal's cases."""
    (series,) = ask_measures(place, MeasureQuestion((find_measure(name),), where=(("source", JOURNAL_SOURCE),)))
    return float(series.n[0]) if series.n else 0


def test_what_is_shared_counts_is_corrected_and_withdrawn(staff: House, tmp_path: Path) -> None:
    place = create_workspace(tmp_path / "home", "UTC")
    made = sharing.share(
        staff.kim,
        {"word": "promise", "text": "a draft", "customer": "Acme", "due": (AT + timedelta(days=2)).isoformat()},
        AT,
    )
    sharing.share(staff.kim, {"word": "kept", "customer": "Acme"}, AT + timedelta(days=1), thread=made.thread)
    other = sharing.share(
        staff.peer, {"word": "complaint", "customer": "Northwind", "service": "badges"}, AT + timedelta(days=3)
    )
    assert sharing.write_pending(place) == 3
    assert sharing.write_pending(place) == 0
    assert counted(place, "promise_kept") == 1
    assert counted(place, "asked") == 2
    version = Shared.objects.get(id=made.id).log_version
    sharing.change_copy(other, {"customer": "Northwind", "service": "keys"}, "team")
    sharing.write_pending(place)
    (by,) = ask_measures(place, MeasureQuestion((find_measure("asked"),), by="service"))
    assert "keys" in by.segments
    assert "badges" not in by.segments
    sharing.withdraw_copy(other)
    sharing.write_pending(place)
    assert counted(place, "asked") == 1
    assert Shared.objects.get(id=other.id).log_version == (version or 0) + 2


def test_what_was_never_logged_is_withdrawn_without_a_trace(staff: House, tmp_path: Path) -> None:
    place = create_workspace(tmp_path / "home", "UTC")
    sharing.share(staff.kim, {"word": "asked"}, AT)
    gone = sharing.share(staff.kim, {"word": "gap", "expected": 9, "score": 6, "scale": "nps10"}, AT)
    sharing.withdraw_copy(gone)
    sharing.write_pending(place)
    assert counted(place, "asked") == 1


def test_expected_and_got_are_two_moments_and_both_are_withdrawn(staff: House, tmp_path: Path) -> None:
    place = create_workspace(tmp_path / "home", "UTC")
    row = sharing.share(staff.kim, {"word": "gap", "expected": 9, "score": 6, "scale": "nps10", "customer": "Acme"}, AT)
    sharing.share(staff.kim, {"word": "asked"}, AT)
    sharing.write_pending(place)
    (rated,) = ask_measures(place, MeasureQuestion((find_measure("rating_mean"),)))
    assert rated.n == (1,)
    sharing.withdraw_copy(row)
    sharing.write_pending(place)
    assert counted(place, "asked") == 1


def test_nobody_and_no_words_stand_in_the_log(staff: House, tmp_path: Path) -> None:
    place = create_workspace(tmp_path / "home", "UTC")
    sharing.share(staff.kim, {"word": "missed", "text": "secret words", "customer": "Acme", "cause": "handover"}, AT)
    sharing.write_pending(place)
    raw = b"".join(file.read_bytes() for file in place.folder.rglob("*") if file.is_file())
    assert b"handover" in raw
    assert b"secret words" not in raw
    assert b"person-kim" not in raw


CANARY = "xylocarp"  # a word that nobody else writes


def private_things(staff: House) -> list[str]:
    """Fifty private entries of kim's, each with a word of its own."""
    words = [f"{CANARY}{number:02d}q" for number in range(50)]
    for number, word in enumerate(words):
        kinds = ("missed", "promise", "self", "note", "lesson")
        kind = kinds[number % 5]
        due = (timezone.now() + timedelta(days=1)).isoformat()
        facts = {
            "word": kind,
            "line": f"{kind}: {word}",
            "text": word,
            "customer": word,
            "cause": word,
            "service": word,
            "due": due,
        }
        book(staff.kim).write(facts)
    book(staff.kim).keep_draft(period_of(timezone.localdate(), "week").label, words[0])
    return words


def test_private_words_are_found_nowhere_but_with_their_owner(
    staff: House, as_: As, place: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    known = world(staff, place)
    private_things(staff)
    caplog.set_level(logging.DEBUG)
    seen = 0
    for name, person in [*staff, ("nobody", None)]:
        if name == "kim":
            continue
        client = Client() if person is None else as_(person)
        for route, pattern in routes():
            if route == "feed":
                continue  # whose secret address is the key: tests/web/test_daily.py
            address = "/" + known.get(route, re.sub(r"[\^$]|\\Z|<[^>]*>", "", pattern))
            answer = client.get(address, follow=False)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
            assert CANARY.encode() not in content, (name, address)
            seen += 1
    assert seen > 500
    mine = as_(staff.kim)
    assert CANARY.encode() in mine.get("/journal/").content
    assert CANARY not in caplog.text.replace("INSERT", "")
    sharing.write_pending(place)
    for file in place.folder.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file


def test_an_api_key_reads_nothing_private(staff: House) -> None:
    private_things(staff)
    scopes = "journal:write moments:write measures:read promises:read"
    until = timezone.now() + timedelta(days=1)
    ApiKey.objects.create(
        owner=staff.kim, name="k", prefix="ws_k", digest=token_digest("ws_k"), scopes=scopes, expires=until
    )
    client = Client(headers={"Authorization": "Bearer ws_k"})
    for path in ("promises", "measures", "reports/journal", "measures/asked"):
        assert CANARY.encode() not in client.get(f"/api/v1/{path}").content
    written = client.post("/api/v1/journal", {"line": "note: via the key"}, content_type="application/json")
    assert written.status_code == 201
    assert client.get("/journal/").status_code == 302


def test_pages_of_others_ask_the_journal_for_nothing_but_their_own(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    for path in ("failures/", "measures/", "accounts/", "customers/", "improvements/", "people/", "audit/", "data/"):
        for person in (staff.lead, staff.admin, staff.finance):
            client = as_(person)
            with CaptureQueriesContext(connections["journal"]) as asked:
                client.get(f"/{path}")
            assert len(asked) == 0, (path, person.username)


def test_one_secret_opens_no_database_file_without_it(staff: House) -> None:
    entry = book(staff.kim).write({"word": "note", "line": CANARY})
    assert CANARY.encode() not in bytes(entry.body)
    (page,) = book(staff.kim).decrypt([entry])
    assert page.words == CANARY
    assert connection.vendor in ("sqlite", "postgresql")
    assert len(settings.SECRET_KEY) == 64
    assert io.BytesIO(bytes(entry.body)).read(1) == b"1"

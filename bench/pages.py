"""CPU time of a page and of an API request, with 100,000 journal moments of 20 people, 20,000 shared ones and a million imported cases.

In this process, without a network: what a request costs the server. The first answer of an analysis is worked out in a
process of its own, once a version of the log; it stands in a column of its own. The rounds go over all requests in turn,
so that no one of them meets another program's busy second alone.
"""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import pace
from wellserved.actions.synthetic import make_cases
from wellserved.storage.workspace import create_workspace

Ask = tuple[str, Callable[[], Any], int]  # a request's name, itself, the status that it must get
ENTRIES, SHARED, CASES, PEOPLE, ROUNDS = 100_000, 20_000, 1_000_000, 20, 40
ACCOUNTS = 300


def run(cases: int = CASES) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        place = create_workspace(Path(folder) / "home", "UTC")
        os.environ |= {
            "WELLSERVED_HOME": str(place.folder),
            "DJANGO_SETTINGS_MODULE": "wellserved.web.settings",
            "WELLSERVED_HOSTS": "testserver",
        }
        print(f"Making {cases:,} cases ...", flush=True)
        make_cases(place, cases, 1)
        import django

        django.setup()
        from wellserved.actions import setup

        setup.prepare(place)
        client, api, known = _fill()
        finance, house_pages = _fill_accounts()
        gc.collect()
        gc.freeze()  # as `serve` does
        asks: list[Ask] = [(name, lambda path=path: client.get(path), 200) for name, path in known.items()]  # type: ignore[misc]
        asks += [(name, lambda path=path: finance.get(path), 200) for name, path in house_pages.items()]  # type: ignore[misc]
        rows = _timed([*asks, *_requests(client, api)])
        gc.unfreeze()
        print(f"{'page or request':<34}{'CPU ms, median':>16}{'first, s':>10}{'queries':>9}")
        for name, median, first, queries in rows:
            print(f"{name:<34}{median:>16.1f}{first:>10.2f}{queries:>9}")


def _fill() -> tuple[Any, Any, dict[str, str]]:
    """A person with a full journal, and a key of theirs."""
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone

    from wellserved.actions import membership, sharing
    from wellserved.journal.handle import Journal
    from wellserved.journal.models import Entry
    from wellserved.store.models import ApiKey, Person, Shared, token_digest

    membership.add_person("kim", "quality", "intake", "correct horse battery")
    person, rng, now = Person.objects.get(), random.Random(1), timezone.now()
    book = Journal(person.pk, settings.SECRET_KEY.encode())
    print(f"Writing {ENTRIES:,} entries and {SHARED:,} shared moments ...", flush=True)
    words = ("note", "missed", "kept", "lesson", "thanks", "met")
    rows = []
    people = [
        person.pk,
        *(Person.objects.create(username=f"person{n}", team=person.team).pk for n in range(PEOPLE - 1)),
    ]
    books = {pk: Journal(pk, settings.SECRET_KEY.encode()) for pk in people}
    for place in range(ENTRIES):
        id_, word, owner = uuid.uuid4(), words[place % 6], people[place // 6 % PEOPLE]
        facts = {"word": word, "line": f"{word}: line {place}", "text": f"line {place}", "cause": f"cause {place % 40}"}
        at = now - timedelta(minutes=rng.randrange(1_000_000))
        rows.append(
            Entry(id=id_, owner=owner, thread=id_, at=at, word=word, created=now, body=books[owner]._seal(id_, facts))
        )
    Entry.objects.bulk_create(rows, batch_size=2_000)
    for number in range(40):
        book.write(
            {"word": "promise", "text": f"promise {number}", "due": (now + timedelta(hours=number - 5)).isoformat()}
        )
    customer = sharing.customer_named("Acme")
    many = []
    for place in range(SHARED):
        id_ = uuid.uuid4()
        at = now - timedelta(minutes=rng.randrange(500_000))
        many.append(Shared(id=id_, thread=id_, author=person, begun_by=person, team=person.team, word=words[place % 6], at=at, cause=f"cause {place % 40}", customer=customer if place % 9 == 0 else None, pending=False, text=f"shared {place}"))  # fmt: skip
    Shared.objects.bulk_create(many, batch_size=2_000)
    ApiKey.objects.create(
        owner=person,
        name="k",
        prefix="ws_",
        digest=token_digest("ws_k"),
        scopes="journal:write moments:write measures:read promises:read",
        expires=now + timedelta(days=1),
    )
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.post("/customers/why", {"reason": "a complaint is looked into"})
    week = "{}-W{:02d}".format(*now.date().isocalendar()[:2])
    pages = {
        "today": "/", "journal": "/journal/", "journal, one word": "/journal/?word=missed", "an entry": f"/journal/{rows[1].id}/", "promises": "/promises/",
        "failures": "/failures/", "a shared moment": f"/shared/{many[1].id}/", "customers": "/customers/", "measures": "/measures/",
        "a measure by month, chart": "/measures/time_to_resolution/?every=month", "a measure by team": "/measures/promise_kept/?by=team&every=quarter",
        "cases behind it": "/measures/promise_kept/cases?where=team=intake", "reports": "/reports/", "one's week": f"/reports/{week}/", "data": "/data/", "me": "/me/",
    }  # fmt: skip
    return client, Client(headers={"Authorization": "Bearer ws_k"}), pages


def _fill_accounts() -> tuple[Any, dict[str, str]]:
    """Finance with accounts and contracts, and what the house shows of them and of its people."""
    from django.test import Client
    from django.utils import timezone

    from wellserved.actions import membership
    from wellserved.store.models import Account, Customer, Person, Team
    from wellserved.store.plan_models import Contract, Objective, SavedCase

    membership.add_person("fin", "finance", "intake", "correct horse battery")
    person, today, rng = Person.objects.get(username="fin"), timezone.localdate(), random.Random(2)
    accounts = Account.objects.bulk_create(
        Account(
            name=f"Account {n}", revenue_year=rng.randrange(1_000, 200_000), currency="EUR", team=Team.objects.first()
        )
        for n in range(ACCOUNTS)
    )
    Customer.objects.filter(name="Acme").update(account=accounts[0])
    Customer.objects.bulk_create(
        Customer(name=f"Customer {n}", account=accounts[n % ACCOUNTS]) for n in range(2 * ACCOUNTS)
    )
    Contract.objects.bulk_create(
        Contract(
            account=account,
            starts=today - timedelta(days=n % 300),
            ends=today + timedelta(days=365 - n % 300),
            notice_value=3,
            value_year=1_000,
            currency="EUR",
        )
        for n, account in enumerate(accounts)
    )
    Objective.objects.create(name="Keep our word", owner=person, since=today)
    SavedCase.objects.create(
        owner=person, title="Wrong labels", inputs={}, currency="EUR",
        result={"base": 1, "median": 1, "low": 0, "high": 2, "loss_chance": 0.1, "payback_months": 3, "payback_reason": "", "parts": [], "tornado": []},
    )  # fmt: skip
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client, {
        "accounts": "/accounts/", "an account": f"/accounts/{accounts[0].pk}/", "contracts": "/contracts/", "failures, with worth": "/failures/",
        "promises, with worth": "/promises/", "objectives": "/objectives/", "the house on one page": "/house/", "pulse": "/pulse/",
        "something to do today": "/prompt", "my days": "/me/days", "business cases": "/business-cases/",
    }  # fmt: skip


def _timed(asks: list[Ask]) -> list[tuple[str, float, float, int]]:
    """Name, median of CPU ms, seconds of the first answer, queries."""
    from django.db import connection, connections
    from django.test.utils import CaptureQueriesContext

    firsts, queries, paces = [], [], []
    for name, ask, expected in asks:
        begun = time.perf_counter()
        answer = ask()
        firsts.append(time.perf_counter() - begun)
        assert answer.status_code == expected, (name, answer.status_code, answer.content[:500])
        with CaptureQueriesContext(connection) as store, CaptureQueriesContext(connections["journal"]) as journal:
            ask()
        queries.append(len(store) + len(journal))
    spent: list[list[float]] = [[] for _ in asks]
    for _ in range(ROUNDS):
        for (_name, ask, _expected), times in zip(asks, spent, strict=True):
            before = time.process_time()
            ask()
            times.append((time.process_time() - before) * 1_000)
        paces.append(pace())
    print(f"This machine's pace meanwhile: {statistics.median(paces):.1f} ms for a plain loop of 100,000 additions")
    medians = [statistics.median(times) for times in spent]
    return list(zip((name for name, *_ in asks), medians, firsts, queries, strict=True))


def _requests(client: Any, api: Any) -> list[Ask]:
    """Writes by page and by key, and reads by key."""

    def post(path: str, given: dict[str, Any]) -> Any:
        return api.post(f"/api/v1/{path}", json.dumps(given), content_type="application/json")

    line = "missed: Acme waited 2h, cause: handover"
    saved = {"line": line, "do": "save"}
    return [
        ("understanding a line", lambda: client.post("/journal/understanding", {"line": line}), 200),
        ("saving a line", lambda: client.post("/journal/", saved, HTTP_ACCEPT="application/json"), 200),
        ("API: write a moment", lambda: post("moments", {"word": "asked", "customer": "Acme"}), 201),
        ("API: write a line", lambda: post("journal", {"line": line}), 201),
        ("API: write 100 moments", lambda: post("moments/bulk", {"moments": [{"word": "asked"}] * 100}), 201),
        ("API: read a measure by month", lambda: api.get("/api/v1/measures/time_to_resolution?every=month"), 200),
        ("API: read promises", lambda: api.get("/api/v1/promises"), 200),
    ]


if __name__ == "__main__":
    run(int(os.environ.get("BENCH_CASES", CASES)))

"""A small house with a person in every role, on SQLite, or on the PostgreSQL that DATABASE_URL names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import django
import pytest
from pytest_django.plugin import blocking_manager_key

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.web.settings"  # here, so that tests of the core start without Django
django.setup()

from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402

from tests.claim.test_checks import CLAIM_ID, RAW  # noqa: E402
from wellserved.actions import open_cases, setup  # noqa: E402
from wellserved.actions.synthetic import make_cases  # noqa: E402
from wellserved.journal import crypto  # noqa: E402
from wellserved.journal.handle import Journal  # noqa: E402
from wellserved.storage import log  # noqa: E402
from wellserved.storage.workspace import Workspace  # noqa: E402
from wellserved.store.models import Account, Claim, Customer, Person, Role, Team  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """No test touches a database that it did not ask for; pytest-django blocks them only where Django is set up before."""
    config.stash[blocking_manager_key].block()


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> None:
    """The real databases of a throw-away workspace, made as `serve` makes them."""
    with django_db_blocker.unblock():
        setup.prepare(settings.WORKSPACE)


COST = crypto.SCRYPT_COST  # as shipped


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords of throw-away people cost little to guess."""
    monkeypatch.setattr(crypto, "SCRYPT_COST", 4)


@dataclass(frozen=True)
class House:
    """The people of the tests, by what they are to `kim`, a member of team A."""

    kim: Person
    peer: Person
    lead: Person
    foreign: Person
    quality: Person
    finance: Person
    admin: Person
    auditor: Person

    def __iter__(self) -> Iterator[tuple[str, Person]]:
        return iter(vars(self).items())


def people() -> House:
    """One person a role, and their teams, customers and accounts."""
    a, b = Team.objects.create(name="A"), Team.objects.create(name="B")
    roles = {"kim": ("member", a), "peer": ("member", a), "lead": ("lead", a), "foreign": ("lead", b), "quality": ("quality", None),
             "finance": ("finance", None), "admin": ("admin", None), "auditor": ("auditor", None)}  # fmt: skip
    made = {}
    for name, (role, team) in roles.items():
        made[name] = Person(username=name, role=Role(role), team=team, served_as=f"person-{name}")
        made[name].set_password("correct horse battery")
        made[name].save()
    worth = Account.objects.create(name="Acme Group", team=a, revenue_year=120_000, currency="EUR")
    Customer.objects.create(name="Acme", account=worth)
    Customer.objects.create(name="Northwind")
    return House(**made)


@pytest.fixture
def staff(db: None) -> House:
    """The people of the tests."""
    return people()


@pytest.fixture
def as_(db: None) -> Callable[[Person], Client]:
    """A browser in which somebody has logged in."""

    def login(person: Person) -> Client:
        client = Client()
        client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return login


def plain_recipe(place: Workspace) -> dict[str, Any]:
    """How the evidence of a measured claim was made."""
    return {
        "measure": "time_to_first_reply", "version": 2, "where": [], "change": "2026-04-01", "granularity": "month", "periods": [], "as_of": {},
        "zone": place.zone, "hours": "", "improvement": "", "declaration": "",
    }  # fmt: skip


def signed_claim(owner: Person) -> Claim:
    """A claim of somebody, as up to date as the log is."""
    return Claim.objects.create(
        id=CLAIM_ID, owner=owner, sentence="It went from 10 days to 9 days.", file=RAW.decode(), secret="00" * 32,
        recipe=plain_recipe(settings.WORKSPACE), log_version=log.latest_version(settings.WORKSPACE),
    )  # fmt: skip


def book(person: Person) -> Journal:
    """Somebody's journal."""
    return Journal(person.pk, settings.SECRET_KEY.encode())


def make_cases_once(place: Workspace) -> None:
    """Three hundred made cases; another test of this process may have made them, or written its own moments before."""
    if log.latest_version(place) >= 0:
        with open_cases.open_case_table(place) as case_table:
            if "synth" in case_table.as_of:
                return
    make_cases(place, 300, 1)


@pytest.fixture
def place() -> Workspace:
    """The workspace that the pages read."""
    found: Workspace = settings.WORKSPACE
    return found

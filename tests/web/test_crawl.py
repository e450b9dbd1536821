"""Every address, by every method, as everybody: nothing that was planted shows where it must not."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from tests.web.test_access import METHODS, answered, routes, world
from tests.web.test_api import key
from tests.web.test_login import RIGHT, signed_in
from wellserved.actions import sharing
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Account, ApiKey, Customer, Hook, Person, Shared, Team
from wellserved.web.api import api
from wellserved.web.log_redaction import RedactingFormatter

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
WORDS = ("xylocarp-entry", "xylocarp-draft", "xylocarp-note")  # kim's own, for nobody else
TEAMS = "xylocarp-team"  # shared with team A
LEADS = "xylocarp-lead"  # with its lead
FOREIGN = "xylocarp-foreign"  # of team B
WORTH = "xylocarp-worth"  # an account of team B
MAY_SEE = {
    TEAMS: {"kim", "peer", "lead"}, LEADS: {"kim", "lead"}, FOREIGN: {"foreign"}, WORTH: {"foreign", "finance"}, **{one: {"kim"} for one in WORDS},
}  # fmt: skip


def planted(staff: House, kim: Client) -> tuple[dict[str, set[str]], list[str]]:
    """What stands in the house -> who may see it; and secrets, which nobody is shown again."""
    book(staff.kim).write({"word": "missed", "line": f"missed: {WORDS[0]}", "text": WORDS[0], "customer": WORDS[0]})
    book(staff.kim).write({"word": "note", "line": f"note: {WORDS[2]}"})
    week = "{}-W{:02d}".format(*timezone.localdate().isocalendar()[:2])
    kim.post(f"/reports/{week}/", {"text": WORDS[1]})
    now = timezone.now()
    sharing.share(staff.kim, {"word": "missed", "text": TEAMS, "customer": "Acme"}, now)
    sharing.share(staff.kim, {"word": "missed", "text": LEADS, "customer": "Acme"}, now, "lead")
    sharing.share(staff.foreign, {"word": "missed", "text": FOREIGN, "customer": "Northwind"}, now)
    worth = Account.objects.create(name=WORTH, team=Team.objects.get(name="B"), revenue_year=777_123)
    Customer.objects.filter(name="Northwind").update(account=worth)
    secrets = [shown(kim.post("/me/recovery")), shown(kim.post("/me/calendar")).split("/")[-1].removesuffix(".ics")]
    secrets.append(shown(kim.post("/me/keys", {"name": "k", "scopes": "promises:read", "days": "3"})))
    kim.post("/me/hooks", {"sort": "standard"})
    hook = Hook.objects.exclude(secret="s").get(owner=staff.kim)
    secrets += [
        hook.secret,
        *ApiKey.objects.values_list("digest", flat=True),
        *Person.objects.values_list("password", flat=True),
    ]
    return MAY_SEE, [one for one in secrets if len(one) > 9]


def shown(answer: object) -> str:
    """The secret of a page that shows it once."""
    found = re.search(r'id="once" readonly value="([^"]+)"', answer.content.decode())  # type: ignore[attr-defined]
    assert found
    return found[1]


def addresses(known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Every page, of kim's things where it is about one."""
    for name, pattern in routes():
        if not pattern.startswith("api/"):
            yield name, "/" + known.get(name, re.sub(r"[\^$]|\\Z|<[^>]*>", "", pattern))


def test_nothing_planted_is_shown_to_others(
    staff: House, as_: As, place: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    known = world(staff, place)
    kim = signed_in("kim")
    who, secrets = planted(staff, kim)
    theirs = {"shared": f"shared/{Shared.objects.get(text=FOREIGN).pk}/", "account": f"accounts/{Account.objects.get(name=WORTH).pk}/",
              "customer": f"customers/{Customer.objects.get(name='Northwind').pk}/"}  # fmt: skip
    caplog.set_level(logging.DEBUG)
    asked = 0
    for name, person in [*staff, ("nobody", None)]:
        client = Client() if person is None else kim if name == "kim" else as_(person)
        for route, address in [*addresses(known), *((one, f"/{path}") for one, path in theirs.items())]:
            if route == "feed" or (route.startswith(("account_", "mfa_")) and name != "kim"):
                continue  # a feed's address is its key: tests/web/test_reset.py
            for method in METHODS[:2] if route not in ("entry", "shared", "person") else METHODS:
                answer, content = answered(client, method, route, address)
                text = content + str(dict(answer.headers)).encode()
                for word, those in who.items():
                    assert name in those or word.encode() not in text, (word, name, method, address)
                for secret in secrets:
                    assert secret.encode() not in text, (name, method, address)
                assert answer.status_code < 500, (name, method, address)
                asked += 1
    assert asked > 1_200
    lines = "\n".join(RedactingFormatter().format(one) for one in caplog.records if one.name != "django.db.backends")
    for secret in (*secrets, *WORDS, RIGHT):
        assert secret not in lines


def test_a_program_reaches_what_its_owner_may_and_no_more(staff: House, place: Workspace) -> None:
    known = world(staff, place)
    who, secrets = planted(staff, signed_in("kim"))
    hook, entry, shared = (
        Hook.objects.exclude(secret="s").get(owner=staff.kim),
        known["entry"].split("/")[1],
        known["shared"].split("/")[1],
    )
    paths = [path for _prefix, router in api._routers for path in router.path_operations]
    filled = [
        re.sub(r"\{[^}]*hook\}", str(hook.pk), re.sub(r"\{[^}]*(name|source)\}", "asked", path)) for path in paths
    ]
    moment: dict[str, object] = {"word": "kept", "text": "x", "thread": shared, "id": str(uuid.uuid4())}
    bodies: tuple[dict[str, object], ...] = (
        {},
        moment,
        {**moment, "id": shared},
        {"moments": [{**moment, "id": entry}]},
        {"line": "kept: x", "id": entry},
    )
    asked = 0
    for name, person in [*staff, ("nobody", None)]:
        client = Client() if person is None else key(person)
        for path in filled:
            for method in METHODS:
                for body in bodies if method == "POST" else bodies[:1]:
                    answer = client.generic(method, f"/api/v1{path}", json.dumps(body), content_type="application/json")
                    text = answer.content + str(dict(answer.headers)).encode()
                    for word, those in who.items():
                        assert name in those - {"kim"} or word.encode() not in text, (word, name, method, path)
                    assert not any(secret.encode() in text for secret in secrets)
                    assert answer.status_code < 500, (name, method, path)
                    if person is None:
                        assert answer.status_code in (401, 405), (method, path)
                    asked += 1
    assert asked > 500
    assert Shared.objects.get(pk=shared).author_id == staff.kim.pk
    assert not Shared.objects.filter(pk=entry).exclude(author=staff.kim).exists()


def test_numbers_about_a_person_are_on_no_page_of_others(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    for form in ("", "&format=csv", "&format=json"):
        path = f"/measures/asked/?where=person_id=person-kim{form}"
        for name, person in staff:
            assert (as_(person).get(path).status_code == 200) == (name in ("kim", "lead")), (name, form)
            answer = key(person).get("/api/v1/measures/asked?where=person_id=person-kim")
            assert (answer.status_code == 200) == (name in ("kim", "lead")), name


def test_administrators_do_not_say_who_they_are_in_the_records(staff: House, as_: As) -> None:
    client = as_(staff.admin)
    mine = {"role": "admin", "is_active": "on", "served_as": "person-kim"}
    assert b"another administrator" in client.post(f"/people/{staff.admin.pk}/", mine).content
    theirs = {"role": "member", "is_active": "on", "served_as": "person-kim"}
    assert b"Somebody else is" in client.post(f"/people/{staff.peer.pk}/", theirs).content
    staff.admin.refresh_from_db()
    staff.peer.refresh_from_db()
    assert (staff.admin.served_as, staff.peer.served_as) == ("person-admin", "person-peer")
    client.post(f"/people/{staff.kim.pk}/", {**theirs, "served_as": "person-new"})
    assert b"changed the name in the records" in as_(Person.objects.get(pk=staff.kim.pk)).get("/me/").content

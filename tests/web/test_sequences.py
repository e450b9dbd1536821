"""One deed after another: after each, nobody sees or can do what they must not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from tests.web.test_api import key, sent
from tests.web.test_login import RIGHT, signed_in
from wellserved.actions import rendering, sharing
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.moments import JOURNAL_SOURCE
from wellserved.storage.workspace import Workspace, create_workspace
from wellserved.store.access import AccessScope
from wellserved.store.models import Account, Customer, Event, Invitation, Person, Shared, Team

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()  # counts of attempts


def shared(author: Person, text: str, customer: str = "Acme", word: str = "missed", audience: str = "team") -> Shared:
    """A moment that somebody shared now."""
    due = (timezone.now() + timedelta(days=1)).isoformat() if word == "promise" else None
    facts = {"word": word, "text": text, "customer": customer, "due": due}
    return sharing.share(author, facts, timezone.now(), audience)


def change(as_: As, admin: Person, person: Person, **to: object) -> None:
    """An administrator's decision about somebody, as the form sends it."""
    person.refresh_from_db()
    now = {"role": person.role, "team": person.team_id or "", "served_as": person.served_as, "is_active": "on"}
    given = {name: value for name, value in {**now, **to}.items() if value is not None}
    assert as_(admin).post(f"/people/{person.pk}/", given).status_code == 302


def offered(as_: As, admin: Person, name: str, role: str = "member", team: str = "") -> str:
    """The address of an invitation."""
    given = {"username": name, "role": role, "team": team}
    return "/invitation/" + as_(admin).post("/people/", given).content.decode().split("/invitation/")[1].split('"')[0]


def seen(client: Client, *words: str) -> set[str]:
    """Which of the words any list of a team shows."""
    pages = ["/", "/promises/?all=1", "/failures/", "/customers/", "/accounts/", "/causes/"]
    text = b"".join(client.get(page).content for page in pages).decode()
    return {word for word in words if word in text}


def test_invited_they_see_what_their_role_sees_and_older_invitations_are_dead(staff: House, as_: As) -> None:
    shared(staff.peer, "of team A")
    shared(staff.foreign, "of team B")
    first, second = offered(as_, staff.admin, "new", team="A"), offered(as_, staff.admin, "new", team="A")
    assert Client().post(first, {"password": RIGHT}).status_code == 422
    client = Client()
    assert client.post(second, {"password": RIGHT}).status_code == 302
    assert seen(client, "of team A", "of team B") == {"of team A"}
    assert client.get("/people/").status_code == 404
    for dead in (first, second):
        assert Client().post(dead, {"password": "another horse battery"}).status_code == 422
    assert signed_in("new").get("/").status_code == 200


def test_an_invitation_dies_with_its_givers_right_and_with_its_takers_access(staff: House, as_: As) -> None:
    by_lead = Person.objects.get(pk=staff.lead.pk)
    change(as_, staff.admin, by_lead, is_staff="on")
    address = offered(as_, by_lead, "new")
    change(as_, staff.admin, by_lead, is_staff=None)
    assert Client().post(address, {"password": RIGHT}).status_code == 422
    mine = offered(as_, staff.admin, "peer")
    change(as_, staff.admin, staff.peer, is_active=None)
    assert Client().post(mine, {"password": "another horse battery"}).status_code == 422
    change(as_, staff.admin, staff.peer)
    assert Client().post(mine, {"password": "another horse battery"}).status_code == 422  # still, once they are back


def test_another_role_counts_at_once(staff: House, as_: As) -> None:
    client, program = as_(staff.lead), key(staff.lead)
    shared(staff.kim, "for the lead", audience="lead")
    assert seen(client, "for the lead") == {"for the lead"}
    assert client.get("/data/").status_code == 200
    change(as_, staff.admin, staff.lead, role="member")
    assert seen(client, "for the lead") == set()
    for path in ("/data/", "/accounts/", "/customers/file"):
        assert client.get(path).status_code == 404
    assert client.post("/customers/", {"name": "New"}).status_code == 404
    assert not Customer.objects.filter(name="New").exists()
    assert client.get("/measures/asked/?where=person_id=person-kim").status_code == 404
    change(as_, staff.admin, staff.lead, role="auditor")
    assert program.get("/api/v1/measures").status_code == 403
    assert sent(program, "moments", {"word": "asked"}).status_code == 403
    assert client.get("/measures/").status_code == 404


def test_a_former_lead_sees_nothing_of_the_team_that_they_left(staff: House, as_: As) -> None:
    client, program, feed = as_(staff.lead), key(staff.lead), as_(staff.lead).post("/me/calendar").content.decode()
    words = ("failed in A", "promised in A", "own of the lead")
    one, _two = shared(staff.kim, words[0], audience="lead"), shared(staff.peer, words[1], "Northwind", "promise")
    mine = shared(staff.lead, words[2])
    assert seen(client, *words) == set(words)
    assert seen(client, "Acme Group") == {"Acme Group"}
    change(as_, staff.admin, staff.lead, team=Team.objects.get(name="B").pk)
    other = shared(staff.foreign, "failed in B", audience="lead")
    assert seen(client, *words, "failed in B") == {"own of the lead", "failed in B"}
    assert seen(client, "Acme Group") == set()
    account = Account.objects.get().pk
    for path in (f"/shared/{one.pk}/", f"/accounts/{account}/", "/measures/asked/?where=person_id=person-kim"):
        assert client.get(path).status_code == 404, path
    assert client.post(f"/shared/{one.pk}/follow", {"word": "recovered"}).status_code == 404
    assert client.get(f"/shared/{other.pk}/").status_code == 200
    assert client.get(f"/shared/{mine.pk}/").status_code == 200  # what one shared oneself stays one's own
    assert program.get("/api/v1/promises").json() == []
    assert words[1].encode() not in Client().get("/calendar/" + feed.split("/calendar/")[1].split('"')[0]).content
    assert AccessScope(Person.objects.get(pk=staff.lead.pk)).case_filter() == (("team", "B"),)
    answer = sent(program, "moments", {"word": "recovered", "thread": str(one.thread)})
    assert answer.status_code == 422  # nor do they write into its threads


def test_a_helper_who_left_the_team_is_asked_about_nothing(staff: House, as_: As) -> None:
    sharing.share(staff.kim, {"word": "missed", "text": "with @peer", "people": ["peer"]}, timezone.now())
    client = as_(staff.peer)
    assert b"with @peer" in client.get("/").content
    change(as_, staff.admin, staff.peer, team="")
    assert b"with @peer" not in client.get("/").content


def test_whoever_was_removed_is_out_by_every_way(staff: House, as_: As) -> None:
    client, program = signed_in("kim"), key(staff.kim)
    feed = "/calendar/" + client.post("/me/calendar").content.decode().split("/calendar/")[1].split('"')[0]
    shown = client.post("/me/hooks", {"sort": "standard"}).content.decode()
    hook = "/api/v1/hooks/" + shown.split("/api/v1/hooks/")[1].split('"')[0]
    book(staff.kim).write({"word": "note", "line": "mine"})
    change(as_, staff.admin, staff.kim, is_active=None)
    assert client.get("/").status_code == 302
    assert not [one for one in Session.objects.all() if one.get_decoded().get("_auth_user_id") == str(staff.kim.pk)]
    assert program.get("/api/v1/promises").status_code == 401
    assert Client().get(feed).status_code == 404
    assert Client().post(hook, {}, content_type="application/json").status_code == 404
    assert signed_in("kim").get("/").status_code == 302
    change(as_, staff.admin, staff.kim)  # back again: with the password, and by nothing of before
    assert client.get("/").status_code == 302
    assert program.get("/api/v1/promises").status_code == 401
    assert Client().get(feed).status_code == 404
    assert b"mine" in signed_in("kim").get("/journal/").content


def test_merged_customers_show_each_team_its_own_alone(staff: House, as_: As) -> None:
    shared(staff.kim, "told team A", "Acme")
    shared(staff.foreign, "told team B", "Northwind")
    worth = Account.objects.create(name="Worth of B", team=staff.foreign.team, revenue_year=777_123)
    Customer.objects.filter(name="Northwind").update(account=worth)
    acme, north = Customer.objects.get(name="Acme").pk, Customer.objects.get(name="Northwind").pk
    assert as_(staff.lead).post(f"/customers/{acme}/merge", {"other": north}).status_code == 302
    for person, own in ((staff.lead, "told team A"), (staff.foreign, "told team B"), (staff.peer, "told team A")):
        page = as_(person).get(f"/customers/{north}/").content.decode()
        assert {word for word in ("told team A", "told team B") if word in page} == {own}
        assert ("Worth of B" in page) == (person is staff.foreign), person.username
        assert not re.search(r"777[.,\u202f]?123", page)
    assert as_(staff.lead).get(f"/accounts/{worth.pk}/").status_code == 404
    assert as_(staff.peer).post(f"/customers/{acme}/part").status_code == 404
    assert as_(staff.foreign).post(f"/customers/{acme}/part").status_code == 302
    assert "told team B" not in as_(staff.lead).get(f"/customers/{acme}/").content.decode()


def test_what_was_withdrawn_is_gone_everywhere_and_from_every_later_fold(staff: House, as_: As, tmp_path: Path) -> None:
    place = create_workspace(tmp_path / "home", "UTC")
    stays = shared(staff.kim, "it stays", word="promise")
    gone = sharing.share(
        staff.kim, {"word": "promise", "text": "xylocarp words", "service": "xylocarp-service", "customer": "Xylocarp AG",
                    "due": (timezone.now() + timedelta(hours=3)).isoformat(), "people": ["peer"]}, timezone.now(),
    )  # fmt: skip
    sharing.write_pending(place)
    owner, program = as_(staff.kim), key(staff.lead)
    assert "xylocarp-service" in numbers(place)
    assert len(program.get("/api/v1/promises").json()) == 2
    assert owner.post(f"/shared/{gone.pk}/withdraw").status_code == 302
    for _name, person in staff:
        client = as_(person)
        assert seen(client, "xylocarp words", "xylocarp-service") == set()
        assert client.get(f"/shared/{gone.pk}/").status_code == 404
        for path in ("follow", "withdraw"):
            assert client.post(f"/shared/{gone.pk}/{path}", {"word": "kept"}).status_code == 404
    assert [one["id"] for one in program.get("/api/v1/promises").json()] == [str(stays.pk)]
    assert sent(program, "moments", {"word": "kept", "thread": str(gone.thread)}).status_code in (201, 422)
    row = Shared.objects.get(pk=gone.pk)
    assert (row.text, row.service, row.customer) == ("", "", None)
    for _ in range(2):  # and in no fold after
        sharing.write_pending(place)
        assert "xylocarp-service" not in numbers(place)
        assert "asked" in numbers(place)
        shared(staff.peer, "another", word="promise")
    week = timezone.localdate().isocalendar()
    text = owner.get(f"/reports/{week[0]}-W{week[1]:02d}/as/txt").content.decode()
    assert "xylocarp" not in text.lower()


def numbers(place: Workspace) -> str:
    """What pages, API, CSV and reports say of what was shared, with every service by name."""
    question = MeasureQuestion((find_measure("asked"),), by="service")
    said = [rendering.measure_text(place, question, form) for form in ("csv", "json")]
    return "\n".join(
        [
            *said,
            rendering.measure_page(place, question),
            rendering.render_report(place, JOURNAL_SOURCE, None, None, "json"),
        ]
    )


SAVE = """
import sys
from pathlib import Path
from wellserved.cli.databases import prepare_workspace
workspace = prepare_workspace(Path(sys.argv[1]), make=True)
from django.test import Client
from django.conf import settings
settings.ALLOWED_HOSTS = ["testserver"]
from django.utils import timezone
from wellserved.actions import backups, membership, sharing
from wellserved.store.models import ApiKey, Person
for name in ("boss", "kim", "peer"):
    membership.add_person(name, "member", "A", "correct horse battery")
kim, boss = Person.objects.get(username="kim"), Person.objects.get(username="boss")
keeps, gone = (sharing.share(kim, {"word": "asked", "text": text, "service": text}, timezone.now()) for text in ("stays", "xylocarp"))
while sharing.write_pending(workspace):
    pass
sharing.withdraw_copy(gone)  # and the log does not know yet
token, _here = membership.invite(boss, "new", "member", None)
peer = Client()
peer.post("/login/login/", {"login": "peer", "password": "correct horse battery"})
assert peer.get("/").status_code == 200
closed = Person.objects.get(username="peer")
closed.is_active = False
membership.change_person(boss, closed)
alive = Client()
alive.post("/login/login/", {"login": "kim", "password": "correct horse battery"})
alive.post("/journal/", {"line": "note: ylem", "do": "save"})
backups.write_backup(workspace, Path(sys.argv[2]), lambda *_: None)
print(token, alive.cookies[settings.SESSION_COOKIE_NAME].value, alive.cookies["journal_key"].value, gone.pk)
"""
BACK = """
import json, sys
from pathlib import Path
from wellserved.cli.databases import prepare_workspace
from wellserved.cli.upkeep_commands import _restore_secret
home, file, token, session, key, gone = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
home.mkdir()
_restore_secret(file, home)
workspace = prepare_workspace(home, make=True)
from django.test import Client
from django.conf import settings
settings.ALLOWED_HOSTS = ["testserver"]
from wellserved.actions import backups, rendering, sharing
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.store.models import Shared
backups.restore_backup(workspace, file, lambda *_: None)
old = Client()
old.cookies[settings.SESSION_COOKIE_NAME], old.cookies["journal_key"] = session, key
peer, kim = Client(), Client()
for client, name in ((peer, "peer"), (kim, "kim")):
    client.post("/login/login/", {"login": name, "password": "correct horse battery"})
while sharing.write_pending(workspace):
    pass
numbers = rendering.measure_text(workspace, MeasureQuestion((find_measure("asked"),), by="service"), "csv")
print(json.dumps({
    "session": old.get("/").status_code, "removed": peer.get("/").status_code, "withdrawn": kim.get(f"/shared/{gone}/").status_code,
    "words": Shared.objects.get(pk=gone).text, "numbers": numbers, "journal": "ylem" in kim.get("/journal/").content.decode(),
    "invitation": Client().post(f"/invitation/{token}", {"password": "correct horse battery"}).status_code,
}))
"""


def test_a_restored_house_lets_in_whom_it_should_and_shows_what_it_should(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")}

    def run(code: str, *words: str) -> str:
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip().splitlines()[-1]

    made = run(SAVE, str(tmp_path / "home"), str(tmp_path / "saved.zip")).split()
    now = json.loads(run(BACK, str(tmp_path / "fresh"), str(tmp_path / "saved.zip"), *made))
    assert now.pop("numbers").count("xylocarp") == 0
    assert now == {"session": 302, "removed": 302, "withdrawn": 404, "words": "", "journal": True, "invitation": 422}


def test_what_was_done_is_on_record(staff: House, as_: As) -> None:
    address = offered(as_, staff.admin, "new")
    Client().post(address, {"password": RIGHT})
    change(as_, staff.admin, staff.kim, role="lead")
    change(as_, staff.admin, staff.kim, is_active=None)
    deeds = list(Event.objects.order_by("at", "pk").values_list("actor", "deed", "object"))
    for deed in (
        ("admin", "invited", "new"),
        ("new", "came in", "new"),
        ("admin", "made lead", "kim"),
        ("admin", "made lead, without access", "kim"),
    ):
        assert deed in deeds
    assert not Invitation.objects.filter(used=None).exists()

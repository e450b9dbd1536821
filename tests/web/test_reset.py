"""Another password, given by whomever, opens no journal: every sentence of docs/access.md on it is tested here."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from tests.web.conftest import COST, House, book
from tests.web.test_api import key
from tests.web.test_login import RIGHT, code_of, signed_in
from wellserved.actions import membership
from wellserved.errors import RequestError
from wellserved.journal import crypto, keys
from wellserved.journal.handle import Journal
from wellserved.journal.models import OPEN_COLUMNS, SEALED_COLUMNS, Draft, Entry, Keyring
from wellserved.storage.workspace import Workspace
from wellserved.store.models import ApiKey, Event, Hook, Invitation, Person
from wellserved.web import session

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
OTHER = "another horse battery"
SECRET_WORDS = "ylem in the attic"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()  # counts of attempts


def wrote(client: Client, line: str = f"note: {SECRET_WORDS}") -> Entry:
    """An entry, written in a browser."""
    client.post("/journal/", {"line": line, "do": "save"})
    entry = Entry.objects.order_by("-created").first()
    assert entry is not None
    return entry


def recovery_of(client: Client) -> str:
    """A recovery code, made in a browser."""
    shown = client.post("/me/recovery").content.decode()
    code = re.search(r"(?:[A-Z2-7]{4}-){6}[A-Z2-7]{2}", shown)
    assert code, shown
    return code[0]


def reset(staff: House, as_: As, name: str = "kim", password: str = OTHER) -> Client:
    """An administrator's way to another password, and the browser that took it."""
    shown = as_(staff.admin).post("/people/", {"username": name, "role": "member"}).content.decode()
    client = Client()
    client.post("/invitation/" + shown.split("/invitation/")[1].split('"')[0], {"password": password})
    return client


def shows(client: Client, words: str = SECRET_WORDS) -> bool:
    """Any page of one's own shows the words."""
    entries = [f"/journal/{pk}/" for pk in Entry.objects.values_list("pk", flat=True)]
    pages = [
        "/",
        "/journal/",
        "/promises/",
        "/journal/export",
        "/me/",
        "/me/judgement",
        "/reports/2026-W47/as/txt",
        *entries,
    ]
    answers = (client.get(page) for page in pages)
    return any(
        words.encode() in (b"".join(one.streaming_content) if one.streaming else one.content)  # type: ignore[attr-defined]
        for one in answers
    )


def test_an_administrator_who_resets_a_password_reads_nothing(staff: House, as_: As) -> None:
    owner = signed_in("kim")
    wrote(owner)
    assert shows(owner)
    thief = reset(staff, as_)
    assert thief.get("/").status_code == 200
    assert not shows(thief)
    assert not shows(signed_in("kim", OTHER))


def test_a_journal_from_before_the_upgrade_stays_closed_too(staff: House, as_: As) -> None:
    book(staff.kim).write({"word": "note", "line": SECRET_WORDS})  # locked by the workspace's secret alone
    assert Keyring.objects.get(owner=staff.kim.pk).locks.keys() == {"workspace"}
    thief = reset(staff, as_)
    assert not shows(thief)
    assert not book(staff.kim).is_readable
    assert thief.post("/journal/unlock", {"passphrase": OTHER}).status_code == 422
    assert thief.post("/journal/unlock", {"passphrase": settings.SECRET_KEY}).status_code == 422
    thief.post("/journal/unlock", {"passphrase": RIGHT})  # which only its owner knows
    assert shows(thief)


def test_two_resets_in_a_row_open_no_more_than_one(staff: House, as_: As) -> None:
    book(staff.kim).write({"word": "note", "line": SECRET_WORDS})
    reset(staff, as_)
    thief = reset(staff, as_, password="a third horse battery")
    thief.post("/journal/unlock", {"passphrase": OTHER})
    assert not shows(thief)
    assert thief.post("/journal/unlock", {"passphrase": RIGHT}).status_code == 302
    assert shows(thief)


@pytest.mark.parametrize("by", ["recovery", "password"])
def test_the_owner_opens_earlier_entries_again(staff: House, as_: As, by: str) -> None:
    owner = signed_in("kim")
    code = recovery_of(owner)
    wrote(owner)
    owner.post("/reports/2026-W47/", {"text": f"{SECRET_WORDS} of the week"})
    thief = reset(staff, as_)
    wrote(thief, "note: written since")
    thief.post("/reports/2026-W47/", {"text": "the week since"})
    page = thief.get("/journal/").content.decode()
    assert "1 earlier entry is closed" in page
    assert "written since" in page
    word = code.lower().replace("-", " ") if by == "recovery" else RIGHT
    assert thief.post("/journal/unlock", {"passphrase": word}).status_code == 302
    page = thief.get("/journal/").content.decode()
    assert SECRET_WORDS in page
    assert "written since" in page
    assert "earlier entr" not in page
    week = thief.get("/reports/2026-W47/").content.decode()
    assert "the week since" in week
    assert f"{SECRET_WORDS} of the week" in week
    assert Keyring.objects.get(owner=staff.kim.pk).former == []
    assert shows(signed_in("kim", OTHER))
    old = signed_in("kim", OTHER)
    assert old.post("/journal/unlock", {"passphrase": code}).status_code == 422 or by == "password"


def test_what_nobody_can_open_is_kept_closed(staff: House, as_: As) -> None:
    owner = signed_in("kim")
    wrote(owner)
    thief = reset(staff, as_)
    (entry,) = Entry.objects.all()
    for path in (f"/journal/{entry.pk}/", f"/journal/{entry.pk}/erase", f"/journal/{entry.pk}/share"):
        assert thief.post(path, {"audience": "team"}).status_code == 422
    assert Entry.objects.count() == 1
    assert "closed" in thief.get(f"/journal/{entry.pk}/").content.decode()


def test_after_a_reset_lines_about_open_matters_are_still_taken(staff: House, as_: As) -> None:
    wrote(signed_in("kim"), "promise: Bob gets a call by 2099-01-01 10:00")
    client = reset(staff, as_)
    assert client.post("/journal/", {"line": "thanks: +Bob for the flowers", "do": "save"}).status_code == 302
    assert client.post("/journal/", {"line": "fixed: +Bob has his parts", "do": "save"}).status_code == 302


def test_an_address_made_after_a_reset_opens_nothing_of_before(staff: House, as_: As) -> None:
    wrote(signed_in("kim"))
    reset(staff, as_)
    handle = Journal(staff.kim.pk, settings.SECRET_KEY.encode())
    handle.open_with_password(OTHER)
    handle.lock_by_feed("address-of-somebody-else")
    assert keys.FEED in Keyring.objects.get(owner=staff.kim.pk).locks
    handle.unlock(RIGHT)  # the owner brings the earlier entries back
    assert keys.FEED not in Keyring.objects.get(owner=staff.kim.pk).locks


def test_a_code_made_after_a_reset_opens_nothing_of_before(staff: House, as_: As) -> None:
    wrote(signed_in("kim"))
    code_of_somebody_else = recovery_of(reset(staff, as_))
    owner = signed_in("kim", OTHER)
    back = owner.post("/journal/unlock", {"passphrase": RIGHT}, follow=True)
    assert back.redirect_chain == [("/me/recovery", 302)]
    assert "opens nothing any more. Make a new one." in back.content.decode()
    assert shows(owner)
    with pytest.raises(crypto.LockedError):
        Journal(staff.kim.pk, settings.SECRET_KEY.encode()).unlock(code_of_somebody_else)
    code = recovery_of(owner)
    Journal(staff.kim.pk, settings.SECRET_KEY.encode()).unlock(code)


def test_factors_stay_and_are_asked_for(staff: House, as_: As) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    owner = signed_in("kim")
    wrote(owner)
    TOTP.activate(staff.kim, secret)
    thief = reset(staff, as_)
    assert thief.get("/").status_code == 302
    assert signed_in("kim", OTHER).get("/").status_code == 302
    assert Keyring.objects.get(owner=staff.kim.pk).former == []  # without the factor nothing was begun
    thief.post("/login/2fa/authenticate/", {"code": "000000"})
    assert thief.get("/").status_code == 302
    cache.clear()
    thief.post("/login/2fa/authenticate/", {"code": code_of(secret)})
    assert thief.get("/").status_code == 200
    assert Authenticator.objects.filter(user=staff.kim).exists()
    assert not shows(thief)


def test_the_second_factor_opens_the_journal_with_the_password(staff: House) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    wrote(signed_in("kim"))
    TOTP.activate(staff.kim, secret)
    owner = signed_in("kim")
    assert owner.get("/journal/").status_code == 302
    cache.clear()
    owner.post("/login/2fa/authenticate/", {"code": code_of(secret)})
    assert shows(owner)


def test_ways_in_end_with_a_reset(staff: House, as_: As) -> None:
    owner, program = signed_in("kim"), key(staff.kim)
    feed = re.search(r"/calendar/[\w-]+\.ics", owner.post("/me/calendar").content.decode())
    older = as_(staff.admin).post("/people/", {"username": "peer", "role": "member"}).content.decode()
    assert feed
    owner.post("/me/hooks", {"sort": "standard"})
    assert program.get("/api/v1/promises").status_code == 200
    reset(staff, as_)
    assert owner.get("/").status_code == 302
    assert program.get("/api/v1/promises").status_code == 401
    assert Client().get(feed[0]).status_code == 404
    assert not ApiKey.objects.filter(owner=staff.kim).exists()
    assert Hook.objects.filter(owner=staff.kim).exists()
    assert Client().get("/invitation/" + older.split("/invitation/")[1].split('"')[0]).status_code == 200  # peer's own


def test_the_owner_is_told_and_it_is_on_record(staff: House, as_: As) -> None:
    client = reset(staff, as_)
    assert "You were given another password by admin" in client.get("/").content.decode()
    assert "You were given another password by admin" in client.get("/promises/").content.decode()
    client.post("/me/read")
    assert "You were given another password" not in client.get("/").content.decode()
    assert "admin: gave another password" in client.get("/me/").content.decode()  # and stays there
    deeds = list(Event.objects.filter(object="kim").values_list("actor", "deed"))
    assert ("admin", membership.PASSWORD_OFFERED) in deeds
    assert ("admin", membership.PASSWORD_RESET) in deeds
    assert "gave another password" in as_(staff.auditor).get("/audit/").content.decode()


def test_the_command_line_resets_alike(staff: House) -> None:
    TOTP.activate(staff.kim, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    wrote(client := signed_in("peer"))
    assert shows(client)
    membership.set_new_password("peer", OTHER)
    assert client.get("/").status_code == 302
    thief = signed_in("peer", OTHER)
    assert not shows(thief)
    assert "by (command line)" in thief.get("/").content.decode()
    membership.set_new_password("kim", OTHER)
    assert Authenticator.objects.filter(user=staff.kim).exists()
    membership.set_new_password("kim", OTHER, without_factors=True)
    assert not Authenticator.objects.filter(user=staff.kim).exists()
    assert Event.objects.filter(object="kim", deed=membership.FACTORS_ENDED, actor="(command line)").exists()


def test_nobody_who_is_alone_is_locked_out_by_it(db: None) -> None:
    client = Client()
    wrote(client)
    with pytest.raises(RequestError):
        membership.set_new_password("me", OTHER)
    assert shows(client)


def test_changing_ones_own_password_closes_nothing(staff: House) -> None:
    owner = signed_in("kim")
    wrote(owner)
    changed = {"oldpassword": RIGHT, "password1": OTHER, "password2": OTHER}
    assert owner.post("/login/password/change/", changed).status_code == 302
    assert shows(owner)
    assert shows(signed_in("kim", OTHER))
    assert Keyring.objects.get(owner=staff.kim.pk).former == []
    staff.kim.refresh_from_db()
    assert staff.kim.reset_at is None


def test_a_workspace_from_before_is_locked_by_its_owners_at_their_login(staff: House) -> None:
    entry = book(staff.kim).write({"word": "note", "line": SECRET_WORDS})
    owner = signed_in("kim")
    assert shows(owner)
    assert Keyring.objects.get(owner=staff.kim.pk).locks.keys() == {"password"}
    assert not book(staff.kim).is_readable  # the workspace's secret opens it no more
    with pytest.raises(crypto.LockedError):
        book(staff.kim).decrypt([entry])
    assert not shows(Client())


def test_a_new_login_is_led_to_a_recovery_code(staff: House) -> None:
    client = Client()
    answer = client.post("/login/login/", {"login": "kim", "password": RIGHT})
    assert answer["Location"] == "/me/recovery"
    recovery_of(client)
    assert Client().post("/login/login/", {"login": "kim", "password": RIGHT})["Location"] == "/"


def test_a_passphrase_is_opened_by_no_password(staff: House, as_: As) -> None:
    owner = signed_in("kim")
    wrote(owner)
    words = {"passphrase": "four words and more", "again": "four words and more"}
    owner.post("/me/passphrase", words)
    assert shows(owner)
    assert not shows(signed_in("kim"))
    thief = reset(staff, as_)
    assert not shows(thief)
    assert thief.post("/journal/unlock", {"passphrase": RIGHT}).status_code == 422
    thief.post("/journal/unlock", {"passphrase": "four words and more"})
    assert shows(thief)


def test_a_forgotten_passphrase_leaves_a_way_to_begin_anew(staff: House) -> None:
    owner = signed_in("kim")
    wrote(owner)
    owner.post("/me/passphrase", {"passphrase": "four words and more", "again": "four words and more"})
    assert owner.post("/me/anew", {"password": RIGHT}).status_code == 422  # it is open
    owner.post("/journal/lock")
    assert owner.post("/me/anew", {"password": OTHER}).status_code == 422
    assert owner.post("/me/anew", {"password": RIGHT}).status_code == 302
    assert not shows(owner)
    wrote(owner, "note: begun anew")
    assert shows(owner, "begun anew")
    owner.post("/journal/unlock", {"passphrase": "four words and more"})
    assert shows(owner)


def test_a_passkey_alone_opens_no_journal(staff: House, as_: As) -> None:
    wrote(signed_in("kim"))
    client = as_(staff.kim)  # signed in without a password, as a passkey does
    assert client.get("/journal/").status_code == 200
    assert not shows(client)
    wrote(client, "note: while locked")
    assert client.post("/journal/unlock", {"passphrase": OTHER}).status_code == 422
    client.post("/journal/unlock", {"passphrase": RIGHT})
    assert shows(client)
    assert shows(client, "while locked")


def test_a_passkey_after_a_reset_begins_anew_by_the_new_password(staff: House, as_: As) -> None:
    wrote(signed_in("kim"))
    membership.set_new_password("kim", OTHER)
    client = as_(Person.objects.get(pk=staff.kim.pk))
    client.post("/journal/unlock", {"passphrase": OTHER})
    assert not shows(client)
    client.post("/journal/unlock", {"passphrase": RIGHT})
    assert shows(client)


def test_what_comes_without_a_key_is_read_by_its_owner(staff: House) -> None:
    signed_in("kim")
    answer = key(staff.kim).post("/api/v1/journal", {"line": "note: by a program"}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    book(staff.kim).write({"word": "note", "line": "note: by the command line"})
    owner = signed_in("kim")
    assert shows(owner, "by a program")
    assert shows(owner, "by the command line")


def test_a_calendar_address_opens_promises_and_no_page(staff: House) -> None:
    owner = signed_in("kim")
    wrote(owner, "promise: the draft of the ylem by tomorrow 14:00")
    feed = re.search(r"/calendar/[\w-]+\.ics", owner.post("/me/calendar").content.decode())
    assert feed
    assert b"ylem" in Client().get(feed[0]).content
    owner.post("/me/passphrase", {"passphrase": "four words and more", "again": "four words and more"})
    assert b"ylem" not in Client().get(feed[0]).content


def test_neither_the_sessions_nor_the_cookie_opens_a_journal_alone(staff: House) -> None:
    owner = signed_in("kim")
    entry = wrote(owner)
    cookie = base64.urlsafe_b64decode(owner.cookies[session.COOKIE].value)
    held = next(one.get_decoded() for one in Session.objects.all() if one.get_decoded().get("_auth_user_id"))
    assert "journal_password" not in held
    sealed = base64.b64decode(held["journal"])
    for guess in (cookie, sealed[-32:], sealed[:32]):
        assert not Journal(staff.kim.pk, settings.SECRET_KEY.encode(), guess).is_readable
    without = Client()
    without.cookies[settings.SESSION_COOKIE_NAME] = owner.cookies[settings.SESSION_COOKIE_NAME].value
    assert not shows(without)
    other = signed_in("peer")
    other.cookies[session.COOKIE] = owner.cookies[session.COOKIE].value
    assert not shows(other)
    opened = crypto.reveal(cookie, b"journal", sealed)
    assert (
        Journal(staff.kim.pk, settings.SECRET_KEY.encode(), opened).decrypt([entry])[0].words == f"note: {SECRET_WORDS}"
    )


def test_guessing_what_opens_a_journal_is_slowed_down(staff: House, as_: As) -> None:
    wrote(signed_in("kim"))
    client = as_(staff.kim)
    for _ in range(10):
        assert b"does not open" in client.post("/journal/unlock", {"passphrase": "wrong"}).content
    assert b"too often" in client.post("/journal/unlock", {"passphrase": "wrong"}).content
    assert b"too often" in client.post("/me/passphrase", {"do": "drop", "password": "wrong"}).content or not shows(
        client
    )


def test_a_passphrase_of_an_older_cost_opens_and_costs_more_from_then_on(
    staff: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crypto, "SCRYPT_COST", COST)
    mine = book(staff.kim)
    entry = mine.write({"word": "note", "line": SECRET_WORDS})
    mine.rekey("passphrase", "four words and more")
    entry.refresh_from_db()
    ring = Keyring.objects.get(owner=staff.kim.pk)
    assert ring.locks["passphrase"]["cost"] == 17
    assert mine.key
    ring.locks["passphrase"] = crypto.lock_with_secret("passphrase", mine.key, b"four words and more", 15)
    ring.save()
    later = book(staff.kim)
    later.unlock("four words and more")
    assert later.decrypt([entry])[0].words == SECRET_WORDS
    assert Keyring.objects.get(owner=staff.kim.pk).locks["passphrase"]["cost"] == 17
    again = book(staff.kim)
    again.unlock("four words and more")
    assert again.is_readable


@pytest.mark.django_db(databases=["default", "journal"], transaction=True)
def test_rings_of_the_version_before_open_after_the_migration(place: Workspace) -> None:
    """One by the workspace's secret and one by a passphrase, as they were kept; read out of rows that the old code wrote."""
    connection = connections["journal"]
    secret, made = settings.SECRET_KEY.encode(), {}
    for owner, kind, word, cost in ((901, "workspace", secret, 0), (902, "passphrase", b"four words and more", 15)):
        key_ = crypto.generate_key()
        made[owner] = key_, crypto.lock_with_secret(kind, key_, word, cost)
    before, after = [("journal", "0002_open_moments")], MigrationExecutor(connection).loader.graph.leaf_nodes("journal")
    MigrationExecutor(connection).migrate(before)
    try:
        rings = MigrationExecutor(connection).loader.project_state(before).apps.get_model("journal", "Keyring")
        for owner, (key_, lock) in made.items():
            kept = {name: base64.b64decode(lock[name]) for name in ("salt", "key")}
            rings.objects.using("journal").create(
                owner=owner,
                salt=kept["salt"],
                locked_key=kept["key"],
                public=crypto.public_key_of(key_),
                passphrase=owner == 902,
            )
    finally:
        MigrationExecutor(connection).migrate(after)
    assert Journal(901, secret).is_readable
    assert not Journal(902, secret).is_readable
    phrased = Journal(902, secret)
    phrased.unlock("four words and more")
    assert phrased.is_readable
    Keyring.objects.filter(owner__in=made).delete()


def test_a_recovery_code_is_random_and_read_however_it_is_typed() -> None:
    codes = {keys.new_code() for _ in range(50)}
    assert len(codes) == 50
    for code in codes:
        assert re.fullmatch(r"(?:[A-Z2-7]{4}-){6}[A-Z2-7]{2}", code)
        assert keys.normalise_code(code.lower().replace("-", " ")) == code.replace("-", "")


def test_the_documents_name_every_column_that_lies_open() -> None:
    page = (Path(__file__).parents[2] / "docs" / "journal.md").read_text(encoding="utf-8")
    for model in (Entry, Draft, Keyring):
        columns = {field.name for field in model._meta.get_fields()}
        assert columns == {*OPEN_COLUMNS[model], *SEALED_COLUMNS[model]}
        for name in columns - {*SEALED_COLUMNS[model]}:
            assert f"| {model._meta.verbose_name} | `{name}` | {OPEN_COLUMNS[model][name]} |" in page


def test_an_invitation_for_a_new_name_takes_over_nobody(staff: House) -> None:
    token, here = membership.invite(staff.admin, "new", "member", None)
    assert not here
    time.sleep(0.01)
    membership.add_person("new", "member", "", RIGHT)
    assert Client().post(f"/invitation/{token}", {"password": OTHER}).status_code == 422
    assert signed_in("new").get("/").status_code == 200
    assert Invitation.objects.get(username="new").used is None


PROMISED = {
    "Nobody, whatever their role, reads another's private journal.": "test_crawl.test_nothing_planted_is_shown_to_others",
    "Another password, given by an invitation or on the command line, opens nothing of what was written before it.": "test_reset.test_an_administrator_who_resets_a_password_reads_nothing",
    "That holds for a journal, too, that only the workspace's secret locked when the password was given.": "test_reset.test_a_journal_from_before_the_upgrade_stays_closed_too",
    "The recovery code, or the password of before, opens it again and joins it to what was written since.": "test_reset.test_the_owner_opens_earlier_entries_again",
    "A recovery code or a calendar address that was made in between opens nothing from then on; the page asks for a new code.": "test_reset.test_a_code_made_after_a_reset_opens_nothing_of_before",
    "Until then it stays closed and is kept: nobody can change or erase it.": "test_reset.test_what_nobody_can_open_is_kept_closed",
    "Another password ends the sessions, the keys for programs and the calendar address of before, and open invitations for that name. Webhooks in stay: they show nothing.": "test_reset.test_ways_in_end_with_a_reset",
    "Second factors and passkeys stay, and are asked for. Only the command line ends them (`--without-factors`), on record.": "test_reset.test_factors_stay_and_are_asked_for",
    "The owner reads on every page who gave the password and when, until they say so; it stays on record under *Me* and in the audit. No mail is sent about it.": "test_reset.test_the_owner_is_told_and_it_is_on_record",
    "Changing one's own password closes nothing.": "test_reset.test_changing_ones_own_password_closes_nothing",
    "A passphrase is opened by no password.": "test_reset.test_a_passphrase_is_opened_by_no_password",
    "A passkey alone opens no journal: the page asks for the password or the recovery code.": "test_reset.test_a_passkey_alone_opens_no_journal",
    "Programs and the command line write into a journal, and read nothing from it.": "test_reset.test_what_comes_without_a_key_is_read_by_its_owner",
    "The address of a calendar opens its owner's promises, and, where it was made since it is said so, the days by which contracts that its owner looks after are decided about; no more.": "test_reset.test_a_calendar_address_opens_promises_and_no_page",
    "Neither the file of the sessions nor the cookie opens a journal alone.": "test_reset.test_neither_the_sessions_nor_the_cookie_opens_a_journal_alone",
    "Whoever tries passwords on a journal is slowed down after ten.": "test_reset.test_guessing_what_opens_a_journal_is_slowed_down",
}


def test_every_promise_of_the_journal_is_tested() -> None:
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    section = page.partition("## The private journal\n\n")[2].partition("\n\n**Whoever administers")[0]
    assert [line.removeprefix("- ") for line in section.splitlines()] == list(PROMISED)
    for name in PROMISED.values():
        file, _dot, test = name.partition(".")
        assert f"def {test}(" in Path(__file__).with_name(f"{file}.py").read_text(encoding="utf-8")

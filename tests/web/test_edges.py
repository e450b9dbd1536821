"""What people do by accident, and what others might do on purpose."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core import serializers
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from tests.web.test_api import key, sent
from tests.web.test_daily import shared_of, typed
from tests.web.test_sharing import AT, counted
from wellserved.actions import membership, schema, sharing
from wellserved.actions.questions import ask_measures
from wellserved.journal.crypto import LockedError, unlock_with_secret
from wellserved.journal.handle import Journal
from wellserved.journal.models import Entry, Keyring
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace
from wellserved.store.access import ACCESS_REASONS, NAMES_SEEN_EVENT, AccessScope
from wellserved.store.models import Account, ApiKey, Customer, Event, Invitation, Person, Shared, Team

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


def test_only_a_post_does_anything(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    entry = typed(client, "note: stays")
    held = ApiKey.objects.create(owner=staff.kim, name="k", prefix="ws_", digest="x", scopes="", expires=timezone.now())
    for method in ("HEAD", "OPTIONS", "GET", "PUT", "TRACE"):
        for path in (f"/journal/{entry.id}/erase", f"/me/keys/{held.pk}/end", "/me/calendar"):
            assert client.generic(method, path).status_code == 405, (method, path)
    assert client.head("/journal/").status_code == 200
    assert Entry.objects.filter(id=entry.id).exists()
    assert ApiKey.objects.filter(pk=held.pk).exists()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff.kim, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert strict.post(f"/journal/{entry.id}/erase").status_code == 403


def test_somebody_elses_key_in_the_browser_changes_nothing(staff: House, as_: As) -> None:
    client = as_(staff.peer)
    client.cookies["journal_key"] = base64.urlsafe_b64encode(b"k" * 32).decode()
    typed(client, "note: still mine")
    client.cookies["journal_key"] = "Ünsinn"
    assert b"still mine" in client.get("/journal/").content
    client.post("/login/logout/")
    assert client.cookies["journal_key"].value == ""


def test_an_old_copy_of_the_key_opens_nothing_after_a_passphrase(staff: House) -> None:
    before = book(staff.kim)
    entry = before.write({"word": "note", "line": "earlier"})
    ring = Keyring.objects.get(owner=staff.kim.pk)
    old = unlock_with_secret("workspace", ring.locks["workspace"], settings.SECRET_KEY.encode())
    mine = book(staff.kim)
    mine.rekey("passphrase", "four words and more")
    entry.refresh_from_db()
    stolen = Journal(staff.kim.pk, settings.SECRET_KEY.encode(), old)
    assert not stolen.is_readable
    with pytest.raises(LockedError):
        stolen.decrypt([entry])
    assert mine.decrypt([entry])[0].words == "earlier"


def test_letters_that_look_alike_and_half_letters_are_kept(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    for line in (
        "mıssed: x",
        "promise: x by frı",
        "cſat 4",
        "promise: x in ſix days",
        "promise: a by 0001-01-01 00:10",
    ):
        assert client.post("/journal/understanding", {"line": line}).status_code == 200
    book(staff.kim).write({"word": "note", "line": "half \udce9"})
    assert client.get("/journal/").status_code == 200
    assert client.get("/").status_code == 200


def test_a_score_that_is_cleared_leaves_the_measures(staff: House, tmp_path: Path) -> None:
    place = create_workspace(tmp_path / "home", "UTC")
    sharing.share(staff.kim, {"word": "asked"}, AT)
    row = sharing.share(staff.kim, {"word": "gap", "expected": 9, "score": 9, "scale": "nps10"}, AT)
    sharing.write_pending(place)
    assert counted(place, "rating_mean") == 1
    sharing.change_copy(row, {}, "team")
    sharing.write_pending(place)
    assert counted(place, "rating_mean") == 0
    sharing.withdraw_copy(Shared.objects.get(pk=row.pk))
    sharing.write_pending(place)
    assert counted(place, "asked") == 1


def tomorrow_at_ten() -> str:
    return f"{timezone.localtime() + timedelta(days=1):%Y-%m-%dT10:00}"


def test_what_belongs_together_is_shared_together(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    missed = typed(client, "missed: Acme waited")
    client.post(f"/journal/{missed.id}/more", {"word": "recovered", "line": "brought it"})
    recovered = Entry.objects.get(word="recovered")
    first = shared_of(client, missed)
    recovered.refresh_from_db()
    assert recovered.shared is not None
    assert Shared.objects.get(id=recovered.shared).thread == first.thread
    assert client.post(f"/journal/{recovered.id}/share", {"audience": "team"}).status_code == 422
    assert not Shared.objects.get(pk=first.pk).open
    promise = typed(client, "promise: Acme gets it by tomorrow")
    client.post(f"/promises/journal/{promise.id}", {"word": "kept"})
    shared_of(client, promise, due=tomorrow_at_ten())
    now = timezone.now()
    ((_, state),) = sharing.visible_promises(AccessScope(staff.kim), now, now - timedelta(days=1))
    assert state.fate == "kept"


def test_a_withdrawn_copy_leaves_the_entry_to_its_owner_and_it_can_be_shared_again(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    promise = typed(client, "promise: Acme gets it by tomorrow 10:00")
    row = shared_of(client, promise, due=tomorrow_at_ten())
    client.post(f"/shared/{row.id}/withdraw")
    assert len(book(staff.kim).promises(timezone.now())) == 1
    again = shared_of(client, promise, due=tomorrow_at_ten())
    assert again.id != row.id
    assert again.withdrawn is None


def test_a_kill_between_the_databases_doubles_no_copy(staff: House) -> None:
    mine = book(staff.kim)
    entry = mine.write({"word": "missed", "line": "x"})
    (page,) = mine.decrypt([entry])
    first = sharing.share_entry(mine, staff.kim, page, {"word": "missed"}, "team")
    Entry.objects.filter(pk=entry.pk).update(shared=None)  # as if the second write had never come
    entry.refresh_from_db()
    (page,) = mine.decrypt([entry])
    assert sharing.share_entry(mine, staff.kim, page, {"word": "missed"}, "team").id == first.id
    assert Shared.objects.count() == 1


def test_what_waits_is_what_the_thread_says(staff: House, as_: As) -> None:
    client, mine = as_(staff.kim), book(staff.kim)
    promise = typed(client, "promise: Acme gets it by tomorrow 10:00")
    client.post(f"/promises/journal/{promise.id}", {"word": "kept"})
    assert mine.promises(timezone.now()) == []
    mine.erase(Entry.objects.get(word="kept"))
    assert len(mine.promises(timezone.now())) == 1
    note = typed(client, "note: was a promise after all")
    client.post(
        f"/journal/{note.id}/",
        {"word": "promise", "text": "a promise", "at": "2026-11-20T10:00", "due": "2026-12-24T10:00"},
    )
    assert len(mine.promises(timezone.now())) == 2
    assert mine.entry(note.id) is not None
    assert b"a promise" in client.get("/promises/").content
    row = sharing.share(staff.kim, {"word": "promise", "text": "x", "due": "2026-12-24T10:00:00+00:00"}, timezone.now())
    sharing.share(staff.peer, {"word": "recovered"}, timezone.now(), thread=row.thread)
    assert Shared.objects.get(pk=row.pk).open
    end = sharing.share(staff.kim, {"word": "kept"}, timezone.now(), thread=row.thread)
    assert not Shared.objects.get(pk=row.pk).open
    sharing.withdraw_copy(end)
    assert Shared.objects.get(pk=row.pk).open


def test_nobody_ends_what_they_cannot_see(staff: House) -> None:
    row = sharing.share(staff.kim, {"word": "promise", "text": "x"}, timezone.now(), "lead")
    for person in (staff.foreign, staff.peer, staff.quality):
        assert sent(key(person), "moments", {"word": "met", "thread": str(row.thread)}).status_code == 422
    assert Shared.objects.get(pk=row.pk).open
    assert sent(key(staff.lead), "moments", {"word": "met", "thread": str(row.thread)}).status_code == 201


def test_an_author_sees_the_answer_to_what_they_shared(staff: House, as_: As) -> None:
    row = sharing.share(staff.kim, {"word": "missed", "text": "x"}, timezone.now(), "quality")
    for person in (staff.lead, staff.quality):
        assert (
            as_(person)
            .post(f"/shared/{row.id}/follow", {"word": "note", "text": f"from {person.username}"})
            .status_code
            == 302
        )
    seen = as_(staff.kim).get(f"/shared/{row.id}/").content.decode()
    assert "from lead" in seen
    assert "from quality" in seen
    assert {one.team for one in Shared.objects.all()} == {staff.kim.team}
    assert as_(staff.peer).get(f"/shared/{row.id}/").status_code == 404


def test_helpers_are_asked_only_of_what_they_may_see_and_however_they_are_written(staff: House, as_: As) -> None:
    Person.objects.filter(pk=staff.peer.pk).update(username="Peer")
    sharing.share(staff.kim, {"word": "missed", "text": "for the lead", "people": ["peer"]}, timezone.now(), "lead")
    assert b"for the lead" not in as_(staff.peer).get("/").content
    sharing.share(staff.kim, {"word": "missed", "text": "for all", "people": ["peer"]}, timezone.now())
    assert b"for all" in as_(staff.peer).get("/").content


def test_the_audit_names_no_customer(staff: House, as_: As) -> None:
    as_(staff.lead).post("/customers/", {"name": "SECRET LTD"})
    as_(staff.finance).post("/accounts/", {"name": "SECRET GROUP"})
    for person in (staff.auditor, staff.admin):
        seen = as_(person).get("/audit/").content
        assert b"added a customer" in seen
        assert b"SECRET" not in seen


def test_a_forgotten_password_is_mended_by_a_new_invitation(staff: House, as_: As) -> None:
    def invited(name: str) -> str:
        shown = as_(staff.admin).post("/people/", {"username": name, "role": "member"}).content.decode()
        return "/invitation/" + shown.split("/invitation/")[1].split('"')[0]

    old, new = invited("KIM"), invited("kim")
    assert Client().post(old, {"password": "a new password then"}).status_code == 422
    assert Client().post(new, {"password": "1234567890"}).status_code == 422
    assert Client().post(new, {"password": "a new password then"}).status_code == 302
    staff.kim.refresh_from_db()
    assert staff.kim.check_password("a new password then")
    assert (staff.kim.role, staff.kim.team) == ("member", Team.objects.get(name="A"))
    late = invited("late")
    Person.objects.filter(pk=staff.admin.pk).update(is_active=False)
    assert Client().get(late).status_code == 422
    assert Invitation.objects.filter(used=None).count() == 1


def test_a_key_that_is_sent_again_writes_once_in_the_journal(staff: House) -> None:
    client = key(staff.kim)
    for line in ("note: a", "note: a"):
        assert sent(client, "journal", {"line": line}, **{"Idempotency-Key": "k"}).status_code == 201
    assert Entry.objects.filter(owner=staff.kim.pk).count() == 1


def test_merged_customers_are_one_everywhere_and_two_again(staff: House, as_: As, tmp_path: Path) -> None:
    client, place = as_(staff.lead), create_workspace(tmp_path / "home", "UTC")
    sharing.share(staff.kim, {"word": "complaint", "text": "from Acme", "customer": "Acme"}, AT)
    sharing.write_pending(place)
    acme, northwind = Customer.objects.get(name="Acme"), Customer.objects.get(name="Northwind")
    client.post(f"/customers/{acme.pk}/merge", {"other": northwind.pk})
    assert b"from Acme" in client.get(f"/customers/{northwind.pk}/").content
    assert client.get(f"/customers/{acme.pk}/")["Location"] == f"/customers/{northwind.pk}/"
    assert sharing.write_pending(place) == 1
    assert names(place) == {"Northwind"}
    client.post(f"/customers/{acme.pk}/part")
    sharing.write_pending(place)
    assert names(place) == {"Acme"}
    client.post(f"/customers/{acme.pk}/", {"name": "Acme AG"})
    sharing.write_pending(place)
    assert names(place) == {"Acme AG"}


def names(place: Workspace) -> set[str | None]:
    """Customers in the journal's cases."""
    (series,) = ask_measures(place, MeasureQuestion((find_measure("asked"),), by="customer_id"))
    return set(series.segments)


def test_every_row_of_a_file_of_customers_is_loaded_or_refused(staff: House, as_: As) -> None:
    client = as_(staff.lead)
    Customer.objects.filter(name="Northwind").update(internal=True)
    Account.objects.create(name="Not mine")

    def read(text: bytes) -> str:
        return client.post("/customers/file", {"file": SimpleUploadedFile("c.csv", text)}).content.decode()

    seen = read(
        "name,account,internal\nNew,Acme Group,yes\n,,\nOdd,,maybe\nToo,many,no,cells\nTheirs,Not mine,\nNorthwind,,\nÜber,,no\n".encode(
            "cp1252"
        )
    )
    assert "3 rows loaded, 4 refused" in seen
    for why in ("the row is empty", "internal is", "4 cells under 3 columns", "no account called"):
        assert why in seen
    assert Customer.objects.get(name="Northwind").internal
    assert Customer.objects.get(name="Über").internal is False
    assert client.post("/customers/file", {"file": SimpleUploadedFile("c.csv", b"a,b\n1,2")}).status_code == 422
    assert client.post("/customers/file", {"file": SimpleUploadedFile("c.csv", b'name\r"x\r\0\ry')}).status_code in (
        200,
        422,
    )
    assert (
        client.post(
            "/customers/file", {"file": SimpleUploadedFile("c.csv", b"name\n" + b"x\n" * 3_000_000)}
        ).status_code
        == 422
    )


def test_odd_dates_and_addresses_are_refused_in_words(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    for year in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        for name in ("at", "due"):
            assert sent(key(staff.kim), "moments", {"word": "promise", name: year}).status_code == 422
    for name in ("at", "due"):
        given = {"word": "promise", "at": "2026-11-20T10:00", name: "0001-01-01T10:00"}
        assert client.post("/journal/new", given).status_code == 200
    for path in (
        "journal/?before=0001-01-01T00:00:00%2B14:00&id=x",
        f"journal/?before=0001-01-01T00:00:00%2B14:00&id={uuid.uuid4()}",
        "promises/",
    ):
        assert client.get(f"/{path}").status_code == 200
    for path in ("reports/9999-W52/", "reports/0001-W01/", "reports/2026-W60/"):
        assert client.get(f"/{path}").status_code == 404
    assert client.post("/data/", {"file": SimpleUploadedFile("🙂" * 100, b"x")}).status_code == 404
    assert as_(staff.lead).post("/data/", {"file": SimpleUploadedFile("🙂" * 100, b"x")}).status_code == 302


def test_every_entry_is_on_some_page(staff: House, as_: As) -> None:
    client, at = as_(staff.kim), datetime(2026, 11, 20, 11, tzinfo=UTC)
    for number in range(70):
        book(staff.kim).write({"word": "note", "line": f"entry number {number:02d}."}, at=at)
    seen, path = "", "/journal/"
    for _ in range(3):
        page = client.get(path).content.decode()
        seen += page
        path = (
            "/journal/" + page.split('<p><a href="')[1].split('"')[0].replace("&amp;", "&")
            if "Earlier" in page
            else path
        )
    assert all(f"entry number {number:02d}." in seen for number in range(70))


def test_an_entry_that_was_changed_shows_what_it_says_now(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    entry = typed(client, "note: the old words")
    client.post(f"/journal/{entry.id}/", {"word": "note", "text": "the new words", "at": "2026-11-20T10:00"})
    seen = client.get(f"/journal/{entry.id}/").content.decode()
    assert "the new words" in seen
    assert "the old words" not in seen


def test_a_journal_is_exported_or_locked_never_half(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    typed(client, "note: x")
    client.post("/me/passphrase", {"passphrase": "four words and more", "again": "four words and more"})
    client.post("/journal/lock")
    assert client.get("/journal/export").status_code == 422
    assert json.loads(sent(key(staff.kim), "journal", {"line": "note: y"}).content)["ids"]


def test_whoever_is_first_keeps_what_they_had_and_lets_others_in(db: None, as_: As) -> None:
    first, _ = membership.add_person("kim", "lead", "A", "correct horse battery")
    other, _ = membership.add_person("lee", "member", "A", "correct horse battery")
    for path in ("measures/", "people/", "customers/"):
        assert as_(first).get(f"/{path}").status_code == 200
        assert as_(other).get(f"/{path}").status_code == (404 if path == "people/" else 200)
    assert as_(first).post("/people/", {"username": "mo", "role": "member"}).status_code == 200
    membership.set_new_password("lee", "another horse battery")
    other.refresh_from_db()
    assert other.check_password("another horse battery")


def test_a_saved_row_is_the_row_to_the_microsecond(staff: House) -> None:
    at = datetime(2026, 11, 20, 10, 0, 5, 400, tzinfo=UTC)
    row = sharing.share(staff.kim, {"word": "asked"}, at)
    lines = [json.loads(line) for line in schema.row_lines(Shared, "default")]
    assert [one["fields"]["at"] for one in lines] == ["2026-11-20T10:00:05.000400+00:00"]
    (back,) = serializers.deserialize("jsonl", json.dumps(lines[0]))
    assert isinstance(back.object, Shared)
    assert back.object.at == Shared.objects.get(pk=row.pk).at == at


def test_quality_sees_customers_by_number_until_it_says_why(staff: House, as_: As) -> None:
    """Everywhere that a customer would be named; with a reason, for an hour, on record; what one began oneself always."""
    row = sharing.share(staff.kim, {"word": "missed", "text": "x", "customer": "Acme"}, timezone.now(), "quality")
    due = (timezone.now() + timedelta(hours=1)).isoformat()
    sharing.share(
        staff.kim, {"word": "promise", "text": "y", "customer": "Acme", "due": due}, timezone.now(), "quality"
    )
    browser, number = as_(staff.quality), Customer.objects.get(name="Acme").pk
    pages = ("", "failures/", "promises/", f"shared/{row.id}/", "customers/")
    for page in pages:
        seen = browser.get(f"/{page}").content.decode()
        assert "Acme" not in seen, page
        assert (f"customer {number}" in seen) is (page != "customers/"), page
    assert browser.get(f"/customers/{number}/").headers["Location"] == "/customers/"
    for asked in ("by=customer_id", "where=customer_id=Acme"):
        assert "Customers are not named here yet" in browser.get(f"/measures/asked/?{asked}").content.decode()
    browser.post(f"/shared/{row.id}/follow", {"word": "note", "text": "looked into"})
    own = Shared.objects.get(author=staff.quality)
    assert browser.get(f"/shared/{own.id}/?change=1").content.decode().count("Acme") == 0
    assert browser.post("/customers/why", {"reason": "curiosity"}).status_code == 404
    browser.post("/customers/why", {"reason": ACCESS_REASONS[0]})
    for page in pages:
        assert "Acme" in browser.get(f"/{page}").content.decode(), page
    kept = Event.objects.get(deed=NAMES_SEEN_EVENT)
    assert (kept.actor, kept.object) == ("quality", ACCESS_REASONS[0])
    Event.objects.update(at=timezone.now() - timedelta(hours=2))
    assert "Acme" not in browser.get("/failures/").content.decode()
    assert "Acme" in as_(staff.lead).get("/failures/").content.decode()


def test_an_import_is_told_in_the_time_and_the_number_that_it_has(
    staff: House, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = SimpleNamespace(
        recorded_at="2026-11-21T23:30:00+00:00", notes={"rows have 'a' before 'b'": 1}, file="a.csv", rows_refused=0
    )
    monkeypatch.setattr(log, "receipts", lambda _: [one])
    page = as_(staff.lead).get("/data/").content.decode()
    assert "Sun 22 Nov 2026, 00:30" in page  # in Berlin
    assert "1 row has &#x27;a&#x27; before &#x27;b&#x27;" in page

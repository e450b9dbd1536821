"""What a person does every day, as the pages do it: without script, step by step."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import datetime, time, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from wellserved.actions import sharing, weekly
from wellserved.journal.models import Entry
from wellserved.store.access import AccessScope
from wellserved.store.models import Person, Shared

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


def typed(client: Client, line: str, draft: uuid.UUID | None = None) -> Entry:
    """Write a line as the form without script does: look first, then save."""
    looked = client.post("/journal/", {"line": line, "do": "look", "draft": draft or uuid.uuid4()})
    assert looked.status_code == 200
    given = re.search(r'name="draft" value="([^"]+)"', looked.content.decode())
    assert given
    saved = client.post("/journal/", {"line": line, "do": "save", "draft": given[1]})
    assert saved.status_code == 302
    return Entry.objects.get(id=saved["Location"].rstrip("/").rpartition("/")[2])


def shared_of(client: Client, entry: Entry, **facts: object) -> Shared:
    """Share an entry by its form."""
    answer = client.post(f"/journal/{entry.id}/share", {"audience": "team", "text": "as shared", **facts})
    assert answer.status_code == 302, answer.content.decode()[:3000]
    return Shared.objects.get(id=answer["Location"].rstrip("/").rpartition("/")[2])


def test_a_line_is_shown_as_understood_and_then_kept_to_the_letter(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    line = "missed: promised Acme the quote by Fri, sent Mon #quotes @peer 2h <b>&amp;"
    looked = client.post("/journal/", {"line": line, "do": "look"}).content.decode()
    assert "an expectation was missed" in looked
    assert "<b>&amp;" not in looked
    entry = typed(client, line)
    (page,) = book(staff.kim).decrypt([entry])
    assert page.facts["line"] == line
    assert page.facts["customer"] == "Acme"
    assert client.get("/journal/").status_code == 200
    assert b"quotes @peer 2h" in client.get("/").content


def test_what_is_sent_twice_is_kept_once(staff: House, as_: As) -> None:
    client, draft = as_(staff.kim), uuid.uuid4()
    for _ in range(3):
        sent = {"line": "thanks: a cake", "do": "save", "draft": draft}
        saved = client.post("/journal/", sent, HTTP_ACCEPT="application/json").json()["saved"]
    assert [str(one.id) for one in Entry.objects.filter(owner=staff.kim.pk)] == [saved]
    assert as_(staff.peer).post("/journal/", sent).status_code == 422
    client.post("/journal/", {"line": "thanks: another cake", "do": "save", "draft": draft})
    assert {one.words for one in book(staff.kim).latest()} == {"thanks: a cake", "thanks: another cake"}


def test_a_promise_runs_is_agreed_anew_and_kept(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    entry = typed(client, "promise: Acme gets the draft by tomorrow 14:00 #drafts")
    assert b"gets the draft" in client.get("/promises/").content
    settled = f"/promises/journal/{entry.id}"
    assert client.post(settled, {"word": "renegotiated", "line": "gibberish"}).status_code == 302
    assert book(staff.kim).promises(timezone.now())[0][1].renegotiated == 0
    client.post(settled, {"word": "renegotiated", "line": "in 3 days"})
    (_, state), *_ = book(staff.kim).promises(timezone.now())
    assert (state.fate, state.renegotiated, state.late_renegotiations) == ("running", 1, 0)
    client.post(settled, {"word": "kept"})
    assert not book(staff.kim).promises(timezone.now())
    (_, state), *_ = book(staff.kim).promises(timezone.now(), timezone.now() - timedelta(days=1))
    assert state.fate == "kept"
    assert b"1 kept" in client.get("/promises/").content


def test_a_bare_kept_is_about_the_only_promise_that_runs(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    typed(client, "promise: Acme gets the draft by tomorrow 14:00")
    typed(client, "kept")
    assert not book(staff.kim).promises(timezone.now())
    typed(client, "promise: Acme gets one thing by tomorrow")
    typed(client, "promise: Northwind gets another by tomorrow")
    assert b"not clear which of these" in client.post("/journal/understanding", {"line": "kept"}).content
    typed(client, "kept: Northwind has it")
    assert [page.facts["customer"] for page, _ in book(staff.kim).promises(timezone.now())] == ["Acme"]


def test_repeats_and_worth_are_shown_while_typing(staff: House, as_: As) -> None:
    client = as_(staff.lead)
    for _ in range(2):
        typed(client, "missed: Acme waited, cause: handover")
    shown = client.post(
        "/journal/understanding", {"line": "missed: Acme waited again, cause: handover"}
    ).content.decode()
    assert "2 times before" in shown
    assert "50,000 to 250,000 EUR" in shown
    assert "120,000" not in shown
    assert "120,000 EUR" in as_(staff.finance).get("/accounts/").content.decode()
    assert (
        "120,000" not in as_(staff.kim).post("/journal/understanding", {"line": "missed: Acme waited"}).content.decode()
    )


def test_the_card_for_a_contact_makes_a_promise(staff: House, as_: As) -> None:
    answer = as_(staff.kim).post(
        "/protocol",
        {"customer": "Contoso", "text": "new badge", "acknowledged": "1", "when": "tomorrow 9:00"},
    )
    entry = Entry.objects.get(id=answer["Location"].rstrip("/").rpartition("/")[2])
    (page,) = book(staff.kim).decrypt([entry])
    assert page.entry.word == "promise"
    assert page.due is not None
    assert page.facts["ticks"] == ["Acknowledged the request", "Said how long it takes"]
    assert page.facts["customer"] == "Contoso"


def test_a_copy_is_shared_changed_and_withdrawn(staff: House, as_: As) -> None:
    mine, theirs = as_(staff.kim), as_(staff.peer)
    entry = typed(mine, "missed: PRIVATE words about Acme, cause: handover")
    row = shared_of(mine, entry, customer="Acme", cause="handover", severity="minor")
    seen = theirs.get(f"/shared/{row.id}/").content.decode()
    assert "as shared" in seen
    assert "PRIVATE" not in seen
    assert theirs.post(f"/shared/{row.id}/", {"audience": "team", "text": "not mine"}).status_code == 404
    assert as_(staff.foreign).get(f"/shared/{row.id}/").status_code == 404
    mine.post(f"/shared/{row.id}/", {"audience": "lead", "text": "for the lead"})
    assert theirs.get(f"/shared/{row.id}/").status_code == 404
    assert as_(staff.lead).get(f"/shared/{row.id}/").status_code == 200
    assert mine.post(f"/shared/{row.id}/withdraw").status_code == 302
    for client in (mine, theirs, as_(staff.lead)):
        assert client.get(f"/shared/{row.id}/").status_code == 404
    assert Shared.objects.get(id=row.id).text == ""
    assert mine.get(f"/journal/{entry.id}/").status_code == 200


def test_a_failure_is_made_right_and_rated(staff: House, as_: As) -> None:
    mine, theirs = as_(staff.kim), as_(staff.peer)
    row = shared_of(mine, typed(mine, "missed: the badge @peer"), customer="Acme", cause="handover")
    assert b"not yet made right" in theirs.get("/failures/").content
    assert theirs.post(f"/shared/{row.id}/follow", {"word": "note", "text": "call me next time"}).status_code == 302
    theirs.post(f"/shared/{row.id}/follow", {"word": "recovered", "text": "brought it myself"})
    theirs.post(f"/shared/{row.id}/follow", {"word": "gap", "score": "9", "scale": "nps10"})
    assert Shared.objects.filter(thread=row.thread).count() == 4
    assert not Shared.objects.get(id=row.id).open
    listed = theirs.get("/failures/").content.decode()
    assert "not yet made right" not in listed
    assert "handover" in listed


def test_helpers_confirm_that_they_helped(staff: House, as_: As) -> None:
    mine = as_(staff.kim)
    entry = typed(mine, "recovered: Acme has its badge, thanks to @peer")
    row = shared_of(mine, entry, text="Acme has its badge, thanks to @peer and @foreign")
    helper = row.helpers.get()
    assert b"Did you help?" in as_(staff.peer).get("/").content
    assert as_(staff.lead).post(f"/helped/{helper.pk}", {"do": "confirm"}).status_code == 404
    as_(staff.peer).post(f"/helped/{helper.pk}", {"do": "confirm"})
    helper.refresh_from_db()
    assert helper.confirmed


def test_a_passphrase_locks_reading_and_not_writing(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    before = typed(client, "lesson: before the lock")
    assert client.post("/me/passphrase", {"passphrase": "short"}).status_code == 422
    words = {"passphrase": "four words and more", "again": "four words and more"}
    assert client.post("/me/passphrase", {**words, "again": "four words and moer"}).status_code == 422
    client.post("/me/passphrase", words)
    assert b"before the lock" in client.get("/").content
    client.post("/journal/lock")
    assert client.get(f"/journal/{before.id}/").status_code == 422
    assert b"before the lock" not in client.get("/").content
    client.post("/journal/", {"line": "lesson: written while locked", "do": "save"})
    assert client.post("/journal/unlock", {"passphrase": "another one altogether"}).status_code == 422
    client.post("/journal/unlock", {"passphrase": "four words and more"})
    listed = client.get("/journal/").content.decode()
    assert "before the lock" in listed
    assert "written while locked" in listed
    client.post("/journal/lock")
    assert b"before the lock" not in client.get("/journal/").content
    client.post("/journal/unlock", {"passphrase": "four words and more"})
    assert client.post("/me/passphrase", {"do": "drop", "password": "not the password"}).status_code == 422
    client.post("/me/passphrase", {"do": "drop", "password": "correct horse battery"})
    client.post("/journal/lock")
    assert b"before the lock" not in client.get("/journal/").content
    client.post("/journal/unlock", {"passphrase": "correct horse battery"})
    assert b"before the lock" in client.get("/journal/").content


def test_the_calendar_holds_ones_own_promises_alone(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    typed(client, "promise: Acme; gets, the draft by tomorrow 14:00 – " + "ä" * 80)
    shown = client.post("/me/calendar").content.decode()
    address = re.search(r"/calendar/[\w-]+\.ics", shown)
    assert address
    body = Client().get(address[0]).content.decode()
    assert "SUMMARY:Acme Acme\\; gets\\, the draft" in body.replace("\r\n ", "")
    assert all(len(line.encode()) <= 75 for line in body.split("\r\n"))
    assert Client().get("/calendar/nothing.ics").status_code == 404
    client.post("/me/calendar")
    assert Client().get(address[0]).status_code == 404


def test_the_week_is_drafted_edited_and_taken_along(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    typed(client, "missed: Acme waited for the <quote>")
    typed(client, "promise: Acme gets it by tomorrow")
    typed(client, "idea from Priya: call first")
    week = "{}-W{:02d}".format(*timezone.localdate().isocalendar()[:2])
    page = client.get(f"/reports/{week}/").content.decode()
    assert "Acme waited for the &lt;quote&gt; (not yet made right)" in page
    assert "1 made; 0 kept" in page
    client.post(f"/reports/{week}/", {"text": "My week\n- #eval(1+1) *done* <i>\n"})
    forms = {form: client.get(f"/reports/{week}/as/{form}").content for form in ("txt", "html", "pdf", "eml")}
    assert b"#eval(1+1) *done* <i>" in forms["txt"]
    assert b"#eval(1+1) *done* &lt;i&gt;" in forms["html"]
    assert forms["pdf"].startswith(b"%PDF")
    assert b"X-Unsent: 1" in forms["eml"]
    assert client.get(f"/reports/{week}/as/exe").status_code == 404
    assert client.get("/reports/2026-W99/").status_code == 404
    client.post(f"/reports/{week}/", {"text": ""})
    assert b"not yet made right" in client.get(f"/reports/{week}/").content


def test_the_journal_is_taken_along_whole(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    entry = typed(client, "lesson: ask first 🙂")
    given = b"".join(client.get("/journal/export").streaming_content).decode()  # type: ignore[attr-defined]
    (one,) = [json.loads(line) for line in given.splitlines()]
    assert (one["id"], one["line"]) == (str(entry.id), "lesson: ask first 🙂")
    client.post(f"/journal/{entry.id}/erase")
    assert not Entry.objects.filter(id=entry.id).exists()


def test_the_form_writes_what_the_line_does(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    given = {
        "word": "gap",
        "text": "the draft",
        "at": "2026-11-20T10:00",
        "expected": "9",
        "score": "11",
        "scale": "nps10",
    }
    assert b"runs from 0 to 10" in client.post("/journal/new", given).content
    answer = client.post("/journal/new", {**given, "score": "6"})
    (page,) = book(staff.kim).decrypt(Entry.objects.filter(owner=staff.kim.pk))
    assert answer.status_code == 302
    assert (page.facts["expected"], page.facts["score"], page.facts["scale"]) == (9, 6, "nps10")
    changed = client.post(f"/journal/{page.entry.id}/", {**given, "score": "7"})
    assert changed.status_code == 302
    assert book(staff.kim).decrypt(Entry.objects.filter(owner=staff.kim.pk))[0].facts["score"] == 7


def test_ones_own_judgement_stands_beside_the_customers(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    assert client.get("/me/judgement").status_code == 422
    for number in range(12):
        entry = typed(client, f"met: the badge {number}")
        client.post(f"/journal/{entry.id}/more", {"word": "self", "line": "good" if number % 2 else "poor"})
        client.post(f"/journal/{entry.id}/more", {"word": "gap", "line": f"rated {4 if number % 2 else 1}/5"})
    seen = client.get("/me/judgement").content.decode()
    assert "12" in seen
    assert "csat5" in seen
    assert as_(staff.lead).get("/me/judgement").status_code == 422


def test_customers_of_ones_own_entries_are_known(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    typed(client, "promise: Contoso gets a new login by tomorrow")
    assert (
        "Contoso"
        in client.post("/journal/understanding", {"line": "thanks: maria at contoso liked it"}).content.decode()
    )
    assert (
        b"This reads like a promise."
        in client.post("/journal/understanding", {"line": "promised Contoso a login by Fri"}).content
    )


def test_a_settled_promise_says_what_it_was(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    entry = typed(client, 'promise: +"Blue Harbor" gets a call by tomorrow #calls')
    client.post(f"/promises/journal/{entry.id}", {"word": "broken"})
    assert book(staff.kim).latest(1)[0].words == 'broken: promise: +"Blue Harbor" gets a call by tomorrow #calls'
    week = "{}-W{:02d}".format(*timezone.localdate().isocalendar()[:2])
    assert "broken: Blue Harbor gets a call by tomorrow" in client.get(f"/reports/{week}/as/txt").content.decode()


def test_what_falls_due_later_this_week_is_not_overdue(staff: House) -> None:
    """The report of the week that runs speaks of today; a promise of the journal and a shared one alike."""
    today = timezone.localdate()
    monday = today - timedelta(days=today.weekday())
    last = timezone.make_aware(datetime.combine(monday + timedelta(days=7), time())) - timedelta(seconds=1)
    facts = {"word": "promise", "text": "a draft", "due": last.isoformat()}
    book(staff.kim).write(facts)
    sharing.share(staff.kim, facts, timezone.now(), "team")
    assert "2 made; 0 kept, 0 late, 0 broken, 0 agreed anew; 0 overdue" in weekly.draft_week(
        book(staff.kim), AccessScope(staff.kim), monday
    )

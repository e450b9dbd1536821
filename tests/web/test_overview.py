"""The first page's numbers, the search, what is proposed for a line, changes declared in the browser, and looking closer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.web.conftest import House, book
from tests.web.test_access import world
from wellserved.actions import team_numbers
from wellserved.actions.exploration_pages import EXPLORATIONS
from wellserved.actions.filter_choices import filter_choices
from wellserved.actions.questions import ask_measures
from wellserved.improvement import declarations_digest, find_record, list_records
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Event, Person

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


@pytest.fixture(autouse=True)
def own_declarations(place: Workspace) -> Iterator[None]:
    """What a test declares is gone after it: prompts of others would speak of it."""
    file = place.folder / "improvements.jsonl"
    before = file.read_bytes() if file.exists() else None
    yield
    if before is None:
        file.unlink(missing_ok=True)
    else:
        file.write_bytes(before)


def test_the_numbers_of_a_team_are_those_of_its_measures(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    numbers = team_numbers.team_numbers(place, "")
    assert 3 <= len(numbers.numbers) <= 7
    assert numbers.team == ""
    last = next(number for number in numbers.numbers if number.measure == "still_open")
    (series,) = ask_measures(
        place, MeasureQuestion((find_measure("still_open"),), None, numbers.granularity, date(2020, 1, 6), None)
    )
    assert last.course[-1] in series.value
    page = as_(staff.lead).get("/numbers/", headers={"X-Fragment": "1"}).content.decode()
    assert last.value in page
    assert "<html" not in page
    assert f'href="/measures/still_open/?every={numbers.granularity}' in page
    assert "<h1>" in as_(staff.lead).get("/numbers/").content.decode()


def test_what_is_unusual_stands_first(staff: House, place: Workspace) -> None:
    world(staff, place)
    order = ("worse", "better", "usual", "unknown")
    places = [order.index(number.side) for number in team_numbers.team_numbers(place, "").numbers]
    assert places == sorted(places)


def test_the_search_finds_what_may_be_seen_and_nothing_else(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    (case_id,) = (row for row in ask_cases(place, "SELECT min(case_id) AS id FROM cases"))  # a number that there is
    lead, admin = as_(staff.lead), as_(staff.admin)
    assert b"/customers/" in lead.get("/search?q=acme").content
    assert b"Acme" not in admin.get("/search?q=acm").content
    assert b"/measures/promise_kept/" in lead.get("/search?q=promise_kept").content
    assert b"/measures/promise_kept/" not in admin.get("/search?q=promise_kept").content
    assert b"Nothing that you may see" in lead.get("/search?q=<script>alert(1)</script>").content
    assert b"<script>alert" not in lead.get("/search?q=<script>alert(1)</script>").content
    assert as_(staff.quality).get(f"/search?q={case_id}").content.count(case_id.encode()) >= 2


def ask_cases(place: Workspace, sql: str) -> list[str]:
    from wellserved.actions.open_cases import open_case_table

    with open_case_table(place) as table:
        return [str(value) for value in table.engine.query(sql.replace("cases", table.table), {})["id"].to_pylist()]


def test_a_sentence_is_proposed_and_saved_as_a_note_until_it_is_taken_over(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    shown = client.post("/journal/understanding", {"line": "I'll call Mrs Doyle back Monday 9am"}).content.decode()
    assert "data-propose" in shown
    assert "promise: I&#x27;ll call +&quot;Mrs Doyle&quot; back Monday 9am" in shown
    assert "data-propose" not in client.post("/journal/understanding", {"line": "note: I'll call"}).content.decode()
    assert "data-propose" not in client.post("/journal/understanding", {"line": "lunch"}).content.decode()
    client.post("/journal/", {"line": "I'll call Mrs Doyle back Monday 9am", "do": "save"})
    (page,) = book(staff.kim).latest(1)
    assert page.entry.word == "note"


def test_the_journal_is_searched_by_its_owner_alone(staff: House, as_: As) -> None:
    book(staff.kim).write({"word": "note", "line": "note: the quince tree"})
    book(staff.peer).write({"word": "note", "line": "note: a quince of mine"})
    mine = as_(staff.kim).post("/journal/search", {"q": "QUINCE"}).content.decode()
    assert "the quince tree" in mine
    assert "quince of mine" not in mine
    assert "No entry holds this." in as_(staff.kim).post("/journal/search", {"q": "medlar"}).content.decode()


DECLARATION = {
    "what": "Same-day call back", "since": "2024-03-04", "measure": "time_to_resolution", "expected": "10", "column": "", "value": "", "against": "",
    "who": "Kim", "idea_from": "Ben", "helpers": "Ann, Lee", "settles": "", "ends": "",
}  # fmt: skip


def test_a_change_is_foreseen_declared_and_looked_at(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    lead = as_(staff.lead)
    looked = lead.post("/improvements/new", {**DECLARATION, "do": "look"}).content.decode()
    assert "Eight weeks after the change" in looked
    assert not list_records(place)
    assert lead.post("/improvements/new", {**DECLARATION, "do": "declare"}).status_code == 302
    made = find_record(place, "change-1").improvement
    assert (made.who, made.idea_from, made.helpers, made.expected) == ("kim", "Ben", ("Ann", "Lee"), 0.1)
    assert Event.objects.filter(actor="lead", deed="declared an improvement").exists()
    before = declarations_digest(place)
    assert lead.get("/improvements/change-1/").status_code == 200
    assert find_record(place, "change-1").looks
    assert declarations_digest(place) == before, "a look makes no answer old"
    assert "Same-day call back" in as_(staff.kim).get("/improvements/").content.decode()
    lead.post("/improvements/new", {**DECLARATION, "do": "declare"})
    assert {record.improvement.name for record in list_records(place)} == {"change-1", "change-2"}


def test_a_declaration_that_names_nobody_says_so(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    count = len(list_records(place))
    page = as_(staff.lead).post(
        "/improvements/new", {**DECLARATION, "column": "team", "value": "Nobody", "do": "declare"}
    )
    assert page.status_code == 200
    assert "Nobody" in page.content.decode()
    assert "errorlist" in page.content.decode()
    assert len(list_records(place)) == count


@pytest.mark.parametrize("name", EXPLORATIONS)
def test_every_exploration_answers_or_says_why_not(name: str, staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    answer = as_(staff.lead).get(f"/explore/{name}/")
    assert answer.status_code in (200, 422)
    text = answer.content.decode()
    assert EXPLORATIONS[name].question in text or "Not possible" in text
    assert "improved" not in text
    assert as_(staff.lead).get(f"/explore/{name}/?by=person_id").status_code == 422
    if not EXPLORATIONS[name].takes_filter:
        assert as_(staff.lead).get(f"/explore/{name}/?where=team=Billing").status_code == 422


def test_measures_show_their_latest_month_and_what_is_not_on_record(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    page = as_(staff.lead).get("/measures/", headers={"X-Fragment": "1"}).content.decode()
    assert page.count('class="spark"') > 10
    assert "Not on record" in page
    assert "the record holds no" in page


def test_a_measure_that_nothing_matches_says_so_once(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    page = as_(staff.lead).get("/measures/asked/?where=team=Nix&every=month").content.decode()
    assert page.count("No case has team") == 1
    assert "<svg" not in page.split('class="within"')[1]


def test_nobody_declares_a_change_about_a_person_or_a_customer(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    count = len(list_records(place))
    for column in ("person_id", "customer_id", "account_id"):
        page = as_(staff.lead).post("/improvements/new", {**DECLARATION, "column": column, "value": "x", "do": "look"})
        assert "errorlist" in page.content.decode()
        assert "Eight weeks after" not in page.content.decode()
    assert len(list_records(place)) == count


def test_filters_are_picked_with_their_cases_and_spans_end_with_the_record(
    staff: House, as_: As, place: Workspace
) -> None:
    world(staff, place)
    choices = filter_choices(place)
    (team, cases), *_ = choices.values["team"]
    query = urlencode({"every": "month", "where": f"team={team}"})
    page = as_(staff.lead).get(f"/measures/asked/?{query}").content.decode()
    assert f'<option value="team={team}" selected>{team} ({cases})</option>' in page
    assert f'<option value="team={team}">{team} ({cases})</option>' in page  # a second filter may name it, too
    assert "customer_id=" not in page
    assert "person_id=" not in page
    (_name, since, until) = choices.spans(["synth"])[0]
    assert f"since={since}&amp;until={until}" in page
    assert until == choices.last_days["synth"] + timedelta(days=1)
    chosen = as_(staff.lead).get(f"/measures/asked/?since={since}&until={until}&where=team=Nobody").content.decode()
    assert 'aria-current="true">last 30 days</a>' in chosen
    assert "<option selected>team=Nobody</option>" in chosen  # what the record does not hold stays to be seen


def test_favourites_stand_first_and_are_one_s_own(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    client = as_(staff.kim)
    page = client.get("/measures/asked/?every=month").content.decode()
    assert "☆ Make it a favourite" in page
    for name in ("still_open", "asked", "still_open"):
        answer = client.post(f"/measures/{name}/favourite", {"do": "add"})
        assert answer.status_code == 302
    assert "★ No longer a favourite" in client.get("/measures/asked/?every=month").content.decode()
    listed = client.get("/measures/", headers={"X-Fragment": "1"}).content.decode()
    first = listed.split("<h2>")[1]
    assert first.startswith("Favourites")
    assert first.index("asked") < first.index("still_open")  # the latest choice last
    assert listed.count('<span class="meta">asked') == 1  # not once more under its subject
    assert "Favourites" not in as_(staff.lead).get("/measures/", headers={"X-Fragment": "1"}).content.decode()
    client.post("/measures/asked/favourite", {"do": "remove"})
    assert "asked" not in client.get("/measures/", headers={"X-Fragment": "1"}).content.decode().split("<h2>")[1]
    assert client.post("/measures/none/favourite", {"do": "add"}).status_code == 404


def test_helpers_and_idea_givers_are_people_with_accounts(
    staff: House, as_: As, place: Workspace, own_declarations: None
) -> None:
    world(staff, place)
    Person.objects.filter(pk=staff.kim.pk).update(first_name="Kim", last_name="Example")
    Person.objects.filter(pk=staff.peer.pk).update(first_name="Ari", last_name="Twin")
    lead = as_(staff.lead)
    assert "Kim Example</option>" in lead.get("/improvements/new").content.decode()
    people = {"who": "LEAD", "idea_from": "kim example", "helpers": "peer, Somebody Outside, Ari Twin"}
    assert lead.post("/improvements/new", {**DECLARATION, **people, "do": "declare"}).status_code == 302
    declared = list_records(place)[-1].improvement
    assert (declared.who, declared.idea_from) == ("lead", staff.kim.username)
    assert declared.helpers == (staff.peer.username, "Somebody Outside")
    assert "idea of Kim Example" in lead.get("/improvements/").content.decode()
    stranger = lead.post("/improvements/new", {**DECLARATION, "helpers": "Ari Twin, Zoe Far", "do": "look"})
    assert "errorlist" not in stranger.content.decode()
    assert (
        "Name one person"
        in lead.post("/improvements/new", {**DECLARATION, "idea_from": "Ann, Ben", "do": "look"}).content.decode()
    )
    Person.objects.filter(pk=staff.kim.pk).update(first_name="Ari", last_name="Twin")
    answer = lead.post("/improvements/new", {**DECLARATION, "helpers": "Ari Twin", "do": "declare"})
    assert "Several people are called" in answer.content.decode()

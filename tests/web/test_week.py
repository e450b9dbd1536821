"""The week and the share: everything typed is offered, what belongs together is together, and the copy is clean."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from tests.web.test_api import key, sent
from tests.web.test_daily import shared_of, typed
from wellserved.actions import sharing, week_page, weekly
from wellserved.actions.questions import ask_measures
from wellserved.capture import MAX_ENTRY_LETTERS
from wellserved.journal.models import Entry
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.storage.workspace import create_workspace
from wellserved.store.access import AccessScope
from wellserved.store.models import Person, Shared

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
LINES = (
    "missed: Acme waited for the badge oleander", "fixed: Acme has the badge bergamot", "promise: Acme gets the draft cardamom by tomorrow",
    "promise: some day the shelf dandelion", "kept: Northwind call elderflower", "broken: Northwind visit foxglove",
    "renegotiated: Northwind delivery gentian to next Mon", "exceeded: Northwind order hyacinth", "met: Northwind target iris",
    "thanks: Northwind liked the cake jasmine", "complaint: Northwind found it cold kapok", "idea: labels lavender", "lesson: ask first marigold",
    "asked: Northwind wants a quote nasturtium", "expected 9/10 got 6/10 orchid", "today: good, calm primrose", "note: talked to the plant quince", "rosemary on the phone",
)  # fmt: skip

NAMES = ("oleander", "bergamot", "cardamom", "dandelion", "elderflower", "foxglove", "gentian", "hyacinth", "iris", "jasmine", "kapok", "lavender",
         "marigold", "nasturtium", "orchid", "primrose", "quince", "rosemary")  # fmt: skip


def this_week() -> str:
    return "{}-W{:02d}".format(*timezone.localdate().isocalendar()[:2])


def written(client: Client) -> str:
    """The week's report as text."""
    return client.get(f"/reports/{this_week()}/as/txt").content.decode()


def test_everything_that_was_typed_in_the_week_is_offered_once(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    for line in LINES:
        sent_ = client.post("/journal/", {"line": line, "do": "save"}, headers={"Accept": "application/json"})
        assert sent_.status_code == 200, (line, sent_.content)
    report = written(client)
    assert [name for name in NAMES if report.count(name) != 1] == [], report
    assert "Acme waited for the badge oleander (made right: Acme has the badge bergamot)" in report


def test_a_failure_made_right_is_not_called_open(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    missed = typed(client, "missed: Acme waited for the badge")
    typed(client, "fixed: brought Acme its badge")
    thanks = typed(client, "thanks: Acme liked the badge")
    thread = {page.entry.word for page in book(staff.kim).thread(missed.thread)}
    assert thread == {"missed", "recovered"}
    assert Entry.objects.get(id=thanks.id).thread == thanks.id  # nothing was open any more
    assert "not yet made right" not in written(client)


def test_thanks_belong_to_the_only_open_matter_of_the_customer(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    missed = typed(client, "missed: Acme waited for the badge")
    typed(client, "missed: Northwind waited too")
    typed(client, "thanks: Acme was kind about it")
    assert {page.entry.word for page in book(staff.kim).thread(missed.thread)} == {"missed", "thanks"}
    assert "(not yet made right; thanks: Acme was kind about it)" in written(client)


def test_of_several_open_matters_none_is_chosen_in_silence(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    first = typed(client, "missed: Acme waited for the badge")
    typed(client, "missed: Acme waited for the key")
    asked = client.post("/journal/understanding", {"line": "fixed: Acme has it"}).content.decode()
    assert "not clear which of these" in asked
    assert "waited for the badge" in asked
    assert "waited for the key" in asked
    fixed = typed(client, "fixed: Acme has it")
    assert fixed.thread == fixed.id
    assert written(client).count("not yet made right") == 2
    assert "What does it belong to?" in client.get(f"/journal/{fixed.id}/").content.decode()
    assert as_(staff.peer).post(f"/journal/{fixed.id}/join", {"matter": str(first.id)}).status_code == 404
    assert client.post(f"/journal/{fixed.id}/join", {"matter": str(uuid.uuid4())}).status_code == 404
    assert client.post(f"/journal/{fixed.id}/join", {"matter": str(first.id)}).status_code == 302
    report = written(client)
    assert "Acme waited for the badge (made right: Acme has it)" in report
    assert report.count("not yet made right") == 1


def test_a_case_or_a_service_says_which_matter_is_meant(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    badge = typed(client, "missed: Acme waited #badges")
    typed(client, "missed: Acme waited #keys")
    fixed = typed(client, "fixed: Acme is happy #badges")
    assert Entry.objects.get(id=fixed.id).thread == badge.thread


def test_nobody_elses_customer_takes_a_line_without_one(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    typed(client, "missed: Acme waited")
    fixed = typed(client, "fixed: the label printer")
    assert fixed.thread == fixed.id


def test_a_year_that_is_not_the_reports_is_named(staff: House) -> None:
    mine, scope = book(staff.kim), AccessScope(staff.kim)
    made = datetime(2025, 12, 17, 9, tzinfo=UTC)
    for day, month, year in ((30, 12, 2025), (15, 1, 2026)):
        due = datetime(year, month, day, 12, tzinfo=UTC).isoformat()
        mine.write({"word": "promise", "text": f"the draft of {day}", "due": due}, at=made)
    report = weekly.draft_week(mine, scope, date(2025, 12, 15))
    assert "the draft of 30 (due Tue 30 Dec, " in report
    assert re.search(r"the draft of 15 \(due Thu 15 Jan 2026, \d\d:\d\d\)", report)
    assert (
        week_page.render_week("x", "2026-W01", "kim", "txt")
        .decode()
        .startswith("Week 2026-W01, 29 Dec 2025 – 04 Jan 2026")
    )


def test_a_shared_failure_takes_along_what_became_of_it(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    missed = typed(client, 'missed: +"Blue Harbor" waited for the quote @peer #quotes, cause: handover')
    for word, line in (
        ("note", "call +Acme next time @peer"),
        ("recovered", "brought it"),
        ("met", "fine now"),
        ("gap", "rated 4/5"),
        ("self", "poor"),
    ):
        assert client.post(f"/journal/{missed.id}/more", {"word": word, "line": line}).status_code == 302
    form = client.get(f"/journal/{missed.id}/share").content.decode()
    assert "Blue Harbor waited for the quote peer" in form
    assert "call Acme next time peer" in form
    fields = dict.fromkeys(re.findall(r'name="(answer-[^"]+)"', form))
    assert len(fields) == 4
    words = {name: f"{number} words +Acme" for number, name in enumerate(fields)}
    row = shared_of(client, missed, text='+"Blue Harbor" waited, @peer helped #quotes', customer="Blue Harbor", **words)
    assert row.text == "Blue Harbor waited, peer helped"
    assert [one.person for one in row.helpers.all()] == [staff.peer]
    thread = list(Shared.objects.filter(thread=row.thread).exclude(id=row.id))
    assert {one.word for one in thread} == {"note", "recovered", "met", "gap"}
    assert {one.text for one in thread} == {f"{number} words Acme" for number in range(4)}
    (rated,) = [one for one in thread if one.word == "gap"]
    assert (rated.score, rated.scale) == (4, "csat5")
    seen = as_(staff.peer).get(f"/shared/{row.id}/").content.decode()
    assert "4 (satisfaction, 1 to 5)" in seen
    assert "poor" not in seen
    client.post(f"/shared/{row.id}/", {"audience": "team", "text": "now +Acme and @peer"})
    assert Shared.objects.get(id=row.id).text == "now Acme and peer"


def test_an_answer_whose_words_were_emptied_stays_private(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    missed = typed(client, "missed: Acme waited")
    client.post(f"/journal/{missed.id}/more", {"word": "note", "line": "SECRET"})
    client.post(f"/journal/{missed.id}/more", {"word": "met", "line": "SECRET too"})
    row = shared_of(client, missed)
    thread = Shared.objects.filter(thread=row.thread).exclude(id=row.id)
    assert [(one.word, one.text) for one in thread] == [("met", "")]


UNCLEAR = "promise: Acme gets the quote by 12/5"


def test_what_is_not_clear_is_asked_on_the_page(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    for do in ("look", "save"):
        page = client.post("/journal/", {"line": UNCLEAR, "do": do}).content.decode()
        assert "can be read in more than one way" in page
        assert "No due time was understood" not in page
        assert page.count('name="line" value="promise: Acme gets the quote by ') == 2
        assert 'value="save"' not in page
    assert not Entry.objects.filter(owner=staff.kim.pk).exists()
    answer = client.post("/journal/", {"line": UNCLEAR, "do": "save"}, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert "12/5" in answer.json()["what"]
    assert (
        "can be read in more than one way" in client.post("/journal/understanding", {"line": UNCLEAR}).content.decode()
    )


def test_what_is_not_clear_is_asked_by_the_api(staff: House) -> None:
    client = key(staff.kim)
    refused = sent(client, "journal", {"line": UNCLEAR})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith('"12/5" can be read as ')
    assert " or as " in refused.json()["detail"]
    assert refused.json()["do"].startswith("Write ")


@pytest.mark.parametrize("line", ["promise:", "missed: ", "note:", "thanks", "kept", "lesson:"])
def test_a_word_with_nothing_after_it_is_refused(staff: House, as_: As, line: str) -> None:
    client = as_(staff.kim)
    assert client.post("/journal/", {"line": line, "do": "save"}).status_code == 422
    refused = sent(key(staff.kim), "journal", {"line": line})
    assert refused.status_code == 422
    assert refused.json()["do"].startswith("Write ")
    assert not Entry.objects.filter(owner=staff.kim.pk).exists()


def test_one_length_is_the_most_everywhere(staff: House, as_: As) -> None:
    client, long = as_(staff.kim), "x" * (MAX_ENTRY_LETTERS + 1)
    said = "4,001 letters; 4,000 are kept at most."
    page = client.post("/journal/", {"line": long, "do": "save"}, headers={"Accept": "application/json"})
    assert (page.status_code, said in page.json()["what"]) == (422, True)
    for path, body in (("journal", {"line": long}), ("moments", {"word": "note", "text": long})):
        answer = sent(key(staff.kim), path, body)
        assert (answer.status_code, said in answer.json()["detail"]) == (422, True), path
    entry = typed(client, "missed: " + "y" * (MAX_ENTRY_LETTERS - 8))
    assert client.post(f"/journal/{entry.id}/more", {"word": "note", "line": long}).status_code == 422
    assert (
        client.post(f"/journal/{entry.id}/share", {"audience": "team", "text": long}).status_code == 200
    )  # its form again
    assert client.post("/protocol", {"text": long}).status_code == 422
    assert not Shared.objects.exists()
    assert f'maxlength="{MAX_ENTRY_LETTERS}"' in client.get("/journal/").content.decode()


def test_one_case_is_no_plural(staff: House, tmp_path: Path) -> None:
    place = create_workspace(tmp_path / "home", "UTC")
    at = datetime(2026, 11, 20, 10, tzinfo=UTC)
    sharing.share(staff.kim, {"word": "gap", "expected": 9, "score": 6, "scale": "nps10"}, at)
    sharing.write_pending(place)
    (rated,) = ask_measures(place, MeasureQuestion((find_measure("rating_mean"),)))
    assert str(getattr(rated.value[0], "reason", "")).startswith("only 1 case; at least ")


def test_a_long_week_is_kept_whole_or_it_is_said_why_not(staff: House, as_: As) -> None:
    client, longest = as_(staff.kim), "ж" * 19_999 + "\n"
    client.post(f"/reports/{this_week()}/", {"text": longest.replace("\n", "\r\n")})
    assert written(client).count("ж") == 19_999
    refused = client.post(f"/reports/{this_week()}/", {"text": longest + "end"})
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "Nothing was saved: the report has 20,003 letters, and can have 20,000. Shorten it." in page
    assert "end</textarea>" in page
    assert "end" not in written(client)


def test_a_line_that_nobody_filled_in_takes_its_title_along_and_nothing_else() -> None:
    text = "Done\n- one\n\nWhat I need from you\n- ...\n"
    assert week_page.render_week(text, "2026-W48", "kim", "txt").decode().endswith("Done\n- one\n")
    text = "What I need from you\n- a new printer\n- ...\n"
    assert "a new printer" in week_page.render_week(text, "2026-W48", "kim", "txt").decode()
    assert "What I need from you" in week_page.render_week(text, "2026-W48", "kim", "txt").decode()
    assert "..." not in week_page.render_week(text, "2026-W48", "kim", "html").decode()


def test_the_week_begins_with_a_sentence_and_its_sums(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    for line in (
        "missed: Acme waited, 2h of work, EUR 300",
        "fixed: Acme has it",
        "thanks: Acme was kind",
        "missed: Northwind too, 1 return",
    ):
        typed(client, line)
    text = written(client)
    first = text.split("The week in short\n")[1]
    assert first.startswith(
        "- 2 failures, 1 made right; 1 thank-you.\n- 2 hours of work written down; 1 return; amounts named: EUR 300.\n"
    )
    assert "nothing recorded" not in text

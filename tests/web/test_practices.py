"""Practices on their pages: each confirms their own part, sees their own part, and nobody is ranked."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, make_cases_once
from wellserved import improvement
from wellserved.actions import idea_news, practices
from wellserved.actions.claim_roles import find_role
from wellserved.actions.credit_words import credit_lines, practice_branch
from wellserved.actions.open_cases import open_case_table
from wellserved.actions.practice_effects import PracticeEffect, count_reach, practice_effect
from wellserved.errors import RequestError, UnknownNameError
from wellserved.improvement import IMPROVEMENTS_FILE, Improvement
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Adoption, Person, Practice

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
BEGAN = date(2026, 1, 5)


def ask_first(staff: House, improvement_name: str = "") -> Practice:
    """A practice of kim's, by peer's idea, that quality took up, and foreign from quality with the help of peer."""
    row = practices.start_practice(
        staff.kim, "Ask first", "One asks before one starts", BEGAN, improvement_name, "PEER"
    )
    practices.take_up(staff.kim, row, "quality", date(2026, 2, 2))
    practices.take_up(staff.foreign, row, "", date(2026, 3, 2), "quality", ["peer"])
    return row


def test_each_confirms_their_own_part_and_nothing_counts_before(staff: House, as_: As) -> None:
    row = ask_first(staff)
    quality, foreign = practices.adoptions_of(row)
    assert (quality.confirmed, quality.taught_confirmed is not None) == (None, True)  # kim taught it, and says so
    assert (foreign.confirmed is not None, foreign.taught_confirmed) == (True, None)
    reach = {"kim": 100, "quality": 600, "foreign": 400}
    assert practices.credit_of(row, reach).whole == 500
    assert practices.credit_of(row, reach).parts[""] == 100  # of four links to foreign, quality's is nobody's yet
    page = as_(staff.quality).get("/practices/").content.decode()
    assert page.count("Yes, that is right") == 2
    assert "with the help of peer" in page
    assert [part.kinds for part in practices.open_parts(staff.quality)] == [("adoption",), ("teaching",)]
    for part in practices.open_parts(staff.quality):
        as_(staff.quality).post(f"/practices/adoptions/{part.adoption.pk}", {"do": "confirm"})
    as_(staff.peer).post(f"/practices/adoptions/{foreign.pk}", {"do": "confirm"})
    shares = practices.credit_of(row, reach)
    assert shares.whole == 1100
    assert shares.parts == {"kim": 50 + 200 + 80, "peer": 50 + 200 + 80 + 80, "quality": 200 + 80, "foreign": 80}
    assert practices.open_parts(staff.quality) == practices.open_parts(staff.peer) == []


def test_one_sees_ones_own_part_and_strangers_see_the_name_alone(staff: House, as_: As) -> None:
    row = ask_first(staff)
    for person in (staff.kim, staff.peer):  # who began it, and whose idea it was
        assert "Who took it up" in as_(person).get(f"/practices/{row.pk}/").content.decode()
    for person in (staff.quality, staff.foreign):  # whose part nobody else has confirmed yet
        assert "Who took it up" not in as_(person).get(f"/practices/{row.pk}/").content.decode()
    for part in practices.open_parts(staff.quality):
        practices.confirm_part(staff.quality, part.adoption)
    for person in (staff.quality, staff.foreign):
        assert "Who took it up" in as_(person).get(f"/practices/{row.pk}/").content.decode()
    practices.adoptions_of(row)[1].helpers.all().delete()
    lead = as_(staff.lead).get(f"/practices/{row.pk}/").content.decode()
    assert "Who took it up" not in lead
    assert "foreign" not in lead
    assert as_(staff.lead).post(f"/practices/{row.pk}/shares", {"do": "open"}).status_code == 404
    as_(staff.kim).post(f"/practices/{row.pk}/shares", {"do": "open", "shows_tree": "on"})
    assert "Who took it up" in as_(staff.lead).get(f"/practices/{row.pk}/").content.decode()
    view, reach = practices.view_practice(staff.kim, row), {"kim": 100, "foreign": 400}
    lines = " ".join(credit_lines(view, practices.credit_of(row, reach), PracticeEffect(reach, reason="none")))
    assert "One other person" in lines
    assert not set("%0123456789") & set(lines)  # less her own, it would be somebody's
    more = {**reach, "quality": 100}
    lines = " ".join(credit_lines(view, practices.credit_of(row, more), PracticeEffect(more, reason="none")))
    assert "600 cases reached in all" in lines
    assert "Your part:" in lines
    assert practice_branch(view, reach).words.endswith("100 cases")
    assert "400" not in str(practice_branch(view, reach).pupils)
    assert "peer" not in lines
    assert "quality" not in lines


def test_no_page_and_no_address_puts_people_in_an_order_of_credit(staff: House, as_: As) -> None:
    row = ask_first(staff)
    page = as_(staff.kim).get(f"/practices/{row.pk}/").content.decode()
    tree = re.findall(r"<strong>([\w ]+)</strong>", page)
    assert tree == ["kim", "quality", "foreign"]  # by who learnt it from whom, and by day
    assert "%" not in re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL).split("Who took it up")[1]


def test_other_shares_hold_once_all_have_signed(staff: House, as_: As) -> None:
    row = ask_first(staff)
    quality, _foreign = practices.adoptions_of(row)
    practices.confirm_part(staff.quality, quality)
    reach = {"kim": 0, "quality": 600, "foreign": 0}
    facts = {"do": "propose", "adoption": str(quality.pk), "parts": "quality 50%\nkim 25%\npeer: 25"}
    assert as_(staff.lead).post(f"/practices/{row.pk}/shares", facts).status_code == 404
    assert as_(staff.quality).post(f"/practices/{row.pk}/shares", facts).status_code == 302
    for part in practices.open_parts(staff.quality):
        practices.confirm_part(staff.quality, part.adoption)
    [proposal] = row.agreed_shares.all()
    assert practices.unsigned_holders(proposal) == ["kim", "peer"]
    assert practices.credit_of(row, reach).parts["quality"] == 200
    for person in (staff.kim, staff.peer):
        as_(person).post(f"/practices/{row.pk}/shares", {"do": "sign", "proposal": proposal.pk})
    assert practices.credit_of(row, reach).parts["quality"] == 300
    assert practices.credit_of(row, reach).whole == 600
    other = practices.propose_shares(staff.kim, row, quality, {"kim": Fraction(1)})
    assert practices.credit_of(row, reach).parts["quality"] == 300  # what all have signed holds until another is signed
    assert [waiting.pk for waiting in practices.waiting_proposals(staff.peer)] == [other.pk]
    assert as_(staff.peer).post(f"/practices/{row.pk}/shares", {"do": "sign", "proposal": "abc"}).status_code == 404
    as_(staff.peer).post(f"/practices/{row.pk}/shares", {"do": "refuse", "proposal": other.pk})
    assert row.agreed_shares.count() == 1
    with pytest.raises(RequestError, match="100%"):
        practices.propose_shares(staff.kim, row, quality, {"kim": Fraction(1, 2)})
    with pytest.raises(UnknownNameError):
        practices.propose_shares(staff.kim, row, quality, {"lead": Fraction(1)})


def test_days_and_names_that_contradict_each_other_are_refused(staff: House) -> None:
    row = ask_first(staff)
    for adopter, since, teacher in (
        ("quality", date(2026, 5, 1), ""), ("kim", date(2026, 5, 1), ""), ("admin", date(2026, 1, 5), ""), ("admin", date(2026, 2, 2), "quality"),
        ("admin", date(2026, 5, 1), "nobody"), ("nobody", date(2026, 5, 1), ""), ("team Z", date(2026, 5, 1), ""),
    ):  # fmt: skip
        with pytest.raises(RequestError):
            practices.take_up(staff.kim, row, adopter, since, teacher)
    assert row.adoptions.count() == 2
    quality, foreign = practices.adoptions_of(row)
    with pytest.raises(RequestError, match="Others learnt it there"):
        practices.decline_part(staff.quality, quality)
    with pytest.raises(RequestError, match="not yours"):
        practices.end_adoption(staff.kim, foreign, date(2026, 6, 1))
    practices.end_adoption(staff.foreign, foreign, date(2026, 6, 1))
    practices.decline_part(staff.foreign, foreign)
    assert row.adoptions.count() == 1
    with pytest.raises(RequestError, match="already"):
        practices.start_practice(staff.peer, "ASK FIRST", "x", BEGAN)


def test_customers_are_counted_from_the_day_to_the_last_day(place: Workspace) -> None:
    make_cases_once(place)
    whole = count_reach(place, (), (("x", "source", "synth", date(1990, 1, 1), None),))["x"]
    spans = tuple(
        (name, "source", "synth", since, until)
        for name, since, until in (("a", date(1990, 1, 1), date(2025, 6, 30)), ("b", date(2025, 7, 1), None))
    )
    halves = count_reach(place, (), spans)
    assert sum(halves.values()) == whole > 0
    assert count_reach(place, (("service", "no such"),), spans) == {"a": 0, "b": 0}
    told = practice_effect(place, "", spans)
    assert told.reach == halves
    assert "no improvement" in told.reason


def test_who_took_it_up_may_claim_so_and_the_giver_is_told(staff: House, as_: As, place: Workspace) -> None:
    file = place.folder / IMPROVEMENTS_FILE
    before = file.read_bytes() if file.exists() else None
    try:
        now = timezone.now()
        name = f"ask-{now:%H%M%S%f}"
        declaration = Improvement(
            name, "One asks first", "2026-01-05", "time_to_first_reply", who="kim", idea_from="peer", helpers=("lead",)
        )
        improvement.declare(place, declaration, datetime(2025, 12, 1, tzinfo=UTC))
        assert "Your idea was proved" not in as_(staff.peer).get("/").content.decode()
        improvement.record_look(place, name, {"status": "improved_harm_not_excluded"}, now - timedelta(days=1))
        assert "Your idea was proved" in as_(staff.peer).get("/").content.decode()
        assert "What you helped with was proved" in as_(staff.lead).get("/").content.decode()
        assert "was proved" not in as_(staff.kim).get("/").content.decode()
        assert idea_news.latest_news(place, staff.peer, now + timedelta(days=40)) == []
        week = "{}-W{:02d}".format(*timezone.localdate(now - timedelta(days=1)).isocalendar()[:2])
        assert "proved, my idea: One asks first" in as_(staff.peer).get(f"/reports/{week}/as/txt").content.decode()
        improvement.record_look(place, name, {"status": "no_change"}, now)
        assert "was proved" not in as_(staff.peer).get("/").content.decode()
        row = ask_first(staff, name)
        with pytest.raises(RequestError, match="does not name you"):
            find_role(staff.quality, declaration)
        practices.confirm_part(staff.quality, practices.adoptions_of(row)[0])
        assert find_role(staff.quality, declaration) == "adopter"
        assert find_role(staff.peer, declaration) == "idea"
    finally:
        if before is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(before)


def test_a_practice_is_described_and_taken_up_on_its_page(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    made = client.post(
        "/practices/", {"name": "Ask first", "what": "One asks", "since": "2026-01-05", "idea_from": "Ada Lovelace"}
    )
    assert made.status_code == 302
    row = Practice.objects.get()
    assert row.idea_from == "Ada Lovelace"
    again = client.post("/practices/", {"name": "Ask first", "what": "x", "since": "2026-01-05"})
    assert "already" in again.content.decode()
    taken = as_(staff.lead).post(
        f"/practices/{row.pk}/",
        {"adopter": "team A", "since": "2026-03-01", "taught_by": "kim", "helpers": "peer, quality"},
    )
    assert taken.status_code == 302
    adoption = Adoption.objects.get()
    assert adoption.confirmed is not None  # a lead speaks for the team
    assert adoption.helpers.count() == 2
    assert "Ada Lovelace" in client.get(f"/practices/{row.pk}/").content.decode()


def test_who_enters_themselves_sees_no_more_and_an_outsider_is_nobody_here(staff: House, as_: As) -> None:
    row = practices.start_practice(staff.kim, "Ask first", "One asks", BEGAN, "", "Lead Foster")
    practices.take_up(staff.kim, row, "quality", date(2026, 2, 2))
    spy = as_(staff.lead)
    assert spy.post(f"/practices/{row.pk}/", {"since": "2026-04-01", "taught_by": "kim"}).status_code == 302
    assert "Who took it up" not in spy.get(f"/practices/{row.pk}/").content.decode()
    adoption = practices.adoptions_of(row)[1]
    practices.decline_part(staff.kim, adoption)  # kim taught the lead nothing
    adoption.refresh_from_db()
    assert adoption.taught_declined is not None
    assert practices.open_parts(staff.kim) == []
    assert practices.tree_of(row).idea_givers == ("Lead Foster (without a login)",)
    shares = practices.credit_of(row, {"kim": 100, "lead": 100})
    assert shares.parts["Lead Foster (without a login)"] == 50 + Fraction(100, 3)


def test_each_case_counts_once_and_the_first_team_is_no_limit_for_others(place: Workspace) -> None:
    make_cases_once(place)
    first = date(1990, 1, 1)
    whole = count_reach(place, (), (("all", "source", "synth", first, None),))["all"]
    with open_case_table(place) as cases:
        pairs = cases.engine.query(
            f"SELECT team, person_id, count(*) AS n FROM {cases.table} WHERE team IS NOT NULL AND person_id IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1"
        ).to_pylist()
    assert whole > 0
    if pairs:
        team, person, _n = pairs[0].values()
        alone = count_reach(place, (), (("t", "team", team, first, None),))["t"]
        both = count_reach(place, (), (("t", "team", team, first, None), ("p", "person_id", person, first, None)))
        in_team = count_reach(place, (("team", team),), (("p", "person_id", person, first, None),))["p"]
        assert both["t"] == alone - in_team

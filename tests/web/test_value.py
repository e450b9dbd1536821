"""Accounts, contracts, the pulse and prompts in the house: who sees what, and what odd input does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from wellserved.actions import business_cases, prompts
from wellserved.actions.contract_files import read_contracts
from wellserved.actions.contract_ledger import contract_lines, forget_deeds, note_deed
from wellserved.actions.pulse_answers import team_members
from wellserved.errors import RequestError
from wellserved.journal import pulse
from wellserved.journal.models import PromptRest, PulseBlock, PulseCount, PulseRelease
from wellserved.people.pulse import block_of, block_start
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope
from wellserved.store.models import Account, Person, token_digest
from wellserved.store.plan_models import Contract, SavedCase

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


@pytest.fixture
def finance(staff: House) -> AccessScope:
    return AccessScope(staff.finance)


def _contract(**facts: object) -> Contract:
    days = {"starts": date(2026, 1, 1), "ends": date(2026, 12, 31)}
    return Contract.objects.create(account=Account.objects.get(name="Acme Group"), **{**days, **facts})


FILE = b"""account;starts;ends;notice;value_year;currency;reference;outcome;outcome_on
ACME  group;2026-01-01;2027-12-31;3 months;120000;EUR;C-1;;
New Corp;2025-01-01;2025-12-31;6 weeks;10000;EUR;C-2;renewed;
Acme Group;12/31/2026;;;;;;;
Acme Group;2026-01-01;2026-12-31;1;;;;;
Acme Group;2026-01-01;2026-12-31;;1e30;EUR;;;
Acme Group;2026-01-01;2026-12-31;;5;;;;
Acme Group;2026-01-01;2025-12-31;;;;;;
;2026-01-01;;;;;;;
Acme Group;2026-01-01;2026-12-31;;;;C-9;gone;
Acme Group;2026-02-01;9999-12-31;;;;C-8;;
"""


def test_a_file_of_contracts_is_loaded_or_refused_row_by_row(finance: AccessScope) -> None:
    outcome = read_contracts(FILE, finance)
    assert (outcome.new, outcome.changed, outcome.new_accounts) == (2, [], ["New Corp"])
    assert [number for number, _reason in outcome.refused_rows] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert Contract.objects.get(reference="C-1").account.name == "Acme Group"
    assert Contract.objects.get(reference="C-2").terms.decision_date == date(2025, 11, 19)


def test_a_second_file_changes_what_it_says_and_nothing_else(finance: AccessScope) -> None:
    read_contracts(FILE, finance)
    Contract.objects.filter(reference="C-1").update(exit_words="on a change of owner", notice_to="quarter")
    again = read_contracts(FILE, finance)
    assert (again.new, again.changed, again.same) == (0, [], 2)
    less = read_contracts(b"account,starts,ends,reference,outcome\nAcme Group,2026-01-01,2028-06-30,C-1,\nNew Corp,2025-01-01,2025-12-31,C-2,left\n", finance)  # fmt: skip
    assert (less.changed, less.same) == ([2, 3], 0)
    row = Contract.objects.get(reference="C-1")
    assert (row.ends, row.exit_words, row.notice_to, row.notice_value) == (date(2028, 6, 30), "on a change of owner", "quarter", 3)  # fmt: skip
    assert [deed.deed for deed in Contract.objects.get(reference="C-2").deeds.all()] == ["left_at_end"]


def test_a_contract_that_is_renewed_has_a_successor_and_taking_it_back_leaves_none(finance: AccessScope) -> None:
    row, today = _contract(reference="C-1", value_year=1_000, currency="EUR"), timezone.localdate()
    for new_end in (None, date(2026, 6, 1), date(9999, 12, 31)):
        with pytest.raises(RequestError, match="has a new end"):
            note_deed(finance, row, "renewed", date(2026, 12, 31), today, new_end)
    for _time in range(2):
        note_deed(finance, Contract.objects.get(pk=row.pk), "renewed", date(2026, 12, 31), today, date(2027, 12, 31))
        assert Contract.objects.count() == 2
        forget_deeds(finance, Contract.objects.get(pk=row.pk))
        assert Contract.objects.count() == 1


def test_notice_that_comes_too_late_is_refused(finance: AccessScope) -> None:
    row = _contract(notice_value=3)
    with pytest.raises(RequestError, match="after the last day for it, 2026-09-30"):
        note_deed(finance, row, "notice_given", date(2026, 11, 1), date(2026, 11, 1), None)
    note_deed(finance, row, "notice_given", date(2026, 9, 1), date(2026, 9, 1), None)
    (line,) = contract_lines(None)
    assert (line.leaves_on(date(2026, 10, 1)), line.outcome(date(2026, 12, 31))) == (date(2026, 12, 31), None)
    assert line.outcome(date(2027, 1, 1)) == "left_at_end"


def test_a_contract_without_a_value_is_worth_its_accounts_revenue_where_it_is_the_only_one(staff: House) -> None:
    _contract()
    assert [line.value_year for line in contract_lines(None)] == [120_000.0]
    _contract(reference="C-2")
    assert [line.value_year for line in contract_lines(None)] == [None, None]


def test_a_lead_sees_spans_and_finance_figures_and_nobody_else_anything(staff: House, as_: As) -> None:
    _contract(ends=timezone.localdate() + timedelta(days=100), value_year=123_456, currency="EUR")
    account = Account.objects.get(name="Acme Group")
    pages = ("/accounts/", f"/accounts/{account.pk}/", "/contracts/", "/house/")
    texts = {person.username: [as_(person).get(page).content.decode() for page in pages] for _name, person in staff}
    assert all("120,000" in text for text in (texts["finance"][0], texts["finance"][3]))
    assert "123,456" in texts["finance"][2]
    for name, shown in texts.items():
        if name != "finance":
            assert not [text for text in shown if "120,000" in text or "123,456" in text], name
    assert "50,000 to 250,000 EUR" in texts["lead"][0]
    assert "Acme Group" not in texts["foreign"][0]
    assert "No account is given to your team" in texts["foreign"][0]


def test_the_calendar_holds_contracts_only_where_it_was_said_so(staff: House, as_: As, client: Client) -> None:
    ends = timezone.localdate() + timedelta(days=400)
    _contract(ends=ends)
    Person.objects.filter(pk=staff.finance.pk).update(feed=token_digest("old"))
    assert "Acme Group" not in client.get("/calendar/old.ics").content.decode()
    Person.objects.filter(pk=staff.finance.pk).update(feed_has_contracts=True)
    text = client.get("/calendar/old.ics").content.decode().replace("\r\n ", "")
    assert "SUMMARY:Acme Group decides about its contract" in text
    assert f"DTSTART;VALUE=DATE:{ends:%Y%m%d}" in text
    assert text.count("TRIGGER:-P") == 3


def test_an_account_that_is_renamed_keeps_its_name_in_the_records(staff: House, as_: As) -> None:
    account = Account.objects.get(name="Acme Group")
    as_(staff.finance).post(f"/accounts/{account.pk}/", {"name": "Acme Holding"})
    account.refresh_from_db()
    assert account.known_names == ("Acme Holding", "Acme Group")


def _block(people: list[Person], values: dict[int, int], weeks: int = 4) -> date:
    """Answers of four weeks that are over; the day after them."""
    first = block_start(block_of(timezone.localdate()) - 1)
    members = {"A": [person.pk for person in people]}
    for week in range(weeks):
        for person in people:
            pulse.count_answer(person.pk, "A", values.get(person.pk, 4), first + timedelta(weeks=week), members)
    return first + timedelta(weeks=4)


def _team(staff: House, size: int) -> list[Person]:
    return [Person.objects.create(username=f"p{n}", team=staff.kim.team) for n in range(size)]


def test_four_weeks_are_told_once_and_their_answers_are_gone(staff: House) -> None:
    people = _team(staff, 6)
    after = _block(people, {people[0].pk: 1})
    assert pulse.release_due_blocks(after, {"A": [person.pk for person in people]}) == 1
    (told,) = pulse.told_blocks()
    assert [(mood.group, mood.good_in_ten) for mood in told.moods] == [("", 8), ("A", 8)]
    assert not PulseCount.objects.exists()
    assert not PulseBlock.objects.exists()
    assert pulse.release_due_blocks(after, {}) == 0


def test_nobodys_answer_stands_on_any_page_of_anybody(staff: House, as_: As) -> None:
    """A team of six and its last answer, 1: what every role can read is the same whatever that answer was."""
    people = _team(staff, 6)
    pages = ("/pulse/", "/people/", "/audit/", "/me/")  # no other reads them: tests/web/test_access.py

    def shown(answer: int) -> list[str]:
        after = _block(people, {people[-1].pk: answer})
        pulse.release_due_blocks(after, {"A": [person.pk for person in people]})
        texts = [str([(m.group, m.words) for block in pulse.told_blocks() for m in block.moods])]
        for name, person in staff:
            client = as_(person)
            texts += [f"{name} {page} {client.get(page).content.decode().count('in 10')}" for page in pages]
        PulseRelease.objects.all().delete()
        return texts

    assert shown(1) == shown(5)


def test_who_left_or_came_within_the_four_weeks_is_not_counted(staff: House) -> None:
    people = _team(staff, 6)
    after = _block(people, {})
    pulse.release_due_blocks(after, {"A": [person.pk for person in people[:4]]})
    assert pulse.told_blocks()[0].moods == ()


def test_an_answer_is_kept_for_oneself_and_counts_for_the_team(staff: House, as_: As) -> None:
    as_(staff.kim).post("/pulse/", {"value": "2"})
    as_(staff.kim).post("/pulse/", {"value": "5"})
    as_(staff.kim).post("/pulse/", {"value": "9"})
    assert [value for _week, value in book(staff.kim).pulses()] == [5]
    assert [(row.team, row.value) for row in PulseCount.objects.all()] == [("A", 5)]
    assert staff.kim.pk in team_members()["A"]


def test_a_pulse_outlasts_a_reset_and_its_weeks_become_one_again(staff: House) -> None:
    journal = book(staff.kim)
    journal.open_with_password("correct horse battery")
    journal.keep_pulse("2026-W40", 2)
    journal.begin_volume("password", "another long password")
    assert journal.pulses() == []
    journal.keep_pulse("2026-W40", 4)
    journal.unlock("correct horse battery")
    assert journal.pulses() == [("2026-W40", 4)]


def test_what_a_prompt_was_about_does_not_lie_open(staff: House, place: Workspace) -> None:
    for number in range(3):
        book(staff.kim).write({"word": "missed", "line": f"missed: {number}", "cause": "secret cause"})
    now, scope = timezone.now(), AccessScope(staff.kim)
    first = prompts.todays_prompt(place, scope, book(staff.kim), now)
    assert first is not None
    assert first.words.startswith("secret cause: the same cause 3 times this quarter.")
    assert prompts.todays_prompt(place, scope, book(staff.kim), now) == first
    (row,) = PromptRest.objects.all()
    assert "secret" not in f"{row.subject}{row.rule}"


def test_a_kept_case_is_its_owners_and_finances_and_huge_numbers_are_refused(staff: House, as_: As) -> None:
    ranges = {"cases_a_year": (900, 1200), "avoidable_share": (0.08, 0.2), "hours_each": (0.5, 2), "hourly_rate": (38, 52), "cost": (6000, 12000)}  # fmt: skip
    form = {"title": "Wrong labels", "currency": "EUR", "years": "1", "do": "keep"}
    form |= {f"{name}_{end}": str(value) for name, ends in ranges.items() for end, value in zip(("low", "high"), ends, strict=True)}  # fmt: skip
    as_(staff.kim).post("/business-cases/new", form)
    row = SavedCase.objects.get()
    assert row.result["without_hours"][3] == 1.0
    assert not row.inputs["cost"]["measured"]
    seen = {name: as_(person).get(f"/business-cases/{row.pk}/").status_code for name, person in staff}
    assert {name for name, status in seen.items() if status == 200} == {"kim", "finance"}
    for name, value in (("cost_high", "1e300"), ("cost_high", ""), ("avoidable_share_high", "20")):
        answer = as_(staff.kim).post("/business-cases/new", {**form, name: value})
        assert answer.status_code == 200
    assert SavedCase.objects.count() == 1


def test_a_forecast_stands_beside_what_came(staff: House, finance: AccessScope) -> None:
    inputs = {name: {"low": low, "high": high, "measured": False, "origin": "x"} for name, low, high in (("cases_a_year", 900, 1200), ("avoidable_share", 0.1, 0.2), ("money_each", 10, 20), ("cost", 100, 200))}  # fmt: skip
    row = business_cases.keep_case(staff.kim, {"title": "x", "years": 1.0, "currency": "EUR"}, inputs)
    business_cases.note_outcome(finance, row, 2_000.0, "the verdict", timezone.localdate())
    assert business_cases.forecast_record().words == "1 of 1 forecasts came within their 80% ranges."
    with pytest.raises(RequestError, match="noted already"):
        business_cases.note_outcome(finance, row, 1.0, "again", timezone.localdate())

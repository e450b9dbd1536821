"""What customers are worth beside moments, problems, cases and in reports: who sees it, and what is summed up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from wellserved.actions import sharing, weekly
from wellserved.actions.accounts import customer_accounts
from wellserved.actions.contract_ledger import note_deed
from wellserved.actions.customer_worth import show_yearly_total, visible_worths, worths_of_owners
from wellserved.actions.team_week import draft_shared_week, draft_team_week
from wellserved.actions.week_problems import WeekProblem, WeekProblems
from wellserved.moments import period_of
from wellserved.store.access import AccessScope
from wellserved.store.models import Account, Customer, Person
from wellserved.store.plan_models import Contract

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


def _share(author: Person, word: str, customer: str, text: str) -> None:
    due = (timezone.now() + timedelta(hours=1)).isoformat() if word == "promise" else None
    sharing.share(author, {"word": word, "text": text, "customer": customer, "due": due}, timezone.now(), "team")


def _this_week() -> tuple[date, datetime, datetime]:
    monday = period_of(timezone.localdate(), "week").start
    return monday, timezone.now() - timedelta(days=7), timezone.now() + timedelta(days=1)


def _draft(as_person: Person, line_facts: list[tuple[str, str]]) -> str:
    journal = book(as_person)
    for word, customer in line_facts:
        journal.write({"word": word, "customer": customer, "line": f"{word}: something"})
    return weekly.draft_week(journal, AccessScope(as_person), _this_week()[0])


def test_a_name_is_found_as_customer_duplicate_account_or_spelling(staff: House) -> None:
    acme = Customer.objects.get(name="Acme")
    Customer.objects.create(name="ACME Ltd", merged_into=acme)
    Account.objects.create(name="Globex", recorded_as="GLOBEX-7", currency="USD", revenue_year=5)
    worths = visible_worths(
        AccessScope(staff.finance),
        ["Acme", "ACME Ltd", "Northwind", None, "", "nobody"],
        ["acme  group", "globex-7", "Acme", ""],
    )
    assert {name: worth.account.name for name, worth in worths.items()} == {
        "Acme": "Acme Group", "ACME Ltd": "Acme Group", "acme  group": "Acme Group", "globex-7": "Globex",
    }  # fmt: skip


def test_each_account_counts_once_and_unknown_worth_is_said(staff: House) -> None:
    scope = AccessScope(staff.finance)
    Account.objects.create(name="Globex", currency="USD", revenue_year=5_000)
    Account.objects.create(name="Initech")
    worths = visible_worths(scope, ["Acme"], ["Acme Group", "Globex", "Initech"])
    assert (
        show_yearly_total(scope, worths.values())
        == "2 accounts worth 120,000 EUR + 5,000 USD a year and 1 of unknown worth"
    )
    assert show_yearly_total(scope, [worths["Initech"]]) == "1 account"
    assert show_yearly_total(scope, []) == ""


def test_a_leads_total_tells_no_more_of_its_parts_than_their_spans(staff: House) -> None:
    team = staff.lead.team
    for name, revenue in (("Large", 245_000), ("Small", 9_000)):
        Account.objects.create(name=name, team=team, revenue_year=revenue, currency="EUR")
    scope = AccessScope(staff.lead)
    worths = visible_worths(scope, accounts=["Large", "Small"])
    assert show_yearly_total(scope, worths.values()) == "2 accounts worth 50,000 to 260,000 EUR a year"
    Account.objects.filter(name="Large").update(revenue_year=2_000_000)
    worths = visible_worths(scope, accounts=["Large", "Small"])
    assert show_yearly_total(scope, worths.values()) == "2 accounts worth 1,000,000 or more EUR a year"


def test_duplicates_of_duplicates_and_spellings_lead_to_one_account(staff: House) -> None:
    acme, other = Customer.objects.get(name="Acme"), Account.objects.create(name="AAA")
    middle = Customer.objects.create(name="ACME Ltd", merged_into=acme)
    Customer.objects.create(name="A.C.M.E.", merged_into=middle)
    Customer.objects.create(name="Acme old", merged_into=acme, account=other)
    names = ["Acme", "ACME Ltd", "A.C.M.E.", "Acme old", "acme"]
    worths = visible_worths(AccessScope(staff.finance), names)
    assert {name: worths[name].account.name for name in names} == dict.fromkeys(names, "Acme Group")
    assert dict(customer_accounts()) == dict.fromkeys(["Acme", "ACME Ltd", "A.C.M.E.", "Acme old"], "Acme Group")


def test_an_accounts_own_name_comes_before_what_the_records_call_another(staff: House) -> None:
    Account.objects.create(name="Foo", revenue_year=1_000_000, currency="EUR")
    Account.objects.create(name="Zed", recorded_as="Foo", revenue_year=5, currency="EUR")
    assert visible_worths(AccessScope(staff.finance), accounts=["Foo"])["Foo"].account.name == "Foo"


def test_worth_by_contract_and_none_of_an_account_that_left(staff: House) -> None:
    scope, account = AccessScope(staff.finance), Account.objects.get(name="Acme Group")
    Account.objects.filter(pk=account.pk).update(revenue_year=None)
    today = timezone.localdate()
    contract = Contract.objects.create(
        account=account,
        starts=today - timedelta(days=200),
        ends=today + timedelta(days=100),
        value_year=90_000,
        currency="EUR",
    )
    assert visible_worths(scope, ["Acme"])["Acme"].a_year == "90,000 EUR"
    note_deed(scope, contract, "left_early", today - timedelta(days=1), today, None)
    assert visible_worths(scope, ["Acme"])["Acme"].revenue_year is None


def test_finance_sees_figures_a_lead_spans_of_the_own_team_others_nothing(staff: House, as_: As) -> None:
    _share(staff.lead, "missed", "Acme", "wrong labels")
    _share(staff.lead, "promise", "Acme", "labels by tonight")
    for page in ("/failures/", "/promises/?all=1"):
        lead = as_(staff.lead).get(page).content.decode()
        assert "50,000 to 250,000 EUR" in lead, page
        assert "120,000" not in lead, page
        member = as_(staff.kim).get(page).content.decode()
        assert "Acme" in member, page
        assert "EUR" not in member, page
    assert set(visible_worths(AccessScope(staff.finance), ["Acme"], ["Acme Group"])) == {"Acme", "Acme Group"}
    for person in (staff.kim, staff.foreign, staff.quality, staff.admin, staff.auditor):
        assert visible_worths(AccessScope(person), ["Acme"], ["Acme Group"]) == {}, person.username


def test_the_own_week_says_for_whom_expectations_were_met_and_missed(staff: House) -> None:
    lines = [("exceeded", "Acme"), ("met", "Acme"), ("missed", "Northwind"), ("missed", "Acme"), ("thanks", "Acme")]
    assert (
        "- Expectations met or exceeded for 1 account worth 50,000 to 250,000 EUR a year; missed for 1 account worth 50,000 to 250,000 EUR a year, beside 1 without an account here."
        in _draft(staff.lead, lines)
    )
    assert "worth" not in _draft(staff.kim, lines)


def test_what_was_kept_later_is_about_the_promises_customer(staff: House) -> None:
    journal = book(staff.lead)
    promise = journal.write({"word": "promise", "customer": "Acme", "line": "promise: Acme gets it"})
    journal.write({"word": "kept", "line": "kept"}, thread=promise.thread)
    text = weekly.draft_week(journal, AccessScope(staff.lead), _this_week()[0])
    assert "Expectations met or exceeded for 1 account" in text


def test_a_teams_draft_says_it_and_a_mail_that_leaves_by_itself_does_not(staff: House) -> None:
    _share(staff.peer, "exceeded", "Acme", "quote on the same day")
    monday, start, end = _this_week()
    scope = AccessScope(staff.lead)
    assert "Expectations met or exceeded for 1 account worth 50,000 to 250,000 EUR a year." in draft_team_week(
        scope, monday, WeekProblems("", ())
    )
    mailed = draft_shared_week(scope, start, end, True)
    assert "quote on the same day" in mailed
    assert "worth" not in mailed


def test_cases_stand_beside_what_their_accounts_pay(staff: House) -> None:
    owners = [("ACME GROUP", ""), ("", "Acme"), ("", ""), ("Unknown", "Acme")]
    shown: list[Any] = [worth and worth.a_year for worth in worths_of_owners(AccessScope(staff.finance), owners)]
    assert shown == ["120,000 EUR", "120,000 EUR", None, None]
    assert worths_of_owners(AccessScope(staff.kim), owners) == [None] * 4


def test_a_teams_draft_says_what_customers_kept_telling(staff: House) -> None:
    problems = (
        WeekProblem("damaged pumps", 1, 4, "steady", False),
        WeekProblem("wrong invoice", 12, 3, "rising", True, "check", "Check twice", "2025-05-05", "no change seen"),
        WeekProblem("late delivery", 6, None, "falling", False, "call", "Call ahead", "2025-05-05"),
    )
    monday = _this_week()[0]
    assert draft_team_week(AccessScope(staff.lead), monday, WeekProblems("", problems)).endswith(
        """What customers of the whole house kept telling
- damaged pumps: 1 customer (the week before: 4)
- wrong invoice: 12 customers (the week before: 3); more than the weeks before lead one to expect; Check twice (since 2025-05-05): no change seen
- late delivery: 6 customers; falling; Call ahead (since 2025-05-05): nobody has looked at its verdict yet
"""
    )
    of_team = draft_team_week(AccessScope(staff.lead), monday, WeekProblems("Desk", problems))
    assert "\nWhat customers kept telling\n- damaged pumps" in of_team

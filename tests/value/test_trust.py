"""Reliability and trust, apart: each reason from moments, and what each source cannot tell."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.value.account_world import START, line, workspace_of_rows
from wellserved.actions.account_questions import accounts_behind, trusts
from wellserved.moments import NotComputable
from wellserved.value.trust import AccountTrust

END = 400  # the last day of the records


def _one(
    folder: Path, rows: list[str], customer_accounts: tuple[tuple[str, str], ...] = (), only: str = "Acme"
) -> AccountTrust:
    """The trust of Acme, where the records go on to END."""
    end = line("last", END, "asked", "Other")
    workspace = workspace_of_rows(folder, [*rows, end], START + timedelta(days=END + 900))
    (trust,) = trusts(workspace, customer_accounts, only)
    return trust


def _served(name: str, day: float, due: float, done: float | None, account: str = "Acme", **facts: object) -> list[str]:
    rows = [line(name, day, "asked", account, **facts), line(name, day + 0.01, "promised", account, due=due, **facts)]
    return rows + ([line(name, done, "resolved", account, **facts)] if done is not None else [])


def test_thirty_four_of_forty_promises_kept(tmp_path: Path) -> None:
    rows: list[str] = []
    for number in range(40):
        day = END - 160 + 3 * number
        rows += _served(f"c{number}", day, day + 2, day + (1 if number >= 6 else 5))
    trust = _one(tmp_path, rows)
    assert (trust.kept, trust.due) == (34, 40)
    assert trust.reliability == pytest.approx((0.85, 0.709, 0.929), abs=5e-4)


def test_a_new_time_agreed_before_the_old_one_passed_is_no_breach(tmp_path: Path) -> None:
    day = END - 60
    moved = [*_served("a", day, day + 2, day + 5), line("a", day + 1, "promised", "Acme", due=day + 6)]
    overrun = [*_served("b", day, day + 2, day + 5), line("b", day + 3, "promised", "Acme", due=day + 6)]
    recovered = [line("z", day, "asked", "Other"), line("z", day + 1, "recovered", "Other")]
    trust = _one(tmp_path, [*moved, *overrun, *recovered])
    assert [reason.cases for reason in trust.reasons if reason.name == "open_breach"] == [(("crm", "b", ""),)]


def test_a_promise_that_is_still_open_past_its_day_is_broken(tmp_path: Path) -> None:
    trust = _one(tmp_path, _served("a", END - 30, END - 20, None))
    assert (trust.kept, trust.due) == (0, 1)


@pytest.mark.parametrize(
    ("steps", "is_open"),
    [([], True), ([("recovered", 1)], True), ([("recovered", 1), ("accepted", 2)], False), ([("accepted", -1)], True)],
)
def test_a_breach_is_closed_by_an_accepted_recovery(
    tmp_path: Path, steps: list[tuple[str, int]], is_open: bool
) -> None:
    """The source tells of acceptances, so that what was made right and not accepted is open still."""
    day = END - 60
    other = [line("o", 5, "asked", "Other"), line("o", 6, "failed", "Other"), line("o", 7, "recovered", "Other"), line("o", 8, "accepted", "Other")]  # fmt: skip
    rows = [line("a", day, "asked", "Acme"), line("a", day + 1, "failed", "Acme")]
    rows += [line("a", day + 1 + after, kind, "Acme") for kind, after in steps]
    trust = _one(tmp_path, [*rows, *other])
    assert ("open_breach" in {reason.name for reason in trust.reasons}) == is_open
    assert trust.closed_breaches == (0 if is_open else 1)


def test_where_nothing_is_ever_accepted_being_made_right_is_enough(tmp_path: Path) -> None:
    rows = [line("a", 300, "asked", "Acme"), line("a", 301, "failed", "Acme"), line("a", 302, "recovered", "Acme")]
    trust = _one(tmp_path, rows)
    assert [reason.name for reason in trust.reasons] == []
    assert trust.closed_breaches == 1


def test_a_source_that_never_tells_of_anything_made_right_leaves_no_late_promise_open(tmp_path: Path) -> None:
    day = END - 60
    trust = _one(tmp_path, _served("a", day, day + 2, day + 5))
    assert trust.reasons == ()
    assert (trust.kept, trust.due) == (0, 1)


def test_a_week_of_grace_and_half_a_year_of_memory(tmp_path: Path) -> None:
    def reasons(day: float, name: str) -> set[str]:
        rows = [line("a", day - 1, "asked", "Acme"), line("a", day, "failed", "Acme")]
        return {reason.name for reason in _one(tmp_path / name, rows).reasons}

    assert reasons(END - 6, "new") == set()
    assert reasons(END - 8, "week") == {"open_breach"}
    assert reasons(END - 181, "old") == set()


def test_broken_twice_for_one_cause_is_two_reasons_and_so_at_risk(tmp_path: Path) -> None:
    rows = []
    for number, day in enumerate((END - 90, END - 40)):
        rows += [
            line(f"a{number}", day, "asked", "Acme"),
            line(f"a{number}", day + 1, "failed", "Acme", cause="labels"),
        ]
    trust = _one(tmp_path, rows)
    assert {reason.name: reason.words for reason in trust.reasons} == {
        "open_breach": "2 breaches not made right, or not accepted, for more than a week",
        "repeated": "labels: broken 2 times in half a year",
    }
    assert trust.is_at_risk


def test_asked_before_it_is_due(tmp_path: Path) -> None:
    rows: list[str] = []
    for number in range(6):
        day = END - 100 + 10 * number
        rows += _served(f"c{number}", day, day + 4, day + 3)
        if number < 2:
            rows.append(line(f"c{number}", day + 2, "chased", "Acme"))
        elif number == 2:
            rows.append(line(f"c{number}", day + 5, "chased", "Acme"))  # after it was due: no reason of this kind
    (reason,) = [reason for reason in _one(tmp_path, rows).reasons if reason.name == "chased"]
    assert (reason.n, len(reason.cases)) == (6, 2)


def test_got_less_than_expected(tmp_path: Path) -> None:
    rows: list[str] = []
    for number in range(12):
        day = END - 100 + 5 * number
        rows += [line(f"c{number}", day, "asked", "Acme"), line(f"c{number}", day + 0.1, "expected", "Acme", score=5)]
        rows += [line(f"c{number}", day + 1, "resolved", "Acme"), line(f"c{number}", day + 2, "rated", "Acme", score=3 + number % 2)]  # fmt: skip
    (reason,) = [reason for reason in _one(tmp_path, rows).reasons if reason.name == "gap"]
    assert reason.words == "got 1.5 less than expected on csat5 (-1.8 to -1.2)"
    assert reason.n == 12


def test_silent_for_longer_than_usual_and_asking_less(tmp_path: Path) -> None:
    rows = [line(f"c{n}", 10 * n, "asked", "Acme") for n in range(31)]  # every ten days, up to day 300
    trust = _one(tmp_path, rows)
    words = {reason.name: reason.words for reason in trust.reasons}
    assert words["silence"] == "silent for 100 days; 19 in 20 of their silences lasted 10 days at most"
    assert words["asks_less"] == "asked 0 times in 90 days; 31 times in the 310 days before, about 9 in 90"


def test_a_complaint_that_nobody_answered(tmp_path: Path) -> None:
    rows = [line("a", END - 20, "asked", "Acme"), line("a", END - 19, "complained", "Acme")]
    assert [reason.name for reason in _one(tmp_path / "open", rows).reasons] == ["unanswered"]
    answered = [*rows, line("a", END - 15, "replied", "Acme")]
    assert _one(tmp_path / "answered", answered).reasons == ()


def test_an_account_is_known_by_its_customers_too(tmp_path: Path) -> None:
    rows = [line("a", 300, "asked", "", customer="Ann"), line("a", 301, "failed", "", customer="Ann")]
    pairs = (("Ann", "Acme"),)
    trust = _one(tmp_path, rows, customer_accounts=pairs)
    assert [reason.cases for reason in trust.reasons] == [(("crm", "a", ""),)]


def test_an_account_of_which_nothing_is_promised_has_no_reliability(tmp_path: Path) -> None:
    trust = _one(tmp_path, [line("a", 300, "asked", "Acme")])
    assert isinstance(trust.reliability, NotComputable)
    assert trust.features["gap"] is None


def test_one_failure_is_broken_once_although_its_cause_is_called_as_its_service(tmp_path: Path) -> None:
    rows = [line("a", 350, "asked", "Acme", service="labels"), line("a", 351, "failed", "Acme", service="labels", cause="labels")]  # fmt: skip
    assert {reason.name for reason in _one(tmp_path, rows).reasons} == {"open_breach"}


def test_a_promise_that_was_never_delivered_is_open_whatever_the_source_tells(tmp_path: Path) -> None:
    trust = _one(tmp_path, _served("a", END - 60, END - 50, None))
    assert [(reason.name, reason.n) for reason in trust.reasons] == [("open_breach", 1)]


def test_who_asked_never_before_does_not_ask_less(tmp_path: Path) -> None:
    rows = [line(f"c{n}", day, "asked", "Acme") for n, day in enumerate([1, *range(END - 40, END, 3)])]
    late = [line("later", END + 400, "asked", "Acme")]
    trust = _one(tmp_path, [*rows, *late])
    assert "asks_less" not in {reason.name for reason in trust.reasons}


def test_spellings_that_differ_in_capitals_and_blanks_are_one_account(tmp_path: Path) -> None:
    rows = [line(f"a{n}", 350 + n, "asked", name) for n, name in enumerate(("Acme Foods", "ACME FOODS", "Acme  Foods", "Acme Foods"))]  # fmt: skip
    rows += [line("a2", 353, "failed", "Acme  Foods")]
    trust = _one(tmp_path, rows, only="acme foods")
    assert trust.account == "Acme Foods"
    assert trust.rivals["tickets"] == 4


def test_an_account_that_has_been_silent_for_years_is_said_to_be_silent(tmp_path: Path) -> None:
    rows = [line(f"c{n}", 5 * n, "asked", "Acme") for n in range(20)]
    workspace = workspace_of_rows(tmp_path, [*rows, line("last", 900, "asked", "Other")], START + timedelta(days=901))
    (trust,) = trusts(workspace, (), "Acme")
    assert "silence" in {reason.name for reason in trust.reasons}


def test_which_accounts_the_cases_of_a_service_are_of(tmp_path: Path) -> None:
    rows = [
        line("1", 1, "asked", "Acme", service="labels"), line("2", 2, "asked", "Acme", service="labels"),
        line("3", 3, "asked", "Globex", service="labels"), line("4", 4, "asked", "", customer="Kim", service="quotes"),
        line("5", 5, "asked", "", customer="Northwind buyer", service="quotes"), line("6", 6, "asked", "Nobody", service=""),
    ]  # fmt: skip
    workspace = workspace_of_rows(tmp_path, rows, START + timedelta(days=10))
    accounts = accounts_behind(workspace, (("Northwind buyer", "Northwind"), ("Acme buyer", "Acme again")), "service")
    assert accounts == {"labels": ("Acme", "Globex"), "quotes": ("Northwind",)}

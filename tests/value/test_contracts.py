"""Contracts: by when one decides, what is due, and how many stay."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellserved.errors import RequestError
from wellserved.moments import NotComputable
from wellserved.value.contracts import (
    ContractEvent,
    ContractTerms,
    LedgerLine,
    cohort_rates,
    due_decisions,
    notice_date,
    renewals_of_account,
    unclosed_contracts,
)

STARTS = date(2020, 1, 1)


def terms(ends: date | None, value: int = 3, unit: str = "month", to: str = "none") -> ContractTerms:
    return ContractTerms(STARTS, ends, value, unit, to)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ends", "value", "unit", "decides"),
    [
        (date(2026, 12, 31), 3, "month", date(2026, 9, 30)),
        (date(2026, 12, 31), 90, "day", date(2026, 10, 2)),
        (date(2026, 5, 31), 3, "month", date(2026, 2, 28)),
        (date(2024, 5, 31), 3, "month", date(2024, 2, 29)),
        (date(2026, 6, 15), 1, "month", date(2026, 5, 15)),
        (date(2026, 3, 30), 1, "month", date(2026, 2, 28)),
        (date(2026, 12, 31), 0, "month", date(2026, 12, 31)),
    ],
)
def test_the_decision_date_of_the_reference(ends: date, value: int, unit: str, decides: date) -> None:
    assert terms(ends, value, unit).decision_date == decides


def _months_later(day: date, months: int) -> date:
    """The day of the same number so many months on, or the month's last: BGB §188 (2) and (3)."""
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@given(st.dates(date(2021, 1, 1), date(2040, 12, 31)), st.integers(0, 36))
def test_notice_in_months_is_the_last_day_from_which_they_end_in_time(ends: date, months: int) -> None:
    """Counted forward by another rule: notice on that day is in time, on the next one it is late."""
    decides = notice_date(ends, terms(ends, months))
    assert _months_later(decides, months) <= ends
    assert _months_later(decides + timedelta(days=1), months) > ends


@given(st.dates(date(2021, 1, 1), date(2040, 12, 31)), st.integers(0, 400), st.sampled_from(["month", "quarter", "year"]))  # fmt: skip
def test_notice_to_the_end_of_a_span_leaves_time_and_no_more(on: date, days: int, to: str) -> None:
    leaving = terms(None, days, "day", to).leaving_date(on)
    assert leaving is not None
    assert leaving - timedelta(days=days) >= on
    assert (leaving + timedelta(days=1)).day == 1


def test_a_contract_that_cannot_be_is_refused() -> None:
    with pytest.raises(RequestError, match="before it begins"):
        terms(date(2019, 1, 1))
    with pytest.raises(RequestError, match="notice of 40 months"):
        terms(date(2026, 1, 1), 40)


def _line(account: str, ends: date | None, *events: ContractEvent, value: float | None = 100.0) -> LedgerLine:
    return LedgerLine(account, terms(ends), value, "EUR", events)


def test_due_are_those_that_nobody_has_decided_and_the_late_ones_first() -> None:
    today = date(2026, 9, 10)
    known = ContractEvent("renewed", date(2026, 12, 31), date(2026, 9, 1))
    later = ContractEvent("renewed", date(2026, 12, 31), date(2026, 9, 20))
    ledger = [
        _line("Soon", date(2026, 12, 31)),
        _line("Passed", date(2026, 11, 30)),
        _line("Renewed", date(2026, 12, 31), known),
        _line("Renewed later", date(2026, 12, 31), later),
        _line("Far", date(2028, 12, 31)),
        _line("Open", None),
        _line("Over", date(2026, 6, 30)),
    ]
    assert [(d.line.account, d.days) for d in due_decisions(ledger, today)] == [
        ("Passed", -10), ("Renewed later", 20), ("Soon", 20),
    ]  # fmt: skip
    assert [line.account for line in unclosed_contracts(ledger, today)] == ["Over"]


def test_rates_by_cohort_leave_out_what_nobody_knows_and_say_so() -> None:
    today = date(2026, 12, 1)
    end = date(2025, 6, 30)
    renewed = [_line(f"R{i}", end, ContractEvent("renewed", end, end)) for i in range(12)]
    left = [_line(f"L{i}", end, ContractEvent("left_at_end", end, end), value=50.0) for i in range(3)]
    early = [_line("E", date(2027, 6, 30), ContractEvent("left_early", date(2025, 2, 1), date(2025, 2, 1)), value=None)]
    (rates,) = cohort_rates([*renewed, *left, *early, _line("U", end)], today)
    assert (rates.cohort, rates.decided, rates.unclosed, rates.without_value) == ("2025", 16, 1, 1)
    assert rates.value_kept == {"EUR": 1200.0}
    assert rates.value_lost == {"EUR": 150.0}
    share = rates.rate("renewed")
    assert not isinstance(share, NotComputable)
    assert share == pytest.approx((0.75, 0.5050, 0.8982), abs=1e-4)  # Wilson, 12 of 16
    assert isinstance(cohort_rates(left, today)[0].rate("renewed"), NotComputable)


def test_a_renewal_before_the_ledger_began_counts_as_made_before() -> None:
    lines = [
        _line("A", date(2023, 12, 31), ContractEvent("renewed", date(2023, 12, 31), date(2024, 1, 2))),
        _line("A", date(2024, 12, 31), ContractEvent("renewed", date(2024, 12, 31), date(2025, 1, 2))),
        _line("A", date(2025, 12, 31), ContractEvent("left_at_end", date(2025, 12, 31), date(2025, 12, 31))),
    ]
    assert renewals_of_account(lines, date(2026, 1, 1), date(2024, 6, 1)) == (1, 2, True)
    assert renewals_of_account(lines, date(2025, 6, 1), date(2024, 6, 1)) == (1, 2, False)

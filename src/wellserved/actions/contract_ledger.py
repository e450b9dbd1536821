"""The ledger of contracts: what each says, what became of it, and what the whole of it tells of how long accounts stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final, cast

from django.db import transaction
from django.db.models import QuerySet

from wellserved.actions.leaving_questions import Departure
from wellserved.errors import RequestError
from wellserved.explore.renewals import decisions_of_accounts
from wellserved.explore.retention import RetentionFit, estimate_retention
from wellserved.moments import LATEST_DATE, NotComputable
from wellserved.store.access import AccessScope, record_event
from wellserved.store.models import Account
from wellserved.store.plan_models import Contract, ContractDeed
from wellserved.value.contracts import (
    ContractEnd,
    ContractEvent,
    ContractTerms,
    DueDecision,
    LedgerLine,
    due_decisions,
    renewals_of_account,
)
from wellserved.value.worth import ExpectedValue, value_by_contract

LedgerRows = tuple[tuple[Any, ...], ...]
Histories = tuple[tuple[int, int, bool, int], ...]  # renewals before the record, in all, left, how many such
LATEST_KNOWN_DAYS: Final = 3_660  # how long before a day one may know of it


_LINE_COLUMNS = (
    "pk", "account", "account__name", "account__revenue_year", "account__currency", "value_year", "currency", "reference",
    "starts", "ends", "notice_value", "notice_unit", "notice_to", "renews_itself",
)  # fmt: skip
_NO_CONTRACT: Final = NotComputable("it has no contract on record")
_DEED_COLUMNS = ("contract", "deed", "on", "known_on")


def contracts_of(account: Account) -> list[Contract]:
    """An account's contracts with what became of them, in the order of the ledger."""
    return list(account.contracts.prefetch_related("deeds"))


def contract_lines(accounts: Iterable[Account] | None) -> list[LedgerLine]:
    """The contracts of some accounts, or of all of the house (None), with what became of them.

    One without a value is worth what its account pays a year, where it is its only one.
    """
    return list(_lines_of_rows(*_rows_of(accounts)))


def _rows_of(accounts: Iterable[Account] | None) -> tuple[LedgerRows, LedgerRows]:
    """Contracts as `_LINE_COLUMNS`, and what became of them, as they stand in the store."""
    contracts, deeds = Contract.objects.all(), ContractDeed.objects.all()
    if accounts is not None:
        chosen_accounts = accounts if isinstance(accounts, QuerySet) else list(accounts)  # a query stays one
        contracts, deeds = (
            contracts.filter(account__in=chosen_accounts),
            deeds.filter(contract__account__in=chosen_accounts),
        )
    return tuple(contracts.values_list(*_LINE_COLUMNS)), tuple(deeds.values_list(*_DEED_COLUMNS))


# pages read the same ledger again and again; what lines work out of their terms is kept with them
@lru_cache(maxsize=8)
def _lines_of_rows(rows: LedgerRows, deeds: LedgerRows) -> tuple[LedgerLine, ...]:
    events: dict[int, list[ContractEvent]] = {}
    for contract, deed, on, known_on in deeds:
        events.setdefault(contract, []).append(ContractEvent(cast(ContractEnd, deed), on, known_on))
    counts = Counter(row[1] for row in rows)
    return tuple(_line(row, counts[row[1]] == 1, events.get(row[0], ())) for row in rows)


@dataclass(frozen=True)
class AccountLedger:
    """What the ledger says of one account."""

    lines: tuple[LedgerLine, ...] = ()
    decision: DueDecision | None = None  # the next one
    has_left: bool = False
    leaves_on: date | None = None  # under notice: its last day
    unit_worth: ExpectedValue | NotComputable = _NO_CONTRACT  # of one unit a year


def house_ledger(today: date) -> Mapping[str, AccountLedger]:
    """Account -> what the ledger says of it, for all that have a contract."""
    return _ledger_of_rows(*_rows_of(None), today)


@lru_cache(maxsize=2)
def _ledger_of_rows(rows: LedgerRows, deeds: LedgerRows, today: date) -> Mapping[str, AccountLedger]:
    lines = _lines_of_rows(rows, deeds)
    # of the whole house: an account's own contracts never tell how long others stay
    histories = histories_of(lines, today)
    return {
        account: _account_ledger(own_lines, histories, today) for account, own_lines in lines_by_account(lines).items()
    }


def _account_ledger(lines: Sequence[LedgerLine], histories: Histories, today: date) -> AccountLedger:
    decision = next(iter(due_decisions(lines, today, 36_500)), None)
    notices = [day for line in lines if line.outcome(today) is None and (day := line.leaves_on(today))]
    return AccountLedger(
        tuple(lines),
        decision,
        left_by_ledger(lines, today),
        min(notices, default=None),
        _unit_worth(lines, histories, today),
    )


def left_by_ledger(lines: Sequence[LedgerLine], today: date) -> bool:
    """All its contracts are over, and one of them was left."""
    outcomes = [line.outcome(today) for line in lines]
    return bool(lines) and None not in outcomes and any(end in ("left_at_end", "left_early") for end in outcomes)


def lines_by_account(lines: Iterable[LedgerLine]) -> dict[str, list[LedgerLine]]:
    """The ledger by the names of its accounts."""
    by_account: dict[str, list[LedgerLine]] = {}
    for line in lines:
        by_account.setdefault(line.account, []).append(line)
    return by_account


def _line(row: Sequence[Any], is_only: bool, events: Iterable[ContractEvent]) -> LedgerLine:
    _key, _account, name, revenue, account_currency, value, currency, reference, *terms = row
    if value is None and is_only:
        value, currency = revenue, account_currency
    amount = None if value is None else float(value)
    return LedgerLine(name, ContractTerms(*terms), amount, currency, tuple(events), reference)


def departures() -> tuple[Departure, ...]:
    """What the ledger says of accounts that left, or gave notice."""
    rows = ContractDeed.objects.exclude(deed="renewed").select_related("contract__account").order_by("on", "pk")
    return tuple(Departure(row.contract.account.name, row.on, row.known_on, row.deed == "notice_given") for row in rows)


def histories_of(ledger: Sequence[LedgerLine], today: date) -> Histories:
    """Renewals of each contract that runs for a year at a time, successors by their number; others tell nothing of years."""
    chains: dict[tuple[str, str], list[LedgerLine]] = {}
    for line in ledger:
        if line.terms.runs_a_year:
            chains.setdefault((line.account, line.reference), []).append(line)
    known = [event.known_on for lines in chains.values() for line in lines for event in line.events]
    since = min(known, default=today)
    return tuple(sorted((*renewals_of_account(lines, today, since), 1) for lines in chains.values()))


@lru_cache(maxsize=4)
def contract_model(histories: Histories) -> RetentionFit | NotComputable:
    """How long accounts under contract stay, from all of the ledger; NotComputable where too few of them left."""
    decisions, size = decisions_of_accounts(histories)
    if not size:
        return NotComputable("the ledger knows of no contract of a year that was renewed or left")
    try:
        return estimate_retention(decisions, size)
    except RequestError:
        return NotComputable(
            f"the ledger knows of {size} contracts that came up for renewal, of which {decisions.leavers} were left; it takes 30 and 10"
        )


@lru_cache(maxsize=512)
def _value_of_one(histories: Histories, renewals: int) -> ExpectedValue | NotComputable:
    """What one unit a year is worth after so many renewals."""
    model = contract_model(histories)
    return model if isinstance(model, NotComputable) else value_by_contract(model, renewals, 1.0)


def _unit_worth(lines: Sequence[LedgerLine], histories: Histories, today: date) -> ExpectedValue | NotComputable:
    """What an account's contracts let expect for each unit a year; only where they run for a year at a time, which the model
    counts in."""
    current = [line for line in lines if line.outcome(today) is None]
    if not current:
        return NotComputable("it has left")
    if not all(line.terms.runs_a_year for line in current):
        return NotComputable("its contracts do not run for a year at a time; type in how many years you expect")
    renewals = min(
        renewals_of_account([line for line in lines if line.reference == now.reference], today, date.min)[1]
        for now in current
    )
    return _value_of_one(histories, renewals)


def note_deed(
    scope: AccessScope, contract: Contract, deed: str, on: date, known_on: date, new_end: date | None
) -> ContractDeed:
    """Say what became of a contract; renewed until a day, the next one stands in the ledger at once."""
    _check_deed(contract, deed, on, known_on, new_end)
    with transaction.atomic():
        row, is_new = ContractDeed.objects.get_or_create(
            contract=contract, deed=deed, on=on, defaults={"known_on": known_on}
        )
        if is_new and deed == "renewed" and contract.ends and new_end:
            contract.pk, contract.starts, contract.ends = None, contract.ends + timedelta(days=1), new_end
            contract._state.adding = True
            contract.save()
    record_event(scope.person, f"noted a contract as {deed}"[:50], row.contract_id)
    return row


def _check_deed(contract: Contract, deed: str, on: date, known_on: date, new_end: date | None) -> None:
    if known_on < on - timedelta(days=LATEST_KNOWN_DAYS) or on < contract.starts:
        raise RequestError("That day lies before the contract.", "Correct the day.")
    if on >= LATEST_DATE or known_on >= LATEST_DATE:
        raise RequestError("That day lies too far ahead.", "Give a day before 2200.")
    if ContractDeed.objects.filter(contract=contract).exclude(deed="notice_given").exists():
        raise RequestError("It is known already what became of this contract.", "Take that back first.")
    decides_on = contract.terms.rolled(on).decision_date
    if deed == "notice_given" and contract.notice_to == "none" and decides_on and on > decides_on:
        raise RequestError(
            f"Notice on {on} comes after the last day for it, {decides_on}.",
            "Correct the day, or note it as left early.",
        )
    is_missing = contract.ends and (new_end is None or not contract.ends < new_end < LATEST_DATE)
    if deed == "renewed" and is_missing:
        raise RequestError("A renewed contract has a new end.", f"Give a day after {contract.ends}, and before 2200.")


def forget_deeds(scope: AccessScope, contract: Contract) -> None:
    """Take back what became of a contract; a successor that nobody has touched goes with it."""
    with transaction.atomic():
        if contract.ends and contract.deeds.filter(deed="renewed").exists():
            successors = Contract.objects.filter(
                account=contract.account_id, reference=contract.reference, starts=contract.ends + timedelta(days=1)
            )
            successors.filter(deeds=None).delete()
        contract.deeds.all().delete()
    record_event(scope.person, "took back what became of a contract", contract.pk)

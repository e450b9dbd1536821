"""Accounts as somebody may see them: worth, contracts, trust and risk side by side; and contracts read from a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from wellserved.actions.account_questions import CustomerAccounts, PurchaseWorth
from wellserved.actions.leaving_questions import Departure, RiskAnswer
from wellserved.errors import RequestError
from wellserved.explore.renewals import decisions_of_accounts
from wellserved.explore.retention import RetentionFit, estimate_retention
from wellserved.moments import NotComputable
from wellserved.store.access import AccessScope, record_event
from wellserved.store.models import Account, Customer, money_band
from wellserved.store.plan_models import Contract, ContractDeed
from wellserved.value.contracts import (
    ContractEnd,
    ContractEvent,
    DueDecision,
    LedgerLine,
    due_decisions,
    renewals_of_account,
)
from wellserved.value.trust import AccountTrust
from wellserved.value.worth import ExpectedValue, MoneyTotal, total_by_currency, value_by_contract, value_by_years

CONTRACT_COLUMNS: Final = ("account", "starts", "ends", "notice", "value_year", "currency", "renews_itself", "reference", "exit_clause", "outcome", "outcome_on")  # fmt: skip
_OUTCOMES: Final = {"renewed": "renewed", "left": "left_at_end", "left at the end": "left_at_end", "left_at_end": "left_at_end",
                    "left early": "left_early", "left_early": "left_early", "notice given": "notice_given", "notice_given": "notice_given", "notice": "notice_given"}  # fmt: skip
_YES, _NO = ("yes", "true", "1"), ("", "no", "false", "0")


@dataclass(frozen=True)
class AccountRow:
    """An account, and all that weighs in it."""

    account: Account
    trust: AccountTrust | None  # None: the records know nothing of it
    worth: ExpectedValue | NotComputable
    decision: DueDecision | None  # the next one
    lines: tuple[LedgerLine, ...]
    chance: tuple[float, float, float] | None  # of leaving within half a year; None: reasons alone
    has_left: bool
    revenue_year: float | None  # as typed in, or by the contracts that run; None: neither
    currency: str

    @property
    def is_at_risk(self) -> bool:
        """By the rule, or by a chance of one in four."""
        return not self.has_left and (
            bool(self.trust and self.trust.is_at_risk) or bool(self.chance and self.chance[0] >= 0.25)
        )

    @property
    def at_stake(self) -> float:
        """What a year of it is worth; 0 where nobody typed it in."""
        return self.revenue_year or 0.0

    @property
    def expected_loss(self) -> tuple[float, float, float] | None:
        """A year's revenue times the chance of losing it, with the interval of that chance."""
        if self.chance is None or self.revenue_year is None:
            return None
        low, middle, high = self.chance[1], self.chance[0], self.chance[2]
        return self.at_stake * middle, self.at_stake * low, self.at_stake * high


def customer_accounts() -> CustomerAccounts:
    """Whose customer belongs to which account, duplicates by those that they were merged into."""
    pairs = []
    for customer in Customer.objects.select_related("account", "merged_into__account").order_by("name"):
        account = customer.account or (customer.merged_into.account if customer.merged_into else None)
        if account:
            pairs.append((customer.name, account.name))
    return tuple(pairs)


def contracts_of(accounts: Iterable[Account] | None) -> list[Contract]:
    """Their contracts with what became of them; None: all of the house."""
    rows = Contract.objects.select_related("account")
    if accounts is not None:
        rows = rows.filter(account__in=list(accounts))
    return list(rows.prefetch_related("deeds"))


def line_of(contract: Contract) -> LedgerLine:
    """A contract with what became of it; worth what it says, or else what its account pays a year."""
    has_value = contract.value_year is not None
    value, currency = (
        (contract.value_year, contract.currency)
        if has_value
        else (contract.account.revenue_year, contract.account.currency)
    )
    events = tuple(
        ContractEvent(cast(ContractEnd, event.deed), event.on, event.known_on) for event in contract.deeds.all()
    )
    return LedgerLine(contract.account.name, contract.terms, None if value is None else float(value), currency, events)


def departures() -> tuple[Departure, ...]:
    """What the ledger says of accounts that left, or gave notice."""
    rows = ContractDeed.objects.exclude(deed="renewed").select_related("contract__account").order_by("on", "pk")
    return tuple(Departure(row.contract.account.name, row.on, row.known_on, row.deed == "notice_given") for row in rows)


def contract_model(ledger: Sequence[LedgerLine], today: date) -> RetentionFit | NotComputable:
    """How long accounts under contract stay, from all of the ledger; NotComputable where too few of them left."""
    by_account: dict[str, list[LedgerLine]] = {}
    for line in ledger:
        by_account.setdefault(line.account, []).append(line)
    known = [event.known_on for line in ledger for event in line.events]
    if not known:
        return NotComputable("the ledger knows of no contract that was renewed or left")
    since = min(known)
    histories = ((*renewals_of_account(lines, today, since), 1) for lines in by_account.values())
    decisions, size = decisions_of_accounts(
        (before, renewals, left, many) for before, renewals, left, many in histories
    )
    try:
        return estimate_retention(decisions, size)
    except RequestError as error:
        return NotComputable(error.problem.rstrip("."))


def yearly_revenue(account: Account, lines: Sequence[LedgerLine], today: date) -> tuple[float | None, str]:
    """What an account pays a year: as typed in, else by the contracts that run, where they are in one currency."""
    if account.revenue_year is not None:
        return float(account.revenue_year), account.currency
    running = [line for line in lines if line.terms.starts <= today <= (line.terms.ends or today)]
    currencies = {line.currency for line in running if line.value_year is not None}
    if len(currencies) != 1:
        return None, account.currency
    return sum(line.value_year or 0.0 for line in running), currencies.pop()


def worth_of(
    account: Account,
    revenue: float | None,
    lines: Sequence[LedgerLine],
    model: RetentionFit | NotComputable,
    purchases: PurchaseWorth | None,
    today: date,
) -> ExpectedValue | NotComputable:
    """What the next five years are expected to bring: as typed in, or by contract, or by purchases; else why it cannot be told."""
    if account.expected_years is not None and revenue is not None:
        return value_by_years(revenue, float(account.expected_years))
    if lines:
        if revenue is None:
            return NotComputable("nobody typed in what it pays a year")
        if isinstance(model, NotComputable):
            return model
        _before, renewals, left = renewals_of_account(lines, today, date.min)
        return NotComputable("it has left") if left else value_by_contract(model, renewals, revenue)
    if purchases is not None:
        value = purchases.values.get(account.name)
        return value or NotComputable(purchases.reason or "no purchases of it are on record")
    return NotComputable("it has no contract on record, and no purchases")


def account_rows(
    accounts: Sequence[Account],
    trusts: Sequence[AccountTrust],
    risk: RiskAnswer | None,
    purchases: PurchaseWorth | None,
    today: date,
) -> list[AccountRow]:
    """Accounts at risk first, by what is expected to be lost; then by the next decision, then by name."""
    # of the whole house: an account's own contracts never tell how long others stay
    ledger = [(contract.account_id, line_of(contract)) for contract in contracts_of(None)]
    lines_of: dict[int, list[LedgerLine]] = {}
    for account_id, line in ledger:
        lines_of.setdefault(account_id, []).append(line)
    model = contract_model([line for _id, line in ledger], today)
    by_name = {trust.account: trust for trust in trusts}
    lost_accounts = {line.account for _id, line in ledger if line.outcome(today) in ("left_at_end", "left_early")}
    rows = [
        _row(
            account,
            lines_of.get(account.pk, []),
            by_name.get(account.name),
            model,
            risk,
            purchases,
            lost_accounts,
            today,
        )
        for account in accounts
    ]
    far = date.max
    return sorted(
        rows,
        key=lambda row: (
            row.has_left, not row.is_at_risk, -(row.expected_loss[0] if row.expected_loss else row.at_stake if row.is_at_risk else 0.0),
            row.decision.decides_on if row.decision else far, row.account.name,
        ),
    )  # fmt: skip


def _row(
    account: Account,
    lines: Sequence[LedgerLine],
    trust: AccountTrust | None,
    model: RetentionFit | NotComputable,
    risk: RiskAnswer | None,
    purchases: PurchaseWorth | None,
    lost_accounts: set[str],
    today: date,
) -> AccountRow:
    decision = next(iter(due_decisions(lines, today, 36_500)), None)
    chance = risk.model.chance(trust.features) if trust and risk and risk.model else None
    has_left = (account.name in lost_accounts and all(line.is_settled(today) for line in lines)) or bool(
        trust and trust.has_left
    )
    revenue, currency = yearly_revenue(account, lines, today)
    worth = worth_of(account, revenue, lines, model, purchases, today)
    return AccountRow(account, trust, worth, decision, tuple(lines), chance, has_left, revenue, currency)


def add_named_accounts(scope: AccessScope, names: Iterable[str]) -> int:
    """Accounts that the records name and that are not known yet; how many."""
    known = {name.casefold() for name in Account.objects.values_list("name", flat=True)}
    new = sorted({name[:200] for name in names if name.casefold() not in known})
    Account.objects.bulk_create([Account(name=name) for name in new])
    if new:
        record_event(scope.person, "added accounts of the records", len(new))
    return len(new)


def show_money(scope: AccessScope, amount: float | None, currency: str) -> str:
    """An amount as somebody may see it: the figure, a span, or nothing."""
    if amount is None:
        return ""
    return f"{amount:,.0f} {currency}".strip() if scope.exact else money_band(amount, currency)


def show_total(scope: AccessScope, total: MoneyTotal) -> str:
    """Sums by currency as somebody may see them; accounts without a figure are counted."""
    if not total.amounts:
        return gettext("no figure yet")
    shown = [show_money(scope, amount, currency) for currency, amount in total.amounts.items()]
    if total.unknown:
        shown.append(gettext("%(count)d without a figure") % {"count": total.unknown})
    return " + ".join(shown)


def total_of(rows: Iterable[AccountRow]) -> MoneyTotal:
    """A year's revenue of some accounts."""
    return total_by_currency((row.revenue_year, row.currency) for row in rows)


def note_deed(
    scope: AccessScope, contract: Contract, deed: str, on: date, known_on: date, new_end: date | None
) -> ContractDeed:
    """Say what became of a contract; renewed until a day, the next one stands in the ledger at once."""
    if known_on < on - timedelta(days=3_660) or on < contract.starts:
        raise RequestError("That day lies before the contract.", "Correct the day.")
    if ContractDeed.objects.filter(contract=contract).exclude(deed="notice_given").exists():
        raise RequestError("It is known already what became of this contract.", "Take that back first.")
    with transaction.atomic():
        row, is_new = ContractDeed.objects.get_or_create(contract=contract, deed=deed, on=on, defaults={"known_on": known_on})  # fmt: skip
        if is_new and deed == "renewed" and contract.ends:
            if new_end is None or new_end <= contract.ends:
                raise RequestError("A renewed contract has a new end.", f"Give a day after {contract.ends}.")
            contract.pk, contract.starts, contract.ends = None, contract.ends + timedelta(days=1), new_end
            contract._state.adding = True
            contract.save()
    record_event(scope.person, f"noted a contract as {deed}"[:50], row.contract_id)
    return row


def read_contracts(content: bytes, scope: AccessScope) -> tuple[int, list[tuple[int, str]]]:
    """Contracts from a CSV file under CONTRACT_COLUMNS: how many were loaded_count, and the rows refused with their reasons.

    The same contract (account and first day, or account and number) twice is one; a later row says what it says now.
    """
    header, rows = _table_of(content)
    accounts = {account.name.casefold(): account for account in scope.accounts()}
    loaded_count, refused_rows = 0, list[tuple[int, str]]()
    for number, cells in rows:
        facts = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        if not any(facts.values()):
            continue
        if len(cells) > len(header):
            refused_rows.append((number, f"{len(cells)} cells under {len(header)} columns"))
            continue
        try:
            with transaction.atomic():
                _load_contract(facts, accounts, scope)
            loaded_count += 1
        except RequestError as error:
            refused_rows.append((number, error.problem))
    record_event(scope.person, "imported contracts", f"{loaded_count} rows")
    return loaded_count, refused_rows


def _table_of(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise RequestError(f"This is no CSV file: {error}.", "Save it as CSV with commas.") from error
    header = [cell.strip().lower().replace(" ", "_") for cell in rows[0]] if rows else []
    if missing := [name for name in ("account", "starts") if name not in header]:
        raise RequestError(
            f"The file has no column called {' or '.join(missing)}.",
            f"Its first row names the columns: {', '.join(CONTRACT_COLUMNS)}; account and starts at least.",
        )
    return header, list(enumerate(rows[1:], start=2))


def _load_contract(facts: Mapping[str, str], accounts: dict[str, Account], scope: AccessScope) -> None:
    name = facts.get("account", "")
    if not name or len(name) > 200:
        raise RequestError("no account, or a name of more than 200 letters", "")
    account = accounts.get(name.casefold())
    if account is None:
        account = accounts[name.casefold()] = Account.objects.create(name=name)
    starts, ends = _day(facts, "starts"), _day(facts, "ends")
    if starts is None:
        raise RequestError("starts is empty", "")
    value, unit = _notice(facts.get("notice", ""))
    contract = Contract(
        account=account, starts=starts, ends=ends, notice_value=value, notice_unit=unit, value_year=_money(facts.get("value_year", "")),
        currency=facts.get("currency", "").upper(), renews_itself=_yes(facts, "renews_itself"), reference=facts.get("reference", ""),
        exit_words=facts.get("exit_clause", ""),
    )  # fmt: skip
    try:
        contract.clean_fields()
        contract.terms  # noqa: B018  raises where it cannot be
    except ValidationError as error:
        raise RequestError("; ".join(f"{field}: {' '.join(why)}" for field, why in error.message_dict.items()), "") from error  # fmt: skip
    same = Contract.objects.filter(account=account, starts=starts)
    if contract.reference:
        same = Contract.objects.filter(account=account, reference=contract.reference, starts=starts)
    if (known := same.first()) is not None:
        contract.pk = known.pk
        contract._state.adding = False
    contract.save()
    _load_outcome(facts, contract)


def _load_outcome(facts: Mapping[str, str], contract: Contract) -> None:
    words = facts.get("outcome", "").lower()
    if not words:
        return
    if words not in _OUTCOMES:
        raise RequestError(f"outcome is {words[:40]!r}: renewed, left, left early or notice given", "")
    on = _day(facts, "outcome_on") or contract.ends
    if on is None:
        raise RequestError("outcome_on is empty, and the contract has no end", "")
    known = dict.fromkeys(("known_on",), on)
    ContractDeed.objects.get_or_create(contract=contract, deed=_OUTCOMES[words], on=on, defaults=known)


def _day(facts: Mapping[str, str], name: str) -> date | None:
    text = facts.get(name, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise RequestError(f"{name} is {text[:40]!r}, no day such as 2026-12-31", "") from None


def _notice(text: str) -> tuple[int, str]:
    """`3 months`, `90 days`, `90`; nothing: none."""
    words = text.lower().split()
    if not words:
        return 0, "month"
    unit = words[1] if len(words) == 2 else "days"
    if len(words) > 2 or not words[0].isdecimal() or unit.rstrip("s") not in ("day", "month"):
        raise RequestError(f"notice is {text[:40]!r}, not such as 3 months or 90 days", "")
    return int(words[0]), unit.rstrip("s")


def _money(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        amount = Decimal(text.replace(" ", ""))
    except InvalidOperation:
        raise RequestError(f"value_year is {text[:40]!r}, no number such as 12000.50", "") from None
    if not amount.is_finite() or amount < 0:
        raise RequestError(f"value_year is {text[:40]!r}, no amount", "")
    return amount.quantize(Decimal("0.01"))


def _yes(facts: Mapping[str, str], name: str) -> bool:
    text = facts.get(name, "").lower()
    if text not in (*_YES, *_NO):
        raise RequestError(f"{name} is {text[:40]!r}, and not yes or no", "")
    return text in _YES


def as_record(row: AccountRow) -> dict[str, Any]:
    """A row for JSON and CSV: numbers as they are, of those that may see figures."""
    trust = row.trust
    reliability = trust.reliability if trust else NotComputable("the records know nothing of it")
    return {
        "account": row.account.name, "at_risk": row.is_at_risk, "has_left": row.has_left,
        "revenue_year": row.revenue_year, "currency": row.currency,
        "decides_on": row.decision.decides_on.isoformat() if row.decision else None,
        "promises_due": trust.due if trust else 0, "promises_kept": trust.kept if trust else 0,
        "reliability": None if isinstance(reliability, NotComputable) else reliability[0],
        "reasons": [reason.words for reason in trust.reasons] if trust else [],
        "chance_of_leaving": row.chance[0] if row.chance else None,
        "worth": None if isinstance(row.worth, NotComputable) else row.worth.value,
        "worth_basis": str(row.worth) if isinstance(row.worth, NotComputable) else row.worth.basis,
    }  # fmt: skip

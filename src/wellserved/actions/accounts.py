"""Accounts as somebody may see them: worth, contracts, trust and risk side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from operator import or_
from typing import Any, Final, TypeVar

from django.db.models import Q
from django.utils.translation import gettext

from wellserved.actions.account_questions import CustomerAccounts, PurchaseWorth
from wellserved.actions.contract_ledger import AccountLedger, house_ledger
from wellserved.actions.leaving_questions import RiskAnswer
from wellserved.moments import NotComputable
from wellserved.store.access import AccessScope, record_event
from wellserved.store.models import Account, Customer, Team, money_band
from wellserved.value.contracts import DueDecision, LedgerLine
from wellserved.value.trust import AccountTrust, TrustReason, fold_name
from wellserved.value.worth import ExpectedValue, total_by_currency, value_by_years

AccountFact = TypeVar("AccountFact")
NO_CONTRACTS: Final = AccountLedger()
_MOST_SPELLINGS = 20  # names that are looked for in another spelling


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
    revenue_year: float | None  # as typed in, or by the contracts that run; None: neither, or it has left
    currency: str
    leaves_on: date | None = None  # under notice: its last day

    @property
    def is_at_risk(self) -> bool:
        """By the rule, which everybody can follow; a chance orders, and decides nothing."""
        return not self.has_left and bool(self.trust and self.trust.is_at_risk)

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
    names = dict(Account.objects.values_list("pk", "name"))
    return tuple((customer, names[key]) for customer, key in sorted(account_keys_of(None).items()))


def account_keys_of(names: Iterable[str] | None) -> dict[str, int]:
    """Name of a customer -> key of its account, of all or of those named; a duplicate goes by the customer that it was merged
    into in the end, as in the record. In another spelling of capitals it is the same customer."""
    rows_by_key = {row.pk: row for row in _customer_rows(names)}
    target_keys = {row.merged_into for row in rows_by_key.values() if row.merged_into} - rows_by_key.keys()
    while target_keys:  # duplicates of duplicates are few
        targets = list(_customers_by_columns().filter(pk__in=target_keys))
        rows_by_key |= {row.pk: row for row in targets}
        target_keys = {row.merged_into for row in targets if row.merged_into} - rows_by_key.keys()
    keys = {row.name: _final_account(row, rows_by_key) for row in rows_by_key.values()}
    wanted_names = keys if names is None else names
    folded = {name.casefold(): key for name, key in keys.items()}
    return {name: key for name in wanted_names if (key := keys.get(name) or folded.get(name.casefold()))}


def _customers_by_columns() -> Any:
    """Customers with their keys alone: pk, name, account, merged_into."""
    return Customer.objects.values_list("pk", "name", "account", "merged_into", named=True)


def _customer_rows(names: Iterable[str] | None) -> list[Any]:
    customers = _customers_by_columns()
    if names is None:
        return list(customers)
    rows = list(customers.filter(name__in=names))
    if spellings := sorted(set(names) - {row.name for row in rows})[:_MOST_SPELLINGS]:
        rows += customers.filter(reduce(or_, (Q(name__iexact=name) for name in spellings)))
    return rows


def _final_account(row: Any, rows: Mapping[int, Any]) -> int | None:
    """The account of the customer at the end of a chain of merges."""
    seen_keys = set()
    while row.merged_into in rows and row.merged_into not in seen_keys:
        seen_keys.add(row.merged_into)
        row = rows[row.merged_into]
    account: int | None = row.account
    return account


def yearly_revenue(account: Account, lines: Sequence[LedgerLine], today: date) -> tuple[float | None, str]:
    """What an account pays a year: as typed in, else by the contracts that run, where they are in one currency."""
    if account.revenue_year is not None:
        return float(account.revenue_year), account.currency
    running = [
        line for line in lines
        if line.outcome(today) is None and line.terms.starts <= today <= (line.terms.rolled(today).ends or today)
    ]  # fmt: skip
    values = [line.value_year for line in running]
    currencies = {line.currency for line in running}
    if len(currencies) != 1 or None in values:
        return None, account.currency
    return sum(value for value in values if value is not None), currencies.pop()


def _by_known_name(values: Mapping[str, AccountFact], account: Account) -> AccountFact | None:
    """What stands under one of an account's names; the keys are folded."""
    return next((values[name] for name in map(fold_name, account.known_names) if name in values), None)


def worth_of(
    account: Account, revenue: float | None, ledger: AccountLedger, purchases: PurchaseWorth | None
) -> ExpectedValue | NotComputable:
    """What the next five years are expected to bring: as typed in, or by contract, or by purchases; else why it cannot be told."""
    if account.expected_years is not None and revenue is not None:
        return value_by_years(revenue, float(account.expected_years))
    if ledger.lines:
        if revenue is None:
            return NotComputable("it is not known what it pays a year")
        return ledger.unit_worth if isinstance(ledger.unit_worth, NotComputable) else ledger.unit_worth.times(revenue)
    if purchases is not None:
        value = _by_known_name(purchases.values, account)
        return value or NotComputable(purchases.reason or "no purchases of it in that currency alone are on record")
    return NotComputable("it has no contract on record, and no purchases")


def account_rows(
    accounts: Sequence[Account],
    trusts: Sequence[AccountTrust],
    risk: RiskAnswer | None,
    purchases: PurchaseWorth | None,
    today: date,
) -> list[AccountRow]:
    """Accounts at risk first, by what is expected to be lost; then by the next decision, then by name."""
    ledger_of = house_ledger(today)
    trust_of = {fold_name(trust.account): trust for trust in trusts}
    if purchases is not None:
        purchases = replace(purchases, values={fold_name(name): value for name, value in purchases.values.items()})
    rows = [
        _row(
            account,
            ledger_of.get(account.name, NO_CONTRACTS),
            _by_known_name(trust_of, account),
            risk,
            purchases,
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
    ledger: AccountLedger,
    trust: AccountTrust | None,
    risk: RiskAnswer | None,
    purchases: PurchaseWorth | None,
    today: date,
) -> AccountRow:
    chance = risk.model.chance(trust.features) if trust and risk and risk.model else None
    has_left = ledger.has_left or bool(trust and trust.has_left)
    revenue, currency = (None, account.currency) if has_left else yearly_revenue(account, ledger.lines, today)
    worth = NotComputable("it has left") if has_left else worth_of(account, revenue, ledger, purchases)
    return AccountRow(
        account, trust, worth, ledger.decision, ledger.lines, chance, has_left, revenue, currency, ledger.leaves_on
    )


def add_named_accounts(scope: AccessScope, trusts: Iterable[AccountTrust]) -> int:
    """Accounts that the records name and that are not known yet, each with the team that has most of its cases; how many."""
    known = {fold_name(name) for account in Account.objects.all() for name in account.known_names}
    teams = {team.name: team for team in Team.objects.all()}
    new = [
        Account(name=trust.account[:200], team=teams.get(trust.team))
        for trust in trusts
        if fold_name(trust.account) not in known
    ]
    Account.objects.bulk_create(new)
    if new:
        record_event(scope.person, "added accounts of the records", len(new))
    return len(new)


def visible_cases_of(scope: AccessScope, reason: TrustReason) -> list[tuple[str, str]]:
    """Source and number of a reason's cases that somebody may see one by one: those of their own team, or all."""
    case_filter = scope.case_filter()
    if case_filter is None:
        return []
    teams = [value for column, value in case_filter if column == "team"]
    return [(source, case) for source, case, team in reason.cases if not teams or team in teams]


def show_money(scope: AccessScope, amount: float | None, currency: str) -> str:
    """An amount as somebody may see it: the figure, a span, or nothing."""
    if amount is None:
        return ""
    return f"{amount:,.0f} {currency}".strip() if scope.exact else money_band([amount], currency)


def show_total(scope: AccessScope, figures: Iterable[tuple[float | None, str]]) -> str:
    """Sums by currency as somebody may see them: figures, or the spans added up; accounts without a figure are counted."""
    figures = list(figures)
    total = total_by_currency(figures)
    if not total.amounts:
        return gettext("no figure yet")
    shown = []
    for currency, amount in total.amounts.items():
        name = currency or gettext("without a currency")
        amounts = [value for value, own in figures if value is not None and own == currency]
        shown.append(show_money(scope, amount, name) if scope.exact else money_band(amounts, name))
    if total.unknown:
        shown.append(gettext("%(count)d without a figure") % {"count": total.unknown})
    return " + ".join(shown)


def yearly_figures(rows: Iterable[AccountRow]) -> list[tuple[float | None, str]]:
    """A year's revenue of some accounts, with its currency."""
    return [(row.revenue_year, row.currency) for row in rows]


def as_record(scope: AccessScope, row: AccountRow) -> dict[str, Any]:
    """A row for JSON and CSV; money as a number where its reader may see figures, else as a span with its currency."""
    trust = row.trust
    reliability = trust.reliability if trust else NotComputable("the records know nothing of it")
    worth = None if isinstance(row.worth, NotComputable) else row.worth
    revenue: float | str | None = row.revenue_year
    expected: float | str | None = worth.value if worth else None
    if not scope.exact:
        revenue = show_money(scope, row.revenue_year, row.currency) or None
        expected = show_money(scope, worth.value, worth.currency or row.currency) if worth else None
    return {
        "account": row.account.name, "at_risk": row.is_at_risk, "has_left": row.has_left,
        "state": "left" if row.has_left else f"under notice, last day {row.leaves_on}" if row.leaves_on else "at risk" if row.is_at_risk else "",
        "revenue_year": revenue, "currency": row.currency if scope.exact else "",
        "decides_on": row.decision.decides_on.isoformat() if row.decision else None,
        "promises_due": trust.due if trust else 0, "promises_kept": trust.kept if trust else 0,
        "reliability": None if isinstance(reliability, NotComputable) else reliability[0],
        "reasons": [reason.words for reason in trust.reasons] if trust and not row.has_left else [],
        "chance_of_leaving": row.chance[0] if row.chance else None,
        "worth": expected,
        "worth_basis": str(row.worth) if isinstance(row.worth, NotComputable) else row.worth.basis,
    }  # fmt: skip

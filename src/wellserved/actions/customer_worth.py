"""What customers are worth, beside the moments and cases that are about them, as somebody may see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions.accounts import account_keys_of, show_money, show_total, yearly_revenue
from wellserved.actions.contract_ledger import contract_lines, left_by_ledger, lines_by_account
from wellserved.store.access import AccessScope
from wellserved.store.models import Account
from wellserved.value.contracts import LedgerLine
from wellserved.value.trust import fold_name
from wellserved.wording import plural

MET_WORDS: Final = ("met", "exceeded", "kept")
MISSED_WORDS: Final = ("missed", "broken")


@dataclass(frozen=True)
class CustomerWorth:
    """The account that a customer belongs to, and what it pays a year."""

    account: Account
    revenue_year: float | None  # None: not known, or it has left
    currency: str
    a_year: str  # as its reader may see it: the figure, or a span; empty: not known


def visible_worths(
    scope: AccessScope, customers: Iterable[str | None] = (), accounts: Iterable[str] = ()
) -> dict[str, CustomerWorth]:
    """Names of customers and of accounts -> the account's worth; without those of which this person may see nothing.

    A customer goes by its own name or a duplicate's, an account by its own, in any spelling, or that of the records.
    """
    customer_names, account_names = set(filter(None, customers)), set(filter(None, accounts))
    if not scope.sees_worth or not (customer_names or account_names):
        return {}
    accounts_of_names = {**_accounts_by_name(scope, account_names), **_accounts_of_customers(scope, customer_names)}
    accounts_by_key = {account.pk: account for account in accounts_of_names.values()}
    lines_of = lines_by_account(contract_lines(accounts_by_key.values()) if accounts_by_key else [])
    worths = {key: _worth(scope, account, lines_of.get(account.name, [])) for key, account in accounts_by_key.items()}
    return {name: worths[account.pk] for name, account in accounts_of_names.items()}


def _accounts_of_customers(scope: AccessScope, names: set[str]) -> dict[str, Account]:
    keys = account_keys_of(names) if names else {}
    rows = scope.accounts().in_bulk(set(keys.values())) if keys else {}
    return {name: rows[key] for name, key in keys.items() if key in rows}


def _accounts_by_name(scope: AccessScope, names: set[str]) -> dict[str, Account]:
    if not names:
        return {}
    account_names_of_keys = list(scope.accounts().values_list("pk", "name", "recorded_as"))
    # an account's own name before what the records call another
    keys = {fold_name(recorded_as): key for key, _name, recorded_as in account_names_of_keys if recorded_as}
    keys |= {fold_name(name): key for key, name, _recorded_as in account_names_of_keys}
    keys_of_names = {name: keys[fold_name(name)] for name in names if fold_name(name) in keys}
    rows = scope.accounts().in_bulk(set(keys_of_names.values())) if keys_of_names else {}
    return {name: rows[key] for name, key in keys_of_names.items()}


def _worth(scope: AccessScope, account: Account, lines: Sequence[LedgerLine]) -> CustomerWorth:
    today = timezone.localdate()
    has_left = left_by_ledger(lines, today)
    revenue, currency = (None, account.currency) if has_left else yearly_revenue(account, lines, today)
    return CustomerWorth(account, revenue, currency, show_money(scope, revenue, currency))


def worths_of_owners(scope: AccessScope, owners: Sequence[tuple[str, str]]) -> list[CustomerWorth | None]:
    """Of cases, each with its account and its customer, empty where they are not on record; None: nothing may be seen."""
    by_account = visible_worths(scope, accounts=[account for account, _customer in owners])
    by_customer = visible_worths(scope, [customer for account, customer in owners if not account])
    return [by_account.get(account) if account else by_customer.get(customer) for account, customer in owners]


def show_yearly_total(scope: AccessScope, worths: Iterable[CustomerWorth]) -> str:
    """What several customers' accounts pay a year together, each account once: 3 accounts worth 120,000 EUR a year."""
    accounts = {worth.account.pk: worth for worth in worths}
    figures = [(worth.revenue_year, worth.currency) for worth in accounts.values() if worth.revenue_year is not None]
    if not figures:
        return plural(len(accounts), _("account"), _("accounts")) if accounts else ""
    total_text = _("%(accounts)s worth %(total)s a year") % {
        "accounts": plural(len(figures), _("account"), _("accounts")), "total": show_total(scope, figures),
    }  # fmt: skip
    unknown = len(accounts) - len(figures)
    return f"{total_text} {_('and %(count)d of unknown worth') % {'count': unknown}}" if unknown else total_text


def worth_lines(scope: AccessScope, outcomes: Iterable[tuple[str, str | None]]) -> list[str]:
    """For a report: for whom expectations were met, and for whom they were missed; `outcomes`: word and customer of each moment."""
    customers: Mapping[str, set[str]] = {"met": set(), "missed": set()}
    for word, customer in outcomes:
        if customer and word in (*MET_WORDS, *MISSED_WORDS):
            customers["met" if word in MET_WORDS else "missed"].add(customer)
    worths = visible_worths(scope, customers["met"] | customers["missed"])
    labels = {"met": _("met or exceeded for"), "missed": _("missed for")}
    sentences = []
    for side, names in customers.items():
        if total := show_yearly_total(scope, (worths[name] for name in names if name in worths)):
            customers_without = sum(name not in worths for name in names)
            beside = (
                f", {_('beside %(count)d without an account here') % {'count': customers_without}}"
                if customers_without
                else ""
            )
            sentences.append(f"{labels[side]} {total}{beside}")
    return [f"{_('Expectations')} {'; '.join(sentences)}."] if sentences else []

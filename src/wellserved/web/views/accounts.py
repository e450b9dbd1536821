"""What accounts are worth, when they decide, and whether they still lean on us."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from wellserved.actions import account_questions, contract_ledger, leaving_questions
from wellserved.actions import accounts as account_actions
from wellserved.actions.accounts import (
    AccountRow,
    account_rows,
    show_money,
    show_total,
    visible_cases_of,
    yearly_figures,
)
from wellserved.moments import NotComputable
from wellserved.store.access import AccessScope, has_permission, record_event
from wellserved.store.models import Account, Team
from wellserved.value.contracts import due_decisions
from wellserved.value.trust import AccountTrust, TrustReason, fold_name
from wellserved.web.access_middleware import required_permission, scope_of
from wellserved.web.analysis import cached_answer, has_records, known_answer
from wellserved.web.forms import AccountForm, empty_form
from wellserved.web.plan_forms import ContractForm
from wellserved.web.views.contracts import contract_context

MAX_ACCOUNTS_SHOWN, MAX_MOMENTS_SHOWN = 30, 20


def account_rows_of(accounts: list[Account]) -> tuple[list[AccountRow], list[AccountTrust]]:
    """Accounts with what is known, and all that the records name; the slow models where somebody has had them worked out."""
    pairs, gone = account_actions.customer_accounts(), contract_ledger.departures()
    trusts = cached_answer(account_questions.trusts, pairs) if has_records() else []
    risk = known_answer(leaving_questions.backtest_risk, pairs, gone)
    purchases = known_answer(account_questions.purchase_worth, pairs)
    return account_rows(accounts, trusts, risk, purchases, timezone.localdate()), trusts


def row_context(scope: AccessScope, row: AccountRow) -> dict[str, Any]:
    """An account as a template shows it, money as its reader may see it."""
    currency, worth = row.currency, row.worth
    context: dict[str, Any] = {
        "row": row,
        "revenue": show_money(scope, row.revenue_year, currency),
        "to_date": show_money(scope, None if row.account.revenue_to_date is None else float(row.account.revenue_to_date), row.account.currency),
        "worth_reason": worth.reason if isinstance(worth, NotComputable) else "",
    }  # fmt: skip
    if not isinstance(worth, NotComputable):
        currency = worth.currency or currency
        context["worth"] = show_money(scope, worth.value, currency)
        context["is_typed"] = worth.basis == "typed"
        context["worth_words"] = worth.words
        if scope.exact and worth.low < worth.high:
            context["worth_interval"] = f"{worth.low:,.0f} – {worth.high:,.0f}"
        if scope.exact and worth.beyond is not None:
            context["worth_beyond"] = show_money(scope, worth.beyond, currency)
    if row.expected_loss is not None:
        middle, low, high = row.expected_loss
        context["loss"] = show_money(scope, middle, currency)
        context["loss_interval"] = f"{low:,.0f} – {high:,.0f}" if scope.exact else ""
    reliability = row.trust.reliability if row.trust else NotComputable("the records know nothing of it")
    if not isinstance(reliability, NotComputable):
        context["reliability"] = reliability
    return context


@required_permission("read_accounts", "GET", "POST")
def accounts(request: HttpRequest) -> HttpResponseBase:
    """What accounts are worth, which are at risk, and whose contract comes to a decision next."""
    scope = scope_of(request)
    form = AccountForm(request.POST or None)
    if request.method == "POST":
        scope.require_permission("change_accounts")
        if request.POST.get("do") == "add_named":
            account_actions.add_named_accounts(scope, account_rows_of([])[1])
            return redirect("accounts")
        if form.is_valid():
            new_account = form.save()
            record_event(scope.person, "added an account", new_account.pk)
            return redirect("account", new_account.pk)
    search_text = request.GET.get("q", "").strip()[:100]
    shown_accounts = list(scope.accounts())
    may_change = has_permission(scope.person, "change_accounts")
    rows, trusts = account_rows_of(shown_accounts)
    at_risk = [row for row in rows if row.is_at_risk]
    known = {fold_name(name) for row in rows for name in row.account.known_names}
    matching_rows = [row for row in rows if search_text.casefold() in row.account.name.casefold()]
    context = {
        "rows": [row_context(scope, row) for row in matching_rows[:MAX_ACCOUNTS_SHOWN]],
        "hidden": max(len(matching_rows) - MAX_ACCOUNTS_SHOWN, 0), "q": search_text, "is_lead": not scope.exact,
        "form": form if form.is_bound else empty_form(AccountForm, *Team.objects.values_list("pk", "name")) if may_change else "",
        "at_risk": len(at_risk),
        "stake": show_total(scope, yearly_figures(at_risk)),
        "total": show_total(scope, yearly_figures(row for row in rows if not row.has_left)),
        "due": len(due_decisions([line for row in rows for line in row.lines], timezone.localdate())),
        "unlisted": sorted({s.account for s in trusts if fold_name(s.account) not in known}) if may_change else [],
        "may_change": may_change,
    }  # fmt: skip
    return render(request, "accounts.html", context)


@required_permission("read_accounts", "GET", "POST")
def account(request: HttpRequest, id_: int) -> HttpResponseBase:
    """One account: its worth, its contracts, how reliable we are to it, and what weighs on its trust."""
    scope = scope_of(request)
    row: Account = get_object_or_404(scope.accounts(), pk=id_)
    previous_name = row.name
    form = AccountForm(request.POST or None, instance=row)
    if request.method == "POST":
        scope.require_permission("change_accounts")
        if form.is_valid():
            changed = form.save(commit=False)
            if changed.name != previous_name and not changed.recorded_as:
                changed.recorded_as = previous_name  # by which the records go on to know it
            changed.save()
            record_event(scope.person, "changed an account", row.pk)
            return redirect("account", id_)
        row.refresh_from_db()
    (account_row,), _trusts = account_rows_of([row])
    may_change = has_permission(scope.person, "change_accounts")
    contracts = contract_ledger.contracts_of(row)
    context = {
        **row_context(scope, account_row),
        "account": row,
        "form": form,
        "contract_form": empty_form(ContractForm) if may_change else "",
        "contracts": [
            contract_context(scope, contract, line)
            for contract, line in zip(contracts, contract_ledger.contract_lines([row]), strict=True)
        ],
        "seen": scope.visible_moments().filter(customer__account=row)[:MAX_MOMENTS_SHOWN],
        "most_seen": MAX_MOMENTS_SHOWN,
        "reasons": _reasons(scope, account_row),
        "may_change": may_change,
    }
    return render(request, "account.html", context)


def _reasons(scope: AccessScope, row: AccountRow) -> list[tuple[TrustReason, list[tuple[str, str]]]]:
    """Each reason with those of its cases that its reader may open."""
    reasons = row.trust.reasons if row.trust and not row.has_left else ()
    return [(reason, visible_cases_of(scope, reason)) for reason in reasons]


@required_permission("read_accounts", "GET", "POST")
def risk(request: HttpRequest) -> HttpResponseBase:
    """Could we have known who would leave? The model of the house's own leavers, judged on quarters that it had not seen."""
    pairs, lost_accounts = account_actions.customer_accounts(), contract_ledger.departures()
    if not has_records():
        raise Http404
    if request.method == "POST":
        cached_answer(account_questions.purchase_worth, pairs)
        cached_answer(leaving_questions.backtest_risk, pairs, lost_accounts)
        return redirect("risk")
    answer = known_answer(leaving_questions.backtest_risk, pairs, lost_accounts)
    return render(request, "risk.html", {"answer": answer})


def value_context(scope: AccessScope) -> dict[str, Any]:
    """Accounts at risk and decisions that are due, where they may be seen, for the leader's page."""
    if not has_permission(scope.person, "read_accounts"):
        return {}
    rows = [row for row in account_rows_of(list(scope.accounts()))[0] if not row.has_left]
    at_risk = [row for row in rows if row.is_at_risk]
    return {
        "sees_accounts": True,
        "accounts": len(rows),
        "served": show_total(scope, yearly_figures(rows)),
        "at_risk": at_risk[:5],
        "risk_count": len(at_risk),
        "stake": show_total(scope, yearly_figures(at_risk)),
        "due": len(due_decisions([line for row in rows for line in row.lines], timezone.localdate(), 90)),
    }

"""What accounts are worth, when they decide, and whether they still lean on us."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import account_questions, leaving_questions
from wellserved.actions import accounts as account_actions
from wellserved.actions.accounts import (
    AccountRow,
    account_rows,
    contracts_of,
    line_of,
    show_money,
    show_total,
    total_of,
)
from wellserved.errors import RequestError
from wellserved.moments import NotComputable
from wellserved.store.access import AccessScope, has_permission, record_event
from wellserved.store.models import Account
from wellserved.store.plan_models import Contract
from wellserved.value.contracts import CohortRates, LedgerLine, cohort_rates, due_decisions, unclosed_contracts
from wellserved.value.trust import AccountTrust
from wellserved.web.access_middleware import required_permission, scope_of
from wellserved.web.analysis import cached_answer, has_records, known_answer
from wellserved.web.forms import AccountForm, FileForm
from wellserved.web.plan_forms import ContractForm, DeedForm

MAX_ACCOUNTS_SHOWN = 200
MAX_DAYS_AHEAD = 180
MAX_FILE_BYTES = 5_000_000


def _rows(accounts: list[Account], name: str | None = None) -> tuple[list[AccountRow], list[AccountTrust]]:
    """Accounts with what is known, and all that the records name (or one, by its name); the slow models where somebody has had
    them worked out."""
    pairs, gone = account_actions.customer_accounts(), account_actions.departures()
    trusts = cached_answer(account_questions.trusts, pairs, name) if has_records() else []
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
        context["worth"] = show_money(scope, worth.value, currency)
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
            account_actions.add_named_accounts(scope, (trust.account for trust in _rows([])[1]))
            return redirect("accounts")
        if form.is_valid():
            new_account = form.save()
            record_event(scope.person, "added an account", new_account.pk)
            return redirect("account", new_account.pk)
    shown_accounts = list(scope.accounts())
    may_change = has_permission(scope.person, "change_accounts")
    rows, trusts = _rows(shown_accounts)
    at_risk = [row for row in rows if row.is_at_risk]
    known = {row.account.name.casefold() for row in rows}
    context = {
        "rows": [row_context(scope, row) for row in rows[:MAX_ACCOUNTS_SHOWN]],
        "hidden": max(len(rows) - MAX_ACCOUNTS_SHOWN, 0),
        "form": form,
        "at_risk": len(at_risk),
        "stake": show_total(scope, total_of(at_risk)),
        "total": show_total(scope, total_of(row for row in rows if not row.has_left)),
        "due": sum(bool(row.decision and row.decision.days <= MAX_DAYS_AHEAD) for row in rows),
        "unlisted": sorted({s.account for s in trusts if s.account.casefold() not in known}) if may_change else [],
        "may_change": may_change,
    }  # fmt: skip
    return render(request, "accounts.html", context)


@required_permission("read_accounts", "GET", "POST")
def account(request: HttpRequest, id_: int) -> HttpResponseBase:
    """One account: its worth, its contracts, how reliable we are to it, and what weighs on its trust."""
    scope = scope_of(request)
    row: Account = get_object_or_404(scope.accounts(), pk=id_)
    form = AccountForm(request.POST or None, instance=row)
    if request.method == "POST":
        scope.require_permission("change_accounts")
        if form.is_valid():
            form.save()
            record_event(scope.person, "changed an account", row.pk)
            return redirect("account", id_)
        row.refresh_from_db()
    (account_row,), _trusts = _rows([row], row.name)
    context = {
        **row_context(scope, account_row),
        "account": row,
        "form": form,
        "contract_form": ContractForm(),
        "contracts": [_contract_context(scope, contract) for contract in contracts_of([row])],
        "seen": scope.visible_moments().filter(customer__account=row)[:50],
        "sees_cases": scope.case_filter() is not None,
        "may_change": has_permission(scope.person, "change_accounts"),
    }
    return render(request, "account.html", context)


def _contract_context(scope: AccessScope, contract: Contract) -> dict[str, Any]:
    line, today = line_of(contract), timezone.localdate()
    decides_on = contract.terms.decision_date
    context: dict[str, Any] = {
        "contract": contract,
        "decides_on": decides_on,
        "days": (decides_on - today).days if decides_on and not line.is_settled(today) else None,
        "value": show_money(scope, line.value_year, line.currency),
        "deed_form": DeedForm(initial={"known_on": today, "on": contract.ends or today}),
        "is_closed": line.outcome(today) is not None,
    }
    if contract.exit_kind == "service_level" and has_records():
        context["exit"] = _exit_right(contract)
    return context


def _exit_right(contract: Contract) -> account_questions.ExitRight | NotComputable:
    customers = tuple(contract.account.customers.filter(merged_into=None).values_list("name", flat=True))
    try:
        return cached_answer(
            account_questions.exit_right, contract.exit_measure, contract.exit_threshold or 0.0, contract.exit_periods or 1,
            contract.account.name, customers,
        )  # fmt: skip
    except RequestError as error:  # a measure that is no more, or cases that nobody knows
        return NotComputable(error.problem.rstrip("."))


@required_permission("change_accounts", "POST")
def new_contract(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Put a contract into the ledger."""
    scope = scope_of(request)
    row: Account = get_object_or_404(scope.accounts(), pk=id_)
    form = ContractForm(request.POST)
    if not form.is_valid():
        return render(request, "contract.html", {"form": form, "account": row}, status=422)
    contract = form.save(commit=False)
    contract.account = row
    contract.save()
    record_event(scope.person, "added a contract", contract.pk)
    return redirect("account", id_)


@required_permission("change_accounts", "GET", "POST")
def contract(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Change a contract, or say what became of it."""
    scope = scope_of(request)
    row: Contract = get_object_or_404(Contract.objects.filter(account__in=scope.accounts()), pk=id_)
    if request.method == "POST" and request.POST.get("do") == "deed":
        deed = DeedForm(request.POST)
        if not deed.is_valid():
            raise RequestError("That says not what became of it.", "Give what happened, the day, and since when it is known.")  # fmt: skip
        facts = deed.cleaned_data
        account_actions.note_deed(scope, row, facts["deed"], facts["on"], facts["known_on"], facts["new_end"])
        messages.success(request, _("Saved."))
        return redirect("account", row.account_id)
    if request.method == "POST" and request.POST.get("do") == "forget":
        row.deeds.all().delete()
        record_event(scope.person, "took back what became of a contract", row.pk)
        return redirect("account", row.account_id)
    form = ContractForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        form.save()
        record_event(scope.person, "changed a contract", row.pk)
        return redirect("account", row.account_id)
    return render(request, "contract.html", {"form": form, "account": row.account, "contract": row})


def _lines(scope: AccessScope) -> list[LedgerLine]:
    return [line_of(contract) for contract in contracts_of(scope.accounts())]


@required_permission("read_accounts", "GET", "POST")
def contracts(request: HttpRequest) -> HttpResponseBase:
    """Which contracts come to a decision, and how many were renewed; and contracts from a file."""
    scope, today = scope_of(request), timezone.localdate()
    form, loaded_count, refused_rows = (
        FileForm(request.POST or None, request.FILES or None),
        -1,
        list[tuple[int, str]](),
    )
    if request.method == "POST":
        scope.require_permission("change_accounts")
        if form.is_valid():
            upload = form.cleaned_data["file"]
            if upload.size > MAX_FILE_BYTES:
                raise RequestError("The file is larger than 5 MB.", "Part it, and read the parts.")
            loaded_count, refused_rows = account_actions.read_contracts(upload.read(), scope)
    ids = {account.name: account.pk for account in scope.accounts()}
    lines = _lines(scope)
    context = {
        "due": [
            (decision, ids[decision.line.account], show_money(scope, decision.line.value_year, decision.line.currency))
            for decision in due_decisions(lines, today, MAX_DAYS_AHEAD)
        ],
        "unclosed": [(line, ids[line.account]) for line in unclosed_contracts(lines, today)],
        "cohorts": [_cohort_context(scope, rates) for rates in cohort_rates(lines, today)],
        "form": form, "loaded": loaded_count, "refused": refused_rows, "columns": account_actions.CONTRACT_COLUMNS,
        "may_change": has_permission(scope.person, "change_accounts"),
    }  # fmt: skip
    return render(request, "contracts.html", context)


def _cohort_context(scope: AccessScope, rates: CohortRates) -> dict[str, Any]:
    shares = []
    for deed in ("renewed", "left_at_end", "left_early"):
        share = rates.rate(deed)
        shares.append("" if isinstance(share, NotComputable) else f"{share[0]:.0%} ({share[1]:.0%} – {share[2]:.0%})")

    def money(amounts: dict[str, float]) -> str:
        return " + ".join(show_money(scope, amount, currency) for currency, amount in sorted(amounts.items()))

    return {"rates": rates, "shares": shares, "kept": money(rates.value_kept), "lost": money(rates.value_lost)}


@required_permission("read_accounts", "GET", "POST")
def risk(request: HttpRequest) -> HttpResponseBase:
    """Could we have known who would leave? The model of the house's own leavers, judged on quarters that it had not seen."""
    pairs, lost_accounts = account_actions.customer_accounts(), account_actions.departures()
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
    rows = [row for row in _rows(list(scope.accounts()))[0] if not row.has_left]
    at_risk = [row for row in rows if row.is_at_risk]
    return {
        "sees_accounts": True,
        "accounts": len(rows),
        "served": show_total(scope, total_of(rows)),
        "at_risk": at_risk[:5],
        "risk_count": len(at_risk),
        "stake": show_total(scope, total_of(at_risk)),
        "due": sum(bool(row.decision and row.decision.days <= 90) for row in rows),
    }

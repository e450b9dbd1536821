"""Contracts: when they are decided about, what became of them, and contracts from a file."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import account_questions, contract_ledger
from wellserved.actions.accounts import show_money
from wellserved.actions.contract_files import CONTRACT_COLUMNS, read_contracts
from wellserved.errors import RequestError
from wellserved.moments import NotComputable
from wellserved.store.access import AccessScope, has_permission, record_event
from wellserved.store.models import Account
from wellserved.store.plan_models import Contract
from wellserved.value.contracts import CohortRates, LedgerLine, cohort_rates, due_decisions, unclosed_contracts
from wellserved.web.access_middleware import required_permission, scope_of
from wellserved.web.analysis import cached_answer, has_records
from wellserved.web.forms import FileForm
from wellserved.web.plan_forms import ContractForm, DeedForm

MAX_FILE_BYTES = 5_000_000
MAX_DECISIONS_SHOWN = 50


def contract_context(scope: AccessScope, contract: Contract, line: LedgerLine) -> dict[str, Any]:
    """A contract as a template shows it: its decision, its notice, and whether it may be left for its service level."""
    today = timezone.localdate()
    terms = line.terms.rolled(today)
    decides_on = terms.decision_date
    context: dict[str, Any] = {
        "contract": contract,
        "terms": terms,
        "leaves_on": line.leaves_on(today),
        "notice_today": terms.leaving_date(today) if not line.is_settled(today) else None,
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
            contract.account.known_names, customers,
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
        try:
            contract_ledger.note_deed(scope, row, facts["deed"], facts["on"], facts["known_on"], facts["new_end"])
            messages.success(request, _("Saved."))
        except RequestError as error:
            messages.error(request, f"{error.problem} {error.remedy}")
        return redirect("account", row.account_id)
    if request.method == "POST" and request.POST.get("do") == "forget":
        contract_ledger.forget_deeds(scope, row)
        return redirect("account", row.account_id)
    form = ContractForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        form.save()
        record_event(scope.person, "changed a contract", row.pk)
        return redirect("account", row.account_id)
    return render(request, "contract.html", {"form": form, "account": row.account, "contract": row})


@required_permission("read_accounts", "GET", "POST")
def contracts(request: HttpRequest) -> HttpResponseBase:
    """Which contracts come to a decision, and how many were renewed; and contracts from a file."""
    scope, today = scope_of(request), timezone.localdate()
    form, outcome = FileForm(request.POST or None, request.FILES or None), None
    if request.method == "POST":
        scope.require_permission("change_accounts")
        if form.is_valid():
            upload = form.cleaned_data["file"]
            if upload.size > MAX_FILE_BYTES:
                raise RequestError("The file is larger than 5 MB.", "Part it, and read the parts.")
            outcome = read_contracts(upload.read(), scope)
    accounts = scope.accounts()
    ids, lines = dict(accounts.values_list("name", "pk")), contract_ledger.contract_lines(accounts)
    decisions = due_decisions(lines, today)
    shown_decisions = decisions if "all" in request.GET else decisions[:MAX_DECISIONS_SHOWN]
    context = {
        "due": [
            (decision, ids[decision.line.account], show_money(scope, decision.line.value_year, decision.line.currency))
            for decision in shown_decisions
        ],
        "hidden": len(decisions) - len(shown_decisions),
        "unclosed": [(line, ids[line.account]) for line in unclosed_contracts(lines, today)],
        "cohorts": [_cohort_context(scope, rates) for rates in cohort_rates(lines, today)],
        "form": form, "outcome": outcome, "columns": CONTRACT_COLUMNS, "none": not ids,
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

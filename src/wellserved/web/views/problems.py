"""Problems: what customers keep telling, the decisions about them, and the way to an improvement."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from wellserved.actions import account_questions, listening, problem_costs, problem_pages, problem_questions
from wellserved.actions.accounts import customer_accounts
from wellserved.actions.customer_worth import show_yearly_total, visible_worths
from wellserved.errors import RequestError, StorageError, UnknownNameError
from wellserved.listen.book import Deed
from wellserved.moments import PROBLEM
from wellserved.store.access import AccessScope, has_permission, record_event
from wellserved.web.access_middleware import person_of, required_permission, scope_of
from wellserved.web.analysis import cached_answer, has_records
from wellserved.web.template_filters import safe_html

DEEDS: dict[str, tuple[Deed, str]] = {  # button -> deed, the field that it needs
    "name": ("named", "name"),
    "merge": ("merged", "into"),
    "split": ("split", "words"),
    "note": ("noted", "note"),
    "close": ("closed", ""),
    "reopen": ("reopened", ""),
    "undo": ("undone", "decision"),
}


@required_permission("read_measures")
def problems(request: HttpRequest) -> HttpResponse:
    """What customers keep telling, by their words or by what cases are filed under."""
    by, ranking = request.GET.get("by", PROBLEM), request.GET.get("rank", "0")
    if by not in problem_questions.LISTENED_COLUMNS or ranking not in ("0", "1", "2"):
        raise Http404
    is_empty = not has_records()
    page, cards = ("", []) if is_empty else cached_answer(problem_pages.list_page, by, int(ranking))
    shown_cards = cards[:12]
    totals = _yearly_totals(scope_of(request), by, [card["label"] for card in shown_cards])
    context = {
        "page": safe_html(page), "cards": shown_cards, "totals": totals, "by": by, "bases": problem_questions.LISTENED_COLUMNS, "ranking": int(ranking), "rankings": problem_pages.RANKINGS, "empty": is_empty,
        "progress": listening.look_under_way(settings.WORKSPACE), "may_decide": has_permission(scope_of(request).person, "declare_improvements"),
        "filing": safe_html(cached_answer(problem_pages.filing_page, by)) if by != PROBLEM and page else "",
        "cost": _shown_cost(),
    }  # fmt: skip
    return render(request, "problems.html", context)


def _shown_cost() -> dict[str, str]:
    """What is declared, as its form shows it and takes it back."""
    cost = problem_costs.declared_cost(settings.WORKSPACE)
    minutes = "" if cost.minutes is None else f"{cost.minutes:.10g}"
    return {"minutes": minutes, "rate": "" if cost.rate is None else f"{cost.rate:.10g} {cost.currency}".strip()}


def _yearly_totals(scope: AccessScope, by: str, labels: list[str]) -> dict[str, str]:
    """Problem -> what the accounts that have it pay a year, as somebody may see it; of those that are shown."""
    if not scope.sees_worth or not labels:
        return {}
    accounts = cached_answer(account_questions.accounts_behind, customer_accounts(), by)
    names_of_labels = {label: accounts.get(label, ()) for label in labels}
    worths = visible_worths(scope, accounts={name for names in names_of_labels.values() for name in names})
    return {
        label: show_yearly_total(scope, [worths[name] for name in names if name in worths])
        for label, names in names_of_labels.items()
    }


NEW_DAYS = 28  # that the page of what is new looks at


@required_permission("read_measures")
def new_in_words(request: HttpRequest) -> HttpResponse:
    """What many customers say now and hardly anybody said before."""
    page = cached_answer(problem_pages.novelty_page, NEW_DAYS) if has_records() else ""
    return render(request, "problem_news.html", {"page": safe_html(page)})


@required_permission("declare_improvements", "POST")
def look_for_problems(request: HttpRequest) -> HttpResponseBase:
    """Have the customers' words read; the worker does it, and the page shows how far it is."""
    listening.ask_for_look(settings.WORKSPACE)
    record_event(person_of(request), "asked for a look at problems", "")
    return redirect("problems")


@required_permission("declare_improvements", "POST")
def keep_problem_cost(request: HttpRequest) -> HttpResponseBase:
    """Declare what a reply takes and what an hour costs, for the cost of every problem."""
    minutes, rate = (request.POST.get(name, "").strip() for name in ("minutes", "rate"))
    try:
        cost = problem_costs.parse_cost(float(minutes.replace(",", ".")) if minutes else None, rate)
        problem_costs.declare_cost(settings.WORKSPACE, cost)
    except ValueError:
        messages.error(request, _("Give how long a reply takes in minutes, as 9."))
    except StorageError:
        raise
    except RequestError as error:
        messages.error(request, f"{error.problem} {error.remedy}")
    else:
        record_event(person_of(request), "declared what a reply takes", f"{minutes} / {rate}")
        messages.success(request, _("Kept. Problems and reports use it from now on."))
    return redirect("problems")


@required_permission("read_measures")
def problem(request: HttpRequest, id_: str) -> HttpResponse:
    """One problem: its course, its customers' words, where it comes from, what was decided."""
    try:
        page, facts = cached_answer(problem_pages.problem_page, id_)
    except UnknownNameError as error:
        raise Http404 from error
    context = {
        **facts, "page": safe_html(page), "total": _yearly_totals(scope_of(request), PROBLEM, [facts["label"]]).get(facts["label"], ""),
        "origins": safe_html(cached_answer(problem_pages.origin_page, facts["id"])),
        "may_decide": has_permission(scope_of(request).person, "declare_improvements"), "cases": scope_of(request).case_filter() is not None,
    }  # fmt: skip
    return render(request, "problem.html", context)


@required_permission("declare_improvements", "POST")
def decide(request: HttpRequest, id_: str) -> HttpResponseBase:
    """Name, merge, split, note, close a problem, or take such a decision back."""
    deed, field = DEEDS.get(request.POST.get("do", ""), (None, ""))
    if deed is None:
        raise Http404
    value = request.POST.get(field, "").strip() if field else ""
    facts: dict[str, object] = {field: value} if field else {}
    if field == "words":
        facts = {"words": [word.strip() for word in value.split(",") if word.strip()]}
    elif field == "decision":
        facts = {"decision": int(value) if value.isdecimal() and len(value) < 9 else 0}
    elif field and not value:
        messages.error(request, _("Nothing was written in the field."))
        return redirect("problem", id_)
    try:
        decision = listening.decide_about(settings.WORKSPACE, deed, id_, facts, person_of(request).called)
    except UnknownNameError as error:
        raise Http404 from error
    except StorageError:
        raise
    except RequestError as error:
        messages.error(request, f"{error.problem} {error.remedy}")
        return redirect("problem", id_)
    record_event(person_of(request), "decided about a problem", f"p{decision.problem} {deed} {decision.number}")
    messages.success(request, _("Kept. Every later look respects it."))
    if deed == "merged":
        return redirect("problem", str(facts["into"]))
    return redirect("problem", id_)

"""What a problem is worth solving, how sure that is, and what came of it."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import business_cases as case_actions
from wellserved.actions import improvements as improvement_actions
from wellserved.actions.problem_volume import yearly_cases
from wellserved.actions.sponsor_sheet import case_lines, input_range_words, origin_words, sponsor_pdf
from wellserved.business_case import evaluate_case
from wellserved.errors import RequestError, WellservedError
from wellserved.moments import NotComputable
from wellserved.render.charts.business_case import tornado_picture
from wellserved.store.access import has_permission
from wellserved.store.plan_models import SavedCase
from wellserved.web.access_middleware import person_of, required_permission, scope_of
from wellserved.web.analysis import cached_answer, has_records
from wellserved.web.plan_forms import CaseForm, OutcomeForm

_LABELS = {field.name: field.label for field in case_actions.INPUT_FIELDS}


@required_permission("own")
def business_cases(request: HttpRequest) -> HttpResponse:
    """One's own business cases, and how good the house's forecasts were."""
    rows = list(case_actions.visible_cases(scope_of(request))[:100])
    return render(request, "business_cases.html", {"rows": rows, "record": case_actions.forecast_record()})


@required_permission("own", "GET", "POST")
def new_business_case(request: HttpRequest) -> HttpResponseBase:
    """Put a case together: a range for each input, and at once what it comes to."""
    form = CaseForm(request.POST or None, initial=_initial(request, request.GET.get("about", "")))
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        person = person_of(request)
        inputs = form.inputs(
            f"{person.called}, {timezone.localdate():%Y-%m-%d}", _initial(request, form.cleaned_data["problem"])
        )
        try:
            if request.POST.get("do") == "keep":
                row = case_actions.keep_case(person, form.facts(), inputs)
                return redirect("business_case", row.pk)
            preview = SavedCase(owner=person, inputs=inputs, widened=case_actions.forecast_record().widening, **form.facts())  # fmt: skip
            model = case_actions.case_model(inputs, form.cleaned_data["years"], preview.widened)
            preview.result = case_actions.result_record(evaluate_case(model))
            context |= _shown(preview)
        except RequestError as error:
            form.add_error(None, f"{error.problem} {error.remedy}")
    return render(request, "business_case_form.html", context)


def _initial(request: HttpRequest, problem: str) -> dict[str, Any]:
    """From a problem: how many cases a year it has, measured."""
    about, improvement = problem[:40], request.GET.get("improvement", "")[:60]
    initial: dict[str, Any] = {"problem": about, "improvement": improvement, "currency": "EUR"}
    may_read = has_permission(scope_of(request).person, "read_measures")
    if about and may_read and has_records():
        try:
            volume = cached_answer(yearly_cases, about)
        except WellservedError:  # a problem that is no more
            return initial
        if not isinstance(volume, NotComputable):
            initial |= {
                "cases_a_year_low": float(f"{volume[2]:.3g}"), "cases_a_year_high": float(f"{volume[3]:.3g}"),
                "cases_a_year_origin": _("%(n)d cases in %(days)d days of the records") % {"n": volume[0], "days": volume[1]},
            }  # fmt: skip
    return initial


def _shown(row: SavedCase) -> dict[str, Any]:
    """A case as a template shows it."""
    swings = [(_(_LABELS[name]), low, high) for name, low, high in row.result["tornado"]]
    return {
        "row": row,
        "lines": case_lines(row),
        "picture": tornado_picture(row.result["base"], swings, row.currency),
        "swings": [(name, min(low, high), max(low, high)) for name, low, high in swings if low != high],
        "inputs": [
            (_LABELS[name], input_range_words(facts), origin_words(facts)) for name, facts in row.inputs.items()
        ],
    }


@required_permission("own", "GET", "POST")
def business_case(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """One case as it was kept; later, what came beside what was expected."""
    scope = scope_of(request)
    row: SavedCase = get_object_or_404(case_actions.visible_cases(scope), pk=id_)
    form = OutcomeForm(request.POST or None)
    if request.method == "POST" and request.POST.get("do") == "link":
        names = {record.improvement.name for record in improvement_actions.list_improvements(settings.WORKSPACE)}
        row.improvement = request.POST.get("improvement", "")
        if row.improvement not in names:
            raise RequestError("There is no such improvement.", "Choose one of the list.")
        row.save(update_fields=["improvement"])
        return redirect("business_case", id_)
    if request.method == "POST" and form.is_valid():
        facts = form.cleaned_data
        case_actions.note_outcome(scope, row, facts["came"], facts["came_from"], timezone.localdate())
        messages.success(request, _("Noted, and set beside what was expected."))
        return redirect("business_case", id_)
    may_read = has_permission(scope.person, "read_measures")
    context = {
        **_shown(row), "form": form, "verdict": _verdict(row) if may_read else None, "record": case_actions.forecast_record(),
        "improvements": [record.improvement.name for record in improvement_actions.list_improvements(settings.WORKSPACE)] if may_read else [],
    }  # fmt: skip
    return render(request, "business_case.html", context)


def _verdict(row: SavedCase) -> dict[str, Any] | None:
    """What the verdict on its improvement is worth, beside the forecast."""
    if not row.improvement or not has_records():
        return None
    try:
        proof, _notes = cached_answer(improvement_actions.prove_improvement, row.improvement)
    except WellservedError as error:
        return {"reason": error.problem}
    worth = case_actions.outcome_of_verdict(row, proof)
    if isinstance(worth, NotComputable):
        return {"reason": worth.reason}
    return {"value": worth[0], "low": worth[1], "high": worth[2]}


@required_permission("own")
def sponsor_sheet(request: HttpRequest, id_: uuid.UUID) -> HttpResponse:
    """The case on one page of paper."""
    row: SavedCase = get_object_or_404(case_actions.visible_cases(scope_of(request)), pk=id_)
    response = HttpResponse(sponsor_pdf(row), content_type="application/pdf")
    response["Content-Disposition"] = 'attachment; filename="business-case.pdf"'
    return response

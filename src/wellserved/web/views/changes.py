"""Changes: declared before their result is looked at, and looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from wellserved.actions import improvements as improvement_actions
from wellserved.actions import rendering
from wellserved.actions.membership import names_of_logins
from wellserved.errors import StorageError, WellservedError
from wellserved.improvement import list_records
from wellserved.measure import find_measure
from wellserved.measure.series import about_condition
from wellserved.render.formats import html
from wellserved.render.tables.proofs import foresight_table
from wellserved.store.access import has_permission, record_event
from wellserved.web.access_middleware import person_of, required_permission, scope_of
from wellserved.web.analysis import cached_answer, fresh_answer, has_records
from wellserved.web.forms import ImprovementForm
from wellserved.web.template_filters import safe_html


@required_permission("read_measures")
def improvements(request: HttpRequest) -> HttpResponse:
    """What was changed, and whether it worked."""
    known_records = list_records(settings.WORKSPACE)
    logins = {name for record in known_records for name in (record.improvement.who, record.improvement.idea_from)}
    names = names_of_logins(logins)
    records = [
        {
            "improvement": record.improvement,
            "who": names.get(record.improvement.who, record.improvement.who),
            "idea_from": names.get(record.improvement.idea_from, record.improvement.idea_from),
            "question": find_measure(record.improvement.measure).question,
            "looks": len(record.looks),
            "status": str(record.looks[-1].facts.get("status", "")).replace("_", " ") if record.looks else "",
        }
        for record in known_records
    ]
    may_declare = has_permission(scope_of(request).person, "declare_improvements")
    return render(request, "improvements.html", {"records": records, "may_declare": may_declare})


@required_permission("read_measures")
def improvement(request: HttpRequest, name: str) -> HttpResponse:
    """The verdict on one improvement; looking at it is kept on record."""
    page = cached_answer(rendering.improvement_page, name)
    return render(request, "improvement.html", {"title": name, "page": safe_html(page)})


@required_permission("declare_improvements", "GET", "POST")
def new_improvement(request: HttpRequest) -> HttpResponseBase:
    """Declare a change on one page: first what will be seen of it, then the declaration itself."""
    about = request.GET.get("about", "")
    form = ImprovementForm(
        request.POST or None, initial={"about": about, "measure": "problem_share"} if about else None
    )
    person = person_of(request)
    form.team = person.team
    colleagues = person.team.people.filter(is_active=True) if person.team else []
    context: dict[str, Any] = {"form": form, "colleagues": colleagues}
    if request.method == "POST" and form.is_valid():
        declaration = form.declaration(settings.WORKSPACE)
        asked = (*declaration.where, *declaration.against, *about_condition(declaration.about))
        scope_of(request).require_numbers(None, asked)
        try:
            if request.POST.get("do") == "declare":
                return _declare(request, form)
            context["foresight"] = _foresight(form)
        except StorageError:
            raise
        except WellservedError as error:
            form.add_error(None, f"{error.problem} {error.remedy}")
    return render(request, "improvement_form.html", context)


def _foresight(form: ImprovementForm) -> str:
    """What eight weeks will show, as a table; empty: there is no record yet."""
    declaration = form.declaration(settings.WORKSPACE)
    if not has_records():
        return ""
    foresights = cached_answer(improvement_actions.foresee_improvement, declaration)
    table = foresight_table(foresights, declaration.expected)
    return safe_html(
        html.tables_page(
            table.title, [replace(table, title=_("Eight weeks after the change"))], layout=html.BARE_LAYOUT
        )
    )


def _declare(request: HttpRequest, form: ImprovementForm) -> HttpResponseBase:
    declaration = form.declaration(settings.WORKSPACE)
    if has_records():
        foresights = cached_answer(improvement_actions.foresee_improvement, declaration)
        declaration = improvement_actions.with_margins(declaration, foresights)
    fresh_answer(improvement_actions.declare_improvement, declaration)
    record_event(person_of(request), "declared an improvement", declaration.name)
    messages.success(request, _("Declared. What is seen of it from now on was not known beforehand."))
    return redirect("improvements")

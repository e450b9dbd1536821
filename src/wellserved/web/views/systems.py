"""Systems that are asked for what happened: set up, asked now, and forgotten."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from wellserved.actions import live_sources
from wellserved.actions.live_sources import LiveSource
from wellserved.errors import RequestError
from wellserved.store.access import record_event
from wellserved.store.models import Role
from wellserved.web.access_middleware import person_of, required_permission
from wellserved.web.forms import SystemForm


@required_permission("change_systems", "GET", "POST")
def new_system(request: HttpRequest) -> HttpResponseBase:
    """Set up a system to be asked."""
    return _set_up(request, None)


@required_permission("change_systems", "GET", "POST")
def system(request: HttpRequest, name: str) -> HttpResponseBase:
    """One system: how it is reached; ask it now, or no more."""
    source = live_sources.find_source(settings.WORKSPACE, name)
    if source is None:
        raise Http404
    deed = request.POST.get("do", "")
    if deed == "ask":
        live_sources.ask_soon(settings.WORKSPACE, name)
        record_event(person_of(request), "had a system asked", name)
        messages.success(request, _("It is asked within some seconds. What it told is said here."))
        return redirect("data")
    if deed == "remove":
        live_sources.remove_source(settings.WORKSPACE, name)
        record_event(person_of(request), "ended a system", name)
        messages.success(
            request, _("It is asked no more, and its token is forgotten. What it told stays in the record.")
        )
        return redirect("data")
    return _set_up(request, source)


def _set_up(request: HttpRequest, source: LiveSource | None) -> HttpResponseBase:
    """The form of a system; what was refused is said beside it."""
    form = SystemForm(request.POST or None, source=source)
    if request.method == "POST" and form.is_valid():
        person = person_of(request)
        try:
            system_source = live_sources.set_up_source(
                settings.WORKSPACE, form.source(), form.cleaned_data["token"], allow_local=person.role == Role.alone
            )
        except RequestError as error:
            form.add_error(None, f"{error.problem} {error.remedy}")
        else:
            record_event(person, "changed a system" if source else "added a system", system_source.name)
            live_sources.ask_soon(settings.WORKSPACE, system_source.name)
            messages.success(request, _("It is asked within some seconds. What it told is said here."))
            return redirect("data")
    return render(request, "system.html", {"form": form, "source": source})

"""Letting people in, giving roles, ending access; and what was done by whom."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import membership
from wellserved.errors import RequestError
from wellserved.store.access import note
from wellserved.store.models import Person, Role, Team
from wellserved.web.door import OPEN, deed, person_of, scope_of
from wellserved.web.forms import InviteForm, PasswordForm, PersonForm


@deed("change_people", "GET", "POST")
def people(request: HttpRequest) -> HttpResponseBase:
    """Everybody, and a way to let somebody in."""
    scope = scope_of(request)
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        named = form.cleaned_data["team"].strip()
        team = Team.objects.get_or_create(name=named)[0] if named else None
        token = membership.invite(scope.person, form.cleaned_data["username"], form.cleaned_data["role"], team)
        note(scope.person, "invited", form.cleaned_data["username"])
        where = request.build_absolute_uri(f"/invitation/{token}")
        return render(request, "once.html", {"title": _("Their invitation, for three days"), "what": where})
    return render(
        request,
        "people.html",
        {"people": scope.people(), "form": form, "invitations": scope.invitations(), "now": timezone.now()},
    )


@deed("change_people", "GET", "POST")
def person(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Somebody's role and team; without access their sessions end at once."""
    scope = scope_of(request)
    row: Person = get_object_or_404(scope.people(), pk=id_)
    form = PersonForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        if row.pk == scope.person.pk and (
            not form.cleaned_data["is_active"]
            or not (form.cleaned_data["is_staff"] or form.cleaned_data["role"] == Role.admin)
        ):
            raise RequestError("You would lock yourself out.", "Let another administrator change your access.")
        saved = form.save()
        if not saved.is_active:
            _end_sessions(saved)
        note(scope.person, f"made {saved.role}{'' if saved.is_active else ', without access'}", saved.username)
        return redirect("people")
    return render(request, "form.html", {"form": form, "title": row.called, "back": "people"})


def _end_sessions(person: Person) -> None:
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get("_auth_user_id") == str(person.pk):
            session.delete()
    person.keys.all().delete()


@deed(OPEN, "GET", "POST")
def invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """Choose a password and come in; the link works once, for three days."""
    open_ = membership.invitation_of(token)
    if open_ is None:
        raise RequestError("This invitation is used or over.", "Ask for another.")
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            validate_password(form.cleaned_data["password"])
        except ValidationError as error:
            raise RequestError(" ".join(error.messages), "Choose another.") from error
        made = membership.accept(token, form.cleaned_data["password"])
        note(made, "came in", made.username)
        login(request, made, backend="allauth.account.auth_backends.AuthenticationBackend")
        messages.success(request, _("Welcome."))
        return redirect("today")
    return render(request, "form.html", {"form": form, "title": open_.username, "back": ""})


@deed("read_audit")
def audit(request: HttpRequest) -> HttpResponse:
    """What was done by whom: never what somebody wrote."""
    return render(request, "audit.html", {"events": scope_of(request).events()[:500], "me": person_of(request)})

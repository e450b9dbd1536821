"""Letting people in, giving roles, ending access; and what was done by whom."""

from __future__ import annotations

from allauth.account.utils import perform_login
from django.contrib.auth import logout
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wellserved.actions import membership
from wellserved.errors import RequestError
from wellserved.store.models import Person, Team
from wellserved.web import session
from wellserved.web.access_middleware import OPEN, person_of, required_permission, scope_of
from wellserved.web.forms import InviteForm, PasswordForm, PersonForm

RESET_SAYS = gettext_lazy(
    "They are here already: this gives them another password. Their sessions, keys for programs and calendar address end; "
    "second factors stay. What they wrote in their journal stays closed until they give their recovery code or their "
    "former password. They are told."
)


@required_permission("change_people", "GET", "POST")
def people(request: HttpRequest) -> HttpResponseBase:
    """Everybody, and a way to let somebody in."""
    scope = scope_of(request)
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        team_name = form.cleaned_data["team"].strip()
        team = Team.objects.get_or_create(name=team_name)[0] if team_name else None
        token, is_known = membership.invite(
            scope.person, form.cleaned_data["username"], form.cleaned_data["role"], team
        )
        url = request.build_absolute_uri(f"/invitation/{token}")
        title = (
            _("Their way to another password, for three days") if is_known else _("Their invitation, for three days")
        )
        explanation = RESET_SAYS if is_known else ""
        return render(request, "once.html", {"title": title, "what": url, "said": explanation})
    return render(
        request,
        "people.html",
        {"people": scope.people(), "form": form, "invitations": scope.invitations(), "now": timezone.now()},
    )


@required_permission("change_people", "GET", "POST")
def person(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Somebody's role and team; without access their sessions end at once."""
    scope = scope_of(request)
    row: Person = get_object_or_404(scope.people(), pk=id_)
    form = PersonForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        membership.change_person(scope.person, row)
        return redirect("people")
    return render(request, "form.html", {"form": form, "title": row.called, "back": "people"})


@required_permission(OPEN, "GET", "POST")
def invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """Choose a password and come in, past the second factor where there is one; the link works once, for three days."""
    open_invitation = membership.invitation_of(token)
    if open_invitation is None:
        raise RequestError("This invitation is used or over.", "Ask for another.")
    known_person = membership.invited_person(open_invitation)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        password = form.cleaned_data["password"]
        try:
            validate_password(password, known_person)
        except ValidationError as error:
            raise RequestError(" ".join(error.messages), "Choose another.") from error
        person = membership.accept_invitation(token, password)
        logout(request)
        session.remember_password(request, person, password)
        answer: HttpResponseBase = perform_login(request, person)
        return answer
    explanation = RESET_SAYS if known_person else ""
    return render(
        request, "form.html", {"form": form, "title": open_invitation.username, "back": "", "said": explanation}
    )


@required_permission("read_audit")
def audit(request: HttpRequest) -> HttpResponse:
    """What was done by whom: never what somebody wrote."""
    return render(request, "audit.html", {"events": scope_of(request).events()[:500], "me": person_of(request)})

"""Nobody signs up by themselves: people are invited, and the first one is made on the command line; no mail is sent."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import ChangePasswordForm, LoginForm, ReauthenticateForm
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from wellserved.journal.handle import Journal
from wellserved.store.access import record_event
from wellserved.store.models import Person
from wellserved.web import session


class NoSignUpAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """No sign-up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Whoever has no recovery code yet is asked to write one down."""
        key = session.journal_key(request)
        if key is not None and isinstance(request.user, Person):
            journal = Journal(request.user.pk, settings.SECRET_KEY.encode(), key)
            if journal.is_readable and not journal.has_recovery:
                return reverse("recovery")
        return reverse(settings.LOGIN_REDIRECT_URL)


class Login(LoginForm):  # type: ignore[misc]
    """The form to sign in, without a way to have a forgotten password mailed: an administrator invites anew."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponseBase:
        """The password opens the journal as well, once they are in."""
        session.remember_password(request, self.user, self.cleaned_data["password"])
        answer: HttpResponseBase = super().login(request, redirect_url)
        return answer


class ChangePassword(ChangePasswordForm):  # type: ignore[misc]
    """The form for another password; whoever forgot theirs is invited anew by an administrator."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].help_text = ""

    def save(self) -> None:
        """The new one opens the journal from now on."""
        old, new = self.cleaned_data["oldpassword"], self.cleaned_data["password1"]
        Journal(self.user.pk, settings.SECRET_KEY.encode()).open_with_password(new, old_password=old)
        super().save()
        record_event(self.user, "changed their password", self.user.username)


class ReauthenticationForm(ReauthenticateForm):  # type: ignore[misc]
    """The form that asks for the password once more, without a way to have it mailed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""

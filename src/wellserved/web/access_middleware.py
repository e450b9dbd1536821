"""Lets a request through to a page: who asks, whether store.access allows it, and what every page has around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from wellserved.actions.membership import ensure_sole_user, find_sole_user
from wellserved.damage import as_damage_error
from wellserved.errors import DamageError, StorageError, WellservedError
from wellserved.journal.crypto import LockedError
from wellserved.journal.handle import Journal
from wellserved.store.access import AccessScope, has_permission
from wellserved.store.models import Person
from wellserved.web import session
from wellserved.web.error_handling import status_of, storage_error

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
OPEN = "open"  # to everybody: signing in, health, a feed or an invitation whose address is the secret
_PROXY_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_PROTO", "HTTP_VIA")
_LOGIN_URL_NAMES = ("account_login", "account_logout", "account_reauthenticate", "account_change_password")


def required_permission(permission: str, *methods: str) -> Callable[[View], View]:
    """Name the permission of `access` that a view needs, and the methods that it answers; a view without is never reached."""

    def mark(view: View) -> View:
        view.required_permission, view.methods = permission, methods or ("GET",)  # type: ignore[attr-defined]
        return view

    return mark


def permission_of(request: HttpRequest, view: Callable[..., Any]) -> tuple[str, tuple[str, ...]]:
    """The permission and the methods of a view; of the login pages that come with a library, those that are used."""
    if (permission := getattr(view, "required_permission", None)) is not None:
        return permission, view.methods  # type: ignore[attr-defined]
    match = request.resolver_match
    name = match.url_name or "" if match else ""
    if name in _LOGIN_URL_NAMES or name == "mfa_authenticate" or name == "mfa_login_webauthn":
        return OPEN, ("GET", "POST")
    if name.startswith("mfa_"):
        return "own", ("GET", "POST")
    raise Http404


class AccessMiddleware:
    """Lets a request through to a view whose permission its sender has; otherwise there is no such page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Personal pages are kept by no cache."""
        response = self.get_response(request)
        if not request.path.startswith(f"/{settings.STATIC_URL.strip('/')}/"):
            response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        url_name = request.resolver_match.url_name if request.resolver_match else ""
        if request.method == "POST" and url_name == "account_logout":
            session.forget_key(request)  # the next person here has another journal
        session.set_key_cookie(request, response)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Who asks, and whether they may."""
        if request.resolver_match and "api" in request.resolver_match.namespaces:
            return None  # it asks for a key, and knows its scopes
        permission, methods = permission_of(request, view)
        try:
            person = self._person(request)
        except Exception as error:
            if storage_error(error) is not None or (damage := as_damage_error(error)) is None:
                raise
            return damage_response(damage)
        if person is not None:
            request.user = person
            request.scope = AccessScope(person)  # type: ignore[attr-defined]
        if person is None and permission != OPEN:
            return redirect(f"{reverse(settings.LOGIN_URL)}?next={request.path}")
        if person is not None and permission != OPEN and not has_permission(person, permission):
            raise Http404
        if request.method not in (*methods, *(("HEAD",) if "GET" in methods else ())):
            return HttpResponse(status=405, headers={"Allow": ", ".join(methods)})
        return None

    def _person(self, request: HttpRequest) -> Person | None:
        if isinstance(request.user, Person):
            if not session.is_expired(request, request.user, timezone.now()):
                return request.user
            request.user = AnonymousUser()
            return None
        if request.META.get("REMOTE_ADDR") not in settings.LOOPBACK or any(
            header in request.META for header in _PROXY_HEADERS
        ):
            return None
        person = find_sole_user()
        if person is None and not Person.objects.exists():
            person = ensure_sole_user()
        return person

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """A mistake, a disk that takes no more, and damage say what to do."""
        problem = error if isinstance(error, WellservedError) else storage_error(error) or as_damage_error(error)
        if isinstance(problem, DamageError):
            return damage_response(problem)
        if problem is None:
            return None
        is_locked = isinstance(problem, LockedError)
        context = {
            "error": problem,
            "locked": is_locked,
            "book": journal_of(request) if is_locked and hasattr(request, "scope") else None,
            "unsaved": isinstance(problem, StorageError),
        }
        return render(request, "mistake.html", context, status=status_of(problem))


def damage_response(damage: DamageError) -> HttpResponse:
    """What holds the data cannot be read or written: said without asking it for anything more."""
    return HttpResponse(f"{damage.problem}\n{damage.remedy}\n", status=503, content_type="text/plain; charset=utf-8")


def scope_of(request: HttpRequest) -> AccessScope:
    """What whoever asks can see."""
    scope: AccessScope | None = getattr(request, "scope", None)
    if scope is None:
        raise ImproperlyConfigured("A view without a permission was reached.")
    return scope


def person_of(request: HttpRequest) -> Person:
    """Whoever asks."""
    return scope_of(request).person


def journal_of(request: HttpRequest) -> Journal:
    """The journal of whoever asks; its key is in their session, where their own browser alone can open it."""
    return Journal(person_of(request).pk, settings.SECRET_KEY.encode(), session.journal_key(request))

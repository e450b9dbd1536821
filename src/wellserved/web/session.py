"""What a session holds of the journal's key, and how long a session lasts.

The key is sealed in the session by a secret that only the browser has, in a cookie of its own: neither the file of the
sessions nor the cookie opens anything alone, and where the session ends the cookie is worth nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from allauth.core import ratelimit
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import UpdateError
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from wellserved.errors import RequestError
from wellserved.journal import crypto
from wellserved.journal.handle import Journal
from wellserved.store.access import has_permission
from wellserved.store.models import Person
from wellserved.web.error_handling import storage_error

COOKIE: Final = "journal_key"
# in the session: the key; the password until the second factor is given
_KEY, _PASSWORD = (
    "journal",
    "journal_password",
)
_BEGAN, _LAST_USED = "began", "seen"  # in the session: seconds since 1970
_NOTE_SECONDS: Final = 300  # seconds between two notes of when a session was last used


def _secret_of(request: HttpRequest) -> bytes | None:
    """What the browser seals by."""
    if (fresh := getattr(request, "browser_secret", None)) is not None:
        return fresh or None
    try:
        secret = base64.urlsafe_b64decode(request.COOKIES.get(COOKIE, ""))
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) == 32 else None


def _seal_value(request: HttpRequest, name: str, value: bytes, is_lasting: bool) -> None:
    secret = crypto.generate_key()
    request.session[name] = base64.b64encode(crypto.seal(secret, b"", name.encode(), value)).decode()
    request.browser_secret, request.browser_lasting = secret, is_lasting  # type: ignore[attr-defined]


def _unseal_value(request: HttpRequest, name: str) -> bytes | None:
    secret, sealed_value = _secret_of(request), request.session.get(name)
    if secret is None or not sealed_value:
        return None
    try:
        return crypto.reveal(secret, name.encode(), base64.b64decode(sealed_value))
    except crypto.LockedError:
        return None


def journal_key(request: HttpRequest) -> bytes | None:
    """The key of whoever opened their journal in this session."""
    return _unseal_value(request, _KEY)


def keep_key(request: HttpRequest, journal: Journal) -> None:
    """Keep an open journal's key: with a passphrase until the browser is closed, else as long as the session."""
    if journal.key is not None and not journal.by_workspace:
        _seal_value(request, _KEY, journal.key, is_lasting=not journal.has_passphrase)


def forget_key(request: HttpRequest) -> None:
    """Forget the journal's key, in the session and in the browser."""
    request.session.pop(_KEY, None)
    request.browser_secret = b""  # type: ignore[attr-defined]


def set_key_cookie(request: HttpRequest, answer: HttpResponseBase) -> None:
    """Give the browser its secret, or take it away."""
    secret = getattr(request, "browser_secret", None)
    if secret:
        cookie_value = base64.urlsafe_b64encode(secret).decode()
        max_age = settings.SESSION_COOKIE_AGE if getattr(request, "browser_lasting", False) else None
        secure = settings.SESSION_COOKIE_SECURE
        answer.set_cookie(COOKIE, cookie_value, max_age=max_age, httponly=True, samesite="Strict", secure=secure)
    elif secret is not None:
        answer.delete_cookie(COOKIE)


def remember_password(request: HttpRequest, person: Person, password: str) -> None:
    """Keep a password that was right until its owner is in, which may take a second factor; then it opens the journal."""
    _seal_value(request, _PASSWORD, f"{person.pk} {password}".encode(), is_lasting=False)


def _begin_session(request: HttpRequest, user: Person, **_: Any) -> None:
    """Somebody is in: their session begins, and the password that they gave opens their journal."""
    now = int(timezone.now().timestamp())
    owner_id, _blank, password = (_unseal_value(request, _PASSWORD) or b"").decode().partition(" ")
    for name in (_PASSWORD, _KEY):
        request.session.pop(name, None)
    request.session[_BEGAN] = request.session[_LAST_USED] = now
    if owner_id != str(user.pk):  # in by a passkey: the page asks for what opens the journal
        return
    journal = Journal(user.pk, settings.SECRET_KEY.encode())
    journal.open_with_password(password)
    keep_key(request, journal)


user_logged_in.connect(_begin_session, dispatch_uid="wellserved.session")


def is_expired(request: HttpRequest, person: Person, now: datetime) -> bool:
    """Whether a session was idle too long, or began too long ago; else it is noted that it was used."""
    session, now_seconds = request.session, int(now.timestamp())
    began, last_used = session.setdefault(_BEGAN, now_seconds), session.setdefault(_LAST_USED, now_seconds)
    is_administrator = has_permission(person, "change_people")
    idle: timedelta = settings.IDLE_ADMINISTRATORS if is_administrator else settings.IDLE
    longest: timedelta = settings.LASTS_ADMINISTRATORS if is_administrator else settings.LASTS
    if now_seconds - last_used > idle.total_seconds() or now_seconds - began > longest.total_seconds():
        with _tolerate_full_disk():
            session.flush()
        return True
    if now_seconds - last_used > _NOTE_SECONDS:
        session[_LAST_USED] = now_seconds
        with _tolerate_full_disk():
            session.save()
        session.modified = False
    return False


@contextmanager
def _tolerate_full_disk() -> Iterator[None]:
    """A disk that takes no note of a session keeps nobody from reading."""
    try:
        with transaction.atomic():
            yield
    except (DatabaseError, UpdateError) as error:
        if storage_error(error) is None:
            raise


def limit_attempts(request: HttpRequest, person: Person) -> None:
    """Raise where somebody tries to open a journal too often."""
    if not ratelimit.consume(request, action="unlock", user=person):
        raise RequestError("That was tried too often.", "Wait five minutes, then try again.")

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
from wellserved.journal import vault
from wellserved.journal.book import Book
from wellserved.store.access import may
from wellserved.store.models import Person
from wellserved.web.failing import failure

COOKIE: Final = "journal_key"
_KEY, _PASSWORD = (
    "journal",
    "journal_password",
)  # in the session: the key; the password until the second factor is given
_BEGAN, _SEEN = "began", "seen"  # in the session: seconds since 1970
_LOOK: Final = 300  # seconds between two notes of when a session was last used


def _secret_of(request: HttpRequest) -> bytes | None:
    """What the browser seals by."""
    if (fresh := getattr(request, "browser_secret", None)) is not None:
        return fresh or None
    try:
        given = base64.urlsafe_b64decode(request.COOKIES.get(COOKIE, ""))
    except (binascii.Error, ValueError):
        return None
    return given if len(given) == 32 else None


def _keep(request: HttpRequest, name: str, value: bytes, lasting: bool) -> None:
    secret = vault.new_key()
    request.session[name] = base64.b64encode(vault.seal(secret, b"", name.encode(), value)).decode()
    request.browser_secret, request.browser_lasting = secret, lasting  # type: ignore[attr-defined]


def _kept(request: HttpRequest, name: str) -> bytes | None:
    secret, sealed = _secret_of(request), request.session.get(name)
    if secret is None or not sealed:
        return None
    try:
        return vault.reveal(secret, name.encode(), base64.b64decode(sealed))
    except vault.LockedError:
        return None


def journal_key(request: HttpRequest) -> bytes | None:
    """The key of whoever opened their journal in this session."""
    return _kept(request, _KEY)


def keep_key(request: HttpRequest, book: Book) -> None:
    """Keep an open journal's key: with a passphrase until the browser is closed, else as long as the session."""
    if book.key is not None and not book.by_workspace:
        _keep(request, _KEY, book.key, lasting=not book.has_passphrase)


def forget_key(request: HttpRequest) -> None:
    """Forget it."""
    request.session.pop(_KEY, None)
    request.browser_secret = b""  # type: ignore[attr-defined]


def carry(request: HttpRequest, answer: HttpResponseBase) -> None:
    """Give the browser its secret, or take it away."""
    secret = getattr(request, "browser_secret", None)
    if secret:
        kept = base64.urlsafe_b64encode(secret).decode()
        lasts = settings.SESSION_COOKIE_AGE if getattr(request, "browser_lasting", False) else None
        secure = settings.SESSION_COOKIE_SECURE
        answer.set_cookie(COOKIE, kept, max_age=lasts, httponly=True, samesite="Strict", secure=secure)
    elif secret is not None:
        answer.delete_cookie(COOKIE)


def remember_password(request: HttpRequest, person: Person, password: str) -> None:
    """Keep a password that was right until its owner is in, which may take a second factor; then it opens the journal."""
    _keep(request, _PASSWORD, f"{person.pk} {password}".encode(), lasting=False)


def _came_in(request: HttpRequest, user: Person, **_: Any) -> None:
    """Somebody is in: their session begins, and the password that they gave opens their journal."""
    now = int(timezone.now().timestamp())
    whose, _blank, password = (_kept(request, _PASSWORD) or b"").decode().partition(" ")
    for name in (_PASSWORD, _KEY):
        request.session.pop(name, None)
    request.session[_BEGAN] = request.session[_SEEN] = now
    if whose != str(user.pk):  # in by a passkey: the page asks for what opens the journal
        return
    book = Book(user.pk, settings.SECRET_KEY.encode())
    book.enter(password)
    keep_key(request, book)


user_logged_in.connect(_came_in, dispatch_uid="wellserved.session")


def over(request: HttpRequest, person: Person, now: datetime) -> bool:
    """Whether a session was idle too long, or began too long ago; else it is noted that it was used."""
    held, at = request.session, int(now.timestamp())
    began, seen = held.setdefault(_BEGAN, at), held.setdefault(_SEEN, at)
    administers = may(person, "change_people")
    idle: timedelta = settings.IDLE_ADMINISTRATORS if administers else settings.IDLE
    lasts: timedelta = settings.LASTS_ADMINISTRATORS if administers else settings.LASTS
    if at - seen > idle.total_seconds() or at - began > lasts.total_seconds():
        with _reading_goes_on():
            held.flush()
        return True
    if at - seen > _LOOK:
        held[_SEEN] = at
        with _reading_goes_on():
            held.save()
        held.modified = False
    return False


@contextmanager
def _reading_goes_on() -> Iterator[None]:
    """A disk that takes no note of a session keeps nobody from reading."""
    try:
        with transaction.atomic():
            yield
    except (DatabaseError, UpdateError) as error:
        if failure(error) is None:
            raise


def slow_down(request: HttpRequest, person: Person) -> None:
    """Raise where somebody tries to open a journal too often."""
    if not ratelimit.consume(request, action="unlock", user=person):
        raise RequestError("That was tried too often.", "Wait five minutes, then try again.")

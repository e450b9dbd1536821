"""The key of one's own journal: passphrase, unlock, lock, recovery."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from wellserved.errors import RequestError
from wellserved.journal import keys
from wellserved.journal.crypto import LockedError
from wellserved.store.access import record_event
from wellserved.store.models import Person, Role
from wellserved.web import session
from wellserved.web.access_middleware import journal_of, person_of, required_permission

MIN_PASSPHRASE_LENGTH = 10  # letters of a passphrase


@required_permission("own", "POST")
def passphrase(request: HttpRequest) -> HttpResponseBase:
    """Set, change or drop the passphrase; only a recovery code that its owner makes after brings back a forgotten one."""
    journal, person, new = journal_of(request), person_of(request), request.POST.get("passphrase", "")
    if request.POST.get("do") == "drop":
        journal.rekey(*_key_without_passphrase(request, person))
        record_event(person, "dropped the passphrase", "journal")
        messages.success(request, _("Your journal has no passphrase now."))
    elif len(new) < MIN_PASSPHRASE_LENGTH:
        raise RequestError(f"A passphrase has at least {MIN_PASSPHRASE_LENGTH} letters.", "Take four or five words.")
    elif new != request.POST.get("again", ""):
        raise RequestError("The two are not the same.", "Type it twice: a slip would close your journal for good.")
    else:
        journal.rekey(keys.PASSPHRASE, new)
        record_event(person, "set a passphrase", "journal")
        messages.success(
            request, _("Your journal now has a passphrase. The recovery code from before opens it no more.")
        )
    session.forget_key(request)
    session.keep_key(request, journal)
    return redirect("me")


def _key_without_passphrase(request: HttpRequest, person: Person) -> tuple[str, str | bytes]:
    """What is to open a journal without a passphrase: its owner's password, or, where nobody logs in, the workspace's secret."""
    if person.role == Role.alone:
        return keys.WORKSPACE_LOCK, settings.SECRET_KEY.encode()
    session.limit_attempts(request, person)
    password = request.POST.get("password", "")
    if not person.check_password(password):
        raise RequestError("That is not your password.", "Type the password with which you sign in.")
    return keys.PASSWORD, password


@required_permission("own", "POST")
def unlock(request: HttpRequest) -> HttpResponseBase:
    """Give passphrase, password or recovery code; the key then stays with this session, and this browser, alone."""
    journal, person, word = journal_of(request), person_of(request), request.POST.get("passphrase", "")[:500]
    session.limit_attempts(request, person)
    had_code = journal.has_recovery
    try:
        journal.unlock(word)
    except LockedError:
        if journal.is_readable or journal.has_passphrase or not person.check_password(word):
            raise
        journal.open_with_password(word)  # signed in by a passkey after the password was reset
    session.keep_key(request, journal)
    if had_code and not journal.has_recovery:
        message = _(
            "The recovery code that was made since your password was set anew opens nothing any more. Make a new one."
        )
        messages.warning(request, message)
        return redirect("recovery")
    return redirect("journal")


@required_permission("own", "POST")
def lock(request: HttpRequest) -> HttpResponseBase:
    """Forget the key."""
    session.forget_key(request)
    return redirect("today")


@required_permission("own", "POST")
def begin_anew(request: HttpRequest) -> HttpResponseBase:
    """Begin a journal anew where nothing opens the present one; what it holds stays closed, and is kept."""
    journal, person = journal_of(request), person_of(request)
    if journal.is_readable:
        raise RequestError("Your journal is open.", "Go on writing.")
    journal.begin_volume(*_key_without_passphrase(request, person))
    record_event(person, "began the journal anew", "journal")
    session.keep_key(request, journal)
    return redirect("journal")


@required_permission("own", "GET", "POST")
def recovery(request: HttpRequest) -> HttpResponseBase:
    """A recovery code, shown once; a new one ends the old."""
    journal = journal_of(request)
    if request.method == "POST":
        code = journal.new_recovery()
        record_event(person_of(request), "made a recovery code", "journal")
        return render(request, "once.html", {"title": _("Your recovery code"), "what": code})
    return render(request, "recovery.html", {"book": journal, "locked": not journal.is_readable})


@required_permission("own", "POST")
def read_notice(request: HttpRequest) -> HttpResponseBase:
    """Close the notice that somebody gave them another password; it stays on record."""
    person = person_of(request)
    person.reset_at = None
    person.save(update_fields=["reset_at"])
    return redirect("me")

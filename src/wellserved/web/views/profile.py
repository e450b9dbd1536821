"""What is one's own: settings, the passphrase, keys, who looked, and the week's report."""

from __future__ import annotations

import base64
import uuid
from datetime import date, timedelta

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved import log
from wellserved.actions import weekly
from wellserved.actions.judgement import compare_own_ratings
from wellserved.actions.membership import access_history
from wellserved.errors import RequestError
from wellserved.journal import keys
from wellserved.journal.crypto import LockedError
from wellserved.moments import EARLIEST_DATE, LATEST_DATE
from wellserved.render import html, insights
from wellserved.store.access import record_event
from wellserved.store.models import ApiKey, Hook, Person, Role, new_token, token_digest
from wellserved.web import session
from wellserved.web.access_middleware import journal_of, person_of, required_permission, scope_of
from wellserved.web.api import SCOPES
from wellserved.web.forms import KeyForm, MeForm
from wellserved.web.template_filters import safe_html

MIN_PASSPHRASE_LENGTH = 10  # letters of a passphrase
MAX_WEEK_LETTERS = 20_000  # letters of a week's report; settings.py lets a form of so many come
WEEK_FORMATS = {"txt": "text/plain", "html": "text/html", "pdf": "application/pdf", "eml": "message/rfc822"}


@required_permission("own", "GET", "POST")
def me(request: HttpRequest) -> HttpResponseBase:
    """One's name, passphrase, keys, feed, and who looked at one's numbers."""
    scope, person = scope_of(request), person_of(request)
    form = MeForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("me")
    journal = journal_of(request)
    context = {
        "form": form, "person": person, "book": journal, "locked": not journal.is_readable, "done_to_me": access_history(person),
        "keys": scope.api_keys(), "hooks": scope.hooks(), "key_form": _key_form(), "looks": scope.looks()[:50], "sorts": Hook.Sort.choices,
    }  # fmt: skip
    return render(request, "me.html", context)


def _key_form(request: HttpRequest | None = None) -> KeyForm:
    form = KeyForm(request.POST if request else None)
    form.fields["scopes"].choices = [(name, f"{name}: {_(description)}") for name, description in SCOPES.items()]  # type: ignore[attr-defined]
    return form


@required_permission("own")
def judgement(request: HttpRequest) -> HttpResponse:
    """One's own judgement beside the customers'; nobody else sees it."""
    agreement = compare_own_ratings(journal_of(request), scope_of(request))
    title = _("Your own judgement beside your customers'")
    page = safe_html(html.tables_page(title, [insights.agreement_table(agreement)], layout=html.BARE_LAYOUT))
    return render(request, "bare.html", {"title": title, "page": page})


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


@required_permission("own", "POST")
def new_feed(request: HttpRequest) -> HttpResponseBase:
    """A new secret address of one's calendar; the old one ends."""
    person, token = person_of(request), new_token()
    person.feed = token_digest(token)
    person.save(update_fields=["feed"])
    journal_of(request).lock_by_feed(token)
    return render(
        request,
        "once.html",
        {"title": _("Your calendar"), "what": request.build_absolute_uri(f"/calendar/{token}.ics")},
    )


@required_permission("own", "POST")
def new_key(request: HttpRequest) -> HttpResponseBase:
    """A key for a program, shown once."""
    form = _key_form(request)
    if not form.is_valid():
        raise RequestError("The key needs a name, at least one scope, and 1 to 730 days.", "Go back and fill them in.")
    token = f"ws_{new_token()}"
    until = timezone.now() + timedelta(days=form.cleaned_data["days"])
    key_fields = {"name": form.cleaned_data["name"], "scopes": " ".join(form.cleaned_data["scopes"])}
    ApiKey.objects.create(
        owner=person_of(request), prefix=token[:8], digest=token_digest(token), expires=until, **key_fields
    )
    record_event(person_of(request), "made a key", token[:8])
    return render(request, "once.html", {"title": _("Your key"), "what": token})


@required_permission("own", "POST")
def end_key(request: HttpRequest, id_: int) -> HttpResponseBase:
    """End a key at once."""
    key: ApiKey = get_object_or_404(scope_of(request).api_keys(), pk=id_)
    record_event(person_of(request), "ended a key", key.prefix)
    key.delete()
    return redirect("me")


@required_permission("own", "POST")
def new_hook(request: HttpRequest) -> HttpResponseBase:
    """An address to which another program sends moments, and the secret with which it signs; shown once."""
    sort = request.POST.get("sort", "")
    if sort not in Hook.Sort.values:
        raise Http404
    secret = base64.b64encode(new_token().encode()[:24]).decode()
    hook = Hook.objects.create(owner=person_of(request), sort=sort, secret=secret)
    record_event(person_of(request), "made a webhook", hook.id)
    url = request.build_absolute_uri(f"/api/v1/hooks/{hook.id}")
    shown_secret = f"whsec_{secret}" if sort == Hook.Sort.standard else secret
    return render(request, "once.html", {"title": _("Your webhook"), "what": url, "also": shown_secret})


@required_permission("own", "POST")
def end_hook(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """End a webhook at once."""
    hook: Hook = get_object_or_404(scope_of(request).hooks(), pk=id_)
    record_event(person_of(request), "ended a webhook", hook.pk)
    hook.delete()
    return redirect("me")


@required_permission("own")
def reports(request: HttpRequest) -> HttpResponse:
    """Service reports by source, and one's own by week."""
    weeks = weekly.recent_weeks(timezone.localdate(), 12)
    sources = sorted({receipt.source for receipt in log.receipts(settings.WORKSPACE)})
    return render(request, "reports.html", {"weeks": weeks, "sources": sources})


def _monday(week: str) -> date:
    try:
        monday = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    except ValueError:
        raise Http404 from None
    if not EARLIEST_DATE.year <= monday.year <= LATEST_DATE.year:
        raise Http404
    return monday


@required_permission("own", "GET", "POST")
def week(request: HttpRequest, week: str) -> HttpResponseBase:
    """The week's report: drafted here, edited by its author."""
    monday, journal = _monday(week), journal_of(request)
    if request.method == "POST":
        new_text = request.POST.get("text", "").replace("\r\n", "\n")
        if len(new_text) > MAX_WEEK_LETTERS:
            message = _("Nothing was saved: the report has %(many)s letters, and can have %(most)s. Shorten it.")
            messages.error(request, message % {"many": f"{len(new_text):,}", "most": f"{MAX_WEEK_LETTERS:,}"})
            context = {"week": week, "text": new_text, "edited": True, "forms": WEEK_FORMATS}
            return render(request, "week.html", context, status=422)
        journal.keep_draft(week, new_text)
        messages.success(request, _("Saved."))
        return redirect("week", week)
    text, is_edited = weekly.week_text(journal, scope_of(request), monday)
    return render(request, "week.html", {"week": week, "text": text, "edited": is_edited, "forms": WEEK_FORMATS})


@required_permission("own")
def week_as(request: HttpRequest, week: str, form: str) -> HttpResponse:
    """The week's report to take along: text, page, PDF, or a draft for one's own mail program."""
    monday, journal = _monday(week), journal_of(request)
    if form not in WEEK_FORMATS:
        raise Http404
    text, _is_edited = weekly.week_text(journal, scope_of(request), monday)
    content = weekly.render_week(text, week, person_of(request).called, form)
    headers = {"Content-Disposition": f'attachment; filename="report-{week}.{form}"'}
    return HttpResponse(content, content_type=WEEK_FORMATS[form], headers=headers)

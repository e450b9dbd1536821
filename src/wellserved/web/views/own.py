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
from wellserved.actions.judgement import judged
from wellserved.errors import RequestError
from wellserved.moments import EARLIEST, LATEST
from wellserved.render import html, insights
from wellserved.store.access import note
from wellserved.store.models import ApiKey, Hook, digest_of, new_token
from wellserved.web.api import SCOPES
from wellserved.web.door import KEY_COOKIE, book_of, deed, person_of, scope_of
from wellserved.web.forms import KeyForm, MeForm
from wellserved.web.shown import drawn

LEAST = 10  # letters of a passphrase
FORMS = {"txt": "text/plain", "html": "text/html", "pdf": "application/pdf", "eml": "message/rfc822"}


@deed("own", "GET", "POST")
def me(request: HttpRequest) -> HttpResponseBase:
    """One's name, passphrase, keys, feed, and who looked at one's numbers."""
    scope, person = scope_of(request), person_of(request)
    form = MeForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("me")
    book = book_of(request)
    given = {
        "form": form, "person": person, "has": book.has_passphrase, "locked": not book.readable,
        "keys": scope.keys(), "hooks": scope.hooks(), "key_form": _key_form(), "looks": scope.looks()[:50], "sorts": Hook.Sort.choices,
    }  # fmt: skip
    return render(request, "me.html", given)


def _key_form(request: HttpRequest | None = None) -> KeyForm:
    form = KeyForm(request.POST if request else None)
    form.fields["scopes"].choices = [(name, f"{name}: {_(what)}") for name, what in SCOPES.items()]  # type: ignore[attr-defined]
    return form


@deed("own")
def judgement(request: HttpRequest) -> HttpResponse:
    """One's own judgement beside the customers'; nobody else sees it."""
    found = judged(book_of(request), scope_of(request))
    title = _("Your own judgement beside your customers'")
    page = drawn(html.tables_page(title, [insights.agreement_table(found)], layout=html.BARE))
    return render(request, "bare.html", {"title": title, "page": page})


@deed("own", "POST")
def passphrase(request: HttpRequest) -> HttpResponseBase:
    """Set, change or drop the passphrase; a forgotten one cannot be brought back by anybody."""
    book, new = book_of(request), request.POST.get("passphrase", "")
    if request.POST.get("do") == "drop":
        new = ""
    elif len(new) < LEAST:
        raise RequestError(f"A passphrase has at least {LEAST} letters.", "Take four or five words.")
    elif new != request.POST.get("again", ""):
        raise RequestError("The two are not the same.", "Type it twice: a slip would close your journal for good.")
    book.set_passphrase(new)
    note(person_of(request), "set a passphrase" if new else "dropped the passphrase", "journal")
    messages.success(
        request, _("Your journal now has a passphrase.") if new else _("Your journal has no passphrase now.")
    )
    answer = redirect("me")
    answer.delete_cookie(KEY_COOKIE)
    return _unlocked(answer, book.key_for(new)) if new else answer


def _unlocked(answer: HttpResponseBase, key: bytes) -> HttpResponseBase:
    """The key stays with this browser until it is closed, and nowhere else."""
    kept = base64.urlsafe_b64encode(key).decode()
    secure = settings.SESSION_COOKIE_SECURE
    answer.set_cookie(KEY_COOKIE, kept, httponly=True, samesite="Strict", secure=secure)
    return answer


@deed("own", "POST")
def unlock(request: HttpRequest) -> HttpResponseBase:
    """Give the passphrase; the key then stays with this browser until it is closed, and nowhere else."""
    return _unlocked(redirect("journal"), book_of(request).key_for(request.POST.get("passphrase", "")))


@deed("own", "POST")
def lock(request: HttpRequest) -> HttpResponseBase:
    """Forget the key."""
    answer = redirect("today")
    answer.delete_cookie(KEY_COOKIE)
    return answer


@deed("own", "POST")
def new_feed(request: HttpRequest) -> HttpResponseBase:
    """A new secret address of one's calendar; the old one ends."""
    person, token = person_of(request), new_token()
    person.feed = digest_of(token)
    person.save(update_fields=["feed"])
    return render(
        request,
        "once.html",
        {"title": _("Your calendar"), "what": request.build_absolute_uri(f"/calendar/{token}.ics")},
    )


@deed("own", "POST")
def new_key(request: HttpRequest) -> HttpResponseBase:
    """A key for a program, shown once."""
    form = _key_form(request)
    if not form.is_valid():
        raise RequestError("The key needs a name, at least one scope, and 1 to 730 days.", "Go back and fill them in.")
    token = f"ws_{new_token()}"
    until = timezone.now() + timedelta(days=form.cleaned_data["days"])
    named = {"name": form.cleaned_data["name"], "scopes": " ".join(form.cleaned_data["scopes"])}
    ApiKey.objects.create(owner=person_of(request), prefix=token[:8], digest=digest_of(token), expires=until, **named)
    note(person_of(request), "made a key", token[:8])
    return render(request, "once.html", {"title": _("Your key"), "what": token})


@deed("own", "POST")
def end_key(request: HttpRequest, id_: int) -> HttpResponseBase:
    """End a key at once."""
    key: ApiKey = get_object_or_404(scope_of(request).keys(), pk=id_)
    note(person_of(request), "ended a key", key.prefix)
    key.delete()
    return redirect("me")


@deed("own", "POST")
def new_hook(request: HttpRequest) -> HttpResponseBase:
    """An address to which another program sends moments, and the secret with which it signs; shown once."""
    sort = request.POST.get("sort", "")
    if sort not in Hook.Sort.values:
        raise Http404
    secret = base64.b64encode(new_token().encode()[:24]).decode()
    made = Hook.objects.create(owner=person_of(request), sort=sort, secret=secret)
    note(person_of(request), "made a webhook", made.id)
    where = request.build_absolute_uri(f"/api/v1/hooks/{made.id}")
    shown = f"whsec_{secret}" if sort == Hook.Sort.standard else secret
    return render(request, "once.html", {"title": _("Your webhook"), "what": where, "also": shown})


@deed("own", "POST")
def end_hook(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """End a webhook at once."""
    hook: Hook = get_object_or_404(scope_of(request).hooks(), pk=id_)
    note(person_of(request), "ended a webhook", hook.pk)
    hook.delete()
    return redirect("me")


@deed("own")
def reports(request: HttpRequest) -> HttpResponse:
    """Service reports by source, and one's own by week."""
    weeks = weekly.weeks_before(timezone.localdate(), 12)
    sources = sorted({one.source for one in log.receipts(settings.WORKSPACE)})
    return render(request, "reports.html", {"weeks": weeks, "sources": sources})


def _monday(week: str) -> date:
    try:
        monday = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    except ValueError:
        raise Http404 from None
    if not EARLIEST.year <= monday.year <= LATEST.year:
        raise Http404
    return monday


@deed("own", "GET", "POST")
def week(request: HttpRequest, week: str) -> HttpResponseBase:
    """The week's report: drafted here, edited by its author."""
    monday, book = _monday(week), book_of(request)
    if request.method == "POST":
        book.keep_draft(week, request.POST.get("text", "")[:20_000])
        messages.success(request, _("Saved."))
        return redirect("week", week)
    text, edited = weekly.text_of(book, scope_of(request), monday)
    return render(request, "week.html", {"week": week, "text": text, "edited": edited, "forms": FORMS})


@deed("own")
def week_as(request: HttpRequest, week: str, form: str) -> HttpResponse:
    """The same to take along: text, page, PDF, or a draft for one's own mail program."""
    monday, book = _monday(week), book_of(request)
    if form not in FORMS:
        raise Http404
    text, _edited = weekly.text_of(book, scope_of(request), monday)
    made = weekly.written(text, week, person_of(request).called, form)
    kept = {"Content-Disposition": f'attachment; filename="report-{week}.{form}"'}
    return HttpResponse(made, content_type=FORMS[form], headers=kept)

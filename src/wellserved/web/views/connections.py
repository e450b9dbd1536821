"""One's own feed, keys and hooks."""

from __future__ import annotations

import base64
import uuid
from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.errors import RequestError
from wellserved.store.access import record_event
from wellserved.store.models import ApiKey, Hook, new_token, token_digest
from wellserved.web.access_middleware import journal_of, person_of, required_permission, scope_of
from wellserved.web.views.profile import key_form


@required_permission("own", "POST")
def new_feed(request: HttpRequest) -> HttpResponseBase:
    """A new secret address of one's calendar; the old one ends."""
    person, token = person_of(request), new_token()
    person.feed, person.feed_has_contracts = token_digest(token), True
    person.save(update_fields=["feed", "feed_has_contracts"])
    journal_of(request).lock_by_feed(token)
    return render(
        request,
        "once.html",
        {"title": _("Your calendar"), "what": request.build_absolute_uri(f"/calendar/{token}.ics")},
    )


@required_permission("own", "POST")
def new_key(request: HttpRequest) -> HttpResponseBase:
    """A key for a program, shown once."""
    form = key_form(request)
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

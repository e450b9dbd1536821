"""What is one's own: settings, the passphrase, keys, who looked, and the week's report."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from wellserved.actions.judgement import compare_own_ratings
from wellserved.actions.membership import access_history
from wellserved.actions.prompt_mail import ask_for_prompts
from wellserved.render.formats import html
from wellserved.render.tables import insights
from wellserved.store.models import Hook
from wellserved.web.access_middleware import journal_of, person_of, required_permission, scope_of
from wellserved.web.api import SCOPES
from wellserved.web.forms import KeyForm, MeForm
from wellserved.web.template_filters import safe_html


@required_permission("own", "GET", "POST")
def me(request: HttpRequest) -> HttpResponseBase:
    """One's name, passphrase, keys, feed, and who looked at one's numbers."""
    scope, person = scope_of(request), person_of(request)
    form = MeForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        ask_for_prompts(form.save())
        messages.success(request, _("Saved."))
        return redirect("me")
    journal = journal_of(request)
    context = {
        "form": form, "person": person, "book": journal, "locked": not journal.is_readable, "done_to_me": access_history(person),
        "keys": scope.api_keys(), "hooks": scope.hooks(), "key_form": key_form(), "looks": scope.looks()[:50], "sorts": Hook.Sort.choices,
    }  # fmt: skip
    return render(request, "me.html", context)


def key_form(request: HttpRequest | None = None) -> KeyForm:
    """The form of a key for programs: scopes that its owner may give."""
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

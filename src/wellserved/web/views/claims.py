"""Claims: what may be said of an improvement, signed for oneself, handed out and taken back."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wellserved.actions import claim_drafts
from wellserved.actions import claims as claim_actions
from wellserved.actions.claim_exports import offered_variants
from wellserved.actions.claim_keys import list_keys
from wellserved.actions.claim_roles import role_in_improvement
from wellserved.actions.counted_claims import draft_count, offered_counts
from wellserved.actions.house_rules import claim_limit, limit_choices, set_claim_limit
from wellserved.claim.checker import checker_digest
from wellserved.claim.sentence import window_words
from wellserved.errors import ClaimRefusedError, RequestError, UnknownNameError
from wellserved.web.access_middleware import person_of, required_permission
from wellserved.web.analysis import cached_answer, fresh_answer, remake_claim

VARIANT_WORDS = {
    "ratio_without_service": gettext_lazy("by how much, without the service"),
    "ratio": gettext_lazy("by how much, and for which service"),
    "full": gettext_lazy("from what to what, with every month"),
}
"""Forms of a claim file -> what each shows."""


@required_permission("own")
def claims(request: HttpRequest) -> HttpResponse:
    """One's own claims, and what a stranger needs to check one."""
    context: dict[str, Any] = {
        "rows": [
            {"claim": claim, "variants": [(name, VARIANT_WORDS[name]) for name in offered_variants(claim)]}
            for claim in claim_actions.list_claims(settings.WORKSPACE, person_of(request), remake_claim)
        ],
        "keys": [key for key in list_keys(settings.WORKSPACE) if key.private],
        "digest": checker_digest(),
        "counts": offered_counts(),
        "limit": claim_limit(),
        "limits": limit_choices(person_of(request)),
    }
    return render(request, "claims.html", context)


@required_permission("change_people", "POST")
def claim_limits(request: HttpRequest) -> HttpResponseBase:
    """Decide what of claims may leave the house."""
    set_claim_limit(person_of(request), request.POST.get("claims_show", ""))
    messages.success(request, _("Saved. It holds for what is handed out from now on."))
    return redirect("claims")


@required_permission("read_measures", "GET", "POST")
def improvement_claim(request: HttpRequest, name: str) -> HttpResponseBase:
    """What may be said of an improvement, or why nothing may; signed where its owner says so."""
    person = person_of(request)
    context: dict[str, Any] = {"name": name}
    try:
        role = role_in_improvement(settings.WORKSPACE, person, name)
        answer = fresh_answer if request.method == "POST" else cached_answer  # what is signed has a secret of its own
        draft = answer(claim_drafts.draft_from_improvement, name, role)
    except UnknownNameError as error:
        raise Http404 from error
    except (ClaimRefusedError, RequestError) as error:
        return render(request, "claim_draft.html", {**context, "refusal": error})
    if request.method == "POST" and request.POST.get("sentence") == draft.sentences["full"]:
        claim_actions.issue_claim(settings.WORKSPACE, person, draft)
        messages.success(request, _("Signed. Only you can see it in your list."))
        return redirect("claims")
    windows = draft.windows
    context |= {
        "draft": draft,
        "is_other": request.method == "POST",  # than the one that was shown
        "before": window_words(windows.before, windows.granularity),
        "after": window_words(windows.after, windows.granularity),
    }
    return render(request, "claim_draft.html", context)


@required_permission("own", "POST")
def withdraw_claim(request: HttpRequest, id_: str) -> HttpResponseBase:
    """Take a claim back."""
    try:
        claim_actions.withdraw_claim(person_of(request), id_)
    except UnknownNameError as error:
        raise Http404 from error
    messages.success(request, _("Withdrawn. Lists of states say so from now on."))
    return redirect("claims")


@required_permission("own", "GET", "POST")
def counted_claim(request: HttpRequest, name: str) -> HttpResponseBase:
    """What may be said of the promises or failures that somebody shared; signed where they say so."""
    person = person_of(request)
    context: dict[str, Any] = {"name": name, "is_count": True}
    try:
        draft = draft_count(settings.WORKSPACE, person, name)
    except UnknownNameError as error:
        raise Http404 from error
    except ClaimRefusedError as error:
        return render(request, "claim_draft.html", {**context, "refusal": error})
    if request.method == "POST" and request.POST.get("sentence") == draft.sentences["full"]:
        claim_actions.issue_claim(settings.WORKSPACE, person, draft)
        messages.success(request, _("Signed. Only you can see it in your list."))
        return redirect("claims")
    return render(request, "claim_draft.html", {**context, "draft": draft, "is_other": request.method == "POST"})

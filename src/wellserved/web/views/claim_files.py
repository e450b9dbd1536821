"""What leaves of a claim: its file, its page of paper, its address of the house, and the page that checks them all."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from wellserved.actions.claim_exports import export_claim
from wellserved.actions.claims import find_claim
from wellserved.actions.published_claims import PublishedClaim, publish_claim, published_claim
from wellserved.claim.canonical import ClaimFormatError
from wellserved.claim.check import STATE_WORDS
from wellserved.claim.checker import checker_page
from wellserved.claim.file import UNKNOWABLE, open_claim
from wellserved.errors import RequestError, UnknownNameError
from wellserved.resume.one_page import claim_page
from wellserved.resume.paper import address_code
from wellserved.store.models import Claim
from wellserved.web.access_middleware import OPEN, person_of, required_permission
from wellserved.web.analysis import remake_claim
from wellserved.web.template_filters import safe_html


def _published(address: str) -> PublishedClaim:
    claim = published_claim(address)
    if claim is None:
        raise Http404
    return claim


@required_permission(OPEN)
def public_claim(request: HttpRequest, address: str) -> HttpResponse:
    """A claim, whether it still holds, and how to check it without believing this page."""
    published = _published(address)
    context = {
        "published": published,
        "state_words": STATE_WORDS.get(published.claim.state, ""),  # type: ignore[call-overload]
        "limits": UNKNOWABLE,
        "ways": (),  # a page for strangers
        "unit": published.opened.shown.get("windows", {}).get("unit", ""),
    }
    return render(request, "public_claim.html", context)


@required_permission(OPEN)
def public_claim_file(_request: HttpRequest, address: str) -> HttpResponse:
    """The claim file of a published claim."""
    published = _published(address)
    headers = {"Content-Disposition": f'attachment; filename="claim-{published.claim.pk}.json"'}
    return HttpResponse(published.raw, content_type="application/json", headers=headers)


@required_permission("own", "GET", "POST")
def claim_address(request: HttpRequest, id_: str) -> HttpResponseBase:
    """The address of one's claim as words and as a QR code; published, or taken off it."""
    person = person_of(request)
    try:
        if request.method == "POST":
            claim = publish_claim(person, id_, request.POST.get("variant", ""))
            messages.success(request, _("Published.") if claim.published else _("Nobody sees it there any more."))
            return redirect("claim_address", id_) if claim.published else redirect("claims")
        published = published_claim(find_claim(person, id_).address)
    except UnknownNameError as error:
        raise Http404 from error
    except ClaimFormatError as error:
        raise RequestError(error.problem, "Choose another form of it.") from error
    if published is None:
        raise Http404
    address = _address_of(request, published.claim)
    context = {
        "address": address,
        "picture": safe_html(address_code(address)),
        "sentence": published.opened.sentence,
    }
    return render(request, "claim_address.html", context)


def _address_of(request: HttpRequest, claim: Claim) -> str:
    return request.build_absolute_uri(reverse("public_claim", args=[claim.address]))


@required_permission("own")
def claim_file(request: HttpRequest, id_: str) -> HttpResponseBase:
    """A claim as a file that anybody can check, or as one page of PDF that carries it."""
    variant = request.GET.get("variant", "ratio_without_service")
    try:
        raw = export_claim(settings.WORKSPACE, person_of(request), id_, variant, remake_claim)
    except UnknownNameError as error:
        raise Http404 from error
    if request.GET.get("form") == "pdf":
        headers = {"Content-Disposition": f'attachment; filename="claim-{id_}.pdf"'}
        published = published_claim(find_claim(person_of(request), id_).address)
        address = _address_of(request, published.claim) if published else ""
        return HttpResponse(claim_page(open_claim(raw), raw, address), content_type="application/pdf", headers=headers)
    headers = {"Content-Disposition": f'attachment; filename="claim-{id_}.json"'}
    return HttpResponse(raw, content_type="application/json", headers=headers)


@required_permission(OPEN)
def claim_checker(_request: HttpRequest) -> HttpResponse:
    """The page that checks claims, to be kept as a file."""
    headers = {"Content-Disposition": 'attachment; filename="check.html"'}
    return HttpResponse(checker_page(), content_type="text/html; charset=utf-8", headers=headers)

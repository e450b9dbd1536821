"""Practices: ways of serving that others take up, from whom, and what came of them."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from wellserved.actions import practices as practice_actions
from wellserved.actions.credit_words import credit_lines, practice_branch
from wellserved.actions.practice_effects import practice_effect
from wellserved.errors import RequestError
from wellserved.store.models import Adoption, AgreedShares
from wellserved.web.access_middleware import person_of, required_permission
from wellserved.web.analysis import cached_answer
from wellserved.web.practice_forms import AdoptionForm, PracticeForm, SharesForm


@required_permission("read_measures", "GET", "POST")
def practices(request: HttpRequest) -> HttpResponseBase:
    """Ways of serving that others can take up; and a new one."""
    person, form = person_of(request), PracticeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        facts = form.cleaned_data
        try:
            practice = practice_actions.start_practice(
                person, facts["name"], facts["what"], facts["since"], facts["improvement"], facts["idea_from"]
            )
        except RequestError as error:
            form.add_error(None, f"{error.problem} {error.remedy}")
        else:
            return redirect("practice", practice.pk)
    context = {
        "practices": practice_actions.visible_practices(),
        "waiting": practice_actions.open_parts(person),
        "proposals": practice_actions.waiting_proposals(person),
        "form": form,
        "person": person,
    }
    return render(request, "practices.html", context)


@required_permission("read_measures", "GET", "POST")
def practice(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Who took a practice up from whom, whom it reached, and one's own part."""
    row, person = get_object_or_404(practice_actions.visible_practices(), pk=id_), person_of(request)
    view = practice_actions.view_practice(person, row)
    form = AdoptionForm(request.POST or None, view=view)
    if request.method == "POST" and form.is_valid():
        facts = form.cleaned_data
        helpers = [name for name in facts["helpers"].replace(",", " ").split() if name]
        try:
            practice_actions.take_up(person, row, facts["adopter"], facts["since"], facts["taught_by"], helpers)
        except RequestError as error:
            form.add_error(None, f"{error.problem} {error.remedy}")
        else:
            messages.success(request, _("Noted. Those concerned are asked to confirm their part."))
            return redirect("practice", row.pk)
    context: dict[str, Any] = {"practice": row, "form": form, "view": view, "shares_form": SharesForm()}
    if view.shows_tree:
        effect = cached_answer(
            practice_effect,
            row.improvement,
            practice_actions.adoption_spans(row),
            practice_actions.unconfirmed_teams(row),
        )
        shares = practice_actions.credit_of(row, effect.reach)
        context |= {
            "branch": practice_branch(view, effect.reach),
            "credit": credit_lines(view, shares, effect),
            "holders": [(adoption, practice_actions.holder_of(adoption)) for adoption in view.adoptions],
            "proposals": [
                _proposal(proposal, view.own_holders)
                for proposal in row.agreed_shares.select_related("adoption__person", "adoption__team")
            ],
        }
    return render(request, "practice.html", context)


def _proposal(proposal: AgreedShares, own_holders: tuple[str, ...]) -> dict[str, Any]:
    """Other shares for a template: as percentages, who has not signed them, and whether one is asked oneself."""
    unsigned = practice_actions.unsigned_holders(proposal)
    parts = [(name, f"{float(Fraction(part)):.1%}") for name, part in proposal.parts.items()]
    return {"row": proposal, "parts": parts, "unsigned": unsigned, "is_mine": bool(set(own_holders) & set(unsigned))}


@required_permission("read_measures", "POST")
def adoption_part(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Confirm one's part in an adoption, decline it, or say until when it was done."""
    adoption, person = (
        get_object_or_404(Adoption.objects.select_related("practice", "taught_by"), pk=id_),
        person_of(request),
    )
    is_asked = any(part.adoption.pk == adoption.pk for part in practice_actions.open_parts(person))
    if not is_asked and not practice_actions.view_practice(person, adoption.practice).shows_tree:
        raise Http404
    deed = request.POST.get("do")
    if deed == "confirm":
        practice_actions.confirm_part(person, adoption)
    elif deed == "decline":
        practice_actions.decline_part(person, adoption)
    elif deed == "end":
        try:
            until = date.fromisoformat(request.POST.get("until", ""))
        except ValueError as error:
            raise RequestError("That is no day.", "Choose one.") from error
        practice_actions.end_adoption(person, adoption, until)
    return redirect("practice", adoption.practice_id)


@required_permission("read_measures", "POST")
def practice_shares(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Propose other shares, or agree to some; and say who may see the tree."""
    row, person = get_object_or_404(practice_actions.visible_practices(), pk=id_), person_of(request)
    if not practice_actions.view_practice(person, row).shows_tree:
        raise Http404
    deed, number = request.POST.get("do"), request.POST.get("proposal", "")
    if deed in ("sign", "refuse"):
        if not (number.isascii() and number.isdecimal()):
            raise Http404
        act = practice_actions.sign_shares if deed == "sign" else practice_actions.refuse_shares
        act(person, get_object_or_404(AgreedShares, pk=int(number), practice=row))
    elif deed == "open" and row.starter_id == person.pk:
        row.shows_tree = request.POST.get("shows_tree") == "on"
        row.save(update_fields=["shows_tree"])
    elif deed == "propose":
        form = SharesForm(request.POST)
        if not form.is_valid():
            raise RequestError("The shares are not readable.", "Write one a line: name 50%.")
        number = form.cleaned_data["adoption"]
        adoption = get_object_or_404(row.adoptions, pk=number) if number else None
        practice_actions.propose_shares(person, row, adoption, form.cleaned_data["parts"])
    return redirect("practice", row.pk)

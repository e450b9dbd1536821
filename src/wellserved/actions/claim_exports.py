"""What leaves the workspace of a claim: its file as far as the house lets it, its evidence, and the list of all states."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from wellserved.actions.claim_evidence import remake_evidence, require_unchanged
from wellserved.actions.claim_keys import list_keys, signing_key
from wellserved.actions.claims import PRIVATE_KEY_BYTES, RemakeEvidence, find_claim, opened, recipe_of, refresh_claims
from wellserved.actions.counted_claims import count_again
from wellserved.actions.house_rules import require_allowed, variants_allowed
from wellserved.claim.check import evidence_file, sign_states
from wellserved.claim.counted import CountedRecipe
from wellserved.claim.draft import evidence_root
from wellserved.claim.envelope import key_id
from wellserved.claim.file import SENTENCE_FORMS, VARIANTS, restrict_claim
from wellserved.errors import RequestError, UnknownNameError
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Claim, Person

STATES_VALID_DAYS: Final = 31


def export_claim(
    workspace: Workspace,
    person: Person,
    claim_id: str,
    variant: str = "ratio_without_service",
    remake: RemakeEvidence = remake_evidence,
) -> bytes:
    """A claim file that shows what the variant shows; one that no longer holds is not handed out."""
    if variant not in VARIANTS:
        raise UnknownNameError("form of a claim", variant, VARIANTS)
    require_allowed(variant)
    claim = find_claim(person, claim_id)
    refresh_claims(workspace, [claim], remake)
    if claim.state != "current":
        raise RequestError(
            f"Claim {claim_id} is not handed out: {claim.reason}.",
            "Sign a new one, which takes its place: `wellserved claim issue` with the same words.",
        )
    offered = offered_variants(claim)
    if variant not in offered:
        raise RequestError(
            "This claim has no sentence in that form.", f"Hand it out as {' or '.join(offered) or 'none'}."
        )
    return restrict_claim(claim.file.encode(), VARIANTS[variant])


def offered_variants(claim: Claim) -> list[str]:
    """The forms in which a claim can leave: those that it has a sentence for, and that the house allows; what shows least is first."""
    shown, allowed = opened(claim).shown, variants_allowed()
    return [form for form in reversed(SENTENCE_FORMS) if f"sentence_{form}" in shown and form in allowed]


def export_evidence(workspace: Workspace, person: Person, claim_id: str) -> bytes:
    """The rows that a claim rests on, without names, for a verifier who is to work its numbers out anew."""
    claim = find_claim(person, claim_id)
    secret = bytes.fromhex(claim.secret)
    recipe = recipe_of(claim)
    if isinstance(recipe, CountedRecipe):
        rows = count_again(workspace, person, recipe, secret)
    else:
        require_unchanged(workspace, recipe, claim.issued)
        rows = remake_evidence(workspace, recipe, secret, with_rows=True).rows
    if evidence_root(rows, secret) != opened(claim).evidence_root:
        raise RequestError(
            f"The evidence of {claim_id} cannot be made anew: its records were corrected or added to.",
            "Sign the claim anew.",
        )
    return evidence_file(claim_id, rows, secret)


def export_states(workspace: Workspace) -> bytes:
    """The states of all claims of the workspace, signed, to be published: numbers and days, nothing else."""
    now = timezone.now()
    claims = list(Claim.objects.order_by("id"))
    for claim in refresh_claims(workspace, claims):
        raise RequestError(f"Claim {claim.id} is {claim.reason}.", "Try again when that has passed.")
    states = {claim.id: (claim.state, _day(claim.since or claim.issued)) for claim in claims}
    key = signing_key(workspace, now, lambda: os.urandom(PRIVATE_KEY_BYTES))
    keys = [
        {"id": key_id(old_key.public), "since": old_key.since, "until": old_key.until}
        for old_key in list_keys(workspace)
    ]
    return sign_states(states, keys, _day(now), _day(now + timedelta(days=STATES_VALID_DAYS)), key.private)


def _day(instant: datetime) -> str:
    return instant.date().isoformat()

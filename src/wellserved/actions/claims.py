"""Claims of a person: signed, kept, compared with the records after every import, and taken back."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from django.db import transaction
from django.utils import timezone

from wellserved.actions.claim_drafts import RemadeEvidence, remake_evidence, require_unchanged
from wellserved.actions.claim_keys import signing_key
from wellserved.claim.check import ClaimState
from wellserved.claim.draft import ClaimDraft, ClaimRecipe, evidence_root, recipe_from_json
from wellserved.claim.file import OpenedClaim, open_claim, sign_claim
from wellserved.claim.sentence import ClaimRole
from wellserved.claim.verdict import role_of
from wellserved.errors import (
    ClaimRefusedError,
    DamageError,
    RequestError,
    StorageError,
    UnknownNameError,
    WellservedError,
)
from wellserved.improvement import Improvement
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope, record_event
from wellserved.store.models import Adoption, Claim, Person

RemakeEvidence = Callable[[Workspace, ClaimRecipe, bytes], RemadeEvidence]
_CHANGED_RECORDS: Final = "its records were corrected or added to"
STANDING_STATES: Final = ("current", "stale")
PRIVATE_KEY_BYTES: Final = 32


def find_role(person: Person, declaration: Improvement) -> ClaimRole:
    """What somebody was in an improvement, by their login and by their name in the records, which nobody gives themselves, or
    because they took it up; raises where neither is on record. Whoever is alone here is its owner."""
    if role := role_of(declaration, (person.username, person.served_as)):
        return role
    if AccessScope(person).alone:
        return "owner"
    if Adoption.objects.filter(practice__improvement=declaration.name, person=person).exclude(confirmed=None).exists():
        return "adopter"
    raise RequestError(
        f"The declaration of {declaration.name} does not name you.",
        f"Whoever keeps it can add you: `wellserved improve change {declaration.name} --helper {person.username}`.",
    )


def issue_claim(workspace: Workspace, person: Person, draft: ClaimDraft) -> Claim:
    """Sign a claim, for its owner; it takes the place of an earlier one of theirs about the same question."""
    now = timezone.now()
    claim_id = base64.b32encode(os.urandom(8)).decode().lower()[:12]
    key = signing_key(workspace, now, lambda: os.urandom(PRIVATE_KEY_BYTES))
    old_claims = [claim for claim in AccessScope(person).claims() if _is_replaced(claim, draft)]
    predicate = {
        **draft.predicate,
        "id": claim_id,
        "issued": now.isoformat(timespec="seconds"),
        "supersedes": ", ".join(claim.id for claim in old_claims),
    }
    facts = {**draft.facts, **_person_fact(person, draft)}
    raw = sign_claim(
        predicate, facts, evidence_root(draft.rows, draft.secret), key.private, lambda: secrets.token_hex(16)
    )
    open_claim(raw)  # nothing is kept that nobody could open
    with transaction.atomic():
        claim = Claim.objects.create(
            id=claim_id, owner=person, sentence=draft.sentences["full"], file=raw.decode(), secret=draft.secret.hex(),
            recipe=draft.recipe.as_json(), issued=now, log_version=draft.log_version,
        )  # fmt: skip
        for old_claim in old_claims:
            _set_state(old_claim, "superseded", f"{claim_id} has taken its place")
        record_event(person, "signed a claim", "")  # whose it is stands nowhere beside its number
    return claim


def _is_replaced(claim: Claim, draft: ClaimDraft) -> bool:
    """A standing claim about the question of a new one."""
    recipe = recipe_from_json(claim.recipe) if claim.state in STANDING_STATES else None
    return recipe is not None and (recipe.improvement, recipe.measure, recipe.where, recipe.change) == (
        draft.recipe.improvement, draft.recipe.measure, draft.recipe.where, draft.recipe.change,
    )  # fmt: skip


def _person_fact(person: Person, draft: ClaimDraft) -> dict[str, dict[str, str]]:
    """Whose a proved claim is; of a measured one nobody is the cause. Whoever is alone here has the name of the declaration."""
    if draft.grade == "measured":
        return {}
    declared = str(draft.facts["change"]["who"])
    name = declared if AccessScope(person).alone and declared else person.called
    return {"person": {"name": name, "role": draft.role}}


def list_claims(workspace: Workspace, person: Person, remake: RemakeEvidence = remake_evidence) -> list[Claim]:
    """One's own claims, the newest first, each compared with the records as they are now."""
    claims = list(AccessScope(person).claims())
    refresh_claims(workspace, claims, remake)
    return claims


def find_claim(person: Person, claim_id: str) -> Claim:
    """One of one's own claims."""
    own_claims = {claim.id: claim for claim in AccessScope(person).claims()}
    if claim_id not in own_claims:
        raise UnknownNameError("claim", claim_id, own_claims)
    return own_claims[claim_id]


def opened(claim: Claim) -> OpenedClaim:
    """A claim's own file, with all that it may hide."""
    return open_claim(claim.file.encode())


def refresh_claims(
    workspace: Workspace, claims: Sequence[Claim], remake: RemakeEvidence = remake_evidence
) -> list[Claim]:
    """Compare claims with the records of now; one whose evidence is another no longer holds.

    Where that cannot be found out now (too long a question, another import that writes), a claim stays as it is and says
    so in `reason`; it is compared the next time. Returns those.
    """
    version, uncompared_claims = log.latest_version(workspace), []
    for claim in claims:
        if claim.state not in STANDING_STATES:
            continue
        try:
            reason = _reason_against(workspace, claim, remake, version)
        except (DamageError, StorageError):
            raise
        except WellservedError as error:
            claim.state, claim.reason = (
                "stale",
                f"not compared with the newest records yet: {error.problem}",
            )  # not kept
            uncompared_claims.append(claim)
            continue
        state = "stale" if reason else "current"
        changed = {"since": timezone.now()} if state != claim.state else {}
        facts = {"state": state, "reason": reason, "log_version": version, **changed}
        # one statement: a withdrawal meanwhile stays, and a kill leaves the claim to be compared again
        Claim.objects.filter(pk=claim.pk, state__in=STANDING_STATES).update(**facts)
        claim.refresh_from_db()
    return uncompared_claims


def refresh_outdated_claims(workspace: Workspace) -> None:
    """Compare the claims of everybody that were not compared with the newest records yet."""
    version = log.latest_version(workspace)
    outdated = Claim.objects.filter(state__in=STANDING_STATES, log_version__lt=version).order_by("log_version")
    refresh_claims(workspace, list(outdated[:20]))


def _reason_against(workspace: Workspace, claim: Claim, remake: RemakeEvidence, version: int) -> str:
    """Why a claim does not follow from the records any more; empty: it does."""
    recipe = recipe_from_json(claim.recipe)
    try:
        require_unchanged(workspace, recipe)
        if claim.log_version == version and (claim.state == "current" or claim.reason.startswith(_CHANGED_RECORDS)):
            return claim.reason
        evidence = remake(workspace, recipe, bytes.fromhex(claim.secret))
    except ClaimRefusedError as error:
        return error.problem.removesuffix(".")
    signed = opened(claim)
    if evidence.root == signed.evidence_root:
        return ""
    windows = signed.shown["windows"]
    periods = [*windows["before"], *windows["after"]]
    other_values = [period for period in periods if evidence.values.get(period["start"]) != period["value"]]
    if other_values:
        return f"{_CHANGED_RECORDS}: {len(other_values)} of {len(periods)} {windows['granularity']}s now have another number"
    return f"{_CHANGED_RECORDS}; its numbers are the same"


def _set_state(claim: Claim, state: ClaimState, reason: str) -> None:
    claim.state, claim.reason, claim.since = state, reason, timezone.now()
    claim.save(update_fields=["state", "reason", "since"])


def withdraw_claim(person: Person, claim_id: str) -> None:
    """Take a claim back; it stays, marked so."""
    claim = find_claim(person, claim_id)
    if claim.state not in STANDING_STATES:
        raise RequestError(f"Claim {claim_id} is {claim.state} already.", "Nothing is left to do.")
    _set_state(claim, "withdrawn", "withdrawn by its owner")
    record_event(person, "withdrew a claim", "")

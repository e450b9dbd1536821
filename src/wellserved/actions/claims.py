"""Claims of a person: signed, kept, compared with the records after every import, and taken back."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from django.db import transaction
from django.utils import timezone

from wellserved.actions.claim_evidence import RemadeEvidence, remake_evidence, require_unchanged
from wellserved.actions.claim_keys import signing_key
from wellserved.actions.counted_claims import count_again
from wellserved.claim.check import ClaimState
from wellserved.claim.counted import CountedDraft, CountedRecipe, counted_recipe
from wellserved.claim.draft import ClaimDraft, ClaimRecipe, evidence_root, recipe_from_json
from wellserved.claim.file import OpenedClaim, open_claim, sign_claim
from wellserved.errors import (
    ClaimRefusedError,
    DamageError,
    RequestError,
    StorageError,
    UnknownNameError,
    WellservedError,
)
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope, record_event
from wellserved.store.models import Claim, Person

RemakeEvidence = Callable[[Workspace, ClaimRecipe, bytes], RemadeEvidence]
_CHANGED_RECORDS: Final = "its records were corrected or added to"
STANDING_STATES: Final = ("current", "stale")
PRIVATE_KEY_BYTES: Final = 32


def issue_claim(workspace: Workspace, person: Person, draft: ClaimDraft | CountedDraft) -> Claim:
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


def recipe_of(claim: Claim) -> ClaimRecipe | CountedRecipe:
    """How a claim's evidence is made again."""
    return counted_recipe(claim.recipe) if "counted" in claim.recipe else recipe_from_json(claim.recipe)


def _is_replaced(claim: Claim, draft: ClaimDraft | CountedDraft) -> bool:
    """A standing claim about the question of a new one."""
    return claim.state in STANDING_STATES and recipe_of(claim).subject == draft.recipe.subject


def _person_fact(person: Person, draft: ClaimDraft | CountedDraft) -> dict[str, dict[str, str]]:
    """Whose a proved claim is; of a measured one nobody is the cause. Whoever is alone here has the name of the declaration."""
    if draft.grade == "measured":
        return {}
    declared = str(draft.facts["change"]["who"]) if "change" in draft.facts else ""
    name = person.get_full_name() or (declared if AccessScope(person).alone else "") or person.called
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
    recipe = recipe_of(claim)
    if isinstance(recipe, CountedRecipe):
        secret = bytes.fromhex(claim.secret)
        root = evidence_root(count_again(workspace, claim.owner, recipe, secret), secret)
        return "" if root == opened(claim).evidence_root else "what it counts was changed or withdrawn"
    try:
        require_unchanged(workspace, recipe, claim.issued)
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

"""Claims of a person: signed, kept, compared with the records after every import, and taken back."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from wellserved.actions.claim_drafts import RemadeEvidence, remake_evidence
from wellserved.actions.claim_keys import list_keys, signing_key
from wellserved.claim.check import ClaimState, evidence_file, sign_states
from wellserved.claim.draft import ClaimDraft, ClaimRecipe, evidence_root, recipe_from_json
from wellserved.claim.envelope import key_id
from wellserved.claim.file import VARIANTS, OpenedClaim, open_claim, restrict_claim, sign_claim
from wellserved.claim.sentence import ClaimRole
from wellserved.claim.verdict import role_of
from wellserved.errors import DamageError, RequestError, StorageError, UnknownNameError, WellservedError
from wellserved.improvement import Improvement
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope, record_event
from wellserved.store.models import Claim, Person

RemakeEvidence = Callable[[Workspace, ClaimRecipe, bytes], RemadeEvidence]
STATES_VALID_DAYS: Final = 31
_PRIVATE_KEY_BYTES: Final = 32


def find_role(person: Person, declaration: Improvement) -> ClaimRole:
    """What somebody was in an improvement; raises where its declaration does not name them."""
    names = (person.called, person.username, person.served_as)
    if role := role_of(declaration, names):
        return role
    if AccessScope(person).alone:
        return "owner"
    raise RequestError(
        f"The declaration of {declaration.name} does not name you.",
        "Whoever keeps it can add you: `wellserved improve change NAME --helper YOU`.",
    )


def issue_claim(workspace: Workspace, person: Person, draft: ClaimDraft, supersedes: str = "") -> Claim:
    """Sign a claim, for its owner; one that it takes the place of is marked so."""
    old_claim = find_claim(person, supersedes) if supersedes else None
    now = timezone.now()
    claim_id = base64.b32encode(os.urandom(8)).decode().lower()[:12]
    key = signing_key(workspace, now, lambda: os.urandom(_PRIVATE_KEY_BYTES))
    predicate = {
        **draft.predicate, "id": claim_id, "issued": now.isoformat(timespec="seconds"), "supersedes": supersedes,
    }  # fmt: skip
    facts = {**draft.facts, "person": {"name": person.called, "role": draft.role}}
    root = evidence_root(draft.rows, draft.secret)
    raw = sign_claim(predicate, facts, root, key.private, lambda: secrets.token_hex(16))
    claim = Claim.objects.create(
        id=claim_id, owner=person, sentence=draft.sentences["full"], file=raw.decode(), secret=draft.secret.hex(),
        recipe=draft.recipe.as_json(), issued=now, log_version=draft.log_version,
    )  # fmt: skip
    if old_claim is not None:
        _set_state(old_claim, "superseded", f"{claim_id} has taken its place")
    record_event(person, "signed a claim", claim_id)
    return claim


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


def refresh_claims(workspace: Workspace, claims: Sequence[Claim], remake: RemakeEvidence = remake_evidence) -> None:
    """Compare claims with the records of now; one whose evidence is another no longer holds."""
    version = log.latest_version(workspace)
    for claim in claims:
        if claim.state in ("current", "stale") and claim.log_version != version:
            reason = _reason_against(workspace, claim, remake)
            claim.log_version = version
            claim.save(update_fields=["log_version"])
            if reason != claim.reason:
                _set_state(claim, "stale" if reason else "current", reason)


def _reason_against(workspace: Workspace, claim: Claim, remake: RemakeEvidence) -> str:
    """Why a claim does not follow from the records any more; empty: it does."""
    recipe, signed = recipe_from_json(claim.recipe), opened(claim)
    try:
        evidence = remake(workspace, recipe, bytes.fromhex(claim.secret))
    except (DamageError, StorageError):
        raise
    except WellservedError as error:  # a source, or all cases of the question, are gone
        return error.problem.removesuffix(".")
    if evidence.root == signed.evidence_root:
        return ""
    windows = signed.shown["windows"]
    periods = [*windows["before"], *windows["after"]]
    other_values = [period for period in periods if evidence.values.get(period["start"]) != period["value"]]
    if other_values:
        return f"records were corrected, or others came: {len(other_values)} of {len(periods)} {windows['granularity']}s now have another number"
    return "records that it rests on were corrected, or others came; its numbers are the same"


def _set_state(claim: Claim, state: ClaimState, reason: str) -> None:
    claim.state, claim.reason, claim.since = state, reason, timezone.now()
    claim.save(update_fields=["state", "reason", "since"])


def withdraw_claim(person: Person, claim_id: str) -> None:
    """Take a claim back; it stays, marked so."""
    _set_state(find_claim(person, claim_id), "withdrawn", "its owner took it back")
    record_event(person, "withdrew a claim", claim_id)


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
    claim = find_claim(person, claim_id)
    refresh_claims(workspace, [claim], remake)
    if claim.state != "current":
        raise RequestError(
            f"Claim {claim_id} no longer holds: {claim.reason}.",
            f"Sign it anew: `wellserved claim issue NAME --supersedes {claim_id}`.",
        )
    raw = restrict_claim(claim.file.encode(), VARIANTS[variant])
    if not {name for name in VARIANTS[variant] if name.startswith("sentence")} & opened(claim).shown.keys():
        raise RequestError(
            "This claim has no ratio: it is about what was nothing, or less.", "Hand it out with --variant full."
        )
    return raw


def export_evidence(workspace: Workspace, person: Person, claim_id: str) -> bytes:
    """The rows that a claim rests on, without names, for a verifier who is to work its numbers out anew."""
    claim = find_claim(person, claim_id)
    secret = bytes.fromhex(claim.secret)
    evidence = remake_evidence(workspace, recipe_from_json(claim.recipe), secret, with_rows=True)
    if evidence.root != opened(claim).evidence_root:
        raise RequestError(
            f"The evidence of {claim_id} cannot be made anew: records were corrected, or others came.",
            "Sign the claim anew.",
        )
    return evidence_file(claim_id, evidence.rows, secret)


def export_states(workspace: Workspace) -> bytes:
    """The states of all claims of the workspace, signed, to be published: numbers and days, nothing else."""
    now = timezone.now()
    claims = list(Claim.objects.order_by("id"))
    refresh_claims(workspace, claims)
    states = {claim.id: (claim.state, _day(claim.since or claim.issued)) for claim in claims}
    key = signing_key(workspace, now, lambda: os.urandom(_PRIVATE_KEY_BYTES))
    keys = [{"id": key_id(known.public), "since": known.since, "until": known.until} for known in list_keys(workspace)]
    return sign_states(states, keys, _day(now), _day(now + timedelta(days=STATES_VALID_DAYS)), key.private)


def _day(instant: datetime) -> str:
    return instant.date().isoformat()

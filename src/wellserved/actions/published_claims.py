"""Claims at an address of the house: what anybody who has the address sees, as long as its owner and the house let them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wellserved.actions.claims import find_claim
from wellserved.actions.house_rules import require_allowed, variants_allowed
from wellserved.claim.file import VARIANTS, OpenedClaim, open_claim, restrict_claim
from wellserved.errors import RequestError, UnknownNameError
from wellserved.journal import crypto
from wellserved.resume.one_page import period_rows
from wellserved.store.access import record_event
from wellserved.store.models import Claim, Person


@dataclass(frozen=True)
class PublishedClaim:
    """A claim as strangers see it."""

    claim: Claim
    raw: bytes
    opened: OpenedClaim

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The numbers of each period, where they are shown."""
        return period_rows(self.opened)


def publish_claim(person: Person, claim_id: str, variant: str) -> Claim:
    """Show a claim at a new address, in one form; no form: show it no more."""
    claim = find_claim(person, claim_id)
    if variant:
        if variant not in VARIANTS:
            raise UnknownNameError("form of a claim", variant, VARIANTS)
        require_allowed(variant)
        if claim.state != "current":
            raise RequestError(f"Claim {claim_id} is {claim.state}: {claim.reason}.", "Sign a new one first.")
        open_claim(restrict_claim(claim.file.encode(), VARIANTS[variant]))  # one without a sentence says so
    claim.published, claim.address = variant, crypto.random_token() if variant else ""
    claim.save(update_fields=["published", "address"])
    record_event(person, "published a claim" if variant else "took a claim off its page", "")
    return claim


def published_claim(address: str) -> PublishedClaim | None:
    """A claim by its address; None: there is none, or the house lets it leave no more."""
    claims = Claim.objects.filter(address=address, owner__is_active=True).exclude(published="")
    claim = claims.first() if address else None
    if claim is None or claim.published not in variants_allowed():
        return None
    raw = restrict_claim(claim.file.encode(), VARIANTS[claim.published])
    return PublishedClaim(claim, raw, open_claim(raw))

"""What the house decided for everybody: what of claims may leave it."""

from __future__ import annotations

from typing import Final

from wellserved.claim.file import VARIANTS
from wellserved.errors import RequestError, UnknownNameError
from wellserved.store.access import AccessScope, has_permission, record_event
from wellserved.store.models import ClaimLimit, HouseRules, Person

_FORMS_OF_LIMIT: Final[dict[str, tuple[str, ...]]] = {
    ClaimLimit.figures: tuple(VARIANTS),
    ClaimLimit.ratios: ("ratio", "ratio_without_service"),
    ClaimLimit.nothing: (),
}


def claim_limit() -> ClaimLimit:
    """What of claims may leave the house; where nobody decided: everything."""
    rules = HouseRules.objects.first()
    return ClaimLimit(rules.claims_show) if rules else ClaimLimit.figures


def limit_choices(person: Person) -> list[tuple[str, str]]:
    """What somebody can decide: value, words; nothing, where it is not theirs to."""
    if not has_permission(person, "change_people"):
        return []
    return [(limit.value, str(limit.label)) for limit in ClaimLimit]


def variants_allowed() -> tuple[str, ...]:
    """The forms of a claim that may be handed out."""
    return _FORMS_OF_LIMIT[claim_limit()]


def set_claim_limit(person: Person, limit: str) -> None:
    """Decide what of claims may leave the house; claims that were handed out before are not called back."""
    AccessScope(person).require_permission("change_people")
    if limit not in ClaimLimit.values:
        raise UnknownNameError("limit", limit, ClaimLimit.values)
    HouseRules.objects.update_or_create(pk=1, defaults={"claims_show": limit})
    record_event(person, "set what claims may show", limit)


def require_allowed(variant: str) -> None:
    """Raise where the house does not let this form of a claim leave."""
    allowed = variants_allowed()
    if variant not in allowed:
        advice = f"Hand out {' or '.join(allowed)}." if allowed else "Ask your administrator."
        raise RequestError(f"Your house lets {claim_limit().label} of claims leave.", advice)

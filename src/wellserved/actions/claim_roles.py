"""What somebody was in an improvement, and so what they may say of it."""

from __future__ import annotations

from wellserved.claim.sentence import ClaimRole
from wellserved.claim.verdict import role_of
from wellserved.errors import RequestError
from wellserved.improvement import Improvement, find_record
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope
from wellserved.store.models import Adoption, Person


def role_in_improvement(workspace: Workspace, person: Person, name: str) -> ClaimRole:
    """What somebody was in the improvement of this name."""
    return find_role(person, find_record(workspace, name).improvement)


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

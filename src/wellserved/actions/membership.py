"""Let people in, by name or by invitation, and give them another password."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils import timezone

from wellserved.errors import RequestError
from wellserved.store.access import may
from wellserved.store.models import Invitation, Person, Role, Shared, Team, digest_of, new_token

INVITED_FOR: Final = timedelta(hours=72)
ALONE: Final = "me"


def alone() -> Person | None:
    """Whoever works here alone; None as soon as people were added."""
    return Person.objects.filter(role=Role.alone, is_active=True).first()


def person_alone() -> Person:
    """The same, made at the first start; raises where people log in."""
    with transaction.atomic():
        if (found := alone()) is not None:
            return found
        if Person.objects.exists():
            raise RequestError("People log in here.", "Name yourself: --as NAME.")
        made = Person(username=ALONE, role=Role.alone)
        made.set_unusable_password()
        made.save()
        return made


def person_called(name: str | None) -> Person:
    """Somebody by their user name; without one, whoever is alone."""
    if name is None:
        return person_alone()
    found = Person.objects.filter(username=name, is_active=True).first()
    if found is None:
        raise RequestError(f"Nobody is called {name!r} here.", "See `wellserved user list`.")
    return found


def add_person(
    name: str, role: str, team: str, password: str, served_as: str = "", administers: bool = False
) -> tuple[Person, bool]:
    """Let somebody in; the first one takes over what was written alone, and administers. Returns whether they took over."""
    if role not in Role.values or role == Role.alone:
        raise RequestError(f"There is no role {role!r}.", f"Choose one of {', '.join(set(Role.values) - {'alone'})}.")
    with transaction.atomic():
        before = alone()
        if before is None and Person.objects.filter(username__iexact=name).exists():
            raise RequestError(f"{name!r} is here already.", "Choose another name.")
        person = before or Person()
        person.username, person.role, person.served_as = name, Role(role), served_as
        person.is_staff = (
            administers or not Person.objects.exclude(role=Role.alone).exists()
        )  # the first one can let others in
        person.team = Team.objects.get_or_create(name=team)[0] if team else None
        if password:
            person.set_password(password)
        else:
            person.set_unusable_password()
        person.full_clean(exclude=["password", "email"])
        person.save()
        if before is not None and person.team:
            Shared.objects.filter(author=person, team=None).update(
                team=person.team, pending=True, changed=timezone.now()
            )
    return person, before is not None


def new_password(name: str, password: str, without_factors: bool = False) -> None:
    """Give somebody who is here another password; `without_factors`: their second factors and passkeys end too."""
    person = person_called(name)
    person.set_password(password)
    person.save(update_fields=["password"])
    if without_factors:
        Authenticator.objects.filter(user=person).delete()


def invite(by: Person, username: str, role: str, team: Team | None) -> str:
    """A token that lets one person in within three days; only its hash is kept. Somebody who is here gets a new password by it."""
    if role not in Role.values or role == Role.alone:
        raise RequestError(f"There is no role {role!r}.", "Choose another.")
    token, now = new_token(), timezone.now()
    with transaction.atomic():
        Invitation.objects.filter(username__iexact=username, used=None).update(used=now)  # the newest one counts
        made = {"username": username, "role": role, "team": team, "by": by, "expires": now + INVITED_FOR}
        Invitation.objects.create(digest=digest_of(token), **made)
    return token


def invitation_of(token: str) -> Invitation | None:
    """The open invitation of a token; one whose giver lost the right to invite is none."""
    now = timezone.now()
    open_ = Invitation.objects.filter(digest=digest_of(token), used=None, expires__gt=now).select_related("team", "by")
    found = open_.first() if token else None
    return found if found and may(found.by, "change_people") else None


def accept(token: str, password: str) -> Person:
    """Use an invitation, once; raises where there is none, it is used, or its time is over."""
    with transaction.atomic():
        found = invitation_of(token)
        if found is None or not Invitation.objects.filter(pk=found.pk, used=None).update(used=timezone.now()):
            raise RequestError("This invitation is used or over.", "Ask for another.")
        person = Person.objects.filter(username__iexact=found.username).first()
        if person is not None and not person.is_active:
            raise RequestError("Your access has ended.", "Ask an administrator.")
        person = person or Person(username=found.username, role=found.role, team=found.team)
        person.set_password(password)
        person.save()
    return person

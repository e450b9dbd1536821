"""Let people in, by name or by invitation, and give them another password."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from wellserved.errors import RequestError
from wellserved.journal import keys
from wellserved.store.access import has_permission, record_event
from wellserved.store.models import Event, Invitation, Person, Role, Shared, Team, new_token, token_digest

INVITATION_LIFETIME: Final = timedelta(hours=72)
SOLE_USER_NAME: Final = "me"
COMMAND_LINE: Final = "(command line)"  # no user name can be written so
PASSWORD_RESET, PASSWORD_OFFERED = "gave another password", "invited to another password"
FACTORS_ENDED, RECORDS_NAMED = "ended second factors", "changed the name in the records"
ACCESS_EVENTS: Final = (PASSWORD_RESET, PASSWORD_OFFERED, FACTORS_ENDED, RECORDS_NAMED)
"""What is done to somebody's access that they see under *Me*, whoever did it."""


def find_sole_user() -> Person | None:
    """Whoever works here alone; None as soon as people were added."""
    return Person.objects.filter(role=Role.alone, is_active=True).first()


def ensure_sole_user() -> Person:
    """Whoever works here alone, added at the first start; raises where people log in."""
    with transaction.atomic():
        if (existing_user := find_sole_user()) is not None:
            return existing_user
        if Person.objects.exists():
            raise RequestError("People log in here.", "Name yourself: --as NAME.")
        user = Person(username=SOLE_USER_NAME, role=Role.alone)
        user.set_unusable_password()
        user.save()
        return user


def find_person(name: str | None) -> Person:
    """Somebody by their user name; without one, whoever is alone."""
    if name is None:
        return ensure_sole_user()
    person = Person.objects.filter(username=name, is_active=True).first()
    if person is None:
        raise RequestError(f"Nobody is called {name!r} here.", "See `wellserved user list`.")
    return person


def login_of(name: str, team: Team | None) -> str:
    """Somebody's login by their login, or, of one's own team, by the name that others see; any other name stays as it is written.

    Raises RequestError where several people are called so.
    """
    name = name.strip()
    people = Person.objects.filter(is_active=True).exclude(role=Role.alone)
    colleagues = people.filter(team=team) if team else people.none()
    logins = {person.username for person in colleagues if name and person.called.casefold() == name.casefold()}
    logins |= set(people.filter(username__iexact=name).values_list("username", flat=True)) if name else set()
    if len(logins) > 1:
        raise RequestError(f"Several people are called {name!r}.", "Write the login of the person you mean.")
    return logins.pop() if logins else name


def names_of_logins(logins: Iterable[str]) -> dict[str, str]:
    """Login -> the name that others see; of those who are here."""
    return {person.username: person.called for person in Person.objects.filter(username__in=set(logins))}


def add_person(
    name: str, role: str, team: str, password: str, served_as: str = "", administers: bool = False
) -> tuple[Person, bool]:
    """Let somebody in; the first one takes over what was written alone, and administers. Returns whether they took over."""
    if role not in Role.values or role == Role.alone:
        raise RequestError(f"There is no role {role!r}.", f"Choose one of {', '.join(set(Role.values) - {'alone'})}.")
    with transaction.atomic():
        sole_user = find_sole_user()
        if sole_user is None and Person.objects.filter(username__iexact=name).exists():
            raise RequestError(f"{name!r} is here already.", "Choose another name.")
        person = sole_user or Person()
        person.username, person.role, person.served_as = name, Role(role), served_as
        # the first one can let others in
        person.is_staff = administers or not Person.objects.exclude(role=Role.alone).exists()
        person.team = Team.objects.get_or_create(name=team)[0] if team else None
        if password:
            person.set_password(password)
        else:
            person.set_unusable_password()
        _refuse_taken_name(person)
        try:
            person.full_clean(exclude=["password", "email"])
        except ValidationError as error:
            advice = "Choose a login of letters, digits and @ . + - _, without blanks; a person's full name has its own field."
            raise RequestError(f"{name!r} cannot be a login: {' '.join(error.messages)}", advice) from error
        person.save()
        if sole_user is not None and person.team:
            Shared.objects.filter(author=person, team=None).update(
                team=person.team, pending=True, changed=timezone.now()
            )
    return person, sole_user is not None


def set_new_password(name: str, password: str, without_factors: bool = False) -> None:
    """Give somebody who is here another password; `without_factors`: their second factors and passkeys end too."""
    person = find_person(name)
    if person.role == Role.alone:
        raise RequestError("Nobody logs in here.", "Add a person first: wellserved user add NAME.")
    reset_password(person, password, COMMAND_LINE)
    if without_factors:
        Authenticator.objects.filter(user=person).delete()
        record_event(COMMAND_LINE, FACTORS_ENDED, person.username)


def reset_password(person: Person, password: str, by: str) -> None:
    """Give somebody another password, which opens nothing of their journal, and ends every way in that the old one had.

    Their second factors and passkeys stay. They are told, and it is on record who did it.
    """
    keys.close_before_reset(person.pk, person.password)  # first: a kill here leaves them their password, which opens it
    with transaction.atomic():
        revoke_access(person)
        person.set_password(password)
        person.reset_at, person.reset_by = timezone.now(), by
        person.save(update_fields=["password", "reset_at", "reset_by"])
        record_event(by, PASSWORD_RESET, person.username)


def revoke_access(person: Person) -> None:
    """End the sessions, API keys, calendar address and open invitations of somebody."""
    now = timezone.now()
    for session in Session.objects.filter(expire_date__gt=now).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(person.pk):
            session.delete()
    person.keys.all().delete()
    person.feed = ""
    person.save(update_fields=["feed"])
    Invitation.objects.filter(username__iexact=person.username, used=None).update(used=now)


def invite(by: Person, username: str, role: str, team: Team | None) -> tuple[str, bool]:
    """A token that lets one person in within three days; only its hash is kept. Returns whether they are here already.

    Somebody who is here gets a new password by it: see `reset`.
    """
    if role not in Role.values or role == Role.alone:
        raise RequestError(f"There is no role {role!r}.", "Choose another.")
    token, now = new_token(), timezone.now()
    with transaction.atomic():
        Invitation.objects.filter(username__iexact=username, used=None).update(used=now)  # the newest one counts
        values = {"username": username, "role": role, "team": team, "by": by, "expires": now + INVITATION_LIFETIME}
        Invitation.objects.create(digest=token_digest(token), **values)
        existing_person = Person.objects.filter(username__iexact=username).first()
        record_event(
            by,
            PASSWORD_OFFERED if existing_person else "invited",
            existing_person.username if existing_person else username,
        )
    return token, existing_person is not None


def invitation_of(token: str) -> Invitation | None:
    """The open invitation of a token.

    One whose giver lost the right to invite is none, nor is one for a name that somebody else has taken since.
    """
    now = timezone.now()
    open_invitations = Invitation.objects.filter(digest=token_digest(token), used=None, expires__gt=now).select_related(
        "team", "by"
    )
    invitation = open_invitations.first() if token else None
    if invitation is None or not has_permission(invitation.by, "change_people"):
        return None
    person = invited_person(invitation)
    return None if person is not None and person.date_joined > invitation.expires - INVITATION_LIFETIME else invitation


def invited_person(invitation: Invitation) -> Person | None:
    """Whoever of those who are here an invitation is for."""
    return Person.objects.filter(username__iexact=invitation.username).first()


def accept_invitation(token: str, password: str) -> Person:
    """Use an invitation, once; raises where there is none, it is used, or its time is over."""
    with transaction.atomic():
        invitation = invitation_of(token)
        if invitation is None or not Invitation.objects.filter(pk=invitation.pk, used=None).update(used=timezone.now()):
            raise RequestError("This invitation is used or over.", "Ask for another.")
        person = invited_person(invitation)
        if person is not None and not person.is_active:
            raise RequestError("Your access has ended.", "Ask an administrator.")
        if person is not None:
            reset_password(person, password, invitation.by.username)
            return person
        person = Person(username=invitation.username, role=invitation.role, team=invitation.team)
        person.set_password(password)
        person.save()
        record_event(person, "came in", person.username)
    return person


def change_person(by: Person, person: Person) -> None:
    """Keep what an administrator decided about somebody; without access, every way in ends at once."""
    before = Person.objects.get(pk=person.pk)
    if by.pk == person.pk:
        if not has_permission(person, "change_people"):
            raise RequestError("You would lock yourself out.", "Let another administrator change your access.")
        if person.served_as != before.served_as:
            raise RequestError(
                "You cannot say yourself who you are in the records.", "Let another administrator enter it."
            )
    if person.served_as != before.served_as:
        _refuse_taken_name(person)
    with transaction.atomic():
        person.save()
        if not person.is_active:
            revoke_access(person)
        record_event(by, f"made {person.role}{'' if person.is_active else ', without access'}", person.username)
        if person.served_as != before.served_as:
            record_event(by, RECORDS_NAMED, person.username)


def access_history(person: Person) -> QuerySet[Event]:
    """What others did to somebody's ways in, latest first."""
    return Event.objects.filter(object=person.username, deed__in=ACCESS_EVENTS).order_by("-at")[:20]


def _refuse_taken_name(person: Person) -> None:
    """Numbers about a person are one person's own."""
    if person.served_as and Person.objects.filter(served_as=person.served_as).exclude(pk=person.pk).exists():
        raise RequestError(f"Somebody else is {person.served_as!r} in the records.", "Enter another name, or none.")


def revoke_restored_access() -> None:
    """What a backup holds of the ways in that were open when it was made ends: sessions and invitations."""
    Session.objects.all().delete()
    Invitation.objects.filter(used=None).update(used=timezone.now())

"""The one door: every look at the store goes through an AccessScope, and every permission is asked for here.

Roles are few, and what each may do stands in PERMISSIONS; docs/access.md is made from it. Whoever may not see
something gets the same answer as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Final

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext

from wellserved.errors import RequestError
from wellserved.store.models import (
    Account,
    ApiKey,
    Audience,
    Cause,
    Claim,
    Customer,
    Event,
    Helper,
    Hook,
    Invitation,
    Look,
    Outgoing,
    Person,
    Role,
    Shared,
)

_ALL_ROLES = frozenset(Role) - {Role.alone}
_SERVING_ROLES = frozenset({Role.member, Role.lead, Role.quality})
PERMISSIONS: Final[dict[str, tuple[frozenset[Role], str]]] = {
    "own": (_ALL_ROLES, "one's own journal, promises, reports, claims, keys and settings"),
    "share": (_SERVING_ROLES, "share moments with one's team, and change or withdraw them"),
    "read_shared": (_SERVING_ROLES, "moments that others shared with one's team, or with one's role"),
    "read_customers": (
        _SERVING_ROLES | {Role.finance},
        "names of customers, and what was shared about them; quality for an hour once they have said why, on record",
    ),
    "change_customers": (frozenset({Role.lead, Role.quality}), "add, merge and import customers; keep causes"),
    "read_accounts": (
        frozenset({Role.lead, Role.finance}),
        "what accounts are worth; a lead: those of the own team, a year's revenue as a span",
    ),
    "change_accounts": (frozenset({Role.finance}), "contracts and revenue"),
    "read_business_cases": (frozenset({Role.finance}), "business cases of everybody; one's own are everybody's own"),
    "read_measures": (_SERVING_ROLES | {Role.finance}, "measures, charts, reports and verdicts of teams and services"),
    "set_objectives": (
        frozenset({Role.lead, Role.quality}),
        "objectives, their measures and targets, and whose work moves them",
    ),
    "declare_improvements": (
        frozenset({Role.lead, Role.quality}),
        "declare a change, its measure and its guardrails, before its result is looked at",
    ),
    "read_cases": (_SERVING_ROLES, "single cases behind a number; but for quality, those of the own team"),
    "change_data": (frozenset({Role.lead, Role.quality}), "import files, and see what was refused"),
    "change_systems": (frozenset({Role.quality}), "set up systems that are asked, with their tokens, and end that"),
    "change_people": (frozenset({Role.admin}), "invite people, give roles, end access"),
    "read_audit": (frozenset({Role.admin, Role.auditor}), "what was done by whom, without contents"),
}
"""What can be done -> who may, and what it is; whoever is alone on their computer may do everything."""


def has_permission(person: Person, permission: str) -> bool:
    """Whether somebody may do something at all."""
    # is_staff: administers beside a role of service
    roles = {person.role} | ({Role.admin} if person.is_staff else set())
    return person.is_active and (person.role == Role.alone or bool(roles & PERMISSIONS[permission][0]))


ACCESS_REASONS: Final = (
    "a complaint is looked into",
    "a failure is made right",
    "customers are merged or imported",
    "the customer asked for it",
)
"""Why quality wants to see customers by name; a choice, so that the audit holds nothing that somebody wrote."""
NAMES_SEEN_EVENT: Final = "saw customers by name"
_PERSON_COLUMN: Final = "person_id"
_NAMES_VISIBLE_FOR: Final = timedelta(hours=1)


class AccessScope:
    """What one person can see of the store."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.alone = person.role == Role.alone

    @property
    def exact(self) -> bool:
        """What accounts are worth to the cent: finance; a lead sees a span."""
        return has_permission(self.person, "change_accounts")

    @property
    def sees_worth(self) -> bool:
        """What accounts are worth at all."""
        return has_permission(self.person, "read_accounts")

    @cached_property
    def names(self) -> bool:
        """Customers by name: everybody who may see customers; quality once they have said why, for an hour."""
        if self.alone or self.person.role != Role.quality:
            return True
        since = timezone.now() - _NAMES_VISIBLE_FOR
        return Event.objects.filter(actor=self.person.username, deed=NAMES_SEEN_EVENT, at__gte=since).exists()

    def require_numbers(self, by: str | None, where: Sequence[tuple[str, str]]) -> None:
        """Refuse a question, by its segments and filters, that they may not ask.

        Numbers about a person are for themselves, and, on record, for the lead of their team (Http404); side by side they
        are for nobody, and customers one by one for those who said why (RequestError).
        """
        people = [value for column, value in where if column == _PERSON_COLUMN]
        if by == _PERSON_COLUMN and not self.alone and not people:
            raise RequestError("Numbers are not set side by side by person.", "Ask for one person: yourself.")
        if not all(self.can_see_person(person) for person in people):
            raise Http404
        if {"customer_id", "account_id"} & {by, *(column for column, _value in where)} and not self.names:
            raise RequestError(
                "Customers are not named here yet.", "Say on the page of customers why you want to know."
            )

    def knows_customer(self, row: Shared) -> bool:
        """Whether they may know by name whom a shared moment is about; what they began themselves they wrote."""
        return row.begun_by_id == self.person.pk or self.names

    def customer_of(self, row: Shared) -> str:
        """Whom a shared moment is about, by name or by number."""
        if row.customer is None:
            return ""
        return (
            row.customer.name
            if self.knows_customer(row)
            else gettext("customer %(number)d") % {"number": row.customer.pk}
        )

    def require_permission(self, permission: str) -> None:
        """Http404 where it is not theirs to do."""
        if not has_permission(self.person, permission):
            raise Http404

    def visible_moments(self) -> QuerySet[Shared]:
        """Moments that they shared, or that were shared with them."""
        person = self.person
        rows = Shared.objects.filter(withdrawn=None).select_related("author", "customer", "team")
        if self.alone:
            return rows
        visible = Q(author=person) | Q(begun_by=person)  # answers to what one shared oneself
        if person.role == Role.quality:
            visible |= Q(audience=Audience.quality)
        if person.team_id is not None and has_permission(person, "read_shared"):
            audiences = list(Audience) if person.role == Role.lead else [Audience.team]
            visible |= Q(team=person.team_id, audience__in=audiences)
        return rows.filter(visible)

    def own_moments(self) -> QuerySet[Shared]:
        """What they shared themselves, and can change or withdraw."""
        return Shared.objects.filter(author=self.person, withdrawn=None).select_related("customer", "team")

    def customers(self) -> QuerySet[Customer]:
        """Customers by name; duplicates stand behind the one that they were merged into."""
        return (
            Customer.objects.filter(merged_into=None)
            if has_permission(self.person, "read_customers")
            else Customer.objects.none()
        )

    def merged_customers(self) -> QuerySet[Customer]:
        """Customers that were found to be another."""
        self.require_permission("change_customers")
        return Customer.objects.exclude(merged_into=None).select_related("merged_into")

    def accounts(self) -> QuerySet[Account]:
        """Accounts and what they are worth."""
        if not has_permission(self.person, "read_accounts"):
            return Account.objects.none()
        if self.alone or self.person.role == Role.finance:
            return Account.objects.all()
        return Account.objects.filter(team=self.person.team_id) if self.person.team_id else Account.objects.none()

    def causes(self) -> QuerySet[Cause]:
        """The tree of causes."""
        return Cause.objects.select_related("parent")

    def people(self) -> QuerySet[Person]:
        """Everybody, for those who give access."""
        self.require_permission("change_people")
        return Person.objects.select_related("team").order_by("username")

    def invitations(self) -> QuerySet[Invitation]:
        """Invitations that are open."""
        self.require_permission("change_people")
        return Invitation.objects.filter(used=None).select_related("team")

    def help_mentions(self) -> QuerySet[Helper]:
        """Where they were named as having helped."""
        own_helps = Helper.objects.filter(person=self.person)
        shared_ids = list(own_helps.values_list("shared", flat=True))  # not the whole of what is shared
        if not shared_ids:
            return own_helps.none()
        visible_moments = self.visible_moments().filter(pk__in=shared_ids)
        return own_helps.filter(shared__in=list(visible_moments.values_list("pk", flat=True))).select_related(
            "shared__author"
        )

    def api_keys(self) -> QuerySet[ApiKey]:
        """API keys of their own."""
        return ApiKey.objects.filter(owner=self.person).order_by("name")

    def hooks(self) -> QuerySet[Hook]:
        """Addresses of their own for other programs."""
        return Hook.objects.filter(owner=self.person)

    def claims(self) -> QuerySet[Claim]:
        """Claims of their own; nobody else lists them."""
        return Claim.objects.filter(owner=self.person)

    def outgoing(self) -> QuerySet[Outgoing]:
        """Mails that they sent."""
        return Outgoing.objects.filter(owner=self.person)

    def looks(self) -> QuerySet[Look]:
        """Who looked at their numbers."""
        served_as = self.person.served_as
        return (
            Look.objects.filter(subject=served_as).select_related("viewer").order_by("-at")
            if served_as
            else Look.objects.none()
        )

    def events(self) -> QuerySet[Event]:
        """What was done, latest first."""
        self.require_permission("read_audit")
        return Event.objects.order_by("-at")

    def can_see_person(self, served_as: str) -> bool:
        """Numbers about a person: their own, and, on record, those of the people of a lead's team."""
        person = self.person
        if self.alone or (served_as and served_as == person.served_as):
            return True
        if person.role != Role.lead or person.team_id is None:
            return False
        if not Person.objects.filter(team=person.team_id, served_as=served_as).exclude(served_as="").exists():
            return False
        Look.objects.create(viewer=person, subject=served_as, what="measures")
        return True

    def case_filter(self) -> tuple[tuple[str, str], ...] | None:
        """Which cases they can see one by one: a filter, () for all, None for none."""
        person = self.person
        if not has_permission(person, "read_cases"):
            return None
        if self.alone or person.role == Role.quality:
            return ()
        return (("team", person.team.name),) if person.team else None


def record_event(actor: Person | str, deed: str, object_name: object) -> None:
    """Keep what was done, by whom, to what: names and numbers, never what somebody wrote."""
    username = actor if isinstance(actor, str) else actor.username
    Event.objects.create(actor=username[:150], deed=deed[:50], object=str(object_name)[:200])

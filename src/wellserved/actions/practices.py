"""Practices: who began what, who took it up from whom, and what part of it is whose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from wellserved.actions.practice_effects import Spans
from wellserved.credit import (
    AdoptionStep,
    CreditShares,
    PracticeTree,
    check_tree,
    check_whole,
    holders_of,
    links_to,
    share_credit,
)
from wellserved.errors import RequestError, UnknownNameError
from wellserved.store.access import record_event
from wellserved.store.models import (
    Adoption,
    AdoptionHelper,
    AgreedShares,
    Person,
    Practice,
    Role,
    Team,
)

PRACTICE_EVENTS: Final = ("started a practice", "noted an adoption", "agreed to shares")
_STARTED, _NOTED, _AGREED = PRACTICE_EVENTS
OUTSIDE: Final = "without a login"
TEAM_MARK: Final = "team "  # before a team's name, where people and teams are named alike


@dataclass(frozen=True)
class CreditView:
    """A practice as somebody may see it."""

    practice: Practice
    tree: PracticeTree
    adoptions: tuple[Adoption, ...]  # that they may see
    shows_tree: bool
    own_holders: tuple[str, ...]  # what they are called in it: themselves, and the teams that they lead


def holder_of(adoption: Adoption) -> str:
    """What an adopter is called in the tree: a login, or `team A`."""
    return adoption.person.username if adoption.person else f"{TEAM_MARK}{adoption.team.name if adoption.team else ''}"


def tree_of(practice: Practice) -> PracticeTree:
    """Who took a practice up from whom, as it is on record."""
    outsider = (
        f"{practice.idea_from} ({OUTSIDE})" if practice.idea_from else ""
    )  # a login of that name is somebody else
    giver = practice.idea_giver.username if practice.idea_giver else outsider
    steps = tuple(
        AdoptionStep(
            holder_of(adoption), holder_of(adoption.taught_by) if adoption.taught_by else "",
            tuple(helper.person.username for helper in adoption.helpers.all() if helper.confirmed),
            adoption.confirmed is not None, adoption.taught_confirmed is not None,
        )
        for adoption in adoptions_of(practice)
    )  # fmt: skip
    return PracticeTree(practice.starter.username, (giver,) if giver else (), steps)


def adoptions_of(practice: Practice) -> list[Adoption]:
    """Everybody who took it up, the earliest first."""
    rows = practice.adoptions.select_related("person", "team", "taught_by__person", "taught_by__team")
    return list(rows.prefetch_related("helpers__person"))


def start_practice(
    starter: Person, name: str, what: str, since: date, improvement: str = "", idea_from: str = ""
) -> Practice:
    """Say that one serves so since a day; whose idea it was, by login where they have one."""
    if not name.strip() or not what.strip():
        raise RequestError("A practice has a name, and says what one does.", "Give both.")
    if Practice.objects.filter(name__iexact=name.strip()).exists():
        raise RequestError(
            f"There is a practice called {name.strip()!r} already.", "Take it up, or choose another name."
        )
    giver = Person.objects.filter(username__iexact=idea_from.strip()).first() if idea_from.strip() else None
    practice = Practice.objects.create(
        name=name.strip(), what=what.strip(), since=since, improvement=improvement, starter=starter, idea_giver=giver,
        idea_from="" if giver else idea_from.strip(),
    )  # fmt: skip
    record_event(starter, _STARTED, practice.pk)
    return practice


def find_practice(name: str) -> Practice:
    """A practice by its name."""
    practice = Practice.objects.filter(name__iexact=name.strip()).select_related("starter", "idea_giver").first()
    if practice is None:
        raise UnknownNameError("practice", name, Practice.objects.values_list("name", flat=True))
    return practice


def take_up(
    by: Person, practice: Practice, adopter: str, since: date, taught_by: str = "", helpers: Sequence[str] = ()
) -> Adoption:
    """Note that somebody, or a team, took a practice up. Who took it up, who taught it and who helped each confirm their own part;
    what the one who enters it may confirm is confirmed at once."""
    person, team = _adopter(by, adopter)
    teacher = None
    if taught_by and taught_by != practice.starter.username:
        known = {holder_of(adoption): adoption for adoption in adoptions_of(practice)}
        if taught_by not in known:
            raise UnknownNameError("person or team that took it up", taught_by, known)
        teacher = known[taught_by]
    helping = [_person_named(name) for name in dict.fromkeys(helpers)]
    with transaction.atomic():
        Practice.objects.select_for_update().get(pk=practice.pk)  # one entry at a time: the days are compared
        adoption = Adoption(practice=practice, person=person, team=team, since=since, taught_by=teacher, entered_by=by)
        if Adoption.objects.filter(practice=practice, person=person, team=team).exists():
            raise RequestError(f"{holder_of(adoption)} has taken it up already.", "Change the day of that one instead.")
        now = timezone.now()
        adoption.confirmed = now if may_confirm(by, adoption) else None
        adoption.taught_confirmed = now if may_confirm_teaching(by, adoption) else None
        adoption.save()
        for helper in helping:
            AdoptionHelper.objects.create(adoption=adoption, person=helper, confirmed=now if helper == by else None)
        check_practice(practice)
    record_event(by, _NOTED, practice.pk)
    return adoption


def check_practice(practice: Practice) -> None:
    """Raise where the days or teachers of a practice contradict each other."""
    days = {practice.starter.username: practice.since}
    days |= {holder_of(adoption): adoption.since for adoption in adoptions_of(practice)}
    check_tree(tree_of(practice), days)


def _adopter(by: Person, name: str) -> tuple[Person | None, Team | None]:
    """Who took it up, by login, or as `team NAME`; nobody named: whoever says so."""
    if not name.strip():
        return by, None
    if name.startswith(TEAM_MARK):
        team = Team.objects.filter(name__iexact=name.removeprefix(TEAM_MARK).strip()).first()
        if team is None:
            raise UnknownNameError("team", name.removeprefix(TEAM_MARK), Team.objects.values_list("name", flat=True))
        return None, team
    return _person_named(name), None


def _person_named(name: str) -> Person:
    person = Person.objects.filter(username__iexact=name.strip(), is_active=True).first()
    if person is None:
        raise RequestError(f"Nobody is called {name!r} here.", "Give a login, or `team NAME`.")
    return person


def may_confirm(person: Person, adoption: Adoption) -> bool:
    """Whether it is theirs to say that it was taken up: the adopter's, or the lead's of a team."""
    if adoption.person_id is not None:
        return adoption.person_id == person.pk
    return person.role == Role.alone or (person.role == Role.lead and person.team_id == adoption.team_id)


def may_confirm_teaching(person: Person, adoption: Adoption) -> bool:
    """Whether it is theirs to say that they taught it."""
    if adoption.taught_by is None:
        return adoption.practice.starter_id == person.pk
    return may_confirm(person, adoption.taught_by)


def confirm_part(person: Person, adoption: Adoption) -> list[str]:
    """Confirm every part of one's own in an adoption: taking it up, having taught it, having helped. Returns which."""
    now, confirmed = timezone.now(), []
    if adoption.confirmed is None and may_confirm(person, adoption):
        adoption.confirmed = now
        confirmed.append("adoption")
    if adoption.taught_confirmed is None and may_confirm_teaching(person, adoption):
        adoption.taught_confirmed = now
        confirmed.append("teaching")
    adoption.save(update_fields=["confirmed", "taught_confirmed"])
    if adoption.helpers.filter(person=person, confirmed=None).update(confirmed=now):
        confirmed.append("help")
    return confirmed


def decline_part(person: Person, adoption: Adoption) -> None:
    """Say that one had no part in it: one's help is taken out, one's teaching is nobody's; an adoption that its adopter declines is
    none."""
    adoption.helpers.filter(person=person).delete()
    if adoption.taught_confirmed is None and may_confirm_teaching(person, adoption):
        adoption.taught_declined = timezone.now()
        adoption.save(update_fields=["taught_declined"])
    elif may_confirm(person, adoption):
        if adoption.taught.exists():
            raise RequestError("Others learnt it there.", "Say until when it was done instead.")
        adoption.delete()


def end_adoption(person: Person, adoption: Adoption, until: date) -> None:
    """Say until when it was done; customers of later days are not counted."""
    if not may_confirm(person, adoption):
        raise RequestError("That is not yours to end.", "Ask whoever took it up.")
    if until < adoption.since:
        raise RequestError("It would end before it began.", "Give a later day.")
    adoption.until = until
    adoption.save(update_fields=["until"])


@dataclass(frozen=True)
class OpenPart:
    """A part of one's own that waits for one's word."""

    adoption: Adoption
    kinds: tuple[str, ...]  # adoption, teaching, help
    helpers: tuple[str, ...]  # who is said to have helped


def open_parts(person: Person) -> list[OpenPart]:
    """Parts of one's own that wait for one's word."""
    rows = Adoption.objects.filter(
        Q(confirmed=None, person=person) | Q(confirmed=None, team=person.team_id, person=None)
        | Q(taught_confirmed=None, taught_declined=None) | Q(helpers__person=person, helpers__confirmed=None)
    ).select_related("practice__starter", "person", "team", "taught_by__person", "taught_by__team").distinct()  # fmt: skip
    parts = []
    for adoption in rows.prefetch_related("helpers__person"):
        helpers = list(adoption.helpers.all())
        is_taught_open = adoption.taught_confirmed is None and adoption.taught_declined is None
        kinds = {
            "adoption": adoption.confirmed is None and may_confirm(person, adoption),
            "teaching": is_taught_open and may_confirm_teaching(person, adoption),
            "help": any(helper.person_id == person.pk and helper.confirmed is None for helper in helpers),
        }
        if any(kinds.values()):
            open_kinds = tuple(kind for kind, is_open in kinds.items() if is_open)
            parts.append(OpenPart(adoption, open_kinds, tuple(helper.person.called for helper in helpers)))
    return parts


def own_holders(person: Person) -> tuple[str, ...]:
    """What somebody is called in trees: by their login, and by the team that they lead."""
    leads = person.role == Role.lead and person.team is not None
    return (person.username, *((f"{TEAM_MARK}{person.team.name}",) if leads and person.team else ()))


def visible_practices() -> QuerySet[Practice]:
    """All practices by name: what one does is no secret; who took it up may be."""
    return Practice.objects.select_related("starter", "idea_giver")


def view_practice(person: Person, practice: Practice) -> CreditView:
    """A practice as somebody may see it. The tree is seen by those whose part in it somebody else has confirmed, by leads of those
    who took it up, and by others where it is shared: whoever enters themselves sees no more than before."""
    tree, adoptions = tree_of(practice), adoptions_of(practice)
    own = own_holders(person)
    shows_tree = (
        practice.shows_tree
        or person.role == Role.alone
        or person.pk in (practice.starter_id, practice.idea_giver_id)
        or any(_has_confirmed_part(person, adoption) for adoption in adoptions)
    )
    return CreditView(practice, tree, tuple(adoptions) if shows_tree else (), shows_tree, own)


def _has_confirmed_part(person: Person, adoption: Adoption) -> bool:
    """A part in an adoption that both sides have confirmed: it was taken up, and taught."""
    if adoption.confirmed is None or adoption.taught_confirmed is None:
        return False
    is_own = may_confirm(person, adoption)
    is_helper = any(helper.person_id == person.pk and helper.confirmed for helper in adoption.helpers.all())
    is_lead = person.role == Role.lead and adoption.person is not None and adoption.person.team_id == person.team_id
    return is_own or is_helper or bool(is_lead and person.team_id)


def adoption_spans(practice: Practice) -> Spans:
    """Whose cases count, by which column and value, since and until when, of those who have confirmed it; without a name in the
    records they have none."""
    spans: list[tuple[str, str, str, date, date | None]] = []
    starter = practice.starter
    if starter.served_as:
        spans.append((starter.username, "person_id", starter.served_as, practice.since, practice.until))
    for adoption in adoptions_of(practice):
        if adoption.confirmed is None:
            continue
        if adoption.team is not None:
            spans.append((holder_of(adoption), "team", adoption.team.name, adoption.since, adoption.until))
        elif adoption.person is not None and adoption.person.served_as:
            name = adoption.person.served_as
            spans.append((holder_of(adoption), "person_id", name, adoption.since, adoption.until))
    return tuple(spans)


def unconfirmed_teams(practice: Practice) -> tuple[str, ...]:
    """Teams that are said to have taken it up: neither with the others, nor beside those who never did."""
    return tuple(
        adoption.team.name
        for adoption in adoptions_of(practice)
        if adoption.team is not None and adoption.confirmed is None
    )


def credit_of(practice: Practice, reach: Mapping[str, int]) -> CreditShares:
    """Whose part of the customers reached is how large; agreements that all have signed take the place of equal links."""
    agreed: dict[str, Mapping[str, Fraction]] = {}
    for row in practice.agreed_shares.select_related("adoption__person", "adoption__team").order_by("created"):
        if not unsigned_holders(row):
            holder = holder_of(row.adoption) if row.adoption else practice.starter.username
            agreed[holder] = {name: Fraction(part) for name, part in row.parts.items()}
    return share_credit(tree_of(practice), reach, agreed)


def unsigned_holders(row: AgreedShares) -> list[str]:
    """Who has not signed other shares yet."""
    return [name for name in concerned_holders(row) if name not in row.signed]


def concerned_holders(row: AgreedShares) -> list[str]:
    """All whose part it changes: those who hold a link there, and those who are given a part."""
    holder = holder_of(row.adoption) if row.adoption else row.practice.starter.username
    linked: Iterable[str] = (name for link in links_to(tree_of(row.practice), holder) for name in link.holders if name)
    return sorted({*linked, *row.parts})


def propose_shares(
    person: Person, practice: Practice, adoption: Adoption | None, parts: Mapping[str, Fraction]
) -> AgreedShares:
    """Propose other shares; they hold once everybody concerned has signed. Earlier proposals for the same adopter end; what all have
    signed holds until they have signed another."""
    check_whole(parts)
    holders = holders_of(tree_of(practice))
    if unknown := [name for name in parts if name not in holders]:
        raise UnknownNameError("holder of a part", unknown[0], holders)
    row = AgreedShares(practice=practice, adoption=adoption, parts={name: str(part) for name, part in parts.items()})
    if not set(own_holders(person)) & set(concerned_holders(row)):
        raise RequestError("That is between those who have a part in it.", "Ask one of them.")
    with transaction.atomic():
        for earlier in practice.agreed_shares.filter(adoption=adoption):
            if unsigned_holders(earlier):
                earlier.delete()
        row.save()
    sign_shares(person, row)
    return row


def refuse_shares(person: Person, row: AgreedShares) -> None:
    """Say no to other shares, as somebody concerned: the proposal ends. What all have signed stays."""
    if not set(own_holders(person)) & set(unsigned_holders(row)):
        raise RequestError("You have signed it, or have no part in it.", "Propose other shares.")
    row.delete()


def waiting_proposals(person: Person) -> list[AgreedShares]:
    """Proposals that wait for one's signature."""
    rows = AgreedShares.objects.select_related("practice__starter", "adoption__person", "adoption__team")
    return [row for row in rows if set(own_holders(person)) & set(unsigned_holders(row))]


def sign_shares(person: Person, row: AgreedShares) -> None:
    """Agree to other shares, for oneself and the team that one leads."""
    own = [name for name in own_holders(person) if name in concerned_holders(row)]
    if not own:
        raise RequestError("You have no part in it.", "Those who have are asked.")
    row.signed = {**row.signed, **dict.fromkeys(own, timezone.now().isoformat(timespec="seconds"))}
    row.save(update_fields=["signed"])
    record_event(person, _AGREED, row.practice_id)

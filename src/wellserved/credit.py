"""Whose doing is it, when others took up what somebody began? Equal links, from whoever had the idea to whoever took it up.

An effect at somebody who took a practice up is there only because its whole chain is: the idea, the beginning, each who taught
it on, the taking up, and help with that. It is divided equally among these links, and a link among those who hold it
together. That is the Shapley value of a game in which an effect exists only if all its links do, with Owen's value for
those who share a link (Shapley 1953; Owen 1977). No order, no weights; the sum is always the whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final, Literal

from wellserved.errors import RequestError

LinkKind = Literal["idea", "start", "teaching", "adoption", "help"]
UNCLAIMED: Final = ""
"""Who holds a link that nobody has confirmed: its part stays in the whole, and is nobody's."""


@dataclass(frozen=True)
class AdoptionStep:
    """Somebody, a person or a team, who took a practice up."""

    adopter: str
    taught_by: str = ""  # an earlier adopter; empty: whoever started it
    helpers: tuple[str, ...] = ()  # who confirmed that they helped
    is_confirmed: bool = True  # by the adopter; otherwise its effect is not counted
    is_teaching_confirmed: bool = True  # by the teacher


@dataclass(frozen=True)
class PracticeTree:
    """A practice, and who took it up from whom."""

    starter: str
    idea_givers: tuple[str, ...] = ()  # empty: the starter's own idea
    steps: tuple[AdoptionStep, ...] = ()


@dataclass(frozen=True)
class CreditLink:
    """What an effect could not have been without, and who holds it."""

    kind: LinkKind
    holders: tuple[str, ...]


@dataclass(frozen=True)
class CreditShares:
    """Who holds what part of a whole. The parts, with what nobody claims, are the whole, exactly."""

    parts: Mapping[str, Fraction]
    whole: Fraction

    def share(self, holder: str) -> Fraction:
        """The share of a holder, from 0 to 1; of a whole of nothing, nothing."""
        return self.parts.get(holder, Fraction(0)) / self.whole if self.whole else Fraction(0)


def links_to(tree: PracticeTree, adopter: str) -> tuple[CreditLink, ...]:
    """The links from the idea to somebody who has the practice; the starter's own are the idea and the beginning."""
    links = [CreditLink("idea", tree.idea_givers or (tree.starter,)), CreditLink("start", (tree.starter,))]
    if adopter == tree.starter:
        return tuple(links)
    steps = {step.adopter: step for step in tree.steps}
    step = steps[adopter]
    chain, teacher = [], step.taught_by
    while teacher and teacher != tree.starter:  # whoever taught it on, up to the starter
        chain.append(teacher)
        teacher = steps[teacher].taught_by
    taught = [step, *(steps[name] for name in chain)]
    for pupil, name in zip(taught, chain, strict=False):
        links.append(CreditLink("teaching", (name if pupil.is_teaching_confirmed else UNCLAIMED,)))
    links.append(CreditLink("adoption", (adopter,)))
    if step.helpers:
        links.append(CreditLink("help", tuple(dict.fromkeys(step.helpers))))
    return tuple(links)


def check_tree(tree: PracticeTree, since: Mapping[str, date] | None = None) -> None:
    """Raise where somebody stands in it twice, has a teacher who is not in it, or learnt it before their teacher (so that no circle
    can be). `since`: holder -> first day with the practice."""
    names = [tree.starter, *(step.adopter for step in tree.steps)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"{twice} has taken it up already.", "Change the day of that one instead.")
    teachers = {step.adopter: step.taught_by or tree.starter for step in tree.steps}
    for adopter, teacher in teachers.items():
        if teacher not in names:
            raise RequestError(f"{teacher} has not taken it up.", "Say first since when they do it.")
        if since is not None and since[adopter] <= since[teacher]:
            raise RequestError(
                f"{adopter} would have taken it up before {teacher}, or on the same day.",
                "Correct the days, or who taught whom.",
            )
        seen = {adopter}
        while teacher != tree.starter:
            if teacher in seen:
                raise RequestError(f"{adopter} would have learnt it from themselves.", "Correct who taught whom.")
            seen.add(teacher)
            teacher = teachers[teacher]


def share_credit(
    tree: PracticeTree,
    reach: Mapping[str, int | Fraction],
    agreed: Mapping[str, Mapping[str, Fraction]] | None = None,
) -> CreditShares:
    """How the customers reached, or what came of reaching them, are divided.

    `reach`: holder -> cases (of the starter and of everybody who took it up); those who did not confirm count nothing. `agreed`:
    adopter -> other shares, which sum to one, where all concerned signed them.
    """
    parts: dict[str, Fraction] = defaultdict(Fraction)
    whole = Fraction(0)
    confirmed = [tree.starter, *(step.adopter for step in tree.steps if step.is_confirmed)]
    for adopter in confirmed:
        amount = Fraction(reach.get(adopter, 0))
        whole += amount
        if agreed and (shares := agreed.get(adopter)):
            check_whole(shares)
            for holder, share in shares.items():
                parts[holder] += amount * share
            continue
        links = links_to(tree, adopter)
        for link in links:
            for holder in link.holders:
                parts[holder] += amount / len(links) / len(link.holders)
    return CreditShares(dict(parts), whole)


def check_whole(shares: Mapping[str, Fraction]) -> None:
    """Raise where shares do not sum to one, or one of them is less than nothing."""
    if sum(shares.values()) != 1 or min(shares.values()) < 0:
        raise RequestError("The shares are not a whole.", "Let them sum to 100%.")


def percentages(parts: Sequence[Fraction], places: int = 0) -> list[str]:
    """Parts of a whole as percentages that sum to 100 as they are printed: by largest remainder (Hamilton's rule)."""
    whole = sum(parts, Fraction(0))
    if not whole:
        return ["0"] * len(parts)
    scale = 10**places
    exact = [part / whole * 100 * scale for part in parts]
    floors = [int(value) for value in exact]
    missing = 100 * scale - sum(floors)
    order = sorted(range(len(parts)), key=lambda index: (floors[index] - exact[index], index))
    for index in order[:missing]:
        floors[index] += 1
    return [f"{floor / scale:.{places}f}" for floor in floors]


def holders_of(tree: PracticeTree) -> tuple[str, ...]:
    """Everybody who holds a link of the tree, each once."""
    names: Iterable[str] = (
        *tree.idea_givers, tree.starter, *(name for step in tree.steps for name in (step.adopter, *step.helpers)),
    )  # fmt: skip
    return tuple(dict.fromkeys(filter(None, names)))

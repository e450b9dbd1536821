"""A practice in words: who took it up from whom, and one's own part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from django.utils.translation import gettext as _

from wellserved.actions.practice_effects import PracticeEffect
from wellserved.actions.practices import TEAM_MARK, CreditView, holder_of
from wellserved.credit import CreditShares, percentages
from wellserved.store.models import Adoption
from wellserved.wording import plural


@dataclass(frozen=True)
class TreeBranch:
    """Somebody who has the practice, and those who learnt it from them."""

    holder: str
    words: str
    adoption: Adoption | None  # None: whoever started it
    pupils: tuple[TreeBranch, ...]

    @property
    def is_confirmed(self) -> bool:
        """It is confirmed by whoever took it up."""
        return self.adoption is None or self.adoption.confirmed is not None


def practice_branch(view: CreditView, reach: Mapping[str, int]) -> TreeBranch:
    """The tree from its beginning: each below the one that it was learnt from, in the order of their days. Cases stand beside teams and
    oneself: numbers about others are not set side by side."""
    shown = {
        holder: cases for holder, cases in reach.items() if holder.startswith(TEAM_MARK) or holder in view.own_holders
    }
    starter = view.tree.starter
    begins = _("began it on %(day)s") % {"day": view.practice.since}
    return TreeBranch(starter, _words(begins, shown.get(starter)), None, _pupils(view.adoptions, None, shown))


def _pupils(adoptions: Sequence[Adoption], teacher: int | None, shown: Mapping[str, int]) -> tuple[TreeBranch, ...]:
    return tuple(
        TreeBranch(
            holder_of(adoption),
            _words(_adoption_words(adoption), shown.get(holder_of(adoption))),
            adoption,
            _pupils(adoptions, adoption.pk, shown),
        )
        for adoption in adoptions
        if adoption.taught_by_id == teacher
    )


def _adoption_words(adoption: Adoption) -> str:
    """Since 2026-03-02 to 2026-09-01, with the help of kim."""
    since = _("since %(day)s") % {"day": adoption.since}
    until = _(" to %(day)s") % {"day": adoption.until} if adoption.until else ""
    helpers = [helper.person.username for helper in adoption.helpers.all() if helper.confirmed]
    helped = f", {_('with the help of')} {', '.join(helpers)}" if helpers else ""
    return f"{since}{until}{helped}"


def _words(begun: str, cases: int | None) -> str:
    return begun if cases is None else f"{begun}; {plural(cases, 'case', 'cases')}"


def credit_lines(view: CreditView, shares: CreditShares, effect: PracticeEffect) -> list[str]:
    """One's own part, how many others share in it, and what it did, with its interval; nobody else's part is told, and, where one
    other person has cases in it, no number from which theirs follows."""
    own = sum((shares.parts.get(name, Fraction(0)) for name in view.own_holders), Fraction(0))
    people = [name for name in effect.reach if not name.startswith(TEAM_MARK) and name not in view.own_holders]
    if len(people) == 1:
        only = _("One other person has cases in it: no numbers are shown, since theirs would follow from them.")
        return [only, *_effect_lines(effect, Fraction(0))]
    return [*_part_lines(view, shares, own), *_uncounted_lines(view, effect), *_effect_lines(effect, own)]


def _part_lines(view: CreditView, shares: CreditShares, own: Fraction) -> list[str]:
    """The whole, one's own part of it, and what nobody claims."""
    lines = []
    if shares.whole:
        lines.append(_("%(cases)s reached in all.") % {"cases": plural(int(shares.whole), "case", "cases")})
    if own:
        percent = percentages([own, shares.whole - own], 1)[0]
        facts = {"percent": percent, "cases": plural(round(own), "case", "cases")}
        lines.append(_("Your part: %(percent)s%%, as of %(cases)s.") % facts)
        if others := [name for name in shares.parts if name and name not in view.own_holders]:
            lines.append(_("The rest is shared with %(others)s.") % {"others": plural(len(others), "other", "others")})
    if unclaimed := shares.parts.get("", Fraction(0)):
        percent = percentages([unclaimed, shares.whole - unclaimed], 1)[0]
        lines.append(_("%(percent)s%% is not claimed: who taught it has not confirmed it.") % {"percent": percent})
    return lines


def _uncounted_lines(view: CreditView, effect: PracticeEffect) -> list[str]:
    if view.tree.starter in view.own_holders and view.tree.starter not in effect.reach:
        return [_("Your own cases are not counted: your login has no name in the records. An administrator gives it.")]
    return []


def _effect_lines(effect: PracticeEffect, own: Fraction) -> list[str]:
    if effect.effect is None:
        reason = effect.reason if effect.reason.endswith((".", "?", "!")) else f"{effect.reason}."
        return [_("No effect can be told: %(reason)s") % {"reason": reason}]
    measure, estimate = effect.effect.measure, effect.effect.effect
    if effect.effect.relative:
        words = f"{estimate.value:+.0%} ({estimate.low:+.0%} {_('to')} {estimate.high:+.0%})"
    else:
        words = f"{estimate.value:+.3g} ({estimate.low:+.3g} {_('to')} {estimate.high:+.3g}) {measure.unit}"
    lines = [
        _("Effect where teams took it up, on %(measure)s: %(words)s, 95%% interval.")
        % {"measure": measure.phrase, "words": words}
    ]
    if effect.reason:
        return [*lines, f"{effect.reason[0].upper()}{effect.reason[1:]}."]
    if own and not effect.effect.relative and measure.unit != "share":
        parts = sorted(float(own) * end for end in (estimate.low, estimate.high))
        facts = {
            "value": f"{float(own) * estimate.value:+,.0f}",
            "low": f"{parts[0]:+,.0f}",
            "high": f"{parts[1]:+,.0f}",
            "unit": measure.unit,
        }
        lines.append(_("Your part of it: %(value)s (%(low)s to %(high)s) %(unit)s.") % facts)
    elif own:
        lines.append(_("It is a part of the level before, which differs from team to team: no sum is made of it."))
    return lines

"""A practice in words: who took it up from whom, and one's own part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from django.utils.translation import gettext as _

from wellserved.actions.practice_effects import PracticeEffect
from wellserved.actions.practices import CreditView, holder_of
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
    """The tree from its beginning: each below the one that it was learnt from, in the order of their days."""
    starter = view.tree.starter
    begins = _("began it on %(day)s") % {"day": view.practice.since}
    return TreeBranch(starter, _words(begins, reach.get(starter)), None, _pupils(view.adoptions, None, reach))


def _pupils(adoptions: Sequence[Adoption], teacher: int | None, reach: Mapping[str, int]) -> tuple[TreeBranch, ...]:
    return tuple(
        TreeBranch(
            holder_of(adoption),
            _words(_adoption_words(adoption), reach.get(holder_of(adoption))),
            adoption,
            _pupils(adoptions, adoption.pk, reach),
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
    """One's own part, how many others share in it, and what it did, with its interval; nobody else's part is told."""
    lines = []
    total = int(shares.whole)
    if total:
        lines.append(_("%(cases)s reached in all.") % {"cases": plural(total, "case", "cases")})
    own = sum((shares.parts.get(name, Fraction(0)) for name in view.own_holders), Fraction(0))
    others = sum(1 for name in shares.parts if name and name not in view.own_holders)
    if own:
        percent = percentages([own, shares.whole - own], 1)[0]
        lines.append(
            _("Your part: %(percent)s%%, as of %(cases)s. The rest is shared by %(others)d others.")
            % {"percent": percent, "cases": plural(round(own), "case", "cases"), "others": others}
        )
    if unclaimed := shares.parts.get("", Fraction(0)):
        percent = percentages([unclaimed, shares.whole - unclaimed], 1)[0]
        lines.append(_("%(percent)s%% is not claimed yet: who taught it has not confirmed it.") % {"percent": percent})
    return [*lines, *_effect_lines(effect, own)]


def _effect_lines(effect: PracticeEffect, own: Fraction) -> list[str]:
    if effect.effect is None:
        return [_("No effect can be told: %(reason)s.") % {"reason": effect.reason.rstrip(".")}]
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
    if own and not effect.effect.relative:
        parts = sorted(float(own) * end for end in (estimate.low, estimate.high))
        value = float(own) * estimate.value
        lines.append(
            _("Your part of it: %(value)s (%(low)s to %(high)s) %(unit)s.")
            % {"value": f"{value:+,.0f}", "low": f"{parts[0]:+,.0f}", "high": f"{parts[1]:+,.0f}", "unit": measure.unit}
        )
    return lines

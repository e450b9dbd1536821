"""Before a change: what will be seen of it in a while, and which margins can be shown at all."""

from __future__ import annotations

from dataclasses import dataclass

from wellserved.measure import Measure
from wellserved.measure.interval import Z
from wellserved.prove.chance import reach
from wellserved.prove.guards import Guardrail, margin_of
from wellserved.prove.observe import Looking, Where, observe
from wellserved.prove.power import foreseen
from wellserved.prove.proof import Asked, rails
from wellserved.prove.sequence import EIGHT_WEEKS
from wellserved.prove.verdict import POWER, height

SEEN = Z + POWER  # standard errors at which a change is seen four times in five


@dataclass(frozen=True)
class Foresight:
    """One measure, eight weeks after a change; numbers in its unit."""

    measure: Measure
    called: str
    level: float | None  # now
    seen: float | None  # the change that will be claimed four times in five, at one look, with checks and guardrails
    margin: float | None  # of a guardrail: the margin declared, or proposed
    shown: float | None  # the smallest margin that can be shown if nothing gets worse
    age_days: int | None
    reason: str = ""


def foresee(looking: Looking, asked: Asked) -> list[Foresight]:
    """The measure itself first, then its guardrails: from the time before the change alone."""
    known = rails(looking, asked)
    own = _one(looking, asked, asked.measure, asked.where, asked.measure.name, None, len(known))
    return [own, *(_one(looking, asked, rail.measure, where, rail.name, rail, 0) for rail, where in known)]


def _one(
    looking: Looking, asked: Asked, measure: Measure, where: Where, called: str, rail: Guardrail | None, among: int
) -> Foresight:
    """`among`: of the measure itself, how many guardrails a claim has to pass."""
    seen = observe(looking, measure, where, None if rail else asked.age_days, asked.age_days or 0)
    declared = rail.margin if rail else None
    if seen.reason:
        return Foresight(measure, called, None, None, declared, None, None, seen.reason)
    before, every = seen.before, asked.every
    level = height(seen.observed, before)
    better = (rail.better if rail else asked.better) or measure.better
    up = better == "higher"
    found = reach(seen.observed, before, every, level, EIGHT_WEEKS[every], SEEN)
    if found is None:
        reason = "too little history, or it never varies"
        return Foresight(measure, called, None, None, declared, None, seen.age_days, reason)
    if rail is None:
        size = foreseen(seen.observed, before, every, EIGHT_WEEKS[every], better, among)
        lacking = "" if size is not None else "no change of whatever size will be claimed four times in five"
        return Foresight(measure, called, level, size, None, None, seen.age_days, lacking)
    size = found.high if up else -found.low
    known = reach(seen.observed, before, every, level, EIGHT_WEEKS[every])
    assert known is not None
    margin = declared if declared is not None else margin_of(rail, seen, every, level)
    return Foresight(measure, called, level, size, margin, -known.low if up else known.high, seen.age_days)

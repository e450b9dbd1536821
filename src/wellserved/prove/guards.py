"""What must not get worse while something gets better, each with a margin; speed is claimed only when all are shown safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wellserved.measure import MEASURES, Measure, find_measure
from wellserved.measure.definition import Better
from wellserved.moments import Every
from wellserved.prove.observe import Seen
from wellserved.prove.verdict import Estimate, Plan, by_period, change

Safety = Literal["worse", "not_worse", "cannot_tell", "not_recorded"]
POINTS, POINT = 0.05, 0.01  # of a share: the margin where none was declared, at most and at least
PART = 0.2  # of the level before, for all else
LEAST = 0.1  # of a mean of things counted: a tenth of one a case
SPEED = ("reopen_rate", "contacts", "rating_good", "complaint_rate", "handovers", "abandoned_rate")
"""What is looked at besides, where somebody claims to be faster."""


@dataclass(frozen=True)
class Guardrail:
    """A measure that must not get worse by more than the margin, in its unit; None: five points, or a fifth of it."""

    measure: Measure
    margin: float | None = None
    better: Better | None = None  # where the measure itself has no better side
    called: str = ""  # where it is not looked at in the same cases


@dataclass(frozen=True)
class Guarded:
    """What came of a guardrail."""

    guardrail: Guardrail
    safety: Safety
    margin: float | None  # in the unit
    harm: Estimate | None  # by how much it got worse, in the unit: 95% hull
    words: str
    age_days: int | None = None  # at which its cases are looked at


def wanted(measure: Measure, declared: tuple[Guardrail, ...]) -> tuple[Guardrail, ...]:
    """The declared guardrails, and those that go with any claim of being faster."""
    named = {one.measure.name for one in declared} | {measure.name}
    more = []
    if measure.kind == "wait":
        slowest = f"{measure.name}_p90"
        more = [name for name in (*SPEED, slowest) if name not in named and any(one.name == name for one in MEASURES)]
    return (*declared, *(Guardrail(find_measure(name)) for name in more))


def guard(one: Guardrail, seen: Seen, every: Every, together: int) -> Guarded:
    """Worse, shown not to be worse by more than the margin, or neither; alarms share 5% among all guardrails."""
    better = one.better or one.measure.better
    if seen.lacking:
        return Guarded(one, "not_recorded", None, None, seen.reason)
    if seen.reason:
        return Guarded(one, "cannot_tell", one.margin, None, seen.reason)
    if constant(seen):
        return Guarded(one, "not_worse", one.margin, None, "is the same in every period", seen.age_days)
    alarmed = change(seen.observed, seen.before, every, better, plan=Plan(level=1 - 0.05 / together))
    plain = change(seen.observed, seen.before, every, better)
    if plain.effect is None or plain.level_before is None:
        return Guarded(one, "cannot_tell", one.margin, None, plain.reason, seen.age_days)
    harm = plain.effect if better == "lower" else -plain.effect
    margin = one.margin if one.margin is not None else usual_margin(plain.level_before, one.measure)
    if alarmed.status == "worse":
        return Guarded(one, "worse", margin, harm, "got worse", seen.age_days)
    if harm.high <= margin:
        return Guarded(one, "not_worse", margin, harm, "is not worse by more than the margin", seen.age_days)
    words = (
        "may be worse by more than the margin"
        if harm.low <= 0
        else "leans to worse, if not surely enough among so many"
    )
    return Guarded(one, "cannot_tell", margin, harm, words, seen.age_days)


def constant(seen: Seen) -> bool:
    """The measure is one and the same number in every period, on both sides."""
    there = seen.observed.seen
    values = by_period(seen.observed)[there]
    return bool(len(values)) and bool(there[seen.before :].any()) and float(np.ptp(values)) == 0.0


def usual_margin(level: float, measure: Measure) -> float:
    """By how much a measure may get worse where nobody said; a rare share may at most double."""
    if measure.unit == "share":
        return min(POINTS, max(min(level, 1 - level), POINT))
    return max(PART * abs(level), LEAST if measure.kind == "mean" else 0.0)

"""What must not get worse while something gets better, each with a margin; speed is claimed only when all are shown safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wellserved.measure import MEASURES, Measure, find_measure
from wellserved.measure.definition import Better
from wellserved.moments import Every
from wellserved.prove.observe import Seen
from wellserved.prove.verdict import Estimate, Plan, Verdict, change

Safety = Literal["worse", "not_worse", "cannot_tell", "not_recorded"]
POINTS = 0.05  # of a share: the margin where none was declared
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
    verdict: Verdict | None = None


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
    if seen.reason:
        return Guarded(one, "not_recorded", None, None, seen.reason)
    events = seen.observed.total[seen.observed.seen]
    if seen.observed.family == "rate" and not events.any():
        return Guarded(one, "not_recorded", None, None, "the record holds none at all")
    alarmed = change(seen.observed, seen.before, every, better, plan=Plan(level=1 - 0.05 / together))
    plain = change(seen.observed, seen.before, every, better)
    if plain.effect is None and plain.level_before is not None and plain.level_before == plain.level_after:
        return Guarded(one, "not_worse", one.margin, None, "is the same in every period", plain)
    if plain.effect is None or plain.level_before is None:
        return Guarded(one, "cannot_tell", one.margin, None, plain.reason, plain)
    harm = plain.effect if better == "lower" else -plain.effect
    margin = one.margin if one.margin is not None else usual_margin(plain.level_before, one.measure)
    if alarmed.status == "worse":
        return Guarded(one, "worse", margin, harm, "got worse", plain)
    if harm.high <= margin:
        return Guarded(one, "not_worse", margin, harm, "is not worse by more than the margin", plain)
    return Guarded(one, "cannot_tell", margin, harm, "may be worse by more than the margin", plain)


def usual_margin(level: float, measure: Measure) -> float:
    """By how much a measure may get worse where nobody said."""
    if measure.unit == "share":
        return POINTS
    return max(PART * abs(level), LEAST if measure.kind == "mean" else 0.0)

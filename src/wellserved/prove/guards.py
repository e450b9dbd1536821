"""What must not get worse while something gets better, each with a margin; how likely harm beyond it is, and what that says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from wellserved.measure import MEASURES, Measure, find_measure
from wellserved.measure.definition import Better
from wellserved.moments import Every
from wellserved.prove import chance
from wellserved.prove.chance import Harm
from wellserved.prove.observe import Seen
from wellserved.prove.sequence import EIGHT_WEEKS
from wellserved.prove.verdict import Estimate, by_period, change

Safety = Literal["worse", "not_worse", "cannot_tell", "not_recorded"]
POINTS, POINT = 0.05, 0.01  # of a share: the margin where none was declared, at most and at least
PART = 0.2  # of the level before, for all else
LEAST = 0.1  # of a mean of things counted: a tenth of one a case
WIDER = 1.5  # times the usual margin, at most, where eight weeks cannot show a smaller one
EXCLUDED = 0.05  # a chance of harm beyond the margin up to which it is called excluded
LIKELY = 0.8  # from which on, if it surely got worse at all, it is called shown
DOUBTED = 0.2  # from which on a measure that only raises a question raises it
SHARED = 0.05  # of false alarms, among all guardrails


@dataclass(frozen=True)
class Guardrail:
    """A measure that must not get worse by more than the margin, in its unit; None: see `margin_of`."""

    measure: Measure
    margin: float | None = None
    better: Better | None = None  # where the measure itself has no better side
    called: str = ""  # where it is not looked at in the same cases
    question: str = ""  # worse is no harm by itself: it raises this question
    part: float = PART  # of the level before: the margin of what is no share

    @property
    def name(self) -> str:
        """What it goes by in a verdict."""
        return self.called or self.measure.name


HARMS = (
    "reopen_rate", "contacts", "repeat_case_rate", "rating_good", "complaint_rate", "handovers", "abandoned_rate",
)  # fmt: skip
"""What is looked at besides, where somebody claims to be faster: worse is harm."""
QUESTIONS: tuple[tuple[str, Better, str, float], ...] = (
    ("asked", "higher", "fewer cases came: were customers turned away, or cases left out?", 0.1),
    ("rated_rate", "higher", "fewer cases are rated: is everybody asked?", PART),
    ("merged_rate", "lower", "more cases are merged into others: are they still served?", PART),
    ("paused_rate", "lower", "more cases wait for the customer: did customers agree?", PART),
)
"""The same, of which worse is no harm by itself, but raises a question: measure, its better side, question, margin."""
REPLIES: tuple[tuple[str, Better, str, float], ...] = (
    ("answered_within_a_minute", "lower", "more are answered within a minute: by machines?", PART),
)
"""The same, where somebody claims to reply faster."""


@dataclass(frozen=True)
class Guarded:
    """What came of a guardrail."""

    guardrail: Guardrail
    safety: Safety
    margin: float | None  # in the unit
    harm: Estimate | None  # by how much it got worse, in the unit: 95% hull
    words: str
    age_days: int | None = None  # at which its cases are looked at
    chance: float | None = None  # of harm beyond the margin, under the trend that makes it larger

    @property
    def weakens(self) -> bool:
        """Whether harm is not excluded; a question that the record gives no cause to ask is none."""
        return self.safety == "cannot_tell" or (self.safety == "not_recorded" and not self.guardrail.question)


def wanted(measure: Measure, declared: tuple[Guardrail, ...]) -> tuple[Guardrail, ...]:
    """The declared guardrails, and those that go with any claim of being faster."""
    named = {rail.measure.name for rail in declared} | {measure.name}
    if measure.kind != "wait":
        return declared
    known = {measure.name for measure in MEASURES}
    slowest = f"{measure.name}_p90"
    harms = [Guardrail(find_measure(name)) for name in (*HARMS, slowest) if name in known - named]
    questions = [
        Guardrail(find_measure(name), None, better, "", words, part)
        for name, better, words, part in (*QUESTIONS, *(REPLIES if "replied" in measure.relies_on else ()))
        if name not in named
    ]
    return (*declared, *harms, *questions)


def guard(
    rail: Guardrail, seen: Seen, every: Every, together: int, margins: Mapping[str, float] | None = None
) -> Guarded:
    """Worse, shown not to be worse by more than the margin, or neither; alarms share 5% among `together` guardrails.

    `margins`: those that were declared for guardrails which nobody named, by name.
    """
    better = rail.better or rail.measure.better
    if seen.lacking:
        return Guarded(rail, "not_recorded", None, None, seen.reason)
    if seen.reason:
        return Guarded(rail, "cannot_tell", rail.margin, None, seen.reason)
    if constant(seen):
        return Guarded(rail, "not_worse", rail.margin, None, "is the same in every period", seen.age_days, 0.0)
    harm, level, reason = harm_of(seen, every, better)
    if harm is None or level is None:
        return Guarded(rail, "cannot_tell", rail.margin, None, reason, seen.age_days)
    declared = rail.margin if rail.margin is not None else (margins or {}).get(rail.name)
    margin = declared if declared is not None else margin_of(rail, seen, every, level)
    result = Guarded(
        rail, "cannot_tell", margin, harm.estimate, "", seen.age_days, _beyond(harm, seen, level, margin)[1]
    )
    if rail.question:
        raised = (result.chance or 0.0) > DOUBTED
        return replace(result, safety="cannot_tell" if raised else "not_worse", words=rail.question if raised else NO_CAUSE)  # fmt: skip
    if _beyond(harm, seen, level, margin)[0] >= LIKELY and harm.sure(1 - SHARED / together):
        return replace(result, safety="worse", words="got worse")
    widest = WIDER * usual_margin(level, rail.measure, rail.part)
    if _beyond(harm, seen, level, min(margin, widest))[1] <= EXCLUDED:
        return replace(result, safety="not_worse", words=NOT_WORSE)
    return replace(result, words=_untold(result))


def _untold(result: Guarded) -> str:
    """Why harm is neither shown nor excluded."""
    if result.chance is not None and result.chance <= EXCLUDED:
        return f"stays within the margin that was declared, which is more than {WIDER:g} times the usual one"
    if result.harm is not None and result.harm.low > 0:
        return "leans to worse, if not surely enough"
    return "may be worse by more than the margin"


def _beyond(harm: Harm, seen: Seen, level: float, margin: float) -> tuple[float, float]:
    """The chances of harm beyond a margin in the unit: under the trend that makes it least, and most."""
    return harm.beyond(margin if harm.steps is None else chance.on_scale(seen.observed, level, margin, harm.up))


NOT_WORSE = "is not worse by more than the margin"
NO_CAUSE = "gives no cause to ask"


def harm_of(seen: Seen, every: Every, better: Better) -> tuple[Harm | None, float | None, str]:
    """How much worse it got, the level before, and why nothing can be told; of few events, by comparing the two shares."""
    up = better == "lower"
    plain = change(seen.observed, seen.before, every, better)
    if plain.effect is not None and plain.level_before is not None:
        steps = chance.fitted(seen.observed, seen.before, every)
        return Harm(plain.effect if up else -plain.effect, steps, (), up), plain.level_before, ""
    if seen.observed.family == "rate" and 0 < seen.before < len(seen.periods):
        harm = chance.shares(seen.observed, seen.before, up)
        return harm, plain.level_before, plain.reason
    return None, None, plain.reason


def constant(seen: Seen) -> bool:
    """The measure is one and the same number in every period, on both sides; of shares, as of few cases, it says little."""
    if seen.observed.family == "rate":
        return False
    there = seen.observed.seen
    values = by_period(seen.observed)[there]
    return bool(len(values)) and bool(there[seen.before :].any()) and float(np.ptp(values)) == 0.0


def margin_of(rail: Guardrail, seen: Seen, every: Every, level: float) -> float:
    """The margin where nobody declared one: the usual, or as much more as eight weeks can show, up to half as much more.

    It is told by the time before the change alone, so that no result can move it.
    """
    usual = usual_margin(level, rail.measure, rail.part)
    known = chance.reach(seen.observed, seen.before, every, level, EIGHT_WEEKS[every])
    if known is None:
        return usual
    least = known.high if (rail.better or rail.measure.better) == "lower" else -known.low
    return min(max(usual, least), WIDER * usual)


def usual_margin(level: float, measure: Measure, part: float = PART) -> float:
    """By how much a measure may get worse where nobody said; a rare share may at most double."""
    if measure.unit == "share":
        return min(POINTS, max(min(level, 1 - level), POINT))
    return max(part * abs(level), LEAST if measure.kind == "mean" else 0.0)

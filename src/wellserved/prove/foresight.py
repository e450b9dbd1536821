"""Before a change: what will be seen of it in a while, and which margins can be shown at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wellserved.measure import Measure
from wellserved.measure.interval import Z
from wellserved.prove.design import TWO_YEARS, season
from wellserved.prove.guards import usual_margin
from wellserved.prove.observe import Looking, observe
from wellserved.prove.power import foreseen
from wellserved.prove.proof import Asked, rails
from wellserved.prove.response import respond
from wellserved.prove.sequence import EIGHT_WEEKS
from wellserved.prove.step import foreseen_variance
from wellserved.prove.verdict import POWER, Estimate, height, in_unit

SEEN, SHOWN = Z + POWER, Z  # standard errors: seen four times in five; a margin that can just be shown


@dataclass(frozen=True)
class Foresight:
    """One measure, eight weeks after a change; numbers in its unit."""

    measure: Measure
    called: str
    level: float | None  # now
    seen: float | None  # the change that will be claimed four times in five, at one look, with checks and guardrails
    margin: float | None  # of a guardrail: the margin asked for
    shown: float | None  # the smallest margin that can be shown if nothing gets worse
    age_days: int | None
    reason: str = ""


def foresee(looking: Looking, asked: Asked) -> list[Foresight]:
    """The measure itself first, then its guardrails: from the time before the change alone."""
    known = rails(looking, asked)
    found = [_one(looking, asked, asked.measure, asked.where, asked.measure.name, None, among=len(known))]
    for rail, where in known:
        called = rail.called or rail.measure.name
        found.append(_one(looking, asked, rail.measure, where, called, rail.margin, guarded=True))
    return found


def _one(
    looking: Looking, asked: Asked, measure: Measure, where: tuple[tuple[str, str], ...], called: str,
    margin: float | None, guarded: bool = False, among: int = 0,
) -> Foresight:  # fmt: skip
    seen = observe(looking, measure, where, None if guarded else asked.age_days, asked.age_days or 0)
    if seen.reason:
        return Foresight(measure, called, None, None, margin, None, None, seen.reason)
    before, every = seen.before, asked.every
    past = seen.observed.seen[:before]
    priced = before < TWO_YEARS[every]
    seasonal = season(every, len(seen.periods), before, seen.observed.seen)
    trend = np.arange(len(seen.periods)) / len(seen.periods)
    response = respond(seen.observed, np.column_stack([np.ones(len(trend)), seasonal, trend]))
    found = foreseen_variance(response, every, before, EIGHT_WEEKS[every], priced) if past.sum() > 5 else None
    if found is None:
        return Foresight(
            measure, called, None, None, margin, None, seen.age_days, "too little history, or it never varies"
        )
    level = height(seen.observed, before)
    error = math.sqrt(max(found.values()))
    up = asked.better == "higher" or measure.better == "higher"
    reach = [in_unit(seen.observed, Estimate(0.0, -part * error, part * error), level) for part in (SEEN, SHOWN)]
    sizes: list[float | None] = [one.high if up else -one.low for one in reach]
    if not guarded:
        better = asked.better or measure.better
        sizes[0] = foreseen(seen.observed, before, every, EIGHT_WEEKS[every], better, among)
    if guarded:
        margin = usual_margin(level, measure) if margin is None else margin
        sizes[1] = -reach[1].low if up else reach[1].high  # the harmful side
    lacking = "" if sizes[0] is not None else "no change of whatever size will be claimed four times in five"
    return Foresight(measure, called, level, sizes[0], margin, sizes[1] if guarded else None, seen.age_days, lacking)

"""A reward that was paid for a while: what the measure did while it was paid, after, and whether it lasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wellserved.errors import RequestError
from wellserved.measure.definition import Better
from wellserved.moments import Every
from wellserved.prove.design import TRENDS, TWO_YEARS, Trend, step_design
from wellserved.prove.response import Observed, respond
from wellserved.prove.step import Steps, fit_steps
from wellserved.prove.verdict import LEAST_FREEDOM, Estimate, height, in_unit

Lasting = Literal["lasting", "fading", "backfiring", "no_effect_seen", "cannot_tell", "not_enough_data"]


@dataclass(frozen=True)
class Incentive:
    """Against the time before: while it was paid, after, and the difference of the two; in the measure's unit."""

    status: Lasting
    reason: str
    paid: Estimate | None
    after: Estimate | None
    difference: Estimate | None  # after less paid
    by_trend: dict[Trend, tuple[Estimate, ...]]  # paid, after, difference


def incentive(
    observed: Observed, before: int, paid: int, every: Every, better: Better, controls: Sequence[Observed] = ()
) -> Incentive:
    """Did the reward work, and did its effect outlast it?

    observed: one series; `before` periods before it was paid, then `paid` periods while it was, the rest after.
    Three windows with a step and a slope of their own; hulls of both trends. Lasting: better while paid and after,
    and not shown to have lost any; fading: better while paid, and shown to have lost some of it since; backfiring:
    worse after than before.
    """
    if better == "neither":
        raise RequestError("A verdict needs a direction.", "Say which way is better: higher or lower.")
    periods = len(observed.total)
    if min(before, paid, periods - before - paid) < 2:
        return Incentive(
            "not_enough_data", "each of the three windows needs at least two periods", None, None, None, {}
        )
    seen = observed.seen
    if not all(
        seen[part].any() for part in (slice(0, before), slice(before, before + paid), slice(before + paid, None))
    ):
        return Incentive("not_enough_data", "one of the three windows holds no cases", None, None, None, {})
    design = step_design(every, periods, [before, before + paid], seen, before < TWO_YEARS[every] and not controls)
    if int(seen.sum()) - design.width < LEAST_FREEDOM:
        return Incentive("not_enough_data", f"only {int(seen.sum())} {every}s say something", None, None, None, {})
    fitted = fit_steps(
        respond(observed, design.of_response()), design, {"difference": np.array([0.0, -1.0, 1.0])}
    ).steps
    if fitted.flat[0]:
        return Incentive(
            "not_enough_data", "the measure never varies, so that nothing can be said of chance", None, None, None, {}
        )
    names = ("step 0", "step 1", "difference")
    hulls = [_hull(fitted, name) for name in names]
    level = height(observed, before)
    paid_for, after, difference = (in_unit(observed, one, level) for one in hulls)
    by_trend = {trend: tuple(in_unit(observed, _one(fitted, name, trend), level) for name in names) for trend in TRENDS}
    good = 1 if better == "higher" else -1
    return Incentive(_lasting(hulls, good), "", paid_for, after, difference, by_trend)


def _one(fitted: Steps, name: str, trend: Trend) -> Estimate:
    mixture = fitted.effect(trend, name)
    low, high = mixture.interval()
    return Estimate(float(mixture.point[0]), float(low[0]), float(high[0]))


def _hull(fitted: Steps, name: str) -> Estimate:
    low, high = fitted.judged(name).hull
    return Estimate(float(fitted.effect("continues", name).point[0]), float(low[0]), float(high[0]))


def _lasting(hulls: list[Estimate], good: int) -> Lasting:
    paid, after, difference = (one.side * good for one in hulls)
    if after < 0:
        return "backfiring"
    if paid > 0 and difference < 0:
        return "fading"
    if paid > 0 and after > 0:
        return "lasting"
    return "cannot_tell" if paid > 0 or after > 0 else "no_effect_seen"

"""What would have spoilt a verdict, looked at without being asked: a failed check takes the claim back and says why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from wellserved.measure import Measure
from wellserved.measure.definition import Better
from wellserved.moments import Every
from wellserved.prove.design import step_design
from wellserved.prove.mix import mix_as_before
from wellserved.prove.model import LEVEL, Mask
from wellserved.prove.observe import Looking, Seen
from wellserved.prove.response import Observed, difference, respond
from wellserved.prove.step import fit_steps, trend_of
from wellserved.prove.stretch import CHANCE, stretches
from wellserved.prove.verdict import Check, Plan, Verdict, change, in_unit, posed

Places = npt.NDArray[np.int64]

PLACEBOS = (0.5, 0.75)  # places of the made-up changes, as parts of the time before the real one
MIXES = ("service", "category", "channel", "priority")
GAPS = "gaps in the record"
STRETCH = "bad stretch before"
HALF = 0.5  # of the estimate: with less left, it hangs on what was left out
MOVED = 0.05  # of the work, at least: with less, a mix explains nothing
MOST_MISSING = 0.2  # share of periods without a case, on either side
GAP = 3  # periods in a row without a case, next to the change
BLOCKS = 6  # comparable stretches that are left out in turn where the record has a hole, at most


@dataclass(frozen=True)
class CheckInput:
    """The verdict that is checked, and what it was made of."""

    seen: Seen
    every: Every
    better: Better
    controls: tuple[Observed, ...]
    parallel: bool  # declared: no trend of the difference
    verdict: Verdict

    def again(
        self, observed: Observed, before: int, controls: Sequence[Observed] = (), level: float = LEVEL,
        parallel: bool | None = None,
    ) -> Verdict:  # fmt: skip
        """The same question put to other numbers."""
        parallel = (self.parallel if parallel is None else parallel) and bool(controls)
        return change(
            observed, before, self.every, self.better, controls=controls, parallel=parallel, plan=Plan(level=level)
        )

    def without(self, out: Mask) -> Verdict:
        """The same question without some of the periods."""
        size = np.where(out, 0.0, self.seen.observed.size)
        return self.again(replace(self.seen.observed, size=size), self.seen.before, self.controls)

    def share(self, other: Verdict) -> float:
        """The part of the estimate, in the measure's unit, that another estimate is; below 0: the other way.

        NaN: one of the two could not be made.
        """
        if self.verdict.working is None or other.working is None:
            return math.nan
        level = self.verdict.level_before or 0.0
        ours, theirs = (in_unit(self.seen.observed, one, level).value for one in (self.verdict.working, other.working))
        return theirs / ours if ours else 1.0

    def spoilt(self, other: Verdict, surprising: bool) -> bool:
        """Whether less than half is left; or what was taken away is more than chance, and the rest is no claim."""
        return self.share(other) < HALF or (surprising and not self.agrees(other))

    def agrees(self, other: Verdict) -> bool:
        """Whether another verdict claims the same; where nothing was claimed, there is nothing to lose."""
        return not self.verdict.claims or other.status == self.verdict.status


def left(share: float) -> str:
    """How much of the estimate is left, in words."""
    if math.isnan(share):
        return "too little is left to tell"
    return f"{share:.0%} of it is left" if round(share, 2) > 0 else "nothing of it is left"


def placebo_in_time(inputs: CheckInput) -> Check:
    """Changes that nobody made, before the real one: a measure that moves as much by itself shows there too."""
    name, before, looked, worst = "placebo in time", inputs.seen.before, 0, (0.0, "")
    for place in PLACEBOS:
        early, at = slice(0, before), int(before * place)
        controls = [one.over(early) for one in inputs.controls]
        made_up = inputs.again(inputs.seen.observed.over(early), at, controls, 1 - 0.05 / len(PLACEBOS))
        looked += made_up.effect is not None
        if made_up.claims:
            worst = max(worst, (abs(inputs.share(made_up)), inputs.seen.periods[at].label))
    share, label = worst
    if not looked:
        return Check(name, None, "there is too little history for made-up changes before the real one")
    if share >= HALF:
        return Check(name, False, f"at {label}, when nothing was changed, it moved by {share:.0%} of this too")
    if share:
        return Check(name, True, f"at {label}, when nothing was changed, it moved by no more than {share:.0%} of this")
    return Check(name, True, f"no change is seen at {looked} earlier dates at which nothing was changed")


def bad_stretch(inputs: CheckInput) -> Check:
    """Whether one acted after the worst weeks, which would have got better by themselves."""
    verdict, seen = inputs.verdict, inputs.seen
    if verdict.working is None:
        return Check(STRETCH, None, "there is no estimate that could hang on it")
    priced = verdict.season_priced
    design, response = posed(seen.observed, inputs.controls, seen.before, inputs.every, priced, not inputs.parallel)
    side = np.array([1.0 if verdict.working.value > 0 else -1.0])
    every = f"{inputs.every}s"
    found = stretches(response, design, fit_steps(response, design).steps, seen.before, inputs.every, side)
    if found is None:
        return Check(STRETCH, None, f"there is too little history to leave the last {every} out")
    length = int(found.decisive()[0][0])
    if not length:
        return Check(STRETCH, True, f"it does not hang on a bad stretch of {every} right before the change")
    out = np.zeros(len(seen.periods), dtype=bool)
    out[np.flatnonzero(response.seen[0, : seen.before])[-length:]] = True
    without = inputs.without(out)
    worse, score = int(found.worse[0, length - 1]), float(found.score[0, length - 1])
    harm = "worse" if (side[0] > 0) == (inputs.better == "higher") else "better"
    words = f"without the {_stretch_words(length, worse, inputs.every, harm)}, {left(inputs.share(without))}"
    if without.working is None:
        return Check(STRETCH, None, words)
    if inputs.spoilt(without, score > CHANCE):
        return Check(STRETCH, False, words if inputs.share(without) < HALF else f"{words}, too little to tell")
    return Check(STRETCH, True, words)


def _stretch_words(length: int, worse: int, every: Every, harm: str) -> str:
    if length == 1:
        return f"{every} before the change, which was {harm} than usual"
    count = "all" if worse == length else str(worse)
    return f"{length} {every}s before the change, of which {count} were {harm} than usual"


def trend_before(inputs: CheckInput) -> Check:
    """How the measure was moving already; where moving alike was declared, the difference must not have moved."""
    seen = inputs.seen
    design = step_design(
        inputs.every, seen.before, [max(seen.before // 2, 1)], seen.observed.seen[: seen.before], False
    )
    early = [
        respond(one.over(slice(0, seen.before)), design.of_response()) for one in (seen.observed, *inputs.controls)
    ]
    response = difference(early[0], early[1:], seen.before) if inputs.controls else early[0]
    found = trend_of(response, inputs.every)
    if found is None:
        return Check("trend before", None, "there is too little history to tell a trend")
    low, high = found
    if low <= 0 <= high:
        return Check("trend before", True, "no trend is seen before the change")
    way = "rising" if low > 0 else "falling"
    if inputs.parallel:
        return _apart(inputs, way)
    return Check(
        "trend before", True, f"it was {way} before the change; the verdict holds whether that went on or stopped"
    )


def _apart(inputs: CheckInput, way: str) -> Check:
    """The difference was moving already although both were to move alike: what is left where that is allowed for."""
    name, words = "trend before", f"the difference was {way} before the change already, so that both did not move alike"
    allowed = inputs.again(inputs.seen.observed, inputs.seen.before, inputs.controls, parallel=False)
    if inputs.spoilt(allowed, True):
        return Check(name, False, words)
    return Check(name, True, f"{words}; where that is allowed for, {left(inputs.share(allowed))}")


def gaps(inputs: CheckInput) -> Check:
    """Whether the record has holes where they matter: where leaving as many other periods out moves the estimate."""
    before, whole = inputs.seen.before, np.ones(len(inputs.seen.periods), dtype=bool)
    if inputs.seen.mixed is not None:
        whole[inputs.seen.mixed] = False
    whole[before : before + inputs.seen.settling] = False
    late = np.arange(len(whole)) >= before
    sides = [np.flatnonzero(whole & side) for side in (~late, late)]
    holds = [inputs.seen.observed.seen[side] for side in sides]
    missing = [int((~side).sum()) for side in holds]
    holes = [1 - float(side.mean()) if len(side) else 1.0 for side in holds]
    for words, share, side, hold, count in zip(("before", "after"), holes, sides, holds, missing, strict=True):
        if share > MOST_MISSING:
            hole = f"{share:.0%} of the {inputs.every}s {words} the change hold no case"
            return _hole(inputs, hole, side[hold], count)
    for side, hold, near in zip(sides, holds, (holds[0][::-1], holds[1]), strict=True):
        run = int(np.argmax(near)) if near.any() else len(near)
        if run >= GAP:
            return _hole(inputs, f"the {run} {inputs.every}s next to the change hold no case", side[hold], run)
    if not max(holes):
        return Check(GAPS, True, f"every {inputs.every} holds cases")
    return Check(GAPS, True, f"at least {1 - max(holes):.0%} of the {inputs.every}s hold cases, on either side")


def _hole(inputs: CheckInput, hole: str, known: Places, count: int) -> Check:
    """What a hole of so many periods may have hidden: the estimate without as many of the known ones of that side."""
    if not inputs.verdict.claims or len(known) < 2 * count:
        return Check(GAPS, False, hole)
    shares = []
    for start in np.unique(np.linspace(0, len(known) - count, BLOCKS).round().astype(int)):
        out = np.zeros(len(inputs.seen.periods), dtype=bool)
        out[known[start : start + count]] = True
        shares.append(inputs.share(inputs.without(out)))
    if any(map(math.isnan, shares)):
        return Check(GAPS, False, hole)
    if min(shares) < HALF:
        return Check(GAPS, False, f"{hole}; with as many others left out, {left(min(shares))}")
    return Check(GAPS, True, f"{hole}; with as many others left out, at least {min(shares):.0%} of it is left")


def another_change(inputs: CheckInput, on: date, others: Sequence[tuple[str, date]]) -> Check:
    """Whether something else was declared to have changed in the same time."""
    first, last = inputs.seen.periods[0].start, inputs.seen.periods[-1].end
    back = max(first, on - (last - on))
    near = [(what, when) for what, when in others if back <= when < last]
    if near:
        what, when = near[0]
        return Check(
            "another change nearby", False, f"“{what}” was begun on {when.isoformat()}; the two cannot be told apart"
        )
    return Check("another change nearby", True, "no other change is declared for the same cases in that time")


def untouched(inputs: CheckInput, others: Seen) -> Check:
    """The same measure where nothing was changed: if it moved alike, the difference has to carry the claim."""
    name = "the others"
    if others.reason:
        return Check(name, None, f"the measure says nothing of them: {others.reason}")
    found = inputs.again(others.observed, others.before)
    if found.status != inputs.verdict.status or not found.claims:
        return Check(name, True, "for all other cases of the record no such change is seen")
    apart = inputs.again(inputs.seen.observed, inputs.seen.before, [aligned(others, inputs.seen)])
    words = f"set against them, {left(inputs.share(apart))}"
    if apart.working is None:
        return Check(name, None, f"the cases that were not to change moved the same way; {words}")
    if inputs.spoilt(apart, True):
        much = "" if inputs.share(apart) < HALF else ", too little to tell"
        return Check(name, False, f"the cases that were not to change moved the same way; {words}{much}")
    return Check(name, True, f"the other cases changed too, but less; {words}")


def aligned(other: Seen, seen: Seen) -> Observed:
    """Another series over the periods of this one; what it does not know is missing."""
    at = {period.start: place for place, period in enumerate(other.periods)}
    return other.observed.over(np.array([at.get(period.start, -1) for period in seen.periods], np.int64))


def mixes(
    looking: Looking, inputs: CheckInput, measure: Measure, where: tuple[tuple[str, str], ...]
) -> Iterator[Check]:
    """Whether other work came in: the verdict again with each kind of work weighted as it was before."""
    if inputs.seen.age_days is None or measure.kind not in ("share", "mean", "wait"):
        return
    fixed = {column for column, _ in where}
    for column in MIXES:
        if column not in fixed and (check := _mix(looking, inputs, measure, where, column)):
            yield check


def _mix(
    looking: Looking, inputs: CheckInput, measure: Measure, where: tuple[tuple[str, str], ...], column: str
) -> Check | None:
    name, mix = f"mix by {column}", mix_as_before(looking, inputs.seen, measure, where, column)
    if mix is None:
        return None
    if mix.observed is None:
        return Check(name, None, f"it cannot be told with the mix as it was before: {mix.reason}")
    held = inputs.again(mix.observed, inputs.seen.before, inputs.controls)
    return mix_check(inputs, name, mix.observed, held, mix.moved)


def mix_check(inputs: CheckInput, name: str, as_before: Observed, held: Verdict, moved: float) -> Check:
    """The estimate with the mix as it was before beside the estimate as it is."""
    words = f"with the mix as it was before, {left(inputs.share(held))}"
    words = f"{moved:.0%} of the work came from elsewhere after the change; {words}"
    less = inputs.share(held) < HALF
    if moved < MOVED:
        return Check(name, True, f"only {moved:.0%} of the work moved, too little to explain it" if less else words)
    if held.working is None:
        return Check(name, None, words)
    surprising = False
    if not less and not inputs.agrees(held) and not inputs.controls:  # did the mix itself move the measure?
        surprising = inputs.agrees(inputs.again(inputs.seen.observed, inputs.seen.before, [as_before]))
    if inputs.spoilt(held, surprising):
        return Check(name, False, words if less else f"{words}, too little to tell")
    return Check(name, True, words)

"""What would have spoilt a verdict, looked at without being asked: a failed check takes the claim back and says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from wellserved.measure import Measure, Question, answer
from wellserved.measure.definition import Better
from wellserved.measure.series import Series
from wellserved.moments import Every, NotComputed
from wellserved.prove.design import step_design
from wellserved.prove.model import LEVEL
from wellserved.prove.observe import DAY, Looking, Seen
from wellserved.prove.response import Observed, difference, respond
from wellserved.prove.step import trend_of
from wellserved.prove.verdict import Check, Plan, Verdict, change

PLACEBOS = (0.5, 0.75)  # places of the made-up changes, as parts of the time before the real one
MIXES = ("service", "category", "channel", "priority")
LATEST = {
    "day": 28,
    "week": 4,
    "month": 2,
    "quarter": 1,
    "year": 1,
}  # periods that may have been the worst, and so the reason to act
GAPS = "gaps in the record"
FEWEST = 20  # cases before the change that make a group of its own
MOVED = 0.05  # of the work, at least: with less, a mix explains nothing
MOST_MISSING = 0.2  # share of periods without a case, on either side
GAP = 3  # periods in a row without a case, next to the change


@dataclass(frozen=True)
class Tried:
    """The verdict that is checked, and what it was made of."""

    seen: Seen
    every: Every
    better: Better
    controls: tuple[Observed, ...]
    parallel: bool  # declared: no trend of the difference
    verdict: Verdict

    def again(
        self, observed: Observed, before: int, controls: Sequence[Observed] = (), level: float = LEVEL
    ) -> Verdict:
        """The same question put to other numbers."""
        parallel = self.parallel and bool(controls)
        return change(
            observed, before, self.every, self.better, controls=controls, parallel=parallel, plan=Plan(level=level)
        )

    def lost(self, other: Verdict) -> bool:
        """Whether the claim is no longer made."""
        return self.verdict.claims and other.status != self.verdict.status


def part(observed: Observed, of: slice) -> Observed:
    """Some of the periods."""
    return replace(observed, total=observed.total[of], size=observed.size[of])


def placebo_in_time(tried: Tried) -> Check:
    """Changes that nobody made, before the real one: a measure that moves by itself shows there too."""
    before, found = tried.seen.before, []
    for place in PLACEBOS:
        early = slice(0, before)
        controls = [part(one, early) for one in tried.controls]
        made_up = tried.again(part(tried.seen.observed, early), int(before * place), controls, 1 - 0.05 / len(PLACEBOS))
        if made_up.effect is not None:
            found.append((tried.seen.periods[int(before * place)].label, made_up))
    if not found:
        return Check("placebo in time", None, "there is too little history for made-up changes before the real one")
    moved = [label for label, one in found if one.claims]
    if moved:
        return Check("placebo in time", False, f"it moved like this at {moved[0]} too, when nothing was changed")
    return Check(
        "placebo in time", True, f"no change is seen at {len(found)} earlier dates at which nothing was changed"
    )


def worst_period(tried: Tried) -> Check:
    """Whether one acted after the worst weeks, which would have got better by themselves."""
    seen, last = tried.seen, LATEST[tried.every]
    whole = seen.before - (seen.mixed is not None)  # periods that lie before the change altogether
    if whole < 3 * last:
        return Check("worst weeks before", None, "there is too little history to leave the last weeks out")
    kept = np.ones(len(seen.periods), dtype=bool)
    kept[whole - last : whole] = False
    size = np.where(kept, seen.observed.size, 0.0)
    without = tried.again(replace(seen.observed, size=size), seen.before, tried.controls)
    if tried.lost(without):
        return Check(
            "worst weeks before", False, f"without the {last} {tried.every}s before the change, nothing is left of it"
        )
    return Check("worst weeks before", True, f"it does not hang on the {last} {tried.every}s before the change")


def trend_before(tried: Tried) -> Check:
    """How the measure was moving already; where moving alike was declared, the difference must not have moved."""
    seen = tried.seen
    design = step_design(tried.every, seen.before, [max(seen.before // 2, 1)], seen.observed.seen[: seen.before], False)
    early = [
        respond(part(one, slice(0, seen.before)), design.of_response()) for one in (seen.observed, *tried.controls)
    ]
    response = difference(early[0], early[1:], seen.before) if tried.controls else early[0]
    found = trend_of(response, tried.every)
    if found is None:
        return Check("trend before", None, "there is too little history to tell a trend")
    low, high = found
    if low <= 0 <= high:
        return Check("trend before", True, "no trend is seen before the change")
    way = "rising" if low > 0 else "falling"
    if tried.parallel:
        return Check(
            "trend before",
            False,
            f"the difference was {way} before the change already, so that both did not move alike",
        )
    return Check(
        "trend before", True, f"it was {way} before the change; the verdict holds whether that went on or stopped"
    )


def gaps(tried: Tried) -> Check:
    """Whether the record has holes where they matter; the period that holds the change is none."""
    whole = np.ones(len(tried.seen.periods), dtype=bool)
    if tried.seen.mixed is not None:
        whole[tried.seen.mixed] = False
    late = np.arange(len(whole)) >= tried.seen.before
    sides = [tried.seen.observed.seen[whole & side] for side in (~late, late)]
    holes = [1 - float(side.mean()) if len(side) else 1.0 for side in sides]
    for words, share in zip(("before", "after"), holes, strict=True):
        if share > MOST_MISSING:
            return Check(GAPS, False, f"{share:.0%} of the {tried.every}s {words} the change hold no case")
    if any(len(side) >= GAP and not side.any() for side in (sides[0][-GAP:], sides[1][:GAP])):
        return Check(GAPS, False, f"the {GAP} {tried.every}s next to the change hold no case")
    if not max(holes):
        return Check(GAPS, True, f"every {tried.every} holds cases")
    return Check(GAPS, True, f"at least {1 - max(holes):.0%} of the {tried.every}s hold cases, on either side")


def another_change(tried: Tried, on: date, others: Sequence[tuple[str, date]]) -> Check:
    """Whether something else was declared to have changed in the same time."""
    first, last = tried.seen.periods[0].start, tried.seen.periods[-1].end
    back = max(first, on - (last - on))
    near = [(what, when) for what, when in others if back <= when < last]
    if near:
        what, when = near[0]
        return Check(
            "another change nearby", False, f"“{what}” was begun on {when.isoformat()}; the two cannot be told apart"
        )
    return Check("another change nearby", True, "no other change is declared for the same cases in that time")


def untouched(tried: Tried, others: Seen) -> Check:
    """The same measure where nothing was changed: if it moved alike, the difference has to carry the claim."""
    name = "the others"
    if others.reason:
        return Check(name, None, f"the measure says nothing of them: {others.reason}")
    found = tried.again(others.observed, others.before)
    if found.status != tried.verdict.status or not found.claims:
        return Check(name, True, "for all other cases of the record no such change is seen")
    apart = tried.again(tried.seen.observed, tried.seen.before, [aligned(others, tried.seen)])
    if tried.lost(apart):
        return Check(
            name,
            False,
            "the cases that were not to change moved the same way; set against them, it can no longer be told",
        )
    return Check(name, True, "the other cases changed too, but less: set against them, it still holds")


def aligned(other: Seen, seen: Seen) -> Observed:
    """Another series over the periods of this one; what it does not know is missing."""
    at = {period.start: place for place, period in enumerate(other.periods)}
    places = [at.get(period.start) for period in seen.periods]
    total, size = (
        np.array([float(numbers[place]) if place is not None else 0.0 for place in places])
        for numbers in (other.observed.total, other.observed.size)
    )
    return replace(other.observed, total=total, size=size)


def mixes(looking: Looking, tried: Tried, measure: Measure, where: tuple[tuple[str, str], ...]) -> Iterator[Check]:
    """Whether other work came in: the verdict again with each kind of work weighted as it was before."""
    if tried.seen.age_days is None or measure.kind not in ("share", "mean", "wait"):
        return
    fixed = {column for column, _ in where}
    for column in MIXES:
        if column not in fixed and (check := _mix(looking, tried, measure, where, column)):
            yield check


def _mix(
    looking: Looking, tried: Tried, measure: Measure, where: tuple[tuple[str, str], ...], column: str
) -> Check | None:
    assert tried.seen.age_days is not None
    scope = looking.at_age(measure.anchor, tried.seen.age_days * DAY)
    counted = tried.seen.counted or measure
    question = Question(
        (replace(counted, minimum_n=2 if counted.kind == "mean" else 1),),
        column,
        looking.every,
        looking.since,
        looking.until,
        where,
    )
    series = answer(scope, question)[counted.name]
    total, size = _by_group(series, tried.seen)
    if len(size) < 2:
        return None
    early = size[:, : tried.seen.before].sum(axis=1)
    late = size[:, tried.seen.before :].sum(axis=1)
    if not early.sum() or not late.sum():
        return None
    share = early / early.sum()
    moved = float(np.abs(share - late / late.sum()).sum() / 2)
    there = size > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(there, total / np.where(there, size, 1), 0.0)
    weight = (share[:, None] * there).sum(axis=0)
    level = np.where(weight > 0, (share[:, None] * rate).sum(axis=0) / np.where(weight > 0, weight, 1), 0.0)
    cases = tried.seen.observed.size
    held = tried.again(replace(tried.seen.observed, total=level * cases), tried.seen.before, tried.controls)
    name = f"mix by {column}"
    if tried.lost(held) and moved >= MOVED:
        return Check(
            name,
            False,
            f"{moved:.0%} of the work came from elsewhere after the change; with the mix as it was before, the claim is gone",
        )
    if tried.lost(held):
        return Check(name, True, f"only {moved:.0%} of the work moved, too little to explain it")
    return Check(name, True, f"with the mix as it was before, the verdict is the same ({moved:.0%} of the work moved)")


def _by_group(series: Series, seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Totals and sizes by group and period; small groups are taken together."""
    at = {period.start: place for place, period in enumerate(seen.periods)}
    groups: dict[str | None, tuple[np.ndarray, np.ndarray]] = {}
    for place, segment in enumerate(series.segments):
        period, value = series.periods[place], series.value[place]
        if period is None or period.start not in at or isinstance(value, NotComputed):
            continue
        total, size = groups.setdefault(segment, (np.zeros(len(at)), np.zeros(len(at))))
        n = float(series.n[place])
        size[at[period.start]] = n
        count = series.count[place]
        total[at[period.start]] = value * n if count is None else float(count)
    large = {name: pair for name, pair in groups.items() if pair[1][: seen.before].sum() >= FEWEST}
    rest = [pair for name, pair in groups.items() if name not in large]
    pairs = [*large.values()]
    if rest:
        pairs.append((np.sum([one[0] for one in rest], axis=0), np.sum([one[1] for one in rest], axis=0)))
    if not pairs:
        return np.empty((0, 0)), np.empty((0, 0))
    return np.array([one[0] for one in pairs]), np.array([one[1] for one in pairs])

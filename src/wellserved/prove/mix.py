"""A measure as it would have been with each kind of work weighted as before a change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from wellserved.measure import Measure, Question
from wellserved.measure.ask import answer
from wellserved.measure.series import Series
from wellserved.moments import NotComputed
from wellserved.prove.model import Floats
from wellserved.prove.observe import DAY, Codes, Looking, Seen, Where, coded_waits, wait_levels
from wellserved.prove.response import Observed, quantile_of

FEWEST = 20  # cases before the change that make a group of its own
Numbers = dict[tuple[date, str | None], tuple[float, float]]  # period's start and group -> total and size
Waiting = dict[tuple[date, str | None], Codes]  # the same -> its waits


@dataclass(frozen=True)
class Mix:
    """The measure with the mix held as it was before, and the part of the work that came from elsewhere after."""

    observed: Observed | None  # None: it cannot be told
    moved: float
    reason: str = ""


def mix_as_before(looking: Looking, seen: Seen, measure: Measure, where: Where, column: str) -> Mix | None:
    """Would it have changed with the same kinds of work? None: there is but one kind, or none on one side.

    Each case weighs so that in every period the kinds that it holds have the shares they had before the change.
    """
    assert seen.age_days is not None
    scope = looking.at_age(measure.anchor, seen.age_days * DAY)
    counted = replace(measure, minimum_n=2 if measure.kind == "mean" else 1)
    question = Question((counted,), column, looking.every, looking.since, looking.until, where)
    waits: Waiting = {}
    if measure.kind == "wait":
        waits = coded_waits(looking, scope, measure, question)
        numbers = {key: (0.0, float(len(codes))) for key, codes in waits.items()}
    else:
        numbers = _numbers(answer(scope, question)[counted.name])
    rows, total, size = _by_group(numbers, seen)
    early, late = size[:, : seen.before].sum(axis=1), size[:, seen.before :].sum(axis=1)
    if len(size) < 2 or not early.sum() or not late.sum():
        return None
    share = early / early.sum()
    moved = float(np.abs(share - late / late.sum()).sum() / 2)
    if measure.kind == "wait":
        return _weigh_waits(looking, seen, measure, waits, rows, share, size, moved)
    there = size > 0
    weight = (share[:, None] * there).sum(axis=0)
    rate = np.where(there, total / np.where(there, size, 1), 0.0)
    level = np.where(weight > 0, (share[:, None] * rate).sum(axis=0) / np.where(weight > 0, weight, 1), 0.0)
    return Mix(replace(seen.observed, total=level * seen.observed.size), moved)


def _weigh_waits(
    looking: Looking, seen: Seen, measure: Measure, waits: Waiting, rows: dict[str | None, int],
    share: Floats, size: Floats, moved: float,
) -> Mix:  # fmt: skip
    """A wait by period with each kind of work weighted as before.

    rows: the row of each kind in `size`, its cases by period; share: its part of the work before.
    """
    by_start: dict[date, dict[str | None, Codes]] = {}
    for (start, kind), codes in waits.items():
        by_start.setdefault(start, {})[kind] = codes
    pieces, weights = [], []
    for period, (number, cases) in zip(seen.periods, enumerate(size.T), strict=True):
        kinds = {} if number in seen.left_out else by_start.get(period.start, {})
        weight = cases.sum() * share / max(share[cases > 0].sum(), 1e-12) / np.maximum(cases, 1)
        pieces.append(np.concatenate([np.array([], np.int64), *kinds.values()]))
        repeated = [np.full(len(codes), weight[rows[kind]]) for kind, codes in kinds.items()]
        weights.append(np.concatenate([np.array([]), *repeated]))
    levels = wait_levels(looking, seen, measure, pieces, weights)
    if levels.reason:
        return Mix(None, moved, levels.reason)
    return Mix(quantile_of(levels, measure.quantile, seen.observed.level, seen.observed.level_after), moved)


def _numbers(series: Series) -> Numbers:
    """Total and size of each group in each period."""
    numbers: Numbers = {}
    for segment, period, value, n, count in zip(
        series.segments, series.periods, series.value, series.n, series.count, strict=True
    ):
        if period is not None and not isinstance(value, NotComputed):
            numbers[period.start, segment] = (value * n if count is None else float(count), float(n))
    return numbers


def _by_group(numbers: Numbers, seen: Seen) -> tuple[dict[str | None, int], Floats, Floats]:
    """The row of each group, and totals and sizes by row and period; small groups share the last row."""
    column = {period.start: number for number, period in enumerate(seen.periods) if number not in seen.left_out}
    inside = {key: pair for key, pair in numbers.items() if key[0] in column}
    early = dict.fromkeys((segment for _, segment in inside), 0.0)
    for (start, segment), (_, n) in inside.items():
        early[segment] += n if column[start] < seen.before else 0.0
    large = {segment: row for row, segment in enumerate(segment for segment, n in early.items() if n >= FEWEST)}
    rows = {segment: large.get(segment, len(large)) for segment in early}
    total, size = (np.zeros((max(rows.values(), default=-1) + 1, len(seen.periods))) for _ in range(2))
    for (start, segment), (value, n) in inside.items():
        total[rows[segment], column[start]] += value
        size[rows[segment], column[start]] += n
    return rows, total, size

"""A measure as it would have been with each kind of work weighted as before a change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from wellserved.measure import Measure, Question, answer
from wellserved.measure.series import Series
from wellserved.moments import NotComputed
from wellserved.prove.model import Floats
from wellserved.prove.observe import DAY, Codes, Looking, Seen, Where, coded_waits, followed
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
        numbers = {key: (0.0, float(len(one))) for key, one in waits.items()}
    else:
        numbers = _numbers(answer(scope, question)[counted.name])
    places, total, size = _by_group(numbers, seen)
    early, late = size[:, : seen.before].sum(axis=1), size[:, seen.before :].sum(axis=1)
    if len(size) < 2 or not early.sum() or not late.sum():
        return None
    share = early / early.sum()
    moved = float(np.abs(share - late / late.sum()).sum() / 2)
    if measure.kind == "wait":
        return _weighted_waits(looking, seen, measure, waits, places, share, size, moved)
    there = size > 0
    weight = (share[:, None] * there).sum(axis=0)
    rate = np.where(there, total / np.where(there, size, 1), 0.0)
    level = np.where(weight > 0, (share[:, None] * rate).sum(axis=0) / np.where(weight > 0, weight, 1), 0.0)
    return Mix(replace(seen.observed, total=level * seen.observed.size), moved)


def _weighted_waits(
    looking: Looking, seen: Seen, measure: Measure, waits: Waiting, places: dict[str | None, int],
    share: Floats, size: Floats, moved: float,
) -> Mix:  # fmt: skip
    """A wait by period with each kind of work weighted as before.

    places: the row of each kind in `size`, its cases by period; share: its part of the work before.
    """
    by_start: dict[date, dict[str | None, Codes]] = {}
    for (start, by), one in waits.items():
        by_start.setdefault(start, {})[by] = one
    pieces, weights = [], []
    for at, period in enumerate(seen.periods):
        mine = {} if at == seen.mixed else by_start.get(period.start, {})
        there = size[:, at] > 0
        each = size[:, at].sum() * share / max(share[there].sum(), 1e-12) / np.maximum(size[:, at], 1)
        pieces.append(np.concatenate([np.array([], np.int64), *mine.values()]))
        weights.append(
            np.concatenate([np.array([]), *(np.full(len(one), each[places[by]]) for by, one in mine.items())])
        )
    levels = followed(looking, seen, measure, pieces, weights)
    if levels.reason:
        return Mix(None, moved, levels.reason)
    return Mix(quantile_of(levels, measure.quantile, seen.observed.level, seen.observed.level_after), moved)


def _numbers(series: Series) -> Numbers:
    """Total and size of each group in each period."""
    found: Numbers = {}
    for segment, period, value, n, count in zip(
        series.segments, series.periods, series.value, series.n, series.count, strict=True
    ):
        if period is not None and not isinstance(value, NotComputed):
            found[period.start, segment] = (value * n if count is None else float(count), float(n))
    return found


def _by_group(numbers: Numbers, seen: Seen) -> tuple[dict[str | None, int], Floats, Floats]:
    """The row of each group, and totals and sizes by row and period; small groups share the last row."""
    at = {period.start: place for place, period in enumerate(seen.periods)}
    known = {key: pair for key, pair in numbers.items() if key[0] in at}
    early = dict.fromkeys((segment for _, segment in known), 0.0)
    for (start, segment), (_, n) in known.items():
        early[segment] += n if at[start] < seen.before else 0.0
    large = [segment for segment, n in early.items() if n >= FEWEST]
    places = {segment: large.index(segment) if segment in large else len(large) for segment in early}
    total, size = (np.zeros((max(places.values(), default=-1) + 1, len(at))) for _ in range(2))
    for (start, segment), (one, n) in known.items():
        total[places[segment], at[start]] += one
        size[places[segment], at[start]] += n
    return places, total, size

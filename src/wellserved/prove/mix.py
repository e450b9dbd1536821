"""A measure as it would have been with each kind of work weighted as before a change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from wellserved.calendar import SECONDS_PER_DAY
from wellserved.measure import Measure, MeasureQuestion
from wellserved.measure.assembly import answer_question
from wellserved.measure.series import Series
from wellserved.moments import NotComputable
from wellserved.prove.engine.model import Floats
from wellserved.prove.engine.response import ModelInput, quantile_input
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.wait_series import PackedDurations, packed_waits, wait_levels
from wellserved.prove.window import AnalysisWindow, CaseFilter

FEWEST_GROUP_CASES = 20  # cases before the change that make a group of its own
LEAST_GROUP_SHARE = 0.02  # of the cases before: a group of fewer explains nothing
GroupTotals = dict[tuple[date, str | None], tuple[float, float]]  # period's start and group -> total and size
GroupWaits = dict[tuple[date, str | None], PackedDurations]  # period's start and group -> its waits


@dataclass(frozen=True)
class MixAdjustment:
    """The measure with the mix held as it was before, and the part of the work that came from elsewhere after."""

    model_input: ModelInput | None  # None: it cannot be told
    moved_share: float
    reason: str = ""


def mix_as_before(
    window: AnalysisWindow, series: PeriodSeries, measure: Measure, where: CaseFilter, column: str
) -> MixAdjustment | None:
    """Would it have changed with the same kinds of work? None: there is but one kind, or none on one side.

    Each case weighs so that in every period the kinds that it holds have the shares they had before the change. Where one
    kind of work is what is counted, the kinds are those of all other work: fewer cases of it are no other mix.
    """
    assert series.age_days is not None
    case_table = window.at_age(measure.anchor, series.age_days * SECONDS_PER_DAY)
    counted_measure = replace(measure, minimum_n=2 if measure.kind == "mean" else 1)
    question = MeasureQuestion((counted_measure,), column, window.granularity, window.since, window.until, where)
    waits: GroupWaits = {}
    if measure.kind == "wait":
        waits = packed_waits(window, case_table, measure, question)
        numbers = {key: (0.0, float(len(codes))) for key, codes in waits.items()}
    else:
        numbers = _totals_and_sizes(answer_question(case_table, question)[counted_measure.name])
        if measure.counts_a_kind:
            numbers = {key: (total, n - total) for key, (total, n) in numbers.items()}
            if (group := _group_of_the_kind(numbers, series)) is not None:
                return MixAdjustment(None, 0.0, f"most cases of {group} are of the very kind that is counted")
    rows, total, size = _by_group(numbers, series, measure.counts_a_kind)
    early_sizes, late_sizes = size[:, : series.before].sum(axis=1), size[:, series.before :].sum(axis=1)
    if len(size) < 2 or not early_sizes.sum() or not late_sizes.sum():
        return None
    share = early_sizes / early_sizes.sum()
    moved_share = float(np.abs(share - late_sizes / late_sizes.sum()).sum() / 2)
    if measure.kind == "wait":
        return _weigh_waits(window, series, measure, waits, rows, share, size, moved_share)
    has_cases = size + total > 0 if measure.counts_a_kind else size > 0
    weight = (share[:, None] * has_cases).sum(axis=0)
    # for each of few others: x/(n - x + 1) is p/(1 - p) on average, but for p to the power of n
    other_cases = size + 1 if measure.counts_a_kind else np.where(has_cases, size, 1)
    rate = np.where(has_cases, total / other_cases, 0.0)
    level = np.where(weight > 0, (share[:, None] * rate).sum(axis=0) / np.where(weight > 0, weight, 1), 0.0)
    if measure.counts_a_kind:  # so many for each of the others
        level = level / (1 + level)
    return MixAdjustment(replace(series.model_input, total=level * series.model_input.size), moved_share)


def _group_of_the_kind(numbers: GroupTotals, series: PeriodSeries) -> str | None:
    """A group that holds a part of the work worth speaking of, most of it of the kind that is counted, but not all: whether fewer of
    it came, or fewer of the kind in it, nobody can tell. One that is that kind alone is another name for it."""
    early_starts = {period.start for period in series.periods[: series.before]}
    totals, other_sizes = dict[str | None, float](), dict[str | None, float]()
    for (start, segment), (total, other_size) in numbers.items():
        if start in early_starts:
            totals[segment] = totals.get(segment, 0.0) + total
            other_sizes[segment] = other_sizes.get(segment, 0.0) + other_size
    least_cases = LEAST_GROUP_SHARE * (sum(totals.values()) + sum(other_sizes.values()))
    mixed_groups = [
        segment
        for segment, size in other_sizes.items()
        if totals[segment] > size > 0 and totals[segment] + size >= least_cases
    ]
    return (mixed_groups[0] or "none") if mixed_groups else None


def _weigh_waits(
    window: AnalysisWindow, series: PeriodSeries, measure: Measure, waits: GroupWaits, rows: dict[str | None, int],
    share: Floats, size: Floats, moved_share: float,
) -> MixAdjustment:  # fmt: skip
    """A wait by period with each kind of work weighted as before.

    rows: the row of each kind in `size`, its cases by period; share: its part of the work before.
    """
    by_start: dict[date, dict[str | None, PackedDurations]] = {}
    for (start, kind), codes in waits.items():
        by_start.setdefault(start, {})[kind] = codes
    waits_by_period, weights = [], []
    for period, (index, cases) in zip(series.periods, enumerate(size.T), strict=True):
        kinds = {} if index in series.excluded_periods else by_start.get(period.start, {})
        weight = cases.sum() * share / max(share[cases > 0].sum(), 1e-12) / np.maximum(cases, 1)
        waits_by_period.append(np.concatenate([np.array([], np.int64), *kinds.values()]))
        repeated_weights = [np.full(len(codes), weight[rows[kind]]) for kind, codes in kinds.items()]
        weights.append(np.concatenate([np.array([]), *repeated_weights]))
    levels = wait_levels(window, series, measure, waits_by_period, weights)
    if levels.reason:
        return MixAdjustment(None, moved_share, levels.reason)
    return MixAdjustment(
        quantile_input(levels, measure.quantile, series.model_input.level_before, series.model_input.level_after),
        moved_share,
    )


def _totals_and_sizes(series: Series) -> GroupTotals:
    """Total and size of each group in each period."""
    numbers: GroupTotals = {}
    for segment, period, value, n, count in zip(
        series.segments, series.periods, series.value, series.n, series.count, strict=True
    ):
        if period is not None and not isinstance(value, NotComputable):
            numbers[period.start, segment] = (value * n if count is None else float(count), float(n))
    return numbers


def _by_group(
    numbers: GroupTotals, series: PeriodSeries, counts_a_kind: bool
) -> tuple[dict[str | None, int], Floats, Floats]:
    """The row of each group, and totals and sizes by row and period; small groups share the last row.

    `counts_a_kind`: sizes are of the other work. A group that is mostly the kind itself says nothing of those others and
    counts as small; where all small ones together are, they belong to the largest group.
    """
    column = {
        period.start: index for index, period in enumerate(series.periods) if index not in series.excluded_periods
    }
    counted_numbers = {key: pair for key, pair in numbers.items() if key[0] in column}
    early_size = dict.fromkeys((segment for _, segment in counted_numbers), 0.0)
    early_total = dict(early_size)
    for (start, segment), (value, n) in counted_numbers.items():
        if column[start] < series.before:
            early_size[segment] += n
            early_total[segment] += value
    large_groups = [
        segment
        for segment, n in early_size.items()
        if n >= FEWEST_GROUP_CASES and not (counts_a_kind and early_total[segment] > n)
    ]
    large = {segment: row for row, segment in enumerate(large_groups)}
    small_row = len(large)
    if counts_a_kind and large and sum(early_size[s] for s in early_size.keys() - large.keys()) < FEWEST_GROUP_CASES:
        small_row = large[max(large, key=lambda segment: early_size[segment])]
    rows = {segment: large.get(segment, small_row) for segment in early_size}
    total, size = (np.zeros((max(rows.values(), default=-1) + 1, len(series.periods))) for _ in range(2))
    for (start, segment), (value, n) in counted_numbers.items():
        total[rows[segment], column[start]] += value
        size[rows[segment], column[start]] += n
    return rows, total, size

"""Series to control charts: limits, one boolean array a rule, and only then better or worse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
from scipy import special

from wellserved.chart import limits as chart_limits
from wellserved.chart.limits import Floats, Limits, Mask
from wellserved.chart.rules import FEWEST_POINTS, RULE_SETS, RULES, Runs, runs
from wellserved.errors import RequestError, UnknownNameError
from wellserved.measure import Series
from wellserved.measure.interval import CONFIDENCE
from wellserved.moments import NotComputable
from wellserved.wording import plural

ChartKind = Literal["xmr", "p", "p'", "u", "u'", "c", "t", "xbar", "ewma"]
_OF_COUNTS: Final[dict[str, Callable[[Floats, Floats, Mask], Limits]]] = {
    "p": chart_limits.p,
    "p'": chart_limits.p_prime,
    "u": chart_limits.u,
    "u'": chart_limits.u_prime,
}
_OF_VALUES: Final[dict[str, Callable[[Floats, Mask], Limits]]] = {"c": chart_limits.c, "t": chart_limits.t}
CHART_KINDS: Final = {
    "xmr": "individuals and moving range (XmR)",
    "p": "share (p)",
    "p'": "share that varies between periods (p', Laney)",
    "u": "rate (u)",
    "u'": "rate that varies between periods (u', Laney)",
    "c": "count (c)",
    "t": "skewed times (t, Nelson)",
    "xbar": "mean of samples (X̄)",
    "ewma": "moving average for small lasting shifts (EWMA)",
}
AUTOCORRELATION_LIMIT = 0.2  # lag-1, above which the false-alarm rates of all rules multiply


@dataclass(frozen=True)
class Signal:
    """One thing that a rule found, judged."""

    rule: str
    first: int  # place of its first point
    last: int
    side: Literal["above", "below", "none"]  # of the centre; none: a rule without direction
    verdict: Literal["better", "worse", "neither"]
    words: str


@dataclass(frozen=True)
class Screening:
    """What screening the moving ranges of one phase did."""

    ranges: int  # that the limits are computed from
    left_out: int
    narrower: float  # part by which the limits came nearer to the centre

    @property
    def words(self) -> str:
        """2 moving ranges left out; limits 12% narrower."""
        if not self.left_out:
            return "no moving range left out"
        return f"{plural(self.left_out, 'moving range')} left out; limits {self.narrower:.0%} narrower"


@dataclass(frozen=True)
class Chart:
    """A series with its limits, the rules' findings and what they mean; the numbers stay in the series."""

    series: Series
    kind: ChartKind
    rule_set: str
    used: Mask  # point is computed, its period over
    values: Floats  # NaN where not computable
    limits: Limits | NotComputable
    phases: tuple[int, ...]  # place of each phase's first point
    signal_masks: dict[str, Mask]  # rule -> points
    runs: Runs | None  # of the last phase
    autocorrelation: float | None  # lag-1 after taking out the best step
    signals: tuple[Signal, ...]
    screenings: tuple[Screening, ...] = ()  # by phase; none: the moving ranges were not screened

    @property
    def screening_note(self) -> str:
        """The rule by which moving ranges were left out, and what that did; empty: none was asked for."""
        if not self.screenings:
            return ""
        prefixes = [f"phase {index + 1}: " if len(self.screenings) > 1 else "" for index in range(len(self.screenings))]
        effects = [prefix + screening.words for prefix, screening in zip(prefixes, self.screenings, strict=True)]
        return (
            f"Moving ranges screened ({'; '.join(effects)}): those of {chart_limits.D4} times their mean or more take no part in "
            "the limits, once."
        )

    @property
    def warning(self) -> str:
        """What to know before believing a signal; empty: nothing."""
        if self.autocorrelation is None or self.autocorrelation < AUTOCORRELATION_LIMIT:
            return ""
        return (
            f"Neighbouring periods resemble each other (lag-1 correlation {self.autocorrelation:.2f}): at 0.3 about one "
            "chart in five shows a false signal, at 0.8 most do. Longer periods help."
        )


def usual_kind(series: Series) -> ChartKind:
    """p' for shares, u' for means of counts, XmR for everything else."""
    if series.measure.kind == "share":
        return "p'"
    return "u'" if series.measure.is_count_mean else "xmr"


def _check_kind(series: Series, kind: str) -> None:
    """A chart whose limits rest on what the measure is not is refused."""
    measure = series.measure
    if kind not in CHART_KINDS:
        raise UnknownNameError("chart", kind, CHART_KINDS)
    is_a = {"p": "share", "p'": "share", "t": "time", "xbar": "mean of samples"}
    fits = {"share": measure.kind == "share", "time": measure.kind == "wait", "mean of samples": measure.kind == "mean"}
    if kind in is_a and not fits[is_a[kind]]:
        raise RequestError(f"{measure.name} is no {is_a[kind]}, so it has no {kind} chart.", "Use --kind xmr.")


def compute_chart(
    series: Series,
    kind: ChartKind | None = None,
    rule_set: str = "anhoej",
    phases: Sequence[date] = (),
    baseline: date | None = None,
    screening: bool = False,
) -> Chart:
    """The control chart of one segment's series.

    phases: dates from which new limits are computed. baseline: limits come from the periods before this
    date and are held. screening: of an XmR chart, without moving ranges that are far beyond the others. Periods that
    are not over, and numbers not computable, take no part.
    """
    if rule_set not in RULE_SETS:
        raise UnknownNameError("rule set", rule_set, RULE_SETS)
    if len(set(series.segments)) > 1:
        raise RequestError("A chart shows one segment at a time.", "Leave out --by, or filter with --where.")
    kind = kind or usual_kind(series)
    _check_kind(series, kind)
    if screening and kind != "xmr":
        raise RequestError(
            f"Limits of {CHART_KINDS[kind]} do not come from moving ranges, so there is nothing to screen.",
            "Leave out --screen, or use --kind xmr.",
        )
    values = np.array([np.nan if isinstance(value, NotComputable) else value for value in series.value], dtype=float)
    used = np.isfinite(values) & np.array(series.is_over, dtype=bool)
    starts = [period.start if period else date.min for period in series.periods]
    phase_starts = _phase_starts(starts, phases)
    if used.sum() < FEWEST_POINTS:
        too_few = _reason(series) or NotComputable(f"only {int(used.sum())} periods; limits need {FEWEST_POINTS}")
        return Chart(series, kind, rule_set, used, values, too_few, phase_starts, {}, None, None, ())
    base = used & np.array([baseline is None or start < baseline for start in starts])
    limits = _phase_limits(series, kind, values, base, used, phase_starts, screening)
    charted_values = np.where(used, values, np.nan)
    if kind == "ewma":
        charted_values = values = _moving_average(charted_values, limits, phase_starts)
    # Neighbours in a moving average resemble each other by design: runs and crossings would say nothing.
    rules = ("outside",) if kind == "ewma" else RULE_SETS[rule_set]
    masks = {name: _by_phase(name, charted_values, limits, phase_starts) for name in rules}
    last_phase = slice(phase_starts[-1], None)
    return Chart(
        series,
        kind,
        rule_set,
        used,
        values,
        limits,
        phase_starts,
        masks,
        None if kind == "ewma" else runs(charted_values[last_phase], _slice_limits(limits, last_phase)),
        None if kind == "ewma" else autocorrelation(values[used]),
        tuple(find_signals(series, charted_values, limits, masks)),
        tuple(_screenings(values, base, used, phase_starts)) if screening else (),
    )


def _reason(series: Series) -> NotComputable | None:
    """Why no number of the series could be computed, where it is one reason for all of them."""
    reasons = {value.reason if isinstance(value, NotComputable) else "" for value in series.value}
    return NotComputable(reason) if len(reasons) == 1 and (reason := reasons.pop()) else None


def _phase_starts(starts: Sequence[date], phases: Sequence[date]) -> tuple[int, ...]:
    positions = {0}
    for phase in phases:
        positions |= set([index for index, start in enumerate(starts) if start >= phase][:1])
    return tuple(sorted(positions))


def _slice_limits(limits: Limits, points: slice) -> Limits:
    return Limits(limits.centre[points], limits.lower[points], limits.upper[points])


def _slices(phase_starts: Sequence[int], size: int) -> list[slice]:
    return [slice(start, end) for start, end in zip(phase_starts, (*phase_starts[1:], size), strict=True)]


def _limit_points(base: Mask, used: Mask, phase: slice) -> Mask:
    """The points of a phase that its limits are computed from."""
    return base[phase] if base[phase].sum() > 1 else used[phase]


def _screenings(values: Floats, base: Mask, used: Mask, phase_starts: Sequence[int]) -> Iterator[Screening]:
    """What was left out of the moving ranges of each phase that has limits."""
    for phase in _slices(phase_starts, len(values)):
        base_values = values[phase][_limit_points(base, used, phase)]
        ranges = np.abs(np.diff(base_values))
        if len(ranges):
            kept_ranges, mean = chart_limits.screen_ranges(ranges), float(np.mean(ranges))
            yield Screening(
                len(ranges), len(ranges) - len(kept_ranges), 1 - float(np.mean(kept_ranges)) / mean if mean else 0.0
            )


def _phase_limits(
    series: Series,
    kind: ChartKind,
    values: Floats,
    base: Mask,
    used: Mask,
    phase_starts: Sequence[int],
    screening: bool,
) -> Limits:
    """Limits that step from phase to phase; a phase of fewer than two points has none of its own."""
    sizes = np.array(series.n, dtype=float)
    all_limits = []
    for phase in _slices(phase_starts, len(values)):
        in_base = _limit_points(base, used, phase)
        if in_base.sum() < 2:
            empty = np.full(len(values[phase]), np.nan)
            all_limits.append(Limits(empty, empty, empty))
        elif kind in _OF_COUNTS:
            size = np.where(used[phase], sizes[phase], 1.0)
            count = np.where(used[phase], values[phase], 0.0) * size
            all_limits.append(_OF_COUNTS[kind](count, size, in_base))
        elif kind == "xbar":
            all_limits.append(_of_samples(series.take(range(len(values))[phase]), values[phase], in_base))
        elif kind == "ewma":
            individuals = chart_limits.xmr(values[phase], in_base)
            target, sigma = float(individuals.centre[0]), float(individuals.upper[0] - individuals.centre[0]) / 3
            all_limits.append(chart_limits.ewma(len(values[phase]), target, sigma))
        elif kind == "xmr":
            all_limits.append(chart_limits.xmr(values[phase], in_base, screening))
        else:
            all_limits.append(_OF_VALUES[kind](values[phase], in_base))
    bounds = [
        np.concatenate([getattr(phase_limits, line) for phase_limits in all_limits])
        for line in ("centre", "lower", "upper")
    ]
    bounds[1:] = [np.where(used, line, np.nan) for line in bounds[1:]]  # an unfinished period has no limits yet
    if series.measure.kind in ("count", "stock", "stock_age", "wait"):  # none of these can be negative
        bounds[1] = np.maximum(bounds[1], 0.0)
    return Limits(*bounds)


def _of_samples(series: Series, values: Floats, in_base: Mask) -> Limits:
    """X̄ limits; what the samples' own intervals say of their standard deviations. One answer has none."""
    intervals = [(math.nan, math.nan) if isinstance(high, NotComputable) or isinstance(low, NotComputable) else (low, high)
            for low, high in zip(series.low, series.high, strict=True)]  # fmt: skip
    sizes = np.maximum(np.array(series.n, dtype=float), 2.0)
    half_widths = np.diff(np.array(intervals, dtype=float), axis=1)[:, 0] / 2
    deviations = half_widths * np.sqrt(sizes) / special.stdtrit(sizes - 1, (1 + CONFIDENCE) / 2)
    return chart_limits.xbar(np.nan_to_num(values), deviations, sizes, in_base & np.isfinite(half_widths))


def _moving_average(values: Floats, limits: Limits, phase_starts: Sequence[int]) -> Floats:
    """The moving average, begun anew at the centre of each phase."""
    phases = _slices(phase_starts, len(values))
    return np.concatenate(
        [chart_limits.moving_average(values[phase], float(limits.centre[phase][0])) for phase in phases]
    )


def _by_phase(rule: str, values: Floats, limits: Limits, phase_starts: Sequence[int]) -> Mask:
    masks = [
        RULES[rule][0](values[phase], _slice_limits(limits, phase)) for phase in _slices(phase_starts, len(values))
    ]
    return np.concatenate(masks)


def find_signals(series: Series, values: Floats, limits: Limits, masks: dict[str, Mask]) -> list[Signal]:
    """Second step: where each rule fired, on which side, and whether that side is better.

    Points that follow each other but for periods without a value belong to one signal.
    """
    signals = []
    order, above = np.cumsum(np.isfinite(values)), np.sign(values - limits.centre)
    for rule, mask in masks.items():
        positions = np.flatnonzero(mask)
        breaks = np.diff(order[positions]) > 1
        if rule != "few_crossings":  # a run ends where the next one begins on the other side
            breaks |= np.diff(above[positions]) != 0
        for group in np.split(positions, np.flatnonzero(breaks) + 1):
            if not len(group):
                continue
            sides = above[group]
            side: Literal["above", "below", "none"] = "none"
            if rule != "few_crossings" and abs(sides.sum()) == len(group):
                side = "above" if sides[0] > 0 else "below"
            good = {"higher": "above", "lower": "below"}.get(series.measure.better)
            verdict: Literal["better", "worse", "neither"] = "neither"
            if side != "none" and good is not None:
                verdict = "better" if side == good else "worse"
            signals.append(Signal(rule, int(group[0]), int(group[-1]), side, verdict, RULES[rule][1]))
    return signals


def autocorrelation(values: Floats) -> float | None:
    """Lag-1 correlation after removing the best single step, so that one shift is not taken for persistence."""
    n = len(values)
    if n < FEWEST_POINTS or not np.ptp(values):
        return None
    ends = np.arange(2, n - 1)
    sums = np.cumsum(values - values.mean())[ends - 1]
    cut = int(ends[np.argmax(np.abs(sums) / np.sqrt(ends * (n - ends) / n))])
    residuals = np.concatenate([values[:cut] - values[:cut].mean(), values[cut:] - values[cut:].mean()])
    total = float(residuals @ residuals)
    return float(residuals[1:] @ residuals[:-1]) / total if total > 0 else None

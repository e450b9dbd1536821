"""The columns that explain a series: level, season, trend, and the step whose size is the question.

The step is the mean effect over its window. Inside the window the effect may stay about the same, grow evenly, come
fast and level off, or come late: each course is a hypothesis with a column that is zero on average over the window,
and the series itself weighs them against each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from wellserved.moments import Granularity
from wellserved.prove.engine.model import Floats, Hypothesis, Mask, variance_within_window

Trend = Literal["continues", "stops"]
TRENDS: tuple[Trend, ...] = ("continues", "stops")

PERIODS_PER_YEAR: dict[Granularity, float] = {
    "day": 365.25,
    "week": 52.1775,
    "month": 12.0,
    "quarter": 4.0,
    "year": np.inf,
}
"""Periods after which the season comes again; whole years have none: infinite."""
TWO_YEARS: dict[Granularity, int] = {"day": 730, "week": 104, "month": 24, "quarter": 8, "year": 2}
STEADY_SD = 0.25  # an effect that stays about the same strays by this part of a residual sd at the ends of its window
MOVING_SD = 3.0  # one that does not: how far it strays, in residual standard deviations
FREE_COURSE_SDS = (6.0, 60.0)  # how far a course of any form strays, in residual standard deviations
HALF_WAVES = 8  # half waves of which such a course is made, besides the first two of the named ones
Course = Callable[[Floats], Floats]


def _wave(number: int, position: Floats) -> Floats:
    wave: Floats = np.cos(np.pi * number * position)
    return wave


NAMED_COURSES: dict[str, Course] = {
    "grows evenly": lambda position: position,
    "levels off": lambda position: 1 - np.exp(-5 * position),
    "comes late": lambda position: (position >= 0.5).astype(float),
}
"""How an effect may go on inside its window, which runs from 0 to 1; a fading one is the same with another sign."""
FREE_COURSE: tuple[Course, ...] = (
    *list(NAMED_COURSES.values())[:2],
    *(partial(_wave, number) for number in range(1, HALF_WAVES + 1)),
)
COURSES: dict[str, tuple[float, tuple[Course, ...]]] = {
    **{name: (MOVING_SD, (shape,)) for name, shape in NAMED_COURSES.items()},
    **{f"goes another way ({sd:g})": (sd, FREE_COURSE) for sd in FREE_COURSE_SDS},
}
"""Each course's prior sd and columns; the sd of the k-th column is a k-th of it."""
STEADY_MASS = 0.2  # what is believed beforehand of an effect that stays about the same; the others share the rest
UNSEEN_SEASON_SD = 0.5  # prior sd of the season of a year that was not seen twice, in residual standard deviations
SEASON_MASS = 0.15  # what is believed beforehand of its having one


@dataclass(frozen=True)
class Design:
    """Columns over all periods; a fit takes the flat ones of one trend, and those of each hypothesis in turn."""

    columns: Floats  # n, K: level, steps, season, courses, wave of the year, trends
    flat_columns: dict[Trend, list[int]]
    hypotheses: tuple[Hypothesis, ...]
    has_season: Mask  # H: those that believe in a season which was not seen twice
    course_names: tuple[str, ...]  # H: what each says of the effect's course; empty: it stays about the same
    step_count: int
    window_variance: Floats  # J: the variance that shows inside the whole window, relative to s²

    @property
    def width(self) -> int:
        """Columns of the largest fit in which the effect stays about the same: what a record has to carry at least."""
        steady = [
            hypothesis for hypothesis, course in zip(self.hypotheses, self.course_names, strict=True) if not course
        ]
        return len(self.flat_columns["continues"]) + max(len(hypothesis.columns) for hypothesis in steady)

    def response_columns(self) -> Floats:
        """The columns at which counts and rates are linearised: all but the season that was not seen."""
        seasonless = [
            hypothesis
            for hypothesis, has_season in zip(self.hypotheses, self.has_season, strict=True)
            if not has_season
        ]
        course_columns = sorted({column for hypothesis in seasonless for column in hypothesis.columns})
        return self.columns[:, [*self.flat_columns["continues"], *course_columns]]

    def is_effect_column(self, before: int) -> Mask:
        """The columns that move only after the change (K): the effect."""
        is_effect_column: Mask = ~np.any(self.columns[:before], axis=0)
        return is_effect_column


def season_columns(granularity: Granularity, periods: int, before: int, is_observed: Mask) -> Floats:
    """Columns of the season (n, K): weekdays; the year, where it was seen twice."""
    time = np.arange(periods)
    columns: list[Floats] = []
    if granularity == "day":
        weekdays = [day for day in range(7) if (is_observed[:before] & (time[:before] % 7 == day)).sum() >= 2]
        columns = [(time % 7 == day) - 1 / 7 for day in weekdays[:-1]]
    if before >= TWO_YEARS[granularity]:
        columns += year_waves(granularity, periods, 1 if granularity == "quarter" else 2)
    return np.column_stack(columns) if columns else np.empty((periods, 0))


def year_waves(granularity: Granularity, periods: int, harmonics: int = 1) -> list[Floats]:
    """Sine and cosine of the year, and so many harmonics of them; whole years have none."""
    if math.isinf(PERIODS_PER_YEAR[granularity]):
        return []
    angles = [
        2 * np.pi * harmonic * np.arange(periods) / PERIODS_PER_YEAR[granularity]
        for harmonic in range(1, harmonics + 1)
    ]
    return [wave for angle in angles for wave in (np.sin(angle), np.cos(angle))]


def step_design(
    granularity: Granularity,
    periods: int,
    edges: list[int],
    is_observed: Mask,
    season_priced: bool = False,
    trend: bool = True,
) -> Design:
    """Steps at the edges, each with its course inside its window, under both trends.

    `edges`: first period of each window after the first. `season_priced`: a year that was not seen twice may have a
    season. Without `trend` there are no trend columns, and both fits are one.
    """
    time = np.arange(periods)
    windows = list(zip(edges, [*edges[1:], periods], strict=True))
    steps = [((time >= start) & (time < end)).astype(float) for start, end in windows]
    goes_on, stops = ((line - periods / 2) / periods for line in (time, np.minimum(time, edges[0])))
    trends = [goes_on, stops] if trend else []
    level = np.ones(periods)
    seasonal = _independent_season(
        [level, *trends, *steps], season_columns(granularity, periods, edges[0], is_observed), is_observed
    )
    courses = {
        name: [
            (_course(shape, window, is_observed), sd / number)
            for number, shape in enumerate(shapes, 1)
            for window in windows
        ]
        for name, (sd, shapes) in COURSES.items()
    }
    year_columns = year_waves(granularity, periods) if season_priced and edges[0] < TWO_YEARS[granularity] else []
    course_arrays = [column for pairs in courses.values() for column, _ in pairs]
    columns = np.column_stack([level, *steps, seasonal, *course_arrays, *year_columns, *trends])
    first_course, first_trend = 1 + len(steps) + seasonal.shape[1], columns.shape[1] - len(trends)
    common_columns = list(range(first_course))
    flat = {
        name: [*common_columns, first_trend + number] if trend else common_columns for number, name in enumerate(TRENDS)
    }
    column_numbers = iter(range(first_course, first_trend))
    course_columns = {name: [(next(column_numbers), sd) for _, sd in pairs] for name, pairs in courses.items()}
    course_columns = {
        name: [(column, sd) for column, sd in pairs if columns[is_observed, column].any()]
        for name, pairs in course_columns.items()
    }
    labelled_hypotheses = _hypotheses(course_columns, list(range(first_trend - len(year_columns), first_trend)))
    return Design(
        columns,
        flat,
        tuple(hypothesis for hypothesis, _, _ in labelled_hypotheses),
        np.array([seasonal for _, _, seasonal in labelled_hypotheses]),
        tuple(course for _, course, _ in labelled_hypotheses),
        len(steps),
        variance_within_window(periods),
    )


def _course(shape: Callable[[Floats], Floats], window: tuple[int, int], is_observed: Mask) -> Floats:
    """One course inside a window (n): zero on average over the periods seen in it, its furthest point at 1 or -1."""
    start, end = window
    column = np.zeros(len(is_observed))
    if end - start > 1:
        values = shape(np.arange(end - start) / (end - start - 1))
        values = values - (values[is_observed[start:end]].mean() if is_observed[start:end].any() else values.mean())
        column[start:end] = values / max(np.abs(values).max(), 1e-300)
    return column


def _hypotheses(courses: dict[str, list[tuple[int, float]]], wave: list[int]) -> list[tuple[Hypothesis, str, bool]]:
    """All pairs of a course and a season, each with the course's name and whether it believes in a season."""
    steady_columns = [(column, STEADY_SD) for column, _ in next(iter(courses.values()))]
    moving_courses = [(name, pairs) for name, pairs in courses.items() if pairs]
    share = (1 - STEADY_MASS) / len(moving_courses) if moving_courses else 0.0
    weighed_courses = [
        ("", steady_columns, 1 - share * len(moving_courses)),
        *((*course, share) for course in moving_courses),
    ]
    seasons = (
        [([], 1 - SEASON_MASS), ([(column, UNSEEN_SEASON_SD) for column in wave], SEASON_MASS)] if wave else [([], 1.0)]
    )
    return [
        (
            Hypothesis(
                tuple(column for column, _ in [*pairs, *year_pairs]),
                tuple(sd for _, sd in [*pairs, *year_pairs]),
                math.log(course_mass * season_mass),
            ),
            name,
            bool(year_pairs),
        )
        for year_pairs, season_mass in seasons
        for name, pairs, course_mass in weighed_courses
    ]


def _independent_season(fixed_columns: list[Floats], seasonal: Floats, is_observed: Mask) -> Floats:
    """Without the season's columns that the periods seen cannot tell from the others."""
    kept_columns: list[int] = []
    basis = np.column_stack(fixed_columns)[is_observed]
    basis = np.linalg.qr(basis)[0] if len(basis) else basis
    for number in range(seasonal.shape[1]):
        column = seasonal[is_observed, number]
        norm = np.linalg.norm(column)
        residual = column - basis @ (basis.T @ column)
        residual_norm = np.linalg.norm(residual)
        if norm > 0 and residual_norm > 1e-6 * norm:
            kept_columns.append(number)
            basis = np.column_stack([basis, residual / residual_norm])
    return seasonal[:, kept_columns]

"""The columns that explain a series: level, season, trend, and the step whose size is the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wellserved.moments import Every
from wellserved.prove.model import SHARE, Floats, Mask, within_variance

Trend = Literal["continues", "stops"]
TRENDS: tuple[Trend, ...] = ("continues", "stops")

YEAR: dict[Every, float] = {"day": 365.25, "week": 52.1775, "month": 12.0, "quarter": 4.0, "year": np.inf}
"""Periods after which the season comes again; whole years have none: infinite."""
TWO_YEARS: dict[Every, int] = {"day": 730, "week": 104, "month": 24, "quarter": 8, "year": 2}
STRAY = 0.25  # at the ends of the after window the effect strays from its mean by this part of a residual sd
UNSEEN = 0.5  # the same for the season of a year that was not seen twice


@dataclass(frozen=True)
class Design:
    """Columns over all periods; a fit takes those of one trend. Prior precisions are relative to s²."""

    columns: Floats  # n, K: level, steps, slopes, season, trends
    held: Floats  # J, K: 0 where the prior is flat
    fits: dict[Trend, list[int]]
    bare: dict[Trend, list[int]]  # the same without the priced season; equal where there is none
    steps: int
    within: Floats  # J: the variance that shows inside the whole window, relative to s²

    def of_response(self) -> Floats:
        """The columns at which counts and rates are linearised."""
        return self.columns[:, self.bare["continues"]]


def season(every: Every, periods: int, before: int, seen: Mask, priced: bool) -> tuple[Floats, Floats]:
    """Season's columns (n, K) and prior precisions (J, K): weekdays; the year where it was seen twice, or priced in."""
    t = np.arange(periods)
    parts: list[Floats] = []
    if every == "day":
        there = [day for day in range(7) if (seen[:before] & (t[:before] % 7 == day)).sum() >= 2]
        parts = [(t % 7 == day) - 1 / 7 for day in there[:-1]]
    known = before >= TWO_YEARS[every]
    free = len(parts)
    if known or priced:
        for harmonic in range(1, 3 if known and every != "quarter" else 2):
            angle = 2 * np.pi * harmonic * t / YEAR[every]
            parts += [np.sin(angle), np.cos(angle)]
    columns = np.column_stack(parts) if parts else np.empty((periods, 0))
    held = np.zeros((len(SHARE), columns.shape[1]))
    if priced and not known:
        held[:, free:] = (1 / (UNSEEN**2 * within_variance(periods)))[:, None]
    return columns, held


def step_design(
    every: Every,
    periods: int,
    edges: list[int],
    seen: Mask,
    priced: bool = False,
    trend: bool = True,
) -> Design:
    """Steps at the edges, each with a slope of its own inside its window, under both trends.

    `edges`: first period of each window after the first. `priced`: the season of a year that was not seen twice
    is given a prior. Without `trend` there are no trend columns, and both fits are the same.
    """
    t = np.arange(periods)
    bounds = [*edges, periods]
    slopes, steps = [], []
    for start, end in zip(edges, bounds[1:], strict=True):
        inside = (t >= start) & (t < end)
        slopes.append(np.where(inside, t - start - (end - start - 1) / 2, 0.0) / periods)
        steps.append(inside.astype(float))
    wanted = [slope for slope in slopes if np.abs(slope).max() > 0]
    seasonal, season_held = season(every, periods, edges[0], seen, priced)
    goes_on = (t - periods / 2) / periods
    stops = (np.minimum(t, edges[0]) - periods / 2) / periods
    trends = [goes_on, stops] if trend else []
    fixed = [np.ones(periods), *trends, *steps]
    seasonal, season_held = _independent(fixed, seasonal, season_held, seen)
    columns = np.column_stack([np.ones(periods), *steps, *wanted, seasonal, *trends])
    held = np.zeros((len(SHARE), columns.shape[1]))
    first_slope = 1 + len(steps)
    for place, slope in enumerate(wanted):
        held[:, first_slope + place] = (np.abs(slope).max() / STRAY) ** 2 / within_variance(periods)
    first_season = first_slope + len(wanted)
    held[:, first_season : first_season + season_held.shape[1]] = season_held
    shared = list(range(columns.shape[1] - len(trends)))
    fits = {name: [*shared, len(shared) + place] if trend else shared for place, name in enumerate(TRENDS)}
    loose = {first_season + place for place in range(season_held.shape[1]) if season_held[0, place] > 0}
    bare = {name: [column for column in chosen if column not in loose] for name, chosen in fits.items()}
    return Design(columns, held, fits, bare, len(steps), within_variance(periods))


def _independent(fixed: list[Floats], seasonal: Floats, held: Floats, seen: Mask) -> tuple[Floats, Floats]:
    """Without the season's columns that the periods seen cannot tell from the others."""
    kept: list[int] = []
    basis = np.column_stack(fixed)[seen]
    basis = np.linalg.qr(basis)[0] if len(basis) else basis
    for place in range(seasonal.shape[1]):
        column = seasonal[seen, place]
        size = np.linalg.norm(column)
        rest = column - basis @ (basis.T @ column)
        left = np.linalg.norm(rest)
        if size > 0 and (left > 1e-6 * size or held[0, place] > 0):
            kept.append(place)
            if left > 1e-6 * size:
                basis = np.column_stack([basis, rest / left])
    return seasonal[:, kept], held[:, kept]

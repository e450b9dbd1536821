"""From cases to teams by periods: a change that teams took up one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from wellserved.engine.duckdb import quote_name
from wellserved.errors import RequestError
from wellserved.measure import Measure, MeasureQuestion
from wellserved.measure.case_table import CaseTable, filter_sql
from wellserved.prove.engine.model import Floats
from wellserved.prove.observe import observe_measure
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.staggered import StaggeredEffect, estimate_staggered_effect
from wellserved.prove.verdict import Estimate
from wellserved.prove.window import AnalysisWindow

MAX_TEAMS = 60  # teams
MAX_MISSING_TEAM_SHARE = 0.1  # of a team's periods: with more it is left out


@dataclass(frozen=True)
class AdoptionEffect:
    """What the change did where it was taken up; effects in the unit, or for ratios as parts of the level before."""

    measure: Measure
    result: StaggeredEffect
    relative: bool  # the effect is a part: -0.1 is 10% less
    teams: tuple[str, ...]
    left_out: tuple[str, ...]  # too few cases
    since: tuple[tuple[str, date], ...]
    periods: int
    age_days: int | None

    @property
    def effect(self) -> Estimate:
        """The effect, with the interval by dealing dates anew."""
        return _back_transform(self.result.effect, self.relative)

    @property
    def is_claimed(self) -> bool:
        """A change is told: both intervals exclude zero, on the same side."""
        return bool(self.effect.side) and self.effect.side == self.jackknife.side

    @property
    def jackknife(self) -> Estimate:
        """The effect, with the interval by leaving teams out."""
        return _back_transform(self.result.jackknife, self.relative)


def _back_transform(estimate: Estimate, relative: bool) -> Estimate:
    return (
        Estimate(*(float(np.expm1(end)) for end in (estimate.value, estimate.low, estimate.high)))
        if relative
        else estimate
    )


def estimate_adoption(
    window: AnalysisWindow, measure: Measure, by: str, since: tuple[tuple[str, date], ...], teams: tuple[str, ...],
    where: tuple[tuple[str, str], ...] = (), age_days: int | None = None,
) -> AdoptionEffect:  # fmt: skip
    """Did it work where it was taken up? Every team is its own series; those without a date never took it up."""
    first = min(day for _, day in since)
    base_window = replace(window, change=first)
    team_windows = {
        team: replace(base_window, other_change_days=(day,)) for team, day in since
    }  # a level may jump where the team changed
    series_by_team = {
        team: observe_measure(team_windows.get(team, base_window), measure, (*where, (by, team)), age_days)
        for team in teams
    }
    oldest = max((series.age_days for series in series_by_team.values() if series.age_days is not None), default=None)
    if age_days is None and oldest is not None:  # one age for all of them
        series_by_team = {
            team: observe_measure(team_windows.get(team, base_window), measure, (*where, (by, team)), oldest)
            for team in teams
        }
    usable_series = {team: series for team, series in series_by_team.items() if not series.reason}
    if not usable_series:
        raise RequestError(
            f"No {by} has a series of {measure.name}.",
            next(iter(series_by_team.values())).reason or "Choose another measure.",
        )
    labels = sorted({period.start for series in usable_series.values() for period in series.periods})
    dates = dict(since)
    panel = {team: _row(series, labels, dates.get(team)) for team, series in usable_series.items()}
    team_rows = {team: row for team, row in panel.items() if np.isnan(row).mean() <= MAX_MISSING_TEAM_SHARE}
    if not team_rows:
        raise RequestError(f"Every {by} has too many periods without cases.", "Use longer periods: --every month.")
    values = np.array(list(team_rows.values()))
    is_complete = ~np.isnan(values).any(axis=0)
    has_adopted = np.array([[dates.get(team, date.max) <= start for start in labels] for team in team_rows])
    if not is_complete.any():
        raise RequestError("No period is known of every one of them.", "Use longer periods: --every month.")
    result = estimate_staggered_effect(values[:, is_complete], has_adopted[:, is_complete])
    is_ratio = next(iter(usable_series.values())).model_input.family in ("count", "quantile", "duration", "money")
    return AdoptionEffect(
        measure, result, is_ratio, tuple(team_rows), tuple(sorted(set(teams) - set(team_rows))), since, int(is_complete.sum()),
        next(iter(usable_series.values())).age_days,
    )  # fmt: skip


def _row(series: PeriodSeries, labels: list[date], since: date | None) -> Floats:
    """A team's measure by period, logarithms where effects are ratios; NaN where it has no cases, or changed inside."""
    model_input = series.model_input
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(model_input.size > 0, model_input.total / model_input.size, np.nan)
        if model_input.family == "quantile":
            value = model_input.log_quantiles()
        elif model_input.family == "count":
            value = np.log((model_input.total + 0.5) / model_input.size)
    value_by_start = {period.start: number for period, number in zip(series.periods, value.tolist(), strict=True)}
    end_by_start = {period.start: period.end for period in series.periods}
    mixed_starts = {start for start, end in end_by_start.items() if since is not None and start < since < end}
    return np.array([math.nan if start in mixed_starts else value_by_start.get(start, math.nan) for start in labels])


def segment_values(case_table: CaseTable, question: MeasureQuestion) -> tuple[str, ...]:
    """The values of the question's column, those with most cases first."""
    condition, parameters = filter_sql(case_table, question)
    column = quote_name(str(question.by))
    sql = f"SELECT {column} AS one FROM {case_table.table} WHERE {condition} AND {column} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {MAX_TEAMS}"
    return tuple(str(segment) for segment in case_table.engine.query(sql, parameters)["one"].to_pylist())

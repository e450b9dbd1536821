"""From cases to teams by periods: a change that teams took up one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from wellserved.engine.duckdb import name as quoted
from wellserved.errors import RequestError
from wellserved.measure import Measure, Question
from wellserved.measure.scope import Scope, filters
from wellserved.prove.model import Floats
from wellserved.prove.observe import Looking, Seen, observe
from wellserved.prove.staggered import Adopted, staggered
from wellserved.prove.verdict import Estimate

MOST = 60  # teams
MISSING = 0.1  # of a team's periods: with more it is left out


@dataclass(frozen=True)
class Adoption:
    """What the change did where it was taken up; effects in the unit, or for ratios as parts of the level before."""

    measure: Measure
    found: Adopted
    relative: bool  # the effect is a part: -0.1 is 10% less
    teams: tuple[str, ...]
    left_out: tuple[str, ...]  # too few cases
    since: tuple[tuple[str, date], ...]
    periods: int
    age_days: int | None

    @property
    def effect(self) -> Estimate:
        """With the interval by dealing dates anew."""
        return _turned(self.found.effect, self.relative)

    @property
    def jackknife(self) -> Estimate:
        """With the interval by leaving teams out."""
        return _turned(self.found.jackknife, self.relative)


def _turned(one: Estimate, relative: bool) -> Estimate:
    return Estimate(*(float(np.expm1(end)) for end in (one.value, one.low, one.high))) if relative else one


def adoption(
    looking: Looking, measure: Measure, by: str, since: tuple[tuple[str, date], ...], teams: tuple[str, ...],
    where: tuple[tuple[str, str], ...] = (), age_days: int | None = None,
) -> Adoption:  # fmt: skip
    """Did it work where it was taken up? Every team is its own series; those without a date never took it up."""
    first = min(day for _, day in since)
    looked = replace(looking, change=first)
    own = {team: replace(looked, edges=(day,)) for team, day in since}  # a level may jump where the team changed
    seen = {team: observe(own.get(team, looked), measure, (*where, (by, team)), age_days) for team in teams}
    oldest = max((one.age_days for one in seen.values() if one.age_days is not None), default=None)
    if age_days is None and oldest is not None:  # one age for all of them
        seen = {team: observe(own.get(team, looked), measure, (*where, (by, team)), oldest) for team in teams}
    known = {team: one for team, one in seen.items() if not one.reason}
    if not known:
        raise RequestError(
            f"No {by} has a series of {measure.name}.", next(iter(seen.values())).reason or "Choose another measure."
        )
    labels = sorted({period.start for one in known.values() for period in one.periods})
    dates = dict(since)
    panel = {team: _row(one, labels, dates.get(team)) for team, one in known.items()}
    kept = {team: row for team, row in panel.items() if np.isnan(row).mean() <= MISSING}
    if not kept:
        raise RequestError(f"Every {by} has too many periods without cases.", "Use longer periods: --every month.")
    values = np.array(list(kept.values()))
    whole = ~np.isnan(values).any(axis=0)
    adopted = np.array([[dates.get(team, date.max) <= start for start in labels] for team in kept])
    if not whole.any():
        raise RequestError("No period is known of every one of them.", "Use longer periods: --every month.")
    found = staggered(values[:, whole], adopted[:, whole])
    ratio = next(iter(known.values())).observed.family in ("count", "quantile", "duration", "money")
    return Adoption(
        measure, found, ratio, tuple(kept), tuple(sorted(set(teams) - set(kept))), since, int(whole.sum()),
        next(iter(known.values())).age_days,
    )  # fmt: skip


def _row(one: Seen, labels: list[date], since: date | None) -> Floats:
    """A team's measure by period, logarithms where effects are ratios; NaN where it has no cases, or changed inside."""
    observed = one.observed
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(observed.size > 0, observed.total / observed.size, np.nan)
        if observed.family == "quantile":
            value = observed.logs()
        elif observed.family == "count":
            value = np.log((observed.total + 0.5) / observed.size)
    at = {period.start: number for period, number in zip(one.periods, value.tolist(), strict=True)}
    ends = {period.start: period.end for period in one.periods}
    inside = {start for start, end in ends.items() if since is not None and start < since < end}
    return np.array([math.nan if start in inside else at.get(start, math.nan) for start in labels])


def segments(scope: Scope, question: Question) -> tuple[str, ...]:
    """The values of the question's column, those with most cases first."""
    only, values = filters(scope, question)
    column = quoted(str(question.by))
    sql = f"SELECT {column} AS one FROM {scope.table} WHERE {only} AND {column} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {MOST}"
    return tuple(str(one) for one in scope.engine.ask(sql, values)["one"].to_pylist())

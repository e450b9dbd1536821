"""Objectives with their measures, whose work moves them, and whom each team serves inside the house."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from wellserved.actions.flows import follow_chain
from wellserved.actions.team_numbers import MeasureState, measure_states
from wellserved.errors import RequestError, WellservedError
from wellserved.explore.chain import Chain
from wellserved.measure import find_measure
from wellserved.moments import NotComputable
from wellserved.people.sight import (
    MAX_MEASURES_PER_ROLE,
    LineOfSight,
    SightCustomer,
    SightMeasure,
    SightObjective,
    SightWork,
    target_state,
)
from wellserved.store.models import Person, Team
from wellserved.store.plan_models import Objective, ObjectiveMeasure, RoleLine
from wellserved.wording import format_value

Asker = Callable[..., Any]  # asks the records: a function without its workspace, and its arguments
MAX_CUSTOMERS = 12
_HOUR = 3_600


def line_of_sight(person: Person, today: date, ask: Asker | None) -> LineOfSight:
    """Everything that is in force, one's own work first; `ask`: None where there are no records."""
    objectives = Objective.objects.filter(since__lte=today).exclude(until__lt=today).select_related("team", "owner")
    rows = list(objectives.prefetch_related("measures"))
    measures_of_team: dict[str, set[str]] = {}
    for row in rows:
        team = row.team.name if row.team else ""
        measures_of_team.setdefault(team, set()).update(measure.measure for measure in row.measures.all())
    states: dict[str, dict[str, MeasureState]] = {}
    if ask:
        for team, names in measures_of_team.items():
            if names:
                states[team] = ask(measure_states, tuple(sorted(names)), team)
    works = [
        SightWork(line.pk, line.team.name, line.role, line.work, line.measure, line.team_id == person.team_id)
        for line in RoleLine.objects.select_related("team")
    ]
    return LineOfSight(
        tuple(sorted(works, key=lambda work: (not work.is_mine, work.team, work.role, work.number))),
        tuple(_objective(row, states.get(row.team.name if row.team else "", {}), today) for row in rows),
        _handovers(ask) if ask else (),
    )


def _objective(row: Objective, states: dict[str, MeasureState], today: date) -> SightObjective:
    measures = tuple(_measure(measure, states.get(measure.measure), today) for measure in row.measures.all())
    owner = row.owner.called if row.owner else ""
    return SightObjective(row.pk, row.name, row.team.name if row.team else "", f"{row.until:%Y-%m-%d}" if row.until else "", owner, measures)  # fmt: skip


def _measure(row: ObjectiveMeasure, state: MeasureState | None, today: date) -> SightMeasure:
    measure = find_measure(row.measure)
    target = "" if row.target is None else format_value(row.target, measure.unit)
    if target and row.by:
        target += f" by {row.by:%Y-%m-%d}"
    if row.version != measure.version and target:
        target += f" (set for version {row.version} of the measure; it is {measure.version} now)"
    number = state.number if state else None
    if state is None or number is None or state.value is None:
        reason = state.reason if state else "there are no records yet"
        return SightMeasure(row.measure, measure.question, reason, "", "", "", "unknown", "cannot tell", target, target_state(None, None, None, row.target, measure.better))  # fmt: skip
    reached = target_state(state.value, state.low, state.high, row.target, measure.better)
    if row.by and row.by >= today and reached in ("missed", "missed within chance"):
        reached = "not reached yet"
    return SightMeasure(
        row.measure, measure.question, number.value, state.interval, number.n, number.when, number.side, number.words, target, reached
    )  # fmt: skip


def _handovers(ask: Asker) -> tuple[SightCustomer, ...]:
    try:
        return tuple(_customers(ask(follow_chain, None)))
    except WellservedError:  # no source tells of hand-overs
        return ()


def _customers(chain: Chain) -> Iterable[SightCustomer]:
    """The hand-overs with most cases: the team that takes over is the customer of the one that gives."""
    for edge in sorted(chain.edges, key=lambda edge: -edge.handovers)[:MAX_CUSTOMERS]:
        wait = edge.untouched_median
        yield SightCustomer(
            edge.supplier, edge.customer, edge.handovers,
            "" if isinstance(wait, NotComputable) else format_value(float(wait) / _HOUR, "hours"),
            _rating(edge.rates_supplier), _rating(edge.rates_customer),
        )  # fmt: skip


def _rating(rating: tuple[int, float] | None) -> str:
    return "" if rating is None else f"{rating[1]:.1f} (n = {rating[0]})"


def add_measure(objective: Objective, name: str, target: float | None, by: date | None) -> ObjectiveMeasure:
    """Let a measure carry an objective; its version is kept beside the target."""
    measure = find_measure(name)
    if measure.unit == "share" and target is not None and not 0 <= target <= 1:
        raise RequestError("A share lies between 0 and 1.", "Write 90% as 0.9.")
    if objective.measures.filter(measure=name).exists():
        raise RequestError("It carries this objective already.", "Take it out first to give it another target.")
    return ObjectiveMeasure.objects.create(
        objective=objective, measure=name, version=measure.version, target=target, by=by
    )


def add_work(team: Team, role: str, work: str, measure: str) -> RoleLine:
    """Say what work of a role moves which measure; three a role at most, or nobody knows what to look at."""
    find_measure(measure)
    if RoleLine.objects.filter(team=team, role=role, measure=measure).exists():
        raise RequestError("That is said already.", "Take it out first to put it in other words.")
    if RoleLine.objects.filter(team=team, role=role).count() >= MAX_MEASURES_PER_ROLE:
        raise RequestError(f"A role has {MAX_MEASURES_PER_ROLE} measures at most.", "Take one out first.")
    return RoleLine.objects.create(team=team, role=role, work=work, measure=measure)

"""What is my work for? From the work of a role to a measure, to an objective, to the customers who are served.

Two levels and no cascade: objectives are carried by measures, measures are moved by work. Departments are customers too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wellserved.measure.measure import Better

TargetState = Literal[
    "reached", "reached within chance", "not reached yet", "missed within chance", "missed", "cannot tell", "no target"
]  # fmt: skip
MAX_MEASURES_PER_ROLE = 3


def target_state(
    value: float | None, low: float | None, high: float | None, target: float | None, better: Better
) -> TargetState:
    """Where a measure stands beside its target, its interval taken into account; a higher or a lower number being better."""
    if target is None:
        return "no target"
    if value is None or low is None or high is None or better == "neither":
        return "cannot tell"
    if better == "lower":
        value, low, high, target = -value, -high, -low, -target
    if value >= target:
        return "reached" if low >= target else "reached within chance"
    return "missed" if high < target else "missed within chance"


@dataclass(frozen=True)
class SightMeasure:
    """A measure that carries an objective, as it stands."""

    name: str
    question: str
    value: str  # with its unit; or why there is none
    interval: str
    n: str
    when: str
    side: Literal["worse", "better", "usual", "unknown"]  # by the chart's rules
    words: str
    target: str  # with its day; empty: none
    state: TargetState


@dataclass(frozen=True)
class SightObjective:
    """What a house or a team wants to reach, and what carries it."""

    number: int
    name: str
    team: str  # empty: the house's
    until: str
    owner: str
    measures: tuple[SightMeasure, ...]


@dataclass(frozen=True)
class SightWork:
    """Work of a role, and the measure that it moves."""

    number: int
    team: str
    role: str  # empty: everybody of the team
    work: str
    measure: str
    is_mine: bool


@dataclass(frozen=True)
class SightCustomer:
    """Whom a team serves inside the house: a team that takes its cases over, and how each rates the other."""

    team: str
    customer: str
    handovers: int
    wait: str  # until they begin
    rated: str  # by that team, with n
    rates: str  # that team, with n


@dataclass(frozen=True)
class LineOfSight:
    """The whole picture."""

    works: tuple[SightWork, ...]
    objectives: tuple[SightObjective, ...]
    customers: tuple[SightCustomer, ...]

    @property
    def loose_ends(self) -> tuple[str, ...]:
        """What leads nowhere: an objective without a measure, work whose measure carries none, a hand-over that nobody rates."""
        carried = {measure.name for objective in self.objectives for measure in objective.measures}
        ends = [f"{objective.name} has no measure" for objective in self.objectives if not objective.measures]
        ends += [f"{work.work} ({work.team}) moves {work.measure.replace('_', ' ')}, which carries no objective" for work in self.works if work.measure not in carried]  # fmt: skip
        moved = {work.measure for work in self.works}
        ends += [f"nobody's work is said to move {name.replace('_', ' ')}" for name in sorted(carried - moved)]
        ends += [f"{customer.customer} was never asked to rate {customer.team}" for customer in self.customers if not customer.rated]  # fmt: skip
        return tuple(ends)

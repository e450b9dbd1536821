"""What is asked of a proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from wellserved.measure import Measure
from wellserved.measure.measure import Better
from wellserved.moments import Granularity
from wellserved.prove.guards import Guardrail
from wellserved.prove.verdict import LookPlan
from wellserved.prove.window import CaseFilter


@dataclass(frozen=True)
class ProofRequest:
    """What is put to the test."""

    measure: Measure
    change_date: date  # the first day of the new way
    granularity: Granularity
    where: CaseFilter = ()
    better: Better | None = None  # where the measure itself has no better side
    control_segments: CaseFilter = ()  # segments in which nothing was changed: their mean is taken off
    parallel_trends: bool = False  # declared beforehand: both move alike
    guardrails: tuple[Guardrail, ...] = ()
    worthwhile: float | None = None  # the smallest effect worth having, as a part of the level before
    age_days: int | None = None
    other_changes: tuple[tuple[str, date], ...] = ()  # other declared changes to the same cases
    paid_until: date | None = None  # an incentive: the first day on which it was no longer paid
    plan: LookPlan = field(default_factory=LookPlan)
    improvement_name: str = ""  # the declared improvement; empty: an exploration, and labelled so wherever it is shown
    margins: Mapping[str, float] = field(default_factory=dict)  # declared for guardrails that nobody named, by name
    settles: date | None = None  # the first day on which the change had come in altogether; None: at once

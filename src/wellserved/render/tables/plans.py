"""Objectives and business cases as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wellserved.people.sight import LineOfSight
from wellserved.report import Table


def objective_table(sight: LineOfSight) -> Table:
    """Objectives with the measures that carry them, as they stand."""
    rows = tuple(
        (objective.name, objective.team or "the house", measure.name, measure.value, measure.interval, measure.n, measure.words, measure.target, measure.state)
        for objective in sight.objectives
        for measure in objective.measures
    )  # fmt: skip
    columns = ("objective", "of", "measure", "now", "interval", "n", "by its chart", "target", "state")
    note = "; ".join(sight.loose_ends[:4])
    return Table("What the work is for", columns, rows, f"Leads nowhere yet: {note}." if note else "")


def work_table(sight: LineOfSight) -> Table:
    """Whose work moves which measure."""
    rows = tuple((work.work, work.team, work.role or "everybody", work.measure) for work in sight.works)
    return Table("Whose work moves what", ("work", "team", "role", "measure"), rows)


def customer_table(sight: LineOfSight) -> Table:
    """Whom each team serves inside the house."""
    rows = tuple(
        (customer.team, customer.customer, customer.handovers, customer.wait, customer.rated or "nobody rated", customer.rates or "nobody rated")
        for customer in sight.customers
    )  # fmt: skip
    columns = ("team", "its customer", "hand-overs", "typical wait until they begin", "rated by them", "rates them")
    return Table("Whom each team serves inside the house", columns, rows)


def case_table(title: str, lines: Sequence[str]) -> Table:
    """What a business case comes to, in sentences."""
    return Table(title, ("what it comes to",), tuple((line,) for line in lines))


def input_table(inputs: Mapping[str, Mapping[str, Any]], tornado: Sequence[Sequence[Any]], labels: Mapping[str, str]) -> Table:  # fmt: skip
    """The inputs of a case, the one that moves it most first."""
    swings = {str(name): (float(low), float(high)) for name, low, high in tornado}
    ordered = sorted(inputs, key=lambda name: -abs(swings.get(name, (0.0, 0.0))[1] - swings.get(name, (0.0, 0.0))[0]))
    rows = tuple(
        (labels[name], inputs[name]["low"], inputs[name]["high"], *(round(end) for end in sorted(swings.get(name, (0.0, 0.0)))), inputs[name].get("origin", ""))
        for name in ordered
    )  # fmt: skip
    columns = ("input", "lower end", "upper end", "case at worst", "case at best", "from")
    return Table("What it rests on", columns, rows, "The first input moves the case most: measure it first.")

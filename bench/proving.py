"""What a verdict costs: one analysis, ten thousand segments, and the floor of one projection on the nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wellserved.moments import Granularity
from wellserved.prove.engine.design import step_design
from wellserved.prove.engine.model import PHI, Floats
from wellserved.prove.engine.response import ModelInput, working_response
from wellserved.prove.engine.step import fit_steps
from wellserved.prove.verdict import LookPlan, assess_change

Cpu = Callable[[Callable[[], object], int], float]


def segments(observed: ModelInput, before: int, every: Granularity) -> Floats:
    """Verdicts of many series: hull, claim and p of each."""
    seen = observed.is_observed
    design = step_design(every, seen.shape[1], [before], seen[0], season_priced=False)
    steps = fit_steps(working_response(observed, design.response_columns()), design).steps
    judged = steps.trend_intervals()
    return np.column_stack([*judged.envelope, judged.claimed_signs, steps.p_values()])


def rows(cpu: Cpu, many: int) -> list[tuple[str, float]]:
    """What was measured, and CPU seconds."""
    random = np.random.default_rng(1)
    days, weeks = random.normal(size=273), random.normal(size=(many, 130))
    one = ModelInput("plain", days, np.ones(273))
    shared = ModelInput("plain", weeks, np.ones(weeks.shape))
    size = random.poisson(50, weeks.shape) + 1
    own = ModelInput("rate", random.binomial(size, 0.1).astype(float), size.astype(float))
    basis = random.normal(size=(len(PHI) * 8, 130))
    return [
        (
            "one analysis of 182 + 91 days, both trends, with the season of the year and without",
            cpu(lambda: assess_change(one, 182, "day"), 9),
        ),
        ("the same for any number of looks", cpu(lambda: assess_change(one, 182, "day", plan=LookPlan("always")), 9)),
        (f"{many:,} segments of 104 + 26 weeks, same noise weights", cpu(lambda: segments(shared, 104, "week"), 1)),
        (f"{many:,} rates of 104 + 26 weeks, weights of their own", cpu(lambda: segments(own, 104, "week"), 1)),
        (f"floor: one projection of {many:,} series on all nodes' columns", cpu(lambda: basis @ weeks.T, 3)),
    ]

"""How many cases a year a problem brings: what a business case begins with."""

from __future__ import annotations

from datetime import timedelta

from wellserved.actions.open_cases import open_case_table
from wellserved.actions.problem_questions import overview
from wellserved.listen.book import open_book
from wellserved.listen.sizes import Cost
from wellserved.measure import MeasureQuestion
from wellserved.measure.interval import garwood_interval
from wellserved.moments import PROBLEM, NotComputable
from wellserved.storage.workspace import Workspace

DAYS_A_YEAR = 365


def yearly_cases(workspace: Workspace, reference: str) -> tuple[int, float, float] | NotComputable:
    """Cases of a problem in the last year of the record, with the interval of a count."""
    problem = open_book(workspace).find(reference)
    with open_case_table(workspace) as case_table:
        until = max(case_table.known_days.values())
    question = MeasureQuestion((), since=until - timedelta(days=DAYS_A_YEAR), until=until)
    sizes = overview(workspace, PROBLEM, question, Cost()).sizes
    size = next((size for size in sizes if size.label == problem.label), None)
    if size is None or not size.cases:
        return NotComputable("it was not seen in the last year")
    return size.cases, *garwood_interval(size.cases)

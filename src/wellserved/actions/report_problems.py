"""The service report's section on what customers kept telling."""

from __future__ import annotations

from dataclasses import replace

from wellserved.actions.problem_costs import declared_cost
from wellserved.listen.sizes import problem_sizes
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import CaseTable
from wellserved.moments import PROBLEM
from wellserved.report import Report
from wellserved.report.problems import problem_section
from wellserved.storage.workspace import Workspace


def with_problem_section(workspace: Workspace, report: Report, case_table: CaseTable) -> Report:
    """The report with what customers kept telling up to its period's end, before the record itself is spoken of."""
    question = MeasureQuestion((), until=report.period.end, where=(("source", report.source),))
    section = problem_section(problem_sizes(case_table, PROBLEM, question, declared_cost(workspace)))
    if section is None:
        return report
    return replace(report, sections=(*report.sections[:-1], section, report.sections[-1]))

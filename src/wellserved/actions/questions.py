"""Questions to a workspace: measures, waits by other rules, queues, hand-overs, and the service report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from wellserved import __version__
from wellserved.actions.open_cases import check_filters, open_case_table
from wellserved.actions.problem_cases import has_problems
from wellserved.actions.report_problems import with_problem_section
from wellserved.errors import RequestError, UnknownNameError
from wellserved.measure import MeasureQuestion, Series, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.moments import Granularity
from wellserved.progress import ProgressCallback, no_progress
from wellserved.report import Report
from wellserved.report.assembly import make_report
from wellserved.storage import log
from wellserved.storage.workspace import Workspace


def with_measures(question: MeasureQuestion, names: Sequence[str], by: str | None) -> MeasureQuestion:
    """The question's span and filters, asked of other measures."""
    return replace(question, measures=tuple(map(find_measure, names)), by=by, granularity=None)


def ask_measures(
    workspace: Workspace,
    question: MeasureQuestion,
    on_progress: ProgressCallback = no_progress,
    must_match: bool = False,
) -> list[Series]:
    """The answers to a question, in its order; `must_match`: names that no case has are an error, not an answer."""
    with open_case_table(workspace, on_progress, about=question.problem) as case_table:
        if must_match:
            check_filters(case_table, question)
        answers = answer_question(case_table, question)
    return [answers[measure.name] for measure in question.measures]


def service_report(
    workspace: Workspace,
    source: str | None = None,
    granularity: Granularity | None = None,
    period: date | None = None,
    rule_set: str = "anhoej",
    on_progress: ProgressCallback = no_progress,
) -> Report:
    """The service report on one source; without a name, on the only one there is."""
    listened = has_problems(workspace)
    with open_case_table(
        workspace, on_progress, with_moments=listened, keep_in_memory=True, about="" if listened else None
    ) as case_table:
        known_sources = sorted(case_table.as_of)
        if source is None and len(known_sources) != 1:
            raise RequestError(
                f"The workspace holds {len(known_sources)} sources.",
                f"Name one: --source {' or '.join(known_sources)}.",
            )
        if source is not None and source not in known_sources:
            raise UnknownNameError("source", source, known_sources)
        chosen_source = source or known_sources[0]
        on_progress("Writing the report", 0, 0)
        report = make_report(
            case_table,
            chosen_source,
            log.receipts(workspace, chosen_source),
            __version__,
            granularity,
            period,
            rule_set,
        )
        return with_problem_section(workspace, report, case_table) if listened else report

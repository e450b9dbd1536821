"""Questions whose answers are whole pages or tables: each runs from end to end in the analysing process, without Django."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from wellserved.actions import improvements, questions
from wellserved.chart import compute_chart
from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.case_table import fill_sql, filter_sql, period_sql
from wellserved.measure.vendor_rules import VENDOR_RULES
from wellserved.moments import Granularity
from wellserved.render import clocks, data, html, proofs
from wellserved.report import Table
from wellserved.workspace import Workspace

MAX_CASES_SHOWN: Final = 100  # cases of a list
_DATABASE_COLUMNS = ("source", "case_id", "team", "service", "priority", "asked_s", "resolution_secs", "closed", "reopens", "handovers", "score")  # fmt: skip
_COLUMN_LABELS = {"case_id": "case", "asked_s": "asked", "resolution_secs": "days to resolution"}
CASE_LIST_COLUMNS: Final = tuple(_COLUMN_LABELS.get(name, name) for name in _DATABASE_COLUMNS)


@dataclass(frozen=True)
class CaseList:
    """Some of the cases behind a number, newest first, and how many there are."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


def cases_behind(workspace: Workspace, question: MeasureQuestion, case_id: str | None = None) -> CaseList:
    """The cases that a question is about; or the one of them with this number."""
    with questions.open_case_table(workspace) as case_table:
        condition, parameters = filter_sql(case_table, question)
        measure = question.measures[0]
        condition = (
            f"{condition} AND ({fill_sql(measure.population, case_table)}) AND {period_sql(question, measure.anchor)}"
        )
        if case_id is not None:
            condition, parameters = f"{condition} AND case_id = $wanted", {**parameters, "wanted": case_id}
        total = case_table.engine.query(f"SELECT count(*) AS n FROM {case_table.table} WHERE {condition}", parameters)[
            "n"
        ][0].as_py()
        newest = f"WHERE {condition} ORDER BY asked_s DESC, source, case_id LIMIT {MAX_CASES_SHOWN}"
        case_rows = case_table.engine.query(
            f"SELECT {', '.join(_DATABASE_COLUMNS)} FROM {case_table.table} {newest}", parameters
        )
    zone = ZoneInfo(workspace.zone)
    rows = tuple(
        tuple(_format_value(name, value, zone) for name, value in row.items()) for row in case_rows.to_pylist()
    )
    return CaseList(CASE_LIST_COLUMNS, rows, int(total))


def _format_value(name: str, value: Any, zone: ZoneInfo) -> Any:
    """A cell as people read it; JSON and CSV of a measure hold the plain numbers."""
    if value is None:
        return None
    if name == "asked_s":
        return f"{datetime.fromtimestamp(value, zone):%Y-%m-%d %H:%M}"
    if name == "resolution_secs":
        return f"{value / 86_400:.1f}"
    return ("no", "yes")[value] if name == "closed" else value


def explanation_tables(
    workspace: Workspace, name: str, source: str, case_id: str, where: tuple[tuple[str, str], ...]
) -> list[Table]:
    """The timeline of one case, if it is among those that may be seen, and what each vendor's rule counts of it."""
    measure = find_measure(name)
    if not cases_behind(workspace, MeasureQuestion((measure,), where=where), case_id).total:
        raise RequestError("There is no such case.", "Follow a link from the list of cases.")
    has_vendor_rules = any(rule.measure == measure.wait_family for rule in VENDOR_RULES)
    measure_name = name if has_vendor_rules else "time_to_resolution"  # its moments beside any wait's rules
    return clocks.explained_tables(questions.explain_case(workspace, measure_name, case_id, source), workspace.zone)


def measure_page(workspace: Workspace, question: MeasureQuestion) -> str:
    """A measure to stand within a page: its chart and numbers where there are periods and one segment, else its table."""
    answers = questions.ask_measures(workspace, question)
    if question.granularity and question.by is None and len(answers[0]):
        return html.chart_page(compute_chart(answers[0]), html.BARE_LAYOUT)
    return html.series_page(answers, html.BARE_LAYOUT)


def measure_text(workspace: Workspace, question: MeasureQuestion, form: str) -> str:
    """A measure's numbers as csv or json, as the command line writes them."""
    answers = questions.ask_measures(workspace, question)
    return data.series_csv(answers) if form == "csv" else data.as_json(data.series_rows(answers))


def improvement_page(workspace: Workspace, name: str) -> str:
    """The verdict on an improvement, to stand within a page."""
    proof, notes = improvements.prove_improvement(workspace, name)
    return proofs.proof_page(proof, notes, html.BARE_LAYOUT)


def render_report(
    workspace: Workspace, source: str, granularity: Granularity | None, period: date | None, form: str
) -> str:
    """A service report as html, csv or json."""
    if form not in ("html", "csv", "json"):
        raise RequestError(f"There is no form {form!r} of a report.", "Choose html, csv or json.")
    report = questions.service_report(workspace, source, granularity, period)
    if form == "html":
        return html.report_page(report)
    return data.series_csv(report.series) if form == "csv" else data.as_json(data.report_data(report))

"""The cases behind a number, and how each is counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from wellserved.actions import open_cases, vendor_questions
from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.case_table import fill_sql, filter_sql, period_sql
from wellserved.measure.vendor_rules import VENDOR_RULES
from wellserved.render.tables import clocks
from wellserved.report import Table
from wellserved.storage.workspace import Workspace

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
    owners: tuple[tuple[str, str], ...]  # account and customer of each; empty: not recorded


def cases_behind(workspace: Workspace, question: MeasureQuestion, case_id: str | None = None) -> CaseList:
    """The cases that a question is about; or the one of them with this number."""
    with open_cases.open_case_table(workspace, about=question.problem) as case_table:
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
            f"SELECT {', '.join((*_DATABASE_COLUMNS, 'account_id', 'customer_id'))} FROM {case_table.table} {newest}",
            parameters,
        ).to_pylist()
    zone = ZoneInfo(workspace.zone)
    owners = tuple((row.pop("account_id") or "", row.pop("customer_id") or "") for row in case_rows)
    rows = tuple(tuple(_format_value(name, value, zone) for name, value in row.items()) for row in case_rows)
    return CaseList(CASE_LIST_COLUMNS, rows, int(total), owners)


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
    return clocks.explained_tables(
        vendor_questions.explain_case(workspace, measure_name, case_id, source), workspace.zone
    )


def find_cases(workspace: Workspace, case_id: str, where: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """The cases of that number, of those that may be seen: source and number."""
    with open_cases.open_case_table(workspace) as case_table:
        condition, parameters = filter_sql(case_table, MeasureQuestion((), where=where))
        rows = case_table.engine.query(
            f"SELECT source, case_id FROM {case_table.table} WHERE {condition} AND case_id = $number ORDER BY 1 LIMIT 10",
            {**parameters, "number": case_id},
        ).to_pylist()
    return [(row["source"], row["case_id"]) for row in rows]

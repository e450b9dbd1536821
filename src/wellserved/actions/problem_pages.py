"""Problems as pages, each from end to end in the analysing process, without Django."""

from __future__ import annotations

from typing import Any

from wellserved.actions import listening, problem_filing, problem_origins, problem_questions
from wellserved.actions.questions import ask_measures
from wellserved.chart import compute_chart
from wellserved.listen.book import Book, CustomerProblem, in_force, read_book
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.moments import PROBLEM
from wellserved.render.charts.problems import novelty_course, problem_bars, problem_map
from wellserved.render.formats import data, html
from wellserved.render.tables import problems as tables
from wellserved.render.tables.problems import RANKINGS as RANKINGS
from wellserved.render.tables.problems import problem_record
from wellserved.storage.workspace import Workspace


def list_page(workspace: Workspace, by: str, ranking: int) -> tuple[str, list[dict[str, Any]]]:
    """All problems as a table with its pictures, and what the page says of each above it; nothing where nobody listened yet."""
    if by == PROBLEM and read_book(workspace) is None:
        return "", []
    found = problem_questions.overview(workspace, by, MeasureQuestion(()))
    name = RANKINGS[ranking]
    table = tables.problem_table(
        by, found.sizes, found.told, found.cases, found.book, found.cost, found.caution, ranking=name
    )
    ordered = tables.in_order(found.sizes, name)
    pictures = [problem_bars(ordered), *([problem_map(found.sizes, found.spots)] if found.spots else [])]
    page = html.tables_page(table.title, [table], pictures, html.BARE_LAYOUT)
    by_label = {problem.label: problem for problem in found.book.problems} if found.book and by == PROBLEM else {}
    cards = [_card(size, by_label.get(size.label), by, name) for size in ordered]
    return page, cards


def _card(size: Any, problem: CustomerProblem | None, by: str, ranking: str) -> dict[str, Any]:
    position = RANKINGS.index(ranking)
    return {
        "id": problem.id if problem else "",
        "reference": problem.id if problem else f"{by}={size.label}",
        "name": problem.name if problem else size.label,
        "label": size.label,
        "sentence": problem.sentence if problem else "",
        "closed": bool(problem and problem.state == "closed"),
        "cases": size.cases,
        "customers": size.customers,
        "share": size.share,
        "spark": tables.text_bars(size.weeks),
        "state": size.state,
        "alarm": size.is_alarm,
        "rank": tables.rank_words(size.ranks[position]),
    }


def problem_text(workspace: Workspace, by: str) -> str:
    """The numbers of all problems as JSON, most cases first; none where nobody listened yet."""
    if by == PROBLEM and read_book(workspace) is None:
        return "[]"
    found = problem_questions.overview(workspace, by, MeasureQuestion(()))
    return data.as_json([problem_record(size) for size in found.sizes])


def problem_page(workspace: Workspace, reference: str) -> tuple[str, dict[str, Any]]:
    """One problem: its course by month, its words and its decisions; and what the page needs to know beside them."""
    book, problem, size = problem_questions.one_problem(workspace, reference)
    question = MeasureQuestion((find_measure("problem_share"),), granularity="month", about=problem.id)
    (series,) = ask_measures(workspace, question)
    chart = html.chart_page(compute_chart(series), html.BARE_LAYOUT) if len(series) else ""
    shown = tables.one_problem_tables(problem, book, size, workspace.zone)
    page = chart + html.tables_page(problem.label, shown, layout=html.BARE_LAYOUT)
    return page, {
        "id": problem.id,
        "name": problem.name,
        "label": problem.label,
        "state": problem.state,
        "others": _others(book, problem),
        "decisions": _own_decisions(book, problem),
    }


def _others(book: Book, problem: CustomerProblem) -> list[tuple[str, str]]:
    return [(other.id, other.label) for other in book.problems if other.number != problem.number]


def _own_decisions(book: Book, problem: CustomerProblem) -> list[int]:
    return [
        decision.number
        for decision in in_force(book.decisions)
        if problem.number in (decision.problem, decision.facts.get("into"))
    ]


def filing_page(workspace: Workspace, column: str) -> str:
    """What cases are filed under beside what customers say; nothing where nobody listened yet."""
    if read_book(workspace) is None:
        return ""
    filing_tables = tables.filing_tables(problem_filing.filing_beside_words(workspace, column), column)
    return html.tables_page(filing_tables[0].title, filing_tables, layout=html.BARE_LAYOUT)


def novelty_page(workspace: Workspace, days: int) -> str:
    """What many customers say now and hardly anybody said before: the last days, drawn, and the alarms among them."""
    found_days, texts = listening.find_new(workspace, days)
    table = tables.novelty_table(found_days, texts)
    both_tables = [table, tables.novelty_days_table(found_days)]
    return html.tables_page(table.title, both_tables, [novelty_course(found_days)], html.BARE_LAYOUT)


def origin_page(workspace: Workspace, reference: str) -> str:
    """Where a problem comes from, as a table."""
    scan, fault = problem_origins.find_origins(workspace, reference or None)
    table = tables.origin_table(scan, fault)
    return html.tables_page(table.title, [table], layout=html.BARE_LAYOUT)

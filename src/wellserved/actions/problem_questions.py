"""Questions about problems: their sizes, one of them, why a case is about it, where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field

from wellserved.actions.open_cases import open_case_table
from wellserved.actions.problem_costs import declared_cost
from wellserved.errors import RequestError
from wellserved.listen.book import Book, CustomerProblem, open_book, open_text_parts
from wellserved.listen.cost import Cost
from wellserved.listen.sizes import ProblemSize, problem_sizes
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import filter_sql, period_sql
from wellserved.moments import PROBLEM
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

FILED_COLUMNS = ("category", "cause", "service")
"""What a house files cases under."""
LISTENED_COLUMNS = (PROBLEM, *FILED_COLUMNS)
"""What problems may be told by: words, or what the house files cases under."""


@dataclass(frozen=True)
class Overview:
    """Problems of a span and how they were found."""

    by: str
    sizes: tuple[ProblemSize, ...]
    told: int  # cases that could tell
    cases: int  # all cases
    book: Book | None
    caution: str  # what a source says before its numbers are quoted
    cost: Cost = field(default_factory=Cost)  # what hours and money rest on

    @property
    def spots(self) -> dict[str, tuple[float, float]]:
        """Label -> place on the map."""
        return {problem.label: problem.spot for problem in self.book.problems} if self.book else {}


def overview(
    workspace: Workspace,
    by: str,
    question: MeasureQuestion,
    cost: Cost | None = None,
    on_progress: ProgressCallback = no_progress,
) -> Overview:
    """The problems of a span, told by words or by one of the house's own columns. `cost`: None: as the house declared it."""
    if by not in LISTENED_COLUMNS:
        raise RequestError(f"Problems are not told by {by}.", f"Choose one of {', '.join(LISTENED_COLUMNS)}.")
    book = open_book(workspace) if by == PROBLEM else None
    cost = cost or declared_cost(workspace)
    with open_case_table(workspace, on_progress, with_moments=True, about="") as case_table:
        on_progress("Sizing problems", 0, 0)
        sizes = problem_sizes(case_table, by, question, cost)
        told = "count(*) FILTER (told = 1)" if by == PROBLEM else f"count({by})"
        where, values = filter_sql(case_table, question)
        span = f"{where} AND {period_sql(question, 'asked')}"
        counts_sql = f"SELECT {told} AS told, count(*) AS cases FROM {case_table.table} WHERE {span}"
        row = case_table.engine.query(counts_sql, values).to_pylist()[0]
    newer = (
        {"Records came in since customers' words were read: listen again."}
        if book and book.look.log_version != case_table.log_version
        else set()
    )
    cautions = newer | {
        receipt.caution for source in case_table.as_of for receipt in log.receipts(workspace, source)[-1:]
    }
    return Overview(
        by, tuple(sizes), int(row["told"]), int(row["cases"]), book, " ".join(sorted(filter(None, cautions))), cost
    )


def one_problem(
    workspace: Workspace, reference: str, on_progress: ProgressCallback = no_progress
) -> tuple[Book, CustomerProblem, ProblemSize | None]:
    """One problem by its id, label or name, with its size over the whole record."""
    book = open_book(workspace)
    problem = book.find(reference)
    sizes = overview(workspace, PROBLEM, MeasureQuestion(()), None, on_progress).sizes
    return book, problem, next((size for size in sizes if size.label == problem.label), None)


@dataclass(frozen=True)
class Reason:
    """One part of a case's words, and the problem that it is about."""

    text: str
    problem: str  # label, or nothing
    share: float


def why(workspace: Workspace, case_id: str) -> list[Reason]:
    """What a case's words were taken to be about, part by part."""
    book = open_book(workspace)
    parts = open_text_parts(workspace, book)
    numbers = book.now_about(parts).tolist()
    label_by_number = {problem.number: problem.label for problem in book.problems}
    cases, texts, shares = (parts[name].to_pylist() for name in ("case_id", "text", "share"))
    reasons = [
        Reason(text, label_by_number.get(number, ""), share)
        for case, text, number, share in zip(cases, texts, numbers, shares, strict=True)
        if case == case_id
    ]
    if not reasons:
        raise RequestError(
            f"No words of a case {case_id} are known.", "Give the number of a case whose customer wrote something."
        )
    return reasons

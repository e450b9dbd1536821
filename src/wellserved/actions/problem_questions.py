"""Questions about problems: their sizes, one of them, why a case is about it, where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wellserved.actions.listening import LOOK_SEED
from wellserved.actions.open_cases import open_case_table
from wellserved.actions.problem_costs import declared_cost
from wellserved.engine.duckdb import DuckDB, query
from wellserved.errors import RequestError
from wellserved.listen.book import Book, CustomerProblem, open_book, open_text_parts
from wellserved.listen.cost import Cost
from wellserved.listen.origins import Scan, scan_origins
from wellserved.listen.sizes import ProblemSize, problem_sizes
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import filter_sql, period_sql
from wellserved.measure.series import is_told_in_words
from wellserved.moments import PROBLEM, NotComputable
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

LISTENED_COLUMNS = (PROBLEM, "category", "cause", "service")
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


ORIGIN_COLUMNS = ("service", "channel", "place", "team", "category", "source")
"""Where a fault may come from; people are never an origin."""
FEWEST_PEOPLE = 5


def find_origins(
    workspace: Workspace, reference: str | None, on_progress: ProgressCallback = no_progress
) -> tuple[Scan | NotComputable, str]:
    """Which origins bring more of a problem than chance; without one, more corrections."""
    about = reference or ""
    with open_case_table(workspace, on_progress, with_moments=True, about=about) as case_table:
        assert isinstance(case_table.engine, DuckDB)
        fault = "about = 1" if about else CORRECTED
        told = "told = 1" if about else "1 = 1"
        left_out = about.partition("=")[0]
        columns = [name for name in ORIGIN_COLUMNS if name != left_out]
        few = f"(SELECT team FROM {case_table.table} GROUP BY team HAVING count(DISTINCT person_id) BETWEEN 1 AND {FEWEST_PEOPLE - 1})"
        shown = ", ".join(
            f"CASE WHEN team IN {few} THEN NULL ELSE team END AS team" if name == "team" else name for name in columns
        )
        table = query(
            case_table.engine.db,
            f"SELECT {shown}, asked_month AS month, ({fault}) AS fault FROM {case_table.table} WHERE {told} ORDER BY source, case_id",
        )
    on_progress("Comparing origins", 0, 0)
    records = {name: table[name].to_pylist() for name in columns}
    fault_mask = np.array([bool(value) for value in table["fault"].to_pylist()], dtype=bool)
    name = open_book(workspace).find(about).label if is_told_in_words(about) else about or "corrections"
    if not len(fault_mask):
        return NotComputable("no case could tell"), name
    return scan_origins(records, fault_mask, table["month"].to_pylist(), LOOK_SEED, on_progress), name


CORRECTED = "reopens > 0 OR returns > 0 OR EXISTS (SELECT 1 FROM moments m WHERE m.kind = 'corrected' AND m.source = cases_with_problems.source AND m.case_id = cases_with_problems.case_id)"
"""SQL: somebody had to mend what was delivered."""


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

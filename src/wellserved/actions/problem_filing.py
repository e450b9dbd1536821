"""What cases are filed under, beside what their customers say."""

from __future__ import annotations

from wellserved.actions.open_cases import open_case_table
from wellserved.actions.problem_questions import FILED_COLUMNS
from wellserved.engine.duckdb import DuckDB, query, quote_name
from wellserved.errors import UnknownNameError
from wellserved.listen.book import open_book, open_text_parts
from wellserved.listen.filing import Filing, compare_filing
from wellserved.moments import NotComputable
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage.workspace import Workspace


def filing_beside_words(
    workspace: Workspace, column: str, on_progress: ProgressCallback = no_progress
) -> Filing | NotComputable:
    """How a column of the house goes with the problems in customers' words, over all cases told by both."""
    if column not in FILED_COLUMNS:
        raise UnknownNameError("column", column, FILED_COLUMNS)
    book = open_book(workspace)
    with open_case_table(workspace, on_progress, about="") as case_table:
        assert isinstance(case_table.engine, DuckDB)
        db = case_table.engine.db
        db.register(
            "text_parts", open_text_parts(workspace, book).select(["source", "case_id", "at_s", "part", "text"])
        )
        on_progress("Comparing what is filed with what is said", 0, 0)
        cases = query(
            db,
            f"""SELECT c.{quote_name(column)} AS filed, c.problem, w.text FROM {case_table.table} c
            JOIN (SELECT source, case_id, arg_min(text, at_s * 1000 + part) AS text FROM text_parts GROUP BY ALL) w USING (source, case_id)
            WHERE filed IS NOT NULL AND c.problem IS NOT NULL ORDER BY source, case_id""",
        )
    return compare_filing(*(cases[name].to_pylist() for name in ("filed", "problem", "text")))

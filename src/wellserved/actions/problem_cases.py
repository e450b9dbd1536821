"""Cases with the problems that their customers tell of, and what has to be said of a problem that is measured."""

from __future__ import annotations

from dataclasses import replace

from wellserved.engine import duckdb
from wellserved.errors import RequestError, UnknownNameError
from wellserved.listen.book import Book, open_book, open_text_parts, read_book, read_parts, words_table
from wellserved.measure.case_table import CaseTable, ProblemWords
from wellserved.measure.coverage import PRIVATE_COLUMNS
from wellserved.measure.series import about_condition, is_told_in_words
from wellserved.moments import SEGMENTS
from wellserved.storage.workspace import Workspace

ABOUT_COLUMNS = tuple(column for column in SEGMENTS if column not in ("source", *PRIVATE_COLUMNS))
"""What a problem can be told by, beside words: never a person, a customer or an account."""


def with_problems(workspace: Workspace, case_table: CaseTable, about: str) -> CaseTable:
    """The cases with the problem that each is about; `about`: a problem's id or column=value, or nothing in particular."""
    if not isinstance(case_table.engine, duckdb.DuckDB):
        raise RequestError("Problems are asked about on DuckDB alone.", "Unset WELLSERVED_ENGINE for this question.")
    in_words = is_told_in_words(about)
    book = open_book(workspace) if in_words else read_book(workspace)
    parts = (open_text_parts if in_words else read_parts)(workspace, book) if book else None
    db = case_table.engine.db
    table, labels = "", {}
    if book is not None and parts is not None:
        labels = book.labels()
        db.register("problem_parts", words_table(book, parts))
        words_by_then = " OR ".join(
            f"source = {duckdb.quote_text(source)} AND at_s <= {end}"
            for source, end in sorted(case_table.as_of.items())
        )  # what was said later is no part of cases that are looked at as they stood
        db.execute(f"CREATE OR REPLACE TEMP TABLE problem_words AS FROM problem_parts WHERE {words_by_then or 'false'}")
        db.unregister("problem_parts")
        table = "problem_words"
    words = ProblemWords(table, labels, *_about_sql(about, book))
    db.execute(f"CREATE OR REPLACE TEMP VIEW cases_with_problems AS {words.joined_sql(case_table.table)}")
    return replace(case_table, table="cases_with_problems", words=words)


def has_problems(workspace: Workspace) -> bool:
    """Somebody has listened, and problems were told."""
    book = read_book(workspace)
    return book is not None and bool(book.problems)


def settled_problem(workspace: Workspace, about: str) -> str:
    """A problem by the id that it keeps, whatever it was called by; a value of a column as it is."""
    return open_book(workspace).find(about).id if is_told_in_words(about) else about


def decisions_since(workspace: Workspace, about: str, instant: str) -> tuple[str, ...]:
    """What has to be said of a problem that people decided about after it was declared to be measured."""
    book = read_book(workspace) if is_told_in_words(about) else None
    if book is None:
        return ()
    number = book.find(about).number
    later = [
        decision
        for decision in book.decisions
        if decision.at > instant and decision.deed in ("merged", "split", "undone")
        and number in (decision.problem, decision.facts.get("into"), *([number] if decision.deed == "undone" else []))
    ]  # fmt: skip
    deeds = ", ".join(f"{decision.deed} on {decision.at[:10]} by {decision.by}" for decision in later)
    return (
        (
            f"What counts as this problem was decided about after the declaration ({deeds}): read the verdict as an exploration.",
        )
        if later
        else ()
    )


def _about_sql(about: str, book: Book | None) -> tuple[str, str]:
    """SQL: the case is about it; it could tell."""
    for column, value in about_condition(about):
        if column not in ABOUT_COLUMNS:
            raise UnknownNameError("column", column, ABOUT_COLUMNS)
        name = duckdb.quote_name(column)
        told = f"CASE WHEN c.{name} IS NULL THEN 0 ELSE 1 END"
        return f"CASE WHEN c.{name} = {duckdb.quote_text(value)} THEN 1 WHEN c.{name} IS NOT NULL THEN 0 END", told
    if not about or book is None:
        return "", ""
    label = duckdb.quote_text(book.find(about).label)
    return f"CASE WHEN w.labels IS NOT NULL THEN CAST(list_contains(w.labels, {label}) AS INTEGER) END", ""

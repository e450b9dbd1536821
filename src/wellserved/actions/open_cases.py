"""The workspace's cases as one version, opened for questions and closed after them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from wellserved import cases
from wellserved.calendar import Calendars, load_calendars
from wellserved.engine import Engine, duckdb, open_engine
from wellserved.errors import RequestError, UnknownNameError, WorkspaceError
from wellserved.listen.book import Book, read_book, read_parts, words_table
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import CaseTable, ProblemWords, make_case_table
from wellserved.measure.coverage import PRIVATE_COLUMNS, unknown_names
from wellserved.moments import SEGMENTS
from wellserved.progress import ProgressCallback, no_progress
from wellserved.scales import load_scales
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

ABOUT_COLUMNS = tuple(column for column in SEGMENTS if column not in ("source", *PRIVATE_COLUMNS))
"""What a problem can be told by, beside words: never a person, a customer or an account."""
MAX_CASES_IN_MEMORY = 1_000_000  # cases up to which a question's table is read once and kept


@contextmanager
def open_case_table(
    workspace: Workspace,
    on_progress: ProgressCallback = no_progress,
    with_moments: bool = False,
    keep_in_memory: bool = False,
    about: str | None = None,
) -> Iterator[CaseTable]:
    """The workspace's cases, brought up to the log if an import was cut short, as one version from start to end.

    `with_moments`: the moments that they were folded from as well, as the table `moments`. `keep_in_memory`: many questions
    are to come, so that cases that fit are read once and kept. `about`: with the problem that each case is about, and
    with what tells whether it is about this one (a problem's id, or a value of a column); "": the first alone.
    """
    stored_cases = log.snapshot(workspace.cases)
    # after the cases that follow it: what is committed between them is no loss
    current_log = log.snapshot(workspace.log)
    log.check_complete(workspace, current_log)
    is_current = cases.is_current(workspace, current_log, stored_cases)
    if current_log.version < 0:
        raise WorkspaceError(f"{workspace.folder} holds no moments yet.", "Import a file: `wellserved import FILE`.")
    if not is_current:
        with workspace.write_lock() as scratch:
            cases.refresh(workspace, scratch, on_progress)
        stored_cases = log.snapshot(workspace.cases)
    url = "" if with_moments else os.environ.get("WELLSERVED_ENGINE", "")
    if url and stored_cases.deleted_rows:  # else nobody has to wait for the lock
        with workspace.write_lock():
            stored_cases = cases.purge_deleted_rows(workspace)
    log_version = int(stored_cases.facts["log_version"])
    calendars, scales = opening_hours(workspace), load_scales(workspace.folder)
    engine: Engine
    if url:
        engine, table = open_engine(url, stored_cases.files, cases.CASE_TYPES)
    else:
        engine, table = _open_duckdb(workspace, stored_cases, log_version, with_moments, keep_in_memory), "cases"
    try:
        case_table = make_case_table(
            engine,
            table,
            workspace.zone,
            log_version,
            calendars=calendars,
            cannot=log.unrecorded_kinds(workspace),
            scales=scales,
        )
        yield case_table if about is None else with_problems(workspace, case_table, about)
    finally:
        engine.close()


def _open_duckdb(
    workspace: Workspace, stored_cases: log.Snapshot, log_version: int, with_moments: bool, keep_in_memory: bool
) -> duckdb.DuckDB:
    """The default engine, with one version's cases as the table `cases`."""
    db = duckdb.connect(workspace.cases, *([workspace.log] if with_moments else []))
    duckdb.create_view(db, "stored_cases", stored_cases.files, cases.CASE_TYPES, stored_cases.deleted_row_table())
    if with_moments:
        log.create_current_view(db, "moments", log.snapshot(workspace.log, log_version).files)
    fits_in_memory = (
        keep_in_memory and db.sql("SELECT count(*) FROM stored_cases").fetchall()[0][0] <= MAX_CASES_IN_MEMORY
    )
    relation_kind = "TABLE" if fits_in_memory else "VIEW"
    db.execute(f"CREATE TEMP {relation_kind} cases AS FROM stored_cases")
    return duckdb.DuckDB(db)


def opening_hours(workspace: Workspace) -> Calendars:
    """The workspace's calendars; none: calendar time alone."""
    return load_calendars(workspace.calendars, workspace.zone)


def check_filters(case_table: CaseTable, question: MeasureQuestion) -> None:
    """Raise where a filter names what no case has, with the nearest names."""
    if reason := unknown_names(case_table, question):
        raise RequestError(reason, "Correct --where.")


def with_problems(workspace: Workspace, case_table: CaseTable, about: str) -> CaseTable:
    """The cases with the problem that each is about; `about`: a problem's id or column=value, or nothing in particular."""
    if not isinstance(case_table.engine, duckdb.DuckDB):
        raise RequestError("Problems are asked about on DuckDB alone.", "Unset WELLSERVED_ENGINE for this question.")
    book, parts = read_book(workspace), read_parts(workspace)
    db = case_table.engine.db
    table, labels = "", {}
    if book is not None and parts is not None:
        labels = book.labels()
        db.register("problem_parts", words_table(book, parts))
        db.execute("CREATE OR REPLACE TEMP TABLE problem_words AS FROM problem_parts")
        db.unregister("problem_parts")
        table = "problem_words"
    words = ProblemWords(table, labels, *_about_sql(about, book, parts is None))
    db.execute(f"CREATE OR REPLACE TEMP VIEW cases_with_problems AS {words.joined_sql(case_table.table)}")
    return replace(case_table, table="cases_with_problems", words=words)


def has_problems(workspace: Workspace) -> bool:
    """Somebody has listened, and problems were told."""
    book = read_book(workspace)
    return book is not None and bool(book.problems)


def settled_problem(workspace: Workspace, about: str) -> str:
    """A problem by the id that it keeps, whatever it was called by; a value of a column as it is."""
    if not about or "=" in about:
        return about
    book = read_book(workspace)
    if book is None:
        raise RequestError("No problems were looked for yet.", "Listen first: `wellserved listen`.")
    return book.find(about).id


def decisions_since(workspace: Workspace, about: str, instant: str) -> tuple[str, ...]:
    """What has to be said of a problem that people decided about after it was declared to be measured."""
    book = read_book(workspace) if about and "=" not in about else None
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


def _about_sql(about: str, book: Book | None, are_parts_gone: bool) -> tuple[str, str]:
    """SQL: the case is about it; it could tell."""
    column, is_value, value = about.partition("=")
    if is_value:
        if column not in ABOUT_COLUMNS:
            raise UnknownNameError("column", column, ABOUT_COLUMNS)
        name = duckdb.quote_name(column)
        told = f"CASE WHEN c.{name} IS NULL THEN 0 ELSE 1 END"
        return f"CASE WHEN c.{name} = {duckdb.quote_text(value)} THEN 1 WHEN c.{name} IS NOT NULL THEN 0 END", told
    if not about:
        return "", ""
    if book is None:
        raise RequestError("No problems were looked for yet.", "Listen first: `wellserved listen`.")
    if are_parts_gone:
        raise RequestError("The texts that were read are gone.", "Listen again: `wellserved listen`.")
    label = duckdb.quote_text(book.find(about).label)
    return f"CASE WHEN w.labels IS NOT NULL THEN CAST(list_contains(w.labels, {label}) AS INTEGER) END", ""

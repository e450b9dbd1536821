"""The workspace's cases as one version, opened for questions and closed after them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from wellserved import cases
from wellserved.actions.problem_cases import with_problems
from wellserved.calendar import Calendars, load_calendars
from wellserved.engine import Engine, duckdb, open_engine
from wellserved.errors import RequestError, WorkspaceError
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import CaseTable, make_case_table
from wellserved.measure.coverage import unknown_names
from wellserved.progress import ProgressCallback, no_progress
from wellserved.scales import load_scales
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

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

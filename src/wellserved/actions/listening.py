"""Listening: problems found in what customers say, and what people decide about them."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from filelock import FileLock

from wellserved import disk
from wellserved.actions.open_cases import open_case_table
from wellserved.engine.duckdb import DuckDB, query, quote_text
from wellserved.errors import RequestError
from wellserved.listen import book
from wellserved.listen.book import Book, Decision, Deed
from wellserved.listen.novelty import Neighbourhood
from wellserved.moments import JOURNAL_SOURCE
from wellserved.progress import ProgressCallback, no_progress, progress_in
from wellserved.storage.workspace import Workspace

LOOK_SEED = 1
WANTED_FILE = "wanted"
WISH_SECONDS = 2.0  # between two looks for somebody's wish


def listen_anew(
    workspace: Workspace,
    on_progress: ProgressCallback = no_progress,
    afresh: bool = False,
    now: datetime | None = None,
    mode: str | None = None,
) -> Book:
    """Read what customers say and keep the problems in it; those that are known keep their numbers.

    `afresh`: the problems of before are given up, with everything that people decided about them but in the history.
    `mode`: the house's own words, or the model that is asked; None: as the look before.
    """
    from wellserved.listen.look import look_for_problems
    from wellserved.listen.model import OWN_WORDS

    folder = workspace.folder / "problems"
    folder.mkdir(mode=0o700, exist_ok=True)
    with FileLock(folder / ".look.lock"):  # two looks at once would give a number twice
        said, names, version = _said(workspace, on_progress)
        before = book.read_book(workspace)
        parts = book.read_parts(workspace, before) if before else None
        mode = mode or (before.look.mode if before else OWN_WORDS)
        if before and not before.look.refused and not afresh and mode != before.look.mode:
            raise RequestError(
                f"The problems that are known were read by {before.look.mode}; {mode} would tell others.",
                "Give them up and look anew with --afresh, or leave --model and --no-model out.",
            )
        found, problems, parts = look_for_problems(
            said, before, None if afresh else parts, LOOK_SEED, on_progress, names, mode
        )
        found = replace(found, made_at=(now or datetime.now(UTC)).isoformat(), log_version=version)
        with workspace.write_lock() as scratch:
            book.write_look(workspace, scratch, found, problems, parts)
    return book.open_book(workspace)


def _said(workspace: Workspace, on_progress: ProgressCallback) -> tuple[pa.Table, tuple[str, ...], int]:
    """What customers said, a row a text; and the names of those who serve, as the record has them."""
    from wellserved.listen.said import SAID_COLUMNS, SPOKEN_KINDS

    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        assert isinstance(case_table.engine, DuckDB)
        kinds = ", ".join(map(quote_text, SPOKEN_KINDS))
        # a case has one team in the end; what a text's own record says comes first
        settled = ("customer_id", "account_id", "team", "channel")
        cells = {
            **{name: f"m.{name}" for name in SAID_COLUMNS},
            **{name: f"coalesce(m.{name}, c.{name})" for name in settled},
            "at_s": 'CAST(epoch(m."at") AS BIGINT)',
        }
        columns = ", ".join(f"{cell} AS {name}" for name, cell in cells.items())
        said = query(
            case_table.engine.db,
            f"SELECT {columns} FROM moments m JOIN cases c USING (source, case_id) WHERE m.text IS NOT NULL AND m.kind IN ({kinds}) AND m.source <> {quote_text(JOURNAL_SOURCE)}",
        )
        persons = query(case_table.engine.db, "SELECT DISTINCT person_id FROM moments WHERE person_id IS NOT NULL")
        return said, tuple(map(str, persons["person_id"].to_pylist())), case_table.log_version


def ask_for_look(workspace: Workspace) -> None:
    """Ask the worker to read what customers say; asked twice, it reads once."""
    with workspace.write_lock() as scratch:
        folder = workspace.folder / "problems"
        folder.mkdir(mode=0o700, exist_ok=True)
        with disk.rewrite_file(folder / WANTED_FILE, scratch / WANTED_FILE) as file:
            file.write("waiting for the worker")


def look_under_way(workspace: Workspace) -> str:
    """How far the look is that somebody asked for; nothing: none is."""
    file = workspace.folder / "problems" / WANTED_FILE
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def look_if_wanted(workspace: Workspace) -> bool:
    """Read what customers say where somebody asked for it, and note how far it is; whether it was asked for."""
    file = workspace.folder / "problems" / WANTED_FILE
    if not file.exists():
        return False

    try:
        listen_anew(workspace, progress_in(file))
    finally:
        file.unlink(missing_ok=True)
    return True


def run_looks(workspace: Workspace, stop: threading.Event) -> None:
    """Read what customers say whenever somebody asked for it, beside the worker: it may take minutes."""
    while not stop.wait(WISH_SECONDS):
        try:
            look_if_wanted(workspace)
        except RequestError as error:
            sys.stderr.write(f"Nothing was read of what customers say: {error.problem} {error.remedy}\n")
        except Exception as error:  # its words may hold theirs
            sys.stderr.write(f"Nothing was read of what customers say: {type(error).__name__}\n")


def decide_about(
    workspace: Workspace, deed: Deed, problem: str, facts: dict[str, Any], by: str, now: datetime | None = None
) -> Decision:
    """What somebody decides about a problem; every later look respects it."""
    return book.decide(workspace, deed, problem, facts, by, now or datetime.now(UTC))


def find_new(
    workspace: Workspace, days: int, on_progress: ProgressCallback = no_progress
) -> tuple[list[Neighbourhood], list[str]]:
    """What many customers say now and hardly anybody said before: every day of the last ones, and all texts."""
    from wellserved.listen.look import scan_for_new

    said, names, _ = _said(workspace, on_progress)
    return scan_for_new(said, days, workspace.zone, LOOK_SEED, on_progress, names)

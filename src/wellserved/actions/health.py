"""What is wrong with an installation, in plain words: what `check` looks at, and what `verify` reads through."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, connections

from wellserved.actions import backups, schema, worker
from wellserved.actions.declarations import check_declarations
from wellserved.damage import as_damage_error
from wellserved.errors import DamageError, WellservedError
from wellserved.journal.keys import check_secret
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage import digests, integrity, log
from wellserved.storage.integrity import IntegrityFinding, restore_command
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Shared

LEAST_FREE_BYTES = 200 * 2**20  # bytes below which nothing can be saved soon
HealthCheck = Callable[[Workspace, bool, ProgressCallback], Iterable[IntegrityFinding]]


def check_files(workspace: Workspace, thorough: bool, on_progress: ProgressCallback) -> Iterator[IntegrityFinding]:
    """The log, the cases, the receipts of imports."""
    yield from integrity.log_findings(workspace, thorough, on_progress)
    yield from integrity.receipt_findings(workspace)
    yield from integrity.case_findings(workspace, thorough, on_progress)


def check_databases(workspace: Workspace, thorough: bool, on_progress: ProgressCallback) -> Iterator[IntegrityFinding]:
    """Both databases: that they answer, are whole and up to date; nothing, where nobody has needed them yet."""
    database_files = schema.database_files()
    if database_files and not any(file.exists() and file.stat().st_size for file in database_files):
        return
    restore = f"Stop what runs, keep a copy of the folder, and restore a backup: {restore_command(workspace)}."
    for alias, loss in _LOSSES.items():
        on_progress(f"Looking at the {alias} database", 0, 0)
        try:
            problems = [*_storage_problems(alias, workspace), *_damage_problems(alias, thorough, restore, loss)]
        except Exception as error:
            message = next(iter(str(error).splitlines()), type(error).__name__)
            problems = [(f"cannot be read: {message}", loss, restore)]
        yield from (
            IntegrityFinding(f"The {alias} database {problem}.", loss, remedy) for problem, loss, remedy in problems
        )
    if not any(connections[alias].connection is None for alias in schema.ALIASES):
        yield from _mismatches(workspace)


_LOSSES = {
    "default": "People, shared moments, customers and accounts may be lost in part.",
    "journal": "Private journals may be lost in part.",
}


def _storage_problems(alias: str, workspace: Workspace) -> Iterator[tuple[str, str, str]]:
    """What is wrong with how a database is kept, of which nothing is lost: what, nothing, what to do."""
    if connections[alias].vendor == "sqlite" and (mode := _query_text(alias, "PRAGMA journal_mode")) != "wal":
        yield f"answers {mode!r}, not wal", "", f"Is {workspace.folder} on a network drive? Move it to a local one."
    migration_state = schema.migration_state(alias)
    if migration_state.newer_migrations:
        yield f"was made by a newer wellserved ({migration_state.newer_migrations})", "", "Update wellserved."
    elif migration_state.applied_migrations and migration_state.is_behind:
        yield "is not up to date", "", "Start `wellserved serve` once: it makes a backup, and brings it up to date."


def _damage_problems(alias: str, thorough: bool, restore: str, loss: str) -> Iterator[tuple[str, str, str]]:
    """What is wrong with what a database holds: what, what is lost, what to do."""
    if connections[alias].vendor == "sqlite":
        answer = _query_text(alias, "PRAGMA integrity_check" if thorough else "PRAGMA quick_check")
        if answer != "ok":
            yield f"is damaged: {answer}", loss, restore
    if not schema.migration_state(alias).applied_migrations:
        if any(map(schema.has_rows, set(schema.ALIASES) - {alias})):
            yield "is empty, and the other one is not", loss, restore
    elif thorough:
        connections[alias].check_constraints()
        for model in schema.saved_models(alias):
            for _ in schema.row_lines(model, alias):
                pass  # each is read and understood


def _query_text(alias: str, statement: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0]).splitlines()[0]


def _mismatches(workspace: Workspace) -> Iterator[IntegrityFinding]:
    """What the databases say of the rest: the log's version, and the secret that opens journals."""
    try:
        with suppress(Error):  # said already
            check_secret(settings.SECRET_KEY.encode())
    except DamageError as error:
        yield IntegrityFinding(error.problem, "Journals that it locks cannot be opened.", error.remedy)
    try:
        shared_moments = Shared.objects.exclude(log_version=None).order_by("-log_version")
        last_version = shared_moments.values_list("log_version", flat=True).first()
        log_version = log.snapshot(workspace.log).version
    except Exception:
        return  # said already
    if last_version is not None and last_version > log_version:
        remedy = f"Restore a backup into a fresh folder: {restore_command(workspace)}."
        yield IntegrityFinding(
            log.truncation_error(log_version, last_version).problem, "Shared moments in it count in no measure.", remedy
        )


def check_surroundings(
    workspace: Workspace, thorough: bool, on_progress: ProgressCallback
) -> Iterator[IntegrityFinding]:
    """Who can read the files, and how much room there is."""
    private_names = [
        "keys",
        "keys/secret",
        "keys/claims",
        "log",
        "cases",
        "imports",
        "backups",
        "store.sqlite3",
        "journal.sqlite3",
    ]
    private_paths = [workspace.folder / name for name in private_names if (workspace.folder / name).exists()]
    if os.name == "posix" and (readable_paths := [file for file in private_paths if file.stat().st_mode & 0o077]):
        names = ", ".join(file.relative_to(workspace.folder).as_posix() for file in readable_paths)
        folders, other_files = (
            [str(path) for path in readable_paths if path.is_dir() is is_folder] for is_folder in (True, False)
        )
        commands = [f"chmod 700 {' '.join(folders)}"] * bool(folders) + [f"chmod 600 {' '.join(other_files)}"] * bool(
            other_files
        )
        yield IntegrityFinding(f"Others on this computer can read {names}.", "", f"Close them: {'; '.join(commands)}.")
    if (free_bytes := shutil.disk_usage(workspace.folder).free) < LEAST_FREE_BYTES:
        yield IntegrityFinding(
            f"Only {free_bytes // 2**20} MB of the disk are free.", "Nothing can be saved soon.", "Make room."
        )


def check_worker(workspace: Workspace, thorough: bool, on_progress: ProgressCallback) -> Iterator[IntegrityFinding]:
    """Whether shared moments reach the log; nothing, where nobody has needed the databases yet."""
    database_files = schema.database_files()
    if not database_files or any(file.exists() and file.stat().st_size for file in database_files):
        yield from worker.worker_findings(workspace)


def check_backups(workspace: Workspace, thorough: bool, on_progress: ProgressCallback) -> Iterator[IntegrityFinding]:
    """The backups here, each read through."""
    for file in sorted((workspace.folder / "backups").glob("*.zip")) if thorough else ():
        on_progress(f"Reading {file.name}", 0, 0)
        try:
            backups.check_backup(file)
        except (WellservedError, OSError, zipfile.BadZipFile) as error:
            yield IntegrityFinding(str(error), "It cannot be restored.", "Make another: `wellserved backup FILE`.")


CHECKS: tuple[HealthCheck, ...] = (
    check_surroundings,
    check_files,
    check_declarations,
    check_databases,
    check_worker,
    check_backups,
)
"""All that is looked at, in this order; each goes on past what is damaged."""


def find_problems(
    workspace: Workspace, thorough: bool = False, on_progress: ProgressCallback = no_progress
) -> list[IntegrityFinding]:
    """What is wrong with this installation; `thorough`: everything that is stored is read. Empty: nothing is."""
    all_findings: list[IntegrityFinding] = []
    for check in CHECKS:
        try:
            all_findings += check(workspace, thorough, on_progress)
        except Exception as error:
            if (damage := as_damage_error(error)) is None:
                raise
            all_findings.append(IntegrityFinding(damage.problem, "", damage.remedy))
    return list(dict.fromkeys(all_findings))


def stored_file_counts(workspace: Workspace) -> dict[str, Any]:
    """How much there is that `verify` read: files of the log, those of them without a digest, of the cases."""
    snapshot = log.snapshot(workspace.log)
    known_digests = digests.recorded_digests(workspace.log)
    names = [Path(file).relative_to(workspace.log.absolute()).as_posix() for file in snapshot.files]
    return {
        "log": len(names),
        "undigested": sum(name not in known_digests for name in names),
        "cases": len(log.snapshot(workspace.cases).files),
    }

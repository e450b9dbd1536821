"""Make or bring up to date the databases of a workspace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import OperationalError, connections

from wellserved import __version__, disk
from wellserved.actions import schema
from wellserved.errors import DamageError, WorkspaceError
from wellserved.progress import no_progress
from wellserved.storage.workspace import Workspace, owner_only


def prepare(workspace: Workspace) -> None:
    """Make or bring up to date the tables of both databases, after a backup of what is there; refuse those of a newer version.

    All or nothing, and one process at a time: whoever comes second finds them ready.
    """
    workspace.secret()
    if _is_ready():
        return
    with workspace.write_lock():
        schema.make_private()
        if _is_ready():  # by somebody else, meanwhile
            return
        _refuse_half_empty()
        backup_path = _back_up(workspace)
        try:
            with schema.schema_transaction():
                for alias in schema.ALIASES:
                    schema.migrate_to(alias)
        except Exception as error:
            if (storage_error := disk.as_storage_error(error, workspace.folder)) is not None:
                raise storage_error from error
            raise WorkspaceError(
                f"The databases could not be brought up to date: {error}. They are as they were.",
                _recovery_advice(backup_path),
            ) from error
    schema.send_post_migrate()


def _recovery_advice(backup_path: Path | None) -> str:
    if backup_path is None:
        return "Nothing is lost; run it again, and report this if it comes again."
    return (
        f"Go on with the wellserved that you had, and report this. What was there is also in {backup_path}: "
        f"`wellserved restore {backup_path} --home FRESH`."
    )


def _is_ready() -> bool:
    """Both databases have the tables of this version; raises where they have a newer one's."""
    if not all(file.exists() and file.stat().st_size for file in schema.database_files()):
        return False  # nobody opens a file that somebody else may be making
    try:
        states = [schema.migration_state(alias) for alias in schema.ALIASES]
    except OperationalError:  # locked while somebody makes it: looked at again under the lock
        connections.close_all()
        return False
    if newer := ", ".join(
        sorted({migration_state.newer_migrations for migration_state in states if migration_state.newer_migrations})
    ):
        raise WorkspaceError(f"The databases were made by a newer wellserved ({newer}).", "Update wellserved.")
    return not any(migration_state.is_behind for migration_state in states)


def _refuse_half_empty() -> None:
    """Raise where one database is empty and the other is not: a file that is gone is not made anew in silence."""
    empty_aliases = [alias for alias in schema.ALIASES if not schema.migration_state(alias).applied_migrations]
    filled_aliases = [alias for alias in schema.ALIASES if alias not in empty_aliases]
    if empty_aliases and any(map(schema.has_rows, filled_aliases)):
        raise DamageError(
            f"The {empty_aliases[0]} database is empty, and the {filled_aliases[0]} database is not: its file is gone or cut.",
            "Bring the file back, or restore a backup into a fresh folder: `wellserved restore FILE --home FRESH`.",
        )


def _back_up(workspace: Workspace) -> Path | None:
    """A backup of what is there before it is changed, and beside it the databases themselves, which an earlier version can
    go on with; None: nothing is there."""
    if not any(map(schema.has_rows, schema.ALIASES)):
        return None
    from wellserved.actions import backups  # loads the log's libraries, which no other start needs

    folder = workspace.folder / "backups"
    target = folder / f"before-{__version__}.zip"
    for private_folder in (folder, target.with_suffix("")):
        private_folder.mkdir(mode=0o700, exist_ok=True)
    backups.write_backup(workspace, target, no_progress)
    for file in schema.database_files():
        _copy_database(file, target.with_suffix("") / file.name)
    return target


def _copy_database(file: Path, target: Path) -> None:
    """A database as it is at one moment, whoever writes."""
    with open(target, "wb", opener=owner_only):
        pass
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)

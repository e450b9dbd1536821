"""What is wrong with an installation, in plain words."""

from __future__ import annotations

import os
import shutil

import django
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from wellserved.actions import worker
from wellserved.workspace import Workspace


def findings(workspace: Workspace) -> list[str]:
    """What is wrong with this installation, in plain words; empty: nothing."""
    found = []
    for alias in connections:
        connection = connections[alias]
        try:
            with connection.cursor() as cursor:
                if connection.vendor == "sqlite":
                    cursor.execute("PRAGMA journal_mode")
                    if (mode := cursor.fetchone()[0]) != "wal":
                        found.append(
                            f"The {alias} database answers {mode!r}, not wal: is {workspace.folder} on a network drive?"
                        )
                    cursor.execute("PRAGMA quick_check")
                    if (said := cursor.fetchone()[0]) != "ok":
                        found.append(
                            f"The {alias} database is damaged: {said}. Bring back a backup: wellserved restore FILE."
                        )
                else:
                    cursor.execute("SELECT 1")
        except django.db.Error as error:
            found.append(f"The {alias} database does not answer: {error}.")
            continue
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            found.append(f"The {alias} database is not up to date: start `wellserved serve` once.")
    found += worker.findings(workspace)
    if os.name == "posix" and (workspace.folder / "keys" / "secret").stat().st_mode & 0o077:
        found.append("Others can read keys/secret: chmod 600 it.")
    if (free := shutil.disk_usage(workspace.folder).free) < 200 * 2**20:
        found.append(f"Only {free // 2**20} MB are free: nothing can be saved soon.")
    return found

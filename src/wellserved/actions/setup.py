"""Make or bring up to date the databases of a workspace."""

from __future__ import annotations

from pathlib import Path

from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from wellserved.errors import WorkspaceError
from wellserved.workspace import Workspace


def prepare(workspace: Workspace) -> None:
    """Make or bring up to date the tables of both databases; refuse those of a newer version."""
    workspace.secret()
    for alias in connections:
        connection = connections[alias]
        if connection.vendor == "postgresql" and alias == "journal":
            with connection.cursor() as cursor:
                cursor.execute("CREATE SCHEMA IF NOT EXISTS journal")
        executor = MigrationExecutor(connection)
        known = set(executor.loader.disk_migrations)
        if newer := set(executor.loader.applied_migrations) - known:
            named = ", ".join(sorted(f"{app}.{name}" for app, name in newer))
            raise WorkspaceError(f"The databases were made by a newer wellserved ({named}).", "Update wellserved.")
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", database=alias, verbosity=0, interactive=False)
        if connection.vendor == "sqlite":
            _private(Path(connection.settings_dict["NAME"]))


def _private(file: Path) -> None:
    for one in (file, file.with_name(file.name + "-wal"), file.with_name(file.name + "-shm")):
        if one.exists():
            one.chmod(0o600)

"""The tables of both databases, by the migrations applied to them: their rows as text and back, and the way to another state.

Rows are read and written by the models of that state, never by today's: a backup outlives every later column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from django.apps.registry import Apps
from django.core import serializers
from django.core.management.color import no_style
from django.core.management.sql import emit_post_migrate_signal
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models, router, transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from wellserved.storage.workspace import owner_only

Migrations = list[tuple[str, str]]  # app and name of each that is applied
ALIASES: Final = ("default", "journal")
SAVED_APPS: Final = ("account", "journal", "mfa", "store")  # apps whose rows a backup holds
# links of an hour, answers to repeated requests; who answered the pulse how, until its four weeks are told of
UNSAVED_MODELS: Final = ("account.emailconfirmation", "store.sent", "journal.pulseblock", "journal.pulsecount")


def database_files() -> list[Path]:
    """The databases that are files of the workspace's own."""
    return [
        Path(connections[alias].settings_dict["NAME"]) for alias in ALIASES if connections[alias].vendor == "sqlite"
    ]


def make_private() -> None:
    """Each database that is a file is one that only its owner can read, from its first byte on."""
    for file in database_files():
        with open(file, "ab", opener=owner_only):
            pass
        for path in (file, file.with_name(file.name + "-wal"), file.with_name(file.name + "-shm")):
            if path.exists():
                path.chmod(0o600)


@dataclass(frozen=True)
class MigrationState:
    """Where a database stands beside this version."""

    applied_migrations: Migrations  # that it has behind it; none: it is empty
    newer_migrations: str  # of them those that this version does not have, in words
    is_behind: bool  # some of this version are still to be applied


def migration_state(alias: str) -> MigrationState:
    """Where a database stands; as quick as Django reads the migrations."""
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    applied_migrations = sorted(executor.loader.applied_migrations)
    return MigrationState(applied_migrations, unknown_migrations(applied_migrations, executor.loader), bool(plan))


def unknown_migrations(migrations: Iterable[tuple[str, str]], loader: MigrationLoader | None = None) -> str:
    """Those of the migrations that this version does not have, in words; empty: it has all."""
    disk_migrations = (loader or MigrationLoader(None)).disk_migrations
    return ", ".join(sorted(f"{app}.{name}" for app, name in set(map(tuple, migrations)) - set(disk_migrations)))


def models_of(alias: str) -> Apps:
    """All models as a database has them."""
    loader = MigrationLoader(connections[alias])
    return loader.project_state([key for key in loader.applied_migrations if key in loader.graph.nodes]).apps


def saved_models(alias: str) -> list[type[models.Model]]:
    """The models, as a database has them, whose rows a backup holds."""
    return sorted(
        (
            model
            for model in models_of(alias).get_models()
            if model._meta.app_label in SAVED_APPS
            and model._meta.label_lower not in UNSAVED_MODELS
            and router.allow_migrate_model(alias, model)
        ),
        key=lambda model: model._meta.label_lower,
    )


def has_rows(alias: str) -> bool:
    """A database has rows of people, or of what they wrote."""
    return any(model._base_manager.using(alias).exists() for model in saved_models(alias))


@contextmanager
def schema_transaction() -> Iterator[None]:
    """Both databases, each in one transaction in which tables change too: what fails leaves both as they were."""
    with ExitStack() as stack:
        for alias in ALIASES:
            # SQLite changes tables only without checks of foreign keys, and they cannot be turned off in a transaction.
            if connections[alias].disable_constraint_checking():
                stack.callback(connections[alias].enable_constraint_checking)
            stack.enter_context(transaction.atomic(alias))
        yield
        for alias in ALIASES:
            connections[alias].check_constraints()


def migrate_to(alias: str, migrations: Iterable[tuple[str, str]] | None = None) -> None:
    """Bring a database to the state of these migrations, or of all. Call it within `schema_transaction`."""
    connection = connections[alias]

    def check_after_migration(action: str, migration: Migration | None = None, fake: bool | None = False) -> None:
        if action == "apply_success":  # PostgreSQL changes no table of which a check is still to come
            connection.check_constraints()

    if connection.vendor == "postgresql" and alias == "journal":
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS journal")
    connection.prepare_database()
    executor = MigrationExecutor(connection, check_after_migration)
    graph = executor.loader.graph
    targets = set(graph.leaf_nodes() if migrations is None else map(tuple, migrations))
    children = {key: {child.key for child in graph.node_map[key].children if child.key[0] == key[0]} for key in targets}
    executor.migrate(sorted(key for key in targets if not targets & children[key]))  # the last of each application


def send_post_migrate() -> None:
    """Tell Django's applications that the tables are those of this version."""
    for alias in ALIASES:
        emit_post_migrate_signal(0, False, alias)


def drop_tables(alias: str) -> None:
    """Take away the tables of a database that holds no rows of people. Call it within `schema_transaction`."""
    connection = connections[alias]
    table_names = [*connection.introspection.django_table_names(only_existing=True), "django_migrations"]
    existing_names = set(connection.introspection.table_names())
    with connection.schema_editor() as editor:
        for table in sorted(existing_names & set(table_names)):
            editor.execute(editor.sql_delete_table % {"table": editor.quote_name(table)})


class ExactJSONEncoder(DjangoJSONEncoder):
    """Instants to the microsecond; Django's own cuts them to milliseconds."""

    def default(self, o: object) -> object:
        """As ISO 8601."""
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


def row_lines(model: type[models.Model], alias: str) -> Iterator[str]:
    """The rows of a table, a line of JSON each, in the order of their keys."""
    for row in model._base_manager.using(alias).order_by("pk").iterator(chunk_size=1_000):
        yield canonical_line(serializers.serialize("jsonl", [row], cls=ExactJSONEncoder))


def canonical_line(line: str | bytes) -> str:
    """A row's line with its fields in order of their names: equal for equal rows, whichever version wrote it."""
    return json.dumps(json.loads(line), sort_keys=True, ensure_ascii=False) + "\n"


def load_rows(model: type[models.Model], alias: str, row_texts: Iterable[str]) -> None:
    """Write rows into an empty table, a thousand at a time. Call it within `schema_transaction`, so that they may point ahead."""
    rows = (_model_of_record(model, json.loads(line)) for line in row_texts)
    while batch := list(islice(rows, 1_000)):
        model._base_manager.using(alias).bulk_create(batch)
    _reset_sequences(alias, model)


def _model_of_record(model: type[models.Model], record: dict[str, Any]) -> models.Model:
    values_by_name = {"pk": record["pk"], **record["fields"]}
    values = {}
    for name, value in values_by_name.items():
        field: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
        if not field.many_to_many:
            values[field.attname] = (field.target_field if field.remote_field else field).to_python(value)
    return model(**values)


def _reset_sequences(alias: str, model: type[models.Model]) -> None:
    """PostgreSQL gives out numbers apart from the table: it has to be told where to go on."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)

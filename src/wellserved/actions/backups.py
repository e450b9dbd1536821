"""A whole workspace in one file, and back."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import serializers
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, connections, models, transaction
from django.utils import timezone

from wellserved import __version__, disk, log
from wellserved.actions import membership
from wellserved.errors import RequestError, WorkspaceError
from wellserved.journal.models import Draft, Entry, Keyring
from wellserved.store.models import (
    Account,
    ApiKey,
    Cause,
    Customer,
    Event,
    Helper,
    Hook,
    Invitation,
    Look,
    Person,
    Shared,
    Team,
)
from wellserved.workspace import Workspace, owner_only

FORMAT: Final = 1
STORED: Final[tuple[tuple[str, tuple[type[models.Model], ...]], ...]] = (
    (
        "default",
        (
            Team,
            Person,
            EmailAddress,
            Authenticator,
            Invitation,
            Account,
            Customer,
            Cause,
            Shared,
            Helper,
            ApiKey,
            Hook,
            Look,
            Event,
        ),
    ),
    ("journal", (Keyring, Entry, Draft)),
)
"""Database -> its tables, those first that others point to. Sessions and answers to repeated requests are not kept."""
_FILES = ("workspace.toml", "calendars.toml", "improvements.jsonl")
_OURS = re.compile(
    r"files/(workspace\.toml|calendars\.toml|improvements\.jsonl|keys/secret|imports/\w+/[\w-]+\.(json|csv))"
    r"|log/(_delta_log/\d{20}[\w.]*|month=\d{6}/[\w.-]+\.parquet)",
    re.ASCII,
)
NIGHTS: Final = 7


@contextmanager
def _one_moment() -> Iterator[None]:
    """Both databases, each as it is at one moment, however much is written meanwhile."""
    with ExitStack() as stack:
        for alias in ("default", "journal"):
            connection = connections[alias]
            if connection.vendor == "sqlite":  # a transaction that only reads, so that writers go on
                connection.close()
                mode = connection.settings_dict["OPTIONS"].pop("transaction_mode")
                stack.callback(connection.settings_dict["OPTIONS"].__setitem__, "transaction_mode", mode)
                stack.callback(connection.close)
            stack.enter_context(transaction.atomic(alias))
            with connection.cursor() as cursor:
                if connection.vendor == "postgresql":
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SELECT count(*) FROM django_migrations")
        yield


class Exact(DjangoJSONEncoder):
    """Instants to the microsecond; Django's own cuts them to milliseconds."""

    def default(self, o: object) -> object:
        """As ISO 8601."""
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


def _lines(model: type[models.Model], alias: str) -> Iterator[str]:
    for row in model._default_manager.using(alias).order_by("pk").iterator(chunk_size=1_000):
        yield serializers.serialize("jsonl", [row], cls=Exact)


def content_digests() -> dict[str, str]:
    """Table -> a hash of its rows: equal for equal content, whichever database holds it."""
    found = {}
    for alias, tables in STORED:
        for model in tables:
            said = hashlib.sha256()
            for line in _lines(model, alias):
                said.update(line.encode())
            found[model._meta.label_lower] = said.hexdigest()
    return found


def backup(workspace: Workspace, target: Path, told: Callable[[str, int, int], None]) -> dict[str, Any]:
    """Everything in one file, while the product runs: databases, log, receipts, settings. Cases are folded anew."""
    draft = target.with_name(target.name + ".part")
    try:
        with disk.explain(target.parent), disk.explain(workspace.folder, DatabaseError):
            facts = _pack(workspace, draft, told)
            draft.replace(target)
            disk.make_lasting(target.parent)
    finally:
        draft.unlink(missing_ok=True)
    return facts


def _pack(workspace: Workspace, draft: Path, told: Callable[[str, int, int], None]) -> dict[str, Any]:
    version, logged = log.stored(workspace)  # first: the store then knows at least what this version holds
    with open(draft, "wb", opener=owner_only) as raw, _one_moment():
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as zipped:
            counts: dict[str, int] = {}
            digests: dict[str, str] = {}
            for alias, tables in STORED:
                for place, model in enumerate(tables):
                    label = model._meta.label_lower
                    told(f"Saving {label}", place, len(tables))
                    said, counts[label] = hashlib.sha256(), 0
                    with zipped.open(f"{alias}/{label}.jsonl", "w", force_zip64=True) as out:
                        for line in _lines(model, alias):
                            out.write(line.encode())
                            said.update(line.encode())
                            counts[label] += 1
                    digests[label] = said.hexdigest()
            _pack_files(workspace, zipped, logged, told)
            facts = {"format": FORMAT, "version": __version__, "made": timezone.now().isoformat(timespec="seconds"),
                     "rows": counts, "digests": digests, "log_version": version}  # fmt: skip
            zipped.writestr("manifest.json", json.dumps(facts, indent=1))
        raw.flush()
        os.fsync(raw.fileno())
    return facts


def _pack_files(
    workspace: Workspace, zipped: zipfile.ZipFile, logged: Sequence[Path], told: Callable[[str, int, int], None]
) -> None:
    for name in _FILES:
        if (workspace.folder / name).exists():
            zipped.write(workspace.folder / name, f"files/{name}")
    zipped.writestr("files/keys/secret", workspace.secret())
    for file in sorted(workspace.imports.rglob("*")):
        if file.is_file():
            zipped.write(file, f"files/{file.relative_to(workspace.folder).as_posix()}")
    for place, file in enumerate(logged):
        told("Saving the log", place, len(logged))
        name = file.absolute().relative_to(workspace.log.absolute()).as_posix()
        zipped.write(file, f"log/{name}", zipfile.ZIP_STORED)


def restore(workspace: Workspace, source: Path, told: Callable[[str, int, int], None]) -> dict[str, Any]:
    """Bring a backup into an empty workspace and its empty databases, and compare every table with what was saved."""
    if log.snapshot(workspace.log).version >= 0 or Person.objects.exists():
        raise RequestError(
            f"{workspace.folder} is not empty.", "Restore into a fresh folder: --home, and fresh databases."
        )
    try:
        zipped = zipfile.ZipFile(source)
        facts: dict[str, Any] = json.loads(zipped.read("manifest.json"))
    except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise RequestError(f"{source} is no backup: {error}.", "Name a file that `wellserved backup` wrote.") from error
    if facts["format"] > FORMAT:
        raise RequestError("This backup was made by a newer wellserved.", "Update wellserved, then restore.")
    with zipped, transaction.atomic("default"), transaction.atomic("journal"):
        for alias, tables in STORED:
            for model in tables:
                told(f"Loading {model._meta.label_lower}", 0, 0)
                _load(zipped, alias, model)
        if (now := content_digests()) != facts["digests"]:
            odd = ", ".join(label for label, digest in facts["digests"].items() if now.get(label) != digest)
            raise WorkspaceError(
                f"What was restored differs from what was saved: {odd}.", "Nothing was kept; report this."
            )
        _unpack_files(workspace, zipped)
        # What came into the log after its copy was made is written into it again.
        Shared.objects.filter(log_version__gt=facts["log_version"]).update(pending=True)
        membership.after_restore()
    return facts


def _unpack_files(workspace: Workspace, zipped: zipfile.ZipFile) -> None:
    """Only names that are ours, each to its own place: what an archive calls its members decides nothing."""
    for info in zipped.infolist():
        if not _OURS.fullmatch(info.filename):
            continue
        target = workspace.folder / info.filename.removeprefix("files/")
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb", opener=owner_only) as out:
            shutil.copyfileobj(zipped.open(info), out)


def _load(zipped: zipfile.ZipFile, alias: str, model: type[models.Model]) -> None:
    """The rows of one table, a thousand at a time; those that point at others of the table itself last."""
    rows: list[Any] = []
    inner = [field.attname for field in model._meta.concrete_fields if field.related_model is model]
    later: list[tuple[Any, dict[str, Any]]] = []
    with zipped.open(f"{alias}/{model._meta.label_lower}.jsonl") as lines:
        for line in lines:
            for found in serializers.deserialize("jsonl", line.decode()):
                one = found.object
                if pointing := {name: getattr(one, name) for name in inner if getattr(one, name) is not None}:
                    later.append((one.pk, pointing))
                    for name in pointing:
                        setattr(one, name, None)
                rows.append(one)
            if len(rows) >= 1_000:
                model._default_manager.using(alias).bulk_create(rows)
                rows = []
    model._default_manager.using(alias).bulk_create(rows)
    for pk, pointing in later:
        model._default_manager.using(alias).filter(pk=pk).update(**pointing)
    _number_on(alias, model)


def _number_on(alias: str, model: type[models.Model]) -> None:
    """PostgreSQL gives out numbers apart from the table: it has to be told where to go on."""
    connection, key = connections[alias], model._meta.pk
    if connection.vendor == "postgresql" and isinstance(key, models.AutoField):
        table = connection.ops.quote_name(model._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{key.column}'), coalesce(max({key.column}), 1)) FROM {table}"
            )


def nightly(workspace: Workspace) -> Path | None:
    """A backup a day, into backups/; the last seven are kept, and those of days to come, where a clock was wrong."""
    folder = workspace.folder / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{timezone.localdate():%Y-%m-%d}.zip"
    if target.exists():
        return None
    for cut_short in folder.glob("*.part"):
        cut_short.unlink(missing_ok=True)
    backup(workspace, target, lambda *_: None)
    until_now = sorted(file for file in folder.glob("????-??-??.zip") if file.name <= target.name)
    for old in until_now[:-NIGHTS]:
        old.unlink()
    return target

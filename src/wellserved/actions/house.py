"""Keeping the house: set it up, let people in, back it up and bring it back, and say in plain words what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import django
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import serializers
from django.core.management import call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from wellserved import __version__, log
from wellserved.errors import RequestError, WorkspaceError
from wellserved.journal.models import Draft, Entry, Keyring
from wellserved.store.access import may
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
    Role,
    Shared,
    Team,
    digest_of,
    new_token,
)
from wellserved.workspace import Workspace, owner_only

FORMAT: Final = 1
INVITED_FOR: Final = timedelta(hours=72)
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
ALONE: Final = "me"
NIGHTS: Final = 7


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


def alone() -> Person | None:
    """Whoever works here alone; None as soon as people were added."""
    return Person.objects.filter(role=Role.alone, is_active=True).first()


def person_alone() -> Person:
    """The same, made at the first start; raises where people log in."""
    with transaction.atomic():
        if (found := alone()) is not None:
            return found
        if Person.objects.exists():
            raise RequestError("People log in here.", "Name yourself: --as NAME.")
        made = Person(username=ALONE, role=Role.alone)
        made.set_unusable_password()
        made.save()
        return made


def person_called(name: str | None) -> Person:
    """Somebody by their user name; without one, whoever is alone."""
    if name is None:
        return person_alone()
    found = Person.objects.filter(username=name, is_active=True).first()
    if found is None:
        raise RequestError(f"Nobody is called {name!r} here.", "See `wellserved user list`.")
    return found


def add_person(
    name: str, role: str, team: str, password: str, served_as: str = "", administers: bool = False
) -> tuple[Person, bool]:
    """Let somebody in; the first one takes over what was written alone, and administers. Returns whether they took over."""
    if role not in Role.values or role == Role.alone:
        raise RequestError(f"There is no role {role!r}.", f"Choose one of {', '.join(set(Role.values) - {'alone'})}.")
    with transaction.atomic():
        before = alone()
        if before is None and Person.objects.filter(username__iexact=name).exists():
            raise RequestError(f"{name!r} is here already.", "Choose another name.")
        person = before or Person()
        person.username, person.role, person.served_as = name, Role(role), served_as
        person.is_staff = (
            administers or not Person.objects.exclude(role=Role.alone).exists()
        )  # the first one can let others in
        person.team = Team.objects.get_or_create(name=team)[0] if team else None
        if password:
            person.set_password(password)
        else:
            person.set_unusable_password()
        person.full_clean(exclude=["password", "email"])
        person.save()
        if before is not None and person.team:
            Shared.objects.filter(author=person, team=None).update(
                team=person.team, pending=True, changed=timezone.now()
            )
    return person, before is not None


def new_password(name: str, password: str, without_factors: bool = False) -> None:
    """Give somebody who is here another password; `without_factors`: their second factors and passkeys end too."""
    person = person_called(name)
    person.set_password(password)
    person.save(update_fields=["password"])
    if without_factors:
        Authenticator.objects.filter(user=person).delete()


def invite(by: Person, username: str, role: str, team: Team | None) -> str:
    """A token that lets one person in within three days; only its hash is kept. Somebody who is here gets a new password by it."""
    if role not in Role.values or role == Role.alone:
        raise RequestError(f"There is no role {role!r}.", "Choose another.")
    token, now = new_token(), timezone.now()
    with transaction.atomic():
        Invitation.objects.filter(username__iexact=username, used=None).update(used=now)  # the newest one counts
        made = {"username": username, "role": role, "team": team, "by": by, "expires": now + INVITED_FOR}
        Invitation.objects.create(digest=digest_of(token), **made)
    return token


def invitation_of(token: str) -> Invitation | None:
    """The open invitation of a token; one whose giver lost the right to invite is none."""
    now = timezone.now()
    open_ = Invitation.objects.filter(digest=digest_of(token), used=None, expires__gt=now).select_related("team", "by")
    found = open_.first() if token else None
    return found if found and may(found.by, "change_people") else None


def accept(token: str, password: str) -> Person:
    """Use an invitation, once; raises where there is none, it is used, or its time is over."""
    with transaction.atomic():
        found = invitation_of(token)
        if found is None or not Invitation.objects.filter(pk=found.pk, used=None).update(used=timezone.now()):
            raise RequestError("This invitation is used or over.", "Ask for another.")
        person = Person.objects.filter(username__iexact=found.username).first()
        if person is not None and not person.is_active:
            raise RequestError("Your access has ended.", "Ask an administrator.")
        person = person or Person(username=found.username, role=found.role, team=found.team)
        person.set_password(password)
        person.save()
    return person


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
    if os.name == "posix" and (workspace.folder / "keys" / "secret").stat().st_mode & 0o077:
        found.append("Others can read keys/secret: chmod 600 it.")
    if (free := shutil.disk_usage(workspace.folder).free) < 200 * 2**20:
        found.append(f"Only {free // 2**20} MB are free: nothing can be saved soon.")
    return found


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
    version, logged = log.stored(workspace)  # first: the store then knows at least what this version holds
    draft = target.with_name(target.name + ".part")
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
    draft.replace(target)
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
    """A backup a day, into backups/; the last seven are kept."""
    folder = workspace.folder / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{timezone.localdate():%Y-%m-%d}.zip"
    if target.exists():
        return None
    backup(workspace, target, lambda *_: None)
    for old in sorted(folder.glob("????-??-??.zip"))[:-NIGHTS]:
        old.unlink()
    return target

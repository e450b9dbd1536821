"""A whole workspace in one file, and back.

A backup is made and brought back by the tables that the databases had when it was made: it carries its format and the
migrations that were applied, is restored into that state, compared there row by row, and then brought up to date.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from django.db import DatabaseError, DataError, IntegrityError, connections, transaction
from django.utils import timezone

from wellserved import __version__, disk
from wellserved.actions import membership, schema
from wellserved.damage import VERIFY_ADVICE
from wellserved.errors import DamageError, RequestError, WorkspaceError
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage import digests as sums
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, owner_only
from wellserved.store.models import Shared

BACKUP_FORMAT: Final = 2
_FORMAT_1_MIGRATIONS: Final = (
    ("account", "0009_emailaddress_unique_primary_email"), ("auth", "0012_alter_user_first_name_max_length"),
    ("contenttypes", "0002_remove_content_type_name"), ("journal", "0002_open_moments"),
    ("mfa", "0003_authenticator_type_uniq"), ("sessions", "0001_initial"), ("store", "0002_open_moments"),
)  # fmt: skip
"""The tables of format 1, which named no migrations: those of version 0.1.0."""
_SETTINGS_FILES = (
    "workspace.toml",
    "calendars.toml",
    "scales.toml",
    "scales-used.json",
    "improvements.jsonl",
    "problems/found.json",
    "problems/decisions.jsonl",
    "problems/cost.json",
)
_KNOWN_NAMES = re.compile(
    r"files/(workspace\.toml|calendars\.toml|scales\.toml|scales-used\.json|improvements\.jsonl|problems/(found\.json|decisions\.jsonl|cost\.json|parts-\d+\.parquet)|keys/secret|keys/claims/\d{4}\.json|imports/\w+/[\w-]+\.(json|csv)|mappings/[a-z0-9_]{1,40}-\d+\.toml)"
    r"|log/(_SHA256SUMS|_delta_log/\d{20}[\w.]*|month=\d{6}/[\w.-]+\.parquet)",
    re.ASCII,
)
MAX_NIGHTLY_BACKUPS: Final = 7


@contextmanager
def _consistent_read() -> Iterator[None]:
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


def write_backup(workspace: Workspace, target: Path, on_progress: ProgressCallback) -> dict[str, Any]:
    """Everything in one file, while the product runs: databases, log, receipts, settings. Cases are folded anew."""
    version, log_files = log.stored_files(workspace)  # first: the store then knows at least what this version holds
    if not target.absolute().parent.is_dir():
        raise RequestError(f"There is no folder {target.parent}.", "Make it, or name another file.")
    partial_file = target.with_name(target.name + ".part")
    try:
        with disk.explain_errors(target.parent), disk.explain_errors(workspace.folder, DatabaseError):
            with open(partial_file, "wb", opener=owner_only) as raw:
                facts = _pack(workspace, raw, version, log_files, on_progress)
                raw.flush()
                os.fsync(raw.fileno())
            partial_file.replace(target)
            disk.sync_to_disk(target.parent)
    finally:
        partial_file.unlink(missing_ok=True)
    return facts


def _pack(
    workspace: Workspace,
    raw: IO[bytes],
    version: int,
    log_files: Sequence[Path],
    on_progress: ProgressCallback,
) -> dict[str, Any]:
    """Write the archive; what it says of itself."""
    with _consistent_read(), zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        counts, digests = _pack_rows(archive, on_progress)
        _pack_files(workspace, archive, version, log_files, on_progress)
        migrations = {alias: schema.migration_state(alias).applied_migrations for alias in schema.ALIASES}
        facts = {"format": BACKUP_FORMAT, "version": __version__, "made": timezone.now().isoformat(timespec="seconds"),
                 "migrations": migrations, "rows": counts, "digests": digests, "log_version": version}  # fmt: skip
        archive.writestr("manifest.json", json.dumps(facts, indent=1))
    return facts


def _pack_rows(archive: zipfile.ZipFile, on_progress: ProgressCallback) -> tuple[dict[str, int], dict[str, str]]:
    """Write every table's rows, a member each; how many there are, and their digests, by table."""
    counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    for alias in schema.ALIASES:
        for model in schema.saved_models(alias):
            label, digest = model._meta.label_lower, hashlib.sha256()
            on_progress(f"Saving {label}", 0, 0)
            counts[label] = 0
            with archive.open(f"{alias}/{label}.jsonl", "w", force_zip64=True) as member:
                for line in schema.row_lines(model, alias):
                    member.write(line.encode())
                    digest.update(line.encode())
                    counts[label] += 1
            digests[label] = digest.hexdigest()
    return counts, digests


def _pack_files(
    workspace: Workspace,
    archive: zipfile.ZipFile,
    version: int,
    log_files: Sequence[Path],
    on_progress: ProgressCallback,
) -> None:
    """Write the files: of the log, and of what goes with it, nothing that came after its version."""
    for name in _SETTINGS_FILES:
        if (workspace.folder / name).exists():
            archive.write(workspace.folder / name, f"files/{name}")
    archive.writestr("files/keys/secret", workspace.secret())
    for file in sorted((workspace.folder / "mappings").glob("*.toml")):
        archive.write(file, f"files/mappings/{file.name}")
    for file in sorted((workspace.folder / "problems").glob("parts-*.parquet")):
        archive.write(file, f"files/problems/{file.name}")
    for file in sorted((workspace.folder / "keys" / "claims").glob("*.json")):
        archive.write(file, f"files/keys/claims/{file.name}")
    later_folders = {
        file.parent for file in workspace.imports.glob("*/receipt.json") if _is_later_import(file, version)
    }
    for file in sorted(workspace.imports.rglob("*")):
        if file.is_file() and file.parent not in later_folders:
            archive.write(file, f"files/{file.relative_to(workspace.folder).as_posix()}")
    recorded_digests, lines = sums.recorded_digests(workspace.log), []
    for position, file in enumerate(log_files):
        on_progress("Saving the log", position, len(log_files))
        name = file.absolute().relative_to(workspace.log.absolute()).as_posix()
        if digest := recorded_digests.get(name):
            if sums.file_digest(file) != digest:  # the good copies of earlier nights stay
                raise DamageError(f"log/{name} is not what was written: no backup is made of it.", VERIFY_ADVICE)
            lines.append(f"{digest}  {name}\n")
        archive.write(file, f"log/{name}", zipfile.ZIP_STORED)
    if lines:
        archive.writestr(f"log/{sums.DIGEST_FILE}", "".join(lines))


def _is_later_import(receipt: Path, version: int) -> bool:
    """An import whose moments are not in this version of the log; a receipt that cannot be read is kept as it is."""
    with suppress(DamageError):
        return log.read_receipt(receipt).log_version > version
    return False


def restore_backup(workspace: Workspace, source: Path, on_progress: ProgressCallback) -> dict[str, Any]:
    """Bring a backup into an empty workspace and its empty databases, compare every table with what was saved, and bring
    it up to date. All or nothing."""
    facts = read_manifest(source)
    with workspace.write_lock():
        schema.make_private()
        if log.snapshot(workspace.log).version >= 0 or any(map(schema.has_rows, schema.ALIASES)):
            raise RequestError(
                f"{workspace.folder} is not empty.", "Restore into a fresh folder: --home, and fresh databases."
            )
        with (
            _remove_files_on_error(workspace),
            zipfile.ZipFile(source) as archive,
            _explain_damage(source),
            schema.schema_transaction(),
        ):
            _restore_rows(archive, facts, on_progress)
            _unpack_files(workspace, archive)
            # What came into the log after its copy was made is written into it again.
            Shared.objects.filter(log_version__gt=facts["log_version"]).update(pending=True)
            membership.revoke_restored_access()
    schema.send_post_migrate()
    return facts


@contextmanager
def _remove_files_on_error(workspace: Workspace) -> Iterator[None]:
    """What a refused backup has brought of the log and its imports goes with what it brought of the databases."""
    try:
        yield
    except BaseException:
        for folder in (workspace.log, workspace.imports):
            shutil.rmtree(folder, ignore_errors=True)
        workspace.make_folders()
        raise


def read_manifest(source: Path) -> dict[str, Any]:
    """What a backup says of itself: format, migrations, rows and digests by table; raises where this version cannot read it."""
    try:
        with zipfile.ZipFile(source) as archive:
            facts: dict[str, Any] = json.loads(archive.read("manifest.json"))
        format_number, digests = facts["format"], facts["digests"]
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, ValueError, TypeError) as error:
        raise RequestError(f"{source} is no backup: {error}.", "Name a file that `wellserved backup` wrote.") from error
    facts.setdefault("migrations", dict.fromkeys(schema.ALIASES, _FORMAT_1_MIGRATIONS))
    newer_migrations = schema.unknown_migrations(chain.from_iterable(facts["migrations"].values()))
    if format_number > BACKUP_FORMAT or newer_migrations or not digests:
        raise RequestError(f"{source} was made by another wellserved ({newer_migrations or f'format {format_number}'}).",
                           "Update wellserved, then restore.")  # fmt: skip
    return facts


def check_backup(source: Path) -> None:
    """Raise where a backup is damaged: every member is read, and every table compared with its digest."""
    facts = read_manifest(source)
    with _explain_damage(source), zipfile.ZipFile(source) as archive:
        if (damaged_member := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"{damaged_member} is not what was written")
        for label, name in _members(archive).items():
            digest = hashlib.sha256()
            with archive.open(name) as member:
                for line in member:
                    digest.update(line)
            if digest.hexdigest() != facts["digests"][label]:
                raise zipfile.BadZipFile(f"{label} is not what was written")


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Table -> its member of a backup; the workspace's own files (improvements.jsonl is one) are no tables."""
    tables = (
        name for name in archive.namelist() if name.endswith(".jsonl") and name.partition("/")[0] in schema.ALIASES
    )
    return {name.partition("/")[2].removesuffix(".jsonl"): name for name in tables}


@contextmanager
def _explain_damage(source: Path) -> Iterator[None]:
    """A backup that turns out to be damaged while it is read says so."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, DataError, IntegrityError) as error:
        raise WorkspaceError(
            f"{source} is damaged: {error}.", "Nothing of it was kept; restore another backup."
        ) from error


def _restore_rows(archive: zipfile.ZipFile, facts: dict[str, Any], on_progress: ProgressCallback) -> None:
    """Load every table in the state in which it was saved, compare, and go on to this version's."""
    labels = _members(archive)
    for alias in schema.ALIASES:
        schema.drop_tables(alias)
        schema.migrate_to(alias, facts["migrations"][alias])
        models = schema.models_of(alias)
        for label, digest in facts["digests"].items():
            if not labels[label].startswith(f"{alias}/"):
                continue
            on_progress(f"Loading {label}", 0, 0)
            model = models.get_model(label)
            with archive.open(labels[label]) as member:
                schema.load_rows(model, alias, (line.decode() for line in member))
            with archive.open(labels[label]) as member:
                if not _is_same_table(member, digest, schema.row_lines(model, alias)):
                    raise WorkspaceError(
                        f"What was restored differs from what was saved: {label}.", "Nothing was kept; report this."
                    )
        on_progress("Bringing the tables up to date", 0, 0)
        schema.migrate_to(alias)


def _is_same_table(saved_lines: Iterator[bytes], digest: str, restored_rows: Iterator[str]) -> bool:
    """A table's file is the one that was written, and its rows are those of the table, whatever order their fields have."""
    file_digest, saved_digest, restored_digest = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    for line in saved_lines:
        file_digest.update(line)
        saved_digest.update(schema.canonical_line(line).encode())
    for row in restored_rows:
        restored_digest.update(row.encode())
    return file_digest.hexdigest() == digest and saved_digest.digest() == restored_digest.digest()


def _unpack_files(workspace: Workspace, archive: zipfile.ZipFile) -> None:
    """Only names that are ours, each to its own place: what an archive calls its members decides nothing."""
    workspace.make_folders()
    for info in archive.infolist():
        if not _KNOWN_NAMES.fullmatch(info.filename):
            continue
        target = workspace.folder / info.filename.removeprefix("files/")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(target, "wb", opener=owner_only) as target_file:
            shutil.copyfileobj(archive.open(info), target_file)


def write_nightly_backup(workspace: Workspace) -> Path | None:
    """A backup a day, into backups/; the last seven are kept, and those of days to come, where a clock was wrong."""
    folder = workspace.folder / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{timezone.localdate():%Y-%m-%d}.zip"
    if target.exists():
        return None
    for partial_file in folder.glob("*.part"):
        partial_file.unlink(missing_ok=True)
    write_backup(workspace, target, no_progress)
    backup_files = sorted(file for file in folder.glob("????-??-??.zip") if file.name <= target.name)
    for old_backup in backup_files[:-MAX_NIGHTLY_BACKUPS]:
        old_backup.unlink()
    return target

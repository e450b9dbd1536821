"""What is wrong with an installation, in plain words: what `check` looks at, and what `verify` reads through."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from wellserved import digests, improvement, integrity, log
from wellserved.actions import backups, schema
from wellserved.calendar import load_calendars
from wellserved.damage import as_damage
from wellserved.errors import WellservedError
from wellserved.integrity import Finding, Told, restore_command
from wellserved.journal.models import Keyring
from wellserved.journal.vault import Locked, LockedError, unlock
from wellserved.store.models import Shared
from wellserved.workspace import Workspace

FREE = 200 * 2**20  # bytes below which nothing can be saved soon
Check = Callable[[Workspace, bool, Told], Iterable[Finding]]


def files(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """The log, the cases, the receipts of imports."""
    yield from integrity.of_log(workspace, thorough, told)
    yield from integrity.of_receipts(workspace)
    yield from integrity.of_cases(workspace, thorough, told)


def declarations(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """What people declared: opening hours, improvements."""
    try:
        load_calendars(workspace.calendars, workspace.zone)
    except WellservedError as error:
        yield Finding(error.what, "Waits in opening hours cannot be counted.", error.do)
    if not all(entry.genuine for entry in improvement.entries(workspace)):
        yield Finding(
            f"{workspace.folder / improvement.FILE} is damaged, or was altered by hand.",
            "What it declares cannot be relied on any more, and every verdict says so.",
            "Bring the file back from a backup (files/improvements.jsonl).",
        )


def databases(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """Both databases: that they answer, are whole and up to date."""
    lost = {"default": "People, shared moments, customers and accounts", "journal": "Private journals"}
    for alias in schema.ALIASES:
        told(f"Looking at the {alias} database", 0, 0)
        try:
            wrong = list(_of_database(alias, thorough))
        except Exception as error:
            wrong = [f"cannot be read: {str(error).splitlines()[0]}"]
        for one in wrong:
            yield Finding(
                f"The {alias} database {one}.",
                f"{lost[alias]} may be lost in part.",
                f"Stop what runs, keep a copy of the folder, and restore a backup: {restore_command(workspace)}.",
            )
    if not any(connections[alias].connection is None for alias in schema.ALIASES):
        yield from _between(workspace)


def _of_database(alias: str, thorough: bool) -> Iterator[str]:
    """What is wrong with a database, as the end of a sentence."""
    connection = connections[alias]
    if connection.vendor == "sqlite":
        for question, well in (
            ("PRAGMA journal_mode", "wal"),
            ("PRAGMA integrity_check" if thorough else "PRAGMA quick_check", "ok"),
        ):
            with connection.cursor() as cursor:
                cursor.execute(question)
                said = str(cursor.fetchone()[0]).splitlines()[0]
            if said != well and well == "wal":
                yield f"answers {said!r}, not wal (is its folder on a network drive?)"
            elif said != well:
                yield f"is damaged: {said}"
    standing = schema.standing(alias)
    if not standing.applied:
        yield "is empty"
        return
    if standing.newer:
        yield f"was made by a newer wellserved ({standing.newer})"
    elif standing.behind:
        yield "is not up to date; `wellserved serve` brings it up to date"
    if thorough:
        connection.check_constraints()
        for model in schema.tables(alias):
            for _ in schema.lines(model, alias):
                pass  # each is read and understood


def _between(workspace: Workspace) -> Iterator[Finding]:
    """What the databases say of the rest: the log's version, and the secret that opens journals."""
    try:
        last = Shared.objects.exclude(log_version=None).order_by("-log_version").values_list("log_version", flat=True)[:1]
        now = log.snapshot(workspace.log).version
        rings = list(Keyring.objects.filter(passphrase=False)[:1])
    except Exception:
        return  # said already
    if last and (last[0] or -1) > now:
        yield Finding(
            log.ended(now, int(last[0] or 0)).what,
            "Shared moments in it count in no measure.",
            f"Restore a backup into a fresh folder: {restore_command(workspace)}.",
        )
    for ring in rings:
        try:
            locked = Locked(bytes(ring.salt), bytes(ring.locked_key), bytes(ring.public))
            unlock(locked, settings.SECRET_KEY.encode(), passphrase=False)
        except LockedError:
            yield Finding(
                "keys/secret is not the one by which journals here were sealed.",
                "Journals without a passphrase cannot be opened.",
                "Bring back files/keys/secret of a backup.",
            )


def surroundings(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """Who can read the files, and how much room there is."""
    private = ["keys", "keys/secret", "log", "cases", "imports", "backups", "store.sqlite3", "journal.sqlite3"]
    there = [workspace.folder / name for name in private if (workspace.folder / name).exists()]
    if os.name == "posix" and (open_ := [file for file in there if file.stat().st_mode & 0o077]):
        named = ", ".join(file.relative_to(workspace.folder).as_posix() for file in open_)
        folders, others = ([str(f) for f in open_ if f.is_dir() is kind] for kind in (True, False))
        do = [f"chmod 700 {' '.join(folders)}"] * bool(folders) + [f"chmod 600 {' '.join(others)}"] * bool(others)
        yield Finding(f"Others on this computer can read {named}.", "", f"Close them: {'; '.join(do)}.")
    if (free := shutil.disk_usage(workspace.folder).free) < FREE:
        yield Finding(f"Only {free // 2**20} MB of the disk are free.", "Nothing can be saved soon.", "Make room.")


def copies(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """The backups here, each read through."""
    for file in sorted((workspace.folder / "backups").glob("*.zip")) if thorough else ():
        told(f"Reading {file.name}", 0, 0)
        try:
            backups.check(file)
        except (WellservedError, OSError, zipfile.BadZipFile) as error:
            yield Finding(str(error), "It cannot be restored.", "Make another: `wellserved backup FILE`.")


CHECKS: tuple[Check, ...] = (surroundings, files, declarations, databases, copies)
"""All that is looked at, in this order; each goes on past what is damaged."""


def findings(workspace: Workspace, thorough: bool = False, told: Told = lambda *_: None) -> list[Finding]:
    """What is wrong with this installation; `thorough`: everything that is stored is read. Empty: nothing is."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found += check(workspace, thorough, told)
        except Exception as error:
            if (damage := as_damage(error)) is None:
                raise
            found.append(Finding(damage.what, "", damage.do))
    return list(dict.fromkeys(found))


def extent(workspace: Workspace) -> dict[str, Any]:
    """How much there is that `verify` read: files of the log, those of them without a digest, of the cases."""
    now = log.snapshot(workspace.log)
    sums = digests.recorded(workspace.log)
    named = [Path(file).relative_to(workspace.log.absolute()).as_posix() for file in now.files]
    return {
        "log": len(named),
        "undigested": sum(name not in sums for name in named),
        "cases": len(log.snapshot(workspace.cases).files),
    }

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

from wellserved import digests, integrity, log
from wellserved.actions import backups, schema, worker
from wellserved.actions.declared import declarations
from wellserved.damage import as_damage
from wellserved.errors import DamageError, WellservedError
from wellserved.integrity import Finding, Told, restore_command
from wellserved.journal.keys import check_secret
from wellserved.store.models import Shared
from wellserved.workspace import Workspace

FREE = 200 * 2**20  # bytes below which nothing can be saved soon
Check = Callable[[Workspace, bool, Told], Iterable[Finding]]


def files(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """The log, the cases, the receipts of imports."""
    yield from integrity.of_log(workspace, thorough, told)
    yield from integrity.of_receipts(workspace)
    yield from integrity.of_cases(workspace, thorough, told)


def databases(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """Both databases: that they answer, are whole and up to date; nothing, where nobody has needed them yet."""
    files = schema.files()
    if files and not any(file.exists() and file.stat().st_size for file in files):
        return
    restore = f"Stop what runs, keep a copy of the folder, and restore a backup: {restore_command(workspace)}."
    for alias, lost in _LOST.items():
        told(f"Looking at the {alias} database", 0, 0)
        try:
            wrong = [*_ways(alias, workspace), *_damage(alias, thorough, restore, lost)]
        except Exception as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            wrong = [(f"cannot be read: {said}", lost, restore)]
        yield from (Finding(f"The {alias} database {what}.", lost, do) for what, lost, do in wrong)
    if not any(connections[alias].connection is None for alias in schema.ALIASES):
        yield from _between(workspace)


_LOST = {
    "default": "People, shared moments, customers and accounts may be lost in part.",
    "journal": "Private journals may be lost in part.",
}


def _ways(alias: str, workspace: Workspace) -> Iterator[tuple[str, str, str]]:
    """What is wrong with how a database is kept, of which nothing is lost: what, nothing, what to do."""
    if connections[alias].vendor == "sqlite" and (mode := _asked(alias, "PRAGMA journal_mode")) != "wal":
        yield f"answers {mode!r}, not wal", "", f"Is {workspace.folder} on a network drive? Move it to a local one."
    standing = schema.standing(alias)
    if standing.newer:
        yield f"was made by a newer wellserved ({standing.newer})", "", "Update wellserved."
    elif standing.applied and standing.behind:
        yield "is not up to date", "", "Start `wellserved serve` once: it makes a backup, and brings it up to date."


def _damage(alias: str, thorough: bool, restore: str, lost: str) -> Iterator[tuple[str, str, str]]:
    """What is wrong with what a database holds: what, what is lost, what to do."""
    if connections[alias].vendor == "sqlite":
        said = _asked(alias, "PRAGMA integrity_check" if thorough else "PRAGMA quick_check")
        if said != "ok":
            yield f"is damaged: {said}", lost, restore
    if not schema.standing(alias).applied:
        if any(map(schema.holds_rows, set(schema.ALIASES) - {alias})):
            yield "is empty, and the other one is not", lost, restore
    elif thorough:
        connections[alias].check_constraints()
        for model in schema.tables(alias):
            for _ in schema.lines(model, alias):
                pass  # each is read and understood


def _asked(alias: str, question: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute(question)
        return str(cursor.fetchone()[0]).splitlines()[0]


def _between(workspace: Workspace) -> Iterator[Finding]:
    """What the databases say of the rest: the log's version, and the secret that opens journals."""
    try:
        with suppress(Error):  # said already
            check_secret(settings.SECRET_KEY.encode())
    except DamageError as error:
        yield Finding(error.what, "Journals that it locks cannot be opened.", error.do)
    try:
        shared = Shared.objects.exclude(log_version=None).order_by("-log_version")
        last = shared.values_list("log_version", flat=True).first()
        now = log.snapshot(workspace.log).version
    except Exception:
        return  # said already
    if last is not None and last > now:
        do = f"Restore a backup into a fresh folder: {restore_command(workspace)}."
        yield Finding(log.ended(now, last).what, "Shared moments in it count in no measure.", do)


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


def work(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """Whether shared moments reach the log; nothing, where nobody has needed the databases yet."""
    files = schema.files()
    if not files or any(file.exists() and file.stat().st_size for file in files):
        yield from worker.findings(workspace)


def copies(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """The backups here, each read through."""
    for file in sorted((workspace.folder / "backups").glob("*.zip")) if thorough else ():
        told(f"Reading {file.name}", 0, 0)
        try:
            backups.check(file)
        except (WellservedError, OSError, zipfile.BadZipFile) as error:
            yield Finding(str(error), "It cannot be restored.", "Make another: `wellserved backup FILE`.")


CHECKS: tuple[Check, ...] = (surroundings, files, declarations, databases, work, copies)
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

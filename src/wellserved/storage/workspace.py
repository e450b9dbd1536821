"""One folder that holds everything: the log, the cases, what was imported, and the settings.

log/        the log of moments (Delta Lake table)
cases/      the cases folded from it (Delta Lake table)
imports/    a receipt for each import, with the rows it refused
tmp/        working files of an import that is running
workspace.toml
calendars.toml   opening hours, if there are any
scales.toml      own scales of ratings, if there are any; scales-used.json: what they meant when ratings on them came
store.sqlite3, journal.sqlite3   what a team keeps together, and the private journals (served with `wellserved serve`)
keys/       the workspace's secret
backups/    copies; before-VERSION.zip is what was there before that version changed the tables
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from wellserved import disk
from wellserved.disk import owner_only as owner_only
from wellserved.errors import DamageError, WorkspaceError
from wellserved.moments import check_zone

WORKSPACE_FORMAT = 1
_SECRET_ADVICE = (
    "Bring back files/keys/secret of a backup, to its place: without it, journals without a passphrase stay closed, and "
    "everybody has to log in again."
)


@dataclass(frozen=True)
class Workspace:
    """A workspace folder and its settings."""

    folder: Path
    zone: str  # IANA name; periods are days, weeks, months of this zone
    dates: str = ""  # whether 12/5 has the "day" or the "month" first in what is typed; empty: it is asked

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def cases(self) -> Path:
        return self.folder / "cases"

    @property
    def imports(self) -> Path:
        return self.folder / "imports"

    @property
    def scratch(self) -> Path:
        """Working files of whoever writes; they are on the same disk as what they become."""
        return self.folder / "tmp"

    @property
    def calendars(self) -> Path:
        return self.folder / "calendars.toml"

    def make_folders(self) -> None:
        """The folders of what was said about people, which only the owner can look into."""
        for folder in (self.log, self.cases, self.imports):
            folder.mkdir(mode=0o700, exist_ok=True)

    def secret(self) -> str:
        """The workspace's own secret, made once; only the owner of the folder can read it.

        Where it is gone from a workspace that had one, it is not made anew: journals would stay closed for ever.
        """
        file = self.folder / "keys" / "secret"
        if not file.exists():
            # By a lock of its own: a long import need not be waited for.
            with disk.explain_errors(self.folder), _hold_lock(self.folder, ".keys.lock"):
                self._make_secret(file)
        text = file.read_text(encoding="ascii", errors="replace").strip()
        if not re.fullmatch(r"[!-~]{32,}", text):
            raise DamageError(f"{file} is empty or cut.", _SECRET_ADVICE)
        return text

    def _make_secret(self, file: Path) -> None:
        journal = self.folder / "journal.sqlite3"
        if file.exists():  # by somebody else, meanwhile
            return
        if file.parent.exists() or (journal.exists() and journal.stat().st_size):
            raise DamageError(f"{file} is gone.", _SECRET_ADVICE)
        draft = file.parent.with_name("keys.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        with disk.rewrite_file(draft / file.name, draft / "secret.new") as secret:
            secret.write(secrets.token_hex(32))
        draft.replace(file.parent)
        disk.sync_to_disk(self.folder)

    @contextmanager
    def keys_lock(self) -> Iterator[Path]:
        """Hold the lock of the folder of keys, and get it; it is made with the workspace's secret in it."""
        self.secret()
        with disk.explain_errors(self.folder), _hold_lock(self.folder, ".keys.lock"):
            yield self.folder / "keys"

    @contextmanager
    def write_lock(self) -> Iterator[Path]:
        """Hold the only write lock and get an empty working folder, removed afterwards.

        Readers never wait: they see the last version that was committed. A killed process gives the
        lock back by itself, and what it left in tmp/ is removed by the next writer. What the disk refuses is said
        in plain words (StorageError), whichever library met it.
        """
        with disk.explain_errors(self.folder), _hold_lock(self.folder, ".lock"):
            try:
                shutil.rmtree(self.scratch, ignore_errors=True)
                self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
                yield self.scratch
            finally:
                shutil.rmtree(self.scratch, ignore_errors=True)


@contextmanager
def _hold_lock(folder: Path, name: str) -> Iterator[None]:
    """Hold one of a workspace's locks; a killed process gives it back by itself."""
    from filelock import FileLock, Timeout  # a tenth of a second, for those alone who write

    lock = FileLock(folder / name, timeout=600)
    try:
        lock.acquire()
    except Timeout as error:
        raise WorkspaceError(
            "Another import has been writing to this workspace for ten minutes.",
            "Wait for it, or stop it, and run this again.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def default_folder() -> Path:
    """`WELLSERVED_HOME`, or the user's data folder."""
    home = os.environ.get("WELLSERVED_HOME")
    return Path(home) if home else user_data_path("wellserved", appauthor=False)


def _check_local(folder: Path) -> Path:
    """The folder, if it is one: a path drops one slash of `s3://bucket`, which would make a folder called `s3:`."""
    if scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", folder.as_posix()):
        raise WorkspaceError(
            f"A workspace is a local folder; {scheme[1]}:// names none.",
            "Give the path of a folder on this machine with --home or WELLSERVED_HOME.",
        )
    return folder


def create_workspace(folder: Path, zone: str | None = None, dates: str | None = None) -> Workspace:
    """Make the folder and its settings; of an existing workspace, change those that are given. Zone: UTC unless given."""
    _check_local(folder)
    current = open_workspace(folder) if (folder / "workspace.toml").exists() else Workspace(folder, "UTC")
    zone = check_zone(current.zone if zone is None else zone)
    dates = current.dates if dates is None else _check_dates(dates)
    if forbidden_characters := sorted(set(str(folder.absolute())) & set("[]{}*?%#")):
        raise WorkspaceError(
            f"A workspace cannot stand in a folder with {' or '.join(forbidden_characters)} in its name.",
            "Choose another with --home.",
        )
    dates_line = f'dates = "{dates}"\n' if dates else ""
    workspace, settings = Workspace(folder, zone, dates), folder / "workspace.toml"
    settings_text = f'format = {WORKSPACE_FORMAT}\nzone = "{zone}"\n{dates_line}'
    with disk.explain_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        workspace.make_folders()
        if not settings.exists() or settings.read_text(encoding="utf-8") != settings_text:
            with workspace.write_lock() as scratch, disk.rewrite_file(settings, scratch / "settings") as file:
                file.write(settings_text)
    return workspace


def _check_dates(order: str) -> str:
    if order not in ("", "day", "month"):
        raise WorkspaceError(f"Dates cannot have {order!r} first.", "Write day, for 31/12, or month, for 12/31.")
    return order


def open_workspace(folder: Path) -> Workspace:
    """Open an existing workspace."""
    settings = _check_local(folder) / "workspace.toml"
    if not settings.exists():
        raise WorkspaceError(
            f"There is no workspace in {folder}.",
            "Make one with `wellserved init --zone Europe/Berlin`, or name another with --home.",
        )
    try:
        values = tomllib.loads(settings.read_text(encoding="utf-8"))
        format_version, zone = int(values["format"]), str(values["zone"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DamageError(
            f"{settings} is damaged: {error}.",
            'Write it again, with your own zone: format = 1, zone = "Europe/Berlin".',
        ) from error
    if format_version > WORKSPACE_FORMAT:
        raise WorkspaceError("This workspace was written by a newer wellserved.", "Update wellserved and try again.")
    return Workspace(folder, check_zone(zone), _check_dates(str(values.get("dates", ""))))

"""One folder that holds everything: the log, the cases, what was imported, and the settings.

log/        the log of moments (Delta Lake table)
cases/      the cases folded from it (Delta Lake table)
imports/    a receipt for each import, with the rows it refused
tmp/        working files of an import that is running
workspace.toml
calendars.toml   opening hours, if there are any
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

from filelock import FileLock, Timeout
from platformdirs import user_data_path

from wellserved.errors import DamageError, WorkspaceError
from wellserved.moments import check_zone

FORMAT = 1
_BRING_SECRET = (
    "Bring back files/keys/secret of a backup, to its place: without it, journals without a passphrase stay closed, and "
    "everybody has to log in again."
)


@dataclass(frozen=True)
class Workspace:
    """A workspace folder and its settings."""

    folder: Path
    zone: str  # IANA name; periods are days, weeks, months of this zone

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
            with _locked(self.folder):
                self._make_secret(file)
        text = file.read_text(encoding="ascii", errors="replace").strip()
        if not re.fullmatch(r"[!-~]{32,}", text):
            raise DamageError(f"{file} is empty or cut.", _BRING_SECRET)
        return text

    def _make_secret(self, file: Path) -> None:
        journal = self.folder / "journal.sqlite3"
        if file.exists():  # by somebody else, meanwhile
            return
        if file.parent.exists() or (journal.exists() and journal.stat().st_size):
            raise DamageError(f"{file} is gone.", _BRING_SECRET)
        draft = file.parent.with_name("keys.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        with open(draft / file.name, "x", encoding="ascii", opener=owner_only) as made:
            made.write(secrets.token_hex(32))
            made.flush()
            os.fsync(made.fileno())
        draft.replace(file.parent)

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Hold the only write lock and get an empty working folder, removed afterwards.

        Readers never wait: they see the last version that was committed. A killed process gives the
        lock back by itself, and what it left in tmp/ is removed by the next writer.
        """
        scratch = self.folder / "tmp"
        with _locked(self.folder):
            try:
                shutil.rmtree(scratch, ignore_errors=True)
                scratch.mkdir(mode=0o700)
                yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a workspace's only write lock."""
    lock = FileLock(folder / ".lock", timeout=600)
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


def owner_only(path: str, flags: int) -> int:
    """For `open(opener=...)`: a file that only its owner can read."""
    return os.open(path, flags, 0o600)


def default_folder() -> Path:
    """`WELLSERVED_HOME`, or the user's data folder."""
    named = os.environ.get("WELLSERVED_HOME")
    return Path(named) if named else user_data_path("wellserved", appauthor=False)


def create_workspace(folder: Path, zone: str = "UTC") -> Workspace:
    """Make the folder and its settings; an existing workspace is opened, its zone changed if another is given."""
    check_zone(zone)
    if odd := sorted(set(str(folder.absolute())) & set("[]{}*?%#")):
        raise WorkspaceError(
            f"A workspace cannot stand in a folder with {' or '.join(odd)} in its name.", "Choose another with --home."
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    workspace = Workspace(folder, zone)
    with _locked(folder):
        draft = folder / "workspace.toml.new"
        draft.write_text(f'format = {FORMAT}\nzone = "{zone}"\n', encoding="utf-8")
        workspace.make_folders()
        draft.replace(folder / "workspace.toml")
    return workspace


def open_workspace(folder: Path) -> Workspace:
    """Open an existing workspace."""
    settings = folder / "workspace.toml"
    if not settings.exists():
        raise WorkspaceError(
            f"There is no workspace in {folder}.",
            "Make one with `wellserved init --zone Europe/Berlin`, or name another with --home.",
        )
    try:
        read = tomllib.loads(settings.read_text(encoding="utf-8"))
        number, zone = int(read["format"]), str(read["zone"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DamageError(
            f"{settings} is damaged: {error}.",
            'Write it again, with your own zone: format = 1, zone = "Europe/Berlin".',
        ) from error
    if number > FORMAT:
        raise WorkspaceError("This workspace was written by a newer wellserved.", "Update wellserved and try again.")
    return Workspace(folder, check_zone(zone))

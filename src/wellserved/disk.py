"""The disk: files written whole or not at all, and one error, in plain words, for a disk that takes no more.

Python, SQLite, PostgreSQL, DuckDB, Arrow and Delta Lake each say in their own way that a disk is full, read-only or
broken. `failure` is the one place that knows these ways.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from wellserved.errors import DiskFullError, StorageError, WellservedError

_UNOPENED: Final = -1  # SQLite does not say why it could not open a file
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SAFE: Final = "What was said to be saved is safe, and what can be read still can."
_SAID: Final = {  # error number -> what is wrong, and what to do
    errno.ENOSPC: ("The disk is full: nothing more can be written to {where} ({free} free).", "Make room"),
    errno.EDQUOT: ("Your share of the disk is used up: nothing more can be written to {where}.", "Make room"),
    errno.EFBIG: ("A file in {where} would be larger than this system allows.", "Raise the limit (ulimit -f)"),
    errno.EIO: ("The disk failed at {where} (input/output error).", "Have the disk looked at"),
    errno.EROFS: ("{where} is read-only: nothing can be written to it.", "Make it writable"),
    errno.EACCES: ("This user may not write to {where}.", "Give the right to write there"),
    errno.EPERM: ("This user may not write to {where}.", "Give the right to write there"),
    _UNOPENED: (
        "A database in {where} cannot be opened ({free} free).",
        "See that the disk is not full and that this user may write there",
    ),
}
_SQLITE: Final = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: _UNOPENED,
}
_POSTGRES: Final = {"53100": errno.ENOSPC, "58030": errno.EIO, "25006": errno.EROFS}
_LIBRARIES: Final = ("duckdb", "_duckdb", "pyarrow", "deltalake", "_internal")  # that name the number in their words
_NUMBER: Final = re.compile(r"(?:os error|errno) (\d+)", re.IGNORECASE)
_WORDS: Final = {os.strerror(number): number for number in _SAID if number > 0} | {
    "max_temp_directory_size": errno.ENOSPC  # what DuckDB may spill is a share of what is free
}


def failure(error: BaseException, folder: Path) -> StorageError | None:
    """What to say where an error, or one that it came from, is the disk's; None: it is another's.

    `folder`: what was written to, where the error does not say.
    """
    if isinstance(error, WellservedError):
        return error if isinstance(error, StorageError) else None
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return None
        if (number := _number(cause)) is not None:
            return _sentence(number, cause, folder)
        cause = cause.__cause__ or cause.__context__
    return None


def _number(error: BaseException) -> int | None:
    """The operating system's number of an error, however a library tells it."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _SAID else None
    if isinstance(code := getattr(error, "sqlite_errorcode", None), int):
        return _SQLITE.get(code & 0xFF)
    if isinstance(state := getattr(error, "sqlstate", None), str):
        return _POSTGRES.get(state)
    if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _LIBRARIES:
        return None
    text = str(error)
    if (named := _NUMBER.search(text)) and int(named[1]) in _SAID:
        return int(named[1])
    return next((number for words, number in _WORDS.items() if words in text), None)


def _sentence(number: int, error: BaseException, folder: Path) -> StorageError:
    named = getattr(error, "filename", None)
    file = Path(os.fsdecode(named)) if isinstance(named, str | bytes) else folder
    where = folder if folder in file.parents else file
    there = next((each for each in (where, *where.absolute().parents) if each.exists()), Path("/"))
    free = shutil.disk_usage(there).free / 2**20
    if number in (errno.EIO, _UNOPENED) and free < 1:  # SQLite does not always know why
        number = errno.ENOSPC
    what, do = _SAID[number]
    kind = DiskFullError if number in _FULL else StorageError
    return kind(what.format(where=where, free=f"{free:,.0f} MB"), f"{do}, then do this again. {_SAFE}")


@contextmanager
def explain(folder: Path, kind: type[Exception] = Exception) -> Iterator[None]:
    """Say what is wrong with the disk of a folder, whichever library meets it; `kind`: errors of others are not its."""
    try:
        yield
    except kind as error:
        if (said := failure(error, folder)) is None or said is error:
            raise
        raise said from error


def owner_only(path: str, flags: int) -> int:
    """For `open(opener=...)`: a file that only its owner can read."""
    return os.open(path, flags, 0o600)


@contextmanager
def rewrite(target: Path, draft: Path) -> Iterator[TextIO]:
    """A text file that is there, on disk, with all that is written to it, or stays as it was.

    `draft`: where it is written first, on the same disk; nothing is left of it where the writing fails.
    """
    try:
        with open(draft, "w", encoding="utf-8", errors="replace", newline="", opener=owner_only) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        make_lasting(target.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def make_lasting(*paths: Path) -> None:
    """Files and folders are on disk, not only in memory, before anybody is told."""
    for path in paths:
        if path.is_dir():
            if os.name == "nt":  # which writes the names of a folder out by itself
                continue
            handle = os.open(path, os.O_RDONLY)
        else:
            handle = os.open(path, os.O_RDWR)  # some systems write out only what is open for writing
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

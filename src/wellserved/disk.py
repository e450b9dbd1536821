"""The disk: files written whole or not at all, and one error, in plain words, for a disk that takes no more.

Python, SQLite, PostgreSQL, DuckDB, Arrow and Delta Lake each say in their own way that a disk is full, read-only or
broken. `failure` is the one place that knows these ways.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from wellserved.errors import DiskFullError, StorageError, WellservedError

_CANNOT_OPEN: Final = -1  # SQLite does not say why it could not open a file
_FULL_NUMBERS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SAFETY_NOTE: Final = "What was said to be saved is safe, and what can be read still can."
_MESSAGES: Final = {  # error number -> what is wrong, and what to do
    errno.ENOSPC: ("The disk is full: nothing more can be written to {where} ({free} free).", "Make room"),
    errno.EDQUOT: ("Your share of the disk is used up: nothing more can be written to {where}.", "Make room"),
    errno.EFBIG: ("A file in {where} would be larger than this system allows.", "Raise the limit (ulimit -f)"),
    errno.EIO: ("The disk failed at {where} (input/output error).", "Have the disk looked at"),
    errno.EROFS: ("{where} is read-only: nothing can be written to it.", "Make it writable"),
    errno.EACCES: ("This user may not write to {where}.", "Give the right to write there"),
    errno.EPERM: ("This user may not write to {where}.", "Give the right to write there"),
    _CANNOT_OPEN: (
        "A database in {where} cannot be opened ({free} free).",
        "See that the disk is not full and that this user may write there",
    ),
}
_SQLITE: Final = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
}
_POSTGRES: Final = {"53100": errno.ENOSPC, "58030": errno.EIO, "25006": errno.EROFS}
_LIBRARIES: Final = ("duckdb", "_duckdb", "pyarrow", "deltalake", "_internal")  # that name the number in their words
_NUMBER_PATTERN: Final = re.compile(r"(?:os error|errno) (\d+)", re.IGNORECASE)
_NUMBER_BY_TEXT: Final = {os.strerror(number): number for number in _MESSAGES if number > 0} | {
    "max_temp_directory_size": errno.ENOSPC  # what DuckDB may spill is a share of what is free
}


def as_storage_error(error: BaseException, folder: Path) -> StorageError | None:
    """What to say where an error, or one that it came from, is the disk's; None: it is another's.

    `folder`: what was written to, where the error does not say.
    """
    if isinstance(error, WellservedError):
        return error if isinstance(error, StorageError) else None
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return None
        if (number := _error_number(cause)) is not None:
            return _storage_error(number, cause, folder)
        cause = cause.__cause__ or cause.__context__
    return None


def _error_number(error: BaseException) -> int | None:
    """The operating system's number of an error, however a library tells it."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _MESSAGES else None
    if isinstance(code := getattr(error, "sqlite_errorcode", None), int):
        return _SQLITE.get(code & 0xFF)
    if isinstance(state := getattr(error, "sqlstate", None), str):
        return _POSTGRES.get(state)
    if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _LIBRARIES:
        return None
    text = str(error)
    if (match := _NUMBER_PATTERN.search(text)) and int(match[1]) in _MESSAGES:
        return int(match[1])
    return next((number for phrase, number in _NUMBER_BY_TEXT.items() if phrase in text), None)


def _storage_error(number: int, error: BaseException, folder: Path) -> StorageError:
    filename = getattr(error, "filename", None)
    file = Path(os.fsdecode(filename)) if isinstance(filename, str | bytes) else folder
    location = folder if folder in file.parents else file
    existing_parent = next(
        (parent for parent in (location, *location.absolute().parents) if parent.exists()), Path("/")
    )
    free = shutil.disk_usage(existing_parent).free / 2**20
    if number in (errno.EIO, _CANNOT_OPEN) and free < 1:  # SQLite does not always know why
        number = errno.ENOSPC
    problem, remedy = _MESSAGES[number]
    kind = DiskFullError if number in _FULL_NUMBERS else StorageError
    return kind(problem.format(where=location, free=f"{free:,.0f} MB"), f"{remedy}, then do this again. {_SAFETY_NOTE}")


@contextmanager
def explain_errors(folder: Path, kind: type[Exception] = Exception) -> Iterator[None]:
    """Say what is wrong with the disk of a folder, whichever library meets it; `kind`: errors of others are not its."""
    try:
        yield
    except kind as error:
        if (storage_error := as_storage_error(error, folder)) is None or storage_error is error:
            raise
        raise storage_error from error


def owner_only(path: str, flags: int) -> int:
    """For `open(opener=...)`: a file that only its owner can read."""
    return os.open(path, flags, 0o600)


@contextmanager
def rewrite_file(target: Path, draft: Path) -> Iterator[TextIO]:
    """A text file that is there, on disk, with all that is written to it, or stays as it was.

    `draft`: where it is written first, on the same disk; nothing is left of it where the writing fails.
    """
    try:
        with open(draft, "w", encoding="utf-8", errors="replace", newline="", opener=owner_only) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        sync_to_disk(target.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_facts(target: Path, facts: Mapping[str, Any]) -> None:
    """Keep facts as JSON; they are there whole, or as they were. Whoever calls is the file's only writer."""
    with rewrite_file(target, target.with_suffix(".draft")) as file:
        json.dump(facts, file, ensure_ascii=False)


def sync_to_disk(*paths: Path) -> None:
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

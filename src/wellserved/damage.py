"""Errors of what holds the data, in words: the one place where the libraries' own become a sentence that says what to do.

By the names of their modules, so that a library that is not loaded stays so.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from wellserved.errors import DamageError, WellservedError

_FILES = {"_internal": "Exception", "pyarrow": "ArrowException"}  # deltalake's core, Arrow: any of theirs
_DUCKDB = ("Error", "FatalException", "IOException", "InternalException", "InvalidInputException",
           "SerializationException")  # fmt: skip
_DATABASES = ("sqlite3", "django", "psycopg")
_DATABASE = ("DatabaseError", "OperationalError", "InterfaceError", "InternalError")
READ_ALL = "`wellserved verify` reads everything, and says what is damaged, what is lost and what to do."


def as_damage(error: BaseException) -> DamageError | None:
    """What an error of the storage says, and what to do; None: it is another kind of error."""
    if isinstance(error, WellservedError):  # our own stay what they are
        return error if isinstance(error, DamageError) else None
    for one in _chain(error):
        if isinstance(one, DamageError):
            return one
        said = next(iter(str(one).splitlines()), "")[:300]
        if _of_database(one):
            return DamageError(f"A database cannot be read or written: {said}.", READ_ALL)
        if _of_files(one):
            return DamageError(f"The log or the cases cannot be read: {said}.", READ_ALL)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _of_database(error: BaseException) -> bool:
    kind = type(error)
    return kind.__module__.split(".")[0] in _DATABASES and kind.__name__ in _DATABASE


def _of_files(error: BaseException) -> bool:
    kind = type(error)
    root = kind.__module__.split(".")[0]
    if root == "_duckdb":
        return kind.__name__ in _DUCKDB
    if isinstance(error, OSError):  # Arrow's have no number; and a file of a table that is gone
        return error.errno in (None, errno.EIO) or ".parquet" in str(error.filename or "")
    return any(base.__name__ == _FILES[root] for base in kind.__mro__) if root in _FILES else False

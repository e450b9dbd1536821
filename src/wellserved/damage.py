"""Errors of what holds the data, in words: the one place where the libraries' own become a sentence that says what to do.

By the names of their modules, so that a library that is not loaded stays so.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from wellserved.errors import DamageError, WellservedError

_FILE_ERRORS = {"_internal": "Exception", "pyarrow": "ArrowException"}  # deltalake's core, Arrow: any of theirs
_DUCKDB_ERRORS = ("Error", "FatalException", "IOException", "InternalException", "InvalidInputException",
           "SerializationException")  # fmt: skip
_DATABASE_LIBRARIES = ("sqlite3", "django", "psycopg")
_DATABASE_ERRORS = ("DatabaseError", "OperationalError", "InterfaceError", "InternalError")
VERIFY_ADVICE = "`wellserved verify` reads everything, and says what is damaged, what is lost and what to do."


def as_damage_error(error: BaseException) -> DamageError | None:
    """What an error of the storage says, and what to do; None: it is another kind of error."""
    if isinstance(error, WellservedError):  # our own stay what they are
        return error if isinstance(error, DamageError) else None
    for cause in _causes(error):
        if isinstance(cause, DamageError):
            return cause
        message = next(iter(str(cause).splitlines()), "")[:300]
        if _is_database_error(cause):
            return DamageError(f"A database cannot be read or written: {message}.", VERIFY_ADVICE)
        if _is_file_error(cause):
            return DamageError(f"The log or the cases cannot be read: {message}.", VERIFY_ADVICE)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _is_database_error(error: BaseException) -> bool:
    kind = type(error)
    return kind.__module__.split(".")[0] in _DATABASE_LIBRARIES and kind.__name__ in _DATABASE_ERRORS


def _is_file_error(error: BaseException) -> bool:
    kind = type(error)
    root = kind.__module__.split(".")[0]
    if root == "_duckdb":
        return kind.__name__ in _DUCKDB_ERRORS
    if isinstance(error, OSError):  # Arrow's have no number; and a file of a table that is gone
        return error.errno in (None, errno.EIO) or ".parquet" in str(error.filename or "")
    return any(base.__name__ == _FILE_ERRORS[root] for base in kind.__mro__) if root in _FILE_ERRORS else False

"""Every error that a user can cause, with what to do about it.

WellservedError
├── RequestError          the request cannot be answered as it was put (exit code 2)
│   ├── UnknownNameError  a measure, column, source or rule that does not exist; names the nearest
│   ├── PeriodError       dates that are no dates, or a period that ends before it starts
│   ├── MappingError      a mapping file, or a file's columns, that do not say which moment is where
│   ├── CalendarError     opening hours that cannot be read
│   ├── ScaleError        own scales of ratings that cannot be read, or whose meaning was changed
│   └── ClaimRefusedError a sentence that the record does not carry, or no longer does
├── SourceError           a file that cannot be read at all (exit code 2)
├── WorkspaceError        a workspace that is missing, busy, or newer than this version (exit code 2)
│   └── DamageError       stored files that cannot be read, or are gone (exit code 3)
└── StorageError          a disk that is read-only, forbidden or broken (exit code 3: the same request is right later)
    └── DiskFullError     a disk without room
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class WellservedError(Exception):
    """What went wrong, in one sentence, and what to do, in another."""

    exit_code = 2

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Crosses to another process whole, however a kind of error is made."""
        return _rebuild_error, (type(self), self.problem, self.remedy)


def _rebuild_error(kind: type[WellservedError], problem: str, remedy: str) -> WellservedError:
    error = kind.__new__(kind)
    WellservedError.__init__(error, problem, remedy)
    return error


class RequestError(WellservedError):
    """The request cannot be answered as it was put."""


class UnknownNameError(RequestError):
    """A name that stands for nothing here."""

    def __init__(self, kind: str, name: str, known_names: Iterable[str]) -> None:
        names = sorted(known_names)
        close_names = get_close_matches(name, names, n=3, cutoff=0.4)
        hint = (
            f"Did you mean {' or '.join(close_names)}?" if close_names else f"Known: {', '.join(names) or 'none yet'}."
        )
        super().__init__(f"There is no {kind} called {name!r}.", hint)


class PeriodError(RequestError):
    """A period that cannot be."""


class MappingError(RequestError):
    """A mapping that does not say which column is which moment."""


class CalendarError(RequestError):
    """Opening hours that cannot be read."""


class ScaleError(RequestError):
    """A workspace's own scales that cannot be read, or that mean something else than the ratings on them."""


class ClaimRefusedError(RequestError):
    """A sentence that the record does not carry, or no longer does."""


class SourceError(WellservedError):
    """A file that cannot be read at all."""


class WorkspaceError(WellservedError):
    """A workspace that is missing, busy, or from a newer version."""


class DamageError(WorkspaceError):
    """Stored files that cannot be read, or are gone: no fault of the request."""

    exit_code = 3


class StorageError(WellservedError):
    """A disk that does not take what is written: no fault of the request, which is right once the disk is."""

    exit_code = 3


class DiskFullError(StorageError):
    """A disk without room."""

"""One short function a deed, for the command line and the pages alike; each module holds those of one kind."""

from __future__ import annotations


def no_progress(activity: str, count: int, total: int) -> None:
    """A progress report that nobody reads."""

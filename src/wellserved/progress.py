"""How far long work has come, told to whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ProgressCallback = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0: unknown)."""


def no_progress(activity: str, done_count: int, total: int) -> None:
    """A progress callback that shows nothing."""


def progress_in(file: Path) -> ProgressCallback:
    """A progress callback that keeps the last word in a file, for pages to show; where it cannot, the work goes on."""

    def note(activity: str, done_count: int, total: int) -> None:
        with suppress(OSError):
            file.write_text(f"{activity}{f': {done_count / total:.0%}' if total else ''}", encoding="utf-8")

    return note

"""How far long work has come, told to whoever watches."""

from __future__ import annotations

from collections.abc import Callable

ProgressCallback = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0: unknown)."""


def no_progress(activity: str, done_count: int, total: int) -> None:
    """A progress callback that shows nothing."""

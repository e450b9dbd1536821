"""Questions to the analytics, in a process of their own with limits of memory and time; each is answered once a version.

A question that runs too long is ended with its process, and says so; the pages stay up.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, Final, TypeVar

from django.conf import settings

from wellserved import disk, log
from wellserved.damage import as_damage
from wellserved.errors import RequestError
from wellserved.workspace import Workspace

Answer = TypeVar("Answer")
MEMORY: Final = 8 * 2**30  # addresses, of which an analysis fills far fewer
SECONDS: Final = 120
KEPT: Final = 256

_lock = threading.Lock()
_answers: OrderedDict[tuple[object, ...], Any] = OrderedDict()
_pools: list[ProcessPoolExecutor] = []  # one, or none yet


def _end_with_parent() -> None:
    """A server that was killed cannot end this process: it looks for itself."""
    if (parent := multiprocessing.parent_process()) is not None:
        connection.wait([parent.sentinel])
        os._exit(0)


def _limited() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.nice(5)


def _workers() -> ProcessPoolExecutor:
    with _lock:
        if not _pools:
            _pools.append(ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_limited))
        return _pools[0]


def _end(pool: ProcessPoolExecutor) -> None:
    """End a process that does not end by itself."""
    with _lock:
        if pool in _pools:
            _pools.remove(pool)
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)


def version_of(workspace: Workspace) -> tuple[object, ...]:
    """What an answer depends on: the log's version, the calendars, the scales, the declarations."""
    changed = []
    for name in ("calendars.toml", "scales.toml", "scales-used.json", "improvements.jsonl", "workspace.toml"):
        file = workspace.folder / name
        changed.append(file.stat().st_mtime_ns if file.exists() else 0)
    return (str(workspace.folder), log.latest(workspace), *changed)


def _answered(answer: Callable[..., Answer], *given: Any) -> Answer:
    """An answer; what the storage says against it crosses to the other process as our own."""
    try:
        return answer(*given)
    except Exception as error:
        said = disk.failure(error, given[0].folder) or as_damage(error)
        if said is None:
            raise
        raise said from None


def asked(answer: Callable[..., Answer], *given: Any) -> Answer:
    """answer(workspace, *given), from what is known or by the analysing process."""
    workspace: Workspace = settings.WORKSPACE
    key = (*version_of(workspace), answer.__module__, answer.__qualname__, repr(given))
    with _lock:
        if key in _answers:
            _answers.move_to_end(key)
            found: Answer = _answers[key]
            return found
    pool = _workers()
    try:
        made = pool.submit(_answered, answer, workspace, *given).result(SECONDS)
    except (TooLong, BrokenProcessPool, MemoryError) as error:
        _end(pool)
        raise RequestError(
            "This question took too long, or too much memory.", "Ask for fewer cases: a span, a filter."
        ) from error
    with _lock:
        _answers[key] = made
        while len(_answers) > KEPT:
            _answers.popitem(last=False)
    return made

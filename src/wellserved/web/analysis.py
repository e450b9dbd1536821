"""Questions to the analytics, in a process of their own with limits of memory and time; each is answered once a version.

A question that runs too long is ended with its process, and says so; the pages stay up.
"""

from __future__ import annotations

import copy
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

from wellserved import disk
from wellserved.actions.claim_evidence import RemadeEvidence, remake_evidence
from wellserved.claim.draft import ClaimRecipe
from wellserved.damage import as_damage_error
from wellserved.errors import RequestError
from wellserved.improvement import declarations_digest
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

Answer = TypeVar("Answer")
ANALYSIS_MEMORY: Final = 8 * 2**30  # addresses, of which an analysis fills far fewer
TIME_LIMIT_SECONDS: Final = 120
MAX_CACHED_ANSWERS: Final = 256


class TooMuchError(RequestError):
    """A question that took too long, or too much memory."""


_lock = threading.Lock()
_answers: OrderedDict[tuple[object, ...], Any] = OrderedDict()
_pools: list[ProcessPoolExecutor] = []  # one, or none yet


def _end_with_parent() -> None:
    """A server that was killed cannot end this process: it looks for itself."""
    if (parent := multiprocessing.parent_process()) is not None:
        connection.wait([parent.sentinel])
        os._exit(0)


def _limit_process() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ANALYSIS_MEMORY, ANALYSIS_MEMORY))
        os.nice(5)


def _workers() -> ProcessPoolExecutor:
    with _lock:
        if not _pools:
            _pools.append(ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_limit_process))
        return _pools[0]


def _kill_pool(pool: ProcessPoolExecutor) -> None:
    """End a process that does not end by itself."""
    with _lock:
        if pool in _pools:
            _pools.remove(pool)
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)


def version_of(workspace: Workspace) -> tuple[object, ...]:
    """What an answer depends on: the log's version, the calendars, the scales, the problems, the declarations (looks at them aside)."""
    file_times = []
    for name in (
        "calendars.toml",
        "scales.toml",
        "scales-used.json",
        "workspace.toml",
        "problems/found.json",
        "problems/decisions.jsonl",
        "problems/cost.json",
    ):
        file = workspace.folder / name
        file_times.append(file.stat().st_mtime_ns if file.exists() else 0)
    return (str(workspace.folder), log.latest_version(workspace), declarations_digest(workspace), *file_times)


def has_records() -> bool:
    """Whether there is anything yet that could be asked about."""
    return log.latest_version(settings.WORKSPACE) >= 0


def _compute_answer(answer: Callable[..., Answer], *arguments: Any) -> Answer:
    """An answer; what the storage says against it crosses to the other process as our own."""
    try:
        return answer(*arguments)
    except Exception as error:
        storage_error = disk.as_storage_error(error, arguments[0].folder) or as_damage_error(error)
        if storage_error is None:
            raise
        raise storage_error from None


def _key_of(answer: Callable[..., Answer], arguments: tuple[Any, ...]) -> tuple[object, ...]:
    return (*version_of(settings.WORKSPACE), answer.__module__, answer.__qualname__, repr(arguments))


def known_answer(answer: Callable[..., Answer], *arguments: Any) -> Answer | None:
    """An answer that was worked out before; None: it has to be asked for."""
    with _lock:
        earlier_answer = _answers.get(_key_of(answer, arguments))
        return None if isinstance(earlier_answer, RequestError) else earlier_answer


def fresh_answer(answer: Callable[..., Answer], *arguments: Any) -> Answer:
    """answer(workspace, *given) by the analysing process, whatever is known already: for what changes something."""
    pool = _workers()
    try:
        return pool.submit(_compute_answer, answer, settings.WORKSPACE, *arguments).result(TIME_LIMIT_SECONDS)
    except (TooLong, BrokenProcessPool, MemoryError) as error:
        _kill_pool(pool)
        raise TooMuchError(
            "This question took too long, or too much memory.", "Ask for fewer cases: a span, a filter."
        ) from error


def cached_answer(answer: Callable[..., Answer], *arguments: Any) -> Answer:
    """answer(workspace, *given), from what is known or by the analysing process; what it refused to answer is known too."""
    key = _key_of(answer, arguments)
    with _lock:
        if key in _answers:
            _answers.move_to_end(key)
            known_answer: Answer = _said_again(_answers[key])
            return known_answer
    try:
        new_answer = fresh_answer(answer, *arguments)
    except TooMuchError:  # of which there may be enough the next time
        raise
    except RequestError as refusal:
        _remember(key, refusal)
        raise
    _remember(key, new_answer)
    return new_answer


def _remember(key: tuple[object, ...], answer: Any) -> None:
    with _lock:
        _answers[key] = answer
        while len(_answers) > MAX_CACHED_ANSWERS:
            _answers.popitem(last=False)


def _said_again(answer: Any) -> Any:
    """A known answer, or the refusal that it was, without the trace of its first time."""
    if isinstance(answer, RequestError):
        raise copy.copy(answer)
    return answer


def remake_claim(_workspace: Workspace, recipe: ClaimRecipe, secret: bytes) -> RemadeEvidence:
    """The evidence of a claim, made anew by the analysing process."""
    return fresh_answer(remake_evidence, recipe, secret)

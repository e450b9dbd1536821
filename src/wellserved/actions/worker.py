"""The worker writes shared moments into the log, sends mails and backs up every night; here is what it does, and whether it is at work.

Every two seconds, also while it writes, it leaves a sign of life in the workspace: its state, and a fresh time of change.
A sign that is older than LATE seconds, or dated in the future, is none.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Final, Literal, Self

import django
from django.db import close_old_connections
from django.utils import timezone

from wellserved import disk
from wellserved.actions import backups, claims, outgoing, prompt_mail, pulse_answers, sharing, weekly_mail
from wellserved.damage import as_damage_error
from wellserved.errors import WellservedError
from wellserved.storage.integrity import IntegrityFinding
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Shared
from wellserved.wording import plural

BEAT_SECONDS: Final = 2.0  # seconds between two signs of life
SILENT_AFTER_SECONDS: Final = 20.0  # seconds after which a sign of life is none
POLL_SECONDS: Final = 2.0  # seconds between two looks for shared moments
PROMPT_SECONDS: Final = 300.0  # seconds between two looks for whom a prompt is due by mail
COMPARE_SECONDS: Final = 60.0  # seconds between two comparisons of claims with the records
LONGEST_RETRY_PAUSE: Final = 60.0  # seconds that it waits at most, after it has failed again and again
OVERDUE_AFTER: Final = timedelta(minutes=10)  # after which a shared moment should have been in the log
_SIZE: Final = 1_024  # bytes; always the same, written over in place, which a full disk still lets through
StateName = Literal["never started", "working", "failing", "stopped", "silent"]


@dataclass(frozen=True)
class WorkerState:
    """How it stands with the worker: since its last sign of life, and why it fails, if it does."""

    name: StateName
    seconds: float = 0.0
    reason: str = ""

    @property
    def is_well(self) -> bool:
        """Nothing is wrong, as far as this can be known: one that has just been stopped may be about to start again."""
        return self.name in ("working", "never started") or (
            self.name == "stopped" and self.seconds < SILENT_AFTER_SECONDS
        )

    def __str__(self) -> str:
        if self.name == "working":
            return "ok"
        ago = f"{self.seconds:.0f} seconds" if self.seconds < 120 else f"{self.seconds / 60:.0f} minutes"
        return {
            "failing": f"failing: {self.reason}",
            "stopped": f"stopped {ago} ago",
            "silent": f"silent for {ago}"
            if self.seconds > 0
            else "silent: its last sign of life is dated in the future",
        }.get(self.name, self.name)


def worker_state(workspace: Workspace, now: float | None = None) -> WorkerState:
    """How it stands with the worker of a workspace; `now` in seconds since 1970."""
    file = workspace.folder / "worker.json"
    try:
        seconds = (time.time() if now is None else now) - file.stat().st_mtime
        facts = json.loads(file.read_text(encoding="utf-8"))
        name, reason = str(facts["state"]), str(facts["why"])
    except OSError:
        return WorkerState("never started")
    except (ValueError, LookupError, TypeError):  # just being written, or damaged: its age says enough
        name, reason = "working", ""
    if name == "stopped":
        return WorkerState("stopped", max(seconds, 0.0))
    if not -BEAT_SECONDS < seconds < SILENT_AFTER_SECONDS:
        return WorkerState("silent", seconds)
    return WorkerState("failing" if name == "failing" else "working", seconds, reason)


def worker_findings(workspace: Workspace, now: float | None = None) -> Iterator[IntegrityFinding]:
    """What is wrong with the worker, in plain words; nothing: all is well. One that never ran is missed once something waits."""
    start = "Start `wellserved serve`, or `wellserved worker`."
    current_state = worker_state(workspace, now)
    if current_state.name == "silent":
        yield IntegrityFinding(f"The worker is {current_state}: what is shared does not reach the log.", "", start)
    elif current_state.name == "failing":
        yield IntegrityFinding(
            f"The worker cannot write shared moments into the log: {current_state.reason}", "", "It goes on trying."
        )
    try:
        waiting_count = Shared.objects.filter(pending=True, changed__lt=timezone.now() - OVERDUE_AFTER).count()
    except django.db.Error:  # said where the databases are looked at
        waiting_count = 0
    if waiting_count:
        subject = (
            f"{plural(waiting_count, 'shared moment has', 'shared moments have')} waited for more than ten minutes"
        )
        remedy = "" if current_state.name in ("working", "failing", "silent") else start
        yield IntegrityFinding(f"{subject} to be written into the log.", "", remedy)


class Heartbeat:
    """Leaves the sign of life, in a thread of its own; where the folder cannot be written to, there is none."""

    def __init__(self, workspace: Workspace) -> None:
        self._file = workspace.folder / "worker.json"
        self._facts: dict[str, object] = {"state": "working", "process": os.getpid(), "why": ""}
        self._stop_event = threading.Event()
        self._write_lock = threading.Lock()
        self._thread = threading.Thread(target=self._write_until_stopped, daemon=True)

    def set_state(self, name: StateName, reason: str = "") -> None:
        """Another state, at once."""
        self._facts = {**self._facts, "state": name, "why": reason}
        self._write()

    def _write(self) -> None:
        with self._write_lock:
            content = json.dumps({**self._facts, "why": str(self._facts["why"])[:300]}).encode().ljust(_SIZE)
            try:
                file = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
                try:
                    os.write(file, content)
                finally:
                    os.close(file)
            except OSError:  # nothing can be written here: silence says so
                pass

    def _write_until_stopped(self) -> None:
        while not self._stop_event.wait(BEAT_SECONDS):
            self._write()

    def __enter__(self) -> Self:
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_event.set()
        self._thread.join()
        self.set_state("stopped")


def work_once(workspace: Workspace) -> None:
    """Write what waits into the log, and make the night's backup where it is missing, whether or not the log can be written."""
    with disk.explain_errors(workspace.folder):
        try:
            while sharing.write_pending(workspace):
                pass
        except Exception:
            backups.write_nightly_backup(workspace)
            raise
        backups.write_nightly_backup(workspace)


def run_errands_once(workspace: Workspace) -> None:
    """Draft the week's reports that are due by themselves, send the mails whose time has come, and compare claims with new records."""
    prompt_mail.queue_due_prompts(workspace, timezone.now())
    send_mails(workspace)
    claims.refresh_outdated_claims(workspace)
    pulse_answers.keep_blocks(timezone.localdate())


def send_mails(workspace: Workspace) -> None:
    """Draft the week's reports that are due by themselves, and send the mails whose time has come."""
    now = timezone.now()
    weekly_mail.queue_due_weeks(workspace, now)
    outgoing.deliver_due(workspace, now)


def run_errands(workspace: Workspace, stop: threading.Event) -> None:
    """Send mails and compare claims until told to stop, beside the worker, so that a slow mail server or many cases keep nothing
    else waiting. After a failure it waits as the worker does; what waits is not lost, and nothing leaves twice."""
    pause, compared_at, prompted_at = POLL_SECONDS, 0.0, -PROMPT_SECONDS
    while not stop.is_set():
        try:
            if time.monotonic() - prompted_at > PROMPT_SECONDS:
                prompted_at = time.monotonic()
                prompt_mail.queue_due_prompts(workspace, timezone.now())
            send_mails(workspace)
            if time.monotonic() - compared_at > COMPARE_SECONDS:
                compared_at = time.monotonic()
                claims.refresh_outdated_claims(workspace)
                pulse_answers.keep_blocks(timezone.localdate())
        except Exception as error:
            sys.stderr.write(f"Mails and claims wait: {_error_sentence(error)}\n")
            pause = min(2 * pause, LONGEST_RETRY_PAUSE)
        else:
            pause = POLL_SECONDS
        close_old_connections()
        stop.wait(pause)


def run_worker(workspace: Workspace, stop: threading.Event, heartbeat: Heartbeat) -> None:
    """Work until told to stop; after a failure, wait twice as long as before, and a minute at most. Nothing that waits is lost."""
    pause, last_reason = POLL_SECONDS, ""
    while not stop.is_set():
        try:
            work_once(workspace)
        except Exception as exception:
            error = exception if isinstance(exception, WellservedError) else as_damage_error(exception) or exception
            reason = _error_sentence(error)
            heartbeat.set_state("failing", reason)
            if reason != last_reason:  # once, not at every try
                sys.stderr.write(f"The worker waits and tries again: {reason}\n")
                if not isinstance(error, WellservedError | OSError | django.db.OperationalError):
                    traceback.print_exc()
            pause, last_reason = min(2 * pause, LONGEST_RETRY_PAUSE), reason
            close_old_connections()
        else:
            if last_reason:
                heartbeat.set_state("working")
                sys.stderr.write("The worker goes on.\n")
            pause, last_reason = POLL_SECONDS, ""
        stop.wait(pause)


def _error_sentence(error: Exception) -> str:
    """Why it failed, in a sentence."""
    if isinstance(error, WellservedError):
        return f"{error.problem} {error.remedy}"
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}."
    return f"{type(error).__name__}: {error}."

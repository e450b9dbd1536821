"""Keeps a process running beside this one: started again whenever it ends, and ended with this one."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from typing import IO, Final, Protocol

FIRST_PAUSE: Final = 1.0  # seconds before it is started again
LONGEST_RESTART_PAUSE: Final = 60.0
STEADY_SECONDS: Final = 60.0  # seconds that it ran, after which its end is the first again
STOP_GRACE_SECONDS: Final = 12.0  # seconds that it has to end by itself


class Process(Protocol):
    """What is needed of a `subprocess.Popen`."""

    stdin: IO[bytes] | None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the process has ended."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Supervisor:
    """Starts a process, waits for it (so that no zombie stays), and starts it again: after a second, then twice as long."""

    def __init__(
        self,
        start: Callable[[], Process],
        say: Callable[[str], None],
        wait: Callable[[float], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wait` waits some seconds and answers whether to stop."""
        self._start, self._say, self._clock = start, say, clock
        self._stopping, self._lock = threading.Event(), threading.Lock()
        self._wait = wait or self._stopping.wait
        self._process: Process | None = None
        self._thread = threading.Thread(target=self.keep_running, daemon=True)

    def begin(self) -> None:
        """Keep it running, in a thread."""
        self._thread.start()

    def keep_running(self) -> None:
        """Keep it running until told to stop."""
        pause = FIRST_PAUSE
        while True:
            started_at = self._clock()
            ending = self._run_once()
            if self._stopping.is_set():
                return
            if self._clock() - started_at > STEADY_SECONDS:
                pause = FIRST_PAUSE
            self._say(f"The worker {ending}; it is started again in {pause:.0f} second{'s' if pause > 1 else ''}.")
            if self._wait(pause):
                return
            pause = min(2 * pause, LONGEST_RESTART_PAUSE)

    def _run_once(self) -> str:
        """Run it once; how it ended."""
        try:
            with self._lock:
                if self._stopping.is_set():
                    return ""
                process = self._process = self._start()
        except OSError as error:
            return f"could not be started ({error.strerror})"
        code = process.wait()
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"

    def stop(self) -> None:
        """End it, and start it no more."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is None:
            return
        process.terminate()
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(STOP_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._thread.is_alive():
            self._thread.join()

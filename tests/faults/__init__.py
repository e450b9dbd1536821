"""Commands run on a storage that fails, or are killed, at a chosen call."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@dataclass(frozen=True)
class Outcome:
    """How a command ended. code: its exit code; negative: the signal that ended it."""

    code: int
    hung: bool
    calls: tuple[str, ...]  # that it made to the storage, in order
    printed: str


class Storage:
    """A home in a folder of its own, and a server that runs commands on it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wellserved-faults-"))
        self.home = self.folder / "home"
        self.copies = self.folder / "copies"  # where backups go
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._server is not None and self._server.stdin and self._server.stdout:
            self._server.stdin.close()
            self._server.wait(30)
            self._server.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _serving(self) -> subprocess.Popen[str]:
        if self._server is None:
            library = self.folder / "storage.so"
            subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "storage.c", "-ldl"], check=True)
            env = {**os.environ, "LD_PRELOAD": str(library), "WELLSERVED_HOME": str(self.home), "OPENBLAS_NUM_THREADS": "1",
                   "COLUMNS": "200", "TMPDIR": str(self.folder)}  # fmt: skip
            env["DJANGO_SETTINGS_MODULE"] = "wellserved.web.settings"
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.server"],
                cwd=ROOT,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._server

    def reset(self, template: Path) -> None:
        """Home as it was, and no backups."""
        for folder in (self.home, self.copies):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, self.home)
        self.copies.mkdir()

    def run(self, argv: Sequence[str], at: int = 0, error: int = 0, lasting: bool = False, **more: Any) -> Outcome:
        """Run a command; at this call to the storage (from 1) it is killed, or the call answers with the error."""
        return self.run_all([argv], at=at, error=error, lasting=int(lasting), **more)[0]

    def run_all(self, commands: Sequence[Sequence[str]], **more: Any) -> list[Outcome]:
        """Run commands at once."""
        fixed = {"at": 0, "error": 0, "lasting": 0, "folders": (str(self.home), str(self.copies)), **more}
        orders = [
            {"argv": list(argv), "out": str(self.folder / f"printed{place}"), **fixed}
            for place, argv in enumerate(commands)
        ]
        server = self._serving()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(orders) + "\n")
        server.stdin.flush()
        ended = json.loads(server.stdout.readline())
        return [Outcome(one["code"], one["hung"], tuple(one["calls"]), one["printed"]) for one in ended]

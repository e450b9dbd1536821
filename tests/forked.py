"""Commands, each in a process of its own that has loaded everything already: a tenth of the time of a fresh one.

with Commands() as commands:
    ended = commands.run(home, "measure", "asked")
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Self

ROOT = Path(__file__).parent.parent
LOADED = (  # what commands load late and what is slow to load; Django's own settings are each command's
    "allauth.account",
    "cryptography.hazmat.primitives.asymmetric.x25519",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.kdf.hkdf",
    "django.core.management",
    "django.core.wsgi",
    "django.db.migrations.executor",
    "django.template.defaulttags",
    "django.test.client",
    "django.urls",
    "pydantic.json_schema",
    "pydantic.networks",
    "rich.progress",
    "wellserved.capture",
    "wellserved.cli",
    "wellserved.prove",
    "wellserved.report.assembly",
)


class Ended(NamedTuple):
    """How a command ended: its exit code (negative: the signal that ended it) and what it printed."""

    code: int
    out: str
    err: str


class Commands:
    """A process that makes one for each command."""

    def __enter__(self) -> Self:
        kept = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")
        }
        env = {**kept, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "COLUMNS": "200"}
        self.maker = subprocess.Popen(
            [sys.executable, "-m", "tests.forked"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        with self.maker:  # closes its pipes, at which it ends, and waits for it
            pass

    def start(self, home: Path, words: tuple[str, ...], typed: str, together: int, url: str = "") -> list[Ended]:
        """The same command several times at once. url: of the database, where it is none of the workspace's own."""
        assert self.maker.stdin is not None
        assert self.maker.stdout is not None
        self.maker.stdin.write(json.dumps([str(home), url, words, typed, together]) + "\n")
        self.maker.stdin.flush()
        return [Ended(*ended) for ended in json.loads(self.maker.stdout.readline())]

    def run(self, home: Path, *words: str, typed: str = "", url: str = "") -> Ended:
        """One command."""
        return self.start(home, words, typed, 1, url)[0]

    def said(self, home: Path, *words: str, typed: str = "", url: str = "") -> tuple[int, str]:
        """One command; its exit code and all that it printed."""
        ended = self.run(home, *words, typed=typed, url=url)
        return ended.code, ended.out + ended.err


def _forked(home: str, url: str, words: list[str], typed: str, printed: str) -> int:
    """A child that runs one command."""
    if child := os.fork():
        return child
    code = 99
    try:
        code = _command_exit_code(home, url, words, typed, printed)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)  # whatever happened: a child that went on would take down what its parent still needs


def _command_exit_code(home: str, url: str, words: list[str], typed: str, printed: str) -> int:
    keyboard = os.memfd_create("typed")
    os.write(keyboard, typed.encode())
    os.lseek(keyboard, 0, os.SEEK_SET)
    os.dup2(keyboard, 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{printed}.{name}", os.O_WRONLY | os.O_CREAT), number)
    os.environ["WELLSERVED_HOME"] = home
    if url:
        os.environ["DATABASE_URL"] = url
    sys.argv = ["wellserved", *words]
    try:
        from wellserved.cli import main

        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        return 99
    return 0


def _printed(file: str) -> str:
    """What a child printed; the file is gone then."""
    text = Path(file).read_text(errors="replace")
    Path(file).unlink()
    return text


def _serve() -> None:
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that a fork copies little
    with tempfile.TemporaryDirectory() as folder:
        for line in iter(sys.stdin.readline, ""):
            home, url, words, typed, together = json.loads(line)
            files = [f"{folder}/{number}" for number in range(together)]
            children = [_forked(home, url, words, typed, file) for file in files]
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            ended = [
                (code, _printed(f"{file}.out"), _printed(f"{file}.err"))
                for code, file in zip(codes, files, strict=True)
            ]
            sys.stdout.write(json.dumps(ended) + "\n")
            sys.stdout.flush()
    os._exit(0)  # nothing that was frozen is taken down


if __name__ == "__main__":
    _serve()

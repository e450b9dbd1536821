"""Commands, each in a process of its own that has loaded everything already: a tenth of the time of a fresh one.

with Commands() as commands:
    code, said = commands.run(home, "measure", "asked")
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent


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

    def start(self, home: Path, words: tuple[str, ...], given: str, together: int) -> list[tuple[int, str]]:
        """The same command several times at once; exit code and what it said."""
        assert self.maker.stdin is not None
        assert self.maker.stdout is not None
        self.maker.stdin.write(json.dumps([str(home), words, given, together]) + "\n")
        self.maker.stdin.flush()
        return [(code, said) for code, said in json.loads(self.maker.stdout.readline())]

    def run(self, home: Path, *words: str, given: str = "") -> tuple[int, str]:
        """One command; its exit code and what it said."""
        return self.start(home, words, given, 1)[0]


def _forked(home: str, words: list[str], given: str, said: str) -> int:
    """A child that runs one command."""
    if child := os.fork():
        return child
    out = os.open(said, os.O_WRONLY | os.O_CREAT)
    typed = os.memfd_create("typed")
    os.write(typed, given.encode())
    os.lseek(typed, 0, os.SEEK_SET)
    for number, file in enumerate((typed, out, out)):
        os.dup2(file, number)
    os.environ["WELLSERVED_HOME"] = home
    sys.argv = ["wellserved", *words]
    code = 0
    try:
        from wellserved.cli import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    import allauth.account
    import django.core.management
    import django.db.migrations.executor

    import wellserved.cli
    import wellserved.prove
    import wellserved.report

    assert all((allauth, django, wellserved))
    with tempfile.TemporaryDirectory() as folder:
        for line in iter(sys.stdin.readline, ""):
            home, words, given, together = json.loads(line)
            files = [f"{folder}/{number}" for number in range(together)]
            children = [_forked(home, words, given, file) for file in files]
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            answers = [(code, Path(file).read_text(errors="replace")) for code, file in zip(codes, files, strict=True)]
            for file in files:
                Path(file).unlink()
            sys.stdout.write(json.dumps(answers) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _serve()

"""The same cases asked by several engines: servers started and stopped by the tests, and answers compared cell by cell."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from wellserved.engine import Engine
from wellserved.measure import MEASURES, MeasureQuestion, series_records
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable

QUESTIONS: dict[str, dict[str, object]] = {
    "whole": {},
    "by month": {"granularity": "month"},
    "by week of a filter": {"granularity": "week", "where": (("channel", "phone"), ("channel", "web"))},
    "by team": {"by": "team"},
    "by team and quarter": {"by": "team", "granularity": "quarter"},
    "by year": {"granularity": "year"},
    "words that could be code": {
        "by": "service",
        "where": (("team", 'O\'Brien \\ $v0 %s :v1 "x"'), ("team", "Repairs")),
    },
}


def answers(scope: CaseTable, question: dict[str, object]) -> list[dict[str, object]]:
    """All measures' numbers."""
    found = answer_question(scope, MeasureQuestion(MEASURES, **question))  # type: ignore[arg-type]
    return [row for one in MEASURES for row in series_records(found[one.name])]


def on(scope: CaseTable, engine: Engine, table: str) -> CaseTable:
    """The same cases, asked by another engine."""
    return replace(scope, engine=engine, table=table)


def differences(ours: Sequence[dict[str, object]], theirs: Sequence[dict[str, object]]) -> list[object]:
    """Cells that are not equal, numbers to a relative 1e-9."""
    if len(ours) != len(theirs):
        return [(len(ours), len(theirs))]
    found: list[object] = []
    for one, other in zip(ours, theirs, strict=True):
        for column, value in one.items():
            mine = other[column]
            same = (
                math.isclose(value, mine, rel_tol=1e-9, abs_tol=1e-12)
                if isinstance(value, float) and isinstance(mine, float)
                else value == mine
            )
            if not same:
                found.append((one["measure"], one["segment"], one["period"], column, value, mine))
    return found


def postgres_folder() -> Path | None:
    """Where PostgreSQL's programs are: the newest that Debian installed, or the path's."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    if newest:
        return newest[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A throw-away PostgreSQL that listens on a socket alone; gives its address."""
    programs = postgres_folder()
    assert programs is not None
    data, user = folder / "data", "nobody" if os.geteuid() == 0 else None
    for path in (folder, data):
        path.mkdir(exist_ok=True)
        if user:
            shutil.chown(path, user)
    for parent in folder.parents[:2]:
        if user and parent.stat().st_uid == os.geteuid() and str(parent) != "/":
            parent.chmod(parent.stat().st_mode | 0o011)
    run = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL}
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "wellserved", "-A", "trust", "--locale=C.UTF-8", "--no-sync"],
        check=True,
        **run,
    )  # type: ignore[call-overload]
    settings = ["-c", "fsync=off", "-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
    server = subprocess.Popen([programs / "postgres", "-D", data, *settings], stderr=subprocess.DEVNULL, **run)  # type: ignore[call-overload]
    try:
        for _ in range(300):
            if (folder / ".s.PGSQL.5432").exists():
                break
            time.sleep(0.1)
        time.sleep(0.3)
        yield f"postgresql://wellserved@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # fast: whoever is still connected is cut off
        server.wait(30)

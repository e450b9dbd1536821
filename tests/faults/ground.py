"""What the faults are tried on: a small house, the commands, and what has to be true afterwards."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import random
import re
import shutil
import sqlite3
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from tests.faults import Outcome, Storage
from wellserved import cases
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace, open_workspace

PASSWORD = "correct horse battery"
MAPPING = """
name = "tickets"
case = "id"
zone = "UTC"
[columns]
team = "team"
[[moment]]
kind = "asked"
at = "opened"
required = true
[[moment]]
kind = "resolved"
at = "closed"
"""
ALL = os.environ.get("WELLSERVED_FAULTS") == "all"  # every call of every command, by every fault
SENTENCE = re.compile(
    r"disk is full|disk failed|is read-only|may not write|cannot be opened \(|larger than this system"
)


def rows(first: int, many: int, late: int = 0) -> list[tuple[str, ...]]:
    """Cases over three months; the first `late` of them are closed a day later."""
    made: list[tuple[str, ...]] = []
    for number in range(first, first + many):
        day = date(2026, 1 + number % 3, 1 + number % 20)
        closed = day + timedelta(days=1 + (number < late))
        made.append((str(number), f"{day} 09:00", f"{closed} 10:00", f"team {number % 4}"))
    return made


@dataclass(frozen=True)
class Trial:
    """A command, the home that it begins from, and what it leads to."""

    name: str
    argv: tuple[str, ...]
    template: str
    more: dict[str, Any]


class Ground:
    """Templates of a home, each with something left to do, and what the finished home holds."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.files = storage.folder / "files"
        self.files.mkdir()
        for name, lines in (("a", rows(0, 60)), ("b", rows(0, 100, late=12)), ("c", rows(100, 2))):
            with (self.files / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("id", "opened", "closed", "team"), *lines])
        (self.files / "m.toml").write_text(MAPPING, encoding="utf-8")
        made = create_workspace(storage.folder / "begun", "UTC")
        made.secret()
        storage.reset(made.folder)
        self._done(["user", "add", "kim"], typed=PASSWORD + "\n")
        self._done(self.reading("a"))
        self.keep("base")
        self._done(["share", "4"])
        for day in (-1, 0, 1):  # tonight's backup is there
            backup = storage.home / "backups" / f"{datetime.now(UTC).date() + timedelta(days=day)}.zip"
            backup.parent.mkdir(mode=0o700, exist_ok=True)
            backup.touch()
        self.keep("shared")
        storage.reset(self.template("base"))
        calls = storage.run(self.reading("b"), small=5).calls
        last = next(
            number
            for number, call in enumerate(calls, 1)
            if call.startswith(("rename", "link")) and "cases/_delta_log" in call
        )
        storage.reset(self.template("base"))
        assert storage.run(self.reading("b"), at=last, small=5).code == -9
        self.keep("unfolded")
        self.trials = (
            Trial("import", self.reading("b"), "base", {}),
            Trial("fold", ("measure", "asked"), "unfolded", {"small": 5}),
            Trial("share", ("worker", "--once"), "shared", {}),
            Trial("backup", ("backup", str(storage.copies / "x.zip")), "shared", {}),
        )

    def reading(self, name: str) -> tuple[str, ...]:
        """The command that imports a file."""
        return ("import", str(self.files / f"{name}.csv"), "--mapping", str(self.files / "m.toml"))

    def _done(self, argv: Sequence[str], **more: Any) -> Outcome:
        done = self.storage.run(argv, **more)
        assert done.code == 0, done.printed
        return done

    def keep(self, name: str) -> None:
        """Home as it is now, to begin from."""
        shutil.copytree(self.storage.home, self.template(name))

    def template(self, name: str) -> Path:
        """Where a template lies."""
        return self.storage.folder / f"template-{name}"

    def begin(self, trial: Trial) -> None:
        """Home as the trial begins from it."""
        self.storage.reset(self.template(trial.template))

    def attempt(self, trial: Trial, at: int = 0, error: int = 0, lasting: bool = False) -> Outcome:
        """The trial's command on home as it is."""
        return self.storage.run(trial.argv, at, error, lasting, **trial.more)

    @property
    def home(self) -> Workspace:
        """The home, opened."""
        return open_workspace(self.storage.home)

    def held(self) -> dict[str, Any]:
        """What the home and a backup hold: the same however they came to it."""
        found: dict[str, Any] = {"log": content(self.home.log, 'moment_id, kind, "at", case_id, content, team, correction'),
                 "cases": content(self.home.cases, ", ".join(cases.CASE_TYPES))}  # fmt: skip
        found["receipts"] = [(one.source, one.rows_read, one.moments, one.as_of) for one in log.receipts(self.home)]
        for database, table in (("store", "store_shared"), ("journal", "journal_entry")):
            found[table] = asked(self.storage.home / f"{database}.sqlite3", f"SELECT count(*) FROM {table}")
        found["waiting"] = asked(self.storage.home / "store.sqlite3", "SELECT count(*) FROM store_shared WHERE pending")
        for copy in self.storage.copies.glob("*.zip"):
            with zipfile.ZipFile(copy) as zipped:
                assert zipped.testzip() is None
                found[copy.name] = json.loads(zipped.read("manifest.json"))["digests"]
        return found

    def counted(self) -> dict[str, int]:
        """Cases of each source."""
        with duckdb.connect() as db:
            table = standing(db, self.home.cases)
            return dict(db.sql(f"SELECT source, count(*) FROM {table} GROUP BY source").fetchall())

    def litter(self) -> list[str]:
        """Files in the home that nothing will ever name or take away."""
        home = self.storage.home
        wanted = {str(file) for file in log.stored_files(self.home)[1]} | set(log.snapshot(self.home.cases).files)
        odd = []
        for file in (*home.rglob("*"), *self.storage.copies.rglob("*")):
            name = file.relative_to(self.storage.folder).as_posix()
            if file.is_dir() or str(file) in wanted or EXPECTED.fullmatch(name):
                continue
            odd.append(name)
        return odd


EXPECTED = re.compile(
    r"copies/x\.zip|home/(\.lock|\.keys\.lock|(log|cases)/_SHA256SUMS|keys/secret|workspace\.toml|worker\.json|backups/[\d-]+\.zip|imports/\w+/receipt\.json"
    r"|(store|journal)\.sqlite3(-wal|-shm)?|(log|cases)/_delta_log/\d{20}\.json|cases/asked_month=\d+/part-[\w-]+\.snappy\.parquet)"
)  # files of the cases that were replaced, or never named, go an hour later


def standing(db: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """SQL: the rows of a table that count."""
    now = log.snapshot(folder)
    db.register("struck", now.deleted_row_table())
    files = f"read_parquet({list(now.files)!r}, hive_partitioning = true, filename = true, file_row_number = true)"
    same = "s.file = t.filename AND s.row = t.file_row_number"
    return f"(SELECT * FROM {files} t WHERE NOT EXISTS (SELECT 1 FROM struck s WHERE {same}))"


def content(folder: Path, columns: str) -> str:
    """A hash of all rows that count in a table; a row that is there twice changes it."""
    with duckdb.connect() as db:
        found = db.sql(f"SELECT {columns} FROM {standing(db, folder)} ORDER BY ALL").fetchall()
    return hashlib.sha256(repr(found).encode()).hexdigest()


def asked(database: Path, sql: str) -> int:
    """A number out of a database, which has to be whole."""
    db = sqlite3.connect(database)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (number,) = db.execute(sql).fetchone()
    finally:
        db.close()
    return int(number)


def spread(calls: Sequence[str], many: int, chance: random.Random) -> list[int]:
    """Places among a command's calls (from 1): every kind of call to every kind of file before any of them twice; or all."""
    if ALL or len(calls) <= many:
        return list(range(1, len(calls) + 1))
    kinds: dict[str, list[int]] = {}
    for place, call in enumerate(calls, 1):
        kinds.setdefault(re.sub(r"[\da-f-]{8,}|\d+|part[\w-]+", "", call), []).append(place)
    drawn = [chance.choice(places) for places in kinds.values()]
    chance.shuffle(drawn)
    commits = [place for place in drawn if calls[place - 1].startswith(("rename", "link"))]
    chosen = dict.fromkeys([*commits, *drawn])
    while len(chosen) < many:
        chosen[chance.randint(1, len(calls))] = None
    return sorted(list(chosen)[:many])


ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO}

"""Databases, the secret and the settings, damaged in every way; and processes that start at once where nothing is yet."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from django.utils import timezone

from tests.forked import Commands
from tests.released.make import ROWS, TICKETS
from tests.web.conftest import House
from tests.web.test_api import key
from wellserved.actions import health
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Shared


@pytest.fixture(scope="module")
def sound(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with an import, a journal, an improvement and a backup."""
    folder = tmp_path_factory.mktemp("sound")
    home = folder / "home"
    (folder / "tickets.toml").write_text(TICKETS)
    (folder / "tickets.csv").write_text(ROWS)
    for words in (
        ("init", "--zone", "Europe/Berlin"),
        ("import", str(folder / "tickets.csv"), "--mapping", str(folder / "tickets.toml")),
        ("log", "note: written alone"),
        ("improve", "add", "callback", "--what", "x", "--measure", "time_to_resolution", "--since", "2026-11-09"),
        ("worker", "--once"),
    ):
        code, said = commands.said(home, *words)
        assert code == (1 if words[0] == "import" else 0), said
    assert len(list((home / "backups").glob("*.zip"))) == 1
    return home


def overwrite(file: Path, start: int, size: int) -> None:
    """Noise from a place on."""
    content = bytearray(file.read_bytes())
    content[start : start + size] = b"\xa5" * len(content[start : start + size])
    file.write_bytes(content)


def other_secret(home: Path) -> None:
    """As if it had been made anew."""
    (home / "keys" / "secret").write_text("0123456789abcdef" * 4)


def cut_line(home: Path) -> None:
    """A line of the record of improvements loses its end."""
    file = home / "improvements.jsonl"
    file.write_text(file.read_text()[:-30])


BACK = "wellserved restore"
KINDS: dict[str, tuple[Callable[[Path], object], tuple[str, ...], bool]] = {
    # what is done, what `check` says of it, whether the journal can be written to all the same
    "a store that is none": (lambda home: overwrite(home / "store.sqlite3", 0, 100), ("default database", BACK), False),
    "a journal that is none": (lambda home: overwrite(home / "journal.sqlite3", 0, 100), ("journal database", BACK), False),
    "a journal with damaged pages": (
        lambda home: overwrite(home / "journal.sqlite3", 4096, 1 << 20), ("journal database", BACK), False,
    ),
    "a cut store": (lambda home: os.truncate(home / "store.sqlite3", 40_000), ("default database", BACK), False),
    "an empty journal": (lambda home: os.truncate(home / "journal.sqlite3", 0), ("journal database is empty, and the other one is not", BACK), False),
    "a store that is gone": (lambda home: (home / "store.sqlite3").unlink(), ("default database is empty, and the other one is not", BACK), False),
    "garbled settings": (lambda home: (home / "workspace.toml").write_text("zone = "), ("workspace.toml is damaged",), False),
    "cut settings": (lambda home: (home / "workspace.toml").write_text("format = 1\n"), ("workspace.toml is damaged",), False),
    "a secret that is gone": (lambda home: (home / "keys/secret").unlink(), ("secret is gone", "files/keys/secret"), False),
    "an empty secret": (lambda home: (home / "keys/secret").write_text(""), ("empty or cut", "files/keys/secret"), False),
    "another secret": (other_secret, ("not the one by which journals here were sealed",), False),
    "a cut record of improvements": (cut_line, ("improvements.jsonl is damaged", "files/improvements.jsonl"), True),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_damage_is_named_and_met(kind: str, sound: Path, commands: Commands, tmp_path: Path) -> None:
    home = Path(shutil.copytree(sound, tmp_path / "home"))
    damage, expected, told = KINDS[kind]
    damage(home)
    for asked in ("check", "verify"):
        code, said = commands.said(home, asked)
        assert code == 1, said
        assert "All is well" not in said
        assert "Traceback" not in said
        assert not [words for words in expected if words not in said], said
    for words in (("log", "note: another"), *([] if told or kind == "another secret" else [("serve", "--no-worker")])):
        code, said = commands.said(home, *words)
        assert "Traceback" not in said
        assert "wellserved failed" not in said
        assert (code == 0) is told, said
        assert told or re.search("`wellserved verify`|restore|Write it again|files/keys/secret", said), said


def test_a_damaged_backup_is_seen_before_it_is_needed(sound: Path, commands: Commands, tmp_path: Path) -> None:
    home = Path(shutil.copytree(sound, tmp_path / "home"))
    (saved,) = (home / "backups").glob("*.zip")
    with zipfile.ZipFile(saved) as zipped:
        inner = zipped.getinfo("journal/journal.entry.jsonl")
        start = inner.header_offset + 30 + len(inner.filename) + inner.compress_size // 2 + 30
    overwrite(saved, start, 3)
    code, said = commands.said(home, "backup", str(tmp_path / "nowhere" / "b.zip"))
    assert code == 2
    assert "There is no folder" in said
    assert commands.run(home, "check") == (0, "All is well.\n", "")
    code, said = commands.said(home, "verify")
    assert code == 1
    assert f"{saved} is damaged" in said
    code, said = commands.said(tmp_path / "fresh", "restore", str(saved))
    assert code in (2, 3)
    assert "is damaged" in said
    assert "Traceback" not in said
    code, said = commands.said(tmp_path / "fresh", "user", "list")
    assert (code, said) == (0, "")  # nothing of it was kept


def test_check_makes_no_databases_where_nobody_needed_them(commands: Commands, tmp_path: Path) -> None:
    home = tmp_path / "home"
    commands.run(home, "init")
    assert commands.run(home, "check") == (0, "All is well.\n", "")
    assert commands.run(home, "verify")[0] == 0
    assert not list(home.glob("*.sqlite3"))


def test_files_that_others_can_read_are_named_with_the_way_to_close_them(
    sound: Path, commands: Commands, tmp_path: Path
) -> None:
    """What is made now is closed; what an earlier version made is said."""
    home = Path(shutil.copytree(sound, tmp_path / "home"))
    for name in ("", "log", "cases", "imports", "keys", "backups"):
        assert (sound / name).stat().st_mode & 0o777 == 0o700, name
    for name in ("store.sqlite3", "journal.sqlite3", "keys/secret"):
        assert (sound / name).stat().st_mode & 0o777 == 0o600, name
    (home / "log").chmod(0o755)
    (home / "store.sqlite3").chmod(0o644)
    code, said = commands.said(home, "check")
    assert code == 1
    assert "can read log, store.sqlite3" in said
    assert f"chmod 700 {home / 'log'}; chmod 600 {home / 'store.sqlite3'}" in said


@pytest.mark.django_db(databases=["default", "journal"])
def test_a_log_that_ends_before_what_was_shared_is_said(staff: House, place: Workspace) -> None:
    row = Shared(
        author=staff.kim, begun_by=staff.kim, word="asked", at=timezone.now(), log_version=1_000_000, pending=False
    )
    row.thread = row.id
    row.save()
    (one,) = [str(one) for one in health.check_databases(place, False, lambda *_: None) if "log" in one.problem]
    assert "and version 1000000 was written" in one


def test_the_pages_and_the_api_say_that_a_database_is_damaged(staff: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    client = key(staff.lead)
    for asked, path in (("access_middleware.find_sole_user", "/"), ("api.cached_answer", "/api/v1/measures/asked")):
        monkeypatch.setattr(f"wellserved.web.{asked}", broken)
        answer = client.get(path)
        assert answer.status_code == 503
        assert "database disk image is malformed" in answer.content.decode()
        assert "wellserved verify" in answer.content.decode()


@pytest.mark.parametrize("round_", range(int(os.environ.get("WELLSERVED_STARTS", "5"))))
def test_processes_that_start_at_once_where_nothing_is_do_not_collide(
    round_: int, commands: Commands, tmp_path: Path
) -> None:
    """Four at a time: one makes the databases, the others wait for them; every line is there, in one journal, by one secret."""
    home = tmp_path / "home"
    answers = commands.start(home, ("log", "note: first"), "", 4)
    assert [one.code for one in answers] == [0] * 4, answers
    assert all(one.out.startswith("Saved, for your eyes only.") for one in answers)
    for name, question, many in (
        ("journal", "journal_entry", 4),
        ("journal", "journal_keyring", 1),
        ("store", "store_person", 1),
    ):
        with closing(sqlite3.connect(home / f"{name}.sqlite3")) as db:
            assert db.execute(f"SELECT count(*) FROM {question}").fetchone() == (many,)


def test_a_sound_backup_with_an_improvement_in_it_is_called_sound(
    sound: Path, commands: Commands, tmp_path: Path
) -> None:
    """The record of improvements is a file of the workspace with the ending of a table; it is none."""
    home = tmp_path / "home"
    shutil.copytree(sound, home)
    (backup,) = (home / "backups").glob("*.zip")
    with zipfile.ZipFile(backup) as archive:
        assert "files/improvements.jsonl" in archive.namelist()
    code, said = commands.said(home, "verify")
    assert "damaged" not in said
    assert code == 0, said

"""A disk that is full or fails at one chosen call: a sentence, nothing acknowledged that is not there, and the same again works."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults import Outcome
from tests.faults.ground import ERRORS, SENTENCE, Ground, asked, spread

SEED = 20261130
POINTS = 4  # of each command and fault; with WELLSERVED_FAULTS=all every call
PAGE_POINTS = 16  # of the pages, few of whose calls are on the way of a line
ENTRIES = "SELECT count(*) FROM journal_entry"


def is_told(failed: Outcome, where: str) -> None:
    """One sentence says what is wrong, one what to do; nothing else is shown."""
    assert not failed.hung, where
    assert "Traceback" not in failed.printed, f"{where}: {failed.printed}"
    assert "wellserved failed" not in failed.printed, f"{where}: {failed.printed}"
    if failed.code:
        assert (failed.code, bool(SENTENCE.search(failed.printed))) == (3, True), f"{where}: {failed.printed}"


@pytest.mark.parametrize("fault", ["full", "broken"])
@pytest.mark.parametrize("place", range(4), ids=("import", "fold", "share", "backup"))
def test_a_failing_disk_is_said_and_the_same_command_succeeds_afterwards(
    ground: Ground, place: int, fault: str
) -> None:
    trial = ground.trials[place]
    ground.begin(trial)
    before, lying = ground.held(), set(ground.litter())
    whole = ground.attempt(trial)
    wanted = ground.held()
    failures = 0
    for at in spread(whole.calls, POINTS, random.Random(f"{SEED} {trial.name} {fault}")):
        where = f"{trial.name}, {fault} at {at} ({whole.calls[at - 1]})"
        ground.begin(trial)
        failed = ground.attempt(trial, at, ERRORS[fault], lasting=fault == "full")
        is_told(failed, where)
        failures += failed.code != 0
        if not failed.code:  # what failed was no part of it
            assert ground.held() == wanted, where
        if not whole.calls[at - 1].startswith(("unlink", "rmdir")):  # who cannot take away leaves it to the next
            assert set(ground.litter()) <= lying, where
        again = ground.attempt(trial)
        assert (again.code, ground.held()) == (0, wanted), f"{where}: {again.printed}"
        assert ground.litter() == [], where
    print(f"{trial.name}, {fault}: {failures} failures")
    assert failures
    assert before != wanted


@pytest.mark.parametrize("fault", ["full", "broken"])
def test_a_journal_says_saved_only_of_what_is_there_and_pages_say_why_not(ground: Ground, fault: str) -> None:
    journal = ground.storage.home / "journal.sqlite3"
    pages = ("browser", "+one", "+two", "/journal/")
    ground.storage.reset(ground.template("base"))
    whole = ground.storage.run(pages)
    assert [json.loads(line)[0] for line in whole.printed.splitlines()] == [302, 302, 302, 200]
    said = 0
    for at in spread(whole.calls, PAGE_POINTS, random.Random(f"{SEED} pages {fault}")):
        where = f"{fault} at {at} ({whole.calls[at - 1]})"
        ground.storage.reset(ground.template("base"))
        failed = ground.storage.run(pages, at, ERRORS[fault], lasting=fault == "full")
        assert not failed.hung, where
        assert "Traceback" not in failed.printed, f"{where}: {failed.printed}"
        answers = [json.loads(line) for line in failed.printed.splitlines() if line.startswith("[")]
        assert not [status for status, *_ in answers if status == 500], f"{where}: {failed.printed}"
        for status, _, words in answers:
            if status in (503, 507):
                said += 1
                assert SENTENCE.search(words), f"{where}: {words}"
        if answers and answers[0][0] == 302:  # who could log in was told of each entry
            saved = sum(status == 302 and "/journal/" in target for status, target, _ in answers[1:3])
            assert asked(journal, ENTRIES) >= saved, where
        else:
            assert not answers or asked(journal, ENTRIES) == 0, where
    assert said


@pytest.mark.parametrize("fault", ["full", "broken"])
def test_a_line_from_the_command_line_is_saved_or_it_is_said_why_not(ground: Ground, fault: str) -> None:
    journal = ground.storage.home / "journal.sqlite3"
    line = ("log", "note: a line", "--as", "kim")
    ground.storage.reset(ground.template("base"))
    whole = ground.storage.run(line)
    assert "Saved" in whole.printed, whole.printed
    for at in spread(whole.calls, POINTS, random.Random(f"{SEED} line {fault}")):
        where = f"{fault} at {at} ({whole.calls[at - 1]})"
        ground.storage.reset(ground.template("base"))
        failed = ground.storage.run(line, at, ERRORS[fault], lasting=fault == "full")
        is_told(failed, where)
        assert asked(journal, ENTRIES) >= ("Saved" in failed.printed), where
        assert ("Saved" in failed.printed) == (failed.code == 0), where
        again = ground.storage.run(line)
        assert again.code == 0, f"{where}: {again.printed}"


def closed(ground: Ground) -> int:
    """Home read-only for whoever runs the commands; returns who that is: root may write everywhere, so nobody does."""
    nobody = 65534 if os.geteuid() == 0 else os.geteuid()
    ground.storage.folder.chmod(0o755)
    for path in (*ground.storage.home.rglob("*"), ground.storage.home):
        if os.geteuid() == 0:
            os.chown(path, nobody, nobody)
        path.chmod(0o500 if path.is_dir() else 0o400)
    return nobody


def test_a_read_only_folder_is_said_by_whatever_writes_and_read_by_whatever_reads(ground: Ground) -> None:
    ground.storage.reset(ground.template("base"))
    before = ground.held()
    nobody = closed(ground)
    try:
        for command in (ground.reading("c"), ("log", "note: a line", "--as", "kim"), ("worker", "--once")):
            failed = ground.storage.run(command, user=nobody)
            assert failed.code == 3, f"{command}: {failed.printed}"
            is_told(failed, str(command))
        for command in (("measure", "asked"), ("report",), ("log", "--imports")):
            read = ground.storage.run(command, user=nobody)
            assert read.code == 0, f"{command}: {read.printed}"
            assert "Traceback" not in read.printed
    finally:
        for path in (ground.storage.home, *ground.storage.home.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert ground.held() == before
    assert ground.litter() == []
    assert ground.storage.run(ground.reading("c")).code == 0


@pytest.mark.parametrize("size", [2_000, 20_000])
def test_a_limit_of_the_system_stops_a_write_where_it_is_met(ground: Ground, size: int) -> None:
    """No call is intercepted here: the system itself refuses to let a file grow (RLIMIT_FSIZE)."""
    for trial in ground.trials:
        ground.begin(trial)
        lying = set(ground.litter())
        whole = ground.attempt(trial)
        assert whole.code == 0, whole.printed
        wanted = ground.held()
        ground.begin(trial)
        failed = ground.storage.run(trial.argv, limit=size, **trial.more)
        is_told(failed, f"{trial.name}, files of at most {size} bytes")
        assert failed.code or ground.held() == wanted
        assert set(ground.litter()) <= lying, trial.name
        again = ground.attempt(trial)
        assert (again.code, ground.held()) == (0, wanted), f"{trial.name}: {again.printed}"


def test_a_disk_that_is_really_full_is_said_and_read_and_written_again_once_there_is_room(ground: Ground) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk; the limit above is met by everybody")
    small = ground.storage.home
    ground.storage.reset(ground.template("base"))
    shutil.rmtree(small)
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", small], check=False)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here; the limit above is met all the same")
    try:
        shutil.copytree(ground.template("base"), small, dirs_exist_ok=True)
        ballast = small / "ballast"
        fill(ballast)
        for command in (ground.reading("c"), ("log", "note: a line", "--as", "kim")):
            failed = ground.storage.run(command)
            is_told(failed, str(command))
            assert failed.code == 3
            assert "disk is full" in failed.printed, failed.printed
        assert ground.storage.run(("measure", "asked")).code == 0
        ballast.unlink()
        assert ground.litter() == []
        for command in (ground.reading("c"), ("log", "note: a line", "--as", "kim")):
            assert ground.storage.run(command).code == 0
        assert asked(small / "journal.sqlite3", ENTRIES) == 1
        assert ground.counted() == {"tickets": 62}
    finally:
        subprocess.run(["umount", small], check=True)


def fill(ballast: Path) -> None:
    """Take all that is free."""
    with ballast.open("wb", buffering=0) as file:
        with pytest.raises(OSError, match="No space left"):
            file.writelines(itertools.repeat(bytes(4096)))
        assert os.statvfs(ballast).f_bavail == 0

"""A disk that is full or fails at one chosen call: a sentence, nothing acknowledged that is not there, and the same again works."""

from __future__ import annotations

import json
import random

import pytest

from tests.faults import Outcome
from tests.faults.ground import ERRORS, SENTENCE, Ground, asked, spread

SEED = 20261130
POINTS = 8  # of each command and fault; with WELLSERVED_FAULTS=all every call
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
    before = ground.held()
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
        assert not [name for name in ground.litter() if not name.endswith("-journal")], where
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
    for at in spread(whole.calls, 2 * POINTS, random.Random(f"{SEED} pages {fault}")):
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

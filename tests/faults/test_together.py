"""Eight imports at once, beside people who write and a report that is read: nothing lost, everybody comes to an end."""

from __future__ import annotations

import csv
import json

from tests.faults.ground import Ground, asked, rows
from wellserved.storage import log

IMPORTS, EACH, WRITERS, LINES, SHARED = 8, 40, 3, 5, 4


def test_eight_imports_beside_writers_a_worker_and_a_report_lose_nothing(ground: Ground) -> None:
    ground.storage.reset(ground.template("base"))
    for number in range(IMPORTS):
        with (ground.files / f"many{number}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("id", "opened", "closed", "team"), *rows(1_000 * (number + 1), EACH)])
    commands = [
        *(ground.reading(f"many{number}") for number in range(IMPORTS)),
        *(("browser", *(f"+line {number} {writer}" for number in range(LINES))) for writer in range(WRITERS)),
        ("share", str(SHARED)),
        ("report", "--source", "tickets"),
        ("worker", "--once"),
    ]
    ended = ground.storage.run_all(commands)
    for command, end in zip(commands, ended, strict=True):
        assert (end.code, end.hung) == (0, False), f"{command}: {end.printed}"
        assert "Traceback" not in end.printed, f"{command}: {end.printed}"
    for end in ended[IMPORTS : IMPORTS + WRITERS]:
        assert [json.loads(line)[0] for line in end.printed.splitlines()] == [302] * (LINES + 1)
    assert ground.storage.run(("worker", "--once")).code == 0  # what was shared after the first had looked
    assert ground.storage.run(("measure", "asked")).code == 0
    assert asked(ground.storage.home / "journal.sqlite3", "SELECT count(*) FROM journal_entry") == WRITERS * LINES
    assert asked(ground.storage.home / "store.sqlite3", "SELECT count(*) FROM store_shared WHERE pending") == 0
    assert sum(one.moments_new for one in log.receipts(ground.home)) == 2 * (60 + IMPORTS * EACH)
    assert ground.counted() == {"tickets": 60 + IMPORTS * EACH, "journal": SHARED}
    assert ground.litter() == []

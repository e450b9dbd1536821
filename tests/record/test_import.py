"""An import: rows that add up, twice the same, corrections, kills at any moment, reading meanwhile."""

from __future__ import annotations

import csv
import gzip
import hashlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import duckdb
import pytest

from tests.conftest import NOW, sample
from wellserved import cases
from wellserved.actions import questions
from wellserved.actions.imports import import_file
from wellserved.actions.open_cases import open_case_table
from wellserved.errors import MappingError
from wellserved.mapping import Mapping, parse_mapping
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.storage import log
from wellserved.storage.months import MonthlyTableWriter
from wellserved.storage.workspace import Workspace, create_workspace

TICKETS = parse_mapping(
    """
name = "tickets"
case = "id"
zone = "Europe/Berlin"

[columns]
team = "team"

[[moment]]
kind = "asked"
at = "opened"
required = true
text = "words"

[[moment]]
kind = "promised"
at = "opened"
due = "due"

[[moment]]
kind = "rated"
at = "closed"
score = "stars"
scale = "stars5"

[[moment]]
kind = "resolved"
at = "closed"
""",
    "tickets.toml",
)
HEADER = ("id", "opened", "due", "closed", "team", "stars", "words")
KILLS = int(os.environ.get("WELLSERVED_KILLS", "8"))


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def row(number: int, closed: str = "2024-03-05 10:00", team: str = "A", **other: str) -> tuple[str, ...]:
    values = {"due": "2024-03-08 12:00", "stars": "", "words": f"case {number}"} | other
    return (str(number), "2024-03-04 09:00", values["due"], closed, team, values["stars"], values["words"])


def rows_of(workspace: Workspace, folder: Path, columns: str, where: str = "true") -> list[tuple[object, ...]]:
    files = list(log.snapshot(folder).files)
    if not files:
        return []
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    return db.sql(f"SELECT {columns} FROM read_parquet({files}) WHERE {where} ORDER BY ALL").fetchall()


def digest(workspace: Workspace) -> str:
    """The log's content, whatever order its rows are stored in."""
    columns = 'moment_id, epoch_us("at"), kind, case_id, team, text, score, epoch_us(due), source_row'
    return hashlib.sha256(repr(rows_of(workspace, workspace.log, columns)).encode()).hexdigest()


def stored(workspace: Workspace) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(workspace.log.rglob("*")) if file.is_file()}


def test_the_same_file_twice_changes_no_byte_of_the_log(workspace: Workspace, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(number) for number in range(50)])
    first = import_file(workspace, file, TICKETS, now=NOW)
    before = stored(workspace)
    second = import_file(workspace, file, TICKETS, now=NOW + timedelta(days=1))
    assert first.receipt.moments_new == first.receipt.moments == 150
    assert (second.receipt.moments_new, second.receipt.moments_known) == (0, 150)
    assert stored(workspace) == before


@pytest.mark.parametrize("name", ["boston311_slice.csv.gz", "servicenow_slice.csv.gz", "cfpb_slice.csv.gz"])
def test_a_sample_twice_changes_no_byte_of_the_log(name: str, samples: Workspace, tmp_path: Path) -> None:
    own = create_workspace(tmp_path / "own", "America/New_York")
    first = import_file(own, sample(name), now=NOW)
    before = stored(own)
    second = import_file(own, sample(name), now=NOW)
    assert stored(own) == before
    assert second.receipt.moments_new == 0
    assert first.receipt.rows_read == first.receipt.rows_loaded + first.receipt.rows_refused


def test_a_later_export_adds_only_what_is_new(workspace: Workspace, tmp_path: Path) -> None:
    early = [row(1, closed=""), row(2)]
    late = [row(1, closed="2024-03-09 08:00"), row(2), row(3)]
    import_file(workspace, write(tmp_path / "early.csv", early), TICKETS, now=NOW)
    done = import_file(workspace, write(tmp_path / "late.csv", late), TICKETS, now=NOW + timedelta(days=1))
    assert done.receipt.moments_new == 1 + 3
    assert done.cases_folded == 2 or done.cases_folded == 3  # a small log is folded whole
    assert rows_of(workspace, workspace.cases, "case_id, closed") == [("1", 1), ("2", 1), ("3", 1)]
    again = import_file(workspace, tmp_path / "early.csv", TICKETS, now=NOW + timedelta(days=2))
    assert again.receipt.moments_new == 0
    assert rows_of(workspace, workspace.cases, "case_id, closed") == [("1", 1), ("2", 1), ("3", 1)]


def test_a_changed_fact_is_appended_as_a_correction_and_the_later_one_counts(
    workspace: Workspace, tmp_path: Path
) -> None:
    import_file(workspace, write(tmp_path / "a.csv", [row(1), row(2)]), TICKETS, now=NOW)
    moved = write(tmp_path / "b.csv", [row(1, due="2024-03-20 12:00"), row(2)])
    done = import_file(workspace, moved, TICKETS, now=NOW + timedelta(days=1))
    assert (done.receipt.moments_new, done.receipt.moments_corrected) == (1, 1)
    due = rows_of(workspace, workspace.cases, "case_id, due_s")
    assert due == [("1", 1710932400), ("2", 1709895600)]
    assert len(rows_of(workspace, workspace.log, "moment_id", "case_id = '1'")) == 4


def test_refused_rows_name_row_column_value_and_reason_and_can_be_mended(workspace: Workspace, tmp_path: Path) -> None:
    bad = [
        row(1),
        ("2", "soon", "", "", "A", "", "opened is no date"),
        ("", "2024-03-04 09:00", "", "", "A", "", "no number"),
        row(4, stars="9"),
        ("5", "", "", "", "A", "", "never opened"),
        ("6", "2024-03-04 09:00", "", "", "=cmd|' /C calc'!A0", "", "-2+3"),
        row(7, due="0001-01-01 00:00"),
    ]
    file = write(tmp_path / "a.csv", bad)
    with file.open("a", encoding="utf-8") as more:
        more.write("8,2024-03-04 09:00\n")
    done = import_file(workspace, file, TICKETS, now=NOW)
    assert (done.receipt.rows_read, done.receipt.rows_loaded, done.receipt.rows_refused) == (8, 4, 4)
    assert (done.receipt.moments_refused, done.receipt.notes) == (
        1,
        {"dates 0001-01-01 00:00 in 'due' stand for “no date” and were taken as missing": 1},
    )
    assert done.refusals is not None
    with done.refusals.open(encoding="utf-8", newline="") as refused:
        listed = list(csv.DictReader(refused))
    shown = [(one["wellserved_row"], one["wellserved_column"], one["wellserved_value"]) for one in listed]
    assert shown[:4] == [
        ("3", "opened", "soon"),
        ("4", "id", ""),
        ("5", "stars", "9"),
        ("6", "opened", ""),
    ]
    assert listed[4]["wellserved_value"] == "8,2024-03-04 09:00"
    assert listed[4]["wellserved_reason"] == "has 2 fields where the header has 7"
    mended = [
        one | {"opened": "2024-03-04 09:00", "id": one["id"] or "3", "stars": "", "due": ""} for one in listed[:4]
    ]
    with (tmp_path / "mended.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, listed[0].keys())
        writer.writeheader()
        writer.writerows(mended)
    again = import_file(workspace, tmp_path / "mended.csv", TICKETS, now=NOW)
    assert (again.receipt.rows_loaded, again.receipt.rows_refused) == (4, 0)
    assert [one[0] for one in rows_of(workspace, workspace.cases, "case_id")] == ["1", "2", "3", "4", "5", "6", "7"]
    assert ("6", "=cmd|' /C calc'!A0") in rows_of(workspace, workspace.cases, "case_id, team")


def test_impossible_facts_are_kept_and_flagged(workspace: Workspace, tmp_path: Path) -> None:
    rows = [row(1, closed="2024-03-04 08:00"), row(2, due="2024-03-01 12:00"), row(3, closed="2031-01-01 10:00")]
    done = import_file(workspace, write(tmp_path / "a.csv", rows), TICKETS, now=NOW)
    assert done.receipt.rows_loaded == 3
    assert done.receipt.notes["moments later than the import itself"] == 1
    assert rows_of(workspace, workspace.cases, "case_id, closed_first, due_first") == [
        ("1", 1, 0),
        ("2", 0, 1),
        ("3", 0, 0),
    ]
    (waits,) = questions.ask_measures(workspace, MeasureQuestion((find_measure("asked"),)))
    assert waits.as_of_local < NOW, "a year typed wrongly must not move the time up to which the record is known"


def test_clock_changes_are_noticed(workspace: Workspace, tmp_path: Path) -> None:
    rows = [
        ("1", "2024-03-31 02:30", "", "", "A", "", "this hour did not exist"),
        ("2", "2024-10-27 02:30", "", "", "A", "", "this hour came twice"),
        ("3", "2024-10-27 12:30", "", "", "A", "", ""),
    ]
    done = import_file(workspace, write(tmp_path / "a.csv", rows), TICKETS, now=NOW)
    assert done.receipt.notes["stamps that the clock change skipped"] == 1
    assert done.receipt.notes["stamps that the clock change repeated (read as standard time)"] == 1


def test_a_file_that_fits_no_mapping_says_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="wellserved inspect"):
        import_file(workspace, write(tmp_path / "a.csv", [row(1)]), now=NOW)


def test_a_column_that_cannot_decide_its_dates_is_refused_and_a_mapping_decides(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "berlin", "Europe/Berlin")
    rows = [(str(n), f"0{n}/0{n + 1}/2024", "", "", "A", "", "") for n in range(1, 6)]
    file = write(tmp_path / "a.csv", rows)
    with pytest.raises(MappingError, match="day-first and month-first") as refused:
        import_file(workspace, file, TICKETS, now=NOW)
    assert '[dates] "opened" = "day-first"' in refused.value.remedy
    decided = Mapping(**{**TICKETS.__dict__, "dates": {"opened": "day-first"}})
    assert import_file(workspace, file, decided, now=NOW).receipt.rows_loaded == 5
    assert rows_of(workspace, workspace.cases, "asked_month") == [(202402,), (202403,), (202404,), (202405,), (202406,)]


def test_only_the_months_of_changed_cases_are_rewritten(workspace: Workspace, tmp_path: Path) -> None:
    def of(number: int, closed: str = "") -> tuple[str, ...]:
        return (str(number), f"2024-{number % 12 + 1:02d}-04 09:00", "", closed, "A", "", "")

    import_file(workspace, write(tmp_path / "a.csv", [of(n) for n in range(120)]), TICKETS, now=NOW)
    before = set(log.snapshot(workspace.cases).files)
    later = [of(n, "2024-12-30 10:00" if n == 5 else "") for n in range(120)]
    done = import_file(workspace, write(tmp_path / "b.csv", later), TICKETS, now=NOW)
    after = set(log.snapshot(workspace.cases).files)
    assert done.cases_folded == 1
    assert len(before - after) == 1, "one month of twelve is replaced"
    full = create_workspace(tmp_path / "full", "UTC")
    import_file(full, tmp_path / "b.csv", TICKETS, now=NOW)
    columns = ", ".join(cases.CASE_TYPES)
    assert rows_of(workspace, workspace.cases, columns) == rows_of(full, full.cases, columns)


def test_months_that_are_written_lot_by_lot_are_one_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New moments, known ones and corrections in lots of a few rows are what they are at once; a lot may add nothing."""

    def of(number: int, due: str = "") -> tuple[str, ...]:
        return (str(number), f"2024-{number % 12 + 1:02d}-04 09:00", due, "2024-12-20 10:00", f"T{number}", "", "")

    early = write(tmp_path / "a.csv", [of(number) for number in range(40)])
    late = write(tmp_path / "b.csv", [of(n, "2025-01-09" if n % 12 in (0, 7) else "") for n in range(43)])
    results = []
    for lot_rows in (10**6, 5):
        monkeypatch.setattr(log, "LOT_ROWS", lot_rows)
        workspace = create_workspace(tmp_path / str(lot_rows), "UTC")
        receipts = [import_file(workspace, file, TICKETS, now=NOW).receipt for file in (early, late)]
        counts = [(receipt.moments_new, receipt.moments_known, receipt.log_version) for receipt in receipts]
        assert [entry["moments"] for entry in log.history(workspace)] == [counts[1][0], counts[0][0]]
        assert not (workspace.log / "_staged").exists()
        results.append((counts, digest(workspace), rows_of(workspace, workspace.cases, ", ".join(cases.CASE_TYPES))))
    assert results[0] == results[1]
    assert results[0][0] == [(80, 0, 0), (7 + 6, 80, 1)]


@pytest.mark.parametrize("left", [b"", b'{"add": {"path": "month=202403/x.parquet"}}\n', b'{"commitInfo": {'])
def test_what_a_loss_of_power_left_beside_the_log_is_taken_away(
    workspace: Workspace, tmp_path: Path, left: bytes
) -> None:
    import_file(workspace, write(tmp_path / "a.csv", [row(1)]), TICKETS, now=NOW)
    entries = workspace.log / "_staged" / "1" / "_delta_log"
    entries.mkdir(parents=True)
    (entries / f"{0:020d}.json").write_bytes(left)
    result = import_file(workspace, write(tmp_path / "b.csv", [row(2)]), TICKETS, now=NOW)
    assert (result.receipt.moments_new, result.receipt.log_version) == (3, 1)
    assert not (workspace.log / "_staged").exists()


def test_an_older_version_can_still_be_read(workspace: Workspace, tmp_path: Path) -> None:
    import_file(workspace, write(tmp_path / "a.csv", [row(1)]), TICKETS, now=NOW)
    import_file(workspace, write(tmp_path / "b.csv", [row(2)]), TICKETS, now=NOW)
    old, new = log.snapshot(workspace.log, 0), log.snapshot(workspace.log)
    assert (old.version, new.version) == (0, 1)
    assert set(old.files) < set(new.files)
    assert [one["version"] for one in log.history(workspace)] == [1, 0]


PROCESSES = multiprocessing.get_context("forkserver")  # each a process of its own, forked from one that is loaded
PROCESSES.set_forkserver_preload(["tests.record.test_import"])


def _import(home: Path, file: Path, ready: Event) -> None:
    ready.set()
    log.LOT_ROWS = 1500  # of the six months, two at a time are written
    import_file(create_workspace(home, "UTC"), file, TICKETS, now=NOW)


def start(home: Path, file: Path) -> BaseProcess:
    """An import in a process of its own, which has begun."""
    ready = PROCESSES.Event()
    started = PROCESSES.Process(target=_import, args=(home, file, ready))
    started.start()
    assert ready.wait(60)
    return started


def test_killed_at_any_moment_and_run_again_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    rows = [row(number, team=f"team {number % 7}", words="words " * 20) for number in range(4000)]
    months = [f"2024-{number % 6 + 1:02d}" for number in range(4000)]
    file = write(
        tmp_path / "a.csv",
        [[cell.replace("2024-03", month) for cell in cells] for cells, month in zip(rows, months, strict=True)],
    )
    whole = create_workspace(tmp_path / "whole", "UTC")
    first = start(whole.folder, file)
    began = time.monotonic()  # it is ready: what follows is the import
    first.join()
    assert first.exitcode == 0
    lasts = time.monotonic() - began
    wanted, folded = digest(whole), rows_of(whole, whole.cases, ", ".join(cases.CASE_TYPES))
    chance, killed = random.Random(20261121), 0
    for attempt in range(KILLS):
        home = tmp_path / f"home{attempt}"
        running = start(home, file)
        time.sleep(chance.uniform(0, lasts))
        running.kill()
        running.join()
        killed += running.exitcode == -signal.SIGKILL
        again = create_workspace(home, "UTC")
        done = import_file(again, file, TICKETS, now=NOW)
        assert done.receipt.rows_loaded == 4000
        assert digest(again) == wanted, f"attempt {attempt}"
        assert rows_of(again, again.cases, ", ".join(cases.CASE_TYPES)) == folded, f"attempt {attempt}"
        assert not (again.folder / "tmp").exists()
    assert killed >= KILLS // 4


def test_readers_see_whole_versions_while_an_import_runs(tmp_path: Path) -> None:
    made = create_workspace(tmp_path / "home", "UTC")
    import_file(made, write(tmp_path / "a.csv", [row(n) for n in range(10)]), TICKETS, now=NOW)
    running = start(made.folder, write(tmp_path / "b.csv", [row(n) for n in range(10, 3000)]))
    seen = set()
    while running.is_alive():
        files = list(log.snapshot(made.log).files)
        seen.add(duckdb.execute(f"SELECT count(*) FROM read_parquet({files})").fetchall()[0][0])
    assert running.exitcode == 0
    seen.add(len(rows_of(made, made.log, "1")))
    assert seen <= {30, 30 + 2990 * 3}
    assert max(seen) == 30 + 2990 * 3


def test_gzip_and_plain_give_the_same_moments(tmp_path: Path) -> None:
    plain = tmp_path / "a.csv"
    plain.write_bytes(gzip.decompress(sample("servicenow_slice.csv.gz").read_bytes()))
    one, two = create_workspace(tmp_path / "one", "UTC"), create_workspace(tmp_path / "two", "UTC")
    import_file(one, plain, now=NOW)
    import_file(two, sample("servicenow_slice.csv.gz"), now=NOW)
    assert digest(one) == digest(two)


def test_cases_of_an_older_version_with_other_columns_are_made_anew(tmp_path: Path) -> None:
    made = create_workspace(tmp_path / "home", "UTC")
    file = write(tmp_path / "a.csv", [row(n) for n in range(1, 30)])
    import_file(made, file, TICKETS, now=NOW)
    wanted = rows_of(made, made.cases, ", ".join(cases.CASE_TYPES))
    with duckdb.connect() as db:
        files = list(log.snapshot(made.cases).files)
        fewer = ", ".join(name for name in cases.CASE_TYPES if name not in ("promised", "stations"))
        old = db.sql(f"SELECT {fewer}, 1 AS gone_since FROM read_parquet({files!r}, hive_partitioning = true)")
        noted = {"log_version": "0", "zone": "UTC", "fold": "1", "hours": "none"}
        with MonthlyTableWriter(made.cases, "asked_month") as months:
            months.add(old.to_arrow_table())
            months.commit(noted)
    with open_case_table(made) as scope:
        assert scope.engine.query("SELECT count(*) AS n FROM cases")["n"].to_pylist() == [29]
    assert rows_of(made, made.cases, ", ".join(cases.CASE_TYPES)) == wanted


def test_an_import_s_number_rests_on_what_the_mapping_says_not_on_the_code_s_names(tmp_path: Path) -> None:
    """A class or field that gets another name must not make the file of yesterday another one."""
    path = tmp_path / "x.csv"
    path.write_text("id,opened\n1,2026-01-05 10:00\n", encoding="utf-8")
    mapping = parse_mapping(
        'name = "x"\ncase = "id"\n[[moment]]\nkind = "asked"\nat = "opened"\nwhen = { column = "id", is = ["1"] }\n',
        "x",
    )
    workspace = create_workspace(tmp_path / "home", "UTC")
    assert import_file(workspace, path, mapping).receipt.import_id == "e93b381cf5d1"

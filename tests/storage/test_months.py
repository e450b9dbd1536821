"""A table kept by months: rows in any order, seen whole or not at all."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder

from wellserved.engine import duckdb as engine
from wellserved.storage import delta, log, months
from wellserved.storage.months import MonthlyTableWriter

Row = tuple[int, str, str | None, int | None]


def table(rows: list[Row]) -> pa.Table:
    """Rows of month, number, team and seconds."""
    month, number, team, seconds = ([row[place] for row in rows] for place in range(4))
    return pa.table({
        "asked_month": pa.array(month, pa.int32()),
        "case_id": pa.array(number, pa.string()),
        "team": pa.array(team, pa.string()).dictionary_encode(),
        "reply_secs": pa.array(seconds, pa.int64()),
    })  # fmt: skip


def some(draw: random.Random, many: int) -> list[Row]:
    """Rows of a few months; each lot with teams of its own."""
    lot = draw.randrange(10**9)
    return [
        (
            draw.choice((202401, 202402, 202507)),
            f"{lot}-{place}",
            draw.choice((None, f"team {draw.randrange(200)} of {lot}")),
            draw.choice((None, draw.randrange(-(10**12), 10**12))),
        )
        for place in range(many)
    ]


def kept(folder: Path) -> list[Row]:
    """What the latest version holds."""
    listed = list(log.snapshot(folder).files)
    with duckdb.connect() as db:
        columns = "asked_month, case_id, team, reply_secs"
        return db.sql(f"SELECT {columns} FROM read_parquet({listed!r}, hive_partitioning = true)").fetchall()


def write(folder: Path, lots: list[list[Row]], replaced: list[int] | None = None) -> None:
    """One version, in place of the files of these months."""
    gone = None if replaced is None else log.files_of_months(log.snapshot(folder).files, replaced)
    with MonthlyTableWriter(folder, "asked_month") as made:
        for lot in lots:
            made.add(table(lot))
        made.commit({"log_version": "7"}, gone)


def strike(folder: Path, out: dict[str, list[int]], lot: Sequence[Row] = ()) -> None:
    """One version more: these rows of files no longer count, others come."""
    with MonthlyTableWriter(folder, "asked_month") as made:
        made.add(table(list(lot)))
        made.commit({"log_version": "8"}, [], {file: np.array(rows, np.int64) for file, rows in out.items()})


def as_delta_tells(folder: Path) -> dict[str, list[int]]:
    """The rows that are struck out of each file, as the Delta library reads them."""
    told = pa.table(DeltaTable(folder.as_uri()).deletion_vectors())
    pairs = zip(told["filepath"].to_pylist(), told["selection_vector"].to_pylist(), strict=True)
    return {file: [place for place, counts in enumerate(kept) if not counts] for file, kept in pairs}


def counted(folder: Path) -> list[str]:
    """What counts, as another program reads the table."""
    asked = QueryBuilder().register("t", DeltaTable(folder.as_uri())).execute("SELECT case_id FROM t ORDER BY 1")
    numbers: list[str] = pa.table(asked.read_all())["case_id"].to_pylist()
    return numbers


def here(folder: Path) -> list[str]:
    """What counts, as questions read it."""
    now = log.snapshot(folder)
    with duckdb.connect() as db:
        columns = {"asked_month": "INTEGER", "case_id": "VARCHAR"}
        engine.create_view(db, "t", now.files, columns, now.deleted_row_table())
        return [row[0] for row in db.sql("SELECT case_id FROM t ORDER BY 1").fetchall()]


@pytest.mark.parametrize("group", [10, 300, 100_000])
def test_what_was_added_is_kept_whatever_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    monkeypatch.setattr(months, "ROW_GROUP_SIZE", group)
    monkeypatch.setattr(months, "MAX_PENDING_ROWS", 4 * group)
    draw = random.Random(group)
    lots = [some(draw, draw.choice((0, 1, 50, 700))) for _ in range(9)]
    write(tmp_path, lots)
    wanted = sorted((row for lot in lots for row in lot), key=str)
    assert sorted(kept(tmp_path), key=str) == wanted
    assert log.snapshot(tmp_path).facts["log_version"] == "7"
    delta = pa.table(DeltaTable(tmp_path.as_uri()).get_add_actions(flatten=True))
    assert sum(delta["num_records"].to_pylist()) == len(wanted)


def test_months_are_replaced_and_the_others_stay(tmp_path: Path) -> None:
    draw = random.Random(1)
    first, second = some(draw, 200), [row for row in some(draw, 200) if row[0] == 202402]
    write(tmp_path, [first])
    before = log.snapshot(tmp_path)
    write(tmp_path, [second], [202402, 202411])  # one of them has no rows yet
    assert sorted(kept(tmp_path), key=str) == sorted(second + [row for row in first if row[0] != 202402], key=str)
    assert set(log.files_of_months(before.files, [202401])) <= set(log.snapshot(tmp_path).files)
    write(tmp_path, [], [])  # nothing is replaced: the version is noted
    assert len(kept(tmp_path)) == len(second) + sum(row[0] != 202402 for row in first)
    write(tmp_path, [], [202401])
    assert {row[0] for row in kept(tmp_path)} == {202402, 202507}


def test_rows_are_struck_out_as_the_delta_protocol_has_it(tmp_path: Path) -> None:
    """Few rows and most of a file, twice from one file, in a file of more rows than a bitmap of 16 bits; then all anew."""
    draw = random.Random(3)
    rows: list[Row] = [(202401 + place % 2, f"{place:07}", None, place) for place in range(300_000)]
    write(tmp_path, [rows])
    assert DeltaTable(tmp_path.as_uri()).protocol().min_reader_version == 1  # readers need to know nothing new yet
    first, second = log.snapshot(tmp_path).files
    few = sorted(draw.sample(range(150_000), 40))
    strike(tmp_path, {first: few}, [(202401, "new", "team", 1)])
    many = sorted(draw.sample(range(150_000), 90_000))
    strike(tmp_path, {second: many})
    more = sorted({*few, *draw.sample(range(150_000), 70_000), 0, 149_999, 65_535, 65_536})
    strike(tmp_path, {first: more})
    table = DeltaTable(tmp_path.as_uri())
    assert "deletionVectors" in (table.protocol().reader_features or [])
    assert table.metadata().configuration == {"delta.enableDeletionVectors": "true"}
    assert table.schema().to_json() == DeltaTable(tmp_path.as_uri(), version=0).schema().to_json()
    told = [json.loads(line) for line in (tmp_path / "_delta_log" / f"{3:020d}.json").read_text().splitlines()]
    assert [next(iter(action)) for action in told] == ["commitInfo", "remove", "add"]  # what it may, it said before
    removed, added = told[1]["remove"]["deletionVector"], told[2]["add"]["deletionVector"]
    assert (removed["cardinality"], added["cardinality"]) == (40, len(more))
    wanted = {first: more, second: many}
    now = log.snapshot(tmp_path)
    assert {file: rows.tolist() for file, rows in now.deleted_rows.items()} == wanted
    assert as_delta_tells(tmp_path) == {Path(file).as_uri().replace("%3D", "="): rows for file, rows in wanted.items()}
    left = {row[1] for row in rows} - {f"{2 * place:07}" for place in more} - {f"{2 * place + 1:07}" for place in many}
    assert here(tmp_path) == counted(tmp_path) == sorted({*left, "new"})
    assert log.snapshot(tmp_path, 1).deleted_rows[first].tolist() == few  # an earlier version is what it was
    write(tmp_path, [rows[:10]])
    assert log.snapshot(tmp_path).deleted_rows == {}
    assert here(tmp_path) == counted(tmp_path) == [row[1] for row in rows[:10]]
    strike(tmp_path, {log.snapshot(tmp_path).files[0]: [0]})
    assert here(tmp_path) == counted(tmp_path) == [row[1] for row in rows[1:10]]
    assert DeltaTable(tmp_path.as_uri()).metadata().configuration == {"delta.enableDeletionVectors": "true"}


def test_what_is_struck_out_outlives_checkpoints_and_goes_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "_CHECKPOINT_INTERVAL", 3)
    rows: list[Row] = [(202401 + place % 2, f"{place:03}", None, place) for place in range(100)]
    write(tmp_path, [rows])
    first, second = log.snapshot(tmp_path).files
    for place in range(10):
        strike(tmp_path, {first: list(range(place + 1)), second: [7]}, [(202401, f"n{place}", None, place)])
    checkpoints = sorted((tmp_path / "_delta_log").glob("*.checkpoint.parquet"))
    assert [int(file.name[:20]) for file in checkpoints] == [3, 6, 9]
    assert not list((tmp_path / "_delta_log").glob("*.tmp"))
    wanted = sorted(
        [row[1] for row in rows if row[1] not in [f"{2 * n:03}" for n in range(10)] + ["015"]]
        + [f"n{n}" for n in range(10)]
    )
    assert here(tmp_path) == counted(tmp_path) == wanted
    write(tmp_path, [[(202401, "instead", None, 1)]], [202401])
    assert set(log.snapshot(tmp_path).deleted_rows) == {second}
    assert (
        here(tmp_path)
        == counted(tmp_path)
        == sorted(["instead", *(row[1] for row in rows if row[0] == 202402 and row[1] != "015")])
    )


def test_without_a_commit_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(months, "ROW_GROUP_SIZE", 10)
    write(tmp_path, [some(random.Random(1), 100)])
    before = sorted(tmp_path.rglob("*.parquet"))
    with MonthlyTableWriter(tmp_path, "asked_month") as made:
        for seed in (2, 3):  # what is added first is written before the second
            made.add(table(some(random.Random(seed), 100)))
        assert len(list(tmp_path.rglob("*.parquet"))) > len(before)
    assert sorted(tmp_path.rglob("*.parquet")) == before


def test_only_words_that_are_said_are_kept(tmp_path: Path) -> None:
    """A lot's dictionary may be long; a month keeps its own words alone."""
    rows: list[Row] = [(202401 + place % 2, str(place), f"team {place}", place) for place in range(500)]
    write(tmp_path, [rows])
    for file in log.snapshot(tmp_path).files:
        column = pq.ParquetFile(file, read_dictionary=["team"]).read(["team"])["team"].combine_chunks()
        assert len(column.chunk(0).dictionary if isinstance(column, pa.ChunkedArray) else column.dictionary) == 250


def test_replaced_files_stay_for_their_readers_and_then_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what a killed writer left, but never what the latest version holds."""

    def write(n: int) -> None:
        with MonthlyTableWriter(tmp_path, "month") as kept:
            kept.add(pa.table({"month": pa.array([202401, 202402][:n], pa.int32()), "n": pa.array([n] * n)}))
            kept.commit({}, log.files_of_months(log.snapshot(tmp_path).files, [202401, 202402][:n]))

    def on_disk() -> set[str]:
        return {str(file) for file in tmp_path.glob("month=*/*.parquet")}

    write(2)
    old = on_disk()
    long_ago = time.time() - 10 * months.FILE_GRACE_SECONDS
    for file in old:
        os.utime(file, (long_ago, long_ago))
    left = tmp_path / "month=202401" / "part-left.parquet"
    left.write_bytes(b"cut short")
    os.utime(left, (long_ago, long_ago))
    write(1)
    assert str(left) not in on_disk()
    assert len(on_disk()) == 3
    assert old < on_disk(), "the replaced one is as old as its replacement"
    monkeypatch.setattr(months, "FILE_GRACE_SECONDS", -1)
    write(1)
    assert on_disk() == {*log.snapshot(tmp_path).files, *log.snapshot(tmp_path, 1).files}
    assert len(on_disk()) == 3, "the version before stays, whatever the clock says"

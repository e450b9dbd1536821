"""Ways of keeping changed cases, for the trial of month files (bench/month_files.py).

In each the product's writer writes the columns (storage/months), digests are taken, and files are on disk before the
commit; what differs is which rows are written again, and how they are read. The entries of all but today's are the
library's: files that come and go, reader version 1.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.transaction import RemoveAction, create_table_with_add_actions

from wellserved import cases, disk
from wellserved.cases.fold import CASE_TYPES, TEXT_COLUMNS
from wellserved.engine import duckdb as engine
from wellserved.storage import delta, digests, log
from wellserved.storage.months import MonthlyTableWriter

Ints = npt.NDArray[np.int64]
SLOT, SLOTS = "slot_month", 1_000  # a month's number and, behind it, that of one of its files
COLUMNS = ", ".join(f"{SLOT} // {SLOTS} AS asked_month" if name == "asked_month" else name for name in CASE_TYPES)


class SlotWriter(MonthlyTableWriter):
    """The product's writer, a file after the other; the version's entry is the library's."""

    def write(self, slot: int, tables: Sequence[pa.Table]) -> None:
        """Write one file."""
        self.add(tables[-1].slice(0, 0).append_column(SLOT, pa.array([], pa.int64())))  # says the columns
        self._write_month(slot, list(tables))
        self._writers[slot][1].close()  # thousands cannot be open at a time

    def commit_files(self, removed: Sequence[str]) -> None:
        """Make these files the next version, without the removed ones."""
        folder, uri = self._folder, delta.table_uri(self._folder)
        added = [self._add_action(slot, path) for slot, (path, _) in self._writers.items()]
        files = [folder / action.path for action in added]
        digests.record_digests(folder, files, prune=True)
        disk.sync_to_disk(*files, *{file.parent for file in files}, folder)
        if not DeltaTable.is_deltatable(uri):
            schema = Schema.from_arrow(self._schema or pa.schema([]))
            create_table_with_add_actions(uri, schema, added, partition_by=[SLOT])
        else:
            table, now = DeltaTable(uri), int(time.time() * 1000)
            gone = [RemoveAction(self._table_path(file), True, now) for file in removed]
            table.create_write_transaction([*added, *gone], "append", table.schema(), partition_by=[SLOT])
        self._next_version = DeltaTable(uri).version()


class Whole:
    """So many files a month, written again whole."""

    def __init__(self, parts: int) -> None:
        self.parts, self.views = parts, [f"whole {parts}"]  # ways of reading it

    def _slots(self, rows: pa.Table, months: Ints) -> Ints:
        part = f"CAST(hash(case_id) % {self.parts} AS BIGINT) AS part"
        parts = duckdb.from_arrow(rows.select(["case_id"])).project(part).to_arrow_table()["part"].to_numpy()
        slots: Ints = months.astype(np.int64) * SLOTS + parts
        return slots

    def build(self, folder: Path, files: Sequence[str]) -> None:
        """Keep the cases of these files, one a month."""
        with SlotWriter(folder, SLOT) as writer:
            for file in files:
                rows = read(file)
                for slot, some in by_slot(rows, self._slots(rows, np.full(len(rows), log.month_of(file)))):
                    writer.write(slot, [some])
            writer.commit_files(())

    def refresh(self, folder: Path, rows: pa.Table) -> None:
        """Take these in place of the cases of the same names."""
        found = rows_by_file(places(folder, log.snapshot(folder).files, rows))
        slots = self._slots(rows, rows["asked_month"].to_numpy())
        fresh = dict(by_slot(rows.drop_columns(["asked_month"]), slots))
        with SlotWriter(folder, SLOT) as writer:
            for file, positions in found.items():
                writer.write(log.month_of(file), [read(file, positions), fresh[log.month_of(file)]])
            writer.commit_files(list(found))

    def name_cases(self, db: duckdb.DuckDBPyConnection, stored: log.Snapshot, view: str) -> None:
        """Name the cases of a version `cases`, read in one of the ways."""
        db.execute(f"CREATE TEMP VIEW cases AS SELECT {COLUMNS} FROM {engine.parquet_rows_sql(stored.files)}")


class Vectors(Whole):
    """Today's."""

    def __init__(self) -> None:
        self.views = ["vectors"]

    def build(self, folder: Path, files: Sequence[str]) -> None:
        """Those of the product."""
        shutil.copytree(Path(files[0]).parent.parent, folder, copy_function=os.link)

    def refresh(self, folder: Path, rows: pa.Table) -> None:
        """As the product does it."""
        stored = log.snapshot(folder)
        facts = {name: stored.facts[name] for name in cases.FACT_NAMES}
        found = rows_by_file(places(folder, stored.files, rows))
        with MonthlyTableWriter(folder, "asked_month") as writer:
            writer.add(rows)
            cases._replace_rows(writer, stored, found, set(rows["asked_month"].unique().to_pylist()), facts)

    def name_cases(self, db: duckdb.DuckDBPyConnection, stored: log.Snapshot, view: str) -> None:
        """As the product does it."""
        engine.create_view(db, "cases", stored.files, CASE_TYPES, stored.deleted_row_table())


class Merged(Whole):
    """A file of changed cases a month, which notes the row that each had in the month's own file."""

    def __init__(self) -> None:
        self.parts, self.views = 1, ["changes, by case", "changes, by row"]

    def refresh(self, folder: Path, rows: pa.Table) -> None:
        """Write the changed cases of each month again, or all where they are many."""
        files = {log.month_of(file): file for file in log.snapshot(folder).files}
        found, removed = places(folder, list(files.values()), rows), []
        is_own = np.array([log.month_of(file) % SLOTS == 0 for file in found["file"].to_pylist()])
        own_rows = np.full(len(rows), -1)
        own_rows[found["index"].to_numpy()[is_own]] = found["row"].to_numpy()[is_own]
        positions, months = rows_by_file(found), rows["asked_month"].to_numpy().astype(np.int64)
        rows = rows.drop_columns(["asked_month"]).append_column("own_row", pa.array(own_rows))
        with SlotWriter(folder, SLOT) as writer:
            for slot, fresh in by_slot(rows, months * SLOTS):
                own, before, tables = files[slot], files.get(slot + 1), [fresh]
                if before:
                    tables = [read(before, positions.get(before, delta.NO_ROWS)), fresh]
                    removed.append(before)
                if sum(map(len, tables)) <= cases.MAX_DELETED_SHARE * pq.read_metadata(own).num_rows:
                    writer.write(slot + 1, tables)
                    continue
                replaced = np.concatenate([table["own_row"].to_numpy() for table in tables])
                writer.write(slot, [read(own, replaced), *(table.drop_columns(["own_row"]) for table in tables)])
                removed.append(own)
            writer.commit_files(removed)

    def name_cases(self, db: duckdb.DuckDBPyConnection, stored: log.Snapshot, view: str) -> None:
        """The changed cases, and the others."""
        changed = [file for file in stored.files if log.month_of(file) % SLOTS]
        months = {log.month_of(file) - 1 for file in changed}
        as_they_are = engine.parquet_rows_sql([file for file in stored.files if log.month_of(file) not in months])
        if not months:
            return super().name_cases(db, stored, view)
        noted = f"SELECT {SLOT} - 1 AS {SLOT}, own_row AS file_row_number, source, case_id"
        db.execute(f"CREATE TEMP TABLE changed AS {noted} FROM {engine.parquet_rows_sql(changed)}")
        own = engine.parquet_rows_sql(log.files_of_months(stored.files, months), with_positions=True)
        key = "source, case_id" if view.endswith("case") else f"{SLOT}, file_row_number"
        rest = f"SELECT {COLUMNS} FROM {own} ANTI JOIN changed USING ({key})"
        db.execute(f"CREATE TEMP VIEW cases AS {rest} UNION ALL SELECT {COLUMNS} FROM {as_they_are}")
        return None


def places(folder: Path, files: Sequence[str], rows: pa.Table) -> pa.Table:
    """File and row where these cases stand, and when they began, as `cases._plan_refresh` asks; `index`: theirs in `rows`."""
    keys = pa.table({"source": rows["source"].cast(pa.string()), "case_id": rows["case_id"]})
    stored = engine.parquet_rows_sql(files, with_positions=True)
    sql = f"SELECT filename AS file, file_row_number AS row, index, first_s FROM {stored} JOIN changed USING (source, case_id)"
    with engine.connect(folder) as db:
        engine.materialise(db, "changed", keys.append_column("index", pa.array(np.arange(len(rows)))))
        return engine.query(db, sql)


def rows_by_file(found: pa.Table) -> dict[str, Ints]:
    """The rows of each file."""
    grouped = found.group_by("file").aggregate([("row", "list")])
    return dict(zip(grouped["file"].to_pylist(), (rows.values.to_numpy() for rows in grouped["row_list"]), strict=True))


def read(file: str, without: Ints = delta.NO_ROWS) -> pa.Table:
    """The rows of a file but for some."""
    rows = pq.ParquetFile(file, read_dictionary=TEXT_COLUMNS).read()
    return rows.take(pa.array(np.delete(np.arange(len(rows)), without))) if len(without) else rows


def by_slot(rows: pa.Table, slots: Ints) -> Iterator[tuple[int, pa.Table]]:
    """Rows by the file they belong in."""
    order = np.argsort(slots, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(slots[order]) > 0]).tolist()
    rows = rows.take(pa.array(order))
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield int(slots[order[start]]), rows.slice(start, end - start)

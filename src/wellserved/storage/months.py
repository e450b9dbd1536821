"""A table on disk, a folder of Parquet files a month; each version is seen whole or not at all (Delta Lake)."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import Schema
from deltalake.transaction import AddAction

from wellserved.storage import delta, digests

ROW_GROUP_SIZE = 120_000  # rows of a month that are written, and read, together
MAX_PENDING_ROWS = 2 * ROW_GROUP_SIZE  # rows of all months that wait for more of theirs; half a kilobyte of memory each
FILE_GRACE_SECONDS = 3600  # seconds for which replaced files stay, for whoever reads an earlier version
_SMALL_DICTIONARY = 64  # words that a dictionary may have for nothing
# How columns are kept was chosen by the time of writing and of questions together (docs/benchmarks.md).
# Names that are all different: a dictionary costs more time than it saves space.
_WITHOUT_DICTIONARY = ("case_id", "customer_id")
# Numbers that questions group and count by:
_GROUP_COLUMNS = ("resolved_month", "due_month", "promise_fate", "closed", "state")
_TIME_SUFFIXES = ("_s", "_secs", "_bus")  # differences are small: packed so, they need no compression
# By these, files are passed over unread:
_STATISTICS_COLUMNS = ("case_id", "asked_s", "asked_day", "resolved_day", "due_day")


class MonthlyTableWriter:
    """A version that is being written: rows come in any order, and are seen once they are committed.

    `column`: the month, yyyymm, that parts the table. What is left without a commit is taken away.
    """

    def __init__(self, folder: Path, column: str) -> None:
        self._folder, self._column = folder, column
        self._pending_tables: dict[int, list[pa.Table]] = {}
        self._writers: dict[int, tuple[str, pq.ParquetWriter]] = {}
        self._row_counts: dict[int, int] = {}
        self._schema: pa.Schema | None = None
        self._pool = ThreadPoolExecutor(2)
        self._running_writes: list[Future[None]] = []
        self._next_version: int | None = None  # that is to be

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if self._next_version is not None and delta.is_committed(self._folder, self._next_version):
            return  # somebody may see it, whatever failed afterwards
        for path, writer in self._writers.values():
            with suppress(OSError, pa.ArrowException):  # unfinished, on a full disk, it goes all the same
                writer.close()
            (self._folder / path).unlink(missing_ok=True)

    def add(self, rows: pa.Table) -> None:
        """Write rows, or hold them back until there are enough of their month."""
        self._schema = pa.schema(
            field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
            for field in rows.schema
        )
        if not len(rows):
            return
        months = rows[self._column].to_numpy()
        if (months[1:] < months[:-1]).any():
            order = np.argsort(months, kind="stable")
            months, rows = months[order], rows.take(pa.array(order))
        rows = rows.drop_columns([self._column])
        starts = np.flatnonzero(np.r_[True, months[1:] != months[:-1]]).tolist()
        batch_months = {int(months[start]) for start in starts}
        for start, end in zip(starts, [*starts[1:], len(months)], strict=True):
            self._pending_tables.setdefault(int(months[start]), []).append(rows.slice(start, end - start))
        self._start_writes(self._ready_months())
        for month in batch_months & self._pending_tables.keys():  # a copy, so that the other rows can be forgotten
            tables = self._pending_tables[month]
            tables[-1] = tables[-1].take(pa.array(np.arange(len(tables[-1]))))

    def _ready_months(self) -> list[int]:
        """The months to be written now: those that have enough rows, and the fullest ones where too many rows are held back."""
        fullest = sorted((sum(map(len, tables)), month) for month, tables in self._pending_tables.items())
        excess = sum(row_count for row_count, _ in fullest) - MAX_PENDING_ROWS
        ready = []
        while fullest and (fullest[-1][0] >= ROW_GROUP_SIZE or excess > 0):
            row_count, month = fullest.pop()
            excess -= row_count
            ready.append(month)
        return ready

    def _start_writes(self, months: Iterable[int]) -> None:
        """Write these months beside whatever comes next, once the ones before are written."""
        self._await_writes()
        self._running_writes = [
            self._pool.submit(self._write_month, month, self._pending_tables.pop(month)) for month in months
        ]

    def _await_writes(self) -> None:
        for future in self._running_writes:
            future.result()

    def _write_month(self, month: int, tables: list[pa.Table]) -> None:
        rows = pa.concat_tables(tables).unify_dictionaries()
        rows = pa.table({name: _drop_unused_words(combine_chunks(rows[name])) for name in rows.column_names})
        if month not in self._writers:
            self._open_writer(month, rows.schema)
        self._writers[month][1].write_table(rows, ROW_GROUP_SIZE)
        self._row_counts[month] = self._row_counts.get(month, 0) + len(rows)

    def _open_writer(self, month: int, schema: pa.Schema) -> None:
        path = f"{self._column}={month}/part-{uuid.uuid4()}.snappy.parquet"
        (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
        text_columns = [
            field.name for field in schema if pa.types.is_dictionary(field.type) or pa.types.is_string(field.type)
        ]
        time_columns = [
            field.name for field in schema if field.name.endswith(_TIME_SUFFIXES) and pa.types.is_int64(field.type)
        ]
        writer = pq.ParquetWriter(
            self._folder / path,
            schema,
            compression={name: "none" if name in time_columns else "snappy" for name in schema.names},
            use_dictionary=[
                name
                for name in (*text_columns, *_GROUP_COLUMNS)
                if name in schema.names and name not in _WITHOUT_DICTIONARY
            ],
            column_encoding=dict.fromkeys(time_columns, "DELTA_BINARY_PACKED"),
            write_statistics=[name for name in schema.names if name in _STATISTICS_COLUMNS],
            write_batch_size=1 << 16,
            write_page_checksum=True,  # so that `verify` sees a flipped bit
            store_schema=False,  # dictionaries are how it is written, not what it holds
        )
        self._writers[month] = path, writer

    def commit(
        self,
        facts: Mapping[str, str],
        removed_files: Iterable[str] | None = None,
        deleted_rows: Mapping[str, delta.RowIndices] | None = None,
    ) -> None:
        """Make it the table's next version; whoever calls is its only writer.

        `removed_files`: those whose rows it takes the place of; without it, all. `deleted_rows`: of other files, all that no
        longer count.
        """
        self._start_writes(list(self._pending_tables))
        self._await_writes()
        for _, writer in self._writers.values():
            writer.close()
        add_actions = [self._add_action(month, path) for month, (path, _) in self._writers.items()]
        digests.record_digests(self._folder, (self._folder / path for path, _ in self._writers.values()), prune=True)
        previous = delta.open_table(self._folder)
        removed_paths = set(previous.files) if removed_files is None else set(map(self._table_path, removed_files))
        self._touch_files(removed_paths)
        rows = {self._table_path(file): rows for file, rows in (deleted_rows or {}).items()}
        is_rewrite = removed_files is None or previous.table is None
        schema = Schema.from_arrow(self._schema or pa.schema([])) if is_rewrite else None
        self._next_version = previous.version + 1
        delta.commit(previous, delta.VersionChange(add_actions, removed_paths, rows, schema, self._column), facts)
        self._delete_expired_files({*previous.files, *(path for path, _ in self._writers.values())})

    def _table_path(self, file: str) -> str:
        """A file's path in the table."""
        return Path(file).relative_to(self._folder.absolute()).as_posix()

    def _touch_files(self, files: Iterable[str]) -> None:
        """Files are dated before they may be replaced: whoever reads them has an hour from now on."""
        for path in files:
            with suppress(OSError):  # another's file
                os.utime(self._folder / path)

    def _delete_expired_files(self, referenced_paths: set[str]) -> None:
        """Take away what neither this version nor the one before holds, an hour after it last did."""
        for file in self._folder.glob(f"{self._column}=*/*.parquet"):
            with suppress(OSError):  # held open by whoever reads it: then the next time
                if (
                    file.relative_to(self._folder).as_posix() not in referenced_paths
                    and time.time() - file.stat().st_mtime > FILE_GRACE_SECONDS
                ):
                    file.unlink()

    def _add_action(self, month: int, path: str) -> AddAction:
        size = (self._folder / path).stat().st_size
        stats = json.dumps({"numRecords": self._row_counts[month]})
        return AddAction(path, size, {self._column: str(month)}, int(time.time() * 1000), True, stats)


def combine_chunks(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    array = column.combine_chunks()
    return array.chunk(0) if isinstance(array, pa.ChunkedArray) else array


def _drop_unused_words(array: pa.Array) -> pa.Array:
    """A column without words of its dictionary that no row has."""
    if not isinstance(array, pa.DictionaryArray) or len(array.dictionary) < _SMALL_DICTIONARY:
        return array
    is_used = np.zeros(len(array.dictionary), dtype=np.bool_)
    is_used[array.indices.drop_null().to_numpy()] = True
    if is_used.all():
        return array
    new_indices = pa.array((np.cumsum(is_used) - 1).astype(np.int32))
    return pa.DictionaryArray.from_arrays(new_indices.take(array.indices), array.dictionary.filter(pa.array(is_used)))

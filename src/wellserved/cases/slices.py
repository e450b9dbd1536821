"""The moments of the log as the fold takes them: slices of whole cases, each of bounded size.

The log lies in the order of time, and most cases are over soon. So its files are read once, in that order: a case is
folded as soon as its last moment was read, and only the moments of cases that go on are kept for the next slice. Where
those are too many for the memory, the cases are parted by their numbers, and each part is read by itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wellserved.cases.fold import FOLD_INPUT_COLUMNS
from wellserved.cases.ordered import Bools, Ints
from wellserved.engine.duckdb import quote_name
from wellserved.moments import MOMENT_COLUMNS
from wellserved.storage import log

SLICE_MOMENTS = 250_000  # moments read for a slice, which takes a kilobyte of memory each; more are no faster
MAX_MOMENTS_HELD = 1_000_000  # moments of cases that go on, and of a part of a table; a third of a kilobyte each
_SAMPLE_STEP = 64  # one moment in so many tells how many are kept at a time
_DICTIONARY_COLUMNS: Final = [
    column.name for column in MOMENT_COLUMNS if column.type == "VARCHAR" and column.name not in log.COLUMN_ENCODINGS
]
_KEY_COLUMNS = ("source", "case_id")
_ARROW_TYPES = {
    "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(), "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
    "VARCHAR": pa.string(),
}  # fmt: skip
_SCHEMA = pa.schema(
    (
        column.name,
        pa.dictionary(pa.int32(), pa.string()) if column.name in _DICTIONARY_COLUMNS else _ARROW_TYPES[column.type],
    )
    for column in MOMENT_COLUMNS
    if column.name in FOLD_INPUT_COLUMNS
)


@dataclass(frozen=True)
class _RowGroup:
    """Rows of a file that are read together."""

    file: str
    metadata: pq.FileMetaData
    index: int
    rows: int
    superseded_rows: Ints  # those that no longer count

    def read(self, columns: Sequence[str]) -> pa.Table:
        """These columns of the moments that count, as far as the file has them."""
        rows = self._read_columns(columns)
        if not len(self.superseded_rows):
            return rows
        is_current = np.ones(self.rows, dtype=np.bool_)
        is_current[self.superseded_rows] = False
        return rows.filter(pa.array(is_current))

    def _read_columns(self, columns: Sequence[str]) -> pa.Table:
        parquet_file = pq.ParquetFile(
            self.file, metadata=self.metadata, read_dictionary=_DICTIONARY_COLUMNS, memory_map=True
        )
        column_names = [column_name for column_name in columns if column_name in parquet_file.schema_arrow.names]
        constant_columns = {
            column_name: constant
            for column_name in column_names
            if (constant := self._constant_column(column_name, parquet_file.schema_arrow.field(column_name).type))
            is not None
        }
        rows = parquet_file.read_row_group(
            self.index, [column_name for column_name in column_names if column_name not in constant_columns]
        )
        for column_name, column in constant_columns.items():
            rows = rows.append_column(column_name, column)
        return rows

    def may_hold(self, case_ids: Sequence[str]) -> bool:
        """Whether some of these cases' numbers, in order, lie between the least and the greatest of the rows."""
        statistics = self._statistics("case_id")
        if statistics is None or not statistics.has_min_max:
            return True
        return bisect_left(case_ids, statistics.min) < bisect_right(case_ids, statistics.max)

    def _statistics(self, name: str) -> Any:
        """What the file tells of a column's values."""
        return self.metadata.row_group(self.index).column(self.metadata.schema.names.index(name)).statistics

    def _constant_column(self, name: str, kind: pa.DataType) -> pa.Array | None:
        """A column that says one thing or nothing throughout, without reading it; None: it has to be read."""
        statistics = self._statistics(name)
        if statistics is None or not statistics.has_null_count:
            return None
        if statistics.null_count == self.rows:
            return pa.nulls(self.rows, kind)
        if (
            statistics.null_count
            or not statistics.has_min_max
            or statistics.min != statistics.max
            or pa.types.is_floating(kind)
        ):
            return None  # of floating numbers the ends do not tell whether one is no number
        value = pa.array([statistics.min], kind.value_type if pa.types.is_dictionary(kind) else kind)
        indices = pa.array(np.zeros(self.rows, dtype=np.int32))
        return pa.DictionaryArray.from_arrays(indices, value) if pa.types.is_dictionary(kind) else value.take(indices)


def slices_of_files(db: duckdb.DuckDBPyConnection, files: Sequence[str]) -> Iterator[tuple[float, pa.Table, Bools]]:
    """All moments in these files of the log: the share of them that has been read, moments, and which of them are to be folded now."""
    groups = _row_groups(db, files)
    ends = _LastGroups(db, groups)
    for partition in range(ends.partition_count):
        pending = [_SCHEMA.empty_table().append_column("box", pa.array([], pa.uint32()))]
        new_count = 0
        for index, group in enumerate(groups):
            rows = group.read(FOLD_INPUT_COLUMNS).append_column("box", pa.array(ends.hash_boxes[index]))
            if ends.partition_count > 1:
                rows = rows.filter(pa.array(ends.hash_boxes[index] % ends.partition_count == partition))
            pending.append(rows)
            new_count += len(rows)
            if new_count >= SLICE_MOMENTS or index == len(groups) - 1:
                moments = pa.concat_tables(pending, promote_options="default")
                is_complete = ends.last_group[moments["box"].to_numpy()] <= index
                yield (partition + (index + 1) / len(groups)) / ends.partition_count, moments, is_complete
                pending = [moments.filter(pa.array(~is_complete)).combine_chunks()]
                new_count = 0
                del moments


class _LastGroups:
    """In which group of rows each case ends.

    It is known for boxes of cases: one that shares its box with another is but kept longer than it needs. Four bytes of
    memory a moment.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, groups: Sequence[_RowGroup]) -> None:
        bits = min((2 * sum(group.rows for group in groups)).bit_length(), 27)
        self.hash_boxes = [_hash_boxes(db, group.read(["case_id"]), bits) for group in groups]
        self.last_group = np.zeros(1 << bits, dtype=np.uint16 if len(groups) < 1 << 16 else np.uint32)
        for index, boxes in enumerate(self.hash_boxes):
            self.last_group[boxes] = index
        # How many are kept after each group: those from it or an earlier one whose case ends in a later one.
        samples = [boxes[::_SAMPLE_STEP] for boxes in self.hash_boxes]
        start_counts = np.array([len(boxes) for boxes in samples])
        end_counts = (
            np.bincount(self.last_group[np.concatenate(samples)], minlength=len(groups)) if samples else start_counts
        )
        peak_count = int(np.cumsum(start_counts - end_counts).max(initial=0)) * _SAMPLE_STEP
        self.partition_count = peak_count // MAX_MOMENTS_HELD + 1


def _hash_boxes(db: duckdb.DuckDBPyConnection, rows: pa.Table, bits: int) -> npt.NDArray[np.uint32]:
    """A number of each row that is the same for all rows of a case, and of few others."""
    db.register("rows_in_boxes", rows)
    hashes = db.sql(f"SELECT CAST(hash(case_id) >> {64 - bits} AS UINTEGER) AS box FROM rows_in_boxes").to_arrow_table()
    db.unregister("rows_in_boxes")
    boxes: npt.NDArray[np.uint32] = hashes["box"].to_numpy()
    return boxes


def moments_of_cases(db: duckdb.DuckDBPyConnection, files: Sequence[str], cases: pa.Table) -> pa.Table:
    """The moments of some cases in these files; `cases`: their source and case_id."""
    case_ids = sorted(cases["case_id"].to_pylist())

    def find_moments(group: _RowGroup) -> pa.Table:
        if not group.may_hold(case_ids):
            return _SCHEMA.empty_table()
        keys = group.read(_KEY_COLUMNS)
        positions = positions_of_cases(keys, cases)
        if not len(positions):  # as in most where few cases are wanted
            return _SCHEMA.empty_table()
        rows = group.read([column for column in FOLD_INPUT_COLUMNS if column not in _KEY_COLUMNS])
        for column_name in _KEY_COLUMNS:
            rows = rows.append_column(column_name, keys[column_name])
        return rows.take(positions)

    groups = sorted(_row_groups(db, files), key=lambda group: -group.rows)  # so that both threads end at about one time
    with ThreadPoolExecutor(2) as pool:
        return pa.concat_tables([_SCHEMA.empty_table(), *pool.map(find_moments, groups)], promote_options="default")


def positions_of_cases(rows: pa.Table, cases: pa.Table) -> pa.Array:
    """The positions (from 0) of the rows of the wanted cases; their numbers are asked first, which few rows have."""
    if len(rows) < len(cases):  # the smaller side is what is looked up
        cases = cases.filter(pc.is_in(cases["case_id"], value_set=rows["case_id"]))
    positions = pc.indices_nonzero(pc.is_in(rows["case_id"], value_set=cases["case_id"]))
    candidates = rows.take(positions)
    case_id, source = candidates["case_id"], candidates["source"].cast(pa.string())
    is_match: Bools = np.zeros(len(candidates), dtype=np.bool_)
    for source_name in cases["source"].unique():
        case_ids = cases.filter(pc.equal(cases["source"], source_name))["case_id"]
        is_match |= pc.and_(pc.equal(source, source_name), pc.is_in(case_id, value_set=case_ids)).to_numpy()
    return positions.filter(pa.array(is_match))


def slices_of_table(db: duckdb.DuckDBPyConnection, table: str) -> Iterator[pa.Table]:
    """All moments of a temporary table with the columns of the log that the fold reads."""
    (count,) = db.sql(f"SELECT count(*) FROM {table}").fetchall()[0]
    part_count = count // MAX_MOMENTS_HELD + 1
    columns = ", ".join(map(quote_name, FOLD_INPUT_COLUMNS))
    for part_index in range(part_count):
        yield db.sql(
            f"SELECT {columns} FROM {table} WHERE hash(case_id) % {part_count} = {part_index}"
        ).to_arrow_table()


def _row_groups(db: duckdb.DuckDBPyConnection, files: Sequence[str]) -> list[_RowGroup]:
    groups = []
    superseded_rows = log.superseded_rows(db, files).sort_by([("file", "ascending"), ("row", "ascending")])
    file_names, rows = superseded_rows["file"].to_numpy(), superseded_rows["row"].to_numpy()
    for file in files:
        metadata = pq.read_metadata(file)
        file_rows = rows[np.searchsorted(file_names, file) : np.searchsorted(file_names, file, side="right")]
        start = 0
        for index in range(metadata.num_row_groups):
            end = start + metadata.row_group(index).num_rows
            group_rows = file_rows[(file_rows >= start) & (file_rows < end)] - start
            groups.append(_RowGroup(file, metadata, index, end - start, group_rows))
            start = end
    return groups

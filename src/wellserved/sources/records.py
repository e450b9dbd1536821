"""Rows of any reader, kept as text in Parquet files of the scratch folder: memory stays bounded, nothing is read twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.record import ROW_NUMBER
from wellserved.sources.dialect import unique_names
from wellserved.sources.table import BrokenRow, RawTable, drop_repeated_headers, rows_by_number

BATCH_ROWS = 20_000
BATCH_CHARACTERS = 32 << 20
FIELD_OVERHEAD = 32  # bytes that a field takes in memory, even an empty one
MAX_COLUMNS = 2000
MAX_BROKEN_ROWS = 100_000  # a file with more is none of what it says it is


@dataclass(frozen=True)
class RecordFile:
    """A file whose rows were read into Parquet files."""

    name: str
    shape: str
    sha256: str
    header: tuple[str, ...]
    parts: tuple[Path, ...]
    row_count: int  # rows that could be read
    broken_rows: tuple[BrokenRow, ...]
    part: str = ""  # which sheet or list of the file, and whose mailbox, where the same content reads in several ways
    encoding: str = ""
    mended_lines: int = 0
    has_header: bool = False  # it stands in the file as a row, and so may stand there again
    notes: dict[str, int] = field(default_factory=dict)

    def _rows_sql(self, columns: Sequence[str]) -> str:
        files = ", ".join(quote_text(str(part)) for part in self.parts)
        names = ", ".join(quote_name(column) for column in (ROW_NUMBER, *columns))
        return f"SELECT {names} FROM read_parquet([{files}], union_by_name = true, hive_partitioning = false)"

    def stage(self, db: duckdb.DuckDBPyConnection, columns: Sequence[str], on_progress: ProgressCallback) -> RawTable:
        """Name the rows `raw`; a cell that a record does not have is NULL."""
        db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS {self._rows_sql(columns)}")
        rows_read = self.row_count + len(self.broken_rows)
        raw = RawTable(self, rows_read, self.broken_rows, columns=tuple(columns))
        return drop_repeated_headers(db, raw, ",") if self.has_header else raw

    def whole_rows(self, numbers: Sequence[int]) -> dict[int, list[str]]:
        """Rows with all their cells."""
        return rows_by_number(self.parts[0].parent, self._rows_sql(self.header), numbers)


class RecordWriter:
    """Takes rows as they are read, in any order of columns, and writes them batch by batch."""

    def __init__(self, folder: Path, name: str, columns: Sequence[str] = ()) -> None:
        self._folder, self._name = folder, name
        self._columns = {column: column for column in columns}  # name in the file -> unique name
        self._batch: list[tuple[int, Mapping[str, str | None]]] = []
        self._characters = 0
        self._parts: list[Path] = []
        self._broken_rows: list[BrokenRow] = []
        self._row_count = 0

    @property
    def next_number(self) -> int:
        """The number of the next row, where rows have none of their own."""
        return self._row_count + len(self._batch) + len(self._broken_rows) + 1

    def add(self, number: int, cells: Mapping[str, str | None]) -> None:
        """One row: its number, and its cells by their names in the file."""
        self._batch.append((number, cells))
        self._characters += sum(len(cell or "") + FIELD_OVERHEAD for cell in cells.values())
        if len(self._batch) >= BATCH_ROWS or self._characters > BATCH_CHARACTERS:
            self._write_batch()

    def refuse(self, broken_row: BrokenRow) -> None:
        """A row that cannot be read. Raises SourceError where there is hardly anything else."""
        self._broken_rows.append(broken_row)
        if len(self._broken_rows) > MAX_BROKEN_ROWS:
            raise SourceError(
                f"{self._name}: more than {MAX_BROKEN_ROWS} rows cannot be read, the first of them {self._broken_rows[0].row}: it {self._broken_rows[0].reason}.",
                "Check what the file is, and export it again.",
            )

    def _write_batch(self) -> None:
        names = dict.fromkeys(name for _, cells in self._batch for name in cells)
        new_names = [name for name in names if name not in self._columns]
        if new_names:
            known_names = list(self._columns.values())
            plain_names = [name.encode("utf-8", "replace").decode() for name in new_names]
            unique = unique_names([*known_names, *plain_names])[len(known_names) :]
            self._columns |= dict(zip(new_names, unique, strict=True))
        if len(self._columns) > MAX_COLUMNS:
            raise SourceError(
                f"{self._name} has more than {MAX_COLUMNS} different fields.",
                "Its names seem to be numbers or ids: write one record a ticket, each with the same fields.",
            )
        table = {ROW_NUMBER: pa.array([number for number, _ in self._batch], pa.int64())}
        for name in names:
            table[self._columns[name]] = _text_array([cells.get(name) for _, cells in self._batch])
        part = self._folder / f"rows-{len(self._parts):05d}.parquet"
        pq.write_table(pa.table(table), part, compression="lz4")
        self._parts.append(part)
        self._row_count += len(self._batch)
        self._batch, self._characters = [], 0

    def finish(self, shape: str, sha256: str, **facts: object) -> RecordFile:
        """The file as it was read. Raises SourceError where it holds no row."""
        if self._batch:
            self._write_batch()
        if not self._row_count:
            reason = f" The first that cannot be read: {self._broken_rows[0].reason}." if self._broken_rows else ""
            raise SourceError(f"{self._name} holds no rows ({shape}).{reason}", "Check the file, and export it again.")
        header = tuple(self._columns.values())
        first_part = pa.table({column: pa.array([], pa.string()) for column in header})
        # a part with every column, so that a column without any row still exists
        pq.write_table(
            first_part.add_column(0, ROW_NUMBER, [pa.array([], pa.int64())]), self._folder / "columns.parquet"
        )
        parts = (self._folder / "columns.parquet", *self._parts)
        return RecordFile(
            self._name,
            shape,
            sha256,
            header,
            parts,
            self._row_count,
            tuple(self._broken_rows),
            **facts,  # type: ignore[arg-type]
        )


def _text_array(cells: list[str | None]) -> pa.Array:
    """Cells as a column; half a character (a lone surrogate, which JSON can write) becomes a question mark."""
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:
        return pa.array([cell and cell.encode("utf-8", "replace").decode() for cell in cells], pa.string())

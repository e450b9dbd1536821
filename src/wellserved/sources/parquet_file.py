"""Parquet: a table that is typed already; its cells are read as the text that the record takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.record import ROW_NUMBER
from wellserved.sources.table import RawTable, rows_by_number


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file: no rewriting, the engine reads it as it lies."""

    name: str
    path: Path
    sha256: str
    row_count: int
    cells: dict[str, str]  # column -> SQL of its cells as text
    shape: str = "Parquet"
    part: str = ""
    encoding: str = ""
    mended_lines: int = 0
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def header(self) -> tuple[str, ...]:
        """The columns; fields of structures by their paths."""
        return tuple(self.cells)

    def _rows_sql(self, columns: Sequence[str]) -> str:
        cells = ", ".join(f"{self.cells[column]} AS {quote_name(column)}" for column in columns)
        return (
            f"SELECT row_number() OVER () AS {ROW_NUMBER}{', ' if cells else ''}{cells} "
            f"FROM read_parquet({quote_text(str(self.path))}, hive_partitioning = false)"
        )

    def stage(self, db: duckdb.DuckDBPyConnection, columns: Sequence[str], on_progress: ProgressCallback) -> RawTable:
        """Name the rows `raw`."""
        db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS {self._rows_sql(columns)}")
        return RawTable(self, self.row_count, (), columns=tuple(columns))

    def whole_rows(self, numbers: Sequence[int]) -> dict[int, list[str]]:
        """Rows with all their cells."""
        return rows_by_number(self.path, self._rows_sql(self.header), numbers)


def open_parquet(path: Path, name: str) -> ParquetFile:
    """Look at the columns of a Parquet file. Raises SourceError where it is damaged or holds no rows."""
    try:
        file = pq.ParquetFile(path)
        schema, row_count = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name} begins like Parquet and cannot be read: {error}.", "Write it again.") from error
    if not row_count:
        raise SourceError(f"{name} holds no rows.", "Check the file, and export it again.")
    cells = dict(cell for column in schema for cell in _cells(column, column.name, quote_name(column.name)))
    if len({column.casefold() for column in cells}) < len(cells):
        raise SourceError(
            f"{name} has columns whose names differ in capitals alone.", "Rename them, and write it again."
        )
    with path.open("rb") as stream:
        return ParquetFile(name, path, hashlib.file_digest(stream, "sha256").hexdigest(), row_count, cells)


def _cells(column: pa.Field, name: str, sql: str) -> Iterator[tuple[str, str]]:
    """(name, SQL of the cell as text) of a column, or of each field of a structure."""
    kind = column.type
    if pa.types.is_struct(kind):
        for inner in kind:
            yield from _cells(inner, f"{name}.{inner.name}", f"{sql}[{quote_text(inner.name)}]")
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        plain = not pa.types.is_nested(kind.value_type)
        yield name, f"array_to_string({sql}, '; ')" if plain else f"CAST(to_json({sql}) AS VARCHAR)"
    elif pa.types.is_floating(kind):  # ids of tickets, where some are missing
        whole = f"{sql} = floor({sql}) AND abs({sql}) < 9007199254740992"
        yield name, f"CASE WHEN {whole} THEN CAST(CAST({sql} AS BIGINT) AS VARCHAR) ELSE CAST({sql} AS VARCHAR) END"
    elif pa.types.is_timestamp(kind) and kind.tz:
        yield name, f"strftime({sql}, '%Y-%m-%dT%H:%M:%S.%fZ')"  # the engine's clock is UTC
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        yield name, f"coalesce(try(decode({sql})), '')"
    else:
        yield name, f"CAST({sql} AS VARCHAR)"

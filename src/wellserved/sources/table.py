"""A file of any format as a table of text: what every reader gives, and what the record takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import duckdb

from wellserved.engine.duckdb import connect, quote_name, quote_text
from wellserved.progress import ProgressCallback
from wellserved.record import ROW_NUMBER


@dataclass(frozen=True)
class BrokenRow:
    """A row whose shape cannot be read."""

    row: int  # as the format counts: of a spreadsheet or text, header = 1; of JSON Lines, the line; else from 1
    line: str  # as it stands in the file
    reason: str


class SourceFile(Protocol):
    """A file that was opened: its columns are known, its rows can be staged."""

    @property
    def name(self) -> str:
        """The file's name, as it was given."""

    @property
    def shape(self) -> str:
        """How it is written, in words: 'utf-8, delimiter ;' or 'Excel workbook, sheet Tickets'."""

    @property
    def sha256(self) -> str:
        """Of the unpacked content."""

    @property
    def part(self) -> str:
        """Which part of the content was read, where there are several."""

    @property
    def encoding(self) -> str:
        """Of text, as found."""

    @property
    def mended_lines(self) -> int:
        """Lines that were not UTF-8 and were read by an old code page."""

    @property
    def header(self) -> tuple[str, ...]:
        """The columns, in their order."""

    @property
    def notes(self) -> dict[str, int]:
        """What a reader of the receipt must know of the file itself -> how many: hidden rows, other sheets."""

    def stage(self, db: duckdb.DuckDBPyConnection, columns: Sequence[str], on_progress: ProgressCallback) -> RawTable:
        """Read the rows into the table `raw`: a row number and these columns, all as text."""

    def whole_rows(self, numbers: Sequence[int]) -> dict[int, list[str]]:
        """Rows by their numbers, with all their cells."""


@dataclass(frozen=True)
class RawTable:
    """A file's rows as text, staged in the engine as the table `raw`, and what could not be read."""

    source: SourceFile
    rows_read: int
    broken_rows: tuple[BrokenRow, ...]
    careful_reason: str = ""  # why the careful reader of delimited text was used; empty: the fast one sufficed
    recovered_count: int = 0  # rows that the fast parser refused and the careful one read
    columns: tuple[str, ...] = ()


def rows_by_number(path: Path, rows_sql: str, numbers: Sequence[int]) -> dict[int, list[str]]:
    """Rows of what lies at a path, a file or a folder, by their numbers; `rows_sql`: SELECT of the number and all cells."""
    if not numbers:
        return {}
    with connect(path) as db:
        rows = db.sql(f"FROM ({rows_sql}) WHERE {ROW_NUMBER} IN ({', '.join(map(str, numbers))})").fetchall()
    return {row[0]: ["" if cell is None else cell for cell in row[1:]] for row in rows}


def drop_repeated_headers(db: duckdb.DuckDBPyConnection, raw: RawTable, delimiter: str) -> RawTable:
    """Take the rows out of `raw` that say the header again, as in files and sheets put together."""
    if len(raw.columns) < 2:
        return raw
    repeats_header = " AND ".join(
        f"trim({quote_name(column)}) IN ({quote_text(column)}, {quote_text(re.sub(r'_[0-9]+$', '', column))})"
        for column in raw.columns
    )
    header_rows = [
        row
        for (row,) in db.sql(f"SELECT {ROW_NUMBER} FROM raw WHERE {repeats_header} ORDER BY {ROW_NUMBER}").fetchall()
    ]
    if not header_rows:
        return raw
    db.execute("ALTER VIEW raw RENAME TO raw_whole")
    db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT * FROM raw_whole WHERE ({repeats_header}) IS NOT TRUE")
    line = delimiter.join(raw.source.header)
    repeated_headers = [
        BrokenRow(row, line, "says the header again, as where several files were put together") for row in header_rows
    ]
    broken_rows = sorted([*raw.broken_rows, *repeated_headers], key=lambda broken_row: broken_row.row)
    return replace(raw, broken_rows=tuple(broken_rows))

"""Delimited text: detect, parse fast, reconcile, and read carefully where the count does not add up.

Every fast reader loses rows in silence on some file, so none is trusted: the physical lines of the text
must equal header + rows read + rows refused + line ends inside quotes + blank lines, and no quoted field
may swallow what looks like a whole row. Where either fails, the careful reader reads the file again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.record import ROW_NUMBER
from wellserved.sources.bytes import TextFile, open_text
from wellserved.sources.careful import RETURN_MARK, CarefulReader, read_row, rewrite_clean
from wellserved.sources.dialect import FIELD_LIMIT, Dialect, detect_dialect
from wellserved.sources.table import BrokenRow, RawTable, drop_repeated_headers
from wellserved.sources.wrapped_lines import unwrap_lines


@dataclass(frozen=True)
class DelimitedFile:
    """Delimited text that was opened: where its plain text lies, and how it is written."""

    name: str
    text: TextFile
    dialect: Dialect
    scratch: Path
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def shape(self) -> str:
        """Encoding and delimiter."""
        return f"{self.text.encoding}, delimiter {self.dialect.delimiter!r}"

    @property
    def sha256(self) -> str:
        """Of the unpacked content."""
        return self.text.sha256

    @property
    def encoding(self) -> str:
        """As found."""
        return self.text.encoding

    @property
    def mended_lines(self) -> int:
        """Lines that were read by an old code page."""
        return self.text.mended_lines

    @property
    def header(self) -> tuple[str, ...]:
        """The columns."""
        return self.dialect.header

    @property
    def part(self) -> str:
        """Text has no parts."""
        return ""

    def stage(self, db: duckdb.DuckDBPyConnection, columns: Sequence[str], on_progress: ProgressCallback) -> RawTable:
        """Read the rows into the table `raw`.

        A header that stands again among the rows, as in files put together, is refused there.
        Raises SourceError only where not even the careful reader's own rewrite can be read back.
        """
        raw = _stage_with_fallback(db, self, columns, on_progress)
        return drop_repeated_headers(db, raw, self.dialect.delimiter) if self.dialect.has_header else raw

    def whole_rows(self, numbers: Sequence[int]) -> dict[int, list[str]]:
        """Rows with all their cells, for the refusals file: one more pass, only where rows were refused."""
        wanted_numbers = set(numbers)
        rows: dict[int, list[str]] = {}
        for item in CarefulReader(self.text.path, self.dialect, wanted_numbers) if wanted_numbers else ():
            number = item.row if isinstance(item, BrokenRow) else item[0]
            if number in wanted_numbers and not isinstance(item, BrokenRow):
                rows[number] = item[1]
                if len(rows) == len(wanted_numbers):
                    break
        return rows


def open_delimited(path: Path, scratch: Path, on_progress: ProgressCallback) -> DelimitedFile:
    """The file as text, and how it is written."""
    text_file, wrapped_count = unwrap_lines(open_text(path, scratch, on_progress), scratch)
    notes = {"lines were quoted as a whole, and were read without those quotes": wrapped_count} if wrapped_count else {}
    return DelimitedFile(path.name, text_file, detect_dialect(text_file.path, path.name), scratch, notes)


def _scan_sql(path: Path, columns: Sequence[str], delimiter: str, skip: int, longest_line: int) -> str:
    """The fast parser's call, told everything, left nothing to guess."""
    types = ", ".join(f"{quote_text(column)}: 'VARCHAR'" for column in columns)
    return (
        f"read_csv({quote_text(str(path))}, auto_detect = false, delim = {quote_text(delimiter)}, quote = '\"', escape = '\"', "
        f"header = false, skip = {skip}, strict_mode = true, store_rejects = true, rejects_limit = 0, "
        f"max_line_size = {max(2 << 20, 2 * longest_line + 1024)}, nullstr = '\1no value\1', columns = {{{types}}})"
    )


def _damage_reason(text_file: TextFile) -> str:
    """Why the fast parser must not be tried; empty: it may."""
    if text_file.nul_bytes:
        return f"{text_file.nul_bytes} NUL bytes"
    if text_file.longest_line > FIELD_LIMIT:
        return f"a line of {text_file.longest_line >> 20} MB"
    if text_file.stray_returns:
        return f"{text_file.stray_returns} carriage returns without a line feed"
    return ""


def _stage_with_fallback(
    db: duckdb.DuckDBPyConnection, source: DelimitedFile, columns: Sequence[str], on_progress: ProgressCallback
) -> RawTable:
    text_file, dialect = source.text, source.dialect
    on_progress("Parsing", 0, 0)
    reason = _damage_reason(text_file)
    if not reason:
        try:
            return _stage_fast(db, source, columns)
        except _DoesNotAddUpError as error:
            reason = str(error)
        except duckdb.Error as error:
            reason = f"the fast parser gave up: {str(error).splitlines()[0][:120]}"
    on_progress("Reading row by row", 0, 0)
    clean_path = source.scratch / "clean.csv"
    row_count, broken_rows = rewrite_clean(text_file.path, dialect, clean_path)
    numbered_header = (ROW_NUMBER, *dialect.header)
    _load_staged(db, clean_path, numbered_header, ",", 0, MAX_REWRITE_LINE_BYTES, (ROW_NUMBER, *columns))
    cells = ", ".join(
        f"replace({quote_name(column)}, {quote_text(RETURN_MARK)}, chr(13)) AS {quote_name(column)}"
        for column in columns
    )
    db.execute(
        f"CREATE OR REPLACE TEMP VIEW raw AS SELECT CAST({ROW_NUMBER} AS BIGINT) AS {ROW_NUMBER}, {cells} FROM staged"
    )
    (staged_count,) = db.sql("SELECT count(*) FROM staged").fetchall()[0]
    if staged_count != row_count:
        raise SourceError(
            f"{source.name}: {row_count} rows were read but {staged_count} arrived.",
            "Please report this file's shape as a bug.",
        )
    return RawTable(source, row_count + len(broken_rows), tuple(broken_rows), reason, 0, tuple(columns))


MAX_REWRITE_LINE_BYTES = 12 << 20  # longest line that the rewrite may hold


class _DoesNotAddUpError(Exception):
    """The fast parser's rows do not account for the file's lines."""


def _load_staged(
    db: duckdb.DuckDBPyConnection,
    path: Path,
    header: Sequence[str],
    delimiter: str,
    skip: int,
    longest_line: int,
    columns: Sequence[str],
) -> None:
    """Parse a file into the table `staged`; its order is the file's, its refusals are in reject_errors."""
    for rejects_table in ("reject_errors", "reject_scans"):
        db.execute(f"DROP TABLE IF EXISTS {rejects_table}")
    column_list = ", ".join(quote_name(column) for column in columns)
    scan = _scan_sql(path, header, delimiter, skip, longest_line)
    db.execute(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT {column_list} FROM {scan}")


def _stage_fast(db: duckdb.DuckDBPyConnection, source: DelimitedFile, columns: Sequence[str]) -> RawTable:
    text_file, dialect = source.text, source.dialect
    _load_staged(db, text_file.path, dialect.header, dialect.delimiter, dialect.skip, text_file.longest_line, columns)
    # Where the parser gives the refused line's words, they are sometimes those of the line before: only its
    # number is used, and the words are taken from the text.
    reject_lines = db.sql("SELECT DISTINCT line FROM reject_errors ORDER BY line").fetchall()
    rejected_rows = [int(line) - dialect.skip - 1 for (line,) in reject_lines]  # data rows from 0
    (loaded_count,) = db.sql("SELECT count(*) FROM staged").fetchall()[0]
    blank_lines = text_file.blank_lines - dialect.blank_skipped
    unexplained_lines = text_file.lines - dialect.skip - blank_lines - loaded_count - len(rejected_rows)
    if unexplained_lines:
        _account_for_lines(db, text_file, dialect, unexplained_lines)
    if rejected_rows and (unexplained_lines or blank_lines):
        raise _DoesNotAddUpError(f"{len(rejected_rows)} rows that the fast parser refused, among rows of several lines")
    recovered_rows, broken_rows = _reread_rejected(text_file, rejected_rows, dialect, columns)
    if rejected_rows:
        _merge_recovered(db, loaded_count, rejected_rows, recovered_rows, dialect.first_row, columns)
    else:
        column_list = ", ".join(quote_name(column) for column in columns)
        first = dialect.first_row
        db.execute(
            f"CREATE OR REPLACE TEMP VIEW raw AS SELECT rowid + {first} AS {ROW_NUMBER}, {column_list} FROM staged"
        )
    row_count = loaded_count + len(rejected_rows)
    return RawTable(source, row_count, tuple(broken_rows), "", len(recovered_rows), tuple(columns))


def _account_for_lines(
    db: duckdb.DuckDBPyConnection, text_file: TextFile, dialect: Dialect, unexplained_lines: int
) -> None:
    """Account for the lines that are no rows: line ends inside quotes. Raises where they do not explain them all."""
    scan = _scan_sql(text_file.path, dialect.header, dialect.delimiter, dialect.skip, text_file.longest_line)
    cells = " || chr(30) || ".join(quote_name(column) for column in dialect.header)
    blank_pieces = "[piece FOR piece IN string_split(v, chr(10))[2:-2] IF piece IN ('', chr(13))]"
    row_like_lines = (
        f"len([p FOR p IN string_split(v, chr(10)) IF len(p) - len(replace(p, d, '')) = {dialect.width - 1}])"
    )
    values = f"SELECT unnest(string_split({cells}, chr(30))) AS v, {quote_text(dialect.delimiter)} AS d FROM {scan}"
    inner_line_ends, inner_blanks, swallowed_rows = db.sql(
        f"SELECT coalesce(sum(len(v) - len(replace(v, chr(10), ''))), 0), coalesce(sum(len({blank_pieces})), 0), "
        f"coalesce(sum({row_like_lines}), 0) FROM ({values}) WHERE contains(v, chr(10))"
    ).fetchall()[0]
    if inner_line_ends - inner_blanks != unexplained_lines:
        raise _DoesNotAddUpError(
            f"{unexplained_lines - (inner_line_ends - inner_blanks)} lines that no row accounts for"
        )
    if swallowed_rows and dialect.width > 2:
        raise _DoesNotAddUpError("quoted fields that hold what looks like whole rows")


def _reread_rejected(
    text_file: TextFile, rejected_rows: Sequence[int], dialect: Dialect, columns: Sequence[str]
) -> tuple[list[list[object]], list[BrokenRow]]:
    """The standard library's opinion of the lines that the fast parser refused."""
    positions = [dialect.header.index(column) for column in columns]
    recovered_rows: list[list[object]] = []
    broken_rows: list[BrokenRow] = []
    for index, line in zip(
        rejected_rows, _lines_at(text_file.path, [dialect.skip + row_index for row_index in rejected_rows]), strict=True
    ):
        item = read_row(dialect.first_row + index, line, dialect)
        if isinstance(item, BrokenRow):
            broken_rows.append(item)
        else:
            recovered_rows.append([item[0], *(item[1][position] for position in positions)])
    return recovered_rows, broken_rows


def _lines_at(path: Path, line_numbers: Sequence[int]) -> list[str]:
    """The lines at these places (from 0, ascending)."""
    if not line_numbers:
        return []
    wanted_lines = set(line_numbers)
    with path.open("r", encoding="utf-8", newline="\n") as file:
        return [
            line for line_number, line in enumerate(islice(file, line_numbers[-1] + 1)) if line_number in wanted_lines
        ]


def _merge_recovered(
    db: duckdb.DuckDBPyConnection,
    loaded_count: int,
    rejected_rows: Sequence[int],
    recovered_rows: Sequence[Sequence[object]],
    first: int,
    columns: Sequence[str],
) -> None:
    """Number the loaded rows around the refused ones, and put the recovered rows among them."""
    loaded_before = np.asarray(rejected_rows) - np.arange(len(rejected_rows))  # loaded rows before each refused one
    positions = np.arange(loaded_count)
    row_numbers = positions + np.searchsorted(loaded_before, positions, side="right") + first
    db.register("row_numbers", pa.table({ROW_NUMBER: row_numbers}))
    column_list = ", ".join(quote_name(column) for column in columns)
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE merged AS SELECT {ROW_NUMBER}, {column_list} FROM row_numbers POSITIONAL JOIN staged"
    )
    if recovered_rows:
        placeholders = ", ".join("?" for _ in range(len(columns) + 1))
        db.executemany(f"INSERT INTO merged VALUES ({placeholders})", recovered_rows)
    db.unregister("row_numbers")
    db.execute("DROP TABLE staged")
    db.execute("CREATE OR REPLACE TEMP VIEW raw AS SELECT * FROM merged")

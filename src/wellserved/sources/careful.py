"""The careful reader: row by row with the standard library's csv, never losing its place.

It is slower than the engine's parser and is used where that one's count does not add up, or where the
text holds what fast readers lose in silence: NUL bytes, stray carriage returns, quotes that never close.
An unclosed quote costs its own line, not the thousands after it: reading goes on with the next line.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Container, Iterator
from pathlib import Path

from wellserved.sources.dialect import FIELD_LIMIT, Dialect
from wellserved.sources.table import BrokenRow

MAX_FIELD_LINES = 5000  # in one quoted field
RETURN_MARK = "\ue00d\ue00a"  # stands for a carriage return in the rewrite, where the fast parser would trip over it


class _Lines:
    """Lines of a text, with the possibility to put some back."""

    def __init__(self, path: Path, skip: int) -> None:
        self._file = path.open("r", encoding="utf-8", errors="replace", newline="\n")
        self._waiting: deque[str] = deque()
        for _ in range(skip):
            self._file.readline()

    def take(self) -> str | None:
        if self._waiting:
            return self._waiting.popleft()
        return self._file.readline() or None

    def put_back(self, lines: list[str]) -> None:
        self._waiting.extendleft(reversed(lines))

    def close(self) -> None:
        self._file.close()


def _parse(lines: list[str], delimiter: str, strict: bool) -> list[str] | None:
    """One row out of these lines; None where they are not exactly one whole row."""
    # A line more shows whether a quote is still open: the row would go on into it.
    reader = csv.reader([*lines, "\n"], delimiter=delimiter, strict=strict)
    try:
        row = next(reader, None)
        return row if row is not None and reader.line_num == len(lines) else None
    except csv.Error:
        return None


def _reason(cells: list[str] | None, line: str, width: int) -> str:
    if "\0" in line:
        return "holds a NUL byte, a sign of damage"
    if cells is None and "\r" in line.rstrip("\r\n") and '"' not in line:
        return "holds a carriage return outside quotes"
    if cells is None:
        return "a quote is opened and never closed, or closed in mid-field"
    if any(len(cell.encode("utf-8", "replace")) > FIELD_LIMIT for cell in cells):
        return f"holds a field of more than {FIELD_LIMIT >> 20} MB"
    return f"has {len(cells)} fields where the header has {width}"


def read_row(number: int, line: str, dialect: Dialect) -> tuple[int, list[str]] | BrokenRow:
    """One line as a row; as in spreadsheets, a quote inside a field is a character."""
    cells = _parse([line], dialect.delimiter, strict=True) or _parse([line], dialect.delimiter, strict=False)
    if cells is None or len(cells) != dialect.width or "\0" in line:
        return BrokenRow(number, line.rstrip("\r\n"), _reason(cells, line, dialect.width))
    return number, cells


class CarefulReader:
    """Iterates over rows: (row number, cells) or a BrokenRow. Work is bounded by twenty passes over the text.

    A row that opens a quote goes on over the lines after it if, and only if, it then closes it properly and
    has the header's width. Otherwise that line alone is refused, and reading goes on with the next.
    `numbers`: those of the rows that are wanted; without it all. Lines without a quote are passed over unread.
    """

    def __init__(self, path: Path, dialect: Dialect, numbers: Container[int] | None = None) -> None:
        self.dialect = dialect
        self._numbers = numbers
        self._path = path
        self._budget = 20 * (path.stat().st_size + 4096)  # characters that may be read ahead in vain

    def __iter__(self) -> Iterator[tuple[int, list[str]] | BrokenRow]:
        lines = _Lines(self._path, self.dialect.skip)
        number = self.dialect.first_row
        try:
            while (line := lines.take()) is not None:
                if not line.strip("\r\n"):
                    continue
                if self._numbers is None or number in self._numbers or '"' in line:
                    yield self._row(number, line, lines)
                number += 1
        finally:
            lines.close()

    def _row(self, number: int, line: str, lines: _Lines) -> tuple[int, list[str]] | BrokenRow:
        item = read_row(number, line, self.dialect)
        if isinstance(item, BrokenRow) and '"' in line and "\0" not in line:
            return self._join_lines(number, line, lines) or item
        return item

    def _join_lines(self, number: int, line: str, lines: _Lines) -> tuple[int, list[str]] | BrokenRow | None:
        """The row that goes on over the next lines, if it does; else everything read ahead is put back."""
        further_lines: list[str] = []
        size = len(line)
        while self._budget > 0:
            next_line = lines.take()
            if next_line is None:
                break
            further_lines.append(next_line)
            size += len(next_line)
            self._budget -= len(next_line)
            if "\0" in next_line:
                break
            if size > FIELD_LIMIT or len(further_lines) > MAX_FIELD_LINES:
                return self._refuse_long_field(number, line, further_lines, lines)
            if '"' in next_line:
                self._budget -= size
                cells = _parse([line, *further_lines], self.dialect.delimiter, strict=True)
                if cells is not None and len(cells) == self.dialect.width:
                    return number, cells
                if cells is not None or not self._has_open_quote([line, *further_lines]):
                    break
        lines.put_back(further_lines)
        return None

    def _has_open_quote(self, lines: list[str]) -> bool:
        """The lines are the beginning of a row whose quote is yet to close."""
        reader = csv.reader(lines, delimiter=self.dialect.delimiter, strict=True)
        try:
            next(reader, None)
        except csv.Error as error:
            return "unexpected end of data" in str(error)
        return False

    def _refuse_long_field(self, number: int, line: str, further_lines: list[str], lines: _Lines) -> BrokenRow:
        """A field past all bounds: it is one refusal, up to the first line that is a row by itself."""
        resume_index = next(
            (index for index, candidate in enumerate(further_lines) if self._is_whole_row(candidate)),
            len(further_lines),
        )
        lines.put_back(further_lines[resume_index:])
        while resume_index == len(further_lines) and (skipped_line := lines.take()) is not None:
            if self._is_whole_row(skipped_line):
                lines.put_back([skipped_line])
                break
        reason = f"opens a quote that does not close within {MAX_FIELD_LINES} lines or {FIELD_LIMIT >> 20} MB"
        return BrokenRow(number, line.rstrip("\r\n"), reason)

    def _is_whole_row(self, line: str) -> bool:
        """The line is a whole row by itself."""
        width = self.dialect.width
        return (
            width > 1
            and line.count(self.dialect.delimiter) >= width - 1
            and isinstance(read_row(0, line, self.dialect), tuple)
        )


def rewrite_clean(path: Path, dialect: Dialect, target: Path) -> tuple[int, list[BrokenRow]]:
    """Write the rows that can be read as clean CSV, each with its row number in front; (rows written, broken)."""
    broken_rows: list[BrokenRow] = []
    row_count = 0
    with target.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for item in CarefulReader(path, dialect):
            if isinstance(item, BrokenRow):
                broken_rows.append(item)
            else:
                writer.writerow([item[0], *(cell.replace("\r", RETURN_MARK) for cell in item[1])])
                row_count += 1
    return row_count, broken_rows

"""The careful reader: row by row with the standard library's csv, never losing its place.

It is slower than the engine's parser and is used where that one's count does not add up, or where the
text holds what fast readers lose in silence: NUL bytes, stray carriage returns, quotes that never close.
An unclosed quote costs its own line, not the thousands after it: reading goes on with the next line.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wellserved.sources.dialect import FIELD_LIMIT, Dialect

MOST_LINES = 5000  # in one quoted field
LEARN_FROM = 1000  # lines from which the columns' usual shapes are learnt
TELLING = 3  # a column of so few shapes (a date, a number) tells a row from a line of prose
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class BrokenRow:
    """A row whose shape cannot be read."""

    row: int  # as a spreadsheet counts, header = 1
    line: str  # as it stands in the file
    reason: str


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


def _parse(text: list[str], delimiter: str, strict: bool) -> list[str] | None:
    """One row out of these lines; None where they are not exactly one whole row."""
    reader = csv.reader(text, delimiter=delimiter, strict=strict)
    try:
        row = next(reader, None)
        return row if row is not None and reader.line_num == len(text) else None
    except csv.Error:
        return None


def _shape(cell: str) -> str:
    return _LETTERS.sub("a", _DIGITS.sub("9", cell[:60].strip()))


def _reason(cells: list[str] | None, line: str, width: int) -> str:
    if "\0" in line:
        return "holds a NUL byte, a sign of damage"
    if cells is None:
        return "a quote is opened and never closed, or closed in mid-field"
    if any(len(cell.encode("utf-8", "replace")) > FIELD_LIMIT for cell in cells):
        return f"holds a field of more than {FIELD_LIMIT >> 20} MB"
    return f"has {len(cells)} fields where the header has {width}"


def read_row(number: int, line: str, dialect: Dialect) -> tuple[int, list[str]] | BrokenRow:
    """One line as a row; as in spreadsheets, a quote inside a field is a character."""
    cells = _parse([line], dialect.delimiter, strict=True)
    if cells is None and line.count('"') % 2 == 0:
        cells = _parse([line], dialect.delimiter, strict=False)
    if cells is None or len(cells) != dialect.width or "\0" in line:
        return BrokenRow(number, line.rstrip("\r\n"), _reason(cells, line, dialect.width))
    return number, cells


class CarefulReader:
    """Iterates over rows: (row number, cells) or a BrokenRow. Work is bounded by twenty passes over the text."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self.dialect = dialect
        self._path = path
        self._budget = 20 * (path.stat().st_size + 4096)  # characters that may be read ahead in vain
        self._shapes = self._learn()

    def _learn(self) -> list[set[str]]:
        """The shapes that each column's cells take in the first rows: 9-a for 12-Main."""
        shapes: list[set[str]] = [set() for _ in self.dialect.header]
        lines = _Lines(self._path, self.dialect.skip)
        for _ in range(LEARN_FROM):
            line = lines.take()
            if line is None:
                break
            cells = _parse([line], self.dialect.delimiter, strict=True)
            if cells is not None and len(cells) == self.dialect.width:
                for known, cell in zip(shapes, cells, strict=True):
                    known.add(_shape(cell))
        lines.close()
        return shapes

    def _swallowed(self, line: str) -> bool:
        """A line inside quotes that is a whole row: by width, and by the shapes of the columns that tell."""
        if self.dialect.width < 3 or line.count(self.dialect.delimiter) < self.dialect.width - 1:
            return False
        cells = _parse([line], self.dialect.delimiter, strict=True)
        if cells is None or len(cells) != self.dialect.width:
            return False
        telling = [place for place, known in enumerate(self._shapes) if len(known) <= TELLING] or range(len(cells))
        alike = sum(_shape(cells[place]) in self._shapes[place] for place in telling)
        return alike == len(telling) if len(telling) < len(cells) else alike > len(cells) / 2

    def __iter__(self) -> Iterator[tuple[int, list[str]] | BrokenRow]:
        lines = _Lines(self._path, self.dialect.skip)
        number = self.dialect.first_row
        try:
            while (line := lines.take()) is not None:
                if not line.strip("\r\n"):
                    continue
                yield self._row(number, line, lines)
                number += 1
        finally:
            lines.close()

    def _row(self, number: int, line: str, lines: _Lines) -> tuple[int, list[str]] | BrokenRow:
        item = read_row(number, line, self.dialect)
        if isinstance(item, BrokenRow) and '"' in line and "\0" not in line:
            cells = self._joined(line, lines)
            if cells is not None and len(cells) == self.dialect.width:
                return number, cells
        return item

    def _joined(self, line: str, lines: _Lines) -> list[str] | None:
        """The row that goes on over the next lines, if it does; else everything read ahead is put back."""
        ahead: list[str] = []
        delimiter, width = self.dialect.delimiter, self.dialect.width
        size, quotes = len(line), line.count('"')
        while self._budget > 0 and len(ahead) < MOST_LINES and size < FIELD_LIMIT:
            following = lines.take()
            if following is None:
                break
            ahead.append(following)
            size += len(following)
            self._budget -= len(following)
            if self._swallowed(following):
                break  # the quote was never meant to reach this far
            quotes += following.count('"')
            if '"' in following and quotes % 2 == 0:
                cells = _parse([line, *ahead], delimiter, strict=True)
                if cells is None or len(cells) != width:
                    break
                return cells
        lines.put_back(ahead)
        return None


def rewrite(path: Path, dialect: Dialect, target: Path) -> tuple[int, list[BrokenRow]]:
    """Write the rows that can be read as clean CSV, each with its row number in front; (rows written, broken)."""
    broken: list[BrokenRow] = []
    written = 0
    with target.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for item in CarefulReader(path, dialect):
            if isinstance(item, BrokenRow):
                broken.append(item)
            else:
                writer.writerow([item[0], *item[1]])
                written += 1
    return written, broken

"""How a delimited text is written: delimiter, header, width. Found by reading, never by guessing from one line."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from wellserved.errors import SourceError
from wellserved.record import OWN_PREFIX

FIELD_LIMIT = 10 << 20  # bytes in one field
DELIMITERS = (",", ";", "\t", "|")
SAMPLE_LINES = 2000
HEADER_SEARCH_ROWS = 50  # rows below a header that are looked at for the same words again
MAX_TITLE_CELLS = 2  # cells of a line above the header that names no columns, as a title and the day of printing
SAMPLE_BYTES = 4 << 20
# columns of a refusals file
REFUSAL_COLUMNS = tuple(f"{OWN_PREFIX}{suffix}" for suffix in ("row", "column", "value", "reason"))
_NUMBERISH = re.compile(r"[-+]?[\d.,/: T]*\d[\d.,/: TZAPMapm%$€£-]*")
csv.field_size_limit(FIELD_LIMIT)


@dataclass(frozen=True)
class Dialect:
    """A delimited text's shape."""

    delimiter: str
    header: tuple[str, ...]  # unique names, one a column
    skip: int  # physical lines before the first row of data: titles, and the header itself
    blank_skipped: int  # blank ones among them
    title_rows: int  # rows above the header
    has_header: bool

    @property
    def width(self) -> int:
        return len(self.header)

    @property
    def first_row(self) -> int:
        """The number of the first row of data, as a spreadsheet counts."""
        return self.title_rows + (2 if self.has_header else 1)


def _rows(lines: Sequence[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """(physical lines read so far, cells) of each row of the sample; a broken tail is left out."""
    reader = csv.reader(lines, delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if row:
                rows.append((reader.line_num, row))
    except csv.Error:
        pass
    return rows


def _width_share(rows: Sequence[tuple[int, list[str]]]) -> tuple[float, int]:
    """(share of rows that have the commonest width, that width), counting only widths above one."""
    widths = Counter(len(row) for _, row in rows)
    width_counts = [(count, width) for width, count in widths.items() if width > 1]
    if not width_counts:
        return (0.0, 1)
    count, width = max(width_counts)
    return (count / len(rows), width)


def _looks_like_data(cell: str) -> bool:
    value = cell.strip()
    return len(value) <= 40 and _NUMBERISH.fullmatch(value) is not None  # longer is prose, and slow to match


def has_header(row: Sequence[str], rows_below: Sequence[Sequence[str]]) -> bool:
    """A header names: no cell of it is a number or a date.

    Where it stands again below, two files were put together, if most rows between hold numbers or dates where it
    holds names; else it is a row like the others.
    """
    names = [cell.strip() for cell in row if cell.strip()]
    if not names or any(_looks_like_data(cell) for cell in names):
        return False
    other_rows = [lower_row for lower_row in rows_below[:HEADER_SEARCH_ROWS] if list(lower_row) != list(row)]
    if len(other_rows) == len(rows_below[:HEADER_SEARCH_ROWS]):
        return True
    data_rows = sum(any(map(_looks_like_data, lower_row)) for lower_row in other_rows)
    return data_rows > 0.5 * len(rows_below[:HEADER_SEARCH_ROWS])


def _title_rows(rows: Sequence[Sequence[str]]) -> int:
    """Rows above the header that have its width and hardly a cell: titles, left out where names stand below them."""
    filled_counts = [sum(map(bool, row)) for row in rows]
    first_full = next((index for index, count in enumerate(filled_counts) if count > MAX_TITLE_CELLS), 0)
    return first_full if has_header(rows[first_full], rows[first_full + 1 :]) else 0


def unique_names(row: Sequence[str]) -> tuple[str, ...]:
    """Blank names become column_3, repeated ones name_2; case-insensitively, as databases compare them."""
    used_names: set[str] = set()
    names = []
    for index, cell in enumerate(row, start=1):
        base = " ".join(cell.replace("\0", "").split()) or f"column_{index}"
        if base.casefold().startswith(OWN_PREFIX) and base not in REFUSAL_COLUMNS:
            base = f"column {base}"  # the beginning is wellserved's own
        candidate, repetition = base, 2
        while candidate.casefold() in used_names:
            candidate, repetition = f"{base}_{repetition}", repetition + 1
        used_names.add(candidate.casefold())
        names.append(candidate)
    return tuple(names)


def detect_dialect(path: Path, file_name: str) -> Dialect:
    """Find the dialect from the first two thousand lines.

    The delimiter is the one under which most rows share one width; a tie goes to the wider, then to the
    commoner character. Rows above the first of that width are titles.
    """
    with path.open("r", encoding="utf-8", errors="replace", newline="\n") as file:
        lines = list(islice(iter(lambda: file.readline(SAMPLE_BYTES), ""), SAMPLE_LINES))
    lines = [line.replace("\0", "").replace("\r\n", "\n").replace("\r", " ") for line in lines]  # for the shape alone
    rows_by_delimiter = {delimiter: _rows(lines, delimiter) for delimiter in DELIMITERS}
    width_shares = {delimiter: _width_share(rows) for delimiter, rows in rows_by_delimiter.items()}
    best = max(DELIMITERS, key=lambda delimiter: (round(width_shares[delimiter][0], 1), width_shares[delimiter][1]))
    share, width = width_shares[best]
    rows = rows_by_delimiter[best]
    if share == 0.0 or not rows:
        rows, width = rows_by_delimiter[","], 1
    if not rows:
        raise SourceError(f"{file_name} holds no rows.", "Check that it is a delimited text file (CSV, TSV).")
    start_index = next(index for index, (_, row) in enumerate(rows) if len(row) == width)
    start_index += _title_rows([row for _, row in rows[start_index:]])
    is_named = has_header(rows[start_index][1], [row for _, row in rows[start_index + 1 :]])
    names = unique_names(rows[start_index][1] if is_named else [""] * width)
    lines_before = rows[start_index][0] if is_named else (rows[start_index - 1][0] if start_index else 0)
    blank_lines = sum(1 for line in lines[:lines_before] if not line.strip("\r\n"))
    return Dialect(best if share else ",", names, lines_before, blank_lines, start_index, is_named)

"""Tables as CSV: one writer, which keeps a spreadsheet from running other people's words as formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import IO

_FORMULA = re.compile(r"\s*[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?\s*")


def harmless(cell: object) -> object:
    """A text that a spreadsheet would run gets a leading '; numbers stay numbers."""
    if isinstance(cell, str):
        if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell[:60]):
            cell = "'" + cell
        return cell.replace("\0", "\N{SYMBOL FOR NULL}")
    return cell


def write_csv(file: IO[str], header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as CSV with LF line ends; None becomes an empty cell."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([harmless(cell) for cell in header])
    for row in rows:
        writer.writerow([harmless("" if cell is None else cell) for cell in row])


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The same as one text."""
    file = io.StringIO()
    write_csv(file, header, rows)
    return file.getvalue()

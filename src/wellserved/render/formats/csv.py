"""Tables as CSV: one writer, which keeps a spreadsheet from running other people's words as formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import IO

_FORMULA = re.compile(r"'*\s*[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?\s*")


def escape_formula(cell: object) -> object:
    """A text that a spreadsheet would run gets a leading '; numbers stay numbers."""
    if isinstance(cell, str):
        if _FORMULA.match(cell) and not (len(cell) <= 60 and _NUMBER.fullmatch(cell)):
            cell = "'" + cell
        return cell.replace("\0", "\N{SYMBOL FOR NULL}")
    return cell


def write_csv(file: IO[str], header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as CSV with LF line ends; None becomes an empty cell."""
    plain_writer, quoting_writer = (
        csv.writer(file, lineterminator="\n", quoting=quoting_rule)
        for quoting_rule in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    for row in chain([header], rows):
        cells = [escape_formula("" if cell is None else cell) for cell in row]
        # The writer does not quote a carriage return by itself, and readers end the row there.
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoting_writer if has_return else plain_writer).writerow(cells)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as the text of a CSV file."""
    file = io.StringIO()
    write_csv(file, header, rows)
    return file.getvalue()

"""Small CSV files that people write by hand: a list of customers, of contracts, of renewals."""

from __future__ import annotations

import csv
import io

from wellserved.errors import RequestError


def csv_rows(content: bytes, delimiters: str = ",;") -> list[list[str]]:
    """All rows, the header first, each cell without the blanks around it; the delimiter is the one that the header has most of.

    UTF-8, or else the code page of Western Windows. RequestError where it is no CSV file.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    delimiter = max(delimiters, key=text.partition("\n")[0].count)
    lines = csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter)
    try:
        return [[cell.strip() for cell in row] for row in lines]
    except csv.Error as error:
        raise RequestError(f"This is no CSV file: {error}.", "Save it as CSV with commas.") from error

"""Excel workbooks, old and new, and OpenDocument spreadsheets: one sheet as a table of text.

Dates come as dates, whole numbers without a point. Titles above the header are left out; hidden rows are read and
said, as are further sheets. A workbook is read in a process of its own, with bounded memory: a few kilobytes can say
that their last cell is the billionth, and the library then asks for all of them.
"""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.sources.dialect import has_header, unique_names
from wellserved.sources.records import RecordFile, RecordWriter
from wellserved.sources.sheet_pieces import PIECE_BYTES, UncutSheetError, outline_sheet, read_pieces, sheet_size

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

MAX_MEMORY = 6 << 30  # bytes that reading a workbook may take
MAX_SECONDS = 1800
TOP_ROWS = 50  # among which the header is looked for
MIN_HEADER_SHARE = 0.6  # of the widest row's cells that a header fills
_RESULT = "workbook.pickle"


def open_workbook(path: Path, name: str, scratch: Path, on_progress: ProgressCallback, part: str = "") -> RecordFile:
    """Read a sheet into rows; `part`: its name. Raises SourceError where several sheets hold tables and none is named."""
    on_progress("Reading the workbook", 0, 0)
    command = [sys.executable, "-m", "wellserved.sources.workbook", str(path), name, str(scratch), part]
    try:
        subprocess.run(command, check=True, timeout=MAX_SECONDS, capture_output=True)
        result = pickle.loads((scratch / _RESULT).read_bytes())  # written by that process, in our own folder
    except (subprocess.SubprocessError, OSError) as error:
        raise SourceError(
            f"{name} cannot be read: it is damaged, or its cells need more than {MAX_MEMORY >> 30} GB.",
            "Open it, save it as CSV UTF-8 and import that.",
        ) from error
    if isinstance(result, SourceError):
        raise result
    assert isinstance(result, RecordFile)
    return result


def _main(path: Path, name: str, scratch: Path, part: str) -> None:
    """Read a workbook, and leave what came of it in the scratch folder."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    result: RecordFile | SourceError
    try:
        result = _read_workbook(path, name, scratch, part)
    except SourceError as error:
        result = error
    (scratch / _RESULT).write_bytes(pickle.dumps(result))


def _read_workbook(path: Path, name: str, scratch: Path, part: str) -> RecordFile:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        workbook = CalamineWorkbook.from_path(path)
        sheet_name = _choose_sheet(path, name, workbook, part)
        outline = outline_sheet(path, sheet_name)
        shape = _SheetShape(path, name, sheet_name, outline.hidden_rows, len(workbook.sheet_names))
        if outline.size > PIECE_BYTES:
            with suppress(UncutSheetError):
                return _read_sheet(shape, read_pieces(path, sheet_name, outline, scratch), scratch)
        return _read_sheet(shape, [workbook.get_sheet_by_name(sheet_name)], scratch)
    except PasswordError as error:
        raise SourceError(f"{name} is locked by a password.", "Take the password off, and import that.") from error
    except (CalamineError, OSError, ValueError) as error:
        raise SourceError(
            f"{name} is damaged, or no workbook: {' '.join(str(error).split())[:200]}.",
            "Open it, save it as CSV UTF-8 and import that.",
        ) from error


def _choose_sheet(path: Path, name: str, workbook: CalamineWorkbook, part: str) -> str:
    """The name of the sheet to read."""
    if part:
        if part not in workbook.sheet_names:
            raise SourceError(f"{name} has no sheet {part!r}.", f"Its sheets are: {', '.join(workbook.sheet_names)}.")
        return part
    sizes = {sheet_name: _table_size(path, workbook, sheet_name) for sheet_name in _visible_sheets(workbook)}
    tables = {sheet_name: size for sheet_name, size in sizes.items() if size}
    if len(tables) > 1:
        listed = ", ".join(f"{sheet_name} ({size})" for sheet_name, size in tables.items())
        raise SourceError(
            f"{name} holds {len(tables)} sheets: {listed}.",
            f"Say which of them to read: --part {next(iter(tables))!r}.",
        )
    if not tables:
        raise SourceError(f"{name} holds no sheet with a table.", "Check the file, and export it again.")
    return next(iter(tables))


def _table_size(path: Path, workbook: CalamineWorkbook, sheet_name: str) -> str:
    """How large a sheet's table is, in words; empty: it holds none. A large sheet is not opened for that."""
    if (size := sheet_size(path, sheet_name)) > PIECE_BYTES:
        return f"{size >> 20} MB"
    sheet = workbook.get_sheet_by_name(sheet_name)
    return f"{sheet.height} rows" if sheet.height > 1 and sheet.width > 1 else ""


def _visible_sheets(workbook: CalamineWorkbook) -> list[str]:
    from python_calamine import SheetVisibleEnum

    visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
    return [name for name in workbook.sheet_names if name in visible] or workbook.sheet_names


@dataclass(frozen=True)
class _SheetShape:
    """What is said of the sheet that was read."""

    path: Path
    file: str  # its name
    sheet: str
    hidden_rows: int
    sheets: int  # of the workbook


def _read_sheet(shape: _SheetShape, pieces: Iterable[CalamineSheet], scratch: Path) -> RecordFile:
    """Read the rows of a sheet that comes as a whole or in pieces."""
    rows = _filled_rows(pieces)
    top = list(islice(rows, TOP_ROWS))
    title_rows, is_named = _find_header([cells for _, cells in top])
    names = unique_names(top[title_rows][1] if is_named else [""] * max(len(cells) for _, cells in top))
    writer = RecordWriter(scratch, shape.file, names)
    for number, cells in chain(top[title_rows + is_named :], rows):
        if any(cells):
            writer.add(number, dict(zip(names, cells, strict=True)))
    notes = {
        "rows above the names of the columns were taken for titles": sum(any(cells) for _, cells in top[:title_rows]),
        "rows of the sheet that are hidden there; they were read like the others": shape.hidden_rows,
        "other sheets of the workbook were not read (--part names one)": shape.sheets - 1,
    }
    notes = {note: count for note, count in notes.items() if count}
    label = f"workbook, sheet {shape.sheet}"
    return writer.finish(label, _digest(shape.path), part=shape.sheet, has_header=is_named, notes=notes)


def _filled_rows(pieces: Iterable[CalamineSheet]) -> Iterator[tuple[int, list[str]]]:
    """(number, cells as text) of every row from the first that holds something; what was merged over rows holds for all.

    Raises UncutSheetError where a piece has columns that the first has not.
    """
    first_column = width = 0
    merged_cells: _MergedCells | None = None
    for sheet in pieces:
        if sheet.start is None:  # it holds nothing
            continue
        first_row, column = sheet.start
        if merged_cells is None:
            first_column, width = column, sheet.width
            merged_cells = _MergedCells(sheet, first_column)
        if column < first_column or column + sheet.width > first_column + width:
            raise UncutSheetError
        left, right = [""] * (column - first_column), [""] * (first_column + width - column - sheet.width)
        for number, row in enumerate(islice(sheet.iter_rows(), first_row, None), start=first_row + 1):
            cells = [*left, *map(_cell, row), *right]
            merged_cells.fill(cells, number)
            yield number, cells


class _MergedCells:
    """Cells that were merged over several rows, and hold for all of them; rows come in their order."""

    def __init__(self, sheet: CalamineSheet, first_column: int) -> None:
        ranges = sorted(sheet.merged_cell_ranges or [], reverse=True)
        self._coming = [
            (top + 1, bottom + 1, left - first_column) for (top, left), (bottom, _right) in ranges if bottom > top
        ]  # the next one last; rows from 1
        self._current: list[tuple[int, int, str]] = []  # last row, column, text

    def fill(self, cells: list[str], number: int) -> None:
        """Fill the row of this number (from 1)."""
        self._current = [merged for merged in self._current if merged[0] >= number]
        for _, column, text in self._current:
            cells[column] = cells[column] or text
        while self._coming and self._coming[-1][0] <= number:
            top, bottom, column = self._coming.pop()
            if top == number and 0 <= column < len(cells):
                self._current.append((bottom, column, cells[column]))


def _find_header(rows: Sequence[Sequence[str]]) -> tuple[int, bool]:
    """(rows above the table, whether its first names the columns): titles are left out only where names stand below."""
    filled_counts = [sum(map(bool, row)) for row in rows]
    enough = max(2, MIN_HEADER_SHARE * max(filled_counts))
    full = next((index for index, count in enumerate(filled_counts) if count >= enough), 0)
    if has_header(rows[full], rows[full + 1 :]):
        return full, True
    first = next((index for index, count in enumerate(filled_counts) if count >= 2), 0)
    return first, first < full and has_header(rows[first], rows[first + 1 :])


def _cell(value: Any) -> str:
    """A cell as text: dates as ISO 8601, whole numbers whole."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime):
        # a day number's fraction is seldom exactly a second
        whole = value if value.year == 9999 else value + timedelta(microseconds=500_000)
        return str(whole.replace(microsecond=0))
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if isinstance(value, date | time | int):
        return str(value)
    return "" if value is None else str(value)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4])

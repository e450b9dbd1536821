"""Excel workbooks, old and new, and OpenDocument spreadsheets: one sheet as a table of text.

Dates come as dates, whole numbers without a point. Titles above the header are left out; hidden rows are read and
said, as are further sheets.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.sources.dialect import has_header, unique_names
from wellserved.sources.records import RecordFile, RecordWriter

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

TOP_ROWS = 50
MIN_HEADER_SHARE = 0.6  # of the widest row's cells that a header fills
_HIDDEN_ROW = re.compile(rb'<row\b[^>]*\bhidden="(?:1|true)"')
_CHUNK_BYTES = 1 << 20


def open_workbook(path: Path, name: str, scratch: Path, on_progress: ProgressCallback, part: str = "") -> RecordFile:
    """Read a sheet into rows; `part`: its name. Raises SourceError where several sheets hold tables and none is named."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    on_progress("Reading", 0, 0)
    try:
        workbook = CalamineWorkbook.from_path(path)
        sheet = _choose_sheet(name, workbook, part)
        return _read_sheet(path, name, workbook, sheet, scratch, on_progress)
    except PasswordError as error:
        raise SourceError(f"{name} is locked by a password.", "Take the password off, and import that.") from error
    except (CalamineError, OSError, ValueError) as error:
        raise SourceError(
            f"{name} is damaged, or no workbook: {' '.join(str(error).split())[:200]}.",
            "Open it, save it as CSV UTF-8 and import that.",
        ) from error


def _choose_sheet(name: str, workbook: CalamineWorkbook, part: str) -> CalamineSheet:
    if part:
        if part not in workbook.sheet_names:
            raise SourceError(f"{name} has no sheet {part!r}.", f"Its sheets are: {', '.join(workbook.sheet_names)}.")
        return workbook.get_sheet_by_name(part)
    sheets = [workbook.get_sheet_by_name(sheet_name) for sheet_name in _visible_sheets(workbook)]
    tables = [sheet for sheet in sheets if sheet.height > 1 and sheet.width > 1]
    if len(tables) > 1:
        listed = ", ".join(f"{sheet.name} ({sheet.height} rows)" for sheet in tables)
        raise SourceError(
            f"{name} holds {len(tables)} sheets: {listed}.", f"Say which of them to read: --part {tables[0].name!r}."
        )
    if not tables:
        raise SourceError(f"{name} holds no sheet with a table.", "Check the file, and export it again.")
    return tables[0]


def _visible_sheets(workbook: CalamineWorkbook) -> list[str]:
    from python_calamine import SheetVisibleEnum

    visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
    return [name for name in workbook.sheet_names if name in visible] or workbook.sheet_names


def _read_sheet(
    path: Path,
    name: str,
    workbook: CalamineWorkbook,
    sheet: CalamineSheet,
    scratch: Path,
    on_progress: ProgressCallback,
) -> RecordFile:
    top = [[_cell(value) for value in row] for row in islice(sheet.iter_rows(), TOP_ROWS)]
    title_rows, is_named = _find_header(top)
    width = max(map(len, top))
    names = unique_names(top[title_rows] if is_named else [""] * width)
    writer = RecordWriter(scratch, name, names)
    total = sheet.height
    first_row = title_rows + is_named
    for number, row in enumerate(islice(sheet.iter_rows(), first_row, None), start=first_row + 1):
        cells = [_cell(value) for value in row]
        if not any(cells):
            continue
        writer.add(number, dict(zip(names, cells, strict=True)))
        if number % 10_000 == 0:
            on_progress("Reading", number, max(total, number))
    notes = _notes(path, workbook, sheet)
    return writer.finish(
        f"workbook, sheet {sheet.name}", _digest(path), part=sheet.name, has_header=is_named, notes=notes
    )


def _find_header(rows: Sequence[Sequence[str]]) -> tuple[int, bool]:
    """(rows above the first that is as full as a table's, whether that one names the columns)."""
    filled_counts = [sum(map(bool, row)) for row in rows]
    enough = max(2, MIN_HEADER_SHARE * max(filled_counts))
    start = next((index for index, count in enumerate(filled_counts) if count >= enough), 0)
    return start, has_header(rows[start], rows[start + 1 :])


def _cell(value: Any) -> str:
    """A cell as text: dates as ISO 8601, whole numbers whole."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        whole = value + timedelta(microseconds=500_000)  # a day number's fraction is seldom exactly a second
        return str(whole.replace(microsecond=0))
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if isinstance(value, date | time | int):
        return str(value)
    return "" if value is None else str(value)


def _notes(path: Path, workbook: CalamineWorkbook, sheet: CalamineSheet) -> dict[str, int]:
    """What the eye would not see in the sheet, and what was not read."""
    others = len([name for name in workbook.sheet_names if name != sheet.name])
    notes = {
        "rows of the sheet that are hidden there; they were read like the others": _count_hidden_rows(
            path, workbook, sheet
        ),
        "other sheets of the workbook were not read (--part names one)": others,
    }
    return {note: count for note, count in notes.items() if count}


def _count_hidden_rows(path: Path, workbook: CalamineWorkbook, sheet: CalamineSheet) -> int:
    """Rows hidden by hand or by a filter, in a workbook of Excel's newer kind."""
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as archive:
        member = f"xl/worksheets/sheet{workbook.sheet_names.index(sheet.name) + 1}.xml"
        if member not in archive.namelist():
            return 0
        hidden_count, rest = 0, b""
        with archive.open(member) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                text = rest + chunk
                cut = text.rfind(b"<row")  # a tag that the piece's end may have cut is looked at with the next
                hidden_count += len(_HIDDEN_ROW.findall(text[:cut] if cut > 0 else text))
                rest = text[cut:] if cut > 0 else b""
        return hidden_count + len(_HIDDEN_ROW.findall(rest))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

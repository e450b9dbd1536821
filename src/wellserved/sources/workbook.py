"""Excel workbooks, old and new, and OpenDocument spreadsheets: one sheet as a table of text.

Dates come as dates, whole numbers without a point. Titles above the header are left out; hidden rows are read and
said, as are further sheets. A workbook is read in a process of its own, with bounded memory: a few kilobytes can say
that their last cell is the billionth, and the library then asks for all of them.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.sources.dialect import has_header, unique_names
from wellserved.sources.records import RecordFile, RecordWriter

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

MAX_MEMORY = 6 << 30  # bytes that reading a workbook may take
MAX_SECONDS = 1800
TOP_ROWS = 50  # among which the header is looked for
MIN_HEADER_SHARE = 0.6  # of the widest row's cells that a header fills
_RESULT = "workbook.pickle"
_HIDDEN_ROW = re.compile(rb'<row\b[^<>]*\bhidden="(?:1|true)"')
_CHUNK_BYTES = 1 << 20


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
        return _read_sheet(path, name, workbook, _choose_sheet(name, workbook, part), scratch)
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


def _read_sheet(path: Path, name: str, workbook: CalamineWorkbook, sheet: CalamineSheet, scratch: Path) -> RecordFile:
    top = [[_cell(value) for value in row] for row in islice(sheet.iter_rows(), TOP_ROWS)]
    title_rows, is_named = _find_header(top)
    names = unique_names(top[title_rows] if is_named else [""] * max(map(len, top)))
    writer = RecordWriter(scratch, name, names)
    first_row = title_rows + is_named
    merged_cells = _merged_cells(sheet, first_row)
    for number, row in enumerate(islice(sheet.iter_rows(), first_row, None), start=first_row + 1):
        cells = [_cell(value) for value in row]
        _fill_merged(cells, number - 1, merged_cells)
        if any(cells):
            writer.add(number, dict(zip(names, cells, strict=True)))
    title_count = sum(any(row) for row in top[:title_rows])
    notes = {
        "rows above the names of the columns were taken for titles": title_count,
        "rows of the sheet that are hidden there; they were read like the others": _count_hidden_rows(path, sheet.name),
        "other sheets of the workbook were not read (--part names one)": len(workbook.sheet_names) - 1,
    }
    notes = {note: count for note, count in notes.items() if count}
    shape = f"workbook, sheet {sheet.name}"
    return writer.finish(shape, _digest(path), part=sheet.name, has_header=is_named, notes=notes)


@dataclass
class _MergedCell:
    """A cell that was merged over several rows: it holds for all of them."""

    first_row: int
    last_row: int
    column: int
    text: str = ""


def _merged_cells(sheet: CalamineSheet, first_row: int) -> list[_MergedCell]:
    """Those among the rows, from 0; titles are merged over columns, which says nothing of rows."""
    ranges = sheet.merged_cell_ranges or []
    offset = (sheet.start or (0, 0))[1]
    return [
        _MergedCell(top, bottom, left - offset)
        for (top, left), (bottom, _right) in ranges
        if bottom > top and top >= first_row
    ]


def _fill_merged(cells: list[str], row: int, merged_cells: list[_MergedCell]) -> None:
    for merged in merged_cells:
        if merged.first_row == row:
            merged.text = cells[merged.column]
        elif merged.first_row < row <= merged.last_row and not cells[merged.column]:
            cells[merged.column] = merged.text


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


def _count_hidden_rows(path: Path, sheet_name: str) -> int:
    """Rows hidden by hand or by a filter, in a workbook of Excel's newer kind."""
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as archive:
        member = _sheet_member(archive, sheet_name)
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


def _sheet_member(archive: zipfile.ZipFile, sheet_name: str) -> str:
    """Where a sheet lies in its workbook, as the workbook's own tables say; empty: they do not."""
    try:
        sheets = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    except (KeyError, ElementTree.ParseError):
        return ""
    targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
    for element in sheets.iter():
        if element.tag.endswith("}sheet") and element.get("name") == sheet_name:
            id_ = next((value for name, value in element.attrib.items() if name.endswith("}id")), "")
            return f"xl/{targets.get(id_, '').removeprefix('/xl/')}"
    return ""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4])

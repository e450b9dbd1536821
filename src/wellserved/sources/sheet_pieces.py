"""A large sheet of an Excel workbook, cut into workbooks of some of its rows each, so that memory stays bounded.

The library holds a sheet as a whole, at a hundred bytes a cell. Here only the places between rows are looked for; what a
cell says is left to the library.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

PIECE_BYTES = 48 << 20  # of a sheet's XML, unpacked
_CHUNK_BYTES = 1 << 22
_BEGIN = re.compile(rb"<(\w+:)?sheetData(?:\s[^<>]*)?(?<!/)>")
_END = re.compile(rb"</(?:\w+:)?sheetData\s*>")
_ROW = re.compile(rb"<(?:\w+:)?row(?:[\s/][^<>]*)?>")  # what begins one
_NUMBER = re.compile(rb'\sr="(\d+)"')
_HIDDEN = re.compile(rb'\shidden="(?:1|true)"')
_DIMENSION = re.compile(rb"<(?:\w+:)?dimension\b[^<>]*>")
# What every piece needs of the workbook beside its rows:
_COMMON_MEMBERS = ("[content_types].xml", "_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels")
_COMMON_ENDINGS = ("sharedstrings.xml", "styles.xml")


class UncutSheetError(Exception):
    """The sheet cannot be cut, or its pieces do not fit together: it has to be read as a whole."""


@dataclass(frozen=True)
class SheetOutline:
    """What a sheet's XML says around its rows; a file that is no workbook of Excel's newer kind says nothing."""

    size: int = 0  # bytes of its XML, unpacked
    hidden_rows: int = 0  # rows that are hidden by hand or by a filter
    head: bytes = b""  # what comes before the rows
    tail: bytes = b""  # what comes after them: merged cells among it

    @property
    def prefix(self) -> bytes:
        """Of the sheet's tags, as some programs write it."""
        begin = _BEGIN.search(self.head)
        return (begin[1] or b"") if begin else b""


def sheet_size(path: Path, sheet_name: str) -> int:
    """The bytes of a sheet's XML, unpacked; 0 where the file is no workbook of Excel's newer kind."""
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as archive:
        member = _sheet_member(archive, sheet_name)
        return archive.getinfo(member).file_size if member else 0


def outline_sheet(path: Path, sheet_name: str) -> SheetOutline:
    """Pass over the XML of a sheet once."""
    if not (size := sheet_size(path, sheet_name)):
        return SheetOutline()
    hidden_rows = 0
    texts = {"head": bytearray(), "tail": bytearray()}
    with zipfile.ZipFile(path) as archive:
        for zone, text in _zones(archive, _sheet_member(archive, sheet_name)):
            if zone != "rows":
                texts[zone] += text
                continue
            if b"hidden" in text:
                hidden_rows += sum(_HIDDEN.search(tag) is not None for tag in _ROW.findall(text))
    return SheetOutline(size, hidden_rows, bytes(texts["head"]), bytes(texts["tail"]))


def _zones(archive: zipfile.ZipFile, member: str) -> Iterator[tuple[Literal["head", "rows", "tail"], bytes]]:
    """The XML of a sheet piece by piece, each with where it stands; no tag is cut."""
    zone: Literal["head", "rows", "tail"] = "head"
    last_tag = b""  # which the chunk may have cut
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            text = last_tag + chunk
            cut = max(text.rfind(b"<"), 0)
            text, last_tag = text[:cut], text[cut:]
            if zone == "head" and (begin := _BEGIN.search(text)):
                yield "head", text[: begin.end()]
                zone, text = "rows", text[begin.end() :]
            if zone == "rows" and (end := _END.search(text)):
                yield "rows", text[: end.start()]
                zone, text = "tail", text[end.start() :]
            yield zone, text
    yield zone, last_tag


def read_pieces(path: Path, sheet_name: str, outline: SheetOutline, scratch: Path) -> Iterator[CalamineSheet]:
    """The sheet, some of its rows at a time. Raises UncutSheetError where it cannot be cut."""
    from python_calamine import CalamineWorkbook

    common, piece = scratch / "common.xlsx", scratch / "piece.xlsx"
    with zipfile.ZipFile(path) as archive:
        member = _sheet_member(archive, sheet_name)
        _copy_common_members(archive, common)
        head = _DIMENSION.sub(b"", outline.head)
        for rows in _numbered_rows(archive, member, outline):
            shutil.copyfile(common, piece)
            with zipfile.ZipFile(piece, "a") as target:
                target.writestr(member, b"".join((head, rows, outline.tail)))
            yield CalamineWorkbook.from_path(piece).get_sheet_by_name(sheet_name)


def _copy_common_members(archive: zipfile.ZipFile, common: Path) -> None:
    with zipfile.ZipFile(common, "w") as target:
        for name in archive.namelist():
            if name.lower() in _COMMON_MEMBERS or name.lower().endswith(_COMMON_ENDINGS):
                with archive.open(name) as source, target.open(name, "w", force_zip64=True) as copy:
                    shutil.copyfileobj(source, copy)


def _numbered_rows(archive: zipfile.ZipFile, member: str, outline: SheetOutline) -> Iterator[bytes]:
    """The XML of whole rows, a piece at a time; the first row of each says its number. Where the rows before it say none,
    it is counted."""
    last_number = 0
    for piece in _cut_rows(archive, member, outline):
        tags = _ROW.findall(piece)
        if not tags:
            continue
        numbers = [int(number[1]) for tag in tags if (number := _NUMBER.search(tag))]
        if any(later <= earlier for earlier, later in pairwise([last_number, *numbers])):  # the library sorts them
            raise UncutSheetError
        if _NUMBER.search(tags[0]):
            yield piece
        else:  # rows without numbers follow the one before
            name_end = piece.index(tags[0]) + len(b"<" + outline.prefix + b"row")
            yield piece[:name_end] + b' r="%d"' % (last_number + 1) + piece[name_end:]
        for row_count, tag in enumerate(reversed(tags)):
            if number := _NUMBER.search(tag):
                last_number = int(number[1]) + row_count
                break
        else:
            last_number += len(tags)


def _cut_rows(archive: zipfile.ZipFile, member: str, outline: SheetOutline) -> Iterator[bytes]:
    pending = bytearray()
    for zone, text in _zones(archive, member):
        if zone != "rows":
            continue
        if b"<!" in text:  # what is quoted as a whole may look like a row
            raise UncutSheetError
        pending += text
        if len(pending) < PIECE_BYTES:
            continue
        cut = _last_row(pending, b"<" + outline.prefix + b"row")
        if cut > 0:
            yield bytes(pending[:cut])
            del pending[:cut]
    yield bytes(pending)


def _last_row(text: bytearray, row_start: bytes) -> int:
    """Where the last row begins; `row_start`: how its tag does."""
    end = len(text)
    while (start := text.rfind(row_start, 0, end)) > 0:
        if _ROW.match(text, start):
            return start
        end = start
    return 0


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
            member = f"xl/{targets.get(id_, '').removeprefix('/xl/')}"
            return member if member in archive.namelist() else ""
    return ""

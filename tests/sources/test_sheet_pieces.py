"""A large sheet that is read in pieces holds what it holds as a whole."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wellserved.sources import sheet_pieces, workbook


def write_workbook(path: Path) -> None:
    """Titles, an empty column and row, dates, numbers, texts that repeat, cells merged over rows, hidden rows."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Tickets & more"
    sheet["B2"] = "All tickets"
    sheet.append([])
    sheet.append([None, "ID", "Opened", "Team", "Hours", "Words", "Late"])
    for number in range(600):
        opened = datetime(2026, 1, 1) + timedelta(minutes=17 * number)
        sheet.append(
            [
                None,
                number,
                opened,
                "North" if number % 50 == 0 else None,
                number / 7,
                f"<row> & more {number % 9}",
                number % 3 == 0,
            ]
        )
        if number % 90 == 60:
            sheet.append([])
    sheet.merge_cells("D5:D20")
    sheet.merge_cells("D400:D460")
    for row in (9, 200, 201):
        sheet.row_dimensions[row].hidden = True
    book.create_sheet("Legend")["A1"] = "Words"
    book.save(path)


def rewrite_sheet(path: Path, change: Callable[[str], str]) -> None:
    """Write the first sheet's XML otherwise."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    members[name] = change(members[name].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def without_numbers(xml: str) -> str:
    """Neither rows nor cells say where they are: each follows the one before."""
    xml = re.sub(r'<row r="\d+"', "<row", xml)
    return re.sub(r'<c r="[A-Z]+\d+"', "<c", xml)


def with_prefix(xml: str) -> str:
    """Every tag has a prefix, as some programs write it."""
    return re.sub(r"<(/?)(\w)", r"<\1x:\2", xml).replace("xmlns=", "xmlns:x=")


def with_rare_numbers(xml: str) -> str:
    """Only some rows say their number."""
    return re.sub(r'<row r="(\d+)"', lambda match: match[0] if int(match[1]) % 41 == 0 else "<row", xml)


CHANGES: dict[str, Callable[[str], str]] = {
    "as it is": lambda xml: xml,
    "prefix": with_prefix,
    "few numbers": with_rare_numbers,
    "spaces": lambda xml: xml.replace("<row", "\n  <row").replace("<sheetData>", "<sheetData >"),
}


def read(path: Path, scratch: Path) -> tuple[Any, pa.Table]:
    """What is said of the sheet, and its rows."""
    scratch.mkdir()
    result = workbook._read_workbook(path, path.name, scratch, "Tickets & more")
    table = pa.concat_tables([pq.read_table(part) for part in result.parts], promote_options="default")
    return (result.header, result.row_count, result.notes, result.shape, result.sha256), table


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sheet_pieces, workbook):
        monkeypatch.setattr(module, "PIECE_BYTES", 9_000)
    monkeypatch.setattr(sheet_pieces, "_CHUNK_BYTES", 1_000)


@pytest.mark.parametrize("change", list(CHANGES))
def test_pieces_hold_what_the_whole_holds(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = tmp_path / "tickets.xlsx"
    write_workbook(path)
    rewrite_sheet(path, CHANGES[change])
    whole = read(path, tmp_path / "whole")
    assert whole[0][0] == ("ID", "Opened", "Team", "Hours", "Words", "Late")
    assert whole[0][1:3] == (600, {
        "rows above the names of the columns were taken for titles": 1,
        "rows of the sheet that are hidden there; they were read like the others": 3,
        "other sheets of the workbook were not read (--part names one)": 1,
    })  # fmt: skip
    request.getfixturevalue("small_pieces")
    pieces = []
    cut_rows = sheet_pieces._cut_rows

    def count_pieces(*facts: Any) -> Iterator[bytes]:
        for piece in cut_rows(*facts):
            pieces.append(piece)
            yield piece

    monkeypatch.setattr(sheet_pieces, "_cut_rows", count_pieces)
    in_pieces = read(path, tmp_path / "pieces")
    assert len(pieces) > 5
    assert in_pieces[0] == whole[0]
    assert in_pieces[1].equals(whole[1])
    teams = dict(zip(in_pieces[1]["wellserved_row_number"].to_pylist(), in_pieces[1]["Team"].to_pylist(), strict=True))
    assert {teams[row] for row in range(5, 21)} == {"North"}


def test_rows_without_numbers_follow_one_another(tmp_path: Path, small_pieces: None) -> None:
    """Then no row of the sheet says where it is, and empty ones are not there at all."""
    path = tmp_path / "tickets.xlsx"
    write_workbook(path)
    rewrite_sheet(path, lambda xml: re.sub(r"<mergeCells.*</mergeCells>", "", without_numbers(xml)))
    _, rows = read(path, tmp_path / "pieces")
    assert rows["ID"].to_pylist() == [str(number) for number in range(600)]
    numbers = rows["wellserved_row_number"].to_pylist()
    assert numbers == sorted(set(numbers))


def test_rows_out_of_order_are_read_as_a_whole(tmp_path: Path, small_pieces: None) -> None:
    """The library puts them in order."""
    path = tmp_path / "tickets.xlsx"
    write_workbook(path)

    def reverse(xml: str) -> str:
        found = re.findall(r"<row .*?</row>", xml, re.S)
        return xml.replace("".join(found), "".join(reversed(found)))

    rewrite_sheet(path, reverse)
    facts, table = read(path, tmp_path / "pieces")
    assert facts[0] == ("ID", "Opened", "Team", "Hours", "Words", "Late")
    assert table["ID"].to_pylist() == [str(number) for number in range(600)]


@pytest.mark.parametrize("change", ["quoted", "wider"])
def test_what_cannot_be_cut_is_read_as_a_whole(tmp_path: Path, small_pieces: None, change: str) -> None:
    """A cell that is quoted as a whole may hold what looks like a row; a late row may have a column that no other has."""
    path = tmp_path / "tickets.xlsx"
    write_workbook(path)
    cell = {
        "quoted": '<c r="F555" t="inlineStr"><is><t><![CDATA[</row><row r="7">]]></t></is></c>',
        "wider": '<c r="F555" t="inlineStr"><is><t>x</t></is></c><c r="J555" t="inlineStr"><is><t>far</t></is></c>',
    }[change]
    rewrite_sheet(path, lambda xml: re.sub(r'<c r="F555".*?</c>', lambda _: cell, xml))
    facts, rows = read(path, tmp_path / "pieces")
    assert facts[1] == 600
    row = next(row for row in rows.to_pylist() if row["wellserved_row_number"] == 555)
    assert row["Words"] == {"quoted": '</row><row r="7">', "wider": "x"}[change]
    assert change == "quoted" or row["column_9"] == "far"


def test_large_sheets_are_offered_without_being_opened(tmp_path: Path, small_pieces: None) -> None:
    path = tmp_path / "tickets.xlsx"
    write_workbook(path)
    book = openpyxl.load_workbook(path)
    for row in (["ID", "Team"], ["1", "North"]):
        book["Legend"].append(row)
    book.save(path)
    with pytest.raises(Exception, match=r"holds 2 sheets: Tickets & more \(0 MB\), Legend \(3 rows\)"):
        workbook._read_workbook(path, path.name, tmp_path, "")

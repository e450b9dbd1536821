"""A file that no preset knows: what it is, what its columns are, and what is asked before its numbers are believed.

In every table of tickets here, those with an empty or marked time of solving are open.
"""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import NOW
from wellserved.actions.imports import ImportResult, import_file
from wellserved.actions.inspection import inspect_file
from wellserved.actions.questions import ask_measures
from wellserved.cli import app
from wellserved.errors import SourceError, WorkspaceError
from wellserved.mapping import parse_mapping
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.sources.columns import plain_words
from wellserved.sources.infer import Inspection
from wellserved.storage.workspace import Workspace, create_workspace, default_folder

# What is no table of text


def zipped(*names: str, content: bytes = b"<x/>") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def sqlite(folder: Path) -> bytes:
    with sqlite3.connect(folder / "x.db") as db:
        db.execute("CREATE TABLE tickets (id)")
    db.close()
    return (folder / "x.db").read_bytes()


HTML = "<table><tr><th>ID</th><th>Opened</th></tr><tr><td>1</td><td>2026-01-09</td></tr></table>"
XML = '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet/></Workbook>'
OTHERS = {
    "tickets.xlsx": (
        zipped("[Content_Types].xml", "xl/workbook.xml"),
        "damaged, or no workbook",
        "save it as CSV UTF-8",
    ),
    "tickets.csv": (zipped("xl/workbook.bin"), "damaged, or no workbook", "save it as CSV UTF-8"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "damaged, or no workbook", "save it as CSV UTF-8"),
    "table.xls": (HTML.encode(), "an HTML page", "save it as CSV UTF-8"),
    "page.csv": (f"\ufeff<!DOCTYPE html>\n<html>{HTML}</html>".encode(), "an HTML page", "save it as CSV UTF-8"),
    "sheet.xml": (XML.encode("utf-16"), "an Excel table in XML", "save it as CSV UTF-8"),
    "sheet.ods": (zipped("mimetype", "content.xml", "META-INF/manifest.xml"), "damaged, or no workbook", "CSV UTF-8"),
    "text.docx": (zipped("word/document.xml"), "a Word document", "Export the tickets as CSV"),
    "print.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "a PDF document", "Export the tickets as CSV"),
    "one.eml": (b"Received: from x\r\nFrom: a@example.org\r\nTo: b@example.org\r\n\r\nHelp", "an e-mail", "as CSV"),
    "nested.zip": (zipped("a.zip", content=zipped("a.csv")), "a packed file inside", "Unpack it"),
    "all.7z": (b"7z\xbc\xaf\x27\x1c\0\4", "a 7-Zip archive", "Unpack it"),
}


@pytest.mark.parametrize("name", [*OTHERS, "tickets.db"])
def test_a_file_that_cannot_be_read_is_named_and_gets_no_mapping(name: str, tmp_path: Path) -> None:
    content, what, do = (sqlite(tmp_path), "a SQLite database", "as CSV") if name == "tickets.db" else OTHERS[name]
    path, mapping = tmp_path / name, tmp_path / "map.toml"
    path.write_bytes(content)
    home = create_workspace(tmp_path / "home", "UTC").folder
    for command in (["inspect", str(path), "-o", str(mapping)], ["import", str(path), "--home", str(home)]):
        done = CliRunner().invoke(app, command)
        told = str(done.exception) + done.output
        assert done.exit_code == 2 or isinstance(done.exception, SourceError), told
        assert f"{name} is {what}" in " ".join(told.split())
        assert do in " ".join(told.split())
    assert not mapping.exists()


@pytest.mark.parametrize(
    "content",
    [
        "[id],opened\n1,2026-01-09\n",
        "{id},opened\n1,2026-01-09\n",
        "PART,opened\nPAR1,2026-01-09\n",
        "ORCID,opened\n1,2026-01-09\n",
        "GIF8,opened\n1,2026-01-09\n",
        "<id>,opened\n1,2026-01-09\n",
        "From: 2026-01-01\nTo: 2026-01-31\n\nid,opened\n1,2026-01-09\n2,2026-01-10\n",
        "From,opened\na@example.org,2026-01-09\n",
    ],
)
def test_a_table_that_begins_like_something_else_is_a_table(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    assert looked(path).rows >= 1


@pytest.mark.parametrize("named", ["s3://bucket/x", "https://example.org/x", "file:///x"])
def test_an_address_is_no_workspace(named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WELLSERVED_HOME", named)
    with pytest.raises(WorkspaceError, match="A workspace is a local folder"):
        create_workspace(default_folder())
    assert list(tmp_path.iterdir()) == []


# What the columns are


@dataclass(frozen=True)
class Seen:
    """A file's inspection, and its import by the mapping that was guessed."""

    found: Inspection
    workspace: Workspace
    done: ImportResult

    @property
    def questions(self) -> str:
        return " ".join(self.found.questions)

    @property
    def notes(self) -> str:
        return " ".join(self.found.notes)

    def totals(self) -> tuple[object, ...]:
        """Cases asked and still open, and the resolutions in the log."""
        asked, still = ask_measures(
            self.workspace, MeasureQuestion((find_measure("asked"), find_measure("still_open")))
        )
        return asked.value[0], still.value[0]


def looked(path: Path, zone: str | None = "UTC") -> Inspection:
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return inspect_file(path, scratch, zone, NOW)[1]


def seen(folder: Path, content: str | bytes, zone: str = "UTC") -> Seen:
    path = folder / "tickets.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = looked(path, zone)
    mapping = parse_mapping(found.toml, "guess")
    workspace = create_workspace(folder / "home", zone)
    return Seen(found, workspace, import_file(workspace, path, mapping, now=NOW))


def tickets(opened: str, solved: str, unsolved: str = "", header: str = "Ticket ID,Created at,Solved at,Group") -> str:
    """Five tickets from 20 to 24 January, three of them solved two days later; DAY stands for the day of the month."""
    lines = [
        f"{700 + day},{opened.replace('DAY', str(day))},{solved.replace('DAY', str(day + 2)) if day < 23 else unsolved},Desk"
        for day in range(20, 25)
    ]
    return "\n".join([header, *lines, ""])


ISO = "2026-01-DAY 09:00:00"
WRITTEN = {
    "1900": (tickets(ISO, ISO, "1900-01-01 00:00:00"), "stand for “no date”"),
    "1970": (tickets(ISO, ISO, "1970-01-01 00:00:00"), "stand for “no date”"),
    "zeros": (tickets(ISO, ISO, "0000-00-00 00:00:00"), ""),
    "a word for none": (tickets(ISO, ISO, "Not set"), ""),
    "basic ISO": (tickets("202601DAYT090000Z", "202601DAYT090000Z"), ""),
    "browser": (tickets("Jan DAY 2026 09:00:00 GMT+0100 (CET)", "Jan DAY 2026 09:00:00 GMT+0100 (CET)"), ""),
    "EST": (tickets(f"{ISO} EST", f"{ISO} EST"), ""),
    "narrow blank": (tickets('"1/DAY/2026, 9:00:00\u202fAM"', '"1/DAY/2026, 9:00:00\u202fAM"'), ""),
    "two ways": (tickets("2026-01-DAY", "2026-01-DAY").replace("2026-01-21", "21-01-26"), "are written"),
    "two digits": (tickets("DAY-01-26", "DAY-01-26"), ""),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_dates_are_read_as_they_are_written_and_what_is_doubtful_is_said(name: str, tmp_path: Path) -> None:
    content, note = WRITTEN[name]
    one = seen(tmp_path, content)
    assert one.totals() == (5, 2)
    assert (one.done.receipt.rows_loaded, one.done.receipt.moments) == (5, 8)
    assert note in one.notes
    assert ("years of two digits" in one.questions) == (name in ("two ways", "two digits"))


def test_numbers_of_days_are_asked_about_and_read(tmp_path: Path) -> None:
    content = tickets("460DAY.375", "460DAY.375")  # 46031.375 is 9 January 2026, 09:00
    one = seen(tmp_path, content)
    assert one.totals() == (5, 2)
    assert "a spreadsheet's day numbers?" in one.questions
    assert '"Created at" = "excel-days"' in one.found.toml


def test_a_date_that_cannot_be_read_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(tickets(ISO, "vom DAY.1.2026 um neun"), encoding="utf-8")
    assert "'Solved at' sounds like a date, but" in " ".join(looked(path).questions)


def test_german_names_decimal_commas_and_windows_letters_are_read(tmp_path: Path) -> None:
    header = "Ticketnummer;Erstellt am;Gelöst am;Gruppe;Zufriedenheit"
    lines = [
        f"{700 + day};{day}.01.2026 09:00;{f'{day + 2}.01.2026 09:00' if day < 23 else ''};Süd;{4 + day % 2},0"
        for day in range(20, 25)
    ]
    one = seen(tmp_path, "\n".join([header, *lines, ""]).encode("cp1252"))
    assert one.totals() == (5, 2)
    assert one.done.receipt.moments == 5 + 3 + 5
    assert "decimal commas: 4,5 is read as four and a half" in one.questions


def test_french_names_are_read(tmp_path: Path) -> None:
    header = '"ID";"Titre";"Date d\'ouverture";"Demandeur";"Échéance";"Date de résolution";"Date de clôture"'
    line = '"{0}";"Souris";"{0}-01-2026 09:00";"u{0}";"28-01-2026 09:00";"{1}";""'
    lines = [line.format(day, f"{day + 2}-01-2026 09:00" if day < 23 else "") for day in range(20, 25)]
    one = seen(tmp_path, "\n".join([header, *lines, ""]))
    assert one.totals() == (5, 2)
    assert one.done.receipt.moments == 5 + 3 + 5
    assert 'customer_id = "Demandeur"' in one.found.toml


def test_a_header_that_stands_again_is_a_header_and_its_line_is_refused(tmp_path: Path) -> None:
    whole = tickets(ISO, ISO)
    header, *rows = whole.splitlines()
    one = seen(tmp_path, "\n".join([header, *rows[:2], header, *rows[2:], header, ""]))
    assert one.totals() == (5, 2)
    assert one.done.receipt.rows_refused == 2
    assert list(one.done.receipt.reasons) == ["says the header again, as where several files were put together"]
    assert one.done.refusals is not None
    assert "\n4,," in one.done.refusals.read_text(encoding="utf-8"), "the row as a spreadsheet counts"


def test_a_first_row_of_words_that_comes_again_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("red,round\nblue,square\nred,round\ngreen,round\n", encoding="utf-8")
    assert [column.name for column in looked(path).columns] == ["column_1", "column_2"]


def test_a_status_without_a_time_counts_as_closed_at_an_unknown_time_and_is_asked_about(tmp_path: Path) -> None:
    rows = [
        f"{700 + day},2026-01-{day} 09:00,2026-01-25 09:00,{'Closed' if day < 23 else 'Open'}" for day in range(20, 25)
    ]
    one = seen(tmp_path, "\n".join(["Ticket ID,Created at,Updated at,Status", *rows, ""]))
    assert one.totals() == (5, 2)
    assert "'Status' says Closed in 3 rows, but no column says when" in one.questions
    assert "# - 'Status' says Closed in 3 rows" in one.found.toml
    assert one.found.unused_columns == {"dates": ("Updated at",)}


def test_a_status_that_contradicts_the_time_of_solving_is_asked_about(tmp_path: Path) -> None:
    rows = tickets(ISO, ISO, header="Ticket ID,Created at,Solved at,Status").replace("Desk", "Closed")
    one = seen(tmp_path, rows)
    assert "'Status' says Closed in 2 rows with no 'Solved at'" in one.questions


def facts(found: Inspection) -> dict[str, str]:
    return parse_mapping(found.toml, "guess").columns


def columns(folder: Path, **cells: Sequence[str]) -> Inspection:
    """Inspect a file with a number, an opening, and these columns."""
    names = [name.replace("_", " ") for name in cells]
    count = max(len(values) for values in cells.values())
    lines = [
        ",".join([str(100 + place), f"2026-01-{10 + place} 09:00", *(values[place] for values in cells.values())])
        for place in range(count)
    ]
    path = folder / "a.csv"
    path.write_text("\n".join([",".join(["number", "opened at", *names]), *lines, ""]), encoding="utf-8")
    return looked(path)


def test_a_counter_is_no_customer_and_an_id_comes_before_a_name(tmp_path: Path) -> None:
    counted = columns(tmp_path, Customer_interactions=["1", "2", "1"], Customer=["3", "0", "3"])
    assert "customer_id" not in facts(counted)
    both = columns(
        tmp_path, Requester=["Kim", "Kim", "Lee"], Requester_email=["a@x", "b@x", "c@x"], Requester_ID=list("789")
    )
    assert facts(both)["customer_id"] == "Requester ID"


def test_a_state_of_the_case_is_no_place_and_a_state_of_the_union_is_one(tmp_path: Path) -> None:
    assert "place" not in facts(columns(tmp_path, state=["New", "Closed", "Closed"]))
    assert "place" not in facts(columns(tmp_path, state=["1", "7", "7"]))
    assert facts(columns(tmp_path, state=["TX", "NY", "TX"]))["place"] == "state"


def test_an_id_is_no_service_and_a_date_no_text(tmp_path: Path) -> None:
    found = columns(tmp_path, Issue_id=["1001", "1002", "1003"], opened_on=["03/04/2026 was long", "x", "y"])
    assert "service" not in facts(found)
    dates = columns(tmp_path, sys_updated_on=["2026-01-12 09:00:00 +01:00"] * 3)
    assert 'text = "' not in dates.toml
    assert dates.unused_columns == {"dates": ("sys updated on",)}


def test_the_number_that_people_use_names_the_case(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,number,created_at,title\n1,62001,2026-01-09,a\n2,62002,2026-01-10,b\n", encoding="utf-8")
    assert parse_mapping(looked(path).toml, "guess").case == "number"


def test_ratings_in_words_become_scores_and_the_asking_a_moment(tmp_path: Path) -> None:
    found = columns(tmp_path, Satisfaction=["Good", "Bad", "Offered", ""])
    kinds = {rule.kind: rule for rule in parse_mapping(found.toml, "guess").moments}
    assert kinds["rated"].values == {"Good": 1, "Bad": 0}
    assert set(kinds["surveyed"].condition.values) == {"Offered", "Bad", "Good"}
    assert "was read as good or bad: Good = 1, Bad = 0" in " ".join(found.questions)


def test_a_rating_on_an_unknown_scale_is_asked_about_and_not_guessed(tmp_path: Path) -> None:
    found = columns(tmp_path, Survey_score=["7", "9", "3"])
    assert "'Survey score' looks like a rating (3, 7, 9): on which scale?" in " ".join(found.questions)
    assert "score =" not in found.toml


def test_the_word_on_the_promise_is_read_whichever_way_the_name_turns_it(tmp_path: Path) -> None:
    kept = columns(tmp_path, SLA_met=["Yes", "No", "Yes"])
    assert 'source_kept = { column = "SLA met", yes = ["Yes"], no = ["No"] }' in kept.toml
    turned = columns(tmp_path, SLA_breached=["Yes", "No", "No"])
    assert 'source_kept = { column = "SLA breached", yes = ["No"], no = ["Yes"] }' in turned.toml


def test_teams_and_dates_and_ratings_that_are_not_used_are_named(tmp_path: Path) -> None:
    found = columns(
        tmp_path, Group=["A", "B"], Queue=["X", "Y"], CSAT=["4", "5"], NPS=["9", "10"], Last_update=["2026-02-01"] * 2
    )
    assert found.unused_columns == {"dates": ("Last update",), "ratings": ("NPS",), "teams": ("Queue",)}
    assert "# - not used, though they look like teams: Queue" in found.toml


def test_numbers_that_a_spreadsheet_shortened_are_said(tmp_path: Path) -> None:
    rows = [f"1.02E+11,2026-01-{day} 09:00,2026-01-{day} 08:00" for day in range(10, 14)]
    one = seen(tmp_path, "\n".join(["Ticket ID,Opened,Closed", *rows, ""]))
    assert "4 numbers that a spreadsheet shortened" in one.questions
    assert "1 case number stands for several openings (4 in all)" in one.notes
    assert "4 rows have 'Closed' before 'Opened'" in one.notes


def test_the_zone_is_the_workspaces_or_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(tickets(ISO, ISO), encoding="utf-8")
    home = create_workspace(tmp_path / "home", "Asia/Tokyo").folder
    with_home = CliRunner().invoke(app, ["inspect", str(path), "--home", str(home)])
    assert 'zone = "Asia/Tokyo"' in with_home.output
    alone = CliRunner().invoke(app, ["inspect", str(path)], env={"WELLSERVED_HOME": str(tmp_path / "none")})
    assert 'zone = "UTC"' in alone.output
    assert "names no time zone, and UTC was assumed" in " ".join(alone.output.split())
    path.write_text(tickets(ISO, ISO).replace("Created at", "Created at (America/Lima)"), encoding="utf-8")
    named = looked(path, None)
    assert 'zone = "America/Lima"' in named.toml
    assert named.questions == ()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Gelöst am", "gelost am"),
        ("Date d'ouverture", "date d ouverture"),
        ("OPEN_DT", "open dt"),
        ("sysUpdatedOn", "sys updated on"),
    ],
)
def test_a_name_is_compared_as_plain_words(written: str, words: str) -> None:
    assert plain_words(written) == words

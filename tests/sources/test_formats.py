"""One list of tickets, written in every format that people have: the same cells, the same moments, the same refusals."""

from __future__ import annotations

import csv
import gzip
import io
import json
import mailbox
import random
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.conftest import NOW
from wellserved.actions.imports import import_file
from wellserved.cli import app
from wellserved.engine import duckdb
from wellserved.errors import SourceError
from wellserved.mapping import Mapping, parse_mapping
from wellserved.progress import no_progress
from wellserved.sources.opening import open_source
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

COLUMNS = ("Ticket", "Opened", "Solved", "Team", "Score", "Words")
MAPPING = """
name = "desk"
case = "Ticket"
zone = "Europe/Berlin"
[columns]
team = "Team"
[[moment]]
kind = "asked"
at = "Opened"
required = true
text = "Words"
[[moment]]
kind = "resolved"
at = "Solved"
[[moment]]
kind = "rated"
at = "Solved"
score = "Score"
scale = "csat5"
"""


def tickets(count: int = 240) -> list[dict[str, Any]]:
    """Tickets with all that trips readers: no time of solving, quotes and line ends, letters of other alphabets, long numbers."""
    chance = random.Random(5)
    rows = []
    for number in range(count):
        opened = datetime(2026, 1, 5, 8) + timedelta(minutes=chance.randrange(100_000))
        solved = opened + timedelta(minutes=chance.randrange(1, 9_000)) if chance.random() < 0.8 else None
        words = chance.choice(["plain", 'said "no"', "two\nlines", "Grüße, 東京; здравствуйте", "", "a, b; c\td"])
        rows.append(
            {
                "Ticket": 100_000_000_000 + number,
                "Opened": opened,
                "Solved": solved,
                "Team": chance.choice(["Billing", "Field"]),
                "Score": chance.randint(1, 5) if solved else None,
                "Words": words,
            }
        )
    return rows


def as_text(value: Any) -> str:
    return "" if value is None else str(value)


def texts(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{name: as_text(value) for name, value in row.items()} for row in rows]


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(texts(rows))


def write_xlsx(path: Path, rows: list[dict[str, Any]], title: str = "", epoch: datetime | None = None) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    if epoch:
        workbook.epoch = epoch
    if title:
        sheet.append([title])
        sheet.merge_cells("A1:F1")
        sheet.append([])
    sheet.append(COLUMNS)
    for row in rows:
        sheet.append([row[name] for name in COLUMNS])
    workbook.save(path)


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False, default=str) for row in rows), encoding="utf-8")


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_zip(path: Path, rows: list[dict[str, Any]]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for month, part in (("a/2026-01.csv", rows[:100]), ("b/2026-01.csv", rows[100:])):
            text = io.StringIO()
            writer = csv.DictWriter(text, COLUMNS)
            writer.writeheader()
            writer.writerows(texts(part))
            archive.writestr(month, text.getvalue())
        archive.writestr("__MACOSX/._x", b"\0")


def wrap(rows: list[dict[str, Any]]) -> str:
    return json.dumps({"count": len(rows), "tickets": rows, "next": None}, default=str)


FORMATS: dict[str, Callable[[Path, list[dict[str, Any]]], Any]] = {
    "tickets.csv": write_csv,
    "tickets.xlsx": write_xlsx,
    "titled.xlsx": lambda path, rows: write_xlsx(path, rows, "Tickets of January"),
    "mac.xlsx": lambda path, rows: write_xlsx(path, rows, epoch=datetime(1904, 1, 1)),
    "lines.jsonl": write_lines,
    "list.json": lambda path, rows: path.write_text(json.dumps(rows, indent=2, default=str), encoding="utf-8"),
    "wrapped.json": lambda path, rows: path.write_text(wrap(rows), encoding="utf-16"),
    "one-after-the-other.json": lambda path, rows: path.write_text("".join(json.dumps(row, default=str, indent=1) for row in rows)),
    "lines.jsonl.gz": lambda path, rows: path.write_bytes(gzip.compress("\n".join(json.dumps(row, default=str) for row in rows).encode())),
    "table.parquet": write_parquet,
    "months.zip": write_zip,
}  # fmt: skip


def mapping() -> Mapping:
    return parse_mapping(MAPPING, "desk.toml")


def moments(workspace: Workspace) -> list[tuple[Any, ...]]:
    db = duckdb.connect(workspace.log)
    files = log.snapshot(workspace.log).files
    if not files:
        return []
    rows = db.sql(
        f'SELECT case_id, kind, epoch_us("at"), team, score, text FROM {duckdb.parquet_rows_sql(files)} ORDER BY ALL'
    ).fetchall()
    db.close()
    return rows


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """The moments of the tickets, worked out here."""
    from zoneinfo import ZoneInfo

    def micros(at: datetime) -> int:
        return int(at.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC).timestamp() * 1_000_000)

    rows: list[tuple[Any, ...]] = []
    for ticket in tickets():
        case, team = str(ticket["Ticket"]), ticket["Team"]
        rows.append((case, "asked", micros(ticket["Opened"]), team, None, ticket["Words"].strip() or None))
        if ticket["Solved"]:
            rows.append((case, "resolved", micros(ticket["Solved"]), team, None, None))
            rows.append((case, "rated", micros(ticket["Solved"]), team, float(ticket["Score"]), None))
    return sorted(rows, key=lambda row: row[:3])


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_tickets_in_every_format_are_the_same_moments(
    name: str, tmp_path: Path, expected: list[tuple[Any, ...]]
) -> None:
    workspace = create_workspace(tmp_path / "home", "Europe/Berlin")
    FORMATS[name](tmp_path / name, tickets())
    (tmp_path / "map.toml").write_text(MAPPING, encoding="utf-8")
    command = ["import", str(tmp_path / name), "--mapping", str(tmp_path / "map.toml"), "--home", str(workspace.folder)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert sum(receipt.rows_read for receipt in log.receipts(workspace)) == 240
    assert moments(workspace) == expected
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0
    assert moments(workspace) == expected


@pytest.mark.parametrize("kind", ["standard input", "folder"])
def test_standard_input_and_a_folder_are_read(kind: str, tmp_path: Path, expected: list[tuple[Any, ...]]) -> None:
    workspace = create_workspace(tmp_path / "home", "Europe/Berlin")
    (tmp_path / "map.toml").write_text(MAPPING, encoding="utf-8")
    rows = tickets()
    (tmp_path / "exports" / "deeper").mkdir(parents=True)
    write_csv(tmp_path / "exports" / "a.csv", rows[:50])
    write_xlsx(tmp_path / "exports" / "deeper" / "b.xlsx", rows[50:])
    write_lines(tmp_path / "all.jsonl", rows)
    target = "-" if kind == "standard input" else str(tmp_path / "exports")
    command = ["import", target, "--mapping", str(tmp_path / "map.toml"), "--home", str(workspace.folder)]
    done = CliRunner().invoke(app, command, input=(tmp_path / "all.jsonl").read_bytes())
    assert done.exit_code == 0, done.output
    assert moments(workspace) == expected


def test_one_bad_file_among_others_stops_none(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "Europe/Berlin")
    (tmp_path / "map.toml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "a.pdf").write_bytes(b"%PDF-1.7\n1 0 obj")
    write_csv(tmp_path / "exports" / "b.csv", tickets(20))
    command = [
        "import",
        str(tmp_path / "exports"),
        "--mapping",
        str(tmp_path / "map.toml"),
        "--home",
        str(workspace.folder),
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    assert "a.pdf is a PDF document" in " ".join(done.output.split())
    assert "20 rows read = 20 loaded + 0 refused" in " ".join(done.output.split())


# What cannot be read of a file is refused where it stands


def test_lines_of_json_that_cannot_be_read_are_refused_with_their_numbers(tmp_path: Path) -> None:
    lines = [json.dumps(row, default=str) for row in tickets(6)]
    lines[1] = lines[1][:-1]
    lines[3] = '"a text"'
    lines[4] = lines[4].replace(str(tickets(6)[4]["Opened"]), "yesterday")
    path = tmp_path / "lines.jsonl"
    path.write_text("\n\n".join(lines), encoding="utf-8")
    workspace = create_workspace(tmp_path / "home", "UTC")
    result = import_file(workspace, path, mapping(), NOW)
    assert (result.receipt.rows_read, result.receipt.rows_loaded, result.receipt.rows_refused) == (6, 3, 3)
    assert result.refusals is not None
    refused = list(csv.DictReader(result.refusals.read_text(encoding="utf-8").splitlines()))
    assert [row["wellserved_row"] for row in refused] == ["3", "7", "9"]
    assert refused[2]["Ticket"] == str(tickets(6)[4]["Ticket"])
    mended = result.refusals.read_text(encoding="utf-8").replace("yesterday", "2026-01-06 09:00:00")
    (tmp_path / "mended.csv").write_text(mended, encoding="utf-8")
    assert import_file(workspace, tmp_path / "mended.csv", mapping(), NOW).receipt.moments_new > 0


def test_a_list_that_was_cut_off_says_so(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(tickets(20), default=str)[:-300], encoding="utf-8")
    receipt = import_file(create_workspace(tmp_path / "home", "UTC"), path, mapping(), NOW).receipt
    assert receipt.rows_refused == 1
    assert receipt.rows_loaded < 20
    assert any("could not be read" in reason for reason in receipt.reasons)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"tickets": [{"id": 1}], "users": [{"id": 2}]}', "several lists: tickets, users"),
        ('{"101": {"a": 1}, "102": {"a": 2}}', "under their ids"),
        ("[]", "holds no rows"),
        ('{"a": ', "breaks off"),
        ("[" * 100_000, "holds no rows"),
    ],
)
def test_json_that_is_no_list_of_records_is_named(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        open_source(path, tmp_path, no_progress)
    assert words in str(caught.value)
    assert caught.value.remedy


def cells(path: Path, scratch: Path, part: str = "") -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    opened = open_source(path, scratch, no_progress, part)
    with duckdb.connect(path, scratch=scratch) as db:
        opened.stage(db, opened.header, no_progress)
        rows = db.sql("FROM raw ORDER BY 1").fetchall()
    for row in rows[:3]:
        assert opened.whole_rows([row[0]])[row[0]] == [cell or "" for cell in row[1:]]
    return opened.header, rows


def test_nested_fields_have_paths_and_numbers_keep_their_spelling(tmp_path: Path) -> None:
    record = '{"id": 12345678901234567890, "score": 4.50, "who": {"id": 7, "tags": ["a", "b"], "gone": null}, "ok": true, "ID": 1, "half": "\\ud800"}'
    path = tmp_path / "x.json"
    path.write_text(f"[{record}]", encoding="utf-8")
    header, rows = cells(path, tmp_path)
    assert header == ("id", "score", "who.id", "who.tags", "who.gone", "ok", "ID_2", "half")
    assert rows == [(1, "12345678901234567890", "4.50", "7", "a; b", None, "true", "1", "?")]


def test_the_members_of_a_list_inside_each_record_are_rows_where_a_part_names_it(tmp_path: Path) -> None:
    events = {"ticket_events": [{"ticket_id": 5, "child_events": [{"status": "open"}, {"status": "solved"}]}, {"ticket_id": 6, "child_events": []}]}  # fmt: skip
    path = tmp_path / "events.json"
    path.write_text(json.dumps(events), encoding="utf-8")
    header, rows = cells(path, tmp_path, "ticket_events.child_events")
    assert header == ("ticket_id", "child_events.status", "child_events")
    assert [row[1:3] for row in rows] == [("5", "open"), ("5", "solved"), ("6", None)]


def test_a_value_that_spans_many_pieces_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_text(json.dumps([{"id": n, "words": "x" * (3 << 20)} for n in range(3)]), encoding="utf-8")
    _, rows = cells(path, tmp_path)
    assert [(row[1], len(row[2])) for row in rows] == [(str(n), 3 << 20) for n in range(3)]


# Workbooks


def test_several_sheets_are_offered_and_hidden_rows_are_said(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "book.xlsx", tickets(12))
    workbook = openpyxl.load_workbook(tmp_path / "book.xlsx")
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "Tickets"
    sheet.row_dimensions[5].hidden = True
    other = workbook.create_sheet("Notes")
    other.append(["who", "what"])
    other.append(["Kim", "called"])
    workbook.save(tmp_path / "book.xlsx")
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path / "book.xlsx", tmp_path, no_progress)
    assert "Tickets (13 rows), Notes (2 rows)" in str(caught.value)
    assert "--part" in caught.value.remedy
    receipt = import_file(
        create_workspace(tmp_path / "home", "UTC"), tmp_path / "book.xlsx", mapping(), NOW, part="Tickets"
    ).receipt
    assert receipt.rows_loaded == 12
    assert {note.split(";")[0]: count for note, count in receipt.notes.items()} == {
        "rows of the sheet that are hidden there": 1, "other sheets of the workbook were not read (--part names one)": 1,
    }  # fmt: skip


def test_the_header_again_in_a_sheet_is_refused_there(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "book.xlsx", tickets(6))
    workbook = openpyxl.load_workbook(tmp_path / "book.xlsx")
    sheet = workbook.active
    assert sheet is not None
    sheet.insert_rows(4)
    for index, name in enumerate(COLUMNS, start=1):
        sheet.cell(4, index, name)
    workbook.save(tmp_path / "book.xlsx")
    result = import_file(create_workspace(tmp_path / "home", "UTC"), tmp_path / "book.xlsx", mapping(), NOW)
    assert (result.receipt.rows_loaded, result.receipt.rows_refused) == (6, 1)
    assert result.refusals is not None
    [refused] = csv.DictReader(result.refusals.read_text(encoding="utf-8").splitlines())
    assert refused["wellserved_row"] == "4"


def test_a_workbook_that_unpacks_to_far_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (80 << 20))
    with pytest.raises(SourceError, match="decompression bomb"):
        open_source(path, tmp_path, no_progress)


# Mailboxes


def letter(id_: str, sender: str, to: str, day: int, subject: str, **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["Message-ID"], message["From"], message["To"], message["Subject"] = f"<{id_}@x>", sender, to, subject
    message["Date"] = f"Mon, {day:02d} Jan 2026 09:00:00 +0100"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(f"Words of {id_}.")
    return message


LETTERS = [
    letter("a2", "Help <help@firm.example>", "ann@out.example", 6, "Re: Broken", In_Reply_To="<a1@x>"),  # before its question
    letter("a1", "Ann <Ann@Out.example>", "help@firm.example", 5, "Broken"),
    letter("auto", "help@firm.example", "ann@out.example", 5, "We got it", In_Reply_To="<a1@x>", Auto_Submitted="auto-replied"),
    letter("a3", "ann@out.example", "help@firm.example", 7, "Re: Broken", References="<a1@x> <a2@x>"),
    letter("a4", "kim@firm.example", "ann@out.example", 8, "Re: Broken", References="<a1@x> <a3@x>", Cc="help@firm.example"),
    letter("b1", "bob@out.example", "help@firm.example", 9, "[Ticket #4711] Late"),
    letter("b2", "help@firm.example", "bob@out.example", 10, "AW: [Ticket #4711] Late"),
    letter("news", "shop@spam.example", "help@firm.example", 10, "Offers", List_Id="<offers>"),
    letter("ooo", "ann@out.example", "help@firm.example", 9, "Out of office", References="<a4@x>", Auto_Submitted="auto-replied"),
    letter("out", "help@firm.example", "carl@out.example", 11, "Your contract"),
    letter("out2", "carl@out.example", "help@firm.example", 12, "Re: Your contract", References="<out@x>"),
    letter("colleague", "lee@firm.example", "help@firm.example", 12, "My badge"),
]  # fmt: skip
EVENTS = [
    ("<a1@x>", "asked", 5), ("<a1@x>", "auto_replied", 5), ("<a1@x>", "chased", 7), ("<a1@x>", "replied", 6), ("<a1@x>", "replied", 8),
    ("<colleague@x>", "asked", 12), ("4711", "asked", 9), ("4711", "replied", 10),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["mbox", "Maildir"])
def test_a_mailbox_tells_what_was_asked_and_answered(kind: str, tmp_path: Path) -> None:
    path = tmp_path / kind
    box: mailbox.Mailbox[Any] = mailbox.mbox(path) if kind == "mbox" else mailbox.Maildir(path)
    for message in LETTERS:
        box.add(message)
    box.flush()
    box.close()
    workspace = create_workspace(tmp_path / "home", "UTC")
    result = import_file(workspace, path, None, NOW)
    assert (result.receipt.rows_read, result.receipt.rows_loaded) == (len(LETTERS), len(LETTERS))
    micros = [int(datetime(2026, 1, day, 8, tzinfo=UTC).timestamp() * 1_000_000) for _, _, day in EVENTS]
    assert sorted(row[:3] for row in moments(workspace)) == sorted(
        (case, event, at) for (case, event, _), at in zip(EVENTS, micros, strict=True)
    )


def test_where_no_address_stands_out_the_house_is_asked(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for number in range(4):
        box.add(letter(f"m{number}", f"a{number}@x.example", f"b{number}@y.example", 5 + number, "Hello"))
    box.close()
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path / "box", tmp_path, no_progress)
    assert "--own" in caught.value.remedy
    assert open_source(tmp_path / "box", tmp_path, no_progress, own=["b1@y.example"]).header[0] == "Thread"


def test_the_last_hop_says_when_a_message_came(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    hops = letter(
        "m", "a@x.example", "help@y.example", 5, "Hello", Received="from a by b; Tue, 06 Jan 2026 10:00:00 +0100"
    )
    box.add(hops)
    box.add(letter("n", "b@x.example", "help@y.example", 6, "Hi"))
    box.close()
    _, rows = cells(tmp_path / "box", tmp_path)
    assert [row[3] for row in rows] == ["2026-01-06T09:00:00Z", "2026-01-06T08:00:00Z"]


# Beside the path


def read_file(
    folder: Path, name: str, content: bytes | str, part: str = "", own: Sequence[str] = ()
) -> tuple[list[tuple[Any, ...]], list[tuple[int, str]]]:
    """(rows, refused rows with their reasons) of a file."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    opened = open_source(path, folder, no_progress, part, own)
    with duckdb.connect(path, scratch=folder) as db:
        raw = opened.stage(db, opened.header, no_progress)
        rows = [row[1:] for row in db.sql("FROM raw ORDER BY 1").fetchall()]
    return rows, [(row.row, row.reason) for row in raw.broken_rows]


@pytest.mark.parametrize(
    ("content", "ids", "refused"),
    [
        ('[{"id":1},{"id":2}]\n[{"id":3}]', ["1", "2", "3"], []),  # page by page, as programs fetch
        ('[{"id":1}] and more', ["1"], [2]),
        ('{"id":1}\nERROR 504\n{"id":3}\n', ["1", "3"], [2]),
        ('{"id":1}\nnull\n{"id":3}', ["1", "3"], [2]),
        ('{"id":1}\n[{"id":2}]\n', ["1"], [2]),
        ('{"tickets":[{"id":1},{"id":2', ["1"], [2]),
        ('{"n":1,"tickets":[{"id":1}],"page":{"next":null}}', ["1"], []),
    ],
)
def test_every_piece_of_json_is_a_row_or_refused(
    content: str, ids: list[str], refused: list[int], tmp_path: Path
) -> None:
    rows, broken = read_file(tmp_path, "x.json", content)
    assert [row[0] for row in rows] == ids
    assert [number for number, _ in broken] == refused


def test_of_a_list_deep_in_a_record_all_other_fields_stay(tmp_path: Path) -> None:
    rows, broken = read_file(
        tmp_path,
        "x.jsonl",
        '{"id":1,"r":{"ticket":"T1","ev":[{"a":1},{"a":2}]}}\n{"id":2,"r":{"ev":[null]}}\n{"id":3}',
        "r.ev",
    )
    assert rows == [("1", "T1", "1"), ("1", "T1", "2"), ("3", None, None)]
    assert [number for number, _ in broken] == [3]
    with pytest.raises(SourceError, match=r"no record has a list 'r\.evv'"):
        read_file(tmp_path, "x.jsonl", '{"id":1,"r":{"ev":[]}}\n{"id":2}', "r.evv")


def test_fields_of_one_path_are_two_columns(tmp_path: Path) -> None:
    rows, _ = read_file(tmp_path, "x.json", '[{"a.b":1,"a":{"b":2},"\\ud800":3}]')
    assert rows == [("1", "2", "3")]


def test_bytes_that_are_no_utf8_are_read_as_windows_1252(tmp_path: Path) -> None:
    assert read_file(tmp_path, "x.json", '[{"id": "Grüße"}]'.encode("cp1252"))[0] == [("Grüße",)]


def test_whole_numbers_have_no_point_in_any_format(tmp_path: Path) -> None:
    table = pa.table({"id": pa.array([101.0, None, 1234567890123456.0, 0.5])})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read_file(tmp_path, "t[1].parquet", (tmp_path / "t.parquet").read_bytes())[0] == [
        ("101",), (None,), ("1234567890123456",), ("0.5",)
    ]  # fmt: skip


def test_a_folder_s_name_is_no_column_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "month=2").mkdir()
    pq.write_table(pa.table({"month": [5, 6], "file_row_number": [7, 8]}), tmp_path / "month=2" / "t.parquet")
    assert [row[1:] for row in cells(tmp_path / "month=2" / "t.parquet", tmp_path)[1]] == [("5", "7"), ("6", "8")]


def sheet_of(path: Path, rows: list[list[Any]]) -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    workbook.save(path)
    return path


def test_a_header_that_names_few_columns_is_one_and_rows_are_not_taken_for_titles(tmp_path: Path) -> None:
    header = ["ID", "Opened", "Solved", None, None, None, None]
    rows = [[n, "2026-01-09", "2026-01-10", "a", "b", "c", "d"] for n in range(1, 5)]
    named, found = cells(sheet_of(tmp_path / "few.xlsx", [header, *rows]), tmp_path)
    assert (named[:3], len(found)) == (("ID", "Opened", "Solved"), 4)
    sparse = [[n, 2, None, None, None] for n in range(3)] + [[n, 2, 3, 4, 5] for n in range(5)]
    assert len(cells(sheet_of(tmp_path / "sparse.xlsx", sparse), tmp_path)[1]) == 8


def test_a_workbook_whose_last_cell_is_the_billionth_harms_nobody(tmp_path: Path) -> None:
    small = sheet_of(tmp_path / "small.xlsx", [["ID", "Opened"], [1, "2026-01-09"]])
    with zipfile.ZipFile(small) as old, zipfile.ZipFile(tmp_path / "bad.xlsx", "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, content.replace(b'r="B2"', b'r="XFD1048576"') if "sheet1" in member else content)
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(tmp_path / "bad.xlsx", tmp_path, no_progress)


HOSTILE_HEADERS = [
    "Subject: =?utf-8?b?a?=", "From: " + "(" * 900, "Date: 31 Dec 9999 23:59:59 -1400", "Date: +9999999999999999999", "Subject: [ticket " + "1" * 50_000,
    "Content-Type: multipart/mixed; boundary=" + "x" * 500,
]  # fmt: skip


@pytest.mark.parametrize("header", HOSTILE_HEADERS, ids=range(len(HOSTILE_HEADERS)))
def test_one_odd_message_costs_nothing_but_itself(header: str, tmp_path: Path) -> None:
    good = "From a Fri Jan 09 09:00:00 2026\nFrom: a@x.example\nTo: help@y.example\nDate: Fri, 09 Jan 2026 09:00:00 +0000\nMessage-ID: <{}@x>\n\nHello.\nFrom now on it fails.\n\n"
    odd = f"From a Fri Jan 09 09:00:00 2026\n{header}\nTo: help@y.example\n\nx\n\n"
    rows, broken = read_file(tmp_path, "box.mbox", good.format(1) + odd + good.format(2), own=["help@y.example"])
    assert len(rows) + len(broken) == 3
    asked = [row for row in rows if row[3] == "asked" and row[4] == "a@x.example"]
    assert [row[8] for row in asked] == ["Hello.\nFrom now on it fails."] * 2


def box_of(path: Path, letters: list[EmailMessage]) -> Path:
    box = mailbox.mbox(path)
    for message in letters:
        box.add(message)
    box.close()
    return path


def test_a_thread_keeps_its_number_over_exports_and_a_message_counts_once(tmp_path: Path) -> None:
    question = letter("a1", "ann@out.example", "help@firm.example", 5, "Broken")
    answers = [
        letter("a2", "help@firm.example", "ann@out.example", 6, "Re: Broken [Ticket #4711]", References="<a1@x>"),
        letter(
            "a3", "ann@out.example", "help@firm.example", 7, "Re: Broken [Ticket #4711]", References="<a1@x> <a2@x>"
        ),
    ]
    whole, parts = create_workspace(tmp_path / "whole", "UTC"), create_workspace(tmp_path / "parts", "UTC")
    import_file(
        whole,
        box_of(tmp_path / "all", [question, *answers, question, answers[0]]),
        None,
        NOW,
        own=["help@firm.example"],
    )
    import_file(parts, box_of(tmp_path / "jan", [question]), None, NOW, own=["help@firm.example"])
    import_file(parts, box_of(tmp_path / "feb", answers), None, NOW, own=["help@firm.example"])
    assert sorted(row[:3] for row in moments(parts)) == sorted(row[:3] for row in moments(whole))
    assert [row[1] for row in sorted(moments(whole), key=lambda row: row[2])] == ["asked", "replied", "chased"]


def test_a_help_address_that_is_a_list_is_asked_all_the_same(tmp_path: Path) -> None:
    listed = {"List_Id": "<help.firm.example>", "Precedence": "list"}
    letters = [letter(f"q{n}", f"c{n}@out.example", "help@firm.example", 5 + n, "Broken", **listed) for n in range(3)]
    workspace = create_workspace(tmp_path / "home", "UTC")
    import_file(workspace, box_of(tmp_path / "box", letters), None, NOW)
    assert [row[1] for row in moments(workspace)] == ["asked"] * 3

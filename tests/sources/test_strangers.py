"""Files of strangers: what is told of them is right, or asked about. Each was wrong in silence once."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest

from tests.conftest import NOW
from tests.sources.test_formats import box_of, cells, letter, moments, sheet_of
from wellserved.actions.imports import import_file
from wellserved.actions.inspection import inspect_file
from wellserved.mapping import parse_mapping
from wellserved.sources.infer import Inspection
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace


def looked_at(folder: Path, text: str, name: str = "tickets.csv") -> Inspection:
    (folder / name).write_text(text, encoding="utf-8")
    (folder / "scratch").mkdir(exist_ok=True)
    return inspect_file(folder / name, folder / "scratch", "Europe/Berlin", NOW)[1]


def counted(folder: Path, text: str) -> tuple[dict[str, int], Inspection]:
    """Moments by kind, as the first mapping makes them."""
    inspection = looked_at(folder, text)
    workspace = create_workspace(folder / "house", "Europe/Berlin")
    import_file(workspace, folder / "tickets.csv", parse_mapping(inspection.toml, "m"), NOW)
    kinds = [row[1] for row in moments(workspace)]
    return {kind: kinds.count(kind) for kind in set(kinds)}, inspection


def rows(*states: str, closed: str = "2026-01-12 09:00") -> str:
    """A ticket for each state, each with a time of closing."""
    return "".join(f"T{number},2026-01-{number + 13} 09:00,{closed},{state}\n" for number, state in enumerate(states))


@pytest.mark.parametrize(
    ("header", "text", "expected", "words"),
    [
        # a case that is open again keeps its old time of closing; cancelled is not served
        ("Ticket,Created,Closed,Status", rows("Closed", "Open", "Reopened", "Resolved"), {"asked": 4, "resolved": 2}, ""),
        ("Ticket,Created,Closed,Status", rows("Closed", "Re-opened"), {"asked": 2, "resolved": 1}, ""),
        ("Ticket,Created,Closed,Status", rows("Closed", "Cancelled", "Spam", "In Bearbeitung"), {"asked": 4, "resolved": 1, "abandoned": 2}, ""),
        ("Ticket,Created,Closed,Status", rows("Closed", "With the builder"), {"asked": 2, "resolved": 2}, "With the builder: does that mean"),
        ("Number,Opened,Closed,State", rows("Closed Complete", "Work in Progress"), {"asked": 2, "resolved": 1}, ""),
        # what was planned is a promise, no closing
        ("Ticket,Created,Requested completion date,Status", rows("Closed", "Open"), {"asked": 2, "promised": 2, "resolved": 1}, "no column says when"),
        ("Ticket,Created,Planned completion date,Person", rows("a", "b"), {"asked": 2, "promised": 2}, ""),
        ("Ticket,Created,Estimated resolution,Person", rows("a", "b"), {"asked": 2, "promised": 2}, ""),
        ("Ticket,Created,Date de résolution prévue,Person", rows("a", "b"), {"asked": 2, "promised": 2}, ""),
        ("Ticket,Created,Geplante Erledigung,Person", rows("a", "b"), {"asked": 2, "promised": 2}, ""),
        ("Ticket,Created,First response by,Person", rows("a", "b"), {"asked": 2}, ""),
        ("Ticket,Created,First contact reply at,Person", rows("a", "b"), {"asked": 2}, ""),
        ("Ticketnummer,Erstellt,Schließzeitpunkt,Status", rows("erfolgreich geschlossen", "offen"), {"asked": 2, "resolved": 1}, ""),
    ],
)  # fmt: skip
def test_states_and_plans_are_read_as_what_they_are(
    header: str, text: str, expected: dict[str, int], words: str, tmp_path: Path
) -> None:
    kinds, inspection = counted(tmp_path, f"{header}\n{text}")
    assert kinds == expected
    assert words in " ".join(inspection.questions)


@pytest.mark.parametrize(
    ("column", "values", "is_rating"),
    [
        ("Complexity score", "12345", False),
        ("Account health score", "12345", False),
        ("Survey sent (count)", "11121", False),
        ("Agent self rating", "54545", False),
        ("CSAT survey", "01101", True),
        ("Bewertung (Schulnote)", "12145", False),
    ],
)
def test_numbers_are_a_rating_where_they_are_asked_about(
    column: str, values: str, is_rating: bool, tmp_path: Path
) -> None:
    lines = "".join(f"T{number},2026-01-{number + 13},{value}\n" for number, value in enumerate(values))
    kinds, inspection = counted(tmp_path, f"Ticket,Created,{column}\n{lines}")
    assert ("rated" in kinds) == is_rating
    assert any("Is that so?" in question for question in inspection.questions) == is_rating


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ticket;Datum;Uhrzeit;Erledigt am\n1;13.01.2026;08:30;13.01.2026\n2;14.01.2026;09:30;15.01.2026\n", "read together: 'Datum' with 'Uhrzeit'"),
        ("Vorgangsnummer;Letzte Änderung;Status\n1;13.01.2026;offen\n2;14.01.2026;geschlossen\n", "No column says for certain when a case began"),
        ("Ticket,Created,Closed\n1,2026-07-13 09:00,2026-07-14 12:00 IST\n2,2026-07-13 09:00,2026-07-14 12:00 IST\n", "'Closed' sounds like a date"),
        ("Ticket,Created,Closed\n1,2026-07-13T09:00:00Z,2026-07-14 12:00\n", "name their time zone"),
        ("Ticket,Created,Organization created at\n1,2026-07-13,2019-01-01\n", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_asked(text: str, words: str, tmp_path: Path) -> None:
    inspection = looked_at(tmp_path, text)
    assert words in " ".join(inspection.questions)
    assert "Organization created at" not in inspection.toml.split("[[moment]]", 1)[-1].split("required")[0]


def imported(workspace: Workspace, folder: Path, name: str, text: str) -> dict[str, int]:
    """What an import by a preset or a kept mapping says of a file."""
    (folder / name).write_text(text, encoding="utf-8")
    return import_file(workspace, folder / name, None, NOW).receipt.notes


def test_states_and_ratings_that_a_preset_does_not_know_are_said(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "house", "Europe/Berlin")
    header = "ID,Created at,Solved at,Initially assigned at,Requester ID,Status,Satisfaction Score"
    lines = "1,2026-01-13 09:00,2026-01-14 09:00,2026-01-13 09:05,7,Offen,Gut\n2,2026-01-13 09:00,2026-01-14 09:00,2026-01-13 09:05,7,Solved,Good\n"
    notes = imported(workspace, tmp_path, "z.csv", f"{header}\n{lines}")
    assert any("not known to mean it (Offen)" in note or "Gut" in note for note in notes)
    assert any("ratings in words that are not known (Gut)" in note for note in notes)


def test_american_dates_are_not_taken_for_french_ones(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "house", "Europe/Berlin")
    lines = "".join(f"{n},x,03/{n:02d}/2026 09:00,03/{n + 1:02d}/2026 09:00,Solved\n" for n in range(1, 28))
    imported(workspace, tmp_path, "g.csv", f"ID,Title,Opening date,Resolution date,Status\n{lines}")
    months = {datetime.fromtimestamp(row[2] / 1_000_000, UTC).month for row in moments(workspace)}
    assert months == {3}


def test_numbers_that_begin_again_in_another_file_are_said(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "house", "UTC")
    mapping = parse_mapping('name = "t"\ncase = "id"\n[[moment]]\nkind = "asked"\nat = "opened"\n', "t")
    for month in ("01", "02"):
        (tmp_path / f"{month}.csv").write_text(f"id,opened\n1,2026-{month}-09\n2,2026-{month}-10\n", encoding="utf-8")
        receipt = import_file(workspace, tmp_path / f"{month}.csv", mapping, NOW).receipt
    assert [count for note, count in receipt.notes.items() if "an opening on another day" in note] == [2]
    again = import_file(workspace, tmp_path / "02.csv", mapping, NOW).receipt
    assert log.receipts(workspace)[-1].rows_loaded == again.rows_loaded == 2


def test_a_cell_merged_over_rows_holds_for_all_of_them(tmp_path: Path) -> None:
    path = sheet_of(
        tmp_path / "m.xlsx",
        [["ID", "Opened", "Team"], *([n, f"2026-01-{n + 12}", "A" if n in (1, 4) else None] for n in range(1, 7))],
    )
    workbook = openpyxl.load_workbook(path)
    sheet = workbook.active
    assert sheet is not None
    sheet.merge_cells("C2:C4")
    sheet.merge_cells("C5:C6")
    workbook.save(path)
    assert [row[3] for row in cells(path, tmp_path)[1]] == ["A"] * 5 + [""]


def test_pages_of_records_one_behind_the_other_are_one_list(tmp_path: Path) -> None:
    path = tmp_path / "pages.json"
    path.write_text('{"tickets":[{"id":1},{"id":2}],"next":"x"}\n{"tickets":[{"id":3}],"next":null}', encoding="utf-8")
    assert [row[1] for row in cells(path, tmp_path)[1]] == ["1", "2", "3"]
    path.write_text('{"data":{"issues":{"nodes":[{"id":1},{"id":2}]}}}', encoding="utf-8")
    assert [row[1] for row in cells(path, tmp_path)[1]] == ["1", "2"]


def mailed(folder: Path, *letters: object) -> list[tuple[str, str]]:
    """(case, kind) of the moments of a mailbox of help@firm.example."""
    workspace = create_workspace(folder / "house", "UTC")
    import_file(workspace, box_of(folder / "box", list(letters)), None, NOW, own=["help@firm.example"])  # type: ignore[arg-type]
    return sorted(row[:2] for row in moments(workspace))


def test_colleagues_of_an_asker_are_not_the_help_desk(tmp_path: Path) -> None:
    answers = mailed(
        tmp_path,
        letter("a", "user1@firm.example", "help@firm.example", 5, "Broken"),
        letter("b", "boss1@firm.example", "help@firm.example", 6, "Me too", References="<a@x>"),
        letter("c", "help@firm.example", "user1@firm.example", 7, "Re: Broken", References="<a@x>"),
    )
    assert answers == [("<a@x>", "asked"), ("<a@x>", "replied")]


def test_two_customers_of_one_number_are_two_cases(tmp_path: Path) -> None:
    asked = mailed(
        tmp_path,
        letter("a", "ann@out.example", "help@firm.example", 5, "[Order #12345] late"),
        letter("b", "bob@out.example", "help@firm.example", 6, "[Order #12345] broken"),
    )
    assert [kind for _, kind in asked] == ["asked", "asked"]


def test_what_the_house_begins_is_no_question(tmp_path: Path) -> None:
    assert (
        mailed(
            tmp_path, letter("a", "ann@firm.example", "carl@out.example", 5, "Your contract", Cc="help@firm.example")
        )
        == []
    )


def test_who_fills_in_a_web_form_asks(tmp_path: Path) -> None:
    form = letter(
        "a",
        "noreply@firm.example",
        "help@firm.example",
        5,
        "Form",
        Reply_To="carl@out.example",
        Auto_Submitted="auto-generated",
    )
    assert [kind for _, kind in mailed(tmp_path, form)] == ["asked"]


def test_a_zip_of_several_kinds_leaves_none_out(tmp_path: Path) -> None:
    from wellserved.sources.bundle import files_in

    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("a.csv", "b.jsonl", "c.xlsx", "picture.png"):
            archive.writestr(name, "x")
    assert [file.name for file in files_in(tmp_path / "all.zip", tmp_path / "out")] == ["a.csv", "b.jsonl", "c.xlsx"]

"""Files that were sent, beside the path: what fails, who else is at it, what is left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.web.conftest import House
from wellserved.actions import mappings, uploads
from wellserved.actions.mapping_form import MappingForm, mapping_form
from wellserved.actions.mappings import kept_mappings, mapping_for
from wellserved.actions.uploads import Upload
from wellserved.errors import MappingError
from wellserved.sources import opening
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

pytestmark = pytest.mark.django_db(databases=["default", "journal"])
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
TICKETS = b"Ticket,Opened,Closed,State,Team,Other\n" + b"".join(
    b"%d,2026-01-%02d 09:00,2026-01-%02d 10:00,Closed,Desk,x\n" % (number, number % 27 + 1, number % 27 + 1)
    for number in range(1, 41)
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return create_workspace(tmp_path / "house", "Europe/Berlin")


def sent(workspace: Workspace, content: bytes, name: str = "tickets.csv") -> Upload:
    """A file that was sent and looked at."""
    [upload] = uploads.keep_upload(workspace, name, [content], "1", NOW)
    return uploads.advance(workspace, upload)


def form_of(workspace: Workspace, upload: Upload, tmp_path: Path, **choices: str) -> MappingForm:
    (tmp_path / "scratch").mkdir(exist_ok=True)
    form = mapping_form(workspace, upload, None, NOW, tmp_path / "scratch")
    if not choices:
        return form
    given = {f"role-{column.index}": column.role for column in form.columns} | {
        "name": form.name,
        "title": form.title,
        "zone": form.zone,
    }
    return mapping_form(workspace, upload, given | choices, NOW, tmp_path / "scratch")


def imported(workspace: Workspace, upload: Upload, toml: str = "") -> Upload:
    return uploads.advance(workspace, uploads.choose_mapping(workspace, upload, toml))


def test_a_file_that_nobody_can_read_fails_alone(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    [odd] = uploads.keep_upload(workspace, "odd.csv", [TICKETS], "1", NOW)
    [good] = uploads.keep_upload(workspace, "good.csv", [TICKETS], "1", NOW)
    read = opening.open_source

    def spoilt(path: Path, *rest: object, **more: object) -> object:
        if path.name == "odd.csv":
            raise ZeroDivisionError
        return read(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(mappings, "open_source", spoilt)
    assert uploads.advance_all(workspace) == 2
    states = {upload.name: upload for upload in uploads.all_uploads(workspace)}
    assert (states["odd.csv"].step, states["good.csv"].step) == ("failed", "looked at")
    assert "cannot be read" in states["odd.csv"].problem
    assert (odd.id, good.id) == (states["odd.csv"].id, states["good.csv"].id)


def test_two_at_once_import_once(workspace: Workspace, tmp_path: Path) -> None:
    upload = sent(workspace, TICKETS)
    toml = form_of(workspace, upload, tmp_path).toml
    done = imported(workspace, upload, toml)
    assert done.step == "imported"
    assert uploads.choose_mapping(workspace, upload, toml) == done  # a second tap, of a page from before
    assert uploads.look_again(workspace, upload) == done
    assert len(log.receipts(workspace)) == 1


def test_a_kill_after_the_import_leaves_it_imported(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = sent(workspace, TICKETS)
    waiting = uploads.choose_mapping(workspace, upload, form_of(workspace, upload, tmp_path).toml)

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "kept_with", kill)
        with pytest.raises(KeyboardInterrupt):
            uploads.advance(workspace, waiting)
    found = uploads.find_upload(workspace, upload.id)
    assert found is not None
    assert found.step == "imported"


def test_a_bad_name_is_said_before_anything_is_imported(workspace: Workspace, tmp_path: Path) -> None:
    upload = sent(workspace, TICKETS)
    form = form_of(workspace, upload, tmp_path, name="Help Desk-1")
    with pytest.raises(MappingError, match="no name for a source"):
        uploads.choose_mapping(workspace, upload, form.toml)
    assert log.receipts(workspace) == []


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"role-5": "team"}, "Several columns are taken for the team: Team, Other."),
        ({"role-0": ""}, "Say which column is the ticket's number."),
        ({"role-1": ""}, "Say which column says when it was asked"),
    ],
)
def test_choices_that_contradict_each_other_are_said(
    choices: dict[str, str], words: str, workspace: Workspace, tmp_path: Path
) -> None:
    form = form_of(workspace, sent(workspace, TICKETS), tmp_path, **choices)
    assert words in form.problem
    assert form.preview == ()


def test_the_scale_of_numbers_can_be_chosen(workspace: Workspace, tmp_path: Path) -> None:
    lines = "".join(f"{number},2026-01-{number + 13},{number % 5 + 1}\n" for number in range(1, 10))
    upload = sent(workspace, f"Ticket,Opened,Rating\n{lines}".encode())
    guessed = form_of(workspace, upload, tmp_path)
    assert (guessed.needs_scale, guessed.scale) == (True, "csat5")
    chosen = form_of(workspace, upload, tmp_path, scale="points10")
    assert (chosen.scale, 'scale = "points10"' in chosen.toml) == ("points10", True)


def test_a_role_whose_words_are_not_known_is_asked_about(workspace: Workspace, tmp_path: Path) -> None:
    form = form_of(workspace, sent(workspace, TICKETS), tmp_path, **{"role-5": "status"})
    assert any("'Other' was taken for its state" in question for question in form.questions)


def test_words_that_come_late_in_a_file_are_known(workspace: Workspace, tmp_path: Path) -> None:
    rows = [f"{number},2026-01-09 09:00,{'Closed' if number < 21_000 else 'Resolved'}" for number in range(1, 22_001)]
    upload = sent(workspace, "\n".join(["Ticket,Opened,Status", *rows]).encode())
    done = imported(workspace, upload, form_of(workspace, upload, tmp_path).toml)
    [receipt] = log.receipts(workspace)
    assert (done.step, receipt.moments) == ("imported", 44_000)


def test_a_wide_file_is_known_the_next_time(workspace: Workspace, tmp_path: Path) -> None:
    names = ["Ticket", "Opened", *(f"Field {number}" for number in range(120))]
    content = ",".join(names) + "\n" + "\n".join(f"{n},2026-01-09," + ",".join(["x"] * 120) for n in range(5))
    upload = sent(workspace, content.encode())
    assert imported(workspace, upload, form_of(workspace, upload, tmp_path).toml).step == "imported"
    assert sent(workspace, content.encode(), "next.csv").known_as == "tickets"


def test_a_file_of_another_system_is_not_taken_for_a_known_one(workspace: Workspace, tmp_path: Path) -> None:
    upload = sent(workspace, TICKETS)
    imported(workspace, upload, form_of(workspace, upload, tmp_path).toml)
    other = ["Ticket", "Opened", "Closed", "State", "Team", "Other", *(f"Column {number}" for number in range(9))]
    assert mapping_for(workspace, other) is None
    assert mapping_for(workspace, ["Team", "Ticket", "Opened", "Closed", "State", "Other", "New"]) is not None


def test_a_kept_mapping_that_cannot_be_read_stops_no_other_file(workspace: Workspace, tmp_path: Path) -> None:
    upload = sent(workspace, TICKETS)
    imported(workspace, upload, form_of(workspace, upload, tmp_path).toml)
    (workspace.folder / "mappings" / "broken-1.toml").write_text("name = ", encoding="utf-8")
    assert [mapping.name for mapping, _ in kept_mappings(workspace)] == ["tickets"]
    assert sent(workspace, TICKETS, "again.csv").known_as == "tickets"


def test_versions_of_a_mapping_are_kept(workspace: Workspace, tmp_path: Path) -> None:
    upload = sent(workspace, TICKETS)
    imported(workspace, upload, form_of(workspace, upload, tmp_path).toml)
    upload = sent(workspace, TICKETS, "again.csv")
    imported(workspace, upload, form_of(workspace, upload, tmp_path, **{"role-5": "category"}).toml)
    assert sorted(file.name for file in (workspace.folder / "mappings").iterdir()) == [
        "tickets-1.toml",
        "tickets-2.toml",
    ]
    assert [(mapping.columns.get("category"), version) for mapping, version in kept_mappings(workspace)] == [
        ("Other", 2)
    ]


def test_the_sheet_that_was_chosen_once_is_known(workspace: Workspace, tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    first = workbook.active
    assert first is not None
    first.title = "Notes"
    second = workbook.create_sheet("Tickets")
    for sheet, rows in (
        (first, [["who", "what"], ["Kim", "called"]]),
        (second, [["Ticket", "Opened"], [1, "2026-01-09"], [2, "2026-01-10"]]),
    ):
        for row in rows:
            sheet.append(row)
    workbook.save(tmp_path / "book.xlsx")
    content = (tmp_path / "book.xlsx").read_bytes()
    upload = sent(workspace, content, "book.xlsx")
    assert (upload.step, "2 sheets" in upload.problem) == ("failed", True)
    upload = uploads.advance(workspace, uploads.look_again(workspace, upload, "Tickets"))
    assert imported(workspace, upload, form_of(workspace, upload, tmp_path).toml).step == "imported"
    again = sent(workspace, content, "next.xlsx")
    assert (again.step, again.part, again.known_as) == ("looked at", "Tickets", "book")


def test_a_file_with_nothing_but_a_header_says_so(workspace: Workspace) -> None:
    upload = sent(workspace, b"Ticket,Opened\n")
    assert (upload.step, "no rows" in upload.problem) == ("failed", True)


def test_nobody_else_on_the_computer_reads_what_was_sent(workspace: Workspace) -> None:
    upload = sent(workspace, TICKETS)
    folder = workspace.folder / "uploads"
    modes = {path.stat().st_mode & 0o077 for path in [folder, *folder.rglob("*")] if path.name != ".lock"}
    assert modes == {0}
    assert upload.step == "looked at"


As = Callable[..., Client]


def test_a_script_is_told_what_is_wrong(staff: House, as_: As, place: Workspace) -> None:
    client = as_(staff.lead)
    empty = client.post("/data/", {"file": SimpleUploadedFile("a.csv", b"")}, headers={"Accept": "application/json"})
    assert (empty.status_code, "empty" in json.loads(empty.content)["problem"]) == (422, True)
    fine = client.post("/data/", {"file": SimpleUploadedFile("a.csv", TICKETS)}, headers={"Accept": "application/json"})
    page = client.get(json.loads(fine.content)["url"])
    assert "What the columns are" in page.content.decode()
    header = client.post("/data/", {"file": SimpleUploadedFile("h.csv", b"a,b\n")})
    assert "no rows" in client.get(header["Location"]).content.decode()
    assert client.post(header["Location"], {"do": "discard"}).status_code == 302
    assert client.get(header["Location"]).status_code == 404
    shutil.rmtree(place.folder / "uploads")  # the house is that of other tests, too


LENGTHS = b"Ticket,Day,At,Resolution time,State\n" + b"".join(
    b"%d,2026-01-%02d,09:%02d,%d,%s\n"
    % (number, number % 27 + 1, number, 30 + number, b"Open" if number % 5 == 0 else b"Closed")
    for number in range(1, 31)
)


def test_the_unit_of_a_length_of_time_can_be_chosen(workspace: Workspace, tmp_path: Path) -> None:
    """Where neither name nor content says it, it is asked, and the column makes no moment until somebody does."""
    upload = sent(workspace, LENGTHS)
    guessed = form_of(workspace, upload, tmp_path)
    assert {column.name: column.role for column in guessed.columns} == {
        "Ticket": "case", "Day": "asked", "At": "clock", "Resolution time": "", "State": "status"
    }  # fmt: skip
    assert any("in seconds, minutes, hours or days?" in question for question in guessed.questions)
    assert guessed.columns[3].options == ("seconds", "minutes", "hours", "days")  # before a role is chosen
    open_form = form_of(workspace, upload, tmp_path, **{"role-3": "resolved_after"})
    assert open_form.columns[3].options == ("seconds", "minutes", "hours", "days")
    assert "delay" not in open_form.toml
    form = form_of(workspace, upload, tmp_path, **{"role-3": "resolved_after", "order-3": "minutes"})
    assert (
        'delay = "Resolution time"\ndelay_unit = "minutes"\nwhen = { column = "State", is_not = ["Open"] }' in form.toml
    )
    first = {moment.kind: moment.at for moment in form.preview[0].moments}
    assert (first["asked"].isoformat(), first["resolved"] - first["asked"]) == (
        "2026-01-02T08:01:00+00:00",
        timedelta(minutes=31),
    )
    upload = imported(workspace, upload, form.toml)
    files = list(log.snapshot(workspace.log).files)
    kinds = duckdb.connect().sql(f"SELECT kind, count(*) FROM read_parquet({files}) GROUP BY 1 ORDER BY 1").fetchall()
    assert kinds == [("asked", 30), ("resolved", 24)]


def test_a_time_of_day_without_its_day_is_said(workspace: Workspace, tmp_path: Path) -> None:
    upload = sent(workspace, b"Ticket,Opened,At\n1,2026-01-13 09:00,09:30\n2,2026-01-14 10:00,10:30\n")
    form = form_of(workspace, upload, tmp_path, **{"role-2": "clock"})
    assert any("'At' was taken for the time of day" in question for question in form.questions)
    assert "[clocks]" not in form.toml

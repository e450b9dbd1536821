"""A disk that takes no more, while the pages are open: what can be read still is, and what cannot be saved says why."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client

from tests.web.conftest import House, book
from tests.web.test_api import key
from wellserved.actions import imports, uploads
from wellserved.storage.workspace import Workspace

As = Callable[[Any], Client]
pytestmark = [
    pytest.mark.django_db(databases=["default", "journal"], transaction=True),
    pytest.mark.skipif("connections['default'].vendor != 'sqlite'", reason="SQLite is told to be full or read-only"),
]
READ = ("/", "/journal/", "/promises/", "/failures/", "/measures/", "/customers/", "/reports/", "/me/", "/livez")


@contextmanager
def refusing(setting: str) -> Iterator[None]:
    """Both databases write no more: as SQLite says it where the disk is full, or read-only."""
    full = setting == "full"
    for alias in ("default", "journal"):
        with connections[alias].cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 1" if full else "PRAGMA query_only = 1")  # 1: as many as there are
    try:
        yield
    finally:
        for alias in ("default", "journal"):
            with connections[alias].cursor() as cursor:
                cursor.execute("PRAGMA max_page_count = 1073741823" if full else "PRAGMA query_only = 0")


@pytest.mark.parametrize(("setting", "status"), [("full", 507), ("read-only", 503)])
def test_pages_are_read_and_say_why_nothing_is_saved(
    staff: House, as_: As, caplog: pytest.LogCaptureFixture, setting: str, status: int
) -> None:
    client = as_(staff.kim)
    client.raise_request_exception = False
    book(staff.kim)
    words = "note: " + "a long story " * 300  # more than the pages that there are can hold
    with refusing(setting):
        assert {page: client.get(page).status_code for page in READ} == dict.fromkeys(READ, 200)
        saved = 0
        while (answer := client.post("/journal/", {"line": words, "do": "save"})).status_code == 302:
            saved += 1  # into pages that an earlier test has left empty
            assert saved < 200
        assert answer.status_code == status
        told = answer.content.decode()
        assert setting in told
        assert "What was said to be saved is safe" in told
        assert "What you wrote last is not saved" in told
        assert "Traceback" not in told
        assert 'href="/journal/"' in told, "the way to what can still be read"
    assert [one for one in caplog.records if one.exc_info] == []
    assert len(book(staff.kim).latest(300)) == saved
    assert client.post("/journal/", {"line": words[:2_000], "do": "save"}).status_code in (200, 302)
    assert len(book(staff.kim).latest(300)) == saved + 1


def test_whoever_cannot_log_in_because_nothing_is_written_is_told(staff: House) -> None:
    client = Client(raise_request_exception=False)
    with refusing("read-only"):
        answer = client.post("/login/login/", {"login": "kim", "password": "correct horse battery"})
    assert answer.status_code == 503
    assert "read-only" in answer.content.decode()


def test_a_key_still_reads_and_a_write_is_answered_with_the_reason(staff: House) -> None:
    client = key(staff.peer)
    client.raise_request_exception = False
    with refusing("read-only"):
        assert client.get("/api/v1/promises").status_code == 200
        sent = client.post("/api/v1/moments", json.dumps({"word": "asked"}), content_type="application/json")
    assert sent.status_code == 503
    assert "read-only" in sent.json()["detail"]
    assert sent.json()["do"]


def test_an_upload_that_finds_no_room_says_so_and_leaves_nothing(
    staff: House, as_: As, place: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(place.folder / "log"))

    monkeypatch.setattr(imports, "import_file", full)
    uploads_before = waiting(place)
    before = entries(place)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    client = as_(staff.lead)
    with (tmp_path / "a.csv").open("rb") as file:
        sent = client.post("/data/", {"file": file})
    answer = client.post(sent["Location"], {"do": "import as known"})
    assert answer.status_code == 507
    assert "The disk is full" in answer.content.decode()
    assert entries(place) == before | {"uploads"}
    assert client.post(sent["Location"], {"do": "discard"}).status_code == 302
    assert waiting(place) == uploads_before


def entries(place: Workspace) -> set[str]:
    """What lies in a workspace, but for what SQLite keeps beside its files while they are open."""
    return {file.name for file in place.folder.iterdir() if not file.name.endswith(("-wal", "-shm"))}


def waiting(place: Workspace) -> set[str]:
    """The files that were sent, other tests' too."""
    return {entry.name for entry in (place.folder / "uploads").glob("*")}


def test_a_file_for_which_there_is_no_room_leaves_nothing(
    staff: House, as_: As, place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(place.folder / "uploads"))

    monkeypatch.setattr(uploads, "files_in", full)
    uploads_before = waiting(place)
    answer = as_(staff.lead).post("/data/", {"file": SimpleUploadedFile("a.csv", b"a,b\n1,2\n")})
    assert answer.status_code == 507
    assert waiting(place) == uploads_before


def test_the_log_of_the_server_says_it_in_a_sentence() -> None:
    from wellserved.web.error_handling import DiskErrorFilter

    record = logging.LogRecord("django.request", logging.ERROR, "", 0, "Internal Server Error", (), None)
    try:
        raise OSError(errno.EIO, "Input/output error")
    except OSError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    assert DiskErrorFilter().filter(record)
    assert vars(record)["exc_info"] is None
    assert "The disk failed at" in record.getMessage()

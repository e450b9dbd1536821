"""From a file that nobody knows to the report: dropped, two columns put right, imported, refused rows mended, and read."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.web.test_browser import TAGS, chromium, follow, spaced_width
from tests.web.test_house import Server
from tests.web.test_road import look, serving
from wellserved.storage import log
from wellserved.storage.workspace import create_workspace, open_workspace

__all__ = ["TAGS", "chromium", "spaced_width"]  # fixtures of others
pytestmark = pytest.mark.browser
MINUTES = 180  # seconds for the whole way


def german_tickets() -> bytes:
    """Sixty tickets as a German helpdesk writes them; in three rows the opening cannot be read."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(["Vorgang", "Betreff", "Erstellt am", "Erledigt", "Bereich", "Kennung", "Note", "Kosten"])
    for number in range(60):
        day, closed = number % 27 + 1, f"{number % 27 + 1:02d}.02.2026 17:15" if number % 3 else ""
        opened = "gestern" if number in (7, 20, 41) else f"{day:02d}.01.2026 08:{number:02d}"
        row = [
            f"V{number:04d}",
            f"Drucker {number}",
            opened,
            closed,
            ("Technik", "Verkauf")[number % 2],
            f"K{number % 9}",
        ]
        writer.writerow([*row, f"{number % 5 + 1},0" if closed else "", f"{1000 + number},50"])
    return text.getvalue().encode("cp1252")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    workspace = create_workspace(tmp_path_factory.mktemp("files") / "house", "Europe/Berlin")
    with serving(workspace) as server:
        server.workspace = workspace  # type: ignore[attr-defined]
        yield server


def drop(page: Page, name: str, content: bytes) -> None:
    """Drop a file on the page, as from the desktop."""
    transfer = page.evaluate_handle(
        "([name, text]) => { const data = new DataTransfer(); data.items.add(new File([Uint8Array.from(text)], name)); return data; }",
        [name, list(content)],
    )
    with page.expect_navigation():
        page.dispatch_event("form[data-drop]", "drop", {"dataTransfer": transfer})


def pick(page: Page, column: str, role: str) -> None:
    """Say by keyboard what a column is."""
    select = page.get_by_label(f"{column} is taken for", exact=True)
    select.focus()
    select.select_option(label=role)


def test_from_a_strange_file_to_the_report(chromium: Browser, house: Server, tmp_path: Path) -> None:
    begun, base = time.monotonic(), f"http://127.0.0.1:{house.port}"
    with opened(chromium, 390) as page:
        page.goto(f"{base}/data/")
        look(page, "data-390")
        drop(page, "vorgaenge.csv", german_tickets())
        look(page, "mapping-390")
        map_and_import(page)
        look(page, "imported-390")
        with page.expect_download() as download:
            page.click("a:has-text('Take the refused rows')")
        refused = download.value.path().read_text(encoding="utf-8-sig").replace("gestern", "09.01.2026 08:07")
        page.goto(f"{base}/data/")
        drop(page, "mended.csv", refused.encode())
        assert "This is a file of a kind that is known: Vorgaenge." in page.inner_text("main")
        follow(page, "button:has-text('Import')")
        assert "3 rows read = 3 loaded + 0 refused." in page.inner_text("main")
        follow(page, "a:has-text('Your report')")
        look(page, "report-390")
        assert "Vorgaenge" in page.inner_text("body")
    assert time.monotonic() - begun < MINUTES
    read_again(chromium, base)
    workspace = open_workspace(house.workspace.folder)  # type: ignore[attr-defined]
    receipts = log.receipts(workspace, "werkstatt")
    assert [(receipt.rows_loaded, receipt.rows_refused) for receipt in receipts] == [(3, 0), (57, 3)]
    assert not list((workspace.folder / "uploads").glob("*/file/*"))
    assert [file.name for file in (workspace.folder / "mappings").iterdir()] == ["werkstatt-1.toml"]


@contextmanager
def opened(chromium: Browser, width: int) -> Iterator[Page]:
    """A page of this width, without a message of an error."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    failures: list[str] = []
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    yield page
    assert failures == []
    context.close()


def map_and_import(page: Page) -> None:
    """Put two columns right, see what becomes of the rows, and import, all by keyboard."""
    for column, role in (("Kennung", "the customer"), ("Bereich", "the team")):
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            pick(page, column, role)
    page.wait_for_selector("[data-preview]:not([aria-busy]) table")
    assert "V0000" in page.inner_text("[data-preview]")
    page.fill("#name", "werkstatt")
    page.locator("button:has-text('Import')").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "60 rows read = 57 loaded + 3 refused." in page.inner_text("main")


def read_again(chromium: Browser, base: str) -> None:
    """The file of before, on a wide screen: it is known now, its columns can still be changed, and it brings nothing new."""
    with opened(chromium, 1280) as page:
        page.goto(f"{base}/data/")
        look(page, "data-1280", 1280)
        drop(page, "vorgaenge.csv", german_tickets())
        follow(page, "a:has-text('Change what the columns are')")
        assert page.get_by_label("Kennung is taken for").input_value() == "customer_id"
        look(page, "mapping-1280", 1280)
        follow(page, "button:has-text('Import')")
        assert "it brought nothing new" in page.inner_text("main")

"""The whole road on a phone: a month of entries, a signed claim, a résumé as PDF, a report by mail; every page looked at by axe."""

from __future__ import annotations

import email
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.policy import default
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.claim.quotes import quote_rows, quote_workspace, write_quotes
from tests.web.test_browser import TAGS, chromium, follow, spaced_width
from tests.web.test_house import Server
from tests.web.test_mail import post
from wellserved.actions.mail_settings import MailSettings, save_settings
from wellserved.claim.carriers import claim_files
from wellserved.claim.check import check_claim
from wellserved.storage.workspace import Workspace

__all__ = ["chromium", "post"]  # fixtures of others
pytestmark = pytest.mark.browser
MINUTES = 5 * 60
LINES = (
    "missed: Acme waited for the badge", "fixed: Acme has its badge", "thanks: Northwind liked the call", "idea from Kim: print the labels first",
    "promise: Acme gets the draft by Friday", "lesson: ask first", "exceeded: Contoso got its quote on the same day", "complaint: Fabrikam found it cold",
)  # fmt: skip


class _Folder:
    """A workspace as `Server` takes it."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env


@contextmanager
def serving(workspace: Workspace, **settings: str) -> Iterator[Server]:
    """`wellserved serve` on a workspace, with further settings of its environment, until the end."""
    env = {**os.environ, "WELLSERVED_HOME": str(workspace.folder), **settings}
    for name in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE"):
        env.pop(name, None)
    server = Server(_Folder(env))  # type: ignore[arg-type]
    yield server
    server.process.terminate()
    server.process.wait(30)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, post: tuple[MailSettings, Path]) -> Iterator[Server]:
    """A house of one, with quotes that are answered faster since October, and a mail server."""
    folder = tmp_path_factory.mktemp("road")
    workspace = quote_workspace(folder, write_quotes(folder / "q.csv", quote_rows(2, 2.5)))
    save_settings(workspace, post[0])
    with serving(workspace, SSL_CERT_FILE=str(post[1] / "certificate.pem")) as server:
        yield server


def look(page: Page, name: str, width: int = 390) -> None:
    """No violation, nothing beside the screen, and a picture where pictures are asked for."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    assert found.violations_count == 0, (page.url, found.generate_report())
    assert spaced_width(page) <= width, page.url
    if folder := os.environ.get("WELLSERVED_PICTURES"):
        page.screenshot(path=f"{folder}/road-{name}.png", full_page=True)


def test_from_entries_to_a_claim_a_resume_and_a_mail(
    chromium: Browser, house: Server, post: tuple[MailSettings, Path], tmp_path: Path
) -> None:
    begun, base = time.monotonic(), f"http://127.0.0.1:{house.port}"
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", accept_downloads=True)
    page = context.new_page()
    page.goto(base)
    for line in LINES:
        page.fill("#line", line)
        page.press("#line", "Enter")
        page.wait_for_selector("[data-saved]")
        page.reload()
    page.goto(f"{base}/me/")
    page.fill("#id_first_name", "Kim")
    page.fill("#id_last_name", "Müller")
    page.fill("#id_email", "kim@example.org")
    follow(page, "main form button:has-text('Save')")

    page.goto(f"{base}/improvements/triage/claim")
    look(page, "draft")
    follow(page, "button:has-text('Sign it as mine')")
    page.wait_for_url(f"{base}/claims/")
    page.click("summary:has-text('Give it an address')")
    follow(page, "button:has-text('Publish it')")
    look(page, "address")
    page.goto(page.inner_text("main a"))
    assert "follows from the records" in page.inner_text("main")
    look(page, "public")

    page.goto(f"{base}/resume/")
    look(page, "resume-empty")
    follow(page, "button:has-text('Add it') >> nth=0")
    page.wait_for_selector("text=as signed")
    page.fill("#id_work-0-position", "Clerk")
    page.fill("#id_work-0-name", "Contoso")
    page.fill("#id_work-0-startDate", "2024-03")
    follow(page, "button:text-is('Save')")
    page.wait_for_selector("text=Saved.")
    assert "as signed" in page.inner_text("main")
    look(page, "resume")
    with page.expect_download() as download:
        page.click("a:text-is('pdf')")
    download.value.save_as(tmp_path / "resume.pdf")
    [raw] = claim_files((tmp_path / "resume.pdf").read_bytes())
    assert check_claim(raw).exit_code == 1  # genuine, and the key was not named

    page.goto(f"{base}/reports/")
    look(page, "reports")
    follow(page, "ul.cards a >> nth=0")
    assert "Contoso got its quote" in page.input_value("#text")
    follow(page, "button:text-is('Save')")
    page.fill("#recipients", "boss@example.org")
    page.check("[name=with_pdf]")
    look(page, "week")
    follow(page, "button:text-is('Send it')")
    mails = _arrived(post[1])
    assert time.monotonic() - begun < MINUTES
    assert mails == ["boss@example.org"]
    page.reload()
    assert "sent" in page.inner_text("main")
    for address in ("/practices/", "/reports/mail", "/claims/"):
        page.goto(base + address)
        look(page, address.strip("/").replace("/", "-"))
    context.close()


def _arrived(folder: Path) -> list[str]:
    """To whom mails came, once one has."""
    for _wait in range(200):
        if files := list(folder.glob("*.eml")):
            return [str(email.message_from_bytes(file.read_bytes(), policy=default)["To"]) for file in files]
        time.sleep(0.1)
    return []

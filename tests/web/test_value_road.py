"""From records to what is at stake: accounts, reasons, contracts, a business case, objectives and the leader's page, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from playwright.sync_api import Browser, Page

from tests.value.account_world import line, workspace_of_rows, world
from tests.web.test_browser import chromium, follow
from tests.web.test_house import Server
from tests.web.test_road import look, serving
from wellserved.storage.workspace import Workspace

__all__ = ["chromium"]  # a fixture of others
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workspace]]:
    """A house of one with the records of thirty accounts; one of them was let down twice and nobody made it right."""
    rows = world(4, True, accounts=29)
    for number in range(9):
        rows += [line(f"Z-{number}", 990 + 10 * number, "asked", "Zenith"), line(f"Z-{number}", 992 + 10 * number, "resolved", "Zenith")]  # fmt: skip
    rows += [
        line("Z-3", 1021, "failed", "Zenith", cause="labels"),
        line("Z-5", 1041, "failed", "Zenith", cause="labels"),
    ]
    workspace = workspace_of_rows(tmp_path_factory.mktemp("value"), rows)
    with serving(workspace) as server:
        yield server, workspace


def test_from_records_to_what_is_at_stake(chromium: Browser, house: tuple[Server, Workspace]) -> None:
    server, _workspace = house
    base = f"http://127.0.0.1:{server.port}"
    page = chromium.new_context(viewport={"width": 390, "height": 844}, accept_downloads=True).new_page()
    page.goto(f"{base}/accounts/")
    follow(page, "button:has-text('Add them all')")
    assert "at risk" in page.inner_text("main")
    look(page, "accounts")
    _account(page, base)
    _pulse_and_prompt(page, base)
    _business_case(page, base)
    _objectives(page, base)
    page.goto(f"{base}/house/")
    text = page.inner_text("main")
    assert "Keep our word" in text
    assert "Zenith: 2 breaches not made right" in text
    assert "Wrong labels" in text
    look(page, "house")
    page.set_viewport_size({"width": 1280, "height": 900})
    for name in ("house/", "accounts/", "objectives/", "contracts/", "pulse/"):
        page.goto(f"{base}/{name}")
        look(page, f"wide-{name.strip('/')}", 1280)


def _account(page: Page, base: str) -> None:
    """The reasons lead to their cases; a contract has its day of decision."""
    follow(page, "a:has-text('Zenith')")
    text = page.inner_text("main")
    assert "2 breaches not made right" in text
    assert "labels: broken 2 times" in text
    page.click("summary:has-text('Add a contract')")
    decides_on = date.today() + timedelta(days=3)
    page.fill("#id_starts", f"{decides_on.replace(year=decides_on.year - 2, day=1):%Y-%m-%d}")
    page.fill("#id_ends", f"{decides_on + timedelta(days=90):%Y-%m-%d}")
    page.fill("#id_notice_value", "90")
    page.select_option("#id_notice_unit", "day")
    page.fill("#id_value_year", "120000")
    page.fill("form[action$=contract] #id_currency", "EUR")
    follow(page, "form[action$=contract] button:has-text('Add')")
    text = page.inner_text("main")
    assert f"Decides by {decides_on:%Y-%m-%d}" in text
    assert "120,000 EUR" in text
    look(page, "account")
    account = page.url
    page.click("summary:has-text('The cases') >> nth=0")
    follow(page, "main details[open] a:has-text('Z-5')")
    assert "Z-5" in page.inner_text("body")
    page.goto(account)


def _pulse_and_prompt(page: Page, base: str) -> None:
    page.goto(f"{base}/pulse/")
    follow(page, "button:has-text('friendly')")
    assert page.locator("button[aria-pressed=true]").inner_text() == "friendly"
    look(page, "pulse")
    page.goto(base)
    page.fill("#line", "missed: Zenith got the wrong labels, cause labels")
    page.press("#line", "Enter")
    page.wait_for_selector("[data-saved]")
    page.goto(f"{base}/prompt")
    assert "Zenith decides about its contract" in page.inner_text("main")
    look(page, "prompt")
    follow(page, "button:has-text('Done')")
    page.goto(f"{base}/prompt")
    assert "Nothing waits for you today." in page.inner_text("main")


def _business_case(page: Page, base: str) -> None:
    page.goto(f"{base}/business-cases/new")
    page.fill("#id_title", "Wrong labels")
    page.fill("#id_words", "“My parcel went to Hull again.”")
    ranges = {"cases_a_year": (900, 1200), "avoidable_share": (0.08, 0.2), "hours_each": (0.5, 2), "hourly_rate": (38, 52), "cost": (6000, 12000)}  # fmt: skip
    for name, (low, high) in ranges.items():
        page.fill(f"#id_{name}_low", str(low))
        page.fill(f"#id_{name}_high", str(high))
    follow(page, "button:has-text('What does it come to?')")
    assert "The chance that it does not pay is" in page.inner_text("main")
    look(page, "case-form")
    follow(page, "button:has-text('Keep it')")
    assert "hours that a case takes" in page.inner_text("main")
    look(page, "case")
    with page.expect_download() as download:
        page.click("text=One page for the sponsor (PDF)")
    assert download.value.path().read_bytes().startswith(b"%PDF-")


def _objectives(page: Page, base: str) -> None:
    page.goto(f"{base}/objectives/")
    page.click("summary:has-text('Set an objective')")
    page.fill("#id_name", "Keep our word")
    follow(page, "button:text-is('Set')")
    page.select_option("#id_measure", "promise_kept")
    page.fill("#id_target", "0.9")
    follow(page, "button:has-text('Add the measure')")
    assert "promise kept" in page.inner_text("main")
    page.goto(f"{base}/objectives/")
    assert "Of the promises that fell due, how many were kept?" in page.inner_text("main")
    look(page, "objectives")

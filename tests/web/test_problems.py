"""Problems on the pages: found by the worker, named, looked into, made an improvement, and its verdict read; by axe and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.listen.house import desk
from tests.web.test_browser import chromium, follow
from tests.web.test_house import Server
from tests.web.test_road import look, serving

__all__ = ["chromium"]  # a fixture of others
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A desk whose pumps came damaged until October, and to which nobody has listened."""
    share = lambda problem, week: (0.1 if week >= 80 else 1.0) * 2 if problem == "damaged" else 1.0  # noqa: E731
    workspace, _ = desk(tmp_path_factory.mktemp("problems"), 112, 30, 7, share)
    with serving(workspace) as server:
        yield server


def opened(page: Page, base: str) -> None:
    """The largest problem about pumps."""
    page.goto(f"{base}/problems/")
    follow(page, "ul.problems li:has(blockquote:has-text('pump')) a >> nth=0")


def test_from_words_to_a_verdict(chromium: Browser, house: Server, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{house.port}"
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(120_000)
    failures: list[str] = []
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    page.goto(f"{base}/problems/")
    assert "Nobody has looked for problems yet" in page.inner_text("main")
    follow(page, 'button:has-text("Find problems in customers\' words")')
    page.wait_for_selector("ul.problems li")
    look(page, "problems")
    opened(page, base)
    page.fill("#name", "Damaged pumps")
    follow(page, "button:has-text('Name it')")
    assert page.inner_text("h1 >> nth=0") == "Damaged pumps"
    look(page, "problem")
    assert "<script" not in page.inner_text("body")
    follow(page, "a:has-text('Its cases')")
    assert page.locator("table tr").count() > 50
    page.go_back()
    follow(page, "a:has-text('Make it an improvement')")
    page.fill("#id_what", "Foam corners in every box")
    page.fill("#id_since", "2026-07-20")
    follow(page, "button:has-text('See what eight weeks will show')")
    page.wait_for_selector("section.panel")
    follow(page, "button:has-text('Declare it')")
    follow(page, "a:has-text('Foam corners in every box')")
    page.wait_for_selector(".within h1")
    assert "improved" in page.inner_text(".within").casefold()
    look(page, "verdict")
    page.goto(f"{base}/problems/")
    follow(page, "a:has-text('what is new')")
    page.wait_for_selector(".within svg.narrow")
    look(page, "problem_news")
    page.goto(f"{base}/problems/?by=service")
    assert "parts" in page.inner_text("ul.problems")
    assert "Customers' words beside the service" in page.inner_text("body")
    page.fill("#minutes", "7,5")
    page.fill("#rate", "many")
    follow(page, "button:has-text('Keep it')")
    assert "no rate" in page.inner_text("body")
    page.fill("#minutes", "7,5")
    page.fill("#rate", "45 EUR")
    follow(page, "button:has-text('Keep it')")
    assert "Hours: 7.5 minutes a reply, as declared. An hour costs 45 EUR, as declared." in page.inner_text(
        ".within >> nth=0"
    )
    look(page, "problem_costs")
    assert failures == []
    context.close()

"""The pages in a real browser: accessible, no sideways scroll on a phone, no request to anybody, light and dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from wellserved.actions import questions
from wellserved.cli import app
from wellserved.explore.drivers import Driver, Drivers
from wellserved.explore.gap import ExpectationGap, ExpectationGaps
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.render.charts.insights import driver_picture, gap_picture
from wellserved.render.formats import html
from wellserved.render.tables import insights
from wellserved.storage.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
if CHROMIUM is None and os.environ.get("CI") == "true":
    raise RuntimeError("CI must have Chromium: the pages are to be tested")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM ON THIS MACHINE: the pages are NOT tested"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


PROOF = [
    "prove",
    "--measure",
    "time_to_resolution",
    "--change",
    "2015-07-06",
    "--where",
    "source=boston311",
    "--age",
    "10",
    "--every",
    "day",
]


@pytest.fixture(scope="module")
def pages(samples: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    made = []
    for source in ("boston311", "servicenow", "cfpb"):
        report = questions.service_report(samples, source)
        (folder / f"{source}.html").write_text(html.report_page(report), encoding="utf-8")
        made.append((f"{source}.html", report))
    (folder / "index.html").write_text(html.index_page(made), encoding="utf-8")
    question = MeasureQuestion((find_measure("promise_kept"),), by="team", where=(("source", "boston311"),))
    (folder / "series.html").write_text(html.series_page(questions.ask_measures(samples, question)), encoding="utf-8")
    question = MeasureQuestion(
        (find_measure("time_to_resolution"),), by="team", granularity="week", where=(("source", "boston311"),)
    )
    (folder / "multiples.html").write_text(
        html.series_page(questions.ask_measures(samples, question)), encoding="utf-8"
    )
    for name, command in (
        ("queue", ["queue", "--within", "4h", "--handling", "30m"]),
        ("chain", ["chain", "--source", "servicenow"]),
        ("proof", PROOF),
    ):
        written = ["--format", "html", "--output", str(folder / f"{name}.html"), "--home", str(samples.folder)]
        done = CliRunner().invoke(app, [*command, *written])
        assert done.exit_code == 0, done.output
    (folder / "gap.html").write_text(
        html.tables_page("Gap", [insights.gap_table(GAPS)], [gap_picture(GAPS)]), encoding="utf-8"
    )
    page = html.tables_page("Drivers", [insights.driver_table(DRIVEN)], [driver_picture(DRIVEN)])
    (folder / "drivers.html").write_text(page, encoding="utf-8")
    return folder


GAPS = ExpectationGaps(
    "csat5",
    "service",
    (
        ExpectationGap("Quote requests <of a very long name indeed>", 40, 4.5, 3.2, -1.3, -1.6, -1.0, 0.3, 0.9, 0.7),
        ExpectationGap("Repairs", 25, 3.9, 4.4, 0.5, 0.1, 0.9, 0.8, 0.7, 0.3),
    ),
    3,
    4,
)
DRIVEN = Drivers(
    "csat5",
    400,
    0.3,
    (
        Driver("late", "promise not kept", 90, 0.2, 0.15, 0.25, 6.0, 4.0, 9.0),
        Driver("slow", "slower than most to be resolved", 200, 0.1, 0.07, 0.13, None, None, None),
    ),
)


def opened(
    browser: Browser, pages: Path, name: str, width: int = 1280, scheme: str = "light"
) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("request", lambda request: noise.append(request.url) if not request.url.startswith("file:") else None)
    page.goto((pages / name).as_uri())
    return page, noise


NAMES = (
    "series.html",
    "multiples.html",
    "boston311.html",
    "servicenow.html",
    "cfpb.html",
    "series.html",
    "queue.html",
    "chain.html",
    "proof.html",
    "gap.html",
    "drivers.html",
)


LOOKS = [("index.html", "light"), ("index.html", "dark"), ("boston311.html", "light"), ("boston311.html", "dark")]
LOOKS += [("servicenow.html", "dark"), ("series.html", "light")]
LOOKS += [
    (f"{name}.html", scheme) for name in ("queue", "chain", "proof", "gap", "drivers") for scheme in ("light", "dark")
]


@pytest.mark.parametrize(("name", "scheme"), LOOKS)
def test_a_page_has_no_accessibility_fault_and_makes_no_noise(
    browser: Browser, pages: Path, name: str, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page, noise = opened(browser, pages, name, scheme=scheme)
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    # the rows of a table are alike: of long ones the first forty
    page.evaluate(
        "document.querySelectorAll('tbody').forEach(body => [...body.rows].slice(40).forEach(row => row.remove()))"
    )
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert len(found.response["passes"]) > 5
    assert found.violations_count == 0, found.generate_report()
    assert noise == []
    page.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_never_scrolls_sideways_and_shows_the_picture_that_fits(
    browser: Browser, pages: Path, name: str, width: int
) -> None:
    page, _ = opened(browser, pages, name, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if "figure" in page.content() and name.endswith("311.html"):
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        fits, other = ("narrow", "wide") if width == 390 else ("wide", "narrow")
        assert page.locator(f"svg.{fits}").first.is_visible()
        assert not page.locator(f"svg.{other}").first.is_visible()
    page.close()


def test_the_five_answers_fill_one_screen_and_paper_shows_everything(browser: Browser, pages: Path) -> None:
    page, _ = opened(browser, pages, "boston311.html")
    page.set_viewport_size({"width": 1280, "height": 800})
    bottoms = page.eval_on_selector_all(".brief .part", "all => all.map(one => one.getBoundingClientRect().bottom)")
    assert len(bottoms) == 5
    assert max(bottoms) <= 800
    assert not page.locator("figure").first.is_visible()
    page.emulate_media(media="print")
    assert page.locator("figure").first.is_visible()
    page.close()


def test_labels_of_a_chart_stay_inside_its_picture(browser: Browser, pages: Path) -> None:
    page, _ = opened(browser, pages, "boston311.html")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    outside = page.eval_on_selector_all(
        "svg.wide text",
        """all => all.filter(one => { const t = one.getBoundingClientRect(), s = one.closest('svg').getBoundingClientRect();
            return t.left < s.left - 1 || t.right > s.right + 1 }).map(one => one.textContent)""",
    )
    assert outside == []
    page.close()


def test_a_definition_is_one_click_away(browser: Browser, pages: Path) -> None:
    page, _ = opened(browser, pages, "boston311.html")
    link = page.locator("a.def").first
    target = link.get_attribute("href")
    link.click()
    assert page.url.endswith(str(target))
    assert page.locator(str(target)).is_visible()
    page.close()

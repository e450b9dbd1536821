"""The pages in a real Chromium: first moment, phone, dark, keyboard, no script, no connection, no outside request."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Route, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.web.conftest import people
from tests.web.test_access import world
from wellserved.journal.models import Entry
from wellserved.storage.workspace import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "journal"], transaction=True)]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PICTURES = os.environ.get("WELLSERVED_PICTURES")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
    "1"  # Playwright runs a loop in this thread; the server has threads of its own
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    found = shutil.which("chromium")
    if found is None:
        assert not os.environ.get("CI"), "Chromium is needed here: .ci/run installs it"
        pytest.skip("no Chromium on this machine")
    options = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=options)
        yield browser
        browser.close()


@pytest.fixture
def lived_in(transactional_db: None, place: Workspace) -> dict[str, str]:
    """The house with people in it: name -> address."""
    return world(people(), place)


def opened(browser: Browser, server: LiveServer, who: str = "", **how: object) -> tuple[BrowserContext, Page]:
    """A browser of somebody who has logged in; it fails at an outside request or an error on the page's console."""
    context = browser.new_context(**how)  # type: ignore[arg-type]
    page = context.new_page()

    def inside(route: Route) -> None:
        assert route.request.url.startswith(server.url), route.request.url
        route.continue_()

    page.route("**/*", inside)
    if who:
        page.goto(f"{server.url}/login/login/")
        page.fill("#id_login", who)
        page.fill("#id_password", "correct horse battery")
        page.click("button:text-is('Sign in')")
        page.wait_for_url(f"{server.url}/me/recovery")  # a code to keep, shown once
        page.goto(f"{server.url}/")
    return context, page


def test_a_first_moment_by_keyboard_on_a_phone(chromium: Browser, live_server: LiveServer) -> None:
    """Alone, on a screen of 390 px: from the first page to a moment that is saved, in well under ten seconds."""
    context, page = opened(chromium, live_server, viewport={"width": 390, "height": 844})
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
    begun = time.monotonic()
    page.goto(live_server.url)
    page.keyboard.type("promise: Acme gets the draft by Fri 14:00 #drafts")
    page.wait_for_selector("[data-shown] dl:has-text('something was promised'):has-text('drafts')")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-saved]")
    assert time.monotonic() - begun < 10
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert said == []
    assert Entry.objects.get().word == "promise"
    assert page.input_value("#line") == ""
    context.close()


def test_without_script_the_form_looks_and_saves(chromium: Browser, live_server: LiveServer) -> None:
    context, page = opened(chromium, live_server, java_script_enabled=False)
    page.goto(live_server.url)
    page.fill("#line", "missed: Acme waited 2h, cause: handover")
    follow(page, "form.line button")
    assert "an expectation was missed" in page.inner_text("main")
    follow(page, "button:has-text('Save')")
    assert "only you can read this" in page.inner_text("main")
    assert Entry.objects.count() == 1
    context.close()


def test_what_is_typed_without_a_connection_is_sent_once_when_it_is_back(
    chromium: Browser, live_server: LiveServer
) -> None:
    context, page = opened(chromium, live_server)
    page.goto(live_server.url)
    context.set_offline(True)
    page.keyboard.type("thanks: from the train")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=No connection")
    page.keyboard.type("half a thou")
    page.wait_for_timeout(300)
    assert Entry.objects.count() == 0
    context.set_offline(False)
    page.wait_for_selector("[data-saved]")
    page.reload()
    assert page.input_value("#line") == "half a thou"
    page.reload()
    page.wait_for_timeout(500)
    assert [one.word for one in Entry.objects.all()] == ["thanks"]
    context.close()


def paths(known: dict[str, str]) -> list[str]:
    """Every page that has a look of its own."""
    plain = ["", "journal/", "journal/month", "journal/new", "protocol", "promises/", "failures/", "causes/", "customers/", "customers/file", "accounts/", "measures/",
             "improvements/", "reports/", "data/", "me/", "nowhere", "numbers/", "search?q=acme", "claims/", "explore/queue/", "explore/chain/"]  # fmt: skip
    return [
        *plain,
        *(known[name] for name in ("entry", "share", "shared", "customer", "account", "week", "cases")),
        known["measure"] + "?every=month",
        known["entry"] + "?change=1",
        known["shared"] + "?change=1",
    ]


def follow(page: Page, selector: str) -> None:
    """Click what leads to another page, and wait until that page is there: a click alone returns while the old one still stands."""
    with page.expect_navigation():
        page.click(selector)


def spaced_width(page: Page) -> int:
    """How wide the page is where its text is spaced as WCAG 1.4.12 allows; a wider font than this machine's does the same."""
    wide: int = page.evaluate("""() => {
        const style = document.documentElement.style;
        style.letterSpacing = '.12em'; style.wordSpacing = '.16em';
        const wide = document.documentElement.scrollWidth;
        style.letterSpacing = style.wordSpacing = '';
        return wide;
    }""")
    return wide


def faults(page: Page, rules: dict[str, object]) -> list[str]:
    """What axe finds, by rule and place."""
    said = Axe().run(page, options={"runOnly": rules})
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in said.response["violations"]]


def picture(page: Page, name: str) -> None:
    """Keep how it looks, where that was asked for."""
    if PICTURES:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = false; })")
        file = name.strip("/").replace("/", "_").partition("?")[0]
        page.screenshot(path=str(Path(PICTURES) / f"{file}.png"), full_page=True)


def test_no_page_keeps_anybody_out(chromium: Browser, live_server: LiveServer, lived_in: dict[str, str]) -> None:
    """axe finds nothing, in dark neither; nothing scrolls sideways on a phone, and targets are large enough."""
    context, page = opened(chromium, live_server, "kim", viewport={"width": 390, "height": 844})
    lead, theirs = opened(chromium, live_server, "lead", viewport={"width": 390, "height": 844})
    admin, third = opened(chromium, live_server, "admin", viewport={"width": 1280, "height": 800})
    wanted = [(page, path) for path in paths(lived_in)] + [
        (theirs, "accounts/"),
        (theirs, "improvements/new"),
        (theirs, lived_in["account"]),
        (theirs, "data/"),
        (theirs, "customers/"),
    ]
    analyst, fourth = opened(chromium, live_server, "quality", viewport={"width": 390, "height": 844})
    wanted.append((fourth, "customers/"))  # where it says why
    out, nobody = opened(chromium, live_server, viewport={"width": 390, "height": 844})
    wanted += [(nobody, "login/login/"), (nobody, lived_in["invitation"])]
    wanted += [
        (third, "people/"),
        (third, lived_in["person"]),
        (third, "audit/"),
        (third, "login/2fa/"),
        (third, "login/logout/"),
        (third, "login/password/change/"),
    ]
    found: list[str] = []
    for seen, path in wanted:
        seen.goto(f"{live_server.url}/{path}")
        seen.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found += [f"{path}: {fault}" for fault in faults(seen, {"type": "tag", "values": TAGS})]
        if (wide := spaced_width(seen)) > seen.viewport_size["width"]:  # type: ignore[index]
            found.append(f"{path}: {wide} px wide")
        picture(seen, f"light-{path}")
        seen.emulate_media(color_scheme="dark")  # which changes colours, and nothing else
        found += [f"{path}, dark: {fault}" for fault in faults(seen, {"type": "rule", "values": ["color-contrast"]})]
        picture(seen, f"dark-{path}")
        seen.emulate_media(color_scheme="light")
    for one in (context, lead, admin, analyst, out):
        one.close()
    assert found == []


def test_a_proposal_is_taken_over_by_keys_and_what_was_saved_is_undone(
    chromium: Browser, live_server: LiveServer, lived_in: dict[str, str]
) -> None:
    """Alt and Enter take it over, Enter saves it, and for ten seconds it can be taken back."""
    context, page = opened(chromium, live_server, "kim", viewport={"width": 390, "height": 844})
    page.goto(live_server.url)
    page.fill("#line", "I'll call Mrs Doyle back Monday 9am")
    page.wait_for_selector("[data-propose]")
    page.keyboard.press("Alt+Enter")
    assert page.input_value("#line") == 'promise: I\'ll call +"Mrs Doyle" back Monday 9am'
    page.locator("[data-shown] dd", has_text="Mrs Doyle").wait_for()
    before = Entry.objects.count()
    page.keyboard.press("Enter")
    page.wait_for_selector("button[data-undo]")
    assert Entry.objects.filter(word="promise").count() >= 1
    page.click("button[data-undo]")
    page.locator("button[data-undo]").wait_for(state="detached")
    page.locator("[data-shown] dd", has_text="Mrs Doyle").wait_for()  # the line is back, and read again
    assert page.input_value("#line").startswith("promise:")
    assert Entry.objects.count() == before
    context.close()


def test_the_keys_lead_to_the_search_the_line_and_their_own_list(
    chromium: Browser, live_server: LiveServer, lived_in: dict[str, str]
) -> None:
    context, page = opened(chromium, live_server, "kim", viewport={"width": 1280, "height": 800})
    page.goto(f"{live_server.url}/journal/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("n")
    assert page.evaluate("document.activeElement.id") == "line"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    context.close()


def test_somebody_elses_words_are_never_markup(
    chromium: Browser, live_server: LiveServer, lived_in: dict[str, str]
) -> None:
    context, page = opened(chromium, live_server, "kim")
    dialogs: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismissed)
    bad = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }}{% now 'Y' %}"
    page.goto(live_server.url)
    page.fill("#line", f"missed: {bad}")
    page.wait_for_timeout(400)
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-saved]")
    follow(page, "[data-saved] a")
    assert "{{ 7*7 }}{% now" in page.inner_text("blockquote")
    assert page.locator("img").count() == 0
    for path in ("journal/", "promises/", "failures/"):
        page.goto(f"{live_server.url}/{path}")
    assert dialogs == []
    context.close()

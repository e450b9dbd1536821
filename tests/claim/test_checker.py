"""The page that checks claims, in a real browser, from a disk: it agrees with the command, and asks nobody anything."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.claim.test_checks import (
    CLAIM_ID,
    KEY,
    OTHER_KEY,
    PRIVATE_KEY,
    RAW,
    change_field,
    change_statement,
    flip_bit,
    predicate_of,
    signed,
)
from tests.resume.test_forms import FORMS as RESUME_FORMS
from tests.resume.test_forms import layout
from wellserved.claim.check import check_claim, sign_states
from wellserved.claim.checker import checker_digest, checker_page
from wellserved.claim.envelope import fingerprint, key_id, verification_key
from wellserved.claim.file import VARIANTS, restrict_claim

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None and os.environ.get("CI") == "true":
    raise RuntimeError("CI must have Chromium: the page is to be tested")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM ON THIS MACHINE: the page is NOT tested"),
]
MUTATIONS = 60
REFUSED = re.compile("✗ Not genuine|This is not a claim file")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page, opened from a disk on a phone in the dark; a request or an error on the console fails the test."""
    from playwright.sync_api import sync_playwright

    file = tmp_path_factory.mktemp("checker") / "check.html"
    file.write_text(checker_page(), encoding="utf-8", newline="")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
        opened = context.new_page()
        troubles: list[str] = []
        opened.on(
            "request", lambda request: troubles.append(request.url) if not request.url.startswith("file:") else None
        )
        opened.on("console", lambda message: troubles.append(message.text))
        opened.on("pageerror", lambda error: troubles.append(str(error)))
        opened.goto(file.as_uri())
        yield opened
        assert troubles == []
        browser.close()


def verdict_of(page: Page, raw: bytes, key: str = KEY) -> str:
    """What the page says of a file."""
    page.evaluate(
        "key => { document.getElementById('answer').replaceChildren(); document.getElementById('key').value = key }",
        key,
    )
    page.set_input_files("#file", {"name": "claim.json", "mimeType": "application/json", "buffer": raw})
    page.wait_for_selector(".verdict")
    return page.inner_text(".verdict")


def test_a_claim_is_genuine_by_a_known_key(page: Page) -> None:
    assert verdict_of(page, RAW).startswith("✓ Genuine, by the key that you named")
    assert page.inner_text(".sentence") == "It went from 10 days to 9 days."
    assert page.inner_text(".words") == KEY
    assert page.locator("svg circle").count() == page.locator("td.number").count() / 2 == 6
    assert verdict_of(page, RAW, "").startswith("Nothing was changed after it was signed. By whom, you do not know")
    assert "another key" in verdict_of(page, signed(OTHER_KEY)[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_form_of_it_is_read(page: Page, variant: str) -> None:
    assert verdict_of(page, restrict_claim(RAW, VARIANTS[variant])).startswith("✓ Genuine")


@pytest.mark.parametrize("form", ["pdf", "docx", "html", "json"])
def test_a_resume_that_carries_claims_is_read_as_the_command_reads_it(page: Page, form: str) -> None:
    raw = RESUME_FORMS[form](layout("Own.", f"It went from 10 days to 9 days. (checked: {CLAIM_ID})"))
    assert verdict_of(page, raw).startswith("✓ Genuine")
    assert "The document carries one claim" in page.inner_text("#answer")
    assert page.inner_text(".sentence") == "It went from 10 days to 9 days."
    assert "another key" in verdict_of(page, raw, fingerprint(verification_key(OTHER_KEY)))
    assert REFUSED.match(verdict_of(page, RESUME_FORMS[form](layout("My own word alone."))))


def test_documents_that_were_cut_or_changed_end_in_a_sentence(page: Page) -> None:
    rng = random.Random(22)
    for form in ("pdf", "docx", "json"):
        raw = RESUME_FORMS[form](layout(f"It went from 10 days to 9 days. (checked: {CLAIM_ID})"))
        for _index in range(8):
            place = rng.randrange(len(raw))
            for changed in (raw[:place], raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :]):
                assert re.match("✓ Genuine|✗ Not genuine|This is not a claim file", verdict_of(page, changed))


@pytest.mark.parametrize(
    ("state", "today", "verdict"),
    [
        ("current", "2999-01-01", "✓ Genuine, by the key that you named"), ("withdrawn", "2999-01-01", "✗ Withdrawn: do not rely on it."),
        ("stale", "2999-01-01", "✗ It no longer holds"), ("current", "2026-01-01", "✗ The employer’s list shows it"),
    ],
)  # fmt: skip
def test_a_list_of_states_is_listened_to(page: Page, state: str, today: str, verdict: str) -> None:
    page.reload()
    keys = [{"id": key_id(verification_key(PRIVATE_KEY)), "since": "2026-01-01T00:00:00+00:00", "until": ""}]
    states = sign_states({CLAIM_ID: (state, "2026-11-01")}, keys, "2026-11-01", today, PRIVATE_KEY)
    page.set_input_files("#file", {"name": "states.json", "mimeType": "application/json", "buffer": states})
    page.wait_for_function("document.getElementById('answer').textContent.includes('is at hand')")
    told = verdict_of(page, RAW).replace("'", "’")
    assert told.startswith(verdict)
    changed = states[:200] + bytes([states[200] ^ 1]) + states[201:]
    other_keys = [{**keys[0], "id": key_id(verification_key(OTHER_KEY))}]
    others = sign_states({CLAIM_ID: (state, "2026-11-01")}, other_keys, "2026-11-01", today, OTHER_KEY)
    for raw, words in ((changed, "The list of states was not used"), (others, "The list of states is by another key")):
        page.reload()
        page.set_input_files("#file", {"name": "states.json", "mimeType": "application/json", "buffer": raw})
        page.wait_for_function("document.getElementById('answer').textContent !== ''")
        verdict_of(page, RAW)
        assert words in page.inner_text("#answer")
    page.reload()


def test_the_page_refuses_whatever_the_command_refuses(page: Page) -> None:
    rng = random.Random(21)
    for index in range(MUTATIONS):
        changed = (flip_bit, change_field, change_statement)[index % 3](RAW, rng)
        assert check_claim(changed, KEY).exit_code == 2
        assert REFUSED.match(verdict_of(page, changed)), changed
    for raw in (b"", b"{}", b"null\n", b"\xff\xfe", RAW[:-1], RAW + b" ", RAW.replace(b'"key"', b'"key": "x", "key"')):
        assert REFUSED.match(verdict_of(page, raw)), raw


def test_the_page_is_accessible_and_fits_a_phone(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    verdict_of(page, RAW)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_words_in_a_claim_are_never_markup(page: Page) -> None:
    from wellserved.claim.file import sign_claim

    private_key = bytes(range(32))
    predicate = {**predicate_of(), "grade_words": "<img src=x onerror=alert(1)>", "as_of": "<i>"}
    predicate["measure"] |= {"name": "<s>", "formula": "</p>"}
    facts: dict[str, object] = {
        "sentence_full": "<script>document.title='owned'</script>",
        "person": {"name": "<h1>", "role": "owner"},
    }
    raw = sign_claim(predicate, facts, "00" * 32, private_key, lambda: "0" * 32)
    assert verdict_of(page, raw).startswith("✓ Genuine")
    assert page.inner_text(".sentence") == "<script>document.title='owned'</script>"
    assert page.title() == "Check a claim"


def test_the_page_runs_its_own_script_alone_and_is_the_same_everywhere(tmp_path: Path) -> None:
    text = checker_page()
    assert "default-src 'none'" in text
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script is not None
    assert f"sha256-{base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()}" in text
    assert not re.search(r"https?://(?!in-toto\.io/Statement/v1|www\.w3\.org/2000/svg)", text)
    assert hashlib.sha256(text.encode()).hexdigest() == checker_digest()

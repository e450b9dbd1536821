"""The page that checks claims in Firefox, where there is one, by its own remote protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.claim.test_checks import CLAIM_ID, KEY, RAW
from tests.resume.test_forms import FORMS as RESUME_FORMS
from tests.resume.test_forms import layout
from wellserved.claim.checker import checker_page
from wellserved.claim.file import VARIANTS, restrict_claim

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(FIREFOX is None, reason="no Firefox on this machine")]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # what WebDriver calls a reference to an element


class Firefox:
    """A browser of its own, asked in Marionette: lengths, then JSON."""

    def __init__(self, profile: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (profile / "user.js").write_text(f'user_pref("marionette.port", {port});\n')
        command = [str(FIREFOX), "--headless", "--marionette", "--profile", str(profile), "about:blank"]
        self.process = subprocess.Popen(
            command, env={**os.environ, "HOME": str(profile)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.connection = self._connect(port)
        self._answer()
        self.count = 0
        self.ask("WebDriver:NewSession", {})

    def _connect(self, port: int) -> socket.socket:
        for _ in range(300):
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=60)
            except OSError:
                time.sleep(0.1)
        raise AssertionError("Firefox did not start")

    def _answer(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self.connection.recv(1)
        content = b""
        while len(content) < int(length[:-1]):
            content += self.connection.recv(65_536)
        return json.loads(content)

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """What a command answers."""
        self.count += 1
        message = json.dumps([0, self.count, name, arguments]).encode()
        self.connection.sendall(b"%d:%s" % (len(message), message))
        _kind, _count, error, answer = self._answer()
        assert error is None, error
        return answer

    def verdict_of(self, file: Path, key: str) -> str:
        """What the page says of a file."""
        script = (
            "document.getElementById('answer').replaceChildren(); document.getElementById('key').value = arguments[0]"
        )
        self.ask("WebDriver:ExecuteScript", {"script": script, "args": [key]})
        chooser = self.ask("WebDriver:FindElement", {"using": "css selector", "value": "#file"})["value"]
        self.ask("WebDriver:ElementSendKeys", {"id": chooser[ELEMENT], "text": str(file)})
        for _ in range(100):
            script = "return document.querySelector('.verdict')?.textContent ?? ''"
            if words := self.ask("WebDriver:ExecuteScript", {"script": script, "args": []})["value"]:
                return str(words)
            time.sleep(0.05)
        return ""


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """The page, opened from a disk."""
    folder = tmp_path_factory.mktemp("firefox")
    (folder / "profile").mkdir()
    (folder / "check.html").write_text(checker_page(), encoding="utf-8", newline="")
    browser = Firefox(folder / "profile")
    browser.ask("WebDriver:Navigate", {"url": (folder / "check.html").as_uri()})
    yield browser
    if place := os.environ.get("WELLSERVED_PICTURES"):
        picture = browser.ask("WebDriver:TakeScreenshot", {"full": True})["value"]
        Path(place, "check-firefox.png").write_bytes(base64.b64decode(picture))
    browser.connection.close()
    browser.process.terminate()
    browser.process.wait(30)


def test_firefox_says_what_chromium_says(firefox: Firefox, tmp_path: Path) -> None:
    files = {"forged": RAW.replace(b"from 10 days", b"from 99 days"), "cut": RAW[:-2]}
    files |= {variant: restrict_claim(RAW, names) for variant, names in VARIANTS.items()}
    files["full"] = RAW
    resume = layout(f"It went from 10 days to 9 days. (checked: {CLAIM_ID})")
    resumes = {f"resume.{form}": RESUME_FORMS[form](resume) for form in ("pdf", "docx", "html", "json")}
    files |= resumes
    verdicts = {}
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
        verdicts[name] = firefox.verdict_of(tmp_path / name, KEY)
    assert {name for name, words in verdicts.items() if words.startswith("✓ Genuine")} == {*VARIANTS, *resumes}
    assert verdicts["forged"] == "✗ Not genuine. The sentence full was changed after signing."
    assert verdicts["cut"].startswith("This is not a claim file.")
    assert firefox.verdict_of(tmp_path / "full", "acorn " * 12).startswith("✗ Not genuine. It is signed by another key")
    assert firefox.verdict_of(tmp_path / "full", "").startswith("Nothing was changed after it was signed.")

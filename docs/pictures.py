"""Make the README's pictures from the shipped sample and from made cases: .venv/bin/python docs/pictures.py

docs/pictures/report.png, today.png and verdict.png, 1280 px wide. Needs Chromium on the machine, as tests/web does;
takes a minute or two. Today shows the day on which it is run.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
SAMPLE = DOCS.parent / "src" / "wellserved" / "samples" / "boston311_slice.csv.gz"
WIDTH, HEIGHT = 1280, 1000  # px
MAX_BYTES = 250_000  # of a picture
CHROMIUM_OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
LINES = (
    "promise: Acme gets the draft by today 23:00 #drafts",
    "promise: call Northwind back by today 23:30",
    "missed: Initech waited 2h for a call back, cause: handover",
    "thanks: Northwind liked that we called before they had to ask",
    "lesson: say when the next news comes, even where there is none yet",
)
"""What is typed into Today, line by line."""

VERDICT = (
    "prove", "--measure", "time_to_resolution", "--change", "2023-10-02",
    *("--where", "service=Line", "--where", "service=Router", "--where", "service=Outage"),
    *("--against", "service=Bill", "--against", "service=Contract", "--against", "service=Credit"),
)  # fmt: skip
"""The tutorial's question about cases that were only closed early."""


def wellserved(home: Path, *words: str | Path) -> None:
    """Run a command on a workspace."""
    command = [sys.executable, "-m", "wellserved", *map(str, words), "--home", str(home)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def report_page(folder: Path) -> Path:
    """The service report on the city's sample."""
    home, page = folder / "city", folder / "report.html"
    wellserved(home, "init", "--zone", "America/New_York")
    wellserved(home, "import", SAMPLE)
    wellserved(home, "report", "--format", "html", "-o", page)
    return page


def verdict_page(folder: Path) -> Path:
    """The verdict on made cases that look faster and are not better."""
    home, page = folder / "made", folder / "verdict.html"
    wellserved(home, "init", "--zone", "Europe/Berlin")
    wellserved(home, "synth", "100000")
    wellserved(home, *VERDICT, "--format", "html", "-o", page)
    return page


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The address of the pages over a workspace, while they are served."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "wellserved", "serve", "--no-worker", "--port", port, "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line.startswith("http"):
                sys.exit("The pages were not served; the lines above say why.")
            yield line.split()[0]
        finally:
            server.terminate()


def fill_today(page: Page, address: str) -> None:
    """Type the sample entries, and show the page as it stands then."""
    for line in LINES:
        page.goto(address)
        page.fill("#line", line)
        page.wait_for_selector("[data-shown] dl")
        page.press("#line", "Enter")
        page.wait_for_selector("[data-saved]")
    page.goto(address)


def take(page: Page, name: str) -> None:
    """Write what the window shows as a picture."""
    target = PICTURES / f"{name}.png"
    page.screenshot(path=str(target))
    if target.stat().st_size >= MAX_BYTES:
        sys.exit(f"{target.name} has {target.stat().st_size:,} bytes; at most {MAX_BYTES:,} are wanted.")
    print(f"{target.relative_to(DOCS.parent)}: {target.stat().st_size:,} bytes")


def take_all(browser: Browser, folder: Path) -> None:
    """All three pictures."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    for name, file in (("report", report_page(folder)), ("verdict", verdict_page(folder))):
        page.goto(file.as_uri())
        take(page, name)
    with served(folder / "today") as address:
        fill_today(page, address)
        take(page, "today")


def main() -> None:
    """Make the pictures anew."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is needed (Debian: apt-get install chromium).")
    PICTURES.mkdir(exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wellserved-pictures-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_OPTIONS))
        take_all(browser, Path(folder))
        browser.close()
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()

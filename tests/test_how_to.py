"""docs/how-to.md: 28 things, five steps each, every command and page of them tried."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.how_to import PAGE, attempts, sections
from wellserved.capture import capture


def test_there_are_28_things_in_five_steps_each() -> None:
    things = sections(PAGE.read_text(encoding="utf-8"))
    assert [title.split(".")[0] for title, _steps in things] == [str(number) for number in range(1, 29)]
    assert {title: len(steps) for title, steps in things if len(steps) != 5} == {}
    assert {title for title, steps in things if len([a for step in steps for a in attempts(step)]) < 3} == set()


def test_every_command_and_page_works_in_a_new_workspace(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.how_to", str(tmp_path)], capture_output=True, text=True, check=False,
        cwd=PAGE.parent.parent, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["failures"] == {}
    assert outcome["count"] > 100


def test_lines_to_type_can_be_read_in_one_way_on_every_day() -> None:
    """An example with a date of its own asks for the year once that day has come."""
    pages = "".join(page.read_text(encoding="utf-8") for page in sorted(PAGE.parent.rglob("*.md")))
    lines = re.findall(r'wellserved log "([^"]+)"', pages)
    start = datetime(2026, 1, 1, 0, 7, tzinfo=ZoneInfo("Europe/Berlin"))
    moments = [start + timedelta(hours=53 * step) for step in range(170)]
    assert {line for line in lines if any(capture(line, now).questions for now in moments)} == set()
    assert len(lines) > 10

"""The same pages, deeds and API on a throw-away PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.engines import postgres, postgres_folder

HERE = Path(__file__).parent
SAME = (
    "test_value.py",
    "test_daily.py",
    "test_edges.py",
    "test_sharing.py",
    "test_access.py",
    "test_api.py",
    "test_counts.py",
    "test_reset.py",
    "test_mail.py",
    "test_resume.py",
    "test_practices.py",
    "test_counted.py",
)
TABLE = (
    "test_who_may_see_and_do_what_is_as_the_table_says"  # two thousand requests, which ask the same of either database
)
KILLS = "test_two_hundred_kills_double_nothing_and_lose_nothing"  # on a workspace of its own
NUMBERS = "test_screen_csv_api_and_command_line_say_the_same"  # they come from the log, which no database holds


def test_everything_holds_on_postgresql() -> None:
    if postgres_folder() is None:
        assert not os.environ.get("CI"), "PostgreSQL is needed here: .ci/run installs it"
        pytest.skip("no PostgreSQL on this machine")
    with tempfile.TemporaryDirectory(prefix="ws-pg-") as folder, postgres(Path(folder)) as url:
        env = {**os.environ, "DATABASE_URL": url, "WELLSERVED_API_EXAMPLES": "2"}
        elsewhere = [
            f"--deselect=tests/web/test_api.py::{NUMBERS}",
            f"--deselect=tests/web/test_mail.py::{KILLS}",
            f"--deselect=tests/web/test_access.py::{TABLE}",
        ]
        files = [str(HERE / name) for name in SAME]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *elsewhere, *files]
        done = subprocess.run(
            command, env=env, cwd=HERE.parent.parent, capture_output=True, text=True, timeout=900, check=False
        )
    assert done.returncode == 0, done.stdout[-6_000:]
    assert " passed" in done.stdout

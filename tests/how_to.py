"""Tries every command and page of docs/how-to.md in one new workspace: python -m tests.how_to FOLDER; prints what failed, as JSON."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to.md"


def sections(text: str) -> list[tuple[str, list[str]]]:
    """Title and steps of each."""
    parts = re.split(r"^## (\d+\. .*)$", text, flags=re.M)
    return [
        (title, re.split(r"^\d\. ", body, flags=re.M)[1:]) for title, body in zip(parts[1::2], parts[2::2], strict=True)
    ]


def attempts(step: str) -> list[str]:
    """Commands and pages that a step names, in their order."""
    return re.findall(r"`(wellserved [^`]+|/[^`\s]*)`", step)


def main(folder: Path) -> None:
    """Try everything."""
    os.environ |= {"WELLSERVED_HOME": str(folder / "home"), "TZ": "Europe/Berlin", "COLUMNS": "100", "NO_COLOR": "1"}
    os.chdir(folder)
    text = PAGE.read_text(encoding="utf-8")
    for name, content in re.findall(r"```csv (\S+)\n(.*?)```", text, re.S):
        Path(name).write_text(content, encoding="utf-8")
    failures: dict[str, str] = {}
    tried: set[str] = set()
    count = 0
    for title, steps in [("start", [text.split("\n## ")[0].replace("`wellserved import FILE`", "")]), *sections(text)]:
        for attempt in (attempt for step in steps for attempt in attempts(step)):
            count += 1
            if attempt.startswith("/") and attempt in tried:
                continue  # a page that was there once; a command may do another thing the next time
            tried.add(attempt)
            if why := trial(attempt):
                failures[f"{title}: {attempt}"] = why
    sys.stdout.write("\n" + json.dumps({"failures": failures, "count": count}) + "\n")


def trial(attempt: str) -> str:
    """Why it failed; empty: it did not."""
    if attempt == "wellserved serve":
        return ""  # the pages below are what it serves
    return page_trial(attempt) if attempt.startswith("/") else command_trial(attempt)


def command_trial(command: str) -> str:
    from typer.testing import CliRunner

    from wellserved.cli import app

    result: Any = CliRunner().invoke(app, shlex.split(command)[1:])
    if result.exit_code == 0:
        return ""
    error = result.exception
    return f"{result.exit_code}: {getattr(error, 'problem', '') or error} {result.output[-300:]}"


def page_trial(address: str) -> str:
    from django.test import Client

    answer = Client(raise_request_exception=False).get(
        address, follow=True, HTTP_HOST="127.0.0.1", SERVER_NAME="127.0.0.1"
    )
    return "" if answer.status_code == 200 else str(answer.status_code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

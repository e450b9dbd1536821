"""The command line as a user meets it: every command, every format, exit codes, pipes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wellserved.workspace import Workspace

from .test_import import row, write


def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "WELLSERVED_HOME": str(home), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "wellserved", *command], capture_output=True, text=True, env=env, check=False
    )


def test_from_an_unknown_file_to_a_report(tmp_path: Path) -> None:
    home, file = (
        tmp_path / "home",
        write(tmp_path / "tickets.csv", [row(n, due="2024-03-08 12:00") for n in range(1, 40)]),
    )
    assert run(home, "init", "--zone", "Europe/Berlin").returncode == 0
    looked = run(home, "inspect", str(file), "-o", str(tmp_path / "map.toml"))
    assert looked.returncode == 0, looked.stderr
    text = (tmp_path / "map.toml").read_text(encoding="utf-8")
    assert 'case = "id"' in text
    assert 'due = "due"' in text
    done = run(home, "import", str(file), "--mapping", str(tmp_path / "map.toml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "39 rows read = 39 loaded + 0 refused." in done.stdout
    told = run(home, "report")
    assert told.returncode == 0, told.stderr
    assert "tickets" in told.stdout
    assert "\x1b[" not in told.stdout


def test_refused_rows_give_exit_code_one_and_a_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run(home, "init")
    bad = write(tmp_path / "a.csv", [row(1), ("2", "never", "", "", "", "", "")])
    (tmp_path / "m.toml").write_text(
        'name = "t"\ncase = "id"\n[[moment]]\nkind = "asked"\nat = "opened"\n', encoding="utf-8"
    )
    done = run(home, "import", str(bad), "--mapping", str(tmp_path / "m.toml"))
    assert done.returncode == 1
    assert "2 rows read = 1 loaded + 1 refused." in done.stdout
    assert Path(done.stdout.strip().splitlines()[-1].split(": ", 1)[1]).exists()
    listed = run(home, "log", "--refusals")
    assert "refusals.csv" in listed.stdout


def test_the_log_tells_versions_and_imports(samples: Workspace) -> None:
    versions = run(samples.folder, "log")
    assert versions.stdout.count("\n") >= 5
    imports = run(samples.folder, "log", "--imports")
    assert all(name in imports.stdout for name in ("boston311", "servicenow", "cfpb"))


@pytest.mark.parametrize("form", ["text", "csv", "json", "md", "html"])
def test_a_measure_in_every_form_holds_the_same_number(samples: Workspace, form: str) -> None:
    done = run(samples.folder, "measure", "closed_late", "--where", "source=boston311", "--format", form)
    assert done.returncode == 0, done.stderr
    if form == "csv":
        assert next(iter(csv.DictReader(io.StringIO(done.stdout))))["value"] == repr(4736 / 19716)
    elif form == "json":
        assert json.loads(done.stdout)[0]["value"] == 4736 / 19716
    else:
        assert ("24.0%" in done.stdout) or ("0.240211" in done.stdout)


@pytest.mark.parametrize("form", ["text", "svg", "csv", "json", "md", "html"])
def test_a_chart_in_every_form(samples: Workspace, form: str) -> None:
    done = run(
        samples.folder, "chart", "promise_kept", "--where", "source=boston311", "--format", form, "--rules", "nhs"
    )
    assert done.returncode == 0, done.stderr
    assert "2015-02" in done.stdout


@pytest.mark.parametrize("form", ["csv", "json", "md", "html"])
def test_a_report_in_every_form(samples: Workspace, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"report.{form}"
    done = run(samples.folder, "report", "--source", "servicenow", "--format", form, "-o", str(target))
    assert done.returncode == 0, done.stderr
    assert target.stat().st_size > 5000


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (("measure", "asked", "--by", "colour"), "Did you mean"),
        (("measure", "asked", "--since", "2015-13-01"), "Write it as"),
        (("measure", "asked", "--since", "2015-02-01", "--until", "2015-01-01"), "Swap"),
        (("measure", "asked", "--where", "team"), "--where team=Billing"),
        (("measure", "asked", "--format", "svg"), "chart"),
        (("report",), "Name one: --source"),
        (("report", "--source", "bostn"), "boston311"),
        (("chart", "asked", "--kind", "xrm"), "xmr"),
        (("import", "/nowhere/a.csv"), "Check the name"),
        (("init", "--zone", "Mars/Phobos"), "Europe/Berlin"),
    ],
)
def test_a_wrong_request_says_what_to_do_and_never_shows_a_traceback(
    samples: Workspace, command: tuple[str, ...], hint: str
) -> None:
    done = run(samples.folder, *command)
    assert done.returncode == 2
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version() -> None:
    done = subprocess.run([sys.executable, "-m", "wellserved", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("wellserved 0.")
    done = subprocess.run([sys.executable, "-m", "wellserved", "--help"], capture_output=True, text=True, check=True)
    assert "Exit codes" in done.stdout

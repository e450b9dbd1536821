"""The command line as a user meets it: every command, every format, exit codes, pipes."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forked import Commands, Ended
from tests.record.test_import import row, write
from wellserved.storage.workspace import Workspace

Run = Callable[..., Ended]


@pytest.fixture
def run(commands: Commands) -> Run:
    """A command on a workspace: run(home, "measure", "asked")."""
    return commands.run


def test_from_an_unknown_file_to_a_report(run: Run, tmp_path: Path) -> None:
    home, file = (
        tmp_path / "home",
        write(tmp_path / "tickets.csv", [row(n, due="2024-03-08 12:00") for n in range(1, 40)]),
    )
    assert run(home, "init", "--zone", "Europe/Berlin").code == 0
    looked = run(home, "inspect", str(file), "-o", str(tmp_path / "map.toml"))
    assert looked.code == 0, looked.err
    text = (tmp_path / "map.toml").read_text(encoding="utf-8")
    assert 'case = "id"' in text
    assert 'due = "due"' in text
    done = run(home, "import", str(file), "--mapping", str(tmp_path / "map.toml"))
    assert (done.code, done.err) == (0, "")
    assert "39 rows read = 39 loaded + 0 refused." in done.out
    told = run(home, "report")
    assert told.code == 0, told.err
    assert "tickets" in told.out
    assert "\x1b[" not in told.out


def test_refused_rows_give_exit_code_one_and_a_file(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    run(home, "init")
    bad = write(tmp_path / "a.csv", [row(1), ("2", "never", "", "", "", "", "")])
    (tmp_path / "m.toml").write_text(
        'name = "t"\ncase = "id"\n[[moment]]\nkind = "asked"\nat = "opened"\nrequired = true\n', encoding="utf-8"
    )
    done = run(home, "import", str(bad), "--mapping", str(tmp_path / "m.toml"))
    assert done.code == 1
    assert "2 rows read = 1 loaded + 1 refused." in done.out
    assert Path(done.out.strip().splitlines()[-1].split(": ", 1)[1]).exists()
    listed = run(home, "log", "--refusals")
    assert "refusals.csv" in listed.out


def test_the_log_tells_versions_and_imports(run: Run, samples: Workspace) -> None:
    versions = run(samples.folder, "log")
    assert versions.out.count("\n") >= 5
    imports = run(samples.folder, "log", "--imports")
    assert all(name in imports.out for name in ("boston311", "servicenow", "cfpb"))


@pytest.mark.parametrize("form", ["text", "csv", "json", "md", "html"])
def test_a_measure_in_every_form_holds_the_same_number(run: Run, samples: Workspace, form: str) -> None:
    done = run(samples.folder, "measure", "closed_late", "--where", "source=boston311", "--format", form)
    assert done.code == 0, done.err
    if form == "csv":
        assert next(iter(csv.DictReader(io.StringIO(done.out))))["value"] == repr(4736 / 19716)
    elif form == "json":
        assert json.loads(done.out)[0]["value"] == 4736 / 19716
    else:
        assert ("24.0%" in done.out) or ("0.240211" in done.out)


@pytest.mark.parametrize("form", ["text", "svg", "csv", "json", "md", "html"])
def test_a_chart_in_every_form(run: Run, samples: Workspace, form: str) -> None:
    done = run(
        samples.folder, "chart", "promise_kept", "--where", "source=boston311", "--format", form, "--rules", "nhs"
    )
    assert done.code == 0, done.err
    assert "2015-02" in done.out


@pytest.mark.parametrize("form", ["csv", "json", "md", "html"])
def test_a_report_in_every_form(run: Run, samples: Workspace, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"report.{form}"
    done = run(samples.folder, "report", "--source", "servicenow", "--format", form, "-o", str(target))
    assert done.code == 0, done.err
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
    run: Run, samples: Workspace, command: tuple[str, ...], hint: str
) -> None:
    done = run(samples.folder, *command)
    assert done.code == 2
    assert hint in done.err
    assert "Traceback" not in done.err


def test_help_and_version(run: Run, tmp_path: Path) -> None:
    """The first in a fresh process of its own, as a user starts it."""
    done = subprocess.run([sys.executable, "-m", "wellserved", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("wellserved 0.")
    assert "Exit codes" in run(tmp_path, "--help").out


HOURS = '[[calendar]]\nname = "office"\nzone = "UTC"\nhours = { mon-fri = "09:00-17:00" }\n'


def test_a_case_is_explained_and_two_rules_compared_in_every_form(run: Run, tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "m.csv"
    run(home, "init")
    file.write_text(
        "case,at,what\n"
        "A,2024-11-08 16:00,asked\nA,2024-11-11 10:00,resolved\n"
        "B,2024-11-05 09:00,asked\nB,2024-11-05 10:00,paused\nB,2024-11-05 11:00,resumed\nB,2024-11-05 12:00,resolved\n"
        "C,2024-11-05 10:00,asked\nC,2024-11-05 11:00,resolved\nD,2024-11-05 11:00,asked\n",
        encoding="utf-8",
    )
    kinds = "".join(
        f'[[moment]]\nkind = "{kind}"\nat = "at"\nref = "at"\nwhen = {{ column = "what", is = ["{kind}"] }}\n'
        for kind in ("asked", "paused", "resumed", "resolved")
    )
    (tmp_path / "m.toml").write_text(f'name = "t"\ncase = "case"\n{kinds}', encoding="utf-8")
    assert run(home, "import", str(file), "--mapping", str(tmp_path / "m.toml")).code == 0
    none = run(home, "hours")
    assert none.code == 2
    assert "calendars.toml" in none.err
    lacking = run(home, "compare", "time_to_resolution", "--as", "freshdesk")
    assert lacking.code == 2
    assert "in opening hours, and there are none" in lacking.err
    assert "no opening hours" in run(home, "explain", "time_to_resolution", "A").out
    before = run(home, "measure", "business_time_to_resolution")
    assert "no opening hours" in before.out
    (home / "calendars.toml").write_text(HOURS, encoding="utf-8")
    assert "09:00-17:00" in run(home, "hours").out

    told = run(home, "explain", "time_to_resolution", "A")
    assert told.code == 0, told.err
    rules = {
        line.split("│")[0].strip(): line.split("│")[2].strip() for line in told.out.splitlines() if line.count("│") > 4
    }
    assert (rules["ours"], rules["zendesk"], rules["freshdesk"]) == ("66:00:00", "66:00:00", "2:00:00")
    again = json.loads(run(home, "explain", "time_to_resolution", "A", "--format", "json").out)
    assert len(again[0]["rows"]) == 2

    compared = run(home, "compare", "time_to_resolution", "--as", "freshdesk", "--format", "csv")
    listed = {line["why they differ"]: line for line in csv.DictReader(io.StringIO(compared.out))}
    assert {why: int(line["cases"]) for why, line in listed.items()} == {
        "no difference": 1,  # C
        "other hours": 1,  # A
        "the clock stands still in pauses": 1,  # B: the hours change nothing in it
        "cases not stopped yet": 1,  # D
    }
    assert listed["cases not stopped yet"]["only ours"] == "1"
    assert "| why they differ" in run(home, "compare", "time_to_resolution", "--as", "jira", "--format", "md").out
    theirs = json.loads(run(home, "measure", "time_to_resolution", "--as", "plain", "--format", "json").out)
    assert (theirs[0]["measure"], theirs[0]["n"]) == ("time_to_resolution@plain", 3)

    for wrong, says in (
        (("explain", "asked", "A"), "one definition alone"),
        (("explain", "time_to_resolution", "Z"), "no case"),
        (("compare", "requester_wait", "--as", "plain"), "No rule of plain"),
        (("compare", "time_to_resolution", "--as", "plane"), "Did you mean plain"),
        (("explain", "time_to_resolution", "A", "--format", "svg"), "text, html, md, json or csv"),
    ):
        refused = run(home, *wrong)
        assert refused.code == 2, wrong
        assert says in refused.err
        assert "Traceback" not in refused.err

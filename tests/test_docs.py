"""README, docs/ and the command line's help are true."""

from __future__ import annotations

import ast
import gzip
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from wellserved import __version__
from wellserved.actions.imports import import_file
from wellserved.actions.open_cases import open_case_table
from wellserved.actions.questions import service_report
from wellserved.calendar import parse_calendars
from wellserved.chart.rules import RULE_SETS, RULES
from wellserved.mapping import parse_mapping, presets
from wellserved.measure import MEASURES, find_measure
from wellserved.measure.vendor_rules import VENDOR_RULES
from wellserved.moments import CASE_COLUMNS, MOMENT_COLUMNS, MOMENT_KINDS
from wellserved.scales import parse_scales
from wellserved.storage.workspace import create_workspace

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=ROOT, env={**os.environ, **env}, check=False
    )


def test_generated_documents_are_up_to_date() -> None:
    done = run("docs/generate.py", "--check")
    assert done.returncode == 0, done.stderr


def test_every_measure_rule_kind_and_column_is_documented() -> None:
    measures, glossary = read("docs/measures.md"), read("docs/glossary.md")
    for measure in MEASURES:
        assert f"## {measure.name}\n" in measures
        assert measure.question.endswith("?")
        assert measure.source
        assert measure.counted
    for name in (*RULES, *MOMENT_KINDS, *(one.name for one in MOMENT_COLUMNS), *(one.name for one in CASE_COLUMNS)):
        assert f"`{name}`" in glossary, name
    assert set().union(*RULE_SETS.values()) == set(RULES)


def test_a_changed_number_is_announced_with_its_version() -> None:
    changed = [one for one in MEASURES if one.version > 1]
    assert changed
    told = "".join(re.findall(r"### Changed numbers\n(.*?)(?=\n##|\Z)", read("CHANGELOG.md"), re.S))
    for one in changed:
        assert [line.split(":")[0] for line in one.history] == [str(version) for version in range(2, one.version + 1)]
        assert f"`{one.name}`" in told, one.name
        assert one.history[-1] in read("docs/measures.md")
    assert all(not one.history for one in MEASURES if one.version == 1)


def test_every_link_between_documents_leads_somewhere() -> None:
    links = 0
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
            links += 1
    assert links > 10


def test_every_command_in_the_documents_exists() -> None:
    commands = set(re.findall(r"^## wellserved (\w+(?: \w+)?)$", read("docs/cli.md"), re.M))
    assert {"init", "inspect", "import", "measures", "measure", "chart", "report", "log", "demo"} <= commands
    for page in (read("README.md"), *(read(f"docs/{name}.md") for name in ("tutorial", "sources", "clocks", "queues"))):
        for line in re.findall(r"^wellserved (improve \w+|\w+)(.*)$", page.replace("\\\n", " "), re.M):
            assert line[0] in commands
            help_text = read("docs/cli.md").split(f"## wellserved {line[0]}\n")[1].split("\n## ")[0]
            for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", line[1]):
                assert re.search(rf"(`|, ){option}[,`]", help_text), (line, option)


def test_the_mapping_shown_in_the_documents_is_a_mapping() -> None:
    shown, own = re.findall(r"```toml\n(.*?)```", read("docs/sources.md"), re.S)
    mapping = parse_mapping(shown, "docs/sources.md")
    assert [(scale.name, scale.good_border, scale.bad_border) for scale in parse_scales(own).values()] == [
        ("smile4", 3, 1)
    ]
    assert [rule.kind for rule in mapping.moments] == ["asked", "promised", "resolved", "rated", "replied"]
    names = {one.name for one in presets()}
    assert {"boston311", "cfpb", "servicenow", "zendesk", "freshdesk", "jira_sm", "intercom", "glpi"} <= names
    assert all(f"| `{name}` |" in read("docs/sources.md") for name in names)


def test_the_opening_hours_shown_in_the_documents_are_opening_hours() -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", read("docs/clocks.md"), re.S)
    calendars = parse_calendars(shown, "UTC", "docs/clocks.md")
    assert [(one.name, len(one.versions)) for one in calendars.calendars] == [("office", 2), ("night", 1)]
    module = importlib.import_module("wellserved.calendar").__doc__ or ""
    assert parse_calendars(module.split("calendars.toml in the workspace:")[1], "UTC").uses


def test_every_rule_of_every_house_is_documented() -> None:
    page = read("docs/clocks.md")
    for one in VENDOR_RULES:
        assert f"**{one.measure}**" in page
        assert f"| {one.vendor} | {one.term} |" in page
        assert one.vendor == "ours" or one.source in page


def test_the_changelog_begins_with_this_version() -> None:
    assert re.findall(r"^## (\S+)", read("CHANGELOG.md"), re.M)[0] == __version__
    assert tomllib.loads(read("pyproject.toml"))["project"]["version"] == __version__


def test_locks_name_no_registry() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock", "requirements-engines.lock"):
        text = read(lock)
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index" not in text


def module_names(path: Path) -> set[str]:
    """Functions, classes and tables that stand in a module by themselves."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names


def test_where_to_change_what_names_files_and_functions_that_exist() -> None:
    section = read("CONTRIBUTING.md").split("## Where do I change ...\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?!to change)([^|-][^|]*) \|(.*)\|$", section, re.M)
    assert len(rows) >= 10
    for change, cells in rows:
        named = re.findall(r"\[`([^`]+)`\]\(([^)]+)\)(?:: ((?:`\w+`(?:, )?)+))?", cells)
        assert any(functions for _label, _target, functions in named), change
        for label, target, functions in named:
            assert target.endswith(label), (change, label)
            assert (ROOT / target).is_file(), (change, target)
            if functions:
                missing = set(re.findall(r"\w+", functions)) - module_names(ROOT / target)
                assert not missing, (change, target, missing)


def life() -> str:
    """The drawing of one number's way."""
    return read("docs/architecture.md").split("<!-- begin life -->\n")[1].split("<!-- end life -->")[0]


def test_the_life_of_one_number_names_modules_and_functions_that_exist() -> None:
    steps = re.findall(r"^      │   (\S+\.py) +(\w+) ", life(), re.M)
    assert len(steps) == len(re.findall(r"\.py", life())) > 15
    for module, name in steps:
        assert name in module_names(ROOT / "src/wellserved" / module), (module, name)


def test_the_life_of_one_number_is_that_number_s(tmp_path: Path) -> None:
    sample = ROOT / "src/wellserved/samples/boston311_slice.csv.gz"
    with gzip.open(sample, "rt", encoding="utf-8", newline="") as file:
        line = file.read().splitlines()[30162 - 1]
    assert all(cell in line for cell in ("101001685283", "12/31/2015 07:55:41 AM", "01/04/2016 09:32:04 AM"))
    workspace = create_workspace(tmp_path / "workspace", "America/New_York")
    import_file(workspace, sample)
    with open_case_table(workspace) as table:
        sql = f"SELECT resolution_secs AS secs FROM {table.table} WHERE case_id = $case"
        (secs,) = table.engine.query(sql, {"case": "101001685283"}).to_pydict()["secs"]
    waits = next(one for one in service_report(workspace).sections if one.key == "waits").findings[0]
    figures = [f"{bound:.{places}f}" for bound, places in ((waits.value, 7), (waits.low, 4), (waits.high, 4))]
    assert f"resolution_secs = {secs}\n" in life()
    assert "Series: value {} days, low {}, high {}, n {}\n".format(*figures, waits.n) in life()
    assert waits.value == pytest.approx((351383 + 352460) / 2 / 86_400)
    assert waits.text.split("; before")[0] in read("docs/architecture.md")


def test_the_pictures_are_there_small_and_told_in_words() -> None:
    names = {"report", "today", "verdict"}
    for page, folder, wanted in (("README.md", ROOT, names), ("docs/tutorial.md", DOCS, names - {"today"})):
        shown = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", read(page))
        assert {folder / target for _words, target in shown} == {DOCS / "pictures" / f"{name}.png" for name in wanted}
        for words, target in shown:
            assert len(words.split()) > 5, target
            picture = (folder / target).read_bytes()
            assert picture.startswith(b"\x89PNG")
            assert int.from_bytes(picture[16:20], "big") == 1280, target
            assert len(picture) < 250_000, target


def test_the_measure_of_the_readme_is_the_definition() -> None:
    shown = read("README.md").split("<!-- begin measure -->\n")[1].split("<!-- end measure -->")[0].strip()
    assert shown == read("docs/measures.md").split("## promise_kept\n")[1].split("\n## ")[0].strip()
    measure = find_measure("promise_kept")
    for text in (measure.question, measure.formula, measure.counted, measure.source):
        assert text in shown
    listed = json.loads(run("-m", "wellserved", "measures", "--format", "json").stdout)
    (one,) = (one for one in listed if one["name"] == measure.name)
    assert one["question"] in shown


def diffs() -> list[str]:
    return re.findall(r"```diff\n(.*?)```", read("CONTRIBUTING.md"), re.S)


CHECKS = (
    "from wellserved.measure import find_measure; assert find_measure('chased_rate').kind == 'share'",
    "from wellserved.mapping import recognise_preset; m = recognise_preset(['Unique Key', 'Created Date', 'Due Date', 'Closed Date', 'Complaint Type']);"
    "assert m is not None and m.name == 'nyc311' and len(m.moments) == 3",
    "import numpy as np; from wellserved.chart.rules import RULES; from wellserved.chart.limits import Limits;"
    "v = np.array([0.1, -0.1] * 10); f = Limits(np.zeros(20), np.full(20, -3.0), np.full(20, 3.0));"
    "r = RULES['fifteen_near_the_centre'][0]; assert r(v, f).all() and r(-v, f).all() and not r(v * 20, f).any()",
)


@pytest.mark.parametrize("place", range(3), ids=["measure", "source", "rule"])
def test_the_changes_shown_to_contributors_work_as_they_stand(place: int, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.gz"))
    (tmp_path / "one.diff").write_text(diffs()[place], encoding="utf-8")
    done = subprocess.run(["git", "apply", "one.diff"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tried = run("-c", CHECKS[place], PYTHONPATH=str(tmp_path / "src"))
    assert tried.returncode == 0, tried.stderr


def test_readme_says_how_to_start_and_what_the_simulation_shows() -> None:
    text = read("README.md")
    assert "make demo" in text
    assert "make test" in text
    assert "gain of 20% or more in most months" in text


def test_samples_carry_no_personal_details_and_stay_small() -> None:
    import csv

    sys.path.insert(0, str(ROOT / "samples"))
    try:
        from make_slices import ADDRESS, EMAIL, PHONE, SLICES, TARGET
    finally:
        sys.path.pop(0)
    total = 0
    csv.field_size_limit(10 << 20)
    for one in SLICES:
        total += (TARGET / one.part).stat().st_size
        with gzip.open(TARGET / one.part, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                for column in one.words:
                    assert not any(pattern.search(row[column]) for pattern in (ADDRESS, EMAIL, PHONE)), row[column]
    assert total <= 6_000_000


def test_the_issue_of_a_wrong_request_says_what_to_do(tmp_path: Path) -> None:
    env = {"WELLSERVED_HOME": str(tmp_path / "none"), "NO_COLOR": "1"}
    for command, hint in (
        (("report",), "wellserved init"),
        (("measure", "promise_kep"), "promise_kept"),
        (("inspect", str(tmp_path / "missing.csv")), "Check the name"),
    ):
        done = run("-m", "wellserved", *command, **env)
        assert done.returncode == 2
        assert hint in done.stderr
        assert "Traceback" not in done.stderr


def test_json_of_measures_is_the_registry() -> None:
    done = run("-m", "wellserved", "measures", "--format", "json")
    assert [one["name"] for one in json.loads(done.stdout)] == [one.name for one in MEASURES]


def test_the_tutorial_s_improvement_is_proved_as_it_says(tmp_path: Path) -> None:
    """The commands as they stand, from the made cases to the verdict; and the numbers that the text repeats."""
    text = read("docs/tutorial.md").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.startswith("wellserved ") and "--home trial" in line]
    command_beginnings = (
        "wellserved init",
        "wellserved synth",
        "wellserved improve add",
        "wellserved prove quick-repairs --home",
    )
    for line in (line for line in lines if line.startswith(command_beginnings)):
        words = shlex.split(line.replace("--home trial", f"--home {tmp_path / 'trial'}"))[1:]
        result = run("-m", "wellserved", *words, COLUMNS="400")
        assert result.returncode == 0, result.stderr
    verdict_text = " ".join(result.stdout.split())
    for passage in re.findall(r"\*(0\.22 days less \.\.\. [^*]*)\*", read("docs/tutorial.md"))[0].split(" ... "):
        assert passage in verdict_text
    assert "improved; harm not excluded; not told by the record: complaint_rate" in verdict_text

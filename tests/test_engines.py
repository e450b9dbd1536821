"""One definition, several engines: every measure gives the same cells on DuckDB, PostgreSQL and Spark's language."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import engines
from tests.engines import QUESTIONS, answers, differences, on
from wellserved import cases
from wellserved.actions import open_cases, synthetic
from wellserved.cli import app
from wellserved.engine import Engine, open_engine
from wellserved.engine.duckdb import DuckDB
from wellserved.errors import RequestError, StorageError
from wellserved.measure.case_table import CaseTable
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

CASES = int(os.environ.get("WELLSERVED_ENGINE_CASES", "20000"))
HOURS = (
    '[[calendar]]\nname = "office"\nzone = "Europe/Berlin"\nhours = { mon-fri = "09:00-17:00" }\nholidays = ["DE"]\n'
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = create_workspace(tmp_path_factory.mktemp("engines") / "home", "Europe/Berlin")
    workspace.calendars.write_text(HOURS, encoding="utf-8")
    synthetic.make_cases(workspace, CASES, 7)
    return workspace


@pytest.fixture(scope="module")
def ours(made: Workspace) -> Iterator[CaseTable]:
    with open_cases.open_case_table(made) as scope:
        yield scope


def opened_at(url: str, workspace: Workspace) -> tuple[Engine, str]:
    return open_engine(url, log.snapshot(workspace.cases).files, cases.CASE_TYPES)


@pytest.fixture(scope="module")
def sail(made: Workspace) -> Iterator[tuple[Engine, str]]:
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    _, port = server.listening_address
    engine, table = opened_at(f"sc://127.0.0.1:{port}", made)
    yield engine, table
    engine.close()
    server.stop()


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    if engines.postgres_folder() is None:
        assert not os.environ.get("CI"), "CI must have PostgreSQL: see .ci/run"
        pytest.skip("PostgreSQL is not installed on this machine; its comparison with DuckDB was not made")
    with tempfile.TemporaryDirectory(prefix="ws-pg-") as folder, engines.postgres(Path(folder)) as url:
        yield url


@pytest.fixture(scope="module")
def postgres(made: Workspace, postgres_url: str) -> Iterator[tuple[Engine, str]]:
    engine, table = opened_at(postgres_url, made)
    other, again = opened_at(postgres_url, made)
    other.close()
    assert again == table, "the same version is copied once"
    yield engine, table
    engine.close()


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("where", ["sail", "postgres"])
def test_every_cell_is_the_same_on_another_engine(
    ours: CaseTable, where: str, name: str, request: pytest.FixtureRequest
) -> None:
    engine, table = request.getfixturevalue(where)
    mine, theirs = answers(ours, QUESTIONS[name]), answers(on(ours, engine, table), QUESTIONS[name])
    found = differences(mine, theirs)
    assert not found, f"{len(found)} of {len(mine)} rows: {found[:5]}"
    assert sum(row["value"] is not None for row in mine) > 20


@pytest.mark.parametrize("where", ["sail", "postgres"])
def test_no_case_at_all_is_no_error(ours: CaseTable, where: str, request: pytest.FixtureRequest) -> None:
    engine, table = request.getfixturevalue(where)
    nobody: dict[str, object] = {"granularity": "month", "where": (("team", "nobody"),)}
    assert answers(on(ours, engine, table), nobody) == answers(ours, nobody)


@pytest.mark.parametrize("where", ["sail", "postgres"])
def test_values_are_bound_and_texts_quoted_as_each_engine_reads_them(
    ours: CaseTable, where: str, request: pytest.FixtureRequest
) -> None:
    engine, _ = request.getfixturevalue(where)
    for odd in ("it's", "back\\slash", "\\'", "100 % of $odd :odd", '"quoted"', "line\nbreak", "Zürich 東京", ""):
        for one in (engine, ours.engine):
            quoted = one.query(
                f"SELECT {one.quote_text(odd)} AS said, CAST($odd AS {one.string}) AS bound", {"odd": odd}
            ).to_pylist()
            assert quoted == [{"said": odd, "bound": odd}], (where, odd)


def test_the_same_command_asks_the_engine_that_is_named(
    made: Workspace, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [
        "measure",
        "asked",
        "time_to_resolution",
        "open_age",
        "--by",
        "team",
        "--format",
        "csv",
        "--home",
        str(made.folder),
    ]
    here = CliRunner().invoke(app, command)
    monkeypatch.setenv("WELLSERVED_ENGINE", postgres_url)
    there = CliRunner().invoke(app, command)
    assert (here.exit_code, there.exit_code) == (0, 0), there.output
    assert here.stdout == there.stdout
    assert here.stdout.count("\n") > 20


def test_an_engine_that_is_not_known_says_which_are() -> None:
    with pytest.raises(RequestError, match="WELLSERVED_ENGINE"):
        open_engine("oracle://x", [], {})
    with pytest.raises(StorageError, match="does not answer"):  # the same question is right later
        open_engine("postgresql://nobody@/none?host=/nowhere", [], {})


def test_the_default_engine_is_duckdb(ours: CaseTable) -> None:
    assert isinstance(ours.engine, DuckDB)

"""Years as periods: numbers, labels, charts, reports and verdicts, in every form."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from wellserved.actions.imports import import_file
from wellserved.actions.questions import service_report
from wellserved.cli import app
from wellserved.errors import PeriodError
from wellserved.improvement import Improvement
from wellserved.mapping import parse_mapping
from wellserved.moments import Granularity, period_of, periods_between
from wellserved.prove.engine.design import step_design
from wellserved.prove.engine.response import ModelInput
from wellserved.prove.verdict import assess_change
from wellserved.storage.workspace import Workspace, create_workspace
from wellserved.wording import period_name

FIRST, YEARS = 2010, 15
MAPPING = """
name = "years"
case = "case"
zone = "UTC"
[columns]
team = "team"
[[moment]]
kind = "asked"
at = "asked"
[[moment]]
kind = "replied"
at = "replied"
[[moment]]
kind = "resolved"
at = "replied"
"""


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Twenty cases a year, one of them asked half an hour before midnight UTC of its last day: in Berlin the next year's."""
    folder = tmp_path_factory.mktemp("years")
    lines = ["case,team,asked,replied"]
    for year in range(FIRST, FIRST + YEARS):
        hours = 10 if year < FIRST + 12 else 4
        for number in range(20):
            asked = datetime(year, 1, 2) + timedelta(days=18 * number)
            asked = datetime(year, 12, 31, 23, 30) if number == 19 else asked
            lines.append(f"{year}-{number},{'ab'[number % 2]},{asked},{asked + timedelta(hours=hours + number % 5)}")
    (folder / "years.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    workspace = create_workspace(folder / "home", "Europe/Berlin")
    import_file(workspace, folder / "years.csv", parse_mapping(MAPPING, "years"), datetime(2026, 1, 1, tzinfo=UTC))
    return workspace


def told(workspace: Workspace, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--home", str(workspace.folder)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_year_is_a_period_of_the_calendar() -> None:
    for day in (date(2025, 1, 1), date(2025, 7, 2), date(2025, 12, 31)):
        period = period_of(day, "year")
        assert (period.start, period.end, period.label) == (date(2025, 1, 1), date(2026, 1, 1), "2025")
        assert period_name(period, "year") == "2025"
    spans = periods_between(date(2023, 12, 31), date(2025, 1, 1), "year")
    assert [one.label for one in spans] == ["2023", "2024"]


def test_cases_belong_to_the_year_of_the_workspaces_zone(years: Workspace) -> None:
    rows: list[dict[str, Any]] = json.loads(told(years, "measure", "asked", "--every", "year", "-f", "json"))
    wanted = {str(FIRST): 19, **{str(FIRST + back): 20 for back in range(1, YEARS)}, str(FIRST + YEARS): 1}
    assert {row["period"]: row["n"] for row in rows} == wanted
    rows = json.loads(told(years, "measure", "time_to_first_reply", "--every", "year", "--by", "team", "-f", "json"))
    assert {(row["segment"], row["period"]) for row in rows if row["value"]} >= {("a", "2011"), ("b", "2024")}


@pytest.mark.parametrize("form", ["text", "html", "md", "json", "csv", "svg"])
def test_every_form_speaks_of_years(years: Workspace, form: str) -> None:
    for command, measure in (("measure", "asked"), ("chart", "time_to_first_reply")):
        if command == "chart" or form != "svg":
            assert "2013" in told(years, command, measure, "--every", "year", "-f", form)
    if form != "svg":
        assert "2024" in told(years, "report", "--source", "years", "--every", "year", "-f", form)


@pytest.mark.parametrize("day", ["9999-05-01", "2200-01-01", "1899-12-31", "0001-01-01"])
@pytest.mark.parametrize("every", ["day", "week", "month", "quarter", "year"])
def test_a_report_on_a_day_that_can_hold_nothing_is_refused(years: Workspace, day: str, every: Granularity) -> None:
    with pytest.raises(PeriodError, match=f"period of {day}.* from 1900-01-01 to 2199-12-31"):
        service_report(years, granularity=every, period=date.fromisoformat(day))


def test_a_report_on_a_year_sets_it_against_the_years_before(years: Workspace) -> None:
    said = " ".join(told(years, "report", "--source", "years", "--every", "year", "--period", "2023-06-01").split())
    assert "Service report for 2023, compared with everything since 2010-01-02." in said
    assert "All measures in 2023" in said


def test_a_proof_on_years_says_how_many_more_it_takes(years: Workspace) -> None:
    def proof(since: str) -> str:
        words = ("prove", "--measure", "time_to_first_reply", "--change", since, "--every", "year")
        return " ".join(told(years, *words).split())

    assert "years before the change" in proof("2013-01-01")
    assert "year" in proof("2022-01-01")


def test_whole_years_have_no_season() -> None:
    """One column of a step, one of its slope, level and trend: no sines of whole turns."""
    seen = np.ones(12, dtype=bool)
    for priced in (False, True):
        design = step_design("year", 12, [8], seen, priced)
        monthly = step_design("month", 12, [8], seen, False)
        assert design.columns.shape == monthly.columns.shape
        assert np.isfinite(design.columns).all()
        assert np.allclose(design.columns, monthly.columns)


def test_a_change_of_many_years_is_measured() -> None:
    noise = np.random.default_rng(5).normal(0, 0.3, 30)
    total = 10 + noise - 3.0 * (np.arange(30) >= 20)
    verdict = assess_change(ModelInput("mean", total, np.ones(30)), 20, "year", "lower")
    assert verdict.status == "improved"
    assert verdict.effect is not None


def test_an_improvement_can_be_declared_by_year() -> None:
    assert Improvement("a", "b", "2024-01-01", "asked", "year").every == "year"

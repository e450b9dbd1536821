"""A team's week with what its customers kept telling, and a report with what problems cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from tests.listen.corpus import MAPPING, write_messages
from tests.listen.house import desk
from wellserved.actions.imports import import_file
from wellserved.actions.improvements import declare_improvement, prove_improvement
from wellserved.actions.listening import decide_about, listen_anew
from wellserved.actions.problem_filing import filing_beside_words
from wellserved.actions.problem_questions import overview
from wellserved.actions.week_problems import problems_of_week, with_headlines
from wellserved.errors import UnknownNameError
from wellserved.improvement import Improvement
from wellserved.listen.cost import Amount, ProblemCost
from wellserved.listen.filing import Filing
from wellserved.mapping import parse_mapping
from wellserved.measure import MeasureQuestion
from wellserved.moments import NotComputable
from wellserved.report.problems import problem_section
from wellserved.storage.workspace import Workspace

MONDAY = date(2025, 6, 23)  # the 25th of 26 weeks


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace, _ = desk(
        tmp_path_factory.mktemp("desk"), 26, 50, share=lambda problem, week: 4.0 if problem == "damaged" else 1.0
    )
    listen_anew(workspace)
    return workspace


def test_the_largest_of_a_week_stand_with_the_week_before(home: Workspace) -> None:
    week = problems_of_week(home, MONDAY, "nobody's")
    assert week.team == ""  # the record knows no such team
    assert len(week.problems) >= 3
    sizes = {
        size.label.partition(" ")[2]: size
        for size in overview(home, "problem", MeasureQuestion((), until=date(2025, 6, 30))).sizes
    }
    for problem in week.problems:
        assert problem.customers == sizes[problem.name].weeks[-1]
        assert problem.customers_before == sizes[problem.name].weeks[-2]
    counts = [problem.customers for problem in week.problems[:3]]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == max(size.weeks[-1] for size in sizes.values())


def test_a_week_that_the_record_does_not_reach_has_none(home: Workspace) -> None:
    assert problems_of_week(home, date(2025, 7, 21), "").problems == ()


def test_what_is_done_about_it_stands_beside_it(home: Workspace) -> None:
    name = problems_of_week(home, MONDAY, "").problems[0].name
    book_id = next(
        size.label.split()[0]
        for size in overview(home, "problem", MeasureQuestion(())).sizes
        if size.label.endswith(name)
    )
    declare_improvement(
        home, Improvement("foam", "Foam corners in every box", "2025-03-31", "problem_share", "week", about=book_id)
    )
    week = problems_of_week(home, MONDAY, "")
    before = next(problem for problem in with_headlines(home, week).problems if problem.name == name)
    assert (before.what, before.since, before.headline) == ("Foam corners in every box", "2025-03-31", "")
    proof, _ = prove_improvement(home, "foam")
    after = next(problem for problem in with_headlines(home, week).problems if problem.name == name)
    assert after.headline == proof.headline.replace("_", " ") != ""
    other = next(
        size.label.split()[0]
        for size in overview(home, "problem", MeasureQuestion(())).sizes
        if not size.label.endswith(name)
    )
    merge = decide_about(home, "merged", book_id, {"into": other}, "Kim")
    merged = next(problem for problem in problems_of_week(home, MONDAY, "").problems if problem.improvement)
    assert merged.what == "Foam corners in every box"
    decide_about(home, "undone", "", {"decision": merge.number}, "Kim")


def test_a_team_whose_source_ended_has_no_week_and_the_first_week_none_before(tmp_path: Path) -> None:
    """The right week's numbers, or none: not those of the last week in which a team had any."""
    workspace, rows = desk(tmp_path, 20, 40)
    ended = [replace(row, number=row.number + 50_000) for row in rows if row.at < datetime(2025, 5, 8)]
    write_messages(workspace.folder / "b.csv", ended)
    mapping = MAPPING.replace('"desk"', '"branch"').replace("[columns]", '[columns]\nteam = "place"')
    import_file(workspace, workspace.folder / "b.csv", parse_mapping(mapping, "branch.toml"))
    listen_anew(workspace)
    late, first = (
        problems_of_week(workspace, date(2025, 5, 12), "north"),
        problems_of_week(workspace, date(2025, 1, 6), ""),
    )
    assert late.problems == ()  # all of the team's cases are of the source that ended
    assert first.problems
    assert {problem.customers_before for problem in first.problems} == {None}
    second = problems_of_week(workspace, date(2025, 1, 13), "")
    customers = {problem.name: problem.customers for problem in first.problems}
    for problem in second.problems:
        if problem.name in customers:
            assert problem.customers_before == customers[problem.name]


def test_a_report_names_what_costs_most_where_that_is_known(home: Workspace) -> None:
    sizes = overview(home, "problem", MeasureQuestion(())).sizes
    unknown = problem_section(sizes)
    assert unknown is not None
    assert not any("spent" in finding.text for finding in unknown.findings)
    assert "cost" not in unknown.tables[0].columns
    costs = [Amount(100.0 * index, 90.0 * index, 120.0 * index) for index in range(len(sizes))]
    priced = [
        replace(size, cost=ProblemCost(cost, NotComputable("none"), cost, "EUR", counts_work=True))
        for size, cost in zip(sizes, costs, strict=True)
    ]
    section = problem_section(priced)
    assert section is not None
    spent = [finding.text for finding in section.findings if "EUR" in finding.text]
    last = priced[-1]
    name = last.label.partition(" ")[2]
    assert spent[0] == f"Most was spent on: {name}, about {costs[-1].value:,.0f} EUR."
    assert len(spent) == 3
    assert "cost" in section.tables[0].columns
    assert section.tables[0].note.endswith("Cost: replies at the minutes and the rate declared.")
    assert name in [row[0] for row in section.tables[0].rows]  # though it is the smallest


def test_filing_tells_that_services_say_nothing_of_these_problems(home: Workspace) -> None:
    found = filing_beside_words(home, "service")  # dealt out by chance
    assert isinstance(found, Filing)
    assert found.agreement < 0.02
    assert len(found.pairs) <= 1
    assert found.cases == sum(size.cases for size in overview(home, "problem", MeasureQuestion(())).sizes)
    assert isinstance(filing_beside_words(home, "category"), NotComputable)
    with pytest.raises(UnknownNameError):
        filing_beside_words(home, "customer_id")

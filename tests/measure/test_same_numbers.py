"""One definition, one place: screen, CLI, CSV, JSON and report show the same numbers, to the last digit they show.

And what must hold of any counting: parts add up, strangers change nothing, names do not matter.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests.clock_oracle import Event
from tests.clock_workspace import Values, values_of, workspace_of
from tests.measure.test_timeline import CALENDARS, some_case
from wellserved.actions import questions as question_actions
from wellserved.actions.open_cases import open_case_table
from wellserved.actions.questions import ask_measures, service_report
from wellserved.cli import app
from wellserved.measure import MEASURES, MeasureQuestion, find_measure, series_records
from wellserved.measure.series import SERIES_COLUMNS, Series
from wellserved.render.formats.data import report_data
from wellserved.storage.workspace import Workspace
from wellserved.wording import format_value

BY = [None, "team", "service", "channel", "priority", "promised", "source"]
EVERY = [None, "month", "quarter"]
SPANS = [(), ("--since", "2015-06-01"), ("--until", "2016-02-01"), ("--since", "2015-03-10", "--until", "2016-05-03")]


def some_values(workspace: Workspace) -> dict[str, list[str]]:
    with open_case_table(workspace) as scope:
        return {
            column: [str(one) for one in scope.engine.query(f"SELECT DISTINCT {column} FROM cases WHERE {column} IS NOT NULL LIMIT 40")[column].to_pylist()]
            for column in ("team", "service", "channel", "place", "source")
        }  # fmt: skip


COMMANDS = get_command(app)  # made once: making them takes as long as an answer


def run(workspace: Workspace, *words: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        COMMANDS.main([*words, "--home", str(workspace.folder)], standalone_mode=False)
    return printed.getvalue()


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[MeasureQuestion]:
    """The questions that commands ask; one equal to the last, for another form of its answer, is not counted anew."""
    asked: list[MeasureQuestion] = []
    answer: list[Series] = []

    def ask(workspace: Workspace, question: MeasureQuestion, *rest: Any, **more: Any) -> list[Series]:
        if not asked or asked[-1] != question:
            asked.append(question)
            answer[:] = ask_measures(workspace, question, *rest, **more)
        return answer

    monkeypatch.setattr(question_actions, "ask_measures", ask)
    monkeypatch.setenv("COLUMNS", "250")
    return asked


def test_every_form_shows_the_same_numbers_for_every_measure_and_fifty_filters(
    samples: Workspace, questions: list[MeasureQuestion]
) -> None:
    draw, compared, names = random.Random(50), 0, [one.name for one in MEASURES]
    known = some_values(samples)
    for turn in range(50):
        wanted = draw.sample(names, 3) if turn else names
        by, span = draw.choice(BY), draw.choice(SPANS)
        every = "quarter" if by == "source" else None if by else draw.choice(EVERY)  # a page that somebody would read
        options = [*(["--by", by] if by else []), *(["--every", every] if every else []), *span]
        for column in draw.sample(sorted(known), draw.choice([0, 1, 1, 2])):
            options += ["--where", f"{column}={draw.choice(known[column])}"]
        questions.clear()
        as_json = json.loads(run(samples, "measure", *wanted, *options, "--format", "json"))
        read = list(csv.DictReader(io.StringIO(run(samples, "measure", *wanted, *options, "--format", "csv"))))
        screen = run(samples, "measure", *wanted, *options)
        assert len(questions) == 1, "every form asks the same"
        assert len(as_json) == len(read)
        for one, cells in zip(as_json, read, strict=True):
            for column in SERIES_COLUMNS:
                plain = cells[column].removeprefix("'") if isinstance(one[column], str) else cells[column]
                assert plain == ("" if one[column] is None else str(one[column])), (column, options)
            if one["value"] is not None:
                assert format_value(one["value"], find_measure(one["measure"]).unit).split()[0] in screen
                compared += 1
    assert compared > 300


def test_the_report_and_the_measure_command_give_the_same_numbers(samples: Workspace) -> None:
    made = service_report(samples, "boston311", "month")
    told = json.loads(json.dumps(report_data(made)["series"], default=str))
    first = next(one for one in made.series if one.measure.name == "asked")
    spans = [period for period in first.periods if period is not None]
    question = MeasureQuestion(
        MEASURES, granularity="month", where=(("source", "boston311"),), since=spans[0].start, until=spans[-1].end
    )
    again = [row for one in ask_measures(samples, question) for row in series_records(one)]
    assert [row for row in told if row["n"]] == [row for row in json.loads(json.dumps(again, default=str)) if row["n"]]
    assert len(told) > 100


# --- what must hold of any counting -----------------------------------------------------------------------------------


Made = tuple[dict[str, list[Event]], Workspace]
Counted = tuple[Values, Values, int]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    draw = random.Random(7)
    cases = {f"case {number}": some_case(draw) for number in range(400)}
    return cases, workspace_of(tmp_path_factory.mktemp("made"), cases, CALENDARS, "Europe/Berlin")


@pytest.fixture(scope="module")
def counted(made: Made) -> Counted:
    """What the cases above come to, as they stand: by the log, by the folded cases; and as of when."""
    return values_of(made[1])


SPLIT = ("asked", "resolved", "time_to_resolution", "reopen_rate", "handovers", "business_agent_work")


def totals(workspace: Workspace, **question: Any) -> dict[str, int]:
    """How many cases each measure counts, over all parts of a split."""
    many = ask_measures(workspace, MeasureQuestion(tuple(map(find_measure, SPLIT)), **question))
    return {series.measure.name: sum(series.n) for series in many}


def test_the_parts_of_a_split_add_up_to_the_whole(made: Made) -> None:
    _, workspace = made
    whole = totals(workspace)
    assert set(whole) == set(SPLIT)
    assert min(whole.values()) > 50
    for every in ("day", "week", "month", "quarter", "year"):
        assert totals(workspace, granularity=every) == whole
    assert totals(workspace, by="team") == whole
    assert totals(workspace, by="service", granularity="month") == whole


def test_an_unrelated_case_changes_no_other_case(made: Made, counted: Counted, tmp_path: Path) -> None:
    cases, _ = made
    last = max(event.second for events in cases.values() for event in events)
    stranger = {"stranger": [Event(last - 90_000, "asked", "Night desk"), Event(last, "resolved")]}
    more = workspace_of(tmp_path, {**cases, **stranger}, CALENDARS, "Europe/Berlin")
    (before, folded, as_of), (after, folded_after, as_of_after) = counted, values_of(more)
    assert as_of == as_of_after
    for rule, values in before.items():
        assert {number: value for number, value in after[rule].items() if number != "stranger"} == values
    for rule, values in folded.items():
        assert {number: value for number, value in folded_after[rule].items() if number != "stranger"} == values


def test_other_names_for_the_cases_change_no_value(made: Made, counted: Counted, tmp_path: Path) -> None:
    cases, _ = made
    names = {number: f"x{place * 7919 % 1009}" for place, number in enumerate(cases)}
    renamed = workspace_of(
        tmp_path, {names[number]: events for number, events in cases.items()}, CALENDARS, "Europe/Berlin"
    )
    before, after = counted, values_of(renamed)
    for one, other in zip(before[:2], after[:2], strict=True):
        for rule, values in one.items():
            assert other[rule] == {names[number]: value for number, value in values.items()}


def test_all_times_a_week_later_under_an_equal_calendar_change_no_wait(tmp_path: Path) -> None:
    hours = '[[calendar]]\nname = "a"\nzone = "UTC"\nhours = { mon-fri = "09:00-12:30, 13:30-17:00", sun = "22:00-24:00" }\n'
    draw, week = random.Random(3), int(timedelta(weeks=1).total_seconds())
    cases = {f"case {number}": some_case(draw) for number in range(300)}
    later = {
        number: [Event(event.second + week, event.kind, event.team, event.service, event.known) for event in events]
        for number, events in cases.items()
    }
    folders = (tmp_path / "now", tmp_path / "later")
    for folder in folders:
        folder.mkdir()
    before, after = values_of(workspace_of(folders[0], cases, hours)), values_of(workspace_of(folders[1], later, hours))
    assert before[2] + week == after[2]
    assert before[:2] == after[:2]
    assert sum(map(len, before[0].values())) > 2_000


def test_splitting_a_wait_at_any_instant_adds_up(made: Made, counted: Counted, tmp_path: Path) -> None:
    """A moment that stops nothing, put anywhere into a case, changes no sum."""
    cases, _ = made
    draw, split = random.Random(11), {}
    for number, events in cases.items():
        at = draw.randrange(events[0].second, events[-1].second + 1)
        place = next((place for place, event in enumerate(events) if event.second > at), len(events))
        split[number] = [*events[:place], Event(at, "assigned"), *events[place:]]
    (before, folded, _), (after, folded_after, _) = (
        counted,
        values_of(workspace_of(tmp_path, split, CALENDARS, "Europe/Berlin")),
    )
    assert after == before
    assert folded_after == folded

"""What customers kept telling in a week, and what becomes of it: for the week of a team."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from wellserved.actions.improvements import list_improvements
from wellserved.actions.open_cases import open_case_table
from wellserved.actions.problem_cases import has_problems
from wellserved.actions.problem_questions import overview
from wellserved.improvement import ImprovementRecord
from wellserved.measure import MeasureQuestion
from wellserved.moments import PROBLEM
from wellserved.storage.workspace import Workspace

SHOWN_IN_A_WEEK = 3
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class WeekProblem:
    """A problem in one week, and what became of it."""

    name: str
    customers: int
    customers_before: int  # in the week before
    state: str
    is_alarm: bool
    improvement: str  # declared about it; empty: none
    since: str
    headline: str  # of the last look at its verdict; empty: nobody looked


@dataclass(frozen=True)
class WeekProblems:
    """What a team's customers kept telling in a week; of all the house where the records know no such team."""

    team: str
    problems: tuple[WeekProblem, ...]  # most customers first


def problems_of_week(workspace: Workspace, monday: date, team: str) -> WeekProblems:
    """The largest problems of a week, and those out of the ordinary; none where nobody listened, or where the record ends before the week does."""
    if not has_problems(workspace):
        return WeekProblems("", ())
    with open_case_table(workspace) as case_table:
        last_days = case_table.known_days.values()
        teams = case_table.engine.query(f"SELECT DISTINCT team FROM {case_table.table}")["team"].to_pylist()
    if max(last_days) < monday + WEEK - timedelta(days=1):
        return WeekProblems("", ())
    chosen_team = team if team in teams else ""
    where = (("team", team),) if chosen_team else ()
    week = overview(workspace, PROBLEM, MeasureQuestion((), until=monday + WEEK, where=where))
    records = list_improvements(workspace)
    ids = {problem.label: problem.id for problem in week.book.problems} if week.book else {}
    sizes = sorted((size for size in week.sizes if size.weeks and size.weeks[-1]), key=lambda size: -size.weeks[-1])
    chosen_sizes = [
        *sizes[:SHOWN_IN_A_WEEK],
        *(size for size in sizes[SHOWN_IN_A_WEEK:] if size.is_alarm or size.state == "new"),
    ]
    return WeekProblems(
        chosen_team,
        tuple(
            WeekProblem(
                size.label.partition(" ")[2], size.weeks[-1], size.weeks[-2] if len(size.weeks) > 1 else 0, size.state,
                size.is_alarm, *_improvement_about(records, ids.get(size.label, "")),
            )
            for size in chosen_sizes
        ),
    )  # fmt: skip


def _improvement_about(records: Sequence[ImprovementRecord], problem: str) -> tuple[str, str, str]:
    """The last improvement declared about a problem: what, since when, and what its last look said."""
    declared_records = [record for record in records if problem and record.improvement.about == problem]
    if not declared_records:
        return "", "", ""
    record = max(declared_records, key=lambda record: record.improvement.since)
    headline = str(record.looks[-1].facts.get("headline", "")).replace("_", " ") if record.looks else ""
    return record.improvement.what, record.improvement.since, headline

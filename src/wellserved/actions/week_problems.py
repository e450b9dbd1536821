"""What customers kept telling in a week, and what becomes of it: for the week of a team."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from wellserved.actions.improvements import list_improvements
from wellserved.actions.open_cases import open_case_table
from wellserved.actions.problem_cases import has_problems
from wellserved.improvement import Improvement
from wellserved.listen.book import Book, open_book
from wellserved.listen.cost import Cost
from wellserved.listen.sizes import ProblemSize, problem_sizes
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import CaseTable, filter_sql
from wellserved.moments import PROBLEM, day_number
from wellserved.storage.workspace import Workspace

SHOWN_IN_A_WEEK = 3
WEEK = timedelta(days=7)
Counts = Mapping[str, tuple[int, int]]  # problem -> customers in the week before, and in the week


@dataclass(frozen=True)
class WeekProblem:
    """A problem in one week, and what became of it."""

    name: str
    customers: int
    customers_before: int | None  # in the week before; None: the records do not reach back so far
    state: str
    is_alarm: bool
    improvement: str = ""  # the name of the last one declared about it; empty: none
    what: str = ""  # and what it changes, for whom
    since: str = ""
    headline: str = ""  # of the last look at its verdict; empty: nobody looked


@dataclass(frozen=True)
class WeekProblems:
    """What a team's customers kept telling in a week; of all the house where the records know no such team."""

    team: str
    problems: tuple[WeekProblem, ...]  # most customers first


NO_WEEK_PROBLEMS = WeekProblems("", ())


def problems_of_week(workspace: Workspace, monday: date, team: str) -> WeekProblems:
    """The largest problems of a week, and those out of the ordinary; none where nobody listened. Sources that end before the
    week does say nothing of it."""
    if not has_problems(workspace):
        return NO_WEEK_PROBLEMS
    with open_case_table(workspace, with_moments=True, about="") as case_table:
        sources = [source for source, day in case_table.known_days.items() if day >= monday + WEEK - timedelta(days=1)]
        if not sources:
            return NO_WEEK_PROBLEMS
        teams = case_table.engine.query(f"SELECT DISTINCT team FROM {case_table.table}", {})["team"].to_pylist()
        chosen_team = team if team in teams else ""
        where = (*(("source", source) for source in sources), *((("team", team),) if chosen_team else ()))
        counts = _customers_of_weeks(case_table, MeasureQuestion((), where=where), monday)
        zone = ZoneInfo(workspace.zone)
        begins = max(
            datetime.fromtimestamp(case_table.begins[source], UTC).astimezone(zone).date() for source in sources
        )
        sizes = problem_sizes(case_table, PROBLEM, MeasureQuestion((), until=monday + WEEK, where=where), Cost())
    problems = _largest(sizes, counts, begins <= monday - WEEK)
    book = open_book(workspace)
    declared = [record.improvement for record in list_improvements(workspace)]
    return WeekProblems(chosen_team, tuple(_with_improvement(problem, declared, book) for problem in problems))


def with_headlines(workspace: Workspace, week: WeekProblems) -> WeekProblems:
    """The week with what the last look at each improvement said; a look makes no other answer old, so it is asked for by itself."""
    records = {record.improvement.name: record for record in list_improvements(workspace)}
    problems = []
    for problem in week.problems:
        record = records.get(problem.improvement)
        looks = record.looks if record else ()
        headline = str(looks[-1].facts.get("headline", "")).replace("_", " ") if looks else ""
        problems.append(replace(problem, headline=headline))
    return replace(week, problems=tuple(problems))


def _customers_of_weeks(case_table: CaseTable, question: MeasureQuestion, monday: date) -> Counts:
    condition, values = filter_sql(case_table, question)
    first = day_number(monday)
    rows = case_table.engine.query(
        f"""SELECT {PROBLEM} AS label, CAST(asked_day >= {first} AS INTEGER) AS is_week,
            count(DISTINCT coalesce(customer_id, account_id, source || '/' || case_id)) AS customers
        FROM {case_table.table} WHERE {condition} AND told = 1 AND {PROBLEM} IS NOT NULL AND asked_day >= {first - 7} AND asked_day < {first + 7}
        GROUP BY ALL""",
        values,
    ).to_pylist()
    counts: dict[str, tuple[int, int]] = {}
    for row in rows:
        before, now = counts.get(row["label"], (0, 0))
        counts[row["label"]] = (before, row["customers"]) if row["is_week"] else (row["customers"], now)
    return counts


def _largest(sizes: Sequence[ProblemSize], counts: Counts, knows_week_before: bool) -> list[WeekProblem]:
    problems = [
        WeekProblem(
            size.label,
            counts[size.label][1],
            counts[size.label][0] if knows_week_before else None,
            size.state,
            size.is_alarm,
        )
        for size in sizes
        if counts.get(size.label, (0, 0))[1]
    ]
    problems.sort(key=lambda problem: -problem.customers)
    unusual = [problem for problem in problems[SHOWN_IN_A_WEEK:] if problem.is_alarm or problem.state == "new"]
    return [*problems[:SHOWN_IN_A_WEEK], *unusual]


def _with_improvement(problem: WeekProblem, declared: Sequence[Improvement], book: Book) -> WeekProblem:
    """The problem by its name, with the last improvement declared about it, whatever it was merged into since."""
    name = problem.name.partition(" ")[2]
    about = [
        improvement
        for improvement in declared
        if improvement.about and improvement.is_told_in_words and book.find(improvement.about).label == problem.name
    ]
    if not about:
        return replace(problem, name=name)
    last = max(about, key=lambda improvement: improvement.since)
    limits = ", ".join(f"{column} {value}" for column, value in last.where)
    what = f"{last.what} ({limits})" if limits else last.what
    return replace(problem, name=name, improvement=last.name, what=what, since=last.since)

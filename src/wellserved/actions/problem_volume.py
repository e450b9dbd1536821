"""How many cases a year a problem brings: what a business case begins with."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from wellserved.actions.open_cases import open_case_table
from wellserved.actions.problem_questions import overview
from wellserved.listen.book import open_book
from wellserved.measure import MeasureQuestion
from wellserved.measure.interval import garwood_interval
from wellserved.moments import PROBLEM, NotComputable
from wellserved.storage.workspace import Workspace

DAYS_A_YEAR = 365
FEWEST_DAYS_KNOWN = 28


def yearly_cases(workspace: Workspace, reference: str) -> tuple[int, int, float, float] | NotComputable:
    """Cases of a problem in the last year of the records, in how many days; and how many that is a year, with the interval of a count."""
    problem = open_book(workspace).find(reference)
    with open_case_table(workspace) as case_table:
        until = max(case_table.known_days.values())
        first = datetime.fromtimestamp(min(case_table.begins.values()), ZoneInfo(case_table.zone)).date()
    since = max(first, until - timedelta(days=DAYS_A_YEAR))
    days = (until - since).days
    sizes = overview(workspace, PROBLEM, MeasureQuestion((), since=since, until=until)).sizes
    size = next((size for size in sizes if size.label == problem.label), None)
    if size is None or not size.cases or days < FEWEST_DAYS_KNOWN:
        return NotComputable("it was not seen in the last year, or the records are of a few weeks alone")
    low, high = (end * DAYS_A_YEAR / days for end in garwood_interval(size.cases))
    return size.cases, days, low, high

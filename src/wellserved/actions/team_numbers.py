"""The numbers that a team wants to see first in the morning: few, each with its course, what is unusual first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from wellserved.actions.open_cases import open_case_table
from wellserved.chart import Chart, compute_chart
from wellserved.measure import MEASURES, MeasureQuestion, Series, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable
from wellserved.moments import Granularity, NotComputable, period_of
from wellserved.report.verdicts import is_complete_count, is_news, verdict_at
from wellserved.storage.workspace import Workspace
from wellserved.wording import format_interval, format_number, format_value, period_name

FIRST_MEASURES: Final = {  # and their short names
    "still_open": "Waiting",
    "open_age": "Typical age of a waiting case",
    "promise_kept": "Promises kept",
    "time_to_first_reply": "First reply by a person",
    "time_to_resolution": "Time to resolution",
    "reopen_rate": "Resolved cases that came back",
    "rating_good": "Good ratings",
}
PERIODS_SHOWN: Final = 26
ENOUGH_NUMBERS: Final = 3
TILE_GRANULARITIES: Final[tuple[Granularity, ...]] = ("week", "month")
SIDES: Final = ("worse", "better", "usual", "unknown")  # in the order of the page


@dataclass(frozen=True)
class TeamNumber:
    """One number of the last period that is over, and the periods before it."""

    measure: str
    name: str  # short, where there is one; else the question
    question: str
    value: str
    when: str
    n: str
    side: Literal["worse", "better", "usual", "unknown"]
    words: str
    course: tuple[float | None, ...]
    usual: tuple[float, float] | None
    since: date | None  # the period
    until: date | None


@dataclass(frozen=True)
class TeamNumbers:
    """The numbers, what is unusual first, and whose they are; no team: everybody's."""

    team: str
    granularity: Granularity
    numbers: tuple[TeamNumber, ...]


def team_numbers(workspace: Workspace, team: str) -> TeamNumbers:
    """The first measures that the record can answer for a team; for all where it knows no such team. By week, or where
    weeks hold too few cases by month."""
    best = TeamNumbers("", "week", ())
    with open_case_table(workspace) as case_table:
        for where in ((("team", team),), ()) if team else ((),):
            for granularity in TILE_GRANULARITIES:
                answers = _last_periods(case_table, tuple(FIRST_MEASURES), granularity, where)
                last_numbers = (_number(answers[name], granularity) for name in FIRST_MEASURES)
                numbers = tuple(sorted(filter(None, last_numbers), key=lambda number: SIDES.index(number.side)))
                if len(numbers) > len(best.numbers):
                    best = TeamNumbers(team if where else "", granularity, numbers)
                if len(numbers) >= ENOUGH_NUMBERS:
                    return best
    return best


def all_numbers(workspace: Workspace) -> dict[str, TeamNumber | str]:
    """Every measure's last month that is over; where the record cannot answer it, why."""
    with open_case_table(workspace) as case_table:
        names = tuple(
            measure.name for measure in MEASURES if not measure.today_only
        )  # of past months they know nothing
        answers = _last_periods(case_table, names, "month", ())
    return {name: _number(series, "month") or _reason(series) for name, series in answers.items()}


@dataclass(frozen=True)
class MeasureState:
    """A measure's last month that is over, with its interval; no number: why."""

    number: TeamNumber | None
    value: float | None
    low: float | None
    high: float | None
    interval: str
    reason: str = ""


def measure_states(workspace: Workspace, names: tuple[str, ...], team: str) -> dict[str, MeasureState]:
    """Measures of a team, or of everybody, as they stood in the last month that is over."""
    where = (("team", team),) if team else ()
    with open_case_table(workspace) as case_table:
        answers = _last_periods(case_table, names, "month", where)
    return {name: _state(series) for name, series in answers.items()}


def _state(series: Series) -> MeasureState:
    number = _number(series, "month")
    value, low, high = (ends[-1] if len(series) else NotComputable("no cases") for ends in (series.value, series.low, series.high))  # fmt: skip
    if number is None or isinstance(value, NotComputable):
        reason = value.reason if isinstance(value, NotComputable) else _reason(series)
        return MeasureState(number, None, None, None, "", reason)
    ends = [None if isinstance(end, NotComputable) else float(end) for end in (low, high)]
    return MeasureState(number, float(value), ends[0], ends[1], format_interval(low, high, series.measure.unit))


def _last_periods(
    case_table: CaseTable, names: tuple[str, ...], granularity: Granularity, where: tuple[tuple[str, str], ...]
) -> dict[str, Series]:
    """Measures over the last periods that are over in the record."""
    as_of = max(case_table.as_of.values())
    today = datetime.fromtimestamp(as_of, UTC).astimezone(ZoneInfo(case_table.zone)).date()
    until = since = period_of(today, granularity).start
    for _ in range(PERIODS_SHOWN):
        since = period_of(since - timedelta(days=1), granularity).start
    question = MeasureQuestion(tuple(map(find_measure, names)), None, granularity, since, until, where)
    return answer_question(case_table, question)


def _reason(series: Series) -> str:
    return next((value.reason for value in series.value if isinstance(value, NotComputable)), "no cases")


def _number(series: Series, granularity: Granularity) -> TeamNumber | None:
    """The last period's number; None: no period has one."""
    course = tuple(None if isinstance(value, NotComputable) else float(value) for value in series.value)
    if not course or all(value is None for value in course):
        return None
    position, value = len(course) - 1, series.value[-1]
    period = series.periods[position]
    chart = compute_chart(series)
    verdict = verdict_at(chart, position)
    side: Literal["worse", "better", "usual", "unknown"] = "usual"
    if isinstance(value, NotComputable) or verdict.kind == "cannot":
        side = "unknown"
    elif verdict.side in ("worse", "better") and is_news(
        series, value, series.value[-2] if len(series) > 1 else None, verdict.side
    ):
        side = "worse" if verdict.side == "worse" else "better"
    words = {"usual": "as usual", "unknown": "too little to judge by"}.get(side, f"{side} than usual")
    return TeamNumber(
        series.measure.name,
        FIRST_MEASURES.get(series.measure.name, series.measure.question),
        series.measure.question,
        "not enough" if isinstance(value, NotComputable) else format_value(value, series.measure.unit),
        period_name(period, granularity) if period else "",
        "" if is_complete_count(series) else format_number(series.n[position]),
        side,
        words,
        course,
        _usual(chart, position),
        period.start if period else None,
        period.end if period else None,
    )


def _usual(chart: Chart, position: int) -> tuple[float, float] | None:
    if isinstance(chart.limits, NotComputable):
        return None
    low, high = float(chart.limits.lower[position]), float(chart.limits.upper[position])
    return (low, high) if low == low else None

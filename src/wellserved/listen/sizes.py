"""How large problems are, how they change, and what goes with them: the same table for what was found in words and for
the house's own categories, causes and services.

"With this problem" is all that is said here. That something comes *from* it, only a proof can tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from wellserved.engine.duckdb import DuckDB, quote_name
from wellserved.listen.cost import Amount, Cost, ProblemCost, problem_cost, query_given_back
from wellserved.listen.rise import QuarterlyTrend, State, chance_of_week, state_of, trend, weekly_alarms
from wellserved.measure.case_table import CaseTable, fill_sql, filter_sql, period_sql
from wellserved.measure.interval import wilson_interval
from wellserved.measure.matched import MatchedDifference, Stratum, matched_difference
from wellserved.measure.series import MeasureQuestion
from wellserved.moments import PROBLEM, NotComputable

SPARK_WEEKS: Final = 12
MAX_WEEKS: Final = 156
FEWEST_MATCHED: Final = 30
FEWEST_STRATA: Final = 2
RANK_DRAWS: Final = 2_000
_FIRST_MONDAY: Final = date(1970, 1, 5)


@dataclass(frozen=True)
class ProblemSize:
    """One problem, by the cases that are mostly about it."""

    label: str
    cases: int
    customers: int
    share: Amount  # of the cases that could tell
    weeks: tuple[int, ...]  # customers a week, last SPARK_WEEKS whole weeks of the record
    course: QuarterlyTrend | NotComputable
    state: State
    is_alarm: bool  # the last whole week is out of the ordinary
    rated: int
    ratings: MatchedDifference | NotComputable  # of good ratings, beside like cases
    reopened: MatchedDifference | NotComputable
    chased: MatchedDifference | NotComputable
    accounts: int  # with two cases or more
    cost: ProblemCost
    ranks: tuple[tuple[int, int], ...]  # by number, by cost, by growth: where it may stand, 95%


RANKINGS: Final = ("how many", "how much", "how fast it grows")


def problem_sizes(
    case_table: CaseTable, by: str, question: MeasureQuestion, cost: Cost, seed: int = 1
) -> list[ProblemSize]:
    """Every problem of a span, most cases first; `by`: problem, category, cause or service."""
    assert isinstance(case_table.engine, DuckDB)
    segment = PROBLEM if by == PROBLEM else quote_name(by)
    where, values = filter_sql(case_table, question)
    span = f"{where} AND {period_sql(question, 'asked')}"
    told = "told = 1" if by == PROBLEM else f"{segment} IS NOT NULL"
    totals = case_table.engine.query(
        f"""SELECT {segment} AS label, count(*) AS cases, count(DISTINCT coalesce(customer_id, account_id, source || '/' || case_id)) AS customers,
        sum(replies) AS replies, sum(replies * replies) AS squares, count(score) AS rated
        FROM {case_table.table} WHERE {span} AND {told} GROUP BY 1""", values,
    ).to_pylist()  # fmt: skip
    told_cases = sum(row["cases"] for row in totals)
    found = sorted((row for row in totals if row["label"] is not None), key=lambda row: (-row["cases"], row["label"]))
    labels = [str(row["label"]) for row in found]
    counts, exposure = _weekly_customers(case_table, segment, f"{span} AND {told}", values, labels)
    chances = np.array([chance_of_week(row, exposure) for row in counts])
    alarms = weekly_alarms(chances)
    courses = [trend(row, exposure) for row in counts]
    matched = _matched(case_table, segment, f"{span} AND {told}", values, labels)
    accounts = _repeated_accounts(case_table, segment, span, values)
    given_back = query_given_back(case_table, segment, f"{span} AND {told}", values)
    has_replies = any(row["replies"] for row in totals)
    costs = [problem_cost(row, label, given_back, cost, has_replies) for label, row in zip(labels, found, strict=True)]
    ranks = _ranks(found, [cost_of_one.weight for cost_of_one in costs], courses, seed)
    return [
        ProblemSize(
            label, row["cases"], row["customers"], _share(row["cases"], told_cases), tuple(int(week) for week in counts[index, -SPARK_WEEKS:]),
            courses[index], state_of(counts[index], exposure, courses[index]), bool(alarms[index]), row["rated"],
            matched[label][0], matched[label][1], matched[label][2],
            accounts.get(label, 0), costs[index], ranks[index],
        )
        for index, (label, row) in enumerate(zip(labels, found, strict=True))
    ]  # fmt: skip


def _share(cases: int, told: int) -> Amount:
    return Amount(cases / told, *wilson_interval(cases, told))


def _weekly_customers(
    case_table: CaseTable, segment: str, span: str, values: dict[str, object], labels: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Distinct customers of every problem by whole week of the record (problems, weeks), and all cases of these weeks."""
    sql = f"""SELECT {segment} AS label, (asked_day - 4) // 7 AS week, count(DISTINCT coalesce(customer_id, account_id, source || '/' || case_id)) AS customers,
        count(*) AS cases FROM {case_table.table} WHERE {span} GROUP BY ALL"""
    rows = case_table.engine.query(sql, values).to_pylist()
    if not rows:
        return np.zeros((len(labels), 0)), np.zeros(0)
    known_day = max(case_table.known_days.values(), default=_FIRST_MONDAY)
    last_whole = (known_day + timedelta(days=1) - _FIRST_MONDAY).days // 7 - 1
    last = min(max(row["week"] for row in rows), last_whole)
    first = max(min(row["week"] for row in rows), last - MAX_WEEKS + 1)
    counts, exposure = np.zeros((len(labels), max(last - first + 1, 0))), np.zeros(max(last - first + 1, 0))
    index = {label: index for index, label in enumerate(labels)}
    for row in rows:
        if first <= row["week"] <= last:
            exposure[row["week"] - first] += row["cases"]
            if row["label"] is not None:
                counts[index[str(row["label"])], row["week"] - first] = row["customers"]
    if len(exposure) > 1:  # the first week of a record is rarely whole
        counts, exposure = counts[:, 1:], exposure[1:]
    return counts, exposure


_EVENTS: Final = {
    "good rating": ("{good}", "score IS NOT NULL AND ({good} OR NOT {good})"),
    "reopened": ("reopens > 0", "resolutions > 0"),
    "chased": ("chases > 0", "1 = 1"),
}


def _matched(
    case_table: CaseTable, segment: str, span: str, values: dict[str, object], labels: Sequence[str]
) -> dict[str, tuple[MatchedDifference | NotComputable, ...]]:
    """Ratings, reopenings and chases of every problem beside those of like cases: same service, channel, month, priority."""
    columns = [name for name in ("service", "channel", "priority") if name != segment.strip('"')]
    strata_sql = " || '|' || ".join(["asked_month", *(f"coalesce({name}, '')" for name in columns)])
    result: dict[str, list[MatchedDifference | NotComputable]] = {label: [] for label in labels}
    for event, population in _EVENTS.values():
        event, population = fill_sql(event, case_table), fill_sql(population, case_table)
        rows = case_table.engine.query(
            f"SELECT {segment} AS label, {strata_sql} AS stratum, count(*) AS n, count(*) FILTER ({event}) AS k "
            f"FROM {case_table.table} WHERE {span} AND ({population}) GROUP BY ALL",
            values,
        ).to_pylist()
        own: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        every: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for row in rows:
            own[str(row["label"])][row["stratum"]] = (row["n"], row["k"])
            every[row["stratum"]][0] += row["n"]
            every[row["stratum"]][1] += row["k"]
        happens = any(total[1] for total in every.values())
        for label in labels:
            strata: list[Stratum] = [
                (n, k, every[name][0] - n, every[name][1] - k) for name, (n, k) in sorted(own[label].items())
            ]
            result[label].append(_difference(strata) if happens else NotComputable("none is recorded"))
    return {label: tuple(differences) for label, differences in result.items()}


def _difference(strata: Sequence[Stratum]) -> MatchedDifference | NotComputable:
    difference = matched_difference(strata)
    if difference is None or difference.cases < FEWEST_MATCHED or difference.others < FEWEST_MATCHED:
        cases = difference.cases if difference else 0
        return NotComputable(f"only {cases} cases have others like them; at least {FEWEST_MATCHED} are needed")
    if difference.strata < FEWEST_STRATA:
        return NotComputable("all of them are of one service, channel and month")
    return difference


def _repeated_accounts(case_table: CaseTable, segment: str, span: str, values: dict[str, object]) -> dict[str, int]:
    """Accounts (customers, where no account is known) with two cases or more within 90 days."""
    who = "coalesce(account_id, customer_id)"
    sql = f"""SELECT label, count(DISTINCT who) AS accounts FROM (
        SELECT {segment} AS label, {who} AS who, asked_day, lag(asked_day) OVER (PARTITION BY {segment}, {who} ORDER BY asked_day) AS before
        FROM {case_table.table} WHERE {span} AND {who} IS NOT NULL AND {segment} IS NOT NULL) AS repeated
        WHERE asked_day - before <= 90 GROUP BY 1"""
    return {str(row["label"]): int(row["accounts"]) for row in case_table.engine.query(sql, values).to_pylist()}


def _ranks(
    rows: Sequence[dict[str, object]],
    weights: Sequence[Amount | NotComputable],
    courses: Sequence[QuarterlyTrend | NotComputable],
    seed: int,
) -> list[tuple[tuple[int, int], ...]]:
    """Where each problem may stand by each ranking: the 95% of ranks over draws from what is known of each."""
    random = np.random.default_rng(seed)
    cases = np.array([float(row["cases"]) for row in rows])  # type: ignore[arg-type]
    number = random.gamma(cases + 0.5, 1.0, (RANK_DRAWS, len(rows)))
    many = np.column_stack([_draws(random, weight) for weight in weights]) if rows else number
    fast = np.column_stack([_draws(random, course) for course in courses]) if rows else number
    result = []
    bounds = [_rank_bounds(draws) for draws in (number, many, fast)]
    for index in range(len(rows)):
        known = (True, not isinstance(weights[index], NotComputable), not isinstance(courses[index], NotComputable))
        result.append(
            tuple(bound[index] if is_known else (0, 0) for bound, is_known in zip(bounds, known, strict=True))
        )
    return result


def _draws(random: np.random.Generator, known: Amount | QuarterlyTrend | NotComputable) -> npt.NDArray[np.float64]:
    if isinstance(known, NotComputable):
        return np.full(RANK_DRAWS, -np.inf)
    if isinstance(known, QuarterlyTrend):
        middle, spread = np.log(known.ratio), (np.log(known.high) - np.log(known.low)) / 3.92
    else:
        middle, spread = known.value, (known.high - known.low) / 3.92
    return np.asarray(random.normal(middle, spread, RANK_DRAWS))


def _rank_bounds(draws: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    order = np.argsort(-draws, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, draws.shape[1] + 1)[None, :].repeat(len(draws), axis=0), axis=1)
    low, high = (
        np.quantile(ranks, [0.025, 0.975], axis=0, method="inverted_cdf")
        if draws.shape[1]
        else (np.array([]), np.array([]))
    )
    return [(int(first), int(last)) for first, last in zip(low, high, strict=True)]

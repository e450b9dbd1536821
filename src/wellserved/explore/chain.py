"""The chain: who passes cases to whom, what is lost between them, and whose work upstream fails downstream.

A hand-over makes the one team the other's supplier. A stay is the time that one team has a case: untouched until
somebody there does something, then in hand; pauses and holds are counted by themselves.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from wellserved.engine.duckdb import query, quote_text
from wellserved.errors import RequestError
from wellserved.measure.interval import Z
from wellserved.measure.matched import matched_ratio
from wellserved.measure.timeline import CASE, MomentTable, materialise_intervals
from wellserved.measure.wait_quantile import packed_duration_quantile
from wellserved.moments import NotComputable

ACT_KINDS = (
    "acknowledged",
    "replied",
    "explained",
    "promised",
    "paused",
    "held",
    "resumed",
    "resolved",
    "thanked",
    "recovered",
)
FAILURE_KINDS = ("returned", "complained", "reopened", "failed")
FEWEST_HANDOVERS = 10

ComputedSeconds = float | NotComputable


@dataclass(frozen=True)
class Edge:
    """All hand-overs from one team to another, and what came of them."""

    supplier: str
    customer: str  # the team that takes over
    handovers: int
    untouched_median: ComputedSeconds  # median until the receiving team does anything, open cases counted
    low: ComputedSeconds  # 95% interval
    high: ComputedSeconds
    sent_back: int  # hand-overs answered by one to the supplier
    failed_handovers: int  # hand-overs of cases that failed the outside customer afterwards
    rates_supplier: tuple[int, float] | None  # n and mean score that the customer team gives; None: nobody rated
    rates_customer: tuple[int, float] | None  # the other way


@dataclass(frozen=True)
class TeamTime:
    """Where the time of all cases lies: seconds in one team, open cases so far."""

    team: str
    stays: int
    untouched: int
    in_hand: int  # from the first act on: an upper bound of the time of touch
    paused: int
    held: int


@dataclass(frozen=True)
class Upstream:
    """A supplier whose cases fail downstream more often than others' do in the same place."""

    supplier: str
    passed_cases: int  # cases passed on
    failed_cases: int
    expected: (
        float  # failures, had its cases failed like those of other suppliers to the same teams, for the same services
    )
    ratio: float  # Mantel-Haenszel risk ratio
    low: float  # 95% interval
    high: float
    differs: bool = False  # also when as many comparisons are allowed for as were made (Bonferroni)


@dataclass(frozen=True)
class HandoverStep:
    """The n-th hand-over of a case."""

    number: int
    cases: int
    since_asked: float  # median seconds
    since_last: float  # median seconds since the hand-over before, or the first ask


@dataclass(frozen=True)
class Chain:
    """What the hand-overs of a source tell."""

    edges: tuple[Edge, ...]
    team_times: tuple[TeamTime, ...]
    upstream: tuple[Upstream, ...]
    steps: tuple[HandoverStep, ...]


def chain(moments: MomentTable, source: str | None = None) -> Chain:
    """Who is whose supplier, where time lies, and which upstream team's work fails downstream first."""
    condition = f"source = {quote_text(source)}" if source else "true"
    _stays(moments, condition)
    if not query(moments.db, "SELECT 1 FROM stays WHERE stay > 0 LIMIT 1").num_rows:
        raise RequestError(
            "No case was handed over from one team to another.", "Map hand-overs, or a column that names the team."
        )
    return Chain(_edges(moments, condition), _team_times(moments), _upstream(moments), _steps(moments))


def _stays(moments: MomentTable, condition: str) -> None:
    """Leave a row for each team's stay with a case in `stays`."""
    materialise_intervals(moments, condition)
    up_to_now = f"OVER ({CASE} ORDER BY o)"
    acts = ", ".join(map(quote_text, ACT_KINDS))
    fails = ", ".join(map(quote_text, FAILURE_KINDS))
    moments.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE stays AS
        WITH m AS (
            SELECT source, case_id, o, s, next_s, kind, state, from_team, last_value(team IGNORE NULLS) {up_to_now} AS now_team,
                   count(*) FILTER (kind = 'handed_over') {up_to_now} AS stay
            FROM intervals WHERE o >= start_o
        ), acted AS (
            SELECT *, min(o) FILTER (kind IN ({acts})) OVER ({CASE}, stay) AS act_o FROM m
        ), summed AS (
            SELECT source, case_id, stay, arg_max(now_team, o) AS team, min(s) AS came_s, arg_min(from_team, o) FILTER (kind = 'handed_over') AS given_by,
                   bool_or(kind IN ({fails})) AS fails,
                   min(s) FILTER (o = act_o) AS act_s, max(next_s) FILTER (state < 3) AS until_s, arg_max(state, o) < 3 AS lies,
                   coalesce(sum(next_s - s) FILTER (state = 0 AND (act_o IS NULL OR o < act_o)), 0) AS untouched,
                   coalesce(sum(next_s - s) FILTER (state = 0 AND o >= act_o), 0) AS in_hand,
                   coalesce(sum(next_s - s) FILTER (state = 1), 0) AS paused, coalesce(sum(next_s - s) FILTER (state = 2), 0) AS held
            FROM acted GROUP BY source, case_id, stay
        )
        SELECT s.* REPLACE (coalesce(s.team, '(no team named)') AS team), c.service,
               bool_or(fails) OVER (w ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS failed,
               coalesce(CASE WHEN s.stay > 0 THEN coalesce(s.given_by, lag(s.team) OVER w) END, '(no team named)') AS supplier,
               lead(s.team) OVER w AS next_team, s.stay = max(s.stay) OVER ({CASE}) AS last, s.came_s - lag(s.came_s) OVER w AS since_last,
               s.came_s - min(s.came_s) OVER ({CASE}) AS since_asked
        FROM summed s JOIN {moments.case_table.table} c USING (source, case_id) WINDOW w AS ({CASE} ORDER BY s.stay)
    """)


def _edges(moments: MomentTable, condition: str) -> tuple[Edge, ...]:
    """Hand-overs by supplier and customer team, most first."""
    # Untouched: to the first act; open and lying: still going on; passed on or closed untouched: it ended there.
    packed_sql = "CASE WHEN act_s IS NOT NULL THEN (act_s - came_s) * 2 WHEN last AND lies THEN (until_s - came_s) * 2 + 1 ELSE (coalesce(until_s, came_s) - came_s) * 2 END"
    rows = query(
        moments.db,
        f"SELECT supplier, team, count(*) AS n, count(*) FILTER (next_team = supplier) AS sent_back, count(*) FILTER (failed) AS failed, "
        f"list(greatest({packed_sql}, 0)) AS waits FROM stays WHERE stay > 0 GROUP BY ALL ORDER BY n DESC, supplier, team",
    ).to_pylist()
    ratings = _ratings(moments, condition)
    edges = []
    for row in rows:
        pair = (row["supplier"], row["team"])
        waits = np.sort(np.array(row["waits"], dtype=np.int64))
        median, low, high = _median_with_interval(waits)
        back = (row["sent_back"], row["failed"])
        edges.append(
            Edge(*pair, row["n"], median, low, high, *back, ratings.get((pair[1], pair[0])), ratings.get(pair))
        )
    return tuple(edges)


def _median_with_interval(waits: npt.NDArray[np.int64]) -> tuple[ComputedSeconds, ComputedSeconds, ComputedSeconds]:
    """Median and interval of sorted coded waits, or why there is none."""
    if len(waits) < FEWEST_HANDOVERS:
        too_few = NotComputable(f"only {len(waits)} hand-overs; at least {FEWEST_HANDOVERS} are needed")
        return too_few, too_few, too_few
    bounds = [
        bound if math.isfinite(bound) else NotComputable("not reached yet")
        for bound in packed_duration_quantile(waits, 0.5)
    ]
    return bounds[0], bounds[1], bounds[2]


def _ratings(moments: MomentTable, condition: str) -> dict[tuple[str, str], tuple[int, float]]:
    """Who rates, who is rated -> n and mean score; the last rating of a case in one direction counts, scales are not mixed."""
    rows = query(
        moments.db,
        f"SELECT from_team, team, count(*) AS n, avg(score) AS mean, count(DISTINCT scale) AS scales FROM ("
        f"SELECT from_team, team, score, scale FROM {moments.table} "
        f"WHERE kind = 'rated' AND from_team IS NOT NULL AND team IS NOT NULL AND {condition} "
        "QUALIFY row_number() OVER (PARTITION BY source, case_id, from_team, team "
        'ORDER BY "at" DESC, recorded_at DESC, source_row DESC) = 1) GROUP BY ALL',
    ).to_pylist()
    return {(row["from_team"], row["team"]): (row["n"], row["mean"]) for row in rows if row["scales"] == 1}


def _team_times(moments: MomentTable) -> tuple[TeamTime, ...]:
    """Seconds by team, most untouched first."""
    rows = query(
        moments.db,
        "SELECT team, count(*) AS stays, sum(untouched) AS untouched, sum(in_hand) AS in_hand, sum(paused) AS paused, sum(held) AS held "
        "FROM stays GROUP BY team ORDER BY untouched DESC, team",
    ).to_pylist()
    return tuple(
        TeamTime(str(row["team"]), *(int(row[name]) for name in ("stays", "untouched", "in_hand", "paused", "held")))
        for row in rows
    )


def _steps(moments: MomentTable) -> tuple[HandoverStep, ...]:
    """Time to each hand-over, of the cases that had it."""
    rows = query(
        moments.db,
        "SELECT stay, count(*) AS n, median(since_asked) AS asked, coalesce(median(since_last), median(since_asked)) AS last FROM stays WHERE stay > 0 "
        f"GROUP BY stay HAVING count(*) >= {FEWEST_HANDOVERS} ORDER BY stay",
    ).to_pylist()
    return tuple(HandoverStep(row["stay"], row["n"], float(row["asked"]), float(row["last"])) for row in rows)


def _upstream(moments: MomentTable) -> tuple[Upstream, ...]:
    """Suppliers by the failures that they cause downstream, at least, beyond what others' cases show in the same place."""
    rows = query(
        moments.db,
        "SELECT supplier, team, service, count(*) AS n, count(*) FILTER (failed) AS failed FROM "
        "(SELECT DISTINCT source, case_id, supplier, team, service, failed FROM stays WHERE stay > 0) GROUP BY ALL",
    ).to_pylist()
    return rank_suppliers(rows)


def rank_suppliers(rows: Sequence[dict[str, Any]]) -> tuple[Upstream, ...]:
    """All suppliers that can be compared; of very many some would always seem to differ by chance."""
    suppliers = sorted({row["supplier"] for row in rows})
    comparisons = [comparison for supplier in suppliers if (comparison := compare_with_others(supplier, rows))]
    width_factor = float(special.ndtri(1 - 0.025 / max(len(comparisons), 1))) / Z
    adjusted_comparisons = [
        replace(
            comparison,
            differs=abs(math.log(comparison.ratio)) > width_factor * math.log(comparison.high / comparison.ratio),
        )
        for comparison in comparisons
    ]
    return tuple(
        sorted(
            adjusted_comparisons,
            key=lambda comparison: (-comparison.expected * (comparison.low - 1), comparison.supplier),
        )
    )


def compare_with_others(supplier: str, rows: Iterable[dict[str, Any]]) -> Upstream | None:
    """One supplier's cases beside all others' to the same team for the same service; None: nobody to compare with.

    Mantel and Haenszel's risk ratio over these strata. It tells where to look first, not what the cause is.
    """
    # its n, its k, others' n, others' k
    strata: dict[tuple[object, object], list[float]] = defaultdict(lambda: [0.0] * 4)
    for row in rows:
        cell = strata[row["team"], row["service"]]
        offset = 0 if row["supplier"] == supplier else 2
        cell[offset] += row["n"]
        cell[offset + 1] += row["failed"]
    compared = matched_ratio((n1, k1, n0, k0) for n1, k1, n0, k0 in strata.values())
    if compared is None or compared.cases < FEWEST_HANDOVERS:
        return None
    return Upstream(
        supplier, compared.cases, compared.events, compared.expected, compared.ratio, compared.low, compared.high
    )

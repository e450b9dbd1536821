"""What customers expected and what they got."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from wellserved.engine.duckdb import query, quote_name
from wellserved.errors import RequestError
from wellserved.explore.agreement import usual_scale
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import filter_sql
from wellserved.measure.timeline import MomentTable

FEWEST_SEGMENT_CASES = 10  # cases in a segment


@dataclass(frozen=True)
class ExpectationGap:
    """One segment's expectations, said before delivery, and what was then rated; paired by case."""

    segment: str
    cases: int
    expected: float
    rating: float
    gap: float  # got less expected
    low: float  # 95%, t
    high: float
    met_share: float  # share of cases that got what they expected, or more
    reliability: float | None  # how much of this segment's gap is not chance, beside the others'
    importance: float  # its part of all unmet expectations


@dataclass(frozen=True)
class ExpectationGaps:
    """All segments on one scale, those with most unmet expectations first."""

    scale: str
    by: str
    gaps: tuple[ExpectationGap, ...]
    late_expectations: int  # expectations said after delivery, left out
    small_segment_cases: int  # cases in segments too small to show


def expectation_gaps(
    moments: MomentTable, by: str = "service", where: tuple[tuple[str, str], ...] = ()
) -> ExpectationGaps:
    """Expected before delivery, got after it: the gap by segment, with its interval, reliability and weight.

    Of several expectations the last one before delivery counts; one said after it is left out and counted, since it
    knows what came. Both are on one scale, or there is no gap.
    """
    condition, parameters = filter_sql(moments.case_table, MeasureQuestion((), by=by, where=where))
    sql = f"""
        WITH kept AS (SELECT source, case_id, {quote_name(by)} AS segment, CASE WHEN resolution_secs >= 0 THEN asked_s + resolution_secs END AS done_s FROM {moments.case_table.table} WHERE {condition}),
        said AS (SELECT source, case_id, kind, epoch(m."at") AS s, score, scale, recorded_at FROM {moments.table} m
                 WHERE kind IN ('expected', 'rated') AND score IS NOT NULL AND from_team IS NULL),
        rated AS (SELECT source, case_id, arg_max(score, (s, recorded_at)) AS got, arg_max(scale, (s, recorded_at)) AS scale, max(s) AS s FROM said WHERE kind = 'rated' GROUP BY 1, 2),
        wanted AS (SELECT e.source, e.case_id, e.scale, e.s, e.recorded_at, e.score, coalesce(k.done_s, r.s) AS until_s, k.segment, r.got, r.scale AS on_scale
                   FROM said e JOIN kept k USING (source, case_id) JOIN rated r USING (source, case_id) WHERE e.kind = 'expected')
        SELECT segment, on_scale AS scale, got, arg_max(score, (s, recorded_at)) FILTER (s < until_s AND scale = on_scale) AS expected,
               count(*) FILTER (s >= until_s) AS late
        FROM wanted GROUP BY source, case_id, segment, on_scale, got"""
    table = query(moments.db, sql, parameters)
    late_count = int(sum(table["late"].to_pylist()))
    rows = [row for row in table.to_pylist() if row["expected"] is not None]
    if not rows:
        raise RequestError(
            "No customer said what they expected before delivery and rated it after, on one scale.",
            "Record moments of the kind `expected`, with score and scale, before the case is resolved.",
        )
    scale = usual_scale(rows)
    pairs: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row["scale"] == scale:
            pairs.setdefault(row["segment"] or "(not named)", []).append((float(row["expected"]), float(row["got"])))
    return _gaps(scale, by, pairs, late_count)


def _gaps(scale: str, by: str, pairs: dict[str, list[tuple[float, float]]], late_count: int) -> ExpectationGaps:
    sign = -1 if scale == "ces5" else 1
    large_segments = {
        segment: np.array(segment_pairs)
        for segment, segment_pairs in pairs.items()
        if len(segment_pairs) >= FEWEST_SEGMENT_CASES
    }
    unmet_counts = {
        segment: int((sign * (ratings[:, 1] - ratings[:, 0]) < 0).sum()) for segment, ratings in large_segments.items()
    }
    differences = {segment: ratings[:, 1] - ratings[:, 0] for segment, ratings in large_segments.items()}
    error_variances = {
        segment: float(difference.var(ddof=1) / len(difference)) for segment, difference in differences.items()
    }
    means = np.array([difference.mean() for difference in differences.values()])
    between_variance = (
        max(float(means.var(ddof=1)) - float(np.mean(list(error_variances.values()))), 0.0) if len(means) > 2 else None
    )
    segment_gaps = []
    for segment, ratings in large_segments.items():
        half_width = float(special.stdtrit(len(ratings) - 1, 0.975)) * error_variances[segment] ** 0.5
        gap = float(differences[segment].mean())
        reliability = (
            None
            if between_variance is None
            else between_variance / (between_variance + error_variances[segment])
            if between_variance + error_variances[segment] > 0
            else None
        )
        segment_gaps.append(
            ExpectationGap(
                segment, len(ratings), float(ratings[:, 0].mean()), float(ratings[:, 1].mean()), gap, gap - half_width, gap + half_width,
                1 - unmet_counts[segment] / len(ratings), reliability, unmet_counts[segment] / max(sum(unmet_counts.values()), 1),
            )
        )  # fmt: skip
    small_count = sum(len(segment_pairs) for segment, segment_pairs in pairs.items() if segment not in large_segments)
    return ExpectationGaps(
        scale,
        by,
        tuple(sorted(segment_gaps, key=lambda segment_gap: (-segment_gap.importance, segment_gap.segment))),
        late_count,
        small_count,
    )

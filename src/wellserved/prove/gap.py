"""What customers expected and what they got, and what goes with bad ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import special

from wellserved.engine.duckdb import ask, name
from wellserved.errors import RequestError
from wellserved.measure import Question, Scope
from wellserved.measure.ask import filters
from wellserved.measure.timeline import Moments
from wellserved.moments import SCALES, NotComputed
from wellserved.prove.agreement import alpha, alpha_interval, kappa
from wellserved.prove.drivers import proportional_odds, shares
from wellserved.prove.model import Floats

FEWEST = 10  # cases in a segment
DRAWS = 400
DRIVERS: dict[str, tuple[str, str]] = {
    "late": ("promise not kept", "promise_fate IS NOT NULL AND promise_fate <> 1"),
    "slow": ("slower than most to be resolved", "full_secs > {slow}"),
    "slow_reply": ("slower than most to be answered", "reply_secs > {slow_reply}"),
    "reopened": ("came back after it was resolved", "reopens > 0"),
    "chased": ("customer had to ask again", "chases > 0"),
    "passed_on": ("passed between teams", "handovers > 0"),
    "returned": ("rejected what was delivered", "returns > 0"),
    "complained": ("complained", "complaints > 0"),
    "failed": ("a failure was recorded", "failures > 0"),
    "held": ("waited for a third party", "held_secs > 0"),
    "paused": ("waited for the customer", "paused_secs > 0"),
}
"""What may go with a bad rating: name -> words and SQL over a case."""


@dataclass(frozen=True)
class Driver:
    """One of them, beside the others."""

    name: str
    words: str
    cases: int  # rated cases that have it
    share: float  # of the variance of ratings, averaged over all orders
    low: float  # 95%, cases drawn anew
    high: float
    odds: float | None  # of a worse rating, the others held equal; None: the fit did not end
    odds_low: float | None
    odds_high: float | None


@dataclass(frozen=True)
class Drivers:
    """What goes with bad ratings on one scale."""

    scale: str
    cases: int
    explained: float  # R² of all of them
    drivers: tuple[Driver, ...]  # largest share first
    note: str = ""


@dataclass(frozen=True)
class Gap:
    """One segment's expectations, said before delivery, and what was then rated; paired by case."""

    segment: str
    cases: int
    expected: float
    got: float
    gap: float  # got less expected
    low: float  # 95%, t
    high: float
    met: float  # share of cases that got what they expected, or more
    reliability: float | None  # how much of this segment's gap is not chance, beside the others'
    importance: float  # its part of all unmet expectations


@dataclass(frozen=True)
class Gaps:
    """All segments on one scale, those with most unmet expectations first."""

    scale: str
    by: str
    gaps: tuple[Gap, ...]
    late: int  # expectations said after delivery, left out
    small: int  # cases in segments too small to show


def what_drives(scope: Scope, where: tuple[tuple[str, str], ...] = (), seed: int = 1) -> Drivers:
    """Which failures go with bad ratings: each one's share of the variance, and the odds of a worse rating."""
    only, values = filters(scope, Question((), where=where))
    scales = ask_rows(
        scope,
        f"SELECT scale, count(*) AS n FROM {scope.table} WHERE score IS NOT NULL AND {only} GROUP BY 1 ORDER BY 2 DESC",
        values,
    )
    if not scales:
        raise RequestError("No case was rated.", "Import ratings, or choose others with --where.")
    scale = str(scales[0]["scale"])
    typical = f"SELECT median(full_secs) AS slow, median(reply_secs) AS slow_reply FROM {scope.table} WHERE score IS NOT NULL AND scale = $scale AND {only}"
    limits = {key: int(value or 0) for key, value in ask_rows(scope, typical, {**values, "scale": scale})[0].items()}
    flags = ", ".join(
        f"CAST(coalesce({sql.format(**limits)}, false) AS INTEGER) AS {name(key)}" for key, (_, sql) in DRIVERS.items()
    )
    table = scope.engine.ask(
        f"SELECT score, {flags} FROM {scope.table} WHERE score IS NOT NULL AND scale = $scale AND {only}",
        {**values, "scale": scale},
    )
    note = (
        f"{scales[1]['n']} cases are rated on another scale ({scales[1]['scale']}) and left out"
        if len(scales) > 1
        else ""
    )
    return _drivers(table, scale, seed, note)


def ask_rows(scope: Scope, sql: str, values: dict[str, object]) -> list[dict[str, Any]]:
    """An answer as records."""
    return list(scope.engine.ask(sql, values).to_pylist())


def _drivers(table: pa.Table, scale: str, seed: int, note: str) -> Drivers:
    score = table["score"].to_numpy().astype(float)
    bad = score if scale == "ces5" else -score
    columns = {key: table[key].to_numpy().astype(float) for key in DRIVERS}
    used = [key for key, flags in columns.items() if FEWEST <= flags.sum() <= len(flags) - FEWEST]
    if len(score) < 50 or not used or np.ptp(bad) == 0:
        raise RequestError(
            f"{len(score)} rated cases say too little of what goes with bad ratings.",
            "It takes 50, with and without each failure.",
        )
    x = np.column_stack([columns[key] for key in used])
    found = _share(x, bad)
    draw = np.random.default_rng(seed)
    drawn = np.array([_share(x[at], bad[at]) for at in (draw.integers(0, len(bad), len(bad)) for _ in range(DRAWS))])
    low, high = np.nanquantile(drawn, (0.025, 0.975), axis=0)
    odds = _odds(bad, x)
    made = [
        Driver(
            key,
            DRIVERS[key][0],
            int(columns[key].sum()),
            float(found[place]),
            float(low[place]),
            float(high[place]),
            *(odds[place] if odds else (None, None, None)),
        )
        for place, key in enumerate(used)
    ]
    return Drivers(scale, len(score), float(found.sum()), tuple(sorted(made, key=lambda one: -one.share)), note)


def _share(x: Floats, target: Floats) -> Floats:
    """LMG shares; a driver that does not vary in this draw explains nothing."""
    moving = x.std(axis=0) > 0
    found = np.zeros(x.shape[1])
    if moving.any() and target.std() > 0:
        both = np.corrcoef(np.column_stack([x[:, moving], target]), rowvar=False)
        found[moving] = shares(both[:-1, :-1], both[:-1, -1])
    return found


def _odds(bad: Floats, x: Floats) -> list[tuple[float, float, float]] | None:
    """Odds of a worse rating, with 95% intervals."""
    levels = np.unique(bad)
    try:
        fit = proportional_odds(np.searchsorted(levels, bad), x)
    except (RequestError, np.linalg.LinAlgError):
        return None
    low, high = fit.interval()
    return [
        (float(np.exp(b)), float(np.exp(a)), float(np.exp(c)))
        for b, a, c in zip(fit.coefficients, low, high, strict=True)
    ]


def gaps(moments: Moments, by: str = "service", where: tuple[tuple[str, str], ...] = ()) -> Gaps:
    """Expected before delivery, got after it: the gap by segment, with its interval, reliability and weight.

    Of several expectations the last one before delivery counts; one said after it is left out and counted, since it
    knows what came. Both are on one scale, or there is no gap.
    """
    only, values = filters(moments.scope, Question((), by=by, where=where))
    sql = f"""
        WITH kept AS (SELECT source, case_id, {name(by)} AS segment, CASE WHEN resolution_secs >= 0 THEN asked_s + resolution_secs END AS done_s FROM {moments.scope.table} WHERE {only}),
        said AS (SELECT source, case_id, kind, epoch(m."at") AS s, score, scale, recorded_at FROM {moments.table} m
                 WHERE kind IN ('expected', 'rated') AND score IS NOT NULL AND from_team IS NULL),
        rated AS (SELECT source, case_id, arg_max(score, (s, recorded_at)) AS got, arg_max(scale, (s, recorded_at)) AS scale, max(s) AS s FROM said WHERE kind = 'rated' GROUP BY 1, 2),
        wanted AS (SELECT e.source, e.case_id, e.scale, e.s, e.recorded_at, e.score, coalesce(k.done_s, r.s) AS until_s, k.segment, r.got, r.scale AS on_scale
                   FROM said e JOIN kept k USING (source, case_id) JOIN rated r USING (source, case_id) WHERE e.kind = 'expected')
        SELECT segment, on_scale AS scale, got, arg_max(score, (s, recorded_at)) FILTER (s <= until_s AND scale = on_scale) AS expected,
               count(*) FILTER (s > until_s) AS late
        FROM wanted GROUP BY source, case_id, segment, on_scale, got"""
    table = ask(moments.db, sql, values)
    late = int(sum(table["late"].to_pylist()))
    rows = [one for one in table.to_pylist() if one["expected"] is not None]
    if not rows:
        raise RequestError(
            "No customer said what they expected before delivery and rated it after, on one scale.",
            "Record moments of the kind `expected`, with score and scale, before the case is resolved.",
        )
    scale = max({str(one["scale"]) for one in rows}, key=lambda one: sum(row["scale"] == one for row in rows))
    pairs: dict[str, list[tuple[float, float]]] = {}
    for one in rows:
        if one["scale"] == scale:
            pairs.setdefault(one["segment"] or "(not named)", []).append((float(one["expected"]), float(one["got"])))
    return _gaps(scale, by, pairs, late)


def _gaps(scale: str, by: str, pairs: dict[str, list[tuple[float, float]]], late: int) -> Gaps:
    sign = -1 if scale == "ces5" else 1
    large = {segment: np.array(found) for segment, found in pairs.items() if len(found) >= FEWEST}
    unmet = {segment: int((sign * (both[:, 1] - both[:, 0]) < 0).sum()) for segment, both in large.items()}
    differences = {segment: both[:, 1] - both[:, 0] for segment, both in large.items()}
    errors = {segment: float(one.var(ddof=1) / len(one)) for segment, one in differences.items()}
    means = np.array([one.mean() for one in differences.values()])
    between = max(float(means.var(ddof=1)) - float(np.mean(list(errors.values()))), 0.0) if len(means) > 2 else None
    found = []
    for segment, both in large.items():
        half = float(special.stdtrit(len(both) - 1, 0.975)) * errors[segment] ** 0.5
        gap = float(differences[segment].mean())
        reliability = (
            None
            if between is None
            else between / (between + errors[segment])
            if between + errors[segment] > 0
            else None
        )
        found.append(
            Gap(
                segment, len(both), float(both[:, 0].mean()), float(both[:, 1].mean()), gap, gap - half, gap + half,
                1 - unmet[segment] / len(both), reliability, unmet[segment] / max(sum(unmet.values()), 1),
            )
        )  # fmt: skip
    small = sum(len(one) for segment, one in pairs.items() if segment not in large)
    return Gaps(scale, by, tuple(sorted(found, key=lambda one: (-one.importance, one.segment))), late, small)


def judged_twice(moments: Moments) -> tuple[str, Floats]:
    """Self-ratings beside customers' ratings of the same cases: the scale, and both in two rows."""
    sql = f"""
        SELECT arg_max(score, "at") FILTER (kind = 'self_rated') AS own, arg_max(score, "at") FILTER (kind = 'rated' AND from_team IS NULL) AS theirs,
               arg_max(scale, "at") FILTER (kind = 'self_rated') AS own_scale, arg_max(scale, "at") FILTER (kind = 'rated' AND from_team IS NULL) AS scale
        FROM {moments.table} WHERE kind IN ('self_rated', 'rated') AND score IS NOT NULL GROUP BY source, case_id
        HAVING own IS NOT NULL AND theirs IS NOT NULL AND own_scale = scale"""
    rows = ask(moments.db, sql).to_pylist()
    if not rows:
        raise RequestError(
            "No case was rated both by those who served and by the customer, on one scale.",
            f"Scales: {', '.join(SCALES)}.",
        )
    scale = max({str(one["scale"]) for one in rows}, key=lambda one: sum(row["scale"] == one for row in rows))
    kept = [(float(one["own"]), float(one["theirs"])) for one in rows if one["scale"] == scale]
    return scale, np.array(kept).T


@dataclass(frozen=True)
class Agreement:
    """Two judges of the same cases: how often they say the same, and how far that goes beyond chance."""

    scale: str
    cases: int
    same: float  # share
    higher: float  # share in which the first judges better than the second
    kappa: float | NotComputed  # weighted by the square of how far they are apart
    alpha: float | NotComputed  # Krippendorff's, ordinal
    interval: tuple[float, float] | NotComputed  # of alpha, 95%


def agreed(scale: str, both: Floats) -> Agreement:
    """How far one's own ratings agree with the customers'; refused below ten cases."""
    own, theirs = both
    low, high = (int(end) for end in SCALES[scale][:2])
    table = np.zeros((high - low + 1, high - low + 1))
    np.add.at(table, (np.rint(own).astype(int) - low, np.rint(theirs).astype(int) - low), 1)
    n = both.shape[1]
    if n < FEWEST:
        few = NotComputed(f"only {n} cases were judged by both; at least {FEWEST} are needed")
        return Agreement(scale, n, float((own == theirs).mean()), float((own > theirs).mean()), few, few, few)
    return Agreement(
        scale, n, float((own == theirs).mean()), float((own > theirs).mean()), kappa(table, "quadratic"),
        alpha(both, "ordinal"), alpha_interval(both, "ordinal"),
    )  # fmt: skip

"""The same questions by hand: DuckDB SQL over the product's columns, polars and pandas over an export's timestamps.

Every measure is written once for both data frames: `Cells` gives pandas columns or polars expressions under
one set of names. The SQL is what a practised hand would write; for waits it is twice there: as a bare
percentile, open cases set to infinity, and as Kaplan and Meier's estimate with its interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import polars as pl

NOW = pd.Timestamp("2024-12-31")
AS_OF = int(NOW.timestamp())
How = Literal["count", "share", "mean", "median", "p90", "stock", "age"]


class Cells:
    """An export's columns, by name, as pandas series or polars expressions."""

    def __init__(self, frame: pd.DataFrame | None) -> None:
        self.frame = frame

    def __getattr__(self, name: str) -> Any:
        return pl.col(name) if self.frame is None else self.frame[name]

    def given(self, name: str) -> Any:
        """The cell has a value."""
        return pl.col(name).is_not_null() if self.frame is None else self.frame[name].notna()

    def seconds(self, start: str, end: str) -> Any:
        """From one stamp to another; a wait that goes on is infinite."""
        if self.frame is None:
            return (pl.col(end) - pl.col(start)).dt.total_seconds().fill_null(1 << 60)
        return (self.frame[end] - self.frame[start]).dt.total_seconds().fillna(float("inf"))


@dataclass(frozen=True)
class Peer:
    """One question by hand."""

    how: How
    period: str  # the stamp that puts a case into a month
    columns: tuple[str, ...]  # of the export
    value: Callable[[Cells], Any] | None  # what is averaged, shared or ranked
    only: Callable[[Cells], Any] | None  # the population; None: all
    sql: str


def polars(peer: Peer, path: Path) -> pl.DataFrame:
    """The answer by polars, lazily, from the export."""
    names = list(dict.fromkeys([peer.period, *peer.columns, "team"]))
    frame, cells = pl.scan_parquet(path).select(names), Cells(None)
    if peer.only is not None:
        frame = frame.filter(peer.only(cells))
    frame = frame.with_columns(pl.col(peer.period).dt.truncate("1mo").alias("month"))
    grouped = frame.group_by("month", "team")
    if peer.value is None:
        return grouped.len().collect()
    value = peer.value(cells)
    number = {"median": value.median(), "p90": value.quantile(0.9), "mean": value.mean(), "share": value.mean()}[
        peer.how
    ]
    return grouped.agg(
        pl.len(), number.alias("value"), value.std().alias("spread") if peer.how == "mean" else pl.lit(0)
    ).collect()


def pandas(peer: Peer, path: Path) -> Any:
    """The answer by pandas from the export."""
    frame = pd.read_parquet(path, columns=list(dict.fromkeys([peer.period, *peer.columns, "team"])))
    if peer.only is not None:
        frame = frame[peer.only(Cells(frame))]
    month = frame[peer.period].dt.to_period("M")
    if peer.value is None:
        return frame.groupby([month, "team"], observed=True).size()
    grouped = peer.value(Cells(frame)).groupby([month, frame["team"]], observed=True)
    if peer.how == "p90":
        return grouped.size(), grouped.quantile(0.9)
    return grouped.agg(
        ["size", "median"]
        if peer.how == "median"
        else ["size", "mean", "std"]
        if peer.how == "mean"
        else ["size", "mean"]
    )


def _ends() -> list[pd.Timestamp]:
    return [min(end, NOW) for end in pd.date_range("2022-02-01", "2025-01-01", freq="MS")]


def stock_pandas(peer: Peer, path: Path) -> Any:
    """Open cases at each month's end by pandas: comings less goings; ages from those open then."""
    frame = pd.read_parquet(path, columns=["opened", "closed", "team"])
    if peer.how == "stock":
        came = frame.groupby([frame["opened"].dt.to_period("M"), "team"], observed=True).size().unstack(fill_value=0)
        gone = frame.groupby([frame["closed"].dt.to_period("M"), "team"], observed=True).size().unstack(fill_value=0)
        return came.cumsum() - gone.reindex(came.index, fill_value=0).cumsum()
    found = []
    for end in _ends():
        waiting = frame[(frame["opened"] < end) & ~(frame["closed"] < end)]
        found.append((end - waiting["opened"]).groupby(waiting["team"], observed=True).median())
    return found


def stock_polars(peer: Peer, path: Path) -> Any:
    """The same by polars."""
    frame = pl.scan_parquet(path).select("opened", "closed", "team")
    if peer.how == "stock":
        came = frame.group_by(pl.col("opened").dt.truncate("1mo").alias("m"), "team").agg(
            pl.len().cast(pl.Int64).alias("n")
        )
        gone = (
            frame.filter(pl.col("closed").is_not_null())
            .group_by(pl.col("closed").dt.truncate("1mo").alias("m"), "team")
            .agg((-pl.len().cast(pl.Int64)).alias("n"))
        )
        both = pl.concat([came, gone]).group_by("m", "team").agg(pl.col("n").sum()).sort("m")
        return both.with_columns(pl.col("n").cum_sum().over("team")).collect()
    kept = frame.collect()
    found = []
    for end in _ends():
        waiting = kept.filter((pl.col("opened") < end) & ~(pl.col("closed") < end).fill_null(False))
        found.append(waiting.group_by("team").agg((end - pl.col("opened")).median()))
    return found


def _bare(end: str, p: float) -> str:
    return (
        f"SELECT asked_month, team, count(*), quantile_disc(coalesce({end}, 1152921504606846976), {p}) "
        f"FROM cases WHERE {end} >= 0 OR ({end} IS NULL AND closed = 0) GROUP BY 1, 2"
    )


def kaplan_meier(end: str, p: float) -> str:
    """The wait's quantile with its interval by window functions."""
    z = "1.959963984540054 * sqrt(v) / abs(log_s)"
    return f"""
    WITH w AS (
        SELECT asked_month AS m, team, coalesce({end}, {AS_OF} - asked_s) AS d, CASE WHEN {end} IS NULL THEN 0 ELSE 1 END AS e
        FROM cases WHERE {end} >= 0 OR ({end} IS NULL AND closed = 0)
    ), t AS (SELECT m, team, d, sum(e) AS ends, count(*) AS n FROM w GROUP BY 1, 2, 3),
    r AS (SELECT *, sum(n) OVER (PARTITION BY m, team ORDER BY d DESC) AS at_risk FROM t),
    s AS (
        SELECT m, team, d, at_risk, sum(CASE WHEN ends < at_risk THEN ln(1.0 - ends / at_risk) ELSE -1e9 END) OVER b AS log_s,
               sum(ends / (at_risk * (at_risk - ends + 1e-9))) OVER b AS v
        FROM r WINDOW b AS (PARTITION BY m, team ORDER BY d)
    )
    SELECT m, team, max(at_risk), min(d) FILTER (log_s <= ln({1 - p:.1f})),
           min(d) FILTER (exp(log_s * exp({z})) <= {1 - p:.1f}), min(d) FILTER (exp(log_s * exp(-{z})) <= {1 - p:.1f})
    FROM s WHERE log_s < 0 GROUP BY 1, 2
"""


def _share(month: str, event: str, only: str = "1 = 1") -> str:
    return f"SELECT {month}, team, count(*), sum(CASE WHEN {event} THEN 1 ELSE 0 END) FROM cases WHERE {only} GROUP BY 1, 2"


def _mean(value: str, only: str = "1 = 1") -> str:
    return (
        f"SELECT asked_month, team, count(*), avg({value}), stddev_samp({value}) FROM cases WHERE {only} GROUP BY 1, 2"
    )


def _count(month: str, only: str = "1 = 1") -> str:
    return f"SELECT {month}, team, count(*) FROM cases WHERE {only} GROUP BY 1, 2"


_STOCK = f"""
    WITH c AS (
        SELECT asked_month AS m, team, count(*) AS n FROM cases WHERE asked_s <= {AS_OF} GROUP BY 1, 2
        UNION ALL SELECT resolved_month, team, -count(*) FROM cases WHERE closed = 1 AND resolved_s <= {AS_OF} GROUP BY 1, 2
    ) SELECT m, team, sum(sum(n)) OVER (PARTITION BY team ORDER BY m) FROM c GROUP BY 1, 2
"""
_AGES = " UNION ALL ".join(
    f"SELECT {int(end.timestamp())}, team, count(*), quantile_disc({int(end.timestamp())} - asked_s, 0.5) FROM cases "
    f"WHERE asked_s < {int(end.timestamp())} AND (closed = 0 OR resolved_s >= {int(end.timestamp())}) GROUP BY 2"
    for end in _ends()
)
_DUE = f"promise_fate IS NOT NULL AND due_s <= {AS_OF}"


def _fallen_due(cells: Cells) -> Any:
    return cells.due <= NOW


def _peer(
    how: How,
    period: str,
    columns: str,
    value: Callable[[Cells], Any] | None,
    only: Callable[[Cells], Any] | None,
    sql: str,
) -> Peer:
    return Peer(how, period, tuple(columns.split()), value, only, sql)


_OPEN_OR = {"reply": "replied", "handover": "passed_on", "resolution": "closed"}


def _wait(which: str, how: How) -> Peer:
    stamp, p = _OPEN_OR[which], 0.9 if how == "p90" else 0.5
    return _peer(
        how,
        "opened",
        f"opened closed {stamp}",
        lambda c: c.seconds("opened", stamp),
        lambda c: c.given(stamp) | ~c.given("closed"),
        _bare(f"{which}_secs", p),
    )


PEERS: Mapping[str, Peer] = {
    "asked": _peer("count", "opened", "", None, None, _count("asked_month")),
    "resolved": _peer("count", "closed", "", None, lambda c: c.given("closed"), _count("resolved_month", "resolved_s IS NOT NULL AND abandoned = 0")),
    "still_open": _peer("stock", "opened", "closed", None, None, _STOCK),
    "open_age": _peer("age", "opened", "closed", None, None, _AGES),
    "time_to_first_reply": _wait("reply", "median"),
    "time_to_first_reply_p90": _wait("reply", "p90"),
    "time_to_first_handover": _wait("handover", "median"),
    "time_to_resolution": _wait("resolution", "median"),
    "time_to_resolution_p90": _wait("resolution", "p90"),
    "promise_kept": _peer("share", "due", "closed", lambda c: c.closed <= c.due, _fallen_due, _share("due_month", "promise_fate = 1", _DUE)),
    "promise_late": _peer("share", "due", "closed", lambda c: c.closed > c.due, _fallen_due, _share("due_month", "promise_fate = 2", _DUE)),
    "promise_broken": _peer("share", "due", "closed", lambda c: ~c.given("closed"), _fallen_due, _share("due_month", "promise_fate = 0 OR promise_fate = 3", _DUE)),
    "promise_running": _peer("count", "due", "closed", None, lambda c: ~c.given("closed") & (c.due > NOW), _count("due_month", f"closed = 0 AND due_s > {AS_OF}")),
    "days_late": _peer("median", "due", "closed", lambda c: c.seconds("due", "closed"), lambda c: (c.due <= NOW) & (~c.given("closed") | (c.closed > c.due)),
        f"SELECT due_month, team, count(*), quantile_disc(coalesce(late_secs, 1152921504606846976), 0.5) FROM cases WHERE {_DUE} AND (promise_fate = 0 OR promise_fate = 2) GROUP BY 1, 2"),
    "closed_late": _peer("share", "due", "closed", lambda c: c.closed > c.due, lambda c: c.given("closed"), _share("due_month", "late_secs > 0", "late_secs IS NOT NULL")),
    "promise_kept_by_source": _peer("share", "opened", "met", lambda c: c.met.cast(pl.Int8) if c.frame is None else c.met.astype("int8"), lambda c: c.given("met"), _share("asked_month", "source_kept = 1", "source_kept IS NOT NULL")),
    "reopen_rate": _peer("share", "opened", "closed reopens", lambda c: c.reopens > 0, lambda c: c.given("closed"), _share("asked_month", "reopens > 0", "resolutions > 0")),
    "handovers": _peer("mean", "opened", "handovers", lambda c: c.handovers, None, _mean("handovers")),
    "contacts": _peer("mean", "opened", "chases", lambda c: c.chases + 1, None, _mean("contacts", "contacts > 0")),
    "rating_good": _peer("share", "opened", "stars", lambda c: c.stars >= 4, lambda c: c.given("stars"), _share("asked_month", "score >= 4", "score IS NOT NULL")),
    "rating_mean": _peer("mean", "opened", "stars", lambda c: c.stars, lambda c: c.given("stars"), _mean("score", "score IS NOT NULL")),
    "complaint_rate": _peer("share", "opened", "complaints", lambda c: c.complaints > 0, None, _share("asked_month", "complaints > 0")),
    "return_rate": _peer("share", "opened", "returned", lambda c: c.returned.cast(pl.Int8) if c.frame is None else c.returned.astype("int8"), lambda c: c.given("returned"), _share("asked_month", "returns > 0", "accepts + returns > 0")),
    "first_contact_resolution": _peer("share", "opened", "closed chases handovers reopens", lambda c: (c.chases == 0) & (c.handovers == 0) & (c.reopens == 0), lambda c: c.given("closed"),
        _share("asked_month", "contacts = 1 AND handovers = 0 AND reopens = 0", "resolutions > 0 AND contacts > 0")),
}  # fmt: skip

"""The same questions by hand: DuckDB SQL over the product's columns, polars and pandas over an export's timestamps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl

NOW = pd.Timestamp("2024-12-31")
_AS_OF = int(NOW.timestamp())


@dataclass(frozen=True)
class Peer:
    """One question in three ways."""

    sql: str
    polars: Callable[[Path], Any]
    pandas: Callable[[Path], Any]


def _pl(path: Path, columns: list[str], month: str, answer: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
    frame = (
        pl.scan_parquet(path).select([*columns, "team"]).with_columns(pl.col(month).dt.truncate("1mo").alias("month"))
    )
    return answer(frame).collect()


def _pd(path: Path, columns: list[str], month: str) -> pd.DataFrame:
    frame = pd.read_parquet(path, columns=[*columns, "team"])
    frame["month"] = frame[month].dt.to_period("M")
    return frame


def _group(frame: pd.DataFrame) -> Any:
    return frame.groupby(["month", "team"], observed=True)


def _promise_pd(path: Path) -> Any:
    frame = _pd(path, ["due", "closed"], "due")
    frame = frame[frame["due"] <= NOW]
    frame["kept"] = frame["closed"] <= frame["due"]
    return _group(frame)["kept"].agg(["size", "sum", "mean"])


def _promise_pl(frame: pl.LazyFrame) -> pl.LazyFrame:
    kept = (pl.col("closed") <= pl.col("due")).fill_null(False)
    return (
        frame.filter(pl.col("due") <= NOW)
        .group_by("month", "team")
        .agg(pl.len(), kept.sum().alias("k"), kept.mean().alias("p"))
    )


def _wait_pd(path: Path) -> Any:
    frame = _pd(path, ["opened", "closed"], "opened")
    frame["days"] = (frame["closed"] - frame["opened"]).dt.total_seconds().div(86_400).fillna(float("inf"))
    return _group(frame)["days"].agg(["size", "median"])


def _wait_pl(frame: pl.LazyFrame) -> pl.LazyFrame:
    days = (pl.col("closed") - pl.col("opened")).dt.total_seconds().fill_null(1 << 60)
    return frame.group_by("month", "team").agg(pl.len(), days.median().alias("median"))


_KAPLAN_MEIER = f"""
    WITH w AS (
        SELECT asked_month AS m, team, coalesce(first_resolved_s, {_AS_OF}) - asked_s AS d,
               CASE WHEN first_resolved_s IS NULL THEN 0 ELSE 1 END AS e
        FROM cases WHERE first_resolved_s IS NOT NULL OR closed = 0
    ), t AS (SELECT m, team, d, sum(e) AS ends, count(*) AS n FROM w GROUP BY 1, 2, 3),
    r AS (SELECT *, sum(n) OVER (PARTITION BY m, team ORDER BY d DESC) AS at_risk FROM t),
    s AS (
        SELECT m, team, d, at_risk, sum(CASE WHEN ends < at_risk THEN ln(1.0 - ends / at_risk) ELSE -1e9 END) OVER b AS log_s,
               sum(ends / (at_risk * (at_risk - ends + 1e-9))) OVER b AS v
        FROM r WINDOW b AS (PARTITION BY m, team ORDER BY d)
    )
    SELECT m, team, max(at_risk), min(d) FILTER (log_s <= ln(0.5)),
           min(d) FILTER (exp(log_s * exp(1.96 * sqrt(v) / abs(log_s))) <= 0.5),
           min(d) FILTER (exp(log_s * exp(-1.96 * sqrt(v) / abs(log_s))) <= 0.5)
    FROM s WHERE log_s < 0 GROUP BY 1, 2
"""
PEERS = {
    "asked": Peer(
        "SELECT asked_month, team, count(*) FROM cases GROUP BY 1, 2",
        lambda path: _pl(path, ["opened"], "opened", lambda frame: frame.group_by("month", "team").agg(pl.len())),
        lambda path: _group(_pd(path, ["opened"], "opened")).size(),
    ),
    "promise_kept": Peer(
        "SELECT due_month, team, count(*), sum(CASE WHEN closed = 1 AND resolved_s <= due_s THEN 1 ELSE 0 END) "
        f"FROM cases WHERE due_s <= {_AS_OF} AND due_first = 0 GROUP BY 1, 2",
        lambda path: _pl(path, ["due", "closed"], "due", _promise_pl),
        _promise_pd,
    ),
    "time_to_resolution": Peer(
        "SELECT asked_month, team, count(*), quantile_disc(coalesce(first_resolved_s - asked_s, 1152921504606846976), 0.5) "
        "FROM cases GROUP BY 1, 2",
        lambda path: _pl(path, ["opened", "closed"], "opened", _wait_pl),
        _wait_pd,
    ),
    "time_to_resolution ": Peer(_KAPLAN_MEIER, lambda path: None, lambda path: None),
    "reopen_rate": Peer(
        "SELECT asked_month, team, count(*), avg(CASE WHEN reopens > 0 THEN 1.0 ELSE 0 END) FROM cases "
        "WHERE first_resolved_s IS NOT NULL OR closed = 1 GROUP BY 1, 2",
        lambda path: _pl(
            path,
            ["opened", "closed", "reopens"],
            "opened",
            lambda frame: frame.filter(pl.col("closed").is_not_null()).group_by("month", "team").agg(pl.len(), (pl.col("reopens") > 0).mean()),
        ),
        lambda path: _group(_pd(path, ["opened", "closed", "reopens"], "opened").dropna(subset=["closed"]))["reopens"].agg(["size", "mean"]),
    ),
    "handovers": Peer(
        "SELECT asked_month, team, count(*), avg(handovers), stddev_samp(handovers) FROM cases GROUP BY 1, 2",
        lambda path: _pl(
            path,
            ["opened", "handovers"],
            "opened",
            lambda frame: frame.group_by("month", "team").agg(pl.len(), pl.col("handovers").mean(), pl.col("handovers").std().alias("s")),
        ),
        lambda path: _group(_pd(path, ["opened", "handovers"], "opened"))["handovers"].agg(["size", "mean", "std"]),
    ),
    "rating_good": Peer(
        "SELECT asked_month, team, count(*), avg(CASE WHEN score >= 4 THEN 1.0 ELSE 0 END) FROM cases WHERE score IS NOT NULL GROUP BY 1, 2",
        lambda path: _pl(
            path,
            ["opened", "stars"],
            "opened",
            lambda frame: frame.filter(pl.col("stars").is_not_null()).group_by("month", "team").agg(pl.len(), (pl.col("stars") >= 4).mean()),
        ),
        lambda path: _group(_pd(path, ["opened", "stars"], "opened").dropna(subset=["stars"]).assign(good=lambda f: f["stars"] >= 4))["good"].agg(["size", "mean"]),
    ),
}  # fmt: skip

"""A rate, and the median and 90th percentile of a wait, by month and team: by hand over the columns of stored cases.

The rate is of promises that have fallen due. Bare numbers, open cases set to infinity: no interval, and wrong where an
open case is younger than the percentile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import pandas as pd
import polars as pl

RATE, WAITS = ("promise_kept",), ("time_to_resolution", "time_to_resolution_p90")
NEVER = 1 << 60


def by_duckdb(files: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """SQL as one would write it."""
    db = duckdb.connect()
    db.execute("SET parquet_metadata_cache = true")
    db.execute(f"CREATE VIEW cases AS FROM read_parquet({list(files)}, hive_partitioning = true)")
    (known,) = db.sql("SELECT max(last_s) FROM cases").fetchall()[0]
    fallen = f"promise_fate IS NOT NULL AND due_s <= {known}"
    rate = f"SELECT due_month, team, count(*), sum(CASE WHEN promise_fate = 1 THEN 1 ELSE 0 END) FROM cases WHERE {fallen} GROUP BY 1, 2"
    wait = f"coalesce(resolution_secs, {NEVER})"
    waits = (
        f"SELECT asked_month, team, count(*), quantile_disc({wait}, [0.5, 0.9]) FROM cases "
        "WHERE resolution_secs >= 0 OR (resolution_secs IS NULL AND closed = 0) GROUP BY 1, 2"
    )
    return {"rate": lambda: db.sql(rate).fetchall(), "waits": lambda: db.sql(waits).fetchall()}


def by_polars(files: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """polars, lazily."""
    cases = pl.scan_parquet(list(files), hive_partitioning=True)
    known = cases.select(pl.col("last_s").max()).collect().item()
    fate, wait = pl.col("promise_fate"), pl.col("resolution_secs")
    fallen = cases.filter(fate.is_not_null() & (pl.col("due_s") <= known)).group_by("due_month", "team")
    told = cases.filter((wait >= 0) | (wait.is_null() & (pl.col("closed") == 0))).with_columns(wait.fill_null(NEVER))
    middle, most = wait.median(), wait.quantile(0.9).alias("p90")
    return {
        "rate": lambda: fallen.agg(pl.len(), (fate == 1).sum()).collect(),
        "waits": lambda: told.group_by("asked_month", "team").agg(pl.len(), middle, most).collect(),
    }


def by_pandas(files: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """pandas."""

    def read(*columns: str) -> pd.DataFrame:
        found: pd.DataFrame = pd.read_parquet(list(files), columns=list(columns))  # type: ignore[call-overload]  # its stubs know no list of files
        return found

    known = read("last_s")["last_s"].max()

    def rate() -> Any:
        cases = read("due_month", "team", "promise_fate", "due_s")
        cases = cases[cases["promise_fate"].notna() & (cases["due_s"] <= known)]
        return (cases["promise_fate"] == 1).groupby([cases["due_month"], cases["team"]]).agg(["size", "mean"])

    def waits() -> Any:
        cases = read("asked_month", "team", "resolution_secs", "closed")
        wait = cases["resolution_secs"]
        told = (wait >= 0) | (wait.isna() & (cases["closed"] == 0))
        cases, wait = cases[told], wait[told].fillna(float("inf"))
        grouped = wait.groupby([cases["asked_month"], cases["team"]], observed=True)
        return grouped.size(), grouped.median(), grouped.quantile(0.9)

    return {"rate": rate, "waits": waits}


HANDS = {"duckdb": by_duckdb, "polars": by_polars, "pandas": by_pandas}

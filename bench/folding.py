"""The fold by hand: what a practised hand would write to turn the same log into the chief columns of a case.

Eighteen columns, of the seventy-eight that the product folds: no opening hours, no pauses, no corrections, no order among
moments of one instant. All write one Parquet file a month.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds

from wellserved.engine.duckdb import quote_name as quoted
from wellserved.engine.duckdb import quote_text
from wellserved.storage import log
from wellserved.storage.workspace import create_workspace

COUNTS = {
    "replies": ("replied", "explained"), "resolutions": ("resolved",), "reopens": ("reopened",), "chases": ("chased",),
    "handovers": ("handed_over",), "promises": ("promised",), "complaints": ("complained",), "returns": ("returned",),
}  # fmt: skip
FIRSTS = {"asked": ("asked",), "first_reply": ("replied", "explained"), "first_resolved": ("resolved",)}
LASTS = ("team", "service", "channel", "due", "score")
LATEST = (202410, 202411, 202412)  # the months whose customers write again
AGAIN = (*COUNTS, "team", "service", "channel", "score")  # columns that both have
COLUMNS = ["source", "case_id", "at", "kind", *LASTS]


def files(home: str) -> list[str]:
    """The log's files."""
    return list(log.snapshot(create_workspace(Path(home), "UTC").log).files)


def _kinds(kinds: tuple[str, ...]) -> str:
    return f"kind IN ({', '.join(map(quote_text, kinds))})"


def sql(moments: str) -> str:
    """The fold as one statement, over some relation of moments."""
    columns = [f'min("at") FILTER ({_kinds(kinds)}) AS {name}' for name, kinds in FIRSTS.items()]
    columns += [f"count(*) FILTER ({_kinds(kinds)}) AS {name}" for name, kinds in COUNTS.items()]
    columns += [f'arg_max({name}, "at") AS {name}' for name in LASTS]
    cases = f"SELECT source, case_id, {', '.join(columns)} FROM {moments} GROUP BY 1, 2"
    return f"SELECT *, CAST(year(asked) * 100 + month(asked) AS INTEGER) AS asked_month FROM ({cases}) WHERE asked IS NOT NULL"


def by_duckdb(home: str, target: str) -> None:
    """DuckDB, one statement."""
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'; SET memory_limit = '4GB'")
    db.execute(f"SET temp_directory = '{target}.spill'")
    db.execute(
        f"COPY ({sql(f'read_parquet({files(home)})')}) TO '{target}' (FORMAT parquet, PARTITION_BY (asked_month))"
    )


def _polars(moments: pl.LazyFrame) -> pl.LazyFrame:
    """The fold in polars: sorted once, then grouped."""
    kind = pl.col("kind")
    made: list[Any] = [pl.col("at").filter(kind.is_in(kinds)).min().alias(name) for name, kinds in FIRSTS.items()]
    made += [kind.is_in(kinds).sum().alias(name) for name, kinds in COUNTS.items()]
    made += [pl.col(name).drop_nulls().last() for name in LASTS]
    return moments.sort("at").group_by("source", "case_id").agg(made).filter(pl.col("asked").is_not_null())


def by_polars(home: str, target: str) -> None:
    """polars, lazily, streaming."""
    cases = _polars(pl.scan_parquet(files(home), hive_partitioning=False).select(COLUMNS))
    found = cases.with_columns(month=pl.col("asked").dt.strftime("%Y%m")).collect(engine="streaming")
    _by_month(found.to_arrow(), target)


def by_pandas(home: str, target: str) -> None:
    """pandas: sorted once, then grouped."""
    moments = pd.read_parquet(files(home), columns=COLUMNS, partitioning=None)  # type: ignore[call-overload]  # its stubs know no list of files
    moments = moments.sort_values("at", kind="stable")
    key = [moments["source"], moments["case_id"]]
    first = {
        name: moments["at"].where(moments["kind"].isin(kinds)).groupby(key).min() for name, kinds in FIRSTS.items()
    }
    count = {name: moments["kind"].isin(kinds).groupby(key).sum() for name, kinds in COUNTS.items()}
    last = moments.groupby(["source", "case_id"])[list(LASTS)].last()
    cases = pd.DataFrame({**first, **count, **last}).reset_index()
    cases = cases[cases["asked"].notna()]
    cases["month"] = cases["asked"].dt.strftime("%Y%m")
    cases.to_parquet(target, partition_cols=["month"])


def _by_month(table: Any, target: str) -> None:
    ds.write_dataset(table, target, format="parquet", partitioning=["month"], partitioning_flavor="hive")


def _months(home: str) -> list[str]:
    """The files of the cases' last three months."""
    return list(log.files_of_months(log.snapshot(create_workspace(Path(home), "UTC").cases).files, LATEST))


def _since(home: str) -> list[str]:
    return [file for file in files(home) if log.month_of(file) >= LATEST[0]]


def again_duckdb(home: str, target: str) -> None:
    """The cases of the import `again` folded anew, and their months, all columns, written again: DuckDB."""
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'; SET memory_limit = '4GB'")
    since = f"read_parquet({_since(home)})"
    db.execute(f"CREATE TEMP TABLE changed AS SELECT DISTINCT source, case_id FROM {since} WHERE import_id = 'again'")
    moments = f"(SELECT {', '.join(map(quoted, COLUMNS))} FROM {since} SEMI JOIN changed USING (source, case_id))"
    db.execute(f"CREATE TEMP TABLE folded AS {sql(moments)}")
    fresh = ", ".join(f"CASE WHEN f.case_id IS NULL THEN c.{name} ELSE f.{name} END AS {name}" for name in AGAIN)
    both = f"SELECT c.* REPLACE ({fresh}) FROM read_parquet({_months(home)}, hive_partitioning = true) c LEFT JOIN folded f USING (source, case_id)"
    db.execute(f"COPY ({both}) TO '{target}' (FORMAT parquet, PARTITION_BY (asked_month))")


def again_polars(home: str, target: str) -> None:
    """The same with polars."""
    moments = pl.scan_parquet(_since(home), hive_partitioning=False)
    changed = moments.filter(pl.col("import_id") == "again").select("source", "case_id").unique().collect()
    folded = _polars(moments.join(changed.lazy(), on=["source", "case_id"], how="semi").select(COLUMNS)).collect()
    fresh = folded.select("source", "case_id", *AGAIN).with_columns(pl.col(name).cast(pl.Int64) for name in COUNTS)
    old = pl.read_parquet(_months(home), hive_partitioning=True)
    both = old.update(fresh, on=["source", "case_id"], include_nulls=True)
    _by_month(both.rename({"asked_month": "month"}).to_arrow(), target)

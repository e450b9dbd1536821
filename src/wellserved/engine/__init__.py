"""What runs the SQL of a measure: DuckDB, PostgreSQL, or Apache Spark, all the same text.

A measure is written in what they share (GROUP BY, CASE, COUNT, SUM, windows, integer arithmetic). What differs
stands here in five hooks: two names of types, how a text is quoted and a value bound, how the cases become a
table, and how an answer comes back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from wellserved.errors import RequestError

Values = Mapping[str, object]
Batches = Iterable[pa.RecordBatch]


class Engine(Protocol):
    """A place where questions are answered. SQL names its values $name; they are bound, never put into the text."""

    string: str  # type of texts
    double: str  # type of 64-bit floating point numbers

    def quote_text(self, value: str) -> str:
        """A text as an SQL literal."""
        ...

    def query(self, sql: str, values: Values | None = None) -> pa.Table:
        """The whole answer."""
        ...

    def stream(self, sql: str, values: Values | None = None) -> Iterator[pa.RecordBatch]:
        """The answer piece by piece, for answers as large as the cases."""
        ...

    def reduce_groups(self, sql: str, values: Values, reduce: Callable[[Batches], pa.Table]) -> pa.Table:
        """Reduce each group of the answer (its columns `period` and `segment`) to rows, where the rows are.

        `reduce` takes the rows of one group or of many, and gives a row a group.
        """
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...


def convert_parameters(sql: str, values: Values, literal: str, style: str) -> str:
    """SQL with its $names written as an engine names its values; what stands in a literal (a pattern) stays."""
    names_pattern = "|".join(sorted(values, key=len, reverse=True))
    return re.sub(
        rf"{literal}|\$({names_pattern})\b", lambda match: style.format(match[1]) if match[1] else match[0], sql
    )


def open_engine(url: str, files: Sequence[str], columns: Mapping[str, str]) -> tuple[Engine, str]:
    """The engine at an address, with the cases in these Parquet files as a table: the engine and the table's name.

    url: postgresql://..., spark://host:port or local[n] (Apache Spark), sc://host:port (Spark Connect).
    """
    scheme = url.split(":")[0].split("[")[0]
    if scheme in ("postgresql", "postgres"):
        from wellserved.engine.postgres import Postgres

        engine = Postgres(url)
        return engine, engine.materialise_cases(files, columns)
    if scheme in ("spark", "local", "sc"):
        from wellserved.engine.spark import Spark

        spark = Spark(url)
        return spark, spark.create_cases_view(files, columns)
    raise RequestError(
        f"No engine is known for {url!r}.",
        "Set WELLSERVED_ENGINE to postgresql://..., spark://host:port, sc://host:port, or leave it empty for DuckDB.",
    )

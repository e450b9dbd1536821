"""Apache Spark, classic or by Spark Connect: the same Parquet files, read where the workers are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from wellserved.engine import convert_parameters
from wellserved.errors import RequestError

_LITERAL = r"'(?:\\.|[^'\\])*'"


class Spark:
    """Cases as a view of a Spark session.

    The files must be readable under the same path by every worker, and wellserved installed there: waits are
    estimated on the workers, a group at a time, by the very code that does it elsewhere.
    """

    string, double = "STRING", "DOUBLE"

    def __init__(self, url: str) -> None:
        try:
            from pyspark.sql import SparkSession
        except ImportError as error:
            raise RequestError("Spark's Python package is not installed.", "Install wellserved[spark].") from error
        builder: Any = SparkSession.builder
        if url.startswith("sc:"):
            self._session: Any = builder.remote(url).create()
        else:
            quiet_options = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
            for key, value in quiet_options.items():
                builder = builder.config(key, value)
            self._session = builder.master(url).appName("wellserved").getOrCreate()

    def quote_text(self, value: str) -> str:
        """A text as an SQL literal, in which Spark reads backslashes."""
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def create_cases_view(self, files: Sequence[str], columns: Mapping[str, str]) -> str:
        """Name the cases in the files of one version.

        The month stands in the folders' names alone, which not every server of Spark Connect reads from a list
        of files; so it is worked out from the day.
        """
        day = "date_add(DATE '1970-01-01', asked_day)"
        month = f"CAST(year({day}) * 100 + month({day}) AS INT) AS asked_month"
        expressions = [month if column == "asked_month" else f"`{column}`" for column in columns]
        self._session.read.parquet(*files).selectExpr(*expressions).createOrReplaceTempView("cases")
        return "cases"

    def _frame(self, sql: str, values: Mapping[str, object] | None) -> Any:
        """A question with its values bound: Spark names them :name."""
        if not values:
            return self._session.sql(sql)
        return self._session.sql(convert_parameters(sql, values, _LITERAL, ":{}"), args=dict(values))

    def query(self, sql: str, values: Mapping[str, object] | None = None) -> pa.Table:
        """The whole answer."""
        return self._frame(sql, values).toArrow()

    def stream(self, sql: str, values: Mapping[str, object] | None = None) -> Iterator[pa.RecordBatch]:
        """The answer in pieces, once it has all come."""
        yield from self.query(sql, values).to_batches()

    def reduce_groups(
        self, sql: str, values: Mapping[str, object], reduce: Callable[[Iterable[pa.RecordBatch]], pa.Table]
    ) -> pa.Table:
        """Every group reduced on the worker that has it; only the results travel."""
        schema = reduce([]).schema
        frame = self._frame(sql, values)
        results = frame.groupBy("period", "segment").applyInArrow(
            lambda group: reduce(group.to_batches()), _spark_schema(schema)
        )
        return results.toArrow()

    def close(self) -> None:
        """End the session."""
        self._session.stop()


def _spark_schema(schema: pa.Schema) -> str:
    """An Arrow schema in Spark's words."""
    names = {pa.int32(): "int", pa.int64(): "bigint", pa.float64(): "double", pa.string(): "string"}
    return ", ".join(f"{field.name} {names[field.type]}" for field in schema)

"""DuckDB, locked down: what runs the measures' SQL and the import's.

The engine sees the files of one version of a table and nothing else: external access is off, the
configuration is locked, no extension can be loaded, and memory is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

MEMORY = "2GB"
FEW = 64  # words that are found in a list faster than they are copied


def connect(*folders: Path, scratch: Path | None = None, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """A connection that can read files in `folders` (and spill into `scratch`), and nothing outside them."""
    db = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "memory_limit": memory,
        }
    )
    if scratch is not None:
        db.execute("SET temp_directory = $folder", {"folder": str(scratch / "spill")})
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SET enable_progress_bar = false")
    db.execute("SET parquet_metadata_cache = true")  # the files of a version never change
    named = [*folders, *([scratch] if scratch else [])]
    inside = [text(f"{folder}/") for folder in named if not folder.is_file()]
    files = [text(str(file)) for file in named if file.is_file()]
    db.execute(f"SET allowed_directories = [{', '.join(inside)}]")
    db.execute(f"SET allowed_paths = [{', '.join(files)}]")
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    return db


def text(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def name(value: str) -> str:
    """A column's name as an SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def rows_of(files: Sequence[str], placed: bool = False) -> str:
    """SQL: the rows of these Parquet files, of which there is one at least; `placed`: with filename and file_row_number."""
    places = ", filename = true, file_row_number = true" if placed else ""
    return f"read_parquet([{', '.join(map(text, files))}], hive_partitioning = true{places})"


def keep(db: duckdb.DuckDBPyConnection, called: str, table: pa.Table) -> None:
    """Copy an Arrow table into a temporary table, which can be read many times."""
    db.register("given_to_keep", table)
    db.execute(f"CREATE OR REPLACE TEMP TABLE {called} AS FROM given_to_keep")
    db.unregister("given_to_keep")


def view(
    db: duckdb.DuckDBPyConnection,
    called: str,
    files: Sequence[str],
    columns: Mapping[str, str],
    out: pa.Table | None = None,
) -> None:
    """Name the rows in the Parquet files of one version; no files give an empty table of the same columns.

    `out`: file and row (from 0) of those that do not count.
    """
    named = ", ".join(map(name, columns))
    empty = ", ".join(f"CAST(NULL AS {kind}) AS {name(column)}" for column, kind in columns.items())
    partly = set(out["file"].unique().to_pylist()) if out is not None else set()
    parts = []
    if whole := [file for file in files if file not in partly]:
        parts.append(f"SELECT {named} FROM {rows_of(whole)}")
    if out is not None and partly:
        keep(db, f"{called}_out", out)
        same = "o.file = r.filename AND o.row = r.file_row_number"
        rows = rows_of([file for file in files if file in partly], placed=True)
        parts.append(f"SELECT {named} FROM {rows} r ANTI JOIN {called}_out o ON {same}")
    sql = " UNION ALL ".join(parts) or f"SELECT {empty} WHERE false"
    db.execute(f"CREATE OR REPLACE TEMP VIEW {called} AS {sql}")


def ask(db: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, object] | None = None) -> pa.Table:
    """Run one question and fetch the whole answer as an Arrow table."""
    return db.sql(sql, params=dict(values) if values else None).to_arrow_table()


def _worded(batch: pa.RecordBatch, words: pa.Array) -> pa.RecordBatch:
    """A batch with its segments as words again."""
    segment = pa.DictionaryArray.from_arrays(batch["segment"], words)
    return pa.record_batch({**{name: batch[name] for name in batch.schema.names}, "segment": segment})


class DuckDB:
    """The default engine, in this process."""

    string, double = "VARCHAR", "DOUBLE"

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db

    def text(self, value: str) -> str:
        """A text as an SQL literal."""
        return text(value)

    def ask(self, sql: str, values: Mapping[str, object] | None = None) -> pa.Table:
        """The whole answer."""
        return ask(self.db, sql, values)

    def stream(self, sql: str, values: Mapping[str, object] | None = None) -> Iterator[pa.RecordBatch]:
        """The answer piece by piece."""
        yield from self.db.sql(sql, params=dict(values) if values else None).to_arrow_reader(100_000)

    def by_group(
        self, sql: str, values: Mapping[str, object], reduce: Callable[[Iterable[pa.RecordBatch]], pa.Table]
    ) -> pa.Table:
        """Every group of the answer reduced, in one pass; few segments come as numbers, which costs half of the time of words."""
        distinct = f"SELECT DISTINCT segment FROM ({sql}) WHERE segment IS NOT NULL LIMIT {FEW + 1}"
        words = ask(self.db, distinct, values)["segment"].combine_chunks().cast(pa.string())
        if not 1 < len(words) <= FEW:
            return reduce(self.stream(sql, values))
        place = "CAST(nullif(list_position($words_of_segments, segment), 0) - 1 AS INTEGER)"
        numbers = f"{place} AS segment, CAST(period AS INTEGER) AS period"
        numbered = f"SELECT * REPLACE ({numbers}) FROM ({sql}) WHERE period IS NOT NULL AND coded IS NOT NULL"
        batches = self.stream(numbered, {**values, "words_of_segments": words.to_pylist()})
        return reduce(_worded(batch, words) for batch in batches)

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

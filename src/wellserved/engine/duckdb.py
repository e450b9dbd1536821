"""DuckDB, locked down: what runs the measures' SQL and the import's.

The engine sees the files of one version of a table and nothing else: external access is off, the
configuration is locked, no extension can be loaded, and memory is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

ENGINE_MEMORY = "2GB"
MAX_LISTED_SEGMENTS = 64  # words that are found in a list faster than they are copied


def connect(*folders: Path, scratch: Path | None = None, memory: str = ENGINE_MEMORY) -> duckdb.DuckDBPyConnection:
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
    paths = [*folders, *([scratch] if scratch else [])]
    folder_literals = [quote_text(f"{folder}/") for folder in paths if not folder.is_file()]
    file_literals = [quote_text(str(file)) for file in paths if file.is_file()]
    db.execute(f"SET allowed_directories = [{', '.join(folder_literals)}]")
    db.execute(f"SET allowed_paths = [{', '.join(file_literals)}]")
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    return db


def quote_text(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def quote_name(value: str) -> str:
    """A column's name as an SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def parquet_rows_sql(files: Sequence[str], with_positions: bool = False) -> str:
    """SQL: the rows of these Parquet files, of which there is one at least; `with_positions`: with filename and file_row_number."""
    position_options = ", filename = true, file_row_number = true" if with_positions else ""
    return f"read_parquet([{', '.join(map(quote_text, files))}], hive_partitioning = true{position_options})"


def materialise(db: duckdb.DuckDBPyConnection, table_name: str, table: pa.Table) -> None:
    """Copy an Arrow table into a temporary table, which can be read many times."""
    db.register("given_to_keep", table)
    db.execute(f"CREATE OR REPLACE TEMP TABLE {table_name} AS FROM given_to_keep")
    db.unregister("given_to_keep")


def create_view(
    db: duckdb.DuckDBPyConnection,
    view_name: str,
    files: Sequence[str],
    columns: Mapping[str, str],
    deleted_rows: pa.Table | None = None,
) -> None:
    """Name the rows in the Parquet files of one version; no files give an empty table of the same columns.

    `deleted_rows`: file and row (from 0) of those that do not count.
    """
    column_list = ", ".join(map(quote_name, columns))
    null_columns = ", ".join(f"CAST(NULL AS {kind}) AS {quote_name(column)}" for column, kind in columns.items())
    partial_files = set(deleted_rows["file"].unique().to_pylist()) if deleted_rows is not None else set()
    selects = []
    if complete_files := [file for file in files if file not in partial_files]:
        selects.append(f"SELECT {column_list} FROM {parquet_rows_sql(complete_files)}")
    if deleted_rows is not None and partial_files:
        materialise(db, f"{view_name}_out", deleted_rows)
        condition = "o.file = r.filename AND o.row = r.file_row_number"
        rows = parquet_rows_sql([file for file in files if file in partial_files], with_positions=True)
        selects.append(f"SELECT {column_list} FROM {rows} r ANTI JOIN {view_name}_out o ON {condition}")
    sql = " UNION ALL ".join(selects) or f"SELECT {null_columns} WHERE false"
    db.execute(f"CREATE OR REPLACE TEMP VIEW {view_name} AS {sql}")


def query(db: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, object] | None = None) -> pa.Table:
    """Run one question and fetch the whole answer as an Arrow table."""
    return db.sql(sql, params=dict(values) if values else None).to_arrow_table()


def _restore_segments(batch: pa.RecordBatch, words: pa.Array) -> pa.RecordBatch:
    """A batch with its segments as words again."""
    segment = pa.DictionaryArray.from_arrays(batch["segment"], words)
    return pa.record_batch({**{name: batch[name] for name in batch.schema.names}, "segment": segment})


class DuckDB:
    """The default engine, in this process."""

    string, double = "VARCHAR", "DOUBLE"

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db

    def quote_text(self, value: str) -> str:
        """A text as an SQL literal."""
        return quote_text(value)

    def query(self, sql: str, values: Mapping[str, object] | None = None) -> pa.Table:
        """The whole answer."""
        return query(self.db, sql, values)

    def stream(self, sql: str, values: Mapping[str, object] | None = None) -> Iterator[pa.RecordBatch]:
        """The answer piece by piece."""
        yield from self.db.sql(sql, params=dict(values) if values else None).to_arrow_reader(100_000)

    def reduce_groups(
        self, sql: str, values: Mapping[str, object], reduce: Callable[[Iterable[pa.RecordBatch]], pa.Table]
    ) -> pa.Table:
        """Every group of the answer reduced, in one pass; few segments come as numbers, which costs half of the time of words."""
        distinct_sql = f"SELECT DISTINCT segment FROM ({sql}) WHERE segment IS NOT NULL LIMIT {MAX_LISTED_SEGMENTS + 1}"
        words = query(self.db, distinct_sql, values)["segment"].combine_chunks().cast(pa.string())
        if not 1 < len(words) <= MAX_LISTED_SEGMENTS:
            return reduce(self.stream(sql, values))
        position_sql = "CAST(nullif(list_position($words_of_segments, segment), 0) - 1 AS INTEGER)"
        replacements = f"{position_sql} AS segment, CAST(period AS INTEGER) AS period"
        numbered_sql = f"SELECT * REPLACE ({replacements}) FROM ({sql}) WHERE period IS NOT NULL AND coded IS NOT NULL"
        batches = self.stream(numbered_sql, {**values, "words_of_segments": words.to_pylist()})
        return reduce(_restore_segments(batch, words) for batch in batches)

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

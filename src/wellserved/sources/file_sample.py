"""The first rows of a file, kept while somebody chooses its mapping, and what the mapping makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from wellserved.engine import duckdb as engine
from wellserved.errors import WellservedError
from wellserved.mapping import Mapping
from wellserved.progress import ProgressCallback
from wellserved.record import ROW_NUMBER, record_rows
from wellserved.sources.parquet_file import open_parquet
from wellserved.sources.table import RawTable, SourceFile

SAMPLE_ROWS = 20_000
PREVIEW_ROWS = 6


class PreviewMoment(NamedTuple):
    """One moment that a row becomes."""

    kind: str
    at: datetime
    is_earliest: bool  # the time is the earliest that is possible; when it was, the file does not say
    due: datetime | None
    score: float | None
    scale: str | None


@dataclass(frozen=True)
class PreviewRow:
    """What a row of the file becomes."""

    row: int
    case: str
    moments: tuple[PreviewMoment, ...]


def take_sample(source: SourceFile, path: Path, target: Path, scratch: Path, on_progress: ProgressCallback) -> RawTable:
    """Read a file whole, and keep its first rows as Parquet."""
    with engine.connect(path, target.parent, scratch=scratch) as db:
        raw = source.stage(db, source.header, on_progress)
        db.execute(
            f"COPY (SELECT * FROM raw ORDER BY {ROW_NUMBER} LIMIT {SAMPLE_ROWS}) TO {engine.quote_text(str(target))} (FORMAT parquet)"
        )
    return raw


def open_sample(db: duckdb.DuckDBPyConnection, sample: Path) -> RawTable:
    """The rows that were kept, staged as `raw` with the numbers that they have in their file."""
    source = open_parquet(sample, sample.name)
    columns = [column for column in source.header if column != ROW_NUMBER]
    names = ", ".join(map(engine.quote_name, (ROW_NUMBER, *columns)))
    db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT {names} FROM read_parquet({engine.quote_text(str(sample))})")
    return RawTable(source, source.row_count, (), columns=tuple(columns))


def preview_rows(
    db: duckdb.DuckDBPyConnection, mapping: Mapping, columns: Sequence[str], now: datetime
) -> tuple[list[PreviewRow], str]:
    """What the first rows of `raw` become, and why they become nothing (empty: they do)."""
    try:
        record_rows(db, mapping, columns, now, "")
    except WellservedError as error:
        return [], f"{error.problem} {error.remedy}"
    first_rows = db.sql(f"SELECT {ROW_NUMBER}, wellserved_case FROM sound ORDER BY 1 LIMIT {PREVIEW_ROWS}").fetchall()
    last_row = first_rows[-1][0] if first_rows else 0
    moments = db.sql(
        "SELECT source_row, kind, \"at\", at_is = 'not_before', due, score, scale FROM batch "
        f'WHERE source_row <= {last_row} ORDER BY source_row, "at", kind'
    ).fetchall()
    return [
        PreviewRow(row, case, tuple(PreviewMoment(*moment) for number, *moment in moments if number == row))
        for row, case in first_rows
    ], ""

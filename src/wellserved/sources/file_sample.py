"""The first rows of a file, kept while somebody chooses its mapping, and what the mapping makes of them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from wellserved import disk
from wellserved.engine import duckdb as engine
from wellserved.errors import WellservedError
from wellserved.mapping import Mapping
from wellserved.progress import ProgressCallback
from wellserved.record import ROW_NUMBER, record_rows
from wellserved.sources.columns import SourceColumn, describe_column
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
    """Read a file whole, describe its columns, and keep that and its first rows."""
    with engine.connect(path, target.parent, scratch=scratch) as db:
        raw = source.stage(db, source.header, on_progress)
        columns = []
        for index, name in enumerate(source.header):
            on_progress("Looking at the columns", index, len(source.header))
            columns.append(describe_column(db, name))
        first_rows = f"SELECT * FROM raw ORDER BY {ROW_NUMBER} LIMIT {SAMPLE_ROWS}"
        db.execute(f"COPY ({first_rows}) TO {engine.quote_text(str(target))} (FORMAT parquet)")
    with open(_columns_file(target), "wb", opener=disk.owner_only) as file:
        pickle.dump(columns, file)
    target.chmod(0o600)
    return raw


def _columns_file(sample: Path) -> Path:
    return sample.with_suffix(".columns")


def kept_with(sample: Path) -> tuple[Path, Path]:
    """The files of a sample."""
    return sample, _columns_file(sample)


def sample_columns(sample: Path) -> tuple[SourceColumn, ...]:
    """The columns as they were described over the whole file."""
    return tuple(pickle.loads(_columns_file(sample).read_bytes()))  # written by us, beside the file


def open_sample(db: duckdb.DuckDBPyConnection, sample: Path) -> RawTable:
    """The rows that were kept, staged as `raw` with the numbers that they have in their file."""
    source = open_parquet(sample, sample.name)
    columns = [column for column in source.header if column != ROW_NUMBER]
    names = ", ".join(map(engine.quote_name, (ROW_NUMBER, *columns)))
    db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT {names} FROM read_parquet({engine.quote_text(str(sample))})")
    return RawTable(source, source.row_count, (), columns=tuple(columns))


def record_sample(db: duckdb.DuckDBPyConnection, raw: RawTable, mapping: Mapping, zone: str, now: datetime) -> str:
    """Make moments of the first rows by a mapping that is known; why that does not go, or nothing. `zone`: the workspace's."""
    try:
        record_rows(db, replace(mapping, zone=zone) if mapping.zone == "workspace" else mapping, raw.columns, now, "")
    except WellservedError as error:
        return f"{error.problem} {error.remedy}"
    return ""


def preview_rows(db: duckdb.DuckDBPyConnection) -> list[PreviewRow]:
    """What the first rows of `raw` became when they were last recorded."""
    first_rows = db.sql(f"SELECT {ROW_NUMBER}, wellserved_case FROM sound ORDER BY 1 LIMIT {PREVIEW_ROWS}").fetchall()
    last_row = first_rows[-1][0] if first_rows else 0
    moments = db.sql(
        "SELECT source_row, kind, \"at\", at_is = 'not_before', due, score, scale FROM batch "
        f'WHERE source_row <= {last_row} ORDER BY source_row, "at", kind'
    ).fetchall()
    return [
        PreviewRow(row, case, tuple(PreviewMoment(*moment) for number, *moment in moments if number == row))
        for row, case in first_rows
    ]

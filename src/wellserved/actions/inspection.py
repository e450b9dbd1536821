"""Looking at a file before it is imported."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from wellserved import disk
from wellserved.engine import duckdb
from wellserved.mapping import Mapping, recognise_preset
from wellserved.progress import ProgressCallback, no_progress
from wellserved.sources.csv_file import RawTable, open_delimited, stage_rows
from wellserved.sources.infer import Inspection, inspect_table


def inspect_file(
    path: Path,
    scratch: Path,
    zone: str | None = None,
    now: datetime | None = None,
    on_progress: ProgressCallback = no_progress,
) -> tuple[RawTable, Inspection, Mapping | None]:
    """Look at a file without importing it: its shape, its columns, and the mapping that it suggests.

    `zone`: the workspace's; None: there is none.
    """
    source = re.sub(r"\W+", "_", path.name.split(".")[0]).strip("_").lower() or "source"
    with disk.explain_errors(scratch):
        text_and_dialect = open_delimited(path, scratch, on_progress)
        db = duckdb.connect(text_and_dialect[0].path, scratch=scratch)
        raw = stage_rows(db, path, text_and_dialect, text_and_dialect[1].header, scratch, on_progress)
        return (
            raw,
            inspect_table(db, raw, source, zone, now or datetime.now(UTC)),
            recognise_preset(text_and_dialect[1].header),
        )

"""Looking at a file before it is imported."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from wellserved import disk
from wellserved.actions import silent
from wellserved.engine import duckdb
from wellserved.mapping import Mapping, recognise
from wellserved.sources.bytes import Progress
from wellserved.sources.csv_file import RawTable, look, stage
from wellserved.sources.infer import Inspection, inspect


def inspect_file(
    path: Path, scratch: Path, zone: str | None = None, now: datetime | None = None, told: Progress = silent
) -> tuple[RawTable, Inspection, Mapping | None]:
    """Look at a file without importing it: its shape, its columns, and the mapping that it suggests.

    `zone`: the workspace's; None: there is none.
    """
    source = re.sub(r"\W+", "_", path.name.split(".")[0]).strip("_").lower() or "source"
    with disk.explain(scratch):
        text_and_dialect = look(path, scratch, told)
        db = duckdb.connect(text_and_dialect[0].path, scratch=scratch)
        raw = stage(db, path, text_and_dialect, text_and_dialect[1].header, scratch, told)
        return raw, inspect(db, raw, source, zone, now or datetime.now(UTC)), recognise(text_and_dialect[1].header)

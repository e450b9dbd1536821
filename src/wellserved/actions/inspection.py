"""Looking at a file before it is imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from wellserved import disk
from wellserved.engine import duckdb
from wellserved.mapping import Mapping, recognise_preset
from wellserved.progress import ProgressCallback, no_progress
from wellserved.sources.infer import Inspection, inspect_table
from wellserved.sources.opening import open_source
from wellserved.sources.table import RawTable


def inspect_file(
    path: Path,
    scratch: Path,
    zone: str | None = None,
    now: datetime | None = None,
    on_progress: ProgressCallback = no_progress,
    part: str = "",
    own: Sequence[str] = (),
) -> tuple[RawTable, Inspection, Mapping | None]:
    """Look at a file without importing it: its shape, its columns, and the mapping that it suggests.

    `zone`: the workspace's; None: there is none. `part`, `own`: as for an import.
    """
    source = re.sub(r"\W+", "_", path.name.split(".")[0]).strip("_").lower() or "source"
    with disk.explain_errors(scratch):
        opened_file = open_source(path, scratch, on_progress, part, own)
        db = duckdb.connect(path, scratch=scratch)
        raw = opened_file.stage(db, opened_file.header, on_progress)
        return (
            raw,
            inspect_table(db, raw, source, zone, now or datetime.now(UTC), part),
            recognise_preset(opened_file.header),
        )

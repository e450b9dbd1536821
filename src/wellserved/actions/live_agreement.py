"""What the log has of a live source's cases, and the source does not tell any more, or tells again: taken back, or restored."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
from duckdb import DuckDBPyConnection

from wellserved import cases
from wellserved.engine import duckdb
from wellserved.progress import no_progress
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

IMPORT_ID = "agreement"


def agree_with_source(
    workspace: Workspace, source: str, case_ids: list[str], told: list[tuple[str, str]], now: datetime
) -> int:
    """Take back what the log has of these cases and their source does not tell any more; how many moments.

    A ticket that was deleted tells nothing; one whose requestors changed may tell an answer as a question. What was taken
    back and is told again counts again. `told`: each moment's own number and its kind.
    """
    with workspace.write_lock() as scratch:
        files = log.snapshot(workspace.log).files
        if not files or not case_ids:
            return 0
        with duckdb.connect(workspace.log, scratch=scratch) as db:
            log.create_current_view(db, "current_moments", files)
            log.create_moments_view(db, "logged_moments", files)
            refs, kinds = (pa.array([pair[index] for pair in told], pa.string()) for index in (0, 1))
            duckdb.materialise(db, "told", pa.table({"source_ref": refs, "kind": kinds}))
            changed, withdrawn = _changed_moments(db, source, case_ids, now)
            if changed:
                log.append(db, workspace, "batch", False, IMPORT_ID)
        if changed:
            cases.refresh(workspace, scratch, no_progress)
    return withdrawn


def _changed_moments(db: DuckDBPyConnection, source: str, case_ids: list[str], now: datetime) -> tuple[int, int]:
    """`batch`: what is taken back and what counts again; (how many, how many of them are taken back)."""
    of_cases = "source = $source AND case_id IN (SELECT unnest($cases))"
    untold = f"SELECT * REPLACE ('withdrawn' AS at_is) FROM current_moments ANTI JOIN told USING (source_ref, kind) WHERE {of_cases}"
    told_again = (
        f"SELECT * FROM logged_moments SEMI JOIN told USING (source_ref, kind) ANTI JOIN current_moments USING (moment_id) "
        f"WHERE at_is <> 'withdrawn' AND {of_cases} QUALIFY row_number() OVER (PARTITION BY moment_id ORDER BY recorded_at DESC) = 1"
    )
    stamp = duckdb.quote_text(now.isoformat())
    cells = {
        "recorded_at": f"TIMESTAMPTZ {stamp}",
        "import_id": duckdb.quote_text(IMPORT_ID),
        "content": f"hash(moment_id || {stamp}) >> 1",  # each time another: it is news each time
    }
    columns = ", ".join(
        f"CAST({cells.get(name, duckdb.quote_name(name))} AS {kind}) AS {duckdb.quote_name(name)}"
        for name, kind in log.MOMENT_TYPES.items()
        if name != "correction"
    )
    db.execute(
        f"CREATE TEMP TABLE batch AS SELECT {columns} FROM ({untold} UNION ALL BY NAME {told_again})",
        {"source": source, "cases": case_ids},
    )
    changed, withdrawn = db.sql("SELECT count(*), count(*) FILTER (at_is = 'withdrawn') FROM batch").fetchall()[0]
    return int(changed), int(withdrawn)

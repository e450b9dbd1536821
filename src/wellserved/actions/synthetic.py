"""Made cases with known truths."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from wellserved import cases, synth
from wellserved.engine import duckdb
from wellserved.errors import RequestError
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage import log
from wellserved.storage.workspace import Workspace


def make_cases(workspace: Workspace, count: int, seed: int, on_progress: ProgressCallback = no_progress) -> int:
    """Add made cases with known truths to the log, and fold them; returns the number of moments.

    The same count and seed make the same moments, so that a second call adds nothing.
    """
    case_batches = synth.case_batches(count)
    recorded_at = datetime(synth.START.year, 1, 1, tzinfo=UTC) + timedelta(days=synth.DAYS)
    import_id = hashlib.sha256(f"synth {count} {seed}".encode()).hexdigest()[:12]
    new_moments = 0
    with workspace.write_lock() as scratch:
        _refuse_other_cases(workspace, import_id)
        for position, case_batch in enumerate(case_batches):
            on_progress("Making cases", position, len(case_batches))
            db = duckdb.connect(workspace.log, scratch=scratch)
            synth.write_batch(db, case_batch, seed, import_id, recorded_at)
            new_moments += log.append(db, workspace, "batch", True, import_id).new_moments
            db.close()
        cases.refresh(workspace, scratch, on_progress)
    return new_moments


def _refuse_other_cases(workspace: Workspace, import_id: str) -> None:
    """Made cases of another number or seed have the same names, and would mix into no truth at all."""
    db = duckdb.connect(workspace.log)
    log.create_moments_view(db, "moments", log.snapshot(workspace.log).files)
    other_rows = db.sql(
        f"SELECT 1 FROM moments WHERE source = {duckdb.quote_text(synth.SYNTHETIC_SOURCE)} AND import_id <> {duckdb.quote_text(import_id)} LIMIT 1"
    ).fetchall()
    db.close()
    if other_rows:
        raise RequestError(
            "This workspace holds made cases of another number or seed.",
            "Make these in a workspace of their own: --home.",
        )

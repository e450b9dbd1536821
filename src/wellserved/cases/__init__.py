"""Moments to cases: the fold. A case is never typed in; it is what its moments say, one row a case.

Only cases with new moments are folded again; what stood in their place is struck out, or goes with its file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wellserved.calendar import Calendars, load_calendars
from wellserved.cases import slices
from wellserved.cases.fold import CASE_TYPES as CASE_TYPES
from wellserved.cases.fold import TEXT_COLUMNS, fold_cases
from wellserved.engine import duckdb as engine
from wellserved.engine.duckdb import quote_name
from wellserved.progress import ProgressCallback
from wellserved.storage import log
from wellserved.storage.delta import NO_ROWS, RowIndices
from wellserved.storage.months import MonthlyTableWriter
from wellserved.storage.workspace import Workspace

FOLD_VERSION = "11"  # version of the fold; another one rebuilds all cases
MAX_CHANGED_SHARE = 0.1  # share of all cases above which everything is folded again
SMALL_FILE_ROWS = 20_000  # rows of a file that is written again with what comes to its month
MAX_DELETED_SHARE = 1 / 16  # share of a larger one's rows that may be struck out before it is written again
FACT_NAMES = ("log_version", "zone", "fold", "hours")  # that a version of the cases notes


def refresh(workspace: Workspace, scratch: Path, on_progress: ProgressCallback) -> int:
    """Bring the cases up to the log; returns the number of cases folded. The caller holds the write lock."""
    log_snapshot, case_snapshot = log.snapshot(workspace.log), log.snapshot(workspace.cases)
    calendars = load_calendars(workspace.calendars, workspace.zone)
    if is_current(workspace, log_snapshot, case_snapshot) or log_snapshot.version < 0:
        return 0
    on_progress("Folding cases", 0, 0)
    db = engine.connect(workspace.log, workspace.cases, scratch=scratch)
    plan = None
    if case_snapshot.version >= 0 and all(
        case_snapshot.facts.get(key) == value for key, value in _dependencies(workspace, calendars).items()
    ):
        plan = _plan_refresh(db, workspace, log_snapshot, case_snapshot)
    log_snapshot = log.compact(workspace, log_snapshot)
    facts = {"log_version": str(log_snapshot.version), **_dependencies(workspace, calendars)}
    with MonthlyTableWriter(workspace.cases, "asked_month") as writer:
        if plan is None:
            return _fold_all(db, log_snapshot, workspace.zone, calendars, writer, facts, on_progress)
        rows = fold_cases(
            slices.moments_of_cases(db, log_snapshot.files_since(plan.since), plan.cases), workspace.zone, calendars
        )
        writer.add(rows)
        _replace_rows(writer, case_snapshot, plan.rows, set(rows["asked_month"].unique().to_pylist()), facts)
    return len(rows)


def _replace_rows(
    writer: MonthlyTableWriter,
    case_snapshot: log.Snapshot,
    replaced_rows: Mapping[str, RowIndices],
    extended_months: Collection[int],
    facts: Mapping[str, str],
) -> None:
    """Commit what was added in place of these rows of files: small files of the months go with it, from large ones rows
    are struck out until those are many. `extended_months`: those to which rows were added."""
    removed_files, deleted_rows = [], {}
    for file in case_snapshot.files:
        if file not in replaced_rows and log.month_of(file) not in extended_months:
            continue
        total = pq.read_metadata(file).num_rows
        deleted_before = case_snapshot.deleted_rows.get(file, NO_ROWS)
        deleted_now = np.union1d(deleted_before, replaced_rows.get(file, NO_ROWS))
        if total <= SMALL_FILE_ROWS or len(deleted_now) > MAX_DELETED_SHARE * total:
            writer.add(_surviving_rows(file, deleted_now))
            removed_files.append(file)
        elif len(deleted_now) > len(deleted_before):
            deleted_rows[file] = deleted_now
    writer.commit(facts, removed_files, deleted_rows)


def purge_deleted_rows(workspace: Workspace) -> log.Snapshot:
    """The cases in files from which nothing is struck out, for who reads files as they are. The caller holds the write lock."""
    case_snapshot = log.snapshot(workspace.cases)
    if not case_snapshot.deleted_rows:
        return case_snapshot
    with MonthlyTableWriter(workspace.cases, "asked_month") as writer:
        for file, deleted_rows in case_snapshot.deleted_rows.items():
            writer.add(_surviving_rows(file, deleted_rows))
        writer.commit({fact: case_snapshot.facts[fact] for fact in FACT_NAMES}, list(case_snapshot.deleted_rows))
    return log.snapshot(workspace.cases)


def _fold_all(
    db: duckdb.DuckDBPyConnection,
    log_snapshot: log.Snapshot,
    zone: str,
    calendars: Calendars,
    writer: MonthlyTableWriter,
    facts: dict[str, str],
    on_progress: ProgressCallback,
) -> int:
    """All cases, a slice at a time, so that memory does not grow with the log."""
    case_count = 0
    for share, moments, is_complete in slices.slices_of_files(db, log_snapshot.files):
        rows = fold_cases(moments, zone, calendars, is_complete)
        writer.add(rows)
        case_count += len(rows)
        del moments, rows
        pa.default_memory_pool().release_unused()
        on_progress("Folding cases", round(share * 100), 100)
    writer.commit(facts)
    return case_count


_CAST_COLUMNS: Final = ", ".join(
    f"CAST({quote_name(column)} AS {kind}) AS {quote_name(column)}" for column, kind in CASE_TYPES.items()
)


def fold_into(db: duckdb.DuckDBPyConnection, table: str, moments: str, zone: str, calendars: Calendars) -> None:
    """Fold a table of moments into a temporary table of cases, a slice at a time."""
    for index, moment_slice in enumerate(slices.slices_of_table(db, moments)):
        db.register("rows_of_cases", fold_cases(moment_slice, zone, calendars))
        statement = f"INSERT INTO {table}" if index else f"CREATE TEMP TABLE {table} AS"
        db.execute(f"{statement} SELECT {_CAST_COLUMNS} FROM rows_of_cases")
        db.unregister("rows_of_cases")


def register_cases(db: duckdb.DuckDBPyConnection, table: str, cases: pa.Table) -> None:
    """Let a connection read folded cases under a name, where they lie."""
    db.register(f"{table}_rows", cases)
    db.execute(f"CREATE TEMP VIEW {table} AS SELECT {_CAST_COLUMNS} FROM {table}_rows")


def _dependencies(workspace: Workspace, calendars: Calendars) -> dict[str, str]:
    """What the cases depend on beside the log; another of these, and all cases are folded again."""
    return {"zone": workspace.zone, "fold": FOLD_VERSION, "hours": calendars.fingerprint or "none"}


def is_current(workspace: Workspace, log_snapshot: log.Snapshot, case_snapshot: log.Snapshot) -> bool:
    """The cases tell what the log tells, by this version's fold, in this zone and by these opening hours.

    Raises where they tell more: the log has lost something.
    """
    dependencies = _dependencies(workspace, load_calendars(workspace.calendars, workspace.zone))
    required_facts = {"log_version": str(log_snapshot.version), **dependencies}
    if (last := int(case_snapshot.facts.get("log_version", -1))) > log_snapshot.version:
        raise log.truncation_error(log_snapshot.version, last)
    return all(case_snapshot.facts.get(key) == value for key, value in required_facts.items())


@dataclass(frozen=True)
class _RefreshPlan:
    """What a refresh has to read and to write."""

    cases: pa.Table  # source and case_id of those with new moments
    since: int  # month of the earliest of their moments (yyyymm, UTC)
    rows: Mapping[str, RowIndices]  # where they stand as they were known, by file, in any order


def _plan_refresh(
    db: duckdb.DuckDBPyConnection, workspace: Workspace, log_snapshot: log.Snapshot, case_snapshot: log.Snapshot
) -> _RefreshPlan | None:
    """The cases with new moments; None: all are folded again, since many changed or none is known to have."""
    folded_snapshot = log.snapshot(workspace.log, int(case_snapshot.facts["log_version"]))
    if not case_snapshot.files or not set(folded_snapshot.files) <= set(log_snapshot.files):  # the log was compacted
        return None
    log.create_moments_view(db, "newest", sorted(set(log_snapshot.files) - set(folded_snapshot.files)))
    # A moment that another one corrects may have been of another case, which has it no more.
    corrected_months = [row[0] for row in db.sql("SELECT DISTINCT month FROM newest WHERE correction").fetchall()]
    log.create_moments_view(db, "corrected", log.files_of_months(log_snapshot.files, corrected_months))
    db.execute(
        "CREATE TEMP TABLE changed AS SELECT source, case_id FROM newest UNION SELECT source, case_id FROM corrected "
        "SEMI JOIN (SELECT moment_id FROM newest WHERE correction) USING (moment_id)"
    )
    cases = db.sql("FROM changed").to_arrow_table()
    (all_rows,) = db.sql(f"SELECT count(*) FROM {engine.parquet_rows_sql(case_snapshot.files)}").fetchall()[0]
    all_cases = all_rows - sum(map(len, case_snapshot.deleted_rows.values()))
    if not len(cases) or len(cases) > MAX_CHANGED_SHARE * all_cases:  # none is new: then nothing says what changed
        return None
    affected_rows = engine.query(
        db,
        "SELECT filename AS file, list(file_row_number) AS rows, min(first_s) AS first "
        f"FROM {engine.parquet_rows_sql(case_snapshot.files, with_positions=True)} SEMI JOIN changed USING (source, case_id) GROUP BY filename",
    )
    rows = dict(
        zip(
            affected_rows["file"].to_pylist(),
            (positions.values.to_numpy() for positions in affected_rows["rows"]),
            strict=True,
        )
    )
    if not rows.keys() <= set(case_snapshot.files):
        raise AssertionError(f"{sorted(rows.keys() - set(case_snapshot.files))} are no files of the cases")
    (since,) = db.sql("SELECT min(month) FROM newest").fetchall()[0]
    for first in affected_rows["first"].to_pylist():
        since = min(since, int(f"{datetime(1970, 1, 1) + timedelta(seconds=first):%Y%m}"))
    return _RefreshPlan(cases, since, rows)


def _surviving_rows(file: str, deleted_rows: RowIndices) -> pa.Table:
    """The cases of a month's file but for these rows."""
    rows = pq.ParquetFile(file, read_dictionary=TEXT_COLUMNS).read()
    month = pa.repeat(pa.scalar(log.month_of(file), pa.int32()), len(rows))
    rows = rows.append_column("asked_month", month).select(list(CASE_TYPES))
    return rows.take(pa.array(np.delete(np.arange(len(rows)), deleted_rows)))

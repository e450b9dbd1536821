"""Moments to cases: the fold. A case is never typed in; it is what its moments say, one row a case.

Only cases with new moments are folded again; what stood in their place is struck out, or goes with its file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wellserved import log
from wellserved.calendar import Calendars, load_calendars
from wellserved.cases import slices
from wellserved.cases.fold import TEXTS, fold
from wellserved.cases.fold import TYPES as TYPES
from wellserved.delta import NONE, Rows
from wellserved.engine import duckdb as engine
from wellserved.engine.duckdb import name
from wellserved.months import Months
from wellserved.workspace import Workspace

FOLD = "11"  # version of the fold; another one rebuilds all cases
MUCH = 0.1  # share of all cases above which everything is folded again
SMALL = 20_000  # rows of a file that is written again with what comes to its month
STRUCK = 1 / 16  # share of a larger one's rows that may be struck out before it is written again
FACTS = ("log_version", "zone", "fold", "hours")  # that a version of the cases notes


def refresh(workspace: Workspace, scratch: Path, told: Callable[[str, int, int], None]) -> int:
    """Bring the cases up to the log; returns the number of cases folded. The caller holds the write lock."""
    now, old = log.snapshot(workspace.log), log.snapshot(workspace.cases)
    calendars = load_calendars(workspace.calendars, workspace.zone)
    if is_current(workspace, now, old) or now.version < 0:
        return 0
    told("Folding cases", 0, 0)
    db = engine.connect(workspace.log, workspace.cases, scratch=scratch)
    changed = None
    if old.version >= 0 and all(old.facts.get(key) == value for key, value in _made_by(workspace, calendars).items()):
        changed = _changed(db, workspace, now, old)
    now = log.compact(workspace, now)
    noted = {"log_version": str(now.version), **_made_by(workspace, calendars)}
    with Months(workspace.cases, "asked_month") as months:
        if changed is None:
            return _fold_all(db, now, workspace.zone, calendars, months, noted, told)
        rows = fold(slices.of_cases(db, now.since(changed.since), changed.cases), workspace.zone, calendars)
        months.add(rows)
        _replace(months, old, changed.rows, set(rows["asked_month"].unique().to_pylist()), noted)
    return len(rows)


def _replace(
    months: Months, old: log.Snapshot, rows: Mapping[str, Rows], begun: Collection[int], noted: Mapping[str, str]
) -> None:
    """Commit what was added in place of these rows of files: small files of the months go with it, from large ones rows
    are struck out until those are many. `begun`: months to which rows were added."""
    gone, struck = [], {}
    for file in old.files:
        if file not in rows and log.month_of(file) not in begun:
            continue
        total = pq.read_metadata(file).num_rows
        before = old.struck.get(file, NONE)
        out = np.union1d(before, rows.get(file, NONE))
        if total <= SMALL or len(out) > STRUCK * total:
            months.add(_rest(file, out))
            gone.append(file)
        elif len(out) > len(before):
            struck[file] = out
    months.commit(noted, gone, struck)


def settle(workspace: Workspace) -> log.Snapshot:
    """The cases in files from which nothing is struck out, for who reads files as they are. The caller holds the write lock."""
    old = log.snapshot(workspace.cases)
    if not old.struck:
        return old
    with Months(workspace.cases, "asked_month") as months:
        for file, out in old.struck.items():
            months.add(_rest(file, out))
        months.commit({fact: old.facts[fact] for fact in FACTS}, list(old.struck))
    return log.snapshot(workspace.cases)


def _fold_all(
    db: duckdb.DuckDBPyConnection,
    now: log.Snapshot,
    zone: str,
    calendars: Calendars,
    months: Months,
    noted: dict[str, str],
    told: Callable[[str, int, int], None],
) -> int:
    """All cases, a slice at a time, so that memory does not grow with the log."""
    folded = 0
    for share, moments, whole in slices.of_files(db, now.files):
        rows = fold(moments, zone, calendars, whole)
        months.add(rows)
        folded += len(rows)
        told("Folding cases", round(share * 100), 100)
    months.commit(noted)
    return folded


def fold_into(db: duckdb.DuckDBPyConnection, table: str, moments: str, zone: str, calendars: Calendars) -> None:
    """Fold a table of moments into a temporary table of cases, a slice at a time."""
    columns = ", ".join(f"CAST({name(column)} AS {kind}) AS {name(column)}" for column, kind in TYPES.items())
    for place, part in enumerate(slices.of_table(db, moments)):
        db.register("rows_of_cases", fold(part, zone, calendars))
        begin = f"INSERT INTO {table}" if place else f"CREATE TEMP TABLE {table} AS"
        db.execute(f"{begin} SELECT {columns} FROM rows_of_cases")
        db.unregister("rows_of_cases")


def _made_by(workspace: Workspace, calendars: Calendars) -> dict[str, str]:
    """What the cases depend on beside the log; another of these, and all cases are folded again."""
    return {"zone": workspace.zone, "fold": FOLD, "hours": calendars.fingerprint or "none"}


def is_current(workspace: Workspace, now: log.Snapshot, old: log.Snapshot) -> bool:
    """The cases tell what the log tells, by this version's fold, in this zone and by these opening hours.

    Raises where they tell more: the log has lost something.
    """
    made_by = _made_by(workspace, load_calendars(workspace.calendars, workspace.zone))
    wanted = {"log_version": str(now.version), **made_by}
    if (last := int(old.facts.get("log_version", -1))) > now.version:
        raise log.ended(now.version, last)
    return all(old.facts.get(key) == value for key, value in wanted.items())


@dataclass(frozen=True)
class _Touched:
    """What a refresh has to read and to write."""

    cases: pa.Table  # source and case_id of those with new moments
    since: int  # month of the earliest of their moments (yyyymm, UTC)
    rows: Mapping[str, Rows]  # where they stand as they were known, by file, in any order


def _changed(
    db: duckdb.DuckDBPyConnection, workspace: Workspace, now: log.Snapshot, old: log.Snapshot
) -> _Touched | None:
    """The cases with new moments; None: all are folded again, since many changed or none is known to have."""
    folded = log.snapshot(workspace.log, int(old.facts["log_version"]))
    if not old.files or not set(folded.files) <= set(now.files):  # the log was compacted
        return None
    log.view(db, "newest", sorted(set(now.files) - set(folded.files)))
    # A moment that another one corrects may have been of another case, which has it no more.
    corrected = [row[0] for row in db.sql("SELECT DISTINCT month FROM newest WHERE correction").fetchall()]
    log.view(db, "corrected", log.of_months(now.files, corrected))
    db.execute(
        "CREATE TEMP TABLE changed AS SELECT source, case_id FROM newest UNION SELECT source, case_id FROM corrected "
        "SEMI JOIN (SELECT moment_id FROM newest WHERE correction) USING (moment_id)"
    )
    cases = db.sql("FROM changed").to_arrow_table()
    (all_rows,) = db.sql(f"SELECT count(*) FROM {engine.rows_of(old.files)}").fetchall()[0]
    all_cases = all_rows - sum(map(len, old.struck.values()))
    if not len(cases) or len(cases) > MUCH * all_cases:  # none is new: then nothing says what changed
        return None
    known = engine.ask(
        db,
        "SELECT filename AS file, list(file_row_number) AS rows, min(first_s) AS first "
        f"FROM {engine.rows_of(old.files, placed=True)} SEMI JOIN changed USING (source, case_id) GROUP BY filename",
    )
    rows = dict(zip(known["file"].to_pylist(), (one.values.to_numpy() for one in known["rows"]), strict=True))
    if not rows.keys() <= set(old.files):
        raise AssertionError(f"{sorted(rows.keys() - set(old.files))} are no files of the cases")
    (since,) = db.sql("SELECT min(month) FROM newest").fetchall()[0]
    for first in known["first"].to_pylist():
        since = min(since, int(f"{datetime(1970, 1, 1) + timedelta(seconds=first):%Y%m}"))
    return _Touched(cases, since, rows)


def _rest(file: str, out: Rows) -> pa.Table:
    """The cases of a month's file but for these rows."""
    rows = pq.ParquetFile(file, read_dictionary=TEXTS).read()
    month = pa.repeat(pa.scalar(log.month_of(file), pa.int32()), len(rows))
    rows = rows.append_column("asked_month", month).select(list(TYPES))
    return rows.take(pa.array(np.delete(np.arange(len(rows)), out)))

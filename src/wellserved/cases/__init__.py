"""Moments to cases: the fold. A case is never typed in; it is what its moments say, one row a case.

Only cases with new moments are folded again, and only their months are replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wellserved import log
from wellserved.calendar import Calendars, load_calendars
from wellserved.cases import slices
from wellserved.cases.fold import TEXTS, fold
from wellserved.cases.fold import TYPES as TYPES
from wellserved.engine import duckdb as engine
from wellserved.engine.duckdb import name
from wellserved.months import Months
from wellserved.workspace import Workspace

FOLD = "10"  # version of the fold; another one rebuilds all cases
MUCH = 0.1  # share of all cases above which everything is folded again


def refresh(workspace: Workspace, scratch: Path, told: Callable[[str, int, int], None]) -> int:
    """Bring the cases up to the log; returns the number of cases folded. The caller holds the write lock."""
    now, old = log.snapshot(workspace.log), log.snapshot(workspace.cases)
    calendars = load_calendars(workspace.calendars, workspace.zone)
    if now.version < 0 or is_current(workspace, now, old):
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
        replaced = sorted(changed.months | set(rows["asked_month"].unique().to_pylist()))
        for month in replaced:
            for file in log.of_months(old.files, [month]):
                months.add(_others(file, month, changed.cases))
        months.add(rows)
        months.commit(noted, replaced)
    return len(rows)


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
    """The cases tell what the log tells, by this version's fold, in this zone and by these opening hours."""
    made_by = _made_by(workspace, load_calendars(workspace.calendars, workspace.zone))
    wanted = {"log_version": str(now.version), **made_by}
    return all(old.facts.get(key) == value for key, value in wanted.items())


@dataclass(frozen=True)
class _Touched:
    """What a refresh has to read and to write."""

    cases: pa.Table  # source and case_id of those with new moments
    since: int  # month of the earliest of their moments (yyyymm, UTC)
    months: frozenset[int]  # in which they were asked for, as far as they were known


def _changed(
    db: duckdb.DuckDBPyConnection, workspace: Workspace, now: log.Snapshot, old: log.Snapshot
) -> _Touched | None:
    """The cases with new moments; None: all are folded again, since many changed or none is known to have."""
    folded = log.snapshot(workspace.log, int(old.facts["log_version"]))
    if not set(folded.files) <= set(now.files):  # the log was compacted
        return None
    log.view(db, "newest", sorted(set(now.files) - set(folded.files)))
    engine.view(db, "old_cases", old.files, TYPES)
    # A moment that another one corrects may have been of another case, which has it no more.
    corrected = [row[0] for row in db.sql("SELECT DISTINCT month FROM newest WHERE correction").fetchall()]
    log.view(db, "corrected", log.of_months(now.files, corrected))
    db.execute(
        "CREATE TEMP TABLE changed AS SELECT source, case_id FROM newest UNION SELECT source, case_id FROM corrected "
        "SEMI JOIN (SELECT moment_id FROM newest WHERE correction) USING (moment_id)"
    )
    cases = db.sql("FROM changed").to_arrow_table()
    (all_cases,) = db.sql("SELECT count(*) FROM old_cases").fetchall()[0]
    if not len(cases) or len(cases) > MUCH * all_cases:  # none is new: then nothing says what changed
        return None
    first = "make_timestamp(min(first_s) * 1000000)"
    since, months = db.sql(
        f"SELECT CAST(year({first}) * 100 + month({first}) AS INTEGER), list(DISTINCT asked_month) "
        "FROM old_cases SEMI JOIN changed USING (source, case_id)"
    ).fetchall()[0]
    (least,) = db.sql("SELECT min(month) FROM newest").fetchall()[0]
    return _Touched(cases, min(filter(None, (since, least))), frozenset(months or ()))


def _others(file: str, month: int, changed: pa.Table) -> pa.Table:
    """The cases of a month's file that did not change."""
    rows = pq.ParquetFile(file, read_dictionary=TEXTS).read()
    rows = rows.append_column("asked_month", pa.repeat(pa.scalar(month, pa.int32()), len(rows))).select(list(TYPES))
    return rows.filter(pc.invert(slices.among(rows, changed)))

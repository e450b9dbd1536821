"""Moments to cases: the fold. A case is never typed in; it is what its moments say, one row a case.

Only cases with new moments are folded again, and only their months are replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from wellserved import log
from wellserved.calendar import Calendars, load_calendars
from wellserved.cases import fold
from wellserved.cases.fold import TYPES as TYPES
from wellserved.engine import duckdb as engine
from wellserved.engine.duckdb import name
from wellserved.workspace import Workspace

FOLD = "8"  # version of the fold; another one rebuilds all cases
MUCH = 0.3  # share of all cases above which everything is folded again


def refresh(workspace: Workspace, scratch: Path, told: Callable[[str, int, int], None]) -> int:
    """Bring the cases up to the log; returns the number of cases folded. The caller holds the write lock."""
    now, old = log.snapshot(workspace.log), log.snapshot(workspace.cases)
    calendars = load_calendars(workspace.calendars, workspace.zone)
    noted = {"log_version": str(now.version), **_made_by(workspace, calendars)}
    if now.version < 0 or is_current(workspace, now, old):
        return 0
    told("Folding cases", 0, 0)
    db = engine.connect(workspace.log, workspace.cases, scratch=scratch)
    changed = None
    if old.version >= 0 and all(old.facts.get(key) == value for key, value in _made_by(workspace, calendars).items()):
        changed = _changed(db, workspace, now, old)
    log.view(db, "every_moment", now.files if changed is None else now.since(changed.since))
    if changed is None:
        rows = _in_slices(db, workspace.zone, calendars, told)
        log.commit(workspace.cases, rows, "asked_month", noted, mode="overwrite", schema_mode="overwrite")
        engine.view(db, "all_cases", log.snapshot(workspace.cases).files, TYPES)
        return int(db.sql("SELECT count(*) FROM all_cases").fetchall()[0][0])
    columns = ", ".join(map(name, fold.FOLDED_FROM))
    db.execute(
        f"CREATE TEMP TABLE touched AS SELECT {columns} FROM every_moment SEMI JOIN changed USING (source, case_id)"
    )
    fold.fold_into(db, "refolded", "touched", workspace.zone, calendars)
    return _replace_months(db, workspace, old, changed.months, noted)


def _in_slices(
    db: duckdb.DuckDBPyConnection,
    zone: str,
    calendars: Calendars,
    told: Callable[[str, int, int], None],
) -> pa.RecordBatchReader:
    """All cases, folded a slice of them at a time, so that memory does not grow with the log."""
    many = fold.parts(db, "every_moment")
    first = db.sql(fold.fold(db, many[0], zone, calendars)).to_arrow_reader(100_000)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from first
        for place, part in enumerate(many[1:], 1):
            told("Folding cases", place, len(many))
            yield from db.sql(fold.fold(db, part, zone, calendars)).to_arrow_reader(100_000)

    return pa.RecordBatchReader.from_batches(first.schema, batches())


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
    """What a refresh has to read and to write; the cases themselves stand in `changed`."""

    since: int  # month of the earliest of their moments (yyyymm, UTC)
    months: frozenset[int]  # in which they were asked for, as far as they were known


def _changed(
    db: duckdb.DuckDBPyConnection, workspace: Workspace, now: log.Snapshot, old: log.Snapshot
) -> _Touched | None:
    """Leave the cases with new moments in `changed`; None: all are folded again, since many changed or none is known to have."""
    folded = log.snapshot(workspace.log, int(old.facts["log_version"]))
    if not set(folded.files) <= set(now.files):  # the log was compacted
        return None
    log.view(db, "newest", sorted(set(now.files) - set(folded.files)))
    engine.view(db, "old_cases", old.files, TYPES)
    db.execute("CREATE TEMP TABLE changed AS SELECT DISTINCT source, case_id FROM newest")
    (count,) = db.sql("SELECT count(*) FROM changed").fetchall()[0]
    (all_cases,) = db.sql("SELECT count(*) FROM old_cases").fetchall()[0]
    if not count or count > MUCH * all_cases:  # another version without new moments: nothing says what changed
        return None
    first = "make_timestamp(min(first_s) * 1000000)"
    since, months = db.sql(
        f"SELECT CAST(year({first}) * 100 + month({first}) AS INTEGER), list(DISTINCT asked_month) "
        "FROM old_cases SEMI JOIN changed USING (source, case_id)"
    ).fetchall()[0]
    (least,) = db.sql("SELECT min(month) FROM newest").fetchall()[0]
    return _Touched(min(filter(None, (since, least))), frozenset(months or ()))


def _replace_months(
    db: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    old: log.Snapshot,
    before: frozenset[int],
    noted: dict[str, str],
) -> int:
    """Rewrite the months in which a changed case was or is; everything else stays as it is on disk."""
    folded, after = db.sql("SELECT count(*), list(DISTINCT asked_month) FROM refolded").fetchall()[0]
    months = sorted(before | set(after or ()))
    engine.view(db, "month_cases", old.of_months(months), TYPES)
    columns = ", ".join(name(column) for column in TYPES)
    rows = db.sql(
        f"SELECT {columns} FROM month_cases ANTI JOIN changed USING (source, case_id) UNION ALL SELECT {columns} FROM refolded"
    )
    # No month at all: what came was withdrawn before it was ever folded, and only the log's version is to be noted.
    how: dict[str, Any] = (
        {"mode": "overwrite", "predicate": f"asked_month IN ({', '.join(map(str, months))})"}
        if months
        else {"mode": "append"}
    )
    log.commit(workspace.cases, rows, "asked_month", noted, **how)
    return int(folded)

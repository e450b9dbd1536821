"""Moments to cases: the fold. A case is never typed in; it is what its moments say, one row a case.

Only cases with new moments are folded again, and only their months are replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from wellserved import log
from wellserved.engine import duckdb as engine
from wellserved.engine.duckdb import name, text
from wellserved.moments import CASE_COLUMNS, KINDS, SEGMENTS
from wellserved.workspace import Workspace

FOLD = "2"  # version of the fold; another one rebuilds all cases
TYPES = {column.name: column.type for column in CASE_COLUMNS}
MUCH = 0.3  # share of all cases above which everything is folded again

_CUSTOMER = ", ".join(text(kind) for kind, (side, _) in KINDS.items() if side == "customer")
_CONTACT = "'asked', 'chased', 'complained', 'returned'"
_END = "'resolved', 'abandoned'"


def _last(column: str) -> str:
    return f"arg_max({name(column)}, o) FILTER ({name(column)} IS NOT NULL)"


def _count(*kinds: str) -> str:
    return f"count(*) FILTER (kind IN ({', '.join(map(text, kinds))}))"


def _local(seconds: str, zone: str, what: str) -> str:
    """The local day number, or yyyymm, of epoch seconds."""
    local = f"timezone({text(zone)}, to_timestamp({seconds}))"
    if what == "day":
        return f"CAST(date_diff('day', DATE '1970-01-01', CAST({local} AS DATE)) AS INTEGER)"
    return f"CAST(year({local}) * 100 + month({local}) AS INTEGER)"


def _aggregates() -> dict[str, str]:
    """Column of a case -> what its moments give; `s` is epoch seconds, `o` the order within the case."""
    known = "at_is <> 'not_before'"
    last_word = "arg_max(kind, o) FILTER (kind IN ('resolved', 'reopened', 'abandoned'))"
    facts = {segment: _last(segment) for segment in SEGMENTS if segment != "source"}
    return facts | {
        "moments": "count(*)",
        "asked_s": f"coalesce(min(s) FILTER (kind = 'asked'), min(s) FILTER (kind IN ({_CUSTOMER})), min(s))",
        "first_reply_s": "min(s) FILTER (kind IN ('replied', 'explained'))",
        "first_handover_s": "min(s) FILTER (kind = 'handed_over')",
        "first_resolved_s": f"min(s) FILTER (kind = 'resolved' AND {known})",
        "last_end_s": f"max(s) FILTER (kind IN ({_END}) AND {known})",
        "last_word": last_word,
        "resolutions": _count("resolved"),
        "reopens": _count("reopened"),
        "chases": _count("chased"),
        "contacts": f"count(*) FILTER (kind IN ({_CONTACT}))",
        "handovers": _count("handed_over"),
        "promises": _count("promised"),
        "due_s": "arg_max(CAST(floor(epoch(due)) AS BIGINT), o) FILTER (kind = 'promised' AND due IS NOT NULL)",
        "source_kept": "arg_max(CAST(source_kept AS INTEGER), o) FILTER (source_kept IS NOT NULL)",
        "complaints": _count("complained"),
        "returns": _count("returned"),
        "accepts": _count("accepted"),
        "score": "arg_max(score, o) FILTER (kind = 'rated')",
        "scale": "arg_max(scale, o) FILTER (kind = 'rated')",
        "failures": _count("failed"),
        "recovered_s": "max(s) FILTER (kind = 'recovered')",
        "last_s": 'max(s) FILTER ("at" <= recorded_at)',  # a typing error in a year must not move "as of"
    }


def _derived(zone: str) -> dict[str, str]:
    """Columns of a case that follow from the others."""
    closed = "coalesce(last_word IN ('resolved', 'abandoned'), false)"
    derived = {
        "closed": f"CAST({closed} AS INTEGER)",
        "abandoned": "CAST(coalesce(last_word = 'abandoned', false) AS INTEGER)",
        "resolved_s": f"CASE WHEN {closed} THEN last_end_s END",
        "resolved_unknown": f"CAST({closed} AND last_end_s IS NULL AS INTEGER)",
        "reply_secs": "first_reply_s - asked_s",
        "handover_secs": "first_handover_s - asked_s",
        "resolution_secs": "first_resolved_s - asked_s",
        "late_secs": f"CASE WHEN {closed} THEN last_end_s - due_s END",
        "promise_fate": (
            f"CASE WHEN due_s IS NULL OR due_s < asked_s OR ({closed} AND last_end_s IS NULL) THEN NULL "
            f"WHEN NOT {closed} THEN 0 WHEN last_word = 'abandoned' THEN 3 WHEN last_end_s <= due_s THEN 1 ELSE 2 END"
        ),
        "closed_first": "CAST(coalesce(first_resolved_s < asked_s, false) AS INTEGER)",
        "due_first": "CAST(coalesce(due_s < asked_s, false) AS INTEGER)",
        "paused_secs": "coalesce(paused_secs, 0)",
        "held_secs": "coalesce(held_secs, 0)",
    }
    for anchor, seconds in (("asked", "asked_s"), ("resolved", derived["resolved_s"]), ("due", "due_s")):
        for what in ("day", "month"):
            derived[f"{anchor}_{what}"] = _local(seconds, zone, what)
    return derived


def fold_sql(moments: str, zone: str, corrected: bool) -> str:
    """The fold as one SELECT over a table of moments.

    `corrected`: some moments correct others; of one identity the last recorded counts.
    """
    latest = "QUALIFY row_number() OVER (PARTITION BY moment_id ORDER BY recorded_at DESC, source_row DESC) = 1"
    # Moments of one instant are ordered by row; within one row a reopening comes before a resolution.
    order = (
        '(CAST(epoch_us("at") AS HUGEINT) * 1000000000 + source_row) * 4 '
        "+ CASE kind WHEN 'reopened' THEN 1 WHEN 'resolved' THEN 2 ELSE 0 END"
    )
    folded = ", ".join(f"{sql} AS {name(column)}" for column, sql in _aggregates().items())
    derived = _derived(zone)
    columns = ", ".join(
        f"CAST({derived.get(column, name(column))} AS {kind}) AS {name(column)}" for column, kind in TYPES.items()
    )
    stops = "'paused', 'held', 'resumed', 'resolved', 'abandoned', 'reopened'"
    return f"""
        WITH m AS (
            SELECT *, epoch_us("at") // 1000000 AS s, {order} AS o FROM {moments} {latest if corrected else ""}
        ), spans AS (
            SELECT source, case_id, kind, lead(s) OVER (PARTITION BY source, case_id ORDER BY o) - s AS secs
            FROM m SEMI JOIN (SELECT source, case_id FROM m WHERE kind IN ('paused', 'held')) USING (source, case_id)
            WHERE kind IN ({stops})
        ), waits AS (
            SELECT source, case_id, sum(secs) FILTER (kind = 'paused') AS paused_secs,
                   sum(secs) FILTER (kind = 'held') AS held_secs
            FROM spans GROUP BY source, case_id
        ), folded AS (SELECT source, case_id, {folded} FROM m GROUP BY source, case_id)
        SELECT {columns} FROM folded LEFT JOIN waits USING (source, case_id)
    """


def refresh(workspace: Workspace, scratch: Path, told: Callable[[str, int, int], None]) -> int:
    """Bring the cases up to the log; returns the number of cases folded. The caller holds the write lock."""
    now, old = log.snapshot(workspace.log), log.snapshot(workspace.cases)
    noted = {"log_version": str(now.version), "zone": workspace.zone, "fold": FOLD}
    if now.version < 0 or is_current(workspace, now, old):
        return 0
    told("Folding cases", 0, 0)
    db = engine.connect(workspace.log, workspace.cases, scratch=scratch)
    changed = None
    if old.facts.get("zone") == workspace.zone and old.facts.get("fold") == FOLD:
        changed = _changed(db, workspace, now, old)
    scope = "every_moment"
    log.view(db, "every_moment", now.files)
    if changed is not None:
        db.execute("CREATE TEMP TABLE touched AS SELECT * FROM every_moment SEMI JOIN changed USING (source, case_id)")
        scope = "touched"
    (corrected,) = db.sql(f"SELECT count(*) > 0 FROM {scope} WHERE correction").fetchall()[0]
    fold = fold_sql(scope, workspace.zone, corrected)
    if changed is None:
        log.commit(workspace.cases, db.sql(fold), "asked_month", noted, mode="overwrite")
        engine.view(db, "all_cases", log.snapshot(workspace.cases).files, TYPES)
        return int(db.sql("SELECT count(*) FROM all_cases").fetchall()[0][0])
    db.execute(f"CREATE TEMP TABLE refolded AS {fold}")
    return _replace_months(db, workspace, old, noted)


def is_current(workspace: Workspace, now: log.Snapshot, old: log.Snapshot) -> bool:
    """The cases tell what the log tells, by this version's fold and in this zone."""
    told = (old.facts.get("log_version"), old.facts.get("zone"), old.facts.get("fold"))
    return told == (str(now.version), workspace.zone, FOLD)


def _changed(db: duckdb.DuckDBPyConnection, workspace: Workspace, now: log.Snapshot, old: log.Snapshot) -> int | None:
    """Leave the cases with new moments in `changed`; None where so many changed that all are folded again."""
    folded = log.snapshot(workspace.log, int(old.facts["log_version"]))
    if not set(folded.files) <= set(now.files):  # the log was compacted
        return None
    log.view(db, "newest", sorted(set(now.files) - set(folded.files)))
    engine.view(db, "old_cases", old.files, TYPES)
    db.execute("CREATE TEMP TABLE changed AS SELECT DISTINCT source, case_id FROM newest")
    (count,) = db.sql("SELECT count(*) FROM changed").fetchall()[0]
    (all_cases,) = db.sql("SELECT count(*) FROM old_cases").fetchall()[0]
    return int(count) if count <= MUCH * all_cases else None


def _replace_months(
    db: duckdb.DuckDBPyConnection, workspace: Workspace, old: log.Snapshot, noted: dict[str, str]
) -> int:
    """Rewrite the months in which a changed case was or is; everything else stays as it is on disk."""
    before = "SELECT asked_month FROM old_cases SEMI JOIN changed USING (source, case_id)"
    months = [
        row[0]
        for row in db.sql(
            f"SELECT DISTINCT asked_month FROM (SELECT asked_month FROM refolded UNION ALL {before})"
        ).fetchall()
    ]
    engine.view(db, "month_cases", old.of_months(months), TYPES)
    columns = ", ".join(name(column) for column in TYPES)
    rows = db.sql(
        f"SELECT {columns} FROM month_cases ANTI JOIN changed USING (source, case_id) UNION ALL SELECT {columns} FROM refolded"
    )
    listed = ", ".join(map(str, sorted(months)))
    predicate = f"asked_month IN ({listed})"
    log.commit(workspace.cases, rows, "asked_month", noted, mode="overwrite", predicate=predicate)
    return int(db.sql("SELECT count(*) FROM refolded").fetchall()[0][0])

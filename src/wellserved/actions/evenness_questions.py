"""Ratings of one person's cases, and how far the days of a team's people differ."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import duckdb

from wellserved.actions.open_cases import open_case_table
from wellserved.engine.duckdb import DuckDB, query
from wellserved.moments import NotComputable, day_number
from wellserved.people.evenness import Evenness, RatedMoment, evenness, pooled_spread
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

_SQL = """
    SELECT epoch(m."at") AS s, coalesce(c.service, '') AS service, m.score, m.scale
    FROM moments m JOIN cases c USING (source, case_id)
    WHERE m.kind = 'rated' AND m.score IS NOT NULL AND m.from_team IS NULL AND coalesce(m.person_id, c.person_id) = $person
    ORDER BY m."at", m.case_id
"""


def own_evenness(workspace: Workspace, person: str) -> Evenness | NotComputable:
    """How even somebody's service is, by the ratings of the cases that they had last; on the scale used most."""
    if log.latest_version(workspace) < 0:
        return NotComputable("there are no records yet")
    with open_case_table(workspace, with_moments=True) as case_table:
        assert isinstance(case_table.engine, DuckDB)
        return _evenness(case_table.engine.db, person, ZoneInfo(case_table.zone))


def _evenness(
    db: duckdb.DuckDBPyConnection, person: str, zone: ZoneInfo, until: date | None = None
) -> Evenness | NotComputable:
    rows = query(db, _SQL, {"person": person}).to_pylist()
    if not rows:
        return NotComputable("no rating of your cases is on record")
    scales = [row["scale"] for row in rows]
    scale = max(sorted(set(scales)), key=scales.count)
    ratings = []
    for row in rows:
        if row["scale"] == scale:
            at = datetime.fromtimestamp(row["s"], UTC).astimezone(zone)
            if until is not None and at.date() >= until:
                continue
            ratings.append(RatedMoment(day_number(at.date()), at.hour, row["service"], float(row["score"])))
    return evenness(ratings)


def team_spread(workspace: Workspace, persons: tuple[str, ...], until: date | None = None) -> float | NotComputable:
    """How far days differ in a team, of five people or more together, by the ratings before a day; nobody's own."""
    if log.latest_version(workspace) < 0:
        return NotComputable("there are no records yet")
    spreads = []
    with open_case_table(workspace, with_moments=True) as case_table:
        assert isinstance(case_table.engine, DuckDB)
        for person in persons:
            result = _evenness(case_table.engine.db, person, ZoneInfo(case_table.zone), until)
            if isinstance(result, Evenness) and not isinstance(result.days, NotComputable):
                spreads.append(result.days.between)
    return pooled_spread(spreads)

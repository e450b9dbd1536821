"""Where a problem comes from, or corrections: places, channels, teams, services, and pairs of them."""

from __future__ import annotations

import numpy as np

from wellserved.actions.listening import LOOK_SEED
from wellserved.actions.open_cases import open_case_table
from wellserved.engine.duckdb import DuckDB, query
from wellserved.listen.book import open_book
from wellserved.listen.origins import Scan, scan_origins
from wellserved.measure.series import is_told_in_words
from wellserved.moments import NotComputable
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage.workspace import Workspace

ORIGIN_COLUMNS = ("service", "channel", "place", "team", "category", "source")
"""Where a fault may come from; people are never an origin."""
FEWEST_PEOPLE = 5


def find_origins(
    workspace: Workspace, reference: str | None, on_progress: ProgressCallback = no_progress
) -> tuple[Scan | NotComputable, str]:
    """Which origins bring more of a problem than chance; without one, more corrections."""
    about = reference or ""
    with open_case_table(workspace, on_progress, with_moments=True, about=about) as case_table:
        assert isinstance(case_table.engine, DuckDB)
        fault = "about = 1" if about else CORRECTED
        condition = "told = 1" if about else "1 = 1"
        left_out = about.partition("=")[0]
        columns = [name for name in ORIGIN_COLUMNS if name != left_out]
        small_teams = f"(SELECT team FROM {case_table.table} GROUP BY team HAVING count(DISTINCT person_id) BETWEEN 1 AND {FEWEST_PEOPLE - 1})"
        origin_columns = ", ".join(
            f"CASE WHEN team IN {small_teams} THEN NULL ELSE team END AS team" if name == "team" else name
            for name in columns
        )
        table = query(
            case_table.engine.db,
            f"SELECT {origin_columns}, asked_month AS month, ({fault}) AS fault FROM {case_table.table} WHERE {condition} ORDER BY source, case_id",
        )
    on_progress("Comparing origins", 0, 0)
    records = {name: table[name].to_pylist() for name in columns}
    fault_mask = np.array([bool(value) for value in table["fault"].to_pylist()], dtype=bool)
    name = open_book(workspace).find(about).label if is_told_in_words(about) else about or "corrections"
    if not len(fault_mask):
        return NotComputable("no case could tell"), name
    return scan_origins(records, fault_mask, table["month"].to_pylist(), LOOK_SEED, on_progress), name


CORRECTED = "reopens > 0 OR returns > 0 OR EXISTS (SELECT 1 FROM moments m WHERE m.kind = 'corrected' AND m.source = cases_with_problems.source AND m.case_id = cases_with_problems.case_id)"
"""SQL: somebody had to mend what was delivered."""

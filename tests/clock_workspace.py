"""Cases of one's own in a workspace: moments to a file, the file through the product, its numbers back."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.clock_oracle import Event
from wellserved.actions.imports import import_file
from wellserved.actions.open_cases import open_case_table, opening_hours
from wellserved.mapping import parse_mapping
from wellserved.measure import find_measure
from wellserved.measure.case_table import fill_sql
from wellserved.measure.timeline import make_moment_table, materialise_intervals, rule_values_sql
from wellserved.measure.vendor_rules import VENDOR_RULES, VendorRule
from wellserved.moments import MOMENT_KINDS
from wellserved.storage.workspace import Workspace, create_workspace

Values = dict[VendorRule, dict[str, tuple[bool, int]]]
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def mapping_text() -> str:
    """Every kind of moment by its name in the column `kind`."""
    head = 'name = "made"\ncase = "case"\n[columns]\nteam = "team"\nservice = "service"\n'
    known = "".join(
        f'[[moment]]\nkind = "{kind}"\nat = "at"\nref = "ref"\nwhen = {{ column = "kind", is = ["{kind}"] }}\n'
        for kind in MOMENT_KINDS
        if kind != "rated"
    )
    unknown = '[[moment]]\nkind = "resolved"\nat = "at"\nat_is = "not_before"\nref = "ref"\nwhen = { column = "kind", is = ["resolved?"] }\n'
    return head + known + unknown


def workspace_of(
    folder: Path, cases: Mapping[str, Sequence[Event]], calendars: str = "", zone: str = "UTC"
) -> Workspace:
    """A workspace whose log holds these cases."""
    workspace = create_workspace(folder / "home", zone)
    workspace.calendars.write_text(calendars, encoding="utf-8")
    path = folder / "made.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "at", "kind", "team", "service", "ref"])
        for number, events in cases.items():
            for place, event in enumerate(events):
                stamp = datetime.fromtimestamp(event.second, UTC).isoformat()
                kind = event.kind if event.known else f"{event.kind}?"
                writer.writerow([number, stamp, kind, event.team or "", event.service or "", place])
    import_file(workspace, path, parse_mapping(mapping_text(), "made"), NOW)
    return workspace


def values_of(workspace: Workspace) -> tuple[Values, Values, int]:
    """By definition and case: ended and seconds, from the log; the same of ours from the folded cases; and as-of."""
    from_log: Values = {}
    from_cases: Values = {}
    with open_case_table(workspace, with_moments=True) as scope:
        moments = make_moment_table(scope, "moments", opening_hours(workspace))
        materialise_intervals(moments)
        for one in VENDOR_RULES:
            found = scope.engine.query(rule_values_sql(moments, one)).to_pylist()
            from_log[one] = {row["case_id"]: (row["ended"] == 1, row["secs"]) for row in found}
            if one.vendor == "ours":
                measure = find_measure(one.measure)
                now = "{as_of_bus}" if measure.clock == "business" else "{as_of}"
                sql = (
                    f"SELECT case_id, {measure.event} AS ended, CASE WHEN {measure.event} THEN {measure.value} "
                    f"ELSE {now} - {measure.since} END AS secs FROM cases WHERE ({measure.event}) OR ({measure.waiting})"
                )
                rows = scope.engine.query(fill_sql(sql, scope)).to_pylist()
                from_cases[one] = {row["case_id"]: (bool(row["ended"]), row["secs"]) for row in rows}
        return from_log, from_cases, scope.as_of["made"]

"""Arbitrary dates on a real record: how often is a change claimed where nobody made one?

    python -m bench.calibration.real FILE

Imports the file (Boston's service requests) and puts 50 random dates to each measure, weekly and daily: what the
engine says with the season of the year priced in (the record covers one year), without it, and what is left after
the checks. Every date is a made-up change; real ones may have happened, so that the figures are upper bounds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from wellserved.actions import imports, open_cases
from wellserved.measure import find_measure
from wellserved.moments import Granularity
from wellserved.prove import AnalysisWindow, ProofRequest, assess_change, prove
from wellserved.storage.workspace import Workspace, create_workspace

TARGET = Path(__file__).resolve().parent.parent.parent / "docs" / "methods" / "real.json"
MEASURES = ("time_to_resolution", "promise_kept", "asked")
FIRST, LAST, DATES = date(2015, 4, 1), date(2015, 10, 1), 50
SERVICE = "Request for Pothole Repair"


def dates() -> list[date]:
    """The same 50 days each time."""
    random = np.random.default_rng(2015)
    return sorted(FIRST + timedelta(days=int(day)) for day in random.choice((LAST - FIRST).days, DATES, replace=False))


def row(workspace: Workspace, name: str, every: Granularity) -> dict[str, float]:
    """Claims out of 50, three ways."""
    measure = find_measure(name)
    found = {"bare": 0, "season priced in": 0, "after the checks": 0, "could be looked at": 0}
    with open_cases.open_case_table(workspace, with_moments=True) as scope:
        looking = AnalysisWindow(scope, "moments", open_cases.opening_hours(workspace), FIRST, every)
        for on in dates():
            there = replace(looking, change=on)
            asked = ProofRequest(measure, on, every, better="lower", age_days=14)
            proof = prove(there, asked)
            observed, before = proof.series.model_input, proof.series.before
            if proof.verdict.effect is None:
                continue
            found["could be looked at"] += 1
            found["bare"] += assess_change(observed, before, every, "lower", price_season=False).claims
            found["season priced in"] += proof.verdict.plain in ("improved", "worse")
            found["after the checks"] += proof.verdict.claims
    return {key: float(value) for key, value in found.items()}


def main() -> None:
    """Import, ask, and write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = create_workspace(Path(folder), "America/New_York")
        imports.import_file(workspace, Path(sys.argv[1]))
        for name in MEASURES:
            for every in ("week", "day"):
                rows.append({"measure": name, "every": every, "dates": DATES, **row(workspace, name, every)})
                print(json.dumps(rows[-1]), flush=True)
    TARGET.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""From the runs to the tables of the method's page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bench.calibration.one import COLUMNS
from bench.calibration.scenarios import SCENARIOS

TARGET = Path(__file__).resolve().parent.parent.parent / "docs" / "methods" / "calibration.json"


def row(found: dict[int, list[float]]) -> dict[str, float]:
    """Shares and medians over the runs of one scenario."""
    numbers = {name: np.array([line[place] for line in found.values()]) for place, name in enumerate(COLUMNS)}
    shares = (
        "false",
        "claims",
        "right way",
        "covers",
        "priced false",
        "priced covers",
        "priced claims",
        "oracle claims",
    )
    ratio = numbers["width"] / numbers["oracle width"]
    return {
        "runs": len(found),
        **{name: round(float(numbers[name].mean()), 4) for name in shares},
        **{
            name: round(float(np.median(numbers[name])), 4)
            for name in ("point", "width", "priced width", "oracle width")
        },
        "ratio": round(float(np.median(ratio)), 3),
        "seconds": round(float(numbers["seconds"].mean()), 4),
    }


def write(found: dict[str, dict[int, list[float]]], runs: int) -> None:
    """Put the scenarios' rows into the file, beside those of other calls."""
    known = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    for name, lines in found.items():
        if lines:
            known[name] = row({seed: line for seed, line in lines.items() if seed < runs})
    order = [*(one.name for one in SCENARIOS), "random"]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    known = {name: known[name] for name in [*order, *sorted(set(known) - set(order))] if name in known}
    TARGET.write_text(json.dumps(known, indent=1, allow_nan=True).replace("NaN", "null") + "\n")
    for name, one in known.items():
        print(f"{name:7}", json.dumps(one))

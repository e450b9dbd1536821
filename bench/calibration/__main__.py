"""Reproduce the calibration tables: seeded, resumable, with progress.

    make calibrate                          1,500 runs of each scenario, 1,500 random designs, and the other packages
    make calibrate ARGS="--runs 100"        fewer
    make calibrate ARGS="--only A B --runs 5000"

Every run has a seed of its own, so that what was done already is kept in bench/results/calibration and never done
twice. The tables go to docs/methods/calibration.json, from which docs/generate.py writes the page.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.calibration import tables
from bench.calibration.one import run
from bench.calibration.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / "bench" / "results" / "calibration"
CHUNK = 25


def kept(name: str) -> dict[int, list[float]]:
    """What was done already: seed -> numbers."""
    file = KEPT / f"{name}.jsonl"
    if not file.exists():
        return {}
    lines = (json.loads(line) for line in file.read_text().splitlines())
    return {int(line[0]): line[1:] for line in lines}


def wanted(names: list[str], runs: int) -> Iterator[tuple[str, list[int]]]:
    """What is left to do, in pieces."""
    for name in names:
        left = sorted(set(range(runs)) - set(kept(name)))
        for start in range(0, len(left), CHUNK):
            yield name, left[start : start + CHUNK]


def main() -> None:
    """Run what is left, then write the tables."""
    told = argparse.ArgumentParser(
        prog="make calibrate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    told.add_argument("--runs", type=int, default=1_500)
    told.add_argument("--only", nargs="*", default=[*(one.name for one in SCENARIOS), "random"])
    asked = told.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    todo = list(wanted(asked.only, asked.runs))
    start = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for done, (name, rows) in enumerate(pool.imap_unordered(run, todo), 1):
            with (KEPT / f"{name}.jsonl").open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            spent = time.monotonic() - start
            print(
                f"\r{done}/{len(todo)} {name:8} {spent:5.0f} s, {spent / done * (len(todo) - done):5.0f} s to go",
                end="",
                file=sys.stderr,
            )
    print(file=sys.stderr)
    tables.write({name: kept(name) for name in asked.only}, asked.runs)


if __name__ == "__main__":
    main()

"""How often the whole procedure says what, over planted tricks, an honest change and none: seeded, resumable.

    python -m bench.calibration.procedure --seeds 20               every trick as recorded in full
    python -m bench.calibration.procedure --seeds 20 --left-out own  without the column that gives each away
    python -m bench.calibration.procedure --seeds 5 --left-out each  with each column left out in turn

What was done stays in bench/results/calibration/tricks.jsonl and is never done twice; the table goes to
docs/methods/tricks.json, from which docs/generate.py writes the page.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

from bench.calibration.tricks import HOUSES, LEFT_OUT, TRICKS, Trick, ask, build, moments, reasons

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / "bench" / "results" / "calibration" / "tricks.jsonl"
TABLE = ROOT / "docs" / "methods" / "tricks.json"
Row = dict[str, object]


def run(trick: Trick, seed: int, left_out: tuple[str, ...]) -> list[Row]:
    """One house, asked once in full or once for each column left out."""
    log, rows = moments(build(trick, seed)), []
    for column in left_out:
        proof = ask(log, trick.measure, column, trick.weeks)
        rows.append({
            "trick": trick.name, "seed": seed, "left_out": column, "headline": proof.headline,
            "plain": proof.verdict.plain, "reasons": reasons(proof),
        })  # fmt: skip
    return rows


def read_rows() -> list[Row]:
    """What was run already."""
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []


def table(rows: list[Row]) -> dict[str, list[Row]]:
    """Shares of headlines by trick, in full and with a column left out."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        left_out = str(row["left_out"])
        groups[str(row["trick"]), left_out].append(row)
    lines: dict[str, list[Row]] = {"full": [], "left_out": []}
    for trick in (*HOUSES, *TRICKS):
        for column in ("", *LEFT_OUT):
            if many := groups.get((trick.name, column)):
                lines["left_out" if column else "full"].append(_summed(trick, column, many))
    return lines


def _summed(trick: Trick, column: str, many: list[Row]) -> Row:
    """One line of the table."""
    said = [str(row["headline"]) for row in many]
    kinds = ("improved", "improved_harm_not_excluded", "harm_shown")
    moved = [row for row in many if row["plain"] == "improved"]
    right = sum(bool(set(trick.expected) & set(row["reasons"])) for row in moved)  # type: ignore[call-overload]
    return {
        "trick": trick.name, "does": trick.does, "expected": ", ".join(trick.expected), "left out": column, "runs": len(many),
        **{kind: said.count(kind) / len(said) for kind in kinds},
        "no claim": sum(kind not in kinds for kind in said) / len(said),
        "looked improved": len(moved) / len(many),
        "right reason": right / len(moved) if trick.expected and moved else None,
    }  # fmt: skip


def main() -> None:
    """Run what is left, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--left-out", choices=("none", "own", "each"), default="none")
    parser.add_argument("--only", nargs="*", default=[one.name for one in (*HOUSES, *TRICKS)])
    options = parser.parse_args()
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    known = {(row["trick"], row["seed"], row["left_out"]) for row in read_rows()}
    every = {"none": ("",), "own": (), "each": tuple(LEFT_OUT)}[options.left_out]
    start = time.process_time()
    for seed in range(options.first, options.first + options.seeds):
        for trick in (one for one in (*HOUSES, *TRICKS) if one.name in options.only):
            columns = every or ((trick.column,) if trick.column else ())
            left = tuple(column for column in columns if (trick.name, seed, column) not in known)
            rows = run(trick, seed, left) if left else []
            with KEPT.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        print(f"\rseed {seed}, {time.process_time() - start:.0f} CPU s", end="", file=sys.stderr)
    print(file=sys.stderr)
    TABLE.write_text(json.dumps(table(read_rows()), indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Cost against history and against change: a made workspace of 1, 3 and 10 million cases, each in a process of its own."""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench import asking, folding, pace
from wellserved import cases
from wellserved.actions import synthetic
from wellserved.actions.open_cases import open_case_table
from wellserved.engine import duckdb as engine
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.progress import no_progress
from wellserved.record import moment_columns_sql, with_identity
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

CHANGES = 20_000
TURNS = 3
PANDAS = 3_000_000  # cases of which pandas can hold the moments in these machines' memory


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and clock seconds of one call."""
    cpu, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - clock


def made(folder: str, count: str) -> dict[str, float]:
    """Make the moments, without folding them."""
    workspace = create_workspace(Path(folder), "UTC")
    real, cases.refresh = cases.refresh, lambda *_: 0
    cpu, clock = seconds(lambda: synthetic.make_cases(workspace, int(count), 1))
    cases.refresh = real
    return {"cpu": cpu, "clock": clock, "peak": _peak()}


def folded(folder: str) -> dict[str, float]:
    """Fold all cases."""
    cpu, clock = seconds(lambda: _refreshed(create_workspace(Path(folder), "UTC")))
    return {"cpu": cpu, "clock": clock, "peak": _peak()}


def changed(folder: str, count: str) -> dict[str, float]:
    """So many customers of the last three months write again."""
    _change(create_workspace(Path(folder), "UTC"), int(count))
    return {}


def refreshed(folder: str) -> dict[str, float]:
    """Only their cases are folded, only their months written."""
    cpu, clock = seconds(lambda: _refreshed(create_workspace(Path(folder), "UTC")))
    return {"cpu": cpu, "clock": clock, "peak": _peak()}


def by_hand(how: str, folder: str) -> dict[str, float]:
    """The fold, or the refresh, as one would write it for this alone."""
    with tempfile.TemporaryDirectory(dir=Path(folder).parent) as target:
        cpu, clock = seconds(lambda: getattr(folding, how)(folder, f"{target}/cases"))
    return {"cpu": cpu, "clock": clock, "peak": _peak()}


def asked(folder: str) -> dict[str, float]:
    """A rate, and median and 90th percentile of a wait, by month and team, ours and by hand in turn: once warm, then timed.

    By hand the files are read as they are; ours leaves out the rows that the refreshes struck out.
    """
    workspace = create_workspace(Path(folder), "UTC")
    found: dict[str, float] = {}
    with open_case_table(workspace) as scope:
        for called, names in (("rate", asking.RATE), ("waits", asking.WAITS)):
            question = MeasureQuestion(tuple(map(find_measure, names)), by="team", granularity="month")
            works: dict[str, Callable[[], object]] = {"ours": partial(answer_question, scope, question)}
            works |= {name: hand(log.snapshot(workspace.cases).files)[called] for name, hand in asking.HANDS.items()}
            taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
            for _ in range(TURNS + 1):
                for name, work in works.items():
                    taken[name].append(seconds(work))
            for name, times in taken.items():
                cpu, clock = (sorted(each)[TURNS // 2] for each in zip(*times[1:], strict=True))
                found |= {f"{called} {name}": cpu, f"{called} {name} clock": clock}
    return {**found, "peak": _peak()}


def _refreshed(workspace: Workspace) -> None:
    with workspace.write_lock() as scratch:
        cases.refresh(workspace, scratch, no_progress)


def _change(workspace: Workspace, count: int) -> None:
    """Append the changes to the log."""
    snapshot = log.snapshot(workspace.cases)
    with workspace.write_lock() as scratch:
        db = engine.connect(workspace.log, workspace.cases, scratch=scratch)
        engine.create_view(db, "cases", snapshot.files, cases.CASE_TYPES, snapshot.deleted_row_table())
        columns = {
            "at": "to_timestamp(asked_s + 60)",
            "at_is": "'time'",
            "kind": "'chased'",
            "case_id": "case_id",
            "customer_id": "customer_id",
            "source_ref": f"case_id || '#{count}'",
            "source_row": "1",
            "content": "1",
        }
        recent = f"SELECT * FROM cases WHERE asked_month >= 202410 ORDER BY hash(case_id) LIMIT {count}"
        sql = with_identity(
            f"SELECT {moment_columns_sql(columns)} FROM ({recent})", "synth", datetime(2025, 1, 1, tzinfo=UTC), "again"
        )
        db.execute(f"CREATE TEMP TABLE batch AS {sql}")
        log.append(db, workspace, "batch", True, "again")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _child(name: str, *arguments: str) -> dict[str, float]:
    """One part in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.scale", name, *arguments], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(sizes: tuple[int, ...]) -> list[dict[str, float]]:
    """Print the costs of each size, ours and by hand, as tables, and return them."""
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
            rows.append({"cases": size, **_costs(f"{folder}/home", size)})
        print(
            f"\n{size:,} cases: CPU seconds (clock), two cores; a loop of 100,000 additions took {statistics.median(pace() for _ in range(9)):.1f} ms"
        )
        print(
            f"Moments made in {rows[-1]['made']:.0f} CPU s. Peak MB: fold {rows[-1]['peak']:.0f}, by hand {rows[-1]['duckdb peak']:.0f} (DuckDB), {rows[-1]['polars peak']:.0f} (polars)\n"
        )
        print("| what | ours | DuckDB by hand | polars | pandas | ours / DuckDB |\n|---|---|---|---|---|---|")
        for key, words in LINES.items():
            cells = [_cell(rows[-1], key, name) for name in ("ours", "duckdb", "polars", "pandas")]
            ratio = f"{rows[-1][f'{key} ours'] / rows[-1][f'{key} duckdb']:.2f}" if cells[1] else ""
            print(f"| {words} | {' | '.join(cells)} | {ratio} |", flush=True)
    return rows


def _costs(home: str, size: int) -> dict[str, float]:
    """What everything costs, one after the other."""
    made, fold = _child("made", home, str(size)), _child("folded", home)
    found = {"made": made["cpu"], "peak": fold["peak"]}
    steps = {"fold ours": fold}
    hands = ("duckdb", "polars", *(["pandas"] if size <= PANDAS else []))
    steps |= {f"fold {name}": _child("by_hand", f"by_{name}", home) for name in hands}
    found |= {f"{name} peak": steps[f"fold {name}"]["peak"] for name in hands}
    _child("changed", home, str(CHANGES))
    steps |= {f"refresh {name}": _child("by_hand", f"again_{name}", home) for name in ("duckdb", "polars")}
    steps["refresh ours"] = _child("refreshed", home)
    _child("changed", home, "1")
    steps["one ours"] = _child("refreshed", home)
    for name, step in steps.items():
        found |= {name: step["cpu"], f"{name} clock": step["clock"]}
    return {**_child("asked", home), **found}


def _cell(row: dict[str, float], key: str, name: str) -> str:
    cpu = row.get(f"{key} {name}")
    return "" if cpu is None else f"{cpu:.2f} ({row[f'{key} {name} clock']:.2f})"


LINES = {
    "fold": "whole fold",
    "refresh": "refresh after 20,000 changes",
    "one": "refresh after one change",
    "waits": "median and p90",
    "rate": "a rate",
}


def draw(rows: list[dict[str, float]], target: Path = Path("docs/cost.svg")) -> None:
    """Draw CPU seconds against cases, both on logarithmic scales; a straight line upwards is proportional growth."""
    left, right, top, bottom = 60, 500, 24, 300
    low, high = (math.log10(rows[place]["cases"]) for place in (0, -1))

    def x(cases: float) -> float:
        return left + (math.log10(cases) - low) / ((high - low) or 1) * (right - left)

    def y(seconds: float) -> float:
        return bottom - (math.log10(seconds) + 2) / 5 * (bottom - top)  # from a hundredth of a second to a thousand

    words = 'font-family="sans-serif" font-size="12" fill="#444"'
    parts = [f'<text x="{left}" y="14" {words}>CPU seconds</text>']
    for power in range(-2, 4):
        at = y(10**power)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end" {words}>{10**power:g}</text>')
    for row in rows:
        parts.append(
            f'<text x="{x(row["cases"]):.1f}" y="{bottom + 18}" text-anchor="middle" {words}>{row["cases"] / 1e6:g} million</text>'
        )
    label = 0.0
    for key, called in sorted(LINES.items(), key=lambda one: -rows[-1][f"{one[0]} ours"]):  # from the top downwards
        points = " ".join(f"{x(row['cases']):.1f},{y(row[f'{key} ours']):.1f}" for row in rows)
        parts.append(f'<polyline points="{points}" fill="none" stroke="#1a5fb4" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x(row["cases"]):.1f}" cy="{y(row[f"{key} ours"]):.1f}" r="3.5" fill="#1a5fb4"/>'
            for row in rows
        ]
        label = max(y(rows[-1][f"{key} ours"]) + 4, label + 14)  # beside its line, and on no other label
        parts.append(f'<text x="{right + 8}" y="{label:.1f}" {words}>{called}</text>')
    title = "CPU seconds against the number of cases"
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 330" width="700" height="330" role="img" aria-label="{title}">'
    target.write_text(
        f'{head}\n<title>{title}</title>\n<rect width="700" height="330" fill="#fff"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))

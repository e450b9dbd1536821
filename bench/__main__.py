"""Speed and memory, each as a ratio to a peer in the same run; nothing here gates a build.

    make bench                     everything, at 1 and 10 million cases (about half an hour)
    python dev.py bench import     the import against the bare parser
    python dev.py bench measures   measures against DuckDB SQL by hand, polars and pandas
    python dev.py bench report     a report over 10 million cases: seconds and peak memory
    python dev.py bench hours      business seconds against other packages
    python dev.py bench prove      a verdict, and ten thousand of them
    python dev.py bench pages      CPU time of each page and API request, with 100,000 journal moments
    python dev.py bench scale      fold, refresh and questions at 1, 3 and 10 million made cases; draws docs/cost.svg

BENCH_CASES=1000000 asks fewer cases. CPU seconds of the process, median of the runs said.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import hours, pages, peers, proving, scale, synthetic
from wellserved.actions.imports import import_file
from wellserved.calendar import Clock, parse_calendars
from wellserved.engine import duckdb as engine
from wellserved.engine.duckdb import DuckDB
from wellserved.mapping import recognise_preset
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable, make_case_table
from wellserved.report.assembly import make_report
from wellserved.sources.csv_file import open_delimited
from wellserved.storage.workspace import create_workspace

ROOT = Path(__file__).resolve().parent.parent
WHOLE = ROOT.parent / "shared" / "data" / "boston311_2015.csv.gz"
SLICE = ROOT / "src" / "wellserved" / "samples" / "boston311_slice.csv.gz"
COPIES = 10


def cpu(work: Callable[[], object], runs: int = 3) -> float:
    """Median CPU seconds of some runs, after one that does not count."""
    work()
    taken = []
    for _ in range(runs):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def peak_mb() -> int:
    """Largest memory that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():  # elsewhere a child may inherit its parent's peak
        return (
            next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) // 1024
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def child(part: str, *arguments: str) -> dict[str, float]:
    """Run one part in a process of its own, so that its peak memory is its own."""
    code = (
        f"import json; from bench.__main__ import {part}; print(json.dumps({part}({', '.join(map(repr, arguments))})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def many_rows(folder: Path) -> Path:
    """A large export: the Boston file ten times, each copy with numbers of its own."""
    lines = gzip.decompress((WHOLE if WHOLE.exists() else SLICE).read_bytes()).decode().splitlines(keepends=True)
    target = folder / "large.csv"
    with target.open("w", encoding="utf-8") as file:
        file.write(lines[0])
        for copy in range(COPIES):
            file.writelines(f"{copy}{line}" for line in lines[1:])
    return target


def bare_parser(path: str) -> dict[str, float]:
    """The parser that the import uses, by itself: every column as text, nothing checked or kept."""
    source = Path(path)
    db = engine.connect(source.parent)
    header = source.open(encoding="utf-8").readline().strip().split(",")
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in header)
    everything = ", ".join(f"max({engine.quote_name(name)})" for name in header)
    scan = (
        f"read_csv('{path}', auto_detect=false, header=true, delim=',', quote='\"', escape='\"', columns={{{types}}})"
    )
    return {"cpu": cpu(lambda: db.sql(f"SELECT {everything} FROM {scan}").fetchall()), "peak": peak_mb()}


def kept_parser(path: str) -> dict[str, float]:
    """The same parser, its rows kept in a table, as any import must."""
    source = Path(path)
    db = engine.connect(source.parent)
    header = source.open(encoding="utf-8").readline().strip().split(",")
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in header)
    scan = (
        f"read_csv('{path}', auto_detect=false, header=true, delim=',', quote='\"', escape='\"', columns={{{types}}})"
    )
    return {"cpu": cpu(lambda: db.execute(f"CREATE OR REPLACE TEMP TABLE t AS FROM {scan}")), "peak": peak_mb()}


def checked_read(path: str) -> dict[str, float]:
    """Detection, parse, refusals, reconciliation: what the import does before it looks at a cell."""
    source = Path(path)

    def work() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            looked = open_delimited(source, Path(scratch), _silent)
            db = engine.connect(source.parent, scratch=Path(scratch))
            mapping = recognise_preset(looked.header)
            used = [column for column in looked.header if mapping and column in mapping.used_columns()]
            looked.stage(db, used, _silent)

    return {"cpu": cpu(work), "peak": peak_mb()}


def whole_import(path: str) -> dict[str, float]:
    """The whole import: moments, identities, the log's commit, and the fold into cases."""
    with tempfile.TemporaryDirectory() as home:
        workspace = create_workspace(Path(home), "America/New_York")
        start, began = time.process_time(), time.perf_counter()
        done = import_file(workspace, Path(path))
        first = time.process_time() - start
        wall = time.perf_counter() - began
        start = time.process_time()
        import_file(workspace, Path(path))
        again = time.process_time() - start
    return {"cpu": first, "wall": wall, "again": again, "rows": done.receipt.rows_read, "moments": done.receipt.moments, "peak": peak_mb()}  # fmt: skip


def _silent(what: str, done: int, total: int) -> None:
    pass


def bench_import() -> None:
    """Print the import beside the bare parser."""
    with tempfile.TemporaryDirectory() as folder:
        path = many_rows(Path(folder))
        size = path.stat().st_size / 1e6
        parts = {
            name: child(name, str(path)) for name in ("bare_parser", "kept_parser", "checked_read", "whole_import")
        }
    rows = parts["whole_import"]["rows"]
    bare = parts["bare_parser"]["cpu"]
    print(f"\nImport of {rows:,.0f} rows, {size:.0f} MB (CPU seconds)\n")
    print("| what | CPU s | rows/s | MB/s | bare parser = 1 | peak MB |\n|---|---|---|---|---|---|")
    names = {
        "bare_parser": "bare parser, rows thrown away",
        "kept_parser": "bare parser, rows kept in a table",
        "checked_read": "read, refused, reconciled (the mapping's columns kept)",
        "whole_import": "whole import, to folded cases",
    }
    for name, words in names.items():
        one = parts[name]
        print(f"| {words} | {one['cpu']:.2f} | {rows / one['cpu']:,.0f} | {size / one['cpu']:.0f} | {one['cpu'] / bare:.1f} | {one['peak']:.0f} |")  # fmt: skip
    print(f"\nThe same file again, nothing new: {parts['whole_import']['again']:.2f} CPU s.")


def opened(folder: Path) -> CaseTable:
    """The synthetic cases, as a report sees them."""
    db = engine.connect(folder)
    files = sorted(str(file) for file in (folder / "cases").rglob("*.parquet"))
    engine.create_view(db, "cases", files, {})
    return make_case_table(engine.DuckDB(db), "cases", "UTC", 0)


def bench_measures(cases: int) -> None:
    """Print measures by month and by team beside the same question by hand."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        synthetic.write(folder, cases)
        scope = opened(folder)
        print(f"\nMeasures by month and team over {cases:,} cases (CPU seconds; ours = with n and 95% intervals)\n")
        print(
            "| measure | ours | DuckDB SQL by hand | ratio | polars | pandas | pandas / ours |\n|---|---|---|---|---|---|---|"
        )
        for measure, peer in peers.PEERS.items():
            one_measure(scope, measure, peer, folder / "export.parquet")
        for measure, end, p in (
            ("time_to_resolution", "resolution_secs", 0.5),
            ("time_to_resolution_p90", "resolution_secs", 0.9),
        ):
            ours, by_hand = asked(scope, measure), peers.kaplan_meier(end, p)
            row, _ = paired(
                f"{measure}, by hand as Kaplan-Meier with interval",
                ours,
                partial(fetched, scope, by_hand),
            )
            print(f"{row} | | |", flush=True)


def asked(scope: CaseTable, *measures: str) -> Callable[[], object]:
    """Our answer to some measures by month and team."""
    question = MeasureQuestion(tuple(map(find_measure, measures)), by="team", granularity="month")
    return lambda: answer_question(scope, question)


def fetched(scope: CaseTable, sql: str) -> list[tuple[Any, ...]]:
    """The answer to SQL by hand, on the connection that ours is asked on."""
    assert isinstance(scope.engine, DuckDB)
    return scope.engine.db.sql(sql).fetchall()


def paired(words: str, ours: Callable[[], object], peer: Callable[[], object]) -> tuple[str, float]:
    """Time ours and the SQL by hand in turn, so that a busy machine slows both: the line so far, and our seconds."""
    ours(), peer()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(3):
        for taken, work in zip(times, (ours, peer), strict=True):
            start = time.process_time()
            work()
            taken.append(time.process_time() - start)
    mine, other = map(statistics.median, times)
    row = f"| {words} | {mine:.3f} | {other:.3f} | {mine / other:.2f} |"
    return row, mine


def one_measure(scope: CaseTable, measure: str, peer: peers.Peer, export: Path) -> None:
    """Print one measure beside the same question by hand, polars and pandas."""
    row, mine = paired(measure, asked(scope, measure), partial(fetched, scope, peer.sql))
    stock = peer.how in ("stock", "age")
    by_polars, by_pandas = (peers.stock_polars, peers.stock_pandas) if stock else (peers.polars, peers.pandas)
    polars, pandas = (cpu(partial(work, peer, export), 1) for work in (by_polars, by_pandas))
    print(f"{row} {polars:.2f} | {pandas:.2f} | {pandas / mine:.1f} |", flush=True)


def one_report(folder: str) -> dict[str, float]:
    """A whole report over the synthetic cases."""
    start, began = time.process_time(), time.perf_counter()
    make_report(opened(Path(folder)), "made", [], "bench")
    return {"cpu": time.process_time() - start, "wall": time.perf_counter() - began, "peak": peak_mb()}


def bench_report(cases: int) -> None:
    """Print what a report costs."""
    with tempfile.TemporaryDirectory() as name:
        synthetic.write(Path(name), cases)
        found = child("one_report", name)
    print(
        f"\nReport over {cases:,} cases: {found['cpu']:.0f} CPU s, {found['wall']:.0f} s, peak {found['peak']:.0f} MB."
    )


def bench_hours(pairs: int = 1_000_000) -> None:
    """Print business seconds between random stamps beside what else there is, and how often each agrees."""
    draw = np.random.default_rng(20261122)
    first = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    starts = first + draw.integers(0, 700 * 86_400, pairs)
    ends = starts + draw.integers(0, 20 * 86_400, pairs)
    calendar = parse_calendars(hours.OFFICE, "Europe/Berlin").calendars[0]
    clock = Clock(calendar, date(2023, 12, 1), date(2026, 2, 1))
    ours = clock.open_seconds_at(ends) - clock.open_seconds_at(starts)
    taken = cpu(lambda: clock.open_seconds_at(ends) - clock.open_seconds_at(starts), 5) / pairs
    print(f"\nBusiness seconds, office hours of Berlin with holidays, {pairs:,} pairs of stamps\n")
    print("| what | CPU µs a pair | ours = 1 | pairs | differ from ours |\n|---|---|---|---|---|")
    print(f"| ours, the hours of two years worked out before | {taken * 1e6:.3f} | 1 | {pairs:,} | |")
    made = cpu(lambda: Clock(calendar, date(2023, 12, 1), date(2026, 2, 1)), 3)
    print(f"| ours, working them out (once, ms) | {made * 1e3:.0f} ms | | | |")
    for name, (peer, count) in hours.PEERS.items():
        some = slice(0, count)
        start = time.process_time()
        found = peer(starts[some], ends[some])
        each = (time.process_time() - start) / count
        wrong = int(np.count_nonzero(np.abs(found - ours[some]) > 0.5))
        print(f"| {name} | {each * 1e6:,.2f} | {each / taken:,.0f} | {count:,} | {wrong:,} |", flush=True)


def bench_prove(many: int = 10_000) -> None:
    """Print what verdicts cost."""
    print("\n| what | CPU s |\n|---|---|")
    for words, seconds in proving.rows(cpu, many):
        print(f"| {words} | {seconds:.4g} |", flush=True)


def main() -> None:
    """Run what is named, or everything."""
    wanted = sys.argv[1:] or ["import", "measures", "report", "hours", "prove", "pages", "scale"]
    most = int(os.environ.get("BENCH_CASES", "10000000"))
    if "import" in wanted:
        bench_import()
    if "measures" in wanted:
        for cases in sorted({min(1_000_000, most), most}):
            bench_measures(cases)
    if "report" in wanted:
        bench_report(most)
    if "hours" in wanted:
        bench_hours()
    if "pages" in wanted:
        pages.run(min(most, pages.CASES))
    if "prove" in wanted:
        bench_prove()
    if "scale" in wanted:
        scale.draw(scale.run(tuple(cases for cases in (1_000_000, 3_000_000, 10_000_000) if cases <= most)))


if __name__ == "__main__":
    main()

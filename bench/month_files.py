"""Month files on trial: what a refresh of few cases costs, and questions after it, by how changed cases are kept.

    python -m bench.month_files [HOME]     HOME: a workspace of made cases; without it BENCH_CASES are made

One run over the same cases and changes:

- vectors: today's (`cases._replace_rows`). Changed cases in a small file a month, struck out where they stood before.
- whole N: a month is N files by a hash of the case; those that hold changed cases are written again, whole.
- changes: one file of changed cases a month is written again, beside the month's own, which is read by an anti-join (on the
  case, or on the row where it stood) and written again once a sixteenth of it has changed.

A refresh is to find where the cases stand, to write and to commit; finding their moments and folding them is the same for
all, and stands apart.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench import asking, pace, scale
from bench.month_layouts import Merged, Vectors, Whole, read
from wellserved.calendar import load_calendars
from wellserved.cases import slices
from wellserved.cases.fold import CASE_TYPES, fold_cases
from wellserved.engine import duckdb as engine
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

Seconds = tuple[float, float]  # of CPU, and by the clock
TURNS, REFRESHES, POOL = 3, 20, 20  # repetitions; refreshes in a row; cases that may change for each that does
ENOUGH = 60  # CPU seconds after which nothing is repeated
PATTERNS = {  # changes -> how many, and the share of them in each month, the latest first
    "20,000 changes over all months": (20_000, [1 / 36] * 36),
    "20,000 changes, nine in ten in the latest two months, the others in the six before": (
        20_000,
        [0.45] * 2 + [0.1 / 6] * 6,
    ),
    "200 changes in the latest two months": (200, [0.5] * 2),
}
HEAD = (
    "layout", "refresh", "mean of 20", "dearest of 20", "files written", "MB written", "files", "files after 20",
    "first question", "rate", "median", "first after 20", "rate after 20", "median after 20",
)  # fmt: skip
RATE = (
    "SELECT due_month, team, count(*), sum(CASE WHEN promise_fate = 1 THEN 1 ELSE 0 END) FROM cases "
    "WHERE promise_fate IS NOT NULL AND due_s <= 1735689600 GROUP BY 1, 2"
)
MEDIAN = (
    f"SELECT quantile_disc(coalesce(resolution_secs, {asking.NEVER}), 0.5) FROM cases "
    "WHERE resolution_secs >= 0 OR (resolution_secs IS NULL AND closed = 0)"
)
COMPARED = (
    "source, case_id, CAST(asked_month AS INTEGER), moments, chases, team, asked_s, last_s, due_s, resolution_secs"
)


def draw_changes(files: Sequence[str], count: int, shares: Sequence[float]) -> list[pa.Table]:
    """What refreshes in a row bring in; `files`: of the cases, one a month."""
    rng, pool = np.random.default_rng(1), []
    for share, file in zip(shares, sorted(files, key=log.month_of, reverse=True), strict=False):
        rows = read(file)
        rows = rows.append_column("asked_month", pa.repeat(pa.scalar(log.month_of(file), pa.int32()), len(rows)))
        size = min(round(POOL * count * share), len(rows))
        pool.append(rows.take(pa.array(rng.choice(len(rows), size, replace=False))).select(list(CASE_TYPES)))
    candidates, changes = pa.concat_tables(pool).unify_dictionaries().combine_chunks(), []
    for turn in range(1, REFRESHES + 1):
        rows = candidates.take(pa.array(rng.choice(len(candidates), min(count, len(candidates)), replace=False)))
        place = rows.column_names.index("chases")
        changes.append(rows.set_column(place, "chases", pc.add(rows["chases"], turn)))
    return changes


def fold(workspace: Workspace, rows: pa.Table) -> None:
    """Find the moments of these cases and fold them."""
    keys = pa.table({"source": rows["source"].cast(pa.string()), "case_id": rows["case_id"]})
    files = log.snapshot(workspace.log).files_since(pc.min(rows["asked_month"]).as_py())
    with engine.connect(workspace.log) as db:
        moments = slices.moments_of_cases(db, files, keys)
        assert len(fold_cases(moments, "UTC", load_calendars(workspace.calendars, "UTC"))) == len(rows)


def middle(times: Sequence[Seconds]) -> Seconds:
    """The median."""
    return statistics.median(cpu for cpu, _ in times), statistics.median(clock for _, clock in times)


def ask(layout: Whole, folder: Path, view: str) -> tuple[list[Seconds], str]:
    """A rate as the first question to a version; rate and median on the same connection; and what the version says."""
    db = engine.connect(folder)

    def open_and_ask() -> None:
        layout.name_cases(db, log.snapshot(folder), view)
        db.sql(RATE).fetchall()

    times = [scale.seconds(open_and_ask)]
    for sql in (RATE, MEDIAN):
        times.append(middle([scale.seconds(lambda sql=sql: db.sql(sql).fetchall()) for _ in range(TURNS + 1)][1:]))  # type: ignore[misc]
    rows = f"SELECT hash({COMPARED}) AS h FROM cases"  # whatever their order
    content = db.sql(f"SELECT count(*), bit_xor(h), sum(h), min(h), max(h) FROM ({rows})").fetchall()
    db.close()
    return times, str(content)


def try_layout(layout: Whole, base: Path, changes: Sequence[pa.Table], folder: Path) -> Iterator[tuple[list[str], ...]]:
    """A line of the table for each way of reading a layout, and what it says after one refresh and after all."""
    times: list[Seconds] = []
    while len(times) < TURNS and sum(cpu for cpu, _ in times) < ENOUGH:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder, copy_function=os.link)
        times.append(scale.seconds(partial(layout.refresh, folder, changes[0])))
    once = mean = dearest = middle(times)
    written = [
        file for file in folder.rglob("*.*") if file.is_file() and not (base / file.relative_to(folder)).exists()
    ]
    counts = [
        len(written),
        sum(file.stat().st_size for file in written) // 100_000 / 10,
        len(log.snapshot(folder).files),
    ]
    after_all = after_one = [ask(layout, folder, view) for view in layout.views]
    if type(layout) is not Whole:  # which is as dear every time, and leaves the same files
        times = [once, *(scale.seconds(partial(layout.refresh, folder, rows)) for rows in changes[1:])]
        mean, dearest = (
            (sum(cpu for cpu, _ in times) / REFRESHES, sum(clock for _, clock in times) / REFRESHES),
            max(times),
        )
        after_all = [ask(layout, folder, view) for view in layout.views]
    counts.append(len(log.snapshot(folder).files))
    for view, (one, said), (end, said_in_the_end) in zip(layout.views, after_one, after_all, strict=True):
        cells = [f"{cpu:.2f} ({clock:.2f})" for cpu, clock in (once, mean, dearest, *one, *end)]
        yield [view, *cells[:3], *map(str, counts), *cells[3:]], [said, said_in_the_end]


def run(workspace: Workspace, scratch: Path) -> None:
    """Print a table for each pattern of changes."""
    files, layouts = log.snapshot(workspace.cases).files, [Vectors(), Merged(), *map(Whole, (1, 8, 32, 128))]
    for position, layout in enumerate(layouts):
        layout.build(scratch / str(position), files)
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    print(f"{rows:,} cases, {len(files)} months; CPU seconds (clock); a loop of 100,000 additions took {pace():.1f} ms")
    for pattern, (count, shares) in PATTERNS.items():
        changes = draw_changes(files, count, shares)
        cpu, clock = middle([scale.seconds(partial(fold, workspace, changes[0])) for _ in range(TURNS)])
        print(f"\n{pattern}; to find their moments and fold them: {cpu:.2f} ({clock:.2f})\n\n| {' | '.join(HEAD)} |")
        print("|---" * len(HEAD) + "|", flush=True)
        after_one, after_all = set(), set()
        for position, layout in enumerate(layouts):
            for cells, (said, said_in_the_end) in try_layout(
                layout, scratch / str(position), changes, scratch / "tried"
            ):
                print(f"| {' | '.join(cells)} |", flush=True)
                after_one.add(said)
                after_all |= set() if type(layout) is Whole else {said_in_the_end}
        print(
            "\nAll say the same." if len(after_one) == len(after_all) == 1 else f"\nDIFFERENT: {after_one} {after_all}"
        )
    print(f"\nAt the end the loop took {pace():.1f} ms")


def main() -> None:
    """Make the cases, where they are not there, and run the trial."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        home = Path(sys.argv[1] if len(sys.argv) > 1 else f"{folder}/home").absolute()
        if not home.exists():
            scale.made(str(home), os.environ.get("BENCH_CASES", "10000000"))
            scale.folded(str(home))
        run(create_workspace(home, "UTC"), Path(folder))


if __name__ == "__main__":
    main()

"""Effects that are there: how often the interval holds them and how often they are found, whatever their size and course.

    python -m bench.calibration.effects --runs 400 [--only mean share ...]

Every cell is a measure, a course, a size, a noise and a length; the truth is the mean effect over the time after the
change, on the model's scale. Cells that were drawn already are kept in bench/results/effects and not drawn twice. The
table goes to docs/methods/effects.json, from which docs/generate.py writes the page; what it holds from as many runs or
more is drawn again only when its row is taken out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from wellserved.prove.engine.design import step_design
from wellserved.prove.engine.model import Floats
from wellserved.prove.engine.response import ModelInput, Response, input_from_records, working_response
from wellserved.prove.engine.step import fit_steps

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / "bench" / "results" / "effects"
TARGET = ROOT / "docs" / "methods" / "effects.json"
COURSES = ("step", "linear", "saturating", "second half")
SIZES = (0.0, -0.15, -0.3, -0.5, -0.7, 1.0)
NOISES = ("0", ".4", ".8", "walk")
LENGTHS = ((104, 26), (52, 13), (52, 26), (52, 52), (104, 13), (104, 52))
QUANTILES = {
    f"{name} {sd}": (quantile, sd) for name, quantile in (("median", 0.5), ("p90", 0.9)) for sd in (0.5, 1.0, 1.5)
}
MEASURES = ("mean", "share", "count", *QUANTILES)
WALK = 0.2  # of the noise: how far a random walk goes in a week


@dataclass(frozen=True)
class Cell:
    """One place of the table."""

    measure: str
    course: str
    size: float  # of the mean effect, as a part of the level (of the odds, of a share)
    noise: str
    before: int
    after: int

    @property
    def name(self) -> str:
        """One line of a file."""
        return "|".join(map(str, asdict(self).values()))


def cells(measures: list[str]) -> list[Cell]:
    """Every course, size and noise at every length."""
    grid = [
        Cell(measure, course, size, noise, before, after)
        for measure in measures
        for before, after in LENGTHS
        for course, size, noise in itertools.product(COURSES, SIZES, NOISES)
    ]
    return [cell for cell in grid if cell.size or cell.course == "step"]  # no effect has no course


def course(name: str, before: int, after: int) -> Floats:
    """The effect by week; its mean over the time after is 1."""
    week = np.arange(after)
    forms = {
        "step": np.ones(after),
        "linear": week + 1.0,
        "saturating": 1 - np.exp(-(week + 1) / (after / 5)),
        "second half": (week >= after / 2) * 1.0,
    }
    return np.append(np.zeros(before), forms[name] / forms[name].mean())


def wander(random: np.random.Generator, noise: str, runs: int, weeks: int) -> Floats:
    """Noise of the measure itself, of unit variance but for the random walk (runs, weeks)."""
    shocks = random.standard_normal((runs, weeks))
    if noise == "walk":
        walk: Floats = shocks + np.cumsum(WALK * random.standard_normal((runs, weeks)), axis=1)
        return walk
    phi = float(noise)
    shocks[:, 1:] *= math.sqrt(1 - phi**2)
    series: Floats = lfilter([1.0], [1.0, -phi], shocks, axis=1)
    return series


def drawn(cell: Cell, runs: int) -> tuple[list[ModelInput], float]:
    """Series of one cell, as few or as many together as the engine takes, and the truth on its scale."""
    random = np.random.default_rng([7, zlib.crc32(cell.name.encode())])
    weeks = cell.before + cell.after
    noise, path = wander(random, cell.noise, runs, weeks), course(cell.course, cell.before, cell.after)
    truth = math.log1p(cell.size)
    if cell.measure == "mean":  # a level of 1, weeks that vary by a tenth of it
        return [ModelInput("plain", 1 + 0.1 * noise + cell.size * path, np.ones((runs, weeks)))], cell.size
    if cell.measure == "share":
        asked = random.poisson(60, (runs, weeks)) + 1
        share = 1 / (1 + np.exp(-(math.log(0.3 / 0.7) + 0.25 * noise + truth * path)))
        return [ModelInput("rate", random.binomial(asked, share).astype(float), asked.astype(float))], truth
    if cell.measure == "count":
        rate = np.exp(math.log(40) + 0.15 * noise + truth * path)
        return [ModelInput("count", random.poisson(rate).astype(float), np.ones((runs, weeks)))], truth
    quantile, sd = QUANTILES[cell.measure]
    return [_waits(random, 0.1 * row + truth * path, cell.before, quantile, sd) for row in noise], truth


def _waits(random: np.random.Generator, level: Floats, before: int, quantile: float, sd: float) -> ModelInput:
    """Some sixty waits a week, lognormal."""
    week = np.repeat(np.arange(len(level)), random.poisson(60, len(level)) + 1)
    waits = np.exp(math.log(3) + level[week] + sd * random.standard_normal(len(week)))
    return input_from_records("quantile", week, waits, len(level), before, quantile)


def result(cell: Cell, runs: int) -> dict[str, float]:
    """Shares of the runs in which the interval holds the truth, and in which a change is claimed; the median width."""
    series, truth = drawn(cell, runs)
    weeks = cell.before + cell.after
    design = step_design("week", weeks, [cell.before], np.ones(weeks, dtype=bool), season_priced=True)
    responses = [working_response(observed, design.response_columns()) for observed in series]
    together = Response(
        *(np.concatenate([getattr(one, name) for one in responses]) for name in ("z", "noise", "is_observed"))
    )
    judged = fit_steps(together, design).steps.trend_intervals()
    low, high = judged.envelope
    right = np.sign(truth) == judged.claimed_signs if truth else judged.claimed_signs != 0
    return {
        "runs": runs,
        "covers": round(float(((low <= truth) & (truth <= high)).mean()), 4),
        "found": round(float(right.mean()), 4),
        "wrong way": round(float((judged.claimed_signs == -np.sign(truth)).mean()) if truth else 0.0, 4),
        "width": round(float(np.median(high - low)), 4),
    }


def published(runs: int) -> dict[str, dict[str, float]]:
    """Cells of the table as it is, from as many runs or more, by name."""
    names = [field.name for field in fields(Cell)]
    rows = [row for row in json.loads(TARGET.read_text()) if row["runs"] >= runs]
    return {Cell(*(row.pop(name) for name in names)).name: row for row in rows}


def main() -> None:
    """Draw what is left, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--only", nargs="*", default=list(MEASURES))
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    file = KEPT / f"{options.runs}.jsonl"
    known = published(options.runs)
    known |= dict(json.loads(line) for line in file.read_text().splitlines()) if file.exists() else {}
    left = [cell for cell in cells(options.only) if cell.name not in known]
    start = time.monotonic()
    for number, cell in enumerate(left, 1):
        known[cell.name] = result(cell, options.runs)
        with file.open("a") as lines:
            lines.write(json.dumps([cell.name, known[cell.name]]) + "\n")
        spent = time.monotonic() - start
        print(f"\r{number}/{len(left)} {spent / number * (len(left) - number):6.0f} s to go", end="", file=sys.stderr)
    print(file=sys.stderr)
    rows = [asdict(cell) | known[cell.name] for cell in cells(list(MEASURES)) if cell.name in known]
    TARGET.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()

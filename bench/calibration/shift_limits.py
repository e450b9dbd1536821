"""The limits of the shift test, simulated: python -m bench.calibration.shift_limits

Series without a shift, f uniform on 0 to .95; per length and f picked, the 95% point of the largest |t|.
"""

from __future__ import annotations

import json
import math
import multiprocessing
from collections import defaultdict

import numpy as np

from bench.calibration.scenarios import ar
from wellserved.explore import shift

LENGTHS = (40, 60, 90, 120, 200, 400)
SERIES, CHUNK = 6_000, 500


def chunk(task: tuple[int, int]) -> tuple[int, list[tuple[float, float]]]:
    """f picked and largest |t| of some series of one length."""
    length, seed = task
    random = np.random.default_rng([length, seed])
    found = []
    for _ in range(CHUNK):
        one = shift.likeliest_shift(ar(random, random.uniform(0, 0.95), length))
        found.append((one.phi, one.statistic))
    return length, found


def main() -> None:
    """Print the table that shift.py holds."""
    tasks = [(length, seed) for length in LENGTHS for seed in range(SERIES // CHUNK)]
    kept: dict[int, dict[float, list[float]]] = {length: defaultdict(list) for length in LENGTHS}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for length, found in pool.imap_unordered(chunk, tasks):
            for phi, statistic in found:
                kept[length][phi].append(statistic)
    for length, by_phi in kept.items():
        limits = {
            phi: round(float(np.quantile(values, 0.95)), 2)
            for phi, values in sorted(by_phi.items())
            if len(values) >= 100
        }
        print(length, json.dumps(limits), {phi: len(values) for phi, values in sorted(by_phi.items())}, math.nan)


if __name__ == "__main__":
    main()

"""One run: a series drawn from its seed, with and without the change, and what the engine says of both."""

from __future__ import annotations

import math
import os
import zlib

import numpy as np

from bench.calibration.scenarios import SCENARIOS, Scenario, random_scenario
from wellserved.prove.engine.design import TWO_YEARS, step_design
from wellserved.prove.engine.response import ModelInput, working_response
from wellserved.prove.engine.step import FittedSteps, fit_steps

os.environ.setdefault("OMP_NUM_THREADS", "1")

COLUMNS = ("false", "covers null", "claims", "right way", "covers", "point", "width", "priced false", "priced covers", "priced width", "priced claims", "oracle width", "oracle claims", "seconds")  # fmt: skip


def run(task: tuple[str, list[int]]) -> tuple[str, list[list[float]]]:
    """Some seeds of a scenario: seed and the numbers of COLUMNS."""
    name, seeds = task
    known = {one.name: one for one in SCENARIOS}
    return name, [[seed, *numbers(random_scenario(seed) if name == "random" else known[name], seed)] for seed in seeds]


def fitted(scenario: Scenario, observed: ModelInput) -> FittedSteps:
    """The engine's answer, with the season of the year priced in where it was not seen twice, and without."""
    priced = scenario.before < TWO_YEARS[scenario.every]
    design = step_design(
        scenario.every, scenario.before + scenario.after, [scenario.before], observed.is_observed, priced
    )
    return fit_steps(working_response(observed, design.response_columns()), design)


def numbers(scenario: Scenario, seed: int) -> list[float]:
    """What one run gives."""
    key = [seed, zlib.crc32(scenario.name.encode())]
    start = os.times().user
    null = fitted(scenario, scenario.draw(np.random.default_rng(key), False))
    found = fitted(scenario, scenario.draw(np.random.default_rng(key), True))
    seconds = (os.times().user - start) / 2
    still, plain, priced_still, priced = (
        null.without_season.trend_intervals(),
        found.without_season.trend_intervals(),
        null.steps.trend_intervals(),
        found.steps.trend_intervals(),
    )
    low, high = (float(end[0]) for end in plain.envelope)
    priced_low, priced_high = (float(end[0]) for end in priced.envelope)
    truth = scenario.truth
    oracle_width, oracle_claims = oracle(scenario, truth, key)
    return [
        float(still.claimed_signs[0] != 0),
        float(still.envelope[0][0] <= 0 <= still.envelope[1][0]),
        float(plain.claimed_signs[0] != 0),
        float(plain.claimed_signs[0] == np.sign(truth)),
        float(low <= truth <= high),
        float(found.without_season.effect("continues").mean[0]),
        high - low,
        float(priced_still.claimed_signs[0] != 0),
        float(priced_low <= truth <= priced_high),
        priced_high - priced_low,
        float(priced.claimed_signs[0] != 0),
        oracle_width,
        oracle_claims,
        seconds,
    ]


def oracle(scenario: Scenario, truth: float, key: list[int]) -> tuple[float, float]:
    """Who knows the covariance, and that the trend is straight: width of the interval, and whether it excludes zero."""
    if scenario.covariance is None:
        return math.nan, math.nan
    periods = scenario.before + scenario.after
    design = step_design(scenario.every, periods, [scenario.before], np.ones(periods, bool))
    columns = design.columns[:, design.flat_columns["continues"]]
    y = scenario.draw(np.random.default_rng(key), True).total
    root = np.linalg.cholesky(64 * scenario.covariance(periods))
    white = np.linalg.solve(root, np.column_stack([columns, y]))
    inverse = np.linalg.inv(white[:, :-1].T @ white[:, :-1])
    step = float((inverse @ white[:, :-1].T @ white[:, -1])[1])
    half = 1.959963984540054 * math.sqrt(inverse[1, 1])
    return 2 * half, float(abs(step) > half)

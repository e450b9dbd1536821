"""How often the companions of the step are wrong: looks, controls, guardrails, adoption, rewards, shifts.

    python -m bench.calibration.companions [RUNS]

Writes docs/methods/companions.json; each row says what was drawn, how often, and what was found.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.calibration.scenarios import ar, weekly
from wellserved.explore.shift import detect_shift
from wellserved.prove.engine.model import Floats, Mask
from wellserved.prove.engine.response import ModelInput
from wellserved.prove.incentive import judge_incentive
from wellserved.prove.staggered import estimate_staggered_effect
from wellserved.prove.verdict import LookPlan, assess_change

TARGET = Path(__file__).resolve().parent.parent.parent / "docs" / "methods" / "companions.json"
RUNS = 400


def plain(y: np.ndarray) -> ModelInput:
    """A number a period."""
    return ModelInput("plain", np.asarray(y, dtype=float), np.ones(len(y)))


def looks(phi: float, trend: float, effect: float) -> Callable[[np.random.Generator], list[float]]:
    """26 weekly looks at days: any claim at 5% each time, any by the confidence sequence, truth always covered."""

    def one(random: np.random.Generator) -> list[float]:
        t = np.arange(182 + 182)
        y = ar(random, phi, len(t)) + weekly(t) + trend * t + effect * (t >= 182)
        each, any_time, covered = 0.0, 0.0, 1.0
        for week in range(1, 27):
            part = plain(y[: 182 + 7 * week])
            each = max(each, float(assess_change(part, 182, "day", price_season=False).claims))
            always = assess_change(part, 182, "day", plan=LookPlan("always"), price_season=False)
            any_time = max(any_time, float(always.claims))
            if always.working is not None:
                covered = min(covered, float(always.working.low <= effect <= always.working.high))
        return [each, any_time, covered]

    return one


def controls(random: np.random.Generator) -> list[float]:
    """A random walk shared with four controls of loadings .8 to 1.2: false claims, without and with both trends."""
    shock = np.cumsum(random.normal(0, 0.3, 130))
    treated, *others = (plain(load * shock + random.normal(size=130)) for load in (1.0, 0.8, 0.9, 1.1, 1.2))
    step = np.arange(130) >= 104
    found = []
    for parallel in (True, False):
        still = assess_change(treated, 104, "week", controls=others, parallel_trends=parallel)
        moved = assess_change(plain(treated.total - 2 * step), 104, "week", controls=others, parallel_trends=parallel)
        assert moved.working is not None
        found += [float(still.claims), float(moved.working.low <= -2 <= moved.working.high), float(moved.claims)]
    return found


def guardrails(random: np.random.Generator) -> list[float]:
    """Four correlated measures, none worse: any alarm at 5% each, and when they share it."""
    common = ar(random, 0.3, 273)
    rails = [plain(0.5 * common + ar(random, 0.3, 273) + weekly(np.arange(273))) for _ in range(4)]
    each = max(assess_change(one, 182, "day", price_season=False).status == "worse" for one in rails)
    shared = max(
        assess_change(one, 182, "day", price_season=False, plan=LookPlan(level=1 - 0.05 / 4)).status == "worse"
        for one in rails
    )
    return [float(each), float(shared)]


def adopters(random: np.random.Generator, teams: int) -> tuple[Floats, Floats, Mask]:
    """A third never adopts, the others over 20 of 40 weeks; AR .5: the measure, the effect in each cell, and where it is."""
    adopted = np.zeros((teams, 40), dtype=bool)
    for place in range(teams - teams // 3):
        adopted[place, 12 + int(random.integers(20)) :] = True
    since = np.where(adopted, np.cumsum(adopted, axis=1), 0)
    size = np.where(adopted, 0.3 + 0.02 * since * random.uniform(0.5, 1.5, (teams, 1)), 0.0)
    shared = ar(random, 0.5, 40)[None]
    return (
        random.normal(size=(teams, 1)) + shared + np.array([ar(random, 0.5, 40) for _ in range(teams)]),
        size,
        adopted,
    )


def adoption(teams: int) -> Callable[[np.random.Generator], list[float]]:
    """False claims and coverage, dates dealt anew and teams left out."""

    def one(random: np.random.Generator) -> list[float]:
        y, size, adopted = adopters(random, teams)
        truth = float(size[adopted].mean())
        still, moved = estimate_staggered_effect(y, adopted), estimate_staggered_effect(y + size, adopted)
        return [
            float(still.p <= 0.05), float(moved.effect.low <= truth <= moved.effect.high),
            float(still.jackknife.side != 0), float(moved.jackknife.low <= truth <= moved.jackknife.high),
        ]  # fmt: skip

    return one


def reward(trend: float) -> Callable[[np.random.Generator], list[float]]:
    """Paid for 91 of 364 days, all of the effect lost after: coverage of the three, a false and a true fading."""

    def one(random: np.random.Generator) -> list[float]:
        t = np.arange(364)
        y = ar(random, 0.4, 364) + weekly(t) + trend * t
        paid = (t >= 182) & (t < 273)
        found = judge_incentive(plain(y + 1.5 * paid), 182, 91, "day", "higher")
        kept = judge_incentive(plain(y + 1.5 * (t >= 182)), 182, 91, "day", "higher")
        assert found.paid is not None
        assert found.after is not None
        assert found.difference is not None
        covers = [
            float(one.low <= truth <= one.high)
            for one, truth in ((found.paid, 1.5), (found.after, 0.0), (found.difference, -1.5))
        ]
        return [*covers, float(kept.status == "fading"), float(found.status == "fading")]

    return one


def shifts(phi: float, size: int) -> Callable[[np.random.Generator], list[float]]:
    """A false date in an even series, a shift of 1.5 found, and found within five periods."""

    def one(random: np.random.Generator) -> list[float]:
        y = ar(random, phi, size)
        at = int(size * 0.6)
        found = detect_shift(y + 1.5 * (np.arange(size) >= at))
        near = found.position is not None and abs(found.position - at) <= 5
        return [float(detect_shift(y).position is not None), float(found.position is not None), float(near)]

    return one


DRAWN: dict[str, tuple[tuple[str, ...], tuple[tuple[str, Callable[[np.random.Generator], list[float]]], ...]]] = {
    "looks": (
        ("any claim at 5% each week", "any claim by the sequence", "truth covered at every look"),
        (("days, independent, nothing changed", looks(0, 0, 0)), ("AR .4, nothing changed", looks(0.4, 0, 0)),
         ("AR .8, nothing changed", looks(0.8, 0, 0)), ("AR .4, falling, nothing changed", looks(0.4, -1 / 91, 0)),
         ("AR .4, an effect of one sd", looks(0.4, 0, 1))),
    ),
    "controls": (
        ("false, parallel declared", "covers, parallel", "claims 2 sd, parallel", "false, both trends", "covers, both trends", "claims 2 sd, both trends"),
        (("weeks, a wandering shock shared with four others", controls),),
    ),
    "guardrails": (("any false alarm at 5% each", "any false alarm, 5% shared"), (("four correlated measures of days", guardrails),)),
    "adoption": (
        ("false, dealt", "covers, dealt", "false, left out", "covers, left out"),
        tuple((f"{teams} teams, 40 weeks, AR .5, growing effects", adoption(teams)) for teams in (8, 12, 24)),
    ),
    "rewards": (
        ("covers while paid", "covers after", "covers the difference", "false fading", "true fading found"),
        (("AR .4, weekdays", reward(0)), ("AR .4, weekdays, falling", reward(-1 / 182))),
    ),
    "shifts": (
        ("false date", "1.5 sd found", "within 5 periods"),
        tuple((f"{size} periods, AR {phi:g}", shifts(phi, size)) for size in (60, 120, 250) for phi in (0, 0.3, 0.6, 0.8)),
    ),
}  # fmt: skip


def chunk(task: tuple[str, int, int]) -> tuple[str, int, list[list[float]]]:
    """Some runs of one row."""
    method, place, first = task
    drawn = DRAWN[method][1][place][1]
    return method, place, [drawn(np.random.default_rng([first + run, place, len(method)])) for run in range(25)]


def main() -> None:
    """All rows, on two processes."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    tasks = [
        (method, place, first)
        for method, (_, rows) in DRAWN.items()
        for place in range(len(rows))
        for first in range(0, runs // 2 if method == "looks" else runs, 25)  # 52 verdicts a run
    ]
    found: dict[tuple[str, int], list[list[float]]] = {}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for done, (method, place, rows) in enumerate(pool.imap_unordered(chunk, tasks), 1):
            found.setdefault((method, place), []).extend(rows)
            print(f"\r{done}/{len(tasks)} {method}   ", end="", file=sys.stderr, flush=True)
    told = {
        method: [
            {
                "drawn": words,
                "runs": len(found[method, place]),
                **dict(zip(columns, np.mean(np.array(found[method, place]), axis=0).round(3).tolist(), strict=True)),
            }
            for place, (words, _) in enumerate(rows)
        ]
        for method, (columns, rows) in DRAWN.items()
    }
    TARGET.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()

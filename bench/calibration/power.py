"""Is the printed power what is reached, what do the checks let through, and what do they take back?

    python -m bench.calibration.power [power] [checks] [--designs 200]

Power: designs drawn anew, each with a few records of nothing but noise; each record prints the change that would be
claimed four times in five, and fresh series of the same kind are changed by that much. Checks: acting after the worst
six weeks of a year with nothing done, and true changes of 15, 30 and 50%. Every design has a seed of its own, so that
what was done already is kept in bench/results/calibration; the tables go to docs/methods/power.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from wellserved.measure import find_measure
from wellserved.moments import Granularity, periods_between
from wellserved.prove import checks
from wellserved.prove.checks import CheckInput
from wellserved.prove.engine.design import TWO_YEARS, step_design
from wellserved.prove.engine.model import Floats
from wellserved.prove.engine.response import ModelInput, Response, input_from_records
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.power import claimable_sizes, claimable_sizes_of_record, smallest_size
from wellserved.prove.verdict import assess_change

TARGET = Path(__file__).resolve().parent.parent.parent / "docs" / "methods" / "power.json"
LENGTHS: dict[Granularity, tuple[tuple[int, int], tuple[int, int]]] = {
    "day": ((84, 300), (28, 100)),
    "week": ((30, 130), (8, 40)),
    "month": ((26, 72), (6, 18)),
}
KEPT = Path(__file__).resolve().parent.parent / "results" / "calibration" / "power.jsonl"
RECORDS, FRESH, SINGLE = 3, 200, 16  # records a design; series a record at once, or one after the other
Draw = Callable[[np.random.Generator, float], ModelInput]  # a size on the model's scale


@dataclass(frozen=True)
class Plan:
    """A kind of record."""

    family: str
    every: Granularity
    before: int
    after: int
    phi: float
    own: float

    @property
    def noise(self) -> str:
        """The autocorrelation in words."""
        if self.family != "plain":
            return "AR .4"
        band = "0 to .3" if self.phi < 0.3 else ".3 to .6" if self.phi < 0.6 else ".6 to .9"
        return f"AR {band}{' and noise' if self.own else ''}"


def wander(random: np.random.Generator, phi: float, own: float, runs: int, periods: int) -> Floats:
    """Series of unit variance: an autoregression, and noise of their own."""
    shocks = random.standard_normal((runs, periods + 100)) * np.sqrt(1 - phi**2)
    level = np.asarray(lfilter([1.0], [1.0, -phi], shocks))[:, 100:]
    found: Floats = np.sqrt(1 - own) * level + np.sqrt(own) * random.standard_normal((runs, periods))
    return found


def inputs(observed: ModelInput, before: int, every: Granularity) -> CheckInput:
    """What the checks take, of a series that nobody imported."""
    first, periods = date(2000, 1, 3), observed.total.shape[-1]
    spans = tuple(periods_between(first, first + timedelta(days=32 * periods), every))[:periods]
    seen = PeriodSeries(find_measure("time_to_resolution"), observed, spans, before, None, None, 0)
    return CheckInput(seen, every, "lower", (), False, assess_change(observed, before, every))


def taken_back(of: CheckInput) -> bool:
    """Whether a check that the series itself can fail does so."""
    looked = (checks.bad_stretch, checks.placebo_in_time, checks.record_gaps, checks.trend_before)
    return any(check(of).passed is False for check in looked)


def record(plan: Plan, random: np.random.Generator, size: float = 0.0) -> ModelInput:
    """One series, changed by so much on the model's scale."""
    periods = plan.before + plan.after
    moved = np.where(np.arange(periods) >= plan.before, size, 0.0)
    level = wander(random, plan.phi, plan.own, 1, periods)[0]
    n = random.poisson(40, periods) + 2
    if plan.family == "plain":
        return ModelInput("plain", 50 + level + moved, np.ones(periods))
    if plan.family == "count":
        return ModelInput("count", random.poisson(np.exp(3.4 + 0.15 * level + moved)).astype(float), np.ones(periods))
    if plan.family == "rate":
        p = 1 / (1 + np.exp(1.2 - 0.25 * level - moved))
        return ModelInput("rate", random.binomial(n, p).astype(float), n.astype(float))
    if plan.family == "mean":
        return ModelInput(
            "mean", n * (7 + 0.3 * level + moved) + 2 * np.sqrt(n) * random.standard_normal(periods), n.astype(float)
        )
    logs = 1 + 0.15 * level + moved
    if plan.family == "duration":
        return ModelInput("duration", n * logs + np.sqrt(n) * random.standard_normal(periods), n.astype(float))
    period = np.repeat(np.arange(periods), n)
    values = np.exp(logs[period] + random.standard_normal(len(period)))
    return input_from_records("quantile", period, values, periods, plan.before, 0.5)


def plan_of(seed: int) -> Plan:
    """Three in five are plain series of any autocorrelation, the rest measures of cases."""
    random = np.random.default_rng([seed, 404])
    every: Granularity = ("day", "week", "week", "month")[int(random.integers(4))]
    before, after = (int(random.integers(*span)) for span in LENGTHS[every])
    family = ("plain", "plain", "plain", "", "")[seed % 5] or ("count", "rate", "mean", "duration", "quantile")[
        seed // 5 % 5
    ]
    phi = float(random.uniform(0, 0.9)) if family == "plain" else 0.4
    return Plan(family, every, before, after, phi, float(random.choice([0.0, 0.5])) if family == "plain" else 0.0)


def reached(plan: Plan, seed: int) -> list[float]:
    """Per record: the share of fresh series in which the printed change is claimed; below 0: none is printed."""
    random, shares = np.random.default_rng([seed, 405]), list[float]()
    periods, seen = plan.before + plan.after, np.ones(plan.before + plan.after, bool)
    design = step_design(plan.every, periods, [plan.before], seen, plan.before < TWO_YEARS[plan.every])
    fresh = np.array([])
    if plan.family == "plain":
        z = wander(random, plan.phi, plan.own, FRESH, periods)
        same = np.ones_like(z)
        fresh = claimable_sizes(Response(z, same, same > 0), design, plan.every, plan.before, -1.0)
    for _ in range(RECORDS if plan.family == "plain" else 2):
        size = smallest_size(claimable_sizes_of_record(inputs(record(plan, random), plan.before, plan.every)))
        if size is None:
            shares.append(-1.0)
        elif plan.family == "plain":
            shares.append(float((fresh <= size).mean()))
        else:
            others = [inputs(record(plan, random, -size), plan.before, plan.every) for _ in range(SINGLE // 2)]
            shares.append(float(np.mean([of.verdict.status == "improved" and not taken_back(of) for of in others])))
    return shares


def known() -> dict[int, list[float]]:
    """What was done already: seed -> shares."""
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    return dict(map(json.loads, lines))


def power_rows(designs: int) -> list[dict[str, object]]:
    """By kind of noise or family: what is reached where .8 is printed."""
    done = known()
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    for seed in sorted(set(range(designs)) - set(done)):
        done[seed] = reached(plan_of(seed), seed)
        with KEPT.open("a") as file:
            file.write(json.dumps([seed, done[seed]]) + "\n")
        print(f"\rpower {seed + 1}/{designs}", end="", file=sys.stderr)
    groups: dict[tuple[str, str], list[list[float]]] = {}
    for seed in range(designs):
        plan = plan_of(seed)
        shares = [share for share in done[seed] if share >= 0]
        for key in ((plan.family, plan.noise), ("all", ""), ("every " + plan.every, "")):
            groups.setdefault(key, []).append(shares)
    rows = []
    for (family, noise), many in sorted(groups.items()):
        means = np.array([np.mean(one) for one in many if one])
        each = np.concatenate([one for one in many if one])
        row: dict[str, object] = {"family": family, "noise": noise, "designs": len(many), "printed": 0.8}
        row["reached"] = round(float(means.mean()), 3)
        exact = family not in ("count", "rate", "mean", "duration", "quantile")
        row["within .1"] = round(float((np.abs(means - 0.8) <= 0.1).mean()), 2) if exact and family == "plain" else None
        row["one record, 10% to 90%"] = (
            " to ".join(f"{one:.2f}" for one in np.quantile(each, [0.1, 0.9])) if family == "plain" else None
        )
        rows.append(row)
    return rows


def acted_when_worst(random: np.random.Generator, phi: float, own: float, before: int, after: int, runs: int) -> Floats:
    """Stationary series in which the six weeks before the change are the worst six of the last year."""
    parts: list[Floats] = []
    while sum(map(len, parts)) < runs:
        x = wander(random, phi, own, 10_000, before + after)
        sums = np.pad(np.cumsum(x[:, :before], axis=1), ((0, 0), (1, 0)))
        weeks = (sums[:, 6:] - sums[:, :-6])[:, -47:]
        parts.append(x[weeks.argmax(axis=1) == weeks.shape[1] - 1])
    return np.concatenate(parts)[:runs]


def share_of(many: list[CheckInput]) -> tuple[float, float]:
    """How often an improvement is claimed by the verdict, and by the checks as well."""
    claimed = [of for of in many if of.verdict.status == "improved"]
    return len(claimed) / len(many), sum(not taken_back(of) for of in claimed) / len(many)


def worst_rows(runs: int) -> list[dict[str, object]]:
    """Six bad weeks, and then nothing done."""
    rows: list[dict[str, object]] = []
    for phi, own in ((0.0, 0.0), (0.4, 0.0), (0.8, 0.0), (0.8, 0.5)):
        for before, after in ((52, 13), (52, 26), (104, 26)):
            random = np.random.default_rng([before, after, int(10 * phi), int(10 * own)])
            series = 50 + acted_when_worst(random, phi, own, before, after, runs)
            many = [inputs(ModelInput("plain", z, np.ones(len(z))), before, "week") for z in series]
            verdict, left = share_of(many)
            noise = f"AR {phi:g}{' and noise' if own else ''}"
            rows.append({"noise": noise, "weeks": f"{before} + {after}", "runs": runs, "verdict alone": round(verdict, 3), "after the checks": round(left, 3)})  # fmt: skip
            print(f"\rworst weeks {len(rows)}/12", end="", file=sys.stderr)
    return rows


def true_rows(runs: int) -> list[dict[str, object]]:
    """True changes of a wait: claimed by the verdict, and taken back by a check."""
    rows: list[dict[str, object]] = []
    for part in (0.15, 0.3, 0.5):
        for shape in ("step", "grows over 8 weeks"):
            claims, lost, total = 0.0, 0.0, 0
            for before, after in ((52, 26), (104, 26), (104, 52)):
                random = np.random.default_rng([before, after, int(100 * part)])
                course = np.ones(after) if shape == "step" else np.clip(np.arange(1, after + 1) / 8, 0, 1)
                for phi in (0.0, 0.4, 0.8):
                    many = [_changed(random, phi, before, np.log1p(-part) * course) for _ in range(runs)]
                    verdict, left = share_of(many)
                    total, claims, lost = total + runs, claims + verdict * runs, lost + (verdict - left) * runs
            rows.append({"change": f"{part:.0%} less", "course": shape, "runs": total, "claimed by the verdict": round(claims / total, 3), "of these taken back": round(lost / max(claims, 1), 3)})  # fmt: skip
            print(f"\rtrue changes {len(rows)}/6 ", end="", file=sys.stderr)
    return rows


def _changed(random: np.random.Generator, phi: float, before: int, course: Floats) -> CheckInput:
    """Thirty or so lognormal waits a week, log-sd 1, whose level wanders by .15."""
    moved = np.concatenate([np.zeros(before), course])
    n = random.poisson(30, len(moved)) + 2
    logs = 1 + 0.15 * wander(random, phi, 0.0, 1, len(moved))[0] + moved
    total = n * logs + np.sqrt(n) * random.standard_normal(len(moved))
    return inputs(ModelInput("duration", total, n.astype(float)), before, "week")


def main() -> None:
    """Run what is asked for and put it beside the rest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["power", "worst", "true"])
    parser.add_argument("--designs", type=int, default=200)
    parser.add_argument("--runs", type=int, default=200)
    wanted = parser.parse_args()
    parts: dict[str, Callable[[], list[dict[str, object]]]] = {
        "true": lambda: true_rows(max(wanted.runs // 20, 5)),
        "worst": lambda: worst_rows(wanted.runs),
        "power": lambda: power_rows(wanted.designs),
    }
    for name in [part for part in parts if part in wanted.parts]:
        tables = json.loads(TARGET.read_text()) if TARGET.exists() else {}
        tables[name] = parts[name]()
        TARGET.write_text(json.dumps(tables, indent=1) + "\n")
    print(file=sys.stderr)


if __name__ == "__main__":
    main()

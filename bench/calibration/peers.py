"""The same series put to other packages: false claims, coverage, width, seconds. Run by .venv-peers' Python.

    python -m bench.calibration.peers TARGET RUNS

Each is used as its documents show, with sensible settings: weekday terms where there are weekdays, a trend where the
package has one. What cannot take a scenario says so.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from bench.calibration.companions import adopters
from bench.calibration.scenarios import SCENARIOS, Scenario, ar
from wellserved.prove.engine.model import Floats, Mask

os.environ.setdefault("OMP_NUM_THREADS", "1")
CHOSEN = ("A", "B", "C", "D", "E", "J", "L", "X")
Answer = tuple[float, float]  # 95% interval of the mean effect


def columns(scenario: Scenario, size: int) -> Floats:
    """Level, trend, weekdays or two waves of the year, and the step as the last."""
    t = np.arange(size)
    parts = [np.ones(size), t / size]
    if scenario.every == "day":
        parts += [(t % 7 == day) - 1 / 7 for day in range(6)]
    elif scenario.before >= {"week": 104, "month": 24}[scenario.every]:
        year = {"week": 52.1775, "month": 12.0}[scenario.every]
        parts += [wave(2 * np.pi * k * t / year) for k in (1, 2) for wave in (np.sin, np.cos)]
    return np.column_stack([*parts, (t >= scenario.before) * 1.0])


def welch(scenario: Scenario, y: Floats) -> Answer:
    """Before against after, as two samples: what most dashboards show."""
    found = stats.ttest_ind(y[scenario.before :], y[: scenario.before], equal_var=False).confidence_interval()
    return float(found.low), float(found.high)


def newey_west(scenario: Scenario, y: Floats) -> Answer:
    """Segmented regression with heteroscedasticity- and autocorrelation-consistent errors (statsmodels)."""
    import statsmodels.api as sm

    lags = int(4 * (len(y) / 100) ** (2 / 9))
    fit = sm.OLS(y, columns(scenario, len(y))).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    low, high = fit.conf_int()[-1]
    return float(low), float(high)


def glsar(scenario: Scenario, y: Floats) -> Answer:
    """The same with first-order autoregressive errors, iterated (statsmodels)."""
    import statsmodels.api as sm

    fit = sm.GLSAR(y, columns(scenario, len(y)), rho=1).iterative_fit(maxiter=20)
    low, high = fit.conf_int()[-1]
    return float(low), float(high)


def sarimax(scenario: Scenario, y: Floats) -> Answer:
    """ARIMA(1,0,0) with the same columns by maximum likelihood (statsmodels)."""
    import statsmodels.api as sm

    fit = sm.tsa.SARIMAX(y, exog=columns(scenario, len(y)), order=(1, 0, 0)).fit(disp=0)
    low, high = fit.conf_int()[columns(scenario, len(y)).shape[1] - 1]
    return float(low), float(high)


def local_level(scenario: Scenario, y: Floats) -> Answer:
    """A local level with a deterministic trend and the step as a regressor (statsmodels)."""
    import statsmodels.api as sm

    design = columns(scenario, len(y))[:, 2:]
    fit = sm.tsa.UnobservedComponents(y, level="local level", exog=design).fit(disp=0)
    low, high = fit.conf_int()[-1]
    return float(low), float(high)


def causal_impact(scenario: Scenario, y: Floats) -> Answer:
    """Bayesian structural time series (bsts-causalimpact), its average effect."""
    import pandas as pd
    from causal_impact import CausalImpact

    frame = pd.DataFrame({"y": y})
    before, last = scenario.before, len(y) - 1
    seasons = {"nseasons": 7} if scenario.every == "day" else {}
    found = CausalImpact(frame, [0, before - 1], [before, last], model_args=seasons or None)
    return float(found.summary_stats["ci_lower"]), float(found.summary_stats["ci_upper"])


def causalpy(scenario: Scenario, y: Floats) -> Answer:
    """Interrupted time series by Bayesian linear regression (CausalPy): level, trend and weekdays before the change."""
    import causalpy
    import pandas as pd

    t = np.arange(len(y))
    frame = pd.DataFrame({"y": y, "t": t / len(y), "day": pd.Categorical(t % 7)})
    formula = "y ~ 1 + t + C(day)" if scenario.every == "day" else "y ~ 1 + t"
    drawn = {"progressbar": False, "random_seed": 1, "chains": 2, "cores": 1, "draws": 500, "tune": 500}
    model = causalpy.pymc_models.LinearRegression(sample_kwargs=drawn)
    found = causalpy.InterruptedTimeSeries(frame, scenario.before, formula=formula, model=model)
    low, high = np.quantile(found.post_impact.mean("obs_ind").to_numpy(), (0.025, 0.975))
    return float(low), float(high)


def tensorflow_impact(scenario: Scenario, y: Floats) -> Answer:
    """Bayesian structural time series by variational inference (tfcausalimpact), its average effect."""
    import pandas as pd
    from causalimpact import CausalImpact

    frame = pd.DataFrame({"y": y}, index=pd.date_range("2024-01-01", periods=len(y), freq="D"))
    days, before = frame.index, scenario.before
    seasons = {"nseasons": 7} if scenario.every == "day" else {}
    found = CausalImpact(frame, [days[0], days[before - 1]], [days[before], days[-1]], model_args=seasons)
    effect = found.summary_data["average"]
    return float(effect["abs_effect_lower"]), float(effect["abs_effect_upper"])


def ours(scenario: Scenario, y: Floats) -> Answer:
    """wellserved: the hull of both trends."""
    from bench.calibration.one import fitted
    from wellserved.prove.engine.response import ModelInput

    low, high = fitted(scenario, ModelInput("plain", y, np.ones(len(y)))).without_season.trend_intervals().envelope
    return float(low[0]), float(high[0])


PEERS: dict[str, tuple[Callable[[Scenario, Floats], Answer], float]] = {
    "t-test": (welch, 1.0),
    "OLS + Newey-West": (newey_west, 1.0),
    "GLSAR": (glsar, 0.4),
    "SARIMAX(1,0,0)": (sarimax, 0.1),
    "UCM local level": (local_level, 0.1),
    "bsts-causalimpact": (causal_impact, 0.1),
    "CausalPy": (causalpy, 0.025),
    "tfcausalimpact": (tensorflow_impact, 0.025),
    "wellserved": (ours, 1.0),
}
"""Name -> how it answers, and the part of the runs that it gets: the slow ones get fewer, and the table says how many."""
SLOW = dict.fromkeys(("CausalPy", "tfcausalimpact"), ("B", "C", "D", "E"))
"""Those that take minutes a scenario -> the scenarios that they are given, one fit a run."""


def row(name: str, scenario: Scenario, runs: int) -> dict[str, object]:
    """One package on one scenario."""
    answer, part = PEERS[name]
    many = max(int(runs * part), 10 if name in SLOW else 20)
    false, covers, widths, start = 0, 0, [], time.process_time()
    try:
        for seed in range(many):
            key = [seed, zlib.crc32(scenario.name.encode())]
            low, high = answer(scenario, scenario.draw(np.random.default_rng(key), False).total)
            false += low > 0 or high < 0
            if name not in SLOW:
                low, high = answer(scenario, scenario.draw(np.random.default_rng(key), True).total)
            else:  # a regression: a step moves its interval by as much
                low, high = low + scenario.truth, high + scenario.truth
            covers += low <= scenario.truth <= high
            widths.append(high - low)
    except Exception as error:
        return {"package": name, "scenario": scenario.name, "failed": f"{type(error).__name__}: {str(error)[:80]}"}
    seconds = (time.process_time() - start) / many / (1 if name in SLOW else 2)
    return {
        "package": name, "scenario": scenario.name, "runs": many, "false": round(false / many, 3), "covers": round(covers / many, 3),
        "width": round(float(np.median(widths)), 2), "seconds": round(seconds, 4),
    }  # fmt: skip


def imputed(y: Floats, adopted: Mask, kind: str) -> Answer:
    """diff-diff's overall effect: imputation (BJS) or Callaway and Sant'Anna (CS), as its documents show."""
    import diff_diff
    import pandas as pd

    teams, weeks = y.shape
    first = np.where(adopted.any(axis=1), adopted.argmax(axis=1), 0)
    frame = pd.DataFrame({
        "unit": np.repeat(np.arange(teams), weeks), "time": np.tile(np.arange(weeks), teams),
        "y": y.ravel(), "first": np.repeat(first, weeks),
    })  # fmt: skip
    chosen = diff_diff.ImputationDiD() if kind == "BJS" else diff_diff.CallawaySantAnna()
    found = chosen.fit(frame, outcome="y", unit="unit", time="time", first_treat="first")
    low, high = found.overall_conf_int
    return float(low), float(high)


def adoption_rows(runs: int) -> list[dict[str, object]]:
    """diff-diff on the series of docs/methods/adoption.md."""
    rows: list[dict[str, object]] = []
    for kind in ("BJS", "CS"):
        for teams in (8, 12, 24):
            false, covers, failed, start = 0, 0, 0, time.process_time()
            for seed in range(runs):
                y, size, adopted = adopters(np.random.default_rng([seed, teams]), teams)
                truth = float(size[adopted].mean())
                try:
                    low, high = imputed(y, adopted, kind)
                    false += low > 0 or high < 0
                    low, high = imputed(y + size, adopted, kind)
                    covers += low <= truth <= high
                except Exception:
                    failed += 1
            many = max(runs - failed, 1)
            rows.append({
                "package": f"diff-diff {kind}", "teams": teams, "runs": runs, "failed": failed, "false": round(false / many, 3),
                "covers": round(covers / many, 3), "CPU s": round((time.process_time() - start) / runs / 2, 4),
            })  # fmt: skip
    return rows


def shift_rows(runs: int) -> list[dict[str, object]]:
    """ruptures' PELT on the series of docs/methods/shifts.md: it finds changes, and knows no significance."""
    import ruptures

    rows: list[dict[str, object]] = []
    for model, penalty in (("l2", 2 * math.log(120)), ("rbf", 10.0)):
        for phi in (0, 0.3, 0.6, 0.8):
            false, near = 0, 0
            for seed in range(runs):
                y = ar(np.random.default_rng([seed, int(phi * 10)]), phi, 120)
                moved = y + 1.5 * (np.arange(120) >= 72)
                false += len(ruptures.Pelt(model=model).fit(y).predict(pen=penalty)) > 1
                dates = ruptures.Pelt(model=model).fit(moved).predict(pen=penalty)[:-1]
                near += any(abs(one - 72) <= 5 for one in dates)
            rows.append(
                {
                    "package": f"ruptures PELT {model}",
                    "AR": phi,
                    "runs": runs,
                    "false date": round(false / runs, 3),
                    "a date within 5 periods": round(near / runs, 3),
                }
            )
    return rows


def main() -> None:
    """All packages on the chosen scenarios; what is done is kept as it goes."""
    warnings.simplefilter("ignore")
    target, runs = Path(sys.argv[1]), int(sys.argv[2])
    rows = []
    for name in PEERS:
        for scenario in SCENARIOS:
            if scenario.name in SLOW.get(name, CHOSEN):
                rows.append(row(name, scenario, runs))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
                target.write_text(json.dumps(rows, indent=1) + "\n")
    others = {"adoption": adoption_rows(min(runs, 100)), "shifts": shift_rows(min(runs, 200))}
    target.with_name("peers_companions.json").write_text(json.dumps(others, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Trends, alarms, origins and like compared with like: against published examples, other programs' answers, and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wellserved.listen.novelty import Neighbourhood, NoveltyScan
from wellserved.listen.origins import Scan, scan_origins
from wellserved.listen.rise import (
    QuarterlyTrend,
    chance_of_week,
    fit_counts,
    state_of,
    trend,
    weekly_alarms,
    weekly_design,
)
from wellserved.measure.matched import matched_difference, matched_ratio
from wellserved.moments import NotComputable


def test_the_textbook_s_matched_risks() -> None:
    """Two strata worked out by hand: risk ratio and difference of Mantel and Haenszel."""
    strata = [(100.0, 20.0, 200.0, 20.0), (50.0, 5.0, 100.0, 5.0)]
    ratio, difference = matched_ratio(strata), matched_difference(strata)
    assert ratio is not None
    assert difference is not None
    assert ratio.ratio == pytest.approx((20 * 200 / 300 + 5 * 100 / 150) / (20 * 100 / 300 + 5 * 50 / 150))
    assert ratio.expected == pytest.approx(10 + 2.5)
    assert difference.difference == pytest.approx(
        ((20 * 200 - 20 * 100) / 300 + (5 * 100 - 5 * 50) / 150) / (100 * 200 / 300 + 50 * 100 / 150)
    )
    mirrored = matched_difference([(n0, k0, n1, k1) for n1, k1, n0, k0 in strata])
    assert mirrored is not None
    assert mirrored.difference == pytest.approx(-difference.difference)
    assert matched_ratio([(10.0, 1.0, 0.0, 0.0)]) is None


def test_a_matched_difference_holds_the_truth_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(8)
    holds = 0
    for _ in range(400):
        strata = []
        for base in (0.1, 0.2, 0.4, 0.5):
            n1, n0 = int(random.integers(20, 60)), int(random.integers(60, 200))
            strata.append(
                (float(n1), float(random.binomial(n1, base + 0.1)), float(n0), float(random.binomial(n0, base)))
            )
        found = matched_difference(strata)
        assert found is not None
        holds += found.low <= 0.1 <= found.high
    assert 0.93 <= holds / 400 <= 0.985


def test_a_poisson_s_mean_is_what_anybody_would_say() -> None:
    """Without spread beyond chance, the fit of a constant is the mean, with the mean's own error."""
    counts, exposure = np.array([3.0, 5, 4, 6, 2, 4, 5, 3, 4, 4, 5, 3]), np.full(12, 100.0)
    model = fit_counts(counts, np.ones((12, 1)), exposure)
    assert math.exp(model.coefficients[0]) == pytest.approx(counts.mean() / 100, rel=1e-3)
    assert model.covariance[0, 0] == pytest.approx(1 / counts.sum(), rel=0.05)


@pytest.mark.parametrize(
    ("weeks", "mean", "alpha", "slope"), [(26, 5.0, 0.2, 0.0), (52, 3.0, 0.3, 0.1), (104, 8.0, 0.5, 0.2)]
)
def test_trends_hold_the_truth_nineteen_times_in_twenty(weeks: int, mean: float, alpha: float, slope: float) -> None:
    random = np.random.default_rng(weeks)
    holds = 0
    for _ in range(200):
        exposure = random.integers(80, 120, weeks).astype(float)
        expected = mean * exposure / 100 * np.exp(slope * weekly_design(weeks)[:, 1])
        found = trend(random.poisson(expected * random.gamma(1 / alpha, alpha, weeks)).astype(float), exposure)
        assert isinstance(found, QuarterlyTrend)
        holds += found.low <= math.exp(slope) <= found.high
    assert 0.92 <= holds / 200 <= 0.99


def test_quiet_weeks_raise_few_alarms_and_a_tripled_one_most() -> None:
    random = np.random.default_rng(5)
    quiet = [
        chance_of_week(random.poisson(random.gamma(4, 2.0, 40)).astype(float), np.full(40, 100.0)) for _ in range(200)
    ]
    assert sum(chance <= 0.005 for chance in quiet) <= 5
    loud = []
    for _ in range(50):
        counts = random.poisson(np.full(40, 8.0)).astype(float)
        counts[-1] = random.poisson(28)
        loud.append(chance_of_week(counts, np.full(40, 100.0)))
    assert sum(chance <= 0.005 for chance in loud) >= 45
    assert weekly_alarms(np.array([0.0001, 0.004, 0.2, 0.9])).tolist() == [True, True, False, False]
    assert not weekly_alarms(np.full(40, 0.5)).any()


def test_states_are_told_by_rule() -> None:
    exposure = np.full(30, 50.0)
    unknown = NotComputable("too few")
    fresh, gone = np.zeros(30), np.full(30, 2.0)
    fresh[-3:] = 4
    gone[-9:] = 0
    assert state_of(fresh, exposure, unknown) == "new"
    assert state_of(gone, exposure, unknown) == "resting"
    assert state_of(np.full(30, 2.0), exposure, QuarterlyTrend(1.3, 1.1, 1.6, 30)) == "rising"
    assert state_of(np.full(30, 2.0), exposure, QuarterlyTrend(0.7, 0.5, 0.9, 30)) == "falling"
    assert state_of(np.full(30, 2.0), exposure, unknown) == "steady"


def records(seed: int, ratio: float) -> Scan:
    """20,000 records of 12 places by 3 forms, .8% at fault; at one place with one form so many times as many."""
    random = np.random.default_rng(seed)
    place, form, month = (random.integers(0, size, 20_000) for size in (12, 3, 12))
    chance = np.where((place == 4) & (form == 1), 0.008 * ratio, 0.008)
    scan = scan_origins(
        {"place": [f"place {value}" for value in place], "form": [f"form {value}" for value in form]}, random.random(20_000) < chance, month.tolist()
    )  # fmt: skip
    assert isinstance(scan, Scan)
    return scan


def test_a_planted_pair_is_named_first_and_nothing_is_named_where_nothing_is() -> None:
    """docs/methods/listening.md has the figures of 100 seeds."""
    first = [records(seed, 5).named[:1] for seed in range(10)]
    assert (
        sum(bool(named) and set(named[0].parts) == {("place", "place 4"), ("form", "form 1")} for named in first) >= 9
    )
    assert sum(named[0].low <= 5 <= named[0].high for named in first if named) >= 8
    assert sum(bool(records(100 + seed, 1).named) for seed in range(10)) <= 2


def test_what_the_number_of_records_can_show_is_said() -> None:
    assert 3 < records(1, 1).smallest_ratio < 5
    assert scan_origins({"place": ["a"] * 300}, np.zeros(300, dtype=bool), [1] * 300) == NotComputable(
        "no record is at fault"
    )
    assert scan_origins({"place": ["a"] * 50}, np.arange(50) < 5, [1] * 50) == NotComputable(
        "no origin has 100 records or more"
    )


def scanned(outbreak_from: int | None, seed: int, one_customer: bool = False) -> list[Neighbourhood]:
    """A hundred days of texts as points in space, a fresh cluster from a day on."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(30, 40))
    points, days, customers = [], [], []
    for day in range(120):
        for _ in range(random.poisson(30)):
            points.append(middles[random.integers(30)] + 0.6 * random.normal(size=40))
            days.append(day)
            customers.append(f"c{random.integers(10_000)}")
        if outbreak_from is not None and day >= outbreak_from:
            for _ in range(3):
                points.append(3 * np.ones(40) * (-1) ** np.arange(40) + 0.4 * random.normal(size=40))
                days.append(day)
                customers.append("stormy" if one_customer else f"n{random.integers(10_000)}")
    vectors = np.array(points, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return NoveltyScan(vectors, customers, np.array(days)).days(80, 119)


def test_an_outbreak_is_seen_within_a_week_and_quiet_days_are_quiet() -> None:
    for seed in range(3):
        alarms = [day.day for day in scanned(100, seed) if day.is_alarm]
        assert any(100 <= day <= 107 for day in alarms), alarms
        assert not any(day < 100 for day in alarms)
    assert sum(day.is_alarm for seed in range(5) for day in scanned(None, 50 + seed)) <= 3


def test_one_customers_storm_raises_no_alarm() -> None:
    assert not any(day.is_alarm and day.customers < 4 for day in scanned(100, 1, one_customer=True))
    assert not any(day.is_alarm and day.day >= 100 and day.customers == 1 for day in scanned(100, 1, one_customer=True))

"""Is service the same every day: a worked example, another program, false alarms, power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wellserved.moments import NotComputable
from wellserved.people.evenness import (
    RatedMoment,
    evenness,
    pooled_spread,
    shrunk_spread,
    variance_components,
)

EXAMPLE = [[5, 5, 4], [4, 5], [3, 2, 3], [5, 4, 5, 5], [2, 3], [5, 5]]


def test_the_worked_example_of_six_days() -> None:
    parts = variance_components(EXAMPLE)
    assert not isinstance(parts, NotComputable)
    assert (parts.ratings, parts.groups) == (16, 6)
    assert parts.within**2 == pytest.approx(0.3083, abs=5e-5)
    assert parts.between**2 == pytest.approx(1.0905, abs=5e-5)
    assert (parts.between, parts.low, parts.high, parts.f_ratio) == pytest.approx((1.04, 0.41, 2.81, 10.28), abs=5e-3)
    other = stats.f_oneway(*EXAMPLE)
    assert (parts.f_ratio, parts.p_value) == pytest.approx((other.statistic, other.pvalue))


def test_montgomery_example_13_1_looms() -> None:
    """D. C. Montgomery, Design and Analysis of Experiments: four looms, strength of fabric; 6.96 between, 1.90 within."""
    looms = [[98, 97, 99, 96], [91, 90, 93, 92], [96, 95, 97, 95], [95, 96, 99, 98]]
    parts = variance_components(looms)
    assert not isinstance(parts, NotComputable)
    assert (parts.between**2, parts.within**2) == pytest.approx((6.96, 1.90), abs=5e-3)


def test_shift_mirror_and_scale_do_what_they_must() -> None:
    parts = variance_components(EXAMPLE)
    moved = variance_components([[6 - 2 * value for value in group] for group in EXAMPLE])
    assert not isinstance(parts, NotComputable)
    assert not isinstance(moved, NotComputable)
    assert (moved.between, moved.within) == pytest.approx((2 * parts.between, 2 * parts.within))
    assert moved.f_ratio == pytest.approx(parts.f_ratio)


def _ratings(random: np.random.Generator, days: int, between: float, a_day: float = 3.0) -> list[RatedMoment]:
    rows = []
    for day in range(days):
        mood = random.normal(0, between)
        for _ in range(max(int(random.poisson(a_day)), 0)):
            score = float(np.clip(round(4 + mood + random.normal(0, 0.9)), 1, 5))
            rows.append(RatedMoment(day, int(random.integers(8, 18)), "quotes", score))
    return rows


def test_who_is_even_is_called_uneven_one_time_in_twenty_at_most() -> None:
    random = np.random.default_rng(7)
    results = [evenness(_ratings(random, 60, 0.0)) for _ in range(400)]
    judged = [result.days for result in results if not isinstance(result.days, NotComputable)]
    assert len(judged) > 300
    assert sum(days.differs for days in judged) / len(judged) <= 0.05
    others = [parts for result in results for parts in result.others.values() if not isinstance(parts, NotComputable)]
    assert sum(parts.differs for parts in others) / len(others) <= 0.05


def test_unevenness_is_found_and_its_interval_holds_it() -> None:
    random = np.random.default_rng(8)
    spreads = []
    for _ in range(200):
        groups = [list(random.normal(random.normal(0, 0.5), 0.9, 5)) for _ in range(40)]
        spreads.append(variance_components(groups))
    inside = [not isinstance(s, NotComputable) and s.low <= 0.5 <= s.high for s in spreads]
    found = [not isinstance(s, NotComputable) and s.differs for s in spreads]
    assert np.mean(inside) >= 0.92
    assert np.mean(found) >= 0.9


def test_hard_matters_on_some_days_are_no_unevenness() -> None:
    random = np.random.default_rng(9)
    rows = []
    for day in range(60):
        service, level = ("returns", 2.0) if day % 2 else ("quotes", 4.5)
        rows += [RatedMoment(day, 9, service, level + float(random.normal(0, 0.3))) for _ in range(3)]
    result = evenness(rows)
    assert not isinstance(result.days, NotComputable)
    assert not result.days.differs
    assert result.words == "Your days differ no more than ratings do by themselves."


def test_few_days_are_refused_and_few_people_pooled_by_nobody() -> None:
    few = evenness([RatedMoment(day, 9, "quotes", 4.0 + day % 2) for day in range(30)])
    assert isinstance(few.days, NotComputable)
    assert "it takes 60 and 20" in few.days.reason
    assert isinstance(pooled_spread([0.1] * 4), NotComputable)
    assert pooled_spread([0.3] * 5) == pytest.approx(0.3)


def test_ones_own_spread_is_drawn_to_the_teams() -> None:
    parts = variance_components(EXAMPLE)
    assert not isinstance(parts, NotComputable)
    expected = np.sqrt((10 * 0.2**2 + 5 * parts.between**2) / 15)
    assert shrunk_spread(parts, 0.2) == pytest.approx(expected)

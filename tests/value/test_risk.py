"""Who may leave: the model, its judges, and worlds in which it can and cannot be known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.value.account_world import workspace_of_rows, world
from wellserved.actions.leaving_questions import Departure, backtest_risk
from wellserved.moments import NotComputable
from wellserved.value.risk import (
    AccountSnapshot,
    area_under_curve,
    back_test,
    fit_ridge,
    fit_risk,
    observed_over_expected,
)
from wellserved.value.trust import FEATURES


def test_hanley_and_mcneil_1982() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.4, 0.3, 0.2, 0.1, 0.05])
    left = np.array([1, 0, 1, 0, 1, 0, 0, 0, 0, 0], dtype=bool)
    assert area_under_curve(scores, left) == pytest.approx((18 / 21, 0.153), abs=5e-4)
    mirrored = area_under_curve(-scores, left)
    assert not isinstance(mirrored, NotComputable)
    assert mirrored[0] == pytest.approx(3 / 21)
    assert isinstance(area_under_curve(scores, np.zeros(10, dtype=bool)), NotComputable)


def test_the_area_is_the_rank_sum_of_another_program_ties_and_all() -> None:
    random = np.random.default_rng(1)
    scores, left = random.integers(0, 6, 200).astype(float), random.random(200) < 0.3
    area = area_under_curve(scores, left)
    assert not isinstance(area, NotComputable)
    assert area[0] == pytest.approx(stats.mannwhitneyu(scores[left], scores[~left]).statistic / (left.sum() * (~left).sum()))  # fmt: skip


def test_eighteen_left_where_twelve_were_expected() -> None:
    assert observed_over_expected(18, 12.0) == pytest.approx((1.5, 0.89, 2.37), abs=5e-3)


def test_the_ridge_is_at_its_best_where_the_slope_of_the_penalised_likelihood_is_nothing() -> None:
    random = np.random.default_rng(3)
    design = np.column_stack([np.ones(300), random.normal(size=(300, 3))])
    left = random.random(300) < 1 / (1 + np.exp(1 - design @ [0, 1.0, -0.5, 0]))
    weights = fit_ridge(design, left)
    chance = 1 / (1 + np.exp(-design @ weights))
    slope = design.T @ (left - chance) - np.array([0, 1, 1, 1]) * weights
    assert np.abs(slope).max() < 1e-6
    twice = fit_ridge(np.vstack([design, design]), np.concatenate([left, left]), ridge=2.0)
    assert twice == pytest.approx(weights, abs=1e-7)  # every account twice, twice the penalty: the same


def _snapshots(seed: int, quarters: int, accounts: int, pull: float, base: float = 0.12) -> list[AccountSnapshot]:
    random = np.random.default_rng(seed)
    rows = []
    for quarter in range(quarters):
        for number in range(accounts):
            features = {name: float(random.normal()) for name in FEATURES}
            chance = 1 / (1 + np.exp(-(np.log(base / (1 - base)) + pull * features["open_breach"])))
            rivals = {"last_rating": float(random.integers(1, 6)), "tickets": float(random.poisson(4))}
            rows.append(AccountSnapshot(f"A{number}", quarter * 91 * 86_400, features, rivals, bool(random.random() < chance)))  # fmt: skip
    return rows


def test_noise_is_shown_one_time_in_twenty_at_most_and_a_cause_nearly_always() -> None:
    noise = [back_test(_snapshots(seed, 10, 120, 0.0)).is_shown for seed in range(60)]
    cause = [back_test(_snapshots(seed, 10, 120, 1.0)).is_shown for seed in range(20)]
    assert sum(noise) <= 5  # 60 x .05, and the rivals and the calibration bar more
    assert sum(cause) >= 16


def test_few_leavers_are_refused_with_what_it_takes() -> None:
    result = back_test(_snapshots(1, 4, 40, 1.0, base=0.02))
    assert not result.is_shown
    assert "leavers to learn from, 60 are needed" in result.refusal


def test_what_is_not_known_of_an_account_moves_nothing() -> None:
    model = fit_risk(_snapshots(2, 6, 100, 1.0))
    middle = dict(zip(model.names, model.centre, strict=True))
    assert model.chance(dict.fromkeys(FEATURES)) == model.chance(middle)
    low, high = (model.chance({**middle, "open_breach": value})[0] for value in (-1.0, 1.0))
    assert low < high


@pytest.mark.parametrize("by_failures", [True, False])
def test_leavers_are_foretold_where_failures_drive_them_away_and_not_where_chance_does(
    tmp_path: Path, by_failures: bool
) -> None:
    """The whole way, from a file of moments: features as they stood then, quarters not seen."""
    answer = backtest_risk(workspace_of_rows(tmp_path, world(2, by_failures)), (), ())
    result = answer.test
    assert result.is_shown == by_failures
    if by_failures:
        assert not isinstance(result.area, NotComputable)
        assert answer.model is not None
        rivals = [rival for rival in result.rival_areas.values() if not isinstance(rival, NotComputable)]
        assert len(rivals) == 2
        assert result.area[0] >= max(rivals) + 0.05
        assert not isinstance(result.calibration, NotComputable)
        assert result.calibration[1] <= 1 <= result.calibration[2]


def test_who_had_given_notice_is_not_asked_about(tmp_path: Path) -> None:
    from datetime import date

    rows = world(3, True, accounts=12)
    workspace = workspace_of_rows(tmp_path, rows)
    departures = tuple(Departure(f"A{n:03d}", date(2024, 12, 1), date(2022, 1, 1), is_notice=True) for n in range(12))
    with_notice = backtest_risk(workspace, (), departures).test
    without = backtest_risk(workspace, (), ()).test
    assert with_notice.train_accounts + with_notice.test_accounts < without.train_accounts + without.test_accounts

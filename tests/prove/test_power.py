"""The change that would have been claimed four times in five: reached by fresh series, checks and guardrails included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench.calibration.power import Plan, inputs, record, taken_back, wander
from scipy import stats

from wellserved.measure import find_measure
from wellserved.prove import ModelInput
from wellserved.prove.engine.design import step_design
from wellserved.prove.engine.response import Response
from wellserved.prove.engine.step import fit_steps
from wellserved.prove.power import (
    chance_of_no_alarm,
    claimable_sizes,
    claimable_sizes_of_record,
    draw_noise,
    foresee_smallest_change,
    shrunken_drift,
    smallest_size,
    with_power,
)
from wellserved.prove.verdict import Power
from wellserved.prove.words import detectable_change


def noise(seed: int, phi: float, runs: int, periods: int) -> np.ndarray:
    return wander(np.random.default_rng(seed), phi, 0.0, runs, periods)


def plain(z: np.ndarray) -> ModelInput:
    return ModelInput("plain", z, np.ones(len(z)))


def batch(z: np.ndarray) -> Response:
    return Response(z, np.ones_like(z), np.ones(z.shape, bool))


def test_the_printed_change_is_claimed_four_times_in_five() -> None:
    """Over many records of several kinds, each of which prints its own change: as often as printed, within a tenth."""
    reached = []
    for phi, own, before, after in ((0.0, 0.0, 52, 26), (0.4, 0.0, 104, 26), (0.7, 0.5, 70, 30)):
        random, periods = np.random.default_rng([before, 1]), before + after
        design = step_design("week", periods, [before], np.ones(periods, bool), before < 104)
        fresh = claimable_sizes(batch(wander(random, phi, own, 150, periods)), design, "week", before, -1.0)
        for z in wander(random, phi, own, 4, periods):
            size = smallest_size(claimable_sizes_of_record(inputs(plain(50 + z), before, "week")))
            assert size is not None
            reached.append(float((fresh <= size).mean()))
    assert abs(np.mean(reached) - 0.8) <= 0.1
    assert min(reached) > 0.35  # one record alone knows little of its noise, but it knows something


def test_one_batch_says_what_verdict_and_checks_say_of_every_series() -> None:
    before, after, size = 104, 26, 1.6
    z = noise(3, 0.3, 40, before + after)
    design = step_design("week", before + after, [before], np.ones(before + after, bool))
    sizes = claimable_sizes(batch(z), design, "week", before, -1.0)
    agree = []
    for row, least in zip(z, sizes, strict=True):
        row[before:] -= size
        of = inputs(plain(row), before, "week")
        agree.append((of.verdict.status == "improved" and not taken_back(of)) == (least <= size))
    assert np.mean(agree) >= 0.95


def test_counts_are_claimed_as_often_as_printed() -> None:
    plan, random = Plan("count", "week", 104, 26, 0.4, 0.0), np.random.default_rng(4)
    claims = runs = 0
    for _ in range(4):
        size = smallest_size(claimable_sizes_of_record(inputs(record(plan, random), 104, "week")))
        assert size is not None
        for _ in range(15):
            of = inputs(record(plan, random, -size), 104, "week")
            claims += of.verdict.status == "improved" and not taken_back(of)
            runs += 1
    assert abs(claims / runs - 0.8) <= 0.1 + 2 * np.sqrt(0.16 / runs)


def test_the_same_record_prints_the_same_and_its_unit_goes_along() -> None:
    z = 50 + noise(5, 0.4, 1, 130)[0]
    of = inputs(plain(z), 104, "week")
    one, again = (with_power(of.verdict, of, ()).power for _ in range(2))
    assert one == again
    assert one is not None
    assert one.smallest is not None
    large = inputs(plain(1000 * z - 7), 104, "week")
    more = with_power(large.verdict, large, ()).power
    assert more is not None
    assert more.smallest == pytest.approx(1000 * one.smallest, rel=1e-6)
    mirror = inputs(plain(-z), 104, "week")
    mirror = replace(mirror, better="higher")
    back = with_power(mirror.verdict, mirror, ()).power
    assert back is not None
    assert back.smallest == pytest.approx(one.smallest, rel=0.15)  # other draws, the same noise


def test_a_change_made_or_not_prints_the_same() -> None:
    z = 50 + noise(6, 0.4, 1, 130)[0]
    changed = z - 4 * (np.arange(130) >= 104)
    sizes = [smallest_size(claimable_sizes_of_record(inputs(plain(row), 104, "week"))) for row in (z, changed)]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-6)


def test_checks_take_their_part() -> None:
    """No draw is claimed before its verdict is, and some need more for a bad stretch or a placebo."""
    draws = batch(noise(7, 0.4, 60, 130))
    design = step_design("week", 130, [104], np.ones(130, bool))
    ends = fit_steps(draws, design).steps.trend_intervals().envelope[1]
    sizes = claimable_sizes(draws, design, "week", 104, -1.0)
    assert (sizes >= ends).all()
    assert 0.01 < np.mean(sizes > np.maximum(ends, 0) + 1e-9) < 0.4


def test_guardrails_take_their_part_and_may_take_all() -> None:
    sizes = np.arange(1, 101) / 10
    assert chance_of_no_alarm(0, 0) == 1.0
    assert chance_of_no_alarm(5, 5) == pytest.approx(0.975, abs=0.001)
    assert chance_of_no_alarm(2, 5) > chance_of_no_alarm(5, 5)
    plainly, guarded = smallest_size(sizes), smallest_size(sizes, 0.95)
    assert plainly is not None
    assert guarded is not None
    assert plainly < guarded
    assert (sizes <= guarded).mean() * 0.95 >= 0.8
    assert smallest_size(sizes, 0.79) is None
    assert smallest_size(np.where(sizes > 7, np.inf, sizes)) is None


def test_where_no_usual_change_will_do_it_is_said() -> None:
    z = 50 + noise(8, 0.0, 1, 130)[0]
    verdict = inputs(plain(z), 104, "week").verdict
    measure = find_measure("time_to_resolution")
    assert "would have been claimed four times in five" in detectable_change(
        replace(verdict, power=Power(3.0, 0.9, 100)), measure
    )
    for power in (Power(None, 0.7, 100), Power(48.0, 0.9, 100)):
        assert detectable_change(replace(verdict, power=power), measure).startswith("No change of a usual size")


def test_a_drift_by_itself_is_taken_with_the_trust_it_deserves() -> None:
    t = np.arange(104.0)
    quiet = noise(9, 0.0, 1, 104)
    assert abs(shrunken_drift(batch(quiet), 104, "week")) < 0.005
    assert shrunken_drift(batch(quiet - 0.1 * t), 104, "week") == pytest.approx(-0.1, abs=0.01)
    assert shrunken_drift(batch(quiet), 3, "week") == 0.0


def test_what_is_foreseen_is_what_a_proof_prints() -> None:
    z = 50 + noise(10, 0.3, 6, 138)
    ahead = [foresee_smallest_change(plain(row[:130]), 130, "week", 8, "lower", 0) for row in z]
    proofs = [smallest_size(claimable_sizes_of_record(inputs(plain(row), 130, "week"))) for row in z]
    assert np.median(np.array(ahead, float)) == pytest.approx(np.median(np.array(proofs, float)), rel=0.15)
    assert foresee_smallest_change(plain(z[0, :5]), 5, "week", 8, "lower", 0) is None


def test_draws_have_the_record_s_noise() -> None:
    """The noise drawn for a long record varies as the record does, and hangs together as it does."""
    z = 3 * noise(11, 0.6, 1, 600)
    response = batch(z)
    fit = fit_steps(response, step_design("week", 600, [500], np.ones(600, bool))).steps.fits["continues"]
    draws = draw_noise(response, fit.weight[0], fit.s2[0], 0.0).z
    lag = np.mean([stats.pearsonr(row[1:], row[:-1])[0] for row in draws])
    assert draws.std() == pytest.approx(3, rel=0.15)
    assert lag == pytest.approx(0.6, abs=0.1)

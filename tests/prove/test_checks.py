"""What would have spoilt a verdict: each check fails where it must, passes where it must, and its words are the numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from tests.prove.test_engine import hostile
from wellserved.measure import find_measure
from wellserved.moments import periods_between
from wellserved.prove import ModelInput, Verdict, assess_change, checks
from wellserved.prove.checks import CheckInput
from wellserved.prove.engine.design import step_design
from wellserved.prove.engine.model import AR_SHARE, NUGGET, PHI
from wellserved.prove.engine.response import working_response
from wellserved.prove.engine.step import fit_steps
from wellserved.prove.engine.stretch import find_stretches, node_fit
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.power import foresee_smallest_change, with_power
from wellserved.prove.verdict import Power

FIRST = date(2020, 1, 6)
LEFT = re.compile(r"(\d+)% of it is left")


def seen_of(observed: ModelInput, before: int, mixed: int | None = None) -> PeriodSeries:
    periods = periods_between(FIRST, FIRST + timedelta(weeks=observed.total.shape[-1]), "week")
    return PeriodSeries(find_measure("time_to_resolution"), observed, tuple(periods), before, mixed, None, 0)


def plain(z: np.ndarray) -> ModelInput:
    return ModelInput("plain", np.nan_to_num(z), np.where(np.isfinite(z), 1.0, 0.0))


def inputs(
    z: np.ndarray, before: int, better: str = "lower", controls: tuple[np.ndarray, ...] = (), parallel: bool = False
) -> CheckInput:
    others = tuple(plain(one) for one in controls)
    verdict = assess_change(plain(z), before, "week", better, controls=others, parallel_trends=parallel)  # type: ignore[arg-type]
    return CheckInput(seen_of(plain(z), before), "week", better, others, parallel, verdict)  # type: ignore[arg-type]


def quiet(seed: int, n: int, spread: float = 1.0) -> np.ndarray:
    return 50 + spread * np.random.default_rng(seed).standard_normal(n)


def autoregressive(random: np.random.Generator, phi: float, runs: int, periods: int) -> np.ndarray:
    noise = random.standard_normal((runs, periods + 60)) * np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise)[:, 60:])


def acted_when_worst(seed: int, phi: float, before: int, after: int, runs: int) -> np.ndarray:
    """Stationary series in which the six weeks before the change are the worst six of the last year."""
    random, parts = np.random.default_rng([seed, before]), list[np.ndarray]()
    while sum(map(len, parts)) < runs:
        x = autoregressive(random, phi, 10_000, before + after)
        sums = np.pad(np.cumsum(x[:, :before], axis=1), ((0, 0), (1, 0)))
        weeks = (sums[:, 6:] - sums[:, :-6])[:, -47:]
        parts.append(50 + x[weeks.argmax(axis=1) == weeks.shape[1] - 1])
    return np.concatenate(parts)[:runs]


def without(of: CheckInput, weeks: int) -> Verdict:
    z = np.where(of.series.model_input.is_observed, of.series.model_input.total, np.nan)
    z[of.series.before - weeks : of.series.before] = np.nan
    return assess_change(plain(z), of.series.before, of.granularity, of.better)


def test_six_bad_weeks_and_nothing_done_is_no_improvement() -> None:
    z = quiet(4, 78)
    z[46:52] += 2.5
    of = inputs(z, 52)
    assert of.verdict.status == "improved"
    check = checks.bad_stretch(of)
    assert check.passed is False
    weeks = int(re.findall(r"without the (\d+) weeks", check.words)[0])
    assert 5 <= weeks <= 8
    assert "were worse than usual" in check.words
    rest = without(of, weeks)
    assert rest.working is not None
    assert of.verdict.working is not None
    share = rest.working.value / of.verdict.working.value
    assert share < 0.5
    assert check.words.endswith(f"{share:.0%} of it is left" if share > 0 else "nothing of it is left")


def test_a_change_that_outlives_the_bad_weeks_before_it_is_claimed_and_says_what_is_left() -> None:
    z = quiet(4, 78)
    z[46:52] += 2.5
    z[52:] -= 4
    of = inputs(z, 52)
    check = checks.bad_stretch(of)
    assert check.passed
    share = int(LEFT.findall(check.words)[0])
    weeks = int(re.findall(r"without the (\d+) weeks", check.words)[0])
    rest = without(of, weeks)
    assert rest.working is not None
    assert of.verdict.working is not None
    assert share == round(100 * rest.working.value / of.verdict.working.value)
    assert 50 <= share < 100


@pytest.mark.parametrize("weeks", [1, 3, 9])
def test_a_bad_stretch_is_told_at_its_length(weeks: int) -> None:
    z = quiet(8, 130, 0.5)
    z[104 - weeks : 104] += 4
    check = checks.bad_stretch(inputs(z, 104))
    span = "week before the change, which was" if weeks == 1 else f"{weeks} weeks before the change, of which all were"
    assert f"without the {span} worse than usual" in check.words


def test_a_steady_record_hangs_on_no_stretch() -> None:
    z = quiet(1, 104)
    z[78:] -= 3
    check = checks.bad_stretch(inputs(z, 78))
    assert (check.passed, check.words) == (True, "it does not hang on a bad stretch of weeks right before the change")
    assert checks.bad_stretch(inputs(quiet(1, 12), 5)).passed is None


def taken_back(of: CheckInput) -> bool:
    looked = (checks.bad_stretch(of), checks.placebo_in_time(of), checks.record_gaps(of), checks.trend_before(of))
    return any(check.passed is False for check in looked)


@pytest.mark.parametrize(("phi", "before", "after"), [(0.0, 52, 26), (0.4, 52, 13), (0.4, 104, 26), (0.8, 78, 26)])
def test_acting_after_the_worst_six_weeks_of_a_year_is_hardly_ever_an_improvement(
    phi: float, before: int, after: int
) -> None:
    runs, claims = 150, 0
    for z in acted_when_worst(1, phi, before, after, runs):
        of = inputs(z, before)
        claims += of.verdict.status == "improved" and not taken_back(of)
    assert claims <= 0.04 * runs + 2 * np.sqrt(0.04 * 0.96 * runs)


@pytest.mark.parametrize(("phi", "before", "after"), [(0.0, 52, 26), (0.4, 104, 26), (0.8, 104, 52)])
def test_true_changes_are_seldom_taken_back(phi: float, before: int, after: int) -> None:
    claims = lost = 0
    for z in 50 + autoregressive(np.random.default_rng([2, before]), phi, 40, before + after):
        z[before:] -= 3
        of = inputs(z, before)
        claims += of.verdict.status == "improved"
        lost += of.verdict.status == "improved" and taken_back(of)
    assert claims >= 13
    assert lost <= 0.08 * claims + 2 * np.sqrt(0.08 * 0.92 * claims)


@given(st.integers(0, 10_000), st.sampled_from([-2.0, 0.5, 100.0]), st.floats(-1e4, 1e4), st.floats(-3, 6))
@settings(max_examples=12, deadline=None)
def test_unit_origin_and_mirror_change_no_check(seed: int, scale: float, origin: float, bad: float) -> None:
    z = quiet(seed, 70)
    z[45:50] += bad
    z[50:] -= 1.5
    one, other = inputs(z, 50), inputs(scale * z + origin, 50, "higher" if scale < 0 else "lower")
    for check in (checks.bad_stretch, checks.placebo_in_time, checks.record_gaps, checks.trend_before):
        mine, theirs = check(one), check(other)
        assert mine.passed == theirs.passed
        if scale > 0 or "ing before" not in mine.words:  # a rising trend falls in the mirror
            assert mine.words == theirs.words


def test_all_lengths_at_once_are_each_a_fit_without_those_rows() -> None:
    """The closed form against generalised least squares with the rows deleted, at the node that the series likes best."""
    before, n = 30, 42
    z = quiet(3, n)
    z[[4, 28]] = np.nan
    observed = ModelInput("mean", np.nan_to_num(z) * 9, np.where(np.isfinite(z), 9 + np.arange(n) % 3 * 7.0, 0.0))
    design = step_design("week", n, [before], observed.is_observed, season_priced=True)
    response = working_response(observed, design.response_columns())
    steps = fit_steps(response, design).steps
    found = find_stretches(response, design, steps, before, "week", np.array([1.0]))
    assert found is not None
    node = int(steps.fits["continues"].weight[0].argmax())
    pair = node % len(PHI)
    chosen, precision = node_fit(design, node)

    def step(keep: np.ndarray) -> tuple[float, float]:
        noise = response.noise[0] / response.noise[0][response.is_observed[0]].mean()
        apart = np.abs(np.subtract.outer(keep, keep))
        v = AR_SHARE[pair] * PHI[pair] ** apart + np.diag((1 - AR_SHARE[pair]) * noise[keep] + NUGGET)
        x, inverse = design.columns[keep][:, chosen], np.linalg.inv(v)
        a = np.linalg.inv(x.T @ inverse @ x + np.diag(precision))
        return float((a @ x.T @ inverse @ response.z[0, keep])[1]), float(a[1, 1])

    rows = np.flatnonzero(response.is_observed[0])
    early, (whole, sure) = int((rows < before).sum()), step(rows)
    variances = []
    for length in (1, 4, early // 3):
        part, unsure = step(np.delete(rows, np.arange(early - length, early)))
        assert found.shift[0, length - 1] == pytest.approx(whole - part, rel=1e-6, abs=1e-9)
        # Hausman: the difference of an estimate and a better one has the difference of their variances
        variances.append((found.shift[0, length - 1] / found.score[0, length - 1]) ** 2 / (unsure - sure))
    assert min(variances) > 0
    assert max(variances) < 2 * min(variances)  # all but s², which is told from the rows that are left


def test_a_measure_that_moved_as_much_before_fails_and_one_that_moved_less_does_not() -> None:
    z = quiet(5, 134, 0.6)
    z[54:] -= 2.5
    z[108:] -= 3.0
    check = checks.placebo_in_time(inputs(z, 108))
    assert check.passed is False
    assert 50 <= int(re.findall(r"moved by (\d+)% of this too", check.words)[0]) <= 110
    z = quiet(5, 134, 0.3)
    z[54:] -= 1.2
    z[108:] -= 6.0
    check = checks.placebo_in_time(inputs(z, 108))
    assert check.passed
    assert "no more than" in check.words
    z = quiet(5, 134)
    z[108:] -= 3
    assert "no change is seen at 2 earlier dates" in checks.placebo_in_time(inputs(z, 108)).words


def test_a_hole_matters_where_leaving_as_much_out_moves_the_estimate() -> None:
    z = quiet(6, 100)
    z[72:] -= 4
    z[80:88] = np.nan
    check = checks.record_gaps(inputs(z, 72))
    assert check.passed
    assert "with as many others left out, at least" in check.words
    z = quiet(6, 100, 0.4)
    z[57:72] += 4  # it hangs on these weeks, and as many are not known
    z[20:35] = np.nan
    of = inputs(z, 72)
    of = replace(of, verdict=replace(of.verdict, status="improved"))
    check = checks.record_gaps(of)
    assert check.passed is False
    assert "with as many others left out" in check.words
    z = quiet(6, 100)
    z[72:] -= 4
    z[74:90] = np.nan
    assert checks.record_gaps(inputs(z, 72)).passed is False  # nothing comparable is left
    z = quiet(6, 100)
    z[72:] -= 4
    z[72:76] = np.nan
    assert checks.record_gaps(inputs(z, 72)).words.startswith("the 4 weeks next to the change hold no case")


def test_what_was_declared_to_move_alike_and_did_not() -> None:
    t = np.arange(90)
    control = quiet(9, 90)
    falling = quiet(10, 90) - 0.1 * t - np.where(t >= 60, 0.5, 0.0)
    of = inputs(falling, 60, controls=(control,), parallel=True)
    of = replace(of, verdict=replace(of.verdict, status="improved"))
    check = checks.trend_before(of)
    assert check.passed is False
    assert "falling before the change already" in check.words
    steep = quiet(10, 90) - 0.05 * t - np.where(t >= 60, 4.0, 0.0)
    check = checks.trend_before(inputs(steep, 60, controls=(quiet(9, 90, 0.3),), parallel=True))
    assert check.passed
    assert LEFT.findall(check.words)


@pytest.mark.parametrize(("moved", "passes"), [(0.0, True), (1.5, True), (4.0, False)])
def test_the_others_fail_it_where_they_moved_by_half_or_more(moved: float, passes: bool) -> None:
    z, others = quiet(11, 130, 0.5), quiet(12, 130, 0.5)
    z[104:] -= 5
    others[104:] -= moved
    check = checks.untouched_cases(inputs(z, 104), seen_of(plain(others), 104))
    assert check.passed is passes
    if moved:
        assert int(LEFT.findall(check.words)[0]) == pytest.approx(100 - 20 * moved, abs=12)


def test_a_mix_fails_it_where_less_than_half_is_left() -> None:
    z = quiet(13, 130, 0.5)
    z[104:] -= 5
    of = inputs(z, 104)
    for part, passes in ((0.8, True), (0.2, False)):
        held = z.copy()
        held[104:] += 5 * (1 - part)
        again = of.reassess(plain(held), 104)
        check = checks.assess_mix(of, "mix by service", plain(held), again, 0.3)
        assert check.passed is passes
        assert int(LEFT.findall(check.words)[0]) == pytest.approx(100 * part, abs=5)
        assert checks.assess_mix(of, "mix by service", plain(held), again, 0.01).passed


def test_no_series_makes_a_check_or_the_power_a_crash() -> None:
    for seed in range(36):
        observed, before = hostile(np.random.default_rng(seed))
        verdict = assess_change(observed, before, "week", "lower")
        size = foresee_smallest_change(observed, before, "week", 8, "lower", 3)
        assert size is None or size > 0
        if verdict.effect is None:
            continue
        of = CheckInput(seen_of(observed, before), "week", "lower", (), False, verdict)
        for check in (checks.bad_stretch, checks.placebo_in_time, checks.record_gaps, checks.trend_before):
            assert check(of).words
        power = with_power(verdict, of, ()).power if seed % 3 == 0 else Power(None, 0.0, 0)
        assert power is not None
        assert power.smallest is None or power.smallest > 0


def test_periods_that_cannot_be_left_out_are_said_and_take_nothing_back() -> None:
    z = np.append(quiet(4, 15) * 0.3 + np.linspace(0, 0.1, 15), -4 + 0.3 * quiet(6, 5))
    z[10:15] += 1.0
    check = checks.bad_stretch(inputs(z, 15))
    assert check.passed is not False or "nothing of it is left" not in check.words


def test_a_single_period_that_is_left_after_settling_ends_in_a_verdict_or_a_reason() -> None:
    z = np.append(quiet(8, 60) * 0.3, np.linspace(0, -4, 6))
    size = np.append(np.ones(60), [0, 0, 0, 0, 0, 1.0])
    observed = ModelInput("mean", z * size, size)
    design = step_design("week", 66, [60], observed.is_observed, season_priced=True)
    response = working_response(observed, design.response_columns())
    assert find_stretches(response, design, fit_steps(response, design).steps, 60, "week", np.array([-1.0])) is not None

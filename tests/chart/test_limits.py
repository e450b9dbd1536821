"""Limits and runs against Montgomery's textbook examples, to the last digit printed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellserved.chart import autocorrelation, limits
from wellserved.chart.limits import Limits
from wellserved.chart.rules import RULES, runs, two_of_three
from wellserved.measure.interval import binomial_quantile

# Values from Montgomery, Introduction to Statistical Quality Control (example or table named in each
# test), and NIST/SEMATECH e-Handbook of Statistical Methods; runs as qicharts2 0.8.1 computes them.
INDIVIDUALS = [310, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306, 301, 304]
INDIVIDUALS += [305, 282, 305, 296, 314, 295, 287, 301, 298, 311, 310, 292, 305, 299, 304, 310, 304, 305, 333, 328]
ORANGE = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]
PURCHASE_N = [100, 80, 80, 100, 110, 110, 100, 100, 90, 90, 110, 120, 120, 120, 110, 80, 80, 80, 90, 100, 100, 100]
PURCHASE_N += [100, 90, 90]
PURCHASE_K = [12, 8, 6, 9, 10, 12, 11, 16, 10, 6, 20, 15, 9, 8, 6, 8, 10, 7, 5, 8, 5, 8, 10, 6, 9]
BOARDS = [21, 24, 16, 12, 15, 5, 28, 20, 31, 25, 20, 24, 16, 19, 10, 17, 13, 22, 18, 39, 30, 24, 16, 19, 17, 15]
BOARDS += [16, 18, 12, 15, 24, 21, 28, 20, 25, 19, 18, 21, 16, 22, 19, 12, 14, 9, 16, 21]
SHIPMENTS = [2, 3, 8, 1, 1, 4, 1, 4, 5, 1, 8, 2, 4, 3, 4, 1, 8, 3, 7, 4]
FAILURES = [286, 948, 536, 124, 816, 729, 4, 143, 431, 8, 2837, 596, 81, 227, 603, 492, 1199, 1214, 2831, 96]
RINGS = """
30 2 19 -8 8/-5 -8 1 11 4/-12 24 21 5 2/2 -4 -7 15 9/-8 7 15 -11 14/9 -6 -3 -15 -7/-5 6 -6 0 5/-15 3 -7 15 -12/8 -5 9 5 4
-2 0 -10 7 -5/-6 -2 -6 -5 -10/4 0 7 0 -4/-17 2 -2 -3 12/6 -33 -6 0 -16/12 14 -2 -1 7/0 -16 5 -2 -4/-6 12 -14 5 7/6 10 18 3 0
-16 2 3 5 -3/0 10 13 20 3/-18 1 15 5 -4/4 -1 -10 6 9/10 -11 -10 9 14/15 8 -7 0 10/-18 -16 -5 17 13
"""  # piston rings of Table 6.3: samples of five, in thousandths of a millimetre beyond 74
CLOTH_M = [500, 400, 650, 500, 475, 500, 600, 525, 600, 625]
CLOTH_C = [14, 12, 20, 11, 7, 10, 21, 16, 19, 23]


def base(size: int, first_count: int | None = None, left_out: Sequence[int] = ()) -> limits.Mask:
    mask = np.arange(size) < (first_count if first_count is not None else size)
    mask[list(left_out)] = False
    return mask


def line(values: Sequence[float] | limits.Floats, chart_limits: Limits, index: int = 0) -> tuple[float, float, float]:
    return float(chart_limits.centre[index]), float(chart_limits.lower[index]), float(chart_limits.upper[index])


def four(values: np.ndarray[tuple[int], np.dtype[np.float64]], chart_limits: Limits) -> tuple[int, int, int, int]:
    statistics = runs(values, chart_limits)
    return statistics.longest, statistics.longest_allowed, statistics.crossings, statistics.crossings_needed


JUMPS = [10, 12, 11, 13, 12, 40, 12, 13, 11, 12]
"""Ranges 2 1 2 1 28 28 1 2 1: mean 66 / 9 = 7.333, times 3.267 = 23.958, so that both 28 go; mean of the others 10 / 7."""


def test_moving_ranges_far_beyond_the_others_are_left_out_once() -> None:
    values = np.array(JUMPS, dtype=float)
    assert limits.screen_ranges(np.abs(np.diff(values))).tolist() == [2, 1, 2, 1, 1, 2, 1]
    assert line(values, limits.xmr(values, base(10))) == pytest.approx((14.6, 14.6 - 22 / 1.128, 14.6 + 22 / 1.128))
    third = 3 * 10 / 7 / 1.128  # 3.7994
    chart_limits = limits.xmr(values, base(10), screening=True)
    assert line(values, chart_limits) == pytest.approx((14.6, 14.6 - third, 14.6 + third))
    assert third == pytest.approx(3.7994, abs=5e-5)


def test_screening_happens_once_and_spares_what_is_alike() -> None:
    """Ten ranges of 1, one of 9, one of 40: bound 16.06, then 5.64, by which the 9 would go too; ranges of 0 all stay."""
    assert limits.screen_ranges(np.array([1.0] * 10 + [9.0, 40.0])).tolist() == [1.0] * 10 + [9.0]
    assert limits.screen_ranges(np.zeros(5)).tolist() == [0.0] * 5
    edge = np.array([1.0, 1.0, 1.0, 1.0, 1.0])
    assert limits.screen_ranges(edge).tolist() == edge.tolist()


def test_nothing_is_left_out_of_the_published_individuals() -> None:
    """Montgomery's example 6.5: the largest of the first 20's ranges is 22, the bound 25.448."""
    values = np.array(INDIVIDUALS, dtype=float)
    assert line(values, limits.xmr(values, base(40, first_count=20), screening=True)) == pytest.approx(
        (300.5, 279.78331, 321.21669), abs=5e-6
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=40))
def test_screened_limits_are_never_wider_and_mirror(values: list[float]) -> None:
    data = np.array(values)
    plain_limits, narrow_limits = (
        limits.xmr(data, base(len(data)), screening=screening) for screening in (False, True)
    )
    assert narrow_limits.upper[0] <= plain_limits.upper[0]
    assert narrow_limits.centre[0] == plain_limits.centre[0]
    mirror_limits = limits.xmr(-data, base(len(data)), screening=True)
    assert mirror_limits.upper[0] == pytest.approx(-narrow_limits.lower[0])


def test_individuals_example_6_5() -> None:
    values = np.array(INDIVIDUALS, dtype=float)
    chart_limits = limits.xmr(values, base(40, first_count=20))
    assert line(values, chart_limits) == pytest.approx((300.5, 279.78331, 321.21669), abs=5e-6)
    assert four(values, chart_limits) == (6, 8, 20, 14)


def test_moving_ranges_example_6_5() -> None:
    values = np.array(INDIVIDUALS, dtype=float)
    chart_limits = limits.moving_range(values, base(40, first_count=20))
    assert line(values, chart_limits) == pytest.approx((7.7894737, 0, 25.4482105), abs=1e-6)
    assert limits.moving_ranges(values)[1] == 22


def test_p_example_7_1_without_two_points() -> None:
    count, size = np.array(ORANGE, dtype=float), np.full(30, 50.0)
    chart_limits = limits.p(count, size, base(30, left_out=(14, 22)))
    assert line(count, chart_limits) == pytest.approx((0.215, 0.0407028, 0.3892972), abs=1e-6)
    shares = np.delete(count / size, (14, 22))
    assert four(
        shares,
        Limits(
            *(
                np.delete(limit_line, (14, 22))
                for limit_line in (chart_limits.centre, chart_limits.lower, chart_limits.upper)
            )
        ),
    ) == (
        5,
        8,
        13,
        9,
    )


def test_p_with_unequal_sizes_table_7_4() -> None:
    count, size = np.array(PURCHASE_K, dtype=float), np.array(PURCHASE_N, dtype=float)
    chart_limits = limits.p(count, size, base(25))
    assert line(count, chart_limits) == pytest.approx((0.0955102, 0.0073347, 0.1836857), abs=1e-6)
    assert line(count, chart_limits, 1)[1:] == pytest.approx((0, 0.1940934), abs=1e-6)
    assert four(count / size, chart_limits) == (5, 8, 10, 8)


def test_c_example_7_3_with_its_signal() -> None:
    values = np.array(BOARDS, dtype=float)
    chart_limits = limits.c(values, base(46, first_count=26, left_out=(5, 19)))
    assert line(values, chart_limits) == pytest.approx((19.66667, 6.36253, 32.97080), abs=5e-6)
    base_values = np.delete(values, (5, 19))
    base_limits = Limits(
        *(
            np.delete(limit_line, (5, 19))
            for limit_line in (chart_limits.centre, chart_limits.lower, chart_limits.upper)
        )
    )
    assert four(base_values, base_limits) == (8, 8, 14, 16)
    assert RULES["few_crossings"][0](base_values, base_limits).any()
    assert not RULES["long_run"][0](base_values, base_limits).any()


def test_u_example_7_4() -> None:
    count, size = np.array(SHIPMENTS, dtype=float), np.full(20, 50.0)
    chart_limits = limits.u(count, size, base(20))
    assert line(count, chart_limits) == pytest.approx((0.074, 0, 0.1894123), abs=1e-6)
    assert four(count / size, chart_limits) == (2, 7, 15, 6)


def test_u_with_unequal_sizes_example_7_5() -> None:
    count, size = np.array(CLOTH_C, dtype=float), np.array(CLOTH_M, dtype=float) / 50
    chart_limits = limits.u(count, size, base(10))
    assert line(count, chart_limits) == pytest.approx((1.4232558, 0.2914739, 2.5550377), abs=1e-6)
    assert four(count / size, chart_limits) == (4, 6, 3, 2)


def test_times_between_failures_example_7_6() -> None:
    values = np.array(FAILURES, dtype=float)
    chart_limits = limits.t(values, base(20))
    assert line(values, chart_limits) == pytest.approx((430.04095, 0, 6937.93349), abs=5e-6)
    assert four(values, chart_limits) == (5, 7, 10, 6)


def test_means_and_deviations_example_6_3() -> None:
    rings = 74 + np.array([row.split() for row in RINGS.replace("\n", "/").strip("/").split("/")], dtype=float) / 1000
    means, deviations, size = rings.mean(axis=1), rings.std(axis=1, ddof=1), np.full(25, 5.0)
    chart_limits = limits.xbar(means, deviations, size, base(25))
    assert line(means, chart_limits) == pytest.approx((74.00118, 73.98776, 74.01459), abs=5e-6)
    assert four(means, chart_limits) == (3, 8, 15, 8)
    assert line(deviations, limits.s(deviations, size, base(25))) == pytest.approx((0.0093995, 0, 0.0196355), abs=5e-8)


def test_moving_average_of_the_nist_handbook() -> None:
    values = [
        52,
        47,
        53,
        49.3,
        50.1,
        47,
        51,
        50.1,
        51.2,
        50.5,
        49.6,
        47.6,
        49.9,
        51.3,
        47.8,
        51.2,
        52.6,
        52.4,
        53.6,
        52.1,
    ]
    chart_limits = limits.ewma(20, 50, 2.0539)
    assert line(values, chart_limits) == pytest.approx((50, 47.4115, 52.5884), abs=1e-4)
    assert limits.moving_average(np.array(values), 50)[-1] == pytest.approx(51.99, abs=5e-3)
    assert limits.moving_average(np.array([np.nan, 51.0]), 50).tolist() == pytest.approx([np.nan, 50.3], nan_ok=True)


def test_individuals_of_the_nist_handbook() -> None:
    values = np.array([49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1])
    chart_limits = limits.xmr(values, base(10))
    assert line(values, chart_limits) == pytest.approx((50.81, 45.8159, 55.8041), abs=5e-4)


def test_counts_of_the_nist_handbook() -> None:
    values = np.array(
        [16, 14, 28, 16, 12, 20, 10, 12, 10, 17, 19, 17, 14, 16, 15, 13, 14, 16, 11, 20, 11, 19, 16, 31, 13.0]
    )
    assert line(values, limits.c(values, base(25))) == pytest.approx((16, 4, 28), abs=1e-9)


def test_anhoej_limits_follow_the_formula_from_10_to_100() -> None:
    for n in range(10, 101):
        values = np.tile([1.0, -1.0], n)[:n]
        flat = Limits(np.zeros(n), np.full(n, -9.0), np.full(n, 9.0))
        statistics = runs(values, flat)
        assert statistics.longest_allowed == round(math.log2(n)) + 3
        tail_count, k = math.comb(n - 1, 0), 0
        while tail_count / 2 ** (n - 1) < 0.05:
            k += 1
            tail_count += math.comb(n - 1, k)
        assert statistics.crossings_needed == k == binomial_quantile(0.05, n - 1, 0.5)
    table = {
        10: (6, 2),
        12: (7, 3),
        16: (7, 4),
        20: (7, 6),
        24: (8, 8),
        30: (8, 10),
        40: (8, 14),
        60: (9, 23),
        100: (10, 41),
    }
    for n, (longest, crossings) in table.items():
        assert (round(math.log2(n)) + 3, binomial_quantile(0.05, n - 1, 0.5)) == (longest, crossings)


def test_laney_limits_equal_plain_ones_where_chance_is_all() -> None:
    size = np.full(400, 200.0)
    count = np.random.default_rng(7).binomial(200, 0.3, 400).astype(float)
    plain_limits, laney_limits = limits.p(count, size, base(400)), limits.p_prime(count, size, base(400))
    assert (laney_limits.upper - laney_limits.centre)[0] == pytest.approx(
        (plain_limits.upper - plain_limits.centre)[0], rel=0.1
    )


def test_laney_limits_hold_where_the_true_share_varies() -> None:
    rng, alarm_counts, days = np.random.default_rng(11), {"p": 0, "p'": 0}, 2000
    share = 1 / (1 + np.exp(-(-1.0 + rng.normal(0, 0.15, days))))
    count, size = rng.binomial(2000, share).astype(float), np.full(days, 2000.0)
    for name, function in (("p", limits.p), ("p'", limits.p_prime)):
        alarm_counts[name] = int(RULES["outside"][0](count / size, function(count, size, base(days))).sum())
    assert alarm_counts["p"] / days > 0.05
    assert alarm_counts["p'"] / days < 0.01


def two_thirds(side: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], Limits]:
    values = np.array([0.1, -0.2, 2.3, 0.4, 2.5, -0.1]) * side
    return values, Limits(np.zeros(6), np.full(6, -3.0), np.full(6, 3.0))


def test_two_of_three_counts_points_on_one_side_only() -> None:
    assert two_of_three(*two_thirds(1)).tolist() == [False, False, True, False, True, False]
    assert two_of_three(*two_thirds(-1)).tolist() == [False, False, True, False, True, False]
    values, chart_limits = two_thirds(1)
    values[3] = -0.4  # one of the three lies across the centre
    assert not two_of_three(values, chart_limits).any()


def test_seven_rising_are_a_trend_and_seven_falling_too() -> None:
    values = np.array([5, 1, 2, 3, 4, 5, 6, 7, 0.0])
    flat = Limits(np.full(9, 3.0), np.full(9, -9.0), np.full(9, 19.0))
    trend = RULES["seven_in_a_trend"][0]
    assert trend(values, flat).tolist() == [False, *[True] * 7, False]
    assert trend(-values, flat).tolist() == [False, *[True] * 7, False]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.floats(-50, 50, allow_nan=False).map(lambda point: round(point, 3)), min_size=12, max_size=60))
def test_every_rule_sees_the_mirror_image_alike(points: list[float]) -> None:
    values = np.array(points)
    if not np.ptp(values):
        return
    chart_limits = limits.xmr(values, base(len(values)))
    mirror_limits = limits.xmr(-values, base(len(values)))
    for rule, _ in RULES.values():
        assert rule(values, chart_limits).tolist() == rule(-values, mirror_limits).tolist()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(-1000, 1000), min_size=12, max_size=60), st.integers(-500, 500), st.sampled_from([2, 4, 8]))
def test_limits_move_and_stretch_with_the_numbers(points: list[int], shift: int, scale: int) -> None:
    values = np.array(points, dtype=float)
    plain_limits, moved_limits = (
        limits.xmr(values, base(len(values))),
        limits.xmr(values * scale + shift, base(len(values))),
    )
    assert moved_limits.upper == pytest.approx(plain_limits.upper * scale + shift)
    assert moved_limits.lower == pytest.approx(plain_limits.lower * scale + shift)


def test_false_alarms_of_the_default_rules_are_as_published() -> None:
    rng, alarms, repeats = np.random.default_rng(3), 0, 2000
    for _ in range(repeats):
        values = rng.normal(size=24)
        chart_limits = limits.xmr(values, base(24))
        alarms += any(RULES[name][0](values, chart_limits).any() for name in ("long_run", "few_crossings"))
    assert alarms / repeats == pytest.approx(0.03, abs=0.02)


def test_autocorrelation_does_not_take_one_step_for_persistence() -> None:
    rng = np.random.default_rng(5)
    step = rng.normal(size=60) + 4 * (np.arange(60) > 30)
    step_correlation = autocorrelation(step)
    assert step_correlation is not None
    assert abs(step_correlation) < 0.25
    walk = np.cumsum(rng.normal(size=200))
    walk_correlation = autocorrelation(walk)
    assert walk_correlation is not None
    assert walk_correlation > 0.8

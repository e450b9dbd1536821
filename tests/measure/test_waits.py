"""Waits sorted by group, and the part of the curve that a quantile needs, against the plain way."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from tests import oracle
from wellserved.measure.wait_quantile import NOT_REACHED, DurationArray, packed_duration_quantile
from wellserved.measure.waits import GroupKey, map_groups


def batches(rows: Sequence[tuple[int | None, str | None, int | None]], size: int) -> list[pa.RecordBatch]:
    table: pa.Table = pa.table(
        {
            "period": pa.array([row[0] for row in rows], pa.int32()),
            "segment": pa.array([row[1] for row in rows], pa.string()),
            "coded": pa.array([row[2] for row in rows], pa.int64()),
        }
    )
    return list(table.to_batches(max_chunksize=size))


def themselves(waits: DurationArray) -> DurationArray:
    return waits


def by_hand(rows: Sequence[tuple[int | None, str | None, int | None]]) -> dict[GroupKey, list[int]]:
    found: dict[GroupKey, list[int]] = defaultdict(list)
    for period, segment, coded in rows:
        if period is not None and coded is not None:
            found[period, segment].append(coded)
    return {key: sorted(values) for key, values in found.items()}


@pytest.mark.parametrize(
    "widest", [40, 1 << 34, 1 << 61]
)  # the widest leaves no room for group and wait in one integer
@pytest.mark.parametrize("periods", [(-25_567, 0, 84_005), (190_001, 202_402, 220_012), (0,)])
def test_sorted_groups_are_those_of_a_plain_sort(widest: int, periods: tuple[int, ...]) -> None:
    draw = random.Random(widest + len(periods))
    names = [None, "", "a", "ä", "b" * 300]
    rows = [
        (
            draw.choice((*periods, None)),
            draw.choice(names),
            draw.choice((None, 0, -7, draw.randrange(widest), widest)),
        )
        for _ in range(900)
    ]
    for size in (7, 400, 1000):
        given = list(map_groups(batches(rows, size), themselves))
        assert len(given) == len({key for key, _ in given})
        assert {key: found.tolist() for key, found in given} == by_hand(rows)


@pytest.mark.parametrize("least", [0, -7, -(1 << 31), -(1 << 31) - 1, (1 << 31) - 40, 1 << 40])
@pytest.mark.parametrize("widest", [40, (1 << 24) - 1, 1 << 28, (1 << 31) - 1, 1 << 33])
@pytest.mark.parametrize("names", [[None], ["a"], [None, "a", "b"], [f"team {number}" for number in range(300)]])
def test_waits_that_come_period_by_period_are_sorted_alike(least: int, widest: int, names: list[str | None]) -> None:
    """Of 32 bits or of 64, as they fit, which may differ from one period to the next."""
    draw = random.Random(least + widest + len(names))
    rows = [
        (period, draw.choice(names), draw.choice((None, least, least + (width >> draw.randrange(3)), least + width)))
        for period, width in ((190_001, 40), (202_402, widest), (202_403, 40))
        for _ in range(300)
    ]
    for size in (7, 400, 1000):
        given = list(map_groups(batches(rows, size), themselves))
        assert len(given) == len({key for key, _ in given})
        assert {key: found.tolist() for key, found in given} == by_hand(rows)


def test_a_period_that_comes_again_is_one_group() -> None:
    """Cases of a month that a refresh wrote come after all others."""
    rows = [(period, "a", wait) for period, wait in ((1, 9), (1, 3), (2, 5), (1, 4), (3, 1), (2, 1 << 40))]
    assert {key: found.tolist() for key, found in map_groups(batches(rows, 2), themselves)} == by_hand(rows)


def test_no_waits_give_no_groups() -> None:
    assert list(map_groups([], themselves)) == []
    assert list(map_groups(batches([(1, "a", None), (None, "a", 4)], 1), themselves)) == []


@pytest.mark.parametrize("running", [0.0005, 0.02, 0.3])
@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(9, 10)])
def test_a_part_of_the_curve_gives_what_the_whole_gives(running: float, p: Fraction) -> None:
    draw = random.Random(round(running * 10_000))
    compared = 0
    for n in (3_000, 6_000, 9_000):
        plain = []
        for _ in range(n):
            end = int(draw.expovariate(1 / 5_000)) + 1
            cut = int(draw.expovariate(1 / 5_000)) + 1 if draw.random() < running else 10**9
            plain.append((min(end, cut), end <= cut))
        coded = np.sort(np.array([seconds * 2 + (not done) for seconds, done in plain], dtype=np.int64))
        wanted = (oracle.kaplan_meier(plain, p), *oracle.waiting_interval(plain, p))
        assert packed_duration_quantile(coded, float(p)) == wanted
        compared += math.isfinite(wanted[2])
    assert compared == 3


@pytest.mark.parametrize("unit", [1_000, 5_000, 100_000])
def test_many_waits_of_one_length_are_one_step_of_the_curve(unit: int) -> None:
    """As where days are recorded, not seconds; a few are open from early on."""
    draw = random.Random(unit)
    for p in (Fraction(1, 4), Fraction(1, 2), Fraction(9, 10)):
        ends = [int(draw.expovariate(1 / 5_000)) // unit * unit for _ in range(4_000)]
        plain = [(draw.randrange(200), False) if draw.random() < 0.01 else (seconds, True) for seconds in ends]
        coded = np.sort(np.array([seconds * 2 + (not done) for seconds, done in plain], dtype=np.int64))
        wanted = (oracle.kaplan_meier(plain, p), *oracle.waiting_interval(plain, p))
        assert (
            packed_duration_quantile(coded, float(p))
            == packed_duration_quantile(coded.astype(np.int32), float(p))
            == wanted
        )


def test_a_crossing_before_the_first_open_wait_is_found() -> None:
    """The band may come down among the waits that have all ended, far before the point itself."""
    ended = [(second, True) for second in range(1, 5_001)]
    for first_open in (2_400, 2_480, 2_499, 2_520):
        plain = [(seconds, (done and seconds <= first_open) or seconds % 3 > 0) for seconds, done in ended]
        coded = np.sort(np.array([seconds * 2 + (not done) for seconds, done in plain], dtype=np.int64))
        wanted = (oracle.kaplan_meier(plain, Fraction(1, 2)), *oracle.waiting_interval(plain, Fraction(1, 2)))
        assert packed_duration_quantile(coded, 0.5) == wanted


def test_half_way_to_never_is_no_level() -> None:
    """Exactly half have ended by the age at which a proof looks: the level is the last of these, nothing beyond it."""
    for never in (
        [NOT_REACHED] * 5,
        [NOT_REACHED + 1] * 5,
        [11, *[NOT_REACHED] * 4],
        [NOT_REACHED, 13, *[NOT_REACHED] * 3],
    ):  # some still wait
        waits = np.sort(np.array([*(2 * seconds for seconds in range(1, 6)), *never], dtype=np.int64))
        assert packed_duration_quantile(waits, 0.5)[0] == 5
        assert packed_duration_quantile(waits[1:], 0.5)[0] >= NOT_REACHED >> 1

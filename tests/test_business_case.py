"""Business cases: the worked one of the reference, closed forms, and how good a house's forecasts are."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from wellserved.business_case import (
    CaseInput,
    CaseModel,
    Forecast,
    ForecastRecord,
    GainTerm,
    evaluate_case,
)
from wellserved.errors import RequestError
from wellserved.moments import NotComputable

INPUTS = (
    CaseInput("cases", 900, 1200), CaseInput("avoidable", 0.08, 0.20), CaseInput("hours", 0.5, 2.0), CaseInput("rate", 38, 52),
    CaseInput("customers", 1, 4), CaseInput("margin", 1500, 4000), CaseInput("kept", 0.3, 0.3), CaseInput("cost", 6000, 12000),
)  # fmt: skip
MODEL = CaseModel(
    INPUTS,
    (GainTerm("hours", ("cases", "avoidable", "hours", "rate")), GainTerm("revenue", ("customers", "margin", "kept"))),
    ("cost",),
)


def test_the_case_of_the_reference() -> None:
    result = evaluate_case(MODEL)
    assert result.base == pytest.approx(-1172, abs=1)
    assert (result.median, result.low, result.high) == pytest.approx((-707, -5851, 7505), abs=60)
    assert result.loss_chance == pytest.approx(0.56, abs=0.01)
    swings = [(swing.name, round(swing.width)) for swing in result.tornado]
    assert swings == [
        ("hours", 8765), ("cost", 6000), ("avoidable", 5544), ("customers", 2205), ("rate", 1840), ("cases", 1687),
        ("margin", 1500), ("kept", 0),
    ]  # fmt: skip
    assert set(result.parts) == {"hours", "revenue"}


def test_a_product_of_lognormals_is_the_lognormal_that_it_must_be() -> None:
    model = CaseModel((CaseInput("a", 2, 8), CaseInput("b", 3, 5), CaseInput("free", 0, 0)), (GainTerm("cash", ("a", "b")),), ("free",))  # fmt: skip
    centre = math.log(4) + (math.log(3) + math.log(5)) / 2
    spread = math.hypot(math.log(8 / 2), math.log(5 / 3)) / (2 * 1.2815515655446004)
    exact = stats.lognorm(spread, scale=math.exp(centre)).ppf([0.1, 0.5, 0.9])
    result = evaluate_case(model)
    assert [result.low, result.median, result.high] == pytest.approx(list(exact), rel=0.01)
    assert result.loss_chance == 0.0


def test_a_sum_of_normals_is_the_normal_that_it_must_be() -> None:
    model = CaseModel(
        (CaseInput("gain", 50, 150, "any"), CaseInput("cost", 60, 100, "any")),
        (GainTerm("cash", ("gain",)),),
        ("cost",),
    )
    spread = math.hypot(100, 40) / (2 * 1.2815515655446004)
    exact = stats.norm(20, spread)
    result = evaluate_case(model)
    assert [result.low, result.median, result.high] == pytest.approx([float(exact.ppf(q)) for q in (0.1, 0.5, 0.9)], abs=0.6)  # fmt: skip
    assert result.loss_chance == pytest.approx(float(exact.cdf(0)), abs=0.006)


def test_a_measured_range_is_a_95_interval_and_a_share_stays_one() -> None:
    stated, measured = CaseInput("a", 10, 20), CaseInput("a", 10, 20, is_measured=True)
    assert measured.centre_and_spread[1] < stated.centre_and_spread[1]
    share = CaseInput("s", 0.05, 0.9, "share")
    assert 0 < share.at(-5) < share.at(5) < 1
    assert (share.at(-1.2815515655446004), share.at(1.2815515655446004)) == pytest.approx((0.05, 0.9))


@pytest.mark.parametrize(
    ("inputs", "years", "words"),
    [
        (((5.0, 2.0, "positive"),), 1, "is no range"),
        (((0.0, 2.0, "positive"),), 1, "Give a range above 0"),
        (((0.5, 1.5, "share"),), 1, "no range of a share"),
        (((1.0, 2.0, "positive"),), 4, "no horizon"),
    ],
)
def test_what_is_no_case_is_refused(inputs: tuple[tuple[float, float, str], ...], years: float, words: str) -> None:
    def build() -> None:
        items = tuple(CaseInput("x", low, high, kind) for low, high, kind in inputs)  # type: ignore[arg-type]
        CaseModel(items, (GainTerm("cash", ("x",)),), (), (), years)

    with pytest.raises(RequestError) as error:
        build()
    assert words in f"{error.value.problem} {error.value.remedy}"


def test_payback_in_months_or_that_there_is_none() -> None:
    gain, cost = CaseInput("gain", 1_200, 1_200), CaseInput("cost", 600, 600)
    assert evaluate_case(CaseModel((gain, cost), (GainTerm("cash", ("gain",)),), ("cost",))).payback_months == pytest.approx(6.0)  # fmt: skip
    dear = CaseInput("cost", 60_000, 60_000)
    assert isinstance(evaluate_case(CaseModel((gain, dear), (GainTerm("cash", ("gain",)),), ("cost",))).payback_months, NotComputable)  # fmt: skip


def _record(inside: int, closed: int) -> ForecastRecord:
    return ForecastRecord(tuple(Forecast(str(n), 100, 50, 150, 120 if n < inside else 400) for n in range(closed)))


def test_four_of_ten_inside_says_that_ranges_are_too_narrow_and_widens_them() -> None:
    record = _record(4, 10)
    assert record.chance == pytest.approx(0.0064, abs=5e-5)
    assert record.widening > 1
    assert "ours are too narrow" in record.words
    assert _record(8, 9).widening == 1.0
    assert _record(10, 10).widening == 1.0
    assert isinstance(ForecastRecord().chance, NotComputable)
    wide = CaseInput("a", 50, 200).widened(2.0)
    assert (wide.low, wide.high) == pytest.approx((25, 400))

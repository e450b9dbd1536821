"""What accounts are worth: published values, other computations, simulation, refusals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from wellserved.errors import RequestError
from wellserved.explore.renewals import decisions_of_accounts
from wellserved.explore.retention import Retention, fit_retention
from wellserved.moments import NotComputable
from wellserved.value.repeat import Purchases, RepeatModel, estimate_repeats, estimate_spend
from wellserved.value.worth import (
    discounted_renewals,
    discounted_years,
    total_by_currency,
    value_by_contract,
    value_by_years,
)

HIGH_END = Retention(0.668, 3.806)
REGULAR = Retention(0.704, 1.182)


def test_fader_and_hardie_2010_discounted_expected_residual_lifetime() -> None:
    """Customer-Base Valuation in a Contractual Setting, Marketing Science 29, table of DERL at a discount of 10%."""
    assert [discounted_renewals(REGULAR, n) for n in (1, 2, 3, 5)] == pytest.approx([2.965, 4.103, 4.870, 5.894], abs=5e-4)  # fmt: skip
    assert [discounted_renewals(HIGH_END, n) for n in (1, 2, 3)] == pytest.approx([5.415, 5.902, 6.294], abs=5e-4)
    assert [REGULAR.renewal_chance(n) for n in range(4)] == pytest.approx([0.627, 0.756, 0.819, 0.856], abs=5e-4)


def test_five_years_and_what_comes_beyond() -> None:
    assert discounted_years(REGULAR, 1) == pytest.approx(1.827, abs=5e-4)
    assert discounted_years(REGULAR, 3) == pytest.approx(2.727, abs=5e-4)
    assert discounted_years(REGULAR, 2, years=2_000) == pytest.approx(discounted_renewals(REGULAR, 2), abs=2e-3)


def test_ten_accounts_of_the_reference() -> None:
    renewals = [0, 0, 1, 1, 2, 3, 3, 4, 5, 5]
    left = [1, 1, 1, 0, 1, 0, 1, 0, 0, 0]
    decisions, _size = decisions_of_accounts((0, k, bool(gone), 1) for k, gone in zip(renewals, left, strict=True))
    fit = fit_retention(decisions)
    assert (fit.a, fit.b) == pytest.approx((1.921, 8.013), rel=2e-3)
    worth = value_by_contract(fit, 2, 1_000.0)
    assert worth.low < worth.value < worth.high
    assert worth.basis == "contract"


def test_a_typed_figure_says_that_it_is_one() -> None:
    worth = value_by_years(1_000.0, 2.5)
    assert worth.value == pytest.approx(1_000 + 1_000 / 1.1 + 500 / 1.21)
    assert (worth.low, worth.high, worth.basis) == (worth.value, worth.value, "typed")


def test_currencies_are_never_added() -> None:
    total = total_by_currency([(100.0, "EUR"), (50.0, "USD"), (None, ""), (20.0, "EUR")])
    assert total.amounts == {"EUR": 120.0, "USD": 50.0}
    assert (total.count, total.unknown) == (3, 1)


CDNOW = RepeatModel(0.243, 4.414, 0.793, 2.426)


def test_fader_hardie_and_lee_2005_cdnow_customer_1516() -> None:
    """Counting Your Customers the Easy Way, Marketing Science 24, p. 281: x = 2, t_x = 30.43, T = 38.86."""
    customer = Purchases(np.array([2.0]), np.array([30.43]), np.array([38.86]))
    assert CDNOW.expected(customer, 39)[0] == pytest.approx(1.226, abs=5e-4)
    assert CDNOW.alive(customer)[0] == pytest.approx(0.727, abs=5e-4)


def _cdnow() -> Purchases:
    """The 2,357 customers of CDNOW: repeat purchases, week of the last, weeks watched."""
    rows: list[tuple[float, float, float]] = []
    lines = (Path(__file__).parents[1] / "reference" / "cdnow.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if not line.startswith("#"):
            watched, last_customer, *again = line.split()
            buyers_again = [tuple(map(float, buyer.split("/"))) for buyer in again]
            once = int(last_customer) - len(rows) - len(buyers_again)
            rows += [(repeats, last, float(watched)) for repeats, last in [*buyers_again, *[(0.0, 0.0)] * once]]
    return Purchases(*np.array(rows).T)


def test_fader_hardie_and_lee_2005_the_fit_of_cdnow() -> None:
    """Table 2: r .243, alpha 4.414, a .793, b 2.426, log likelihood -9,582.4."""
    purchases = _cdnow()
    assert (len(purchases.repeats), purchases.repeats.sum(), (purchases.repeats > 0).sum()) == (2_357, 2_457, 946)
    fit = estimate_repeats(purchases)
    assert [fit.r, fit.alpha, fit.a, fit.b] == pytest.approx([0.243, 4.414, 0.793, 2.426], abs=6e-4)
    assert fit.log_likelihood == pytest.approx(-9_582.4, abs=0.05)


def _likelihood_by_integration(model: RepeatModel, x: int, last: float, watched: float) -> float:
    """One customer's likelihood, summed over all rates and chances of stopping by numbers alone."""

    nodes, rate_weights = special.roots_genlaguerre(60, model.r - 1)
    rates = nodes[:, None] / model.alpha
    chances, stop_weights = special.roots_jacobi(40, model.b - 1, model.a - 1)
    p = (chances[None, :] + 1) / 2
    goes_on = (1 - p) ** x * rates**x * np.exp(-rates * watched)
    stopped = p * (1 - p) ** (x - 1) * rates**x * np.exp(-rates * last) if x else 0.0
    weights = np.outer(rate_weights / rate_weights.sum(), stop_weights / stop_weights.sum())
    return float(((goes_on + stopped) * weights).sum())


@pytest.mark.parametrize(("x", "last", "watched"), [(0, 0.0, 10.0), (2, 6.0, 10.0), (5, 9.5, 10.0)])
def test_the_likelihood_is_that_of_the_mixture(x: int, last: float, watched: float) -> None:
    from wellserved.value.repeat import _log_likelihood

    model = RepeatModel(1.4, 3.0, 1.7, 2.5)
    logs = np.log([model.r, model.alpha, model.a, model.b])
    purchases = Purchases(np.array([float(x)]), np.array([last]), np.array([watched]))
    expected = math.log(_likelihood_by_integration(model, x, last, watched))
    assert _log_likelihood(logs, purchases, np.ones(1)) == pytest.approx(expected, abs=1e-4)


def buyers(model: RepeatModel, size: int, seed: int) -> tuple[Purchases, np.ndarray]:
    """Customers of a model watched for 27 to 39 weeks, and what they bought in the 39 weeks after."""
    random = np.random.default_rng(seed)
    rates, stops = random.gamma(model.r, 1 / model.alpha, size), random.beta(model.a, model.b, size)
    watched = random.uniform(27, 39, size)
    repeats, last, later = np.zeros(size), np.zeros(size), np.zeros(size)
    for i in range(size):
        at = 0.0
        while True:
            at += random.exponential(1 / max(rates[i], 1e-12))
            if at > watched[i] + 39:
                break
            if at <= watched[i]:
                repeats[i], last[i] = repeats[i] + 1, at
            else:
                later[i] += 1
            if random.random() < stops[i]:
                break
    return Purchases(repeats, last, watched), later


def test_a_known_model_is_found_and_foretells_what_comes() -> None:
    purchases, later = buyers(CDNOW, 4_000, 5)
    fit = estimate_repeats(purchases)
    assert fit.r == pytest.approx(CDNOW.r, rel=0.12)
    assert fit.alpha == pytest.approx(CDNOW.alpha, rel=0.2)
    assert float(fit.expected(purchases, 39).sum()) == pytest.approx(later.sum(), rel=0.08)
    low, high = fit.interval(lambda model: float(model.expected(purchases, 39).mean()))
    assert low < float(CDNOW.expected(purchases, 39).mean()) < high


def test_few_buyers_are_refused_and_impossible_ones_named() -> None:
    purchases, _later = buyers(CDNOW, 100, 1)
    with pytest.raises(RequestError, match="100 customers are too few"):
        estimate_repeats(purchases)
    with pytest.raises(RequestError, match="Customer 1 bought last after the end"):
        Purchases(np.array([1.0]), np.array([9.0]), np.array([5.0]))


def test_spend_by_gamma_gamma_and_its_refusal() -> None:
    """Parameters of the CDNOW data in Fader and Hardie (2013): p 6.25, q 3.74, v 15.44; a mean of 35.2."""
    random = np.random.default_rng(2)
    size, p, q, v = 6_000, 6.25, 3.74, 15.44
    repeats = random.integers(1, 12, size).astype(float)
    rates = random.gamma(q, 1 / v, size)
    spend = random.gamma(p * repeats, 1 / (rates * repeats))
    model = estimate_spend(repeats, spend)
    assert not isinstance(model, NotComputable)
    assert (model.p * model.v, model.q) == pytest.approx((p * v, q), rel=0.08)  # p and v alone are told less well
    assert float(model.expected(np.array([0.0]), np.array([0.0]))[0]) == pytest.approx(p * v / (q - 1), rel=0.05)
    wild = random.gamma(p * repeats, 1 / (random.gamma(0.9, 1 / v, size) * repeats))
    assert isinstance(told := estimate_spend(repeats, wild), NotComputable)
    assert "no mean can be told" in told.reason  # q is 1 or less, and half of all spend is one customer's
    refused = estimate_spend(repeats, spend * repeats)
    assert isinstance(refused, NotComputable)
    assert "spends more a time" in refused.reason

"""What is an account still worth to us? A typed figure first, then what its contract or its purchases let us expect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from scipy import special

from wellserved.explore.retention import Retention, RetentionFit
from wellserved.prove.engine.model import Floats
from wellserved.value.repeat import Purchases, RepeatFit, RepeatModel, SpendFit

DISCOUNT: Final = 0.10  # a year; stated wherever a value is shown
YEARS_AHEAD: Final = 5
WorthBasis = Literal["typed", "contract", "purchases"]


def discounted_renewals(model: Retention, decision: int, discount: float = DISCOUNT) -> float:
    """Renewals still to be expected just before the n-th decision, the first of them at once: DERL.

    P. S. Fader and B. G. S. Hardie, Customer-Base Valuation in a Contractual Setting, Marketing Science 29 (2010) 85, equation 6.
    """
    a, b, n = model.a, model.b, decision
    factor = special.hyp2f1(1.0, b + n, a + b + n, 1 / (1 + discount))
    return float((b + n - 1) / (a + b + n - 1) * factor)


def discounted_years(model: Retention, decision: int, years: int = YEARS_AHEAD, discount: float = DISCOUNT) -> float:
    """The part of it that the next years bring."""
    chances = np.cumprod([model.renewal_chance(decision - 1 + ahead) for ahead in range(years)])
    return float((chances / (1 + discount) ** np.arange(years)).sum())


@dataclass(frozen=True)
class ExpectedValue:
    """What the next five years bring, discounted; in one currency."""

    value: float
    low: float  # 95%; of a typed figure the figure itself
    high: float
    basis: WorthBasis
    words: str  # how it came about
    beyond: float | None = None  # what comes after those years; None: not told
    currency: str = ""  # where it is another than its account's

    def times(self, amount: float) -> ExpectedValue:
        """The value of so much a year, from that of one."""
        beyond = None if self.beyond is None else self.beyond * amount
        return replace(self, value=self.value * amount, low=self.low * amount, high=self.high * amount, beyond=beyond)


def value_by_contract(fit: RetentionFit, renewals: int, revenue_year: float) -> ExpectedValue:
    """Of an account that has renewed so often and pays so much a year; its next decision is the one after."""
    decision = renewals + 1
    low, high = fit.interval(lambda model: discounted_years(model, decision))
    years = discounted_years(fit, decision)
    return ExpectedValue(
        revenue_year * years, revenue_year * low, revenue_year * high, "contract",
        f"{renewals} renewals so far; of accounts like it {fit.renewal_chance(renewals):.0%} renew next time",
        revenue_year * (discounted_renewals(fit, decision) - years),
    )  # fmt: skip


def value_by_years(revenue_year: float, years: float) -> ExpectedValue:
    """A typed number of years always wins, and says so; whole years at a time, the last one in part."""
    ages = np.arange(0, np.ceil(years))
    parts = np.minimum(years - ages, 1.0)
    value = revenue_year * float((parts / (1 + DISCOUNT) ** ages).sum())
    return ExpectedValue(value, value, value, "typed", f"{years:g} more years, as typed in")


def value_by_purchases(
    fit: RepeatFit, spend_fit: SpendFit, purchases: Purchases, mean_spend: Floats, units_a_year: float
) -> list[ExpectedValue]:
    """Of customers without a contract: what they are expected to buy in each of the next years, discounted.

    `mean_spend`: of each one's repeat purchases; `units_a_year`: of the time in which purchases are counted. The interval
    holds what is not known of how often they buy, and of what a purchase is worth.
    """
    totals = np.array(
        [
            _discounted_purchases(model, purchases, units_a_year) * spend.expected(purchases.repeats, mean_spend)
            for model, spend in zip((fit, *fit.draws), (spend_fit, *spend_fit.draws), strict=True)
        ]
    )
    with np.errstate(invalid="ignore"):
        low, high = np.nanquantile(totals[1:], [0.025, 0.975], axis=0)
    alive = fit.alive(purchases)
    return [
        ExpectedValue(
            float(totals[0, i]), float(low[i]), float(high[i]), "purchases",
            f"{int(purchases.repeats[i])} purchases after the first; still buying with a chance of {alive[i]:.0%}",
        )
        for i in range(len(mean_spend))
    ]  # fmt: skip


def _discounted_purchases(model: RepeatModel, purchases: Purchases, units_a_year: float) -> Floats:
    years = np.array([model.expected(purchases, year * units_a_year) for year in range(1, YEARS_AHEAD + 1)])
    each = np.diff(years, axis=0, prepend=np.zeros((1, years.shape[1])))
    discounted: Floats = (each / (1 + DISCOUNT) ** (np.arange(YEARS_AHEAD)[:, None] + 0.5)).sum(axis=0)
    return discounted


@dataclass(frozen=True)
class MoneyTotal:
    """Sums by currency: amounts in two currencies are never added without a stated rate."""

    amounts: Mapping[str, float]
    count: int  # accounts with a figure
    unknown: int  # accounts without one


def total_by_currency(figures: Iterable[tuple[float | None, str]]) -> MoneyTotal:
    """Amounts with their currencies; None: unknown."""
    amounts: dict[str, float] = {}
    count = unknown = 0
    for amount, currency in figures:
        if amount is None:
            unknown += 1
            continue
        count += 1
        amounts[currency] = amounts.get(currency, 0.0) + amount
    return MoneyTotal(dict(sorted(amounts.items())), count, unknown)

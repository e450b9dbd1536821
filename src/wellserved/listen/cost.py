"""What a problem costs: hours of replies as somebody declared them, and what was given back.

Every number says what it rests on. Nothing here says what would be gained if the problem were gone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wellserved.engine.duckdb import quote_text
from wellserved.measure.case_table import CaseTable
from wellserved.measure.interval import garwood_interval, mean_with_interval, weighted_count_interval
from wellserved.moments import JOURNAL_SOURCE, NotComputable

GIVING_BACK_KINDS: Final = ("returned", "recovered")
"""Moments whose amount went back to the customer: the worth of what came back, and what making it right took."""


LEAST_AMOUNT, LARGEST_AMOUNT = 0.005, 1e15  # what is less is nothing; what is more is no money


@dataclass(frozen=True)
class Cost:
    """What one reply takes, as somebody declared it."""

    minutes: float | None = None  # of work a reply
    rate: float | None = None  # money an hour
    currency: str = ""

    def but(self, override: Cost) -> Cost:
        """As this says, but for what the override says."""
        rate = (self.rate, self.currency) if override.rate is None else (override.rate, override.currency)
        return Cost(self.minutes if override.minutes is None else override.minutes, *rate)


@dataclass(frozen=True)
class Amount:
    """A number with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ProblemCost:
    """Hours, money given back, and both as money."""

    hours: Amount | NotComputable
    given_back: Amount | NotComputable
    money: Amount | NotComputable  # hours at the declared rate, and what was given back
    currency: str  # of what is known of these; empty: none is stated
    counts_work: bool = False  # in the money
    counts_back: bool = False

    @property
    def weight(self) -> Amount | NotComputable:
        """How much it is: money where that is known, else hours."""
        return self.hours if isinstance(self.money, NotComputable) else self.money


Totals = Mapping[str, Any]  # what one problem's cases sum up to
GivenBack = Mapping[str, Mapping[str, Totals]]  # label -> currency -> total, squares, largest


def problem_cost(totals: Totals, label: str, given_back: GivenBack, cost: Cost, has_replies: bool) -> ProblemCost:
    """The cost of one problem's cases, each part with its interval or why it is not known. `has_replies`: replies are recorded, of this
    problem or of others."""
    hours = _hours(totals, cost) if has_replies or cost.minutes is None else NotComputable("no replies are recorded")
    back, currency = _given_back(given_back, label)
    counts_work = not isinstance(hours, NotComputable) and cost.rate is not None
    counts_back = not isinstance(back, NotComputable)
    known_currency = currency if counts_back else cost.currency
    return ProblemCost(hours, back, _money(hours, back, currency, cost), known_currency, counts_work, counts_back)


def query_given_back(case_table: CaseTable, segment: str, span: str, values: dict[str, object]) -> GivenBack:
    """What went back to customers by problem and currency; of a case that tells both of a return and of its recovery,
    the larger counts, since the one often pays for the override."""
    kinds = ", ".join(map(quote_text, GIVING_BACK_KINDS))
    worth = [f"coalesce(abs(sum(amount) FILTER (kind = {quote_text(kind)})), 0)" for kind in GIVING_BACK_KINDS]
    sql = f"""SELECT label, currency, sum(amount) AS total, sum(amount * amount) AS squares, max(amount) AS largest FROM (
            SELECT source, case_id, coalesce(currency, '') AS currency, greatest({", ".join(worth)}) AS amount FROM moments
            WHERE kind IN ({kinds}) AND amount IS NOT NULL AND source <> {quote_text(JOURNAL_SOURCE)} GROUP BY ALL
        ) JOIN (SELECT source, case_id, {segment} AS label FROM {case_table.table} WHERE {span}) USING (source, case_id)
        WHERE amount >= {LEAST_AMOUNT} AND label IS NOT NULL GROUP BY ALL"""
    totals: dict[str, dict[str, Totals]] = {}
    for row in case_table.engine.query(sql, values).to_pylist():
        totals.setdefault(str(row["label"]), {})[row["currency"]] = row
    return totals


def _hours(totals: Totals, cost: Cost) -> Amount | NotComputable:
    """Replies by a person times the minutes declared; the interval is that of the mean replies a case."""
    if cost.minutes is None:
        return NotComputable("nobody declared how long a reply takes")
    cases, replies, squares = (int(totals[name] or 0) for name in ("cases", "replies", "squares"))
    hours_a_reply = cost.minutes / 60
    if cases < 2:  # the spread between cases is not known
        low, high = garwood_interval(replies)
        return Amount(replies * hours_a_reply, low * hours_a_reply, high * hours_a_reply)
    mean, low, high = mean_with_interval(cases, replies, squares)
    return Amount(*(cases * value * hours_a_reply for value in (mean, max(low, 0.0), high)))


def _given_back(given_back: GivenBack, label: str) -> tuple[Amount | NotComputable, str]:
    """What went back to a problem's customers, and its currency."""
    currencies = sorted({currency for by_currency in given_back.values() for currency in by_currency})
    if not currencies:
        return NotComputable("no amounts of returns or credits are recorded"), ""
    if len(currencies) > 1:
        return NotComputable(
            f"amounts in {' and '.join(name or 'no currency' for name in currencies)} are not added"
        ), ""
    # the largest of the house: a problem's own few would leave out what such cases may bring
    largest = max(by_currency[currencies[0]]["largest"] for by_currency in given_back.values())
    if largest > LARGEST_AMOUNT:
        return NotComputable(f"an amount of {largest:.0e} is no money"), ""
    row = given_back.get(label, {}).get(currencies[0], {"total": 0.0, "squares": 0.0})
    return Amount(row["total"], *weighted_count_interval(row["total"], row["squares"], largest)), currencies[0]


def _money(
    hours: Amount | NotComputable, back: Amount | NotComputable, currency: str, cost: Cost
) -> Amount | NotComputable:
    """Hours at the declared rate, what was given back, or both where both are known in one currency."""
    if cost.rate is None:
        return back if not isinstance(back, NotComputable) else NotComputable("nobody declared what an hour costs")
    if isinstance(hours, NotComputable):  # what went back is known all the same
        return hours if isinstance(back, NotComputable) else back
    hours_cost = Amount(*(value * cost.rate for value in (hours.value, hours.low, hours.high)))
    if isinstance(back, NotComputable):
        return back if "not added" in back.reason else hours_cost
    if currency != cost.currency:
        return NotComputable(
            f"hours in {cost.currency or 'no currency'} and amounts in {currency or 'no currency'} are not added"
        )
    return _sum(hours_cost, back)


def _sum(first: Amount, second: Amount) -> Amount:
    """Two independent amounts together. Zou & Donner, Statistics in Medicine 27 (2008) 1693-1702, equation 8."""
    value = first.value + second.value
    below = math.hypot(first.value - first.low, second.value - second.low)
    above = math.hypot(first.high - first.value, second.high - second.value)
    return Amount(value, max(value - below, 0.0), value + above)

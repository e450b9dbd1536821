"""How often do the intervals of what customers are worth hold the truth, and how often do the models decline?

    python -m bench.calibration.worth [--runs 1000]

Houses of a known truth: accounts under contracts of a year that begin at different times and are known from different
renewals on (beta chances of leaving), and customers who buy when they like (BG/NBD, gamma-gamma spend). Each house is
fitted as the product does it; an interval is right where it holds what the true model says of the same account or customer.
The table goes to docs/methods/worth.json.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wellserved.errors import RequestError
from wellserved.explore.renewals import decisions_of_accounts
from wellserved.explore.retention import Retention, estimate_retention
from wellserved.moments import NotComputable
from wellserved.value.repeat import (
    PARAMETER_DRAWS,
    Purchases,
    RepeatFit,
    RepeatModel,
    SpendFit,
    SpendModel,
    estimate_repeats,
    estimate_spend,
)
from wellserved.value.worth import discounted_years, value_by_contract, value_by_purchases

TARGET = Path(__file__).resolve().parent.parent.parent / "docs" / "methods" / "worth.json"
WEEKS_A_YEAR = 52.18
CONTRACT_HOUSES = {  # accounts, beta(a, b), years that the record covers
    "60 accounts, alike": (60, Retention(14.0, 56.0), 5),
    "60 accounts": (60, Retention(0.7, 2.8), 4),
    "150 accounts": (150, Retention(0.67, 3.8), 5),
    "600 accounts": (600, Retention(1.2, 6.0), 4),
}
BUYER_HOUSES = {  # customers, BG/NBD in weeks
    "600 customers": (600, RepeatModel(0.6, 6.0, 0.9, 3.0)),
    "1,500 customers, few purchases": (1_500, RepeatModel(0.243, 4.414, 0.793, 2.426)),
}
SPEND = SpendModel(6.25, 3.74, 15.44)
Right = Iterator[tuple[str, bool]]  # quantity, whether its interval holds the truth


def contract_history(random: np.random.Generator, model: Retention, years: int) -> tuple[int, int, bool]:
    """(renewals made before the record, renewals in all, left) of an account that was there when the record began, or came later."""
    while True:
        chance, began = random.beta(model.a, model.b), int(random.integers(-4, years - 1))
        lifetime = int(random.geometric(max(chance, 1e-9))) - 1  # renewals before it leaves
        before = max(-began, 0)
        if lifetime >= before:
            renewals = min(lifetime, years - 1 - began)
            return before, renewals, lifetime == renewals and lifetime < years - 1 - began


def contract_house(random: np.random.Generator, size: int, model: Retention, years: int) -> Right:
    """Chances of renewal and worth, of accounts new and old."""
    histories = [(*contract_history(random, model, years), 1) for _account in range(size)]
    decisions, accounts = decisions_of_accounts(histories)
    fit = estimate_retention(decisions, accounts)
    for renewals in (0, 2, 4):
        low, high = fit.interval(lambda likely, renewals=renewals: likely.renewal_chance(renewals))  # type: ignore[misc]
        yield f"chance to renew after {renewals}", low <= model.renewal_chance(renewals) <= high
        worth = value_by_contract(fit, renewals, 1.0)
        yield f"five years after {renewals}", worth.low <= discounted_years(model, renewals + 1) <= worth.high


def purchases_of(random: np.random.Generator, model: RepeatModel, size: int) -> tuple[Purchases, np.ndarray]:
    """Customers watched for half a year to a year and a half, and what each spends on a purchase."""
    rates, stops = random.gamma(model.r, 1 / model.alpha, size), random.beta(model.a, model.b, size)
    watched = random.uniform(26, 78, size)
    repeats, last, spend = np.zeros(size), np.zeros(size), np.zeros(size)
    scales = random.gamma(SPEND.q, 1 / SPEND.v, size)
    for i in range(size):
        at = random.exponential(1 / max(rates[i], 1e-12))
        while at <= watched[i]:
            repeats[i], last[i] = repeats[i] + 1, at
            spend[i] += random.gamma(SPEND.p, 1 / scales[i])
            if random.random() < stops[i]:
                break
            at += random.exponential(1 / rates[i])
    return Purchases(repeats, last, watched), spend / np.maximum(repeats, 1)


def buyer_house(random: np.random.Generator, size: int, model: RepeatModel) -> Right:
    """Worth of three customers: one who never came again, one who fell silent, one who buys."""
    purchases, mean_spend = purchases_of(random, model, size)
    fit, spend_fit = estimate_repeats(purchases), estimate_spend(purchases.repeats, mean_spend)
    if isinstance(spend_fit, NotComputable):
        raise RequestError(spend_fit.reason, "")
    customers = Purchases(np.array([0.0, 3.0, 6.0]), np.array([0.0, 20.0, 50.0]), np.full(3, 52.0))
    spends = np.array([0.0, 30.0, 40.0])
    truth_fit = RepeatFit(model.r, model.alpha, model.a, model.b, 0.0, (model,) * PARAMETER_DRAWS)
    truth_spend = SpendFit(SPEND.p, SPEND.q, SPEND.v, (SPEND,) * PARAMETER_DRAWS)
    truth = value_by_purchases(truth_fit, truth_spend, customers, spends, WEEKS_A_YEAR)
    worth = value_by_purchases(fit, spend_fit, customers, spends, WEEKS_A_YEAR)
    for name, told, true in zip(("bought once", "fell silent", "buys"), worth, truth, strict=True):
        yield f"five years: {name}", told.low <= true.value <= told.high


def rows_of(house: str, runs: int) -> list[dict[str, object]]:
    """One kind of house, drawn so often."""
    counts: dict[str, list[bool]] = defaultdict(list)
    declined = 0
    for run in range(runs):
        random = np.random.default_rng([run, *house.encode()])
        try:
            if house in CONTRACT_HOUSES:
                size, retention, years = CONTRACT_HOUSES[house]
                outcomes = list(contract_house(random, size, retention, years))
            else:
                outcomes = list(buyer_house(random, *BUYER_HOUSES[house]))
        except RequestError:
            declined += 1
            continue
        for quantity, is_right in outcomes:
            counts[quantity].append(is_right)
    if not counts:
        return [{"house": house, "quantity": "", "runs": runs, "declined": declined, "covers": None}]
    return [
        {"house": house, "quantity": quantity, "runs": runs, "declined": declined, "covers": round(float(np.mean(right)), 4)}
        for quantity, right in counts.items()
    ]  # fmt: skip


def main() -> None:
    """Draw every kind of house."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000)
    arguments = parser.parse_args()
    rows = []
    for house in (*CONTRACT_HOUSES, *BUYER_HOUSES):
        for row in rows_of(house, arguments.runs):
            rows.append(row)
            print(row, flush=True)
    TARGET.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

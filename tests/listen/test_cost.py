"""What problems cost: given back, hours, both; and what they rest on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from wellserved.actions.imports import import_file
from wellserved.actions.problem_costs import declare_cost, declared_cost, parse_cost
from wellserved.actions.problem_questions import overview
from wellserved.errors import DamageError, RequestError
from wellserved.listen.cost import Amount, Cost
from wellserved.listen.sizes import ProblemSize
from wellserved.mapping import parse_mapping
from wellserved.measure import MeasureQuestion
from wellserved.measure.interval import garwood_interval, weighted_count_interval
from wellserved.moments import NotComputable
from wellserved.render.tables.problems import problem_record, problem_table
from wellserved.storage.workspace import Workspace, create_workspace

MAPPING = """name = "shop"
title = "Shop"
zone = "UTC"
case = "id"
[columns]
category = "category"
{columns}
[[moment]]
kind = "asked"
at = "created"
required = true
[[moment]]
kind = "replied"
at = "answered"
[[moment]]
kind = "returned"
at = "came back"
amount = "value"
{currency}
[[moment]]
kind = "recovered"
at = "refunded"
amount = "refund"
{currency}
"""


def shop(folder: Path, rows: list[dict[str, object]], currency: str = 'currency = "money"') -> Workspace:
    """A shop that records what came back and what was refunded."""
    folder.mkdir(exist_ok=True)
    workspace = create_workspace(folder / "shop", "UTC")
    file = folder / "shop.csv"
    names = ("id", "category", "created", "answered", "came back", "value", "refunded", "refund", "money")
    with file.open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, names, restval="")
        writer.writeheader()
        writer.writerows({**row, "money": "EUR"} for row in rows)
    import_file(workspace, file, parse_mapping(MAPPING.format(columns="", currency=currency), "shop.toml"))
    return workspace


def rows(count: int, category: str, first: int = 0, **more: object) -> list[dict[str, object]]:
    """Cases of a category, a day each."""
    return [
        {
            "id": first + index,
            "category": category,
            "created": f"2025-{1 + index // 28:02d}-{1 + index % 28:02d} 08:00",
            "answered": f"2025-{1 + index // 28:02d}-{1 + index % 28:02d} 09:00",
            **more,
        }
        for index in range(count)
    ]


def sizes(workspace: Workspace, cost: Cost | None = None) -> dict[str, ProblemSize]:
    """Category -> its size."""
    return {size.label: size for size in overview(workspace, "category", MeasureQuestion(()), cost).sizes}


def test_events_of_one_weight_have_the_interval_of_a_count() -> None:
    for count in (0, 1, 7, 60):
        assert weighted_count_interval(count, count, 1) == pytest.approx(garwood_interval(count))
        assert weighted_count_interval(25 * count, 625 * count, 25) == pytest.approx(
            [25 * bound for bound in garwood_interval(count)]
        )


def test_the_interval_holds_what_unlike_events_come_to() -> None:
    chance = np.random.default_rng(3)
    for mean_count, spread in ((4, 0.5), (12, 1.0), (60, 1.5)):
        expected = mean_count * np.exp(spread**2 / 2)
        covered = 0
        for _ in range(600):
            amounts = chance.lognormal(0, spread, chance.poisson(mean_count))
            largest = max(*amounts, *chance.lognormal(0, spread, 150))  # of the whole house
            low, high = weighted_count_interval(amounts.sum(), (amounts**2).sum(), largest)
            covered += low <= expected <= high
        assert covered >= 0.95 * 600, (mean_count, spread, covered)


def test_what_went_back_is_added_once_a_case(tmp_path: Path) -> None:
    back = {"came back": "2025-02-01 10:00", "value": 80, "refunded": "2025-02-02 10:00", "refund": 100}
    credit = {"refunded": "2025-02-02 10:00", "refund": -20}  # as ledgers write what they give
    data = (
        rows(10, "damaged") + rows(3, "damaged", 100, **back) + rows(2, "damaged", 200, **credit) + rows(9, "late", 300)
    )
    shown = sizes(shop(tmp_path, data))
    damaged, late = shown["damaged"].cost, shown["late"].cost
    assert isinstance(damaged.given_back, Amount)
    assert damaged.given_back.value == 340  # 3 of 100, not of 180, and 2 of 20
    assert damaged.given_back.low < 340 < damaged.given_back.high
    assert damaged.money == damaged.given_back
    assert damaged.currency == "EUR"
    assert isinstance(late.given_back, Amount)
    assert (late.given_back.value, late.given_back.low) == (0, 0)
    assert late.given_back.high == pytest.approx(100 * garwood_interval(0)[1])
    assert isinstance(damaged.hours, NotComputable)
    assert shown["damaged"].ranks[1][0] == 1
    assert shown["late"].ranks[1][1] == 2


def test_hours_and_what_went_back_are_added_in_one_currency_alone(tmp_path: Path) -> None:
    data = rows(30, "damaged", refunded="2025-03-02 10:00", refund=50)
    workspace = shop(tmp_path, data)
    cost = sizes(workspace, Cost(12, 40, "EUR"))["damaged"].cost
    assert isinstance(cost.hours, Amount)
    assert isinstance(cost.money, Amount)
    assert cost.hours.value == pytest.approx(30 * 12 / 60)
    assert cost.money.value == pytest.approx(30 * 12 / 60 * 40 + 1_500)
    assert cost.money.low < cost.money.value < cost.money.high
    assert isinstance(sizes(workspace, Cost(12, 40, "CHF"))["damaged"].cost.money, NotComputable)
    unnamed = shop(tmp_path / "unnamed", data, currency="")
    assert isinstance(sizes(unnamed, Cost(12, 40, "EUR"))["damaged"].cost.money, NotComputable)
    assert isinstance(sizes(unnamed)["damaged"].cost.money, Amount)


def test_what_went_back_stays_known_where_nobody_replied(tmp_path: Path) -> None:
    unanswered = rows(20, "late", 500, answered="", refunded="2025-03-02 10:00", refund=5_000)
    answered = rows(30, "damaged", refunded="2025-03-02 10:00", refund=5)
    workspace = shop(tmp_path, unanswered + answered)
    shown = sizes(workspace, Cost(9, 45, "EUR"))
    late, damaged = shown["late"].cost.money, shown["damaged"].cost.money
    assert isinstance(late, Amount)
    assert isinstance(damaged, Amount)
    assert late.value == 100_000
    assert damaged.value == pytest.approx(150 + 30 * 9 / 60 * 45)
    assert shown["late"].ranks[1] == (1, 1)
    alone = sizes(shop(tmp_path / "alone", unanswered), Cost(9, 45, "EUR"))["late"].cost
    assert isinstance(alone.hours, NotComputable)
    assert isinstance(alone.money, Amount)
    assert not alone.counts_work


def test_amounts_that_are_none_stop_nothing(tmp_path: Path) -> None:
    tiny = rows(20, "late", refunded="2025-03-02 10:00", refund="0.000000001")
    assert isinstance(sizes(shop(tmp_path / "tiny", tiny))["late"].cost.money, NotComputable)
    huge = rows(20, "late", refunded="2025-03-02 10:00", refund="1e160")
    cost = sizes(shop(tmp_path / "huge", huge))["late"].cost
    assert not isinstance(cost.money, Amount) or cost.money.high < 1e300
    assert weighted_count_interval(1e-200, 0.0, 1.0)[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"minutes": "9", "rate": 1, "currency": ""}',
        '{"minutes": NaN, "rate": 1, "currency": ""}',
        '{"minutes": -5, "rate": null, "currency": ""}',
    ],
)
def test_a_damaged_file_is_named_and_mended_as_its_remedy_says(tmp_path: Path, text: str) -> None:
    workspace = shop(tmp_path, rows(5, "late"))
    declare_cost(workspace, Cost(9, 45, "EUR"))
    (workspace.folder / "problems" / "cost.json").write_text(text, encoding="utf-8")
    with pytest.raises(DamageError, match="damaged"):
        declared_cost(workspace)
    declare_cost(workspace, Cost())  # listen cost --forget
    assert declared_cost(workspace) == Cost()


def test_records_without_amounts_say_so(tmp_path: Path) -> None:
    cost = sizes(shop(tmp_path, rows(20, "late")))["late"].cost
    assert isinstance(cost.given_back, NotComputable)
    assert "recorded" in cost.given_back.reason
    assert isinstance(cost.money, NotComputable)


def test_what_is_declared_holds_for_all_and_is_stated(tmp_path: Path) -> None:
    workspace = shop(tmp_path, rows(30, "late"))
    assert declared_cost(workspace) == Cost()
    declare_cost(workspace, declared_cost(workspace).but(parse_cost(9, "45 eur")))
    declare_cost(workspace, declared_cost(workspace).but(parse_cost(None, "50 EUR")))
    assert declared_cost(workspace) == Cost(9, 50, "EUR")
    found = overview(workspace, "category", MeasureQuestion(()))
    table = problem_table("category", found.sizes, found.told, found.cases, None, found.cost)
    assert "Hours: 9 minutes a reply, as declared. An hour costs 50 EUR, as declared." in table.note
    assert parse_cost(None, "45,50 €") == Cost(None, 45.5, "EUR")
    record = problem_record(found.sizes[0])
    assert record["hours"]["value"] == pytest.approx(4.5)
    assert record["cost"]["value"] == pytest.approx(225)
    assert record["currency"] == "EUR"


@pytest.mark.parametrize(
    ("minutes", "rate"),
    [
        (-1.0, None),
        (float("nan"), None),
        (None, "many"),
        (None, "-3 EUR"),
        (None, "inf EUR"),
        (None, "45 francs"),
        (None, "1 <b>"),
    ],
)
def test_what_cannot_be_is_refused(minutes: float | None, rate: str | None) -> None:
    with pytest.raises(RequestError):
        parse_cost(minutes, rate)

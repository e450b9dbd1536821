"""What cases are filed under beside what is said: hand-made tables with a known answer."""

from __future__ import annotations

import random

import numpy as np
import pytest

from wellserved.listen.cost import Amount
from wellserved.listen.filing import Filing, adjusted_residuals, compare_filing
from wellserved.moments import NotComputable


def filing(cells: dict[tuple[str, str], int]) -> Filing:
    """Category, problem -> cases."""
    pairs = [pair for pair, count in cells.items() for _ in range(count)]
    found = compare_filing(
        [pair[0] for pair in pairs],
        [pair[1] for pair in pairs],
        [f"words {index} of {pair}" for index, pair in enumerate(pairs)],
    )
    assert isinstance(found, Filing)
    return found


def test_residuals_are_those_of_a_published_table() -> None:
    """Agresti, An Introduction to Categorical Data Analysis (1996), section 2.4: party and gender; 2.3 and 2.6 in the corners."""
    table = np.array([[279.0, 73.0, 225.0], [165.0, 47.0, 191.0]])
    assert adjusted_residuals(table).round(1).tolist() == [[2.3, 0.5, -2.6], [-2.3, -0.5, 2.6]]


def test_alike_is_one_and_dealt_is_none() -> None:
    alike = filing({("delivery", "p1 late"): 40, ("billing", "p2 invoice"): 40})
    assert alike.agreement == pytest.approx(1)
    assert [(pair.category, pair.problem, pair.share_of_problem) for pair in alike.pairs] == [
        ("billing", "p2 invoice", 1.0),
        ("delivery", "p1 late", 1.0),
    ]
    assert not alike.broad_categories
    assert not alike.scattered_problems
    any_named = 0
    for seed in range(200):
        chance = random.Random(seed)
        names = [chance.choice("abcd") for _ in range(400)]
        found = compare_filing(names, [chance.choice("uvwxyz") for _ in names], [""] * 400)
        assert isinstance(found, Filing)
        any_named += bool(found.pairs)
    assert any_named <= 20  # 5% are allowed: 10 of 200, and chance


def test_a_category_that_hides_two_and_a_problem_that_is_scattered() -> None:
    found = filing(
        {
            ("other", "p1 cracked pump"): 30, ("other", "p2 wrong name"): 25, ("delivery", "p3 late"): 60,
            ("billing", "p4 login"): 14, ("delivery", "p4 login"): 13, ("repair", "p4 login"): 12, ("repair", "p5 noise"): 40,
        }
    )  # fmt: skip
    assert found.broad_categories == ("other",)
    assert found.scattered_problems == ("p4 login",)
    other = [pair for pair in found.pairs if pair.category == "other"]
    assert [pair.problem for pair in other] == ["p1 cracked pump", "p2 wrong name"]
    assert other[0].share_of_category == pytest.approx(30 / 55)


def test_equal_words_filed_apart_are_counted_by_wording() -> None:
    texts = [f"where is order {100 + index}" for index in range(4)]  # equal but for its number
    texts += [
        f"the {word} hums all day"
        for word in ("fan", "pump", "motor", "belt", "lamp", "door", "gate", "lift", "saw")
        for _ in range(2)
    ]
    categories = ["late", "late", "late", "other"] + ["noise", "noise"] * 8 + ["noise", "other"]
    found = compare_filing(
        [*categories, *["late"] * 20],
        [*["p1 a"] * 4, *["p2 b"] * 18, *["p1 a"] * 20],
        [*texts, *["x"] * 0, *[f"own {i} {chr(97 + i)}" for i in range(20)]],
    )
    assert isinstance(found, Filing)
    assert found.wordings == 10
    assert isinstance(found.split_share, Amount)
    assert found.split_share.value == pytest.approx(0.2)
    assert found.split_share.low < 0.2 < found.split_share.high


def test_too_little_says_so() -> None:
    assert isinstance(compare_filing(["a"] * 29, ["p"] * 29, [""] * 29), NotComputable)
    assert isinstance(compare_filing(["a"] * 40, ["p", "q"] * 20, [""] * 40), NotComputable)
    apart = filing({("a", "p"): 20, ("b", "q"): 20}).split_share
    assert isinstance(apart, NotComputable)

"""What cases are filed under beside what is said: hand-made tables with a known answer."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats

from wellserved.listen.cost import Amount
from wellserved.listen.filing import Filing, compare_filing
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


def test_pairs_are_those_of_fisher_s_exact_test() -> None:
    """Fisher's tea (1935): 3 of 4 cups right has the chance 17/70 on one side, 4 of 4 has 1/70; and by the library's exact test."""
    assert stats.hypergeom.sf(2, 8, 4, 4) == pytest.approx(17 / 70)
    cells = {("a", "p"): 12, ("a", "q"): 8, ("b", "p"): 5, ("b", "q"): 20}
    found = filing(cells)
    table = [[12, 8], [5, 20]]
    chances = {
        (row, column): stats.fisher_exact(
            [[table[i][j], table[i][1 - j]], [table[1 - i][j], table[1 - i][1 - j]]], alternative="greater"
        )[1]
        for i, row in enumerate("ab")
        for j, column in enumerate("pq")
    }
    named = {(pair.category, pair.problem) for pair in found.pairs}
    assert named == {pair for pair, chance in chances.items() if chance < 0.05 / 4} == {("a", "p"), ("b", "q")}


@pytest.mark.parametrize(("rows", "columns", "cases"), [(4, 6, 400), (20, 40, 2_000), (60, 80, 5_000)])
def test_chance_names_hardly_any_pair(rows: int, columns: int, cases: int) -> None:
    any_named = 0
    for seed in range(60):
        chance = np.random.default_rng(seed)
        weights = [1 / np.arange(1, size + 1) for size in (rows, columns)]
        categories, problems = (
            chance.choice(len(weight), cases, p=weight / weight.sum()).astype(str).tolist() for weight in weights
        )
        found = compare_filing(categories, problems, [""] * cases)
        assert isinstance(found, Filing)
        any_named += bool(found.pairs)
    assert any_named <= 7  # 3 are allowed of 60, and chance


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

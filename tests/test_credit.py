"""Credit in equal links: the worked example, Shapley's own definition, and what has to hold for every tree."""

from __future__ import annotations

import math
import random
from datetime import date, timedelta
from fractions import Fraction
from itertools import permutations

import pytest

from wellserved.credit import (
    UNCLAIMED,
    AdoptionStep,
    PracticeTree,
    check_tree,
    holders_of,
    links_to,
    percentages,
    share_credit,
)
from wellserved.errors import RequestError

TREE = PracticeTree("S", ("I",), (AdoptionStep("B", "", ("H1", "H2")), AdoptionStep("C", "B"), AdoptionStep("D")))
REACH = {"S": 1000, "B": 600, "C": 400, "D": 500}
TREES = 10_000


def random_tree(rng: random.Random) -> tuple[PracticeTree, dict[str, int]]:
    """A practice of up to a dozen people, with helpers, and what is not confirmed."""
    steps: list[AdoptionStep] = []
    for number in range(rng.randrange(12)):
        taught_by = rng.choice(["", *(step.adopter for step in steps)])
        helpers = tuple(rng.sample(["h1", "h2", "p0", "S"], rng.randrange(3)))
        steps.append(AdoptionStep(f"p{number}", taught_by, helpers, rng.random() < 0.9, rng.random() < 0.9))
    tree = PracticeTree("S", rng.choice([(), ("I",), ("I", "J"), ("S",)]), tuple(steps))
    return tree, {name: rng.randrange(1_000) for name in ("S", *(step.adopter for step in steps))}


def test_the_worked_example_to_the_last_fraction() -> None:
    shares = share_credit(TREE, REACH)
    assert shares.parts == {
        "S": Fraction(2750, 3), "I": Fraction(2750, 3), "B": 250, "H1": 75, "H2": 75, "C": 100, "D": Fraction(500, 3)
    }  # fmt: skip
    assert shares.whole == 2500
    assert f"{float(shares.share('S')):.2%}" == "36.67%"
    days, low, high = (round(float(shares.parts["S"]) * effect) for effect in (0.8, 0.4, 1.2))
    assert (days, low, high) == (733, 367, 1100)


def test_it_is_shapleys_value_where_an_effect_needs_its_whole_chain() -> None:
    """The tree of the reference without idea and help, by all orders of coming: S -> B -> C, S -> D; effects 100, 60, 40, 50."""
    chains = {100: {"S"}, 60: {"S", "B"}, 40: {"S", "B", "C"}, 50: {"S", "D"}}
    players, sums = "SBCD", dict.fromkeys("SBCD", Fraction(0))
    for order in permutations(players):
        here: set[str] = set()
        for player in order:
            before = sum(effect for effect, chain in chains.items() if chain <= here)
            here.add(player)
            sums[player] += sum(effect for effect, chain in chains.items() if chain <= here) - before
    shapley = {player: amount / math.factorial(4) for player, amount in sums.items()}
    assert [round(float(shapley[player]), 1) for player in players] == [168.3, 43.3, 13.3, 25.0]
    tree = PracticeTree("S", ("S",), (AdoptionStep("B"), AdoptionStep("C", "B"), AdoptionStep("D")))
    # the starter holds two links, idea and beginning: taken as one, they are the game's single player
    for adopter, effect in zip("SBCD", chains, strict=True):
        links = [link for link in links_to(tree, adopter) if link.kind != "idea"]
        for link in links:
            shapley[link.holders[0]] -= Fraction(effect, len(links))
    assert set(shapley.values()) == {Fraction(0)}


def test_ten_thousand_trees_keep_the_whole_and_are_fair() -> None:
    rng = random.Random(20)
    for _number in range(TREES):
        tree, reach = random_tree(rng)
        shares = share_credit(tree, reach)
        confirmed = [tree.starter, *(step.adopter for step in tree.steps if step.is_confirmed)]
        assert sum(shares.parts.values()) == shares.whole == sum(reach[name] for name in confirmed)
        assert min(shares.parts.values()) >= 0
        assert set(shares.parts) <= {*holders_of(tree), UNCLAIMED}
        assert "stranger" not in shares.parts
        shuffled = PracticeTree(tree.starter, tree.idea_givers, tuple(rng.sample(tree.steps, len(tree.steps))))
        assert share_credit(shuffled, reach).parts == shares.parts
        assert share_credit(tree, {name: -count for name, count in reach.items()}).parts == {
            name: -part for name, part in shares.parts.items()
        }


def test_a_new_leaf_lowers_nobody_and_touches_its_own_chain_alone() -> None:
    rng = random.Random(21)
    for _number in range(2_000):
        tree, reach = random_tree(rng)
        teacher = rng.choice(["", *(step.adopter for step in tree.steps)])
        grown = PracticeTree(tree.starter, tree.idea_givers, (*tree.steps, AdoptionStep("new", teacher)))
        before, after = share_credit(tree, reach).parts, share_credit(grown, {**reach, "new": 100}).parts
        chain = {name for link in links_to(grown, "new") for name in link.holders}
        for name in {*before, *after}:
            change = after.get(name, Fraction(0)) - before.get(name, Fraction(0))
            assert change > 0 if name in chain else change == 0


def test_equals_get_the_same() -> None:
    tree = PracticeTree("S", (), (AdoptionStep("a"), AdoptionStep("b"), AdoptionStep("c", "a", ("x", "y"))))
    parts = share_credit(tree, {"S": 5, "a": 40, "b": 40, "c": 0}).parts
    assert parts["a"] == parts["b"] == 40 / Fraction(3)
    assert parts["x"] == parts["y"] == 0


def test_what_is_not_confirmed_is_nobodys_and_the_whole_stays() -> None:
    tree = PracticeTree("S", (), (AdoptionStep("B"), AdoptionStep("C", "B", is_teaching_confirmed=False)))
    shares = share_credit(tree, {"S": 0, "B": 0, "C": 400})
    assert shares.parts[UNCLAIMED] == 100
    assert shares.whole == 400
    declined = PracticeTree("S", (), (AdoptionStep("B", is_confirmed=False),))
    assert share_credit(declined, {"S": 10, "B": 600}).whole == 10


def test_other_shares_hold_where_they_were_agreed_and_nowhere_else() -> None:
    agreed = {"B": {"B": Fraction(1, 2), "H1": Fraction(1, 2)}}
    shares = share_credit(TREE, REACH, agreed)
    plain = share_credit(TREE, REACH)
    assert shares.whole == plain.whole == sum(shares.parts.values())
    assert shares.parts["H1"] == 300
    assert shares.parts["C"] == plain.parts["C"]
    with pytest.raises(RequestError, match="100%"):
        share_credit(TREE, REACH, {"B": {"B": Fraction(1, 2)}})


def test_no_circle_no_double_and_nobody_before_their_teacher() -> None:
    day = date(2026, 1, 1)
    days = {name: day + timedelta(days=index) for index, name in enumerate("SBCD")}
    check_tree(TREE, days)
    for bad in (
        PracticeTree("S", (), (AdoptionStep("B"), AdoptionStep("B"))),
        PracticeTree("S", (), (AdoptionStep("S"),)),
        PracticeTree("S", (), (AdoptionStep("B", "X"),)),
        PracticeTree("S", (), (AdoptionStep("B", "C"), AdoptionStep("C", "B"))),
        PracticeTree("S", (), (AdoptionStep("B", "B"),)),
    ):
        with pytest.raises(RequestError):
            check_tree(bad)
    with pytest.raises(RequestError, match="before B"):
        check_tree(TREE, {**days, "C": day})


def test_percentages_sum_to_a_hundred_as_they_are_printed() -> None:
    assert percentages([Fraction(1, 3)] * 3) == ["34", "33", "33"]
    rng = random.Random(3)
    for _number in range(1_000):
        parts = [Fraction(rng.randrange(1, 1_000)) for _part in range(rng.randrange(1, 9))]
        for places in (0, 1):
            assert sum(Fraction(text) for text in percentages(parts, places)) == 100
    assert percentages([Fraction(0), Fraction(0)]) == ["0", "0"]

"""The pulse: nobody is seen, whoever looks and however long."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellserved.people.pulse import (
    FEWEST_ANSWERS,
    HOUSE,
    BlockAnswer,
    block_of,
    block_start,
    release_block,
    size_band,
)


def _answers(sizes: dict[str, int], value: int = 4) -> list[BlockAnswer]:
    return [BlockAnswer(f"{team}{n}", team, (value, value)) for team, size in sizes.items() for n in range(size)]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ({"A": 7, "B": 6, "C": 4}, [HOUSE, "A"]),
        ({"A": 7, "B": 6, "C": 5}, [HOUSE, "A", "B", "C"]),
        ({"A": 9, "B": 2, "C": 3}, [HOUSE, "A"]),
        ({"A": 4}, []),
        ({"A": 5, "B": 4}, [HOUSE]),
    ],
)
def test_the_groups_of_the_reference(sizes: dict[str, int], groups: list[str]) -> None:
    assert [mood.group for mood in release_block(1, _answers(sizes), {}, {}).moods] == groups


@given(st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(0, 14), max_size=8))
def test_every_group_and_every_rest_has_five_or_nobody(sizes: dict[str, int]) -> None:
    release = release_block(1, _answers(sizes), {}, {})
    told = {mood.group for mood in release.moods}
    total = sum(sizes.values())
    assert all(sizes.get(group, total) >= FEWEST_ANSWERS for group in told)
    rest = total - sum(sizes[group] for group in told if group != HOUSE)
    assert rest in (0, total) or rest >= FEWEST_ANSWERS
    assert told | set(release.silent) >= {group for group, size in sizes.items() if size}


@given(st.sets(st.integers(0, 30), min_size=6), st.sets(st.integers(0, 30), min_size=6))
def test_a_group_that_changed_by_a_few_people_waits(before: set[int], after: set[int]) -> None:
    persons = {"A": frozenset(map(str, after))}
    release = release_block(2, [BlockAnswer(str(n), "A", (3, 3)) for n in after], persons, {"A": frozenset(map(str, before))})  # fmt: skip
    is_told = "A" in {mood.group for mood in release.moods}
    assert is_told == (len(before ^ after) == 0 or len(before ^ after) >= FEWEST_ANSWERS)


def test_one_answer_in_a_block_is_none_and_all_alike_are_not_seen_through() -> None:
    once = [BlockAnswer(f"A{n}", "A", (1,)) for n in range(20)]
    assert release_block(1, once, {}, {}).moods == ()
    glad = release_block(1, _answers({"A": 20}, value=5), {}, {}).moods[1]
    assert glad.words == "8 in 10 or more are well (20-39 people)"
    grumpy = release_block(1, _answers({"A": 20}, value=1), {}, {}).moods[1]
    assert grumpy.words == "2 in 10 or fewer are well (20-39 people)"


def test_blocks_are_four_weeks_from_mondays() -> None:
    assert block_start(0).weekday() == 0
    for days in range(-100, 400):
        day = date(2026, 1, 5) + timedelta(days=days)
        assert block_start(block_of(day)) <= day < block_start(block_of(day) + 1)
    assert [size_band(n) for n in (5, 9, 10, 19, 20, 39, 40)] == ["5-9", "5-9", "10-19", "10-19", "20-39", "20-39", "40-79"]  # fmt: skip


def _attack(seed: int, moves: float, weeks: int = 52) -> tuple[float, float, float]:
    """Who knows each week who was there, and in which team, regresses all that is told of the house and its three teams on it.

    `moves`: the chance that somebody of a team leaves before a block, and that somebody joins it. Returns how often the
    unhappiest of a team is named, how often by chance, and how well those of one team are told apart.
    """
    random = np.random.default_rng(seed)
    moods = random.normal(3.4, 0.8, 60)
    teams = {name: list(range(8 * number, 8 * number + 8)) for number, name in enumerate("ABC")}
    newest, rows, told = 24, [], []
    earlier: dict[str, frozenset[str]] = {}
    for block in range(weeks // 4):
        for people in teams.values():
            if random.random() < moves and len(people) > 5:
                people.pop(int(random.integers(len(people))))
            if random.random() < moves and newest < len(moods):
                people.append(newest)
                newest += 1
        answers, counted = [], {}
        for team, people in teams.items():
            for person in people:
                present = int((random.random(4) < 0.85).sum())
                values = np.clip(np.round(moods[person] + random.normal(0, 0.5, present)), 1, 5).astype(int)
                answers.append(BlockAnswer(str(person), team, tuple(values.tolist())))
                counted[person] = present >= 2
        persons = {team: frozenset(map(str, people)) for team, people in teams.items()}
        persons[HOUSE] = frozenset().union(*persons.values())
        for mood in release_block(block, answers, persons, earlier).moods:
            earlier[mood.group] = persons[mood.group]
            row = np.zeros(len(moods))
            row[[int(name) for name in persons[mood.group] if counted[int(name)]]] = 1
            rows.append(row)
            told.append(mood.good_in_ten * row.sum() / 10)
    design = np.array(rows)
    share = np.sum(told) / design.sum()
    guess = np.linalg.solve(
        design.T @ design + np.eye(len(moods)), design.T @ (np.array(told) - share * design.sum(axis=1))
    )
    hits = [int(people[np.argmin(guess[people])] == people[np.argmin(moods[people])]) for people in teams.values()]
    within = np.concatenate(
        [
            np.array([guess[people], moods[people]]) - [[guess[people].mean()], [moods[people].mean()]]
            for people in teams.values()
        ],
        axis=1,
    )
    return (
        float(np.mean(hits)),
        float(np.mean([1 / len(people) for people in teams.values()])),
        float(np.corrcoef(within)[0, 1]),
    )


@pytest.mark.parametrize(("moves", "most_named", "most_told_apart"), [(0.0, 0.18, 0.15), (0.3, 0.19, 0.2)])
def test_a_year_of_knowing_who_was_away_who_left_and_who_joined_names_nobody(
    moves: float, most_named: float, most_told_apart: float
) -> None:
    """A weekly mean over those present names the unhappiest of eight in 39 of 100 teams; chance in 12 or 13."""
    results = np.array([_attack(seed, moves) for seed in range(200)])
    named, by_chance, correlation = results.mean(axis=0)
    assert by_chance == pytest.approx(0.125, abs=0.01)
    assert named <= most_named
    assert abs(correlation) <= most_told_apart

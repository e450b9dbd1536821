"""Problems found in words: what was planted is found, under one number for good, whatever the order and the process."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from tests.listen.corpus import PROBLEMS, Message, messages
from tests.listen.test_words import said
from wellserved.listen.book import Book, LookRecord
from wellserved.listen.fit import EarlierFit, Fit, fit_problems
from wellserved.listen.grain import _coarsest_of_best
from wellserved.listen.graph import NO_GROUP, Nearest, by_size, vote
from wellserved.listen.look import look_for_problems
from wellserved.moments import NotComputable


def fitted(rows: list[Message], earlier: EarlierFit | None = None) -> Fit:
    """Problems of messages."""
    fit = fit_problems([row.text for row in rows], [row.customer for row in rows], [""] * len(rows), earlier=earlier)
    assert isinstance(fit, Fit), fit
    return fit


@pytest.fixture(scope="module")
def rows() -> list[Message]:
    return list(messages(40, 40, 11, dressed=False))


@pytest.fixture(scope="module")
def fit(rows: list[Message]) -> Fit:
    return fitted(rows)


def test_planted_problems_are_found_and_none_is_two(rows: list[Message], fit: Fit) -> None:
    truth = [row.truth for row in rows]
    assert adjusted_mutual_info_score(truth, fit.numbers) >= 0.85
    for number in fit.parents:
        inside = Counter(row.truth for row, own in zip(rows, fit.numbers, strict=True) if own == number)
        assert inside.most_common(1)[0][1] >= 0.9 * sum(inside.values()), (number, inside)
    found = {
        Counter(row.truth for row, own in zip(rows, fit.numbers, strict=True) if own == number).most_common(1)[0][0]
        for number in fit.parents
    }
    assert set(PROBLEMS) <= found


def test_order_and_copies_have_no_say(rows: list[Message], fit: Fit) -> None:
    table = said([row.text for row in rows], [row.customer for row in rows])
    shuffled = table.take(pa.array(np.random.default_rng(2).permutation(len(table))))
    first, second = (look_for_problems(each, None, None, 1) for each in (table, shuffled))
    assert first[1] == second[1]
    assert first[2].equals(second[2])
    doubled = fitted(rows + rows)
    assert adjusted_mutual_info_score(fit.numbers, doubled.numbers[: len(rows)]) == 1


def test_another_process_finds_the_same() -> None:
    code = (
        "from tests.listen.corpus import messages; from tests.listen.test_problems import fitted; import hashlib;"
        "print(hashlib.sha256(fitted(list(messages(20, 40, 11, dressed=False))).numbers.tobytes()).hexdigest())"
    )
    once, again = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert len(once) == 65
    assert once == again


def test_problems_keep_their_numbers_as_texts_come() -> None:
    rows = list(messages(50, 40, 13, dressed=False))
    earlier = None
    for count in (800, 1_200, 1_600, 2_000):
        fit = fitted(rows[:count], earlier)
        if earlier is not None:
            had = earlier.numbers != NO_GROUP
            assert (fit.numbers[had] == earlier.numbers[had]).mean() >= 0.93
        padded = np.pad(fit.numbers, (0, 400), constant_values=NO_GROUP)
        earlier = EarlierFit(fit.resolution, padded, np.arange(len(padded)) >= count, max(fit.parents) + 1)


def test_a_new_problem_gets_a_number_of_its_own_and_what_is_old_is_no_new_one() -> None:
    known = [name for name in PROBLEMS if name not in ("noise", "manual")]
    old, late = list(messages(30, 40, 17, problems=known, dressed=False)), list(messages(10, 40, 18, dressed=False))
    before = fitted(old)
    numbers = np.pad(before.numbers, (0, len(late)), constant_values=NO_GROUP)
    next_number = max(before.parents) + 1
    earlier = EarlierFit(before.resolution, numbers, np.arange(len(numbers)) >= len(old), next_number)
    after = fitted([*old, *late], earlier)
    for name in ("noise", "manual"):
        where = Counter(int(own) for own, row in zip(after.numbers[len(old) :], late, strict=True) if row.truth == name)
        (number, count), *_ = where.most_common()
        assert number >= next_number, (name, where)
        assert count >= 0.8 * sum(where.values())
    again = EarlierFit(
        before.resolution, after.numbers, np.zeros(len(after.numbers), dtype=bool), max(after.parents) + 1
    )
    assert set(fitted([*old, *late], again).parents) <= set(after.parents)


def test_fewer_texts_than_can_tell_are_refused_with_their_number() -> None:
    short = fit_problems(["the pump is broken again"] * 199, list(range(199)), [""] * 199)
    assert short == NotComputable("only 1 different texts of four words and more; at least 200 are needed")


def test_one_customers_storm_is_no_problem() -> None:
    rows = list(messages(20, 40, 19, dressed=False))
    storm = [
        f"the coffee machine in corridor {number} of building {chr(97 + number % 26)} leaks hot water"
        for number in range(60)
    ]
    fit = fit_problems(
        [*(row.text for row in rows), *storm],
        [*(row.customer for row in rows), *["stormy"] * 60],
        [""] * (len(rows) + 60),
    )
    assert isinstance(fit, Fit)
    mine = Counter(fit.numbers[len(rows) :].tolist())
    for number, count in mine.items():
        if number != NO_GROUP:
            assert count < (fit.numbers == number).sum() / 2, "a group of one customer became a problem"


def test_the_vote_needs_turnout_and_a_clear_winner() -> None:
    near = Nearest(np.array([[0, 1, 2, 3, 4]] * 3), np.ones((3, 5), dtype=np.float32))
    labels = np.array([7, 7, 8, NO_GROUP, NO_GROUP])
    assert vote(near, labels)[0].tolist() == [7, 7, 7]
    assert vote(near, np.array([7, NO_GROUP, NO_GROUP, NO_GROUP, NO_GROUP]))[0].tolist() == [NO_GROUP] * 3
    assert vote(near, np.array([5, 6, 7, 8, 9]))[0].tolist() == [NO_GROUP] * 3


def test_groups_are_numbered_from_the_largest() -> None:
    assert by_size(np.array([4, 9, 9, 4, 9, 1])).tolist() == [1, 0, 0, 1, 0, 2]


@pytest.mark.parametrize(
    ("agreements", "chosen"),
    [
        ([0.3, 0.4, 0.5, 0.6, 0.55, 0.4], 3),  # one peak
        (
            [0.36, 0.33, 0.33, 0.348, 0.35, 0.33],
            3,
        ),  # a peak nearly as high as the coarse end, and what is as good beside it
        ([0.9, 0.86, 0.84, 0.84, 0.88, 0.91], 0),  # no peak: the coarsest that is nearly as good
        ([0.9, 0.86, 0.845, 0.84, 0.7, 0.6], 0),
    ],
)
def test_the_grain_is_the_finest_high_peak_or_else_the_coarsest_good_one(agreements: list[float], chosen: int) -> None:
    assert _coarsest_of_best(np.array(agreements)) == chosen


def test_names_say_what_and_quotes_come_from_different_customers(rows: list[Message]) -> None:
    table = said([row.text for row in rows], [row.customer for row in rows])
    _, problems, parts = look_for_problems(table, None, None, 1)
    customer_by_text = dict(zip(parts["text"].to_pylist(), parts["customer"].to_pylist(), strict=True))
    assert len({problem.name for problem in problems}) == len(problems)
    for problem in problems[:8]:
        customers = [customer_by_text[quote.text] for quote in problem.quotes]
        assert 1 <= len(customers) == len(set(customers))
        assert all(len(quote.text) <= 200 for quote in problem.quotes)
        assert problem.sentence in {quote.text for quote in problem.quotes}
    words = " ".join(problem.name for problem in problems)
    assert all(word in words for word in ("rattl", "invoice", "certificate", "portal"))


def test_a_book_without_problems_says_why() -> None:
    look, problems, _ = look_for_problems(said(["hello there my friend"]), None, None, 1)
    book = Book(look, problems, ())
    assert isinstance(book.look, LookRecord)
    assert "at least 200 are needed" in book.look.refused

"""Names of problems that are told as stories."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests.listen.house import desk
from wellserved.actions.listening import listen_anew
from wellserved.listen.clauses import STORY_WORDS, find_stories
from wellserved.listen.names import ProblemNames, _told_apart, name_problems
from wellserved.listen.vectors import Vectoriser

MATTERS = {
    0: ("they closed my savings account without notice", "the savings account was closed overnight", "my savings account has been closed by them"),
    1: ("the technician never came to the house", "no technician came on the day agreed", "the technician did not come at all"),
}  # fmt: skip
ASIDES = (
    "I have been a customer for many years", "we moved to the city last spring", "my sister told me about this company",
    "the weather was bad on that day", "I wrote a long letter about it", "we are a family with two small children",
    "the office was full of people", "I had taken the day off work", "nobody at the counter knew anything", "it took up the whole afternoon",
)  # fmt: skip


def stories(count: int = 160, seed: int = 3) -> tuple[list[str], np.ndarray, list[str]]:
    """Long texts on two matters, each with much beside it; and who told them."""
    chance = random.Random(seed)
    texts, labels = [], []
    for index in range(count):
        label = index % 2
        asides = chance.sample(ASIDES, 8)
        place = chance.randrange(9)
        texts.append(". ".join([*asides[:place], chance.choice(MATTERS[label]), *asides[place:]]) + ".")
        labels.append(label)
    return texts, np.array(labels), [f"customer{index}" for index in range(count)]


def test_a_story_is_named_by_what_its_tellers_have_in_common() -> None:
    texts, labels, customers = stories()
    assert np.median([len(text.split()) for text in texts]) >= STORY_WORDS
    vectoriser = Vectoriser(texts, 1)
    words = name_problems(
        texts,
        vectoriser.views(texts).whole,
        labels,
        customers,
        [None] * len(texts),
        lambda said: vectoriser.views(said).whole,
    )
    for label, subject in ((0, "savings account"), (1, "technician")):
        assert subject in words[label].name
        assert subject in words[label].sentence
        assert len(words[label].clause.split()) >= 4
        assert words[label].clause.split()[0] in ("they", "the", "my", "no")


def test_words_of_few_and_of_one_firm_are_in_no_name() -> None:
    texts, labels, customers = stories()
    vectoriser = Vectoriser(texts, 1)
    views = vectoriser.views(texts).whole
    rare = [
        text.replace("technician", "Zbigniew technician") if index < 8 else text for index, text in enumerate(texts)
    ]
    found = find_stories(
        rare, views, labels, customers, lambda said: vectoriser.views(said).whole, lambda word: len(word) > 3
    )
    assert found[1].clauses
    assert not any("zbigniew" in clause.casefold() for story in found.values() for clause in story.clauses)
    firm = [text.replace("technician", "Bluebird technician") for text in texts]
    holders = ["Bluebird" if label else f"firm{index % 9}" for index, label in enumerate(labels)]
    holders[1] = "Other"
    words = name_problems(firm, views, labels, customers, holders, lambda said: vectoriser.views(said).whole)
    assert "bluebird" not in words[1].clause.casefold()
    ends = [text.replace("came to the house", "came from Bluebird") for text in texts]  # a full stop behind the name
    named = name_problems(ends, views, labels, customers, holders, lambda said: vectoriser.views(said).whole)
    assert "bluebird" not in f"{named[1].clause} {named[1].sentence}".casefold()
    two_words = [text.replace("technician", "technician of Neighbours Spring") for text in texts]
    of_many = [f"{holder} Ltd" if holder != "Bluebird" else "Neighbours Spring" for holder in holders]
    spread = [
        text if index % 4 else text.replace("technician", "neighbours spring technician")
        for index, text in enumerate(two_words)
    ]
    named = name_problems(spread, views, labels, customers, of_many, lambda said: vectoriser.views(said).whole)
    assert "neighbours spring" not in f"{named[1].clause} {named[1].sentence}".casefold()


def test_no_two_problems_have_one_name_in_a_look(tmp_path: Path) -> None:
    workspace, _ = desk(tmp_path, 26, 40)
    book = listen_anew(workspace)
    names = [problem.name.casefold() for problem in book.problems]
    assert len(names) == len(set(names))
    words = {label: ProblemNames(("invoice sent twice",), "x", ()) for label in range(3)}
    assert len({own.name for own in _told_apart(words).values()}) == 1  # their numbers tell these apart, in the look


def test_short_texts_and_nothing_have_no_story() -> None:
    texts, labels, customers = stories()
    short = [text.split(". ")[0] for text in texts]
    vectoriser = Vectoriser(short, 1)
    assert (
        find_stories(
            short, vectoriser.views(short).whole, labels, customers, lambda said: vectoriser.views(said).whole, bool
        )
        == {}
    )
    nothing = np.zeros((0, 5), dtype=np.float32)
    assert find_stories([], nothing, np.zeros(0, dtype=np.int64), [], lambda said: nothing, bool) == {}


@pytest.mark.parametrize("seed", [1, 2])
def test_names_do_not_hang_on_chance(seed: int) -> None:
    texts, labels, customers = stories(seed=seed)
    vectoriser = Vectoriser(texts, 1)
    arguments = (
        texts,
        vectoriser.views(texts).whole,
        labels,
        customers,
        lambda said: vectoriser.views(said).whole,
        lambda word: len(word) > 3,
    )
    assert find_stories(*arguments) == find_stories(*arguments)

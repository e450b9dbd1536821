"""What cases are filed under beside what their customers say: does a category hide several problems, is a problem scattered over
several, and are equal words filed alike?

A category and a problem belong together where they share more cases than chance lets expect (Fisher's exact test, one side:
hypergeometric), judged so that of all pairs together one in twenty tables would show any by chance (Bonferroni).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.metrics import adjusted_mutual_info_score

from wellserved.listen.clean import line_key
from wellserved.listen.cost import Amount
from wellserved.measure.interval import wilson_interval
from wellserved.moments import NotComputable

PAIR_LEVEL: Final = 0.05  # of all pairs together
FEWEST_FILED_CASES: Final = 30  # told by both
FEWEST_OF_A_PAIR: Final = 5  # cases
FEWEST_WORDINGS: Final = 10


@dataclass(frozen=True)
class Pair:
    """A category and a problem that belong together."""

    category: str
    problem: str
    cases: int
    expected: float  # where neither tells of the other
    share_of_category: float
    share_of_problem: float


@dataclass(frozen=True)
class Filing:
    """How a house files cases, beside what they are about."""

    cases: int  # told by both
    agreement: float  # adjusted mutual information: 0 as by chance, 1 alike
    pairs: tuple[Pair, ...]  # of each category, largest first
    broad_categories: tuple[str, ...]  # categories that hold several problems
    scattered_problems: tuple[
        str, ...
    ]  # problems that are filed under several categories, none of which has half of it
    wordings: int  # that came twice and more
    split_share: Amount | NotComputable  # share of these that are filed under more than one category


def compare_filing(categories: Sequence[str], problems: Sequence[str], texts: Sequence[str]) -> Filing | NotComputable:
    """What is filed beside what is said; a row a case: its category, its problem, and its first words."""
    if len(categories) < FEWEST_FILED_CASES:
        return NotComputable(f"only {len(categories)} cases have both; at least {FEWEST_FILED_CASES} are needed")
    category_names, rows = np.unique(np.array(categories, dtype=object), return_inverse=True)
    problem_names, columns = np.unique(np.array(problems, dtype=object), return_inverse=True)
    if len(category_names) < 2 or len(problem_names) < 2:
        return NotComputable("there is one category, or one problem, alone")
    table = np.zeros((len(category_names), len(problem_names)))
    np.add.at(table, (rows, columns), 1)
    pairs = _pairs(table, list(category_names), list(problem_names))
    wordings, split_share = _filed_apart(categories, texts)
    return Filing(
        len(categories),
        float(adjusted_mutual_info_score(rows, columns)),
        tuple(pairs),
        tuple(name for name in category_names if sum(pair.category == name for pair in pairs) > 1),
        tuple(
            name
            for name, counts in zip(problem_names, table.T, strict=True)
            if counts.max() < counts.sum() / 2 and (counts >= FEWEST_OF_A_PAIR).sum() > 1
        ),
        wordings,
        split_share,
    )


def _pairs(table: npt.NDArray[np.float64], categories: list[str], problems: list[str]) -> list[Pair]:
    across, down = table.sum(axis=1), table.sum(axis=0)
    chance = stats.hypergeom.sf(table - 1, table.sum(), across[:, None], down[None, :])
    tied = (chance < PAIR_LEVEL / table.size) & (table >= FEWEST_OF_A_PAIR)
    pairs = [
        Pair(
            categories[row], problems[column], int(table[row, column]), across[row] * down[column] / table.sum(),
            table[row, column] / across[row], table[row, column] / down[column],
        )
        for row, column in np.argwhere(tied)
    ]  # fmt: skip
    size = dict(zip(categories, across, strict=True))
    return sorted(pairs, key=lambda pair: (-size[pair.category], pair.category, -pair.cases, pair.problem))


def _filed_apart(categories: Sequence[str], texts: Sequence[str]) -> tuple[int, Amount | NotComputable]:
    """Wordings that came in several cases, equal but for numbers, and the share that is filed under several categories."""
    categories_by_wording: dict[str, list[str]] = defaultdict(list)
    for category, text in zip(categories, texts, strict=True):
        categories_by_wording[" ".join(line_key(text).split())].append(category)
    repeated_wordings = [names for key, names in categories_by_wording.items() if key and len(names) > 1]
    if len(repeated_wordings) < FEWEST_WORDINGS:
        return len(repeated_wordings), NotComputable(f"only {len(repeated_wordings)} wordings came twice and more")
    split_count = sum(len(set(names)) > 1 for names in repeated_wordings)
    return len(repeated_wordings), Amount(
        split_count / len(repeated_wordings), *wilson_interval(split_count, len(repeated_wordings))
    )

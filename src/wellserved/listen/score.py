"""How well problems found in words go with what people say the same cases are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from wellserved.listen.cost import Amount
from wellserved.moments import NotComputable

FEWEST_LABELLED: Final = 30
RESAMPLES: Final = 500
NO_PROBLEM: Final = "no common problem"


@dataclass(frozen=True)
class LabelMatch:
    """What people call it, and the problem that holds most of it."""

    label: str
    cases: int
    problem: str
    share_of_label: float  # of the label's cases, in that problem
    share_of_problem: float  # of the problem's labelled cases, with that label


@dataclass(frozen=True)
class LabelScore:
    """How problems go with labels."""

    cases: int
    agreement: Amount  # adjusted mutual information: 0 as by chance, 1 alike
    matches: tuple[LabelMatch, ...]  # largest label first


@dataclass(frozen=True)
class ScoredFile:
    """How problems go with the labels of a file, and the rows that could not be used."""

    score: LabelScore | NotComputable
    rows: int
    refused: tuple[tuple[int, str], ...]  # row of the file (header = 1), reason


def score_labels(labels: Sequence[str], problems: Sequence[str | None], seed: int = 1) -> LabelScore | NotComputable:
    """A row a case: what people call it, and the problem that it was found to be about, if any.

    The agreement's interval is that of cases drawn anew (bootstrap, 500 times).
    """
    if len(labels) < FEWEST_LABELLED:
        return NotComputable(
            f"only {len(labels)} labelled cases tell what they are about; at least {FEWEST_LABELLED} are needed"
        )
    problem_names = [problem or NO_PROBLEM for problem in problems]
    codes = [np.unique(np.array(names, dtype=object), return_inverse=True)[1] for names in (labels, problem_names)]
    chance = np.random.default_rng(seed)
    draws = chance.integers(0, len(labels), (RESAMPLES, len(labels)))
    resampled = [adjusted_mutual_info_score(codes[0][rows], codes[1][rows]) for rows in draws]
    low, high = np.quantile(resampled, [0.025, 0.975])
    value = float(adjusted_mutual_info_score(*codes))
    pairs, of_problem = Counter(zip(labels, problem_names, strict=True)), Counter(problem_names)
    matches = []
    for label, cases in sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0])):
        problem, count = max(((name, pairs[label, name]) for name in of_problem), key=lambda item: (item[1], item[0]))
        matches.append(LabelMatch(label, cases, problem, count / cases, count / of_problem[problem]))
    return LabelScore(len(labels), Amount(value, min(float(low), value), max(float(high), value)), tuple(matches))

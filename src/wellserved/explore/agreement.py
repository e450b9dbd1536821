"""Do two judges of the same thing agree more than chance would have them? Krippendorff's alpha, kappa, Fleiss' kappa."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from wellserved.engine.duckdb import query
from wellserved.errors import RequestError
from wellserved.measure.timeline import MomentTable
from wellserved.moments import NotComputable
from wellserved.prove.engine.model import Floats
from wellserved.scales import BUILT_IN, SCALES_FILE, Scales
from wellserved.wording import plural

Metric = Literal["nominal", "ordinal", "interval", "ratio"]
FEWEST_JUDGED_CASES = 10  # cases judged by both
KappaWeights = Literal["none", "linear", "quadratic"]


def coincidences(ratings: Floats) -> tuple[Floats, Floats]:
    """Values, and how often each pair of them was given to one unit; ratings: judges by units, NaN where none.

    A unit with one rating says nothing and is dropped.
    """
    values = np.unique(ratings[np.isfinite(ratings)])
    pairs = np.zeros((len(values), len(values)))
    for unit in ratings.T:
        unit_ratings = unit[np.isfinite(unit)]
        if len(unit_ratings) < 2:
            continue
        counts = (unit_ratings[:, None] == values[None, :]).sum(axis=0).astype(float)
        pairs += (np.outer(counts, counts) - np.diag(counts)) / (len(unit_ratings) - 1)
    return values, pairs


def alpha(ratings: Floats, metric: Metric = "nominal") -> float | NotComputable:
    """Krippendorff's alpha: 1 is full agreement, 0 what chance gives.

    K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): data C gives .743, .815, .849, .797.
    """
    values, pairs = coincidences(np.asarray(ratings, dtype=float))
    counts = pairs.sum(axis=1)
    total = counts.sum()
    if total < 2:
        return NotComputable("no unit was judged twice")
    distance = _distance(values, counts, metric)
    expected = float((np.outer(counts, counts) * distance).sum())
    if expected == 0:
        return NotComputable("all judged alike, so that chance cannot be told from agreement")
    return float(1 - (total - 1) * (pairs * distance).sum() / expected)


def _distance(values: Floats, counts: Floats, metric: Metric) -> Floats:
    v, w = values[:, None], values[None, :]
    distances: Floats = np.where(v != w, 1.0, 0.0)
    if metric == "interval":
        distances = (v - w) ** 2
    elif metric == "ratio":
        sums = np.where(v + w != 0, v + w, 1.0)
        distances = distances * ((v - w) / sums) ** 2
    elif metric == "ordinal":  # how many ratings lie between the two, their own counted by half
        middle = np.cumsum(counts) - counts / 2
        distances = (middle[:, None] - middle[None, :]) ** 2
    return distances


def kappa(table: Floats, weights: KappaWeights = "none") -> float | NotComputable:
    """Cohen's kappa of two judges; table: what the one said by what the other said.

    J. Cohen, Educational and Psychological Measurement 20 (1960) 37; weighted, Psychological Bulletin 70 (1968) 213.
    """
    table = np.asarray(table, dtype=float)
    total = table.sum()
    if total < 2:
        return NotComputable("nothing was judged twice")
    size = len(table)
    distance = np.abs(np.arange(size)[:, None] - np.arange(size)[None, :]) / max(size - 1, 1)
    loss = {"none": (distance > 0).astype(float), "linear": distance, "quadratic": distance**2}[weights]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    if (loss * expected).sum() == 0:
        return NotComputable("all judged alike, so that chance cannot be told from agreement")
    return float(1 - (loss * table).sum() / (loss * expected).sum())


def fleiss_kappa(counts: npt.NDArray[np.int64]) -> float | NotComputable:
    """Fleiss' kappa of many judges; counts: units by categories, the same number of judges each.

    J. L. Fleiss, Psychological Bulletin 76 (1971) 378: his table gives .430 for 30 patients; fourteen judges, .210.
    """
    counts = np.asarray(counts)
    judges = counts.sum(axis=1)
    if len(set(judges.tolist())) != 1 or judges[0] < 2:
        return NotComputable("every unit needs the same number of judges, two or more")
    n = float(judges[0])
    share = counts.sum(axis=0) / counts.sum()
    agreement = ((counts**2).sum(axis=1) - n) / (n * (n - 1))
    chance = float((share**2).sum())
    if chance == 1:
        return NotComputable("all judged alike, so that chance cannot be told from agreement")
    return float((agreement.mean() - chance) / (1 - chance))


def alpha_interval(
    ratings: Floats, metric: Metric, seed: int = 1, draws: int = 1000
) -> tuple[float, float] | NotComputable:
    """95% interval of alpha: units drawn anew."""
    ratings = np.asarray(ratings, dtype=float)
    ratings = ratings[:, np.isfinite(ratings).sum(axis=0) >= 2]
    if ratings.shape[1] < 10:
        return NotComputable(f"only {ratings.shape[1]} units were judged twice; at least 10 are needed")
    rng = np.random.default_rng(seed)
    resampled_alphas = (
        alpha(ratings[:, rng.integers(0, ratings.shape[1], ratings.shape[1])], metric) for _ in range(draws)
    )
    alphas = [value for value in resampled_alphas if not isinstance(value, NotComputable)]
    if len(alphas) < draws / 2:
        return NotComputable("nearly all judged alike")
    low, high = np.quantile(alphas, (0.025, 0.975))
    return float(low), float(high)


def usual_scale(rows: Sequence[Mapping[str, object]]) -> str:
    """The scale of most rows; of several such, the first by name."""
    counts = Counter(str(row["scale"]) for row in rows)
    return min(counts, key=lambda name: (-counts[name], name))


def paired_ratings(moments: MomentTable) -> tuple[str, Floats]:
    """Self-ratings beside customers' ratings of the same cases: the scale, and both in two rows."""
    sql = f"""
        SELECT arg_max(score, "at") FILTER (kind = 'self_rated') AS own, arg_max(score, "at") FILTER (kind = 'rated' AND from_team IS NULL) AS theirs,
               arg_max(scale, "at") FILTER (kind = 'self_rated') AS own_scale, arg_max(scale, "at") FILTER (kind = 'rated' AND from_team IS NULL) AS scale
        FROM {moments.table} WHERE kind IN ('self_rated', 'rated') AND score IS NOT NULL GROUP BY source, case_id
        HAVING own IS NOT NULL AND theirs IS NOT NULL AND own_scale = scale
        ORDER BY source, case_id"""  # the interval draws cases by their place
    rows = query(moments.db, sql).to_pylist()
    if not rows:
        raise RequestError(
            "No case was rated both by those who served and by the customer, on one scale.",
            f"Scales: {', '.join(moments.case_table.scales)}.",
        )
    scale = usual_scale(rows)
    score_pairs = [(float(row["own"]), float(row["theirs"])) for row in rows if row["scale"] == scale]
    return scale, np.array(score_pairs).T


@dataclass(frozen=True)
class Agreement:
    """Two judges of the same cases: how often they say the same, and how far that goes beyond chance."""

    scale: str
    cases: int
    same_share: float  # share
    higher_share: float  # share in which the first judges better than the second
    kappa: float | NotComputable  # weighted by the square of how far they are apart
    alpha: float | NotComputable  # Krippendorff's, ordinal
    interval: tuple[float, float] | NotComputable  # of alpha, 95%


def rating_agreement(scale: str, ratings: Floats, scales: Scales = BUILT_IN) -> Agreement:
    """How far one's own ratings agree with the customers'; refused below ten cases."""
    if scale not in scales:
        raise RequestError(f"What the scale {scale!r} is, is declared nowhere.", f"Declare it in {SCALES_FILE}.")
    self_ratings, customer_ratings = ratings
    low, high = math.floor(scales[scale].lowest), math.ceil(scales[scale].highest)
    table = np.zeros((high - low + 1, high - low + 1))
    np.add.at(table, (np.rint(self_ratings).astype(int) - low, np.rint(customer_ratings).astype(int) - low), 1)
    n = ratings.shape[1]
    if n < FEWEST_JUDGED_CASES:
        too_few = NotComputable(
            f"only {plural(n, 'case was', 'cases were')} judged by both; at least {FEWEST_JUDGED_CASES} are needed"
        )
        return Agreement(
            scale,
            n,
            float((self_ratings == customer_ratings).mean()),
            float((self_ratings > customer_ratings).mean()),
            too_few,
            too_few,
            too_few,
        )
    return Agreement(
        scale, n, float((self_ratings == customer_ratings).mean()), float((self_ratings > customer_ratings).mean()), kappa(table, "quadratic"),
        alpha(ratings, "ordinal"), alpha_interval(ratings, "ordinal"),
    )  # fmt: skip

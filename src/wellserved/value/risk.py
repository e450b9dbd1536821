"""Who may leave, and could we have known? A model of the house's own leavers, shown only where it told the future.

At ends of quarters half a year apart every account is described as it stood then; who left in the half year after is
what is to be told. The model learns from the earlier ones and is judged on the later, beside what people look at instead: the last
rating, the number of tickets. Where it cannot beat these, or has too few leavers, there is no chance, only reasons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

from wellserved.measure.interval import garwood_interval
from wellserved.moments import NotComputable
from wellserved.prove.engine.model import Floats
from wellserved.value.trust import FEATURES, RIVALS

LeaverFlags = npt.NDArray[np.bool_]
OUTCOME_DAYS: Final = 180
RIDGE: Final = 1.0
LEAVERS_PER_FEATURE: Final = 10
FEWEST_TEST_LEAVERS: Final = 20
ACCOUNT_DRAWS: Final = 200
_ONE_SIDED: Final = 1.6448536269514722


@dataclass(frozen=True)
class AccountSnapshot:
    """An account as it stood on a day, and whether it left in the half year after. The half years of one account do not overlap: a
    leaver is counted once."""

    account: str
    as_of: int  # epoch seconds
    features: Mapping[str, float | None]
    rivals: Mapping[str, float | None]
    is_leaver: bool
    known_at: int = 0  # epoch second by which it is known whether it left; 0: at the end of the half year


@dataclass(frozen=True)
class RiskModel:
    """The chance of leaving within half a year: a logistic curve over features, each beside its mean in its own spread."""

    names: tuple[str, ...]
    centre: Floats
    spread: Floats
    weights: Floats  # the first is the level
    draws: Floats  # weights of accounts drawn again, a row each

    def chance(self, features: Mapping[str, float | None]) -> tuple[float, float, float]:
        """Chance, and the 95% interval of it: of the model, by accounts drawn again."""
        row = self._design([features])
        value = float(special.expit(row @ self.weights)[0])
        low, high = np.quantile(special.expit(self.draws @ row[0]), [0.025, 0.975])
        return value, float(low), float(high)

    def chances(self, rows: Sequence[Mapping[str, float | None]]) -> Floats:
        """The chances of many."""
        chances: Floats = special.expit(self._design(rows) @ self.weights)
        return chances

    def _design(self, rows: Sequence[Mapping[str, float | None]]) -> Floats:
        return _design(_matrix(rows, self.names), self.centre, self.spread)


def _matrix(rows: Sequence[Mapping[str, float | None]], names: Sequence[str]) -> Floats:
    """What is not known is NaN here."""
    return np.array([[np.nan if (value := row.get(name)) is None else value for name in names] for row in rows], dtype=float).reshape(len(rows), len(names))  # fmt: skip


def _design(matrix: Floats, centre: Floats, spread: Floats) -> Floats:
    """Standardised, with a column of ones; what is not known stands at the mean, and so says nothing."""
    standard = np.nan_to_num((matrix - centre) / spread, nan=0.0)
    return np.column_stack([np.ones(len(matrix)), standard])


def fit_ridge(design: Floats, left: LeaverFlags, weight: Floats | None = None, ridge: float = RIDGE) -> Floats:
    """The weights of a logistic curve with a penalty on all but the level; Newton's method, which this function allows."""
    y, w = left.astype(float), np.ones(len(left)) if weight is None else weight
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 0.0
    share = min(max(float(np.average(y, weights=w)), 1e-6), 1 - 1e-6)
    weights: Floats = np.zeros(design.shape[1])
    weights[0] = math.log(share / (1 - share))
    for _ in range(50):
        p = special.expit(design @ weights)
        gradient = design.T @ (w * (y - p)) - penalty * weights
        curvature = (design * (w * p * (1 - p))[:, None]).T @ design + np.diag(penalty + 1e-10)
        step = np.linalg.solve(curvature, gradient)
        weights += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-9:
            break
    return weights


def fit_risk(snapshots: Sequence[AccountSnapshot], names: Sequence[str] = FEATURES, seed: int = 1, draws: int = ACCOUNT_DRAWS) -> RiskModel:  # fmt: skip
    """The model of these; an account in many half years is drawn with all of them."""
    matrix = _matrix([snapshot.features for snapshot in snapshots], names)
    known = np.isfinite(matrix)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, matrix, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, matrix - centre, 0) ** 2).sum(axis=0) / count)
    spread[spread < 1e-12] = 1.0
    design, left = _design(matrix, centre, spread), np.array([snapshot.is_leaver for snapshot in snapshots])
    accounts, index = np.unique([snapshot.account for snapshot in snapshots], return_inverse=True)
    random = np.random.default_rng(seed)
    redrawn = [
        fit_ridge(design, left, np.bincount(random.integers(0, len(accounts), len(accounts)), minlength=len(accounts))[index].astype(float))
        for _ in range(draws)
    ]  # fmt: skip
    return RiskModel(tuple(names), centre, spread, fit_ridge(design, left), np.array(redrawn).reshape(draws, -1))


def area_under_curve(scores: Floats, left: LeaverFlags) -> tuple[float, float] | NotComputable:
    """The chance that a leaver has the higher score than one who stayed (ties count half), and its standard error.

    J. A. Hanley and B. J. McNeil, Radiology 143 (1982) 29.
    """
    leavers, stayers = scores[left], scores[~left]
    m, n = len(leavers), len(stayers)
    if not m or not n:
        return NotComputable("all left" if m else "nobody left")
    ordered = np.sort(stayers)
    below = np.searchsorted(ordered, leavers, "left") + np.searchsorted(ordered, leavers, "right")
    area = float(below.sum()) / (2 * m * n)
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    variance = (area * (1 - area) + (m - 1) * (q1 - area**2) + (n - 1) * (q2 - area**2)) / (m * n)
    return area, math.sqrt(max(variance, 0.0))


def observed_over_expected(observed: int, expected: float) -> tuple[float, float, float]:
    """How many left beside how many were expected to, with the exact Poisson interval; 1: calibrated."""
    low, high = garwood_interval(observed)
    return observed / expected, low / expected, high / expected


@dataclass(frozen=True)
class BackTest:
    """How well the model told who would leave, in quarters that it had not seen."""

    train_accounts: int
    train_leavers: int
    test_accounts: int
    test_leavers: int
    area: tuple[float, float] | NotComputable  # and its standard error
    rival_areas: Mapping[str, float | NotComputable]
    calibration: tuple[float, float, float] | NotComputable
    lift: float | NotComputable  # leavers among the tenth at most risk, beside all
    refusal: str  # why no chance is shown; empty: it is

    @property
    def is_shown(self) -> bool:
        """Whether a chance may be shown."""
        return not self.refusal


def back_test(snapshots: Sequence[AccountSnapshot], names: Sequence[str] = FEATURES) -> BackTest:
    """Learn from the earlier quarters, be judged on the later; the border is where about half of the leavers are before it.

    Between the two lies the time in which an outcome is still open: no outcome of the one is known in the other's.
    """
    train, test = _split(snapshots)
    train_leavers, test_leavers = sum(s.is_leaver for s in train), sum(s.is_leaver for s in test)
    needed = LEAVERS_PER_FEATURE * len(names)
    counts = (len(train), train_leavers, len(test), test_leavers)
    nothing = NotComputable("too few leavers")
    if train_leavers < needed or test_leavers < FEWEST_TEST_LEAVERS:
        refusal = (
            f"reasons only: {train_leavers} leavers to learn from, {needed} are needed"
            if train_leavers < needed
            else f"reasons only: {test_leavers} leavers to be judged by, {FEWEST_TEST_LEAVERS} are needed"
        )
        return BackTest(*counts, nothing, dict.fromkeys(RIVALS, nothing), nothing, nothing, refusal)
    left = np.array([s.is_leaver for s in test])
    scores = fit_risk(train, names, draws=1).chances([s.features for s in test])
    area = area_under_curve(scores, left)
    rivals = {name: _rival_area(train, test, name) for name in RIVALS}
    calibration = observed_over_expected(test_leavers, float(scores.sum()))
    lift = _top_lift(scores, left)
    return BackTest(*counts, area, rivals, calibration, lift, _refusal(area, rivals, calibration))


def _split(snapshots: Sequence[AccountSnapshot]) -> tuple[list[AccountSnapshot], list[AccountSnapshot]]:
    days = sorted({s.as_of for s in snapshots})
    total = sum(s.is_leaver for s in snapshots)
    gap = OUTCOME_DAYS * 86_400
    best: tuple[list[AccountSnapshot], list[AccountSnapshot]] = (list(snapshots), [])
    for border in days[1:]:
        train = [s for s in snapshots if s.as_of + gap <= border and s.known_at <= border]
        test = [s for s in snapshots if s.as_of >= border]
        best = (train, test)
        if sum(s.is_leaver for s in train) * 2 >= total:
            break
    return best


def _rival_area(train: Sequence[AccountSnapshot], test: Sequence[AccountSnapshot], name: str) -> float | NotComputable:
    """A rival by itself, learnt and judged in the same way."""

    def only(snapshots: Sequence[AccountSnapshot]) -> list[AccountSnapshot]:
        return [AccountSnapshot(s.account, s.as_of, s.rivals, s.rivals, s.is_leaver) for s in snapshots]

    if all(s.rivals.get(name) is None for s in (*train, *test)):
        return NotComputable("not recorded")
    scores = fit_risk(only(train), (name,), draws=1).chances([s.rivals for s in test])
    area = area_under_curve(scores, np.array([s.is_leaver for s in test]))
    return area if isinstance(area, NotComputable) else area[0]


def _top_lift(scores: Floats, left: LeaverFlags) -> float | NotComputable:
    size = max(round(len(scores) / 10), 1)
    top = np.argsort(-scores, kind="stable")[:size]
    return float(left[top].mean() / left.mean()) if left.any() else NotComputable("nobody left")


def _refusal(
    area: tuple[float, float] | NotComputable,
    rivals: Mapping[str, float | NotComputable],
    calibration: tuple[float, float, float],
) -> str:
    if isinstance(area, NotComputable):
        return f"reasons only: {area.reason}"
    if area[0] - _ONE_SIDED * area[1] <= 0.5:
        return "reasons only: on later quarters the model told leavers no better than chance would"
    beaten = [name for name, rival in rivals.items() if not isinstance(rival, NotComputable) and rival >= area[0]]
    if beaten:
        return f"reasons only: {beaten[0].replace('_', ' ')} alone tells as much"
    if not calibration[1] <= 1 <= calibration[2]:
        return f"reasons only: {calibration[0]:.2f} times as many left as the model expected"
    return ""

"""Did somebody act when it was worst? The bad stretch right before a change, and what an estimate is without it.

Whoever acts after the worst weeks sees it get better by itself. A stretch of the last 1, 2, ... periods before the
change is one to leave out if it was the worst of its length within a year, most of its periods were worse than
usual, and leaving it out takes more than a standard error of that difference away (1.645 of them, if it is long).
Of several the one counts that stands out most. Both thresholds come from simulation (docs/methods/guardrails.md).

All lengths are tried at once: with M = V⁻¹ - V⁻¹XA⁻¹X'V⁻¹ and g = V⁻¹XA⁻¹c, the estimate without the rows T is less by
g_T'·M_TT⁻¹·(Mz)_T, whose variance is s²·g_T'·M_TT⁻¹·g_T; one Cholesky root of M_TT, last row first, holds every length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from wellserved.moments import Granularity
from wellserved.prove.engine.design import PERIODS_PER_YEAR, Design
from wellserved.prove.engine.model import AR_SHARE, NUGGET, PHI, Floats, Mask
from wellserved.prove.engine.response import Response
from wellserved.prove.engine.step import Steps

MAX_STRETCH_DIVISOR = 3  # a stretch is at most this part of the time before
SHORT_STRETCH_SCORE = 1.0  # standard errors that leaving the worst stretch of a year out takes away by chance
LONG_STRETCH_SCORE = 1.6448536269514722  # for a long one, which is the worst more often: its windows are few
SIGNIFICANT_SCORE = 1.959963984540054  # a difference of estimates beyond so many is significant
LONG_STRETCH_DIVISOR = 6  # a stretch is long beyond this part of a year, or of the time before if that is more
LEAST_WORSE_SHARE = 0.75  # of the stretch's periods were worse than usual
FEWEST_PERIODS_BEFORE = 6  # periods before the change, with fewer there is no usual
MAX_YEAR_PERIODS = 1e6  # periods, where nothing comes again
STRETCH_RIDGE = 1e-9  # far below the noise: what the rows that are left cannot tell stays finite
FEWEST_YEAR_PERIODS = 12  # periods that a stretch is compared with, at least
MAX_NODES = 6  # of the noise, at most: those that the series like best


@dataclass(frozen=True)
class Stretches:
    """For S series and stretches of the last 1, 2, ... periods (P of them) before a change."""

    shift: Floats  # S, P: what leaving the stretch out takes away from the size of the estimate, on the model's scale
    score: Floats  # S, P: the same in standard errors
    is_bad: Mask  # S, P: the stretch was the worst of its length within a year, and mostly worse than usual
    worse_count: npt.NDArray[np.int64]  # S, P: periods of the stretch that were worse than usual
    chance_score: Floats  # P: the score that is still chance

    @property
    def is_suspect(self) -> Mask:
        """Stretches that were bad, and that the estimate hangs on by more than chance (S, P)."""
        return self.is_bad & (self.score > self.chance_score)

    def most_suspect(self) -> tuple[npt.NDArray[np.int64], Floats]:
        """Per series: the suspect stretch that stands out most, as its length (0: none), and its shift."""
        score = np.where(self.is_suspect, self.score, -np.inf)
        position = score.argmax(axis=1)
        rows = np.arange(len(score))
        is_found = np.isfinite(score[rows, position])
        return np.where(is_found, position + 1, 0), np.where(is_found, self.shift[rows, position], 0.0)


def find_stretches(
    response: Response, design: Design, steps: Steps, before: int, granularity: Granularity, side: Floats
) -> Stretches | None:
    """What the estimates of S series that share gaps and weights hang on; `side` (S): 1 up, -1 down.

    None: there is too little history. Rows that were not seen count for nothing.
    """
    rows = np.flatnonzero(response.is_observed[0])
    rows_before = int((rows < before).sum())
    longest = rows_before // MAX_STRETCH_DIVISOR
    if rows_before < FEWEST_PERIODS_BEFORE or not longest:
        return None
    z, noise = response.z[:, rows], response.noise[0, rows]
    noise = noise / noise.mean()
    shift, score = np.zeros((len(z), longest)), np.zeros((len(z), longest))
    weight = steps.fits["continues"].weight
    likely_nodes = np.argsort(weight.sum(axis=0))[::-1][:MAX_NODES]
    node = likely_nodes[weight[:, likely_nodes].argmax(axis=1)]
    for j in np.unique(node):
        members = np.flatnonzero(node == j)
        column_indices, precisions = node_fit(design, int(j))
        columns = design.columns[rows][:, column_indices]
        estimate_drop, error = _drop_without_rows(
            columns, precisions, int(j) % len(PHI), rows, noise, rows_before, longest, z[members]
        )
        shift[members], score[members] = (
            estimate_drop * side[members, None],
            estimate_drop * side[members, None] / error,
        )
    is_bad, worse_count = _worst_runs(
        z - _fitted_season(design, steps, rows), noise, rows_before, longest, granularity, side
    )
    is_long = np.arange(1, longest + 1) > max(_year_periods(granularity), rows_before) / LONG_STRETCH_DIVISOR
    return Stretches(shift, score, is_bad, worse_count, np.where(is_long, LONG_STRETCH_SCORE, SHORT_STRETCH_SCORE))


def _year_periods(granularity: Granularity) -> int:
    """Periods that a stretch is compared with, and among which it is short or long."""
    return max(round(min(PERIODS_PER_YEAR[granularity], MAX_YEAR_PERIODS)), FEWEST_YEAR_PERIODS)


def node_fit(design: Design, node: int) -> tuple[list[int], Floats]:
    """The columns that a node's fit takes while the trend goes on, and their prior precisions, relative to s²."""
    hypothesis, flat = design.hypotheses[node // len(PHI)], design.flat_columns["continues"]
    precision = hypothesis.precision(design.window_variance)[node % len(PHI)]
    return [*flat, *hypothesis.columns], np.append(np.zeros(len(flat)), precision)


def _drop_without_rows(
    columns: Floats, precisions: Floats, node: int, rows: npt.NDArray[np.int64], noise: Floats, rows_before: int,
    longest: int, z: Floats,
) -> tuple[Floats, Floats]:  # fmt: skip
    """At one node: how much larger the step is than without the last 1, 2, ... rows before (S, P), and its error."""
    lags = np.abs(rows[:, None] - rows[None, :])
    noise_variance = (1 - AR_SHARE[node]) * noise + NUGGET
    root = np.linalg.cholesky(AR_SHARE[node] * PHI[node] ** lags + np.diag(noise_variance))
    indicators = np.zeros((len(rows), longest))
    indicators[rows_before - 1 - np.arange(longest), np.arange(longest)] = 1.0
    width = columns.shape[1]
    scale = np.maximum(np.sqrt((columns**2).mean(axis=0)), 1e-300)
    white = solve_triangular(root, np.column_stack([columns / scale, indicators, z.T]), lower=True)
    x, e, y = white[:, :width], white[:, width : width + longest], white[:, width + longest :]
    inverse = np.linalg.inv(x.T @ x + np.diag(precisions / scale**2 + STRETCH_RIDGE))
    projection = inverse @ (x.T @ e)
    m_root = np.linalg.cholesky(e.T @ e - (x.T @ e).T @ projection + STRETCH_RIDGE * np.eye(longest))
    residuals = y - x @ (inverse @ (x.T @ y))
    pull = solve_triangular(m_root, projection[1] / scale[1], lower=True)
    surprise = solve_triangular(m_root, e.T @ residuals, lower=True)
    residual_squares = np.maximum((y * residuals).sum(axis=0) - np.cumsum(surprise**2, axis=0), 1e-300)
    freedom = np.maximum(len(rows) - width - np.arange(1, longest + 1), 1)
    error = np.sqrt(np.cumsum(pull**2)[:, None] * residual_squares / freedom[:, None])
    return np.cumsum(pull[:, None] * surprise, axis=0).T, np.maximum(error.T, 1e-300)


def _fitted_season(design: Design, steps: Steps, rows: npt.NDArray[np.int64]) -> Floats:
    """The season that was seen, as it is fitted (S, n): a Sunday is not bad for being one."""
    shared_columns = set(design.flat_columns["continues"]) & set(design.flat_columns["stops"])
    season_columns = sorted(column for column in shared_columns if column > design.step_count)
    season: Floats = steps.fits["continues"].coefficients[:, season_columns] @ design.columns[rows][:, season_columns].T
    return season


def _worst_runs(
    z: Floats, noise: Floats, rows_before: int, longest: int, granularity: Granularity, side: Floats
) -> tuple[Mask, npt.NDArray[np.int64]]:
    """Whether the last 1, 2, ... rows before were the worst run of their length in a year, and how many were worse."""
    badness = -side[:, None] * z[:, :rows_before]  # the effect goes the other way: large is bad
    sums = np.pad(np.cumsum(badness / noise[:rows_before], axis=1), ((0, 0), (1, 0)))
    weights = np.pad(np.cumsum(1 / noise[:rows_before]), (1, 0))
    year = _year_periods(granularity)
    is_worst, worse_count = np.zeros((len(z), longest), dtype=bool), np.zeros((len(z), longest), dtype=np.int64)
    for length in range(1, longest + 1):
        first = max(rows_before - max(year, 3 * length), 0)
        runs = (sums[:, first + length :] - sums[:, first:-length]) / (
            weights[first + length :] - weights[first:-length]
        )
        usual = np.median(badness[:, : rows_before - length], axis=1)
        worse_count[:, length - 1] = (badness[:, rows_before - length :] > usual[:, None]).sum(axis=1)
        is_worst[:, length - 1] = (runs[:, -1] >= runs.max(axis=1)) & (
            worse_count[:, length - 1] >= LEAST_WORSE_SHARE * length
        )
    return is_worst, worse_count

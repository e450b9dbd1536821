"""Generalised least squares with the errors' structure integrated out: what a step in a series is, and how sure.

A series z is Xb + e with Var(e) = s²V, V = L·F + (1 - L)·diag(w), F[i, j] = f^|i - j|: an autoregressive part and
noise of its own. Nobody knows f and L, nor whether an effect came at once or grew, nor how strong a season is that was
not seen twice. So every pair of a grid is fitted under every hypothesis about these, and weighted by how well it
explains the series (restricted likelihood); the answer is a mixture of t distributions. The step is read under a flat
prior.

Whitening by a scalar Kalman filter takes one pass over the periods for the whole grid and all columns. Many series
that share their noise weights and gaps share the pass as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_PHI = (0.0, 0.2, 0.4, 0.55, 0.7, 0.8, 0.88, 0.94, 0.97, 0.985, 0.995, 0.999)
_SHARE = (0.03, 0.1, 0.25, 0.5, 0.75, 0.92, 1.0)
_SHARE_OF_DRIFT = (0.05, 0.2, 0.5, 0.8, 0.92, 0.98, 1.0)  # at f near 1 what counts is the drift beside the noise
NEAR_ONE = 0.985
NUGGET = 1e-9  # keeps a node without noise of its own invertible
RIDGE = 1e-13
NEGLIGIBLE = 1e-6  # weight below which a node is dropped
LEVEL = 0.95


def _grid() -> tuple[Floats, Floats, Floats]:
    """The nodes' f and L and their log prior mass; with f = 0 the two parts are one, and so is the node."""
    shares = {phi: (_SHARE_OF_DRIFT if phi >= NEAR_ONE else _SHARE) if phi else (0.0,) for phi in _PHI}
    pairs = [(phi, share) for phi in _PHI for share in shares[phi]]
    phi = np.array([pair[0] for pair in pairs])
    mass = (1 - phi + 0.003) ** -0.25 / np.array([len(shares[pair[0]]) for pair in pairs])
    return phi, np.array([pair[1] for pair in pairs]), np.log(mass / mass.sum())


PHI, SHARE, LOG_PRIOR = _grid()
STEP_OF_DRIFT = SHARE * (1 - PHI**2) / np.maximum(1 - SHARE, 1e-9)  # variance beside that of the noise
DRIFTS = (PHI >= 0.97) & (STEP_OF_DRIFT >= 0.005)
LINGERS = (PHI >= 0.8) & (PHI < 0.97) & (SHARE >= 0.5)
CAUTION = np.select([DRIFTS, LINGERS], [1.5, 1.1], 1.0)
"""Factor of an effect's scale at each node. How far a series drifts, and how long a deviation lingers, is understated
where it is estimated from some hundred periods; with the factor the intervals hold the truth as often as they say
(`make calibrate`)."""


def within_variance(periods: int) -> Floats:
    """Per node: the variance that shows inside a window of so many periods, relative to s²."""
    lag = np.arange(1, periods)
    powers = ((1 - lag / periods)[None, :] * PHI[:, None] ** lag[None, :]).sum(axis=1)
    found: Floats = np.maximum(1 - (1 + 2 * SHARE * powers) / periods, 1e-6)
    return found


@dataclass(frozen=True)
class Products:
    """Whitened products of columns X (K of them) and series z (S): all that a fit needs. B batches, J nodes."""

    xx: Floats  # B, J, K, K
    xz: Floats  # B, J, K, S
    zz: Floats  # B, J, S
    log_det: Floats  # B, J: log |V| over the observed periods
    observed: npt.NDArray[np.int64]  # B


@dataclass(frozen=True)
class Whitened:
    """Rows with the errors' structure filtered out of them: columns first, then series."""

    rows: Floats  # B, J, n, K + S
    log_variance: Floats  # n, B, J: of each row given those before it; 0 where nothing was seen
    seen: Mask  # B, n
    width: int  # K

    def products(self, until: int | None = None) -> Products:
        """All that a fit needs, of all rows or of the first ones: a row is filtered by what came before it alone."""
        part = self.rows[:, :, :until]
        left, right = part[..., : self.width].transpose(0, 1, 3, 2), part[..., self.width :]
        zz = np.einsum("bjns,bjns->bjs", right, right)
        observed = self.seen[:, :until].sum(axis=1)
        return Products(
            left @ part[..., : self.width], left @ right, zz, self.log_variance[:until].sum(axis=0), observed
        )


def whitened(columns: Floats, series: Floats, noise: Floats, seen: Mask) -> Whitened:
    """Filter columns (n, K) and series (B, n, S) with noise weights (B, n), skipping what was not seen (B, n)."""
    batches, periods = series.shape[:2]
    width = columns.shape[1]
    rows = np.concatenate([np.broadcast_to(columns, (batches, periods, width)), series], axis=2)
    rows = np.where(seen[:, :, None], rows, 0.0)
    return Whitened(*_filtered(rows, noise, seen), seen, width)


def _filtered(rows: Floats, noise: Floats, seen: Mask) -> tuple[Floats, Floats]:
    """The whitened rows (B, J, n, C) and the logarithms of their variances (n, B, J): one pass over the periods."""
    batches, periods, width = rows.shape
    own = np.where(seen[:, None, :], (1 - SHARE)[None, :, None] * noise[:, None, :] + NUGGET, 1.0)
    fresh = SHARE * (1 - PHI**2)
    variance = np.broadcast_to(SHARE, (batches, len(PHI))).copy()
    mean = np.zeros((batches, len(PHI), width))
    white = np.empty((periods, batches, len(PHI), width))
    spread = np.empty((periods, batches, len(PHI)))
    phi_column = PHI[:, None]
    for period in range(periods):
        there = seen[:, period, None]
        total = variance + own[:, :, period]
        spread[period] = total
        gain = np.where(there, variance / total, 0.0)
        scaled = np.where(there, 1 / np.sqrt(total), 0.0)
        ahead = rows[:, period, None, :] - mean
        np.multiply(ahead, scaled[:, :, None], out=white[period])
        mean += gain[:, :, None] * ahead
        mean *= phi_column
        variance = PHI**2 * variance * (1 - gain) + fresh
    logs: Floats = np.where(seen.T[:, :, None], np.log(spread), 0.0)
    return white.transpose(1, 2, 0, 3), logs


@dataclass(frozen=True)
class Mixture:
    """What is known of one effect in each of N series: t distributions with the nodes' weights (N, J)."""

    weight: Floats
    centre: Floats
    scale: Floats
    freedom: Floats  # N

    @property
    def point(self) -> Floats:
        """Mean of the mixture."""
        found: Floats = (self.weight * self.centre).sum(axis=1)
        return found

    def below(self, at: Floats) -> Floats:
        """Probability that the effect is less than `at` (N)."""
        each = np.zeros_like(self.weight)
        special.stdtr(self.freedom[:, None], self._away(at), out=each, where=self.weight > 0)
        found: Floats = (self.weight * each).sum(axis=1)
        return found

    def _away(self, at: Floats) -> Floats:
        away: Floats = (at[:, None] - self.centre) / self.scale
        return away

    def _density(self, at: Floats) -> Floats:
        """Up to the factor of a t density with so many degrees of freedom, which Newton's steps put in."""
        freedom = self.freedom[:, None]
        shape = np.exp(-(freedom + 1) / 2 * np.log1p(self._away(at) ** 2 / freedom))
        norm = np.exp(special.gammaln((self.freedom + 1) / 2) - special.gammaln(self.freedom / 2))
        found: Floats = (self.weight / self.scale * shape).sum(axis=1) * norm / np.sqrt(self.freedom * np.pi)
        return found

    def quantile(self, probability: float) -> Floats:
        """The point below which the effect lies with this probability: Newton's steps, held inside a bracket."""
        parts = self.centre + special.stdtrit(self.freedom, probability)[:, None] * self.scale
        low, high = parts.min(axis=1), parts.max(axis=1)  # the mixture's quantile lies between its parts'
        spread = np.sqrt(self.variance)
        at = np.clip(self.point + special.ndtri(probability) * spread, low, high)
        left = np.arange(len(at))
        for _ in range(60):
            of = self.take(left)
            off = of.below(at[left]) - probability
            low[left], high[left] = np.where(off < 0, at[left], low[left]), np.where(off > 0, at[left], high[left])
            step = at[left] - off / np.maximum(of._density(at[left]), 1e-300)
            inside = (step > low[left]) & (step < high[left])
            step = np.where(inside, step, (low[left] + high[left]) / 2)
            moved = np.abs(step - at[left])
            at[left] = np.where(off == 0, at[left], step)
            left = left[(moved > 1e-7 * spread[left]) & (off != 0)]  # the error after a step of Newton is its square
            if not len(left):
                break
        found: Floats = at
        return found

    @property
    def variance(self) -> Floats:
        """Of the mixture, about its mean."""
        thick = np.where(self.freedom > 2, self.freedom / np.maximum(self.freedom - 2, 1e-9), 3.0)
        within = (self.weight * self.scale**2).sum(axis=1) * thick
        found: Floats = within + (self.weight * (self.centre - self.point[:, None]) ** 2).sum(axis=1)
        return found

    def take(self, places: npt.NDArray[np.int64]) -> Mixture:
        """Some of the series."""
        if len(places) == len(self.freedom):
            return self
        return Mixture(self.weight[places], self.centre[places], self.scale[places], self.freedom[places])

    def interval(self, level: float = LEVEL) -> tuple[Floats, Floats]:
        """Equal-tailed interval."""
        tail = (1 - level) / 2
        return self.quantile(tail), self.quantile(1 - tail)

    def p(self) -> Floats:
        """Two-sided: how rarely no effect would look like this."""
        below = self.below(np.zeros(len(self.freedom)))
        found: Floats = 2 * np.minimum(below, 1 - below)
        return found

    def times(self, factor: Floats) -> Mixture:
        """The same in another unit; factor (N) may turn it round."""
        by = factor[:, None]
        return Mixture(self.weight, self.centre * by, self.scale * np.abs(by), self.freedom)


@dataclass(frozen=True)
class Hypothesis:
    """Columns with a normal prior that are put beside the flat ones; a node is a pair of the grid under a hypothesis.

    `sd`: prior standard deviation of each column's coefficient, as a part of the deviation that shows inside the
    window. `log_mass`: logarithm of what it is believed before the series is looked at.
    """

    columns: tuple[int, ...] = ()
    sd: tuple[float, ...] = ()
    log_mass: float = 0.0

    def precision(self, within: Floats) -> Floats:
        """Per pair of the grid and column (J, p): prior precisions, relative to s²."""
        precision: Floats = 1 / (np.square(self.sd)[None, :] * within[:, None])
        return precision


FLAT = (Hypothesis(),)


@dataclass(frozen=True)
class Posterior:
    """A fit: the mixtures asked for, the mean coefficients (N, K) and the nodes' weights; `flat`: no noise at all."""

    effects: tuple[Mixture, ...]
    coefficients: Floats
    weight: Floats
    s2: Floats  # N, nodes: s² at each node, in the squared unit of z
    sd: Floats  # N: residual standard deviation inside the window, in the unit of z
    flat: Mask  # N: the columns explain the series to the last digit, so that nothing can be said of noise


@dataclass(frozen=True)
class _Base:
    """The fit of the flat columns alone, which every hypothesis adds to. B batches, J pairs, k columns, S series."""

    columns: npt.NDArray[np.int64]
    inverse: Floats  # B, J, k, k: of X'V⁻¹X
    log_root: Floats  # B, J: half of the logarithm of its determinant
    beta: Floats  # B, J, k, S
    rest: Floats  # B, J, S: what is left of z'V⁻¹z


def _base(products: Products, columns: Sequence[int]) -> _Base:
    """Columns of like size, and a ridge far below every digit that is shown, keep nearly singular fits in range."""
    at = np.array(columns)
    a = products.xx[:, :, at[:, None], at]
    size = 1 / np.sqrt(np.diagonal(a, axis1=2, axis2=3))
    root = np.linalg.cholesky(a * size[..., :, None] * size[..., None, :] + RIDGE * np.eye(len(at)))
    log_root: Floats = np.log(np.diagonal(root, axis1=2, axis2=3) / size).sum(axis=2)
    half = np.linalg.inv(root) * size[..., None, :]
    inverse = half.transpose(0, 1, 3, 2) @ half
    xz = products.xz[:, :, at, :]
    beta = inverse @ xz
    return _Base(at, inverse, log_root, beta, products.zz - np.einsum("bjks,bjks->bjs", xz, beta))


@dataclass(frozen=True)
class _Beside:
    """What one hypothesis adds to a base; p columns."""

    projection: Floats  # B, J, k, p: the flat coefficients of its columns
    inverse: Floats  # B, J, p, p
    gamma: Floats  # B, J, p, S
    rest: Floats  # B, J, S
    log_det: Floats  # B, J: half of the logarithm of all that it adds to the determinants

    def unit(self, base: _Base, flat: Floats, own: Floats) -> Floats:
        """Variance of a contrast, relative to s² (B, J)."""
        beyond = own - np.einsum("k,bjkp->bjp", flat, self.projection)
        of_flat = np.einsum("k,bjkl,l->bj", flat, base.inverse, flat)
        unit: Floats = of_flat + np.einsum("bjp,bjpq,bjq->bj", beyond, self.inverse, beyond)
        return unit

    def centre(self, base: _Base, flat: Floats, own: Floats) -> Floats:
        """Value of a contrast (B, J, S)."""
        beyond = own - np.einsum("k,bjkp->bjp", flat, self.projection)
        centre: Floats = np.einsum("k,bjks->bjs", flat, base.beta) + np.einsum("bjp,bjps->bjs", beyond, self.gamma)
        return centre


def _beside(products: Products, base: _Base, hypothesis: Hypothesis, within: Floats) -> _Beside:
    """Columns with a prior, put beside the flat ones by their Schur complement."""
    own = np.array(hypothesis.columns, dtype=np.int64)
    precision = hypothesis.precision(within)
    cross = products.xx[:, :, base.columns[:, None], own]
    projection = base.inverse @ cross
    left = products.xx[:, :, own[:, None], own] - cross.transpose(0, 1, 3, 2) @ projection
    left = left + np.eye(len(own)) * precision[None, :, None, :]
    score = products.xz[:, :, own, :] - projection.transpose(0, 1, 3, 2) @ products.xz[:, :, base.columns, :]
    inverse: Floats = np.linalg.inv(left).astype(np.float64)
    gamma = inverse @ score
    rest = base.rest - np.einsum("bjps,bjps->bjs", score, gamma)
    log_det = (np.linalg.slogdet(left)[1] - np.log(precision).sum(axis=1)[None, :]) / 2
    return _Beside(projection, inverse, gamma, rest, log_det)


def unit_variance(
    products: Products, flat: Sequence[int], hypotheses: Sequence[Hypothesis], within: Floats, contrast: Floats
) -> Floats:
    """Per batch and node (B, J·H): the variance of one contrast of all columns (K), relative to s²."""
    base = _base(products, flat)
    parts = []
    for hypothesis in hypotheses:
        beside = _beside(products, base, hypothesis, within)
        parts.append(beside.unit(base, contrast[base.columns], contrast[list(hypothesis.columns)]))
    variance: Floats = np.concatenate(parts, axis=1) * np.tile(CAUTION**2, len(hypotheses))[None, :]
    return variance


def posterior(
    products: Products,
    flat: Sequence[int],
    contrasts: Sequence[Floats],
    within: Floats,
    hypotheses: Sequence[Hypothesis] = FLAT,
    among: Sequence[npt.NDArray[np.bool_]] = (),
) -> list[Posterior]:
    """Fit the flat columns under every hypothesis; `contrasts` (K) weigh the coefficients of all columns.

    `within` (J): the variance that shows inside the window, relative to s². `among`: for each answer, the hypotheses
    that it believes in (H); empty: one answer that believes in all. Restricted likelihood with all coefficients and s²
    integrated out, the priors' determinants included, so that hypotheses can be weighed against each other.
    """
    base = _base(products, flat)
    besides = [_beside(products, base, hypothesis, within) for hypothesis in hypotheses]
    rest = np.concatenate([beside.rest for beside in besides], axis=1)
    no_noise = rest.min(axis=1) <= 1e-11 * np.maximum(products.zz.max(axis=1), 1e-300)
    rest = np.maximum(rest, 1e-300)
    freedom = (products.observed - len(base.columns)).astype(float)
    log_det = np.concatenate(
        [
            LOG_PRIOR + hypothesis.log_mass - products.log_det / 2 - base.log_root - beside.log_det
            for hypothesis, beside in zip(hypotheses, besides, strict=True)
        ],
        axis=1,
    )
    log_p = log_det[:, :, None] - freedom[:, None, None] / 2 * np.log(rest)
    variance = rest / freedom[:, None, None]
    parts = []
    for contrast in contrasts:
        pairs = [
            (beside, contrast[base.columns], contrast[list(hypothesis.columns)])
            for hypothesis, beside in zip(hypotheses, besides, strict=True)
        ]
        centre = np.concatenate([beside.centre(base, of_flat, own) for beside, of_flat, own in pairs], axis=1)
        unit = np.concatenate([beside.unit(base, of_flat, own) for beside, of_flat, own in pairs], axis=1)
        caution = np.tile(CAUTION, len(hypotheses))[None, :, None]
        parts.append((centre, caution * np.sqrt(variance * unit[:, :, None])))
    answers = []
    for believed in among or [np.ones(len(hypotheses), dtype=bool)]:
        weight = _weights(np.where(np.repeat(believed, len(PHI))[None, :, None], log_p, -np.inf))
        effects = tuple(_flattened(weight, centre, scale, freedom) for centre, scale in parts)
        mean = _mean_coefficients(base, besides, hypotheses, weight, products.xx.shape[2])
        sd = np.sqrt((weight * variance * np.tile(within, len(hypotheses))[None, :, None]).sum(axis=1)).ravel()
        by_series, s2 = (part.transpose(0, 2, 1).reshape(-1, part.shape[1]) for part in (weight, variance))
        answers.append(Posterior(effects, mean, by_series, s2, sd, no_noise.ravel()))
    return answers


def _weights(log_p: Floats) -> Floats:
    """The nodes' weights, those that do not matter left out (B, nodes, S)."""
    weight: Floats = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    weight[weight < NEGLIGIBLE] = 0.0
    weight /= weight.sum(axis=1, keepdims=True)
    return weight


def _mean_coefficients(
    base: _Base, besides: Sequence[_Beside], hypotheses: Sequence[Hypothesis], weight: Floats, width: int
) -> Floats:
    """Of all columns (N, K), 0 for those that no hypothesis holds."""
    batches, _, series = weight.shape
    mean = np.zeros((batches, width, series))
    for number, (hypothesis, beside) in enumerate(zip(hypotheses, besides, strict=True)):
        part = weight[:, number * len(PHI) : (number + 1) * len(PHI), None, :]
        mean[:, base.columns] += (part * (base.beta - beside.projection @ beside.gamma)).sum(axis=1)
        mean[:, list(hypothesis.columns)] += (part * beside.gamma).sum(axis=1)
    return mean.transpose(0, 2, 1).reshape(-1, width)


def _flattened(weight: Floats, centre: Floats, scale: Floats, freedom: Floats) -> Mixture:
    """B batches of S series as N = B·S of them, with as many nodes as the one with most of them needs."""
    series = centre.shape[2]
    weight, centre, scale = (part.transpose(0, 2, 1).reshape(-1, part.shape[1]) for part in (weight, centre, scale))
    many = int((weight > 0).sum(axis=1).max())
    if many < weight.shape[1]:
        heaviest = np.argpartition(-weight, many - 1, axis=1)[:, :many]
        weight, centre, scale = (np.take_along_axis(part, heaviest, axis=1) for part in (weight, centre, scale))
    return Mixture(weight, centre, scale, np.repeat(freedom, series))

"""Generalised least squares with the errors' structure integrated out: what a step in a series is, and how sure.

A series z is Xb + e with Var(e) = s²V, V = L·F + (1 - L)·diag(w), F[i, j] = f^|i - j|: an autoregressive part and
noise of its own. Nobody knows f and L, so that every pair of a grid is fitted and weighted by how well it explains
the series (restricted likelihood); the answer is a mixture of t distributions. The step is read under a flat prior.

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
NUGGET = 1e-9  # keeps a node without noise of its own invertible
RIDGE = 1e-13
NEGLIGIBLE = 1e-6  # weight below which a node is dropped
LEVEL = 0.95


def _grid() -> tuple[Floats, Floats, Floats]:
    """The nodes' f and L and their log prior mass; with f = 0 the two parts are one, and so is the node."""
    pairs = [(phi, share) for phi in _PHI for share in (_SHARE if phi else (0.0,))]
    phi = np.array([pair[0] for pair in pairs])
    mass = (1 - phi + 0.003) ** -0.5 / np.where(phi > 0, len(_SHARE), 1)
    return phi, np.array([pair[1] for pair in pairs]), np.log(mass / mass.sum())


PHI, SHARE, LOG_PRIOR = _grid()


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
class Posterior:
    """A fit: the mixtures asked for, the mean coefficients (N, K) and the nodes' weights; `flat`: no noise at all."""

    effects: tuple[Mixture, ...]
    coefficients: Floats
    weight: Floats
    s2: Floats  # N, J: s² at each node, in the squared unit of z
    sd: Floats  # N: residual standard deviation inside the window, in the unit of z
    flat: Mask  # N: the columns explain the series to the last digit, so that nothing can be said of noise


def _root(products: Products, chosen: Sequence[int], held: Floats) -> tuple[Floats, Floats]:
    """H with H'H the inverse of A = X'V⁻¹X + R, and half of log |A|.

    Columns of like size, and a ridge far below every digit that is shown, keep nearly singular fits in range.
    """
    at = np.array(chosen)
    a = products.xx[:, :, at[:, None], at] + np.eye(len(at)) * held[None, :, None, :]
    size = 1 / np.sqrt(np.diagonal(a, axis1=2, axis2=3))
    root = np.linalg.cholesky(a * size[..., :, None] * size[..., None, :] + RIDGE * np.eye(len(at)))
    log_root: Floats = np.log(np.diagonal(root, axis1=2, axis2=3) / size).sum(axis=2)
    return np.linalg.inv(root) * size[..., None, :], log_root


def unit_variance(products: Products, chosen: Sequence[int], held: Floats, column: int) -> Floats:
    """Per batch and node (B, J): the variance of one coefficient, relative to s²."""
    half, _ = _root(products, chosen, held)
    found: Floats = (half[..., column] ** 2).sum(axis=2)
    return found


def posterior(
    products: Products, chosen: Sequence[int], held: Floats, contrasts: Sequence[Floats], within: Floats
) -> Posterior:
    """Fit the chosen columns; `held` (J, k) are their prior precisions over s², `contrasts` weigh the coefficients.

    `within` (J): the variance that shows inside the window, relative to s².

    Restricted likelihood with coefficients and s² integrated out; penalised columns count in k, and the prior's
    own determinant is left out (adding it widens by 0 to 3%).
    """
    xz = products.xz[:, :, np.array(chosen), :]
    half, log_root = _root(products, chosen, held)
    inverse = half.transpose(0, 1, 3, 2) @ half
    beta = inverse @ xz  # B, J, k, S
    rest = products.zz - np.einsum("bjks,bjks->bjs", xz, beta)
    flat = rest.min(axis=1) <= 1e-11 * np.maximum(products.zz.max(axis=1), 1e-300)
    rest = np.maximum(rest, 1e-300)
    freedom = (products.observed - len(chosen)).astype(float)
    log_det = products.log_det / 2 + log_root
    log_p = (LOG_PRIOR - log_det)[:, :, None] - freedom[:, None, None] / 2 * np.log(rest)
    weight = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    weight[weight < NEGLIGIBLE] = 0.0
    weight /= weight.sum(axis=1, keepdims=True)
    variance = rest / freedom[:, None, None]
    effects = []
    for c in contrasts:
        centre = np.einsum("k,bjks->bjs", c, beta)
        unit = ((half @ c) ** 2).sum(axis=2)
        scale = np.sqrt(variance * unit[:, :, None])
        effects.append(_flattened(weight, centre, scale, freedom))
    mean = (weight[:, :, None, :] * beta).sum(axis=1).transpose(0, 2, 1).reshape(-1, len(chosen))
    by_series = weight.transpose(0, 2, 1).reshape(-1, len(PHI))
    sd = np.sqrt((weight * variance * within[None, :, None]).sum(axis=1)).ravel()
    s2 = variance.transpose(0, 2, 1).reshape(-1, len(PHI))
    return Posterior(tuple(effects), mean, by_series, s2, sd, flat.ravel())


def _flattened(weight: Floats, centre: Floats, scale: Floats, freedom: Floats) -> Mixture:
    """B batches of S series as N = B·S of them."""
    many = centre.shape[2]
    weight, centre, scale = (part.transpose(0, 2, 1).reshape(-1, len(PHI)) for part in (weight, centre, scale))
    return Mixture(weight, centre, scale, np.repeat(freedom, many))

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
LEAST_DRIFT_PHI = 0.985
NUGGET = 1e-9  # keeps a node without noise of its own invertible
GRAM_RIDGE = 1e-13
NEGLIGIBLE_WEIGHT = 1e-6  # weight below which a node is dropped
CONFIDENCE_LEVEL = 0.95


def _build_grid() -> tuple[Floats, Floats, Floats]:
    """The nodes' f and L and their log prior mass; with f = 0 the two parts are one, and so is the node."""
    shares = {phi: (_SHARE_OF_DRIFT if phi >= LEAST_DRIFT_PHI else _SHARE) if phi else (0.0,) for phi in _PHI}
    pairs = [(phi, share) for phi in _PHI for share in shares[phi]]
    phi = np.array([pair[0] for pair in pairs])
    mass = (1 - phi + 0.003) ** -0.25 / np.array([len(shares[pair[0]]) for pair in pairs])
    return phi, np.array([pair[1] for pair in pairs]), np.log(mass / mass.sum())


PHI, AR_SHARE, LOG_PRIOR = _build_grid()
STEP_OF_DRIFT = AR_SHARE * (1 - PHI**2) / np.maximum(1 - AR_SHARE, 1e-9)  # its variance beside that of the noise
IS_DRIFT_NODE = (PHI >= 0.97) & (STEP_OF_DRIFT >= 0.005)
IS_LINGERING_NODE = (PHI >= 0.8) & (PHI < 0.97) & (AR_SHARE >= 0.5)
SCALE_CAUTION = np.select([IS_DRIFT_NODE, IS_LINGERING_NODE], [1.5, 1.1], 1.0)
"""Factor of an effect's scale at each node. How far a series drifts, and how long a deviation lingers, is understated
where it is estimated from some hundred periods; with the factor the intervals hold the truth as often as they say
(`make calibrate`)."""


def variance_within_window(periods: int) -> Floats:
    """Per node: the variance that shows inside a window of so many periods, relative to s²."""
    lag = np.arange(1, periods)
    powers = ((1 - lag / periods)[None, :] * PHI[:, None] ** lag[None, :]).sum(axis=1)
    variance: Floats = np.maximum(1 - (1 + 2 * AR_SHARE * powers) / periods, 1e-6)
    return variance


@dataclass(frozen=True)
class Products:
    """Whitened products of columns X (K of them) and series z (S): all that a fit needs. B batches, J nodes."""

    xx: Floats  # B, J, K, K
    xz: Floats  # B, J, K, S
    zz: Floats  # B, J, S
    log_det: Floats  # B, J: log |V| over the observed periods
    observed_count: npt.NDArray[np.int64]  # B


@dataclass(frozen=True)
class WhitenedRows:
    """Rows with the errors' structure filtered out of them: columns first, then series."""

    rows: Floats  # B, J, n, K + S
    log_variance: Floats  # n, B, J: of each row given those before it; 0 where nothing was seen
    is_observed: Mask  # B, n
    column_count: int  # K

    def products(self, until: int | None = None) -> Products:
        """All that a fit needs, of all rows or of the first ones: a row is filtered by what came before it alone."""
        rows = self.rows[:, :, :until]
        columns, series = rows[..., : self.column_count].transpose(0, 1, 3, 2), rows[..., self.column_count :]
        zz = np.einsum("bjns,bjns->bjs", series, series)
        observed_count = self.is_observed[:, :until].sum(axis=1)
        return Products(
            columns @ rows[..., : self.column_count],
            columns @ series,
            zz,
            self.log_variance[:until].sum(axis=0),
            observed_count,
        )


def whiten(columns: Floats, series: Floats, noise: Floats, is_observed: Mask) -> WhitenedRows:
    """Filter columns (n, K) and series (B, n, S) with noise weights (B, n), skipping what was not seen (B, n)."""
    batches, periods = series.shape[:2]
    width = columns.shape[1]
    rows = np.concatenate([np.broadcast_to(columns, (batches, periods, width)), series], axis=2)
    rows = np.where(is_observed[:, :, None], rows, 0.0)
    return WhitenedRows(*_whiten_rows(rows, noise, is_observed), is_observed, width)


def _whiten_rows(rows: Floats, noise: Floats, is_observed: Mask) -> tuple[Floats, Floats]:
    """The whitened rows (B, J, n, C) and the logarithms of their variances (n, B, J): one pass over the periods."""
    batches, periods, width = rows.shape
    noise_variance = np.where(is_observed[:, None, :], (1 - AR_SHARE)[None, :, None] * noise[:, None, :] + NUGGET, 1.0)
    process_variance = AR_SHARE * (1 - PHI**2)
    state_variance = np.broadcast_to(AR_SHARE, (batches, len(PHI))).copy()
    state_mean = np.zeros((batches, len(PHI), width))
    whitened_rows = np.empty((periods, batches, len(PHI), width))
    total_variances = np.empty((periods, batches, len(PHI)))
    phi_column = PHI[:, None]
    for period in range(periods):
        is_observed_now = is_observed[:, period, None]
        total_variance = state_variance + noise_variance[:, :, period]
        total_variances[period] = total_variance
        gain = np.where(is_observed_now, state_variance / total_variance, 0.0)
        inverse_sd = np.where(is_observed_now, 1 / np.sqrt(total_variance), 0.0)
        innovation = rows[:, period, None, :] - state_mean
        np.multiply(innovation, inverse_sd[:, :, None], out=whitened_rows[period])
        state_mean += gain[:, :, None] * innovation
        state_mean *= phi_column
        state_variance = PHI**2 * state_variance * (1 - gain) + process_variance
    log_variances: Floats = np.where(is_observed.T[:, :, None], np.log(total_variances), 0.0)
    return whitened_rows.transpose(1, 2, 0, 3), log_variances


@dataclass(frozen=True)
class Mixture:
    """What is known of one effect in each of N series: t distributions with the nodes' weights (N, J)."""

    weight: Floats
    centre: Floats
    scale: Floats
    freedom: Floats  # N

    @property
    def mean(self) -> Floats:
        """Mean of the mixture."""
        mean: Floats = (self.weight * self.centre).sum(axis=1)
        return mean

    def probability_below(self, values: Floats) -> Floats:
        """Probability that the effect is less than some values (N)."""
        node_probabilities = np.zeros_like(self.weight)
        special.stdtr(self.freedom[:, None], self._standardized(values), out=node_probabilities, where=self.weight > 0)
        probability: Floats = (self.weight * node_probabilities).sum(axis=1)
        return probability

    def _standardized(self, values: Floats) -> Floats:
        distance: Floats = (values[:, None] - self.centre) / self.scale
        return distance

    def _density(self, values: Floats) -> Floats:
        """Up to the factor of a t density with so many degrees of freedom, which Newton's steps put in."""
        freedom = self.freedom[:, None]
        shape = np.exp(-(freedom + 1) / 2 * np.log1p(self._standardized(values) ** 2 / freedom))
        norm = np.exp(special.gammaln((self.freedom + 1) / 2) - special.gammaln(self.freedom / 2))
        density: Floats = (self.weight / self.scale * shape).sum(axis=1) * norm / np.sqrt(self.freedom * np.pi)
        return density

    def quantile(self, probability: float) -> Floats:
        """The point below which the effect lies with this probability: Newton's steps, held inside a bracket."""
        node_quantiles = self.centre + special.stdtrit(self.freedom, probability)[:, None] * self.scale
        # the mixture's quantile lies between its parts'
        low, high = (
            node_quantiles.min(axis=1),
            node_quantiles.max(axis=1),
        )
        spread = np.sqrt(self.variance)
        estimate = np.clip(self.mean + special.ndtri(probability) * spread, low, high)
        unconverged = np.arange(len(estimate))
        for _ in range(60):
            mixture = self.select(unconverged)
            error = mixture.probability_below(estimate[unconverged]) - probability
            low[unconverged], high[unconverged] = (
                np.where(error < 0, estimate[unconverged], low[unconverged]),
                np.where(error > 0, estimate[unconverged], high[unconverged]),
            )
            step = estimate[unconverged] - error / np.maximum(mixture._density(estimate[unconverged]), 1e-300)
            is_inside = (step > low[unconverged]) & (step < high[unconverged])
            step = np.where(is_inside, step, (low[unconverged] + high[unconverged]) / 2)
            step_size = np.abs(step - estimate[unconverged])
            estimate[unconverged] = np.where(error == 0, estimate[unconverged], step)
            # the error after a step of Newton is its square; after half a bracket it may be all of it
            enough = np.where(is_inside, 1e-5, 1e-7) * spread[unconverged]
            unconverged = unconverged[(step_size > enough) & (error != 0)]
            if not len(unconverged):
                break
        quantiles: Floats = estimate
        return quantiles

    @property
    def variance(self) -> Floats:
        """Of the mixture, about its mean."""
        tail_factor = np.where(self.freedom > 2, self.freedom / np.maximum(self.freedom - 2, 1e-9), 3.0)
        node_variance = (self.weight * self.scale**2).sum(axis=1) * tail_factor
        variance: Floats = node_variance + (self.weight * (self.centre - self.mean[:, None]) ** 2).sum(axis=1)
        return variance

    def select(self, indices: npt.NDArray[np.int64]) -> Mixture:
        """Some of the series."""
        if len(indices) == len(self.freedom):
            return self
        return Mixture(self.weight[indices], self.centre[indices], self.scale[indices], self.freedom[indices])

    def interval(self, level: float = CONFIDENCE_LEVEL) -> tuple[Floats, Floats]:
        """Equal-tailed interval."""
        tail = (1 - level) / 2
        return self.quantile(tail), self.quantile(1 - tail)

    def p_values(self) -> Floats:
        """Two-sided: how rarely no effect would look like this."""
        probability_below = self.probability_below(np.zeros(len(self.freedom)))
        p_value: Floats = 2 * np.minimum(probability_below, 1 - probability_below)
        return p_value

    def rescale(self, factor: Floats) -> Mixture:
        """Turn the effects into another unit; factor (N) may turn them round."""
        column_factor = factor[:, None]
        return Mixture(self.weight, self.centre * column_factor, self.scale * np.abs(column_factor), self.freedom)


@dataclass(frozen=True)
class Hypothesis:
    """Columns with a normal prior that are put beside the flat ones; a node is a pair of the grid under a hypothesis.

    `sd`: prior standard deviation of each column's coefficient, as a part of the deviation that shows inside the
    window. `log_mass`: logarithm of what it is believed before the series is looked at.
    """

    columns: tuple[int, ...] = ()
    sd: tuple[float, ...] = ()
    log_mass: float = 0.0

    def precision(self, window_variance: Floats) -> Floats:
        """Per pair of the grid and column (J, p): prior precisions, relative to s²."""
        precision: Floats = 1 / (np.square(self.sd)[None, :] * window_variance[:, None])
        return precision


FLAT_HYPOTHESES = (Hypothesis(),)


@dataclass(frozen=True)
class Posterior:
    """A fit: the mixtures asked for, the mean coefficients (N, K) and the nodes' weights; `flat`: no noise at all."""

    effects: tuple[Mixture, ...]
    coefficients: Floats
    weight: Floats
    s2: Floats  # N, nodes: s² at each node, in the squared unit of z
    sd: Floats  # N: residual standard deviation inside the window, in the unit of z
    is_noiseless: Mask  # N: the columns explain the series to the last digit, so that nothing can be said of noise


@dataclass(frozen=True)
class _FlatFit:
    """The fit of the flat columns alone, which every hypothesis adds to. B batches, J pairs, k columns, S series."""

    columns: npt.NDArray[np.int64]
    inverse: Floats  # B, J, k, k: of X'V⁻¹X
    log_root: Floats  # B, J: half of the logarithm of its determinant
    beta: Floats  # B, J, k, S
    residual: Floats  # B, J, S: what is left of z'V⁻¹z


def _fit_flat_columns(products: Products, columns: Sequence[int]) -> _FlatFit:
    """Columns of like size, and a ridge far below every digit that is shown, keep nearly singular fits in range."""
    column_indices = np.array(columns)
    gram = products.xx[:, :, column_indices[:, None], column_indices]
    inverse_norm = 1 / np.sqrt(np.diagonal(gram, axis1=2, axis2=3))
    root = np.linalg.cholesky(
        gram * inverse_norm[..., :, None] * inverse_norm[..., None, :] + GRAM_RIDGE * np.eye(len(column_indices))
    )
    log_root: Floats = np.log(np.diagonal(root, axis1=2, axis2=3) / inverse_norm).sum(axis=2)
    half_inverse = np.linalg.inv(root) * inverse_norm[..., None, :]
    inverse = half_inverse.transpose(0, 1, 3, 2) @ half_inverse
    xz = products.xz[:, :, column_indices, :]
    beta = inverse @ xz
    return _FlatFit(column_indices, inverse, log_root, beta, products.zz - np.einsum("bjks,bjks->bjs", xz, beta))


@dataclass(frozen=True)
class _PriorBlock:
    """What the columns of one hypothesis, which have priors, add to the fit of the flat ones; p columns."""

    projection: Floats  # B, J, k, p: the flat coefficients of its columns
    inverse: Floats  # B, J, p, p
    gamma: Floats  # B, J, p, S
    residual: Floats  # B, J, S
    log_det: Floats  # B, J: half of the logarithm of all that it adds to the determinants

    def variance(self, flat_fit: _FlatFit, flat_contrast: Floats, prior_contrast: Floats) -> Floats:
        """Variance of a contrast, relative to s² (B, J)."""
        net_contrast = prior_contrast - np.einsum("k,bjkp->bjp", flat_contrast, self.projection)
        flat_variance = np.einsum("k,bjkl,l->bj", flat_contrast, flat_fit.inverse, flat_contrast)
        variance: Floats = flat_variance + np.einsum("bjp,bjpq,bjq->bj", net_contrast, self.inverse, net_contrast)
        return variance

    def centre(self, flat_fit: _FlatFit, flat_contrast: Floats, prior_contrast: Floats) -> Floats:
        """Value of a contrast (B, J, S)."""
        net_contrast = prior_contrast - np.einsum("k,bjkp->bjp", flat_contrast, self.projection)
        centre: Floats = np.einsum("k,bjks->bjs", flat_contrast, flat_fit.beta) + np.einsum(
            "bjp,bjps->bjs", net_contrast, self.gamma
        )
        return centre


def _prior_block(
    products: Products, flat_fit: _FlatFit, hypothesis: Hypothesis, window_variance: Floats
) -> _PriorBlock:
    """Columns with a prior, put beside the flat ones by their Schur complement."""
    prior_columns = np.array(hypothesis.columns, dtype=np.int64)
    precision = hypothesis.precision(window_variance)
    cross = products.xx[:, :, flat_fit.columns[:, None], prior_columns]
    projection = flat_fit.inverse @ cross
    schur_complement = (
        products.xx[:, :, prior_columns[:, None], prior_columns] - cross.transpose(0, 1, 3, 2) @ projection
    )
    schur_complement = schur_complement + np.eye(len(prior_columns)) * precision[None, :, None, :]
    score = (
        products.xz[:, :, prior_columns, :] - projection.transpose(0, 1, 3, 2) @ products.xz[:, :, flat_fit.columns, :]
    )
    inverse: Floats = np.linalg.inv(schur_complement).astype(np.float64)
    gamma = inverse @ score
    residual = flat_fit.residual - np.einsum("bjps,bjps->bjs", score, gamma)
    log_det = (np.linalg.slogdet(schur_complement)[1] - np.log(precision).sum(axis=1)[None, :]) / 2
    return _PriorBlock(projection, inverse, gamma, residual, log_det)


def contrast_variance(
    products: Products,
    flat_columns: Sequence[int],
    hypotheses: Sequence[Hypothesis],
    window_variance: Floats,
    contrast: Floats,
) -> Floats:
    """Per batch and node (B, J·H): the variance of one contrast of all columns (K), relative to s²."""
    flat_fit = _fit_flat_columns(products, flat_columns)
    variances = []
    for hypothesis in hypotheses:
        block = _prior_block(products, flat_fit, hypothesis, window_variance)
        variances.append(block.variance(flat_fit, contrast[flat_fit.columns], contrast[list(hypothesis.columns)]))
    variance: Floats = np.concatenate(variances, axis=1) * np.tile(SCALE_CAUTION**2, len(hypotheses))[None, :]
    return variance


def posterior(
    products: Products,
    flat_columns: Sequence[int],
    contrasts: Sequence[Floats],
    window_variance: Floats,
    hypotheses: Sequence[Hypothesis] = FLAT_HYPOTHESES,
    hypothesis_masks: Sequence[npt.NDArray[np.bool_]] = (),
) -> list[Posterior]:
    """Fit the flat columns under every hypothesis; `contrasts` (K) weigh the coefficients of all columns.

    `window_variance` (J): the variance that shows inside the window, relative to s². `hypothesis_masks`: for each
    posterior, the hypotheses that it believes in (H); empty: one posterior that believes in all. Restricted likelihood
    with all coefficients and s² integrated out, the priors' determinants included, so that hypotheses can be weighed
    against each other.
    """
    flat_fit = _fit_flat_columns(products, flat_columns)
    blocks = [_prior_block(products, flat_fit, hypothesis, window_variance) for hypothesis in hypotheses]
    residual = np.concatenate([block.residual for block in blocks], axis=1)
    is_noiseless = residual.min(axis=1) <= 1e-11 * np.maximum(products.zz.max(axis=1), 1e-300)
    residual = np.maximum(residual, 1e-300)
    freedom = (products.observed_count - len(flat_fit.columns)).astype(float)
    log_det = np.concatenate(
        [
            LOG_PRIOR + hypothesis.log_mass - products.log_det / 2 - flat_fit.log_root - block.log_det
            for hypothesis, block in zip(hypotheses, blocks, strict=True)
        ],
        axis=1,
    )
    log_posterior = log_det[:, :, None] - freedom[:, None, None] / 2 * np.log(residual)
    variance = residual / freedom[:, None, None]
    centres_and_scales = []
    for contrast in contrasts:
        pairs = [
            (block, contrast[flat_fit.columns], contrast[list(hypothesis.columns)])
            for hypothesis, block in zip(hypotheses, blocks, strict=True)
        ]
        centre = np.concatenate(
            [block.centre(flat_fit, flat_contrast, prior_contrast) for block, flat_contrast, prior_contrast in pairs],
            axis=1,
        )
        unit = np.concatenate(
            [block.variance(flat_fit, flat_contrast, prior_contrast) for block, flat_contrast, prior_contrast in pairs],
            axis=1,
        )
        caution = np.tile(SCALE_CAUTION, len(hypotheses))[None, :, None]
        centres_and_scales.append((centre, caution * np.sqrt(variance * unit[:, :, None])))
    posteriors = []
    for hypothesis_mask in hypothesis_masks or [np.ones(len(hypotheses), dtype=bool)]:
        weight = _node_weights(np.where(np.repeat(hypothesis_mask, len(PHI))[None, :, None], log_posterior, -np.inf))
        effects = tuple(_flatten_batches(weight, centre, scale, freedom) for centre, scale in centres_and_scales)
        mean = _mean_coefficients(flat_fit, blocks, hypotheses, weight, products.xx.shape[2])
        sd = np.sqrt((weight * variance * np.tile(window_variance, len(hypotheses))[None, :, None]).sum(axis=1)).ravel()
        series_weight, s2 = (array.transpose(0, 2, 1).reshape(-1, array.shape[1]) for array in (weight, variance))
        posteriors.append(Posterior(effects, mean, series_weight, s2, sd, is_noiseless.ravel()))
    return posteriors


def _node_weights(log_posterior: Floats) -> Floats:
    """The nodes' weights, those that do not matter left out (B, nodes, S)."""
    weight: Floats = np.exp(log_posterior - log_posterior.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    weight[weight < NEGLIGIBLE_WEIGHT] = 0.0
    weight /= weight.sum(axis=1, keepdims=True)
    return weight


def _mean_coefficients(
    flat_fit: _FlatFit, blocks: Sequence[_PriorBlock], hypotheses: Sequence[Hypothesis], weight: Floats, width: int
) -> Floats:
    """Of all columns (N, K), 0 for those that no hypothesis holds."""
    batches, _, series_count = weight.shape
    mean = np.zeros((batches, width, series_count))
    for index, (hypothesis, block) in enumerate(zip(hypotheses, blocks, strict=True)):
        node_weight = weight[:, index * len(PHI) : (index + 1) * len(PHI), None, :]
        mean[:, flat_fit.columns] += (node_weight * (flat_fit.beta - block.projection @ block.gamma)).sum(axis=1)
        mean[:, list(hypothesis.columns)] += (node_weight * block.gamma).sum(axis=1)
    return mean.transpose(0, 2, 1).reshape(-1, width)


def _flatten_batches(weight: Floats, centre: Floats, scale: Floats, freedom: Floats) -> Mixture:
    """B batches of S series as N = B·S of them, with as many nodes as the one with most of them needs."""
    series_count = centre.shape[2]
    weight, centre, scale = (array.transpose(0, 2, 1).reshape(-1, array.shape[1]) for array in (weight, centre, scale))
    node_count = int((weight > 0).sum(axis=1).max())
    if node_count < weight.shape[1]:
        heaviest = np.argpartition(-weight, node_count - 1, axis=1)[:, :node_count]
        weight, centre, scale = (np.take_along_axis(array, heaviest, axis=1) for array in (weight, centre, scale))
    return Mixture(weight, centre, scale, np.repeat(freedom, series_count))

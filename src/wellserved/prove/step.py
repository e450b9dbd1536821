"""How far a series stepped, under two counterfactuals: its trend goes on, or its trend stops.

Nobody knows which would have come; a step is claimed only where both say so, and the interval is the hull of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wellserved.moments import Every
from wellserved.prove.design import TRENDS, Design, Trend, season, step_design
from wellserved.prove.model import (
    LEVEL,
    Floats,
    Hypothesis,
    Mask,
    Mixture,
    Posterior,
    posterior,
    unit_variance,
    whitened,
    within_variance,
)
from wellserved.prove.response import Response

Signs = npt.NDArray[np.int64]
BATCH = 8  # series filtered at a time where each has noise weights of its own
WIDE = 256  # where they share them


@dataclass(frozen=True)
class Judged:
    """An effect's intervals under both trends, for S series."""

    ends: dict[Trend, tuple[Floats, Floats]]
    flat: Mask

    @property
    def hull(self) -> tuple[Floats, Floats]:
        """From the lower of the two lower ends to the upper of the upper ones."""
        goes_on, stops = (self.ends[trend] for trend in TRENDS)
        return np.minimum(goes_on[0], stops[0]), np.maximum(goes_on[1], stops[1])

    @property
    def sides(self) -> dict[Trend, Signs]:
        """Per trend: 1 where its interval lies above zero, -1 below, 0 where it holds zero."""
        return {
            trend: np.where(self.flat, 0, np.where(low > 0, 1, np.where(high < 0, -1, 0)))
            for trend, (low, high) in self.ends.items()
        }

    @property
    def claims(self) -> Signs:
        """1 or -1 where both intervals lie on that side of zero; else 0."""
        goes_on, stops = (self.sides[trend] for trend in TRENDS)
        return np.where(goes_on == stops, goes_on, 0)


@dataclass(frozen=True)
class Steps:
    """The fits of S series; mixtures are in the unit of the working response."""

    fits: dict[Trend, Posterior]
    contrasts: tuple[str, ...]
    sd: Floats  # S: residual standard deviation inside the window
    flat: Mask  # S: a series without noise, of which nothing can be said

    def effect(self, trend: Trend, contrast: str = "step 0") -> Mixture:
        """One contrast under one trend."""
        return self.fits[trend].effects[self.contrasts.index(contrast)]

    def judged(self, contrast: str = "step 0", level: float | dict[Trend, float] = LEVEL) -> Judged:
        """The interval under each trend, and what both say; at a level of 1 nothing is said at all."""
        ends = {}
        for trend in TRENDS:
            at = level[trend] if isinstance(level, dict) else level
            low, high = self.effect(trend, contrast).interval(min(at, 1 - 1e-13))
            ends[trend] = (low, high) if at < 1 else (low - np.inf, high + np.inf)
        return Judged(ends, self.flat)

    def belief(self, hypotheses: Mask, trend: Trend) -> float:
        """How likely the first series makes some of the hypotheses (H)."""
        by_hypothesis = self.fits[trend].weight[0].reshape(len(hypotheses), -1).sum(axis=1)
        return float(by_hypothesis[hypotheses].sum())

    def p(self, contrast: str = "step 0") -> Floats:
        """The larger of the two, or 1 where they point to different sides."""
        both = [self.effect(trend, contrast) for trend in TRENDS]
        same = np.sign(both[0].point) == np.sign(both[1].point)
        found: Floats = np.where(same, np.maximum(both[0].p(), both[1].p()), 1.0)
        return found


@dataclass(frozen=True)
class Fitted:
    """The answer, and what it would be if the year had no season that was not seen twice."""

    steps: Steps
    bare: Steps  # the same where no season was priced in


def fit_steps(response: Response, design: Design, extra: dict[str, Floats] | None = None) -> Fitted:
    """Fit all series of a response; `extra` contrasts weigh level and steps, the first columns of a design, or all."""
    width = design.columns.shape[1]
    contrasts = {f"step {number}": np.eye(width)[1 + number] for number in range(design.steps)}
    contrasts |= {name: np.append(weights, np.zeros(width - len(weights))) for name, weights in (extra or {}).items()}
    z, centre, unit = _standard(response)
    noise = _of_mean_one(response)
    shared = bool((noise == noise[0]).all() and (response.seen == response.seen[0]).all())
    size = WIDE if shared else BATCH
    among = [np.ones(len(design.hypotheses), dtype=bool)]
    if design.seasonal.any():
        among.append(~design.seasonal)
    parts: dict[Trend, list[list[Posterior]]] = {trend: [[] for _ in among] for trend in TRENDS}
    for start in range(0, len(z), size):
        part = slice(start, start + size)
        rows = z[part].T[None] if shared else z[part][:, :, None]
        rest = slice(0, 1) if shared else part
        products = whitened(design.columns, rows, noise[rest], response.seen[rest]).products()
        for trend in TRENDS:
            fits = posterior(
                products, design.flat[trend], list(contrasts.values()), design.within, design.hypotheses, among
            )
            for earlier, fit in zip(parts[trend], fits, strict=True):
                earlier.append(fit)
    answers = []
    for number in range(len(among)):
        by_trend = {trend: _joined(parts[trend][number], unit, centre) for trend in TRENDS}
        flat = by_trend["continues"].flat | by_trend["stops"].flat
        answers.append(Steps(by_trend, tuple(contrasts), by_trend["continues"].sd, flat))
    return Fitted(answers[0], answers[-1])


def foreseen_variance(
    response: Response, every: Every, before: int, ahead: int, priced: bool
) -> dict[Trend, float] | None:
    """The variance of a steady step in a window of `ahead` periods, foretold from the periods before the change alone.

    For the first series of a response: its nodes' weights and s² come from a fit of level, season and trend. None:
    the time before is too short, or too still, to foretell anything.
    """
    past = Response(response.z[:1, :before], response.noise[:1, :before], response.seen[:1, :before])
    z, _, unit = _standard(past)
    seen = np.append(past.seen[0], np.ones(ahead, bool))
    design = step_design(every, before + ahead, [before], seen, priced)
    moving = {0, *np.flatnonzero(np.ptp(design.columns[:before], axis=0) > 0).tolist()}
    if past.seen.sum() <= len([column for column in design.flat["continues"] if column in moving]) or not z.any():
        return None
    weights = _of_mean_one(past)
    usual = past.seen.sum() / (1 / weights[past.seen]).sum()  # of the noise: as much information a period as before
    noise = np.append(weights[0], np.full(ahead, usual))[None]
    series = np.append(z[0], np.zeros(ahead))[None, :, None]
    filtered = whitened(design.columns, series, noise, seen[None])
    known, planned = filtered.products(before), filtered.products()
    steady = [one for one, course in zip(design.hypotheses, design.courses, strict=True) if not course]
    earlier = [_only(one, moving) for one in steady]
    foreseen = {}
    for trend in TRENDS:
        flat = design.flat[trend]
        fit = posterior(known, [column for column in flat if column in moving], [], design.within, earlier)[0]
        step = unit_variance(planned, flat, steady, design.within, np.eye(design.columns.shape[1])[1])[0]
        foreseen[trend] = float((fit.weight[0] * fit.s2[0] * step).sum() * unit[0] ** 2)
    return foreseen


def _only(hypothesis: Hypothesis, columns: set[int]) -> Hypothesis:
    """A hypothesis about some of its columns."""
    pairs = [pair for pair in zip(hypothesis.columns, hypothesis.sd, strict=True) if pair[0] in columns]
    return Hypothesis(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs), hypothesis.log_mass)


def trend_of(response: Response, every: Every) -> tuple[float, float] | None:
    """The 95% interval of a straight trend in the first series of a response, a whole window being 1; None: too short."""
    periods = response.z.shape[1]
    one = Response(response.z[:1], response.noise[:1], response.seen[:1])
    seasonal = season(every, periods, periods, one.seen[0])
    columns = np.column_stack([np.ones(periods), seasonal, np.arange(periods) / periods])
    flat = [0, *(column for column in range(1, columns.shape[1]) if np.ptp(columns[one.seen[0], column]) > 0)]
    if one.seen.sum() - len(flat) < 5:
        return None
    z, _, unit = _standard(one)
    if not z.any():
        return 0.0, 0.0
    products = whitened(columns, z[:, :, None], _of_mean_one(one), one.seen).products()
    (fit,) = posterior(products, flat, [np.eye(columns.shape[1])[-1]], within_variance(periods))
    low, high = fit.effects[0].times(unit).interval()
    return float(low[0]), float(high[0])


def _of_mean_one(response: Response) -> Floats:
    """Noise weights with mean 1 over the periods seen."""
    mean = np.where(response.seen, response.noise, 0.0).sum(axis=1) / response.seen.sum(axis=1)
    found: Floats = np.where(response.seen, response.noise / mean[:, None], 1.0)
    return found


def _standard(response: Response) -> tuple[Floats, Floats, Floats]:
    """The series with mean 0 and mean square 1 (0 where it is constant but for rounding), their centres and units."""
    count = response.seen.sum(axis=1)
    most = np.abs(response.z).max(axis=1)
    most = np.where(most > 0, most, 1.0)
    z = response.z / most[:, None]
    centre = (z * response.seen).sum(axis=1) / count
    z = np.where(response.seen, z - centre[:, None], 0.0)
    unit = np.sqrt((z**2).sum(axis=1) / count)
    constant = unit < 1e-9
    unit = np.where(constant, 1.0, unit)
    return np.where(constant[:, None], 0.0, z) / unit[:, None], centre * most, unit * most


def _joined(parts: list[Posterior], unit: Floats, centre: Floats) -> Posterior:
    """All batches as one, back in the response's unit."""
    effects = tuple(
        _stacked([part.effects[number] for part in parts]).times(unit) for number in range(len(parts[0].effects))
    )
    coefficients = np.concatenate([part.coefficients for part in parts]) * unit[:, None]
    coefficients[:, 0] += centre
    sd = np.concatenate([part.sd for part in parts]) * unit
    s2 = np.concatenate([part.s2 for part in parts]) * unit[:, None] ** 2
    weight, flat = (np.concatenate([getattr(part, name) for part in parts]) for name in ("weight", "flat"))
    return Posterior(effects, coefficients, weight, s2, sd, flat)


def _stacked(mixtures: list[Mixture]) -> Mixture:
    """Mixtures of different numbers of nodes as one; what is missing weighs nothing."""
    many = max(mixture.weight.shape[1] for mixture in mixtures)

    def padded(values: Floats, fill: float) -> Floats:
        return np.pad(values, ((0, 0), (0, many - values.shape[1])), constant_values=fill)

    return Mixture(
        np.concatenate([padded(mixture.weight, 0.0) for mixture in mixtures]),
        np.concatenate([padded(mixture.centre, 0.0) for mixture in mixtures]),
        np.concatenate([padded(mixture.scale, 1.0) for mixture in mixtures]),
        np.concatenate([mixture.freedom for mixture in mixtures]),
    )

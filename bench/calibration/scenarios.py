"""Made series whose truth is known: what a measure does by itself, and a change of known size, or none.

AR(f) has unit variance; W is a week's pattern; y = 50 + 8·(the expression) where the unit is free.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from wellserved.moments import Granularity
from wellserved.prove.engine.model import Floats
from wellserved.prove.engine.response import ModelInput

WEEK = np.array([0, 0.15, 0.25, 0.2, 0.1, -0.6, -1.0])


@dataclass(frozen=True)
class Scenario:
    """One kind of series: `draw(random, effect wanted?)` gives it, `truth` is the effect on the model's scale."""

    name: str
    words: str
    every: Granularity
    before: int
    after: int
    truth: float
    draw: Callable[[np.random.Generator, bool], ModelInput]
    covariance: Callable[[int], Floats] | None = None  # of a plain one, so that an oracle can be asked
    adversarial: bool = False


def ar(random: np.random.Generator, phi: float, size: int, shocks: Floats | None = None) -> Floats:
    """An autoregressive series of unit variance, begun in its long run."""
    noise = random.standard_normal(size) if shocks is None else shocks
    noise = noise * math.sqrt(1 - phi**2)
    noise[0] /= math.sqrt(1 - phi**2)
    found: Floats = lfilter([1.0], [1.0, -phi], noise)
    return found


def ar_covariance(phi: float, size: int) -> Floats:
    """Its covariance."""
    lag = np.arange(size)
    found: Floats = phi ** np.abs(lag[:, None] - lag[None, :])
    return found


def plain(
    name: str, words: str, every: Granularity, before: int, after: int, effect: float,
    shape: Callable[[np.random.Generator, Floats], Floats],
    covariance: Callable[[int], Floats], adversarial: bool = False, ramp: bool = False,
) -> Scenario:  # fmt: skip
    """A measure that is a plain number a period."""
    t = np.arange(before + after)
    profile = np.where(t >= before, 1.0, 0.0)
    if ramp:  # from 0 to twice the mean
        profile = np.clip((t - before) / (after - 1), 0, None) * 2

    def draw(random: np.random.Generator, changed: bool) -> ModelInput:
        y = 50 + 8 * shape(random, t.astype(float)) + (effect * profile if changed else 0.0)
        return ModelInput("plain", y, np.ones(len(t)))

    return Scenario(name, words, every, before, after, effect, draw, covariance, adversarial)


def weekly(t: Floats | npt.NDArray[np.int64]) -> Floats:
    """The week's pattern over days."""
    found: Floats = WEEK[t.astype(int) % 7]
    return found


def _counts(random: np.random.Generator, changed: bool) -> ModelInput:
    t = np.arange(273)
    log_mean = math.log(8) + 0.25 * weekly(t) + 0.2 * ar(random, 0.5, 273)
    mean = np.exp(log_mean + (math.log(0.8) * (t >= 182) if changed else 0.0))
    return ModelInput("count", random.poisson(mean * random.gamma(8, 1 / 8, 273)).astype(float), np.ones(273))


def _rates(random: np.random.Generator, changed: bool) -> ModelInput:
    t = np.arange(273)
    n = random.poisson(60 * np.exp(0.2 * weekly(t))) + 1
    logit = (
        math.log(0.06 / 0.94) + 0.1 * weekly(t) + 0.25 * ar(random, 0.5, 273) - (0.35 * (t >= 182) if changed else 0.0)
    )
    return ModelInput("rate", random.binomial(n, 1 / (1 + np.exp(-logit))).astype(float), n.astype(float))


def _durations(random: np.random.Generator, changed: bool) -> ModelInput:
    t = np.arange(273)
    n = random.poisson(30 * np.exp(0.3 * weekly(t))) + 2
    mean = (
        math.log(3) + 0.15 * weekly(t) + 0.15 * ar(random, 0.5, 273) + (math.log(0.88) * (t >= 182) if changed else 0.0)
    )
    return ModelInput("duration", n * mean + np.sqrt(n) * random.standard_normal(273), n.astype(float))


CUTS = np.array([-1.6, -1.0, -0.4, 0.5])


def _ratings(random: np.random.Generator, changed: bool) -> ModelInput:
    t = np.arange(273)
    n = random.poisson(15, 273)
    latent = 0.1 * weekly(t) + 0.25 * ar(random, 0.5, 273) + (0.3 * (t >= 182) if changed else 0.0)
    day = np.repeat(t, n)
    score = 1 + np.searchsorted(CUTS, latent[day] + random.standard_normal(len(day)))
    return ModelInput("mean", np.bincount(day, score, 273).astype(float), n.astype(float))


def _rating_truth() -> float:
    """The latent step of 0.3 in points, averaged over the week and the days' own wandering."""
    random = np.random.default_rng(0)
    latent = 0.1 * weekly(np.arange(700_000)) + 0.25 * random.standard_normal(700_000) + random.standard_normal(700_000)
    return float((np.searchsorted(CUTS, latent + 0.3) - np.searchsorted(CUTS, latent)).mean())


def _quantiles(quantile: float) -> Callable[[np.random.Generator, bool], ModelInput]:
    def draw(random: np.random.Generator, changed: bool) -> ModelInput:
        from wellserved.prove.engine.response import input_from_records

        t = np.arange(273)
        n = random.poisson(30 * np.exp(0.3 * weekly(t))) + 2
        mean = (
            math.log(3)
            + 0.15 * weekly(t)
            + 0.15 * ar(random, 0.5, 273)
            + (math.log(0.88) * (t >= 182) if changed else 0.0)
        )
        day = np.repeat(t, n)
        values = np.exp(mean[day] + random.standard_normal(len(day)))
        return input_from_records("quantile", day, values, 273, 182, quantile, cycle_length=7)

    return draw


def _sine(periods: float, second: float = 0.0) -> Callable[[np.random.Generator, Floats], Floats]:
    def season(random: np.random.Generator, t: Floats) -> Floats:
        phase = random.uniform(0, 2 * np.pi, 2)
        found: Floats = np.sin(2 * np.pi * t / periods + phase[0]) + second * np.sin(4 * np.pi * t / periods + phase[1])
        return found

    return season


def _heavy(random: np.random.Generator, t: Floats) -> Floats:
    return ar(random, 0.4, len(t), random.standard_t(3, len(t)) / math.sqrt(3)) + weekly(t)


def _shifted(random: np.random.Generator, t: Floats) -> Floats:
    return ar(random, 0.4, len(t)) + weekly(t) - 1.0 * (t >= 142)


def _wander(size: int) -> Floats:
    t = np.arange(1, size + 1)
    found: Floats = np.eye(size) + 0.08**2 * np.minimum(t[:, None], t[None, :])
    return found


def _noise(phi: float) -> Callable[[int], Floats]:
    return lambda size: ar_covariance(phi, size)


def _daily(phi: float, trend: float = 0.0) -> Callable[[np.random.Generator, Floats], Floats]:
    return lambda random, t: ar(random, phi, len(t)) + weekly(t) + trend * t


_YEARLY, _MONTHLY = _sine(52.1775), _sine(12.0, 0.4)

SCENARIOS: tuple[Scenario, ...] = (
    plain("A", "independent days", "day", 182, 91, 4, lambda r, t: r.standard_normal(len(t)), np.eye),
    plain("B", "AR .4, weekdays", "day", 182, 91, 4, _daily(0.4), _noise(0.4)),
    plain("C", "AR .8, weekdays", "day", 182, 91, 8, _daily(0.8), _noise(0.8)),
    plain("D", "AR .4, weekdays, falling", "day", 182, 91, -4, _daily(0.4, -1 / 91), _noise(0.4)),
    plain("E", "random walk and noise, weekdays", "day", 182, 91, 8,
          lambda r, t: r.standard_normal(len(t)) + np.cumsum(0.08 * r.standard_normal(len(t))) + weekly(t), _wander),
    Scenario("F", "counts of 8 a day, more spread than chance", "day", 182, 91, math.log(0.8), _counts),
    Scenario("G", "rate of 6% of 60 a day", "day", 182, 91, -0.35, _rates),
    Scenario("H", "durations, mean of logs", "day", 182, 91, math.log(0.88), _durations),
    Scenario("I", "ratings 1 to 5", "day", 182, 91, _rating_truth(), _ratings),
    plain("J", "weeks, AR .5, season of the year", "week", 104, 26, 8, lambda r, t: ar(r, 0.5, len(t)) + _YEARLY(r, t), _noise(0.5)),
    plain("K", "months, AR .3, season of the year", "month", 48, 12, 8, lambda r, t: ar(r, 0.3, len(t)) + _MONTHLY(r, t), _noise(0.3)),
    plain("L", "half a year of weeks, AR .5", "week", 26, 12, 16, lambda r, t: ar(r, 0.5, len(t)), _noise(0.5)),
    plain("N", "AR .4 with heavy tails, weekdays", "day", 182, 91, 4, _heavy, _noise(0.4)),
    plain("P", "AR .4, weekdays, falling; the effect grows", "day", 182, 91, -6, _daily(0.4, -1 / 182), _noise(0.4), ramp=True),
    Scenario("Q50", "median of durations", "day", 182, 91, math.log(0.88), _quantiles(0.5)),
    Scenario("Q90", "90th percentile of durations", "day", 182, 91, math.log(0.88), _quantiles(0.9)),
    plain("X", "a trend that flattens by itself", "day", 182, 91, -4,
          lambda r, t: ar(r, 0.4, len(t)) + weekly(t) - 2 * (1 - np.exp(-t / 60)), _noise(0.4), adversarial=True),
    plain("Y", "an unrelated shift 40 days earlier", "day", 182, 91, -4, _shifted, _noise(0.4), adversarial=True),
)  # fmt: skip


def random_scenario(seed: int) -> Scenario:
    """A design nobody chose: periods, lengths, noise, drift, trend, season and effect drawn anew."""
    random = np.random.default_rng([seed, 77])
    every: Granularity = ("day", "week", "month")[int(random.integers(3))]
    before = int(random.integers(*{"day": (84, 300), "week": (30, 160), "month": (26, 72)}[every]))
    after = int(random.integers(*{"day": (28, 120), "week": (8, 40), "month": (6, 18)}[every]))
    phi, own = random.uniform(0, 0.95), random.uniform(0, 0.7)
    slope, walk = random.normal(0, 1.5) / (before + after), float(random.choice([0.0, 0.0, 0.03]))
    seasonal = {"day": lambda r, t: weekly(t), "week": _YEARLY, "month": _MONTHLY}[every]
    strength = random.uniform(0, 1) if every == "day" or before >= {"week": 104, "month": 24}.get(every, 0) else 0.0
    tails = int(random.choice([3, 5, 0, 0]))

    def shape(r: np.random.Generator, t: Floats) -> Floats:
        size = len(t)
        shocks = r.standard_t(tails, size) / math.sqrt(tails / (tails - 2)) if tails else r.standard_normal(size)
        wander = np.cumsum(walk * r.standard_normal(size))
        y = math.sqrt(1 - own) * ar(r, phi, size, shocks) + math.sqrt(own) * r.standard_normal(size) + wander
        return y + slope * t + strength * seasonal(r, t)

    def covariance(size: int) -> Floats:
        t = np.arange(1, size + 1)
        return (1 - own) * ar_covariance(phi, size) + own * np.eye(size) + walk**2 * np.minimum(t[:, None], t[None, :])

    effect = float(random.choice([-1, 1]) * random.uniform(4, 20))
    return plain("random", "drawn anew each time", every, before, after, effect, shape, covariance)

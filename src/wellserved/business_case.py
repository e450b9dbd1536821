"""What is a problem worth solving, how sure is that, and does it pay? Ranges in, a range out.

Each input is measured (with its 95% interval) or stated (an 80% range, by whom, on which day). What cannot fall below
nothing is lognormal, a share logit-normal, all else normal; one name is one draw, wherever it is used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
from scipy import special

from wellserved.errors import RequestError
from wellserved.measure.interval import Z
from wellserved.moments import NotComputable
from wellserved.prove.engine.model import Floats

InputKind = Literal["positive", "share", "any"]
GainKind = Literal["cash", "hours", "revenue"]
Z_80: Final = 1.2815515655446004
DRAWS: Final = 100_000
MAX_YEARS: Final = 3
MAX_INPUT: Final = 1e12
MAX_WIDENING: Final = 5.0
FEWEST_FORECASTS: Final = 10  # for ranges to be widened
GAIN_WORDS: Final[Mapping[GainKind, str]] = {
    "cash": "cash saved", "hours": "hours freed (money only if the hours are used)", "revenue": "margin kept (stated; no model of who leaves stands behind it)"
}  # fmt: skip


@dataclass(frozen=True)
class CaseInput:
    """A number that a case rests on: a range, and where it comes from."""

    name: str
    low: float
    high: float
    kind: InputKind = "positive"
    is_measured: bool = False  # its range is a 95% interval; else an 80% range, as stated
    origin: str = ""  # the measure, or who stated it and on which day

    def __post_init__(self) -> None:
        if (
            not (math.isfinite(self.low) and math.isfinite(self.high))
            or self.low > self.high
            or max(abs(self.low), abs(self.high)) > MAX_INPUT
        ):
            raise RequestError(
                f"{self.name}: {self.low:g} to {self.high:g} is no range.", "Give the lower number first."
            )
        if (self.kind == "positive" and self.low < 0) or (self.kind == "positive" and self.low == 0 < self.high):
            raise RequestError(f"{self.name} cannot be {self.low:g}.", "Give a range above 0, or 0 to 0.")
        if self.kind == "share" and not (
            0 < self.low <= self.high < 1 or (self.low == self.high and 0 <= self.low <= 1)
        ):
            raise RequestError(f"{self.name}: {self.low:g} to {self.high:g} is no range of a share.", "Give parts between 0 and 1, such as 0.1 to 0.3.")  # fmt: skip

    @property
    def centre_and_spread(self) -> tuple[float, float]:
        """Of the normal that stands behind it."""
        low, high = self._to_normal(self.low), self._to_normal(self.high)
        return (low + high) / 2, (high - low) / (2 * (Z if self.is_measured else Z_80))

    def _to_normal(self, value: float) -> float:
        if self.low == self.high or self.kind == "any":
            return value
        return math.log(value) if self.kind == "positive" else float(special.logit(value))

    def values(self, normal: Floats) -> Floats:
        """The input at so many standard deviations from its middle."""
        centre, spread = self.centre_and_spread
        values: Floats = centre + spread * normal
        if self.low == self.high or self.kind == "any":
            return values
        return np.exp(values) if self.kind == "positive" else special.expit(values)

    def at(self, z: float) -> float:
        """The input at one such place: 0 its median, 1.28 what it exceeds one time in ten."""
        return float(self.values(np.array([z]))[0])

    def widened(self, factor: float) -> CaseInput:
        """A range with this middle, and wider."""
        centre, spread = self.centre_and_spread
        z = (Z if self.is_measured else Z_80) * factor
        if spread == 0 or factor == 1:
            return self
        return replace(self, low=self._from_normal(centre - z * spread), high=self._from_normal(centre + z * spread))

    def _from_normal(self, value: float) -> float:
        if self.kind == "any":
            return value
        return (
            min(math.exp(value), MAX_INPUT)
            if self.kind == "positive"
            else min(max(float(special.expit(value)), 1e-6), 1 - 1e-6)
        )


@dataclass(frozen=True)
class GainTerm:
    """A gain a year, in money: the product of inputs by their names."""

    kind: GainKind
    factors: tuple[str, ...]


@dataclass(frozen=True)
class CaseModel:
    """What is gained a year, what it costs once and a year, over how many years."""

    inputs: tuple[CaseInput, ...]
    gains: tuple[GainTerm, ...]
    costs: tuple[str, ...]  # inputs that are paid once
    yearly_costs: tuple[str, ...] = ()
    years: float = 1.0

    def __post_init__(self) -> None:
        names = [item.name for item in self.inputs]
        used = {*self.costs, *self.yearly_costs, *(name for term in self.gains for name in term.factors)}
        if len(set(names)) < len(names) or used - set(names):
            raise RequestError("The inputs of this case do not fit together.", "Give each its own name, and use those.")
        if not 0 < self.years <= MAX_YEARS:
            raise RequestError(f"{self.years:g} years are no horizon.", f"Look ahead {MAX_YEARS} years at most: further than that nobody sees.")  # fmt: skip
        if not self.gains:
            raise RequestError("Nothing is gained in this case.", "Say what a year without the problem would save.")

    def gain_a_year(self, values: Mapping[str, Floats], kind: GainKind | None = None) -> Floats:
        """Money a year, of one kind or of all."""
        terms = [term for term in self.gains if kind in (None, term.kind)]
        total: Floats = np.zeros(len(next(iter(values.values()))))
        for term in terms:
            total = total + np.prod([values[name] for name in term.factors], axis=0)
        return total

    def outcome(self, values: Mapping[str, Floats]) -> Floats:
        """Gains less costs over the horizon."""
        yearly = self.gain_a_year(values) - sum((values[name] for name in self.yearly_costs), np.zeros(1))
        outcome: Floats = yearly * self.years - sum((values[name] for name in self.costs), np.zeros(1))
        return outcome


@dataclass(frozen=True)
class Swing:
    """What an input alone moves: the outcome where it is low and where it is high, all others at their medians."""

    name: str
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """How far it moves it."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True)
class CaseResult:
    """What a case comes to."""

    base: float  # all inputs at their medians
    median: float
    low: float  # 80%
    high: float
    loss_chance: float
    payback_months: float | NotComputable  # median of those that pay back
    parts: Mapping[GainKind, tuple[float, float, float]]  # over the horizon: median, low, high
    tornado: tuple[Swing, ...]  # widest first: what is worth measuring first
    without_hours: tuple[float, float, float, float] | None = None  # median, low, high, chance of loss, in money alone


def evaluate_case(model: CaseModel, draws: int = DRAWS, seed: int = 1) -> CaseResult:
    """Draw the inputs, and look at what comes."""
    random = np.random.default_rng(seed)
    values = {item.name: item.values(random.standard_normal(draws)) for item in model.inputs}
    outcomes = model.outcome(values)
    low, median, high = (float(value) for value in np.quantile(outcomes, [0.1, 0.5, 0.9]))
    kinds = dict.fromkeys(term.kind for term in model.gains)
    parts: dict[GainKind, tuple[float, float, float]] = {}
    for kind in kinds:
        part = np.quantile(model.gain_a_year(values, kind) * model.years, [0.5, 0.1, 0.9])
        parts[kind] = (float(part[0]), float(part[1]), float(part[2]))
    middle = {item.name: np.array([item.at(0)]) for item in model.inputs}
    return CaseResult(
        float(model.outcome(middle)[0]), median, low, high, float((outcomes < 0).mean()),
        _payback(model, values), parts, _tornado(model, middle), _without_hours(model, values, outcomes),
    )  # fmt: skip


def _without_hours(
    model: CaseModel, values: Mapping[str, Floats], outcomes: Floats
) -> tuple[float, float, float, float] | None:
    """What is left where the hours that are freed are not used."""
    if all(term.kind != "hours" for term in model.gains):
        return None
    rest = outcomes - model.gain_a_year(values, "hours") * model.years
    low, median, high = (float(value) for value in np.quantile(rest, [0.1, 0.5, 0.9]))
    return median, low, high, float((rest < 0).mean())


def _payback(model: CaseModel, values: Mapping[str, Floats]) -> float | NotComputable:
    """Months after which what was paid once has come back, in the middle of all draws."""
    cost = sum((values[name] for name in model.costs), np.zeros(1))
    yearly = model.gain_a_year(values) - sum((values[name] for name in model.yearly_costs), np.zeros(1))
    with np.errstate(divide="ignore", invalid="ignore"):
        months = np.where(yearly > 0, 12 * cost / yearly, np.inf)
    middle = float(np.quantile(months, 0.5))
    return (
        middle
        if middle <= 12 * MAX_YEARS
        else NotComputable(f"more likely than not it does not pay back within {MAX_YEARS} years")
    )


def _tornado(model: CaseModel, middle: Mapping[str, Floats]) -> tuple[Swing, ...]:
    swings = []
    for item in model.inputs:
        at_low, at_high = (
            float(model.outcome({**middle, item.name: np.array([item.at(z)])})[0]) for z in (-Z_80, Z_80)
        )
        swings.append(Swing(item.name, at_low, at_high))
    return tuple(sorted(swings, key=lambda swing: (-swing.width, swing.name)))


@dataclass(frozen=True)
class Forecast:
    """What was expected of a change, and what came."""

    name: str
    median: float
    low: float  # 80%
    high: float
    came: float | None = None  # by the verdict; None: not yet

    @property
    def is_inside(self) -> bool | None:
        """Whether it came as expected."""
        return None if self.came is None else self.low <= self.came <= self.high

    @property
    def deviation(self) -> float | None:
        """How far it was off, in the spreads of its own range."""
        spread = (self.high - self.low) / (2 * Z_80)
        return None if self.came is None or spread <= 0 else (self.came - self.median) / spread


@dataclass(frozen=True)
class ForecastRecord:
    """How good a house's forecasts have been."""

    forecasts: tuple[Forecast, ...] = field(default_factory=tuple)

    @property
    def inside(self) -> int:
        """How many came within their ranges."""
        return sum(bool(forecast.is_inside) for forecast in self.forecasts)

    @property
    def closed(self) -> int:
        """How many of which one knows what came."""
        return sum(forecast.came is not None for forecast in self.forecasts)

    @property
    def chance(self) -> float | NotComputable:
        """The chance that so few lie within 80% ranges that are right."""
        if not self.closed:
            return NotComputable("no forecast has been set beside what came")
        return float(special.bdtr(self.inside, self.closed, 0.8))

    @property
    def widening(self) -> float:
        """By what factor new ranges are widened: from ten forecasts on, where they were too narrow."""
        off = [forecast.deviation for forecast in self.forecasts if forecast.deviation is not None]
        if len(off) < FEWEST_FORECASTS:
            return 1.0
        return min(max(math.sqrt(sum(value * value for value in off) / len(off)), 1.0), MAX_WIDENING)

    @property
    def words(self) -> str:
        """One sentence."""
        if isinstance(self.chance, NotComputable):
            return f"How good the forecasts are cannot be told: {self.chance.reason}."
        sentence = f"{self.inside} of {self.closed} forecasts came within their 80% ranges"
        if self.chance < 0.05:
            sentence += f"; ranges that are right do so badly with a chance of {self.chance:.2g}: ours are too narrow"
        return sentence + (f", and new ones are widened by {self.widening:.1f}." if self.widening > 1 else ".")

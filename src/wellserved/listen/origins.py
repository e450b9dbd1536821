"""Where a fault comes from: which place, form, supplier or pair of them brings more of it than chance.

All origins with enough records, and all pairs of them, are set beside the rest of the records of the same month: the
standardised excess over what the month's rate lets expect (hypergeometric). Of so many, some always look bad by chance;
so the largest excess is set beside the largest ones of records whose faults were dealt out anew within each month
(max-T; Westfall & Young 1993), and only what beats these is named. A pair is named only if it is worse than both of its
parents explain. People are never an origin.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from wellserved.measure.matched import Stratum, matched_ratio
from wellserved.moments import NotComputable
from wellserved.progress import ProgressCallback, no_progress

FEWEST_RECORDS = 100
DEALS = 1_000
LEVEL = 0.05
PARENT_LEVEL = 0.01
MAX_ORIGINS = 400
POWER = 0.8
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Origin:
    """One place, form, supplier ... or a pair of them, and how much more often its records are at fault."""

    parts: tuple[tuple[str, str], ...]  # column, value
    records: int
    faults: int
    expected: float  # by the rate of all others in the same months
    ratio: float
    low: float  # 95% interval
    high: float
    chance: float  # that the worst of all origins looks this bad where nothing is wrong
    is_named: bool

    @property
    def avoidable(self) -> float:
        """Faults beyond what others' rate lets expect."""
        return max(self.faults - self.expected, 0.0)


@dataclass(frozen=True)
class Scan:
    """All origins that were looked at, worst first."""

    origins: tuple[Origin, ...]
    records: int
    faults: int
    smallest_ratio: float  # that an origin of middling size would be found with four times in five

    @property
    def named(self) -> tuple[Origin, ...]:
        return tuple(origin for origin in self.origins if origin.is_named)


def scan_origins(
    columns: dict[str, Sequence[str | None]],
    is_fault: npt.NDArray[np.bool_],
    months: Sequence[object],
    seed: int = 1,
    on_progress: ProgressCallback = no_progress,
) -> Scan | NotComputable:
    """The origins of faults among records; `columns`: the origins of each record, by what they are."""
    if not is_fault.any() or is_fault.all():
        return NotComputable("no record is at fault" if not is_fault.any() else "every record is at fault")
    month_codes = np.unique(np.array([str(month) for month in months]), return_inverse=True)[1]
    members = _candidates(columns)
    if not members:
        return NotComputable(f"no origin has {FEWEST_RECORDS} records or more")
    names, indicator = list(members), np.array(list(members.values()))
    on_progress("Dealing faults out anew", 0, 0)
    cells = _Cells(indicator, month_codes)
    faults = np.bincount(cells.of_record, is_fault).astype(np.int64)
    observed, worst = cells.excess(faults[None, :])[0], cells.largest_by_chance(faults, seed)
    chances = (1 + (worst[None, :] >= observed[:, None]).sum(axis=1)) / (1 + len(worst))
    origins = []
    for index, name in enumerate(names):
        compared = matched_ratio(_strata(indicator[index], is_fault, month_codes))
        if compared is None:
            continue
        is_named = chances[index] <= LEVEL and observed[index] > 0
        if is_named and len(name) == 2:
            is_named = _beats_parents(name, indicator, names, is_fault)
        origins.append(
            Origin(name, compared.cases, compared.events, compared.expected, compared.ratio, compared.low, compared.high, float(chances[index]), bool(is_named))
        )  # fmt: skip
    order = {name: -value for name, value in zip(names, observed, strict=True)}
    origins.sort(key=lambda origin: (not origin.is_named, order[origin.parts], origin.parts))
    limit = float(np.quantile(worst, 1 - LEVEL))
    smallest = _smallest_ratio(limit, float(np.median(indicator.sum(axis=1))), float(is_fault.mean()))
    return Scan(tuple(_without_parents(origins)), len(is_fault), int(is_fault.sum()), smallest)


def _candidates(columns: dict[str, Sequence[str | None]]) -> dict[tuple[tuple[str, str], ...], npt.NDArray[np.bool_]]:
    """Origins and pairs with enough records, and enough records beside them; the largest where they are very many."""
    count = len(next(iter(columns.values()))) if columns else 0
    codes: dict[str, Ints] = {}
    values: dict[str, list[str]] = {}
    for column, cells in columns.items():
        often = {value for value, size in Counter(cells).items() if value is not None and size >= FEWEST_RECORDS}
        values[column] = sorted(often)
        code = {value: index for index, value in enumerate(values[column])}
        codes[column] = np.array([code.get(cell, -1) if cell is not None else -1 for cell in cells], dtype=np.int64)
    sizes: dict[tuple[tuple[str, str], ...], int] = {}
    for column, own in codes.items():
        for index, size in enumerate(np.bincount(own[own >= 0], minlength=len(values[column])).tolist()):
            sizes[((column, values[column][index]),)] = size
    for left, right in itertools.combinations(codes, 2):
        known = (codes[left] >= 0) & (codes[right] >= 0)
        width = max(len(values[right]), 1)
        pairs, pair_sizes = np.unique(codes[left][known] * width + codes[right][known], return_counts=True)
        for pair, size in zip(pairs.tolist(), pair_sizes.tolist(), strict=True):
            sizes[(left, values[left][pair // width]), (right, values[right][pair % width])] = size
    fitting = [name for name, size in sizes.items() if FEWEST_RECORDS <= size <= count - FEWEST_RECORDS]
    largest = sorted(fitting, key=lambda name: (-sizes[name], name))[:MAX_ORIGINS]
    return {
        name: np.logical_and.reduce([codes[column] == values[column].index(value) for column, value in name])
        for name in sorted(largest, key=lambda name: (len(name), name))
    }


class _Cells:
    """Records that are alike in every origin and month, counted together."""

    def __init__(self, indicator: npt.NDArray[np.bool_], month_codes: Ints) -> None:
        packed = np.packbits(indicator, axis=0)
        keys = np.vstack([packed, month_codes[None, :].astype(np.int64).view(np.uint8).reshape(len(month_codes), -1).T])
        _, first, self.of_record = np.unique(keys.T, axis=0, return_index=True, return_inverse=True)
        self.of_record = self.of_record.ravel()
        self.sizes = np.bincount(self.of_record)
        self.month = month_codes[first]
        self._indicator = indicator[:, first].astype(np.float64)
        self._month_sizes = np.bincount(self.month, self.sizes)
        months = np.eye(len(self._month_sizes))[self.month]
        self._by_month = (self._indicator * self.sizes) @ months  # origins, months

    def excess(self, faults: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Faults by cell (draws, cells) -> standardised excess over what each month lets expect (draws, origins)."""
        hits = faults @ self._indicator.T
        per_month = np.array([np.bincount(self.month, row, len(self._month_sizes)) for row in faults])
        share = per_month / self._month_sizes
        others = self._by_month * (self._month_sizes - self._by_month) / np.maximum(self._month_sizes - 1, 1)
        variance = (share * (1 - share)) @ others.T
        excess: npt.NDArray[np.float64] = (hits - share @ self._by_month.T) / np.sqrt(np.maximum(variance, 1e-9))
        return excess

    def largest_by_chance(self, faults: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.float64]:
        """The largest excess of each of many deals of every month's faults among its records."""
        random = np.random.default_rng(seed)
        draws = np.zeros((DEALS, len(self.sizes)), dtype=np.int64)
        for month in range(len(self._month_sizes)):
            cells = np.flatnonzero(self.month == month)
            draws[:, cells] = random.multivariate_hypergeometric(
                self.sizes[cells], int(faults[cells].sum()), DEALS, method="marginals"
            )
        largest: npt.NDArray[np.float64] = self.excess(draws).max(axis=1)
        return largest


def _strata(mask: npt.NDArray[np.bool_], is_fault: npt.NDArray[np.bool_], month_codes: Ints) -> list[Stratum]:
    n1, k1 = np.bincount(month_codes, mask), np.bincount(month_codes, mask & is_fault)
    n, k = np.bincount(month_codes), np.bincount(month_codes, is_fault)
    return [(float(a), float(b), float(c - a), float(d - b)) for a, b, c, d in zip(n1, k1, n, k, strict=True)]


def _beats_parents(
    name: tuple[tuple[str, str], ...],
    indicator: npt.NDArray[np.bool_],
    names: list[tuple[tuple[str, str], ...]],
    is_fault: npt.NDArray[np.bool_],
) -> bool:
    """The pair is worse than the rest of either parent (likelihood ratio of two rates, at 1%)."""
    pair = indicator[names.index(name)]
    for part in name:
        if (part,) not in names:
            continue
        rest = indicator[names.index((part,))] & ~pair
        if not rest.any():
            return False
        if not _differs(int((is_fault & pair).sum()), int(pair.sum()), int((is_fault & rest).sum()), int(rest.sum())):
            return False
    return True


def _differs(k1: int, n1: int, k0: int, n0: int) -> bool:
    """The first rate is the higher one, beyond chance."""
    if k1 / n1 <= k0 / n0:
        return False

    def likelihood(k: int, n: int, p: float) -> float:
        return float(special.xlogy(k, p) + special.xlog1py(n - k, -p))

    together = (k1 + k0) / (n1 + n0)
    apart = likelihood(k1, n1, k1 / n1) + likelihood(k0, n0, k0 / n0)
    statistic = 2 * (apart - likelihood(k1, n1, together) - likelihood(k0, n0, together))
    return float(special.chdtrc(1, statistic)) < PARENT_LEVEL


def _without_parents(origins: list[Origin]) -> list[Origin]:
    """An origin whose excess is that of a named pair in it is not named beside it."""
    named_pairs = [origin for origin in origins if origin.is_named and len(origin.parts) == 2]
    result = []
    for origin in origins:
        pair = next((pair for pair in named_pairs if len(origin.parts) == 1 and origin.parts[0] in pair.parts), None)
        if pair and origin.is_named and origin.avoidable - pair.avoidable < 0.5 * origin.avoidable:
            origin = Origin(**{**origin.__dict__, "is_named": False})
        result.append(origin)
    return sorted(result, key=lambda origin: not origin.is_named)


def _smallest_ratio(limit: float, size: float, rate: float) -> float:
    """The ratio at which an origin of this size passes the limit four times in five."""
    z = limit + float(special.ndtri(POWER))
    expected = max(size * rate, 1e-9)
    low, high = 1.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        if (middle - 1) * expected >= limit * math.sqrt(expected) + (z - limit) * math.sqrt(middle * expected):
            high = middle
        else:
            low = middle
    return high

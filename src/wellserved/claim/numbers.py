"""The number of a claim, worked out from its rows and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from wellserved.claim.canonical import ClaimFormatError
from wellserved.claim.shapes import has_shape
from wellserved.measure.wait_quantile import packed_duration_quantile

MAX_WAIT_SECONDS: Final = 2**40  # thirty thousand years


def value_of_rows(rows: Sequence[Mapping[str, Any]], kind: str, quantile: str) -> float | None:
    """The number of some rows, worked out from nothing else: seconds of a wait, a share, or a mean; None: not reached.

    Raises `ClaimFormatError` for a value or kind that no evidence has.
    """
    values = [_row_value(row, kind) for row in rows]
    if not values:
        return None
    if kind != "wait":
        return math.fsum(values) / len(values)
    packed = np.sort(
        np.array([int(value) * 2 + row["open"] for value, row in zip(values, rows, strict=True)], dtype=np.int64)
    )
    seconds = packed_duration_quantile(packed, float(quantile))[0]
    return seconds if math.isfinite(seconds) else None


def _row_value(row: Mapping[str, Any], kind: str) -> float:
    """A row's value: of a wait whole seconds, of a share 0 or 1, of a mean any number; only a wait can go on."""
    value = row["v"]
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        "wait": is_whole and 0 <= value <= MAX_WAIT_SECONDS and row["open"] in (0, 1),
        "share": is_whole and value in (0, 1) and row["open"] == 0,
        "mean": (is_whole or has_shape(value, "decimal")) and row["open"] == 0,
    }
    if not fits.get(kind, False):
        raise ClaimFormatError("A row of the evidence is damaged.")
    return float(value)

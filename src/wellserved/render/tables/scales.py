"""Scales of ratings as a table that every format shows alike."""

from __future__ import annotations

from wellserved.report import Table
from wellserved.scales import SCALES_FILE, Scales


def scale_table(scales: Scales) -> Table:
    """Each scale, what is good and bad on it, and whose it is."""
    rows = tuple(
        (
            scale.name,
            scale.lowest,
            scale.highest,
            "whole numbers" if scale.whole_numbers else "halves too",
            f"{scale.good_border:g} or {'less' if scale.low_is_good else 'more'}",
            "not declared"
            if scale.bad_border is None
            else f"{scale.bad_border:g} or {'more' if scale.low_is_good else 'less'}",
            ", ".join(f"{word} = {score:g}" for word, score in scale.words),
            SCALES_FILE if scale.is_own else "known to all",
        )
        for scale in scales.values()
    )
    columns = ("scale", "lowest", "highest", "scores", "good", "bad", "words", "declared in")
    return Table("Scales of ratings", columns, rows)

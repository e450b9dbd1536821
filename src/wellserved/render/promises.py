"""Promises set beside what came of them: as a table that every format shows alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wellserved.measure import Series
from wellserved.measure.words import amount, between
from wellserved.moments import NotComputed
from wellserved.report import Table

ASKED = (
    "promise_kept", "first_promise_kept", "promised_time", "promise_to_keep_90",
    "promise_broken", "promise_renegotiated", "promise_overrun",
)  # fmt: skip
"""The measures of the table, in its order."""
_HEADS = ("kept", "the first one kept", "promised, median", "nine in ten done within", "past due and open, or given up", "another time agreed", "another time named too late")  # fmt: skip


def promise_table(many: Sequence[Series], by: str | None) -> Table:
    """A row a segment, those with most promises first."""
    by_name = {one.measure.name: one for one in many}
    kept = by_name["promise_kept"]
    order = sorted(range(len(kept)), key=lambda place: (-kept.n[place], kept.segments[place] or ""))
    rows = tuple(_row(by_name, kept.segments[place], place, kept) for place in order)
    note = (
        "From the first ask; open cases count as still waiting. Kept: by the last time agreed, of promises that fell due. "
        "What is promised and what nine in ten take should be alike; where they are not, promise the latter."
    )
    columns = (by or "all", "fell due", *_HEADS, "95% interval of kept", "of nine in ten")
    lacking = _lacking(by_name)
    keep = [place for place, column in enumerate(columns) if column not in lacking]
    note += "".join(f" Not computable here: {column} ({reason})." for column, reason in lacking.items())
    shown = tuple(tuple(row[place] for place in keep) for row in rows)
    return Table("What is promised, and what came of it", tuple(columns[place] for place in keep), shown, note)


def _lacking(by_name: Mapping[str, Series]) -> dict[str, str]:
    """Columns that have one reason for every row instead of numbers."""
    found = {}
    for name, column in zip(ASKED, _HEADS, strict=True):
        values = by_name[name].value
        reasons = {value.reason for value in values if isinstance(value, NotComputed)}
        if len(reasons) == 1 and len(values) > 1 and all(isinstance(value, NotComputed) for value in values):
            found[column] = reasons.pop()
    return found


def _row(by_name: Mapping[str, Series], segment: str | None, place: int, kept: Series) -> tuple[object, ...]:
    cells = []
    for name in ASKED:
        series = by_name[name]
        at = series.segments.index(segment) if segment in series.segments else None
        cells.append("" if at is None else _shown(series, at))
    needed = by_name["promise_to_keep_90"]
    at = needed.segments.index(segment) if segment in needed.segments else None
    bounds = (_interval(kept, place), "" if at is None else _interval(needed, at))
    return (segment or "(not named)", kept.n[place], *cells, *bounds)


def _shown(series: Series, at: int) -> str:
    value = series.value[at]
    return value.reason if isinstance(value, NotComputed) else amount(value, series.measure)


def _interval(series: Series, at: int) -> str:
    if isinstance(series.value[at], NotComputed):
        return ""
    return between(series.low[at], series.high[at], series.measure).removeprefix("95% interval ")

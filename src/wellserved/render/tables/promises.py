"""Promises set beside what came of them: as a table that every format shows alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wellserved.measure import Series
from wellserved.moments import NotComputable
from wellserved.report import Table
from wellserved.wording import format_interval, format_value

PROMISE_MEASURES = (
    "promise_kept", "first_promise_kept", "promised_time", "promise_to_keep_90",
    "promise_broken", "promise_renegotiated", "promise_overrun",
)  # fmt: skip
"""The measures of the table, in its order."""
_COLUMN_LABELS = ("kept", "the first one kept", "promised, median", "nine in ten done within", "past due and open, or given up", "another time agreed", "another time named too late")  # fmt: skip


def promise_table(series_list: Sequence[Series], by: str | None) -> Table:
    """A row a segment, those with most promises first."""
    by_name = {series.measure.name: series for series in series_list}
    kept_series = by_name["promise_kept"]
    order = sorted(
        range(len(kept_series)), key=lambda position: (-kept_series.n[position], kept_series.segments[position] or "")
    )
    rows = tuple(_row(by_name, kept_series.segments[position], position, kept_series) for position in order)
    note = (
        "From the first ask; open cases count as still waiting. Kept: by the last time agreed, of promises that fell due. "
        "What is promised and what nine in ten take should be alike; where they are not, promise the latter."
    )
    columns = (by or "all", "fell due", *_COLUMN_LABELS, "95% interval of kept", "of nine in ten")
    gap_reasons = _gap_reasons(by_name)
    kept_positions = [position for position, column in enumerate(columns) if column not in gap_reasons]
    note += "".join(f" Not computable here: {column} ({reason})." for column, reason in gap_reasons.items())
    shown_rows = tuple(tuple(row[position] for position in kept_positions) for row in rows)
    return Table(
        "What is promised, and what came of it",
        tuple(columns[position] for position in kept_positions),
        shown_rows,
        note,
    )


def _gap_reasons(by_name: Mapping[str, Series]) -> dict[str, str]:
    """Columns that have one reason for every row instead of numbers."""
    gap_reasons = {}
    for name, column in zip(PROMISE_MEASURES, _COLUMN_LABELS, strict=True):
        values = by_name[name].value
        reasons = {value.reason for value in values if isinstance(value, NotComputable)}
        if len(reasons) == 1 and len(values) > 1 and all(isinstance(value, NotComputable) for value in values):
            gap_reasons[column] = reasons.pop()
    return gap_reasons


def _row(by_name: Mapping[str, Series], segment: str | None, position: int, kept_series: Series) -> tuple[object, ...]:
    cells = []
    for name in PROMISE_MEASURES:
        series = by_name[name]
        segment_position = series.segments.index(segment) if segment in series.segments else None
        cells.append("" if segment_position is None else _value_text(series, segment_position))
    needed_series = by_name["promise_to_keep_90"]
    segment_position = needed_series.segments.index(segment) if segment in needed_series.segments else None
    bounds = (
        _interval(kept_series, position),
        "" if segment_position is None else _interval(needed_series, segment_position),
    )
    return (segment or "(not named)", kept_series.n[position], *cells, *bounds)


def _value_text(series: Series, position: int) -> str:
    value = series.value[position]
    return value.reason if isinstance(value, NotComputable) else format_value(value, series.measure.unit)


def _interval(series: Series, position: int) -> str:
    if isinstance(series.value[position], NotComputable):
        return ""
    return format_interval(series.low[position], series.high[position], series.measure.unit).removeprefix(
        "95% interval "
    )

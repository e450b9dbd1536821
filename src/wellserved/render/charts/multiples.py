"""Segments side by side: a small chart each, on one scale, so that they can be compared at a glance."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from markupsafe import escape

from wellserved.measure import Series
from wellserved.moments import NotComputable
from wellserved.render.charts.svg import (
    INK,
    LINE,
    MUTED,
    AxisScale,
    Frame,
    Picture,
    axis_label,
    draw_both,
    drawing,
    label,
    point_path,
    point_words,
    ticks,
)
from wellserved.wording import format_number, format_value, plural

MAX_PANELS: Final = 12  # segments with the most cases; a table holds all
FEWEST_PERIODS: Final = 2
USUAL_SHARE: Final = 0.97  # of the points, on whose heights the scale is laid where a few lie far above
FAR_ABOVE: Final = 2.5  # times
_PANEL_HEIGHT: Final = 112
_ROW_GAP: Final = 14


@dataclass(frozen=True)
class _Panel:
    """One segment's course over the periods of all."""

    segment: str
    n: int
    values: tuple[float | None, ...]
    words: tuple[str, ...]  # of each point


def segment_pictures(series: Series) -> list[Picture]:
    """A measure by segment and period as small charts, the segments with the most cases first; none where nothing has a course."""
    labels = {period.start: period.label for period in series.periods if period is not None}
    starts = sorted(labels)
    rows: dict[str | None, list[int]] = {}
    for index, segment in enumerate(series.segments):
        rows.setdefault(segment, []).append(index)
    names = sorted(rows, key=lambda segment: -sum(series.n[index] for index in rows[segment]))
    all_panels = (_panel(series, segment, rows[segment], starts) for segment in names)
    with_course = [panel for panel in all_panels if sum(value is not None for value in panel.values) >= FEWEST_PERIODS]
    panels = with_course[:MAX_PANELS]
    if len(panels) < 2:
        return []
    caption = f"By {series.question.by or 'segment'}, {labels[starts[0]]} to {labels[starts[-1]]}, all on one scale; dashed: the middle of those shown."
    if len(with_course) > len(panels):
        caption += f" {len(panels)} of {plural(len(names), 'segment')}, those with the most cases; the table holds all."
    elif len(names) > len(panels):
        caption += f" {len(panels)} of {plural(len(names), 'segment')}: the others have no two periods with a number; the table holds all."
    return [draw_both(caption, lambda frame: _draw(series, panels, frame))]


def _panel(series: Series, segment: str | None, rows: Sequence[int], starts: Sequence[object]) -> _Panel:
    values, words = dict.fromkeys(starts), dict.fromkeys(starts, "")
    for index in rows:
        period, value = series.periods[index], series.value[index]
        if period is not None and not isinstance(value, NotComputable):
            values[period.start] = float(value)
            words[period.start] = point_words(series, index)
    n = sum(series.n[index] for index in rows)
    return _Panel("none" if segment is None else segment, n, tuple(values.values()), tuple(words.values()))


def _draw(series: Series, panels: Sequence[_Panel], frame: Frame) -> str:
    columns = 2 if frame.is_narrow else 3
    rows = -(-len(panels) // columns)
    frame = replace(frame, height=rows * (_PANEL_HEIGHT + _ROW_GAP) + 6)
    all_values = [value for panel in panels for value in panel.values if value is not None]
    low, high = min(0.0, *all_values), _top(all_values)
    middle = _middle(panels)
    width = (frame.width - 6) / columns
    body = []
    for number, panel in enumerate(panels):
        left, top = 3 + width * (number % columns), 3 + (_PANEL_HEIGHT + _ROW_GAP) * (number // columns)
        y = AxisScale(low, high if high > low else low + 1, top + _PANEL_HEIGHT - 4, top + 24)
        x = AxisScale(0, max(len(panel.values) - 1, 1), left + 34, left + width - 12)
        body += _panel_lines(series, panel, middle, x, y, int(width // 9) - 6)
    words = "; ".join(
        f"{panel.segment}, n = {format_number(panel.n)}, {panel.words[-1] or 'last period not computable'}"
        for panel in panels
    )
    return drawing(frame, f"{series.measure.question} By segment", words, body)


def _top(values: Sequence[float]) -> float:
    """The largest value, or, where a few lie far above all others, a height that leaves the others readable."""
    usual = sorted(values)[int(len(values) * USUAL_SHARE)]
    return usual * 1.2 if max(values) > FAR_ABOVE * usual > 0 else max(values)


def _middle(panels: Sequence[_Panel]) -> list[float | None]:
    """The median of the segments in each period."""
    columns = zip(*(panel.values for panel in panels), strict=True)
    computable_values = [[value for value in column if value is not None] for column in columns]
    return [statistics.median(values) if values else None for values in computable_values]


def _panel_lines(
    series: Series, panel: _Panel, middle: Sequence[float | None], x: AxisScale, y: AxisScale, name_letters: int
) -> list[str]:
    unit = series.measure.unit
    name = panel.segment if len(panel.segment) <= name_letters else panel.segment[: name_letters - 1] + "…"
    body = [label(x.start - 30, y.end - 10, name, kind="ink")]
    last = panel.values[-1]
    body.append(label(x.end + 6, y.end - 10, "–" if last is None else format_value(last, unit), "end", "line"))
    marks = ticks(y.low, y.high, 2)
    step = marks[1] - marks[0] if len(marks) > 1 else y.high - y.low
    for mark in marks:
        height = y(mark)
        body.append(f'<path class="grid" d="M{x.start:g} {height:g}H{x.end:g}" stroke="#d9dee4" stroke-width="1"/>')
        body.append(label(x.start - 4, height + 4, axis_label(mark, unit, step), "end", size=10))
    body.append(
        f'<path class="limit" d="{_line(middle, x, y)}" fill="none" stroke="{MUTED}" stroke-width="1.2" stroke-dasharray="3 3"/>'
    )
    body.append(f'<path class="data" d="{_line(panel.values, x, y)}" fill="none" stroke="{LINE}" stroke-width="1.8"/>')
    radius = 2.4 if len(panel.values) <= 24 else 1.4
    for index, (value, words) in enumerate(zip(panel.values, panel.words, strict=True)):
        if value is None:
            continue
        title = f"<title>{escape(words)}</title>"
        if value > y.high:  # an arrow at the edge: it goes on above
            body.append(f'<path class="point" d="M{x(index):g} {y.end - 4:g}l4 6h-8Z" fill="{INK}">{title}</path>')
        else:
            body.append(
                f'<circle class="point" cx="{x(index):g}" cy="{y(value):g}" r="{radius:g}" fill="{LINE}">{title}</circle>'
            )
    return body


def _line(values: Sequence[float | None], x: AxisScale, y: AxisScale) -> str:
    return point_path(
        [None if value is None else (x(index), y(min(value, y.high))) for index, value in enumerate(values)]
    )

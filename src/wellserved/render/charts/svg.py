"""Charts as SVG, drawn on the server: real text, a title and a description, no script, no style attribute.

Colours are presentation attributes that print and mail understand; a page overrides them by class for dark
mode. Every chart is drawn twice, wide and narrow, and the page shows the one that fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from wellserved.chart import CHART_KINDS, Chart
from wellserved.chart.limits import Floats, Limits
from wellserved.measure import Series
from wellserved.moments import NotComputable
from wellserved.render.clean import one_line
from wellserved.report.segments import Funnel, Pareto
from wellserved.wording import format_interval, format_number, format_percent, format_value

INK, MUTED, LINE, ALARM, CALM = "#1d2733", "#5b6774", "#1f5fa8", "#b3261e", "#22683a"


@dataclass(frozen=True)
class Frame:
    """The drawing's size and margins."""

    width: int
    height: int
    left: int
    right: int
    top: int = 14
    bottom: int = 28

    @property
    def is_narrow(self) -> bool:
        return self.width < 500


WIDE = Frame(720, 260, 58, 120)
NARROW = Frame(360, 240, 46, 62)


@dataclass(frozen=True)
class AxisScale:
    """A number's place in the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        fraction = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + fraction * (self.end - self.start), 1)


@dataclass(frozen=True)
class Picture:
    """A caption and its drawing, wide and narrow."""

    caption: str
    svg: Markup


def draw_both(caption: str, draw: Callable[[Frame], str]) -> Picture:
    """A drawing for wide and for narrow pages."""
    return Picture(caption, Markup(draw(WIDE) + draw(NARROW)))


def label(x: float, y: float, words: str, anchor: str = "start", kind: str = "muted", size: int = 12) -> str:
    """Words in the drawing; other people's are data."""
    fill = {"muted": MUTED, "ink": INK, "alarm": ALARM, "line": LINE}[kind]
    return (
        f'<text class="{kind}" x="{x:g}" y="{y:g}" fill="{fill}" font-size="{size}" '
        f'font-family="system-ui, sans-serif" text-anchor="{anchor}">{escape(one_line(words))}</text>'
    )


def drawing(frame: Frame, title: str, description: str, body: Sequence[str]) -> str:
    """The whole picture, with its title and what it shows in words."""
    size = "narrow" if frame.is_narrow else "wide"
    return (
        f'<svg class="{size}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {frame.width} {frame.height}" '
        f'width="{frame.width}" height="{frame.height}" role="img">'
        f"<title>{escape(one_line(title))}</title><desc>{escape(one_line(description))}</desc>{''.join(body)}</svg>"
    )


def ticks(low: float, high: float, max_count: int = 4) -> list[float]:
    """Round numbers within a span."""
    if not high > low:
        return [low]
    rough_step = (high - low) / max_count
    power = 10.0 ** math.floor(math.log10(rough_step))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough_step * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(step * index, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def axis_label(value: float, unit: str, step: float = 1.0) -> str:
    """A number beside an axis, with as many digits as the step from one to the next needs."""
    if unit == "share":
        return format_percent(value, 0 if step >= 0.01 else 1)
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:g}"


def point_path(points: Sequence[tuple[float, float] | None]) -> str:
    """Straight lines between neighbours; a gap where a point is missing."""
    commands, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        commands.append(f"{pen}{point[0]:g} {point[1]:g}")
        pen = "L"
    return "".join(commands)


def _steps(xs: Sequence[float], line: Floats, y: AxisScale, half_width: float) -> str:
    """A limit as a staircase: it steps where it changes, and never slopes."""
    commands, previous_height = [], None
    for x, value in zip(xs, line, strict=True):
        if not math.isfinite(value):
            previous_height = None
            continue
        height = y(float(value))
        if previous_height is None:
            commands.append(f"M{x - half_width:g} {height:g}")
        elif height != previous_height:
            commands.append(f"V{height:g}")
        commands.append(f"H{x + half_width:g}")
        previous_height = height
    return "".join(commands)


def _bounds(chart: Chart) -> tuple[float, float]:
    values = [value for value in chart.values.tolist() if math.isfinite(value)]
    if isinstance(chart.limits, Limits):
        for line in (chart.limits.lower, chart.limits.upper):
            values += [value for value in line.tolist() if math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    floor = 0.0 if low >= 0 and low - margin < 0 else low - margin
    ceiling = 1.0 if chart.series.measure.unit == "share" and high + margin > 1 else high + margin
    return floor, ceiling


def draw_control_chart(chart: Chart, frame: Frame) -> str:
    """A control chart: points, centre, limits, signals marked by shape and named in words."""
    unit = chart.series.measure.unit
    low, high = _bounds(chart)
    y = AxisScale(low, high, frame.height - frame.bottom, frame.top)
    count = len(chart.values)
    half_width = (frame.width - frame.right - frame.left) / max(count, 1) / 2
    xs = [round(frame.left + half_width * (2 * index + 1), 1) for index in range(count)]
    body = _axes(chart, frame, y, xs, unit)
    if isinstance(chart.limits, Limits):
        body += _limit_lines(chart.limits, frame, y, xs, half_width, unit)
    body += _points(chart, y, xs)
    return drawing(frame, chart.series.measure.question, describe(chart), body)


def _axes(chart: Chart, frame: Frame, y: AxisScale, xs: Sequence[float], unit: str) -> list[str]:
    marks = ticks(y.low, y.high, 3 if frame.is_narrow else 4)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    right = frame.width - frame.right
    body = []
    for mark in marks:
        height = y(mark)
        body.append(f'<path class="grid" d="M{frame.left} {height:g}H{right}" stroke="#d9dee4" stroke-width="1"/>')
        body.append(label(frame.left - 6, height + 4, axis_label(mark, unit, step), "end"))
    labels = [period.label if period else "" for period in chart.series.periods]
    label_width = 64 if frame.is_narrow else 70
    label_step = max(1, math.ceil(label_width * len(xs) / max(right - frame.left, 1)))
    last = len(xs) - 1
    for index in range(last % label_step, len(xs), label_step):
        body.append(label(xs[index], frame.height - 9, labels[index], "middle"))
    return body


def _limit_lines(
    limits: Limits, frame: Frame, y: AxisScale, xs: Sequence[float], half_width: float, unit: str
) -> list[str]:
    body, line_labels = [], []
    names = ("upper", "centre", "lower") if frame.is_narrow else ("upper limit", "centre", "lower limit")
    for words, line, dash in zip(names, (limits.upper, limits.centre, limits.lower), ("5 4", "", "5 4"), strict=True):
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        path = _steps(xs, line, y, half_width)
        body.append(f'<path class="limit" d="{path}" fill="none" stroke="{MUTED}" stroke-width="1.2"{dashed}/>')
        ends = line[np.isfinite(line)]
        if len(ends):
            line_labels.append((y(float(ends[-1])) + 4, words, axis_label(round(float(ends[-1]), 3), unit, 0.001)))
    heights, free_height = [], float(frame.top)
    for height, _, _ in sorted(line_labels):  # labels that would touch are moved down
        heights.append(max(height, free_height))
        free_height = heights[-1] + 13
    # and all of them up, if they leave the picture
    lift = max(heights[-1] - (frame.height - 4), 0.0) if heights else 0.0
    for height, (_, words, value) in zip(heights, sorted(line_labels), strict=True):
        text = value if frame.is_narrow else f"{words} {value}"
        body.append(label(frame.width - frame.right + 6, height - lift, text))
    return body


def _signal_sides(chart: Chart) -> list[str]:
    """What each point's signal means: worse, better, neither; empty: no signal. Of two, the worse."""
    sides = [""] * len(chart.values)
    for signal in chart.signals:
        if signal.rule != "few_crossings":  # speaks of the whole chart, not of single points
            for index in np.flatnonzero(chart.signal_masks[signal.rule]):
                if signal.first <= index <= signal.last and sides[index] != "worse":
                    sides[index] = signal.verdict
    return sides


def _points(chart: Chart, y: AxisScale, xs: Sequence[float]) -> list[str]:
    series, sides = chart.series, _signal_sides(chart)
    mark_scale = 0.6 if len(xs) > 40 else 1.0  # many points, smaller marks
    line = [(xs[index], y(float(chart.values[index]))) if chart.used[index] else None for index in range(len(xs))]
    body = [f'<path class="data" d="{point_path(line)}" fill="none" stroke="{LINE}" stroke-width="1.8"/>']
    for index, x in enumerate(xs):
        value = float(chart.values[index])
        if not math.isfinite(value):
            continue
        low, high, height = series.low[index], series.high[index], y(value)
        if isinstance(low, float) and isinstance(high, float):
            ends = (y(max(low, y.low)), y(min(high, y.high)))
            body.append(
                f'<path class="whisker" d="M{x:g} {ends[0]:g}V{ends[1]:g}" stroke="{LINE}" stroke-opacity=".35"/>'
            )
        side = sides[index] if chart.used[index] else "unfinished"
        body.append(_mark(side, x, height, mark_scale, point_words(series, index) + _SIDE_WORDS[side]))
    return body


def _mark(side: str, x: float, height: float, mark_scale: float, words: str) -> str:
    """A point by what it means, by shape as well as by colour; its words appear under a pointer."""
    title = f"<title>{escape(words)}</title>"
    if side == "unfinished":
        return f'<circle class="unfinished" cx="{x:g}" cy="{height:g}" r="3.5" fill="none" stroke="{MUTED}">{title}</circle>'
    if not side:
        return f'<circle class="point" cx="{x:g}" cy="{height:g}" r="{3 * mark_scale:g}" fill="{LINE}">{title}</circle>'
    arm = 6.5 * mark_scale
    if side == "better":
        triangle = f"M{x:g} {height - arm:g}l{arm:g} {1.7 * arm:g}h-{2 * arm:g}Z"
        return f'<path class="signal good" d="{triangle}" fill="{CALM}">{title}</path>'
    diamond = f"M{x:g} {height - arm:g}l{arm:g} {arm:g}l-{arm:g} {arm:g}l-{arm:g} -{arm:g}Z"
    return f'<path class="signal" d="{diamond}" fill="{ALARM}">{title}</path>'


_SIDE_WORDS = {
    "unfinished": "; this period is not over yet",
    "better": "; a signal on the better side",
    "worse": "; a signal on the worse side",
    "neither": "; a signal",
    "": "",
}
"""What a point's side means, after its words."""


def point_words(series: Series, index: int) -> str:
    """A number of a series in words, as it appears under a pointer: 2023-09: 71.4%, 95% interval 69.0% to 73.9%, n = 812."""
    period, unit = series.periods[index], series.measure.unit
    interval = format_interval(series.low[index], series.high[index], unit)
    notes = [format_value(series.value[index], unit), interval, f"n = {format_number(series.n[index])}"]
    return f"{period.label if period else ''}: {', '.join(filter(None, notes))}"


def describe(chart: Chart) -> str:
    """The chart in words, for those who do not see it."""
    used_positions = [index for index in range(len(chart.values)) if chart.used[index]]
    kind = f"Control chart, {CHART_KINDS[chart.kind]}, of {chart.series.measure.name}"
    if not used_positions:
        return f"{kind}: nothing computable."
    unit = chart.series.measure.unit
    periods = [period.label if period else "" for period in chart.series.periods]
    last = used_positions[-1]
    words = f"{kind}, {periods[used_positions[0]]} to {periods[last]}; last {axis_label(round(float(chart.values[last]), 3), unit, 0.001)}."
    if isinstance(chart.limits, NotComputable):
        return f"{words} No limits: {chart.limits.reason}."
    signal_texts = [
        f"{'' if signal.verdict == 'neither' else f'{signal.verdict}, '}{signal.words}, {periods[signal.first]} to {periods[signal.last]}"
        for signal in chart.signals
    ]
    return f"{words} {'Signals: ' + '; '.join(signal_texts) if signal_texts else 'No signal'}. {chart.screening_note}".rstrip()


def draw_funnel(funnel: Funnel, frame: Frame) -> str:
    """Segments by size and share, with the limits that chance allows."""
    sizes = [row.n for row in funnel.rows]
    shares = [row.share for row in funnel.rows]
    low, high = max(min(shares) - 0.05, 0.0), min(max(shares) + 0.05, 1.0)
    right = frame.width - frame.right
    y = AxisScale(low, high, frame.height - frame.bottom - 10, frame.top)
    x = AxisScale(math.log10(min(sizes)), math.log10(max(sizes) * 1.1), frame.left + 8, right)
    body = []
    for mark in ticks(low, high):
        body.append(f'<path class="grid" d="M{frame.left} {y(mark):g}H{right}" stroke="#d9dee4"/>')
        body.append(label(frame.left - 6, y(mark) + 4, format_percent(mark, 0), "end"))
    for power in range(math.ceil(x.low), math.floor(x.high) + 1):
        body.append(label(x(power), frame.height - 20, f"{10**power:,}", "middle"))
    body.append(label((frame.left + right) / 2, frame.height - 5, "cases in the segment", "middle"))
    for curve, dash in zip(funnel.limit_curves, ("5 4", "1 3"), strict=True):
        for side in (curve.low, curve.high):
            line = [
                (x(log_size), y(min(max(limit, low), high)))
                for log_size, limit in zip(curve.log_sizes, side, strict=True)
            ]
            body.append(
                f'<path class="limit" d="{point_path(line)}" fill="none" stroke="{MUTED}" stroke-dasharray="{dash}"/>'
            )
    body.append(f'<path class="limit" d="M{frame.left} {y(funnel.overall):g}H{right}" stroke="{MUTED}"/>')
    body.append(label(right + 6, y(funnel.overall) + 4, f"all {format_percent(funnel.overall)}"))
    body += _funnel_points(funnel, x, y, right, 2 if frame.is_narrow else 4)
    words = (
        f"Funnel plot by {funnel.column}: {len(funnel.rows)} segments around {format_percent(funnel.overall)}; "
        f"{sum(row.stands_out for row in funnel.rows)} stand out."
    )
    return drawing(frame, f"Segments by {funnel.column}", words, body)


def _funnel_points(funnel: Funnel, x: AxisScale, y: AxisScale, right: int, labels_left: int) -> list[str]:
    body = []
    label_heights: list[float] = []
    for row in funnel.rows:
        point_x, height = x(math.log10(row.n)), y(row.share)
        if row.stands_out:
            body.append(f'<path class="signal" d="M{point_x:g} {height - 6:g}l6 6l-6 6l-6 -6Z" fill="{ALARM}"/>')
            if labels_left and all(abs(height - label_height) > 13 for label_height in label_heights):
                anchor = "end" if point_x > right / 2 else "start"
                shift = -9 if anchor == "end" else 9
                body.append(label(point_x + shift, height + 4, row.segment[:28], anchor, "ink", 11))
                label_heights.append(height)
                labels_left -= 1
        else:
            body.append(
                f'<circle class="point" cx="{point_x:g}" cy="{height:g}" r="3" fill="{LINE}" fill-opacity=".7"/>'
            )
    return body


def draw_pareto(pareto: Pareto, narrow: bool) -> str:
    """Where the misses lie: bars with their 95% interval, most first."""
    row_height, name_width = (38, 0) if narrow else (24, 230)
    frame = Frame(360 if narrow else 720, row_height * len(pareto.rows) + 12, 4, 60)
    highest = max(row.high for row in pareto.rows)
    x = AxisScale(0, highest, name_width + 8 if not narrow else 4, frame.width - frame.right)
    body = []
    for index, row in enumerate(pareto.rows):
        top = index * row_height + (20 if narrow else 6)
        name = row.segment if len(row.segment) < 34 else row.segment[:32] + "…"
        body.append(label(4, top - 5, name, kind="ink") if narrow else label(name_width, top + 12, name, "end", "ink"))
        body.append(
            f'<rect class="bar" x="{x(0):g}" y="{top}" width="{x(row.share) - x(0):g}" height="14" fill="{LINE}" fill-opacity=".75"/>'
        )
        body.append(
            f'<path class="interval" d="M{x(row.low):g} {top + 7}H{x(row.high):g}" stroke="{INK}" stroke-width="1.4"/>'
        )
        body.append(label(x(row.high) + 6, top + 12, format_percent(row.share)))
    words = f"Share of {format_number(pareto.total)} misses by {pareto.column}, most first."
    return drawing(frame, f"Misses by {pareto.column}", words, body)


def draw_sparkline(course: Sequence[float | None], usual: tuple[float, float] | None) -> Markup:
    """The course of a number in a line of text's height, the usual range behind it, the last point marked."""
    width, height, margin = 200.0, 34.0, 4.0
    values = [value for value in course if value is not None]
    low, high = min([*values, *(usual or ())]), max([*values, *(usual or ())])
    y = AxisScale(low, high if high > low else low + 1.0, height - margin, margin)
    x = AxisScale(0.0, max(len(course) - 1, 1), margin, width - margin)
    body = ""
    if usual:
        body += f'<rect x="0" y="{y(usual[1]):.1f}" width="{width:g}" height="{y(usual[0]) - y(usual[1]):.1f}"/>'
    points = [None if value is None else (x(position), y(value)) for position, value in enumerate(course)]
    body += f'<path d="{point_path(points)}"/>'
    if (last := points[-1]) is not None:
        body += f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="3"/>'
    return Markup(f'<svg class="spark" viewBox="0 0 {width:g} {height:g}" aria-hidden="true">{body}</svg>')

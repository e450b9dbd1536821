"""A proof drawn: before, after and what the model expected."""

from __future__ import annotations

import math

from wellserved.prove.engine.design import TRENDS
from wellserved.prove.proof import Proof
from wellserved.prove.words import (
    headline,
    proof_title,
)
from wellserved.render.charts.svg import INK, LINE, MUTED, AxisScale, Frame, Picture, draw_both, drawing, label, ticks
from wellserved.wording import format_percent


def proof_picture(proof: Proof) -> Picture:
    """The measure, what either trend would have brought, and the day of the change."""
    return draw_both(
        f"Measured (dots, {proof.request.measure.unit}), and what was to be expected without the change",
        lambda frame: proof_svg(proof, frame),
    )


def proof_svg(proof: Proof, frame: Frame) -> str:
    """Draw the measure, what either trend would have brought, and the day of the change, in one frame."""
    lines, unit = proof.verdict.lines, proof.request.measure.unit
    assert lines is not None
    count, start = len(lines.measured_values), proof.verdict.before
    values = [value for value in lines.measured_values if value is not None]
    bands = [*lines.low[start:], *lines.high[start:]]
    low, high = min([*values, *bands]), max([*values, *bands])
    reach = 3 * (max(values) - min(values)) or 1.0  # a very wide band does not squeeze the measure to a line
    low, high = max(low, min(values) - reach), min(high, max(values) + reach)
    margin = (high - low) * 0.04  # a dot at the edge is a whole dot
    low, high = low - margin, high + margin
    low = max(low, 0.0) if min(values) >= 0 else low
    y = AxisScale(low, high, frame.height - frame.bottom, frame.top)
    x = AxisScale(-0.5, count - 0.5, frame.left, frame.width - frame.right)
    body = _grid(proof, frame, x, y, unit)
    later_positions = range(start, count)
    if later_positions:
        top = [(x(position), y(min(lines.high[position], high))) for position in later_positions]
        bottom = [(x(position), y(max(lines.low[position], low))) for position in reversed(later_positions)]
        outline = "M" + "L".join(f"{a:g} {b:g}" for a, b in (*top, *bottom)) + "Z"
        body.append(f'<path class="band" d="{outline}" fill="{MUTED}" fill-opacity=".18"/>')
    for trend, dash in zip(TRENDS, ("", "5 4"), strict=True):
        path = "M" + "L".join(
            f"{x(position):g} {y(min(max(value, low), high)):g}"
            for position, value in enumerate(lines.counterfactuals[trend])
        )
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        body.append(f'<path class="limit" d="{path}" fill="none" stroke="{MUTED}" stroke-width="1.4"{dashed}/>')
    radius = 2.6 if count > 60 else 3.4
    for position, measured_value in enumerate(lines.measured_values):
        if measured_value is not None:
            body.append(
                f'<circle class="point" cx="{x(position):g}" cy="{y(measured_value):g}" r="{radius}" fill="{LINE}"/>'
            )
    edge = (x(start - 0.5), frame.top, frame.height - frame.bottom)
    body.append(
        f'<path class="interval" d="M{edge[0]:g} {edge[1]:g}V{edge[2]:g}" stroke="{INK}" stroke-dasharray="3 3"/>'
    )
    anchor, shift = ("end", -5) if frame.is_narrow or start > count * 0.6 else ("start", 5)
    body.append(label(edge[0] + shift, frame.top + 10, "change", anchor, "ink"))
    return drawing(frame, proof_title(proof), headline(proof), body)


def _grid(proof: Proof, frame: Frame, x: AxisScale, y: AxisScale, unit: str) -> list[str]:
    body, right = [], frame.width - frame.right
    for mark in ticks(y.low, y.high, 3 if frame.is_narrow else 4):
        body.append(f'<path class="grid" d="M{frame.left} {y(mark):g}H{right}" stroke="#d9dee4"/>')
        body.append(
            label(frame.left - 6, y(mark) + 4, format_percent(mark, 0) if unit == "share" else f"{mark:,g}", "end")
        )
    label_step = max(1, math.ceil((72 if frame.is_narrow else 84) * len(proof.series.periods) / (right - frame.left)))
    last = len(proof.series.periods) - 1
    for position in range(last % label_step, last + 1, label_step):
        body.append(label(x(position), frame.height - 9, proof.series.periods[position].label, "middle"))
    legend_height = y((y.low + y.high) / 2)
    words = (
        ("trend", "goes on", "trend", "stops")
        if frame.is_narrow
        else ("— had the trend", "gone on", "- - had it", "stopped")
    )
    for line, text in enumerate(words):
        body.append(label(right + 6, legend_height + 15 * line - 22, text))
    return body

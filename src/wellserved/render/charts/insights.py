"""Drivers and gaps drawn."""

from __future__ import annotations

from wellserved.explore.drivers import Drivers
from wellserved.explore.gap import ExpectationGaps
from wellserved.render.charts.svg import (
    ALARM,
    INK,
    LINE,
    MUTED,
    AxisScale,
    Frame,
    Picture,
    draw_both,
    drawing,
    label,
    ticks,
)
from wellserved.wording import format_percent


def driver_picture(drivers: Drivers) -> Picture:
    """Shares with their intervals."""
    return draw_both("Share of how ratings differ that goes with each", lambda frame: _bars(drivers, frame))


def _bars(drivers: Drivers, page_frame: Frame) -> str:
    row_height = 46 if page_frame.is_narrow else 28
    frame = Frame(page_frame.width, row_height * len(drivers.drivers) + 16, 6 if page_frame.is_narrow else 240, 64)
    x = AxisScale(0.0, max(driver.high for driver in drivers.drivers) or 1.0, frame.left, frame.width - frame.right)
    body = []
    for index, driver in enumerate(drivers.drivers):
        top = row_height * index + (24 if page_frame.is_narrow else 8)
        body.append(
            label(6, top - 6, driver.words, kind="ink")
            if page_frame.is_narrow
            else label(frame.left - 8, top + 12, driver.words, "end", "ink")
        )
        body.append(
            f'<rect class="bar" x="{x(0.0):g}" y="{top}" width="{max(x(driver.share) - x(0.0), 0):g}" height="14" fill="{LINE}" fill-opacity=".75"/>'
        )
        body.append(
            f'<path class="interval" d="M{x(max(driver.low, 0.0)):g} {top + 7}H{x(driver.high):g}" stroke="{INK}" stroke-width="1.4"/>'
        )
        body.append(label(x(driver.high) + 6, top + 12, format_percent(driver.share)))
    first = drivers.drivers[0]
    return drawing(
        frame,
        "What goes with bad ratings",
        f"Most: {first.words}, {format_percent(first.share)} of how ratings differ.",
        body,
    )


def gap_picture(gaps: ExpectationGaps) -> Picture:
    """From what was expected to what was got."""
    return draw_both(
        "From what was expected (ring) to what was got (dot), most unmet first", lambda frame: _dumbbells(gaps, frame)
    )


def _dumbbells(gaps: ExpectationGaps, page_frame: Frame) -> str:
    row_height = 40 if page_frame.is_narrow else 26
    frame = Frame(page_frame.width, row_height * len(gaps.gaps) + 34, 10 if page_frame.is_narrow else 190, 40)
    values = [value for gap in gaps.gaps for value in (gap.expected, gap.rating)]
    margin = (max(values) - min(values)) * 0.1 or 0.5
    x = AxisScale(min(values) - margin, max(values) + margin, frame.left, frame.width - frame.right)
    body = []
    for mark in ticks(x.low, x.high):
        body.append(f'<path class="grid" d="M{x(mark):g} 6V{frame.height - 24}" stroke="#d9dee4"/>')
        body.append(label(x(mark), frame.height - 8, f"{mark:g}", "middle"))
    for index, gap in enumerate(gaps.gaps):
        middle = row_height * index + (28 if page_frame.is_narrow else 18)
        name = gap.segment[:30]
        body.append(
            label(frame.left, middle - 10, name, kind="ink")
            if page_frame.is_narrow
            else label(frame.left - 8, middle + 4, name, "end", "ink")
        )
        is_shortfall = gap.high < 0
        body.append(
            f'<path class="{"lost" if is_shortfall else "data"}" d="M{x(gap.expected):g} {middle}H{x(gap.rating):g}" stroke="{ALARM if is_shortfall else LINE}" stroke-width="2"/>'
        )
        body.append(
            f'<circle class="unfinished" cx="{x(gap.expected):g}" cy="{middle}" r="4.5" fill="none" stroke="{MUTED}" stroke-width="1.6"/>'
        )
        body.append(
            f'<circle class="{"signal" if is_shortfall else "point"}" cx="{x(gap.rating):g}" cy="{middle}" r="4.5" fill="{ALARM if is_shortfall else LINE}"/>'
        )
    first = gaps.gaps[0]
    description = f"{first.segment}: expected {first.expected:.2f}, got {first.rating:.2f}; {format_percent(first.importance, 0)} of all unmet expectations."
    return drawing(frame, "Expectation and experience", description, body)

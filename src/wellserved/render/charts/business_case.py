"""A business case drawn: what it comes to, and which input moves it most."""

from __future__ import annotations

from collections.abc import Sequence

from wellserved.render.charts.svg import ALARM, CALM, INK, AxisScale, Frame, Picture, draw_both, drawing, label, ticks


def tornado_picture(base: float, swings: Sequence[tuple[str, float, float]], currency: str) -> Picture:
    """What each input alone moves, the widest first: the one that is worth measuring first."""
    return draw_both(
        f"What the case comes to, in {currency}, where one input is low or high and all others are in their middle",
        lambda frame: _tornado(base, swings, currency, frame),
    )


def _tornado(base: float, swings: Sequence[tuple[str, float, float]], currency: str, page_frame: Frame) -> str:
    wide = [swing for swing in swings if swing[1] != swing[2]][:8]
    row_height = 46 if page_frame.is_narrow else 30
    frame = Frame(page_frame.width, row_height * max(len(wide), 1) + 34, 8 if page_frame.is_narrow else 240, 20)
    ends = [base, 0.0, *(end for _name, low, high in wide for end in (low, high))]
    margin = (max(ends) - min(ends)) * 0.04 or 1.0
    x = AxisScale(min(ends) - margin, max(ends) + margin, frame.left, frame.width - frame.right)
    body = []
    for mark in ticks(x.low, x.high, 3):
        body.append(f'<path class="grid" d="M{x(mark):g} 4V{frame.height - 26}" stroke="#d9dee4"/>')
        body.append(label(x(mark), frame.height - 10, f"{mark:,.0f}", "middle"))
    body.append(f'<path d="M{x(0):g} 4V{frame.height - 26}" stroke="{INK}" stroke-width="1.2"/>')
    for index, (name, low, high) in enumerate(wide):
        top = row_height * index + (24 if page_frame.is_narrow else 8)
        if page_frame.is_narrow:
            body.append(label(8, top - 6, name, kind="ink"))
        else:
            body.append(label(frame.left - 8, top + 12, name, "end", "ink"))
        left, right = sorted((x(low), x(high)))
        middle = x(base)
        body.append(f'<rect x="{left:g}" y="{top}" width="{max(middle - left, 0.5):g}" height="14" fill="{ALARM}" fill-opacity=".55"/>')  # fmt: skip
        body.append(f'<rect x="{middle:g}" y="{top}" width="{max(right - middle, 0.5):g}" height="14" fill="{CALM}" fill-opacity=".55"/>')  # fmt: skip
    words = (
        f"Most: {wide[0][0]}, {min(wide[0][1:]):,.0f} to {max(wide[0][1:]):,.0f} {currency}."
        if wide
        else "Nothing moves it."
    )
    return drawing(frame, "Which input moves the case most", words, body)

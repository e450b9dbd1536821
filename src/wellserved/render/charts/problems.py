"""Problems drawn: how many customers and how sure, and which problems lie near each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from wellserved.listen.novelty import Neighbourhood
from wellserved.listen.sizes import ProblemSize
from wellserved.moments import day_of
from wellserved.render.charts.svg import (
    ALARM,
    CALM,
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
from wellserved.wording import format_percent, plural

MAX_BARS: Final = 24
MAX_LABELS: Final = 14
_COLOURS: Final = {"new": ALARM, "rising": ALARM, "steady": LINE, "falling": CALM, "resting": MUTED}
_SIGNS: Final = {"new": "+", "rising": "▲", "steady": "●", "falling": "▼", "resting": "○"}


def problem_bars(sizes: Sequence[ProblemSize]) -> Picture:
    """The share of each problem with its interval, and which way it goes."""
    caption = "Share of cases with 95% interval; ▲ rising, ▼ falling, ● steady, + new, ○ resting"
    return draw_both(caption, lambda frame: _bars(sizes[:MAX_BARS], frame))


def _bars(sizes: Sequence[ProblemSize], page_frame: Frame) -> str:
    row_height = 44 if page_frame.is_narrow else 26
    left = 6 if page_frame.is_narrow else 250
    frame = Frame(page_frame.width, row_height * len(sizes) + 14, left, 90)
    x = AxisScale(0.0, max((size.share.high for size in sizes), default=1.0), frame.left, frame.width - frame.right)
    body = []
    for index, size in enumerate(sizes):
        top = row_height * index + (22 if page_frame.is_narrow else 6)
        name = size.label if len(size.label) <= 36 else f"{size.label[:35]}…"
        spot = (6, top - 6, "start") if page_frame.is_narrow else (frame.left - 8, top + 11, "end")
        body.append(label(spot[0], spot[1], name, spot[2], "ink"))
        width = max(x(size.share.value) - x(0.0), 1)
        tip = f"{size.label}: {size.cases:,} cases of {size.customers:,} customers, {format_percent(size.share.value)}, {size.state}"
        body.append(
            f'<rect class="bar" x="{x(0.0):g}" y="{top}" width="{width:g}" height="13" fill="{_COLOURS[size.state]}" fill-opacity=".75">'
            f"<title>{_plain(tip)}</title></rect>"
        )
        body.append(
            f'<path class="interval" d="M{x(size.share.low):g} {top + 6.5}H{x(size.share.high):g}" stroke="{INK}" stroke-width="1.4"/>'
        )
        body.append(
            label(
                x(size.share.high) + 6, top + 11, f"{format_percent(size.share.value)} {_SIGNS[size.state]}", kind="ink"
            )
        )
    largest = sizes[0] if sizes else None
    description = (
        f"Most: {largest.label}, {format_percent(largest.share.value)} of cases." if largest else "No problems."
    )
    return drawing(frame, "Problems by share of cases", description, body)


def problem_map(sizes: Sequence[ProblemSize], spots: Mapping[str, tuple[float, float]]) -> Picture:
    """Problems as circles: near each other where customers use like words, larger with more customers."""
    known = [size for size in sizes if size.label in spots]
    caption = "Problems near each other are told in like words; larger circles, more customers"
    return draw_both(caption, lambda frame: _map(known, spots, frame))


def _map(sizes: Sequence[ProblemSize], spots: Mapping[str, tuple[float, float]], page_frame: Frame) -> str:
    frame = Frame(page_frame.width, 420 if not page_frame.is_narrow else 360, 40, 40, 30, 30)
    top = max((size.customers for size in sizes), default=1)
    body = []
    for size in reversed(sizes):
        x, y = _spot(spots[size.label], frame)
        radius = 4 + 22 * (size.customers / top) ** 0.5 * (0.7 if page_frame.is_narrow else 1)
        tip = f"{size.label}: {size.customers:,} customers, {size.state}"
        body.append(
            f'<circle class="bubble" cx="{x:g}" cy="{y:g}" r="{radius:.1f}" fill="{_COLOURS[size.state]}" fill-opacity=".35" '
            f'stroke="{_COLOURS[size.state]}"><title>{_plain(tip)}</title></circle>'
        )
    taken: list[tuple[float, float, float]] = []
    for size in sizes[: MAX_LABELS if not page_frame.is_narrow else 7]:
        x, y = _spot(spots[size.label], frame)
        words = size.label if len(size.label) <= 26 else f"{size.label[:25]}…"
        half = 3.4 * len(words)
        x = min(max(x, half + 2), frame.width - half - 2)
        while any(
            abs(y - other_y) < 14 and abs(x - other_x) < half + other_half for other_x, other_y, other_half in taken
        ):
            y += 7
        taken.append((x, y, half))
        body.append(label(x, min(y + 4, frame.height - 4), words, "middle", "ink"))
    return drawing(frame, "Map of problems", f"{len(sizes)} problems; the table beside it has their numbers.", body)


def novelty_course(days: Sequence[Neighbourhood]) -> Picture:
    """How unusual each day's words were, and what a quiet house would hardly ever exceed."""
    caption = "How unusual the words of the last seven days were, day by day; the line: a quiet house goes beyond it once in 200 days; ▲ alarm"
    return draw_both(caption, lambda frame: _novelty(days, frame))


def _novelty(days: Sequence[Neighbourhood], page_frame: Frame) -> str:
    frame = Frame(page_frame.width, 220, 34, 12, 24, 30)
    bottom = frame.height - frame.bottom
    limits = [day.limit for day in days if day.limit < float("inf")]
    y = AxisScale(0.0, 1.1 * max([1.0, *limits, *(day.score for day in days)]), bottom, frame.top)
    step = (frame.width - frame.left - frame.right) / max(len(days), 1)
    body = [label(frame.left - 6, y(value) + 4, f"{value:g}", "end") for value in ticks(0.0, y.high)]
    line: list[str] = []
    for index, day in enumerate(days):
        x, words = frame.left + step * index, day_of(day.day).isoformat()
        tip = (
            f"{words}: {plural(day.customers, 'customer')} said alike, {day.before} before"
            if day.texts
            else f"{words}: too little is known"
        )
        body.append(
            f'<rect class="bar" x="{x + 1:.1f}" y="{y(day.score):.1f}" width="{max(step - 2, 1):.1f}" height="{bottom - y(day.score):.1f}" '
            f'fill="{ALARM if day.is_alarm else LINE}" fill-opacity=".75"><title>{_plain(tip)}</title></rect>'
        )
        if day.is_alarm:
            body.append(label(x + step / 2, y(day.score) - 5, "▲", "middle", "ink"))
        if day.limit < float("inf"):
            line.append(f"{'L' if line else 'M'}{x:.1f} {y(day.limit):.1f}H{x + step:.1f}")
    body.append(f'<path d="{"".join(line)}" fill="none" stroke="{INK}" stroke-width="1.4" stroke-dasharray="4 3"/>')
    if days:
        body.append(label(frame.left, frame.height - 8, day_of(days[0].day).isoformat()))
        body.append(label(frame.width - frame.right, frame.height - 8, day_of(days[-1].day).isoformat(), "end"))
    alarms = sum(day.is_alarm for day in days)
    return drawing(frame, "New in customers' words", f"{plural(alarms, 'alarm')} in {plural(len(days), 'day')}.", body)


def _spot(spot: tuple[float, float], frame: Frame) -> tuple[float, float]:
    x = frame.left + spot[0] * (frame.width - frame.left - frame.right)
    y = frame.top + spot[1] * (frame.height - frame.top - frame.bottom)
    return round(x, 1), round(y, 1)


def _plain(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

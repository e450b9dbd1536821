"""One's own days, and one's own weeks, drawn."""

from __future__ import annotations

from collections.abc import Sequence

from wellserved.moments import NotComputable, day_of
from wellserved.people.evenness import Evenness
from wellserved.render.charts.svg import ALARM, LINE, MUTED, AxisScale, Frame, Picture, draw_both, drawing, label, ticks

MAX_DAYS_DRAWN = 90


def days_picture(evenness: Evenness) -> Picture:
    """The mean rating of each day, and where chance alone would hold most of them."""
    return draw_both("Each day's mean rating; the bars reach as far as chance alone would carry it", lambda frame: _days(evenness, frame))  # fmt: skip


def _days(evenness: Evenness, page_frame: Frame) -> str:
    daily = evenness.daily[-MAX_DAYS_DRAWN:]
    frame = Frame(page_frame.width, 200, 34, 14)
    values = [mean for _day, mean, _n in daily]
    low, high = min(values), max(values)
    margin = (high - low) * 0.15 or 0.5
    y = AxisScale(low - margin, high + margin, frame.height - frame.bottom, frame.top)
    x = AxisScale(0, max(len(daily) - 1, 1), frame.left + 8, frame.width - frame.right)
    body = []
    for mark in ticks(y.low, y.high):
        body.append(f'<path class="grid" d="M{frame.left} {y(mark):g}H{frame.width - frame.right}" stroke="#d9dee4"/>')
        body.append(label(frame.left - 6, y(mark) + 4, f"{mark:g}", "end"))
    parts = evenness.days
    for index, (_day, mean, n) in enumerate(daily):
        if isinstance(parts, NotComputable):
            body.append(f'<circle cx="{x(index):g}" cy="{y(mean):g}" r="3" fill="{LINE}"/>')
            continue
        reach = 1.96 * parts.within / n**0.5
        outside = abs(mean - parts.mean) > reach
        top, bottom = y(min(parts.mean + reach, y.high)), y(max(parts.mean - reach, y.low))
        body.append(f'<path class="band-line" d="M{x(index):g} {top:g}V{bottom:g}" stroke="{MUTED}" stroke-opacity=".35" stroke-width="4"/>')  # fmt: skip
        shape = (
            f'<path class="signal" d="M{x(index) - 4:g} {y(mean):g}l4 -4l4 4l-4 4z" fill="{ALARM}"/>'
            if outside
            else f'<circle cx="{x(index):g}" cy="{y(mean):g}" r="3" fill="{LINE}"/>'
        )
        body.append(shape)
    first, last = day_of(daily[0][0]), day_of(daily[-1][0])
    body.append(label(x(0), frame.height - 8, first.isoformat()))
    body.append(label(x(len(daily) - 1), frame.height - 8, last.isoformat(), "end"))
    return drawing(frame, "Your days", evenness.words, body)


def pulse_picture(weeks: Sequence[tuple[str, int]], words: dict[int, str]) -> Picture:
    """One's own answers, week by week."""
    return draw_both("How you were, week by week; for your eyes only", lambda frame: _pulse(weeks, words, frame))


def _pulse(weeks: Sequence[tuple[str, int]], words: dict[int, str], page_frame: Frame) -> str:
    frame = Frame(page_frame.width, 170, 70, 14)
    y = AxisScale(1, 5, frame.height - frame.bottom - 8, frame.top + 6)
    x = AxisScale(0, max(len(weeks) - 1, 1), frame.left + 8, frame.width - frame.right)
    body = []
    for value, word in words.items():
        body.append(f'<path class="grid" d="M{frame.left} {y(value):g}H{frame.width - frame.right}" stroke="#d9dee4"/>')
        body.append(label(frame.left - 6, y(value) + 4, word, "end"))
    line = "".join(f"{'L' if i else 'M'}{x(i):g} {y(value):g}" for i, (_week, value) in enumerate(weeks))
    body.append(f'<path class="line" d="{line}" fill="none" stroke="{LINE}" stroke-width="1.6"/>')
    body += [f'<circle cx="{x(i):g}" cy="{y(value):g}" r="3" fill="{LINE}"/>' for i, (_week, value) in enumerate(weeks)]
    body.append(label(x(0), frame.height - 8, weeks[0][0]))
    body.append(label(x(len(weeks) - 1), frame.height - 8, weeks[-1][0], "end"))
    return drawing(frame, "Your weeks", f"{len(weeks)} answers, the last one: {words[weeks[-1][1]]}.", body)

"""Queues and chains drawn: what became of those who waited, and where cases lie."""

from __future__ import annotations

import math
from dataclasses import replace

from wellserved.explore.chain import Chain, TeamTime
from wellserved.queueing import Queue
from wellserved.render.charts.svg import (
    INK,
    LINE,
    MUTED,
    AxisScale,
    Frame,
    Picture,
    draw_both,
    drawing,
    label,
)
from wellserved.render.tables.clocks import format_duration
from wellserved.wording import format_number, format_percent

_TIME_LABELS = {1: "1 s", 60: "1 min", 3_600: "1 h", 86_400: "1 day", 604_800: "1 week", 31_536_000: "1 year"}
_LEFT_COLOUR = "#b3261e"
_STATE_COLOURS = {"untouched": "#b3261e", "in_hand": LINE, "paused": "#8a97a6", "held": "#c9a227"}
_STATE_LABELS = {
    "untouched": "untouched",
    "in_hand": "in hand",
    "paused": "waits for the customer",
    "held": "for a third party",
}
MAX_TEAMS_SHOWN = 12  # teams in a picture


def waiting_picture(queue: Queue) -> Picture:
    """Shares served and left by time waited, on a logarithmic scale of time."""
    return draw_both("What became of those who waited", lambda frame: _draw_waiting(queue, frame))


def _draw_waiting(queue: Queue, page_frame: Frame) -> str:
    # room for the words at the lines' ends
    frame = replace(page_frame, right=page_frame.right + 28) if page_frame.is_narrow else page_frame
    course = queue.incidence
    last = float(course.seconds[-1]) if len(course.seconds) else 1.0
    x = AxisScale(0.0, math.log10(max(last, 60.0)), frame.left, frame.width - frame.right)
    y = AxisScale(0.0, 1.0, frame.height - frame.bottom, frame.top)
    body = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        body.append(
            f'<path class="grid" d="M{frame.left} {y(share)}H{frame.width - frame.right}" stroke="{MUTED}" stroke-opacity="0.25"/>'
        )
        body.append(label(frame.left - 6, y(share) + 4, format_percent(share, 0), "end"))
    for second, words in _TIME_LABELS.items():
        if second <= max(last, 60.0):
            body.append(label(x(math.log10(second)), frame.height - 8, words, "middle"))
    edges = sorted({1.0, *(10 ** (step / 40) for step in range(int(math.log10(max(last, 60.0)) * 40) + 1)), last})
    for outcome, (colour, words, kind) in enumerate(((LINE, "served", "data"), (_LEFT_COLOUR, "left", "lost"))):
        shares = [queue.incidence.shares_at(second)[outcome] for second in edges]
        line = "".join(
            f"{'H' if step % 2 else 'V'}{value}"
            for second, share in zip(edges[1:], shares[1:], strict=True)
            for step, value in ((1, x(math.log10(second))), (0, y(share)))
        )
        body.append(
            f'<path class="{kind}" d="M{x(0.0)} {y(shares[0])}{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        body.append(
            label(
                x(math.log10(max(last, 60.0))) + 6,
                y(shares[-1]) + 4,
                f"{words} {format_percent(shares[-1])}",
                kind="ink",
            )
        )
    limit_x = x(math.log10(max(queue.seconds, 1)))
    body.append(
        f'<path class="interval" d="M{limit_x} {frame.top}V{frame.height - frame.bottom}" stroke="{INK}" stroke-dasharray="3 3"/>'
    )
    served_share, left_share, waiting_share = queue.incidence.shares_at(queue.seconds)
    description = f"After {format_duration(queue.seconds)} {format_percent(served_share)} are served, {format_percent(left_share)} have left, {format_percent(waiting_share)} wait."
    return drawing(frame, "Share served and left by time waited", description, body)


def team_time_picture(chain: Chain) -> Picture:
    """Mean days of a stay by team: untouched, in hand, and waiting."""
    return draw_both(
        "Mean days of a case's stay with each team, most untouched first", lambda frame: _draw_team_times(chain, frame)
    )


def _draw_team_times(chain: Chain, frame: Frame) -> str:
    team_times = sorted(chain.team_times, key=lambda team_time: -team_time.untouched / team_time.stays)[
        :MAX_TEAMS_SHOWN
    ]
    name_width = 150 if not frame.is_narrow else 110
    legend_height = 44 if frame.is_narrow else 28  # the legend takes two lines on a phone
    full_frame = Frame(frame.width, 24 * len(team_times) + legend_height + 18, name_width, 50)
    x = AxisScale(
        0.0,
        max(_days(team_time, *_STATE_COLOURS) for team_time in team_times) or 1.0,
        full_frame.left,
        full_frame.width - full_frame.right,
    )
    body = []
    for order, (state, colour) in enumerate(_STATE_COLOURS.items()):
        row, column = divmod(order, 2) if frame.is_narrow else (0, order)
        legend_x, legend_y = 6 + column * 165, 6 + 17 * row
        body.append(f'<rect x="{legend_x}" y="{legend_y}" width="10" height="10" fill="{colour}"/>')
        body.append(label(legend_x + 14, legend_y + 9, _STATE_LABELS[state]))
    for index, team_time in enumerate(team_times):
        top, start = legend_height + 24 * index, 0.0
        body.append(
            label(full_frame.left - 6, top + 13, team_time.team[: 20 if not frame.is_narrow else 15], "end", "ink")
        )
        for state, colour in _STATE_COLOURS.items():
            width = _days(team_time, state)
            body.append(
                f'<rect x="{x(start)}" y="{top}" width="{round(x(start + width) - x(start), 1)}" height="16" fill="{colour}"/>'
            )
            start += width
        body.append(label(x(start) + 4, top + 13, format_number(start)))
    description = f"{team_times[0].team} lets a case lie untouched for {format_number(_days(team_times[0], 'untouched'))} days on average, the most of all."
    return drawing(full_frame, "Mean days of a stay by team", description, body)


def _days(team_time: TeamTime, *states: str) -> float:
    return float(sum(getattr(team_time, state) for state in states)) / team_time.stays / 86_400

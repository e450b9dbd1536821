"""Pictures of queues and chains: what became of those who waited, and where cases lie."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from markupsafe import Markup

from wellserved.chain import Chain, Place
from wellserved.measure.words import number, percent
from wellserved.queueing import Queue
from wellserved.render.clocks import clock_time
from wellserved.render.svg import INK, LINE, MUTED, NARROW, WIDE, Frame, Scale, drawing, label

_TIMES = {1: "1 s", 60: "1 min", 3_600: "1 h", 86_400: "1 day", 604_800: "1 week", 31_536_000: "1 year"}
_LEFT = "#b3261e"
_LIES = {"untouched": "#b3261e", "in_hand": LINE, "paused": "#8a97a6", "held": "#c9a227"}
_WORDS = {
    "untouched": "untouched",
    "in_hand": "in hand",
    "paused": "waits for the customer",
    "held": "for a third party",
}
MOST = 12  # teams in a picture


@dataclass(frozen=True)
class Picture:
    """A caption and its drawing, wide and narrow."""

    caption: str
    svg: Markup


def both(caption: str, draw: Callable[[Frame], str]) -> Picture:
    """A drawing for wide and for narrow pages."""
    return Picture(caption, Markup(draw(WIDE) + draw(NARROW)))


def waiting_picture(found: Queue) -> Picture:
    """Shares served and left by time waited, on a logarithmic scale of time."""
    return both("What became of those who waited", lambda frame: _waiting(found, frame))


def _waiting(found: Queue, fits: Frame) -> str:
    frame = replace(fits, right=fits.right + 28) if fits.narrow else fits  # room for the words at the lines' ends
    course = found.incidence
    last = float(course.seconds[-1]) if len(course.seconds) else 1.0
    x = Scale(0.0, math.log10(max(last, 60.0)), frame.left, frame.width - frame.right)
    y = Scale(0.0, 1.0, frame.height - frame.bottom, frame.top)
    body = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        body.append(
            f'<path class="grid" d="M{frame.left} {y(share)}H{frame.width - frame.right}" stroke="{MUTED}" stroke-opacity="0.25"/>'
        )
        body.append(label(frame.left - 6, y(share) + 4, percent(share, 0), "end"))
    for second, words in _TIMES.items():
        if second <= max(last, 60.0):
            body.append(label(x(math.log10(second)), frame.height - 8, words, "middle"))
    edges = sorted({1.0, *(10 ** (step / 40) for step in range(int(math.log10(max(last, 60.0)) * 40) + 1)), last})
    for place, (colour, words, kind) in enumerate(((LINE, "served", "data"), (_LEFT, "left", "lost"))):
        shares = [found.incidence.at(second)[place] for second in edges]
        line = "".join(
            f"{'H' if step % 2 else 'V'}{value}"
            for second, share in zip(edges[1:], shares[1:], strict=True)
            for step, value in ((1, x(math.log10(second))), (0, y(share)))
        )
        body.append(
            f'<path class="{kind}" d="M{x(0.0)} {y(shares[0])}{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        body.append(
            label(x(math.log10(max(last, 60.0))) + 6, y(shares[-1]) + 4, f"{words} {percent(shares[-1])}", kind="ink")
        )
    at = x(math.log10(max(found.seconds, 1)))
    body.append(
        f'<path class="interval" d="M{at} {frame.top}V{frame.height - frame.bottom}" stroke="{INK}" stroke-dasharray="3 3"/>'
    )
    served, left, waiting = found.incidence.at(found.seconds)
    told = f"After {clock_time(found.seconds)} {percent(served)} are served, {percent(left)} have left, {percent(waiting)} wait."
    return drawing(frame, "Share served and left by time waited", told, body)


def lying_picture(found: Chain) -> Picture:
    """Mean days of a stay by team: untouched, in hand, and waiting."""
    return both("Mean days of a case's stay with each team, most untouched first", lambda frame: _lying(found, frame))


def _lying(found: Chain, frame: Frame) -> str:
    places = sorted(found.places, key=lambda one: -one.untouched / one.stays)[:MOST]
    room = 150 if not frame.narrow else 110
    head = 44 if frame.narrow else 28  # the legend takes two lines on a phone
    tall = Frame(frame.width, 24 * len(places) + head + 18, room, 50)
    x = Scale(0.0, max(_days(one, *_LIES) for one in places) or 1.0, tall.left, tall.width - tall.right)
    body = []
    for order, (part, colour) in enumerate(_LIES.items()):
        row, column = divmod(order, 2) if frame.narrow else (0, order)
        at, down = 6 + column * 165, 6 + 17 * row
        body.append(f'<rect x="{at}" y="{down}" width="10" height="10" fill="{colour}"/>')
        body.append(label(at + 14, down + 9, _WORDS[part]))
    for line, place in enumerate(places):
        top, start = head + 24 * line, 0.0
        body.append(label(tall.left - 6, top + 13, place.team[: 20 if not frame.narrow else 15], "end", "ink"))
        for part, colour in _LIES.items():
            width = _days(place, part)
            body.append(
                f'<rect x="{x(start)}" y="{top}" width="{round(x(start + width) - x(start), 1)}" height="16" fill="{colour}"/>'
            )
            start += width
        body.append(label(x(start) + 4, top + 13, number(start)))
    told = f"{places[0].team} lets a case lie untouched for {number(_days(places[0], 'untouched'))} days on average, the most of all."
    return drawing(tall, "Mean days of a stay by team", told, body)


def _days(place: Place, *parts: str) -> float:
    return float(sum(getattr(place, part) for part in parts)) / place.stays / 86_400

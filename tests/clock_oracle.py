"""Waits worked out slowly, in plain Python: the wall clock is walked minute by minute, each case moment by moment.

Written from the words of docs/clocks.md, not from the product's SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.oracle import open_at_wall
from wellserved.calendar import Calendar, Calendars
from wellserved.measure.vendor_rules import VendorRule

CUSTOMER = {"asked", "chased", "expected", "rated", "complained", "praised", "accepted", "returned", "left", "renewed", "bought"}  # fmt: skip


@dataclass(frozen=True)
class Event:
    """One moment, in the order of the file."""

    second: int
    kind: str
    team: str | None = None
    service: str | None = None
    known: bool = True  # the time is known


class WalkedHours:
    """Open seconds of a calendar up to any instant, from walking its wall clock."""

    def __init__(self, calendar: Calendar, first: int, last: int) -> None:
        self.calendar, self.first = calendar, first - first % 60
        borders = (edge for version in calendar.versions for day in version.week for span in day for edge in span)
        self.seconds_matter = any(edge % 60 for edge in borders)
        self.totals = [0]
        for minute in range(self.first, last + 60, 60):
            self.totals.append(self.totals[-1] + self._within(minute, 60))

    def _within(self, start: int, length: int) -> int:
        if length == 60 and not self.seconds_matter:  # zones change their offset on whole minutes
            return length if open_at_wall(self.calendar, start) else 0
        return sum(open_at_wall(self.calendar, second) for second in range(start, start + length))

    def at(self, second: int) -> int:
        minute = (second - self.first) // 60
        start = self.first + minute * 60
        return self.totals[minute] + (self._within(start, second - start) if second > start else 0)


def in_force(events: Sequence[Event], calendars: Calendars) -> list[str]:
    """The name of the calendar from each moment on: by the last team and service that were named."""
    team = service = None
    found = []
    for event in events:
        team, service = event.team or team, event.service or service
        calendar = calendars.calendar_for(team, service)
        found.append(calendar.name if calendar else "")
    return found


def states(events: Sequence[Event]) -> list[int]:
    """From each moment on: 0 with us, 1 waits for the customer, 2 for a third party, 3 closed."""
    state, closed, found = 0, False, []
    for event in events:
        if event.kind in ("resolved", "abandoned", "merged"):
            closed = True
        elif event.kind == "reopened":
            closed, state = False, 0
        elif event.kind in ("paused", "held", "resumed"):
            state = {"paused": 1, "held": 2, "resumed": 0}[event.kind]
        # A pause set while the case was closed counts once it is opened again, unless the reopening cleared it.
        found.append(3 if closed else state)
    return found


def start_of(events: Sequence[Event]) -> int:
    """The place of the first ask; without one, of the customer's first word; without that, of the first moment."""
    for wanted in ({"asked"}, CUSTOMER):
        for place, event in enumerate(events):
            if event.kind in wanted:
                return place
    return 0


def stop_of(events: Sequence[Event], rule: VendorRule, start: int) -> int | None:
    """The place of the moment that stops the clock."""
    fits = [
        place
        for place, event in enumerate(events)
        if event.kind in rule.stops and event.known and (not rule.after_opening or event.second > events[start].second)
    ]
    if not fits:
        return None
    if rule.occurrence == "first":
        return fits[0]
    words = [
        place for place, event in enumerate(events) if event.kind in ("resolved", "abandoned", "merged", "reopened")
    ]
    return fits[-1] if words and fits[-1] == words[-1] else None


def value_of(
    events: Sequence[Event], rule: VendorRule, hours: Mapping[str, WalkedHours], calendars: Calendars, as_of: int
) -> tuple[bool, int] | None:
    """Whether it has ended, and the seconds; None: the rule leaves the case out."""
    start, state = start_of(events), states(events)
    stop = stop_of(events, rule, start)
    if stop is None and (not rule.counts_open or state[-1] == 3):
        return None
    if stop is not None and events[stop].second < events[start].second:
        return None
    if rule.hours != "calendar" and not calendars.calendars:
        return None
    if rule.hours == "business of the stop":
        assert stop is not None
        walked = hours[in_force(events, calendars)[stop]]
        return True, walked.at(events[stop].second) - walked.at(events[start].second)
    force = in_force(events, calendars)
    total = 0
    for place in range(start, len(events) if stop is None else stop):
        if state[place] in rule.halt_states:
            continue
        begin = events[place].second
        end = events[place + 1].second if place + 1 < len(events) else max(as_of, begin)
        total += (
            (end - begin) if rule.hours == "calendar" else hours[force[place]].at(end) - hours[force[place]].at(begin)
        )
    return stop is not None, total


def turns_of(events: Sequence[Event]) -> tuple[list[int], int | None]:
    """Seconds from each further word of the customer to the next reply, and since when one waits without an answer."""
    waits: list[int] = []
    since: int | None = None
    replied = False
    for event in events:
        if event.kind in ("replied", "explained"):
            waits += [event.second - since] if since is not None else []
            replied, since = True, None
        elif event.kind in ("resolved", "abandoned", "merged"):
            since = None
        elif event.kind in ("chased", "complained", "returned") and replied and since is None:
            since = event.second
    return waits, since


def in_order(events: Sequence[Event]) -> list[Event]:
    """By time; moments of one instant stay in the order of the file."""
    places = sorted(range(len(events)), key=lambda place: (events[place].second, place))
    return [events[place] for place in places]

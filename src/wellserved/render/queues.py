"""Queues as tables that every format shows alike."""

from __future__ import annotations

from collections.abc import Sequence

from wellserved.measure.words import percent
from wellserved.moments import NotComputed
from wellserved.queueing import TREATMENTS, Interval, Queue
from wellserved.queueing.erlang import Expected
from wellserved.queueing.incidence import quantile
from wellserved.queueing.staffing import Staffing
from wellserved.render.clocks import clock_time
from wellserved.report import Table

_SHOWN = (0, 20, 60, 300, 900, 3_600, 14_400, 86_400, 7 * 86_400)


def of_day(second: int) -> str:
    """34200 as 09:30."""
    return f"{second // 3600:02d}:{second % 3600 // 60:02d}"


def queue_tables(found: Queue) -> list[Table]:
    """The whole, the course of waiting, and the intervals of the day; the last has the most numbers."""
    whole, within = found.whole, clock_time(found.seconds)
    levels = [
        (one.treatment, TREATMENTS[one.treatment], one.n, _share(one.share), _bounds(one.low, one.high))
        for one in whole.levels
    ]
    came = (
        ("came", whole.came, ""),
        ("served", whole.served, percent(whole.served / whole.came)),
        ("left before they were served", whole.left, percent(whole.left / whole.came)),
        ("still waiting", whole.came - whole.served - whole.left, ""),
        ("of these for less than the time, and so not judged", whole.too_recent, ""),
        ("mean patience (Erlang A), hours:minutes:seconds", _patience(found), ""),
    )
    half = quantile(found.incidence, 0.5)
    course = [(clock_time(second), *map(percent, found.incidence.at(second))) for second in _SHOWN]
    note = (
        f"Half of all who come are served within {clock_time(half)}."
        if half < 1e15
        else "Half of all who come are never served, as the record stands."
    )
    return [
        Table("Who came", ("what became of them", "cases", "share"), came),
        Table(f"Served within {within}", ("who left", "the share is", "n", "share", "95% interval"), tuple(levels)),
        Table("By time waited", ("waited", "served", "left", "still waiting"), tuple(course), note),
        _intervals(found),
    ]


def _intervals(found: Queue) -> Table:
    columns = ("from", "came", "served", "left", *(f"in time, {one}" for one in TREATMENTS), "mean wait so far")
    lines = [
        (of_day(one.start), one.came, one.served, one.left, *(_share(level.share) for level in one.levels), _wait(one))
        for one in found.intervals
    ]
    return Table(f"By time of day ({found.zone}), served within {clock_time(found.seconds)}", columns, tuple(lines))


def _wait(one: Interval) -> str:
    return clock_time(one.waited / one.came)


def _patience(found: Queue) -> str:
    return str(found.patience) if isinstance(found.patience, NotComputed) else clock_time(found.patience)


def _share(value: float | NotComputed) -> str:
    return value.reason if isinstance(value, NotComputed) else percent(value)


def _bounds(low: float | NotComputed, high: float | NotComputed) -> str:
    if isinstance(low, NotComputed) or isinstance(high, NotComputed):
        return ""
    return f"{percent(low)} to {percent(high)}"


def staffing_table(lines: Sequence[Staffing], share: float, given: bool) -> Table:
    """What happened, what the formula says, and what the goal takes, by time of day."""
    as_if = "with the servers given" if given else "as if served by"
    columns = (
        "from", "came an hour", "in time", "left", "mean wait",
        as_if, "in time by the formula", "left by the formula", "mean wait by the formula",
        f"needed for {percent(share, 0)}", "busy then",
    )  # fmt: skip
    rows = []
    for one in lines:
        happened = (
            of_day(one.start),
            round(one.an_hour, 2),
            percent(one.in_time),
            percent(one.left),
            clock_time(one.mean_wait),
        )
        rows.append((*happened, *_formula(one.as_if), *_wanted(one.wanted)))
    note = (
        "The formula is Erlang A where people leave, Erlang C where nobody does. Where what it says of leaving and waiting is far "
        "from what happened, the hours do not behave as it assumes, and the number needed is no better."
    )
    return Table("What it would take", columns, tuple(rows), note)


def _formula(one: Expected | NotComputed) -> tuple[object, ...]:
    if isinstance(one, NotComputed):
        return (one.reason, "", "", "")
    wait = clock_time(one.mean_wait) if one.mean_wait < 1e15 else "without end"
    return (one.servers, percent(one.in_time), percent(one.left), wait)


def _wanted(one: Expected | NotComputed) -> tuple[object, ...]:
    return (one.reason, "") if isinstance(one, NotComputed) else (one.servers, percent(one.busy))

"""The chain as tables that every format shows alike."""

from __future__ import annotations

from wellserved.chain import Chain, Edge, Upstream
from wellserved.measure.words import number, percent
from wellserved.moments import NotComputed
from wellserved.render.clocks import clock_time
from wellserved.report import Table


def chain_tables(found: Chain) -> list[Table]:
    """Upstream causes, where time lies, time to each hand-over, and every edge."""
    upstream = [
        (
            one.supplier,
            one.passed,
            one.failed,
            round(one.expected, 1),
            f"{one.ratio:.2f}",
            f"{one.low:.2f} to {one.high:.2f}",
            _weight(one),
        )
        for one in found.upstream
    ]
    columns = (
        "team upstream",
        "cases passed on",
        "failed",
        "expected",
        "times as often",
        "95% interval",
        "beyond chance",
    )
    note = (
        "Failed: returned, reopened, complained of, or recorded as a failure. Expected: had these cases failed like other teams' "
        "cases passed to the same team for the same service. First stands who has most failures beyond that, at the least. The last column allows for as many comparisons as there are lines. It says where to look, not why."
    )
    places = [
        (
            one.team,
            one.stays,
            *(round(seconds / 86_400, 1) for seconds in (one.untouched, one.in_hand, one.paused, one.held)),
            percent(one.untouched / whole),
        )
        for one in found.places
        if (whole := max(sum(part.untouched + part.in_hand + part.paused + part.held for part in found.places), 1))
    ]
    lies = (
        "team",
        "stays",
        "untouched",
        "in hand",
        "waits for the customer",
        "for a third party",
        "untouched, of all time",
    )
    steps = [(one.number, one.cases, clock_time(one.since_asked), clock_time(one.since_last)) for one in found.steps]
    return [
        Table("Whose cases fail downstream", columns, tuple(upstream), note),
        Table(
            "Where the time lies (days, all cases together, open ones so far)",
            lies,
            tuple(places),
            "In hand: from the team's first act on, an upper bound of the time of touch.",
        ),
        Table(
            "Time to each hand-over",
            ("hand-over", "cases", "median since the first ask", "since the one before"),
            tuple(steps),
        ),
        Table("Who hands over to whom", _EDGE, tuple(map(_edge, found.edges))),
    ]


_EDGE = (
    "supplier", "customer team", "hand-overs", "untouched, median", "95% interval", "sent back", "failed later",
    "rates its supplier", "is rated by it",
)  # fmt: skip


def _edge(one: Edge) -> tuple[object, ...]:
    return (
        one.supplier, one.customer, one.handovers, _time(one.untouched), "" if isinstance(one.low, NotComputed) else f"{_time(one.low)} to {_time(one.high)}",
        percent(one.sent_back / one.handovers), percent(one.failed / one.handovers), _rated(one.rates_supplier), _rated(one.rates_customer),
    )  # fmt: skip


def _time(seconds: float | NotComputed) -> str:
    return seconds.reason if isinstance(seconds, NotComputed) else clock_time(seconds)


def _rated(found: tuple[int, float] | None) -> str:
    return f"{number(found[1])} (n = {number(found[0])})" if found else "not rated"


def _weight(one: Upstream) -> str:
    if not one.differs:
        return "no more than chance gives"
    return "more often than others" if one.ratio > 1 else "less often than others"

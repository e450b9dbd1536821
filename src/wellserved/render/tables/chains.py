"""The chain as tables that every format shows alike."""

from __future__ import annotations

from wellserved.explore.chain import Chain, Edge, Upstream
from wellserved.moments import NotComputable
from wellserved.render.tables.clocks import format_duration
from wellserved.report import Table
from wellserved.wording import format_number, format_percent


def chain_tables(chain: Chain) -> list[Table]:
    """Upstream causes, where time lies, time to each hand-over, and every edge."""
    step_rows = (
        (step.number, step.cases, format_duration(step.since_asked), format_duration(step.since_last))
        for step in chain.steps
    )
    return [
        _upstream_table(chain),
        _team_time_table(chain),
        Table(
            "Time to each hand-over",
            ("hand-over", "cases", "median since the first ask", "since the one before"),
            tuple(step_rows),
        ),
        Table("Who hands over to whom", _EDGE_COLUMNS, tuple(map(_edge_cells, chain.edges))),
    ]


def _upstream_table(chain: Chain) -> Table:
    rows = tuple(
        (
            supplier.supplier,
            supplier.passed_cases,
            supplier.failed_cases,
            round(supplier.expected, 1),
            f"{supplier.ratio:.2f}",
            f"{supplier.low:.2f} to {supplier.high:.2f}",
            _significance(supplier),
        )
        for supplier in chain.upstream
    )
    columns = (
        "team upstream", "cases passed on", "failed", "expected", "times as often", "95% interval", "beyond chance",
    )  # fmt: skip
    note = (
        "Failed: returned, reopened, complained of, or recorded as a failure. Expected: had these cases failed like other teams' "
        "cases passed to the same team for the same service. First stands who has most failures beyond that, at the least. The last column allows for as many comparisons as there are lines. It says where to look, not why."
    )
    return Table("Whose cases fail downstream", columns, rows, note)


def _team_time_table(chain: Chain) -> Table:
    """Days by team and state; the last column is the part of all time that cases lay untouched there."""
    seconds = [(team.untouched, team.in_hand, team.paused, team.held) for team in chain.team_times]
    total = max(sum(map(sum, seconds)), 1)
    rows = tuple(
        (team.team, team.stays, *(round(value / 86_400, 1) for value in by_state), format_percent(by_state[0] / total))
        for team, by_state in zip(chain.team_times, seconds, strict=True)
    )
    columns = (
        "team", "stays", "untouched", "in hand", "waits for the customer", "for a third party", "untouched, of all time",
    )  # fmt: skip
    return Table(
        "Where the time lies (days, all cases together, open ones so far)",
        columns,
        rows,
        "In hand: from the team's first act on, an upper bound of the time of touch.",
    )


_EDGE_COLUMNS = (
    "supplier", "customer team", "hand-overs", "untouched, median", "95% interval", "sent back", "failed later",
    "rates its supplier", "is rated by it",
)  # fmt: skip


def _edge_cells(edge: Edge) -> tuple[object, ...]:
    return (
        edge.supplier, edge.customer, edge.handovers, _time_text(edge.untouched_median), "" if isinstance(edge.low, NotComputable) else f"{_time_text(edge.low)} to {_time_text(edge.high)}",
        format_percent(edge.sent_back / edge.handovers), format_percent(edge.failed_handovers / edge.handovers), _rating_text(edge.rates_supplier), _rating_text(edge.rates_customer),
    )  # fmt: skip


def _time_text(seconds: float | NotComputable) -> str:
    return seconds.reason if isinstance(seconds, NotComputable) else format_duration(seconds)


def _rating_text(rating: tuple[int, float] | None) -> str:
    return f"{format_number(rating[1])} (n = {format_number(rating[0])})" if rating else "not rated"


def _significance(upstream: Upstream) -> str:
    if not upstream.differs:
        return "no more than chance gives"
    return "more often than others" if upstream.ratio > 1 else "less often than others"

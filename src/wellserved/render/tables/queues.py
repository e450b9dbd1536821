"""Queues as tables that every format shows alike."""

from __future__ import annotations

from collections.abc import Sequence

from wellserved.moments import NotComputable
from wellserved.queueing import TREATMENTS, DayInterval, Queue
from wellserved.queueing.erlang import QueueForecast
from wellserved.queueing.incidence import served_quantile
from wellserved.queueing.staffing import Staffing
from wellserved.render.tables.clocks import format_duration
from wellserved.report import Table
from wellserved.wording import format_percent

_SHOWN_SECONDS = (0, 20, 60, 300, 900, 3_600, 14_400, 86_400, 7 * 86_400)


def format_time_of_day(second: int) -> str:
    """34200 as 09:30."""
    return f"{second // 3600:02d}:{second % 3600 // 60:02d}"


def queue_tables(queue: Queue) -> list[Table]:
    """The whole, the course of waiting, and the intervals of the day; the last has the most numbers."""
    overall, limit_text = queue.overall, format_duration(queue.seconds)
    levels = [
        (level.treatment, TREATMENTS[level.treatment], level.n, _share(level.share), _bounds(level.low, level.high))
        for level in overall.levels
    ]
    outcome_rows = (
        ("came", overall.arrivals, ""),
        ("served", overall.served_count, format_percent(overall.served_count / overall.arrivals)),
        ("left before they were served", overall.left_count, format_percent(overall.left_count / overall.arrivals)),
        ("still waiting", overall.arrivals - overall.served_count - overall.left_count, ""),
        ("of these for less than the time, and so not judged", overall.too_recent, ""),
        ("mean patience (Erlang A), hours:minutes:seconds", _patience(queue), ""),
    )
    median_wait = served_quantile(queue.incidence, 0.5)
    time_rows = [
        (format_duration(second), *map(format_percent, queue.incidence.shares_at(second))) for second in _SHOWN_SECONDS
    ]
    note = (
        f"Half of all who come are served within {format_duration(median_wait)}."
        if median_wait < 1e15
        else "Half of all who come are never served, as the record stands."
    )
    return [
        Table("Who came", ("what became of them", "cases", "share"), outcome_rows),
        Table(f"Served within {limit_text}", ("who left", "the share is", "n", "share", "95% interval"), tuple(levels)),
        Table("By time waited", ("waited", "served", "left", "still waiting"), tuple(time_rows), note),
        _interval_table(queue),
    ]


def _interval_table(queue: Queue) -> Table:
    columns = (
        "from",
        "came",
        "served",
        "left",
        *(f"in time, {treatment}" for treatment in TREATMENTS),
        "mean wait so far",
    )
    lines = [
        (
            format_time_of_day(interval.start),
            interval.arrivals,
            interval.served_count,
            interval.left_count,
            *(_share(level.share) for level in interval.levels),
            _wait(interval),
        )
        for interval in queue.intervals
    ]
    return Table(
        f"By time of day ({queue.zone}), served within {format_duration(queue.seconds)}", columns, tuple(lines)
    )


def _wait(interval: DayInterval) -> str:
    return format_duration(interval.total_wait / interval.arrivals)


def _patience(queue: Queue) -> str:
    return str(queue.patience) if isinstance(queue.patience, NotComputable) else format_duration(queue.patience)


def _share(value: float | NotComputable) -> str:
    return value.reason if isinstance(value, NotComputable) else format_percent(value)


def _bounds(low: float | NotComputable, high: float | NotComputable) -> str:
    if isinstance(low, NotComputable) or isinstance(high, NotComputable):
        return ""
    return f"{format_percent(low)} to {format_percent(high)}"


def staffing_table(slots: Sequence[Staffing], share: float, has_given_servers: bool) -> Table:
    """What happened, what the formula says, and what the goal takes, by time of day."""
    server_column = "with the servers given" if has_given_servers else "as if served by"
    columns = (
        "from", "came an hour", "in time", "left", "mean wait",
        server_column, "in time by the formula", "left by the formula", "mean wait by the formula",
        f"needed for {format_percent(share, 0)}", "busy then",
    )  # fmt: skip
    rows = []
    for slot in slots:
        observed_cells = (
            format_time_of_day(slot.start),
            round(slot.arrivals_per_hour, 2),
            format_percent(slot.in_time_share),
            format_percent(slot.left_share),
            format_duration(slot.mean_wait),
        )
        rows.append((*observed_cells, *_forecast_cells(slot.forecast), *_required_cells(slot.required)))
    note = (
        "The formula is Erlang A where people leave, Erlang C where nobody does. Where what it says of leaving and waiting is far "
        "from what happened, the hours do not behave as it assumes, and the number needed is no better."
    )
    return Table("What it would take", columns, tuple(rows), note)


def _forecast_cells(forecast: QueueForecast | NotComputable) -> tuple[object, ...]:
    if isinstance(forecast, NotComputable):
        return (forecast.reason, "", "", "")
    wait = format_duration(forecast.mean_wait) if forecast.mean_wait < 1e15 else "without end"
    return (forecast.servers, format_percent(forecast.in_time_share), format_percent(forecast.left_share), wait)


def _required_cells(forecast: QueueForecast | NotComputable) -> tuple[object, ...]:
    return (
        (forecast.reason, "")
        if isinstance(forecast, NotComputable)
        else (forecast.servers, format_percent(forecast.occupancy))
    )

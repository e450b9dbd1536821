"""What it would take, by interval of the day, and whether the formula fits what happened."""

from __future__ import annotations

from dataclasses import dataclass

from wellserved.errors import RequestError
from wellserved.moments import NotComputable
from wellserved.queueing import DayInterval, Queue
from wellserved.queueing.erlang import QueueForecast, erlang_a, erlang_c, fewest_servers
from wellserved.wording import plural

FEWEST_INTERVAL_CASES = 30  # cases in an interval of the day, below which its rate says little


@dataclass(frozen=True)
class Staffing:
    """One interval of the day: what happened, what so many servers would give, and how many are needed."""

    start: int  # seconds from midnight
    arrivals_per_hour: float  # people who came, mean of all days
    in_time_share: float  # share served within the time, left counted against
    left_share: float  # share who left
    mean_wait: float  # seconds, of all who came, so far
    forecast: QueueForecast | NotComputable  # with the servers given, or with as many as come closest to what happened
    required: QueueForecast | NotComputable  # the fewest that reach the goal


def staffing(
    queue: Queue, slot: int, handling: float, share: float, servers: int | None = None, patience: float | None = None
) -> list[Staffing]:
    """By interval of the day; handling: mean seconds of work a case; share: the goal of service within the time.

    patience: mean seconds until one leaves; otherwise as found, or nobody leaves (Erlang C) where nobody did.
    """
    if handling <= 0 or not 0 < share < 1 or (servers is not None and servers < 1):
        raise RequestError(
            "The handling time must be above 0 and the goal between 0 and 1.", "Change --handling or --goal."
        )
    if patience is None and isinstance(queue.patience, float):
        patience = queue.patience
    return [
        _interval_staffing(interval, slot, handling, share, servers, patience, queue.seconds)
        for interval in queue.intervals
    ]


def _interval_staffing(
    interval: DayInterval,
    slot: int,
    handling: float,
    share: float,
    servers: int | None,
    patience: float | None,
    seconds: int,
) -> Staffing:
    came = max(interval.arrivals - interval.too_recent, 0)
    # the day's last interval may be shorter
    rate = interval.arrivals / (interval.days * min(slot, 86_400 - interval.start))
    observed = interval.in_time_count / came if came else 0.0
    forecast: QueueForecast | NotComputable = NotComputable(
        f"only {plural(came, 'case')}; at least {FEWEST_INTERVAL_CASES} are needed"
    )
    required = forecast
    if came >= FEWEST_INTERVAL_CASES:
        required = fewest_servers(rate, handling, patience, seconds, share)
        forecast = (
            _forecast(rate, handling, patience, servers, seconds)
            if servers
            else _closest_forecast(rate, handling, patience, seconds, observed)
        )
    return Staffing(
        interval.start,
        rate * 3_600,
        observed,
        interval.left_count / max(interval.arrivals, 1),
        interval.total_wait / max(interval.arrivals, 1),
        forecast,
        required,
    )


def _forecast(rate: float, handling: float, patience: float | None, servers: int, seconds: float) -> QueueForecast:
    if patience is None:
        return erlang_c(rate, handling, servers, seconds)
    return erlang_a(rate, handling, patience, servers, seconds)


def _closest_forecast(
    rate: float, handling: float, patience: float | None, seconds: float, observed: float
) -> QueueForecast:
    """The number of servers whose service within the time comes closest to what was observed."""
    above = fewest_servers(rate, handling, patience, seconds, min(max(observed, 1e-6), 1 - 1e-6))
    below = _forecast(rate, handling, patience, above.servers - 1, seconds) if above.servers > 1 else above
    return min((above, below), key=lambda forecast: abs(forecast.in_time_share - observed))

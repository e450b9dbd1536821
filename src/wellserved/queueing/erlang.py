"""How many must be there: Erlang's delay system, without leaving (C) and with (A).

Both assume that people come at random at a steady rate, that handling times vary about exponentially, and first
come, first served; Erlang A adds that people leave after an exponential patience. Not for hours in which the
rate changes fast, or for work that can wait till tomorrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from scipy import integrate

from wellserved.errors import RequestError

MAX_SERVERS = 20_000  # servers


@dataclass(frozen=True)
class QueueForecast:
    """What a queue does in the long run."""

    servers: int
    wait_share: float  # share who wait at all
    in_time_share: float  # share of all who come that is served within the time
    left_share: float  # share who leave
    mean_wait: float  # seconds, of all who come
    occupancy: float  # share of the servers' time


def erlang_b(load: float, servers: int) -> float:
    """Share of calls lost where nobody can wait. A. K. Erlang 1917; recursion in the number of servers."""
    inverse = 1.0
    for count in range(1, servers + 1):
        inverse = 1.0 + inverse * count / load
        if inverse > 1e300:
            return 0.0
    return 1.0 / inverse


def erlang_c(rate: float, handling: float, servers: int, seconds: float) -> QueueForecast:
    """rate: people a second; handling: mean seconds; nobody leaves. Endless where they are not enough.

    Cooper, Introduction to Queueing Theory (1981), section 3.7.
    """
    load = rate * handling
    if servers <= load:
        return QueueForecast(servers, 1.0, 0.0, 0.0, math.inf, 1.0)
    blocking_share = erlang_b(load, servers)
    wait = blocking_share / (1 - load / servers * (1 - blocking_share))
    late_share = wait * math.exp(-(servers - load) * seconds / handling)
    return QueueForecast(servers, wait, 1 - late_share, 0.0, wait * handling / (servers - load), load / servers)


def erlang_a(rate: float, handling: float, patience: float, servers: int, seconds: float) -> QueueForecast:
    """rate: people a second; handling and patience: mean seconds.

    Mandelbaum and Zeltyn, Service engineering in action: the Palm/Erlang-A queue (2007), section 4, building
    blocks J and epsilon; the offered wait V has the density exp(rate*H(x) - servers*x/handling) rate/(eps + rate*J).
    """
    leave_rate, service_rate = 1 / patience, servers / handling
    blocking_share = erlang_b(rate * handling, servers - 1) if servers else 1.0
    if servers == 0:
        return QueueForecast(0, 1.0, 0.0, 1.0, patience, 0.0)
    # where the density is highest
    top = max(math.log(rate / service_rate) / leave_rate, 0.0) if rate > service_rate else 0.0

    def weight(x: float) -> float:
        return rate / leave_rate * -math.expm1(-leave_rate * x) - service_rate * x

    peak = weight(top)

    def integral(start: float, stays: bool) -> float:
        # The weight changes on three scales: around its top, where servers catch up, and in the tail.
        scales = [
            1 / math.sqrt(leave_rate * service_rate),
            1 / service_rate,
            *([1 / abs(service_rate - rate)] if service_rate != rate else []),
        ]
        steps = [sign * scale * factor for scale in scales for factor in (0.1, 1, 8, 64) for sign in (-1, 1)]
        edges = [start, *sorted({top + step for step in steps if top + step > start})]
        ranges = [*pairwise(edges), (edges[-1], math.inf)]
        integrals = (
            integrate.quad(lambda x: math.exp(weight(x) - peak - (leave_rate * x if stays else 0.0)), a, b, limit=200)
            for a, b in ranges
        )
        return float(sum(result[0] for result in integrals))

    # epsilon = 1 / B(servers - 1)
    scaled_epsilon = math.exp(-peak) / blocking_share if blocking_share and -peak < 700 else math.inf
    j = integral(0.0, False)
    normalisation = scaled_epsilon + rate * j
    if math.isinf(normalisation):
        return QueueForecast(servers, 0.0, 1.0, 0.0, 0.0, rate * handling / servers)
    left_share = max((math.exp(-peak) + (rate - service_rate) * j) / normalisation, 0.0)
    late_share = rate * integral(seconds, True) / normalisation
    occupancy = rate * (1 - left_share) * handling / servers
    return QueueForecast(
        servers,
        rate * j / normalisation,
        max(1 - left_share - late_share, 0.0),
        left_share,
        left_share * patience,
        occupancy,
    )


def fewest_servers(rate: float, handling: float, patience: float | None, seconds: float, share: float) -> QueueForecast:
    """The fewest servers with which the share is served within the time; without patience nobody leaves."""
    if not 0 < share < 1 or rate <= 0 or handling <= 0 or (patience is not None and patience <= 0):
        raise RequestError(
            "Rate, handling time and patience must be above 0, and the share between 0 and 1.", "Change them."
        )

    def forecast(servers: int) -> QueueForecast:
        if patience is None:
            return erlang_c(rate, handling, servers, seconds)
        return erlang_a(rate, handling, patience, servers, seconds)

    low, high = 0, max(math.ceil(rate * handling), 1)
    while forecast(high).in_time_share < share:
        low, high = high, high * 2
        if high > MAX_SERVERS:
            raise RequestError(
                f"More than {MAX_SERVERS:,} would be needed.", "Check the handling time: it is in seconds."
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if forecast(middle).in_time_share >= share else (middle, high)
    return forecast(high)

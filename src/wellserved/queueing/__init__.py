"""Queues: who is served, who leaves, who waits; how many within a time; and what it would take.

Who left was not served: a wait that ends in leaving is a competing end, neither served nor still waiting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import CaseTable, fill_sql, filter_sql, period_sql
from wellserved.measure.interval import wilson_interval
from wellserved.moments import NotComputable
from wellserved.queueing.incidence import Incidence, incidence
from wellserved.wording import plural

__all__ = [
    "OUTCOME_LEFT",
    "OUTCOME_SERVED",
    "OUTCOME_WAITING",
    "TREATMENTS",
    "DayInterval",
    "Queue",
    "ServiceLevel",
    "analyse_queue",
]

OUTCOME_WAITING, OUTCOME_SERVED, OUTCOME_LEFT = 0, 1, 2
FEWEST_CASES = 10
TREATMENTS: Final[dict[str, str]] = {
    "left count against": "served within the time / all who came",
    "quick leavers left out": "served within the time / all who came, less those who left within the time",
    "leavers left out": "served within the time / all who were served",
}
"""The three usual ways to treat those who left. The first cannot be improved by making people leave."""


@dataclass(frozen=True)
class ServiceLevel:
    """The share served within the time, by one treatment of those who left."""

    treatment: str
    n: int
    share: float | NotComputable
    low: float | NotComputable  # 95% interval, Wilson
    high: float | NotComputable


@dataclass(frozen=True)
class DayInterval:
    """One interval of the day, over all days; local time."""

    start: int  # seconds from midnight
    arrivals: int
    served_count: int
    left_count: int
    too_recent: int  # still waiting for less than the time: not known yet
    levels: tuple[ServiceLevel, ...]
    total_wait: int  # seconds, all waits together, so far
    in_time_count: int  # served within the time
    days: int  # days on which anybody came at any time of day


@dataclass(frozen=True)
class Queue:
    """What happened to those who came."""

    seconds: int  # the time within which they should be served
    overall: DayInterval
    intervals: tuple[DayInterval, ...]
    incidence: Incidence  # share served, left and waiting by time waited
    patience: float | NotComputable  # mean seconds until one leaves, if nobody were served
    zone: str


_ENDS = "CASE WHEN reply_secs IS NULL THEN resolution_secs WHEN resolution_secs IS NULL THEN reply_secs ELSE LEAST(reply_secs, resolution_secs) END"


def analyse_queue(case_table: CaseTable, question: MeasureQuestion, seconds: int, slot: int) -> Queue:
    """What became of those who asked in the question's span: the whole, and by interval of the day (`slot` seconds).

    Served: a person replied, or resolved without a reply. Left: abandoned before that.
    """
    if seconds < 0 or not 60 <= slot <= 86_400:
        raise RequestError(
            "The time cannot be negative, and an interval lasts a minute to a day.", "Change --within or --slot."
        )
    slots, waits, ends = _fetch_waits(case_table, question, slot)
    if not len(waits):
        raise RequestError("No case has a wait that began in this span.", "Widen --since and --until, or --where.")
    days = _days(case_table, question)
    overall = _interval(0, waits, ends, seconds, days)
    order = np.argsort(slots, kind="stable")
    edges = np.flatnonzero(np.append(True, np.diff(slots[order]) != 0))
    intervals = tuple(
        _interval(int(slots[group[0]]) * slot, waits[group], ends[group], seconds, days)
        for group in np.split(order, edges[1:])
    )
    return Queue(seconds, overall, intervals, incidence(waits, ends), _patience(overall), case_table.zone)


def _patience(overall: DayInterval) -> float | NotComputable:
    """All time waited, by the number who left: the mean of an exponential patience, most of it not seen to its end."""
    if overall.left_count < FEWEST_CASES:
        return NotComputable(f"only {overall.left_count} left; at least {FEWEST_CASES} are needed")
    return (
        overall.total_wait / overall.left_count
        if overall.total_wait
        else NotComputable("the record shows no time between coming and leaving")
    )


Ints = npt.NDArray[np.int64]


def _fetch_waits(case_table: CaseTable, question: MeasureQuestion, slot: int) -> tuple[Ints, Ints, Ints]:
    """Interval of the day, seconds waited, and how it ended, of each case."""
    where, parameters = filter_sql(case_table, question)
    as_of = fill_sql("{as_of}", case_table)
    sql = (
        f"SELECT asked_time, CASE WHEN abandoned = 1 AND full_secs >= 0 AND (served IS NULL OR full_secs < served) "
        f"THEN full_secs * 3 + {OUTCOME_LEFT} WHEN served >= 0 THEN served * 3 + {OUTCOME_SERVED} "
        f"WHEN served IS NULL AND closed = 0 THEN ({as_of} - asked_s) * 3 END AS coded "
        f"FROM (SELECT *, {_ENDS} AS served FROM {case_table.table}) AS waits WHERE {where} AND {period_sql(question, 'asked')}"
    )
    batches: list[tuple[Ints, Ints]] = []
    for batch in case_table.engine.stream(sql, parameters):
        valid_rows = batch.filter(batch["coded"].is_valid())
        batches.append(
            (valid_rows["asked_time"].to_numpy().astype(np.int64), valid_rows["coded"].to_numpy().astype(np.int64))
        )
    empty = np.empty(0, np.int64)
    times, packed_waits = (
        (np.concatenate([empty, *column]) for column in zip(*batches, strict=True)) if batches else (empty, empty)
    )
    keep = packed_waits >= 0
    return times[keep] // slot, packed_waits[keep] // 3, packed_waits[keep] % 3


def _days(case_table: CaseTable, question: MeasureQuestion) -> int:
    where, parameters = filter_sql(case_table, question)
    sql = f"SELECT COUNT(*) AS n FROM (SELECT DISTINCT asked_day FROM {case_table.table} WHERE {where} AND {period_sql(question, 'asked')}) AS days"
    return int(case_table.engine.query(sql, parameters)["n"][0].as_py())


def _interval(start: int, waits: Ints, ends: Ints, seconds: int, days: int) -> DayInterval:
    is_served, has_left = ends == OUTCOME_SERVED, ends == OUTCOME_LEFT
    is_recent = (ends == OUTCOME_WAITING) & (waits <= seconds)
    in_time = int(np.count_nonzero(is_served & (waits <= seconds)))
    came = len(waits) - int(np.count_nonzero(is_recent))
    denominators: Mapping[str, int] = {
        "left count against": came,
        "quick leavers left out": came - int(np.count_nonzero(has_left & (waits <= seconds))),
        "leavers left out": int(np.count_nonzero(is_served)),
    }
    return DayInterval(
        start=start,
        arrivals=len(waits),
        served_count=int(np.count_nonzero(is_served)),
        left_count=int(np.count_nonzero(has_left)),
        too_recent=int(np.count_nonzero(is_recent)),
        levels=tuple(_levels(in_time, denominators)),
        total_wait=int(waits.sum()),
        in_time_count=in_time,
        days=days,
    )


def _levels(in_time: int, denominators: Mapping[str, int]) -> Iterator[ServiceLevel]:
    for treatment, n in denominators.items():
        if n < FEWEST_CASES:
            too_few = NotComputable(f"only {plural(n, 'case')}; at least {FEWEST_CASES} are needed")
            yield ServiceLevel(treatment, n, too_few, too_few, too_few)
        else:
            yield ServiceLevel(treatment, n, in_time / n, *wilson_interval(in_time, n))

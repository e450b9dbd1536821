"""From cases to a measure by period, every case looked at at the same age.

Young cases look better than old ones: their ratings have not come, nobody has reopened them, the slow ones are still
open. A series over all cases as they stand would show a change where there is none. So each case is folded again from
the moments of its first days alone (its age), and a period counts once all its cases have reached that age. Open cases
are carried, not dropped: a wait that has not ended by that age is known to be longer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from wellserved.calendar import Calendars
from wellserved.cases.fold import FOLDED_FROM, fold
from wellserved.engine.duckdb import DuckDB, name
from wellserved.errors import RequestError
from wellserved.measure import MEASURES, Measure, Question, Scope, answer
from wellserved.measure.ask import fill, filters, within
from wellserved.measure.interval import coded_quantile
from wellserved.measure.waits import sorted_groups
from wellserved.moments import Every, NotComputed, Period, periods_between
from wellserved.prove.response import Observed

DAY = 86_400
STORY = 0.9  # the age at which so many cases have had their last word is the age they are looked at
REFUSED = "the clock of this measure cannot be read at an age"


@dataclass(frozen=True)
class Seen:
    """A measure by period, ready for a verdict."""

    measure: Measure
    observed: Observed
    periods: tuple[Period, ...]
    before: int  # periods before the change; one that holds it counts for neither side
    age_days: int | None  # each case as it stood so many days after its anchor; None: dated numbers, which do not ripen
    unripe: int  # periods after the change that are left out until their cases have reached that age
    reason: str = ""  # why there is no series at all
    counted: Measure | None = None  # of a wait: the share of cases within its level, which stands for it


@dataclass
class Looking:
    """Cases and the moments they come from, looked at before and after a change."""

    scope: Scope
    moments: str  # table of the log
    calendars: Calendars
    change: date
    every: Every
    since: date | None = None
    until: date | None = None
    young: dict[tuple[str, int], Scope] = field(default_factory=dict)  # cases at their age, folded once

    def __post_init__(self) -> None:
        if not isinstance(self.scope.engine, DuckDB):
            raise RequestError("A change is proved on DuckDB alone.", "Unset WELLSERVED_ENGINE for this question.")
        self.db = self.scope.engine.db

    def known_until(self, where: tuple[tuple[str, str], ...]) -> datetime:
        """The instant up to which every source in the question is known, in the workspace's zone."""
        named = [value for column, value in where if column == "source"]
        ends = [end for source, end in self.scope.as_of.items() if not named or source in named]
        return datetime.fromtimestamp(min(ends, default=0), UTC).astimezone(ZoneInfo(self.scope.zone))

    def at_age(self, anchor: str, seconds: int) -> Scope:
        """The cases as each stood so many seconds after its anchor."""
        if (anchor, seconds) not in self.young:
            table = f"young_{anchor}_{seconds}"
            columns = ", ".join(f"m.{name(column)}" for column in FOLDED_FROM)
            self.db.execute(f"""
                CREATE TEMP TABLE {table}_moments AS SELECT {columns} FROM {self.moments} m
                JOIN (SELECT source, case_id, {anchor}_s AS from_s FROM {self.scope.table}) USING (source, case_id)
                WHERE epoch(m."at") <= from_s + {seconds}""")
            folded = fold(self.db, f"{table}_moments", self.scope.zone, self.calendars)
            self.db.execute(f"CREATE TEMP TABLE {table} AS {folded}")
            self.db.execute(f"DROP TABLE {table}_moments")
            self.young[anchor, seconds] = replace(self.scope, table=table, age=(anchor, seconds))
        return self.young[anchor, seconds]


def observe(
    looking: Looking, measure: Measure, where: tuple[tuple[str, str], ...], age_days: int | None = None
) -> Seen:
    """One measure of some of the cases, before and after the change.

    Shares, means and waits are taken at an age: the one given, or the one at which nine in ten cases of the time
    before the change had had their last word (a wait: at which it had nearly always ended), but never more than half
    of the time since the change.
    """
    question = Question((measure,), None, looking.every, looking.since, looking.until, where)
    if measure.name == "promise_running":
        return _nothing(looking, measure, "it speaks of today alone")
    if measure.kind in ("count", "stock", "stock_age"):
        return _dated(looking, measure, question)
    if "{as_of_bus}" in measure.event + measure.population:
        return _nothing(looking, measure, REFUSED)
    days = age_days or _age(looking, measure, question)
    if days is None:
        return _nothing(looking, measure, "less than two days have passed since the change")
    scope = looking.at_age(measure.anchor, days * DAY)
    if measure.kind == "wait":
        return _waits(looking, scope, measure, question, days)
    return _shares(looking, scope, measure, question, days)


def _nothing(looking: Looking, measure: Measure, reason: str) -> Seen:
    none = np.array([])
    return Seen(measure, Observed("plain", none, none), (), 0, None, 0, reason)


def _age(looking: Looking, measure: Measure, question: Question) -> int | None:
    """Days after its anchor at which a case is looked at; None: the change is too recent for any."""
    most = int((looking.known_until(question.where).date() - looking.change).days / 2)
    if most < 1:
        return None
    scope, anchor = looking.scope, f"{measure.anchor}_s"
    past = replace(question, until=looking.change)
    where, values = filters(scope, past)
    if measure.kind == "wait":
        twin = next((one for one in MEASURES if one.name == measure.name.removeprefix("business_")), measure)
        coded = f"CASE WHEN {twin.event} THEN {twin.value} * 2 WHEN {twin.waiting} THEN ({{as_of}} - {twin.since}) * 2 + 1 END"
        share = (1 + twin.quantile) / 2
    else:
        coded = f"CASE WHEN closed = 1 THEN GREATEST(last_s - {anchor}, 0) * 2 ELSE GREATEST({{as_of}} - {anchor}, 0) * 2 + 1 END"
        share = STORY
    sql = f"SELECT 0 AS period, CAST(NULL AS VARCHAR) AS segment, {fill(coded, scope)} AS coded FROM {scope.table} WHERE {where} AND {within(past, measure.anchor)}"
    for _, waits in sorted_groups(scope.engine.stream(sql, values)):
        seconds = coded_quantile(waits, share)[0]
        if math.isfinite(seconds):
            return min(max(math.ceil(seconds / DAY), 1), most)
    return min(30, most)


def _dated(looking: Looking, measure: Measure, question: Question) -> Seen:
    """Counts of dated events and stocks at a period's end, which later moments do not change."""
    series = answer(looking.scope, replace(question, measures=(replace(measure, minimum_n=0),)))[measure.name]
    ends = looking.known_until(question.where).date()
    rows = {period.start: place for place, period in enumerate(series.periods) if period and series.over[place]}

    def number(place: int) -> tuple[float, float]:
        period, value = series.periods[place], series.value[place]
        assert period is not None
        if measure.kind == "count":
            return float(series.n[place]), float((period.end - period.start).days)
        return (math.nan, 0.0) if isinstance(value, NotComputed) else (float(value), 1.0)

    family = "count" if measure.kind == "count" else "plain"
    return _laid_out(looking, question, {start: number(place) for start, place in rows.items()}, ends, None, family)


def _shares(looking: Looking, scope: Scope, measure: Measure, question: Question, days: int, family: Any = "") -> Seen:
    """Shares and means of cases at their age."""
    least = 2 if measure.kind == "mean" else 1
    series = answer(scope, replace(question, measures=(replace(measure, minimum_n=least),)))[measure.name]
    found: dict[date, tuple[float, float]] = {}
    reason = ""
    for place, period in enumerate(series.periods):
        value, n = series.value[place], float(series.n[place])
        if isinstance(value, NotComputed):
            reason = value.reason
        elif period is not None:
            found[period.start] = (value * n if measure.kind == "mean" else float(series.count[place] or 0), n)
    if not found:
        return _nothing(looking, measure, reason or "no cases")
    ripe = (looking.known_until(question.where) - timedelta(days=days)).date()
    family = family or ("mean" if measure.kind == "mean" else "rate")
    return _laid_out(looking, replace(question, measures=(measure,)), found, ripe, days, family)


def _waits(looking: Looking, scope: Scope, measure: Measure, question: Question, days: int) -> Seen:
    """A wait's quantile, by the share of each period's cases whose wait had ended within what it was before."""
    past = replace(question, until=looking.change)
    where, values = filters(scope, past)
    coded = f"CASE WHEN {measure.event} THEN {measure.value} * 2 WHEN {measure.waiting} THEN 1 END"
    sql = (
        f"SELECT 0 AS period, CAST(NULL AS VARCHAR) AS segment, {fill(coded, scope)} AS coded "
        f"FROM {scope.table} WHERE {where} AND {within(past, measure.anchor)}"
    )
    found = scope.engine.by_group(sql, values, partial(reduce_level, measure.quantile)).to_pylist()
    if not found:
        return _nothing(looking, measure, f"the record holds no {measure.lacking or 'such waits'} before the change")
    level, density = found[0]["level"], found[0]["density"]
    if level is None:
        return _nothing(
            looking,
            measure,
            f"{measure.quantile:.0%} are not reached {days} days after the first ask; look later, or give a longer --age",
        )
    if level <= 0 or density is None:
        return _nothing(looking, measure, "most of these waits take no time at all")
    share = Measure(
        measure.name, measure.version, measure.question, "share", "share", measure.better, measure.anchor,
        f"({measure.event}) OR ({measure.waiting})", measure.counted, measure.formula,
        event=f"({measure.event}) AND {measure.value} <= {level}",
    )  # fmt: skip
    seen = _shares(looking, scope, share, question, days, family="quantile")
    observed = replace(seen.observed, level=level / measure.seconds, density=density, quantile=measure.quantile)
    return replace(seen, measure=measure, observed=observed, counted=share)


def reduce_level(quantile: float, batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Per group: the quantile in seconds and the density of the waits' logarithms there; open cases wait longer.

    A Gaussian kernel, bandwidth 1.06·sd·n^(-1/5) (Silverman 1986, equation 3.28).
    """
    rows = []
    for (period, segment), coded in sorted_groups(batches):
        n = len(coded)
        ended = coded[coded & 1 == 0] >> 1
        rank = max(math.ceil(quantile * n - 1e-9), 1)
        level, density = (int(ended[rank - 1]) if rank <= len(ended) else None), None
        logs = np.log(ended[ended > 0])
        if level and len(logs) > 1 and (spread := float(logs.std(ddof=1))) > 0:
            width = 1.06 * spread * len(logs) ** -0.2
            kernel = np.exp(-(((logs - math.log(level)) / width) ** 2) / 2).sum()
            density = float(kernel / (n * width * math.sqrt(2 * math.pi)))
        rows.append((period, segment, n, level, density))
    names = (
        ("period", pa.int64()),
        ("segment", pa.string()),
        ("n", pa.int64()),
        ("level", pa.int64()),
        ("density", pa.float64()),
    )
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pa.table(
        [pa.array(column, kind) for column, (_, kind) in zip(columns, names, strict=True)], pa.schema(names)
    )


def _laid_out(
    looking: Looking,
    question: Question,
    found: dict[date, tuple[float, float]],
    ripe: date,
    days: int | None,
    family: Any,
) -> Seen:
    """Periods without holes from the first whole one to the last whose cases are ripe."""
    (measure,), where = question.measures, question.where
    if not found:
        return _nothing(looking, measure, "no cases")
    first = _first_day(looking, measure, where)
    spans = [
        one
        for one in periods_between(min(found), max(found) + timedelta(days=1), looking.every)
        if one.start >= first and (not looking.until or one.end <= looking.until)
    ]
    kept = [one for one in spans if one.end <= ripe]
    unripe = sum(one.end > max(ripe, looking.change) for one in spans)
    empty = (0.0, 0.0) if family != "count" else (0.0, 1.0)
    numbers = [found.get(one.start, empty) for one in kept]
    total, size = (np.array([pair[place] for pair in numbers]) for place in (0, 1))
    holds = np.array([one.start < looking.change < one.end for one in kept], dtype=bool)
    size = np.where(holds, 0.0, size)
    before = sum(one.start < looking.change for one in kept)
    return Seen(measure, Observed(family, total, size), tuple(kept), before, days, unripe)


def _first_day(looking: Looking, measure: Measure, where: tuple[tuple[str, str], ...]) -> date:
    """The first local day of the record, but for the one case in two hundred that may lie far before all others."""
    named = tuple((column, value) for column, value in where if column == "source")
    only, values = filters(looking.scope, Question((measure,), where=named))
    sql = f"SELECT quantile_disc({measure.anchor}_day, 0.005) AS day FROM {looking.scope.table} WHERE {only}"
    day = looking.scope.engine.ask(sql, values)["day"][0].as_py()
    first = date(1970, 1, 1) + timedelta(days=int(day or 0))
    return max(first, looking.since or first)

"""Ask the cases: all measures and periods of a question at once, each number with n and interval.

Shares, counts and means of one anchor come from one pass over the cases, and so do all quantiles of one
wait: they are estimated by Kaplan-Meier from the waits themselves, sorted, as waits.py brings them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from wellserved.calendar import Calendars, Clock, span_of_days
from wellserved.engine import Engine
from wellserved.measure.definition import Measure
from wellserved.measure.interval import garwood, t_mean, wilson
from wellserved.measure.series import Question, Series, Value
from wellserved.measure.waits import NEVER, Key, reduce_waits
from wellserved.measure.words import plural
from wellserved.moments import Every, NotComputed, Period, day_number, day_of, period_of, periods_between


@dataclass(frozen=True)
class Scope:
    """The cases that a question is put to: a table in the engine and what is known about it."""

    engine: Engine
    table: str
    zone: str
    as_of: Mapping[str, int]  # source -> epoch second up to which it is known
    log_version: int
    hours: Mapping[tuple[str, str], int] = field(default_factory=dict)  # source, calendar -> as_of in business seconds
    surveying: tuple[str, ...] = ()  # sources that record who was asked for a rating
    age: tuple[str, int] | None = None  # every case as it stood so many seconds after its anchor; None: as it stands


@dataclass
class _Column:
    """One measure's numbers by period and segment, as they come from the engine."""

    n: dict[Key, int] = field(default_factory=dict)
    count: dict[Key, int] = field(default_factory=dict)
    open: dict[Key, int] = field(default_factory=dict)
    value: dict[Key, tuple[Value, Value, Value]] = field(default_factory=dict)


def answer(scope: Scope, question: Question) -> dict[str, Series]:
    """Every measure of the question, by name."""
    where, values = filters(scope, question)
    latest = max((scope.as_of[source] for source in _sources(scope, where, values)), default=0)
    columns: dict[str, _Column] = {}
    simple = [one for one in question.measures if one.kind in ("count", "share", "mean")]
    for anchor, follows in {(one.anchor, one.follows) for one in simple}:
        same = [one for one in simple if (one.anchor, one.follows) == (anchor, follows)]
        columns |= _aggregate(followed(scope) if follows else scope, question, same, where, values)
    waits: dict[tuple[str, str, str], list[Measure]] = {}
    for one in question.measures:
        if one.kind == "wait":
            waits.setdefault((one.anchor, one.event, one.waiting), []).append(one)
    for wait in waits.values():
        columns |= _waits(scope, question, wait, where, values)
    stocks = [one for one in question.measures if one.kind in ("stock", "stock_age")]
    lacking = _lacking(scope, question.measures, where, values)
    spans = _spans(scope, question, columns, latest, where, values)
    for one in stocks:
        found = _stock if one.kind == "stock" else _stock_age
        columns[one.name] = found(scope, question, one, spans, latest, where, values)
    return {
        one.name: _series(scope, question, one, columns[one.name], spans, latest, lacking.get(one.name))
        for one in question.measures
    }


def followed(scope: Scope) -> Scope:
    """The cases with next_asked_s: when the same customer next asked for the same service."""
    own = "PARTITION BY source, customer_id, service ORDER BY asked_s, case_id"
    return replace(
        scope, table=f"(SELECT *, LEAD(asked_s) OVER ({own}) AS next_asked_s FROM {scope.table}) AS followed"
    )


def filters(scope: Scope, question: Question) -> tuple[str, dict[str, object]]:
    """The question's filters as SQL with bound values; columns were checked against the whitelist."""
    wanted: dict[str, list[str]] = {}
    for column, value in question.where:
        wanted.setdefault(column, []).append(value)
    terms: list[str] = []
    values: dict[str, object] = {}
    for column, options in wanted.items():
        names = []
        for option in options:
            key = f"v{len(values)}"
            values[key] = option
            names.append(f"${key}")
        terms.append(f"CAST({column} AS {scope.engine.string}) IN ({', '.join(names)})")
    return " AND ".join(terms) or "1 = 1", values


def _sources(scope: Scope, where: str, values: Mapping[str, object]) -> list[str]:
    """The sources that the filters leave."""
    if len(scope.as_of) <= 1:
        return list(scope.as_of)
    found = scope.engine.ask(f"SELECT DISTINCT source FROM {scope.table} WHERE {where}", values)
    return [str(one) for one in found["source"].to_pylist()]


def _as_of(scope: Scope) -> str:
    """SQL: the epoch second up to which a case's source is known, or up to which the case is looked at."""
    if scope.age:
        return f"{scope.age[0]}_s + {scope.age[1]}"
    ends = sorted(set(scope.as_of.values()))
    if len(ends) <= 1:
        return str(ends[0] if ends else 0)
    cases = " ".join(f"WHEN {scope.engine.text(source)} THEN {end}" for source, end in sorted(scope.as_of.items()))
    return f"CASE source {cases} ELSE 0 END"


def period_key(anchor: str, every: Every | None) -> str:
    """SQL: the period that a case belongs to, in integers: a day number, or yyyymm."""
    if every is None:
        return "0"
    if every == "day":
        return f"{anchor}_day"
    if every == "week":  # 1970-01-01 was a Thursday; 700003 keeps the remainder positive
        return f"{anchor}_day - (({anchor}_day + 700003) % 7)"
    if every == "month":
        return f"{anchor}_month"
    return f"{anchor}_month - (({anchor}_month % 100 - 1) % 3)"


def _period(key: int, every: Every) -> Period:
    if every in ("day", "week"):
        return period_of(day_of(key), every)
    return period_of(date(key // 100, key % 100, 1), every)


def period_start(key: int, every: Every) -> date:
    """The first day of the period that a key names."""
    return _period(key, every).start


def _key_of(period: Period, every: Every) -> int:
    if every in ("day", "week"):
        return period.first_day
    return period.start.year * 100 + period.start.month


def within(question: Question, anchor: str) -> str:
    """SQL: the anchor's local day lies in the question's span."""
    terms = [f"{anchor}_day >= {day_number(question.since)}"] if question.since else []
    terms += [f"{anchor}_day < {day_number(question.until)}"] if question.until else []
    return " AND ".join(terms) or "1 = 1"


def _by(scope: Scope, question: Question) -> str:
    return question.by if question.by else f"CAST(NULL AS {scope.engine.string})"


def fill(sql: str, scope: Scope) -> str:
    """SQL with {as_of}, {as_of_bus} and {surveyed} put in."""
    sql = sql.replace("{as_of}", f"({_as_of(scope)})").replace("{as_of_bus}", f"({_as_of_bus(scope)})")
    return sql.replace("{surveyed}", _surveyed(scope))


def _surveyed(scope: Scope) -> str:
    """SQL: the customer was asked for a rating, or may have been where the source does not record it."""
    if not scope.surveying:
        return "resolutions > 0"
    listed = ", ".join(map(scope.engine.text, scope.surveying))
    return f"(CASE WHEN source IN ({listed}) THEN surveys > 0 ELSE resolutions > 0 END)"


def _as_of_bus(scope: Scope) -> str:
    """SQL: as_of in the business seconds of the case's calendar."""
    if scope.age:
        return "CAST(NULL AS BIGINT)"  # an age is calendar time
    whens = (
        f"WHEN source = {scope.engine.text(source)} AND calendar = {scope.engine.text(calendar)} THEN {second}"
        for (source, calendar), second in sorted(scope.hours.items())
    )
    return f"CASE {' '.join(whens)} END" if scope.hours else "CAST(NULL AS BIGINT)"


def _aggregate(
    scope: Scope, question: Question, measures: Sequence[Measure], where: str, values: Mapping[str, object]
) -> dict[str, _Column]:
    """Counts, shares and means of one anchor in one pass."""
    anchor = measures[0].anchor
    same = len({one.population for one in measures}) == 1  # then the other cases need not be looked at
    only = fill(measures[0].population, scope) if same else "1 = 1"
    sums = []
    for index, one in enumerate(measures):
        counted = "1 = 1" if same else fill(one.population, scope)
        sums += _sums(one, index, counted, scope)
    sql = (
        f"SELECT {period_key(anchor, question.every)} AS period, {_by(scope, question)} AS segment, {', '.join(sums)} "
        f"FROM {scope.table} WHERE ({only}) AND {where} "
        f"AND {within(question, anchor)} GROUP BY 1, 2"
    )
    table = scope.engine.ask(sql, values).to_pydict()
    columns = {}
    for index, one in enumerate(measures):
        column = columns[one.name] = _Column()
        for row, key in enumerate(zip(table["period"], table["segment"], strict=True)):
            if key[0] is None:  # the case has not that date
                continue
            n = int(table[f"n{index}"][row])
            column.n[key] = n
            if one.kind == "count":
                column.value[key] = (float(n), *garwood(n))
            elif one.kind == "share":
                k = column.count[key] = int(table[f"k{index}"][row])
                if n:
                    column.value[key] = (k / n, *wilson(k, n))
            elif n > 1:
                column.value[key] = t_mean(n, float(table[f"k{index}"][row]), float(table[f"q{index}"][row]))
    return columns


def _sums(one: Measure, index: int, counted: str, scope: Scope) -> list[str]:
    """SQL: what one measure adds up; `counted` says which cases it is about."""
    sums = [f"{'COUNT(*)' if counted == '1 = 1' else f'COUNT(CASE WHEN {counted} THEN 1 END)'} AS n{index}"]
    if one.kind == "share":
        sums.append(f"COUNT(CASE WHEN ({counted}) AND ({fill(one.event, scope)}) THEN 1 END) AS k{index}")
    if one.kind == "mean":
        value = f"CAST({one.value} AS {scope.engine.double})"
        sums.append(f"SUM(CASE WHEN {counted} THEN {value} ELSE 0 END) AS k{index}")
        sums.append(f"SUM(CASE WHEN {counted} THEN {value} * {value} ELSE 0 END) AS q{index}")
    return sums


def _waits(
    scope: Scope, question: Question, ones: Sequence[Measure], where: str, values: Mapping[str, object]
) -> dict[str, _Column]:
    """The quantiles of one wait in every group, open cases counted as still waiting, in one pass."""
    one = ones[0]
    now = "{as_of_bus}" if one.clock == "business" else "{as_of}"
    # One CASE over whole columns takes half the time of a WHERE with the same conditions.
    ended, waiting = (
        f"WHEN {one.event} THEN {one.value} * 2",
        f"WHEN {one.waiting} THEN ({now} - {one.since}) * 2 + 1",
    )
    sql = (
        f"SELECT {period_key(one.anchor, question.every)} AS period, {_by(scope, question)} AS segment, "
        f"{fill(f'CASE {ended} {waiting} END', scope)} AS coded "
        f"FROM {scope.table} WHERE {where} AND {within(question, one.anchor)}"
    )
    return _quantiles(scope, sql, ones, values)


def _quantiles(scope: Scope, sql: str, ones: Sequence[Measure], values: Mapping[str, object]) -> dict[str, _Column]:
    """Measures of one wait from the rows of `period`, `segment` and `coded` that some SQL gives, each group by itself."""
    columns = {one.name: _Column() for one in ones}
    wanted = tuple(one.quantile for one in ones)
    for row in scope.engine.by_group(sql, values, partial(reduce_waits, wanted)).to_pylist():
        group, n, still = (row["period"], row["segment"]), row["n"], row["open"]
        for place, one in enumerate(ones):
            column = columns[one.name]
            column.n[group], column.open[group] = n, still
            found = (row[f"value_{place}"], row[f"low_{place}"], row[f"high_{place}"])
            column.value[group] = _reached(one, found, n, still)
    return columns


def _reached(one: Measure, found: tuple[float, float, float], n: int, still: int) -> tuple[Value, Value, Value]:
    """Seconds to the measure's unit; what was not reached is said, not guessed."""
    scaled: list[Value] = [
        bound / one.seconds if math.isfinite(bound) else NotComputed("not reached yet") for bound in found
    ]
    if isinstance(scaled[0], NotComputed):
        share = f"{still / n:.0%} are still open"
        scaled[0] = NotComputed(f"{one.quantile:.0%} are not reached yet; {share}")
    return (scaled[0], scaled[1], scaled[2])


def _lacking(scope: Scope, measures: Sequence[Measure], where: str, values: Mapping[str, object]) -> dict[str, str]:
    """Measures that these cases cannot answer at all, and what they lack."""
    held = {}
    for needs in {one.needs for one in measures if one.needs}:  # the first case that has it ends the search
        sql = f"SELECT 1 FROM {scope.table} WHERE ({fill(needs, scope)}) AND {where} LIMIT 1"
        held[needs] = scope.engine.ask(sql, values).num_rows > 0
    lacking = {one.name: f"the record holds no {one.lacking}" for one in measures if not held.get(one.needs, True)}
    rated = [one for one in measures if one.name.startswith("rating_") and one.name not in lacking]
    if rated:
        first = scope.engine.ask(f"SELECT scale FROM {scope.table} WHERE scale IS NOT NULL AND {where} LIMIT 1", values)
        other = f"SELECT 1 FROM {scope.table} WHERE scale <> $first_scale AND {where} LIMIT 1"
        if scope.engine.ask(other, {**values, "first_scale": first["scale"][0].as_py()}).num_rows:
            reason = "ratings on several scales are never mixed; choose one with --where scale=NAME"
            lacking |= dict.fromkeys((one.name for one in rated), reason)
    return lacking


def _spans(
    scope: Scope,
    question: Question,
    columns: Mapping[str, _Column],
    latest: int,
    where: str,
    values: Mapping[str, object],
) -> list[Period | None]:
    """The periods from the first to the last that any measure speaks of, without holes."""
    every = question.every
    if every is None:
        return [None]
    keys = {key for column in columns.values() for key, _ in column.n}
    today = datetime.fromtimestamp(latest, UTC).astimezone(ZoneInfo(scope.zone)).date()
    if any(one.kind in ("stock", "stock_age") for one in question.measures):
        first_key = f"SELECT MIN({period_key('asked', every)}) AS a FROM {scope.table}"
        found = scope.engine.ask(f"{first_key} WHERE {where} AND {within(question, 'asked')}", values).to_pydict()
        if found["a"][0] is not None:
            keys |= {found["a"][0], _key_of(period_of(today, every), every)}
    if not keys:
        return []
    first, last = _period(min(keys), every), _period(max(keys), every)
    start, end = max(filter(None, (first.start, question.since))), last.end
    if question.until:
        end = min(end, question.until)
    if not any(one.name in ("promise_running", "closed_late") for one in question.measures):
        end = min(end, period_of(today, every).end)  # promises fall due years ahead, but have no fate yet
    end = max(end, start + timedelta(days=1))
    return list(periods_between(start, end, every))


def _midnight(day: date | None, scope: Scope, latest: int) -> int:
    """First epoch second of a local day, or after as-of if that is earlier or there is no day."""
    if day is None:
        return latest + 1
    return min(int(datetime.combine(day, time(), ZoneInfo(scope.zone)).timestamp()), latest + 1)


def _stock(
    scope: Scope,
    question: Question,
    one: Measure,
    spans: Sequence[Period | None],
    latest: int,
    where: str,
    values: Mapping[str, object],
) -> _Column:
    """How many cases were open at each period's end: all that had come less all that had gone."""
    until = f"{day_number(question.until)}" if question.until else None
    counts: dict[tuple[str, str | None], list[tuple[int, int]]] = {}  # source, segment -> (period, how many more)
    gone = {
        what: f"GREATEST(asked_{what}, resolved_{what})" for what in ("day", "month")
    }  # a case closed before it was opened was never open
    for sign, sql, only in (
        (1, {"day": "asked_day", "month": "asked_month"}, f"asked_s <= {_as_of(scope)}"),
        (-1, gone, f"closed = 1 AND asked_s <= {_as_of(scope)} AND resolved_s <= {_as_of(scope)}"),
    ):
        key = period_key("asked", question.every).replace("asked_day", sql["day"]).replace("asked_month", sql["month"])
        before = f"{sql['day']} < {until}" if until else "1 = 1"
        found = scope.engine.ask(
            f"SELECT source, {_by(scope, question)} AS segment, {key} AS period, COUNT(*) AS n FROM {scope.table} "
            f"WHERE ({one.population}) AND {only} AND {before} AND {where} GROUP BY 1, 2, 3",
            values,
        ).to_pydict()
        for source, segment, period, n in zip(
            *(found[name] for name in ("source", "segment", "period", "n")), strict=True
        ):
            counts.setdefault((str(source), segment), []).append((int(period), sign * int(n)))
    return _piled_up(scope, question, counts, spans, latest)


def _piled_up(
    scope: Scope,
    question: Question,
    counts: Mapping[tuple[str, str | None], list[tuple[int, int]]],
    spans: Sequence[Period | None],
    latest: int,
) -> _Column:
    """Comings and goings summed up to each period's end; after a source's last word nothing of it is known."""
    column = _Column()
    for (source, segment), changes in counts.items():
        changes.sort()
        at, total = 0, 0
        for span in spans:
            key = _key_of(span, question.every) if span and question.every else 0
            while at < len(changes) and changes[at][0] <= key:
                total += changes[at][1]
                at += 1
            known = _midnight(span.end if span else question.until, scope, latest) - 1 <= scope.as_of[source]
            column.n[key, segment] = column.n.get((key, segment), 0) + (total if known else 0)
    for group, n in column.n.items():
        column.value[group] = (float(n), *garwood(n))
    return column


def _stock_age(
    scope: Scope,
    question: Question,
    one: Measure,
    spans: Sequence[Period | None],
    latest: int,
    where: str,
    values: Mapping[str, object],
) -> _Column:
    """How old the typical case open at each period's end was; the cases are fetched once."""
    ends = {
        _key_of(span, question.every) if span and question.every else 0: _midnight(
            span.end if span else question.until, scope, latest
        )
        for span in spans
    }
    if not ends:
        return _Column()
    listed = ", ".join(f"({key}, CAST({end} AS BIGINT))" for key, end in ends.items())
    # A source known only up to an earlier second than the period's end is not known to be open then.
    sql = (
        f"SELECT period, segment, (LEAST(ends_s, {latest}) - asked_s) * 2 AS coded FROM ("
        f"SELECT {_by(scope, question)} AS segment, asked_s, CASE WHEN closed = 0 THEN {NEVER} ELSE resolved_s END AS gone, "
        f"{_as_of(scope)} AS known FROM {scope.table} WHERE ({one.population}) AND {where}) AS lying "
        f"JOIN (VALUES {listed}) AS spans(period, ends_s) ON asked_s < ends_s AND gone >= ends_s AND known >= ends_s - 1"
    )
    column = _quantiles(scope, sql, [one], values)[one.name]
    column.open.clear()  # all of them are
    return column


def _series(
    scope: Scope,
    question: Question,
    one: Measure,
    column: _Column,
    spans: Sequence[Period | None],
    latest: int,
    lacking: str | None,
) -> Series:
    """Lay the numbers out over all periods and segments; what cannot be said is said to be so."""
    segments: list[str | None] = sorted(
        {segment for _, segment in column.n}, key=lambda name: (name is None, name or "")
    )
    if not segments and question.by is None:
        segments = [None]
    rows: dict[str, list[Any]] = {
        name: [] for name in ("periods", "segments", "over", "n", "count", "open", "value", "low", "high")
    }
    for segment in segments:
        for span in spans:
            key = (_key_of(span, question.every) if span and question.every else 0, segment)
            n = column.n.get(key, 0)
            value, low, high = _judged(one, column.value.get(key), n, lacking)
            ended = span is None or _midnight(span.end, scope, latest) <= latest
            cells = (span, segment, ended, n, column.count.get(key), column.open.get(key), value, low, high)
            for name, cell in zip(rows, cells, strict=True):
                rows[name].append(cell)
    columns = {name: tuple(cells) for name, cells in rows.items()}
    return Series(one, question, scope.zone, latest, scope.log_version, **columns)


def _judged(
    one: Measure, found: tuple[Value, Value, Value] | None, n: int, lacking: str | None
) -> tuple[Value, Value, Value]:
    """The number with its interval, or why there is none."""
    if lacking:
        reason = NotComputed(lacking)
    elif n < one.minimum_n or (found is None and one.minimum_n):
        reason = NotComputed(f"only {plural(n, 'case')}; at least {one.minimum_n} are needed" if n else "no cases")
    else:
        return found or (0.0, *garwood(0))
    return (reason, reason, reason)


def scope_of(
    engine: Engine,
    table: str,
    zone: str,
    log_version: int,
    as_of: Callable[[], Mapping[str, int]] | None = None,
    calendars: Calendars | None = None,
) -> Scope:
    """The cases in `table`, each source known up to its latest moment."""
    surveying: tuple[str, ...] = ()
    if as_of is not None:
        ends = dict(as_of())
    else:
        sql = f"SELECT source, MAX(last_s) AS last_s, MAX(surveys) AS surveys FROM {table} GROUP BY source"
        found = engine.ask(sql).to_pylist()
        ends = {str(one["source"]): int(one["last_s"]) for one in found}
        surveying = tuple(sorted(str(one["source"]) for one in found if one["surveys"]))
    hours = {
        (source, calendar.name): int(Clock(calendar, *span_of_days(end, end)).at(np.array([end]))[0])
        for calendar in (calendars.all if calendars else ())
        for source, end in ends.items()
    }
    return Scope(engine, table, zone, ends, log_version, hours, surveying)

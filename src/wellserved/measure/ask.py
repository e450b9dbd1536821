"""Ask the cases: all measures and periods of a question at once, each number with n and interval.

Shares, counts and means of one anchor come from one pass over the cases, and so do all quantiles of one
wait: they are estimated by Kaplan-Meier from the waits themselves, sorted, as waits.py brings them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from wellserved.measure.coverage import Coverage, coverage_of, covered, unmatched
from wellserved.measure.definition import Measure
from wellserved.measure.interval import garwood, t_mean, wilson
from wellserved.measure.scope import Scope, fill, filters, followed, sources_of, within
from wellserved.measure.series import Question, Series, Value
from wellserved.measure.waits import NEVER, Key, reduce_waits
from wellserved.measure.words import plural
from wellserved.moments import Every, NotComputed, Period, day_number, day_of, period_of, periods_between
from wellserved.scales import DECLARED


@dataclass
class _Column:
    """One measure's numbers by period and segment, as they come from the engine."""

    n: dict[Key, int] = field(default_factory=dict)
    count: dict[Key, int] = field(default_factory=dict)
    open: dict[Key, int] = field(default_factory=dict)
    value: dict[Key, tuple[Value, Value, Value]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Context:
    """What is known before any number is asked for: the filters, and which source can say what until when."""

    where: str
    values: Mapping[str, object]
    coverage: Coverage
    by_segment: Mapping[str | None, tuple[str, ...]]  # segment -> the sources of its cases, where they may differ
    latest: int  # epoch second up to which any of them is known
    unmatched: str  # why no case matches the filters; empty: some does

    def sources(self, segment: str | None) -> tuple[str, ...]:
        """The sources of a segment's cases."""
        return self.by_segment.get(segment, ()) if self.by_segment else self.coverage.sources

    def able(self, measure: Measure, segment: str | None) -> list[str]:
        """Those of them that can answer a measure."""
        gaps = self.coverage.gaps.get(measure.name, {})
        return [source for source in self.sources(segment) if source not in gaps]

    def known(self, scope: Scope, measure: Measure, segment: str | None) -> int:
        """Epoch second up to which any of these is known."""
        return max((scope.as_of[source] for source in self.able(measure, segment)), default=self.latest)


def _context(scope: Scope, question: Question) -> _Context:
    where, values = filters(scope, question)
    sources = sources_of(scope, where, values)
    by_segment: dict[str | None, tuple[str, ...]] = {}
    if len(sources) > 1 and question.by:
        sql = f"SELECT DISTINCT {question.by} AS segment, source FROM {scope.table} WHERE {where}"
        for pair in sorted(scope.engine.ask(sql, values).to_pylist(), key=lambda pair: str(pair["source"])):
            by_segment[pair["segment"]] = (*by_segment.get(pair["segment"], ()), str(pair["source"]))
    return _Context(
        where,
        values,
        coverage_of(scope, question.measures, sources),
        by_segment,
        max((scope.as_of[source] for source in sources), default=max(scope.as_of.values(), default=0)),
        unmatched(scope, question),
    )


def answer(scope: Scope, question: Question) -> dict[str, Series]:
    """Every measure of the question, by name. A source that cannot answer a measure is left out of it, and named."""
    context = _context(scope, question)
    where, values = context.where, context.values
    measures = [covered(scope, measure, context.coverage) for measure in question.measures]
    columns: dict[str, _Column] = {}
    simple = [one for one in measures if one.kind in ("count", "share", "mean")]
    for anchor, follows in {(one.anchor, one.follows) for one in simple}:
        same = [one for one in simple if (one.anchor, one.follows) == (anchor, follows)]
        columns |= _aggregate(followed(scope) if follows else scope, question, same, where, values)
    waits: dict[tuple[str, str, str], list[Measure]] = {}
    for one in measures:
        if one.kind == "wait":
            waits.setdefault((one.anchor, one.event, one.waiting), []).append(one)
    for wait in waits.values():
        columns |= _waits(scope, question, wait, where, values)
    scales = _scales(scope, question, where, values)
    spans = _spans(scope, question, columns, context)
    for one in measures:
        if one.kind in ("stock", "stock_age"):
            found = _stock if one.kind == "stock" else _stock_age
            columns[one.name] = found(scope, question, one, spans, context)
    return {
        one.name: _series(scope, question, one, columns[one.name], spans, context, scales if one.single_scale else {})
        for one in question.measures
    }


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
    if every == "year":  # by its January
        return f"{anchor}_month - (({anchor}_month % 100) - 1)"
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


def _by(scope: Scope, question: Question) -> str:
    return question.by if question.by else f"CAST(NULL AS {scope.engine.string})"


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
        value = f"CAST({fill(one.value, scope)} AS {scope.engine.double})"
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


def _scales(
    scope: Scope, question: Question, where: str, values: Mapping[str, object]
) -> dict[str | None, tuple[str, str]]:
    """The first and last name of the scales on which each segment was rated; asked for ratings alone."""
    if not any(one.single_scale for one in question.measures):
        return {}
    sql = (
        f"SELECT {_by(scope, question)} AS segment, MIN(scale) AS first_scale, MAX(scale) AS last_scale "
        f"FROM {scope.table} WHERE scale IS NOT NULL AND {where} GROUP BY 1"
    )
    return {
        row["segment"]: (row["first_scale"], row["last_scale"]) for row in scope.engine.ask(sql, values).to_pylist()
    }


def _spans(
    scope: Scope,
    question: Question,
    columns: Mapping[str, _Column],
    context: _Context,
) -> list[Period | None]:
    """The periods from the first to the last that any measure speaks of, without holes."""
    every = question.every
    if every is None or context.unmatched:
        return [None]
    where, values, latest = context.where, context.values, context.latest
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
    scope: Scope, question: Question, one: Measure, spans: Sequence[Period | None], context: _Context
) -> _Column:
    """How many cases were open at each period's end: all that had come less all that had gone.

    A source that is known up to an earlier instant only counts as it stood then.
    """
    until, as_of = f"{day_number(question.until)}" if question.until else None, fill("{as_of}", scope)
    counts: dict[tuple[str, str | None], list[tuple[int, int]]] = {}  # source, segment -> (period, how many more)
    gone = {
        what: f"GREATEST(asked_{what}, resolved_{what})" for what in ("day", "month")
    }  # a case closed before it was opened was never open
    for sign, sql, only in (
        (1, {"day": "asked_day", "month": "asked_month"}, f"asked_s <= {as_of}"),
        (-1, gone, f"closed = 1 AND asked_s <= {as_of} AND resolved_s <= {as_of}"),
    ):
        key = period_key("asked", question.every).replace("asked_day", sql["day"]).replace("asked_month", sql["month"])
        before = f"{sql['day']} < {until}" if until else "1 = 1"
        found = scope.engine.ask(
            f"SELECT source, {_by(scope, question)} AS segment, {key} AS period, COUNT(*) AS n FROM {scope.table} "
            f"WHERE ({one.population}) AND {only} AND {before} AND {context.where} GROUP BY 1, 2, 3",
            context.values,
        ).to_pydict()
        for source, segment, period, n in zip(
            *(found[name] for name in ("source", "segment", "period", "n")), strict=True
        ):
            counts.setdefault((str(source), segment), []).append((int(period), sign * int(n)))
    return _piled_up(question, counts, spans)


def _piled_up(
    question: Question,
    counts: Mapping[tuple[str, str | None], list[tuple[int, int]]],
    spans: Sequence[Period | None],
) -> _Column:
    """Comings and goings summed up to each period's end, or to a source's last word where that is earlier."""
    column = _Column()
    for (_source, segment), changes in counts.items():
        changes.sort()
        at, total = 0, 0
        for span in spans:
            key = _key_of(span, question.every) if span and question.every else 0
            while at < len(changes) and changes[at][0] <= key:
                total += changes[at][1]
                at += 1
            column.n[key, segment] = column.n.get((key, segment), 0) + total
    for group, n in column.n.items():
        column.value[group] = (float(n), *garwood(n))
    return column


def _stock_age(
    scope: Scope, question: Question, one: Measure, spans: Sequence[Period | None], context: _Context
) -> _Column:
    """How old the typical case open at each period's end was; the cases are fetched once."""
    ends = {
        _key_of(span, question.every) if span and question.every else 0: _midnight(
            span.end if span else question.until, scope, context.latest
        )
        for span in spans
    }
    if not ends:
        return _Column()
    listed = ", ".join(f"({key}, CAST({end} AS BIGINT))" for key, end in ends.items())
    # A source that is known up to an earlier second is taken as it stood then.
    as_of = fill("{as_of}", scope)
    sql = (
        f"SELECT period, segment, (LEAST(ends_s, known) - asked_s) * 2 AS coded FROM ("
        f"SELECT {_by(scope, question)} AS segment, asked_s, {as_of} AS known, "
        f"CASE WHEN closed = 0 OR resolved_s > {as_of} THEN {NEVER} ELSE resolved_s END AS gone FROM {scope.table} "
        f"WHERE ({one.population}) AND asked_s <= {as_of} AND {context.where}) AS lying "
        f"JOIN (VALUES {listed}) AS spans(period, ends_s) ON asked_s < ends_s AND gone >= ends_s"
    )
    column = _quantiles(scope, sql, [one], context.values)[one.name]
    column.open.clear()  # all of them are
    return column


def _series(
    scope: Scope,
    question: Question,
    one: Measure,
    column: _Column,
    spans: Sequence[Period | None],
    context: _Context,
    scales: Mapping[str | None, tuple[str, str]],
) -> Series:
    """Lay the numbers out over all periods and segments; what cannot be said is said to be so."""
    told = {segment for _, segment in column.n}
    told |= {segment for segment, sources in context.by_segment.items() if context.coverage.reason(one, sources)}
    segments = sorted(told, key=lambda name: (name is None, name or ""))
    if not segments and (question.by is None or context.unmatched):
        segments = [None]
    rows: dict[str, list[Any]] = {
        name: [] for name in ("periods", "segments", "over", "n", "count", "open", "value", "low", "high", "remark")
    }
    for segment in segments:
        known = context.known(scope, one, segment)
        lacking = context.coverage.reason(one, context.sources(segment))
        reason = context.unmatched or lacking or _unjudged(scope, one, scales.get(segment))
        for span in spans:
            key = (_key_of(span, question.every) if span and question.every else 0, segment)
            n = column.n.get(key, 0)
            beyond = _beyond_record(scope, one, span, n, context.able(one, segment))
            value, low, high = _judged(one, column.value.get(key), n, reason or beyond)
            ended = span is None or _midnight(span.end, scope, known) <= known
            remark = (
                "" if isinstance(value, NotComputed) else _remark(scope, question, one, span, segment, context, scales)
            )
            cells = (
                span, segment, ended, 0 if beyond else n, column.count.get(key), column.open.get(key), value, low, high, remark,
            )  # fmt: skip
            for name, cell in zip(rows, cells, strict=True):
                rows[name].append(cell)
    columns = {name: tuple(cells) for name, cells in rows.items()}
    return Series(one, question, scope.zone, context.latest, scope.log_version, **columns)


def _unjudged(scope: Scope, one: Measure, scales: tuple[str, str] | None) -> str:
    """Why ratings on these scales (the first and last by name) give no number; empty: they do."""
    if scales is None:
        return ""
    if scales[0] != scales[1]:
        return "ratings on several scales are never mixed; choose one with --where scale=NAME"
    scale = scope.scales.get(scales[0])
    if scale is None:
        return f"what is good on the scale {scales[0]!r} is declared nowhere; declare it in {DECLARED}"
    if scale.bad is None and "{bad}" in one.event + one.value:
        return f"what is bad on the scale {scale.name!r} is not declared; add bad_to in {DECLARED}"
    return ""


def _beyond_record(scope: Scope, one: Measure, span: Period | None, n: int, sources: Sequence[str]) -> str:
    """A period before the first word of all its sources, or after their last: nothing is known of it, so 0 would be wrong."""
    stock = one.kind in ("stock", "stock_age")
    if span is None or not sources or (n and not stock):
        return ""
    begins, ends = (
        min(scope.begins.get(source, 0) for source in sources),
        max(scope.as_of[source] for source in sources),
    )
    if _midnight(span.end, scope, begins) <= begins:
        return f"the record begins on {_day(scope, begins)}"
    if one.anchor != "due" and _midnight(span.start, scope, ends) > ends:
        return f"known up to {_day(scope, ends)}"
    return ""


def _day(scope: Scope, second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(scope.zone)).date()}"


def _remark(
    scope: Scope,
    question: Question,
    one: Measure,
    span: Period | None,
    segment: str | None,
    context: _Context,
    scales: Mapping[str | None, tuple[str, str]],
) -> str:
    """What to know of a number that several sources make up, or whose neighbours are on another scale."""
    parts = [context.coverage.remark(one, context.sources(segment))]
    if one.kind in ("count", "stock", "stock_age") and one.anchor != "due":
        known = context.known(scope, one, segment)
        end = min(_midnight(span.end if span else question.until, scope, known) - 1, known)
        early = [source for source in context.able(one, segment) if scope.as_of[source] < end]
        word = "known up to" if one.kind == "count" else "as of"
        parts += [f"{source} {word} {_day(scope, scope.as_of[source])}" for source in early]
    if len(set(scales.values())) > 1 and segment in scales:
        parts.append(f"scale {scales[segment][0]}")
    return "; ".join(filter(None, parts))


def _judged(one: Measure, found: tuple[Value, Value, Value] | None, n: int, lacking: str) -> tuple[Value, Value, Value]:
    """The number with its interval, or why there is none."""
    if lacking:
        reason = NotComputed(lacking)
    elif n < one.minimum_n or (found is None and one.minimum_n):
        reason = NotComputed(f"only {plural(n, 'case')}; at least {one.minimum_n} are needed" if n else "no cases")
    else:
        return found or (0.0, *garwood(0))
    return (reason, reason, reason)

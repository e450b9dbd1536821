"""Did the recording change, or the work, in a way that no column says? Questions that a claim of being faster has to answer.

None of them shows harm, and none takes a claim back: a question that the record cannot answer is said first, and the
claim is the weaker one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import numpy as np
import pyarrow as pa

from wellserved.measure import Measure, Question
from wellserved.measure.ask import period_key, period_start
from wellserved.measure.interval import Waits, coded_quantile
from wellserved.measure.scope import Scope, fill, filters, within
from wellserved.measure.waits import NEVER, of_groups
from wellserved.prove import chance
from wellserved.prove.checks import Tried
from wellserved.prove.guards import DOUBTED, Guarded, usual_margin
from wellserved.prove.model import Mask
from wellserved.prove.observe import DAY, Looking, Where, adds_up
from wellserved.prove.response import Observed
from wellserved.prove.verdict import Check, Estimate, Plan, Verdict, change

QUANTILES = (0.25, 0.5, 0.9)
FEWEST = 15  # cases in a period of which quantiles are compared
SIDES = (8, 3)  # periods with so many cases, before and after, by which a shape is told
LONGER = 2.5  # times the age at which the measure itself is looked at
MOVED = 0.05  # of a logarithm: a ratio of quantiles that moved by less has not changed its shape
HALF = 0.5  # of the level before: a fall to less, from one period to the next, is a jump
NEAR = 8, 3  # periods before and after by which a jump is told
WORK = ("replied", "explained", "chased", "handed_over", "assigned", "paused", "held", "resumed", "promised")
ALIKE = 5  # cases answered in the same words, from which on words are called alike
WORDS = 20  # characters: shorter replies are alike by chance
POINTS = 0.02  # of a share: by how much the times of asking have to move at least


@dataclass(frozen=True)
class Put:
    """What is asked about, and all that is known of it already."""

    looking: Looking
    tried: Tried
    measure: Measure
    where: Where
    guarded: tuple[Guarded, ...]

    @property
    def days(self) -> int:
        """The age at which cases are looked at: well after the typical end, so that the slow ones have ended too."""
        return math.ceil(LONGER * (self.tried.seen.age_days or 30))

    def scope(self) -> Scope:
        """The cases at that age."""
        return self.looking.at_age(self.measure.anchor, self.days * DAY)

    @property
    def ripe(self) -> Mask:
        """The periods that say something, and whose cases have reached that age."""
        last = (self.looking.known_until(self.where) - timedelta(days=self.days)).date()
        ended = np.array([one.end <= last for one in self.tried.seen.periods], dtype=bool)
        found: Mask = self.tried.seen.observed.seen & ended
        return found

    def asked(self) -> tuple[str, dict[str, object]]:
        """SQL: the cases in question, and its values."""
        question = Question(
            (self.measure,), None, self.looking.every, self.looking.since, self.looking.until, self.where
        )
        only, values = filters(self.looking.scope, question)
        return f"{only} AND {within(question, self.measure.anchor)}", values


def questions(put: Put) -> list[Check]:
    """All that has to be asked of a faster wait; `passed` False: the record gives cause to ask."""
    if put.measure.kind != "wait" or put.measure.anchor != "asked" or put.tried.seen.age_days is None:
        return [jump(put)]
    found = [shape(put), jump(put), *times_of_asking(put), before_the_ask(put)]
    if "replied" in put.measure.relies_on:
        found.append(alike(put))
    else:
        found.append(after_the_close(put))
    return [one for one in found if one is not None]


def shape(put: Put) -> Check:
    """Work that got faster is the same work in less time; easier work in place of hard gives other proportions."""
    name = "shape of the waits"
    ratios = _ratios(put)
    enough = [min((one.size[: put.tried.seen.before] > 0).sum() / SIDES[0], (one.size[put.tried.seen.before :] > 0).sum() / SIDES[1]) >= 1 for one in ratios]  # fmt: skip
    if not all(enough):
        return Check(name, None, f"too few {put.looking.every}s hold {FEWEST} cases that are long enough over: easier work in place of hard cannot be told")  # fmt: skip
    for words, observed in zip(("the slowest tenth", "the fastest quarter"), ratios, strict=True):
        verdict = _again(put, observed, len(ratios))
        if verdict.claims and verdict.effect is not None and abs(verdict.effect.value) > MOVED:
            part = math.expm1(abs(verdict.effect.value))
            nearer = "nearer to" if verdict.effect.value < 0 else "further from"
            return Check(name, False, f"{words} came {nearer} the middle by {part:.0%}, which no column explains: is it other work?")  # fmt: skip
    return Check(name, True, "fast and slow cases keep their proportions")


def _again(put: Put, observed: Observed, together: int) -> Verdict:
    return change(observed, put.tried.seen.before, put.looking.every, "lower", plan=Plan(level=1 - 0.05 / together))


def _ratios(put: Put) -> list[Observed]:
    """By period: the logarithms of the slowest tenth to the middle, and of the middle to the fastest quarter."""
    scope, (only, values) = put.scope(), put.asked()
    so_far = f"({'{as_of_bus}' if put.measure.clock == 'business' else '{as_of}'} - {put.measure.since})"
    running = f"GREATEST({so_far}, 0) * 2 + 1" if adds_up(put.measure) else str(NEVER)
    coded = f"CASE WHEN {put.measure.event} THEN {put.measure.value} * 2 WHEN {put.measure.waiting} THEN {running} END"
    sql = (
        f"SELECT {period_key(put.measure.anchor, put.looking.every)} AS period, CAST(NULL AS VARCHAR) AS segment, "
        f"{fill(coded, scope)} AS coded FROM {scope.table} WHERE {only}"
    )
    rows = {
        period_start(row["period"], put.looking.every): row
        for row in scope.engine.by_group(sql, values, partial(reduce_quantiles, QUANTILES)).to_pylist()
    }
    found = []
    for upper, lower in (("q2", "q1"), ("q1", "q0")):
        pairs = [_ratio(rows.get(one.start), upper, lower) for one in put.tried.seen.periods]
        size = np.where(put.ripe, [n for _, n in pairs], 0.0)
        found.append(Observed("mean", np.array([ratio for ratio, _ in pairs]) * size, size))
    return found


def _ratio(row: dict[str, float] | None, upper: str, lower: str) -> tuple[float, float]:
    if row is None or row["n"] < FEWEST or not row[lower] or not row[upper]:
        return 0.0, 0.0
    return math.log(row[upper] / row[lower]), float(row["n"])


def reduce_quantiles(quantiles: Sequence[float], batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Per group: cases, and quantiles in seconds; missing: not reached yet."""

    def levels(coded: Waits) -> tuple[float | None, ...]:
        reached = [coded_quantile(coded, quantile)[0] for quantile in quantiles]
        return (float(len(coded)), *(float(one) if one < NEVER >> 1 else None for one in reached))

    rows = [(*key, *row) for key, row in of_groups(batches, levels)]
    kinds = [("period", pa.int64()), ("segment", pa.string()), ("n", pa.float64())]
    kinds += [(f"q{place}", pa.float64()) for place in range(len(quantiles))]
    columns = zip(*rows, strict=True) if rows else ([] for _ in kinds)
    return pa.table(
        [pa.array(column, kind) for column, (_, kind) in zip(columns, kinds, strict=True)], pa.schema(kinds)
    )


def jump(put: Put) -> Check:
    """A fall by more than half from one period to the next while nothing else moves: was something else recorded?"""
    name, seen = "a jump overnight", put.tried.seen
    whole = seen.before - (seen.mixed is not None)
    early, late = (
        _levels(put, slice(max(whole - NEAR[0], 0), whole)),
        _levels(put, slice(seen.before, seen.before + NEAR[1])),
    )
    if not len(early) or not len(late):
        return Check(name, None, "nothing is known of the time next to the change")
    before, after = float(np.median(early)), float(np.median(late))
    if put.tried.better == "higher" and put.measure.unit == "share":
        before, after = 1 - before, 1 - after
    fell = (
        after < HALF * before if put.tried.better == "lower" or put.measure.unit == "share" else before < HALF * after
    )
    if not fell:
        return Check(name, True, "no fall by more than half from one period to the next")
    others = [
        one.guardrail.name for one in put.guarded if one.harm is not None and one.harm.high < 0 and not _same(put, one)
    ]
    if others:
        return Check(name, True, f"more than half within one {put.looking.every}, and {others[0]} got better too")
    return Check(name, False, f"more than half within one {put.looking.every}, and nothing else got better with it: did the recording change, or what is counted?")  # fmt: skip


def _levels(put: Put, part: slice) -> np.ndarray:
    """The measure in some of the periods."""
    seen = put.tried.seen
    if seen.shown:
        return np.array([value for value in seen.shown[part] if value is not None])
    there = seen.observed.seen[part]
    total, size = seen.observed.total[part][there], seen.observed.size[part][there]
    levels: np.ndarray = total if seen.observed.family in ("plain", "money") else total / size
    return levels


def _same(put: Put, one: Guarded) -> bool:
    """Whether a guardrail rests on the very times in question."""
    return one.guardrail.measure.kind == "wait" or bool(one.guardrail.asks)


def times_of_asking(put: Put) -> Iterator[Check]:
    """Customers do not change when they ask because they are served faster; a clock that starts later does."""
    name = "times of asking"
    outside = "asked_time < 28800 OR asked_time >= 64800"
    events = {"on weekends": "(asked_day + 700003) % 7 >= 5", "before 8 and after 18 o'clock": outside}
    for words, event in events.items():
        observed = _rates(put, put.looking.scope.table, event)
        verdict = _again(put, observed, len(events))
        if verdict.claims and verdict.effect is not None and abs(verdict.effect.value) > POINTS:
            more = "more" if verdict.effect.value > 0 else "fewer"
            yield Check(name, False, f"{abs(verdict.effect.value) * 100:.0f} points {more} are asked for {words}: does the clock start when it did, and are all cases in the record?")  # fmt: skip
            return
    yield Check(name, True, "cases are asked for at the same times of the day and week as before")


def before_the_ask(put: Put) -> Check | None:
    """Cases of which something is recorded before they were asked for: their clock starts too late."""
    observed = _rates(put, put.looking.scope.table, "first_s < asked_s")
    words = "of the cases hold moments from before they were asked for: does the clock start when it did?"
    return _risen(put, observed, "moments before the ask", words)


def after_the_close(put: Put) -> Check | None:
    """Cases on which work went on after they were closed, without having been reopened."""
    scope = put.scope()
    kinds = ", ".join(f"'{kind}'" for kind in WORK)
    table = f"""(SELECT c.*, w.case_id IS NOT NULL AS worked FROM {scope.table} c LEFT JOIN (
        SELECT DISTINCT m.source, m.case_id FROM {put.looking.moments} m JOIN {scope.table} y USING (source, case_id)
        WHERE m.kind IN ({kinds}) AND epoch(m."at") > y.resolved_s AND epoch(m."at") <= y.asked_s + {put.days * DAY}
        ) w ON w.source = c.source AND w.case_id = c.case_id WHERE c.resolved_s IS NOT NULL) AS closed_cases"""
    words = "of the cases were worked on after they had been closed: were they closed when they were done?"
    return _risen(put, _rates(put, table, "worked"), "work after the close", words)


def alike(put: Put) -> Check | None:
    """First replies in the very words of other cases' replies, but for numbers and the first line: machines answer so."""
    name, scope = "replies alike", put.scope()
    words = r"""lower(regexp_replace(regexp_replace(m.text, '^[^\n]{0,60}\n+', ''), '[0-9]+', '#', 'g'))"""
    table = f"""(SELECT c.*, r.many >= {ALIKE} AS alike FROM {scope.table} c JOIN (
        SELECT source, case_id, count(*) OVER (PARTITION BY words) AS many FROM (
            SELECT m.source, m.case_id, arg_min({words}, m."at") AS words FROM {put.looking.moments} m
            WHERE m.kind IN ('replied', 'explained') AND m.text IS NOT NULL GROUP BY 1, 2)
        WHERE length(words) >= {WORDS}) r USING (source, case_id)) AS answered"""
    observed = _rates(put, table, "alike")
    if min(observed.size[: put.tried.seen.before].sum(), observed.size[put.tried.seen.before :].sum()) < FEWEST:
        return Check(name, None, "the words of replies are not recorded: whether machines answer can be told by their speed alone")  # fmt: skip
    return _risen(put, observed, name, "of the first replies have the very words of others: do machines answer?")


def _rates(put: Put, table: str, event: str) -> Observed:
    """By period: the cases of a table for which something holds, of how many."""
    only, values = put.asked()
    sql = (
        f"SELECT {period_key(put.measure.anchor, put.looking.every)} AS period, COUNT(*) AS n, "
        f"COUNT(CASE WHEN {event} THEN 1 END) AS k FROM {table} WHERE {only} GROUP BY 1"
    )
    rows = {period_start(row["period"], put.looking.every): row for row in put.looking.scope.engine.ask(sql, values).to_pylist()}  # fmt: skip
    found = [rows.get(one.start) for one in put.tried.seen.periods]
    total, size = (np.array([float(row[key]) if row else 0.0 for row in found]) for key in ("k", "n"))
    return Observed("rate", total, np.where(put.ripe, size, 0.0))


def _risen(put: Put, observed: Observed, name: str, words: str) -> Check | None:
    """Whether a share that ought to stay low rose; None: nothing is known of one side."""
    before = put.tried.seen.before
    sizes = observed.size[:before].sum(), observed.size[before:].sum()
    if not min(sizes):
        return None
    shares = [float(observed.total[part].sum() / size) for part, size in zip((slice(0, before), slice(before, None)), sizes, strict=True)]  # fmt: skip
    verdict = change(observed, before, put.looking.every, "lower")
    margin = usual_margin(shares[0], replace(put.measure, unit="share"))
    if verdict.effect is not None:
        threshold = chance.on_scale(observed, shares[0], margin, True)
        harm = chance.Harm(Estimate(0, 0, 0), chance.fitted(observed, before, put.looking.every))
    else:
        threshold, compared = margin, chance.shares(observed, before, True)
        assert compared is not None
        harm = compared
    if shares[1] > shares[0] and harm.beyond(threshold)[1] > DOUBTED:
        return Check(name, False, f"{shares[1]:.0%} {words} Before, {shares[0]:.0%}.")
    return Check(name, True, f"{shares[1]:.0%} after the change, {shares[0]:.0%} before")

"""A change put to the test: the verdict, what would have spoilt it, and what must not have got worse."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Literal

import numpy as np

from wellserved.engine.duckdb import name as quoted
from wellserved.errors import RequestError
from wellserved.measure import Measure, Question
from wellserved.measure.definition import Better
from wellserved.measure.scope import filters
from wellserved.moments import SEGMENTS, Every
from wellserved.prove import checks, recording
from wellserved.prove.guards import Guarded, Guardrail, guard, wanted
from wellserved.prove.incentive import Incentive, incentive
from wellserved.prove.observe import LENGTH, Looking, Seen, Where, observe
from wellserved.prove.power import with_power
from wellserved.prove.response import Observed
from wellserved.prove.verdict import Check, Plan, Status, Verdict, change

Told = Callable[[str, int, int], None]
KNOWN = 0.8  # of the periods before the change: a control that is known for less is refused
MOST_OTHERS = 500  # values of a column that are still listed to stand for "all others"
Headline = Literal[Status, "improved_harm_not_excluded", "harm_shown"]
"""What is said first. improved: nothing that matters got worse, shown."""


def unheard(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Asked:
    """What is put to the test."""

    measure: Measure
    on: date  # the first day of the new way
    every: Every
    where: Where = ()
    better: Better | None = None  # where the measure itself has no better side
    against: Where = ()  # segments in which nothing was changed: their mean is taken off
    parallel: bool = False  # declared beforehand: both move alike
    guardrails: tuple[Guardrail, ...] = ()
    worthwhile: float | None = None  # the smallest effect worth having, as a part of the level before
    age_days: int | None = None
    others: tuple[tuple[str, date], ...] = ()  # other declared changes to the same cases
    paid_until: date | None = None  # an incentive: the first day on which it was no longer paid
    plan: Plan = field(default_factory=Plan)
    called: str = ""  # the declared improvement; empty: an exploration, and labelled so wherever it is shown
    margins: Mapping[str, float] = field(default_factory=dict)  # declared for guardrails that nobody named, by name
    settles: date | None = None  # the first day on which the change had come in altogether; None: at once


@dataclass(frozen=True)
class Proof:
    """A verdict with all that it rests on."""

    asked: Asked
    seen: Seen
    verdict: Verdict
    guarded: tuple[Guarded, ...]
    reward: Incentive | None = None  # while it was paid, and after
    questions: tuple[Check, ...] = ()  # what the recording has to answer; a failed one weakens an improvement

    @property
    def claims(self) -> bool:
        """Whether "improved" or "worse" may be said; the headline says how firmly."""
        return self.verdict.claims and not self.blocked

    @property
    def headline(self) -> Headline:
        """The verdict, and of an improvement whether harm is excluded, not excluded, or shown."""
        if self.verdict.status != "improved":
            return self.verdict.status
        if self.blocked:
            return "harm_shown"
        return "improved_harm_not_excluded" if self.doubts else "improved"

    @property
    def harms(self) -> tuple[Guarded, ...]:
        """The guardrails that got worse by more than they may, surely enough; only an improvement can be blocked."""
        if self.verdict.status != "improved":
            return ()
        return tuple(one for one in self.guarded if one.safety == "worse")

    @property
    def blocked(self) -> str:
        """Why an improvement is not claimed although the measure moved; empty: no harm is shown."""
        return "; ".join(f"{one.guardrail.name} {one.words}" for one in self.harms)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is not excluded although it improved: questions first, then the likeliest harm, then what is not recorded."""
        if self.verdict.status != "improved":
            return ()
        asked = [Doubt(one.name, one.words) for one in self.questions if one.passed is False]
        rails = sorted((one for one in self.guarded if one.weakens), key=_likeliest)
        asked += [Doubt(one.guardrail.name, one.words, one.safety == "not_recorded") for one in rails]
        unread = [one for one in (*self.verdict.checks, *self.questions) if one.passed is None]
        return (*asked, *(Doubt(one.name, one.words, True) for one in unread))


@dataclass(frozen=True)
class Doubt:
    """Something that is not excluded, and why."""

    name: str
    why: str
    unseen: bool = False  # because the record does not tell


def _likeliest(one: Guarded) -> float:
    """Order of doubts: what raises a question, then by the chance of harm; what is not recorded comes last."""
    if one.safety == "not_recorded":
        return 1.0
    return -1.0 if one.chance is None else -one.chance - (1 if one.guardrail.question else 0)


def prove(looking: Looking, asked: Asked, told: Told = unheard) -> Proof:
    """Did it work, by how much, how sure, and what got worse?"""
    better = asked.better or asked.measure.better
    if better == "neither":
        raise RequestError(
            f"{asked.measure.name} is neither better high nor better low.", "Say which way is better: --better lower."
        )
    told(f"Looking at {asked.measure.name}", 0, 0)
    looking.edges = () if asked.paid_until is None else (asked.paid_until,)
    looking.settles = asked.settles
    seen = observe(looking, asked.measure, asked.where, asked.age_days)
    if not seen.reason and seen.unripe and seen.before == len(seen.periods):
        first = asked.on + timedelta(days=math.ceil(LENGTH[asked.every]) + (seen.age_days or 0))
        seen = replace(
            seen,
            reason=f"cases are looked at {seen.age_days} days after their start, and none is old enough yet; look again from {first} on",
        )
    if seen.reason:
        return Proof(asked, seen, _unseen(seen, better, asked), ())
    controls = _controls(looking, asked, seen)
    verdict = change(
        seen.observed, seen.before, asked.every, better, controls=controls, parallel=asked.parallel, plan=asked.plan,
        worthwhile=_on_scale(seen, asked.worthwhile),
    )  # fmt: skip
    verdict = _as_measured(verdict, seen, bool(controls))
    told("Checking what would have spoilt it", 0, 0)
    tried = checks.CheckInput(seen, asked.every, better, tuple(controls), asked.parallel, verdict)
    verdict = _checked(verdict, _checks(looking, asked, tried)) if verdict.effect is not None else verdict
    guarded = _guarded(looking, asked, told)
    verdict = with_power(verdict, tried, guarded)
    questions: list[Check] = []
    if verdict.status == "improved":
        inquiry = recording.Inquiry(looking, replace(tried, verdict=verdict), asked.measure, asked.where, guarded)
        questions = recording.questions(inquiry)
    return Proof(asked, seen, verdict, guarded, _reward(asked, seen, better, controls), tuple(questions))


def _reward(asked: Asked, seen: Seen, better: Better, controls: list[Observed]) -> Incentive | None:
    """What an incentive did while it was paid, and after; at one look."""
    if asked.paid_until is None:
        return None
    ended = sum(period.start < asked.paid_until for period in seen.periods)
    inside = np.array([period.start < asked.paid_until < period.end for period in seen.periods], dtype=bool)
    size = np.where(inside, 0.0, seen.observed.size)
    return incentive(replace(seen.observed, size=size), seen.before, ended - seen.before, asked.every, better, controls)


def _as_measured(verdict: Verdict, seen: Seen, apart: bool) -> Verdict:
    """A wait's own quantiles in place of what stands for them in the fit; less controls, only the latter exists."""
    if not seen.shown:
        return verdict
    before, after = seen.sides
    lines = verdict.lines and (verdict.lines if apart else replace(verdict.lines, measured=seen.shown))
    return replace(verdict, level_before=before, level_after=after, lines=lines)


def _unseen(seen: Seen, better: Better, asked: Asked) -> Verdict:
    return Verdict(
        "not_enough_data", seen.reason, better, asked.every, 0, 0, 0.0, 0.0, None, None, None, None, {}, None, None,
        None, 0.95, asked.plan.looks, False, 0, None,
    )  # fmt: skip


def _on_scale(seen: Seen, part: float | None) -> float | None:
    """A part of the level before, as a step on the model's scale; of a share, the smaller of up and down."""
    early = seen.observed.seen[: seen.before]
    size = float(seen.observed.size[: seen.before][early].sum())
    if part is None or not size:
        return None
    level = float(seen.observed.total[: seen.before][early].sum()) / size
    if seen.observed.family == "rate":
        ends = [one for one in (level * (1 - part), level * (1 + part)) if 0 < one < 1]
        return (
            min((abs(math.log(one / (1 - one) * (1 - level) / level)) for one in ends), default=None)
            if 0 < level < 1
            else None
        )
    return math.log1p(part) if seen.observed.ratio else part * abs(level)


def _controls(looking: Looking, asked: Asked, seen: Seen) -> list[Observed]:
    """The same measure in each segment that nothing was done to, over the same periods."""
    found = []
    for column, value in asked.against:
        kept = tuple(pair for pair in asked.where if pair[0] != column)
        other = observe(looking, asked.measure, (*kept, (column, value)), seen.age_days)
        if other.reason:
            raise RequestError(
                f"{column}={value} cannot be compared with: {other.reason}.", "Choose another --against."
            )
        found.append(_long_enough(checks.aligned(other, seen), seen, f"{column}={value}"))
    return found


def _long_enough(other: Observed, seen: Seen, called: str) -> Observed:
    """A control that is known for most of the time before the change."""
    mine = seen.observed.seen[: seen.before]
    known = (other.seen[: seen.before] & mine).sum() / max(mine.sum(), 1)
    if known < KNOWN:
        raise RequestError(
            f"{called} cannot be compared with: it is known for {known:.0%} of the time before the change.",
            "Choose another --against, or start later with --since.",
        )
    return other


def _checks(looking: Looking, asked: Asked, tried: checks.CheckInput) -> list[Check]:
    found = [
        checks.gaps(tried),
        checks.trend_before(tried),
        checks.placebo_in_time(tried),
        checks.bad_stretch(tried),
        checks.another_change(tried, asked.on, asked.others),
    ]
    others = None if asked.against else all_others(looking, asked.where)
    if others is not None:
        found.append(checks.untouched(tried, observe(looking, asked.measure, others, tried.seen.age_days)))
    elif not asked.against:
        found.append(Check("no others to compare with", None, ALONE))
    found += checks.mixes(looking, tried, asked.measure, asked.where)
    return found


ALONE = "no column names cases that were not to change: another change at the same time is not excluded"


def all_others(looking: Looking, where: Where) -> Where | None:
    """The filter that leaves the cases which differ in the first segment named; None: there are none to name."""
    named = [column for column, _ in where if column in SEGMENTS and column != "source"]
    if not named:
        return None
    column, kept = named[0], tuple(pair for pair in where if pair[0] != named[0])
    only, values = filters(looking.scope, Question((), where=kept))
    sql = f"SELECT DISTINCT {quoted(column)} AS one FROM {looking.scope.table} WHERE {only} AND {quoted(column)} IS NOT NULL LIMIT {MOST_OTHERS + 50}"
    mine = {value for other, value in where if other == column}
    rest = sorted({str(one) for one in looking.scope.engine.ask(sql, values)["one"].to_pylist()} - mine)
    return (*kept, *((column, value) for value in rest)) if 0 < len(rest) <= MOST_OTHERS else None


def _checked(verdict: Verdict, found: Sequence[Check]) -> Verdict:
    """A claim that a check speaks against is taken back."""
    failed = [one for one in found if one.passed is False]
    verdict = replace(verdict, checks=tuple(found), plain=verdict.status)
    if not failed or not verdict.claims:
        return verdict
    status = "not_enough_data" if failed[0].name == checks.GAPS else "depends_on_trend"
    return replace(verdict, status=status, reason=failed[0].words)  # type: ignore[arg-type]


def rails(looking: Looking, asked: Asked) -> list[tuple[Guardrail, Where]]:
    """All guardrails of a question, and the cases in which each is looked at."""
    found = [(one, asked.where) for one in wanted(asked.measure, asked.guardrails)]
    others = all_others(looking, asked.where)
    if asked.measure.kind == "wait" and others is not None:  # work may have been pushed to them
        better = asked.better or asked.measure.better
        found.append((Guardrail(asked.measure, None, better, f"{asked.measure.name} of all others"), others))
    return found


def _guarded(looking: Looking, asked: Asked, told: Told) -> tuple[Guarded, ...]:
    """Every guardrail, at the age of the question or its own, whichever is older."""
    known = rails(looking, asked)
    found = []
    for place, (one, where) in enumerate(known):
        told(f"Looking at {one.called or one.measure.name}", place, len(known))
        seen = observe(looking, one.measure, where, None, asked.age_days or 0)
        found.append(guard(one, seen, asked.every, len(known), asked.margins))
    return tuple(found)

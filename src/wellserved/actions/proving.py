"""Improvements: declared, looked at, proved; and what else is asked of before and after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from wellserved import improvement, log
from wellserved.actions import silent
from wellserved.actions.asking import matching, opened, opening_hours
from wellserved.errors import RequestError, UnknownNameError
from wellserved.improvement import Improvement, Record
from wellserved.measure import Question, find_measure
from wellserved.measure.coverage import unmatched
from wellserved.measure.scope import Scope, filters
from wellserved.measure.timeline import moments_of
from wellserved.moments import Every, day_of, periods_between
from wellserved.prove import Asked, Guardrail, Looking, Plan, Proof, Seen, observe, prove
from wellserved.prove.adoption import Adoption, adoption, segments
from wellserved.prove.agreement import Agreement, agreed, judged_twice
from wellserved.prove.drivers import Drivers, what_drives
from wellserved.prove.foresight import Foresight, foresee
from wellserved.prove.gap import Gaps, gaps
from wellserved.prove.shift import Shift, shifted
from wellserved.sources.bytes import Progress
from wellserved.workspace import Workspace

Proved = tuple[Proof, tuple[str, ...]]  # and what has to be said of how the question came about
Span = tuple[date | None, date | None]


def declare_improvement(workspace: Workspace, one: Improvement, now: datetime | None = None) -> None:
    """Write an improvement down, before its result is looked at; what it names has to be in the record, if there is one."""
    if log.snapshot(workspace.log).version >= 0:
        improvement.checked(one)
        with opened(workspace, moments=True) as scope:
            _known_cases(scope, one)
    improvement.declare(workspace, one, now or datetime.now(UTC))


def _known_cases(scope: Scope, one: Improvement) -> None:
    """Raise where a filter names what no case has, or sets cases beside themselves."""
    for column, value in (*one.where, *one.against):
        if not segments(scope, Question((), by=column, where=((column, value),))):
            raise UnknownNameError(column, value, segments(scope, Question((), by=column)))
    if both := set(one.where) & set(one.against):
        column, value = sorted(both)[0]
        raise RequestError(f"{column}={value} cannot be compared with itself.", "Name others with --against.")


def foresee_improvement(workspace: Workspace, one: Improvement, told: Progress = silent) -> list[Foresight]:
    """What will be seen of it eight weeks after it begins; nothing where there is no record yet."""
    if log.snapshot(workspace.log).version < 0:
        return []
    improvement.checked(one)
    improvement.check_unused(workspace, one.name)
    with opened(workspace, told, moments=True) as scope:
        _known_cases(scope, one)
        told("Looking ahead", 0, 0)
        looking = replace(_looking(workspace, scope, one, (None, None)), hurried=False)
        return foresee(looking, _asked(one, Plan("always"), ()))


def with_margins(one: Improvement, ahead: Sequence[Foresight]) -> Improvement:
    """The improvement with the margins that were foreseen for guardrails which nobody named."""
    named = {name for name, _ in one.guardrails} | {one.measure}
    found = {each.called: each.margin for each in ahead if each.margin is not None and each.called not in named}
    return replace(one, margins=tuple(found.items()))


def change_improvement(
    workspace: Workspace, called: str, facts: dict[str, object], now: datetime | None = None
) -> None:
    """Change a declaration; both stay on record."""
    improvement.change(workspace, called, facts, now or datetime.now(UTC))


def withdraw_improvement(workspace: Workspace, called: str, why: str, now: datetime | None = None) -> None:
    """Take an improvement off the list."""
    improvement.withdraw(workspace, called, why, now or datetime.now(UTC))


def improvements(workspace: Workspace) -> list[Record]:
    """All that are declared."""
    return improvement.records(workspace)


def explore_change(workspace: Workspace, one: Improvement, span: Span, told: Progress = silent) -> Proved:
    """A change that nobody declared: labelled exploration wherever it is shown."""
    improvement.checked(one)
    others = _others((known for known in improvement.records(workspace) if not _is(known.improvement, one)), one)
    with opened(workspace, told, moments=True) as scope:
        _known_cases(scope, one)
        told("Comparing before and after", 0, 0)
        looking = _looking(workspace, scope, one, span)
        proof = prove(looking, _asked(one, Plan("once"), others), told)
    return proof, (EXPLORED, *_left_out(looking))


def _left_out(looking: Looking) -> tuple[str, ...]:
    """Which sources take no part in a proof, or in one of its measures, and why."""
    lacking = (f"{name}: without {source}: {why}." for (source, name), why in sorted(looking.lacking.items()))
    ended = tuple(
        f"Without {source}, which is known up to {day} alone." for source, day in sorted(looking.ended.items())
    )
    return (*ended, *lacking)


EXPLORED = (
    "Exploration: nobody declared this change before the result was looked at. A date or measure chosen because of the "
    "data will seem to show something; declare it (wellserved improve add) and look again at what comes after."
)


def prove_improvement(
    workspace: Workspace, called: str, span: Span = (None, None), told: Progress = silent, now: datetime | None = None
) -> Proved:
    """What a declared improvement did; that it was looked at is noted. A span that was not declared is an exploration."""
    record = improvement.record_of(workspace, called)
    one = record.improvement
    last = date.fromisoformat(one.ends) if one.ends else None
    until = min(filter(None, (span[1], last)), default=None)
    looks = [look for look in record.looks if _same(look.facts, one)]
    aged = replace(one, age_days=one.age_days or next((look.facts.get("age_days") for look in looks), None))
    plan = (
        Plan("planned", tuple(int(look.facts.get("after", 0)) for look in looks), _periods(one))
        if one.ends
        else Plan("always")
    )
    declared = called if span == (None, None) else ""
    with opened(workspace, told, moments=True) as scope:
        told("Comparing before and after", 0, 0)
        looking = replace(_looking(workspace, scope, one, (span[0], until)), hurried=False)
        proof = prove(looking, _asked(aged, plan, _others(improvement.records(workspace), one), declared), told)
        version = scope.log_version
    facts = {
        "after": proof.verdict.after, "status": "blocked" if proof.blocked else proof.headline, "headline": proof.headline, "log_version": version,
        "measure": one.measure, "since": one.since, "ends": one.ends, "settles": one.settles, "age_days": proof.seen.age_days,
        "window": [str(end) if end else None for end in span],
    }  # fmt: skip
    if not record.looks or record.looks[-1].facts != facts:  # another format of the same result is no other look
        improvement.looked(workspace, called, facts, now or datetime.now(UTC))
    window = (
        ()
        if declared
        else (f"Exploration: a window from {span[0] or 'the start'} to {span[1] or 'now'} was not declared.",)
    )
    return proof, (*window, *_left_out(looking), *_history(record))


def _same(facts: dict[str, Any], one: Improvement) -> bool:
    """A look at what is declared now, and at nothing else."""
    return all(facts.get(key) == getattr(one, key) for key in ("measure", "since", "ends", "settles")) and facts.get(
        "window"
    ) == [
        None,
        None,
    ]


def _is(declared: Improvement, explored: Improvement) -> bool:
    """What is explored is this very change."""
    return (declared.since, declared.where) == (explored.since, explored.where)


def _others(known: Iterable[Record], one: Improvement) -> tuple[tuple[str, date], ...]:
    """Other declared changes that may concern the same cases."""
    return tuple(
        (record.improvement.what, date.fromisoformat(record.improvement.since))
        for record in known
        if record.improvement.name != one.name and _may_touch(one, record.improvement)
    )


def _looking(workspace: Workspace, scope: Scope, one: Improvement, span: Span) -> Looking:
    sides = (one.where, one.against) if one.against else (one.where,)
    since = date.fromisoformat(one.since)
    return Looking(scope, "moments", opening_hours(workspace), since, one.every, *span, asked=sides)


def _asked(one: Improvement, plan: Plan, others: tuple[tuple[str, date], ...], called: str = "") -> Asked:
    rails = tuple(Guardrail(find_measure(name), margin) for name, margin in one.guardrails)
    return Asked(
        find_measure(one.measure), date.fromisoformat(one.since), one.every, one.where, one.better, one.against,
        one.parallel, rails, one.expected, one.age_days, others,
        date.fromisoformat(one.paid_until) if one.paid_until else None, plan, called, dict(one.margins),
        date.fromisoformat(one.settles) if one.settles else None,
    )  # fmt: skip


def _may_touch(one: Improvement, other: Improvement) -> bool:
    """Both may concern the same cases: no column tells them apart."""
    mine, theirs = _wanted(one.where), _wanted(other.where)
    return all(mine[column] & theirs[column] for column in mine.keys() & theirs.keys())


def _wanted(where: tuple[tuple[str, str], ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for column, value in where:
        found.setdefault(column, set()).add(value)
    return found


def _periods(one: Improvement) -> int:
    """Whole periods from the change to the fixed end."""
    assert one.ends is not None
    since, ends = date.fromisoformat(one.since), date.fromisoformat(one.ends)
    return sum(since <= period.start and period.end <= ends for period in periods_between(since, ends, one.every))


def _history(record: Record) -> tuple[str, ...]:
    """When it was declared, what was changed since, and how often it was looked at."""
    one = record.improvement
    when = record.declared_at[:10]
    late = "" if when <= one.since else f", after it had begun ({one.since})"
    said = [f"Declared on {when}{late}: {one.what}" + (f" ({one.who})" if one.who else "")]
    for entry in record.changes:
        facts = ", ".join(f"{key} to {value}" for key, value in entry.facts.items() if key != "margins")
        said.append(f"Changed on {entry.at[:10]}: {facts}.")
    for entry in record.withdrawn:
        said.append(
            f"Another declaration under this name was withdrawn on {entry.at[:10]}: {entry.facts.get('why', '')}."
        )
    if record.looked_first:
        said.append(
            "It was declared or changed after its result had been looked at: read the verdict as an exploration."
        )
    if record.looks:
        times = "once" if len(record.looks) == 1 else f"{len(record.looks)} times"
        said.append(f"Looked at {times} before, first on {record.looks[0].at[:10]}.")
    if not record.genuine:
        said.append("The record of improvements was altered by hand: the declaration cannot be relied on.")
    return tuple(said)


def find_shift(
    workspace: Workspace,
    called: str,
    every: Every,
    where: tuple[tuple[str, str], ...],
    span: Span,
    told: Progress = silent,
) -> tuple[Seen, Shift]:
    """When a measure shifted, if nobody declared a change; every case at the same age."""
    measure = find_measure(called)
    with opened(workspace, told, moments=True) as scope:
        first, last = _known_days(scope, where)
        middle = (span[0] or first) + ((span[1] or last) - (span[0] or first)) // 2
        told("Looking for a shift", 0, 0)
        seen = observe(
            Looking(scope, "moments", opening_hours(workspace), middle, every, *span, asked=(where,)), measure, where
        )
    if seen.reason:
        raise RequestError(f"{called} has no series here: {seen.reason}.", "Choose another measure, or other cases.")
    return shifted(seen, every)


def _known_days(scope: Scope, where: tuple[tuple[str, str], ...]) -> tuple[date, date]:
    only, values = filters(scope, Question((), where=where))
    days = scope.engine.ask(
        f"SELECT MIN(asked_day) AS first, MAX(asked_day) AS last FROM {scope.table} WHERE {only}", values
    )
    if days["first"][0].as_py() is None:
        raise RequestError(unmatched(scope, Question((), where=where)) or "There are no cases.", "Correct --where.")
    return day_of(int(days["first"][0].as_py())), day_of(int(days["last"][0].as_py()))


def prove_adoption(
    workspace: Workspace,
    one: Improvement,
    by: str,
    since: tuple[tuple[str, date], ...],
    span: Span,
    told: Progress = silent,
) -> Adoption:
    """What a change did that teams took up one after the other."""
    improvement.checked(one)
    with opened(workspace, told, moments=True) as scope:
        question = Question((), by=by, where=one.where)
        teams = segments(scope, question)
        for team, _ in since:
            if team not in teams:
                raise UnknownNameError(by, team, teams)
        told("Comparing teams", 0, 0)
        first, hours = min(day for _, day in since), opening_hours(workspace)
        looking = Looking(scope, "moments", hours, first, one.every, *span, asked=(one.where,))
        return adoption(looking, find_measure(one.measure), by, since, teams, one.where, one.age_days)


def find_drivers(workspace: Workspace, where: tuple[tuple[str, str], ...], told: Progress = silent) -> Drivers:
    """What goes with bad ratings."""
    with opened(workspace, told, moments=True) as scope:
        matching(scope, Question((), where=where))
        told("Weighing drivers", 0, 0)
        return what_drives(scope, where)


def find_gaps(workspace: Workspace, by: str, where: tuple[tuple[str, str], ...], told: Progress = silent) -> Gaps:
    """What customers expected beside what they got."""
    with opened(workspace, told, moments=True) as scope:
        matching(scope, Question((), where=where))
        return gaps(moments_of(scope, "moments", opening_hours(workspace)), by, where)


def compare_judges(workspace: Workspace, told: Progress = silent) -> Agreement:
    """One's own ratings beside those of customers."""
    with opened(workspace, told, moments=True) as scope:
        return agreed(*judged_twice(moments_of(scope, "moments", opening_hours(workspace))), scope.scales)

"""Questions to a workspace: measures, waits by other rules, queues, hand-overs, and the service report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

from wellserved import __version__, cases, log
from wellserved.actions import silent
from wellserved.calendar import Calendars, load_calendars
from wellserved.chain import Chain, chain
from wellserved.engine import Engine, duckdb, elsewhere
from wellserved.errors import RequestError, UnknownNameError, WorkspaceError
from wellserved.measure import Question, Series
from wellserved.measure.ask import answer
from wellserved.measure.clocks import Definition, as_measure, definition, definitions_of
from wellserved.measure.coverage import unknown_names, untold
from wellserved.measure.scope import Scope, scope_of
from wellserved.measure.timeline import Difference, Explained, Moments, compare, explain, moments_of, with_clock
from wellserved.moments import Every
from wellserved.queueing import Queue, queue
from wellserved.report import Report
from wellserved.report.making import make_report
from wellserved.scales import load_scales
from wellserved.sources.bytes import Progress
from wellserved.workspace import Workspace

IN_MEMORY = 1_000_000  # cases up to which a question's table is read once and kept


@contextmanager
def opened(
    workspace: Workspace, told: Progress = silent, moments: bool = False, often: bool = False
) -> Iterator[Scope]:
    """The workspace's cases, brought up to the log if an import was cut short, as one version from start to end.

    `moments`: the moments that they were folded from as well, as the table `moments`. `often`: many questions
    are to come, so that cases that fit are read once and kept.
    """
    old = log.snapshot(workspace.cases)
    now = log.snapshot(workspace.log)  # after the cases that follow it: what is committed between them is no loss
    log.whole(workspace, now)
    current = cases.is_current(workspace, now, old)
    if now.version < 0:
        raise WorkspaceError(f"{workspace.folder} holds no moments yet.", "Import a file: `wellserved import FILE`.")
    if not current:
        with workspace.writing() as scratch:
            cases.refresh(workspace, scratch, told)
        old = log.snapshot(workspace.cases)
    url = "" if moments else os.environ.get("WELLSERVED_ENGINE", "")
    if url and old.struck:  # else nobody has to wait for the lock
        with workspace.writing():
            old = cases.settle(workspace)
    version = int(old.facts["log_version"])
    hours, scales = opening_hours(workspace), load_scales(workspace.folder)
    engine: Engine
    if url:
        engine, table = elsewhere(url, old.files, cases.TYPES)
    else:
        engine, table = _here(workspace, old, version, moments, often), "cases"
    try:
        yield scope_of(
            engine, table, workspace.zone, version, calendars=hours, cannot=log.untold(workspace), scales=scales
        )
    finally:
        engine.close()


def _here(workspace: Workspace, old: log.Snapshot, version: int, moments: bool, often: bool) -> duckdb.DuckDB:
    """The default engine, with one version's cases as the table `cases`."""
    db = duckdb.connect(workspace.cases, *([workspace.log] if moments else []))
    duckdb.view(db, "stored_cases", old.files, cases.TYPES, old.out())
    if moments:
        log.standing(db, "moments", log.snapshot(workspace.log, version).files)
    few = often and db.sql("SELECT count(*) FROM stored_cases").fetchall()[0][0] <= IN_MEMORY
    kept = "TABLE" if few else "VIEW"
    db.execute(f"CREATE TEMP {kept} cases AS FROM stored_cases")
    return duckdb.DuckDB(db)


def opening_hours(workspace: Workspace) -> Calendars:
    """The workspace's calendars; none: calendar time alone."""
    return load_calendars(workspace.calendars, workspace.zone)


def matching(scope: Scope, question: Question) -> None:
    """Raise where a filter names what no case has, with the nearest names."""
    if reason := unknown_names(scope, question):
        raise RequestError(reason, "Correct --where.")


def ask_measures(
    workspace: Workspace, question: Question, told: Progress = silent, must_match: bool = False
) -> list[Series]:
    """The answers to a question, in its order; `must_match`: names that no case has are an error, not an answer."""
    with opened(workspace, told) as scope:
        if must_match:
            matching(scope, question)
        answers = answer(scope, question)
    return [answers[measure.name] for measure in question.measures]


def ask_as(workspace: Workspace, question: Question, house: str, told: Progress = silent) -> list[Series]:
    """The same by another house's rules: waits alone."""
    rules = [definition(measure.name, house) for measure in question.measures]
    found = []
    with opened(workspace, told, moments=True) as scope:
        matching(scope, question)
        moments = _timed(workspace, scope, *rules)
        for measure, rule in zip(question.measures, rules, strict=True):
            told(f"Counting {measure.name} as {house} does", 0, 0)
            theirs = as_measure(rule, measure)
            by_clock = with_clock(moments, rule, workspace.zone)
            found.append(answer(by_clock, replace(question, measures=(theirs,)))[theirs.name])
    return found


def ask_queue(workspace: Workspace, question: Question, seconds: int, slot: int, told: Progress = silent) -> Queue:
    """What became of those who asked in a span: served, left, or waiting; the whole and by interval of the day."""
    with opened(workspace, told) as scope:
        matching(scope, question)
        told("Counting waits", 0, 0)
        return queue(scope, question, seconds, slot)


def explain_case(
    workspace: Workspace, measure: str, case_id: str, source: str | None, told: Progress = silent
) -> Explained:
    """What each house's rule counts of one case."""
    rules = definitions_of(measure)
    with opened(workspace, told, moments=True) as scope:
        return explain(moments_of(scope, "moments", opening_hours(workspace)), rules, case_id, source)


def compare_rules(
    workspace: Workspace, rules: tuple[Definition, Definition], source: str | None, told: Progress = silent
) -> list[Difference]:
    """How many cases two rules count differently, and why."""
    with opened(workspace, told, moments=True) as scope:
        if source is not None and source not in scope.as_of:
            raise UnknownNameError("source", source, scope.as_of)
        told("Comparing", 0, 0)
        only = f"source IN ({', '.join(map(duckdb.text, _told_by(scope, rules, source)))})"
        return compare(_timed(workspace, scope, *rules), *rules, only)


def _told_by(scope: Scope, rules: Sequence[Definition], source: str | None) -> list[str]:
    """The sources that tell what all of the rules rest on; raises where none does."""
    reasons = {
        name: next(filter(None, (untold(scope, rule.relies_on, name) for rule in rules)), "")
        for name in ([source] if source else sorted(scope.as_of))
    }
    told = [name for name, reason in reasons.items() if not reason]
    if not told:
        raise RequestError(
            f"The rules cannot be compared: {next(iter(reasons.values()))}.",
            "Import an export that holds every change of a case.",
        )
    return told


def follow_chain(workspace: Workspace, source: str | None, told: Progress = silent) -> Chain:
    """Who hands over to whom, where time lies, and whose cases fail downstream."""
    with opened(workspace, told, moments=True) as scope:
        if source is not None and source not in scope.as_of:
            raise UnknownNameError("source", source, scope.as_of)
        told("Following hand-overs", 0, 0)
        return chain(moments_of(scope, "moments", opening_hours(workspace)), source)


def _timed(workspace: Workspace, scope: Scope, *rules: Definition) -> Moments:
    """The moments, with the hours that the rules need."""
    calendars = opening_hours(workspace)
    for rule in rules:
        if rule.runs != "calendar" and not calendars.all:
            raise RequestError(
                f"{rule.house} counts {rule.word!r} in opening hours, and there are none.",
                f"Write them into {workspace.calendars}; docs/clocks.md shows how.",
            )
    return moments_of(scope, "moments", calendars)


def service_report(
    workspace: Workspace,
    source: str | None = None,
    every: Every | None = None,
    period: date | None = None,
    rule_set: str = "anhoej",
    told: Progress = silent,
) -> Report:
    """The service report on one source; without a name, on the only one there is."""
    with opened(workspace, told, often=True) as scope:
        known = sorted(scope.as_of)
        if source is None and len(known) != 1:
            raise RequestError(
                f"The workspace holds {len(known)} sources.", f"Name one: --source {' or '.join(known)}."
            )
        if source is not None and source not in known:
            raise UnknownNameError("source", source, known)
        chosen = source or known[0]
        told("Writing the report", 0, 0)
        return make_report(scope, chosen, log.receipts(workspace, chosen), __version__, every, period, rule_set)

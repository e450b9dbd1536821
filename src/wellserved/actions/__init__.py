"""One short function a deed: opens what it needs, calls the road, and says what came of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from wellserved import __version__, cases, improvement, log
from wellserved.calendar import Calendars, load_calendars
from wellserved.chain import Chain, chain
from wellserved.engine import Engine, duckdb, elsewhere
from wellserved.errors import RequestError, UnknownNameError, WorkspaceError
from wellserved.improvement import Improvement, Record
from wellserved.measure import Question, Scope, Series, answer, find_measure, scope_of
from wellserved.measure.clocks import Definition, as_measure, definition, definitions_of
from wellserved.measure.coverage import unknown_names, unmatched, untold
from wellserved.measure.scope import filters
from wellserved.measure.timeline import Difference, Explained, Moments, compare, explain, moments_of, with_clock
from wellserved.moments import Every, day_of, periods_between
from wellserved.prove import Asked, Guardrail, Looking, Plan, Proof, Seen, observe, prove
from wellserved.prove.adoption import Adoption, adoption, segments
from wellserved.prove.agreement import Agreement, agreed, judged_twice
from wellserved.prove.drivers import Drivers, what_drives
from wellserved.prove.foresight import Foresight, foresee
from wellserved.prove.gap import Gaps, gaps
from wellserved.prove.shift import Shift, shifted
from wellserved.queueing import Queue, queue
from wellserved.report import Report, make_report
from wellserved.scales import load_scales
from wellserved.sources.bytes import Progress
from wellserved.workspace import Workspace

IN_MEMORY = 1_000_000  # cases up to which a question's table is read once and kept


def silent(activity: str, count: int, total: int) -> None:
    """A progress report that nobody reads."""


@contextmanager
def opened(
    workspace: Workspace, on_progress: Progress = silent, moments: bool = False, keep_in_memory: bool = False
) -> Iterator[Scope]:
    """The workspace's cases, brought up to the log if an import was cut short, as one version from start to end.

    `moments`: the moments that they were folded from as well, as the table `moments`. `keep_in_memory`: many
    questions are to come, so that cases that fit are read once and kept.
    """
    stored_cases = log.snapshot(workspace.cases)
    # The log after the cases that follow it: what is committed between the two is no loss.
    current_log = log.snapshot(workspace.log)
    log.whole(workspace, current_log)
    is_current = cases.is_current(workspace, current_log, stored_cases)
    if current_log.version < 0:
        raise WorkspaceError(f"{workspace.folder} holds no moments yet.", "Import a file: `wellserved import FILE`.")
    if not is_current:
        with workspace.writing() as scratch:
            cases.refresh(workspace, scratch, on_progress)
        stored_cases = log.snapshot(workspace.cases)
    url = "" if moments else os.environ.get("WELLSERVED_ENGINE", "")
    if url and stored_cases.struck:  # else nobody has to wait for the lock
        with workspace.writing():
            stored_cases = cases.settle(workspace)
    log_version = int(stored_cases.facts["log_version"])
    calendars, scales = opening_hours(workspace), load_scales(workspace.folder)
    engine: Engine
    if url:
        engine, table = elsewhere(url, stored_cases.files, cases.TYPES)
    else:
        engine, table = _open_duckdb(workspace, stored_cases, log_version, moments, keep_in_memory), "cases"
    try:
        yield scope_of(
            engine, table, workspace.zone, log_version, calendars=calendars, cannot=log.untold(workspace), scales=scales
        )
    finally:
        engine.close()


def _open_duckdb(
    workspace: Workspace, stored_cases: log.Snapshot, log_version: int, with_moments: bool, keep_in_memory: bool
) -> duckdb.DuckDB:
    """The default engine, with one version's cases as the table `cases`."""
    db = duckdb.connect(workspace.cases, *([workspace.log] if with_moments else []))
    duckdb.view(db, "stored_cases", stored_cases.files, cases.TYPES, stored_cases.out())
    if with_moments:
        log.standing(db, "moments", log.snapshot(workspace.log, log_version).files)
    fits_in_memory = keep_in_memory and db.sql("SELECT count(*) FROM stored_cases").fetchall()[0][0] <= IN_MEMORY
    relation_kind = "TABLE" if fits_in_memory else "VIEW"
    db.execute(f"CREATE TEMP {relation_kind} cases AS FROM stored_cases")
    return duckdb.DuckDB(db)


def opening_hours(workspace: Workspace) -> Calendars:
    """The workspace's calendars; none: calendar time alone."""
    return load_calendars(workspace.calendars, workspace.zone)


def matching(case_table: Scope, question: Question) -> None:
    """Raise where a filter names what no case has, with the nearest names."""
    if reason := unknown_names(case_table, question):
        raise RequestError(reason, "Correct --where.")


def ask_measures(
    workspace: Workspace, question: Question, on_progress: Progress = silent, must_match: bool = False
) -> list[Series]:
    """The answers to a question, in its order; `must_match`: names that no case has are an error, not an answer."""
    with opened(workspace, on_progress) as case_table:
        if must_match:
            matching(case_table, question)
        answers = answer(case_table, question)
    return [answers[measure.name] for measure in question.measures]


def ask_as(workspace: Workspace, question: Question, vendor: str, on_progress: Progress = silent) -> list[Series]:
    """The answers to a question by another vendor's rules: waits alone."""
    rules = [definition(measure.name, vendor) for measure in question.measures]
    answers = []
    with opened(workspace, on_progress, moments=True) as case_table:
        matching(case_table, question)
        moments = _moments_with_hours(workspace, case_table, *rules)
        for measure, rule in zip(question.measures, rules, strict=True):
            on_progress(f"Counting {measure.name} as {vendor} does", 0, 0)
            vendor_measure = as_measure(rule, measure)
            vendor_cases = with_clock(moments, rule, workspace.zone)
            answers.append(answer(vendor_cases, replace(question, measures=(vendor_measure,)))[vendor_measure.name])
    return answers


def ask_queue(
    workspace: Workspace, question: Question, seconds: int, slot: int, on_progress: Progress = silent
) -> Queue:
    """What became of those who asked in a span: served, left, or waiting; the whole and by interval of the day."""
    with opened(workspace, on_progress) as case_table:
        matching(case_table, question)
        on_progress("Counting waits", 0, 0)
        return queue(case_table, question, seconds, slot)


def explain_case(
    workspace: Workspace, measure: str, case_id: str, source: str | None, on_progress: Progress = silent
) -> Explained:
    """What each vendor's rule counts of one case."""
    rules = definitions_of(measure)
    with opened(workspace, on_progress, moments=True) as case_table:
        return explain(moments_of(case_table, "moments", opening_hours(workspace)), rules, case_id, source)


def compare_rules(
    workspace: Workspace, rules: tuple[Definition, Definition], source: str | None, on_progress: Progress = silent
) -> list[Difference]:
    """How many cases two rules count differently, and why."""
    with opened(workspace, on_progress, moments=True) as case_table:
        if source is not None and source not in case_table.as_of:
            raise UnknownNameError("source", source, case_table.as_of)
        on_progress("Comparing", 0, 0)
        source_filter = f"source IN ({', '.join(map(duckdb.text, _able_sources(case_table, rules, source)))})"
        return compare(_moments_with_hours(workspace, case_table, *rules), *rules, source_filter)


def _able_sources(case_table: Scope, rules: Sequence[Definition], source: str | None) -> list[str]:
    """The sources that tell what all of the rules rest on; raises where none does."""
    reasons = {
        name: next(filter(None, (untold(case_table, rule.relies_on, name) for rule in rules)), "")
        for name in ([source] if source else sorted(case_table.as_of))
    }
    able_sources = [name for name, reason in reasons.items() if not reason]
    if not able_sources:
        raise RequestError(
            f"The rules cannot be compared: {next(iter(reasons.values()))}.",
            "Import an export that holds every change of a case.",
        )
    return able_sources


def follow_chain(workspace: Workspace, source: str | None, on_progress: Progress = silent) -> Chain:
    """Who hands over to whom, where time lies, and whose cases fail downstream."""
    with opened(workspace, on_progress, moments=True) as case_table:
        if source is not None and source not in case_table.as_of:
            raise UnknownNameError("source", source, case_table.as_of)
        on_progress("Following hand-overs", 0, 0)
        return chain(moments_of(case_table, "moments", opening_hours(workspace)), source)


def _moments_with_hours(workspace: Workspace, case_table: Scope, *rules: Definition) -> Moments:
    """The moments, with the hours that the rules need."""
    calendars = opening_hours(workspace)
    for rule in rules:
        if rule.runs != "calendar" and not calendars.all:
            raise RequestError(
                f"{rule.house} counts {rule.word!r} in opening hours, and there are none.",
                f"Write them into {workspace.calendars}; docs/clocks.md shows how.",
            )
    return moments_of(case_table, "moments", calendars)


def service_report(
    workspace: Workspace,
    source: str | None = None,
    granularity: Every | None = None,
    period: date | None = None,
    rule_set: str = "anhoej",
    told: Progress = silent,
) -> Report:
    """The service report on one source; without a name, on the only one there is."""
    with opened(workspace, told, keep_in_memory=True) as case_table:
        known_sources = sorted(case_table.as_of)
        if source is None and len(known_sources) != 1:
            raise RequestError(
                f"The workspace holds {len(known_sources)} sources.",
                f"Name one: --source {' or '.join(known_sources)}.",
            )
        if source is not None and source not in known_sources:
            raise UnknownNameError("source", source, known_sources)
        chosen_source = source or known_sources[0]
        told("Writing the report", 0, 0)
        return make_report(
            case_table,
            chosen_source,
            log.receipts(workspace, chosen_source),
            __version__,
            granularity,
            period,
            rule_set,
        )


Proved = tuple[Proof, tuple[str, ...]]  # and what has to be said of how the question came about
Span = tuple[date | None, date | None]


def declare_improvement(workspace: Workspace, declaration: Improvement, now: datetime | None = None) -> None:
    """Write an improvement down, before its result is looked at; what it names has to be in the record, if there is one."""
    if log.snapshot(workspace.log).version >= 0:
        improvement.checked(declaration)
        with opened(workspace, moments=True) as case_table:
            _check_filtered_cases(case_table, declaration)
    improvement.declare(workspace, declaration, now or datetime.now(UTC))


def _check_filtered_cases(case_table: Scope, declaration: Improvement) -> None:
    """Raise where a filter names what no case has, or sets cases beside themselves."""
    for column, value in (*declaration.where, *declaration.against):
        if not segments(case_table, Question((), by=column, where=((column, value),))):
            raise UnknownNameError(column, value, segments(case_table, Question((), by=column)))
    if shared_filters := set(declaration.where) & set(declaration.against):
        column, value = sorted(shared_filters)[0]
        raise RequestError(f"{column}={value} cannot be compared with itself.", "Name others with --against.")


def foresee_improvement(
    workspace: Workspace, declaration: Improvement, on_progress: Progress = silent
) -> list[Foresight]:
    """What will be seen of an improvement eight weeks after it begins; nothing where there is no record yet."""
    if log.snapshot(workspace.log).version < 0:
        return []
    improvement.checked(declaration)
    improvement.check_unused(workspace, declaration.name)
    with opened(workspace, on_progress, moments=True) as case_table:
        _check_filtered_cases(case_table, declaration)
        on_progress("Looking ahead", 0, 0)
        window = replace(_analysis_window(workspace, case_table, declaration, (None, None)), hurried=False)
        return foresee(window, _proof_request(declaration, Plan("always"), ()))


def with_margins(declaration: Improvement, foresights: Sequence[Foresight]) -> Improvement:
    """The improvement with the margins that were foreseen for guardrails which nobody named."""
    named_measures = {name for name, _ in declaration.guardrails} | {declaration.measure}
    margins = {
        foresight.called: foresight.margin
        for foresight in foresights
        if foresight.margin is not None and foresight.called not in named_measures
    }
    return replace(declaration, margins=tuple(margins.items()))


def change_improvement(workspace: Workspace, name: str, facts: dict[str, object], now: datetime | None = None) -> None:
    """Change a declaration; the old and the new one stay on record."""
    improvement.change(workspace, name, facts, now or datetime.now(UTC))


def withdraw_improvement(workspace: Workspace, name: str, reason: str, now: datetime | None = None) -> None:
    """Take an improvement off the list."""
    improvement.withdraw(workspace, name, reason, now or datetime.now(UTC))


def improvements(workspace: Workspace) -> list[Record]:
    """All improvements that are declared."""
    return improvement.records(workspace)


def explore_change(workspace: Workspace, candidate: Improvement, span: Span, on_progress: Progress = silent) -> Proved:
    """A change that nobody declared: labelled exploration wherever it is shown."""
    improvement.checked(candidate)
    other_changes = _other_changes(
        (record for record in improvement.records(workspace) if not _is_same_change(record.improvement, candidate)),
        candidate,
    )
    with opened(workspace, on_progress, moments=True) as case_table:
        _check_filtered_cases(case_table, candidate)
        on_progress("Comparing before and after", 0, 0)
        window = _analysis_window(workspace, case_table, candidate, span)
        proof = prove(window, _proof_request(candidate, Plan("once"), other_changes), on_progress)
    return proof, (EXPLORED, *_exclusion_notes(window))


def _exclusion_notes(window: Looking) -> tuple[str, ...]:
    """Which sources take no part in a proof, or in one of its measures, and why."""
    gap_notes = (f"{name}: without {source}: {reason}." for (source, name), reason in sorted(window.lacking.items()))
    end_notes = tuple(
        f"Without {source}, which is known up to {day} alone." for source, day in sorted(window.ended.items())
    )
    return (*end_notes, *gap_notes)


EXPLORED = (
    "Exploration: nobody declared this change before the result was looked at. A date or measure chosen because of the "
    "data will seem to show something; declare it (wellserved improve add) and look again at what comes after."
)


def prove_improvement(
    workspace: Workspace,
    name: str,
    span: Span = (None, None),
    on_progress: Progress = silent,
    now: datetime | None = None,
) -> Proved:
    """What a declared improvement did; that its result was looked at is noted. A span that was not declared is an exploration."""
    record = improvement.record_of(workspace, name)
    declaration = record.improvement
    last_day = date.fromisoformat(declaration.ends) if declaration.ends else None
    until = min(filter(None, (span[1], last_day)), default=None)
    looks = [look for look in record.looks if _is_look_at_declaration(look.facts, declaration)]
    declaration_with_age = replace(
        declaration, age_days=declaration.age_days or next((look.facts.get("age_days") for look in looks), None)
    )
    plan = (
        Plan("planned", tuple(int(look.facts.get("after", 0)) for look in looks), _period_count(declaration))
        if declaration.ends
        else Plan("always")
    )
    declared_name = name if span == (None, None) else ""
    with opened(workspace, on_progress, moments=True) as case_table:
        on_progress("Comparing before and after", 0, 0)
        window = replace(_analysis_window(workspace, case_table, declaration, (span[0], until)), hurried=False)
        proof = prove(
            window,
            _proof_request(
                declaration_with_age, plan, _other_changes(improvement.records(workspace), declaration), declared_name
            ),
            on_progress,
        )
        version = case_table.log_version
    facts = {
        "after": proof.verdict.after, "status": "blocked" if proof.blocked else proof.headline, "headline": proof.headline, "log_version": version,
        "measure": declaration.measure, "since": declaration.since, "ends": declaration.ends, "settles": declaration.settles, "age_days": proof.seen.age_days,
        "window": [str(end) if end else None for end in span],
    }  # fmt: skip
    if not record.looks or record.looks[-1].facts != facts:  # another format of the same result is no other look
        improvement.looked(workspace, name, facts, now or datetime.now(UTC))
    window_notes = (
        ()
        if declared_name
        else (f"Exploration: a window from {span[0] or 'the start'} to {span[1] or 'now'} was not declared.",)
    )
    return proof, (*window_notes, *_exclusion_notes(window), *_history_notes(record))


def _is_look_at_declaration(facts: dict[str, Any], declaration: Improvement) -> bool:
    """A look at what is declared now, and at nothing else."""
    return all(
        facts.get(key) == getattr(declaration, key) for key in ("measure", "since", "ends", "settles")
    ) and facts.get("window") == [
        None,
        None,
    ]


def _is_same_change(declaration: Improvement, candidate: Improvement) -> bool:
    """What is explored is this very change."""
    return (declaration.since, declaration.where) == (candidate.since, candidate.where)


def _other_changes(records: Iterable[Record], declaration: Improvement) -> tuple[tuple[str, date], ...]:
    """Other declared changes that may concern the same cases."""
    return tuple(
        (record.improvement.what, date.fromisoformat(record.improvement.since))
        for record in records
        if record.improvement.name != declaration.name and _may_overlap(declaration, record.improvement)
    )


def _analysis_window(workspace: Workspace, case_table: Scope, declaration: Improvement, span: Span) -> Looking:
    case_filters = (declaration.where, declaration.against) if declaration.against else (declaration.where,)
    since = date.fromisoformat(declaration.since)
    return Looking(case_table, "moments", opening_hours(workspace), since, declaration.every, *span, asked=case_filters)


def _proof_request(
    declaration: Improvement, plan: Plan, other_changes: tuple[tuple[str, date], ...], improvement_name: str = ""
) -> Asked:
    guardrails = tuple(Guardrail(find_measure(name), margin) for name, margin in declaration.guardrails)
    return Asked(
        find_measure(declaration.measure), date.fromisoformat(declaration.since), declaration.every, declaration.where, declaration.better, declaration.against,
        declaration.parallel, guardrails, declaration.expected, declaration.age_days, other_changes,
        date.fromisoformat(declaration.paid_until) if declaration.paid_until else None, plan, improvement_name, dict(declaration.margins),
        date.fromisoformat(declaration.settles) if declaration.settles else None,
    )  # fmt: skip


def _may_overlap(declaration: Improvement, other_declaration: Improvement) -> bool:
    """Both may concern the same cases: no column tells them apart."""
    values, other_values = _filter_values(declaration.where), _filter_values(other_declaration.where)
    return all(values[column] & other_values[column] for column in values.keys() & other_values.keys())


def _filter_values(where: tuple[tuple[str, str], ...]) -> dict[str, set[str]]:
    values_by_column: dict[str, set[str]] = {}
    for column, value in where:
        values_by_column.setdefault(column, set()).add(value)
    return values_by_column


def _period_count(declaration: Improvement) -> int:
    """Whole periods from the change to the fixed end."""
    assert declaration.ends is not None
    since, ends = date.fromisoformat(declaration.since), date.fromisoformat(declaration.ends)
    return sum(
        since <= period.start and period.end <= ends for period in periods_between(since, ends, declaration.every)
    )


def _history_notes(record: Record) -> tuple[str, ...]:
    """When an improvement was declared, what was changed since, and how often it was looked at."""
    declaration = record.improvement
    declared_on = record.declared_at[:10]
    late_note = "" if declared_on <= declaration.since else f", after it had begun ({declaration.since})"
    notes = [
        f"Declared on {declared_on}{late_note}: {declaration.what}"
        + (f" ({declaration.who})" if declaration.who else "")
    ]
    for entry in record.changes:
        facts = ", ".join(f"{key} to {value}" for key, value in entry.facts.items() if key != "margins")
        notes.append(f"Changed on {entry.at[:10]}: {facts}.")
    for entry in record.withdrawn:
        notes.append(
            f"Another declaration under this name was withdrawn on {entry.at[:10]}: {entry.facts.get('why', '')}."
        )
    if record.looked_first:
        notes.append(
            "It was declared or changed after its result had been looked at: read the verdict as an exploration."
        )
    if record.looks:
        times = "once" if len(record.looks) == 1 else f"{len(record.looks)} times"
        notes.append(f"Looked at {times} before, first on {record.looks[0].at[:10]}.")
    if not record.genuine:
        notes.append("The record of improvements was altered by hand: the declaration cannot be relied on.")
    return tuple(notes)


def find_shift(
    workspace: Workspace,
    measure_name: str,
    granularity: Every,
    where: tuple[tuple[str, str], ...],
    span: Span,
    on_progress: Progress = silent,
) -> tuple[Seen, Shift]:
    """When a measure shifted, if nobody declared a change; every case at the same age."""
    measure = find_measure(measure_name)
    with opened(workspace, on_progress, moments=True) as case_table:
        first, last = _recorded_days(case_table, where)
        middle = (span[0] or first) + ((span[1] or last) - (span[0] or first)) // 2
        on_progress("Looking for a shift", 0, 0)
        series = observe(
            Looking(case_table, "moments", opening_hours(workspace), middle, granularity, *span, asked=(where,)),
            measure,
            where,
        )
    if series.reason:
        raise RequestError(
            f"{measure_name} has no series here: {series.reason}.", "Choose another measure, or other cases."
        )
    return shifted(series, granularity)


def _recorded_days(case_table: Scope, where: tuple[tuple[str, str], ...]) -> tuple[date, date]:
    condition, parameters = filters(case_table, Question((), where=where))
    days = case_table.engine.ask(
        f"SELECT MIN(asked_day) AS first, MAX(asked_day) AS last FROM {case_table.table} WHERE {condition}", parameters
    )
    if days["first"][0].as_py() is None:
        raise RequestError(
            unmatched(case_table, Question((), where=where)) or "There are no cases.", "Correct --where."
        )
    return day_of(int(days["first"][0].as_py())), day_of(int(days["last"][0].as_py()))


def prove_adoption(
    workspace: Workspace,
    candidate: Improvement,
    by: str,
    since: tuple[tuple[str, date], ...],
    span: Span,
    on_progress: Progress = silent,
) -> Adoption:
    """What a change did that teams took up one after the other."""
    improvement.checked(candidate)
    with opened(workspace, on_progress, moments=True) as case_table:
        question = Question((), by=by, where=candidate.where)
        teams = segments(case_table, question)
        for team, _ in since:
            if team not in teams:
                raise UnknownNameError(by, team, teams)
        on_progress("Comparing teams", 0, 0)
        first, calendars = min(day for _, day in since), opening_hours(workspace)
        window = Looking(case_table, "moments", calendars, first, candidate.every, *span, asked=(candidate.where,))
        return adoption(window, find_measure(candidate.measure), by, since, teams, candidate.where, candidate.age_days)


def find_drivers(workspace: Workspace, where: tuple[tuple[str, str], ...], on_progress: Progress = silent) -> Drivers:
    """What goes with bad ratings."""
    with opened(workspace, on_progress, moments=True) as case_table:
        matching(case_table, Question((), where=where))
        on_progress("Weighing drivers", 0, 0)
        return what_drives(case_table, where)


def find_gaps(
    workspace: Workspace, by: str, where: tuple[tuple[str, str], ...], on_progress: Progress = silent
) -> Gaps:
    """What customers expected beside what they got."""
    with opened(workspace, on_progress, moments=True) as case_table:
        matching(case_table, Question((), where=where))
        return gaps(moments_of(case_table, "moments", opening_hours(workspace)), by, where)


def compare_judges(workspace: Workspace, on_progress: Progress = silent) -> Agreement:
    """One's own ratings beside those of customers."""
    with opened(workspace, on_progress, moments=True) as case_table:
        return agreed(*judged_twice(moments_of(case_table, "moments", opening_hours(workspace))), case_table.scales)

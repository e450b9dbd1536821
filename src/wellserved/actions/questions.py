"""Questions to a workspace: measures, waits by other rules, queues, hand-overs, and the service report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

from wellserved import __version__, cases, log
from wellserved.calendar import Calendars, load_calendars
from wellserved.chain import Chain, chain
from wellserved.engine import Engine, duckdb, open_engine
from wellserved.errors import RequestError, UnknownNameError, WorkspaceError
from wellserved.measure import MeasureQuestion, Series, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable, make_case_table
from wellserved.measure.coverage import missing_moment_reason, unknown_names
from wellserved.measure.timeline import (
    CaseExplanation,
    MomentTable,
    RuleDifference,
    explain_rules,
    make_moment_table,
    rule_differences,
    with_rule_columns,
)
from wellserved.measure.vendor_rules import VendorRule, as_vendor_measure, find_vendor_rule, vendor_rules_of
from wellserved.moments import Granularity
from wellserved.progress import ProgressCallback, no_progress
from wellserved.queueing import Queue, analyse_queue
from wellserved.report import Report
from wellserved.report.assembly import make_report
from wellserved.scales import load_scales
from wellserved.workspace import Workspace

MAX_CASES_IN_MEMORY = 1_000_000  # cases up to which a question's table is read once and kept


@contextmanager
def open_case_table(
    workspace: Workspace,
    on_progress: ProgressCallback = no_progress,
    with_moments: bool = False,
    keep_in_memory: bool = False,
) -> Iterator[CaseTable]:
    """The workspace's cases, brought up to the log if an import was cut short, as one version from start to end.

    `with_moments`: the moments that they were folded from as well, as the table `moments`. `keep_in_memory`: many questions
    are to come, so that cases that fit are read once and kept.
    """
    stored_cases = log.snapshot(workspace.cases)
    current_log = log.snapshot(
        workspace.log
    )  # after the cases that follow it: what is committed between them is no loss
    log.check_complete(workspace, current_log)
    is_current = cases.is_current(workspace, current_log, stored_cases)
    if current_log.version < 0:
        raise WorkspaceError(f"{workspace.folder} holds no moments yet.", "Import a file: `wellserved import FILE`.")
    if not is_current:
        with workspace.write_lock() as scratch:
            cases.refresh(workspace, scratch, on_progress)
        stored_cases = log.snapshot(workspace.cases)
    url = "" if with_moments else os.environ.get("WELLSERVED_ENGINE", "")
    if url and stored_cases.deleted_rows:  # else nobody has to wait for the lock
        with workspace.write_lock():
            stored_cases = cases.purge_deleted_rows(workspace)
    log_version = int(stored_cases.facts["log_version"])
    calendars, scales = opening_hours(workspace), load_scales(workspace.folder)
    engine: Engine
    if url:
        engine, table = open_engine(url, stored_cases.files, cases.CASE_TYPES)
    else:
        engine, table = _open_duckdb(workspace, stored_cases, log_version, with_moments, keep_in_memory), "cases"
    try:
        yield make_case_table(
            engine,
            table,
            workspace.zone,
            log_version,
            calendars=calendars,
            cannot=log.unrecorded_kinds(workspace),
            scales=scales,
        )
    finally:
        engine.close()


def _open_duckdb(
    workspace: Workspace, stored_cases: log.Snapshot, log_version: int, with_moments: bool, keep_in_memory: bool
) -> duckdb.DuckDB:
    """The default engine, with one version's cases as the table `cases`."""
    db = duckdb.connect(workspace.cases, *([workspace.log] if with_moments else []))
    duckdb.create_view(db, "stored_cases", stored_cases.files, cases.CASE_TYPES, stored_cases.deleted_row_table())
    if with_moments:
        log.create_current_view(db, "moments", log.snapshot(workspace.log, log_version).files)
    fits_in_memory = (
        keep_in_memory and db.sql("SELECT count(*) FROM stored_cases").fetchall()[0][0] <= MAX_CASES_IN_MEMORY
    )
    relation_kind = "TABLE" if fits_in_memory else "VIEW"
    db.execute(f"CREATE TEMP {relation_kind} cases AS FROM stored_cases")
    return duckdb.DuckDB(db)


def opening_hours(workspace: Workspace) -> Calendars:
    """The workspace's calendars; none: calendar time alone."""
    return load_calendars(workspace.calendars, workspace.zone)


def check_filters(case_table: CaseTable, question: MeasureQuestion) -> None:
    """Raise where a filter names what no case has, with the nearest names."""
    if reason := unknown_names(case_table, question):
        raise RequestError(reason, "Correct --where.")


def ask_measures(
    workspace: Workspace,
    question: MeasureQuestion,
    on_progress: ProgressCallback = no_progress,
    must_match: bool = False,
) -> list[Series]:
    """The answers to a question, in its order; `must_match`: names that no case has are an error, not an answer."""
    with open_case_table(workspace, on_progress) as case_table:
        if must_match:
            check_filters(case_table, question)
        answers = answer_question(case_table, question)
    return [answers[measure.name] for measure in question.measures]


def ask_by_vendor(
    workspace: Workspace, question: MeasureQuestion, vendor: str, on_progress: ProgressCallback = no_progress
) -> list[Series]:
    """The answers to a question about waits, by another vendor's rules."""
    rules = [find_vendor_rule(measure, vendor) for measure in question.measures]
    answers = []
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        check_filters(case_table, question)
        moments = _moments_with_hours(workspace, case_table, *rules)
        for measure, rule in zip(question.measures, rules, strict=True):
            on_progress(f"Counting {measure.name} as {vendor} does", 0, 0)
            vendor_measure = as_vendor_measure(rule, measure)
            vendor_cases = with_rule_columns(moments, rule, workspace.zone)
            answers.append(
                answer_question(vendor_cases, replace(question, measures=(vendor_measure,)))[vendor_measure.name]
            )
    return answers


def ask_queue(
    workspace: Workspace,
    question: MeasureQuestion,
    seconds: int,
    slot: int,
    on_progress: ProgressCallback = no_progress,
) -> Queue:
    """What became of those who asked in a span: served, left, or waiting; the whole and by interval of the day."""
    with open_case_table(workspace, on_progress) as case_table:
        check_filters(case_table, question)
        on_progress("Counting waits", 0, 0)
        return analyse_queue(case_table, question, seconds, slot)


def explain_case(
    workspace: Workspace, measure: str, case_id: str, source: str | None, on_progress: ProgressCallback = no_progress
) -> CaseExplanation:
    """What each vendor's rule counts of one case."""
    rules = vendor_rules_of(find_measure(measure))
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        return explain_rules(make_moment_table(case_table, "moments", opening_hours(workspace)), rules, case_id, source)


def compare_rules(
    workspace: Workspace,
    rules: tuple[VendorRule, VendorRule],
    source: str | None,
    on_progress: ProgressCallback = no_progress,
) -> list[RuleDifference]:
    """How many cases two rules count differently, and why."""
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        if source is not None and source not in case_table.as_of:
            raise UnknownNameError("source", source, case_table.as_of)
        on_progress("Comparing", 0, 0)
        source_filter = f"source IN ({', '.join(map(duckdb.quote_text, _able_sources(case_table, rules, source)))})"
        return rule_differences(_moments_with_hours(workspace, case_table, *rules), *rules, source_filter)


def _able_sources(case_table: CaseTable, rules: Sequence[VendorRule], source: str | None) -> list[str]:
    """The sources that tell what all of the rules rest on; raises where none does."""
    reasons = {
        name: next(filter(None, (missing_moment_reason(case_table, rule.relies_on, name) for rule in rules)), "")
        for name in ([source] if source else sorted(case_table.as_of))
    }
    able_sources = [name for name, reason in reasons.items() if not reason]
    if not able_sources:
        raise RequestError(
            f"The rules cannot be compared: {next(iter(reasons.values()))}.",
            "Import an export that holds every change of a case.",
        )
    return able_sources


def follow_chain(workspace: Workspace, source: str | None, on_progress: ProgressCallback = no_progress) -> Chain:
    """Who hands over to whom, where time lies, and whose cases fail downstream."""
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        if source is not None and source not in case_table.as_of:
            raise UnknownNameError("source", source, case_table.as_of)
        on_progress("Following hand-overs", 0, 0)
        return chain(make_moment_table(case_table, "moments", opening_hours(workspace)), source)


def _moments_with_hours(workspace: Workspace, case_table: CaseTable, *rules: VendorRule) -> MomentTable:
    """The moments, with the hours that the rules need."""
    calendars = opening_hours(workspace)
    for rule in rules:
        if rule.hours != "calendar" and not calendars.calendars:
            raise RequestError(
                f"{rule.vendor} counts {rule.term!r} in opening hours, and there are none.",
                f"Write them into {workspace.calendars}; docs/clocks.md shows how.",
            )
    return make_moment_table(case_table, "moments", calendars)


def service_report(
    workspace: Workspace,
    source: str | None = None,
    granularity: Granularity | None = None,
    period: date | None = None,
    rule_set: str = "anhoej",
    on_progress: ProgressCallback = no_progress,
) -> Report:
    """The service report on one source; without a name, on the only one there is."""
    with open_case_table(workspace, on_progress, keep_in_memory=True) as case_table:
        known_sources = sorted(case_table.as_of)
        if source is None and len(known_sources) != 1:
            raise RequestError(
                f"The workspace holds {len(known_sources)} sources.",
                f"Name one: --source {' or '.join(known_sources)}.",
            )
        if source is not None and source not in known_sources:
            raise UnknownNameError("source", source, known_sources)
        chosen_source = source or known_sources[0]
        on_progress("Writing the report", 0, 0)
        return make_report(
            case_table,
            chosen_source,
            log.receipts(workspace, chosen_source),
            __version__,
            granularity,
            period,
            rule_set,
        )

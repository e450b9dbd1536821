"""Waits by other vendors' rules: counted, explained case by case, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wellserved.actions.open_cases import check_filters, open_case_table, opening_hours
from wellserved.engine import duckdb
from wellserved.errors import RequestError, UnknownNameError
from wellserved.measure import MeasureQuestion, Series, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable
from wellserved.measure.coverage import missing_moment_reason
from wellserved.measure.timeline import (
    CaseExplanation,
    MomentTable,
    RuleDifference,
    explain_rules,
    make_moment_table,
    materialise_intervals,
    rule_differences,
    with_rule_columns,
)
from wellserved.measure.vendor_rules import VendorRule, as_vendor_measure, find_vendor_rule, vendor_rules_of
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage.workspace import Workspace


def ask_by_vendor(
    workspace: Workspace, question: MeasureQuestion, vendor: str, on_progress: ProgressCallback = no_progress
) -> list[Series]:
    """The answers to a question about waits, by another vendor's rules."""
    rules = [find_vendor_rule(measure, vendor) for measure in question.measures]
    answers = []
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        check_filters(case_table, question)
        moments = _moments_with_hours(workspace, case_table, *rules)
        materialise_intervals(moments)
        for measure, rule in zip(question.measures, rules, strict=True):
            on_progress(f"Counting {measure.name} as {vendor} does", 0, 0)
            vendor_measure = as_vendor_measure(rule, measure)
            vendor_cases = with_rule_columns(moments, rule, workspace.zone)
            answers.append(
                answer_question(vendor_cases, replace(question, measures=(vendor_measure,)))[vendor_measure.name]
            )
    return answers


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

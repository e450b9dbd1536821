"""Improvements: declared, looked at, proved; and what else is asked of before and after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from wellserved import improvement
from wellserved.actions.open_cases import open_case_table, opening_hours
from wellserved.actions.problem_cases import decisions_since, settled_problem
from wellserved.errors import RequestError, UnknownNameError
from wellserved.improvement import Improvement, ImprovementRecord
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.case_table import CaseTable
from wellserved.measure.coverage import PRIVATE_COLUMNS
from wellserved.moments import DateRange, periods_between
from wellserved.progress import ProgressCallback, no_progress
from wellserved.prove import (
    AnalysisWindow,
    Guardrail,
    LookPlan,
    Proof,
    ProofRequest,
    prove,
)
from wellserved.prove.adoption import AdoptionEffect, estimate_adoption, segment_values
from wellserved.prove.foresight import Foresight, foresee
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

ProofWithNotes = tuple[Proof, tuple[str, ...]]  # and what has to be said of how the question came about


def declare_improvement(workspace: Workspace, declaration: Improvement, now: datetime | None = None) -> None:
    """Write an improvement down, before its result is looked at; what it names has to be in the record, if there is one."""
    declaration = replace(declaration, about=settled_problem(workspace, declaration.about))
    if log.snapshot(workspace.log).version >= 0:
        improvement.validate(declaration)
        with open_case_table(workspace, with_moments=True, about=declaration.problem) as case_table:
            _check_filtered_cases(case_table, declaration)
    improvement.declare(workspace, declaration, now or datetime.now(UTC))


def _check_filtered_cases(case_table: CaseTable, declaration: Improvement) -> None:
    """Raise where a filter names what no case has, or sets cases beside themselves."""
    for column, value in (*declaration.where, *declaration.against):
        if not segment_values(case_table, MeasureQuestion((), by=column, where=((column, value),))):
            known_values = segment_values(case_table, MeasureQuestion((), by=column))
            raise UnknownNameError(column, value, () if column in PRIVATE_COLUMNS else known_values)
    if shared_filters := set(declaration.where) & set(declaration.against):
        column, value = sorted(shared_filters)[0]
        raise RequestError(f"{column}={value} cannot be compared with itself.", "Name others with --against.")


def foresee_improvement(
    workspace: Workspace, declaration: Improvement, on_progress: ProgressCallback = no_progress
) -> list[Foresight]:
    """What will be seen of it eight weeks after it begins; nothing where there is no record yet."""
    if log.snapshot(workspace.log).version < 0:
        return []
    improvement.validate(declaration)
    improvement.check_unused(workspace, declaration.name)
    with open_case_table(workspace, on_progress, with_moments=True, about=declaration.problem) as case_table:
        _check_filtered_cases(case_table, declaration)
        on_progress("Looking ahead", 0, 0)
        window = replace(analysis_window(workspace, case_table, declaration, (None, None)), capped_follow_up=False)
        return foresee(window, _proof_request(declaration, LookPlan("always"), ()))


def with_margins(declaration: Improvement, foresights: Sequence[Foresight]) -> Improvement:
    """The improvement with the margins that were foreseen for guardrails which nobody named."""
    named_measures = {name for name, _ in declaration.guardrails} | {declaration.measure}
    margins = {
        foresight.label: foresight.margin
        for foresight in foresights
        if foresight.margin is not None and foresight.label not in named_measures
    }
    return replace(declaration, margins=tuple(margins.items()))


def change_improvement(workspace: Workspace, name: str, facts: dict[str, object], now: datetime | None = None) -> None:
    """Change a declaration; both stay on record."""
    improvement.change_declaration(workspace, name, facts, now or datetime.now(UTC))


def withdraw_improvement(workspace: Workspace, name: str, reason: str, now: datetime | None = None) -> None:
    """Take an improvement off the list."""
    improvement.withdraw_declaration(workspace, name, reason, now or datetime.now(UTC))


def list_improvements(workspace: Workspace) -> list[ImprovementRecord]:
    """All that are declared."""
    return improvement.list_records(workspace)


def explore_change(
    workspace: Workspace, candidate: Improvement, span: DateRange, on_progress: ProgressCallback = no_progress
) -> ProofWithNotes:
    """A change that nobody declared: labelled exploration wherever it is shown."""
    improvement.validate(candidate)
    other_changes = _other_changes(
        (
            record
            for record in improvement.list_records(workspace)
            if not _is_same_change(record.improvement, candidate)
        ),
        candidate,
    )
    with open_case_table(workspace, on_progress, with_moments=True, about=candidate.problem) as case_table:
        _check_filtered_cases(case_table, candidate)
        on_progress("Comparing before and after", 0, 0)
        window = analysis_window(workspace, case_table, candidate, span)
        proof = prove(window, _proof_request(candidate, LookPlan("once"), other_changes), on_progress)
    return proof, (EXPLORATION_NOTE, *_exclusion_notes(window))


def _exclusion_notes(window: AnalysisWindow) -> tuple[str, ...]:
    """Which sources take no part in a proof, or in one of its measures, and why."""
    gap_notes = (
        f"{name}: without {source}: {reason}." for (source, name), reason in sorted(window.coverage_gaps.items())
    )
    end_notes = tuple(
        f"Without {source}, which is known up to {day} alone."
        for source, day in sorted(window.excluded_sources.items())
    )
    return (*end_notes, *gap_notes)


EXPLORATION_NOTE = (
    "Exploration: nobody declared this change before the result was looked at. A date or measure chosen because of the "
    "data will seem to show something; declare it (wellserved improve add) and look again at what comes after."
)


def prove_improvement(
    workspace: Workspace,
    name: str,
    span: DateRange = (None, None),
    on_progress: ProgressCallback = no_progress,
    now: datetime | None = None,
) -> ProofWithNotes:
    """What a declared improvement did; that it was looked at is noted. A span that was not declared is an exploration."""
    record = improvement.find_record(workspace, name)
    declaration = record.improvement
    last_day = date.fromisoformat(declaration.ends) if declaration.ends else None
    until = min(filter(None, (span[1], last_day)), default=None)
    looks = [look for look in record.looks if _is_look_at_declaration(look.facts, declaration)]
    declaration_with_age = replace(
        declaration, age_days=declaration.age_days or next((look.facts.get("age_days") for look in looks), None)
    )
    plan = (
        LookPlan("planned", tuple(int(look.facts.get("after", 0)) for look in looks), _period_count(declaration))
        if declaration.ends
        else LookPlan("always")
    )
    declared_name = name if span == (None, None) else ""
    with open_case_table(workspace, on_progress, with_moments=True, about=declaration.problem) as case_table:
        on_progress("Comparing before and after", 0, 0)
        window = replace(analysis_window(workspace, case_table, declaration, (span[0], until)), capped_follow_up=False)
        proof = prove(
            window,
            _proof_request(
                declaration_with_age,
                plan,
                _other_changes(improvement.list_records(workspace), declaration),
                declared_name,
            ),
            on_progress,
        )
        version = case_table.log_version
    facts = {
        "after": proof.verdict.after, "status": "blocked" if proof.blocking_harm else proof.headline, "headline": proof.headline, "log_version": version,
        "measure": declaration.measure, "since": declaration.since, "ends": declaration.ends, "settles": declaration.settles, "age_days": proof.series.age_days,
        "window": [str(end) if end else None for end in span],
    }  # fmt: skip
    if not record.looks or record.looks[-1].facts != facts:  # another format of the same result is no other look
        improvement.record_look(workspace, name, facts, now or datetime.now(UTC))
    window_notes = (
        ()
        if declared_name
        else (f"Exploration: a window from {span[0] or 'the start'} to {span[1] or 'now'} was not declared.",)
    )
    decided = decisions_since(workspace, declaration.about, record.declared_at)
    return proof, (*window_notes, *decided, *_exclusion_notes(window), *_history_notes(record))


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


def _other_changes(records: Iterable[ImprovementRecord], declaration: Improvement) -> tuple[tuple[str, date], ...]:
    """Other declared changes that may concern the same cases."""
    return tuple(
        (record.improvement.what, date.fromisoformat(record.improvement.since))
        for record in records
        if record.improvement.name != declaration.name and _may_overlap(declaration, record.improvement)
    )


def analysis_window(
    workspace: Workspace, case_table: CaseTable, declaration: Improvement, span: DateRange
) -> AnalysisWindow:
    """What a proof of a declaration looks at; sources that can say nothing of it are left out."""
    case_filters = (declaration.where, declaration.against) if declaration.against else (declaration.where,)
    since = date.fromisoformat(declaration.since)
    return AnalysisWindow(
        case_table, "moments", opening_hours(workspace), since, declaration.every, *span, case_filters=case_filters
    )


def _proof_request(
    declaration: Improvement, plan: LookPlan, other_changes: tuple[tuple[str, date], ...], improvement_name: str = ""
) -> ProofRequest:
    guardrails = tuple(Guardrail(find_measure(name), margin) for name, margin in declaration.guardrails)
    if declaration.is_told_in_words and "unplaced_share" not in dict(declaration.guardrails):
        guardrails += (Guardrail(find_measure("unplaced_share"), None),)  # a complaint may have changed its name alone
    return ProofRequest(
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


def _history_notes(record: ImprovementRecord) -> tuple[str, ...]:
    """When it was declared, what was changed since, and how often it was looked at."""
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
    for entry in record.withdrawals:
        notes.append(
            f"Another declaration under this name was withdrawn on {entry.at[:10]}: {entry.facts.get('why', '')}."
        )
    if record.has_early_look:
        notes.append(
            "It was declared or changed after its result had been looked at: read the verdict as an exploration."
        )
    if record.looks:
        times = "once" if len(record.looks) == 1 else f"{len(record.looks)} times"
        notes.append(f"Looked at {times} before, first on {record.looks[0].at[:10]}.")
    if not record.is_genuine:
        notes.append("The record of improvements was altered by hand: the declaration cannot be relied on.")
    return tuple(notes)


def prove_adoption(
    workspace: Workspace,
    candidate: Improvement,
    by: str,
    since: tuple[tuple[str, date], ...],
    span: DateRange,
    on_progress: ProgressCallback = no_progress,
    left_out: tuple[str, ...] = (),
) -> AdoptionEffect:
    """What a change did that teams took up one after the other; `left_out`: teams of which it is not known."""
    improvement.validate(candidate)
    with open_case_table(workspace, on_progress, with_moments=True, about=candidate.problem) as case_table:
        question = MeasureQuestion((), by=by, where=candidate.where)
        teams = tuple(team for team in segment_values(case_table, question) if team not in left_out)
        for team, _ in since:
            if team not in teams:
                raise UnknownNameError(by, team, teams)
        on_progress("Comparing teams", 0, 0)
        first, calendars = min(day for _, day in since), opening_hours(workspace)
        window = AnalysisWindow(
            case_table, "moments", calendars, first, candidate.every, *span, case_filters=(candidate.where,)
        )
        return estimate_adoption(
            window, find_measure(candidate.measure), by, since, teams, candidate.where, candidate.age_days
        )

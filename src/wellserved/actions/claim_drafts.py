"""From a verdict, or from two spans of a measure, to a sentence with its evidence; and the evidence made anew later."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from wellserved import improvement
from wellserved.actions.improvements import analysis_window, prove_improvement
from wellserved.actions.open_cases import check_filters, open_case_table, opening_hours
from wellserved.actions.problem_cases import decisions_since, settled_problem, with_problems
from wellserved.claim.draft import (
    ClaimDraft,
    ClaimRecipe,
    ClaimTerms,
    draft_claim,
    evidence_root,
    measured_terms,
    recipe_rows,
    recipe_values,
)
from wellserved.claim.evidence import EvidenceRow, cases_as_of
from wellserved.claim.sentence import ClaimRole
from wellserved.claim.verdict import caveat_of, declaration_digest, effect_facts, require_proved, verdict_facts
from wellserved.engine.duckdb import DuckDB
from wellserved.errors import ClaimRefusedError
from wellserved.improvement import ImprovementRecord
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.case_table import CaseTable, filter_sql, sources_of
from wellserved.measure.period_keys import period_key_sql
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage.workspace import Workspace

Where = tuple[tuple[str, str], ...]  # column, value


def draft_from_improvement(
    workspace: Workspace, name: str, role: ClaimRole, on_progress: ProgressCallback = no_progress
) -> ClaimDraft:
    """A proved claim about a declared improvement; raises `ClaimRefusedError` where the verdict does not carry one."""
    record = improvement.find_record(workspace, name)
    declaration = record.improvement
    _require_same_problem(workspace, record)
    proof, _notes = prove_improvement(workspace, name, on_progress=on_progress)
    require_proved(record, proof)
    on_progress("Collecting the evidence", 0, 0)
    better = declaration.better or proof.request.measure.better
    relative = proof.verdict.relative
    terms = ClaimTerms(
        "proved", role, better == "lower", proof.series.age_days or 0, caveat_of(proof),
        date.fromisoformat(declaration.ends) if declaration.ends else None, (relative.low, relative.high) if relative else None,
    )  # fmt: skip
    with open_case_table(workspace, on_progress, with_moments=True, about=declaration.problem) as case_table:
        window = analysis_window(workspace, case_table, declaration, (None, None))
        # the cases of the sources that the verdict is about
        where = declaration.where + tuple(
            ("source", source) for source in sorted(window.case_table.as_of) if window.excluded_sources
        )
        recipe = ClaimRecipe(
            declaration.measure, proof.request.measure.version, where, date.fromisoformat(declaration.since),
            improvement=name, declaration=declaration_digest(declaration), about=declaration.about,
        )  # fmt: skip
        terms = replace(terms, sources_left_out=len(window.excluded_sources))
        draft = _draft(workspace, case_table, recipe, terms)
    draft.predicate.update(verdict_facts(workspace, record, proof))
    draft.facts.update(effect_facts(declaration, proof))
    return draft


def draft_from_measure(
    workspace: Workspace,
    measure_name: str,
    change: date,
    where: Where = (),
    on_progress: ProgressCallback = no_progress,
    about: str = "",
) -> ClaimDraft:
    """A measured claim: how a number went before and since a day, and nothing about why; `about`: of `problem_share`."""
    measure = find_measure(measure_name)
    terms = measured_terms(measure)
    about = settled_problem(workspace, about)
    question = MeasureQuestion((measure,), where=where, about=about)
    with open_case_table(workspace, on_progress, with_moments=True, about=question.problem) as case_table:
        check_filters(case_table, question)
        ended = _ended_sources(case_table, where, change)
        sources = sorted(_sources(case_table, where) - ended) if ended else []
        where = (*where, *(("source", source) for source in sources))
        terms = replace(terms, sources_left_out=len(ended))
        recipe = ClaimRecipe(measure.name, measure.version, where, change, about=about)
        return _draft(workspace, case_table, recipe, terms)


def _sources(case_table: CaseTable, where: Where) -> set[str]:
    """The sources that have cases of a filter."""
    condition, values = filter_sql(case_table, MeasureQuestion((), where=where))
    return set(sources_of(case_table, condition, values))


def _ended_sources(case_table: CaseTable, where: Where, change: date) -> set[str]:
    """Those of them that end before the change, and can say nothing of it; where all do, none is left out."""
    sources, known_days = _sources(case_table, where), case_table.known_days
    ended = {source for source in sources if known_days[source] <= change}
    return ended if ended < sources else set()


def _draft(workspace: Workspace, case_table: CaseTable, recipe: ClaimRecipe, terms: ClaimTerms) -> ClaimDraft:
    """A draft from the sources that have cases of the recipe, each as of its own last stamp."""
    assert isinstance(case_table.engine, DuckDB)
    as_of = {source: case_table.as_of[source] for source in sorted(_sources(case_table, recipe.where))}
    cases = _cases_of(workspace, case_table, recipe, as_of)
    hours = opening_hours(workspace).fingerprint if find_measure(recipe.measure).clock == "business" else ""
    recipe = replace(recipe, zone=workspace.zone, hours=hours)
    return draft_claim(case_table.engine.db, cases, recipe, terms, secrets.token_bytes(32))


def _cases_of(workspace: Workspace, case_table: CaseTable, recipe: ClaimRecipe, as_of: Mapping[str, int]) -> CaseTable:
    """The cases as they stood, with the problems that their words told by then, where the claim is about one."""
    assert isinstance(case_table.engine, DuckDB)
    cases = cases_as_of(case_table.engine.db, case_table, "moments", opening_hours(workspace), as_of)
    return cases if recipe.problem is None else with_problems(workspace, cases, recipe.problem)


def _require_same_problem(workspace: Workspace, record: ImprovementRecord) -> None:
    """Raise where people decided, after the declaration, what counts as the problem that it is about."""
    if decisions_since(workspace, record.improvement.about, record.declared_at):
        raise ClaimRefusedError(
            "What counts as this problem was decided about after the declaration.",
            "Declare the next change about the problem as it is now.",
        )


@dataclass(frozen=True)
class RemadeEvidence:
    """The evidence of a claim by the records of today."""

    root: str  # of its rows; empty: there are none
    values: dict[str, str]  # first day of a period -> its number, as it is signed
    rows: tuple[EvidenceRow, ...]


def remake_evidence(
    workspace: Workspace, recipe: ClaimRecipe, secret: bytes, with_rows: bool = False
) -> RemadeEvidence:
    """The evidence of a claim, as the cases stood when it was signed, by the records of today.

    Whoever asks has seen by `require_unchanged` that it is still the same question. Raises `ClaimRefusedError` where
    another source has cases of it.
    """
    with open_case_table(workspace, with_moments=True, about=recipe.problem) as case_table:
        assert isinstance(case_table.engine, DuckDB)
        _require_no_other_source(case_table, recipe)
        cases = _cases_of(workspace, case_table, recipe, recipe.as_of)
        rows = recipe_rows(case_table.engine.db, cases, recipe, secret)
    return RemadeEvidence(evidence_root(rows, secret), recipe_values(recipe, rows), rows if with_rows else ())


def require_unchanged(workspace: Workspace, recipe: ClaimRecipe) -> None:
    """Raise where the declaration, the definition, the zone or the opening hours are others than when it was signed."""
    measure, advice = find_measure(recipe.measure), "Sign the claim anew."
    if measure.version != recipe.version:
        raise ClaimRefusedError(f"{measure.name} is defined anew.", advice)
    if recipe.zone != workspace.zone:
        raise ClaimRefusedError(f"The time zone is now {workspace.zone}.", advice)
    if measure.clock == "business" and recipe.hours != opening_hours(workspace).fingerprint:
        raise ClaimRefusedError("The opening hours were changed.", advice)
    if not recipe.improvement:
        return
    records = {record.improvement.name: record for record in improvement.list_records(workspace)}
    record = records.get(recipe.improvement)
    if record is None:
        raise ClaimRefusedError("The improvement was withdrawn.", advice)
    if not record.is_genuine:
        raise ClaimRefusedError("The record of improvements was altered by hand.", advice)
    if declaration_digest(record.improvement) != recipe.declaration:
        raise ClaimRefusedError("The declaration of the improvement was changed.", advice)


def _require_no_other_source(case_table: CaseTable, recipe: ClaimRecipe) -> None:
    """Raise where another source has cases of the claim's periods, which it does not count."""
    basis = find_measure(recipe.measure).anchor
    first, last = min(recipe.periods), max(recipe.periods)
    condition, values = filter_sql(case_table, MeasureQuestion((), None, None, first, None, recipe.where))
    key = period_key_sql(basis, recipe.granularity)
    keys = f"{key} BETWEEN {first:%Y%m} AND {last:%Y%m}"
    sql = f"SELECT DISTINCT source FROM {case_table.table} WHERE {condition} AND {keys}"
    sources = set(case_table.engine.query(sql, values)["source"].to_pylist()) - set(recipe.as_of)
    if sources:
        raise ClaimRefusedError(f"Cases of its months came from {', '.join(sorted(sources))}.", "Sign the claim anew.")

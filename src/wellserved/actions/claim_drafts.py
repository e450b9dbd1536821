"""From a verdict, or from two spans of a measure, to a sentence with its evidence; and the evidence made anew later."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date

from wellserved import improvement
from wellserved.actions.improvements import analysis_window, prove_improvement
from wellserved.actions.open_cases import check_filters, open_case_table, opening_hours
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
from wellserved.claim.verdict import caveat_of, effect_facts, require_proved, verdict_facts
from wellserved.engine.duckdb import DuckDB
from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.case_table import CaseTable, filter_sql, sources_of
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage.workspace import Workspace


def draft_from_improvement(
    workspace: Workspace, name: str, role: ClaimRole, on_progress: ProgressCallback = no_progress
) -> ClaimDraft:
    """A proved claim about a declared improvement; raises `ClaimRefusedError` where the verdict does not carry one."""
    record = improvement.find_record(workspace, name)
    declaration = record.improvement
    proof, _notes = prove_improvement(workspace, name, on_progress=on_progress)
    require_proved(record, proof)
    on_progress("Collecting the evidence", 0, 0)
    better = declaration.better or proof.request.measure.better
    terms = ClaimTerms("proved", role, better == "lower", proof.series.age_days or 0, caveat_of(proof))
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        window = analysis_window(workspace, case_table, declaration, (None, None))
        # the cases of the sources that the verdict is about
        where = declaration.where + tuple(
            ("source", source) for source in sorted(window.case_table.as_of) if window.excluded_sources
        )
        recipe = ClaimRecipe(
            declaration.measure, proof.request.measure.version, where, date.fromisoformat(declaration.since)
        )
        draft = _draft(workspace, case_table, recipe, terms)
    draft.predicate.update(verdict_facts(workspace, record, proof))
    draft.facts.update(effect_facts(declaration, proof))
    return draft


def draft_from_measure(
    workspace: Workspace,
    measure_name: str,
    change: date,
    where: tuple[tuple[str, str], ...] = (),
    on_progress: ProgressCallback = no_progress,
) -> ClaimDraft:
    """A measured claim: how a number went before and since a day, and nothing about why."""
    measure = find_measure(measure_name)
    terms = measured_terms(measure)
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        check_filters(case_table, MeasureQuestion((measure,), where=where))
        return _draft(workspace, case_table, ClaimRecipe(measure.name, measure.version, where, change), terms)


def _draft(workspace: Workspace, case_table: CaseTable, recipe: ClaimRecipe, terms: ClaimTerms) -> ClaimDraft:
    """A draft from the sources that have cases of the recipe, each as of its own last stamp."""
    assert isinstance(case_table.engine, DuckDB)
    condition, values = filter_sql(case_table, MeasureQuestion((), where=recipe.where))
    as_of = {source: case_table.as_of[source] for source in sources_of(case_table, condition, values)}
    db = case_table.engine.db
    cases = cases_as_of(db, case_table, "moments", opening_hours(workspace), as_of)
    return draft_claim(db, cases, recipe, terms, secrets.token_bytes(32))


@dataclass(frozen=True)
class RemadeEvidence:
    """The evidence of a claim by the records of today."""

    root: str  # of its rows; empty: there are none
    values: dict[str, str]  # first day of a period -> its number, as it is signed
    rows: tuple[EvidenceRow, ...]


def remake_evidence(
    workspace: Workspace, recipe: ClaimRecipe, secret: bytes, with_rows: bool = False
) -> RemadeEvidence:
    """The evidence of a claim, as the cases stood when it was signed, by the records of today."""
    measure = find_measure(recipe.measure)
    if measure.version != recipe.version:
        raise RequestError(f"{measure.name} is defined anew.", "Sign the claim anew.")
    with open_case_table(workspace, with_moments=True) as case_table:
        assert isinstance(case_table.engine, DuckDB)
        cases = cases_as_of(case_table.engine.db, case_table, "moments", opening_hours(workspace), recipe.as_of)
        rows = recipe_rows(case_table.engine.db, cases, recipe, secret)
    return RemadeEvidence(evidence_root(rows, secret), recipe_values(recipe, rows), rows if with_rows else ())

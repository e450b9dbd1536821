"""From a verdict, or from two spans of a measure, to a sentence with its evidence."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import date

from wellserved import improvement
from wellserved.actions.claim_evidence import cases_of_recipe
from wellserved.actions.improvements import analysis_window, prove_improvement
from wellserved.actions.open_cases import check_filters, open_case_table, opening_hours
from wellserved.actions.problem_cases import decisions_since, settled_problem
from wellserved.claim.draft import ClaimDraft, ClaimRecipe, ClaimTerms, draft_claim, measured_terms
from wellserved.claim.sentence import ClaimRole
from wellserved.claim.verdict import caveat_of, declaration_digest, effect_facts, require_proved, verdict_facts
from wellserved.engine.duckdb import DuckDB
from wellserved.errors import ClaimRefusedError
from wellserved.improvement import ImprovementRecord
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.case_table import CaseTable, filter_sql, sources_of
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
    cases = cases_of_recipe(workspace, case_table, recipe, as_of)
    hours = opening_hours(workspace).fingerprint if find_measure(recipe.measure).clock == "business" else ""
    recipe = replace(recipe, zone=workspace.zone, hours=hours)
    return draft_claim(case_table.engine.db, cases, recipe, terms, secrets.token_bytes(32))


def _require_same_problem(workspace: Workspace, record: ImprovementRecord) -> None:
    """Raise where people decided, after the declaration, what counts as the problem that it is about."""
    if decisions_since(workspace, record.improvement.about, record.declared_at):
        raise ClaimRefusedError(
            "What counts as this problem was decided about after the declaration.",
            "Declare the next change about the problem as it is now.",
        )

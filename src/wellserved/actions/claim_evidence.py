"""The evidence of a claim made anew: the cases as they stood when it was signed, by the records of today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from wellserved import improvement
from wellserved.actions.open_cases import open_case_table, opening_hours
from wellserved.actions.problem_cases import decisions_since, with_problems
from wellserved.claim.draft import ClaimRecipe, evidence_root, recipe_rows, recipe_values
from wellserved.claim.evidence import EvidenceRow, cases_as_of
from wellserved.claim.verdict import declaration_digest
from wellserved.engine.duckdb import DuckDB
from wellserved.errors import ClaimRefusedError
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.case_table import CaseTable, filter_sql
from wellserved.measure.period_keys import period_key_sql
from wellserved.moments import PROBLEM
from wellserved.storage.workspace import Workspace


def cases_of_recipe(
    workspace: Workspace, case_table: CaseTable, recipe: ClaimRecipe, as_of: Mapping[str, int]
) -> CaseTable:
    """The cases as they stood, with the problems that their words told by then, where the claim is about one."""
    assert isinstance(case_table.engine, DuckDB)
    cases = cases_as_of(case_table.engine.db, case_table, "moments", opening_hours(workspace), as_of)
    return cases if recipe.problem is None else with_problems(workspace, cases, recipe.problem)


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
        cases = cases_of_recipe(workspace, case_table, recipe, recipe.as_of)
        rows = recipe_rows(case_table.engine.db, cases, recipe, secret)
    return RemadeEvidence(evidence_root(rows, secret), recipe_values(recipe, rows), rows if with_rows else ())


def require_unchanged(workspace: Workspace, recipe: ClaimRecipe, issued: datetime) -> None:
    """Raise where the declaration, the definition, the zone or the opening hours are others than when it was signed, or where
    people decided since what counts as the problem that it is about."""
    measure, advice = find_measure(recipe.measure), "Sign the claim anew."
    if measure.version != recipe.version:
        raise ClaimRefusedError(f"{measure.name} is defined anew.", advice)
    if recipe.zone != workspace.zone:
        raise ClaimRefusedError(f"The time zone is now {workspace.zone}.", advice)
    if measure.clock == "business" and recipe.hours != opening_hours(workspace).fingerprint:
        raise ClaimRefusedError("The opening hours were changed.", advice)
    problem = recipe.about or next((value for column, value in recipe.where if column == PROBLEM), "")
    if decisions_since(workspace, problem, issued.astimezone(UTC).isoformat(timespec="seconds")):
        raise ClaimRefusedError("What counts as this problem was decided about since it was signed.", advice)
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

"""A problem that became rarer: what may be said of it, from a verdict and from two spans, and what becomes of it later."""

from __future__ import annotations

import csv
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from wellserved.actions.claim_drafts import draft_from_improvement, draft_from_measure
from wellserved.actions.claim_evidence import remake_evidence
from wellserved.actions.imports import import_file
from wellserved.actions.improvements import declare_improvement, prove_improvement
from wellserved.claim.draft import evidence_root, recipe_from_json
from wellserved.errors import ClaimRefusedError, RequestError
from wellserved.improvement import Improvement
from wellserved.mapping import parse_mapping
from wellserved.storage.workspace import Workspace, create_workspace

CHANGE = date(2026, 3, 2)
MAPPING = """
name = "desk"
case = "number"
zone = "UTC"
[columns]
category = "category"
service = "service"
[[moment]]
kind = "asked"
at = "asked"
[[moment]]
kind = "resolved"
at = "resolved"
"""


def write_desk(path: Path, share_since: float, fewer_of_parts: bool = False) -> Path:
    """Fourteen cases a day; one in five is about damaged pumps before the change, `share_since` of them since.

    `fewer_of_parts`: damaged pumps come from one service alone, which four of five other cases are about before, one since.
    """
    first, days = date(2025, 1, 6), 630
    chance = random.Random(5)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "asked", "resolved", "category", "service"])
        for number in range(14 * days):
            day = first + timedelta(days=number // 14)
            asked = datetime(day.year, day.month, day.day, 8 + number % 9, tzinfo=UTC)
            share = share_since if day >= CHANGE else 0.2
            category = "Damaged pump" if chance.random() < share else chance.choice(("Invoice", "Login", ""))
            resolved = asked + timedelta(hours=chance.randrange(1, 30))
            service = "parts"
            if fewer_of_parts and category != "Damaged pump":
                service = "parts" if chance.random() < (0.2 if day >= CHANGE else 0.8) else "repair"
            writer.writerow([number, asked.isoformat(), resolved.isoformat(), category, service])
    return path


def desk(folder: Path, share_since: float, fewer_of_parts: bool = False) -> Workspace:
    """A desk that packs its pumps in foam since a day, and had said so before."""
    workspace = create_workspace(folder / "home", "UTC")
    path = write_desk(folder / "desk.csv", share_since, fewer_of_parts)
    import_file(workspace, path, parse_mapping(MAPPING, "desk"), datetime(2026, 10, 1, tzinfo=UTC))
    foam = Improvement("foam", "Foam corners in every box", str(CHANGE), "problem_share", about="category=Damaged pump")
    declare_improvement(workspace, foam, datetime(2026, 2, 20, tzinfo=UTC))
    return workspace


def counted_share(rows: list[dict[str, str]], start: date) -> tuple[int, float]:
    """A month's cases that have a category, and the share of them that are about the pumps, straight from the file."""
    month = [row for row in rows if row["asked"][:7] == f"{start:%Y-%m}" and row["category"]]
    return len(month), sum(row["category"] == "Damaged pump" for row in month) / len(month)


def test_a_problem_that_became_rarer_is_claimed(tmp_path: Path) -> None:
    workspace = desk(tmp_path, 0.04)
    draft = draft_from_improvement(workspace, "foam", "owner")
    assert draft.sentences["full"].startswith("Reduced the share of cases about “Damaged pump” from 2")
    assert draft.sentences["ratio_without_service"].startswith("Reduced the share of cases about the problem by ")
    assert "pump" not in draft.sentences["ratio_without_service"]
    assert draft.facts["segment"] == [["about", "category=Damaged pump"]]
    with (tmp_path / "desk.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for period in draft.windows.periods:
        n, share = counted_share(rows, period.start)
        assert period.n == n, period.start
        assert period.value == pytest.approx(share), period.start


def test_a_problem_that_stayed_is_not(tmp_path: Path) -> None:
    with pytest.raises(ClaimRefusedError, match="The verdict is "):
        draft_from_improvement(desk(tmp_path, 0.2), "foam", "owner")


def test_one_that_became_rarer_with_the_work_that_brings_it_is_not(tmp_path: Path) -> None:
    """A quarter of the parts bring a quarter of the damaged pumps: nothing was packed better."""
    workspace = desk(tmp_path, 0.06, fewer_of_parts=True)
    with pytest.raises(ClaimRefusedError, match="The verdict is "):
        draft_from_improvement(workspace, "foam", "owner")
    proof, _ = prove_improvement(workspace, "foam")
    (check,) = (check for check in proof.verdict.checks if check.name == "mix by service")
    assert check.passed is False
    assert "60% of the work came from elsewhere" in check.words


def test_a_service_that_is_mostly_the_problem_tells_nothing(tmp_path: Path) -> None:
    """Nine in ten cases of a service are damaged pumps, before and after; that service alone became rarer."""
    chance, path = random.Random(6), tmp_path / "desk.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "asked", "resolved", "category", "service"])
        for number in range(14 * 630):
            day = date(2025, 1, 6) + timedelta(days=number // 14)
            asked = datetime(day.year, day.month, day.day, 8 + number % 9, tzinfo=UTC)
            is_parts = chance.random() < (0.1 if day >= CHANGE else 0.5)
            category = "Damaged pump" if chance.random() < (0.9 if is_parts else 0.05) else "Invoice"
            resolved = asked + timedelta(hours=5)
            writer.writerow(
                [number, asked.isoformat(), resolved.isoformat(), category, "parts" if is_parts else "repair"]
            )
    workspace = create_workspace(tmp_path / "home", "UTC")
    import_file(workspace, path, parse_mapping(MAPPING, "desk"), datetime(2026, 10, 1, tzinfo=UTC))
    foam = Improvement("foam", "Foam corners in every box", str(CHANGE), "problem_share", about="category=Damaged pump")
    declare_improvement(workspace, foam, datetime(2026, 2, 20, tzinfo=UTC))
    proof, _ = prove_improvement(workspace, "foam")
    (check,) = (check for check in proof.verdict.checks if check.name == "mix by service")
    assert check.passed is None
    assert "most cases of parts are of the very kind" in check.words
    assert proof.headline != "improved"


def test_two_spans_of_a_problem_name_no_cause_and_the_evidence_can_be_made_again(tmp_path: Path) -> None:
    workspace = desk(tmp_path, 0.04)
    draft = draft_from_measure(workspace, "problem_share", CHANGE, about="category=Damaged pump")
    assert draft.sentences["full"].startswith("The share of cases about “Damaged pump” went from ")
    recipe = recipe_from_json(draft.recipe.as_json())
    assert recipe == draft.recipe
    evidence = remake_evidence(workspace, recipe, draft.secret, with_rows=True)
    assert evidence.root == evidence_root(draft.rows, draft.secret)
    other = draft_from_measure(
        workspace, "problem_share", CHANGE, about="category=Damaged pump", where=(("service", "parts"),)
    )
    assert "for parts" in other.sentences["full"]
    assert other.recipe.subject != recipe.subject
    with pytest.raises(ClaimRefusedError):  # invoices and logins became a larger share: nothing got better
        draft_from_measure(workspace, "problem_share", CHANGE, about="category=Login")
    with pytest.raises((ClaimRefusedError, RequestError)):
        draft_from_measure(workspace, "problem_share", CHANGE)


def test_a_recipe_from_before_problems_could_be_claimed_is_read(tmp_path: Path) -> None:
    workspace = desk(tmp_path, 0.04)
    draft = draft_from_measure(workspace, "problem_share", CHANGE, about="category=Damaged pump")
    kept = {name: value for name, value in draft.recipe.as_json().items() if name != "about"}
    assert recipe_from_json(kept).about == ""

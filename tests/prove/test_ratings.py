"""What goes with ratings: planted drivers, planted gaps, own ratings beside customers'."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wellserved.actions import explorations
from wellserved.actions.imports import import_file
from wellserved.cli import app
from wellserved.errors import RequestError
from wellserved.explore.agreement import rating_agreement
from wellserved.mapping import parse_mapping
from wellserved.moments import NotComputable
from wellserved.storage.workspace import Workspace, create_workspace

KINDS = ("asked", "resolved", "chased", "handed_over")
SCORED = ("expected", "rated", "self_rated")
MAPPING = 'name = "house"\ncase = "case"\n[columns]\nservice = "service"\n' + "".join(
    f'[[moment]]\nkind = "{kind}"\nat = "at"\nref = "ref"\nwhen = {{ column = "kind", is = ["{kind}"] }}\n' for kind in KINDS
) + "".join(
    f'[[moment]]\nkind = "{kind}"\nat = "at"\nref = "ref"\nscore = "score"\nscale = "csat5"\nwhen = {{ column = "kind", is = ["{kind}"] }}\n'
    for kind in SCORED
)  # fmt: skip
START = datetime(2024, 3, 4, 9)


def made(folder: Path, lines: list[tuple[str, float, str, str, object]]) -> Workspace:
    """Lines: case, hour, kind, service, score."""
    rows = ["case,at,kind,service,score,ref"]
    rows += [
        f"{case},{START + timedelta(hours=hour):%Y-%m-%d %H:%M:%S},{kind},{service},{score},{place}"
        for place, (case, hour, kind, service, score) in enumerate(lines)
    ]
    (folder / "house.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    workspace = create_workspace(folder / "home", "UTC")
    import_file(workspace, folder / "house.csv", parse_mapping(MAPPING, "house"))
    return workspace


def test_planted_gaps_are_recovered_and_late_expectations_left_out(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    lines: list[tuple[str, float, str, str, object]] = []
    for number, (service, wanted, got) in enumerate(
        [("quote", 4, 3)] * 30 + [("repair", 3, 4)] * 20 + [("visit", 3, 3)] * 12 + [("odd", 3, 3)] * 4
    ):
        case, start = f"c{number}", number * 3.0
        said = int(np.clip(wanted + random.integers(0, 2), 1, 5))
        rated = int(np.clip(said + got - wanted, 1, 5))
        lines += [
            (case, start, "asked", service, ""),
            (case, start + 1, "expected", service, 1),
            (case, start + 2, "expected", service, said),
        ]
        lines += [(case, start + 20, "resolved", service, ""), (case, start + 30, "rated", service, rated)]
    for number in range(15):  # said when all was over: knows what came
        case, start = f"late{number}", 500 + number
        lines += [
            (case, start, "asked", "visit", ""),
            (case, start + 2, "resolved", "visit", ""),
            (case, start + 3, "expected", "visit", 5),
            (case, start + 4, "rated", "visit", 1),
        ]
    workspace = made(tmp_path, lines)
    found = explorations.find_gaps(workspace, "service", ())
    by = {one.segment: one for one in found.gaps}
    assert list(by) == ["quote", "repair", "visit"]  # most unmet first
    assert (by["quote"].gap, by["quote"].met_share, by["quote"].importance, by["quote"].cases) == (-1.0, 0.0, 1.0, 30)
    assert by["repair"].gap == pytest.approx(1.0, abs=0.01)
    assert by["repair"].met_share == 1.0
    assert by["visit"].gap == 0.0
    assert by["quote"].reliability is not None
    assert by["quote"].reliability > 0.95
    assert (found.late_expectations, found.small_segment_cases) == (15, 4)
    assert (
        "15 expectations said after delivery are left out"
        in CliRunner().invoke(app, ["gap", "--home", str(workspace.folder), "--format", "md"]).stdout
    )


def test_a_planted_driver_stands_first_and_an_idle_one_explains_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    lines: list[tuple[str, float, str, str, object]] = []
    for number in range(400):
        case, start = f"c{number}", number * 2.0
        chased, passed = random.random() < 0.3, random.random() < 0.4
        score = int(np.clip(round(4.5 - 2.0 * chased + random.normal(0, 0.6)), 1, 5))
        lines += [(case, start, "asked", "s", ""), (case, start + float(random.uniform(5, 50)), "resolved", "s", "")]
        lines += [(case, start + 1, "chased", "s", "")] * chased + [(case, start + 2, "handed_over", "s", "")] * passed
        lines += [(case, start + 60, "rated", "s", score)]
    found = explorations.find_drivers(made(tmp_path, lines), ())
    by = {one.name: one for one in found.drivers}
    first = found.drivers[0]
    assert first.name == "chased"
    assert 0.4 < first.low < first.share < first.high
    assert first.odds_low is not None
    assert first.odds_low > 10
    for idle in ("passed_on", "slow"):
        one = by[idle]
        assert one.share < 0.03
        assert one.odds_low is not None
        assert one.odds_high is not None
        assert one.odds_low < 1.6
        assert one.odds_high > 0.6
    assert found.r_squared == pytest.approx(sum(one.share for one in found.drivers))
    few = tmp_path / "few"
    few.mkdir()
    with pytest.raises(RequestError, match="too little"):
        explorations.find_drivers(made(few, lines[:60]), ())


def test_own_ratings_are_set_beside_the_customers_own(tmp_path: Path) -> None:
    lines: list[tuple[str, float, str, str, object]] = []
    for number in range(20):
        case, start = f"c{number}", number * 2.0
        own, theirs = 1 + number % 5, 1 + (number % 5 if number < 15 else (number + 2) % 5)
        lines += [
            (case, start, "asked", "s", ""),
            (case, start + 1, "resolved", "s", ""),
            (case, start + 2, "self_rated", "s", own),
            (case, start + 3, "rated", "s", theirs),
        ]
    workspace = made(tmp_path, lines)
    found = explorations.compare_judges(workspace)
    assert (found.scale, found.cases, found.same_share) == ("csat5", 20, 0.75)
    assert isinstance(found.kappa, float)
    assert isinstance(found.alpha, float)
    assert 0.3 < found.kappa < 0.9
    assert "Krippendorff" in CliRunner().invoke(app, ["agreement", "--home", str(workspace.folder)]).stdout
    few = rating_agreement("csat5", np.array([[1.0, 2.0], [1.0, 3.0]]))
    assert isinstance(few.kappa, NotComputable)
    assert "at least 10" in few.kappa.reason

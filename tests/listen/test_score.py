"""Problems beside labels that people gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from tests.listen.house import desk
from wellserved.actions.listening import listen_anew
from wellserved.actions.problem_score import score_file
from wellserved.errors import RequestError
from wellserved.listen.score import NO_PROBLEM, LabelScore, score_labels
from wellserved.moments import NotComputable
from wellserved.render.tables.problems import score_tables


def test_alike_is_one_by_chance_is_none_and_a_half_is_between() -> None:
    labels = ["late", "invoice"] * 40
    alike = score_labels(labels, ["p1 x", "p2 y"] * 40)
    assert isinstance(alike, LabelScore)
    assert (alike.agreement.value, alike.agreement.low, alike.agreement.high) == pytest.approx((1, 1, 1))
    chance = np.random.default_rng(1)
    dealt = score_labels(labels, [f"p{number}" for number in chance.integers(0, 3, 80)])
    assert isinstance(dealt, LabelScore)
    assert dealt.agreement.low < 0.02
    mixed: list[str | None] = ["p1 x"] * 30 + [None] * 10 + ["p2 y"] * 40
    halves = ["late"] * 40 + ["invoice"] * 20 + ["login"] * 20
    found = score_labels(halves, mixed)
    assert isinstance(found, LabelScore)
    assert found.agreement.value == pytest.approx(
        adjusted_mutual_info_score(halves, [name or NO_PROBLEM for name in mixed])
    )
    assert found.agreement.low < found.agreement.value < found.agreement.high
    assert [(match.label, match.problem, match.share_of_label, match.share_of_problem) for match in found.matches] == [
        ("late", "p1 x", 0.75, 1.0),
        ("invoice", "p2 y", 1.0, 0.5),
        ("login", "p2 y", 1.0, 0.5),
    ]
    assert isinstance(score_labels(["a"] * 29, ["p"] * 29), NotComputable)


def test_every_row_of_a_file_is_used_or_refused(tmp_path: Path) -> None:
    workspace, rows = desk(tmp_path, 12, 30)
    listen_anew(workspace)
    told = [row for row in rows if row.truth]
    labels = tmp_path / "labels.csv"
    doubtful = [";late", "999999;late", f"{told[0].number};late", f"{told[201].number};", ""]
    lines = ["Case;Label", *(f"{row.number};{row.truth}" for row in told[:200]), *doubtful]
    labels.write_text("\n".join(lines), encoding="utf-8")
    scored = score_file(workspace, labels)
    assert isinstance(scored.score, LabelScore)
    assert (scored.rows, scored.score.cases) == (204, 200)
    assert [row for row, _ in scored.refused] == [202, 203, 204, 205]
    table, refused = score_tables(scored)
    assert "204 rows read, 200 used" in table.note
    assert refused.rows[2] == (204, f"case {told[0].number} has a label already")
    labels.write_text("id,what\n1,late\n", encoding="utf-8")
    with pytest.raises(RequestError, match="no columns"):
        score_file(workspace, labels)

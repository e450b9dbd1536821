"""A clock that was set back, or stands still: what was recorded last still counts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import NOW
from tests.record.test_import import TICKETS, row, rows_of, write
from wellserved.actions.imports import import_file
from wellserved.storage import log
from wellserved.storage.workspace import Workspace


@pytest.mark.parametrize("back", [timedelta(0), timedelta(seconds=1), timedelta(days=400)])
def test_a_correction_counts_that_comes_after_the_clock_was_set_back(
    workspace: Workspace, tmp_path: Path, back: timedelta
) -> None:
    import_file(workspace, write(tmp_path / "a.csv", [row(1), row(2, team="B")]), TICKETS, now=NOW)
    later = import_file(workspace, write(tmp_path / "b.csv", [row(2, team="C"), row(1)]), TICKETS, now=NOW - back)
    assert later.receipt.moments_corrected == 3  # of the second case: asked, promised, resolved
    assert rows_of(workspace, workspace.cases, "case_id, team") == [("1", "A"), ("2", "C")]
    again = import_file(workspace, write(tmp_path / "d.csv", [row(2, team="D")]), TICKETS, now=NOW - 2 * back)
    assert rows_of(workspace, workspace.cases, "case_id, team") == [("1", "A"), ("2", "D")]
    assert [one.import_id for one in log.receipts(workspace)][-2:] == [later.receipt.import_id, again.receipt.import_id]
    assert len(rows_of(workspace, workspace.log, "moment_id")) == 6 + 3 + 3, "the same file again adds nothing"
    import_file(workspace, tmp_path / "b.csv", TICKETS, now=NOW - 3 * back)
    assert len(rows_of(workspace, workspace.log, "moment_id")) == 6 + 3 + 3


def test_what_was_recorded_keeps_its_true_instant_where_nothing_is_corrected(
    workspace: Workspace, tmp_path: Path
) -> None:
    import_file(workspace, write(tmp_path / "a.csv", [row(1)]), TICKETS, now=NOW)
    import_file(workspace, write(tmp_path / "b.csv", [row(2)]), TICKETS, now=NOW - timedelta(days=1))
    assert set(rows_of(workspace, workspace.log, "epoch(recorded_at)")) == {
        (NOW.timestamp(),),
        (NOW.timestamp() - 86_400,),
    }

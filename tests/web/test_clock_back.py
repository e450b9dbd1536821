"""A clock that was set back: changes to what was shared still count, and tonight's backup stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from tests.web.conftest import House
from tests.web.test_sharing import AT
from wellserved.actions import backups, sharing
from wellserved.actions.questions import ask_measures
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.storage.workspace import Workspace, create_workspace

pytestmark = pytest.mark.django_db(databases=["default", "journal"], transaction=True)


def test_a_change_and_a_withdrawal_count_after_the_clock_was_set_back(staff: House, tmp_path: Path) -> None:
    place = create_workspace(tmp_path / "home", "UTC")
    kept = sharing.share(staff.kim, {"word": "asked", "service": "badges"}, AT)
    gone = sharing.share(staff.kim, {"word": "asked", "service": "badges"}, AT)
    sharing.write_pending(place, AT + timedelta(days=30))
    sharing.change_copy(kept, {"service": "keys"}, "team")
    sharing.withdraw_copy(gone)
    sharing.write_pending(place, AT + timedelta(days=1))
    (by,) = ask_measures(place, MeasureQuestion((find_measure("asked"),), by="service"))
    assert (by.segments, by.n) == (("keys",), (1,))


def test_tonights_backup_stays_where_those_of_days_to_come_lie_beside_it(staff: House, place: Workspace) -> None:
    folder = place.folder / "backups"
    folder.mkdir(exist_ok=True)
    today = timezone.localdate()
    ahead = [folder / f"{today + timedelta(days=days)}.zip" for days in range(400, 410)]
    past = [folder / f"{today - timedelta(days=days)}.zip" for days in range(1, 10)]
    for file in (*ahead, *past, folder / "2026-01-01.zip.part"):
        file.touch()
    made = backups.write_nightly_backup(place)
    try:
        assert made is not None
        assert made.exists()
        assert {file.name for file in folder.iterdir()} == {file.name for file in (made, *ahead, *past[:6])}
    finally:
        for file in folder.iterdir():
            file.unlink()

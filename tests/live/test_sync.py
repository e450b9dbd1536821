"""A live source: equal to a sync from nothing, whatever its server did and wherever it was killed; its token stays sealed."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.live.fake_rt import TOKEN, FakeTracker, serving
from tests.sources.test_formats import moments
from wellserved.actions import live_sources
from wellserved.actions.live_sources import LiveSource, add_source, find_source, sync, sync_due
from wellserved.cli import app
from wellserved.engine import duckdb
from wellserved.errors import RequestError, SourceError
from wellserved.live import asking, feed
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_wait_seconds", lambda _: 0.0)


@pytest.fixture
def tracker() -> FakeTracker:
    return FakeTracker()


@pytest.fixture
def url(tracker: FakeTracker) -> Iterator[str]:
    with serving(tracker) as address:
        yield address


def house(folder: Path, url: str) -> Workspace:
    workspace = create_workspace(folder, "Europe/Berlin")
    add_source(workspace, LiveSource("rt", "rt", url, ""), TOKEN)
    return workspace


def current(workspace: Workspace) -> list[tuple[Any, ...]]:
    """What counts in the log, but for when and by which import it came."""
    with duckdb.connect(workspace.log) as db:
        log.create_current_view(db, "current_moments", log.snapshot(workspace.log).files)
        columns = ", ".join(
            f'"{name}"'
            for name, *_ in db.sql("DESCRIBE current_moments").fetchall()
            if name not in ("recorded_at", "import_id", "correction", "source_row", "month")
        )
        return db.sql(f"SELECT {columns} FROM current_moments ORDER BY moment_id").fetchall()


def test_a_ticket_s_course_is_told_moment_by_moment(tracker: FakeTracker, url: str, tmp_path: Path) -> None:
    ticket = tracker.open_ticket()
    requestor = tracker.tickets[ticket]["Requestor"][0]["id"]
    tracker.change(ticket, "Due", "2026-09-01 12:00:00", "2026-09-01T12:00:00Z")
    tracker.change(ticket, "Owner", "14", {"id": "root"})
    tracker.add(ticket, "SetWatcher", "Owner", "6", "14")
    tracker.add(ticket, "Correspond", creator="root")
    tracker.change(ticket, "Status", "open", "open", "RT_System")
    tracker.change(ticket, "Queue", "3", {"id": "3", "Name": "Billing"})
    tracker.change(ticket, "Status", "stalled", "stalled")
    tracker.add(ticket, "Correspond", creator=requestor)
    tracker.change(ticket, "Status", "open", "open")
    tracker.change(ticket, "Status", "resolved", "resolved")
    tracker.change(ticket, "Status", "open", "open")
    workspace = house(tmp_path / "house", url)
    result = sync(workspace, "rt")
    assert (result.records, result.tickets, result.hidden_tickets) == (13, 1, 0)
    told = sorted(moments(workspace), key=lambda row: (row[2], row[1]))
    assert [(row[1], row[3]) for row in told] == [
        ("asked", "General"), ("promised", "General"), ("assigned", "General"), ("replied", "General"), ("handed_over", "Billing"),
        ("paused", "Billing"), ("chased", "Billing"), ("resumed", "Billing"), ("resolved", "Billing"), ("reopened", "Billing"),
    ]  # fmt: skip
    made_at = {transaction["Created"] for transaction in tracker.transactions}
    assert {f"{datetime.fromtimestamp(row[2] / 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}" for row in told} <= made_at
    assert sync(workspace, "rt").records == 0


def test_step_by_step_and_from_nothing_are_equal(tracker: FakeTracker, url: str, tmp_path: Path) -> None:
    workspace = house(tmp_path / "house", url)
    for _ in range(4):
        tracker.work(150)
        sync(workspace, "rt")
    merged, kept, deleted = "2", "3", "4"
    for ticket in (merged, kept):
        tracker.add(ticket, "AddLink", "MergedInto", "", f"fsck.com-rt://host.test/ticket/{kept}")
    tracker.tickets[merged]["EffectiveId"] = kept
    tracker.change(deleted, "Status", "deleted", "deleted")
    result = sync(workspace, "rt")
    assert result.withdrawn > 0
    fresh = house(tmp_path / "fresh", url)
    sync(fresh, "rt")
    assert current(workspace) == current(fresh)
    kinds = {(row[0], row[1]) for row in moments(fresh)}
    assert (merged, "merged") in kinds
    assert (kept, "merged") not in kinds
    assert deleted not in {case for case, _ in kinds}


def test_a_ticket_that_was_deleted_and_comes_back_counts_again(tracker: FakeTracker, url: str, tmp_path: Path) -> None:
    tracker.work(120)
    workspace = house(tmp_path / "house", url)
    sync(workspace, "rt")
    before = [row for row in moments_that_count(workspace) if row[0] == "1"]
    for _ in range(2):
        state = str(tracker.tickets["1"]["Status"])
        tracker.change("1", "Status", "deleted", "deleted")
        assert sync(workspace, "rt").withdrawn >= len(before)
        assert [row for row in moments_that_count(workspace) if row[0] == "1"] == []
        tracker.change("1", "Status", state, state)
        assert sync(workspace, "rt").withdrawn == 0
        after = [row for row in moments_that_count(workspace) if row[0] == "1"]
        assert set(before) <= set(after)


def moments_that_count(workspace: Workspace) -> list[tuple[Any, ...]]:
    return [(row[4], row[3], row[1]) for row in current(workspace)]


@pytest.mark.parametrize("fault", ["busy", "down", "cut"])
def test_a_server_that_stumbles_is_asked_again(fault: str, tracker: FakeTracker, url: str, tmp_path: Path) -> None:
    tracker.work(250)
    fresh = house(tmp_path / "fresh", url)
    sync(fresh, "rt")
    tracker.faults = itertools.cycle(["", fault, fault, ""])
    workspace = house(tmp_path / "house", url)
    sync(workspace, "rt")
    assert current(workspace) == current(fresh)


@pytest.mark.parametrize("step", range(0, 12, 2))
def test_killed_anywhere_nothing_is_lost_or_doubled(
    step: int, tracker: FakeTracker, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.work(450)
    workspace = house(tmp_path / "house", url)
    calls = itertools.count()

    def dying(name: str, module: Any) -> None:
        real = getattr(module, name)

        def call(*arguments: Any, **names: Any) -> Any:
            if next(calls) == step:
                raise KeyboardInterrupt
            return real(*arguments, **names)

        monkeypatch.setattr(module, name, call)

    with monkeypatch.context():
        for name, module in (
            ("_write_page", feed),
            ("write_state", feed),
            ("write_state", live_sources),
            ("import_file", live_sources),
        ):
            dying(name, module)
        with contextlib.suppress(KeyboardInterrupt):
            sync(workspace, "rt")
        sync(workspace, "rt")
    monkeypatch.undo()
    fresh = house(tmp_path / "fresh", url)
    sync(fresh, "rt")
    assert current(workspace) == current(fresh)


@pytest.mark.parametrize(("fault", "words"), [("moved", "answers HTTP 302"), ("page", "answers no JSON")])
def test_what_is_no_rt_is_named_and_gets_no_second_address(
    fault: str, words: str, tracker: FakeTracker, url: str, tmp_path: Path
) -> None:
    tracker.faults = itertools.repeat(fault)
    workspace = house(tmp_path / "house", url)
    with pytest.raises(SourceError, match=words):
        sync(workspace, "rt")
    assert words in find_source(workspace, "rt").problem  # type: ignore[union-attr]
    assert len(tracker.requests) == 1


def test_the_token_is_sealed_and_a_wrong_one_is_said(tracker: FakeTracker, url: str, tmp_path: Path) -> None:
    workspace = house(tmp_path / "house", url)
    tracker.work(30)
    sync(workspace, "rt")
    for file in workspace.folder.rglob("*"):
        if file.is_file():
            assert TOKEN.encode() not in file.read_bytes(), file
    add_source(workspace, LiveSource("rt", "rt", url, ""), "wrong")
    with pytest.raises(SourceError, match="refuses the sign-in"):
        sync(workspace, "rt")


@pytest.mark.parametrize("url", ["http://rt.example.org", "http://127.0.0.1.example.org", "ftp://x", "rt.example.org"])
def test_no_token_goes_where_others_can_read_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="where everybody on the way can read it"):
        add_source(create_workspace(tmp_path / "house", "UTC"), LiveSource("rt", "rt", url, ""), TOKEN)


def test_the_worker_asks_what_is_due_and_keeps_what_went_wrong(tracker: FakeTracker, url: str, tmp_path: Path) -> None:
    workspace = house(tmp_path / "house", url)
    tracker.work(20)
    now = datetime.now(UTC).timestamp()
    assert sync_due(workspace, now) == 1
    assert sync_due(workspace, now + 60) == 0
    tracker.faults = itertools.repeat("page")
    assert sync_due(workspace, now + 700) == 1
    listed = CliRunner().invoke(app, ["source", "list", "--home", str(workspace.folder)])
    assert "answers no JSON" in " ".join(listed.output.split())


def test_by_the_command_line(tracker: FakeTracker, url: str, tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "house", "UTC")
    home = ["--home", str(workspace.folder)]
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    tracker.work(40)
    added = CliRunner().invoke(
        app, ["source", "add", "rt", "--url", url, "--token-file", str(tmp_path / "token"), *home]
    )
    assert added.exit_code == 0
    assert TOKEN not in added.output
    first = CliRunner().invoke(app, ["sync", *home])
    assert f"rt: {len(tracker.transactions)} transactions of {len(tracker.tickets)} tickets" in " ".join(
        first.output.split()
    )
    assert CliRunner().invoke(app, ["source", "remove", "rt", *home]).exit_code == 0
    assert isinstance(CliRunner().invoke(app, ["sync", *home]).exception, RequestError)
    assert current(workspace)

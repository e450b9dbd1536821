"""A real Request Tracker, worked on by a known script, and asked: every moment at its second, whatever was killed meanwhile.

Needs `sh tests/live/install_rt.sh`, as root on Debian, and WELLSERVED_RT=1, as CI has it (.ci/run); it takes two minutes,
and so is none of the tests that everybody runs.
"""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from wellserved.actions.live_sources import LiveSource, add_source, sync
from wellserved.engine import duckdb
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

pytestmark = pytest.mark.skipif(
    os.environ.get("WELLSERVED_RT") != "1", reason="needs a Request Tracker: tests/live/install_rt.sh"
)
URL = "http://127.0.0.1:8391"
TICKETS, KILLS = 60, 30


@dataclass
class Event:
    """What the script did, between these two instants."""

    ticket: str
    kind: str
    began: datetime
    ended: datetime


@dataclass
class Desk:
    """Somebody who works in RT by its interface and its mail gateway, and writes down what they do."""

    chance: random.Random
    events: list[Event] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    queues: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        credentials = base64.b64encode(b"root:password").decode()
        request = urllib.request.Request(
            f"{URL}/REST/2.0{path}", None if body is None else json.dumps(body).encode(), method=method,
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def act(self, ticket: str, kinds: Sequence[str], method: str, path: str, body: Any) -> Any:
        began = datetime.now(UTC)
        answer = self.call(method, path, body)
        self.note(ticket or str(answer["id"]), kinds, began)
        return answer

    def note(self, ticket: str, kinds: Sequence[str], began: datetime) -> None:
        self.events += [Event(ticket, kind, began, datetime.now(UTC)) for kind in kinds]

    def ask(self, number: int) -> str:
        """A new ticket, in every third case with a due time."""
        body = {
            "Queue": "General",
            "Subject": f"Matter {number}",
            "Requestor": f"c{number % 7}@example.org",
            "Content": "x",
            "ContentType": "text/plain",
        }
        kinds = ["asked"]
        if number % 3 == 0:
            body["Due"] = "2026-12-24 12:00:00"
            kinds.append("promised")
        ticket = str(self.act("", kinds, "POST", "/ticket", body)["id"])
        self.states[ticket], self.owners[ticket], self.queues[ticket] = "new", "", "General"
        return ticket

    def mail(self, number: int) -> str:
        """A new ticket by mail: its number is the highest there is."""
        began = datetime.now(UTC)
        text = f"From: m{number}@example.org\nTo: general@host.test\nSubject: By mail {number}\nMessage-ID: <{number}.{time.time()}@x>\n\nPlease.\n"
        subprocess.run(
            ["rt-mailgate", "--queue", "General", "--action", "correspond", "--url", f"{URL}/"],
            input=text.encode(),
            check=True,
            capture_output=True,
        )
        answer = self.call("GET", "/tickets?query=id%3E0&orderby=id&order=DESC&per_page=1")
        ticket = str(answer["items"][0]["id"])
        self.note(ticket, ["asked"], began)
        self.states[ticket], self.owners[ticket], self.queues[ticket] = "new", "", "General"
        return ticket

    def work(self, ticket: str) -> None:
        """One thing that happens to a ticket."""
        state = self.states[ticket]
        deed = self.chance.choice(["reply", "own", "queue", "due", "priority", "resolve", "stall", "open", "reject"])
        if deed == "reply":
            self.act(
                ticket,
                ["replied"],
                "POST",
                f"/ticket/{ticket}/correspond",
                {"Content": "a", "ContentType": "text/plain"},
            )
            if state == "new":
                self.states[ticket] = "open"
        elif deed == "own" and not self.owners[ticket]:
            self.act(ticket, ["assigned"], "PUT", f"/ticket/{ticket}", {"Owner": "root"})
            self.owners[ticket] = "root"
        elif deed == "queue":
            queue = "Billing" if self.queues[ticket] == "General" else "General"
            self.act(ticket, ["handed_over"], "PUT", f"/ticket/{ticket}", {"Queue": queue})
            self.queues[ticket] = queue
        elif deed == "due":
            day = self.chance.randrange(1, 28)
            self.act(
                ticket,
                ["promised"],
                "PUT",
                f"/ticket/{ticket}",
                {"Due": f"2027-01-{day:02d} 10:00:0{self.chance.randrange(10)}"},
            )
        elif deed == "priority":
            self.act(
                ticket, ["prioritised"], "PUT", f"/ticket/{ticket}", {"Priority": str(self.chance.randrange(1, 10_000))}
            )
        else:
            self._change(
                ticket,
                {"resolve": "resolved", "stall": "stalled", "open": "open", "reject": "rejected"}.get(deed, state),
            )

    def _change(self, ticket: str, new: str) -> None:
        old = self.states[ticket]
        if new == old or old in ("deleted", "merged"):
            return
        kinds = {"resolved": ["resolved"], "rejected": ["abandoned"]}.get(
            new, ["reopened"] if old in ("resolved", "rejected") else []
        )
        kinds = [
            *kinds,
            *(["paused"] if new == "stalled" else ["resumed"] if old == "stalled" and new == "open" else []),
        ]
        self.act(ticket, kinds, "PUT", f"/ticket/{ticket}", {"Status": new})
        self.states[ticket] = new

    def merge(self, ticket: str, into: str) -> None:
        self.act(ticket, ["merged"], "PUT", f"/ticket/{ticket}", {"MergeInto": int(into)})
        self.states[ticket] = "merged"

    def delete(self, ticket: str) -> None:
        self.call("PUT", f"/ticket/{ticket}", {"Status": "deleted"})
        self.states[ticket] = "deleted"

    def workable(self) -> list[str]:
        return [ticket for ticket, state in self.states.items() if state not in ("merged", "deleted")]


def source_of(workspace: Workspace) -> None:
    add_source(workspace, LiveSource("rt", "rt", URL, "", "root"), "password")


def moments(workspace: Workspace, tickets: Sequence[str]) -> list[tuple[Any, ...]]:
    """What counts of these tickets in the log, but when and by which import it came."""
    files = log.snapshot(workspace.log).files
    with duckdb.connect(workspace.log) as db:
        log.create_current_view(db, "current_moments", files)
        columns = ", ".join(
            name for name, *_ in db.sql("DESCRIBE current_moments").fetchall()
            if name not in ("recorded_at", "import_id", "correction", "source_row", "month")
        ).replace("at,", '"at",', 1)  # fmt: skip
        return db.sql(
            f"SELECT {columns} FROM current_moments WHERE case_id IN ({', '.join(map(repr, tickets))}) ORDER BY moment_id"
        ).fetchall()


def kinds_in_time(workspace: Workspace, tickets: Sequence[str]) -> list[tuple[str, str, datetime]]:
    files = log.snapshot(workspace.log).files
    with duckdb.connect(workspace.log) as db:
        log.create_current_view(db, "current_moments", files)
        return db.sql(
            f'SELECT case_id, kind, "at" FROM current_moments WHERE case_id IN ({", ".join(map(repr, tickets))}) ORDER BY "at", kind'
        ).fetchall()


def check_every_moment(workspace: Workspace, desk: Desk) -> None:
    """Each moment lies within the second in which the script did it, and there is no other."""
    tickets = list(desk.states)
    found = kinds_in_time(workspace, tickets)
    expected = [event for event in desk.events if desk.states[event.ticket] != "deleted"]
    rest = list(found)
    for event in expected:
        match = next(
            (row for row in rest if row[:2] == (event.ticket, event.kind) and event.began - timedelta(seconds=1) <= row[2] <= event.ended), None
        )  # fmt: skip
        assert match is not None, event
        rest.remove(match)
    assert rest == []


def kill_syncs(workspace: Workspace, chance: random.Random, count: int) -> None:
    """Begin a sync and kill it, again and again, wherever it is."""
    for _ in range(count):
        process = subprocess.Popen(
            [sys.executable, "-m", "wellserved", "sync", "rt", "--home", str(workspace.folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip
        time.sleep(chance.uniform(0.6, 4.0))
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_a_real_request_tracker_is_told_to_the_second(tmp_path: Path) -> None:
    chance = random.Random(3)
    desk = Desk(chance)
    if "Billing" not in json.dumps(desk.call("GET", "/queues/all?fields=Name")):
        desk.call("POST", "/queue", {"Name": "Billing"})
    for number in range(TICKETS):
        ticket = desk.mail(number) if number % 10 == 9 else desk.ask(number)
        for _ in range(chance.randrange(4)):
            desk.work(ticket)
    _, merged, kept, deleted, *_ = (
        desk.workable()
    )  # of a merged ticket RT tells no due time; the second was made without
    desk.merge(merged, kept)
    workspace = create_workspace(tmp_path / "desk", "Europe/Berlin")
    source_of(workspace)
    kill_syncs(workspace, chance, KILLS)
    sync(workspace, "rt")
    check_every_moment(workspace, desk)
    for ticket in desk.workable()[2::4]:
        desk.work(ticket)
    desk.delete(deleted)
    sync(workspace, "rt")
    check_every_moment(workspace, desk)
    fresh = create_workspace(tmp_path / "fresh", "Europe/Berlin")
    source_of(fresh)
    sync(fresh, "rt")
    assert moments(workspace, list(desk.states)) == moments(fresh, list(desk.states))
    again = sync(workspace, "rt")
    assert (again.records, again.moments, again.withdrawn) == (0, 0, 0)

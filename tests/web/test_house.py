"""Serving, killing, backing up and bringing back: each as a user would, on SQLite and on PostgreSQL."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.engines import postgres, postgres_folder
from tests.forked import Commands
from wellserved.storage.workspace import create_workspace

ROOT = Path(__file__).parent.parent.parent
KILLS = int(os.environ.get("WELLSERVED_KILLS", "3"))
DATABASES = ["sqlite", "postgresql"]


@dataclass
class Place:
    """A workspace of its own, on one of the databases."""

    home: Path
    commands: Commands
    url: str = ""

    @property
    def env(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")
        }
        return {
            **kept,
            "WELLSERVED_HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),  # this copy of the code, wherever it stands
            **({"DATABASE_URL": self.url} if self.url else {}),
        }

    def run(self, *words: str, typed: str = "", code: int = 0) -> str:
        """A command, as a user would run it."""
        ended, said = self.commands.said(self.home, *words, typed=typed, url=self.url)
        assert ended == code, said
        return said


@pytest.fixture(params=DATABASES)
def house(request: pytest.FixtureRequest, commands: Commands, tmp_path: Path) -> Iterator[Place]:
    """An empty house on each database."""
    create_workspace(tmp_path / "home", "Europe/Berlin")
    if request.param == "sqlite":
        yield Place(tmp_path / "home", commands)
        return
    if postgres_folder() is None:
        assert not os.environ.get("CI"), "PostgreSQL is needed here: .ci/run installs it"
        pytest.skip("no PostgreSQL on this machine")
    with tempfile.TemporaryDirectory(prefix="ws-pg-") as folder, postgres(Path(folder)) as url:
        yield Place(tmp_path / "home", commands, url)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(true: Callable[[], object]) -> None:
    """Wait for something that comes within seconds on an idle machine."""
    for _ in range(1_200):
        if true():
            return
        time.sleep(0.1)
    pytest.fail("it did not come")


class Server:
    """`wellserved serve`, and a browser without script that has opened its journal."""

    def __init__(self, place: Place, *more: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "wellserved", "serve", "--port", str(self.port), *more]
        self.process = subprocess.Popen(
            command, env=place.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for _ in range(1_200):
            try:
                if self.get("/livez")[0] == 200:
                    break
            except OSError:
                time.sleep(0.1)
        status, page, headers = self.get("/journal/")
        assert status == 200, page
        self.cookie = headers["Set-Cookie"].split(";")[0]
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found
        self.token = found[1]

    def get(self, path: str) -> tuple[int, str, http.client.HTTPMessage]:
        """One page."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as one:
            one.request("GET", path)
            answer = one.getresponse()
            return answer.status, answer.read().decode(), answer.headers

    def save(self, line: str, draft: uuid.UUID) -> str | None:
        """The id under which it says that it saved; None where it does not say so."""
        body = urlencode({"line": line, "draft": str(draft), "do": "save", "csrfmiddlewaretoken": self.token})
        headers = {
            "Cookie": self.cookie,
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as one:
                one.request("POST", "/journal/", body, headers)
                answer = one.getresponse()
                return str(json.loads(answer.read())["saved"]) if answer.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def kill(self) -> None:
        """At once, with all that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


def exported(place: Place) -> list[dict[str, str]]:
    """The journal as its owner takes it along."""
    server = Server(place, "--no-worker")
    try:
        return [json.loads(line) for line in server.get("/journal/export")[1].splitlines()]
    finally:
        server.kill()


def test_what_was_said_to_be_saved_is_there_after_every_kill_and_nothing_twice(house: Place) -> None:
    said: set[str] = set()
    sent: dict[uuid.UUID, str] = {}
    kept: list[uuid.UUID] = []  # as the browser keeps them until the server has them
    for round_ in range(KILLS):
        server, stop = Server(house, "--no-worker"), threading.Event()

        def write(server: Server = server, stop: threading.Event = stop, round_: int = round_) -> None:
            while not stop.is_set():
                draft = kept.pop() if kept else uuid.uuid4()
                line = sent.setdefault(draft, f"note: line {len(sent)} of round {round_}")
                if (saved := server.save(line, draft)) is not None:
                    said.add(saved)
                elif str(draft) not in said:
                    kept.append(draft)
                    return

        writers = [threading.Thread(target=write) for _ in range(4)]
        for one in writers:
            one.start()
        time.sleep(0.3 + 0.1 * (round_ % 7))
        server.kill()
        stop.set()
        for one in writers:
            one.join(60)
    found = exported(house)
    ids = [one["id"] for one in found]
    assert len(ids) == len(set(ids))
    assert said <= set(ids)
    assert len(said) > KILLS
    assert len({one["line"] for one in found}) == len(found)


def test_32_writers_lose_and_fail_nothing(house: Place) -> None:
    house.run("log", "note: makes the house")
    each = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.web.writers", "8", "20"],
            env=house.env,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    ids = []
    for one in each:
        out, err = one.communicate(timeout=300)
        assert one.returncode == 0, err
        assert err == ""
        ids += out.split()
    assert len(ids) == len(set(ids)) == 640
    house.run("backup", str(house.home / "b.zip"))
    with zipfile.ZipFile(house.home / "b.zip") as zipped:
        rows = json.loads(zipped.read("manifest.json"))["rows"]
    assert rows["store.shared"] == 320
    assert rows["journal.entry"] == 321


def test_a_backup_under_load_comes_back_in_the_other_database(house: Place, tmp_path: Path) -> None:
    """What was saved while others wrote is restored, table by table, and backed up again with the same digests."""
    house.run("log", "missed: xylocarpic Acme, cause: handover 2h")
    load = subprocess.Popen(
        [sys.executable, "-m", "tests.web.writers", "4", "100"], env=house.env, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    house.run("worker", "--once")
    house.run("backup", str(tmp_path / "a.zip"))
    assert load.wait(300) == 0
    assert oct((tmp_path / "a.zip").stat().st_mode)[-3:] == "600"
    if house.url:
        restored = Place(tmp_path / "other", house.commands)
        _comes_back(restored, tmp_path)
    elif postgres_folder() is not None:
        with tempfile.TemporaryDirectory(prefix="ws-pg-") as folder, postgres(Path(folder)) as url:
            _comes_back(Place(tmp_path / "other", house.commands, url), tmp_path)


def _comes_back(other: Place, folder: Path) -> None:
    assert "every table is as it was saved" in other.run("restore", str(folder / "a.zip"))
    assert "All is well" in other.run("check")
    other.run("worker", "--once")
    assert "not empty" in other.run("restore", str(folder / "a.zip"), code=2)
    other.run("log", "note: life goes on")
    other.run("backup", str(folder / "b.zip"))
    facts = []
    for name in ("a.zip", "b.zip"):
        with zipfile.ZipFile(folder / name) as zipped:
            assert not any(b"xylocarpic" in zipped.read(one) for one in zipped.namelist())
            facts.append(json.loads(zipped.read("manifest.json")))
    before, after = facts
    assert after["rows"]["journal.entry"] == before["rows"]["journal.entry"] + 1
    alike = set(before["digests"]) - {"journal.entry", "store.shared"}
    assert {name: before["digests"][name] for name in alike} == {name: after["digests"][name] for name in alike}
    (line,) = [one for one in exported(other) if "xylocarpic" in one["line"]]
    assert line["cause"] == "handover 2h"


def test_the_first_page_is_there_and_so_is_the_worker(house: Place) -> None:
    server = Server(house)
    try:
        assert "What happened?" in server.get("/")[1]
        status, said, _ = server.get("/readyz")
        assert status == 200
        assert json.loads(said)["ready"]
        until(lambda: json.loads(server.get("/readyz")[1])["worker"] == "ok")
        until(lambda: list((house.home / "backups").glob("????-??-??.zip")))
    finally:
        server.kill()


def test_people_come_in_by_the_command_line_first(commands: Commands, tmp_path: Path) -> None:
    house = Place(create_workspace(tmp_path / "home", "UTC").folder, commands)
    house.run("log", "lesson: written alone")
    assert "ten letters" in house.run("user", "add", "kim", typed="short\n", code=2)
    said = house.run("user", "add", "kim", "--role", "lead", "--team", "A", typed="correct horse battery\n")
    assert "keep what was written here alone" in said
    assert "kim: lead, A, administers" in house.run("user", "list")
    house.run("user", "add", "lee", "--role", "lead", typed="correct horse battery\n")
    assert "Name yourself" in house.run("log", "note: who?", code=2)
    house.run("log", "note: mine", "--as", "kim")
    assert "no role" in house.run("user", "add", "x", "--role", "king", typed="correct horse battery\n", code=2)


def test_what_is_wrong_is_said_in_plain_words(commands: Commands, tmp_path: Path) -> None:
    place = Place(create_workspace(tmp_path / "home", "UTC").folder, commands)
    place.run("log", "note: makes the house")
    (place.home / "keys" / "secret").chmod(0o644)
    assert "chmod 600" in place.run("check", code=1)
    (tmp_path / "junk.zip").write_bytes(b"junk")
    assert "no backup" in Place(tmp_path / "new", commands).run("restore", str(tmp_path / "junk.zip"), code=2)
    assert "only this computer" in place.run("serve", "--host", "0.0.0.0", code=2)

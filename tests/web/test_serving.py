"""The server and its worker: what strangers may send and for how long, who is behind a proxy, and that a dead worker is missed.

Sockets and processes are real; seconds are short, or read from a file's time, never waited for.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.forked import Commands
from tests.web.conftest import House
from tests.web.test_api import key
from tests.web.test_house import Place, free_port, until
from tests.web.test_house import Server as Serving
from wellserved import server
from wellserved.actions import health, sharing
from wellserved.actions import worker as task
from wellserved.cli.supervisor import Supervisor
from wellserved.errors import RequestError
from wellserved.server import UPLOAD_CHECK, Channel, ServerLimits, client_of, networks
from wellserved.storage.workspace import Workspace, create_workspace
from wellserved.store.models import Person, Shared

As = Callable[[Person], Client]
SHORT = ServerLimits(uploads={"/file": 2**20, r"/week/\d\d": 2**18}, header_seconds=0.3, body_seconds=0.3, body_rate=2**20, connections_per_address=8, connections=40,
               proxies=networks("127.0.0.9, 10.0.0.0/8"))  # fmt: skip
LAST = b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n"


def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """Answers with whom it sees and how much came; whoever has a cookie may send files."""
    if UPLOAD_CHECK in environ:
        start("204 No Content" if "HTTP_COOKIE" in environ else "302 Found", [])
        return [b""]
    size = len(environ["wsgi.input"].read())
    start("200 OK", [])
    return [f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']} {size}".encode()]


class Gate:
    """The server in a thread of its own, before an application that only counts."""

    def __init__(self, limits: ServerLimits) -> None:
        self.port = free_port()
        self.listening = server.listen(application, "127.0.0.1", self.port, limits)
        self.thread = threading.Thread(target=self.listening.run)
        self.thread.start()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection from one of this computer's addresses."""
        return socket.create_connection(("127.0.0.1", self.port), 30, source_address=(source, 0))

    def ask(self, request: bytes, source: str = "127.0.0.1") -> str:
        """What is answered until the connection ends."""
        with self.connect(source) as one:
            one.sendall(request)
            answer = b""
            while more := one.recv(65_536):
                answer += more
        return answer.decode()

    def channels(self) -> list[Channel]:
        """The connections that are open."""
        return [one for one in list(self.listening.map.values()) if isinstance(one, Channel)]

    def end(self) -> None:
        """Close everything, in its own thread."""
        (first,) = [one for one in self.listening.map.values() if isinstance(one, server.Server)]
        first.trigger.pull_trigger(self.listening.close)
        self.thread.join(30)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """The server with short times and few connections."""
    one = Gate(SHORT)
    yield one
    one.end()


@pytest.fixture
def patient() -> Iterator[Gate]:
    """The same with the times and numbers that are shipped."""
    one = Gate(replace(SHORT, header_seconds=10, body_seconds=20, connections_per_address=64, connections=400))
    yield one
    one.end()


def post(path: str, size: int, more: str = "") -> bytes:
    """The head of a request that announces a body."""
    return f"POST {path} HTTP/1.1\r\nContent-Length: {size}\r\n{more}".encode() + LAST


def chunked(path: str, size: int, more: str = "") -> bytes:
    """A whole request in one chunk, whose size is not announced beforehand."""
    head = f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{more}".encode() + LAST
    return head + f"{size:x}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n"


def test_a_large_body_is_refused_before_it_is_sent(patient: Gate) -> None:
    assert patient.ask(post("/livez", 65_536) + b"x" * 65_536).endswith("127.0.0.1 http 65536")
    for size in (65_537, 600_000_000, 10**30):
        refused = patient.ask(post("/livez", size))
        assert refused.startswith("HTTP/1.1 413"), size
        assert "Nothing larger than 64 KiB can be sent here." in refused
    assert patient.ask(post("/livez", 600_000_000, "Expect: 100-continue\r\n")).startswith("HTTP/1.1 413")
    assert patient.ask(chunked("/livez", 1_000)).endswith(" 1000")
    assert patient.ask(chunked("/livez", 70_000)).startswith("HTTP/1.1 413")
    assert patient.ask(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n" + LAST).startswith("HTTP/1.0 431")


def test_the_refusal_reaches_whoever_sends_on(patient: Gate) -> None:
    """A connection that is closed while bytes arrive is reset, and its sender learns nothing."""
    for _ in range(5):
        assert patient.ask(post("/livez", 900_000) + b"x" * 900_000).startswith("HTTP/1.1 413")


def test_files_are_taken_from_those_who_may_send_them(patient: Gate) -> None:
    body, cookie = b"x" * 200_000, "Cookie: a=b\r\n"
    assert patient.ask(post("/file", 200_000, cookie) + body).endswith(" 200000")
    assert patient.ask(chunked("/file", 200_000, cookie)).endswith(" 200000")
    assert patient.ask(post("/file", 200_000)).startswith("HTTP/1.1 413")
    assert patient.ask(chunked("/file", 200_000)).startswith("HTTP/1.1 413")
    assert patient.ask(chunked("/file", 1_000)).endswith(" 1000")
    assert patient.ask(post("/week/47", 200_000, cookie) + body).endswith(" 200000")
    assert "64 KiB" in patient.ask(post("/week/4x", 200_000, cookie))
    assert "256 KiB" in patient.ask(post("/week/47", 2**18 + 1, cookie))
    assert "1 MiB" in patient.ask(post("/file", 2**20 + 1, cookie))
    assert patient.ask(post("/other", 200_000, cookie)).startswith("HTTP/1.1 413")
    with patient.connect() as one:
        one.sendall(post("/file", 200_000, cookie + "Expect: 100-continue\r\n"))
        assert one.recv(100).startswith(b"HTTP/1.1 100")
        one.sendall(body)
        assert one.recv(4_096).startswith(b"HTTP/1.1 200")


def test_two_requests_in_one_piece_are_answered_in_order(patient: Gate) -> None:
    first = b"GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = patient.ask(first + post("/file", 70_000, "Cookie: a=b\r\n") + b"x" * 70_000)
    assert [part.split("\r\n")[0] for part in answer.split("http ")[1:]] == ["0HTTP/1.1 200 OK", "70000"]


def test_whoever_is_slow_is_not_waited_for(gate: Gate) -> None:
    assert gate.ask(b"GET / HT").startswith("HTTP/1.0 408")
    slow = gate.ask(post("/", 200) + b"x")
    assert slow.startswith("HTTP/1.1 408")
    assert "came too slowly" in slow
    assert gate.ask(post("/file", 200_000, "Cookie: a=b\r\n") + b"x" * 10).startswith("HTTP/1.1 408")


def test_dripping_does_not_buy_time(gate: Gate) -> None:
    """What counts is the whole time, not the time since the last byte."""
    with gate.connect() as one:
        one.settimeout(0.05)
        for _ in range(400):
            try:
                one.sendall(b"X")
                if answer := one.recv(100):
                    break
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.0 408")


def test_half_sent_requests_keep_nobody_out(patient: Gate) -> None:
    half = [patient.connect() for _ in range(120)]
    for one in half[:60]:
        one.sendall(b"GET / HTTP/1.1\r\nHo")
    for one in half[60:]:
        one.sendall(post("/", 1_000) + b"x")
    for source in ("127.0.0.1", "127.0.0.2"):
        assert patient.ask(b"GET / HTTP/1.1\r\n" + LAST, source).endswith(f"{source} http 0")
    assert len(patient.channels()) <= 65
    for one in half:
        one.close()


def test_an_address_has_only_so_many_connections_and_so_have_all(gate: Gate) -> None:
    several = [gate.connect(f"127.0.1.{one % 10}") for one in range(200)]
    assert gate.ask(b"GET / HTTP/1.1\r\n" + LAST, "127.0.2.1").endswith("127.0.2.1 http 0")
    addresses = [one.peer for one in gate.channels()]
    assert len(addresses) <= 41
    assert max(addresses.count(one) for one in addresses) <= 9
    for one in several:
        one.close()


def test_behind_a_proxy_each_person_counts_alone(gate: Gate) -> None:
    """The proxy itself has no limit but that of all; what it passes on counts for whoever began it."""
    head = "X-Forwarded-For: 203.0.113.{}\r\n"
    several = [gate.connect("127.0.0.9") for _ in range(30)]
    for one in several[:25]:
        one.sendall(post("/file", 1_000, head.format(5)) + b"x")
    for one in several[25:]:
        one.sendall(post("/file", 1_000, head.format(6)) + b"x")
    asked = f"GET / HTTP/1.1\r\n{head.format(7)}".encode() + LAST
    assert gate.ask(asked, "127.0.0.9").endswith("203.0.113.7 http 0")
    clients = [one.client for one in gate.channels()]
    assert clients.count("203.0.113.5") <= 9
    for one in several:
        one.close()


def test_only_a_trusted_proxy_is_believed(gate: Gate) -> None:
    said = b"GET / HTTP/1.1\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.7\r\nX-Forwarded-Proto: https\r\n" + LAST
    assert gate.ask(said).endswith("127.0.0.1 http 0")
    assert gate.ask(said, "127.0.0.9").endswith("203.0.113.7 https 0")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "127.0.0.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("203.0.113.7", "127.0.0.1", "203.0.113.7"),
        ("10.0.0.1", "127.0.0.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("10.0.0.1", '"[2001:db8::1]:4711"', "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7, <script>", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ],
)
def test_where_a_request_comes_from(peer: str, forwarded: str, client: str) -> None:
    assert client_of(peer, forwarded, networks("10.0.0.0/8")) == client


def test_a_proxy_is_named_as_an_address() -> None:
    with pytest.raises(RequestError, match="WELLSERVED_TRUSTED_PROXIES cannot be read"):
        networks("nginx.local")


@pytest.mark.django_db(databases=["default", "journal"])
def test_guesses_of_one_address_do_not_lock_out_another(staff: House) -> None:
    cache.clear()
    for one in range(12):
        guess = Client(REMOTE_ADDR="203.0.113.1", headers={"X-Forwarded-For": f"198.51.100.{one}"})
        guess.post("/login/login/", {"login": f"nobody{one}", "password": "a wrong password"})
    for address, entered in (("203.0.113.1", False), ("203.0.113.2", True)):
        person = Client(REMOTE_ADDR=address)
        person.post("/login/login/", {"login": "kim", "password": "correct horse battery"})
        assert (person.get("/").status_code == 200) is entered
    cache.clear()


@pytest.mark.django_db(databases=["default", "journal"])
def test_who_may_send_files_is_decided_by_the_door(staff: House, as_: As) -> None:
    data, customers, bulk = reverse("data"), reverse("customers_file"), reverse("api:record_moments")
    contracts = reverse("api:record_contracts")
    week, resume, resume_file = reverse("week", args=["2026-W47"]), reverse("resume"), reverse("resume_file")
    sizes = {
        path: settings.LIMITS.body_limit(path)
        for path in (
            data,
            customers,
            bulk,
            contracts,
            week,
            f"{week}send",
            resume,
            resume_file,
            f"{week}as/txt",
            "/reports/",
            "/journal/",
        )
    }
    assert len(settings.LIMITS.uploads) == 7
    kib = [2 * 2**20, 6 * 2**10, 2 * 2**10, 2 * 2**10, 256, 256, 256, 528, 64, 64, 64]
    assert [size // 2**10 for size in sizes.values()] == kib
    asked: dict[str, Any] = {UPLOAD_CHECK: True}
    for path in (data, customers):
        assert as_(staff.lead).get(path, **asked).status_code == 204
        assert as_(staff.kim).get(path, **asked).status_code == 404
        assert Client(REMOTE_ADDR="203.0.113.1").get(path, **asked).status_code == 302
    for path in (week, resume, resume_file):
        assert as_(staff.kim).get(path, **asked).status_code == 204
        assert Client(REMOTE_ADDR="203.0.113.1").get(path, **asked).status_code == 302
    for path in (bulk, contracts):
        assert key(staff.kim).get(path, **asked).status_code == 204
        assert key(staff.kim, days=-1).get(path, **asked).status_code == 401
        assert Client().get(path, **asked).status_code == 401


def test_ports_and_hosts_that_cannot_be_are_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for port in (0, -1, 70_000):
        with pytest.raises(RequestError, match=f"no port {port}.*from 1 to 65535"):
            server.listen(application, "127.0.0.1", port, SHORT)
    for host in ("a..b", "203.0.113.7", ""):
        with pytest.raises(RequestError, match=f"no address {host!r}"):
            server.listen(application, host, free_port(), SHORT)

    def forbidden(_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(server.Server, "bind_server_socket", forbidden)
    with pytest.raises(RequestError, match=r"may not listen on port 80\. Choose one from 1024"):
        server.listen(application, "127.0.0.1", 80, SHORT)


def test_a_port_in_use_is_said_before_any_address_and_starts_no_worker(commands: Commands, tmp_path: Path) -> None:
    place = Place(create_workspace(tmp_path / "home", "UTC").folder, commands)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = place.run("serve", "--port", str(port), code=2)
    assert "already listens" in said
    assert "http://" not in said
    assert len(said.splitlines()) == 2
    assert not (place.home / "worker.json").exists()


class Brief:
    """A process that has ended already, or that takes so long."""

    stdin: IO[bytes] | None = None

    def __init__(self, code: int) -> None:
        self.code = code

    def wait(self, timeout: float | None = None) -> int:
        return self.code

    def terminate(self) -> None:
        pass

    def kill(self) -> None:
        pass


def test_a_worker_that_ends_again_and_again_is_started_ever_more_slowly() -> None:
    pauses, lines, clock = list[float](), list[str](), [0.0]
    starts = 0

    def start() -> Brief:
        nonlocal starts
        starts += 1
        if starts == 3:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        clock[0] += 61.0 if starts == 9 else 0.0  # the ninth runs for a minute
        return Brief(-9 if starts == 1 else 3)

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 10

    Supervisor(start, lines.append, wait, lambda: clock[0]).keep_running()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 1, 2]
    assert starts == 10
    assert lines[0] == "The worker was ended by signal 9; it is started again in 1 second."
    assert "could not be started (Resource temporarily unavailable)" in lines[2]
    assert "ended with code 3" in lines[3]


def processes(session: int) -> dict[int, tuple[str, int, str]]:
    """The processes of a session: id -> (state, parent, command)."""
    alive = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, _, of, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(of) == session:
                alive[int(folder.name)] = (state, int(parent), (folder / "cmdline").read_bytes().decode())
        except OSError:  # it has just ended
            continue
    return alive


def workers(session: int) -> list[int]:
    """The workers of a session."""
    return [one for one, (_, _, command) in processes(session).items() if "\0worker\0" in command]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes as Linux shows them")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_worker_comes_again_and_nothing_outlives_its_server(
    commands: Commands, tmp_path: Path, end: signal.Signals
) -> None:
    place = Place(create_workspace(tmp_path / "home", "UTC").folder, commands)
    serving = Serving(place)
    session = serving.process.pid
    try:
        until(lambda: json.loads(serving.get("/readyz")[1])["worker"] == "ok")
        assert serving.get("/measures/asked/")[0] == 422  # there are no cases; a process of its own has looked
        (worker,) = workers(session)
        os.kill(worker, signal.SIGKILL)
        until(lambda: [one for one in workers(session) if one != worker])
        assert [state for state, _, _ in processes(session).values() if state == "Z"] == []
        serving.process.send_signal(end)
        assert serving.process.wait(60) == (-signal.SIGKILL if end == signal.SIGKILL else 0)
        until(lambda: not processes(session))
    finally:
        for one in processes(session):
            os.kill(one, signal.SIGKILL)
        serving.process.wait(60)


def test_the_server_of_the_product_refuses_what_is_too_large(commands: Commands, tmp_path: Path) -> None:
    """With one's own pages: a file from whoever is alone on this computer, nothing from whom a proxy passes on."""
    serving = Serving(Place(create_workspace(tmp_path / "home", "UTC").folder, commands), "--no-worker")

    def status(head: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", serving.port), 60) as one:
            one.sendall(head)
            return one.recv(12)[9:]

    try:
        assert status(post("/livez", 600_000_000)) == b"413"
        assert status(chunked("/livez", 70_000)) == b"413"
        assert status(post("/data/", 600_000, "Expect: 100-continue\r\n")) == b"100"
        assert status(post("/data/", 600_000, "X-Forwarded-For: 127.0.0.1\r\n")) == b"413"
        assert status(post("/api/v1/moments/bulk", 600_000, "Authorization: Bearer ws_guessed\r\n")) == b"413"
        background = (
            signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        )  # what it starts does not listen to Ctrl-C either
        serving.process.send_signal(signal.SIGTERM if background else signal.SIGINT)
        assert serving.process.wait(60) == 0
    finally:
        serving.process.kill()
        serving.process.wait(60)


def sign(workspace: Workspace, name: str, seconds: float, why: str = "") -> float:
    """Leave a sign of life some seconds old; returns now."""
    file = workspace.folder / "worker.json"
    file.write_text(json.dumps({"state": name, "process": 1, "why": why}))
    now = time.time()
    os.utime(file, (now - seconds, now - seconds))
    return now


@pytest.mark.parametrize(
    ("name", "seconds", "words", "well"),
    [
        ("working", 1, "ok", True),
        ("working", 19, "ok", True),
        ("working", 21, "silent for 21 seconds", False),
        ("working", 600, "silent for 10 minutes", False),
        ("working", -3_600, "silent: its last sign of life is dated in the future", False),
        ("failing", 1, "failing: No space left on device.", False),
        ("failing", 30, "silent for 30 seconds", False),
        ("stopped", 5, "stopped 5 seconds ago", True),
        ("stopped", 30, "stopped 30 seconds ago", False),
    ],
)
def test_how_it_stands_with_the_worker(workspace: Workspace, name: str, seconds: float, words: str, well: bool) -> None:
    assert str(task.worker_state(workspace)) == "never started"
    now = sign(workspace, name, seconds, "No space left on device.")
    current = task.worker_state(workspace, now)
    assert (str(current), current.is_well) == (words, well)
    (workspace.folder / "worker.json").write_text("[")
    assert str(task.worker_state(workspace)) == "ok"


@pytest.mark.django_db(databases=["default", "journal"])
def test_a_worker_that_is_gone_is_told_everywhere(staff: House, place: Workspace) -> None:
    browser = Client()
    try:
        assert json.loads(browser.get("/readyz").content)["ready"]
        sign(place, "working", 25)
        answer = browser.get("/readyz")
        assert (answer.status_code, answer.json()["worker"]) == (503, "silent for 25 seconds")
        assert any("The worker is silent for 25 seconds" in line for line in map(str, health.find_problems(place)))
        sign(place, "failing", 1, "Read-only file system.")
        assert browser.get("/readyz").status_code == 503
        assert any(
            "Read-only file system. It goes on trying." in line for line in map(str, health.find_problems(place))
        )
        sign(place, "working", 1)
        assert browser.get("/readyz").status_code == 200
        assert not any("worker" in line for line in map(str, health.find_problems(place)))
    finally:
        (place.folder / "worker.json").unlink()


@pytest.mark.django_db(databases=["default", "journal"])
def test_what_has_waited_too_long_is_told(staff: House, place: Workspace) -> None:
    row = sharing.share(staff.kim, {"word": "asked"}, timezone.now())
    assert not any("waited" in line for line in map(str, health.find_problems(place)))
    Shared.objects.filter(pk=row.pk).update(changed=timezone.now() - 2 * task.OVERDUE_AFTER)
    assert any(
        line.startswith("1 shared moment has waited") and "wellserved worker" in line
        for line in map(str, health.find_problems(place))
    )


class Steps(threading.Event):
    """Counts how long it is waited for, and is set after so many."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.pauses = most, list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        if len(self.pauses) == self.most:
            self.set()
        return self.is_set()


@pytest.mark.django_db(databases=["default", "journal"])
def test_a_worker_that_cannot_write_waits_longer_each_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failures = [OSError(errno.ENOSPC, "No space left on device")] * 7 + [None, OSError(errno.EROFS, "Read-only file system")]  # fmt: skip
    told = []

    def work(_: Workspace) -> None:
        told.append(str(task.worker_state(workspace)))
        if (error := failures.pop(0)) is not None:
            raise error

    monkeypatch.setattr(task, "work_once", work)
    steps = Steps(9)
    heartbeat = task.Heartbeat(workspace)
    heartbeat.set_state("working")
    task.run_worker(workspace, steps, heartbeat)
    assert steps.pauses == [4, 8, 16, 32, 60, 60, 60, 2, 4]
    assert told == ["ok", *["failing: No space left on device."] * 7, "ok"]
    assert capsys.readouterr().err.splitlines() == [
        "The worker waits and tries again: No space left on device.",
        "The worker goes on.",
        "The worker waits and tries again: Read-only file system.",
    ]


def test_no_sign_of_life_where_nothing_can_be_written(workspace: Workspace) -> None:
    (workspace.folder / "worker.json").mkdir()
    with task.Heartbeat(workspace):
        assert (workspace.folder / "worker.json").is_dir()
    assert str(task.worker_state(workspace)) == "never started"

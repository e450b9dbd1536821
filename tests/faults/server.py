"""Runs commands, each in a fork of one process that has everything loaded, under the storage of storage.c.

An order is a line of JSON: what to run, at which call to the storage it fails, and how; the answer is a line of JSON.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import json
import os
import resource
import select
import signal
import sys
import tempfile
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django
import duckdb  # noqa: F401 - loaded once, before the forks
import pyarrow.parquet  # noqa: F401
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.test import Client
from django.urls import reverse

import wellserved.cases
from wellserved import cli

PASSWORD = "correct horse battery"
SECONDS = 120  # a command that takes longer hangs
storage = ctypes.CDLL(None)
storage.fault_at.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int)
storage.fault_seen.restype = ctypes.c_long
storage.fault_call.argtypes, storage.fault_call.restype = (ctypes.c_long,), ctypes.c_char_p


def next_order() -> dict[str, Any] | None:
    """In a fork: what it is to do. In the parent, once there are no more orders: None. Orders on one line run at once."""
    for line in sys.stdin:
        orders: list[dict[str, Any]] = json.loads(line)
        running = []
        storage.fault_at(b"", b"", 0, 0, 0)
        for order in orders:
            process = os.fork()
            if not process:
                return order
            running.append((process, order))
        sys.stdout.write(json.dumps([outcome(process, order) for process, order in running]) + "\n")
        sys.stdout.flush()
    return None


def outcome(process: int, order: dict[str, Any]) -> dict[str, Any]:
    """How a fork ended, and which calls it made."""
    watched = os.pidfd_open(process)
    hung = not select.select([watched], [], [], SECONDS)[0]
    if hung:
        os.kill(process, signal.SIGKILL)
    os.close(watched)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    seen = storage.fault_seen()
    calls = [storage.fault_call(number).decode(errors="replace") for number in range(1, seen + 1)]
    return {"code": code, "hung": hung, "calls": calls, "printed": Path(order["out"]).read_text(encoding="utf-8")}


def browse(pages: list[str]) -> None:
    """As a browser: log in, write what follows a "+" into the journal, open the other pages, and print each answer."""
    browser = Client(raise_request_exception=False, headers={"host": "localhost"})
    said = browser.post("/login/login/", {"login": "kim", "password": PASSWORD})
    answers = [said]
    for page in pages:
        if page.startswith("+"):
            answers.append(browser.post("/journal/new", {"text": page[1:], "word": "note", "at": "2026-11-20T10:00"}))
        else:
            answers.append(browser.get(page))
    for answer in answers:
        words = " ".join(b"".join(answer).decode().split())
        print(json.dumps([answer.status_code, answer.headers.get("Location", ""), words]), flush=True)


def share(many: int) -> None:
    """Share promises, half of them kept: they wait for the worker."""
    cli.databases.prepare_workspace(Path(os.environ["WELLSERVED_HOME"]))
    from wellserved.actions import sharing
    from wellserved.store.models import Person

    kim = Person.objects.get(username="kim")
    for number in range(many):
        at = datetime(2026, 11, 1 + number, 9, tzinfo=UTC)
        made = sharing.share(kim, {"word": "promise", "customer": f"Customer {number}"}, at)
        if number % 2:
            sharing.share(kim, {"word": "kept"}, at + timedelta(hours=2), thread=made.thread)


def run(order: dict[str, Any]) -> None:
    """Do what was ordered, with the calls to the storage counted."""
    with tempfile.TemporaryFile() as typed:
        typed.write(order.get("typed", "").encode())
        typed.seek(0)
        os.dup2(typed.fileno(), 0)
    printed = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    if "limit" in order:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
    if "user" in order:
        os.setgroups([])
        os.setgid(order["user"])
        os.setuid(order["user"])
    wellserved.cases.SMALL_FILE_ROWS = order.get("small", wellserved.cases.SMALL_FILE_ROWS)
    if order["argv"][0] == "browser":  # whose server runs already
        cli.databases.prepare_workspace(Path(os.environ["WELLSERVED_HOME"]))
    home, other = (os.fsencode(folder) for folder in order["folders"])
    storage.fault_at(home, other, order["at"], order["error"], order["lasting"])
    if order["argv"][0] == "browser":
        browse(order["argv"][1:])
    elif order["argv"][0] == "share":
        share(int(order["argv"][1]))
    else:
        sys.argv = ["wellserved", *order["argv"]]
        cli.main()


def load() -> None:
    """Everything that a command would load, so that each fork has it: no database is opened."""
    django.setup()
    get_wsgi_application()
    MigrationLoader(None)
    for name in ("wellserved.web.urls", "pandas", "pytz", "_strptime"):  # Arrow loads pandas where there is one
        if importlib.util.find_spec(name):
            importlib.import_module(name)
    for name in ("login", "today"):
        reverse("account_login" if name == "login" else name)


def end(code: int) -> None:
    """As a process ends: its connections are closed. The rest of the fork, which is its parent's, is not taken down."""
    connections.close_all()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    load()
    gc.collect()
    gc.freeze()  # so that a fork copies little
    if (order := next_order()) is not None:
        try:
            run(order)
        except SystemExit as stopped:
            end(stopped.code if isinstance(stopped.code, int) else 1)
        except BaseException:
            traceback.print_exc()
            end(70)
        end(0)

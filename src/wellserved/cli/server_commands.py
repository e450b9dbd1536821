"""Commands that keep the pages running: serve, worker."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import HomeOption, app, console, error_console
from wellserved.cli.supervisor import Supervisor
from wellserved.errors import RequestError
from wellserved.storage.workspace import Workspace

if TYPE_CHECKING:
    from wellserved.actions.worker import Heartbeat

PATIENCE_SECONDS = 10.0  # seconds that the worker takes at most to finish what it is at


@app.command()
def serve(
    home: HomeOption = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; beyond this computer only once people log in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on.")] = 8377,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Write shared moments into the log as well.")
    ] = True,
) -> None:
    """Open the journal and the team's pages in a browser: makes what is missing, and prints the address."""
    workspace = prepare_workspace(home, make=True)
    from wellserved import server
    from wellserved.actions import membership
    from wellserved.store.models import Person

    if host not in ("127.0.0.1", "localhost", "::1") and (membership.find_sole_user() or not Person.objects.exists()):
        raise RequestError(
            "Nobody logs in here, so that only this computer may look.",
            "Add a person first: wellserved user add NAME --role lead.",
        )
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application

    web_server = server.listen(get_wsgi_application(), host, port, settings.LIMITS)
    supervisor = (
        Supervisor(lambda: _start_worker(workspace), partial(error_console.print, markup=False)) if worker else None
    )
    signal.signal(signal.SIGTERM, _exit_in_order)
    gc.freeze()  # what was loaded stays: the collector need not walk it with every tenth request
    try:
        if supervisor is not None:
            supervisor.begin()
        shown_host = f"[{host}]" if ":" in host else host
        console.print(f"http://{shown_host}:{port}/  (stop with Ctrl-C)", markup=False, highlight=False)
        web_server.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # it ends already, within seconds
        if supervisor is not None:
            supervisor.stop()
        for child in multiprocessing.active_children():  # questions that are being answered, for nobody now
            child.kill()
        gc.unfreeze()  # so that what was loaded is taken down in order


def _exit_in_order(*_: object) -> None:
    """End as with Ctrl-C, in order."""
    raise SystemExit(0)


def _start_worker(workspace: Workspace) -> subprocess.Popen[bytes]:
    """The worker as a process of its own; its standard input ends when this process does, whichever way."""
    command = [sys.executable, "-m", "wellserved", "worker", "--home", str(workspace.folder), "--beside"]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


@app.command()
def worker(
    home: HomeOption = None,
    ends_with_input: Annotated[
        bool, typer.Option("--beside", help="End when standard input ends.", hidden=True)
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Write what waits, and stop.")] = False,
) -> None:
    """Write shared moments into the log, send mails, and back up every night: what `serve --no-worker` leaves to this."""
    stop = threading.Event()
    workspace = prepare_workspace(home)
    from wellserved.actions import listening, live_sources, uploads
    from wellserved.actions import worker as task

    if once:
        task.work_once(workspace)
        task.run_errands_once(workspace)
        listening.look_if_wanted(workspace)
        uploads.advance_all(workspace)
        live_sources.sync_due(workspace)
        return
    with task.Heartbeat(workspace) as heartbeat:

        def finish(*_: object) -> None:
            """Finish what is being written, if that takes no longer than some seconds; a kill would lose nothing either."""
            if not stop.is_set():
                stop.set()
                threading.Thread(target=_exit_after_patience, args=(heartbeat,), daemon=True).start()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, finish)
        if ends_with_input:
            threading.Thread(target=_watch_input, args=(finish,), daemon=True).start()
        for errand in (task.run_errands, listening.run_looks, uploads.run_uploads, live_sources.run_syncs):
            threading.Thread(target=errand, args=(workspace, stop), daemon=True).start()
        task.run_worker(workspace, stop, heartbeat)


def _exit_after_patience(heartbeat: Heartbeat) -> None:
    time.sleep(PATIENCE_SECONDS)
    heartbeat.set_state("stopped")
    os._exit(0)


def _watch_input(finish: Callable[[], None]) -> None:
    while os.read(0, 1):
        pass
    finish()

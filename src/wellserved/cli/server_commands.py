"""The commands that keep the journal and its pages: serve, worker, user, check, backup, restore, and a line for the journal."""

from __future__ import annotations

import gc
import getpass
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from wellserved.cli.shared import HomeOption, app, console, error_console, progress
from wellserved.cli.supervisor import Supervisor
from wellserved.errors import DamageError, RequestError
from wellserved.render.clean import one_line
from wellserved.workspace import Workspace, create_workspace, default_folder, open_workspace, owner_only

if TYPE_CHECKING:
    from wellserved.actions.worker import Heartbeat

PATIENCE_SECONDS = 10.0  # seconds that the worker takes at most to finish what it is at
user = typer.Typer(help="People who may come in.", no_args_is_help=True)
app.add_typer(user, name="user")


def prepare_workspace(home: Path | None, make: bool = False) -> Workspace:
    """The workspace with its databases up to date; `make`: where there is none, one is made in the computer's zone."""
    workspace = connect_databases(home, make)
    from wellserved.actions import setup

    setup.prepare(workspace)
    return workspace


def connect_databases(home: Path | None, make: bool = False) -> Workspace:
    """The workspace with its databases at hand, as they are."""
    folder = home or default_folder()
    if make and not (folder / "workspace.toml").exists():
        create_workspace(folder, _computer_zone())
    workspace = open_workspace(folder)
    os.environ["WELLSERVED_HOME"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "wellserved.web.settings"
    import django

    django.setup()
    return workspace


def _computer_zone() -> str:
    """This computer's zone, where it has a name; else UTC."""
    zone_name = os.environ.get("TZ", "") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    try:
        return ZoneInfo(zone_name).key if zone_name else "UTC"
    except (OSError, ValueError):
        return "UTC"


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
    """Write shared moments into the log, and back up every night: what `serve --no-worker` leaves to this."""
    stop = threading.Event()
    workspace = prepare_workspace(home)
    from wellserved.actions import worker as task

    if once:
        task.work_once(workspace)
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
        task.run_worker(workspace, stop, heartbeat)


def _exit_after_patience(heartbeat: Heartbeat) -> None:
    time.sleep(PATIENCE_SECONDS)
    heartbeat.set_state("stopped")
    os._exit(0)


def _watch_input(finish: Callable[[], None]) -> None:
    while os.read(0, 1):
        pass
    finish()


@user.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="User name.")],
    role: Annotated[
        str,
        typer.Option(
            "--role", help="member, lead, quality, finance, auditor, or admin (who administers and sees no measures)."
        ),
    ] = "member",
    team: Annotated[str, typer.Option("--team", help="Team, by its name in the records.")] = "",
    served_as: Annotated[str, typer.Option("--served-as", help="Their person_id in imported records.")] = "",
    administers: Annotated[
        bool,
        typer.Option("--administers", help="They also invite people and give roles; the first person always does."),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Let somebody in. The first one takes over what was written alone; from then on everybody logs in."""
    prepare_workspace(home, make=True)
    from wellserved.actions import membership
    from wellserved.store.access import record_event

    person, took_over = membership.add_person(name, role, team, _read_password(), served_as, administers)
    record_event(person, "let in on the command line", name)
    console.print(
        f"{name} can log in as {role}." + (" They keep what was written here alone." if took_over else ""), markup=False
    )


def _read_password() -> str:
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if len(password) < 10:
        raise RequestError("A password has at least ten letters.", "Choose a longer one.")
    return password


@user.command("password")
def user_password(
    name: Annotated[str, typer.Argument(help="User name.")],
    without_factors: Annotated[
        bool, typer.Option("--without-factors", help="End their second factors and passkeys too.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Give somebody another password: the way back where an administrator forgot theirs."""
    prepare_workspace(home)
    from wellserved.actions import membership

    membership.set_new_password(name, _read_password(), without_factors)
    console.print(f"{name} has another password.", markup=False)


@user.command("list")
def user_list(home: HomeOption = None) -> None:
    """List who may come in."""
    prepare_workspace(home)
    from wellserved.store.models import Person

    for person in Person.objects.select_related("team").order_by("username"):
        access = (", administers" if person.is_staff else "") + ("" if person.is_active else ", without access")
        console.print(
            f"{person.username}: {person.role}{f', {person.team.name}' if person.team else ''}{access}",
            markup=False,
            highlight=False,
        )


@app.command()
def check(home: HomeOption = None) -> None:
    """Look at everything and say in plain words what is wrong, what is lost and what to do; quick, and changes nothing."""
    _report_problems(home, thorough=False)
    console.print("All is well.")


@app.command()
def verify(home: HomeOption = None) -> None:
    """Read everything that is stored, compare it with the digests kept when it was written, and say what is wrong."""
    workspace = _report_problems(home, thorough=True)
    from wellserved.actions import health

    extent = health.stored_file_counts(workspace)
    console.print(
        f"All is well: {extent['log']:,} files of the log, {extent['cases']:,} of the cases, both databases and the backups "
        "were read.",
        markup=False,
        highlight=False,
    )
    if extent["undigested"]:
        console.print(
            f"{extent['undigested']:,} files of the log have no digest, since an earlier version wrote them: they can be read "
            "and hold as many rows as were written, but a single altered value would not be seen in them.",
            markup=False,
            highlight=False,
        )


def _report_problems(home: Path | None, thorough: bool) -> Workspace:
    """Print what is wrong and end; the workspace, where nothing is."""
    workspace, problems = _find_problems(home, thorough)
    for problem in problems:
        error_console.print(f"- {one_line(problem)}", markup=False, highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    return workspace


def _find_problems(home: Path | None, thorough: bool) -> tuple[Workspace, list[str]]:
    """What is wrong; where the pages cannot even be set up, with the files at least."""
    from wellserved import integrity

    folder = home or default_folder()
    try:
        workspace = connect_databases(home)
    except DamageError as error:
        workspace = Workspace(folder, "UTC")
        problems = [f"{error.problem} {error.remedy} The databases can be looked at once that is done."]
        with progress() as on_progress:
            for find_damage in (integrity.log_findings, integrity.case_findings):
                problems += [str(problem) for problem in find_damage(workspace, thorough, on_progress)]
            return workspace, problems + [str(problem) for problem in integrity.receipt_findings(workspace)]
    from wellserved.actions import health

    with progress() as on_progress:
        return workspace, [str(problem) for problem in health.find_problems(workspace, thorough, on_progress)]


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to write.")], home: HomeOption = None) -> None:
    """Save everything in one file, while the product runs; readable by its owner alone."""
    workspace = prepare_workspace(home)
    from wellserved.actions import backups

    with progress() as on_progress:
        facts = backups.write_backup(workspace, file, on_progress)
    console.print(
        f"Wrote {file}: {sum(facts['rows'].values()):,} rows, log version {facts['log_version']}.",
        markup=False,
        highlight=False,
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `wellserved backup` wrote.")], home: HomeOption = None
) -> None:
    """Bring a backup into an empty workspace, on SQLite or PostgreSQL, and compare every table with what was saved."""
    folder = home or default_folder()
    if not (folder / "keys" / "secret").exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _restore_secret(file, folder)
    workspace = connect_databases(home)
    from wellserved.actions import backups

    with progress() as on_progress:
        facts = backups.restore_backup(workspace, file, on_progress)
    console.print(
        f"Restored {sum(facts['rows'].values()):,} rows of {facts['made']}; every table is as it was saved.",
        markup=False,
        highlight=False,
    )


def _restore_secret(file: Path, folder: Path) -> None:
    """The secret and the zone come first: the pages are set up with them."""
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            for name in ("keys/secret", "workspace.toml"):
                target = folder / name
                target.parent.mkdir(mode=0o700, exist_ok=True)
                with open(target, "wb", opener=owner_only) as target_file:
                    target_file.write(archive.read(f"files/{name}"))
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise RequestError(
            f"{file} is no backup: {one_line(str(error))}.", "Name a file that `wellserved backup` wrote."
        ) from error


def write_line(line: str, home: Path | None, user_name: str | None) -> None:
    """Write a line into one's journal, and say what was understood."""
    try:
        line = os.fsencode(line).decode()
    except UnicodeDecodeError:  # typed in another encoding than the terminal says
        line = os.fsencode(line).decode("cp1252", "replace")
    prepare_workspace(home, make=True)
    from django.conf import settings

    from wellserved.actions import membership
    from wellserved.actions.writing import capture_line, find_open_matters, record_line
    from wellserved.capture import describe_line
    from wellserved.journal.handle import Journal
    from wellserved.store.access import AccessScope

    person = membership.find_person(user_name)
    journal = Journal(person.pk, settings.SECRET_KEY.encode())
    captured_line = capture_line(line, AccessScope(person), journal)
    open_matters = find_open_matters(captured_line, journal)
    record_line(captured_line, journal)
    console.print("Saved, for your eyes only.")
    facts = [
        *describe_line(captured_line),
        *(("belongs to", matter.words) for matter in open_matters if len(open_matters) == 1),
    ]
    for name, value in facts:
        console.print(f"  {name}: {one_line(value)}", markup=False, highlight=False)
    if len(open_matters) > 1:
        console.print(
            f"It may belong to any of {len(open_matters)} open matters, so it stands by itself:", highlight=False
        )
        for matter in open_matters:
            console.print(f"  {one_line(matter.words)}", markup=False, highlight=False)
        console.print("Open its page (`wellserved serve`, Journal) to say which.", highlight=False)

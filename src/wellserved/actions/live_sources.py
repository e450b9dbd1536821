"""Live sources of a house: added by who runs it, asked for what came since, and read into the log like any file."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from filelock import FileLock, Timeout

from wellserved import disk
from wellserved.actions.imports import import_file
from wellserved.actions.live_agreement import agree_with_source
from wellserved.actions.mappings import check_name
from wellserved.errors import DamageError, RequestError, WellservedError
from wellserved.live.feed import FeedState, fetch, kept_pages, read_state, write_state
from wellserved.live.request_tracker import ROW_COLUMNS, RequestTracker, TicketHistory, histories, ticket_rows
from wellserved.mapping import presets
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage.workspace import Workspace
from wellserved.wording import plural

LIVE_FOLDER = "live"
SYSTEMS = ("rt",)
MINUTES = 10  # between two times that a source is asked, unless it says otherwise
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)")


@dataclass(frozen=True)
class LiveSource:
    """A system that is asked."""

    name: str  # the source's, in the log
    kind: str  # rt
    url: str
    token: str  # or the user's password; sealed by the workspace's own secret
    user: str = ""  # who signs in by a password; empty: the token says it
    title: str = ""
    minutes: int = MINUTES
    asked_at: str = ""
    problem: str = ""  # why the last time failed, and what to do; empty: it did not
    answer: str = ""  # what the last time brought, in words
    is_due: bool = False  # somebody wants it asked now


@dataclass(frozen=True)
class SyncResult:
    """What a sync brought."""

    records: int  # transactions that were fetched
    tickets: int  # that they are about
    moments: int  # new in the log
    withdrawn: int  # moments that are told no more, of deleted tickets above all
    hidden_tickets: int  # whose facts the token's user may not see

    def in_words(self) -> str:
        """One line of what it brought."""
        withdrawn = (
            f", {self.withdrawn:,} withdrawn, as the system does not tell them any more" if self.withdrawn else ""
        )
        hidden_text = (
            f" {plural(self.hidden_tickets, 'ticket')} cannot be seen by its user and told nothing."
            if self.hidden_tickets
            else ""
        )
        return (
            f"{plural(self.records, 'transaction')} of {plural(self.tickets, 'ticket')}; "
            f"{plural(self.moments, 'moment')} new{withdrawn}.{hidden_text}"
        )


def _folder(workspace: Workspace, name: str) -> Path:
    return workspace.folder / LIVE_FOLDER / name


def _seal(workspace: Workspace) -> Fernet:
    return Fernet(urlsafe_b64encode(sha256(f"live {workspace.secret()}".encode()).digest()))


def set_up_source(workspace: Workspace, source: LiveSource, token: str, allow_local: bool) -> LiveSource:
    """Set up a source, or change one, on a page: without a token the known one stays, for the address that it was given for.

    `allow_local`: whether a system of this computer itself may be asked, without https.
    """
    if not allow_local and not source.url.startswith("https://"):
        raise RequestError(f"{source.url} does not begin with https://.", "Give an address with https://.")
    if token:
        return add_source(workspace, source, token.strip())
    kept_source = find_source(workspace, source.name)
    if kept_source is None or (kept_source.url, kept_source.user) != (source.url, source.user):
        raise RequestError("There is no token for this address and user.", "Give a token, or a password.")
    return add_source(workspace, source, _open_token(workspace, kept_source))


def ask_soon(workspace: Workspace, name: str) -> None:
    """Have a source asked by whoever asks the sources, beside the worker, without waiting for its time."""
    if source := find_source(workspace, name):
        _write(workspace, replace(source, is_due=True))


def add_source(workspace: Workspace, source: LiveSource, token: str) -> LiveSource:
    """Set up a source, or change one; its token is sealed and never shown again."""
    check_name(source.name)
    if source.kind not in SYSTEMS:
        raise RequestError(f"{source.kind!r} is no system that can be asked.", f"Take one of: {', '.join(SYSTEMS)}.")
    if not source.url.startswith("https://") and not _LOOPBACK.match(source.url):
        raise RequestError(
            f"{source.url} would send the token where everybody on the way can read it.",
            "Give an address with https://.",
        )
    if source.minutes < 1:
        raise RequestError(f"{source.minutes} minutes is no time between two syncs.", "Give 1 or more.")
    known = find_source(workspace, source.name)
    if known and known.url != source.url and read_state(_folder(workspace, source.name)).pages:
        raise RequestError(
            f"Source {source.name} was fetched from {known.url}.", "Give the other system a name of its own."
        )
    sealed = replace(source, token=_seal(workspace).encrypt(token.encode()).decode())
    _folder(workspace, source.name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return _write(workspace, sealed)


def _open_token(workspace: Workspace, source: LiveSource) -> str:
    try:
        return _seal(workspace).decrypt(source.token.encode()).decode()
    except InvalidToken as error:
        raise DamageError(
            f"The token of source {source.name} cannot be opened.", "Add the source again, with its token."
        ) from error


def _write(workspace: Workspace, source: LiveSource) -> LiveSource:
    disk.write_facts(_folder(workspace, source.name) / "source.json", asdict(source))
    return source


def find_source(workspace: Workspace, name: str) -> LiveSource | None:
    """A source by its name; None: there is none."""
    file = _folder(workspace, name) / "source.json"
    try:
        return LiveSource(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise DamageError(f"{file} is damaged.", "Remove its folder, and add the source again.") from error


def live_sources(workspace: Workspace) -> list[LiveSource]:
    """Every source that is asked."""
    names = sorted(file.parent.name for file in (workspace.folder / LIVE_FOLDER).glob("*/source.json"))
    return [source for name in names if (source := find_source(workspace, name))]


def remove_source(workspace: Workspace, name: str) -> None:
    """Ask a source no more, and forget its token and its raw pages; what is in the log stays."""
    if find_source(workspace, name) is None:
        raise RequestError(f"There is no source {name!r}.", "`wellserved source list` shows them.")
    shutil.rmtree(_folder(workspace, name))


def sync(
    workspace: Workspace, name: str, on_progress: ProgressCallback = no_progress, now: datetime | None = None
) -> SyncResult:
    """Ask a source for all that came since, and read it into the log; a kill at any moment loses and doubles nothing.

    Raises RequestError where another sync of it is at work, SourceError where the system cannot be reached or refuses.
    """
    source = find_source(workspace, name)
    if source is None:
        raise RequestError(f"There is no source {name!r}.", "`wellserved source list` shows them.")
    try:
        with FileLock(_folder(workspace, name) / ".lock").acquire(timeout=0):
            return _sync_and_note(workspace, source, on_progress, now or datetime.now(UTC))
    except Timeout as error:
        raise RequestError(f"Source {name} is being asked already.", "Wait until that is over.") from error


def _sync_and_note(
    workspace: Workspace, source: LiveSource, on_progress: ProgressCallback, now: datetime
) -> SyncResult:
    """Sync, and keep with the source when that was, what it brought and what went wrong."""
    problem = answer = ""
    try:
        result = _sync(workspace, source, on_progress, now)
        answer = result.in_words()
        return result
    except WellservedError as error:
        problem = f"{error.problem} {error.remedy}"
        raise
    finally:
        asked_at = now.isoformat(timespec="seconds")
        _write(workspace, replace(source, asked_at=asked_at, problem=problem, answer=answer, is_due=False))


def _sync(workspace: Workspace, source: LiveSource, on_progress: ProgressCallback, now: datetime) -> SyncResult:
    from wellserved.live.asking import RemoteSystem

    token = _open_token(workspace, source)
    folder = _folder(workspace, source.name)
    credentials = b64encode(f"{source.user}:{token}".encode()).decode()
    server = RemoteSystem(source.url, {"Authorization": f"Basic {credentials}" if source.user else f"token {token}"})
    try:
        feed = RequestTracker(server)
        state = fetch(feed, folder, on_progress)
        if state.cursor == state.imported:
            return SyncResult(0, 0, 0, 0, 0)
        queues = feed.queues()
    finally:
        server.close()
    result = _import(workspace, source, folder, state, queues, on_progress, now)
    write_state(folder, replace(state, imported=state.cursor))
    return result


def _import(
    workspace: Workspace,
    source: LiveSource,
    folder: Path,
    state: FeedState,
    queues: Mapping[str, str],
    on_progress: ProgressCallback,
    now: datetime,
) -> SyncResult:
    """Make moments of all tickets that have something new; what the log knows of them already is not stored again."""
    tickets, users = histories(kept_pages(folder, state))
    new_from = int(state.imported or 0)
    changed = [ticket for ticket in tickets.values() if max(ticket.transactions, default=0) > new_from]
    rows_file = folder / "rows.jsonl"
    told = _write_rows(rows_file, changed, queues, users)
    moments = 0
    if told:
        preset = next(mapping for mapping in presets() if "Transaction" in mapping.recognise)
        mapping = replace(preset, name=source.name, title=source.title or preset.title)
        moments = import_file(workspace, rows_file, mapping, now, on_progress).receipt.moments_new
    rows_file.unlink()
    withdrawn = agree_with_source(workspace, source.name, [ticket.id for ticket in changed], told, now)
    hidden = sum(not ticket.facts and not ticket.is_deleted for ticket in changed)
    records = sum(sum(number > new_from for number in ticket.transactions) for ticket in changed)
    return SyncResult(records, len(changed), moments, withdrawn, hidden)


def _write_rows(
    file: Path, tickets: list[TicketHistory], queues: Mapping[str, str], users: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Write the tickets' rows, every row with every column; (the moment's own number, its kind) of each."""
    told = []
    with open(file, "w", encoding="utf-8", opener=disk.owner_only) as stream:
        for ticket in tickets:
            for row in ticket_rows(ticket, queues, users):
                stream.write(json.dumps({name: row[name] for name in ROW_COLUMNS}, ensure_ascii=False) + "\n")
                told.append((f"{row['Ticket']}#{row['Transaction']}", row["Event"]))
    return told


def sync_due(workspace: Workspace, now: float | None = None) -> int:
    """Ask every source whose time has come; how many. What goes wrong is kept with the source, and said on *Data*."""
    at = time.time() if now is None else now
    due = [
        source
        for source in live_sources(workspace)
        if source.is_due or at - _asked_seconds(source) >= 60 * source.minutes
    ]
    for source in due:
        with suppress(WellservedError):  # what went wrong is kept with the source
            sync(workspace, source.name)
    return len(due)


def _asked_seconds(source: LiveSource) -> float:
    return datetime.fromisoformat(source.asked_at).timestamp() if source.asked_at else 0.0


def run_syncs(workspace: Workspace, stop: threading.Event) -> None:
    """Ask the sources, beside the worker, each as often as it was set up to be asked."""
    while not stop.wait(5.0):
        try:
            sync_due(workspace)
        except Exception as error:
            sys.stderr.write(f"No source could be asked: {type(error).__name__}\n")
            stop.wait(60)

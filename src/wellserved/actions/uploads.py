"""Files that were sent to the house: looked at, mapped, imported, and then gone. Each step may take a while and is done once.

A file waits in a folder of its own with what is known of it. Small files are worked on at once; others by the worker, who
notes how far it is. After a kill the step is done again: an import twice changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from wellserved import disk
from wellserved.actions import imports
from wellserved.actions.mappings import keep_mapping, mapping_for
from wellserved.errors import SourceError, StorageError, WellservedError
from wellserved.mapping import parse_mapping
from wellserved.progress import ProgressCallback, no_progress
from wellserved.scales import load_scales
from wellserved.sources.bundle import files_in
from wellserved.sources.file_sample import take_sample
from wellserved.sources.opening import open_source
from wellserved.storage.workspace import Workspace

UPLOADS_FOLDER = "uploads"
AT_ONCE_BYTES = 2 << 20  # up to here whoever sends the file waits for it
KEPT_SECONDS = 7 * 86_400  # a file that nobody imports
SECONDS_BETWEEN_LOOKS = 1.0
Step = Literal["to look at", "looked at", "to import", "imported", "failed"]


@dataclass(frozen=True)
class Upload:
    """A file that was sent, and how far it is."""

    id: str
    name: str
    size: int  # bytes
    sender: str  # id of a person
    sent_at: str
    step: Step = "to look at"
    part: str = ""
    own: tuple[str, ...] = ()
    shape: str = ""
    rows: int = 0
    broken_rows: int = 0
    known_as: str = ""  # the source that a preset or a kept mapping reads it as
    toml: str = ""  # the mapping that was chosen
    import_id: str = ""
    problem: str = ""
    remedy: str = ""

    @property
    def is_at_work(self) -> bool:
        """Whether a step waits to be done, or is being done."""
        return self.step in ("to look at", "to import")


def _folder(workspace: Workspace, id_: str) -> Path:
    return workspace.folder / UPLOADS_FOLDER / id_


def _file(workspace: Workspace, upload: Upload) -> Path:
    return _folder(workspace, upload.id) / "file" / upload.name


def sample_file(workspace: Workspace, upload: Upload) -> Path:
    """Where the first rows of an upload are kept while its mapping is being chosen."""
    return _folder(workspace, upload.id) / "sample.parquet"


def keep_upload(workspace: Workspace, name: str, chunks: Iterable[bytes], sender: str, now: datetime) -> list[Upload]:
    """Keep a file that was sent: one upload, or one for each file of a zip. They are yet to be looked at."""
    sweep(workspace)
    id_ = uuid.uuid4().hex[:12]
    folder = _folder(workspace, id_)
    (folder / "file").mkdir(mode=0o700, parents=True)
    path = folder / "file" / _plain_name(name)
    try:
        with path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        files = files_in(path, folder / "unpacked")
        if files == [path]:
            return [_write(workspace, Upload(id_, path.name, path.stat().st_size, sender, now.isoformat()))]
        uploads = []
        for inner in files:
            inner_id = uuid.uuid4().hex[:12]
            (_folder(workspace, inner_id) / "file").mkdir(mode=0o700, parents=True)
            upload = Upload(inner_id, _plain_name(inner.name), inner.stat().st_size, sender, now.isoformat())
            inner.rename(_file(workspace, upload))
            uploads.append(_write(workspace, upload))
        shutil.rmtree(folder)
        return uploads
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _plain_name(name: str) -> str:
    """What a file is called in the list: at most 100 bytes, of a name alone."""
    return Path(name.replace("\0", "").replace("\\", "/")).name.encode()[-100:].decode(errors="ignore") or "file"


def _write(workspace: Workspace, upload: Upload) -> Upload:
    folder = _folder(workspace, upload.id)
    with disk.rewrite_file(folder / "upload.json", folder / "upload.draft") as file:
        json.dump(asdict(upload), file, ensure_ascii=False)
    return upload


def find_upload(workspace: Workspace, id_: str) -> Upload | None:
    """An upload by its id; None: there is none, or it has gone."""
    if not re.fullmatch(r"[0-9a-f]{12}", id_):
        return None
    try:
        facts = json.loads((_folder(workspace, id_) / "upload.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Upload(**{**facts, "own": tuple(facts["own"])})


def all_uploads(workspace: Workspace) -> list[Upload]:
    """Every upload that is kept, the newest first."""
    folder = workspace.folder / UPLOADS_FOLDER
    uploads = [find_upload(workspace, entry.name) for entry in folder.glob("*")] if folder.is_dir() else []
    return sorted(filter(None, uploads), key=lambda upload: upload.sent_at, reverse=True)


def sweep(workspace: Workspace) -> None:
    """Take away what nobody imported for a week, and what a kill left of a file that was being sent."""
    folder = workspace.folder / UPLOADS_FOLDER
    for entry in folder.glob("*") if folder.is_dir() else ():
        if time.time() - entry.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(entry, ignore_errors=True)


def discard(workspace: Workspace, upload: Upload) -> None:
    """Forget an upload and its file."""
    shutil.rmtree(_folder(workspace, upload.id), ignore_errors=True)


def look_again(workspace: Workspace, upload: Upload, part: str = "", own: Iterable[str] = ()) -> Upload:
    """Have a file looked at once more, with what it left open."""
    again = replace(upload, step="to look at", part=part, own=tuple(own), problem="", remedy="")
    return _write(workspace, again)


def choose_mapping(workspace: Workspace, upload: Upload, toml: str = "") -> Upload:
    """Have a file imported, by this mapping or by what reads it anyway. Raises MappingError where the mapping is wrong."""
    if toml:
        parse_mapping(toml, "the mapping", load_scales(workspace.folder))
    return _write(workspace, replace(upload, step="to import", toml=toml, problem="", remedy=""))


def advance(workspace: Workspace, upload: Upload, on_progress: ProgressCallback = no_progress) -> Upload:
    """Do the step that waits; what is wrong with the file is kept with it. Somebody else may be at it: then nothing is done."""
    lock = FileLock(_folder(workspace, upload.id) / ".lock")
    try:
        with lock.acquire(timeout=0):
            current = find_upload(workspace, upload.id)
            if current is None or not current.is_at_work:
                return current or upload
            try:
                step = _look if current.step == "to look at" else _import
                done = step(workspace, current, on_progress)
            except StorageError:
                raise
            except WellservedError as error:
                done = replace(current, step="failed", problem=error.problem, remedy=error.remedy)
            return _write(workspace, done)
    except (Timeout, FileNotFoundError):
        return upload


def _look(workspace: Workspace, upload: Upload, on_progress: ProgressCallback) -> Upload:
    """Open the file, keep its first rows, and see whether something reads it."""
    path, scratch = _file(workspace, upload), _folder(workspace, upload.id) / "scratch"
    scratch.mkdir(exist_ok=True)
    try:
        source = open_source(path, scratch, on_progress, upload.part, upload.own)
        raw = take_sample(source, path, sample_file(workspace, upload), scratch, on_progress)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    known = mapping_for(workspace, source.header)
    return replace(
        upload,
        step="looked at",
        shape=source.shape,
        rows=raw.rows_read,
        broken_rows=len(raw.broken_rows),
        known_as=known.name if known else "",
    )


def _import(workspace: Workspace, upload: Upload, on_progress: ProgressCallback) -> Upload:
    """Import the file, keep the mapping, and let the file go."""
    mapping = parse_mapping(upload.toml, "the mapping", load_scales(workspace.folder)) if upload.toml else None
    path = _file(workspace, upload)
    if not path.exists():
        raise SourceError(f"{upload.name} has gone.", "Send it again.")
    result = imports.import_file(workspace, path, mapping, on_progress=on_progress, part=upload.part, own=upload.own)
    if upload.toml:
        keep_mapping(workspace, upload.toml)
    shutil.rmtree(path.parent, ignore_errors=True)
    sample_file(workspace, upload).unlink(missing_ok=True)
    return replace(upload, step="imported", import_id=result.receipt.import_id)


def is_small(upload: Upload) -> bool:
    """Whether whoever sent it may wait for it."""
    return upload.size <= AT_ONCE_BYTES


def progress_of(workspace: Workspace, upload: Upload) -> str:
    """How far the step is that is being done; empty: nobody is at it yet."""
    try:
        return (_folder(workspace, upload.id) / "progress").read_text(encoding="utf-8")
    except OSError:
        return ""


def advance_all(workspace: Workspace) -> int:
    """Do every step that waits; how many there were."""
    waiting = [upload for upload in all_uploads(workspace) if upload.is_at_work]
    for upload in reversed(waiting):
        file = _folder(workspace, upload.id) / "progress"

        def note(activity: str, done: int, total: int, file: Path = file) -> None:
            with contextlib.suppress(OSError):  # nobody reads it then; the step goes on
                file.write_text(f"{activity}{f': {done / total:.0%}' if total else ''}", encoding="utf-8")

        advance(workspace, upload, note)
        file.unlink(missing_ok=True)
    return len(waiting)


def run_uploads(workspace: Workspace, stop: threading.Event) -> None:
    """Do the steps that wait, beside the worker."""
    while not stop.wait(SECONDS_BETWEEN_LOOKS):
        try:
            advance_all(workspace)
        except Exception as error:
            sys.stderr.write(f"A file that was sent could not be read: {type(error).__name__}\n")
            stop.wait(30)

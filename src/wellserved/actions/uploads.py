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
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from wellserved import disk
from wellserved.actions import imports
from wellserved.actions.mappings import check_name, keep_mapping, kept_parts, mapping_for, open_known
from wellserved.errors import SourceError, StorageError, WellservedError
from wellserved.mapping import parse_mapping
from wellserved.progress import ProgressCallback, no_progress, progress_in
from wellserved.scales import load_scales
from wellserved.sources.bundle import files_in
from wellserved.sources.file_sample import kept_with, take_sample
from wellserved.sources.opening import open_source
from wellserved.sources.table import SourceFile
from wellserved.storage.workspace import Workspace

UPLOADS_FOLDER = "uploads"
AT_ONCE_BYTES = 2 << 20  # up to here whoever sends the file waits for it
DAY_SECONDS = 86_400
KEPT_SECONDS = 7 * DAY_SECONDS  # a file that nobody imports
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
    id_ = _new_folder(workspace)
    folder = _folder(workspace, id_)
    path = folder / "file" / _plain_name(name)
    kept_ids = [id_]
    try:
        with open(path, "wb", opener=disk.owner_only) as file:
            for chunk in chunks:
                file.write(chunk)
        files = files_in(path, folder / "unpacked")
        if files == [path]:
            return [_write(workspace, Upload(id_, path.name, path.stat().st_size, sender, now.isoformat()))]
        uploads = []
        for inner in files:
            kept_ids.append(_new_folder(workspace))
            size = inner.stat().st_size
            upload = Upload(kept_ids[-1], _plain_name(inner.name), size, sender, now.isoformat())
            inner.rename(_file(workspace, upload))
            uploads.append(_write(workspace, upload))
        shutil.rmtree(folder)
        return uploads
    except BaseException:
        for kept_id in kept_ids:
            shutil.rmtree(_folder(workspace, kept_id), ignore_errors=True)
        raise


def _new_folder(workspace: Workspace) -> str:
    """The id of a new upload, whose folder is there for its owner's eyes."""
    id_ = uuid.uuid4().hex[:12]
    for folder in (workspace.folder / UPLOADS_FOLDER, _folder(workspace, id_), _folder(workspace, id_) / "file"):
        folder.mkdir(mode=0o700, exist_ok=True)
    return id_


def _plain_name(name: str) -> str:
    """What a file is called in the list: at most 100 bytes, of a name alone."""
    return Path(name.replace("\0", "").replace("\\", "/")).name.encode()[-100:].decode(errors="ignore") or "file"


def _write(workspace: Workspace, upload: Upload) -> Upload:
    disk.write_facts(_folder(workspace, upload.id) / "upload.json", asdict(upload))
    return upload


def find_upload(workspace: Workspace, id_: str) -> Upload | None:
    """An upload by its id; None: there is none, or it has gone."""
    if not re.fullmatch(r"[0-9a-f]{12}", id_):
        return None
    try:
        facts = json.loads((_folder(workspace, id_) / "upload.json").read_text(encoding="utf-8"))
        names = {field.name for field in fields(Upload)}
        return Upload(**{name: value for name, value in facts.items() if name in names} | {"own": tuple(facts["own"])})
    except (OSError, ValueError, TypeError, KeyError):  # not there, or of another version
        return None


def all_uploads(workspace: Workspace) -> list[Upload]:
    """Every upload that is kept, the newest first."""
    folder = workspace.folder / UPLOADS_FOLDER
    uploads = [find_upload(workspace, entry.name) for entry in folder.glob("*")] if folder.is_dir() else []
    return sorted(filter(None, uploads), key=lambda upload: upload.sent_at, reverse=True)


def sweep(workspace: Workspace) -> None:
    """Take away what nobody imported for a week, and what a kill left of work on files; a day is more than any takes."""
    patterns = {f"{UPLOADS_FOLDER}/*": KEPT_SECONDS, "form-*": DAY_SECONDS, "files-*": DAY_SECONDS}
    for pattern, seconds in patterns.items():
        for entry in workspace.folder.glob(pattern):
            with contextlib.suppress(OSError):  # somebody else has taken it away
                if time.time() - entry.stat().st_mtime > seconds:
                    shutil.rmtree(entry, ignore_errors=True)


def discard(workspace: Workspace, upload: Upload) -> None:
    """Forget an upload and its file."""
    shutil.rmtree(_folder(workspace, upload.id), ignore_errors=True)


def look_again(workspace: Workspace, upload: Upload, part: str = "", own: Iterable[str] = ()) -> Upload:
    """Have a file looked at once more, with what it left open."""
    facts = {"step": "to look at", "part": part, "own": tuple(own), "problem": "", "remedy": ""}
    return _change(workspace, upload, facts)


def choose_mapping(workspace: Workspace, upload: Upload, toml: str = "") -> Upload:
    """Have a file imported, by this mapping or by what reads it anyway. Raises MappingError where the mapping is wrong."""
    if toml:
        check_name(parse_mapping(toml, "the mapping", load_scales(workspace.folder)).name)
    return _change(workspace, upload, {"step": "to import", "toml": toml, "problem": "", "remedy": ""})


def _change(workspace: Workspace, upload: Upload, facts: dict[str, Any]) -> Upload:
    """Change what is to be done with a file that waits for somebody; one that is being worked on, or is done, stays as it is."""
    with _only_one(workspace, upload) as is_ours:
        current = find_upload(workspace, upload.id) if is_ours else None
        if current is None or current.step not in ("looked at", "failed"):
            return current or upload
        return _write(workspace, replace(current, **facts))


@contextlib.contextmanager
def _only_one(workspace: Workspace, upload: Upload) -> Iterator[bool]:
    """Whether nobody else is at this file."""
    folder = _folder(workspace, upload.id)
    if not folder.is_dir():
        yield False
        return
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def advance(workspace: Workspace, upload: Upload, on_progress: ProgressCallback = no_progress) -> Upload:
    """Do the step that waits; what is wrong with the file is kept with it. Somebody else may be at it: then nothing is done."""
    with _only_one(workspace, upload) as is_ours:
        current = find_upload(workspace, upload.id) if is_ours else None
        if current is None or not current.is_at_work:
            return current or upload
        try:
            step = _look if current.step == "to look at" else _import
            return step(workspace, current, on_progress)
        except (StorageError, OSError):
            raise  # the disk's trouble, and none of the file's
        except WellservedError as error:
            return _write(workspace, replace(current, step="failed", problem=error.problem, remedy=error.remedy))
        except Exception as error:  # whatever a stranger's file does, the next one is read
            sys.stderr.write(f"A file that was sent could not be read: {type(error).__name__}\n")
            problem = f"{current.name} cannot be read ({type(error).__name__})."
            remedy = "Save it as CSV UTF-8 and send that; please report what kind of file it is."
            return _write(workspace, replace(current, step="failed", problem=problem, remedy=remedy))


def _look(workspace: Workspace, upload: Upload, on_progress: ProgressCallback) -> Upload:
    """Open the file, describe its columns, keep its first rows, and see whether something reads it."""
    path, scratch = _file(workspace, upload), _folder(workspace, upload.id) / "scratch"
    scratch.mkdir(mode=0o700, exist_ok=True)
    try:
        source, upload = _open(workspace, upload, path, scratch, on_progress)
        raw = take_sample(source, path, sample_file(workspace, upload), scratch, on_progress)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if raw.rows_read == len(raw.broken_rows):
        raise SourceError(f"{upload.name} holds no rows beside its header.", "Check the file, and export it again.")
    known = mapping_for(workspace, source.header)
    facts: dict[str, Any] = {"shape": source.shape, "rows": raw.rows_read, "broken_rows": len(raw.broken_rows)}
    return _write(workspace, replace(upload, step="looked at", known_as=known.name if known else "", **facts))


def _open(
    workspace: Workspace, upload: Upload, path: Path, scratch: Path, on_progress: ProgressCallback
) -> tuple[SourceFile, Upload]:
    """The file, opened; where it has several parts, that which a mapping of the house names."""
    try:
        source, part = open_known(workspace, path, scratch, on_progress, upload.part, upload.own)
        return source, replace(upload, part=part)
    except SourceError:
        for part in () if upload.part else kept_parts(workspace):
            with contextlib.suppress(SourceError):
                return open_source(path, scratch, on_progress, part, upload.own), replace(upload, part=part)
        raise


def _import(workspace: Workspace, upload: Upload, on_progress: ProgressCallback) -> Upload:
    """Import the file, keep the mapping, and let the file go."""
    mapping = parse_mapping(upload.toml, "the mapping", load_scales(workspace.folder)) if upload.toml else None
    path = _file(workspace, upload)
    if not path.exists():
        raise SourceError(f"{upload.name} has gone.", "Send it again.")
    result = imports.import_file(workspace, path, mapping, on_progress=on_progress, part=upload.part, own=upload.own)
    if upload.toml:
        keep_mapping(workspace, upload.toml)
    done = _write(workspace, replace(upload, step="imported", import_id=result.receipt.import_id))
    shutil.rmtree(path.parent, ignore_errors=True)  # once it is written that it is not needed any more
    for file in kept_with(sample_file(workspace, upload)):
        file.unlink(missing_ok=True)
    return done


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
        try:
            advance(workspace, upload, progress_in(file))
        except (WellservedError, OSError) as error:  # a full disk; the others may be small
            sys.stderr.write(f"A file that was sent waits: {type(error).__name__}\n")
        file.unlink(missing_ok=True)
    return len(waiting)


def run_uploads(workspace: Workspace, stop: threading.Event) -> None:
    """Do the steps that wait, beside the worker."""
    while not stop.wait(SECONDS_BETWEEN_LOOKS):
        try:
            advance_all(workspace)
            sweep(workspace)
        except Exception as error:
            sys.stderr.write(f"A file that was sent could not be read: {type(error).__name__}\n")
            stop.wait(30)

"""Is what is stored what was written? The files of the log and of the cases, compared with their digests, or read through.

Neither changes anything, and both go on past what is damaged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from wellserved import delta, digests, log
from wellserved.errors import DamageError
from wellserved.workspace import Workspace

Entries = dict[int, list[dict[str, Any]]]  # version -> its actions, of those that can be read
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Finding:
    """What is wrong, what is lost by it, and what to do."""

    what: str
    lost: str
    do: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.lost, self.do) if part)


def of_log(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """What is wrong with the log; `thorough`: every row of every file is read."""
    lost = "What it held of the log is lost to every measure; cases that were folded from it may still tell it."
    do = f"Change nothing more here, and restore a backup into a fresh folder: {restore_command(workspace)}."
    wrong = [*of_table(workspace.log, thorough, told), *_short(workspace)]
    yield from (Finding(one, lost, do) for one in wrong)


def of_cases(workspace: Workspace, thorough: bool, told: Told) -> Iterator[Finding]:
    """What is wrong with the cases, which can be folded anew from the log at any time."""
    do = f"Take the folder {workspace.cases} away: the next question folds them anew."
    for one in of_table(workspace.cases, thorough, told):
        yield Finding(one, "Nothing is lost, since cases are folded from the log.", do)


def of_receipts(workspace: Workspace) -> Iterator[Finding]:
    """What is wrong with the receipts of imports, and where the log does not hold what they say."""
    counts = _appended(workspace.log)
    for file in sorted(workspace.imports.glob("*/receipt.json")):
        try:
            receipt = log.read_receipt(file)
        except (DamageError, OSError) as error:
            do = error.do if isinstance(error, DamageError) else f"Make {file} readable."
            what = error.what if isinstance(error, DamageError) else f"The receipt {file} cannot be read: {error}."
            yield Finding(what, "What its import refused and noticed is not known any more.", do)
            continue
        held = counts.get(receipt.log_version)
        if receipt.moments_new and held is not None and held != receipt.moments_new:
            yield Finding(
                f"{receipt.file} brought {receipt.moments_new:,} moments into version {receipt.log_version} of the log, "
                f"which names {held:,}.",
                "The others are lost to every measure.",
                f"Restore a backup into a fresh folder: {restore_command(workspace)}.",
            )


def restore_command(workspace: Workspace) -> str:
    """The command that brings the newest backup here back."""
    made = sorted((workspace.folder / "backups").glob("*.zip"), key=lambda file: file.stat().st_mtime)
    return f"`wellserved restore {made[-1] if made else 'FILE'} --home FRESH`" + (
        "" if made else " (there is none in backups/)"
    )


def of_table(folder: Path, thorough: bool, told: Told) -> list[str]:
    """What is wrong with a table: its list of versions, and the files of the last one."""
    wrong: list[str] = []
    _entries(folder, wrong)
    try:
        now = log.snapshot(folder)
        listed = (
            pa.table(DeltaTable(delta.address(folder)).get_add_actions(flatten=True)).to_pylist() if now.files else []
        )
    except Exception as error:
        wrong.append(_said(f"{folder.name}/ cannot be opened", error))
        listed = [{"path": file.relative_to(folder).as_posix()} for file in sorted(folder.glob("*/*.parquet"))]
    sums = digests.recorded(folder)
    for place, action in enumerate(listed):
        told(f"{'Reading' if thorough else 'Looking at'} {folder.name}", place, len(listed))
        wrong += _of_file(folder, action, thorough, sums)
    for name, digest in sums.items():
        entry = folder / name
        if name.startswith("_delta_log/") and entry.exists() and digests.digest_of(entry) != digest:
            wrong.append(f"{folder.name}/{name} is not what was written: its digest differs.")
    return wrong


def _entries(folder: Path, wrong: list[str]) -> Entries:
    """The versions' entries; what is wrong with them is added to `wrong`."""
    listing = folder / "_delta_log"
    files = {int(file.name[:20]): file for file in listing.glob("[0-9]*.json") if file.name[:20].isdecimal()}
    points = {int(file.name[:20]): file for file in listing.glob("[0-9]*.checkpoint*.parquet")}
    read: Entries = {}
    for version, file in sorted(files.items()):
        try:
            read[version] = [dict(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
            if not read[version]:
                raise ValueError("it is empty")
        except (OSError, ValueError, TypeError) as error:
            wrong.append(
                _said(f"The entry of version {version} ({folder.name}/_delta_log/{file.name}) is damaged", error)
            )
    first = max(points, default=-1) + 1 if 0 not in files else 0
    if gone := sorted(set(range(min(first, *files), max(files) + 1)) - set(files)) if files else []:
        wrong.append(f"{folder.name}/_delta_log has no entry of version {', '.join(map(str, gone))}.")
    for file in points.values():
        wrong += _footer(folder, file, None)
    wrong += _pointer(folder, points)
    return read


def _pointer(folder: Path, points: dict[int, Path]) -> list[str]:
    """The note of the last checkpoint is a help to find it, and holds nothing itself."""
    file = folder / "_delta_log" / "_last_checkpoint"
    try:
        version = int(json.loads(file.read_text(encoding="utf-8"))["version"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        return [f"{folder.name}/_delta_log/_last_checkpoint is damaged ({_line(error)}); take this one file away."]
    return [] if version in points else [f"{folder.name}/_delta_log has no checkpoint {version}, which its note names."]


def _of_file(folder: Path, action: dict[str, Any], thorough: bool, sums: dict[str, str]) -> list[str]:
    """What is wrong with a file of the table beside what its list says of it."""
    file, size = folder / action["path"], action.get("size_bytes")
    name = f"{folder.name}/{action['path']}"
    if not file.exists():
        rows = action.get("num_records")
        return [f"{name} is gone" + (f", with {rows:,} rows." if rows else ".")]
    if size is not None and file.stat().st_size != size:
        return [f"{name} has {file.stat().st_size:,} bytes; {size:,} were written."]
    if (digest := sums.get(action["path"])) and digests.digest_of(file) != digest:
        return [f"{name} is not what was written: its digest differs."]
    if wrong := _footer(folder, file, action.get("num_records")):
        return wrong
    if not thorough:
        return []
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            rows = sum(len(batch) for batch in opened.iter_batches(50_000))
            if rows != opened.metadata.num_rows:
                return [f"{name} holds {rows:,} rows; {opened.metadata.num_rows:,} were written."]
    except Exception as error:
        return [_said(f"{name} cannot be read", error)]
    return []


def _footer(folder: Path, file: Path, rows: int | None) -> list[str]:
    name = f"{folder.name}/{file.relative_to(folder).as_posix()}"
    try:
        held = pq.read_metadata(file).num_rows
    except Exception as error:
        return [_said(f"{name} cannot be read", error)]
    return [f"{name} holds {held:,} rows; {rows:,} were written."] if rows is not None and held != rows else []


def _short(workspace: Workspace) -> list[str]:
    """The log ends before a version that receipts, cases or digests know of."""
    versions = [-1]
    for file in workspace.imports.glob("*/receipt.json"):
        with suppress(DamageError, OSError):  # said by itself
            versions.append(log.read_receipt(file).log_version)
    with suppress(Exception):
        versions.append(int(log.snapshot(workspace.cases).facts["log_version"]))
    try:
        now = log.snapshot(workspace.log)
        log.whole(workspace, now)
    except DamageError as error:
        return [error.what] if error.what.startswith("The log ") else []
    except Exception:
        return []  # said already, file by file
    return [log.ended(now.version, max(versions)).what] if max(versions) > now.version else []


def _appended(folder: Path) -> dict[int, int]:
    """Version -> the rows of the files that it added, as their list says."""
    added = {}
    for version, actions in _entries(folder, []).items():
        stats = [json.loads(action["add"].get("stats") or "{}") for action in actions if "add" in action]
        added[version] = sum(int(one.get("numRecords", 0)) for one in stats)
    return added


def _said(what: str, error: BaseException) -> str:
    return f"{what}: {_line(error)}."


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")[:200]

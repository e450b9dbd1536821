"""Is what is stored what was written? The files of the log and of the cases, compared with their digests, or read through.

Neither changes anything, and both go on past what is damaged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from wellserved.errors import DamageError
from wellserved.progress import ProgressCallback
from wellserved.storage import delta, digests, log
from wellserved.storage.workspace import Workspace

VersionActions = dict[int, list[dict[str, Any]]]  # version -> its actions, of those that can be read


@dataclass(frozen=True)
class IntegrityFinding:
    """What is wrong, what is lost by it, and what to do."""

    problem: str
    loss: str
    remedy: str

    def __str__(self) -> str:
        return " ".join(sentence for sentence in (self.problem, self.loss, self.remedy) if sentence)


def log_findings(workspace: Workspace, thorough: bool, on_progress: ProgressCallback) -> Iterator[IntegrityFinding]:
    """What is wrong with the log; `thorough`: every row of every file is read."""
    loss = "What it held of the log is lost to every measure; cases that were folded from it may still tell it."
    remedy = f"Change nothing more here, and restore a backup into a fresh folder: {restore_command(workspace)}."
    problems = [*table_problems(workspace.log, thorough, on_progress), *_truncation_problems(workspace)]
    yield from (IntegrityFinding(problem, loss, remedy) for problem in problems)


def case_findings(workspace: Workspace, thorough: bool, on_progress: ProgressCallback) -> Iterator[IntegrityFinding]:
    """What is wrong with the cases, which can be folded anew from the log at any time."""
    remedy = f"Take the folder {workspace.cases} away: the next question folds them anew."
    for problem in table_problems(workspace.cases, thorough, on_progress):
        yield IntegrityFinding(problem, "Nothing is lost, since cases are folded from the log.", remedy)


def receipt_findings(workspace: Workspace) -> Iterator[IntegrityFinding]:
    """What is wrong with the receipts of imports, and where the log does not hold what they say."""
    counts = _rows_by_version(workspace.log)
    for file in sorted(workspace.imports.glob("*/receipt.json")):
        try:
            receipt = log.read_receipt(file)
        except (DamageError, OSError) as error:
            remedy = error.remedy if isinstance(error, DamageError) else f"Make {file} readable."
            problem = (
                error.problem if isinstance(error, DamageError) else f"The receipt {file} cannot be read: {error}."
            )
            yield IntegrityFinding(problem, "What its import refused and noticed is not known any more.", remedy)
            continue
        listed_rows = counts.get(receipt.log_version)
        if receipt.moments_new and listed_rows is not None and listed_rows != receipt.moments_new:
            yield IntegrityFinding(
                f"{receipt.file} brought {receipt.moments_new:,} moments into version {receipt.log_version} of the log, "
                f"which names {listed_rows:,}.",
                "The others are lost to every measure.",
                f"Restore a backup into a fresh folder: {restore_command(workspace)}.",
            )


def restore_command(workspace: Workspace) -> str:
    """The command that brings the newest backup here back."""
    backups = sorted((workspace.folder / "backups").glob("*.zip"), key=lambda file: file.stat().st_mtime)
    return f"`wellserved restore {backups[-1] if backups else 'FILE'} --home FRESH`" + (
        "" if backups else " (there is none in backups/)"
    )


def table_problems(folder: Path, thorough: bool, on_progress: ProgressCallback) -> list[str]:
    """What is wrong with a table: its list of versions, and the files of the last one."""
    problems: list[str] = []
    _read_entries(folder, problems)
    try:
        current = log.snapshot(folder)
        file_actions = (
            pa.table(DeltaTable(delta.table_uri(folder)).get_add_actions(flatten=True)).to_pylist()
            if current.files
            else []
        )
    except Exception as error:
        problems.append(_problem_text(f"{folder.name}/ cannot be opened", error))
        file_actions = [{"path": file.relative_to(folder).as_posix()} for file in sorted(folder.glob("*/*.parquet"))]
    recorded_digests = digests.recorded_digests(folder)
    for position, action in enumerate(file_actions):
        on_progress(f"{'Reading' if thorough else 'Looking at'} {folder.name}", position, len(file_actions))
        problems += _file_problems(folder, action, thorough, recorded_digests)
    for name, digest in recorded_digests.items():
        entry = folder / name
        if name.startswith("_delta_log/") and entry.exists() and digests.file_digest(entry) != digest:
            problems.append(f"{folder.name}/{name} is not what was written: its digest differs.")
    return problems


def _read_entries(folder: Path, problems: list[str]) -> VersionActions:
    """The versions' entries; what is wrong with them is added to `problems`."""
    listing = folder / "_delta_log"
    files = {int(file.name[:20]): file for file in listing.glob("[0-9]*.json") if file.name[:20].isdecimal()}
    checkpoints = {int(file.name[:20]): file for file in listing.glob("[0-9]*.checkpoint*.parquet")}
    actions_by_version: VersionActions = {}
    for version, file in sorted(files.items()):
        try:
            actions_by_version[version] = [
                dict(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()
            ]
            if not actions_by_version[version]:
                raise ValueError("it is empty")
        except (OSError, ValueError, TypeError) as error:
            problems.append(
                _problem_text(
                    f"The entry of version {version} ({folder.name}/_delta_log/{file.name}) is damaged", error
                )
            )
    first = max(checkpoints, default=-1) + 1 if 0 not in files else 0
    if missing_versions := sorted(set(range(min(first, *files), max(files) + 1)) - set(files)) if files else []:
        problems.append(f"{folder.name}/_delta_log has no entry of version {', '.join(map(str, missing_versions))}.")
    for file in checkpoints.values():
        problems += _footer_problems(folder, file, None)
    problems += _pointer_problems(folder, checkpoints)
    return actions_by_version


def _pointer_problems(folder: Path, checkpoints: dict[int, Path]) -> list[str]:
    """The note of the last checkpoint is a help to find it, and holds nothing itself."""
    file = folder / "_delta_log" / "_last_checkpoint"
    try:
        version = int(json.loads(file.read_text(encoding="utf-8"))["version"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        return [
            f"{folder.name}/_delta_log/_last_checkpoint is damaged ({_first_line(error)}); take this one file away."
        ]
    return (
        []
        if version in checkpoints
        else [f"{folder.name}/_delta_log has no checkpoint {version}, which its note names."]
    )


def _file_problems(folder: Path, action: dict[str, Any], thorough: bool, recorded_digests: dict[str, str]) -> list[str]:
    """What is wrong with a file of the table beside what its list says of it."""
    file, size = folder / action["path"], action.get("size_bytes")
    name = f"{folder.name}/{action['path']}"
    if not file.exists():
        rows = action.get("num_records")
        return [f"{name} is gone" + (f", with {rows:,} rows." if rows else ".")]
    if size is not None and file.stat().st_size != size:
        return [f"{name} has {file.stat().st_size:,} bytes; {size:,} were written."]
    if (digest := recorded_digests.get(action["path"])) and digests.file_digest(file) != digest:
        return [f"{name} is not what was written: its digest differs."]
    if problems := _footer_problems(folder, file, action.get("num_records")):
        return problems
    if not thorough:
        return []
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet_file:
            rows = sum(len(batch) for batch in parquet_file.iter_batches(50_000))
            if rows != parquet_file.metadata.num_rows:
                return [f"{name} holds {rows:,} rows; {parquet_file.metadata.num_rows:,} were written."]
    except Exception as error:
        return [_problem_text(f"{name} cannot be read", error)]
    return []


def _footer_problems(folder: Path, file: Path, rows: int | None) -> list[str]:
    name = f"{folder.name}/{file.relative_to(folder).as_posix()}"
    try:
        row_count = pq.read_metadata(file).num_rows
    except Exception as error:
        return [_problem_text(f"{name} cannot be read", error)]
    return (
        [f"{name} holds {row_count:,} rows; {rows:,} were written."] if rows is not None and row_count != rows else []
    )


def _truncation_problems(workspace: Workspace) -> list[str]:
    """The log ends before a version that receipts, cases or digests know of."""
    versions = [-1]
    for file in workspace.imports.glob("*/receipt.json"):
        with suppress(DamageError, OSError):  # said by itself
            versions.append(log.read_receipt(file).log_version)
    with suppress(Exception):
        versions.append(int(log.snapshot(workspace.cases).facts["log_version"]))
    try:
        current = log.snapshot(workspace.log)
        log.check_complete(workspace, current)
    except DamageError as error:
        return [error.problem] if error.problem.startswith("The log ") else []
    except Exception:
        return []  # said already, file by file
    return [log.truncation_error(current.version, max(versions)).problem] if max(versions) > current.version else []


def _rows_by_version(folder: Path) -> dict[int, int]:
    """Version -> the rows of the files that it added, as their list says."""
    rows_by_version = {}
    for version, actions in _read_entries(folder, []).items():
        stats = [json.loads(action["add"].get("stats") or "{}") for action in actions if "add" in action]
        rows_by_version[version] = sum(int(file_stats.get("numRecords", 0)) for file_stats in stats)
    return rows_by_version


def _problem_text(context: str, error: BaseException) -> str:
    return f"{context}: {_first_line(error)}."


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")[:200]

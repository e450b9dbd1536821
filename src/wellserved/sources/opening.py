"""Any file, opened by what it is: delimited text, JSON, a workbook, a Parquet table, a mailbox."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.sources.bundle import is_maildir
from wellserved.sources.bytes import DAMAGE_ERRORS, is_workbook_archive, open_unpacked, read_chunks
from wellserved.sources.content import HEAD_BYTES, readable_kind
from wellserved.sources.csv_file import open_delimited
from wellserved.sources.table import SourceFile


def open_source(
    path: Path,
    scratch: Path,
    on_progress: ProgressCallback,
    part: str = "",
    own: Sequence[str] = (),
) -> SourceFile:
    """Open a file by its content, whatever it is called.

    `part`: which sheet of a workbook, or which list of a JSON file; `own`: the house's addresses, of a mailbox.
    Raises SourceError where there is nothing to read, or where a part has to be named.
    """
    kind = _kind_of(path)
    if path.is_dir() and not kind:
        raise SourceError(f"{path} is a folder.", "Name a file in it.")
    if kind == "mailbox":
        from wellserved.sources.mailbox_file import open_mailbox

        return open_mailbox(_unpacked(path, scratch, on_progress), path.name, scratch, on_progress, own)
    if kind == "json":
        from wellserved.sources.json_file import open_json

        return open_json(path, scratch, on_progress, part)
    if kind == "workbook":
        from wellserved.sources.workbook import open_workbook

        return open_workbook(_unpacked(path, scratch, on_progress), path.name, scratch, on_progress, part)
    if kind == "parquet":
        from wellserved.sources.parquet_file import open_parquet

        return open_parquet(_plainly_named(_unpacked(path, scratch, on_progress), scratch), path.name)
    return open_delimited(path, scratch, on_progress)


def _kind_of(path: Path) -> str:
    """What the file is, by its first bytes, unpacked; empty: text, or nothing that can be read, as the reader of text says."""
    if path.is_dir():
        return "mailbox" if is_maildir(path) else ""
    if not path.is_file():
        return ""
    try:
        if zipfile.is_zipfile(path) and is_workbook_archive(path):
            return "workbook"
        with open_unpacked(path) as stream:
            return readable_kind(stream.read(HEAD_BYTES))
    except (OSError, *DAMAGE_ERRORS):
        return ""


def _plainly_named(path: Path, scratch: Path) -> Path:
    """The file under a name that the engine does not take for a pattern."""
    if not set("*?[]{}") & set(str(path)):
        return path
    return Path(shutil.copyfile(path, scratch / "table.parquet"))


def _unpacked(path: Path, scratch: Path, on_progress: ProgressCallback) -> Path:
    """The file itself, or on disk what was packed in it: these readers go to and fro."""
    if path.is_dir():
        return path
    with path.open("rb") as file:
        magic = file.read(4)
    if magic[:2] != b"\x1f\x8b" and (magic != b"PK\x03\x04" or is_workbook_archive(path)):
        return path
    target = scratch / "unpacked"
    with target.open("wb") as file:
        for chunk in read_chunks(path, on_progress):
            file.write(chunk)
    if zipfile.is_zipfile(target) and not is_workbook_archive(target):
        raise SourceError(f"{path.name} is a packed file inside a packed file.", "Unpack it and import what is in it.")
    return target

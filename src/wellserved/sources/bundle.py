"""Many files in one: a zip, or a folder. Each is a file by itself, with its own receipt."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

from wellserved.errors import SourceError
from wellserved.sources.bytes import DAMAGE_ERRORS, archive_files, check_unpacked_size, is_workbook_archive

MAX_FILES = 10_000


def files_in(path: Path, folder: Path) -> list[Path]:
    """The files to be read: those of a folder, or of a zip, which is unpacked into `folder`; else the file itself.

    Raises SourceError where there is none, there are too many, or the zip is damaged or a bomb.
    """
    if path.is_dir():
        return _folder_files(path)
    if not path.is_file() or not zipfile.is_zipfile(path):
        return [path]
    try:
        if is_workbook_archive(path):
            return [path]
        with zipfile.ZipFile(path) as archive:
            members = archive_files(archive)
            if len(members) <= 1:
                return [path]
            _check_count(path.name, len(members))
            check_unpacked_size(path.name, sum(member.file_size for member in members), path.stat().st_size)
            return [_unpack(archive, member, index, folder) for index, member in enumerate(members)]
    except DAMAGE_ERRORS as error:
        raise SourceError(f"{path.name} cannot be unpacked: {error}.", "Export or copy the file again.") from error


def _folder_files(path: Path) -> list[Path]:
    """All files below a folder, hidden ones left out; a Maildir is one of them."""
    if is_maildir(path):
        return [path]
    files: list[Path] = []
    for entry in sorted(path.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        files += _folder_files(entry) if entry.is_dir() else [entry]
        _check_count(path.name, len(files))
    if not files:
        raise SourceError(f"{path} holds no files.", "Check the name.")
    return files


def is_maildir(path: Path) -> bool:
    """Whether a folder is a mailbox, one file a message."""
    return (path / "cur").is_dir() and (path / "new").is_dir()


def _check_count(name: str, count: int) -> None:
    if count > MAX_FILES:
        raise SourceError(f"{name} holds more than {MAX_FILES} files.", "Import a folder within it.")


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, index: int, folder: Path) -> Path:
    """One file of a zip, in a folder of its own: what it is called leads nowhere else."""
    name = re.sub(r"[\\/:\0]", "_", member.filename.rsplit("/", 1)[-1]).encode()[:100].decode(errors="ignore")
    target = folder / f"{index:05d}" / (name.lstrip(".") or "file")
    target.parent.mkdir(parents=True)
    with archive.open(member) as packed_file, target.open("wb") as file:
        shutil.copyfileobj(packed_file, file, 1 << 20)
    return target

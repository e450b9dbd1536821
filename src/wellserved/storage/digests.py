"""SHA-256 of files as they were written: what is read later is compared with it.

They stand in one file of the folder, a line each, as `sha256sum --check` reads it. A line that a kill cut short counts
for nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from wellserved import disk

DIGEST_FILE = "_SHA256SUMS"  # other readers of the table pass over what begins so
_LINE_PATTERN = re.compile(r"([0-9a-f]{64})  (\S.*)")


def file_digest(file: Path) -> str:
    """A file's digest."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def record_digests(folder: Path, files: Iterable[Path], prune: bool = False) -> None:
    """Add the digests of files in the folder, on disk before anybody is told; `prune`: forget those of files that are gone."""
    lines = [f"{file_digest(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    target = folder / DIGEST_FILE
    if prune:
        previous_digests = recorded_digests(folder)
        old_lines = [f"{digest}  {name}\n" for name, digest in previous_digests.items() if (folder / name).exists()]
        with disk.rewrite_file(target, folder / f"{DIGEST_FILE}.new") as sums:
            sums.writelines([*old_lines, *lines])
        return
    is_cut = target.exists() and not _read_tail(target, 1).endswith("\n")
    with target.open("a", encoding="utf-8", newline="\n") as sums:
        sums.write("\n" * is_cut + "".join(lines))
        sums.flush()
        os.fsync(sums.fileno())


def _read_tail(file: Path, size: int) -> str:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - size))
        return stream.read().decode("utf-8", "replace")


def last_match(folder: Path, pattern: str) -> str:
    """What a group of the pattern matched last, near the end of the record; empty: nothing."""
    try:
        matches = re.findall(pattern, _read_tail(folder / DIGEST_FILE, 4_096))
    except FileNotFoundError:
        return ""
    return str(matches[-1]) if matches else ""


def recorded_digests(folder: Path) -> dict[str, str]:
    """File -> its digest as it was last recorded; none: nothing was."""
    try:
        lines = (folder / DIGEST_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    return {match[2]: match[1] for line in lines if (match := _LINE_PATTERN.fullmatch(line))}

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

NAME = "_SHA256SUMS"  # other readers of the table pass over what begins so
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def digest_of(file: Path) -> str:
    """A file's digest."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def record(folder: Path, files: Iterable[Path]) -> None:
    """Add the digests of files in the folder, on disk before anybody is told."""
    lines = [f"{digest_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    target = folder / NAME
    cut = target.exists() and target.stat().st_size > 0 and target.read_bytes()[-1:] != b"\n"
    with target.open("a", encoding="utf-8", newline="\n") as sums:
        sums.write("\n" * cut + "".join(lines))
        sums.flush()
        os.fsync(sums.fileno())


def recorded(folder: Path) -> dict[str, str]:
    """File -> its digest as it was last recorded; none: nothing was."""
    try:
        lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    return {found[2]: found[1] for line in lines if (found := _LINE.fullmatch(line))}

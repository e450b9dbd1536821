"""Mappings that a house keeps: each under its source's name, every version of it, found again by a file's columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wellserved import disk
from wellserved.errors import MappingError
from wellserved.mapping import Mapping, parse_mapping, recognise_preset
from wellserved.mapping.fit import fit_preset
from wellserved.progress import ProgressCallback
from wellserved.record import OWN_PREFIX
from wellserved.scales import load_scales
from wellserved.sources.opening import open_source
from wellserved.sources.table import SourceFile
from wellserved.storage.workspace import Workspace

MAPPINGS_FOLDER = "mappings"
MIN_LIKENESS = 0.7  # of a file's columns and a kept mapping's
_FILE_NAME = re.compile(r"([a-z0-9_]{1,40})-(\d+)\.toml")


def kept_mappings(workspace: Workspace) -> list[tuple[Mapping, int]]:
    """The latest version of each mapping that is kept, with its number; those that cannot be read are left out."""
    latest: dict[str, tuple[int, Path]] = {}
    for file in (workspace.folder / MAPPINGS_FOLDER).glob("*.toml"):
        if match := _FILE_NAME.fullmatch(file.name):
            latest[match[1]] = max(latest.get(match[1], (0, file)), (int(match[2]), file))
    scales = load_scales(workspace.folder)
    mappings = []
    for _, (version, file) in sorted(latest.items()):
        try:
            mappings.append((parse_mapping(file.read_text(encoding="utf-8"), file.name, scales), version))
        except (MappingError, OSError, UnicodeDecodeError):
            continue  # such as one of a scale that is declared no more: other files are read all the same
    return mappings


def check_name(name: str) -> None:
    """Raises MappingError where a source cannot be called so."""
    if not re.fullmatch(r"[a-z0-9_]{1,40}", name):
        raise MappingError(
            f"{name!r} is no name for a source.", "Take up to 40 small letters, digits and _, such as helpdesk."
        )


def keep_mapping(workspace: Workspace, toml: str) -> int:
    """Keep a mapping as the next version of its source's; one that says what the last did is that one. Its version."""
    mapping = parse_mapping(toml, "the mapping", load_scales(workspace.folder))
    check_name(mapping.name)
    with workspace.write_lock() as scratch:
        last = next((kept for kept in kept_mappings(workspace) if kept[0].name == mapping.name), None)
        if last and last[0] == mapping:
            return last[1]
        version = last[1] + 1 if last else 1
        folder = workspace.folder / MAPPINGS_FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        target = folder / f"{mapping.name}-{version}.toml"
        with disk.rewrite_file(target, scratch / target.name) as file:
            file.write(toml)
    return version


def mapping_for(workspace: Workspace, header: Sequence[str]) -> Mapping | None:
    """The mapping that reads a file with these columns: one that the house keeps for a file like it, else a preset."""
    columns = {column for column in header if not column.startswith(OWN_PREFIX)}
    fitting = [
        (likeness, mapping)
        for mapping, _ in kept_mappings(workspace)
        if set(mapping.used_columns()) <= columns and (likeness := _likeness(mapping, columns)) >= MIN_LIKENESS
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else recognise_preset(header)


def kept_parts(workspace: Workspace) -> list[str]:
    """The sheets and lists that mappings of the house read."""
    return list(dict.fromkeys(mapping.part for mapping, _ in kept_mappings(workspace) if mapping.part))


def open_known(
    workspace: Workspace, path: Path, scratch: Path, on_progress: ProgressCallback, part: str, own: Sequence[str]
) -> tuple[SourceFile, str]:
    """A file, opened, and which part of it; where nobody names one, and the mapping that reads the file does, that."""
    source = open_source(path, scratch, on_progress, part, own)
    mapping = None if part or source.part else mapping_for(workspace, source.header)
    if mapping is None or not mapping.part:
        return source, part
    return open_source(path, scratch, on_progress, mapping.part, own), mapping.part


def find_mapping(workspace: Workspace, file_name: str, header: Sequence[str], given: Mapping | None) -> Mapping:
    """The mapping by which a file is read: the one that was named for it, or one that fits. Raises MappingError where none does."""
    mapping = given or mapping_for(workspace, header)
    if given and (given.aliases or any(rule.fallback for rule in given.moments)):  # a copy of a preset is read as one
        mapping = fit_preset(given, header) or given
    if mapping is None:
        raise MappingError(
            f"No mapping for {file_name}: its columns ({', '.join(header[:6])} ...) fit no preset.",
            f"Run `wellserved inspect {file_name}`, correct the mapping it writes, and import with --mapping.",
        )
    return replace(mapping, zone=workspace.zone) if mapping.zone == "workspace" else mapping


def _likeness(mapping: Mapping, columns: set[str]) -> float:
    """The columns that both have, of all that either has: a file of another system may hold those that are used, too."""
    known_columns = {*mapping.recognise, *mapping.used_columns()}
    return len(known_columns & columns) / len(known_columns | columns)

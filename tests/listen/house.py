"""Workspaces whose customers' words are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.listen.corpus import MAPPING, Message, messages, write_messages
from wellserved.actions.imports import import_file
from wellserved.mapping import parse_mapping
from wellserved.storage.workspace import Workspace, create_workspace


def desk(
    folder: Path, weeks: int, a_week: int, seed: int = 7, share: Callable[[str, int], float] = lambda problem, week: 1.0
) -> tuple[Workspace, list[Message]]:
    """A service desk of so many weeks, and what each message is about."""
    rows = list(messages(weeks, a_week, seed, share))
    workspace = create_workspace(folder / "desk", "Europe/Berlin")
    add(workspace, rows)
    return workspace, rows


def add(workspace: Workspace, rows: list[Message]) -> None:
    """Import messages."""
    file = workspace.folder / "desk.csv"
    write_messages(file, rows)
    import_file(workspace, file, parse_mapping(MAPPING, "desk.toml"))

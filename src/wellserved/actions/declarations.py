"""What is wrong with what people declared: looked at by `check`, without the databases."""

from __future__ import annotations

from collections.abc import Iterator

from wellserved import improvement
from wellserved.calendar import load_calendars
from wellserved.errors import WellservedError
from wellserved.progress import ProgressCallback
from wellserved.scales import load_scales
from wellserved.storage.integrity import IntegrityFinding
from wellserved.storage.workspace import Workspace


def check_declarations(
    workspace: Workspace, thorough: bool, on_progress: ProgressCallback
) -> Iterator[IntegrityFinding]:
    """What people declared: opening hours, own scales of ratings, improvements."""
    try:
        load_calendars(workspace.calendars, workspace.zone)
    except WellservedError as error:
        yield IntegrityFinding(error.problem, "Waits in opening hours cannot be counted.", error.remedy)
    try:
        load_scales(workspace.folder)
    except WellservedError as error:
        yield IntegrityFinding(
            error.problem, "No measure can be asked: what ratings mean is not certain.", error.remedy
        )
    file, entries = workspace.folder / improvement.IMPROVEMENTS_FILE, improvement.read_entries(workspace)
    if not all(entry.genuine for entry in entries) or (not entries and file.exists() and file.stat().st_size):
        yield IntegrityFinding(
            f"{file} is damaged, or was altered by hand.",
            "What it declares cannot be relied on any more, and every verdict says so.",
            "Bring the file back from a backup (files/improvements.jsonl).",
        )

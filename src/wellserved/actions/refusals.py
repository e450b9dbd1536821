"""What was refused of a file: merged, and written beside its receipt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from wellserved import disk
from wellserved.record import OWN_PREFIX, RecordResult, Refusal
from wellserved.render.formats.csv import write_csv
from wellserved.sources.dialect import REFUSAL_COLUMNS
from wellserved.sources.table import RawTable
from wellserved.storage.workspace import Workspace


def all_refusals(raw: RawTable, result: RecordResult) -> list[Refusal]:
    """What was refused of a file: its broken rows, and what the record could not take, in the order of the rows."""
    broken_rows = [Refusal(row.row, "", row.line, row.reason) for row in raw.broken_rows]
    return sorted([*broken_rows, *result.refusals], key=lambda refusal: refusal.row)


def merge_by_row(refusals: Iterable[Refusal]) -> list[Refusal]:
    """One line a row, in the file's order: what refused it, or all that was left out of it."""
    refusals_by_row: dict[int, list[Refusal]] = {}
    for refusal in sorted(refusals, key=lambda refusal: refusal.row):
        refusals_by_row.setdefault(refusal.row, []).append(refusal)
    return [_merge_refusals(row_refusals) for row_refusals in refusals_by_row.values()]


def _merge_refusals(row_refusals: Sequence[Refusal]) -> Refusal:
    cells = dict.fromkeys((refusal.column, refusal.value) for refusal in row_refusals)
    reasons = dict.fromkeys(
        f"{refusal.reason}{f': {refusal.kind} is left out' if refusal.kind else ''}" for refusal in row_refusals
    )
    return Refusal(
        row_refusals[0].row,
        ", ".join(column for column, _ in cells),
        ", ".join(value for _, value in cells),
        "; ".join(reasons),
    )


def write_refusals(workspace: Workspace, raw: RawTable, refusals: Sequence[Refusal], import_id: str) -> Path | None:
    """Write the rows that were refused, or lost a moment, so that they can be mended and imported: all columns, and why."""
    folder = workspace.imports / import_id
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "refusals.csv"
    if not refusals:
        target.unlink(missing_ok=True)
        return None
    full_rows = raw.source.whole_rows([refusal.row for refusal in refusals if refusal.column])
    header = [column for column in raw.source.header if not column.startswith(OWN_PREFIX)]
    kept_positions = [
        position for position, column in enumerate(raw.source.header) if not column.startswith(OWN_PREFIX)
    ]
    empty = [""] * len(raw.source.header)
    with disk.rewrite_file(target, workspace.scratch / target.name) as file:
        rows = (
            [
                refusal.row,
                refusal.column,
                refusal.value,
                refusal.reason,
                *(full_rows.get(refusal.row, empty)[position] for position in kept_positions),
            ]
            for refusal in refusals
        )
        write_csv(file, [*REFUSAL_COLUMNS, *header], rows)
    return target

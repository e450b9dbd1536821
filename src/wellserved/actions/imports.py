"""A file, read into the log."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from wellserved import cases
from wellserved.actions.file_doubts import other_opening_notes, reopening_notes, state_notes, view_stored_cases
from wellserved.actions.mappings import find_mapping, open_known
from wellserved.actions.refusals import all_refusals, merge_by_row, write_refusals
from wellserved.engine import duckdb
from wellserved.mapping import DateOrder, DueIs, Mapping, MomentRule
from wellserved.progress import ProgressCallback, no_progress
from wellserved.record import OWN_PREFIX, RecordResult, Refusal, record_rows
from wellserved.scales import Scale, keep_meaning
from wellserved.sources.table import RawTable
from wellserved.storage import log
from wellserved.storage.log import Receipt
from wellserved.storage.workspace import Workspace


@dataclass(frozen=True)
class ImportResult:
    """What an import did, and where its refusals are (None: every row and moment was loaded)."""

    receipt: Receipt
    refusals: Path | None
    cases_folded: int


def import_file(
    workspace: Workspace,
    path: Path,
    mapping: Mapping | None = None,
    now: datetime | None = None,
    on_progress: ProgressCallback = no_progress,
    part: str = "",
    own: Sequence[str] = (),
) -> ImportResult:
    """Read a file into the log and fold its cases; the same file twice changes nothing.

    `part`: which sheet of a workbook, or which list of a JSON file; `own`: the house's addresses, of a mailbox.

    A kill at any moment leaves the log as it was or with the whole import; running it again completes it.
    """
    now = now or datetime.now(UTC)
    with workspace.write_lock() as scratch:
        source, _ = open_known(workspace, path, scratch, on_progress, part or (mapping.part if mapping else ""), own)
        header = source.header
        mapping = find_mapping(workspace, path.name, header, mapping)
        import_id = _import_id(source.sha256 + source.part, mapping)
        db = duckdb.connect(path, workspace.log, workspace.cases, scratch=scratch, memory="384MB")
        is_mended = any(column.startswith(OWN_PREFIX) for column in header)  # a file of refused rows
        needs_all_columns = mapping.case_missing == "row" or is_mended
        columns = header if needs_all_columns else [column for column in header if column in mapping.used_columns()]
        raw = source.stage(db, columns, on_progress)
        on_progress("Checking rows", 0, 0)
        earlier_receipts = log.receipts(workspace, mapping.name, raise_on_damage=False)
        mapping, due_readings = _with_earlier_decisions(earlier_receipts, mapping, is_mended)
        result = record_rows(db, mapping, header, now, import_id, due_readings)
        view_stored_cases(db, workspace)
        notes = source.notes | result.notes | _due_change_notes(earlier_receipts, result) | state_notes(db, mapping)
        notes |= {} if is_mended else other_opening_notes(db, mapping)
        notes |= reopening_notes(db, mapping) if result.has_unique_ids else {}
        result = replace(result, notes=notes)
        on_progress("Appending moments", 0, 0)
        keep_meaning(workspace.folder, scratch, _scales_of(db, mapping))
        append_result = log.append(db, workspace, "batch", result.has_unique_ids, import_id)
        refusals = all_refusals(raw, result)
        row_refusals = merge_by_row([*refusals, *result.losses, *result.companions])
        refusals_path = write_refusals(workspace, raw, row_refusals, import_id)
        receipt = _make_receipt(raw, result, append_result, refusals, mapping, now, import_id)
        log.write_receipt(workspace, receipt)
        db.close()
        case_count = cases.refresh(workspace, scratch, on_progress)
    return ImportResult(receipt, refusals_path, case_count)


def _import_id(content_digest: str, mapping: Mapping) -> str:
    """Rests on the file and on what the mapping says of it, whatever the code calls the mapping's parts."""
    names = [field.name for field in fields(mapping)]
    said = {**dict(zip(names, astuple(mapping), strict=True)), "moments": tuple(map(_said_of_moment, mapping.moments))}
    del said["part"]  # what was read of the file says it
    said = {name: value for name, value in said.items() if value or name not in _LATER_MAPPING_SETTINGS}
    return hashlib.sha256(f"{content_digest}{tuple(said.values())!r}".encode()).hexdigest()[:12]


_LATER_MAPPING_SETTINGS = ("clocks", "no_date", "newest_first")  # which older mappings do not know
_LATER_SETTINGS = (
    "edited",
    "before",
    "after",
    "delay",
    "delay_unit",
    "second_condition",
)  # of a rule, which older mappings do not know


def _said_of_moment(rule: MomentRule) -> tuple[object, ...]:
    """A rule's settings; a scale is told by its name, and settings that came later leave no trace where they are not used."""
    names = [field.name for field in fields(rule)]
    settings = zip(names, astuple(replace(rule, rating=None)), strict=True)
    return tuple(value for name, value in settings if value is not None or name not in _LATER_SETTINGS)


def _scales_of(db: DuckDBPyConnection, mapping: Mapping) -> list[Scale]:
    """The own scales on which there is a rating to be recorded: one that was left out fixes no meaning."""
    own_scales = {rule.rating.name: rule.rating for rule in mapping.moments if rule.rating and rule.rating.is_own}
    if not own_scales:
        return []
    rated_scales = db.sql("SELECT DISTINCT scale FROM batch WHERE scale IS NOT NULL AND score IS NOT NULL").fetchall()
    return [own_scales[name] for (name,) in rated_scales if name in own_scales]


def _with_earlier_decisions(
    earlier_receipts: Sequence[Receipt], mapping: Mapping, is_mended: bool
) -> tuple[Mapping, dict[str, DueIs]]:
    """What earlier imports of the source decided over whole columns, where a few rows cannot decide it again.

    Refused rows are read as their file was; a source that ever promised a time of day promises no days.
    """
    dues: dict[str, DueIs] = {}
    dates: dict[str, DateOrder] = {}
    for receipt in earlier_receipts:
        dues |= {column: due for column, due in receipt.dues.items() if is_mended or due == "instant"}
        dates |= receipt.dates if is_mended else {}
    return replace(mapping, dates=dates | mapping.dates), dues


def _due_change_notes(earlier_receipts: Sequence[Receipt], result: RecordResult) -> dict[str, int]:
    """Due times that were read as days until now, and as instants from now on."""
    return {
        f"due times in {column!r} name a time of day here, and midnights of earlier files were read as whole days: "
        "import those files again": result.rows_loaded
        for column, due in result.dues.items()
        if due == "instant" and any(receipt.dues.get(column) == "end_of_day" for receipt in earlier_receipts)
    }


def _make_receipt(
    raw: RawTable,
    result: RecordResult,
    append_result: log.AppendResult,
    refusals: Sequence[Refusal],
    mapping: Mapping,
    now: datetime,
    import_id: str,
) -> Receipt:
    return Receipt(
        import_id=import_id,
        file=raw.source.name,
        source=mapping.name,
        title=mapping.title,
        credit=mapping.credit,
        caution=mapping.caution,
        recorded_at=now.isoformat(timespec="seconds"),
        rows_read=raw.rows_read,
        rows_loaded=result.rows_loaded,
        rows_refused=len(refusals),
        moments=result.moment_count,
        moments_new=append_result.new_moments,
        moments_known=append_result.known_moments,
        moments_corrected=append_result.corrections,
        log_version=append_result.version,
        encoding=raw.source.encoding,
        mended_lines=raw.source.mended_lines,
        careful=raw.careful_reason,
        recovered=raw.recovered_count,
        notes=result.notes,
        missing=result.missing,
        reasons=dict(
            Counter(f"{refusal.column}: {refusal.reason}" if refusal.column else refusal.reason for refusal in refusals)
        ),
        as_of=result.as_of.isoformat(timespec="seconds") if result.as_of else "",
        sha256=raw.source.sha256,
        cannot=mapping.unknown_kinds(),
        absent=mapping.absent,
        moments_refused=len(result.losses),
        losses=dict(Counter(f"{loss.column} ({loss.kind}): {loss.reason}" for loss in result.losses)),
        dates=result.dates,
        dues=result.dues,
    )

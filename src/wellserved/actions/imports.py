"""A file, read into the log."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from wellserved import cases, disk, log
from wellserved.actions import silent
from wellserved.engine import duckdb
from wellserved.errors import MappingError
from wellserved.log import Receipt
from wellserved.mapping import DateOrder, DueIs, Mapping, recognise
from wellserved.mapping.fit import fit
from wellserved.record import OWN, Recorded, Refusal, record
from wellserved.render.table import write_csv
from wellserved.scales import Scale, keep_meaning
from wellserved.sources.bytes import Progress
from wellserved.sources.csv_file import RawTable, look, stage, whole_rows
from wellserved.sources.dialect import REFUSAL
from wellserved.workspace import Workspace

ENDS = ("resolved", "abandoned", "merged")


@dataclass(frozen=True)
class Imported:
    """What an import did, and where its refusals are (None: every row and moment was loaded)."""

    receipt: Receipt
    refusals: Path | None
    cases_folded: int


def import_file(
    workspace: Workspace,
    path: Path,
    mapping: Mapping | None = None,
    now: datetime | None = None,
    told: Progress = silent,
) -> Imported:
    """Read a file into the log and fold its cases; the same file twice changes nothing.

    A kill at any moment leaves the log as it was or with the whole import; running it again completes it.
    """
    now = now or datetime.now(UTC)
    with workspace.writing() as scratch:
        looked = look(path, scratch, told)
        text, dialect = looked
        if mapping is None:
            mapping = recognise(dialect.header)
        elif mapping.aliases or any(rule.fallback for rule in mapping.moments):  # a copy of a preset is read as one
            mapping = fit(mapping, dialect.header) or mapping
        if mapping is None:
            raise MappingError(
                f"No mapping for {path.name}: its columns ({', '.join(dialect.header[:6])} ...) fit no preset.",
                f"Run `wellserved inspect {path.name}`, correct the mapping it writes, and import with --mapping.",
            )
        if mapping.zone == "workspace":
            mapping = replace(mapping, zone=workspace.zone)
        import_id = hashlib.sha256(f"{text.sha256}{mapping!r}".encode()).hexdigest()[:12]
        db = duckdb.connect(text.path, workspace.log, workspace.cases, scratch=scratch)
        mended = any(column.startswith(OWN) for column in dialect.header)  # a file of refused rows
        every = mapping.case_missing == "row" or mended
        columns = dialect.header if every else [column for column in dialect.header if column in mapping.needed()]
        raw = stage(db, path, looked, columns, scratch, told)
        told("Checking rows", 0, 0)
        earlier = log.receipts(workspace, mapping.name, damaged=False)
        mapping, settled = _as_before(earlier, mapping, mended)
        recorded = record(db, mapping, dialect.header, now, import_id, settled)
        recorded = replace(recorded, notes=recorded.notes | _dues_turned(earlier, recorded))
        if recorded.unique:
            recorded = replace(recorded, notes=recorded.notes | _closings_taken_back(db, workspace, mapping))
        told("Appending moments", 0, 0)
        keep_meaning(workspace.folder, scratch, _scales_of(db, mapping))
        appended = log.append(db, workspace, "batch", recorded.unique, import_id)
        refusals = _all_refusals(raw, recorded)
        listed = _by_row([*refusals, *recorded.losses, *recorded.companions])
        kept = _keep_refusals(workspace, raw, listed, import_id)
        receipt = _receipt(raw, recorded, appended, refusals, mapping, now, import_id)
        log.keep_receipt(workspace, receipt)
        db.close()
        folded = cases.refresh(workspace, scratch, told)
    return Imported(receipt, kept, folded)


def _scales_of(db: DuckDBPyConnection, mapping: Mapping) -> list[Scale]:
    """The own scales on which there is a rating to be recorded: one that was left out fixes no meaning."""
    own = {rule.rating.name: rule.rating for rule in mapping.moments if rule.rating and rule.rating.own}
    if not own:
        return []
    rated = db.sql("SELECT DISTINCT scale FROM batch WHERE scale IS NOT NULL AND score IS NOT NULL").fetchall()
    return [own[name] for (name,) in rated if name in own]


def _as_before(earlier: Sequence[Receipt], mapping: Mapping, mended: bool) -> tuple[Mapping, dict[str, DueIs]]:
    """What earlier imports of the source decided over whole columns, where a few rows cannot decide it again.

    Refused rows are read as their file was; a source that ever promised a time of day promises no days.
    """
    dues: dict[str, DueIs] = {}
    dates: dict[str, DateOrder] = {}
    for receipt in earlier:
        dues |= {column: due for column, due in receipt.dues.items() if mended or due == "instant"}
        dates |= receipt.dates if mended else {}
    return replace(mapping, dates=dates | mapping.dates), dues


def _dues_turned(earlier: Sequence[Receipt], recorded: Recorded) -> dict[str, int]:
    """Due times that were read as days until now, and as instants from now on."""
    return {
        f"due times in {column!r} name a time of day here, and midnights of earlier files were read as whole days: "
        "import those files again": recorded.loaded
        for column, due in recorded.dues.items()
        if due == "instant" and any(receipt.dues.get(column) == "end_of_day" for receipt in earlier)
    }


def _closings_taken_back(db: DuckDBPyConnection, workspace: Workspace, mapping: Mapping) -> dict[str, int]:
    """Cases that are closed by what is known, and open by a list of last states: such a list cannot say since when."""
    stored = log.snapshot(workspace.cases)
    if not stored.files or not any(rule.kind in ENDS for rule in mapping.moments):
        return {}
    duckdb.view(db, "stored_cases", stored.files, cases.TYPES, stored.out())
    ends = ", ".join(map(duckdb.text, ENDS))
    (count,) = db.sql(
        f"SELECT count(*) FROM stored_cases WHERE source = {duckdb.text(mapping.name)} AND closed = 1 AND case_id IN "
        f"(SELECT case_id FROM batch GROUP BY case_id HAVING bool_or(kind = 'asked') AND NOT bool_or(kind IN ({ends})))"
    ).fetchall()[0]
    words = "cases closed by another file and open in this one: they stay closed, since a list of tickets does not say when one was reopened"
    return {words: count} if count else {}


def _all_refusals(raw: RawTable, recorded: Recorded) -> list[Refusal]:
    shapes = [Refusal(row.row, "", row.line, row.reason) for row in raw.broken]
    return sorted([*shapes, *recorded.refusals], key=lambda refusal: refusal.row)


def _by_row(refusals: Iterable[Refusal]) -> list[Refusal]:
    """One line a row, in the file's order: what refused it, or all that was left out of it."""
    rows: dict[int, list[Refusal]] = {}
    for one in sorted(refusals, key=lambda one: one.row):
        rows.setdefault(one.row, []).append(one)
    return [_joined(several) for several in rows.values()]


def _joined(several: Sequence[Refusal]) -> Refusal:
    cells = dict.fromkeys((one.column, one.value) for one in several)
    reasons = dict.fromkeys(f"{one.reason}{f': {one.kind} is left out' if one.kind else ''}" for one in several)
    return Refusal(
        several[0].row,
        ", ".join(column for column, _ in cells),
        ", ".join(value for _, value in cells),
        "; ".join(reasons),
    )


def _keep_refusals(workspace: Workspace, raw: RawTable, refusals: Sequence[Refusal], import_id: str) -> Path | None:
    """Write the rows that were refused, or lost a moment, so that they can be mended and imported: all columns, and why."""
    folder = workspace.imports / import_id
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "refusals.csv"
    if not refusals:
        target.unlink(missing_ok=True)
        return None
    whole = whole_rows(raw, [refusal.row for refusal in refusals if refusal.column])
    header = [column for column in raw.dialect.header if not column.startswith(OWN)]
    kept = [place for place, column in enumerate(raw.dialect.header) if not column.startswith(OWN)]
    empty = [""] * raw.dialect.width
    with disk.rewrite(target, workspace.scratch / target.name) as file:
        rows = (
            [
                one.row,
                one.column,
                one.value,
                one.reason,
                *(whole.get(one.row, empty)[place] for place in kept),
            ]
            for one in refusals
        )
        write_csv(file, [*REFUSAL, *header], rows)
    return target


def _receipt(
    raw: RawTable,
    recorded: Recorded,
    appended: log.Appended,
    refusals: Sequence[Refusal],
    mapping: Mapping,
    now: datetime,
    import_id: str,
) -> Receipt:
    return Receipt(
        import_id=import_id,
        file=raw.file,
        source=mapping.name,
        title=mapping.title,
        credit=mapping.credit,
        caution=mapping.caution,
        recorded_at=now.isoformat(timespec="seconds"),
        rows_read=raw.rows_read,
        rows_loaded=recorded.loaded,
        rows_refused=len(refusals),
        moments=recorded.moments,
        moments_new=appended.new,
        moments_known=appended.known,
        moments_corrected=appended.corrections,
        log_version=appended.version,
        encoding=raw.text.encoding,
        mended_lines=raw.text.mended_lines,
        careful=raw.careful,
        recovered=raw.recovered,
        notes=recorded.notes,
        missing=recorded.missing,
        reasons=dict(Counter(f"{one.column}: {one.reason}" if one.column else one.reason for one in refusals)),
        as_of=recorded.as_of.isoformat(timespec="seconds") if recorded.as_of else "",
        sha256=raw.text.sha256,
        cannot=mapping.untold(),
        absent=mapping.absent,
        moments_refused=len(recorded.losses),
        losses=dict(Counter(f"{one.column} ({one.kind}): {one.reason}" for one in recorded.losses)),
        dates=recorded.dates,
        dues=recorded.dues,
    )

"""The log of moments: append-only, versioned, readable while an import runs. Nothing else knows how it is stored.

A moment is known by its identity (source, source_ref, kind, at) and its content. What is known already
is not appended again; the same identity with another content is appended as a correction, and the later
one counts. So the same file twice changes nothing, and an older export read again takes nothing back.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, WriterProperties

from wellserved import disk
from wellserved.damage import VERIFY_ADVICE, as_damage_error
from wellserved.engine import duckdb as engine
from wellserved.errors import DamageError, RequestError
from wellserved.mapping import DateOrder, DueIs
from wellserved.moments import MOMENT_COLUMNS
from wellserved.storage import delta, digests
from wellserved.storage.workspace import Workspace

MOMENT_TYPES = {column.name: column.type for column in MOMENT_COLUMNS}
COLUMN_ENCODINGS: dict[
    str, Any
] = {  # mostly different: not as a dictionary, but as what is smallest and fastest to read
    **dict.fromkeys(("content", "source_ref", "customer_id"), "PLAIN"),
    **dict.fromkeys(("moment_id", "case_id"), "DELTA_LENGTH_BYTE_ARRAY"),
    **dict.fromkeys(("at", "due", "source_row"), "DELTA_BINARY_PACKED"),
}
_COLUMN_PROPERTIES = {
    column: ColumnProperties(dictionary_enabled=False, encoding=encoding)
    for column, encoding in COLUMN_ENCODINGS.items()
}
ROW_GROUP_ROWS = 120_000  # rows of a month that are written, and read, together
WRITER_PROPERTIES = WriterProperties(
    max_row_group_size=ROW_GROUP_ROWS, compression="ZSTD", compression_level=1, column_properties=_COLUMN_PROPERTIES
)
_BATCH_ROWS = 30_000  # rows that go to the writer at a time
LOT_ROWS = 250_000  # rows that the writer holds of all months of a lot: a sixth of the memory of all at once
SMALL_FILE_BYTES = 1 << 18  # bytes of a file that is put together with others
MAX_SMALL_FILES = 32  # small files of one month, each a few moments, that are too many to be opened one by one
_MONTH_PATTERN = re.compile(r"[/\\]\w*month=(\d+)[/\\]")


@dataclass(frozen=True)
class Snapshot:
    """One version of a stored table: the files that hold it. Version -1 is the empty table."""

    version: int
    files: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)  # what the writer noted at the commit
    folder: Path = Path()

    @cached_property
    def deleted_rows(self) -> Mapping[str, delta.RowIndices]:
        """The rows (from 0) of each file that no longer count."""
        return delta.deleted_rows(self.folder, self.facts)

    def deleted_row_table(self) -> pa.Table:
        """File and row of what no longer counts."""
        file_indices = np.repeat(
            np.arange(len(self.deleted_rows), dtype=np.int32), [len(rows) for rows in self.deleted_rows.values()]
        )
        files = pa.DictionaryArray.from_arrays(file_indices, pa.array(self.deleted_rows, pa.string()))
        return pa.table({"file": files, "row": np.concatenate([*self.deleted_rows.values(), delta.NO_ROWS])})

    def files_since(self, month: int) -> tuple[str, ...]:
        """The files that hold rows of this month (yyyymm) or a later one."""
        return tuple(file for file in self.files if month_of(file) >= month)


def month_of(file: str) -> int:
    """The month (yyyymm) whose rows a file holds."""
    match = _MONTH_PATTERN.search(file)
    if match is None:
        raise AssertionError(f"{file} is in no month's folder")
    return int(match[1])


def files_of_months(files: Sequence[str], months: Iterable[int]) -> tuple[str, ...]:
    """Those of the files that hold rows of these months (yyyymm)."""
    selected_months = set(months)
    return tuple(file for file in files if month_of(file) in selected_months)


@dataclass(frozen=True)
class AppendResult:
    """What an append did."""

    version: int
    new_moments: int
    known_moments: int
    corrections: int


@dataclass(frozen=True)
class Receipt:
    """What became of one import: every row read is loaded or refused; a loaded row may have lost a moment."""

    import_id: str
    file: str
    source: str
    title: str  # of the source, with whom to credit and what to beware of
    credit: str
    caution: str
    recorded_at: str  # ISO 8601, UTC
    rows_read: int
    rows_loaded: int
    rows_refused: int
    moments: int
    moments_new: int
    moments_known: int
    moments_corrected: int
    log_version: int
    encoding: str
    mended_lines: int
    careful: str  # why the file was read row by row; empty: it was not
    recovered: int  # rows that only the second reading could read
    notes: dict[str, int]  # impossible or doubtful facts, kept and counted
    missing: dict[str, int]  # column -> rows without a value
    reasons: dict[str, int]  # refusal reason -> rows
    as_of: str  # latest moment of the file, ISO 8601 UTC
    cannot: dict[str, str] = field(default_factory=dict)  # kind of moment that the export cannot tell -> why
    # column of the preset that the file lacks -> what is not known
    absent: dict[str, str] = field(default_factory=dict)
    moments_refused: int = (
        0  # moments of loaded rows that were left out, for a date, score or amount that cannot be read
    )
    losses: dict[str, int] = field(default_factory=dict)  # why -> moments left out
    # column -> order of day and month that the column decided
    dates: dict[str, DateOrder] = field(default_factory=dict)
    dues: dict[str, DueIs] = field(default_factory=dict)  # column -> what a due time at midnight means, likewise

    sha256: str = ""  # of the file, unpacked; empty: an earlier version did not keep it

    def __post_init__(self) -> None:
        if self.rows_read != self.rows_loaded + self.rows_refused:
            raise AssertionError(f"{self.rows_read} rows read, but {self.rows_loaded} + {self.rows_refused}")


def _file_paths(table: DeltaTable, folder: Path) -> tuple[str, ...]:
    """The files of a version, each under the folder as it is named on this machine."""
    paths = pa.table(table.get_add_actions(flatten=True))["path"].to_pylist()
    return tuple(sorted(str(folder.absolute() / file) for file in paths))


def snapshot(folder: Path, version: int | None = None) -> Snapshot:
    """The latest version of a table in `folder`, or the one asked for."""
    if not DeltaTable.is_deltatable(delta.table_uri(folder)):
        if version not in (None, -1):
            raise RequestError(f"There is no version {version}.", "Import a file first.")
        return Snapshot(-1, ())
    try:
        table = DeltaTable(delta.table_uri(folder), version=version)
    except Exception as error:
        if (storage_error := disk.as_storage_error(error, folder)) is not None:
            raise storage_error from error
        if version is None or (damage := as_damage_error(error)) is None:
            raise
        raise RequestError(
            f"There is no version {version} of {folder.name}: {damage.problem}", "See `wellserved log`."
        ) from error
    facts = delta.commit_facts(folder, table.version())
    return Snapshot(table.version(), _file_paths(table, folder), facts, folder)


def create_moments_view(db: duckdb.DuckDBPyConnection, view_name: str, files: Sequence[str]) -> None:
    """Name the moments in these files."""
    engine.create_view(db, view_name, files, MOMENT_TYPES)


_SUPERSEDED_SQL = """
    SELECT filename AS file, file_row_number AS row FROM (
        SELECT filename, file_row_number, at_is,
            row_number() OVER (PARTITION BY moment_id ORDER BY recorded_at DESC, source_row DESC, content) AS latest
        FROM {logged} SEMI JOIN (SELECT moment_id FROM {logged} WHERE correction OR at_is = 'withdrawn') USING (moment_id)
    ) WHERE latest > 1 OR at_is = 'withdrawn'"""


def superseded_rows(db: duckdb.DuckDBPyConnection, files: Sequence[str]) -> pa.Table:
    """Which rows (from 0) of which of these files no longer count: of one identity all but the last recorded, and that
    one too if it withdraws the moment. What corrects a moment has its instant, and so its month."""
    create_moments_view(db, "all_logged", files)
    month_rows = db.sql("SELECT DISTINCT month FROM all_logged WHERE correction OR at_is = 'withdrawn'").fetchall()
    affected_files = files_of_months(files, [row[0] for row in month_rows])
    if not affected_files:
        return pa.table({"file": pa.array([], pa.string()), "row": pa.array([], pa.int64())})
    return engine.query(db, _SUPERSEDED_SQL.format(logged=engine.parquet_rows_sql(affected_files, with_positions=True)))


def create_current_view(db: duckdb.DuckDBPyConnection, view_name: str, files: Sequence[str]) -> None:
    """Name the moments in these files that count."""
    engine.create_view(db, view_name, files, MOMENT_TYPES, superseded_rows(db, files))


def append(
    db: duckdb.DuckDBPyConnection, workspace: Workspace, batch: str, unique: bool, import_id: str
) -> AppendResult:
    """Append what is new in the temporary table `batch`; whoever calls holds the workspace's write lock.

    `unique`: no two rows of the batch can have one identity.
    """
    delta.remove_leftovers(workspace.log)
    before = snapshot(workspace.log)
    check_complete(workspace, before)
    month_sizes = dict(db.sql(f"SELECT month, count(*) FROM {batch} GROUP BY month ORDER BY month").fetchall())
    create_moments_view(db, "existing", files_of_months(before.files, month_sizes))
    db.execute(
        f"CREATE OR REPLACE TEMP VIEW fresh_moments AS {_fresh_moments_sql(batch, unique, _last_recorded_at_sql(db))}"
    )
    fresh_table = "fresh_moments"
    if before.files or not unique:
        db.execute("CREATE OR REPLACE TEMP TABLE fresh_kept AS FROM fresh_moments")
        fresh_table = "fresh_kept"
    new_count, correction_count = db.sql(
        f"SELECT count(*), count(*) FILTER (correction) FROM {fresh_table}"
    ).fetchall()[0]
    version = before.version
    if new_count:
        readers = _lot_readers(db, fresh_table, month_sizes)
        version = delta.append_version(workspace.log, readers, "month", WRITER_PROPERTIES, {"import_id": import_id})
        _record_digests(workspace, before.version, version)
    return AppendResult(version, new_count, sum(month_sizes.values()) - new_count, correction_count)


def _lot_readers(
    db: duckdb.DuckDBPyConnection, fresh_table: str, month_sizes: Mapping[int, int]
) -> Iterator[pa.RecordBatchReader]:
    """The rows of consecutive months, lot by lot: of each month the writer holds a row group, and LOT_ROWS in all."""
    columns = ", ".join(engine.quote_name(column) for column in MOMENT_TYPES)
    held_rows = (min(size, ROW_GROUP_ROWS) for size in month_sizes.values())
    rows_before = dict(zip(month_sizes, accumulate(held_rows, initial=0), strict=False))
    for _, lot in groupby(month_sizes, key=lambda month: rows_before[month] // LOT_ROWS):
        months = list(lot)
        condition = f"month BETWEEN {months[0]} AND {months[-1]}"
        yield db.sql(f"SELECT {columns} FROM {fresh_table} WHERE {condition}").to_arrow_reader(_BATCH_ROWS)


def compact(workspace: Workspace, current: Snapshot) -> Snapshot:
    """Put the small files of a month together where there are many; returns the version that says the same in fewer files.

    Whoever calls holds the workspace's write lock. The small files stay where they are, for whoever reads an earlier version.
    """
    small_files: dict[int, list[str]] = defaultdict(list)
    for file in current.files:
        if Path(file).stat().st_size < SMALL_FILE_BYTES:
            small_files[month_of(file)].append(file)
    crowded_files = [file for files in small_files.values() if len(files) >= MAX_SMALL_FILES for file in files]
    if not crowded_files:
        return current
    paths = [Path(file).relative_to(workspace.log.absolute()).as_posix() for file in crowded_files]
    with engine.connect(workspace.log) as db:
        create_moments_view(db, "crowded", crowded_files)
        columns = (
            f"CAST({engine.quote_name(column)} AS {kind}) AS {engine.quote_name(column)}"
            for column, kind in MOMENT_TYPES.items()
        )
        rows = db.sql(f"SELECT {', '.join(columns)} FROM crowded").to_arrow_reader(_BATCH_ROWS)
        delta.append_version(workspace.log, [rows], "month", WRITER_PROPERTIES, {}, paths)
    after = snapshot(workspace.log)
    _record_digests(workspace, current.version, after.version)
    return after


def _record_digests(workspace: Workspace, before: int, after: int) -> None:
    """Keep the digests of what the versions after one, up to another, wrote; and of those that a kill left without."""
    first = _last_recorded_version(workspace, -1 if (workspace.log / digests.DIGEST_FILE).exists() else before) + 1
    entries = [workspace.log / "_delta_log" / f"{version:020d}.json" for version in range(first, after + 1)]
    digests.record_digests(
        workspace.log, [*(workspace.log / path for entry in entries for path in _added_files(entry)), *entries]
    )


def _last_recorded_version(workspace: Workspace, default: int) -> int:
    """The last version whose digests are kept."""
    return int(digests.last_match(workspace.log, r"_delta_log/(\d{20})\.json") or default)


def check_complete(workspace: Workspace, current: Snapshot) -> None:
    """Raise where the log ends before a version that is known to have been written."""
    last = _last_recorded_version(workspace, -1)
    if last > current.version and (end := snapshot(workspace.log).version) < last:  # else it was written meanwhile
        raise truncation_error(end, last)


def truncation_error(end_version: int, last_version: int) -> DamageError:
    """The log has lost its last versions."""
    ends = f"ends at version {end_version}" if end_version >= 0 else "is empty"
    return DamageError(
        f"The log {ends}, and version {last_version} was written: what came last is gone.", VERIFY_ADVICE
    )


def _last_recorded_at_sql(db: duckdb.DuckDBPyConnection) -> str:
    """SQL: the latest instant at which what may be corrected was recorded."""
    (last,) = db.sql("SELECT CAST(max(recorded_at) AS VARCHAR) FROM existing").fetchall()[0]
    return f"CAST({engine.quote_text(last) if last else 'NULL'} AS TIMESTAMPTZ)"


def _fresh_moments_sql(batch: str, unique: bool, last_recorded_at: str) -> str:
    """The rows of the batch that say something that the log does not say yet; what it never said is not withdrawn.

    What corrects is recorded after what it corrects (`last_recorded_at`: SQL), even where the clock was set back meanwhile.
    """
    is_repeat = "false" if unique else "row_number() OVER (PARTITION BY moment_id ORDER BY source_row) > 1"
    first_only = "" if unique else "QUALIFY row_number() OVER (PARTITION BY moment_id, content ORDER BY source_row) = 1"
    match_sql = "SELECT 1 FROM existing e WHERE e.moment_id = b.moment_id"
    corrected_at = f"greatest(recorded_at, {last_recorded_at} + INTERVAL 1 MICROSECOND)"
    return (
        f"SELECT * REPLACE (CASE WHEN correction THEN {corrected_at} ELSE recorded_at END AS recorded_at) "
        f"FROM (SELECT b.*, EXISTS ({match_sql}) OR {is_repeat} AS correction FROM {batch} b "
        f"WHERE NOT EXISTS ({match_sql} AND e.content = b.content) {first_only}) "
        "WHERE correction OR at_is IS DISTINCT FROM 'withdrawn'"
    )


def history(workspace: Workspace) -> list[dict[str, Any]]:
    """What was added to the log, latest first: version, when, moments added, by which import."""
    if not DeltaTable.is_deltatable(delta.table_uri(workspace.log)):
        return []
    return [
        {
            "version": int(entry["version"]),
            "at": datetime.fromtimestamp(entry["timestamp"] / 1000, UTC).isoformat(timespec="seconds"),
            "moments": int(entry.get("operationMetrics", {}).get("num_added_rows", 0)),
            "import_id": str(entry.get("import_id", "")),
        }
        for entry in DeltaTable(delta.table_uri(workspace.log)).history()
        if entry.get("operation") != delta.COMPACTION
    ]


def write_receipt(workspace: Workspace, receipt: Receipt) -> Path:
    """Write a receipt into imports/<import_id>/, whole or not at all; whoever calls holds the workspace's write lock."""
    target = workspace.imports / receipt.import_id / "receipt.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    with disk.rewrite_file(target, workspace.scratch / target.name) as draft:
        draft.write(json.dumps(asdict(receipt), indent=1, ensure_ascii=False))
    return target


def read_receipt(file: Path) -> Receipt:
    """A receipt as it was written."""
    try:
        return Receipt(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError, AssertionError) as error:
        raise DamageError(
            f"The receipt {file} is damaged: {error}.",
            "Import its file again: nothing is doubled, and the receipt is written anew.",
        ) from error


def receipts(workspace: Workspace, source: str | None = None, raise_on_damage: bool = True) -> list[Receipt]:
    """What was imported, oldest first; of one source if named.

    Raises DamageError where a receipt cannot be read; without `raise_on_damage` it is passed over, as importing its file again does.
    """
    all_receipts = []
    for file in workspace.imports.glob("*/receipt.json"):
        with nullcontext() if raise_on_damage else suppress(DamageError):
            all_receipts.append(read_receipt(file))
    source_receipts = (receipt for receipt in all_receipts if source in (None, receipt.source))
    # By version first: a clock may have been set back.
    return sorted(source_receipts, key=lambda receipt: (receipt.log_version, receipt.recorded_at))


def unrecorded_kinds(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Source -> kinds of moment that one of its files cannot tell -> why. Of a file that was imported again, the last
    import counts: its mapping was corrected."""
    latest = {(receipt.source, receipt.sha256 or receipt.file): receipt for receipt in receipts(workspace)}
    gaps: dict[str, dict[str, str]] = {}
    for (source, _), receipt in latest.items():
        siblings = [sibling for sibling in latest.values() if sibling.source == source]
        for kind, reason in receipt.cannot.items():
            is_partial = not all(kind in sibling.cannot for sibling in siblings)
            gaps.setdefault(source, {}).setdefault(kind, f"{reason} ({receipt.file})" if is_partial else reason)
    return gaps


def stored_files(workspace: Workspace) -> tuple[int, list[Path]]:
    """The log's version, and every file that it and the versions before it consist of, under the log's folder."""
    current = snapshot(workspace.log)
    entries = (workspace.log / "_delta_log").glob("*") if current.version >= 0 else ()
    entry_files = [file for file in entries if file.name[:20].isdecimal() and int(file.name[:20]) <= current.version]
    added_files = {
        workspace.log.absolute() / path
        for entry in entry_files
        if entry.suffix == ".json"
        for path in _added_files(entry)
    }
    # A backup of long ago may have brought its own version's alone.
    existing_files = {file for file in added_files if file.exists()}
    return current.version, sorted(entry_files) + sorted(existing_files | set(map(Path, current.files)))


def _added_files(entry: Path) -> list[str]:
    """The files that a version added."""
    actions = map(json.loads, entry.read_text(encoding="utf-8").splitlines())
    return [action["add"]["path"] for action in actions if "add" in action]


def latest_version(workspace: Workspace) -> int:
    """The log's version by what stands in its folder, which is a thousand times cheaper than opening it."""
    folder = workspace.log / "_delta_log"
    try:
        version = int(json.loads((folder / "_last_checkpoint").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError):  # a young log, or one that was restored
        names = [entry.name for entry in folder.glob("*.json")]
        return max((int(name[:20]) for name in names if re.fullmatch(r"\d{20}\.json", name)), default=-1)
    while (folder / f"{version + 1:020d}.json").exists():
        version += 1
    return version

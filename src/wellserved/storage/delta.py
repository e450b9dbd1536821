"""A version of a Delta table beside the one before: files come, files go, and from others rows are struck out.

The library reads such versions, and writes the files; their entries are written here, once what they name is on disk.
A row that is struck out saves writing the whole file again.
Source: the Delta transaction log protocol, "Deletion Vectors" and "Deletion Vector Format" (storage type i).
"""

from __future__ import annotations

import base64
import json
import shutil
import struct
import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, WriterProperties, write_deltalake
from deltalake.transaction import AddAction
from pyroaring import BitMap64

from wellserved import disk
from wellserved.damage import VERIFY_ADVICE
from wellserved.errors import DamageError

RowIndices = npt.NDArray[np.int64]  # positions of rows in a file, from 0, in order
NO_ROWS: RowIndices = np.array([], dtype=np.int64)
_MAGIC = struct.pack("<i", 1681511377)
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"  # as Python has it
# Noted with the version once more: the library does not give the vectors' descriptors back.
_DELETED_ROWS_KEY = "struck"
_DELETION_VECTORS, _FEATURE_CONFIGURATION = "deletionVectors", {"delta.enableDeletionVectors": "true"}
_IMPLIED_FEATURES = ("appendOnly", "invariants")  # features of the protocol's version that tables begin with
_CHECKPOINT_INTERVAL = 100  # versions after which one file tells what the entries before it said
COMPACTION = "OPTIMIZE"  # the operation of a version that says nothing new
_STAGING_FOLDER = "_staged"  # folder of what is written beside the table; Delta passes over names that begin so


def table_uri(folder: Path) -> str:
    """The table's address; a plain path with a blank or a % in it would be taken for an encoded one."""
    return folder.absolute().as_uri()


def commit_facts(folder: Path, version: int) -> dict[str, str]:
    """What the writer of a version noted at its commit; nothing, where its entry has gone."""
    try:
        commit_infos = [
            action["commitInfo"] for action in _read_actions(_entry_path(folder, version)) if "commitInfo" in action
        ]
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise DamageError(f"{_entry_path(folder, version)} is cut or damaged: {error}.", VERIFY_ADVICE) from error
    if not commit_infos:
        raise DamageError(f"{_entry_path(folder, version)} is cut: it does not say what it is.", VERIFY_ADVICE)
    return {name: value for name, value in commit_infos[0].items() if isinstance(value, str)}


def deleted_rows(folder: Path, facts: Mapping[str, str]) -> dict[str, RowIndices]:
    """The rows of each file that no longer count in the version that noted these facts."""
    return {str(folder.absolute() / path): _decode_rows(vector) for path, vector in _deletion_vectors(facts).items()}


def _deletion_vectors(facts: Mapping[str, str]) -> dict[str, bytes]:
    """The vectors of the version that noted these facts, by file."""
    return {path: base64.b64decode(vector) for path, vector in json.loads(facts.get(_DELETED_ROWS_KEY, "{}")).items()}


def append_version(
    folder: Path,
    readers: Iterable[pa.RecordBatchReader],
    column: str,
    properties: WriterProperties,
    facts: Mapping[str, str],
    replaced_files: Sequence[str] = (),
) -> int:
    """Write rows as the next version of a table that is parted by a column; returns its number. Whoever calls is the
    table's only writer.

    `readers`: the rows, one lot behind the other; the writer holds every part of a lot open, so lots bound its memory.
    `replaced_files`: files of the version before in whose place the rows come, saying the same. The rows are written beside
    the table, and are on disk before an entry names them; what a kill or a full disk leaves, `remove_leftovers` takes away.
    """
    remove_leftovers(folder)
    table = DeltaTable(table_uri(folder)) if DeltaTable.is_deltatable(table_uri(folder)) else None
    version = table.version() + 1 if table else 0
    staging_folder = folder / _STAGING_FOLDER / str(version)
    try:
        for rows in readers:
            write_deltalake(
                table_uri(staging_folder),
                rows,
                mode="append",
                partition_by=[column],
                writer_properties=properties,
                commit_properties=CommitProperties(custom_metadata=dict(facts)),
            )
        # from which `remove_leftovers` would know what was brought in
        disk.sync_to_disk(*_entries(staging_folder))
        actions = _staged_actions(staging_folder)
        if table and _column_types(table.schema().to_json()) != _column_types(_schema_json(actions)):
            raise AssertionError(f"{folder} holds other columns than what comes to it")
        _move_files(folder, staging_folder, [action["add"]["path"] for action in actions if "add" in action])
        if table:  # which has a protocol and a schema
            actions = [action for action in actions if action.keys() & {"commitInfo", "add"}]
            actions += _remove_actions(table, actions, replaced_files)
        _write_entry(folder, version, actions)
    finally:
        remove_leftovers(folder)
    if version % _CHECKPOINT_INTERVAL == 0 and table:
        DeltaTable(table_uri(folder)).create_checkpoint()
    return version


def _staged_actions(staging_folder: Path) -> list[dict[str, Any]]:
    """What the lots beside the table did, as one: the first says what the table is, and each what it added."""
    first_lot, *later_lots = map(_read_actions, _entries(staging_folder))
    metrics = [_commit_info(lot)["operationMetrics"] for lot in (first_lot, *later_lots)]
    metrics[0]["num_added_rows"] = sum(int(lot_metrics["num_added_rows"]) for lot_metrics in metrics)
    return [*first_lot, *(action for lot in later_lots for action in lot if "add" in action)]


def _commit_info(actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What an entry's writer noted."""
    for action in actions:
        if "commitInfo" in action:
            info: dict[str, Any] = action["commitInfo"]
            return info
    raise ValueError("the entry is cut: it does not say what it is")


def _schema_json(actions: Sequence[Mapping[str, Any]]) -> str:
    """The columns of a table, as its first entry says them."""
    return next(str(action["metaData"]["schemaString"]) for action in actions if "metaData" in action)


def _column_types(schema: str) -> dict[str, Any]:
    """Name -> type."""
    return {column["name"]: column["type"] for column in json.loads(schema)["fields"]}


def _move_files(folder: Path, staging_folder: Path, paths: Sequence[str]) -> None:
    """Bring files that were written beside a table into its folders; they, and their names, are on disk."""
    for path in paths:
        disk.sync_to_disk(staging_folder / path)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (staging_folder / path).replace(folder / path)
    disk.sync_to_disk(*{(folder / path).parent for path in paths}, folder)


def _remove_actions(
    table: DeltaTable, actions: Sequence[dict[str, Any]], replaced_files: Sequence[str]
) -> list[dict[str, Any]]:
    """What takes files out of a version, where the ones that come say the same."""
    if not replaced_files:
        return []
    for action in actions:
        if "add" in action:
            action["add"]["dataChange"] = False
        else:
            action["commitInfo"]["operation"] = COMPACTION
    previous_actions = {action["path"]: action for action in pa.table(table.get_add_actions()).to_pylist()}
    removal = {"deletionTimestamp": int(time.time() * 1000), "extendedFileMetadata": True, "dataChange": False}
    return [{"remove": _file_entry(previous_actions[path], None) | removal} for path in replaced_files]


def remove_leftovers(folder: Path) -> None:
    """Take away what a writer that was killed, or had no room, left in a table's folder. Whoever calls is its only writer."""
    for staging_folder in (folder / _STAGING_FOLDER).glob("*"):
        if not is_committed(folder, int(staging_folder.name)):  # it was never committed
            for path in _staged_files(staging_folder):
                (folder / path).unlink(missing_ok=True)
                with suppress(OSError):  # others' rows are in it
                    (folder / path).parent.rmdir()
        shutil.rmtree(staging_folder)
    with suppress(OSError):
        (folder / _STAGING_FOLDER).rmdir()
    for draft in (*(folder / "_delta_log").glob("*#*"), *(folder / "_delta_log").glob("*.tmp")):
        draft.unlink(missing_ok=True)


def _staged_files(staging_folder: Path) -> list[str]:
    """The files of a table beside the table, if it came to be one; only then were any of them brought in."""
    with suppress(FileNotFoundError, ValueError):  # it was not, or a loss of power cut it short
        return [action["add"]["path"] for action in _staged_actions(staging_folder) if "add" in action]
    return []


def _entries(folder: Path) -> list[Path]:
    """The entries of a table's versions, oldest first."""
    return sorted((folder / "_delta_log").glob("*.json"))


def _read_actions(entry: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in entry.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class PreviousVersion:
    """A table as it was before a version is written."""

    folder: Path
    table: DeltaTable | None  # None: there is none yet
    files: Mapping[str, Mapping[str, Any]]  # what it lists of each of its files, by the table's own path

    @property
    def version(self) -> int:
        """Its number; -1: none."""
        return int(self.table.version()) if self.table else -1


def open_table(folder: Path) -> PreviousVersion:
    """The table in a folder, if there is one."""
    if not DeltaTable.is_deltatable(table_uri(folder)):
        return PreviousVersion(folder, None, {})
    table = DeltaTable(table_uri(folder))
    return PreviousVersion(
        folder, table, {action["path"]: action for action in pa.table(table.get_add_actions()).to_pylist()}
    )


@dataclass(frozen=True)
class VersionChange:
    """What a version changes. Paths are the table's own."""

    add_actions: Sequence[AddAction]
    removed_files: Collection[str]  # files of the version before that this one has no more
    deleted_rows: Mapping[str, RowIndices]  # of others, all rows that no longer count
    schema: Schema | None  # of its columns, where they may be others
    column: str  # by which the table is parted


def commit(previous: PreviousVersion, change: VersionChange, facts: Mapping[str, str]) -> None:
    """Write the version after this one, which notes these facts; whoever calls is the table's only writer."""
    folder, table = previous.folder, previous.table
    remove_leftovers(folder)
    previous_vectors = _deletion_vectors(commit_facts(folder, previous.version))
    vectors = {
        path: vector
        for path, rows in change.deleted_rows.items()
        if (vector := _encode_rows(rows)) != previous_vectors.get(path)
    }
    now = int(time.time() * 1000)
    actions = _metadata_actions(table, change, now) if change.schema else []
    if table and vectors:
        actions += _feature_actions(table, now)
    for path in sorted({*change.removed_files, *vectors}):
        file_entry = _file_entry(previous.files[path], previous_vectors.get(path))
        actions.append({"remove": file_entry | {"deletionTimestamp": now, "extendedFileMetadata": True}})
    for path, vector in vectors.items():
        stats = json.dumps({"numRecords": previous.files[path]["num_records"], "tightBounds": False})
        file_details = {"modificationTime": previous.files[path]["modification_time"], "stats": stats}
        actions.append({"add": _file_entry(previous.files[path], vector) | file_details})
    actions += [{"add": _add_entry(action)} for action in change.add_actions]
    encoded_vectors = {
        path: base64.b64encode(data).decode()
        for path, data in (previous_vectors | vectors).items()
        if path not in change.removed_files
    }
    commit_info = {
        "timestamp": now,
        "operation": "UPDATE",
        **facts,
        **({_DELETED_ROWS_KEY: json.dumps(encoded_vectors)} if encoded_vectors else {}),
    }
    version = previous.version + 1
    _make_lasting(folder, [action.path for action in change.add_actions])
    _write_entry(folder, version, [{"commitInfo": commit_info}, *actions])
    if version and version % _CHECKPOINT_INTERVAL == 0:
        table = DeltaTable(table_uri(folder))
        table.create_checkpoint()
        table.cleanup_metadata()


def _metadata_actions(table: DeltaTable | None, change: VersionChange, now: int) -> list[dict[str, Any]]:
    """What a table says of itself before its files, as far as it does not say so."""
    assert change.schema is not None
    if table is None:
        metadata = _metadata_action(uuid.uuid4(), change.schema, [change.column], {}, now)
        return [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}, metadata]
    if not change.schema.fields or change.schema.to_json() == table.schema().to_json():
        return []
    current_metadata = table.metadata()
    return [
        _metadata_action(
            current_metadata.id,
            change.schema,
            current_metadata.partition_columns,
            current_metadata.configuration,
            current_metadata.created_time or now,
        )
    ]


def _metadata_action(
    id_: object, schema: Schema, columns: Sequence[str], configuration: Mapping[str, str], created_time: int
) -> dict[str, Any]:
    """What a table says of itself."""
    metadata = {
        "id": str(id_),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.to_json(),
        "partitionColumns": list(columns),
        "configuration": dict(configuration),
        "createdTime": created_time,
    }
    return {"metaData": metadata}


def _make_lasting(folder: Path, paths: Sequence[str]) -> None:
    """A version that outlives a loss of power names no file that does not."""
    files = [folder / path for path in paths]
    disk.sync_to_disk(*files, *{file.parent for file in files}, *({folder} if files else ()))


def _feature_actions(table: DeltaTable, now: int) -> list[dict[str, Any]]:
    """What says that the table may have deletion vectors, as far as it does not say so."""
    actions: list[dict[str, Any]] = []
    protocol, metadata = table.protocol(), table.metadata()
    if _DELETION_VECTORS not in (protocol.reader_features or []):
        features = {
            "readerFeatures": sorted({*(protocol.reader_features or ()), _DELETION_VECTORS}),
            "writerFeatures": sorted({*(protocol.writer_features or _IMPLIED_FEATURES), _DELETION_VECTORS}),
        }
        actions.append({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}})
    if not _FEATURE_CONFIGURATION.items() <= metadata.configuration.items():
        configuration = {**metadata.configuration, **_FEATURE_CONFIGURATION}
        actions.append(
            _metadata_action(
                metadata.id, table.schema(), metadata.partition_columns, configuration, metadata.created_time or now
            )
        )
    return actions


def _file_entry(action: Mapping[str, Any], vector: bytes | None) -> dict[str, Any]:
    """What names a file of the version before, with the rows that are struck out of it."""
    partition_values = {name: str(value) for name, value in action["partition"].items()}
    file_entry = {
        "path": action["path"],
        "partitionValues": partition_values,
        "size": action["size_bytes"],
        "dataChange": True,
    }
    return file_entry | ({"deletionVector": _vector_descriptor(vector)} if vector else {})


def _add_entry(action: AddAction) -> dict[str, Any]:
    """A file that was written."""
    return {
        "path": action.path,
        "partitionValues": dict(action.partition_values),
        "size": action.size,
        "modificationTime": action.modification_time,
        "dataChange": action.data_change,
        "stats": action.stats,
    }


def is_committed(folder: Path, version: int) -> bool:
    """A version was committed."""
    return _entry_path(folder, version).exists()


def _entry_path(folder: Path, version: int) -> Path:
    """Where a version's entry stands."""
    return folder / "_delta_log" / f"{version:020d}.json"


def _write_entry(folder: Path, version: int, actions: Sequence[Mapping[str, Any]]) -> None:
    """Write a version's entry, whole or not at all."""
    target = _entry_path(folder, version)
    target.parent.mkdir(parents=True, exist_ok=True)
    with disk.rewrite_file(target, target.with_name("_commit_next.json.tmp")) as entry:
        entry.writelines(json.dumps(action) + "\n" for action in actions)
    if version == 0:
        disk.sync_to_disk(folder, folder.parent)


def _encode_rows(rows: RowIndices) -> bytes:
    """Rows that are struck out."""
    vector: bytes = _MAGIC + BitMap64(rows.astype(np.uint64)).serialize()
    return vector


def _decode_rows(vector: bytes) -> RowIndices:
    """The rows of a vector."""
    return np.array(BitMap64.deserialize(vector[len(_MAGIC) :]).to_array(), dtype=np.int64)


def _vector_descriptor(vector: bytes) -> dict[str, Any]:
    """The descriptor of a vector that stands in the log itself."""
    encoded_text = base64.b85encode(vector + bytes(-len(vector) % 4)).translate(bytes.maketrans(_B85, _Z85))
    cardinality = len(BitMap64.deserialize(vector[len(_MAGIC) :]))
    return {
        "storageType": "i",
        "pathOrInlineDv": encoded_text.decode(),
        "sizeInBytes": len(vector),
        "cardinality": cardinality,
    }

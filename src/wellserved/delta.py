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
from collections.abc import Collection, Mapping, Sequence
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
from wellserved.damage import READ_ALL
from wellserved.errors import DamageError

Rows = npt.NDArray[np.int64]  # places of rows in a file, from 0, in order
NONE: Rows = np.array([], dtype=np.int64)
_MAGIC = struct.pack("<i", 1681511377)
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"  # as Python has it
_STRUCK = "struck"  # noted with the version once more: the library does not give the vectors' descriptors back
_FEATURE, _ALLOWED = "deletionVectors", {"delta.enableDeletionVectors": "true"}
_IMPLIED = ("appendOnly", "invariants")  # features of the protocol's version that tables begin with
_CHECKPOINT = 100  # versions after which one file tells what the entries before it said
COMPACTED = "OPTIMIZE"  # the operation of a version that says nothing new
_STAGED = "_staged"  # folder of what is written beside the table; Delta passes over names that begin so


def address(folder: Path) -> str:
    """The table's address; a plain path with a blank or a % in it would be taken for an encoded one."""
    return folder.absolute().as_uri()


def noted(folder: Path, version: int) -> dict[str, str]:
    """What the writer of a version noted at its commit; nothing, where its entry has gone."""
    try:
        told = [action["commitInfo"] for action in _actions(_named(folder, version)) if "commitInfo" in action]
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise DamageError(f"{_named(folder, version)} is cut or damaged: {error}.", READ_ALL) from error
    if not told:
        raise DamageError(f"{_named(folder, version)} is cut: it does not say what it is.", READ_ALL)
    return {name: value for name, value in told[0].items() if isinstance(value, str)}


def struck(folder: Path, facts: Mapping[str, str]) -> dict[str, Rows]:
    """The rows of each file that no longer count in the version that noted these facts."""
    return {str(folder.absolute() / path): _rows(vector) for path, vector in _held(facts).items()}


def _held(facts: Mapping[str, str]) -> dict[str, bytes]:
    """The vectors of the version that noted these facts, by file."""
    return {path: base64.b64decode(vector) for path, vector in json.loads(facts.get(_STRUCK, "{}")).items()}


def extend(
    folder: Path,
    rows: pa.RecordBatchReader,
    column: str,
    properties: WriterProperties,
    facts: Mapping[str, str],
    instead: Sequence[str] = (),
) -> int:
    """Write rows as the next version of a table that is parted by a column; returns its number. Whoever calls is the
    table's only writer.

    `instead`: files of the version before in whose place the rows come, saying the same. The rows are written beside
    the table, and are on disk before an entry names them; what a kill or a full disk leaves, `tidy` takes away.
    """
    tidy(folder)
    table = DeltaTable(address(folder)) if DeltaTable.is_deltatable(address(folder)) else None
    version = table.version() + 1 if table else 0
    staged = folder / _STAGED / str(version)
    try:
        about = CommitProperties(custom_metadata=dict(facts))
        write_deltalake(
            address(staged), rows, partition_by=[column], writer_properties=properties, commit_properties=about
        )
        disk.make_lasting(_named(staged, 0))  # from which `tidy` would know what was brought in
        actions = _actions(_named(staged, 0))
        if table and _columns(table.schema().to_json()) != _columns(_schema(actions)):
            raise AssertionError(f"{folder} holds other columns than what comes to it")
        _adopt(folder, staged, [action["add"]["path"] for action in actions if "add" in action])
        if table:  # which has a protocol and a schema
            actions = [action for action in actions if action.keys() & {"commitInfo", "add"}]
            actions += _replacing(table, actions, instead)
        _entry(folder, version, actions)
    finally:
        tidy(folder)
    if version % _CHECKPOINT == 0 and table:
        DeltaTable(address(folder)).create_checkpoint()
    return version


def _schema(actions: Sequence[Mapping[str, Any]]) -> str:
    """The columns of a table, as its first entry says them."""
    return next(str(action["metaData"]["schemaString"]) for action in actions if "metaData" in action)


def _columns(schema: str) -> dict[str, Any]:
    """Name -> type."""
    return {column["name"]: column["type"] for column in json.loads(schema)["fields"]}


def _adopt(folder: Path, staged: Path, paths: Sequence[str]) -> None:
    """Bring files that were written beside a table into its folders; they, and their names, are on disk."""
    for path in paths:
        disk.make_lasting(staged / path)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (staged / path).replace(folder / path)
    disk.make_lasting(*{(folder / path).parent for path in paths}, folder)


def _replacing(table: DeltaTable, actions: Sequence[dict[str, Any]], instead: Sequence[str]) -> list[dict[str, Any]]:
    """What takes files out of a version, where the ones that come say the same."""
    if not instead:
        return []
    for action in actions:
        if "add" in action:
            action["add"]["dataChange"] = False
        else:
            action["commitInfo"]["operation"] = COMPACTED
    before = {action["path"]: action for action in pa.table(table.get_add_actions()).to_pylist()}
    told = {"deletionTimestamp": int(time.time() * 1000), "extendedFileMetadata": True, "dataChange": False}
    return [{"remove": _said(before[path], None) | told} for path in instead]


def tidy(folder: Path) -> None:
    """Take away what a writer that was killed, or had no room, left in a table's folder. Whoever calls is its only writer."""
    for staged in (folder / _STAGED).glob("*"):
        if not stands(folder, int(staged.name)):  # it was never committed
            for path in _added(staged):
                (folder / path).unlink(missing_ok=True)
                with suppress(OSError):  # others' rows are in it
                    (folder / path).parent.rmdir()
        shutil.rmtree(staged)
    with suppress(OSError):
        (folder / _STAGED).rmdir()
    for draft in (*(folder / "_delta_log").glob("*#*"), *(folder / "_delta_log").glob("*.tmp")):
        draft.unlink(missing_ok=True)


def _added(staged: Path) -> list[str]:
    """The files of a table beside the table, if it came to be one; only then were any of them brought in."""
    with suppress(FileNotFoundError, ValueError):  # it was not, or a loss of power cut it short
        return [action["add"]["path"] for action in _actions(_named(staged, 0)) if "add" in action]
    return []


def _actions(entry: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in entry.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Before:
    """A table as it was before a version is written."""

    folder: Path
    table: DeltaTable | None  # None: there is none yet
    files: Mapping[str, Mapping[str, Any]]  # what it lists of each of its files, by the table's own path

    @property
    def version(self) -> int:
        """Its number; -1: none."""
        return int(self.table.version()) if self.table else -1


def opened(folder: Path) -> Before:
    """The table in a folder, if there is one."""
    if not DeltaTable.is_deltatable(address(folder)):
        return Before(folder, None, {})
    table = DeltaTable(address(folder))
    return Before(folder, table, {action["path"]: action for action in pa.table(table.get_add_actions()).to_pylist()})


@dataclass(frozen=True)
class Change:
    """What a version changes. Paths are the table's own."""

    added: Sequence[AddAction]
    gone: Collection[str]  # files of the version before that this one has no more
    out: Mapping[str, Rows]  # of others, all rows that no longer count
    schema: Schema | None  # of its columns, where they may be others
    column: str  # by which the table is parted


def commit(before: Before, change: Change, facts: Mapping[str, str]) -> None:
    """Write the version after this one, which notes these facts; whoever calls is the table's only writer."""
    folder, table = before.folder, before.table
    tidy(folder)
    held = _held(noted(folder, before.version))
    vectors = {path: vector for path, rows in change.out.items() if (vector := _vector(rows)) != held.get(path)}
    now = int(time.time() * 1000)
    actions = _begun(table, change, now) if change.schema else []
    if table and vectors:
        actions += _allowing(table, now)
    for path in sorted({*change.gone, *vectors}):
        named = _said(before.files[path], held.get(path))
        actions.append({"remove": named | {"deletionTimestamp": now, "extendedFileMetadata": True}})
    for path, vector in vectors.items():
        stats = json.dumps({"numRecords": before.files[path]["num_records"], "tightBounds": False})
        moment = {"modificationTime": before.files[path]["modification_time"], "stats": stats}
        actions.append({"add": _said(before.files[path], vector) | moment})
    actions += [{"add": _new(each)} for each in change.added]
    kept = {path: base64.b64encode(one).decode() for path, one in (held | vectors).items() if path not in change.gone}
    about = {"timestamp": now, "operation": "UPDATE", **facts, **({_STRUCK: json.dumps(kept)} if kept else {})}
    version = before.version + 1
    _make_lasting(folder, [each.path for each in change.added])
    _entry(folder, version, [{"commitInfo": about}, *actions])
    if version and version % _CHECKPOINT == 0:
        table = DeltaTable(address(folder))
        table.create_checkpoint()
        table.cleanup_metadata()


def _begun(table: DeltaTable | None, change: Change, now: int) -> list[dict[str, Any]]:
    """What a table says of itself before its files, as far as it does not say so."""
    assert change.schema is not None
    if table is None:
        about = _about(uuid.uuid4(), change.schema, [change.column], {}, now)
        return [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}, about]
    if not change.schema.fields or change.schema.to_json() == table.schema().to_json():
        return []
    known = table.metadata()
    return [_about(known.id, change.schema, known.partition_columns, known.configuration, known.created_time or now)]


def _about(
    id_: object, schema: Schema, columns: Sequence[str], configuration: Mapping[str, str], created: int
) -> dict[str, Any]:
    """What a table says of itself."""
    said = {
        "id": str(id_),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.to_json(),
        "partitionColumns": list(columns),
        "configuration": dict(configuration),
        "createdTime": created,
    }
    return {"metaData": said}


def _make_lasting(folder: Path, paths: Sequence[str]) -> None:
    """A version that outlives a loss of power names no file that does not."""
    files = [folder / path for path in paths]
    disk.make_lasting(*files, *{file.parent for file in files}, *({folder} if files else ()))


def _allowing(table: DeltaTable, now: int) -> list[dict[str, Any]]:
    """What says that the table may have deletion vectors, as far as it does not say so."""
    actions: list[dict[str, Any]] = []
    protocol, about = table.protocol(), table.metadata()
    if _FEATURE not in (protocol.reader_features or []):
        features = {
            "readerFeatures": sorted({*(protocol.reader_features or ()), _FEATURE}),
            "writerFeatures": sorted({*(protocol.writer_features or _IMPLIED), _FEATURE}),
        }
        actions.append({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}})
    if not _ALLOWED.items() <= about.configuration.items():
        allowing = {**about.configuration, **_ALLOWED}
        actions.append(_about(about.id, table.schema(), about.partition_columns, allowing, about.created_time or now))
    return actions


def _said(action: Mapping[str, Any], vector: bytes | None) -> dict[str, Any]:
    """What names a file of the version before, with the rows that are struck out of it."""
    parts = {name: str(value) for name, value in action["partition"].items()}
    named = {"path": action["path"], "partitionValues": parts, "size": action["size_bytes"], "dataChange": True}
    return named | ({"deletionVector": _described(vector)} if vector else {})


def _new(action: AddAction) -> dict[str, Any]:
    """A file that was written."""
    return {
        "path": action.path,
        "partitionValues": dict(action.partition_values),
        "size": action.size,
        "modificationTime": action.modification_time,
        "dataChange": action.data_change,
        "stats": action.stats,
    }


def stands(folder: Path, version: int) -> bool:
    """A version was committed."""
    return _named(folder, version).exists()


def _named(folder: Path, version: int) -> Path:
    """Where a version's entry stands."""
    return folder / "_delta_log" / f"{version:020d}.json"


def _entry(folder: Path, version: int, actions: Sequence[Mapping[str, Any]]) -> None:
    """Write a version's entry, whole or not at all."""
    target = _named(folder, version)
    target.parent.mkdir(parents=True, exist_ok=True)
    with disk.rewrite(target, target.with_name("_commit_next.json.tmp")) as entry:
        entry.writelines(json.dumps(action) + "\n" for action in actions)
    if version == 0:
        disk.make_lasting(folder, folder.parent)


def _vector(rows: Rows) -> bytes:
    """Rows that are struck out."""
    vector: bytes = _MAGIC + BitMap64(rows.astype(np.uint64)).serialize()
    return vector


def _rows(vector: bytes) -> Rows:
    """The rows of a vector."""
    return np.array(BitMap64.deserialize(vector[len(_MAGIC) :]).to_array(), dtype=np.int64)


def _described(vector: bytes) -> dict[str, Any]:
    """The descriptor of a vector that stands in the log itself."""
    words = base64.b85encode(vector + bytes(-len(vector) % 4)).translate(bytes.maketrans(_B85, _Z85))
    many = len(BitMap64.deserialize(vector[len(_MAGIC) :]))
    return {"storageType": "i", "pathOrInlineDv": words.decode(), "sizeInBytes": len(vector), "cardinality": many}

"""A version of a Delta table beside the one before: files come, files go, and from others rows are struck out.

The library reads such versions and writes the others; a row that is struck out saves writing the whole file again.
Source: the Delta transaction log protocol, "Deletion Vectors" and "Deletion Vector Format" (storage type i).
"""

from __future__ import annotations

import base64
import json
import os
import struct
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from deltalake import DeltaTable
from deltalake.transaction import AddAction
from pyroaring import BitMap64

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


def address(folder: Path) -> str:
    """The table's address; a plain path with a blank or a % in it would be taken for an encoded one."""
    return folder.absolute().as_uri()


def noted(folder: Path, version: int) -> dict[str, str]:
    """What the writer of a version noted at its commit; nothing, where its entry has gone."""
    try:
        entry = _named(folder, version).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        told = [action["commitInfo"] for action in map(json.loads, entry.splitlines()) if "commitInfo" in action]
        return {name: value for name, value in told[0].items() if isinstance(value, str)}
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise DamageError(f"{_named(folder, version)} is cut or damaged: {error}.", READ_ALL) from error


def struck(folder: Path, facts: Mapping[str, str]) -> dict[str, Rows]:
    """The rows of each file that no longer count in the version that noted these facts."""
    return {str(folder.absolute() / path): _rows(vector) for path, vector in _held(facts).items()}


def _held(facts: Mapping[str, str]) -> dict[str, bytes]:
    """The vectors of the version that noted these facts, by file."""
    return {path: base64.b64decode(vector) for path, vector in json.loads(facts.get(_STRUCK, "{}")).items()}


def commit(
    folder: Path,
    table: DeltaTable,
    before: Mapping[str, Mapping[str, Any]],
    added: Sequence[AddAction],
    gone: Collection[str],
    out: Mapping[str, Rows],
    facts: Mapping[str, str],
) -> None:
    """Write the version after this one of the table in the folder; whoever calls is its only writer.

    `before`: what the table lists of each of its files. `gone`: files of the version before that this one has no more. `out`: all rows of a file that no longer count.
    Paths are the table's own.
    """
    held = _held(noted(folder, table.version()))
    vectors = {path: vector for path, rows in out.items() if (vector := _vector(rows)) != held.get(path)}
    now = int(time.time() * 1000)
    actions = _allowing(table, now) if vectors else []
    for path in sorted({*gone, *vectors}):
        named = _said(before[path], held.get(path))
        actions.append({"remove": named | {"deletionTimestamp": now, "extendedFileMetadata": True}})
    for path, vector in vectors.items():
        stats = json.dumps({"numRecords": before[path]["num_records"], "tightBounds": False})
        moment = {"modificationTime": before[path]["modification_time"], "stats": stats}
        actions.append({"add": _said(before[path], vector) | moment})
    actions += [{"add": _new(each)} for each in added]
    kept = {path: base64.b64encode(vector).decode() for path, vector in (held | vectors).items() if path not in gone}
    about = {"timestamp": now, "operation": "UPDATE", **facts, **({_STRUCK: json.dumps(kept)} if kept else {})}
    version = table.version() + 1
    for each in added:
        _make_lasting(folder / each.path)
    _entry(folder, version, [{"commitInfo": about}, *actions])
    if version % _CHECKPOINT == 0:
        table = DeltaTable(address(folder))
        table.create_checkpoint()
        table.cleanup_metadata()


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
        said = {
            "id": str(about.id),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": table.schema().to_json(),
            "partitionColumns": about.partition_columns,
            "configuration": {**about.configuration, **_ALLOWED},
            "createdTime": about.created_time or now,
        }
        actions.append({"metaData": said})
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


def _named(folder: Path, version: int) -> Path:
    """Where a version's entry stands."""
    return folder / "_delta_log" / f"{version:020d}.json"


def _entry(folder: Path, version: int, actions: Sequence[Mapping[str, Any]]) -> None:
    """Write a version's entry, whole or not at all."""
    draft = folder / "_delta_log" / "_commit_next.json.tmp"
    with draft.open("w", encoding="utf-8", newline="\n") as entry:
        entry.writelines(json.dumps(action) + "\n" for action in actions)
        entry.flush()
        os.fsync(entry.fileno())
    draft.replace(_named(folder, version))


def _make_lasting(file: Path) -> None:
    """A version that outlives a loss of power names no file that does not."""
    with file.open("ab") as written:  # some systems write out only what is open for writing
        os.fsync(written.fileno())


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

"""Each library's own words for a disk that takes no more come to one error; what is no fault of the disk stays what it is."""

from __future__ import annotations

import errno
import pickle
import sqlite3
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError

from wellserved import disk
from wellserved.errors import DiskFullError, RequestError, SourceError, StorageError

HERE = Path("/srv/service")


def said(error: Exception) -> StorageError:
    found = disk.as_storage_error(error, HERE)
    assert found is not None, error
    return found


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, DiskFullError, "The disk is full: nothing more can be written to /srv/service ("),
        (errno.EDQUOT, DiskFullError, "Your share of the disk is used up"),
        (errno.EFBIG, DiskFullError, "larger than this system allows"),
        (errno.EIO, StorageError, "The disk failed at /srv/service (input/output error)."),
        (errno.EROFS, StorageError, "/srv/service is read-only"),
        (errno.EACCES, StorageError, "This user may not write to /srv/service."),
    ],
)
def test_the_operating_systems_numbers(number: int, kind: type[StorageError], words: str) -> None:
    told = said(OSError(number, "", "/srv/service/log/_delta_log/00000000000000000007.json"))
    assert type(told) is kind
    assert words in told.problem
    assert told.exit_code == 3
    assert type(pickle.loads(pickle.dumps(told))) is kind
    assert said(OSError(number, "", "/mnt/stick/x.zip")).problem.replace("/mnt/stick/x.zip", "").strip()


def test_sqlite_says_it_in_codes(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "a.sqlite3")
    db.execute("CREATE TABLE t (x)")
    db.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as full:
        db.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert isinstance(said(full.value), DiskFullError)
    db.execute("PRAGMA query_only = 1")
    with pytest.raises(sqlite3.OperationalError) as closed:
        db.execute("INSERT INTO t VALUES (1)")
    assert "is read-only" in said(closed.value).problem
    with pytest.raises(sqlite3.OperationalError) as wrong:
        db.execute("SELECT y FROM t")
    assert disk.as_storage_error(wrong.value, HERE) is None
    db.close()


def test_arrow_duckdb_and_delta_say_it_in_words(tmp_path: Path) -> None:
    assert isinstance(
        said(OSError("Error writing bytes to file. Detail: [errno 28] No space left on device")), DiskFullError
    )
    assert isinstance(said(pa.ArrowException("Detail: [errno 28] No space left on device")), DiskFullError)
    for words in (
        'Could not write file "/srv/service/tmp/x": No space left on device',
        "limit by max_temp_directory_size",
    ):
        assert isinstance(said(duckdb.IOException(f"IO Error: {words}")), DiskFullError)
    assert disk.as_storage_error(duckdb.IOException("IO Error: No files found that match the pattern"), HERE) is None
    assert isinstance(said(DeltaError("Generic LocalFileSystem error: ... (os error 28)")), DiskFullError)
    (tmp_path / "log").write_text("a file where a folder has to be", encoding="utf-8")
    with pytest.raises(Exception, match=r"os error|directory") as other:
        write_deltalake((tmp_path / "log" / "x").as_uri(), pa.table({"x": [1]}))
    assert disk.as_storage_error(other.value, HERE) is None


def test_what_is_the_files_own_fault_stays_so() -> None:
    unreadable = SourceError("a.csv cannot be read: Permission denied.", "Check who may read it.")
    unreadable.__cause__ = PermissionError(errno.EACCES, "Permission denied")
    for error in (
        unreadable,
        RequestError("no", "yes"),
        ValueError("No space left on device"),
        FileNotFoundError(2, ""),
    ):
        assert disk.as_storage_error(error, HERE) is None


def test_what_a_library_wraps_is_seen() -> None:
    wrapped = ValueError("Can't close the ZIP file while there is an open writing handle on it.")
    wrapped.__context__ = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StorageError) as told, disk.explain_errors(HERE):
        raise wrapped
    assert "The disk is full" in told.value.problem


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    target, draft = tmp_path / "settings", tmp_path / "draft"
    with disk.rewrite_file(target, draft) as file:
        file.write("first")
    with pytest.raises(TypeError), disk.rewrite_file(target, draft) as file:
        file.writelines(["second", 3])  # type: ignore[list-item]
    assert target.read_text(encoding="utf-8") == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["settings"]
    assert target.stat().st_mode & 0o777 == 0o600

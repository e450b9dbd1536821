"""Files of the log, the cases and the receipts, damaged in every way: named rightly by `check` and `verify`, and met by ordinary
commands with the right answer or with a sentence that says what to do."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import NOW
from tests.released.make import TICKETS
from wellserved.actions.imports import import_file
from wellserved.cli import main
from wellserved.damage import as_damage_error
from wellserved.mapping import parse_mapping
from wellserved.progress import no_progress
from wellserved.storage import digests, integrity, log
from wellserved.storage.workspace import Workspace, create_workspace

ENTRY = "_delta_log/{:020d}.json"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two imports, 400 cases in two months, one version of the log each."""
    folder = tmp_path_factory.mktemp("sound")
    made = create_workspace(folder / "home", "UTC")
    for part in (0, 1):
        rows = [
            f"{part}-{number},2026-{9 + number % 2:02d}-{number % 28 + 1:02d} 09:00,,2026-11-{number % 20 + 1:02d} 1{number % 7}:00,"
            f"{'AB'[number % 2]},words {number * 7919 % 1000}"
            for number in range(200)
        ]
        file = folder / f"{part}.csv"
        file.write_text("\n".join(["id,opened,due,closed,team,words", *rows, ""]))
        import_file(made, file, parse_mapping(TICKETS, "tickets"), now=NOW)
    return made


def parquet(folder: Path) -> Path:
    """The largest file that the table's last version lists."""
    return max(map(Path, log.snapshot(folder).files), key=lambda file: file.stat().st_size)


def flip(file: Path) -> None:
    """One bit, in the middle of the data."""
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)


def garble(file: Path) -> None:
    """A stretch in the middle of the data."""
    content = bytearray(file.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 64] = b"\xff" * 64
    file.write_bytes(content)


def cut(file: Path) -> None:
    """Half of it is gone."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    """All of it is gone but the name."""
    file.write_bytes(b"")


def gone(file: Path) -> None:
    """All of it is gone."""
    file.unlink()


def scribble(file: Path) -> None:
    """Something else stands there."""
    file.write_bytes(b"{{{ no such thing \0")


RESTORE = "wellserved restore"
FOLD = "folds them anew"
KINDS: dict[str, tuple[Callable[[Workspace], object], tuple[str, ...], bool | None]] = {
    # what is done, what `check` says of it, whether a measure can be told all the same (None: by the columns it asks for)
    "a flipped bit in the log": (lambda w: flip(parquet(w.log)), ("log/month=", "digest differs", RESTORE), True),
    "a garbled file of the log": (lambda w: garble(parquet(w.log)), ("log/month=", "digest differs", RESTORE), True),
    "a cut file of the log": (lambda w: cut(parquet(w.log)), ("log/month=", "bytes", "were written", RESTORE), True),
    "a file of the log that is gone": (lambda w: gone(parquet(w.log)), ("log/month=", "is gone, with", RESTORE), True),
    "a garbled file of the cases": (lambda w: garble(parquet(w.cases)), ("cases/asked_month=", "digest differs", FOLD), None),
    "a cut file of the cases": (lambda w: cut(parquet(w.cases)), ("cases/asked_month=", "were written", FOLD), False),
    "a file of the cases that is gone": (lambda w: gone(parquet(w.cases)), ("cases/asked_month=", "is gone", FOLD), False),
    "a cut entry of the log": (lambda w: cut(w.log / ENTRY.format(1)), ("entry of version 1", "is damaged", RESTORE), False),
    "an empty entry of the log": (lambda w: empty(w.log / ENTRY.format(1)), ("entry of version 1", "is empty", RESTORE), False),
    "the last entry of the log is gone": (lambda w: gone(w.log / ENTRY.format(1)), ("ends at version 0, and version 1", RESTORE), False),
    "the first entry of the log is gone": (lambda w: gone(w.log / ENTRY.format(0)), ("no entry of version 0", RESTORE), False),
    "all entries of the log are gone": (lambda w: shutil.rmtree(w.log / "_delta_log"), ("The log is empty, and version 1", RESTORE), False),
    "a cut entry of the cases": (lambda w: cut(w.cases / ENTRY.format(1)), ("entry of version 1 (cases/", FOLD), False),
    "a note of the last checkpoint that is none": (
        lambda w: scribble(w.log / "_delta_log/_last_checkpoint"), ("_last_checkpoint is damaged", "take this one file away"), True,
    ),
    "a note of a checkpoint that is not there": (
        lambda w: (w.log / "_delta_log/_last_checkpoint").write_text('{"version": 1, "size": 3}'), ("no checkpoint 1",), False,
    ),
    "a cut receipt": (lambda w: cut(next(w.imports.glob("*/receipt.json"))), ("receipt", "is damaged", "Import its file again"), False),
    "a receipt of more than there is": (
        lambda w: raise_receipt(w), ("brought 401 moments", "names 400", RESTORE), True,
    ),
}  # fmt: skip


def raise_receipt(workspace: Workspace) -> None:
    """As if one moment of the import had vanished."""
    file = next(workspace.imports.glob("*/receipt.json"))
    said = json.loads(file.read_text())
    assert said["moments_new"] == 400  # asked and resolved, of 200 rows
    file.write_text(json.dumps(said | {"moments_new": 401}))


def wrong(workspace: Workspace, thorough: bool) -> str:
    """All that is wrong with the files."""
    found = [
        *integrity.log_findings(workspace, thorough, no_progress),
        *integrity.receipt_findings(workspace),
        *integrity.case_findings(workspace, thorough, no_progress),
    ]
    return "\n".join(map(str, found))


def said(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, str]:
    """A command's exit code and all that it said."""
    capsys.readouterr()
    before, code = sys.argv, 0
    sys.argv = ["wellserved", *words, "--home", str(home)]
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before
    out, err = capsys.readouterr()
    return code, out + err


def test_nothing_is_wrong_with_what_is_sound(sound: Workspace) -> None:
    assert wrong(sound, False) == wrong(sound, True) == ""
    assert len(digests.recorded_digests(sound.log)) == len(log.snapshot(sound.log).files) + 2  # and both entries
    assert set(map(Path, log.snapshot(sound.cases).files)) <= {
        sound.cases.absolute() / one for one in digests.recorded_digests(sound.cases)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_damage_is_named_and_met(
    kind: str, sound: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(shutil.copytree(sound.folder, tmp_path / "home"), "UTC")
    right = said(capsys, workspace.folder, "measure", "asked", "time_to_resolution", "-f", "csv")
    damage, expected, told = KINDS[kind]
    damage(workspace)
    for thorough in (False, True):
        found = wrong(workspace, thorough)
        assert not [words for words in expected if words not in found], found
    for words in (("measure", "asked", "time_to_resolution", "-f", "csv"), ("report", "-f", "json")):
        code, answer = said(capsys, workspace.folder, *words)
        assert "Traceback" not in answer
        assert "wellserved failed" not in answer
        if words[0] == "measure" and told:
            assert (code, answer) == right
        elif code:
            assert code in (2, 3)
            assert re.search(r"wellserved verify|Import its file again|wellserved log", answer), answer
        assert code or told is not False, answer


def test_no_flipped_bit_of_a_file_goes_unseen(sound: Workspace, tmp_path: Path) -> None:
    """Wherever it is, in the log and in the cases; a hundred places each."""
    for number, folder in enumerate((sound.log, sound.cases)):
        workspace = Workspace(shutil.copytree(sound.folder, tmp_path / str(number)), "UTC")
        file = workspace.folder / parquet(folder).relative_to(sound.folder.absolute())
        content = file.read_bytes()
        for place in range(0, len(content), len(content) // 100):
            altered = bytearray(content)
            altered[place] ^= 1 << place % 8
            file.write_bytes(altered)
            (one,) = integrity.table_problems(workspace.folder / folder.name, False, no_progress)
            assert file.name in one
        file.write_bytes(content)
        assert integrity.table_problems(workspace.folder / folder.name, True, no_progress) == []


def test_cases_that_are_damaged_are_folded_anew_once_they_are_taken_away(
    sound: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(shutil.copytree(sound.folder, tmp_path / "home"), "UTC")
    right = said(capsys, workspace.folder, "measure", "asked", "-f", "csv")
    garble(parquet(workspace.cases))
    shutil.rmtree(workspace.cases)
    assert said(capsys, workspace.folder, "measure", "asked", "-f", "csv") == right
    assert wrong(workspace, True) == ""


def test_a_cut_receipt_is_written_anew_by_importing_its_file_again(sound: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(shutil.copytree(sound.folder, tmp_path / "home"), "UTC")
    receipt = log.receipts(workspace)[0]
    cut(workspace.imports / receipt.import_id / "receipt.json")
    done = import_file(workspace, sound.folder.parent / receipt.file, parse_mapping(TICKETS, "tickets"), now=NOW)
    assert (done.receipt.import_id, done.receipt.moments_new) == (receipt.import_id, 0)
    assert wrong(workspace, True) == ""


def test_nothing_is_appended_to_a_log_that_lost_its_end(sound: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(shutil.copytree(sound.folder, tmp_path / "home"), "UTC")
    gone(workspace.log / ENTRY.format(1))
    (tmp_path / "new.csv").write_text("id,opened,due,closed,team,words\nnew,2026-11-02 09:00,,,A,x\n")
    with pytest.raises(Exception, match="ends at version 0, and version 1 was written"):
        import_file(workspace, tmp_path / "new.csv", parse_mapping(TICKETS, "tickets"), now=NOW)
    assert not (workspace.log / ENTRY.format(1)).exists()


@pytest.mark.parametrize("left", [3, 4])  # of the digests of three files and the entry of version 0
def test_what_a_kill_left_without_a_digest_gets_one_with_the_next_import(
    left: int, sound: Workspace, tmp_path: Path
) -> None:
    workspace = Workspace(shutil.copytree(sound.folder, tmp_path / "home"), "UTC")
    record = workspace.log / digests.DIGEST_FILE
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:left]))
    (tmp_path / "new.csv").write_text("id,opened,due,closed,team,words\nnew,2026-11-02 09:00,,,A,x\n")
    import_file(workspace, tmp_path / "new.csv", parse_mapping(TICKETS, "tickets"), now=NOW)
    assert len(digests.recorded_digests(workspace.log)) == len(log.snapshot(workspace.log).files) + 3


def test_files_from_before_digests_are_read_and_counted(sound: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(shutil.copytree(sound.folder, tmp_path / "home"), "UTC")
    (workspace.log / digests.DIGEST_FILE).unlink()
    assert wrong(workspace, True) == ""
    garble(parquet(workspace.log))
    assert "cannot be read" in wrong(workspace, True)


def test_a_record_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    digests.record_digests(tmp_path, [tmp_path / "a", tmp_path / "b"])
    record = tmp_path / digests.DIGEST_FILE
    record.write_text(record.read_text()[:-20])
    digests.record_digests(tmp_path, [tmp_path / "c"])
    assert set(digests.recorded_digests(tmp_path)) == {"a", "c"}
    assert (
        digests.recorded_digests(tmp_path)["a"] == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    )  # of "a"
    (tmp_path / "a").unlink()
    digests.record_digests(tmp_path, [], prune=True)
    assert set(digests.recorded_digests(tmp_path)) == {"c"}


def test_a_fault_of_the_program_is_not_called_damage() -> None:
    import duckdb

    assert as_damage_error(ValueError("no")) is None
    assert as_damage_error(FileNotFoundError(2, "No such file", "/tmp/report.html")) is None
    with pytest.raises(duckdb.Error) as wrong_query:
        duckdb.sql("SELECT nothing FROM nowhere")
    assert as_damage_error(wrong_query.value) is None
    cut = as_damage_error(OSError("ZSTD decompression failed: Data corruption detected"))
    assert cut is not None
    assert cut.problem == "The log or the cases cannot be read: ZSTD decompression failed: Data corruption detected."

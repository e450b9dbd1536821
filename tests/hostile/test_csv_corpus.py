from __future__ import annotations

import csv
import gzip
import io
import json
import random
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wellserved.actions.imports import ImportResult, import_file
from wellserved.engine import duckdb as engine
from wellserved.errors import MappingError, SourceError, WellservedError, WorkspaceError
from wellserved.mapping import Mapping, MomentRule
from wellserved.progress import no_progress
from wellserved.record import ROW_NUMBER
from wellserved.sources.careful import CarefulReader
from wellserved.sources.csv_file import DelimitedFile, open_delimited
from wellserved.sources.table import BrokenRow, RawTable
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

SPECTRUM = Path(__file__).parent / "corpora" / "csv-spectrum"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONGEST = 5.0  # CPU seconds that one hostile file may take: a guard against hanging, whatever else the machine does
HEADER = "id,asked,service,category,words\n"
GOOD = "row,2024-01-02,svc,cat,hello\n"
MAPPING = Mapping(
    name="hostile",
    title="Hostile",
    case="id",
    columns={"service": "service", "category": "category"},
    moments=(MomentRule(kind="asked", at="asked", required=True, text="words"),),
)
SHORT_MAPPING = Mapping(
    name="hostile", title="Hostile", case="id", moments=(MomentRule(kind="asked", at="asked", required=True),)
)
Row = list[str]


def lines(many: int, start: int = 1) -> str:
    return "".join(f"{number},2024-01-{number % 28 + 1:02d},svc,cat,hello\n" for number in range(start, start + many))


def dates(values: Sequence[object]) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["id", "asked", "service", "category", "words"])
    writer.writerows([place, value, "svc", "cat", "hello"] for place, value in enumerate(values, start=1))
    return file.getvalue().encode()


def put(folder: Path, content: bytes | str, name: str = "hostile.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@dataclass(frozen=True)
class Outcome:
    workspace: Workspace
    done: ImportResult
    seconds: float

    @property
    def counts(self) -> tuple[int, int, int]:
        one = self.done.receipt
        return one.rows_read, one.rows_loaded, one.rows_refused

    def moments(self, columns: str) -> list[tuple[object, ...]]:
        found = log.snapshot(self.workspace.log)
        if not found.files:
            return []
        db = duckdb.connect()
        db.execute("SET TimeZone = 'UTC'")
        listed = ", ".join(engine.quote_text(file) for file in found.files)
        return db.sql(
            f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = true) ORDER BY source_row"
        ).fetchall()


def bring_in(
    folder: Path, content: bytes | str, mapping: Mapping = MAPPING, name: str = "hostile.csv", within: float = LONGEST
) -> Outcome:
    workspace = create_workspace(folder / "home")
    path = put(folder, content, name)
    begun = time.process_time()
    done = import_file(workspace, path, mapping, NOW)
    seconds = time.process_time() - begun
    assert done.receipt.rows_read == done.receipt.rows_loaded + done.receipt.rows_refused
    assert seconds < within, f"{seconds:.1f} s"
    return Outcome(workspace, done, seconds)


def refused(
    folder: Path,
    content: bytes | str,
    sort: type[WellservedError],
    words: str,
    mapping: Mapping = MAPPING,
    within: float = LONGEST,
) -> WellservedError:
    workspace = create_workspace(folder / "home")
    path = put(folder, content)
    begun = time.process_time()
    with pytest.raises(sort, match=words) as caught:
        import_file(workspace, path, mapping, NOW)
    seconds = time.process_time() - begun
    assert seconds < within, f"{seconds:.1f} s"
    assert caught.value.remedy, "an error says what to do"
    assert len(str(caught.value)) < 2000, "an error is a sentence, not the file"
    assert log.snapshot(workspace.log).version == -1
    return caught.value


def staged(folder: Path, content: bytes | str) -> tuple[RawTable, list[Row]]:
    """The file in `folder`, which is the working folder too, and its rows as the importer stages them."""
    path = put(folder, content)
    looked = open_delimited(path, folder, no_progress)
    db = engine.connect(looked.text.path, scratch=folder)
    raw = looked.stage(db, looked.header, no_progress)
    names = ", ".join(engine.quote_name(column) for column in raw.source.header)
    rows = [list(row) for row in db.sql(f"SELECT {names} FROM raw ORDER BY {ROW_NUMBER}").fetchall()]
    db.close()
    return raw, rows


def carefully(raw: RawTable) -> tuple[list[Row], list[BrokenRow]]:
    assert isinstance(raw.source, DelimitedFile)
    items = list(CarefulReader(raw.source.text.path, raw.source.dialect))
    return (
        [item[1] for item in items if not isinstance(item, BrokenRow)],
        [item for item in items if isinstance(item, BrokenRow)],
    )


# csv-spectrum


@pytest.mark.parametrize("name", sorted(path.stem for path in (SPECTRUM / "csvs").glob("*.csv")))
def test_csv_spectrum_is_read_cell_by_cell_as_its_authors_expect(name: str, tmp_path: Path) -> None:
    raw, rows = staged(tmp_path, (SPECTRUM / "csvs" / f"{name}.csv").read_bytes())
    expected = json.loads((SPECTRUM / "json" / f"{name}.json").read_text(encoding="utf-8"))
    expected = expected if isinstance(expected, list) else [expected]
    if name == "location_coordinates":  # its JSON names another telephone number than its CSV
        expected[0]["Contact Phone Number"] = "2095257564"
    assert list(raw.source.header) == list(expected[0])
    assert rows == [list(row.values()) for row in expected]
    assert raw.broken_rows == ()
    assert carefully(raw) == (rows, [])


def test_csv_spectrum_is_here_in_whole() -> None:
    assert len(list((SPECTRUM / "csvs").glob("*.csv"))) == 12
    assert len(list((SPECTRUM / "json").glob("*.json"))) == 12


# The two readers, one against the other


def test_a_plain_file_outside_the_working_folder_is_read_by_the_fast_parser(tmp_path: Path) -> None:
    outcome = bring_in(tmp_path, HEADER + lines(20))
    assert outcome.counts == (20, 20, 0)
    assert outcome.done.receipt.careful == ""


def test_a_gzipped_file_is_read_by_the_fast_parser(tmp_path: Path) -> None:
    outcome = bring_in(tmp_path, gzip.compress((HEADER + lines(20)).encode()), name="hostile.csv.gz")
    assert outcome.counts == (20, 20, 0)
    assert outcome.done.receipt.careful == ""


PLAIN_CELLS = st.lists(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"])
    | st.sampled_from([",", '"', "\n", "\r\n", "\r", " ", ";", "'", "\t", "|", "\\"])
    | st.sampled_from(["a", "B", "7", "word "]),
    max_size=12,
).map("".join)


def _ambiguous(cell: str, width: int) -> bool:
    """Whole lines inside the cell that could be rows: there, no reader can know."""
    return any(line.count(",") >= width - 1 for line in cell.split("\n")[1:-1])


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    width = draw(st.integers(3, 6))
    cell = PLAIN_CELLS.filter(lambda words: not _ambiguous(words, width))
    rows = draw(st.lists(st.lists(cell, min_size=width - 1, max_size=width - 1), min_size=1, max_size=12))
    return [[f"id-{place}", *row] for place, row in enumerate(rows)]


@settings(derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=tables(), ending=st.sampled_from(["\n", "\r\n"]))
@example(table=[["id-0", "\x01", ""]], ending="\n")
@example(table=[["id-0", "a\n,x", "b"]], ending="\n")
@example(table=[["id-0", "x\ry", ""]], ending="\n")
@example(table=[["id-0", "\x1e\n\x1e", "b\r\nc"]], ending="\r\n")
def test_a_table_written_as_csv_is_read_back_cell_by_cell(table: list[Row], ending: str) -> None:
    file = io.StringIO(newline="")
    # Only with CR LF for a line end does csv.writer quote a carriage return by itself.
    writer = csv.writer(file, lineterminator=ending, quoting=csv.QUOTE_MINIMAL if ending == "\r\n" else csv.QUOTE_ALL)
    writer.writerow([f"column {place}" for place in range(len(table[0]))])
    writer.writerows(table)
    with tempfile.TemporaryDirectory() as folder:
        raw, rows = staged(Path(folder), file.getvalue())
        assert (rows, raw.broken_rows, raw.rows_read) == (table, (), len(table))
        assert carefully(raw) == (table, [])


# Files whose right reading is beyond dispute: name -> (content, rows read, rows loaded)

CASES: dict[str, tuple[bytes | str, int, int]] = {
    "utf-8": (HEADER + lines(3) + "x,2024-01-01,svc,cat,Grüße 日本 🙂\n", 4, 4),
    "utf-8 with a byte order mark": ("\ufeff" + HEADER + lines(3), 3, 3),
    "utf-16 LE with a mark": (("\ufeff" + HEADER + lines(3)).encode("utf-16-le"), 3, 3),
    "utf-16 BE with a mark": (("\ufeff" + HEADER + lines(3)).encode("utf-16-be"), 3, 3),
    "utf-16 LE without a mark": ((HEADER + lines(3)).encode("utf-16-le"), 3, 3),
    "utf-16 BE without a mark": ((HEADER + lines(3)).encode("utf-16-be"), 3, 3),
    "utf-32 with a mark": (("\ufeff" + HEADER + lines(3)).encode("utf-32-le"), 3, 3),
    "windows-1252": ((HEADER + lines(3)).replace("hello", "café – “ok” €").encode("cp1252"), 3, 3),
    "utf-8 and windows-1252 mixed": (
        (HEADER + lines(3)).replace("hello", "café").encode() + "x,2024-01-01,svc,cat,café\n".encode("cp1252"),
        4,
        4,
    ),
    "a byte order mark, then a windows-1252 line": (
        ("\ufeff" + HEADER + lines(3)).encode() + "x,2024-01-01,svc,cat,café\n".encode("cp1252"),
        4,
        4,
    ),
    "semicolons": ((HEADER + lines(5)).replace(",", ";"), 5, 5),
    "tabs": ((HEADER + lines(5)).replace(",", "\t"), 5, 5),
    "pipes": ((HEADER + lines(5)).replace(",", "|"), 5, 5),
    "semicolons with commas in the words": ((HEADER + lines(5)).replace(",", ";").replace("hello", "a, b, c, d"), 5, 5),
    "titles above the header": ("Weekly export\nof the desk, all teams\n" + HEADER + lines(5), 5, 5),
    "titles and blank lines above the header": ("Weekly export\n\n\nfor you\n\n" + HEADER + "\n" + lines(5), 5, 5),
    "a quoted title of two lines": ('"Weekly\nexport"\n' + HEADER + lines(5), 5, 5),
    "a line end inside a quoted column name": (
        HEADER.replace("words", 'words,"two\nlines"') + lines(5).replace("\n", ",x\n"),
        5,
        5,
    ),
    "a carriage return inside a quoted column name": (
        HEADER.replace("words", 'words,"two\rlines"') + lines(5).replace("\n", ",x\n"),
        5,
        5,
    ),
    "blank column names": (HEADER.replace("words", "words,,") + lines(5).replace("\n", ",x,y\n"), 5, 5),
    "repeated column names": (HEADER.replace("words", "words,WORDS,Id") + lines(5).replace("\n", ",x,y\n"), 5, 5),
    "rows that are too short": (HEADER + lines(3) + "1,2\n" + lines(3, 10) + "9\n" + lines(3, 20), 11, 9),
    "rows that are too long": (HEADER + lines(3) + GOOD.strip() + ",x,y\n" + lines(3, 10), 7, 6),
    "a line of blanks": (HEADER + lines(3) + "    \n" + lines(3, 10), 7, 6),
    "a line of commas": (HEADER + lines(3) + ",,,,\n" + lines(3, 10), 7, 6),
    "a trailing comma in every line": ((HEADER + lines(5)).replace("\n", ",\n"), 5, 5),
    "a NUL byte in one row": (HEADER + lines(3) + "x,2024-01-01,svc,cat,a\0b\n" + lines(3, 10), 7, 6),
    "a NUL byte in the last row": (HEADER + lines(3) + "x,2024-01-01,svc,cat,\0", 4, 3),
    "a quote that never closes in the first row": (HEADER + 'x,2024-01-01,svc,cat,"open\n' + lines(50), 51, 50),
    "a quote that never closes, early": (HEADER + lines(3) + 'x,2024-01-01,svc,cat,"open\n' + lines(50, 10), 54, 53),
    "a quote that never closes, late": (HEADER + lines(50) + 'x,2024-01-01,svc,cat,"open\n' + lines(3, 90), 54, 53),
    "a quote that never closes in the last row": (HEADER + lines(50) + 'x,2024-01-01,svc,cat,"open\n', 51, 50),
    "a quote that never closes at the very end": (HEADER + lines(50) + 'x,2024-01-01,svc,cat,"open', 51, 50),
    "two quotes that never close": (
        HEADER
        + lines(9)
        + 'x,2024-01-01,svc,"open,cat\n'
        + lines(9, 20)
        + 'y,2024-01-01,svc,"open,cat\n'
        + lines(9, 40),
        29,
        27,
    ),
    "quotes inside fields": (HEADER + lines(3) + 'x,2024-01-01,a"b"c,5" pipe,say "hi"\n' + lines(3, 10), 7, 7),
    "doubled quotes": (HEADER + lines(3) + 'x,2024-01-01,svc,cat,"say ""hi"" twice"\n' + lines(3, 10), 7, 7),
    "text after a closing quote": (
        HEADER + lines(3) + 'x,2024-01-01,svc,"cat" x,"say "hi" now"\n' + lines(3, 10),
        7,
        7,
    ),
    "CR LF line ends": ((HEADER + lines(5)).replace("\n", "\r\n"), 5, 5),
    "CR line ends": ((HEADER + lines(5)).replace("\n", "\r"), 5, 5),
    "CR line ends, then a LF at the end": ((HEADER + lines(5)).replace("\n", "\r") + "\n", 5, 5),
    "CR LF, then LF line ends": ((HEADER + lines(3)).replace("\n", "\r\n") + lines(3, 10), 6, 6),
    "LF, then CR LF line ends": (HEADER + lines(3) + lines(3, 10).replace("\n", "\r\n"), 6, 6),
    "no line end at the end": ((HEADER + lines(5)).rstrip("\n"), 5, 5),
    "blank lines": ("\n" + HEADER + "\n\n" + lines(3) + "\n" + lines(3, 10) + "\n\n\n", 6, 6),
    "blank CR LF lines": (("\n" + HEADER + "\n" + lines(3) + "\n" + lines(3, 10) + "\n\n").replace("\n", "\r\n"), 6, 6),
    "line ends inside quotes": (HEADER + lines(3) + 'x,2024-01-01,svc,cat,"one\n\ntwo\nthree"\n' + lines(3, 10), 7, 7),
    "CR LF inside quotes": (
        (HEADER + lines(3) + 'x,2024-01-01,svc,cat,"one\n\ntwo"\n' + lines(3, 10)).replace("\n", "\r\n"),
        7,
        7,
    ),
    "a carriage return inside quotes in the first row": (HEADER + 'x,2024-01-01,svc,cat,"one\rtwo"\n' + lines(3), 4, 4),
    "a carriage return inside quotes in a later row": (HEADER + lines(3) + 'x,2024-01-01,svc,cat,"one\rtwo"\n', 4, 4),
    "a line with as many commas inside quotes": (
        HEADER + lines(3) + 'x,2024-01-01,svc,cat,"one,\ntwo, three, four, five, six\nend"\n' + lines(3, 10),
        7,
        7,
    ),
    "an inch mark and a field of two lines in one row": (
        HEADER + lines(3) + 'x,2024-01-01,svc,5" tape,"two\nlines"\n' + lines(3, 10),
        7,
        7,
    ),
    "the same, where the careful reader must read": (
        HEADER + lines(3) + 'x,2024-01-01,svc,5" tape,"two\nlines"\n' + "y,2024-01-01,svc,cat,\0\n" + lines(3, 10),
        8,
        7,
    ),
    "a field of 1 MB": (HEADER + lines(3) + "x,2024-01-01,svc,cat," + "word " * 200_000 + "\n" + lines(3, 10), 7, 7),
    "a quoted field of 1 MB": (
        HEADER + lines(3) + 'x,2024-01-01,svc,cat,"' + "word, " * 200_000 + '"\n' + lines(3, 10),
        7,
        7,
    ),
    "a header and no row": (HEADER, 0, 0),
    "a header without a line end": (HEADER.strip(), 0, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_row_of_a_hostile_file_is_loaded_or_refused(name: str, tmp_path: Path) -> None:
    content, read, loaded = CASES[name]
    outcome = bring_in(tmp_path, content)
    assert outcome.counts == (read, loaded, read - loaded)
    assert sum(outcome.done.receipt.reasons.values()) == read - loaded
    assert (outcome.done.refusals is not None) == (read > loaded)
    assert len(outcome.moments("case_id")) == loaded
    assert len({case for (case,) in outcome.moments("case_id")}) == loaded, "no row stands in for another"


@pytest.mark.parametrize("name", CASES)
def test_the_fast_and_the_careful_reader_give_the_same_cells(name: str, tmp_path: Path) -> None:
    raw, rows = staged(tmp_path, CASES[name][0])
    careful, broken = carefully(raw)
    assert rows == careful
    assert [(one.row, one.reason) for one in raw.broken_rows] == [(one.row, one.reason) for one in broken]
    assert raw.rows_read == len(rows) + len(broken) == CASES[name][1]


@pytest.mark.parametrize(
    "sloppy",
    [
        'x,2024-01-01,svc,"cat" x,"say "hi" now"',
        '"x" y,2024-01-01,svc,cat,"b" c',
        'x,2024-01-01,"a" b,"cat" x,"say "hi""',
    ],
)
def test_a_row_with_two_badly_quoted_fields_is_not_replaced_by_the_row_before_it(sloppy: str, tmp_path: Path) -> None:
    raw, rows = staged(tmp_path, HEADER + lines(3) + sloppy + "\n" + lines(3, 10))
    assert raw.rows_read == 7
    assert [row[0] for row in rows if row[0][0] not in "x"] == ["1", "2", "3", "10", "11", "12"]
    assert len([row for row in rows if row[0][0] == "x"]) + len(raw.broken_rows) == 1


def test_words_in_every_encoding_arrive_as_the_same_words(tmp_path: Path) -> None:
    words = "café – “ok” €"
    content = (HEADER + lines(3)).replace("hello", words)
    found = []
    for place, encoding in enumerate(("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")):
        folder = tmp_path / str(place)
        folder.mkdir()
        found.append({row[-1] for row in staged(folder, content.encode(encoding))[1]})
    assert found == [{words}] * 7


def test_lines_that_are_not_utf8_are_counted(tmp_path: Path) -> None:
    outcome = bring_in(tmp_path, CASES["utf-8 and windows-1252 mixed"][0])
    assert outcome.done.receipt.mended_lines == 1
    assert outcome.moments("text") == [("café",)] * 4


def test_a_byte_order_mark_changes_no_word(tmp_path: Path) -> None:
    content = HEADER + lines(3) + 'x,2024-01-01,svc,cat,"one\r\ntwo"\n'
    assert staged(tmp_path, "\ufeff" + content)[1] == staged(tmp_path, content)[1]


def test_a_byte_order_mark_changes_no_count_where_a_carriage_return_strays(tmp_path: Path) -> None:
    content = HEADER + lines(3) + "x,2024-01-01,svc,cat,one\rtwo\n" + lines(3, 10)
    with_mark, _ = staged(tmp_path, "\ufeff" + content)
    without, _ = staged(tmp_path, content)
    assert with_mark.rows_read == without.rows_read == 7


@pytest.mark.parametrize("order", ["CR first", "LF first"])
def test_mixed_line_ends_lose_no_row_in_silence(order: str, tmp_path: Path) -> None:
    first, then = ("\r", "\n") if order == "CR first" else ("\n", "\r")
    content = (HEADER + lines(3)).replace("\n", first) + lines(3, 10).replace("\n", then)
    if order == "CR first":  # the header itself cannot be told from the rows
        refused(tmp_path, content.encode(), MappingError, "inspect")
        return
    outcome = bring_in(tmp_path, content)
    kept = {str(case) for (case,) in outcome.moments("case_id")}
    told = outcome.done.refusals.read_text(encoding="utf-8") if outcome.done.refusals else ""
    lost = [case for case in ("1", "2", "3", "10", "11", "12") if case not in kept and f"{case},2024-01-" not in told]
    assert lost == [], "rows that are neither loaded nor among the refusals"


def test_words_that_hold_a_whole_row_do_not_forge_one(tmp_path: Path) -> None:
    forged = 'x,2024-01-01,svc,cat,"I pasted:\n99,2024-01-05,svc,cat,forged\nbye"\n'
    outcome = bring_in(tmp_path, HEADER + lines(3) + forged + lines(3, 10))
    assert "99" not in [case for (case,) in outcome.moments("case_id")]


def test_a_street_address_of_two_lines_is_no_swallowed_row(tmp_path: Path) -> None:
    header = "id,asked,place,state,words\n"
    good = "".join(f"{letters},2024-01-02,Main St {letters},open,x\n" for letters in ("a1", "b2c", "3d", "4e5", "f6g7"))
    address = 'q9,2024-01-03,"12 Main St\nd4,2024-01-05",open,x\n'
    damaged = "z,2024-01-04,\0,open,x\n"  # sends the file to the careful reader
    raw, rows = staged(tmp_path, header + good + address + damaged)
    assert ["q9", "2024-01-03", "12 Main St\nd4,2024-01-05", "open", "x"] in rows
    assert raw.rows_read == 7


@pytest.mark.parametrize("shape", ["unquoted", "quoted"])
def test_a_field_of_11_mb_has_one_outcome_with_both_readers(shape: str, tmp_path: Path) -> None:
    mark = '"' if shape == "quoted" else ""
    field = mark + "word " * ((11 << 20) // 5) + mark
    content = HEADER + lines(3) + f"x,2024-01-01,svc,cat,{field}\n" + lines(3, 10)
    outcome = bring_in(tmp_path, content)
    raw, _ = staged(tmp_path, content)
    rows, broken = carefully(raw)
    assert outcome.counts == (7, len(rows), len(broken))


def test_a_quoted_field_of_11_mb_of_short_lines_costs_seconds_not_minutes(tmp_path: Path) -> None:
    content = HEADER + lines(3) + 'x,2024-01-01,svc,cat,"' + "words\n" * ((11 << 20) // 6) + '"\n' + lines(3, 10)
    outcome = bring_in(tmp_path, content)
    assert outcome.done.receipt.rows_loaded in (6, 7)


def test_ten_thousand_columns_are_read(tmp_path: Path) -> None:
    header = ",".join(["id", "asked", *(f"c{place}" for place in range(9_998))]) + "\n"
    row = ",2024-01-02," + ",".join("x" * 9_998) + "\n"
    outcome = bring_in(tmp_path, header + "".join(f"{number}{row}" for number in range(10)), SHORT_MAPPING)
    assert outcome.counts == (10, 10, 0)


def test_ten_thousand_columns_with_a_field_of_two_lines_are_read(tmp_path: Path) -> None:
    header = ",".join(["id", "asked", *(f"c{place}" for place in range(9_998))]) + "\n"
    row = ",2024-01-02," + ",".join("x" * 9_997) + ',"two\nlines"\n'
    outcome = bring_in(tmp_path, header + "".join(f"{number}{row}" for number in range(10)), SHORT_MAPPING)
    assert outcome.counts == (10, 10, 0)


def test_a_file_that_begins_with_ten_thousand_columns_but_has_none_of_the_mapped_says_so_in_short(
    tmp_path: Path,
) -> None:
    header = ",".join(f"column {place}" for place in range(10_000)) + "\n"
    refused(tmp_path, header + ",".join("x" * 10_000) + "\n", MappingError, "no column 'id'")


def test_the_message_about_a_missing_column_names_the_columns_that_there_are(tmp_path: Path) -> None:
    error = refused(tmp_path, "ticket,opened,kind\n1,2024-01-01,a\n", MappingError, "no column 'id'")
    assert "ticket" in error.remedy
    assert "opened" in error.remedy


# Files that cannot be read at all


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"\n\n\n", "no rows"),
        (b"\0" * 100, "no rows"),
        (b"\xef\xbb\xbf", "no rows"),
        (b"\xff\xfe", "no rows"),
        (b"\xff\xfea", "utf-16"),
        (gzip.compress((HEADER + lines(2000)).encode(), mtime=0)[:-50], "cannot be unpacked"),
        (gzip.compress((HEADER + lines(2000)).encode(), mtime=0)[:5], "cannot be unpacked"),
        (gzip.compress((HEADER + lines(5)).encode(), mtime=0) + b"junk", "cannot be unpacked"),
        (b"PK\x03\x04", "cannot be unpacked"),
        (b"PK\x03\x04" + bytes(200), "cannot be unpacked"),
    ],
)
def test_a_file_with_nothing_to_read_is_refused_with_what_to_do(content: bytes, words: str, tmp_path: Path) -> None:
    refused(tmp_path, content, SourceError, words)


@pytest.mark.parametrize(
    "content", [b"x", b" ", b"id\n1\n", b"1,2024-01-01,svc,cat,hello\n" * 5, b'"' + HEADER.encode()]
)
def test_a_file_without_the_mapped_columns_is_refused_with_what_to_do(content: bytes, tmp_path: Path) -> None:
    refused(tmp_path, content, MappingError, "has no column")


def test_a_title_whose_quote_never_closes_is_refused_or_read_but_never_a_crash(tmp_path: Path) -> None:
    refused(tmp_path, '"Weekly export\n' + HEADER + lines(2500), WellservedError, ".")


@pytest.mark.parametrize("size", [20, 300, 3_000, 200_000])
def test_random_bytes_are_refused_with_what_to_do(size: int, tmp_path: Path) -> None:
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        refused(folder, random.Random(seed).randbytes(size), WellservedError, ".")


def test_rows_of_another_width_than_the_header_are_never_lost_in_silence(tmp_path: Path) -> None:
    content = HEADER + lines(5).replace("\n", ",\n")  # a trailing comma in the rows, none in the header
    refused(tmp_path, content, MappingError, "has no column 'id'")


# Archives


def packed(*members: tuple[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content, method)
    return file.getvalue()


def test_a_gzip_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    refused(tmp_path, gzip.compress(bytes(200 << 20), 9, mtime=0), SourceError, "decompression bomb")
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 1 << 20


def test_a_gzip_bomb_of_blank_lines_is_refused_as_fast(tmp_path: Path) -> None:
    refused(tmp_path, gzip.compress(b"\n" * (80 << 20), 6, mtime=0), SourceError, "decompression bomb")


def test_a_zip_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    refused(tmp_path, packed(("bomb.csv", bytes(200 << 20))), SourceError, "decompression bomb")
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 1 << 20


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    content = bytearray(packed(("a.csv", HEADER + lines(500))))
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    refused(tmp_path, bytes(content), SourceError, "cannot be unpacked")


def test_a_zip_with_two_tables_is_refused_with_what_to_do(tmp_path: Path) -> None:
    refused(tmp_path, packed(("a.csv", HEADER), ("b.csv", HEADER)), SourceError, "holds 2 files")


def test_a_zip_without_a_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    refused(tmp_path, packed(("folder/", b"")), SourceError, "holds 0 files")


def test_a_zip_with_one_table_and_a_picture_is_read(tmp_path: Path) -> None:
    outcome = bring_in(tmp_path, packed(("a.csv", HEADER + lines(5)), ("logo.png", b"\x89PNG")), name="a.zip")
    assert outcome.counts == (5, 5, 0)


def test_a_zip_as_a_mac_makes_it_is_read(tmp_path: Path) -> None:
    content = packed(("a.csv", HEADER + lines(5)), ("__MACOSX/._a.csv", b"\0\5\x16\7"))
    assert bring_in(tmp_path, content, name="a.zip").counts == (5, 5, 0)


def test_a_member_name_that_climbs_out_writes_nothing_outside(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    names = ("../../evil.csv", "/tmp/evil-wellserved.csv", "..\\..\\evil.csv")
    for place, name in enumerate(names):
        folder = inner / str(place)
        folder.mkdir()
        assert bring_in(folder, packed((name, HEADER + lines(5))), name="a.zip").counts == (5, 5, 0)
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/tmp/evil-wellserved.csv").exists()


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_a_damaged_zip_is_refused_with_what_to_do(method: int, tmp_path: Path) -> None:
    content = bytearray(packed(("a.csv", HEADER + lines(5000)), method=method))
    content[60:90] = b"\xff" * 30
    refused(tmp_path, bytes(content), SourceError, "cannot be (unpacked|read)")


def test_an_encrypted_zip_is_refused_with_what_to_do(tmp_path: Path) -> None:
    content = bytearray(packed(("a.csv", HEADER + lines(5))))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    refused(tmp_path, bytes(content), SourceError, "cannot be unpacked")


def test_a_zip_packed_by_an_unknown_method_is_refused_with_what_to_do(tmp_path: Path) -> None:
    content = bytearray(packed(("a.csv", HEADER + lines(5))))
    content[8] = content[content.rindex(b"PK\x01\x02") + 10] = 99
    refused(tmp_path, bytes(content), SourceError, "cannot be unpacked")


def test_a_zip_whose_member_name_is_no_text_is_refused_with_what_to_do(tmp_path: Path) -> None:
    content = bytearray(packed(("a.csv", HEADER + lines(5))))
    entry = content.rindex(b"PK\x01\x02")
    content[30] = content[entry + 46] = 0xFF
    content[7] |= 8  # "the name is UTF-8"
    content[entry + 9] |= 8
    refused(tmp_path, bytes(content), SourceError, "cannot be unpacked")


# Names of files, folders and columns


@pytest.mark.parametrize(
    "name",
    ["export[1].csv", "a*b?.csv", "it's.csv", "a{b,c}.csv", "two\nlines.csv", "plain.csv.gz", "plain.zst", "💥 ü.csv"],
)
def test_a_file_name_is_only_a_name(name: str, tmp_path: Path) -> None:
    put(tmp_path, HEADER + lines(7, 100), "export1.csv")
    put(tmp_path, HEADER + lines(7, 200), "aXbY.csv")
    outcome = bring_in(tmp_path, HEADER + lines(5), name=name)
    assert outcome.counts == (5, 5, 0)
    assert outcome.done.receipt.file == name


@pytest.mark.parametrize("name", ["my data", "a+b", "ä ü", "it's", "a;b", "Application Support"])
def test_a_workspace_lives_in_a_folder_of_almost_any_name(name: str, tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / name)
    path = put(tmp_path, HEADER + lines(5))
    assert import_file(workspace, path, MAPPING, NOW).receipt.moments_new == 5
    again = import_file(workspace, path, MAPPING, NOW).receipt
    assert (again.moments_new, again.moments_known) == (0, 5)


@pytest.mark.parametrize("name", ["100%", "a%20b", "#1", "what?", "[1]", "{a}", "w*"])
def test_a_workspace_in_a_folder_that_storage_cannot_name_is_refused_with_what_to_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="Choose another"):
        create_workspace(tmp_path / name)


@pytest.mark.parametrize(
    "column",
    [
        "failed",
        "stamp_0",
        "case_id",
        "is_first",
        "rowid",
        "at",
        "kind",
        "source",
        "select",
        'a"b',
        "a'b",
        "a;b",
    ],
)
def test_a_column_may_bear_any_name(column: str, tmp_path: Path) -> None:
    mapping = Mapping(
        name="hostile",
        title="Hostile",
        case="id",
        moments=(MomentRule(kind="asked", at="asked", required=True, text=column),),
    )
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["id", "asked", column])
    writer.writerows([number, "2024-01-02", f"words {number}"] for number in range(5))
    outcome = bring_in(tmp_path, file.getvalue(), mapping)
    assert outcome.counts == (5, 5, 0)
    assert outcome.moments("text") == [(f"words {number}",) for number in range(5)]


@pytest.mark.parametrize("column", ["wellserved_row_number", "wellserved_row", "wellserved_reason"])
@pytest.mark.parametrize("damage", ["", "\0"], ids=["whole", "damaged"])
def test_a_column_with_one_of_our_own_names_is_read(column: str, damage: str, tmp_path: Path) -> None:
    content = HEADER.replace("words", f"words,{column}") + lines(5).replace("\n", ",=1\n") + f"{damage},,,,,\n"
    assert bring_in(tmp_path, content).counts == (6, 5, 1)


def test_a_column_may_serve_as_case_and_as_customer(tmp_path: Path) -> None:
    mapping = Mapping(
        name="hostile",
        title="Hostile",
        case="id",
        columns={"customer_id": "id"},
        moments=(MomentRule(kind="asked", at="asked", required=True),),
    )
    outcome = bring_in(tmp_path, HEADER + lines(5), mapping)
    assert outcome.counts == (5, 5, 0)
    assert outcome.moments("customer_id") == outcome.moments("case_id")


# Dates


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_dates_in_two_orders_are_refused_with_what_to_do(tmp_path: Path) -> None:
    refused(tmp_path, dates(["13/04/2024", "04/13/2024"] * 10), MappingError, "mixes day-first .10 dates.")


def test_dates_that_make_sense_both_ways_are_refused_with_what_to_do(tmp_path: Path) -> None:
    refused(tmp_path, dates(["03/04/2024", "05/06/2024"] * 5), MappingError, "every date makes sense")


def test_one_date_that_contradicts_ninety_nine_is_refused_alone(tmp_path: Path) -> None:
    outcome = bring_in(tmp_path, dates(["13/04/2024"] * 50 + ["04/13/2024"] + ["14/04/2024"] * 49))
    assert outcome.counts == (100, 99, 1)
    assert outcome.done.receipt.notes == {"dates that contradict their column's order (not read)": 1}


def test_dates_with_time_zones_are_read_as_the_instants_they_name(tmp_path: Path) -> None:
    outcome = bring_in(
        tmp_path,
        dates(
            [
                "2024-01-02T03:04:05+02:00",
                "2024-01-02T03:04:05Z",
                "2024-01-02T03:04:05-0530",
                "2024-01-02T03:04:05+01",
                "2024-01-02 03:04:05 UTC",
                "2024-01-02 03:04:05 GMT",
                "2024-01-02 03:04:05 +02:00",
            ]
        ),
    )
    assert outcome.counts == (7, 7, 0)
    assert [at for (at,) in outcome.moments('"at"')] == [
        moment(2024, 1, 2, 1, 4, 5),
        moment(2024, 1, 2, 3, 4, 5),
        moment(2024, 1, 2, 8, 34, 5),
        moment(2024, 1, 2, 2, 4, 5),
        moment(2024, 1, 2, 3, 4, 5),
        moment(2024, 1, 2, 3, 4, 5),
        moment(2024, 1, 2, 1, 4, 5),
    ]


def test_an_offset_that_no_place_has_is_refused(tmp_path: Path) -> None:
    good = ["2024-01-02T03:04:05+02:00", "2024-01-02T03:04:05+14:00", "2024-01-02T03:04:05-12:00"]
    bad = ["2024-01-02T03:04:05+25:00", "2024-01-02T03:04:05+99:99", "2024-01-02T03:04:05-02:75"]
    assert bring_in(tmp_path, dates(good + bad)).counts == (6, 3, 3)


def test_impossible_dates_are_refused_one_by_one(tmp_path: Path) -> None:
    bad = ["2024-02-30", "2024-13-01", "2023-02-29", "0000-00-00", "9999-99-99"]
    far = ["1899-12-31", "2201-01-01", "0001-01-01", "9999-12-31"]
    outcome = bring_in(tmp_path, dates(["2024-02-29", *bad, *far]))
    assert outcome.counts == (10, 1, 9)
    # no number-like date (4), too late (1), none at all (1), and days that stand for none (3)
    assert sorted(outcome.done.receipt.reasons.values()) == [1, 1, 3, 4]


def test_impossible_times_of_day_are_refused_one_by_one(tmp_path: Path) -> None:
    values = ["2024-01-02T03:04:05", "2024-01-02T25:00:00", "2024-01-02T23:61:00", "2024-01-02T23:59:61"]
    assert bring_in(tmp_path, dates(values)).counts == (4, 1, 3)


def test_a_missing_date_that_is_required_is_refused(tmp_path: Path) -> None:
    assert bring_in(tmp_path, dates(["2024-01-02", "", "N/A", "soon", "2024-01-03"])).counts == (5, 2, 3)


@pytest.mark.parametrize("zone", ["", "Z", "+00:00"], ids=["no zone", "Z", "offset"])
@pytest.mark.parametrize("digits", [1, 3, 6, 7, 9])
def test_fractions_of_a_second_are_read(digits: int, zone: str, tmp_path: Path) -> None:
    fraction = "123456789"[:digits]
    outcome = bring_in(tmp_path, dates([f"2024-01-02T03:04:05.{fraction}{zone}"] * 3))
    assert outcome.counts == (3, 3, 0)
    micros = round(float(f"0.{fraction}") * 1_000_000)  # the log keeps microseconds
    assert outcome.moments('"at"') == [(moment(2024, 1, 2, 3, 4, 5, micros),)] * 3


def test_fractions_of_several_lengths_in_one_column_are_read(tmp_path: Path) -> None:
    values = [
        "2024-01-02T03:04:05",
        "2024-01-02T03:04:05.1",
        "2024-01-02T03:04:05.123456",
        "2024-01-02T03:04:05.1234567Z",
    ]
    assert bring_in(tmp_path, dates(values)).counts == (4, 4, 0)


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
def test_seconds_since_1970_are_read(unit: int, tmp_path: Path) -> None:
    outcome = bring_in(tmp_path, dates([(1_704_164_645 + day * 86_400) * unit for day in range(3)]))
    assert outcome.counts == (3, 3, 0)
    assert [at for (at,) in outcome.moments('"at"')] == [moment(2024, 1, day, 3, 4, 5) for day in (2, 3, 4)]


@pytest.mark.parametrize("odd", ["9223372036854775807", "9223372036854775808", "-9223372036854775", "9" * 40, "soon"])
def test_a_number_that_is_no_time_is_refused_alone(odd: str, tmp_path: Path) -> None:
    outcome = bring_in(tmp_path, dates([*(1_700_000_000 + place for place in range(2_500)), odd]))
    assert outcome.counts == (2_501, 2_500, 1)


def test_words_among_seconds_are_refused_alone_or_with_what_to_do(tmp_path: Path) -> None:
    outcome = bring_in(tmp_path, dates([1_700_000_000, "2024-01-01", 1_700_000_001]))
    assert outcome.counts[0] == 3
    assert outcome.counts[2] >= 1


def test_dates_in_words_are_read_and_unknown_months_refused(tmp_path: Path) -> None:
    values = ["2 Jan 2024", "2 January 2024", "Jan 2 2024", "January 2, 2024", "2 Mai 2024", "2 Foo 2024"]
    outcome = bring_in(tmp_path, dates(values))
    assert outcome.counts == (6, 5, 1)
    assert outcome.moments('"at"') == [(moment(2024, 1, 2),)] * 4 + [(moment(2024, 5, 2),)]

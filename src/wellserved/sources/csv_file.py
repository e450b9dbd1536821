"""Delimited text: detect, parse fast, reconcile, and read carefully where the count does not add up.

Every fast reader loses rows in silence on some file, so none is trusted: the physical lines of the text
must equal header + rows read + rows refused + line ends inside quotes + blank lines, and no quoted field
may swallow what looks like a whole row. Where either fails, the careful reader reads the file again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from wellserved.engine.duckdb import name, text
from wellserved.errors import SourceError
from wellserved.record import ROW
from wellserved.sources.bytes import Progress, Text, open_text
from wellserved.sources.careful import RETURN, BrokenRow, CarefulReader, read_row, rewrite
from wellserved.sources.dialect import FIELD_LIMIT, Dialect, detect


@dataclass(frozen=True)
class RawTable:
    """A file's rows as text, staged in the engine as the table `raw`, and what could not be read."""

    file: str
    text: Text
    dialect: Dialect
    parsed: Path  # the CSV that the engine read: the file itself, or its clean rewrite
    rows_read: int
    broken: tuple[BrokenRow, ...]
    careful: str = ""  # why the careful reader was used; empty: the fast one sufficed
    recovered: int = 0  # rows that the fast parser refused and the careful one read
    columns: tuple[str, ...] = ()


def look(path: Path, scratch: Path, progress: Progress) -> tuple[Text, Dialect]:
    """The file as text, and how it is written."""
    read = open_text(path, scratch, progress)
    return read, detect(read.path, path.name)


def _scan(path: Path, columns: Sequence[str], delimiter: str, skip: int, longest: int) -> str:
    """The fast parser's call, told everything, left nothing to guess."""
    types = ", ".join(f"{text(column)}: 'VARCHAR'" for column in columns)
    return (
        f"read_csv({text(str(path))}, auto_detect = false, delim = {text(delimiter)}, quote = '\"', escape = '\"', "
        f"header = false, skip = {skip}, strict_mode = true, store_rejects = true, rejects_limit = 0, "
        f"max_line_size = {max(2 << 20, 2 * longest + 1024)}, nullstr = '\1no value\1', columns = {{{types}}})"
    )


def _broken_text(read: Text) -> str:
    """Why the fast parser must not be tried; empty: it may."""
    if read.nul_bytes:
        return f"{read.nul_bytes} NUL bytes"
    if read.longest_line > FIELD_LIMIT:
        return f"a line of {read.longest_line >> 20} MB"
    if read.stray_returns:
        return f"{read.stray_returns} carriage returns without a line feed"
    return ""


def stage(
    db: duckdb.DuckDBPyConnection,
    path: Path,
    looked: tuple[Text, Dialect],
    columns: Sequence[str],
    scratch: Path,
    progress: Progress,
) -> RawTable:
    """Read the file into the table `raw`: a row number and the wanted columns, all as text.

    A header that stands again among the rows, as in files put together, is refused there.
    Raises SourceError only where not even the careful reader's own rewrite can be read back.
    """
    return _without_headers(db, _staged(db, path, looked, columns, scratch, progress))


def _staged(
    db: duckdb.DuckDBPyConnection,
    path: Path,
    looked: tuple[Text, Dialect],
    columns: Sequence[str],
    scratch: Path,
    progress: Progress,
) -> RawTable:
    read, dialect = looked
    progress("Parsing", 0, 0)
    reason = _broken_text(read)
    if not reason:
        try:
            return _stage_fast(db, path.name, read, dialect, columns)
        except _DoesNotAddUpError as error:
            reason = str(error)
        except duckdb.Error as error:
            reason = f"the fast parser gave up: {str(error).splitlines()[0][:120]}"
    progress("Reading row by row", 0, 0)
    clean = scratch / "clean.csv"
    rows, broken = rewrite(read.path, dialect, clean)
    wide = (ROW, *dialect.header)
    _load(db, clean, wide, ",", 0, FIELD_ROOM, (ROW, *columns))
    cells = ", ".join(f"replace({name(one)}, {text(RETURN)}, chr(13)) AS {name(one)}" for one in columns)
    db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT CAST({ROW} AS BIGINT) AS {ROW}, {cells} FROM staged")
    (staged,) = db.sql("SELECT count(*) FROM staged").fetchall()[0]
    if staged != rows:
        raise SourceError(
            f"{path.name}: {rows} rows were read but {staged} arrived.",
            "Please report this file's shape as a bug.",
        )
    return RawTable(path.name, read, dialect, clean, rows + len(broken), tuple(broken), reason, 0, tuple(columns))


def _without_headers(db: duckdb.DuckDBPyConnection, raw: RawTable) -> RawTable:
    """Take the rows out of `raw` that say the header again."""
    if not raw.dialect.has_header or len(raw.columns) < 2:
        return raw
    names = " AND ".join(
        f"trim({name(column)}) IN ({text(column)}, {text(re.sub(r'_[0-9]+$', '', column))})" for column in raw.columns
    )
    again = [row for (row,) in db.sql(f"SELECT {ROW} FROM raw WHERE {names} ORDER BY {ROW}").fetchall()]
    if not again:
        return raw
    db.execute("ALTER VIEW raw RENAME TO raw_whole")
    db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT * FROM raw_whole WHERE ({names}) IS NOT TRUE")
    line = raw.dialect.delimiter.join(raw.dialect.header)
    repeated = [
        BrokenRow(row, line, "says the header again, as where several files were put together") for row in again
    ]
    return replace(raw, broken=tuple(sorted([*raw.broken, *repeated], key=lambda one: one.row)))


FIELD_ROOM = 12 << 20  # longest line that the rewrite may hold


class _DoesNotAddUpError(Exception):
    """The fast parser's rows do not account for the file's lines."""


def _load(
    db: duckdb.DuckDBPyConnection,
    path: Path,
    header: Sequence[str],
    delimiter: str,
    skip: int,
    longest: int,
    columns: Sequence[str],
) -> None:
    """Parse a file into the table `staged`; its order is the file's, its refusals are in reject_errors."""
    for rejects in ("reject_errors", "reject_scans"):
        db.execute(f"DROP TABLE IF EXISTS {rejects}")
    wanted = ", ".join(name(column) for column in columns)
    scan = _scan(path, header, delimiter, skip, longest)
    db.execute(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT {wanted} FROM {scan}")


def _stage_fast(
    db: duckdb.DuckDBPyConnection, file: str, read: Text, dialect: Dialect, columns: Sequence[str]
) -> RawTable:
    _load(db, read.path, dialect.header, dialect.delimiter, dialect.skip, read.longest_line, columns)
    # Where the parser gives the refused line's words, they are sometimes those of the line before: only its
    # number is used, and the words are taken from the text.
    found = db.sql("SELECT DISTINCT line FROM reject_errors ORDER BY line").fetchall()
    rejected = [int(line) - dialect.skip - 1 for (line,) in found]  # data rows from 0
    (loaded,) = db.sql("SELECT count(*) FROM staged").fetchall()[0]
    blank = read.blank_lines - dialect.blank_skipped
    unexplained = read.lines - dialect.skip - blank - loaded - len(rejected)
    if unexplained:
        _explain(db, read, dialect, unexplained)
    if rejected and (unexplained or blank):
        raise _DoesNotAddUpError(f"{len(rejected)} rows that the fast parser refused, among rows of several lines")
    recovered, broken = _second_look(read, rejected, dialect, columns)
    if rejected:
        _merge(db, loaded, rejected, recovered, dialect.first_row, columns)
    else:
        wanted = ", ".join(name(column) for column in columns)
        first = dialect.first_row
        db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT rowid + {first} AS {ROW}, {wanted} FROM staged")
    rows = loaded + len(rejected)
    return RawTable(file, read, dialect, read.path, rows, tuple(broken), "", len(recovered), tuple(columns))


def _explain(db: duckdb.DuckDBPyConnection, read: Text, dialect: Dialect, unexplained: int) -> None:
    """Account for the lines that are no rows: line ends inside quotes. Raises where they do not explain them all."""
    scan = _scan(read.path, dialect.header, dialect.delimiter, dialect.skip, read.longest_line)
    cells = " || chr(30) || ".join(name(column) for column in dialect.header)
    inner = "[piece FOR piece IN string_split(v, chr(10))[2:-2] IF piece IN ('', chr(13))]"
    whole = f"len([p FOR p IN string_split(v, chr(10)) IF len(p) - len(replace(p, d, '')) = {dialect.width - 1}])"
    values = f"SELECT unnest(string_split({cells}, chr(30))) AS v, {text(dialect.delimiter)} AS d FROM {scan}"
    inside, blank, swallowed = db.sql(
        f"SELECT coalesce(sum(len(v) - len(replace(v, chr(10), ''))), 0), coalesce(sum(len({inner})), 0), "
        f"coalesce(sum({whole}), 0) FROM ({values}) WHERE contains(v, chr(10))"
    ).fetchall()[0]
    if inside - blank != unexplained:
        raise _DoesNotAddUpError(f"{unexplained - (inside - blank)} lines that no row accounts for")
    if swallowed and dialect.width > 2:
        raise _DoesNotAddUpError("quoted fields that hold what looks like whole rows")


def _second_look(
    read: Text, rejected: Sequence[int], dialect: Dialect, columns: Sequence[str]
) -> tuple[list[list[object]], list[BrokenRow]]:
    """The standard library's opinion of the lines that the fast parser refused."""
    places = [dialect.header.index(column) for column in columns]
    recovered: list[list[object]] = []
    broken: list[BrokenRow] = []
    for index, line in zip(rejected, _lines_at(read.path, [dialect.skip + one for one in rejected]), strict=True):
        item = read_row(dialect.first_row + index, line, dialect)
        if isinstance(item, BrokenRow):
            broken.append(item)
        else:
            recovered.append([item[0], *(item[1][place] for place in places)])
    return recovered, broken


def _lines_at(path: Path, places: Sequence[int]) -> list[str]:
    """The lines at these places (from 0, ascending)."""
    if not places:
        return []
    wanted = set(places)
    with path.open("r", encoding="utf-8", newline="\n") as file:
        return [line for place, line in enumerate(islice(file, places[-1] + 1)) if place in wanted]


def _merge(
    db: duckdb.DuckDBPyConnection,
    loaded: int,
    rejected: Sequence[int],
    recovered: Sequence[Sequence[object]],
    first: int,
    columns: Sequence[str],
) -> None:
    """Number the loaded rows around the refused ones, and put the recovered rows among them."""
    before = np.asarray(rejected) - np.arange(len(rejected))  # loaded rows before each refused one
    place = np.arange(loaded)
    numbers = place + np.searchsorted(before, place, side="right") + first
    db.register("row_numbers", pa.table({ROW: numbers}))
    wanted = ", ".join(name(column) for column in columns)
    db.execute(f"CREATE OR REPLACE TEMP TABLE merged AS SELECT {ROW}, {wanted} FROM row_numbers POSITIONAL JOIN staged")
    if recovered:
        marks = ", ".join("?" for _ in range(len(columns) + 1))
        db.executemany(f"INSERT INTO merged VALUES ({marks})", recovered)
    db.unregister("row_numbers")
    db.execute("DROP TABLE staged")
    db.execute("CREATE OR REPLACE TEMP VIEW raw AS SELECT * FROM merged")


def whole_rows(raw: RawTable, numbers: Sequence[int]) -> dict[int, list[str]]:
    """The named rows with all their cells, for the refusals file: one more pass, only where rows were refused."""
    wanted = set(numbers)
    if not wanted:
        return {}
    found: dict[int, list[str]] = {}
    for item in CarefulReader(raw.text.path, raw.dialect):
        number = item.row if isinstance(item, BrokenRow) else item[0]
        if number in wanted and not isinstance(item, BrokenRow):
            found[number] = item[1]
            if len(found) == len(wanted):
                break
    return found

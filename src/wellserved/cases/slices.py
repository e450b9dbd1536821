"""The moments of the log as the fold takes them: slices of whole cases, each of bounded size.

The log lies in the order of time, and most cases are over soon. So its files are read once, in that order: a case is
folded as soon as its last moment was read, and only the moments of cases that go on are kept for the next slice. Where
those are too many for the memory, the cases are parted by their numbers, and each part is read by itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wellserved import log
from wellserved.cases.fold import FOLDED_FROM
from wellserved.cases.ordered import Bools, Ints
from wellserved.engine.duckdb import name
from wellserved.moments import MOMENT_COLUMNS

SLICE = 2_500_000  # moments folded at a time; a third of a kilobyte of memory each
_SAMPLED = 64  # one moment in so many tells how many are kept at a time
_DICTIONARIES: Final = [one.name for one in MOMENT_COLUMNS if one.type == "VARCHAR" and one.name not in log.UNLIKE]
_NAMES = ("source", "case_id")
_STORED = {
    "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(), "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
    "VARCHAR": pa.string(),
}  # fmt: skip
_SCHEMA = pa.schema(
    (one.name, pa.dictionary(pa.int32(), pa.string()) if one.name in _DICTIONARIES else _STORED[one.type])
    for one in MOMENT_COLUMNS
    if one.name in FOLDED_FROM
)


@dataclass(frozen=True)
class _Group:
    """Rows of a file that are read together."""

    file: str
    metadata: pq.FileMetaData
    place: int
    rows: int
    fallen: Ints  # those that no longer count

    def read(self, columns: Sequence[str]) -> pa.Table:
        """These columns of the moments that count, as far as the file has them."""
        rows = self._read(columns)
        if not len(self.fallen):
            return rows
        counts = np.ones(self.rows, dtype=np.bool_)
        counts[self.fallen] = False
        return rows.filter(pa.array(counts))

    def _read(self, columns: Sequence[str]) -> pa.Table:
        opened = pq.ParquetFile(self.file, metadata=self.metadata, read_dictionary=_DICTIONARIES, memory_map=True)
        names = [one for one in columns if one in opened.schema_arrow.names]
        said = {
            one: found for one in names if (found := self._said(one, opened.schema_arrow.field(one).type)) is not None
        }
        rows = opened.read_row_group(self.place, [one for one in names if one not in said])
        for one, column in said.items():
            rows = rows.append_column(one, column)
        return rows

    def may_hold(self, numbers: Sequence[str]) -> bool:
        """Whether some of these cases' numbers, in order, lie between the least and the greatest of the rows."""
        said = self._ends("case_id")
        if said is None or not said.has_min_max:
            return True
        return bisect_left(numbers, said.min) < bisect_right(numbers, said.max)

    def _ends(self, name: str) -> Any:
        """What the file tells of a column's values."""
        return self.metadata.row_group(self.place).column(self.metadata.schema.names.index(name)).statistics

    def _said(self, name: str, kind: pa.DataType) -> pa.Array | None:
        """A column that says one thing or nothing throughout, without reading it; None: it has to be read."""
        said = self._ends(name)
        if said is None or not said.has_null_count:
            return None
        if said.null_count == self.rows:
            return pa.nulls(self.rows, kind)
        if said.null_count or not said.has_min_max or said.min != said.max or pa.types.is_floating(kind):
            return None  # of floating numbers the ends do not tell whether one is no number
        value = pa.array([said.min], kind.value_type if pa.types.is_dictionary(kind) else kind)
        places = pa.array(np.zeros(self.rows, dtype=np.int32))
        return pa.DictionaryArray.from_arrays(places, value) if pa.types.is_dictionary(kind) else value.take(places)


def of_files(db: duckdb.DuckDBPyConnection, files: Sequence[str]) -> Iterator[tuple[float, pa.Table, Bools]]:
    """All moments in these files of the log: the share of them that has been read, moments, and which of them are to be folded now."""
    groups = _groups(db, files)
    ends = _Ends(db, groups)
    for part in range(ends.parts):
        waiting = [_SCHEMA.empty_table().append_column("box", pa.array([], pa.uint32()))]
        held = 0
        for place, group in enumerate(groups):
            rows = group.read(FOLDED_FROM).append_column("box", pa.array(ends.boxes[place]))
            if ends.parts > 1:
                rows = rows.filter(pa.array(ends.boxes[place] % ends.parts == part))
            waiting.append(rows)
            held += len(rows)
            if held >= SLICE or place == len(groups) - 1:
                moments = pa.concat_tables(waiting, promote_options="default")
                over = ends.last[moments["box"].to_numpy()] <= place
                yield (part + (place + 1) / len(groups)) / ends.parts, moments, over
                waiting = [moments.filter(pa.array(~over)).combine_chunks()]
                held = len(waiting[0])
                del moments


class _Ends:
    """In which group of rows each case ends.

    It is known for boxes of cases: one that shares its box with another is but kept longer than it needs. Four bytes of
    memory a moment.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, groups: Sequence[_Group]) -> None:
        bits = min((2 * sum(group.rows for group in groups)).bit_length(), 27)
        self.boxes = [_boxes(db, group.read(["case_id"]), bits) for group in groups]
        self.last = np.zeros(1 << bits, dtype=np.uint16 if len(groups) < 1 << 16 else np.uint32)
        for place, boxes in enumerate(self.boxes):
            self.last[boxes] = place
        # How many are kept after each group: those from it or an earlier one whose case ends in a later one.
        some = [boxes[::_SAMPLED] for boxes in self.boxes]
        begun = np.array([len(boxes) for boxes in some])
        ended = np.bincount(self.last[np.concatenate(some)], minlength=len(groups)) if some else begun
        kept = int(np.cumsum(begun - ended).max(initial=0)) * _SAMPLED
        self.parts = kept // SLICE + 1


def _boxes(db: duckdb.DuckDBPyConnection, rows: pa.Table, bits: int) -> npt.NDArray[np.uint32]:
    """A number of each row that is the same for all rows of a case, and of few others."""
    db.register("rows_in_boxes", rows)
    found = db.sql(f"SELECT CAST(hash(case_id) >> {64 - bits} AS UINTEGER) AS box FROM rows_in_boxes").to_arrow_table()
    db.unregister("rows_in_boxes")
    boxes: npt.NDArray[np.uint32] = found["box"].to_numpy()
    return boxes


def of_cases(db: duckdb.DuckDBPyConnection, files: Sequence[str], wanted: pa.Table) -> pa.Table:
    """The moments of some cases in these files; `wanted`: source and case_id."""
    numbers = sorted(wanted["case_id"].to_pylist())

    def found(group: _Group) -> pa.Table:
        if not group.may_hold(numbers):
            return _SCHEMA.empty_table()
        said = group.read(_NAMES)
        places = among(said, wanted)
        if not len(places):  # as in most where few cases are wanted
            return _SCHEMA.empty_table()
        rows = group.read([column for column in FOLDED_FROM if column not in _NAMES])
        for one in _NAMES:
            rows = rows.append_column(one, said[one])
        return rows.take(places)

    groups = sorted(_groups(db, files), key=lambda group: -group.rows)  # so that both threads end at about one time
    with ThreadPoolExecutor(2) as pool:
        return pa.concat_tables([_SCHEMA.empty_table(), *pool.map(found, groups)], promote_options="default")


def among(rows: pa.Table, wanted: pa.Table) -> pa.Array:
    """The places (from 0) of the rows of the wanted cases; their numbers are asked first, which few rows have."""
    if len(rows) < len(wanted):  # the smaller side is what is looked up
        wanted = wanted.filter(pc.is_in(wanted["case_id"], value_set=rows["case_id"]))
    places = pc.indices_nonzero(pc.is_in(rows["case_id"], value_set=wanted["case_id"]))
    found = rows.take(places)
    number, source = found["case_id"], found["source"].cast(pa.string())
    of_them: Bools = np.zeros(len(found), dtype=np.bool_)
    for one in wanted["source"].unique():
        numbers = wanted.filter(pc.equal(wanted["source"], one))["case_id"]
        of_them |= pc.and_(pc.equal(source, one), pc.is_in(number, value_set=numbers)).to_numpy()
    return places.filter(pa.array(of_them))


def of_table(db: duckdb.DuckDBPyConnection, table: str) -> Iterator[pa.Table]:
    """All moments of a temporary table with the columns of the log that the fold reads."""
    (count,) = db.sql(f"SELECT count(*) FROM {table}").fetchall()[0]
    parts = count // SLICE + 1
    columns = ", ".join(map(name, FOLDED_FROM))
    for part in range(parts):
        yield db.sql(f"SELECT {columns} FROM {table} WHERE hash(case_id) % {parts} = {part}").to_arrow_table()


def _groups(db: duckdb.DuckDBPyConnection, files: Sequence[str]) -> list[_Group]:
    found = []
    fallen = log.fallen(db, files).sort_by([("file", "ascending"), ("row", "ascending")])
    named, rows = fallen["file"].to_numpy(), fallen["row"].to_numpy()
    for file in files:
        metadata = pq.read_metadata(file)
        gone = rows[np.searchsorted(named, file) : np.searchsorted(named, file, side="right")]
        start = 0
        for place in range(metadata.num_row_groups):
            end = start + metadata.row_group(place).num_rows
            here = gone[(gone >= start) & (gone < end)] - start
            found.append(_Group(file, metadata, place, end - start, here))
            start = end
    return found

"""Cases from moments: the order in which moments are read, and how they are cut into slices, change nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellserved.calendar import Calendars, parse_calendars
from wellserved.cases import fold_into, slices
from wellserved.cases.fold import CASE_TYPES, fold_cases
from wellserved.moments import MOMENT_COLUMNS, MOMENT_KINDS

PLAIN = parse_calendars("", "UTC")
HOURS = parse_calendars(
    '[[calendar]]\nname = "day"\nhours = { mon-fri = "09:00-17:00" }\n'
    '[[calendar]]\nname = "night"\nhours = { mon-sun = "20:00-23:00" }\n'
    '[[use]]\ncalendar = "night"\nteam = ["b"]\n',
    "UTC",
)


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database without files."""
    with duckdb.connect() as made:
        made.execute("SET TimeZone = 'UTC'")
        yield made


def moments(seed: int, many: int) -> list[dict[str, object]]:
    """Moments of few cases in two sources, many of them at one instant."""
    rng = random.Random(seed)
    found = []
    for place in range(many):
        at = 1_700_000_000 + rng.randrange(20) * 7_200
        kind = rng.choice(list(MOMENT_KINDS))
        found.append({
            "moment_id": str(place), "at": at * 1_000_000, "at_is": rng.choice(["time", "not_before"]), "kind": kind, "case_id": str(rng.randrange(4)),
            "source": rng.choice("xy"), "team": rng.choice([None, "a", "b"]), "person_id": rng.choice([None, "p", "q", "r"]), "source_row": rng.randrange(3),
            "due": (at + rng.randrange(9) * 3_600) * 1_000_000 if kind == "promised" else None, "source_kept": rng.choice([None, True, False]),
            "score": float(rng.randrange(1, 6)) if kind == "rated" else None, "scale": "csat5" if kind == "rated" else None,
            "from_team": rng.choice([None, "a"]) if kind == "rated" else None, "recorded_at": 1_800_000_000_000_000,
            "correction": False, "content": rng.getrandbits(62),
        })  # fmt: skip
    return found


def cases(
    db: duckdb.DuckDBPyConnection, rows: list[dict[str, object]], calendars: Calendars
) -> list[tuple[object, ...]]:
    """The cases of some moments, sorted by their number."""
    stamps = {"TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"), "VARCHAR": pa.string(), "BIGINT": pa.int64(),
              "BOOLEAN": pa.bool_(), "DOUBLE": pa.float64(), "INTEGER": pa.int32()}  # fmt: skip
    schema = pa.schema([(one.name, stamps[one.type]) for one in MOMENT_COLUMNS])
    given = pa.Table.from_pylist(rows, schema)
    db.register("given", given)
    db.register("folded_cases", fold_cases(given, "UTC", calendars))
    return db.sql("SELECT * FROM folded_cases ORDER BY source, case_id").fetchall()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), many=st.integers(1, 60), hours=st.booleans())
def test_the_order_of_reading_and_other_cases_change_nothing(
    db: duckdb.DuckDBPyConnection, seed: int, many: int, hours: bool
) -> None:
    calendars, rows = HOURS if hours else PLAIN, moments(seed, many)
    # Of one kind, row and instant, what stands first in the log counts first: that is no order to be shuffled.
    rows = list(
        {(one["source"], one["case_id"], one["at"], one["source_row"], one["kind"]): one for one in rows}.values()
    )
    whole = cases(db, rows, calendars)
    random.Random(seed).shuffle(rows)
    assert cases(db, rows, calendars) == whole
    alone = [one for part in "0123" for one in cases(db, [row for row in rows if row["case_id"] == part], calendars)]
    assert sorted(alone, key=str) == sorted(whole, key=str)
    assert len(whole) == len({(one["source"], one["case_id"]) for one in rows})


@pytest.mark.parametrize("calendars", [PLAIN, HOURS], ids=["plain", "hours"])
def test_no_moments_are_no_cases(db: duckdb.DuckDBPyConnection, calendars: Calendars) -> None:
    assert cases(db, [], calendars) == []


def test_a_broken_word_is_known_and_a_missing_one_is_not(db: duckdb.DuckDBPyConnection) -> None:
    """False is a value: the source's own word on a promise, where the last moment says nothing of it."""
    said = {
        "source": "x",
        "at_is": "time",
        "source_row": 1,
        "recorded_at": 1_800_000_000_000_000,
        "correction": False,
        "content": 1,
    }
    rows = [
        {**said, "case_id": "1", "kind": "asked", "at": 0, "source_kept": False},
        {**said, "case_id": "1", "kind": "resolved", "at": 1_000_000, "source_kept": None},
        {**said, "case_id": "2", "kind": "asked", "at": -1_500_000, "source_kept": None},
    ]
    kept, asked = list(CASE_TYPES).index("source_kept"), list(CASE_TYPES).index("asked_s")
    assert [one[kept] for one in cases(db, rows, PLAIN)] == [0, None]
    assert [one[asked] for one in cases(db, rows, PLAIN)] == [0, -2]  # rounded down, before 1970 too


def test_slices_lose_nothing(db: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers with quotes, capitals and letters beyond ASCII; far fewer numbers than parts."""
    endings = ("a", "Z", "é", "'", "ß", "😀")
    rows = [{**one, "case_id": str(one["case_id"]) + endings[place % 6]} for place, one in enumerate(moments(7, 900))]
    whole = cases(db, rows, HOURS)
    monkeypatch.setattr(slices, "MAX_MOMENTS_HELD", 70)
    assert sum(len(part) > 0 for part in slices.slices_of_table(db, "given")) > 5
    fold_into(db, "folded", "given", "UTC", HOURS)
    assert db.sql("SELECT * FROM folded ORDER BY source, case_id").fetchall() == whole


def test_a_kind_of_a_later_version_is_a_moment_and_nothing_more(db: duckdb.DuckDBPyConnection) -> None:
    said = {
        "source": "x",
        "case_id": "1",
        "at_is": "time",
        "source_row": 1,
        "recorded_at": 1_800_000_000_000_000,
        "content": 1,
    }
    rows = [{**said, "kind": "asked", "at": 0}, {**said, "kind": "levitated", "at": 1_000_000}]
    found = dict(zip(CASE_TYPES, cases(db, rows, PLAIN)[0], strict=True))
    assert (found["moments"], found["last_s"], found["closed"]) == (2, 1, 0)

"""Days and times of day in two columns, lengths of time in words, dots between thousands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from tests.conftest import NOW
from wellserved.actions.imports import ImportResult, import_file
from wellserved.mapping import parse_mapping
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

BERLIN = ZoneInfo("Europe/Berlin")
TWO_COLUMNS = """
name = "x"
case = "id"
zone = "Europe/Berlin"

[clocks]
day = "clock"

[[moment]]
kind = "asked"
at = "day"
required = true
"""


def read(tmp_path: Path, text: str, toml: str) -> tuple[ImportResult, dict[tuple[str, str], datetime]]:
    """(what became of it, (case, kind) -> when)."""
    workspace: Workspace = create_workspace(tmp_path / "home", "Europe/Berlin")
    file = tmp_path / "file.csv"
    file.write_text(text, encoding="utf-8")
    result = import_file(workspace, file, parse_mapping(toml, "x"), NOW)
    files = list(log.snapshot(workspace.log).files)
    rows = (
        duckdb.connect().sql(f'SELECT case_id, kind, epoch("at") FROM read_parquet({files})').fetchall()
        if files
        else []
    )
    return result, {(case, kind): datetime.fromtimestamp(at, UTC).astimezone(BERLIN) for case, kind, at in rows}


@pytest.mark.parametrize(
    ("day", "clock", "meant"),
    [
        ("2026-03-13", "09:15", "2026-03-13 09:15"), ("13.03.2026", "9.15", "2026-03-13 09:15"),
        ("2026-03-13 00:00:00", "14:05:09", "2026-03-13 14:05:09"), ("13/03/2026", "9h05", "2026-03-13 09:05"),
        ("2026-03-13T00:00", "2:30 PM", "2026-03-13 14:30"), ("13. März 2026", "17:45 Uhr", "2026-03-13 17:45"),
        ("2026-03-13", "", "2026-03-13 00:00"),
    ],
)  # fmt: skip
def test_a_day_and_its_time_of_day_are_one_instant(tmp_path: Path, day: str, clock: str, meant: str) -> None:
    result, times = read(tmp_path, f"id;day;clock\n1;{day};{clock}\n", TWO_COLUMNS)
    assert result.receipt.rows_loaded == 1
    assert times == {("1", "asked"): datetime.fromisoformat(meant).replace(tzinfo=BERLIN)}


def test_a_time_of_day_that_cannot_be_read_refuses_the_row(tmp_path: Path) -> None:
    text = "id,day,clock\n1,2026-03-13,09:15\n2,2026-03-14,later\n3,,10:00\n4,2026-03-15,10:00\n"
    result, times = read(tmp_path, text, TWO_COLUMNS)
    assert set(times) == {("1", "asked"), ("4", "asked")}
    assert result.receipt.reasons == {
        "day: is not a date written like 2026-01-31 14:05": 1,
        "day: is missing, and no case can start without it": 1,
    }
    assert result.refusals is not None
    assert "2026-03-14 later" in result.refusals.read_text(encoding="utf-8")


LENGTHS = {
    "2 d 3 h 15 min": 184_500, "2d3h": 183_600, "1,5 h": 5400, "45 min": 2700, "3 Tage 2 Std.": 266_400, "30m": 1800,
    "1 Woche 2 Tage": 777_600, "1 día 3 horas": 97_200, "2 days, 3 hours": 183_600, "0s": 0, "1 j 2 h": 93_600,
    "1.5 hours 30 seconds": 5430,
}  # fmt: skip


def test_lengths_in_words_are_added_up(tmp_path: Path) -> None:
    toml = TWO_COLUMNS.replace('[clocks]\nday = "clock"\n', "") + (
        '[[moment]]\nkind = "resolved"\nat = "day"\ndelay = "took"\ndelay_unit = "words"\n'
    )
    words = [*LENGTHS, "soon", "2", "3 h ago", "h"]
    lines = "".join(f"{number};2026-03-09 08:00;{word}\n" for number, word in enumerate(words))
    result, times = read(tmp_path, f"id;day;took\n{lines}", toml)
    start = datetime(2026, 3, 9, 8, tzinfo=BERLIN)
    took = {number: (at - start).total_seconds() for (number, kind), at in times.items() if kind == "resolved"}
    assert took == {str(number): float(seconds) for number, seconds in enumerate(LENGTHS.values())}
    assert result.receipt.losses == {"took (resolved): is no length of time in words, such as 2 d 3 h 15 min": 4}


@pytest.mark.parametrize(
    ("values", "minutes", "note"),
    [
        (["735", "1.435", "12.600", "5"], [735, 1435, 12_600, 5], True),
        (["735,5", "1.435,25"], [735.5, 1435.25], True),
        (["0.250", "1.500", "12"], [0.25, 1.5, 12], False),  # no thousand begins with 0
        (["1.435", "2.100"], [1.435, 2.1], False),  # nothing beside them says that these are thousands
        (["1.435", "1435"], [1.435, 1435], False),  # that writes its thousands without
        (["1,435.5", "12"], [1435.5, 12], False),
    ],
)
def test_dots_between_thousands_are_told_from_decimal_points(
    tmp_path: Path, values: list[str], minutes: list[float], note: bool
) -> None:
    toml = TWO_COLUMNS.replace('[clocks]\nday = "clock"\n', "") + (
        '[[moment]]\nkind = "resolved"\nat = "day"\ndelay = "took"\ndelay_unit = "minutes"\n'
    )
    lines = "".join(f"{number};2026-03-09 08:00;{value}\n" for number, value in enumerate(values))
    result, times = read(tmp_path, f"id;day;took\n{lines}", toml)
    start = datetime(2026, 3, 9, 8, tzinfo=UTC).replace(hour=7)
    took = [(times[str(number), "resolved"] - start).total_seconds() / 60 for number in range(len(values))]
    assert took == pytest.approx(minutes)
    is_noted = any("a dot between the thousands" in said for said in result.receipt.notes)
    assert is_noted == (note and "," not in values[0])

"""Ordinary lists of tickets with a column beside them that looks like something else: it changes nothing of their reading."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from wellserved.actions.imports import import_file
from wellserved.actions.inspection import inspect_file
from wellserved.mapping import parse_mapping
from wellserved.sources.infer import Inspection
from wellserved.storage import log
from wellserved.storage.workspace import create_workspace

NOW = datetime(2026, 12, 1, tzinfo=UTC)
PLAIN = {"case": "Ticket", "asked": "Opened", "resolved": "Closed"}


def rows(header: str, *columns: str) -> str:
    """Twenty-four tickets: number, opening and closing a day apart, and these columns, each with its values in turn."""
    values = [column.split("|") for column in columns]
    lines = [
        f"{number},2026-03-{number % 27 + 1:02d},2026-03-{number % 27 + 2:02d},"
        + ",".join(column[number % len(column)] for column in values)
        for number in range(1, 25)
    ]
    return "\n".join([f"Ticket,Opened,Closed,{header}", *lines]) + "\n"


def look(tmp_path: Path, text: str) -> Inspection:
    file = tmp_path / "tickets.csv"
    file.write_text(text, encoding="utf-8")
    (tmp_path / "scratch").mkdir(exist_ok=True)
    return inspect_file(file, tmp_path / "scratch", "Europe/Berlin", NOW)[1]


def roles(inspection: Inspection) -> dict[str, str]:
    guess = inspection.roles
    columns = {"case": guess.case, **guess.stamps} | {
        f"{kind}_after": length.column for kind, length in guess.lengths.items()
    }
    columns |= {f"clock of {day}": clock for day, clock in guess.clocks.items()} | guess.facts
    columns |= {"event": guess.events.column} if guess.events else {}
    columns |= {"rating": guess.rating.column} if guess.rating else {}
    columns |= {"kept": guess.kept_flag.column} if guess.kept_flag else {}
    return {role: column.name for role, column in columns.items()}


@pytest.mark.parametrize(
    ("header", "column", "more"),
    [
        ("Duration", "0:45|1:13|2:20", {}),
        ("Hours spent", "0.50|1.25|2.50", {}),
        ("Betrag", "12.00|8.50|23.10", {}),
        ("Version", "1.10|1.12|2.05", {}),
        ("Öffnungszeit Filiale", "09:00|08:30", {}),
        ("Time zone offset", "0100|0200", {}),
        ("Rating", "4.00|5.00|3.50|2.50", {"rating": "Rating"}),
        ("Customer", "20100101|20100102|20110305|20120407", {"customer_id": "Customer"}),
        ("Build", "20260101|20260102", {}),
        ("Late", "0|1|2|5", {}),
        ("Verspätet (min)", "0|1|2", {}),
        ("Priority", "4h|8h|24h", {"priority": "Priority"}),
        ("SLA target", "4 h|8 h", {}),
        ("Recommended action", "restart|replace", {}),
        ("Lost on", "2026-01-05|2026-02-07", {}),
        ("Abschleppdatum", "2026-01-05|2026-02-07", {}),
        ("Fertigungsdatum", "2019-01-05|2019-02-07", {}),
        ("Termin", "2026-04-05|2026-05-07", {}),
        ("Date état", "2026-04-05|2026-05-07", {}),
        ("Action", "New part ordered|Restarted", {}),
        ("Type", "New connection|Closed account|Repair", {"service": "Type"}),
        ("Litres", "1.250|2|3.125", {}),
    ],
)
def test_a_column_beside_changes_nothing(header: str, column: str, more: dict[str, str], tmp_path: Path) -> None:
    assert roles(look(tmp_path, rows(header, column))) == PLAIN | more


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("Status,Part", ("New|Closed", "lamp|cable|switch")),
        ("State,Comment time", ("Closed", "2026-04-01|2026-04-02|2026-04-03")),
    ],
)
def test_two_lines_a_ticket_are_no_history(header: str, columns: tuple[str, ...], tmp_path: Path) -> None:
    """Their closing date is the closing date, on whichever line."""
    first, *lines = rows(header, *columns).splitlines()
    doubled = "\n".join([first, *(line for line in lines for _ in range(2))]) + "\n"
    assert {role: name for role, name in roles(look(tmp_path, doubled)).items() if role in (*PLAIN, "event")} == PLAIN


@pytest.mark.parametrize("column", ["SLA met", "Team", "CSAT"])
def test_a_word_for_no_date_is_one_in_its_own_column_alone(column: str, tmp_path: Path) -> None:
    """No in *Reopened at* is no date; beside it, No is a word like any other."""
    text = rows(f"Reopened at,{column}", "No|No|2026-03-29", "No|Yes")
    inspection = look(tmp_path, text)
    assert "'No' in 'Reopened at' was read as no date yet" in " ".join(inspection.questions)
    workspace = create_workspace(tmp_path / "home", "Europe/Berlin")
    result = import_file(workspace, tmp_path / "tickets.csv", parse_mapping(inspection.toml, "x"), NOW)
    assert result.receipt.moments_refused == 0
    files = list(log.snapshot(workspace.log).files)
    field = {"SLA met": "CAST(source_kept AS VARCHAR)", "Team": "team", "CSAT": "CAST(score AS VARCHAR)"}[column]
    counts = dict(duckdb.connect().sql(
        f"SELECT {field}, count(*) FROM read_parquet({files}) WHERE {field} IS NOT NULL AND kind IN ('asked', 'promised', 'rated') GROUP BY 1"
    ).fetchall())  # fmt: skip
    assert set(counts.values()) <= {12, 24}
    assert column == "CSAT" or len(counts) == 2


def test_a_history_that_stands_newest_first_is_read_backwards(tmp_path: Path) -> None:
    """The state before is that of the line below: nothing was reopened but what was."""
    cases = {
        "T1": ["New", "Open", "Closed"], "T2": ["New", "Closed", "Open", "Closed"], "T3": ["New", "Open"], "T4": ["New", "Closed"]
    }  # fmt: skip
    lines = [
        f"{case},2026-03-{day + 2:02d} 0{case[1]}:00,{state}"
        for case, states in cases.items()
        for day, state in enumerate(states)
    ]
    inspection = look(tmp_path, "\n".join(["Ticket,Date,Status", *reversed(lines)]) + "\n")
    assert "newest_first = true" in inspection.toml
    workspace = create_workspace(tmp_path / "home", "Europe/Berlin")
    import_file(workspace, tmp_path / "tickets.csv", parse_mapping(inspection.toml, "x"), NOW)
    files = list(log.snapshot(workspace.log).files)
    moments = (
        duckdb.connect()
        .sql(f'SELECT case_id, kind FROM read_parquet({files}) ORDER BY case_id, epoch("at")')
        .fetchall()
    )
    assert moments == [
        ("T1", "asked"), ("T1", "resolved"), ("T2", "asked"), ("T2", "resolved"), ("T2", "reopened"), ("T2", "resolved"),
        ("T3", "asked"), ("T4", "asked"), ("T4", "resolved"),
    ]  # fmt: skip


def test_closed_rows_without_a_length_and_states_that_are_not_known_are_asked_about(tmp_path: Path) -> None:
    lines = [
        f"{n},2026-03-{n % 27 + 1:02d} 09:00,{'' if n % 3 == 0 else n},{'Parked' if n % 8 == 7 else 'Closed'}"
        for n in range(24)
    ]
    said = " ".join(look(tmp_path, "\n".join(["Ticket,Created,Resolution time (h),Status", *lines]) + "\n").questions)
    assert "says Closed in 7 rows with no 'Resolution time (h)': they count as open" in said
    assert "says Parked: does that mean that a case is over? With a time of closing it counts as over" in said


def test_words_beside_a_few_dates_are_no_column_of_dates(tmp_path: Path) -> None:
    """However many different words there are."""
    notes = [
        f"called back {number} times" if number % 20 else f"2026-04-{number % 27 + 1:02d}" for number in range(200)
    ]
    lines = [
        f"{number},2026-03-{number % 27 + 1:02d},2026-03-{number % 27 + 2:02d},{note}"
        for number, note in enumerate(notes)
    ]
    inspection = look(tmp_path, "\n".join(["Ticket,Opened,Closed,Fixed", *lines]) + "\n")
    assert {role: name for role, name in roles(inspection).items() if role in PLAIN} == PLAIN

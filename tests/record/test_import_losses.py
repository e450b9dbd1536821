"""What an import cannot read costs a moment, not the row; what is doubtful is said where the file is imported."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from tests.conftest import NOW
from tests.record.test_import import rows_of
from wellserved.actions import questions
from wellserved.actions.imports import ImportResult, import_file
from wellserved.cli import app
from wellserved.mapping import Mapping, parse_mapping
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.render.tables.receipts import receipt_lines as receipt_lines
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace
from wellserved.wording import format_note

MAPPING = """
name = "desk"
case = "ID"
zone = "ZONE"
[[moment]]
kind = "asked"
at = "Opened"
required = true
[[moment]]
kind = "promised"
at = "Opened"
due = "Due"
DUE
[[moment]]
kind = "resolved"
at = "Solved"
[[moment]]
kind = "rated"
at = "Solved"
score = "Score"
scale = "SCALE"
EXTRA
"""
COLUMNS = ("ID", "Opened", "Solved", "Due", "Score", "Verdict")


def desk(scale: str = "nps10", zone: str = "UTC", due: str = "", extra: str = "", top: str = "") -> Mapping:
    whole = MAPPING.replace("ZONE", zone).replace("DUE", due).replace("SCALE", scale).replace("EXTRA", extra)
    return parse_mapping(top + whole, "desk.toml")


def file(folder: Path, lines: Sequence[dict[str, str]], name: str = "desk.csv") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(lines)
    return path


def tickets(unsolved: str, count: int = 12) -> list[dict[str, str]]:
    """12 tickets, the first 9 solved after two days, the others as the source writes "not yet"."""
    return [
        {
            "ID": str(1000 + place),
            "Opened": f"2026-01-{place + 9:02d} 09:00:00",
            "Solved": f"2026-01-{place + 11:02d} 09:00:00" if place < 9 else unsolved,
        }
        for place in range(count)
    ]


def totals(workspace: Workspace) -> tuple[float, ...]:
    names = ("asked", "resolved", "still_open")
    series = questions.ask_measures(workspace, MeasureQuestion(tuple(find_measure(name) for name in names)))
    return tuple(float(one.value[0]) for one in series)  # type: ignore[arg-type]


def bring(
    workspace: Workspace, folder: Path, lines: Sequence[dict[str, str]], mapping: Mapping | None = None
) -> ImportResult:
    return import_file(workspace, file(folder, lines), mapping or desk(), now=NOW)


def test_a_bad_optional_date_costs_its_moment_and_the_open_case_stays(workspace: Workspace, tmp_path: Path) -> None:
    done = bring(workspace, tmp_path, tickets("when it is done"))
    one = done.receipt
    assert (one.rows_read, one.rows_loaded, one.rows_refused, one.moments_refused) == (12, 12, 0, 3)
    assert one.losses == {"Solved (resolved): is not a date written like 2026-01-31 14:05:09": 3}
    assert totals(workspace) == (12, 9, 3)
    assert done.refusals is not None
    with done.refusals.open(encoding="utf-8", newline="") as listed:
        first = next(csv.DictReader(listed))
    assert (first["wellserved_row"], first["wellserved_column"]) == ("11", "Solved")
    assert first["wellserved_reason"].endswith(": resolved is left out")


def test_a_mended_row_brings_exactly_the_moment_that_was_lost(workspace: Workspace, tmp_path: Path) -> None:
    lines = tickets("")
    lines[3] |= {"Solved": "soon", "Due": "2026-01-14 00:00:00", "Score": "8"}
    lines[5] |= {"Due": "2026-01-16 17:00:00"}
    done = bring(workspace, tmp_path, lines)
    assert done.receipt.losses == {
        "Solved (resolved): is not a date written like 2026-01-31 14:05:09": 1,
        "Solved (rated): is not a date written like 2026-01-31 14:05:09": 1,
    }
    assert done.refusals is not None
    mended = tmp_path / "mended.csv"
    text = done.refusals.read_text(encoding="utf-8")
    assert text.count("\n") == 2, "one line a row, however much of it was left out"
    mended.write_text(text.replace(",soon,2026", ",2026-01-14 09:00:00,2026"), encoding="utf-8")
    again = import_file(workspace, mended, desk(), now=NOW + timedelta(days=1)).receipt
    assert (again.moments_new, again.moments_corrected, again.moments_refused) == (2, 0, 0)
    kinds = rows_of(workspace, workspace.log, "kind, count(*)", "case_id = '1003' GROUP BY kind")
    assert kinds == [("asked", 1), ("promised", 1), ("rated", 1), ("resolved", 1)]


def test_a_mended_row_is_read_among_the_others_of_its_case(workspace: Workspace, tmp_path: Path) -> None:
    mapping = parse_mapping(
        'name = "log"\ncase = "ID"\n[[moment]]\nkind = "asked"\nat = "Opened"\nwhen = { row = "first" }\n'
        '[[moment]]\nkind = "resolved"\nat = "Opened"\nwhen = { column = "Verdict", enters = ["Done"] }\n'
        '[[moment]]\nkind = "rated"\nat = "Opened"\nscore = "Score"\nscale = "nps10"\n',
        "log.toml",
    )
    hours = [(9, "New", ""), (10, "Done", ""), (11, "Done", "x"), (12, "New", "")]
    lines = [
        {"ID": "1", "Opened": f"2026-01-09 {hour:02d}:00", "Verdict": state, "Score": score}
        for hour, state, score in hours
    ]
    done = bring(workspace, tmp_path, [*lines, lines[0] | {"ID": "2"}], mapping)
    assert (done.receipt.moments, done.receipt.moments_refused) == (3, 1)
    assert done.refusals is not None
    text = done.refusals.read_text(encoding="utf-8")
    assert text.count("stands here because the rows of a case are read together") == 3
    mended = tmp_path / "mended.csv"
    mended.write_text(text.replace(",x,Done", ",7,Done"), encoding="utf-8")
    again = import_file(workspace, mended, mapping, now=NOW + timedelta(days=1)).receipt
    assert (again.rows_loaded, again.moments_new, again.moments_corrected) == (4, 1, 0)
    assert rows_of(workspace, workspace.log, "kind, score", "kind = 'rated'") == [("rated", 7.0)]


def test_mended_rows_are_read_as_their_file_was(workspace: Workspace, tmp_path: Path) -> None:
    lines = [
        {"ID": str(n), "Opened": f"{n:02d}/02/2026 09:00", "Solved": f"{n:02d}/02/2026 10:00"} for n in range(1, 20)
    ]
    lines[2]["Solved"] = "no"
    done = bring(workspace, tmp_path, lines)
    assert done.receipt.dates["Opened"] == "day-first"
    assert done.refusals is not None
    text = done.refusals.read_text(encoding="utf-8").replace(",no,,", ",03/02/2026 11:00,,", 1)
    mended = tmp_path / "mended.csv"
    mended.write_text(text, encoding="utf-8")
    again = import_file(workspace, mended, desk(), now=NOW + timedelta(days=1)).receipt
    assert (again.rows_loaded, again.moments_new, again.moments_corrected) == (1, 1, 0)


def test_a_row_is_refused_where_its_number_or_its_opening_cannot_be_read(workspace: Workspace, tmp_path: Path) -> None:
    lines = tickets("")
    lines[0]["ID"], lines[1]["Opened"], lines[2]["Opened"] = "", "soon", ""
    done = bring(workspace, tmp_path, lines).receipt
    assert (done.rows_loaded, done.rows_refused, done.moments_refused) == (9, 3, 0)
    assert totals(workspace) == (9, 6, 3)


def test_the_command_says_what_was_left_out_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text(
        MAPPING.replace("ZONE", "UTC").replace("DUE", "").replace("SCALE", "nps10").replace("EXTRA", "")
    )
    runner, home = CliRunner(), str(tmp_path / "home")
    runner.invoke(app, ["init", "--home", home])
    command = ["import", "--home", home, "--mapping", str(tmp_path / "desk.toml")]
    lossy = runner.invoke(app, [*command, str(file(tmp_path, tickets("never")))])
    assert lossy.exit_code == 1
    assert "12 rows read = 12 loaded + 0 refused." in lossy.output
    assert "3 moments of loaded rows were left out" in lossy.output
    assert "Left out: 3 x Solved (resolved): is not a date" in lossy.output
    whole = runner.invoke(app, [*command, str(file(tmp_path, tickets(""), "whole.csv"))])
    assert whole.exit_code == 0
    assert "left out" not in whole.output
    listed = runner.invoke(app, ["log", "--refusals", "--home", home])
    assert "refusals.csv" in listed.output


# Scores


def rated(workspace: Workspace) -> list[tuple[object, ...]]:
    return rows_of(workspace, workspace.log, "case_id, score", "kind = 'rated'")


def test_an_answer_between_whole_numbers_is_no_answer_on_a_whole_scale(workspace: Workspace, tmp_path: Path) -> None:
    lines = tickets("")[:4]
    for line, score in zip(lines, ("6.5", "7", "8,0", "11"), strict=True):
        line["Score"] = score
    done = bring(workspace, tmp_path, lines).receipt
    assert rated(workspace) == [("1001", 7.0), ("1002", 8.0)]
    assert done.losses == {"Score (rated): is no whole number from 0 to 10, as the scale nps10 asks": 2}
    assert totals(workspace) == (4, 4, 0)


def test_stars_are_given_in_halves(workspace: Workspace, tmp_path: Path) -> None:
    lines = [line | {"Score": score} for line, score in zip(tickets(""), ("4.5", "4,5", "0.5"), strict=False)]
    assert bring(workspace, tmp_path, lines, desk("stars5")).receipt.moments_refused == 1
    assert rated(workspace) == [("1000", 4.5), ("1001", 4.5)]


def test_words_stand_for_scores_and_rows_that_the_condition_excludes_are_sound(
    workspace: Workspace, tmp_path: Path
) -> None:
    words = ("Good", " bad ", "GOOD", "Offered", "", "1", "splendid")
    lines = [line | {"Score": word} for line, word in zip(tickets(""), words, strict=False)]
    values = "values = { Good = 1, Bad = 0 }\n"
    asked = 'when = { column = "Score", is_not = ["Offered"] }'
    done = bring(workspace, tmp_path, lines, desk("good_bad", extra=values + asked)).receipt
    assert rated(workspace) == [("1000", 1.0), ("1001", 0.0), ("1002", 1.0), ("1005", 1.0)]
    assert (done.rows_refused, done.moments_refused) == (0, 1)
    assert next(iter(done.losses)).endswith("as the scale good_bad asks, and none of the words Good, Bad")


def test_a_word_that_differs_in_case_alone_is_not_guessed_at(workspace: Workspace, tmp_path: Path) -> None:
    lines = [line | {"Score": word} for line, word in zip(tickets(""), ("ok", "OK", "Ok"), strict=False)]
    done = bring(workspace, tmp_path, lines, desk("good_bad", extra="values = { ok = 0, OK = 1 }")).receipt
    assert rated(workspace) == [("1000", 0.0), ("1001", 1.0)]
    assert done.moments_refused == 1


def test_amounts_are_read_by_the_column_s_comma(workspace: Workspace, tmp_path: Path) -> None:
    mapping = parse_mapping(
        'name = "n"\ncase = "ID"\n[[moment]]\nkind = "asked"\nat = "Opened"\nrequired = true\n[[moment]]\nkind = "bought"\nat = "Opened"\namount = "Score"\n',
        "n",
    )
    for amounts, wanted, lost in (
        (("1.234,50", "1.234", "7,5"), [1234.5, 1234.0, 7.5], 0),
        (("1,234.50", "1.25", "12"), [1234.5, 1.25, 12.0], 0),
        (("1,234", "inf", "12"), [12.0], 2),
    ):
        home = create_workspace(tmp_path / f"home {amounts[0]}", "UTC")
        lines = [line | {"Score": amount} for line, amount in zip(tickets(""), amounts, strict=False)]
        done = bring(home, tmp_path, lines, mapping).receipt
        assert [row[0] for row in rows_of(home, home.log, "amount, case_id", "kind = 'bought'")] == sorted(wanted)
        assert (done.rows_refused, done.moments_refused) == (0, lost)


# Due times at midnight


def dues(workspace: Workspace) -> list[tuple[object, ...]]:
    return rows_of(workspace, workspace.cases, "case_id, due_s, promise_fate")


def promised(dues: Sequence[str], solved: str) -> list[dict[str, str]]:
    return [
        {"ID": str(place), "Opened": "2026-01-05 09:00:00", "Due": due, "Solved": solved}
        for place, due in enumerate(dues)
    ]


MIDNIGHT, DAY_END = 1767916800, 1768003199  # 2026-01-09, first and last second in UTC


def test_due_times_that_are_all_midnight_mean_the_day(workspace: Workspace, tmp_path: Path) -> None:
    lines = promised(["2026-01-09 00:00:00", "2026-01-10 00:00:00"], "2026-01-09 23:59:59.980")
    done = bring(workspace, tmp_path, lines).receipt
    assert dues(workspace)[0] == ("0", DAY_END, 1)
    assert done.dues == {"Due": "end_of_day"}
    said = "due times in 'Due' name midnight and were read as the end of that day (`due_is` in the mapping decides)"
    assert done.notes[said] == 2


def test_one_due_time_of_another_time_of_day_makes_instants_also_for_later_files(
    workspace: Workspace, tmp_path: Path
) -> None:
    lines = promised(["2026-01-09 00:00:00", "2026-01-10 17:00:00"], "2026-01-09 00:00:00.020")
    assert bring(workspace, tmp_path, lines).receipt.dues == {"Due": "instant"}
    assert dues(workspace)[0] == ("0", MIDNIGHT, 1)
    again = bring(workspace, tmp_path, lines[:1]).receipt
    assert (again.dues, again.moments_new) == ({"Due": "instant"}, 0)


@pytest.mark.parametrize(
    ("due_is", "due", "second", "fate"),
    [
        ("end_of_day", "2026-01-09 00:00:00", DAY_END, 1),
        ("end_of_day", "2026-01-09 17:00:00", MIDNIGHT + 17 * 3600, 1),
        ("start_of_day", "2026-01-09 00:00:00", MIDNIGHT, 2),
        ("start_of_day", "2026-01-09", MIDNIGHT, 2),
        ("instant", "2026-01-09 00:00:00", MIDNIGHT, 2),
    ],
)
def test_the_mapping_decides_what_a_due_time_at_midnight_means(
    due_is: str, due: str, second: int, fate: int, workspace: Workspace, tmp_path: Path
) -> None:
    lines = promised([due], "2026-01-09 12:00:00")
    done = bring(workspace, tmp_path, lines, desk(due=f'due_is = "{due_is}"')).receipt
    assert dues(workspace) == [("0", second, fate)]
    assert done.dues == {}


def test_midnight_is_the_source_s_own(tmp_path: Path) -> None:
    home = create_workspace(tmp_path / "home", "Europe/Berlin")
    bring(home, tmp_path, promised(["2026-07-09 00:00:00"], ""), desk(zone="Europe/Berlin"))
    assert dues(home) == [("0", 1783634399, 0)]  # 2026-07-09 23:59:59 in Berlin's summer


# Dates that stand for none


ORIGINS = ("0001-01-01 00:00:00", "1899-12-30 00:00:00", "1900-01-01 00:00:00", "1970-01-01 00:00:00")
SHIFTED = ("1969-12-31 19:00:00", "9999-12-31 23:59:59")


@pytest.mark.parametrize(
    ("zone", "mark"),
    [*(("UTC", mark) for mark in (*ORIGINS, *SHIFTED)), *(("Pacific/Auckland", mark) for mark in ORIGINS[2:])],
)
def test_a_date_that_stands_for_none_leaves_the_case_open(zone: str, mark: str, tmp_path: Path) -> None:
    home = create_workspace(tmp_path / "home", zone)
    done = bring(home, tmp_path, tickets(mark), desk(zone=zone)).receipt
    assert (done.rows_loaded, done.moments_refused) == (12, 0)
    assert totals(home) == (12, 9, 3)
    said = [what for what in done.notes if "stand for" in what]
    assert said == [f"dates {mark} in 'Solved' stand for “no date” and were taken as missing"]


def test_words_that_stand_for_none_leave_the_case_open(workspace: Workspace, tmp_path: Path) -> None:
    words = ("Not set", "NaT", "\\N", "None", "none", "(none)", "nil", "0000-00-00", "0000-00-00 00:00:00")
    lines = [line | {"Solved": word} for line, word in zip(tickets("")[:9], words, strict=True)]
    done = bring(workspace, tmp_path, [*lines, tickets("")[0] | {"ID": "1"}]).receipt
    assert (done.rows_loaded, done.moments_refused) == (10, 0)
    assert totals(workspace) == (10, 1, 9)
    zeros = "dates 0000-00-00 in 'Solved' stand for “no date” and were taken as missing"
    assert done.notes == {zeros: 2}
    assert "2 dates 0000-00-00 in 'Solved' stand for “no date” and were taken as missing." in receipt_lines(done)


def test_of_one_it_is_said_as_of_one() -> None:
    said = {
        "rows have 'a' before 'b'": "1 row has 'a' before 'b'",
        "dates 0001-01-01 in 'a' stand for “no date” and were taken as missing": "1 date 0001-01-01 in 'a' stands for “no date” and was taken as missing",
        "further such dates in 'a' were taken as missing": "1 further such date in 'a' was taken as missing",
        "dates in 'a' are written like 31.01.2026, most are written like 2026-01-31": "1 date in 'a' is written like 31.01.2026, most are written like 2026-01-31",
        "dates 1980-01-01 in 'a' lie before every opening: if that": "1 date 1980-01-01 in 'a' lies before every opening: if that",
        "case numbers stand for several openings (2 in all)": "1 case number stands for several openings (2 in all)",
        "stamps that the clock change skipped": "1 stamp that the clock change skipped",
        "moments later than the import itself": "1 moment later than the import itself",
        "dates that contradict their column's order (not read)": "1 date that contradicts their column's order (not read)",
        "due times in 'a' name midnight and were read as days": "1 due time in 'a' names midnight and was read as days",
        "cases closed by another file and open in this one: they stay closed": "1 case closed by another file and open in this one: it stays closed",
    }
    for many, one in said.items():
        assert format_note(1, many) == one
        assert format_note(1_200, many) == f"1,200 {many}"


def test_an_opening_that_stands_for_none_is_refused_with_that_reason(workspace: Workspace, tmp_path: Path) -> None:
    lines = tickets("")
    lines[0]["Opened"] = "1970-01-01 00:00:00"
    done = bring(workspace, tmp_path, lines).receipt
    assert done.reasons == {"Opened: stands for “no date” in many systems, and no case can start without one": 1}
    assert totals(workspace) == (11, 8, 3)


def test_a_column_with_other_dates_of_those_years_means_them(workspace: Workspace, tmp_path: Path) -> None:
    lines = [
        {"ID": "1", "Opened": "1969-12-30 00:00:00", "Solved": "1970-01-01 00:00:00"},
        {"ID": "2", "Opened": "1970-01-01 00:00:00", "Solved": "1970-02-02 00:00:00"},
    ]
    done = bring(workspace, tmp_path, lines).receipt
    assert done.rows_loaded == 2
    assert totals(workspace) == (2, 2, 0)


def test_another_date_that_is_repeated_before_every_opening_is_asked_about(
    workspace: Workspace, tmp_path: Path
) -> None:
    done = bring(workspace, tmp_path, tickets("2001-01-01 00:00:00")).receipt
    said = "dates 2001-01-01 00:00:00 in 'Solved' lie before every opening: if that stands for “no date”, add it to `missing` in the mapping"
    assert done.notes == {said: 3}
    other = create_workspace(tmp_path / "other", "UTC")
    bring(other, tmp_path, tickets("2001-01-01 00:00:00"), desk(top='missing = ["2001-01-01 00:00:00"]\n'))
    assert totals(other) == (12, 9, 3)


# What is doubtful is said at import


def test_impossible_orders_are_said(workspace: Workspace, tmp_path: Path) -> None:
    lines = tickets("")
    lines[0]["Solved"], lines[1]["Due"] = "2026-01-08 09:00:00", "2026-01-01 12:00:00"
    notes = bring(workspace, tmp_path, lines).receipt.notes
    assert notes == {"rows have 'Solved' before 'Opened'": 1, "rows have 'Due' before 'Opened'": 1}


def test_numbers_that_a_spreadsheet_shortened_are_said(workspace: Workspace, tmp_path: Path) -> None:
    notes = bring(workspace, tmp_path, [line | {"ID": "1.02E+11"} for line in tickets("")]).receipt.notes
    assert any("a spreadsheet shortened (1.02E+11)" in what and count == 12 for what, count in notes.items())
    assert notes["case numbers stand for several openings (12 in all)"] == 1


def test_mixed_ways_of_writing_dates_are_said(workspace: Workspace, tmp_path: Path) -> None:
    lines = [line | {"Opened": line["Opened"][:10], "Solved": ""} for line in tickets("")]
    for line in lines[:4]:
        line["Opened"] = f"{int(line['ID']) - 982}-01-26"
    done = bring(workspace, tmp_path, lines).receipt
    assert done.rows_loaded == 12
    assert done.notes["dates in 'Opened' are written like 31-01-26, most are written like 2026-01-31"] == 4
    assert rows_of(workspace, workspace.cases, "min(asked_month), max(asked_month)") == [(202601, 202601)]


# What the export cannot tell


def test_what_an_export_cannot_tell_is_kept_in_its_receipt_and_the_last_of_several_in_the_log(
    workspace: Workspace, tmp_path: Path
) -> None:
    told = '[cannot]\nhanded_over = "last state only"\nfirst_resolved = "the last is known alone"\n'
    text = MAPPING.replace("ZONE", "UTC").replace("DUE", "").replace("SCALE", "nps10").replace("EXTRA", "")
    mapping = parse_mapping(text.replace('at = "Solved"\n[', 'at = "Solved"\nat_is = "last"\n[') + told, "desk.toml")
    bring(workspace, tmp_path, tickets(""), mapping)
    (receipt,) = log.receipts(workspace)
    assert receipt.cannot == {"handed_over": "last state only", "first_resolved": "the last is known alone"}
    assert rows_of(workspace, workspace.log, "at_is, count(*)", "kind = 'resolved' GROUP BY at_is") == [("last", 9)]


def test_a_receipt_of_an_earlier_version_still_opens(workspace: Workspace, tmp_path: Path) -> None:
    bring(workspace, tmp_path, tickets(""))
    (path,) = workspace.imports.glob("*/receipt.json")
    whole = json.loads(path.read_text(encoding="utf-8"))
    for later in ("cannot", "moments_refused", "losses", "dates", "dues"):
        del whole[later]
    path.write_text(json.dumps(whole), encoding="utf-8")
    (receipt,) = log.receipts(workspace)
    assert (receipt.rows_loaded, receipt.cannot, receipt.moments_refused) == (12, {}, 0)


def test_a_case_that_a_later_list_shows_open_again_is_said(tmp_path: Path) -> None:
    home = create_workspace(tmp_path / "home", "UTC")
    mapping = parse_mapping(
        'name = "desk"\ncase = "id"\n[[moment]]\nkind = "asked"\nat = "opened"\n[[moment]]\nkind = "resolved"\nat = "solved"\n',
        "desk",
    )
    file = tmp_path / "desk.csv"
    file.write_text("id,opened,solved\nA,2026-01-02 09:00,2026-01-03 09:00\nB,2026-01-02 10:00,\n", encoding="utf-8")
    assert not any("stay closed" in note for note in import_file(home, file, mapping, now=NOW).receipt.notes)
    later = tmp_path / "later.csv"
    later.write_text("id,opened,solved\nA,2026-01-02 09:00,\nB,2026-01-02 10:00,2026-01-04 09:00\n", encoding="utf-8")
    notes = import_file(home, later, mapping, now=NOW).receipt.notes
    assert [count for note, count in notes.items() if "stay closed" in note] == [1]
    notes = import_file(home, file, mapping, now=NOW).receipt.notes  # the older list again: now B
    assert [count for note, count in notes.items() if "stay closed" in note] == [1]


def test_a_day_without_a_time_is_not_before_an_hour_of_its_own(tmp_path: Path) -> None:
    home = create_workspace(tmp_path / "home", "UTC")
    mapping = parse_mapping(
        'name = "desk"\ncase = "id"\n[[moment]]\nkind = "asked"\nat = "opened"\n[[moment]]\nkind = "resolved"\nat = "solved"\n',
        "desk",
    )
    file = tmp_path / "desk.csv"
    lines = [f"C{case},2026-01-{1 + case % 20:02d} 08:00,2026-01-{1 + case % 20:02d}" for case in range(60)]
    file.write_text("\n".join(["id,opened,solved", *lines]) + "\n", encoding="utf-8")
    assert not [note for note in import_file(home, file, mapping, now=NOW).receipt.notes if "before" in note]


def test_a_length_of_time_makes_a_moment_that_says_how_exact_it_is(tmp_path: Path) -> None:
    """Asked at 9:00 Berlin time; minutes, hours with a decimal comma, and h:mm:ss; what is no length of time costs its moment."""
    path = tmp_path / "t.csv"
    path.write_text(
        'id,opened,first_min,closed_h,solved\n1,2026-01-09 09:00,30,"1,5",26:05:09\n2,2026-01-09 09:00,,"2,25",0:40\n3,2026-01-09 09:00,-4,soon,1:70\n',
        encoding="utf-8",
    )
    blocks = (("replied", "first_min", "minutes"), ("assigned", "closed_h", "hours"), ("resolved", "solved", "clock"))
    mapping = parse_mapping(
        'name = "t"\ncase = "id"\nzone = "Europe/Berlin"\n[[moment]]\nkind = "asked"\nat = "opened"\nrequired = true\n'
        + "".join(
            f'[[moment]]\nkind = "{kind}"\nat = "opened"\ndelay = "{column}"\ndelay_unit = "{unit}"\n'
            for kind, column, unit in blocks
        ),
        "t.toml",
    )
    workspace = create_workspace(tmp_path / "home", "UTC")
    done = import_file(workspace, path, mapping, NOW)
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        rows = db.sql(
            f"SELECT case_id, kind, strftime(\"at\", '%d %H:%M:%S'), at_is FROM read_parquet({list(log.snapshot(workspace.log).files)!r}) WHERE kind <> 'asked' ORDER BY ALL"
        ).fetchall()
    assert rows == [
        ("1", "assigned", "09 09:30:00", "rounded"), ("1", "replied", "09 08:30:00", "rounded"), ("1", "resolved", "10 10:05:09", "time"),
        ("2", "assigned", "09 10:15:00", "rounded"), ("2", "resolved", "09 08:40:00", "time"),
    ]  # fmt: skip
    assert done.receipt.losses == {
        "first_min (replied): is no length of time in minutes": 1, "closed_h (assigned): is no length of time in hours": 1,
        "solved (resolved): is no length of time in h:mm or h:mm:ss": 1,
    }  # fmt: skip

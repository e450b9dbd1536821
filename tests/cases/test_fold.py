"""What the fold makes of a case's moments: turns, renegotiated promises, merged and split cases, several answers, slices."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder
from typer.testing import CliRunner

from tests.clock_oracle import Event, in_order, turns_of
from tests.clock_workspace import workspace_of
from tests.conftest import NOW, sample
from tests.measure.test_timeline import CALENDARS, some_case
from wellserved import cases
from wellserved.actions import open_cases
from wellserved.actions.explorations import find_gaps
from wellserved.actions.imports import import_file
from wellserved.actions.open_cases import open_case_table
from wellserved.actions.questions import ask_measures
from wellserved.cli import app
from wellserved.engine import duckdb
from wellserved.engine.duckdb import DuckDB
from wellserved.mapping import parse_mapping
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.moments import NotComputable
from wellserved.record import moment_columns_sql, with_identity
from wellserved.storage import delta, log, months
from wellserved.storage.workspace import Workspace, create_workspace

MAPPING = """
name = "made"
case = "case"
[columns]
customer_id = "customer"
service = "service"
""" + "".join(
    f'[[moment]]\nkind = "{kind}"\nat = "at"\nref = "ref"\n{more}when = {{ column = "kind", is = ["{kind}"] }}\n'
    for kind, more in {
        **dict.fromkeys(("asked", "replied", "chased", "resolved", "merged", "split", "prioritised", "surveyed", "reopened", "paused", "resumed"), ""),
        "promised": 'due = "due"\ndue_is = "instant"\n',
        "rated": 'score = "score"\nscale = "SCALE"\n',
    }.items()
)  # fmt: skip


def made(folder: Path, lines: Sequence[str], scale: str = "csat5") -> Workspace:
    """Lines: case, day of January 2024, kind, then due=, score= or customer=; as of 31 January."""
    workspace = create_workspace(folder / "home", "UTC")
    path = folder / "made.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["case", "at", "kind", "due", "score", "customer", "service", "ref"])
        writer.writeheader()
        for place, line in enumerate([*lines, "the last, 31, asked"]):
            case, day, kind, *rest = [part.strip() for part in line.split(",")]
            facts = dict(part.split("=") for part in rest)
            facts |= {"due": f"2024-01-{int(facts['due']):02d} 00:00:00"} if "due" in facts else {}
            writer.writerow(
                {
                    "case": case,
                    "at": f"2024-01-{int(day):02d} 00:00:00",
                    "kind": kind,
                    "service": "s",
                    "ref": place,
                    **facts,
                }
            )
    import_file(
        workspace, path, parse_mapping(MAPPING.replace("SCALE", scale), "made"), datetime(2024, 3, 1, tzinfo=UTC)
    )
    return workspace


def columns_of(workspace: Workspace, *names: str) -> dict[str, tuple[object, ...]]:
    with open_case_table(workspace) as scope:
        rows = scope.engine.query(f"SELECT case_id, {', '.join(names)} FROM cases").to_pylist()
    return {row["case_id"]: tuple(row[name] for name in names) for row in rows}


def value(workspace: Workspace, name: str, **question: object) -> tuple[int, object]:
    (series,) = ask_measures(workspace, MeasureQuestion((find_measure(name),), **question))  # type: ignore[arg-type]
    return series.n[0], series.value[0]


def some_talk(draw: random.Random) -> list[Event]:
    """A case in which both sides say much."""
    kinds = [
        "replied",
        "chased",
        "complained",
        "explained",
        "returned",
        "paused",
        "resolved",
        "reopened",
        "auto_replied",
    ]
    second, events = 1_710_000_000 + draw.randrange(10_000_000), []
    for place in range(draw.randrange(2, 15)):
        events.append(Event(second, draw.choice(kinds) if place else "asked"))
        second += draw.choice([0, 1, draw.randrange(90_000)])
    return in_order(events)


def test_turns_are_counted_as_the_oracle_counts_them(tmp_path: Path) -> None:
    draw = random.Random(20261126)
    made_cases = {f"case {number}": some_case(draw) for number in range(500)}
    made_cases |= {f"talk {number}": some_talk(draw) for number in range(1_000)}
    found = columns_of(workspace_of(tmp_path, made_cases, CALENDARS), "turns", "next_reply_secs", "turn_s")
    several = 0
    for number, events in made_cases.items():
        waits, since = turns_of(in_order(events))
        assert found[number] == (len(waits), max(waits, default=None), since), events
        several += len(waits) > 1
    assert several > 10
    assert sum(row[2] is not None for row in found.values()) > 50


def test_the_wait_for_the_next_reply_counts_words_that_nobody_has_answered(tmp_path: Path) -> None:
    """Eleven answered after 10 hours, one waiting for two days: n is 12, the median 10 hours."""
    hour, cases_ = 3_600, {}
    for n in range(11):
        cases_[f"{n}"] = [Event(0, "asked"), Event(hour, "replied"), Event(2 * hour, "chased"), Event(3 * hour, "chased"), Event(12 * hour, "replied"), Event(13 * hour, "resolved")]  # fmt: skip
    cases_["waits"] = [Event(0, "asked"), Event(hour, "replied"), Event(2 * hour, "chased")]
    cases_["closed without an answer"] = [Event(0, "asked"), Event(hour, "replied"), Event(2 * hour, "chased"), Event(50 * hour, "resolved")]  # fmt: skip
    workspace = workspace_of(tmp_path, cases_)
    assert value(workspace, "time_to_next_reply") == (12, 10.0)


def test_pauses_and_holds_are_summed_and_open_ones_counted_so_far(tmp_path: Path) -> None:
    hour, cases_ = 3_600, {}
    for n in range(10):
        cases_[f"{n}"] = [Event(0, "asked"), Event(hour, "paused"), Event(4 * hour, "resumed"), Event(5 * hour, "paused"), Event(7 * hour, "resolved")]  # fmt: skip
    cases_["still"] = [Event(0, "asked"), Event(hour, "paused")]
    cases_["never"] = [Event(0, "asked"), Event(90 * hour, "resolved")]
    workspace = workspace_of(tmp_path, cases_)
    assert value(workspace, "agent_wait") == (11, 5.0)
    assert isinstance(value(workspace, "on_hold")[1], NotComputable)


def test_another_time_named_in_time_is_agreed_and_named_too_late_is_not(tmp_path: Path) -> None:
    lines = []
    for n in range(10):  # agreed on day 3, before day 5 had passed; kept by day 9
        lines += [f"a{n}, 1, asked", f"a{n}, 1, promised, due=5", f"a{n}, 3, promised, due=9", f"a{n}, 8, resolved"]
    for n in range(6):  # named on day 6, after day 5 had passed
        lines += [f"b{n}, 1, asked", f"b{n}, 1, promised, due=5", f"b{n}, 6, promised, due=9", f"b{n}, 8, resolved"]
    for n in range(4):  # said again without a change; kept
        lines += [f"c{n}, 1, asked", f"c{n}, 1, promised, due=5", f"c{n}, 2, promised, due=5", f"c{n}, 4, resolved"]
    workspace = made(tmp_path, lines)
    found = columns_of(workspace, "renegotiated", "overrun", "promises")
    assert (found["a0"], found["b0"], found["c0"]) == ((1, 0, 2), (0, 1, 2), (0, 0, 2))
    assert value(workspace, "promise_renegotiated") == (20, 0.5)
    assert value(workspace, "promise_overrun") == (20, 0.3)
    assert value(workspace, "promise_kept") == (20, 1.0)
    assert value(workspace, "first_promise_kept") == (20, 0.2)


def test_promises_are_set_beside_what_came_of_them(tmp_path: Path) -> None:
    """Twelve promised four days took three, twelve promised one day took nine: the second should promise nine."""
    lines = [line for n in range(12) for line in (f"a{n}, 1, asked", f"a{n}, 1, promised, due=5", f"a{n}, 4, resolved")]
    lines += [
        line for n in range(12) for line in (f"b{n}, 1, asked", f"b{n}, 1, promised, due=2", f"b{n}, 10, resolved")
    ]
    workspace = made(tmp_path, lines)
    done = CliRunner().invoke(
        app,
        ["promises", "--by", "promised", "--format", "csv", "--home", str(workspace.folder)],
        catch_exceptions=False,
    )
    first, second = list(csv.DictReader(done.stdout.splitlines()))
    assert (first["promised"], first["fell due"], first["kept"], first["nine in ten done within"]) == (
        "01 day",
        "12",
        "0.0%",
        "9 days",
    )
    assert (second["promised"], second["kept"], second["promised, median"], second["nine in ten done within"]) == (
        "04 days",
        "100.0%",
        "4 days",
        "3 days",
    )
    assert "another time agreed" not in second
    shown = CliRunner().invoke(
        app, ["promises", "--by", "promised", "--home", str(workspace.folder)], env={"COLUMNS": "200"}
    )
    assert "Not computable here: another time agreed (the record holds no second due times)" in " ".join(
        shown.stdout.split()
    )


def test_a_merged_case_is_neither_resolved_nor_open_nor_abandoned(tmp_path: Path) -> None:
    lines = [line for n in range(12) for line in (f"{n}, 1, asked", f"{n}, 3, resolved")]
    lines += [line for n in range(3) for line in (f"m{n}, 1, asked", f"m{n}, 1, promised, due=2", f"m{n}, 20, merged")]
    lines += ["s, 1, asked", "s, 2, prioritised", "s, 2, split", "s2, 2, asked", "s, 4, resolved", "s2, 9, resolved"]
    workspace = made(tmp_path, lines)
    found = columns_of(workspace, "closed", "merged", "abandoned", "resolved_unknown", "full_secs", "promise_fate")
    assert found["m0"] == (1, 1, 0, 0, None, None)
    assert found["s"] == (1, 0, 0, 0, 3 * 86_400, None)
    assert value(workspace, "resolved") == (14, 14.0)
    assert value(workspace, "time_to_resolution") == (
        15,
        2.0,
    )  # twelve, the two that were split, and the last, still open
    assert value(workspace, "still_open") == (1, 1.0)


def test_the_last_of_several_answers_counts_and_all_are_kept(tmp_path: Path) -> None:
    lines = [
        line
        for n in range(12)
        for line in (f"{n}, 1, asked", f"{n}, 2, resolved", f"{n}, 3, rated, score=1", f"{n}, 5, rated, score=5")
    ]
    workspace = made(tmp_path, lines)
    assert value(workspace, "rating_mean") == (12, 5.0)
    assert columns_of(workspace, "ratings", "score")["3"] == (2, 5.0)
    with open_case_table(workspace, with_moments=True) as scope:
        kept = scope.engine.query("SELECT count(*) AS n FROM moments WHERE kind = 'rated'")["n"].to_pylist()
    assert kept == [24]


def test_on_effort_a_low_score_is_good(tmp_path: Path) -> None:
    """CES 1.0: ten ratings, 1 1 1 2 2 3 3 4 5 5: five good, three bad, mean effort 2.7; no mean rating."""
    lines = [line for n, score in enumerate((1, 1, 1, 2, 2, 3, 3, 4, 5, 5)) for line in (f"{n}, 1, asked", f"{n}, 2, resolved", f"{n}, 3, rated, score={score}")]  # fmt: skip
    workspace = made(tmp_path, lines, "ces5")
    assert value(workspace, "rating_good") == (10, 0.5)
    assert value(workspace, "rating_bad") == (10, 0.3)
    assert value(workspace, "rating_net") == (10, pytest.approx(20))
    assert value(workspace, "effort_mean") == (10, 2.7)
    assert isinstance(value(workspace, "rating_mean")[1], NotComputable)


def test_only_those_who_were_asked_are_in_the_response_rate_where_that_is_known(tmp_path: Path) -> None:
    """Twenty resolved, ten of them asked, four of these answer, three of them well."""
    lines = [line for n in range(20) for line in (f"{n}, 1, asked", f"{n}, 2, resolved")]
    lines += [f"{n}, 2, surveyed" for n in range(10)] + [f"{n}, 3, rated, score={4 if n else 1}" for n in range(4)]
    workspace = made(tmp_path, lines)
    assert value(workspace, "response_rate") == (10, 0.4)
    assert value(workspace, "rated_rate") == (20, 0.2)  # of all of them: who chooses whom to ask cannot raise it
    assert value(workspace, "rating_good_least") == (10, 0.3)
    assert value(workspace, "rating_good_most") == (10, 0.9)


def test_machines_pauses_and_mergers_leave_their_shares(tmp_path: Path) -> None:
    """Twelve cases: six answered at once and four the next day, three paused, two merged; and the last, still open."""
    lines = [f"{n}, 1, asked" for n in range(12)] + [f"{n}, {1 if n < 6 else 2}, replied" for n in range(10)]
    lines += [line for n in range(3) for line in (f"{n}, 2, paused", f"{n}, 3, resumed")]
    lines += [f"{n}, 5, {'merged' if n > 9 else 'resolved'}" for n in range(12)]
    workspace = made(tmp_path, lines)
    assert value(workspace, "answered_within_a_minute") == (10, 0.6)
    assert value(workspace, "paused_rate") == (13, 3 / 13)
    assert value(workspace, "merged_rate") == (13, 2 / 13)


def test_who_comes_back_within_a_week_was_not_helped_at_the_first_contact(tmp_path: Path) -> None:
    """Twelve customers come once; A comes again five days after the resolution, B after nine; C is too recent to know."""
    lines = [line for n in range(12) for line in (f"{n}, 1, asked, customer=c{n}", f"{n}, 2, resolved")]
    lines += ["a1, 1, asked, customer=A", "a1, 2, resolved", "a2, 7, asked, customer=A", "a2, 8, resolved"]
    lines += ["b1, 1, asked, customer=B", "b1, 2, resolved", "b2, 11, asked, customer=B", "b2, 12, resolved"]
    lines += ["c, 26, asked, customer=C", "c, 27, resolved"]
    workspace = made(tmp_path, lines)
    assert value(workspace, "first_contact_resolution_7d") == (16, 15 / 16)
    assert value(workspace, "repeat_case_rate") == (16, 1 / 16)  # six days after the ask, whenever it was resolved
    # A filter chooses cases, not what is known about the customer.
    assert value(workspace, "first_contact_resolution_7d", until=datetime(2024, 1, 5).date()) == (14, 13 / 14)


def test_cases_folded_in_slices_are_the_same_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, parts, slices = [], [], []
    for size, called in ((10**9, "whole"), (8_000, "slices"), (1_000, "parts")):
        monkeypatch.setattr(cases.slices, "SLICE_MOMENTS", size)
        monkeypatch.setattr(cases.slices, "MAX_MOMENTS_HELD", size)
        monkeypatch.setattr(months, "ROW_GROUP_SIZE", size // 40)
        monkeypatch.setattr(months, "MAX_PENDING_ROWS", size // 20)
        workspace = create_workspace(tmp_path / called, "America/New_York")
        for name in ("boston311_slice.csv.gz", "servicenow_slice.csv.gz"):
            import_file(workspace, sample(name), now=NOW)
        with open_case_table(workspace, with_moments=True) as scope:
            found.append(scope.engine.query("SELECT * FROM cases ORDER BY source, case_id").to_pylist())
            files = log.snapshot(workspace.log).files
            assert isinstance(scope.engine, DuckDB)
            db = scope.engine.db
            parts.append(cases.slices._LastGroups(db, cases.slices._row_groups(db, files)).partition_count)
            slices.append(len(list(cases.slices.slices_of_files(db, files))))
    assert len(found[0]) > 5_000
    assert found[0] == found[1] == found[2]
    assert parts[:2] == [1, 1]
    assert parts[2] > 1  # more moments are kept than may be held
    assert slices[0] == 1 < slices[1]


def test_what_is_withdrawn_before_it_was_ever_folded_leaves_nothing_and_hinders_nothing(tmp_path: Path) -> None:
    workspace = made(tmp_path, [f"{case}, 1, asked" for case in range(20)])
    ask_measures(workspace, MeasureQuestion((find_measure("asked"),)))  # folds them
    for said, content in (("time", 1), ("withdrawn", 2)):
        fact = {"at": "TIMESTAMPTZ '2024-01-05 00:00:00+00'", "at_is": f"'{said}'", "kind": "'failed'", "case_id": "'never folded'",
                "source_ref": "'r'", "source_row": "0", "content": str(content)}  # fmt: skip
        with workspace.write_lock() as scratch:
            db = duckdb.connect(workspace.log, scratch=scratch)
            db.execute(
                f"CREATE TEMP TABLE batch AS {with_identity(f'SELECT {moment_columns_sql(fact)}', 'journal', NOW + timedelta(hours=content), 'journal')}"
            )
            log.append(db, workspace, "batch", False, "journal")
    with workspace.write_lock() as scratch:
        assert cases.refresh(workspace, scratch, lambda *_: None) == 0
        assert cases.refresh(workspace, scratch, lambda *_: None) == 0
    assert value(workspace, "asked") == (21, 21.0)
    assert log.snapshot(workspace.cases).facts["log_version"] == str(log.snapshot(workspace.log).version)


def logged(workspace: Workspace, given: Sequence[dict[str, str]], hour: int) -> None:
    """Append moments to the log as they were learnt in an hour, without folding them."""
    rows = []
    for fact in given:
        fact = {"at_is": "'time'", "source_row": "1", "content": f"{hour + 1}", **fact}
        rows.append(f"SELECT {moment_columns_sql(fact)}")
    with workspace.write_lock() as scratch:
        db = duckdb.connect(workspace.log, scratch=scratch)
        batch = with_identity(" UNION ALL ".join(rows), "desk", NOW + timedelta(hours=hour), str(hour))
        db.execute(f"CREATE TEMP TABLE batch AS {batch}")
        log.append(db, workspace, "batch", False, str(hour))


def chased(case: str, number: int) -> dict[str, str]:
    """The customer chased, by the desk's record `number`."""
    day = number % 28 + 1
    return {
        "at": f"TIMESTAMPTZ '2024-0{number % 3 + 1}-{day:02d} 00:00:00+00'",
        "kind": "'chased'",
        "case_id": f"'{case}'",
        "source_ref": f"'r{number}'",
    }


def as_told(workspace: Workspace) -> dict[str, int]:
    """Contacts by case."""
    with open_case_table(workspace) as scope:
        rows = scope.engine.query("SELECT case_id, moments FROM cases").to_pylist()
    return {row["case_id"]: row["moments"] for row in rows}


@pytest.mark.parametrize("size", [10**9, 60], ids=["at once", "in slices"])
def test_a_moment_that_is_corrected_into_another_case_counts_there_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """In a refresh, in a whole fold of any slices, in what is asked of the log itself; and a case without moments is none."""
    monkeypatch.setattr(cases.slices, "SLICE_MOMENTS", size)
    monkeypatch.setattr(cases.slices, "MAX_MOMENTS_HELD", size)
    workspace = create_workspace(tmp_path / "home", "UTC")
    logged(workspace, [chased(f"c{number // 3}", number) for number in range(300)], 0)
    assert as_told(workspace) == {f"c{case}": 3 for case in range(100)}
    moved = {0: "c99", 3: "c2", 4: "c2", 5: "c2", 100: "new"}  # c1 loses all that it had
    logged(workspace, [chased(case, number) for number, case in moved.items()], 1)
    wanted = {f"c{case}": 3 for case in range(100)} | {"c0": 2, "c99": 4, "c2": 6, "c33": 2, "new": 1}
    del wanted["c1"]
    assert as_told(workspace) == wanted
    monkeypatch.setattr(cases, "FOLD_VERSION", "another")  # all cases are folded anew
    assert as_told(workspace) == wanted
    with open_case_table(workspace, with_moments=True) as scope:
        rows = scope.engine.query("SELECT case_id, count(*) AS n FROM moments GROUP BY 1").to_pylist()
    assert {row["case_id"]: row["n"] for row in rows} == wanted


def all_told(workspace: Workspace) -> list[dict[str, Any]]:
    """Every column of every case."""
    with open_case_table(workspace) as scope:
        rows: list[dict[str, Any]] = scope.engine.query("SELECT * FROM cases ORDER BY source, case_id").to_pylist()
    return rows


@pytest.mark.parametrize("seed", range(2))
def test_any_run_of_refreshes_gives_what_one_whole_fold_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """New, corrected, moved and withdrawn moments; rows are struck out of large files, small ones are written again."""
    monkeypatch.setattr(cases, "SMALL_FILE_ROWS", 9)
    monkeypatch.setattr(cases, "MAX_DELETED_SHARE", 1 / 6)
    monkeypatch.setattr(cases, "MAX_CHANGED_SHARE", 1)
    monkeypatch.setattr(delta, "_CHECKPOINT_INTERVAL", 4)
    draw = random.Random(seed)
    workspace = create_workspace(tmp_path / "home", "UTC")
    logged(workspace, [chased(f"c{number // 3}", number) for number in range(300)], 0)
    assert folded_cases(workspace) == 100
    struck, files = set(), set()
    for hour in range(1, 16):
        numbers = draw.sample(range(330), draw.randrange(1, 7))
        lot = [chased(f"c{draw.choice((number // 3, draw.randrange(120)))}", number) for number in numbers]
        gone = [{**said, "at_is": "'withdrawn'"} if draw.random() < 0.2 else said for said in lot]
        logged(workspace, gone, hour)
        assert 0 < folded_cases(workspace) < 40
        now = log.snapshot(workspace.cases)
        struck |= set(now.deleted_rows)
        files |= set(now.files)
        if hour % 5 == 0:
            told = all_told(workspace)
            asked = QueryBuilder().register("t", DeltaTable(delta.table_uri(workspace.cases)))
            numbers = pa.table(asked.execute("SELECT case_id FROM t ORDER BY source, case_id").read_all())["case_id"]
            assert numbers.to_pylist() == [row["case_id"] for row in told]  # as another program reads it
            copied = create_workspace(shutil.copytree(workspace.folder, tmp_path / f"copy {hour}"), "UTC")
            with monkeypatch.context() as patched:
                patched.setattr(cases, "FOLD_VERSION", "another")
                assert all_told(copied) == told
    assert struck  # and of those some were written again:
    assert struck - set(now.files)
    assert len(now.files) < len(files) / 2


def test_another_engine_reads_files_from_which_nothing_is_struck_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "SMALL_FILE_ROWS", 9)
    monkeypatch.setattr(cases, "MAX_DELETED_SHARE", 1 / 6)
    workspace = create_workspace(tmp_path / "home", "UTC")
    logged(workspace, [chased(f"c{number // 3}", number) for number in range(300)], 0)
    folded_cases(workspace)
    logged(workspace, [chased("new", 1), chased("c50", 301)], 1)
    told = all_told(workspace)
    assert log.snapshot(workspace.cases).deleted_rows
    read: list[str] = []

    def elsewhere(_: str, files: Sequence[str], columns: Mapping[str, str]) -> tuple[duckdb.DuckDB, str]:
        read.extend(files)
        db = duckdb.connect(workspace.cases)
        duckdb.create_view(db, "cases", files, columns)
        return duckdb.DuckDB(db), "cases"

    monkeypatch.setattr(open_cases, "open_engine", elsewhere)
    monkeypatch.setenv("WELLSERVED_ENGINE", "postgresql://elsewhere")
    assert all_told(workspace) == told
    now = log.snapshot(workspace.cases)
    assert not now.deleted_rows
    assert tuple(read) == now.files
    assert cases.is_current(workspace, log.snapshot(workspace.log), now)


def test_groups_of_the_log_that_cannot_hold_a_case_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the numbers of the cases alone, long ones too, of which a file tells the first letters only."""
    workspace = create_workspace(tmp_path / "home", "UTC")
    long = "ü" * 40
    names = [f"{long}{number:03}" for number in range(100, 400)]
    for hour, part in enumerate((names[:100], names[100:200], names[200:])):
        logged(workspace, [chased(case, 3 * place) for place, case in enumerate(part, 100 * hour)], hour)
    logged(workspace, [chased(f"b{number}", 3 * number) for number in range(900, 910)], 3)
    now, db = log.snapshot(workspace.log), duckdb.connect(workspace.log)
    read: list[str] = []
    whole = cases.slices._RowGroup.read

    def counted(group: Any, columns: Sequence[str]) -> Any:
        read.append(group.file)
        return whole(group, columns)

    monkeypatch.setattr(cases.slices._RowGroup, "read", counted)
    for case, most in ((names[150], 3), ("b905", 1), ("a", 0), ("x", 0)):
        read.clear()
        found = cases.slices.moments_of_cases(db, now.files, pa.table({"source": ["desk"], "case_id": [case]}))
        assert found["case_id"].to_pylist() == [case] * (most > 0)
        assert len(set(read)) <= most


def test_the_log_withdraws_nothing_that_it_never_said(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    logged(workspace, [chased("c", 1)], 0)
    logged(workspace, [{**chased("c", 2), "at_is": "'withdrawn'"}, {**chased("c", 3)}], 1)
    assert as_told(workspace) == {"c": 2}
    logged(workspace, [{**chased("c", 3), "at_is": "'withdrawn'"}], 2)
    assert as_told(workspace) == {"c": 1}


def test_a_withdrawn_expectation_is_in_no_gap(tmp_path: Path) -> None:
    """Twelve customers expected 5 and got 3; what one of them expected was withdrawn."""
    workspace = create_workspace(tmp_path / "home", "UTC")
    said = [
        {
            **chased(f"c{case}", 3 * case),
            "at": f"TIMESTAMPTZ '2024-01-0{place + 1} 00:00:00+00'",
            "kind": f"'{kind}'",
            "score": score,
            "scale": "'csat5'",
        }
        for case in range(12)
        for place, (kind, score) in enumerate((("expected", "5"), ("rated", "3")))
    ]
    logged(workspace, said, 0)
    (gap,) = find_gaps(workspace, "service", ()).gaps
    assert (gap.cases, gap.gap) == (12, -2)
    logged(workspace, [{**said[0], "at_is": "'withdrawn'", "score": "NULL"}], 1)
    (gap,) = find_gaps(workspace, "service", ()).gaps
    assert gap.cases == 11


def folded_cases(workspace: Workspace) -> int:
    with workspace.write_lock() as scratch:
        return cases.refresh(workspace, scratch, lambda *_: None)


def test_many_small_files_are_put_together_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty-four single moments, some of them corrections, into months of a hundred: few files, the same cases, the same history."""
    monkeypatch.setattr(log, "MAX_SMALL_FILES", 3)
    workspace = create_workspace(tmp_path / "home", "UTC")
    logged(workspace, [chased(f"c{number // 3}", number) for number in range(300)], 0)
    assert folded_cases(workspace) == 100
    first = log.snapshot(workspace.log)
    for hour in range(1, 25):
        number = 3 * hour if hour % 4 else 300 + hour  # three of four say another case of what was said before
        logged(workspace, [chased(f"d{hour}", number)], hour)
        assert folded_cases(workspace) <= 2  # the case that has it, and the one that had it
    assert len(log.snapshot(workspace.log).files) <= 3 * 3
    history = log.history(workspace)
    assert [one["moments"] for one in history] == [1] * 24 + [300]
    told = as_told(workspace)
    assert sum(told.values()) == 300 + 6
    assert sum(case.startswith("d") for case in told) == 24
    monkeypatch.setattr(cases, "FOLD_VERSION", "another")
    assert as_told(workspace) == told
    assert log.snapshot(workspace.log, first.version).files == first.files
    assert all(Path(file).exists() for file in first.files)  # what was known then can still be asked


def test_a_log_that_was_put_together_without_its_cases_is_folded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    for hour in range(6):
        logged(workspace, [chased(f"c{hour}", hour)], hour)
    told = as_told(workspace)
    monkeypatch.setattr(log, "MAX_SMALL_FILES", 2)
    before = log.snapshot(workspace.log)
    with workspace.write_lock():
        assert len(log.compact(workspace, before).files) == 3
    assert as_told(workspace) == told == {f"c{hour}": 1 for hour in range(6)}


def test_what_is_withdrawn_in_the_batch_that_says_it_does_not_stand(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    gone = {**chased("gone", 2), "at_is": "'withdrawn'", "source_row": "2", "content": "9"}
    logged(workspace, [chased("c", 1), chased("gone", 2), gone], 0)
    assert as_told(workspace) == {"c": 1}


def test_the_latest_version_is_told_from_names_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after a checkpoint, in a log that was restored without one, and where there is no log."""
    monkeypatch.setattr(log, "MAX_SMALL_FILES", 10)
    workspace = create_workspace(tmp_path / "home", "UTC")
    assert log.latest_version(workspace) == -1
    for hour in range(104):
        logged(workspace, [chased("c", hour)], hour)
        assert log.latest_version(workspace) == hour
    assert log.compact(workspace, log.snapshot(workspace.log)).version == 104 == log.latest_version(workspace)
    (workspace.log / "_delta_log" / "_last_checkpoint").unlink()
    assert log.latest_version(workspace) == 104


def test_a_backup_holds_every_version_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_SMALL_FILES", 2)
    workspace = create_workspace(tmp_path / "home", "UTC")
    for hour in range(4):
        logged(workspace, [chased("c", 3 * hour)], hour)
    log.compact(workspace, log.snapshot(workspace.log))
    version, files = log.stored_files(workspace)
    assert version == 4
    for place in range(version + 1):
        assert {Path(file) for file in log.snapshot(workspace.log, place).files} <= set(files)
    assert all(file.exists() for file in files)

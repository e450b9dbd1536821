"""A newer source, or one shared line, changes no number of another; a mixed answer says what it mixes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wellserved.actions.imports import import_file
from wellserved.actions.open_cases import open_case_table
from wellserved.actions.questions import ask_measures
from wellserved.actions.vendor_questions import ask_by_vendor, compare_rules, explain_case
from wellserved.cli import app
from wellserved.errors import RequestError
from wellserved.mapping import parse_mapping
from wellserved.measure import MEASURES, MeasureQuestion, Series, find_measure, series_records
from wellserved.measure.assembly import answer_question
from wellserved.measure.vendor_rules import find_vendor_rule
from wellserved.moments import Granularity, NotComputable
from wellserved.storage.workspace import Workspace, create_workspace

UNKNOWN = ("known up to", "the record begins", "no cases")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
KINDS = ("chased", "assigned", "replied", "reopened", "resolved", "complained", "returned", "paused", "resumed")
MOMENT = '[[moment]]\nkind = "{kind}"\nat = "at"\nref = "row"\nwhen = {{ column = "kind", is = ["{kind}"] }}\n'
RATED = '[[moment]]\nkind = "rated"\nat = "at"\nscore = "score"\nscale = "{scale}"\nwhen = {{ column = "kind", is = ["rated"] }}\n'
PROMISED = '[[moment]]\nkind = "promised"\nat = "at"\ndue = "due"\nwhen = {{ column = "kind", is = ["promised"] }}\n'


def mapping_text(name: str, kinds: Sequence[str], scale: str) -> str:
    head = f'name = "{name}"\ncase = "case"\n[columns]\nteam = "team"\ncustomer_id = "customer"\nservice = "service"\n'
    body = "".join(MOMENT.format(kind=kind) for kind in ("asked", *kinds))
    return head + body + RATED.format(scale=scale) + PROMISED.format()


def import_rows(workspace: Workspace, name: str, lines: Sequence[str], mapping: str) -> None:
    file = workspace.folder.parent / f"{name}.csv"
    file.write_text("row,case,at,kind,team,customer,service,score,due\n" + "\n".join(lines) + "\n", encoding="utf-8")
    import_file(workspace, file, parse_mapping(mapping, name), now=NOW)


def random_rows(seed: int, start: datetime, days: int, kinds: Sequence[str], scores: tuple[int, int]) -> list[str]:
    """Cases of a source that stops at a day of its own, some of them still open then."""
    draw = random.Random(seed)
    lines: list[str] = []
    for case in range(120):
        asked = start + timedelta(hours=draw.randrange(days * 24))
        team, customer = f"team {draw.randrange(3)}", f"customer {draw.randrange(40)}"

        def line(kind: str, hours: float, score: object = "", due: object = "", *, case: int = case) -> None:
            at = asked + timedelta(hours=hours)  # noqa: B023 - called within this round of the loop
            if at <= start + timedelta(days=days):
                cells = (len(lines), f"C{case}", f"{at:%Y-%m-%d %H:%M:%S}", kind, team, customer, "repairs", score, due)  # noqa: B023
                lines.append(",".join(map(str, cells)))

        line("asked", 0)
        line("promised", 0, due=f"{asked + timedelta(days=draw.randrange(1, 9)):%Y-%m-%d %H:%M:%S}")
        for kind in draw.sample(list(kinds), min(len(kinds), 4)):
            line(kind, draw.randrange(1, 400))
        if draw.random() < 0.8:
            line("resolved", draw.randrange(1, 500))
        if draw.random() < 0.5:
            line("rated", 501, score=draw.randint(*scores))
    return lines


def numbers(series: Series, segment: str | None) -> dict[object, object]:
    """What the rows of one segment say of each period of which anything is known."""
    part = series.of_segment(segment)
    said = zip(part.is_over, part.n, part.count, part.open, part.value, part.low, part.high, strict=True)
    computed: dict[object, object] = {
        period: row for period, row in zip(part.periods, said, strict=True) if not isinstance(row[4], NotComputable)
    }
    reasons = {value.reason for value in part.value if isinstance(value, NotComputable)}
    return computed or {"reasons": {reason for reason in reasons if not reason.startswith(UNKNOWN)}}


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Workspace]:
    """Two sources: an older one that records less, on another scale; each alone, and both together."""
    old = (
        random_rows(1, datetime(2026, 1, 1), 70, ("replied", "chased"), (1, 5)),
        mapping_text("old", ("replied", "chased", "resolved"), "csat5"),
    )
    new = (random_rows(2, datetime(2026, 2, 10), 100, KINDS, (0, 10)), mapping_text("new", KINDS, "nps10"))
    workspaces = {}
    for name, sources in (("old", {"old": old}), ("new", {"new": new}), ("both", {"old": old, "new": new})):
        workspaces[name] = create_workspace(tmp_path_factory.mktemp(name) / "home", "Europe/Berlin")
        for source, (lines, mapping) in sources.items():
            import_rows(workspaces[name], source, lines, mapping)
    return workspaces


@pytest.mark.parametrize("every", [None, "month"])
@pytest.mark.parametrize("source", ["old", "new"])
def test_adding_a_source_changes_no_number_of_another(
    apart: dict[str, Workspace], source: str, every: Granularity | None
) -> None:
    question = MeasureQuestion(MEASURES, granularity=every)
    with open_case_table(apart[source]) as scope:
        alone = answer_question(scope, question)
    with open_case_table(apart["both"]) as scope:
        filtered = answer_question(scope, replace(question, where=(("source", source),)))
        split = answer_question(scope, replace(question, by="source"))
    for measure in MEASURES:
        assert numbers(filtered[measure.name], None) == numbers(alone[measure.name], None), measure.name
        whole, part = numbers(alone[measure.name], None), numbers(split[measure.name], source)
        later = part.keys() - whole.keys()  # nothing runs then, by what is known now
        assert {key: part[key] for key in part if key not in later} == whole, measure.name
        assert not later or measure.name == "promise_running"


def test_of_a_period_after_a_sources_last_word_nothing_is_said(apart: dict[str, Workspace]) -> None:
    measures = tuple(find_measure(name) for name in ("asked", "still_open", "open_age"))
    with open_case_table(apart["both"]) as scope:
        answers = answer_question(scope, MeasureQuestion(measures, by="source", granularity="month"))
    for series in answers.values():
        part = series.of_segment("old")
        said = {period.label: value for period, value in zip(part.periods, part.value, strict=True) if period}
        assert isinstance(said["2026-03"], float)
        assert said["2026-04"] == NotComputable("known up to 2026-03-12")


def two_sources(folder: Path) -> Workspace:
    """Two cases open until 8 January; in March one unrelated case, which another source closed."""
    workspace = create_workspace(folder / "home", "UTC")
    mapping = mapping_text("a", ("resolved",), "csat5")
    first = ["1,A1,2026-01-02 09:00:00,asked,A,x,s,,", "2,A2,2026-01-05 09:00:00,asked,A,y,s,,",
             "3,A3,2026-01-05 10:00:00,asked,A,y,s,,", "4,A3,2026-01-08 09:00:00,resolved,A,y,s,,"]  # fmt: skip
    import_rows(workspace, "a", first, mapping)
    second = ["1,B1,2026-03-01 09:00:00,asked,B,z,s,,", "2,B1,2026-03-02 09:00:00,resolved,B,z,s,,"]
    import_rows(workspace, "b", second, mapping_text("b", ("resolved",), "csat5"))
    return workspace


def test_open_cases_of_an_older_source_are_still_open(tmp_path: Path) -> None:
    workspace = two_sources(tmp_path)
    still_open, age = find_measure("still_open"), replace(find_measure("open_age"), minimum_n=1)
    (series,) = ask_measures(workspace, MeasureQuestion((still_open,)))
    assert (series.n, series.value) == ((2,), (2.0,))
    assert series_records(series)[0]["note"] == "a as of 2026-01-08"
    (series,) = ask_measures(workspace, MeasureQuestion((still_open,), granularity="month"))
    assert series.value == (2.0, 2.0, 2.0)
    assert series.remark == ("a as of 2026-01-08",) * 3
    (series,) = ask_measures(workspace, MeasureQuestion((age,)))  # 6 and 3 days old on 8 January at 9
    assert (series.n, series.value) == ((2,), (4.5,))
    assert series.remark == ("a as of 2026-01-08",)


def test_counts_say_which_source_had_ended(tmp_path: Path) -> None:
    (series,) = ask_measures(two_sources(tmp_path), MeasureQuestion((find_measure("asked"),), granularity="month"))
    assert series.n == (3, 0, 1)
    assert series.remark == ("a known up to 2026-01-08",) * 3


def test_a_source_that_does_not_record_a_thing_is_left_out_of_its_share(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    asked = [f"{case},C{case},2026-01-02 09:00:00,asked,A,x{case},s,," for case in range(20)]
    import_rows(workspace, "silent", asked, mapping_text("silent", (), "csat5"))
    complained = [f"{100 + case},C{case},2026-01-03 09:00:00,complained,A,x{case},s,," for case in range(5)]
    import_rows(workspace, "told", [*asked, *complained], mapping_text("told", ("complained",), "csat5"))
    measure = find_measure("complaint_rate")
    (series,) = ask_measures(workspace, MeasureQuestion((measure,)))
    assert (series.count, series.n) == ((5,), (20,))  # not 5 of 40
    assert series.remark == ("without silent: the record holds no complaints",)
    (series,) = ask_measures(workspace, MeasureQuestion((measure,), by="source"))
    assert dict(zip(series.segments, series.value, strict=True)) == {
        "silent": NotComputable("the record holds no complaints"),
        "told": 0.25,
    }


def test_a_filter_that_matches_nothing_says_so_with_the_nearest_names(tmp_path: Path) -> None:
    workspace = two_sources(tmp_path)
    measures = tuple(find_measure(name) for name in ("asked", "still_open", "time_to_resolution"))
    for every in (None, "month"):
        for series in ask_measures(workspace, MeasureQuestion(measures, granularity=every, where=(("source", "aa"),))):
            assert series.value == (NotComputable("No case has source 'aa'. The nearest: a."),)
    (series,) = ask_measures(
        workspace, MeasureQuestion(measures[:1], by="team", where=(("team", "A"), ("source", "b")))
    )
    assert series.value == (NotComputable("No case has team 'A' and source 'b' together."),)
    (series,) = ask_measures(workspace, MeasureQuestion(measures[:1], where=(("customer_id", "xx"),)))
    assert series.value == (NotComputable("No case has customer_id 'xx'."),)


LAST = """
name = "desk"
case = "ID"
[columns]
team = "Group"
[[moment]]
kind = "asked"
at = "Created at"
[[moment]]
kind = "resolved"
at = "Solved at"
at_is = "last"
[cannot]
reopened = "the export counts reopenings and does not say when they were"
"""


def test_where_the_last_solve_alone_is_known_a_first_resolution_is_withheld(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    lines = [f"{case},A,2026-01-0{1 + case % 5} 09:00:00,2026-01-0{2 + case % 5} 09:00:00" for case in range(12)]
    file = tmp_path / "desk.csv"
    file.write_text("ID,Group,Created at,Solved at\n" + "\n".join(lines) + "\n", encoding="utf-8")
    import_file(workspace, file, parse_mapping(LAST, "desk"), now=NOW)
    reason = NotComputable("the source tells when a case was last resolved, not when first")
    first, full, reopened = (
        find_measure(name) for name in ("time_to_resolution", "time_to_full_resolution", "reopen_rate")
    )
    assert [series.value[0] for series in ask_measures(workspace, MeasureQuestion((first, full, reopened)))] == [
        reason,
        1.0,
        NotComputable("the export counts reopenings and does not say when they were"),
    ]
    theirs = [ask_by_vendor(workspace, MeasureQuestion((measure,)), "zendesk")[0].value[0] for measure in (first, full)]
    assert theirs == [reason, 1.0]
    shown = explain_case(workspace, "time_to_resolution", "3", None)
    zendesk = next(place for place, (rule, *_) in enumerate(shown.sums) if rule.vendor == "zendesk")
    assert (shown.sums[zendesk][1], shown.gap_reasons[zendesk]) == (None, reason.reason)
    with pytest.raises(RequestError, match="last resolved, not when first"):
        compare_rules(
            workspace,
            (
                find_vendor_rule(find_measure("time_to_resolution"), "ours"),
                find_vendor_rule(find_measure("time_to_resolution"), "zendesk"),
            ),
            None,
        )


def test_without_a_column_of_closings_nothing_is_called_open(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    import_rows(
        workspace,
        "a",
        [f"{case},C{case},2026-01-02 09:00:00,asked,A,x,s,," for case in range(12)],
        mapping_text("a", (), "csat5"),
    )
    names = ("still_open", "open_age", "promise_kept", "resolved")
    for series in ask_measures(workspace, MeasureQuestion(tuple(find_measure(name) for name in names))):
        assert series.value == (NotComputable("no column says when a case was resolved"),)
    lines = [f"{case},C{case},2026-01-02 09:00:00,asked,A,x,s,," for case in range(12)]
    import_rows(
        workspace, "a", lines, mapping_text("a", ("resolved",), "csat5")
    )  # the mapping corrected, the same file
    (series,) = ask_measures(workspace, MeasureQuestion((find_measure("still_open"),)))
    assert series.value == (12.0,)


def test_every_command_with_a_filter_says_that_nothing_matches(tmp_path: Path) -> None:
    workspace = two_sources(tmp_path)
    commands = (
        ("measure", "asked"), ("measure", "time_to_resolution", "--as", "zendesk"), ("chart", "asked"), ("promises",), ("queue",),
        ("drivers",), ("gap",), ("shift", "asked"), ("prove", "--measure", "asked", "--change", "2026-01-05", "--better", "lower"),
    )  # fmt: skip
    for command in commands:
        done = CliRunner().invoke(app, [*command, "--where", "team=AA", "--home", str(workspace.folder)])
        said = f"{done.output} {done.exception}"
        words = " ".join(said.split())
        assert (
            "No case has team 'AA'. The nearest: A." in words
            or "There is no team called 'AA'. Did you mean A?" in words
        ), command


def test_of_one_source_too_a_segment_says_what_the_record_lacks(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    lines = [f"{case},C{case},2026-01-02 09:00:00,asked,T{case % 2},x{case},s,," for case in range(40)]
    import_rows(workspace, "a", lines, mapping_text("a", ("complained", "resolved"), "csat5"))
    (series,) = ask_measures(workspace, MeasureQuestion((find_measure("complaint_rate"),), by="team"))
    assert series.segments == ("T0", "T1")
    assert series.value == (NotComputable("the record holds no complaints"),) * 2


def test_two_files_of_one_name_and_a_file_of_ratings_alone(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    still_open = MeasureQuestion((find_measure("still_open"),))
    lines = [f"{case},C{case},2026-01-02 09:00:00,asked,A,x,s,," for case in range(12)]
    import_rows(workspace, "desk", lines, mapping_text("desk", (), "csat5"))  # no column of closings
    later = [f"{case},D{case},2026-02-02 09:00:00,asked,A,x,s,," for case in range(12)]
    import_rows(workspace, "desk", later, mapping_text("desk", ("resolved",), "csat5"))  # another file, called alike
    (series,) = ask_measures(workspace, still_open)
    assert series.value == (NotComputable("no column says when a case was resolved (desk.csv)"),)
    other = create_workspace(tmp_path / "other", "UTC")
    import_rows(other, "desk", later, mapping_text("desk", ("resolved",), "csat5"))
    ratings = 'name = "desk"\ncase = "case"\n' + RATED.format(scale="csat5")
    import_rows(other, "desk", ["1,D1,2026-02-03 09:00:00,rated,A,x,s,4,"], ratings)
    (series,) = ask_measures(other, still_open)
    assert series.value == (12.0,)


def test_a_large_source_that_nobody_asked_about_changes_no_proof(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")

    def closed(name: str, first: datetime, cases: int) -> None:
        uneven = [case for case in range(cases) if case * case % 89 > 20]  # else no week differs from another
        stamps = [(case, first + timedelta(hours=6 * case)) for case in uneven]
        lines = [f"{2 * n},{name}{n},{at:%Y-%m-%d %H:%M:%S},asked,A,x{n},s,," for n, at in stamps]
        lines += [
            f"{2 * n + 1},{name}{n},{at + timedelta(hours=5):%Y-%m-%d %H:%M:%S},resolved,A,x{n},s,," for n, at in stamps
        ]
        import_rows(workspace, name, lines, mapping_text(name, ("resolved",), "csat5"))

    closed("small", datetime(2026, 1, 1), 420)
    command = [
        "prove",
        "--measure",
        "asked",
        "--better",
        "higher",
        "--change",
        "2026-02-15",
        "--every",
        "week",
        "--where",
        "source=small",
    ]
    command += ["--format", "json", "--home", str(workspace.folder)]
    before = CliRunner().invoke(app, command).output
    assert json.loads(before)["verdict"]["effect"] is not None
    closed("large", datetime(2026, 1, 1, 3), 6_200)
    after = CliRunner().invoke(app, command).output
    versions = re.compile(r'"log_version": \d+')
    assert versions.sub("", after) == versions.sub("", before)

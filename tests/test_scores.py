"""Scores and promises worked out by hand."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wellserved.actions.imports import import_file
from wellserved.actions.questions import ask_measures, service_report
from wellserved.mapping import parse_mapping
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.moments import NotComputable
from wellserved.storage.workspace import Workspace, create_workspace
from wellserved.wording import format_value

START = datetime(2024, 3, 4, 9, 0, tzinfo=UTC)
MAPPING = """
name = "made"
case = "case"
[[moment]]
kind = "asked"
at = "asked"
[[moment]]
kind = "promised"
at = "asked"
due = "due"
[[moment]]
kind = "resolved"
at = "resolved"
[[moment]]
kind = "rated"
at = "resolved"
score = "score"
scale = "{scale}"
"""
Row = tuple[str, str, str]  # due, resolved, score


def workspace(folder: Path, scale: str, rows: list[Row]) -> Workspace:
    path = folder / "made.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "asked", "due", "resolved", "score"])
        for number, row in enumerate(rows):
            writer.writerow([f"c{number}", START.isoformat(), *row])
    made = create_workspace(folder / "home", "UTC")
    import_file(made, path, parse_mapping(MAPPING.format(scale=scale), "made"), START + timedelta(days=400))
    return made


def values(made: Workspace, *names: str) -> dict[str, float | NotComputable]:
    series = ask_measures(made, MeasureQuestion(tuple(map(find_measure, names))))
    return {one.measure.name: one.value[0] for one in series}


def day(number: float) -> str:
    return (START + timedelta(days=number)).isoformat()


def rated(scores: list[int]) -> list[Row]:
    return [("", day(1), str(score)) for score in scores]


ONE_SAMPLE = [5] * 40 + [4] * 20 + [3] * 20 + [2] * 10 + [1] * 10


@pytest.mark.parametrize(
    ("scale", "scores", "good", "net", "mean"),
    [
        ("csat5", ONE_SAMPLE, 0.60, 40, 3.7),  # the same hundred answers by three rules
        ("stars5", ONE_SAMPLE, 0.60, 40, 3.7),
        (
            "nps10",
            [10] * 30 + [9] * 20 + [8] * 25 + [7] * 5 + [6] * 10 + [0] * 10,
            0.50,
            30,
            7.75,
        ),  # passives stay in n
        ("ces7", [7] * 20 + [5] * 45 + [4] * 15 + [3] * 10 + [1] * 10, 0.65, 45, 4.65),
        ("good_bad", [1] * 70 + [0] * 30, 0.70, 40, 0.7),
    ],
)
def test_scores_follow_their_scales_own_rule(
    tmp_path: Path, scale: str, scores: list[int], good: float, net: float, mean: float
) -> None:
    found = values(workspace(tmp_path, scale, rated(scores)), "rating_good", "rating_net", "rating_mean")
    assert found == pytest.approx({"rating_good": good, "rating_net": net, "rating_mean": mean}, abs=1e-12)


def test_those_who_did_not_answer_bound_the_share_of_the_satisfied(tmp_path: Path) -> None:
    silent: list[Row] = [("", day(1), "")] * 50
    found = values(
        workspace(tmp_path, "csat5", rated(ONE_SAMPLE) + silent),
        "response_rate", "rating_good", "rating_good_least", "rating_good_most",
    )  # fmt: skip
    wanted = {
        "response_rate": 100 / 150,
        "rating_good": 0.6,
        "rating_good_least": 60 / 150,
        "rating_good_most": 110 / 150,
    }
    assert found == pytest.approx(wanted, abs=1e-12)


def test_what_was_promised_is_set_beside_what_it_took(tmp_path: Path) -> None:
    """Twenty promises of two days: ten kept after 1 day, eight late after 5, two open. Twenty of ten days, all kept after 4."""
    rows: list[Row] = [(day(2), day(1), "")] * 10 + [(day(2), day(5), "")] * 8 + [(day(2), "", "")] * 2
    rows += [(day(10), day(4), "")] * 20 + [("", day(30), "")]
    made = workspace(tmp_path, "csat5", rows)
    names = ("promised_time", "promise_kept", "promise_to_keep_90")
    question = MeasureQuestion(
        tuple(map(find_measure, names)), by="promised", where=(("promised", "02 days"), ("promised", "10 days"))
    )
    length, kept, needed = ask_measures(made, question)
    assert length.segments == ("02 days", "10 days")
    assert length.value == (2.0, 10.0)
    assert kept.value == (0.5, 1.0)
    assert needed.n == (20, 20)
    assert (needed.value[0], needed.value[1]) == (5.0, 4.0)  # eighteen of twenty after five days are nine in ten


def test_too_many_open_promises_are_not_guessed(tmp_path: Path) -> None:
    rows: list[Row] = [(day(2), day(1), "")] * 15 + [(day(2), "", "")] * 5
    found = values(workspace(tmp_path, "csat5", [*rows, ("", day(30), "")]), "promise_to_keep_90")
    assert isinstance(found["promise_to_keep_90"], NotComputable)
    assert "25% are still open" in str(found["promise_to_keep_90"])


@pytest.mark.parametrize(
    ("days", "label"),
    [(0, "01 day"), (1, "01 day"), (1.00002, "02 days"), (2, "02 days"), (30, "30 days"), (30.001, "31 days or more")],
)
def test_promised_lengths_are_whole_days_rounded_up(tmp_path: Path, days: float, label: str) -> None:
    made = workspace(tmp_path, "csat5", [(day(days), day(1), "")])
    (series,) = ask_measures(made, MeasureQuestion((find_measure("asked"),), by="promised"))
    assert series.segments == (label,)


def test_the_report_sets_lengths_of_promise_beside_what_they_took(samples: Workspace) -> None:
    made = service_report(samples, "boston311")
    section = next(one for one in made.sections if one.key == "promises")
    (table,) = section.tables
    names = ("promise_kept", "promise_to_keep_90")
    question = MeasureQuestion(tuple(map(find_measure, names)), by="promised", where=(("source", "boston311"),))
    kept, needed = ask_measures(samples, question)
    assert 2 <= len(table.rows) <= 8
    for row in table.rows:
        place = next(at for at, one in enumerate(kept.segments) if one and one.lstrip("0") == row[0])
        assert row[1:3] == (kept.n[place], format_value(kept.value[place], kept.measure.unit))
        took = needed.value[needed.segments.index(kept.segments[place])]
        assert row[3] == (
            "not reached yet" if isinstance(took, NotComputable) else format_value(took, needed.measure.unit)
        )
    assert table.rows[0][0] == "1 day"

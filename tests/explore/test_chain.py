"""The chain: stays, edges and upstream causes, worked out by hand and against planted truths."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wellserved import synth
from wellserved.actions import flows, questions, synthetic
from wellserved.actions.imports import import_file
from wellserved.cli import app
from wellserved.errors import RequestError
from wellserved.explore.chain import Chain, compare_with_others, rank_suppliers
from wellserved.mapping import parse_mapping
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.moments import NotComputable
from wellserved.storage.workspace import Workspace, create_workspace

MAPPING = """
name = "made"
case = "case"
[columns]
team = "team"
service = "service"
""" + "".join(
    f'[[moment]]\nkind = "{kind}"\nat = "at"\nref = "ref"\nfrom_team = "from"\nwhen = {{ column = "kind", is = ["{kind}"] }}\n'
    for kind in ("asked", "handed_over", "replied", "paused", "resumed", "resolved", "returned", "reopened")
) + '[[moment]]\nkind = "rated"\nat = "at"\nref = "ref"\nfrom_team = "from"\nscore = "score"\nscale = "csat5"\nwhen = { column = "kind", is = ["rated"] }\n'  # fmt: skip


def make_workspace(folder: Path, lines: list[str]) -> Workspace:
    """Lines: case, hour, kind, team, from, score."""
    workspace = create_workspace(folder / "home", "UTC")
    rows = ["case,at,kind,team,from,score,service,ref"]
    for index, line in enumerate(lines):
        case, hour, kind, *further = [cell.strip() for cell in line.split(",")]
        team, giver, score = (*further, "", "", "")[:3]
        rows.append(
            f"{case},2024-03-{4 + int(hour) // 24:02d} {int(hour) % 24:02d}:00,{kind},{team},{giver},{score},s,{index}"
        )
    path = folder / "made.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    import_file(workspace, path, parse_mapping(MAPPING, "made"))
    return workspace


def test_stays_and_edges_worked_out_by_hand(tmp_path: Path) -> None:
    """A case: Front 0-2 untouched; Back takes over at 2, acts at 5, waits for the customer 6-10, resolves at 12; each rates the other."""
    first_case = ["1,0,asked,Front", "1,2,handed_over,Back,Front", "1,5,replied,Back", "1,6,paused", "1,10,resumed", "1,12,resolved,Back",
           "1,13,rated,Front,Back,2", "1,14,rated,Back,Front,5"]  # fmt: skip
    # Another is sent back untouched after three hours, and answered there at once.
    second_case = [
        "2,0,asked,Front",
        "2,1,handed_over,Back,Front",
        "2,4,handed_over,Front,Back",
        "2,4,replied,Front",
        "2,6,resolved,Front",
    ]
    hand_over_chain = flows.follow_chain(make_workspace(tmp_path, first_case + second_case), None)
    back = next(team_time for team_time in hand_over_chain.team_times if team_time.team == "Back")
    hour = 3_600
    assert (back.stays, back.untouched, back.in_hand, back.paused) == (2, (3 + 3) * hour, (1 + 2) * hour, 4 * hour)
    front = next(team_time for team_time in hand_over_chain.team_times if team_time.team == "Front")
    assert (front.stays, front.untouched, front.in_hand) == (3, (2 + 1) * hour, 2 * hour)
    edge = next(candidate for candidate in hand_over_chain.edges if candidate.supplier == "Front")
    assert (edge.customer, edge.handovers, edge.sent_back, edge.failed_handovers) == ("Back", 2, 1, 0)
    assert edge.rates_supplier == (1, 2.0)  # Back rates Front's work
    assert edge.rates_customer == (1, 5.0)  # Front rates Back
    assert isinstance(edge.untouched_median, NotComputable)
    assert "at least 10" in edge.untouched_median.reason


def test_a_rating_of_another_team_neither_moves_the_case_nor_makes_a_supplier(tmp_path: Path) -> None:
    lines = [
        "1,0,asked,Front",
        "1,2,handed_over,Back",
        "1,5,replied,Back",
        "1,12,resolved,Back",
        "1,13,rated,Third,Back,2",
    ]
    workspace = make_workspace(tmp_path, lines)
    hand_over_chain = flows.follow_chain(workspace, None)
    assert [(edge.supplier, edge.customer) for edge in hand_over_chain.edges] == [("Front", "Back")]
    assert {team_time.team for team_time in hand_over_chain.team_times} == {"Front", "Back"}
    (series,) = questions.ask_measures(workspace, MeasureQuestion((find_measure("asked"),), by="team"))
    assert series.segments == ("Back",)


def test_only_what_fails_after_a_hand_over_counts_against_the_supplier(tmp_path: Path) -> None:
    before = ["1,0,asked,Front", "1,1,returned", "1,2,handed_over,Back,Front", "1,5,resolved,Back"]
    after = ["2,0,asked,Front", "2,2,handed_over,Back,Front", "2,5,resolved,Back", "2,6,returned"]
    (edge,) = flows.follow_chain(make_workspace(tmp_path, before + after), None).edges
    assert (edge.handovers, edge.failed_handovers) == (2, 1)


def test_the_corrected_score_of_a_team_counts(tmp_path: Path) -> None:
    lines = ["1,0,asked,Front", "1,2,handed_over,Back,Front", "1,5,resolved,Back", "1,6,rated,Front,Back,5"]
    workspace = make_workspace(tmp_path, lines)
    path = tmp_path / "made.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("Front,Back,5", "Front,Back,1"), encoding="utf-8")
    import_file(workspace, path, parse_mapping(MAPPING, "made"))
    (edge,) = flows.follow_chain(workspace, None).edges
    assert edge.rates_supplier == (1, 1.0)


def test_cases_that_begin_with_a_hand_over_have_no_time_before_it(tmp_path: Path) -> None:
    lines = [line for n in range(12) for line in (f"{n},2,handed_over,Back,Front", f"{n},3,resolved,Back")]
    hand_over_chain = flows.follow_chain(make_workspace(tmp_path, lines), None)
    assert [(step.number, step.since_last) for step in hand_over_chain.steps] == [(1, 0.0)]


def test_made_cases_of_two_seeds_are_never_mixed(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    synthetic.make_cases(workspace, 600, 1)
    for count, seed in ((600, 2), (900, 1)):
        with pytest.raises(RequestError, match="another number or seed"):
            synthetic.make_cases(workspace, count, seed)


def test_one_team_s_rating_of_another_is_no_customer_s_rating(tmp_path: Path) -> None:
    lines = [line for n in range(12) for line in (f"{n},0,asked,Front", f"{n},3,resolved,Front", f"{n},4,rated,Front,,5", f"{n},5,rated,Front,Back,1")]  # fmt: skip
    workspace = make_workspace(tmp_path, lines)
    (series,) = questions.ask_measures(workspace, MeasureQuestion((find_measure("rating_mean"),)))
    assert series.value == (5.0,)
    with pytest.raises(RequestError, match="handed over"):
        flows.follow_chain(workspace, None)


def test_untouched_time_counts_what_still_lies(tmp_path: Path) -> None:
    """Eleven hand-overs are taken up after 2 hours, nine lie to this day: 24 hours later the median is reached, no more than half lie."""
    lines = [
        f"{n},{hour},{event}" for n in range(20) for hour, event in ((0, "asked,Front"), (1, "handed_over,Back,Front"))
    ]
    lines += [f"{n},3,replied,Back" for n in range(11)] + ["99,25,asked,Front"]
    (edge,) = flows.follow_chain(make_workspace(tmp_path, lines), None).edges
    assert edge.untouched_median == 2 * 3_600
    fewer_lines = [line for line in lines if not line.startswith(("9,3,", "10,3,"))]
    (tmp_path / "few").mkdir()
    (edge,) = flows.follow_chain(make_workspace(tmp_path / "few", fewer_lines), None).edges
    assert isinstance(edge.untouched_median, NotComputable)
    assert edge.untouched_median.reason == "not reached yet"


def test_one_stratum_is_the_plain_risk_ratio_with_its_interval() -> None:
    """30 of 100 against 20 of 200: ratio 3, variance of its logarithm 1/30 - 1/100 + 1/20 - 1/200 (Katz 1978)."""
    rows = [
        {"supplier": "A", "team": "T", "service": "s", "n": 100, "failed": 30},
        {"supplier": "B", "team": "T", "service": "s", "n": 200, "failed": 20},
        {"supplier": "A", "team": "alone", "service": "s", "n": 50, "failed": 50},  # nobody to compare with
    ]
    comparison = compare_with_others("A", rows)
    assert comparison is not None
    assert (comparison.passed_cases, comparison.failed_cases, comparison.expected) == (100, 30, 10)
    assert comparison.ratio == pytest.approx(3)
    half_width = 1.959963984540054 * math.sqrt(1 / 30 - 1 / 100 + 1 / 20 - 1 / 200)
    assert (comparison.low, comparison.high) == pytest.approx((3 * math.exp(-half_width), 3 * math.exp(half_width)))
    reverse_comparison = compare_with_others("B", rows)
    assert reverse_comparison is not None
    assert reverse_comparison.ratio == pytest.approx(1 / 3)  # the mirror


def test_of_many_suppliers_without_a_difference_hardly_ever_one_is_named() -> None:
    """Forty suppliers with a tenth of failures each, five hundred times: named in at most one run in twenty, as designed."""
    rng = np.random.default_rng(20261126)
    named_count = uncorrected_count = 0
    for _ in range(500):
        rows = [
            {
                "supplier": f"S{number:02d}",
                "team": f"T{number % 2}",
                "service": "s",
                "n": 150,
                "failed": int(rng.binomial(150, 0.1)),
            }
            for number in range(40)
        ]
        comparisons = rank_suppliers(rows)
        named_count += any(comparison.differs for comparison in comparisons)
        uncorrected_count += any(comparison.low > 1 or comparison.high < 1 for comparison in comparisons)
    assert named_count <= 500 * 0.05 + 3 * math.sqrt(500 * 0.05 * 0.95)
    assert uncorrected_count > 250, "without allowing for forty comparisons, most runs would name somebody"


def test_a_difference_of_places_is_no_fault_of_the_supplier() -> None:
    """A passes mostly to where everything fails: pooled it looks four times as bad, in the same place it is no worse."""
    rows = [
        {"supplier": "A", "team": "hard", "service": "s", "n": 900, "failed": 450},
        {"supplier": "B", "team": "hard", "service": "s", "n": 100, "failed": 50},
        {"supplier": "A", "team": "easy", "service": "s", "n": 100, "failed": 5},
        {"supplier": "B", "team": "easy", "service": "s", "n": 900, "failed": 45},
    ]
    comparison = compare_with_others("A", rows)
    assert comparison is not None
    assert comparison.ratio == pytest.approx(1)
    assert comparison.low < 1 < comparison.high


@pytest.fixture(scope="module")
def truths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Chain]:
    workspace = create_workspace(tmp_path_factory.mktemp("truths") / "home", "UTC")
    synthetic.make_cases(workspace, 40_000, 3)
    return workspace, flows.follow_chain(workspace, "synth")


def test_the_planted_upstream_fault_is_ranked_first_and_alone(truths: tuple[Workspace, Chain]) -> None:
    _, hand_over_chain = truths
    assert hand_over_chain.upstream[0].supplier == "Intake East"
    assert hand_over_chain.upstream[0].low > 1
    assert all(supplier.high < 1 for supplier in hand_over_chain.upstream[1:])
    assert hand_over_chain.upstream[0].differs
    assert {supplier.supplier for supplier in hand_over_chain.upstream} == set(synth.INTAKES)


def test_the_planted_leak_is_where_time_lies_untouched(truths: tuple[Workspace, Chain]) -> None:
    _, hand_over_chain = truths
    assert hand_over_chain.team_times[0].team == synth.BACK_OFFICE
    leaks = [edge for edge in hand_over_chain.edges if edge.customer == synth.BACK_OFFICE]
    other_edges = [edge for edge in hand_over_chain.edges if edge.customer != synth.BACK_OFFICE]
    assert all(
        isinstance(edge.untouched_median, float) and edge.untouched_median >= synth.LEAK_DAYS * 86_400 for edge in leaks
    )
    assert all(isinstance(edge.untouched_median, float) and edge.untouched_median < 3_600 for edge in other_edges)
    assert len(leaks) >= 4


def test_the_planted_effect_and_the_gaming_are_seen_by_measures(truths: tuple[Workspace, Chain]) -> None:
    workspace, _ = truths
    measures = tuple(map(find_measure, ("time_to_resolution", "reopen_rate", "asked")))
    values = {}
    for side, since, until in (("before", None, synth.CHANGE), ("after", synth.CHANGE, None)):
        waits, reopen_rates, _ = questions.ask_measures(
            workspace, MeasureQuestion(measures, by="service", since=since, until=until)
        )
        for index, service in enumerate(waits.segments):
            both = waits.value[index], reopen_rates.value[reopen_rates.segments.index(service)]
            values[service, side] = [number for number in both if not isinstance(number, NotComputable)]
    for service, times, reopens in (
        ("Repair", synth.EFFECT_FACTOR, 1),
        ("Line", synth.GAMING_FACTOR, 3),
        ("Bill", 1, 1),
    ):
        before, after = values[service, "before"], values[service, "after"]
        assert after[0] / before[0] == pytest.approx(times, abs=0.15), service
        assert after[1] / before[1] == pytest.approx(reopens, abs=0.7), service


def test_the_same_seed_makes_the_same_cases_and_a_second_time_adds_none(
    truths: tuple[Workspace, Chain], tmp_path: Path
) -> None:
    workspace, _ = truths
    assert synthetic.make_cases(workspace, 40_000, 3) == 0
    other_workspace = create_workspace(tmp_path / "other", "UTC")
    synthetic.make_cases(other_workspace, 40_000, 4)
    question = MeasureQuestion((find_measure("contacts"),))
    assert (
        questions.ask_measures(workspace, question)[0].value
        != questions.ask_measures(other_workspace, question)[0].value
    )


def test_the_chain_is_shown_in_every_format(truths: tuple[Workspace, Chain]) -> None:
    workspace, hand_over_chain = truths
    for output_format in ("text", "md", "json", "csv"):
        result = CliRunner().invoke(
            app, ["chain", "--format", output_format, "--home", str(workspace.folder)], env={"COLUMNS": "250"}
        )
        assert result.exit_code == 0, result.output
        assert "Intake East" in result.stdout
    assert f"{hand_over_chain.edges[0].handovers}" in result.stdout

"""The chain: stays, edges and upstream causes, worked out by hand and against planted truths."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wellserved import synth
from wellserved.actions import asking, synthetic
from wellserved.actions.imports import import_file
from wellserved.chain import Chain, against_others, ranked
from wellserved.cli import app
from wellserved.errors import RequestError
from wellserved.mapping import parse_mapping
from wellserved.measure import Question, find_measure
from wellserved.moments import NotComputed
from wellserved.workspace import Workspace, create_workspace

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


def made(folder: Path, lines: list[str]) -> Workspace:
    """Lines: case, hour, kind, team, from, score."""
    workspace = create_workspace(folder / "home", "UTC")
    rows = ["case,at,kind,team,from,score,service,ref"]
    for place, line in enumerate(lines):
        case, hour, kind, *rest = [part.strip() for part in line.split(",")]
        team, giver, score = (*rest, "", "", "")[:3]
        rows.append(
            f"{case},2024-03-{4 + int(hour) // 24:02d} {int(hour) % 24:02d}:00,{kind},{team},{giver},{score},s,{place}"
        )
    path = folder / "made.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    import_file(workspace, path, parse_mapping(MAPPING, "made"))
    return workspace


def test_stays_and_edges_worked_out_by_hand(tmp_path: Path) -> None:
    """A case: Front 0-2 untouched; Back takes over at 2, acts at 5, waits for the customer 6-10, resolves at 12; each rates the other."""
    one = ["1,0,asked,Front", "1,2,handed_over,Back,Front", "1,5,replied,Back", "1,6,paused", "1,10,resumed", "1,12,resolved,Back",
           "1,13,rated,Front,Back,2", "1,14,rated,Back,Front,5"]  # fmt: skip
    # Another is sent back untouched after three hours, and answered there at once.
    two = [
        "2,0,asked,Front",
        "2,1,handed_over,Back,Front",
        "2,4,handed_over,Front,Back",
        "2,4,replied,Front",
        "2,6,resolved,Front",
    ]
    found = asking.follow_chain(made(tmp_path, one + two), None)
    back = next(place for place in found.places if place.team == "Back")
    hour = 3_600
    assert (back.stays, back.untouched, back.in_hand, back.paused) == (2, (3 + 3) * hour, (1 + 2) * hour, 4 * hour)
    front = next(place for place in found.places if place.team == "Front")
    assert (front.stays, front.untouched, front.in_hand) == (3, (2 + 1) * hour, 2 * hour)
    edge = next(one for one in found.edges if one.supplier == "Front")
    assert (edge.customer, edge.handovers, edge.sent_back, edge.failed) == ("Back", 2, 1, 0)
    assert edge.rates_supplier == (1, 2.0)  # Back rates Front's work
    assert edge.rates_customer == (1, 5.0)  # Front rates Back
    assert isinstance(edge.untouched, NotComputed)
    assert "at least 10" in edge.untouched.reason


def test_a_rating_of_another_team_neither_moves_the_case_nor_makes_a_supplier(tmp_path: Path) -> None:
    lines = [
        "1,0,asked,Front",
        "1,2,handed_over,Back",
        "1,5,replied,Back",
        "1,12,resolved,Back",
        "1,13,rated,Third,Back,2",
    ]
    workspace = made(tmp_path, lines)
    found = asking.follow_chain(workspace, None)
    assert [(one.supplier, one.customer) for one in found.edges] == [("Front", "Back")]
    assert {one.team for one in found.places} == {"Front", "Back"}
    (series,) = asking.ask_measures(workspace, Question((find_measure("asked"),), by="team"))
    assert series.segments == ("Back",)


def test_only_what_fails_after_a_hand_over_counts_against_the_supplier(tmp_path: Path) -> None:
    before = ["1,0,asked,Front", "1,1,returned", "1,2,handed_over,Back,Front", "1,5,resolved,Back"]
    after = ["2,0,asked,Front", "2,2,handed_over,Back,Front", "2,5,resolved,Back", "2,6,returned"]
    (edge,) = asking.follow_chain(made(tmp_path, before + after), None).edges
    assert (edge.handovers, edge.failed) == (2, 1)


def test_the_corrected_score_of_a_team_counts(tmp_path: Path) -> None:
    lines = ["1,0,asked,Front", "1,2,handed_over,Back,Front", "1,5,resolved,Back", "1,6,rated,Front,Back,5"]
    workspace = made(tmp_path, lines)
    path = tmp_path / "made.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("Front,Back,5", "Front,Back,1"), encoding="utf-8")
    import_file(workspace, path, parse_mapping(MAPPING, "made"))
    (edge,) = asking.follow_chain(workspace, None).edges
    assert edge.rates_supplier == (1, 1.0)


def test_cases_that_begin_with_a_hand_over_have_no_time_before_it(tmp_path: Path) -> None:
    lines = [line for n in range(12) for line in (f"{n},2,handed_over,Back,Front", f"{n},3,resolved,Back")]
    found = asking.follow_chain(made(tmp_path, lines), None)
    assert [(one.number, one.since_last) for one in found.steps] == [(1, 0.0)]


def test_made_cases_of_two_seeds_are_never_mixed(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "home", "UTC")
    synthetic.make_cases(workspace, 600, 1)
    for count, seed in ((600, 2), (900, 1)):
        with pytest.raises(RequestError, match="another number or seed"):
            synthetic.make_cases(workspace, count, seed)


def test_one_team_s_rating_of_another_is_no_customer_s_rating(tmp_path: Path) -> None:
    lines = [line for n in range(12) for line in (f"{n},0,asked,Front", f"{n},3,resolved,Front", f"{n},4,rated,Front,,5", f"{n},5,rated,Front,Back,1")]  # fmt: skip
    workspace = made(tmp_path, lines)
    (series,) = asking.ask_measures(workspace, Question((find_measure("rating_mean"),)))
    assert series.value == (5.0,)
    with pytest.raises(RequestError, match="handed over"):
        asking.follow_chain(workspace, None)


def test_untouched_time_counts_what_still_lies(tmp_path: Path) -> None:
    """Eleven hand-overs are taken up after 2 hours, nine lie to this day: 24 hours later the median is reached, no more than half lie."""
    lines = [
        f"{n},{hour},{rest}" for n in range(20) for hour, rest in ((0, "asked,Front"), (1, "handed_over,Back,Front"))
    ]
    lines += [f"{n},3,replied,Back" for n in range(11)] + ["99,25,asked,Front"]
    (edge,) = asking.follow_chain(made(tmp_path, lines), None).edges
    assert edge.untouched == 2 * 3_600
    few = [line for line in lines if not line.startswith(("9,3,", "10,3,"))]
    (tmp_path / "few").mkdir()
    (edge,) = asking.follow_chain(made(tmp_path / "few", few), None).edges
    assert isinstance(edge.untouched, NotComputed)
    assert edge.untouched.reason == "not reached yet"


def test_one_stratum_is_the_plain_risk_ratio_with_its_interval() -> None:
    """30 of 100 against 20 of 200: ratio 3, variance of its logarithm 1/30 - 1/100 + 1/20 - 1/200 (Katz 1978)."""
    rows = [
        {"supplier": "A", "team": "T", "service": "s", "n": 100, "failed": 30},
        {"supplier": "B", "team": "T", "service": "s", "n": 200, "failed": 20},
        {"supplier": "A", "team": "alone", "service": "s", "n": 50, "failed": 50},  # nobody to compare with
    ]
    found = against_others("A", rows)
    assert found is not None
    assert (found.passed, found.failed, found.expected) == (100, 30, 10)
    assert found.ratio == pytest.approx(3)
    half = 1.959963984540054 * math.sqrt(1 / 30 - 1 / 100 + 1 / 20 - 1 / 200)
    assert (found.low, found.high) == pytest.approx((3 * math.exp(-half), 3 * math.exp(half)))
    other = against_others("B", rows)
    assert other is not None
    assert other.ratio == pytest.approx(1 / 3)  # the mirror


def test_of_many_suppliers_without_a_difference_hardly_ever_one_is_named() -> None:
    """Forty suppliers with a tenth of failures each, five hundred times: named in at most one run in twenty, as designed."""
    draw = np.random.default_rng(20261126)
    named = plainly = 0
    for _ in range(500):
        rows = [
            {
                "supplier": f"S{place:02d}",
                "team": f"T{place % 2}",
                "service": "s",
                "n": 150,
                "failed": int(draw.binomial(150, 0.1)),
            }
            for place in range(40)
        ]
        found = ranked(rows)
        named += any(one.differs for one in found)
        plainly += any(one.low > 1 or one.high < 1 for one in found)
    assert named <= 500 * 0.05 + 3 * math.sqrt(500 * 0.05 * 0.95)
    assert plainly > 250, "without allowing for forty comparisons, most runs would name somebody"


def test_a_difference_of_places_is_no_fault_of_the_supplier() -> None:
    """A passes mostly to where everything fails: pooled it looks four times as bad, in the same place it is no worse."""
    rows = [
        {"supplier": "A", "team": "hard", "service": "s", "n": 900, "failed": 450},
        {"supplier": "B", "team": "hard", "service": "s", "n": 100, "failed": 50},
        {"supplier": "A", "team": "easy", "service": "s", "n": 100, "failed": 5},
        {"supplier": "B", "team": "easy", "service": "s", "n": 900, "failed": 45},
    ]
    found = against_others("A", rows)
    assert found is not None
    assert found.ratio == pytest.approx(1)
    assert found.low < 1 < found.high


@pytest.fixture(scope="module")
def truths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Chain]:
    workspace = create_workspace(tmp_path_factory.mktemp("truths") / "home", "UTC")
    synthetic.make_cases(workspace, 40_000, 3)
    return workspace, asking.follow_chain(workspace, "synth")


def test_the_planted_upstream_fault_is_ranked_first_and_alone(truths: tuple[Workspace, Chain]) -> None:
    _, found = truths
    assert found.upstream[0].supplier == "Intake East"
    assert found.upstream[0].low > 1
    assert all(one.high < 1 for one in found.upstream[1:])
    assert found.upstream[0].differs
    assert {one.supplier for one in found.upstream} == set(synth.INTAKES)


def test_the_planted_leak_is_where_time_lies_untouched(truths: tuple[Workspace, Chain]) -> None:
    _, found = truths
    assert found.places[0].team == synth.BACK
    leaks = [edge for edge in found.edges if edge.customer == synth.BACK]
    others = [edge for edge in found.edges if edge.customer != synth.BACK]
    assert all(isinstance(edge.untouched, float) and edge.untouched >= synth.LEAK * 86_400 for edge in leaks)
    assert all(isinstance(edge.untouched, float) and edge.untouched < 3_600 for edge in others)
    assert len(leaks) >= 4


def test_the_planted_effect_and_the_gaming_are_seen_by_measures(truths: tuple[Workspace, Chain]) -> None:
    workspace, _ = truths
    named = tuple(map(find_measure, ("time_to_resolution", "reopen_rate", "asked")))
    values = {}
    for when, since, until in (("before", None, synth.CHANGE), ("after", synth.CHANGE, None)):
        waits, reopened, _ = asking.ask_measures(workspace, Question(named, by="service", since=since, until=until))
        for place, service in enumerate(waits.segments):
            both = waits.value[place], reopened.value[reopened.segments.index(service)]
            values[service, when] = [one for one in both if not isinstance(one, NotComputed)]
    for service, times, reopens in (("Repair", synth.EFFECT, 1), ("Line", synth.EARLY, 3), ("Bill", 1, 1)):
        before, after = values[service, "before"], values[service, "after"]
        assert after[0] / before[0] == pytest.approx(times, abs=0.15), service
        assert after[1] / before[1] == pytest.approx(reopens, abs=0.7), service


def test_the_same_seed_makes_the_same_cases_and_a_second_time_adds_none(
    truths: tuple[Workspace, Chain], tmp_path: Path
) -> None:
    workspace, _ = truths
    assert synthetic.make_cases(workspace, 40_000, 3) == 0
    other = create_workspace(tmp_path / "other", "UTC")
    synthetic.make_cases(other, 40_000, 4)
    question = Question((find_measure("contacts"),))
    assert asking.ask_measures(workspace, question)[0].value != asking.ask_measures(other, question)[0].value


def test_the_chain_is_shown_in_every_format(truths: tuple[Workspace, Chain]) -> None:
    workspace, found = truths
    for form in ("text", "md", "json", "csv"):
        done = CliRunner().invoke(
            app, ["chain", "--format", form, "--home", str(workspace.folder)], env={"COLUMNS": "250"}
        )
        assert done.exit_code == 0, done.output
        assert "Intake East" in done.stdout
    assert f"{found.edges[0].handovers}" in done.stdout

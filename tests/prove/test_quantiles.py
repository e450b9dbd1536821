"""Waits' quantiles: large changes and small numbers, open cases, sums, and the sentence beside its levels."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from typer.testing import CliRunner

from tests.prove_house import MAPPING
from wellserved.actions import open_cases
from wellserved.actions.imports import import_file
from wellserved.cli import app
from wellserved.errors import PeriodError, RequestError
from wellserved.mapping import parse_mapping
from wellserved.measure import find_measure
from wellserved.measure.wait_quantile import duration_quantile
from wellserved.prove import (
    AnalysisWindow,
    PeriodSeries,
    Proof,
    ProofRequest,
    Verdict,
    assess_change,
    input_from_records,
    observe_measure,
    prove,
    wait_series,
)
from wellserved.prove.adoption import estimate_adoption
from wellserved.prove.engine.model import Floats
from wellserved.prove.engine.quantile import CensoredWaits, PeriodLevels, censored_waits, levels_of
from wellserved.prove.engine.response import working_response
from wellserved.prove.guards import is_constant
from wellserved.prove.verdict import CheckResult
from wellserved.prove.words import remarks
from wellserved.storage.workspace import Workspace, create_workspace

QUOTES = date(2025, 10, 6)


def quotes(folder: Path, before: float = 13.4, after: float = 2.5, spread: float = 0.45) -> Workspace:
    """1,737 quote requests, three a weekday; from the change on they are answered in other days than before."""
    random, lines = np.random.default_rng(2), ["case,at,kind,team,service,score,ref"]
    first = datetime(2023, 12, 11)
    days = [first + timedelta(days=day) for day in range(900) if (first + timedelta(days=day)).weekday() < 5][:579]
    last = days[-1] + timedelta(days=1)
    for place, day in enumerate(day for day in days for _ in range(3)):
        asked = day + timedelta(hours=float(random.uniform(8, 17)))
        median = before if asked.date() < QUOTES else after
        replied = asked + timedelta(days=float(median * random.lognormal(0, spread)))
        lines.append(f"{place},{asked:%Y-%m-%d %H:%M:%S},asked,T,quotes,,{place}a")
        if replied < last:
            lines.append(f"{place},{replied:%Y-%m-%d %H:%M:%S},replied,T,quotes,,{place}r")
    (folder / "quotes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    workspace = create_workspace(folder / "quotes", "UTC")
    import_file(workspace, folder / "quotes.csv", parse_mapping(MAPPING, "quotes"), now=last.astimezone())
    return workspace


@pytest.fixture(scope="module")
def quoted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return quotes(tmp_path_factory.mktemp("quotes"))


@pytest.mark.parametrize("every", ["week", "month"])
def test_the_founding_sentence_is_told_with_its_size(quoted: Workspace, every: str) -> None:
    """From 12-15 days to 2-3 days is 81% less, not the 41% at which one level for all periods ends."""
    asked = ["prove", "--measure", "time_to_first_reply", "--change", QUOTES.isoformat(), "--every", every]
    done = CliRunner().invoke(app, [*asked, "--format", "json", "--home", str(quoted.folder)])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    relative, verdict = told["verdict"]["relative"], told["verdict"]
    assert told["status"] == "improved_harm_not_excluded"  # nothing but asks and replies is recorded
    assert relative["low"] < 2.5 / 13.4 - 1 < relative["high"] < -0.7
    assert relative["value"] == pytest.approx(2.5 / 13.4 - 1, abs=0.04)
    assert told["age_days"] == 18
    assert verdict["effect"]["low"] < verdict["level_after"] - verdict["level_before"] < verdict["effect"]["high"]
    assert not any("lie apart" in line for line in told["more"])
    slowest = next(one for one in told["guardrails"] if one["measure"] == "time_to_first_reply_p90")
    assert slowest["result"] == "not_worse"
    assert slowest["harm"]["high"] < -300  # hours: it fell from some 23 days to 4 as well


def test_the_end_of_a_reward_and_a_team_s_own_date_are_edges(
    quoted: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A level is taken across neither, as the measure may jump there."""
    edges, ends = [], date(2025, 12, 1)

    def noted(cases: CensoredWaits, periods: int, quantile: float, at: list[int], *more: float) -> PeriodLevels:
        edges.append(at)
        return levels_of(cases, periods, quantile, at, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(wait_series, "levels_of", noted)
    measure, hours = find_measure("time_to_first_reply"), open_cases.opening_hours(quoted)
    with open_cases.open_case_table(quoted, with_moments=True) as scope:
        looking = AnalysisWindow(scope, "moments", hours, QUOTES, "week")
        seen = prove(looking, ProofRequest(measure, QUOTES, "week", paid_until=ends)).series
        assert edges[0] == [seen.before, sum(one.start < ends for one in seen.periods)]
        edges.clear()
        prove(looking, ProofRequest(measure, QUOTES, "week"))
        assert edges[0] == [seen.before]
        edges.clear()
        with pytest.raises(RequestError):  # one team is too few; but it was looked at
            estimate_adoption(looking, measure, "team", (("T", ends), ("U", QUOTES)), ("T",))
        assert edges[0] == [seen.before, sum(one.start < ends for one in seen.periods)]


def test_waits_that_grew_beyond_the_age_are_looked_at_later_or_refused(tmp_path: Path) -> None:
    """An age taken from quick times before would hide how slow it became; a given one that is too short says so."""
    workspace = quotes(tmp_path, before=3, after=12)
    with open_cases.open_case_table(workspace, with_moments=True) as scope:
        looking = AnalysisWindow(scope, "moments", open_cases.opening_hours(workspace), QUOTES, "week")
        for name in ("time_to_first_reply", "time_to_first_reply_p90"):
            found = prove(looking, ProofRequest(find_measure(name), QUOTES, "week"))
            assert found.verdict.status == "worse", name
            assert found.verdict.relative is not None
            assert found.verdict.relative.low < 3.0 < found.verdict.relative.high, name
        short = observe_measure(looking, find_measure("time_to_first_reply"), (), age_days=5)
    assert short.reason.startswith("after the change, 50% are not reached within 5 days of the first ask, where 7")
    assert short.is_unreached


RUNS = 12


def logs_of(
    seed: int, course: Floats, spread: float, cases: float, quantile: float, law: str = "normal"
) -> tuple[float, float]:
    """The mean of the response after less before, beside the mean of the course; its mean and standard error."""
    random, found = np.random.default_rng(seed), []
    before, after = 60, len(course)
    level = np.append(np.zeros(before), course)
    for _ in range(RUNS):
        n = random.poisson(cases, before + after)
        period = np.repeat(np.arange(before + after), n)
        noise = random.normal(size=len(period)) if law == "normal" else np.log(random.exponential(size=len(period)))
        observed = input_from_records(
            "quantile", period, np.exp(spread * noise + level[period]), before + after, before, quantile
        )
        z = observed.log_quantiles()
        found.append(np.nanmean(z[before:]) - np.nanmean(z[:before]) - course.mean())
    return float(np.mean(found)), float(np.std(found))


COURSES = {
    "step": np.ones(20),
    "grows": np.arange(1, 21) / 10.5,
    "saturates": (1 - np.exp(-np.arange(1, 21) / 4)) / (1 - np.exp(-np.arange(1, 21) / 4)).mean(),
    "second half": np.repeat([0.0, 2.0], 10),
}


@pytest.mark.parametrize("course", COURSES)
@pytest.mark.parametrize(("cases", "quantile"), [(60, 0.5), (60, 0.9), (15, 0.5), (15, 0.9), (3, 0.5)])
def test_the_response_follows_any_size_and_course(course: str, cases: int, quantile: float) -> None:
    """What it is off by is small beside the error of the very same numbers; one level for all was off by tens of these."""
    for ratio, spread, law in (
        (0.1, 0.5, "normal"),
        (0.5, 1.0, "exponential"),
        (4.0, 0.5, "normal"),
    ):
        off, error = logs_of(3, COURSES[course] * math.log(ratio), spread, cases, quantile, law)
        assert abs(off) < (0.5 + 3 / math.sqrt(RUNS)) * error, (ratio, spread, law)


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_a_side_by_itself_makes_no_step(quantile: float) -> None:
    """Levels are taken on either side alone; where nothing changed that claims no more than the 5% allowed."""
    random, claims = np.random.default_rng(8), 0
    for cases in (5, 15):
        for _ in range(30):
            n = random.poisson(cases, 80)
            period = np.repeat(np.arange(80), n)
            values = np.exp(random.normal(size=len(period)) + 0.15 * random.normal(size=80)[period])
            observed = input_from_records("quantile", period, values, 80, 60, quantile)
            claims += assess_change(observed, 60, "week", price_season=False).claims
    assert claims <= stats.binom.ppf(0.999, 60, 0.05)


def test_a_side_that_varies_more_weighs_less() -> None:
    """Noise goes with 1 / (n f²), f the density of each side: thrice the spread is nine times the variance."""
    random = np.random.default_rng(6)
    period = np.repeat(np.arange(120), 60)
    values = np.exp(random.normal(size=len(period)) * np.where(period >= 80, 1.5, 0.5))
    for quantile in (0.5, 0.9):
        noise = working_response(
            input_from_records("quantile", period, values, 120, 80, quantile), np.ones((120, 1))
        ).noise[0]
        assert noise[80:].mean() / noise[:80].mean() == pytest.approx(9, rel=0.2)


def test_no_level_is_taken_across_a_change() -> None:
    """What comes after does not touch what is said of before, at the change as at other edges."""
    random = np.random.default_rng(9)
    period = np.repeat(np.arange(90), 2)
    lengths = random.lognormal(0, 1, 180)
    found = []
    for factor in (1.0, 3.0):
        moved = np.where(period >= 60, lengths * factor, lengths)
        pieces = [(moved[period == one], np.ones(2, bool)) for one in range(90)]
        found.append(levels_of(censored_waits(pieces), 90, 0.5, [60, 75]))
    assert found[0].log_level[:60] == pytest.approx(found[1].log_level[:60], abs=0)
    assert found[0].log_level[60:] + math.log(3) == pytest.approx(found[1].log_level[60:])
    assert found[0].cases_within == pytest.approx(found[1].cases_within)


def test_days_with_a_pattern_of_the_week_are_followed() -> None:
    """Three cases a day: neighbours are whole weeks, so that no day of the week is taken for a change of level."""
    random = np.random.default_rng(10)
    period = np.repeat(np.arange(364), 3)
    pattern = np.array([0.0, 0.2, 0.4, 0.2, 0.0, 0.8, 1.0])[period % 7]
    values = np.exp(random.normal(0, 0.5, len(period)) + pattern - 1.4 * (period >= 273))
    verdict = assess_change(
        input_from_records("quantile", period, values, 364, 273, 0.5, cycle_length=7), 273, "day", price_season=False
    )
    assert verdict.status == "improved"
    assert verdict.working is not None
    assert verdict.working.low < -1.4 < verdict.working.high < -1.1


def test_open_cases_are_carried_as_kaplan_and_meier_do() -> None:
    """By hand: .9, .8, (3 open), .8·6/7, (5 open), ·4/5, ·3/4 = .4114 at 7, which is the median; F is .4514 before it.

    The open ones lie within 7 with the chances (.52 - .2)/.8 = .4 and (.52 - .3143)/.6857 = .3, as half of 7 counts.
    """
    lengths, ended = np.arange(1.0, 11.0), np.ones(10, bool)
    ended[[2, 4]] = False
    found = levels_of(censored_waits([(lengths, ended)]), 1, 0.5, [])
    assert math.exp(found.log_level[0]) == pytest.approx(7)
    assert found.cases_within[0] == pytest.approx(4 + 0.5 + 0.4 + 0.3)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 200), st.sampled_from([0.5, 0.75, 0.9]))
def test_a_period_by_itself_is_kaplan_and_meier_s_quantile(seed: int, n: int, quantile: float) -> None:
    random = np.random.default_rng(seed)
    waits = random.integers(1, 60, n)
    ended = random.random(n) < 0.8
    expected = duration_quantile(waits, ended, quantile - 1e-12)[0]  # the first of two middle ones: half a step at most
    found = levels_of(censored_waits([(waits.astype(float), ended)]), 1, quantile, [])
    assert found.is_unreached == (expected == math.inf)
    if not found.reason:
        assert math.exp(found.log_level[0]) == pytest.approx(expected)


def test_weights_are_cases_repeated() -> None:
    """As a mix held fixed weights them."""
    random = np.random.default_rng(12)
    pieces = [(random.lognormal(0, 1, 40), np.ones(40, bool)) for _ in range(20)]
    weights = [random.integers(1, 4, 40).astype(float) for _ in range(20)]
    repeated = [
        (np.repeat(one, weight.astype(int)), np.ones(int(weight.sum()), bool))
        for (one, _), weight in zip(pieces, weights, strict=True)
    ]
    some, many = (
        levels_of(censored_waits(pieces, weights), 20, 0.5, [10]),
        levels_of(censored_waits(repeated), 20, 0.5, [10]),
    )
    assert some.log_level == pytest.approx(many.log_level)
    assert some.size == pytest.approx(many.size)


WEEKS, A_WEEK = np.repeat(np.arange(80), 20), 20


def waits(changed: float | Callable[[np.random.Generator, int], Floats] = 1.0) -> Floats:
    """Eighty weeks of twenty waits; from the sixtieth on times a factor, or others."""
    random = np.random.default_rng(3)
    values, late = random.lognormal(math.log(432_000), 0.5, 1600).round(), WEEKS >= 60
    return np.where(late, changed(random, 1600) if callable(changed) else values * changed, values)


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_odd_waits_have_a_verdict_or_a_reason(quantile: float) -> None:
    def verdict(values: Floats, period: npt.NDArray[np.int64] = WEEKS, before: int = 60) -> Verdict:
        return assess_change(
            input_from_records("quantile", period, values, int(period.max()) + 1, before, quantile), before, "week"
        )

    second = verdict(waits(lambda random, n: np.ones(n)))  # all of them take one second
    assert second.status == "improved"
    assert second.relative is not None
    assert second.relative.high < -0.99
    outlier = waits()
    outlier[7] = 1e14
    assert verdict(outlier).status == "no_change_seen"
    ties = verdict(np.ceil(waits(0.5) / 259_200) * 259_200)  # known in steps of three days
    assert ties.working is not None
    assert ties.working.low < math.log(0.5) < ties.working.high < 0
    some_zero = np.where(np.random.default_rng(6).random(1600) < 0.3, 0.0, waits())
    assert not verdict(some_zero).claims
    assert "never varies" in verdict(np.full(1600, 3_600.0)).reason
    alone = np.where(np.arange(400) >= 300, 0.3, 1.0) * waits()[:400]  # one case a week
    few = verdict(alone, np.arange(400), 300)
    assert few.working is not None
    assert few.working.low < math.log(0.3) < few.working.high < 0
    with pytest.raises(RequestError, match="no time at all"):
        verdict(waits(lambda random, n: np.zeros(n)))
    with pytest.raises(RequestError, match="too few"):
        verdict(waits()[:60], np.append(np.arange(57), [60, 61, 62]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.9]), st.floats(-2, 2), st.floats(0.001, 1000))
def test_a_shift_of_all_logarithms_moves_the_response_alone(seed: int, quantile: float, by: float, unit: float) -> None:
    """Another unit changes nothing but the unit; an effect moves the response by itself."""
    random = np.random.default_rng(seed)
    period = np.repeat(np.arange(50), random.integers(1, 30, 50))
    values = random.lognormal(0, 1, len(period))
    if min((period < 35).sum(), (period >= 35).sum()) < 40:
        return
    plain = input_from_records("quantile", period, values, 50, 35, quantile)
    other = input_from_records("quantile", period, values * unit * np.exp(by * (period >= 35)), 50, 35, quantile)
    assert other.log_quantiles() == pytest.approx(
        plain.log_quantiles() + math.log(unit) + by * (np.arange(50) >= 35), abs=1e-6
    )
    assert other.density == pytest.approx(plain.density)


def test_the_sentence_says_why_where_the_levels_differ_otherwise() -> None:
    """A measure that fell all the time: the levels lie far apart, and nothing was changed."""
    agreeing = assess_change(input_from_records("quantile", WEEKS, waits(0.4), 80, 60), 60, "week", price_season=False)
    assert agreeing.levels_agree
    falling = waits() * np.exp(-0.04 * WEEKS)
    observed = input_from_records("quantile", WEEKS, falling, 80, 60)
    verdict = assess_change(observed, 60, "week", price_season=False)
    assert not verdict.levels_agree
    none = PeriodSeries(find_measure("time_to_resolution"), observed, (), 60, None, None, 0)
    checked = replace(verdict, checks=(CheckResult("trend before", True, "it was falling before the change"),))
    said = remarks(Proof(ProofRequest(none.measure, QUOTES, "week"), none, checked, ()))
    assert any("lie apart otherwise than the effect" in line and "falling before" in line for line in said)


def test_a_measure_whose_level_moves_is_not_constant() -> None:
    """The share within each period's own level may be one number in every period."""
    period = np.repeat(np.arange(80), 11)
    values = np.tile(np.arange(1.0, 12.0), 80) * np.where(period >= 60, 5, 1)
    observed = input_from_records("quantile", period, values, 80, 60)
    assert np.ptp(observed.total / observed.size) == 0
    assert not is_constant(PeriodSeries(find_measure("time_to_resolution_p90"), observed, (), 60, None, None, 0))


def test_no_waits_make_a_warning_or_a_number_that_is_none() -> None:
    """Holes, zeros, ties, open cases, nothing but open cases, giants: levels or a reason."""
    random, told = np.random.default_rng(14), {"": 0}
    for _ in range(400):
        periods = int(random.integers(1, 40))
        pieces = []
        for _ in range(periods):
            n = int(random.choice([0, 1, 3, 20, 60]))
            lengths = random.lognormal(0, float(random.choice([0.0, 0.5, 3.0])), n)
            lengths = np.where(random.random(n) < random.choice([0.0, 0.4, 0.6]), 0.0, lengths)
            lengths = np.where(random.random(n) < 0.02, random.choice([1e15, 1e-9]), lengths)
            ended = random.random(n) < random.choice([0.3, 0.9, 1.0])
            lengths = np.where(~ended & (random.random(n) < 0.5), np.inf, lengths)
            pieces.append((np.round(lengths, int(random.choice([0, 3, 12]))), ended))
        edges = sorted(set(random.integers(1, periods, 2).tolist())) if periods > 2 else []
        quantile, whole = float(random.choice([0.1, 0.5, 0.9])), int(random.choice([1, 7]))
        found = levels_of(censored_waits(pieces), periods, quantile, edges, whole, 1 / 3600)
        told[found.reason.split()[0] if found.reason else ""] = 1
        if not found.reason:
            assert np.isfinite(found.log_level[found.size > 0]).all()
            assert (found.density > 0).all()
            assert ((found.cases_within >= 0) & (found.cases_within <= found.size + 1e-9)).all()
    assert len(told) >= 4


def test_weeks_in_which_a_change_was_coming_in_are_left_out_of_all_that_is_said(quoted: Workspace) -> None:
    asked = ["prove", "--measure", "time_to_first_reply", "--change", "2025-09-15", "--settles", "2025-10-20"]
    done = CliRunner().invoke(app, [*asked, "--format", "json", "--home", str(quoted.folder)])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    verdict = told["verdict"]
    assert (told["settles"], told["settling"]) == ("2025-10-20", 5)
    assert verdict["level_after"] == pytest.approx(2.5 * 24, rel=0.1)  # hours; with the weeks before it 80 or more
    assert verdict["relative"]["low"] < 2.5 / 13.4 - 1 < verdict["relative"]["high"] < -0.7
    assert "The first 5 weeks since, while it was coming in, are left out." in told["more"]
    assert not any("lie apart" in line for line in told["more"])
    assert "5 weeks in between left out until it had settled on 2025-10-20" in told["paragraph"]
    early = CliRunner().invoke(app, [*asked[:-1], "2025-09-01", "--home", str(quoted.folder)])
    assert isinstance(early.exception, PeriodError)
    assert "--settles" in str(early.exception)

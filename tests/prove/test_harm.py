"""What may have got worse while something got better: chances of harm, margins, headlines, questions to the recording."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest
from bench.calibration import tricks
from bench.calibration.procedure import table
from scipy import stats

from wellserved.measure import find_measure
from wellserved.moments import periods_between
from wellserved.prove import Guardrail, ModelInput, PeriodSeries, Proof, assess_change
from wellserved.prove.chance import Harm, compare_shares, fit_at_one_look, foreseen_margins, margin_on_scale
from wellserved.prove.guards import (
    HARM_EXCLUDED_CHANCE,
    MAX_MARGIN_FACTOR,
    assess_guardrail,
    default_margin,
    select_guardrails,
    usual_margin,
)
from wellserved.prove.verdict import Estimate, to_unit
from wellserved.prove.words import chance_in_words, headline, remarks

REOPENED = find_measure("reopen_rate")
BEFORE, AFTER = 80, 26


def seen_of(observed: ModelInput, before: int = BEFORE) -> PeriodSeries:
    periods = tuple(periods_between(date(2022, 1, 3), date(2026, 1, 1), "week")[: len(observed.total)])
    return PeriodSeries(REOPENED, observed, periods, before, None, 7, 0)


def drawn(early: float, late: float, size: int, seed: int = 1, weeks: int = BEFORE + AFTER) -> ModelInput:
    random = np.random.default_rng(seed)
    p = np.where(np.arange(weeks) < BEFORE, early, late)
    return ModelInput("rate", random.binomial(size, p).astype(float), np.full(weeks, float(size)))


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("family", ["rate", "mean", "count"])
def test_a_margin_on_the_fit_s_scale_is_that_margin_in_the_unit(family: str, up: bool) -> None:
    observed = ModelInput(family, np.full(9, 3.0), np.full(9, 10.0))  # type: ignore[arg-type]
    at = margin_on_scale(observed, 0.3, 0.05, up) * (1 if up else -1)
    assert to_unit(observed, Estimate(at, at, at), 0.3).value == pytest.approx(0.05 if up else -0.05)


def test_a_margin_out_of_reach_has_no_chance_of_harm_beyond_it() -> None:
    observed = drawn(0.9, 0.9, 200)
    assert margin_on_scale(observed, 0.9, 0.2, True) == math.inf
    harm = Harm(Estimate(0, 0, 0), fit_at_one_look(observed, BEFORE, "week"))
    assert harm.chances_beyond(math.inf) == (0.0, 0.0)


def test_the_chance_of_harm_beyond_the_hull_s_end_is_what_its_level_leaves() -> None:
    observed = drawn(0.1, 0.11, 150)
    verdict = assess_change(observed, BEFORE, "week", "lower")
    assert verdict.working is not None
    least, most = Harm(Estimate(0, 0, 0), fit_at_one_look(observed, BEFORE, "week")).chances_beyond(
        verdict.working.high
    )
    assert most == pytest.approx(
        0.025, abs=2e-4
    )  # of the trend whose interval ends there; the hull is the wider of both
    assert least <= most


def test_chances_are_mirrored_with_the_measure() -> None:
    bad = drawn(0.2, 0.24, 150)
    good = replace(bad, total=bad.size - bad.total)
    both = [Harm(Estimate(0, 0, 0), fit_at_one_look(one, BEFORE, "week"), (), up).chances_beyond(0.1) for one, up in ((bad, True), (good, False))]  # fmt: skip
    assert both[0] == pytest.approx(both[1], abs=1e-6)
    assert 0.01 < both[0][1] < 0.99


def test_two_shares_are_compared_as_two_beta_distributions() -> None:
    total, size = np.array([1.0, 0, 0, 1, 6, 5, 4]), np.full(7, 100.0)
    harm = compare_shares(ModelInput("rate", total, size), 4, True)
    assert harm is not None
    random = np.random.default_rng(1)
    spread = max(1.0, float(((total[4:] - 5) ** 2 / (100 * 0.05 * 0.95)).sum()) / 2)
    late = random.beta(15 / spread + 0.5, 285 / spread + 0.5, 400_000)
    early = random.beta(2.5, 398.5, 400_000)
    assert harm.chances_beyond(0.03)[1] == pytest.approx(float((late - early > 0.03).mean()), abs=0.01)
    assert harm.estimate.low == pytest.approx(float(np.quantile(late - early, 0.025)), abs=0.002)
    assert compare_shares(ModelInput("rate", total, np.where(np.arange(7) < 4, size, 0.0)), 4, True) is None


def test_of_too_few_events_for_a_fit_harm_is_shown_and_excluded_all_the_same() -> None:
    """Nobody was closed unserved before; a tenth is now. No model of the weeks can be fitted to nothing."""
    rail = Guardrail(find_measure("abandoned_rate"))
    worse, same = (assess_guardrail(rail, seen_of(drawn(0.0, late, 100)), "week", 10) for late in (0.1, 0.0005))
    assert (worse.safety, same.safety) == ("worse", "not_worse")
    assert worse.harm is not None
    assert worse.harm.low < 0.1 < worse.harm.high
    assert worse.chance is not None
    assert worse.chance > 0.99


def test_what_surely_got_worse_but_stays_within_the_declared_margin_is_no_harm() -> None:
    seen = seen_of(drawn(0.05, 0.08, 3_000))
    wide, narrow = (assess_guardrail(Guardrail(REOPENED, margin), seen, "week", 10) for margin in (0.06, 0.01))
    assert wide.harm is not None
    assert wide.harm.low > 0
    assert (wide.safety, narrow.safety) == ("not_worse", "worse")
    vast = assess_guardrail(Guardrail(REOPENED, 0.5), seen_of(drawn(0.05, 0.2, 3_000)), "week", 10)
    assert vast.safety == "cannot_tell"  # whoever declares that anything may happen has not shown that nothing did
    assert "declared" in vast.words
    near = assess_guardrail(Guardrail(REOPENED, 0.03), seen, "week", 10)
    assert near.safety == "cannot_tell"
    assert "leans to worse" in near.words


def test_harm_is_shown_falsely_no_more_than_it_may() -> None:
    """Ten guardrails share 5%; 120 of them with nothing changed: none is more than likely, three are 1 in 400."""
    rail = Guardrail(REOPENED)
    found = [assess_guardrail(rail, seen_of(drawn(0.1, 0.1, 60, seed)), "week", 10).safety for seed in range(120)]
    assert found.count("worse") <= stats.binom.ppf(0.999, 120, 0.005)
    assert found.count("not_worse") > 60


def test_a_question_never_shows_harm_and_is_asked_at_a_lower_chance() -> None:
    seen = seen_of(drawn(0.05, 0.5, 200))
    asked = assess_guardrail(Guardrail(REOPENED, question="why?"), seen, "week", 10)
    assert (asked.safety, asked.words, asked.weakens) == ("cannot_tell", "why?", True)
    quiet = assess_guardrail(Guardrail(REOPENED, question="why?"), seen_of(drawn(0.05, 0.05, 200)), "week", 10)
    assert not quiet.weakens
    lacking = replace(seen, reason="not told", is_not_recorded=True)
    assert not assess_guardrail(Guardrail(REOPENED, question="why?"), lacking, "week", 10).weakens
    assert assess_guardrail(Guardrail(REOPENED), lacking, "week", 10).weakens


def test_margins_scale_with_what_can_be_shown_from_the_time_before_alone() -> None:
    rail, margins = Guardrail(REOPENED), []
    for size in (12, 40, 2_000):
        calm, wild = drawn(0.3, 0.3, size), drawn(0.3, 0.6, size)
        assert default_margin(rail, seen_of(calm), "week", 0.3) == default_margin(rail, seen_of(wild), "week", 0.3)
        margins.append(default_margin(rail, seen_of(calm), "week", 0.3))
    usual = usual_margin(0.3, REOPENED)
    assert margins[0] == MAX_MARGIN_FACTOR * usual  # few cases: half as much more, and no further
    assert margins[0] > margins[1] > margins[2] == usual
    known = foreseen_margins(drawn(0.3, 0.3, 40), BEFORE, "week", 0.3, 8)
    assert known is not None
    assert margins[1] == pytest.approx(known.high)
    declared = assess_guardrail(rail, seen_of(drawn(0.3, 0.3, 40)), "week", 10, {"reopen_rate": 0.11})
    assert declared.margin == 0.11
    assert foreseen_margins(drawn(0.3, 0.3, 40), 4, "week", 0.3, 8) is None


def test_a_margin_that_eight_weeks_can_show_is_shown_in_eight_weeks_most_often() -> None:
    """Proposed at 5% on one side of a step without effect: shown in half of the runs at that point, in most with less noise."""
    shown = 0
    for seed in range(60):
        observed = drawn(0.3, 0.3, 40, seed, BEFORE + 8)
        margin = foreseen_margins(observed, BEFORE, "week", 0.3, 8)
        assert margin is not None
        shown += assess_guardrail(Guardrail(REOPENED, margin.high), seen_of(observed), "week", 10).safety == "not_worse"
    assert 0.3 * 60 < shown < 0.85 * 60


def test_speed_is_asked_about_new_cases_volume_ratings_and_machines() -> None:
    named = {one.name: one for one in select_guardrails(find_measure("time_to_first_reply"), ())}
    assert {"repeat_case_rate", "asked", "rated_rate", "answered_within_a_minute", "merged_rate", "paused_rate"} <= set(
        named
    )
    assert named["asked"].better == "higher"
    assert "turned away" in named["asked"].question
    assert not named["repeat_case_rate"].question
    assert "answered_within_a_minute" not in {
        one.name for one in select_guardrails(find_measure("time_to_resolution"), ())
    }
    assert select_guardrails(find_measure("rating_good"), ()) == ()


@cache
def verdict_on(name: str, seed: int = 1, left_out: str = "") -> Proof:
    trick = next(one for one in (*tricks.HOUSES, *tricks.TRICKS) if one.name == name)
    return tricks.ask(tricks.moments(tricks.build(trick, seed)), trick.measure, left_out)


@pytest.mark.parametrize(
    ("name", "left_out", "kind"),
    [
        ("second tickets", "", "harm_shown"),
        ("second tickets", "customer", "improved_harm_not_excluded"),
        ("abandoning", "", "harm_shown"),
        ("rushing", "", "harm_shown"),
        ("rushing", "ratings", ""),
        ("definition", "", "improved_harm_not_excluded"),
        ("hidden mix", "service", "improved_harm_not_excluded"),
        ("silent auto-reply", "", "improved_harm_not_excluded"),
        ("slow auto-reply", "words", "improved_harm_not_excluded"),
        ("turning away", "", "improved_harm_not_excluded"),
        ("ratings stop", "", "improved_harm_not_excluded"),
        ("clock moved", "", "improved_harm_not_excluded"),
        ("undeclared change", "team", "improved_harm_not_excluded"),
    ],
)
def test_a_planted_trick_is_no_plain_improvement_and_is_named(name: str, left_out: str, kind: str) -> None:
    found = verdict_on(name, left_out=left_out)
    assert found.verdict.plain == "improved"  # by itself it looks so
    assert found.headline in ((kind,) if kind else ("harm_shown", "improved_harm_not_excluded"))
    trick = next(one for one in tricks.TRICKS if one.name == name)
    named = set(tricks.reasons(found)) & set(trick.expected)
    assert named
    assert any(name in headline(found) for name in named)


def test_honest_work_is_claimed_plainly_where_all_is_recorded_and_weaker_where_it_is_not() -> None:
    full, less = verdict_on("honest", 6), verdict_on("honest", 6, "ratings")
    assert (full.headline, full.doubts, full.claims) == ("improved", (), True)
    assert headline(full).startswith("time to resolution (team Ours) improved with")
    assert (less.headline, less.claims) == ("improved_harm_not_excluded", True)
    assert headline(less).startswith("Improved; harm not excluded; not told by the record: rating_good.")
    assert any(line.startswith("Not excluded, rating_good: ") for line in remarks(less))
    assert full.verdict.relative is not None
    assert full.verdict.relative.low < -0.3 < full.verdict.relative.high
    assert all(
        one.chance is not None and one.chance <= HARM_EXCLUDED_CHANCE
        for one in full.guardrail_results
        if not one.guardrail.question
    )


def test_chances_are_told_without_false_precision() -> None:
    assert [chance_in_words(one) for one in (0.0, 0.004, 0.006, 0.234, 0.999)] == [
        "under 1 in 100", "under 1 in 100", "1 in 100", "23 in 100", "over 99 in 100",
    ]  # fmt: skip


def test_the_simulation_s_table_counts_what_was_said() -> None:
    rows: list[dict[str, object]] = [
        {"trick": "early", "seed": 1, "left_out": "", "headline": "harm_shown", "plain": "improved", "reasons": ["reopen_rate"]},
        {"trick": "early", "seed": 2, "left_out": "", "headline": "improved", "plain": "improved", "reasons": []},
        {"trick": "early", "seed": 3, "left_out": "", "headline": "no_change_seen", "plain": "no_change_seen", "reasons": ["x"]},
        {"trick": "early", "seed": 1, "left_out": "team", "headline": "improved", "plain": "improved", "reasons": []},
    ]  # fmt: skip
    found = table(rows)
    assert [len(found[key]) for key in ("full", "left_out")] == [1, 1]
    line = found["full"][0]
    assert (line["runs"], line["improved"], line["harm_shown"]) == (3, 1 / 3, 1 / 3)
    assert line["right reason"] == 0.5

"""Queues: competing ends, service levels, and Erlang's formulas, against worked answers, another program and a simulation."""

from __future__ import annotations

import heapq
import math
import random
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.clock_oracle import Event
from tests.clock_workspace import workspace_of
from wellserved.actions import flows
from wellserved.cli import app
from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion
from wellserved.moments import NotComputable
from wellserved.queueing.erlang import erlang_a, erlang_b, erlang_c, fewest_servers
from wellserved.queueing.incidence import incidence, served_quantile
from wellserved.queueing.staffing import staffing

DAY = int(datetime(2024, 3, 4, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("load", "servers", "blocked_share"),
    [(10, 15, 0.0365), (10, 10, 0.2146), (1, 1, 0.5), (2, 4, 0.0952), (20, 30, 0.0085)],
)
def test_erlang_b_as_its_tables_have_it(load: float, servers: int, blocked_share: float) -> None:
    """Published tables of the Erlang B function, to their four places."""
    assert erlang_b(load, servers) == pytest.approx(blocked_share, abs=5e-5)


def test_erlang_c_as_in_tanner_s_worked_example() -> None:
    """M. Tanner, The Call Centre Management Handbook: 360 calls in half an hour of four minutes, 55 agents."""
    forecast = erlang_c(360 / 1800, 240, 55, 15)
    assert forecast.occupancy == pytest.approx(0.873, abs=5e-4)
    assert forecast.wait_share == pytest.approx(0.239, abs=5e-4)
    assert forecast.mean_wait == pytest.approx(8.2, abs=0.05)
    assert forecast.in_time_share == pytest.approx(1 - 0.239 * math.exp(-(55 - 48) * 15 / 240), abs=5e-4)


def birth_and_death(rate: float, handling: float, patience: float, servers: int) -> tuple[float, float]:
    """Share who wait, and share who leave, from the balance of how many are there."""
    logs = [0.0]
    for count in range(1, servers + 3_000):
        logs.append(logs[-1] + math.log(rate / (min(count, servers) / handling + max(count - servers, 0) / patience)))
    weights = np.exp(np.array(logs) - max(logs))
    weights /= weights.sum()
    waiting_counts = np.maximum(np.arange(len(weights)) - servers, 0)
    return float(weights[servers:].sum()), float((waiting_counts * weights).sum()) / patience / rate


@pytest.mark.parametrize(
    "case", [(0.2, 240, 120, 45), (0.2, 240, 120, 55), (1 / 60, 300, 600, 3), (2.0, 300, 180, 500), (0.01, 300, 60, 1), (10, 300, 60, 2_900), (0.2, 240, 120, 48), (0.385824 / 563_817, 563_817, 164.693, 1), (0.000141, 507_747, 158.8, 79)]
)  # fmt: skip
def test_erlang_a_agrees_with_the_balance_of_births_and_deaths(case: tuple[float, float, float, int]) -> None:
    forecast = erlang_a(*case, seconds=20)
    assert (forecast.wait_share, forecast.left_share) == pytest.approx(birth_and_death(*case), rel=1e-7)
    assert forecast.mean_wait == pytest.approx(forecast.left_share * case[2])


def test_erlang_a_without_impatience_is_erlang_c() -> None:
    patient, endless = erlang_a(0.2, 240, 1e8, 55, 15), erlang_c(0.2, 240, 55, 15)
    assert (patient.wait_share, patient.in_time_share) == pytest.approx(
        (endless.wait_share, endless.in_time_share), rel=1e-4
    )


def simulate(
    rate: float, handling: float, patience: float, servers: int, seconds: float, people: int
) -> tuple[float, float]:
    """Share served in time and share who left, one person after the other."""
    rng, free_times, arrival, in_time, left_count = random.Random(11), [0.0] * servers, 0.0, 0, 0
    for _ in range(people):
        arrival += rng.expovariate(rate)
        start = max(arrival, free_times[0])
        if start - arrival > rng.expovariate(1 / patience):
            left_count += 1
            continue
        heapq.heapreplace(free_times, start + rng.expovariate(1 / handling))
        in_time += start - arrival <= seconds
    return in_time / people, left_count / people


@pytest.mark.parametrize("case", [(0.2, 240, 120, 45, 15), (1 / 60, 300, 600, 4, 60)])
def test_erlang_a_agrees_with_a_simulation(case: tuple[float, float, float, int, float]) -> None:
    forecast = erlang_a(*case)
    assert (forecast.in_time_share, forecast.left_share) == pytest.approx(simulate(*case, people=200_000), abs=0.012)


def test_fewest_servers_reach_the_goal_and_one_less_does_not() -> None:
    for patience in (None, 120.0):
        forecast = fewest_servers(0.2, 240, patience, 20, 0.8)
        assert forecast.in_time_share >= 0.8
        smaller_forecast = (
            erlang_c(0.2, 240, forecast.servers - 1, 20)
            if patience is None
            else erlang_a(0.2, 240, patience, forecast.servers - 1, 20)
        )
        assert smaller_forecast.in_time_share < 0.8
    with pytest.raises(RequestError, match="between 0 and 1"):
        fewest_servers(0.2, 240, None, 20, 1.0)


# --- competing ends ---------------------------------------------------------------------------------------------------


def test_competing_ends_worked_out_by_hand() -> None:
    """Five come: served after 1, left after 2, served after 3, waiting at 3, served after 4."""
    curves = incidence(np.array([1, 2, 3, 3, 4]), np.array([1, 2, 1, 0, 1]))
    assert curves.shares_at(1) == pytest.approx((1 / 5, 0, 4 / 5))
    assert curves.shares_at(2) == pytest.approx((1 / 5, 1 / 5, 3 / 5))
    assert curves.shares_at(3) == pytest.approx((2 / 5, 1 / 5, 2 / 5))  # of three at risk one is served: 3/5 times 1/3
    assert curves.shares_at(4) == pytest.approx((4 / 5, 1 / 5, 0))
    assert curves.shares_at(0.5) == (0, 0, 1)
    assert served_quantile(curves, 0.4) == 3
    assert served_quantile(curves, 0.9) == math.inf  # a fifth has left, and will never be served


def test_competing_ends_agree_with_lifelines() -> None:
    from lifelines import AalenJohansenFitter

    rng = np.random.default_rng(5)
    waits = rng.permutation(np.arange(1, 401)) * 7  # without ties, which lifelines would shift at random
    ends = rng.choice([0, 1, 2], 400, p=[0.2, 0.6, 0.2])
    curves = incidence(waits, ends)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for event, share, low, high in (
            (1, curves.served_share, curves.served_low, curves.served_high),
            (2, curves.left_share, curves.left_low, curves.left_high),
        ):
            fitter = AalenJohansenFitter(calculate_variance=True).fit(waits, ends, event_of_interest=event)
            reference_share = fitter.cumulative_density_.iloc[:, 0].reindex(curves.seconds, method="ffill").to_numpy()
            assert share == pytest.approx(reference_share, abs=1e-12)
            reference_variance = fitter.variance_.squeeze().reindex(curves.seconds, method="ffill").to_numpy()
            is_interior = (share > 0.02) & (share < 0.98) & np.isfinite(reference_variance)
            width = (
                1.959963984540054
                * np.sqrt(reference_variance)
                / (share * np.abs(np.log(np.where(share > 0, share, 0.5))))
            )
            assert low[is_interior] == pytest.approx((share ** np.exp(width))[is_interior], rel=0.01)
            assert high[is_interior] == pytest.approx((share ** np.exp(-width))[is_interior], rel=0.01)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 2)), min_size=1, max_size=60))
def test_shares_add_up_and_never_fall(cases: list[tuple[int, int]]) -> None:
    curves = incidence(np.array([wait for wait, _ in cases]), np.array([end for _, end in cases]))
    assert np.all(np.diff(curves.served_share) >= 0)
    assert np.all(np.diff(curves.left_share) >= 0)
    assert np.all(curves.served_share + curves.left_share <= 1 + 1e-12)
    assert np.all(
        (curves.served_low <= curves.served_share + 1e-12) & (curves.served_share <= curves.served_high + 1e-12)
    )


# --- a queue of one's own ---------------------------------------------------------------------------------------------


Wait = tuple[int | None, int | None]


def call(
    number: int, arrival: int, answer_seconds: int | None = None, leave_seconds: int | None = None
) -> tuple[str, list[Event]]:
    events = [Event(arrival, "asked")]
    events += (
        [Event(arrival + answer_seconds, "replied"), Event(arrival + answer_seconds + 60, "resolved")]
        if answer_seconds is not None
        else []
    )
    events += [Event(arrival + leave_seconds, "abandoned")] if leave_seconds is not None else []
    return f"call {number}", events


def test_three_treatments_of_those_who_left_give_three_shares(tmp_path: Path) -> None:
    """Twenty answered after 10 s, ten after 100 s, six left after 5 s, four after 50 s; at nine. A night call is served last."""
    nine = DAY + 9 * 3_600
    groups: list[tuple[Wait, int]] = [((10, None), 20), ((100, None), 10), ((None, 5), 6), ((None, 50), 4)]
    waits = [wait for wait, count in groups for _ in range(count)]
    cases = dict(call(index, nine + index, *wait) for index, wait in enumerate(waits))
    cases |= dict([call(99, DAY + 23 * 3_600, 3_600)])
    workspace = workspace_of(tmp_path, cases)
    queue = flows.ask_queue(workspace, MeasureQuestion(()), 20, 3_600)
    (nine_o_clock,) = (interval for interval in queue.intervals if interval.start == 9 * 3_600)
    assert (nine_o_clock.arrivals, nine_o_clock.served_count, nine_o_clock.left_count) == (40, 30, 10)
    assert [(level.n, level.share) for level in nine_o_clock.levels] == [(40, 20 / 40), (34, 20 / 34), (30, 20 / 30)]
    assert nine_o_clock.total_wait == 20 * 10 + 10 * 100 + 6 * 5 + 4 * 50
    (night,) = (interval for interval in queue.intervals if interval.start == 23 * 3_600)
    assert isinstance(night.levels[0].share, NotComputable)
    assert queue.incidence.shares_at(20) == pytest.approx((20 / 41, 6 / 41, 15 / 41))
    assert queue.patience == (nine_o_clock.total_wait + 3_600) / 10
    (staffing_row,) = (row for row in staffing(queue, 3_600, 120, 0.8) if row.start == 9 * 3_600)
    assert not isinstance(staffing_row.required, NotComputable)
    assert staffing_row.arrivals_per_hour == 40
    assert staffing_row.required.in_time_share >= 0.8
    result = CliRunner().invoke(
        app, ["queue", "--within", "20s", "--handling", "2m", "--home", str(workspace.folder)], env={"COLUMNS": "250"}
    )
    assert result.exit_code == 0, result.output
    assert "50.0%" in result.stdout
    assert "58.8%" in result.stdout
    assert "66.7%" in result.stdout


def test_who_left_was_not_served_by_what_is_written_afterwards(tmp_path: Path) -> None:
    events = [Event(DAY, "asked"), Event(DAY + 60, "abandoned"), Event(DAY + 7_200, "replied")]
    queue = flows.ask_queue(workspace_of(tmp_path, {"1": events}), MeasureQuestion(()), 20, 3_600)
    assert (queue.overall.served_count, queue.overall.left_count, queue.overall.total_wait) == (0, 1, 60)


def test_the_last_interval_of_a_day_may_be_shorter(tmp_path: Path) -> None:
    """Four an hour round the clock, in intervals of seven hours: the last lasts three, and as many come an hour."""
    cases = dict(call(index, DAY + index * 900, 10) for index in range(4 * 24 * 10))
    queue = flows.ask_queue(workspace_of(tmp_path, cases), MeasureQuestion(()), 20, 7 * 3_600)
    assert [row.arrivals_per_hour for row in staffing(queue, 7 * 3_600, 1_800, 0.8)] == [4, 4, 4, 4]


def test_years_typed_wrongly_and_waits_of_no_length_do_no_harm(tmp_path: Path) -> None:
    cases = dict([call(1, -1_800, 10), call(2, DAY + 600, 10)])
    queue = flows.ask_queue(workspace_of(tmp_path, cases), MeasureQuestion(()), 20, 3_600)
    assert [(interval.start, interval.arrivals) for interval in queue.intervals] == [(0, 1), (23 * 3_600, 1)]
    (tmp_path / "none").mkdir()
    at_once = dict(call(index, DAY + index * 60, leave_seconds=0) for index in range(40))
    queue = flows.ask_queue(workspace_of(tmp_path / "none", at_once), MeasureQuestion(()), 20, 86_400)
    assert isinstance(queue.patience, NotComputable)
    assert staffing(queue, 86_400, 60, 0.8)[0].left_share == 1


def test_the_same_wait_begins_at_another_time_of_day_in_another_zone(tmp_path: Path) -> None:
    for zone, hour in (("UTC", 22), ("Asia/Kolkata", 3)):
        folder = tmp_path / zone.replace("/", "")
        folder.mkdir()
        cases = dict(call(index, DAY + 22 * 3_600 + index, 10) for index in range(12))
        queue = flows.ask_queue(workspace_of(folder, cases, zone=zone), MeasureQuestion(()), 20, 3_600)
        assert [interval.start for interval in queue.intervals] == [hour * 3_600]


def test_those_still_waiting_for_less_than_the_time_are_not_judged(tmp_path: Path) -> None:
    cases = dict(call(index, DAY + index, 10) for index in range(20))
    last = DAY + int(timedelta(hours=5).total_seconds())
    cases |= dict([call(50, last - 5), call(51, last - 3_000), call(52, last, 0)])
    queue = flows.ask_queue(workspace_of(tmp_path, cases), MeasureQuestion(()), 20, 86_400)
    assert queue.overall.too_recent == 0  # as-of is the last moment of all, a minute after the last call
    wider_queue = flows.ask_queue(workspace_of(tmp_path, cases), MeasureQuestion(()), 120, 86_400)
    assert wider_queue.overall.too_recent == 1
    assert wider_queue.overall.levels[0].n == 22
    assert wider_queue.overall.levels[0].share == 21 / 22


def test_lengths_of_time_that_cannot_be_read_say_how_to_write_them(tmp_path: Path) -> None:
    for length_text in ("soon", "5", "-1m", "1w"):
        result = CliRunner().invoke(app, ["queue", "--within", length_text, "--home", str(tmp_path)])
        assert isinstance(result.exception, RequestError)
        assert "20s, 5m, 4h or 2d" in result.exception.remedy

"""Charts of series: kinds, phases, baselines, unfinished periods, and judgement as a second step."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from scipy import stats

from wellserved.chart import Chart, compute_chart
from wellserved.chart.limits import Limits
from wellserved.errors import RequestError, UnknownNameError
from wellserved.measure import MeasureQuestion, Series, find_measure
from wellserved.moments import NotComputable, period_of
from wellserved.render.charts import svg
from wellserved.render.formats import data, html, markdown, terminal


def series_of(
    values: list[float | None], measure: str = "time_to_resolution", n: int = 200, unfinished_count: int = 0
) -> Series:
    start = date(2024, 1, 1)
    periods = tuple(period_of(start + timedelta(days=7 * index), "week") for index in range(len(values)))
    results = tuple(NotComputable("no cases") if value is None else value for value in values)
    size = len(values)
    found_measure = find_measure(measure)
    is_over = tuple(index < size - unfinished_count for index in range(size))
    count = (
        tuple(None if value is None else round(value * n) for value in values)
        if found_measure.kind == "share"
        else (None,) * size
    )
    return Series(found_measure, MeasureQuestion((found_measure,), granularity="week"), "UTC", 0, 0, periods, (None,) * size, is_over, (n,) * size, count, (None,) * size, results, results, results, ("",) * size)  # fmt: skip


def limits_of(chart: Chart) -> Limits:
    assert isinstance(chart.limits, Limits)
    return chart.limits


NOISE = np.random.default_rng(1).normal(10, 1, 30).round(3).tolist()


def test_each_measure_gets_the_chart_that_fits() -> None:
    assert compute_chart(series_of(NOISE)).kind == "xmr"
    assert compute_chart(series_of([0.5 + 0.01 * (n % 3) for n in range(20)], "promise_kept")).kind == "p'"
    assert compute_chart(series_of([1 + 0.1 * (n % 4) for n in range(20)], "handovers")).kind == "u'"


def test_limits_step_at_a_phase_and_a_shift_is_no_signal_afterwards() -> None:
    values = [*NOISE, *(value + 8 for value in NOISE)]
    plain_chart = compute_chart(series_of(values))
    phased_chart = compute_chart(series_of(values), phases=[date(2024, 1, 1) + timedelta(days=7 * 30)])
    assert plain_chart.signal_masks["long_run"].any()
    assert not phased_chart.signal_masks["long_run"].any()
    centre = limits_of(phased_chart).centre
    assert len(set(centre[:30])) == len(set(centre[30:])) == 1
    assert centre[30] - centre[0] == pytest.approx(8)


def test_a_baseline_holds_the_limits() -> None:
    values = [*NOISE, *(value + 8 for value in NOISE)]
    baseline_chart = compute_chart(series_of(values), baseline=date(2024, 1, 1) + timedelta(days=7 * 30))
    noise_chart = compute_chart(series_of(NOISE))
    assert limits_of(baseline_chart).centre[0] == pytest.approx(limits_of(noise_chart).centre[0])
    assert baseline_chart.signal_masks["outside"][30:].sum() > 20


def test_better_or_worse_follows_from_the_measure_and_not_from_the_rule() -> None:
    values = [*NOISE[:12], *(value - 6 for value in NOISE[12:24])]
    wait_signals = [signal for signal in compute_chart(series_of(values)).signals if signal.rule == "long_run"]
    assert {(signal.side, signal.verdict) for signal in wait_signals} == {("above", "worse"), ("below", "better")}
    shares = [value / 20 for value in values]
    promise_signals = [
        signal
        for signal in compute_chart(series_of(shares, "promise_kept"), kind="xmr").signals
        if signal.rule == "long_run"
    ]
    assert {(signal.side, signal.verdict) for signal in promise_signals} == {("above", "better"), ("below", "worse")}
    demand_signals = [
        signal for signal in compute_chart(series_of(values, "asked")).signals if signal.rule == "long_run"
    ]
    assert {signal.verdict for signal in demand_signals} == {"neither"}


def test_unfinished_and_missing_periods_take_no_part() -> None:
    values: list[float | None] = [*NOISE[:20], 99.0]
    chart = compute_chart(series_of(values, unfinished_count=1))
    assert not chart.used[-1]
    assert np.isnan(limits_of(chart).upper[-1])
    assert not chart.signal_masks["outside"].any()
    gap_chart = compute_chart(series_of([*NOISE[:10], None, *NOISE[10:20]]))
    full_chart = compute_chart(series_of(NOISE[:20]))
    assert limits_of(gap_chart).upper[0] == pytest.approx(limits_of(full_chart).upper[0])


def test_too_few_periods_have_no_limits_and_say_so() -> None:
    chart = compute_chart(series_of(NOISE[:9]))
    assert isinstance(chart.limits, NotComputable)
    assert "9 periods" in chart.limits.reason
    assert chart.signals == ()


def test_resembling_neighbours_are_warned_of() -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(size=40)) + 50
    assert "resemble each other" in compute_chart(series_of(walk.tolist())).warning
    assert compute_chart(series_of(NOISE)).warning == ""


JUMPS: list[float | None] = [10.0, 12, 11, 13, 12, 40, 12, 13, 11, 12]  # worked by hand in test_chart_limits


def test_what_screening_did_is_said_in_every_form() -> None:
    plain_chart, chart = compute_chart(series_of(JUMPS)), compute_chart(series_of(JUMPS), screening=True)
    sentence = "2 moving ranges left out; limits 81% narrower"  # 1 - (10/7)/(66/9) = .805
    assert plain_chart.screening_note == ""
    assert sentence in chart.screening_note
    assert "3.267 times their mean" in chart.screening_note
    assert limits_of(chart).upper[0] == pytest.approx(14.6 + 3 * 10 / 7 / 1.128)
    assert [signal.rule for signal in chart.signals if signal.rule == "outside"]
    text = terminal.plain_text(terminal.chart_lines(chart), 400)
    for output in (
        text,
        svg.draw_control_chart(chart, svg.WIDE),
        "\n".join(markdown.chart_text(chart)),
        html.chart_page(chart),
    ):
        assert sentence in output
    assert sentence in str(data.chart_data(chart)["screening"])
    assert data.chart_data(plain_chart)["screening"] is None


def test_each_phase_is_screened_by_itself() -> None:
    start = date(2024, 1, 1) + timedelta(days=70)
    chart = compute_chart(
        series_of([*JUMPS, *(20.0 + index % 2 for index in range(10))]), phases=[start], screening=True
    )
    assert [screening.left_out for screening in chart.screenings] == [2, 0]
    assert "phase 2: no moving range left out" in chart.screening_note


def test_a_wrong_request_is_refused() -> None:
    with pytest.raises(RequestError, match="nothing to screen"):
        compute_chart(series_of(NOISE), kind="ewma", screening=True)
    with pytest.raises(UnknownNameError):
        compute_chart(series_of(NOISE), rule_set="mine")
    with pytest.raises(RequestError, match="no share"):
        compute_chart(series_of(NOISE), kind="p")


@pytest.mark.parametrize("frame", [svg.WIDE, svg.NARROW], ids=["wide", "narrow"])
def test_a_picture_is_well_formed_named_and_marks_each_signal(frame: svg.Frame) -> None:
    values = [*NOISE[:15], 30.0, *NOISE[15:]]
    chart = compute_chart(series_of(values))
    picture = ElementTree.fromstring(svg.draw_control_chart(chart, frame))
    namespace = "{http://www.w3.org/2000/svg}"
    assert picture.find(f"{namespace}title") is not None
    description = picture.find(f"{namespace}desc")
    assert description is not None
    assert "beyond a control limit" in (description.text or "")
    signals = [element for element in picture.iter(f"{namespace}path") if "signal" in str(element.get("class")).split()]
    assert len(signals) == sum(chart.signal_masks["outside"] | chart.signal_masks["long_run"])
    better = [element for element in signals if element.get("class") == "signal good"]
    assert 0 < len(better) < len(signals), "told apart by shape and colour"
    words = [element.findtext(f"{namespace}title") or "" for element in signals]
    assert sum("on the better side" in text for text in words) == len(better)
    assert all("n = " in text for text in words)
    assert not [element for element in picture.iter() if element.get("style")]


def test_ticks_are_round_and_lie_within() -> None:
    for low, high in ((0, 1), (3.2, 17.9), (0.61, 0.66), (-5, 5), (1e6, 3e6)):
        marks = svg.ticks(low, high)
        assert 2 <= len(marks) <= 6
        assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)
    assert svg.ticks(2, 2) == [2]


def test_the_numbers_of_a_chart_are_those_of_its_series() -> None:
    chart = compute_chart(series_of(NOISE))
    numbers = data.chart_rows(chart)
    assert [row["value"] for row in numbers] == NOISE
    assert numbers[0]["upper_limit"] == limits_of(chart).upper[0]
    assert data.chart_csv(chart).count("\n") == len(NOISE) + 1


def test_a_small_lasting_shift_is_seen_by_the_moving_average_alone() -> None:
    values = np.array([*NOISE, *(value + 1.5 for value in NOISE[:20])]).tolist()
    baseline = date(2024, 1, 1) + timedelta(days=7 * 30)
    ewma_chart = compute_chart(series_of([*values, None]), kind="ewma", baseline=baseline)
    plain_chart = compute_chart(series_of(values), baseline=baseline)
    assert ewma_chart.signal_masks["outside"][30:].sum() > plain_chart.signal_masks["outside"][30:].sum()
    assert set(ewma_chart.signal_masks) == {"outside"}
    assert ewma_chart.runs is None
    assert np.isnan(ewma_chart.values[-1])
    assert svg.draw_control_chart(ewma_chart, svg.WIDE)


def test_means_of_samples_are_judged_by_what_varies_within_them() -> None:
    means = series_of([1 + 0.1 * (n % 4) for n in range(20)], "handovers", n=25)
    half_width = float(stats.t.ppf(0.975, 24)) * 0.5 / 5  # the interval of 25 values whose standard deviation is 0.5
    mean_values = [float(value) for value in means.value if not isinstance(value, NotComputable)]
    bounded_means = replace(
        means, low=tuple(v - half_width for v in mean_values), high=tuple(v + half_width for v in mean_values)
    )
    limits, sigma = (
        limits_of(compute_chart(bounded_means, kind="xbar")),
        0.5 / 0.98964,
    )  # c4 of 25: Montgomery, appendix VI
    assert limits.upper[0] - limits.centre[0] == pytest.approx(3 * sigma / 5, rel=1e-5)


def test_a_chart_that_does_not_fit_the_measure_is_refused() -> None:
    for kind, measure in (("t", "promise_kept"), ("xbar", "promise_kept"), ("p", "handovers"), ("t", "handovers")):
        with pytest.raises(RequestError, match="is no"):
            compute_chart(series_of([0.5 + 0.01 * (n % 3) for n in range(20)], measure), kind=kind)  # type: ignore[arg-type]
    assert compute_chart(series_of([abs(value) for value in NOISE]), kind="t").kind == "t"

"""The product's numbers against a slow plain-Python count of the same definitions, and against published values."""

from __future__ import annotations

import math
import random
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from importlib import resources
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.oracle import Case, Number, Spot
from wellserved.actions.imports import import_file
from wellserved.actions.questions import ask_measures
from wellserved.mapping import parse_mapping
from wellserved.measure import MeasureQuestion, Series, find_measure, series_records
from wellserved.measure.interval import (
    binomial_quantile,
    garwood_interval,
    mean_with_interval,
    quantile_ranks,
    wilson_interval,
)
from wellserved.measure.wait_quantile import duration_quantile
from wellserved.moments import Granularity
from wellserved.storage.workspace import Workspace, create_workspace

SAMPLES = Path(str(resources.files("wellserved") / "samples"))
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
whole_files = pytest.mark.skipif(not SHARED.is_dir(), reason="the whole data files (../shared/data) are not here")

COUNTS = ("asked", "resolved", "promise_running")
SHARES = ("promise_kept", "promise_late", "promise_broken", "closed_late", "promise_kept_by_source")
WAITS = ("time_to_resolution", "time_to_resolution_p90")
BOSTON = (*COUNTS, *SHARES, *WAITS)
HALF, NINE_TENTHS = Fraction(1, 2), Fraction(9, 10)
QUANTILE = {"time_to_resolution": HALF, "time_to_resolution_p90": NINE_TENTHS}
SPLITS = {None: oracle.everyone, "team": lambda case: case.team, "channel": lambda case: case.channel}

Known = tuple[Workspace, list[Case]]
Where = tuple[tuple[str, str], ...]


def put(
    workspace: Workspace,
    names: Iterable[str],
    every: Granularity | None = None,
    by: str | None = None,
    where: Where = (),
) -> dict[str, Series]:
    measures = tuple(find_measure(name) for name in names)
    found = ask_measures(workspace, MeasureQuestion(measures, by=by, granularity=every, where=where))
    return {series.measure.name: series for series in found}


def numbers(series: Series) -> dict[Spot, Number]:
    found: dict[Spot, Number] = {}
    for row in series_records(series):
        cell: dict[str, Any] = {name: row[name] for name in ("n", "count", "open", "value", "low", "high")}
        spot = (row["segment"], row["period"])
        assert spot not in found
        found[spot] = Number(**cell)  # type: ignore[index]
    return found


def same(found: float | None, wanted: float | None, within: float) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return math.isclose(found, wanted, rel_tol=within, abs_tol=within)


def differences(series: Series, wanted: dict[Spot, Number], bounded: bool = True) -> list[str]:
    """What differs: counts exactly, values to 1e-12, bounds to 1e-9."""
    found, name = numbers(series), series.measure.name
    nothing = oracle.counted(0) if series.measure.kind in ("count", "stock") else Number(0)
    last = series.as_of_local.date()
    beyond = {one.label for one in series.periods if one and one.start > last and series.measure.anchor != "due"}
    wrong = [f"{name} {spot}: missing, {one.n} cases" for spot, one in wanted.items() if one.n and spot not in found]
    for spot, got in found.items():
        due = (
            Number(0) if spot[1] in beyond else wanted.get(spot, nothing)
        )  # of a time after the record nothing is known
        exact = got.n == due.n and (not due.n or (got.count, got.open) == (due.count, due.open))
        free = got.value is None or not bounded
        bounds = free or (same(got.low, due.low, 1e-9) and same(got.high, due.high, 1e-9))
        if not (exact and same(got.value, due.value, 1e-12) and bounds):
            wrong.append(f"{name} {spot}: {got}, by the words {due}")
    return wrong


def only(series: Series) -> Number:
    (number,) = numbers(series).values()
    return number


# --- the Boston slice ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def boston(tmp_path_factory: pytest.TempPathFactory) -> Known:
    path = SAMPLES / "boston311_slice.csv.gz"
    workspace = create_workspace(tmp_path_factory.mktemp("boston"), "America/New_York")
    import_file(workspace, path)
    return workspace, oracle.read_boston(path)


@pytest.mark.parametrize(
    ("every", "by"),
    [
        (None, None),
        ("day", None),
        ("week", None),
        ("month", None),
        ("quarter", None),
        ("year", None),
        (None, "team"),
        (None, "channel"),
        ("month", "team"),
        ("month", "channel"),
        ("week", "team"),
    ],
)
def test_boston_counts_shares_and_waits_are_those_of_the_words(
    boston: Known, every: Granularity | None, by: str | None
) -> None:
    workspace, cases = boston
    found = put(workspace, (*BOSTON, "still_open"), every, by)
    wanted = oracle.answers(cases, every, oracle.BOSTON, SPLITS[by])
    left = numbers(found["still_open"])
    wanted["still_open"] = oracle.stock(cases, left, every, oracle.BOSTON, SPLITS[by])
    assert [line for name, series in found.items() for line in differences(series, wanted[name])] == []


def test_boston_stock_at_the_end_of_every_month(boston: Known) -> None:
    workspace, cases = boston
    found = numbers(put(workspace, ("still_open", "resolved"), "month")["still_open"])
    assert [label for _, label in found] == [*(f"2015-{month:02d}" for month in range(1, 13)), "2016-01"]
    assert found[None, "2016-01"].n == sum(not case.closed for case in cases)
    assert found[None, "2015-06"].n == sum(
        case.asked < datetime(2015, 7, 1, 4, tzinfo=UTC)
        and not (case.resolved and case.resolved < datetime(2015, 7, 1, 4, tzinfo=UTC))
        for case in cases
    )


def test_boston_stock_asked_for_alone_reaches_the_month_up_to_which_the_cases_are_known(boston: Known) -> None:
    workspace, _ = boston
    found = put(workspace, ("still_open",), "month")["still_open"]
    assert found.periods[-1] is not None
    assert found.periods[-1].label == f"{found.as_of_local:%Y-%m}"


def test_boston_teams_with_nothing_open_have_a_stock_of_nought(boston: Known) -> None:
    workspace, cases = boston
    found = numbers(put(workspace, ("still_open",), by="team")["still_open"])
    assert {segment for segment, _ in found} == {case.team for case in cases}


def test_boston_promises_still_to_fall_due_are_counted_in_the_months_in_which_they_do(boston: Known) -> None:
    workspace, cases = boston
    now = oracle.as_of(cases)
    due = sum(oracle.running(case, now) for case in cases)
    found = put(workspace, ("promise_running",), "month")["promise_running"]
    assert sum(found.n) == due


def test_boston_periods_are_over_when_their_last_midnight_is_known(boston: Known) -> None:
    workspace, cases = boston
    now = oracle.as_of(cases)
    for every in ("day", "week", "month", "quarter", "year"):
        series = put(workspace, ("resolved",), every)["resolved"]
        assert series.as_of == now.timestamp()
        for period, over in zip(series.periods, series.is_over, strict=True):
            assert period is not None
            assert over == (oracle.ends_of(period.label, every, oracle.BOSTON) <= now)


@pytest.mark.parametrize("teams", [("PWDx",), ("ISD", "BTDT")])
def test_boston_filter_keeps_the_cases_of_the_teams_named(boston: Known, teams: tuple[str, ...]) -> None:
    workspace, cases = boston
    names = ("asked", "resolved", "closed_late", "promise_kept_by_source")
    found = put(workspace, names, "month", where=tuple(("team", team) for team in teams))
    wanted = oracle.answers([case for case in cases if case.team in teams], "month", oracle.BOSTON)
    assert [line for name in names for line in differences(found[name], wanted[name])] == []


def test_boston_check_figures_of_the_slice(boston: Known) -> None:
    workspace, cases = boston
    now = oracle.as_of(cases)
    closed = [case for case in cases if case.closed and case.due]
    late = [case for case in closed if oracle.fate(case) == "late"]
    assert (len(cases), len(closed), len(late)) == (30_199, 19_716, 4_736)
    assert round(100 * len(late) / len(closed), 2) == 24.02
    agree = [case for case in closed if case.kept_by_source is (oracle.fate(case) == "kept")]
    differ = [case for case in closed if case.kept_by_source is (oracle.fate(case) == "late")]
    assert (len(agree), len(differ)) == (19_688, 0)
    assert sum(case.kept_by_source is None for case in closed) == len(closed) - len(agree)
    past = [case for case in cases if not case.closed and oracle.fell_due(case, now)]
    assert (len(past), sum(not case.closed for case in cases)) == (2_848, 4_908)
    found = put(workspace, ("closed_late", "promise_broken"))
    assert (only(found["closed_late"]).n, only(found["closed_late"]).count) == (len(closed), len(late))
    assert only(found["promise_broken"]).count == len(past)


def test_boston_promises_that_fell_due_are_kept_late_or_broken_and_nothing_else(boston: Known) -> None:
    workspace, _ = boston
    found = put(workspace, ("promise_kept", "promise_late", "promise_broken"), "week", "team")
    parts = [numbers(series) for series in found.values()]
    for spot, one in parts[0].items():
        assert {part[spot].n for part in parts} == {one.n}
        assert sum(part[spot].count or 0 for part in parts) == one.n


def test_boston_age_of_the_open_cases_is_counted_to_the_second_up_to_which_they_are_known(boston: Known) -> None:
    workspace, cases = boston
    now = oracle.as_of(cases)
    ages = [(now - case.asked).total_seconds() for case in cases if not case.closed]
    found = only(put(workspace, ("open_age",))["open_age"])
    assert found.n == len(ages)
    assert found.value == pytest.approx(median(ages) / oracle.SECONDS_A_DAY, abs=1e-9)


def test_boston_age_of_the_open_cases_at_the_end_of_each_month(boston: Known) -> None:
    workspace, cases = boston
    series = put(workspace, ("open_age",), "month")["open_age"]
    found = numbers(series)
    for (segment, label), over in zip(found, series.is_over, strict=True):
        assert label is not None
        if over:
            end = oracle.ends_of(label, "month", oracle.BOSTON)
            ages = [(end - case.asked).total_seconds() for case in cases if oracle.open_at(case, end)]
            assert found[segment, label].n == len(ages)
            assert found[segment, label].value == pytest.approx(median(ages) / oracle.SECONDS_A_DAY, abs=1e-9)


# --- the ServiceNow slice ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servicenow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, list[dict[str, str]]]]:
    path = SAMPLES / "servicenow_slice.csv.gz"
    workspace = create_workspace(tmp_path_factory.mktemp("servicenow"), "UTC")
    import_file(workspace, path)
    return workspace, oracle.read_incidents(path)


@pytest.mark.parametrize("every", [None, "week", "month"])
def test_incidents_asked_made_reopened_and_resolved_are_those_of_the_words(
    servicenow: tuple[Workspace, dict[str, list[dict[str, str]]]], every: Granularity | None
) -> None:
    workspace, incidents = servicenow
    cases = [oracle.fold_incident(number, updates) for number, updates in incidents.items()]
    names = ("asked", "resolved", "promise_kept_by_source", "reopen_rate", *WAITS)
    found = put(workspace, names, every)
    wanted = oracle.answers(cases, every, ZoneInfo("UTC"))
    assert [line for name in names for line in differences(found[name], wanted[name])] == []


def test_incident_counts_of_the_slice(servicenow: tuple[Workspace, dict[str, list[dict[str, str]]]]) -> None:
    workspace, incidents = servicenow
    reopened = sum(max(int(row["reopen_count"]) for row in updates) > 0 for updates in incidents.values())
    made = sum(updates[-1]["made_sla"] == "true" for updates in incidents.values())
    assert (len(incidents), reopened, made) == (6_943, 75, 4_291)
    found = put(workspace, ("asked", "reopen_rate", "promise_kept_by_source"))
    assert only(found["asked"]).n == len(incidents)
    assert only(found["reopen_rate"]).count == reopened
    assert only(found["promise_kept_by_source"]).count == made
    weeks = Counter(
        oracle.label(oracle.minute_stamp(updates[0]["opened_at"]), "week", ZoneInfo("UTC"))
        for updates in incidents.values()
    )
    asked = numbers(put(workspace, ("asked",), "week")["asked"])
    assert {label: one.n for (_, label), one in asked.items() if one.n} == dict(weeks)


def test_incident_hand_overs_are_changes_of_group_since_the_row_before(
    servicenow: tuple[Workspace, dict[str, list[dict[str, str]]]],
) -> None:
    workspace, incidents = servicenow
    passed = [oracle.fold_incident(number, updates).handovers for number, updates in incidents.items()]
    found = only(put(workspace, ("handovers",))["handovers"])
    half = 1.959963984540054 * stdev(passed) / math.sqrt(len(passed))  # 6,942 degrees of freedom: t = z to 4 figures
    assert found.n == len(passed)
    assert found.value == pytest.approx(fmean(passed), abs=1e-12)
    assert found.low == pytest.approx(fmean(passed) - half, abs=1e-4)
    assert found.high == pytest.approx(fmean(passed) + half, abs=1e-4)


# --- the whole files -----------------------------------------------------------------------------------------------


@whole_files
def test_whole_boston_file_gives_its_check_figures(tmp_path: Path) -> None:
    path = SHARED / "boston311_2015.csv.gz"
    workspace = create_workspace(tmp_path, "America/New_York")
    receipt = import_file(workspace, path).receipt
    assert (receipt.rows_read, receipt.rows_loaded, receipt.rows_refused) == (121_145, 121_145, 0)
    found = put(workspace, ("asked", "resolved", "still_open", "closed_late", "promise_broken"))
    assert only(found["asked"]).n == 121_145
    assert (only(found["resolved"]).n, only(found["still_open"]).n) == (101_272, 19_873)
    late, broken = only(found["closed_late"]), only(found["promise_broken"])
    assert (late.count, late.n) == (19_154, 79_208)
    assert late.value is not None
    assert round(100 * late.value, 2) == 24.18
    assert late.count is not None
    assert broken.count is not None
    assert late.count + broken.count == 30_598
    asked = numbers(put(workspace, ("asked",), "month")["asked"])
    still = numbers(put(workspace, ("asked",), "month", where=(("closed", "0"),))["asked"])
    for month, (n, share) in {1: (7_528, 19.3), 4: (10_563, 14.1), 7: (10_406, 12.9), 10: (10_277, 18.7)}.items():
        spot = (None, f"2015-{month:02d}")
        assert (asked[spot].n, round(100 * still[spot].n / n, 1)) == (n, share)
    channels = numbers(put(workspace, ("asked",), by="channel")["asked"])
    assert {segment: one.n for (segment, _), one in channels.items()} == {
        "Constituent Call": 62_285,
        "Citizens Connect App": 18_838,
        "Employee Generated": 14_675,
        "City Worker App": 12_783,
        "Self Service": 12_305,
        "Maximo Integration": 198,
        "Twitter": 61,
    }
    cases = oracle.read_boston(path)
    closed = [case for case in cases if case.closed and case.due]
    agree = sum(case.kept_by_source is (oracle.fate(case) == "kept") for case in closed)
    assert (agree, len(closed), round(100 * agree / len(closed), 2)) == (79_126, 79_208, 99.90)
    wanted = oracle.answers(cases, "month", oracle.BOSTON)
    compared = ("asked", "closed_late", "promise_kept", "promise_kept_by_source", *WAITS)
    months = put(workspace, compared, "month")
    wrong = [line for name in compared for line in differences(months[name], wanted[name], name not in WAITS)]
    assert wrong == []


@whole_files
def test_whole_servicenow_file_gives_its_check_figures(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path, "UTC")
    receipt = import_file(workspace, SHARED / "servicenow_incident_events.csv.gz").receipt
    assert (receipt.rows_read, receipt.rows_refused) == (119_998, 0)
    found = put(workspace, ("asked", "promise_kept_by_source", "reopen_rate", "still_open"))
    made = only(found["promise_kept_by_source"])
    assert only(found["asked"]).n == 20_769
    assert (made.count, made.n) == (12_595, 20_769)
    assert only(found["reopen_rate"]).count == 234
    assert only(found["still_open"]).n == 1  # INC0029233, cut after its first update
    months = numbers(put(workspace, ("asked",), "month")["asked"])
    opened = {"2016-02": 207, "2016-03": 8_995, "2016-04": 7_934, "2016-05": 3_633}
    assert {label: one.n for (_, label), one in months.items() if one.n} == opened
    ranked = numbers(put(workspace, ("promise_kept_by_source",), by="priority")["promise_kept_by_source"])
    assert {segment: (one.count, one.n) for (segment, _), one in ranked.items()} == {
        "1 - Critical": (5, 220),
        "2 - High": (1, 337),
        "3 - Moderate": (12_050, 19_554),
        "4 - Low": (539, 658),
    }


@whole_files
def test_whole_cfpb_file_gives_its_check_figures(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path, "America/New_York")
    receipt = import_file(workspace, SHARED / "cfpb_complaints.csv.gz").receipt
    assert (receipt.rows_read, receipt.rows_loaded, receipt.rows_refused) == (42_984, 42_984, 0)
    found = put(workspace, ("asked", "promise_kept_by_source", "return_rate"))
    timely, disputed = only(found["promise_kept_by_source"]), only(found["return_rate"])
    assert only(found["asked"]).n == 42_984
    assert (timely.count, timely.n) == (42_401, 42_984)
    assert (disputed.count, disputed.n) == (1_989, 5_664)
    months = numbers(put(workspace, ("asked",), "month")["asked"])
    assert [months[None, label].n for label in ("2014-10", "2019-04", "2023-04")] == [7_251, 11_319, 4_214]


# --- intervals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_intervals_of_newcombe_1998(k: int, n: int, low: float, high: float) -> None:
    assert tuple(round(bound, 4) for bound in wilson_interval(k, n)) == (low, high)


def test_wilson_solves_its_quadratic_equation() -> None:
    for n in (1, 2, 10, 57, 1_000, 121_145):
        for k in {0, 1, n // 3, n - 1, n}:
            assert wilson_interval(k, n) == pytest.approx(oracle.wilson(k, n), abs=1e-12)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (5, 1.6235, 11.6683), (10, 4.7954, 18.3904)]
)
def test_garwood_gives_the_tabled_exact_poisson_interval(count: int, low: float, high: float) -> None:
    assert tuple(round(bound, 4) for bound in garwood_interval(count)) == (low, high)


def test_garwood_bounds_have_a_tail_of_two_and_a_half_per_cent() -> None:
    for count in (1, 2, 3, 17, 100, 999, 30_199):
        low, high = garwood_interval(count)
        assert 1 - oracle.poisson_up_to(count - 1, low) == pytest.approx(0.025, abs=1e-9)
        assert oracle.poisson_up_to(count, high) == pytest.approx(0.025, abs=1e-9)
        assert (low, high) == pytest.approx(oracle.poisson_interval(count), rel=1e-9)


@pytest.mark.parametrize(("n", "tabled"), [(2, 12.706), (3, 4.303), (10, 2.262), (30, 2.045), (121, 1.980)])
def test_t_interval_uses_the_tabled_points_of_student(n: int, tabled: float) -> None:
    values = [float(value * value % 17) for value in range(1, n + 1)]
    mean, low, high = mean_with_interval(n, sum(values), sum(value * value for value in values))
    spread = stdev(values) / math.sqrt(n)
    assert mean == pytest.approx(fmean(values))
    assert round((high - mean) / spread, 3) == tabled
    assert high - mean == pytest.approx(mean - low)
    if n > 2:
        assert (high - mean) / spread == pytest.approx(oracle.student_quantile(n - 1), rel=1e-8)


@pytest.mark.parametrize("p", [HALF, NINE_TENTHS])
def test_ranks_of_a_quantile_are_those_of_direct_binomial_sums(p: Fraction) -> None:
    for n in range(5, 201):
        point, low, high = quantile_ranks(n, float(p))
        assert point == math.ceil(p * n)
        assert (low, high) == oracle.ranks(n, p)
        assert sum(oracle.binomial(n, p)[low:high]) >= Fraction(95, 100)


@pytest.mark.parametrize("p", [HALF, NINE_TENTHS])
def test_binomial_quantile_is_the_least_count_that_reaches_the_chance(p: Fraction) -> None:
    for n in (5, 31, 200):
        for q in (Fraction(1, 40), Fraction(1, 3), Fraction(39, 40)):
            total, k = Fraction(0), -1
            while total < q:
                k += 1
                total += Fraction(oracle.binomial(n, p)[k])
            assert binomial_quantile(float(q), n, float(p)) == k


def test_ranks_of_large_groups_are_those_of_direct_binomial_sums() -> None:
    for n in (201, 1_000, 4_999, 30_143):
        for p in (HALF, NINE_TENTHS):
            assert quantile_ranks(n, float(p))[1:] == oracle.ranks(n, p)


def quantile_of(waits: Sequence[tuple[int, bool]], p: Fraction) -> tuple[float, float, float]:
    times = np.array([seconds for seconds, _ in waits], dtype=np.int64)
    ended = np.array([done for _, done in waits], dtype=np.bool_)
    return duration_quantile(times, ended, float(p))


def some_waits(draw: random.Random, n: int, running: float) -> list[tuple[int, bool]]:
    """Waits of which about that share is cut at a random time; with many ties."""
    found = []
    for _ in range(n):
        end, cut = int(draw.expovariate(1 / 40)) + 1, int(draw.expovariate(1 / 40) / running) + 1
        found.append((min(end, cut), end <= cut))
    return found


SIX_MP = [
    "6",
    "6",
    "6",
    "6+",
    "7",
    "9+",
    "10",
    "10+",
    "11+",
    "13",
    "16",
    "17+",
    "19+",
    "20+",
    "22",
    "23",
    "25+",
    "32+",
    "32+",
    "34+",
    "35+",
]
NOT_MAINTAINED = ["5", "5", "8", "8", "12", "16+", "23", "27", "30", "33", "43", "45"]


def published(data: Sequence[str]) -> list[tuple[int, bool]]:
    return [(int(text.rstrip("+")), not text.endswith("+")) for text in data]


def test_kaplan_meier_gives_the_published_median_of_the_remissions_of_freireich_1963() -> None:
    assert quantile_of(published(SIX_MP), HALF) == (23.0, 13.0, math.inf)
    assert quantile_of(published(SIX_MP), NINE_TENTHS) == (math.inf, math.inf, math.inf)
    assert quantile_of(published(SIX_MP), Fraction(1, 4))[0] == 13.0  # S(10) = 0.753, S(13) = 0.690


def test_kaplan_meier_gives_the_published_median_of_the_leukaemia_of_miller_1981() -> None:
    assert quantile_of(published(NOT_MAINTAINED), HALF)[0] == 23.0


def test_upper_bound_is_open_where_the_band_ends_before_it_comes_down_as_in_r() -> None:
    """survfit gives NA for the band where nobody is left, so that the last end is no bound for anything."""
    assert quantile_of(published(NOT_MAINTAINED), NINE_TENTHS) == (43.0, 30.0, math.inf)


@pytest.mark.parametrize("p", [HALF, NINE_TENTHS])
def test_waiting_quantile_is_that_of_the_plain_estimate(p: Fraction) -> None:
    draw = random.Random(1958)
    for _ in range(150):
        waits = some_waits(draw, draw.choice((10, 11, 25, 80, 300)), draw.choice((0.05, 0.4, 1.5)))
        assert quantile_of(waits, p) == (oracle.kaplan_meier(waits, p), *oracle.waiting_interval(waits, p)), waits


@pytest.mark.parametrize("p", [HALF, NINE_TENTHS])
def test_waiting_quantile_without_open_waits_is_plain_order_statistics(p: Fraction) -> None:
    draw = random.Random(1991)
    for n in (10, 36, 37, 99, 250):
        ordered = sorted(draw.sample(range(10_000), n))
        low, high = oracle.ranks(n, p)
        bound = float(ordered[high - 1]) if high <= n else math.inf
        value = median(ordered) if p == HALF else float(ordered[math.ceil(p * n) - 1])
        wanted = (value, float(ordered[low - 1]), bound)
        assert quantile_of([(seconds, True) for seconds in draw.sample(ordered, n)], p) == wanted


def printed_by_survfit(waits: Sequence[tuple[int, bool]]) -> float:
    """The median as R's print of a survfit has it: survival 3.x, survmean(), its inner function minmin()."""
    times, survivors, surviving = sorted({seconds for seconds, _ in waits}), [], 1.0
    for time in times:
        at_risk = sum(seconds >= time for seconds, _ in waits)
        surviving *= 1 - sum(seconds == time and ended for seconds, ended in waits) / at_risk
        survivors.append(surviving)
    tolerance = 1.490116e-08  # the root of the machine's precision, as there
    low = [(time, share) for time, share in zip(times, survivors, strict=True) if share < 0.5 + tolerance]
    if not low:
        return math.inf
    time, share = low[0]
    later = [other for other, still in low if still < share]
    return (time + later[0]) / 2 if abs(share - 0.5) < tolerance and later else float(time)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (["1", "2", "3", "4"], 2.5),
        (["1", "2", "2", "4"], 2.0),
        (["1", "2", "3+", "4+", "6", "7"], 6.0),  # 4/6 are left by 4, then 2/6
        (["1+", "2", "3", "8", "9"], 5.5),  # 3/4, then 1/2 from 3 up to 8
        (["1", "2", "3+", "8", "9"], 8.0),  # 3/5 by 2, 3/10 by 8
        (["1", "2", "3+", "4+"], 2.0),  # a half is left, and no end follows
        (["1+", "2", "2", "2+", "5+", "6"], 6.0),
        (["2", "2", "2+", "5"], 3.5),  # a half is left between the two ends; the open wait says nothing of it
    ],
)
def test_the_median_lies_half_way_where_exactly_half_are_left(data: list[str], wanted: float) -> None:
    waits = published(data)
    assert quantile_of(waits, HALF)[0] == wanted == printed_by_survfit(waits)


def test_the_median_is_that_of_another_program() -> None:
    """Of R's print of a survfit with open waits, of numpy without; small samples, so that a half is often left exactly."""
    draw, exact = random.Random(1957), 0
    for _ in range(400):
        n = draw.randrange(1, 13)
        waits = [(draw.randrange(30), draw.random() < 0.8) for _ in range(n)]
        value, low, high = quantile_of(waits, HALF)
        assert value == printed_by_survfit(waits), waits
        assert low <= value <= high
        exact += value % 1 > 0
        ended = [seconds for seconds, _ in waits]
        assert quantile_of([(seconds, True) for seconds in ended], HALF)[0] == np.median(ended)
    assert exact > 20


@pytest.mark.parametrize("p", [HALF, NINE_TENTHS])
def test_waiting_quantile_agrees_with_lifelines(p: Fraction) -> None:
    draw = random.Random(20_261_121)
    compared = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lifelines = pytest.importorskip("lifelines")
        utils = pytest.importorskip("lifelines.utils")
        for _ in range(40):
            waits = some_waits(draw, draw.choice((12, 40, 150)), draw.choice((0.4, 1.0)))
            fitted = lifelines.KaplanMeierFitter().fit([one[0] for one in waits], [one[1] for one in waits])
            value, low, high = quantile_of(waits, p)
            mark = float(1 - p)
            if abs(fitted.survival_function_.iloc[:, 0] - mark).min() > 1e-9:  # a tie is decided by rounding there
                assert value == fitted.percentile(mark)
            if oracle.waiting_interval(waits, p) != oracle.greenwood(waits, p):
                continue  # order statistics
            band = utils.qth_survival_times(mark, fitted.confidence_interval_)
            if p == HALF:
                assert utils.median_survival_times(fitted.confidence_interval_).equals(band)
            if any(ended for seconds, ended in waits if seconds == max(one[0] for one in waits)):
                continue  # where nobody is left, implementations differ
            assert (low, high) == tuple(band.iloc[0])
            compared += 1
    assert compared >= 15


# --- properties of small files -------------------------------------------------------------------------------------

MAPPING = parse_mapping(
    """
name = "small"
case = "id"
zone = "UTC"
[columns]
team = "team"
[[moment]]
kind = "asked"
at = "opened"
required = true
[[moment]]
kind = "promised"
at = "opened"
due = "due"
due_is = "instant"
[[moment]]
kind = "resolved"
at = "closed"
[[moment]]
kind = "resolved"
at = "answered"
at_is = "not_before"
[[moment]]
kind = "reopened"
at = "reopened"
[[moment]]
kind = "abandoned"
at = "given_up"
""",
    "small.toml",
)
COLUMNS = ("id", "opened", "due", "closed", "answered", "reopened", "given_up", "team")
START = datetime(2024, 3, 4, tzinfo=UTC)  # a Monday
Row = dict[str, str | datetime]
SMALL = ("asked", "resolved", "still_open", *COUNTS[2:], *SHARES[:4], "reopen_rate", *WAITS)


def small(lines: Sequence[Row], folder: Path) -> Workspace:
    texts = [",".join(COLUMNS)]
    for line in lines:
        cells = [line.get(column, "") for column in COLUMNS]
        texts.append(",".join(f"{cell:%Y-%m-%d %H:%M:%S}" if isinstance(cell, datetime) else cell for cell in cells))
    path = folder / "small.csv"
    path.write_text("\n".join([*texts, ""]), encoding="utf-8")
    workspace = create_workspace(folder / "workspace", "UTC")
    assert import_file(workspace, path, MAPPING).receipt.rows_refused == 0
    return workspace


def asked_of(
    lines: Sequence[Row], every: Granularity | None = None, where: Where = ()
) -> dict[str, dict[Spot, Number]]:
    with tempfile.TemporaryDirectory() as folder:
        found = put(small(lines, Path(folder)), SMALL, every, where=where)
        return {name: numbers(series) for name, series in found.items()}


hours = st.integers(0, 24 * 40)


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Cases that are resolved never, once or twice, with reopenings between, and promises of any kind."""
    found: list[Row] = []
    for number in range(draw(st.integers(12, 30))):
        opened = START + timedelta(hours=draw(hours), minutes=number)
        case: Row = {"id": f"C{number}", "team": draw(st.sampled_from("AB")), "opened": opened}
        if (due := draw(st.none() | st.integers(-30, 900))) is not None:
            case["due"] = opened + timedelta(hours=due)
        steps = draw(st.integers(0, 3))
        times = sorted(draw(st.sets(st.integers(1, 600), min_size=steps, max_size=steps)))
        stamps = [opened + timedelta(hours=time) for time in times]
        if steps == 1 and draw(st.booleans()):
            stamps = [opened - timedelta(minutes=5)]  # closed before it was opened
        first = case | dict(zip(("closed", "reopened"), stamps[:2], strict=False))
        found += [first, case | {"closed": stamps[2]}] if steps == 3 else [first]
    return found


def folded(lines: Sequence[Row]) -> list[Case]:
    """The cases of those lines, by the words."""
    found: dict[str, Case] = {}
    for line in lines:
        opened, due, team = line["opened"], line.get("due"), line["team"]
        assert isinstance(opened, datetime)
        assert not isinstance(due, str)
        assert isinstance(team, str)
        case = found.setdefault(str(line["id"]), Case(str(line["id"]), opened, due, last=opened, team=team))
        for what in ("closed", "reopened"):
            at = line.get(what)
            if isinstance(at, datetime):
                assert case.last is not None
                case.last = max(case.last, at)
                case.closed = what == "closed"
                case.resolved = at if case.closed else None
                case.first_resolved = case.first_resolved or at
                case.reopens += what == "reopened"
    return list(found.values())


few = settings(derandomize=True, deadline=None, max_examples=4, database=None, phases=(Phase.explicit, Phase.generate))


@few
@given(histories())
def test_small_histories_are_counted_by_the_words(lines: list[Row]) -> None:
    cases = folded(lines)
    lacking = {"reopen_rate"} if not any(case.reopens for case in cases) else set()
    if not any(case.due for case in cases):
        lacking |= {"promise_running", *SHARES[:4]}
    if not any(case.first_resolved for case in cases):
        lacking |= {*WAITS}
    if not any(case.resolved for case in cases):
        lacking |= {"resolved"}
    with tempfile.TemporaryDirectory() as folder:
        workspace = small(lines, Path(folder))
        for every in (None, "week"):
            found = put(workspace, SMALL, every, "team")
            wanted = oracle.answers(cases, every, ZoneInfo("UTC"), SPLITS["team"])
            spots = numbers(found["still_open"])
            wanted["still_open"] = oracle.stock(cases, spots, every, ZoneInfo("UTC"), SPLITS["team"])
            wrong = [line for name in found if name not in lacking for line in differences(found[name], wanted[name])]
            assert wrong == []


@few
@given(histories())
def test_a_case_of_another_team_changes_nothing_for_this_one(lines: list[Row]) -> None:
    twin = lines[0] | {"id": "another", "team": "other"}
    mine = (("team", str(lines[0]["team"])),)
    assert asked_of([*lines, twin], "week", mine) == asked_of(lines, "week", mine)


@few
@given(histories())
def test_weeks_sum_to_the_whole(lines: list[Row]) -> None:
    whole, weeks = asked_of(lines), asked_of(lines, "week")
    for name in ("asked", "resolved", *SHARES[:3], "reopen_rate", *WAITS):
        assert sum(one.n for one in weeks[name].values()) == sum(one.n for one in whole[name].values())
        assert sum(one.count or 0 for one in weeks[name].values()) == sum(
            one.count or 0 for one in whole[name].values()
        )
    assert whole["asked"][None, None].n == len({line["id"] for line in lines})


def later(label: str | None) -> str | None:
    """The ISO week after that."""
    if label is None:
        return None
    day = date.fromisocalendar(int(label[:4]), int(label[6:]), 1) + timedelta(days=7)
    return f"{day.isocalendar().year}-W{day.isocalendar().week:02d}"


@few
@given(histories())
def test_a_shift_of_seven_days_shifts_the_weeks_and_nothing_else(lines: list[Row]) -> None:
    week = timedelta(days=7)
    moved = [
        {name: cell + week if isinstance(cell, datetime) else cell for name, cell in line.items()} for line in lines
    ]
    before, after = asked_of(lines, "week"), asked_of(moved, "week")
    for name in SMALL:
        assert {(segment, later(label)): one for (segment, label), one in before[name].items()} == after[name]


@few
@given(histories(), st.randoms(use_true_random=False))
def test_other_case_numbers_and_another_order_of_cases_change_nothing(lines: list[Row], draw: random.Random) -> None:
    names = sorted({str(line["id"]) for line in lines})
    new = dict(zip(names, draw.sample(range(1_000, 9_999), len(names)), strict=True))
    renamed = sorted((line | {"id": f"n{new[str(line['id'])]}"} for line in lines), key=lambda line: str(line["id"]))
    assert asked_of(renamed, "week") == asked_of(lines, "week")


# --- closings that are no resolutions, or at an unknown time -------------------------------------------------------


def ordinary() -> list[Row]:
    """Twelve cases resolved in time or two days late, one of them reopened and resolved again, and one open case."""
    found: list[Row] = [
        {
            "id": f"n{number}",
            "opened": START,
            "due": START + timedelta(days=4),
            "closed": START + timedelta(days=3 if number % 2 else 6),
            "team": "A",
        }
        for number in range(12)
    ]
    again = found[1]
    found.append(again | {"reopened": START + timedelta(days=3, hours=1), "closed": START + timedelta(days=3, hours=2)})
    return [*found, {"id": "open", "opened": START + timedelta(days=20), "team": "A"}]


def special(**stamps: datetime) -> list[Row]:
    made: list[Row] = [
        {"id": f"s{number}", "opened": START, "due": START + timedelta(days=4), "team": "A", **stamps}
        for number in range(3)
    ]
    return [*ordinary(), *made]


def asked_once(lines: Sequence[Row], name: str, folder: Path) -> Number:
    return only(put(small(lines, folder), (name,))[name])


def test_a_promise_resolved_at_an_unknown_time_is_not_called_still_undelivered(tmp_path: Path) -> None:
    found = asked_once(special(answered=START + timedelta(days=1)), "promise_broken", tmp_path)
    assert found.count == 0  # neither past due and still open, nor abandoned


def test_a_promise_resolved_at_an_unknown_time_is_not_still_waiting(tmp_path: Path) -> None:
    found = asked_once(special(answered=START + timedelta(days=1)), "days_late", tmp_path)
    assert (found.n, found.open) == (6, 0)


def test_a_case_resolved_at_an_unknown_time_is_neither_open_nor_a_known_resolution(tmp_path: Path) -> None:
    workspace = small(special(answered=START + timedelta(days=1)), tmp_path)
    found = put(workspace, ("still_open", "resolved", "time_to_resolution", "closed_late"))
    assert [only(series).n for series in found.values()] == [1, 12, 13, 12]


def test_an_abandoned_case_is_a_broken_promise_and_waits_no_more(tmp_path: Path) -> None:
    workspace = small(special(given_up=START + timedelta(days=2)), tmp_path)
    found = put(workspace, ("promise_broken", "still_open", "time_to_resolution"))
    assert only(found["promise_broken"]).count == 3
    assert (only(found["still_open"]).n, only(found["time_to_resolution"]).n) == (1, 13)


def test_an_abandoned_case_is_not_among_those_resolved_at_least_once(tmp_path: Path) -> None:
    found = asked_once(special(given_up=START + timedelta(days=2)), "reopen_rate", tmp_path)
    assert (found.n, found.count) == (12, 1)


def test_an_abandoned_case_is_no_resolution_that_falls_in_the_period(tmp_path: Path) -> None:
    assert asked_once(special(given_up=START + timedelta(days=2)), "resolved", tmp_path).n == 12


def test_an_abandoned_case_does_not_end_the_days_late_as_if_resolved(tmp_path: Path) -> None:
    """Of those past due, six were resolved two days late; giving three up one day late delivers nothing."""
    found = asked_once(special(given_up=START + timedelta(days=5)), "days_late", tmp_path)
    assert found.n == 6


def test_a_promise_due_before_the_case_was_opened_is_left_out(tmp_path: Path) -> None:
    workspace = small(special(due=START - timedelta(days=1), closed=START + timedelta(days=1)), tmp_path)
    found = put(workspace, ("promise_kept", "closed_late"))
    assert (only(found["promise_kept"]).n, only(found["closed_late"]).n) == (12, 15)

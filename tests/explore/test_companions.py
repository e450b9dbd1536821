"""Published answers of the companions: adoption, agreement, drivers, retention; shifts and rewards by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bench.calibration.scenarios import ar
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from typer.testing import CliRunner

from wellserved.cli import app
from wellserved.errors import RequestError
from wellserved.explore.agreement import alpha, alpha_interval, fleiss_kappa, kappa
from wellserved.explore.drivers import proportional_odds, variance_shares
from wellserved.explore.renewals import decisions_of_accounts, decisions_of_cohort, read_accounts, read_cohort
from wellserved.explore.retention import Retention, estimate_retention, fit_retention
from wellserved.explore.shift import CRITICAL_VALUES, detect_shift
from wellserved.moments import NotComputable
from wellserved.prove import ModelInput
from wellserved.prove.incentive import judge_incentive
from wellserved.prove.staggered import effect_weights, estimate_staggered_effect

REFERENCE = Path(__file__).parent.parent / "reference"


def table(name: str) -> list[list[str]]:
    lines = [line for line in (REFERENCE / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [line.split(",") for line in lines[1:]]


def test_imputation_on_the_minimum_wage_counties_gives_the_known_effect() -> None:
    # Two other implementations: ATT -.04771; team jackknife se .01355, interval [-.0743, -.0211].
    rows = table("mpdta.csv")
    first = np.array([int(row[1]) for row in rows])
    measure = np.log(np.array([row[2:] for row in rows], dtype=float))
    years = np.arange(2003, 2008)
    result = estimate_staggered_effect(measure, (first[:, None] > 0) & (years[None, :] >= first[:, None]))
    assert result.effect.value == pytest.approx(-0.04771, abs=5e-6)
    assert (result.jackknife.low, result.jackknife.high) == pytest.approx((-0.0743, -0.0211), abs=6e-5)
    assert (result.teams, result.never_adopted, result.cells) == (500, 309, 291)
    assert result.p <= 0.01
    assert result.effect.high < 0


def test_weights_impute_what_team_and_period_effects_give() -> None:
    rng = np.random.default_rng(1)
    has_adopted = np.zeros((9, 14), dtype=bool)
    for team in range(5):
        has_adopted[team, 4 + 2 * team :] = True
    w = effect_weights(has_adopted)
    effects = rng.normal(size=(9, 1)) + rng.normal(size=14)
    assert (w * effects).sum() == pytest.approx(0, abs=1e-12)
    assert (w * (effects + 0.7 * has_adopted)).sum() == pytest.approx(0.7, abs=1e-12)
    y = rng.normal(size=(9, 14))  # against least squares on dummies, cell by cell
    dummies = np.array(
        [[team == i for i in range(9)] + [period == j for j in range(14)] for team in range(9) for period in range(14)],
        float,
    )
    flat = has_adopted.ravel()
    predicted_values = dummies @ np.linalg.lstsq(dummies[~flat], y.ravel()[~flat], rcond=None)[0]
    assert (w * y).sum() == pytest.approx((y.ravel() - predicted_values)[flat].mean(), abs=1e-10)


def test_adoption_covers_the_truth_and_seldom_claims_nothing() -> None:
    rng = np.random.default_rng(2)
    has_adopted = np.zeros((12, 40), dtype=bool)
    for team in range(8):
        has_adopted[team, 10 + 3 * team :] = True
    has_truth, false_claims = [], []
    for seed in range(60):
        y = rng.normal(size=(12, 1)) + ar(rng, 0.5, 40)[None, :] + np.array([ar(rng, 0.5, 40) for _ in range(12)])
        null_result, shifted_result = (
            estimate_staggered_effect(y, has_adopted, seed),
            estimate_staggered_effect(y + 0.5 * has_adopted, has_adopted, seed),
        )
        false_claims.append(null_result.p <= 0.05)
        has_truth.append(shifted_result.effect.low <= 0.5 <= shifted_result.effect.high)
    assert sum(false_claims) <= stats.binom.ppf(0.999, 60, 0.06)
    assert sum(has_truth) >= stats.binom.ppf(0.001, 60, 0.95)


@pytest.mark.parametrize(("teams", "adopters", "words"), [(7, 4, "too few"), (9, 9, "never did"), (9, 0, "never did")])
def test_adoption_is_refused_without_enough_to_compare(teams: int, adopters: int, words: str) -> None:
    has_adopted = np.zeros((teams, 10), dtype=bool)
    has_adopted[:adopters, 5:] = True
    with pytest.raises(RequestError, match=words):
        estimate_staggered_effect(np.random.default_rng(0).normal(size=(teams, 10)), has_adopted)


KRIPPENDORFF = ("123321412...", "1233224125..", ".33323422513", "12332441251.")


@pytest.mark.parametrize(
    ("metric", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_of_krippendorff_s_data_c(metric: str, expected: float) -> None:
    # K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), data C.
    ratings = np.array([[math.nan if rating == "." else float(rating) for rating in row] for row in KRIPPENDORFF])
    assert alpha(ratings, metric) == pytest.approx(expected, abs=6e-4)  # type: ignore[arg-type]
    assert alpha(ratings[:, ::-1][::-1], metric) == pytest.approx(expected, abs=6e-4)  # type: ignore[arg-type]


def test_kappa_of_agresti_s_pathologists_and_fleiss_s_judges() -> None:
    # A. Agresti, Categorical Data Analysis: two pathologists. J. L. Fleiss 1971, as worked for 14 raters.
    slides = np.array([[22, 2, 2, 0], [5, 7, 14, 0], [0, 2, 36, 0], [0, 1, 17, 10]])
    assert kappa(slides) == pytest.approx(0.4930, abs=5e-5)
    assert kappa(slides, "quadratic") == pytest.approx(0.7838, abs=5e-5)
    counts = "0 0 0 0 14/0 2 6 4 2/0 0 3 5 6/0 3 9 2 0/2 2 8 1 1/7 7 0 0 0/3 2 6 3 0/2 5 3 2 2/6 5 2 1 0/0 2 2 3 7"
    assert fleiss_kappa(
        np.array([[int(count) for count in row.split()] for row in counts.split("/")])
    ) == pytest.approx(0.2099, abs=5e-5)


def test_agreement_that_chance_explains_is_none() -> None:
    rng = np.random.default_rng(3)
    ratings = rng.integers(1, 6, (2, 2_000)).astype(float)
    assert abs(alpha(ratings, "ordinal")) < 0.06  # type: ignore[arg-type]
    assert alpha(np.array([ratings[0], ratings[0]]), "ordinal") == 1.0
    interval = alpha_interval(ratings[:, :200], "ordinal", draws=200)
    assert not isinstance(interval, NotComputable)
    assert interval[0] < 0 < interval[1]
    for too_few in (np.ones((2, 30)), np.array([[1.0, math.nan], [math.nan, 2.0]])):
        assert isinstance(alpha(too_few), NotComputable)
    assert isinstance(kappa(np.zeros((3, 3))), NotComputable)
    assert isinstance(fleiss_kappa(np.array([[1, 2], [3, 1]])), NotComputable)
    assert isinstance(alpha_interval(ratings[:, :5], "ordinal"), NotComputable)


def test_shares_of_the_swiss_provinces_add_up_to_the_known_ones() -> None:
    # R's swiss, Fertility on the rest: R² .7067; LMG computed elsewhere.
    data = np.array([row[1:] for row in table("swiss.csv")], dtype=float)
    correlation = np.corrcoef(data, rowvar=False)
    driver_shares = variance_shares(correlation[1:, 1:], correlation[1:, 0])
    assert driver_shares == pytest.approx([0.0571, 0.1712, 0.2601, 0.1056, 0.1128], abs=5e-5)
    assert driver_shares.sum() == pytest.approx(0.7067, abs=5e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 5))
def test_shares_add_up_to_all_that_is_explained_and_follow_their_driver(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, size)) @ rng.normal(size=(size, size))
    y = x @ rng.normal(size=size) + rng.normal(size=80) * 3
    correlation = np.atleast_2d(np.corrcoef(np.column_stack([x, y]), rowvar=False))
    driver_shares = variance_shares(correlation[:-1, :-1], correlation[:-1, -1])
    residual = y - y.mean() - (x - x.mean(0)) @ np.linalg.lstsq(x - x.mean(0), y - y.mean(), rcond=None)[0]
    assert driver_shares.sum() == pytest.approx(1 - residual @ residual / ((y - y.mean()) ** 2).sum(), abs=1e-8)
    reversed_shares = variance_shares(correlation[:-1, :-1][::-1, ::-1], correlation[:-1, -1][::-1])
    assert reversed_shares[::-1] == pytest.approx(driver_shares, abs=1e-9)


def test_many_drivers_get_relative_weights_that_add_up_too() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 14))
    y = x[:, 0] + 0.5 * x[:, 1] + rng.normal(size=300)
    correlation = np.atleast_2d(np.corrcoef(np.column_stack([x, y]), rowvar=False))
    driver_shares = variance_shares(correlation[:-1, :-1], correlation[:-1, -1])
    assert driver_shares.argmax() == 0
    centred_x = x - x.mean(0)
    predicted = centred_x @ np.linalg.lstsq(centred_x, y - y.mean(), rcond=None)[0]
    assert driver_shares.sum() == pytest.approx(predicted.var() / y.var(), abs=1e-8)


HOUSING = "21,21,28,34,22,36,10,11,36,61,23,17,43,35,40,26,18,54,13,9,10,8,8,12,6,7,9,18,6,7,15,13,13,7,5,11,14,19,37,17,23,40,3,5,23,78,46,43,48,45,86,15,25,62,20,23,20,10,22,24,7,10,21,57,23,13,31,21,13,5,6,13"


def test_proportional_odds_of_the_copenhagen_tenants() -> None:
    # MASS::polr on housing (Venables and Ripley): coefficients, standard errors, cuts and deviance as R prints them.
    frequency = np.array([int(count) for count in HOUSING.split(",")], dtype=float)
    cells = [(sat, infl, kind, cont) for cont in range(2) for kind in range(4) for infl in range(3) for sat in range(3)]
    drivers = np.array(
        [[infl == 1, infl == 2, kind == 1, kind == 2, kind == 3, cont == 1] for _, infl, kind, cont in cells],
        dtype=float,
    )
    fit = proportional_odds(np.array([cell[0] for cell in cells]), drivers, frequency)
    assert fit.coefficients == pytest.approx([0.5664, 1.2888, -0.5724, -0.3662, -1.0910, 0.3603], abs=6e-5)
    assert fit.errors == pytest.approx([0.1047, 0.1272, 0.1192, 0.1552, 0.1515, 0.0955], abs=6e-5)
    assert fit.cuts == pytest.approx([-0.4961, 0.6907], abs=6e-5)
    assert fit.deviance == pytest.approx(3479.149, abs=6e-4)


def test_proportional_odds_refuse_what_has_no_answer() -> None:
    with pytest.raises(RequestError):
        proportional_odds(np.array([0, 2, 2, 0]), np.ones((4, 1)))
    with pytest.raises(RequestError):
        proportional_odds(np.repeat([0, 1], 50), np.repeat([[0.0], [1.0]], 50, axis=0))


@pytest.mark.parametrize(
    ("survival", "expected"),
    [
        ((1, 0.631, 0.468, 0.382, 0.326, 0.289, 0.262, 0.241), (0.704, 1.182)),
        ((1, 0.869, 0.743, 0.653, 0.593, 0.551, 0.517, 0.491), (0.668, 3.806)),
    ],
)
def test_retention_of_fader_and_hardie_s_customers(survival: tuple[float, ...], expected: tuple[float, float]) -> None:
    model = estimate_retention(1_000 * np.array(survival))
    assert (model.a, model.b) == pytest.approx(expected, abs=6e-4)
    assert model.survival(7) == pytest.approx(survival, abs=0.02)
    assert model.expected_remaining(3) == math.inf
    assert model.fit_p_value is not None
    assert model.fit_p_value > 0.01
    with pytest.raises(RequestError):
        estimate_retention(np.array([10.0, 11.0, 9.0]))


def test_retention_of_ten_accounts_and_the_chances_of_renewal() -> None:
    """Worked by another program from the product of P(k): a 1.921, b 8.013; renewals of (.704, 1.182): .627 .756 .819 .856."""
    renewals, has_left = (0, 0, 1, 1, 2, 3, 3, 4, 5, 5), (1, 1, 1, 0, 1, 0, 1, 0, 0, 0)
    decisions, account_count = decisions_of_accounts(
        (0, renewal_count, bool(leaver), 1) for renewal_count, leaver in zip(renewals, has_left, strict=True)
    )
    model = fit_retention(decisions)
    assert account_count == 10
    assert (model.a, model.b) == pytest.approx((1.921, 8.013), abs=1e-3)
    regular = Retention(0.704, 1.182)
    assert [regular.renewal_chance(k) for k in (0, 1, 2, 4)] == pytest.approx([0.627, 0.756, 0.819, 0.880], abs=6e-4)
    assert regular.expected_next(2, 3) == pytest.approx(regular.survival(5)[3:].sum() / regular.survival(2)[2])


def renewals_of(
    rng: np.random.Generator, size: int, truth: tuple[float, float], years: int = 6, observed_years: int = 5
) -> list[tuple[int, int, bool, int]]:
    """Accounts that began evenly over some years, of which a record that begins late holds those still there then."""
    start, chance = rng.integers(0, years + observed_years, 8 * size), rng.beta(*truth, 8 * size)
    renewals = rng.geometric(chance) - 1
    prior_renewals, last = np.maximum(years - start, 0), years + observed_years - start
    in_record = np.flatnonzero(renewals >= prior_renewals)[:size]
    renewal_counts = np.minimum(renewals, last)[in_record]
    return list(
        zip(
            prior_renewals[in_record].tolist(),
            renewal_counts.tolist(),
            (renewals[in_record] < last[in_record]).tolist(),
            [1] * size,
            strict=True,
        )
    )


def test_retention_with_late_entry_finds_the_truth_that_is_missed_without() -> None:
    """Customers who were there already are the loyal ones: taken for new, they hide who leaves at once."""
    accounts = renewals_of(np.random.default_rng(4), 20_000, (0.704, 1.18))
    model = fit_retention(decisions_of_accounts(accounts)[0])
    assert (model.a, model.b) == pytest.approx((0.704, 1.18), abs=0.05)
    assert all(
        low <= true <= high
        for true, (low, high) in (
            (0.704, model.interval(lambda fitted_model: fitted_model.a)),
            (1.18, model.interval(lambda fitted_model: fitted_model.b)),
        )
    )
    since_record = fit_retention(
        decisions_of_accounts(
            (0, renewal_count - prior_renewals, has_left, account_count)
            for prior_renewals, renewal_count, has_left, account_count in accounts
        )[0]
    )
    never_late = fit_retention(
        decisions_of_accounts(
            (0, renewal_count, has_left, account_count) for _, renewal_count, has_left, account_count in accounts
        )[0]
    )
    for naive_model in (since_record, never_late):
        assert not (abs(naive_model.a - 0.704) < 0.1 and abs(naive_model.b - 1.18) < 0.1)
        assert naive_model.renewal_chance(0) > 0.67  # the truth is .626
    assert model.fit_p_value is not None
    assert model.fit_p_value > 0.01


def test_intervals_of_retention_hold_the_truth() -> None:
    """100 records of 120 accounts, late entry and all: 95% less three binomial errors (.022) at least."""
    rng, truth = np.random.default_rng(8), Retention(0.704, 1.182)
    quantities: tuple[Callable[[Retention], float], ...] = (
        lambda any_model: any_model.a,
        lambda any_model: any_model.renewal_chance(2),
        lambda any_model: float(any_model.survival(6)[6]),
        lambda any_model: any_model.expected_next(1),
    )
    coverage_counts, runs = np.zeros(len(quantities)), 100
    for _ in range(runs):
        model = fit_retention(decisions_of_accounts(renewals_of(rng, 120, (0.704, 1.182)))[0])
        bounds = [model.interval(quantity) for quantity in quantities]
        coverage_counts += [
            low <= quantity(truth) <= high for quantity, (low, high) in zip(quantities, bounds, strict=True)
        ]
    assert (coverage_counts / runs > 0.95 - 3 * math.sqrt(0.95 * 0.05 / runs)).all(), coverage_counts / runs
    assert (coverage_counts / runs < 1).any()


def test_groups_add_up_and_splitting_them_changes_nothing() -> None:
    """Three of four cohorts in one, a cohort followed longer, and accounts one by one or counted: the same decisions."""
    all_decisions = decisions_of_cohort([100, 80, 70, 66])
    summed_decisions = decisions_of_cohort([40, 30, 25, 24]) + decisions_of_cohort([60, 50, 45, 42])
    assert all_decisions.at_risk.tolist() == summed_decisions.at_risk.tolist() == [100, 80, 70]
    assert all_decisions.leaver_counts.tolist() == summed_decisions.leaver_counts.tolist()
    late_decisions = decisions_of_cohort([100, 80]) + decisions_of_cohort([80, 70, 66], prior_renewals=1)
    assert late_decisions.at_risk.tolist() == all_decisions.at_risk.tolist()
    assert fit_retention(late_decisions).a == fit_retention(all_decisions).a
    account_decisions, account_count = read_accounts(
        b"renewals,left,entered,accounts\n0,yes,,20\n1,yes,0,10\n2,left,,4\n3,no,,66\n"
    )
    assert (account_decisions.at_risk.tolist(), account_decisions.leaver_counts.tolist(), account_count) == (
        all_decisions.at_risk.tolist(),
        [20, 10, 4],
        100,
    )
    assert read_accounts("Renewals;LEFT\n2;ja\n".replace("ja", "1").encode("utf-8-sig"))[0].leaver_counts.tolist() == [
        0,
        0,
        1,
    ]


def test_customers_who_do_not_differ_are_said_to_be_alike() -> None:
    homogeneous_model = estimate_retention(np.array([1000, 900, 810, 729, 656]))
    assert homogeneous_model.survival(4) == pytest.approx([1, 0.9, 0.81, 0.729, 0.656], abs=0.002)
    misfit_model = estimate_retention(
        np.array([1000, 950, 800, 500])
    )  # the longer they stay, the more leave: no beta does that
    assert misfit_model.is_homogeneous
    assert misfit_model.fit_p_value is not None
    assert misfit_model.fit_p_value < 0.01


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column called renewals or left"),
        (b"renewals,stayed\n1,2\n", "no column called left"),
        (b"renewals,left\n1.5,no\n", "row 2: renewals is '1.5'"),
        (b"renewals,left\n1,no\n,yes\n", "row 3: renewals is empty"),
        (b"renewals,left\n1,maybe\n", "row 2: left is 'maybe'"),
        (b"renewals,left\n1,no\n5\n", "row 3: it ends before left"),
        (b"renewals,left,entered\n1,no,2\n", "row 2: 2 renewals before the record began are more than the 1"),
        (b"renewals,left\n99999,no\n", "row 2: 99,999 renewals"),
        (b"renewals,left\n" + b"x,no\n" * 5, "row 4: .*; and 2 more"),
    ],
)
def test_accounts_that_cannot_be_read_are_named(content: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_accounts(content)


def test_retention_refuses_few_and_impossible() -> None:
    for too_few in ([29, 15, 10], [1000, 995, 992, 991]):
        with pytest.raises(RequestError, match="too few"):
            estimate_retention(np.array(too_few))
    for impossible_counts in ([100.0, 50.5, 20], [100, math.nan, 3], [100, 120, 50], [100], [100, 50, -1]):
        with pytest.raises(RequestError, match="no renewals"):
            estimate_retention(np.array(impossible_counts, dtype=float))
    with pytest.raises(RequestError, match="Two different renewals"):
        estimate_retention(np.array([100, 50]))
    with pytest.raises(RequestError, match="stayed"):
        fit_retention(decisions_of_cohort([100, 0, 0]))
    for prior_renewals, counts in ((0, 1_100), (950, 100)):
        with pytest.raises(RequestError, match=r"1,0\d9 renewals of one customer are more than 1,000 renewals"):
            decisions_of_cohort(np.full(counts, 5), prior_renewals)
    assert len(decisions_of_cohort(np.full(1_001, 5)).leaver_counts) == 1_000
    with pytest.raises(RequestError, match="-1 renewals before"):
        decisions_of_cohort([5, 4], -1)
    for text in ("2", "a:3,2", "1:3,x"):
        with pytest.raises(RequestError, match="no cohort"):
            read_cohort(text)
    assert read_cohort("2:200,180") == (2, [200.0, 180.0])


def test_accounts_that_came_up_for_no_renewal_do_not_count() -> None:
    """Known since their third renewal and still before their fourth: nothing was seen of them."""
    decisions, account_count = read_accounts(
        b"renewals,left,entered,accounts\n0,yes,,10\n1,yes,,4\n2,no,,6\n3,no,3,1000\n"
    )
    assert account_count == 20
    with pytest.raises(RequestError, match="20 customers, of whom 14 left, are too few"):
        estimate_retention(decisions, account_count)
    assert read_accounts(b"renewals,left,entered\n3,yes,3\n3,no,2\n")[1] == 2


def test_renewals_before_the_record_are_never_ignored(tmp_path: Path) -> None:
    file = tmp_path / "accounts.csv"
    file.write_text("renewals,left,accounts\n0,yes,20\n1,yes,20\n2,no,20\n")
    for arguments in (["--file", str(file)], ["--cohort", "0:60,40,20"]):
        assert CliRunner().invoke(app, ["retention", *arguments]).exit_code == 0
        answer = CliRunner().invoke(app, ["retention", "--entered", "2", *arguments])
        assert isinstance(answer.exception, RequestError)
        assert "--cohort 2:200,180,171" in str(answer.exception)
    assert CliRunner().invoke(app, ["retention", "--entered", "2", "60", "40", "20"]).exit_code == 0


def test_a_shift_is_dated_and_an_even_series_seldom_is() -> None:
    rng = np.random.default_rng(5)
    close_count, false_count = 0, 0
    for _ in range(100):
        y = ar(rng, 0.3, 120)
        false_count += detect_shift(y).position is not None
        candidate = detect_shift(y + 1.5 * (np.arange(120) >= 70))
        close_count += candidate.position is not None and abs(candidate.position - 70) <= 5
    assert false_count <= stats.binom.ppf(0.999, 100, 0.06)
    assert close_count >= stats.binom.ppf(0.001, 100, 0.80)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-1000, 1000))
def test_a_shift_s_date_does_not_hang_on_unit_or_side(seed: int, scale: float, origin: float) -> None:
    y = np.random.default_rng(seed).normal(size=80) + 1.5 * (np.arange(80) >= 50)
    candidate, mirror_image = detect_shift(y), detect_shift(origin - scale * y)
    assert candidate.position == mirror_image.position
    if candidate.size is not None and mirror_image.size is not None:
        assert mirror_image.size == pytest.approx(-scale * candidate.size, rel=1e-6)


def test_a_shift_is_refused_where_none_could_be_told() -> None:
    assert detect_shift(np.ones(100)).reason == "the measure never varies"
    assert "periods" in detect_shift(np.arange(10.0)).reason
    candidate = detect_shift(np.cumsum(np.random.default_rng(1).normal(size=200)))
    assert candidate.position is None
    assert max(CRITICAL_VALUES) == 0.88
    assert candidate.reason


def incentive_series(effects: tuple[float, float], seed: int = 6) -> ModelInput:
    rng = np.random.default_rng(seed)
    t = np.arange(208)
    z = rng.normal(size=208) + effects[0] * ((t >= 104) & (t < 156)) + effects[1] * (t >= 156)
    return ModelInput("plain", z, np.ones(208))


@pytest.mark.parametrize(
    ("effects", "status"),
    [((8, 8), "lasting"), ((5, 0), "fading"), ((4, -4), "backfiring"), ((0, 0), "no_effect_seen")],
)
def test_a_reward_lasts_fades_or_backfires(effects: tuple[float, float], status: str) -> None:
    result = judge_incentive(incentive_series(effects), 104, 52, "week", "higher")
    assert result.status == status
    assert result.paid is not None
    assert result.after is not None
    assert result.difference is not None
    assert result.paid.low <= effects[0] <= result.paid.high
    assert result.after.low <= effects[1] <= result.after.high
    assert result.difference.low <= effects[1] - effects[0] <= result.difference.high


def test_a_reward_s_windows_are_covered() -> None:
    coverage_count = 0
    for seed in range(60):
        result = judge_incentive(incentive_series((1.0, 0.4), seed), 104, 52, "week", "higher")
        assert result.difference is not None
        coverage_count += result.difference.low <= -0.6 <= result.difference.high
    assert coverage_count >= stats.binom.ppf(0.001, 60, 0.95)
    assert judge_incentive(incentive_series((1, 1)), 104, 103, "week", "higher").status == "not_enough_data"

"""The sentence and its windows, by rule: the worked example of the design's reference, and what has to be refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellserved.claim.sentence import ClaimSubject, claim_sentences
from wellserved.claim.windows import (
    PERCENT,
    ClaimPeriod,
    ClaimWindows,
    choose_windows,
    duration_units,
)
from wellserved.errors import ClaimRefusedError
from wellserved.measure import MEASURES
from wellserved.moments import month_start

CHANGE = date(2025, 10, 6)
DAYS_BEFORE = (13.441, 13.973, 12.164, 12.786, 14.525, 12.623, 14.379, 12.591, 14.347, 14.497, 13.256, 14.375)
DAYS_SINCE = (11.408, 4.511, 2.955, 2.495, 2.371)  # October, which is mixed, to February
QUOTES = ClaimSubject("typical (median) time to first reply", "to quote requests")


def months_of(
    values: Sequence[float | None], first: date = date(2024, 10, 1), n: int = 60, size: float = 86_400
) -> list[ClaimPeriod]:
    """Months from a first one on."""
    return [
        ClaimPeriod(month_start(first, index), month_start(first, index + 1), n, None if value is None else value * size)
        for index, value in enumerate(values)
    ]  # fmt: skip


def windows_of(
    months: Sequence[ClaimPeriod], quarters: Sequence[ClaimPeriod] = (), change: date = CHANGE
) -> ClaimWindows:
    last = months[-1].end if months else date(2026, 3, 1)
    return choose_windows(months, quarters, change, last, 10, duration_units("calendar"), lower_is_better=True)


def test_the_seed_s_own_sentence() -> None:
    windows = windows_of(months_of((*DAYS_BEFORE, *DAYS_SINCE)))
    assert [period.start.month for period in windows.after] == [12, 1, 2]
    assert claim_sentences(QUOTES, windows, "proved", "owner", lower_is_better=True) == {
        "full": "Reduced the typical (median) time to first reply to quote requests from 12-15 days to 2-3 days within three months.",
        "ratio": "Reduced the typical (median) time to first reply to quote requests by 76-84% within three months.",
        "ratio_without_service": "Reduced the typical (median) time to first reply by 76-84% within three months.",
    }
    assert windows.ratio == pytest.approx((0.757, 0.837), abs=0.0005)


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ((11.408, 2.837, 2.955, 2.495, 2.371), "from 12-15 days to 2-3 days within two months."),
        (DAYS_SINCE[:-1], "from 12-15 days to 2-5 days within two months."),  # honest: November is in
    ],
)
def test_it_counts_from_the_first_month_that_is_as_it_is_now(since: tuple[float, ...], words: str) -> None:
    sentences = claim_sentences(QUOTES, windows_of(months_of((*DAYS_BEFORE, *since))), "proved", "owner", True)
    assert sentences["full"].endswith(words)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((*DAYS_BEFORE, *DAYS_SINCE[:-2]), "2 whole months since the change; three are needed"),
        ((*DAYS_BEFORE, 11.4, 13.0, 12.0, 12.4), "overlap: 12-15 and 12-13 days"),
        ((*DAYS_BEFORE, 11.4, 4.5, None, 2.5, 2.4), "a month since the change has no number yet"),
        ((*[2.4] * 12, 2.0, 1.6, 1.55, 1.5), "Nothing can be claimed|overlap|larger than it is"),
    ],
)  # fmt: skip
def test_what_the_months_do_not_carry_is_refused(values: tuple[float | None, ...], reason: str) -> None:
    with pytest.raises(ClaimRefusedError, match=reason):
        windows_of(months_of(values))


def test_nine_cases_a_month_are_too_few_and_quarters_take_their_place() -> None:
    months = months_of((*DAYS_BEFORE, *DAYS_SINCE, 2.4, 2.4, 2.4, 2.4, 2.4), n=9)
    with pytest.raises(ClaimRefusedError, match=r"9 cases in the month from 1 October 2024; 10 are needed"):
        windows_of(months)
    quarters = [
        ClaimPeriod(month_start(date(2024, 10, 1), 3 * index), month_start(date(2024, 10, 1), 3 * index + 3), 27, days * 86_400)
        for index, days in enumerate((13.0, 13.5, 13.2, 14.0, 5.0, 2.6, 2.4, 2.5))
    ]  # fmt: skip
    windows = choose_windows(months, quarters, CHANGE, quarters[-1].end, 10, duration_units("calendar"), True)
    assert (windows.granularity, len(windows.before), len(windows.after), windows.months) == ("quarter", 4, 3, 6)


def test_a_service_that_rose_and_what_is_not_excluded() -> None:
    months = months_of((*[0.612, 0.634, 0.62] * 4, 0.7, 0.815, 0.822, 0.838), size=1)
    windows = choose_windows(months, (), CHANGE, months[-1].end, 10, PERCENT, lower_is_better=False)
    subject = ClaimSubject("share of promises kept in time", "", "(team Front desk)")
    sentences = claim_sentences(
        subject, windows, "proved", "helper", False, "not excluded: a worse share of good ratings"
    )
    assert sentences["full"] == (
        "Helped to raise the share of promises kept in time (team Front desk) from 61-63% to 82-84% within two months "
        "(not excluded: a worse share of good ratings)."
    )
    assert "not excluded" in sentences["ratio_without_service"]
    measured = claim_sentences(subject, windows, "measured", "owner", False)
    assert measured["full"].startswith(
        "The share of promises kept in time (team Front desk) went from 61-63% to 82-84%"
    )
    assert measured["ratio"].startswith("The share of promises kept in time (team Front desk) rose by ")


def test_of_nothing_or_of_less_there_is_no_ratio() -> None:
    for values, words in (
        ((*[0.0, 0.01] * 6, 0.1, 0.5, 0.52, 0.54), "from 0-1% to 50-54%"),
        ((*[-0.795, -0.68] * 6, -0.5, 0.4, 0.42, 0.44), "from -80 to -68% to 40-44%"),
    ):
        months = months_of(values, size=1)
        windows = choose_windows(months, (), CHANGE, months[-1].end, 10, PERCENT, lower_is_better=False)
        sentences = claim_sentences(ClaimSubject("share of good ratings"), windows, "proved", "owner", False)
        assert list(sentences) == ["full"]
        assert words in sentences["full"]


def test_no_day_is_made_of_opening_hours() -> None:
    months = months_of((*DAYS_BEFORE, *DAYS_SINCE))
    windows = choose_windows(months, (), CHANGE, months[-1].end, 10, duration_units("business"), True)
    assert windows.unit.name == "opening hours"


@given(
    before=st.lists(st.floats(1, 40), min_size=12, max_size=12),
    since=st.lists(st.floats(0.1, 40), min_size=4, max_size=9),
    factor=st.sampled_from([1 / 24, 1.0]),
)
def test_a_sentence_never_tells_more_than_its_months(before: list[float], since: list[float], factor: float) -> None:
    months = months_of([value * factor for value in (*before, *since)])
    try:
        windows = windows_of(months)
    except ClaimRefusedError:
        return
    low_before, _ = windows.ends(windows.before)
    _, high_after = windows.ends(windows.after)
    assert high_after < low_before
    assert windows.after[-1] == months[-1]  # the newest month is never left out
    assert len(windows.after) >= 3
    rounded_gap = float(windows.rounded_before[0] - windows.rounded_after[1]) * windows.unit.size
    assert rounded_gap <= 1.1 * (low_before - high_after) * (1 + 1e-12)
    assert windows.ratio is not None
    assert 0 < windows.ratio[0] <= windows.ratio[1] < 1
    assert windows.months >= 1


def test_every_measure_that_can_be_claimed_has_a_noun() -> None:
    claimed_measures = [measure for measure in MEASURES if measure.kind in ("wait", "share", "mean")]
    assert len(claimed_measures) > 40
    assert [measure.name for measure in claimed_measures if not measure.noun] == []

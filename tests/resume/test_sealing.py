"""Words of a bullet are free; a number that is not the signed one breaks the seal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.claim.test_checks import CLAIM_ID, PRIVATE_KEY, RAW, predicate_of
from wellserved.claim.file import VARIANTS, open_claim, restrict_claim, sign_claim
from wellserved.resume.sealing import NO_CAVEAT, HeldClaim, has_signed_numbers, seal_bullet, signed_numbers, split_mark

SENTENCE = "Reduced the typical (median) time to first reply to quote requests from 12-15 days to 2-3 days within three months."
CLAIMS = {CLAIM_ID: HeldClaim(RAW)}
SIGNED = "It went from 10 days to 9 days."
MARK = f"(checked: {CLAIM_ID})"


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE,
        "Within 3 months, cut the wait for a quote from 12–15 days to 2–3 days",
        "Cut it from 12-15 to 2-3 days within three months",
        "From twelve to fifteen days to two to three days, within 3 months!",
        "FROM １２-15 DAYS TO 2-3 DAYS WITHIN THREE MONTHS",
        "To 2-3 days from 12-15 days, within three months",
        "As one of the first desks: from 12-15 days to 2-3 days within three months",
    ],
)  # fmt: skip
def test_other_words_keep_the_seal(text: str) -> None:
    assert has_signed_numbers(text, SENTENCE)


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE.replace("15", "16"),
        SENTENCE.replace("three months", "two months"),
        SENTENCE.replace("12-15 days", "12-15 weeks"),
        SENTENCE.replace(" within three months", ""),
        "From 2-3 days to 12-15 days within three months",
        "To 12-15 days from 2-3 days within three months",
        SENTENCE + " Halved the complaints, too.",
        SENTENCE + " 100% of customers were happy.",
        "Reduced the time to first reply",
        SENTENCE.replace("2-3 days", "2-3.5 days"),
        SENTENCE.replace("12-15", "½-15"),
        "In three months: 12-15 days, now 2-3 days",
        "12-15 days now; it was 2-3 days before, three months ago",
        SENTENCE.replace("12-15 days", "12-15 working hours"),
        SENTENCE.replace("to 2-3", "to less than 2-3"),
        SENTENCE.replace("from 12-15", "from more than 12-15"),
        SENTENCE.replace("from 12-15", "from -12-15"),
        SENTENCE + " Complaints quadrupled.",
        SENTENCE + " Waits fell fivefold.",
        SENTENCE + " By a quarter.",
        SENTENCE + " A billion served.",
        SENTENCE + " 三 desks.",
    ],
)
def test_another_number_breaks_it(text: str) -> None:
    assert not has_signed_numbers(text, SENTENCE)


def test_numbers_are_read_with_what_they_count() -> None:
    assert [(number.value, number.unit, number.side) for number in signed_numbers(SENTENCE)] == [
        ("12", "day", "from"), ("15", "day", "from"), ("2", "day", "to"), ("3", "day", "to"), ("3", "month", "")
    ]  # fmt: skip
    assert signed_numbers("1,200 cases") == signed_numbers("1200 cases")
    assert signed_numbers("by 76-84 per cent") == signed_numbers("by 76–84%")
    assert signed_numbers("4.10 points") == signed_numbers("4.1 points")


RATIO = "Reduced the time to first reply by 20-25% within two months."


@pytest.mark.parametrize(
    "text",
    ["Cut the time to first reply by 20-25 per cent within two months", "Within two months the time to first reply was 20–25% shorter (reduced by two-person desks)",
     "Made replies faster by 20-25% within 2 months", "Made replies faster by 20% to 25% within 2 months"],
)  # fmt: skip
def test_a_ratio_keeps_its_direction_in_other_words(text: str) -> None:
    assert has_signed_numbers(text.replace(" (reduced by two-person desks)", ""), RATIO)


@pytest.mark.parametrize(
    "text",
    [RATIO.replace("Reduced", "Raised"), RATIO.replace("%", " percent points"), RATIO.replace("by", "by far more than"), RATIO.replace("by 20", "by -20"),
     RATIO.replace("by", "by up to"), RATIO.replace("25%", "25%+"), RATIO.replace("by ", "by >"), RATIO.replace("by", "by well in excess of"), RATIO.replace("20-25%", "twenty-six percent"), "Grew it by 20-25% within two months"],
)  # fmt: skip
def test_a_ratio_that_is_turned_or_stretched_is_none(text: str) -> None:
    assert not has_signed_numbers(text, RATIO)
    assert has_signed_numbers("by twenty-five percent in 1 234 cases", "by 25% in 1,234 cases")
    assert has_signed_numbers("the 1st reply, for one of us, in 3 days", "the first reply, in three days")


@given(st.text(max_size=200))
def test_no_text_is_refused_and_every_text_has_its_own_numbers(text: str) -> None:
    assert has_signed_numbers(text, text)
    words, _claim = split_mark(text)
    assert "(checked:" not in words.casefold()


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_number_in_place_of_another_is_always_seen(signed: int, typed: int) -> None:
    assert has_signed_numbers(f"It took {typed} days", f"It took {signed} days") == (signed == typed)


def test_a_bullet_is_as_signed_in_its_own_words_or_not_at_all() -> None:
    exact = seal_bullet(f"{SIGNED} {MARK}", CLAIMS)
    assert (exact.state, exact.text, exact.marked_text) == (
        "as signed",
        SIGNED,
        f"{SIGNED} (checked, measured: {CLAIM_ID})",
    )
    reworded = seal_bullet(f"Brought it from 10 days to 9 days {MARK}", CLAIMS)
    assert reworded.state == "numbers as signed"
    assert reworded.marked_text.endswith(f"(numbers checked, measured: {CLAIM_ID})")
    broken = seal_bullet(f"It went from 11 days to 9 days. {MARK}", CLAIMS)
    assert (broken.state, broken.raw) == ("not as signed", b"")
    assert broken.marked_text.endswith(f"(not as signed: {CLAIM_ID})")
    own = seal_bullet("I was there from 10 to 9.", CLAIMS)
    assert (own.state, own.marked_text) == ("own word", "I was there from 10 to 9.")


def test_the_file_shows_no_more_than_the_bullet() -> None:
    full = seal_bullet(f"{SIGNED} {MARK}", CLAIMS)
    assert "windows" in open_claim(full.raw).shown
    ratio = open_claim(RAW).shown["sentence_ratio_without_service"]
    narrow = seal_bullet(f"{ratio} {MARK}", CLAIMS)
    assert narrow.raw == restrict_claim(RAW, VARIANTS["ratio_without_service"])
    assert "windows" not in open_claim(narrow.raw).shown


def test_the_house_decides_what_leaves() -> None:
    held_back = seal_bullet(f"{SIGNED} {MARK}", CLAIMS, ("ratio", "ratio_without_service"))
    assert (held_back.state, held_back.raw, held_back.marked_text) == ("no longer holds", b"", SIGNED)
    assert "house" in held_back.reason
    typo = seal_bullet(f"It went from 11 days to 9 days. {MARK}", CLAIMS, ())
    assert typo.sentence == ""  # it tells no figure either


@pytest.mark.parametrize(
    "typed",
    ["✓ Cut waits by 90%", "Cut waits by 90% (checked: aaaabbbbcccc)", "Cut (checked: nonsense!) waits by 90%", "✅ Cut waits by 90% (Numbers checked: x)", "🗸 Cut waits by 90% [checked, proved: aaaabbbbcccc]", "Cut waits by 90% ( checked, proved : aaaabbbbcccc )",
     "Cut waits by 90%（checked: aaaabbbbcccc）", "Cut waits by 90% (che\u200bcked: aaaabbbbcccc)"],
)  # fmt: skip
def test_nobody_seals_by_typing_the_mark(typed: str) -> None:
    bullet = seal_bullet(typed, CLAIMS)
    assert not bullet.is_sealed
    assert "checked" not in bullet.marked_text.casefold()
    assert bullet.text == "Cut waits by 90%"


def test_a_claim_that_no_longer_holds_leaves_no_mark() -> None:
    stale = seal_bullet(f"{SIGNED} {MARK}", {CLAIM_ID: HeldClaim(RAW, "stale: its records were corrected")})
    assert (stale.state, stale.marked_text, stale.raw) == ("no longer holds", SIGNED, b"")
    assert "corrected" in stale.reason


def test_what_is_not_excluded_stays_said() -> None:
    sentence = (
        "Reduced the wait from 12 days to 2 days within two months (not excluded: a worse share of good ratings)."
    )
    raw = sign_claim(predicate_of(), {"sentence_full": sentence}, "00" * 32, PRIVATE_KEY, lambda: "0" * 32)
    claims = {CLAIM_ID: HeldClaim(raw)}
    kept = "Cut the wait from 12 days to 2 days in two months (Not excluded: a worse share of good ratings)"
    assert seal_bullet(f"{kept} {MARK}", claims).state == "numbers as signed"
    bare = "Cut the wait from 12 days to 2 days in two months; not excluded: a worse share of good ratings."
    assert seal_bullet(f"{bare} {MARK}", claims).state == "numbers as signed"
    dropped = seal_bullet(f"Cut the wait from 12 days to 2 days in two months {MARK}", claims)
    assert (dropped.state, dropped.reason) == ("not as signed", NO_CAVEAT)


def test_what_is_counted_among_the_doubts_is_no_number_of_the_change() -> None:
    full = "Reduced the wait from 12-15 days to 2-3 days within two months (harm not excluded in 10 of 24 checks)."
    ratio = "Reduced the wait by 77-83% within two months (harm not excluded in 10 of 24 checks)."
    raw = sign_claim(
        predicate_of(), {"sentence_full": full, "sentence_ratio": ratio}, "00" * 32, PRIVATE_KEY, lambda: "0" * 32
    )
    dropped = seal_bullet(
        f"Within two months, cut the wait from 12-15 days to 2-3 days. {MARK}", {CLAIM_ID: HeldClaim(raw)}
    )
    assert (dropped.state, dropped.reason, dropped.sentence) == ("not as signed", NO_CAVEAT, full)
    kept = seal_bullet(
        f"Cut the wait by 77-83% within 2 months; harm not excluded in 10 of 24 checks {MARK}",
        {CLAIM_ID: HeldClaim(raw)},
    )
    assert kept.state == "numbers as signed"
    other = seal_bullet(
        f"Cut the wait by 77-83% within 2 months; harm not excluded in 1 of 24 checks {MARK}",
        {CLAIM_ID: HeldClaim(raw)},
    )
    assert other.state == "not as signed"


COUNT = "Kept 18 of 20 promises in time that fell due from June 2025 to May 2026."


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("From June 2025 to May 2026 I kept 18 of 20 promises in time", True), ("Kept 18 of 20 promises from Jun 2025 to May 2026, as one may", True),
        ("Kept 18 of 20 promises from January 2025 to December 2026", False), ("Kept 18 of 20 promises from 2025 to 2026", False),
        ("Kept 20 of 18 promises from June 2025 to May 2026", False), ("Kept over 18 of 20 promises from June 2025 to May 2026", False),
    ],
)  # fmt: skip
def test_the_months_of_a_count_are_part_of_it(text: str, is_kept: bool) -> None:
    assert has_signed_numbers(text, COUNT) == is_kept
    one_month = "Kept 18 of 20 promises in time that fell due in June 2026."
    for other in ("in January 2026", "January to June 2026", "June–December 2026", "June and July 2026"):
        assert not has_signed_numbers(f"Kept 18 of 20 promises {other}", one_month)
    assert has_signed_numbers("Kept 18 of 20 promises, in June 2026", one_month)

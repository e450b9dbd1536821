"""What a sentence is proposed to be: lines as people write them, by readers who had not seen the rules."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bench import sentences
from bench.sentences import LINES, LINES_ASIDE, read_lines
from hypothesis import given
from hypothesis import strategies as st

from wellserved.capture import ENTRY_WORDS, CapturedLine, capture
from wellserved.capture.sentence import READINGS, mark_customer, propose, rank_kinds

NOW = datetime(2026, 11, 25, 15, tzinfo=ZoneInfo("Europe/Berlin"))
TITLE = re.compile(r"(?:mr|mrs|ms|miss|dr|frau|herrn?|familie)\b", re.IGNORECASE)


def share_right(rows: list[dict[str, Any]]) -> float:
    """By the product's own weights."""
    return sentences.share_right(rows, [rank_kinds(row["text"])[0][0] for row in rows])


def read(row: dict[str, Any], customers: list[str]) -> CapturedLine:
    """The line under its true word, its titled customer marked as a proposal marks it."""
    has_customer = capture(row["text"], NOW, customers).customer is not None
    text = row["text"] if has_customer else mark_customer(row["text"])
    return capture(f"{row['kind']}: {text}", NOW, customers)


def test_the_kind_of_lines_from_which_it_was_learnt_is_proposed() -> None:
    rows = read_lines(LINES)
    assert len(rows) == 5_580
    assert share_right(rows[::10]) >= 0.97


def test_the_kind_is_proposed_right_of_nine_in_ten_lines_that_were_kept_aside() -> None:
    """By people of nine other trades, who had seen neither the others' lines nor the product."""
    rows = read_lines(LINES_ASIDE)
    assert len(rows) == 450
    assert not {row["profile"] for row in rows} & {row["profile"] for row in read_lines(LINES)}
    assert share_right(rows) >= 0.9
    sure_rows = [row for row in rows if rank_kinds(row["text"])[0][1] >= 0.7]
    assert len(sure_rows) >= 0.75 * len(rows)
    assert share_right(sure_rows) >= 0.97


def test_what_a_line_may_be_as_well_is_offered_beside() -> None:
    rows = read_lines(LINES_ASIDE)
    offered = [
        {word for word, _chance in rank_kinds(row["text"])[:2]} & {row["kind"], *row.get("also", ())} for row in rows
    ]
    assert sum(map(bool, offered)) >= 0.96 * len(rows)
    proposal = propose("I screwed up the invoice for Mrs Jones")
    assert proposal is not None
    assert proposal.word not in proposal.other_words
    assert "note" not in proposal.other_words


def test_neither_what_nobody_said_nor_another_language_is_proposed() -> None:
    for text in (
        "lunch with the team",
        "asdf qwer",
        "ok",
        "Acme",
        "El cliente se quejó del ruido otra vez",
        "x " * 1_500,
        "",
    ):
        assert propose(text) is None, text


@pytest.mark.parametrize(("path", "least"), [(LINES_ASIDE, 0.95), (LINES, 0.92)])
def test_customers_times_and_amounts_are_read(path: Path, least: float) -> None:
    """A time that is asked about counts as not read; effort and amounts without a currency are said in too many ways."""
    rows = read_lines(path)
    rows = rows[:: max(1, len(rows) // 1_800)]
    customers = sorted({row["customer"] for row in rows if "customer" in row and not TITLE.match(row["customer"])})
    right: dict[str, list[bool]] = {"customer": [], "due": [], "effort": [], "amount": []}
    for row in rows:
        captured_line = read(row, customers if "customer" in row else [])
        right["customer"].append((row.get("customer") or "").casefold() in (captured_line.customer or "").casefold())
        if row["kind"] in ("promise", "renegotiated") or captured_line.due:
            due = captured_line.due.replace(tzinfo=None).isoformat(timespec="minutes") if captured_line.due else None
            wanted = row.get("due")
            right["due"].append(due == (f"{wanted}T23:59" if wanted and len(wanted) == 10 else wanted))
        if row.get("effort_minutes") or captured_line.hours:
            right["effort"].append(round((captured_line.hours or 0) * 60) == row.get("effort_minutes", 0))
        if row.get("amount") or captured_line.amount:
            right["amount"].append(captured_line.amount == row.get("amount"))
    shares = {kind: sum(results) / len(results) for kind, results in right.items()}
    print(path.name, {kind: f"{share:.1%} of {len(right[kind])}" for kind, share in shares.items()})
    assert shares["customer"] >= least
    assert shares["due"] >= least
    assert shares["amount"] >= 0.65
    assert shares["effort"] >= 0.65


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("I screwed up the invoice for Mrs Jones", "missed"),
        ("we failed Acme today", "missed"),
        ("promise Acme gets the draft by Friday", "promise"),
        ("customer complained about the noise", "complaint"),
        ("Mrs Jones thanked me for the call", "thanks"),
        ("told Ben he will have it tomorrow at 10", "promise"),
        ("lunch with the team", None),
    ],
)
def test_the_sentences_that_everybody_says(text: str, word: str | None) -> None:
    proposal = propose(text)
    assert (proposal.word if proposal else None) == word


def test_a_proposal_is_a_line_that_can_be_read_and_changed() -> None:
    proposal = propose("I'll call Mrs Doyle back Monday 9am")
    assert proposal is not None
    assert proposal.line == 'promise: I\'ll call +"Mrs Doyle" back Monday 9am'
    one = capture(proposal.line, NOW)
    assert (one.word, one.customer) == ("promise", "Mrs Doyle")
    assert one.due is not None
    assert one.due.isoformat() == "2026-11-30T09:00:00+01:00"


def test_a_name_keeps_its_own_letters_and_a_thing_after_it_is_none_of_it() -> None:
    assert capture('complaint: +"Frau Yıldız" wartet', NOW).customer == "Frau Yıldız"
    assert mark_customer("Frau Petersen Rechnung korrigiert") == '+"Frau Petersen" Rechnung korrigiert'
    assert capture("recovered: Acme Router replaced", NOW, ["Acme"]).customer == "Acme"


def test_every_word_that_is_weighed_is_one_that_there_is() -> None:
    assert set(READINGS) == set(ENTRY_WORDS)
    assert sum(chance for _word, chance in rank_kinds("any line")) == pytest.approx(1.0)


@given(st.text(max_size=300))
def test_nothing_makes_a_proposal_fail(text: str) -> None:
    proposal = propose(text)
    assert proposal is None or proposal.line.startswith(f"{proposal.word}: ")


@pytest.mark.parametrize(
    ("line", "due"),
    [
        ("promise: Acme gets it by Friday 4 December 8:30", "2026-12-04T08:30"),
        ("promise: Rückruf am Montag, den 7. Dezember um 16:30 Uhr", "2026-12-07T16:30"),
        ("renegotiated: from Thursday to Tuesday 8 December, 2pm", "2026-12-08T14:00"),
        ("promise: ich rufe am Montag um halb 10 an", "2026-11-30T09:30"),
    ],
)
def test_a_date_beside_its_weekday_is_that_date(line: str, due: str) -> None:
    one = capture(line, NOW)
    assert one.due is not None
    assert one.due.replace(tzinfo=None).isoformat(timespec="minutes") == due


def test_a_date_that_is_not_its_weekday_is_asked() -> None:
    (question,) = capture("promise: call by Friday 5 December", NOW).questions
    assert question.readings == ("27 Nov 2026", "5 Dec 2026")

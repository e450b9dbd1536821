"""One line to what it says: a table worked out by hand from the grammar, and nothing typed is ever lost."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellserved.capture import ENTRY_WORDS, CapturedLine, capture, describe_line, readable_text
from wellserved.capture.question import CaptureQuestion

TABLE = tomllib.loads((Path(__file__).parent.parent / "reference" / "capture_lines.toml").read_text(encoding="utf-8"))
ZONE = ZoneInfo(TABLE["zone"])
NOW = datetime.fromisoformat(TABLE["now"]).replace(tzinfo=ZONE)


def said(one: CapturedLine) -> dict[str, Any]:
    """What was read, in the table's own writing."""
    found: dict[str, Any] = {}
    for name, value in asdict(one).items():
        if name in ("line", "text", "questions") or value in (None, ()):
            continue
        if isinstance(value, datetime):
            value = value.replace(tzinfo=None).isoformat(timespec="minutes")
        elif isinstance(value, date):
            value = value.isoformat()
        found[name] = list(value) if isinstance(value, tuple) else value
    if one.questions:
        found["asks"] = [reading for question in one.questions for reading in question.readings]
    return found


@pytest.mark.parametrize("row", TABLE["line"], ids=lambda row: row["typed"][:40])
def test_a_line_means_what_the_table_says(row: dict[str, Any]) -> None:
    wanted = {name: value for name, value in row.items() if name not in ("typed", "now", "order")}
    now = datetime.fromisoformat(row["now"]).replace(tzinfo=ZONE) if "now" in row else NOW
    assert said(capture(row["typed"], now, TABLE["customers"], row.get("order", ""))) == wanted


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(max_size=400),
        st.lists(
            st.sampled_from(
                [*ENTRY_WORDS, ":", " ", "  ", "by", "in", "30", "Nov", "30.11.", "2026-02-30", "99:99", "@", "@kim", "#x", "#1", "€", "1,2.3", "expected",
                 "got", "9/10", "/", "99/99", "+Acme", "+", '"', "return", "saved", "cause:", "29 Feb", "0000-00-00", "999 weeks", "\u00a0", "\n", "＠", "ſ", "İ"]
            ),
            max_size=25,
        ).map(" ".join),
    )
)  # fmt: skip
def test_nothing_that_is_typed_is_lost_and_nothing_fails(line: str) -> None:
    one = capture(line, NOW, TABLE["customers"])
    assert one.line == line
    assert line.endswith(one.text)
    head = line[: len(line) - len(one.text)]
    assert not head.strip() or head.strip().endswith(":") or not one.text
    assert one.word in ENTRY_WORDS
    assert describe_line(one)[0] == ("kind", ENTRY_WORDS[one.word].meaning)


def test_a_due_time_that_the_clocks_skip_is_moved_on() -> None:
    spring = datetime(2026, 3, 28, 12, tzinfo=ZONE)
    due = capture("promise: call by tomorrow 02:30", spring).due
    assert due is not None
    assert due.isoformat() == "2026-03-29T03:30:00+02:00"


def test_what_was_understood_is_shown_in_words() -> None:
    shown = dict(describe_line(capture("promise: Acme gets the draft by 30 Nov 14:00 @kim 2h", NOW, ["Acme"])))
    assert shown == {
        "kind": "something was promised", "customer": "Acme", "due": "Mon 30 Nov 2026, 14:00", "people": "kim", "hours": "2",
    }  # fmt: skip


def test_the_words_for_others_are_without_the_marks() -> None:
    assert (
        readable_text('+"Blue Harbor" quote went out late, cause: handover, 3h #quotes @kim')
        == "Blue Harbor quote went out late (handover), 3h kim"
    )
    assert readable_text("a@b.c stays, C# too") == "a@b.c stays, C# too"


def test_a_question_is_answered_whatever_letters_the_line_has() -> None:
    question = CaptureQuestion("27 sep", 19, ("2026-09-27", "2027-09-27"))
    assert question.apply_reading("promise: report by 27 \u017fep", "2026-09-27") == "promise: report by 2026-09-27"
    assert question.apply_reading("nothing of the kind", "2026-09-27") == "nothing of the kind"


@pytest.mark.parametrize(
    ("said", "due"),
    [
        ("Friday night at 12", "2026-11-27 23:59"),  # the end of that day, as midnight is
        ("Friday night at 0:00", "2026-11-27 23:59"),
        ("Friday evening at 12", "2026-11-27 23:59"),
        ("Freitag Abend um 12", "2026-11-27 23:59"),
        ("Friday night at 10", "2026-11-27 22:00"),
        ("Friday night at 22:30", "2026-11-27 22:30"),
        ("Friday evening at 5", "2026-11-27 17:00"),
        ("Friday afternoon at 12", "2026-11-27 12:00"),
        ("Friday night at 2am", None),  # Friday's or Saturday's: asked
        ("Friday night at 12:30am", None),
    ],
)
def test_the_night_ends_at_twelve(said: str, due: str | None) -> None:
    got = capture(f"promise: Acme gets it by {said}", datetime(2026, 11, 24, 9, tzinfo=ZONE))
    if due is None:
        assert got.questions
    else:
        assert not got.questions
        assert got.due is not None
        assert f"{got.due:%Y-%m-%d %H:%M}" == due


@pytest.mark.parametrize(
    ("said", "due"),
    [
        ("by Fri at 12 at night", ["2026-12-04 23:59"]),
        ("by Fri 11 at night", ["2026-12-04 23:00"]),
        ("tonight at 12", ["2026-11-27 23:59"]),
        ("at 12 tonight", ["2026-11-27 23:59"]),
        ("by 12 at night", ["2026-11-27 23:59"]),
        ("tonight at 8", ["2026-11-27 20:00"]),
        ("by 1 tonight", ["2026-11-28 01:00"]),  # today's 01:00 is over
        ("by 5 tonight", ["27 Nov 2026 17:00", "28 Nov 2026 05:00"]),
        ("bis morgen um 12 Uhr nachts", ["2026-11-28 23:59"]),
        ("bis Freitag um 11 Uhr abends", ["2026-12-04 23:00"]),
        ("heute Nacht um 12", ["2026-11-27 23:59"]),
        ("by tomorrow at 11 at night", ["2026-11-28 23:00"]),
        ("at 11 tomorrow night", ["2026-11-28 23:00"]),
        ("in 2 days at 11 at night", ["2026-11-29 23:00"]),
        ("by tomorrow at 10 in the evening", ["2026-11-28 22:00"]),
        ("by tomorrow at 3 in the afternoon", ["2026-11-28 15:00"]),
        ("by tomorrow at 9 night shift gets it", ["2026-11-28 09:00"]),
        ("by tomorrow evening at 12:30", ["2026-11-29 00:30"]),
        ("by tomorrow night at 1", ["28 Nov 2026 01:00", "29 Nov 2026 01:00"]),
        ("by tomorrow night at 13", ["2026-11-28 13:00"]),
    ],
)
def test_a_part_of_the_day_counts_before_a_time_and_after_it(said: str, due: list[str]) -> None:
    got = capture(f"promise: Acme gets it {said}", datetime(2026, 11, 27, 10, 15, tzinfo=ZONE))
    asked = [reading for question in got.questions for reading in question.readings]
    assert ([f"{got.due:%Y-%m-%d %H:%M}"] if got.due else asked) == due
    for reading in asked:
        again = capture(got.questions[0].apply_reading(got.text, reading), datetime(2026, 11, 27, 10, 15, tzinfo=ZONE))
        assert again.questions == ()

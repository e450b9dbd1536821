"""What became of a promise: the journal and the cases say the same of the same moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.test_ordered import PLAIN, cases, moments
from wellserved.capture import ENTRY_WORDS
from wellserved.capture.promise import promise_state
from wellserved.cases.fold import CASE_TYPES

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FATES = {"running": 0, "overdue": 0, "kept": 1, "late": 2, "broken": 3}
Move = tuple[datetime, str, datetime | None]


@st.composite
def promise_threads(draw: st.DrawFn) -> list[Move]:
    """A promise, other due times agreed for it, in time or too late, and its end, if it has one."""
    hours = st.integers(0, 200)
    now = START
    moves: list[Move] = [(START, "promise", START + timedelta(hours=draw(hours)))]
    for index in range(draw(st.integers(0, 3))):
        now += timedelta(hours=draw(hours) + 1)
        # never the time that was agreed before
        moves.append((now, "renegotiated", START + timedelta(hours=draw(hours), minutes=index + 1)))
    if end := draw(st.sampled_from(["", "kept", "met", "exceeded", "broken"])):
        moves.append((now + timedelta(hours=draw(hours)), end, None))
    return moves


@settings(max_examples=100, deadline=None)
@given(thread=promise_threads())
def test_a_promise_has_one_fate(thread: list[Move]) -> None:
    state = promise_state(thread, START + timedelta(days=90))
    blank = {**dict.fromkeys(moments(1, 1)[0]), "at_is": "time", "case_id": "c", "source": "s", "correction": False}
    rows = [
        {
            **blank, "moment_id": str(index), "at": _microseconds(at), "kind": ENTRY_WORDS[word].kind, "source_row": index,
            "due": _microseconds(due) if due else None, "content": index, "recorded_at": _microseconds(START + timedelta(days=90)),
        }
        for index, (at, word, due) in enumerate(thread)
    ]  # fmt: skip
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        (case,) = cases(db, rows, PLAIN)
    facts: dict[str, Any] = dict(zip(CASE_TYPES, case, strict=True))
    assert state.due is not None
    assert state.first_due is not None
    assert facts["due_s"] == state.due.timestamp()
    assert facts["first_due_s"] == state.first_due.timestamp()
    assert (facts["renegotiated"], facts["overrun"]) == (state.renegotiated, state.late_renegotiations)
    assert facts["promise_fate"] == (FATES[state.fate] if facts["due_s"] >= START.timestamp() else None)


def _microseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)

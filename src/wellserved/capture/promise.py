"""What became of a promise: a fold over the moments of its thread, by the rules by which cases are folded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Fate = Literal["running", "overdue", "kept", "late", "broken"]
PromiseMove = tuple[datetime, str, datetime | None]  # when, the word (promise, renegotiated, kept, broken ...), due


@dataclass(frozen=True)
class PromiseState:
    """A promise as it stands."""

    made_at: datetime
    due: datetime | None  # the one in force
    first_due: datetime | None
    fate: Fate
    closed: datetime | None
    renegotiated: int  # times another due time was agreed before the one in force had passed
    late_renegotiations: int  # times after it


KEPT_WORDS = ("kept", "met", "exceeded")
CLOSING_WORDS = {"promise": (*KEPT_WORDS, "broken"), "missed": ("recovered",), "complaint": ("recovered",)}
"""Words that wait for their end -> the words that end them."""

MATTERS_OF_WORD = {
    "kept": ("promise",), "broken": ("promise",), "renegotiated": ("promise",), "recovered": ("missed", "complaint"),
    "thanks": ("promise", "missed", "complaint"),
}  # fmt: skip
"""Words of a line that belongs to an open matter -> the words of such matters."""
ANSWER_WORDS = ("kept", "met", "exceeded", "broken", "recovered", "complaint", "thanks")
"""Words that say enough by themselves, once it is known what they are about."""


def is_waiting(word: str, thread_words: Iterable[str]) -> bool:
    """A moment of this word still waits for its end, given the words of its thread."""
    return word in CLOSING_WORDS and not set(CLOSING_WORDS[word]) & set(thread_words)


def open_state_changes(thread: Iterable[tuple[Any, str, bool]]) -> list[tuple[Any, bool]]:
    """Of the rows of one thread (key, word, whether it is taken to wait) those that are taken wrongly, and what they do."""
    rows = list(thread)
    words = [word for _key, word, _open in rows]
    return [(key, not is_open) for key, word, is_open in rows if is_open != is_waiting(word, words)]


def promise_state(moves: Iterable[PromiseMove], now: datetime) -> PromiseState:
    """The state of one promise at `now`; moves: at least the promise itself."""
    # "kept yesterday" may be written first
    ordered_moves = sorted(moves, key=lambda move: (move[1] != "promise", move[0]))
    made_at, first_due, due = ordered_moves[0][0], ordered_moves[0][2], ordered_moves[0][2]
    renegotiations = late_renegotiations = 0
    closed_at: datetime | None = None
    fate: Fate = "overdue" if due and due < now else "running"
    for at, word, new_due in ordered_moves[1:]:
        if word == "renegotiated":
            is_in_time = due is None or at <= due
            renegotiations, late_renegotiations = renegotiations + is_in_time, late_renegotiations + (not is_in_time)
            due = new_due or due
            fate = "overdue" if due and due < now else "running"
        elif word in KEPT_WORDS:
            closed_at, fate = at, "late" if due and at > due else "kept"
        elif word == "broken":
            closed_at, fate = at, "broken"
    return PromiseState(made_at, due, first_due, fate, closed_at, renegotiations, late_renegotiations)

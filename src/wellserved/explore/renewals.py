"""Who came up for which renewal, and who left then: of cohorts, or of accounts, some of them known only from later on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wellserved.errors import RequestError
from wellserved.prove.engine.model import Floats
from wellserved.small_csv import csv_rows

MAX_RENEWALS = 1_000  # renewals of one customer; more is a slip
ACCOUNT_COLUMNS = ("renewals", "left", "entered", "accounts")
_LEFT_WORDS, _STAYED_WORDS = ("1", "yes", "y", "true", "left"), ("0", "no", "n", "false", "")
_MAX_ROWS_SHOWN = 3  # rows of a file that are named


@dataclass(frozen=True)
class Decisions:
    """By renewal, from the first one: how many came up for it under observation, and how many of them left.

    These say all that a model of renewals asks. Who was known from after the second renewal on came up for the third
    first (late entry, left truncation); who is still there came up for no later one (right censoring).
    """

    at_risk: Floats
    leaver_counts: Floats

    @property
    def leavers(self) -> int:
        """How many left."""
        return round(float(self.leaver_counts.sum()))

    def __add__(self, other: Decisions) -> Decisions:
        """Both groups together."""
        longest = max(len(self.at_risk), len(other.at_risk))
        first, second = (_longer(decisions, longest) for decisions in (self, other))
        return Decisions(first.at_risk + second.at_risk, first.leaver_counts + second.leaver_counts)


NO_DECISIONS = Decisions(np.zeros(0), np.zeros(0))


def _longer(decisions: Decisions, size: int) -> Decisions:
    padding = (0, size - len(decisions.leaver_counts))
    return Decisions(np.pad(decisions.at_risk, padding), np.pad(decisions.leaver_counts, padding))


def decisions_of_cohort(customers: Sequence[float] | Floats, prior_renewals: int = 0) -> Decisions:
    """Of customers counted at the start and after each renewal; `prior_renewals`: those that they had made before the start."""
    counts = np.asarray(customers, dtype=float)
    is_whole = np.isfinite(counts).all() and (np.abs(counts - np.round(counts)) < 1e-6).all()
    if len(counts) < 2 or not is_whole or counts[-1] < 0 or (np.diff(counts) > 0).any() or not counts[0] > 0:
        raise RequestError(
            "These are no renewals.",
            "Give whole numbers of customers at the start and after each renewal, never rising.",
        )
    if prior_renewals + len(counts) - 1 > MAX_RENEWALS:
        raise RequestError(
            f"{prior_renewals + len(counts) - 1:,} renewals of one customer are more than {MAX_RENEWALS:,} renewals.",
            "Give the customers at the start and after each renewal, a number each.",
        )
    if prior_renewals < 0:
        raise RequestError(
            f"Customers cannot have made {prior_renewals} renewals before the record began.",
            f"Give 0 to {MAX_RENEWALS}.",
        )
    counts = np.round(counts)
    before = np.zeros(prior_renewals)
    return Decisions(np.concatenate([before, counts[:-1]]), np.concatenate([before, -np.diff(counts)]))


def decisions_of_accounts(accounts: Iterable[tuple[int, int, bool, int]]) -> tuple[Decisions, int]:
    """Of accounts (renewals when the record began, renewals at the last, left then, how many such); and how many came up for one.

    Who came up for no renewal since the record began was never under observation, and does not count.
    """
    groups = list(accounts)
    longest = max((renewals + has_left for _, renewals, has_left, _ in groups), default=0)
    came_up, departures, size = np.zeros(longest), np.zeros(longest), 0
    for prior_renewals, renewals, has_left, account_count in groups:
        came_up[prior_renewals : renewals + has_left] += account_count
        if has_left:
            departures[renewals] += account_count
        size += account_count if renewals + has_left > prior_renewals else 0
    return Decisions(came_up, departures), size


def read_cohort(text: str) -> tuple[int, list[float]]:
    """ENTERED:N,N,N as renewals before the record began, and customers at the start and after each renewal."""
    prior_text, colon, counts_text = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return int(prior_text), [float(count) for count in counts_text.split(",")]
    except ValueError:
        raise RequestError(
            f"--cohort {text!r} is no cohort.",
            "Write renewals made before the record began, a colon, and the customers at the start and after each "
            "renewal: --cohort 2:200,180,171.",
        ) from None


def read_accounts(content: bytes) -> tuple[Decisions, int]:
    """A CSV file, a line an account (or `accounts` alike): `renewals` made in all, `left` yes or no, and `entered`.

    `entered`: the renewals made before the record began, 0 where it is empty. One wrong row and nothing is computed.
    """
    rows = csv_rows(content)
    header = [cell.lower() for cell in rows[0]] if rows else []
    missing = [column for column in ACCOUNT_COLUMNS[:2] if column not in header]
    if missing:
        raise RequestError(
            f"The file has no column called {' or '.join(missing)}.",
            f"Its first row names the columns: {', '.join(ACCOUNT_COLUMNS)}; the last two may be absent.",
        )
    accounts, refusals = list[tuple[int, int, bool, int]](), list[str]()
    for number, cells in enumerate(rows[1:], start=2):
        if any(cells):
            account = _account(dict(zip(header, cells, strict=False)))
            if isinstance(account, str):
                refusals.append(f"row {number}: {account}")
            else:
                accounts.append(account)
    if refusals:
        remainder_text = f"; and {len(refusals) - _MAX_ROWS_SHOWN} more" if len(refusals) > _MAX_ROWS_SHOWN else ""
        raise RequestError(
            f"Some rows cannot be read ({'; '.join(refusals[:_MAX_ROWS_SHOWN])}{remainder_text}).", "Correct them."
        )
    return decisions_of_accounts(accounts)


def _account(facts: Mapping[str, str]) -> tuple[int, int, bool, int] | str:
    """A row's account, or why it is none."""
    defaults = {"renewals": "", "entered": "0", "accounts": "1"}
    numbers = {name: facts.get(name) or default for name, default in defaults.items()}
    for name, cell in numbers.items():
        if not (cell.isascii() and cell.isdecimal() and len(cell) < 10):
            return f"{name} is {cell!r}, no whole number" if cell else f"{name} is empty"
    renewals, prior_renewals, account_count = (int(cell) for cell in numbers.values())
    if "left" not in facts:
        return "it ends before left; write yes or no"
    left_text = facts["left"].lower()
    if left_text not in (*_LEFT_WORDS, *_STAYED_WORDS):
        return f"left is {left_text!r}, neither yes nor no"
    if renewals > MAX_RENEWALS:
        return f"{renewals:,} renewals are more than {MAX_RENEWALS:,}"
    if prior_renewals > renewals:
        return f"{prior_renewals} renewals before the record began are more than the {renewals} in all"
    return prior_renewals, renewals, left_text in _LEFT_WORDS, account_count

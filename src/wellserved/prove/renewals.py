"""Who came up for which renewal, and who left then: of cohorts, or of accounts, some of them known only from later on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wellserved.errors import RequestError
from wellserved.prove.model import Floats

MOST = 1_000  # renewals of one customer; more is a slip
COLUMNS = ("renewals", "left", "entered", "accounts")
_YES, _NO = ("1", "yes", "y", "true", "left"), ("0", "no", "n", "false", "")
_SHOWN = 3  # rows of a file that are named


@dataclass(frozen=True)
class Decisions:
    """By renewal, from the first one: how many came up for it under observation, and how many of them left.

    These say all that a model of renewals asks. Who was known from after the second renewal on came up for the third
    first (late entry, left truncation); who is still there came up for no later one (right censoring).
    """

    came_up: Floats
    left: Floats

    @property
    def leavers(self) -> int:
        """How many left."""
        return round(float(self.left.sum()))

    def __add__(self, other: Decisions) -> Decisions:
        """Both groups together."""
        longest = max(len(self.came_up), len(other.came_up))
        first, second = (_longer(one, longest) for one in (self, other))
        return Decisions(first.came_up + second.came_up, first.left + second.left)


NONE = Decisions(np.zeros(0), np.zeros(0))


def _longer(decisions: Decisions, size: int) -> Decisions:
    padding = (0, size - len(decisions.left))
    return Decisions(np.pad(decisions.came_up, padding), np.pad(decisions.left, padding))


def of_cohort(there: Sequence[float] | Floats, entered: int = 0) -> Decisions:
    """Of customers counted at the start and after each renewal; `entered`: renewals that they had made before the start."""
    counts = np.asarray(there, dtype=float)
    whole = np.isfinite(counts).all() and (np.abs(counts - np.round(counts)) < 1e-6).all()
    if len(counts) < 2 or not whole or counts[-1] < 0 or (np.diff(counts) > 0).any() or not counts[0] > 0:
        raise RequestError(
            "These are no renewals.",
            "Give whole numbers of customers at the start and after each renewal, never rising.",
        )
    if entered + len(counts) - 1 > MOST:
        raise RequestError(
            f"{entered + len(counts) - 1:,} renewals of one customer are more than {MOST:,} renewals.",
            "Give the customers at the start and after each renewal, a number each.",
        )
    if entered < 0:
        raise RequestError(
            f"Customers cannot have made {entered} renewals before the record began.", f"Give 0 to {MOST}."
        )
    counts = np.round(counts)
    before = np.zeros(entered)
    return Decisions(np.concatenate([before, counts[:-1]]), np.concatenate([before, -np.diff(counts)]))


def of_accounts(accounts: Iterable[tuple[int, int, bool, int]]) -> tuple[Decisions, int]:
    """Of accounts (renewals when the record began, renewals at the last, left then, how many such); and how many came up for one.

    Who came up for no renewal since the record began was never under observation, and does not count.
    """
    groups = list(accounts)
    longest = max((renewals + left for _, renewals, left, _ in groups), default=0)
    came_up, gone, size = np.zeros(longest), np.zeros(longest), 0
    for entered, renewals, left, number in groups:
        came_up[entered : renewals + left] += number
        if left:
            gone[renewals] += number
        size += number if renewals + left > entered else 0
    return Decisions(came_up, gone), size


def read_cohort(text: str) -> tuple[int, list[float]]:
    """ENTERED:N,N,N as renewals before the record began, and customers at the start and after each renewal."""
    entered, colon, listed = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return int(entered), [float(one) for one in listed.split(",")]
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
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    lines = csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter)
    try:
        rows = [[cell.strip() for cell in row] for row in lines]
    except csv.Error as error:
        raise RequestError(f"This is no CSV file: {error}.", "Save it as CSV with commas.") from error
    header = [cell.lower() for cell in rows[0]] if rows else []
    missing = [column for column in COLUMNS[:2] if column not in header]
    if missing:
        raise RequestError(
            f"The file has no column called {' or '.join(missing)}.",
            f"Its first row names the columns: {', '.join(COLUMNS)}; the last two may be absent.",
        )
    read, refused = list[tuple[int, int, bool, int]](), list[str]()
    for number, cells in enumerate(rows[1:], start=2):
        if any(cells):
            account = _account(dict(zip(header, cells, strict=False)))
            if isinstance(account, str):
                refused.append(f"row {number}: {account}")
            else:
                read.append(account)
    if refused:
        more = f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
        raise RequestError(f"Some rows cannot be read ({'; '.join(refused[:_SHOWN])}{more}).", "Correct them.")
    return of_accounts(read)


def _account(facts: Mapping[str, str]) -> tuple[int, int, bool, int] | str:
    """A row's account, or why it is none."""
    wanted = {"renewals": "", "entered": "0", "accounts": "1"}
    numbers = {name: facts.get(name) or usual for name, usual in wanted.items()}
    for name, cell in numbers.items():
        if not (cell.isascii() and cell.isdecimal() and len(cell) < 10):
            return f"{name} is {cell!r}, no whole number" if cell else f"{name} is empty"
    renewals, entered, many = (int(cell) for cell in numbers.values())
    if "left" not in facts:
        return "it ends before left; write yes or no"
    left = facts["left"].lower()
    if left not in (*_YES, *_NO):
        return f"left is {left!r}, neither yes nor no"
    if renewals > MOST:
        return f"{renewals:,} renewals are more than {MOST:,}"
    if entered > renewals:
        return f"{entered} renewals before the record began are more than the {renewals} in all"
    return entered, renewals, left in _YES, many

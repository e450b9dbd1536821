"""What customers said, made ready: a row a part of a text, without what no customer said and without personal details."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from wellserved.listen.clean import clean_texts
from wellserved.listen.fit import FIRST, LAST, WHOLE
from wellserved.listen.parts import split_parts
from wellserved.listen.redact import Redactor, words_of_names
from wellserved.progress import ProgressCallback, no_progress

SPOKEN_KINDS = ("asked", "chased", "complained", "rated", "returned", "praised", "left")
"""Kinds of moment whose words are the customer's."""
SAID_COLUMNS = ("moment_id", "source", "case_id", "customer_id", "account_id", "team", "channel", "at_s", "text")
MANY_TEAMS = 50  # from so many on, teams are companies or places, and their names say who, not what
EVERY = 2_000  # texts between two signs of life


@dataclass(frozen=True)
class Said:
    """The customers' words in parts, and what was left out on the way."""

    parts: pa.Table  # moment_id, part, source, case_id, customer, holder, at_s, stratum, text
    moments: int  # texts that came
    wordless: int  # of which nothing was left
    machine: int  # of which a machine wrote
    cut_lines: Counter[str]  # by reason
    cut_letters: int
    redacted: Counter[str]  # by kind


def make_ready(said: pa.Table, on_progress: ProgressCallback = no_progress, names: Sequence[str] = ()) -> Said:
    """The parts of a table of texts (SAID_COLUMNS), sorted by moment, so that the order in which they came has no say.

    `names`: of people who serve, to be taken out beside those of customers.
    """
    said = said.sort_by("moment_id")
    columns = {name: said[name].to_pylist() for name in SAID_COLUMNS}
    customers = [
        customer or account or f"{source}/{case}"
        for customer, account, source, case in zip(
            columns["customer_id"], columns["account_id"], columns["source"], columns["case_id"], strict=True
        )
    ]
    holders = columns["team"] if _has_many_teams(columns) else columns["account_id"]
    on_progress("Taking out what no customer said", 0, len(customers))
    clean = clean_texts([text or "" for text in columns["text"]], customers)
    redactor = Redactor(_names(columns, clean.texts).union(names))
    redacted: Counter[str] = Counter()
    rows: list[tuple[int, int, str]] = []
    for index, (text, is_machine) in enumerate(zip(clean.texts, clean.is_machine, strict=True)):
        if index % EVERY == 0:
            on_progress("Taking out personal details", index, len(customers))
        if not is_machine and re.search(r"\w", text):
            words = redactor.redact(text)
            redacted += words.counts
            rows += [(index, number, part) for number, part in enumerate(split_parts(words.text))]
    indices = [index for index, _, _ in rows]
    month = [datetime.fromtimestamp(second, UTC).strftime("%Y-%m") for second in columns["at_s"]]
    parts = pa.table(
        {
            **{name: pa.array([columns[name][index] for index in indices], pa.string()) for name in ("moment_id", "source", "case_id")},
            "part": pa.array([number for _, number, _ in rows], pa.int32()),
            "customer": pa.array([customers[index] for index in indices], pa.string()),
            "holder": pa.array([holders[index] for index in indices], pa.string()),
            "at_s": pa.array([columns["at_s"][index] for index in indices], pa.int64()),
            "stratum": pa.array([f"{month[index]} {columns['channel'][index]}" for index in indices], pa.string()),
            "text": pa.array([part for _, _, part in rows], pa.string()),
        }
    )  # fmt: skip
    return Said(
        parts,
        len(customers),
        len(customers) - len(set(indices)) - sum(clean.is_machine),
        sum(clean.is_machine),
        clean.cut_lines,
        clean.cut_letters,
        redacted,
    )


def _has_many_teams(columns: dict[str, list[str | None]]) -> bool:
    return len({team for team in columns["team"] if team}) >= MANY_TEAMS


def _names(columns: dict[str, list[str | None]], texts: Iterable[str]) -> set[str]:
    """Names that the record knows: of customers and accounts, and of teams where they are many; and what is left of them
    where people shorten them."""
    holders = ["account_id", "customer_id"]
    if _has_many_teams(columns):
        holders.append("team")
    names = {name for column in holders for name in columns[column] if name}
    texts = list(texts)
    return names.union(*(words_of_names(texts, columns[column]) for column in holders))


def previous_numbers(parts: pa.Table, before: pa.Table, missing: int) -> tuple[np.ndarray, np.ndarray]:
    """The problem that each part was about at the last look, and whether it came after problems were first looked for.

    `before`: moment_id, part, text, number, founding. A part is known by its words: its number changes where another line
    of its text is cut.
    """
    columns = [before[name].to_pylist() for name in ("moment_id", "text", "number", "founding")]
    known = {(moment, text): (number, founding) for moment, text, number, founding in zip(*columns, strict=True)}
    keys = zip(parts["moment_id"].to_pylist(), parts["text"].to_pylist(), strict=True)
    earlier = [known.get(key, (missing, False)) for key in keys]
    numbers = np.array([number for number, _ in earlier], dtype=np.int64)
    return numbers, np.array([not founding for _, founding in earlier], dtype=bool)


def part_edges(parts: pa.Table) -> np.ndarray:
    """Where each part stands in its text: first, last, between, or all of it; a text of two begins and ends."""
    numbers, moments = parts["part"].to_numpy(), np.array(parts["moment_id"].to_pylist(), dtype=object)
    is_first = numbers == 0
    is_last = np.append(moments[1:] != moments[:-1], True) if len(moments) else np.zeros(0, dtype=bool)
    edges = np.where(is_last, LAST, np.where(is_first, FIRST, 0))
    return np.where(is_first & is_last, WHOLE, edges)

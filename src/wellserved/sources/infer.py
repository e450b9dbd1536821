"""A first mapping for a file that no preset knows: guessed from names and contents, written out to be corrected.

What the guess leaves open is asked, in the mapping's comments and on the screen; and the rows are read by it once,
so that what an import would say is said before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from wellserved.engine.duckdb import name, text
from wellserved.errors import WellservedError
from wellserved.mapping import MISSING, parse_mapping
from wellserved.mapping.fit import zone_in
from wellserved.measure.words import counted, plural
from wellserved.record import record
from wellserved.sources import vocabulary
from wellserved.sources.columns import Column, look
from wellserved.sources.csv_file import RawTable
from wellserved.sources.draft import draft
from wellserved.sources.guess import Guess, guess

_DAY = re.compile(r"(?<!\d)\d{4}(?!\d)|\d{1,2}[./-]\d{1,2}[./-]\d{2}")  # a year, or day, month and year


@dataclass(frozen=True)
class Inspection:
    """What was seen in a file, and the mapping that it suggests."""

    rows: int
    columns: tuple[Column, ...]
    toml: str
    questions: tuple[str, ...]  # what only a reader of the file can answer
    unused: dict[str, tuple[str, ...]] = field(default_factory=dict)  # what they look like -> columns without a use
    notes: tuple[str, ...] = ()  # what an import by this mapping would say of the rows


def inspect(db: duckdb.DuckDBPyConnection, raw: RawTable, source: str, zone: str | None, now: datetime) -> Inspection:
    """Look at every column of the staged file and write a first mapping.

    `zone`: the workspace's, for stamps that name none; None: there is no workspace, and UTC is assumed and asked about.
    """
    columns = tuple(look(db, column) for column in raw.columns)
    (rows,) = db.sql("SELECT count(*) FROM raw").fetchall()[0]
    guessed = guess(columns, rows)
    unused = _unused(columns, guessed)
    named = {zone_in(column.name)[1] for column in guessed.stamps.values()} - {""}
    questions = (*_zone_question(guessed, named, zone), *_questions(db, columns, guessed))
    toml = draft(source, columns, rows, guessed, named.pop() if len(named) == 1 else zone or "UTC", questions, unused)
    return Inspection(rows, columns, toml, questions, unused, _notes(db, raw, toml, now))


def _notes(db: duckdb.DuckDBPyConnection, raw: RawTable, toml: str, now: datetime) -> tuple[str, ...]:
    """What an import by this mapping would say of the rows."""
    try:
        recorded = record(db, parse_mapping(toml, "the first mapping"), raw.columns, now, "")
    except WellservedError as error:
        return (f"An import by this mapping stops: {error.what} {error.do}",)
    said = [f"{counted(count, what)}." for what, count in recorded.notes.items()]
    refused, lost = len(recorded.refusals) + len(raw.broken), recorded.losses
    said += [f"{plural(refused, 'row')} would be refused."] if refused else []
    said += (
        [
            f"{plural(len(lost), 'moment')} would be left out, the first in row {lost[0].row}: {lost[0].column} {lost[0].value!r} {lost[0].reason}."
        ]
        if lost
        else []
    )
    return tuple(said)


def _unused(columns: Sequence[Column], guessed: Guess) -> dict[str, tuple[str, ...]]:
    """Columns that look like something a mapping takes, and are not used."""
    used = guessed.used() | {column.name for column in guessed.unclear}
    free = [column for column in columns if column.filled and column.name not in used]
    team = next(role for role in vocabulary.FACTS if role.name == "team")
    rated = [c for c in free if not c.stamp and c.says(vocabulary.RATED) and not c.says(vocabulary.NOT_RATED)]
    sorts = {
        "dates": [column for column in free if column.stamp],
        "ratings": [column for column in rated if column.numeric or column.distinct <= 20],
        "teams": [c for c in free if not c.stamp and any(map(c.says, team.patterns)) and not c.says(team.never)],
    }
    return {what: tuple(column.name for column in found) for what, found in sorts.items() if found}


def _zone_question(guessed: Guess, named: set[str], zone: str | None) -> list[str]:
    stamps = [column for column in guessed.stamps.values() if column.dates and not column.dates.epoch]
    if len(named) > 1:
        zones = ", ".join(sorted(named))
        return [
            f"The columns name several time zones ({zones}), and a mapping has one: export all of them in one zone."
        ]
    bare = [column for column in stamps if column.dates and column.dates.local_sql() is not None]
    if named or zone or not bare:
        return []
    return [f"{bare[0].name!r} names no time zone, and UTC was assumed: which zone does the export write? Set `zone`."]


def _questions(db: duckdb.DuckDBPyConnection, columns: Sequence[Column], guessed: Guess) -> list[str]:
    asked = [f"{column.undecided} Say which it is under [dates]." for column in columns if column.undecided]
    asked += _number_questions(columns, guessed)
    asked += _status_questions(db, guessed)
    for column in guessed.unclear:
        shown = ", ".join(column.examples)
        asked.append(
            f"{column.name!r} looks like a rating ({shown}): on which scale? Write a [[moment]] rated with `scale`, and `values` for words."
        )
    if guessed.rating and guessed.rating.values:
        words = ", ".join(f"{word} = {score}" for word, score in guessed.rating.values.items())
        asked.append(f"{guessed.rating.column.name!r} was read as good or bad: {words}. Is that what the words mean?")
    if guessed.kept:
        words = f"{', '.join(guessed.kept.yes)} = kept, {', '.join(guessed.kept.no)} = not"
        asked.append(
            f"{guessed.kept.column.name!r} was read as the source's own word on its promise: {words}. Is that so?"
        )
    if guessed.rating and guessed.rating.column.commas:
        asked.append(f"{guessed.rating.column.name!r} has decimal commas: 4,5 is read as four and a half.")
    return asked


def _number_questions(columns: Sequence[Column], guessed: Guess) -> list[str]:
    """What is written as a number or a date and cannot be taken as it stands."""
    asked = []
    for column in columns:
        if column.day_numbers and column in guessed.stamps.values():
            asked.append(
                f"{column.name!r} holds numbers such as {column.examples[0]}: a spreadsheet's day numbers? They are read so; if they are none, take the column out."
            )
        elif _sounds_like_a_date(column) and column.name not in guessed.used():
            asked.append(
                f"{column.name!r} sounds like a date, but {column.examples[0]!r} is not written in a way that is read: write it as 2026-01-31 14:05."
            )
        if column.shortened:
            asked.append(
                f"{column.name!r} has {column.shortened} numbers that a spreadsheet shortened, such as 1.02E+11: different ones became the same. Export again and keep them as text."
            )
        if column.dates and any("%y" in form.pattern for form in column.dates.formats):
            asked.append(f"{column.name!r} has years of two digits: 26 is read as 2026.")
    return asked


def _sounds_like_a_date(column: Column) -> bool:
    named = any(
        column.says(r"\b(at|on|am|date|datum|time|dt)\b") and any(map(column.says, role.patterns))
        for role in vocabulary.MOMENTS
    )
    days = [value for value, _ in column.values if _DAY.search(value)]
    return named and not column.stamp and not column.day_numbers and len(days) > 0.5 * len(column.values)


def _status_questions(db: duckdb.DuckDBPyConnection, guessed: Guess) -> list[str]:
    status, closing = guessed.status, guessed.stamps.get("resolved")
    if status is None:
        return []
    words = " or ".join(status.closed)
    if closing is None:
        return [
            f"{status.column.name!r} says {words} in {plural(status.rows, 'row')}, but no column says when: they count as resolved at an "
            'unknown time (at_is = "not_before"), and no time to resolution can be computed. Is there a column with the time?'
        ]
    listed, marks = (", ".join(map(text, values)) for values in (status.closed, ("", *MISSING)))
    (without,) = db.sql(
        f"SELECT count(*) FROM raw WHERE trim({name(status.column.name)}) IN ({listed}) AND trim({name(closing.name)}) IN ({marks})"
    ).fetchall()[0]
    said = f"{status.column.name!r} says {words} in {plural(without, 'row')} with no {closing.name!r}: {'it counts' if without == 1 else 'they count'} as open. Is that so?"
    return [said] if without else []

"""Columns that tell a time without being one: a time of day beside its day, and how long something took."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wellserved.mapping import DelayUnit
from wellserved.record.numbers import LENGTH_IN_WORDS, UNIT_NAMES
from wellserved.sources.columns import SourceColumn

LENGTH_UNITS: Final[dict[DelayUnit, int]] = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
"""Unit of a column of numbers -> its seconds."""
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3])[:.h][0-5]\d(:[0-5]\d)?( ?[ap]\.?m\.?)?( uhr)?", re.I)
_CLOCK_LENGTH = re.compile(r"\d{1,6}:[0-5]\d(:[0-5]\d)?")
_GENERIC_WORDS = frozenset(
    [
        "date",
        "day",
        "datum",
        "tag",
        "jour",
        "fecha",
        "dia",
        "data",
        "giorno",
        "dag",
        "dzien",
        "time",
        "clock",
        "uhrzeit",
        "zeit",
        "heure",
        "hora",
        "ora",
        "tijd",
        "uur",
        "godzina",
        "on",
        "at",
        "am",
        "um",
        "of",
    ]
)


@dataclass(frozen=True)
class LengthColumn:
    """A column that says how long after the opening something happened."""

    column: SourceColumn
    unit: DelayUnit


def is_clock(column: SourceColumn) -> bool:
    """Whether all that stands in it is a time of day."""
    return bool(column.values) and all(_TIME_OF_DAY.fullmatch(value) for value, _ in column.values)


def pair_clocks(columns: Sequence[SourceColumn], stamps: Iterable[SourceColumn]) -> dict[str, SourceColumn]:
    """Column of days -> the column with their times of day: the one named alike, else the next one behind it.

    `columns`: those of the file, in its order; `stamps`: those of them that are used as dates.
    """
    used_columns = list(stamps)
    days = [column for column in columns if column in used_columns and column.is_day_only]
    clocks = [column for column in columns if is_clock(column)]
    pairs: dict[str, SourceColumn] = {}
    for day in days:
        alike = [clock for clock in clocks if _own_words(clock) and _own_words(clock) == _own_words(day)]
        if len(alike) == 1:
            pairs[day.name] = alike[0]
    for day, clock in pairwise(columns):
        if day in days and day.name not in pairs and clock in clocks and clock not in pairs.values():
            pairs[day.name] = clock
    return {day.name: pairs[day.name] for day in days if day.name in pairs}


def _own_words(column: SourceColumn) -> frozenset[str]:
    """The words of a name that say what it is the date or time of."""
    return frozenset(column.plain_name.split()) - _GENERIC_WORDS


def length_unit(column: SourceColumn) -> DelayUnit | None:
    """The unit in which a column of lengths of time is written; None: neither its name nor its content says it."""
    if column.values and all(_CLOCK_LENGTH.fullmatch(value) for value, _ in column.values):
        return "clock"
    if (
        not column.is_numeric
        and column.values
        and all(
            re.fullmatch(LENGTH_IN_WORDS, re.sub(r"([a-z])([0-9])", r"\1 \2", value.lower().replace(",", ".")))
            for value, _ in column.values
        )
    ):
        return "words"
    return unit_of_name(column)


def unit_of_name(column: SourceColumn) -> DelayUnit | None:
    """The unit that a column's name ends with: `Resolution time (h)`, `dauer_min`."""
    if not column.is_numeric:
        return None
    ways = r"\b({0})$|^({0}) (to|open|until|bis|zu|hasta|para|jusqu)\b"
    units = ((unit, ways.format(UNIT_NAMES[seconds])) for unit, seconds in LENGTH_UNITS.items())
    return next((unit for unit, pattern in units if column.name_matches(pattern)), None)


def read_length(column: SourceColumn, unit_choice: str = "") -> LengthColumn | None:
    """A column as lengths of time; `unit_choice`: the unit, as somebody said. None: it is not known."""
    unit = next((known for known in LENGTH_UNITS if known == unit_choice), None) or length_unit(column)
    return LengthColumn(column, unit) if unit else None

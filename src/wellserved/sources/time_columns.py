"""Columns that tell a time without being one: a time of day beside its day, and how long something took."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wellserved.mapping import DelayUnit
from wellserved.record.numbers import LENGTH_IN_WORDS, UNIT_NAMES
from wellserved.sources.columns import MAX_PLACEHOLDERS, SourceColumn

LENGTH_UNITS: Final[dict[DelayUnit, int]] = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
"""Unit of a column of numbers -> its seconds."""
_CLOCK_TAIL = r"[0-5]\d(:[0-5]\d)?( ?[ap]\.?m\.?)?( uhr)?"
_TIME_OF_DAY = re.compile(rf"([01]?\d|2[0-3])[:h]{_CLOCK_TAIL}", re.I)
_DOTTED_TIME = re.compile(rf"([01]?\d|2[0-3])[:.h]{_CLOCK_TAIL}", re.I)
_COMPACT_TIME = re.compile(r"([01]?\d|2[0-3])[0-5]\d([0-5]\d)?")
_NUMBER = re.compile(r"[+-]?[\d.,'’\u00a0\u2009\u202f ]*\d")
_CLOCK_NAME = r"\b(time|zeit|uhrzeit|uhr|heure|hora|ora|tijd|godzina|clock)\b|^\w{1,3}zeit$|^\w*zmt$|^\w*zt$"
_SYSTEM_CLOCK_NAME = r"^(\w{1,3}zeit|\w*zmt|\w*time)$"  # MZEIT, behind ERDAT
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
    """Whether all that stands in it is a time of day: 9:05, 9h05; 9.05 and 90500 where its name says so."""
    pattern = _TIME_OF_DAY
    if column.name_matches(_CLOCK_NAME):
        pattern = _COMPACT_TIME if column.is_numeric and column.whole_count == column.filled_count else _DOTTED_TIME
    return bool(column.values) and all(pattern.fullmatch(value) for value, _ in column.values)


def pair_clocks(columns: Sequence[SourceColumn], stamps: Iterable[SourceColumn]) -> dict[str, SourceColumn]:
    """Column of days -> the column with their times of day: the one named alike, or one behind it that is called a time and
    nothing more.

    `columns`: those of the file, in its order; `stamps`: those of them that are used as dates.
    """
    used_columns = list(stamps)
    days = [column for column in columns if column in used_columns and column.is_day_only]
    clocks = [column for column in columns if is_clock(column)]
    pairs: dict[str, SourceColumn] = {}
    for day in days:
        namesakes = [clock for clock in clocks if _own_words(clock) == _own_words(day)]
        if len(namesakes) == 1 and namesakes[0] not in pairs.values():
            pairs[day.name] = namesakes[0]
    for day, clock in pairwise(columns):
        is_free = day in days and day.name not in pairs and clock in clocks and clock not in pairs.values()
        if is_free and (not _own_words(clock) or clock.name_matches(_SYSTEM_CLOCK_NAME)):
            pairs[day.name] = clock
    return {day.name: pairs[day.name] for day in days if day.name in pairs}


def _own_words(column: SourceColumn) -> frozenset[str]:
    """The words of a name that say what it is the date or time of."""
    return frozenset(column.plain_name.split()) - _GENERIC_WORDS


def length_unit(column: SourceColumn) -> DelayUnit | None:
    """The unit in which a column of lengths of time is written; None: neither its name nor its content says it."""
    lengths = _told_values(column)
    if lengths and all(map(_CLOCK_LENGTH.fullmatch, lengths)):
        return "clock"
    spaced_lengths = [re.sub(r"([a-z])([0-9])", r"\1 \2", value.lower().replace(",", ".")) for value in lengths]
    # 1.250 min is one of them, though nobody knows how many minutes that are: an import leaves it out, and says so.
    if lengths and all(re.fullmatch(LENGTH_IN_WORDS, re.sub(r"\.\d{3}\b", "", value)) for value in spaced_lengths):
        return "words"
    return unit_of_name(column)


def unit_of_name(column: SourceColumn) -> DelayUnit | None:
    """The unit that a column's name ends with: `Resolution time (h)`, `dauer_min`."""
    if not is_amount(column):
        return None
    patterns = r"\b({0})$|^({0}) (to|open|until|bis|zu|hasta|para|jusqu)\b"
    units = ((unit, patterns.format(UNIT_NAMES[seconds])) for unit, seconds in LENGTH_UNITS.items())
    return next((unit for unit, pattern in units if column.name_matches(pattern)), None)


def is_amount(column: SourceColumn) -> bool:
    """Whether it holds numbers, and a word at most where there is none."""
    return column.is_numeric or (bool(_told_values(column)) and all(map(_NUMBER.fullmatch, _told_values(column))))


def _told_values(column: SourceColumn) -> list[str]:
    """What stands in it but for a few words without a digit, such as "still open"; nothing where there are many of them."""
    told_values = [value for value, _ in column.values if re.search(r"\d", value)]
    return told_values if len(column.values) - len(told_values) <= MAX_PLACEHOLDERS else []


def read_length(column: SourceColumn, unit_choice: str = "") -> LengthColumn | None:
    """A column as lengths of time; `unit_choice`: the unit, as somebody said. None: it is not known."""
    unit = next((unit_name for unit_name in LENGTH_UNITS if unit_name == unit_choice), None) or length_unit(column)
    return LengthColumn(column, unit) if unit else None

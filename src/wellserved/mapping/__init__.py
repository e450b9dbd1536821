"""A mapping says which column of a file is which moment: a small TOML file, shipped, inferred or hand-written.

name = "boston311"                 # the source: part of every moment's identity
title = "City of Boston service requests"
zone = "America/New_York"          # of stamps that name none
case = "CASE_ENQUIRY_ID"           # column with the case's number
case_missing = "refuse"            # or "row": rows without a number are told apart by their content
recognise = ["OPEN_DT", "TARGET_DT"]  # a file with these columns is read by this preset

[dates]                            # only where a column cannot decide by itself
OPEN_DT = "month-first"

[clocks]                           # where days and times of day stand in two columns
OPEN_DT = "OPEN_TIME"

[no_date]                          # words that stand in a column of dates where there is none
CLOSED_DT = ["still open"]

[columns]                          # facts that every moment of the row carries
team = "Department"

[[moment]]                         # one block a kind of moment
kind = "promised"
at = "OPEN_DT"
due = "TARGET_DT"                  # rows without a due time make no promise
due_is = "end_of_day"              # what a due time at midnight means; by itself: decided over the column
source_kept = { column = "OnTime_Status", yes = ["ONTIME"], no = ["OVERDUE"] }
when = { column = "state", enters = ["Resolved"] }
and_when = { column = "type", is_not = ["Spam"] }   # a second condition, on the row's own value

[[moment]]
kind = "rated"
at = "CLOSED_DT"
score = "Verdict"
scale = "good_bad"
values = { Good = 1, Bad = 0 }     # words that stand for scores

[aliases]                          # of a preset: other names of a column
TARGET_DT = ["sla_target_dt"]

[cannot]                           # what this export cannot tell, and why
reopened = "the export holds each case's last state only"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from wellserved.errors import MappingError
from wellserved.scales import BUILT_IN, Scale, Scales

FACTS = (
    "customer_id",
    "account_id",
    "internal",
    "person_id",
    "team",
    "channel",
    "service",
    "category",
    "place",
    "priority",
)
"""Columns of the log that a row gives to all its moments."""

MISSING = (
    *("?", "-", "--", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan", "NaT", "nil", "None", "none", "(none)"),
    *("Not set", "\\N", "0000-00-00", "0000-00-00 00:00:00"),
)
"""Marks that stand for "no value" where a mapping names none."""

DateOrder = Literal["year-first", "month-first", "day-first", "excel-days"]
AtIs = Literal["time", "not_before", "last"]
DueIs = Literal["end_of_day", "start_of_day", "instant"]
DelayUnit = Literal["seconds", "minutes", "hours", "days", "clock", "words"]  # h:mm or h:mm:ss; 2 d 3 h 15 min
Test = Literal["is", "is_not", "enters", "leaves", "changes", "appears", "rises"]
TESTS: tuple[Test, ...] = ("is", "is_not", "enters", "leaves", "changes", "appears", "rises")


@dataclass(frozen=True)
class RowCondition:
    """A condition on a row: on one column's value, on its change since the case's previous row, or on position."""

    column: str | None = None
    test: Test | None = None
    values: tuple[str, ...] = ()
    row: Literal["first", "last"] | None = None  # of the case, in file order


@dataclass(frozen=True)
class Flag:
    """A column that says yes or no in the source's own words."""

    column: str
    yes: tuple[str, ...]
    no: tuple[str, ...]


@dataclass(frozen=True)
class MomentRule:
    """Which rows make a moment of one kind, and from which columns."""

    kind: str
    at: str  # column
    at_is: AtIs = (
        "time"  # not_before: the earliest possible; last: of the last such moment, earlier ones may be unknown
    )
    required: bool = False  # a row without this date is refused
    due: str | None = None
    due_is: DueIs | None = None  # what a due time at 00:00:00 means; None: decided over the column
    text: str | None = None
    score: str | None = None
    scale: str | None = None
    rating: Scale | None = field(default=None, repr=False)  # the scale itself
    values: dict[str, float] = field(default_factory=dict)  # words of the source -> score
    amount: str | None = None
    currency: str | None = None
    cause: str | None = None
    from_team: str | None = (
        None  # column: on a hand-over, who gives away; on a rating, the team inside the house that rates
    )
    edited: str | None = None  # column: on a correction, which field was put right
    before: str | None = None  # column: what stood there
    after: str | None = None  # column: what stands there now
    delay: str | None = None  # column: how long after `at` it happened
    delay_unit: DelayUnit | None = None
    ref: str | None = None  # column that tells the updates of one case apart
    fallback: bool = False  # of a preset: holds only where the file lacks the columns of its kind's other rules
    source_kept: Flag | None = None
    condition: RowCondition = field(default_factory=RowCondition)
    second_condition: RowCondition | None = None  # on the row's own values, beside the first


@dataclass(frozen=True)
class Mapping:
    """A file's columns, read as moments."""

    name: str
    title: str
    case: str
    zone: str = "UTC"  # or "workspace": the zone of the workspace that it is imported into
    case_missing: Literal["refuse", "row"] = "refuse"
    about: str = ""
    credit: str = ""
    caution: str = ""  # what a reader of its numbers must know
    recognise: tuple[str, ...] = ()
    missing: tuple[str, ...] = MISSING
    dates: dict[str, DateOrder] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)  # column of the log -> column of the file
    moments: tuple[MomentRule, ...] = ()
    cannot: dict[str, str] = field(default_factory=dict)  # kind of moment that the export cannot tell -> why
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of a preset: column -> its other names
    absent: dict[str, str] = field(default_factory=dict)  # column that this file lacks -> what is not known without it
    part: str = ""  # which sheet of a workbook, or which list of a JSON file, is read
    clocks: dict[str, str] = field(default_factory=dict)  # column of days -> column with their times of day
    no_date: dict[str, tuple[str, ...]] = field(default_factory=dict)  # column of dates -> words that stand for none
    newest_first: bool = False  # a case's rows stand in the file from its last to its first

    def date_columns(self) -> list[str]:
        """Columns read as points in time, in order of first use."""
        columns = [column for rule in self.moments for column in (rule.at, rule.due) if column]
        return list(dict.fromkeys(columns))

    def used_columns(self) -> list[str]:
        """All columns of the file that the mapping uses."""
        columns = [self.case, *self.columns.values()]
        for rule in self.moments:
            flag_column = rule.source_kept.column if rule.source_kept else None
            columns += [rule.at, rule.due, rule.text, rule.score, rule.amount, rule.currency, rule.cause]  # type: ignore[list-item]
            columns += [rule.ref, rule.condition.column, flag_column, rule.from_team]  # type: ignore[list-item]
            columns += [rule.second_condition.column] if rule.second_condition else []  # type: ignore[list-item]
            columns += [rule.edited, rule.before, rule.after, rule.delay]  # type: ignore[list-item]
        columns += self.clocks.values()
        return list(dict.fromkeys(column for column in columns if column))

    def unknown_kinds(self) -> dict[str, str]:
        """Kinds of moment, or first_resolved, that a file read by this mapping cannot tell -> why: declared, or seen in it."""
        reasons = dict(self.cannot)
        closing_rules = [rule for rule in self.moments if rule.kind in ("resolved", "abandoned")]
        if not closing_rules and any(
            rule.kind == "asked" for rule in self.moments
        ):  # a file that opens no case leaves none open
            reasons.setdefault("resolved", "no column says when a case was resolved")
        if any(rule.at_is == "last" for rule in closing_rules if rule.kind == "resolved"):
            reasons.setdefault("first_resolved", "the source tells when a case was last resolved, not when first")
        return reasons


def mapping_of(raw: dict[str, Any], origin: str, scales: Scales = BUILT_IN) -> Mapping:
    """A mapping from the tables of its file; `origin` is the file's name, for messages; `scales`: those it may name.

    Raises MappingError, which names every setting that is wrong, with what came and what it takes.
    """
    from wellserved.mapping.shape import validate_mapping

    return validate_mapping(raw, origin, scales)


def parse_mapping(text: str, origin: str, scales: Scales = BUILT_IN) -> Mapping:
    """Read a mapping; every mistake is named with what to write instead."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is no TOMLDecodeError
        raise MappingError(f"{origin} is not valid TOML: {error}.", "Mend that line and try again.") from error
    return mapping_of(raw, origin, scales)


def load_mapping(path: Path, scales: Scales = BUILT_IN) -> Mapping:
    """Read a mapping file, which may name these scales."""
    try:
        return parse_mapping(path.read_text(encoding="utf-8"), str(path), scales)
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{path} cannot be read: {error}.", "Name a TOML file in UTF-8.") from error


@cache
def presets() -> tuple[Mapping, ...]:
    """The mappings that wellserved ships, one TOML file a way of exporting; several may be of one source."""
    folder = resources.files("wellserved") / "presets"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(parse_mapping(file.read_text(encoding="utf-8"), file.name) for file in files)


def recognise_preset(header: Iterable[str]) -> Mapping | None:
    """The shipped mapping that reads a file with these columns, in any order, fitted to them; None if there is none.

    Where several do, the one with the most tell-tale columns.
    """
    from wellserved.mapping.fit import fit_preset

    columns = list(header)
    fitted_presets = [mapping for preset in presets() if preset.recognise and (mapping := fit_preset(preset, columns))]
    return max(fitted_presets, key=lambda mapping: len(mapping.recognise), default=None)

"""A mapping says which column of a file is which moment: a small TOML file, shipped, inferred or hand-written.

name = "boston311"                 # the source: part of every moment's identity
title = "City of Boston service requests"
zone = "America/New_York"          # of stamps that name none
case = "CASE_ENQUIRY_ID"           # column with the case's number
case_missing = "refuse"            # or "row": rows without a number are told apart by their content
recognise = ["OPEN_DT", "TARGET_DT"]  # a file with these columns is read by this preset

[dates]                            # only where a column cannot decide by itself
OPEN_DT = "month-first"

[columns]                          # facts that every moment of the row carries
team = "Department"

[[moment]]                         # one block a kind of moment
kind = "promised"
at = "OPEN_DT"
due = "TARGET_DT"                  # rows without a due time make no promise
source_kept = { column = "OnTime_Status", yes = ["ONTIME"], no = ["OVERDUE"] }
when = { column = "state", enters = ["Resolved"] }
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

from wellserved.errors import MappingError, UnknownNameError
from wellserved.moments import KINDS, SCALES, check_zone

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

DateOrder = Literal["year-first", "month-first", "day-first"]
Test = Literal["is", "is_not", "enters", "leaves", "changes", "appears", "rises"]
TESTS: tuple[Test, ...] = ("is", "is_not", "enters", "leaves", "changes", "appears", "rises")


@dataclass(frozen=True)
class When:
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
    at_is: Literal["time", "not_before"] = "time"
    required: bool = False  # a row without this date is refused
    due: str | None = None
    text: str | None = None
    score: str | None = None
    scale: str | None = None
    amount: str | None = None
    currency: str | None = None
    cause: str | None = None
    from_team: str | None = (
        None  # column: on a hand-over, who gives away; on a rating, the team inside the house that rates
    )
    ref: str | None = None  # column that tells the updates of one case apart
    source_kept: Flag | None = None
    when: When = field(default_factory=When)


@dataclass(frozen=True)
class Mapping:
    """A file's columns, read as moments."""

    name: str
    title: str
    case: str
    zone: str = "UTC"
    case_missing: Literal["refuse", "row"] = "refuse"
    about: str = ""
    credit: str = ""
    caution: str = ""  # what a reader of its numbers must know
    recognise: tuple[str, ...] = ()
    missing: tuple[str, ...] = ("?", "-", "--", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan")
    dates: dict[str, DateOrder] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)  # column of the log -> column of the file
    moments: tuple[MomentRule, ...] = ()

    def date_columns(self) -> list[str]:
        """Columns read as points in time, in order of first use."""
        named = [column for rule in self.moments for column in (rule.at, rule.due) if column]
        return list(dict.fromkeys(named))

    def needed(self) -> list[str]:
        """All columns of the file that the mapping uses."""
        used = [self.case, *self.columns.values()]
        for rule in self.moments:
            flag = rule.source_kept.column if rule.source_kept else None
            used += [rule.at, rule.due, rule.text, rule.score, rule.amount, rule.currency, rule.cause]  # type: ignore[list-item]
            used += [rule.ref, rule.when.column, flag, rule.from_team]  # type: ignore[list-item]
        return list(dict.fromkeys(column for column in used if column))


def _listed(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise MappingError(f"{where} must be a text or a list of texts.", "Write it as ['one', 'two'].")


def _when(raw: dict[str, Any], where: str) -> When:
    row = raw.get("row")
    if row not in (None, "first", "last"):
        raise MappingError(f"{where}: row = {row!r} is unknown.", "Use row = 'first' or row = 'last'.")
    tests = [test for test in TESTS if test in raw]
    unknown = set(raw) - {"row", "column", *TESTS}
    if unknown or len(tests) > 1 or bool(tests) != ("column" in raw):
        raise MappingError(
            f"{where}: when = {raw} cannot be read.",
            f"Give row, or a column with one of {', '.join(TESTS)}.",
        )
    test = tests[0] if tests else None
    values = _listed(raw[test], where) if test and raw[test] is not True else ()
    return When(raw.get("column"), test, values, row)


def _rule(raw: dict[str, Any]) -> MomentRule:
    kind = str(raw.get("kind", ""))
    if kind not in KINDS:
        raise UnknownNameError("kind of moment", kind, KINDS)
    where = f"[[moment]] {kind}"
    known = set(MomentRule.__dataclass_fields__)
    if unknown := set(raw) - known:
        raise UnknownNameError(f"setting in {where}", sorted(unknown)[0], known)
    if "at" not in raw:
        raise MappingError(f"{where} has no `at`.", "Name the column that says when it happened.")
    scale = raw.get("scale")
    if ("score" in raw) != (scale is not None):
        raise MappingError(f"{where} needs both score and scale.", f"Scales: {', '.join(SCALES)}.")
    if scale is not None and scale not in SCALES:
        raise UnknownNameError("scale", str(scale), SCALES)
    flag = raw.get("source_kept")
    given = {key: raw[key] for key in raw if key not in {"when", "source_kept"}}
    return MomentRule(
        **given,
        when=_when(dict(raw.get("when", {})), where),
        source_kept=Flag(flag["column"], _listed(flag["yes"], where), _listed(flag["no"], where)) if flag else None,
    )


def parse_mapping(text: str, origin: str) -> Mapping:
    """Read a mapping; every mistake is named with what to write instead."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{origin} is not valid TOML: {error}.", "Mend that line and try again.") from error
    for key in ("name", "case", "moment"):
        if key not in raw:
            raise MappingError(f"{origin} has no `{key}`.", "See docs/sources.md for a whole example.")
    known = {*Mapping.__dataclass_fields__, "moment"} - {"moments"}
    if unknown := set(raw) - known:
        raise UnknownNameError(f"setting in {origin}", sorted(unknown)[0], known)
    columns = {str(key): str(value) for key, value in raw.get("columns", {}).items()}
    if odd := set(columns) - set(FACTS):
        raise UnknownNameError("fact that a row can carry", sorted(odd)[0], FACTS)
    dates = raw.get("dates", {})
    for column, order in dates.items():
        if order not in ("year-first", "month-first", "day-first"):
            raise MappingError(f"{column} = {order!r} is no date order.", "Use day-first, month-first or year-first.")
    rules = tuple(_rule(dict(rule)) for rule in raw["moment"])
    given: dict[str, Any] = {
        key: raw[key] for key in ("name", "case", "case_missing", "about", "credit", "caution") if key in raw
    }
    lists: dict[str, Any] = {key: _listed(raw[key], key) for key in ("recognise", "missing") if key in raw}
    return Mapping(
        **given,
        **lists,
        title=str(raw.get("title", raw["name"])),
        zone=check_zone(str(raw.get("zone", "UTC"))),
        dates=cast(dict[str, DateOrder], dates),
        columns=columns,
        moments=rules,
    )


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file."""
    try:
        return parse_mapping(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{path} cannot be read: {error}.", "Name a TOML file in UTF-8.") from error


def presets() -> list[Mapping]:
    """The mappings that wellserved ships, one TOML file a source."""
    folder = resources.files("wellserved") / "presets"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return [parse_mapping(file.read_text(encoding="utf-8"), file.name) for file in files]


def recognise(header: Iterable[str]) -> Mapping | None:
    """The shipped mapping whose tell-tale columns are all in the header; None if there is none."""
    have = set(header)
    for mapping in presets():
        if mapping.recognise and set(mapping.recognise) <= have:
            return mapping
    return None

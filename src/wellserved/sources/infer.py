"""A first mapping for a file that no preset knows: guessed from names and contents, written out to be corrected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from wellserved.engine.duckdb import name
from wellserved.errors import MappingError
from wellserved.record.dates import DateReading, decide
from wellserved.sources.csv_file import RawTable

_MOMENTS = (  # (kind, field, words that a column's name holds), tried in this order
    ("promised", "due", r"target|due|deadline|promis|sla.?(by|due|end)|expected.?(by|date)"),
    ("replied", "at", r"first.?(repl|respon)|respon.*(at|date|time)"),
    ("reopened", "at", r"re.?open"),
    ("resolved", "at", r"resolv|solved|closed?(?!.*(code|reason|by|note))|complet|finish"),
    ("asked", "at", r"open|creat|receiv|report|submit|request|logged|start|date"),
)
_FACTS = (
    ("team", r"team|group|department|queue|company|agency"),
    ("service", r"sub.?category|request.?type|ticket.?type|service|issue|^type$"),
    ("category", r"categor|product|reason|topic|class"),
    ("channel", r"channel|source|via|contact.?type|medium"),
    ("priority", r"priority|severity|urgency"),
    ("customer_id", r"customer|requester|caller|client|user"),
    ("place", r"city|district|neighbou?rhood|state|region|location|site"),
    ("person_id", r"agent|assignee|assigned.?to|owner|handled"),
)
_IDS = re.compile(
    r"(^|[\s_.-])(id|no|nr|number|key|ref|reference)$|ticket|case|incident|enquiry|complaint.?id|request.?id", re.I
)


@dataclass(frozen=True)
class Column:
    """What was seen in one column."""

    name: str
    filled: int
    distinct: int
    examples: tuple[str, ...]
    dates: DateReading | None
    ambiguous: bool  # dates that make sense day-first and month-first


@dataclass(frozen=True)
class Inspection:
    """What was seen in a file, and the mapping that it suggests."""

    rows: int
    columns: tuple[Column, ...]
    toml: str


def inspect(db: duckdb.DuckDBPyConnection, raw: RawTable, source: str) -> Inspection:
    """Look at every column of the staged file and write a first mapping."""
    columns = tuple(_look(db, column) for column in raw.columns)
    (rows,) = db.sql("SELECT count(*) FROM raw").fetchall()[0]
    return Inspection(rows, columns, _toml(columns, rows, source))


def _look(db: duckdb.DuckDBPyConnection, column: str) -> Column:
    cell = name(column)
    present = f"trim({cell}) NOT IN ('', '?', '-', 'N/A', 'NULL')"
    filled, distinct = db.sql(f"SELECT count(*), count(DISTINCT {cell}) FROM raw WHERE {present}").fetchall()[0]
    examples = db.sql(f"SELECT {cell} FROM raw WHERE {present} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 3").fetchall()
    dates, ambiguous = None, False
    try:
        found = decide(db, "raw", column, present, None)
        unread = db.sql(f"SELECT count(*) FROM raw WHERE {present} AND {found.sql('UTC')} IS NULL").fetchall()[0][0]
        if (found.formats or found.epoch) and unread <= 0.1 * filled:
            dates = found
    except MappingError:
        ambiguous = True
    return Column(column, filled, distinct, tuple(str(row[0])[:40] for row in examples), dates, ambiguous)


def _quoted(value: str) -> str:
    escaped = "".join(
        f"\\u{ord(sign):04X}" if ord(sign) < 32 or ord(sign) == 127 else sign
        for sign in value.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'


def _case_column(columns: Sequence[Column], rows: int) -> Column:
    """The column with the case's number: named like one, filled, and of the most different values."""
    named = [column for column in columns if _IDS.search(column.name) and column.filled >= 0.9 * rows]
    plain = [column for column in columns if column.dates is None and column.filled >= 0.9 * rows]
    return max(named or plain or list(columns), key=lambda column: column.distinct)


def _toml(columns: Sequence[Column], rows: int, source: str) -> str:
    case = _case_column(columns, rows)
    free = [column for column in columns if column is not case]
    lines = [
        "# A first guess, to be corrected. What each setting means: docs/sources.md",
        f"name = {_quoted(source)}",
        f"title = {_quoted(source)}",
        'zone = "UTC"  # of stamps that name no zone: write yours, such as "Europe/Berlin"',
        f"case = {_quoted(case.name)}",
        f"case_missing = {_quoted('refuse' if case.filled == rows else 'row')}",
        f"recognise = [{', '.join(_quoted(column.name) for column in columns[:4])}]",
    ]
    unsure = [column for column in free if column.ambiguous]
    if unsure:
        lines += ["", "[dates]  # these columns make sense both ways: say day-first or month-first"]
        lines += [f'# {_quoted(column.name)} = "day-first"' for column in unsure]
    taken, facts = set(), []
    for fact, pattern in _FACTS:
        found = next(
            (
                one
                for one in free
                if one.dates is None
                and not one.ambiguous
                and one.name not in taken
                and re.search(pattern, one.name, re.I)
            ),
            None,
        )
        if found:
            taken.add(found.name)
            facts.append(f"{fact} = {_quoted(found.name)}")
    lines += ["", "[columns]", *facts] if facts else []
    return "\n".join([*lines, *_moments(free), ""])


def _moments(free: Sequence[Column]) -> list[str]:
    stamps = [column for column in free if column.dates is not None or column.ambiguous]
    found: dict[str, tuple[str, Column]] = {}
    for kind, place, pattern in _MOMENTS:
        for column in stamps:
            if (
                kind not in found
                and column not in [one for _, one in found.values()]
                and re.search(pattern, column.name, re.I)
            ):
                found[kind] = (place, column)
    if "asked" not in found and stamps:
        left = [column for column in stamps if column not in [one for _, one in found.values()]]
        found["asked"] = ("at", (left or stamps)[0])
    words = max(free, key=lambda column: max((len(example) for example in column.examples), default=0), default=None)
    lines = []
    for kind in ("asked", "promised", "replied", "resolved", "reopened"):
        if kind not in found:
            continue
        place, column = found[kind]
        start = found["asked"][1] if place == "due" else column
        lines += ["", "[[moment]]", f'kind = "{kind}"', f"at = {_quoted(start.name)}"]
        lines += [f"due = {_quoted(column.name)}"] if place == "due" else []
        lines += ["required = true"] if kind == "asked" else []
        if kind == "asked" and words and words.dates is None:
            lines.append(f"text = {_quoted(words.name)}")
    return lines or [
        "",
        "# No column of dates was found: a moment needs one.",
        "# [[moment]]",
        '# kind = "asked"',
        '# at = "..."',
    ]

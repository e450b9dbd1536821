"""A first mapping for a file that no preset knows: guessed from names and contents, written out to be corrected.

What the guess leaves open is asked, in the mapping's comments and on the screen; and the rows are read by it once,
so that what an import would say is said before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import duckdb

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.errors import WellservedError
from wellserved.mapping import MISSING, parse_mapping
from wellserved.mapping.fit import split_zone
from wellserved.record import ROW_NUMBER, record_rows
from wellserved.scales import BUILT_IN, Scales
from wellserved.sources import vocabulary
from wellserved.sources.columns import SourceColumn, describe_column
from wellserved.sources.draft import draft_mapping
from wellserved.sources.guess import Guess, StatusColumn, could_be, guess_roles, is_case_number
from wellserved.sources.table import RawTable
from wellserved.sources.time_columns import is_clock, length_unit
from wellserved.wording import format_note, plural

UNUSED_KINDS = ("dates", "times of day", "ratings", "teams")  # what a column without a use may look like
_PERCENT = re.compile(r"\d+([.,]\d+)? ?%")
_DATE_DIGITS = re.compile(r"(?<!\d)\d{4}(?!\d)|\d{1,2}[./-]\d{1,2}[./-]\d{2}")  # a year, or day, month and year


@dataclass(frozen=True)
class Inspection:
    """What was seen in a file, and the mapping that it suggests."""

    rows: int
    columns: tuple[SourceColumn, ...]
    roles: Guess
    toml: str
    questions: tuple[str, ...]  # what only a reader of the file can answer
    # what they look like -> columns without a use
    unused_columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what an import by this mapping would say of the rows
    stop: str = ""  # why an import by this mapping stops; empty: it does not


def inspect_table(
    db: duckdb.DuckDBPyConnection, raw: RawTable, source: str, zone: str | None, now: datetime, part: str = ""
) -> Inspection:
    """Look at every column of the staged file and write a first mapping.

    `zone`: the workspace's, for stamps that name none; None: there is no workspace, and UTC is assumed and asked about.
    """
    columns = tuple(describe_column(db, column) for column in raw.columns)
    (rows,) = db.sql("SELECT count(*) FROM raw").fetchall()[0]
    return inspect_roles(db, raw, columns, guess_roles(columns, rows), source, zone, now, part)


def inspect_roles(
    db: duckdb.DuckDBPyConnection,
    raw: RawTable,
    columns: tuple[SourceColumn, ...],
    roles: Guess,
    source: str,
    zone: str | None,
    now: datetime,
    part: str = "",
    title: str = "",
    scales: Scales = BUILT_IN,
) -> Inspection:
    """The mapping that follows from the columns' roles, be they guessed or chosen, what it leaves open, and what an import would say."""
    (rows,) = db.sql("SELECT count(*) FROM raw").fetchall()[0]
    roles = _with_row_order(db, roles)
    unused_columns = _find_unused(columns, roles)
    named_zones = {split_zone(column.name)[1] for column in roles.stamps.values()} - {""}
    questions = (
        *_zone_question(roles, named_zones, zone),
        *_clock_questions(unused_columns, roles),
        *_open_questions(db, columns, roles),
        *(
            f"{name!r} looks like a rating too, and is not used. Is the other one meant?"
            for name in unused_columns.get("ratings", ())
        ),
    )
    if "asked" not in roles.stamps:
        questions = ("No column says for certain when a case began: which one is it?", *questions)
    toml = draft_mapping(
        source,
        columns,
        rows,
        roles,
        named_zones.pop() if len(named_zones) == 1 else zone or "UTC",
        questions,
        unused_columns,
        part,
        title,
    )
    return Inspection(rows, columns, roles, toml, questions, unused_columns, *_notes(db, raw, toml, now, scales))


def _with_row_order(db: duckdb.DuckDBPyConnection, roles: Guess) -> Guess:
    """A history whose rows stand newest first says so."""
    if roles.events is None or "asked" not in roles.stamps or roles.stamps["asked"].dates is None:
        return roles
    at, case = roles.stamps["asked"].dates.sql("UTC"), quote_name(roles.case.name)
    backward, forward = db.sql(
        f"SELECT count(*) FILTER (stamp < before), count(*) FILTER (stamp > before) FROM (SELECT {at} AS stamp, "
        f"lag({at}) OVER (PARTITION BY {case} ORDER BY {ROW_NUMBER}) AS before FROM raw)"
    ).fetchall()[0]
    return replace(roles, events=replace(roles.events, newest_first=backward > forward))


def _notes(
    db: duckdb.DuckDBPyConnection, raw: RawTable, toml: str, now: datetime, scales: Scales
) -> tuple[tuple[str, ...], str]:
    """What an import by this mapping would say of the rows, and why it stops if it does."""
    try:
        result = record_rows(db, parse_mapping(toml, "the first mapping", scales), raw.columns, now, "")
    except WellservedError as error:
        reason = f"{error.problem} {error.remedy}"
        return (f"An import by this mapping stops: {reason}",), reason
    sentences = [f"{format_note(count, note)}." for note, count in result.notes.items()]
    refused_count, losses = len(result.refusals) + len(raw.broken_rows), result.losses
    sentences += [f"{plural(refused_count, 'row')} would be refused."] if refused_count else []
    sentences += (
        [
            f"{plural(len(losses), 'moment')} would be left out, the first in row {losses[0].row}: {losses[0].column} {losses[0].value!r} {losses[0].reason}."
        ]
        if losses
        else []
    )
    return tuple(sentences), ""


def _find_unused(columns: Sequence[SourceColumn], roles: Guess) -> dict[str, tuple[str, ...]]:
    """Columns that look like something a mapping takes, and are not used."""
    used_names = roles.used_names() | {column.name for column in (*roles.unclear, *roles.unclear_lengths)}
    free_columns = [column for column in columns if column.filled_count and column.name not in used_names]
    team_role = next(role for role in vocabulary.FACT_ROLES if role.name == "team")
    rating_columns = [
        column
        for column in free_columns
        if not column.is_date
        and column.name_matches(vocabulary.RATING_NAMES)
        and not column.name_matches(vocabulary.NOT_RATING_NAMES)
    ]
    columns_by_kind = {
        "dates": [column for column in free_columns if column.is_date],
        "times of day": [column for column in free_columns if is_clock(column)],
        "ratings": [
            column
            for column in rating_columns
            if column.is_numeric
            or column.distinct_count <= 20
            or all(_PERCENT.fullmatch(value) for value, _ in column.values)
        ],
        "teams": [
            column
            for column in free_columns
            if not column.is_date
            and any(map(column.name_matches, team_role.patterns))
            and not column.name_matches(team_role.exclusion)
        ],
    }
    return {kind: tuple(column.name for column in matches) for kind, matches in columns_by_kind.items() if matches}


def _clock_questions(unused_columns: Mapping[str, Sequence[str]], roles: Guess) -> list[str]:
    """Times of day in a column of their own, beside days."""
    day_names = [column.name for column in roles.stamps.values() if column.dates and column.dates.is_day_only]
    clock_names = unused_columns.get("times of day", ())
    if not day_names or not clock_names:
        return []
    return [
        f"{', '.join(clock_names)} {'hold' if len(clock_names) > 1 else 'holds'} times of day, and {', '.join(day_names)} days without one: put each day and its time into one column, else waits are told in whole days."
    ]


def _zone_question(roles: Guess, named_zones: set[str], zone: str | None) -> list[str]:
    date_columns = [column for column in roles.stamps.values() if column.dates and not column.dates.is_epoch]
    with_zone = [column.name for column in date_columns if column.dates and column.dates.local_sql() is None]
    if with_zone and len(with_zone) < len(date_columns):
        without = [column.name for column in date_columns if column.name not in with_zone]
        return [
            f"{', '.join(with_zone)} name their time zone, and {', '.join(without)} do not: is the same zone meant? Set `zone`."
        ]
    if len(named_zones) > 1:
        zones = ", ".join(sorted(named_zones))
        return [
            f"The columns name several time zones ({zones}), and a mapping has one: export all of them in one zone."
        ]
    zoneless_columns = [column for column in date_columns if column.dates and column.dates.local_sql() is not None]
    if named_zones or zone or not zoneless_columns:
        return []
    return [
        f"{zoneless_columns[0].name!r} names no time zone, and UTC was assumed: which zone does the export write? Set `zone`."
    ]


def _open_questions(db: duckdb.DuckDBPyConnection, columns: Sequence[SourceColumn], roles: Guess) -> list[str]:
    questions = [
        f"{column.undecided_reason} Say which it is under [dates]." for column in columns if column.undecided_reason
    ]
    questions += _case_questions(columns, roles)
    questions += _number_questions(columns, roles)
    questions += _time_questions(roles)
    questions += _alternative_questions(columns, roles)
    questions += _history_questions(roles)
    questions += _status_questions(db, roles)
    for column in roles.unclear:
        examples = ", ".join(column.examples)
        questions.append(
            f"{column.name!r} looks like a rating ({examples}): on which scale? Write a [[moment]] rated with `scale`, and `values` for words."
        )
    if roles.rating and roles.rating.values:
        words = ", ".join(f"{word} = {score}" for word, score in roles.rating.values.items())
        meaning = "good or bad" if roles.rating.scale == "good_bad" else f"ratings on the scale {roles.rating.scale}"
        questions.append(f"{roles.rating.column.name!r} was read as {meaning}: {words}. Is that what the words mean?")
    if roles.kept_flag:
        words = f"{', '.join(roles.kept_flag.yes_values)} = kept, {', '.join(roles.kept_flag.no_values)} = not"
        questions.append(
            f"{roles.kept_flag.column.name!r} was read as the source's own word on its promise: {words}. Is that so?"
        )
    if roles.rating and not roles.rating.values:
        column, scale = roles.rating.column, roles.rating.scale
        questions.append(
            f"{column.name!r} holds numbers from {column.low:g} to {column.high:g} and was read as the customer's rating on the scale {scale}, more is better. Is that so?"
        )
    if roles.rating and roles.rating.column.comma_count:
        questions.append(f"{roles.rating.column.name!r} has decimal commas: 4,5 is read as four and a half.")
    return questions


def _case_questions(columns: Sequence[SourceColumn], roles: Guess) -> list[str]:
    """A file in which no column seems to number the cases."""
    case = roles.case
    if roles.events or is_case_number(case) or case.distinct_count == case.filled_count:
        return []
    lost_count = case.filled_count - case.distinct_count
    return [
        f"No column seems to number the cases: {case.name!r} was taken, and {plural(lost_count, 'row')} would fall into cases of others. "
        "Is it the case's number? If there is none, add a column that numbers the rows."
    ]


def _number_questions(columns: Sequence[SourceColumn], roles: Guess) -> list[str]:
    """What is written as a number or a date and cannot be taken as it stands."""
    questions = []
    for column in columns:
        if column.is_day_numbers and column in roles.stamps.values():
            questions.append(
                f"{column.name!r} holds numbers such as {column.examples[0]}: a spreadsheet's day numbers? They are read so; if they are none, take the column out."
            )
        elif _sounds_like_a_date(column) and column.name not in roles.used_names():
            questions.append(
                f"{column.name!r} sounds like a date, but {column.examples[0]!r} is not written in a way that is read: write it as 2026-01-31 14:05."
            )
        if column.placeholders and column in roles.stamps.values():
            words = ", ".join(map(repr, column.placeholders))
            verb = "were" if len(column.placeholders) > 1 else "was"
            questions.append(f"{words} in {column.name!r} {verb} read as no date yet. Is that so?")
        if column.swapped_count:
            questions.append(
                f"In {column.name!r} a spreadsheet seems to have swapped day and month in {column.swapped_count} dates: those that it "
                "took for dates have no day above 12, and those that it left as text have. Export again as CSV, without opening it in between."
            )
        if column.shortened_count:
            questions.append(
                f"{column.name!r} has {column.shortened_count} numbers that a spreadsheet shortened, such as 1.02E+11: different ones became the same. Export again and keep them as text."
            )
        if column.dates and any("%y" in form.pattern for form in column.dates.formats):
            questions.append(f"{column.name!r} has years of two digits: 26 is read as 2026.")
    return questions


def _time_questions(roles: Guess) -> list[str]:
    """What times of day and lengths of time were taken for."""
    pairs = " and ".join(f"{day!r} with {clock.name!r}" for day, clock in roles.clocks.items())
    questions = (
        [f"Days and times of day stand in two columns, and were read together: {pairs}. Is that so?"] if pairs else []
    )
    opening = roles.stamps.get("asked")
    for kind, length in roles.lengths.items():
        unit = {"clock": "h:mm", "words": "words"}.get(length.unit, length.unit)
        questions.append(
            f"{length.column.name!r} was read as how long after {opening.name if opening else 'the opening'!r} the case was {'answered' if kind == 'replied' else kind}, in {unit} "
            "by the calendar, nights and weekends counted. Is that so?"
        )
        if zeros := sum(
            count for value, count in length.column.values if not re.search("[1-9]", value) and "0" in value
        ):
            questions.append(
                f"{length.column.name!r} is 0 in {plural(zeros, 'row')}: they count as {kind} at once. Is that so?"
            )
    for column in roles.unclear_lengths:
        examples = ", ".join(column.examples)
        questions.append(
            f"{column.name!r} holds lengths of time ({examples}) and is not used: how long until what?"
            if length_unit(column)
            else f"{column.name!r} looks like a length of time ({examples}): in seconds, minutes, hours or days? It is not used until its unit is known."
        )
    return questions


def _alternative_questions(columns: Sequence[SourceColumn], roles: Guess) -> list[str]:
    """Columns of dates without a use that may be meant in the place of others, or say something more."""
    if roles.events:
        return []
    used_names = roles.used_names()
    free_columns = [column for column in columns if column.is_date and column.name not in used_names]
    questions = []
    for role in vocabulary.MOMENTS:
        stamp = roles.stamps.get(role.name)
        rivals = [column for column in free_columns if could_be(role, column)]
        free_columns = [column for column in free_columns if column not in rivals]
        if stamp and rivals:
            names = ", ".join(repr(column.name) for column in rivals)
            questions.append(
                f"{stamp.name!r} was taken for when it was {role.name}; {names} could be meant as well. Is the choice right?"
            )
        elif rivals:
            free_columns += rivals
    free_names = [repr(column.name) for column in free_columns if not column.name_matches(vocabulary.UPDATE_NAMES)]
    verbs = "hold dates and are" if len(free_names) > 1 else "holds dates and is"
    return [*questions, *([f"{', '.join(free_names)} {verbs} not used: what happened then?"] if free_names else [])]


def _history_questions(roles: Guess) -> list[str]:
    """What a file with several rows a case says."""
    if roles.events is None:
        return []
    events = roles.events
    words = "; ".join(f"{', '.join(values)} = {kind}" for kind, values in events.kinds.items())
    questions = [
        f"A case has several rows here, each one thing that happened: {events.column.name!r} says what ({words}), and {roles.stamps['asked'].name!r} when"
        f"{', the newest row first' if events.newest_first else ''}. Is that so?"
    ]
    if events.unknown_values:
        questions.append(
            f"{events.column.name!r} says {', '.join(events.unknown_values[:8])} too, which makes no moment. Should it?"
        )
    return questions


def _sounds_like_a_date(column: SourceColumn) -> bool:
    has_date_name = any(any(map(column.name_matches, role.patterns)) for role in vocabulary.MOMENTS)
    date_like_values = [value for value, _ in column.values if _DATE_DIGITS.search(value)]
    return (
        has_date_name
        and not column.is_date
        and not column.is_day_numbers
        and len(date_like_values) > 0.5 * len(column.values)
    )


def _status_questions(db: duckdb.DuckDBPyConnection, roles: Guess) -> list[str]:
    status, closing_column = roles.status, _closing_column(roles)
    if status is None:
        return []
    words = " or ".join(status.closed_values)
    unknown_questions = [
        f"{status.column.name!r} says {', '.join(status.unknown_values[:8])}: does that mean that a case is over? "
        f"{'With a time of closing it counts as over.' if closing_column else 'It counts as open.'}"
    ]
    closing_questions = _closing_questions(db, roles, status, words)
    return unknown_questions + closing_questions if status.unknown_values else closing_questions


def _closing_column(roles: Guess) -> SourceColumn | None:
    """The column that says when a case was closed, or how long after its opening."""
    length = roles.lengths.get("resolved")
    return roles.stamps.get("resolved") or (length.column if length else None)


def _closing_questions(db: duckdb.DuckDBPyConnection, roles: Guess, status: StatusColumn, words: str) -> list[str]:
    closing_column = _closing_column(roles)
    if closing_column is None:
        return [
            f"{status.column.name!r} says {words} in {plural(status.rows, 'row')}, but no column says when: they count as resolved at an "
            'unknown time (at_is = "not_before"), and no time to resolution can be computed. Is there a column with the time?'
        ]
    closed_list, missing_list = (
        ", ".join(map(quote_text, values)) for values in (status.closed_values, ("", *MISSING))
    )
    (undated_count,) = db.sql(
        f"SELECT count(*) FROM raw WHERE trim({quote_name(status.column.name)}) IN ({closed_list}) AND trim({quote_name(closing_column.name)}) IN ({missing_list})"
    ).fetchall()[0]
    question = f"{status.column.name!r} says {words} in {plural(undated_count, 'row')} with no {closing_column.name!r}: {'it counts' if undated_count == 1 else 'they count'} as open. Is that so?"
    return [question] if undated_count else []

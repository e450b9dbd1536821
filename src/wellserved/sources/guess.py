"""Which column is what: the case's number, the moments, the facts, ratings and status, by name and by content.

A guess that could be wrong is a question to whoever knows the file, never a silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wellserved.sources import vocabulary
from wellserved.sources.columns import SourceColumn, plain_words
from wellserved.sources.time_columns import (
    LengthColumn,
    is_amount,
    is_clock,
    length_unit,
    pair_clocks,
    read_length,
    unit_of_name,
)
from wellserved.sources.vocabulary import ColumnRole

MIN_TIMES_OF_CASE = 1.3  # different times a case from which they are those of events
MAX_CASES_OF_HISTORY = 0.7  # numbers of cases a row above which a file is no history
_STATE_NAMES = r"^(status|state|statut|zustand|estado)$"
FEWEST_LENGTHS = 6  # different lengths above which they are no terms
FEWEST_ROWS_FOR_GROUPS = 20  # rows from which a column of nothing but different values is no group of anything


@dataclass(frozen=True)
class RatingColumn:
    """A column of ratings, and how it is read."""

    column: SourceColumn
    scale: str
    values: dict[str, int] = field(default_factory=dict)  # words -> score
    asked_values: tuple[str, ...] = ()  # words that say that a rating was asked for


@dataclass(frozen=True)
class KeptFlag:
    """A column with the source's own word on its promise."""

    column: SourceColumn
    yes_values: tuple[str, ...]
    no_values: tuple[str, ...]


@dataclass(frozen=True)
class StatusColumn:
    """A column with the case's state, and which of its values mean that it is over."""

    column: SourceColumn
    closed_values: tuple[str, ...]
    rows: int
    cancelled_values: tuple[str, ...] = ()
    open_values: tuple[str, ...] = ()
    unknown_values: tuple[str, ...] = ()


@dataclass(frozen=True)
class EventColumn:
    """A column that says what happened in its row, of a history with several rows a case."""

    column: SourceColumn
    kinds: dict[str, tuple[str, ...]]  # kind of moment -> the words for it
    unknown_values: tuple[str, ...] = ()
    newest_first: bool = False  # a case's rows stand from its last to its first

    @property
    def holds_states(self) -> bool:
        """Whether it says the case's state after the row: then what happened is that the state came to be."""
        return self.column.name_matches(_STATE_NAMES)


@dataclass(frozen=True)
class Guess:
    """What the columns seem to be."""

    case: SourceColumn
    stamps: dict[str, SourceColumn]  # kind of moment -> its column of dates
    facts: dict[str, SourceColumn]
    text: SourceColumn | None
    rating: RatingColumn | None
    kept_flag: KeptFlag | None
    status: StatusColumn | None
    unclear: tuple[SourceColumn, ...]  # columns that look like ratings and cannot be read as such
    date_orders: dict[str, str] = field(default_factory=dict)  # column -> day-first or month-first, as somebody said
    events: EventColumn | None = None  # where a row is one thing that happened, not a case
    clocks: dict[str, SourceColumn] = field(default_factory=dict)  # column of days -> its column of times of day
    lengths: dict[str, LengthColumn] = field(
        default_factory=dict
    )  # kind of moment -> how long after the opening it came
    unclear_lengths: tuple[SourceColumn, ...] = ()  # lengths of time whose unit is not known

    @property
    def has_numeric_rating(self) -> bool:
        """Whether ratings are numbers, whose scale somebody may know better."""
        return self.rating is not None and not self.rating.values

    def used_names(self) -> set[str]:
        """The names of all columns that the guess uses."""
        if self.events:
            columns = (
                self.case,
                self.text,
                self.stamps["asked"],
                self.events.column,
                *self.facts.values(),
                *self.clocks.values(),
            )
            return {column.name for column in columns if column}
        single_columns = [self.case, self.text, *(role.column for role in (self.rating, self.kept_flag) if role)]
        status_columns = [self.status.column] if self.status else []
        time_columns = (
            *self.stamps.values(),
            *self.clocks.values(),
            *(length.column for length in self.lengths.values()),
        )
        return {
            column.name for column in (*single_columns, *status_columns, *time_columns, *self.facts.values()) if column
        }


def guess_roles(columns: Sequence[SourceColumn], rows: int) -> Guess:
    """Give each column the role that its name and its content suggest."""
    filled_columns = [column for column in columns if column.filled_count and not is_clock(column)]
    case = _case_column(filled_columns or list(columns), rows)
    free_columns = [column for column in columns if column.filled_count and column is not case]
    stamps = _date_columns(free_columns)
    clocks = pair_clocks(columns, stamps.values())
    lengths, unclear_lengths = _length_columns(
        [column for column in free_columns if column not in clocks.values()], stamps
    )
    time_columns = [*clocks.values(), *(length.column for length in lengths.values()), *unclear_lengths]
    undated_columns = [column for column in free_columns if not column.is_date and column not in time_columns]
    date_count = sum(column.is_date for column in free_columns)
    events = _event_column(undated_columns, case, stamps, rows, date_count)
    undated_columns = [column for column in undated_columns if events is None or column is not events.column]
    rating, unclear_columns = _rating_column(undated_columns)
    kept_flag, status = _kept_flag(undated_columns), _status_column(undated_columns)
    taken_names = {role.column.name for role in (rating, kept_flag, status) if role} | {
        column.name for column in unclear_columns
    }
    facts = _fact_columns(
        [column for column in undated_columns if column.name not in taken_names and not column.is_day_numbers], rows
    )
    taken_names |= {column.name for column in facts.values()}
    text_column = _text_column([column for column in undated_columns if column.name not in taken_names])
    return Guess(
        case,
        stamps,
        facts,
        text_column,
        rating,
        kept_flag,
        status,
        tuple(unclear_columns),
        events=events,
        clocks=clocks,
        lengths=lengths,
        unclear_lengths=unclear_lengths,
    )


def _case_column(columns: Sequence[SourceColumn], rows: int) -> SourceColumn:
    """The column with the case's number: of the most different values, the one that people call it by."""
    full_columns = [column for column in columns if column.filled_count >= 0.9 * rows and not column.is_date] or list(
        columns
    )
    named_columns = [
        column for column in full_columns if is_case_number(column) and not column.name_matches("categor|type|status")
    ]
    most_values = max((column.distinct_count for column in named_columns), default=0)
    candidates = [column for column in named_columns if column.distinct_count >= 0.9 * most_values]
    return (
        min(candidates, key=lambda column: _pattern_rank(column, vocabulary.CASE_NUMBER_NAMES))
        if candidates
        else max(full_columns, key=lambda column: column.distinct_count)
    )


def is_case_number(column: SourceColumn) -> bool:
    """Whether a column is called like the number of a case."""
    if column.name_matches(rf"\b({vocabulary.CUSTOMER_NAMES})\b"):
        return False
    return _pattern_rank(column, vocabulary.CASE_NUMBER_NAMES) < len(vocabulary.CASE_NUMBER_NAMES)


def _pattern_rank(column: SourceColumn, patterns: Sequence[str]) -> int:
    """The place of the first pattern that the name holds; behind the last: none."""
    return next((index for index, pattern in enumerate(patterns) if column.name_matches(pattern)), len(patterns))


def could_be(role: ColumnRole, column: SourceColumn) -> bool:
    """Whether a column's name allows the role."""
    return _best_column(role, [column]) is not None


def _best_column(role: ColumnRole, columns: Iterable[SourceColumn]) -> SourceColumn | None:
    fitting_columns = [column for column in columns if not column.name_matches(role.exclusion)]
    ranked_columns = [
        (rank, column)
        for column in fitting_columns
        if (rank := _pattern_rank(column, role.patterns)) < len(role.patterns)
    ]
    return min(ranked_columns, key=lambda pair: pair[0])[1] if ranked_columns else None


def _date_columns(columns: Sequence[SourceColumn]) -> dict[str, SourceColumn]:
    date_columns = [
        column for column in columns if column.is_date or (column.is_day_numbers and not unit_of_name(column))
    ]
    roles: dict[str, SourceColumn] = {}
    for role in vocabulary.MOMENTS:
        free_columns = [
            column for column in date_columns if column.name not in {role_column.name for role_column in roles.values()}
        ]
        if column := _best_column(role, free_columns):
            roles[role.name] = column
    asked_role = next(role for role in vocabulary.MOMENTS if role.name == "asked")
    free_columns = [
        column
        for column in date_columns
        if column not in roles.values() and not column.name_matches(asked_role.exclusion)
    ]
    if "asked" not in roles and free_columns:  # the fullest: an opening is never missing
        roles["asked"] = max(free_columns, key=lambda column: (column.dates is not None, column.filled_count))
    return roles


def _length_columns(
    columns: Sequence[SourceColumn], stamps: Mapping[str, SourceColumn]
) -> tuple[dict[str, LengthColumn], tuple[SourceColumn, ...]]:
    """Lengths of time for moments that have no date of their own, and those whose unit is not known."""
    lengths: dict[str, LengthColumn] = {}
    unclear_columns: list[SourceColumn] = []
    for role in vocabulary.LENGTHS:
        candidates = [
            column
            for column in columns
            if not column.is_date and (is_amount(column) or length_unit(column)) and column not in unclear_columns
        ]
        column = _best_column(role, candidates) if role.name not in stamps else None
        if column is None:
            continue
        if length := read_length(column):
            lengths[role.name] = length
        else:
            unclear_columns.append(column)
    used_columns = [*unclear_columns, *(length.column for length in lengths.values())]
    unclear_columns += [column for column in columns if column not in used_columns and _is_plain_length(column)]
    return lengths, tuple(unclear_columns)


def _is_plain_length(column: SourceColumn) -> bool:
    """Its content alone says that it holds lengths of time, and not a few terms that are agreed on, such as 4 h and 8 h."""
    is_length = length_unit(column) in ("words", "clock") and not is_clock(column)
    return (
        is_length
        and column.distinct_count > FEWEST_LENGTHS
        and not column.name_matches(r"priorit|\bsla\b|target|ziel|class")
    )


def _fact_columns(columns: Sequence[SourceColumn], rows: int) -> dict[str, SourceColumn]:
    facts: dict[str, SourceColumn] = {}
    for role in vocabulary.FACT_ROLES:
        free_columns = [
            column for column in columns if column.name not in {fact_column.name for fact_column in facts.values()}
        ]
        if column := _best_column(role, [column for column in free_columns if _can_be(role.name, column, rows)]):
            facts[role.name] = column
    return facts


def _can_be(fact: str, column: SourceColumn, rows: int) -> bool:
    """Whether the content allows it: a count is nobody, a state of the case is no place, a group has members."""
    if fact in ("customer_id", "account_id", "person_id"):
        has_id_name = column.name_matches(r"\b(id|no|nr|number|key|nummer|code)\b")
        return has_id_name or not column.is_counter
    if fact == "place" and column.name_matches(r"\bstate\b"):
        values = _plain_values(column)
        return not (
            column.is_numeric
            or any(map(vocabulary.is_closed_status, values))
            or any(map(vocabulary.is_open_status, values))
        )
    return rows <= FEWEST_ROWS_FOR_GROUPS or column.distinct_count <= 0.5 * column.filled_count


def _plain_values(column: SourceColumn) -> set[str]:
    return {plain_words(value) for value, _ in column.values}


def _rating_column(columns: Sequence[SourceColumn]) -> tuple[RatingColumn | None, list[SourceColumn]]:
    """The first column of ratings that can be read, and those that look like one and cannot."""
    unclear_columns: list[SourceColumn] = []
    drawn_columns = [column for column in columns if _drawn_stars(column)]
    drawn_columns.sort(key=lambda column: not column.name_matches(r"overall|gesamt|total|global"))
    for column in columns:
        if not column.name_matches(vocabulary.RATING_NAMES) or column.name_matches(vocabulary.NOT_RATING_NAMES):
            continue
        if rating := read_ratings(column):
            return rating, unclear_columns
        if column.is_numeric:
            if column.high <= 100:
                unclear_columns.append(column)
        elif column.distinct_count <= FEWEST_ROWS_FOR_GROUPS and not column.name_matches(r"\bnote\b"):
            unclear_columns.append(column)
    return (read_ratings(drawn_columns[0]) if drawn_columns else None), unclear_columns


def read_ratings(column: SourceColumn) -> RatingColumn | None:
    """A column as ratings, where its content leaves no doubt how."""
    if column.is_numeric:
        scale = _suggest_scale(column)
        return RatingColumn(column, scale) if scale else None
    return _word_rating_column(column)


def _suggest_scale(column: SourceColumn) -> str:
    """The scale that numbers suggest; empty: several could be meant."""
    if column.name_matches(vocabulary.GRADE_NAMES):
        return ""
    if column.name_matches(r"\bnps\b|recommend") and 0 <= column.low <= column.high <= 10:
        return "nps10"
    if 1 <= column.low <= column.high <= 5 and not column.name_matches(r"effort|\bces"):
        return "stars5" if column.name_matches(r"star|stern") or column.whole_count < column.filled_count else "csat5"
    return "good_bad" if column.whole_count == column.filled_count and 0 <= column.low <= column.high <= 1 else ""


def _word_rating_column(column: SourceColumn) -> RatingColumn | None:
    if star_counts := _drawn_stars(column):
        return RatingColumn(column, "stars5", star_counts)
    words = {value: plain_words(value) for value, _ in column.values}
    asked_values = tuple(value for value, word in words.items() if word in vocabulary.SURVEY_SENT_WORDS)
    values = {value: 1 for value, word in words.items() if word in vocabulary.GOOD_WORDS}
    values |= {value: 0 for value, word in words.items() if word in vocabulary.BAD_WORDS}
    unknown_words = [
        word
        for word in words.values()
        if word
        not in vocabulary.GOOD_WORDS
        | vocabulary.BAD_WORDS
        | vocabulary.SURVEY_SENT_WORDS
        | vocabulary.SURVEY_NOT_SENT_WORDS
    ]
    return RatingColumn(column, "good_bad", values, asked_values) if values and not unknown_words else None


def _drawn_stars(column: SourceColumn) -> dict[str, int]:
    """Drawn stars -> how many are full; nothing where anything else stands there."""
    texts = {value: re.sub(r"[\s\ufe0f]", "", value) for value, _ in column.values}
    if not texts or not all(re.fullmatch("[★⭐🌟]{1,5}[☆✩]{0,4}", text) and len(text) <= 5 for text in texts.values()):
        return {}
    return {value: sum(star not in "☆✩" for star in text) for value, text in texts.items()}


def _kept_flag(columns: Sequence[SourceColumn]) -> KeptFlag | None:
    candidates = (
        column
        for column in columns
        if column.name_matches(vocabulary.SLA_NAMES) and not column.name_matches(vocabulary.NOT_SLA_NAMES)
    )
    return next(filter(None, map(read_verdicts, candidates)), None)


def read_verdicts(column: SourceColumn) -> KeptFlag | None:
    """A column as the source's word on its promises; None: its words are not known."""
    words = {value: plain_words(value) for value, _ in column.values}
    yes_values = tuple(value for value, word in words.items() if word in vocabulary.KEPT_VERDICTS)
    no_values = tuple(value for value, word in words.items() if word in vocabulary.MISSED_VERDICTS)
    known_values = {*yes_values, *no_values}
    is_half_known = vocabulary.YES_NO_WORDS & set(words.values()) and len(known_values) < len(words)
    if not known_values or is_half_known:  # 0, 1 and 2 are counts
        return None
    yes_values = yes_values or tuple(dict.fromkeys(vocabulary.MISSED_VERDICTS[words[value]] for value in no_values))
    no_values = no_values or tuple(dict.fromkeys(vocabulary.KEPT_VERDICTS[words[value]] for value in yes_values))
    is_inverted = vocabulary.YES_NO_WORDS.issuperset(words.values()) and column.name_matches(vocabulary.LATE_NAMES)
    return KeptFlag(column, no_values, yes_values) if is_inverted else KeptFlag(column, yes_values, no_values)


def _status_column(columns: Sequence[SourceColumn]) -> StatusColumn | None:
    candidates = (column for column in columns if column.name_matches(vocabulary.STATUS_NAMES))
    return next(filter(None, map(read_states, candidates)), None)


def read_states(column: SourceColumn) -> StatusColumn | None:
    """A column as states of the case; None: none of them is known to mean that it is over."""
    kinds: dict[str, list[str]] = {"closed": [], "cancelled": [], "open": [], "unknown": []}
    for value, _ in column.values:
        status = plain_words(value)
        if vocabulary.is_cancelled_status(status):
            kind = "cancelled"
        elif vocabulary.is_closed_status(status):
            kind = "closed"
        else:
            kind = "open" if vocabulary.is_open_status(status) else "unknown"
        kinds[kind].append(value)
    if not kinds["closed"]:
        return None
    rows = sum(count for value, count in column.values if value in kinds["closed"])
    closed, cancelled, open_values, unknown = (tuple(values) for values in kinds.values())
    return StatusColumn(column, closed, rows, cancelled, open_values, unknown)


def _event_column(
    columns: Sequence[SourceColumn],
    case: SourceColumn,
    stamps: Mapping[str, SourceColumn],
    rows: int,
    date_count: int,
) -> EventColumn | None:
    """The column of a history that says what happened: one whose words open cases, and best close them too.

    A history has numbers of cases, several rows for most, and one time that differs from row to row; a file with a closing
    date of its own, or with its opening on every row, is a list of cases that has lines of something else; and so is one with
    several columns of dates (`date_count`), whose states stand on every line.
    """
    is_history = (
        is_case_number(case) and case.distinct_count <= MAX_CASES_OF_HISTORY * rows and set(stamps) == {"asked"}
    )
    if not is_history or stamps["asked"].distinct_count < MIN_TIMES_OF_CASE * case.distinct_count:
        return None
    candidates = [read_events(column) for column in columns if column.name_matches(vocabulary.EVENT_NAMES)]
    event_columns = [events for events in candidates if events]
    best = max(
        event_columns, key=lambda events: ("resolved" in events.kinds, -len(events.unknown_values)), default=None
    )
    return None if best and best.holds_states and date_count > 1 else best


def read_events(column: SourceColumn) -> EventColumn | None:
    """A column as what happened in each row; None: no word of it is known to open a case."""
    kinds: dict[str, tuple[str, ...]] = {}
    unknown_values = []
    for value, _ in column.values:
        words = plain_words(value)
        if kind := vocabulary.kind_of_event(words):
            kinds[kind] = (*kinds.get(kind, ()), value)
        elif not (column.name_matches(_STATE_NAMES) and vocabulary.is_open_status(words)):
            unknown_values.append(value)
    return EventColumn(column, kinds, tuple(unknown_values)) if "asked" in kinds and len(kinds) > 1 else None


def _text_column(columns: Sequence[SourceColumn]) -> SourceColumn | None:
    """The column of what the customer wrote: named so, or the one of long texts."""
    prose_columns = [
        column
        for column in columns
        if not column.is_numeric and not column.name_matches(r"\b(id|key|date|time|tags?|labels?|e ?mail)\b")
    ]
    named_columns = [column for column in prose_columns if column.name_matches(vocabulary.TEXT_NAMES)]
    long_columns = [column for column in prose_columns if column.length > 30]
    return next(iter(named_columns), None) or max(long_columns, key=lambda column: column.length, default=None)

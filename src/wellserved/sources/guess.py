"""Which column is what: the case's number, the moments, the facts, ratings and status, by name and by content.

A guess that could be wrong is a question to whoever knows the file, never a silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wellserved.sources import vocabulary
from wellserved.sources.columns import Column, plain
from wellserved.sources.vocabulary import Role

FEW = 20  # rows from which a column of nothing but different values is no group of anything


@dataclass(frozen=True)
class Rating:
    """A column of ratings, and how it is read."""

    column: Column
    scale: str
    values: dict[str, int] = field(default_factory=dict)  # words -> score
    asked: tuple[str, ...] = ()  # words that say that a rating was asked for


@dataclass(frozen=True)
class Kept:
    """A column with the source's own word on its promise."""

    column: Column
    yes: tuple[str, ...]
    no: tuple[str, ...]


@dataclass(frozen=True)
class Status:
    """A column with the case's state, and which of its values mean that it is over."""

    column: Column
    closed: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Guess:
    """What the columns seem to be."""

    case: Column
    stamps: dict[str, Column]  # kind of moment -> its column of dates
    facts: dict[str, Column]
    text: Column | None
    rating: Rating | None
    kept: Kept | None
    status: Status | None
    unclear: tuple[Column, ...]  # columns that look like ratings and cannot be read as such

    def used(self) -> set[str]:
        """The names of all columns that the guess uses."""
        single = [self.case, self.text, *(part.column for part in (self.rating, self.kept) if part)]
        status = [self.status.column] if self.status and "resolved" not in self.stamps else []
        return {column.name for column in (*single, *status, *self.stamps.values(), *self.facts.values()) if column}


def guess(columns: Sequence[Column], rows: int) -> Guess:
    """Give each column the role that its name and its content suggest."""
    filled = [column for column in columns if column.filled]
    case = _case(filled or list(columns), rows)
    free = [column for column in filled if column is not case]
    stamps = _stamps(free)
    plain_ones = [column for column in free if not column.stamp]
    rating, unclear = _rating(plain_ones)
    kept, status = _kept(plain_ones), _status(plain_ones)
    taken = {part.column.name for part in (rating, kept, status) if part} | {column.name for column in unclear}
    facts = _facts([column for column in plain_ones if column.name not in taken and not column.day_numbers], rows)
    taken |= {column.name for column in facts.values()}
    words = _text([column for column in plain_ones if column.name not in taken])
    return Guess(case, stamps, facts, words, rating, kept, status, tuple(unclear))


def _case(columns: Sequence[Column], rows: int) -> Column:
    """The column with the case's number: of the most different values, the one that people call it by."""
    full = [column for column in columns if column.filled >= 0.9 * rows and not column.stamp] or list(columns)
    named = [column for column in full if _rank(column, vocabulary.CASE_NUMBER) < len(vocabulary.CASE_NUMBER)]
    named = [column for column in named if not column.says(rf"\b({vocabulary.WHO})\b|categor|type|status")]
    most = max((column.distinct for column in named), default=0)
    sure = [column for column in named if column.distinct >= 0.9 * most]
    return (
        min(sure, key=lambda column: _rank(column, vocabulary.CASE_NUMBER))
        if sure
        else max(full, key=lambda c: c.distinct)
    )


def _rank(column: Column, patterns: Sequence[str]) -> int:
    """The place of the first pattern that the name holds; behind the last: none."""
    return next((place for place, pattern in enumerate(patterns) if column.says(pattern)), len(patterns))


def _best(role: Role, columns: Iterable[Column]) -> Column | None:
    fitting = [column for column in columns if not column.says(role.never)]
    ranked = [(rank, column) for column in fitting if (rank := _rank(column, role.patterns)) < len(role.patterns)]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _stamps(columns: Sequence[Column]) -> dict[str, Column]:
    stamps = [column for column in columns if column.stamp or column.day_numbers]
    roles: dict[str, Column] = {}
    for role in vocabulary.MOMENTS:
        left = [column for column in stamps if column.name not in {taken.name for taken in roles.values()}]
        if column := _best(role, left):
            roles[role.name] = column
    if "asked" not in roles and stamps:
        left = [column for column in stamps if column not in roles.values()]
        roles["asked"] = next((column for column in left if column.dates), (left or stamps)[0])
    return roles


def _facts(columns: Sequence[Column], rows: int) -> dict[str, Column]:
    facts: dict[str, Column] = {}
    for role in vocabulary.FACTS:
        left = [column for column in columns if column.name not in {taken.name for taken in facts.values()}]
        if column := _best(role, [column for column in left if _can_be(role.name, column, rows)]):
            facts[role.name] = column
    return facts


def _can_be(fact: str, column: Column, rows: int) -> bool:
    """Whether the content allows it: a count is nobody, a state of the case is no place, a group has members."""
    if fact in ("customer_id", "account_id", "person_id"):
        named = column.says(r"\b(id|no|nr|number|key|nummer|code)\b")
        return named or not column.counter
    if fact == "place" and column.says(r"\bstate\b"):
        return not (column.numeric or _words_of(column) & (vocabulary.CLOSED | vocabulary.OPEN))
    return rows <= FEW or column.distinct <= 0.5 * column.filled


def _words_of(column: Column) -> set[str]:
    return {plain(value) for value, _ in column.values}


def _rating(columns: Sequence[Column]) -> tuple[Rating | None, list[Column]]:
    """The first column of ratings that can be read, and those that look like one and cannot."""
    unclear: list[Column] = []
    for column in columns:
        if not column.says(vocabulary.RATED) or column.says(vocabulary.NOT_RATED):
            continue
        if column.numeric:
            if scale := _scale(column):
                return Rating(column, scale), unclear
            if column.high <= 100:
                unclear.append(column)
        elif rating := _word_rating(column):
            return rating, unclear
        elif column.distinct <= FEW and not column.says(r"\bnote\b"):
            unclear.append(column)
    return None, unclear


def _scale(column: Column) -> str:
    """The scale that numbers suggest; empty: several could be meant."""
    if column.says(r"\bnps\b|recommend") and 0 <= column.low <= column.high <= 10:
        return "nps10"
    if 1 <= column.low <= column.high <= 5 and not column.says(r"effort|\bces"):
        return "stars5" if column.says(r"star|stern") or column.whole < column.filled else "csat5"
    return "good_bad" if column.whole == column.filled and 0 <= column.low <= column.high <= 1 else ""


def _word_rating(column: Column) -> Rating | None:
    words = {value: plain(value) for value, _ in column.values}
    asked = tuple(value for value, word in words.items() if word in vocabulary.ASKED)
    values = {value: 1 for value, word in words.items() if word in vocabulary.GOOD}
    values |= {value: 0 for value, word in words.items() if word in vocabulary.BAD}
    others = [
        word
        for word in words.values()
        if word not in vocabulary.GOOD | vocabulary.BAD | vocabulary.ASKED | vocabulary.UNASKED
    ]
    return Rating(column, "good_bad", values, asked) if values and not others else None


def _kept(columns: Sequence[Column]) -> Kept | None:
    for column in columns:
        if not column.says(vocabulary.SLA) or column.says(vocabulary.NOT_SLA):
            continue
        words = {value: plain(value) for value, _ in column.values}
        yes = tuple(value for value, word in words.items() if word in vocabulary.KEPT)
        no = tuple(value for value, word in words.items() if word in vocabulary.MISSED)
        if yes or no:
            yes = yes or tuple(dict.fromkeys(vocabulary.MISSED[words[value]] for value in no))
            no = no or tuple(dict.fromkeys(vocabulary.KEPT[words[value]] for value in yes))
            turned = vocabulary.BARE.issuperset(words.values()) and column.says(vocabulary.LATE_NAMED)
            return Kept(column, no, yes) if turned else Kept(column, yes, no)
    return None


def _status(columns: Sequence[Column]) -> Status | None:
    for column in columns:
        if column.says(vocabulary.STATUS):
            closed = {value: count for value, count in column.values if plain(value) in vocabulary.CLOSED}
            if closed:
                return Status(column, tuple(closed), sum(closed.values()))
    return None


def _text(columns: Sequence[Column]) -> Column | None:
    """The column of what the customer wrote: named so, or the one of long texts."""
    prose = [
        column
        for column in columns
        if not column.numeric and not column.says(r"\b(id|key|date|time|tags?|labels?|e ?mail)\b")
    ]
    named = [column for column in prose if column.says(vocabulary.TEXT)]
    long = [column for column in prose if column.length > 30]
    return next(iter(named), None) or max(long, key=lambda column: column.length, default=None)

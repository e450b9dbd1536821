"""What is doubtful in a file beside its rows: words that its mapping does not know, cases that other files tell otherwise."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from wellserved import cases
from wellserved.cases.ordered import END_KINDS
from wellserved.engine.duckdb import create_view, quote_name, quote_text
from wellserved.mapping import Mapping, MomentRule
from wellserved.sources import vocabulary
from wellserved.sources.columns import plain_words
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

MAX_LISTED = 5  # that are shown


def state_notes(db: DuckDBPyConnection, mapping: Mapping) -> dict[str, int]:
    """States under which cases count as over though nobody said that they mean it, and ratings in words that nobody knows."""
    notes: dict[str, int] = {}
    for rule in mapping.moments:
        if rule.kind == "resolved" and rule.condition.test == "is_not" and rule.condition.column:
            notes |= _unknown_states(db, rule, rule.condition.column)
        if rule.kind == "rated" and rule.values and rule.score:
            notes |= _unknown_ratings(db, mapping, rule, rule.score)
    return notes


def view_stored_cases(db: DuckDBPyConnection, workspace: Workspace) -> None:
    """`stored_cases`: the cases as they were before this file."""
    stored_cases = log.snapshot(workspace.cases)
    create_view(db, "stored_cases", stored_cases.files, cases.CASE_TYPES, stored_cases.deleted_row_table())


def reopening_notes(db: DuckDBPyConnection, mapping: Mapping) -> dict[str, int]:
    """Cases that are closed by what is known, and open by a list of last states: such a list cannot say since when."""
    if not any(rule.kind in END_KINDS for rule in mapping.moments):
        return {}
    ends = ", ".join(map(quote_text, END_KINDS))
    (count,) = db.sql(
        f"SELECT count(*) FROM stored_cases WHERE source = {quote_text(mapping.name)} AND closed = 1 AND case_id IN "
        f"(SELECT case_id FROM batch GROUP BY case_id HAVING bool_or(kind = 'asked') AND NOT bool_or(kind IN ({ends})))"
    ).fetchall()[0]
    words = "cases closed by another file and open in this one: they stay closed, since a list of tickets does not say when one was reopened"
    return {words: count} if count else {}


def other_opening_notes(db: DuckDBPyConnection, mapping: Mapping) -> dict[str, int]:
    """Cases that another file has under their numbers with an opening on another day: numbers that begin again, or two systems."""
    (count,) = db.sql(
        f"SELECT count(*) FROM (SELECT case_id, epoch(min(\"at\")) AS asked_s FROM batch WHERE kind = 'asked' GROUP BY case_id) b "
        f"JOIN stored_cases s USING (case_id) WHERE s.source = {quote_text(mapping.name)} AND abs(s.asked_s - b.asked_s) > 86400"
    ).fetchall()[0]
    words = "case numbers stand in an earlier file with an opening on another day: where numbers begin again, or come from another system, give the mapping another name"
    return {words: count} if count else {}


def _unknown_states(db: DuckDBPyConnection, rule: MomentRule, column: str) -> dict[str, int]:
    unknown = {
        state: count
        for state, count in _word_counts(db, column, f"{quote_name(rule.at)} IS NOT NULL").items()
        if state not in rule.condition.values and not vocabulary.is_closed_status(plain_words(state))
    }
    words = f"rows with a time of closing count as over in states that are not known to mean it ({_listed(unknown)}): where one does not, say so in a mapping of your own"
    return {words: sum(unknown.values())} if unknown else {}


def _unknown_ratings(db: DuckDBPyConnection, mapping: Mapping, rule: MomentRule, column: str) -> dict[str, int]:
    if rule.condition.test != "is":
        return {}  # then each word that is not known costs its moment, and is counted there
    known_words = {word.casefold() for word in rule.values}
    for other in mapping.moments:
        if other.condition.column == column:
            known_words |= {word.casefold() for word in other.condition.values}
    unknown = {
        word: count
        for word, count in _word_counts(db, column, "true").items()
        if word.casefold() not in known_words and plain_words(word) not in vocabulary.SURVEY_NOT_SENT_WORDS
    }
    words = f"ratings in words that are not known ({_listed(unknown)}) were left out"
    return {words: sum(unknown.values())} if unknown else {}


def _word_counts(db: DuckDBPyConnection, column: str, condition: str) -> dict[str, int]:
    """What stands in a column of the loaded rows for which a condition holds, and how often; the commonest first."""
    cell = quote_name(column)
    rows = db.sql(
        f"SELECT {cell}, count(*) FROM sound WHERE {cell} IS NOT NULL AND {condition} GROUP BY 1 ORDER BY 2 DESC"
    )
    return {str(word): int(count) for word, count in rows.fetchall()}


def _listed(counts: dict[str, int]) -> str:
    more = f" and {len(counts) - MAX_LISTED} more" if len(counts) > MAX_LISTED else ""
    return ", ".join(word[:40] for word in list(counts)[:MAX_LISTED]) + more

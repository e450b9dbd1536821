"""What each column of a file is taken for, as a list that somebody can correct: guessed, read off a mapping, or chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from wellserved import mapping as mappings
from wellserved.sources import vocabulary
from wellserved.sources.columns import SourceColumn
from wellserved.sources.guess import (
    Guess,
    RatingColumn,
    guess_roles,
    read_events,
    read_ratings,
    read_states,
    read_verdicts,
)
from wellserved.sources.time_columns import is_clock, pair_clocks, read_length

STAMP_ROLES: Final = ("asked", "assigned", "replied", "promised", "resolved", "reopened")
LENGTH_KINDS: Final = tuple(role.name for role in vocabulary.LENGTHS)
DATE_ORDERS: Final = ("day-first", "month-first", "year-first")
ROLES: Final = {  # role -> what it is, as people say it
    "": "not used",
    "case": "the ticket's number",
    "asked": "when it was asked",
    "assigned": "when somebody took it",
    "replied": "when it was first answered",
    "promised": "when it was due",
    "resolved": "when it was resolved",
    "reopened": "when it was reopened",
    "clock": "the time of day",
    "replied_after": "how long until it was first answered",
    "resolved_after": "how long until it was resolved",
    "event": "what happened in this row",
    "status": "its state (open, closed ...)",
    "kept": "whether it was in time",
    "rating": "the customer's rating",
    "text": "the customer's words",
    "customer_id": "the customer",
    "account_id": "the customer's company",
    "internal": "whether the customer is a colleague (true or false)",
    "person_id": "who served",
    "team": "the team",
    "channel": "the channel (mail, phone ...)",
    "service": "the service",
    "category": "the category",
    "place": "the place",
    "priority": "the priority",
}


def roles_of_guess(guess: Guess) -> dict[str, str]:
    """Column -> role, as it was guessed."""
    single = {"case": guess.case, "text": guess.text}
    single |= {name: role.column for name, role in (("rating", guess.rating), ("kept", guess.kept_flag)) if role}
    single |= {"event": guess.events.column} if guess.events else {}
    single |= {"status": guess.status.column} if guess.status else {}
    lengths = {f"{kind}_after": length.column for kind, length in guess.lengths.items()}
    columns = {**single, **guess.facts, **guess.stamps, **lengths}
    roles = {column.name: role for role, column in columns.items() if column}
    return roles | {clock.name: "clock" for clock in guess.clocks.values()}


def roles_of_mapping(mapping: mappings.Mapping) -> dict[str, str]:
    """Column -> role, as a mapping has them."""
    roles = {mapping.case: "case", **{column: fact for fact, column in mapping.columns.items()}}
    roles |= dict.fromkeys(mapping.clocks.values(), "clock")
    if mapping.moments and all(rule.condition.test in ("is", "enters", "leaves") for rule in mapping.moments):
        events = {rule.condition.column: "event" for rule in mapping.moments if rule.condition.column}
        return {
            **roles,
            mapping.moments[0].at: "asked",
            **events,
            **{rule.text: "text" for rule in mapping.moments if rule.text},
        }
    for rule in mapping.moments:
        if rule.delay and f"{rule.kind}_after" in ROLES:
            roles[rule.delay] = f"{rule.kind}_after"
        elif rule.kind in STAMP_ROLES and rule.kind != "promised" and rule.at_is != "not_before":
            roles.setdefault(rule.at, rule.kind)
        named = {rule.due: "promised", rule.score: "rating", rule.text: "text"}
        named |= {rule.source_kept.column: "kept"} if rule.source_kept else {}
        if rule.kind == "resolved" and rule.condition.column and rule.condition.test in ("is", "is_not"):
            named[rule.condition.column] = "status"
        roles |= {column: role for column, role in named.items() if column}
    return roles


BY_NAME: Final = "its name says so"
BY_CONTENT: Final = {
    **dict.fromkeys(STAMP_ROLES, "it holds dates"),
    **dict.fromkeys((f"{kind}_after" for kind in LENGTH_KINDS), "it holds lengths of time"),
    "clock": "it holds times of day",
    "case": "its values differ from row to row",
    "text": "it holds long texts",
    "rating": "it holds few values",
}


_NAME_PATTERNS: Final[dict[str, tuple[str, ...]]] = {
    **{known.name: known.patterns for known in (*vocabulary.MOMENTS, *vocabulary.FACT_ROLES)},
    **{f"{known.name}_after": known.patterns for known in vocabulary.LENGTHS},
    "case": vocabulary.CASE_NUMBER_NAMES,
    "rating": (vocabulary.RATING_NAMES,),
    "kept": (vocabulary.SLA_NAMES,),
    "status": (vocabulary.STATUS_NAMES,),
    "text": (vocabulary.TEXT_NAMES,),
}


def reasons_of(role: str, column: SourceColumn) -> tuple[str, ...]:
    """Why a column was taken for what it is: its name, its content, or both."""
    is_named = any(map(column.name_matches, _NAME_PATTERNS.get(role, ())))
    return (*((BY_NAME,) if is_named else ()), *((BY_CONTENT[role],) if role in BY_CONTENT else ()))


def choose_roles(
    columns: Sequence[SourceColumn],
    rows: int,
    roles: Mapping[str, str],
    scale: str = "",
    orders: Mapping[str, str] | None = None,
) -> Guess:
    """The columns as somebody chose them; what their content says goes with it.

    `roles`: column -> role, each but "" and "clock" once; `scale`: of numeric ratings, where their content leaves it open;
    `orders`: column -> order of its dates, or unit of its lengths of time, likewise.
    """
    orders = orders or {}
    by_role = {role: column for column in columns if (role := roles.get(column.name, ""))}
    guessed = guess_roles(columns, rows)
    rating_column = by_role.get("rating")
    rating = read_ratings(rating_column) if rating_column else None
    if rating_column and scale and (rating is None or not rating.values):
        rating = RatingColumn(rating_column, scale)
    kept, status = by_role.get("kept"), by_role.get("status")
    stamps: dict[str, SourceColumn] = {role: by_role[role] for role in STAMP_ROLES if role in by_role}
    length_columns = {kind: by_role[f"{kind}_after"] for kind in LENGTH_KINDS if f"{kind}_after" in by_role}
    lengths = {kind: read_length(column, orders.get(column.name, "")) for kind, column in length_columns.items()}
    with_times = [column for column in columns if not is_clock(column) or roles.get(column.name) == "clock"]
    return Guess(
        case=by_role.get("case", guessed.case),
        stamps=stamps,
        events=read_events(by_role["event"]) if "event" in by_role else None,
        facts={fact: by_role[fact] for fact in mappings.FACTS if fact in by_role},
        text=by_role.get("text"),
        rating=rating,
        kept_flag=read_verdicts(kept) if kept else None,
        status=read_states(status) if status else None,
        unclear=(rating_column,) if rating_column and rating is None else (),
        date_orders={column: order for column, order in orders.items() if order in DATE_ORDERS},
        clocks=pair_clocks(with_times, stamps.values()),
        lengths={kind: length for kind, length in lengths.items() if length},
        unclear_lengths=tuple(column for kind, column in length_columns.items() if not lengths[kind]),
    )

"""The first mapping as TOML, with what is to be checked as comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wellserved.mapping import FACTS
from wellserved.sources.columns import SourceColumn
from wellserved.sources.guess import EventColumn, Guess, RatingColumn, StatusColumn
from wellserved.sources.time_columns import LengthColumn

_KIND_ORDER = ("asked", "assigned", "promised", "replied", "resolved", "reopened")


def toml_string(value: str) -> str:
    """A text as TOML writes it."""
    escaped_text = "".join(
        f"\\u{ord(character):04X}" if ord(character) < 32 or ord(character) == 127 else character
        for character in value.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped_text}"'


def draft_mapping(
    source: str,
    columns: Sequence[SourceColumn],
    rows: int,
    roles: Guess,
    zone: str,
    questions: Sequence[str],
    unused_columns: Mapping[str, Sequence[str]],
    part: str = "",
    title: str = "",
) -> str:
    """The mapping's text; `questions` and `unused_columns` stand in it as comments."""
    case = roles.case
    lines = ["# A first guess, to be corrected. What each setting means: docs/sources.md"]
    lines += ["#", "# Please check:", *(_comment(question) for question in questions)] if questions else []
    lines += (
        [
            "#",
            *(
                _comment(f"not used, though they look like {kind}: {', '.join(names)}")
                for kind, names in unused_columns.items()
            ),
        ]
        if unused_columns
        else []
    )
    lines += [
        f"name = {toml_string(source)}",
        f"title = {toml_string(title or source)}",
        *([f"part = {toml_string(part)}"] if part else []),
        f"zone = {toml_string(zone)}  # of stamps that name no zone",
        f"case = {toml_string(case.name)}",
        f"case_missing = {toml_string('refuse' if case.filled_count == rows else 'row')}",
        *(
            ["newest_first = true  # of a case's rows, the last stands first"]
            if roles.events and roles.events.newest_first
            else []
        ),
        f"recognise = {_toml_list([column.name for column in columns])}",
        *_date_lines(columns, roles),
    ]
    placeholders = {column.name: column.placeholders for column in roles.stamps.values() if column.placeholders}
    words = [f"{toml_string(name)} = {_toml_list(values)}" for name, values in placeholders.items()]
    lines += ["", "[no_date]", *words] if words else []
    clocks = [f"{toml_string(day)} = {toml_string(clock.name)}" for day, clock in roles.clocks.items()]
    lines += ["", "[clocks]", *clocks] if clocks else []
    facts = [f"{fact} = {toml_string(column.name)}" for fact in FACTS if (column := roles.facts.get(fact))]
    lines += ["", "[columns]", *facts] if facts else []
    return "\n".join([*lines, *_moment_lines(columns, roles), ""])


def _comment(words: str) -> str:
    return "# - " + " ".join("".join(character if character.isprintable() else " " for character in words).split())


def _toml_list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(toml_string, values))}]"


def _date_lines(columns: Sequence[SourceColumn], roles: Guess) -> list[str]:
    day_number_columns = [column for column in columns if column.is_day_numbers and column in roles.stamps.values()]
    undecided_columns = [column for column in columns if column.undecided_reason]
    lines = [
        f'{toml_string(column.name)} = "excel-days"  # if they are a spreadsheet\'s day numbers'
        for column in day_number_columns
    ]
    lines += [f"{toml_string(column)} = {toml_string(order)}" for column, order in roles.date_orders.items()]
    lines += [
        f'# {toml_string(column.name)} = "day-first"  # or "month-first"'
        for column in undecided_columns
        if column.name not in roles.date_orders
    ]
    return ["", "[dates]", *lines] if lines else []


def _moment_lines(columns: Sequence[SourceColumn], roles: Guess) -> list[str]:
    opening = roles.stamps.get("asked")
    if opening is None:
        return [
            "",
            "# No column of dates was found: a moment needs one.",
            "# [[moment]]",
            '# kind = "asked"',
            '# at = "..."',
        ]
    if roles.events:
        return _event_lines(opening, roles, roles.events)
    lines: list[str] = []
    for kind in _KIND_ORDER:
        column = roles.stamps.get(kind)
        if kind == "promised":
            lines += _promise_lines(opening, column, roles)
        elif kind == "resolved":
            lines += _resolved_lines(opening, column, columns, roles)
        elif column is not None:
            lines += _block_lines(kind, column)
            lines += ["required = true"] if kind == "asked" else []
            lines += [f"text = {toml_string(roles.text.name)}"] if kind == "asked" and roles.text else []
        elif kind in roles.lengths:
            lines += _length_lines(kind, opening, roles.lengths[kind])
    return lines + (_rating_lines(roles.rating, opening) if roles.rating else [])


def _event_lines(at: SourceColumn, roles: Guess, events: EventColumn) -> list[str]:
    """The moments of a history, a row each."""
    lines: list[str] = []
    test = "enters" if events.holds_states else "is"
    for kind, words in events.kinds.items():
        lines += _block_lines(kind, at)
        lines += ["required = true"] if kind == "asked" else []
        lines += [f"text = {toml_string(roles.text.name)}"] if kind == "asked" and roles.text else []
        lines.append(f"when = {{ column = {toml_string(events.column.name)}, {test} = {_toml_list(words)} }}")
    if events.holds_states and "resolved" in events.kinds and "reopened" not in events.kinds:
        lines += _block_lines("reopened", at)
        lines.append(
            f"when = {{ column = {toml_string(events.column.name)}, leaves = {_toml_list(events.kinds['resolved'])} }}"
        )
    return lines


def _length_lines(kind: str, opening: SourceColumn, length: LengthColumn) -> list[str]:
    """A moment that came so long after the opening."""
    return [
        *_block_lines(kind, opening),
        f"delay = {toml_string(length.column.name)}",
        f"delay_unit = {toml_string(length.unit)}",
    ]


def _block_lines(kind: str, at: SourceColumn) -> list[str]:
    return ["", "[[moment]]", f'kind = "{kind}"', f"at = {toml_string(at.name)}"]


def _promise_lines(opening: SourceColumn, due: SourceColumn | None, roles: Guess) -> list[str]:
    kept_flag = roles.kept_flag
    if due is None and kept_flag is None:
        return []
    lines = _block_lines("promised", opening)
    lines += [f"due = {toml_string(due.name)}"] if due else []
    if kept_flag:
        words = f"yes = {_toml_list(kept_flag.yes_values)}, no = {_toml_list(kept_flag.no_values)}"
        lines.append(f"source_kept = {{ column = {toml_string(kept_flag.column.name)}, {words} }}")
    return lines


def _resolved_lines(
    opening: SourceColumn, closing_column: SourceColumn | None, columns: Sequence[SourceColumn], roles: Guess
) -> list[str]:
    status = roles.status
    if closing_column is None and (length := roles.lengths.get("resolved")):
        return _length_lines("resolved", opening, length) + _open_state_lines(status)
    if closing_column is not None:
        is_reopened = not closing_column.name_matches(r"\bfirst\b|\berste") and any(
            column.name_matches(r"\bre ?open") and column.is_numeric and column.high > 0 for column in columns
        )
        last_line = 'at_is = "last"  # cases were reopened: this is the time of the last closing'
        hint = '# at_is = "last"  # if a case that was reopened shows the time of its last closing here'
        lines = [*_block_lines("resolved", closing_column), last_line if is_reopened else hint]
        return lines + _state_lines(status, closing_column)
    if status is None:
        return []
    return [
        *_block_lines("resolved", opening),
        'at_is = "not_before"  # no column says when: the earliest possible time',
        f"when = {{ column = {toml_string(status.column.name)}, is = {_toml_list(status.closed_values)} }}",
    ]


def _state_lines(status: StatusColumn | None, closing_column: SourceColumn) -> list[str]:
    """Which rows with a time of closing are closed: one that is open again, or was cancelled, keeps such a time."""
    if status is None:
        return []
    column, lines = toml_string(status.column.name), _open_state_lines(status)
    if status.cancelled_values:
        lines += _block_lines("abandoned", closing_column)
        lines.append(f"when = {{ column = {column}, is = {_toml_list(status.cancelled_values)} }}")
    return lines


def _open_state_lines(status: StatusColumn | None) -> list[str]:
    """That a row whose state says so was not resolved, whatever else stands there."""
    other_values = [*status.open_values, *status.cancelled_values] if status else []
    if status is None or not other_values:
        return []
    return [f"when = {{ column = {toml_string(status.column.name)}, is_not = {_toml_list(other_values)} }}"]


def _rating_lines(rating: RatingColumn, at: SourceColumn) -> list[str]:
    """A rating, at a time that the file does not give."""
    column = toml_string(rating.column.name)
    lines = [
        *_block_lines("rated", at),
        'at_is = "not_before"  # no column says when',
        f"score = {column}",
        f'scale = "{rating.scale}"',
    ]
    if rating.values:
        lines.append(
            f"values = {{ {', '.join(f'{toml_string(word)} = {score}' for word, score in rating.values.items())} }}"
        )
        lines.append(f"when = {{ column = {column}, is = {_toml_list(list(rating.values))} }}")
    if rating.asked_values:
        lines += [*_block_lines("surveyed", at), 'at_is = "not_before"']
        lines.append(f"when = {{ column = {column}, is = {_toml_list([*rating.asked_values, *rating.values])} }}")
    return lines

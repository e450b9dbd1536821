"""The first mapping as TOML, with what is to be checked as comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wellserved.sources.columns import Column
from wellserved.sources.guess import Guess, Rating

_ORDER = ("asked", "assigned", "promised", "replied", "resolved", "reopened")


def quoted(value: str) -> str:
    """A text as TOML writes it."""
    escaped = "".join(
        f"\\u{ord(sign):04X}" if ord(sign) < 32 or ord(sign) == 127 else sign
        for sign in value.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'


def draft(
    source: str,
    columns: Sequence[Column],
    rows: int,
    guessed: Guess,
    zone: str,
    questions: Sequence[str],
    unused: Mapping[str, Sequence[str]],
) -> str:
    """The mapping's text; `questions` and `unused` stand in it as comments."""
    case = guessed.case
    lines = ["# A first guess, to be corrected. What each setting means: docs/sources.md"]
    lines += ["#", "# Please check:", *(_comment(question) for question in questions)] if questions else []
    lines += (
        [
            "#",
            *(
                _comment(f"not used, though they look like {what}: {', '.join(names)}")
                for what, names in unused.items()
            ),
        ]
        if unused
        else []
    )
    lines += [
        f"name = {quoted(source)}",
        f"title = {quoted(source)}",
        f"zone = {quoted(zone)}  # of stamps that name no zone",
        f"case = {quoted(case.name)}",
        f"case_missing = {quoted('refuse' if case.filled == rows else 'row')}",
        f"recognise = {_listed([column.name for column in columns[:4]])}",
        *_dates(columns, guessed),
    ]
    facts = [f"{fact} = {quoted(column.name)}" for fact, column in guessed.facts.items()]
    lines += ["", "[columns]", *facts] if facts else []
    return "\n".join([*lines, *_moments(columns, guessed), ""])


def _comment(words: str) -> str:
    return "# - " + " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())


def _listed(values: Sequence[str]) -> str:
    return f"[{', '.join(map(quoted, values))}]"


def _dates(columns: Sequence[Column], guessed: Guess) -> list[str]:
    numbers = [column for column in columns if column.day_numbers and column in guessed.stamps.values()]
    unsure = [column for column in columns if column.undecided]
    lines = [f'{quoted(column.name)} = "excel-days"  # if they are a spreadsheet\'s day numbers' for column in numbers]
    lines += [f'# {quoted(column.name)} = "day-first"  # or "month-first"' for column in unsure]
    return ["", "[dates]", *lines] if lines else []


def _moments(columns: Sequence[Column], guessed: Guess) -> list[str]:
    asked = guessed.stamps.get("asked")
    if asked is None:
        return [
            "",
            "# No column of dates was found: a moment needs one.",
            "# [[moment]]",
            '# kind = "asked"',
            '# at = "..."',
        ]
    lines: list[str] = []
    for kind in _ORDER:
        column = guessed.stamps.get(kind)
        if kind == "promised":
            lines += _promise(asked, column, guessed)
        elif kind == "resolved":
            lines += _resolved(asked, column, columns, guessed)
        elif column is not None:
            lines += _block(kind, column)
            lines += ["required = true"] if kind == "asked" else []
            lines += [f"text = {quoted(guessed.text.name)}"] if kind == "asked" and guessed.text else []
    return lines + (_rated(guessed.rating, asked) if guessed.rating else [])


def _block(kind: str, at: Column) -> list[str]:
    return ["", "[[moment]]", f'kind = "{kind}"', f"at = {quoted(at.name)}"]


def _promise(asked: Column, due: Column | None, guessed: Guess) -> list[str]:
    kept = guessed.kept
    if due is None and kept is None:
        return []
    lines = _block("promised", asked)
    lines += [f"due = {quoted(due.name)}"] if due else []
    if kept:
        words = f"yes = {_listed(kept.yes)}, no = {_listed(kept.no)}"
        lines.append(f"source_kept = {{ column = {quoted(kept.column.name)}, {words} }}")
    return lines


def _resolved(asked: Column, closing: Column | None, columns: Sequence[Column], guessed: Guess) -> list[str]:
    if closing is not None:
        again = any(column.says(r"\bre ?open") and column.numeric and column.high > 0 for column in columns)
        last = 'at_is = "last"  # cases were reopened: this is the time of the last closing'
        hint = '# at_is = "last"  # if a case that was reopened shows the time of its last closing here'
        return [*_block("resolved", closing), last if again else hint]
    if (status := guessed.status) is None:
        return []
    return [
        *_block("resolved", asked),
        'at_is = "not_before"  # no column says when: the earliest possible time',
        f"when = {{ column = {quoted(status.column.name)}, is = {_listed(status.closed)} }}",
    ]


def _rated(rating: Rating, at: Column) -> list[str]:
    """A rating, at a time that the file does not give."""
    column = quoted(rating.column.name)
    lines = [
        *_block("rated", at),
        'at_is = "not_before"  # no column says when',
        f"score = {column}",
        f'scale = "{rating.scale}"',
    ]
    if rating.values:
        lines.append(
            f"values = {{ {', '.join(f'{quoted(word)} = {score}' for word, score in rating.values.items())} }}"
        )
        lines.append(f"when = {{ column = {column}, is = {_listed(list(rating.values))} }}")
    if rating.asked:
        lines += [*_block("surveyed", at), 'at_is = "not_before"']
        lines.append(f"when = {{ column = {column}, is = {_listed([*rating.asked, *rating.values])} }}")
    return lines

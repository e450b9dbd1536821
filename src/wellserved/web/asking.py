"""Questions in addresses: every, by, since, until, where=column=value, as the command line's options."""

from __future__ import annotations

from datetime import date
from typing import get_args

from django.http import QueryDict

from wellserved.errors import PeriodError, RequestError
from wellserved.measure import Question, find_measure
from wellserved.moments import Every

EVERY: tuple[Every, ...] = get_args(Every)


def question_in(given: QueryDict, name: str) -> Question:
    """A question from an address."""
    pairs = []
    for one in filter(None, given.getlist("where")):
        column, equals, value = one.partition("=")
        if not equals:
            raise RequestError(f"where={one!r} names no value.", "Write it as where=team=Billing.")
        pairs.append((column.strip(), value))
    span = day_in(given, "since"), day_in(given, "until")
    return Question((find_measure(name),), given.get("by") or None, every_in(given), *span, tuple(pairs))


def every_in(given: QueryDict) -> Every | None:
    """The period that an address names."""
    named = given.get("every") or None
    for one in EVERY:
        if one == named:
            return one
    if named is not None:
        raise PeriodError(f"There is no period {named!r}.", f"Choose one of {', '.join(EVERY)}.")
    return None


def day_in(given: QueryDict, name: str) -> date | None:
    """A day that an address names."""
    text = given.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise PeriodError(f"{name} {text!r} is no date.", "Write it as 2015-03-31.") from error

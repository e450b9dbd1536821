"""Questions in addresses: every, by, since, until, where=column=value, as the command line's options."""

from __future__ import annotations

from datetime import date
from typing import get_args

from django.http import QueryDict

from wellserved.errors import PeriodError, RequestError
from wellserved.measure import Question, find_measure
from wellserved.moments import Every

EVERY: tuple[Every, ...] = get_args(Every)


def question_in(parameters: QueryDict, name: str) -> Question:
    """A question from an address."""
    pairs = []
    for condition in filter(None, parameters.getlist("where")):
        column, equals, value = condition.partition("=")
        if not equals:
            raise RequestError(f"where={condition!r} names no value.", "Write it as where=team=Billing.")
        pairs.append((column.strip(), value))
    span = day_in(parameters, "since"), day_in(parameters, "until")
    return Question((find_measure(name),), parameters.get("by") or None, every_in(parameters), *span, tuple(pairs))


def every_in(parameters: QueryDict) -> Every | None:
    """The period that an address names."""
    name = parameters.get("every") or None
    for granularity in EVERY:
        if granularity == name:
            return granularity
    if name is not None:
        raise PeriodError(f"There is no period {name!r}.", f"Choose one of {', '.join(EVERY)}.")
    return None


def day_in(parameters: QueryDict, name: str) -> date | None:
    """A day that an address names."""
    text = parameters.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise PeriodError(f"{name} {text!r} is no date.", "Write it as 2015-03-31.") from error

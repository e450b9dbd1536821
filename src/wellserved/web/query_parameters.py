"""Questions in addresses: every, by, since, until, where=column=value, about, as the command line's options."""

from __future__ import annotations

from datetime import date
from typing import get_args

from django.http import QueryDict

from wellserved.errors import PeriodError, RequestError
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.moments import Granularity

GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)


def question_in(parameters: QueryDict, name: str) -> MeasureQuestion:
    """A question from an address."""
    pairs = []
    for condition in filter(None, parameters.getlist("where")):
        column, equals, value = condition.partition("=")
        if not equals:
            raise RequestError(f"where={condition!r} names no value.", "Write it as where=team=Billing.")
        pairs.append((column.strip(), value))
    span = day_in(parameters, "since"), day_in(parameters, "until")
    return MeasureQuestion(
        (find_measure(name),),
        parameters.get("by") or None,
        granularity_in(parameters),
        *span,
        tuple(pairs),
        parameters.get("about") or "",
    )


def granularity_in(parameters: QueryDict) -> Granularity | None:
    """The period that an address names."""
    name = parameters.get("every") or None
    for granularity in GRANULARITIES:
        if granularity == name:
            return granularity
    if name is not None:
        raise PeriodError(f"There is no period {name!r}.", f"Choose one of {', '.join(GRANULARITIES)}.")
    return None


def day_in(parameters: QueryDict, name: str) -> date | None:
    """A day that an address names."""
    text = parameters.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise PeriodError(f"{name} {text!r} is no date.", "Write it as 2015-03-31.") from error

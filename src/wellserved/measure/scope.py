"""The cases that a question is put to: a table in an engine, and what is known about each source in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from wellserved.calendar import Calendars, Clock, span_of_days
from wellserved.engine import Engine
from wellserved.measure.series import Question
from wellserved.moments import day_number
from wellserved.scales import BUILT_IN, Scales, bad_sql, good_sql


@dataclass(frozen=True)
class Scope:
    """The cases that a question is put to: a table in the engine and what is known about it."""

    engine: Engine
    table: str
    zone: str
    as_of: Mapping[str, int]  # source -> epoch second up to which it is known
    log_version: int
    begins: Mapping[str, int] = field(default_factory=dict)  # source -> epoch second of its first ask
    hours: Mapping[tuple[str, str], int] = field(default_factory=dict)  # source, calendar -> as_of in business seconds
    surveying: tuple[str, ...] = ()  # sources that record who was asked for a rating
    cannot: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict
    )  # source -> kind of moment -> why it is not told
    scales: Scales = field(default_factory=lambda: BUILT_IN)  # those known, the workspace's own too
    age: tuple[str, int] | None = None  # every case as it stood so many seconds after its anchor; None: as it stands


def followed(scope: Scope) -> Scope:
    """The cases with next_asked_s: when the same customer next asked for the same service."""
    own = "PARTITION BY source, customer_id, service ORDER BY asked_s, case_id"
    return replace(
        scope, table=f"(SELECT *, LEAD(asked_s) OVER ({own}) AS next_asked_s FROM {scope.table}) AS followed"
    )


def filters(scope: Scope, question: Question) -> tuple[str, dict[str, object]]:
    """The question's filters as SQL with bound values; columns were checked against the whitelist."""
    wanted: dict[str, list[str]] = {}
    for column, value in question.where:
        wanted.setdefault(column, []).append(value)
    terms: list[str] = []
    values: dict[str, object] = {}
    for column, options in wanted.items():
        names = []
        for option in options:
            key = f"v{len(values)}"
            values[key] = option
            names.append(f"${key}")
        terms.append(f"CAST({column} AS {scope.engine.string}) IN ({', '.join(names)})")
    return " AND ".join(terms) or "1 = 1", values


def sources_of(scope: Scope, where: str, values: Mapping[str, object]) -> list[str]:
    """The sources that the filters leave."""
    if len(scope.as_of) <= 1:
        return list(scope.as_of)
    found = scope.engine.ask(f"SELECT DISTINCT source FROM {scope.table} WHERE {where}", values)
    return [str(one) for one in found["source"].to_pylist()]


def _as_of(scope: Scope) -> str:
    """SQL: the epoch second up to which a case's source is known, or up to which the case is looked at."""
    if scope.age:
        return f"{scope.age[0]}_s + {scope.age[1]}"
    ends = sorted(set(scope.as_of.values()))
    if len(ends) <= 1:
        return str(ends[0] if ends else 0)
    cases = " ".join(f"WHEN {scope.engine.text(source)} THEN {end}" for source, end in sorted(scope.as_of.items()))
    return f"CASE source {cases} ELSE 0 END"


def within(question: Question, anchor: str) -> str:
    """SQL: the anchor's local day lies in the question's span."""
    terms = [f"{anchor}_day >= {day_number(question.since)}"] if question.since else []
    terms += [f"{anchor}_day < {day_number(question.until)}"] if question.until else []
    return " AND ".join(terms) or "1 = 1"


def fill(sql: str, scope: Scope) -> str:
    """SQL with {as_of}, {as_of_bus}, {surveyed}, {good} and {bad} put in."""
    sql = sql.replace("{as_of}", f"({_as_of(scope)})").replace("{as_of_bus}", f"({_as_of_bus(scope)})")
    sql = sql.replace("{good}", f"({good_sql(scope.scales)})").replace("{bad}", f"({bad_sql(scope.scales)})")
    return sql.replace("{surveyed}", _surveyed(scope))


def _surveyed(scope: Scope) -> str:
    """SQL: the customer was asked for a rating, or may have been where the source does not record it."""
    if not scope.surveying:
        return "resolutions > 0"
    listed = ", ".join(map(scope.engine.text, scope.surveying))
    return f"(CASE WHEN source IN ({listed}) THEN surveys > 0 ELSE resolutions > 0 END)"


def _as_of_bus(scope: Scope) -> str:
    """SQL: as_of in the business seconds of the case's calendar."""
    if scope.age:
        return "CAST(NULL AS BIGINT)"  # an age is calendar time
    whens = (
        f"WHEN source = {scope.engine.text(source)} AND calendar = {scope.engine.text(calendar)} THEN {second}"
        for (source, calendar), second in sorted(scope.hours.items())
    )
    return f"CASE {' '.join(whens)} END" if scope.hours else "CAST(NULL AS BIGINT)"


def scope_of(
    engine: Engine,
    table: str,
    zone: str,
    log_version: int,
    as_of: Callable[[], Mapping[str, int]] | None = None,
    calendars: Calendars | None = None,
    cannot: Mapping[str, Mapping[str, str]] | None = None,
    scales: Scales = BUILT_IN,
) -> Scope:
    """The cases in `table`, each source known up to its latest moment."""
    surveying: tuple[str, ...] = ()
    begins: dict[str, int] = {}
    if as_of is not None:
        ends = dict(as_of())
    else:
        sql = f"SELECT source, MIN(asked_s) AS asked_s, MAX(last_s) AS last_s, MAX(surveys) AS surveys FROM {table} GROUP BY source"
        found = engine.ask(sql).to_pylist()
        ends = {str(one["source"]): int(one["last_s"]) for one in found}
        begins = {str(one["source"]): int(one["asked_s"]) for one in found if one["asked_s"] is not None}
        surveying = tuple(sorted(str(one["source"]) for one in found if one["surveys"]))
    hours = {
        (source, calendar.name): int(Clock(calendar, *span_of_days(end, end)).at(np.array([end]))[0])
        for calendar in (calendars.all if calendars else ())
        for source, end in ends.items()
    }
    return Scope(engine, table, zone, ends, log_version, begins, hours, surveying, cannot or {}, scales)

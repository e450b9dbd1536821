"""The cases that a question is put to: a table in an engine, and what is known about each source in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np

from wellserved.calendar import Calendars, Clock, span_of_days
from wellserved.engine import Engine
from wellserved.measure.series import MeasureQuestion
from wellserved.moments import PROBLEM, day_number
from wellserved.scales import BUILT_IN, Scales, bad_sql, good_sql


@dataclass(frozen=True)
class ProblemWords:
    """Which problem each text is about, and the problem that a question is about."""

    table: str  # of the engine: source, case_id, at_s, number, label, share; empty: nobody has listened
    labels: Mapping[str, str]  # id -> label, for filters
    about: str = ""  # SQL over the case and its words: 1 where the case is about the problem in question
    told: str = ""  # SQL: 1 where the case could tell; empty: where its customer used words

    def joined_sql(self, cases: str, age: tuple[str, int] | None = None) -> str:
        """SQL: cases with `problem`, `about` and `told`; at an age, by the words that had been said by then."""
        about = self.about or "CAST(NULL AS INTEGER)"
        told = self.told or ("CAST(w.labels IS NOT NULL AS INTEGER)" if self.table else "CAST(NULL AS INTEGER)")
        if not self.table:
            return f"SELECT c.*, CAST(NULL AS VARCHAR) AS problem, {about} AS about, {told} AS told FROM {cases} c"
        said = self.table
        if age:
            said = f"(SELECT w.* FROM {self.table} w JOIN {cases} c USING (source, case_id) WHERE w.at_s <= c.{age[0]}_s + {age[1]})"
        return f"""
            WITH votes AS (
                SELECT source, case_id, number, any_value(label) AS label, sum(share) AS share FROM {said} GROUP BY ALL
            ), chosen AS (
                SELECT source, case_id, arg_max(label, share - number / 1e9) FILTER (label IS NOT NULL) AS problem,
                       list(label) AS labels FROM votes GROUP BY ALL
            )
            SELECT c.*, w.problem, {about} AS about, {told} AS told FROM {cases} c LEFT JOIN chosen w USING (source, case_id)"""


@dataclass(frozen=True)
class CaseTable:
    """The cases that a question is put to: a table in the engine and what is known about it."""

    engine: Engine
    table: str
    zone: str
    as_of: Mapping[str, int]  # source -> epoch second up to which it is known
    log_version: int
    begins: Mapping[str, int] = field(default_factory=dict)  # source -> epoch second of its first ask
    hours: Mapping[tuple[str, str], int] = field(default_factory=dict)  # source, calendar -> as_of in business seconds
    survey_sources: tuple[str, ...] = ()  # sources that record who was asked for a rating
    # source -> kind of moment -> why it is not told
    cannot: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    scales: Scales = field(default_factory=lambda: BUILT_IN)  # those known, the workspace's own too
    age: tuple[str, int] | None = None  # every case as it stood so many seconds after its anchor; None: as it stands
    words: ProblemWords | None = None  # what customers' words are about, where that is asked for

    @property
    def known_days(self) -> dict[str, date]:
        """Source -> the last local day that it knows."""
        zone = ZoneInfo(self.zone)
        return {source: datetime.fromtimestamp(end, UTC).astimezone(zone).date() for source, end in self.as_of.items()}


def with_next_ask(case_table: CaseTable) -> CaseTable:
    """The cases with next_asked_s: when the same customer next asked for the same service."""
    window = "PARTITION BY source, customer_id, service ORDER BY asked_s, case_id"
    return replace(
        case_table,
        table=f"(SELECT *, LEAD(asked_s) OVER ({window}) AS next_asked_s FROM {case_table.table}) AS followed",
    )


def filter_sql(case_table: CaseTable, question: MeasureQuestion) -> tuple[str, dict[str, object]]:
    """The question's filters as SQL with bound values; columns were checked against the whitelist."""
    options_by_column: dict[str, list[str]] = {}
    for column, value in question.where:
        options_by_column.setdefault(column, []).append(value)
    terms: list[str] = []
    values: dict[str, object] = {}
    for column, options in options_by_column.items():
        names = []
        for option in options:
            if column == PROBLEM and case_table.words:
                option = case_table.words.labels.get(option, option)
            key = f"v{len(values)}"
            values[key] = option
            names.append(f"${key}")
        terms.append(f"CAST({column} AS {case_table.engine.string}) IN ({', '.join(names)})")
    return " AND ".join(terms) or "1 = 1", values


def sources_of(case_table: CaseTable, where: str, values: Mapping[str, object]) -> list[str]:
    """The sources that the filters leave."""
    if len(case_table.as_of) <= 1:
        return list(case_table.as_of)
    source_rows = case_table.engine.query(f"SELECT DISTINCT source FROM {case_table.table} WHERE {where}", values)
    return [str(source) for source in source_rows["source"].to_pylist()]


def _as_of_sql(case_table: CaseTable) -> str:
    """SQL: the epoch second up to which a case's source is known, or up to which the case is looked at."""
    if case_table.age:
        return f"{case_table.age[0]}_s + {case_table.age[1]}"
    ends = sorted(set(case_table.as_of.values()))
    if len(ends) <= 1:
        return str(ends[0] if ends else 0)
    cases = " ".join(
        f"WHEN {case_table.engine.quote_text(source)} THEN {end}" for source, end in sorted(case_table.as_of.items())
    )
    return f"CASE source {cases} ELSE 0 END"


def period_sql(question: MeasureQuestion, date_basis: str) -> str:
    """SQL: the local day of a case's date lies in the question's span."""
    terms = [f"{date_basis}_day >= {day_number(question.since)}"] if question.since else []
    terms += [f"{date_basis}_day < {day_number(question.until)}"] if question.until else []
    return " AND ".join(terms) or "1 = 1"


def fill_sql(sql: str, case_table: CaseTable) -> str:
    """SQL with {as_of}, {as_of_bus}, {surveyed}, {good}, {bad}, {about} and {told} put in."""
    sql = sql.replace("{as_of}", f"({_as_of_sql(case_table)})").replace(
        "{as_of_bus}", f"({_as_of_business_sql(case_table)})"
    )
    sql = sql.replace("{good}", f"({good_sql(case_table.scales)})").replace("{bad}", f"({bad_sql(case_table.scales)})")
    unknown = {"about": "INTEGER", "told": "INTEGER", PROBLEM: case_table.engine.string}
    for name, kind in unknown.items():
        sql = sql.replace(f"{{{name}}}", name if case_table.words else f"CAST(NULL AS {kind})")
    return sql.replace("{surveyed}", _surveyed_sql(case_table))


def _surveyed_sql(case_table: CaseTable) -> str:
    """SQL: the customer was asked for a rating, or may have been where the source does not record it."""
    if not case_table.survey_sources:
        return "resolutions > 0"
    source_list = ", ".join(map(case_table.engine.quote_text, case_table.survey_sources))
    return f"(CASE WHEN source IN ({source_list}) THEN surveys > 0 ELSE resolutions > 0 END)"


def _as_of_business_sql(case_table: CaseTable) -> str:
    """SQL: as_of in the business seconds of the case's calendar."""
    if case_table.age:
        return "CAST(NULL AS BIGINT)"  # an age is calendar time
    branches = (
        f"WHEN source = {case_table.engine.quote_text(source)} AND calendar = {case_table.engine.quote_text(calendar)} THEN {second}"
        for (source, calendar), second in sorted(case_table.hours.items())
    )
    return f"CASE {' '.join(branches)} END" if case_table.hours else "CAST(NULL AS BIGINT)"


def make_case_table(
    engine: Engine,
    table: str,
    zone: str,
    log_version: int,
    as_of: Callable[[], Mapping[str, int]] | None = None,
    calendars: Calendars | None = None,
    cannot: Mapping[str, Mapping[str, str]] | None = None,
    scales: Scales = BUILT_IN,
) -> CaseTable:
    """The cases in `table`, each source known up to its latest moment."""
    survey_sources: tuple[str, ...] = ()
    begins: dict[str, int] = {}
    if as_of is not None:
        ends = dict(as_of())
    else:
        sql = f"SELECT source, MIN(asked_s) AS asked_s, MAX(last_s) AS last_s, MAX(surveys) AS surveys FROM {table} GROUP BY source"
        source_rows = engine.query(sql).to_pylist()
        ends = {str(row["source"]): int(row["last_s"]) for row in source_rows}
        begins = {str(row["source"]): int(row["asked_s"]) for row in source_rows if row["asked_s"] is not None}
        survey_sources = tuple(sorted(str(row["source"]) for row in source_rows if row["surveys"]))
    hours = business_ends(calendars, ends)
    return CaseTable(engine, table, zone, ends, log_version, begins, hours, survey_sources, cannot or {}, scales)


def business_ends(calendars: Calendars | None, ends: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """By source and calendar, the business seconds up to the second that the source is known to."""
    return {
        (source, calendar.name): int(Clock(calendar, *span_of_days(end, end)).open_seconds_at(np.array([end]))[0])
        for calendar in (calendars.calendars if calendars else ())
        for source, end in ends.items()
    }


def midnight(day: date | None, case_table: CaseTable, latest: int) -> int:
    """First epoch second of a local day, or after as-of if that is earlier or there is no day."""
    if day is None:
        return latest + 1
    return min(int(datetime.combine(day, time(), ZoneInfo(case_table.zone)).timestamp()), latest + 1)

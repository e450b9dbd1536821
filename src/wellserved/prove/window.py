"""What a proof looks at: cases at one age, before and after a day."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from wellserved.calendar import Calendars
from wellserved.cases import fold_into, register_cases
from wellserved.cases.fold import FOLD_INPUT_COLUMNS, fold_cases
from wellserved.cases.ordered import encode_dictionary
from wellserved.cases.slices import MAX_MOMENTS_HELD
from wellserved.engine.duckdb import DuckDB, query, quote_name, quote_text
from wellserved.errors import PeriodError, RequestError
from wellserved.measure import MeasureQuestion
from wellserved.measure.case_table import CaseTable, filter_sql, sources_of
from wellserved.moments import Granularity

CaseFilter = tuple[tuple[str, str], ...]
AGE_ANCHORS = ("asked", "resolved", "due")  # what a case's age may be counted from
SINCE_VIEW = "cases_since"  # the cases without those of the sources that are left out
SMALL_SOURCE_SHARE = (
    0.05  # of all cases: a source with fewer that ends early does not cut the record of the others short
)


@dataclass
class AnalysisWindow:
    """Cases and the moments they come from, looked at before and after a change."""

    case_table: CaseTable
    moments_table: str  # table of the log
    calendars: Calendars
    change: date
    granularity: Granularity
    since: date | None = None
    until: date | None = None
    capped_follow_up: bool = (
        True  # an age is never more than half of the time since the change; else what is too young waits
    )
    # cases at their age, folded once
    case_tables_by_age: dict[tuple[str, int], CaseTable] = field(default_factory=dict)
    # sources left out -> the day up to which each is known
    excluded_sources: dict[str, date] = field(default_factory=dict)
    other_change_days: tuple[
        date, ...
    ] = ()  # other days on which something was changed, so that a level may jump there
    settles: date | None = None  # the first day on which the change had come in altogether; None: at once
    case_filters: tuple[CaseFilter, ...] = ((),)  # the filters of all sides that will be looked at
    # source, measure -> why it was left out of that
    coverage_gaps: dict[tuple[str, str], str] = field(default_factory=dict)
    # filters -> epoch second up to which their sources are known
    known_ends: dict[CaseFilter, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.case_table.engine, DuckDB):
            raise RequestError("A change is proved on DuckDB alone.", "Unset WELLSERVED_ENGINE for this question.")
        if (self.since and self.change <= self.since) or (self.until and self.change >= self.until):
            raise PeriodError(
                f"The change, {self.change}, lies outside the window.", "Give --since before it and --until after it."
            )
        self.db = self.case_table.engine.db
        if len(self.case_table.as_of) > 1 and self.case_table.table != SINCE_VIEW:
            self._leave_out_ended()

    def _leave_out_ended(self) -> None:
        """Leave out the sources that can say nothing of the time since the change, or next to nothing and end early.

        Their cases would stand before the change alone, or cut every other record short.
        """
        known_days = self.case_table.known_days
        ended_sources: dict[str, date] = {}
        kept_sources: set[str] = set()
        for where in self.case_filters:
            cases = self._cases_by_source(where)
            last, few_cases = (
                max((known_days[source] for source in cases), default=date.min),
                SMALL_SOURCE_SHARE * sum(cases.values()),
            )
            early_sources = {
                s for s, n in cases.items() if known_days[s] <= self.change or (known_days[s] < last and n < few_cases)
            }
            early_sources = set() if len(early_sources) == len(cases) else early_sources
            ended_sources |= {source: known_days[source] for source in early_sources}
            kept_sources |= cases.keys() - early_sources
        self.excluded_sources = {source: day for source, day in ended_sources.items() if source not in kept_sources}
        if self.excluded_sources:
            excluded_list = ", ".join(map(quote_text, sorted(self.excluded_sources)))
            kept_sql = f"SELECT * FROM {self.case_table.table} WHERE source NOT IN ({excluded_list})"
            self.db.execute(f"CREATE OR REPLACE TEMP VIEW {SINCE_VIEW} AS {kept_sql}")
            known_ends = {
                source: end for source, end in self.case_table.as_of.items() if source not in self.excluded_sources
            }
            self.case_table = replace(self.case_table, table=SINCE_VIEW, as_of=known_ends)

    def _cases_by_source(self, where: CaseFilter) -> dict[str, int]:
        """Source -> its cases among those that a filter leaves."""
        condition, values = filter_sql(self.case_table, MeasureQuestion((), where=where))
        sql = f"SELECT source, COUNT(*) AS n FROM {self.case_table.table} WHERE {condition} GROUP BY source"
        return {str(row["source"]): int(row["n"]) for row in self.case_table.engine.query(sql, values).to_pylist()}

    def known_until(self, where: CaseFilter) -> datetime:
        """The instant up to which every source in the question is known, in the workspace's zone."""
        if where not in self.known_ends:
            condition, values = filter_sql(self.case_table, MeasureQuestion((), where=where))
            sources = sources_of(self.case_table, condition, values)
            self.known_ends[where] = min((self.case_table.as_of[source] for source in sources), default=0)
        return datetime.fromtimestamp(self.known_ends[where], UTC).astimezone(ZoneInfo(self.case_table.zone))

    def at_age(self, date_basis: str, seconds: int) -> CaseTable:
        """The cases as each stood so many seconds after its anchor."""
        if (date_basis, seconds) not in self.case_tables_by_age:
            table = f"young_{date_basis}_{seconds}"
            self._fold_young(table, date_basis, seconds)
            if words := self.case_table.words:
                self.db.execute(f"CREATE TEMP TABLE {table}_told AS {words.joined_sql(table, (date_basis, seconds))}")
                table = f"{table}_told"
            self.case_tables_by_age[date_basis, seconds] = replace(
                self.case_table, table=table, age=(date_basis, seconds)
            )
        return self.case_tables_by_age[date_basis, seconds]

    def _fold_young(self, table: str, date_basis: str, seconds: int) -> None:
        """Fold the moments up to so many seconds after the anchor of their case; those that fit are read once for all ages."""
        if (moments := self._held_moments) is not None:
            microseconds, begins = (moments[name].to_numpy() for name in ("at_us", f"{date_basis}_s"))
            with np.errstate(invalid="ignore"):  # of a case without an anchor
                is_young = microseconds <= (begins + seconds) * 1_000_000
            register_cases(self.db, table, fold_cases(moments, self.case_table.zone, self.calendars, is_young))
            return
        self.db.execute(
            f'CREATE TEMP TABLE {table}_moments AS {self._moments_sql} WHERE epoch(m."at") <= {date_basis}_s + {seconds}'
        )
        fold_into(self.db, table, f"{table}_moments", self.case_table.zone, self.calendars)
        self.db.execute(f"DROP TABLE {table}_moments")

    @cached_property
    def _held_moments(self) -> pa.Table | None:
        """All moments with the anchors of their cases; None: they are too many to be held."""
        (count,) = self.db.sql(f"SELECT count(*) FROM {self.moments_table}").fetchall()[0]
        if count > MAX_MOMENTS_HELD:
            return None
        moments = query(self.db, self._moments_sql)
        # the few words of most columns are looked up once, not at every age
        for index, column in enumerate(moments.schema):
            if pa.types.is_string(column.type) and column.name not in ("case_id", "customer_id"):
                moments = moments.set_column(index, column.name, encode_dictionary(moments[column.name]))
        return moments

    @property
    def _moments_sql(self) -> str:
        columns = ", ".join(f"m.{quote_name(column)}" for column in FOLD_INPUT_COLUMNS)
        anchors = ", ".join(f"CAST({name}_s AS DOUBLE) AS {name}_s" for name in AGE_ANCHORS)
        return f"""SELECT {columns}, CAST(epoch_us(m."at") AS DOUBLE) AS at_us, {anchors} FROM {self.moments_table} m
            JOIN (SELECT source, case_id, {", ".join(f"{name}_s" for name in AGE_ANCHORS)} FROM {self.case_table.table}) USING (source, case_id)"""

"""What a question can be narrowed to: the values of each column with their cases, and the spans that the record holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from wellserved.actions.open_cases import open_case_table
from wellserved.engine.duckdb import quote_name
from wellserved.measure.coverage import PRIVATE_COLUMNS
from wellserved.moments import SEGMENTS, month_start
from wellserved.storage.workspace import Workspace

MAX_CHOICES: Final = 40  # of a column, those with most cases
SPAN_NAMES: Final = ("last 30 days", "last 12 weeks", "last 12 whole months", "this year", "all")
PICKED_COLUMNS: Final = tuple(column for column in SEGMENTS if column not in PRIVATE_COLUMNS)


@dataclass(frozen=True)
class FilterChoices:
    """What there is to choose from."""

    values: dict[
        str, tuple[tuple[str, int], ...]
    ]  # column -> value and cases, most first; a column of one value is none
    last_days: dict[str, date]  # source -> the last day that it knows

    def spans(self, sources: Collection[str] = ()) -> tuple[tuple[str, date | None, date | None], ...]:
        """Spans up to the last day that these sources know, or all: name, first day, first day after; None: open."""
        known_days = [day for source, day in self.last_days.items() if source in sources or not sources]
        if not known_days:
            return ()
        last_day = max(known_days)
        end, month = last_day + timedelta(days=1), month_start(last_day)
        ends = (
            (end - timedelta(days=30), end),
            (end - timedelta(weeks=12), end),
            (month_start(month, -12), month),
            (date(last_day.year, 1, 1), end),
            (None, None),
        )
        return tuple((name, since, until) for name, (since, until) in zip(SPAN_NAMES, ends, strict=True))


def filter_choices(workspace: Workspace) -> FilterChoices:
    """The values of every column that is not about a person or a customer, with their cases."""
    with open_case_table(workspace, keep_in_memory=True) as case_table:
        values = {}
        for column in PICKED_COLUMNS:
            name = quote_name(column)
            sql = f"SELECT {name} AS value, count(*) AS cases FROM {case_table.table} WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MAX_CHOICES}"
            rows = case_table.engine.query(sql).to_pylist()
            if len(rows) > 1:
                values[column] = tuple((str(row["value"]), int(row["cases"])) for row in rows)
        last_days = case_table.known_days
    return FilterChoices(values, last_days)

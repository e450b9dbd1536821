"""What stands in each column of a file: how full it is, how it is written, its commonest values."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import duckdb

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.errors import MappingError
from wellserved.mapping import MISSING
from wellserved.record.dates import DateReading, decide_date_format

MAX_VALUES = 50  # commonest values that are looked at
MAX_UNREAD_SHARE = 0.1  # share of values that may be no dates in a column of dates
EXCEL_DAYS = (20_000, 80_000)  # 1954 to 2119 as a spreadsheet's day numbers


@dataclass(frozen=True)
class SourceColumn:
    """What was seen in one column."""

    name: str
    filled_count: int
    distinct_count: int
    examples: tuple[str, ...]
    dates: DateReading | None
    undecided_reason: str  # why its dates cannot be read as they stand: both orders, or a mixture; empty: they can
    values: tuple[tuple[str, int], ...]  # the commonest, with how often each stands there
    number_count: int  # cells that are numbers, written with a point or a comma
    comma_count: int  # numbers written with a decimal comma
    whole_count: int  # whole numbers, 4,0 among them
    shortened_count: int  # numbers that a spreadsheet has shortened, such as 1.02E+11
    low: float
    high: float
    length: float  # characters of a cell, on average

    @property
    def plain_name(self) -> str:
        """The name as plain lower-case words, without accents: `Gelöst am` is `gelost am`, OPEN_DT is `open dt`."""
        return plain_words(self.name)

    @property
    def is_date(self) -> bool:
        """Whether it holds dates, be they decided or not."""
        return self.dates is not None or bool(self.undecided_reason)

    @property
    def is_numeric(self) -> bool:
        """Whether all its cells are numbers."""
        return self.filled_count > 0 and self.number_count == self.filled_count

    @property
    def is_counter(self) -> bool:
        """Small whole numbers: a count or a grade, nobody's identity."""
        return self.filled_count > 0 and self.whole_count == self.filled_count and self.high < 1000

    @property
    def is_day_numbers(self) -> bool:
        """Numbers that a spreadsheet shows as days."""
        return self.is_numeric and not self.is_date and EXCEL_DAYS[0] <= self.low <= self.high <= EXCEL_DAYS[1]

    def name_matches(self, pattern: str) -> bool:
        """The name holds these words."""
        return re.search(pattern, self.plain_name) is not None


def plain_words(words: str) -> str:
    """Lower-case ASCII words with single blanks between them."""
    split_words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", words)
    folded_text = unicodedata.normalize("NFKD", split_words.casefold())
    return " ".join(
        re.sub(
            r"[^a-z0-9]+", " ", "".join(character for character in folded_text if not unicodedata.combining(character))
        ).split()
    )


def describe_column(db: duckdb.DuckDBPyConnection, column: str) -> SourceColumn:
    """Look at one column of the table `raw`."""
    cell, trimmed_cell = quote_name(column), f"trim({quote_name(column)})"
    missing_list = ", ".join(quote_text(mark) for mark in ("", *MISSING))
    has_value = f"{trimmed_cell} NOT IN ({missing_list})"
    cast_sql = f"try_cast(replace({trimmed_cell}, ',', '.') AS DOUBLE)"
    number_sql = f"CASE WHEN isfinite({cast_sql}) THEN {cast_sql} END"
    has_comma = f"regexp_full_match({trimmed_cell}, '[-+]?[0-9]+,[0-9]+')"
    (counts,) = db.sql(
        f"SELECT count(*), count(DISTINCT {cell}), count({number_sql}), count(*) FILTER ({has_comma}), "
        f"count(*) FILTER ({number_sql} = floor({number_sql})), "
        f"count(*) FILTER (regexp_full_match({trimmed_cell}, '[0-9]([.,][0-9]+)?[Ee][+][0-9]+')), "
        f"coalesce(min({number_sql}), 0), coalesce(max({number_sql}), 0), coalesce(avg(length({cell})), 0) "
        f"FROM raw WHERE {has_value}"
    ).fetchall()
    filled_count, distinct_count, numbers, commas, whole_count, shortened_count, low, high, length = counts
    values = tuple(
        (str(value), int(count))
        for value, count in db.sql(
            f"SELECT {trimmed_cell}, count(*) FROM raw WHERE {has_value} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {MAX_VALUES}"
        ).fetchall()
    )
    examples = tuple(value[:40] for value, _ in values[:3])
    dates, undecided_reason = _dates(db, column, has_value, filled_count)
    return SourceColumn(
        column,
        filled_count,
        distinct_count,
        examples,
        dates,
        undecided_reason,
        values,
        numbers,
        commas,
        whole_count,
        shortened_count,
        low,
        high,
        length,
    )


def _dates(
    db: duckdb.DuckDBPyConnection, column: str, has_value: str, filled_count: int
) -> tuple[DateReading | None, str]:
    try:
        reading = decide_date_format(db, "raw", column, has_value, None)
    except MappingError as error:
        return None, error.problem
    if not (reading.formats or reading.is_epoch):
        return None, ""
    (unread_count,) = db.sql(f"SELECT count(*) FROM raw WHERE {has_value} AND {reading.sql('UTC')} IS NULL").fetchall()[
        0
    ]
    return (reading, "") if unread_count <= MAX_UNREAD_SHARE * filled_count else (None, "")

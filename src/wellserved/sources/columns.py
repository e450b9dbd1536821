"""What stands in each column of a file: how full it is, how it is written, its commonest values."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import duckdb

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.errors import MappingError
from wellserved.mapping import MISSING
from wellserved.record.dates import MIDNIGHT, DateReading, decide_date_format
from wellserved.record.numbers import without_gaps_sql

MAX_VALUES = 50  # commonest values that are looked at
MAX_UNREAD_SHARE = 0.3  # share of values that may be no dates in a column of dates: totals, headers, remarks
MIN_READ_SHARE = 0.1  # share that must be dates where nothing else stands there but a word for none
MAX_PLACEHOLDERS = 3  # different words that may stand among dates where there is none
FEWEST_SWAPPED = 4  # dates of either kind from which it is no chance that their days part at 12
_DAY_ZERO = r"0?0[./-]0?[01][./-]1900|0?1/0?0/1900|1900-0[01]-00"  # how a spreadsheet shows an empty cell as a date
_DATE_NAME = (  # of what happened on a day
    r"\b(date|datum|fecha|data|dat|at|on|am|le|created|opened|closed|solved|resolved|received|reported|due|erstellt|erfasst|eingang)\b"
    r"|date$|datum$|^\w{0,3}dat$|_at$"
)
_NUMBER_NAME = (
    r"\b(id|no|num\w*|key|ref\w*|n|code|build|version|phone|tel\w*|zip|plz|budget|amount|betrag|price|preis|cost\w*)\b|nr\b|nummer"
    r"|ticket|case|vorgang|meldung|auftrag|order|incident|request|customer|kunde|client|account|konto"
)
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
    has_midnights_alone: bool = False  # its times of day are all 0:00
    placeholders: tuple[str, ...] = ()  # words that stand among its dates where there is none
    swapped_count: int = 0  # dates whose day and month a spreadsheet seems to have swapped

    @property
    def plain_name(self) -> str:
        """The name as plain lower-case words, without accents: `Gelöst am` is `gelost am`, OPEN_DT is `open dt`."""
        return plain_words(self.name)

    @property
    def is_date(self) -> bool:
        """Whether it holds dates, be they decided or not."""
        return self.dates is not None or bool(self.undecided_reason)

    @property
    def is_day_only(self) -> bool:
        """Whether it holds days without a time of day, be it that each is written with 0:00."""
        return self.dates is not None and (self.dates.is_day_only or self.has_midnights_alone)

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


_UNSPLIT_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"}
)  # that are no letter with an accent


def plain_words(words: str) -> str:
    """Lower-case ASCII words with single blanks between them."""
    split_words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", words)
    folded_text = unicodedata.normalize("NFKD", split_words.casefold().translate(_UNSPLIT_LETTERS))
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
    cast_sql = f"try_cast(replace({without_gaps_sql(trimmed_cell)}, ',', '.') AS DOUBLE)"
    number_sql = f"CASE WHEN isfinite({cast_sql}) THEN {cast_sql} END"
    has_comma = f"regexp_full_match({without_gaps_sql(trimmed_cell)}, '[-+]?[0-9]+,[0-9]+')"
    (counts,) = db.sql(
        f"SELECT count(*), count(DISTINCT {cell}), count({number_sql}), count(*) FILTER ({has_comma}), "
        f"count(*) FILTER ({number_sql} = floor({number_sql})), "
        f"count(*) FILTER (regexp_full_match({trimmed_cell}, '[0-9]([.,][0-9]+)?[Ee][+][0-9]+')), "
        f"coalesce(min({number_sql}), 0), coalesce(max({number_sql}), 0), coalesce(avg(length({cell})), 0), "
        f"coalesce(bool_and(regexp_matches({trimmed_cell}, {quote_text(MIDNIGHT)})), false) "
        f"FROM raw WHERE {has_value}"
    ).fetchall()
    filled_count, distinct_count, numbers, commas, whole_count, shortened_count, low, high, length, midnights = counts
    values = tuple(
        (str(value), int(count))
        for value, count in db.sql(
            f"SELECT {trimmed_cell}, count(*) FROM raw WHERE {has_value} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {MAX_VALUES}"
        ).fetchall()
    )
    examples = tuple(value[:40] for value, _ in values[:3])
    dates, undecided_reason, placeholders = _dates(db, column, has_value, filled_count)
    if (
        numbers == filled_count
        and dates
        and not dates.is_epoch
        and _is_number_column(column, low, high, filled_count, distinct_count)
    ):
        dates = None  # numbers of cases that happen to look like 20260109
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
        midnights,
        placeholders,
        _count_swapped(db, column) if dates and len(dates.formats) > 1 else 0,
    )


def _is_number_column(column: str, low: float, high: float, filled_count: int, distinct_count: int) -> bool:
    """Whether digits that could be days, 20260109, are numbers of something: by the name, or since they run on."""
    words = plain_words(column)
    if re.search(_DATE_NAME, words):
        return False
    is_running = distinct_count == filled_count and high - low < 2 * filled_count
    return is_running or re.search(_NUMBER_NAME, words) is not None


def _dates(
    db: duckdb.DuckDBPyConnection, column: str, has_value: str, filled_count: int
) -> tuple[DateReading | None, str, tuple[str, ...]]:
    """(how its dates are read, why they cannot be, the words that stand there for none)."""
    try:
        reading = decide_date_format(db, "raw", column, has_value, None)
    except MappingError as error:
        return None, error.problem, ()
    if not (reading.formats or reading.is_epoch):
        return None, "", ()
    unread = db.sql(
        f"SELECT trim({quote_name(column)}), sum(count(*)) OVER () FROM raw WHERE {has_value} AND {reading.sql('UTC')} IS NULL "
        f"GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {MAX_PLACEHOLDERS + 1}"
    ).fetchall()
    unread_count = int(unread[0][1]) if unread else 0  # of all that are unread, however many are looked at
    unread_values = tuple(value for value, _ in unread)
    are_words = 0 < len(unread) <= MAX_PLACEHOLDERS and not any(
        re.search("[1-9]", value) and not re.match(_DAY_ZERO, value) for value in unread_values
    )
    if are_words and filled_count - unread_count >= max(2, MIN_READ_SHARE * filled_count):
        return reading, "", unread_values
    return (reading, "", ()) if unread_count <= MAX_UNREAD_SHARE * filled_count else (None, "", ())


def _count_swapped(db: duckdb.DuckDBPyConnection, column: str) -> int:
    """Dates that a spreadsheet took for dates with day and month swapped: those written year first have no day above 12,
    and those that it left as text have one each."""
    cell = f"trim({quote_name(column)})"
    day = f"try_cast(regexp_extract({cell}, '^\\d{{4}}-\\d\\d-(\\d\\d)', 1) AS INTEGER)"
    first, second = (
        f"try_cast(regexp_extract({cell}, '^(\\d{{1,2}})[./-](\\d{{1,2}})[./-]\\d{{2,4}}', {group}) AS INTEGER)"
        for group in (1, 2)
    )
    iso_count, large_days, text_count, text_days = db.sql(
        f"SELECT count({day}), count(*) FILTER ({day} > 12), count({first}), count(*) FILTER (greatest({first}, {second}) > 12) FROM raw"
    ).fetchall()[0]
    is_swapped = (
        iso_count >= FEWEST_SWAPPED and text_count >= FEWEST_SWAPPED and not large_days and text_days == text_count
    )
    return int(iso_count) if is_swapped else 0

"""SQL over the moments of the log, in their order within the case and on each clock: what a timeline is asked from."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from wellserved.calendar import Calendars, hours_table
from wellserved.cases.ordered import CUSTOMER_KINDS, END_KINDS, RANK_OF_KIND, STATE_OF_KIND, STATUS_KINDS, TIE_COUNT
from wellserved.engine.duckdb import materialise, quote_text


def _text_list(words: Iterable[str]) -> str:
    return ", ".join(map(quote_text, words))


_CUSTOMER_KINDS, _END_KINDS, STATUS_KINDS_SQL = map(_text_list, (CUSTOMER_KINDS, END_KINDS, STATUS_KINDS))
STATE_SQL = (
    f"CASE kind {' '.join(f'WHEN {quote_text(kind)} THEN {state}' for kind, state in STATE_OF_KIND.items())} END"
)
_NOT_BY_TEAM = "from_team IS NULL"  # a team's rating of another is no customer's


def local_date_sql(seconds: str, zone: str, unit: str) -> str:
    """SQL: the local day number, or yyyymm, of epoch seconds."""
    local_time = f"timezone({quote_text(zone)}, to_timestamp({seconds}))"
    if unit == "day":
        return f"CAST(date_diff('day', DATE '1970-01-01', CAST({local_time} AS DATE)) AS INTEGER)"
    return f"CAST(year({local_time}) * 100 + month({local_time}) AS INTEGER)"


_CASE_WINDOW = "OVER (PARTITION BY source, case_id)"
START_SQL = (  # SQL, a window: the place of the first ask; without one, of the customer's first word, or of the first moment
    f"coalesce(min(o) FILTER (kind = 'asked') {_CASE_WINDOW}, min(o) FILTER (kind IN ({_CUSTOMER_KINDS})) {_CASE_WINDOW}, min(o) {_CASE_WINDOW})"
)


def state_sql(frame: str = "") -> str:
    """SQL, a window over the moments of a case in their order `o`: the state that the case is in from this moment on."""
    window = f"OVER (PARTITION BY source, case_id ORDER BY o {frame or _FRAME_SO_FAR})"
    last_word = f"last_value(CASE WHEN kind IN ({STATUS_KINDS_SQL}) THEN kind END IGNORE NULLS) {window}"
    return f"CASE WHEN {last_word} IN ({_END_KINDS}) THEN 3 ELSE coalesce(last_value({STATE_SQL} IGNORE NULLS) {window}, 0) END"


_FRAME_SO_FAR = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"


def timed_sql(moments: str, calendars: Calendars, spans: int) -> str:
    """The moments with `s` (epoch seconds), `o` (order within the case), `b` and `f` (business seconds) and `calendar`.

    `f` counts in the calendar in force at the moment, from the start of 2000; `b` counts through the case's own
    calendars: a difference of two is the open time between them, whoever held the case. Without opening hours
    all three are NULL. `spans`: as create_opening_hours returned it.
    """
    # Moments of one instant are ordered by row, those of one row by what leads to what, and those alike in all by content.
    rank_sql = " ".join(f"WHEN {quote_text(kind)} THEN {rank}" for kind, rank in RANK_OF_KIND.items())
    position = f'(CAST(epoch_us("at") AS HUGEINT) * 1000000000 + source_row) * 256 + CASE kind {rank_sql} ELSE 0 END'
    order_sql = f"({position}) * {TIE_COUNT} + (content & {TIE_COUNT - 1})"
    # A team's rating of another names the rated team, which need not have the case.
    team_sql = f"CASE WHEN kind = 'rated' AND NOT {_NOT_BY_TEAM} THEN NULL ELSE team END AS team"
    base_sql = f'SELECT * REPLACE ({team_sql}), (epoch_us("at") - (epoch_us("at") % 1000000 + 1000000) % 1000000) // 1000000 AS s, {order_sql} AS o FROM {moments}'
    if not calendars.calendars:
        null_sql = "CAST(NULL AS BIGINT)"
        return f"SELECT *, {null_sql} AS b, {null_sql} AS f, CAST(NULL AS VARCHAR) AS calendar FROM ({base_sql})"
    if calendars.single:
        calendar_name = quote_text(calendars.single.name)
        return (
            f"SELECT t.*, {open_seconds_sql('s', 'h', spans)} AS b, b AS f, {calendar_name} AS calendar FROM ({base_sql}) t "
            f"JOIN opening_hours h ON h.calendar = {calendar_name} AND h.day = {utc_day_sql('s')}"
        )
    case_window = "PARTITION BY source, case_id ORDER BY o"
    last_facts = ", ".join(
        f"last_value({fact} IGNORE NULLS) OVER ({case_window} {_FRAME_SO_FAR}) AS now_{fact}"
        for fact in ("team", "service")
    )
    return (
        f"SELECT * EXCLUDE (piece, next_s), coalesce(sum(piece) OVER "
        f"({case_window} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS b FROM ("
        f"SELECT t.*, {open_seconds_sql('s', 'h', spans)} AS f, {open_seconds_sql('next_s', 'n', spans)} - f AS piece FROM ("
        f"SELECT * EXCLUDE (now_team, now_service), {_calendar_sql(calendars)} AS calendar, "
        f"coalesce(lead(s) OVER ({case_window}), s) AS next_s FROM (SELECT *, {last_facts} FROM ({base_sql}))) t "
        f"JOIN opening_hours h ON h.calendar = t.calendar AND h.day = {utc_day_sql('s')} "
        f"JOIN opening_hours n ON n.calendar = t.calendar AND n.day = {utc_day_sql('next_s')})"
    )


def _calendar_sql(calendars: Calendars) -> str:
    """SQL: the calendar for now_team and now_service."""
    branches = []
    for assignment in calendars.uses:
        terms = [
            f"now_{fact} IN ({', '.join(map(quote_text, names))})"
            for fact, names in (("team", assignment.teams), ("service", assignment.services))
            if names
        ]
        branches.append(f"WHEN {' AND '.join(terms) or 'true'} THEN {quote_text(assignment.calendar)}")
    return f"CASE {' '.join(branches)} ELSE {quote_text(calendars.calendars[0].name)} END"


def utc_day_sql(second: str) -> str:
    """SQL: the day of an epoch second, before 1970 too."""
    return f"({second} - (({second} % 86400) + 86400) % 86400) // 86400"


def open_seconds_sql(second: str, hours: str, spans: int) -> str:
    """SQL: business seconds up to an instant, from its day's row of opening_hours."""
    second_of_day = f"({second} - {hours}.day * 86400)"
    terms = [
        f"greatest(least({second_of_day}, {hours}.closes_{index}) - {hours}.opens_{index}, 0)" for index in range(spans)
    ]
    return " + ".join([f"{hours}.before", *terms])


def create_opening_hours(db: duckdb.DuckDBPyConnection, moments: str, calendars: Calendars) -> int:
    """Leave the hours of all calendars, a row a UTC day, in `opening_hours`; returns the most spans a day has."""
    if not calendars.calendars:
        return 0
    edges = 'epoch_us(min("at")) // 1000000, epoch_us(max("at")) // 1000000'
    first, last = db.sql(f"SELECT {edges} FROM {moments}").fetchall()[0]
    table = hours_table(calendars, first or 0, last or 0)
    materialise(db, "opening_hours", table)
    return sum(column.startswith("opens_") for column in table.column_names)

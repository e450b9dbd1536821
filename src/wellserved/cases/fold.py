"""One row a case, from its moments alone: the clocks, and what follows from a case's own columns, as SQL; the rest is `ordered`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import duckdb

from wellserved.calendar import Calendars, hours_table
from wellserved.cases.ordered import CUSTOMERS, ENDS, INTERVALS, RANKS, STATES, TIES, WORDS, Ordered, case_rows
from wellserved.engine.duckdb import name, text
from wellserved.moments import CASE_COLUMNS, MOMENT_COLUMNS, SEGMENTS

TYPES = {column.name: column.type for column in CASE_COLUMNS}
SLICE = 3_000_000  # moments folded at a time; half a kilobyte of memory each
_ROWS = "rows_of_cases"  # what `ordered` gave, before the rest follows from it

FOLDED_FROM = tuple(
    column.name
    for column in MOMENT_COLUMNS
    if column.name not in ("source_ref", "text", "amount", "currency", "import_id", "month", "internal")
)
"""The columns of the log that the fold reads."""


def _list(words: Iterable[str]) -> str:
    return ", ".join(map(text, words))


_CUSTOMER, _END, WORD = map(_list, (CUSTOMERS, ENDS, WORDS))
STATE = f"CASE kind {' '.join(f'WHEN {text(kind)} THEN {state}' for kind, state in STATES.items())} END"
_OUTSIDE = "from_team IS NULL"  # a team's rating of another is no customer's


def local(seconds: str, zone: str, what: str) -> str:
    """SQL: the local day number, yyyymm, or time of day in seconds, of epoch seconds."""
    local = f"timezone({text(zone)}, to_timestamp({seconds}))"
    if what == "day":
        return f"CAST(date_diff('day', DATE '1970-01-01', CAST({local} AS DATE)) AS INTEGER)"
    if what == "time":
        return f"CAST((epoch_us({local}) // 1000000 % 86400 + 86400) % 86400 AS INTEGER)"  # before 1970 too
    return f"CAST(year({local}) * 100 + month({local}) AS INTEGER)"


def _business(moment: str) -> str:
    """SQL: business seconds from the first ask to a moment; what lies before the ask stays negative when closed."""
    return f"CASE WHEN {moment}_s < asked_s THEN {moment}_s - asked_s ELSE {moment}_b - asked_b END"


def _derived(zone: str) -> dict[str, str]:
    """Columns of a case that follow from the others."""
    closed = f"coalesce(last_word IN ({_END}), false)"
    merged = "coalesce(last_word = 'merged', false)"
    ended = (
        f"({closed} AND NOT {merged} AND last_end_at_is <> 'not_before')"  # in its own right, at a time that is known
    )
    derived = {
        "state": f"CASE WHEN {closed} THEN 3 ELSE coalesce(state, 0) END",
        "closed": f"CAST({closed} AS INTEGER)",
        "abandoned": "CAST(coalesce(last_word = 'abandoned', false) AS INTEGER)",
        "resolved_s": f"CASE WHEN {ended} THEN last_end_s END",
        "merged": f"CAST({merged} AS INTEGER)",
        "resolved_unknown": f"CAST({closed} AND NOT {merged} AND NOT {ended} AS INTEGER)",
        "reply_secs": "first_reply_s - asked_s",
        "reply_bus": _business("first_reply"),
        "handover_secs": "first_handover_s - asked_s",
        "resolution_secs": "first_resolved_s - asked_s",
        "resolution_bus": _business("first_resolved"),
        "full_secs": f"CASE WHEN {ended} THEN last_end_s - asked_s END",
        "full_bus": f"CASE WHEN {ended} THEN {_business('last_end')} END",
        "asked_time": local("asked_s", zone, "time"),
        "turn_bus": "turn_b - asked_b",
        "state_s": "CASE WHEN state_s IS NOT NULL THEN greatest(state_s, asked_s) END",
        "state_bus": "CASE WHEN state_b IS NOT NULL THEN greatest(state_b - asked_b, 0) END",
        "clock_from": "clock_now + asked_b",
        "late_secs": f"CASE WHEN {ended} THEN last_end_s - due_s END",
        "promised": (
            "CASE WHEN due_s < asked_s OR due_s IS NULL THEN NULL WHEN due_s - asked_s > 30 * 86400 THEN '31 days or more' "
            "WHEN due_s - asked_s <= 86400 THEN '01 day' "
            "ELSE lpad(CAST((due_s - asked_s + 86399) // 86400 AS VARCHAR), 2, '0') || ' days' END"
        ),
        "promise_fate": (
            f"CASE WHEN due_s IS NULL OR due_s < asked_s OR ({closed} AND NOT {ended}) THEN NULL "
            f"WHEN NOT {closed} THEN 0 WHEN last_word = 'abandoned' THEN 3 WHEN last_end_s <= due_s THEN 1 ELSE 2 END"
        ),
        "closed_first": "CAST(coalesce(first_resolved_s < asked_s, false) AS INTEGER)",
        "due_first": "CAST(coalesce(due_s < asked_s, false) AS INTEGER)",
        **{f"{what}_bus": f"CASE WHEN asked_b IS NOT NULL THEN coalesce({what}_bus, 0) END" for what in INTERVALS},
    }
    for anchor, seconds in (("asked", "asked_s"), ("resolved", derived["resolved_s"]), ("due", "due_s")):
        for what in ("day", "month"):
            derived[f"{anchor}_{what}"] = local(seconds, zone, what)
    return derived


_CASE = "OVER (PARTITION BY source, case_id)"
START = (  # SQL, a window: the place of the first ask; without one, of the customer's first word, or of the first moment
    f"coalesce(min(o) FILTER (kind = 'asked') {_CASE}, min(o) FILTER (kind IN ({_CUSTOMER})) {_CASE}, min(o) {_CASE})"
)


def state_sql(frame: str = "") -> str:
    """SQL, a window over the moments of a case in their order `o`: the state that the case is in from this moment on."""
    upto = f"OVER (PARTITION BY source, case_id ORDER BY o {frame or _SO_FAR})"
    word = f"last_value(CASE WHEN kind IN ({WORD}) THEN kind END IGNORE NULLS) {upto}"
    return f"CASE WHEN {word} IN ({_END}) THEN 3 ELSE coalesce(last_value({STATE} IGNORE NULLS) {upto}, 0) END"


_SO_FAR = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"


def timed_sql(moments: str, corrected: bool, calendars: Calendars, spans: int) -> str:
    """The moments with `s` (epoch seconds), `o` (order within the case), `b` and `f` (business seconds) and `calendar`.

    `f` counts in the calendar in force at the moment, from the start of 2000; `b` counts through the case's own
    calendars: a difference of two is the open time between them, whoever held the case. Without opening hours
    all three are NULL. `spans`: as open_hours gave it. `corrected`: some moments correct others; of one identity the last recorded counts.
    """
    newest = "row_number() OVER (PARTITION BY moment_id ORDER BY recorded_at DESC, source_row DESC) = 1"
    latest = f"QUALIFY {newest} AND at_is <> 'withdrawn'"
    # Moments of one instant are ordered by row, those of one row by what leads to what, and those alike in all by content.
    ranks = " ".join(f"WHEN {text(kind)} THEN {rank}" for kind, rank in RANKS.items())
    places = f'(CAST(epoch_us("at") AS HUGEINT) * 1000000000 + source_row) * 256 + CASE kind {ranks} ELSE 0 END'
    order = f"({places}) * {TIES} + (content & {TIES - 1})"
    # A team's rating of another names the rated team, which need not have the case.
    had = f"CASE WHEN kind = 'rated' AND NOT {_OUTSIDE} THEN NULL ELSE team END AS team"
    latest = latest if corrected else ""
    plain = f'SELECT * REPLACE ({had}), epoch_us("at") // 1000000 AS s, {order} AS o FROM {moments} {latest}'
    if not calendars.all:
        nothing = "CAST(NULL AS BIGINT)"
        return f"SELECT *, {nothing} AS b, {nothing} AS f, CAST(NULL AS VARCHAR) AS calendar FROM ({plain})"
    if calendars.only:
        only = text(calendars.only.name)
        return (
            f"SELECT t.*, {open_seconds('s', 'h', spans)} AS b, b AS f, {only} AS calendar FROM ({plain}) t "
            f"JOIN opening_hours h ON h.calendar = {only} AND h.day = {utc_day('s')}"
        )
    case = "PARTITION BY source, case_id ORDER BY o"
    known = ", ".join(
        f"last_value({fact} IGNORE NULLS) OVER ({case} {_SO_FAR}) AS now_{fact}" for fact in ("team", "service")
    )
    return (
        f"SELECT * EXCLUDE (piece, next_s), coalesce(sum(piece) OVER "
        f"({case} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS b FROM ("
        f"SELECT t.*, {open_seconds('s', 'h', spans)} AS f, {open_seconds('next_s', 'n', spans)} - f AS piece FROM ("
        f"SELECT * EXCLUDE (now_team, now_service), {_calendar_sql(calendars)} AS calendar, "
        f"coalesce(lead(s) OVER ({case}), s) AS next_s FROM (SELECT *, {known} FROM ({plain}))) t "
        f"JOIN opening_hours h ON h.calendar = t.calendar AND h.day = {utc_day('s')} "
        f"JOIN opening_hours n ON n.calendar = t.calendar AND n.day = {utc_day('next_s')})"
    )


def _calendar_sql(calendars: Calendars) -> str:
    """SQL: the calendar for now_team and now_service."""
    whens = []
    for use in calendars.uses:
        terms = [
            f"now_{fact} IN ({', '.join(map(text, names))})"
            for fact, names in (("team", use.teams), ("service", use.services))
            if names
        ]
        whens.append(f"WHEN {' AND '.join(terms) or 'true'} THEN {text(use.calendar)}")
    return f"CASE {' '.join(whens)} ELSE {text(calendars.all[0].name)} END"


def utc_day(second: str) -> str:
    """SQL: the day of an epoch second, before 1970 too."""
    return f"({second} - (({second} % 86400) + 86400) % 86400) // 86400"


def open_seconds(second: str, hours: str, spans: int) -> str:
    """SQL: business seconds up to an instant, from its day's row of opening_hours."""
    within = f"({second} - {hours}.day * 86400)"
    parts = [f"greatest(least({within}, {hours}.closes_{place}) - {hours}.opens_{place}, 0)" for place in range(spans)]
    return " + ".join([f"{hours}.before", *parts])


def open_hours(db: duckdb.DuckDBPyConnection, moments: str, calendars: Calendars) -> int:
    """Leave the hours of all calendars, a row a UTC day, in `opening_hours`; returns the most spans a day has."""
    if not calendars.all:
        return 0
    edges = 'epoch_us(min("at")) // 1000000, epoch_us(max("at")) // 1000000'
    first, last = db.sql(f"SELECT {edges} FROM {moments}").fetchall()[0]
    table = hours_table(calendars, first or 0, last or 0)
    db.register("opening_hours_given", table)
    db.execute("CREATE OR REPLACE TEMP TABLE opening_hours AS FROM opening_hours_given")
    db.unregister("opening_hours_given")
    return sum(column.startswith("opens_") for column in table.column_names)


def _given(moments: str, corrected: bool, calendars: Calendars, spans: int) -> str:
    """SQL: the moments as `ordered` takes them."""
    named = [*(segment for segment in SEGMENTS if segment != "source"), "score", "scale", "source_kept"]
    hours = ["CAST(b AS BIGINT) AS b", "CAST(f AS BIGINT) AS f", "calendar"] if calendars.all else []
    columns = ", ".join([*map(name, ["source", "case_id", "kind", "at_is", "s", "source_row", *named]), *hours])
    timed = timed_sql(moments, corrected, calendars, spans)
    return (
        f'SELECT {columns}, epoch_us("at") AS us, "at" <= recorded_at AS timely, {_OUTSIDE} AS outside, '
        f"epoch_us(due) AS due_us, CAST(content & {TIES - 1} AS BIGINT) AS tie FROM ({timed})"
    )


def parts(db: duckdb.DuckDBPyConnection, moments: str) -> list[str]:
    """SQL: the moments of a table, cut by ranges of the case's number into parts of about SLICE moments each.

    Numbers mostly grow with time, so that a range lies in few files, and the others are passed over unread.
    """
    (count,) = db.sql(f"SELECT count(*) FROM {moments}").fetchall()[0]
    if not count // SLICE:
        return [moments]
    drawn = f"SELECT case_id FROM {moments} USING SAMPLE reservoir(20000 ROWS) REPEATABLE (1)"
    found = sorted(row[0] for row in db.sql(drawn).fetchall())
    many = count // SLICE + 1
    borders = [text(found[len(found) * place // many]) for place in range(1, many)]
    ranges = [
        " AND ".join([*([f"case_id >= {low}"] if low else []), *([f"case_id < {high}"] if high else [])])
        for low, high in pairwise(["", *borders, ""])
    ]
    return [f"(SELECT * FROM {moments} WHERE {only})" for only in ranges]


def fold(db: duckdb.DuckDBPyConnection, part: str, zone: str, calendars: Calendars) -> str:
    """Fold moments that fit into memory: the SELECT of their cases, one row each, to be read before the next fold."""
    db.unregister(_ROWS)
    (corrected,) = db.sql(f"SELECT coalesce(bool_or(correction), false) FROM {part}").fetchall()[0]
    given = db.sql(_given(part, corrected, calendars, open_hours(db, part, calendars)))
    db.register(_ROWS, case_rows(Ordered(given.to_arrow_reader(1_000_000)), bool(calendars.all)))
    derived = _derived(zone)
    columns = ", ".join(
        f"CAST({derived.get(column, name(column))} AS {kind}) AS {name(column)}" for column, kind in TYPES.items()
    )
    return f"SELECT {columns} FROM {_ROWS}"


def fold_into(db: duckdb.DuckDBPyConnection, table: str, moments: str, zone: str, calendars: Calendars) -> None:
    """Fold a table of moments into a temporary table of cases, a part at a time."""
    for place, part in enumerate(parts(db, moments)):
        begin = f"INSERT INTO {table}" if place else f"CREATE TEMP TABLE {table} AS"
        db.execute(f"{begin} {fold(db, part, zone, calendars)}")
    db.unregister(_ROWS)

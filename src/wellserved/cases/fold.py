"""The fold as SQL: one row a case, from its moments alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb

from wellserved.calendar import Calendars, hours_table
from wellserved.engine.duckdb import name, text
from wellserved.moments import CASE_COLUMNS, KINDS, MOMENT_COLUMNS, SEGMENTS

TYPES = {column.name: column.type for column in CASE_COLUMNS}


FOLDED_FROM = tuple(
    column.name
    for column in MOMENT_COLUMNS
    if column.name not in ("content", "source_ref", "text", "amount", "currency", "import_id", "month", "internal")
)
"""The columns of the log that the fold reads."""


def _list(words: Iterable[str]) -> str:
    return ", ".join(map(text, words))


CUSTOMERS = tuple(kind for kind, (side, _) in KINDS.items() if side == "customer")
CUSTOMER = _list(CUSTOMERS)
_CONTACT = ("asked", "chased", "complained", "returned")
_REPLY = ("replied", "explained")
_FURTHER = ("chased", "complained", "returned")
_ENDS = ("resolved", "abandoned", "merged")
_WORDS = (*_ENDS, "reopened")  # only these open and close a case: a pause after its end is no reopening
_END, WORDS = _list(_ENDS), _list(_WORDS)
_STATES = {
    "reopened": 0,
    "resumed": 0,
    "paused": 1,
    "held": 2,
    "resolved": 3,
    "abandoned": 3,
    "merged": 3,
}  # what a moment leads to
STATE = f"CASE kind {' '.join(f'WHEN {text(kind)} THEN {state}' for kind, state in _STATES.items())} END"


_OUTSIDE = "from_team IS NULL"  # a team's rating of another is no customer's

_INTERVALS = {"paused": 1, "held": 2, "gap": 3}  # sums of intervals -> the state they are spent in


def local(seconds: str, zone: str, what: str) -> str:
    """SQL: the local day number, yyyymm, or time of day in seconds, of epoch seconds."""
    local = f"timezone({text(zone)}, to_timestamp({seconds}))"
    if what == "day":
        return f"CAST(date_diff('day', DATE '1970-01-01', CAST({local} AS DATE)) AS INTEGER)"
    if what == "time":
        return f"CAST((epoch_us({local}) // 1000000 % 86400 + 86400) % 86400 AS INTEGER)"  # before 1970 too
    return f"CAST(year({local}) * 100 + month({local}) AS INTEGER)"


@dataclass(frozen=True)
class Present:
    """What the moments hold: the fold asks for nothing else, which halves its time."""

    kinds: frozenset[str]
    facts: frozenset[str]  # columns of the log with at least one value
    corrected: bool  # some moments correct others

    def over(self, aggregate: str, *kinds: str, only: str = "", gives: str = "BIGINT") -> str:
        """SQL: an aggregate over the moments of these kinds."""
        wanted = [kind for kind in kinds if kind in self.kinds]
        if not wanted:
            return "0" if aggregate.startswith("count") else f"CAST(NULL AS {gives})"
        return f"{aggregate} FILTER (kind IN ({_list(wanted)}){only and f' AND {only}'})"

    def last(self, fact: str) -> str:
        """SQL: the last value that is known."""
        if fact not in self.facts:
            return "NULL"
        return f"arg_max({name(fact)}, o)"  # which passes over rows without a value


def present_in(db: duckdb.DuckDBPyConnection, moments: str) -> Present:
    """What a table of moments holds."""
    facts = _OPTIONAL
    given = ", ".join(f"max({name(fact)} IS NOT NULL)" for fact in facts)
    kinds, corrected, *found = db.sql(
        f"SELECT list(DISTINCT kind), bool_or(correction), {given} FROM {moments}"
    ).fetchall()[0]
    return Present(
        frozenset(kinds or ()), frozenset(fact for fact, has in zip(facts, found, strict=True) if has), bool(corrected)
    )


_OPTIONAL = (*(segment for segment in SEGMENTS if segment != "source"), "due", "source_kept")


def _aggregates(given: Present, hours: bool) -> dict[str, str]:
    """Column of a case -> what its moments give; `s` is epoch seconds, `o` the order within the case."""
    over, known, state = given.over, "at_is <> 'not_before'", f"{STATE} IS NOT NULL"
    facts = {segment: given.last(segment) for segment in SEGMENTS if segment != "source"}
    counts = {
        "replies": _REPLY, "resolutions": ("resolved",), "reopens": ("reopened",), "chases": ("chased",),
        "contacts": _CONTACT, "handovers": ("handed_over",), "promises": ("promised",), "complaints": ("complained",),
        "returns": ("returned",), "accepts": ("accepted",), "failures": ("failed",), "surveys": ("surveyed",),
    }  # fmt: skip
    clocks: dict[str, str] = {}
    for unit in ("s", "b"):
        if unit == "b" and not hours:
            nothing = ("asked_b", "first_reply_b", "first_resolved_b", "last_end_b", "state_b", "calendar", "clock_now")
            clocks |= dict.fromkeys(nothing, "CAST(NULL AS BIGINT)")
            continue
        first, last = f"min({unit})", f"max({unit})"
        clocks |= {
            f"asked_{unit}": f"coalesce({over(first, 'asked')}, {over(first, *CUSTOMERS)}, {first})",
            f"first_reply_{unit}": over(first, *_REPLY),
            f"first_resolved_{unit}": over(first, "resolved", only=known),
            f"last_end_{unit}": over(last, *_ENDS, only=known),
            f"state_{unit}": over(f"arg_max({unit}, o)", *_STATES),
        }
    hourly = {"calendar": "arg_max(calendar, o)", "clock_now": "arg_max(f - b, o)"} if hours else {}
    return {
        **facts, **clocks, **hourly, **{column: over("count(*)", *kinds) for column, kinds in counts.items()},
        "moments": "count(*)",
        "ratings": over("count(*)", "rated", only=_OUTSIDE),
        "first_s": "min(s)",
        "first_handover_s": over("min(s)", "handed_over"),
        "last_word": over("arg_max(kind, o)", *_WORDS, gives="VARCHAR"),
        "last_end_at_is": over("arg_max(at_is, o)", *_ENDS, gives="VARCHAR"),
        "state": over(f"arg_max({STATE}, o)", *_STATES, only=state),
        "stations": "count(DISTINCT team)" if "team" in given.facts else "0",
        "persons": "count(DISTINCT person_id)" if "person_id" in given.facts else "0",
        "due_s": over("arg_max(CAST(floor(epoch(due)) AS BIGINT), o)", "promised", only="due IS NOT NULL"),
        "first_due_s": over("arg_min(CAST(floor(epoch(due)) AS BIGINT), o)", "promised", only="due IS NOT NULL"),
        "source_kept": given.last("source_kept"),
        "score": over("arg_max(score, o)", "rated", only=_OUTSIDE, gives="DOUBLE"),
        "scale": over("arg_max(scale, o)", "rated", only=_OUTSIDE, gives="VARCHAR"),
        "recovered_s": over("max(s)", "recovered"),
        "last_s": 'max(s) FILTER ("at" <= recorded_at)',  # a typing error in a year must not move "as of"
    }  # fmt: skip


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
        "turns": "coalesce(turns, 0)",
        "turn_bus": "turn_b - asked_b",
        "renegotiated": "coalesce(renegotiated, 0)",
        "overrun": "coalesce(overrun, 0)",
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
        **{f"{what}_secs": f"coalesce({what}_secs, 0)" for what in _INTERVALS},
        **{f"{what}_bus": f"CASE WHEN asked_b IS NOT NULL THEN coalesce({what}_bus, 0) END" for what in _INTERVALS},
    }
    for anchor, seconds in (("asked", "asked_s"), ("resolved", derived["resolved_s"]), ("due", "due_s")):
        for what in ("day", "month"):
            derived[f"{anchor}_{what}"] = local(seconds, zone, what)
    return derived


_CASE = "OVER (PARTITION BY source, case_id)"
START = (  # SQL, a window: the place of the first ask; without one, of the customer's first word, or of the first moment
    f"coalesce(min(o) FILTER (kind = 'asked') {_CASE}, min(o) FILTER (kind IN ({CUSTOMER})) {_CASE}, min(o) {_CASE})"
)


def state_sql(frame: str = "") -> str:
    """SQL, a window over the moments of a case in their order `o`: the state that the case is in from this moment on."""
    upto = f"OVER (PARTITION BY source, case_id ORDER BY o {frame or _SO_FAR})"
    word = f"last_value(CASE WHEN kind IN ({WORDS}) THEN kind END IGNORE NULLS) {upto}"
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
    # Moments of one instant are ordered by row, those of one row by what leads to what.
    ranks = " ".join(
        f"WHEN {text(kind)} THEN {rank}" for kind, rank in zip(_STATES, (1, 2, 3, 3, 4, 4, 4), strict=True)
    )
    order = f'(CAST(epoch_us("at") AS HUGEINT) * 1000000000 + source_row) * 8 + CASE kind {ranks} ELSE 0 END'
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


def timed(db: duckdb.DuckDBPyConnection, moments: str, given: Present, calendars: Calendars, spans: int) -> str:
    """Name the moments with their clocks and order; kept where working them out costs more than reading them."""
    plain = not given.corrected and (calendars.only or not calendars.all)
    sql = timed_sql(moments, given.corrected, calendars, spans)
    db.execute(f"CREATE OR REPLACE TEMP {'VIEW' if plain else 'TABLE'} timed_moments AS {sql}")
    return "timed_moments"


def _intervals(m: str) -> str:
    """SQL: per case that ever halted, the time spent in each state between its start and its last word.

    Only the moments that lead to a state matter, and the start, which begins the first interval.
    """
    sums = ", ".join(
        f"sum({unit}) FILTER (state = {state}) AS {what}_{unit}"
        for what, state in _INTERVALS.items()
        for unit in ("secs", "bus")
    )
    own, case = "PARTITION BY source, case_id", "PARTITION BY source, case_id ORDER BY o"
    first = f"min({{0}}) FILTER (kind = 'asked'), min({{0}}) FILTER (kind IN ({CUSTOMER})), min({{0}})"
    starts = ", ".join(f"coalesce({first.format(unit)}) AS {unit}" for unit in ("o", "s", "b"))
    return f"""
        WITH halting AS (
            SELECT source, case_id FROM {m} WHERE kind IN ('paused', 'held', 'reopened', {_END}) GROUP BY source, case_id
            HAVING count(*) > 1 OR bool_or(kind NOT IN ({_END}))
        ), starts AS (
            SELECT source, case_id, {starts} FROM {m} SEMI JOIN halting USING (source, case_id) GROUP BY source, case_id
        ), steps AS (
            SELECT source, case_id, o, s, b, kind, NULL AS start_o
            FROM {m} SEMI JOIN halting USING (source, case_id) WHERE {STATE} IS NOT NULL
            UNION ALL SELECT source, case_id, o, s, b, NULL, o FROM starts
        ), stages AS (
            SELECT *, {state_sql()} AS state, max(start_o) OVER ({own}) AS begins_o,
                   max(o) FILTER (kind IN ({WORDS})) OVER ({own}) AS word_o, lead(s) OVER ({case}) - s AS secs, lead(b) OVER ({case}) - b AS bus
            FROM steps
        )
        SELECT source, case_id, {sums}
        FROM (SELECT * REPLACE (CASE WHEN state < 3 OR o < word_o THEN state END AS state) FROM stages WHERE o >= begins_o)
        GROUP BY source, case_id"""


def _turns(m: str) -> str:
    """SQL: per case, how long a further word of the customer waited for a person's answer once there had been a first one.

    A turn begins with the first word after a reply and ends with the next reply; words in between belong to it.
    What nobody had answered when the case was closed is no turn.
    """
    further, reply, end = (f"kind IN ({_list(kinds)})" for kinds in (_FURTHER, _REPLY, _ENDS))
    before = "OVER (PARTITION BY source, case_id ORDER BY o ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    return f"""
        SELECT source, case_id, count(to_s) AS turns, max(to_s - from_s) AS next_reply_secs, max(to_b - from_b) AS next_reply_bus,
               max(from_s) FILTER (to_s IS NULL) AS turn_s, max(from_b) FILTER (to_s IS NULL) AS turn_b
        FROM (SELECT source, case_id, part, min(s) FILTER ({further}) AS from_s, min(b) FILTER ({further}) AS from_b,
                     min(s) FILTER ({reply}) AS to_s, min(b) FILTER ({reply}) AS to_b
              FROM (SELECT *, count(*) FILTER ({reply} OR {end}) {before} AS part, count(*) FILTER ({reply}) {before} AS replied
                    FROM {m} SEMI JOIN (SELECT DISTINCT source, case_id FROM {m} WHERE {further}) USING (source, case_id)
                    WHERE {further} OR {reply} OR {end})
              WHERE replied > 0 GROUP BY source, case_id, part
              HAVING count(*) FILTER ({further}) > 0 AND NOT bool_or({end}))
        GROUP BY source, case_id"""


def _promising(m: str) -> str:
    """SQL: per case with several due times, how often another was named in time, and how often too late."""
    due = "kind = 'promised' AND due IS NOT NULL"
    return f"""
        SELECT source, case_id, count(*) FILTER (due <> earlier AND "at" <= earlier) AS renegotiated,
               count(*) FILTER (due <> earlier AND "at" > earlier) AS overrun
        FROM (SELECT source, case_id, "at", due, lag(due) OVER (PARTITION BY source, case_id ORDER BY o) AS earlier
              FROM {m} SEMI JOIN (SELECT source, case_id FROM {m} WHERE {due} GROUP BY source, case_id HAVING count(*) > 1)
              USING (source, case_id) WHERE {due})
        GROUP BY source, case_id"""


@dataclass(frozen=True)
class _Part:
    """What needs the order of a case's moments, worked out for the few cases that have it."""

    sql: Callable[[str], str]
    columns: tuple[str, ...]
    wanted: Callable[[Present], bool]


_PARTS = {
    "intervals": _Part(
        _intervals,
        tuple(f"{what}_{unit}" for what in _INTERVALS for unit in ("secs", "bus")),
        lambda given: bool(given.kinds & set(_STATES)),
    ),
    "turns": _Part(
        _turns,
        ("turns", "next_reply_secs", "next_reply_bus", "turn_s", "turn_b"),
        lambda given: bool(given.kinds & set(_FURTHER) and given.kinds & set(_REPLY)),
    ),
    "promising": _Part(
        _promising,
        ("renegotiated", "overrun"),
        lambda given: "promised" in given.kinds and "due" in given.facts,
    ),
}


def fold(db: duckdb.DuckDBPyConnection, moments: str, zone: str, calendars: Calendars) -> str:
    """Fold a table of moments: the SELECT of its cases, one row each; what it needs is left in the connection."""
    given = present_in(db, moments)
    m = timed(db, moments, given, calendars, open_hours(db, moments, calendars))
    folded, joins = _aggregates(given, bool(calendars.all)), []
    for called, part in _PARTS.items():
        if part.wanted(given):
            db.execute(f"CREATE OR REPLACE TEMP TABLE {called} AS {part.sql(m)}")
            joins.append(f"LEFT JOIN {called} USING (source, case_id)")
        else:
            folded |= dict.fromkeys(part.columns, "CAST(NULL AS BIGINT)")
    listed = ", ".join(f"{sql} AS {name(column)}" for column, sql in folded.items())
    derived = _derived(zone)
    columns = ", ".join(
        f"CAST({derived.get(column, name(column))} AS {kind}) AS {name(column)}" for column, kind in TYPES.items()
    )
    return f"""
        SELECT {columns} FROM (SELECT source, case_id, {listed} FROM {m} GROUP BY source, case_id) {" ".join(joins)}
    """

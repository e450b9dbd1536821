"""From cases to a measure by period, every case looked at at the same age.

Young cases look better than old ones: their ratings have not come, nobody has reopened them, the slow ones are still
open. A series over all cases as they stand would show a change where there is none. So each case is folded again from
the moments of its first days alone (its age), and a period counts once all its cases have reached that age. Open cases
are carried, not dropped: a wait from the first ask that has not ended by that age is known to be longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from wellserved.calendar import Calendars
from wellserved.cases import fold_into
from wellserved.cases.fold import FOLDED_FROM
from wellserved.engine.duckdb import DuckDB, name, text
from wellserved.errors import PeriodError, RequestError
from wellserved.measure import MEASURES, Measure, Question
from wellserved.measure.ask import answer, period_key, period_start
from wellserved.measure.coverage import coverage_of, unmatched
from wellserved.measure.interval import coded_quantile
from wellserved.measure.scope import Scope, fill, filters, sources_of, within
from wellserved.measure.waits import NEVER, of_groups
from wellserved.measure.words import number
from wellserved.moments import Every, NotComputed, Period, periods_between
from wellserved.prove.model import Floats
from wellserved.prove.quantile import Levels, levels_of, of_pieces
from wellserved.prove.response import Family, Observed, quantile_of

Where = tuple[tuple[str, str], ...]
DAY = 86_400
SINCE = "cases_since"  # the cases without those of the sources that are left out
FEW = 0.05  # of all cases: a source with fewer that ends early does not cut the record of the others short
STORY = 0.9  # the age at which so many cases have had their last word is the age they are looked at
WHOLE = 0.98  # the same for waits that add up, of which an open case may have little so far
UNKNOWN = 1 - WHOLE  # of the cases, still open with less than the level: with more nothing is said
LATER = "look later, or give a longer --age"
WEEK = 7  # days: neighbours of a day are taken in whole weeks
Codes = npt.NDArray[np.int64]  # waits: twice the seconds, and one more while they go on; NEVER: nothing more is known
UNTOLD = "the clock of this measure cannot be read at an age"
RENEWED = "promises were renewed after they had been missed, which moves old misses to later periods; prove first_promise_kept instead"
LENGTH: dict[Every, float] = {
    "day": 1.0,
    "week": 7.0,
    "month": 365.25 / 12,
    "quarter": 365.25 / 4,
    "year": 365.25,
}  # days in a period


@dataclass(frozen=True)
class Seen:
    """A measure by period, ready for a verdict."""

    measure: Measure
    observed: Observed
    periods: tuple[Period, ...]
    before: int  # periods that begin before the change
    mixed: int | None  # the one that holds the change inside, and counts for neither side
    age_days: int | None  # each case as it stood so many days after its anchor; None: dated numbers, which do not ripen
    unripe: int  # periods after the change that are left out until their cases have reached that age
    reason: str = ""  # why there is no series at all
    lacking: bool = False  # because the record does not hold what it takes
    shown: tuple[
        float | None, ...
    ] = ()  # of a wait: its quantile in each period, in its unit; None: not reached by that age
    sides: tuple[float | None, float | None] = (None, None)  # the same over all periods before, and over all after
    slow: bool = False  # of a wait: too few have ended by that age
    settling: int = 0  # periods right after the change that are left out, as it was still coming in

    @property
    def left_out(self) -> set[int]:
        """The periods that count for neither side: the one that holds the change, and those in which it was coming in."""
        mixed = set() if self.mixed is None else {self.mixed}
        return mixed | set(range(self.before, self.before + self.settling))


@dataclass
class Looking:
    """Cases and the moments they come from, looked at before and after a change."""

    scope: Scope
    moments: str  # table of the log
    calendars: Calendars
    change: date
    every: Every
    since: date | None = None
    until: date | None = None
    hurried: bool = True  # an age is never more than half of the time since the change; else what is too young waits
    young: dict[tuple[str, int], Scope] = field(default_factory=dict)  # cases at their age, folded once
    ended: dict[str, date] = field(default_factory=dict)  # sources left out -> the day up to which each is known
    edges: tuple[date, ...] = ()  # other days on which something was changed, so that a level may jump there
    settles: date | None = None  # the first day on which the change had come in altogether; None: at once
    asked: tuple[Where, ...] = ((),)  # the filters of all sides that will be looked at
    lacking: dict[tuple[str, str], str] = field(default_factory=dict)  # source, measure -> why it was left out of that
    ends: dict[Where, int] = field(default_factory=dict)  # filters -> epoch second up to which their sources are known

    def __post_init__(self) -> None:
        if not isinstance(self.scope.engine, DuckDB):
            raise RequestError("A change is proved on DuckDB alone.", "Unset WELLSERVED_ENGINE for this question.")
        if (self.since and self.change <= self.since) or (self.until and self.change >= self.until):
            raise PeriodError(
                f"The change, {self.change}, lies outside the window.", "Give --since before it and --until after it."
            )
        self.db = self.scope.engine.db
        if len(self.scope.as_of) > 1 and self.scope.table != SINCE:
            self._leave_out_ended()

    def _leave_out_ended(self) -> None:
        """Leave out the sources that can say nothing of the time since the change, or next to nothing and end early.

        Their cases would stand before the change alone, or cut every other record short.
        """
        zone = ZoneInfo(self.scope.zone)
        days = {
            source: datetime.fromtimestamp(end, UTC).astimezone(zone).date() for source, end in self.scope.as_of.items()
        }
        ended: dict[str, date] = {}
        stays: set[str] = set()
        for where in self.asked:
            cases = self._cases(where)
            last, few = max((days[source] for source in cases), default=date.min), FEW * sum(cases.values())
            early = {s for s, n in cases.items() if days[s] <= self.change or (days[s] < last and n < few)}
            early = set() if len(early) == len(cases) else early
            ended |= {source: days[source] for source in early}
            stays |= cases.keys() - early
        self.ended = {source: day for source, day in ended.items() if source not in stays}
        if self.ended:
            listed = ", ".join(map(text, sorted(self.ended)))
            kept = f"SELECT * FROM {self.scope.table} WHERE source NOT IN ({listed})"
            self.db.execute(f"CREATE OR REPLACE TEMP VIEW {SINCE} AS {kept}")
            known = {source: end for source, end in self.scope.as_of.items() if source not in self.ended}
            self.scope = replace(self.scope, table=SINCE, as_of=known)

    def _cases(self, where: Where) -> dict[str, int]:
        """Source -> its cases among those that a filter leaves."""
        only, values = filters(self.scope, Question((), where=where))
        sql = f"SELECT source, COUNT(*) AS n FROM {self.scope.table} WHERE {only} GROUP BY source"
        return {str(row["source"]): int(row["n"]) for row in self.scope.engine.ask(sql, values).to_pylist()}

    def known_until(self, where: Where) -> datetime:
        """The instant up to which every source in the question is known, in the workspace's zone."""
        if where not in self.ends:
            only, values = filters(self.scope, Question((), where=where))
            sources = sources_of(self.scope, only, values)
            self.ends[where] = min((self.scope.as_of[source] for source in sources), default=0)
        return datetime.fromtimestamp(self.ends[where], UTC).astimezone(ZoneInfo(self.scope.zone))

    def at_age(self, anchor: str, seconds: int) -> Scope:
        """The cases as each stood so many seconds after its anchor."""
        if (anchor, seconds) not in self.young:
            table = f"young_{anchor}_{seconds}"
            columns = ", ".join(f"m.{name(column)}" for column in FOLDED_FROM)
            self.db.execute(f"""
                CREATE TEMP TABLE {table}_moments AS SELECT {columns} FROM {self.moments} m
                JOIN (SELECT source, case_id, {anchor}_s AS from_s FROM {self.scope.table}) USING (source, case_id)
                WHERE epoch(m."at") <= from_s + {seconds}""")
            fold_into(self.db, table, f"{table}_moments", self.scope.zone, self.calendars)
            self.db.execute(f"DROP TABLE {table}_moments")
            self.young[anchor, seconds] = replace(self.scope, table=table, age=(anchor, seconds))
        return self.young[anchor, seconds]


def observe(
    looking: Looking,
    measure: Measure,
    where: Where,
    age_days: int | None = None,
    at_least: int = 0,
) -> Seen:
    """One measure of some of the cases, before and after the change.

    Shares, means and waits are taken at an age: the one given, or the one at which nine in ten cases of the time
    before the change had had their last word (a wait: at which it had nearly always ended), but at least so many days,
    and never more than half of the time since the change where one is in a hurry.
    """
    question = Question((measure,), None, looking.every, looking.since, looking.until, where)
    only, values = filters(looking.scope, question)
    sources = sources_of(looking.scope, only, values)
    coverage = coverage_of(looking.scope, (measure,), sources)
    if reason := coverage.reason(measure, sources) or unmatched(looking.scope, question):
        return _nothing(measure, reason, lacking=True)
    if gaps := coverage.gaps.get(measure.name):
        looking.lacking |= {(source, measure.name): why for source, why in gaps.items()}
        able = tuple(("source", source) for source in sources if source not in gaps)
        where = (*(pair for pair in where if pair[0] != "source"), *able)
        question = replace(question, where=where)
    if measure.name == "promise_running":
        return _nothing(measure, "it speaks of today alone")
    if measure.kind in ("count", "stock", "stock_age"):
        return _dated(looking, measure, question)
    if "{as_of_bus}" in measure.event + measure.population:
        return _nothing(measure, UNTOLD)
    if measure.anchor == "due" and _any(looking.scope, "overrun > 0", question):
        return _nothing(measure, RENEWED)
    most = int((looking.known_until(where).date() - looking.change).days / 2)
    if looking.hurried and most < 1:
        known = looking.known_until(where).date()
        passed = (
            "lies after the end of the record" if known < looking.change else "was less than two days before its end"
        )
        return _nothing(measure, f"the change {passed}, {known.isoformat()}")
    days = max(age_days or max(_age(looking, measure, question, most), at_least), measure.least_days)
    scope = looking.at_age(measure.anchor, days * DAY)
    if measure.kind == "wait":
        seen = _waits(looking, scope, measure, question, days)
        if seen.slow and not age_days and (longer := _longer(looking, measure, question, most)) > days:
            return observe(looking, measure, where, None, longer)
        return seen
    return _shares(looking, scope, measure, question, days)


def _nothing(measure: Measure, reason: str, lacking: bool = False) -> Seen:
    none = np.array([])
    return Seen(measure, Observed("plain", none, none), (), 0, None, None, 0, reason, lacking)


def _any(scope: Scope, sql: str, question: Question) -> bool:
    """Whether any case of the question is so; the first one ends the search."""
    where, values = filters(scope, question)
    found = scope.engine.ask(f"SELECT 1 FROM {scope.table} WHERE ({fill(sql, scope)}) AND {where} LIMIT 1", values)
    return bool(found.num_rows)


def adds_up(measure: Measure) -> bool:
    """A wait that is a sum of parts: an open case may have little so far, so that not having ended says little."""
    return measure.since not in ("asked_s", "clock_from", "due_s")


def _age(looking: Looking, measure: Measure, question: Question, most: int) -> int:
    """Days after its anchor at which a case is looked at, from the time before the change alone."""
    days = _last_word(looking, measure, replace(question, until=looking.change))
    return min(days, most) if looking.hurried else days


def _longer(looking: Looking, measure: Measure, question: Question, most: int) -> int:
    """The same from the time after the change, where waits have grown beyond the age of the time before."""
    days = _last_word(looking, measure, replace(question, since=looking.change), most)
    return min(days, most) if looking.hurried else days


def _last_word(looking: Looking, measure: Measure, past: Question, unknown: int = 30) -> int:
    """Days within which nearly all cases of a time had had their last word; where that is not known, so many."""
    scope, anchor = looking.scope, f"{measure.anchor}_s"
    where, values = filters(scope, past)
    twin = next((one for one in MEASURES if one.name == measure.name.removeprefix("business_")), measure)
    coded = f"CASE WHEN closed = 1 THEN GREATEST(last_s - {anchor}, 0) * 2 ELSE GREATEST({{as_of}} - {anchor}, 0) * 2 + 1 END"
    share = WHOLE if adds_up(measure) and measure.kind == "wait" else STORY
    if measure.kind == "wait" and not adds_up(measure):
        coded = f"CASE WHEN {twin.event} THEN {twin.value} * 2 WHEN {twin.waiting} THEN ({{as_of}} - {twin.since}) * 2 + 1 END"
        share = (1 + twin.quantile) / 2
    sql = f"SELECT 0 AS period, CAST(NULL AS VARCHAR) AS segment, {fill(coded, scope)} AS coded FROM {scope.table} WHERE {where} AND {within(past, measure.anchor)}"
    days = unknown
    for _, seconds in of_groups(scope.engine.stream(sql, values), lambda waits: coded_quantile(waits, share)[0]):
        days = max(math.ceil(seconds / DAY), 1) if math.isfinite(seconds) else unknown
    return days


def _dated(looking: Looking, measure: Measure, question: Question) -> Seen:
    """Counts of dated events and stocks at a period's end, which later moments do not change."""
    series = answer(looking.scope, replace(question, measures=(replace(measure, minimum_n=0),)))[measure.name]
    ends = looking.known_until(question.where).date()
    rows = {period.start: place for place, period in enumerate(series.periods) if period and series.over[place]}

    def number(place: int) -> tuple[float, float]:
        period, value = series.periods[place], series.value[place]
        assert period is not None
        if measure.kind == "count":
            return float(series.n[place]), (period.end - period.start).days / LENGTH[looking.every]
        return (math.nan, 0.0) if isinstance(value, NotComputed) else (float(value), 1.0)

    family: Family = "count" if measure.kind == "count" else "plain"
    return _laid_out(looking, question, {start: number(place) for start, place in rows.items()}, ends, None, family)


def _shares(
    looking: Looking, scope: Scope, measure: Measure, question: Question, days: int, family: Family | None = None
) -> Seen:
    """Shares and means of cases at their age."""
    at_age = replace(measure, minimum_n=2 if measure.kind == "mean" else 1, needs="")
    series = answer(scope, replace(question, measures=(at_age,)))[measure.name]
    found: dict[date, tuple[float, float]] = {}
    reason = "no cases"
    for place, period in enumerate(series.periods):
        value, n = series.value[place], float(series.n[place])
        if isinstance(value, NotComputed):
            reason = value.reason
        elif period is not None:
            found[period.start] = (value * n if measure.kind == "mean" else float(series.count[place] or 0), n)
    if not found:
        return _nothing(measure, reason)
    ripe = (looking.known_until(question.where) - timedelta(days=days)).date()
    family = family or ("mean" if measure.kind == "mean" else "rate")
    return _laid_out(looking, replace(question, measures=(measure,)), found, ripe, days, family)


def _waits(looking: Looking, scope: Scope, measure: Measure, question: Question, days: int) -> Seen:
    """A wait's quantile by period, each linearised near its own level, and what it was over either side."""
    by_start = {start: waits for (start, _), waits in coded_waits(looking, scope, measure, question).items()}
    if not any(start < looking.change for start in by_start):
        return _nothing(measure, f"the record holds no {measure.lacking or 'such waits'} before the change at that age")
    sizes = {start: (0.0, float(len(waits))) for start, waits in by_start.items()}
    ripe = (looking.known_until(question.where) - timedelta(days=days)).date()
    seen = _laid_out(looking, replace(question, measures=(measure,)), sizes, ripe, days, "quantile")
    if not seen.periods or not seen.before:
        return seen
    pieces = [by_start.get(period.start, np.array([], np.int64)) for period in seen.periods]
    whole = [piece[:0] if number in seen.left_out else piece for number, piece in enumerate(pieces)]
    sides = [_quantile(whole[part], measure) for part in (slice(0, seen.before), slice(seen.before, None))]
    levels = wait_levels(looking, seen, measure, whole)
    if levels.reason:
        return replace(_nothing(measure, _unfit(levels, measure, days, sides[0])), slow=levels.unreached)
    if adds_up(measure) and (reason := _too_unknown(whole, measure, levels, seen, days)):
        return _nothing(measure, reason)
    observed = quantile_of(levels, measure.quantile, sides[0] or 0.0, sides[1])
    shown = tuple(_quantile([piece], measure) for piece in pieces)
    return replace(seen, observed=observed, shown=shown, sides=(sides[0], sides[1]))


def coded_waits(
    looking: Looking, scope: Scope, measure: Measure, question: Question
) -> dict[tuple[date, str | None], Codes]:
    """The waits of cases at their age by period and segment, each sorted: twice the seconds, one more while it goes on."""
    where, values = filters(scope, question)
    now = "{as_of_bus}" if measure.clock == "business" else "{as_of}"
    open_ = f"GREATEST({now} - {measure.since}, 0) * 2 + 1" if adds_up(measure) else f"{NEVER}"
    coded = f"CASE WHEN {measure.event} THEN {measure.value} * 2 WHEN {measure.waiting} THEN {open_} END"
    segment = name(question.by) if question.by else "CAST(NULL AS VARCHAR)"
    sql = (
        f"SELECT {period_key(measure.anchor, looking.every)} AS period, {segment} AS segment, {fill(coded, scope)} AS coded "
        f"FROM {scope.table} WHERE {where} AND {within(question, measure.anchor)}"
    )
    groups = of_groups(scope.engine.stream(sql, values), lambda codes: codes.astype(np.int64))
    return {(period_start(period, looking.every), segment): codes for (period, segment), codes in groups}


def wait_levels(
    looking: Looking, seen: Seen, measure: Measure, pieces: Sequence[Codes], weights: Sequence[Floats] | None = None
) -> Levels:
    """The levels of a wait over the periods of a series, from the waits in each; weights: of each wait."""
    lengths = [np.where(piece >= NEVER, np.inf, (piece >> 1) / measure.seconds) for piece in pieces]
    ended = [(piece & 1 == 0) & (piece < NEVER) for piece in pieces]
    cases = of_pieces(list(zip(lengths, ended, strict=True)), weights)
    whole, grain = WEEK if looking.every == "day" else 1, 1 / measure.seconds
    return levels_of(cases, len(pieces), measure.quantile, _edges(looking, seen), whole, grain)


def _edges(looking: Looking, seen: Seen) -> list[int]:
    """The first period of each side: the measure may jump there."""
    numbers = {
        sum(period.start < day for period in seen.periods)
        for day in (looking.change, *looking.edges, looking.settles)
        if day
    }
    return sorted(number for number in numbers if 0 < number < len(seen.periods))


def _quantile(pieces: Sequence[Codes], measure: Measure) -> float | None:
    """What was measured over some periods: their quantile, in the unit; None: not reached by that age."""
    coded = np.sort(np.concatenate([*pieces, np.array([], np.int64)]))
    seconds = coded_quantile(coded, measure.quantile)[0] if len(coded) else math.inf
    return seconds / measure.seconds if seconds < NEVER >> 1 else None


def _unfit(levels: Levels, measure: Measure, days: int, before: float | None) -> str:
    """Why a wait has no quantile by period, in words; before: what it was before the change, in the unit."""
    when = "after the change" if levels.side else "before the change"
    if not levels.unreached:
        return f"{when}, {levels.reason}"
    was = f", where {number(before)} {measure.unit} were enough before" if levels.side and before else ""
    return f"{when}, {measure.quantile:.0%} are not reached within {days} days of the first ask{was}; {LATER}"


def _too_unknown(pieces: Sequence[Codes], measure: Measure, levels: Levels, seen: Seen, days: int) -> str:
    """Whether an age does not tell of too many cases, on either side, which are open with less than the level so far."""
    seconds = np.exp(levels.log) * measure.seconds
    unknown = np.array(
        [((piece & 1 == 1) & (piece >> 1 <= level)).sum() for piece, level in zip(pieces, seconds, strict=True)]
    )
    counts = np.array([len(piece) for piece in pieces])
    for side in (slice(0, seen.before), slice(seen.before, None)):
        n = max(int(counts[side].sum()), 1)
        part = float(unknown[side].sum()) / n
        if part > UNKNOWN + 2 * math.sqrt(UNKNOWN * (1 - UNKNOWN) / n):  # beyond chance
            return f"{part:.0%} of the cases are still open {days} days after the first ask with less so far; {LATER}"
    return ""


def _laid_out(
    looking: Looking,
    question: Question,
    found: dict[date, tuple[float, float]],
    ripe: date,
    days: int | None,
    family: Family,
) -> Seen:
    """Periods without holes from the first whole one to the last whose cases are ripe."""
    (measure,), where = question.measures, question.where
    if not found:
        return _nothing(measure, "no cases")
    first = _first_day(looking, measure, where)
    last = max(max(found) + timedelta(days=1), ripe if family == "count" else date.min)  # nothing happened is a count
    spans = [
        one
        for one in periods_between(min(found), last, looking.every)
        if one.start >= first and (not looking.until or one.end <= looking.until)
    ]
    kept = [one for one in spans if one.end <= ripe]
    unripe = sum(one.end > max(ripe, looking.change) for one in spans) if days is not None else 0
    numbers = [found.get(one.start, _empty(one, looking.every, family)) for one in kept]
    total, size = (np.array([pair[place] for pair in numbers]) for place in (0, 1))
    holds = np.array([one.start < looking.change < one.end for one in kept], dtype=bool)
    size = np.where(holds, 0.0, size)
    before = sum(one.start < looking.change for one in kept)
    mixed = int(np.argmax(holds)) if holds.any() else None
    settling = sum(one.start < looking.settles for one in kept[before:]) if looking.settles else 0
    size[before : before + settling] = 0.0
    return Seen(measure, Observed(family, total, size), tuple(kept), before, mixed, days, unripe, settling=settling)


def _empty(period: Period, every: Every, family: Family) -> tuple[float, float]:
    """A period without a case: none happened, or nothing is known."""
    return (0.0, (period.end - period.start).days / LENGTH[every] if family == "count" else 0.0)


def _first_day(looking: Looking, measure: Measure, where: Where) -> date:
    """The first local day of the record, but for the one case in two hundred that may lie far before all others."""
    named = tuple((column, value) for column, value in where if column == "source")
    only, values = filters(looking.scope, Question((measure,), where=named))
    sql = f"SELECT quantile_disc({measure.anchor}_day, 0.005) AS day FROM {looking.scope.table} WHERE {only}"
    day = looking.scope.engine.ask(sql, values)["day"][0].as_py()
    first = date(1970, 1, 1) + timedelta(days=int(day or 0))
    return max(first, looking.since or first)

"""The measures once more, slowly, in plain Python: what the product's numbers are compared with.

Written from the definitions in words alone (population, formula and exclusions of each measure, the shipped
mappings, and what a receipt says about stamps), with no table engine and no numerical package. A case is one
object, a period is a label, and every number is counted in a loop.
"""

from __future__ import annotations

import csv
import gzip
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:  # its type alone; nothing here is worked out by the product
    from wellserved.calendar import Calendar

Every = Literal["day", "week", "month", "quarter", "year"]
Spot = tuple[str | None, str | None]  # segment, label of the period

MISSING = {"", "?", "-", "--", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan"}
Z = NormalDist().inv_cdf(0.975)
BOSTON = ZoneInfo("America/New_York")


@dataclass
class Case:
    """One request with its fate; all times are aware and in UTC."""

    number: str
    asked: datetime
    due: datetime | None = None
    first_resolved: datetime | None = None
    resolved: datetime | None = None  # the last resolution, if the case is closed now
    closed: bool = False
    reopens: int = 0
    handovers: int = 0
    kept_by_source: bool | None = None
    last: datetime | None = None  # its latest moment
    team: str | None = None
    channel: str | None = None


# --- reading the files ---------------------------------------------------------------------------------------------


def lines(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a gzipped CSV file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def known(value: str) -> str | None:
    """The value, or None for each of the ways to say that there is none."""
    return None if value.strip() in MISSING else value.strip()


@cache
def ahead_of_utc(year: int, month: int, day: int, hour: int) -> timedelta:
    """What Boston's clock is ahead of UTC in that hour; the later offset where the hour comes twice."""
    offset = datetime(year, month, day, hour, fold=1, tzinfo=BOSTON).utcoffset()
    assert offset is not None
    return offset


def us_stamp(value: str) -> datetime | None:
    """`01/02/2015 02:05:11 PM`, Boston time; the hour that the clock repeats is read as standard time."""
    if known(value) is None:
        return None
    day, clock, half = value.split(" ")
    month, dom, year = (int(part) for part in day.split("/"))
    hour, minute, second = (int(part) for part in clock.split(":"))
    hour = hour % 12 + (12 if half == "PM" else 0)
    return datetime(year, month, dom, hour, minute, second, tzinfo=UTC) - ahead_of_utc(year, month, dom, hour)


def read_boston(path: Path) -> list[Case]:
    """One row a case; a promise is made only where there is a target."""
    word = {"ONTIME": True, "OVERDUE": False}
    cases = []
    for row in lines(path):
        asked, due, closed = us_stamp(row["OPEN_DT"]), us_stamp(row["TARGET_DT"]), us_stamp(row["CLOSED_DT"])
        assert asked is not None
        cases.append(
            Case(
                row["CASE_ENQUIRY_ID"],
                asked,
                due,
                closed,
                closed,
                closed is not None,
                kept_by_source=word.get(row["OnTime_Status"]) if due else None,
                last=max(asked, closed or asked),
                team=known(row["Department"]),
                channel=known(row["Source"]),
            )
        )
    return cases


def minute_stamp(value: str) -> datetime:
    """`29/2/2016 01:16`, read as UTC."""
    day, clock = value.split(" ")
    dom, month, year = (int(part) for part in day.split("/"))
    hour, minute = (int(part) for part in clock.split(":"))
    return datetime(year, month, dom, hour, minute, tzinfo=UTC)


def read_incidents(path: Path) -> dict[str, list[dict[str, str]]]:
    """The updates of each incident, in file order."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in lines(path):
        found[row["number"]].append(row)
    return dict(found)


DONE = ("Resolved", "Closed")


def fold_incident(number: str, updates: Sequence[dict[str, str]]) -> Case:
    """An incident from its updates: the states and the stamps of the updates alone say what happened when."""
    case = Case(number, minute_stamp(updates[0]["opened_at"]))
    case.last = case.asked
    state, group, reopened = "", None, int(updates[0]["reopen_count"])
    for row in updates:
        at = minute_stamp(row["sys_updated_at"])
        if row["incident_state"] in DONE and state not in DONE:
            case.first_resolved = case.first_resolved or at
            case.resolved, case.closed = at, True
            case.last = max(case.last, at)
        if int(row["reopen_count"]) > reopened:
            case.reopens += 1
            case.last = max(case.last, at)
        now = known(row["assignment_group"])
        case.handovers += None not in (group, now) and now != group
        case.team = now or case.team
        state, group, reopened = row["incident_state"], now, int(row["reopen_count"])
    case.kept_by_source = {"true": True, "false": False}.get(updates[-1]["made_sla"])
    return case


# --- periods -------------------------------------------------------------------------------------------------------


def label(at: datetime, every: Every | None, zone: ZoneInfo) -> str | None:
    """The name of the local day, ISO week, month, quarter or year that holds an instant."""
    if every is None:
        return None
    return name_of(at.astimezone(zone).date(), every)


@cache
def name_of(day: date, every: Every) -> str:
    """The name of the period that holds a day."""
    if every == "day":
        return day.isoformat()
    if every == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02d}"
    if every == "month":
        return f"{day.year}-{day.month:02d}"
    if every == "year":
        return f"{day.year}"
    return f"{day.year}-Q{(day.month + 2) // 3}"


def ends_of(name: str, every: Every, zone: ZoneInfo) -> datetime:
    """The instant at which the period of that name ends: midnight before the first day after it."""
    if every == "day":
        after = date.fromisoformat(name) + timedelta(days=1)
    elif every == "week":
        after = date.fromisocalendar(int(name[:4]), int(name[6:]), 1) + timedelta(days=7)
    else:
        year = int(name[:4])
        month = 12 if every == "year" else int(name[5:]) if every == "month" else int(name[6:]) * 3
        after = date(year + month // 12, month % 12 + 1, 1)
    return datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)


# --- measures ------------------------------------------------------------------------------------------------------

Segment = Callable[[Case], str | None]


def everyone(case: Case) -> str | None:
    """No split."""
    return None


def as_of(cases: Iterable[Case]) -> datetime:
    """The instant up to which the cases are known: their latest moment."""
    return max(case.last or case.asked for case in cases)


def tally(
    cases: Iterable[Case],
    when: Callable[[Case], datetime | None],
    every: Every | None,
    zone: ZoneInfo,
    split: Segment = everyone,
) -> dict[Spot, list[Case]]:
    """The cases of each segment and period; those without that date are in none."""
    found: dict[Spot, list[Case]] = defaultdict(list)
    for case in cases:
        if (at := when(case)) is not None:
            found[split(case), label(at, every, zone)].append(case)
    return found


def fell_due(case: Case, now: datetime) -> bool:
    """The promise had fallen due by now; a promise due before the case was opened does not count."""
    return case.due is not None and case.due <= now and case.due >= case.asked


def fate(case: Case) -> Literal["kept", "late", "broken"]:
    """What became of a promise that fell due."""
    assert case.due is not None
    if not case.closed or case.resolved is None:
        return "broken"
    return "kept" if case.resolved <= case.due else "late"


def running(case: Case, now: datetime) -> bool:
    """An open case whose due time is still to come."""
    return not case.closed and case.due is not None and case.due > now


def open_at(case: Case, end: datetime | None) -> bool:
    """Asked for before the end, and not finally resolved before it."""
    if end is None:
        return not case.closed
    return case.asked < end and not (case.closed and case.resolved is not None and case.resolved < end)


def wait(case: Case, now: datetime) -> tuple[int, bool] | None:
    """Seconds from the first ask to the first resolution, or to now and still running; None: left out."""
    if case.first_resolved is not None:
        seconds = round((case.first_resolved - case.asked).total_seconds())
        return (seconds, True) if seconds >= 0 else None
    return None if case.closed else (round((now - case.asked).total_seconds()), False)


# --- estimates and intervals ---------------------------------------------------------------------------------------


def wilson(k: int, n: int) -> tuple[float, float]:
    """The two shares whose distance from k/n is Z of their own standard errors: roots of a quadratic equation."""
    a, b = n + Z * Z, 2 * k + Z * Z  # of a x^2 - b x + k^2 / n = 0
    root = Z * math.sqrt(Z * Z + 4 * k * (n - k) / n)
    return ((b - root) / (2 * a), (b + root) / (2 * a))


def poisson_up_to(count: int, mean: float) -> float:
    """P(Poisson(mean) <= count), summed outwards from its greatest term."""
    top = min(count, int(mean))
    start = term = math.exp(top * math.log(mean) - mean - math.lgamma(top + 1)) if mean > 0 else 1.0
    total = start
    for i in range(top, 0, -1):
        term *= i / mean
        total += term
        if term < 1e-18 * total:
            break
    term = start
    for i in range(top + 1, count + 1):
        term *= mean / i
        total += term
        if term < 1e-18 * total:
            break
    return total


def _bisect(f: Callable[[float], float], low: float, high: float) -> float:
    """The zero of a falling function."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return (low + high) / 2


def poisson_interval(count: int) -> tuple[float, float]:
    """The means at which so many, or so few, have a chance of 2.5%."""
    width = 10 * math.sqrt(count + 1) + 10
    high = _bisect(lambda mean: poisson_up_to(count, mean) - 0.025, max(count - 1.0, 1e-9), count + width)
    if count == 0:
        return (0.0, high)
    low = _bisect(lambda mean: poisson_up_to(count - 1, mean) - 0.975, max(count - width, 1e-9), count + 1.0)
    return (low, high)


def student_quantile(df: int) -> float:
    """The 97.5% point of Student's t, from Simpson's rule on its density."""
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)

    def density(x: float) -> float:
        return scale * math.pow(1 + x * x / df, -(df + 1) / 2)

    def area(x: float, steps: int = 4000) -> float:
        h = x / steps
        inner = sum((4 if i % 2 else 2) * density(i * h) for i in range(1, steps))
        return h / 3 * (density(0) + inner + density(x))

    return _bisect(lambda x: 0.475 - area(x), 0.5, 20.0)


def binomial(n: int, p: Fraction) -> Sequence[Fraction | float]:
    """P(Binomial(n, p) = k) for k in 0..n: exact up to n = 200, by logarithms above."""
    if n <= 200:
        return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    yes, no, whole = math.log(p), math.log(1 - p), math.lgamma(n + 1)
    return [
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * yes + (n - k) * no) for k in range(n + 1)
    ]


@cache
def ranks(n: int, p: Fraction) -> tuple[int, int]:
    """Ranks of the 95% interval of a quantile: at most 2.5% that it lies below the first, or at or above the second."""
    chances = binomial(n, p)
    tail = Fraction(1, 40) if n <= 200 else 0.025
    low, below = 0, chances[0] * 0  # below: P(fewer than `low` values under the quantile)
    while below + chances[low] <= tail:
        below += chances[low]
        low += 1
    high, above = n + 1, chances[0] * 0  # above: P(`high` or more under the quantile)
    while above + chances[high - 1] <= tail:
        above += chances[high - 1]
        high -= 1
    return (low, high)


def curve(waits: Sequence[tuple[int, bool]]) -> list[tuple[int, int, int]]:
    """Times at which a wait ended, with those that ended then and those still at risk just before."""
    ends: dict[int, int] = defaultdict(int)
    gone: dict[int, int] = defaultdict(int)
    for seconds, ended in waits:
        ends[seconds] += ended
        gone[seconds] += 1
    found, at_risk = [], len(waits)
    for seconds in sorted(gone):
        if ends[seconds]:
            found.append((seconds, ends[seconds], at_risk))
        at_risk -= gone[seconds]
    return found


def kaplan_meier(waits: Sequence[tuple[int, bool]], p: Fraction) -> float:
    """The first time at which at most 1 - p still wait; near that mark the product is taken in fractions.

    The median of a curve that is exactly a half from one end to the next lies half-way between the two.
    """
    mark, surviving, steps = float(1 - p), 1.0, []
    points = [point for point in curve(waits) if point[1]]
    for place, (seconds, ended, at_risk) in enumerate(points):
        steps.append((ended, at_risk))
        surviving *= (at_risk - ended) / at_risk
        if abs(surviving - mark) < 1e-9:
            exact = Fraction(1)
            for d, n in steps:
                exact *= Fraction(n - d, n)
            if exact == 1 - p == Fraction(1, 2) and place + 1 < len(points):
                return (seconds + points[place + 1][0]) / 2
            if exact <= 1 - p:
                return float(seconds)
        elif surviving < mark:
            return float(seconds)
    return math.inf


def greenwood(waits: Sequence[tuple[int, bool]], p: Fraction) -> tuple[float, float]:
    """Where the log-log band of the curve crosses 1 - p; where nobody is left, nothing bounds it from above."""
    mark, surviving, spread = float(1 - p) + 1e-12, 1.0, 0.0
    low = high = math.inf
    for seconds, ended, at_risk in curve(waits):
        surviving *= (at_risk - ended) / at_risk
        if ended == at_risk:
            return (min(low, float(seconds)), high)
        spread += ended / (at_risk * (at_risk - ended))
        factor = math.exp(Z * math.sqrt(spread) / abs(math.log(surviving)))
        if surviving**factor <= mark:
            low = min(low, float(seconds))
        if surviving ** (1 / factor) <= mark:
            high = min(high, float(seconds))
    return (low, high)


def waiting_interval(waits: Sequence[tuple[int, bool]], p: Fraction) -> tuple[float, float]:
    """By order statistics where no open case intervenes, else by Greenwood."""
    low, high = ranks(len(waits), p)
    ordered = sorted(waits, key=lambda one: (one[0], not one[1]))
    if all(ended for _, ended in ordered):
        return (float(ordered[max(low, 1) - 1][0]), float(ordered[high - 1][0]) if high <= len(waits) else math.inf)
    if high <= len(waits) and all(ended for _, ended in ordered[:high]):
        return (float(ordered[max(low, 1) - 1][0]), float(ordered[high - 1][0]))
    return greenwood(waits, p)


# --- whole answers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """One cell of an answer; None where there is nothing to say."""

    n: int
    count: int | None = None
    open: int | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None


FEWEST = 10  # cases below which a share or a wait is refused
poisson = cache(poisson_interval)


def counted(n: int) -> Number:
    """A count with its interval."""
    return Number(n, None, None, float(n), *poisson(n))


def shared(cases: Sequence[Case], event: Callable[[Case], bool]) -> Number:
    """The share of the cases for which that is true."""
    n, k = len(cases), sum(event(case) for case in cases)
    return Number(n, k, None, k / n, *wilson(k, n)) if n >= FEWEST else Number(n, k)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def waited(waits: Sequence[tuple[int, bool]], p: Fraction, unit: float) -> Number:
    """The time within which the share p had ended, open cases counted as still waiting."""
    n, still = len(waits), sum(not ended for _, ended in waits)
    value = _finite(kaplan_meier(waits, p) / unit) if n >= FEWEST else None
    if value is None:
        return Number(n, None, still)
    low, high = waiting_interval(waits, p)
    return Number(n, None, still, value, _finite(low / unit), _finite(high / unit))


Answer = dict[Spot, Number]
SECONDS_A_DAY = 86_400.0


def answers(cases: Sequence[Case], every: Every | None, zone: ZoneInfo, split: Segment = everyone) -> dict[str, Answer]:
    """The measures of asking, finishing, promising and waiting, over the periods and segments that have cases."""
    now = as_of(cases)
    asked = tally(cases, lambda case: case.asked, every, zone, split)
    finished = tally(cases, lambda case: case.resolved, every, zone, split)
    due = tally([case for case in cases if fell_due(case, now)], lambda case: case.due, every, zone, split)
    ahead = tally([case for case in cases if running(case, now)], lambda case: case.due, every, zone, split)
    closed = tally([case for case in cases if case.closed], lambda case: case.due, every, zone, split)
    judged = tally([case for case in cases if case.kept_by_source is not None], lambda c: c.asked, every, zone, split)
    done = tally([case for case in cases if case.first_resolved], lambda case: case.asked, every, zone, split)
    waits = {spot: [one for case in group if (one := wait(case, now))] for spot, group in asked.items()}
    found: dict[str, Answer] = {
        "asked": {spot: counted(len(group)) for spot, group in asked.items()},
        "resolved": {spot: counted(len(group)) for spot, group in finished.items()},
        "promise_running": {spot: counted(len(group)) for spot, group in ahead.items()},
        "closed_late": {spot: shared(group, lambda case: fate(case) == "late") for spot, group in closed.items()},
        "promise_kept_by_source": {
            spot: shared(group, lambda c: bool(c.kept_by_source)) for spot, group in judged.items()
        },
        "reopen_rate": {spot: shared(group, lambda case: case.reopens > 0) for spot, group in done.items()},
    }
    for what in ("kept", "late", "broken"):
        found[f"promise_{what}"] = {
            spot: shared(group, lambda case, what=what: fate(case) == what)  # type: ignore[misc]
            for spot, group in due.items()
        }
    for name, p in (("time_to_resolution", Fraction(1, 2)), ("time_to_resolution_p90", Fraction(9, 10))):
        found[name] = {spot: waited(group, p, SECONDS_A_DAY) for spot, group in waits.items() if group}
    return found


def stock(cases: Sequence[Case], spots: Iterable[Spot], every: Every | None, zone: ZoneInfo, split: Segment) -> Answer:
    """The cases open at the end of each period, or now if that is still to come."""
    begun: dict[str | None, list[datetime]] = defaultdict(list)
    over: dict[str | None, list[datetime]] = defaultdict(list)  # both asked for and finally resolved
    for case in sorted(cases, key=lambda one: one.asked):
        begun[split(case)].append(case.asked)
    for case in sorted((one for one in cases if one.resolved), key=_over):
        over[split(case)].append(_over(case))
    found = {}
    for segment, name in spots:
        end = ends_of(name, every, zone) if name and every else datetime.max.replace(tzinfo=UTC)
        found[segment, name] = counted(bisect_left(begun[segment], end) - bisect_left(over[segment], end))
    return found


def _over(case: Case) -> datetime:
    return max(case.asked, case.resolved or case.asked)


# --- opening hours ---------------------------------------------------------------------------------------------------


def open_at_wall(calendar: Calendar, second: int) -> bool:
    """The wall clock of the calendar's zone shows a time within the hours of that day."""
    wall = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(calendar.zone))
    of_day = wall.hour * 3600 + wall.minute * 60 + wall.second
    return any(start <= of_day < end for start, end in calendar.spans_on(wall.date()))


def walk_the_clock(calendar: Calendar, start: int, end: int) -> int:
    """Open seconds in [start, end): quarter hours are looked at whole where both ends and no border lie within."""
    total, now = 0, start
    while now < end:
        step = min(900 - now % 900, end - now)
        walls = [datetime.fromtimestamp(one, UTC).astimezone(ZoneInfo(calendar.zone)) for one in (now, now + step - 1)]
        of_day = [wall.hour * 3600 + wall.minute * 60 + wall.second for wall in walls]
        day = calendar.spans_on(walls[0].date())
        borders = {edge for span in day for edge in span}
        plain = walls[0].date() == walls[1].date() and of_day[1] - of_day[0] == step - 1
        if plain and not any(of_day[0] < edge <= of_day[1] for edge in borders):
            total += step if open_at_wall(calendar, now) else 0
        else:
            total += sum(open_at_wall(calendar, second) for second in range(now, now + step))
        now += step
    return total

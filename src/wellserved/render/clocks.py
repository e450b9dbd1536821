"""A case explained, two rules compared, and the opening hours: as tables that every format shows alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from wellserved.calendar import Calendar, Calendars
from wellserved.measure.clocks import Definition
from wellserved.measure.timeline import Difference, Explained
from wellserved.measure.words import plural
from wellserved.report import Table

_STATES = ("with us", "waits for the customer", "waits for a third party", "closed")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def clock_time(seconds: int | float | None) -> str:
    """Seconds as hours, minutes and seconds, exact."""
    if seconds is None:
        return ""
    whole = round(abs(seconds))
    sign = "-" if seconds < 0 else ""
    return f"{sign}{whole // 3600:,}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def explained_tables(one: Explained, zone: str) -> list[Table]:
    """The case's timeline, and what each definition makes of it."""
    place = ZoneInfo(zone)
    houses = [definition.house for definition, _, _ in one.sums]
    lines = []
    for at, row in enumerate(one.rows):
        counted = [house for house, marks in zip(houses, one.counted, strict=True) if marks[at]]
        who = " / ".join(str(part) for part in (row["team"], row["person_id"]) if part is not None)
        stamp = datetime.fromtimestamp(row["s"], UTC).astimezone(place).isoformat(sep=" ")
        over = row["state"] == 3 and at + 1 == len(one.rows)
        lasted, open_for = ("", "") if over else (clock_time(row["secs"]), clock_time(row["bus"]))
        state = _STATES[row["state"]]
        by = "all" if len(counted) == len(houses) else ", ".join(counted)
        lines.append((stamp, row["kind"].replace("_", " "), who, state, lasted, open_for, by))
    timeline = Table(
        f"Case {one.case_id} of {one.source}, times in {zone}",
        ("at", "what", "who", "then it is", "for", "opening hours", "counted by"),
        tuple(lines),
    )
    sums = Table(
        "What each rule counts (hours:minutes:seconds)",
        ("rule", "its name", "time", "stops", "stands still", "runs"),
        tuple(_sum(*line, one.hours, reason) for line, reason in zip(one.sums, one.withheld, strict=True)),
    )
    return [timeline, sums]


def _sum(one: Definition, seconds: int | None, running: bool, hours: bool, withheld: str) -> tuple[object, ...]:
    words = one.words()
    shown = "left out" if seconds is None else clock_time(seconds) + (" and running" if running else "")
    if one.runs != "calendar" and not hours:
        shown = "no opening hours"
    if withheld:
        shown = f"cannot be told: {withheld}"
    return (one.house, one.word, shown, words["stops"], words["stands still"], words["runs"])


def compared_tables(first: Definition, second: Definition, found: Sequence[Difference]) -> list[Table]:
    """Two rules side by side, and the cases in groups by why they differ."""
    total = sum(one.cases for one in found)
    lines = [
        (
            "; ".join(one.reasons) or "no difference",
            one.cases,
            f"{one.cases / total:.1%}" if total else "",
            one.only_first,
            one.only_second,
            "" if one.median_secs is None else clock_time(one.median_secs),
            ", ".join(one.examples),
        )
        for one in found
    ]
    theirs, ours = first.words(), second.words()
    rules = [(key, theirs[key], ours[key]) for key in theirs]
    return [
        Table(f"{first.measure}: {first.house} and {second.house}", ("", first.house, second.house), tuple(rules)),
        Table(
            f"{plural(total, 'case')} that either counts",
            (
                "why they differ",
                "cases",
                "share",
                f"only {first.house}",
                f"only {second.house}",
                f"median: {second.house} less {first.house}",
                "for example",
            ),
            tuple(lines),
        ),
    ]


def calendar_tables(calendars: Calendars) -> list[Table]:
    """The opening hours as they were understood."""
    tables = [_hours(one) for one in calendars.all]
    if calendars.all:
        uses = [
            (" / ".join(use.teams) or "any", " / ".join(use.services) or "any", use.calendar) for use in calendars.uses
        ]
        uses.append(("all others", "", calendars.all[0].name))
        tables.append(Table("Which counts for whom", ("team", "service", "calendar"), tuple(uses)))
    return tables


def _hours(one: Calendar) -> Table:
    lines = []
    for version in one.versions:
        since = "always" if version.since.year == 1 else f"from {version.since}"
        for day, spans in enumerate(version.week):
            lines.append((since, _DAYS[day], _spans(spans)))
        lines += [(since, day.isoformat(), _spans(spans)) for day, spans in sorted(version.days.items())]
        if version.closed:
            lines.append((since, "public holidays", f"closed ({len(version.closed):,} days, 1990 to 2050)"))
    return Table(f"{one.name}, {one.zone}", ("valid", "day", "open"), tuple(lines))


def _spans(spans: Sequence[tuple[int, int]]) -> str:
    def stamp(second: int) -> str:
        hours, rest = divmod(second, 3600)
        return f"{hours:02d}:{rest // 60:02d}" + (f":{rest % 60:02d}" if rest % 60 else "")

    return ", ".join(f"{stamp(start)}-{stamp(end)}" for start, end in spans) or "closed"

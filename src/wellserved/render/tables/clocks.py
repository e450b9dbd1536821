"""A case explained, two rules compared, and the opening hours: as tables that every format shows alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from wellserved.calendar import Calendar, Calendars
from wellserved.measure.timeline import CaseExplanation, RuleDifference
from wellserved.measure.vendor_rules import VendorRule
from wellserved.report import Table
from wellserved.wording import plural

_STATES = ("with us", "waits for the customer", "waits for a third party", "closed")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def format_duration(seconds: int | float | None) -> str:
    """Seconds as hours, minutes and seconds, exact."""
    if seconds is None:
        return ""
    total_seconds = round(abs(seconds))
    sign = "-" if seconds < 0 else ""
    return f"{sign}{total_seconds // 3600:,}:{total_seconds % 3600 // 60:02d}:{total_seconds % 60:02d}"


def explained_tables(explanation: CaseExplanation, zone: str) -> list[Table]:
    """The case's timeline, and what each definition makes of it."""
    local_zone = ZoneInfo(zone)
    vendors = [rule.vendor for rule, _, _ in explanation.sums]
    lines = []
    for position, row in enumerate(explanation.rows):
        counting_vendors = [
            vendor for vendor, marks in zip(vendors, explanation.interval_counts, strict=True) if marks[position]
        ]
        who = " / ".join(str(part) for part in (row["team"], row["person_id"]) if part is not None)
        stamp = datetime.fromtimestamp(row["s"], UTC).astimezone(local_zone).isoformat(sep=" ")
        is_over = row["state"] == 3 and position + 1 == len(explanation.rows)
        duration_text, open_hours_text = (
            ("", "") if is_over else (format_duration(row["secs"]), format_duration(row["bus"]))
        )
        state = _STATES[row["state"]]
        counted_by = "all" if len(counting_vendors) == len(vendors) else ", ".join(counting_vendors)
        lines.append((stamp, row["kind"].replace("_", " "), who, state, duration_text, open_hours_text, counted_by))
    timeline = Table(
        f"Case {explanation.case_id} of {explanation.source}, times in {zone}",
        ("at", "what", "who", "then it is", "for", "opening hours", "counted by"),
        tuple(lines),
    )
    rule_table = Table(
        "What each rule counts (hours:minutes:seconds)",
        ("rule", "its name", "time", "stops", "stands still", "runs"),
        tuple(
            _rule_row(*line, explanation.hours, reason)
            for line, reason in zip(explanation.sums, explanation.gap_reasons, strict=True)
        ),
    )
    return [timeline, rule_table]


def _rule_row(
    rule: VendorRule, seconds: int | None, is_running: bool, has_hours: bool, gap_reason: str
) -> tuple[object, ...]:
    rule_words = rule.words()
    time_text = "left out" if seconds is None else format_duration(seconds) + (" and running" if is_running else "")
    if rule.hours != "calendar" and not has_hours:
        time_text = "no opening hours"
    if gap_reason:
        time_text = f"cannot be told: {gap_reason}"
    return (rule.vendor, rule.term, time_text, rule_words["stops"], rule_words["stands still"], rule_words["runs"])


def compared_tables(first: VendorRule, second: VendorRule, differences: Sequence[RuleDifference]) -> list[Table]:
    """Two rules side by side, and the cases in groups by why they differ."""
    total = sum(difference.cases for difference in differences)
    lines = [
        (
            "; ".join(difference.reasons) or "no difference",
            difference.cases,
            f"{difference.cases / total:.1%}" if total else "",
            difference.only_first,
            difference.only_second,
            "" if difference.median_secs is None else format_duration(difference.median_secs),
            ", ".join(difference.examples),
        )
        for difference in differences
    ]
    first_words, second_words = first.words(), second.words()
    rules = [(key, first_words[key], second_words[key]) for key in first_words]
    return [
        Table(f"{first.measure}: {first.vendor} and {second.vendor}", ("", first.vendor, second.vendor), tuple(rules)),
        Table(
            f"{plural(total, 'case')} that either counts",
            (
                "why they differ",
                "cases",
                "share",
                f"only {first.vendor}",
                f"only {second.vendor}",
                f"median: {second.vendor} less {first.vendor}",
                "for example",
            ),
            tuple(lines),
        ),
    ]


def calendar_tables(calendars: Calendars) -> list[Table]:
    """The opening hours as they were understood."""
    tables = [_hours_table(calendar) for calendar in calendars.calendars]
    if calendars.calendars:
        uses = [
            (" / ".join(use.teams) or "any", " / ".join(use.services) or "any", use.calendar) for use in calendars.uses
        ]
        uses.append(("all others", "", calendars.calendars[0].name))
        tables.append(Table("Which counts for whom", ("team", "service", "calendar"), tuple(uses)))
    return tables


def _hours_table(calendar: Calendar) -> Table:
    lines = []
    for version in calendar.versions:
        since = "always" if version.since.year == 1 else f"from {version.since}"
        for day, spans in enumerate(version.week):
            lines.append((since, _DAYS[day], _spans(spans)))
        lines += [(since, day.isoformat(), _spans(spans)) for day, spans in sorted(version.days.items())]
        if version.closed:
            lines.append((since, "public holidays", f"closed ({len(version.closed):,} days, 1990 to 2050)"))
    return Table(f"{calendar.name}, {calendar.zone}", ("valid", "day", "open"), tuple(lines))


def _spans(spans: Sequence[tuple[int, int]]) -> str:
    def stamp(second: int) -> str:
        hours, seconds_left = divmod(second, 3600)
        return f"{hours:02d}:{seconds_left // 60:02d}" + (f":{seconds_left % 60:02d}" if seconds_left % 60 else "")

    return ", ".join(f"{stamp(start)}-{stamp(end)}" for start, end in spans) or "closed"

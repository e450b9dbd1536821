"""Every definition to the second: cases worked out in words, and a slow oracle over random ones."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.clock_oracle import Event, WalkedHours, in_order, value_of
from tests.clock_workspace import Values, values_of, workspace_of
from wellserved.calendar import parse_calendars
from wellserved.measure.vendor_rules import VENDOR_RULES, VendorRule

CALENDARS = """
[[calendar]]
name = "office"
zone = "Europe/Berlin"
hours = { mon-fri = "09:00-12:30, 13:30-17:00", sat = "10:00-14:00" }
holidays = ["DE-BE"]
days = { 2024-12-24 = "09:00-12:00" }
[[calendar]]
name = "office"
zone = "Europe/Berlin"
from = 2025-03-01
hours = { mon-fri = "08:00-16:00" }
[[calendar]]
name = "night"
zone = "America/New_York"
hours = { mon-sun = "00:00-06:00, 22:00-24:00" }
[[calendar]]
name = "islands"
zone = "Australia/Lord_Howe"
hours = { mon-fri = "01:45-02:15, 12:00-20:00", sun = "01:40-02:10" }
[[use]]
calendar = "night"
team = ["Night desk"]
[[use]]
calendar = "islands"
service = ["Islands"]
"""
CASES = int(os.environ.get("WELLSERVED_CLOCK_CASES", "2000"))
KINDS = ["asked", "chased", "replied", "explained", "auto_replied", "paused", "held", "resumed", "resolved", "reopened",
         "abandoned", "handed_over", "assigned", "promised", "complained", "thanked", "merged", "split", "prioritised"]  # fmt: skip


def some_case(draw: random.Random) -> list[Event]:
    """A case of anything in any order, near the edges of hours, days and daylight saving."""
    edges = [datetime.fromisoformat(f"{day}T00:00+00:00") for day in
             ("2024-03-10", "2024-03-31", "2024-04-07", "2024-10-06", "2024-10-27", "2024-11-03", "2024-12-24", "2025-02-28")]  # fmt: skip
    second = int(draw.choice(edges).timestamp()) + draw.randrange(-2 * 86_400, 3 * 86_400)
    events = []
    for place in range(draw.randrange(1, 10)):
        kind = "asked" if place == 0 and draw.random() < 0.9 else draw.choice(KINDS)
        team = draw.choice([None, "Day desk", "Night desk"])
        service = draw.choice([None, None, "Roads", "Islands"])
        events.append(Event(second, kind, team, service, not (kind == "resolved" and draw.random() < 0.1)))
        second += draw.choice(
            [0, 1, 59, 3_600, draw.randrange(86_400), draw.randrange(5 * 86_400), -draw.randrange(9_000)]
        )
    return in_order(events)


def test_random_cases_are_counted_as_the_slow_oracle_counts_them(tmp_path: Path) -> None:
    draw = random.Random(20261122)
    cases = {f"case {number}": some_case(draw) for number in range(CASES)}
    calendars = parse_calendars(CALENDARS, "UTC")
    from_log, from_cases, as_of = values_of(workspace_of(tmp_path, cases, CALENDARS))
    seconds = [event.second for events in cases.values() for event in events]
    hours = {one.name: WalkedHours(one, min(seconds), max(seconds)) for one in calendars.calendars}
    wrong: list[object] = []
    for rule in VENDOR_RULES:
        for number, events in cases.items():
            wanted = value_of(events, rule, hours, calendars, as_of)
            found = from_log[rule].get(number)
            if found != wanted:
                wrong.append((rule.vendor, rule.measure, number, found, wanted))
            if rule.vendor == "ours" and from_cases[rule].get(number) != wanted:
                wrong.append(("folded", rule.measure, number, from_cases[rule].get(number), wanted))
    assert not wrong, f"{len(wrong)} wrong: " + "\n".join(f"{one} {cases[str(one[2])]}" for one in wrong[:3])  # type: ignore[index]
    counted = sum(len(values) for values in from_log.values())
    print(f"{CASES:,} cases, {len(VENDOR_RULES)} definitions, {counted:,} values, {len(wrong)} mismatches")
    assert counted > CASES * 10


# --- cases worked out by hand ---------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
REFERENCE = Path(__file__).parent.parent / "reference" / "clock_cases.txt"


def worked_out(text: str) -> list[tuple[str, list[Event], list[tuple[str, str]]]]:
    """The reference file: a title in words, moments (Berlin time unless said), and what each rule must count."""
    found: list[tuple[str, list[Event], list[tuple[str, str]]]] = []
    for line in text.splitlines():
        if re.match(r"# \d+\. ", line):
            found.append((line[2:], [], []))
        elif line.startswith("# "):
            found[-1] = (f"{found[-1][0]} {line[2:]}", *found[-1][1:])
        elif line.startswith("= "):
            name, _, wanted = line[2:].partition(": ")
            found[-1][2].append((name.strip(), wanted.split("  ")[0].strip()))
        elif line.strip() and found:
            stamp, _, rest = line.partition("  ")
            at = datetime.fromisoformat(stamp.strip())
            kind, *facts = rest.split()
            named = dict(fact.split("=", 1) for fact in facts)
            second = int((at if at.tzinfo else at.replace(tzinfo=BERLIN)).timestamp())
            known = not kind.endswith("?")
            team, service = (named.get(key, "").replace("_", " ") or None for key in ("team", "service"))
            found[-1][1].append(Event(second, kind.rstrip("?"), team, service, known))
    return found


def as_words(value: tuple[bool, int] | None) -> str:
    if value is None:
        return "left out"
    ended, seconds = value
    shown = f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    return shown if ended else f"{shown} and running"


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> tuple[Values, Values]:
    cases = {title: events for title, events, _ in worked_out(REFERENCE.read_text(encoding="utf-8"))}
    workspace = workspace_of(tmp_path_factory.mktemp("clocks"), cases, CALENDARS, "Europe/Berlin")
    from_log, from_cases, as_of = values_of(workspace)
    assert datetime.fromtimestamp(as_of, UTC) == datetime(2025, 6, 30, 10, 0, tzinfo=UTC)  # noon in Berlin
    return from_log, from_cases


LISTED = worked_out(REFERENCE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("title", "wanted"), [(title, wanted) for title, _, wanted in LISTED], ids=[one[0][:60] for one in LISTED]
)
def test_each_case_is_counted_as_worked_out_in_words(
    by_hand: tuple[Values, Values], title: str, wanted: Sequence[tuple[str, str]]
) -> None:
    assert wanted
    from_log, from_cases = by_hand
    for name, words in wanted:
        measure, _, house = name.partition("@")
        rule = the_rule(measure, house or "ours")
        assert as_words(from_log[rule].get(title)) == words, name
        if rule.vendor == "ours":
            assert as_words(from_cases[rule].get(title)) == words, f"{name}, folded"


def the_rule(measure: str, house: str) -> VendorRule:
    return next(one for one in VENDOR_RULES if (one.measure, one.vendor) == (measure, house))


def test_there_are_at_least_sixty_worked_out_cases_over_every_rule() -> None:
    assert len(LISTED) >= 60
    asked = {name.partition("@") for _, _, wanted in LISTED for name, _ in wanted}
    assert {(measure, house or "ours") for measure, _, house in asked} == {
        (one.measure, one.vendor) for one in VENDOR_RULES
    }

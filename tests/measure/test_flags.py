"""The sources' own words on promises, explained: what their flags count, and every case that the explanation misses."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import sample
from wellserved.calendar import Clock, parse_calendars

WHOLE = Path(__file__).resolve().parents[3] / "shared" / "data"
LATE_DAY = '[[calendar]]\nname = "late day"\nzone = "UTC"\nhours = { mon-fri = "14:00-23:00" }\n'
HOURS = {"1 - Critical": 9, "2 - High": 9, "3 - Moderate": 62, "4 - Low": 135}
"""Hours between 14:00 and 23:00 on weekdays: one, one, about seven, and fifteen weekdays."""


def incidents(path: Path) -> list[tuple[str, bool, int, int]]:
    """Priority, made_sla, opened and closed of each incident's last row; stamps as if UTC."""
    last: dict[str, dict[str, str]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            last[row["number"]] = row

    def second(stamp: str) -> int:
        return int((datetime.strptime(stamp, "%d/%m/%Y %H:%M") - datetime(1970, 1, 1)).total_seconds())

    return [
        (row["priority"], row["made_sla"] == "true", second(row["opened_at"]), second(row["closed_at"]))
        for row in last.values()
        if row["closed_at"] != "?"
    ]


def explained(path: Path) -> tuple[int, int, Counter[tuple[str, bool]]]:
    """Incidents, those that the rule calls as the flag does, and the others by priority and flag."""
    found = incidents(path)
    clock = Clock(parse_calendars(LATE_DAY, "UTC").calendars[0], date(2016, 2, 1), date(2017, 12, 31))
    opened, closed = (np.array([row[place] for row in found]) for place in (2, 3))
    passed = (clock.open_seconds_at(closed) - clock.open_seconds_at(opened)) / 3_600
    rule = [hours < HOURS[row[0]] for hours, row in zip(passed, found, strict=True)]
    odd = Counter((row[0], row[1]) for row, made in zip(found, rule, strict=True) if row[1] != made)
    return len(found), len(found) - odd.total(), odd


def test_servicenow_s_flag_counts_weekdays_until_the_case_is_closed_not_until_it_is_resolved() -> None:
    n, agree, _ = explained(sample("servicenow_slice.csv.gz"))
    assert n > 400
    assert agree / n > 0.995


@pytest.mark.skipif(not WHOLE.is_dir(), reason="the whole file does not lie beside the project")
def test_servicenow_s_flag_over_the_whole_file() -> None:
    n, agree, odd = explained(WHOLE / "servicenow_incident_events.csv.gz")
    assert (n, agree) == (20_769, 20_749)
    assert odd == {("3 - Moderate", True): 17, ("1 - Critical", True): 2, ("1 - Critical", False): 1}

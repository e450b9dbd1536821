"""The journal by the calendar: what was written on which day, in the workspace's zone, and nobody else's."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from wellserved.store.models import Person

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


def write(person: Person, word: str, text: str, *when: int) -> None:
    zone = timezone.get_current_timezone()
    book(person).write({"word": word, "text": text, "line": f"{word}: {text}"}, at=datetime(*when, tzinfo=zone))  # type: ignore[arg-type,misc]


def test_a_month_counts_each_day_and_leads_to_it(staff: House, as_: As) -> None:
    write(staff.kim, "missed", "the call to Acme", 2025, 3, 4, 9)
    write(staff.kim, "missed", "the second call", 2025, 3, 4, 23, 59)
    write(staff.kim, "thanks", "from Acme", 2025, 3, 5, 0, 1)
    write(staff.lead, "missed", "of somebody else", 2025, 3, 6, 9)
    client = as_(staff.kim)
    page = client.get("/journal/month?month=2025-03").content.decode()
    assert 'href="/journal/day/2025-03-04" aria-label="4 March: 2 missed"' in page
    assert 'href="/journal/day/2025-03-05" aria-label="5 March: 1 thanks"' in page
    assert "/journal/day/2025-03-06" not in page  # another's
    assert "This month: 2 missed · 1 thanks" in page
    assert "?month=2025-02" in page
    assert "?month=2025-04" in page
    day = client.get("/journal/day/2025-03-04").content.decode()
    assert day.index("the call to Acme") < day.index("the second call")
    assert "from Acme" not in day
    assert "Nothing was written on this day." in client.get("/journal/day/2025-03-06").content.decode()


def test_the_last_month_leads_to_none_that_is_to_come(staff: House, as_: As) -> None:
    page = as_(staff.kim).get("/journal/month").content.decode()
    assert 'rel="next"' not in page
    assert 'aria-current="date"' in page
    assert "Nothing was written in this month." in page
    assert '<a href="/journal/" aria-current="true">' in page  # what it belongs to
    assert '<a href="/journal/" aria-current="page">' in as_(staff.kim).get("/journal/").content.decode()
    assert set(re.findall(r'href="([^"]+)" aria-current="true"', page)) == {"/journal/"}


@pytest.mark.parametrize(
    "address",
    [
        "month?month=2025-13",
        "month?month=x",
        "month?month=1000-01",
        "month?month=9999-12",
        "day/2025-02-30",
        "day/x",
        "day/0001-01-01",
    ],
)
def test_what_is_no_day_is_no_page(staff: House, as_: As, address: str) -> None:
    assert as_(staff.kim).get(f"/journal/{address}").status_code == 404


def test_a_day_is_a_day_of_the_workspace_s_zone(staff: House, as_: As) -> None:
    zone = timezone.get_current_timezone()
    at = datetime(2025, 7, 1, 0, 30, tzinfo=zone)
    book(staff.kim).write({"word": "note", "text": "early"}, at=at.astimezone(ZoneInfo("Pacific/Kiritimati")))
    assert "early" in as_(staff.kim).get("/journal/day/2025-07-01").content.decode()

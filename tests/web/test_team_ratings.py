"""Teams rate each other: once a month and person, in the log as one team's rating of another, in words for the own team alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House
from wellserved.actions import open_cases, sharing
from wellserved.actions.account_questions import duckdb_of
from wellserved.actions.team_ratings import latest_ratings, rate_team
from wellserved.engine.duckdb import query
from wellserved.errors import RequestError
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Person, Shared, Team

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


def _rate(client: Client, team: str, score: int, text: str = "") -> int:
    facts = {"do": "rate", "team": Team.objects.get(name=team).pk, "score": score, "text": text}
    return client.post("/objectives/", facts).status_code


def test_a_second_rating_in_the_month_takes_the_place_of_the_first(staff: House, as_: As) -> None:
    assert _rate(as_(staff.kim), "B", 2, "three days of silence") == 302
    assert _rate(as_(staff.kim), "B", 4) == 302
    assert _rate(as_(staff.peer), "B", 5) == 302
    assert _rate(as_(staff.foreign), "A", 1) == 302
    ratings = [(one.by, one.rated, one.n, one.mean) for one in latest_ratings(timezone.now())]
    assert ratings == [("A", "B", 2, 4.5), ("B", "A", 1, 1.0)]
    rate_team(staff.kim, Team.objects.get(name="B"), 1, "", timezone.now() + timedelta(days=31))
    assert Shared.objects.filter(author=staff.kim).count() == 2
    page = as_(staff.lead).get("/objectives/").content.decode()
    assert '<td class="num">3.3</td><td class="num">3</td>' in page


def test_nobody_rates_the_own_team_or_without_one_and_scores_are_one_to_five(staff: House, as_: As) -> None:
    assert _rate(as_(staff.kim), "A", 5) == 200
    assert _rate(as_(staff.kim), "B", 6) == 200
    for person in (staff.quality, staff.auditor):
        assert _rate(as_(person), "B", 5) in (403, 404)
    with pytest.raises(RequestError, match="rated by another"):
        rate_team(staff.kim, Team.objects.get(name="A"), 5, "", timezone.now())
    assert not Shared.objects.exists()


def test_words_stay_with_the_own_team(staff: House, as_: As) -> None:
    _rate(as_(staff.kim), "B", 2, "three days of silence")
    row = Shared.objects.get()
    assert as_(staff.peer).get(f"/shared/{row.pk}/").status_code == 200
    assert as_(staff.foreign).get(f"/shared/{row.pk}/").status_code == 404
    assert "three days of silence" not in as_(staff.foreign).get("/objectives/").content.decode()


def test_the_log_holds_it_as_one_teams_rating_of_another_and_no_customers(staff: House, place: Workspace) -> None:
    row = rate_team(staff.kim, Team.objects.get(name="B"), 2, "", timezone.now() - timedelta(hours=1))
    sharing.write_pending(place)
    with open_cases.open_case_table(place, with_moments=True) as case_table:
        found = query(
            duckdb_of(case_table),
            f"SELECT kind, team, from_team, score, scale FROM moments WHERE case_id = '{row.thread}'",
        ).to_pylist()
    assert found == [{"kind": "rated", "team": "B", "from_team": "A", "score": 2.0, "scale": "csat5"}]

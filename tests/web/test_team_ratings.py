"""Teams rate each other: once a month and person, as no customer's rating and no case."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House
from wellserved.actions.team_ratings import latest_ratings, rate_team
from wellserved.errors import RequestError
from wellserved.store.models import Person, Shared, Team
from wellserved.store.plan_models import TeamRating

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


def _rate(client: Client, team: str, score: int) -> int:
    facts = {"do": "rate", "team": Team.objects.get(name=team).pk, "score": score}
    return client.post("/objectives/", facts).status_code


def _ratings(now: datetime | None = None) -> list[tuple[str, str, int, float]]:
    return [(one.by, one.rated, one.n, one.mean) for one in latest_ratings(now or timezone.now())]


def test_a_second_rating_in_the_month_takes_the_place_of_the_first(staff: House, as_: As) -> None:
    assert _rate(as_(staff.kim), "B", 2) == 302
    assert _rate(as_(staff.kim), "B", 4) == 302
    assert _rate(as_(staff.peer), "B", 5) == 302
    assert _rate(as_(staff.foreign), "A", 1) == 302
    assert _ratings() == [("A", "B", 2, 4.5), ("B", "A", 1, 1.0)]
    page = as_(staff.lead).get("/objectives/").content.decode()
    assert '<td class="num">4.5</td><td class="num">2</td>' in page
    assert not Shared.objects.exists()  # no case, and no customer's rating


def test_nobody_rates_the_own_team_or_without_one_and_scores_are_one_to_five(staff: House, as_: As) -> None:
    assert _rate(as_(staff.kim), "A", 5) == 200
    assert _rate(as_(staff.kim), "B", 6) == 200
    for person in (staff.quality, staff.auditor):
        assert _rate(as_(person), "B", 5) in (403, 404)
    with pytest.raises(RequestError, match="rated by another"):
        rate_team(staff.kim, Team.objects.get(name="A"), 5, timezone.now())
    assert not TeamRating.objects.exists()


def test_months_are_the_workspaces_and_half_a_year_of_them_counts(staff: House) -> None:
    team = Team.objects.get(name="B")
    rate_team(staff.kim, team, 2, datetime(2026, 10, 20, 10, tzinfo=UTC))
    rate_team(staff.kim, team, 5, datetime(2026, 10, 31, 23, 30, tzinfo=UTC))  # the first of November in Berlin
    november = datetime(2026, 11, 20, tzinfo=UTC)
    assert _ratings(november) == [("A", "B", 2, 3.5)]
    assert _ratings(november + timedelta(days=150)) == [("A", "B", 1, 5.0)]  # April: the first of six is November
    assert _ratings(november + timedelta(days=180)) == []


def test_whoever_changes_the_team_rates_for_the_new_one(staff: House) -> None:
    team, now = Team.objects.get(name="B"), timezone.now()
    rate_team(staff.kim, team, 2, now)
    Person.objects.filter(pk=staff.kim.pk).update(team=Team.objects.create(name="C"))
    rate_team(Person.objects.get(pk=staff.kim.pk), team, 5, now)
    assert _ratings() == [("C", "B", 1, 5.0)]
    team.delete()
    assert _ratings() == []

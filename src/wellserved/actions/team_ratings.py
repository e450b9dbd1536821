"""Departments are customers of each other: how one team says that another served it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Avg, Count
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.errors import RequestError
from wellserved.moments import month_start
from wellserved.store.models import Person, Team
from wellserved.store.plan_models import TeamRating

MONTHS_SUMMED: Final = 6


@dataclass(frozen=True)
class RatingOfTeam:
    """What one team says of another in half a year."""

    by: str
    rated: str
    n: int
    mean: float  # 1 to 5


def rate_team(person: Person, team: Team, score: int, now: datetime) -> TeamRating:
    """Say how another team served one's own, once a month in the workspace's zone: a second time takes the place of the first.

    It is no moment of the record: a department's opinion is neither a customer's rating nor a case.
    """
    if person.team is None or team.pk == person.team_id:
        raise RequestError(_("A team is rated by another."), _("Choose another team than your own."))
    facts = {"by_team": person.team, "score": score}
    month = f"{timezone.localtime(now):%Y-%m}"
    return TeamRating.objects.update_or_create(person=person, rated_team=team, month=month, defaults=facts)[0]


def latest_ratings(now: datetime) -> list[RatingOfTeam]:
    """Who rates whom, and how, in this month and the five before; those with most ratings first."""
    first_month = month_start(timezone.localdate(now), 1 - MONTHS_SUMMED)
    rows = TeamRating.objects.filter(month__gte=f"{first_month:%Y-%m}").order_by()
    grouped = rows.values("by_team__name", "rated_team__name").annotate(n=Count("pk"), mean=Avg("score"))
    ratings = [
        RatingOfTeam(row["by_team__name"], row["rated_team__name"], row["n"], float(row["mean"])) for row in grouped
    ]
    return sorted(ratings, key=lambda rating: (-rating.n, rating.by, rating.rated))

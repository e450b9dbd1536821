"""Departments are customers of each other: what one team says of how another served it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Avg, Count
from django.utils.translation import gettext as _

from wellserved.actions import sharing
from wellserved.errors import RequestError
from wellserved.store.models import Person, Shared, Team

RATING_SCALE: Final = "csat5"
RATING_DAYS: Final = 183  # that are summed up
_THREADS: Final = uuid.UUID("0d3c8f0e-3f1e-4a0b-9a53-6a4f1f3a7d10")  # of the month's rating of one team by one person


@dataclass(frozen=True)
class TeamRating:
    """What one team says of another in half a year."""

    by: str
    rated: str
    n: int
    mean: float  # 1 to 5


def rate_team(person: Person, team: Team, score: int, text: str, now: datetime) -> Shared:
    """Say how another team served one's own, once a month: a second time in the month takes the place of the first.

    The score enters the log as that team's rating from this one; the words stay with one's own team.
    """
    if person.team is None or team.pk == person.team_id:
        raise RequestError(_("A team is rated by another."), _("Choose another team than your own."))
    thread = uuid.uuid5(_THREADS, f"{person.pk}/{team.pk}/{now:%Y-%m}")
    facts = {
        "word": "gap",
        "score": score,
        "scale": RATING_SCALE,
        "text": text or _("How %(team)s served us") % {"team": team.name},
    }
    with transaction.atomic():
        row = Shared.objects.filter(author=person, thread=thread, withdrawn=None).first()
        if row is None:
            row = sharing.share(person, facts, now, thread=thread)
            Shared.objects.filter(pk=row.pk).update(rates_team=team)
        else:
            sharing.change_copy(row, facts, row.audience)
    row.refresh_from_db()
    return row


def latest_ratings(now: datetime) -> list[TeamRating]:
    """Who rates whom, and how, in the last half year; those with most ratings first."""
    rows = Shared.objects.filter(withdrawn=None, rates_team__isnull=False, at__gte=now - timedelta(days=RATING_DAYS))
    grouped = rows.order_by().values("team__name", "rates_team__name").annotate(n=Count("pk"), mean=Avg("score"))
    ratings = [
        TeamRating(str(row["team__name"] or ""), str(row["rates_team__name"]), row["n"], float(row["mean"]))
        for row in grouped
    ]
    return sorted(ratings, key=lambda rating: (-rating.n, rating.by, rating.rated))

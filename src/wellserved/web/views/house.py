"""Is service a core competency? The leader's page, on one screen."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from wellserved.actions import explorations, team_numbers
from wellserved.actions.business_cases import visible_cases
from wellserved.claim.verdict import CLAIMED_HEADLINES
from wellserved.errors import RequestError
from wellserved.explore.gap import ExpectationGaps
from wellserved.improvement import list_records
from wellserved.moments import period_of
from wellserved.store.access import has_permission
from wellserved.web.access_middleware import required_permission, scope_of
from wellserved.web.analysis import cached_answer, has_records
from wellserved.web.views.accounts import value_context
from wellserved.web.views.objectives import sight_of

HOUSE_MEASURES = ("promise_kept", "time_to_first_reply", "rating_good", "reopen_rate")


@required_permission("read_measures")
def house(request: HttpRequest) -> HttpResponse:
    """Is service a core competency? Objectives, promises, gap, trust, value at risk, what was proved, what waits for a sponsor."""
    scope, today = scope_of(request), timezone.localdate()
    is_filled = has_records()
    quarter = period_of(today, "quarter")
    states = cached_answer(team_numbers.measure_states, HOUSE_MEASURES, "") if is_filled else {}
    context: dict[str, Any] = {
        "sight": sight_of(scope),
        "numbers": [(name, state) for name, state in states.items() if state.number],
        "gap": _gap() if is_filled else None,
        "quarter": quarter.label,
        "may_set": has_permission(scope.person, "set_objectives"),
        "proved": _proved(quarter.start.isoformat()),
        "waiting": [row for row in visible_cases(scope) if not row.improvement and row.came is None][:8],
        **value_context(scope),
    }
    return render(request, "house.html", context)


def _gap() -> ExpectationGaps | None:
    try:
        return cached_answer(explorations.find_gaps, "service", ())
    except RequestError:  # nobody said what they expect
        return None


def _proved(since: str) -> list[dict[str, Any]]:
    """Improvements whose latest look claims them, first seen so this quarter."""
    proved = []
    for record in list_records(settings.WORKSPACE):
        looks = [look for look in record.looks if look.facts.get("status") in CLAIMED_HEADLINES]
        if looks and record.looks[-1].facts.get("status") in CLAIMED_HEADLINES and looks[0].at[:10] >= since:
            proved.append({"improvement": record.improvement, "has_doubts": record.looks[-1].facts["status"] != "improved"})  # fmt: skip
    return proved

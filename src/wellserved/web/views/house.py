"""Is service a core competency? The leader's page, on one screen."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from wellserved.actions import explorations, team_numbers
from wellserved.actions.business_cases import visible_cases
from wellserved.actions.idea_news import proved_improvements
from wellserved.errors import RequestError
from wellserved.explore.gap import ExpectationGaps
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
        "proved": [
            proof
            for proof in proved_improvements(settings.WORKSPACE)
            if timezone.localdate(proof.since) >= quarter.start
        ],
        "waiting": [row for row in visible_cases(scope) if not row.improvement and row.came is None][:8],
        **value_context(scope),
    }
    return render(request, "house.html", context)


def _gap() -> ExpectationGaps | None:
    try:
        return cached_answer(explorations.find_gaps, "service", ())
    except RequestError:  # nobody said what they expect
        return None

"""The team's numbers at a glance, the search over everything, and a sample to look at before there is a record."""

from __future__ import annotations

from csp.constants import NONE, UNSAFE_INLINE
from csp.decorators import csp
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext

from wellserved.actions import case_lists, idea_news, rendering, team_numbers, weekly_mail
from wellserved.measure import MEASURES, Measure
from wellserved.render.charts.svg import draw_sparkline
from wellserved.store.access import AccessScope, has_permission
from wellserved.web.access_middleware import required_permission, scope_of
from wellserved.web.analysis import cached_answer, fresh_answer, has_records, known_answer
from wellserved.web.navigation import pages_of

MAX_HITS = 10  # of each kind


def can_count(scope: AccessScope) -> bool:
    """Whether there are numbers, and they may see them."""
    return has_permission(scope.person, "read_measures") and has_records()


def numbers_context(scope: AccessScope, wait: bool) -> dict[str, object]:
    """The team's numbers for a template; `wait`: work them out where they are not known yet."""
    team = scope.person.team.name if scope.person.team else ""
    answer = cached_answer if wait else known_answer
    found = answer(team_numbers.team_numbers, team)
    if found is None:
        return {"numbers": None}
    tiles = [{"number": number, "spark": draw_sparkline(number.course, number.usual)} for number in found.numbers]
    return {
        "numbers": tiles,
        "of_team": found.team,
        "every": found.granularity,
        "when": found.numbers[0].when if found.numbers else "",
        "sees_cases": scope.case_filter() is not None,
    }


def news_context(scope: AccessScope) -> dict[str, object]:
    """What was proved of one's ideas and help, and the week that waits to be sent, for a template."""
    now = timezone.now()
    return {
        "proved": idea_news.latest_news(settings.WORKSPACE, scope.person, now),
        "week_waits": weekly_mail.waits_to_be_sent(scope.person, now),
    }


@required_permission("read_measures")
def numbers(request: HttpRequest) -> HttpResponse:
    """What is unusual in one's team, and what is not; a part of a page where a script asks for it."""
    if not has_records():
        return render(request, "numbers_page.html", {"numbers": []})
    template = "numbers.html" if request.headers.get("X-Fragment") else "numbers_page.html"
    return render(request, template, numbers_context(scope_of(request), wait=True))


@required_permission("own")
def search(request: HttpRequest) -> HttpResponse:
    """Pages, measures, customers and cases that a word names, of those that whoever asks may see."""
    text, scope = request.GET.get("q", "").strip()[:100], scope_of(request)
    words = text.casefold()
    context: dict[str, object] = {"text": text}
    if text:
        sees_measures = has_permission(scope.person, "read_measures")
        context |= {
            "pages": [page for page in pages_of(scope) if words in gettext(page.title).casefold()],
            "measures": [measure for measure in MEASURES if sees_measures and words in _searched_text(measure)][
                :MAX_HITS
            ],
            "found_customers": _customers(scope, text),
            "found_cases": _cases(scope, text),
        }
    return render(request, "search.html", context)


def _searched_text(measure: Measure) -> str:
    return f"{measure.name} {measure.question}".casefold()


def _customers(scope: AccessScope, text: str) -> list[object]:
    """Customers whose name holds the text, where they may be seen by name."""
    if not has_permission(scope.person, "read_customers") or not scope.names:
        return []
    return list(scope.customers().filter(name__icontains=text)[:MAX_HITS])


def _cases(scope: AccessScope, text: str) -> list[tuple[str, str]]:
    """Cases of that very number, where single cases may be seen."""
    case_filter = scope.case_filter() if has_permission(scope.person, "read_cases") else None
    if case_filter is None or not has_records():
        return []
    return fresh_answer(case_lists.find_cases, text, tuple(case_filter))  # what was typed is not kept


@required_permission("read_measures")
@csp({"default-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": ["data:"]})
def sample(request: HttpRequest) -> HttpResponseBase:
    """The report on a sample of real records; none of it enters the workspace."""
    return HttpResponse(cached_answer(rendering.sample_report))

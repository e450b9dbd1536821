"""One question a week, and whether one's days differ: for oneself; of groups what may be told."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import evenness_questions, pulse_answers
from wellserved.journal import pulse as pulse_book
from wellserved.moments import NotComputable, period_of
from wellserved.people.evenness import Evenness, shrunk_spread, spread_words
from wellserved.people.pulse import BLOCK_WEEKS, HOUSE, PULSE_WORDS
from wellserved.render.charts.people import days_picture, pulse_picture
from wellserved.render.formats import html
from wellserved.render.tables.people import evenness_table
from wellserved.store.models import Person
from wellserved.web.access_middleware import journal_of, person_of, required_permission
from wellserved.web.analysis import cached_answer, has_records
from wellserved.web.template_filters import safe_html


@required_permission("own", "GET", "POST")
def pulse(request: HttpRequest) -> HttpResponseBase:
    """How are we? One's own weeks at once; of groups what four weeks may tell, and nobody's answer."""
    person, journal, today = person_of(request), journal_of(request), timezone.localdate()
    if request.method == "POST":
        value = request.POST.get("value", "")
        if value in {str(number) for number in PULSE_WORDS}:
            pulse_answers.keep_blocks(today)
            pulse_answers.answer_pulse(journal, person, int(value), today)
            messages.success(request, _("Kept, for your eyes only."))
        return redirect("pulse")
    weeks = journal.pulses() if journal.is_readable else []
    week = period_of(today, "week").label
    context = {
        "words": PULSE_WORDS, "locked": not journal.is_readable, "book": journal, "weeks": weeks, "answered": dict(weeks).get(week),
        "picture": pulse_picture(weeks, PULSE_WORDS) if len(weeks) > 1 else None, "blocks": pulse_book.told_blocks()[:13],
        "block_weeks": BLOCK_WEEKS, **_group_context(person),
    }  # fmt: skip
    return render(request, "pulse.html", context)


def _group_context(person: Person) -> dict[str, object]:
    """What one's own team is told beside its mood: ratings, and how far its days differ."""
    if not has_records() or person.team is None:
        return {}
    team = person.team.name
    blocks = pulse_book.told_blocks()
    moods = {block.block: mood.good_in_ten for block in blocks for mood in block.moods if mood.group == team}
    relation: object = NotComputable("nothing was told of your team yet")
    if moods:
        ratings = cached_answer(pulse_answers.good_ratings, team, tuple(sorted(moods)))
        relation = pulse_answers.mood_and_ratings(moods, ratings)
    persons = Person.objects.filter(team=person.team, is_active=True).exclude(served_as="").order_by("pk")
    served_as = tuple(persons.values_list("served_as", flat=True))
    pooled = _pooled_spread(served_as)
    spread = pooled if isinstance(pooled, NotComputable) else spread_words(pooled)
    return {"team": team, "relation": relation, "spread": spread, "house": HOUSE}


@required_permission("own")
def my_days(request: HttpRequest) -> HttpResponse:
    """Is my service the same every day? By the ratings of one's own cases; nobody else sees it."""
    served_as = person_of(request).served_as
    result: Evenness | NotComputable
    if not served_as:
        result = NotComputable("nobody has said by which name the records know you")
    else:
        result = cached_answer(evenness_questions.own_evenness, served_as)
    if isinstance(result, NotComputable):
        return render(request, "days.html", {"reason": result.reason})
    pictures = [days_picture(result)] if len(result.daily) > 1 else []
    page = html.tables_page(_("By the ratings of your own cases"), [evenness_table(result)], pictures, html.BARE_LAYOUT)
    return render(request, "days.html", {"page": safe_html(page), "drawn": _drawn_spread(result, served_as)})


def _pooled_spread(served_as: tuple[str, ...]) -> float | NotComputable:
    """By quarters: from one day to the next it would tell of whoever came or left."""
    return cached_answer(evenness_questions.team_spread, served_as, period_of(timezone.localdate(), "quarter").start)


def _drawn_spread(own: Evenness, served_as: str) -> float | None:
    """One's own spread, drawn to what is usual in the house; None: one of the two cannot be told."""
    others = Person.objects.filter(is_active=True).exclude(served_as="").exclude(served_as=served_as).order_by("pk")
    if isinstance(own.days, NotComputable):
        return None
    pooled = _pooled_spread(tuple(others.values_list("served_as", flat=True)))
    return None if isinstance(pooled, NotComputable) else shrunk_spread(own.days, pooled)

"""One's own journal by the calendar: a month at a glance, and the entries of a day."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from wellserved.capture import ENTRY_WORDS
from wellserved.journal.handle import Journal
from wellserved.moments import EARLIEST_DATE, LATEST_DATE, month_start
from wellserved.web.access_middleware import journal_of, required_permission


@dataclass(frozen=True)
class JournalDay:
    """A day of a month on paper, and how many entries of which words it holds."""

    day: date
    is_of_month: bool
    is_today: bool
    counts: tuple[tuple[str, int], ...]  # word -> entries, in the order of the words

    @property
    def total(self) -> int:
        """All its entries."""
        return sum(count for _word, count in self.counts)


@required_permission("own")
def journal_month(request: HttpRequest) -> HttpResponse:
    """A month: on which days something was written, and what; nothing is opened for it."""
    today = timezone.localdate()
    first = _day_at(f"{month}-01") if (month := request.GET.get("month")) else today.replace(day=1)
    weeks = list(_weeks(journal_of(request), first, today))
    totals = Counter[str]()
    for week in weeks:
        for day in week:
            if day.is_of_month:
                totals.update(dict(day.counts))
    context: dict[str, Any] = {
        "first": first,
        "weeks": weeks,
        "totals": [(word, totals[word]) for word in ENTRY_WORDS if totals[word]],
        "earlier": month_start(first, -1) if first > EARLIEST_DATE.replace(day=1) else None,
        "later": month_start(first, 1) if first < today.replace(day=1) else None,
    }
    return render(request, "journal_month.html", context)


def _day_at(text: str) -> date:
    """The day that an address names; Http404 where there is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Http404 from None
    if not EARLIEST_DATE.year <= day.year < LATEST_DATE.year:
        raise Http404
    return day


def _weeks(journal: Journal, first: date, today: date) -> Iterator[list[JournalDay]]:
    """The weeks of a month, from Monday on, the days around it with them."""
    weeks = calendar.Calendar().monthdatescalendar(first.year, first.month)
    counts: dict[date, Counter[str]] = {}
    start, end = _local_start(weeks[0][0]), _local_start(weeks[-1][-1] + timedelta(days=1))
    for word, at in journal.entry_times(start, end, ENTRY_WORDS):
        counts.setdefault(timezone.localdate(at), Counter())[word] += 1
    for week in weeks:
        yield [
            JournalDay(
                day,
                day.month == first.month,
                day == today,
                tuple((word, counts[day][word]) for word in ENTRY_WORDS if day in counts and counts[day][word]),
            )
            for day in week
        ]


def _local_start(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


@required_permission("own")
def journal_day(request: HttpRequest, day: str) -> HttpResponse:
    """The entries of one day, in the order in which they happened."""
    chosen_day, journal = _day_at(day), journal_of(request)
    start, end = _local_start(chosen_day), _local_start(chosen_day + timedelta(days=1))
    pages = journal.entries_between(start, end) if journal.is_readable else []
    context = {
        "day": chosen_day,
        "pages": pages,
        "locked": not journal.is_readable,
        "book": journal,
        "earlier": chosen_day - timedelta(days=1),
        "later": chosen_day + timedelta(days=1) if chosen_day < timezone.localdate() else None,
    }
    return render(request, "journal_day.html", context)

"""The last eight weeks in numbers, as lines that their author can change or take out like any other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from wellserved.journal.handle import Journal
from wellserved.store.models import Shared

COURSE_WEEKS: Final = 8
COUNTED_WORDS: Final = {
    "missed": gettext_noop("failures"), "recovered": gettext_noop("made right"), "complaint": gettext_noop("complaints"),
    "thanks": gettext_noop("thank-yous"),
}  # fmt: skip
"""Words of entries that are counted -> what they are called."""


def journal_counts(journal: Journal, start: datetime) -> dict[str, list[int]]:
    """Word -> how many entries each week had, the last being the one that begins at `start`; without opening them."""
    first, end = _span(start)
    return _count(journal.entry_times(first, end, COUNTED_WORDS), first)


def shared_counts(rows: QuerySet[Shared], start: datetime) -> dict[str, list[int]]:
    """Word -> how many moments of it were shared in each of the eight weeks."""
    first, end = _span(start)
    times = rows.filter(word__in=COUNTED_WORDS, at__gte=first, at__lt=end).values_list("word", "at")
    return _count(times, first)


def _span(start: datetime) -> tuple[datetime, datetime]:
    """Eight weeks in the zone of `start`, whatever its clocks did."""
    return start - timedelta(weeks=COURSE_WEEKS - 1), start + timedelta(weeks=1)


def _count(times: Iterable[tuple[str, datetime]], first: datetime) -> dict[str, list[int]]:
    counts = {word: [0] * COURSE_WEEKS for word in COUNTED_WORDS}
    for word, at in times:
        days = (at.astimezone(first.tzinfo).date() - first.date()).days
        counts[word][min(days // 7, COURSE_WEEKS - 1)] += 1
    return counts


def course_lines(counts: Mapping[str, Sequence[int]]) -> list[str]:
    """A line a word: failures: 3, 2, 0, 1, 4, 2, 1, 0; words that never came are left out, and so is a course of one week."""
    return [
        f"{_(COUNTED_WORDS[word])}: {', '.join(map(str, values))}"
        for word, values in counts.items()
        if sum(value > 0 for value in values) > 1
    ]

"""A line into the journal, however it comes: from a page, the API or the command line."""

from __future__ import annotations

from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from wellserved.capture import Captured, capture
from wellserved.journal.book import Book
from wellserved.store.access import Scope

OWN_KNOWN: Final = 40  # last entries whose customers are known by name


def captured(line: str, scope: Scope, book: Book | None = None) -> Captured:
    """A line, read now in the workspace's zone; customers are known by the store, and by one's own last entries."""
    now = timezone.now().astimezone(ZoneInfo(settings.TIME_ZONE))
    known = set(scope.customers().values_list("name", flat=True))
    if book is not None and book.readable:
        known |= {str(page.facts["customer"]) for page in book.latest(OWN_KNOWN) if page.facts.get("customer")}
    return capture(line, now, known)


def happened(one: Captured) -> datetime:
    """When it happened: now, or at noon of the day that was said."""
    if one.at is None:
        return timezone.now()
    return datetime.combine(one.at, time(12), ZoneInfo(settings.TIME_ZONE))

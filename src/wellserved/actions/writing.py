"""A line into the journal, however it comes: from a page, the API or the command line."""

from __future__ import annotations

import uuid
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from wellserved.capture import Captured, capture
from wellserved.capture.promise import ABOUT, ANSWERS
from wellserved.errors import RequestError
from wellserved.journal.book import Book, Page, facts_of
from wellserved.journal.models import Entry
from wellserved.scales import load_scales
from wellserved.store.access import Scope

OWN_KNOWN: Final = 40  # last entries whose customers are known by name


def captured(line: str, scope: Scope, book: Book | None = None) -> Captured:
    """A line, read now in the workspace's zone; customers are known by the store, and by one's own last entries."""
    now = timezone.now().astimezone(ZoneInfo(settings.TIME_ZONE))
    known = set(scope.customers().values_list("name", flat=True))
    if book is not None and book.readable:
        known |= {str(page.facts["customer"]) for page in book.latest(OWN_KNOWN) if page.facts.get("customer")}
    return capture(line, now, known, settings.WORKSPACE.dates, load_scales(settings.WORKSPACE.folder))


def happened(one: Captured) -> datetime:
    """When it happened: now, or at noon of the day that was said."""
    if one.at is None:
        return timezone.now()
    return datetime.combine(one.at, time(12), ZoneInfo(settings.TIME_ZONE))


def require_clear(one: Captured, belongs: bool = False) -> None:
    """Raise where something in a line can be read in two ways, or where it says nothing; `belongs`: to a known matter."""
    if one.questions:
        raise RequestError(
            " ".join(question.what for question in one.questions), " ".join(question.do for question in one.questions)
        )
    if one.text.strip() or (belongs and one.word in ANSWERS):
        return
    if one.word in ABOUT:
        what = f'"{one.word}" alone does not say what it is about: there is no open matter, or there are several.'
        raise RequestError(what, f"Write it as {one.word}: and what it is about, with the customer's name.")
    raise RequestError(f'There is nothing after "{one.word}:".', "Write after it what happened.")


def matters(one: Captured, book: Book) -> list[Page]:
    """The open matters that a line may be about: of its customer; without one, all that a bare word can mean."""
    if one.word not in ABOUT or not book.readable:
        return []
    if one.customer is None and one.text.strip() and one.word not in ("kept", "broken", "renegotiated"):
        return []
    open_ = book.waiting(ABOUT[one.word])
    if one.customer:
        wanted = one.customer.casefold()
        open_ = [page for page in open_ if str(page.facts.get("customer", "")).casefold() == wanted]
    for name, value in (("case", one.case), ("service", one.service)):
        if value and (same := [page for page in open_ if page.facts.get(name) == value]):
            open_ = same
    return open_


def record(one: Captured, book: Book, id_: uuid.UUID | None = None) -> Entry:
    """Write a line into the journal; with exactly one open matter that it can be about, it belongs to that."""
    about = matters(one, book)
    thread = about[0].entry.thread if len(about) == 1 else None
    require_clear(one, belongs=thread is not None)
    return book.write(facts_of(one), id_, thread, happened(one))

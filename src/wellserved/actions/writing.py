"""A line into the journal, however it comes: from a page, the API or the command line."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from wellserved.capture import CapturedLine, capture
from wellserved.capture.promise import ANSWER_WORDS, MATTERS_OF_WORD
from wellserved.errors import RequestError
from wellserved.journal.handle import DecryptedEntry, Journal, line_facts
from wellserved.journal.models import Entry
from wellserved.scales import load_scales
from wellserved.store.access import AccessScope
from wellserved.store.models import Person

RECENT_ENTRIES: Final = 40  # last entries whose customers are known by name


@dataclass(frozen=True)
class WrittenLine:
    """A line that was written: its entry, how it was read, and the open matters that it may belong to."""

    entry: Entry
    captured_line: CapturedLine
    open_matters: list[DecryptedEntry]


def write_line(line: str, owner: Person, id_: uuid.UUID | None = None) -> WrittenLine:
    """Read a line and write it into its owner's journal, without the journal's key: from a terminal or by the API."""
    journal = Journal(owner.pk, settings.SECRET_KEY.encode())
    captured_line = capture_line(line, AccessScope(owner), journal)
    open_matters = find_open_matters(captured_line, journal)
    return WrittenLine(record_line(captured_line, journal, open_matters, id_), captured_line, open_matters)


def capture_line(line: str, scope: AccessScope, journal: Journal | None = None) -> CapturedLine:
    """A line, read now in the workspace's zone; customers are known by the store, and by one's own last entries."""
    now = timezone.now().astimezone(ZoneInfo(settings.TIME_ZONE))
    customer_names = set(scope.customers().values_list("name", flat=True))
    if journal is not None and journal.is_readable:
        customer_names |= {
            str(decrypted_entry.facts["customer"])
            for decrypted_entry in journal.latest(RECENT_ENTRIES)
            if decrypted_entry.facts.get("customer")
        }
    return capture(line, now, customer_names, settings.WORKSPACE.dates, load_scales(settings.WORKSPACE.folder))


def line_time(captured_line: CapturedLine) -> datetime:
    """When it happened: now, or at noon of the day that was said."""
    if captured_line.at is None:
        return timezone.now()
    return datetime.combine(captured_line.at, time(12), ZoneInfo(settings.TIME_ZONE))


def require_clear(captured_line: CapturedLine, has_matter: bool = False) -> None:
    """Raise where something in a line can be read in two ways, or where it says nothing; `has_matter`: it belongs to a known matter."""
    if captured_line.questions:
        raise RequestError(
            " ".join(question.what for question in captured_line.questions),
            " ".join(question.do for question in captured_line.questions),
        )
    if captured_line.text.strip() or (has_matter and captured_line.word in ANSWER_WORDS):
        return
    if captured_line.word in MATTERS_OF_WORD:
        problem = f'"{captured_line.word}" alone does not say what it is about: there is no open matter, or there are several.'
        raise RequestError(
            problem, f"Write it as {captured_line.word}: and what it is about, with the customer's name."
        )
    raise RequestError(f'There is nothing after "{captured_line.word}:".', "Write after it what happened.")


def matters_to_join(word: str, journal: Journal) -> list[DecryptedEntry]:
    """The open matters that an entry of a word can belong to."""
    return journal.open_entries(MATTERS_OF_WORD[word]) if word in MATTERS_OF_WORD else []


def find_open_matters(captured_line: CapturedLine, journal: Journal) -> list[DecryptedEntry]:
    """The open matters that a line may be about: of its customer; without one, all that a bare word can mean."""
    if captured_line.word not in MATTERS_OF_WORD or not journal.is_readable:
        return []
    if (
        captured_line.customer is None
        and captured_line.text.strip()
        and captured_line.word not in ("kept", "broken", "renegotiated")
    ):
        return []
    open_entries = journal.open_entries(MATTERS_OF_WORD[captured_line.word])
    if captured_line.customer:
        customer_name = captured_line.customer.casefold()
        open_entries = [
            decrypted_entry
            for decrypted_entry in open_entries
            if str(decrypted_entry.facts.get("customer", "")).casefold() == customer_name
        ]
    for name, value in (("case", captured_line.case), ("service", captured_line.service)):
        if value and (
            matches := [decrypted_entry for decrypted_entry in open_entries if decrypted_entry.facts.get(name) == value]
        ):
            open_entries = matches
    return open_entries


def record_line(
    captured_line: CapturedLine, journal: Journal, open_matters: list[DecryptedEntry], id_: uuid.UUID | None = None
) -> Entry:
    """Write a line into the journal; with exactly one open matter that it can be about, it belongs to that."""
    thread = open_matters[0].entry.thread if len(open_matters) == 1 else None
    require_clear(captured_line, has_matter=thread is not None)
    return journal.write(line_facts(captured_line), id_, thread, line_time(captured_line))

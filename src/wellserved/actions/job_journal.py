"""One's job journal: a month or a year of it, as a book to look back on and to write a résumé from."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from wellserved.actions.week_page import WrittenReport, text_of_sections
from wellserved.actions.weekly import Week, customer_lines, failure_lines, sum_lines
from wellserved.errors import PeriodError
from wellserved.journal.handle import Journal

_PERIOD: Final = re.compile(r"(?P<year>[12]\d{3})(?:-(?P<month>0[1-9]|1[0-2]))?")


def period_days(period: str) -> tuple[date, date]:
    """First day, and the day after the last, of a month (2026-11) or a year (2026)."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise PeriodError(f"{period!r} is no month and no year.", "Write 2026-11, or 2026.")
    year, month = int(match["year"]), int(match["month"] or 1)
    first = date(year, month, 1)
    return first, date(year + 1, 1, 1) if not match["month"] or month == 12 else date(year, month + 1, 1)


def job_journal(journal: Journal, period: str, author: str) -> WrittenReport:
    """What went wrong and was made right, what customers said, what went well, what it came to, ideas and lessons; each entry once."""
    zone = ZoneInfo(settings.TIME_ZONE)
    start, end = (datetime.combine(day, time(0), zone) for day in period_days(period))
    entries = journal.entries_between(start, end)
    threads = journal.threads(decrypted_entry.entry.thread for decrypted_entry in entries)
    book = Week(start, end, entries, threads, is_dated=True)
    sections = {
        _("What went wrong, and what was done"): [
            *failure_lines(book),
            *book.lines_of_word("recovered", _("made right")),
        ],
        _("What customers said"): customer_lines(book),
        _("What went well"): [*book.lines_of_word("exceeded"), *book.lines_of_word("met"), *book.lines_of_word("kept")],
        _("Promises"): [
            *book.lines_of_word("promise", _("promise")),
            *book.lines_of_word("broken", _("broken")),
            *book.lines_of_word("renegotiated", _("agreed anew")),
        ],
        _("What it came to"): sum_lines(entries),
        _("Ideas"): book.lines_of_word("idea"),
        _("Lessons"): book.lines_of_word("lesson"),
        _("My own judgement"): book.lines_of_word("self"),
        _("Also noted"): book.lines_of_word("note"),
    }
    text = text_of_sections(sections) if any(sections.values()) else f"{_('Nothing is written down of this time.')}\n"
    return WrittenReport(_("Job journal, %(period)s") % {"period": period}, author, text)

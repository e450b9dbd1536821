"""One's own week: what went wrong and what was done, promises, what customers said, what got better, what is next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from html import escape
from zoneinfo import ZoneInfo

import typst
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import sharing
from wellserved.capture import sentence
from wellserved.capture.promise import Fold
from wellserved.journal.book import Book, Page
from wellserved.moments import period_of
from wellserved.store.access import Scope
from wellserved.store.models import Shared

Promised = list[tuple[Page, Fold]]
_PDF = """
#let given = json(bytes(sys.inputs.given))
#set document(title: given.title, author: given.author)
#set page(paper: "a4", margin: 2.2cm)
#set text(size: 10.5pt, lang: "en")
#heading(level: 1, given.title)
#given.author
#for part in given.parts {
  if part.title != "" { heading(level: 2, part.title) }
  for line in part.lines {
    if line.starts-with("- ") { list(line.slice(2)) } else { par(line) }
  }
}
"""


def weeks_before(today: date, many: int) -> list[tuple[str, date, date]]:
    """The weeks up to this one, the last first: name, Monday, Sunday."""
    weeks = [period_of(today - timedelta(days=7 * back), "week") for back in range(many)]
    return [(one.label, one.start, one.end - timedelta(days=1)) for one in weeks]


def text_of(book: Book, scope: Scope, monday: date) -> tuple[str, bool]:
    """The week's report as its author left it, or as the product drafts it; and whether the author did."""
    kept = book.draft(period_of(monday, "week").label)
    return (draft(book, scope, monday), False) if kept is None else (kept, True)


def draft(book: Book, scope: Scope, monday: date) -> str:
    """The week's report as the product drafts it, from one's own entries and what one shared; to be edited."""
    zone = ZoneInfo(settings.TIME_ZONE)
    start = datetime.combine(monday, time(0), zone)
    end = datetime.combine(monday + timedelta(days=7), time(0), zone)
    entries = book.between(start, end)
    known = min(end, timezone.now())  # what falls due later this week is not overdue
    promised = book.promises(known, start - timedelta(days=365))
    shared = sharing.promises(scope, known, start - timedelta(days=365))
    before = book.count(start - timedelta(days=7), start, "missed")
    told: dict[str, list[str]] = {
        _("What went wrong, and what was done"): _failures(book, entries),
        _("Promises"): _promises(promised, shared, scope, start, end),
        _("What customers said"): [_line(one) for one in entries if one.entry.word in ("thanks", "complaint", "gap")],
        _("Beside the week before"): [
            *_better(entries, before),
            *(_line(one) for one in entries if one.entry.word == "exceeded"),
        ],
        _("Ideas and lessons"): [_line(one) for one in entries if one.entry.word in ("idea", "lesson")],
        _("What is next"): _next(promised),
    }
    parts = []
    for title, lines in told.items():
        parts += [f"{title}", *(f"- {line}" for line in lines or [_("nothing recorded")]), ""]
    return "\n".join(parts).rstrip() + "\n"


def _line(page: Page) -> str:
    """An entry on one line."""
    facts = page.facts
    words = sentence(str(facts.get("text") or page.words))
    customer = str(facts.get("customer", ""))
    return f"{customer}: {words}" if customer and customer.casefold() not in words.casefold() else words


def _failures(book: Book, entries: Sequence[Page]) -> list[str]:
    lines, missed = [], [page for page in entries if page.entry.word == "missed"]
    recoveries = book.threads((page.entry.thread for page in missed), "recovered")
    for page in missed:
        righted = recoveries.get(page.entry.thread)
        done = _("made right: %(how)s") % {"how": _line(righted[-1])} if righted else _("not yet made right")
        lines.append(f"{_line(page)} ({done})")
    return lines


def _promises(
    promised: Promised, shared: list[tuple[Shared, Fold]], scope: Scope, start: datetime, end: datetime
) -> list[str]:
    """How promises that fell due or were settled in the week ended; those that were not kept in time by name."""
    found: list[tuple[str, Fold]] = [(_line(page), state) for page, state in promised]
    found += [(sentence(row.text), state) for row, state in shared if row.author_id == scope.person.pk]
    settled = [one for one in found if one[1].closed and start <= one[1].closed < end]
    counts = {name: sum(state.fate == name for _what, state in settled) for name in ("kept", "late", "broken")}
    counts["overdue"] = sum(state.fate == "overdue" for _what, state in found)
    counts["made"] = sum(start <= state.made < end for _what, state in found)
    counts["anew"] = sum(state.renegotiated for _what, state in found if start <= state.made < end)
    if not counts["made"] and not settled and not counts["overdue"]:
        return []
    said = _(
        "%(made)d made; %(kept)d kept, %(late)d late, %(broken)d broken, %(anew)d agreed anew; %(overdue)d overdue"
    )
    named = [f"{state.fate}: {what}" for what, state in settled if state.fate in ("late", "broken")]
    return [said % counts, *named]


def _better(entries: Iterable[Page], then: int) -> list[str]:
    """Counts beside last week's: numbers, not a judgement; one week proves nothing."""
    now = sum(one.entry.word == "missed" for one in entries)
    if not now and not then:
        return []
    said = _("missed expectations: %(now)d, the week before %(then)d (one week beside another proves nothing)")
    return [said % {"now": now, "then": then}]


def _next(promised: Promised) -> list[str]:
    lines = []
    for page, state in promised:
        if state.due and state.closed is None:
            lines.append(
                (
                    state.due,
                    _("%(what)s by %(when)s")
                    % {"what": _line(page), "when": f"{timezone.localtime(state.due):%a %d %b, %H:%M}"},
                )
            )
    return [line for _due, line in sorted(lines)[:10]]


def _parts(text: str) -> list[dict[str, object]]:
    """Titles are lines before a list, after an empty line or at the start; everything else stays as it was written."""
    parts: list[dict[str, object]] = []
    lines: list[str] = []
    rows = text.replace("\r\n", "\n").split("\n")
    for place, row in enumerate(rows):
        begins = place == 0 or not rows[place - 1].strip()
        listed = place + 1 < len(rows) and rows[place + 1].startswith("- ")
        if row.strip() and begins and listed and not row.startswith("- "):
            lines = []
            parts.append({"title": row.strip(), "lines": lines})
        elif row.strip():
            if not parts:
                parts.append({"title": "", "lines": lines})
            lines.append(row.strip())
    return parts


def written(text: str, week: str, author: str, form: str) -> bytes:
    """A report as txt, html, pdf or eml."""
    first = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    days = f"{first:%d %b} – {first + timedelta(days=6):%d %b %Y}"
    title = _("Week %(week)s, %(days)s") % {"week": week, "days": days}
    if form == "txt":
        return f"{title}\n{author}\n\n{text}".encode()
    if form == "html":
        return _page(text, title, author).encode()
    if form == "eml":
        return _mail(text, title, author)
    given = json.dumps({"title": title, "author": author, "parts": _parts(text)})
    return bytes(typst.compile(_PDF.encode(), format="pdf", sys_inputs={"given": given}))


def _page(text: str, title: str, author: str) -> str:
    """A page without style or script, for a mail or a file."""
    said = []
    for part in _parts(text):
        lines = [str(line) for line in part["lines"]]  # type: ignore[attr-defined]
        items = "".join(f"<li>{escape(line.removeprefix('- '))}</li>" for line in lines)
        heading = f"<h2>{escape(str(part['title']))}</h2>" if part["title"] else ""
        said.append(f"{heading}<ul>{items}</ul>")
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head><body><h1>{escape(title)}</h1><p>{escape(author)}</p>{"".join(said)}</body></html>'


def _mail(text: str, title: str, author: str) -> bytes:
    """A draft that a mail program opens ready to be addressed and sent."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(f"{title}, {author}".split())
    mail["X-Unsent"] = "1"
    mail["Date"] = datetime.now(UTC)
    mail.set_content(text)
    mail.add_alternative(_page(text, title, author), subtype="html")
    return mail.as_bytes()

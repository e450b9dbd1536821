"""One's own week: what went wrong and what was done, promises, what customers said, what got better, what is next."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
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

NEXT = 10  # older promises that the report names as next
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
    """The week's report as the product drafts it, from one's own entries and what one shared; to be edited.

    Everything that was written in the week stands in it, once.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    start = datetime.combine(monday, time(0), zone)
    end = datetime.combine(monday + timedelta(days=7), time(0), zone)
    entries = book.between(start, end)
    known = min(end, timezone.now())  # what falls due later this week is not overdue
    week = Week(start, end, entries, book.threads(page.entry.thread for page in entries))
    promised = [Pledge(_line(page), state, page) for page, state in book.promises(known, start - timedelta(days=365))]
    shared = sharing.promises(scope, known, start - timedelta(days=365))
    promised += [Pledge(sentence(row.text), state, None) for row, state in shared if row.author_id == scope.person.pk]
    copies = {row.id for row, _state in shared}
    week.told |= {page.entry.id for page in entries if page.entry.word == "promise" and page.entry.shared in copies}
    before = book.count(start - timedelta(days=7), start, "missed")
    failures = _failures(week)
    kept, ahead = _promises(promised, week), _next(promised, week)
    parts: dict[str, list[str]] = {
        _("What went wrong, and what was done"): [*failures, *week.lines("recovered", _("made right"))],
        _("Promises"): [*kept, *week.lines("broken"), *week.lines("renegotiated", _("agreed anew"))],
        _("What customers said"): _said(week),
        _("What went well"): [*week.lines("exceeded"), *week.lines("met"), *week.lines("kept")],
        _("Beside the week before"): _better(entries, before),
        _("Ideas and lessons"): [*week.lines("idea"), *week.lines("lesson")],
        _("Also noted"): [*week.lines("note"), *week.lines("promise", _("promise"))],
        _("What is next"): ahead,
    }
    if own := week.lines("self"):
        parts[_("My own judgement (take it out where it is for you alone)")] = own
    text = []
    for title, lines in parts.items():
        text += [f"{title}", *(f"- {line}" for line in lines or [_("nothing recorded")]), ""]
    return "\n".join(text).rstrip() + "\n"


@dataclass
class Pledge:
    """A promise with its state; its page, where it stands in the journal alone."""

    words: str
    state: Fold
    page: Page | None


@dataclass
class Week:
    """A week's entries with all that belongs to them, and which of them stand in the report already."""

    start: datetime
    end: datetime
    entries: list[Page]
    threads: dict[uuid.UUID, list[Page]]
    told: set[uuid.UUID] = field(default_factory=set)

    def holds(self, at: datetime) -> bool:
        """An instant lies in the week."""
        return self.start <= at < self.end

    def lines(self, word: str, label: str = "") -> list[str]:
        """The entries of a word that do not stand elsewhere."""
        pages = [page for page in self.entries if page.entry.word == word and page.entry.id not in self.told]
        self.told |= {page.entry.id for page in pages}
        return [_labelled(label, _line(page)) for page in pages]

    def steps(self, head: Page, whole: bool) -> list[str]:
        """What followed on an entry up to the week's end, its own judgement aside; `whole`: not of this week alone."""
        found = []
        ends = (
            sharing.CARRIED["promise"] if head.entry.word == "promise" else ()
        )  # praise stands with what customers said
        for page in self.threads.get(head.entry.thread, []):
            word, here = page.entry.word, self.holds(page.entry.at)
            if page.entry.id == head.entry.id or word == "self" or (ends and word not in ends):
                continue
            if not here and not (whole and page.entry.at < self.end):
                continue
            self.told.add(page.entry.id)
            found.append(_step(page, head))
        return found

    def dated(self, at: datetime, form: str) -> str:
        """A local time; with its year where that is not the report's."""
        local, last = timezone.localtime(at), self.end - timedelta(days=1)
        year = "" if local.year == self.start.year == last.year else " %Y"
        return f"{local:{form.replace('%b', '%b' + year)}}"


def _labelled(label: str, words: str) -> str:
    return f"{label}: {words}" if label and words else label or words


def _line(page: Page) -> str:
    """An entry on one line."""
    facts = page.facts
    words = sentence(str(facts.get("text") or page.words))
    customer = str(facts.get("customer", ""))
    return f"{customer}: {words}" if customer and customer.casefold() not in words.casefold() else words


def _step(page: Page, head: Page) -> str:
    """What followed, in a few words: made right: brought it."""
    labels = {
        "recovered": _("made right"), "note": _("answer"), "met": _("accepted"), "complaint": _("not accepted"), "gap": _("rated"),
        "thanks": _("thanks"), "renegotiated": _("agreed anew"),
    }  # fmt: skip
    words = sentence(str(page.facts.get("text", "")))
    if words == sentence(str(head.facts.get("text", ""))):
        words = ""
    if page.entry.word == "gap" and not words and page.facts.get("score") is not None:
        words = f"{page.facts['score']:g} ({page.facts.get('scale') or '?'})"
    return _labelled(labels.get(page.entry.word, _(page.entry.word)), words)


def _with(words: str, steps: Iterable[str]) -> str:
    said = "; ".join(step for step in steps if step)
    return f"{words} ({said})" if said else words


def _failures(week: Week) -> list[str]:
    """Failures of the week, and earlier ones on which something followed in it, each with what was done."""
    lines = []
    for pages in week.threads.values():
        head = next((page for page in pages if page.entry.word == "missed"), None)
        new = any(week.holds(page.entry.at) and page.entry.word != "self" for page in pages)
        if head is None or head.entry.at >= week.end or not new:
            continue
        righted = any(page.entry.word == "recovered" and page.entry.at < week.end for page in pages)
        steps = week.steps(head, whole=True)
        week.told.add(head.entry.id)
        day = "" if week.holds(head.entry.at) else week.dated(head.entry.at, "%d %b") + ": "
        lines.append(_with(day + _line(head), [*([] if righted else [_("not yet made right")]), *steps]))
    return lines


def _said(week: Week) -> list[str]:
    """What customers said, asked and rated, each with what followed."""
    lines = []
    for page in week.entries:
        if page.entry.word in ("thanks", "complaint", "gap", "asked") and page.entry.id not in week.told:
            week.told.add(page.entry.id)
            lines.append(_with(_line(page), week.steps(page, whole=False) if page.entry.word == "complaint" else []))
    return lines


def _promises(promised: Iterable[Pledge], week: Week) -> list[str]:
    """How promises that fell due or were settled in the week ended; those that were settled by name."""
    promised = list(promised)
    settled = [one for one in promised if one.state.closed and week.holds(one.state.closed)]
    counts = {name: sum(one.state.fate == name for one in settled) for name in ("kept", "late", "broken")}
    counts["overdue"] = sum(one.state.fate == "overdue" for one in promised)
    counts["made"] = sum(week.holds(one.state.made) for one in promised)
    counts["anew"] = sum(one.state.renegotiated for one in promised if week.holds(one.state.made))
    if not counts["made"] and not settled and not counts["overdue"]:
        return []
    said = _(
        "%(made)d made; %(kept)d kept, %(late)d late, %(broken)d broken, %(anew)d agreed anew; %(overdue)d overdue"
    )
    return [said % counts, *(_with(f"{one.state.fate}: {one.words}", _pledged(one, week)) for one in settled)]


def _pledged(one: Pledge, week: Week) -> list[str]:
    """What followed on a promise in the week, as far as words were found for it."""
    if one.page is None:
        return []
    week.told.add(one.page.entry.id)
    return [step for step in week.steps(one.page, whole=False) if step not in (one.state.fate, "kept")]


def _better(entries: Iterable[Page], then: int) -> list[str]:
    """Counts beside last week's: numbers, not a judgement; one week proves nothing."""
    now = sum(one.entry.word == "missed" for one in entries)
    if not now and not then:
        return []
    said = _("missed expectations: %(now)d, the week before %(then)d (one week beside another proves nothing)")
    return [said % {"now": now, "then": then}]


def _next(promised: Iterable[Pledge], week: Week) -> list[str]:
    """Promises that run at the week's end: those of the week, and the most urgent of the others."""
    far = datetime.max.replace(tzinfo=UTC)
    running = [
        one for one in promised if one.state.made < week.end and not (one.state.closed and one.state.closed < week.end)
    ]
    running.sort(key=lambda one: one.state.due or far)
    new = [one for one in running if week.holds(one.state.made)]
    older = [one for one in running if not week.holds(one.state.made)]
    lines = [_with(_by(one, week), _pledged(one, week)) for one in running if one in new or one in older[:NEXT]]
    if len(older) > NEXT:
        lines.append(_("and %(more)d more, on the page of promises") % {"more": len(older) - NEXT})
    return lines


def _by(one: Pledge, week: Week) -> str:
    if one.state.due is None:
        return _("%(what)s (no due time)") % {"what": one.words}
    return _("%(what)s (due %(when)s)") % {"what": one.words, "when": week.dated(one.state.due, "%a %d %b, %H:%M")}


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
    last = first + timedelta(days=6)
    days = f"{first:%d %b}{f' {first:%Y}' if first.year != last.year else ''} – {last:%d %b %Y}"
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

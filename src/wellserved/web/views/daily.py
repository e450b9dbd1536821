"""What a person does every day: today, the journal, the card for a contact, promises."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved import log
from wellserved.actions import sharing
from wellserved.actions.writing import captured, happened, matters, record, require_clear
from wellserved.capture import WORDS, Captured, facts_in
from wellserved.capture.promise import ABOUT, Fold
from wellserved.errors import WellservedError
from wellserved.journal.book import Book, Page, facts_of
from wellserved.moments import EARLIEST, LATEST
from wellserved.store.access import Scope, may
from wellserved.store.models import Audience, Person, Shared, digest_of
from wellserved.web.door import OPEN, book_of, deed, person_of, scope_of
from wellserved.web.forms import EntryForm, ShareForm

SHOWN, DUE = 20, 10  # promises of the ledger and of Today, the most urgent first
CARD = (
    ("acknowledged", "Acknowledged the request"),
    ("said_what", "Said what will be done"),
    ("said_when", "Said how long it takes"),
    ("explained", "Explained the process"),
    ("thanked", "Thanked"),
)


@dataclass(frozen=True)
class Promise:
    """A promise of the ledger, from the journal or shared."""

    id: uuid.UUID
    where: str
    text: str
    customer: str
    service: str
    author: str
    state: Fold
    mine: bool


def ledger(scope: Scope, book: Book, now: datetime, closed: bool = False) -> list[Promise]:
    """Promises, one's own and those shared with one, the most urgent first."""
    since = now - timedelta(days=90) if closed else None
    found = []
    if book.readable:
        for page, state in book.promises(now, since):
            named = str(page.facts.get("customer", "")), str(page.facts.get("service", ""))
            found.append(Promise(page.entry.id, "journal", str(page.facts.get("text", "")), *named, "", state, True))
    for row, state in sharing.promises(scope, now, since):
        customer, mine = scope.customer_of(row), row.author_id == scope.person.pk
        found.append(Promise(row.id, "shared", row.text, customer, row.service, row.author.called, state, mine))
    far = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda one: (one.state.closed is not None, one.state.due or far))


@deed("own")
def today(request: HttpRequest) -> HttpResponse:
    """What to keep in mind today: promises, failures that wait, what customers said."""
    now, scope, book = timezone.now(), scope_of(request), book_of(request)
    ends = timezone.localtime(now).replace(hour=23, minute=59, second=59)
    promises = ledger(scope, book, now)
    due = [one for one in promises if one.state.due and one.state.due <= ends][:DUE]
    listed = (
        scope.shared()
        .select_related(None)
        .select_related("customer")
        .only("text", "word", "at", "begun_by", "customer__name")
    )
    waiting = listed.filter(open=True, word="missed")[:5]
    said = listed.filter(word__in=("complaint", "thanks"), at__gte=now - timedelta(days=7))[:5]
    given = {
        "promises": due, "later": len(promises) - len(due), "waiting": waiting, "said": said,
        "helps": scope.helps().filter(confirmed=None), "locked": not book.readable, "book": book, "draft": uuid.uuid4(), "waits": may(scope.person, "read_measures") and log.latest(settings.WORKSPACE) >= 0,
        "recent": book.latest(3) if book.readable else [],
    }  # fmt: skip
    return render(request, "today.html", given)


@deed("own", "GET", "POST")
def journal(request: HttpRequest) -> HttpResponseBase:
    """One's own entries, and the line that writes the next one."""
    scope, book = scope_of(request), book_of(request)
    if request.method == "POST":
        return _write(request, scope, book)
    word = request.GET.get("word", "")
    pages = book.latest(30, _before(request), word if word in WORDS else "") if book.readable else []
    given = {
        "pages": pages, "words": WORDS, "word": word, "locked": not book.readable, "book": book, "draft": uuid.uuid4(),
        "last": pages[-1].entry if len(pages) == 30 else None,
    }  # fmt: skip
    return render(request, "journal.html", given)


def _before(request: HttpRequest) -> tuple[datetime, uuid.UUID] | None:
    """Where the last page ended."""
    try:
        found = datetime.fromisoformat(request.GET["before"].replace(" ", "+")), uuid.UUID(request.GET["id"])
    except (KeyError, ValueError):
        return None
    return found if found[0].tzinfo and EARLIEST.year <= found[0].year <= LATEST.year else None


def _write(request: HttpRequest, scope: Scope, book: Book) -> HttpResponseBase:
    """Save a line, or show first what it was understood to say."""
    line = request.POST.get("line", "")
    if not line.strip():
        return redirect("journal")
    scripted = request.headers.get("Accept", "").startswith("application/json")
    try:
        one = captured(line, scope, book)
        if request.POST.get("do") == "look" or (one.questions and not scripted):
            given = {"line": line, "one": one, **_about(one, scope, book), "draft": request.POST.get("draft", "")}
            return render(request, "understood.html", given)
        entry = record(one, book, draft_of(request, line)).id
    except WellservedError as error:
        if not scripted:
            raise
        return JsonResponse({"what": error.what, "do": error.do}, status=422)
    if scripted:
        return JsonResponse({"saved": str(entry)})
    messages.success(request, _("Saved."))
    return redirect("entry", entry)


def draft_of(request: HttpRequest, *said: object) -> uuid.UUID:
    """The id of what is sent: from the form's own and what it says, so that twice is once and other words are another."""
    try:
        form = uuid.UUID(request.POST.get("draft", ""))
    except ValueError:
        form = uuid.uuid4()
    return uuid.uuid5(form, "\n".join(map(str, said)))


def _about(one: Captured, scope: Scope, book: Book) -> dict[str, Any]:
    """What is known beside a line: how often it happened, what the customer is worth."""
    repeats = 0
    if one.word == "missed" and (one.cause or one.customer) and book.readable:
        repeats = book.repeats(one.cause or "", one.customer or "", timezone.now())
    account = None
    if one.customer:
        account = scope.accounts().filter(customers__name__iexact=one.customer).first()
    about = matters(one, book)
    loose = one.word in ("kept", "broken", "renegotiated") and book.readable and len(about) != 1
    hint = one.word == "note" and "promise" in one.text.casefold()
    return {"shown": facts_in(one), "repeats": repeats, "account": account, "about": about, "loose": loose,
            "hint": hint, "questions": _asked(one)}  # fmt: skip


def _asked(one: Captured) -> list[tuple[str, list[tuple[str, str]]]]:
    """What of a line is not clear: how it is written, and each reading with the line that says it clearly."""
    head = one.line[: len(one.line) - len(one.text)]
    return [
        (question.written, [(reading, head + question.answered(one.text, reading)) for reading in question.readings])
        for question in one.questions
    ]


@deed("own", "POST")
def understanding(request: HttpRequest) -> HttpResponse:
    """What a line says so far, shown while it is typed."""
    scope, book = scope_of(request), book_of(request)
    one = captured(request.POST.get("line", ""), scope, book)
    return render(request, "shown.html", {"one": one, **_about(one, scope, book)})


def _page(request: HttpRequest, id_: uuid.UUID) -> tuple[Book, Page]:
    """An entry of one's own, opened; Http404 for everybody else's."""
    book = book_of(request)
    entry = book.entry(id_)
    if entry is None:
        raise Http404
    return book, book.read([entry])[0]


@deed("own", "GET", "POST")
def entry(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """One entry: read, changed, gone on with."""
    book, page = _page(request, id_)
    form = None
    if request.method == "POST" or "change" in request.GET:
        form = EntryForm(request.POST or None, initial=EntryForm.of(page.facts, page.entry.at))
    if request.method == "POST" and form and form.is_valid():
        kept = {name: value for name, value in page.facts.items() if name != "line"}  # which would still say the old
        book.rewrite(page.entry, {**kept, **form.facts()}, form.cleaned_data["at"])
        messages.success(request, _("Saved."))
        return redirect("entry", id_)
    thread = [one for one in book.thread(page.entry.thread) if one.entry.id != id_]
    about = _about(Captured("", page.entry.word, customer=page.facts.get("customer")), scope_of(request), book)
    loose = page.entry.thread == page.entry.id and not thread
    return render(
        request,
        "entry.html",
        {
            "page": page,
            "form": form,
            "thread": thread,
            "account": about["account"],
            "about": book.waiting(ABOUT.get(page.entry.word, ())) if loose and page.entry.word in ABOUT else [],
            "draft": uuid.uuid4(),
            "facts": _shown(page),
        },
    )


_FACTS = ("customer", "service", "expected", "score", "scale", "rating", "severity", "cause", "hours", "amount", "currency", "returns", "returns_saved", "giver", "people", "ticks")  # fmt: skip


def _shown(page: Page) -> list[tuple[str, object]]:
    """What is known of an entry beside its words."""
    return [(name, value) for name in _FACTS if (value := page.facts.get(name)) not in (None, "", [], ())]


@deed("own", "GET", "POST")
def new_entry(request: HttpRequest) -> HttpResponseBase:
    """The form for those who prefer one to the line."""
    form = EntryForm(request.POST or None, initial={"at": timezone.now()})
    if request.method == "POST" and form.is_valid():
        facts = form.facts()
        made = book_of(request).write(facts, draft_of(request, facts), at=form.cleaned_data["at"])
        messages.success(request, _("Saved."))
        return redirect("entry", made.id)
    return render(
        request, "form.html", {"form": form, "title": _("New entry"), "back": "journal", "draft": uuid.uuid4()}
    )


@deed("own", "POST")
def erase(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """Remove an entry for good."""
    book, page = _page(request, id_)
    book.erase(page.entry)
    messages.success(request, _("Erased."))
    return redirect("journal")


@deed("own", "POST")
def go_on(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """A further line to the same matter: what the customer answered, kept, made right."""
    book, page = _page(request, id_)
    word, line = request.POST.get("word", "note"), request.POST.get("line", "")
    one = captured(f"{word}: {line}" if word in WORDS else line, scope_of(request))
    require_clear(one, belongs=True)
    book.write(facts_of(one), draft_of(request, id_, word, line), page.entry.thread, happened(one))
    messages.success(request, _("Saved."))
    return redirect("entry", id_)


@deed("own", "POST")
def join(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """Say to which open matter an entry belongs that stands by itself."""
    book, page = _page(request, id_)
    open_ = {str(one.entry.id): one for one in book.waiting(ABOUT.get(page.entry.word, ()))}
    matter = open_.get(request.POST.get("matter", ""))
    if matter is None or page.entry.thread != page.entry.id:
        raise Http404
    book.join(page.entry, matter.entry.thread)
    messages.success(request, _("Saved."))
    return redirect("entry", id_)


@deed("share", "GET", "POST")
def share(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """Make the copy that others may see; it is edited first, and can be changed and withdrawn."""
    book, page = _page(request, id_)
    words = sharing.clean(str(page.facts.get("text", "")))
    initial = {**EntryForm.of(page.facts, page.entry.at), "audience": Audience.team, "text": words}
    form = ShareForm(request.POST or None, initial=initial)
    form.carry(sharing.carried(book, page))
    if request.method == "POST" and form.is_valid():
        facts, words = form.facts(), form.cleaned_data["text"]
        people = {*captured(words, scope_of(request)).people, *sharing.named_in(words, page)}
        facts |= {"word": page.entry.word, "people": sorted(people), "text": sharing.clean(words)}
        audience = form.cleaned_data["audience"]
        made = sharing.share_page(book, person_of(request), page, facts, audience, form.answers())
        messages.success(request, _("Shared. You can change or withdraw it at any time."))
        return redirect("shared", made.id)
    return render(
        request, "share.html", {"form": form, "page": page, "carries": len(form.fields) > len(form.base_fields)}
    )


@deed("own")
def take_along(request: HttpRequest) -> HttpResponseBase:
    """The whole journal, for its owner."""
    book = book_of(request)
    lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in book.everything())
    kept = {"Content-Disposition": 'attachment; filename="journal.jsonl"'}
    return StreamingHttpResponse(lines, content_type="application/x-ndjson", headers=kept)


@deed("own", "GET", "POST")
def protocol(request: HttpRequest) -> HttpResponseBase:
    """The card for a contact: each tick is a moment, and the time that was said is a promise."""
    if request.method == "POST":
        id_ = _card(request, [name for name, _label in CARD if request.POST.get(name)])
        messages.success(request, _("Saved."))
        return redirect("entry", id_)
    return render(request, "protocol.html", {"card": CARD, "draft": uuid.uuid4()})


def _card(request: HttpRequest, ticked: Iterable[str]) -> uuid.UUID:
    """One entry of the contact with its ticks; with a time said, it is a promise."""
    ticks = list(ticked)
    labels = dict(CARD)
    when, text = request.POST.get("when", "").strip(), request.POST.get("text", "")
    customer = request.POST.get("customer", "")[:200].strip()
    promised = bool(when)
    if promised and "said_when" not in ticks:
        ticks.append("said_when")
    line = f"{'promise' if promised else 'asked'}: {text}{f' by {when}' if promised else ''}"
    one = captured(line, scope_of(request))
    if one.questions or not (one.text.strip() or ticks or customer):
        require_clear(one)
    facts = facts_of(one)
    facts |= {"ticks": [labels[one] for one in ticks], **({"customer": customer} if customer else {})}
    return book_of(request).write(facts, draft_of(request, line, *ticks)).id


@deed("own")
def promises(request: HttpRequest) -> HttpResponse:
    """The ledger: due, overdue, kept, late, broken, agreed anew."""
    now, scope, book = timezone.now(), scope_of(request), book_of(request)
    found = ledger(scope, book, now, closed=True)
    fates = [one.state.fate for one in found]
    counts = {fate: fates.count(fate) for fate in ("running", "overdue", "kept", "late", "broken")}
    anew = sum(one.state.renegotiated for one in found)
    shown = found if "all" in request.GET else found[:SHOWN]
    given = {
        "promises": shown,
        "more": len(found) - len(shown),
        "counts": counts,
        "anew": anew,
        "locked": not book.readable,
        "book": book,
        "draft": uuid.uuid4(),
    }
    return render(request, "promises.html", given)


@deed("own", "POST")
def settle(request: HttpRequest, where: str, id_: uuid.UUID) -> HttpResponseBase:
    """A promise was kept, will not be, or another due time was agreed."""
    word = request.POST.get("word", "")
    if word not in ("kept", "broken", "renegotiated"):
        raise Http404
    scope = scope_of(request)
    one = captured(f"{word}: {request.POST.get('line', '')}", scope)
    if one.questions:
        messages.error(request, " ".join(part for question in one.questions for part in (question.what, question.do)))
        return redirect("promises")
    if word == "renegotiated" and one.due is None:
        messages.error(request, _("No new due time was understood. Write it as: Fri 14:00"))
        return redirect("promises")
    if where == "journal":
        book, page = _page(request, id_)
        kept = {
            "text": page.facts.get("text", ""),
            "customer": page.facts.get("customer", ""),
            "service": page.facts.get("service", ""),
        }
        facts = {**facts_of(one), **({} if one.text else kept), "line": f"{word}: {one.text or page.words}"}
        book.write(facts, draft_of(request, id_, one.line), page.entry.thread)
    else:
        _settle_shared(scope, id_, one, draft_of(request, id_, one.line))
    messages.success(request, _("Saved."))
    return redirect("promises")


def _settle_shared(scope: Scope, id_: uuid.UUID, one: Captured, draft: uuid.UUID) -> None:
    row: Shared | None = scope.mine().filter(id=id_, word="promise").first()
    if row is None:
        raise Http404
    about = {"customer": row.customer.name if row.customer else "", "service": row.service}
    facts = {**facts_of(one), **about, "text": sharing.clean(one.text)}
    sharing.share(scope.person, facts, timezone.now(), row.audience, row.thread, draft)


@deed(OPEN)
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """One's own promises as a calendar; its secret address is the key, and opens nothing else."""
    person = Person.objects.filter(feed=digest_of(token), is_active=True).exclude(feed="").first() if token else None
    if person is None:
        raise Http404
    now = timezone.now()
    book = Book(person.pk, settings.SECRET_KEY.encode())
    book.unlock_by_feed(token)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//wellserved//promises//EN", "CALSCALE:GREGORIAN"]
    for one in ledger(Scope(person), book, now):
        if one.mine and one.state.due:
            lines += _event(one, now)
    body = "\r\n".join([*(folded for line in lines for folded in _folded(line)), "END:VCALENDAR", ""])
    return HttpResponse(body, content_type="text/calendar; charset=utf-8")


def _event(one: Promise, now: datetime) -> list[str]:
    """A promise as a to-do's due time (RFC 5545, 3.6.1)."""
    assert one.state.due is not None
    due = one.state.due.astimezone(UTC)
    words = " ".join(part for part in (one.customer, one.text) if part)
    said = words.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\r", "").replace("\n", "\\n")
    stamp = "%Y%m%dT%H%M%SZ"
    return ["BEGIN:VEVENT", f"UID:{one.id}@wellserved", f"DTSTAMP:{now.astimezone(UTC):{stamp}}",
            f"DTSTART:{due - timedelta(minutes=15):{stamp}}", f"DTEND:{due:{stamp}}", f"SUMMARY:{said}", "END:VEVENT"]  # fmt: skip


def _folded(line: str) -> list[str]:
    """At most 75 octets a line, the rest on lines that begin with a blank (RFC 5545, 3.1)."""
    parts, part = [], ""
    for letter in line:
        if len((part + letter).encode()) > 74:
            parts.append(part)
            part = " "
        part += letter
    return [*parts, part]

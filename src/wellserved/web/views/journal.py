"""What a person does every day: today, the journal, the card for a contact, promises."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import sharing
from wellserved.actions.customer_worth import visible_worths
from wellserved.actions.promise_ledger import ledger
from wellserved.actions.writing import (
    capture_line,
    find_open_matters,
    line_time,
    matters_to_join,
    record_line,
    require_clear,
)
from wellserved.capture import ENTRY_WORDS, MAX_ENTRY_LETTERS, CapturedLine, captured_facts
from wellserved.capture.sentence import propose_for
from wellserved.errors import WellservedError
from wellserved.journal.handle import DecryptedEntry, Journal, line_facts
from wellserved.moments import EARLIEST_DATE, LATEST_DATE
from wellserved.store.access import AccessScope, has_permission
from wellserved.store.models import Audience, Shared
from wellserved.web.access_middleware import journal_of, person_of, required_permission, scope_of
from wellserved.web.forms import EntryForm, ShareForm
from wellserved.web.views.overview import can_count, news_context, numbers_context

MAX_PROMISES_SHOWN, MAX_DUE_PROMISES = 20, 10  # promises of the ledger and of Today, the most urgent first
MAX_SEARCH_LETTERS = 100
USUAL_WORDS = ("missed", "promise", "complaint", "thanks")  # offered after those that a sentence may be as well
MAX_OTHER_WORDS = 4
CARD = (
    ("acknowledged", "Acknowledged the request"),
    ("said_what", "Said what will be done"),
    ("said_when", "Said how long it takes"),
    ("explained", "Explained the process"),
    ("thanked", "Thanked"),
)


@required_permission("own")
def today(request: HttpRequest) -> HttpResponse:
    """What to keep in mind today: promises, failures that wait, what customers said."""
    now, scope, journal = timezone.now(), scope_of(request), journal_of(request)
    end_of_day = timezone.localtime(now).replace(hour=23, minute=59, second=59)
    promises = ledger(scope, journal, now)
    due_promises = [promise for promise in promises if promise.state.due and promise.state.due <= end_of_day][
        :MAX_DUE_PROMISES
    ]
    shared_rows = (
        scope.visible_moments()
        .select_related(None)
        .select_related("customer")
        .only("text", "word", "at", "begun_by", "customer__name")
    )
    missed_rows = shared_rows.filter(open=True, word="missed")[:5]
    feedback_rows = shared_rows.filter(word__in=("complaint", "thanks"), at__gte=now - timedelta(days=7))[:5]
    context = {
        "promises": due_promises, "worths": visible_worths(scope, [promise.customer for promise in due_promises]), "later": len(promises) - len(due_promises), "waiting": missed_rows, "said": feedback_rows,
        "helps": scope.help_mentions().filter(confirmed=None), "locked": not journal.is_readable, "book": journal, "draft": uuid.uuid4(), "waits": can_count(scope),
        "recent": journal.latest(3) if journal.is_readable else [],
        "line": request.GET.get("line", "")[:MAX_ENTRY_LETTERS],  # what a phone's share sheet hands over
    }  # fmt: skip
    context |= news_context(scope)
    context |= (
        numbers_context(scope, wait=False)
        if context["waits"]
        else {"new": has_permission(scope.person, "read_measures")}
    )
    return render(request, "today.html", context)


@required_permission("own", "GET", "POST")
def journal(request: HttpRequest) -> HttpResponseBase:
    """One's own entries, and the line that writes the next one."""
    scope, journal = scope_of(request), journal_of(request)
    if request.method == "POST":
        return _write_line(request, scope, journal)
    word = request.GET.get("word", "")
    known_word = word if word in ENTRY_WORDS else ""
    pages = journal.latest(30, _page_position(request), known_word) if journal.is_readable else []
    last = pages[-1].entry if len(pages) == 30 else None
    return render(request, "journal.html", {**_journal_context(journal, pages, word), "last": last})


@required_permission("own", "POST")
def search_journal(request: HttpRequest) -> HttpResponse:
    """One's own entries that hold a text; by POST, so that the words stand in no address and no log."""
    journal, word = journal_of(request), request.POST.get("word", "")
    text = request.POST.get("q", "").strip()[:MAX_SEARCH_LETTERS]
    pages, has_all = (
        journal.search(text, word if word in ENTRY_WORDS else "") if journal.is_readable and text else ([], True)
    )
    context = {**_journal_context(journal, pages, word), "q": text, "has_all": has_all}
    return render(request, "journal.html", context)


def _journal_context(journal: Journal, pages: list[DecryptedEntry], word: str) -> dict[str, Any]:
    return {
        "pages": pages, "words": ENTRY_WORDS, "word": word, "locked": not journal.is_readable, "book": journal, "draft": uuid.uuid4(), "has_all": True,
    }  # fmt: skip


def _page_position(request: HttpRequest) -> tuple[datetime, uuid.UUID] | None:
    """Where the last page ended."""
    try:
        position = datetime.fromisoformat(request.GET["before"].replace(" ", "+")), uuid.UUID(request.GET["id"])
    except (KeyError, ValueError):
        return None
    return position if position[0].tzinfo and EARLIEST_DATE.year <= position[0].year <= LATEST_DATE.year else None


def _write_line(request: HttpRequest, scope: AccessScope, journal: Journal) -> HttpResponseBase:
    """Save a line, or show first what it was understood to say."""
    line = request.POST.get("line", "")
    if not line.strip():
        return redirect("journal")
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    try:
        captured_line = capture_line(line, scope, journal)
        if request.POST.get("do") == "look" or (captured_line.questions and not wants_json):
            context = {
                "line": line,
                "one": captured_line,
                **_line_context(captured_line, scope, journal),
                "draft": request.POST.get("draft", ""),
            }
            return render(request, "understood.html", context)
        open_matters = find_open_matters(captured_line, journal)
        entry = record_line(captured_line, journal, open_matters, draft_of(request, line)).id
    except WellservedError as error:
        if not wants_json:
            raise
        return JsonResponse({"what": error.problem, "do": error.remedy}, status=422)
    if wants_json:
        return JsonResponse({"saved": str(entry)})
    messages.success(request, _("Saved."))
    return redirect("entry", entry)


def draft_of(request: HttpRequest, *content: object) -> uuid.UUID:
    """The id of what is sent: from the form's own and what it says, so that twice is once and other words are another."""
    try:
        form = uuid.UUID(request.POST.get("draft", ""))
    except ValueError:
        form = uuid.uuid4()
    return uuid.uuid5(form, "\n".join(map(str, content)))


def _line_context(captured_line: CapturedLine, scope: AccessScope, journal: Journal) -> dict[str, Any]:
    """What is known beside a line: how often it happened, what the customer is worth."""
    repeats = 0
    if captured_line.word == "missed" and (captured_line.cause or captured_line.customer) and journal.is_readable:
        repeats = journal.count_repeats(captured_line.cause or "", captured_line.customer or "", timezone.now())
    worth = visible_worths(scope, [captured_line.customer]).get(captured_line.customer or "")
    open_matters = find_open_matters(captured_line, journal)
    is_loose = (
        captured_line.word in ("kept", "broken", "renegotiated") and journal.is_readable and len(open_matters) != 1
    )
    proposal = propose_for(captured_line)
    has_hint = proposal is None and captured_line.word == "note" and "promise" in captured_line.text.casefold()
    likely_words = [*dict.fromkeys((*proposal.other_words, *USUAL_WORDS))][:MAX_OTHER_WORDS] if proposal else []
    other_words = [word for word in likely_words if proposal and word != proposal.word]
    return {"proposal": proposal, "other_words": other_words, "shown": captured_facts(captured_line), "repeats": repeats, "worth": worth, "about": open_matters, "loose": is_loose,
            "hint": has_hint, "questions": _open_questions(captured_line)}  # fmt: skip


def _open_questions(captured_line: CapturedLine) -> list[tuple[str, list[tuple[str, str]]]]:
    """What of a line is not clear: how it is written, and each reading with the line that says it clearly."""
    head = captured_line.line[: len(captured_line.line) - len(captured_line.text)]
    return [
        (
            question.passage,
            [(reading, head + question.apply_reading(captured_line.text, reading)) for reading in question.readings],
        )
        for question in captured_line.questions
    ]


@required_permission("own", "POST")
def line_preview(request: HttpRequest) -> HttpResponse:
    """What a line says so far, shown while it is typed."""
    scope, journal = scope_of(request), journal_of(request)
    captured_line = capture_line(request.POST.get("line", ""), scope, journal)
    return render(request, "shown.html", {"one": captured_line, **_line_context(captured_line, scope, journal)})


def _own_page(request: HttpRequest, id_: uuid.UUID) -> tuple[Journal, DecryptedEntry]:
    """An entry of one's own, opened; Http404 for everybody else's."""
    journal = journal_of(request)
    entry = journal.entry(id_)
    if entry is None:
        raise Http404
    return journal, journal.decrypt([entry])[0]


@required_permission("own", "GET", "POST")
def entry(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """One entry: read, changed, gone on with."""
    journal, page = _own_page(request, id_)
    form = None
    if request.method == "POST" or "change" in request.GET:
        form = EntryForm(request.POST or None, initial=EntryForm.initial_values(page.facts, page.entry.at))
    if request.method == "POST" and form and form.is_valid():
        other_facts = {
            name: value for name, value in page.facts.items() if name != "line"
        }  # which would still say the old
        journal.rewrite(page.entry, {**other_facts, **form.facts()}, form.cleaned_data["at"])
        messages.success(request, _("Saved."))
        return redirect("entry", id_)
    thread = [thread_page for thread_page in journal.thread(page.entry.thread) if thread_page.entry.id != id_]
    line_context = _line_context(
        CapturedLine("", page.entry.word, customer=page.facts.get("customer")), scope_of(request), journal
    )
    is_loose = page.entry.thread == page.entry.id and not thread
    return render(
        request,
        "entry.html",
        {
            "page": page,
            "form": form,
            "thread": thread,
            "worth": line_context["worth"],
            "about": matters_to_join(page.entry.word, journal) if is_loose else [],
            "draft": uuid.uuid4(),
            "facts": _page_facts(page),
        },
    )


_FACT_NAMES = ("customer", "service", "expected", "score", "scale", "rating", "severity", "cause", "hours", "amount", "currency", "returns", "returns_saved", "giver", "people", "ticks")  # fmt: skip


def _page_facts(page: DecryptedEntry) -> list[tuple[str, object]]:
    """What is known of an entry beside its words."""
    return [(name, value) for name in _FACT_NAMES if (value := page.facts.get(name)) not in (None, "", [], ())]


@required_permission("own", "GET", "POST")
def new_entry(request: HttpRequest) -> HttpResponseBase:
    """The form for those who prefer one to the line."""
    form = EntryForm(request.POST or None, initial={"at": timezone.now()})
    if request.method == "POST" and form.is_valid():
        facts = form.facts()
        entry = journal_of(request).write(facts, draft_of(request, facts), at=form.cleaned_data["at"])
        messages.success(request, _("Saved."))
        return redirect("entry", entry.id)
    return render(
        request, "form.html", {"form": form, "title": _("New entry"), "back": "journal", "draft": uuid.uuid4()}
    )


@required_permission("own", "POST")
def erase(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """Remove an entry for good."""
    journal, page = _own_page(request, id_)
    journal.erase(page.entry)
    messages.success(request, _("Erased."))
    return redirect("journal")


@required_permission("own", "POST")
def follow_up(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """A further line to the same matter: what the customer answered, kept, made right."""
    journal, page = _own_page(request, id_)
    word, line = request.POST.get("word", "note"), request.POST.get("line", "")
    captured_line = capture_line(f"{word}: {line}" if word in ENTRY_WORDS else line, scope_of(request))
    require_clear(captured_line, has_matter=True)
    journal.write(
        line_facts(captured_line), draft_of(request, id_, word, line), page.entry.thread, line_time(captured_line)
    )
    messages.success(request, _("Saved."))
    return redirect("entry", id_)


@required_permission("own", "POST")
def join(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """Say to which open matter an entry belongs that stands by itself."""
    journal, page = _own_page(request, id_)
    open_matters = {str(open_page.entry.id): open_page for open_page in matters_to_join(page.entry.word, journal)}
    matter = open_matters.get(request.POST.get("matter", ""))
    if matter is None or page.entry.thread != page.entry.id:
        raise Http404
    journal.join_thread(page.entry, matter.entry.thread)
    messages.success(request, _("Saved."))
    return redirect("entry", id_)


@required_permission("share", "GET", "POST")
def share(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """Make the copy that others may see; it is edited first, and can be changed and withdrawn."""
    journal, page = _own_page(request, id_)
    words = sharing.readable_lines(str(page.facts.get("text", "")))
    initial = {**EntryForm.initial_values(page.facts, page.entry.at), "audience": Audience.team, "text": words}
    form = ShareForm(request.POST or None, initial=initial)
    form.carry(sharing.shared_follow_ups(journal, page))
    if request.method == "POST" and form.is_valid():
        facts, words = form.facts(), form.cleaned_data["text"]
        people = {*capture_line(words, scope_of(request)).people, *sharing.names_in_text(words, page)}
        facts |= {"word": page.entry.word, "people": sorted(people), "text": sharing.readable_lines(words)}
        audience = form.cleaned_data["audience"]
        shared_copy = sharing.share_entry(journal, person_of(request), page, facts, audience, form.answers())
        messages.success(request, _("Shared. You can change or withdraw it at any time."))
        return redirect("shared", shared_copy.id)
    return render(
        request, "share.html", {"form": form, "page": page, "carries": len(form.fields) > len(form.base_fields)}
    )


@required_permission("own")
def export_journal(request: HttpRequest) -> HttpResponseBase:
    """The whole journal, for its owner."""
    journal = journal_of(request)
    lines = (json.dumps(facts, ensure_ascii=False) + "\n" for facts in journal.export_entries())
    headers = {"Content-Disposition": 'attachment; filename="journal.jsonl"'}
    return StreamingHttpResponse(lines, content_type="application/x-ndjson", headers=headers)


@required_permission("own", "GET", "POST")
def protocol(request: HttpRequest) -> HttpResponseBase:
    """The card for a contact: each tick is a moment, and the time that was said is a promise."""
    if request.method == "POST":
        id_ = _write_card(request, [name for name, _label in CARD if request.POST.get(name)])
        messages.success(request, _("Saved."))
        return redirect("entry", id_)
    return render(request, "protocol.html", {"card": CARD, "draft": uuid.uuid4()})


def _write_card(request: HttpRequest, ticked_names: Iterable[str]) -> uuid.UUID:
    """One entry of the contact with its ticks; with a time said, it is a promise."""
    ticks = list(ticked_names)
    labels = dict(CARD)
    due_text, text = request.POST.get("when", "").strip(), request.POST.get("text", "")
    customer = request.POST.get("customer", "")[:200].strip()
    is_promise = bool(due_text)
    if is_promise and "said_when" not in ticks:
        ticks.append("said_when")
    line = f"{'promise' if is_promise else 'asked'}: {text}{f' by {due_text}' if is_promise else ''}"
    captured_line = capture_line(line, scope_of(request))
    if captured_line.questions or not (captured_line.text.strip() or ticks or customer):
        require_clear(captured_line)
    facts = line_facts(captured_line)
    facts |= {"ticks": [labels[tick] for tick in ticks], **({"customer": customer} if customer else {})}
    return journal_of(request).write(facts, draft_of(request, line, *ticks)).id


@required_permission("own")
def promises(request: HttpRequest) -> HttpResponse:
    """The ledger: due, overdue, kept, late, broken, agreed anew."""
    now, scope, journal = timezone.now(), scope_of(request), journal_of(request)
    all_promises = ledger(scope, journal, now, with_closed=True)
    fates = [promise.state.fate for promise in all_promises]
    counts = {fate: fates.count(fate) for fate in ("running", "overdue", "kept", "late", "broken")}
    renegotiation_count = sum(promise.state.renegotiated for promise in all_promises)
    shown_promises = all_promises if "all" in request.GET else all_promises[:MAX_PROMISES_SHOWN]
    context = {
        "promises": shown_promises,
        "worths": visible_worths(scope, [promise.customer for promise in shown_promises]),
        "more": len(all_promises) - len(shown_promises),
        "counts": counts,
        "anew": renegotiation_count,
        "locked": not journal.is_readable,
        "book": journal,
        "draft": uuid.uuid4(),
    }
    return render(request, "promises.html", context)


@required_permission("own", "POST")
def update_promise(request: HttpRequest, where: str, id_: uuid.UUID) -> HttpResponseBase:
    """A promise was kept, will not be, or another due time was agreed."""
    word = request.POST.get("word", "")
    if word not in ("kept", "broken", "renegotiated"):
        raise Http404
    scope = scope_of(request)
    captured_line = capture_line(f"{word}: {request.POST.get('line', '')}", scope)
    if captured_line.questions:
        messages.error(
            request,
            " ".join(sentence for question in captured_line.questions for sentence in (question.what, question.do)),
        )
        return redirect("promises")
    if word == "renegotiated" and captured_line.due is None:
        messages.error(request, _("No new due time was understood. Write it as: Fri 14:00"))
        return redirect("promises")
    if where == "journal":
        journal, page = _own_page(request, id_)
        promise_facts = {
            "text": page.facts.get("text", ""),
            "customer": page.facts.get("customer", ""),
            "service": page.facts.get("service", ""),
        }
        facts = {
            **line_facts(captured_line),
            **({} if captured_line.text else promise_facts),
            "line": f"{word}: {captured_line.text or page.words}",
        }
        journal.write(facts, draft_of(request, id_, captured_line.line), page.entry.thread)
    else:
        _update_shared_promise(scope, id_, captured_line, draft_of(request, id_, captured_line.line))
    messages.success(request, _("Saved."))
    return redirect("promises")


def _update_shared_promise(scope: AccessScope, id_: uuid.UUID, captured_line: CapturedLine, draft: uuid.UUID) -> None:
    row: Shared | None = scope.own_moments().filter(id=id_, word="promise").first()
    if row is None:
        raise Http404
    promise_facts = {"customer": row.customer.name if row.customer else "", "service": row.service}
    facts = {**line_facts(captured_line), **promise_facts, "text": sharing.readable_lines(captured_line.text)}
    sharing.share(scope.person, facts, timezone.now(), row.audience, row.thread, draft)

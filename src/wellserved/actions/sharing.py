"""From the journal to the team: share a copy, change it, withdraw it; and from the store into the log of moments."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from wellserved import cases
from wellserved.capture import ENTRY_WORDS, check_length, readable_text
from wellserved.capture.promise import (
    CLOSING_WORDS,
    PromiseMove,
    PromiseState,
    is_waiting,
    open_state_changes,
    promise_state,
)
from wellserved.engine import duckdb
from wellserved.errors import RequestError, WellservedError
from wellserved.journal.handle import DecryptedEntry, Journal
from wellserved.moments import JOURNAL_SOURCE
from wellserved.progress import no_progress
from wellserved.record import moment_columns_sql, with_identity
from wellserved.scales import BUILT_IN, Scale, Scales, keep_meaning, load_scales
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope
from wellserved.store.models import Audience, Customer, Helper, Person, Shared, Team

SHARED_FIELDS: Final = ("service", "channel", "text", "expected", "score", "scale", "cause", "severity", "hours", "amount",
               "currency", "returns", "returns_saved")  # fmt: skip
# What its author changes; the log's version is the worker's.
UPDATED_COLUMNS: Final = (*SHARED_FIELDS, "due", "audience", "customer", "changed", "pending", "withdrawn", "open")
MAX_MOMENTS_AT_ONCE: Final = 5_000  # moments that enter the log at once
_FOLLOW_UP_WORDS = (
    "note",
    "recovered",
    "met",
    "complaint",
    "gap",
    "thanks",
)  # a failure: answered, made right, accepted or not, rated
FOLLOW_UPS_OF_WORD: Final = {
    "promise": ("renegotiated", *CLOSING_WORDS["promise"]), "missed": _FOLLOW_UP_WORDS, "complaint": _FOLLOW_UP_WORDS,
}  # fmt: skip
"""Words of a matter -> words of what followed, which goes along when the matter is shared."""


def customer_named(raw_name: str) -> Customer | None:
    """The customer of this name, made where it is new; a duplicate leads to the one that it was merged into."""
    name = " ".join(raw_name.split())[:200]
    if not name:
        return None
    customer = Customer.objects.filter(name__iexact=name).select_related("merged_into").order_by("pk").first()
    return merge_target(customer) if customer else Customer.objects.get_or_create(name=name)[0]


def merge_target(customer: Customer) -> Customer:
    """The customer that a duplicate was merged into, or the customer itself."""
    seen_ids = {customer.pk}
    while customer.merged_into is not None and customer.merged_into.pk not in seen_ids:
        customer = customer.merged_into
        seen_ids.add(customer.pk)
    return customer


def is_shareable(word: str) -> bool:
    """A moment that others can be told; ideas, lessons and notes are shared in words alone, and count in no measure."""
    return word in ENTRY_WORDS and word != "self"


def share(
    author: Person, facts: dict[str, Any], at: datetime, audience: str = Audience.team, thread: uuid.UUID | None = None,
    id_: uuid.UUID | None = None,
) -> Shared:  # fmt: skip
    """Share a moment with one's team: what is given here is all that leaves the journal. The same id twice is one."""
    word = str(facts.get("word", ""))
    if not is_shareable(word):
        raise RequestError(f"{word or 'This'!r} cannot be shared.", f"Share one of {', '.join(ENTRY_WORDS)}; not self.")
    shared_moment = Shared(
        id=id_ or uuid.uuid4(), author=author, audience=audience, word=word, at=at, pending=bool(ENTRY_WORDS[word].kind)
    )
    shared_moment.thread = thread or shared_moment.id
    _set_fields(shared_moment, facts)
    with transaction.atomic():
        if id_ and (existing_moment := Shared.objects.filter(id=id_).first()) is not None:
            if existing_moment.author_id != author.pk:
                raise RequestError("Another moment has this id.", "Leave the id out, or use a fresh one.")
            return existing_moment
        shared_moment.team, shared_moment.begun_by = (
            _thread_origin(shared_moment.thread, author) if thread else (author.team, author)
        )
        shared_moment.customer = customer_named(str(facts.get("customer", "")))
        shared_moment.open = is_waiting(word, ())
        shared_moment.save(force_insert=True)
        if thread:
            update_open_flags(thread)
        if people := facts.get("people"):
            _name_helpers(shared_moment, people)
    return shared_moment


def _thread_origin(thread: uuid.UUID, author: Person) -> tuple[Team | None, Person]:
    """The team that a thread belongs to, and who began it; raises where it is one that the author cannot see."""
    if not Shared.objects.filter(thread=thread).exists():
        return author.team, author
    first_moment = (
        AccessScope(author)
        .visible_moments()
        .filter(thread=thread)
        .select_related("begun_by")
        .order_by("created")
        .first()
    )
    if first_moment is None:
        raise RequestError("There is no such thread.", "Leave it out, and a new one begins.")
    return first_moment.team, first_moment.begun_by


def _name_helpers(shared_moment: Shared, people: Iterable[str]) -> None:
    """Colleagues who are named in the words; each is asked whether they helped."""
    if shared_moment.team is None:
        return
    names = {name.casefold() for name in people}
    helpers = [
        person
        for person in Person.objects.filter(team=shared_moment.team, is_active=True)
        if person.username.casefold() in names
    ]
    Helper.objects.bulk_create(Helper(shared=shared_moment, person=person) for person in helpers)


def update_open_flags(thread: uuid.UUID) -> None:
    """What of a thread still waits for its end."""
    rows = Shared.objects.filter(thread=thread, withdrawn=None).values_list("pk", "word", "open")
    for pk, is_open in open_state_changes(rows):
        Shared.objects.filter(pk=pk).update(open=is_open)


def readable_lines(text: str) -> str:
    """Words for others, line by line without the marks that are meant for the product."""
    return "\n".join(readable_text(row) for row in text.splitlines())


def shared_follow_ups(journal: Journal, decrypted_entry: DecryptedEntry) -> list[DecryptedEntry]:
    """What goes along when an entry is shared: how a promise ended; what was answered to a failure, and what became of it."""
    words = FOLLOW_UPS_OF_WORD.get(decrypted_entry.entry.word, ())
    thread = journal.thread(decrypted_entry.entry.thread) if words else []
    return [
        follow_up
        for follow_up in thread
        if follow_up.entry.id != decrypted_entry.entry.id
        and follow_up.entry.word in words
        and not follow_up.entry.shared
    ]


def names_in_text(text: str, decrypted_entry: DecryptedEntry) -> tuple[str, ...]:
    """Colleagues whom the entry names and whose name still stands in the words that are shared."""
    people = [str(name) for name in decrypted_entry.facts.get("people", ())]
    return tuple(name for name in people if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE))


def share_entry(
    journal: Journal, author: Person, decrypted_entry: DecryptedEntry, facts: dict[str, Any], audience: str,
    answers: Mapping[uuid.UUID, str] | None = None,
) -> Shared:  # fmt: skip
    """Share an entry of the journal, as its author edited it; the entry itself stays as it is.

    What the journal holds together stays together. A promise takes along how it ended; a failure what the customer
    answered, whether it was made right and accepted, and how it was rated: with the words of `answers` (by entry) alone.
    """
    if decrypted_entry.entry.shared is not None:
        raise RequestError("This entry is shared already.", "Change or withdraw the shared copy.")
    thread_entries = journal.thread(decrypted_entry.entry.thread)
    thread_copy = Shared.objects.filter(
        id__in=[thread_entry.entry.shared for thread_entry in thread_entries if thread_entry.entry.shared],
        withdrawn=None,
    ).first()
    copy = _share_copy(journal, author, decrypted_entry, facts, audience, thread_copy.thread if thread_copy else None)
    for follow_up in shared_follow_ups(journal, decrypted_entry):
        text = (answers or {}).get(follow_up.entry.id, "")
        if follow_up.entry.word == "note" and not text.strip():
            continue  # an answer without its words says nothing
        follow_up_facts = {
            name: follow_up.facts.get(name)
            for name in ("due", "score", "scale", "expected")
            if follow_up.facts.get("scale") or name == "due"
        }
        matter_facts = {"customer": facts.get("customer"), "service": facts.get("service")}
        _share_copy(
            journal,
            author,
            follow_up,
            {"word": follow_up.entry.word, "text": readable_lines(text), **matter_facts, **follow_up_facts},
            audience,
            copy.thread,
        )
    return copy


def _share_copy(
    journal: Journal,
    author: Person,
    decrypted_entry: DecryptedEntry,
    facts: dict[str, Any],
    audience: str,
    thread: uuid.UUID | None,
) -> Shared:
    """The copy of an entry. Its id comes from the entry's, so that a kill between the two databases doubles nothing."""
    for number in range(1_000):
        id_ = uuid.uuid5(decrypted_entry.entry.id, str(number))
        if not Shared.objects.filter(id=id_).exclude(withdrawn=None).exists():
            break
    copy = share(author, facts, decrypted_entry.entry.at, audience, thread, id_)
    journal.mark_shared(decrypted_entry.entry, copy.id)
    return copy


def _set_fields(row: Shared, facts: dict[str, Any]) -> None:
    check_length(str(facts.get("text") or ""))
    for name in SHARED_FIELDS:
        value = facts.get(name)
        field = Shared._meta.get_field(name)
        numeric = field.get_internal_type() in ("FloatField", "PositiveIntegerField")
        if value in (None, ""):
            setattr(row, name, None if numeric else "")
        else:
            setattr(row, name, value if numeric else str(value)[: getattr(field, "max_length", None) or 4_000])
    due = facts.get("due")
    row.due = datetime.fromisoformat(due) if isinstance(due, str) and due else due or None
    if row.scale:
        _check_scores(row)


def _check_scores(row: Shared) -> None:
    """Raise where a score is not on its scale."""
    scales = load_scales(settings.WORKSPACE.folder)
    if row.scale not in scales:
        raise RequestError(f"There is no scale {row.scale!r}.", f"Name one of {', '.join(scales)}.")
    scale = scales[row.scale]
    for score in (row.score, row.expected):
        if score is not None and not scale.has_score(float(score)):
            raise RequestError(
                f"{score:g} is not on the scale {row.scale}.", f"It runs from {scale.span} in {scale.steps}."
            )


def change_copy(row: Shared, facts: dict[str, Any], audience: str) -> None:
    """Change one's shared copy; what counts in measures follows at the next writing of the log."""
    _set_fields(row, {**facts, "text": readable_lines(str(facts.get("text") or ""))})
    row.audience, row.changed = audience, timezone.now()
    row.customer = customer_named(str(facts.get("customer", "")))
    row.pending = bool(ENTRY_WORDS[row.word].kind)
    row.save(update_fields=UPDATED_COLUMNS)


def withdraw_copy(row: Shared) -> None:
    """Take a shared copy back: its words are gone at once, its number from the measures at the next writing of the log."""
    now = timezone.now()
    _set_fields(row, {})
    row.withdrawn, row.changed, row.customer, row.open = now, now, None, False
    row.pending = bool(ENTRY_WORDS[row.word].kind)  # what never came into the log does not come into it now
    with transaction.atomic():
        row.helpers.all().delete()
        row.save(update_fields=UPDATED_COLUMNS)
        update_open_flags(row.thread)


def mark_pending(customers: Iterable[Customer]) -> None:
    """Customers were merged, parted or renamed: what was shared about them is written into the log anew."""
    Shared.objects.filter(customer__in=list(customers), withdrawn=None).update(pending=True, changed=timezone.now())


def visible_promises(
    scope: AccessScope, now: datetime, closed_since: datetime | None = None
) -> list[tuple[Shared, PromiseState]]:
    """Shared promises that somebody can see: those that run, and those made since a day that have ended, with their state."""
    shared_promises = (
        scope.visible_moments().select_related(None).select_related("author", "customer").filter(word="promise")
    )
    rows = list(shared_promises.filter(open=True)[:500])
    if closed_since:
        rows += list(shared_promises.filter(open=False, at__gte=closed_since)[:500])
    moves: dict[uuid.UUID, list[PromiseMove]] = {row.thread: [] for row in rows}
    for thread, at, word, due in Shared.objects.filter(thread__in=moves, withdrawn=None).values_list(
        "thread", "at", "word", "due"
    ):
        moves[thread].append((at, word, due))
    return [(row, promise_state(moves[row.thread], now)) for row in rows]


def write_pending(workspace: Workspace, now: datetime | None = None) -> int:
    """Write shared moments into the log and fold their cases; returns how many. A kill at any moment repeats, and doubles nothing.

    Where own scales cannot be relied on, ratings on them wait; it raises why, once nothing else waits.
    """
    scales, error = _scales(workspace)
    pending_rows = Shared.objects.filter(pending=True)
    waiting_rows = list(
        (pending_rows.filter(scale__in=("", *scales)) if error else pending_rows)
        .select_related("customer__account", "customer__merged_into__account", "team")
        .order_by("created")[:MAX_MOMENTS_AT_ONCE]
    )
    if not waiting_rows:
        if error and pending_rows.exists():
            raise error
        return 0
    moments = [moment for row in waiting_rows for moment in _log_rows(row)]
    recorded_at = now or datetime.now(UTC)
    version: int | None = None
    if moments:
        with workspace.write_lock() as scratch:
            db = duckdb.connect(workspace.log, scratch=scratch)
            db.register("given", pa.Table.from_pylist(moments, schema=_SCHEMA))
            select_sql = f"SELECT {moment_columns_sql({name: f'g.{duckdb.quote_name(name)}' for name in _SCHEMA.names})} FROM given g"
            db.execute(
                f"CREATE TEMP TABLE batch AS {with_identity(select_sql, JOURNAL_SOURCE, recorded_at, JOURNAL_SOURCE)}"
            )
            keep_meaning(workspace.folder, scratch, _scales_of(scales, moments))
            version = log.append(db, workspace, "batch", False, JOURNAL_SOURCE).version
            db.close()
            cases.refresh(workspace, scratch, no_progress)
    _mark_written(waiting_rows, version)
    return len(waiting_rows)


def _scales(workspace: Workspace) -> tuple[Scales, WellservedError | None]:
    """The scales that can be relied on, and why the workspace's own are not among them."""
    try:
        return load_scales(workspace.folder), None
    except WellservedError as error:
        return BUILT_IN, error


def _scales_of(scales: Scales, moments: Sequence[dict[str, Any]]) -> list[Scale]:
    """The scales of the ratings among these moments."""
    names = {moment["scale"] for moment in moments}
    return [scale for name, scale in scales.items() if name in names]


def _mark_written(rows: Sequence[Shared], version: int | None) -> None:
    """Remember which version holds them; what was changed meanwhile waits on."""
    with transaction.atomic():
        for row in rows:
            Shared.objects.filter(pk=row.pk, changed=row.changed).update(
                pending=False, log_version=row.log_version if version is None else version
            )


_SCHEMA = pa.schema([
    ("at", pa.timestamp("us", "UTC")), ("at_is", pa.string()), ("kind", pa.string()), ("case_id", pa.string()),
    ("customer_id", pa.string()), ("account_id", pa.string()), ("internal", pa.bool_()), ("team", pa.string()),
    ("channel", pa.string()), ("service", pa.string()), ("score", pa.float64()), ("scale", pa.string()),
    ("due", pa.timestamp("us", "UTC")), ("amount", pa.float64()), ("currency", pa.string()), ("cause", pa.string()),
    ("source_ref", pa.string()), ("source_row", pa.int64()), ("content", pa.int64()),
])  # fmt: skip


def _log_rows(row: Shared) -> Iterable[dict[str, Any]]:
    """A shared moment as the log holds it: no words, and nobody's name; who served is no fact of the journal's."""
    customer = merge_target(row.customer) if row.customer else None
    scores = {"rated": row.score, "expected": row.expected} if row.scale else {}
    for kind in {ENTRY_WORDS[row.word].kind: None, "rated": None, "expected": None}:
        score = scores.get(kind)
        is_withdrawn = row.withdrawn is not None or (kind in ("rated", "expected") and score is None)
        if not kind:
            continue
        yield {
            "at": row.at, "at_is": "withdrawn" if is_withdrawn else "time", "kind": kind, "case_id": str(row.thread),
            "customer_id": customer.name if customer else None,
            "account_id": customer.account.name if customer and customer.account else None,
            "internal": customer.internal if customer else None, "team": row.team.name if row.team else None,
            "channel": row.channel or None, "service": row.service or None, "score": score,
            "scale": row.scale if score is not None else None, "due": row.due if kind == "promised" else None,
            "amount": row.amount, "currency": row.currency or None, "cause": row.cause or None,
            "source_ref": str(row.id), "source_row": 0, "content": int(row.changed.timestamp() * 1_000_000),
        }  # fmt: skip

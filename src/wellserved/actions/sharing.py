"""From the journal to the team: share a copy, change it, withdraw it; and from the store into the log of moments."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
from django.db import transaction
from django.utils import timezone

from wellserved import cases, log
from wellserved.capture import WORDS
from wellserved.engine import duckdb
from wellserved.errors import RequestError
from wellserved.journal.book import CLOSES, OPENS, Book, Page
from wellserved.moments import SCALES
from wellserved.record import finished, own_columns
from wellserved.store.models import Audience, Customer, Helper, Person, Shared
from wellserved.workspace import Workspace

SOURCE: Final = "journal"  # of shared moments in the log
KEPT: Final = ("service", "channel", "text", "expected", "score", "scale", "cause", "severity", "hours", "amount",
               "currency", "returns", "returns_saved")  # fmt: skip
BATCH: Final = 5_000  # moments that enter the log at once


def customer_called(named: str, internal: bool = False) -> Customer | None:
    """The customer of this name, made where it is new; a duplicate leads to the one that it was merged into."""
    tidy = " ".join(named.split())[:200]
    if not tidy:
        return None
    found = Customer.objects.filter(name__iexact=tidy).order_by("pk").first()
    if found is None:
        found, _ = Customer.objects.get_or_create(name=tidy, defaults={"internal": internal})
    seen = {found.pk}
    while found.merged_into is not None and found.merged_into.pk not in seen:
        found = found.merged_into
        seen.add(found.pk)
    return found


def shareable(word: str) -> bool:
    """A moment that others can be told; ideas, lessons and notes are shared in words alone, and count in no measure."""
    return word in WORDS and word != "self"


def share(
    author: Person, facts: dict[str, Any], at: datetime, audience: str = Audience.team, thread: uuid.UUID | None = None,
    id_: uuid.UUID | None = None,
) -> Shared:  # fmt: skip
    """Share a moment with one's team: what is given here is all that leaves the journal. The same id twice is one."""
    word = str(facts.get("word", ""))
    if not shareable(word):
        raise RequestError(f"{word or 'This'!r} cannot be shared.", f"Share one of {', '.join(WORDS)}; not self.")
    made = Shared(
        id=id_ or uuid.uuid4(), author=author, team=author.team, audience=audience, word=word, at=at,
        open=word in OPENS, pending=bool(WORDS[word][0]),
    )  # fmt: skip
    made.thread = thread or made.id
    _fill(made, facts)
    with transaction.atomic():
        if (known := Shared.objects.filter(id=made.id).first()) is not None:
            if known.author_id != author.pk:
                raise RequestError("Another moment has this id.", "Leave the id out, or use a fresh one.")
            return known
        made.customer = customer_called(str(facts.get("customer", "")))
        made.save(force_insert=True)
        if thread and word in CLOSES:
            Shared.objects.filter(thread=thread, open=True).update(open=False)
        named = Person.objects.filter(username__in=facts.get("people", ()), team=author.team).exclude(team=None)
        Helper.objects.bulk_create(Helper(shared=made, person=one) for one in named)
    return made


def share_page(book: Book, author: Person, page: Page, facts: dict[str, Any], audience: str) -> Shared:
    """Share an entry of the journal, as its author edited it; the entry itself stays as it is."""
    if page.entry.shared is not None:
        raise RequestError("This entry is shared already.", "Change or withdraw the shared copy.")
    made = share(author, facts, page.entry.at, audience)
    page.entry.shared = made.id
    page.entry.save(update_fields=["shared"])
    return made


def _fill(row: Shared, facts: dict[str, Any]) -> None:
    for name in KEPT:
        value = facts.get(name)
        field = Shared._meta.get_field(name)
        numeric = field.get_internal_type() in ("FloatField", "PositiveIntegerField")
        if value in (None, ""):
            setattr(row, name, None if numeric else "")
        else:
            setattr(row, name, value if numeric else str(value)[: getattr(field, "max_length", None) or 4_000])
    due = facts.get("due")
    row.due = datetime.fromisoformat(due) if isinstance(due, str) and due else due or None
    if row.scale and row.scale not in SCALES:
        raise RequestError(f"There is no scale {row.scale!r}.", f"Name one of {', '.join(SCALES)}.")
    if row.scale:
        low, high, *_ = SCALES[row.scale]
        for score in (row.score, row.expected):
            if score is not None and not low <= float(score) <= high:
                raise RequestError(f"{score:g} is not on the scale {row.scale}.", f"It runs from {low:g} to {high:g}.")


def change(row: Shared, facts: dict[str, Any], audience: str) -> None:
    """Change one's shared copy; what counts in measures follows at the next writing of the log."""
    _fill(row, facts)
    row.audience, row.changed = audience, timezone.now()
    row.customer = customer_called(str(facts.get("customer", "")))
    row.pending = bool(WORDS[row.word][0])
    row.save()


def withdraw(row: Shared) -> None:
    """Take a shared copy back: its words are gone at once, its number from the measures at the next writing of the log."""
    now = timezone.now()
    logged = row.log_version is not None or row.pending
    _fill(row, {})
    row.withdrawn, row.changed, row.customer, row.open = now, now, None, False
    row.pending = logged and bool(WORDS[row.word][0])
    with transaction.atomic():
        row.helpers.all().delete()
        row.save()


def flush(workspace: Workspace, now: datetime | None = None) -> int:
    """Write shared moments into the log and fold their cases; returns how many. A kill at any moment repeats, and doubles nothing."""
    waiting = list(
        Shared.objects.filter(pending=True).select_related("customer__account", "team").order_by("created")[:BATCH]
    )
    if not waiting:
        return 0
    moments = [moment for row in waiting for moment in _moments(row)]
    stamp = now or datetime.now(UTC)
    version: int | None = None
    if moments:
        with workspace.writing() as scratch:
            db = duckdb.connect(workspace.log, scratch=scratch)
            db.register("given", pa.Table.from_pylist(moments, schema=_SCHEMA))
            rules = f"SELECT {own_columns({name: f'g.{duckdb.name(name)}' for name in _SCHEMA.names})} FROM given g"
            db.execute(f"CREATE TEMP TABLE batch AS {finished(rules, SOURCE, stamp, SOURCE)}")
            log.view(db, "logged", log.snapshot(workspace.log).files)
            db.execute(
                "DELETE FROM batch WHERE at_is = 'withdrawn' AND moment_id NOT IN (SELECT moment_id FROM logged)"
            )
            version = log.append(db, workspace, "batch", False, SOURCE).version
            db.close()
            cases.refresh(workspace, scratch, lambda *_: None)
    _written(waiting, version)
    return len(waiting)


def _written(rows: Sequence[Shared], version: int | None) -> None:
    """Remember which version holds them; what was changed meanwhile waits on."""
    with transaction.atomic():
        for row in rows:
            Shared.objects.filter(pk=row.pk, changed=row.changed).update(pending=False, log_version=version)


_SCHEMA = pa.schema([
    ("at", pa.timestamp("us", "UTC")), ("at_is", pa.string()), ("kind", pa.string()), ("case_id", pa.string()),
    ("customer_id", pa.string()), ("account_id", pa.string()), ("internal", pa.bool_()), ("team", pa.string()),
    ("channel", pa.string()), ("service", pa.string()), ("score", pa.float64()), ("scale", pa.string()),
    ("due", pa.timestamp("us", "UTC")), ("amount", pa.float64()), ("currency", pa.string()), ("cause", pa.string()),
    ("source_ref", pa.string()), ("source_row", pa.int64()), ("content", pa.int64()),
])  # fmt: skip


def _moments(row: Shared) -> Iterable[dict[str, Any]]:
    """A shared moment as the log holds it: no words, and nobody's name; who served is no fact of the journal's."""
    customer = row.customer
    scores = {"rated": row.score, "expected": row.expected} if row.scale else {}
    for kind in {WORDS[row.word][0]: None, "rated": None, "expected": None}:
        score = scores.get(kind)
        if not kind or (kind in ("rated", "expected") and score is None and not row.withdrawn):
            continue
        yield {
            "at": row.at, "at_is": "withdrawn" if row.withdrawn else "time", "kind": kind, "case_id": str(row.thread),
            "customer_id": customer.name if customer else None,
            "account_id": customer.account.name if customer and customer.account else None,
            "internal": customer.internal if customer else None, "team": row.team.name if row.team else None,
            "channel": row.channel or None, "service": row.service or None, "score": score,
            "scale": row.scale if score is not None else None, "due": row.due if kind == "promised" else None,
            "amount": row.amount, "currency": row.currency or None, "cause": row.cause or None,
            "source_ref": str(row.id), "source_row": 0, "content": int(row.changed.timestamp() * 1_000_000),
        }  # fmt: skip

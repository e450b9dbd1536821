"""One person's journal: written to, read, and taken along by its owner alone."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from wellserved.capture import Captured
from wellserved.capture.promise import CLOSED_BY, Fold, fold, turned
from wellserved.errors import RequestError
from wellserved.journal import vault
from wellserved.journal.models import Draft, Entry, Keyring


@dataclass(frozen=True)
class Page:
    """An entry that was opened."""

    entry: Entry
    facts: dict[str, Any]  # as `Captured`, instants as ISO 8601

    @property
    def words(self) -> str:
        """What was written, as it was typed where it was typed."""
        return str(self.facts.get("line") or self.facts.get("text") or "")

    @property
    def due(self) -> datetime | None:
        """When it was promised for."""
        said = self.facts.get("due")
        return datetime.fromisoformat(said) if said else None


def facts_of(one: Captured) -> dict[str, Any]:
    """What a line says, without what it does not say."""
    found = {name: value for name, value in asdict(one).items() if value not in (None, (), "")}
    for name, value in found.items():
        if isinstance(value, datetime):
            found[name] = value.astimezone(UTC).isoformat()
        elif isinstance(value, date):
            found[name] = value.isoformat()
    return found


def check_secret(secret: bytes) -> None:
    """Raise DamageError where the workspace's secret does not open a journal that is locked by it."""
    for ring in Keyring.objects.filter(passphrase=False)[:1]:
        locked = vault.Locked(bytes(ring.salt), bytes(ring.locked_key), bytes(ring.public))
        vault.unlock(locked, secret, passphrase=False)


class Book:
    """The handle on one journal. Without its key it can be written to and not read."""

    def __init__(self, owner: int, secret: bytes, key: bytes | None = None) -> None:
        self.owner = owner
        self._secret = secret
        self._ring = Keyring.objects.filter(owner=owner).first() or self._new_ring()
        if key is not None and vault.public_of(key) != bytes(self._ring.public):
            key = None  # somebody else's, or one from before the passphrase was set
        if key is None and not self._ring.passphrase:
            key = vault.unlock(self._locked, secret, passphrase=False)
        self._key = key

    def _new_ring(self) -> Keyring:
        made = vault.lock(vault.new_key(), self._secret, passphrase=False)
        kept = {"salt": made.salt, "locked_key": made.key, "public": made.public}
        return Keyring.objects.get_or_create(owner=self.owner, defaults=kept)[0]

    @property
    def _locked(self) -> vault.Locked:
        return vault.Locked(bytes(self._ring.salt), bytes(self._ring.locked_key), bytes(self._ring.public))

    @property
    def has_passphrase(self) -> bool:
        """A passphrase is set."""
        return self._ring.passphrase

    @property
    def readable(self) -> bool:
        """The key is at hand."""
        return self._key is not None

    def key_for(self, passphrase: str) -> bytes:
        """The key, for its owner to keep while they read."""
        return vault.unlock(self._locked, passphrase.encode(), passphrase=True)

    def set_passphrase(self, passphrase: str) -> None:
        """Seal everything by a new key, locked by the passphrase, or by none: older copies of the old key open no more."""
        key = vault.new_key()
        made = vault.lock(key, passphrase.encode() or self._secret, passphrase=bool(passphrase))
        with transaction.atomic("journal"):
            ring = Keyring.objects.select_for_update().get(owner=self.owner)
            for model, named in ((Entry, "id"), (Draft, "week")):
                for row in model.objects.filter(owner=self.owner).iterator():
                    place = self._place(getattr(row, named))
                    row.body = vault.seal(
                        key, made.public, place, vault.reveal(self._needed_key(), place, bytes(row.body))
                    )
                    row.save(update_fields=["body"])
            ring.salt, ring.locked_key, ring.public, ring.passphrase = (
                made.salt,
                made.key,
                made.public,
                bool(passphrase),
            )
            ring.save()
        self._ring, self._key = ring, key

    def _needed_key(self) -> bytes:
        if self._key is None:
            raise vault.LockedError
        return self._key

    def _place(self, name: object) -> bytes:
        return f"{self.owner}/{name}".encode()

    def _seal(self, name: object, facts: dict[str, Any]) -> bytes:
        words = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return vault.seal(self._key, bytes(self._ring.public), self._place(name), words)

    def _open(self, name: object, closed: bytes | memoryview) -> dict[str, Any]:
        words = vault.reveal(self._needed_key(), self._place(name), bytes(closed))
        found: dict[str, Any] = json.loads(words.decode())
        return found

    def write(
        self,
        facts: dict[str, Any],
        id_: uuid.UUID | None = None,
        thread: uuid.UUID | None = None,
        at: datetime | None = None,
    ) -> Entry:
        """Write an entry; the same id twice is one entry. `at`: when it happened."""
        now = timezone.now()
        id_ = id_ or uuid.uuid4()
        word = str(facts.get("word", "note"))
        made = {
            "owner": self.owner, "thread": thread or id_, "at": at or now, "word": word, "created": now,
            "open": word in CLOSED_BY, "body": self._seal(id_, facts),
        }  # fmt: skip
        with transaction.atomic("journal"):
            ring = Keyring.objects.select_for_update().filter(owner=self.owner).values_list("public", flat=True)
            if bytes(ring[0]) != bytes(self._ring.public):
                raise RequestError("Your passphrase was changed meanwhile.", "Send it again.")
            entry, new = Entry.objects.get_or_create(id=id_, defaults=made)
            if entry.owner != self.owner:
                raise vault.LockedError("This entry is not yours.")
            if new and thread:
                self._settle(thread)
        return entry

    def _settle(self, thread: uuid.UUID) -> None:
        """What of a thread still waits for its end."""
        rows = Entry.objects.filter(thread=thread).values_list("owner", "pk", "word", "open")
        for pk, open_ in turned(row[1:] for row in rows if row[0] == self.owner):
            Entry.objects.filter(pk=pk).update(open=open_)

    def rewrite(self, entry: Entry, facts: dict[str, Any], at: datetime | None = None) -> None:
        """Change an entry of one's own."""
        entry.body, entry.at = self._seal(entry.id, facts), at or entry.at
        entry.word = str(facts.get("word", entry.word))
        with transaction.atomic("journal"):
            entry.save(update_fields=["body", "at", "word"])
            self._settle(entry.thread)

    def erase(self, entry: Entry) -> None:
        """Remove an entry for good."""
        with transaction.atomic("journal"):
            entry.delete()
            self._settle(entry.thread)

    def shared_as(self, entry: Entry, copy: uuid.UUID) -> None:
        """Remember an entry's copy in the store."""
        entry.shared = copy
        entry.save(update_fields=["shared"])

    def unshared(self, copy: uuid.UUID) -> None:
        """The copy was withdrawn: the entry is private again, and can be shared anew."""
        Entry.objects.filter(owner=self.owner, shared=copy).update(shared=None)

    def entry(self, id_: uuid.UUID) -> Entry | None:
        """One's own entry of this id."""
        return Entry.objects.filter(owner=self.owner, id=id_).first()

    def read(self, entries: Iterable[Entry]) -> list[Page]:
        """Entries, opened."""
        return [Page(one, self._open(one.id, one.body)) for one in entries]

    def latest(self, many: int = 30, before: tuple[datetime, uuid.UUID] | None = None, word: str = "") -> list[Page]:
        """The newest entries, by when they happened; `before`: instant and id of the last one seen."""
        chosen = Entry.objects.filter(owner=self.owner).order_by("-at", "-id")
        if before:
            chosen = chosen.filter(Q(at__lt=before[0]) | Q(at=before[0], id__lt=before[1]))
        if word:
            chosen = chosen.filter(word=word)
        return self.read(chosen[:many])

    def between(self, start: datetime, end: datetime, word: str = "") -> list[Page]:
        """All entries of a span, oldest first."""
        chosen = Entry.objects.filter(owner=self.owner, at__gte=start, at__lt=end).order_by("at")
        return self.read(chosen.filter(word=word) if word else chosen)

    def count(self, start: datetime, end: datetime, word: str) -> int:
        """How many entries of a word a span holds, without opening them."""
        return Entry.objects.filter(owner=self.owner, word=word, at__gte=start, at__lt=end).count()

    def thread(self, thread: uuid.UUID) -> list[Page]:
        """What belongs together, oldest first."""
        return self.threads([thread]).get(thread, [])

    def threads(self, many: Iterable[uuid.UUID], word: str = "") -> dict[uuid.UUID, list[Page]]:
        """The same of several. Asked by thread alone: with owner and order, SQLite would walk the whole journal."""
        found: dict[uuid.UUID, list[Page]] = {}
        chosen = Entry.objects.filter(thread__in=set(many))
        rows = [one for one in (chosen.filter(word=word) if word else chosen) if one.owner == self.owner]
        for page in self.read(sorted(rows, key=lambda one: (one.at, one.created))):
            found.setdefault(page.entry.thread, []).append(page)
        return found

    def promises(self, now: datetime, closed_since: datetime | None = None) -> list[tuple[Page, Fold]]:
        """Open promises that are not shared (those are the store's), and those made since a day, with their fate."""
        mine = Entry.objects.filter(owner=self.owner, word="promise", shared=None).values_list("id", "thread")
        first = list(mine.filter(open=True)[:500])
        if closed_since:
            first += list(mine.filter(open=False, at__gte=closed_since).order_by("-at")[:500])
        threads = self.threads(thread for _id, thread in first)
        found = []
        for id_, thread in first:
            pages = threads[thread]
            state = fold(((page.entry.at, page.entry.word, page.due) for page in pages), now)
            found.append((next(page for page in pages if page.entry.id == id_), state))
        return found

    def repeats(self, cause: str, customer: str, now: datetime) -> int:
        """Failures of the last quarter with the same cause, or with the same customer."""
        failures = self.between(now - timedelta(days=92), now, "missed")
        same = [
            page
            for page in failures
            if (cause and page.facts.get("cause", "").casefold() == cause.casefold())
            or (customer and page.facts.get("customer", "").casefold() == customer.casefold())
        ]
        return len(same)

    def everything(self) -> Iterator[dict[str, Any]]:
        """The whole journal, to take along."""
        self._needed_key()  # before anything is sent
        return self._everything()

    def _everything(self) -> Iterator[dict[str, Any]]:
        for entry in Entry.objects.filter(owner=self.owner).order_by("at").iterator():
            opened = self._open(entry.id, entry.body)
            yield {"id": str(entry.id), "thread": str(entry.thread), "at": entry.at.isoformat(), **opened}

    def draft(self, week: str) -> str | None:
        """The week's report as it was left."""
        kept = Draft.objects.filter(owner=self.owner, week=week).first()
        return str(self._open(week, kept.body)["text"]) if kept else None

    def keep_draft(self, week: str, text: str) -> None:
        """Keep the week's report; empty: begin again from the product's draft."""
        if not text.strip():
            Draft.objects.filter(owner=self.owner, week=week).delete()
            return
        Draft.objects.update_or_create(owner=self.owner, week=week, defaults={"body": self._seal(week, {"text": text})})

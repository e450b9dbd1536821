"""One person's journal: written to, read, and taken along by its owner alone."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from wellserved.capture import CapturedLine
from wellserved.capture.promise import CLOSING_WORDS, PromiseState, open_state_changes, promise_state
from wellserved.errors import RequestError
from wellserved.journal import crypto, keys
from wellserved.journal.models import Draft, Entry, Keyring, PulseAnswer, Resume

MAX_SEARCHED = 5_000  # entries that a search opens, the newest first
MAX_HITS = 100
_RESUME = "resume"  # what its seal is bound to


@dataclass(frozen=True)
class DecryptedEntry:
    """An entry that was opened."""

    entry: Entry
    facts: dict[str, Any]  # as `CapturedLine`, instants as ISO 8601

    @property
    def words(self) -> str:
        """What was written, as it was typed where it was typed."""
        return str(self.facts.get("line") or self.facts.get("text") or "")

    @property
    def due(self) -> datetime | None:
        """When it was promised for."""
        due_text = self.facts.get("due")
        return datetime.fromisoformat(due_text) if due_text else None


def line_facts(captured_line: CapturedLine) -> dict[str, Any]:
    """What a line says, without what it does not say."""
    facts = {
        name: value
        for name, value in asdict(captured_line).items()
        if value not in (None, (), "") and name != "questions"
    }
    for name, value in facts.items():
        if isinstance(value, datetime):
            facts[name] = value.astimezone(UTC).isoformat()
        elif isinstance(value, date):
            facts[name] = value.isoformat()
    return facts


class Journal:
    """The handle on one journal. Without its key it can be written to and not read."""

    def __init__(self, owner: int, secret: bytes, key: bytes | None = None) -> None:
        self.owner = owner
        self._secret = secret
        self._ring = keys.keyring_of(owner, secret)
        if key is not None and crypto.public_key_of(key) != bytes(self._ring.public):
            key = None  # somebody else's, or one from before the key was changed
        self._key = key or keys.workspace_key(self._ring, secret)

    @property
    def has_passphrase(self) -> bool:
        """A passphrase is set; a password then opens nothing."""
        return keys.PASSPHRASE in self._ring.locks

    @property
    def has_recovery(self) -> bool:
        """There is a recovery code."""
        return keys.RECOVERY in self._ring.locks

    @property
    def by_workspace(self) -> bool:
        """The workspace's own secret opens it: nobody logged in yet who could lock it."""
        return keys.WORKSPACE_LOCK in self._ring.locks

    @property
    def is_readable(self) -> bool:
        """The key is at hand."""
        return self._key is not None

    @property
    def key(self) -> bytes | None:
        """The key, for its owner's session to keep while they read."""
        return self._key

    @property
    def closed(self) -> int:
        """How many entries of earlier volumes are closed."""
        if not self._ring.former:
            return 0
        return Entry.objects.filter(owner=self.owner).exclude(volume=self._ring.volume).count()

    def open_with_password(self, password: str, old_password: str = "") -> None:
        """Open by the password with which its owner just logged in, and see that it opens from now on.

        Where it does not open (it was reset), a new volume begins, and the present one stays closed. `old_password`: the owner
        changes their password, which was this one; nothing is closed then.
        """
        if self.has_passphrase:
            return
        volume = keys.present_volume(self._ring)
        key = keys.workspace_key(self._ring, self._secret) or volume.key_for(old_password or password, self._secret)
        if key is None:
            if not old_password:
                self.begin_volume(keys.PASSWORD, password)
            return
        self._key = key
        password_lock = volume.locks.get(keys.PASSWORD)
        if old_password or self.by_workspace or password_lock is None or password_lock["cost"] < crypto.SCRYPT_COST:
            self._add_lock(keys.PASSWORD, password)

    def _add_lock(self, kind: str, secret: str | bytes) -> None:
        """Another secret opens the same key; once it is one that its owner chose, the workspace's own does so no more."""
        new_lock = keys.lock_key(kind, self._needed_key(), secret)
        with transaction.atomic("journal"):
            ring = self._lock_keyring()
            ring.locks = {**ring.locks, kind: new_lock}
            if kind in keys.CHOSEN_SECRETS:
                ring.locks.pop(keys.WORKSPACE_LOCK, None)
                ring.proof = ""
            ring.save(update_fields=["locks", "proof"])
        self._ring = ring

    def _lock_keyring(self) -> Keyring:
        """The ring, held until the transaction ends; raises where its key is another by now."""
        ring = Keyring.objects.select_for_update().get(owner=self.owner)
        if bytes(ring.public) != bytes(self._ring.public):
            raise RequestError("Your journal's key was changed meanwhile.", "Send it again.")
        return ring

    def begin_volume(self, kind: str, secret: str | bytes) -> None:
        """Begin a new volume, opened by one secret. What the present one holds stays closed until it is unlocked."""
        key = crypto.generate_key()
        locks = {kind: keys.lock_key(kind, key, secret)}
        with transaction.atomic("journal"):
            ring = self._lock_keyring()
            volume_filter = {"owner": self.owner, "volume": ring.volume}
            if any(model.objects.filter(**volume_filter).exists() for model in (Entry, Draft, PulseAnswer, Resume)):
                ring.former = [*ring.former, asdict(keys.present_volume(ring))]
                ring.volume += 1
            ring.public, ring.locks, ring.proof = crypto.public_key_of(key), locks, ""
            ring.save()
        self._ring, self._key = ring, key

    def unlock(self, word: str) -> None:
        """Open by passphrase, password or recovery code; what earlier volumes it opens is brought back. LockedError: neither."""
        is_unlocked = False
        if self._key is None and (key := keys.present_volume(self._ring).key_for(word, self._secret)):
            self._key, is_unlocked = key, True
            passphrase_lock = self._ring.locks.get(keys.PASSPHRASE)
            if (
                passphrase_lock
                and passphrase_lock["cost"] < crypto.SCRYPT_COST
                and crypto.unlock_with_secret(keys.PASSPHRASE, passphrase_lock, word.encode())
            ):
                self._add_lock(keys.PASSPHRASE, word)
        for volume in keys.former_volumes(self._ring) if self._key else ():
            if key := volume.key_for(word, self._secret):
                self._restore_volume(volume, key)
                is_unlocked = True
        if not is_unlocked:
            raise crypto.LockedError("That does not open your journal.")

    def _restore_volume(self, volume: keys.Volume, old_key: bytes) -> None:
        """Seal what a closed volume holds by the present key; a week's two drafts become one."""
        with transaction.atomic("journal"):
            ring = self._lock_keyring()
            for week, body in Draft.objects.filter(owner=self.owner, volume=volume.number).values_list("week", "body"):
                if (newer_text := self.draft(week)) is not None:
                    older_text = json.loads(crypto.reveal(old_key, self._associated_data(week), bytes(body)).decode())[
                        "text"
                    ]
                    self.keep_draft(week, f"{newer_text}\n\n{older_text}")
                    Draft.objects.filter(owner=self.owner, volume=volume.number, week=week).delete()
            answered_weeks = PulseAnswer.objects.filter(owner=self.owner, volume=ring.volume).values_list(
                "week", flat=True
            )
            PulseAnswer.objects.filter(owner=self.owner, volume=volume.number, week__in=list(answered_weeks)).delete()
            self._restore_resume(volume.number, old_key)
            self._reseal(volume.number, old_key, self._needed_key(), bytes(ring.public), ring.volume)
            ring.former = [former_volume for former_volume in ring.former if former_volume["number"] != volume.number]
            for kind in (keys.FEED, keys.RECOVERY):  # made meanwhile, by whomever: they open none of it
                ring.locks.pop(kind, None)
            ring.save(update_fields=["former", "locks"])
        self._ring = ring

    def _restore_resume(self, volume: int, old_key: bytes) -> None:
        """Where there are two résumés, the newer one stays, with the older beside it."""
        older_row = Resume.objects.filter(owner=self.owner, volume=volume).first()
        newer = self._resumes()
        if older_row is None or not newer:
            return
        older = json.loads(crypto.reveal(old_key, self._associated_data(_RESUME), bytes(older_row.body)).decode())
        older_row.delete()
        self._keep_resumes([*newer, *older["documents"]])

    def _reseal(self, volume: int, old_key: bytes, key: bytes, public: bytes, new_volume: int) -> None:
        for model, name_field in ((Entry, "id"), (Draft, "week"), (PulseAnswer, "week"), (Resume, "")):
            for row in model.objects.filter(owner=self.owner, volume=volume).iterator():
                name = getattr(row, name_field) if name_field else _RESUME
                associated_data = self._associated_data(f"pulse-{name}" if model is PulseAnswer else name)
                row.body, row.volume = (
                    crypto.seal(key, public, associated_data, crypto.reveal(old_key, associated_data, bytes(row.body))),
                    new_volume,
                )
                row.save(update_fields=["body", "volume"])

    def rekey(self, kind: str, secret: str | bytes) -> None:
        """Seal everything by a new key that one secret alone opens: older copies of the old key open no more."""
        key = crypto.generate_key()
        public, locks = crypto.public_key_of(key), {kind: keys.lock_key(kind, key, secret)}
        with transaction.atomic("journal"):
            ring = self._lock_keyring()
            self._reseal(ring.volume, self._needed_key(), key, public, ring.volume)
            ring.public, ring.locks, ring.proof = public, locks, ""
            ring.save()
        self._ring, self._key = ring, key

    def new_recovery(self) -> str:
        """A recovery code that opens this journal, in place of the one before; it is shown once and kept nowhere."""
        code = keys.new_code()
        self._add_lock(keys.RECOVERY, keys.normalise_code(code))
        return code

    def lock_by_feed(self, token: str) -> None:
        """The secret address of a calendar opens it too, unless it has a passphrase."""
        if self.is_readable and not self.has_passphrase:
            self._add_lock(keys.FEED, token)

    def unlock_by_feed(self, token: str) -> None:
        """Open it for the calendar, where its address can."""
        if self._key is None and (feed_lock := self._ring.locks.get(keys.FEED)):
            self._key = crypto.unlock_with_secret(keys.FEED, feed_lock, token.encode())

    def _needed_key(self) -> bytes:
        if self._key is None:
            raise crypto.LockedError
        return self._key

    def _entries(self) -> QuerySet[Entry]:
        """The entries of the present volume."""
        return Entry.objects.filter(owner=self.owner, volume=self._ring.volume)

    def _associated_data(self, name: object) -> bytes:
        return f"{self.owner}/{name}".encode()

    def _seal(self, name: object, facts: dict[str, Any]) -> bytes:
        plaintext = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return crypto.seal(self._key, bytes(self._ring.public), self._associated_data(name), plaintext)

    def _decrypt(self, row: Entry | Draft | Resume | PulseAnswer, name: object) -> dict[str, Any]:
        if row.volume != self._ring.volume:
            raise crypto.LockedError("This was written before your password was set anew, and is closed.")
        plaintext = crypto.reveal(self._needed_key(), self._associated_data(name), bytes(row.body))
        facts: dict[str, Any] = json.loads(plaintext.decode())
        return facts

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
        defaults = {
            "owner": self.owner, "volume": self._ring.volume, "thread": thread or id_, "at": at or now, "word": word, "created": now,
            "open": word in CLOSING_WORDS, "body": self._seal(id_, facts),
        }  # fmt: skip
        with transaction.atomic("journal"):
            self._lock_keyring()
            entry, is_new = Entry.objects.get_or_create(id=id_, defaults=defaults)
            if entry.owner != self.owner:
                raise crypto.LockedError("This entry is not yours.")
            if is_new and thread:
                self._update_open_entries(thread)
        return entry

    def _update_open_entries(self, thread: uuid.UUID) -> None:
        """What of a thread still waits for its end."""
        rows = Entry.objects.filter(thread=thread).values_list("owner", "pk", "word", "open")
        for pk, is_open in open_state_changes(row[1:] for row in rows if row[0] == self.owner):
            Entry.objects.filter(pk=pk).update(open=is_open)

    def rewrite(self, entry: Entry, facts: dict[str, Any], at: datetime | None = None) -> None:
        """Change an entry of one's own."""
        entry.body, entry.at = self._seal(entry.id, facts), at or entry.at
        entry.word = str(facts.get("word", entry.word))
        with transaction.atomic("journal"):
            entry.save(update_fields=["body", "at", "word"])
            self._update_open_entries(entry.thread)

    def erase(self, entry: Entry) -> None:
        """Remove an entry for good."""
        with transaction.atomic("journal"):
            entry.delete()
            self._update_open_entries(entry.thread)

    def mark_shared(self, entry: Entry, copy: uuid.UUID) -> None:
        """Remember an entry's copy in the store."""
        entry.shared = copy
        entry.save(update_fields=["shared"])

    def mark_unshared(self, copy: uuid.UUID) -> None:
        """The copy was withdrawn: the entry is private again, and can be shared anew."""
        Entry.objects.filter(owner=self.owner, shared=copy).update(shared=None)

    def entry(self, id_: uuid.UUID) -> Entry | None:
        """One's own entry of this id."""
        return Entry.objects.filter(owner=self.owner, id=id_).first()

    def decrypt(self, entries: Iterable[Entry]) -> list[DecryptedEntry]:
        """Entries, opened."""
        return [DecryptedEntry(entry, self._decrypt(entry, entry.id)) for entry in entries]

    def latest(
        self, limit: int = 30, before: tuple[datetime, uuid.UUID] | None = None, word: str = ""
    ) -> list[DecryptedEntry]:
        """The newest entries, by when they happened; `before`: instant and id of the last one seen."""
        entries = self._entries().order_by("-at", "-id")
        if before:
            entries = entries.filter(Q(at__lt=before[0]) | Q(at=before[0], id__lt=before[1]))
        if word:
            entries = entries.filter(word=word)
        return self.decrypt(entries[:limit])

    def search(self, text: str, word: str = "") -> tuple[list[DecryptedEntry], bool]:
        """The newest entries that hold a text, whatever its case, in their words, customer, cause or marks; and whether all were
        looked through. Nothing of it is kept: the entries are opened one after the other, and closed again."""
        wanted, hits = text.casefold(), []
        entries = self._entries().order_by("-at", "-id")
        rows = list((entries.filter(word=word) if word else entries)[: MAX_SEARCHED + 1])
        for decrypted_entry in self.decrypt(rows[:MAX_SEARCHED]):
            facts = decrypted_entry.facts
            parts = (
                decrypted_entry.words,
                *(facts.get(name) or "" for name in ("customer", "cause", "case", "tags", "people")),
            )
            if any(wanted in str(part).casefold() for part in parts):
                hits.append(decrypted_entry)
        return hits[:MAX_HITS], len(rows) <= MAX_SEARCHED

    def entries_between(self, start: datetime, end: datetime, word: str = "") -> list[DecryptedEntry]:
        """All entries of a span, oldest first."""
        entries = self._entries().filter(at__gte=start, at__lt=end).order_by("at")
        return self.decrypt(entries.filter(word=word) if word else entries)

    def count_entries(self, start: datetime, end: datetime, word: str) -> int:
        """How many entries of a word a span holds, without opening them."""
        return self._entries().filter(word=word, at__gte=start, at__lt=end).count()

    def entry_times(self, start: datetime, end: datetime, words: Iterable[str]) -> list[tuple[str, datetime]]:
        """Word and time of the entries of a span, without opening them."""
        rows = self._entries().filter(word__in=list(words), at__gte=start, at__lt=end)
        return list(rows.values_list("word", "at"))

    def thread(self, thread: uuid.UUID) -> list[DecryptedEntry]:
        """What belongs together, oldest first."""
        return self.threads([thread]).get(thread, [])

    def threads(self, thread_ids: Iterable[uuid.UUID], word: str = "") -> dict[uuid.UUID, list[DecryptedEntry]]:
        """The entries of several threads, each oldest first. Asked by thread alone: with owner and order, SQLite would walk the whole journal."""
        entries_by_thread: dict[uuid.UUID, list[DecryptedEntry]] = {}
        entries = Entry.objects.filter(thread__in=set(thread_ids))
        rows = [
            entry
            for entry in (entries.filter(word=word) if word else entries)
            if (entry.owner, entry.volume) == (self.owner, self._ring.volume)
        ]
        for decrypted_entry in self.decrypt(sorted(rows, key=lambda entry: (entry.at, entry.created))):
            entries_by_thread.setdefault(decrypted_entry.entry.thread, []).append(decrypted_entry)
        return entries_by_thread

    def promises(
        self, now: datetime, closed_since: datetime | None = None
    ) -> list[tuple[DecryptedEntry, PromiseState]]:
        """Open promises that are not shared (those are the store's), and those made since a day, with their fate."""
        own_promises = self._entries().filter(word="promise", shared=None).values_list("id", "thread")
        first = list(own_promises.filter(open=True)[:500])
        if closed_since:
            first += list(own_promises.filter(open=False, at__gte=closed_since).order_by("-at")[:500])
        threads = self.threads(thread for _id, thread in first)
        states = []
        for id_, thread in first:
            thread_entries = threads[thread]
            state = promise_state(
                (
                    (decrypted_entry.entry.at, decrypted_entry.entry.word, decrypted_entry.due)
                    for decrypted_entry in thread_entries
                ),
                now,
            )
            states.append(
                (next(decrypted_entry for decrypted_entry in thread_entries if decrypted_entry.entry.id == id_), state)
            )
        return states

    def open_entries(self, words: Iterable[str]) -> list[DecryptedEntry]:
        """What waits for its end, of these words, newest first; a promise that is shared is settled where it is shared."""
        entries = self._entries().filter(word__in=list(words), open=True).order_by("-at")
        return self.decrypt(entries.exclude(word="promise", shared__isnull=False)[:500])

    def join_thread(self, entry: Entry, thread: uuid.UUID) -> None:
        """Say that an entry belongs to a matter of one's own."""
        with transaction.atomic("journal"):
            entry.thread = thread
            entry.save(update_fields=["thread"])
            self._update_open_entries(thread)

    def count_repeats(self, cause: str, customer: str, now: datetime) -> int:
        """Failures of the last quarter with the same cause, or with the same customer."""
        failures = self.entries_between(now - timedelta(days=92), now, "missed")
        repetitions = [
            decrypted_entry
            for decrypted_entry in failures
            if (cause and decrypted_entry.facts.get("cause", "").casefold() == cause.casefold())
            or (customer and decrypted_entry.facts.get("customer", "").casefold() == customer.casefold())
        ]
        return len(repetitions)

    def export_entries(self) -> Iterator[dict[str, Any]]:
        """The whole journal, to take along."""
        self._needed_key()  # before anything is sent
        return self._export_entries()

    def _export_entries(self) -> Iterator[dict[str, Any]]:
        for entry in self._entries().order_by("at").iterator():
            facts = self._decrypt(entry, entry.id)
            yield {"id": str(entry.id), "thread": str(entry.thread), "at": entry.at.isoformat(), **facts}

    def draft(self, week: str) -> str | None:
        """The week's report as it was left."""
        draft = Draft.objects.filter(owner=self.owner, volume=self._ring.volume, week=week).first()
        return str(self._decrypt(draft, week)["text"]) if draft else None

    def keep_draft(self, week: str, text: str) -> None:
        """Keep the week's report; empty: begin again from the product's draft."""
        draft_filter: dict[str, Any] = {"owner": self.owner, "volume": self._ring.volume, "week": week}
        if not text.strip():
            Draft.objects.filter(**draft_filter).delete()
            return
        Draft.objects.update_or_create(**draft_filter, defaults={"body": self._seal(week, {"text": text})})

    def keep_pulse(self, week: str, value: int) -> None:
        """How one was in a week; another answer of the same week takes its place."""
        body = self._seal(f"pulse-{week}", {"value": value})
        PulseAnswer.objects.update_or_create(
            owner=self.owner, volume=self._ring.volume, week=week, defaults={"body": body}
        )

    def pulses(self, count: int = 53) -> list[tuple[str, int]]:
        """How one was, week by week, the oldest first."""
        rows = PulseAnswer.objects.filter(owner=self.owner, volume=self._ring.volume).order_by("-week")[:count]
        return [(row.week, int(self._decrypt(row, f"pulse-{row.week}")["value"])) for row in reversed(rows)]

    def resume(self) -> dict[str, Any] | None:
        """One's résumé, a JSON Resume document."""
        return next(iter(self._resumes()), None)

    def earlier_resumes(self) -> list[dict[str, Any]]:
        """Résumés of before a password was set anew, that were brought back beside the present one."""
        return self._resumes()[1:]

    def keep_resume(self, document: dict[str, Any]) -> None:
        """Keep one's résumé, in place of the one before; those that were brought back stay."""
        with transaction.atomic("journal"):
            self._lock_keyring()
            self._keep_resumes([document, *self._resumes()[1:]])

    def _resumes(self) -> list[dict[str, Any]]:
        row = Resume.objects.filter(owner=self.owner, volume=self._ring.volume).first()
        documents: list[dict[str, Any]] = self._decrypt(row, _RESUME)["documents"] if row else []
        return documents

    def _keep_resumes(self, documents: list[dict[str, Any]]) -> None:
        body = self._seal(_RESUME, {"documents": documents})
        Resume.objects.update_or_create(owner=self.owner, volume=self._ring.volume, defaults={"body": body})

"""The journal's tables. All that a person writes is sealed with a key of theirs; what lies open is named in OPEN."""

from __future__ import annotations

import uuid
from typing import ClassVar, Final

from django.db import models


class Keyring(models.Model):
    """What opens a person's journal: its key, locked by secrets of theirs, and the keys of volumes that are closed."""

    owner = models.BigIntegerField(primary_key=True)
    public = models.BinaryField()  # seals what arrives while the key is not at hand
    volume = models.PositiveSmallIntegerField(default=0)  # the present one
    locks = models.JSONField(default=dict)
    proof = models.CharField(max_length=128, blank=True)
    former = models.JSONField(default=list)


class Entry(models.Model):
    """One entry."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.BigIntegerField()
    volume = models.PositiveSmallIntegerField(default=0)
    thread = models.UUIDField()
    at = models.DateTimeField()
    word = models.CharField(max_length=20)
    open = models.BooleanField(default=False)
    shared = models.UUIDField(null=True)  # its copy in the store
    created = models.DateTimeField()
    body = models.BinaryField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["owner", "-at"]),
            models.Index(fields=["owner", "word"], name="entry_open", condition=models.Q(open=True)),
            models.Index(fields=["thread"]),
            models.Index(fields=["owner", "word", "-at"]),
        ]


class Draft(models.Model):
    """A week's report as its author left it."""

    owner = models.BigIntegerField()
    volume = models.PositiveSmallIntegerField(default=0)
    week = models.CharField(max_length=8)
    body = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "volume", "week"], name="draft_once")]


class Resume(models.Model):
    """One's résumé, and those that were brought back beside it."""

    owner = models.BigIntegerField()
    volume = models.PositiveSmallIntegerField(default=0)
    body = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "volume"], name="resume_once")]


SEALED_COLUMNS: Final[dict[type[models.Model], tuple[str, ...]]] = {
    Keyring: (), Entry: ("body",), Draft: ("body",), Resume: ("body",),
}  # fmt: skip
OPEN_COLUMNS: Final[dict[type[models.Model], dict[str, str]]] = {
    Entry: {
        "id": "a random number",
        "owner": "whose entry it is",
        "volume": "under which of its owner's keys it is sealed",
        "thread": "which entries belong to one matter",
        "at": "when it happened, as its author says",
        "word": "what kind of entry it is (missed, promise, thanks ...)",
        "open": "whether a promise or a failure still waits for its end",
        "shared": "the number of its shared copy, where there is one",
        "created": "when it was written",
    },
    Draft: {
        "id": "a running number",
        "owner": "whose report it is",
        "volume": "under which of its owner's keys it is sealed",
        "week": "of which week",
    },
    Resume: {
        "id": "a running number",
        "owner": "whose résumé it is",
        "volume": "under which of its owner's keys it is sealed",
    },
    Keyring: {
        "owner": "whose keys they are",
        "public": "the half of the key that seals and does not open",
        "volume": "the number of the present key",
        "locks": "the key, locked: by what (password, passphrase, recovery code, calendar address, or the workspace's secret) and at what cost of guessing",
        "proof": "the hash of the password that was replaced, where a reset came before the first login that locked the key by it",
        "former": "the same of earlier keys that are still closed",
    },
}
"""Table -> column -> what whoever can read the file learns without any key. docs/journal.md is made from it."""

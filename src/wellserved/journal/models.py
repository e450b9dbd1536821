"""The journal's tables. All that a person writes is sealed with a key of theirs; what lies open is named here."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class Keyring(models.Model):
    """A person's key, itself locked: by their passphrase, or, without one, by the workspace's secret."""

    owner = models.BigIntegerField(primary_key=True)
    salt = models.BinaryField()
    locked_key = models.BinaryField()
    public = models.BinaryField()  # seals what arrives while the key is not at hand
    passphrase = models.BooleanField(default=False)


class Entry(models.Model):
    """One entry. Open to whoever can read the file: whose it is, when it happened, its word, whether it waits."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.BigIntegerField()
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
    week = models.CharField(max_length=8)
    body = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "week"], name="draft_once")]

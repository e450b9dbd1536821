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


class PulseAnswer(models.Model):
    """How somebody was in a week, for themselves."""

    owner = models.BigIntegerField()
    volume = models.PositiveSmallIntegerField(default=0)
    week = models.CharField(max_length=8)
    body = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "volume", "week"], name="pulse_once")]


class PulseBlock(models.Model):
    """Four weeks whose answers are still to be told of; gone with its answers once they are."""

    block = models.IntegerField(primary_key=True)
    key = models.BinaryField()  # what the names of its answers are made with
    members = models.JSONField()  # team -> who belonged to it when the block began


class PulseCount(models.Model):
    """A week's answer under a name that only its block's key makes, until the block is told of."""

    block = models.ForeignKey(PulseBlock, models.CASCADE, related_name="answers")
    person = models.CharField(max_length=64)
    week = models.CharField(max_length=8)
    team = models.CharField(max_length=100)
    value = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["block", "person", "week"], name="pulse_count_once")]


class PulseRelease(models.Model):
    """What was told of a block, for ever."""

    block = models.IntegerField(primary_key=True)
    told = models.JSONField()  # group -> good in ten, size; group -> members then


class PromptRest(models.Model):
    """A prompt that somebody looked after, or does not want to see."""

    owner = models.BigIntegerField()
    rule = models.CharField(max_length=40)
    subject = models.CharField(max_length=64, blank=True)  # the number of what it was about; empty: the rule itself
    deed = models.CharField(max_length=9)  # shown, done, snoozed, dismissed, silenced
    on = models.DateField()
    until = models.DateField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "on", "rule", "subject", "deed"], name="prompt_rest_once")
        ]


SEALED_COLUMNS: Final[dict[type[models.Model], tuple[str, ...]]] = {
    Keyring: (), Entry: ("body",), Draft: ("body",), Resume: ("body",), PulseAnswer: ("body",), PulseBlock: (), PulseCount: (),
    PulseRelease: (), PromptRest: (),
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
    PulseAnswer: {
        "id": "a running number",
        "owner": "whose answer it is",
        "volume": "under which of its owner's keys it is sealed",
        "week": "of which week",
    },
    PulseBlock: {
        "block": "the number of four weeks",
        "key": "what the names of its answers are made with; gone once the four weeks are told of",
        "members": "who belonged to which team when they began",
    },
    PulseCount: {
        "id": "a running number",
        "block": "of which four weeks; these rows are gone once they are told of",
        "person": "a name that the block's key makes, the same within four weeks",
        "week": "of which week",
        "team": "of which team",
        "value": "the answer, 1 to 5",
    },
    PulseRelease: {
        "block": "the number of four weeks",
        "told": "what everybody may read of them",
    },
    PromptRest: {
        "id": "a running number",
        "owner": "whose prompt it is",
        "rule": "by which rule it came",
        "subject": "the number of the entry, or the hash by the workspace's secret of the account, cause or change, that it was about",
        "deed": "whether it was shown, done, snoozed, dismissed or silenced",
        "on": "on which day",
        "until": "until when it rests",
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

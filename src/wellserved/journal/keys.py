"""What opens a journal: secrets of its owner that nobody who gives them another password has.

A journal is written in volumes, each under one key. The present volume takes what is written. A new one is begun where
the present cannot be opened any more by whoever may log in; the earlier ones stay closed until their owner opens them.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.hashers import check_password, identify_hasher
from django.db import transaction

from wellserved.errors import DamageError
from wellserved.journal import crypto
from wellserved.journal.models import Keyring

WORKSPACE_LOCK, PASSWORD, PASSPHRASE, RECOVERY, FEED = "workspace", "password", "passphrase", "recovery", "feed"
CHOSEN_SECRETS: Final = (PASSWORD, PASSPHRASE)  # by people, so that guessing has to cost
NO_PASSWORD: Final = "!"  # proof of a person who had no password: nobody can give it


@dataclass(frozen=True)
class Volume:
    """A part of a journal under one key, and what opens it."""

    number: int
    public: str  # base64
    locks: dict[str, Any]  # kind -> how the key is locked
    proof: str  # hash of the password that a reset replaced before it locked the key

    def key_for(self, word: str, secret: bytes) -> bytes | None:
        """The key, where `word` is a recovery code, passphrase or password that opens it; else None."""
        for kind, typed_secret in ((RECOVERY, normalise_code(word)), (PASSPHRASE, word), (PASSWORD, word)):
            if kind in self.locks and (key := crypto.unlock_with_secret(kind, self.locks[kind], typed_secret.encode())):
                return key
        if WORKSPACE_LOCK in self.locks and _proves(word, self.proof):
            return crypto.unlock_with_secret(WORKSPACE_LOCK, self.locks[WORKSPACE_LOCK], secret)
        return None


def _proves(word: str, proof: str) -> bool:
    try:
        identify_hasher(proof)
    except ValueError:
        return False
    return check_password(word, proof)


def present_volume(ring: Keyring) -> Volume:
    """The volume that is written to."""
    return Volume(ring.volume, base64.b64encode(bytes(ring.public)).decode(), ring.locks, ring.proof)


def former_volumes(ring: Keyring) -> list[Volume]:
    """The volumes that are closed."""
    return [Volume(**volume_facts) for volume_facts in ring.former]


def lock_key(kind: str, key: bytes, word: str | bytes) -> dict[str, Any]:
    """A key, locked by one secret."""
    secret = word.encode() if isinstance(word, str) else word
    return crypto.lock_with_secret(kind, key, secret, crypto.SCRYPT_COST if kind in CHOSEN_SECRETS else 0)


def keyring_of(owner: int, secret: bytes) -> Keyring:
    """Somebody's keyring; a new one is locked by the workspace's secret until its owner logs in."""
    ring = Keyring.objects.filter(owner=owner).first()
    if ring is None:
        key = crypto.generate_key()
        defaults = {
            "public": crypto.public_key_of(key),
            "locks": {WORKSPACE_LOCK: lock_key(WORKSPACE_LOCK, key, secret)},
        }
        ring = Keyring.objects.get_or_create(owner=owner, defaults=defaults)[0]
    return ring


def workspace_key(ring: Keyring, secret: bytes) -> bytes | None:
    """The key of whoever never logged in since there are locks of their own, unless their password was reset.

    Raises DamageError where the workspace's secret is another than the one that locked it.
    """
    workspace_lock = ring.locks.get(WORKSPACE_LOCK)
    if not workspace_lock or ring.proof:
        return None
    if (key := crypto.unlock_with_secret(WORKSPACE_LOCK, workspace_lock, secret)) is None:
        raise DamageError(
            "keys/secret is not the one by which journals here were sealed.",
            "Bring back files/keys/secret of a backup.",
        )
    return key


def check_secret(secret: bytes) -> None:
    """Raise DamageError where the workspace's secret does not open a journal that is locked by it."""
    for ring in Keyring.objects.iterator():
        if workspace_key(ring, secret):
            return


def close_before_reset(owner: int, password: str) -> None:
    """Prepare for another password given to somebody: what only the workspace's secret locks opens to none but the old one.

    `password`: its hash. What their password, passphrase or recovery code locks is closed to others as it is.
    """
    with transaction.atomic("journal"):
        ring = Keyring.objects.select_for_update().filter(owner=owner).first()
        if ring is None:
            return
        ring.locks.pop(FEED, None)
        if WORKSPACE_LOCK in ring.locks and not ring.proof:
            ring.proof = password or NO_PASSWORD
        ring.save(update_fields=["locks", "proof"])


def new_code() -> str:
    """A recovery code: 128 random bits in groups that can be written down."""
    code = base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=")
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def normalise_code(code: str) -> str:
    """A recovery code however it was typed."""
    return "".join(filter(str.isalnum, code.upper())).translate(str.maketrans("018", "OIB"))

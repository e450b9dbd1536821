"""Seals what a person writes. Without the key it can be written to, and not read.

One random key a volume. It is locked by what its owner knows (password or passphrase, by scrypt; recovery code), or,
where nobody logs in, by the workspace's secret: another lock touches no entry. What arrives while the key is not at hand
(command line, API) is sealed to the public half of a pair derived from it. Each seal is bound to its place, so that
entries cannot be swapped.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wellserved.errors import RequestError

COST: Final = 17  # log2 of scrypt's n, with r = 8 and p = 1: OWASP's recommendation; older locks say theirs
_KEYED, _SEALED = b"1", b"2"  # first byte: by the key itself, or to its public half
_NONCE = 12
_SCRYPT = threading.Lock()  # 128 MiB each: one at a time


class LockedError(RequestError):
    """The journal cannot be read without what opens it."""

    def __init__(self, what: str = "This journal is locked.") -> None:
        super().__init__(what, "Unlock it with your passphrase, your password, or your recovery code.")


def _derived(secret: bytes, use: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), 32, salt, b"wellserved journal " + use).derive(secret)


def _wrapping(kind: str, secret: bytes, salt: bytes, cost: int) -> bytes:
    """What a key is wrapped by; a secret that people choose takes `cost`, one that is random takes none."""
    if not cost:
        return _derived(secret, kind.encode(), salt)
    with _SCRYPT:
        return hashlib.scrypt(secret, salt=salt, n=2**cost, r=8, p=1, maxmem=2 ** (cost + 11), dklen=32)


def public_of(key: bytes) -> bytes:
    """The half of a key to which anybody can seal."""
    return X25519PrivateKey.from_private_bytes(_derived(key, b"pair")).public_key().public_bytes_raw()


def new_key() -> bytes:
    """A fresh key."""
    return os.urandom(32)


def lock(kind: str, key: bytes, secret: bytes, cost: int = 0) -> dict[str, Any]:
    """A key, locked by a secret, as it is kept: salt and key in base64, and scrypt's cost (0: the secret is random)."""
    salt, nonce = os.urandom(16), os.urandom(_NONCE)
    wrapped = nonce + ChaCha20Poly1305(_wrapping(kind, secret, salt, cost)).encrypt(nonce, key, None)
    return {"cost": cost, "salt": base64.b64encode(salt).decode(), "key": base64.b64encode(wrapped).decode()}


def unlock(kind: str, locked: dict[str, Any], secret: bytes) -> bytes | None:
    """The key; None where this is not the secret."""
    wrapped = base64.b64decode(locked["key"])
    try:
        wrapping = ChaCha20Poly1305(_wrapping(kind, secret, base64.b64decode(locked["salt"]), locked["cost"]))
        return wrapping.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], None)
    except InvalidTag:
        return None


def seal(key: bytes | None, public: bytes, place: bytes, words: bytes) -> bytes:
    """Words, closed: by the key, or, without it, to its public half."""
    nonce = os.urandom(_NONCE)
    if key is not None:
        return _KEYED + nonce + ChaCha20Poly1305(key).encrypt(nonce, words, place)
    once = X25519PrivateKey.generate()
    mine = once.public_key().public_bytes_raw()
    shared = _derived(once.exchange(X25519PublicKey.from_public_bytes(public)), b"seal" + mine + public)
    return _SEALED + mine + nonce + ChaCha20Poly1305(shared).encrypt(nonce, words, place)


def reveal(key: bytes, place: bytes, closed: bytes) -> bytes:
    """The words again."""
    rest = closed[1:]
    try:
        if closed[:1] == _KEYED:
            return ChaCha20Poly1305(key).decrypt(rest[:_NONCE], rest[_NONCE:], place)
        mine, rest = rest[:32], rest[32:]
        pair = X25519PrivateKey.from_private_bytes(_derived(key, b"pair"))
        shared = _derived(pair.exchange(X25519PublicKey.from_public_bytes(mine)), b"seal" + mine + public_of(key))
        return ChaCha20Poly1305(shared).decrypt(rest[:_NONCE], rest[_NONCE:], place)
    except InvalidTag:
        raise LockedError("This entry was altered, or belongs to another key.") from None

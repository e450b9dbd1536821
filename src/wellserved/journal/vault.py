"""Seals what a person writes. Without the key it can be written to, and not read.

One random key a person. It is locked by a passphrase (scrypt) or, where none is set, by the workspace's secret, so
that setting a passphrase locks the key anew and touches no entry. What arrives while the key is not at hand (command
line, API) is sealed to the public half of a pair derived from it. Each seal is bound to its place, so that entries
cannot be swapped.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wellserved.errors import DamageError, RequestError

_KEYED, _SEALED = b"1", b"2"  # first byte: by the key itself, or to its public half
_NONCE = 12


class LockedError(RequestError):
    """The journal cannot be read without its passphrase."""

    def __init__(self, what: str = "This journal is locked.") -> None:
        super().__init__(what, "Unlock it with your passphrase.")


@dataclass(frozen=True)
class Locked:
    """A key as it is kept."""

    salt: bytes
    key: bytes
    public: bytes


def _derived(secret: bytes, use: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), 32, salt, b"wellserved journal " + use).derive(secret)


def _wrapping(secret: bytes, salt: bytes, passphrase: bool) -> bytes:
    if passphrase:
        return hashlib.scrypt(secret, salt=salt, n=2**15, r=8, p=1, maxmem=64 * 2**20, dklen=32)
    return _derived(secret, b"workspace", salt)


def public_of(key: bytes) -> bytes:
    """The half of a key to which anybody can seal."""
    return X25519PrivateKey.from_private_bytes(_derived(key, b"pair")).public_key().public_bytes_raw()


def new_key() -> bytes:
    """A fresh key."""
    return os.urandom(32)


def lock(key: bytes, secret: bytes, passphrase: bool) -> Locked:
    """Lock a key by a passphrase, or by the workspace's secret."""
    salt, nonce = os.urandom(16), os.urandom(_NONCE)
    wrapped = ChaCha20Poly1305(_wrapping(secret, salt, passphrase)).encrypt(nonce, key, None)
    return Locked(salt, nonce + wrapped, public_of(key))


def unlock(locked: Locked, secret: bytes, passphrase: bool) -> bytes:
    """The key; LockedError where the passphrase is not the one, DamageError where the workspace's secret is not."""
    try:
        wrapping = ChaCha20Poly1305(_wrapping(secret, locked.salt, passphrase))
        return wrapping.decrypt(locked.key[:_NONCE], locked.key[_NONCE:], None)
    except InvalidTag:
        if passphrase:
            raise LockedError("That is not the passphrase.") from None
        raise DamageError(
            "keys/secret is not the one by which journals here were sealed.",
            "Bring back files/keys/secret of a backup.",
        ) from None


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

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

SCRYPT_COST: Final = 17  # log2 of scrypt's n, with r = 8 and p = 1: OWASP's recommendation; older locks say theirs
_BY_KEY, _TO_PUBLIC_KEY = b"1", b"2"  # first byte: by the key itself, or to its public half
_NONCE_BYTES = 12
_SCRYPT_LOCK = threading.Lock()  # 128 MiB each: one at a time


class LockedError(RequestError):
    """The journal cannot be read without what opens it."""

    def __init__(self, error_text: str = "This journal is locked.") -> None:
        super().__init__(error_text, "Unlock it with your passphrase, your password, or your recovery code.")


def _derive(secret: bytes, purpose: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), 32, salt, b"wellserved journal " + purpose).derive(secret)


def _wrapping_key(kind: str, secret: bytes, salt: bytes, cost: int) -> bytes:
    """What a key is wrapped by; a secret that people choose takes `cost`, one that is random takes none."""
    if not cost:
        return _derive(secret, kind.encode(), salt)
    with _SCRYPT_LOCK:
        return hashlib.scrypt(secret, salt=salt, n=2**cost, r=8, p=1, maxmem=2 ** (cost + 11), dklen=32)


def public_key_of(key: bytes) -> bytes:
    """The half of a key to which anybody can seal."""
    return X25519PrivateKey.from_private_bytes(_derive(key, b"pair")).public_key().public_bytes_raw()


def generate_key() -> bytes:
    """A fresh key."""
    return os.urandom(32)


def mail_key(secret: bytes) -> bytes:
    """What mails are sealed by while they wait: they are written by their owner to be read by others."""
    return _derive(secret, b"outgoing mail")


def random_token() -> str:
    """128 random bits in 22 letters, safe in an address."""
    return base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")


def lock_with_secret(kind: str, key: bytes, secret: bytes, cost: int = 0) -> dict[str, Any]:
    """A key, locked by a secret, as it is kept: salt and key in base64, and scrypt's cost (0: the secret is random)."""
    salt, nonce = os.urandom(16), os.urandom(_NONCE_BYTES)
    wrapped_key = nonce + ChaCha20Poly1305(_wrapping_key(kind, secret, salt, cost)).encrypt(nonce, key, None)
    return {"cost": cost, "salt": base64.b64encode(salt).decode(), "key": base64.b64encode(wrapped_key).decode()}


def unlock_with_secret(kind: str, lock_record: dict[str, Any], secret: bytes) -> bytes | None:
    """The key; None where this is not the secret."""
    wrapped_key = base64.b64decode(lock_record["key"])
    try:
        cipher = ChaCha20Poly1305(
            _wrapping_key(kind, secret, base64.b64decode(lock_record["salt"]), lock_record["cost"])
        )
        return cipher.decrypt(wrapped_key[:_NONCE_BYTES], wrapped_key[_NONCE_BYTES:], None)
    except InvalidTag:
        return None


def seal(key: bytes | None, public: bytes, associated_data: bytes, plaintext: bytes) -> bytes:
    """Words, closed: by the key, or, without it, to its public half."""
    nonce = os.urandom(_NONCE_BYTES)
    if key is not None:
        return _BY_KEY + nonce + ChaCha20Poly1305(key).encrypt(nonce, plaintext, associated_data)
    ephemeral_key = X25519PrivateKey.generate()
    ephemeral_public = ephemeral_key.public_key().public_bytes_raw()
    shared_secret = _derive(
        ephemeral_key.exchange(X25519PublicKey.from_public_bytes(public)), b"seal" + ephemeral_public + public
    )
    return (
        _TO_PUBLIC_KEY
        + ephemeral_public
        + nonce
        + ChaCha20Poly1305(shared_secret).encrypt(nonce, plaintext, associated_data)
    )


def reveal(key: bytes, associated_data: bytes, sealed_text: bytes) -> bytes:
    """Open what `seal` closed: the words again."""
    payload = sealed_text[1:]
    try:
        if sealed_text[:1] == _BY_KEY:
            return ChaCha20Poly1305(key).decrypt(payload[:_NONCE_BYTES], payload[_NONCE_BYTES:], associated_data)
        ephemeral_public, payload = payload[:32], payload[32:]
        key_pair = X25519PrivateKey.from_private_bytes(_derive(key, b"pair"))
        shared_secret = _derive(
            key_pair.exchange(X25519PublicKey.from_public_bytes(ephemeral_public)),
            b"seal" + ephemeral_public + public_key_of(key),
        )
        return ChaCha20Poly1305(shared_secret).decrypt(payload[:_NONCE_BYTES], payload[_NONCE_BYTES:], associated_data)
    except InvalidTag:
        raise LockedError("This entry was altered, or belongs to another key.") from None

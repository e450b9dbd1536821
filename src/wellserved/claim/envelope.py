"""Signed statements: the DSSE envelope with Ed25519, and what a key is called."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wellserved.claim.canonical import ClaimFormatError, canonical_bytes, parse_json
from wellserved.claim.key_words import KEY_WORDS
from wellserved.claim.shapes import has_shape

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
FINGERPRINT_WORDS: Final = 12  # 96 bits: no key with the same words is found by trying
SMALL_ORDER_KEYS: Final = frozenset({
    f"{0:064x}", "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
})  # fmt: skip
"""Keys, but for the sign of x, by which one signature fits any text (RFC 8032 leaves them to the verifier)."""
_FIELD: Final = 2**255 - 19


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What is signed: the type and the bytes, each with its length (DSSE protocol, PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign_statement(statement: Mapping[str, object], private_key: bytes) -> dict[str, Any]:
    """An envelope around a statement. `private_key`: 32 bytes."""
    payload = canonical_bytes(dict(statement))
    key = Ed25519PrivateKey.from_private_bytes(private_key)
    signature = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": key_id(verification_key(private_key)), "sig": base64.b64encode(signature).decode()}],
    }


def open_envelope(envelope: object, public_key: bytes) -> dict[str, Any]:
    """The statement in an envelope that this key has signed; raises where it has not. `public_key`: 32 bytes.

    The bytes that were verified are the bytes that are read.
    """
    if not isinstance(envelope, dict) or set(envelope) != {"payloadType", "payload", "signatures"}:
        raise ClaimFormatError("It is no signed envelope.")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise ClaimFormatError("It is signed as something else.")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise ClaimFormatError("It does not have one signature.")
    payload, signature = decode_base64(envelope["payload"]), decode_base64(signatures[0].get("sig"))
    if set(signatures[0]) != {"keyid", "sig"} or signatures[0]["keyid"] != key_id(public_key):
        raise ClaimFormatError("It names another key than the one beside it.")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            signature, pre_authentication_encoding(PAYLOAD_TYPE, payload)
        )
    except (InvalidSignature, ValueError) as error:
        raise ClaimFormatError("The signature does not fit: something was changed after it was signed.") from error
    statement = parse_json(payload)
    if not isinstance(statement, dict) or canonical_bytes(statement) != payload:
        raise ClaimFormatError("It holds no statement.")
    return statement


def decode_base64(text: object) -> bytes:
    """Bytes from their only writing in Base64; another that reads alike is refused."""
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError) as error:
        raise ClaimFormatError("A part of it is not Base64.") from error
    if base64.b64encode(raw).decode() != text:
        raise ClaimFormatError("A part of it is not Base64.")
    return raw


def verification_key(private_key: bytes) -> bytes:
    """The public key, 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def read_key(text: object) -> bytes:
    """A public key from its hex; raises for what is none, and for keys that would fit everything."""
    if not has_shape(text, "hash"):
        raise ClaimFormatError("Its key is none.")
    raw = bytes.fromhex(str(text))
    without_sign = raw[:31] + bytes([raw[31] & 0x7F])
    if without_sign.hex() in SMALL_ORDER_KEYS or int.from_bytes(without_sign, "little") >= _FIELD:
        raise ClaimFormatError("Its key is none.")
    return raw


def key_id(public_key: bytes) -> str:
    """What a key is called: SHA-256 of its bytes, hex."""
    return hashlib.sha256(public_key).hexdigest()


def fingerprint(public_key: bytes) -> str:
    """A key in twelve words, to be compared by people."""
    return " ".join(KEY_WORDS[byte] for byte in hashlib.sha256(public_key).digest()[:FINGERPRINT_WORDS])

"""One text, one sequence of bytes: JSON that is always written alike (RFC 8785, of the values that need no rule for floats)."""

from __future__ import annotations

import json
import unicodedata
from decimal import Decimal
from typing import Any

from wellserved.errors import RequestError

MAX_FILE_BYTES = 40_000_000  # evidence of some two hundred thousand cases
LARGEST_INTEGER = 2**53 - 1  # beyond it, other programs read another number


class ClaimFormatError(RequestError):
    """Bytes that are no claim, or no part of one."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, "Ask whoever sent it for the file as it was issued.")


class NotAClaimError(ClaimFormatError):
    """Bytes of something else altogether: nobody forged anything."""


def canonical_bytes(value: object) -> bytes:
    """The only bytes of a value made of texts, whole numbers, truth values, nothing, lists and objects."""
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _plain(value: object) -> object:
    """The value with texts composed (NFC, which the RFC leaves to the writer); raises for what has no one form."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= LARGEST_INTEGER:
        return value
    if isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ClaimFormatError("A text holds half a character.")
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        # RFC 8785 sorts by UTF-16 units; of ASCII names, which all of ours are, that is the order of letters
        if not all(isinstance(key, str) and key.isascii() for key in value):
            raise ClaimFormatError("A name in it is not plain ASCII.")
        return {key: _plain(item) for key, item in value.items()}
    raise ClaimFormatError(f"{type(value).__name__} values have no single form.")


def decimal_text(value: float) -> str:
    """A number as it is signed: all its digits, and no exponent."""
    return format(Decimal(repr(value)), "f")


def parse_json(raw: bytes) -> Any:
    """A value from bytes of JSON; two fields of one name, numbers with fractions and other things without one form are refused."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique_fields, parse_float=_refuse_float)
        canonical_bytes(value)
    except ClaimFormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise NotAClaimError("It is another kind of file.") from error
    return value


def parse_file(raw: bytes) -> Any:
    """A value from a file, which is its canonical bytes and a newline; any other writing of it is refused."""
    if len(raw) > MAX_FILE_BYTES:
        raise NotAClaimError(f"It has {len(raw):,} bytes, which no such file has.")
    value = parse_json(raw)
    if not isinstance(value, dict) or not isinstance(value.get("format"), str):
        raise NotAClaimError("It is another kind of file.")
    if raw != canonical_bytes(value) + b"\n":
        raise ClaimFormatError(
            "The file was re-saved by another program, or cut: its bytes are not those that were issued."
        )
    return value


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ClaimFormatError("A field stands in it twice.")
    return fields


def _refuse_float(text: str) -> float:
    raise ClaimFormatError(f"{text} is no whole number.")

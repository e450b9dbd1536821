"""The claim files that a document carries: a PDF with attachments, a Word document, a page of HTML, a JSON Resume.

What the document itself says is not looked at: whoever checks it compares what they read with what was signed.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from lzma import LZMAError
from typing import Any, Final

from wellserved.claim.canonical import NotAClaimError

MAX_DOCUMENT_BYTES: Final = 20_000_000
MAX_CLAIM_BYTES: Final = 4_000_000  # of one file, unpacked
MAX_CARRIED_BYTES: Final = 40_000_000
MAX_CLAIMS: Final = 200  # in one document
CLAIMS_NAMESPACE: Final = "urn:wellserved:claims"
_STREAM: Final = re.compile(
    rb"[^<>]{0,300}(?:<<[^<>]{0,300}>>[^<>]{0,100})?>>\s{0,4}stream\r?\n"
)  # the rest of an attachment's entry
_WORD_CLAIM: Final = re.compile(rb'<claim id="[a-z2-7]{12}">([A-Za-z0-9+/=]+)</claim>')
_PAGE_CLAIM: Final = re.compile(rb"data:application/json;base64,([A-Za-z0-9+/=]+)")


def claim_files(raw: bytes) -> list[bytes]:
    """The claim files that a document carries, in its order, each once; a claim file is its own. Raises `NotAClaimError` where
    there is none, or where the document cannot be read."""
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise NotAClaimError(f"It has {len(raw):,} bytes, which no such document has.")
    if raw.startswith(b'{"disclosures"'):
        return [raw]
    try:
        files = list(dict.fromkeys(islice(_within_budget(_carried(raw)), MAX_CLAIMS + 1)))
    except (LZMAError, UnicodeError, ValueError) as error:
        raise NotAClaimError("It is a damaged document.") from error
    if not files:
        raise NotAClaimError("It carries no claim of wellserved.")
    if len(files) > MAX_CLAIMS:
        raise NotAClaimError(f"It carries more than {MAX_CLAIMS} claims, which nobody's does.")
    return files


def _within_budget(contents: Iterator[bytes]) -> Iterator[bytes]:
    """Those that begin as claim files do, as long as all that was unpacked is not too much."""
    total = 0
    for content in contents:
        total += len(content)
        if total > MAX_CARRIED_BYTES:
            raise NotAClaimError("It unpacks to more than any such document does.")
        if content.startswith(b'{"disclosures"'):
            yield content


def _carried(raw: bytes) -> Iterator[bytes]:
    if raw.startswith(b"%PDF-"):
        return _pdf_attachments(raw)
    if raw.startswith(b"PK\x03\x04"):
        return _word_claims(raw)
    if raw.lstrip()[:1] == b"{":
        return _resume_claims(raw)
    return (_decoded(match[1]) for match in _PAGE_CLAIM.finditer(raw))


def _pdf_attachments(raw: bytes) -> Iterator[bytes]:
    """The streams of embedded files that are packed by Flate, as every one that is written here is."""
    for mark in re.finditer(rb"/EmbeddedFile\b", raw):
        entry = _STREAM.match(raw, mark.end())
        if entry is not None and b"/FlateDecode" in entry[0]:
            try:
                yield zlib.decompressobj().decompress(raw[entry.end() : entry.end() + MAX_CLAIM_BYTES], MAX_CLAIM_BYTES)
            except zlib.error:
                continue


def _word_claims(raw: bytes) -> Iterator[bytes]:
    """The claims in the custom XML of a Word document."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as document:
            for item in document.infolist()[:1_000]:
                if item.filename.startswith("customXml/") and item.file_size < 2 * MAX_CLAIM_BYTES:
                    with document.open(item) as part:
                        xml = part.read(2 * MAX_CLAIM_BYTES)
                    if CLAIMS_NAMESPACE.encode() in xml:
                        yield from (_decoded(match[1]) for match in _WORD_CLAIM.finditer(xml))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise NotAClaimError("It is a damaged document.") from error


def _resume_claims(raw: bytes) -> Iterator[bytes]:
    """The claims of a JSON Resume."""
    try:
        document: Any = json.loads(raw.decode("utf-8"))
        claims = document["meta"]["wellserved"]["claims"]
        texts = [str(claim["file"]) for claim in claims[:MAX_CLAIMS]]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise NotAClaimError("It is another kind of file.") from error
    yield from (_decoded(text.encode()) for text in texts)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""

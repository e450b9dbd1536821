"""What a file is, by its first bytes: something that is read, or something else that is named with what to do instead.

A name's ending proves nothing: a table saved from a browser is often HTML called .xls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from wellserved.errors import SourceError

HEAD_BYTES = 64 << 10  # bytes that are looked at
_SAVE_ADVICE = "Open it, save it as CSV UTF-8 and import that."
_EXPORT_ADVICE = "Export the tickets as CSV and import that."
_UNPACK_ADVICE = "Unpack it and import the delimited text in it."
_MAGIC = (  # (first bytes, what it is, what to do)
    (b"ARROW1", "an Arrow file", "Write the table as CSV and import that."),
    (b"Obj\x01", "an Avro file", "Write the table as CSV and import that."),
    (b"ORC", "an ORC file", "Write the table as CSV and import that."),
    (b"SQLite format 3\0", "a SQLite database", "Export the table of tickets as CSV and import that."),
    (b"\0\1\0\0Standard ", "an Access database", "Export the table of tickets as CSV and import that."),
    (b"%PDF-", "a PDF document", _EXPORT_ADVICE),
    (b"{\\rtf", "a Rich Text document", _EXPORT_ADVICE),
    (b"\x89PNG\r\n", "a picture", _EXPORT_ADVICE),
    (b"\xff\xd8\xff", "a picture", _EXPORT_ADVICE),
    (b"GIF8", "a picture", _EXPORT_ADVICE),
    (b"!BDN", "an Outlook mailbox (.pst)", _EXPORT_ADVICE),
    (b"BEGIN:VCALENDAR", "a calendar (iCalendar)", _EXPORT_ADVICE),
    (b"BEGIN:VCARD", "an address book (vCard)", _EXPORT_ADVICE),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK_ADVICE),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK_ADVICE),
    (b"BZh", "a file packed with bzip2", _UNPACK_ADVICE),
    (b"\xfd7zXZ\0", "a file packed with xz", _UNPACK_ADVICE),
    (b"\x28\xb5\x2f\xfd", "a file packed with Zstandard", _UNPACK_ADVICE),
    (b"\x1f\x8b", "a packed file inside a packed file", _UNPACK_ADVICE),
    (b"PK\x03\x04", "a packed file inside a packed file", _UNPACK_ADVICE),
)
_SHORT_MAGIC_BYTES = 4  # a short magic of plain letters counts only where the bytes after it are no text
_ARCHIVE_MEMBERS = (  # (a member of the archive, what the archive is, what to do)
    (r"word/document\.xml", "a Word document", _EXPORT_ADVICE),
    (r"ppt/presentation\.xml", "a PowerPoint presentation", _EXPORT_ADVICE),
    (r"Index/Document\.iwa|Index\.zip", "a Numbers or Pages document", _SAVE_ADVICE),
)
_WORKBOOK_MEMBERS = r"xl/workbook\.(xml|bin)|META-INF/manifest\.xml"
_WORKBOOK_MAGIC = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\x09\x08\x10\x00", b"PK\x03\x04")
_HTML = re.compile(r"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|meta|style|table)\b", re.I | re.S)
_XML = re.compile(r"\s*<\?xml\b", re.I)
_JSON = re.compile(r'\s*(\{\s*("(?:[^"\\]|\\.)*"\s*:|\})|\[\s*([{\[]|\]\s*$))')
MAILBOX_START = re.compile(r"From \S+ .{0,6}(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}")
_MAIL = re.compile(r"^(Message-ID|MIME-Version|Received|Return-Path|DKIM-Signature):", re.I | re.M)
_FIELD = re.compile(r"[A-Za-z][A-Za-z-]*:(\s|$)|[ \t]")


def is_workbook(members: Iterable[str]) -> bool:
    """Whether an archive with these members is a spreadsheet."""
    return any(re.fullmatch(_WORKBOOK_MEMBERS, member) for member in members)


def readable_kind(head: bytes) -> str:
    """What the first bytes of a file (unpacked) are, where there is a reader for it beside that of delimited text."""
    if head.startswith(_WORKBOOK_MAGIC):
        return "workbook"
    if head.startswith(b"PAR1") and _is_binary(head):
        return "parquet"
    text = _decode_head(head)
    if _JSON.match(text):
        return "json"
    return "mailbox" if MAILBOX_START.match(text) else ""


def refuse_document_archive(name: str, members: Sequence[str]) -> None:
    """Raises SourceError where a zip is a document of its own kind, such as a workbook."""
    for pattern, kind, advice in _ARCHIVE_MEMBERS:
        if any(re.fullmatch(pattern, member) for member in members):
            raise SourceError(f"{name} is {kind}, which cannot be read as it is.", advice)


def refuse_other_content(name: str, head: bytes) -> None:
    """Raises SourceError where the first bytes of a file (unpacked) are those of something else than a table of text."""
    for magic, kind, advice in _MAGIC:
        if head.startswith(magic) and (len(magic) > _SHORT_MAGIC_BYTES or not magic.isalnum() or _is_binary(head)):
            raise SourceError(f"{name} is {kind}, which cannot be read as it is.", advice)
    if head[257:262] == b"ustar":
        raise SourceError(f"{name} is a tar archive, which cannot be read as it is.", _UNPACK_ADVICE)
    kind = _other_text_kind(_decode_head(head))
    if kind:
        raise SourceError(
            f"{name} is {kind}, which cannot be read as it is.", _SAVE_ADVICE if "table" in kind else _EXPORT_ADVICE
        )


def _decode_head(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    return head.decode("utf-8", "replace").lstrip("\ufeff")


def _is_binary(head: bytes) -> bool:
    """Bytes that no text has."""
    return any(byte < 9 or 13 < byte < 27 for byte in head[:1024])


def _other_text_kind(text: str) -> str:
    """The name of a text that is no table: mark-up, JSON, mail; empty where it may be one."""
    if _HTML.match(text):
        return "an HTML page: a table saved from a browser or report"
    if _XML.match(text):
        return "an Excel table in XML" if "urn:schemas-microsoft-com:office:spreadsheet" in text else "an XML file"
    block = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    if _MAIL.search(block) and all(_FIELD.match(line) for line in block.splitlines()[:5]):
        return "an e-mail"
    return ""

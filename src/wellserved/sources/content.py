"""What a file is, by its first bytes: delimited text, or something else that is named with what to do instead.

A name's ending proves nothing: a table saved from a browser is often HTML called .xls.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from wellserved.errors import SourceError

HEAD = 64 << 10  # bytes that are looked at
_SAVE = "Open it, save it as CSV UTF-8 and import that."
_EXPORT = "Export the tickets as CSV and import that."
_UNPACK = "Unpack it and import the delimited text in it."
_MAGIC = (  # (first bytes, what it is, what to do)
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls), or one with a password", _SAVE),
    (b"\x09\x08\x10\x00", "an old Excel workbook (.xls)", _SAVE),
    (b"PAR1", "a Parquet file", "Write the table as CSV and import that."),
    (b"ARROW1", "an Arrow file", "Write the table as CSV and import that."),
    (b"Obj\x01", "an Avro file", "Write the table as CSV and import that."),
    (b"ORC", "an ORC file", "Write the table as CSV and import that."),
    (b"SQLite format 3\0", "a SQLite database", "Export the table of tickets as CSV and import that."),
    (b"\0\1\0\0Standard ", "an Access database", "Export the table of tickets as CSV and import that."),
    (b"%PDF-", "a PDF document", _EXPORT),
    (b"{\\rtf", "a Rich Text document", _EXPORT),
    (b"\x89PNG\r\n", "a picture", _EXPORT),
    (b"\xff\xd8\xff", "a picture", _EXPORT),
    (b"GIF8", "a picture", _EXPORT),
    (b"!BDN", "an Outlook mailbox (.pst)", _EXPORT),
    (b"BEGIN:VCALENDAR", "a calendar (iCalendar)", _EXPORT),
    (b"BEGIN:VCARD", "an address book (vCard)", _EXPORT),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"BZh", "a file packed with bzip2", _UNPACK),
    (b"\xfd7zXZ\0", "a file packed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a file packed with Zstandard", _UNPACK),
    (b"\x1f\x8b", "a packed file inside a packed file", _UNPACK),
    (b"PK\x03\x04", "a packed file inside a packed file", _UNPACK),
)
_LEAST_BINARY = 4  # a short magic of plain letters counts only where the bytes after it are no text
_PACKED = (  # (a member of the archive, what the archive is, what to do)
    (r"xl/workbook\.(xml|bin)", "an Excel workbook", _SAVE),
    (r"word/document\.xml", "a Word document", _EXPORT),
    (r"ppt/presentation\.xml", "a PowerPoint presentation", _EXPORT),
    (r"Index/Document\.iwa|Index\.zip", "a Numbers or Pages document", _SAVE),
    (r"META-INF/manifest\.xml", "an OpenDocument file, such as a LibreOffice spreadsheet", _SAVE),
)
_HTML = re.compile(r"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|meta|style|table)\b", re.I | re.S)
_XML = re.compile(r"\s*<\?xml\b", re.I)
_JSON = re.compile(r'\s*(\{\s*("(?:[^"\\]|\\.)*"\s*:|\})|\[\s*([{\[]|\]\s*$))')
_MBOX = re.compile(r"From \S+ .{0,6}(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}")
_MAIL = re.compile(r"^(Message-ID|MIME-Version|Received|Return-Path|DKIM-Signature):", re.I | re.M)
_FIELD = re.compile(r"[A-Za-z][A-Za-z-]*:(\s|$)|[ \t]")


def name_archive(name: str, members: Sequence[str]) -> None:
    """Raises SourceError where a zip is a document of its own kind, such as a workbook."""
    for pattern, what, do in _PACKED:
        if any(re.fullmatch(pattern, member) for member in members):
            raise SourceError(f"{name} is {what}, no delimited text.", do)


def name_content(name: str, head: bytes) -> None:
    """Raises SourceError where the first bytes of a file (unpacked) are those of something else than a table of text."""
    for magic, what, do in _MAGIC:
        if head.startswith(magic) and (len(magic) > _LEAST_BINARY or not magic.isalnum() or _binary(head)):
            raise SourceError(f"{name} is {what}, no delimited text.", do)
    if head[257:262] == b"ustar":
        raise SourceError(f"{name} is a tar archive, no delimited text.", _UNPACK)
    what = _text_of_another_kind(_decoded(head))
    if what:
        raise SourceError(f"{name} is {what}, no delimited text.", _SAVE if "table" in what else _EXPORT)


def _decoded(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    return head.decode("utf-8", "replace").lstrip("\ufeff")


def _binary(head: bytes) -> bool:
    """Bytes that no text has."""
    return any(sign < 9 or 13 < sign < 27 for sign in head[:1024])


def _text_of_another_kind(text: str) -> str:
    """The name of a text that is no table: mark-up, JSON, mail; empty where it may be one."""
    if _HTML.match(text):
        return "an HTML page: a table saved from a browser or report"
    if _XML.match(text):
        return "an Excel table in XML" if "urn:schemas-microsoft-com:office:spreadsheet" in text else "an XML file"
    if _JSON.match(text):
        return "JSON Lines" if _lines_of_json(text) else "a JSON file"
    if _MBOX.match(text):
        return "a mailbox (mbox)"
    block = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    if _MAIL.search(block) and all(_FIELD.match(line) for line in block.splitlines()[:5]):
        return "an e-mail"
    return ""


def _lines_of_json(text: str) -> bool:
    """Every line is a value by itself."""
    lines = [line for line in text.splitlines()[:2] if line.strip()]
    try:
        return len(lines) == 2 and all(isinstance(json.loads(line), dict | list) for line in lines)
    except (ValueError, RecursionError):
        return False

"""Mailboxes (mbox, Maildir): each message a row, with its thread and what it is in it.

A thread is asked by its first message, unless that comes from the house itself or from a machine. What its author
sends later chases; what the house sends replies, or auto-replies where the headers say so (RFC 3834). When a matter
was resolved, no mailbox tells.
"""

from __future__ import annotations

import hashlib
import mailbox
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC
from email import policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.sources.records import RecordFile, RecordWriter

MIN_OWN_SHARE = 0.5  # of messages that name an address, for it to be taken for the house's
MAX_BODY_BYTES = 256 << 10  # of a message, from which its text is taken
MAX_TEXT = 10_000  # characters of a message that are kept
COLUMNS = ("Thread", "Message", "Time", "Event", "Customer", "From", "To", "Subject", "Text")
_NUMBER = re.compile(r"\[[^\[\]]{0,40}?#\s*(\d{2,})[^\[\]]{0,20}\]|\[(?:ticket|case|request)[ :]*([\w-]*\d+)\]", re.I)
_IDS = re.compile(r"<[^<>\s]+>")
_headers = BytesHeaderParser(policy=policy.compat32)


@dataclass(frozen=True)
class _Letter:
    """What a message's headers say."""

    id: str
    at: str  # UTC, ISO 8601; or as it stands, where that is no date
    sender: str
    recipients: tuple[str, ...]
    references: tuple[str, ...]
    number: str  # the ticket's, as the subject names it
    is_automatic: bool


class _Threads:
    """Which messages belong together: by the ids that they name, and by the ticket's number in the subject."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def root(self, key: str) -> str:
        parents = self._parents
        parents.setdefault(key, key)
        while parents[key] != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    def join(self, keys: Sequence[str]) -> None:
        first = self.root(keys[0])
        for key in keys[1:]:
            self._parents[self.root(key)] = first


def open_mailbox(
    path: Path, name: str, scratch: Path, on_progress: ProgressCallback, own: Sequence[str] = ()
) -> RecordFile:
    """Read a mailbox into rows; `own`: the house's addresses, else that which most messages name.

    Raises SourceError where no address stands out.
    """
    box: mailbox.mbox | mailbox.Maildir = (
        mailbox.Maildir(path, create=False) if path.is_dir() else mailbox.mbox(path, create=False)
    )
    with closing(box):
        digest = hashlib.sha256()
        letters: list[_Letter] = []
        for raw in _messages(box, on_progress):
            digest.update(raw)
            letters.append(_read_headers(raw))
        if not letters:
            raise SourceError(f"{name} holds no messages.", "Check the mailbox, and export it again.")
        own_addresses = {address.casefold() for address in own} or _find_own(name, letters)
        writer = RecordWriter(scratch, name, COLUMNS)
        events = _events(letters, own_addresses)
        for number, (raw, letter, event) in enumerate(
            zip(_messages(box, on_progress), letters, events, strict=True), start=1
        ):
            writer.add(number, _cells(raw, letter, event))
    part = ", ".join(sorted(own_addresses))
    return writer.finish(f"mailbox of {part}", digest.hexdigest(), part=part, encoding="mail")


def _cells(raw: bytes, letter: _Letter, event: tuple[str, str, str]) -> dict[str, str | None]:
    """A message as a row."""
    thread, kind, customer = event
    subject, text = _subject_and_text(raw)
    cells = (thread, letter.id, letter.at, kind, customer, letter.sender, ", ".join(letter.recipients), subject, text)
    return dict(zip(COLUMNS, cells, strict=True))


def _messages(box: mailbox.mbox | mailbox.Maildir, on_progress: ProgressCallback) -> Iterator[bytes]:
    keys = sorted(box.keys()) if isinstance(box, mailbox.Maildir) else list(box.keys())
    for index, key in enumerate(keys):
        if index % 1000 == 0:
            on_progress("Reading messages", index, len(keys))
        yield box.get_bytes(key)


def _read_headers(raw: bytes) -> _Letter:
    end = re.search(rb"\r?\n\r?\n", raw)
    headers = _headers.parsebytes(raw[: end.end()] if end else raw)
    sender = next(iter(_addresses(headers, "From")), "")
    at = _received_at(headers)
    named_ids = _IDS.findall(str(headers.get("Message-ID", "")))
    identity = (
        named_ids[0] if named_ids else f"<{hashlib.sha256(f'{sender}{at}'.encode() + raw[:2000]).hexdigest()[:20]}>"
    )
    references = _IDS.findall(f"{headers.get('References', '')} {headers.get('In-Reply-To', '')}")
    match = _NUMBER.search(_plain(headers.get("Subject")))
    recipients = tuple(dict.fromkeys(_addresses(headers, "To", "Cc", "Delivered-To", "X-Original-To")))
    return _Letter(
        identity,
        at,
        sender,
        recipients,
        tuple(references),
        (match[1] or match[2]) if match else "",
        _is_automatic(headers),
    )


def _addresses(headers: Message, *names: str) -> list[str]:
    values = [str(value) for name in names for value in headers.get_all(name, [])]
    return [address.casefold() for _, address in getaddresses(values) if "@" in address]


def _plain(value: object) -> str:
    """A header's words, out of their encoding."""
    try:
        return " ".join(str(make_header(decode_header(str(value or "")))).split())
    except (ValueError, LookupError, UnicodeError):
        return " ".join(str(value or "").split())


def _received_at(headers: Message) -> str:
    """When the message came: its last hop's stamp, which its sender cannot set; else its own date."""
    stamps = [str(value).rsplit(";", 1)[-1].strip() for value in headers.get_all("Received", [])[:1]]
    for stamp in (*stamps, str(headers.get("Date", ""))):
        try:
            at = parsedate_to_datetime(stamp)
        except (ValueError, TypeError, IndexError):
            continue
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(headers.get("Date", ""))


def _is_automatic(headers: Message) -> bool:
    """A machine's message: an out-of-office note, a receipt, a bounce, a newsletter (RFC 3834, RFC 2369)."""
    submitted = str(headers.get("Auto-Submitted", "no")).split(";")[0].strip().casefold()
    precedence = str(headers.get("Precedence", "")).strip().casefold()
    bounces = str(headers.get("Return-Path", "")).strip() == "<>" or headers.get_content_type() == "multipart/report"
    return (
        submitted != "no"
        or precedence in ("auto_reply", "bulk", "junk", "list")
        or bounces
        or any(name in headers for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "List-Id"))
    )


def _find_own(name: str, letters: Sequence[_Letter]) -> set[str]:
    """The address that most messages name, as sender or recipient."""
    counts = Counter(address for letter in letters for address in {letter.sender, *letter.recipients} if address)
    (top, count), *others = counts.most_common(3)
    if count < MIN_OWN_SHARE * len(letters) or (others and others[0][1] == count):
        listed = ", ".join(address for address, _ in counts.most_common(5))
        raise SourceError(
            f"{name}: no address is the house's for certain (the commonest: {listed}).",
            f"Name yours: --own {top}.",
        )
    return {top}


def _events(letters: Sequence[_Letter], own: set[str]) -> list[tuple[str, str, str]]:
    """(thread, event, customer) of each message."""
    threads = _Threads()
    for letter in letters:
        threads.join([letter.id, *letter.references, *([f"#{letter.number}"] if letter.number else [])])
    by_thread: dict[str, list[int]] = {}
    for index in sorted(range(len(letters)), key=lambda index: letters[index].at):
        by_thread.setdefault(threads.root(letters[index].id), []).append(index)
    own_domains = {address.rsplit("@", 1)[1] for address in own if "@" in address}
    events = [("", "", "")] * len(letters)
    for indexes in by_thread.values():
        first = letters[indexes[0]]
        number = next((letters[index].number for index in indexes if letters[index].number), "")
        is_outbound = first.sender in own or first.is_automatic
        for index in indexes:
            event = _event(letters[index], first, index == indexes[0], own, own_domains)
            events[index] = (number or first.id, "other" if is_outbound else event, first.sender)
    return events


def _event(letter: _Letter, first: _Letter, is_first: bool, own: set[str], own_domains: set[str]) -> str:
    """What a message is in its thread."""
    if is_first:
        return "asked"
    if letter.sender in own or (letter.sender != first.sender and letter.sender.rsplit("@", 1)[-1] in own_domains):
        return "auto_replied" if letter.is_automatic else "replied"
    return "chased" if letter.sender == first.sender and not letter.is_automatic else "other"


def _subject_and_text(raw: bytes) -> tuple[str, str]:
    """A message's subject, and the words that it says."""
    message = BytesParser(policy=policy.default).parsebytes(raw[:MAX_BODY_BYTES])
    subject = _plain(message["Subject"])
    try:
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
    except (LookupError, ValueError, KeyError, AttributeError):
        text = ""
    return subject, (text.strip() or subject)[:MAX_TEXT].replace("\0", "")

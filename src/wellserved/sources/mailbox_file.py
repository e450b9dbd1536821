"""Mailboxes (mbox, Maildir): each message a row, with its thread and what it is in it.

A thread is asked by its first message, unless that comes from the house itself or from a machine. What its author
sends later chases; what the house sends replies, or auto-replies where the headers say so (RFC 3834). When a matter
was resolved, no mailbox tells.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
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
from wellserved.sources.content import MAILBOX_START
from wellserved.sources.records import RecordFile, RecordWriter
from wellserved.sources.table import BrokenRow

MIN_OWN_SHARE = 0.5  # of messages that name an address, for it to be taken for the house's
MAX_MESSAGE_BYTES = 256 << 10  # of a message that are looked at; what follows are files that it carries
MAX_SUBJECT = 300  # letters of a subject in which a ticket's number is looked for
MAX_TEXT = 10_000  # letters of a message that are kept
MESSAGE_COLUMNS = ("Thread", "Message", "Time", "Event", "Customer", "From", "To", "Subject", "Text")
_NUMBER = re.compile(
    r"\[[^\[\]]{0,40}?#\s{0,5}(\d{2,20})[^\[\]]{0,20}\]|\[(?:ticket|case|request)[ :]{1,3}(\w{0,20}-?\d{1,20})\]", re.I
)
_IDS = re.compile(r"<[^<>\s]{1,250}>")
_FIRST_LINE = re.compile(MAILBOX_START.pattern.encode())
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
    list_name: str  # of the mailing list that it came by


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

    Raises SourceError where no address stands out. A message that cannot be read is refused by itself.
    """
    digest = hashlib.sha256()
    letters: list[_Letter | None] = []
    for raw in _messages(path, on_progress):
        digest.update(raw)
        letters.append(_read_headers(raw))
    readable = [letter for letter in letters if letter]
    if not readable:
        raise SourceError(f"{name} holds no messages.", "Check the mailbox, and export it again.")
    own_addresses = {address.casefold() for address in own} or _find_own(name, readable)
    events, repeat_count = _events(readable, own_addresses)
    writer = RecordWriter(scratch, name, MESSAGE_COLUMNS)
    remaining_events = iter(events)
    for number, (raw, letter) in enumerate(zip(_messages(path, on_progress), letters, strict=True), start=1):
        if letter is None:
            writer.refuse(BrokenRow(number, raw[:200].decode("utf-8", "replace"), "is no message that can be read"))
        else:
            writer.add(number, _cells(raw, letter, next(remaining_events)))
    part = ", ".join(sorted(own_addresses))
    left_out_count = sum(event == "other" for _, event, _ in events) - repeat_count
    notes = {
        "messages stand there more than once and count once": repeat_count,
        "messages make no moment: from machines and lists, of threads that the house began, or of others in a thread": left_out_count,
    }
    notes = {note: count for note, count in notes.items() if count}
    return writer.finish(f"mailbox of {part}", digest.hexdigest(), part=part, encoding="mail", notes=notes)


def _cells(raw: bytes, letter: _Letter, event: tuple[str, str, str]) -> dict[str, str | None]:
    """A message as a row."""
    thread, kind, customer = event
    subject, text = _subject_and_text(raw)
    cells = (thread, letter.id, letter.at, kind, customer, letter.sender, ", ".join(letter.recipients), subject, text)
    return dict(zip(MESSAGE_COLUMNS, cells, strict=True))


def _messages(path: Path, on_progress: ProgressCallback) -> Iterator[bytes]:
    """The beginnings of all messages, in the file's order."""
    messages = _maildir_messages(path) if path.is_dir() else _mbox_messages(path)
    for index, raw in enumerate(messages):
        if index % 1000 == 0:
            on_progress("Reading messages", index, 0)
        yield raw


def _maildir_messages(path: Path) -> Iterator[bytes]:
    for file in sorted([*(path / "cur").iterdir(), *(path / "new").iterdir()], key=lambda file: file.name):
        if file.is_file() and not file.name.startswith("."):
            with file.open("rb") as stream:
                yield stream.read(MAX_MESSAGE_BYTES)


def _mbox_messages(path: Path) -> Iterator[bytes]:
    """A message begins with a line that names a sender and a date: prose may begin with From, too."""
    lines: list[bytes] = []
    size = 0
    is_after_blank = True
    with path.open("rb") as stream:
        while line := stream.readline(MAX_MESSAGE_BYTES):
            if is_after_blank and _FIRST_LINE.match(line):
                if lines:
                    yield b"".join(lines)
                lines, size = [], 0
            elif size < MAX_MESSAGE_BYTES:
                lines.append(line[1:] if line.startswith(b">From ") else line)
                size += len(line)
            is_after_blank = not line.strip()
    if lines:
        yield b"".join(lines)


def _read_headers(raw: bytes) -> _Letter | None:
    """What a message's headers say; None: nobody can tell, whatever its sender did to them."""
    try:
        end = re.search(rb"\r?\n\r?\n", raw)
        return _letter(_headers.parsebytes(raw[: end.end()] if end else raw), raw)
    except (Exception, RecursionError):
        return None


def _letter(headers: Message, raw: bytes) -> _Letter:
    sender = next(iter(_addresses(headers, "From")), "")
    is_form = bool(re.match(r"(no|do not|donot)[-_.]?reply|web|form|contact", sender)) and "Reply-To" in headers
    sender = next(iter(_addresses(headers, "Reply-To")), sender) if is_form else sender  # who filled the form in
    at = _received_at(headers)
    named_ids = _IDS.findall(str(headers.get("Message-ID", "")))
    identity = named_ids[0] if named_ids else f"<{hashlib.sha256(raw[:2000]).hexdigest()[:20]}>"
    references = _IDS.findall(f"{headers.get('References', '')} {headers.get('In-Reply-To', '')}")
    match = _NUMBER.search(_plain(headers.get("Subject"))[:MAX_SUBJECT])
    number = (match[1] or match[2]) if match else ""
    recipients = tuple(dict.fromkeys(_addresses(headers, "To", "Cc", "Delivered-To", "X-Original-To")))
    list_name = f"{headers.get('List-Id', '')} {headers.get('List-Post', '')}".strip().casefold()
    return _Letter(
        identity, at, sender, recipients, tuple(references), number, not is_form and _is_automatic(headers), list_name
    )


def _addresses(headers: Message, *names: str) -> list[str]:
    values = [str(value) for name in names for value in headers.get_all(name, [])]
    return [address.casefold() for _, address in getaddresses(values) if "@" in address]


def _plain(value: object) -> str:
    """A header's words, out of their encoding."""
    try:
        return " ".join(str(make_header(decode_header(str(value or "")))).split())
    except Exception:  # a header is the sender's to spoil
        return " ".join(str(value or "").split())


def _received_at(headers: Message) -> str:
    """When the message came: its last hop's stamp, which its sender cannot set; else its own date."""
    stamps = [str(value).rsplit(";", 1)[-1].strip() for value in headers.get_all("Received", [])[:1]]
    for stamp in (*stamps, str(headers.get("Date", ""))):
        try:
            at = parsedate_to_datetime(stamp)
            at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at.year >= 1000 else stamp
    return str(headers.get("Date", ""))


def _is_automatic(headers: Message) -> bool:
    """A machine's message: an out-of-office note, a receipt, a bounce (RFC 3834)."""
    submitted = str(headers.get("Auto-Submitted", "no")).split(";")[0].strip().casefold()
    precedence = str(headers.get("Precedence", "")).strip().casefold()
    bounces = str(headers.get("Return-Path", "")).strip() == "<>" or headers.get_content_type() == "multipart/report"
    return (
        submitted != "no"
        or precedence in ("auto_reply", "bulk", "junk")
        or bounces
        or any(name in headers for name in ("X-Autoreply", "X-Autorespond"))
    )


def _find_own(name: str, letters: Sequence[_Letter]) -> set[str]:
    """The address that most messages name, as sender or recipient."""
    counts = Counter(address for letter in letters for address in {letter.sender, *letter.recipients} if address)
    ranked = [*counts.most_common(5), ("", 0)]
    (top, count), (_, next_count) = ranked[0], ranked[min(1, len(ranked) - 1)]
    if count < MIN_OWN_SHARE * len(letters) or next_count == count:
        listed = ", ".join(address for address, _ in ranked if address) or "none"
        raise SourceError(
            f"{name}: no address is the house's for certain (the commonest: {listed}).",
            f"Name yours: --own {top or 'help@example.org'}.",
        )
    return {top}


def _events(letters: Sequence[_Letter], own: set[str]) -> tuple[list[tuple[str, str, str]], int]:
    """(thread, event, customer) of each message, and how many stand there again."""
    threads = _Threads()
    for letter in letters:
        threads.join([letter.id, *letter.references, *_number_key(letter, own)])
    by_thread: dict[str, list[int]] = {}
    first_places: dict[str, int] = {}
    repeats = {index for index, letter in enumerate(letters) if first_places.setdefault(letter.id, index) != index}
    for index in sorted(set(range(len(letters))) - repeats, key=lambda index: letters[index].at):
        by_thread.setdefault(threads.root(letters[index].id), []).append(index)
    events = [("", "other", "")] * len(letters)
    for indexes in by_thread.values():
        first = letters[indexes[0]]
        # the id of its first message, which a later export without that message names, too
        case = first.references[0] if first.references else first.number or first.id
        author = _author([letters[index] for index in indexes], own)
        for index in indexes:
            is_first = index == indexes[0] and not first.references
            events[index] = (case, _event(letters[index], first, author, is_first, own), author)
    return events, len(repeats)


def _number_key(letter: _Letter, own: set[str]) -> list[str]:
    """What a number in the subject joins: the letters of one customer; an order's number may stand in those of two."""
    customers = [address for address in (letter.sender, *letter.recipients) if address and address not in own]
    return [f"#{letter.number} {customers[0]}"] if letter.number and customers else []


def _author(letters: Sequence[_Letter], own: set[str]) -> str:
    """Who began a thread; where its first message is not there, whoever wrote to the house first, or whom it answers first."""
    first = letters[0]
    if not first.references or first.sender not in own:
        return first.sender
    return next((address for address in first.recipients if address not in own), first.sender)


def _event(letter: _Letter, first: _Letter, author: str, is_first: bool, own: set[str]) -> str:
    """What a message is in its thread."""
    if author in own or (not first.references and (first.is_automatic or _is_of_foreign_list(first, own))):
        return "other"
    own_domains = {_domain(address) for address in own}
    is_colleague = _domain(author) in own_domains
    if is_colleague and not own & set(first.recipients[:1]) and _goes_outside(first, own_domains):
        return "other"  # somebody of the house writes to a customer
    if is_first:
        return "asked"
    if letter.sender in own or (not is_colleague and letter.sender != author and _domain(letter.sender) in own_domains):
        return "auto_replied" if letter.is_automatic else "replied"
    return "chased" if letter.sender == author and not letter.is_automatic else "other"


def _domain(address: str) -> str:
    return address.rsplit("@", 1)[-1]


def _goes_outside(letter: _Letter, own_domains: set[str]) -> bool:
    return any(_domain(address) not in own_domains for address in letter.recipients)


def _is_of_foreign_list(letter: _Letter, own: set[str]) -> bool:
    """A newsletter; but a help address may be a list itself."""
    is_own = any(address in letter.list_name or address.replace("@", ".") in letter.list_name for address in own)
    return bool(letter.list_name) and not is_own


def _subject_and_text(raw: bytes) -> tuple[str, str]:
    """A message's subject, and the words that it says, as far as they can be read."""
    try:
        message = BytesParser(policy=policy.default).parsebytes(raw)
        subject = _plain(message["Subject"])
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
    except (Exception, RecursionError):
        subject, text = _plain(_headers.parsebytes(raw[: raw.find(b"\n\n") + 1 or 10_000]).get("Subject")), ""
    return subject, (text.strip() or subject)[:MAX_TEXT].replace("\0", "")

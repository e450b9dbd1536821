"""JSON: an array of records, records one a line or one after the other, or a list of records inside an object.

Nested fields get the path as their name (`requester.id`); a list of plain values becomes one text; a list of objects
stays as it stands, unless the mapping names it as the part whose members are the rows. Numbers keep their spelling.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.sources.bytes import read_chunks
from wellserved.sources.records import RecordFile, RecordWriter
from wellserved.sources.table import BrokenRow

MAX_RECORD_CHARACTERS = 64 << 20
_BLANK = re.compile(r"[ \t\r\n]*")
_BLANK_OR_COMMA = re.compile(r"[ \t\r\n,]*")
_decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=lambda _: None)


class Piece(NamedTuple):
    """A value of the file, with the number of its row."""

    number: int
    value: Any


class _Text:
    """The file's text, piece by piece, with its hash and what had to be mended."""

    def __init__(self, path: Path, on_progress: ProgressCallback) -> None:
        self._path, self._on_progress = path, on_progress
        self.digest = hashlib.sha256()
        self.mended = 0

    def _mend(self, error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        self.mended += 1
        return error.object[error.start : error.end].decode("cp1252", "replace"), error.end

    def chunks(self) -> Iterator[str]:
        """Pieces of the text from the beginning; bytes that are not UTF-8 are read as Windows-1252."""
        self.digest = hashlib.sha256()
        codecs.register_error("wellserved_json", self._mend)
        decoder = None
        for chunk in read_chunks(self._path, self._on_progress):
            self.digest.update(chunk)
            if decoder is None:
                is_wide = chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                decoder = codecs.getincrementaldecoder("utf-16" if is_wide else "utf-8-sig")("wellserved_json")
            yield decoder.decode(chunk)
        if decoder is not None:
            yield decoder.decode(b"", final=True)


class _Scanner:
    """Reads values off a text that arrives in pieces."""

    def __init__(self, chunks: Iterable[str]) -> None:
        self._chunks = iter(chunks)
        self._buffer, self._position = "", 0
        self._at_end = False

    def _read_more(self) -> bool:
        """Another piece behind what is left; False where the text ends."""
        rest = self._buffer[self._position :]
        step = max(len(rest), 1)  # twice as much each time, so that a long value is not begun too often
        pieces = [rest]
        while step > 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._at_end = True
                break
            pieces.append(chunk)
            step -= len(chunk)
        self._buffer, self._position = "".join(pieces), 0
        return len(self._buffer) > len(rest)

    def peek(self, skipped: re.Pattern[str] = _BLANK) -> str:
        """The next character after blanks; empty at the end."""
        while True:
            self._position = skipped.match(self._buffer, self._position).end()  # type: ignore[union-attr]
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if self._at_end or not self._read_more():
                return ""

    def take(self, character: str) -> bool:
        """Step over this character, if it is the next."""
        if self.peek() != character:
            return False
        self._position += 1
        return True

    def value(self) -> Any:
        """The next value. Raises ValueError where there is none."""
        self.peek()
        while True:
            try:
                value, end = _decoder.raw_decode(self._buffer, self._position)
            except ValueError:
                too_long = len(self._buffer) - self._position > MAX_RECORD_CHARACTERS
                if too_long or self._at_end or not self._read_more():
                    raise
                continue
            length = end - self._position
            if end < len(self._buffer) or self._at_end or not self._read_more():  # a number may go on in the next piece
                self._position += length
                return value

    def rest(self) -> str:
        """What comes next, for a message."""
        return self._buffer[self._position : self._position + 80].split("\n", 1)[0]


def _members(scanner: _Scanner, closing: str) -> Iterator[Piece | BrokenRow]:
    """The members of an array, or values one after the other (closing: empty)."""
    number = 0
    while (character := scanner.peek(_BLANK_OR_COMMA)) and character != closing:
        number += 1
        try:
            yield Piece(number, scanner.value())
        except (ValueError, RecursionError):
            yield BrokenRow(number, scanner.rest(), "is no JSON from here on; what follows it could not be read")
            return
    if closing and not scanner.take(closing):
        yield BrokenRow(number + 1, "", "is missing: the list never closes, so the file was cut off")


def _lines(chunks: Iterable[str]) -> Iterator[Piece | BrokenRow]:
    """The values of JSON Lines, each with its line's number."""
    number, rest = 0, ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            number += 1
            if line.strip():
                yield _line_value(number, line)
        if len(rest) > MAX_RECORD_CHARACTERS:
            raise SourceError(f"Line {number + 1} is longer than {MAX_RECORD_CHARACTERS >> 20} MB.", "Export again.")
    if rest.strip():
        yield _line_value(number + 1, rest)


def _line_value(number: int, line: str) -> Piece | BrokenRow:
    try:
        return Piece(number, _decoder.decode(line))
    except (ValueError, RecursionError):
        return BrokenRow(number, line.strip()[:2000], "is no JSON")


def _object_lists(scanner: _Scanner) -> list[str]:
    """Names in an object under which lists of records stand."""
    names = []
    scanner.take("{")
    while scanner.peek(_BLANK_OR_COMMA) not in ("", "}"):
        name = scanner.value()
        scanner.take(":")
        if scanner.take("["):
            if scanner.peek() == "{":
                names.append(str(name))
            for _ in _members(scanner, "]"):
                pass
        elif isinstance(value := scanner.value(), dict):
            names += [f"{name}.{inner}" for inner, members in value.items() if _is_record_list(members)]
    return names


def _is_record_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(member, dict) for member in value)


def _object_members(scanner: _Scanner, wanted_name: str) -> Iterator[Piece | BrokenRow]:
    """The members of one of an object's lists, or of one a level deeper (`result.issues`)."""
    scanner.take("{")
    while scanner.peek(_BLANK_OR_COMMA) not in ("", "}"):
        name = scanner.value()
        scanner.take(":")
        if name == wanted_name and scanner.take("["):
            yield from _members(scanner, "]")
            return
        value = scanner.value()
        if isinstance(value, dict) and wanted_name.startswith(f"{name}."):
            yield from map(Piece, count(1), value[wanted_name[len(name) + 1 :]])
            return


def open_json(path: Path, scratch: Path, on_progress: ProgressCallback, part: str = "") -> RecordFile:
    """Read a file of JSON into rows.

    `part`: which of several lists holds the records, and the list inside each record whose members are the rows
    (`ticket_events.child_events`). Raises SourceError where that is left open or there are no records.
    """
    text = _Text(path, on_progress)
    shape, pieces, inner_part = _pieces(path.name, text, part)
    writer = RecordWriter(scratch, path.name)
    for piece in pieces:
        if isinstance(piece, BrokenRow):
            writer.refuse(piece)
        elif not isinstance(piece.value, dict):
            writer.refuse(BrokenRow(piece.number, str(piece.value)[:200], "is no record: it has no fields"))
        else:
            _add_rows(writer, piece, inner_part)
    return writer.finish(shape, text.digest.hexdigest(), part=part, encoding="utf-8", mended_lines=text.mended)


def _add_rows(writer: RecordWriter, piece: Piece, inner_part: list[str]) -> None:
    try:
        rows = list(_rows(piece.value, inner_part))
    except RecursionError:
        writer.refuse(BrokenRow(piece.number, "", "is nested too deeply"))
        return
    for cells in rows:
        writer.add(writer.next_number if inner_part else piece.number, cells)


def _pieces(name: str, text: _Text, part: str) -> tuple[str, Iterator[Piece | BrokenRow], list[str]]:
    """How the records are written, the records, and the path to the list inside each whose members are the rows."""
    path = part.split(".") if part else []
    try:
        first, second = _first_characters(text)
        if first == "[":
            scanner = _Scanner(text.chunks())
            scanner.take("[")
            return "JSON, a list of records", _members(scanner, "]"), path
        if second == "{":
            if _has_one_a_line(text):
                return "JSON Lines", _lines(text.chunks()), path
            return "JSON records one after the other", _members(_Scanner(text.chunks()), ""), path
        names = _object_lists(_Scanner(text.chunks()))
        if not names:
            return _lone_record(name, text, path)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name} begins like JSON and breaks off.", "Export it again.") from error
    chosen = next((listed for listed in names if part == listed or part.startswith(f"{listed}.")), "")
    if len(names) > 1 and not chosen:
        raise SourceError(
            f"{name} holds several lists: {', '.join(names)}.",
            f"Say which of them holds the records: --part {names[0]}.",
        )
    inner = part[len(chosen) :].strip(".").split(".") if chosen else path
    chosen = chosen or names[0]
    return f"JSON, list {chosen}", _object_members(_Scanner(text.chunks()), chosen), [step for step in inner if step]


def _lone_record(name: str, text: _Text, path: list[str]) -> tuple[str, Iterator[Piece | BrokenRow], list[str]]:
    """A file of one record; refused where its fields are records themselves, under their ids."""
    try:
        record = _Scanner(text.chunks()).value()
    except ValueError:
        if not _has_one_a_line(text):
            raise
        return "JSON Lines", _lines(text.chunks()), path
    if len(record) > 1 and all(isinstance(value, dict) for value in record.values()):
        raise SourceError(
            f"{name} is one JSON object with records under their ids, not a list of records.",
            "Write it as a list: [{...}, {...}], or one record a line.",
        )
    return "JSON, one record", iter([Piece(1, record)]), path


def _first_characters(text: _Text) -> tuple[str, str]:
    """The first character, and that of what follows the first value, if that is an object."""
    scanner = _Scanner(text.chunks())
    first = scanner.peek()
    if first != "{":
        return first, ""
    try:
        scanner.value()
    except (ValueError, RecursionError):
        return first, "{" if _has_one_a_line(text) else ""  # a first line that is broken is one row, not the file
    return first, scanner.peek(_BLANK_OR_COMMA)


def _has_one_a_line(text: _Text) -> bool:
    """Most of the first lines are values by themselves."""
    lines: list[str] = []
    for chunk in text.chunks():
        lines += [line for line in chunk.split("\n") if line.strip()]
        if len(lines) > 1:
            break
    sample = lines[: min(10, max(len(lines) - 1, 1))]  # the last one may have been cut
    values = [_line_value(1, line) for line in sample]
    return sum(isinstance(value, Piece) and isinstance(value.value, dict) for value in values) >= 0.5 * len(sample)


def _rows(record: dict[str, Any], path: list[str]) -> Iterator[dict[str, str | None]]:
    """The record as a row, or a row for each member of its list at `path`, with the record's other fields."""
    members: Any = record
    for name in path:
        members = members.get(name) if isinstance(members, dict) else None
    if not path or not _is_record_list(members):
        yield flatten(record)
        return
    own_fields = flatten({name: value for name, value in record.items() if name != path[0]})
    for member in members:
        yield own_fields | flatten(member, ".".join(path) + ".")


def flatten(record: dict[str, Any], prefix: str = "") -> dict[str, str | None]:
    """A record's fields by their paths, as text."""
    cells: dict[str, str | None] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            cells |= flatten(value, f"{prefix}{name}.")
        else:
            cells[f"{prefix}{name}"] = _cell(value)
    return cells


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        if any(isinstance(member, dict | list) for member in value):
            return json.dumps(value, ensure_ascii=False)
        return "; ".join(filter(None, map(_cell, value)))
    return str(value)
